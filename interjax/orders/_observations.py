"""Sums of observations of each coalition, made of the values of rows."""

import dataclasses
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from interjax._engine._rows import Resources
from interjax.games._game import Game
from interjax.games._measured_rounding import measured_rounding
from interjax.orders._designs import PIECE_ROWS, Plan
from interjax.orders._rounding import Rounding, check_host_again
from interjax.orders._row_values import RowValues, flipped

_ROWS_IN_FLIGHT = 8192
_ROWS_IN_DOUBLE = 8  # that show how far values are off


@dataclasses.dataclass
class ObservationSums:
    """Running sums of observations, by order, jackknife group and coalition: float64 (orders, groups, coalitions).

    `rounding` (orders,) is how far the values of an order's rows may be off.
    """

    total: np.ndarray
    squares: np.ndarray
    count: np.ndarray
    rounding: np.ndarray
    n_forwards: int = 0
    n_nonfinite: int = 0

    @classmethod
    def zeros(cls, orders: int, groups: int, coalitions: int) -> "ObservationSums":
        shape = (orders, groups, coalitions)
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64), np.zeros(orders))

    def add(self, place: int, plan: Plan, values: np.ndarray, passes: int, rounding: Rounding) -> None:
        """Add the observations of a plan at the order number `place`, given the values of its rows."""
        self.rounding[place] = max(self.rounding[place], rounding.of(values))
        with np.errstate(invalid="ignore"):  # infinities meet: the NaN is kept and counted
            observed = sum(sign * values[plan.observation_rows[:, i]] for i, sign in enumerate(plan.signs))
        shape = self.total.shape[1:]
        cell = plan.group * shape[1] + plan.coalition
        cells = shape[0] * shape[1]
        self.total[place] += np.bincount(cell, observed, cells).reshape(shape)
        self.squares[place] += np.bincount(cell, np.square(observed), cells).reshape(shape)
        self.count[place] += np.bincount(cell, minlength=cells).reshape(shape)
        self.n_forwards += len(values) * passes
        self.n_nonfinite += int(np.count_nonzero(~np.isfinite(values)))


@dataclasses.dataclass
class Done:
    """How far some work is done: pieces that are in its sums, and the values of the next piece's first rows."""

    pieces: int = 0
    values: list[np.ndarray] = dataclasses.field(default_factory=list)


def observe(
    game: Game,
    sums: Sequence[ObservationSums],
    work: Iterable[tuple[int, int, Plan]],
    resources: Resources,
    *,
    done: Done | None = None,
) -> Iterator[int]:
    """Evaluate plans and add each to the sums of its set at its place; yields the forward passes of each few rows.

    Rows are in flight ahead of those waited for, so that the next piece is listed while the device works. `done` is
    up to date at each yield; with it and the sums of that moment a later call goes on as if there had been no pause.
    """
    done = done if done is not None else Done()
    row_values = RowValues(game, resources)
    waiting: deque[tuple[list[tuple[int, int, Plan]], bool, Callable[[], np.ndarray]]] = deque()

    def finish() -> int:
        pieces, is_last, collect = waiting.popleft()
        found = collect()
        done.values.append(found)
        if is_last:
            _add(game, sums, pieces, np.concatenate(done.values), row_values.rounding)
            done.pieces, done.values = done.pieces + 1, []
        return len(found) * game.passes

    first = sum(map(len, done.values))
    for pieces in itertools.islice(_gather(work), done.pieces, None):
        contexts, index, flips = _joined([plan for _, _, plan in pieces])
        some = row_values.batch_rows(flips.shape[1])
        for start in range(first, len(index), some):
            stop = min(start + some, len(index))
            used = slice(int(index[start]), int(index[stop - 1]) + 1)
            collect = row_values.dispatch(contexts[used], index[start:stop] - index[start], flips[start:stop])
            waiting.append((pieces, stop == len(index), collect))
            if len(waiting) * some > _ROWS_IN_FLIGHT:
                yield finish()
        first = 0
    while waiting:
        yield finish()


def _add(
    game: Game,
    sums: Sequence[ObservationSums],
    pieces: list[tuple[int, int, Plan]],
    values: np.ndarray,
    rounding: Rounding,
) -> None:
    """Add the observations of plans evaluated together, given the values of all their rows."""
    for number, place, plan in pieces:
        own, values = values[: len(plan.context_index)], values[len(plan.context_index) :]
        if number == 0 and not sums[number].count[place].any():  # the first rows of an order, the same after a pause
            _measure_rounding(game, sums[number], place, plan, own)
        sums[number].add(place, plan, own, game.passes, rounding)


def _measure_rounding(game: Game, sums: ObservationSums, place: int, plan: Plan, values: np.ndarray) -> None:
    """Note how far a few values of the first, the middle and the last order are off, for the orders nearest to each."""
    orders = len(sums.rounding)
    measured = np.unique([0, orders // 2, orders - 1])
    if place not in measured or not len(values):
        return
    rows = np.linspace(0, len(values) - 1, _ROWS_IN_DOUBLE).astype(int)
    masks = flipped(np, plan.contexts, plan.context_index[rows], plan.flips[rows])
    if game.on_host and place == 0:
        check_host_again(game, masks, values[rows])
    nearest = measured[np.argmin(np.abs(np.arange(orders)[:, None] - measured), axis=1)] == place
    sums.rounding[nearest] = np.maximum(sums.rounding[nearest], measured_rounding(game, masks, values[rows]))


def _gather(work: Iterable[tuple[int, int, Plan]]) -> Iterator[list[tuple[int, int, Plan]]]:
    """Small plans together, so that few chunks are partly empty."""
    pieces, rows = [], 0
    for piece in work:
        added = len(piece[2].context_index)
        if pieces and rows + added > 1.5 * PIECE_ROWS:
            yield pieces
            pieces, rows = [], 0
        pieces.append(piece)
        rows += added
    if pieces:
        yield pieces


def _joined(plans: Sequence[Plan]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts = np.cumsum([0] + [len(plan.contexts) for plan in plans])
    index = [plan.context_index + np.int32(start) for plan, start in zip(plans, starts, strict=False)]
    contexts = np.concatenate([plan.contexts for plan in plans])
    return contexts, np.concatenate(index), np.concatenate([plan.flips for plan in plans])


def moments(total: np.ndarray, squares: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and unbiased variance of a single observation from running sums; NaN where they are unknown."""
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    with np.errstate(invalid="ignore"):  # infinite values: the NaN that they leave is kept
        variance = np.maximum(squares - count * mean**2, 0.0) / np.maximum(count - 1, 1)
    return mean, np.where(count > 1, variance, np.nan)
