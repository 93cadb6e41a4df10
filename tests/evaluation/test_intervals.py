"""Intervals of evaluations: against SciPy, against the equation that they solve, and their coverage."""

import numpy as np
import pytest
from scipy import optimize, stats

from interjax.evaluation._intervals import difference_of, mean_of, share_of


def many_small_and_few_large(random, shape):
    small = 0.05 * random.exponential(size=shape)
    return np.where(random.random(shape) < 0.15, random.gamma(2.0, size=shape), small)


LOSSES = {
    "lognormal": (lambda random, shape: random.lognormal(size=shape), np.exp(0.5)),
    "few large": (many_small_and_few_large, 0.85 * 0.05 + 0.15 * 2),
    "uniform": (lambda random, shape: random.random(shape), 0.5),
}


@pytest.mark.parametrize(("right", "n"), [(0, 1), (1, 1), (0, 40), (40, 40), (7, 40), (359, 400), (9999, 10000)])
def test_accuracies_have_wilsons_interval(right, n):
    share, lower, upper, count = share_of(np.arange(n) < right, 0.95)
    expected = stats.binomtest(right, n).proportion_ci(method="wilson")
    assert (share, count) == (right / n, n)
    np.testing.assert_allclose((lower, upper), (expected.low, expected.high), atol=1e-12)
    assert lower <= share <= upper


@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize("kind", LOSSES)
def test_the_ends_solve_halls_equation(kind, level):
    losses = LOSSES[kind][0](np.random.default_rng(0), 30)
    mean, *ends, count = mean_of(losses, level)
    error, skewness = stats.sem(losses), stats.skew(losses, bias=False) / np.sqrt(30)
    assert (mean, count) == (pytest.approx(losses.mean()), 30)
    for end, side in zip(ends, (1, -1), strict=True):
        wanted = side * stats.t.ppf(0.5 + level / 2, 29)

        def miss(t, k=skewness, wanted=wanted):
            return t + k * t**2 / 3 + k**2 * t**3 / 27 + k / 6 - wanted

        assert end == pytest.approx(mean - error * optimize.brentq(miss, -50, 50))


@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("kind", LOSSES)
def test_nine_in_ten_intervals_of_any_tail_hold_the_mean(kind, n):
    """At 95%; the normal interval holds it in .81 to .92 of samples with a long tail, and misses at one side."""
    draw, truth = LOSSES[kind]
    random, shape = np.random.default_rng(1), (800, n)
    every = np.array([mean_of(losses, 0.95)[:3] for losses in draw(random, shape)])
    above, below = np.mean(every[:, 1] > truth), np.mean(every[:, 2] < truth)
    assert 0.90 <= 1 - above - below <= 0.985
    assert below <= 0.085
    assert (every[:, 1] >= 0).all()
    pairs = draw(random, (2, *shape)).swapaxes(0, 1)
    gaps = np.array([difference_of(*(mean_of(losses, 0.95) for losses in pair))[1:3] for pair in pairs])
    assert 0.92 <= np.mean((gaps[:, 0] < 0) & (gaps[:, 1] > 0)) <= 0.99


def test_symmetric_losses_have_students_interval():
    losses = np.array([1.0, 2, 3, 4])
    expected = stats.t.interval(0.95, 3, 2.5, stats.sem(losses))
    np.testing.assert_allclose(mean_of(losses, 0.95)[1:3], np.maximum(expected, 0))
    np.testing.assert_allclose(mean_of(losses + 9, 0.95)[1:3], np.add(expected, 9))


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([2.0], (2, np.nan, np.nan, 1)),
        ([2.0, 2, 2, 2], (2, 2, 2, 4)),
        ([0.0, 0, 0], (0, 0, 0, 3)),
        ([1.0, 3], (2, 0, 2 + 12.706205, 2)),
        ([1.0, np.nan, 3], (np.nan, np.nan, np.nan, 3)),
        ([1.0, np.inf, 3], (np.inf, np.nan, np.nan, 3)),
    ],
)
def test_few_equal_or_nonfinite_losses(losses, expected):
    np.testing.assert_allclose(mean_of(losses, 0.95), expected, rtol=1e-6)


def test_a_difference_joins_the_sides_that_move_it_alike():
    found = difference_of((5.0, 2.0, 9.0, 10), (1.0, 0.5, 4.0, 20))
    np.testing.assert_allclose(found, (4, 4 - np.hypot(3, 3), 4 + np.hypot(4, 0.5), 30))
