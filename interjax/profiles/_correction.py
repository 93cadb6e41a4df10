"""From noisy interactions to their strength: mean |I| without the upward bias that noise adds.

A mean over k contexts is close to N(I, s^2 / k), so its absolute value is on average that of a folded normal
distribution: too large by se * b(|I| / se), b(z) = E|N(z, 1)| - z, which falls from 0.80 at z = 0 to 0.001 at z = 3.
"""

from typing import Any

import numpy as np
from scipy.special import erf

from interjax._core._statistics import shrunk_variance

CORRECTIONS = ("folded-normal", "plug-in", "none")
KINDS = ("mean", "rms")

_Z = np.linspace(0.0, 5.0, 21)  # grid of |I| / standard error
_FAR = 7.0  # beyond this many standard errors there is no bias left
_EM_STEPS = 15


def folded_normal_mean(location: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """E|N(m, s^2)| = s sqrt(2/pi) exp(-m^2 / 2 s^2) + m erf(m / (s sqrt 2))."""
    ratio = np.abs(location) / np.where(scale > 0, scale, 1.0)
    smooth = scale * np.sqrt(2 / np.pi) * np.exp(-0.5 * ratio**2) + np.abs(location) * erf(ratio / np.sqrt(2))
    return np.where(scale > 0, smooth, np.abs(location))


_BIAS = folded_normal_mean(_Z, np.ones_like(_Z)) - _Z


def magnitudes(
    mean: np.ndarray, variance: np.ndarray, count: np.ndarray, left: Any, *, kind: str, correction: str
) -> np.ndarray:
    """Per-pair terms whose average over pairs estimates E|I| (kind "mean") or E I^2 (kind "rms").

    Args:
        mean: (orders, pairs) mean over contexts.
        variance: (orders, pairs) variance of a single observation; 0 where the interaction is exact, NaN where a
            single context leaves it unknown: then the pooled variance of the order's other pairs is taken.
        count: (orders, pairs) contexts.
        left: (orders, pairs) what is left of the variance of a mean over contexts that are all different, or 1.
        kind: "mean" or "rms"; mean^2 - se^2 is unbiased for I^2.
        correction: "folded-normal" (see `_posterior_bias`), "plug-in" (2 |mean| - E|N(mean, se^2)|, which leaves 0.6 of
            the bias where I = 0), or "none".
    """
    # Variances drawn towards each other leave 2 to 4 times the bias in games of known strength.
    stderr = _stderr(mean, variance, count, left)
    if kind == "rms":
        return mean**2 - (0.0 if correction == "none" else stderr**2)
    if correction == "none":
        return np.abs(mean)
    if correction == "plug-in":
        return 2 * np.abs(mean) - folded_normal_mean(mean, stderr)
    everyone = np.ones((1, mean.shape[1]), bool)
    return np.abs(mean) - _posterior_biases(mean, stderr, count, everyone)[0]


def magnitudes_of_parts(
    mean: np.ndarray, variance: np.ndarray, count: np.ndarray, left: Any, keep: np.ndarray
) -> np.ndarray:
    """Terms of `magnitudes` with the folded-normal correction for parts of the pairs: (parts, orders, pairs).

    `keep`, bool (parts, pairs), says which pairs a part holds; what each may be is learned from these alone.
    """
    return np.abs(mean) - _posterior_biases(mean, _stderr(mean, variance, count, left), count, keep)


def _stderr(mean: np.ndarray, variance: np.ndarray, count: np.ndarray, left: Any) -> np.ndarray:
    shrunk, _ = shrunk_variance(variance, np.maximum(count - 1, 0))
    own = np.where(np.isnan(variance), np.nan_to_num(shrunk), variance)
    return np.sqrt(own * left / np.maximum(count, 1))


def _posterior_biases(mean: np.ndarray, stderr: np.ndarray, count: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """`_posterior_bias` at each order: (parts, orders, pairs)."""
    each = zip(mean, stderr, np.maximum(count - 1, 1), strict=True)
    return np.stack([_posterior_bias(*order, keep) for order in each], axis=1)


def _posterior_bias(mean: np.ndarray, stderr: np.ndarray, freedom: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Bias of each |mean|, averaged over what its pair's interaction may be: (parts, pairs).

    The bias se * b(z) depends on the unknown z = |I| / se. Its posterior given |mean| / se comes from a Student
    likelihood and a prior over z common to the pairs that a part keeps, fitted to them by a few steps of expectation
    maximisation from a flat start; stopping early keeps it smooth. Where noise vanishes the bias does, whatever the
    prior.
    """
    noisy = (stderr > 0) & np.isfinite(mean)
    observed = np.minimum(np.abs(mean[noisy]) / stderr[noisy], _FAR)[:, None]
    degrees = freedom[noisy][:, None]
    likelihood = np.zeros((len(observed), len(_Z)))
    for sign in (1, -1):
        likelihood += np.exp(-(degrees + 1) / 2 * np.log1p((observed - sign * _Z) ** 2 / degrees))
    kept = keep[:, noisy].astype(float)
    pairs = np.maximum(kept.sum(axis=1, keepdims=True), 1.0)
    prior = np.full((len(keep), len(_Z)), 1 / len(_Z))
    with np.errstate(invalid="ignore", divide="ignore"):  # a part that keeps none of the noisy pairs
        for _ in range(_EM_STEPS if len(observed) else 0):
            prior = prior * ((kept / (prior @ likelihood.T)) @ likelihood) / pairs
    bias = np.zeros((len(keep), len(mean)))
    if len(observed) and np.any(prior):
        with np.errstate(invalid="ignore", divide="ignore"):
            of_noisy = ((prior * _BIAS) @ likelihood.T) / (prior @ likelihood.T)
        bias[:, noisy] = stderr[noisy] * np.where(kept.any(axis=1, keepdims=True), of_noisy, 0.0)
    return bias
