"""Intervals of shares, of means of losses, whose tails are long, and of differences of such means."""

import math
from typing import Any

import numpy as np

from interjax._core._estimate import Estimate
from interjax._core._statistics import share_interval, student_quantile

_LEAST_SKEWNESS = 1e-6  # below which the cubic is a line within rounding

Measured = tuple[float, float, float, int]


def share_of(correct: np.ndarray, level: float) -> Measured:
    """(share, lower, upper, count) of trials, with Wilson's interval."""
    share = float(np.mean(correct))
    return share, *share_interval(share, len(correct), level), len(correct)


def mean_of(losses: Any, level: float) -> Measured:
    """(mean, lower, upper, count) of values of at least 0, with Hall's interval, whose lower end is at least 0.

    With T = (mean - mu) / e, e the standard error and k the skewness of the mean, that of the values / sqrt(n),

        g(T) = T + k T^2 / 3 + k^2 T^3 / 27 + k / 6

    is without skewness to first order, and increases: the ends are mean - e g^-1(+- t), t Student's quantile of n - 1
    degrees of freedom.

    References:
        Hall, "On the removal of skewness by transformation", Journal of the Royal Statistical Society B 54, 1992.
    """
    losses = np.asarray(losses, np.float64)
    count = len(losses)
    with np.errstate(invalid="ignore"):  # a loss may be infinite
        found = Estimate.of_mean(losses)
        mean, stderr = float(found.value), float(found.stderr)
        skewness = _skewness(losses, mean, stderr)
    reach = student_quantile(level, found.freedom)
    lower, upper = (mean - stderr * _skewed(side, skewness) for side in (reach, -reach))
    return mean, float(np.maximum(lower, 0.0)), upper, count


def difference_of(one: Measured, other: Measured) -> Measured:
    """The difference of two independent values, with the interval that their own intervals make.

        d - sqrt((m_1 - l_1)^2 + (u_2 - m_2)^2)  to  d + sqrt((u_1 - m_1)^2 + (m_2 - l_2)^2),   d = m_1 - m_2

    Unlike one skewness of the difference, it holds where two tails of equal length cancel.

    References:
        Zou, Donner, "Construction of confidence limits about effect measures: a general approach", Statistics in
        Medicine 27, 2008.
    """
    (mean, lower, upper, count), (other_mean, other_lower, other_upper, other_count) = one, other
    value = mean - other_mean
    below, above = (
        math.hypot(mean - lower, other_upper - other_mean),
        math.hypot(upper - mean, other_mean - other_lower),
    )
    return value, value - below, value + above, count + other_count


def _skewness(values: np.ndarray, mean: float, stderr: float) -> float:
    """Of the mean, from an unbiased third moment; 0 where fewer than three values, or equal ones, show none."""
    count = len(values)
    if count < 3 or stderr == 0:
        return 0.0
    third = float(np.sum(((values - mean) / stderr) ** 3))
    return third / (count * (count - 1) * (count - 2))


def _skewed(value: float, skewness: float) -> float:
    """The inverse of g."""
    value -= skewness / 6
    if abs(skewness) < _LEAST_SKEWNESS:
        return value
    return 3 / skewness * (float(np.cbrt(1 + skewness * value)) - 1)
