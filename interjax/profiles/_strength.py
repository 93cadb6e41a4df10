"""From noisy interactions to their strength: mean |I| without the upward bias that noise adds.

A mean over k contexts is close to N(I, s^2 / k), so its absolute value is on average that of a folded normal
distribution: too large by se * b(|I| / se), b(z) = E|N(z, 1)| - z, which falls from 0.80 at z = 0 to 0.001 at z = 3.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy.special import erf

from interjax._core._statistics import shrunk_variance
from interjax.orders._limits import limit_where_nothing_varied
from interjax.orders._observations import moments
from interjax.orders._rounding import resolution
from interjax.profiles._one_input import Design, Measured

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
    shrunk, _ = shrunk_variance(variance, np.maximum(count - 1, 0))
    own = np.where(np.isnan(variance), np.nan_to_num(shrunk), variance)
    stderr = np.sqrt(own * left / np.maximum(count, 1))
    if kind == "rms":
        return mean**2 - (0.0 if correction == "none" else stderr**2)
    if correction == "none":
        return np.abs(mean)
    if correction == "plug-in":
        return 2 * np.abs(mean) - folded_normal_mean(mean, stderr)
    freedom = np.maximum(count - 1, 1)
    return np.stack([np.abs(m) - _posterior_bias(m, e, f) for m, e, f in zip(mean, stderr, freedom, strict=True)])


def _posterior_bias(mean: np.ndarray, stderr: np.ndarray, freedom: np.ndarray) -> np.ndarray:
    """Bias of each |mean|, averaged over what its pair's interaction may be.

    The bias se * b(z) depends on the unknown z = |I| / se. Its posterior given |mean| / se comes from a Student
    likelihood and a prior over z common to these pairs, fitted to them by a few steps of expectation maximisation from
    a flat start; stopping early keeps it smooth. Where noise vanishes the bias does, whatever the prior.
    """
    noisy = (stderr > 0) & np.isfinite(mean)
    observed = np.minimum(np.abs(mean[noisy]) / stderr[noisy], _FAR)[:, None]
    degrees = freedom[noisy][:, None]
    likelihood = np.zeros((len(observed), len(_Z)))
    for sign in (1, -1):
        likelihood += np.exp(-(degrees + 1) / 2 * np.log1p((observed - sign * _Z) ** 2 / degrees))
    prior = np.full(len(_Z), 1 / len(_Z))
    for _ in range(_EM_STEPS if len(observed) else 0):
        prior = prior * ((1 / (likelihood @ prior)) @ likelihood) / len(observed)
    bias = np.zeros_like(mean)
    bias[noisy] = stderr[noisy] * (likelihood @ (prior * _BIAS)) / (likelihood @ prior)
    return bias


@dataclasses.dataclass(frozen=True)
class InputStrength:
    """Strength of one input (orders,), its uncorrected form, its jackknife replicates (groups, orders), the mean
    standard error of its interactions (orders,), what rounding alone may make of one (orders,), what may have been
    missed where nothing varied (orders,), and the degrees of freedom of its replicates."""

    corrected: np.ndarray
    uncorrected: np.ndarray
    replicates: np.ndarray
    noise: np.ndarray
    rounding: np.ndarray
    limit: np.ndarray
    freedom: float

    def scaled(self, share: float) -> "InputStrength":
        """The same for a population of which only this share was measured and the rest is 0."""
        names = [field.name for field in dataclasses.fields(self) if field.name != "freedom"]
        return dataclasses.replace(self, **{name: share * getattr(self, name) for name in names})


def strength_of_input(found: list[Measured], design: Design, kind: str, correction: str) -> InputStrength:
    """Strength of one input from all rounds of measuring it."""
    if not found[0].count.size:  # no pair can interact
        nothing = np.zeros(len(design.orders))
        return InputStrength(nothing, nothing, np.zeros((2, len(nothing))), nothing, nothing, nothing, np.inf)
    strength_of = _of_all_pairs if found[0].took_all else _of_clusters
    count = np.sum([part.count.sum(axis=(1, 2)) for part in found], axis=0) / max(
        sum(part.count.shape[2] for part in (found[:1] if found[0].took_all else found)), 1
    )
    rounding = resolution(np.max([part.rounding for part in found], axis=0), count)
    return strength_of(found, design, kind, correction, rounding).scaled(found[0].share)


def _left(part: Measured, design: Design) -> np.ndarray:
    """What is left of the variance of each pair's mean over one round's contexts: (orders, pairs)."""
    count, n_players = part.count.sum(axis=1), design.population.n_players
    of_order = design.estimator.share_left
    return np.stack(
        [of_order(n_players, 2, int(m), design.contexts, each) for m, each in zip(design.orders, count, strict=True)]
    )


def _of_all_pairs(
    found: list[Measured], design: Design, kind: str, correction: str, rounding: np.ndarray
) -> InputStrength:
    """All pairs were measured: pool the rounds' contexts; replicates leave out one group of contexts."""
    total, squares, count = (
        np.sum([getattr(part, name) for part in found], axis=0) for name in ("total", "squares", "count")
    )
    exact = design.exact
    # Rounds draw anew, so that each has its own share of the contexts.
    left = np.sum([part.count.sum(1) * _left(part, design) for part in found], axis=0) / np.maximum(count.sum(1), 1)

    def terms(total: np.ndarray, squares: np.ndarray, count: np.ndarray, correction: str) -> np.ndarray:
        mean, variance = moments(np.where(count > 0, total, 0.0), squares, np.maximum(count, 1))
        variance[exact] = 0.0
        return magnitudes(mean, variance, count, left, kind=kind, correction=correction)

    whole = total.sum(1), squares.sum(1), count.sum(1)
    corrected, plain = terms(*whole, correction).mean(axis=-1), terms(*whole, "none").mean(axis=-1)
    noise = _mean_stderr(whole[0], whole[1], whole[2], left, exact)
    limit = _mean_limit(*whole, exact, rounding, np.ones(total.shape[2]), kind)
    groups = total.shape[1]
    if groups == 1:
        unknown = np.full((2, len(corrected)), np.nan)
        return InputStrength(corrected, plain, unknown, noise, rounding, limit, np.nan)
    # Replicates take the plug-in form: a tenth of the cost, and as variable.
    quick = "plug-in" if correction == "folded-normal" else correction
    centre = terms(*whole, quick)
    used = (count.sum(-1) > 0).sum(axis=1)  # groups that hold any context, by order
    scale = np.sqrt((used - 1) / np.maximum(used, 1)) / np.sqrt((groups - 1) / groups) * np.sqrt(left.mean(axis=-1))
    replicates = np.tile(corrected, (groups, 1))
    for group in range(groups):
        rest = total.sum(1) - total[:, group], squares.sum(1) - squares[:, group], count.sum(1) - count[:, group]
        with np.errstate(invalid="ignore", divide="ignore"):
            shift = terms(*rest, quick) - centre
        shift[rest[2] == 0] = 0.0  # a pair whose contexts are all in this group tells nothing of its error
        replicates[group] += np.where(exact, 0.0, shift.mean(axis=-1) * scale)
    freedom = np.inf if exact.all() else float(used[~exact].max() - 1)
    return InputStrength(corrected, plain, replicates, noise, rounding, limit, freedom)


def _of_clusters(
    found: list[Measured], design: Design, kind: str, correction: str, rounding: np.ndarray
) -> InputStrength:
    """Pairs were sampled in clusters: a weighted mean over pairs; replicates leave out one cluster."""
    exact = design.exact
    sums, plain, weights, noise, limits = [], [], [], [], []
    for part in found:
        total, squares, count, left = part.total[:, 0], part.squares[:, 0], part.count[:, 0], _left(part, design)
        mean, variance = moments(total, squares, count)
        variance[exact] = 0.0
        terms = magnitudes(mean, variance, count, left, kind=kind, correction=correction)
        naive = magnitudes(mean, variance, count, left, kind=kind, correction="none")
        members = part.cluster[None, :] == np.arange(part.cluster.max() + 1)[:, None]
        share = members * part.weight
        sums.append(np.einsum("cp,mp->cm", share, terms))
        plain.append(np.einsum("cp,mp->cm", share, naive))
        weights.append(share.sum(axis=1))
        noise.append(_mean_stderr(total, squares, count, left, exact))
        limits.append(_mean_limit(total, squares, count, exact, rounding, part.weight, kind))
    by_cluster, weight = np.concatenate(sums), np.concatenate(weights)
    corrected = by_cluster.sum(0) / weight.sum()
    if len(weight) > 1:
        replicates = (by_cluster.sum(0) - by_cluster) / (weight.sum() - weight)[:, None]
    else:
        replicates = np.full((2, len(corrected)), np.nan)
    plain_mean = np.concatenate(plain).sum(0) / weight.sum()
    # Rounds draw other contexts: what all of them miss is no more than what the one that saw most may have missed.
    noise, limit = np.mean(noise, axis=0), np.min(limits, axis=0)
    return InputStrength(corrected, plain_mean, replicates, noise, rounding, limit, len(weight) - 1.0)


def _mean_stderr(
    total: np.ndarray, squares: np.ndarray, count: np.ndarray, left: np.ndarray, exact: np.ndarray
) -> np.ndarray:
    """Mean over pairs of the standard error of |mean| (orders,); NaN where no pair's is known."""
    _, variance = moments(total, squares, count)
    variance[exact] = 0.0
    known = np.isfinite(variance)
    errors = np.sqrt(np.where(known, variance, 0.0) * left / np.maximum(count, 1)).sum(axis=-1)
    return np.where(known.any(axis=-1), errors / np.maximum(known.sum(axis=-1), 1), np.nan)


def _mean_limit(
    total: np.ndarray,
    squares: np.ndarray,
    count: np.ndarray,
    exact: np.ndarray,
    rounding: np.ndarray,
    weight: np.ndarray,
    kind: str,
) -> np.ndarray:
    """What may have been missed of the strength at orders where nothing varied (orders,), as a standard error."""
    mean, variance = moments(total, squares, count)
    variance[exact] = 0.0
    tolerance = (rounding * np.sqrt(np.maximum(count, 1).mean(axis=1)))[:, None]
    limit = limit_where_nothing_varied(mean, variance, count, np.broadcast_to(exact[:, None], mean.shape), tolerance)
    if kind == "mean":
        return np.average(limit, axis=1, weights=weight)
    return np.sqrt(np.average(limit**2, axis=1, weights=weight))
