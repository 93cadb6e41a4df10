"""What is measured next: until the error is small enough, or the passes that were given are made."""

import dataclasses
import warnings

import numpy as np

from interjax._core._statistics import normal_quantile, student_quantile
from interjax.profiles._allocation import Errors, more_contexts
from interjax.profiles._one_input import Design, Measured
from interjax.profiles._result import OrderProfile

_LEAST_LEFT = 0.05  # of the passes, for which no other round is made where all pairs are measured
_LEAST_ROUND = 0.25  # of a round's pairs
_SHARES = np.linspace(1.0, 0.05, 20)
_MOST_BEYOND = 1.05
_PARTS = (0.2, 0.4, 0.6, 0.8, 1.0)  # of a round
_SURELY = 0.98  # of a target, at which it is expected to be reached


@dataclasses.dataclass(frozen=True)
class Goal:
    """When to stop: at a standard error, or before so many passes more; or after so many passes in all."""

    target_stderr: float | None
    max_forwards: float
    n_forwards: float | None

    def next(
        self,
        first: Design,
        now: Design,
        measured: list[list[Measured]],
        profile: OrderProfile,
        errors: Errors,
    ) -> Design | None:
        """How the next round of every input is measured; None to end.

        Args:
            first, now: how the first and the last round were measured.
            measured: rounds of each input.
            profile, errors: what they tell.
        """
        made = sum(parts[0].n_forwards for parts in measured)
        if (self.target_stderr is None and self.n_forwards is None) or not made:
            return None
        scale = made / first.expected_passes()
        if self.n_forwards is not None:
            return self._within(self.n_forwards, profile.n_forwards, scale, first, now, measured, errors)
        target = float(self.target_stderr or 0.0)
        wanted = _towards(target, first, measured, profile, errors, scale) if now.takes_all else _doubled(now, errors)
        if _finished(profile, target, self.max_forwards - wanted.expected_passes() * scale):
            return None
        if not any(wanted.contexts):
            warnings.warn(
                f"target_stderr {target:g} is out of reach: all contexts of all pairs were evaluated, and "
                "what is left is of the inputs or of rounding",
                stacklevel=3,
            )
            return None
        return wanted

    def _within(
        self,
        passes: float,
        made: int,
        scale: float,
        first: Design,
        now: Design,
        measured: list[list[Measured]],
        errors: Errors,
    ) -> Design | None:
        """The next round of those that are paid for by the passes that are left."""
        left = passes - made
        if now.takes_all:
            if left < _LEAST_LEFT * passes:
                return None
            wanted = _allotted(first, measured, errors, scale, passes=left)
            return wanted if any(wanted.contexts) else None
        doubled = _doubled(now, errors)
        if doubled.expected_passes() * scale <= left:
            return doubled
        share = min(1.0, left / max(now.expected_passes() * scale, 1.0))
        n_pairs = int(share * now.n_pairs)
        return dataclasses.replace(now, n_pairs=n_pairs) if share > _LEAST_ROUND and n_pairs > 1 else None


def _towards(
    target: float,
    first: Design,
    measured: list[list[Measured]],
    profile: OrderProfile,
    errors: Errors,
    scale: float,
) -> Design:
    """A round of all pairs of as many passes as the first, or of a part of them if that is expected to suffice."""
    made = sum(parts[0].n_forwards for parts in measured)
    contexts = np.sum([part.contexts for part in measured[0]], axis=0)
    for share in _PARTS:
        wanted = _allotted(first, measured, errors, scale, share * made)
        expected = _widening(profile) * np.sqrt(errors.after(contexts, np.array(wanted.contexts)))
        if any(wanted.contexts) and np.max(expected) <= _SURELY * target:
            return wanted
    return wanted if any(wanted.contexts) else _allotted(first, measured, errors, scale, made, beyond=True)


def _widening(profile: OrderProfile) -> np.ndarray:
    """By how much errors known with few degrees of freedom count more than normal ones of the same 95% interval."""
    return student_quantile(0.95, profile.freedom) / normal_quantile(0.95)


def _allotted(
    first: Design,
    measured: list[list[Measured]],
    errors: Errors,
    scale: float,
    passes: float,
    *,
    beyond: bool = False,
) -> Design:
    """More contexts of all pairs, by noise and cost, at the orders that are not exact yet; none if none is paid for.

    An order of which one context more means to evaluate all may take more passes than there are: it is left out then,
    unless they may go `beyond`.
    """
    rounds = [part.contexts for part in measured[0]]
    exact = np.any([first.continued(rounds[:place], each).exact for place, each in enumerate(rounds)], axis=0)
    cost = np.where(exact, 0.0, scale * first.passes_by_order() / np.array(first.contexts))
    while True:
        for share in _SHARES:
            wanted = first.continued(rounds, more_contexts(errors, np.sum(rounds, axis=0), cost, share * passes))
            if wanted.expected_passes() * scale <= _MOST_BEYOND * passes:
                return wanted
        whole = wanted.exact & (cost > 0)
        if beyond:
            return wanted
        cost = np.where(whole if whole.any() else True, 0.0, cost)


def _doubled(now: Design, errors: Errors) -> Design:
    """Fresh pairs, with twice the contexts at the orders whose bias leads the largest error."""
    return now.with_contexts(np.array(now.contexts) * np.where(errors.where_bias_leads(), 2, 1))


def _finished(profile: OrderProfile, target: float, most: float) -> bool:
    """Whether to stop: target reached, more passes made than `most`, or the inputs alone keep the error above it."""
    widening = _widening(profile)
    error = float(np.max(widening * profile.stderr))
    if np.isnan(error):
        warnings.warn("the standard error is unknown (NaN), so target_stderr cannot be reached", stacklevel=4)
        return True
    if error <= target:
        return True
    from_inputs = float(np.max(widening * np.sqrt(np.maximum(profile.stderr**2 - profile.stderr_within**2, 0.0))))
    if len(profile.by_input) > 1 and from_inputs > target:
        warnings.warn(
            f"target_stderr {target:g} is out of reach: these inputs alone differ by {from_inputs:.3g}; "
            f"use more than {len(profile.by_input)} inputs",
            stacklevel=4,
        )
        return True
    if profile.n_forwards > most:
        warnings.warn(
            f"stopped at max_forwards with standard error {error:.3g} above the target {target:g}",
            stacklevel=4,
        )
        return True
    return False
