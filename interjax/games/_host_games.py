"""The game of one input of a network that JAX cannot trace: masked in NumPy, in the network's own precision."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any, Literal, overload

import jax
import jax.numpy as jnp
import numpy as np

from interjax._core._checks import as_array, check_array, check_callable, check_count, check_known, shown
from interjax._engine._memory import power_of_two_above
from interjax.games._all_outputs import ALL, check_tabulated
from interjax.games._baselines import Marginal, as_baseline
from interjax.games._evaluation_probe import CAUSES, are_probabilities, difference, warn_of_probabilities
from interjax.games._game import Game, warn_if_nonfinite
from interjax.games._outputs import LabelOutput, check_output, gives_logits, is_of_label, log_odds
from interjax.games._players import Players, check_players
from interjax.games._readings import check_reading, takes_label

_ROUNDING = 0.05  # relative to an output's largest value: how coarsely it is computed is not known here
_BYTES_AT_ONCE = 2**26  # of the inputs that a network is given, where the user does not say how many
_PATTERNS = 8  # of signs in which outputs are moved by their last digit
_LEAST_ROWS = 16  # outputs are read in batches of few lengths, so that few programs are compiled


@overload
def masked_host_game(
    predict: Callable[[np.ndarray], Any], x: Any, *, players: Players, output: Literal["all"], **options: Any
) -> list[Game]: ...
@overload
def masked_host_game(
    predict: Callable[[np.ndarray], Any], x: Any, *, players: Players, output: Any = None, **options: Any
) -> Game: ...


def masked_host_game(  # pyright: ignore[reportInconsistentOverload]
    predict: Callable[[np.ndarray], Any],
    x: Any,
    *,
    players: Players,
    baseline: Any = 0.0,
    output: Any = None,
    batch_size: int | None = None,
) -> Game | list[Game]:
    """The game of one input of a network of any framework, called with NumPy arrays: `masked_game` where JAX cannot go.

        v(S) = output(predict(x on S, baseline elsewhere))

    Args:
        predict: inputs, NumPy (batch, *shape) of x's type -> outputs, (batch, ...), of which NumPy can make an array;
            evaluated deterministically: dropout off, running statistics fixed.
        x: one input, of the shape that `players` partitions; it keeps its precision, float64 too.
        players, baseline: as for `ij.masked_game`.
        output: as for `ij.masked_game`, computed in float64; a function of your own is given a NumPy row at a time.
            "all" = each number that the network gives: a list of games, for which all 2^n coalitions are evaluated at
            once, one pass each whatever the number of classes.
        batch_size: inputs of one call of `predict`; by default as many as take 64 MiB.

    Returns:
        A game on the host, for what takes games; three calls of `predict` are made to check it. With output="all" a
        list of games, made of tables in float64.

    Raises:
        ValueError: if shapes do not fit, if outputs are no real numbers, one row for each input, or if an input has
            other outputs elsewhere in a batch or alone.

    Example:
        >>> import interjax as ij, numpy as np
        >>> game = ij.masked_host_game(lambda x: np.prod(x, axis=1), [2.0, 3.0], players=ij.Players.features(2),
        ...                            baseline=1.0)
        >>> ij.tabulate(game).tolist()
        [1.0, 2.0, 3.0, 6.0]
    """
    check_callable("predict", predict, "a function of a batch of inputs in NumPy")
    check_players(players)
    check_known("x", x)
    check_known("baseline", baseline)
    x = np.array(check_array("x", x))
    if x.shape != players.shape:
        raise ValueError(f"x must have the shape that players partition, {players.shape}; got {x.shape}")
    batch_size = max(1, _BYTES_AT_ONCE // x.nbytes) if batch_size is None else check_count("batch_size", batch_size)
    with jax.enable_x64(True):
        absent = as_baseline(baseline, jnp.asarray(x), players)
    others = np.asarray(absent.background if isinstance(absent, Marginal) else absent).reshape(-1, *x.shape)
    network = _Network(predict)
    looked_at, alone = _look(network, x, others[0])
    if not np.all(np.isfinite(x)) and not np.all(np.isfinite(looked_at[0])):
        warnings.warn("x holds NaN or infinite values, of which predict makes NaN or infinite ones", stacklevel=2)
    is_all = isinstance(output, str) and output == ALL
    output = ALL if is_all else _as_output(output, looked_at)
    if gives_logits(output) and are_probabilities(*looked_at[:2]):
        warn_of_probabilities(level=3)
    value = _MaskedHost(network, x, others, players, output, batch_size)
    rounding = np.maximum(_rounding(output, looked_at[:2]), _change(output, looked_at[[0, 2]], alone))
    about: dict[str, Any] = {"unit": _unit(looked_at.dtype)}
    about["is_null"] = None if isinstance(absent, Marginal) else players.without_entries(x != others[0])
    if is_all:
        table = zip(np.ascontiguousarray(_table(value, players.n).T), rounding, strict=True)
        games = ((Game.from_table(values, player_names=players.names), float(own)) for values, own in table)
        return [dataclasses.replace(game, rounding=own, **about) for game, own in games]
    game = Game.from_host(value, players.n, player_names=players.names)
    return dataclasses.replace(game, passes=len(others), rounding=float(rounding), **about)


@dataclasses.dataclass(frozen=True)
class _Network:
    """A network's outputs as NumPy's real numbers, checked to be one row for each input."""

    predict: Callable[[np.ndarray], Any]

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        try:
            outputs = np.asarray(self.predict(inputs))
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            raise ValueError(
                f"predict must map inputs, a NumPy array of {inputs.dtype} {inputs.shape}, to what NumPy makes an "
                f"array of, such as tensor.detach().numpy(); it fails on them: {error}"
            ) from error
        if outputs.dtype.kind == "V":
            raise ValueError(f"predict must give real numbers, got {outputs.dtype}: give them as float32")
        if outputs.dtype.kind not in "iufb" or outputs.shape[:1] != inputs.shape[:1]:
            raise ValueError(
                f"predict must give real numbers, one row for each input: inputs {inputs.shape} gave {shown(outputs)}"
            )
        return outputs


@dataclasses.dataclass(frozen=True, eq=False)
class _MaskedHost:
    """Values of coalitions (batch, n), the mean over the examples of the baseline."""

    network: _Network
    x: np.ndarray
    others: np.ndarray
    players: Players
    output: Any
    batch_size: int

    def __call__(self, masks: np.ndarray) -> np.ndarray:
        starts = range(0, len(masks), self.batch_size)
        parts = [self._values(np.asarray(masks[start : start + self.batch_size])) for start in starts]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _values(self, masks: np.ndarray) -> np.ndarray:
        always = np.ones((len(masks), 1), bool)  # the last column is that of the entries that no player owns
        present = np.concatenate([masks, always], axis=1)[:, self.players.labels]
        found = [_read(self.output, self.network(np.where(present, self.x, other))) for other in self.others]
        return np.mean(found, axis=0)


def _look(network: _Network, x: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outputs of the input, the baseline and a mixture in a batch, and of the input and the mixture alone.

    ValueError if they differ by more than rounding.
    """
    between = np.where(np.arange(x.size).reshape(x.shape) % 2 == 0, x, other)
    together = network(np.stack([other, x, between, x]))
    alone = np.concatenate([network(one[None]) for one in (x, between)])
    if together.shape[1:] != alone.shape[1:]:
        raise ValueError(f"predict must give rows of one shape, got {together.shape[1:]} and {alone.shape[1:]} alone")
    if (change := difference((together, alone), _ROUNDING)) is not None:
        raise ValueError(f"predict must give one output for one input, got {change}: {CAUSES}")
    return together[[1, 0, 2]], alone


def _as_output(output: Any, outputs: np.ndarray) -> Any:
    """What reads these outputs, of the input first, checked; None for outputs that are values."""
    check_reading(output)
    row = jax.ShapeDtypeStruct(outputs.shape[1:], np.float32)
    if output is None:
        if row.shape in ((), (1,)):
            return None
        if len(row.shape) != 1:
            raise ValueError(f"predict gives outputs of shape {row.shape} for an input: pass output=, row -> scalar")
        output = log_odds
    if is_of_label(output):
        first = outputs[0].ravel()
        output = output(int(np.argmax(first)) if first.size > 1 else int(first[0] > 0))
    if isinstance(output, LabelOutput):
        check_output(output, row)
        return output
    if takes_label(output):
        raise ValueError(
            "output takes (output, label), and there are no labels: bind yours, lambda z: output(z, label)"
        )
    _read(output, outputs)
    return output


def _table(value: _MaskedHost, n_players: int) -> np.ndarray:
    """All numbers of all coalitions, (2**n, numbers), with a warning where some are not finite."""
    check_tabulated(n_players)
    coalitions = np.arange(2**n_players)
    found = value(coalitions[:, None] >> np.arange(n_players) & 1 == 1)
    warn_if_nonfinite(int(np.count_nonzero(~np.isfinite(found))), found.size)
    return found


def _flat(outputs: np.ndarray) -> np.ndarray:
    return outputs.astype(np.float64).reshape(len(outputs), -1)


def _read(output: Any, outputs: np.ndarray) -> np.ndarray:
    """The values, float64 (rows,), that an output reads off a network's outputs; None takes them as they are, and
    "all" gives (rows, numbers)."""
    outputs = outputs.astype(np.float64)
    if isinstance(output, str):
        return _flat(outputs)
    if output is None:
        return outputs.reshape(len(outputs))
    with jax.enable_x64(True):
        if isinstance(output, LabelOutput):
            rows = max(_LEAST_ROWS, power_of_two_above(len(outputs)))
            padded = np.concatenate([outputs, np.repeat(outputs[-1:], rows - len(outputs), axis=0)])
            return np.asarray(_of_labels(output, padded))[: len(outputs)]
        try:
            values = [as_array("output", output(row)) for row in outputs]
        except (TypeError, ValueError, IndexError) as error:
            shape = outputs.shape[1:]
            raise ValueError(f"output fails on what the network gives for one input, {shape}: {error}") from error
    if any(value.shape != () or value.dtype.kind not in "iufb" for value in values):
        raise ValueError(f"output must give one real number for a row of outputs, got {shown(values[0])}")
    return np.array(values, np.float64)


@jax.jit
def _of_labels(output: LabelOutput, outputs: jax.Array) -> jax.Array:
    return jax.vmap(output)(outputs)


def _unit(kind: np.dtype) -> float:
    return float(np.finfo(kind).eps) if kind.kind == "f" else 0.0


def _rounding(output: Any, outputs: np.ndarray) -> np.ndarray:
    """How far values are off where each of a network's outputs is off by its last digit; of "all", (numbers,)."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (_PATTERNS, *outputs.shape))
    exact = outputs.astype(np.float64)
    values = _read(output, exact)
    moved = np.stack([_read(output, exact * (1 + _unit(outputs.dtype) * each)) for each in signs])
    with np.errstate(invalid="ignore"):  # a masked class has -inf
        change = moved - values
    change = np.where(np.isfinite(change), change, 0.0)
    return np.sqrt(np.mean(change**2, axis=0)).max(axis=0)


def _change(output: Any, together: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """How far values of the same inputs are from each other in batches of other sizes; of "all", (numbers,)."""
    with np.errstate(invalid="ignore"):
        change = np.abs(_read(output, together) - _read(output, alone))
    return np.max(change, axis=0, initial=0.0, where=np.isfinite(change))
