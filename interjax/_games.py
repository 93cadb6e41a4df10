"""Games: a value v(S) for every coalition S of players, from a table, a function or a masked network."""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from interjax._batching import chunk_rows
from interjax._coalitions import coalitions_from_index
from interjax._folding import context_hidden, player_contributions, row_hidden, saves_work
from interjax._models import Apply, as_apply
from interjax._outputs import as_output, check_output, log_odds
from interjax._players import Marginal, Players, as_baseline
from interjax._tracing import Split, split_first_layer

MAX_TABLE_PLAYERS = 26


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Game:
    """A value for every coalition: `game(masks) -> values`. Make one with the constructors below or `ij.masked_game`.

    Games are pytrees: `params` are leaves, the value function is structure, so a jitted function of a game is
    compiled once for all games that share it (other inputs, other labels, other weights).

    Attributes:
        n_players: number of players n.
        params: what the value depends on, as a pytree of arrays.
        value: value(params, masks (batch, n) bool) -> (batch,); equal functions share compiled code.
        on_host: True if `value` is a NumPy callable that cannot be traced.
        passes: forward passes that one mask costs (examples of a marginal baseline).
        is_null: bool (n,), players known to change nothing (their part of the input equals the baseline); None = none
            known.

    Example:
        >>> import interjax as ij, jax.numpy as jnp, numpy as np
        >>> game = ij.Game.from_function(lambda present: jnp.prod(present.astype(float)), 3)
        >>> game(np.array([[True, True, True], [True, False, True]])).tolist()
        [1.0, 0.0]
    """

    params: Any
    value: Callable[[Any, Any], Any] = dataclasses.field(metadata={"static": True})
    n_players: int = dataclasses.field(metadata={"static": True})
    on_host: bool = dataclasses.field(default=False, metadata={"static": True})
    passes: int = dataclasses.field(default=1, metadata={"static": True})
    is_null: Any = None

    @classmethod
    def from_table(cls, table: Any) -> "Game":
        """A game given by all its values: table[index], bit i of the index = player i.

        A NumPy table keeps its precision (float64 lookups on the host); a `jax.Array` gives a traceable game.

        Raises:
            ValueError: if the length is no power of two or the values are not real numbers.
        """
        shape = np.shape(table)
        n_players = max(int(np.prod(shape)) - 1, 0).bit_length()
        if len(shape) != 1 or shape[0] != 2**n_players or n_players < 1:
            raise ValueError(
                f"a table of n players has 2**n values in one axis (n >= 1), got shape {shape}; "
                "order them so that bit i of the index is player i"
            )
        if isinstance(table, jax.Array):
            return cls(table, _look_up, n_players)
        table = np.asarray(table)
        if not (np.issubdtype(table.dtype, np.integer) or np.issubdtype(table.dtype, np.floating)):
            raise ValueError(f"a table holds real numbers, got {table.dtype}")
        return cls(table.astype(np.float64), _look_up_on_host, n_players, on_host=True)

    @classmethod
    def from_function(cls, function: Callable[[Array], Array], n_players: int) -> "Game":
        """A game from a JAX-traceable function of one mask: bool (n,) -> scalar. The library batches it."""
        n_players = _check_n_players(n_players)
        value = jax.eval_shape(function, jax.ShapeDtypeStruct((n_players,), bool))
        if getattr(value, "shape", None) != ():
            raise ValueError(f"the function must map one mask of shape ({n_players},) to a scalar, it gives {value}")
        return cls((), _BatchedFunction(function), n_players)

    @classmethod
    def from_host(cls, function: Callable[[np.ndarray], Any], n_players: int) -> "Game":
        """A game from a NumPy callable of any framework: bool (batch, n) -> (batch,) real values."""
        return cls((), _HostFunction(function), _check_n_players(n_players), on_host=True)

    def __call__(self, masks: Any, *, batch_size: int | None = None) -> Any:
        """Values of coalitions: bool (batch, n) -> (batch,), evaluated in chunks that fit memory.

        Args:
            masks: True = present. Inside jit the whole batch is evaluated at once.
            batch_size: rows of a chunk; by default chosen from the memory that one row needs.

        Returns:
            `jax.Array` (batch,); NumPy for a host game, in its own precision.

        Raises:
            ValueError: if the masks are not boolean of shape (batch, n), or the value has the wrong shape.
        """
        if masks.ndim != 2 or masks.shape[1] != self.n_players or masks.dtype != bool:
            raise ValueError(
                f"masks must be booleans of shape (batch, {self.n_players}), True = present; "
                f"got {masks.dtype} of shape {masks.shape}"
            )
        if isinstance(masks, Tracer) or _is_traced(self.params):
            if self.on_host:
                raise ValueError("a host game cannot be traced by JAX; call it outside jit, vmap and grad")
            return self.value(self.params, masks)
        if self.on_host:
            rows = _check_batch_size(batch_size) or 4096
            parts = [self.value(self.params, np.asarray(masks[s : s + rows])) for s in range(0, len(masks), rows)]
            return np.concatenate(parts) if parts else np.zeros(0)
        rows = _check_batch_size(batch_size) or chunk_rows(self, len(masks))
        parts = []
        for start in range(0, masks.shape[0], rows):
            part = masks[start : start + rows]
            if batch_size is None and len(part) < rows:  # a full chunk again: no further compilation
                part = np.concatenate([part, np.zeros((rows - len(part), self.n_players), bool)])
            parts.append(_values(self, part)[: min(rows, masks.shape[0] - start)])
        return jnp.concatenate(parts) if parts else jnp.zeros(0)


def tabulate(game: Game, *, batch_size: int | None = None) -> np.ndarray:
    """Evaluate a game on all of its coalitions: table[index] = v(S), bit i of the index = player i in S.

    Args:
        game: a game of at most 26 players.
        batch_size: rows of a chunk; by default chosen from memory.

    Returns:
        NumPy (2**n,), in the game's precision: float32 for networks, what the callable gives for host games.

    Raises:
        ValueError: for more than 26 players.

    Warns:
        UserWarning: if values are NaN or infinite; they stay in the table.

    Example:
        >>> import interjax as ij
        >>> ij.tabulate(ij.Game.from_host(lambda masks: masks.sum(axis=1), 2)).tolist()
        [0, 1, 1, 2]
    """
    n_players = game.n_players
    if n_players > MAX_TABLE_PLAYERS:
        raise ValueError(
            f"a table of {n_players} players has 2**{n_players} values; at most {MAX_TABLE_PLAYERS} players fit. "
            "Use ij.order_interactions, which samples coalitions, or fewer players"
        )
    total = 2**n_players
    if game.on_host:
        rows = min(_check_batch_size(batch_size) or 4096, total)
        starts = range(0, total, rows)
        bits = np.arange(n_players)
        parts = [np.asarray(game((np.arange(s, min(s + rows, total))[:, None] >> bits) & 1 == 1)) for s in starts]
    else:
        rows = min(_check_batch_size(batch_size) or chunk_rows(game, total), total)
        parts = [_table_values(game, start, length=rows) for start in range(0, total, rows)]
    table = np.concatenate([np.asarray(part) for part in parts])[:total]
    warn_if_nonfinite(int(np.count_nonzero(~np.isfinite(table))), total)
    return table


def masked_game(
    model: Any, x: Any, *, players: Players, baseline: Any = 0.0, output: Any = None, fold: bool | None = None
) -> Game:
    """The game of one input: players are parts of the input, absent ones are replaced by a baseline.

        v(S) = output(network(x on S, baseline elsewhere))

    Args:
        model: an `nnx.Module`, (Linen module, variables), (function(params, inputs), params) or function(inputs); it
            works on a batch and is evaluated deterministically, whatever mode it is in.
        x: one input, of the shape that `players` partitions.
        players: which entries belong together, e.g. `ij.Players.grid((28, 28, 1), (14, 14))`.
        baseline: a number, an array of x's shape (such as the data's mean), or `ij.marginal(background)`.
        output: logits -> scalar, e.g. `ij.log_odds(label)`; by default the log-odds of the class that the network
            predicts on x.
        fold: whether sampled interactions replace the network's first linear operation by sums of what each player
            contributes to it (same values to float rounding); None = where that is expected to be faster.

    Returns:
        A traceable `Game`; the games of one network and player partition share compiled code.

    Raises:
        ValueError: if shapes do not fit, the label is out of range, or the network's output is no batch of scalars.

    Example:
        >>> import interjax as ij, jax.numpy as jnp, numpy as np
        >>> game = ij.masked_game(lambda x: x @ jnp.eye(3), np.array([1.0, 2.0, 4.0]),
        ...                       players=ij.Players.features(3), output=ij.logit(2))
        >>> game(np.array([[True, True, True], [True, True, False]])).tolist()
        [4.0, 0.0]

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), section 2.
    """
    apply, params = as_apply(model)
    x = _as_input(x)
    if x.shape != players.shape:
        raise ValueError(f"players partition an input of shape {players.shape}, got an input of shape {x.shape}")
    absent = as_baseline(baseline, x, players)
    logits = _check_network(apply, params, x)
    if output is None:
        if len(logits.shape) != 2 or logits.shape[1] < 2:
            raise ValueError(f"the network gives {logits.shape}, not (batch, classes): pass output=, logits -> scalar")
        output = log_odds(int(jnp.argmax(_forward(apply, params, x[None])[0])))
    output = as_output(output)
    check_output(output, logits)
    passes = absent.background.shape[0] if isinstance(absent, Marginal) else 1
    value = MaskedNetwork(apply, players, None if passes > 1 else _split(apply, params, x, players.n, fold))
    is_null = None if isinstance(absent, Marginal) else players.without_entries(np.asarray(x != absent))
    return Game((params, x, absent, output), value, players.n, passes=passes, is_null=is_null)


def masked_games(
    model: Any,
    xs: Any,
    labels: Sequence[int] | Any,
    *,
    players: Players,
    baseline: Any = 0.0,
    output: Callable[[int], Any] = log_odds,
    fold: bool | None = None,
) -> list[Game]:
    """The games of a batch of inputs: `masked_game` of each input with its label; compiled code is shared.

    Args:
        model, players, baseline, fold: as for `masked_game`.
        xs: (batch, *input shape).
        labels: (batch,) class numbers.
        output: label -> (logits -> scalar): `ij.log_odds` (default), `ij.log_prob`, `ij.logit`, `ij.prob` or your own.

    Returns:
        A list of games, one for each input.

    Raises:
        ValueError: as `masked_game`, or if inputs and labels differ in number.
    """
    if len(xs) != len(labels):
        raise ValueError(f"each input needs its label: got {len(xs)} inputs and {len(labels)} labels")
    if isinstance(model, tuple) or not callable(model) or hasattr(model, "__dict__"):
        apply, params = as_apply(model)  # once: all games hold the same arrays
        model = (apply, jax.tree.map(jnp.asarray, params))
    return [
        masked_game(model, x, players=players, baseline=baseline, output=output(label), fold=fold)
        for x, label in zip(xs, labels, strict=True)
    ]


def warn_if_nonfinite(count: int, total: int) -> None:
    """Warn that some values of a game are NaN or infinite; they are kept, and so is everything that they enter."""
    if count:
        warnings.warn(
            f"{count} of {total} values of the game are NaN or infinite; every number that they enter is NaN too. "
            "Look for overflow in the network, or for a baseline outside its domain",
            stacklevel=3,
        )


@dataclasses.dataclass(frozen=True)
class MaskedNetwork:
    """Value of a masked input: params are (weights, x, baseline, output).

    Where the network splits behind a first linear operation, the value of a context with a few players flipped is
    cheaper: `contributions` once for an input, then `values_of_flips`.
    """

    apply: Apply
    players: Players
    split: Split | None

    def __call__(self, params: Any, masks: Array) -> Array:
        weights, x, baseline, output = params
        if isinstance(baseline, Marginal):
            examples = baseline.background
            by_example = jax.lax.map(lambda b: self._values(weights, x, b, output, masks), examples)
            return jnp.mean(by_example, axis=0)
        return self._values(weights, x, baseline, output, masks)

    def _values(self, weights: Any, x: Array, baseline: Array, output: Any, masks: Array) -> Array:
        return jax.vmap(output)(self.apply(weights, self.players.fill(masks, x, baseline)))

    def contributions(self, params: Any) -> tuple[Array, Array]:
        """The hidden layer without players, and what each player adds to it."""
        assert self.split is not None
        weights, x, baseline, _ = params
        return player_contributions(self.split.stem, weights, x, baseline, self.players.spread, self.players.n)

    def values_of_flips(self, params: Any, parts: Any, contexts: Array, context_index: Array, flips: Array) -> Array:
        """Values of contexts with some players flipped, from the contributions."""
        assert self.split is not None
        weights, _, _, output = params
        offset, rows = parts
        hidden = row_hidden(context_hidden(offset, rows, contexts), rows, contexts, context_index, flips)
        return jax.vmap(output)(self.split.trunk(weights, hidden))


@dataclasses.dataclass(frozen=True)
class _BatchedFunction:
    function: Callable[[Array], Array]

    def __call__(self, params: Any, masks: Array) -> Array:
        return jax.vmap(self.function)(masks)


@dataclasses.dataclass(frozen=True)
class _HostFunction:
    function: Callable[[np.ndarray], Any]

    def __call__(self, params: Any, masks: np.ndarray) -> np.ndarray:
        values = np.asarray(self.function(masks))
        if values.shape != (len(masks),) or values.dtype.kind not in "iufb":
            raise ValueError(
                f"the host function must map bool {masks.shape} to real values of shape ({len(masks)},), "
                f"it gave {values.dtype} of shape {values.shape}"
            )
        return values


def _look_up(table: Array, masks: Array) -> Array:
    return table[masks.astype(jnp.int32) @ (2 ** jnp.arange(masks.shape[1]))]


def _look_up_on_host(table: np.ndarray, masks: np.ndarray) -> np.ndarray:
    return table[masks @ (1 << np.arange(masks.shape[1]))]


@jax.jit
def _values(game: Game, masks: Array) -> Array:
    return game.value(game.params, masks)


@functools.partial(jax.jit, static_argnames="length")
def _table_values(game: Game, first: Array, *, length: int) -> Array:
    return game.value(game.params, coalitions_from_index(first + jnp.arange(length), game.n_players))


@functools.partial(jax.jit, static_argnums=0)
def _forward(apply: Apply, params: Any, inputs: Array) -> Array:
    return apply(params, inputs)


def _split(apply: Apply, params: Any, x: Array, n_players: int, fold: bool | None) -> Split | None:
    """The network's split behind its first linear operation, where there is one and it is wanted."""
    if fold is False:
        return None
    leaves, structure = jax.tree.flatten(params)
    shapes = tuple((jnp.shape(leaf), leaf.dtype if hasattr(leaf, "dtype") else None) for leaf in leaves)
    split, is_faster = _split_of_shapes(apply, structure, shapes, x.shape, x.dtype, n_players)
    if fold and split is None:
        raise ValueError("fold=True needs a network whose first operation on a float input is linear; use fold=None")
    return split if fold or is_faster else None


@functools.lru_cache(maxsize=64)
def _split_of_shapes(
    apply: Apply, structure: Any, shapes: tuple, x_shape: tuple, x_type: Any, n_players: int
) -> tuple[Split | None, bool]:
    """One split for all networks of the same computation, so that their games share compiled code."""
    params = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(shape, kind) for shape, kind in shapes])
    example = jax.ShapeDtypeStruct((2, *x_shape), x_type)
    split = split_first_layer(apply, params, example)
    return split, split is not None and saves_work(split, params, example, n_players)


def _check_network(apply: Apply, params: Any, x: Array) -> jax.ShapeDtypeStruct:
    """Shape of the network's output on two inputs, checked to be a batch."""
    batch = jax.ShapeDtypeStruct((2, *x.shape), x.dtype)
    try:
        logits = jax.eval_shape(apply, params, batch)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the network does not take a batch of inputs of shape {batch.shape}: {error}") from error
    if not hasattr(logits, "shape") or logits.shape[:1] != (2,):
        raise ValueError(f"the network must give one row of outputs an input: inputs {batch.shape} gave {logits}")
    return logits


def _as_input(x: Any) -> Array:
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.integer) else x.astype(jnp.float32) if x.dtype == bool else x


def _is_traced(params: Any) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(params))


def _check_n_players(n_players: int) -> int:
    if not isinstance(n_players, int | np.integer) or n_players < 1:
        raise ValueError(f"n_players must be a positive integer, got {n_players!r}")
    return int(n_players)


def _check_batch_size(batch_size: int | None) -> int | None:
    if batch_size is not None and (not isinstance(batch_size, int | np.integer) or batch_size < 1):
        raise ValueError(f"batch_size must be a positive integer or None, got {batch_size!r}")
    return batch_size
