"""Networks called with NumPy arrays: values of brute force in their own precision, and what is refused."""

import jax
import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp

import interjax as ij

N = 5
PLAYERS = ij.Players.segments([0, 1, -1, 2, 3, 4])
MASKS = (np.arange(2**N)[:, None] >> np.arange(N)) & 1 == 1
RANDOM = np.random.default_rng(0)
KERNEL = RANDOM.normal(size=(6, 3))
OFFSET = 1e6  # beside which float32 has a digit of 0.06
X, BACKGROUND = OFFSET + RANDOM.normal(size=6), OFFSET + RANDOM.normal(size=(3, 6))


def predict(inputs):
    assert isinstance(inputs, np.ndarray)
    return np.tanh(inputs - OFFSET) @ KERNEL


def brute_force(function, other):
    present = np.array([[mask[0], mask[1], True, mask[2], mask[3], mask[4]] for mask in MASKS])
    return function(predict(np.where(present, X, other)))


@pytest.mark.parametrize(
    ("output", "function"),
    [
        (ij.log_odds(1), lambda z: z[:, 1] - logsumexp(z[:, [0, 2]], axis=1)),
        (ij.log_prob(2), lambda z: log_softmax(z, axis=1)[:, 2]),
        (ij.logit(0), lambda z: z[:, 0]),
        (lambda z: float(z[0] * z[1]), lambda z: z[:, 0] * z[:, 1]),
        (lambda z: jax.numpy.exp(z[2]), lambda z: np.exp(z[:, 2])),
    ],
    ids=["log_odds", "log_prob", "logit", "NumPy callable", "JAX callable"],
)
def test_values_are_those_of_brute_force_in_float64(output, function):
    game = ij.masked_host_game(predict, X, players=PLAYERS, baseline=BACKGROUND[0], output=output)
    np.testing.assert_allclose(ij.tabulate(game), brute_force(function, BACKGROUND[0]), rtol=1e-13)
    assert (game.on_host, game.passes, game.unit) == (True, 1, np.finfo(float).eps)
    assert 0 <= game.rounding < 1e-14


def test_a_marginal_baseline_is_the_mean_over_its_examples_in_float64():
    game = ij.masked_host_game(predict, X, players=PLAYERS, baseline=ij.marginal(BACKGROUND), output=ij.logit(0))
    means = np.mean([brute_force(lambda z: z[:, 0], other) for other in BACKGROUND], axis=0)
    np.testing.assert_allclose(ij.tabulate(game), means, rtol=1e-12, atol=1e-13)
    assert (game.passes, game.is_null) == (3, None)


def test_the_default_output_is_the_class_predicted_or_the_value_itself():
    label = int(predict(X[None]).argmax())
    by_default = ij.masked_host_game(predict, X, players=PLAYERS)
    named = ij.masked_host_game(predict, X, players=PLAYERS, output=ij.log_odds(label))
    np.testing.assert_array_equal(ij.tabulate(by_default), ij.tabulate(named))
    for value in (lambda x: x.sum(axis=1), lambda x: x.sum(axis=1, keepdims=True)):
        game = ij.masked_host_game(value, X, players=PLAYERS)
        np.testing.assert_allclose(ij.tabulate(game), X[2] + MASKS @ np.delete(X, 2), rtol=1e-15)


def test_inputs_keep_their_type_and_come_in_batches_of_the_size_that_is_asked_for():
    seen = []

    def of_bytes(inputs):
        seen.append((len(inputs), inputs.dtype))
        return inputs.astype(np.int64).sum(axis=1)

    x = np.array([200, 100, 3, 4, 5, 6], np.uint8)
    game = ij.masked_host_game(of_bytes, x, players=PLAYERS, baseline=100, batch_size=3)
    del seen[:]
    np.testing.assert_array_equal(game(MASKS[:7]), np.where(MASKS, np.delete(x, 2), 100).sum(axis=1)[:7] + 3)
    assert seen == [(3, np.uint8), (3, np.uint8), (1, np.uint8)]
    assert game.is_null.tolist() == [False, True, False, False, False]


def test_a_coarse_network_says_how_coarse():
    coarse = ij.masked_host_game(lambda x: predict(x).astype(np.float32), X, players=PLAYERS, output=ij.logit(0))
    assert coarse.unit == np.finfo(np.float32).eps
    assert 1e-9 < coarse.rounding < 1e-6
    by_batch = lambda x: predict(x) * (1 + 1e-5 * (len(x) == 1))  # noqa: E731
    values = np.abs(predict(X[None])[0, 0])
    assert ij.masked_host_game(by_batch, X, players=PLAYERS, output=ij.logit(0)).rounding >= 0.9e-5 * values


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"predict": lambda x: x[:2]}, "predict must give real numbers, one row for each input"),
        ({"predict": lambda x: x.astype(str)}, "predict must give real numbers"),
        ({"predict": lambda x: np.random.default_rng().normal(size=(len(x), 3))}, "random .dropout"),
        ({"predict": lambda x: (x - x.mean(axis=0)) @ KERNEL}, "other rows of the batch"),
        ({"predict": lambda x: x.no_such_name}, "predict must map inputs, a NumPy array of float64"),
        ({"predict": 3}, "predict"),
        ({"output": ij.logit(3)}, "label must be a class number from 0 to 2"),
        ({"output": lambda z: z}, "output must give one real number"),
        ({"output": lambda z: z[7]}, "output fails on what the network gives"),
        ({"baseline": np.zeros(2)}, "baseline must be a number, an array of the input's shape"),
        ({"x": X[:4]}, "x must have the shape that players partition"),
        ({"predict": lambda x: x[:, :, None]}, "pass output="),
    ],
)
def test_what_is_refused(changes, message):
    arguments = {"predict": predict, "x": X, "players": PLAYERS} | changes
    with pytest.raises(ValueError, match=message):
        ij.masked_host_game(arguments.pop("predict"), arguments.pop("x"), **arguments)


def test_probabilities_are_warned_of_at_the_call():
    with pytest.warns(UserWarning, match="are probabilities") as told:
        ij.masked_host_game(lambda x: np.exp(log_softmax(predict(x), axis=1)), X, players=PLAYERS)
    assert told[0].filename == __file__


def test_an_input_that_makes_nan_is_told_and_masked_classes_are_not():
    with pytest.warns(UserWarning, match="x holds NaN"):
        ij.masked_host_game(predict, np.where(np.arange(6) == 1, np.nan, X), players=PLAYERS, output=ij.logit(1))
    masked = lambda x: np.where(np.arange(3) == 1, -np.inf, predict(x))  # noqa: E731
    game = ij.masked_host_game(masked, X, players=PLAYERS, baseline=BACKGROUND[0], output=ij.log_odds(0))
    np.testing.assert_allclose(ij.tabulate(game), brute_force(lambda z: z[:, 0] - z[:, 2], BACKGROUND[0]), atol=1e-13)
    assert 0 <= game.rounding < 1e-14


def test_a_second_game_compiles_nothing_and_estimators_take_it(compilations):
    game = ij.masked_host_game(predict, X, players=PLAYERS, output=ij.log_odds(1))
    exact = ij.exact_order_interactions(ij.tabulate(game))
    found = ij.order_interactions(jax.random.key(0), game, orders=[1], contexts=8)
    np.testing.assert_allclose(found.mean[0], [exact[1, i, j] for i, j in found.pairs], rtol=1e-6)
    del compilations[:]
    other = ij.masked_host_game(predict, X + 1, players=PLAYERS, output=ij.log_odds(2))
    ij.tabulate(other)
    assert not compilations


@pytest.mark.parametrize("baseline", [0.5, "background"])
def test_all_outputs_are_the_games_of_each_for_the_passes_of_one(baseline):
    random, rows = np.random.default_rng(0), []
    weights, x = random.normal(size=(4, 3)), random.normal(size=4)
    absent = ij.marginal(random.normal(size=(3, 4))) if baseline == "background" else baseline
    options = {"players": ij.Players.features(4, names=list("abcd")), "baseline": absent}

    def predict(inputs):
        rows.append(len(inputs))
        return np.tanh(inputs @ weights)

    games = ij.masked_host_game(predict, x, output="all", **options)
    assert sum(rows) <= 16 * (3 if baseline == "background" else 1) + 6
    assert len(games) == 3
    for number, game in enumerate(games):
        one = ij.masked_host_game(predict, x, output=lambda row, number=number: row[number], **options)
        np.testing.assert_allclose(ij.tabulate(game), ij.tabulate(one), rtol=1e-12)
        assert game.player_names == tuple("abcd")
        assert game.rounding == pytest.approx(one.rounding, rel=0.9)
    pictures = ij.masked_host_game(lambda inputs: np.stack([inputs, -inputs], axis=1), x, output="all", **options)
    assert len(pictures) == 8
    with pytest.raises(ValueError, match="more than 26"):
        ij.masked_host_game(lambda inputs: inputs, np.ones(27), players=ij.Players.features(27), output="all")
