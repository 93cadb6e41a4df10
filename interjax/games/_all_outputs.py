"""One game for each number that a network gives, from one pass for each coalition: all classes at the price of one."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from interjax._core._checks import is_real
from interjax._engine._rows import Resources
from interjax.games._double import in_double
from interjax.games._game import Game, warn_if_nonfinite
from interjax.games._tabulate import MAX_TABLE_PLAYERS, tabulate_in_batches

ALL = "all"
_IN_DOUBLE = 64  # coalitions that show how far values are off


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class EveryNumber:
    """All numbers of a network's output for one input, an array or several, in JAX's order: (numbers,)."""

    def __call__(self, row: Any) -> Array:
        leaves = jax.tree.leaves(row)
        kind = jnp.result_type(jnp.float32, *(leaf.dtype for leaf in leaves if jnp.issubdtype(leaf.dtype, jnp.inexact)))
        return jnp.concatenate([jnp.ravel(leaf).astype(kind) for leaf in leaves])


def check_numbers(outputs: Any) -> None:
    """Raise ValueError unless a network gives real numbers, at least one for an input."""
    leaves = jax.tree.leaves(outputs)
    if not all(is_real(leaf) for leaf in leaves) or not sum(math.prod(leaf.shape[1:]) for leaf in leaves):
        kinds = ", ".join(f"{leaf.dtype} of shape {leaf.shape}" for leaf in leaves)
        raise ValueError(f'model must give real numbers, at least one, for output="all"; got {kinds}')


def check_tabulated(n_players: int) -> None:
    """Raise ValueError for more players than all coalitions of which are evaluated."""
    if n_players > MAX_TABLE_PLAYERS:
        raise ValueError(
            f'output="all" evaluates all 2**n coalitions, and {n_players} players are more than {MAX_TABLE_PLAYERS}: '
            "name one output, or take fewer, coarser players"
        )


def games_of_numbers(game: Game) -> list[Game]:
    """The games of a game whose values are several numbers, each of a table of its own; one pass for each coalition."""
    check_tabulated(game.n_players)
    found: list[np.ndarray] = []
    for _ in tabulate_in_batches(game, Resources(), found):
        pass
    table = np.concatenate(found)
    warn_if_nonfinite(int(np.count_nonzero(~np.isfinite(table))), table.size)
    few = np.random.default_rng(0).choice(len(table), min(_IN_DOUBLE, len(table)), replace=False)
    off = _off(game, few[:, None] >> np.arange(game.n_players) & 1 == 1, table[few])
    unit = max(game.unit, float(jnp.finfo(table.dtype).eps))
    return [
        dataclasses.replace(
            Game.from_table(values, player_names=game.player_names),
            unit=unit,
            is_null=game.is_null,
            rounding=own,
        )
        for values, own in zip(np.ascontiguousarray(table.T), off, strict=True)
    ]


def _off(game: Game, masks: np.ndarray, values: np.ndarray) -> np.ndarray:
    """How far each number is from what the network gives in double precision: 2 sqrt(mean (v - v64)^2), (numbers,)."""
    found = in_double(game.value, game.params, masks)
    if found is None:
        return np.zeros(values.shape[1])
    (double,) = found
    known = np.isfinite(values) & np.isfinite(double)
    error = np.subtract(values, double, where=known, out=np.zeros(values.shape))
    return 2 * np.sqrt(np.mean(error**2, axis=0))
