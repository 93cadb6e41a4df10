"""The value of every coalition of a game."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array

from interjax._engine._devices import as_mesh
from interjax._engine._dispatch import Batch, dispatch, remembered_batch, shapes_of
from interjax._engine._memory import fit_rows
from interjax.games._coalitions import coalitions_from_index
from interjax.games._game import HOST_ROWS, Game, check_batch_size, warn_if_nonfinite
from interjax.games._masked_networks import fold, values

MAX_TABLE_PLAYERS = 26


def tabulate(game: Game, *, batch_size: int | None = None, mesh: Mesh | None = None) -> np.ndarray:
    """Evaluate a game on all of its coalitions: table[index] = v(S), bit i of the index = player i in S.

    Args:
        game: a game of at most 26 players.
        batch_size: rows of a batch on one device; by default chosen from memory.
        mesh: a `jax.sharding.Mesh` of the devices to spread forward passes over; None = all local accelerators.

    Returns:
        NumPy (2**n,), in the game's precision: float32 for networks, what the callable gives for host games.

    Raises:
        ValueError: for more than 26 players.

    Warns:
        UserWarning: if values are NaN or infinite; they stay in the table.

    Example:
        >>> import interjax as ij
        >>> ij.tabulate(ij.Game.from_host(lambda masks: masks.sum(axis=1), 2)).tolist()
        [0, 1, 1, 2]
    """
    n_players = game.n_players
    if n_players > MAX_TABLE_PLAYERS:
        raise ValueError(
            f"a table of {n_players} players has 2**{n_players} values; at most {MAX_TABLE_PLAYERS} players fit. "
            "Use ij.order_interactions, which samples coalitions, or fewer players"
        )
    total = 2**n_players
    devices = as_mesh(mesh)
    if game.on_host:
        rows = min(check_batch_size(batch_size) or HOST_ROWS, total)
        starts = range(0, total, rows)
        bits = np.arange(n_players)
        parts = [np.asarray(game((np.arange(s, min(s + rows, total))[:, None] >> bits) & 1 == 1)) for s in starts]
        table = np.concatenate(parts)
    else:
        folded = fold(game) if game._folds(total) else None
        batch = _batch_of_table(game, folded, check_batch_size(batch_size), devices)

        def compute(start: int, limit: int, rows: int) -> tuple[Any, int]:
            rows *= devices.size if devices is not None else 1
            return _table_values(game, folded, start, length=rows, mesh=devices), min(start + rows, limit)

        table = dispatch(total, batch, compute)()
    warn_if_nonfinite(int(np.count_nonzero(~np.isfinite(table))), total)
    return table


def _batch_of_table(game: Game, folded: Any, batch_size: int | None, mesh: Mesh | None) -> Batch:
    devices = mesh.size if mesh is not None else 1
    most = -(-(2**game.n_players) // devices)
    batch = remembered_batch("table", *shapes_of((game, folded)), batch_size, mesh)

    def program(rows: int) -> jax.stages.Traced:
        return _table_values.trace(game, folded, 0, length=rows * devices, mesh=mesh)

    if batch.rows is None:
        batch.rows = min(batch_size, most) if batch_size else fit_rows(program, most=most, mesh=mesh)
    return batch


@functools.partial(jax.jit, static_argnames=("length", "mesh"))
def _table_values(game: Game, parts: Any, first: Array, *, length: int, mesh: Mesh | None) -> Array:
    index = first + jnp.arange(length)
    if mesh is None:
        return values(game, parts, coalitions_from_index(index, game.n_players))
    everywhere, by_row = PartitionSpec(), PartitionSpec(mesh.axis_names)
    sharded = jax.shard_map(
        lambda game, parts, index: values(game, parts, coalitions_from_index(index, game.n_players)),
        mesh=mesh,
        in_specs=(everywhere, everywhere, by_row),
        out_specs=by_row,
        check_vma=False,
    )
    return sharded(game, parts, index)
