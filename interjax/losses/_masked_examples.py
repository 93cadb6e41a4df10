"""Examples of a training batch with coalitions of their own: drawn, masked, and seen by the network."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array

from interjax._core._checks import check_array, check_classes
from interjax._core._keys import check_key
from interjax.games._baselines import Marginal, as_baseline
from interjax.games._players import Players, check_players


def batch_of(x: Any, labels: Any, name: str = "labels") -> tuple[Array, Array]:
    """Inputs (batch, ...) and class indices (batch,) as arrays, traced ones as they are; ValueError that names them."""
    x = jnp.asarray(check_array("x", x, "inputs (batch, *input shape), real numbers"))
    if x.ndim < 2 or not len(x):
        raise ValueError(f"x must be inputs (batch, *input shape), at least one; got shape {x.shape}")
    if not isinstance(labels, Tracer):
        return x, jnp.asarray(check_classes(name, labels, len(x)))
    if labels.shape != x.shape[:1] or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"{name} must be class indices, integers of shape {x.shape[:1]}; got {labels.dtype} {labels.shape}"
        )
    return x, labels


def check_examples(key: Array, x: Array, players: Players, baseline: Any) -> Array:
    """Check what both losses take; return the baseline in an input's shape."""
    check_key(key, traced=True)
    check_players(players)
    if x.shape[1:] != players.shape:
        raise ValueError(
            f"x must have the shape that players partition, {players.shape}, behind the batch axis; got {x.shape}"
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
    if not callable(apply) or isinstance(apply, type):
        raise ValueError(
            f"{name} must be a function of inputs alone, or an nnx module; got {type(apply).__name__}: bind other "
            "parameters first, lambda inputs: function(params, inputs)"
        )


def check_classes_given(labels: Array, logits: Array, name: str = "labels") -> None:
    """Raise ValueError if labels, where they are known, name classes that the network does not give."""
    if not isinstance(labels, Tracer) and int(labels.max()) >= logits.shape[-1]:
        raise ValueError(
            f"{name} must be class indices from 0 to {logits.shape[-1] - 1}, as the network gives; got {labels.max()}"
        )


def of_classes(losses: Array, labels: Array, classes: int) -> Array:
    """The losses (batch,); NaN where the label is no class, which inside jit nothing else can tell."""
    return jnp.where((labels >= 0) & (labels < classes), losses, jnp.nan)


def logits_of(apply: Callable[[Array], Array], inputs: Array, name: str = "apply") -> Array:
    """The network's logits, checked to be (inputs, classes)."""
    check_apply(name, apply)
    try:
        logits = apply(inputs)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{name} fails on inputs of shape {inputs.shape}: {error}") from error
    shape = getattr(logits, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != len(inputs) or shape[1] < 2:
        raise ValueError(
            f"{name} must turn {len(inputs)} inputs into logits ({len(inputs)}, classes >= 2), got {shape}"
        )
    return logits
