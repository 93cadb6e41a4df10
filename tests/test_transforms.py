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
from _brute_force import dividend, everyone, outside, subsets, value

import interjax as ij
from interjax import _transforms

PAIRS = [
    (ij.moebius, ij.inverse_moebius),
    (ij.or_interactions, ij.inverse_or_interactions),
    (ij.walsh_hadamard, ij.inverse_walsh_hadamard),
]
ALL = [transform for pair in PAIRS for transform in pair]


def random_table(n, seed=0):
    return np.random.default_rng(seed).normal(size=2**n)


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
def test_chunks_do_not_matter(transform, monkeypatch):
    table = random_table(9)
    whole = transform(table)
    monkeypatch.setattr(_transforms, "_CHUNK_PLAYERS", 4)
    np.testing.assert_array_equal(transform(table), whole)


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
    with pytest.raises(ValueError, match=r"expected a table of 2\*\*n values .* came"):
        ij.moebius(np.zeros(length))


@pytest.mark.parametrize("transform", ALL)
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (3.0, "came a scalar"),
        ([0, 1j], "real numbers, came dtype complex"),
        (jnp.array([0, 1j]), "real numbers, came dtype complex"),
        (["a", "b"], "real numbers, came dtype"),
        ([None, None], "real numbers, came dtype object"),
        ([[0.0, 1.0], [0.0]], "is no array"),
        (np.zeros((3, 0)), "came 0 along the last axis"),
    ],
)
def test_bad_tables(transform, table, message):
    with pytest.raises(ValueError, match=message):
        transform(table)
