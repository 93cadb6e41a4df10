"""Interactions of small games from all coalitions: against their definition, and where that is chosen."""

import itertools

import jax
import numpy as np
import pytest

import interjax as ij

KEY = jax.random.key(0)


def brute_force(table, coalition, order):
    """I^(m)(T) by its definition."""
    n = len(table).bit_length() - 1
    others = [player for player in range(n) if player not in coalition]
    total = []
    for context in itertools.combinations(others, order):
        start = sum(1 << player for player in context)
        subsets = itertools.product((0, 1), repeat=len(coalition))
        total.append(
            sum(
                (-1) ** (len(coalition) - sum(chosen))
                * table[start + sum(1 << player for player, used in zip(coalition, chosen, strict=True) if used)]
                for chosen in subsets
            )
        )
    return np.mean(total)


@pytest.mark.parametrize(("n", "size"), [(2, 1), (2, 2), (3, 2), (3, 3), (6, 1), (6, 2), (6, 3)])
@pytest.mark.parametrize("method", ij.orders.METHODS)
def test_definition(n, size, method):
    if method == "regression" and size != 2:
        pytest.skip("measures pairs")
    table = np.random.default_rng(n).normal(size=2**n)
    every = list(itertools.combinations(range(n), size))
    chosen = [every[-1][::-1], *every[:3]] if len(every) > 3 else every
    orders = [n - size, 0] if n > size else [0]
    how = {"pairs": chosen, "orders": orders, "method": method, "exact": True}
    found = ij.order_interactions(KEY, ij.Game.from_table(table), **how)
    expected = [[brute_force(table, sorted(coalition), order) for coalition in chosen] for order in orders]
    np.testing.assert_allclose(found.mean, expected, atol=1e-14)
    assert found.n_forwards == 2**n
    assert found.exact.all()
    assert np.isinf(found.freedom).all()
    assert 0 < found.stderr.max() < 1e-14


def calls(n):
    """A game that counts the coalitions that it is asked for, and the list that holds them."""
    asked = []

    def value(masks):
        asked.append(len(masks))
        return np.cos(masks @ np.arange(1.0, n + 1))

    return ij.Game.from_host(value, n), asked


@pytest.mark.parametrize(("contexts", "is_exact"), [(4, True), (3, False)])
def test_sampling_that_takes_as_many_passes_gives_way(contexts, is_exact):
    """Four pairs, one order, four passes a context: 64 passes by 4 contexts, and 2^6 coalitions."""
    game, asked = calls(6)
    how = {"orders": [2], "pairs": [(0, 1), (1, 2), (2, 3), (3, 4)], "method": "quadruples", "contexts": contexts}
    found = ij.order_interactions(KEY, game, **how)
    assert found.exact.all() == is_exact
    assert found.n_forwards == (64 if is_exact else 16 * contexts)
    assert sum(asked) < found.n_forwards + 20  # some are asked for twice, to see that they are the same
    assert not ij.order_interactions(KEY, game, **how, exact=False).exact.any()
    assert ij.order_interactions(KEY, game, **how, exact=True).exact.all()


def test_batches_devices_and_a_marginal_baseline_change_nothing():
    from jax.sharding import Mesh

    x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
    weights = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)

    def network(inputs):
        return jax.numpy.tanh(inputs @ weights)

    players, baseline = ij.Players.features(5), ij.marginal(x[1:])
    game = ij.masked_game(network, x[0], players=players, baseline=baseline, output=ij.logit(1))
    usual = ij.order_interactions(KEY, game)
    assert usual.n_forwards == 32 * 3
    assert usual.exact.all()
    values = np.array([float(np.mean(_of(network, x, mask)[:, 1])) for mask in _masks(5)])
    expected = [
        [brute_force(values, pair, order) for pair in itertools.combinations(range(5), 2)] for order in range(4)
    ]
    np.testing.assert_allclose(usual.mean, expected, atol=1e-6)
    mesh = Mesh(np.array(jax.devices()[:2]), ("rows",))
    for how in ({"batch_size": 5}, {"mesh": mesh}, {"memory": 2**20}):
        other = ij.order_interactions(KEY, game, **how)
        np.testing.assert_allclose(other.mean, usual.mean, atol=1e-6)
        assert other.n_forwards == usual.n_forwards


def _masks(n):
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)


def _of(network, x, mask):
    return np.asarray(network(np.where(mask, x[0], x[1:])))


def test_values_that_are_nan_are_told_where_they_enter():
    table = np.random.default_rng(0).normal(size=32)
    table[0b00110] = np.inf
    with pytest.warns(UserWarning, match="1 of 32 values"):
        found = ij.order_interactions(KEY, ij.Game.from_table(table), exact=True)
    assert found.n_nonfinite == 1
    sizes = 2 - np.array([[sum(player in pair for player in (1, 2)) for pair in found.pairs.tolist()]])
    np.testing.assert_array_equal(np.isnan(found.mean), sizes == found.orders[:, None])
    np.testing.assert_array_equal(np.isnan(found.stderr), np.isnan(found.mean))


def test_players_that_change_nothing_do_not_interact():
    x = np.array([0.3, 0.0, 0.5, -0.2], np.float32)  # the second is as the baseline
    game = ij.masked_game(
        lambda inputs: jax.numpy.tanh(inputs @ np.ones((4, 2), np.float32)),
        x,
        players=ij.Players.features(4),
        output=ij.logit(0),
    )
    found = ij.order_interactions(KEY, game, exact=True)
    has_null = (found.pairs == 1).any(axis=1)
    assert np.all((found.mean == 0) == has_null)


@pytest.mark.parametrize("n", [8, 14])
def test_rounding_that_is_alike_in_all_contexts_is_no_interaction(n):
    """Values of a count are off alike wherever the count is: their mean over contexts is off as much as one."""
    game = ij.Game.from_host(lambda masks: np.float32(1e4) + np.float32(0.1) * masks.sum(axis=1, dtype=np.float32), n)
    found = ij.order_interactions(KEY, game, exact=True)
    assert np.all(np.abs(found.mean) <= found.stderr)
    with pytest.warns(UserWarning, match="within what rounding makes of the values"):
        assert np.isnan(ij.order_profile(KEY, game, exact=True).strength).all()


def test_a_host_function_that_changes_is_told():
    random = np.random.default_rng(0)
    game = ij.Game.from_host(lambda masks: random.normal(size=len(masks)), 4)
    with pytest.warns(UserWarning, match="other values for the same coalitions"):
        ij.order_interactions(KEY, game)


def test_bad_calls():
    game = ij.Game.from_host(lambda masks: masks[:, 0] * 1.0, 27)
    with pytest.raises(ValueError, match=r"exact must be None or False for a game of 27 players.*at most 26"):
        ij.order_interactions(KEY, game, exact=True)
    with pytest.raises(ValueError, match=r"exact must be True .*, False .* or None .*, got 1"):
        ij.order_interactions(KEY, game, exact=1)
    assert ij.order_interactions(KEY, game, orders=[0], pairs=[(0, 1)]).n_forwards == 4  # more players are sampled
