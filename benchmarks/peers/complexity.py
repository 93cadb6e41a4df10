"""Peers for partial information decomposition by shared exclusions: dit, SxPID, and the fast formulas in NumPy.

All take distinct realisations, codes (realisations, n + 1) with the target last, and their probabilities, and return
atoms by antichain, or C. A lattice is made once, before anything is timed: SxPID ships its own as a file.
"""

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

Antichain = tuple[tuple[int, ...], ...]
Clock = Callable[[], float]


def up_sets(n_sources: int) -> list[int]:
    """All families of sets of sources with every superset of a member, as bits 2**n wide (bit A = the set A).

    One more source: a smaller family for the sets without it, a larger one for those with it.
    """
    families = [0, 1]
    for place in range(n_sources):
        width = 1 << place
        families = [small | large << width for small in families for large in families if small & ~large == 0]
    return families


@dataclasses.dataclass(frozen=True)
class Lattice:
    """The antichains of n sources, and for each its up-set and the maximal sets outside it (one for each child)."""

    n_sources: int
    antichains: list[Antichain]
    members: np.ndarray  # bool (antichains, 2**n)
    missing: list[list[int]]

    @classmethod
    @functools.cache
    def of(cls, n_sources: int) -> "Lattice":
        empty_set = 1
        up = [one for one in up_sets(n_sources) if one and not one & empty_set]
        members = np.array([[one >> place & 1 for place in range(1 << n_sources)] for one in up], bool)
        places = np.arange(1 << n_sources)
        smaller = members[:, places[:, None] & ~(1 << np.arange(n_sources))]  # with one source less
        larger = members[:, places[:, None] | 1 << np.arange(n_sources)]
        own = places[:, None] >> np.arange(n_sources) & 1 == 1
        minimal = members & ~(smaller & own).any(-1)
        maximal = ~members & (larger | own).all(-1) & (places > 0)
        chains = [tuple(sorted(map(sources_of, np.flatnonzero(row)), key=in_order)) for row in minimal]
        return cls(n_sources, chains, members, [np.flatnonzero(row).tolist() for row in maximal])


def sources_of(place: int) -> tuple[int, ...]:
    return tuple(source for source in range(int(place).bit_length()) if place >> source & 1)


def in_order(one: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    return len(one), one


def realisations_of(sources: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows (s, t) of samples and their frequencies."""
    codes, counts = np.unique(np.column_stack([sources, target]), axis=0, return_counts=True)
    return codes, counts / counts.sum()


# dit


def by_dit(codes: np.ndarray, probabilities: np.ndarray, clock: Clock) -> tuple[dict[Antichain, float], float]:
    """Atoms by dit's shared-exclusion measure, and the seconds without its import."""
    import dit

    n_sources = codes.shape[1] - 1
    joint = dit.Distribution(list(map(tuple, codes.tolist())), probabilities)
    start = clock()
    found = dit.pid.PID_SX(joint, [[source] for source in range(n_sources)], [n_sources])
    atoms = {node: float(found.get_pi(node)) for node in found._lattice}
    seconds = clock() - start
    return {tuple(sorted(node, key=in_order)): value for node, value in atoms.items()}, seconds


# SxPID: Makkeh, Gutknecht, Wibral, Phys. Rev. E 103, 032149 (2021), and their released program


@dataclasses.dataclass(frozen=True)
class Unions:
    """An antichain and its children as masks (sets, n + 1), False at the target."""

    own: np.ndarray
    children: list[np.ndarray]
    signs: np.ndarray

    @classmethod
    def of(cls, lattice: Lattice, place: int, place_of: dict[bytes, int]) -> "Unions":
        children = []
        for one in lattice.missing[place]:
            row = lattice.members[place].copy()
            row[one] = True
            children.append(masks_of(lattice.antichains[place_of[row.tobytes()]], lattice.n_sources))
        signs = functools.reduce(lambda found, _: np.concatenate([found, -found]), children, np.array([1.0]))
        return cls(masks_of(lattice.antichains[place], lattice.n_sources), children, signs)


def masks_of(antichain: Antichain, n_sources: int) -> np.ndarray:
    masks = np.zeros((len(antichain), n_sources + 1), bool)
    for row, one in zip(masks, antichain, strict=True):
        row[list(one)] = True
    return masks


def probability_of_union(masks: np.ndarray, same: np.ndarray, probabilities: np.ndarray) -> float:
    """P of the realisations that agree on at least one of the sets; `same` (realisations, n + 1) is compared whole."""
    union = np.all(~masks[0] | same, axis=-1)
    for mask in masks[1:]:
        union |= np.all(~mask | same, axis=-1)
    return np.sum(probabilities, where=union)


def pointwise_part(unions: Unions, same: np.ndarray, probabilities: np.ndarray, scale: float = 1.0) -> float:
    """pi of one antichain at one realisation: a signed sum of -log2 over all sets of its children.

    P of the meet of some children = P(alpha) + the sum of their P(child) - P(alpha).
    """
    base = probability_of_union(unions.own, same, probabilities)
    sums = np.array([base])
    for one in unions.children:
        sums = np.concatenate([sums, sums + (probability_of_union(one, same, probabilities) - base)])
    return -float(unions.signs @ np.log2(sums / scale))


def by_sxpid(
    codes: np.ndarray, probabilities: np.ndarray, limit: float, clock: Clock
) -> tuple[dict[Antichain, float], float, int]:
    """Atoms as SxPID finds them: at each realisation, every union of every antichain and of its children, by comparing
    with all realisations in NumPy; atoms, seconds, and how many realisations were done when the limit came.

    Comparisons: realisations**2 x sets of all antichains and children x 2. Stopped before the last realisation, the
    atoms are incomplete; every realisation costs the same, so seconds extend in proportion. One process.
    """
    lattice = Lattice.of(codes.shape[1] - 1)
    place_of = {row.tobytes(): place for place, row in enumerate(lattice.members)}
    nodes = [Unions.of(lattice, place, place_of) for place in range(len(lattice.antichains))]
    with_target = [
        dataclasses.replace(one, own=joint(one.own), children=list(map(joint, one.children))) for one in nodes
    ]
    atoms = np.zeros(len(nodes))
    start, done = clock(), 0
    for row, probability in zip(codes, probabilities, strict=True):
        same = codes == row
        of_target = float(probabilities[same[:, -1]].sum())
        for place, (plain, joined) in enumerate(zip(nodes, with_target, strict=True)):
            informative = pointwise_part(plain, same, probabilities)
            atoms[place] += probability * (informative - pointwise_part(joined, same, probabilities, of_target))
        done += 1
        if clock() - start > limit:
            break
    return dict(zip(lattice.antichains, atoms.tolist(), strict=True)), clock() - start, done


def joint(masks: np.ndarray) -> np.ndarray:
    """The same sets together with the target."""
    return np.column_stack([masks[:, :-1], np.ones(len(masks), bool)])


# The formulas of the fast evaluation, in NumPy


def agreement_histograms(codes: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """q_s[A] = P of the realisations that agree with s exactly on A, (2, realisations, 2**n); [1] jointly with t."""
    n_sources = codes.shape[1] - 1
    found = np.empty((2, 1 << n_sources, len(codes)))
    levels = int(codes.max()) + 1
    for place in range(1 << n_sources):
        for kind, columns in enumerate(([*sources_of(place)], [*sources_of(place), n_sources])):
            keys = np.zeros(len(codes), np.int64)
            for column in columns:
                keys = keys * levels + codes[:, column]
            inverse = np.unique(keys, return_inverse=True)[1]
            found[kind, place] = np.bincount(inverse, probabilities)[inverse]
    for source in range(n_sources):
        halves = found.reshape(2, -1, 2, 1 << source, len(codes))
        halves[:, :, 0] -= halves[:, :, 1]
    return found


def mean_redundancies(unions: np.ndarray, histograms: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """The mean of log2 P(t, W) / P(W) of up-sets (rows, 2**n), in blocks that fit the cache."""
    rows = max(1, (1 << 22) // len(probabilities))
    means = []
    for first in range(0, len(unions), rows):
        block = unions[first : first + rows].astype(float)
        plain, joined = block @ histograms[0], block @ histograms[1]
        np.divide(joined, plain, out=joined)
        means.append(np.log2(joined, out=joined) @ probabilities)
    return np.concatenate(means)


def target_entropy(codes: np.ndarray, probabilities: np.ndarray) -> float:
    of_target = np.bincount(codes[:, -1], probabilities)
    return -float(probabilities @ np.log2(of_target[codes[:, -1]]))


def atoms_by_numpy(codes: np.ndarray, probabilities: np.ndarray, moebius: sparse.csr_array) -> np.ndarray:
    """Atoms in the lattice's order: histograms, times the 0/1 matrix of up-sets, times the sparse Moebius matrix."""
    lattice = Lattice.of(codes.shape[1] - 1)
    histograms = agreement_histograms(codes, probabilities)
    means = mean_redundancies(lattice.members, histograms, probabilities)
    return moebius @ (means + target_entropy(codes, probabilities))


def moebius_matrix(lattice: Lattice) -> sparse.csr_array:
    """Signs: Pi(alpha) = sum over sets Y of the maximal sets outside up(alpha) of (-1)^|Y| I_cap(up(alpha) with Y)."""
    powers = [1 << place for place in range(1 << lattice.n_sources)]
    keys = [sum(powers[place] for place in np.flatnonzero(row)) for row in lattice.members]
    place_of = {key: place for place, key in enumerate(keys)}
    entries: dict[str, list[Any]] = {"row": [], "column": [], "sign": []}
    for row, (key, missing) in enumerate(zip(keys, lattice.missing, strict=True)):
        signed = [(key, 1.0)]
        for one in missing:
            signed += [(other | powers[one], -sign) for other, sign in signed]
        entries["row"] += [row] * len(signed)
        entries["column"] += [place_of[other] for other, _ in signed]
        entries["sign"] += [sign for _, sign in signed]
    shape = (len(keys), len(keys))
    return sparse.csr_array((entries["sign"], (entries["row"], entries["column"])), shape=shape)


def complexity_by_numpy(codes: np.ndarray, probabilities: np.ndarray, clock: Clock = time.perf_counter) -> float:
    """C = n - (1/I) sum of S_k, by all families of k-subsets, made as they are used."""
    n_sources = codes.shape[1] - 1
    histograms = agreement_histograms(codes, probabilities)
    entropy = target_entropy(codes, probabilities)
    whole = np.zeros((1, 1 << n_sources))
    whole[0, -1] = 1
    information = float(mean_redundancies(whole, histograms, probabilities)[0] + entropy)
    below = 0.0
    for size in range(1, n_sources):
        sets = [sum(1 << source for source in one) for one in itertools.combinations(range(n_sources), size)]
        columns = np.array([place for place in range(1 << n_sources) if place.bit_count() >= size])
        holds = (columns[None, :] & np.array(sets)[:, None]) == np.array(sets)[:, None]
        narrow = np.ascontiguousarray(histograms[:, columns])
        below += entropy  # the signs of the non-empty families sum to one
        for first in range(1, 1 << len(sets), 1 << 14):
            families = np.arange(first, min(first + (1 << 14), 1 << len(sets)))
            chosen = families[:, None] >> np.arange(len(sets)) & 1
            signs = np.where(chosen.sum(1) % 2, 1.0, -1.0)
            below += float(signs @ mean_redundancies(chosen @ holds > 0, narrow, probabilities))
    return n_sources - below / information
