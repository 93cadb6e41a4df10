"""Examples of a training batch with coalitions of their own: drawn, masked, and seen by the network."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from interjax._core._keys import check_key
from interjax.games._players import Marginal, Players, as_baseline


def check_examples(key: Array, x: Array, labels: Array, players: Players, baseline: Any) -> Array:
    """Check what both losses take; return the baseline in an input's shape."""
    check_key(key)
    if x.shape[1:] != players.shape:
        raise ValueError(
            f"expected x of the shape that players partition, {players.shape}, behind the batch axis; got {x.shape}"
        )
    if labels.shape != x.shape[:1] or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"labels must be class indices, integers of shape {x.shape[:1]}; got {labels.dtype} {labels.shape}"
        )
    if isinstance(baseline, Marginal):
        raise ValueError(
            "baseline must be one for a loss, a number or an array of an input's shape; got ij.marginal(...)"
        )
    absent = as_baseline(baseline, x, players)
    assert not isinstance(absent, Marginal)
    return absent


def for_examples(key: Array, batch: int, draws: int, draw: Callable, *columns: Array) -> Array:
    """draw(key of the example and draw, ...) for each: (batch, draws, ...)."""

    def of_example(number: Array, *own: Array) -> Array:
        keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.fold_in(key, number)))(jnp.arange(draws))
        return jax.vmap(draw)(keys, *own)

    return jax.vmap(of_example)(jnp.arange(batch), *columns)


def masked(x: Array, coalitions: Array, players: Players, absent: Array) -> Array:
    """Each example with its coalitions, in the order of the examples: (batch * coalitions, *input shape)."""
    masks = coalitions.reshape(-1, players.n)
    repeated = jnp.repeat(x, len(masks) // len(x), axis=0)
    return jnp.where(players.spread(masks), repeated, absent[None])


def check_apply(name: str, apply: Any) -> None:
    """Raise ValueError that names the argument unless it is a network in training, to be called with inputs."""
    if not callable(apply):
        raise ValueError(
            f"{name} must be a function of inputs alone, or an nnx module; got {type(apply).__name__}: bind other "
            "parameters first, lambda inputs: function(params, inputs)"
        )


def logits_of(apply: Callable[[Array], Array], inputs: Array) -> Array:
    """The network's logits, checked to be (inputs, classes)."""
    check_apply("apply", apply)
    logits = apply(inputs)
    shape = getattr(logits, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != len(inputs) or shape[1] < 2:
        raise ValueError(f"apply must turn {len(inputs)} inputs into logits ({len(inputs)}, classes >= 2), got {shape}")
    return logits
