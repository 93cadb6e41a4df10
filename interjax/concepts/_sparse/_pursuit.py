"""Matching pursuit of the coalitions that act: screen, choose, fit by least squares, drop the insignificant, repeat.

    v(S) ~ a(empty) + sum over chosen T of a(T) f_T(S)

A coalition enters when its correlation with the residual is more than chance makes of any candidate (1% over all of
them), and stays while its effect is four standard errors. Choosing too many does no harm: once those that act are all
among the chosen, least squares gives the others nothing, and they are dropped. Products of present players (Moebius)
overlap, and a set of smaller ones can hide a larger one: when no more enter, the residual is screened again by products
of columns of mean 0, which smaller coalitions do not touch.
"""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.linalg

from interjax._core._statistics import tail_quantile
from interjax.concepts._sparse._coalition_search import (
    CoalitionSearch,
    columns,
    count_coalitions,
    products,
)

_ROUNDS = 20
_STEPS = 200
_ENTRY_ERROR = 0.01
_STAYING = 4.0
# Coalitions whose score is this share of a step's best are taken with it, unless they overlap with a better one.
_NEAR_BEST = 0.8
_MOST_AT_ONCE = 64
# A round that lowers the residual by less than this share has found nothing worth another screening.
_GAIN = 2e-3
_BLOCK = 256
# A column of which the others leave less than this share of its variance depends on them.
_LEAST_PIVOT = 1e-8


@dataclasses.dataclass(frozen=True)
class Pursued:
    """What was chosen.

    coalitions: int32 (K, max_size), padded with -1, strongest effect first.
    effects, stderr: float64 (K,).
    empty_effect: the intercept a(empty).
    saturated: whether the search ended at the most effects allowed, with more to explain.
    settled: whether the search ended because nothing more was to be found.
    """

    coalitions: np.ndarray
    effects: np.ndarray
    stderr: np.ndarray
    empty_effect: float
    saturated: bool
    settled: bool


def pursue(
    masks: np.ndarray, values: np.ndarray, basis: str, *, max_size: int, max_terms: int, resolution: float
) -> Pursued:
    """Choose coalitions of 1..max_size players whose products explain the values, and fit their effects.

    Args:
        masks: bool (masks, n). values: float64 (masks,), finite.
        basis: "moebius" or "fourier", see `columns`.
        max_terms: the most coalitions chosen at a time.
        resolution: relative rounding error of the values; a smaller residual is no longer pursued.
    """
    players = columns(masks, basis)
    searches = [CoalitionSearch(players, max_size)]
    if basis == "moebius":
        searches.append(CoalitionSearch(columns(masks, "orthonormal"), max_size))
    regression = _Regression(players, values, max_size, resolution)
    tests = count_coalitions(masks.shape[1], max_size)
    entry = tail_quantile(_ENTRY_ERROR / tests) / np.sqrt(len(masks))
    full, settled, stage = False, regression.exact, 0
    for _ in range(_ROUNDS):
        if settled or len(regression.effects) >= max_terms:
            break
        before = regression.spread
        pool, floor = searches[stage](regression.residual, regression.coalitions)
        overlapping = basis == "moebius" and stage == 0
        _choose(regression, searches[stage].players, pool, entry, floor, max_terms, disjoint=overlapping)
        full = len(regression.effects) >= max_terms
        regression.drop_insignificant()
        gained = regression.spread < (1 - _GAIN) * before
        stage = 0 if gained else stage + 1
        settled = regression.exact or stage == len(searches)
    order = np.argsort(-np.abs(regression.effects), kind="stable")
    return Pursued(
        coalitions=regression.coalitions[order],
        effects=regression.effects[order],
        stderr=regression.stderr()[order],
        empty_effect=regression.intercept,
        saturated=full and not regression.exact,
        settled=settled,
    )


class _Regression:
    """Least squares on chosen coalitions with an intercept: normal equations in float64, refined by the residual.

    Products of columns are integers and exact in float32, so are their inner products.
    """

    def __init__(self, players: np.ndarray, values: np.ndarray, max_size: int, resolution: float):
        self._players, self._shift = players, float(values.mean())
        self._values = values - self._shift
        largest = float(np.max(np.abs(values)))
        self._least = max(4 * resolution * largest, 1e-11 * float(np.max(np.abs(self._values))))
        self.coalitions = np.zeros((0, max_size), np.int32)
        self._rows = np.zeros((0, len(values)), np.float32)
        self._products = np.zeros((0, 0))
        self._solve()

    @property
    def spread(self) -> float:
        """Standard deviation of the residual, at least the rounding error of the values."""
        freedom = max(len(self._values) - len(self.effects) - 1, 1)
        return max(float(np.linalg.norm(self.residual)) / np.sqrt(freedom), self._least)

    @property
    def exact(self) -> bool:
        """Whether nothing but rounding is left."""
        return self.spread <= self._least

    @property
    def intercept(self) -> float:
        """The effect of the empty coalition."""
        return self._shift - float(self.effects @ self._means)

    def stderr(self) -> np.ndarray:
        """Standard errors of the effects, given what was chosen: (K,)."""
        inverse = np.linalg.inv(self._factor)
        return self.spread * np.sqrt(np.sum(inverse**2, axis=0)) / self._scale

    def add(self, coalitions: np.ndarray) -> None:
        """Choose further coalitions (k, max_size) and fit again; those that depend on the rest are dropped."""
        rows = np.prod(self._players[coalitions], axis=1)
        cross = (self._rows @ rows.T).astype(np.float64)
        self._products = np.block([[self._products, cross], [cross.T, (rows @ rows.T).astype(np.float64)]])
        self._rows = np.concatenate([self._rows, rows])
        self.coalitions = np.concatenate([self.coalitions, coalitions])
        self._solve()

    def drop_insignificant(self) -> None:
        """Drop the weaker half of the insignificant and fit again, until all are significant."""
        while len(self.effects):
            size = np.abs(self.effects) / self.stderr()
            weak = size < _STAYING
            if not weak.any():
                return
            self._keep(~(weak & (size <= np.median(size[weak]))))

    def _keep(self, kept: np.ndarray) -> None:
        self._products = self._products[np.ix_(kept, kept)]
        self._rows, self.coalitions = self._rows[kept], self.coalitions[kept]
        self._solve()

    def _solve(self) -> None:
        self._means = self._rows.mean(axis=1, dtype=np.float64)
        gram = self._products - len(self._values) * np.outer(self._means, self._means)
        self._scale = np.sqrt(np.maximum(np.diag(gram), 0.5))
        scaled = gram / self._scale[:, None] / self._scale
        try:
            self._factor = np.linalg.cholesky(scaled)
        except np.linalg.LinAlgError:
            self._factor = np.zeros_like(scaled)
        if np.any(np.diag(self._factor) ** 2 < _LEAST_PIVOT):
            self._keep(_independent(scaled))
            return
        self.effects, self.residual = np.zeros(len(scaled)), self._values
        for _ in range(3 if len(scaled) else 0):
            step = scipy.linalg.cho_solve((self._factor, True), self._inner(self.residual) / self._scale)
            self.effects = self.effects + step / self._scale
            self.residual = self._values - self._combined(self.effects)

    def _inner(self, residual: np.ndarray) -> np.ndarray:
        parts = [self._rows[start : start + _BLOCK] @ residual for start in range(0, len(self._rows), _BLOCK)]
        return np.concatenate(parts) - self._means * residual.sum()

    def _combined(self, effects: np.ndarray) -> np.ndarray:
        starts = range(0, len(self._rows), _BLOCK)
        total = sum(effects[start : start + _BLOCK] @ self._rows[start : start + _BLOCK] for start in starts)
        return total - effects @ self._means


def _independent(gram: np.ndarray) -> np.ndarray:
    """Which columns a Cholesky factorisation in the given order accepts as not depending on those before: bool (K,)."""
    left, kept = gram.copy(), np.zeros(len(gram), bool)
    for index in range(len(gram)):
        pivot = left[index, index]
        if pivot >= 2 * _LEAST_PIVOT:
            kept[index] = True
            left -= np.outer(left[:, index], left[index]) / pivot
    return kept


def _choose(
    regression: _Regression,
    players: Any,
    pool: np.ndarray,
    entry: float,
    floor: float,
    max_terms: int,
    *,
    disjoint: bool,
) -> None:
    """Add the best of the pool, step by step, while they are better than chance and than what is not in the pool."""
    rows = np.asarray(products(players, pool, np.ones(players.shape[1], np.float32)))
    means = rows.mean(axis=1, dtype=np.float64)
    squares = np.asarray(jnp.sum(jnp.square(rows), axis=1), np.float64)
    lengths = np.sqrt(np.maximum(squares - rows.shape[1] * means**2, 0.0))
    known = set(map(bytes, regression.coalitions))
    usable = np.array([bytes(each) not in known for each in pool]) & (lengths > 1e-3 * np.sqrt(rows.shape[1]))
    for step in range(_STEPS):
        if regression.exact or not usable.any():
            return
        unit = (regression.residual / np.linalg.norm(regression.residual)).astype(np.float32)
        score = np.where(usable, np.abs(rows @ unit) / np.where(usable, lengths, 1.0), 0.0)
        best = float(score.max())
        if best < entry or (step and best < floor):
            return
        near = np.flatnonzero(score >= max(_NEAR_BEST * best, entry))
        near = near[np.argsort(-score[near], kind="stable")]
        near = _without_overlap(pool, near) if disjoint else near[:_MOST_AT_ONCE]
        near = near[: max_terms - len(regression.effects)]
        if not len(near):
            return
        usable[near] = False
        regression.add(pool[near])


def _without_overlap(pool: np.ndarray, order: np.ndarray) -> np.ndarray:
    """In this order, the coalitions that share no player with one already taken."""
    taken, kept = set(), []
    for index in order:
        members = {int(player) for player in pool[index] if player >= 0}
        if not members & taken:
            taken |= members
            kept.append(index)
    return np.array(kept[:_MOST_AT_ONCE])
