"""Partial information decomposition by shared exclusions, slowly and from the definitions; nothing is from interjax.

Every union W_alpha(s) is found by comparing all pairs of realisations, antichains are picked out of all families of
sets, and the Moebius inversion solves I_cap(alpha) = sum of Pi(beta) over beta <= alpha as a linear system.
"""

import collections
import dataclasses
import functools
import itertools

import numpy as np

Antichain = tuple[tuple[int, ...], ...]


@dataclasses.dataclass(frozen=True)
class Reference:
    """All that a decomposition says, in bits; pointwise arrays are (realisations, antichains)."""

    realisations: list
    probabilities: np.ndarray
    antichains: list[Antichain]
    pointwise_informative: np.ndarray
    pointwise_misinformative: np.ndarray
    redundancies: np.ndarray
    information: float

    @property
    def pointwise(self):
        return self.pointwise_informative - self.pointwise_misinformative

    @property
    def informative(self):
        return self.probabilities @ self.pointwise_informative

    @property
    def misinformative(self):
        return self.probabilities @ self.pointwise_misinformative

    @property
    def atoms(self):
        return self.probabilities @ self.pointwise

    @property
    def by_degree(self):
        n_sources = len(self.realisations[0]) - 1
        degrees = np.array([min(map(len, antichain)) for antichain in self.antichains])
        return np.array([self.atoms[degrees == degree].sum() for degree in range(1, n_sources + 1)])

    @property
    def complexity(self):
        degrees = np.arange(1, len(self.by_degree) + 1)
        return float(degrees @ self.by_degree / self.information)


def subsets(n_sources):
    """The non-empty sets of sources in the order (size, lexicographic)."""
    sizes = range(1, n_sources + 1)
    return [one for size in sizes for one in itertools.combinations(range(n_sources), size)]


@functools.cache
def antichains(n_sources):
    """Families of sets of which none holds another, by number of sets, then by the sets in their order."""
    sets = subsets(n_sources)
    most = 6 if n_sources == 4 else 3  # the largest binomial coefficient, by Sperner's theorem
    families = itertools.chain.from_iterable(itertools.combinations(sets, size) for size in range(1, most + 1))
    return [family for family in families if not any(set(a) < set(b) for a, b in itertools.permutations(family, 2))]


def is_below(alpha, beta):
    """alpha <= beta on the redundancy lattice: every set of beta holds a set of alpha."""
    return all(any(set(a) <= set(b) for a in alpha) for b in beta)


@functools.cache
def order(n_sources):
    """1 where the antichain of the column is below (or is) that of the row."""
    chains = antichains(n_sources)
    return np.array([[float(is_below(beta, alpha)) for beta in chains] for alpha in chains])


def distribution(sources, target, weights=None):
    """Distinct realisations (s_1, ..., s_n, t), in order of appearance, and their probabilities."""
    rows = [(*row, label) for row, label in zip(np.asarray(sources).tolist(), np.asarray(target).tolist(), strict=True)]
    mass = collections.Counter()
    for row, weight in zip(rows, np.full(len(rows), 1 / len(rows)) if weights is None else weights, strict=True):
        mass[row] += float(weight)
    realisations = [row for row in mass if mass[row] > 0]
    return realisations, np.array([mass[row] for row in realisations])


def agreements(realisations):
    """For each set of sources, which pairs of realisations agree on all of it; and which agree on the target."""
    n_sources = len(realisations[0]) - 1
    pairs = [[[a == b for a, b in zip(one, other, strict=True)] for other in realisations] for one in realisations]
    same = np.array(pairs)
    return {one: same[..., list(one)].all(-1) for one in subsets(n_sources)}, same[..., -1]


def redundancy_parts(antichain, agree, same_target, probabilities):
    """i+ = -log2 P(W) and i- = -log2 P(t, W) / P(t) for every realisation."""
    union = np.zeros_like(same_target)
    for one in antichain:
        union |= agree[one]
    informative = -np.log2(union @ probabilities)
    misinformative = -np.log2(((union & same_target) @ probabilities) / (same_target @ probabilities))
    return informative, misinformative


def decompose(sources, target, weights=None):
    """The decomposition of two to four sources."""
    realisations, probabilities = distribution(sources, target, weights)
    n_sources = len(realisations[0]) - 1
    agree, same_target = agreements(realisations)
    chains = antichains(n_sources)
    parts = np.array([redundancy_parts(one, agree, same_target, probabilities) for one in chains])
    informative, misinformative = (np.linalg.solve(order(n_sources), parts[:, part]).T for part in (0, 1))
    redundancies = (parts[:, 0] - parts[:, 1]) @ probabilities
    information = redundancies[chains.index((tuple(range(n_sources)),))]
    return Reference(realisations, probabilities, chains, informative, misinformative, redundancies, float(information))


def redundancies(sources, target, chains, weights=None):
    """I_cap of the given antichains, of any number of sources."""
    realisations, probabilities = distribution(sources, target, weights)
    agree, same_target = agreements(realisations)
    parts = [redundancy_parts(one, agree, same_target, probabilities) for one in chains]
    return np.array([(plus - minus) @ probabilities for plus, minus in parts])


def entropy(columns, weights=None):
    """H in bits of the rows, by counting."""
    rows = [tuple(row) for row in np.asarray(columns).reshape(len(columns), -1).tolist()]
    mass = collections.Counter()
    for row, weight in zip(rows, np.full(len(rows), 1 / len(rows)) if weights is None else weights, strict=True):
        mass[row] += float(weight)
    probabilities = np.array([one for one in mass.values() if one > 0])
    return float(-(probabilities * np.log2(probabilities)).sum())


def mutual_information(sources, target, weights=None):
    """I(S; T) = H(S) + H(T) - H(S, T)."""
    sources, target = np.asarray(sources, dtype=object), np.asarray(target, dtype=object)
    sources = sources.reshape(len(target), -1)
    joint = np.column_stack([sources, target])
    return entropy(sources, weights) + entropy(target, weights) - entropy(joint, weights)


def invariants(sources, target, weights=None):
    """r = sum of I(S_i; T) / I and v = sum of I(S_i; T | the others) / I, by entropies."""
    sources = np.asarray(sources, dtype=object)
    whole = mutual_information(sources, target, weights)
    places = range(sources.shape[1])
    each = sum(mutual_information(sources[:, place], target, weights) for place in places)
    rest = sum(whole - mutual_information(np.delete(sources, place, axis=1), target, weights) for place in places)
    return each / whole, rest / whole
