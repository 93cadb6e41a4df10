"""Gradients of a pair's second difference over its contexts: their mean and spread, a few gradients at a time."""

import functools
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from interjax.games._coalitions import Draw, draw_coalitions
from interjax.games._game import Game

_CONTEXT_STREAM = 1


def contexts_of_pairs(
    key: Array, pairs: np.ndarray, cells: np.ndarray, n_players: int, batch: int
) -> Iterator[np.ndarray]:
    """The contexts of each pair in turn, bool (orders, contexts, n), padded to whole batches."""
    most = int(cells[:, 1].max())
    draws = (
        Draw(order, order, count, int(i * n_players + j) * most, np.tile((i, j), (count, 1)))
        for i, j in pairs
        for order, count in cells.tolist()
    )
    drawn = draw_coalitions(jax.random.fold_in(key, _CONTEXT_STREAM), n_players, draws)
    for _ in pairs:
        contexts = np.zeros((len(cells), -(-most // batch) * batch, n_players), bool)
        for row, found in zip(contexts, itertools.islice(drawn, len(cells)), strict=True):
            row[: len(found)] = found
        yield contexts


@functools.partial(jax.jit, static_argnames=("is_trained", "batch"))
def moments_of_pair(
    game: Game, pair: Array, contexts: Array, counts: Array, *, is_trained: tuple[bool, ...], batch: int
) -> Array:
    """For each order: sum |g - mean g|^2, |mean g|^2 and how many g are not finite, (3, orders).

    Args:
        game: the game of a network and an input.
        pair: the players i, j.
        contexts: bool (orders, contexts, n), whole batches.
        counts: int (orders,), how many of them count.
        is_trained: which leaves of the weights are differentiated.
        batch: contexts whose gradients are computed at once.
    """
    leaves, structure = jax.tree.flatten(game.params.weights)
    trained = [leaf for leaf, takes in zip(leaves, is_trained, strict=True) if takes]
    measured = jax.nn.one_hot(pair, game.n_players, dtype=bool)
    added = jnp.stack([jnp.zeros(game.n_players, bool), measured[0], measured[1], measured.any(axis=0)])

    def second_difference(trained: list[Array], context: Array) -> Array:
        given = iter(trained)
        joined = [next(given) if takes else leaf for leaf, takes in zip(leaves, is_trained, strict=True)]
        masked = game.params._replace(weights=jax.tree.unflatten(structure, joined))
        values = game.value(masked, added | context[None])
        return values[3] - values[1] - values[2] + values[0]

    gradients = jax.vmap(jax.grad(second_difference), in_axes=(None, 0))

    def of_order(cell: tuple[Array, Array]) -> Array:
        contexts, count = cell

        def add(step: Array, sums: _Sums) -> _Sums:
            some = lax.dynamic_slice_in_dim(contexts, step * batch, batch)
            is_counted = step * batch + jnp.arange(batch) < count
            return sums.add(gradients(trained, some), is_counted, step == 0)

        return lax.fori_loop(0, -(-count // batch), add, _Sums.zeros(trained)).moments(count)

    return lax.map(of_order, (contexts, counts)).T


class _Sums(NamedTuple):
    """Running sums of gradients less the first of them: a variance that is small beside the mean keeps its digits."""

    first: list[Array]
    total: list[Array]
    squares: Array
    n_nonfinite: Array

    @classmethod
    def zeros(cls, like: list[Array]) -> "_Sums":
        zeros = [jnp.zeros(leaf.shape, jnp.promote_types(leaf.dtype, jnp.float32)) for leaf in like]
        return cls(zeros, zeros, jnp.zeros((), jnp.result_type(*zeros)), jnp.int32(0))

    def add(self, gradients: list[Array], is_counted: Array, is_start: Array) -> "_Sums":
        """Add those of a batch of gradients that count."""
        first, total, squares = [], [], jnp.zeros(is_counted.shape, self.squares.dtype)
        for before, found, gradient in zip(self.first, self.total, gradients, strict=True):
            gradient = gradient.astype(before.dtype)
            start = jnp.where(is_start, jnp.where(jnp.isfinite(gradient[0]), gradient[0], 0.0), before)
            counted = is_counted.reshape(-1, *(1,) * start.ndim)
            deviation = jnp.where(counted, gradient - start[None], 0.0)
            first.append(start)
            total.append(functools.reduce(jnp.add, list(deviation), found))  # XLA:CPU sums a leading axis slowly
            squares += jnp.sum(deviation**2, axis=range(1, deviation.ndim))
        n_nonfinite = self.n_nonfinite + jnp.sum(~jnp.isfinite(squares), dtype=jnp.int32)
        return _Sums(first, total, self.squares + squares.sum(), n_nonfinite)

    def moments(self, count: Array) -> Array:
        spread = self.squares - _squared_norm(self.total) / count
        mean = [first + total / count for first, total in zip(self.first, self.total, strict=True)]
        return jnp.stack([spread, _squared_norm(mean), self.n_nonfinite.astype(spread.dtype)])


def _squared_norm(leaves: list[Array]) -> Array:
    return functools.reduce(jnp.add, [jnp.sum(leaf**2) for leaf in leaves])
