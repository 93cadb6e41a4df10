"""All pairs at one order from uniform coalitions: a fitted quadratic, corrected by its residuals stratum by stratum.

    I^(m)(i,j) = E[v | |S| = m+2, i and j in] - E[v | |S| = m+1, only i in] - E[v | |S| = m+1, only j in]
                 + E[v | |S| = m, both out]

Coalitions of the three sizes are drawn uniformly, whatever the pair, so each serves every pair. A stratum's mean is the
exact mean there of a quadratic g (`_quadratic`) plus the mean of v - g over the stratum's coalitions. Coalitions are
dealt to folds and the g subtracted from a fold is fitted to the other folds, so the estimate is unbiased whatever g is;
what g explains adds no noise. A size with few coalitions is enumerated, its strata are exact.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from interjax._core._estimate import Estimate
from interjax.games._coalitions import Draw, draw_coalitions
from interjax.games._game import Game
from interjax.games._measured_rounding import measured_rounding
from interjax.orders._quadratic import Quadratic, fit_quadratic
from interjax.orders._rounding import Rounding, resolution
from interjax.orders._samples import FOLDS, Evaluate, Sample, draw_samples, stream_of

# The four strata of a pair: whether i and j are present, and the stratum's sign.
_STRATA = ((True, True, 1.0), (True, False, -1.0), (False, True, -1.0), (False, False, 1.0))
_PRODUCT_ROWS = 2**14
_ROWS_IN_DOUBLE = 8  # that show how far values are off
# Residuals vary alike in all pairs' strata: the variance pooled over pairs counts as this many own observations.
_POOLED_WEIGHT = 4.0


@dataclasses.dataclass
class StratumSums:
    """Residuals v - g summed over each pair's coalitions in one stratum.

    Attributes:
        expected: float64 (folds, pairs), E of the g of each fold in the stratum.
        total: float64 (folds, pairs).
        count: float64 (folds, pairs), coalitions.
        squares: float64 (pairs,), sums of squares over all folds.
        nonfinite: float64 (pairs,), coalitions whose value was NaN or infinite.
        pooled_variance: variance of the residual over all coalitions of the size.
    """

    expected: np.ndarray
    total: np.ndarray
    count: np.ndarray
    squares: np.ndarray
    nonfinite: np.ndarray
    pooled_variance: float

    def moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean of v (without its shift), sum of squared deviations and count of each pair: (pairs,) each."""
        count = self.count.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (self.total + self.count * self.expected).sum(axis=0) / count
        raw = self.squares + (self.expected * (2 * self.total + self.count * self.expected)).sum(axis=0)
        deviations = np.maximum(raw - count * mean**2, 0.0)
        return np.where(self.nonfinite > 0, np.nan, mean), deviations, count


class PairEstimates(NamedTuple):
    """I^(m) of pairs at one order: arrays (pairs,) as in `Estimates`, and what they took."""

    mean: np.ndarray
    stderr: np.ndarray
    freedom: np.ndarray
    exact: np.ndarray
    count: np.ndarray
    n_forwards: int
    n_nonfinite: int
    rounding: np.ndarray


def regress_pairs(
    key: jax.Array,
    game: Game,
    pairs: np.ndarray,
    order: int,
    contexts: int,
    evaluate: Evaluate,
    rounding_of: Callable[[], Rounding],
) -> PairEstimates:
    """Estimate I^(order) of pairs (P, 2); a pair of which a player is known to be null is 0 without passes.

    `rounding_of` tells, once values were computed, how far such may be off.
    """
    n_players = game.n_players
    live = np.ones(n_players, bool) if game.is_null is None else ~np.asarray(game.is_null)
    wanted = live[pairs].all(axis=1)
    mean, stderr, count = np.zeros(len(pairs)), np.zeros(len(pairs)), np.zeros(len(pairs), int)
    freedom, exact = np.full(len(pairs), np.inf), np.ones(len(pairs), bool)
    of_rounding = np.zeros(len(pairs))
    if not wanted.any():
        return PairEstimates(mean, stderr, freedom, exact, count, 0, 0, of_rounding)
    samples = draw_samples(key, n_players, order, contexts, evaluate, live)
    own = (np.cumsum(live) - 1)[pairs[wanted]]
    models = _cross_fit(samples, centre=(order + 1) / n_players)
    sums = _stratum_sums(samples, models, own, order, n_players)
    added = _top_up(key, sums, samples, models, pairs[wanted], live, order, evaluate)
    mean[wanted], variances, freedoms, count[wanted] = _combine(sums, samples)
    exact[wanted] = not len(variances)
    values = [one.values + one.shift for one in samples]
    rows = np.linspace(0, len(values[1]) - 1, _ROWS_IN_DOUBLE).astype(int)
    measured = measured_rounding(game, samples[1].masks[rows], values[1][rows])
    rounding = max(measured, *(rounding_of().of(each) for each in [added, *values]))
    of_rounding[wanted] = resolution(rounding)
    variances = np.stack([*variances, of_rounding[wanted] ** 2])
    found = Estimate.of_parts(mean[wanted], variances, np.stack([*freedoms, np.full(len(variances[0]), np.inf)]))
    freedom[wanted], stderr[wanted] = found.freedom, np.where(np.isnan(found.value), np.nan, found.stderr)
    is_finite = np.concatenate([np.isfinite(added), *(sample.is_finite for sample in samples)])
    made, nonfinite = len(is_finite) * game.passes, int(np.count_nonzero(~is_finite))
    return PairEstimates(mean, stderr, freedom, exact, count, made, nonfinite, of_rounding)


def _cross_fit(samples: Sequence[Sample], centre: float) -> list[Quadratic]:
    """For each fold, the quadratic fitted to the other folds (and to all coalitions of enumerated sizes)."""
    if all(sample.enumerated for sample in samples):
        return []
    models = []
    for number in range(FOLDS):
        use = [sample.is_finite & (sample.enumerated | (sample.fold != number)) for sample in samples]
        models.append(
            fit_quadratic(
                np.concatenate([sample.masks[rows] for sample, rows in zip(samples, use, strict=True)]),
                np.repeat(np.arange(3), [np.count_nonzero(rows) for rows in use]),
                np.concatenate([sample.values[rows] for sample, rows in zip(samples, use, strict=True)]),
                centre,
            )
        )
    return models


def _stratum_sums(
    samples: Sequence[Sample], models: Sequence[Quadratic], pairs: np.ndarray, order: int, n_players: int
) -> list[StratumSums]:
    """Sums for the four strata of `_STRATA`, by matrix products over each size's coalitions."""
    once = order / max(n_players - 2, 1)
    twice = once * (order - 1) / max(n_players - 3, 1)
    i, j = pairs.T
    residuals = [_residuals(sample, models) for sample in samples]
    variances = [float(np.var(residual)) for residual in residuals]
    by_size = [  # both out, the first in, both in; only the second in is the transpose of only the first in
        _sums_of_size(sample, residual, models, present > 0, present > 1, once, twice)
        for present, (sample, residual) in enumerate(zip(samples, residuals, strict=True))
    ]
    found = []
    for has_first, has_second, _ in _STRATA:
        sums = by_size[has_first + has_second]
        places = (j, i) if has_second and not has_first else (i, j)
        chosen = {name: matrix[..., *places] for name, matrix in sums.items()}
        found.append(StratumSums(**chosen, pooled_variance=variances[has_first + has_second]))
    return found


def _sums_of_size(
    sample: Sample,
    residual: np.ndarray,
    models: Sequence[Quadratic],
    has_first: bool,
    has_second: bool,
    once: float,
    twice: float,
) -> dict[str, np.ndarray]:
    """The arrays of `StratumSums` for all pairs: (..., players, players) [i, j]."""
    first, second = (sample.masks if has else ~sample.masks for has in (has_first, has_second))
    folds = [sample.fold == number for number in range(FOLDS)]
    means = [model.mean_in_stratum(has_first, has_second, once, twice) for model in models]
    total = np.stack([_pair_sums(first[rows], second[rows], residual[rows]) for rows in folds])
    count = np.stack([_pair_sums(first[rows], second[rows], np.ones(len(residual[rows]))) for rows in folds])
    bad = ~sample.is_finite
    return {
        "expected": np.zeros_like(total) if sample.enumerated else np.stack(means),
        "total": total,
        "count": count,
        "squares": _pair_sums(first, second, residual**2),
        "nonfinite": _pair_sums(first[bad], second[bad], np.ones(np.count_nonzero(bad))),
    }


def _pair_sums(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of the weights of the rows with `first`[:, i] and `second`[:, j], float64 (players, players) [i, j]."""
    total = np.zeros((first.shape[1], second.shape[1]))
    for start in range(0, len(weights), _PRODUCT_ROWS):
        part = slice(start, start + _PRODUCT_ROWS)
        total += (first[part].T * weights[part]) @ second[part].astype(np.float64)
    return total


def _residuals(sample: Sample, models: Sequence[Quadratic]) -> np.ndarray:
    """v - g, with the g that was not fitted to the coalition; v itself where all coalitions are known."""
    if sample.enumerated:
        return sample.values
    residual = np.empty(len(sample.values))
    for number, model in enumerate(models):
        mine = sample.fold == number
        residual[mine] = sample.values[mine] - model(sample.masks[mine])
    return residual


def _top_up(
    key: jax.Array,
    sums: Sequence[StratumSums],
    samples: Sequence[Sample],
    models: Sequence[Quadratic],
    pairs: np.ndarray,
    live: np.ndarray,
    order: int,
    evaluate: Evaluate,
) -> np.ndarray:
    """Give every stratum of a pair that holds fewer than two coalitions some of its own; returns their values.

    In each stratum the other players of a coalition are a uniform context of size m outside the pair, drawn from a
    stream numbered by the pair. No model was fitted to these coalitions, so any fold may count them: the first does.
    """
    wishes, places = [], []
    codes = (pairs[:, 0].astype(np.int64) * len(live) + pairs[:, 1]) * len(_STRATA)
    for stratum, (has_first, has_second, _) in enumerate(_STRATA):
        if samples[has_first + has_second].enumerated:
            continue
        missing = np.maximum(2 - sums[stratum].count.sum(axis=0), 0).astype(int)
        for place in np.flatnonzero(missing):
            count, absent = int(missing[place]), np.repeat(pairs[[place]], missing[place], axis=0)
            wishes.append(Draw(stream_of(order, 3), order, count, 2 * int(codes[place] + stratum), absent))
            places += [(stratum, place)] * count
    if not wishes:
        return np.zeros(0)
    masks = np.concatenate(list(draw_coalitions(key, len(live), wishes)))
    stratum, place = np.array(places).T
    present = np.array([one[:2] for one in _STRATA], bool)[stratum]
    np.put_along_axis(masks, pairs[place], present, axis=1)
    values = evaluate(masks)
    is_finite = np.isfinite(values)
    shift = np.array([sample.shift for sample in samples])[present.sum(axis=1)]
    residual = np.where(is_finite, values - shift, 0.0) - models[0](masks[:, live])
    for number, one in enumerate(sums):
        mine = stratum == number
        np.add.at(one.total[0], place[mine], residual[mine])
        np.add.at(one.squares, place[mine], residual[mine] ** 2)
        np.add.at(one.count[0], place[mine], 1)
        np.add.at(one.nonfinite, place[mine], ~is_finite[mine])
    return values


def _combine(
    sums: Sequence[StratumSums], samples: Sequence[Sample]
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Mean, variance of each sampled stratum's part with its degrees of freedom, and the count of the rarest stratum.

    Strata are disjoint, so that their variances add up.
    """
    mean, variances, freedoms, counts = 0.0, [], [], []
    for one, (has_first, has_second, sign) in zip(sums, _STRATA, strict=True):
        sample = samples[has_first + has_second]
        of_stratum, deviations, count = one.moments()
        mean = mean + sign * (of_stratum + sample.shift)
        counts.append(count)
        if not sample.enumerated:
            freedoms.append(count - 1 + _POOLED_WEIGHT)
            variances.append((deviations + _POOLED_WEIGHT * one.pooled_variance) / freedoms[-1] / count)
    return np.asarray(mean), variances, freedoms, np.min(counts, axis=0).astype(int)
