"""The row engine: the same values at any batch size, on any devices, in few programs, whatever the rows are made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interjax._engine._rows import Resources, RowProgram, check_batch_size, compute_rows, like

ROWS = {"a": np.arange(45, dtype=np.float32).reshape(15, 3), "b": np.arange(15, dtype=np.int32)}


def twice(fixed, whole, rows):
    return {"sum": rows["a"].sum(axis=1) * fixed, "next": rows["b"] + 1}


def values_of_rows(function, fixed, rows, resources, **options):
    return RowProgram(function, fixed, like(rows), resources, **options).values(rows)


def table_sum(fixed, whole, rows):
    return (fixed + whole)[rows]


@pytest.mark.parametrize("batch_size", [None, 1, 4, 15, 100])
@pytest.mark.parametrize("devices", [None, 2, 8])
def test_values_are_those_of_all_rows_together(batch_size, devices):
    mesh = None if devices is None else jax.make_mesh((devices,), ("rows",))
    found = values_of_rows(twice, np.float32(2), ROWS, Resources.of(batch_size=batch_size, mesh=mesh))
    np.testing.assert_array_equal(found["sum"], 2 * ROWS["a"].sum(axis=1))
    np.testing.assert_array_equal(found["next"], ROWS["b"] + 1)
    assert found["next"].dtype == np.int32


def test_all_batches_run_through_one_program():
    function = lambda fixed, whole, rows: rows["a"] * fixed  # noqa: E731 (one that no other test has compiled)
    before = compute_rows._cache_size()
    values_of_rows(function, np.float32(2), ROWS, Resources(batch_size=4))
    values_of_rows(function, np.float32(5), jax.tree.map(lambda leaf: leaf[:9], ROWS), Resources(batch_size=4))
    assert compute_rows._cache_size() == before + 1


def test_padding_is_no_input_that_was_not_given():
    rows = np.array([1.0, 2.0, 4.0], np.float32)
    with jax.debug_nans(True):
        found = values_of_rows(lambda fixed, whole, x: x / x, None, rows, Resources(batch_size=2))
    np.testing.assert_array_equal(found, 1.0)


def test_a_function_that_is_not_shared_is_compiled_anew():
    held = {"factor": 2.0}
    function = lambda fixed, whole, rows: rows["a"] * held["factor"]  # noqa: E731
    first = values_of_rows(function, None, ROWS, Resources(batch_size=4), is_shared=False)
    held["factor"] = 3.0
    second = values_of_rows(function, None, ROWS, Resources(batch_size=4), is_shared=False)
    np.testing.assert_array_equal(first, 2 * ROWS["a"])
    np.testing.assert_array_equal(second, 3 * ROWS["a"])


def test_a_batch_may_end_early_and_reads_what_is_whole():
    taken = []

    def take(start, limit, rows):
        stop = min(limit, start + 3)  # fewer than the four asked for
        taken.append((start, limit, rows))
        return np.full(5, start), np.arange(start, stop, dtype=np.int32) % 5

    example = lambda rows: (np.zeros(5, int), np.zeros(rows, np.int32))  # noqa: E731
    program = RowProgram(table_sum, jnp.arange(5), example, Resources(batch_size=4))
    assert program.rows == 4
    found = program.dispatch(10, take)()
    np.testing.assert_array_equal(found, [row % 5 + row // 3 * 3 for row in range(10)])
    assert taken == [(0, 4, 4), (3, 7, 4), (6, 10, 4), (9, 10, 4)]


def test_a_host_function_gets_numpy_rows_as_they_are():
    seen = []

    def on_host(fixed, whole, rows):
        seen.append(len(rows))
        assert isinstance(rows, np.ndarray)
        return np.float64(1) / 3 * rows

    program = RowProgram(on_host, None, lambda rows: (None, np.zeros(rows)), Resources(batch_size=4), on_host=True)
    found = program.dispatch(10, lambda start, stop, _: (None, np.arange(start, stop)))()
    np.testing.assert_array_equal(found, np.float64(1) / 3 * np.arange(10))
    assert seen == [4, 4, 2]


def test_no_more_batches_are_under_way_than_said():
    waited, most = [], []

    class Value:
        def __init__(self, start):
            self.start = start

        def __array__(self, *_, **__):
            waited.append(self.start)
            return np.zeros(1)

    def on_host(fixed, whole, rows):
        most.append(int(rows[0]) - len(waited))
        return Value(int(rows[0]))

    program = RowProgram(on_host, None, lambda rows: (None, np.zeros(rows)), Resources(batch_size=1), on_host=True)
    program.dispatch(20, lambda start, stop, _: (None, np.arange(start, stop)), ahead=3)()
    assert waited == list(range(20))
    assert max(most) == 3


@pytest.mark.parametrize("batch_size", [0, -3, 1.5, "many", True])
def test_a_batch_size_is_a_number_of_rows(batch_size):
    with pytest.raises(ValueError, match="batch_size must be an integer of at least 1"):
        check_batch_size(batch_size)
