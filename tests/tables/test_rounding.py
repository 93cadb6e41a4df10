"""Indices of tables in single precision against those of the tables that were rounded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax.tables._indices import INDEX_NAMES, LEAST_CORES

N = 6
PLAYERS = np.arange(2**N)[:, None] >> np.arange(N) & 1
OFF = 512 / 1000 / np.sqrt(12)  # rounding a value near 1000 moves it by eps 512 / sqrt(12) on average
TABLES = 1000 + np.random.default_rng(0).normal(size=(200, 2**N))
ALIKE = {
    "each by itself": np.arange(2**N),
    "those of a size": PLAYERS.sum(axis=1),
    "those of a sum": PLAYERS @ np.array([1, 1, 2, 2, 3, 1]),
    "whatever all but one do": PLAYERS[:, 0],
    "whatever all but two do": PLAYERS[:, :2] @ np.array([1, 2]),
}


@pytest.mark.parametrize("name", [name for name in INDEX_NAMES if name not in LEAST_CORES])
def test_the_stated_error_holds_what_rounding_does(name):
    """However values are off alike, the error is no larger than is said, and in one of these ways as large."""
    said = ij.tables.index_rounding(TABLES[0].astype(np.float32), name)
    for given in (TABLES[0].astype(np.float32).astype(np.float64), jnp.asarray(TABLES[0], jnp.float32)):
        np.testing.assert_array_equal(ij.tables.index_rounding(given, name), said)
    assert np.all(ij.tables.index_rounding(TABLES[0], name) < 1e-8 * said + 1e-11)
    linear = np.stack([ij.interaction_index(unit, name).values for unit in np.eye(2**N)])
    share = []
    for alike in ALIKE.values():
        tables = TABLES[:, alike]
        change = (tables.astype(np.float32) - tables) @ linear
        of_one = [ij.interaction_index(each, name).values for each in (tables[0].astype(np.float32), tables[0])]
        np.testing.assert_allclose(of_one[0] - of_one[1], change[0], atol=1e-9)
        share.append(np.std(change, axis=0) / said / OFF)
    assert np.max(share) < 1.25  # 200 tables tell a standard deviation to 5%
    first = N + 1 if len(said) > N + 1 else len(said) - N  # players 0 and 1, or player 0
    assert np.max(share, axis=0)[first] > 0.85


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


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_stated_error_holds_what_rounding_does_to_orders(size):
    """Where values depend on the measured players alone, more contexts do not lessen what rounding does to them."""
    tables = TABLES[:, PLAYERS[:, :size] @ 2 ** np.arange(size)]
    rounded = tables.astype(np.float32)
    pairs = zip(rounded, tables, strict=True)
    change = np.stack([ij.exact_order_interactions(a, size) - ij.exact_order_interactions(b, size) for a, b in pairs])
    found = np.sqrt(np.mean(change[(slice(None), slice(None), *range(size))] ** 2, axis=0))
    said = ij.tables.exact_order_rounding(rounded[0], size)
    np.testing.assert_allclose(found / said, OFF, rtol=0.25)
    assert np.all(ij.tables.exact_order_rounding(TABLES[0], size) < 1e-8 * said)


def test_orders_that_are_rounding_alone_are_told():
    """Of an additive game whose values are in single precision; as integers they tell that nothing interacts."""
    single = (1000 + _additive([0.1, 0.2, 0.3, 0.7])).astype(np.float32)
    for table in (single, single.astype(np.float64), jnp.asarray(single), ij.Game.from_table(single)):
        with pytest.warns(UserWarning, match="within what rounding makes of the values"):
            found = ij.exact_order_interactions(table)
        assert np.any(np.asarray(found) != 0)
    assert not np.any(ij.exact_order_interactions(_additive([1, 2, 3, 4])))
    strong = single.copy()
    strong[-1] += 0.01
    assert np.any(ij.exact_order_interactions(strong) != 0)


def test_what_sums_inside_a_network_lose_is_measured():
    """A linear network whose sums cancel: its values are small, and show nothing of the large numbers in between."""
    weights = np.random.default_rng(2).normal(size=8).astype(np.float32)
    network = lambda x: jnp.stack([(x + 1e4) @ weights - 1e4 * weights.sum(), x[:, 0]], axis=1)  # noqa: E731
    game = ij.masked_game(network, np.ones(8, np.float32), players=ij.Players.features(8), output=ij.logit(0))
    index = ij.interaction_index(game, "SII").values[9:]
    said = ij.tables.index_rounding(game, "SII")[9:]
    assert np.all(np.abs(index) < 2 * said)
    assert np.abs(index).max() > 10 * ij.tables.index_rounding(ij.tabulate(game), "SII")[-1]
    with pytest.warns(UserWarning, match="within what rounding makes of the values"):
        orders = ij.exact_order_interactions(game)
    assert np.all(np.abs(orders).max(axis=(1, 2)) < 2 * ij.tables.exact_order_rounding(game))


def _additive(weights):
    return (np.arange(2 ** len(weights))[:, None] >> np.arange(len(weights)) & 1) @ np.array(weights)


@pytest.mark.parametrize("name", ["ELC", "no index"])
def test_indices_without_weights_are_refused(name):
    with pytest.raises(ValueError, match="name must be"):
        ij.tables.index_rounding(TABLES[0], name)


BOTH = 3 * np.array([0, 0, 0, 1, 0, 0, 0, 1])  # 3 where players 0 and 1 are there


@pytest.mark.parametrize(
    "table",
    [jnp.asarray(BOTH + 10**8), jnp.asarray(BOTH + 2**31, jnp.uint32), BOTH + 10**8, (BOTH + 10**12).tolist()],
    ids=["int32", "uint32", "int64", "list"],
)
def test_integers_keep_their_differences(table):
    """Closed forms of a unanimity game of two of three players, on a constant that float32 cannot tell from them."""
    assert ij.moebius(table)[1:].tolist() == [0, 0, 3, 0, 0, 0, 0]
    assert ij.or_interactions(table)[1:].tolist() == [3, 3, -3, 0, 0, 0, 0]
    assert ij.walsh_hadamard(table)[1:].tolist() == [-0.75, -0.75, 0.75, 0, 0, 0, 0]
    assert [float(ij.interaction_index(table, name)[0, 1]) for name in ("SII", "BII", "STII", "Moebius")] == [3] * 4
    assert np.asarray(ij.exact_order_interactions(table))[:, 0].tolist() == [[0, 3, 0], [0, 3, 0]]
    effects = ij.concepts.and_or(table, noise=0.0).and_effects
    np.testing.assert_allclose(effects[1:], [0, 0, 3, 0, 0, 0, 0], atol=1e-6)
    assert isinstance(effects, jax.Array) == isinstance(table, jax.Array)


def test_integers_beyond_double_precision_draw_a_word():
    """2**60 + 3 is no float64: the interaction of 3 is lost, and nowhere without a word."""
    for table in (BOTH + 2**60, BOTH + 2**60 - 2**61, (BOTH + 2**60).astype(np.uint64)):
        for measure in (ij.moebius, ij.walsh_hadamard, ij.exact_order_interactions, ij.concepts.and_or):
            with pytest.warns(UserWarning, match="2 of 8 integers are beyond 2.*53.*by up to 128.*take a constant off"):
                measure(table)
        with pytest.warns(UserWarning, match="2 of 8 integers"):
            assert ij.tables.index_rounding(table, "SII")[-1] > 3
    assert ij.moebius(BOTH * 2**58)[3] == 3 * 2**58  # as large, but float64 holds them


@pytest.mark.parametrize("transform", [ij.walsh_hadamard, ij.inverse_moebius, ij.inverse_or_interactions])
def test_transforms_of_jax_tables_are_rounded_once(transform):
    """Sums of 2**12 values near 1000 lose digits in single precision that their small differences need."""
    table = jnp.asarray(1000 + np.random.default_rng(3).normal(size=2**12), jnp.float32)
    np.testing.assert_array_equal(transform(table), transform(np.asarray(table, np.float64)).astype(np.float32))


def test_explanations_that_are_rounding_alone_are_told():
    """A constant whose values are off by their last digit has effects, none of them its own; one of 0.1 has."""
    table = (1e4 + np.random.default_rng(0).integers(-1, 2, 16) * 2.0**-10).astype(np.float32)
    strong = table + np.float32(0.1) * (np.arange(16) & 3 == 3)
    for given in (table, jnp.asarray(table), table.astype(np.float64) + 2.0**-9):
        with pytest.warns(UserWarning, match="1 of 1 tables have effects.*none is told from 0"):
            ij.concepts.and_or(given)
    with pytest.warns(UserWarning, match="1 of 2 tables"):
        ij.concepts.and_or(np.stack([table, strong]))
    ij.concepts.and_or(strong)
