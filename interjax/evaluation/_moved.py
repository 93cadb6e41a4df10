"""Which arrays of a network's inputs are moved: the one array there is, or of several those of floats."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array

from interjax._core._checks import shown
from interjax.evaluation._arguments import as_inputs
from interjax.games._apply import Apply, is_several, shown_shapes
from interjax.games._batches import rows_of
from interjax.games._tree_players import as_leaves, for_leaves

Parts = tuple[Array, ...]


@dataclasses.dataclass(frozen=True)
class Moved:
    """How inputs are made of arrays that are moved and others that stay.

    Attributes:
        structure: of the inputs, a pytree of arrays.
        chosen: whether each array is moved, in JAX's order.
        names: of the arrays, such as "['image']"; "" for the one array there is.
    """

    structure: Any
    chosen: tuple[bool, ...]
    names: tuple[str, ...]

    def parts(self, x: Any) -> tuple[Parts, Parts]:
        """The arrays that are moved, and those that stay."""
        leaves = list(zip(self.chosen, jax.tree.leaves(x), strict=True))
        return tuple(leaf for moves, leaf in leaves if moves), tuple(leaf for moves, leaf in leaves if not moves)

    def joined(self, points: Parts, fixed: Parts) -> Any:
        """The inputs of which these are the arrays."""
        moved, others = iter(points), iter(fixed)
        return jax.tree.unflatten(self.structure, [next(moved if moves else others) for moves in self.chosen])

    def each(self, name: str, value: Any, x: Any) -> list[tuple[str, Any]]:
        """Of each array that is moved its name as that of an argument, and what is given for it."""
        found = [value] if self.names == ("",) else _of_leaves(name, value, x)
        return [
            (f"{name}{where}", own) for own, where, moves in zip(found, self.names, self.chosen, strict=True) if moves
        ]


@dataclasses.dataclass(frozen=True)
class OfMoved:
    """A network as one of the arrays that are moved; those that stay are among its parameters."""

    apply: Apply
    moved: Moved

    def __call__(self, both: tuple[Any, Parts], points: Parts) -> Any:
        params, fixed = both
        return self.apply(params, self.moved.joined(points, fixed))


def as_moved(x: Any, strength: Any) -> tuple[Any, Moved]:
    """Inputs (batch, ...), of one array or several, and which arrays a strength moves; ValueError that names them."""
    if not is_several(x):
        x = as_inputs(x)
        return x, Moved(jax.tree.structure(x), (True,), ("",))
    x = as_leaves("x", x)
    if not rows_of(x, "x"):
        raise ValueError(f"x must be inputs (inputs, *shape), at least one; got shapes {shown_shapes(x)}")
    names, leaves = zip(*((jax.tree_util.keystr(path), leaf) for path, leaf in _leaves(x)), strict=True)
    given = _of_leaves("strength", strength, x)
    is_float = [jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves]
    arrays = ", ".join(f"x{name} ({leaf.dtype})" for name, leaf in zip(names, leaves, strict=True))
    if not any(is_float):
        raise ValueError(
            f"x must hold an array of floats to attack, got {arrays}: attack the network of embedded tokens, or "
            "nothing (strengths=() of ij.evaluation.evaluate)"
        )
    chosen = tuple(is_float)
    if isinstance(strength, Mapping | tuple | list):
        for own, name, leaf, floats in zip(given, names, leaves, is_float, strict=True):
            if own is not None and not floats:
                raise ValueError(
                    f"strength{name} must be left out (None): that array holds {leaf.dtype}, which no gradient moves; "
                    f"got {shown(own)}"
                )
        chosen = tuple(own is not None for own in given)
        if not any(chosen):
            raise ValueError(f"strength must be given for at least one of {arrays}; got {shown(strength)}")
    return x, Moved(jax.tree.structure(x), chosen, names)


def _of_leaves(name: str, value: Any, x: Any) -> list[Any]:
    """What is given for each array of several: one number for all, or each its own, None where it is left out."""
    if isinstance(value, Mapping | tuple | list):
        return for_leaves(name, value, x)
    return [value] * len(jax.tree.leaves(x))


def _leaves(x: Any) -> list[tuple[Any, Any]]:
    return jax.tree_util.tree_flatten_with_path(x)[0]


def first_array(x: Any) -> Array:
    """One array of some inputs, which tells how many they are."""
    return jax.tree.leaves(x)[0]


def is_known(parts: Any) -> bool:
    """Whether no array is traced."""
    return not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(parts))
