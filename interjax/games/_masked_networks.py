"""The value of a masked network, and the cheaper form that it has where the first layer folds."""

import dataclasses
import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from interjax._engine._dispatch import Batch, dispatch
from interjax._engine._memory import MemoryTooSmall, fit_rows, power_of_two_above
from interjax._folding._contributions import context_hidden, context_table, player_contributions, row_hidden, saves_work
from interjax._folding._tracing import Split, split_first_layer
from interjax.games._models import Apply, at_precision
from interjax.games._players import Marginal, Players

# Folded values may differ from the network's own by this share of the largest, at each precision of the forward pass.
_FOLDING_TOLERANCE = {"float32": 1e-3, None: 1e-2, "bfloat16": 1e-1}
CHECKED_MASKS = 8
_PLAYERS_AT_ONCE = 32
_CORE_CACHE_BYTES = 2**19

RowFunction = Callable[[Array, Array], Array]  # the contexts of rows, and the players flipped in them -> a value each


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
    precision: str | None = "float32"
    split_is_given: bool = False

    def __call__(self, params: Any, masks: Array) -> Array:
        weights, x, baseline, output = params
        if isinstance(baseline, Marginal):
            examples = baseline.background
            by_example = lax.map(lambda b: self._values(weights, x, b, output, masks), examples)
            return jnp.mean(by_example, axis=0)
        return self._values(weights, x, baseline, output, masks)

    def _values(self, weights: Any, x: Array, baseline: Array, output: Any, masks: Array) -> Array:
        return jax.vmap(output)(self.apply(weights, self.players.fill(masks, x, baseline)))

    def contributions(self, params: Any, at_once: int) -> tuple[Array, Array]:
        """The hidden layer without players, and what each player adds to it."""
        assert self.split is not None
        weights, x, baseline, _ = params
        spread, n_players = self.players.spread, self.players.n
        return player_contributions(self.split.stem, weights, x, baseline, spread, n_players, chunk=at_once)

    def values_of_masks(self, params: Any, parts: Any, masks: Array) -> Array:
        """Values of coalitions, from the contributions."""
        assert self.split is not None
        weights, _, _, output = params
        offset, rows = parts
        return jax.vmap(output)(self.split.trunk(weights, context_hidden(offset, rows, masks)))

    def values_of_flips(
        self, params: Any, parts: Any, contexts: Array, used: Array, context_index: Array, flips: Array
    ) -> Array:
        """Values of contexts with some players flipped, from the contributions; `used` of the contexts occur."""
        assert self.split is not None
        weights, _, _, output = params
        offset, rows = parts
        table = context_table(offset, rows, contexts, used)
        trunk = functools.partial(self.split.trunk, weights)

        def update(context_index: Array, flips: Array) -> Array:
            return row_hidden(table, rows, contexts, context_index, flips)

        def on_accelerator(context_index: Array, flips: Array) -> Array:
            return trunk(update(context_index, flips))

        on_cpu = _of_vectors(on_accelerator, table) if table.ndim == 2 else _of_images(update, trunk)
        logits = lax.platform_dependent(context_index, flips, cpu=on_cpu, default=on_accelerator)
        return jax.vmap(output)(logits)


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
    found = lax.map(function, jax.tree.map(lambda leaf: leaf.reshape(blocks, -1, *leaf.shape[1:]), batch))
    return found.reshape(total, *found.shape[2:])


Fold = bool | tuple[Callable[[Any, Array], Array], Callable[[Any, Array], Array]] | None


def split_of(
    apply: Apply, params: Any, x: Array, n_players: int, fold: Fold, precision: str | None
) -> tuple[Split | None, bool]:
    """The network's split behind its first linear operation, where there is one and it is wanted for flips; and
    whether it is wanted for unrelated masks too."""
    if fold is False:
        return None, False
    leaves, structure = jax.tree.flatten(params)
    shapes = tuple((jnp.shape(leaf), leaf.dtype if hasattr(leaf, "dtype") else None) for leaf in leaves)
    network = _Network(apply, structure, shapes, x.shape, x.dtype, precision)
    if isinstance(fold, tuple):
        return _given_split(network, fold), True
    split, is_faster, folds_masks = _split_of_shapes(network, n_players)
    if fold and split is None:
        raise ValueError(
            "fold=True needs a network whose first operation on a float input is linear; use fold=None, or give the "
            "two parts yourself as fold=(stem, trunk)"
        )
    return (split, fold or folds_masks) if fold or is_faster else (None, False)


@dataclasses.dataclass(frozen=True)
class _Network:
    """What a split depends on: the same for all networks of one computation, so that their games share code."""

    apply: Apply
    structure: Any
    shapes: tuple
    x_shape: tuple
    x_type: Any
    precision: str | None

    def examples(self) -> tuple[Any, jax.ShapeDtypeStruct]:
        params = jax.tree.unflatten(self.structure, [jax.ShapeDtypeStruct(shape, kind) for shape, kind in self.shapes])
        return params, jax.ShapeDtypeStruct((2, *self.x_shape), self.x_type)


@functools.lru_cache(maxsize=64)
def _split_of_shapes(network: _Network, n_players: int) -> tuple[Split | None, bool, bool]:
    params, example = network.examples()
    # The sums of contributions stay in float32 at any precision of the rest, which rounds what it is given.
    stem_precision = "float32" if network.precision == "bfloat16" else network.precision
    split = split_first_layer(at_precision(network.apply, stem_precision), params, example)
    if split is not None and network.precision == "bfloat16":
        rounded = split_first_layer(at_precision(network.apply, "bfloat16"), params, example, rounds=True)
        same = rounded is not None and rounded.hidden_shape == split.hidden_shape
        split = split._replace(trunk=rounded.trunk) if rounded is not None and same else None
    if split is None:
        return None, False, False
    flips = saves_work(split, params, example, n_players)
    return split, flips, flips and saves_work(split, params, example, n_players, rows_per_context=1, flips=0)


@functools.lru_cache(maxsize=64)
def _given_split(network: _Network, parts: tuple) -> Split:
    """The split that the user gives, checked by shapes."""
    if len(parts) != 2 or not all(map(callable, parts)):
        raise ValueError(f"fold=(stem, trunk) takes two functions (params, batch) -> batch, got {parts!r}")
    params, example = network.examples()
    expected = jax.eval_shape(network.apply, params, example)
    stem = at_precision(parts[0], "float32" if network.precision == "bfloat16" else network.precision)
    trunk = at_precision(parts[1], network.precision)
    hidden = _shape_given_by("stem(params, inputs)", stem, params, example)
    if hidden.shape[:1] != (2,) or not jnp.issubdtype(hidden.dtype, jnp.floating):
        raise ValueError(
            f"stem must give one row of floats an input: inputs {example.shape} gave {hidden.dtype} of {hidden.shape}"
        )
    found = _shape_given_by("trunk(params, hidden)", trunk, params, hidden)
    if found.shape != expected.shape:
        raise ValueError(
            f"trunk must give what the network gives, {expected.shape} for inputs {example.shape}; it gave "
            f"{found.shape} for hidden rows {hidden.shape}"
        )
    return Split(stem, trunk, hidden.shape[1:])


def _shape_given_by(name: str, part: Callable, params: Any, batch: Any) -> jax.ShapeDtypeStruct:
    try:
        found = jax.eval_shape(part, params, batch)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} does not take a batch of shape {batch.shape}: {error}") from error
    if not hasattr(found, "shape"):
        raise ValueError(f"{name} must give one array, got {found}")
    return found


def player_parts(game: Any, *, memory: int | None = None) -> Any:
    """What each player adds to the first layer of a masked network, if its game is to be folded; else None."""
    if not isinstance(game.value, MaskedNetwork) or game.value.split is None:
        return None
    at_once = min(_PLAYERS_AT_ONCE, game.n_players)
    if memory is not None:
        try:
            at_once = fit_rows(lambda rows: _contributions.trace(game, at_once=rows), memory=memory, most=at_once)
        except MemoryTooSmall:
            return None
    batch = Batch(at_once)
    while True:
        assert batch.rows is not None
        rows = batch.rows
        try:
            return jax.block_until_ready(_contributions(game, at_once=rows))
        except jax.errors.JaxRuntimeError as error:
            batch.halve(rows, error)


def masks_to_check(n_players: int) -> np.ndarray:
    """Coalitions on which the folded form is compared with the network itself: bool (CHECKED_MASKS, n)."""
    return np.random.default_rng(0).random((CHECKED_MASKS, n_players)) < 0.5


def check_folded(game: Any, masks: np.ndarray, folded: np.ndarray, *, memory: int | None = None) -> bool:
    """Compare folded values with the network's own on a few coalitions: whether the folded form may be used.

    Args:
        game: a game of a masked network.
        masks: bool (masks, n).
        folded: their values by the folded form (masks,).
        memory: bytes that a batch may take on one device.

    Raises:
        ValueError: if they differ and the split is the user's own.

    Warns:
        UserWarning: if they differ and the split was found here.
    """
    direct = values_in_batches(game, None, masks, memory=memory)
    known = np.isfinite(direct)  # NaN from the network is reported where it is measured
    error = np.max(np.abs(folded - direct), where=known, initial=0.0)
    scale = np.max(np.abs(direct), where=known, initial=1.0)
    if error <= _FOLDING_TOLERANCE[game.value.precision] * scale:
        return True
    if game.value.split_is_given:
        raise ValueError(
            f"fold=(stem, trunk) gives other values than the network: they differ by up to {error:.3g} where values "
            f"reach {scale:.3g}; stem must be affine in the inputs, and trunk(params, stem(params, inputs)) the network"
        )
    warnings.warn("folding the network's first layer changes its values, so it is used unfolded", stacklevel=2)
    return False


def fold(game: Any) -> Any:
    """What each player adds to the first layer, if the values of unrelated masks are to be computed from it."""
    parts = player_parts(game)
    if parts is None:
        return None
    masks = masks_to_check(game.n_players)
    return parts if check_folded(game, masks, values_in_batches(game, parts, masks)) else None


def values_in_batches(game: Any, parts: Any, masks: np.ndarray, *, memory: int | None = None) -> np.ndarray:
    """Values of a few coalitions of a traceable game, in batches that fit the memory."""
    rows = len(masks)
    if memory is not None:
        shape = masks.shape[1]
        rows = fit_rows(lambda r: values.trace(game, parts, np.zeros((r, shape), bool)), memory=memory, most=rows)

    def compute(start: int, limit: int, rows: int) -> tuple[Any, int]:
        batch = np.zeros((rows, masks.shape[1]), bool)
        batch[: limit - start] = masks[start : start + rows][: limit - start]
        return values(game, parts, batch), min(start + rows, limit)

    return dispatch(len(masks), Batch(rows), compute)()


@functools.partial(jax.jit, static_argnames="at_once")
def _contributions(game: Any, *, at_once: int) -> Any:
    return game.value.contributions(game.params, at_once)


@jax.jit
def values(game: Any, parts: Any, masks: Array) -> Array:
    """Values of a batch of coalitions of a traceable game, with what `fold` gave for it."""
    if parts is None:
        return game.value(game.params, masks)
    return game.value.values_of_masks(game.params, parts, masks)
