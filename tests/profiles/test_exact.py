"""Profiles of small games from all coalitions: against brute force, what decides, and what errors are left."""

import itertools
import json
import warnings

import jax
import numpy as np
import pytest
from scipy.stats import t as student

import interjax as ij

KEY = jax.random.key(0)
TABLES = np.random.default_rng(0).normal(size=(3, 2**6))


def strengths(table, pairs, orders, kind):
    """E|I| or E I^2 over pairs at each order, by the definition of I."""
    n = len(table).bit_length() - 1
    found = []
    for order, pair in itertools.product(orders, pairs):
        i, j = (1 << player for player in pair)
        others = [1 << player for player in range(n) if player not in pair]
        starts = [sum(context) for context in itertools.combinations(others, order)]
        found.append(np.mean([table[s + i + j] - table[s + i] - table[s + j] + table[s] for s in starts]))
    by_pair = np.reshape(found, (len(orders), len(pairs)))
    return np.mean(np.abs(by_pair) if kind == "mean" else by_pair**2, axis=1)


@pytest.mark.parametrize(
    ("n", "inputs", "how"),
    [
        (2, 1, {}),
        (2, 3, {}),
        (3, 1, {}),
        (3, 3, {"kind": "rms"}),
        (6, 1, {"method": "quadruples", "correction": "plug-in"}),
        (6, 3, {"kind": "rms", "correction": "none"}),
        (6, 1, {"kind": "rms", "orders": [4, 1]}),
        (6, 3, {"pairs": [(3, 1), (0, 5), (2, 4)], "orders": [0, 3], "n_pairs": 2}),
    ],
)
def test_definition(n, inputs, how):
    tables = np.random.default_rng(n).normal(size=(inputs, 2**n))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ij.order_profile(KEY, [ij.Game.from_table(table) for table in tables], exact=True, **how)
    pairs = how.get("pairs", list(itertools.combinations(range(n), 2)))
    orders, kind = how.get("orders", range(n - 1)), how.get("kind", "mean")
    by_input = np.array([strengths(table, pairs, orders, kind) for table in tables])
    magnitude = by_input.mean(axis=0) if kind == "mean" else np.sqrt(by_input.mean(axis=0))
    np.testing.assert_allclose(found.by_input, by_input, rtol=1e-12)
    np.testing.assert_allclose(found.magnitude, magnitude, rtol=1e-12)
    np.testing.assert_allclose(found.strength, magnitude / magnitude.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.bracket, [found.magnitude] * 2, rtol=1e-12)
    np.testing.assert_array_equal(found.uncorrected, found.strength)
    assert not np.any([found.bias, found.noise])
    assert found.exact.all()
    assert found.effective_pairs is None
    assert found.n_forwards == inputs * 2**n
    assert found.pairs_by_input.tolist() == [len(pairs)] * inputs
    contexts = [len(list(itertools.combinations(range(n - 2), order))) for order in orders]
    assert found.contexts_drawn.tolist() == contexts
    assert found.stderr_within.max() < 1e-13
    if inputs == 1:
        assert found.stderr.max() < 1e-13
        assert np.isinf(found.freedom).all()


def test_several_inputs_vary():
    """Two orders and many inputs: the error over inputs is that of the linearised ratio."""
    tables = np.random.default_rng(3).normal(size=(40, 8))
    found = ij.order_profile(KEY, [ij.Game.from_table(table) for table in tables])
    each = np.array([strengths(table, [(0, 1), (0, 2), (1, 2)], [0, 1], "mean") for table in tables])
    level, ratio = each.mean(), each.mean(axis=0) / each.mean()
    deviations = (each - ratio * each.mean(axis=1, keepdims=True)) / level
    expected = deviations.std(axis=0, ddof=1) / np.sqrt(40)
    np.testing.assert_allclose(found.stderr, expected, rtol=0.1)
    lower, upper = found.interval()
    reach = student.ppf(0.975, found.freedom) * found.stderr
    np.testing.assert_allclose([lower, upper], [found.strength - reach, found.strength + reach], rtol=1e-6)


FOUR = {"orders": [2], "pairs": [(0, 1), (1, 2), (2, 3), (3, 4)], "method": "quadruples"}


@pytest.mark.parametrize(
    ("how", "is_exact"),
    [
        (FOUR | {"contexts": 4}, True),  # 4 pairs by 4 contexts by 4 passes: as many as there are coalitions
        (FOUR | {"contexts": 3}, False),
        (FOUR | {"contexts": 4, "exact": False}, False),
        (FOUR | {"contexts": 3, "exact": True}, True),
        (FOUR | {"n_forwards": 3 * 64}, True),
        (FOUR | {"n_forwards": 3 * 64 - 1}, False),
        (FOUR | {"n_forwards": 1e6, "exact": False}, False),
        ({"orders": [0], "n_forwards": 1e6}, False),  # whose 22 coalitions are all that sampling would evaluate
        ({"n_pairs": 2, "contexts": 1, "method": "quadruples"}, False),
        ({"n_pairs": 4, "contexts": 2, "target_stderr": 1e-9, "exact": True}, True),
        ({}, True),
    ],
)
def test_what_takes_fewer_passes_is_done(how, is_exact):
    games = [ij.Game.from_table(table) for table in TABLES]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = ij.order_profile(KEY, games, **how)
    assert (found.n_forwards == 3 * 64 and bool(found.exact.all())) == is_exact
    if "n_forwards" in how and is_exact:
        assert found.n_forwards <= how["n_forwards"]


def test_exact_orders_of_a_sampled_profile_are_told():
    game = ij.Game.from_host(lambda masks: np.exp(masks.sum(axis=1) / 4.0 + masks[:, 0]), 10)
    found = ij.order_profile(KEY, game, orders=[0, 4, 8], contexts=3, exact=False)
    assert found.exact.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"target_stderr": 1e-6}, None),
        ({"n_forwards": 64}, None),
        ({"n_forwards": 1e5}, None),
        ({"target_stderr": 1e-20}, "all contexts of all pairs were evaluated"),
    ],
)
def test_wishes_of_one_input_end_at_once(wish, message):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = ij.order_profile(KEY, ij.Game.from_table(TABLES[0]), **wish)
    assert found.n_forwards == 64
    assert [message in str(one.message) for one in told] == ([] if message is None else [True])


def test_inputs_that_differ_keep_an_error_from_its_target():
    with pytest.warns(UserWarning, match="these inputs alone differ"):
        found = ij.order_profile(KEY, [ij.Game.from_table(table) for table in TABLES], target_stderr=1e-3)
    assert found.n_forwards == 3 * 64


def masked(inputs, baseline=0.0):
    x = np.random.default_rng(0).normal(size=(inputs, 5)).astype(np.float32)
    x[0, 2] = 0.0  # as the usual baseline
    weights = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    return ij.masked_games(
        lambda z: jax.numpy.tanh(z @ weights),
        x,
        [0] * inputs,
        players=ij.Players.features(5),
        baseline=baseline,
        output=ij.logit,
    )


def test_networks_batches_devices_and_marginal_baselines():
    background = np.random.default_rng(2).normal(size=(3, 5)).astype(np.float32)
    pairs = list(itertools.combinations(range(5), 2))
    for games, passes in ((masked(2), 1), (masked(2, ij.marginal(background)), 3)):
        found = ij.order_profile(KEY, games)
        tables = [np.asarray(game((np.arange(32)[:, None] >> np.arange(5) & 1).astype(bool))) for game in games]
        expected = [strengths(table.astype(float), pairs, range(4), "mean") for table in tables]
        np.testing.assert_allclose(found.by_input, expected, atol=1e-6)
        assert found.n_forwards == 2 * 32 * passes
        mesh = jax.sharding.Mesh(np.array(jax.devices()[:4]).reshape(2, 2), ("inputs", "rows"))
        for how in ({"batch_size": 7}, {"mesh": mesh}, {"memory": 2**20}):
            other = ij.order_profile(KEY, games, **how)
            np.testing.assert_allclose(other.by_input, found.by_input, atol=1e-6)
            assert other.n_forwards == found.n_forwards


@pytest.mark.filterwarnings("ignore:the standard error of J is unknown")
def test_an_input_whose_every_player_is_absent():
    games = [ij.Game.from_table(TABLES[0]), ij.Game.from_table(np.zeros(64))]
    found = ij.order_profile(KEY, games, exact=True)
    np.testing.assert_array_equal(found.by_input[1], 0.0)
    np.testing.assert_allclose(found.magnitude, found.by_input[0] / 2)


def test_values_that_are_nan_are_counted():
    table = TABLES[0].copy()
    table[[5, 9]] = np.nan, np.inf
    with pytest.warns(UserWarning, match="2 of 64 values"):
        found = ij.order_profile(KEY, ij.Game.from_table(table))
    assert found.n_nonfinite == 2
    assert np.isnan(found.magnitude).tolist() == [True, True, True, False, False]
    assert np.isnan(found.strength).all()


class Stop(Exception):
    pass


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_run_that_was_stopped_goes_on(tmp_path, after):
    """Within an input and between two: batches of 16 of 64 coalitions."""
    asked = []

    def game(table):
        def value(masks):
            asked.append(len(masks))
            return table[masks @ (1 << np.arange(6))]

        return ij.Game.from_host(value, 6)

    games, calls = [game(table) for table in TABLES], []
    whole = ij.order_profile(KEY, games)

    def stop(made, expected):
        calls.append((made, expected))
        if len(calls) == after:
            raise Stop

    with pytest.raises(Stop):
        ij.order_profile(KEY, games, folder=tmp_path, batch_size=16, progress=stop)
    asked.clear()
    made = []
    found = ij.order_profile(KEY, games, folder=tmp_path, progress=lambda *passes: made.append(passes))
    np.testing.assert_array_equal(found.strength, whole.strength)
    np.testing.assert_array_equal(found.stderr, whole.stderr)
    assert found.n_forwards == 192
    assert made[-1] == (192, 192)
    assert 192 - 16 * after <= sum(size for size in asked if size > 12) <= 192
    assert json.loads((tmp_path / "settings.json").read_text())["exact"] is True
    ij.order_profile(KEY, games, folder=tmp_path, contexts=50, exact=True)  # as exact, however it would be sampled
    with pytest.raises(ValueError, match="exact: true there, none here"):
        ij.order_profile(KEY, games, folder=tmp_path, exact=False)


def test_a_folder_of_samples_is_not_taken_for_exact(tmp_path):
    game = ij.Game.from_table(TABLES[0])
    sampled = ij.order_profile(KEY, game, folder=tmp_path, exact=False)
    assert "exact" not in json.loads((tmp_path / "settings.json").read_text())
    with pytest.raises(ValueError, match="exact: none there, true here"):
        ij.order_profile(KEY, game, folder=tmp_path)
    again = ij.order_profile(KEY, game, folder=tmp_path, exact=False)
    np.testing.assert_array_equal(again.strength, sampled.strength)


def test_a_saved_profile_says_that_it_is_exact(tmp_path):
    found = ij.order_profile(KEY, ij.Game.from_table(TABLES[0]))
    np.testing.assert_array_equal(ij.OrderProfile.load(found.save(tmp_path / "one.npz")).exact, found.exact)


def test_exact_profiles_are_compared_however_they_would_be_sampled():
    one, other = (
        ij.order_profile(KEY, ij.Game.from_table(table), method=method)
        for table, method in zip(TABLES, ("blocks", "quadruples"), strict=False)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ij.compare_profiles(one, other)
    assert found.stderr.max() < 1e-13


def test_bad_calls():
    game = ij.Game.from_host(lambda masks: masks[:, 0] * 1.0, 27)
    with pytest.raises(ValueError, match="exact must be None or False for a game of 27 players"):
        ij.order_profile(KEY, game, exact=True)
    with pytest.raises(ValueError, match=r'exact must be True .*, got "yes"|exact must be True .*, got .yes.'):
        ij.order_profile(KEY, game, exact="yes")
    game = ij.Game.from_table(TABLES[0])
    with pytest.raises(ValueError, match=r"n_forwards must be at least 64 with exact=True.*got 63"):
        ij.order_profile(KEY, game, exact=True, n_forwards=63)
    with pytest.raises(ValueError, match="n_forwards must be at least 64, what all coalitions take, got 9"):
        ij.order_profile(KEY, game, n_forwards=9)
    with pytest.raises(ValueError, match="contexts must be"):
        ij.order_profile(KEY, game, exact=True, n_forwards=1e4, contexts=0)
