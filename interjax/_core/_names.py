"""Names of players: shown wherever players are, and no part of what is compiled, compared or kept of a run."""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, TypeVar

import jax
from jax.core import Tracer
from jax.tree_util import GetAttrKey

from interjax._core._checks import shown

_LONGEST = 56  # characters of a coalition's name
_AXES = "rcdefghij"  # of cells: rows, columns, depth, and whatever follows
T = TypeVar("T")


def names_field(**keywords: Any) -> Any:
    """A dataclass field of names of players, a tuple of texts: part of no comparison, and of no identity of a run."""
    return dataclasses.field(metadata={"static": True, "names": True}, repr=False, **keywords)


def is_of_names(field: dataclasses.Field) -> bool:
    """Whether a dataclass field is a `names_field`."""
    return field.metadata.get("names", False)


@functools.lru_cache(maxsize=64)
def default_names(count: int) -> tuple[str, ...]:
    """What players are called whom nobody named: "player 3" for player 3."""
    return tuple(f"player {player}" for player in range(count))


@functools.lru_cache(maxsize=64)
def cell_names(cells: tuple[int, ...]) -> tuple[str, ...]:
    """What the cells of a grid are called, in reading order: "r2c3" for row 2 and column 3, counted from 0."""
    names = [""]
    for axis, count in zip(_AXES, cells, strict=False):
        names = [f"{name}{axis}{place}" for name in names for place in range(count)]
    return tuple(names) if len(cells) <= len(_AXES) else default_names(functools.reduce(int.__mul__, cells))


def check_names(name: str, value: Any, count: int) -> tuple[str, ...]:
    """The names of so many players as a tuple, () for None; ValueError that names the argument.

    Args:
        name: of the argument.
        value: texts in a list, tuple, array or column index; two players may have one name.
        count: number of players.
    """
    if value is None:
        return ()
    is_several = isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | Set | Tracer)
    names = list(value) if is_several and getattr(value, "shape", (1,)) != () else [None]
    if not all(isinstance(each, str) for each in names):
        raise ValueError(f"{name} must be texts, one for each of {count} players; got {shown(value)}")
    if len(names) != count:
        raise ValueError(f"{name} must be one for each of {count} players, got {len(names)}")
    return tuple(map(str, names))


def fill_names(holder: Any, count: int, field: str = "player_names") -> None:
    """Give the names of a frozen dataclass's players the default where it has none; ValueError if they do not fit."""
    names = getattr(holder, field)
    if isinstance(names, tuple) and len(names) == count:
        return
    names = None if isinstance(names, tuple) and not names else names
    object.__setattr__(holder, field, check_names(field, names, count) or default_names(count))


def coalition_name(names: Sequence[str], players: Sequence[int], sign: str = " & ") -> str:
    """Players joined by a sign; where that gets long, the first ones and how many more. None are "nobody"."""
    members = [_in_one_line(names[player]) for player in players]
    if not members:
        return "nobody"
    name = ""
    for count in range(len(members), 0, -1):
        rest = [] if count == len(members) else [f"{len(members) - count} more"]
        name = sign.join([*members[:count], *rest])
        if len(name) <= _LONGEST:
            break
    return name


def table_of_coalitions(
    columns: Sequence[str], rows: Iterable[tuple[Sequence[str], Iterable[int]]], names: Sequence[str], total: int
) -> str:
    """Numbers and then the players of coalitions, a line each, in plain aligned text; how many of all, if not all.

    Args:
        columns: headings of the numbers.
        rows: of each coalition its numbers as texts, and its players.
        names: of all players.
        total: coalitions in all.
    """
    lines = [[*columns, "players"]]
    lines += [[*numbers, coalition_name(names, list(players))] for numbers, players in rows]
    widths = [max(8, *map(len, column)) for column in zip(*lines, strict=True)][:-1]
    texts = [
        "  ".join([*(f"{text:>{width}}" for text, width in zip(line, widths, strict=False)), line[-1]])
        for line in lines
    ]
    count = len(texts) - 1
    return "\n".join([*texts, f"the strongest {count} of {total}"] if count < total else texts)


def _in_one_line(name: str) -> str:
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name)


class _AllAlike:
    """Names as the structure of a pytree holds them: all alike, so that what is compiled for some serves all."""

    def __init__(self, names: tuple[str, ...]):
        self.names = names

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _AllAlike)

    def __hash__(self) -> int:
        return hash(_AllAlike)

    def __repr__(self) -> str:
        return "names"


def register_with_names(cls: type[T]) -> type[T]:
    """Register a dataclass with a `names_field` as a pytree, whose structure is the same whatever the names.

    Under jit, vmap and grad players have the default names, as those of an earlier call would be wrong.
    """
    fields = dataclasses.fields(cls)  # type: ignore[arg-type]
    named = next(field.name for field in fields if is_of_names(field))
    leaves = [field.name for field in fields if not field.metadata.get("static")]
    static = [field.name for field in fields if field.metadata.get("static") and field.name != named]

    def structure(holder: Any) -> tuple:
        return _AllAlike(getattr(holder, named)), *(getattr(holder, name) for name in static)

    def flatten(holder: Any) -> tuple[list[Any], tuple]:
        return [getattr(holder, name) for name in leaves], structure(holder)

    def flatten_with_keys(holder: Any) -> tuple[list[Any], tuple]:
        return [(GetAttrKey(name), getattr(holder, name)) for name in leaves], structure(holder)

    def unflatten(structure: tuple, children: Iterable[Any]) -> Any:
        children = list(children)
        names = structure[0].names
        if any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(children)):
            names = default_names(len(names))
        holder = object.__new__(cls)
        values = [*zip(leaves, children, strict=True), *zip(static, structure[1:], strict=True), (named, names)]
        holder.__dict__.update(values)
        return holder

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls
