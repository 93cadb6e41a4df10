"""A network split behind its first linear operation: found by tracing, or given by the user and checked."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from interjax._core._checks import shown
from interjax._folding._contributions import read_cost, saves_work
from interjax._folding._tracing import Split, split_first_layer
from interjax.games._apply import Apply, at_precision

Fold = bool | tuple[Callable[[Any, Array], Array], Callable[[Any, Array], Array]] | None


def split_of(
    apply: Apply, params: Any, x: Array, n_players: int, fold: Fold, precision: str | None
) -> tuple[Split | None, bool]:
    """The network's split behind its first linear operation, where there is one and it is wanted for flips; and
    whether it is wanted for unrelated masks too."""
    if fold is False:
        return None, False
    if not (fold is None or fold is True or isinstance(fold, tuple)):
        raise ValueError(f"fold must be True, False, None or two functions (stem, trunk), got {shown(fold)}")
    leaves, structure = jax.tree.flatten(params)
    kinds = [jax.typeof(leaf) for leaf in leaves]
    shapes = tuple((kind.shape, kind.dtype, kind.weak_type) for kind in kinds)
    network = _Network(apply, structure, shapes, x.shape, x.dtype, precision)
    if isinstance(fold, tuple):
        return _given_split(network, fold), True
    split, is_faster, folds_masks = _split_of_shapes(network, n_players, jax.default_backend())
    if fold and split is None:
        raise ValueError(
            "fold=True needs a network whose first operation on a float input is linear; use fold=None, or give the "
            "two parts yourself as fold=(stem, trunk)"
        )
    return (split, fold or folds_masks) if fold or is_faster else (None, False)


@dataclasses.dataclass(frozen=True)
class _Network:
    """What a split depends on: the same for all networks of one computation, so that their games share code."""

    apply: Apply
    structure: Any
    shapes: tuple
    x_shape: tuple
    x_type: Any
    precision: str | None

    def examples(self) -> tuple[Any, jax.ShapeDtypeStruct]:
        leaves = [jax.ShapeDtypeStruct(shape, kind, weak_type=is_weak) for shape, kind, is_weak in self.shapes]
        params = jax.tree.unflatten(self.structure, leaves)
        return params, jax.ShapeDtypeStruct((2, *self.x_shape), self.x_type)


@functools.lru_cache(maxsize=64)
def _split_of_shapes(network: _Network, n_players: int, platform: str) -> tuple[Split | None, bool, bool]:
    params, example = network.examples()
    # The sums of contributions stay in float32 at any precision of the rest, which rounds what it is given.
    stem_precision = "float32" if network.precision == "bfloat16" else network.precision
    split = split_first_layer(at_precision(network.apply, stem_precision), params, example)
    if split is not None and network.precision == "bfloat16":
        rounded = split_first_layer(at_precision(network.apply, "bfloat16"), params, example, rounds=True)
        same = rounded is not None and rounded.hidden_shape == split.hidden_shape
        split = split._replace(trunk=rounded.trunk) if rounded is not None and same else None
    if split is None:
        return None, False, False
    pays = functools.partial(
        saves_work, split, params, example, n_players, read_cost=read_cost(platform, network.precision)
    )
    flips = pays()
    return split, flips, flips and pays(rows_per_context=1, flips=0)


@functools.lru_cache(maxsize=64)
def _given_split(network: _Network, parts: tuple) -> Split:
    """The split that the user gives, checked by shapes."""
    if len(parts) != 2 or not all(map(callable, parts)):
        raise ValueError(f"fold=(stem, trunk) takes two functions (params, batch) -> batch, got {parts!r}")
    params, example = network.examples()
    expected = jax.eval_shape(network.apply, params, example)
    stem = at_precision(parts[0], "float32" if network.precision == "bfloat16" else network.precision)
    trunk = at_precision(parts[1], network.precision)
    hidden = _shape_given_by("stem(params, inputs)", stem, params, example)
    if hidden.shape[:1] != (2,) or not jnp.issubdtype(hidden.dtype, jnp.floating):
        raise ValueError(
            f"stem must give one row of floats an input: inputs {example.shape} gave {hidden.dtype} of {hidden.shape}"
        )
    found = _shape_given_by("trunk(params, hidden)", trunk, params, hidden)
    if found.shape != expected.shape:
        raise ValueError(
            f"trunk must give what the network gives, {expected.shape} for inputs {example.shape}; it gave "
            f"{found.shape} for hidden rows {hidden.shape}"
        )
    return Split(stem, trunk, hidden.shape[1:])


def _shape_given_by(name: str, part: Callable, params: Any, batch: Any) -> jax.ShapeDtypeStruct:
    try:
        found = jax.eval_shape(part, params, batch)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} does not take a batch of shape {batch.shape}: {error}") from error
    if not hasattr(found, "shape"):
        raise ValueError(f"{name} must give one array, got {found}")
    return found
