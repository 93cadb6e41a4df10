"""What arithmetic can tell of an interaction: it is a difference of values that are known to their last digit only."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from interjax.games._game import Game

_LAST_BITS = (1 << 11) - 1  # of a float32's significand; sums of few powers of two, such as counts, leave them empty


def unit_of(game: Game, values: np.ndarray) -> float:
    """The eps of the arithmetic that gave these values: of their type, or of the precision of the game's network."""
    if getattr(game.value, "precision", None) == "bfloat16":
        return float(jnp.finfo(jnp.bfloat16).eps)
    if values.dtype == np.float64 and _are_float32(values):
        return float(np.finfo(np.float32).eps)
    return float(jnp.finfo(values.dtype if jnp.issubdtype(values.dtype, jnp.floating) else np.float64).eps)


def _are_float32(values: np.ndarray) -> bool:
    """Whether values in double precision are those of a network in single precision: all fit it, and most fill it."""
    values = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not len(values) or not np.array_equal(single, values):
        return False
    return bool(np.mean(single.view(np.int32) & _LAST_BITS != 0) > 0.5)


def rounding_of(values: np.ndarray, unit: float) -> float:
    """How far values may be off, eps max |v|."""
    return unit * float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))


def resolution(rounding: Any, count: Any, size: int = 2) -> Any:
    """The error that rounding leaves in a mean over contexts of differences of 2^size values.

    sqrt(2^size) eps |v| / sqrt(contexts),  2 eps |v| / sqrt(contexts) for pairs
    """
    return np.sqrt(2.0**size) * rounding / np.sqrt(np.maximum(count, 1))
