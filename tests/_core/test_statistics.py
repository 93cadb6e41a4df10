"""Means with errors and intervals: the quantiles of scipy.stats, and what the intervals hold."""

import math

import numpy as np
import pytest
from scipy import stats

from interjax._core._statistics import (
    effective_number,
    jackknife_freedom,
    join_known,
    mean_and_stderr,
    normal_quantile,
    share_interval,
    shrunk_variance,
    student_interval,
    student_quantile,
    sum_freedom,
    tail_quantile,
)

LEVELS = (1e-3, 0.3, 0.68, 0.9, 0.95, 0.99, 1 - 1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_quantiles_are_those_of_scipy_stats(level):
    assert normal_quantile(level) == pytest.approx(stats.norm.ppf(0.5 + level / 2), rel=1e-12)
    for freedom in (1, 2, 3, 7, 30, 1000):
        assert student_quantile(level, freedom) == pytest.approx(stats.t.ppf(0.5 + level / 2, freedom), rel=1e-12)


@pytest.mark.parametrize("share", [1e-12, 1e-6, 0.05, 0.5, 0.999])
def test_the_size_of_a_normal_value_exceeds_its_quantile_in_the_share(share):
    assert tail_quantile(share) == pytest.approx(stats.norm.ppf(1 - share / 2), rel=1e-12)
    assert 2 * stats.norm.sf(tail_quantile(share)) == pytest.approx(share, rel=1e-3)


def test_everything_exceeds_zero():
    assert tail_quantile(1.0) == tail_quantile(7.0) == 0.0


@pytest.mark.parametrize("level", [0, 1, -0.1, 95, np.nan, "0.95"])
def test_a_level_outside_its_range_is_refused(level):
    for call in (
        lambda: normal_quantile(level),
        lambda: student_quantile(level, 3),
        lambda: student_interval(0.0, 1.0, 3, level),
        lambda: share_interval(0.5, 10, level),
    ):
        with pytest.raises(ValueError, match=r"level must be a number in \(0, 1\)"):
            call()


def test_intervals_reach_as_far_on_both_sides():
    value, stderr = np.array([1.0, -2.0, np.nan]), np.array([0.5, np.nan, 0.1])
    lower, upper = student_interval(value, stderr, np.inf)
    np.testing.assert_allclose(upper - value, [1.959963984540054 * 0.5, np.nan, np.nan])
    np.testing.assert_allclose(value - lower, upper - value)
    lower, upper = student_interval(3.0, 1.0, 2, 0.9)
    assert (lower, upper) == pytest.approx((3 - 2.9199855803537, 3 + 2.9199855803537))


def test_the_error_of_a_mean():
    values = np.random.default_rng(0).normal(size=(5, 7, 3))
    for axis in (0, 1, -2, 2):
        mean, stderr = mean_and_stderr(values, axis=axis)
        np.testing.assert_array_equal(mean, values.mean(axis=axis))
        np.testing.assert_allclose(stderr, stats.sem(values, axis=axis), rtol=1e-12)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_values_leave_the_error_unknown(count):
    mean, stderr = mean_and_stderr(np.full((4, count, 2), 3.0), axis=1)
    np.testing.assert_array_equal(mean, np.full((4, 2), 3.0 if count else np.nan))
    np.testing.assert_array_equal(stderr, np.full((4, 2), np.nan))
    assert np.isnan(mean_and_stderr([3.0] * count)[1])


def test_nan_is_not_left_out_of_a_mean():
    mean, stderr = mean_and_stderr([[1.0, 2.0], [np.nan, 4.0]])
    np.testing.assert_array_equal(np.isnan([mean, stderr]), [[True, False], [True, False]])


def test_student_intervals_hold_the_mean_as_often_as_they_say():
    values = np.random.default_rng(1).normal(size=(4, 20_000))
    mean, stderr = mean_and_stderr(values)
    lower, upper = student_interval(mean, stderr, 3, 0.9)
    assert np.mean((lower <= 0) & (upper >= 0)) == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / 20_000))


@pytest.mark.parametrize(("hits", "count"), [(0, 5), (5, 5), (3, 10), (997, 1000)])
def test_intervals_of_shares_are_wilsons(hits, count):
    expected = stats.binomtest(hits, count).proportion_ci(0.9, method="wilson")
    assert share_interval(hits / count, count, 0.9) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_degrees_of_freedom_of_every_kind_have_their_quantile():
    found = student_quantile(0.95, np.array([1.0, 5.0, np.inf, 0.0, np.nan]))
    np.testing.assert_allclose(
        found, [stats.t.ppf(0.975, 1), stats.t.ppf(0.975, 5), stats.norm.ppf(0.975), np.nan, np.nan]
    )


def test_a_sum_of_variances_has_welchs_degrees_of_freedom():
    first, second = np.random.default_rng(0).normal(size=5), 3 * np.random.default_rng(1).normal(size=9)
    parts = [first.var(ddof=1) / 5, second.var(ddof=1) / 9]
    assert sum_freedom(parts, [4, 8]) == pytest.approx(stats.ttest_ind(first, second, equal_var=False).df)
    assert sum_freedom([2.0, 3.0], [np.inf, 4]) == pytest.approx(25 / 9 * 4)
    assert sum_freedom([0.0, 3.0], [1, np.inf]) == np.inf


def test_variances_are_drawn_towards_those_of_the_others():
    variance, freedom = shrunk_variance([[2.0, 8.0, np.nan]], [[1, 3, 0]])
    np.testing.assert_allclose(freedom, [[1 + 3, 3 + 1, 4]])
    pooled = (2 * 1 + 8 * 3) / 4
    np.testing.assert_allclose(variance, [[(2 + 3 * 8) / 4, (3 * 8 + 1 * 2) / 4, pooled]])
    alone, freedom = shrunk_variance([[5.0]], [[2]])
    assert (alone.item(), freedom.item()) == (5.0, 2.0)
    unknown, freedom = shrunk_variance([[np.nan, np.nan]], [[0, 0]])
    assert np.isnan(unknown).all()
    assert not freedom.any()


def test_the_effective_number_is_that_of_equal_weights():
    np.testing.assert_allclose(effective_number([[2.0, 2, 2], [1, 0, 0], [0, 0, 0]], axis=1), [3, 1, 0])


def test_known_errors_lend_an_estimated_one_no_freedom():
    """The joint interval's square is (t s)^2 + (z k)^2 whatever came out of s."""
    stderr, freedom, known = (
        np.array([1.0, 1e-6, 0.0, 2.0, 1.0]),
        np.array([1, 1, 3, 4, np.inf]),
        np.array([1.0, 1, 1, 0, 1]),
    )
    joint, joint_freedom = join_known(stderr, freedom, known)
    reach = student_quantile(0.95, joint_freedom) * joint
    expected = np.hypot(student_quantile(0.95, freedom) * stderr, normal_quantile(0.95) * known)
    np.testing.assert_allclose(reach, expected, rtol=2e-4)
    np.testing.assert_allclose(joint, np.hypot(stderr, known))
    assert joint_freedom[3] == 4


@pytest.mark.parametrize(("units", "least"), [(3, 0.93), (5, 0.93), (10, 0.92), (30, 0.93)])
def test_a_ratio_over_units_of_very_different_size_is_covered(units, least):
    """Networks whose interactions differ tenfold: of k - 1 degrees of freedom fewer intervals hold."""
    random = np.random.default_rng(units)
    size = random.lognormal(sigma=1.0, size=(4000, units, 1))
    each = size * random.gamma(4.0, size=(4000, units, 5)) * [3.0, 1, 1, 1, 2]
    truth = np.array([3.0, 1, 1, 1, 2]) / 1.6
    held, naive = [], []
    for sample in each:
        found = sample.mean(0) / sample.mean()
        rest = sample.sum(0) - sample
        shift = rest / rest.mean(axis=1, keepdims=True) - found
        stderr = np.sqrt((units - 1) / units * np.sum(shift**2, axis=0))
        freedom = jackknife_freedom(sample.mean(axis=1), shift)
        held.append(np.abs(found - truth) <= student_quantile(0.95, freedom) * stderr)
        naive.append(np.abs(found - truth) <= student_quantile(0.95, units - 1) * stderr)
    assert least < np.mean(held) < 0.985
    assert np.mean(naive) < np.mean(held)
