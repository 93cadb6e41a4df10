"""Representational complexity: of how many sources at once a representation's information must be read."""

import math
from typing import Any

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from interjax._core._estimate import Estimate
from interjax._core._results import Saved, result, static_field
from interjax._engine._devices import as_mesh
from interjax.pid._agreement import joint_agreement, source_agreement
from interjax.pid._families import alternating_logs
from interjax.pid._information import NO_INFORMATION, information_of
from interjax.pid._realisations import Realisations, realisations_of
from interjax.pid._redundancy import is_exact_in_float32
from interjax.pid._trust import Trust, error_of, extrapolated, halves_of, optional_key, orders, pairs_of, trust_in

MOST_SOURCES = 6
_RESAMPLES = 8
_NULL_SAMPLES, _MOST_NULL_ROWS = 500, 2048


@result
class Complexity(Trust, Saved):
    """Representational complexity C of sources S_1..S_n about a target T, with what it rests upon.

    Attributes:
        value: C, the mean degree of synergy of the information: 1 if single sources hold all of it, n if only all
            together do. Atoms may be negative, so that C may leave [1, n]. NaN where it is undefined.
        information: plug-in I(S;T) in bits.
        by_degree: information in bits by degree of synergy m = 1..n, (n,); they sum to I, and C is their mean degree.
        is_defined: whether I > 0.
        stderr: standard error of C from halves of the samples; None without resampling.
        corrected: C extrapolated to infinitely many samples, 2 C - mean C of halves; None without resampling.
        null_complexity: C after shuffling the target, (resamples / 2,); None without resampling.

    The other attributes are those of `Trust`: samples, coverage, shuffled null, and the verdict `reliable` with its
    reason.
    """

    value: float
    information: float
    by_degree: np.ndarray
    is_defined: bool = static_field()
    stderr: float | None = None
    corrected: float | None = None
    null_complexity: np.ndarray | None = None

    @property
    def n_sources(self) -> int:
        """Number of sources n."""
        return len(self.by_degree)

    @property
    def freedom(self) -> int:
        """Degrees of freedom of stderr, one for each pair of halves; 0 without resampling."""
        return 0 if self.null_complexity is None else len(self.null_complexity)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """C with its sampling error and its bias: corrected -+ (t stderr + |value - corrected|), a level in (0, 1).

        t is Student's quantile of resamples / 2 degrees of freedom, one for each pair of halves. It covers what other
        samples of the same distribution would change, and the bias of few samples; not what another quantisation or
        another training run would, and not I, for which there is `information_interval`. Measured on known
        distributions, where results are reliable: it holds the true C in 90% of them at level 0.95; value -+ z stderr
        would in 55%.

        Raises:
            ValueError: without resampling, or for a level outside (0, 1).
        """
        return interval_of(self, level)


def interval_of(found: Any, level: float) -> tuple[float, float]:
    """corrected -+ (t stderr + |value - corrected|); ValueError for a level outside (0, 1), or without resampling."""
    if found.stderr is None:
        raise ValueError("an interval needs resamples of at least 2, got a complexity without them")
    sampling = Estimate(found.corrected, found.stderr, found.freedom)
    reach = float(sampling.reach(level)) + abs(found.value - found.corrected)
    return found.corrected - reach, found.corrected + reach


def representational_complexity(
    sources: Any,
    target: Any,
    weights: Any = None,
    *,
    key: Array | None = None,
    resamples: int | None = None,
    mesh: Mesh | None = None,
) -> Complexity:
    """How many sources must be read at once, on average, for the information that they hold about the target.

        C = (1 / I(S;T)) sum over antichains alpha of m(alpha) Pi(alpha),   m(alpha) = min over a in alpha of |a|,

    with the atoms Pi of shared exclusions, computed without the lattice from the redundancies of families F of
    k-subsets: C = n - (1/I) sum over k < n of S_k, S_k = sum over F of (-1)^(|F|+1) I_cap(F), exactly.

    Args:
        sources: (samples, n), any hashable symbols, n = 2..6: usually a layer's activations after `quantise`.
        target: (samples,), any hashable symbols: usually the labels.
        weights: None where each row is a sample; else the probability of each row, summing to one.
        key: `jax.random.key` of shuffles and halves, key(0) by default.
        resamples: halves of the samples, and half as many shuffled targets, of which C is computed; an even number. By
            default 8, and 0 for six sources, where C takes seconds. 0 leaves out what is said of C; all that is said
            of I stays.
        mesh: devices that realisations are spread over; by default all local accelerators.

    Returns:
        C with its information by degree, its errors and the verdict whether it can be trusted.

    Raises:
        ValueError: fewer than two sources, more than six; lengths that differ; symbols that are not finite or not
            hashable; weights that are no probabilities.

    Example:
        >>> import interjax as ij
        >>> xor = ij.pid.representational_complexity([(0, 0), (0, 1), (1, 0), (1, 1)], [0, 1, 1, 0], [0.25] * 4)
        >>> round(xor.value, 6), xor.information
        (1.415037, 1.0)

    References:
        Ehrlich, Schneider, Priesemann, Wibral, Makkeh, "A Measure of the Complexity of Neural Representations based on
        Partial Information Decomposition", TMLR 2023, arXiv:2209.10438; Makkeh, Gutknecht, Wibral, "Introducing a
        differentiable measure of pointwise shared information", 2021, for I_cap. The sum over k is interjax's own form.
    """
    key, mesh = optional_key(key), as_mesh(mesh)
    found = realisations_of(sources, target, weights)
    if found.n_sources > MOST_SOURCES:
        raise ValueError(
            f"C is computed exactly for at most {MOST_SOURCES} sources, got {found.n_sources}: use "
            "ij.pid.subset_complexity for random subsets, ij.pid.grouped_complexity for groups of sources, or "
            "ij.pid.shannon_invariants for all of them"
        )
    if resamples is None:
        resamples = _RESAMPLES if found.n_sources < MOST_SOURCES else 0
    pairs = pairs_of(resamples, found)
    by_degree, logs = information_by_degree(found, mesh=mesh)
    information = information_of(found)
    value = complexity_of(by_degree, information)
    more, error = {}, None
    if pairs:
        null = [_null(found, order, logs, mesh) for order in orders(found, key, pairs)]
        halves = [_of_halves(found, order, mesh) for order in orders(found, key, pairs)]
        corrected, stderr = extrapolated(value, np.array(halves))
        more = {"corrected": float(corrected), "stderr": float(stderr), "null_complexity": np.array(null)}
        error = error_of(value, corrected, stderr)
    trust = trust_in(found, information, key, error)
    return Complexity(value, information, by_degree, is_defined=math.isfinite(value), **more, **trust)


def information_by_degree(found: Realisations, *, mesh: Mesh | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Information in bits by degree of synergy, (n,), and the alternating logarithms of the source realisations."""
    logs = _alternating(found, source_agreement(found), mesh)[: len(found.sources)]
    joint = _alternating(found, joint_agreement(found), mesh)[: len(found.weights)]
    return _by_degree(found, found.weights / found.total, joint - logs[found.of_source], found.target), logs


def _alternating(found: Realisations, agreement: Array, mesh: Mesh | None) -> np.ndarray:
    return alternating_logs(
        agreement,
        smallest=float(found.weights.min()),
        total=found.total,
        exact=is_exact_in_float32(found.n_samples),
        mesh=mesh,
    )


def _by_degree(found: Realisations, shares: np.ndarray, logs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """S_k = sum of shares * (alternating logs - log2 p(t)) is the information of degree k or less."""
    probability = found.target_weights / found.total
    cumulative = shares @ (logs - np.log2(probability[target])[:, None])
    return np.diff(cumulative, prepend=0.0)


def complexity_of(by_degree: np.ndarray, information: float) -> float:
    """The mean degree of the information; NaN where there is none."""
    if information <= NO_INFORMATION:
        return math.nan
    return float(by_degree @ np.arange(1, len(by_degree) + 1) / by_degree.sum())


def _null(found: Realisations, order: np.ndarray, logs: np.ndarray, mesh: Mesh | None) -> float:
    """C of a shuffled target; where there are many realisations from 500 samples, what each gives being exact."""
    labels = found.labels[order]
    shuffled = found.resampled(found.rows, labels)
    place, counts = np.arange(len(shuffled.weights)), shuffled.weights
    if len(place) > _MOST_NULL_ROWS:
        pairs = found.rows[:_NULL_SAMPLES] * found.n_targets + labels[:_NULL_SAMPLES]
        some, counts = np.unique(pairs, return_counts=True)
        place = np.searchsorted(shuffled.of_source * found.n_targets + shuffled.target, some)
    joint = _alternating(found, joint_agreement(shuffled, place), mesh)[: len(place)]
    differences = joint - logs[shuffled.of_source[place]]
    by_degree = _by_degree(found, counts / counts.sum(), differences, shuffled.target[place])
    return complexity_of(by_degree, float(by_degree.sum()))


def _of_halves(found: Realisations, order: np.ndarray, mesh: Mesh | None) -> list[float]:
    """C of two halves of the samples."""
    halves = halves_of(found, order)
    return [complexity_of(information_by_degree(half, mesh=mesh)[0], information_of(half)) for half in halves]
