"""Representational complexity of layers too large for it: of random subsets of their sources."""

import collections
import itertools
import math
import re
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from interjax._core._checks import check_count
from interjax._core._estimate import Estimate
from interjax._core._keys import check_key, host_generator
from interjax._core._results import Saved, result, static_field
from interjax._engine._devices import as_mesh
from interjax.pid._complexity import MOST_SOURCES, Complexity, representational_complexity
from interjax.pid._realisations import realisations_of
from interjax.pid._trust import check_resamples

_MOST_LISTED = 100_000  # subsets drawn from a list of all; of more, subsets are drawn until enough differ


@result
class SubsetComplexity(Saved):
    """Representational complexities C of random subsets of the sources, and their mean.

    Attributes:
        value: mean of C over the drawn subsets in which it is defined; NaN where there is none.
        stderr: standard error of this mean as an estimate of the mean over all subsets, 0 where all were taken, NaN
            where only one is defined. What the finite number of samples does to C, alike in all subsets, is not in it.
        subsets: source indices, increasing, (count, size).
        complexities: C of each subset, NaN where I = 0, (count,).
        informations: plug-in I(S;T) in bits of each subset, (count,).
        by_degree: information in bits by degree of synergy 1..size of each subset, (count, size).
        is_reliable: verdict on each subset, (count,).
        n_possible: number of different subsets.
        n_samples: number of samples; None for a known distribution.
        reliable: whether every subset is reliable; `share_reliable` tells how many are.
        reason: the most frequent reason of the unreliable subsets and their number, or that of the first reliable one.
        n_realisations: number of distinct realisations of each subset with the target, (count,).
        coverages, corrected_informations, null_informations: those of `Trust` for each subset, (count,), (count,) and
            (count, shuffles); None for a known distribution.
        corrected_complexities, complexity_stderrs, null_complexities: those of `Complexity` for each subset, (count,),
            (count,) and (count, resamples / 2); None without resampling.
    """

    value: float
    stderr: float
    subsets: np.ndarray
    complexities: np.ndarray
    informations: np.ndarray
    by_degree: np.ndarray
    is_reliable: np.ndarray
    n_realisations: np.ndarray
    n_possible: int = static_field()
    n_samples: int | None = static_field()
    reliable: bool = static_field()
    reason: str = static_field()
    coverages: np.ndarray | None = None
    corrected_informations: np.ndarray | None = None
    null_informations: np.ndarray | None = None
    corrected_complexities: np.ndarray | None = None
    complexity_stderrs: np.ndarray | None = None
    null_complexities: np.ndarray | None = None

    @property
    def n_defined(self) -> int:
        """Number of subsets with information about the target."""
        return int(np.sum(np.isfinite(self.complexities)))

    @property
    def share_reliable(self) -> float:
        """Share of the drawn subsets whose complexity is reliable."""
        return float(np.mean(self.is_reliable))

    @property
    def freedom(self) -> int:
        """Degrees of freedom of stderr, the subsets with information less 1; 0 where that leaves none."""
        return max(self.n_defined - 1, 0)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The mean of C over all subsets at a level in (0, 1): value -+ t stderr, Student's t; NaN where stderr is.

        It covers what other subsets would change, nothing else: where all were taken it is one point, though other
        samples would give another mean. How far C of each subset may be off, `complexity_stderrs` tell.

        Raises:
            ValueError: for a level outside (0, 1).
        """
        lower, upper = Estimate(self.value, self.stderr, max(self.freedom, 1)).interval(level)
        return float(lower), float(upper)


def subset_complexity(
    key: Array,
    sources: Any,
    target: Any,
    *,
    size: int = 5,
    count: int = 26,
    weights: Any = None,
    resamples: int = 0,
    mesh: Mesh | None = None,
) -> SubsetComplexity:
    """Mean representational complexity of random subsets of the sources, for layers of more than six.

        value = (1 / count) sum over subsets B of C(S_B; T),   |B| = size,
        stderr = sqrt((1 - count / binomial(n, size)) / count) * (standard deviation of C over the drawn subsets)

    Subsets are drawn uniformly and without replacement; all are taken where there are no more than `count`. C of a
    subset lies between 1 and `size` and not n, so that values of different sizes are not comparable.

    Args:
        key: `jax.random.key` of subsets, shuffles and halves. All subsets see the same shuffles and halves.
        sources: (samples, n), any hashable symbols, n >= size: usually a layer's activations after `quantise`.
        target: (samples,), any hashable symbols: usually the labels.
        size: sources in each subset, 2..6. Larger ones see synergies of more sources, and need more samples.
        count: number of subsets, at least 2; more lessen stderr.
        weights: None where each row is a sample; else the probability of each row, summing to one.
        resamples: halves of the samples, and half as many shuffled targets, of which each C is computed; an even
            number. With 0 the verdict rests on the information alone.
        mesh: devices that realisations are spread over; by default all local accelerators.

    Returns:
        The mean with its standard error, and C, information and verdict of each subset.

    Raises:
        ValueError: fewer sources than `size`, a size outside 2..6, fewer than two subsets, and whatever
            `representational_complexity` refuses.

    Example:
        >>> import interjax as ij
        >>> bit = np.arange(200) % 2
        >>> copies = ij.pid.subset_complexity(jax.random.key(0), np.stack([bit] * 8, axis=1), bit, size=3, count=4)
        >>> copies.subsets.shape, round(copies.value, 6), copies.reliable
        ((4, 3), 1.0, True)

    References:
        Ehrlich et al., TMLR 2023, arXiv:2209.10438 (26 random 5-subsets of a layer of 10 neurons).
    """
    check_key(key)
    mesh, resamples = as_mesh(mesh), check_resamples(resamples)
    found = realisations_of(sources, target, weights)
    size, count = _checked(found.n_sources, size, count)
    codes = found.sources[found.rows]
    kept = None if weights is None else np.asarray(weights)[np.asarray(weights) > 0]
    subsets = _drawn(jax.random.fold_in(key, 0), found.n_sources, size, count)
    how: dict[str, Any] = {"key": jax.random.fold_in(key, 1), "resamples": resamples, "mesh": mesh}
    each = [representational_complexity(codes[:, subset], found.labels, kept, **how) for subset in subsets]
    return _summary(each, subsets, math.comb(found.n_sources, size))


def _checked(n_sources: int, size: int, count: int) -> tuple[int, int]:
    size = check_count("size", size, least=2, most=MOST_SOURCES)
    if size > n_sources:
        raise ValueError(
            f"size must be at most the {n_sources} sources, got {size}: use ij.pid.representational_complexity for all "
            "of them, or a smaller size"
        )
    return size, check_count("count", count, least=2, about="the number of subsets")


def _drawn(key: Array, n_sources: int, size: int, count: int) -> np.ndarray:
    """Different subsets, drawn uniformly; increasing within a row, rows in lexicographic order, (count, size)."""
    n_possible = math.comb(n_sources, size)
    random = host_generator(key)
    if n_possible <= max(_MOST_LISTED, count):
        every = np.array(list(itertools.combinations(range(n_sources), size)))
        return every[np.sort(random.choice(n_possible, min(count, n_possible), replace=False))]
    chosen: set[tuple[int, ...]] = set()
    while len(chosen) < count:
        chosen.add(tuple(sorted(random.choice(n_sources, size, replace=False).tolist())))
    return np.array(sorted(chosen))


def _summary(each: list[Complexity], subsets: np.ndarray, n_possible: int) -> SubsetComplexity:
    def column(name: str) -> Any:
        """One field of all subsets; None where it is missing."""
        values = [getattr(one, name) for one in each]
        return None if values[0] is None else np.array(values)

    complexities = column("value")
    defined = complexities[np.isfinite(complexities)]
    value = float(defined.mean()) if len(defined) else math.nan
    is_reliable = column("reliable")
    return SubsetComplexity(
        value,
        _standard_error(defined, len(each), n_possible),
        subsets,
        complexities,
        column("information"),
        column("by_degree"),
        is_reliable,
        column("n_realisations"),
        n_possible=n_possible,
        n_samples=each[0].n_samples,
        reliable=bool(is_reliable.all()),
        reason=_reason([one.reason for one in each], is_reliable),
        coverages=column("coverage"),
        corrected_informations=column("corrected_information"),
        null_informations=column("null_information"),
        corrected_complexities=column("corrected"),
        complexity_stderrs=column("stderr"),
        null_complexities=column("null_complexity"),
    )


def _standard_error(defined: np.ndarray, count: int, n_possible: int) -> float:
    """Of the mean over a simple random sample without replacement."""
    if len(defined) and count == n_possible:
        return 0.0
    if len(defined) < 2:
        return math.nan
    return float(math.sqrt((1 - count / n_possible) / len(defined)) * np.std(defined, ddof=1))


def _reason(reasons: list[str], is_reliable: np.ndarray) -> str:
    """Reasons that differ in their numbers alone count as one."""
    if is_reliable.all():
        return f"all {len(reasons)} subsets are reliable; of the first: {reasons[0]}"
    problems = [reason for reason, fine in zip(reasons, is_reliable, strict=True) if not fine]
    kinds = [re.sub(r"[\d.,]+(e[-+]\d+)?", "", problem) for problem in problems]
    kind, frequency = collections.Counter(kinds).most_common(1)[0]
    return (
        f"{len(problems)} of {len(reasons)} subsets are unreliable, {frequency} of them for this reason: "
        f"{problems[kinds.index(kind)]}"
    )
