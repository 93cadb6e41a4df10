"""A network as a function apply(params, inputs) -> outputs of a batch, and the precision at which it runs."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Apply = Callable[[Any, jax.Array], jax.Array]

CHANGES_ITSELF = (
    "a network that changes itself when it is called, as running statistics and random seeds do in training mode: give "
    "it as it is evaluated, e.g. called with training=False"
)
PRECISIONS = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class _AtPrecision:
    """A network whose products run at a stated precision, whatever the device prefers."""

    apply: Apply
    precision: str

    def __call__(self, params: Any, inputs: jax.Array) -> jax.Array:
        if self.precision == "bfloat16":
            outputs = self.apply(*jax.tree.map(_as_bfloat16, (params, inputs)))
            return jax.tree.map(_as_float32, outputs)
        with jax.default_matmul_precision("highest"):
            return self.apply(params, inputs)


def check_precision(precision: Any) -> None:
    """Raise ValueError unless it names a precision, or is None."""
    if precision is not None and (not isinstance(precision, str) or precision not in PRECISIONS):
        raise ValueError(f"precision must be {' or '.join(PRECISIONS)}, or None; got {precision!r}")


def at_precision(apply: Apply, precision: str | None) -> Apply:
    """A network at a precision of its forward pass.

    Args:
        apply: (params, inputs) -> outputs.
        precision: "float32": products and convolutions of float32 numbers in full precision, no TF32 or bfloat16
            passes. "bfloat16": weights and inputs rounded to bfloat16, outputs float32. None: as JAX is configured.

    Raises:
        ValueError: for another precision.
    """
    check_precision(precision)
    if precision is None:
        return apply
    return _AtPrecision(apply, precision)


@dataclasses.dataclass(frozen=True)
class _TwoLogits:
    """A network of one output as one of two classes, with logits 0 and z."""

    apply: Apply

    def __call__(self, params: Any, inputs: jax.Array) -> jax.Array:
        one = jnp.reshape(self.apply(params, inputs), (-1,))
        return jnp.stack([jnp.zeros_like(one), one], axis=1)


@dataclasses.dataclass(frozen=True)
class _OneNumber:
    """A network of one output for each input, (batch,)."""

    apply: Apply

    def __call__(self, params: Any, inputs: jax.Array) -> jax.Array:
        return jnp.reshape(self.apply(params, inputs), (-1,))


def gives_one(outputs: Any) -> bool:
    """Whether outputs of a batch, of which the shape is looked at, are one number an input: (batch,) or (batch, 1)."""
    return getattr(outputs, "shape", ())[1:] in ((), (1,)) and bool(getattr(outputs, "shape", ()))


def as_classifier(apply: Apply, outputs: Any) -> Apply:
    """What gives such a batch of outputs as a network of logits (batch, classes); one output is that of class 1."""
    return _TwoLogits(apply) if gives_one(outputs) else apply


def is_of_one_logit(apply: Apply) -> bool:
    """Whether `as_classifier` made this of a network of one output."""
    return isinstance(apply, _TwoLogits)


def as_predictor(apply: Apply) -> Apply:
    """A network that gives one number an input as one that gives (batch,)."""
    return _OneNumber(apply)


def is_several(x: Any) -> bool:
    """Whether inputs are several arrays where no players tell: a dict, or a tuple that holds arrays."""
    return isinstance(x, Mapping) or (isinstance(x, tuple) and any(np.ndim(leaf) for leaf in jax.tree.leaves(x)))


def row_of(batch: Any) -> Any:
    """Shapes and types of what a network gives for one input, from those of a batch."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), batch)


def shown_shapes(tree: Any) -> str:
    """The shape of an array, or the shapes of several, in words."""
    return str(jax.tree.map(lambda leaf: leaf.shape, tree))


def flat_rows(outputs: Any) -> jax.Array:
    """A network's outputs of a batch, an array or several, as one array (batch, numbers)."""
    return jnp.concatenate([jnp.reshape(leaf, (len(leaf), -1)) for leaf in jax.tree.leaves(outputs)], axis=1)


def outputs_of_rows(rows: np.ndarray, like: Any) -> Any:
    """Outputs in the form and the types of those of a batch, from rows (batch, numbers) of `flat_rows`."""
    leaves, structure = jax.tree.flatten(like)
    ends = np.cumsum([math.prod(leaf.shape[1:]) for leaf in leaves])[:-1]
    parts = zip(np.split(rows, ends, axis=1), leaves, strict=True)
    return jax.tree.unflatten(structure, [part.reshape(-1, *leaf.shape[1:]).astype(leaf.dtype) for part, leaf in parts])


def _as_float32(leaf: Any) -> Any:
    return leaf.astype(jnp.float32) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf


def _as_bfloat16(leaf: Any) -> Any:
    kind = jnp.result_type(leaf)
    return jnp.asarray(leaf, jnp.bfloat16) if jnp.issubdtype(kind, jnp.floating) else leaf
