"""Coalitions as boolean masks: all of them, and uniform draws of a given size made inside jit. Pure combinatorics."""

import dataclasses
import functools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from interjax._core._checks import as_array, check_count, check_lengths

# Contexts are drawn in batches of one of these lengths, so that a run compiles the sampler at most twice.
_DRAW_LENGTHS = (128, 2048)
_MOST_WAITING = 256  # wishes that are drawn together
_DRAWS_IN_CACHE = 64
_MOST_ABSENT = 3


def coalitions_from_index(index: Int[Array, " batch"], n_players: int) -> Bool[Array, "batch n"]:
    """Masks of the coalitions with these table indices: bit i of the index = player i. Traceable."""
    return (index[:, None] >> jnp.arange(n_players, dtype=index.dtype)[None, :]) & 1 == 1


def players_in(index: int) -> tuple[int, ...]:
    """The players of a coalition given by its index.

    Args:
        index: place of the coalition in a table of 2**n values; bit i = player i.

    Returns:
        Player numbers in ascending order.

    Raises:
        ValueError: if the index is no integer of at least 0.

    Example:
        >>> players_in(0b1101)
        (0, 2, 3)
    """
    index = check_count("index", index, least=0, about="a place in a table")
    return tuple(player for player in range(int(index).bit_length()) if index >> player & 1)


def check_masks(masks: Any, n_players: int) -> Any:
    """Masks (batch, n) of bools, as an array if they came as lists; ValueError if they are none."""
    wanted = f"booleans of shape (batch, {n_players}), True = present"
    masks = as_array("masks", masks, wanted)
    if masks.ndim != 2 or masks.shape[1] != n_players or masks.dtype != bool:
        raise ValueError(f"masks must be {wanted}; got {masks.dtype} of shape {masks.shape}")
    return masks


def draw_coalition(key: Array, size: Int[Array, ""], excluded: Bool[Array, " n"]) -> Bool[Array, " n"]:
    """Draw one coalition uniformly among those of `size` players outside `excluded`. Traceable in `size`.

    Every player gets a random integer key; the players with the `size` smallest keys are taken. The threshold is
    found by interpolation between counts of smaller keys, about eight rounds, which vectorises better than a sort.
    The lowest bits hold the player's number, so keys never tie and the size is exact; the remaining (at least 21)
    bits decide all but a share n / 2^21 of draws.
    """
    keys = _distinct_keys(key, excluded)
    return keys < _threshold(keys, size, jnp.sum(~excluded, dtype=jnp.int32))


def draw_nested(key: Array, n_players: int, sizes: Int[Array, " sizes"]) -> Bool[Array, "sizes n"]:
    """The first players of one uniform permutation, as many as each size says: coalitions inside each other."""
    keys = _distinct_keys(key, jnp.zeros(n_players, bool))
    return jax.vmap(lambda size: keys < _threshold(keys, size, jnp.int32(n_players)))(sizes)


def _distinct_keys(key: Array, excluded: Bool[Array, " n"]) -> Array:
    """A random number below 2^31 for each player, no two the same; 2^32 - 1 for the excluded ones."""
    n_players = excluded.shape[0]
    index_bits = max(1, (n_players - 1).bit_length())
    random_bits = jax.random.bits(key, (n_players,), jnp.uint32) >> (index_bits + 1)
    players = jnp.arange(n_players, dtype=jnp.uint32)
    return jnp.where(excluded, jnp.uint32(2**32 - 1), (random_bits << index_bits) | players)


def _threshold(keys: Array, size: Array, count: Array) -> Array:
    """A number that `size` of the `count` distinct keys below 2^31 are smaller than."""

    def is_open(state: tuple) -> Array:
        (low, _), (high, _), (_, below), _ = state
        return (below != size) & (high - low > 1)

    def narrow(state: tuple) -> tuple:
        low, high, middle, rounds = state
        enough = middle[1] > size
        low = jax.tree.map(functools.partial(jnp.where, enough), low, middle)
        high = jax.tree.map(functools.partial(jnp.where, enough), middle, high)
        share = (size - low[1] + 0.5) / (high[1] - low[1] + 1)
        step = (jnp.where(rounds % 4 == 3, 0.5, share) * (high[0] - low[0])).astype(jnp.uint32)
        place = low[0] + jnp.clip(step, 1, jnp.maximum(high[0] - low[0], 2) - 1)
        return low, high, (place, jnp.sum(keys < place, dtype=jnp.int32)), rounds + 1

    low, high = (jnp.uint32(0), jnp.int32(0)), (jnp.uint32(2**31), count)
    first = jax.tree.map(functools.partial(jnp.where, size >= count), high, low)
    return jax.lax.while_loop(is_open, narrow, (low, high, first, 0))[2][0]


@dataclasses.dataclass(frozen=True)
class Draw:
    """A wish for `count` coalitions of one size; draw number t depends on the key, `stream` and `first` + t alone.

    Attributes:
        stream: number of an independent stream of draws.
        size: players in each coalition, 0..n less the excluded ones.
        count: number of coalitions.
        first: number of the first draw, so that a long list can be made in pieces.
        absent: (count, k <= 3) players never drawn into coalition t; None excludes nobody.
    """

    stream: int
    size: int
    count: int
    first: int = 0
    absent: np.ndarray | None = None


def draw_coalitions(key: Array, n_players: int, draws: Iterable[Draw]) -> Iterator[np.ndarray]:
    """Independent uniform coalitions for each wish in turn, bool (count, n); wishes are drawn together in batches."""
    waiting: list[Draw] = []
    for draw in draws:
        waiting.append(draw)
        if len(waiting) >= _MOST_WAITING or sum(one.count for one in waiting) >= _DRAW_LENGTHS[-1]:
            yield from _draw_together(key, n_players, waiting)
            waiting = []
    yield from _draw_together(key, n_players, waiting)


def _draw_together(key: Array, n_players: int, draws: list[Draw]) -> Iterator[np.ndarray]:
    total = sum(draw.count for draw in draws)
    counts = [draw.count for draw in draws]
    streams = np.repeat([draw.stream for draw in draws], counts).astype(np.int32)
    numbers = np.concatenate([np.arange(draw.first, draw.first + draw.count) for draw in draws] or [[]]).astype(
        np.int32
    )
    sizes = np.repeat([draw.size for draw in draws], counts).astype(np.int32)
    absent = np.full((total, _MOST_ABSENT), -1, np.int32)
    for draw, stop in zip(draws, np.cumsum(counts), strict=True):
        if draw.absent is not None:
            absent[stop - draw.count : stop, : draw.absent.shape[1]] = draw.absent
    length = next((x for x in _DRAW_LENGTHS if total <= x), _DRAW_LENGTHS[-1])
    batches = []
    for start in range(0, total, length):
        part = slice(start, start + length)
        spare = ((0, length - len(sizes[part])),)
        columns = [np.pad(column[part], spare) for column in (streams, numbers, sizes)]
        batches.append(_draw_batch(key, *columns, np.pad(absent[part], (*spare, (0, 0))), n_players=n_players))
    drawn = np.concatenate([np.asarray(batch) for batch in batches]) if batches else np.zeros((0, n_players), bool)
    for draw, stop in zip(draws, np.cumsum(counts), strict=True):
        yield drawn[stop - draw.count : stop]


@functools.partial(jax.jit, static_argnames="n_players")
def _draw_batch(key: Array, stream: Array, number: Array, size: Array, absent: Array, *, n_players: int) -> Array:
    def draw(stream: Array, number: Array, size: Array, absent: Array) -> Array:
        own = jax.random.fold_in(jax.random.fold_in(key, stream), number)
        return draw_coalition(own, size, jnp.any(absent[:, None] == jnp.arange(n_players)[None, :], axis=0))

    def in_cache(*wishes: Array) -> Array:  # every round of a draw reads all its keys
        return jax.lax.map(lambda wish: draw(*wish), wishes, batch_size=_DRAWS_IN_CACHE)

    return jax.lax.platform_dependent(stream, number, size, absent, cpu=in_cache, default=jax.vmap(draw))


def all_of_size(n_players: int, size: int) -> np.ndarray:
    """All coalitions of one size as sorted player numbers, lexicographic: int32 (C(n, size), size)."""
    if size == 1:
        return np.arange(n_players, dtype=np.int32)[:, None]
    if size == 2:
        return np.stack(np.triu_indices(n_players, 1), axis=1).astype(np.int32)
    heads = all_of_size(n_players, size - 1)
    tails = n_players - 1 - heads[:, -1]
    repeated = np.repeat(heads, tails, axis=0)
    starts = np.repeat(np.cumsum(tails) - tails, tails)
    last = np.arange(len(repeated)) - starts + repeated[:, -1] + 1
    return np.concatenate([repeated, last[:, None]], axis=1).astype(np.int32)


def masks_of_size(n_players: int, size: int) -> np.ndarray:
    """All coalitions of one size as masks: bool (C(n, size), n)."""
    if 2 * size > n_players:  # listed by their complements, whose lists of players are short
        return ~masks_of_size(n_players, n_players - size)
    masks = np.zeros((math.comb(n_players, size), n_players), bool)
    if size:
        np.put_along_axis(masks, all_of_size(n_players, size), True, axis=1)
    return masks


def pairs_within(grid: tuple[int, ...], radius: int) -> np.ndarray:
    """Pairs of grid cells at most `radius` apart along every axis (Chebyshev distance), each pair once.

    Args:
        grid: number of cells along each axis, e.g. (16, 16); player numbers run in C order.
        radius: largest distance along any axis, at least 1.

    Returns:
        int32 (pairs, 2), i < j.

    Raises:
        ValueError: if the grid is empty or the radius below 1.

    Example:
        >>> import interjax as ij
        >>> ij.pairs_within((2, 2), 1).tolist()
        [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), released code: partners j within radius 2 of i.
    """
    grid = check_lengths("grid", grid, "the number of cells along each axis")
    radius = check_count("radius", radius)
    cells = np.stack(np.unravel_index(np.arange(math.prod(grid)), grid), axis=1)
    offsets = np.stack(np.meshgrid(*[np.arange(-radius, radius + 1)] * len(grid), indexing="ij"), -1)
    offsets = offsets.reshape(-1, len(grid))
    partners = cells[:, None, :] + offsets[None]
    inside = np.all((partners >= 0) & (partners < np.array(grid)), axis=-1)
    first = np.broadcast_to(np.arange(len(cells))[:, None], inside.shape)[inside]
    second = np.asarray(np.ravel_multi_index(tuple(partners[inside].T), grid))
    ordered = first < second
    pairs = np.stack([first[ordered], second[ordered]], axis=1)
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))].astype(np.int32)
