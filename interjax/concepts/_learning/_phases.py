"""The phases of learning dynamics, told by the sizes of concepts and by how they generalise."""

import numpy as np

from interjax._core._checks import check_is
from interjax._core._estimate import Estimate
from interjax._core._results import Saved, result, static_field
from interjax.concepts._learning._learning import ConceptDynamics

PHASES = ("large concepts vanish", "sizes grow", "concepts that do not generalise appear")
_SURE = 2.0  # standard errors that a change must exceed
_GAP_SHARE = 0.1


@result
class Phases(Saved):
    """The phases of a training run; see `phases` for the rules.

    Attributes:
        names: what each phase is.
        begins, ends: optimizer steps, (phases,); NaN for a phase that is not found.
        is_found: bool (phases,).
        reasons: why each phase is found or not, in words.
        steps: of the checkpoints, int (checkpoints,).
        mean_size, mean_size_stderr: strength-weighted mean size and its standard error over inputs, (checkpoints,).
        excess, excess_lower: strength-weighted loss of similarity from training to test beyond the split-half null, and
            a lower limit of it, (checkpoints,).
        loss_gap: test loss - train loss, in nats, (checkpoints,).
        gap_begins: the step after which the loss gap stays above a tenth of its largest value; NaN without a positive
            gap.
    """

    begins: np.ndarray
    ends: np.ndarray
    is_found: np.ndarray
    steps: np.ndarray
    mean_size: np.ndarray
    mean_size_stderr: np.ndarray
    excess: np.ndarray
    excess_lower: np.ndarray
    loss_gap: np.ndarray
    gap_begins: float
    reasons: tuple[str, ...] = static_field()
    names: tuple[str, ...] = static_field(default=PHASES)


def phases(dynamics: ConceptDynamics) -> Phases:
    """Locate the phases of learning by size.

        size(t)   = sum over m of m A_t(m) / sum over m of A_t(m),   A_t(m) = strength of size m at checkpoint t
        excess(t) = sum over m of A_t(m) (null_t(m) - similarity_t(m)) / sum over m of A_t(m)

    1. "large concepts vanish": from the first checkpoint to t1, where size(t) is least. Found if size(first) - size(t1)
       is above 2 of its standard errors.
    2. "sizes grow": from t1 to t2. Found if size(t2) - size(t1) is above 2 of its standard errors.
    3. "concepts that do not generalise appear": from t2 to the end, t2 >= t1 being the first checkpoint from which on
       the lower limit of excess(t) stays above 0. Found if there is one; otherwise t2 is the last checkpoint.

    Standard errors of differences are those of the mean over the same inputs, to first order. The least of many noisy
    values is too low: 2 standard errors are a low bar for the first two phases. The lower limit of excess(t) is the
    weighted mean of the sizes' lower limits, which holds however their errors depend on each other.

    Args:
        dynamics: what `checkpoint_concepts` gives, of at least 2 checkpoints; more and log-spaced ones tell more.

    Returns:
        `Phases`, with a reason for each that is not found.

    Raises:
        ValueError: a single checkpoint, or none with known strengths.

    Example:
        >>> import interjax as ij, jax
        >>> x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
        >>> data = ij.datasets.Dataset(x, y, x[:20], y[:20], "toy", ("no", "yes"))
        >>> networks = {step: ij.networks.build("mlp", (3,), 2, hidden=(4,), seed=step) for step in (1, 10)}
        >>> found = ij.concepts.checkpoint_concepts(jax.random.key(0), networks, data, players=ij.Players.features(3))
        >>> ij.concepts.phases(found).is_found.shape
        (3,)

    References:
        Ren et al., arXiv:2407.19198 (two phases: large interactions vanish, then sizes grow); the rules are interjax's.
    """
    check_is("dynamics", dynamics, ConceptDynamics, "what ij.concepts.checkpoint_concepts gives")
    by_input = np.asarray(dynamics.strength_by_input, np.float64)
    size, influence = _mean_sizes(by_input)
    known = np.flatnonzero(np.isfinite(size))
    if len(by_input) < 2 or len(known) < 2:
        raise ValueError(
            f"expected 2 or more checkpoints with known strengths, as phases lie between them; got {len(known)}"
        )
    stderr = np.array([_stderr(influence[t]) for t in range(len(size))])
    strength = np.nan_to_num(np.asarray(dynamics.strength, np.float64))
    excess, excess_lower = (_weighted(part, strength) for part in (dynamics.excess, dynamics.excess_lower))
    first, last = int(known[0]), int(known[-1])
    lowest = int(known[np.argmin(size[known])])
    fails = stays(excess_lower > 0)
    third = next((t for t in range(lowest, last + 1) if fails[t]), None)
    second_end = last if third is None else third
    changes = [_change(size, influence, first, lowest, sign=-1), _change(size, influence, lowest, second_end, sign=1)]
    third_reason = "the excess stays above 0" if third is not None else "the excess is not surely above 0 at the end"
    is_found = np.array([*(found for found, _ in changes), third is not None])
    steps = np.asarray(dynamics.steps)
    edges = np.array([[first, lowest], [lowest, second_end], [second_end, last]])
    gap = np.asarray(dynamics.test_loss) - np.asarray(dynamics.train_loss)
    return Phases(
        begins=np.where(is_found, steps[edges[:, 0]], np.nan),
        ends=np.where(is_found, steps[edges[:, 1]], np.nan),
        is_found=is_found,
        steps=steps,
        mean_size=size,
        mean_size_stderr=stderr,
        excess=excess,
        excess_lower=excess_lower,
        loss_gap=gap,
        gap_begins=_gap_begins(steps, gap),
        reasons=(*(reason for _, reason in changes), third_reason),
    )


def _mean_sizes(by_input: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Strength-weighted mean size (checkpoints,), and each input's influence on it (checkpoints, inputs)."""
    sizes = np.arange(1, by_input.shape[2] + 1)
    total, moment = by_input.sum(axis=2), by_input @ sizes
    inputs = np.isfinite(total).sum(axis=1)
    sums = np.nansum(total, axis=1)
    size = np.divide(np.nansum(moment, axis=1), sums, out=np.full(len(sums), np.nan), where=sums > 0)
    scale = np.divide(inputs, sums, out=np.full(len(sums), np.nan), where=sums > 0)
    return size, (moment - size[:, None] * total) * scale[:, None]


def _stderr(influence: np.ndarray) -> float:
    known = influence[np.isfinite(influence)]
    return float(Estimate.of_mean(known).stderr)


def _change(size: np.ndarray, influence: np.ndarray, start: int, stop: int, *, sign: int) -> tuple[bool, str]:
    """Whether the mean size changes the way of the sign from one checkpoint to another, and what was seen."""
    if start == stop:
        return False, "it would begin and end at one checkpoint"
    change, stderr = sign * (size[stop] - size[start]), _stderr(influence[stop] - influence[start])
    seen = f"the mean size {'falls' if sign < 0 else 'grows'} by {change:.3g} with standard error {stderr:.2g}"
    return bool(change > _SURE * stderr), seen


def _weighted(values: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """Mean over sizes, weighted by strength; sizes of unknown value are left out, NaN where all are."""
    values = np.asarray(values, np.float64)
    weight = np.where(np.isfinite(values), strength, 0.0)
    total = weight.sum(axis=1)
    sums = np.sum(weight * np.nan_to_num(values), axis=1)
    return np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)


def stays(holds: np.ndarray) -> np.ndarray:
    """Whether something holds at each checkpoint and all later ones."""
    return np.logical_and.accumulate(holds[::-1])[::-1]


def _gap_begins(steps: np.ndarray, gap: np.ndarray) -> float:
    known = np.isfinite(gap)
    largest = gap[known].max(initial=0.0)
    above = stays((gap > _GAP_SHARE * largest) | ~known)
    return float(steps[np.argmax(above)]) if largest > 0 and above.any() else np.nan
