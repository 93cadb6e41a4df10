"""Effects of concepts: AND and OR interactions side by side, and which coalition each entry belongs to."""

import dataclasses
from typing import Any

import jax
import numpy as np

from interjax._core._checks import check_array, check_known, check_number
from interjax._core._names import fill_names, names_field
from interjax._core._results import Saved, result
from interjax.tables._transforms import inverse_moebius, inverse_or_interactions, n_players_of

KINDS = ("and", "or")


@result
class AndOr(Saved):
    """A sparse AND-OR explanation of one game, or of a batch of games on the leading axes.

        v(S) - v(empty) + q(S) = sum over L in S of and_effects(L) + sum over L meeting S of or_effects(L)

    Attributes:
        and_effects: AND interactions I_and(L), in the game's units, (..., 2**n), bit i of the index = player i.
        or_effects: OR interactions I_or(L), likewise; 0 for the empty set and for single players, whose OR effect is
            the same as their AND effect.
        loss: sum of |and_effects| + sum of |or_effects|, (...).
        gap: loss less a lower bound of what any explanation within the noise bound can reach, >= 0, (...).
        noise_bound: the largest |q(S)| allowed, noise * |v(N) - v(empty)|, (...).
        empty_value: v(empty), which the effects leave out, (...).
        slope: derivative of the least loss by each value of the table (the linear program's dual solution),
            (..., 2**n).
        n_iterations: iterations that were spent, int (...).
        player_names: a name for each player: those of the game or players that were explained, "player 3" for a table.
    """

    and_effects: Any
    or_effects: Any
    loss: Any
    gap: Any
    noise_bound: Any
    empty_value: Any
    slope: Any
    n_iterations: Any
    player_names: tuple[str, ...] = names_field(default=())

    def __post_init__(self) -> None:
        length = max(np.shape(self.and_effects)[-1:], default=1)
        fill_names(self, max(length.bit_length() - 1, 0))

    @property
    def n_players(self) -> int:
        """Number of players n."""
        return n_players_of(self.and_effects)

    @property
    def effects(self) -> Any:
        """AND and OR effects side by side: (..., 2, 2**n), the order of `KINDS`."""
        stack = jax.numpy.stack if isinstance(self.and_effects, jax.Array) else np.stack
        return stack([self.and_effects, self.or_effects], axis=-2)

    def rebuilt(self) -> Any:
        """The game that the effects add up to, v(S) + q(S): (..., 2**n)."""
        empty = self.empty_value[..., None]
        return empty + inverse_moebius(self.and_effects) + inverse_or_interactions(self.or_effects)

    def __getitem__(self, index: Any) -> "AndOr":
        """The explanations of some games of a batch."""
        arrays = [field.name for field in dataclasses.fields(self) if not field.metadata.get("static")]
        return dataclasses.replace(self, **{name: getattr(self, name)[index] for name in arrays})


def effects_of(explanation: Any, name: str = "explanation") -> np.ndarray:
    """Effects as float64 (..., kinds, 2**n): of an `AndOr` both kinds, of an array (..., 2**n) the AND kind alone.

    Args:
        explanation: an `AndOr`, or AND effects.
        name: of the argument, for messages.

    Raises:
        ValueError: if it is neither, the last axis is no power of two long, or an effect is NaN or infinite.
    """
    check_known(name, explanation)
    if isinstance(explanation, AndOr):
        effects = np.asarray(explanation.effects, np.float64)
    else:
        wanted = "an explanation, what ij.concepts.and_or gives, or AND effects (..., 2**n), real numbers"
        array = np.asarray(check_array(name, explanation, wanted), np.float64)
        n_players_of(array, name)
        effects = array[..., None, :]
    bad = np.count_nonzero(~np.isfinite(effects))
    if bad:
        raise ValueError(
            f"{name} must be finite, got {bad} of {effects.size} effects that are NaN or infinite: look for values "
            "of the game that are not finite, and leave such inputs out"
        )
    return effects


def sizes_of(n_players: int) -> np.ndarray:
    """The number of players of each coalition: int (2**n,)."""
    return np.bitwise_count(np.arange(1 << n_players)).astype(int)


def check_tau(tau: float) -> float:
    """The threshold of salience as a float; ValueError unless it lies in (0, 1]."""
    return check_number("tau", tau, "(0, 1]", about="a share of the strongest effect, usually 0.05")
