"""Whether a network gives one output for one input, whatever is beside it: looked at once when a game is made."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from interjax.games._apply import Apply
from interjax.games._outputs import gives_logits
from interjax.games._players import Marginal

# Outputs that differ by more than this share of the largest one are not rounded but other outputs.
_ROUNDING = {"float32": 1e-4}
_COARSE_ROUNDING = 0.05
_OF_HOST = 1e-3  # of host functions, whose precision is not known
_OF_ONE = 1e-3  # how near to 1 probabilities sum
_CAUSES = (
    "it is random (dropout or noise left on) or depends on the other rows of the batch (batch statistics); "
    "give it as it is evaluated, e.g. in evaluation mode"
)


def check_deterministic(
    network: Apply, params: Any, x: Array, absent: Array | Marginal, output: Any, precision: str | None
) -> None:
    """Raise ValueError if equal inputs have different outputs, or other ones beside other inputs; two small batches.

    Args:
        network: (params, inputs) -> outputs, at its precision.
        params: its parameters.
        x: one input.
        absent: the baseline, what is put beside the input.
        output: that of the game; one that expects logits warns of probabilities.
        precision: of the network.
    """
    other = absent.background[0] if isinstance(absent, Marginal) else absent
    leaves = jax.tree.leaves((params, x, other))
    if any(isinstance(leaf, Tracer) or not getattr(leaf, "is_fully_addressable", True) for leaf in leaves):
        return
    # In NumPy the inputs are on no device, and go where the parameters are.
    found = [np.asarray(each, np.float64) for each in _outputs(network, params, np.asarray(x), np.asarray(other))]
    first, second, beside, of_other = found
    if not all(np.isfinite(each).all() for each in found):
        return  # reported with the values of the game
    share = _ROUNDING.get(precision or "", _COARSE_ROUNDING)
    least = share * max(np.abs(first).max(initial=0.0), np.finfo(np.float32).tiny)
    for name, again in (("in the same batch", second), ("beside another input", beside)):
        if (change := np.abs(again - first).max(initial=0.0)) > least:
            raise ValueError(
                f"the network must give one output for one input, got outputs that differ by {change:.3g} for the "
                f"same input {name}: {_CAUSES}"
            )
    if gives_logits(output) and first.ndim == 1 and len(first) > 1 and _are_probabilities(first, of_other):
        warnings.warn(
            "the network's outputs are probabilities, positive and of sum 1, where log-odds, log-probabilities and "
            "probabilities are taken of logits: leave its softmax out, or pass an output of your own, e.g. "
            "output=lambda p: jnp.log(p[y] / (1 - p[y]))",
            stacklevel=4,
        )


def check_equal_values(function: Callable[[np.ndarray], np.ndarray], n_players: int) -> None:
    """Raise ValueError if a host function of masks gives equal masks other values; two calls of two masks."""
    present, absent = np.ones(n_players, bool), np.zeros(n_players, bool)
    first, second = np.asarray(function(np.stack([present, present])), np.float64)
    beside, of_absent = np.asarray(function(np.stack([present, absent])), np.float64)
    if not np.isfinite([first, second, beside, of_absent]).all():
        return  # reported with the values of the game
    for name, again in (("in the same batch", second), ("beside another mask", beside)):
        if abs(again - first) > _OF_HOST * max(abs(first), abs(of_absent), np.finfo(np.float32).tiny):
            raise ValueError(
                f"function must give one value for one mask, got {first:.6g} and {again:.6g} for the mask of all "
                f"players {name}: {_CAUSES}"
            )


def _are_probabilities(*rows: np.ndarray) -> bool:
    return all(row.min() >= 0 and abs(row.sum() - 1) < _OF_ONE for row in rows)


@functools.partial(jax.jit, static_argnums=0)
def _outputs(network: Apply, params: Any, x: Array, other: Array) -> tuple[Array, ...]:
    """The two outputs of a batch that holds an input twice, and those of the input beside another one."""
    return *network(params, jnp.stack([x, x])), *network(params, jnp.stack([x, other]))
