"""What is graded of networks that take several arrays: as of the same network of one array, and of NumPy."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interjax.training import accuracy, correctly_classified, r_squared

RANDOM = np.random.default_rng(0)
COUNT = 41
X = RANDOM.normal(size=(COUNT, 7)).astype(np.float32)
WEIGHTS = RANDOM.normal(size=(7, 3)).astype(np.float32)
LABELS = np.where(RANDOM.random(COUNT) < 0.7, (X @ WEIGHTS).argmax(axis=1), RANDOM.integers(0, 3, COUNT))
VECTORS = RANDOM.normal(size=(20, 5)).astype(np.float32)
TOKENS = {"tokens": RANDOM.integers(0, 20, (COUNT, 6)), "attended": RANDOM.random((COUNT, 6)) < 0.7}


class Parts(NamedTuple):
    image: np.ndarray
    table: np.ndarray


def one(x):
    return x @ WEIGHTS


FORMS = {
    "a dictionary": (
        lambda x: {"a": x[:, :3], "b": x[:, 3:]},
        lambda d: one(jnp.concatenate([d["a"], d["b"]], axis=1)),
    ),
    "a tuple": (
        lambda x: (x[:, :4].reshape(-1, 2, 2, 1), x[:, 4:]),
        lambda t: one(jnp.concatenate([t[0].reshape(-1, 4), t[1]], axis=1)),
    ),
    "a named tuple": (
        lambda x: Parts(x[:, :4].reshape(-1, 2, 2, 1), x[:, 4:]),
        lambda t: one(jnp.concatenate([t.image.reshape(-1, 4), t.table], axis=1)),
    ),
    "nested": (
        lambda x: {"a": (x[:, 0], {"b": x[:, 1:6]}), "c": [x[:, 6:]]},
        lambda d: one(jnp.concatenate([d["a"][0][:, None], d["a"][1]["b"], d["c"][0]], axis=1)),
    ),
}


def of_tokens(inputs):
    return (jnp.asarray(VECTORS)[inputs["tokens"]] * inputs["attended"][..., None]).sum(axis=1)[:, :3]


@pytest.mark.parametrize("form", FORMS)
def test_accuracy_and_draws_are_those_of_one_array(form):
    split, network = FORMS[form]
    assert accuracy(network, split(X), LABELS, batch_size=9) == np.mean((X @ WEIGHTS).argmax(axis=1) == LABELS)
    draws = [
        correctly_classified(model, x, LABELS, count=9, key=jax.random.key(1), batch_size=20)
        for model, x in ((one, X), (network, split(X)))
    ]
    np.testing.assert_array_equal(*draws)


def test_tokens_and_masks_are_graded_as_in_numpy():
    logits = (VECTORS[TOKENS["tokens"]] * TOKENS["attended"][..., None]).sum(axis=1)[:, :3]
    wanted = np.mean(logits.argmax(axis=1) == LABELS)
    assert accuracy(of_tokens, TOKENS, LABELS, batch_size=10) == wanted
    assert accuracy((lambda weights, x: of_tokens(x) * weights, 2.0), TOKENS, LABELS) == wanted


@pytest.mark.parametrize("form", FORMS)
def test_r_squared_is_that_of_one_array(form):
    split, network = FORMS[form]
    y = X[:, 0] + 0.1 * RANDOM.normal(size=COUNT)
    found = r_squared(lambda x: network(x)[:, 0], split(X), y, batch_size=9)
    assert found == pytest.approx(r_squared(lambda x: one(x)[:, 0], X, y), rel=1e-5)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({}, "x must hold at least one array"),
        ({"tokens": TOKENS["tokens"], "attended": TOKENS["attended"][:-1]}, "x must be arrays of one row for each"),
        ({"tokens": TOKENS["tokens"][:-1], "attended": TOKENS["attended"][:-1]}, r"y must be .*\(40,\)|x and y must"),
        ({"tokens": TOKENS["tokens"][:0], "attended": TOKENS["attended"][:0]}, "x must be inputs .*at least one"),
        ({"tokens": TOKENS["tokens"], "attended": "all"}, r"x\['attended'\] must be an array of real numbers"),
        ({"tokens": TOKENS["tokens"]}, "fails|does not take"),
        ({"tokens": 3, "attended": 4}, "x must be arrays of one row for each"),
    ],
)
def test_inputs_that_do_not_fit_are_refused_by_name(x, message):
    for graded in (
        lambda: accuracy(of_tokens, x, LABELS),
        lambda: correctly_classified(of_tokens, x, LABELS, count=2, key=jax.random.key(0)),
        lambda: r_squared(lambda x: of_tokens(x)[:, 0], x, X[:, 0]),
    ):
        with pytest.raises(ValueError, match=message):
            graded()


def test_a_network_that_mixes_the_batch_is_refused():
    with pytest.raises(ValueError, match="one output for one input"):
        accuracy(lambda x: one(x["a"] - x["a"].mean(axis=0)[None]), {"a": X}, LABELS)
