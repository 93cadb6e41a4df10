"""Distributions of sources and target whose every probability is known, and plug-in corrections of I from counts.

Each is a mixture of products, P(s, t) = sum over z of P(z) P(t|z) prod over i of P_i(s_i|z), with a hidden cause z that
has few values; then all realisations can be listed. Realisations below `LEAST_PROBABILITY` are left out of the
distribution itself, so that truth and samples are of the same.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy.stats import norm

LEAST_PROBABILITY = 1e-9
STYLES = 3  # of each class: what activations of one class have in common beside it


@dataclasses.dataclass(frozen=True)
class Known:
    """Realisations (realisations, n + 1), the target last, with their probabilities; what they were made from."""

    family: str
    settings: dict[str, Any]
    realisations: np.ndarray
    probabilities: np.ndarray

    def draw(self, random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Sources (count, n) and target (count,)."""
        ends = np.cumsum(self.probabilities)
        rows = self.realisations[np.searchsorted(ends, random.random(count) * ends[-1], side="right")]
        return rows[:, :-1], rows[:, -1]


def mixture(family: str, settings: dict, causes: np.ndarray, labels: np.ndarray, sources: np.ndarray) -> Known:
    """The distribution with P(z), (causes,), P(t|z), (causes, classes), and P_i(s_i|z), (causes, n, levels)."""
    products = np.ones((len(causes), 1))
    for i in range(sources.shape[1]):
        products = (products[:, :, None] * sources[:, i, None, :]).reshape(len(causes), -1)
    shape = (sources.shape[2],) * sources.shape[1] + (labels.shape[1],)
    joint = ((causes[:, None] * products).T @ labels).reshape(shape)
    return listed(family, settings, joint)


def listed(family: str, settings: dict, joint: np.ndarray) -> Known:
    kept = np.argwhere(joint >= LEAST_PROBABILITY)
    probabilities = joint[tuple(kept.T)]
    return Known(family, settings, kept, probabilities / probabilities.sum())


def flipped(classes: int, share: float) -> np.ndarray:
    """P(label | class) where a share of labels is drawn anew."""
    return (1 - share) * np.eye(classes) + share / classes


def network_like(random: np.random.Generator, n: int, levels: int, classes: int) -> Known:
    """tanh of Gaussians around a mean for each class and style, rounded to levels on [-1, 1]; some labels are wrong."""
    spread, noise = np.exp(random.uniform(np.log([0.15, 0.05]), np.log([1.5, 0.8])))
    flips = float(random.choice([0.0, 0.2]))
    means = spread * random.normal(size=(classes, 1, n)) + spread / 3 * random.normal(size=(classes, STYLES, n))
    ends = np.arctanh((2 * np.arange(levels - 1) + 1) / (levels - 1) - 1)
    below = norm.cdf((ends - means.reshape(-1, n, 1)) / noise)
    sources = np.diff(below, axis=2, prepend=0.0, append=1.0)
    causes = np.full(classes * STYLES, 1 / (classes * STYLES))
    settings = {"n": n, "levels": levels, "classes": classes, "spread": spread, "noise": noise, "flips": flips}
    return mixture("network", settings, causes, np.repeat(flipped(classes, flips), STYLES, axis=0), sources)


def independent(random: np.random.Generator, n: int, levels: int, classes: int) -> Known:
    """Sources and target have nothing to do with each other: I = 0, and C does not exist."""
    sources = random.dirichlet(np.full(levels, 3.0), size=(1, n))
    labels = random.dirichlet(np.full(classes, 10.0), size=1)
    return mixture("independent", {"n": n, "levels": levels, "classes": classes}, np.ones(1), labels, sources)


def synergistic(random: np.random.Generator, n: int, levels: int, classes: int) -> Known:
    """The target is the sum of all codes modulo the classes; some targets are drawn anew."""
    flips = float(random.choice([0.0, 0.2, 0.5]))
    sources = random.dirichlet(np.full(levels, 3.0), size=n)
    joint = sources[0]
    for one in sources[1:]:
        joint = np.multiply.outer(joint, one)
    sums = sum(np.ogrid[(slice(levels),) * n]) % classes
    settings = {"n": n, "levels": levels, "classes": classes, "flips": flips}
    return listed("synergistic", settings, joint[..., None] * flipped(classes, flips)[sums])


def redundant(random: np.random.Generator, n: int, levels: int, classes: int) -> Known:
    """Each source is a copy of one symbol, some copies wrong; the target is the symbol modulo the classes, or wrong."""
    flips, errors = float(random.choice([0.0, 0.2])), float(random.choice([0.01, 0.1, 0.4]))
    causes = random.dirichlet(np.full(levels, 3.0))
    labels = flipped(classes, flips)[np.arange(levels) % classes]
    sources = np.repeat(flipped(levels, errors)[:, None, :], n, axis=1)
    settings = {"n": n, "levels": levels, "classes": classes, "flips": flips, "errors": errors}
    return mixture("redundant", settings, causes, labels, sources)


FAMILIES = {"network": network_like, "independent": independent, "synergistic": synergistic, "redundant": redundant}


# I from counts


def codes_of(sources: np.ndarray) -> np.ndarray:
    """One number for each row, from 0."""
    numbers = np.ravel_multi_index(tuple(sources.T), tuple(sources.max(axis=0) + 1))
    return np.unique(numbers, return_inverse=True)[1]


def counts_of(codes: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How often each realisation of (s, t), of s and of t was seen; those that were not are left out."""
    joint = codes * (int(target.max()) + 1) + target
    return tuple(found[found > 0] for found in map(np.bincount, (joint, codes, target)))  # type: ignore[return-value]


def plug_in(counts: np.ndarray) -> float:
    share = counts / counts.sum()
    return float(-np.sum(share * np.log2(share)))


def miller_madow(counts: np.ndarray) -> float:
    """Plus (R - 1) / (2 N ln 2) bits for R symbols seen (Miller 1955)."""
    return plug_in(counts) + (len(counts) - 1) / (2 * counts.sum() * np.log(2))


def chao_shen(counts: np.ndarray) -> float:
    """Horvitz-Thompson sum over symbols with shares shrunk by Good's coverage (Chao and Shen 2003)."""
    total = counts.sum()
    coverage = 1 - np.sum(counts == 1) / total or 1 / total
    share = coverage * counts / total
    return float(-np.sum(share * np.log2(share) / -np.expm1(total * np.log1p(-np.minimum(share, 1 - 1e-12)))))


ENTROPIES = {"miller_madow": miller_madow, "chao_shen": chao_shen}


def informations(sources: np.ndarray, target: np.ndarray, random: np.random.Generator) -> dict[str, float]:
    """I in bits by each correction.

    "halves" extrapolates from all samples and halves of them with a bias a/N, "quarters" from quarters, too, with a
    bias a/N + b/N^2.
    """
    codes = codes_of(sources)
    counts = counts_of(codes, target)
    found = {name: entropy(counts[1]) + entropy(counts[2]) - entropy(counts[0]) for name, entropy in ENTROPIES.items()}

    def of_parts(parts: int) -> float:
        values = []
        for _ in range(5):
            for rows in np.array_split(random.permutation(len(codes)), parts):
                joint, source, label = map(plug_in, counts_of(codes[rows], target[rows]))
                values.append(source + label - joint)
        return float(np.mean(values))

    joint, source, label = map(plug_in, counts)
    whole, of_halves = source + label - joint, of_parts(2)
    found["halves"] = 2 * whole - of_halves
    found["quarters"] = (8 * whole - 6 * of_halves + of_parts(4)) / 3
    return found
