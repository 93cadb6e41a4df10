"""Inputs, one or a batch, of one array or several, and the players that partition them."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from interjax._core._checks import check_array, shown
from interjax.games._apply import shown_shapes
from interjax.games._players import Players, check_players
from interjax.games._tree_players import TreePlayers, as_leaves


def as_input(x: Any, players: Any, name: str = "x") -> Any:
    """Inputs as arrays: one, or several in dicts, tuples and lists, as the players are; ValueError that names them."""
    if isinstance(players, Mapping | tuple | list):
        return as_leaves(name, x)
    check_players(players)
    if isinstance(x, Mapping):
        raise ValueError(
            f"players must name the arrays of {name} that they belong to, as {{{next(iter(x), 'tokens')!r}: ...}}; "
            f"got {shown(players)}"
        )
    x = jnp.asarray(check_array(name, x))
    return x.astype(jnp.float32) if x.dtype == bool else x


def players_of(players: Any, x: Any, name: str = "x") -> Players | TreePlayers:
    """The players of an input like this one, of which shapes are looked at, checked to fit it."""
    if not isinstance(players, Players):
        return TreePlayers.of(players, x, name)
    if x.shape != players.shape:
        raise ValueError(f"{name} must have the shape that players partition, {players.shape}; got {x.shape}")
    return players


def rows_of(xs: Any, name: str = "xs") -> int:
    """How many inputs a batch holds; ValueError unless its arrays hold as many."""
    shapes = [leaf.shape for leaf in jax.tree.leaves(xs)]
    if len({shape[:1] for shape in shapes}) > 1 or () in shapes:
        raise ValueError(f"{name} must be arrays of one row for each input, got {shown_shapes(xs)}")
    return shapes[0][0]
