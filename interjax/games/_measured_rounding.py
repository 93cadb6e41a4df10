"""How far the values of a game are from what it gives in double precision: what they do not show of their rounding."""

import numpy as np

from interjax.games._double import in_double
from interjax.games._game import Game


def measured_rounding(game: Game, masks: np.ndarray, values: np.ndarray) -> float:
    """How far these values of a few coalitions are from what the game gives in double precision.

    2 sqrt(mean (v - v64)^2); 0 for a host game, and where the game cannot be computed so.
    """
    found = None if game.on_host else in_double(game.value, game.params, masks)
    if found is None:
        return 0.0
    (double,) = found
    error = distance(values, double)
    return 2 * float(np.sqrt(np.mean(error**2)))


def distance(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """|v - w|, 0 where either is not finite."""
    known = np.isfinite(values) & np.isfinite(others)
    return np.abs(np.subtract(values, others, where=known, out=np.zeros(len(values))))
