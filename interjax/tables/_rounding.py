"""What the rounding of a table's values leaves open in the indices and exact orders that are computed from it."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from interjax._core._checks import check_choice, check_count, check_known
from interjax._core._precision import are_float32
from interjax.games._game import Game
from interjax.games._measured_rounding import measured_rounding
from interjax.tables._context_sums import check_size
from interjax.tables._index_weights import INTERACTION_INDICES, context_weights
from interjax.tables._indices import INDEX_NAMES, LEAST_CORES, OWN_EMPTY_VALUE, as_table, size_of
from interjax.tables._transforms import n_players_of

_COALITIONS = 64  # that are computed again in double precision


def index_rounding(game_or_table: Any, name: str, size: int | None = None) -> np.ndarray:
    """The standard error that rounding of the values leaves in an exact index.

    It is eps max |v| times the larger of

        sqrt(2^t) sum over S of |p(S)|  and  sqrt(sum over s of (sum over |S| = s of w(S))^2).

    An index of a coalition T of t players is sum over contexts S of p(S) (difference of T at S), or sum over S of w(S)
    v(S), with weights that depend on sizes only; each v(S) is known to eps max |v|. The first is right where the
    corners of a difference are off by themselves, but alike in all contexts, the second where values of coalitions of
    one size are off alike, as those of a network that counts; where all are off by themselves, the error is smaller.
    eps is that of the values' type, or of a game's network where that is coarser, and of single precision where values
    in double precision are those of a network in single. What sums inside the network of a game lose on the way to its
    values is measured on a few coalitions, which are computed again in double precision where that is possible; a table
    does not show it. An index within twice this error is not told from 0.

    Args:
        game_or_table, name, size: as for `interaction_index`.

    Returns:
        float64 (k,), in the units of v, in the order of `interaction_index(...).values`; NaN where
        values of the table are not finite.

    Raises:
        ValueError: as `interaction_index`; a traced table; ELC and ELC-joint, which are not linear in v.

    Example:
        >>> import interjax as ij, numpy as np
        >>> table = np.float32([1000, 1000.1, 1000.3, 1000.4])
        >>> bool(abs(ij.interaction_index(table, "SII")[0, 1]) < 2 * ij.tables.index_rounding(table, "SII")[-1])
        True
    """
    check_choice("name", name, INDEX_NAMES)
    if name in LEAST_CORES:
        raise ValueError(f"name must be that of an index that is linear in the values, got {name!r}")
    table = as_table(game_or_table)
    error = values_rounding(game_or_table, table)
    n_players = n_players_of(table)
    size = size_of(name, size, n_players)
    roots = [_amplified(name, n_players, t, size) for t in range(size + 1) for _ in range(math.comb(n_players, t))]
    if name not in OWN_EMPTY_VALUE:
        roots[0] = 1.0  # v(0)
    return error * np.array(roots)


def _amplified(name: str, n_players: int, t: int, size: int) -> float:
    """By how much an index of t players is off where values are off by 1, in one of two ways alike."""
    weights = context_weights(name, n_players, t, size)
    of_sizes = weights * [math.comb(n_players - t, m) for m in range(len(weights))]
    if name in INTERACTION_INDICES:
        corners = np.array([(-1) ** (t - k) * math.comb(t, k) for k in range(t + 1)], float)
    else:
        corners = np.array([-1.0, *[0.0] * (t - 1), 1.0])[-t - 1 :]
    of_difference = math.sqrt(2**t if name in INTERACTION_INDICES else 2)
    return max(of_difference * float(np.abs(of_sizes).sum()), float(np.linalg.norm(np.convolve(of_sizes, corners))))


def exact_order_rounding(game_or_table: Any, size: int = 2) -> np.ndarray:
    """The standard error that rounding of the values leaves in each order of `exact_order_interactions`.

        sqrt(2^size) eps max |v|

    The interaction of a coalition is a mean over contexts of sums of 2^size values, which rounding may take off alike
    in all contexts; eps is as for `index_rounding`. An interaction within twice this error is not told from 0.

    Args:
        game_or_table, size: as for `exact_order_interactions`.

    Returns:
        float64 (n - size + 1,), for each order m, in the units of v; NaN where values of the table are not finite.

    Raises:
        ValueError: as `exact_order_interactions`; a traced table.

    Example:
        >>> import interjax as ij, numpy as np
        >>> table = np.float32([1000, 1000.1, 1000.3, 1000.4])
        >>> bool(np.all(np.abs(ij.tables.exact_order_rounding(table)) > 1e-4))
        True
    """
    size = check_count("size", size, most=3, about="players, pairs or triples")
    table = as_table(game_or_table)
    check_size(n_players_of(table), size)
    return orders_rounding(game_or_table, table, size)


def orders_rounding(game_or_table: Any, table: Any, size: int) -> np.ndarray:
    """`exact_order_rounding` of a game or table whose values are known."""
    return np.full(n_players_of(table) - size + 1, values_rounding(game_or_table, table) * math.sqrt(2.0**size))


def values_rounding(game_or_table: Any, table: Any) -> float:
    """How far the values of a table may be off, eps max |v|, or what a game's network rounds where that is more.

    eps is that of the values' type, of a game's network where it is coarser, or of single precision where values in
    double precision are those of a network in single. NaN where values are not finite.
    """
    check_known("game_or_table", table)
    is_game = isinstance(game_or_table, Game)
    values = np.asarray(table, np.float64)
    unit = unit_of(values if is_game else game_or_table, values)
    if is_game:
        unit = max(unit, game_or_table.unit)
    if not np.isfinite(values).all():
        return np.nan
    found = unit * float(np.max(np.abs(values)))
    return max(found, _of_game(game_or_table, values)) if is_game else found


def unit_of(table: Any, values: np.ndarray) -> float:
    """The eps of a table's type, of single precision where values in double precision are those of a network in single.

    Args:
        table: as it came.
        values: its values as float64.
    """
    kind = getattr(table, "dtype", np.float64)
    if kind == np.float64 and not isinstance(table, list | tuple) and are_float32(values):
        kind = np.float32
    return float(jnp.finfo(kind if jnp.issubdtype(kind, jnp.floating) else np.float64).eps)


def _of_game(game: Game, values: np.ndarray) -> float:
    """What a network rounds on the way to its values: of its outputs, and as a few coalitions in float64 tell."""
    few = np.random.default_rng(0).choice(len(values), min(_COALITIONS, len(values)), replace=False)
    masks = (few[:, None] >> np.arange(game.n_players) & 1).astype(bool)
    outputs = 0.0 if game.rounding is None else float(game.rounding)
    return max(outputs, measured_rounding(game, masks, values[few]))
