"""Values of a plan's rows: masks are made on the device from contexts and flips, batch by batch, without waiting."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from interjax._engine._devices import on_every_device
from interjax._engine._memory import MemoryTooSmall
from interjax._engine._rows import Resources, RowProgram
from interjax.games._folded import CHECKED_MASKS, check_folded, masks_to_check, player_parts
from interjax.games._game import Game
from interjax.orders._rounding import Rounding


class RowValues:
    """Evaluates rows (a context with some players flipped) of one game; folds its first layer where that pays.

    All batches have one shape, so that one compiled program serves all orders and pairs, and all inputs of a run.

    Args:
        game: the game to evaluate.
        resources: where; the memory of a batch includes the weights and the players' contributions.
        shared: whether rows share contexts, so that folding pays sooner.
    """

    def __init__(self, game: Game, resources: Resources, *, shared: bool = True):
        self._folds = shared or getattr(game.value, "folds_masks", False)
        self._game, self._resources = game, resources
        self._made: RowProgram | None = None
        self._is_checked = True
        self.rounding = Rounding()  # of the values found so far

    def batch_rows(self, flips: int) -> int:
        """Rows to dispatch at a time, for rows of so many flips: a batch on all devices together."""
        rows = self._program(flips).rows
        return max(1, rows - (0 if self._is_checked else CHECKED_MASKS))

    def dispatch(self, contexts: np.ndarray, context_index: np.ndarray, flips: np.ndarray) -> Callable[[], np.ndarray]:
        """Start evaluating rows; the returned function waits for the values, float64 (total,).

        Args:
            contexts: bool (contexts, n).
            context_index: int32 (total,), ascending.
            flips: int32 (total, k), -1 = none.
        """
        self._program(flips.shape[1])
        if self._is_checked:
            return self._started(contexts, context_index, flips)
        masks, numbers = masks_to_check(self._game.n_players), np.arange(CHECKED_MASKS, dtype=np.int32)
        players = np.full((CHECKED_MASKS, flips.shape[1]), -1, np.int32)
        players[:, :1] = numbers[:, None] % self._game.n_players  # one is flipped, where any are
        # The coalitions to be checked share the first batch, so that they cost no batch and no program of their own.
        found = self._started(
            np.concatenate([flipped(np, masks, numbers, players), contexts]),
            np.concatenate([numbers, context_index + np.int32(CHECKED_MASKS)]),
            np.concatenate([players, flips]),
        )()
        self._is_checked = True
        if check_folded(self._game, masks, found[:CHECKED_MASKS], memory=self._resources.memory):
            return lambda: found[CHECKED_MASKS:]
        self._made = self._program_with(None, flips.shape[1])
        return self._started(contexts, context_index, flips)

    def of_masks(self, masks: np.ndarray) -> np.ndarray:
        """Values of coalitions (rows, n), each its own context: float64 (rows,)."""
        index, flips = np.arange(len(masks), dtype=np.int32), np.zeros((len(masks), 0), np.int32)
        return self.dispatch(masks, index, flips)() if len(masks) else np.zeros(0)

    def _started(self, contexts: np.ndarray, context_index: np.ndarray, flips: np.ndarray) -> Callable[[], np.ndarray]:
        """Start batches; each ends early rather than use more contexts than its table holds."""

        def take(start: int, limit: int, rows: int) -> tuple[Any, Any]:
            table = np.zeros((_table_rows(rows, flips.shape[1]), contexts.shape[1]), bool)
            first = int(context_index[start])
            after = int(np.searchsorted(context_index[:limit], np.int32(first + len(table))))  # not an int: it would
            stop = min(limit, after)  # cast the whole list
            used = contexts[first : int(context_index[stop - 1]) + 1]
            table[: len(used)] = used
            return (table, np.int32(len(used))), (context_index[start:stop] - first, flips[start:stop])

        collect = self._program(flips.shape[1]).dispatch(len(context_index), take)
        return lambda: self._noted(collect()).astype(np.float64)

    def _noted(self, found: np.ndarray) -> np.ndarray:
        self.rounding = Rounding.of_game(self._game, found)
        return found

    def _program(self, flips: int) -> RowProgram:
        """The program of rows: folded, or unfolded where that alone fits the memory."""
        if self._made is None:
            mesh, memory = self._resources.mesh, self._resources.memory
            if self._game.on_host:
                self._resources = Resources(self._resources.batch_size)
            elif mesh is not None:
                self._game = on_every_device(self._game, mesh)
            parts = player_parts(self._game, memory=memory) if self._folds and not self._game.on_host else None
            if parts is not None:
                try:
                    self._made = self._program_with(parts, flips)
                    self._is_checked = False
                except MemoryTooSmall:
                    pass
            self._made = self._made or self._program_with(None, flips)
        return self._made

    def _program_with(self, parts: Any, flips: int) -> RowProgram:
        if self._resources.mesh is not None:
            parts = on_every_device(parts, self._resources.mesh)

        def example(rows: int) -> tuple[Any, Any]:
            table = np.zeros((_table_rows(rows, flips), self._game.n_players), bool)
            return (table, np.int32(0)), (np.zeros(rows, np.int32), np.zeros((rows, flips), np.int32))

        fixed = self._game, parts
        return RowProgram(values_of_flips, fixed, example, self._resources, on_host=self._game.on_host)


def _table_rows(rows: int, flips: int) -> int:
    """Contexts that one batch may use: as many as independent contexts would need."""
    return (rows >> flips) + 2


def values_of_flips(fixed: tuple[Game, Any], whole: tuple[Any, Any], by_row: tuple[Any, Any]) -> Any:
    """Values of contexts with some players flipped, from the contributions of the players where they are given.

    Args:
        fixed: (game, what each player adds to its first layer or None).
        whole: contexts bool (contexts, n), and how many of them occur.
        by_row: each row's context (rows,) and the players flipped in it (rows, k), -1 = none.
    """
    (game, parts), (contexts, used), (context_index, flips) = fixed, whole, by_row
    if parts is None:
        return game.value(game.params, flipped(np if game.on_host else jnp, contexts, context_index, flips))
    network: Any = game.value
    return network.values_of_flips(game.params, parts, contexts, used, context_index, flips)


def flipped(numpy: Any, contexts: Any, context_index: Any, flips: Any) -> Any:
    """Masks of rows: each row's context with its players flipped."""
    masks = contexts[context_index]
    players = numpy.arange(contexts.shape[1])[None, :]
    for place in range(flips.shape[1]):
        masks = masks ^ (players == flips[:, place][:, None])
    return masks
