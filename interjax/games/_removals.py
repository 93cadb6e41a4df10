"""Absence by removal that is built in: points of a cloud, nodes of a graph."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from interjax._core._checks import check_number
from interjax.games._players import Players
from interjax.games._tree_players import TreePlayers

NAMED = ("points", "nodes")
Rows = tuple[int, ...]  # of each row of an array its player, or -1 where it is always present


@dataclasses.dataclass(frozen=True)
class WithoutPoints:
    """A cloud (points, ...) whose absent points lie on the first one that is left, or at `nowhere` if none is."""

    rows: Rows
    nowhere: float

    def __call__(self, cloud: Array, present: Bool[Array, " n"]) -> Array:
        kept = _kept(self.rows, present)
        place = jnp.where(kept.any(), cloud[jnp.argmax(kept)], jnp.asarray(self.nowhere, cloud.dtype))
        return jnp.where(kept.reshape(-1, *[1] * (cloud.ndim - 1)), cloud, place)


@dataclasses.dataclass(frozen=True)
class WithoutNodes:
    """A graph whose absent nodes have features 0 and no edges: its arrays by what they are, "nodes", "edges" or ""."""

    rows: Rows
    kinds: tuple[str, ...]

    def __call__(self, graph: Any, present: Bool[Array, " n"]) -> Any:
        kept = _kept(self.rows, present)
        leaves, structure = jax.tree.flatten(graph)
        masks = {"nodes": kept, "edges": kept[:, None] & kept[None], "": jnp.ones((), bool)}
        found = []
        for leaf, kind in zip(leaves, self.kinds, strict=True):
            mask = masks[kind].reshape(*masks[kind].shape, *[1] * (leaf.ndim - masks[kind].ndim))
            found.append(jnp.where(mask, leaf, jnp.zeros((), leaf.dtype)))
        return jax.tree.unflatten(structure, found)


def removal_named(name: str, players: Players | TreePlayers, x: Any, baseline: Any) -> WithoutPoints | WithoutNodes:
    """The removal of that name for these players; ValueError that names what does not fit."""
    if name == "points":
        if not isinstance(players, Players):
            raise ValueError(
                'absence="points" is for a cloud in one array (points, ...), got several arrays: give a function'
            )
        about = "the place of all points where none is left"
        nowhere = check_number("baseline", baseline, "(-inf, inf)", about=about)
        kind = np.dtype(x.dtype)
        if kind.kind in "iub" and (not nowhere.is_integer() or np.asarray(nowhere).astype(kind) != nowhere):
            raise ValueError(
                f"baseline must be a number of the cloud's type, {kind}, got {baseline!r}: give points of floats"
            )
        return WithoutPoints(_rows_of(players, "points"), nowhere)
    if isinstance(players, Players):
        raise ValueError(
            'absence="nodes" is for a graph in several arrays, {"nodes": (nodes, ...), "edges": (nodes, nodes, ...)}; '
            "got one array"
        )
    own = [part for part in players.parts if part is not None]
    if len(own) != 1 or not (isinstance(baseline, int | float) and baseline == 0):
        raise ValueError(
            'absence="nodes" takes players of one array, that of the nodes, and no baseline: absent nodes have '
            f"features 0; got players of {len(own)} arrays and baseline {baseline!r}"
        )
    rows, leaves = _rows_of(own[0], "nodes"), jax.tree.leaves(x)
    square = (len(rows), len(rows))
    kinds = tuple(
        "nodes" if part is not None else "edges" if np.shape(leaf)[:2] == square else ""
        for part, leaf in zip(players.parts, leaves, strict=True)
    )
    if "edges" not in kinds:
        raise ValueError(
            f'absence="nodes" needs edges, an array (nodes, nodes, ...) of {square[0]} nodes beside theirs; got shapes '
            f"{[np.shape(leaf) for leaf in leaves]}: of edges in a list give a function"
        )
    return WithoutNodes(rows, kinds)


def _kept(rows: Rows, present: Bool[Array, " n"]) -> Bool[Array, " rows"]:
    players = np.array(rows)
    return jnp.where(players < 0, True, present[np.maximum(players, 0)])


def _rows_of(players: Players, what: str) -> Rows:
    """The player of each row; ValueError unless the entries of a row are one player's."""
    labels = players.labels.reshape(players.shape[0], -1)
    if np.any(labels != labels[:, :1]):
        raise ValueError(
            f'players must be whole rows, the {what}, with absence="{what}": such as ij.Players.tokens'
            f"({', '.join(map(str, players.shape))})"
        )
    return tuple(labels[:, 0].tolist())
