"""Networks of several arrays evaluated, attacked and occluded: as the same network of one array."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax.evaluation import evaluate, fgsm, occlude, pgd

KEY = jax.random.key(3)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, 6)).astype(np.float32)
WEIGHTS = RANDOM.normal(size=(6, 3)).astype(np.float32)
Y = np.where(RANDOM.random(60) < 0.8, (X @ WEIGHTS).argmax(axis=1), RANDOM.integers(0, 3, 60))
NUMBERS = (X @ WEIGHTS[:, 0] + RANDOM.normal(size=60)).astype(np.float32)
PLAYERS = {"a": ij.Players.features(2), "b": (ij.Players.segments(np.arange(4)[:, None]),)}
VECTORS = RANDOM.normal(size=(20, 3)).astype(np.float32)
TOKENS = {"tokens": RANDOM.integers(1, 20, (60, 5)), "attended": RANDOM.random((60, 5)) < 0.8}
OF_TOKENS = {"tokens": ij.Players.tokens(5)}
QUIET = {"occlusions": (), "strengths": ()}


def one(x):
    return x @ WEIGHTS


def parts(x):
    return {"a": x[:, :2], "b": (x[:, 2:, None],), "mask": np.ones((len(x), 2), np.int32)}


def whole(inputs):
    return jnp.concatenate([inputs["a"], inputs["b"][0][..., 0]], axis=1) * inputs["mask"][:, :1]


def several(inputs):
    return one(whole(inputs))


def of_tokens(inputs):
    return (jnp.asarray(VECTORS)[inputs["tokens"]] * inputs["attended"][..., None]).sum(axis=1)


def halves(x, y):
    return jax.tree.map(lambda leaf: leaf[:40], x), y[:40], jax.tree.map(lambda leaf: leaf[40:], x), y[40:]


@pytest.mark.parametrize("y", [Y, NUMBERS])
def test_an_evaluation_is_that_of_one_array(y, tmp_path):
    name = {"network": lambda x: one(x)[:, 0], "several": lambda x: several(x)[:, 0]} if y is NUMBERS else {}
    task = "regression" if y is NUMBERS else "classification"
    data = ij.datasets.from_arrays(*halves(X, y), task=task)
    wanted = evaluate(name.get("network", one), data, key=KEY, pgd_steps=3, limit=15)
    options = {"key": KEY, "pgd_steps": 3, "limit": 15, "players": PLAYERS, "folder": tmp_path}
    found = evaluate(name.get("several", several), halves(parts(X), y), **options)
    again = evaluate(name.get("several", several), halves(parts(X), y), batch_size=7, **options)
    assert found.measures == wanted.measures
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-5)
    np.testing.assert_array_equal(again.value, found.value)
    with pytest.raises(ValueError, match="players"):
        evaluate(name.get("several", several), halves(parts(X), y), **options | {"players": {"a": PLAYERS["a"]}})


def test_arrays_are_a_data_set_and_networks_may_know_more_classes():
    data = ij.datasets.from_arrays(*halves(X, Y))
    wanted, found = (evaluate(one, each, key=KEY, **QUIET) for each in (data, halves(X, Y)))
    np.testing.assert_array_equal(found.value, wanted.value)
    more = evaluate(lambda x: jnp.pad(one(x), ((0, 0), (0, 2)), constant_values=-50), halves(X, Y), key=KEY, **QUIET)
    assert more.of("test accuracy") == wanted.of("test accuracy")


def test_tokens_are_graded_and_occluded_but_not_attacked():
    data = halves(TOKENS, Y)
    wanted = np.mean(np.asarray(of_tokens(TOKENS)).argmax(axis=1)[40:] == Y[40:])
    with pytest.warns(UserWarning, match="nothing is (attacked|occluded)") as told:
        found = evaluate(of_tokens, data, key=KEY)
    assert len(told) == 2
    assert found.of("test accuracy")[0] == wanted
    assert found.measures[-1] == "loss gap"
    found = evaluate(of_tokens, data, key=KEY, strengths=(), players=OF_TOKENS, baseline={"tokens": 0}, shuffles=None)
    assert found.measures[-2:] == ("accuracy, 25% occluded", "accuracy, 50% occluded")


def test_occluded_tokens_are_those_of_numpy():
    hidden = occlude(KEY, TOKENS, OF_TOKENS, 0.4, baseline={"tokens": 77})
    is_hidden = np.asarray(hidden["tokens"]) == 77
    assert (is_hidden.sum(axis=1) == 2).all()
    np.testing.assert_array_equal(np.where(is_hidden, TOKENS["tokens"], hidden["tokens"]), TOKENS["tokens"])
    np.testing.assert_array_equal(hidden["attended"], TOKENS["attended"])
    alone = occlude(KEY, TOKENS["tokens"], ij.Players.tokens(5), 0.4, baseline=77)
    np.testing.assert_array_equal(alone, hidden["tokens"])


@pytest.mark.parametrize("bounds", [None, (-3.0, 3.0)])
def test_attacks_of_several_arrays_are_those_of_one(bounds):
    x = X[:12] * 0.9
    for found, wanted in (
        (fgsm(several, None, parts(x), Y[:12], 0.3, bounds=bounds), fgsm(one, None, x, Y[:12], 0.3, bounds=bounds)),
        tuple(
            pgd(KEY, network, None, inputs, Y[:12], 0.3, steps=3, restarts=2, bounds=bounds)
            for network, inputs in ((several, parts(x)), (one, x))
        ),
    ):
        np.testing.assert_allclose(whole(found), wanted, atol=1e-6)
        np.testing.assert_array_equal(found["mask"], 1)


def test_an_attack_finds_the_worst_corner_of_the_arrays_that_it_moves():
    x, y = parts(X[:4]), jnp.array([0, 1, 2, 0])
    found = fgsm(several, None, x, y, {"a": 0.3}, bounds=({"b": (-9,)}, {"a": 2.5}))
    np.testing.assert_array_equal(found["b"][0], x["b"][0])

    def margin(a):
        logits = np.array(several(x | {"a": a}))
        own = logits[np.arange(4), y]
        logits[np.arange(4), y] = -np.inf
        return np.log(np.exp(logits).sum(axis=1)) - own

    corners = [
        np.minimum(x["a"] + 0.3 * np.array(signs, np.float32), 2.5) for signs in itertools.product((-1, 1), repeat=2)
    ]
    assert np.all(margin(found["a"]) > margin(x["a"]))
    np.testing.assert_allclose(margin(found["a"]), np.max([margin(corner) for corner in corners], axis=0), rtol=1e-5)


def test_several_networks_of_several_arrays_stand_side_by_side():
    found = evaluate({"good": several, "bad": lambda x: -several(x)}, halves(parts(X), Y), key=KEY, **QUIET)
    good, bad = (found.of("test accuracy", name)[0] for name in ("good", "bad"))
    assert good > bad


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strengths": (0.1,)}, r"x must hold an array of floats to attack, got x\['attended'\] \(bool\)"),
        ({"occlusions": (0.5,)}, "occlusions must be left out for inputs of several arrays, unless players name"),
        ({"occlusion_grid": 2}, "occlusion_grid must be left out for inputs of several arrays"),
        ({"shuffles": (2,)}, "shuffles must be left out"),
        ({"players": {"words": ij.Players.tokens(5)}}, "players must be a dict whose keys are among the input's"),
        ({"players": ij.Players.tokens(5)}, "players must be a dict whose keys"),
        ({"players": {"tokens": ij.Players.tokens(4)}}, r"\['tokens'\] must have the shape that its players partition"),
        ({"players": OF_TOKENS, "occlusion_grid": 2}, "occlusion_grid must be left out where players are given"),
        ({"players": OF_TOKENS, "baseline": {"tokens": 0.5}}, "baseline must be an integer"),
        ({"players": OF_TOKENS, "baseline": {"attended": 0}}, r"baseline\['attended'\] must be left out"),
        ({"data": (TOKENS, Y)}, "data must be an ij.datasets.Dataset or arrays"),
        ({"data": (TOKENS, Y[:9], TOKENS, Y)}, "training labels of data must be one for each of 60"),
        ({"data": (TOKENS, Y, TOKENS | {"tokens": X}, Y)}, "test inputs of data must be arrays of the form"),
        ({"data": (TOKENS, Y, {"tokens": TOKENS["tokens"]}, Y)}, "test inputs of data must be arrays of the form"),
        ({"data": (TOKENS, Y - 1, TOKENS, Y)}, "class numbers from 0 on"),
        ({"networks": lambda x: x["words"]}, "networks: 'network' fails"),
        ({"networks": lambda x: of_tokens(x)[:, :2]}, r"logits of shape \(batch, 3\)"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes, message):
    call = {"networks": of_tokens, "data": halves(TOKENS, Y)} | QUIET | changes
    with pytest.raises(ValueError, match=message):
        evaluate(call.pop("networks"), call.pop("data"), key=KEY, **call)
