"""Values of a plan's rows: masks are made on the device from contexts and flips, chunk by chunk, without waiting."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array

from interjax._games import Game


def as_mesh(mesh: Mesh | None) -> Mesh | None:
    """The devices that rows are spread over: those of `mesh`; by default all local accelerators, or one CPU device."""
    if mesh is not None:
        if not isinstance(mesh, Mesh):
            raise ValueError(f"mesh must be a jax.sharding.Mesh such as jax.make_mesh((8,), ('rows',)), got {mesh!r}")
        return mesh
    devices = jax.local_devices()
    if len(devices) == 1 or devices[0].platform == "cpu":
        return None
    return Mesh(np.array(devices), ("rows",))


def dispatch_rows(
    game: Game,
    parts: Any,
    contexts: np.ndarray,
    context_index: np.ndarray,
    flips: np.ndarray,
    *,
    rows: int,
    mesh: Mesh | None = None,
) -> Callable[[], np.ndarray]:
    """Start evaluating rows (a context with some players flipped); the returned function waits for the values.

    Args:
        game: the game to evaluate.
        parts: what `fold` gave for it.
        contexts: bool (contexts, n).
        context_index: int32 (total,), ascending.
        flips: int32 (total, k), -1 = none.
        rows: rows of a chunk on one device.
        mesh: devices over which a chunk is spread.
    """
    rows *= mesh.size if mesh is not None and not game.on_host else 1
    table_rows = _table_rows(rows, flips.shape[1], len(contexts) / max(len(context_index), 1), parts)
    pieces = []
    start, total = 0, len(context_index)
    while start < total:
        first = int(context_index[start])
        stop = min(start + rows, int(np.searchsorted(context_index, first + table_rows)), total)
        if game.on_host:
            masks = _flipped(np, contexts, context_index[start:stop], flips[start:stop])
            pieces.append((game.value(game.params, masks), stop - start))
        else:
            table = np.zeros((table_rows, contexts.shape[1]), bool)
            used = contexts[first : first + table_rows]
            table[: len(used)] = used
            index = np.zeros(rows, np.int32)
            index[: stop - start] = context_index[start:stop] - first
            flipped = np.full((rows, flips.shape[1]), -1, np.int32)
            flipped[: stop - start] = flips[start:stop]
            pieces.append((_row_values(game, parts, table, index, flipped, mesh=mesh), stop - start))
        start = stop

    def collect() -> np.ndarray:
        return np.concatenate([np.asarray(values, np.float64)[:used] for values, used in pieces])

    return collect


def _table_rows(rows: int, size: int, contexts_per_row: float, parts: Any) -> int:
    """Contexts that one chunk may use; a chunk ends early rather than use more.

    Folding pays for every context of the table, so there are three lengths to choose from; each is compiled once.
    """
    shares = [1 / 2**size] if parts is None else [1 / 32, 1 / 8, 1 / 2**size]
    share = next((one for one in shares if 1.3 * contexts_per_row < one), shares[-1])
    return int(rows * share) + 2


@functools.partial(jax.jit, static_argnames="mesh")
def _row_values(
    game: Game, parts: Any, contexts: Array, context_index: Array, flips: Array, *, mesh: Mesh | None
) -> Array:
    def values(game: Game, parts: Any, contexts: Array, context_index: Array, flips: Array) -> Array:
        if parts is None:
            return game.value(game.params, _flipped(jnp, contexts, context_index, flips))
        network: Any = game.value
        return network.values_of_flips(game.params, parts, contexts, context_index, flips)

    if mesh is None:
        return values(game, parts, contexts, context_index, flips)
    everywhere, by_row = PartitionSpec(), PartitionSpec(mesh.axis_names)
    sharded = jax.shard_map(
        values,
        mesh=mesh,
        in_specs=(everywhere, everywhere, everywhere, by_row, by_row),
        out_specs=by_row,
        check_vma=False,
    )
    return sharded(game, parts, contexts, context_index, flips)


def _flipped(numpy: Any, contexts: Any, context_index: Any, flips: Any) -> Any:
    """Masks of rows: each row's context with its players flipped."""
    masks = contexts[context_index]
    players = numpy.arange(contexts.shape[1])[None, :]
    for place in range(flips.shape[1]):
        masks = masks ^ (players == flips[:, place][:, None])
    return masks
