"""Batches fit the memory they are given, are halved where a device runs out, and lists of work do not grow."""

import re
import subprocess
import sys
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax._engine import _rows
from interjax._engine._memory import fit_rows
from interjax.orders import _designs
from interjax.orders._estimators import PLANNED
from interjax.orders._row_values import values_of_flips

RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "first": RANDOM.normal(size=(16, 512)).astype(np.float32),
    "wide": RANDOM.normal(size=(8, 1024)).astype(np.float32),
}
SETTINGS = {"orders": [3, 7], "contexts": 12, "pairs": [(0, 1), (2, 3)]}


def fat(params, x):
    """A network whose rows need a quarter of a megabyte each."""
    hidden = jnp.tanh(x @ params["first"]).reshape(len(x), 64, 8) @ params["wide"]
    return jnp.tanh(hidden).sum((1, 2))[:, None] * jnp.ones((1, 2))


def game_of(fold=False):
    x = np.linspace(0.1, 1, 16, dtype=np.float32)
    return ij.masked_game((fat, WEIGHTS), x, players=ij.Players.features(16), output=ij.logit(0), fold=fold)


def measured(game, **settings):
    return ij.order_interactions(jax.random.key(1), game, **(SETTINGS | settings), exact=False)


def n_rows(by_row):
    return len(jax.tree.leaves(by_row)[0])


def spied(monkeypatch, fails=lambda rows: False):
    """Rows of the batches that are started; those for which `fails` holds raise what a device without memory raises."""
    rows = []
    real = _rows.compute_rows

    class Spy:
        trace = real.trace

        def __call__(self, function, fixed, whole, by_row, **options):
            if function is values_of_flips:
                rows.append(n_rows(by_row))
                if fails(rows[-1]):
                    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 7 bytes.")
            return real(function, fixed, whole, by_row, **options)

    monkeypatch.setattr(_rows, "compute_rows", Spy())
    return rows


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("memory", [4_000_000, 20_000_000])
def test_the_compiled_batch_fits_the_memory_given(monkeypatch, fold, memory):
    rows = spied(monkeypatch)
    game = game_of(fold)
    found = measured(game, memory=memory)
    assert len(set(rows)) == 1  # one program
    parts = game.value.contributions(game.params, 16) if fold else None
    masks = np.zeros((rows[0] // 4 + 2, 16), bool)
    flips = np.zeros((rows[0], 2), np.int32)
    arguments = (game, parts), (masks, np.int32(0)), (np.zeros(rows[0], np.int32), flips)
    traced = _rows.compute_rows.trace(values_of_flips, *arguments, mesh=None)
    analysis = traced.lower().compile().memory_analysis()
    needed = analysis.argument_size_in_bytes + analysis.output_size_in_bytes + analysis.temp_size_in_bytes
    assert needed <= memory
    assert rows[0] == {4_000_000: 4, 20_000_000: 32}[memory]
    np.testing.assert_allclose(found.mean, measured(game).mean, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("fold", [True, False])
def test_too_little_memory_says_how_much_is_needed(fold):
    with pytest.raises(ValueError, match="needs") as raised:
        measured(game_of(fold), memory=100_000)
    needed = int(re.search(r"needs ([\d,]+)", str(raised.value))[1].replace(",", ""))
    assert measured(game_of(fold), memory=needed).n_forwards > 0


def test_a_batch_size_is_cut_to_the_memory(monkeypatch):
    rows = spied(monkeypatch)
    measured(game_of(), memory=4_000_000, batch_size=64)
    assert max(rows) < 64


@pytest.mark.parametrize("memory", [0, -1, 1.5, "2GiB", True])
def test_memory_is_a_number_of_bytes(memory):
    with pytest.raises(ValueError, match="memory"):
        measured(game_of(), memory=memory)


PEAK = """
import re, sys
sys.path.insert(0, "tests/_engine")
import test_memory
from test_memory import WEIGHTS, RANDOM, np, game_of, measured

WEIGHTS["first"] = RANDOM.normal(size=(16, 2048 * 8)).astype(np.float32)
test_memory.fat = lambda p, x: (  # eight megabytes a row
    test_memory.jnp.tanh(test_memory.jnp.tanh(x @ p["first"]).reshape(len(x), 2048, 8) @ p["wide"]).sum((1, 2))[:, None]
    * test_memory.jnp.ones((1, 2))
)
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
few = {"contexts": 2, "pairs": [(0, 1)]}
measured(game_of(), batch_size=1, **few)
start = peak()
measured(game_of(), memory=200_000_000, **few)
limited = peak()
measured(game_of(), **few)
print(limited - start, peak() - start)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")
def test_the_process_stays_within_the_memory():
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    limited, free = map(int, done.stdout.split())
    assert limited < 200e6 < free  # 64 rows of 8 megabytes without a limit


def test_a_device_without_memory_halves_the_batch_for_the_rest_of_the_run(monkeypatch):
    expected = measured(game_of(), batch_size=64)
    rows = spied(monkeypatch, fails=lambda rows: rows > 20)
    with pytest.warns(UserWarning, match="at (64|32) rows") as warned:
        found = measured(game_of(), batch_size=63 + 1, memory=10**9)
    assert [str(one.message).split(" at ")[1] for one in warned] == [
        "64 rows a batch: going on with 32",
        "32 rows a batch: going on with 16",
    ]
    assert set(rows[2:]) == {16}
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-4, atol=1e-4)
    assert found.n_forwards == expected.n_forwards
    rows.clear()
    measured(game_of(), batch_size=64, memory=10**9)  # the next input of the run
    assert set(rows) == {16}


class Lost:
    """Values of a batch that failed while it ran: the device says so when they are awaited."""

    def __array__(self, *_, **__):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 7 bytes.")


def test_memory_that_runs_out_while_a_batch_runs_is_noticed(monkeypatch):
    game, real = game_of(True), _rows.compute_rows
    expected = measured(game, batch_size=48)

    class Failing:
        trace = real.trace

        def __call__(self, *arguments, **options):
            return Lost() if n_rows(arguments[3]) > 20 else real(*arguments, **options)

    monkeypatch.setattr(_rows, "compute_rows", Failing())
    with pytest.warns(UserWarning, match="ran out of memory") as warned:
        found = measured(game, batch_size=49)
    assert len(warned) == 2
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-4, atol=1e-4)


def test_one_row_too_many_and_other_failures_are_raised(monkeypatch):
    spied(monkeypatch, fails=lambda rows: True)
    with pytest.warns(UserWarning, match="rows"), pytest.raises(jax.errors.JaxRuntimeError, match="7 bytes"):
        measured(game_of(), batch_size=5)

    def broken(*_, **__):
        raise jax.errors.JaxRuntimeError("INTERNAL: no such instruction")

    monkeypatch.setattr(_rows, "compute_rows", broken)
    with pytest.raises(jax.errors.JaxRuntimeError, match="no such instruction"):
        measured(game_of(), batch_size=6)


@pytest.mark.parametrize("tabulating", [True, False])
def test_tables_and_calls_survive_memory_running_out(monkeypatch, tabulating):
    game = ij.Game.from_function(lambda s: jnp.sum(s * jnp.arange(6.0)) ** 2, 6)
    masks = RANDOM.random((50, 6)) < 0.5
    expected = ij.tabulate(game) if tabulating else np.asarray(game(masks))
    real = _rows.compute_rows
    failing = lambda *arguments, **options: Lost() if n_rows(arguments[3]) > 10 else real(*arguments, **options)  # noqa: E731
    monkeypatch.setattr(_rows, "compute_rows", failing)
    with pytest.warns(UserWarning, match="going on with 8"):
        found = ij.tabulate(game, batch_size=16) if tabulating else np.asarray(game(masks, batch_size=16))
    np.testing.assert_allclose(found, expected)


def test_compiling_without_memory_halves_the_batch():
    function = jax.jit(lambda x: x * 2)

    class Traced:
        def __init__(self, rows):
            self.rows, self.jaxpr = rows, jax.make_jaxpr(lambda x: x * 2)(np.zeros(rows))

        def lower(self):
            if self.rows > 16:
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: allocating")
            return function.lower(np.zeros(self.rows))

    with pytest.warns(UserWarning, match="going on with") as warned:
        assert fit_rows(Traced, most=64) == 16
    assert len(warned) == 2


@pytest.mark.parametrize("method", ["blocks", "quadruples"])
def test_lists_of_work_do_not_grow_with_contexts(monkeypatch, method):
    monkeypatch.setattr(_designs, "PIECE_ROWS", 2**10)

    def peak(contexts):
        tracemalloc.start()
        for _ in PLANNED[method].plans(jax.random.key(0), 20, [ij.pairs_within((5, 4), 1)], [9], contexts):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    few = 3000 if method == "blocks" else 100
    peak(few)  # compiles the sampler
    assert peak(5 * few) < 1.2 * peak(few)
