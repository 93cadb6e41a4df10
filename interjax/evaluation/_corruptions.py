"""Destroyed structure: occluded cells or columns, and shuffled patches, drawn anew for each example."""

import functools
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from interjax._core._checks import check_array, check_count, check_number, check_several
from interjax._core._keys import check_key, example_keys
from interjax.datasets._dataset import Dataset
from interjax.datasets._examples import Data, TreeExamples
from interjax.evaluation._arguments import index_of
from interjax.games._apply import is_several, row_of, shown_shapes
from interjax.games._baselines import Marginal
from interjax.games._batches import absent_of, as_input, at_rows, like_batch, players_of, rows_of
from interjax.games._players import Players
from interjax.games._tree_players import TreePlayers

OCCLUDED_SHARES = (0.25, 0.5)
OCCLUSION_GRIDS = (8, 7, 4)
SHUFFLE_GRIDS = (2, 4, 7, 8, 14)


def occlude(
    key: Array,
    x: Any,
    players: Any,
    share: float,
    *,
    baseline: Any = 0.0,
    index: Int[Array, " batch"] | None = None,
) -> Any:
    """Replace a random set of round(share * n) of the n players of each input by the baseline.

    One permutation of the players is drawn for each example and its first ones are replaced, so that the same key
    with a larger share occludes those of the smaller one and more.

    Args:
        key: `jax.random.key`. Example b's players depend on the key and index[b] alone.
        x: inputs; or several arrays in dicts, tuples and lists, each of one row an input.
        players: `Players.grid(shape, grid)` for the cells of images, `Players.segments(player_labels)` for the
            columns of tables; of several arrays, those of each by its name, as for `ij.masked_game`.
        share: of the players, in (0, 1).
        baseline: what replaces them: a number or an array of one input's shape, in the units of x; of several arrays
            also one of these for each.
        index: numbers of the examples; 0, 1, ... by default.

    Returns:
        Inputs of the same shape.

    Raises:
        ValueError: no key, a share that occludes no player or all, or a baseline or players of another shape.

    Example:
        >>> x = jnp.ones((3, 4, 4, 1))
        >>> occlude(jax.random.key(0), x, Players.grid((4, 4, 1), 2), 0.25).sum(axis=(1, 2, 3)).tolist()
        [12.0, 12.0, 12.0]
    """
    check_key(key, traced=True)
    x = _as_examples(x) if isinstance(players, Players) and not is_several(x) else as_input(x, players)
    if not rows_of(x, "x"):
        raise ValueError(f"x must be inputs (inputs, *shape), at least one; got shapes {shown_shapes(x)}")
    partition = players_of(players, row_of(x), "each input of x")
    baseline = _check_baseline(baseline, row_of(x), partition)
    count = _occluded_count("share", partition, share)
    keys = example_keys(key, index_of(index, jax.tree.leaves(x)[0]))
    return _occlude(partition, x, _random_orders(keys, partition.n), count, baseline)


def shuffle_patches(
    key: Array, x: Float[Array, "batch height width *channels"], grid: int, *, index: Int[Array, " batch"] | None = None
) -> Float[Array, "batch height width *channels"]:
    """Put the grid x grid cells of each image in a random order; their content stays as it is.

    Args:
        key: `jax.random.key`. Example b's order depends on the key and index[b] alone.
        x: images.
        grid: cells along each side, at least 2, a divisor of both sides; more cells destroy finer structure.
        index: numbers of the examples; 0, 1, ... by default.

    Returns:
        Images of the same shape.

    Raises:
        ValueError: no key, a grid that does not divide the sides, or inputs without two sides.

    Example:
        >>> x = jnp.arange(16.0).reshape(1, 4, 4, 1)
        >>> shuffle_patches(jax.random.key(1), x, 2)[0, :, :, 0].astype(int).tolist()
        [[10, 11, 2, 3], [14, 15, 6, 7], [0, 1, 8, 9], [4, 5, 12, 13]]
    """
    check_key(key, traced=True)
    x = _as_examples(x)
    _check_shuffle("grid", x.shape[1:], grid)
    keys = example_keys(key, index_of(index, x))
    return _shuffle(int(grid), x, _random_orders(keys, int(grid) ** 2))


def _as_examples(x: Any) -> Array:
    x = jnp.asarray(check_array("x", x, "inputs (inputs, *shape), real numbers"))
    if x.ndim < 2 or not len(x):
        raise ValueError(f"x must be inputs (inputs, *shape), at least one; got shape {x.shape}")
    return x


def occlusions(
    key: Array, data: Data, shares: Sequence[float] | None, grid: int | None, baseline: Any, players: Any = None
) -> dict[str, Callable[..., Any]]:
    """By name, functions of the keywords x and index -> occluded x, with the defaults of `evaluate`."""
    players = _cells(data, shares, grid) if players is None else _given(players, data, grid)
    if players is None:
        return {}
    like = row_of(like_batch(data.test_x, 1))
    partition = players_of(players, like, "each input of data")
    _check_baseline(baseline, like, partition)
    if shares is None:
        shares = [share for share in OCCLUDED_SHARES if 0 < round(share * partition.n) < partition.n]
    for share in check_several("occlusions", shares):
        _occluded_count("each of occlusions", partition, share)

    def change(share: float, *, x: Any, index: Array, **_: Any) -> Any:
        return occlude(key, x, players, share, baseline=baseline, index=index)

    return {f"{100 * share:g}% occluded": functools.partial(change, share) for share in shares}


def _given(players: Any, data: Data, grid: int | None) -> Any:
    """The user's players, which are those of the data's inputs."""
    if grid is not None:
        raise ValueError("occlusion_grid must be left out where players are given: these are occluded")
    as_input(at_rows(data.test_x, slice(0, 1)), players, "inputs of data")
    return players


def _cells(data: Data, shares: Sequence[float] | None, grid: int | None) -> Players | None:
    """The columns or cells of an input; None, with a warning, for several arrays."""
    if isinstance(data, TreeExamples):
        if grid is not None or (shares is not None and check_several("occlusions", shares)):
            raise ValueError(
                f"{'occlusions' if grid is None else 'occlusion_grid'} must be left out for inputs of several arrays, "
                'unless players name the parts that are occluded, {"tokens": ij.Players.tokens(12)}'
            )
        if shares is None:
            warnings.warn(
                "nothing is occluded, as inputs are several arrays: give players, of those arrays whose parts are to "
                "be occluded, or occlusions=()",
                stacklevel=4,
            )
        return None
    shape = data.input_shape
    if data.is_image:
        if grid is None:
            grid = next((usual for usual in OCCLUSION_GRIDS if math.gcd(*shape[:2]) % usual == 0), None)
        if grid is None and shares:
            raise ValueError(
                f"occlusion_grid must be given for images of shape {shape}, whose sides none of {OCCLUSION_GRIDS} "
                "divides"
            )
        return Players.grid(shape, 1 if grid is None else check_count("occlusion_grid", grid))
    if grid is not None:
        raise ValueError(
            f"occlusion_grid must be left out for {data.name}, which holds no images: its columns are occluded"
        )
    return Players.each(shape) if data.player_labels is None else Players.segments(data.player_labels)


def shuffles(key: Array, data: Data, grids: Sequence[int] | None) -> dict[str, Callable[..., Array]]:
    """By name, functions of the keywords x and index -> shuffled x, with the defaults of `evaluate`."""
    if not data.is_image:
        if grids is not None and check_several("shuffles", grids):
            raise ValueError(
                f"shuffles must be left out for {data.name}, which holds no images whose patches could be shuffled"
            )
        return {}
    assert isinstance(data, Dataset)
    sides = data.input_shape[:2]
    if grids is None:
        grids = [grid for grid in SHUFFLE_GRIDS if math.gcd(*sides) % grid == 0 and min(sides) // grid >= 2]
    for grid in check_several("shuffles", grids):
        _check_shuffle("each of shuffles", data.input_shape, grid)

    def change(grid: int, *, x: Array, index: Array, **_: Any) -> Array:
        return shuffle_patches(key, x, grid, index=index)

    return {f"{grid}x{grid} shuffled": functools.partial(change, grid) for grid in grids}


def _occluded_count(name: str, players: Players | TreePlayers, share: float) -> int:
    """round(share * n); raises ValueError if the share is out of range or leaves nothing to occlude or to see."""
    check_number(name, share, "(0, 1)", about="of cells or columns")
    count = round(share * players.n)
    if not 0 < count < players.n:
        raise ValueError(
            f"{name} must hide at least one of {players.n} cells or columns and leave at least one; got "
            f"{share}, {count} of them: give another share, or another grid"
        )
    return count


def _check_baseline(baseline: Any, x: Any, players: Players | TreePlayers) -> Any:
    """The baseline in the form of one input; raises ValueError if it is none."""
    if isinstance(baseline, Marginal):
        raise ValueError(
            "baseline must be one for occlusions, a number or an array of an input's shape; got ij.marginal(...)"
        )
    return absent_of(players, baseline, x)


def _check_shuffle(name: str, shape: tuple[int, ...], grid: int) -> None:
    """Raises ValueError if images of this shape have no such grid of equal cells."""
    if len(shape) < 2:
        raise ValueError(f"x must be images (height, width, channels) to cut patches from, got inputs of shape {shape}")
    common = math.gcd(*shape[:2])
    if check_count(name, grid, about="cells along a side") < 2 or common % grid:
        possible = [each for each in range(2, common + 1) if common % each == 0]
        raise ValueError(
            f"{name} must divide both sides of images of {shape[0]} x {shape[1]} pixels "
            f"({', '.join(map(str, possible)) or 'none does'}), got {grid}"
        )


@functools.partial(jax.jit, static_argnums=0)
def _occlude(players: Players | TreePlayers, x: Any, order: Array, count: int, baseline: Any) -> Any:
    return players.replace(order >= count, x, baseline)


@functools.partial(jax.jit, static_argnums=0)
def _shuffle(grid: int, x: Array, order: Array) -> Array:
    batch, height, width, *channels = x.shape
    cells = x.reshape(batch, grid, height // grid, grid, width // grid, *channels).swapaxes(2, 3)
    patches = cells.reshape(batch, grid * grid, *cells.shape[3:])
    shuffled = jax.vmap(lambda image, places: image[places])(patches, order)
    return shuffled.reshape(cells.shape).swapaxes(2, 3).reshape(x.shape)


# The draws are compiled apart from what is done with them: random bits are what takes long to compile.
@functools.partial(jax.jit, static_argnums=1)
def _random_orders(keys: Array, n: int) -> Int[Array, "batch n"]:
    """A permutation of 0..n-1 from each key."""
    return jnp.argsort(jax.vmap(lambda key: jax.random.bits(key, (n,)))(keys), axis=1)
