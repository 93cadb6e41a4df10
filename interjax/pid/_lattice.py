"""The redundancy lattice: antichains of sets of sources, as up-sets, with the Moebius inversion between them.

An antichain alpha stands for its up-set up(alpha), the sets of sources that contain one of its members. An up-set is a
bit mask: bit A is set if the set number A belongs to it. alpha lies below beta where up(alpha) contains up(beta).
"""

import dataclasses
import functools
import itertools

import numpy as np
import scipy.sparse

from interjax.games._coalitions import players_in

MOST_SOURCES = 5
"""The lattice of 6 sources has 7,828,352 antichains."""

Antichain = tuple[tuple[int, ...], ...]


@dataclasses.dataclass(frozen=True)
class Lattice:
    """The redundancy lattice of n sources.

    Args:
        antichains: ordered by their number of sets, then by the sets in the order (size, lexicographic).
        members: whether a set belongs to the up-set, bool (antichains, 2**n).
        degrees: degree of synergy m(alpha), the size of the smallest set, (antichains,).
        moebius: sparse (antichains, antichains) with atoms = moebius @ redundancies.
    """

    antichains: tuple[Antichain, ...]
    members: np.ndarray
    degrees: np.ndarray
    moebius: scipy.sparse.csr_array


@functools.lru_cache(maxsize=4)
def lattice_of(n_sources: int) -> Lattice:
    """Enumerate the lattice of n = 1..5 sources and its inversion.

    The up-sets form a distributive lattice, in which
        Pi(alpha) = sum over subsets Y of the maximal non-members of up(alpha) of (-1)^|Y| I_cap(up(alpha) with Y).
    """
    up_sets = _up_sets(n_sources)
    members = (up_sets[:, None] >> np.arange(2**n_sources, dtype=np.uint64)) & np.uint64(1) == 1
    minimal, maximal = _extremes(members, n_sources)
    sets = sorted(range(1, 2**n_sources), key=lambda number: (number.bit_count(), players_in(number)))
    place = {number: rank for rank, number in enumerate(sets)}
    described = [sorted(place[int(number)] for number in np.flatnonzero(row)) for row in minimal]
    order = sorted(range(len(up_sets)), key=lambda row: (len(described[row]), described[row]))
    antichains = tuple(tuple(players_in(sets[rank]) for rank in described[row]) for row in order)
    degrees = np.array([min(map(len, antichain)) for antichain in antichains])
    return Lattice(antichains, members[order], degrees, _inversion(up_sets[order], maximal[order]))


def _up_sets(n_sources: int) -> np.ndarray:
    """All up-sets that are neither empty nor hold the empty set, as bit masks, uint64.

    A monotone function of n sources is a pair of such functions of n - 1, without and with source n, the first of which
    implies the second.
    """
    functions = np.array([0, 1], np.uint64)
    for number in range(n_sources):
        without, with_it = functions[:, None], functions[None, :]
        implies = without & ~with_it == 0
        functions = (without | with_it << np.uint64(2**number))[implies]
    return functions[(functions != 0) & (functions & np.uint64(1) == 0)]


def _extremes(members: np.ndarray, n_sources: int) -> tuple[np.ndarray, np.ndarray]:
    """Minimal members of each up-set, and its maximal non-members but the empty set; bool (up-sets, 2**n)."""
    minimal, maximal = members.copy(), ~members
    number = np.arange(2**n_sources)
    for source in range(n_sources):
        has = number >> source & 1 == 1
        smaller, larger = number & ~(1 << source), number | 1 << source
        minimal &= ~(has & members[:, smaller])
        maximal &= has | members[:, larger]
    maximal[:, 0] = False
    return minimal, maximal


def _inversion(up_sets: np.ndarray, maximal: np.ndarray) -> scipy.sparse.csr_array:
    """The Moebius inversion; up-sets with the same number of maximal non-members are done together."""
    ordered = np.argsort(up_sets)
    counts = maximal.sum(axis=1)
    rows, columns, signs = [], [], []
    for count in np.unique(counts):
        these = np.flatnonzero(counts == count)
        added = np.uint64(1) << np.nonzero(maximal[these])[1].reshape(len(these), count).astype(np.uint64)
        for chosen in itertools.product([False, True], repeat=int(count)):
            joined = up_sets[these] | np.bitwise_or.reduce(added[:, list(chosen)], axis=1, initial=0)
            rows.append(these)
            columns.append(ordered[np.searchsorted(up_sets, joined, sorter=ordered)])
            signs.append(np.full(len(these), (-1.0) ** sum(chosen)))
    entries = (np.concatenate(signs), (np.concatenate(rows), np.concatenate(columns)))
    return scipy.sparse.csr_array(entries, shape=(len(up_sets), len(up_sets)))
