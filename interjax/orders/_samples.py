"""Uniform coalitions of the sizes m, m+1 and m+2 with their values, as many as an estimate for all pairs needs."""

import dataclasses
import math
from collections.abc import Callable

import jax
import numpy as np

from interjax.games._coalitions import Draw, draw_coalitions, masks_of_size

Evaluate = Callable[[np.ndarray], np.ndarray]  # masks (rows, n) -> float64 (rows,)

FOLDS = 3
# Coalitions that a pair's rarest stratum holds on average at least, where more than these are asked for.
_FEWEST = 8
_MOST = 20  # of them beyond which no pair lacks two


@dataclasses.dataclass(frozen=True)
class Sample:
    """Coalitions of one size with their values, dealt to folds; all of that size if `enumerated`.

    Attributes:
        masks: bool (rows, players).
        values: float64 (rows,), minus `shift`; 0 where not finite.
        shift: mean of the finite values.
        is_finite: bool (rows,).
        fold: int (rows,), 0 throughout where enumerated.
        enumerated: whether these are all coalitions of the size.
    """

    masks: np.ndarray
    values: np.ndarray
    shift: float
    is_finite: np.ndarray
    fold: np.ndarray
    enumerated: bool

    @classmethod
    def of(cls, masks: np.ndarray, values: np.ndarray, enumerated: bool) -> "Sample":
        is_finite = np.isfinite(values)
        shift = float(np.mean(values[is_finite])) if is_finite.any() else 0.0
        fold = np.zeros(len(masks), int) if enumerated else np.arange(len(masks)) % FOLDS
        return cls(masks, np.where(is_finite, values - shift, 0.0), shift, is_finite, fold, enumerated)


def draws(n_players: int, order: int, contexts: int) -> list[int]:
    """Coalitions to draw of the sizes m, m+1, m+2 (at least as many as there are: enumerate).

    With N_t coalitions of a size and a stratum's share p of them, a pair's variance is the sum of 1 / (p N_t) over its
    four strata, as for `contexts` quadruples where that sum is 4 / contexts; N_t is proportional to the square root of
    a size's sum of 1 / p, which needs the fewest coalitions for it.

    A pair's rarest stratum holds `contexts` of them on average, or `_FEWEST`. It may hold more: where it holds fewer
    than two, the pair gets coalitions of its own, (2 + f) exp(-f) on average of f in a stratum, and f is such that all
    pairs take the fewest coalitions. So fewer contexts never take more coalitions, nor better estimates.
    """
    shares = [math.comb(n_players - 2, order) / math.comb(n_players, order + present) for present in range(3)]
    burden = np.sqrt([1 / shares[0], 2 / shares[1], 1 / shares[2]])
    counts = contexts / 4 * burden * burden.sum()
    counts = np.maximum(counts, _fewest(min(contexts, _FEWEST), shares, math.comb(n_players, 2)))
    every = [math.comb(n_players, order + present) for present in range(3)]
    is_end = order in (0, n_players - 2)
    return [
        possible if is_end or possible <= 2 * count else math.ceil(count)
        for possible, count in zip(every, counts.tolist(), strict=True)
    ]


def _fewest(least: int, shares: list[float], pairs: int) -> np.ndarray:
    """Coalitions of each size of which a stratum holds f >= `least` on average, with those of pairs' own fewest."""
    held = np.arange(least, _MOST + 1)[:, None]
    own = pairs * np.array([1, 2, 1]) * (2 + held) * np.exp(-held)
    best = np.argmin(held / np.array(shares) + own, axis=0)
    return held[best, 0] / np.array(shares)


def expected_coalitions(n_players: int, order: int, contexts: int) -> list[tuple[int, bool]]:
    """Coalitions of the sizes m, m+1, m+2 that serve all pairs, and whether they are all that there are.

    A pair whose rarest stratum holds fewer than two of them needs a few more.
    """
    counts = draws(n_players, order, contexts)
    return [(count, count >= math.comb(n_players, order + present)) for present, count in enumerate(counts)]


def draw_samples(
    key: jax.Array,
    n_players: int,
    order: int,
    contexts: int,
    evaluate: Evaluate,
    live: np.ndarray,
) -> list[Sample]:
    """Coalitions of the sizes m, m+1, m+2 with their values; of their players, those that are not known to be null."""
    sizes = range(order, order + 3)
    counts, enumerated = zip(*expected_coalitions(n_players, order, contexts), strict=True)
    wishes = [
        Draw(stream_of(order, present), size, 0 if whole else count)
        for present, (size, count, whole) in enumerate(zip(sizes, counts, enumerated, strict=True))
    ]
    drawn = list(draw_coalitions(key, n_players, wishes))
    masks = [
        masks_of_size(n_players, size) if whole else found
        for size, whole, found in zip(sizes, enumerated, drawn, strict=True)
    ]
    values = np.split(evaluate(np.concatenate(masks)), np.cumsum([len(part) for part in masks])[:-1])
    return [Sample.of(*one) for one in zip([part[:, live] for part in masks], values, enumerated, strict=True)]


def stream_of(order: int, present: int) -> int:
    """Number of an order's stream of coalitions of m + present players; `present` = 3 for contexts of single pairs."""
    return 4 * order + present
