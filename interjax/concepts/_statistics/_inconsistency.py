"""Inconsistency of concepts by size: how much effects vary when the input is perturbed a little."""

import warnings
from typing import Any

import numpy as np

from interjax._core._checks import check_array, check_is, check_known, check_number, shown
from interjax._core._results import Saved, result
from interjax.concepts._explanations._effects import effects_of, sizes_of
from interjax.concepts._explanations._salient import salient_effects


@result
class Inconsistency(Saved):
    """How much the effects of each size vary over perturbed copies of an input.

    Attributes:
        sizes: 1..n, int (sizes,).
        value: relative variance, mean variance over mean squared effect, (sizes,); what `theoretical_inconsistency` is
            compared to. NaN where there is no effect, or where the draws are too few to tell an effect from its noise.
        stderr: its standard error over inputs, whose draws it thereby covers; NaN with a single input, (sizes,).
        spread: mean standard deviation over draws of an effect, in the game's units, (sizes,).
        magnitude: mean |effect|, in the game's units, (sizes,).
        n_effects: effects behind each size, over all inputs, int (sizes,).
        n_draws, n_inputs: perturbed copies of each input, and inputs.
    """

    sizes: np.ndarray
    value: np.ndarray
    stderr: np.ndarray
    spread: np.ndarray
    magnitude: np.ndarray
    n_effects: np.ndarray
    n_draws: int
    n_inputs: int

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
        Relative variance, spread and magnitude for sizes 1..n.

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
    value, stderr = _ratio(by_input(variance), by_input(squared))
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

        log(1 + (d/t)^2) = sum over m of m log(1 + value(m)) / sum over m of m^2

    the least-squares line through the origin of log(1 + value) on m, over the sizes whose value is known.

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
    value, sizes = np.asarray(found.value), np.asarray(found.sizes, np.float64)
    known = np.isfinite(value)
    if not known.any():
        return np.nan
    slope = np.sum(sizes[known] * np.log1p(value[known])) / np.sum(sizes[known] ** 2)
    return float(np.sqrt(np.expm1(slope)))


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


def _ratio(above: np.ndarray, below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ratio of two sums over inputs and its standard error, linearised; NaN where the lower sum is not positive."""
    n_inputs, total = len(above), below.sum(axis=0)
    value = np.divide(above.sum(axis=0), total, out=np.full_like(total, np.nan), where=total > 0)
    if n_inputs == 1:
        return value, np.full_like(value, np.nan)
    residual = np.sum((above - value[None] * below) ** 2, axis=0)
    return value, np.sqrt(n_inputs / (n_inputs - 1) * residual) / np.abs(total)
