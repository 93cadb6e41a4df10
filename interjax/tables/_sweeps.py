"""Sweeps over tables of 2**n values: one step for every pair (v without player i, v with player i), player by player.

NumPy tables are cut into blocks that stay within a core's cache. Within a block some players at a time are brought to
the front by a transposed copy, so that their steps run over long contiguous rows; once all have come, the values are in
their places again. The players of a larger table that a block does not hold follow in strips of columns. Every value
meets the same additions in the same order whatever the blocks are, low players first.
"""

import functools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_BLOCK_PLAYERS = 16  # two buffers of 2**16 float64 fill a core's cache of 1 MiB
_LEAST_THREADED = 1 << 21  # values from which on threads gain more than they cost to start
_MOST_KEPT = 1 << 14  # values up to which a thread keeps the buffers of single tables
_SHORT_ROW_BITS, _MOST_AT_ONCE = 11, 5  # few players at a time where more would mean many short rows

Pair = tuple[Any, Any]  # values without and with a player


def sweep(table: Any, step: str, *, complement: bool = False, negative: bool = False) -> Any:
    """Apply a step to every pair (absent, present) of every player, low players first.

    Args:
        table: floating (..., 2**n), NumPy or a `jax.Array`; left as it is.
        step: "subtract" for (absent, present - absent), "add" for (absent, present + absent), "butterfly" for
            (absent + present, absent - present).
        complement: start from v(N minus S) in place of v(S).
        negative: start from 0 - v.

    Returns:
        The swept table, same shape and dtype.
    """
    of_its_kind = _sweep_numpy if isinstance(table, np.ndarray) else _sweep_jax
    return of_its_kind(table, step, complement, negative)


@functools.partial(jax.jit, static_argnames=("step", "complement", "negative"))
def _sweep_jax(table: jax.Array, step: str, complement: bool, negative: bool) -> jax.Array:
    """Two players in each pass over the table."""
    n_players = table.shape[-1].bit_length() - 1
    # The complement of coalition S has index 2**n - 1 - S: reversing the axis complements every coalition.
    swept = table[..., ::-1] if complement else table
    swept = 0 - swept if negative else swept
    for player in range(0, n_players, 2):
        count = min(2, n_players - player)
        rows = swept.reshape(-1, 1 << count, 1 << player)
        parts = [rows[:, place] for place in range(1 << count)]
        for bit in range(count):
            for absent in [place for place in range(1 << count) if not place >> bit & 1]:
                present = absent | 1 << bit
                parts[absent], parts[present] = _step(parts[absent], parts[present], step)
        # Stacked in front and transposed where the parts' rows are short: XLA would copy them value by value.
        swept = jnp.moveaxis(jnp.stack(parts), 0, 1) if player < 4 else jnp.stack(parts, axis=1)
    return swept.reshape(table.shape)


def _step(absent: jax.Array, present: jax.Array, step: str) -> tuple[jax.Array, jax.Array]:
    if step == "subtract":
        return absent, present - absent
    if step == "add":
        return absent, present + absent
    return absent + present, absent - present


def _sweep_numpy(table: np.ndarray, step: str, complement: bool, negative: bool) -> np.ndarray:
    n_players = table.shape[-1].bit_length() - 1
    swept = np.empty(table.shape, table.dtype)
    source, target = table.reshape(-1, 1 << n_players), swept.reshape(-1, 1 << n_players)
    source = source[:, ::-1] if complement else source
    low = min(n_players, _BLOCK_PLAYERS)
    high, n_tables = n_players - low, 1 << (_BLOCK_PLAYERS - low)
    blocks = [
        (slice(first, first + n_tables), slice(start, start + (1 << low)))
        for first in range(0, len(source), n_tables)
        for start in range(0, 1 << n_players, 1 << low)
    ]

    def sweep_low(block: tuple[slice, slice], plans: _Plans) -> None:
        _sweep_block(source[block][..., None], target[block][..., None], step, plans, negative=negative)

    _share(sweep_low, blocks, table)
    if high == 0:
        return swept
    columns = target.reshape(-1, 1 << high, 1 << low)
    width = max((1 << _BLOCK_PLAYERS) >> high, 1)
    strips = [
        (slice(row, row + 1), slice(None), slice(start, start + width))
        for row in range(len(columns))
        for start in range(0, 1 << low, width)
    ]
    _share(lambda strip, plans: _sweep_block(columns[strip], columns[strip], step, plans), strips, table)
    return swept


class _Plan:
    """The two buffers that a block (tables, 2**players, columns) wanders between, and every view of them it takes."""

    def __init__(self, shape: tuple[int, int, int], dtype: np.dtype):
        n_tables, length, width = shape
        buffers = np.empty((2, n_tables * length * width), dtype)
        groups = _groups(length.bit_length() - 1, buffers[0].size)
        self.first = (n_tables, -1, 1 << groups[0], width)  # the first group's players as an axis of their own
        # For each group of players: its players' axis first, the same axis in the other buffer, and its pairs.
        self.moves: list[tuple[Any, Any, list[Pair]]] = []
        for place, players in enumerate(groups):
            block, other = buffers[place % 2], buffers[1 - place % 2]
            if place == 0:
                rows, came = block.reshape(1 << players, n_tables, -1, width), None
            else:
                came = other.reshape(-1, 1 << players, width).swapaxes(0, 1)
                rows = block.reshape(came.shape)
            self.moves.append((rows, came, _pairs(block, players)))
        self.swept = buffers[(len(groups) - 1) % 2].reshape(length, n_tables, width).swapaxes(0, 1)


_Plans = dict[tuple[Any, ...], _Plan]


def _sweep_block(source: np.ndarray, target: np.ndarray, step: str, plans: _Plans, *, negative: bool = False) -> None:
    """Sweep the players of the middle axis of a block (tables, 2**players, columns); `target` may be `source`."""
    key = (*source.shape, source.dtype)
    if key not in plans:
        plans[key] = _Plan(source.shape, source.dtype)
    plan = plans[key]
    for rows, came, pairs in plan.moves:
        if came is not None:
            np.copyto(rows, came)
        elif negative:
            np.subtract(0, source.reshape(plan.first).transpose(2, 0, 1, 3), out=rows)  # not -x, which has -0.0
        else:
            np.copyto(rows, source.reshape(plan.first).transpose(2, 0, 1, 3))
        _apply(step, pairs)
    np.copyto(target, plan.swept)


def _groups(n_players: int, size: int) -> list[int]:
    """How many players come to the front at a time, low ones first."""
    most = min(max(size.bit_length() - _SHORT_ROW_BITS, 1), _MOST_AT_ONCE)
    n_groups = max(-(-n_players // most), 1)
    return [n_players // n_groups + (place < n_players % n_groups) for place in range(n_groups)]


def _pairs(block: np.ndarray, players: int) -> list[Pair]:
    """Views of the values without and with each of the leading players of a block, low players first.

    NumPy copies an operand that may overlap the output, which it can only rule out for at most two rows at a time.
    """
    if players == 0:
        return []
    pairs: list[Pair] = []
    for above in range(players - 2, -1, -1):
        quarters = block.reshape(1 << above, 2, 2, -1)
        pairs += [(rows[:, 0], rows[:, 1]) for rows in quarters]
    halves = block.reshape(2, -1)
    return [*pairs, (halves[0], halves[1])]


def _apply(step: str, pairs: list[Pair]) -> None:
    """Combine the values without and with a player, in place."""
    if step == "butterfly":
        for absent, present in pairs:
            difference = absent - present
            np.add(absent, present, absent)
            np.copyto(present, difference)
        return
    combine = np.subtract if step == "subtract" else np.add
    for absent, present in pairs:
        combine(present, absent, present)


def _share(work: Callable[[Any, _Plans], None], parts: Sequence[Any], table: np.ndarray) -> None:
    """Do the work on every part, large tables on all cores that this process may use."""
    cores = min(_n_cores(), len(parts)) if table.size >= _LEAST_THREADED else 1
    if cores < 2:
        # The views of a small table's buffers take as long to make as its sweep: each thread keeps them.
        plans = _kept.plans if table.size <= _MOST_KEPT and table.ndim == 1 else {}
        for part in parts:
            work(part, plans)
        return

    def on_one_core(core: int) -> None:
        plans: _Plans = {}
        for part in parts[core::cores]:
            work(part, plans)

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(on_one_core, range(cores)))


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Kept(threading.local):
    def __init__(self) -> None:
        self.plans: _Plans = {}


_kept = _Kept()
