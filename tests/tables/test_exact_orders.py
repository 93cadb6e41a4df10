"""Exact multi-order interactions against their definition, their identities and closed forms."""

import itertools
import math

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.brute_force import exact_order, random_table, shapley_by_permutations

import interjax as ij
from interjax.tables import _context_sums


def sizes_of(n):
    return np.array([bin(index).count("1") for index in range(2**n)])


@pytest.mark.parametrize(
    ("n", "size"), [(1, 1), (2, 1), (2, 2), (3, 3), (4, 1), (4, 2), (4, 3), (6, 1), (6, 2), (6, 3), (8, 2)]
)
def test_definition(n, size):
    table = random_table(n, seed=n)
    came = ij.exact_order_interactions(table, size)
    assert came.shape == (n - size + 1,) + (n,) * size
    for players in itertools.product(range(n), repeat=size):
        for m in range(n - size + 1):
            distinct = len(set(players)) == size
            expected = exact_order(table, tuple(sorted(players)), m) if distinct else 0.0
            assert came[m][players] == pytest.approx(expected, abs=1e-12)


def test_chunks_do_not_matter(monkeypatch):
    table = random_table(9)
    whole = ij.exact_order_interactions(table)
    monkeypatch.setattr(_context_sums, "_CHUNK_PLAYERS", 3)
    np.testing.assert_allclose(ij.exact_order_interactions(table), whole, atol=1e-14)


def test_mean_over_orders_is_shapley():
    table = random_table(6)
    singles, pairs = ij.exact_order_interactions(table, 1), ij.exact_order_interactions(table, 2)
    np.testing.assert_allclose(singles.mean(axis=0), shapley_by_permutations(table), atol=1e-12)
    shapley = ij.interaction_index(table, "SII", 3)
    for i, j in itertools.combinations(range(6), 2):
        assert pairs[:, i, j].mean() == pytest.approx(shapley[i, j], abs=1e-12)
    triples = ij.exact_order_interactions(table, 3)
    assert triples[:, 1, 4, 5].mean() == pytest.approx(shapley[1, 4, 5], abs=1e-12)


@pytest.mark.parametrize("n", [2, 5, 17])
def test_efficiency(n):
    """v(N) - v(0) = sum_i mu_i + sum_{i != j} sum_m w_m I^(m)(i, j): 17 players are more than one chunk."""
    table = random_table(n)
    interactions = ij.exact_order_interactions(table)
    weights = (n - 1 - np.arange(n - 1)) / (n * (n - 1))
    singles = sum(table[1 << i] - table[0] for i in range(n))
    total = singles + np.sum(weights[:, None, None] * interactions)
    assert total == pytest.approx(table[-1] - table[0], abs=1e-10)


def test_mean_over_pairs_needs_only_mean_values():
    """The mean over pairs of I^(m) is V_{m+2} - 2 V_{m+1} + V_m, V_s the mean of v over coalitions of s."""
    n, table = 7, random_table(7)
    mean_value = np.array([table[sizes_of(n) == s].mean() for s in range(n + 1)])
    over_pairs = ij.exact_order_interactions(table).sum(axis=(1, 2)) / (n * (n - 1))
    np.testing.assert_allclose(over_pairs, mean_value[2:] - 2 * mean_value[1:-1] + mean_value[:-2], atol=1e-12)


@hypothesis.given(st.permutations(range(5)), st.integers(0, 1000))
@hypothesis.settings(max_examples=20, deadline=None)
def test_symmetry(order, seed):
    """Renaming the players renames the answer; the answer does not depend on the order of a pair."""
    table = random_table(5, seed)
    masks = (np.arange(32)[:, None] >> np.arange(5)) & 1
    renamed = table[masks @ (1 << np.array(order))]  # player i of the renamed game is player order[i]
    came = ij.exact_order_interactions(table)
    np.testing.assert_allclose(ij.exact_order_interactions(renamed), came[:, order][:, :, order], atol=1e-12)
    np.testing.assert_array_equal(came, came.transpose(0, 2, 1))
    triples = ij.exact_order_interactions(table, 3)
    np.testing.assert_array_equal(triples, triples.transpose(0, 3, 1, 2))


def test_null_player():
    smaller = random_table(4)
    table = smaller[np.arange(32) & 15]  # player 4 changes nothing
    assert not ij.exact_order_interactions(table, 1)[:, 4].any()
    assert not ij.exact_order_interactions(table, 2)[:, 4].any()
    assert not ij.exact_order_interactions(table, 3)[:, :, 4].any()


@pytest.mark.parametrize("size", [1, 2, 3])
def test_unanimity_game(size):
    """v(S) = [S holds U]: I^(m)(T) is the share of the contexts of size m that hold U without T, if T is in U."""
    n, unanimous = 6, {0, 2, 3, 5}
    index = sum(1 << i for i in unanimous)
    came = ij.exact_order_interactions([float(s & index == index) for s in range(2**n)], size)
    for players in itertools.combinations(range(n), size):
        for m in range(n - size + 1):
            rest = len(unanimous) - size
            share = math.comb(n - size - rest, m - rest) / math.comb(n - size, m) if m >= rest else 0.0
            assert came[m][players] == pytest.approx(share if set(players) <= unanimous else 0.0, abs=1e-15)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_jit_vmap_grad(size):
    tables = np.random.default_rng(3).normal(size=(2, 8))
    single = jnp.asarray(tables, jnp.float32)
    expected = np.stack([ij.exact_order_interactions(table, size) for table in tables])

    def measure(table):
        return ij.exact_order_interactions(table, size)

    for came in (measure(single[0]), jax.jit(measure)(single[0]), jax.vmap(measure)(single)[0]):
        assert came.dtype == jnp.float32
        np.testing.assert_allclose(came, expected[0], atol=1e-5)
    weights = jnp.asarray(np.random.default_rng(4).normal(size=expected[0].shape), jnp.float32)
    gradient = jax.grad(lambda table: jnp.sum(weights * measure(table)))(single[0])
    assert float(jnp.sum(gradient * single[1])) == pytest.approx(float(jnp.sum(weights * expected[1])), abs=1e-4)


def test_precision():
    assert not jax.config.jax_enable_x64
    came = ij.exact_order_interactions([0, 1, 2, 3 + 1e-12])
    assert came.dtype == np.float64
    assert came[0, 0, 1] == pytest.approx(1e-12, abs=1e-15)
    assert not jax.config.jax_enable_x64
    with jax.enable_x64(True):
        assert ij.exact_order_interactions(jnp.arange(8.0)).dtype == jnp.float64
    table = random_table(9)  # single precision does not lose digits to cancellation
    error = np.asarray(ij.exact_order_interactions(jnp.asarray(table, jnp.float32))) - ij.exact_order_interactions(
        table
    )
    assert np.abs(error).max() < 2e-6


def test_nan_spreads_only_to_what_depends_on_it():
    table = random_table(4)
    table[0b0011] = np.nan
    missing = np.isnan(ij.exact_order_interactions(table))
    assert missing[0].nonzero()[0].tolist() == [0, 1]  # order 0: only the pair {0, 1} sees that coalition
    assert missing[2, 2, 3]  # and the pair {2, 3} in the context {0, 1}
    assert not missing[2, 0, 1]


def test_a_game_is_tabulated():
    table = random_table(3)
    game = ij.Game.from_table(table)
    np.testing.assert_allclose(ij.exact_order_interactions(game), ij.exact_order_interactions(table), atol=1e-6)


@pytest.mark.parametrize(
    ("table", "size", "message"),
    [
        (np.zeros(8), 0, "size must be an integer from 1 to 3"),
        (np.zeros(16), 4, "size must be an integer from 1 to 3"),
        (np.zeros(4), 3, "size must be an integer from 1 to 2, .* got 3"),
        (np.zeros(6), 2, r"2\*\*n values"),
        (np.zeros((2, 4)), 2, r"one game .* got shape \(2, 4\)"),
        (np.zeros(1), 1, "at least one player"),
        ([1j, 0], 1, "real numbers"),
    ],
)
def test_bad_input(table, size, message):
    with pytest.raises(ValueError, match=message):
        ij.exact_order_interactions(table, size)


def test_learning_strength():
    for n in (2, 3, 10):
        expected = [(n - m - 1) / (n * (n - 1)) / math.sqrt(math.comb(n - 2, m)) for m in range(n - 1)]
        np.testing.assert_allclose(ij.learning_strength(n), expected, rtol=1e-12)
    large = ij.learning_strength(256)
    assert large.shape == (255,)
    assert (large > 0).all()
    exact = 128 / (256 * 255) * math.exp(-0.5 * math.log(math.comb(254, 127)))
    assert large[127] == pytest.approx(exact, rel=1e-11)
    assert large.argmin() in range(120, 140)


@pytest.mark.parametrize("n", [1, 0, -3, 2.5, True, "8"])
def test_learning_strength_of_bad_numbers(n):
    with pytest.raises(ValueError, match="n_players must be an integer of at least 2"):
        ij.learning_strength(n)
