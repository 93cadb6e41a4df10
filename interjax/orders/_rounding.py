"""What arithmetic can tell of an interaction: it is a difference of values that are known to their last digit only."""

import warnings
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from interjax._core._precision import are_float32
from interjax.games._game import Game
from interjax.games._measured_rounding import distance

_SAME = 1e-4  # a host function's values may differ by this share in another batch, by rounding


class Rounding(NamedTuple):
    """How far the values of a game may be off: by their last digit, eps max |v|, and no less than `least`.

    The last digit is all that values tell of it. What a network rounds on the way to them is measured beside it.
    """

    unit: float = 0.0
    least: float = 0.0

    @classmethod
    def of_game(cls, game: Game, values: np.ndarray) -> "Rounding":
        """That of the arithmetic that gave these values: of their type, or of the game's network where it is worse."""
        unit = game.unit
        if values.dtype == np.float64 and are_float32(values):
            unit = max(unit, float(np.finfo(np.float32).eps))
        kind = values.dtype if jnp.issubdtype(values.dtype, jnp.floating) else np.float64
        return cls(max(unit, float(jnp.finfo(kind).eps)), 0.0 if game.rounding is None else float(game.rounding))

    def of(self, values: np.ndarray) -> float:
        """How far these may be off."""
        largest = float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))
        return max(self.unit * largest, self.least if len(values) else 0.0)


def check_host_again(game: Game, masks: np.ndarray, values: np.ndarray) -> None:
    """Ask a host game for some of these values again, beside fewer others; warn if they differ."""
    masks, values = masks[::2], values[::2]
    again = np.asarray(game.value(game.params, masks), np.float64)
    least = _SAME * float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))
    change = distance(values, again)
    if np.max(change, initial=0.0) > least:
        warnings.warn(
            f"the host function gives other values for the same coalitions, by up to {np.max(change):.2g}: it is "
            "random (dropout left on), or depends on the rest of its batch (running statistics). Orders that are said "
            "to be exact are not, and where the batch counts, no number here is that of the network alone",
            stacklevel=2,
        )


def resolution(rounding: Any, size: int = 2) -> Any:
    """The error that rounding leaves in a mean over contexts of differences of 2^size values.

    sqrt(2^size) eps |v|,  2 eps |v| for pairs

    More contexts do not lessen it: where values are few (those of a network that counts, or adds parts that its inputs
    share), rounding takes them off alike in all contexts.
    """
    return np.sqrt(2.0**size) * rounding
