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

from interjax._batching import Batch, MemoryTooSmall, dispatch, fit_rows
from interjax._folding import context_hidden, context_table, player_contributions, row_hidden, saves_work
from interjax._models import Apply, at_precision
from interjax._players import Marginal, Players
from interjax._tracing import Split, split_first_layer

# Folded values may differ from the network's own by this share of the largest, at each precision of the forward pass.
_FOLDING_TOLERANCE = {"float32": 1e-3, None: 1e-2, "bfloat16": 1e-1}
_CHECKED_MASKS = 8
_PLAYERS_AT_ONCE = 32


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
        hidden = row_hidden(context_table(offset, rows, contexts, used), rows, contexts, context_index, flips)
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


def check_folded(game: Any, folded_values: Callable[[np.ndarray], np.ndarray], *, memory: int | None = None) -> bool:
    """Compare folded values with the network's own on a few coalitions: whether the folded form may be used.

    Args:
        game: a game of a masked network.
        folded_values: bool (masks, n) -> (masks,), by the folded form.
        memory: bytes that a batch may take on one device.

    Raises:
        ValueError: if they differ and the split is the user's own.

    Warns:
        UserWarning: if they differ and the split was found here.
    """
    masks = np.random.default_rng(0).random((_CHECKED_MASKS, game.n_players)) < 0.5
    folded, direct = folded_values(masks), values_in_batches(game, None, masks, memory=memory)
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
    if parts is None or not check_folded(game, lambda masks: values_in_batches(game, parts, masks)):
        return None
    return parts


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
