"""Inconsistency of concepts by size: how much effects vary when the input is perturbed a little."""

import warnings
from typing import Any

import numpy as np

from interjax._core._checks import check_array, check_is, check_known, check_number, shown
from interjax._core._results import Saved, result
from interjax._core._statistics import student_quantile
from interjax.concepts._explanations._effects import effects_of, sizes_of
from interjax.concepts._explanations._salient import salient_effects

_LEAST_ERRORS = 3.0  # of its own by which a mean squared effect must exceed 0 for a ratio to it to be told


@result
class Inconsistency(Saved):
    """How much the effects of each size vary over perturbed copies of an input.

    Attributes:
        sizes: 1..n, int (sizes,).
        value: relative variance, mean variance over mean squared effect, (sizes,); what `theoretical_inconsistency` is
            compared to. NaN where there is no effect, or where the draws are too few to tell an effect from its noise.
        stderr: its standard error over inputs, whose draws it thereby covers, linearised: trust it where `reliable`;
            NaN with a single input, (sizes,).
        spread: mean standard deviation over draws of an effect, in the game's units, (sizes,).
        magnitude: mean |effect|, in the game's units, (sizes,).
        n_effects: effects behind each size, over all inputs, int (sizes,).
        n_draws, n_inputs: perturbed copies of each input, and inputs.
        squared_error: standard error over inputs of the mean squared effect, as a share of it; infinite where this mean
            is not positive, NaN with a single input, (sizes,). None in files of earlier versions.
        covariance: that of the mean squared effect with mean variance - value * mean squared effect, as a share of the
            former's square, (sizes,); what `interval` needs. None in files of earlier versions.
    """

    sizes: np.ndarray
    value: np.ndarray
    stderr: np.ndarray
    spread: np.ndarray
    magnitude: np.ndarray
    n_effects: np.ndarray
    n_draws: int
    n_inputs: int
    squared_error: np.ndarray | None = None
    covariance: np.ndarray | None = None

    @property
    def reliable(self) -> np.ndarray:
        """Whether the mean squared effect, the denominator, is more than three of its errors above 0, bool (sizes,).

        False also where that is not known: with a single input, and in files of earlier versions.
        """
        if self.squared_error is None:
            return np.zeros(len(self.sizes), bool)
        return np.isfinite(self.value) & (np.asarray(self.squared_error) < 1 / _LEAST_ERRORS)

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the errors, inputs - 1."""
        return self.n_inputs - 1

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper end of the ratio's interval over inputs at a level in (0, 1), (sizes,) each.

        Fieller's: the ratios r for which mean variance - r * mean squared effect is within t of its own errors of 0, t
        of Student with inputs - 1 degrees of freedom, and r >= 0. It holds also where `reliable` is False, and then it
        may have no upper end (infinite). NaN where the value or its error is unknown. Files of earlier versions give
        value -+ t stderr.

        Raises:
            ValueError: for a level outside (0, 1).

        References:
            Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16, 1954.
        """
        value, stderr = np.asarray(self.value, float), np.asarray(self.stderr, float)
        reach = student_quantile(level, self.freedom)
        if self.squared_error is None or self.covariance is None:
            return np.maximum(value - reach * stderr, 0.0), value + reach * stderr
        return _fieller(value, reach * stderr, reach * np.asarray(self.squared_error), reach**2 * self.covariance)

    @property
    def ratio(self) -> np.ndarray:
        """Spread over magnitude, (sizes,); NaN where there is no effect."""
        spread, magnitude = np.asarray(self.spread), np.asarray(self.magnitude)
        return np.divide(spread, magnitude, out=np.full_like(spread, np.nan), where=magnitude > 0)


def inconsistency(explanations: Any, *, clean: Any = None, tau: float | None = None) -> Inconsistency:
    """How unstable concepts of each size are under small perturbations of the input.

        value(m) = mean over x, S of Var I(S|x') / mean over x, S of I(S|x)^2,   |S| = m

    x' are the perturbed copies of x, of which `explanations` holds D. Without `clean`, I(S|x) stands for the mean over
    x': Var is the variance about it, divided by D - 1, and its square is corrected for its noise, mean^2 - Var / D.
    With `clean`, I(S|x) is the effect on the unperturbed input and Var the mean of (I(S|x') - I(S|x))^2; for
    perturbations that shift effects one way, as attacks do, which then would show no variance.

    `spread` and `magnitude` are the means over x and S of the standard deviation and of |I(S|x)|, uncorrected.

    Args:
        explanations: of the perturbed inputs, an `AndOr` or AND effects (draws, inputs, 2**n).
        clean: explanations of the unperturbed inputs, (inputs, 2**n), of the same kinds; None as described.
        tau: count, for each input, only effects I(S|x) that are salient; None for all. The threshold applies to
            `clean`, or to the mean over draws.

    Returns:
        Relative variance, spread and magnitude for sizes 1..n, and for which sizes the ratio is `reliable`.

    Raises:
        ValueError: axes that do not fit, a single draw without `clean`, or effects that are NaN or infinite.

    Warns:
        UserWarning: if a single input leaves the standard error unknown.

    Example:
        >>> draws = [[[0.0, 1, 0, 0]] * 2, [[0.0, 3, 0, 0]] * 2]  # of two inputs: I({0}) is 1, then 3
        >>> found = inconsistency(draws, clean=[[0.0, 2, 0, 0]] * 2)
        >>> found.value.tolist(), found.ratio.tolist()
        ([0.25, nan], [0.5, nan])

    References:
        Zhou et al., AAAI 2024, arXiv:2302.13091 (inconsistency of concepts under noise and under attack).
    """
    effects = effects_of(explanations, "explanations")
    centre, variance, squared = _moments(effects, clean)
    n_players = effects.shape[-1].bit_length() - 1
    counted = np.broadcast_to(np.arange(effects.shape[-1]) > 0, centre.shape)
    if tau is not None:
        counted = salient_effects(centre, tau)
    of_size = (sizes_of(n_players)[:, None] == np.arange(1, n_players + 1)[None]).astype(np.float64)

    def by_input(values: np.ndarray) -> np.ndarray:
        """Sums over the counted effects of each size, (inputs, sizes)."""
        return np.where(counted, values, 0.0).sum(axis=-2) @ of_size

    if effects.shape[1] == 1:
        warnings.warn("a single input leaves the standard error unknown (NaN): give several", stacklevel=2)
    value, stderr, squared_error, covariance = _ratio(by_input(variance), by_input(squared))
    n_effects = by_input(np.ones_like(centre)).sum(axis=0)
    spread, magnitude = (
        np.divide(by_input(part).sum(axis=0), n_effects, out=np.full(n_players, np.nan), where=n_effects > 0)
        for part in (np.sqrt(variance), np.abs(centre))
    )
    return Inconsistency(
        sizes=np.arange(1, n_players + 1),
        value=value,
        stderr=stderr,
        spread=spread,
        magnitude=magnitude,
        n_effects=n_effects.astype(int),
        n_draws=effects.shape[0],
        n_inputs=effects.shape[1],
        squared_error=squared_error,
        covariance=covariance,
    )


def theoretical_inconsistency(sizes: Any, relative_noise: float) -> np.ndarray:
    """Relative variance of an effect of m players whose factors are each disturbed by the same relative noise.

        Var[I] / E[I]^2 = (1 + (d/t)^2)^m - 1   for I = U prod over i in S of (1 + e_i / t),  e_i ~ N(0, d^2)

    Args:
        sizes: numbers of players m.
        relative_noise: d/t, noise relative to the distance of a player's input from its baseline, >= 0.

    Returns:
        Relative variance in the shape of `sizes`; it grows exponentially with m.

    Raises:
        ValueError: a negative or non-finite relative noise.

    Example:
        >>> theoretical_inconsistency([1, 2, 3], 1.0)
        array([1., 3., 7.])

    References:
        Zhou et al., AAAI 2024, arXiv:2302.13091 (variance of an interaction by its Taylor expansion).
    """
    relative_noise = check_number("relative_noise", relative_noise, "[0, inf)", about="a ratio of noise to distance")
    check_known("sizes", sizes)
    sizes = np.asarray(check_array("sizes", sizes, "numbers of players, at least 0"))
    if sizes.dtype.kind not in "iuf" or not np.all(np.isfinite(sizes) & (sizes >= 0) & (sizes == np.round(sizes))):
        raise ValueError(f"sizes must be whole numbers of players, at least 0; got {shown(sizes.tolist())}")
    return np.expm1(np.asarray(sizes, np.float64) * np.log1p(relative_noise**2))


def fit_relative_noise(found: Inconsistency) -> float:
    """The relative noise whose theoretical inconsistency lies nearest to a measured one.

        log(1 + (d/t)^2) = sum over m of w_m m log(1 + value(m)) / sum over m of w_m m^2

    the least-squares line through the origin of log(1 + value) on m, over the sizes whose value is known. Each weighs
    by the error of its logarithm,

        1 / sqrt(w_m) = stderr(m) / value(m) * V(m) / (1 + V(m)),

    V the theory of the line of equal weights: errors that go with the measured values would favour low ones. Where
    errors are unknown, or some are 0, all sizes weigh the same.

    Args:
        found: what `inconsistency` returned.

    Returns:
        d/t, for `theoretical_inconsistency(found.sizes, d/t)`; NaN if no value is known.

    Example:
        >>> sizes = np.arange(1, 5)
        >>> nothing = np.zeros(4)
        >>> value = theoretical_inconsistency(sizes, 0.3)
        >>> round(fit_relative_noise(Inconsistency(sizes, value, nothing, nothing, nothing, nothing, 10, 10)), 6)
        0.3
    """
    check_is("found", found, Inconsistency, "what ij.concepts.inconsistency returned")
    known = np.isfinite(found.value)
    if not known.any():
        return np.nan
    sizes, value, stderr = (np.asarray(part, np.float64)[known] for part in (found.sizes, found.value, found.stderr))
    slope = _slope(sizes, np.log1p(value), np.ones(len(sizes)))
    if slope > 0 and (value > 0).all() and (stderr > 0).all():
        slope = _slope(sizes, np.log1p(value), (stderr / value * -np.expm1(-slope * sizes)) ** -2.0)
    return float(np.sqrt(np.expm1(slope)))


def _slope(sizes: np.ndarray, height: np.ndarray, weights: np.ndarray) -> float:
    """Of the line through the origin nearest to the heights."""
    return float(np.sum(weights * sizes * height) / np.sum(weights * sizes**2))


def _moments(effects: np.ndarray, clean: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Effect, its variance over draws, and an unbiased estimate of its square: each (inputs, kinds, 2**n)."""
    if effects.ndim != 4 or 0 in effects.shape or effects.shape[-1] < 2:
        raise ValueError(
            "explanations must be those of perturbed inputs, (draws, inputs, 2**n) with at least one of each and one "
            f"player; got shape {(*effects.shape[:-2], effects.shape[-1])}"
        )
    n_draws = len(effects)
    if clean is not None:
        centre = effects_of(clean, "clean")
        if centre.shape != effects.shape[1:]:
            raise ValueError(
                f"clean must hold one explanation for each input, (inputs, kinds, 2**n) = {effects.shape[1:]}; got "
                f"{centre.shape}"
            )
        return centre, np.mean((effects - centre[None]) ** 2, axis=0), centre**2
    if n_draws == 1:
        raise ValueError(
            "explanations must be of at least two draws, or of one beside `clean`; got one alone, which has no spread"
        )
    centre, variance = effects.mean(axis=0), effects.var(axis=0, ddof=1)
    return centre, variance, centre**2 - variance / n_draws


def _ratio(above: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Ratio of two sums over inputs, its linearised standard error, the lower sum's error and the two's covariance.

    The last two are shares of the lower sum and of its square; the ratio is NaN where this sum is not positive.
    """
    n_inputs, total = len(above), below.sum(axis=0)
    value = np.divide(above.sum(axis=0), total, out=np.full_like(total, np.nan), where=total > 0)
    if n_inputs == 1:
        return value, *np.full((3, *value.shape), np.nan)
    scale = np.divide(np.sqrt(n_inputs / (n_inputs - 1)), total, out=np.full_like(total, np.inf), where=total > 0)
    with np.errstate(invalid="ignore"):  # where the sum is not positive
        residual, deviation = (above - value[None] * below) * scale, below - below.mean(axis=0)
        stderr, covariance = np.sqrt(np.sum(residual**2, axis=0)), np.sum(residual * deviation * scale, axis=0)
        squared_error = np.sqrt(np.sum(deviation**2, axis=0)) * scale
    return value, stderr, np.where(total > 0, squared_error, np.inf), covariance


def _fieller(
    value: np.ndarray, reach: np.ndarray, share: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The r = value + d >= 0 with d^2 <= reach^2 - 2 d covariance + d^2 share^2, or the least interval around them."""
    curve = 1 - share**2
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(covariance**2 + curve * reach**2)  # NaN where every r is meant
        low, high = (value + (-covariance + side * root) / curve for side in (-1, 1))
        is_ray = (curve <= 0) & (low < value) & (high <= 0)  # of two rays the one that starts at `low` holds the value
        lower = np.where(curve > 0, low, np.where(is_ray, low, 0.0))
        upper = np.where(curve > 0, high, np.inf)
    known = np.isfinite(value) & np.isfinite(reach)
    return np.where(known, np.maximum(lower, 0.0), np.nan), np.where(known, upper, np.nan)
