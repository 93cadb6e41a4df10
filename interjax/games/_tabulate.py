"""The value of every coalition of a game."""

import collections
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array

from interjax._core._checks import check_known
from interjax._engine._devices import on_every_device
from interjax._engine._dispatch import Kept
from interjax._engine._memory import MemoryTooSmall
from interjax._engine._rows import Resources, RowProgram
from interjax.games._folded import fold
from interjax.games._game import Game, check_game, warn_if_nonfinite
from interjax.games._values import values_of_numbers

MAX_TABLE_PLAYERS = 26
_AHEAD = 8  # batches under way beyond the one that is waited for


def tabulate(game: Game, *, batch_size: int | None = None, mesh: Mesh | None = None) -> np.ndarray:
    """Evaluate a game on all of its coalitions: table[index] = v(S), bit i of the index = player i in S.

    Args:
        game: a game of at most 26 players.
        batch_size: rows of a batch on one device; by default chosen from memory.
        mesh: a `jax.sharding.Mesh` of the devices to spread forward passes over; None = all local accelerators.

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
    check_game(game)
    n_players = game.n_players
    if n_players > MAX_TABLE_PLAYERS:
        raise ValueError(
            f"a table of {n_players} players has 2**{n_players} values; at most {MAX_TABLE_PLAYERS} players fit. "
            "Use ij.order_interactions, which samples coalitions, or fewer players"
        )
    resources = Resources.of(batch_size=batch_size, mesh=mesh)
    check_known("game", game.params)
    found: list[np.ndarray] = []
    for _ in tabulate_in_batches(game, resources, found):
        pass
    table = np.concatenate(found)
    warn_if_nonfinite(int(np.count_nonzero(~np.isfinite(table))), len(table))
    return table


def tabulate_in_batches(game: Game, resources: Resources, found: list[np.ndarray]) -> Iterator[int]:
    """Append the values of all coalitions, in the order of a table, to `found`; yields how many it holds.

    It may hold the first ones already, of an earlier start; it is up to date at each yield.
    """
    if game.on_host:
        program = _program(values_of_numbers, (game, None), game.n_players, resources, on_host=True)
    else:
        program = _folded_program(game, resources)
    total, some = 2**game.n_players, program.rows
    waiting: collections.deque[Callable[[], np.ndarray]] = collections.deque()
    held = sum(map(len, found))
    starts = iter(range(held, total, some))
    while held < total:
        for start in starts:
            waiting.append(program.dispatch(min(some, total - start), _numbers_from(start)))
            if len(waiting) > _AHEAD:
                break
        found.append(waiting.popleft()())
        held += len(found[-1])
        yield held


def _folded_program(game: Game, resources: Resources) -> RowProgram:
    """The program of a game's values by number: folded where that pays and fits the memory."""
    if resources.mesh is not None:
        game = on_every_device(game, resources.mesh)
    try:
        parts = fold(game, masks=2**game.n_players, memory=resources.memory)
        if parts is not None:
            parts = parts if resources.mesh is None else on_every_device(parts, resources.mesh)
            return _program(values_of_numbers, (game, parts), game.n_players, resources)
    except MemoryTooSmall:
        pass
    return _program(values_of_numbers, (game, None), game.n_players, resources)


def tabulate_inputs(game: Game, x: Any, outputs: Any, kept: Kept | None = None) -> np.ndarray:
    """Tables of several inputs whose games have the network, the players and the baseline of one masked game.

    Args:
        game: a masked game, which says whether its first layer is folded.
        x: inputs (inputs, *input shape), of one array or several.
        outputs: their outputs, a pytree whose arrays have the inputs as first axis.
        kept: keeps the values of the first coalitions until all are there.

    Returns:
        (inputs, 2**n).
    """
    is_folded = fold(game, masks=2**game.n_players) is not None
    at_once = 1 if jax.default_backend() == "cpu" else len(jax.tree.leaves(x)[0])
    function = _ValuesOfInputs(is_folded, at_once)
    program = _program(function, (game, x, outputs), game.n_players, Resources())
    return program.dispatch(2**game.n_players, _numbers_from(0), kept=kept)().T


def _program(function: Any, fixed: Any, n_players: int, resources: Resources, *, on_host: bool = False) -> RowProgram:
    """The program of a function of coalitions, given to it by number."""
    most = -(-(2**n_players) // resources.n_devices)
    example = lambda rows: (None, np.zeros(rows, np.int32))  # noqa: E731
    return RowProgram(function, fixed, example, resources, most=most, on_host=on_host)


def _numbers_from(first: int) -> Callable[[int, int, int], tuple[None, np.ndarray]]:
    """Gives the numbers of a batch of coalitions, of those from `first` on."""
    return lambda start, stop, _: (None, np.arange(first + start, first + stop, dtype=np.int32))


@dataclasses.dataclass(frozen=True)
class _ValuesOfInputs:
    """Values of coalitions given by number for each of several inputs: (rows, inputs).

    Attributes:
        is_folded: whether they come from the contributions of the players.
        at_once: inputs whose rows are computed together.
    """

    is_folded: bool
    at_once: int

    def __call__(self, fixed: tuple[Game, Array, Any], whole: Any, numbers: Array) -> Array:
        game, x, outputs = fixed
        network: Any = game.value

        def of_input(one: tuple[Array, Any]) -> Array:
            own = dataclasses.replace(game, params=game.params._replace(x=one[0], output=one[1]))
            parts = network.contributions(own.params, game.n_players) if self.is_folded else None
            return values_of_numbers((own, parts), whole, numbers)

        return lax.map(of_input, (x, outputs), batch_size=self.at_once).T
