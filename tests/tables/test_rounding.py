"""Indices of tables in single precision against those of the tables that were rounded."""

import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax.tables._indices import INDEX_NAMES, LEAST_CORES

N = 6
TABLES = 1000 + 1e-3 * np.random.default_rng(0).normal(size=(200, 2**N))


@pytest.mark.parametrize("name", [name for name in INDEX_NAMES if name not in LEAST_CORES])
def test_the_stated_error_holds_what_rounding_does(name):
    """Rounding a value near 1000 moves it by eps 512 / sqrt(12) on average: 1 / 6.8 of the eps max |v| that is said."""
    exact, single = [], []
    for table in TABLES:
        exact.append(ij.interaction_index(table, name).values)
        single.append(ij.interaction_index(table.astype(np.float32), name).values)
    said = ij.tables.index_rounding(TABLES[0].astype(np.float32), name)
    for given in (TABLES[0].astype(np.float32).astype(np.float64), jnp.asarray(TABLES[0], jnp.float32)):
        np.testing.assert_array_equal(ij.tables.index_rounding(given, name), said)
    found = np.std(np.array(single) - np.array(exact), axis=0)
    # 200 tables tell a standard deviation to 5%.
    np.testing.assert_allclose(said / found, 1000 * np.sqrt(12) / 512, rtol=0.25)
    assert np.all(ij.tables.index_rounding(TABLES[0], name) < 1e-8 * said + 1e-11)


def test_a_linear_network_has_no_interaction_that_is_told_from_rounding():
    weights = jnp.asarray(np.random.default_rng(1).normal(size=N), jnp.float32)
    game = ij.Game.from_function(lambda mask: 1000.0 + jnp.dot(mask, weights), N)
    found = np.abs(ij.interaction_index(game, "SII").values)
    said = ij.tables.index_rounding(game, "SII")
    assert found[N + 1 :].max() > 0
    assert np.all(found[N + 1 :] < 2 * said[N + 1 :])
    assert np.all(found[1 : N + 1] > 2 * said[1 : N + 1])


def test_jax_tables_are_rounded_once():
    table = jnp.asarray(TABLES[0], jnp.float32)
    exact = np.asarray(table, np.float64)
    for found, wanted in [
        (ij.interaction_index(table, "SII").values, ij.interaction_index(exact, "SII").values),
        (ij.exact_order_interactions(table), ij.exact_order_interactions(exact)),
    ]:
        assert found.dtype == jnp.float32
        np.testing.assert_array_equal(found, wanted.astype(np.float32))


@pytest.mark.parametrize("name", ["ELC", "no index"])
def test_indices_without_weights_are_refused(name):
    with pytest.raises(ValueError, match="name must be"):
        ij.tables.index_rounding(TABLES[0], name)
