"""Examples of a training batch with coalitions of their own: drawn, masked, and seen by the network."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array

from interjax._core._checks import check_array, check_classes
from interjax._core._keys import check_key
from interjax.games._apply import row_of, shown_shapes
from interjax.games._baselines import Marginal
from interjax.games._batches import absent_of, as_input, players_of, rows_of
from interjax.games._players import Players
from interjax.games._tree_players import TreePlayers


def batch_of(x: Any, name: str = "x") -> Array:
    """Inputs (batch, ...) as one array, a traced one as it is; ValueError that names them."""
    x = jnp.asarray(check_array(name, x, "inputs (batch, *input shape), real numbers"))
    if x.ndim < 2 or not len(x):
        raise ValueError(f"{name} must be inputs (batch, *input shape), at least one; got shape {x.shape}")
    return x


def masked_batch(
    key: Array, x: Any, players: Any, baseline: Any
) -> tuple[Any, int, Players | TreePlayers, Callable[[Array], Any]]:
    """Check what both losses take.

    Returns:
        The inputs, how many they are, their players, and coalitions (batch, each, n) -> the inputs with these, in the
        order of the inputs: (batch * each, *input shape).
    """
    check_key(key, traced=True)
    is_one = isinstance(players, Players) and not isinstance(x, Mapping)
    x = batch_of(x) if is_one else as_input(x, players)
    count = rows_of(x, "x")
    if not count:
        raise ValueError(f"x must be inputs (batch, *input shape), at least one; got shapes {shown_shapes(x)}")
    partition = players_of(players, row_of(x), "each input of x")
    if isinstance(baseline, Marginal):
        raise ValueError(
            "baseline must be one for a loss, a number or an array of an input's shape; got ij.marginal(...)"
        )
    absent = absent_of(partition, baseline, row_of(x))

    def masked(coalitions: Array) -> Any:
        masks = coalitions.reshape(-1, partition.n)
        each = jax.tree.map(lambda leaf: jnp.repeat(leaf, len(masks) // count, axis=0), x)
        return partition.replace(masks, each, absent)

    return x, count, partition, masked


def class_labels(labels: Any, count: int, name: str = "labels") -> Array:
    """Class indices (batch,), traced ones as they are; ValueError that names them."""
    if not isinstance(labels, Tracer):
        return jnp.asarray(check_classes(name, labels, count))
    if labels.shape != (count,) or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"{name} must be class indices, integers of shape {(count,)}; got {labels.dtype} {labels.shape}"
        )
    return labels


def targets(labels: Any, count: int, name: str = "labels") -> Array:
    """Real numbers to predict (batch,), in floating point; ValueError that names them."""
    wanted = f"real numbers to predict, of shape {(count,)}, one for each input"
    found = jnp.asarray(check_array(name, labels, wanted))
    if found.shape != (count,) or found.dtype == bool:
        raise ValueError(f"{name} must be {wanted}; got {found.dtype} of shape {found.shape}")
    return found if jnp.issubdtype(found.dtype, jnp.floating) else found.astype(jnp.float32)


def for_examples(key: Array, batch: int, draws: int, draw: Callable, *columns: Array) -> Array:
    """draw(key of the example and draw, ...) for each: (batch, draws, ...)."""

    def of_example(number: Array, *own: Array) -> Array:
        keys = jax.vmap(functools.partial(jax.random.fold_in, jax.random.fold_in(key, number)))(jnp.arange(draws))
        return jax.vmap(draw)(keys, *own)

    return jax.vmap(of_example)(jnp.arange(batch), *columns)


def check_apply(name: str, apply: Any) -> None:
    """Raise ValueError that names the argument unless it is a network in training, to be called with inputs."""
    if not callable(apply) or isinstance(apply, type):
        raise ValueError(
            f"{name} must be a function of inputs alone, or an nnx module; got {type(apply).__name__}: bind other "
            "parameters first, lambda inputs: function(params, inputs)"
        )


def check_classes_given(labels: Array, classes: int, name: str = "labels") -> None:
    """Raise ValueError if labels, where they are known, name classes that the network does not give."""
    if not isinstance(labels, Tracer) and int(labels.max()) >= classes:
        one = " (one number an input is the logit of class 1)" if classes == 2 else ""
        raise ValueError(
            f"{name} must be class indices from 0 to {classes - 1}, as the network gives{one}; got {labels.max()}"
        )


def of_classes(losses: Array, labels: Array, classes: int) -> Array:
    """The losses (batch,); NaN where the label is no class, which inside jit nothing else can tell."""
    return jnp.where((labels >= 0) & (labels < classes), losses, jnp.nan)


def outputs_of(apply: Callable[[Any], Any], inputs: Any, name: str = "apply") -> Any:
    """What the network gives, an array or several of one row for each input."""
    check_apply(name, apply)
    try:
        outputs = apply(inputs)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{name} fails on inputs of shape {shown_shapes(inputs)}: {error}") from error
    rows, leaves = len(jax.tree.leaves(inputs)[0]), jax.tree.leaves(outputs)
    if not leaves or any(getattr(leaf, "shape", ())[:1] != (rows,) for leaf in leaves):
        raise ValueError(f"{name} must give one row of outputs for each of {rows} inputs, got {_shown(outputs)}")
    return outputs


def logits_of(apply: Callable[[Any], Any], inputs: Any, name: str = "apply") -> Array:
    """The network's logits (inputs, classes); one output z of an input is the logit of class 1 beside 0 of class 0."""
    outputs = outputs_of(apply, inputs, name)
    shape = getattr(outputs, "shape", None)
    if shape is not None and shape[1:] in ((), (1,)):
        one = jnp.reshape(outputs, (-1,))
        return jnp.stack([jnp.zeros_like(one), one], axis=1)
    if shape is None or len(shape) != 2 or not shape[1]:
        rows = len(jax.tree.leaves(inputs)[0])
        raise ValueError(f"{name} must turn {rows} inputs into logits ({rows}, classes), got {_shown(outputs)}")
    return outputs


def predictions_of(apply: Callable[[Any], Any], inputs: Any, name: str = "apply") -> Array:
    """The one number that the network gives for each input: (inputs,)."""
    outputs = outputs_of(apply, inputs, name)
    shape = getattr(outputs, "shape", None)
    if shape is None or shape[1:] not in ((), (1,)):
        rows = len(jax.tree.leaves(inputs)[0])
        raise ValueError(
            f'{name} must give one number an input for task="regression", ({rows},) or ({rows}, 1); got '
            f"{_shown(outputs)}"
        )
    return jnp.reshape(outputs, (-1,)).astype(jnp.promote_types(outputs.dtype, jnp.float32))


def _shown(outputs: Any) -> str:
    leaves = jax.tree.leaves(outputs)
    return shown_shapes(outputs) if leaves and all(hasattr(leaf, "shape") for leaf in leaves) else repr(outputs)
