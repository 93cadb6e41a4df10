"""Values of a batch of coalitions of a game, given as masks or by number, as functions for the row engine."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from interjax._engine._rows import Resources, RowProgram
from interjax.games._coalitions import coalitions_from_index


class Valued(Protocol):
    """What the values of a `Game` are made of."""

    @property
    def params(self) -> Any: ...
    @property
    def value(self) -> Callable[[Any, Any], Any]: ...
    @property
    def n_players(self) -> int: ...
    @property
    def on_host(self) -> bool: ...


def values_of_masks(fixed: tuple[Valued, Any], whole: Any, masks: Any) -> Any:
    """Values of coalitions (rows, n) of a game, from the contributions of its players where they are given.

    Args:
        fixed: (game, what `fold` gave for it or None).
        whole: nothing.
        masks: bool (rows, n).
    """
    game, parts = fixed
    if parts is None:
        return game.value(game.params, masks)
    network: Any = game.value
    return network.values_of_masks(game.params, parts, masks)


def values_of_numbers(fixed: tuple[Valued, Any], whole: Any, numbers: Any) -> Any:
    """Values of coalitions given by number (rows,), bit i = player i; `fixed` as for `values_of_masks`."""
    n_players = fixed[0].n_players
    if fixed[0].on_host:
        return values_of_masks(fixed, whole, (numbers[:, None] >> np.arange(n_players)) & 1 == 1)
    return values_of_masks(fixed, whole, coalitions_from_index(numbers, n_players))


def masks_program(game: Valued, parts: Any, resources: Resources, *, most: int | None = None) -> RowProgram:
    """The program of `values_of_masks` for a game."""

    def example(rows: int) -> tuple[None, np.ndarray]:
        return None, np.zeros((rows, game.n_players), bool)

    return RowProgram(values_of_masks, (game, parts), example, resources, most=most, on_host=game.on_host)
