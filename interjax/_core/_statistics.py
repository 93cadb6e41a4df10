"""Means with standard errors, and confidence intervals from them.

The quantiles are those of `scipy.stats` (`norm.ppf`, `t.ppf`), from `scipy.special`, which is imported in a tenth of
the time.
"""

from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from interjax._core._checks import check_level


def mean_and_stderr(values: Any, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The mean along an axis and its standard error, std / sqrt(n); NaN from fewer than two values."""
    values = np.asarray(values)
    count = values.shape[axis]
    mean = values.mean(axis=axis) if count else np.full(np.delete(values.shape, axis), np.nan)
    if count < 2:
        return mean, np.full_like(mean, np.nan)
    return mean, values.std(axis=axis, ddof=1) / np.sqrt(count)


def normal_quantile(level: Any) -> float:
    """The z for which a normal value lies within z standard deviations of its mean with this probability, in (0, 1)."""
    return float(ndtri(0.5 + check_level(level) / 2))


def tail_quantile(share: float) -> float:
    """The z that the size of a standard normal value exceeds in this share of draws; 0 from a share of 1 on."""
    return float(ndtri(1 - share / 2)) if share < 1 else 0.0


def student_quantile(level: Any, freedom: float) -> float:
    """The same of Student's t with so many degrees of freedom."""
    return float(stdtrit(freedom, 0.5 + check_level(level) / 2))


def normal_interval(value: Any, stderr: Any, level: Any = 0.95) -> tuple[Any, Any]:
    """value -+ z stderr."""
    reach = normal_quantile(level) * np.asarray(stderr)
    return value - reach, value + reach


def student_interval(value: Any, stderr: Any, freedom: float, level: Any = 0.95) -> tuple[Any, Any]:
    """value -+ t stderr, for an error estimated with so many degrees of freedom: n - 1 for the mean of n values."""
    reach = student_quantile(level, freedom) * np.asarray(stderr)
    return value - reach, value + reach


def share_interval(share: float, count: int, level: Any = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share of `count` trials: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n).

    References:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    """
    z = normal_quantile(level)
    middle = share + z**2 / (2 * count)
    reach = z * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    lower, upper = ((middle + side) / (1 + z**2 / count) for side in (-reach, reach))
    return max(0.0, min(float(lower), share)), min(1.0, max(float(upper), share))
