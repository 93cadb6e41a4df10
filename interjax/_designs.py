"""Designs: which forward passes to make so that each one serves many interactions. NumPy index work, no values.

An observation of coalition T with context S (|S| = m, S outside T) is  sum over L in T of (-1)^(k-|L|) v(S + L).
A plan lists contexts and rows; a row is one context with a few players flipped, and an observation is a signed sum
of 2^k rows. `quadruple_plan` gives each observation its own context. `block_plan` shares each context among all
wanted coalitions that it leaves free: for S uniform over all coalitions of size m, and any T chosen without looking
at S, S given T outside S is uniform over the contexts of T, so every observation is an unbiased draw. High orders use
the mirror image: U uniform of size m + k, coalitions inside U, players removed instead of added.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterator

import jax
import numpy as np

from interjax._coalitions import draw_coalitions

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
    """The distinct subsets of some coalitions: sets (subsets, k) padded with -1; of (coalitions, 2^k) subset numbers."""

    coalitions: np.ndarray
    sets: np.ndarray
    of: np.ndarray


def closure(coalitions: np.ndarray, n_players: int) -> Closure:
    """Number the distinct subsets of all coalitions (P, k), so that each is evaluated once in a context."""
    size = coalitions.shape[1]
    subsets = np.stack([np.where(chosen, coalitions, -1) for chosen in _subsets(size)], axis=1)
    codes = np.zeros(subsets.shape[:2], np.int64)
    for place in range(
        size
    ):  # members are sorted, so absent ones moved to the front give equal sets equal codes
        codes = codes * (n_players + 1) + np.sort(subsets, axis=-1)[..., place] + 1
    _, first, of = np.unique(codes, return_index=True, return_inverse=True)
    sets = subsets.reshape(-1, size)[first]
    return Closure(coalitions, sets.astype(np.int32), of.reshape(codes.shape))


def share_of_contexts(n_players: int, size: int, order: int) -> float:
    """Probability that a shared context of this order serves a given coalition (in the better of the two forms)."""
    free = order + size if _mirrored(n_players, size, order) else n_players - order
    return math.prod((free - taken) / (n_players - taken) for taken in range(size))


def is_end(n_players: int, size: int, order: int) -> bool:
    """True where a coalition has one context only: nobody, or everybody else."""
    return order in (0, n_players - size)


def plans(
    key: jax.Array,
    n_players: int,
    coalitions: np.ndarray,
    order: int,
    contexts: int,
    *,
    method: str,
    groups: int = 1,
) -> Iterator[Plan]:
    """Pieces of work that give each coalition about `contexts` contexts at one order (one at the end orders).

    With "quadruples" every coalition gets exactly `contexts` contexts of its own. With "blocks" the number is random
    with that mean; a coalition left with fewer than two (or than `contexts`, if smaller) gets contexts of its own.
    """
    contexts = 1 if is_end(n_players, coalitions.shape[1], order) else contexts
    own_key, shared_key = jax.random.split(jax.random.fold_in(key, order))
    missing = np.full(len(coalitions), contexts)
    if method == "blocks":
        counts = np.zeros(len(coalitions), np.int64)
        for plan in _block_plans(shared_key, n_players, coalitions, order, contexts, groups):
            counts += np.bincount(plan.coalition, minlength=len(counts))
            yield plan
        missing = np.maximum(min(2, contexts) - counts, 0)
    yield from _quadruple_plans(own_key, n_players, coalitions, order, missing, groups)


def _block_plans(
    key: jax.Array, n_players: int, coalitions: np.ndarray, order: int, contexts: int, groups: int
) -> Iterator[Plan]:
    size = coalitions.shape[1]
    mirrored = _mirrored(n_players, size, order)
    share = share_of_contexts(n_players, size, order)
    count = math.ceil(contexts / share)
    subsets = closure(coalitions, n_players)
    length = max(1, int(PIECE_ROWS / max(1.0, len(subsets.sets) * share)))
    for first in range(0, count, length):
        drawn = min(length, count - first)
        shared = draw_coalitions(key, n_players, order + size * mirrored, drawn, first=first)
        numbers = np.arange(first, first + drawn)
        yield block_plan(shared, subsets, order, mirrored=mirrored, group=numbers % groups)


def block_plan(
    contexts: np.ndarray, subsets: Closure, order: int, *, mirrored: bool, group: np.ndarray
) -> Plan:
    """Share each context among all coalitions that lie outside it (direct) or inside it (mirrored).

    Args:
        contexts: bool (contexts, n): S of size m, or U of size m + k in the mirrored form.
        subsets: the wanted coalitions with their subsets.
        order: context size m.
        mirrored: whether contexts are U, from which players are removed.
        group: int (contexts,), jackknife group of each context.
    """
    members = contexts[:, subsets.coalitions]
    usable = members.all(axis=-1) if mirrored else ~members.any(axis=-1)
    context, coalition = np.nonzero(usable)
    cells = context[:, None] * len(subsets.sets) + subsets.of[coalition]  # (observations, 2^k)
    needed = np.zeros(len(contexts) * len(subsets.sets), bool)
    needed[cells] = True
    rows = np.flatnonzero(needed)
    row_of_cell = np.cumsum(needed, dtype=np.int64) - 1
    sizes = np.array([sum(chosen) for chosen in _subsets(subsets.coalitions.shape[1])])
    exponent = sizes if mirrored else subsets.coalitions.shape[1] - sizes
    return Plan(
        order=order,
        contexts=contexts,
        context_index=(rows // len(subsets.sets)).astype(np.int32),
        flips=subsets.sets[rows % len(subsets.sets)],
        observation_rows=row_of_cell[cells],
        signs=(-1.0) ** exponent,
        coalition=coalition,
        group=group[context],
    )


def _quadruple_plans(
    key: jax.Array, n_players: int, coalitions: np.ndarray, order: int, contexts: np.ndarray, groups: int
) -> Iterator[Plan]:
    """Pieces with `contexts[p]` independent contexts for coalition p, drawn outside it."""
    numbers = np.repeat(np.arange(len(coalitions)), contexts)
    within = np.arange(len(numbers)) - np.repeat(np.cumsum(contexts) - contexts, contexts)
    length = PIECE_ROWS >> coalitions.shape[1]
    for first in range(0, len(numbers), length):
        coalition = numbers[first : first + length]
        drawn = draw_coalitions(
            key, n_players, order, len(coalition), first=first, absent=coalitions[coalition].astype(np.int32)
        )
        group = within[first : first + length] % groups
        yield quadruple_plan(drawn, coalitions, coalition, order, group=group)


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


def expected_passes(n_players: int, coalitions: np.ndarray, order: int, contexts: int, method: str) -> float:
    """Rows that `plans` will make, on average (exact for quadruples)."""
    size = coalitions.shape[1]
    contexts = 1 if is_end(n_players, size, order) else contexts
    if method == "quadruples":
        return float(len(coalitions) * contexts * 2**size)
    share = share_of_contexts(n_players, size, order)
    players = len(np.unique(coalitions))
    return math.ceil(contexts / share) * (1 + players * share ** (1 / size) + len(coalitions) * share)


def _mirrored(n_players: int, size: int, order: int) -> bool:
    return 2 * order > n_players - size


def _subsets(size: int) -> Iterator[tuple[bool, ...]]:
    return itertools.product((False, True), repeat=size)
