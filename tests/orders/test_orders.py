"""Sampled multi-order interactions: unbiased at every order, honest errors, one answer for one key."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax.orders import _row_values
from interjax.orders._designs import closure
from interjax.orders._estimators import ESTIMATORS

N = 10
TABLE = np.random.default_rng(0).normal(size=2**N) + 3.0
GAME = ij.Game.from_table(TABLE)
METHODS = ["blocks", "quadruples"]


def exact(coalitions, orders):
    """I^(m)(T) straight from the definition."""
    found = np.zeros((len(orders), len(coalitions)))
    for column, members in enumerate(coalitions):
        rest = [player for player in range(N) if player not in members]
        for row, order in enumerate(orders):
            total, contexts = 0.0, 0
            for context in itertools.combinations(rest, int(order)):
                contexts += 1
                for size in range(len(members) + 1):
                    for part in itertools.combinations(members, size):
                        index = sum(1 << int(player) for player in (*context, *part))
                        total += (-1) ** (len(members) - size) * TABLE[index]
            found[row, column] = total / contexts
    return found


@pytest.fixture(scope="module", params=[1, 2, 3], ids=["single players", "pairs", "triples"])
def size_and_exact(request):
    size = request.param
    coalitions = list(itertools.combinations(range(N), size))
    return size, exact(coalitions, range(N - size + 1))


@pytest.mark.parametrize("method", METHODS)
def test_estimates_are_unbiased_at_every_order(method, size_and_exact):
    """z-tests over independent repeats, for every coalition and for the mean over coalitions of each order."""
    size, truth = size_and_exact
    repeats = [
        ij.order_interactions(jax.random.key(seed), GAME, contexts=7, method=method, size=size, exact=False)
        for seed in range(144)
    ]
    error = np.stack([found.mean for found in repeats]) - truth
    exact = np.array([ESTIMATORS[method].is_exact(N, size, order, 7) for order in range(N - size + 1)])
    assert (repeats[0].exact == exact[:, None]).all()
    np.testing.assert_allclose(error[:, exact], 0.0, atol=1e-12)
    middle = error[:, ~exact]
    # Coalitions that share contexts err together: the mean over them is steady over several sets of repeats only.
    of_coalitions = [part.mean(0) / (part.std(0, ddof=1) / np.sqrt(len(part))) for part in np.split(middle, 3)]
    assert np.abs(of_coalitions).max() < 6.5  # t with 47 degrees of freedom, at most 3 * 840 of them
    assert 0.8 < np.mean(np.square(of_coalitions)) < 1.4
    of_orders = middle.mean(-1).mean(0) / (middle.mean(-1).std(0, ddof=1) / np.sqrt(len(repeats)))
    assert np.abs(of_orders).max() < 3.5


@pytest.mark.parametrize("method", METHODS)
def test_both_end_orders_are_exact(method, size_and_exact):
    size, truth = size_and_exact
    found = ij.order_interactions(jax.random.key(0), GAME, contexts=3, method=method, size=size, exact=False)
    np.testing.assert_allclose(found.mean[[0, -1]], truth[[0, -1]], atol=1e-12)
    np.testing.assert_allclose(found.stderr[[0, -1]], 0.0, atol=1e-13)  # the rounding of float64
    np.testing.assert_array_equal(found.count[[0, -1]], 1)


def test_blocks_enumerate_the_orders_next_to_the_ends_where_that_is_cheap(size_and_exact):
    size, truth = size_and_exact
    found = ij.order_interactions(jax.random.key(0), GAME, contexts=10, size=size, exact=False)
    np.testing.assert_allclose(found.mean[[1, -2]], truth[[1, -2]], atol=1e-12)
    np.testing.assert_array_equal(found.count[[1, -2]], N - size)
    assert (found.stderr[2:-2] > 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_standard_errors_are_the_spread_of_repeats(method, size_and_exact):
    size, truth = size_and_exact
    found = [
        ij.order_interactions(jax.random.key(s), GAME, contexts=7, method=method, size=size, exact=False)
        for s in range(12)
    ]
    z = np.concatenate([((one.mean - truth) / one.stderr)[~one.exact] for one in found])
    assert 0.93 < np.sqrt(np.mean(z**2)) < 1.12
    inside = [(lower <= truth) & (truth <= upper) for lower, upper in (one.interval() for one in found)]
    assert 0.93 < np.mean([each[~one.exact] for each, one in zip(inside, found, strict=True)]) < 0.98


@pytest.mark.parametrize("method", [*METHODS, "regression"])
@pytest.mark.parametrize("contexts", [2, 5])
def test_intervals_of_few_contexts_cover(method, contexts):
    """A sparse game, in which the few contexts of most pairs all gave the same value."""
    masks = (np.arange(2**N)[:, None] >> np.arange(N)) & 1 == 1
    table = masks[:, :4].all(1) * 2.0 + masks[:, 3:7].all(1) - 1.5 * masks[:, [0, 5, 9]].all(1) + masks[:, 8]
    truth = ij.exact_order_interactions(table)[:, *np.triu_indices(N, 1)]
    shares = []
    for seed in range(30):
        found = ij.order_interactions(
            jax.random.key(seed), ij.Game.from_table(table), contexts=contexts, method=method, exact=False
        )
        lower, upper = found.interval()
        shares.append(((lower <= truth) & (truth <= upper))[~found.exact].mean())
    assert 0.93 < np.mean(shares) < 0.995


def test_contexts_are_drawn_without_replacement_where_they_are_few():
    """A mean over all but one of the contexts is nearly exact, and says so."""
    game = ij.Game.from_table(np.random.default_rng(1).normal(size=2**8))
    settings = {"orders": [1, 3], "contexts": 5, "method": "quadruples"}
    repeats = [ij.order_interactions(jax.random.key(seed), game, **settings, exact=False) for seed in range(20)]
    truth = ij.exact_order_interactions(np.asarray(game.params))[[1, 3]][:, *repeats[0].pairs.T]
    np.testing.assert_array_equal(repeats[0].count, 5)
    # Of 6 contexts, and of 20: the variance of a mean of 5 is 1/6 and 3/4 of what independent ones would have.
    error = np.mean([np.square(found.mean - truth).mean(1) for found in repeats], axis=0)
    stated = np.mean([np.square(found.stderr).mean(1) for found in repeats], axis=0)
    assert error[1] > 3 * error[0]
    np.testing.assert_allclose(stated / error, 1.0, atol=0.15)
    whole = ij.order_interactions(jax.random.key(0), game, orders=[1, 3], contexts=6, method="quadruples", exact=False)
    assert whole.exact[0].all()
    assert not whole.exact[1].any()
    np.testing.assert_allclose(whole.mean[0], truth[0], atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("batch_size", [1, 64, 1000])
def test_the_same_key_gives_the_same_answer_at_any_batch_size(method, batch_size):
    game = ij.Game.from_function(lambda s: jnp.sin(jnp.dot(jnp.arange(8.0), s.astype(float))), 8)
    settings = {"orders": [0, 3, 6], "contexts": 4, "method": method, "pairs": [(0, 1), (2, 5), (1, 7)]}
    usual = ij.order_interactions(jax.random.key(5), game, **settings, exact=False)
    other = ij.order_interactions(jax.random.key(5), game, batch_size=batch_size, **settings, exact=False)
    np.testing.assert_allclose(usual.mean, other.mean, atol=1e-5)
    np.testing.assert_array_equal(usual.count, other.count)
    different = ij.order_interactions(jax.random.key(6), game, **settings, exact=False)
    assert not np.allclose(usual.mean[1], different.mean[1])


@pytest.mark.parametrize("method", METHODS)
def test_device_and_host_games_see_the_same_coalitions(method):
    device = ij.Game.from_table(jnp.asarray(TABLE, jnp.float32))
    both = [
        ij.order_interactions(jax.random.key(1), game, contexts=5, method=method, exact=False)
        for game in (GAME, device)
    ]
    np.testing.assert_allclose(both[0].mean, both[1].mean, atol=1e-5)
    assert both[0].n_forwards == both[1].n_forwards


def test_quadruples_follow_the_official_protocol():
    """Four passes for each pair, order and context; one context at the ends; contexts outside the pair, of size m."""
    coalitions = np.array([[0, 3], [2, 5]], np.int32)
    for order, contexts in [(0, 1), (4, 7), (8, 1)]:
        ((_, _, plan),) = ESTIMATORS["quadruples"].plans(jax.random.key(0), N, [coalitions], [order], 7)
        assert len(plan.context_index) == 4 * contexts * 2
        np.testing.assert_array_equal(plan.contexts.sum(axis=1), order)
        own = coalitions[plan.coalition]
        assert not np.take_along_axis(plan.contexts, own, axis=1).any()
        np.testing.assert_array_equal(np.bincount(plan.coalition), contexts)
        assert sorted(plan.signs.tolist()) == [-1, -1, 1, 1]


def test_blocks_need_far_fewer_passes_than_quadruples():
    found = ij.order_interactions(jax.random.key(0), GAME, contexts=50, exact=False)
    assert found.n_forwards / found.count.sum() < 1.6
    estimated = sum(ESTIMATORS["blocks"].expected_passes(N, found.pairs, int(order), 50) for order in found.orders)
    np.testing.assert_allclose(found.n_forwards, estimated, rtol=0.15)


def test_blocks_of_scattered_pairs_leave_none_without_an_error():
    pairs = [(i, 9 - i) for i in range(5)]
    found = ij.order_interactions(jax.random.key(0), GAME, contexts=2, pairs=pairs, exact=False)
    assert (found.count[1:-1] >= 2).all()
    assert np.isfinite(found.stderr).all()


def test_a_closure_numbers_each_subset_once():
    subsets = closure(np.array([[0, 1], [0, 2]]), 4)
    assert len(np.unique(subsets.sets, axis=0)) == len(subsets.sets) == 6
    for pair, numbers in zip(subsets.coalitions, subsets.of, strict=True):
        members = [set(subsets.sets[number].tolist()) - {-1} for number in numbers]
        assert members == [set(), {int(pair[1])}, {int(pair[0])}, set(pair.tolist())]


def test_flips_switch_players_in_their_context():
    contexts = np.array([[True, False, False], [False, True, True]])
    masks = _row_values.flipped(np, contexts, np.array([0, 1]), np.array([[0, 2], [-1, 0]]))
    assert masks.tolist() == [[False, False, True], [True, True, True]]


def test_ratios_are_cut_to_context_sizes_as_in_the_released_code():
    found = ij.order_interactions(jax.random.key(0), GAME, orders=[0.0, 0.05, 0.3, 0.95, 1.0], contexts=2, exact=False)
    assert found.orders.tolist() == [0, 2, 7, 8]


def test_the_matrix_of_pairs_is_symmetric():
    found = ij.order_interactions(jax.random.key(0), GAME, orders=[0], pairs=[(0, 3)], exact=False)
    matrix = found.to_matrix()
    assert matrix.shape == (1, N, N)
    assert matrix[0, 0, 3] == matrix[0, 3, 0] == found.mean[0, 0]
    assert np.isnan(matrix[0, 0, 1])


def test_results_are_saved_and_loaded(tmp_path):
    found = ij.order_interactions(jax.random.key(0), GAME, orders=[2], contexts=2, pairs=[(0, 1)], exact=False)
    loaded = ij.OrderInteractions.load(found.save(tmp_path / "found"))
    np.testing.assert_array_equal(loaded.mean, found.mean)
    assert (loaded.method, loaded.n_players, loaded.n_forwards) == (found.method, N, found.n_forwards)


def test_nan_from_the_game_is_reported_and_stays_where_it_belongs():
    game = ij.Game.from_host(lambda masks: np.where(masks[:, 0], np.nan, 1.0), 4)
    with pytest.warns(UserWarning, match="NaN or infinite"):
        found = ij.order_interactions(
            jax.random.key(0), game, pairs=[(0, 1), (2, 3)], orders=[0], contexts=2, exact=False
        )
    assert np.isnan(found.mean[0, 0])
    assert found.mean[0, 1] == 0.0
    assert found.n_nonfinite > 0


def test_one_context_leaves_the_error_unknown_with_a_warning():
    with pytest.warns(UserWarning, match="standard error unknown"):
        found = ij.order_interactions(jax.random.key(0), GAME, orders=[3], contexts=1, method="quadruples", exact=False)
    assert np.isnan(found.stderr).all()
    assert np.isfinite(found.mean).all()


BAD = {
    "order too large": ({"orders": [9]}, "0..8"),
    "negative order": ({"orders": [-1]}, "0..8"),
    "ratio above one": ({"orders": [0.5, 1.5]}, r"\[0, 1\]"),
    "no orders": ({"orders": []}, "non-empty"),
    "orders and ratios": ({"orders": [0, 1.0]}, "all integers or all ratios"),
    "repeated orders": ({"orders": [1, 1]}, "distinct"),
    "i = j": ({"pairs": [(1, 1)]}, "i != j"),
    "unknown player": ({"pairs": [(0, 10)]}, "player numbers 0..9"),
    "negative player": ({"pairs": [(-1, 2)]}, "player numbers 0..9"),
    "the same pair twice": ({"pairs": [(0, 1), (1, 0)]}, "same pair"),
    "quadruple": ({"pairs": [(0, 1, 2, 3)]}, "1, 2 or 3"),
    "no pairs": ({"pairs": np.zeros((0, 2), int)}, "1, 2 or 3"),
    "pairs of floats": ({"pairs": [(0.0, 1.0)]}, "integers"),
    "unknown pairs": ({"pairs": "some"}, "all"),
    "size": ({"size": 4}, "size must be"),
    "zero contexts": ({"contexts": 0}, "at least 1"),
    "contexts of floats": ({"contexts": 1.5}, "at least 1"),
    "unknown method": ({"method": "guess"}, "blocks, quadruples, regression"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ij.order_interactions(jax.random.key(0), GAME, **arguments, exact=False)


@pytest.mark.parametrize("key", [0, None, np.zeros(2, np.uint32)])
def test_a_random_key_is_required(key):
    with pytest.raises(ValueError, match=r"jax\.random\.key"):
        ij.order_interactions(key, GAME, exact=False)


def test_a_pair_needs_two_players():
    with pytest.raises(ValueError, match="at most the 1 players"):
        ij.order_interactions(jax.random.key(0), ij.Game.from_table(np.zeros(2)), pairs="all", orders=[0], exact=False)


@pytest.mark.parametrize("n_players", [2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_the_smallest_games_work(n_players, method):
    game = ij.Game.from_table(np.arange(2.0**n_players) ** 2)
    found = ij.order_interactions(jax.random.key(0), game, contexts=3, method=method, exact=False)
    assert found.mean.shape == (n_players - 1, n_players * (n_players - 1) // 2)
    np.testing.assert_allclose(found.mean[0, 0], game.params[3] - game.params[1] - game.params[2] + game.params[0])


def test_compilation_is_shared_by_orders_inputs_and_pairs():
    traces = []

    def network(weights, x):
        traces.append(x.shape)
        return x @ weights

    games = ij.masked_games(
        (network, np.ones((12, 3), np.float32)),
        np.random.default_rng(0).normal(size=(3, 12)).astype(np.float32),
        [0, 1, 2],
        players=ij.Players.features(12),
    )
    checked = len(traces)
    for seed, game in enumerate(games):
        ij.order_interactions(
            jax.random.key(seed), game, orders=[1, 5, 9], contexts=3, pairs=[(seed, 11), (4, 5)], exact=False
        )
    # Once to learn the memory of a row, once to compute, once to compute in double precision, each of them twice to
    # see that the function is unchanged.
    assert len(traces) - checked <= 6


@pytest.mark.parametrize("method", ["blocks", "quadruples"])
@pytest.mark.parametrize("n_players", [784, 1000])
def test_a_thousand_players(method, n_players):
    game = ij.Game.from_function(lambda s: 3.0 * s[0] * s[-1] + jnp.sum(s, dtype=jnp.float32), n_players)
    orders = [0, 1, n_players // 2, n_players - 3, n_players - 2]
    found = ij.order_interactions(
        jax.random.key(0),
        game,
        orders=orders,
        pairs=[(0, n_players - 1), (0, 1)],
        contexts=5,
        method=method,
        exact=False,
    )
    np.testing.assert_array_equal(found.mean, np.tile([3.0, 0.0], (5, 1)))
    rounding = 2 * np.finfo(np.float32).eps * (np.array(orders)[:, None] + 5)  # of values up to m + 5
    assert np.all(found.stderr < 1.01 * rounding)
