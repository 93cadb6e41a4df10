"""Draws of coalitions are uniform, of the right size, and depend on the key and their number alone."""

import itertools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from interjax.games._coalitions import (
    Draw,
    all_of_size,
    coalitions_from_index,
    draw_coalition,
    draw_coalitions,
    masks_of_size,
    pairs_within,
)


def draw(seed, n_players, size, count, first=0, absent=None):
    (drawn,) = draw_coalitions(jax.random.key(seed), n_players, [Draw(7, size, count, first, absent)])
    return drawn


@pytest.mark.parametrize("n_players", [1, 2, 7, 196, 1000])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_drawn_coalition_has_exactly_the_wished_size(n_players, share):
    size = int(share * n_players)
    drawn = draw(1, n_players, size, 50)
    chex.assert_shape(drawn, (50, n_players))
    np.testing.assert_array_equal(drawn.sum(axis=1), size)


def test_excluded_players_are_never_drawn():
    absent = np.array([[0, 3], [1, 2]] * 100, np.int32)
    drawn = draw(2, 6, 4, 200, absent=absent)
    assert not np.take_along_axis(drawn, absent, axis=1).any()
    np.testing.assert_array_equal(drawn.sum(axis=1), 4)


@pytest.mark.parametrize("absent", [None, (1,)])
def test_coalitions_are_uniform(absent):
    allowed = [i for i in range(6) if absent is None or i not in absent]
    columns = None if absent is None else np.full((6000, 1), 1, np.int32)
    drawn = draw(3, 6, 3, 6000, absent=columns)
    index = drawn @ (1 << np.arange(6))
    counts = [int((index == sum(1 << i for i in members)).sum()) for members in itertools.combinations(allowed, 3)]
    assert sum(counts) == 6000
    assert stats.chisquare(counts).pvalue > 1e-4


def test_a_draw_depends_on_its_number_and_not_on_the_batch():
    whole = draw(4, 20, 9, 300)
    pieces = [draw(4, 20, 9, count, first=first) for first, count in [(0, 7), (7, 293)]]
    np.testing.assert_array_equal(whole, np.concatenate(pieces))
    others = draw_coalitions(jax.random.key(4), 20, [Draw(1, 3, 2500), Draw(7, 9, 300), Draw(8, 9, 300)])
    first, same, different = others
    np.testing.assert_array_equal(whole, same)
    assert not np.array_equal(whole, different)
    np.testing.assert_array_equal(first.sum(axis=1), 3)


def test_sizes_are_traced():
    @jax.jit
    @chex.assert_max_traces(1)
    def one(size):
        return draw_coalition(jax.random.key(0), size, jnp.zeros(9, bool))

    assert [int(one(size).sum()) for size in range(10)] == list(range(10))


@pytest.mark.parametrize("n_players", [4, 100, 1000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_sizes_are_exact_and_the_absent_stay_absent_at_any_number_of_players(n_players, share):
    size, absent = round((n_players - 2) * share), np.tile([[0, n_players - 1]], (200, 1))
    (drawn,) = draw_coalitions(jax.random.key(0), n_players, [Draw(0, size, 200, absent=absent)])
    np.testing.assert_array_equal(drawn.sum(axis=1), size)
    assert not drawn[:, [0, -1]].any()


@pytest.mark.parametrize(("n_players", "size"), [(1, 1), (5, 1), (6, 2), (7, 3), (3, 3)])
def test_all_of_size_lists_every_combination(n_players, size):
    expected = list(itertools.combinations(range(n_players), size))
    assert [tuple(row) for row in all_of_size(n_players, size)] == expected
    assert len(expected) == math.comb(n_players, size)


@pytest.mark.parametrize(("n_players", "size"), [(5, 0), (5, 2), (5, 5), (300, 1), (300, 299), (300, 300)])
def test_masks_of_size_are_all_different_and_of_that_size(n_players, size):
    masks = masks_of_size(n_players, size)
    chex.assert_shape(masks, (math.comb(n_players, size), n_players))
    np.testing.assert_array_equal(masks.sum(axis=1), size)
    assert len(np.unique(masks, axis=0)) == len(masks)


def test_masks_from_the_table_index():
    masks = coalitions_from_index(jnp.array([0, 1, 6]), 3)
    assert masks.tolist() == [[False] * 3, [True, False, False], [False, True, True]]


@pytest.mark.parametrize("grid", [(4,), (3, 5), (2, 3, 2)])
@pytest.mark.parametrize("radius", [1, 2])
def test_pairs_within_a_radius_are_those_close_along_every_axis(grid, radius):
    cells = list(itertools.product(*map(range, grid)))
    expected = [
        (i, j)
        for (i, a), (j, b) in itertools.combinations(enumerate(cells), 2)
        if max(abs(x - y) for x, y in zip(a, b, strict=True)) <= radius
    ]
    assert [tuple(pair) for pair in pairs_within(grid, radius)] == expected


@pytest.mark.parametrize(("grid", "radius"), [((), 1), ((0, 3), 1), ((3, 3), 0)])
def test_pairs_within_rejects_nonsense(grid, radius):
    with pytest.raises(ValueError, match="must"):
        pairs_within(grid, radius)
