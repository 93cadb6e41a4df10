"""Inputs, one or a batch, of one array or several, and the players that partition them."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from interjax._core._checks import check_array, check_examples, check_integers, check_known, shown
from interjax.games._apply import is_several, shown_shapes
from interjax.games._baselines import as_baseline
from interjax.games._players import Players, check_players
from interjax.games._tree_players import TreePlayers, as_leaves


def as_input(x: Any, players: Any, name: str = "x") -> Any:
    """Inputs as arrays: one, or several in dicts, tuples and lists, as the players are; ValueError that names them."""
    if isinstance(players, TreePlayers) or are_of_several(players):
        return as_leaves(name, x)
    check_players(players)
    if isinstance(x, Mapping):
        raise ValueError(
            f"players must name the arrays of {name} that they belong to, as {{{next(iter(x), 'tokens')!r}: ...}}; "
            f"got {shown(players)}"
        )
    x = jnp.asarray(check_array(name, x))
    return x.astype(jnp.float32) if x.dtype == bool else x


def are_of_several(players: Any) -> bool:
    """Whether players are given array by array."""
    return isinstance(players, Mapping | tuple | list)


def check_some_players(players: Any) -> None:
    """Raise ValueError unless they are players of one array, or are given array by array."""
    if not isinstance(players, TreePlayers) and not are_of_several(players):
        check_players(players)


def players_of(players: Any, x: Any, name: str = "x") -> Players | TreePlayers:
    """The players of an input like this one, of which shapes are looked at, checked to fit it."""
    if isinstance(players, TreePlayers):
        players.check_fits(x, name)
        return players
    if not isinstance(players, Players):
        return TreePlayers.of(players, x, name)
    if x.shape != players.shape:
        raise ValueError(f"{name} must have the shape that players partition, {players.shape}; got {x.shape}")
    return players


def absent_of(players: Players | TreePlayers, baseline: Any, x: Any) -> Any:
    """What stands for absent players in inputs like this one, of its form, or a `Marginal` of several such; checked."""
    return players.baseline(baseline, x) if isinstance(players, TreePlayers) else as_baseline(baseline, x, players)


def rows_of(xs: Any, name: str = "xs") -> int:
    """How many inputs a batch holds; ValueError unless its arrays hold as many."""
    shapes = [leaf.shape for leaf in jax.tree.leaves(xs)]
    if len({shape[:1] for shape in shapes}) > 1 or () in shapes:
        raise ValueError(f"{name} must be arrays of one row for each input, got {shown_shapes(xs)}")
    return shapes[0][0]


def as_inputs(x: Any, name: str = "x") -> Any:
    """Inputs (N, ...) in NumPy, at least one: an array, or several in dicts and tuples; ValueError that names them."""
    check_known(name, x)
    if not is_several(x):
        x = np.asarray(check_array(name, x, "inputs (N, ...), an array of real numbers"))
        if x.ndim < 2 or not len(x):
            raise ValueError(f"{name} must be inputs (N, ...), at least one; got shape {x.shape}")
        return x
    x = jax.tree.map(np.asarray, as_leaves(name, x))
    if not rows_of(x, name):
        raise ValueError(f"{name} must be inputs (N, ...), at least one; got shapes {shown_shapes(x)}")
    return x


def as_examples(x: Any, y: Any) -> tuple[Any, np.ndarray]:
    """Inputs of one array or several and their class indices (N,), in NumPy; ValueError if they do not match."""
    if not is_several(x):
        return check_examples(x, y)
    x, y = as_inputs(x), check_integers("y", y, "class indices (N,), integers")
    if y.shape != (rows_of(x),):
        raise ValueError(f"y must be class indices ({rows_of(x)},), one for each input of x; got shape {y.shape}")
    if y.min() < 0:
        raise ValueError(f"y must hold class indices from 0 on, got {y.min()}")
    return x, y


def at_rows(x: Any, rows: Any) -> Any:
    """Some inputs of a batch, or one, of one array or several."""
    return jax.tree.map(lambda leaf: leaf[rows], x)


def like_batch(x: Any, rows: int) -> Any:
    """Shapes and types of a batch of so many inputs like these, as JAX takes them."""
    kind = jax.dtypes.canonicalize_dtype
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), kind(leaf.dtype)), x)
