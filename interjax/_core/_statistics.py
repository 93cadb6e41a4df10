"""Means with standard errors, and confidence intervals from them.

The quantiles are those of `scipy.stats` (`norm.ppf`, `t.ppf`), from `scipy.special`, which is imported in a tenth of
the time.
"""

from typing import Any

import numpy as np
from scipy.special import ndtri, stdtridf, stdtrit

from interjax._core._checks import check_level

_NEARLY_NORMAL = 1.0001  # times the normal quantile: that of 12,000 degrees of freedom


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


def student_quantile(level: Any, freedom: Any) -> Any:
    """The same of Student's t with so many degrees of freedom; the normal one where they are infinite.

    NaN where there are none.
    """
    freedom, inside = np.asarray(freedom, float), 0.5 + check_level(level) / 2
    found = np.where(np.isinf(freedom), ndtri(inside), stdtrit(np.where(np.isinf(freedom), 1.0, freedom), inside))
    found = np.where(freedom > 0, found, np.nan)
    return found if found.ndim else float(found)


def sum_freedom(variances: Any, freedom: Any, axis: int = 0) -> np.ndarray:
    """Degrees of freedom of a sum of independent estimates of variance, each known with its own.

    f = (sum v)^2 / sum (v^2 / f)

    References:
        Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics 2, 1946.
    """
    variances, freedom = np.asarray(variances, float), np.asarray(freedom, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.where(variances > 0, variances**2 / freedom, 0.0).sum(axis=axis)
        return np.where(below > 0, variances.sum(axis=axis) ** 2 / below, np.inf)


def join_known(stderr: np.ndarray, freedom: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A standard error that is estimated with few degrees of freedom, joined with an independent one that is known.

    Of Welch's and Satterthwaite's freedom a known error gives much to an estimated one that came out small by chance.
    Here the 95% interval is that of the two: its square is (t_f s)^2 + (z k)^2. The joint error is sqrt(s^2 + k^2), and
    its degrees of freedom are those whose Student quantile makes this interval of it: f or more.
    """
    joint = np.hypot(stderr, known)
    z, t = normal_quantile(0.95), student_quantile(0.95, freedom)
    with np.errstate(invalid="ignore", divide="ignore"):
        quantile = np.where(joint > 0, np.hypot(t * stderr, z * known) / joint, z)
    is_normal = np.isinf(freedom) | (quantile < _NEARLY_NORMAL * z)
    found = stdtridf(0.5 + 0.95 / 2, np.where(is_normal, 2.0, np.maximum(quantile, z)))
    return joint, np.where(is_normal, np.inf, np.where(known > 0, found, freedom))


def effective_number(weights: Any, axis: int = 0) -> np.ndarray:
    """How many equal weights vary a sum as these do: (sum w)^2 / sum w^2, between 1 and their number.

    0 where all weights are 0.

    References:
        Kish, "Survey Sampling", 1965.
    """
    weights = np.asarray(weights, float)
    squares = np.sum(weights**2, axis=axis)
    return np.where(squares > 0, np.sum(weights, axis=axis) ** 2 / np.where(squares > 0, squares, 1.0), 0.0)


def jackknife_freedom(weights: Any, deviations: Any) -> np.ndarray:
    """Degrees of freedom of the jackknife error of a ratio of means over k units, whose sizes may differ much.

        f = min(K(w), 2 K(d^2)) - 1, at least 1/2 and at most k - 1;   K is `effective_number`

    A ratio whose units weigh w_i rests on K(w) of them, and a variance that few large deviations d_i make is known with
    few degrees of freedom; for normal ones K(d^2) is about k / 3.

    Args:
        weights: (units,), each unit's share of the ratio's denominator.
        deviations: (units, ...), of the leave-one-out values from the value of all.
    """
    units = len(weights)
    of_weights = effective_number(np.maximum(weights, 0.0))
    of_deviations = effective_number(np.square(deviations))
    return np.clip(np.where(of_deviations > 0, np.minimum(of_weights, 2 * of_deviations), units) - 1, 0.5, units - 1)


def shrunk_variance(variance: Any, freedom: Any, most: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Variances of few observations drawn towards that of the others, and the degrees of freedom of each.

    Along the last axis are variances s_i^2 of single observations that vary about alike, each known with f_i degrees
    of freedom (0 for one observation, whose own variance is NaN). The pooled variance p_i of the others counts as
    `most` observations, or as many degrees of freedom as it has where these are fewer:

        (f_i s_i^2 + w_i p_i) / (f_i + w_i)   with f_i + w_i degrees of freedom,   w_i = min(most, sum of the others' f)

    Returns:
        Variances, NaN where nothing is known of them, and degrees of freedom. A variance that is NaN tells nothing.
    """
    variance = np.asarray(variance, float)
    freedom = np.where(np.isfinite(variance), np.asarray(freedom, float), 0.0)
    squares = np.where(freedom > 0, variance * freedom, 0.0)
    others = freedom.sum(axis=-1, keepdims=True) - freedom
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = np.where(others > 0, np.maximum(squares.sum(axis=-1, keepdims=True) - squares, 0.0) / others, 0.0)
        weight = np.minimum(most, others)
        return (squares + weight * pooled) / (freedom + weight), freedom + weight


def student_interval(value: Any, stderr: Any, freedom: Any, level: Any = 0.95) -> tuple[Any, Any]:
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
