"""Sums of a table over the contexts of every size: what multi-order interactions and all the indices are read from.

For a coalition T of t players and m = 0..n-t, the sum over the contexts S outside T with |S| = m of one of

    "difference"  sum over L in T of (-1)^(t-|L|) v(S + L)
    "present"     v(S + T)
    "absent"      v(S)

Players are taken away one after the other: each either joins T or is summed out, which moves it into the context (one
larger) or leaves it outside. The table halves at each step while the coalitions T of up to `size` players multiply only
polynomially, so all of it costs a small multiple of 2**n additions, without the cancellation of a Moebius transform.
"""

import math
import operator
from typing import Any

import jax.numpy as jnp
import numpy as np

from interjax._core._checks import check_count
from interjax.games._coalitions import all_of_size
from interjax.games._tabulate import MAX_TABLE_PLAYERS
from interjax.tables._transforms import n_players_of

_MAX_SUMS = 1 << 27  # 1 GiB of float64
_CHUNK_PLAYERS = 16  # a chunk of the table and what is made of it stay within a core's cache
_JOIN = {
    "difference": operator.sub,
    "present": lambda present, absent: present,
    "absent": lambda present, absent: absent,
}


def check_size(n_players: int, size: int) -> None:
    """ValueError if coalitions of up to `size` of the players cannot be asked of a table."""
    if n_players > MAX_TABLE_PLAYERS:
        raise ValueError(
            f"expected at most {MAX_TABLE_PLAYERS} players, got {n_players}: 2**{n_players} values are too "
            "many for an exact answer; use ij.order_interactions, which samples contexts, or fewer, coarser players"
        )
    check_count("size", size, most=n_players, about="the largest number of players in a coalition")
    n_sums = sum(math.comb(n_players, t) * (n_players - t + 1) for t in range(size + 1))
    if n_sums > _MAX_SUMS:
        raise ValueError(
            f"coalitions of up to {size} of {n_players} players need {n_sums:,} sums, more than {_MAX_SUMS:,}: choose "
            "a smaller size, or ij.moebius for the dividends of every coalition"
        )


def coalitions_of_size(n_players: int, size: int) -> np.ndarray:
    """Every coalition of one size as its sorted players, in lexicographic order: int (C(n, size), size)."""
    return all_of_size(n_players, size) if size else np.zeros((1, 0), np.int32)


def context_sums(table: Any, size: int, kind: str) -> list[Any]:
    """The sums for the coalitions of 0..size players: a list of (C(n, t), n-t+1), rows as in `coalitions_of_size`.

    For a `jax.Array`, call it inside jit: hundreds of small steps are traced.
    """
    n_players = n_players_of(table)
    xp: Any = np if isinstance(table, np.ndarray) else jnp
    # XLA schedules the whole table by itself; NumPy takes the low players of one chunk after the other away first.
    low = min(n_players, _CHUNK_PLAYERS) if xp is np else n_players
    # Axes: coalitions T, sizes of the context, values of the players not yet taken away.
    chunks = [_take_away([chunk.reshape(1, 1, -1)], low, size, kind, xp) for chunk in table.reshape(-1, 1 << low)]
    sums = [xp.concatenate(of_one_size, axis=-1) for of_one_size in zip(*chunks, strict=True)]
    sums = _take_away(sums, n_players - low, size, kind, xp)
    taken = [*range(low - 1, -1, -1), *range(n_players - 1, low - 1, -1)]
    return [values[rows, :, 0] for values, rows in zip(sums, _lexicographic_rows(taken, size), strict=True)]


def _take_away(sums: list[Any], n_taken: int, size: int, kind: str, xp: Any) -> list[Any]:
    """Take away the highest remaining player, n_taken times; `sums[t]` belongs to the coalitions of t players."""
    for _ in range(n_taken):
        pairs = [values.reshape(*values.shape[:2], 2, -1) for values in sums]
        sums = []
        for t in range(min(len(pairs), size) + 1):
            parts = []
            if t < len(pairs):  # the player is outside T: summed out
                absent, present = pairs[t][:, :, 0], pairs[t][:, :, 1]
                both = absent[:, 1:] + present[:, :-1]
                parts.append(xp.concatenate([absent[:, :1], both, present[:, -1:]], axis=1))
            if t > 0:  # the player joins T
                absent, present = pairs[t - 1][:, :, 0], pairs[t - 1][:, :, 1]
                parts.append(_JOIN[kind](present, absent))
            sums.append(xp.concatenate(parts))
    return sums


def _lexicographic_rows(taken: list[int], size: int) -> list[np.ndarray]:
    """For each number of players, where `_take_away` puts the coalitions that stand in lexicographic order."""
    made: list[list[int]] = [[0]]
    for player in taken:
        longer = [[coalition | 1 << player for coalition in of_one_size] for of_one_size in made]
        made = [
            (made[t] if t < len(made) else []) + (longer[t - 1] if t else []) for t in range(min(len(made), size) + 1)
        ]
    rows = []
    for t, of_one_size in enumerate(made):
        row_of = {coalition: row for row, coalition in enumerate(of_one_size)}
        indices = (1 << coalitions_of_size(len(taken), t)).sum(axis=1)
        rows.append(np.array([row_of[index] for index in indices.tolist()]))
    return rows
