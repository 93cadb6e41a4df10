"""How many rows to evaluate at once: chosen from the memory that one row needs and what the device has."""

import functools
import os
from typing import Any

import jax
import jax.numpy as jnp

_TRIAL_ROWS = 64
# On a CPU a chunk should stay in the last-level cache; measured in benchmarks/throughput.py.
_CPU_CACHE_BYTES = 16 * 2**20
_CPU_ROWS = (64, 2048)
_ACCELERATOR_ROWS = (256, 2**16)
_SHARE_OF_FREE_MEMORY = 0.4


def chunk_rows(game: Any, wanted: int | None = None) -> int:
    """Rows of a chunk for a traceable game: a power of two, no larger than `wanted` needs.

    The memory of one row comes from the compiled program's own analysis. A CPU is fastest while the chunk fits
    its cache; an accelerator takes as many rows as fit a share of its free memory.
    """
    device = next(iter(jax.devices()))
    leaves, structure = jax.tree.flatten(game)
    shapes = tuple((jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
    row_bytes = _row_bytes(structure, shapes)
    if device.platform == "cpu":
        least, most, budget = *_CPU_ROWS, min(_CPU_CACHE_BYTES, _SHARE_OF_FREE_MEMORY * _free_memory(device))
    else:
        least, most, budget = *_ACCELERATOR_ROWS, _SHARE_OF_FREE_MEMORY * _free_memory(device)
    rows = _power_of_two_below(budget / row_bytes)
    rows = max(least, min(rows, most))
    if rows * row_bytes > _SHARE_OF_FREE_MEMORY * _free_memory(device):
        rows = max(1, _power_of_two_below(_SHARE_OF_FREE_MEMORY * _free_memory(device) / row_bytes))
    return rows if wanted is None else min(rows, _power_of_two_above(wanted))


@functools.lru_cache(maxsize=64)
def _row_bytes(structure: Any, shapes: tuple) -> float:
    """Bytes of working memory that one row needs, from a trial compilation of the value function."""
    game = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in shapes])
    masks = jax.ShapeDtypeStruct((_TRIAL_ROWS, game.n_players), bool)
    compiled = jax.jit(game.value).lower(game.params, masks).compile()
    memory = compiled.memory_analysis()
    temporary = getattr(memory, "temp_size_in_bytes", 0) if memory is not None else 0
    return max(temporary / _TRIAL_ROWS, 4.0 * game.n_players)


def _free_memory(device: Any) -> float:
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError):  # not a POSIX system
        return 4 * 2**30


def _power_of_two_below(number: float) -> int:
    return 1 << max(0, int(number).bit_length() - 1)


def _power_of_two_above(number: int) -> int:
    return 1 << max(0, int(number) - 1).bit_length()
