"""Values with errors: means, sums of variances, differences, against scipy and by simulation."""

import jax
import numpy as np
import pytest
from scipy import stats

import interjax as ij

RANDOM = np.random.default_rng(0)


def test_a_mean_has_students_interval():
    values = RANDOM.normal(size=(7, 4, 3))
    for axis in (0, 1, -1):
        found = ij.Estimate.of_mean(values, axis)
        count = values.shape[axis]
        interval = stats.t.interval(0.9, count - 1, loc=values.mean(axis), scale=stats.sem(values, axis=axis))
        np.testing.assert_allclose(found.interval(0.9), interval, rtol=1e-12)
        np.testing.assert_allclose(found.value + found.reach(0.9), interval[1], rtol=1e-12)
        expected = stats.ttest_1samp(values, 0.0, axis=axis).pvalue
        np.testing.assert_allclose(found.p_values(), expected, rtol=1e-10)


def test_a_difference_is_welchs():
    a, b = RANDOM.normal(size=(2, 5)), RANDOM.normal(1, 3, size=(9, 5))
    found = ij.Estimate.of_mean(a) - ij.Estimate.of_mean(b)
    welch = stats.ttest_ind(a, b, equal_var=False)
    np.testing.assert_allclose(found.freedom, welch.df, rtol=1e-12)
    np.testing.assert_allclose(found.p_values(), welch.pvalue, rtol=1e-10)
    interval = welch.confidence_interval(0.95)
    np.testing.assert_allclose(found.interval(), (interval.low, interval.high), rtol=1e-10)


def test_a_known_error_lends_no_freedom():
    found = ij.Estimate(np.zeros(3), np.array([1.0, 1.0, 0.0]), 2).with_known([0.0, 2.0, 2.0])
    t, z = stats.t.ppf(0.975, 2), stats.norm.ppf(0.975)
    np.testing.assert_allclose(found.reach(0.95), [t, np.hypot(t, 2 * z), 2 * z], rtol=1e-3)


@pytest.mark.parametrize("how", ["sidak", "bonferroni"])
def test_simultaneous_intervals_hold_all_values_as_often_as_they_say(how):
    families = RANDOM.normal(size=(20_000, 6))
    held = {}
    for simultaneous in (False, how):
        _, reach = ij.Estimate(np.zeros(6), np.ones(6)).interval(0.9, simultaneous=simultaneous)
        held[simultaneous] = np.mean(np.all(np.abs(families) <= reach, axis=1))
    assert held[False] == pytest.approx(0.9**6, abs=0.015)
    assert held[how] == pytest.approx(0.9, abs=0.01)


def test_discoveries_are_those_of_scipy():
    found = ij.Estimate(RANDOM.normal(size=40) + np.repeat([0.0, 4.0], 20), 1.0)
    for dependent, method in ((True, "by"), (False, "bh")):
        expected = stats.false_discovery_control(found.p_values(), method=method) <= 0.1
        assert expected.any()
        np.testing.assert_array_equal(found.discoveries(0.1, dependent=dependent), expected)


def test_it_is_a_pytree_and_a_file(tmp_path):
    found = ij.Estimate.of_mean(RANDOM.normal(size=(5, 2)))
    assert len(jax.tree.leaves(found)) == 3
    read = ij.Estimate.load(found.save(tmp_path / "mean.npz"))
    np.testing.assert_array_equal(read.interval(), found.interval())


def test_a_file_of_an_older_version_knows_no_freedom():
    profile = ij.order_profile(jax.random.key(0), ij.Game.from_function(lambda s: s[0] * s[1] + s[2], 5), contexts=2)
    arrays = {name: value for name, value in profile.to_arrays().items() if name != "freedom"}
    assert np.isinf(ij.OrderProfile.from_arrays(arrays).estimate.freedom).all()
    np.testing.assert_array_equal(profile.estimate.freedom, profile.freedom)


@pytest.mark.parametrize("axis", [2, -3, 1.0, None])
def test_an_axis_that_values_lack_is_refused(axis):
    with pytest.raises(ValueError, match="axis must be one of the 2 axes of values"):
        ij.Estimate.of_mean(np.ones((2, 2)), axis)


def test_sums_of_variances_have_a_freedom_for_each_part():
    """Two samples of two groups each, beside scipy's standard errors."""
    parts = np.array([[1.0, 4.0], [9.0, 16.0]])
    found = ij.Estimate.of_parts(np.zeros(2), parts, [3, 8])
    np.testing.assert_allclose(found.freedom, parts.sum(0) ** 2 / (parts[0] ** 2 / 3 + parts[1] ** 2 / 8))


def test_narrow_types_do_not_wrap():
    found = ij.Estimate(np.uint8([3]), np.uint8([20]), 5) - ij.Estimate(np.uint8([5]), np.uint8([20]), 5)
    assert found.value == [-2]
    np.testing.assert_allclose(found.stderr, np.sqrt(800))
    values = np.float32(np.array([2e6, 2e6 + 1, 2e6 + 3]))
    np.testing.assert_allclose(ij.Estimate.of_mean(values).value, 2e6 + 4 / 3, rtol=1e-12)
    assert (ij.Estimate([1.0, 2.0], 0.5) - ij.Estimate(1.0, 0.5)).value.tolist() == [0, 1]


@pytest.mark.parametrize(
    "call",
    [
        lambda: ij.Estimate([1.0, 2.0], [1.0, 1.0, 1.0]).interval(),
        lambda: ij.Estimate(1.0, -1.0).interval(),
        lambda: ij.Estimate(1.0, 1.0, -2).p_values(),
        lambda: ij.Estimate(1.0, 1.0).with_known(-2.0),
        lambda: ij.Estimate.of_parts(1.0, [-1.0, 2.0], [3, 3]),
        lambda: ij.Estimate.of_parts(1.0, [1.0, 2.0], [3, 3, 3]),
    ],
)
def test_what_is_no_error_is_refused(call):
    with pytest.raises(ValueError, match=r"stderr must|stderr and freedom|error must|variances"):
        call()
