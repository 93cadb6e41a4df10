"""Players: which entries of an input belong together, and how the absent ones are filled from a baseline."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from interjax._core._checks import as_array, as_int, check_array, check_count, check_is, check_known, check_lengths
from interjax._core._names import cell_names, check_names, fill_names, names_field
from interjax.games._coalitions import check_masks


@dataclasses.dataclass(frozen=True, eq=False)
class Players:
    """A partition of an input's entries among n players, made by `each`, `grid`, `features`, `tokens` or `segments`.

    Attributes:
        labels: int (*input shape), the player of each entry, 0..n-1; -1 = always present.
        n: number of players.
        cells: cells along the leading axes, or those of `grid(axes=)`, if the players form a regular grid, else None.
        names: a name for each player, by which tables and plots show it: those given; else "r2c3" for the cell of row 2
            and column 3, counted from 0, of a grid along several axes; else "player 3". Partitions that differ by names
            alone are equal.

    Example:
        >>> import interjax as ij
        >>> ij.Players.grid((4, 4, 3), (2, 2)).n
        4
        >>> ij.Players.segments([0, 0, 1, -1]).spread(np.array([[True, False]])).tolist()
        [[True, True, False, True]]
        >>> ij.Players.features(2, names=["age", "sex"]).names
        ('age', 'sex')
    """

    labels: np.ndarray
    n: int
    cells: tuple[int, ...] | None = None
    names: tuple[str, ...] = names_field(default=())

    def __post_init__(self) -> None:
        if not self.names and self.cells is not None and len(self.cells) > 1:
            object.__setattr__(self, "names", cell_names(self.cells))
        fill_names(self, self.n, "names")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.labels.shape

    @classmethod
    def each(cls, shape: int | tuple[int, ...], names: Sequence[str] | None = None) -> "Players":
        """Every entry of an input of this shape is a player of its own (channels too; `grid` keeps them together)."""
        shape, n = _as_shape(shape), math.prod(_as_shape(shape))
        return cls(np.arange(n, dtype=np.int32).reshape(shape), n, shape, check_names("names", names, n))

    @classmethod
    def grid(
        cls,
        shape: tuple[int, ...],
        cells: int | tuple[int, ...],
        *,
        axes: tuple[int, ...] | None = None,
        names: Sequence[str] | None = None,
    ) -> "Players":
        """Rectangular cells along some axes, by default the leading ones; along others (channels) all stay together.

        Args:
            shape: shape of one input, e.g. (32, 32, 3).
            cells: number of cells along each leading axis, e.g. (16, 16); an int means that many along the first
                two axes (one, if the input has one axis). Lengths that do not divide give cells that differ by one.
            axes: the axes that the cells run along, such as (1, 2) for channels-first images (3, 32, 32).
            names: a name for each cell, in reading order.

        Raises:
            ValueError: if there are more cells than entries along an axis, more axes than the input has, or not one
                name for each cell.
        """
        shape = _as_shape(shape)
        if axes is not None:
            return cls._along(shape, cells, axes, names)
        is_single = np.ndim(cells) == 0 if hasattr(cells, "shape") else isinstance(cells, int)
        cells = check_lengths("cells", cells, "numbers of cells along the leading axes")
        if is_single:
            cells = cells * min(2, len(shape))
        if not 1 <= len(cells) <= len(shape):
            raise ValueError(
                f"cells must name 1 to {len(shape)} leading axes of an input of shape {shape}, got {cells}"
            )
        for axis, (count, length) in enumerate(zip(cells, shape, strict=False)):
            if not 1 <= count <= length:
                raise ValueError(f"cells along axis {axis} must be from 1 to its {length} entries, got {count}")
        label = np.zeros(shape, np.int32)
        for axis, (count, length) in enumerate(zip(cells, shape, strict=False)):
            place = np.arange(length) * count // length
            label = label * count + place.reshape((-1,) + (1,) * (len(shape) - axis - 1))
        return cls(label.astype(np.int32), math.prod(cells), cells, check_names("names", names, math.prod(cells)))

    @classmethod
    def _along(cls, shape: tuple[int, ...], cells: Any, axes: Any, names: Any) -> "Players":
        """The grid of the input whose axes are moved to the front, moved back."""
        chosen = [as_int(axis) for axis in axes] if isinstance(axes, Sequence | np.ndarray) else [as_int(axes)]
        if any(axis is None or not -len(shape) <= axis < len(shape) for axis in chosen):
            raise ValueError(f"axes must be numbers of the {len(shape)} axes of an input of shape {shape}, got {axes}")
        front = [axis % len(shape) for axis in chosen if axis is not None]
        if len(set(front)) < len(front):
            raise ValueError(f"axes must be distinct, got {axes}")
        cells = tuple(np.broadcast_to(cells, len(front)).tolist()) if np.ndim(cells) == 0 else cells
        if len(cells) != len(front):
            raise ValueError(f"cells must be one number for each of the axes {axes}, got {cells}")
        rest = [axis for axis in range(len(shape)) if axis not in front]
        moved = cls.grid(tuple(shape[axis] for axis in (*front, *rest)), cells, names=names)
        labels = np.moveaxis(moved.labels, range(len(front)), front)
        return cls(labels, moved.n, moved.cells, moved.names)

    @classmethod
    def features(cls, n: int, names: Sequence[str] | None = None) -> "Players":
        """The n columns of a feature vector, each a player, by their names if these are given."""
        return cls.each((check_count("n", n),), names)

    @classmethod
    def tokens(cls, length: int, *embedding: int, names: Sequence[str] | None = None) -> "Players":
        """The positions of a sequence of token ids (length,) or of embedded tokens (length, width); names are words."""
        length = check_count("length", length)
        return cls.grid((length, *embedding), (length,), names=names)

    @classmethod
    def segments(cls, labels: Any, names: Sequence[str] | None = None) -> "Players":
        """An arbitrary partition, from a map of labels or from one boolean mask a player.

        Args:
            labels: either integers of the input's shape, entry = its player (0..n-1, each occurring) or -1 for an
                entry that is always present; or booleans (n, *input shape), row i = the entries of player i.
            names: a name for each player.

        Raises:
            ValueError: for an empty player, overlapping masks, labels that are not integers from -1 on, or not one name
                for each player.
        """
        check_known("labels", labels)
        labels = np.asarray(as_array("labels", labels, "player numbers or boolean masks"))
        if labels.size == 0 or labels.ndim == 0:
            raise ValueError(f"labels must be an array with at least one entry, got shape {labels.shape}")
        if labels.dtype == bool:
            labels = _labels_from_masks(labels)
        if not np.issubdtype(labels.dtype, np.integer):
            raise ValueError(f"labels must be integers (player numbers) or boolean masks, got {labels.dtype}")
        if labels.min() < -1:
            raise ValueError(f"labels must be player numbers from 0 on, or -1 for always present; got {labels.min()}")
        n = int(labels.max()) + 1
        if n > labels.size:
            raise ValueError(
                f"labels must give every player at least one entry: they run to {n - 1}, and of {labels.size} entries "
                "some players never occur; number the players 0..n-1 without gaps"
            )
        empty = np.setdiff1d(np.arange(n), labels)
        if n < 1 or empty.size:
            raise ValueError(
                f"labels must give every player at least one entry: they run to {n - 1} but {empty[:5].tolist()} "
                "never occur; number the players 0..n-1 without gaps"
            )
        return cls(labels.astype(np.int32), n, None, check_names("names", names, n))

    def spread(self, masks: Bool[Array, "batch n"]) -> Bool[Array, "batch *shape"]:
        """Masks over players -> masks over input entries: spread(S)[b, e] = S[b, labels[e]], True where labels = -1."""
        masks = check_masks(masks, self.n)
        batch = masks.shape[0]
        if self.cells is None or not self._are_leading:
            if np.any(self.labels < 0):  # one more column: the entries that are always present
                masks = jnp.concatenate([masks, jnp.ones((batch, 1), bool)], axis=1)
            return masks[:, self.labels]
        lengths = self.shape[: len(self.cells)]
        if all(length % count == 0 for length, count in zip(lengths, self.cells, strict=True)):
            return _repeat_cells(masks, self.shape, self.cells)
        spread = masks.reshape(batch, *self.cells)
        for axis, (length, count) in enumerate(zip(lengths, self.cells, strict=True)):
            spread = jnp.take(spread, np.arange(length) * count // length, axis=axis + 1)
        trailing = self.shape[len(self.cells) :]
        spread = spread.reshape(*spread.shape, *(1,) * len(trailing))
        return jnp.broadcast_to(spread, (batch, *self.shape))

    def fill(self, masks: Bool[Array, "batch n"], x: Array, baseline: Array) -> Array:
        """Inputs in which the players absent from each mask are replaced by the baseline: (batch, *shape)."""
        if np.ndim(check_array("x", x, f"real numbers of the input's shape {self.shape}")) == 0 and self.shape:
            raise ValueError(f"x must have the input's shape {self.shape}, got one number")
        x, baseline = self._entries("x", x), self._entries("baseline", baseline)
        return jnp.where(self.spread(masks), x[None], baseline[None])

    def replace(self, masks: Bool[Array, "batch n"], inputs: Array, baseline: Array) -> Array:
        """Inputs (batch, *shape), each without the players absent from its mask."""
        return jnp.where(self.spread(masks), inputs, baseline[None])

    def _entries(self, name: str, value: Any) -> Any:
        """Real numbers that broadcast to the input's shape."""
        array = jnp.asarray(check_array(name, value, f"real numbers of the input's shape {self.shape}"))
        try:
            return jnp.broadcast_to(array, self.shape)
        except ValueError:
            raise ValueError(f"{name} must have the input's shape {self.shape}, got {array.shape}") from None

    def without_entries(self, chosen: np.ndarray) -> np.ndarray:
        """Players that own none of the chosen entries (bool, of the input's shape): bool (n,)."""
        chosen = as_array("chosen", chosen, f"booleans of the input's shape {self.shape}")
        if chosen.shape != self.shape or chosen.dtype != bool:
            raise ValueError(
                f"chosen must be booleans of the input's shape {self.shape}, got {chosen.dtype} of {chosen.shape}"
            )
        return np.bincount(self.labels[chosen & (self.labels >= 0)], minlength=self.n) == 0

    @functools.cached_property
    def digest(self) -> str:
        """A digest of the labels: equal partitions have equal digests."""
        return hashlib.sha256(np.ascontiguousarray(self.labels).tobytes()).hexdigest()

    @functools.cached_property
    def _identity(self) -> tuple:
        return self.shape, self.n, self.cells, self.digest

    @functools.cached_property
    def _are_leading(self) -> bool:
        """Whether the cells run along the leading axes."""
        if self.cells is None or any(count > length for count, length in zip(self.cells, self.shape, strict=False)):
            return False
        return np.array_equal(type(self).grid(self.shape, self.cells).labels, self.labels)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Players) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)


def _repeat_cells(masks: Array, shape: tuple[int, ...], cells: tuple[int, ...]) -> Array:
    """Broadcast a mask over equal cells: one reshape, no gather."""
    narrow, wide = [], []
    for length, count in zip(shape, cells, strict=False):
        narrow += [count, 1]
        wide += [count, length // count]
    trailing = shape[len(cells) :]
    batch = masks.shape[0]
    masks = masks.reshape(batch, *narrow, *(1,) * len(trailing))
    return jnp.broadcast_to(masks, (batch, *wide, *trailing)).reshape(batch, *shape)


def _labels_from_masks(masks: np.ndarray) -> np.ndarray:
    if masks.ndim < 2:
        raise ValueError(f"labels must be boolean masks (n_players, *input shape), got shape {masks.shape}")
    entries = masks.reshape(masks.shape[0], -1)
    empty = np.flatnonzero(~entries.any(axis=1))
    if empty.size:
        raise ValueError(f"labels leave players {empty[:5].tolist()} with no entry; remove them or give them one")
    owners = entries.sum(axis=0)
    if owners.max() > 1:
        shared = entries[:, np.argmax(owners)]
        raise ValueError(
            f"labels must not overlap: {int((owners > 1).sum())} entries belong to several players, "
            f"e.g. to players {np.flatnonzero(shared)[:5].tolist()}"
        )
    return np.where(owners > 0, entries.argmax(axis=0), -1).reshape(masks.shape[1:])


def _as_shape(shape: int | tuple[int, ...]) -> tuple[int, ...]:
    return check_lengths("shape", shape, "that of an input, with at least one axis and no empty one")


def check_players(players: Any) -> None:
    """Raise ValueError unless they are `Players`."""
    check_is("players", players, Players, "ij.Players, such as ij.Players.features(4) or ij.Players.grid(shape, cells)")
