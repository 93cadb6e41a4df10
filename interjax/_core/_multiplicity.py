"""Many intervals or tests at once: levels that hold for all, and which differ from 0 at a rate of false ones."""

from typing import Any

import numpy as np
from scipy.special import ndtr, stdtr

from interjax._core._checks import check_choice, check_level

SIMULTANEOUS = ("bonferroni", "sidak")
"""Ways to make intervals hold at once."""


def simultaneous_level(level: Any, count: int, simultaneous: Any) -> float:
    """The level of each of `count` intervals at which all of them hold at once with probability `level`.

        "bonferroni"   1 - (1 - level) / count, whatever they have to do with each other
        "sidak"        level^(1 / count), for estimates that are normal (correlated or not), a little narrower

    Args:
        level: in (0, 1).
        count: intervals of the family.
        simultaneous: one of the above; True for "bonferroni"; False for `level` as it is.

    References:
        Sidak, "Rectangular confidence regions for the means of multivariate normal distributions", JASA 62, 1967.
    """
    level = check_level(level)
    if not isinstance(simultaneous, bool | np.bool_):
        check_choice("simultaneous", simultaneous, SIMULTANEOUS, instead="or True for the first, or False for neither")
    elif not simultaneous:
        return level
    count = max(count, 1)
    return float(level ** (1 / count)) if simultaneous == "sidak" else 1 - (1 - level) / count


def p_values(value: Any, stderr: Any, freedom: Any) -> np.ndarray:
    """How often a value that is 0 but for errors comes out as far from 0: two-sided, by Student's t.

    1 of values that are 0, 0 of others that have no error, NaN where the error is unknown.
    """
    value, stderr, freedom = np.broadcast_arrays(np.asarray(value, float), stderr, np.asarray(freedom, float))
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = -np.abs(np.where(value == 0, 0.0 * stderr, value / stderr))
    found = 2 * np.where(np.isinf(freedom), ndtr(beyond), stdtr(np.where(np.isinf(freedom), 1.0, freedom), beyond))
    return np.where(np.isnan(beyond) | ~(freedom > 0), np.nan, found)


def are_discoveries(p: np.ndarray, rate: float, *, dependent: bool) -> np.ndarray:
    """Which tests differ from 0, so that on average at most this share of those named do not.

    The k smallest p-values, k the largest number with  p_(k) <= rate k / (K c)  of K tests: c = 1 for tests that have
    nothing to do with each other (Benjamini and Hochberg), the sum of 1 / i over i <= K whatever they have (Benjamini
    and Yekutieli). NaN is no test.

    References:
        Benjamini and Hochberg, JRSS B 57, 1995; Benjamini and Yekutieli, Annals of Statistics 29, 2001.
    """
    tests = np.sort(p[np.isfinite(p)])
    numbers = np.arange(1, len(tests) + 1)
    share = np.sum(1 / numbers) if dependent else 1.0
    passed = tests[tests <= rate * numbers / (max(len(tests), 1) * share)]
    return p <= (passed[-1] if len(passed) else -1.0)
