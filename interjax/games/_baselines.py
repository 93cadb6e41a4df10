"""Baselines: what stands for absent players, one input or the examples of a background set."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from interjax._core._checks import as_array, check_array
from interjax.games._apply import is_several
from interjax.games._players import Players


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Marginal:
    """A baseline that is a background set: the value is averaged over its examples; see `marginal`.

    Attributes:
        background: (examples, *input shape), an array or several in the form of an input.
    """

    background: Any

    @property
    def examples(self) -> int:
        """How many examples it has, each a forward pass of a coalition."""
        return len(jax.tree.leaves(self.background)[0])


def marginal(background: Any) -> Marginal:
    """Fill absent players from each example of a background set and average the value over them.

        v(S) = mean over b of output(network(x on S, b elsewhere))

    Args:
        background: (examples, *input shape); each mask costs that many forward passes. For inputs of several arrays
            these in dicts and tuples, {"tokens": ids}, of each array that has players, of one row an example.

    Returns:
        What `baseline=` of `ij.masked_game` takes.

    Raises:
        ValueError: if the set is empty, or its arrays hold unequal numbers of examples.

    Example:
        >>> import interjax as ij, numpy as np
        >>> ij.marginal(np.zeros((10, 4))).background.shape
        (10, 4)

    References:
        Lundberg and Lee, NeurIPS 2017, equation 11 (interventional expectation).
    """
    if is_several(background):
        return Marginal(_several(background))
    background = check_array("background", background, "real numbers (examples, *input shape)")
    if background.ndim < 2 or background.shape[0] < 1:
        raise ValueError(f"background must have shape (examples, *input shape), got {background.shape}")
    kept: Any = background if isinstance(background, jax.Array) else np.array(background)  # float64 for the host
    return Marginal(kept)


def _several(background: Any) -> Any:
    """Arrays of as many rows, kept as they are, in the form given; ValueError that names them."""
    paths, structure = jax.tree_util.tree_flatten_with_path(background)
    leaves = [check_array(f"background{jax.tree_util.keystr(path)}", leaf) for path, leaf in paths]
    if not leaves or len({np.shape(leaf)[:1] for leaf in leaves}) > 1 or np.shape(leaves[0])[:1] in ((), (0,)):
        raise ValueError(
            "background must be arrays of one row for each example, at least one; got shapes "
            f"{[np.shape(leaf) for leaf in leaves]}"
        )
    return jax.tree.unflatten(structure, [leaf if isinstance(leaf, jax.Array) else np.array(leaf) for leaf in leaves])


def as_baseline(baseline: Any, x: Array, players: Players) -> Array | Marginal:
    """Check a baseline and give it the input's shape: a number, an array of that shape or of its last axes, as one
    vector for all tokens, or a `Marginal`."""
    if isinstance(baseline, Marginal):
        if not hasattr(baseline.background, "shape"):
            raise ValueError(
                f"background must be one array (examples, *{players.shape}), as players partition one; got several"
            )
        if baseline.background.shape[1:] != players.shape:
            raise ValueError(
                f"each background example must have the input's shape {players.shape}, "
                f"got {baseline.background.shape[1:]}"
            )
        _check_fits("background", np.asarray(baseline.background), x)
        return Marginal(jnp.asarray(baseline.background, x.dtype))
    value = as_array("baseline", baseline, "a number, an array of the input's shape or ij.marginal(background)")
    if value.shape != players.shape[len(players.shape) - value.ndim :]:
        raise ValueError(
            f"baseline must be a number, an array of the input's shape {players.shape} or of its last axes, or "
            f"ij.marginal(background); got shape {value.shape}"
        )
    _check_fits("baseline", value, x)
    return jnp.broadcast_to(jnp.asarray(value, x.dtype), players.shape)


def _check_fits(name: str, value: Any, x: Array) -> None:
    """Raise ValueError unless these values are numbers that an array of the input's type can hold."""
    if np.ma.isMaskedArray(value) or (value.dtype.kind not in "biuf" and not jnp.issubdtype(value.dtype, jnp.floating)):
        raise ValueError(f"{name} must hold real numbers, got {type(value).__name__} of {value.dtype}")
    if isinstance(value, Tracer):
        return
    if not np.all(np.isfinite(np.asarray(value, np.float64))):
        raise ValueError(f"{name} must be finite, got NaN or infinite values: they would enter every coalition")
    if not jnp.issubdtype(x.dtype, jnp.integer):
        return
    kind, held = jnp.iinfo(x.dtype), np.asarray(value)
    if value.dtype.kind not in "biu" and np.any(held != np.round(held)):
        raise ValueError(f"{name} must be an integer for an input of integers ({x.dtype}), got {value.dtype}")
    if held.size and not (kind.min <= held.min() and held.max() <= kind.max):
        raise ValueError(
            f"{name} must be values that the input's type {x.dtype} holds, from {kind.min} to {kind.max}; got "
            f"{held.min()} to {held.max()}: give the input in a wider type, such as float32"
        )
