"""Values of a plan's rows: masks are made on the device from contexts and flips, batch by batch, without waiting."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array

from interjax._engine._devices import on_every_device
from interjax._engine._dispatch import Batch, dispatch, remembered_batch, shapes_of
from interjax._engine._memory import MemoryTooSmall, fit_rows
from interjax.games._game import Game
from interjax.games._masked_networks import CHECKED_MASKS, check_folded, masks_to_check, player_parts

_HOST_ROWS = 4096


class RowValues:
    """Evaluates rows (a context with some players flipped) of one game; folds its first layer where that pays.

    All batches have one shape, so that one compiled program serves all orders and pairs, and all inputs of a run.

    Args:
        game: the game to evaluate.
        shared: whether rows share contexts, so that folding pays sooner.
        batch_size: rows of a batch on one device; None = chosen from memory.
        memory: bytes that a batch may take on one device, weights and the players' contributions included.
        mesh: devices over which a batch is spread.
    """

    def __init__(
        self,
        game: Game,
        *,
        shared: bool = True,
        batch_size: int | None = None,
        memory: int | None = None,
        mesh: Mesh | None = None,
    ):
        self._folds = shared or getattr(game.value, "folds_masks", False)
        self._game, self._memory, self._mesh = game, memory, None if game.on_host else mesh
        self._batch_size = batch_size
        self._parts: Any = None
        self._batch: Batch | None = None
        self._is_checked = True

    def batch_rows(self, flips: int) -> int:
        """Rows to dispatch at a time, for rows of so many flips: a batch on all devices together."""
        rows = self._prepared(flips).rows
        assert rows is not None
        return max(1, rows * self._devices - (0 if self._is_checked else CHECKED_MASKS))

    def dispatch(self, contexts: np.ndarray, context_index: np.ndarray, flips: np.ndarray) -> Callable[[], np.ndarray]:
        """Start evaluating rows; the returned function waits for the values, float64 (total,).

        Args:
            contexts: bool (contexts, n).
            context_index: int32 (total,), ascending.
            flips: int32 (total, k), -1 = none.
        """
        self._prepared(flips.shape[1])
        if self._is_checked:
            return self._started(contexts, context_index, flips)
        masks, numbers = masks_to_check(self._game.n_players), np.arange(CHECKED_MASKS, dtype=np.int32)
        players = np.full((CHECKED_MASKS, flips.shape[1]), -1, np.int32)
        players[:, :1] = numbers[:, None] % self._game.n_players  # one is flipped, where any are
        # The coalitions to be checked share the first batch, so that they cost no batch and no program of their own.
        found = self._started(
            np.concatenate([_flipped(np, masks, numbers, players), contexts]),
            np.concatenate([numbers, context_index + np.int32(CHECKED_MASKS)]),
            np.concatenate([players, flips]),
        )()
        self._is_checked = True
        if check_folded(self._game, masks, found[:CHECKED_MASKS], memory=self._memory):
            return lambda: found[CHECKED_MASKS:]
        self._parts, self._batch = None, self._sized(flips.shape[1])
        return self._started(contexts, context_index, flips)

    def _started(self, contexts: np.ndarray, context_index: np.ndarray, flips: np.ndarray) -> Callable[[], np.ndarray]:
        batch = self._prepared(flips.shape[1])

        def compute(start: int, limit: int, rows: int) -> tuple[Any, int]:
            return self._compute(contexts, context_index[:limit], flips, start, rows)

        collect = dispatch(len(context_index), batch, compute)
        return lambda: collect().astype(np.float64)

    def of_masks(self, masks: np.ndarray) -> np.ndarray:
        """Values of coalitions (rows, n), each its own context: float64 (rows,)."""
        index, flips = np.arange(len(masks), dtype=np.int32), np.zeros((len(masks), 0), np.int32)
        return self.dispatch(masks, index, flips)() if len(masks) else np.zeros(0)

    def _compute(
        self, contexts: np.ndarray, context_index: np.ndarray, flips: np.ndarray, start: int, rows: int
    ) -> tuple[Any, int]:
        """Start one batch; it ends early rather than use more contexts than its table holds."""
        total_rows = rows * self._devices
        table_rows = _table_rows(total_rows, flips.shape[1])
        first = int(context_index[start])
        after = int(np.searchsorted(context_index, np.int32(first + table_rows)))  # an int would cast the whole list
        stop = min(start + total_rows, after, len(context_index))
        used = contexts[first : int(context_index[stop - 1]) + 1]
        if self._game.on_host:
            masks = _flipped(np, used, context_index[start:stop] - first, flips[start:stop])
            return self._game.value(self._game.params, masks), stop
        table = np.zeros((table_rows, contexts.shape[1]), bool)
        table[: len(used)] = used
        index = np.zeros(total_rows, np.int32)
        index[: stop - start] = context_index[start:stop] - first
        flipped = np.full((total_rows, flips.shape[1]), -1, np.int32)
        flipped[: stop - start] = flips[start:stop]
        return _row_values(self._game, self._parts, table, np.int32(len(used)), index, flipped, mesh=self._mesh), stop

    @property
    def _devices(self) -> int:
        return self._mesh.size if self._mesh is not None else 1

    def _prepared(self, flips: int) -> Batch:
        if self._batch is None:
            if self._mesh is not None:
                self._game = on_every_device(self._game, self._mesh)
            self._batch = self._chosen(flips)
            if self._mesh is not None:
                self._parts = on_every_device(self._parts, self._mesh)
        return self._batch

    def _chosen(self, flips: int) -> Batch:
        """Choose the form of the computation and its rows: folded, or unfolded where that alone fits the memory."""
        if self._game.on_host:
            return Batch(self._batch_size or _HOST_ROWS)
        self._parts = player_parts(self._game, memory=self._memory) if self._folds else None
        if self._parts is not None:
            try:
                batch = self._sized(flips)
            except MemoryTooSmall:
                self._parts = None
            else:
                self._is_checked = False
                return batch
        return self._sized(flips)

    def _sized(self, flips: int) -> Batch:
        batch = remembered_batch(
            "rows", *shapes_of((self._game, self._parts)), flips, self._batch_size, self._memory, self._mesh
        )
        if batch.rows is None:
            unlimited = self._batch_size is not None and self._memory is None
            batch.rows = self._batch_size if unlimited else self._fitting(flips)
        return batch

    def _fitting(self, flips: int) -> int:
        def program(rows: int) -> jax.stages.Traced:
            total = rows * self._devices
            table = np.zeros((_table_rows(total, flips), self._game.n_players), bool)
            index, flipped = np.zeros(total, np.int32), np.zeros((total, flips), np.int32)
            return _row_values.trace(self._game, self._parts, table, np.int32(0), index, flipped, mesh=self._mesh)

        return fit_rows(program, memory=self._memory, most=self._batch_size, mesh=self._mesh)


def _table_rows(rows: int, flips: int) -> int:
    """Contexts that one batch may use: as many as independent contexts would need."""
    return (rows >> flips) + 2


@functools.partial(jax.jit, static_argnames="mesh")
def _row_values(
    game: Game, parts: Any, contexts: Array, used: Array, context_index: Array, flips: Array, *, mesh: Mesh | None
) -> Array:
    def values(game: Game, parts: Any, contexts: Array, used: Array, context_index: Array, flips: Array) -> Array:
        if parts is None:
            return game.value(game.params, _flipped(jnp, contexts, context_index, flips))
        network: Any = game.value
        return network.values_of_flips(game.params, parts, contexts, used, context_index, flips)

    if mesh is None:
        return values(game, parts, contexts, used, context_index, flips)
    everywhere, by_row = PartitionSpec(), PartitionSpec(mesh.axis_names)
    sharded = jax.shard_map(
        values,
        mesh=mesh,
        in_specs=(everywhere, everywhere, everywhere, everywhere, by_row, by_row),
        out_specs=by_row,
        check_vma=False,
    )
    return sharded(game, parts, contexts, used, context_index, flips)


def _flipped(numpy: Any, contexts: Any, context_index: Any, flips: Any) -> Any:
    """Masks of rows: each row's context with its players flipped."""
    masks = contexts[context_index]
    players = numpy.arange(contexts.shape[1])[None, :]
    for place in range(flips.shape[1]):
        masks = masks ^ (players == flips[:, place][:, None])
    return masks
