"""Which coalitions of up to four players correlate with a residual, out of all of them, without a list of them.

    score(T) = |sum over masks S of r(S) f_T(S)|,   f_T(S) = product over i in T of x_i(S)

A coalition is a first half times a second half, two players times two for size 4, the highest player of the first below
the lowest of the second: each coalition is met once, and a block of first halves times a block of second halves is a
matrix product. What is too many even so (size 4 beyond 240 players) is grown from the best coalitions one smaller.
"""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from interjax._core._statistics import tail_quantile

# Multiplications and additions of one screening: where candidates are many, fewer rows screen them and all rows
# rescore the best.
_OPERATIONS = 1.35e11
_LEAST_ROWS = 1024
_MOST_CANDIDATES = 2**27
_RESCORED = 16_000
_KEPT = 1000
_BLOCK = (256, 512)


def columns(masks: np.ndarray, basis: str) -> np.ndarray:
    """Players' columns x_i, float32 (n + 1, masks): the last is all ones, which the padding -1 of a coalition picks.

    Args:
        masks: bool (masks, n).
        basis: "moebius": 1 present, 0 absent; "fourier": -1 present, 1 absent; "orthonormal": mean 0, variance 1.
    """
    present = masks.T.astype(np.float32)
    if basis == "fourier":
        present = 1 - 2 * present
    elif basis == "orthonormal":
        present = (present - present.mean(dtype=np.float64)) / present.std(dtype=np.float64)
    return np.concatenate([present, np.ones((1, len(masks)))]).astype(np.float32)


def count_coalitions(n_players: int, max_size: int) -> int:
    """Number of coalitions of 1..max_size players."""
    return sum(math.comb(n_players, size) for size in range(1, max_size + 1))


def screened_size(n_players: int, max_size: int) -> int:
    """The largest size of which every coalition is screened."""
    return max(size for size in range(1, max_size + 1) if math.comb(n_players, size) <= _MOST_CANDIDATES)


@jax.jit
def products(players: Any, coalitions: Any, weights: Any) -> jax.Array:
    """f_T of coalitions (K, size) padded with -1, times weights (masks,): (K, masks)."""
    rows = jnp.broadcast_to(weights[None, :], (len(coalitions), players.shape[1]))
    for part in range(coalitions.shape[1]):
        rows = rows * players[coalitions[:, part]]
    return rows


class CoalitionSearch:
    """Finds the coalitions whose products of columns correlate most with a residual.

    Attributes:
        players: float32 (n + 1, masks), as `columns` gives them.
    """

    def __init__(self, players: np.ndarray, max_size: int):
        self.players = jnp.asarray(players)
        self._n_players, self._max_size = len(players) - 1, max_size
        self._moments = float(players[:-1].mean()), float(np.mean(players[:-1] ** 2))

    def __call__(self, residual: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, float]:
        """The coalitions of each size that correlate most, and about the correlation that those left out can have.

        Args:
            residual: (masks,), mean 0.
            chosen: coalitions (K, max_size) chosen so far, padded with -1; larger ones may be grown from them.
        """
        residual = (residual / np.linalg.norm(residual)).astype(np.float32)
        found, floors = [np.zeros((1, 0), np.int32)], []
        for size in range(1, self._max_size + 1):
            if size <= screened_size(self._n_players, self._max_size):
                coalitions, floor = self._screen(size, residual)
            else:
                before = chosen[np.count_nonzero(chosen >= 0, axis=1) == size - 1, : size - 1]
                coalitions, floor = self._grow(np.concatenate([found[-1], before]), residual), 0.0
            found.append(coalitions)
            floors.append(floor)
        padded = [np.pad(each, ((0, 0), (0, self._max_size - each.shape[1])), constant_values=-1) for each in found[1:]]
        return np.concatenate(padded).astype(np.int32), max(floors)

    def _screen(self, size: int, residual: np.ndarray) -> tuple[np.ndarray, float]:
        """The best of all coalitions of a size, on some rows where they are many, then rescored on all rows."""
        total = math.comb(self._n_players, size)
        rows = min(len(residual), max(_LEAST_ROWS, int(_OPERATIONS / 2 / total)))
        part = residual[:rows] - residual[:rows].mean()
        best = _Best(min(_KEPT if rows == len(residual) else _RESCORED, total))
        self._score_all(size, part, best)
        coalitions, scores = best.ordered()
        floor = self._floor(scores, total, size, part)
        if rows < len(residual) and len(coalitions) > _KEPT:
            blocks = np.array_split(coalitions, -(-len(coalitions) // _KEPT))
            scores = np.concatenate([_scores(self.players, residual, block) for block in blocks])
            order = np.argsort(-scores, kind="stable")[:_KEPT]
            floor = max(floor, self._floor(scores[order], len(coalitions), size, residual))
            coalitions = coalitions[order]
        return coalitions, floor

    def _score_all(self, size: int, residual: np.ndarray, best: "_Best") -> None:
        players = self.players[:, : len(residual)]
        left, right, low = _halves(self._n_players, size)
        height, width = min(_BLOCK[0], len(left)), min(_BLOCK[1], len(right))
        padding = -len(right) % width
        right = np.pad(right, ((0, padding), (0, 0)), constant_values=-1)
        low = np.pad(low, (0, padding), constant_values=-1)
        second = products(players, right, np.ones(len(residual), np.float32))
        for start in range(0, len(left), height):
            block = left[start : start + height]
            high = np.pad(block[:, -1], (0, height - len(block)), constant_values=self._n_players)
            block = np.pad(block, ((0, height - len(block)), (0, 0)), mode="edge")
            first = products(players, block, residual)
            for column in range(0, np.count_nonzero(low > high[0]), width):
                score = _scores_of_block(first, second, high, low, column, width=width)
                best.add(np.asarray(score), block, right[column : column + width])

    def _floor(self, scores: np.ndarray, total: int, size: int, residual: np.ndarray) -> float:
        """The correlation of the last one kept, less what chance gives to so many of the total."""
        if len(scores) >= total:
            return 0.0
        first, second = self._moments
        deviation = math.sqrt(max(second**size - first ** (2 * size), 1e-12))
        rows = len(residual)
        correlation = float(scores[-1]) / (deviation * float(np.linalg.norm(residual)) * math.sqrt(rows))
        return math.sqrt(max(correlation**2 - tail_quantile(len(scores) / total) ** 2 / rows, 0.0))

    def _grow(self, smaller: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """The best coalitions that have one player more than one of these."""
        scores = np.abs(np.asarray(products(self.players, smaller, residual) @ self.players[:-1].T))
        np.put_along_axis(scores, smaller, -1.0, axis=1)
        best = np.argsort(-scores, axis=None, kind="stable")[: _KEPT * (smaller.shape[1] + 1)]
        row, player = np.unravel_index(best, scores.shape)
        larger = np.sort(np.concatenate([smaller[row], player[:, None]], axis=1), axis=1)
        first = np.unique(larger, axis=0, return_index=True)[1]
        return larger[np.sort(first)[:_KEPT]]


class _Best:
    """The coalitions with the highest scores among all blocks seen."""

    def __init__(self, count: int):
        self._count, self._least, self._waiting = count, 0.0, 0
        self._scores, self._coalitions = [], []

    def add(self, scores: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
        """Take in a block of scores (left, right)."""
        row, column = np.nonzero(scores >= self._least)
        self._scores.append(scores[row, column])
        self._coalitions.append(np.concatenate([left[row], right[column]], axis=1))
        self._waiting += len(row)
        if self._waiting > 4 * self._count:
            coalitions, kept = self.ordered()
            self._coalitions, self._scores, self._waiting = [coalitions], [kept], len(kept)
            self._least = float(kept[-1])

    def ordered(self) -> tuple[np.ndarray, np.ndarray]:
        """The best, highest first; of equal scores the one met first."""
        scores = np.concatenate(self._scores)
        order = np.argsort(-scores, kind="stable")[: self._count]
        return np.concatenate(self._coalitions)[order], scores[order]


def _halves(n_players: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """First halves by their highest player up, second halves by their lowest player down, and that lowest player."""
    left, right = _subsets(n_players, size - size // 2), _subsets(n_players, size // 2)
    left = left[np.argsort(left[:, -1], kind="stable")]
    low = right[:, 0] if size > 1 else np.array([n_players], np.int32)
    order = np.argsort(-low, kind="stable")
    return left, right[order], low[order]


@functools.lru_cache(maxsize=8)
def _subsets(n_players: int, size: int) -> np.ndarray:
    subsets = list(itertools.combinations(range(n_players), size))
    return np.array(subsets, np.int32).reshape(math.comb(n_players, size), size)


def _scores(players: Any, residual: np.ndarray, coalitions: np.ndarray) -> np.ndarray:
    return np.abs(np.asarray(products(players, coalitions, residual).sum(axis=1)))


@functools.partial(jax.jit, static_argnames="width")
def _scores_of_block(first: Any, second: Any, high: Any, low: Any, start: Any, *, width: int) -> jax.Array:
    """Scores of a block of first halves by `width` second halves; -1 where a player of the second is too low."""
    second = jax.lax.dynamic_slice_in_dim(second, start, width)
    low = jax.lax.dynamic_slice_in_dim(low, start, width)
    return jnp.where(low[None, :] > high[:, None], jnp.abs(first @ second.T), -1.0)
