"""The value of a masked network, and the cheaper form that it has where the first layer folds."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from interjax._engine._memory import power_of_two_above
from interjax._folding._contributions import context_hidden, context_table, player_contributions, row_hidden
from interjax._folding._tracing import Split
from interjax.games._apply import Apply
from interjax.games._baselines import Marginal
from interjax.games._closures import Closure
from interjax.games._players import Players
from interjax.games._tree_players import TreePlayers

_CORE_CACHE_BYTES = 2**19

RowFunction = Callable[[Array, Array], Array]  # the contexts of rows, and the players flipped in them -> a value each


class MaskedGame(NamedTuple):
    """What the value of a masked input depends on; a pytree, the `params` of such a `Game`.

    Attributes:
        weights: the network's parameters.
        x: the input, of the shape that the players partition; or several arrays, a pytree.
        baseline: of the same shape, what stands for absent players; or a `Marginal` of several such, or the `Closure`
            of a function (x, present) that takes them away.
        output: a network's output (classes,) -> scalar; a pytree if it holds arrays.
    """

    weights: Any
    x: Any
    baseline: Any
    output: Any


@dataclasses.dataclass(frozen=True)
class MaskedNetwork:
    """Value of a masked input, from the parts of a `MaskedGame`.

    Where the network splits behind a first linear operation, the value of a context with a few players flipped is
    cheaper: `contributions` once for an input, then `values_of_flips`.
    """

    apply: Apply
    players: Players | TreePlayers
    split: Split | None
    folds_masks: bool
    precision: str | None = "float32"
    split_is_given: bool = False

    def __call__(self, game: MaskedGame, masks: Array) -> Array:
        game = MaskedGame(*game)  # a plain tuple will do
        if isinstance(game.baseline, Marginal):
            of_example = lambda example: self._values(game._replace(baseline=example), masks)  # noqa: E731
            return jnp.mean(lax.map(of_example, game.baseline.background), axis=0)
        return self._values(game, masks)

    def _values(self, game: MaskedGame, masks: Array) -> Array:
        if isinstance(game.baseline, Closure):
            inputs = jax.vmap(game.baseline, (None, 0))(game.x, masks)
        else:
            inputs = self.players.fill(masks, game.x, game.baseline)
        return jax.vmap(game.output)(self.apply(game.weights, inputs))

    def contributions(self, game: MaskedGame, at_once: int) -> tuple[Array, Array]:
        """The hidden layer without players, and what each player adds to it."""
        assert self.split is not None
        assert not isinstance(game.baseline, Marginal)
        assert isinstance(self.players, Players)
        stem, spread, n_players = self.split.stem, self.players.spread, self.players.n
        return player_contributions(stem, game.weights, game.x, game.baseline, spread, n_players, chunk=at_once)

    def values_of_masks(self, game: MaskedGame, parts: Any, masks: Array) -> Array:
        """Values of coalitions, from the contributions."""
        assert self.split is not None
        offset, rows = parts
        return jax.vmap(game.output)(self.split.trunk(game.weights, context_hidden(offset, rows, masks)))

    def values_of_flips(
        self, game: MaskedGame, parts: Any, contexts: Array, used: Array, context_index: Array, flips: Array
    ) -> Array:
        """Values of contexts with some players flipped, from the contributions; `used` of the contexts occur."""
        assert self.split is not None
        offset, rows = parts
        table = context_table(offset, rows, contexts, used)
        trunk = functools.partial(self.split.trunk, game.weights)

        def update(context_index: Array, flips: Array) -> Array:
            return row_hidden(table, rows, contexts, context_index, flips)

        def on_accelerator(context_index: Array, flips: Array) -> Array:
            return trunk(update(context_index, flips))

        on_cpu = _of_vectors(on_accelerator, table) if table.ndim == 2 else _of_images(update, trunk)
        logits = lax.platform_dependent(context_index, flips, cpu=on_cpu, default=on_accelerator)
        return jax.vmap(game.output)(logits)


def _of_vectors(outputs: RowFunction, table: Array) -> RowFunction:
    """Rows in a loop over blocks whose hidden vectors stay in a core's own cache: 1.7 us for one of an MLP, not 2.1."""
    rows = max(64, _CORE_CACHE_BYTES // (table.shape[1] * table.dtype.itemsize))
    return lambda context_index, flips: _in_blocks(lambda block: outputs(*block), rows, (context_index, flips))


def _of_images(update: RowFunction, trunk: Callable[[Array], Array]) -> RowFunction:
    """The row update in a loop over two halves of the rows, then the trunk.

    XLA:CPU would merge the row update into a pooling of the trunk, its gathers then element by element: 23 us for a row
    of LeNet in place of 9. A loop keeps them apart; an optimization barrier does not.
    """

    def outputs(context_index: Array, flips: Array) -> Array:
        return trunk(_in_blocks(lambda block: update(*block), len(flips) // 2, (context_index, flips)))

    return outputs


def _in_blocks(function: Callable[[Any], Array], rows: int, batch: Any) -> Array:
    """A function of a batch in a loop over blocks of about so many rows, where the batch can be cut in equal ones."""
    total = len(jax.tree.leaves(batch)[0])
    blocks = math.gcd(total, power_of_two_above(-(-total // max(rows, 1))))
    if blocks == 1:
        return function(batch)
    found = lax.map(function, jax.tree.map(lambda leaf: leaf.reshape(blocks, total // blocks, *leaf.shape[1:]), batch))
    return found.reshape(total, *found.shape[2:])
