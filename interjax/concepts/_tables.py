"""The tables of many inputs' games at once: all coalitions of all inputs in a few calls of one compiled program."""

import itertools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from interjax._core._checks import check_classes, check_progress
from interjax._core._progress import Progress
from interjax._engine._dispatch import Kept, shapes_of
from interjax.concepts._players import MOST_PLAYERS
from interjax.games._batches import at_rows, rows_of
from interjax.games._game import Game
from interjax.games._masking import Masking
from interjax.games._models import as_apply
from interjax.games._outputs import log_odds
from interjax.games._players import Players
from interjax.games._tabulate import tabulate_inputs
from interjax.games._tree_players import TreePlayers

_INPUTS_AT_ONCE = 32


def concept_tables(
    model: Any,
    x: Any,
    labels: Sequence[int] | Any,
    *,
    players: Any,
    baseline: Any = 0.0,
    output: Any = log_odds,
    precision: str | None = "float32",
    progress: Progress | None = None,
) -> np.ndarray:
    """Tabulate the masked games of a batch of inputs: v(S|x) for every coalition S.

        tables[x, index] = output(label of x)(network(x on S, baseline elsewhere)),  bit i of index = player i in S

    The values of `ij.tabulate` for each game of `ij.masked_games`, to float rounding. One compiled program runs through
    inputs and coalitions, so that games of few players do not wait for one call each.

    Args:
        model: an `nnx.Module`, (Linen module, variables), (function(params, inputs), params) or function(inputs).
        x: inputs (inputs, *input shape), or several arrays in dicts, tuples and lists, each of one row an input.
        labels: (inputs,) class numbers.
        players, baseline, output, precision: as for `ij.masked_games`; at most 20 players. Labels are classes, so that
            output=None is the log-odds of the label, too.
        progress: called with (inputs tabulated, inputs in all).

    Returns:
        float32 (inputs, 2**n), on one device and then in NumPy; 4 bytes times 2**n for each input.

    Raises:
        ValueError: no inputs, more than 20 players, and as `ij.masked_games`.

    Warns:
        UserWarning: if values are NaN or infinite, naming the inputs; they stay in the tables.

    Example:
        >>> import interjax as ij, jax.numpy as jnp
        >>> concept_tables(lambda x: x @ jnp.eye(2), np.array([[1.0, 2.0], [3.0, 5.0]]), [0, 1],
        ...                players=ij.Players.features(2), output=ij.logit).tolist()
        [[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 5.0, 5.0]]
    """
    tables = tables_in(
        model,
        x,
        labels,
        Masking.of_classes(players, baseline, output, precision),
        progress=progress,
    )
    warn_of_nonfinite(tables)
    return tables


def tables_in(
    model: Any,
    x: Any,
    labels: Any,
    masking: Masking,
    *,
    progress: Progress | None = None,
    kept: Callable[[int], Kept] | None = None,
) -> np.ndarray:
    """The tables of `concept_tables`, without its warning.

    Args:
        kept: number of a call of the compiled program -> what keeps its values until all are there.
    """
    check_progress(progress)
    if isinstance(masking.players, Players):
        _check_count(masking.players)
    masking, x = masking.on(x)
    players = masking.players
    _check_count(players)
    labels = check_classes("labels", labels, rows_of(x, "x"))
    apply, params = as_apply(model, x)
    model = (apply, jax.tree.map(jnp.asarray, params))
    is_double = any(leaf.dtype == np.float64 for leaf in jax.tree.leaves(x))
    tables = np.empty((len(labels), 2**players.n), np.float64 if is_double else np.float32)
    done, calls = 0, itertools.count()
    for games in _same_program(model, x, labels, masking):
        rows = np.concatenate([np.flatnonzero(labels == label) for label in games])
        for part in np.array_split(rows, -(-len(rows) // _INPUTS_AT_ONCE)):
            tables[part] = _tabulate(games, at_rows(x, part), labels[part], kept and kept(next(calls)))
            done += len(part)
            if progress is not None:
                progress(done, len(labels))
    return tables


def _check_count(players: Players | TreePlayers) -> None:
    """Raise ValueError for more players than are tabulated."""
    if players.n > MOST_PLAYERS:
        raise ValueError(
            f"players: {players.n} have 2**{players.n} coalitions; at most {MOST_PLAYERS} are tabulated: choose fewer "
            "(ij.concepts.choose_players), or use ij.concepts.sparse_concepts, which samples coalitions"
        )


def _same_program(model: Any, x: Any, labels: np.ndarray, masking: Masking) -> list[dict[int, Game]]:
    """A game for each label, checked, in groups whose outputs differ by arrays alone and so share compiled code."""
    groups: dict[Any, dict[int, Game]] = {}
    for row in np.sort(np.unique(labels, return_index=True)[1]):
        game = masking.game(model, at_rows(x, row), int(labels[row]))
        groups.setdefault(shapes_of(game.params.output), {})[int(labels[row])] = game
    return list(groups.values())


def _tabulate(games: dict[int, Game], x: Any, labels: np.ndarray, kept: Kept | None) -> np.ndarray:
    """The tables of some inputs, whose labels' games share compiled code."""
    game = next(iter(games.values()))
    outputs = [games[int(label)].params.output for label in labels]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *outputs)
    own = jax.tree.map(lambda leaf, like: leaf.astype(like.dtype), x, game.params.x)
    return tabulate_inputs(game, own, stacked, kept)


def warn_of_nonfinite(tables: np.ndarray) -> None:
    """Warn of values of games that are NaN or infinite, and in which inputs' tables they are."""
    bad = ~np.isfinite(tables)
    if bad.any():
        inputs = np.flatnonzero(bad.any(axis=1))
        named = ", ".join(map(str, inputs[:5])) + (", ..." if len(inputs) > 5 else "")
        warnings.warn(
            f"{bad.sum()} of {bad.size} values of the games are NaN or infinite, those of inputs {named}: effects need "
            "finite tables, so leave these inputs out. Look for overflow in the network, or for a baseline outside its "
            "domain",
            stacklevel=3,
        )
