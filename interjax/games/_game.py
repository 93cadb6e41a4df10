"""Games: a value v(S) for every coalition S of players, from a table, a function or a host callable."""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from interjax._core._checks import check_array, check_callable, check_count, check_is, is_real
from interjax._core._names import check_names, fill_names, names_field, register_with_names
from interjax._engine._memory import power_of_two_above
from interjax._engine._rows import Resources, check_batch_size
from interjax.games._arithmetic import unit_of_network
from interjax.games._closures import Closure, trace_of
from interjax.games._coalitions import check_masks
from interjax.games._folded import fold
from interjax.games._values import masks_program


@register_with_names
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
        unit: eps of the coarsest arithmetic inside the value function, where that is known.
        is_null: bool (n,), players known to change nothing (their part of the input equals the baseline); None = none
            known.
        rounding: how far a value may be off because a network's outputs are rounded; None = its last digit.
        player_names: a name for each player, by which results show it: those that its players or the user gave, else
            "player 3". They are no part of what is compiled: games of other names share it, and within a function under
            jit, vmap or grad players have the default names.

    Example:
        >>> import interjax as ij, jax.numpy as jnp, numpy as np
        >>> game = ij.Game.from_function(lambda present: jnp.prod(present.astype(float)), 3)
        >>> game(np.array([[True, True, True], [True, False, True]])).tolist()
        [1.0, 0.0]
        >>> ij.Game.from_table([0.0, 1.0, 2.0, 5.0], player_names=["age", "sex"]).player_names
        ('age', 'sex')
    """

    params: Any
    value: Callable[[Any, Any], Any] = dataclasses.field(metadata={"static": True})
    n_players: int = dataclasses.field(metadata={"static": True})
    on_host: bool = dataclasses.field(default=False, metadata={"static": True})
    passes: int = dataclasses.field(default=1, metadata={"static": True})
    unit: float = dataclasses.field(default=0.0, metadata={"static": True})
    is_null: Any = None
    rounding: Any = None
    player_names: tuple[str, ...] = names_field(default=())

    def __post_init__(self) -> None:
        fill_names(self, self.n_players)

    @classmethod
    def from_table(cls, table: Any, *, player_names: Sequence[str] | None = None) -> "Game":
        """A game given by all its values: table[index], bit i of the index = player i.

        A NumPy table keeps its precision (float64 lookups on the host); a `jax.Array` gives a traceable game.

        Raises:
            ValueError: if the length is no power of two, the values are not real numbers, or there is not one name for
                each player.
        """
        table = check_array("table", table, "2**n real numbers, one for each coalition")
        shape = table.shape
        n_players = max(int(np.prod(shape)) - 1, 0).bit_length()
        if len(shape) != 1 or shape[0] != 2**n_players or n_players < 1:
            raise ValueError(
                f"table must have 2**n values in one axis for n players (n >= 1), got shape {shape}; "
                "order them so that bit i of the index is player i"
            )
        names = check_names("player_names", player_names, n_players)
        if isinstance(table, jax.Array):
            return cls(table, _look_up, n_players, player_names=names)
        return cls(table.astype(np.float64), _look_up_on_host, n_players, on_host=True, player_names=names)

    @classmethod
    def from_function(
        cls, function: Callable[[Array], Array], n_players: int, *, player_names: Sequence[str] | None = None
    ) -> "Game":
        """A game from a JAX-traceable function of one mask: bool (n,) -> scalar. The library batches it."""
        n_players = check_count("n_players", n_players)
        names = check_names("player_names", player_names, n_players)
        check_callable("function", function, "a function of one mask")
        wanted = f"function must map one mask, bool ({n_players},), to a real scalar"
        try:
            value = jax.eval_shape(function, jax.ShapeDtypeStruct((n_players,), bool))
        except TypeError as error:
            raise ValueError(f"{wanted}; it fails on it, or gives something else: {error}") from error
        if getattr(value, "shape", None) != () or not is_real(value):
            raise ValueError(f"{wanted}, it gives {value}")
        mask = jax.ShapeDtypeStruct((n_players,), bool)
        unit = unit_of_network(trace_of(function, mask), 1, None)
        return cls(Closure.of(function, (mask,)), _batched, n_players, unit=unit, player_names=names)

    @classmethod
    def from_host(
        cls, function: Callable[[np.ndarray], Any], n_players: int, *, player_names: Sequence[str] | None = None
    ) -> "Game":
        """A game from a NumPy callable of any framework: bool (batch, n) -> (batch,) real values.

        The function is called for the masks that are asked for and for no others, so nothing is tried beforehand: that
        it gives one value for one mask, whatever is beside it in a batch, is left to the caller (dropout off, running
        statistics fixed); sampled interactions and profiles ask it for a few values twice, which are not counted as
        passes, and warn if they are others. A game of a function that changes changes with it.

        A network of inputs in NumPy (PyTorch, ONNX, scikit-learn) is masked and checked by `ij.masked_host_game`;
        docs/frameworks.md has a recipe for each framework.
        """
        check_callable("function", function, "a function of masks (batch, n)")
        n_players = check_count("n_players", n_players)
        names = check_names("player_names", player_names, n_players)
        return cls((), _HostFunction(function), n_players, on_host=True, player_names=names)

    def __call__(self, masks: Any, *, batch_size: int | None = None) -> Any:
        """Values of coalitions: bool (batch, n) -> (batch,), evaluated in chunks that fit memory.

        Args:
            masks: True = present. Inside jit the whole batch is evaluated at once.
            batch_size: rows of a batch; by default chosen from memory. It is halved where a device runs out.

        Returns:
            `jax.Array` (batch,); NumPy for a host game, in its own precision.

        Raises:
            ValueError: if the masks are not boolean of shape (batch, n), or the value has the wrong shape.
        """
        masks = check_masks(masks, self.n_players)
        if isinstance(masks, Tracer) or _is_traced(self.params):
            if self.on_host:
                raise ValueError("a host game cannot be traced by JAX; call it outside jit, vmap and grad")
            return self.value(self.params, masks)
        resources = Resources(batch_size=check_batch_size(batch_size))
        if not len(masks):
            return np.zeros(0) if self.on_host else jnp.zeros(0)
        parts = None if self.on_host else fold(self, masks=len(masks))
        program = masks_program(self, parts, resources, most=power_of_two_above(len(masks)))
        found = program.dispatch(len(masks), lambda start, stop, _: (None, np.asarray(masks[start:stop])))()
        return found if self.on_host else jnp.asarray(found)


def check_game(game: Any) -> None:
    """Raise ValueError unless it is a game."""
    check_is("game", game, Game, "an ij.Game, such as ij.masked_game makes")


def warn_if_nonfinite(count: int, total: int) -> None:
    """Warn that some values of a game are NaN or infinite; they are kept, and so is everything that they enter."""
    if count:
        warnings.warn(
            f"{count} of {total} values of the game are NaN or infinite; every number that they enter is NaN too. "
            "Look for overflow in the network, or for a baseline outside its domain",
            stacklevel=3,
        )


def _batched(closure: Closure, masks: Array) -> Array:
    return jax.vmap(closure)(masks)


@dataclasses.dataclass(frozen=True)
class _HostFunction:
    function: Callable[[np.ndarray], Any]

    def __call__(self, params: Any, masks: np.ndarray) -> np.ndarray:
        try:
            given = self.function(masks)
        except TypeError as error:
            raise ValueError(
                f"the host function must take masks, a NumPy array of bool {masks.shape}; it fails on them: {error}"
            ) from error
        try:
            found = np.asarray(given)
        except Exception as error:  # whatever another framework raises
            raise ValueError(
                f"the host function must give what NumPy makes an array of, such as tensor.detach().numpy(): {error}"
            ) from error
        if found.shape != (len(masks),) or found.dtype.kind not in "iufb":
            raise ValueError(
                f"the host function must map bool {masks.shape} to real values of shape ({len(masks)},), "
                f"it gave {found.dtype} of shape {found.shape}"
                + (": give them as float32, values.astype(np.float32)" if found.dtype.kind == "V" else "")
            )
        return found


def _look_up(table: Array, masks: Array) -> Array:
    return table[masks.astype(jnp.int32) @ (2 ** jnp.arange(masks.shape[1]))]


def _look_up_on_host(table: np.ndarray, masks: np.ndarray) -> np.ndarray:
    return table[masks @ (1 << np.arange(masks.shape[1]))]


def _is_traced(params: Any) -> bool:
    return any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(params))
