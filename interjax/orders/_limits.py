"""What could have been missed where nothing varied: an upper limit in place of an error of 0."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from interjax._core._estimate import Estimate
from interjax._core._statistics import normal_quantile
from interjax.orders._estimators import Estimates

LEVEL = 0.95
_MANY = 10  # contexts, of which a coalition's own variance tells more than that of the others, which counts as 4


def with_limits(
    found: Estimates, orders: Sequence[int], last: int, estimate: Callable[[list[int]], Estimates]
) -> Estimates:
    """Estimates whose errors hold the limit of `limit_where_nothing_varied`, of each coalition that did not vary.

    Where one needs it, `estimate` measures the end orders 0 and `last` if these are not among `orders`: they are
    cheap, and show what shows in few contexts at other orders.
    """
    tolerance = found.rounding * np.sqrt(np.maximum(found.count, 1))
    if not _unvaried(found.own_variance, found.variance, found.count, found.exact, tolerance).any():
        return found
    mean, variance, own = found.mean, found.variance, found.own_variance
    count, exact = found.count, found.exact
    ends = [order for order in sorted({0, last}) if order not in orders]
    if ends:
        more = estimate(ends)
        mean, variance = np.concatenate([mean, more.mean]), np.concatenate([variance, more.variance])
        own = np.concatenate([own, more.own_variance])
        count, exact = np.concatenate([count, more.count]), np.concatenate([exact, more.exact])
        tolerance = np.concatenate([tolerance, more.rounding * np.sqrt(np.maximum(more.count, 1))])
        found = found._replace(
            n_forwards=found.n_forwards + more.n_forwards, n_nonfinite=found.n_nonfinite + more.n_nonfinite
        )
    limit = _limit(mean, own, count, exact, _unvaried(own, variance, count, exact, tolerance))[: len(orders)]
    freedoms = np.stack([found.freedom, np.full_like(found.freedom, np.inf)])
    joint = Estimate.of_parts(found.mean, np.stack([found.stderr**2, limit**2]), freedoms)
    return found._replace(stderr=joint.stderr, freedom=np.where(limit > 0, joint.freedom, found.freedom))


def limit_where_nothing_varied(
    mean: np.ndarray, variance: np.ndarray, count: np.ndarray, exact: np.ndarray, tolerance: Any
) -> np.ndarray:
    """Standard errors that stand for an upper limit, (orders, coalitions); 0 where something varied or all is known.

    Where no observation of an order differs from the others of its coalition, the sample variance is 0 though the mean
    need not be right: what shows in a share p of contexts is missed by all N of them with probability (1 - p)^N, so
    p <= 1 - 0.05^(1/N), about 3 / N, with confidence 0.95. The interaction is then off by at most p R. R is the most
    that the coalition's interaction is seen to vary by at any order: the largest |I^(m') - I^(m)| + sd^(m'). The limit
    p R is given as the standard error of the same 95% interval, p R / 1.96.

    Args:
        mean: (orders, coalitions).
        variance: (orders, coalitions) variance of a single observation, NaN where unknown.
        count: (orders, coalitions) observations.
        exact: bool, (orders, coalitions), where nothing can be missed.
        tolerance: what rounding makes of a single observation, in units of the mean; broadcast to (orders, coalitions).

    References:
        Hanley and Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249, 1983 (rule of three).
    """
    return _limit(mean, variance, count, exact, nothing_varied(variance, exact, tolerance))


def _limit(
    mean: np.ndarray, variance: np.ndarray, count: np.ndarray, exact: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    if not chosen.any():
        return np.zeros(mean.shape)
    spread = np.sqrt(np.where(exact, 0.0, np.nan_to_num(variance)))
    scale = np.nanmax(np.abs(mean - mean[:, None]) + spread, axis=1, initial=0.0)
    share = 1 - (1 - LEVEL) ** (1 / np.maximum(count, 1))
    return np.where(chosen, share * scale / normal_quantile(LEVEL), 0.0)


def _unvaried(
    own: np.ndarray, variance: np.ndarray, count: np.ndarray, exact: np.ndarray, tolerance: Any
) -> np.ndarray:
    """bool (orders, coalitions): not exact, and no coalition of the order varied, or not this one in many contexts.

    Few contexts of a coalition are often alike by chance; its variance is then that of the others for the most part.
    """
    alike = own <= np.square(np.broadcast_to(tolerance, own.shape))  # False for NaN
    return nothing_varied(variance, exact, tolerance) | (~exact & alike & (count >= _MANY))


def nothing_varied(variance: np.ndarray, exact: np.ndarray, tolerance: Any) -> np.ndarray:
    """bool (orders, coalitions): not exact, and no coalition of the order varied by more than rounding."""
    if not variance.size:
        return np.zeros(variance.shape, bool)
    known = np.isfinite(variance) & ~exact
    beyond = np.where(known, variance - np.square(np.broadcast_to(tolerance, variance.shape)), 0.0)
    varied = ~known.any(axis=1) | (beyond.sum(axis=1) > 0)
    return ~exact & ~varied[:, None]
