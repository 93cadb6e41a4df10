"""Transforms of tables against their written-out definitions, under jit, vmap and grad, and on bad input."""

import json

import chex
import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.brute_force import dividend, everyone, outside, random_table, subsets, value

import interjax as ij
from interjax.tables import _sweeps, _transforms

PAIRS = [
    (ij.moebius, ij.inverse_moebius),
    (ij.or_interactions, ij.inverse_or_interactions),
    (ij.walsh_hadamard, ij.inverse_walsh_hadamard),
]
ALL = [transform for pair in PAIRS for transform in pair]


def in_order(function, table):
    """A function of a coalition, on all coalitions in the order of the table."""
    return np.array([function(s) for s in sorted(subsets(everyone(table)), key=lambda s: sum(1 << i for i in s))])


def brute_or(table, coalition):
    if not coalition:
        return value(table, ())
    parts = subsets(coalition)
    return -sum((-1) ** (len(coalition) - len(part)) * value(table, outside(table, part)) for part in parts)


def brute_walsh(table, coalition):
    parts = subsets(everyone(table))
    return sum((-1) ** len(set(part) & set(coalition)) * value(table, part) for part in parts) / len(table)


BRUTE = [(ij.moebius, dividend), (ij.or_interactions, brute_or), (ij.walsh_hadamard, brute_walsh)]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
@pytest.mark.parametrize(("transform", "definition"), BRUTE)
def test_definition(transform, definition, n):
    table = random_table(n)
    np.testing.assert_allclose(transform(table), in_order(lambda s: definition(table, s), table), atol=1e-13)


@pytest.mark.parametrize("n", [0, 1, 4, 16])
@pytest.mark.parametrize(("transform", "inverse"), PAIRS)
def test_inverse(transform, inverse, n):
    table = random_table(n)  # 16 players: more than one chunk
    np.testing.assert_allclose(inverse(transform(table)), table, atol=1e-9)
    np.testing.assert_allclose(transform(inverse(table)), table, atol=1e-9)


@pytest.mark.parametrize("transform", ALL)
def test_blocks_and_threads_do_not_matter(transform, monkeypatch):
    """Blocks of 4 players: of 9 players five follow in strips, of 3 players two tables share a block."""
    tables = [np.random.default_rng(3).normal(size=shape) for shape in [(512,), (3, 512), (7, 8), (2, 0, 8), (5, 1)]]
    whole = [transform(table) for table in tables]
    monkeypatch.setattr(_sweeps, "_BLOCK_PLAYERS", 4)
    for most, cores in ((1, 1), (2, 3), (5, 1)):
        monkeypatch.setattr(_sweeps, "_SHORT_ROW_BITS", 0)
        monkeypatch.setattr(_sweeps, "_MOST_AT_ONCE", most)
        monkeypatch.setattr(_sweeps, "_LEAST_THREADED", 1)
        monkeypatch.setattr(_sweeps, "_n_cores", lambda cores=cores: cores)
        for table, expected in zip(tables, whole, strict=True):
            np.testing.assert_array_equal(transform(table), expected)


@pytest.mark.parametrize(("transform", "definition"), BRUTE)
def test_tables_that_are_not_contiguous(transform, definition):
    tables = np.asfortranarray(np.random.default_rng(4).normal(size=(6, 32)))[::2, ::-2]
    for table, came in zip(tables, transform(tables), strict=True):
        np.testing.assert_allclose(came, in_order(lambda s, table=table: definition(table, s), table), atol=1e-13)


def test_unanimity_games_of_20_players():
    """v(S) = 1 where S holds T has the one dividend 1 at T; where S meets T, the one OR interaction 1 at T."""
    coalition = 0b10010000010000000011
    indices = np.arange(1 << 20)
    only = (indices == coalition).astype(float)
    holds = ((indices & coalition) == coalition).astype(float)
    meets = ((indices & coalition) != 0).astype(float)
    np.testing.assert_array_equal(ij.moebius(holds), only)
    np.testing.assert_array_equal(ij.inverse_moebius(only), holds)
    np.testing.assert_array_equal(ij.or_interactions(meets), only)
    np.testing.assert_array_equal(ij.inverse_or_interactions(only), meets)


@pytest.mark.parametrize("as_array", [np.asarray, jnp.asarray])
def test_players_without_influence_have_exactly_no_effects(as_array):
    """Whatever the rounding of the rest: 3 players that matter, among 17."""
    matters = np.array([0, 8, 16])
    own = sum((np.arange(1 << 17) >> player & 1) << place for place, player in enumerate(matters))
    table = random_table(3)[own]
    inside = (np.arange(1 << 17) & ~(1 << matters).sum()) == 0
    for transform in (ij.moebius, ij.or_interactions):
        effects = np.asarray(transform(as_array(table)))
        np.testing.assert_array_equal(effects[~inside], 0)
        assert np.abs(effects[inside]).min() > 1e-3


@pytest.mark.parametrize("transform", [ij.moebius, ij.or_interactions])
def test_no_negative_zeros(transform):
    """An effect of nothing is shown as 0.0, not as -0.0."""
    for table in (np.zeros(8), jnp.zeros(8), np.ones(8)):
        effects = np.asarray(transform(table))
        assert not np.signbit(effects).any()


def test_reference_vectors(conformance_folder):
    for case in json.loads((conformance_folder / "and_or.json").read_text())["transforms"]:
        np.testing.assert_allclose(ij.moebius(case["table"]), case["and"], atol=1e-12)
        np.testing.assert_allclose(ij.or_interactions(case["table"]), case["or"], atol=1e-12)


def test_values_rebuilt_from_effects():
    """v(S) = sum of a(L) inside S = I_or(0) + sum of I_or(L) that meet S, by the sums themselves."""
    table = random_table(4)
    index = {s: sum(1 << i for i in s) for s in subsets(range(4))}
    and_effects, or_effects = ij.moebius(table), ij.or_interactions(table)
    for s in index:
        inside = sum(and_effects[index[part]] for part in subsets(s))
        meeting = or_effects[0] + sum(or_effects[index[part]] for part in index if set(part) & set(s))
        assert inside == pytest.approx(value(table, s), abs=1e-12)
        assert meeting == pytest.approx(value(table, s), abs=1e-12)


def test_tic_tac_toe_closed_form():
    """1 as soon as the mask holds a line: 80 nonzero dividends, counted by size."""
    lines = [0b111, 0b111000, 0b111000000, 0b1001001, 0b10010010, 0b100100100, 0b100010001, 0b1010100]
    table = [any(mask & line == line for line in lines) for mask in range(512)]
    dividends = ij.moebius(table)
    sizes = [bin(mask).count("1") for mask in np.flatnonzero(dividends)]
    assert [sizes.count(m) for m in range(10)] == [0, 0, 0, 8, 0, 22, 22, 18, 9, 1]


def test_parseval():
    table = random_table(6)
    assert np.sum(ij.walsh_hadamard(table) ** 2) == pytest.approx(np.mean(table**2), rel=1e-12)


@pytest.mark.parametrize("transform", ALL)
def test_batch_axes(transform):
    tables = np.random.default_rng(1).normal(size=(2, 3, 8))
    each = np.array([[transform(table) for table in row] for row in tables])
    np.testing.assert_allclose(transform(tables), each, atol=1e-14)
    chex.assert_trees_all_close(transform(jnp.asarray(tables, jnp.float32)), each.astype(np.float32), atol=1e-5)


@pytest.mark.parametrize("transform", ALL)
def test_jit_vmap_grad(transform):
    tables = jnp.asarray(np.random.default_rng(2).normal(size=(3, 16)), jnp.float32)
    expected = np.asarray(transform(np.asarray(tables)))
    eager, jitted, mapped = transform(tables), jax.jit(transform)(tables), jax.vmap(transform)(tables)
    for came in (eager, jitted, mapped):
        assert isinstance(came, jax.Array)
        assert came.dtype == jnp.float32
        np.testing.assert_allclose(came, expected, rtol=1e-5, atol=1e-5)
    # A linear map's gradient contracted with a table is the map of that table.
    weights = jnp.arange(16, dtype=jnp.float32)
    gradient = jax.grad(lambda table: jnp.sum(weights * transform(table)))(tables[0])
    assert float(jnp.sum(gradient * tables[1])) == pytest.approx(float(jnp.sum(weights * eager[1])), rel=1e-4)


@pytest.mark.parametrize("transform", ALL)
def test_numpy_and_lists_are_float64(transform):
    assert not jax.config.jax_enable_x64
    for table in ([0, 1, 2, 5], np.array([0, 1, 2, 5], np.int8), np.array([0, 1, 2, 5], np.float32)):
        before = np.array(table)
        came = transform(table)
        assert type(came) is np.ndarray
        assert came.dtype == np.float64
        np.testing.assert_array_equal(table, before)  # the caller's table is left alone
    assert not jax.config.jax_enable_x64
    change = transform([0, 0, 1, 1 + 1e-12]) - transform([0, 0, 1, 1])  # below float32's resolution
    assert 1e-13 < np.abs(change).max() < 1e-11


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
@pytest.mark.parametrize("transform", ALL)
def test_large_jax_arrays_by_numpy(transform, dtype, monkeypatch):
    """What takes the way of large arrays is the same in values, type, precision and place."""
    with jax.enable_x64(dtype == jnp.float64):
        tables = jax.device_put(np.random.default_rng(5).normal(size=(3, 64)).astype(dtype), jax.devices()[1])
        compiled = transform(tables)
        monkeypatch.setattr(_transforms, "_LEAST_BYTES_FOR_NUMPY", 1)
        by_numpy = transform(tables)
        assert isinstance(by_numpy, jax.Array)
        assert by_numpy.dtype == compiled.dtype == dtype
        assert by_numpy.devices() == compiled.devices() == {jax.devices()[1]}
        np.testing.assert_allclose(by_numpy, compiled, rtol=1e-6, atol=1e-6)
        assert jax.jit(transform)(tables).dtype == dtype  # traced: by JAX


def test_float64_arrays_stay_so_outside_of_enable_x64(monkeypatch):
    with jax.enable_x64(True):
        table = jnp.asarray(random_table(4), jnp.float64)
    monkeypatch.setattr(_transforms, "_LEAST_BYTES_FOR_NUMPY", 1)
    came = ij.moebius(table)
    assert came.dtype == jnp.float64
    np.testing.assert_allclose(came, ij.moebius(np.asarray(table)), rtol=1e-12)


def test_jax_arrays_keep_their_dtype():
    with jax.enable_x64(True):
        assert ij.moebius(jnp.arange(4.0, dtype=jnp.float64)).dtype == jnp.float64
    assert ij.moebius(jnp.arange(4.0, dtype=jnp.bfloat16)).dtype == jnp.bfloat16
    assert ij.moebius(jnp.array([0, 100, 100, -100], jnp.int8)).tolist() == [0.0, 100.0, 100.0, -300.0]


@pytest.mark.parametrize("as_array", [np.asarray, jnp.asarray])
def test_nan_spreads_only_to_what_depends_on_it(as_array):
    table = np.zeros(8)
    table[3] = np.nan
    missing = np.isnan(np.asarray(ij.moebius(as_array(table))))
    assert missing.tolist() == [s & 3 == 3 for s in range(8)]
    assert np.isnan(np.asarray(ij.walsh_hadamard(as_array(table)))).all()
    # I_or(S) is made from v at the coalitions that hold all players outside S: {0, 1} does where S holds player 2.
    missing = np.isnan(np.asarray(ij.or_interactions(as_array(table))))
    assert missing.tolist() == [s & 4 == 4 for s in range(8)]


@hypothesis.given(hnp.arrays(np.float64, 16, elements=st.floats(-1e6, 1e6)), st.floats(-1e3, 1e3))
@hypothesis.settings(max_examples=30, deadline=None)
def test_linear(table, factor):
    other = random_table(4)
    for transform in ALL:
        expected = transform(table) + factor * transform(other)
        np.testing.assert_allclose(transform(table + factor * other), expected, rtol=1e-9, atol=1e-6)


@hypothesis.given(st.integers(0, 70).filter(lambda length: length == 0 or length & (length - 1)))
@hypothesis.settings(max_examples=20, deadline=None)
def test_wrong_length(length):
    with pytest.raises(ValueError, match=r" must have 2\*\*n values .* got"):
        ij.moebius(np.zeros(length))


@pytest.mark.parametrize("transform", ALL)
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (3.0, "got a scalar"),
        ([0, 1j], "real numbers.* got .*complex"),
        (jnp.array([0, 1j]), "real numbers.* got .*complex"),
        (["a", "b"], "real numbers.* got .'a', 'b'"),
        ([None, None], "real numbers.* got .*object"),
        ([[0.0, 1.0], [0.0]], "NumPy makes none"),
        (np.zeros((3, 0)), "got 0 along the last axis"),
    ],
)
def test_bad_tables(transform, table, message):
    with pytest.raises(ValueError, match=message):
        transform(table)
