"""Absence by removal: a function gives the input without the players that are absent."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from interjax._core._checks import shown
from interjax.games._baselines import Marginal
from interjax.games._closures import Closure
from interjax.games._players import Players
from interjax.games._removals import NAMED, removal_named
from interjax.games._tree_players import TreePlayers

_WANTED = "a function (x, present) -> the network's input without the players that are absent, present bool (n,)"


@dataclasses.dataclass(frozen=True)
class Removal:
    """How players are taken away: a function (x, present) -> input."""

    function: Callable[[Any, jax.Array], Any]

    def of(self, x: Any, n_players: int) -> Closure:
        """The function with what it closes over; ValueError unless it takes such an input and leaves it whole."""
        present = jax.ShapeDtypeStruct((n_players,), bool)
        example = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), x)
        try:
            closure = Closure.of(self.function, (example, present))
        except Exception as error:  # whatever the function raises
            raise ValueError(f"absence must be {_WANTED}; it fails: {error}") from error
        whole = _called(closure, x, np.ones(n_players, bool))
        if jax.tree.structure(whole) != jax.tree.structure(x):
            return closure
        for given, kept in zip(jax.tree.leaves(x), jax.tree.leaves(whole), strict=True):
            if given.shape == kept.shape and not np.array_equal(given, kept, equal_nan=given.dtype.kind == "f"):
                raise ValueError(
                    "absence must give x as it is where all players are present (present is True for those that are): "
                    f"some of its {given.size} entries of shape {given.shape} came out otherwise"
                )
        return closure


def as_removal(absence: Any, baseline: Any, players: Players | TreePlayers, x: Any) -> Any:
    """What stands for absent players: the baseline as it is given, or a `Removal`."""
    if isinstance(absence, str) and absence == "baseline":
        return baseline
    if isinstance(absence, str) and absence in NAMED:
        return Removal(removal_named(absence, players, x, baseline))
    if not callable(absence):
        raise ValueError(f'absence must be "baseline", "points", "nodes" or {_WANTED}; got {shown(absence)}')
    if not (isinstance(baseline, int | float) and baseline == 0):
        raise ValueError(
            f"baseline must be left out where absence is a function, which takes its place; got {shown(baseline)}"
        )
    return Removal(absence)


def inputs_to_look_at(x: Any, absent: Any, n_players: int) -> tuple[Any, Any]:
    """Two inputs of the network: that of all players, and what is beside it."""
    if isinstance(absent, Closure):
        return _called(absent, x, np.ones(n_players, bool)), _called(absent, x, np.arange(n_players) % 2 == 0)
    return x, jax.tree.map(lambda leaf: leaf[0], absent.background) if isinstance(absent, Marginal) else absent


@jax.jit
def _called(closure: Closure, x: Any, present: Any) -> Any:
    return jax.tree.map(jnp.asarray, closure(x, present))
