"""The value of a masked network, and the cheaper form that it has where the first layer folds."""

import dataclasses
import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from interjax._folding import context_hidden, player_contributions, row_hidden, saves_work
from interjax._models import Apply
from interjax._players import Marginal, Players
from interjax._tracing import Split, split_first_layer

_FOLDING_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class MaskedNetwork:
    """Value of a masked input: params are (weights, x, baseline, output).

    Where the network splits behind a first linear operation, the value of a context with a few players flipped is
    cheaper: `contributions` once for an input, then `values_of_flips`.
    """

    apply: Apply
    players: Players
    split: Split | None
    folds_masks: bool

    def __call__(self, params: Any, masks: Array) -> Array:
        weights, x, baseline, output = params
        if isinstance(baseline, Marginal):
            examples = baseline.background
            by_example = lax.map(lambda b: self._values(weights, x, b, output, masks), examples)
            return jnp.mean(by_example, axis=0)
        return self._values(weights, x, baseline, output, masks)

    def _values(self, weights: Any, x: Array, baseline: Array, output: Any, masks: Array) -> Array:
        return jax.vmap(output)(self.apply(weights, self.players.fill(masks, x, baseline)))

    def contributions(self, params: Any) -> tuple[Array, Array]:
        """The hidden layer without players, and what each player adds to it."""
        assert self.split is not None
        weights, x, baseline, _ = params
        return player_contributions(self.split.stem, weights, x, baseline, self.players.spread, self.players.n)

    def values_of_masks(self, params: Any, parts: Any, masks: Array) -> Array:
        """Values of coalitions, from the contributions."""
        assert self.split is not None
        weights, _, _, output = params
        offset, rows = parts
        return jax.vmap(output)(self.split.trunk(weights, context_hidden(offset, rows, masks)))

    def values_of_flips(self, params: Any, parts: Any, contexts: Array, context_index: Array, flips: Array) -> Array:
        """Values of contexts with some players flipped, from the contributions."""
        assert self.split is not None
        weights, _, _, output = params
        offset, rows = parts
        hidden = row_hidden(context_hidden(offset, rows, contexts), rows, contexts, context_index, flips)
        trunk = functools.partial(self.split.trunk, weights)
        return jax.vmap(output)(lax.platform_dependent(hidden, cpu=_in_halves(trunk), default=trunk))


def _in_halves(trunk: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A trunk in a loop over two halves of its rows, where they are images.

    XLA:CPU would merge the row update into a pooling of the trunk, its gathers then element by element: 23 us for a row
    of LeNet in place of 9. A loop keeps them apart; an optimization barrier does not.
    """

    def run(hidden: Array) -> Array:
        if hidden.ndim == 2 or len(hidden) % 2:
            return trunk(hidden)
        halves = lax.map(trunk, hidden.reshape(2, -1, *hidden.shape[1:]))
        return halves.reshape(len(hidden), *halves.shape[2:])

    return run


def split_of(apply: Apply, params: Any, x: Array, n_players: int, fold: bool | None) -> tuple[Split | None, bool]:
    """The network's split behind its first linear operation, where there is one and it is wanted for flips; and
    whether it is wanted for unrelated masks too."""
    if fold is False:
        return None, False
    leaves, structure = jax.tree.flatten(params)
    shapes = tuple((jnp.shape(leaf), leaf.dtype if hasattr(leaf, "dtype") else None) for leaf in leaves)
    split, is_faster, folds_masks = _split_of_shapes(apply, structure, shapes, x.shape, x.dtype, n_players)
    if fold and split is None:
        raise ValueError("fold=True needs a network whose first operation on a float input is linear; use fold=None")
    return (split, fold or folds_masks) if fold or is_faster else (None, False)


@functools.lru_cache(maxsize=64)
def _split_of_shapes(
    apply: Apply, structure: Any, shapes: tuple, x_shape: tuple, x_type: Any, n_players: int
) -> tuple[Split | None, bool, bool]:
    """One split for all networks of the same computation, so that their games share compiled code."""
    params = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(shape, kind) for shape, kind in shapes])
    example = jax.ShapeDtypeStruct((2, *x_shape), x_type)
    split = split_first_layer(apply, params, example)
    if split is None:
        return None, False, False
    flips = saves_work(split, params, example, n_players)
    return split, flips, flips and saves_work(split, params, example, n_players, rows_per_context=1, flips=0)


def fold(game: Any) -> Any:
    """What each player adds to the first layer of a masked network, if its game is to be folded; else None.

    The folded values are compared with the network's own on a few coalitions; if they differ, the game is not folded.
    """
    if not isinstance(game.value, MaskedNetwork) or game.value.split is None:
        return None
    parts = _contributions(game)
    masks = np.random.default_rng(0).random((8, game.n_players)) < 0.5
    folded, direct = (np.asarray(values(game, one, masks)) for one in (parts, None))
    known = np.isfinite(direct)  # NaN from the network is reported where it is measured
    error = np.max(np.abs(folded - direct), where=known, initial=0.0)
    if error > _FOLDING_TOLERANCE * np.max(np.abs(direct), where=known, initial=1.0):
        warnings.warn("folding the network's first layer changes its values, so it is used unfolded", stacklevel=2)
        return None
    return parts


@jax.jit
def _contributions(game: Any) -> Any:
    return game.value.contributions(game.params)


@jax.jit
def values(game: Any, parts: Any, masks: Array) -> Array:
    """Values of a batch of coalitions of a traceable game, with what `fold` gave for it."""
    if parts is None:
        return game.value(game.params, masks)
    return game.value.values_of_masks(game.params, parts, masks)
