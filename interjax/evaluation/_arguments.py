"""Arguments that perturbations of inputs share: sizes of a change, bounds, class indices, numbers of the inputs."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Int

from interjax._core._checks import check_array, check_classes, is_real, shown
from interjax._engine._dispatch import shapes_of
from interjax.games._apply import Apply, as_classifier, shown_shapes


def as_inputs(x: Any) -> Array:
    """Inputs (inputs, *shape) as an array of floats, at least one; ValueError that names them."""
    x = jnp.asarray(check_array("x", x, "inputs (inputs, *shape), real numbers"))
    if x.ndim < 2 or not len(x):
        raise ValueError(f"x must be inputs (inputs, *shape), at least one; got shape {x.shape}")
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)


def for_one_input(
    name: str, value: Any, x: Array, *, about: str, above: float = -math.inf, at_least: float = -math.inf
) -> Array:
    """A number, or an array that broadcasts against one input, as an array of one input's shape.

    Args:
        name: of the argument.
        value: what came.
        x: inputs (inputs, *shape).
        about: what it is, for messages.
        above, at_least: limits of its entries, where they are known.
    """
    wanted = f"{about}, a number or an array that broadcasts against one input of shape {x.shape[1:]}"
    array = jnp.asarray(check_array(name, value, wanted), x.dtype)
    if isinstance(value, bool | np.bool_) or array.ndim > x.ndim - 1 or not _broadcasts(array.shape, x.shape[1:]):
        raise ValueError(f"{name} must be {wanted}; got {shown(value)}")
    if not isinstance(array, Tracer):
        held = np.asarray(array)
        if not np.isfinite(held).all():
            raise ValueError(f"{name} must be finite, {about}; got {shown(value)}")
        if not ((held > above) & (held >= at_least)).all():
            least = "positive" if above == 0 else f"at least {at_least:g}"
            raise ValueError(f"{name} must be {least}, {about}; got {shown(value)}")
    return jnp.broadcast_to(array, x.shape[1:])


def as_ends(bounds: Any) -> tuple[Any, Any]:
    """The two ends that bounds are; ValueError that names them."""
    if not isinstance(bounds, tuple | list | np.ndarray) or len(bounds) != 2:
        raise ValueError(f"bounds must be two, (lowest, highest), numbers or arrays; got {shown(bounds)}")
    return bounds[0], bounds[1]


def check_bounds(bounds: Any, x: Array) -> tuple[Array, Array]:
    """(lowest, highest) value of each entry, as arrays of one input's shape; ValueError that names them."""
    bounds = as_ends(bounds)
    wanted = "the lowest and the highest value of an entry"
    lowest, highest = (_bound(each, x, wanted) for each in bounds)
    if (
        not isinstance(lowest, Tracer)
        and not isinstance(highest, Tracer)
        and not (np.asarray(lowest) <= np.asarray(highest)).all()
    ):
        raise ValueError(f"bounds must be {wanted}, in this order and not NaN; got {shown(bounds)}")
    return lowest, highest


def class_indices(name: str, labels: Any, x: Array) -> Int[Array, " batch"]:
    """A class index for each input, or a number to predict; traced ones are looked at for shape and type alone."""
    if jnp.issubdtype(getattr(labels, "dtype", int), jnp.floating):
        return _numbers(name, labels, x)
    if isinstance(labels, Tracer):
        if labels.shape != x.shape[:1] or not jnp.issubdtype(labels.dtype, jnp.integer):
            raise ValueError(
                f"{name} must be class indices, integers of shape {x.shape[:1]}; got {labels.dtype} {labels.shape}"
            )
        return labels
    return jnp.asarray(check_classes(name, labels, len(x)))


def index_of(index: Any, x: Array) -> Int[Array, " batch"]:
    """The numbers of the inputs, 0, 1, ... by default; ValueError unless they are integers, one for each."""
    if index is None:
        return jnp.arange(len(x))
    wanted = f"integers that number the {len(x)} inputs"
    numbers = jnp.asarray(check_array("index", index, wanted))
    if numbers.shape != x.shape[:1] or not jnp.issubdtype(numbers.dtype, jnp.integer):
        raise ValueError(f"index must be {wanted}, got {numbers.dtype} of shape {numbers.shape}")
    return numbers


def of_two_logits(apply: Apply, params: Any, x: Any) -> Apply:
    """The network, or one of two logits of a network of one output; what it fails on is told by `check_logits`."""
    try:
        shape = _shape_of_logits(apply, shapes_of(params), shapes_of(x))
    except (TypeError, ValueError, AttributeError):
        return apply
    return as_classifier(apply, None if shape is None else jax.ShapeDtypeStruct(shape, np.float32))


def check_logits(name: str, apply: Apply, params: Any, x: Any, labels: tuple[str, Array]) -> None:
    """Raise ValueError unless a network turns inputs into logits (batch, classes) of the classes that there are.

    Args:
        name: of the network's argument.
        apply, params: the network.
        x: inputs (inputs, *shape), of one array or several.
        labels: the name of their classes' argument, and the classes.
    """
    count = len(labels[1])
    try:
        shape = _shape_of_logits(apply, shapes_of(params), shapes_of(x))
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{name} is a network that fails on a batch of inputs of shape {shown_shapes(x)}: {error}"
        ) from error
    if jnp.issubdtype(labels[1].dtype, jnp.floating):
        if shape not in ((count,), (count, 1)):
            raise ValueError(
                f"{labels[0]} must be class indices, integers, or numbers that a network of one output an input "
                f"predicts; got {labels[1].dtype} and outputs of shape {shape}"
            )
        return
    if shape is None or len(shape) != 2 or shape[0] != count or shape[1] < 2:
        raise ValueError(f"{name} must turn {count} inputs into logits ({count}, classes >= 2), got {shape}")
    if not isinstance(labels[1], Tracer) and int(labels[1].max()) >= shape[1]:
        raise ValueError(
            f"{labels[0]} must be class indices from 0 to {shape[1] - 1}, as the network gives; got {labels[1].max()}"
        )


def _numbers(name: str, labels: Any, x: Array) -> Array:
    wanted = f"class indices, integers, or finite numbers to predict, one for each of {len(x)} inputs"
    found = jnp.asarray(check_array(name, labels, wanted))
    if found.shape != x.shape[:1] or not (isinstance(found, Tracer) or np.isfinite(np.asarray(found)).all()):
        raise ValueError(f"{name} must be {wanted}; got {found.dtype} of shape {found.shape}")
    return found


@functools.lru_cache(maxsize=64)
def _shape_of_logits(apply: Apply, params: tuple[Any, tuple], batch: tuple[Any, tuple]) -> tuple[int, ...] | None:
    """The same from shapes alone: traced once for all batches of an attack."""
    examples = [
        jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(shape, kind) for shape, kind in shapes])
        for structure, shapes in (params, batch)
    ]
    logits = jax.eval_shape(apply, *examples)
    if hasattr(logits, "dtype") and not is_real(logits):
        raise TypeError(f"its logits must be real numbers, got {logits.dtype}")
    return getattr(logits, "shape", None)


def _bound(value: Any, x: Array, wanted: str) -> Array:
    array = jnp.asarray(check_array("bounds", value, wanted), x.dtype)
    if not _broadcasts(array.shape, x.shape[1:]):
        raise ValueError(f"bounds must broadcast against one input of shape {x.shape[1:]}, got shape {array.shape}")
    return jnp.broadcast_to(array, x.shape[1:])


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False
