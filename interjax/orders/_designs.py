"""Designs: which forward passes to make so that each one serves many interactions. NumPy index work, no values.

An observation of coalition T with context S (|S| = m, S outside T) is  sum over L in T of (-1)^(k-|L|) v(S + L).
A plan lists contexts and rows; a row is one context with a few players flipped, and an observation is a signed sum
of 2^k rows. `quadruple_plan` gives each observation its own context. `block_plan` shares each context among all
wanted coalitions that it leaves free: for S uniform over all coalitions of size m, and any T chosen without looking
at S, S given T outside S is uniform over the contexts of T, so every observation is an unbiased draw. High orders use
the mirror image: U uniform of size m + k, coalitions inside U, players removed instead of added.
"""

import collections
import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from interjax.games._coalitions import Draw, draw_coalitions, masks_of_size
from interjax.orders._counts import (
    NOTHING,
    Before,
    drawn_size,
    draws_distinct,
    enumerates_own,
    enumerates_shared,
    is_mirrored,
    share_of_contexts,
    shared_draws,
)

# Pieces of work are cut at about this many rows whatever the chunk size, so results do not depend on memory.
PIECE_ROWS = 2**16


@dataclasses.dataclass(frozen=True)
class Plan:
    """Forward passes of one piece of work at one order, and the observations made of them.

    Attributes:
        order: context size m.
        contexts: bool (contexts, n).
        context_index: int32 (rows,), ascending; the context of each row.
        flips: int32 (rows, k) players flipped in that row's context, -1 = none.
        observation_rows: int (observations, 2^k), the rows that an observation sums up.
        signs: float (2^k,).
        coalition: int (observations,), number of the measured coalition.
        group: int (observations,), jackknife group of the observation's context.
    """

    order: int
    contexts: np.ndarray
    context_index: np.ndarray
    flips: np.ndarray
    observation_rows: np.ndarray
    signs: np.ndarray
    coalition: np.ndarray
    group: np.ndarray


@dataclasses.dataclass(frozen=True)
class Closure:
    """The distinct subsets of coalitions: `sets` (subsets, k) padded with -1, `of` (coalitions, 2^k) their numbers."""

    coalitions: np.ndarray
    sets: np.ndarray
    of: np.ndarray


def closure(coalitions: np.ndarray, n_players: int) -> Closure:
    """Number the distinct subsets of all coalitions (P, k), so that each is evaluated once in a context."""
    size = coalitions.shape[1]
    subsets = np.stack([np.where(chosen, coalitions, -1) for chosen in _subsets(size)], axis=1)
    codes = np.zeros(subsets.shape[:2], np.int64)
    for place in range(size):  # members are sorted, so absent ones moved to the front give equal sets equal codes
        codes = codes * (n_players + 1) + np.sort(subsets, axis=-1)[..., place] + 1
    _, first, of = np.unique(codes, return_index=True, return_inverse=True)
    sets = subsets.reshape(-1, size)[first]
    return Closure(coalitions, sets.astype(np.int32), of.reshape(codes.shape).astype(np.int32))


def block_plans(
    key: jax.Array,
    n_players: int,
    sets: Sequence[np.ndarray],
    orders: Sequence[int],
    contexts: int,
    groups: int,
    before: Before = NOTHING,
) -> Iterator[tuple[int, int, Plan]]:
    """Contexts shared by the coalitions of a set, `contexts` for each on average, the next ones of those before.

    A coalition left with fewer than two (or than `contexts`, if smaller) at first gets contexts of its own.
    """
    size = sets[0].shape[1]
    cells = _cells(sets, orders)
    counts = {cell: np.zeros(len(sets[cell[0]]), np.int64) for cell in cells}
    for number, place, plan in _shared_plans(key, n_players, sets, orders, contexts, groups, before):
        counts[number, place] += np.bincount(plan.coalition, minlength=len(sets[number]))
        yield number, place, plan
    if before.contexts:
        return
    least = [0 if enumerates_shared(n_players, size, order, contexts) else min(2, contexts) for order in orders]
    missing = {cell: np.maximum(least[cell[1]] - counts[cell], 0) for cell in cells}
    none = [0] * len(orders)
    yield from _own_plans(key, n_players, sets, orders, missing, groups, [False] * len(orders), none)


def quadruple_plans(
    key: jax.Array,
    n_players: int,
    sets: Sequence[np.ndarray],
    orders: Sequence[int],
    contexts: int,
    groups: int,
    before: Before = NOTHING,
) -> Iterator[tuple[int, int, Plan]]:
    """Exactly `contexts` contexts of its own for every coalition, or all that there are where these are fewer.

    They are the next ones of those before, or all where these are no more.
    """
    size = sets[0].shape[1]
    every = [math.comb(n_players - size, order) for order in orders]
    exact = [enumerates_own(n_players, size, order, contexts, before) for order in orders]
    counts = [number if whole else contexts for number, whole in zip(every, exact, strict=True)]
    wanted = {cell: np.full(len(sets[cell[0]]), counts[cell[1]]) for cell in _cells(sets, orders)}
    first = before.first or contexts
    distinct = [draws_distinct(n_players, size, order, first, shared=False) for order in orders]
    past = [0 if whole else before.contexts for whole in exact]
    yield from _own_plans(key, n_players, sets, orders, wanted, groups, distinct, past)


def _cells(sets: Sequence[np.ndarray], orders: Sequence[int]) -> list[tuple[int, int]]:
    """(number of the set, place of the order) for each."""
    return list(itertools.product(range(len(sets)), range(len(orders))))


def _shared_plans(
    key: jax.Array,
    n_players: int,
    sets: Sequence[np.ndarray],
    orders: Sequence[int],
    contexts: int,
    groups: int,
    before: Before,
) -> Iterator[tuple[int, int, Plan]]:
    """Shared contexts for every set and order, in pieces of about `PIECE_ROWS` rows."""
    size = sets[0].shape[1]
    subsets = [closure(coalitions, n_players) for coalitions in sets]

    def pieces() -> Iterator[tuple[int, int, slice, Draw]]:
        for number, place in _cells(sets, orders):
            order = orders[place]
            drawn = drawn_size(n_players, size, order)
            past = shared_draws(n_players, size, order, before.contexts)
            count = shared_draws(n_players, size, order, before.contexts + contexts)
            if enumerates_shared(n_players, size, order, contexts, before):
                past, count = 0, math.comb(n_players, drawn)
            distinct = draws_distinct(n_players, size, order, before.first or contexts, shared=True)
            rows_of_context = len(subsets[number].sets) * share_of_contexts(n_players, size, order)
            length = max(1, int(PIECE_ROWS / max(1.0, rows_of_context)))
            stream = _stream(n_players, number, order)
            for first in range(past, count, length):
                part = slice(first, min(first + length, count))
                yield number, place, part, Draw(stream, drawn, 0 if distinct else part.stop - first, first)

    @functools.lru_cache(maxsize=1)
    def distinct_contexts(number: int, order: int) -> np.ndarray:
        every = masks_of_size(n_players, drawn_size(n_players, size, order))
        if enumerates_shared(n_players, size, order, contexts, before):
            return every
        return every[_generator(key, _stream(n_players, number, order)).permutation(len(every))]

    for (number, place, part, draw), shared in _drawn(key, n_players, pieces()):
        order = orders[place]
        if not draw.count:
            shared = distinct_contexts(number, order)[part]
        group = np.arange(part.start, part.stop) % groups
        mirrored = is_mirrored(n_players, size, order)
        yield number, place, block_plan(shared, subsets[number], order, mirrored=mirrored, group=group)


def _own_plans(
    key: jax.Array,
    n_players: int,
    sets: Sequence[np.ndarray],
    orders: Sequence[int],
    missing: dict,
    groups: int,
    distinct: Sequence[bool],
    past: Sequence[int],
) -> Iterator[tuple[int, int, Plan]]:
    """`missing[set, place][p]` contexts for each coalition p of each set, drawn outside it, independent or distinct.

    They follow `past[place]` ones that each coalition has.
    """
    length = PIECE_ROWS >> sets[0].shape[1]

    def pieces() -> Iterator[tuple[int, int, np.ndarray, np.ndarray, np.ndarray, Draw]]:
        for (number, place), contexts in missing.items():
            stops = np.cumsum(contexts)
            stream = _stream(n_players, number, orders[place]) + 1
            for first in range(0, int(stops[-1]), length):
                draws = np.arange(first, min(first + length, int(stops[-1])))
                coalition = np.searchsorted(stops, draws, side="right")
                own = draws - (stops - contexts)[coalition] + past[place]
                absent = sets[number][coalition].astype(np.int32)
                wished = slice(0, 0 if distinct[place] else None)
                start = first + past[place] * len(contexts)
                wish = Draw(stream, orders[place], len(absent[wished]), start, absent[wished])
                yield number, place, coalition, own, absent, wish

    for (number, place, coalition, own, absent, draw), contexts in _drawn(key, n_players, pieces()):
        if distinct[place]:
            contexts = _distinct_own(key, n_players, draw.stream, orders[place], absent, coalition, own)
        yield number, place, quadruple_plan(contexts, sets[number], coalition, orders[place], group=own % groups)


def _distinct_own(
    key: jax.Array,
    n_players: int,
    stream: int,
    order: int,
    absent: np.ndarray,
    coalition: np.ndarray,
    own: np.ndarray,
) -> np.ndarray:
    """Contexts drawn without replacement: number own[t] of those of coalition coalition[t], ascending."""
    outside = n_players - absent.shape[1]
    every = masks_of_size(outside, order)
    first, number = int(coalition[0]), coalition - coalition[0]
    # One draw for each coalition and context, in their order.
    random = _generator(key, stream, past=first * len(every)).random((number[-1] + 1, len(every)))
    chosen = random.argsort(axis=1)[number, own]
    is_absent = np.zeros((len(coalition), n_players), bool)
    np.put_along_axis(is_absent, absent, True, axis=1)
    contexts = np.zeros((len(coalition), n_players), bool)
    others = np.argsort(is_absent, axis=1, kind="stable")[:, :outside]
    np.put_along_axis(contexts, others, every[chosen], axis=1)
    return contexts


def _generator(key: jax.Array, stream: int, *, past: int = 0) -> np.random.Generator:
    """Draws on the host that depend on the key and the stream alone, from number `past` on."""
    bits = np.random.PCG64([*np.asarray(jax.random.key_data(key)).astype(np.uint32).ravel().tolist(), stream])
    return np.random.Generator(bits.advance(past))


def _drawn(key: jax.Array, n_players: int, pieces: Iterator[Any]) -> Iterator[tuple[Any, np.ndarray]]:
    """Each piece with the coalitions of its wish, its last item; no more pieces are kept than are drawn together."""
    waiting = collections.deque()

    def wishes() -> Iterator[Draw]:
        for piece in pieces:
            waiting.append(piece)
            yield piece[-1]

    for coalitions in draw_coalitions(key, n_players, wishes()):
        yield waiting.popleft(), coalitions


def _stream(n_players: int, number: int, order: int) -> int:
    """Number of a set's stream of shared contexts at an order; the next one is for contexts of single coalitions."""
    return 2 * (number * (n_players + 1) + order)


def block_plan(contexts: np.ndarray, subsets: Closure, order: int, *, mirrored: bool, group: np.ndarray) -> Plan:
    """Share each context among all coalitions that lie outside it (direct) or inside it (mirrored).

    Args:
        contexts: bool (contexts, n): S of size m, or U of size m + k in the mirrored form.
        subsets: the wanted coalitions with their subsets.
        order: context size m.
        mirrored: whether contexts are U, from which players are removed.
        group: int (contexts,), jackknife group of each context.
    """
    free = contexts if mirrored else ~contexts
    usable = np.logical_and.reduce([free[:, member] for member in subsets.coalitions.T])
    # Cells number the pairs (context, subset); int32, plain `take` and few passes: the host lists millions a second.
    context, coalition = np.divmod(np.flatnonzero(usable).astype(np.int32), np.int32(len(subsets.coalitions)))
    width = len(subsets.sets)
    cells = subsets.of.take(coalition, axis=0) + (context * np.int32(width))[:, None]  # (observations, 2^k)
    needed = np.zeros(len(contexts) * width, bool)
    needed[cells.ravel()] = True
    row_of_cell = np.cumsum(needed, dtype=np.int32) - np.int32(1)
    rows_of_context = np.count_nonzero(needed.reshape(-1, width), axis=1)
    context_index = np.repeat(np.arange(len(contexts), dtype=np.int32), rows_of_context)
    sizes = np.array([sum(chosen) for chosen in _subsets(subsets.coalitions.shape[1])])
    exponent = sizes if mirrored else subsets.coalitions.shape[1] - sizes
    return Plan(
        order=order,
        contexts=contexts,
        context_index=context_index,
        flips=subsets.sets.take(np.flatnonzero(needed) - context_index * width, axis=0),
        observation_rows=row_of_cell.take(cells),
        signs=(-1.0) ** exponent,
        coalition=coalition,
        group=group[context],
    )


def quadruple_plan(
    contexts: np.ndarray, coalitions: np.ndarray, coalition: np.ndarray, order: int, *, group: np.ndarray
) -> Plan:
    """One observation for each context, of its own coalition: 2^k rows each (four for a pair)."""
    size = coalitions.shape[1]
    chosen = np.array(list(_subsets(size)))
    flips = np.where(chosen, coalitions[coalition][:, None, :], -1)
    return Plan(
        order=order,
        contexts=contexts,
        context_index=np.repeat(np.arange(len(contexts), dtype=np.int32), 2**size),
        flips=flips.reshape(-1, size).astype(np.int32),
        observation_rows=np.arange(len(contexts) * 2**size).reshape(-1, 2**size),
        signs=(-1.0) ** (size - chosen.sum(axis=1)),
        coalition=coalition,
        group=group,
    )


def _subsets(size: int) -> Iterator[tuple[bool, ...]]:
    return itertools.product((False, True), repeat=size)
