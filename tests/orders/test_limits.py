"""What a few contexts may have missed is told where nothing varied in them."""

import math

import jax
import numpy as np
import pytest

import interjax as ij
from interjax.orders._limits import limit_where_nothing_varied

SIX_OF_TWENTY = ij.Game.from_function(lambda m: m[:6].all() * 1.0, 20)
TRUTH = math.comb(14, 5) / math.comb(18, 9)  # I^(9) of two of the six: contexts that hold the other four


@pytest.mark.parametrize("method", ["blocks", "quadruples", "regression"])
def test_an_interaction_of_few_contexts_is_within_its_error(method):
    """Two of three keys see no context in which it shows: they say 0, and how much that may be off."""
    found = [
        ij.order_interactions(
            jax.random.key(seed), SIX_OF_TWENTY, orders=[9], contexts=10, pairs=[(0, 1), (7, 8)], method=method
        )
        for seed in range(12)
    ]
    lower, upper = np.stack([one.interval() for one in found], axis=1)[..., 0, 0]
    assert np.mean([one.mean[0, 0] == 0 for one in found]) > 0.3
    assert np.all((lower <= TRUTH) & (upper >= TRUTH))
    assert not any(one.exact.any() for one in found)


def test_where_nothing_can_vary_there_is_no_error():
    found = ij.order_interactions(
        jax.random.key(0), ij.Game.from_host(lambda m: 3.0 * m[:, 0] * m[:, 1] + m[:, 2], 20), orders=[9], contexts=10
    )
    np.testing.assert_allclose(found.mean[0, :2], [3.0, 0.0], atol=1e-12)
    assert found.stderr.max() < 1e-12
    assert not found.exact.any()


def test_the_end_orders_are_counted_where_they_are_evaluated():
    settings = {"contexts": 10, "pairs": [(0, 1)]}
    alone = ij.order_interactions(jax.random.key(3), SIX_OF_TWENTY, orders=[9], **settings)
    ends = ij.order_interactions(jax.random.key(3), SIX_OF_TWENTY, orders=[0, 9, 18], **settings)
    assert alone.mean[0, 0] == 0
    assert alone.n_forwards == ends.n_forwards
    np.testing.assert_allclose(alone.stderr[0], ends.stderr[1])


def test_the_limit_is_that_of_zero_events():
    """Where 10 contexts gave nothing, a share of 0.26 would have shown with probability 0.95; R is 2 at order 2."""
    mean, variance = np.array([[0.0, 1.0], [0.5, 1.0], [2.0, 1.0]]), np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 0.0]])
    count, exact = np.full((3, 2), 10), np.array([[False], [False], [True]]) & np.ones((3, 2), bool)
    limit = limit_where_nothing_varied(mean, variance, count, exact, 1e-9)
    share = 1 - 0.05 ** (1 / 10)
    assert (1 - share) ** 10 == pytest.approx(0.05)
    np.testing.assert_allclose(limit, [[share * 2.5 / 1.96, 0], [0, 0], [0, 0]], rtol=1e-4)  # |0.5 - 0| + 2 at order 1


def test_what_one_pair_misses_is_within_its_error_beside_pairs_that_vary():
    """Five of twelve together, at orders where each of their pairs shows in one of 120 contexts: some see none."""
    table = (np.arange(2**12) & 31 == 31) * 1.0
    pairs = np.stack(np.triu_indices(12, 1), axis=1)
    truth = np.asarray(ij.exact_order_interactions(table))[3, pairs[:, 0], pairs[:, 1]]
    held, missed = [], 0
    for seed in range(20):
        found = ij.order_interactions(
            jax.random.key(seed),
            ij.Game.from_table(table),
            orders=[3],
            contexts=100,
            method="quadruples",
            exact=False,
        )
        lower, upper = found.interval()
        held.append((lower[0] - 1e-12 <= truth) & (truth <= upper[0] + 1e-12))
        missed += np.sum((found.mean[0] == 0) & (truth != 0))
        assert np.all(found.stderr[0, truth == 0] == found.stderr[0, truth == 0].min())  # others are no less sure
    assert missed > 20
    assert np.mean(held) > 0.99
