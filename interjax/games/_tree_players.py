"""Players of inputs that are several arrays: a pytree of which some leaves are partitioned and the others stay."""

import collections
import dataclasses
import functools
import hashlib
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from interjax._core._checks import check_array, shown
from interjax._core._names import default_names
from interjax.games._baselines import Marginal, as_baseline
from interjax.games._players import Players

_WANTED = (
    "ij.Players of the leaf that they partition, None for one that stays, in dicts, tuples or lists as the input's"
)


@dataclasses.dataclass(frozen=True)
class _Leaf:
    """What belongs to one leaf, so that None is a leaf too."""

    value: Any
    first: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class TreePlayers:
    """The players of an input's leaves, numbered one leaf after another as they are given.

    Attributes:
        parts: of each leaf, in JAX's order; None where it stays.
        firsts: the number of each part's first player.
        structure: of the input.
    """

    parts: tuple[Players | None, ...]
    firsts: tuple[int, ...]
    structure: Any

    @classmethod
    def of(cls, players: Any, x: Any, name: str) -> "TreePlayers":
        """Those that `players` name in an input, a pytree of arrays; ValueError where they do not fit it."""
        count = itertools.count()

        def part(given: Any, leaf: Any, path: str) -> _Leaf:
            if not isinstance(given, Players):
                raise ValueError(f"players{path} must be {_WANTED}; got {shown(given)}")
            if leaf.shape != given.shape:
                raise ValueError(
                    f"{name}{path} must have the shape that its players partition, {given.shape}; got {leaf.shape}"
                )
            first = next(count)
            for _ in range(given.n - 1):
                next(count)
            return _Leaf(given, first)

        found = jax.tree.leaves(_placed("players", players, x, part, ""), is_leaf=_is_leaf)
        if not any(each.value for each in found):
            raise ValueError(f"players must partition at least one leaf of the input; got {shown(players)}")
        return cls(tuple(each.value for each in found), tuple(each.first for each in found), jax.tree.structure(x))

    @property
    def n(self) -> int:
        """Number of players."""
        return sum(part.n for part in self.parts if part is not None)

    @property
    def names(self) -> tuple[str, ...]:
        """The leaf that a player is of and its name there, "table age", or its number, "tokens 3"."""
        found = {}
        for part, (path, first) in zip(self.parts, self._paths, strict=True):
            if part is not None:
                is_named = part.names != default_names(part.n)
                names = part.names if is_named else map(str, range(part.n))
                found |= {first + own: f"{_place(path)} {name}" for own, name in enumerate(names)}
        return tuple(found[player] for player in range(self.n))

    def fill(self, masks: Bool[Array, "batch n"], x: Any, baseline: Any) -> Any:
        """Inputs in which the players absent from each mask are replaced by the baseline: leaves (batch, *shape)."""

        def filled(part: Players | None, first: int, leaf: Array, absent: Array) -> Array:
            if part is None:
                return jnp.broadcast_to(leaf, (len(masks), *leaf.shape))
            return part.fill(masks[:, first : first + part.n], leaf, absent)

        leaves = zip(self.parts, self.firsts, jax.tree.leaves(x), jax.tree.leaves(baseline), strict=True)
        return jax.tree.unflatten(self.structure, [filled(*each) for each in leaves])

    def replace(self, masks: Bool[Array, "batch n"], inputs: Any, baseline: Any) -> Any:
        """Inputs (batch, *shape), each without the players absent from its mask."""

        def replaced(part: Players | None, first: int, leaf: Array, absent: Array) -> Array:
            if part is None:
                return leaf
            return jnp.where(part.spread(masks[:, first : first + part.n]), leaf, absent[None])

        leaves = zip(self.parts, self.firsts, jax.tree.leaves(inputs), jax.tree.leaves(baseline), strict=True)
        return jax.tree.unflatten(self.structure, [replaced(*each) for each in leaves])

    def without_entries(self, chosen: Any) -> np.ndarray:
        """Players that own none of the chosen entries (leaves of bool, as the input's): bool (n,)."""
        found = np.ones(self.n, bool)
        for part, first, leaf in zip(self.parts, self.firsts, jax.tree.leaves(chosen), strict=True):
            if part is not None:
                found[first : first + part.n] = part.without_entries(leaf)
        return found

    def baseline(self, baseline: Any, x: Any) -> Any:
        """What stands for absent players, in the form of the input: a leaf that stays is its own.

        Args:
            baseline: a number for all leaves, or for each what `ij.masked_game` takes of one array, 0 where none is
                given.
            x: the input.
        """
        if isinstance(baseline, Marginal):
            return self._marginal(baseline, x)
        if not isinstance(baseline, Mapping | tuple | list):
            every = [_Leaf(baseline)] * len(self.parts)
        else:
            every = [_Leaf(own) for own in for_leaves("baseline", baseline, x)]
            self._check_needed("baseline", every)
        if isinstance(baseline, Mapping | tuple | list):
            for leaf, own in zip(jax.tree.leaves(x), every, strict=True):
                _check_of_kind("baseline", own.value, leaf)
        leaves = zip(self.parts, jax.tree.leaves(x), every, strict=True)
        found = [
            leaf if part is None else as_baseline(0.0 if own.value is None else own.value, leaf, part)
            for part, leaf, own in leaves
        ]
        if any(isinstance(each, Marginal) for each in found):
            raise ValueError(
                "baseline must be one ij.marginal(...) of all arrays that have players, ij.marginal({...}), not one "
                "for an array"
            )
        return jax.tree.unflatten(self.structure, found)

    def _marginal(self, baseline: Marginal, x: Any) -> Marginal:
        """A background set in the form of the input: of an array that stays, its own in each example."""
        if hasattr(baseline.background, "shape"):
            raise ValueError(
                "background must hold the arrays that have players, ij.marginal({...}) in the form of the input; got "
                "one array"
            )
        every = for_leaves("background", baseline.background, x)
        self._check_needed("background", [_Leaf(own) for own in every])
        found = []
        for part, leaf, own, (path, _) in zip(self.parts, jax.tree.leaves(x), every, self._paths, strict=True):
            if part is not None and own is None:
                name = f"background{jax.tree_util.keystr(path)}"
                raise ValueError(
                    f"{name} must be given, (examples, {', '.join(map(str, part.shape))}): that array has players"
                )
            if part is None:
                found.append(jnp.broadcast_to(leaf, (baseline.examples, *leaf.shape)))
            else:
                _check_of_kind("background", own, leaf)
                of_leaf: Any = as_baseline(Marginal(own), leaf, part)
                found.append(of_leaf.background)
        return Marginal(jax.tree.unflatten(self.structure, found))

    @property
    def _paths(self) -> list[tuple[Any, int]]:
        """The place of each array in an input, and the number of its first player."""
        return jax.tree_util.tree_flatten_with_path(jax.tree.unflatten(self.structure, self.firsts))[0]

    def check_fits(self, x: Any, name: str) -> None:
        """Raise ValueError unless an input has the form and the shapes of these players."""
        if jax.tree.structure(x) != self.structure:
            raise ValueError(f"{name} must be arrays in the form {self.structure}, got {jax.tree.structure(x)}")
        for part, leaf, (path, _) in zip(self.parts, jax.tree.leaves(x), self._paths, strict=True):
            if part is not None and part.shape != leaf.shape:
                where = f"{name}{jax.tree_util.keystr(path)}"
                raise ValueError(
                    f"{where} must have the shape that its players partition, {part.shape}; got {leaf.shape}"
                )

    def flat(self, x: Any) -> Players:
        """The partition of all entries of an input, one array after another in JAX's order, as that of one array."""
        labels = []
        for part, first, leaf in zip(self.parts, self.firsts, jax.tree.leaves(x), strict=True):
            own = np.full(math.prod(leaf.shape), -1) if part is None else part.labels.ravel()
            labels.append(np.where(own < 0, -1, own + first))
        return Players.segments(np.concatenate(labels), self.names)

    def _check_needed(self, name: str, baselines: list[_Leaf]) -> None:
        """Raise ValueError for a baseline of an array without players, which would not be used."""
        for part, own, (path, _) in zip(self.parts, baselines, self._paths, strict=True):
            if part is None and own.value is not None:
                raise ValueError(
                    f"{name}{jax.tree_util.keystr(path)} must be left out (None): that array has no players, and "
                    f"stays as it is; got {shown(own.value)}"
                )

    @functools.cached_property
    def digest(self) -> str:
        """A digest of the partition: equal ones have equal digests."""
        text = repr([part and part.digest for part in self.parts]), repr(self.firsts), str(self.structure)
        return hashlib.sha256(repr(text).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TreePlayers) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple:
        return self.parts, self.firsts, self.structure


def as_leaves(name: str, x: Any) -> Any:
    """An input of several arrays, its leaves as arrays of real numbers; ValueError that names the leaf."""
    if not jax.tree.leaves(x):
        raise ValueError(f"{name} must hold at least one array; got {shown(x)}")
    paths = jax.tree_util.tree_flatten_with_path(x)[0]
    leaves = [jnp.asarray(check_array(f"{name}{jax.tree_util.keystr(path)}", leaf)) for path, leaf in paths]
    return jax.tree.unflatten(jax.tree.structure(x), leaves)


def for_leaves(name: str, given: Any, x: Any) -> list[Any]:
    """What is given for each array of an input in the input's form, in JAX's order; None where it is left out."""
    tree = _placed(name, given, x, lambda own, *_: _Leaf(own), "")
    return [leaf.value for leaf in jax.tree.leaves(tree, is_leaf=_is_leaf)]


def _placed(name: str, given: Any, x: Any, of_leaf: Callable[[Any, Any, str], _Leaf], path: str) -> Any:
    """What is given for an input's leaves in the input's own form; None, or a key left out, for all those below."""
    if given is None:
        return jax.tree.map(lambda _: _Leaf(None), x)
    if isinstance(x, Mapping):
        if not isinstance(given, Mapping) or set(given) - set(x):
            raise ValueError(
                f"{name}{path} must be a dict whose keys are among the input's, {', '.join(map(repr, x))}; got "
                f"{', '.join(map(repr, given)) if isinstance(given, Mapping) else shown(given)}"
            )
        below = {key: _placed(name, given[key], x[key], of_leaf, f"{path}[{key!r}]") for key in given}
        form = collections.OrderedDict if isinstance(x, collections.OrderedDict) else dict  # whose order JAX keeps
        return form((key, below[key] if key in below else _placed(name, None, x[key], of_leaf, path)) for key in x)
    if isinstance(x, tuple | list):
        if not isinstance(given, tuple | list) or len(given) != len(x):
            raise ValueError(
                f"{name}{path} must be a tuple or list of {len(x)}, one for each part of the input (None for one that "
                f"stays); got {shown(given)}"
            )
        parts = [
            _placed(name, own, part, of_leaf, f"{path}[{place}]")
            for place, (own, part) in enumerate(zip(given, x, strict=True))
        ]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    if not hasattr(x, "shape"):
        raise ValueError(f"the input must be arrays in dicts, tuples and lists; got {shown(x)} among them")
    return of_leaf(given, x, path)


def _check_of_kind(name: str, value: Any, leaf: Any) -> None:
    """Raise ValueError for what stands in an array of booleans and is none: it would be cast to True."""
    if leaf.dtype == bool and value is not None and not isinstance(value, Marginal):
        held = np.asarray(value)
        if held.dtype.kind in "iuf" and not np.isin(held, (0, 1)).all():
            raise ValueError(
                f"{name} must be booleans, 0 or 1, for an array of booleans: give that array as numbers; got "
                f"{shown(value)}"
            )


def _place(path: tuple) -> str:
    """A leaf's place in an input: "tokens", "graph.nodes" or "[0]"."""
    text = ""
    for key in path:
        if isinstance(key, jax.tree_util.SequenceKey):
            text += f"[{key.idx}]"
        else:
            text += f".{getattr(key, 'key', getattr(key, 'name', key))}"
    return text.removeprefix(".")


def _is_leaf(node: Any) -> bool:
    return isinstance(node, _Leaf)
