"""What `output` reads off a network: one meaning in games of one input, of batches and in losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import interjax as ij

RANDOM = np.random.default_rng(0)
WEIGHTS, XS = RANDOM.normal(size=(4, 3)).astype(np.float32), RANDOM.normal(size=(6, 4)).astype(np.float32)
LABELS = np.array([0, 1, 2, 2, 1, 0])
PLAYERS = ij.Players.features(4)
FULL = np.ones((1, 4), bool)
LOGITS = XS @ WEIGHTS


def network(x):
    return x @ WEIGHTS


def one_output(x):
    return (x @ WEIGHTS)[:, :1]


def values(*arguments, model=network, **options):
    return np.concatenate([game(FULL) for game in ij.masked_games(model, *arguments, players=PLAYERS, **options)])


def log_odds(logits, label):
    return logits[label] - special.logsumexp(np.delete(logits, label))


OF_LABELS = {
    "log_odds": log_odds,
    "log_prob": lambda z, y: z[y] - special.logsumexp(z),
    "logit": lambda z, y: z[y],
    "prob": lambda z, y: special.softmax(z)[y],
}


@pytest.mark.parametrize("name", OF_LABELS)
def test_outputs_of_labels_are_of_each_inputs_label_or_of_one_or_of_the_prediction(name):
    output, expected = getattr(ij, name), OF_LABELS[name]
    predicted = LOGITS.argmax(axis=1)
    cases = [((XS, LABELS), output, LABELS), ((XS,), output, predicted)]
    cases += [((XS,), output(1), [1] * 6), ((XS, LABELS), output(1), [1] * 6)]
    for arguments, given, labels in cases:
        known = [expected(z, y) for z, y in zip(LOGITS, labels, strict=True)]
        np.testing.assert_allclose(values(*arguments, output=given), known, rtol=1e-5, atol=1e-6)
    alone = ij.masked_game(network, XS[3], players=PLAYERS, output=output)(FULL)
    np.testing.assert_allclose(alone, expected(LOGITS[3], predicted[3]), rtol=1e-5, atol=1e-6)


def test_functions_get_the_output_and_where_they_ask_the_label():
    np.testing.assert_allclose(values(XS, LABELS, output=lambda z: z[0] - z[1]), LOGITS[:, 0] - LOGITS[:, 1], rtol=1e-5)
    np.testing.assert_allclose(values(XS, LABELS, output=lambda z, y: z[y]), LOGITS[np.arange(6), LABELS], rtol=1e-6)
    held = values(XS, LABELS, output=lambda z, held=2: z[held])  # how loops hold a variable: no label is meant
    np.testing.assert_allclose(held, LOGITS[:, 2], rtol=1e-6)
    targets = RANDOM.normal(size=(6, 3))
    found = values(XS, targets, output=lambda z, target: jnp.sum((z - target) ** 2))
    np.testing.assert_allclose(found, np.sum((LOGITS - targets) ** 2, axis=1), rtol=1e-5)
    mixed = values(XS, [1, 2.5, 3, 4, 5, 6], output=lambda z, target: target - 0 * z[0])
    np.testing.assert_allclose(mixed, [1, 2.5, 3, 4, 5, 6])


@pytest.mark.parametrize("model", [one_output, lambda x: one_output(x)[:, 0]], ids=["(batch, 1)", "(batch,)"])
def test_one_output_is_a_number_or_the_logit_of_class_1(model):
    z = LOGITS[:, 0].astype(float)
    np.testing.assert_allclose(ij.masked_game(model, XS[0], players=PLAYERS)(FULL), z[:1], rtol=1e-6)
    for targets in (None, z * 2):
        np.testing.assert_allclose(values(XS, targets, model=model), z, rtol=1e-6)
    labels = LABELS % 2
    signed = np.where(labels == 1, z, -z)
    np.testing.assert_allclose(values(XS, labels, model=model), signed, rtol=1e-5)
    np.testing.assert_allclose(values(XS, labels, model=model, output=ij.prob), special.expit(signed), rtol=1e-5)
    np.testing.assert_allclose(
        values(XS, labels, model=model, output=ij.log_prob), special.log_expit(signed), rtol=1e-5
    )
    np.testing.assert_allclose(values(XS, model=model, output=ij.prob), special.expit(np.abs(z)), rtol=1e-5)
    with pytest.raises(ValueError, match=r"label must be a class number from 0 to 1, .* got 2"):
        values(XS, LABELS[::-1].copy() * 0 + 2, model=model)


@pytest.mark.parametrize("output", [None, ij.prob, lambda z, y: z[y] ** 2, lambda z: z.max()])
def test_other_inputs_and_labels_compile_nothing(compilations, output):
    values(XS[::-1], LABELS * 0 + 1, output=output)
    values(XS[::-1], output=None if output is None else ij.prob)
    before = len(compilations)
    for number in range(4):  # labels, inputs and predictions are data
        games = ij.masked_games(network, XS + number, LABELS, players=PLAYERS, output=output)
        ij.masked_games(network, XS + number, players=PLAYERS, output=None if output is None else ij.prob)
        games[number](FULL)
    assert len(compilations) == before


def test_the_weighted_loss_reads_as_games_do():
    loss = lambda output: ij.losses.order_weighted(  # noqa: E731
        jax.random.key(0),
        lambda x: jnp.tanh(x) @ WEIGHTS,
        XS,
        LABELS,
        orders=[0, 1],
        weights=[1.0, 2.0],
        players=PLAYERS,
        output=output,
    )
    np.testing.assert_allclose(loss(lambda z, y: z[y]), loss(ij.logit), rtol=1e-6)
    np.testing.assert_allclose(loss(lambda z: z[1]), loss(ij.logit(1)), rtol=1e-6)
    with pytest.raises(ValueError, match="it gives a function"):
        loss(lambda label: lambda z: z[label])


def several(x):
    return {"logits": x @ WEIGHTS, "parts": (x[:, 0], jnp.stack([x, 2 * x], axis=1))}


@pytest.mark.parametrize("precision", ["float32", "bfloat16", None])
def test_networks_may_give_several_arrays(precision):
    share = 0.02 if precision == "bfloat16" else 1e-5
    read = lambda z: z["logits"][1] + z["parts"][0] * z["parts"][1].sum()  # noqa: E731
    expected = LOGITS[:, 1] + 3 * XS[:, 0] * XS.sum(axis=1)
    found = values(XS, model=several, output=read, precision=precision)
    np.testing.assert_allclose(found, expected, rtol=share, atol=10 * share)
    labelled = values(XS, LABELS, model=several, output=lambda z, y: z["logits"][y], precision=precision)
    np.testing.assert_allclose(labelled, LOGITS[np.arange(6), LABELS], rtol=share, atol=10 * share)
    game = ij.masked_game(several, XS[0], players=PLAYERS, output=read, precision=precision)
    found = ij.order_interactions(jax.random.key(0), game, contexts=5)
    exact = ij.exact_order_interactions(ij.tabulate(game))
    np.testing.assert_allclose(found.mean, exact[found.orders][:, *found.pairs.T], rtol=10 * share, atol=20 * share)


def test_several_arrays_need_a_function_that_reads_them(tmp_path):
    for output in (None, ij.log_odds, ij.log_odds(1)):
        with pytest.raises(ValueError, match=r"'logits': \(3,\), 'parts': \(\(\), \(2, 4\)\)"):
            values(XS, model=several, output=output)
    with pytest.raises(ValueError, match="fold is for networks that take and give one array"):
        values(XS, model=several, output=lambda z: z["logits"][0], fold=True)
    with pytest.raises(ValueError, match="one row of outputs an input"):
        values(XS, model=lambda x: {"a": x, "b": x.sum()}, output=lambda z: z["a"][0])
    games = ij.masked_games(several, XS, players=PLAYERS, output=lambda z: z["logits"][0] ** 2)
    found = ij.order_profile(jax.random.key(0), games, contexts=2, folder=tmp_path)
    again = ij.order_profile(jax.random.key(0), games, contexts=2, folder=tmp_path)
    np.testing.assert_array_equal(found.strength, again.strength)
    others = ij.masked_games(several, XS, players=PLAYERS, output=lambda z: z["logits"][1] ** 2)
    with pytest.raises(ValueError, match="holds a run with other settings"):
        ij.order_profile(jax.random.key(0), others, contexts=2, folder=tmp_path)


SIGMOIDS = {
    "jax.nn": lambda x: jax.nn.sigmoid(one_output(x)),
    "without an axis": lambda x: jax.nn.sigmoid(one_output(x)[:, 0]),
    "reshaped": lambda x: jnp.squeeze(jax.jit(jax.nn.sigmoid)(one_output(x)), 1),
}


@pytest.mark.parametrize("model", SIGMOIDS.values(), ids=SIGMOIDS)
def test_one_output_that_is_a_probability_is_no_logit(model):
    for arguments, output in [((XS, LABELS % 2), None), ((XS,), ij.log_prob), ((XS,), ij.prob(1))]:
        with pytest.warns(UserWarning, match="output is a sigmoid"):
            values(*arguments, model=model, output=output)
    np.testing.assert_allclose(values(XS, model=model), special.expit(LOGITS[:, 0]), rtol=1e-5)  # the number itself
    values(XS, LABELS % 2, model=lambda x: one_output(x) * jax.nn.sigmoid(one_output(x)))
