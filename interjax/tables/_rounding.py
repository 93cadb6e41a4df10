"""What the rounding of a table's values leaves open in the indices and exact orders that are computed from it."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from interjax._core._checks import check_choice, check_known
from interjax.games._game import Game
from interjax.tables._index_weights import INTERACTION_INDICES, context_weights
from interjax.tables._indices import INDEX_NAMES, LEAST_CORES, OWN_EMPTY_VALUE, as_table, size_of
from interjax.tables._transforms import n_players_of

_LAST_BITS = (1 << 11) - 1  # of a float32's significand; sums of few powers of two, such as counts, leave them empty


def index_rounding(game_or_table: Any, name: str, size: int | None = None) -> np.ndarray:
    """The standard error that rounding of the values leaves in an exact index: eps max |v| sqrt(sum of weights^2).

    An index is sum over S of w(S) v(S) with weights that depend on sizes only; each v(S) is known to eps max |v|. eps
    is that of the values' type, or of a game's network where that is coarser, and of single precision where values in
    double precision are those of a network in single. An index within twice this error is not told from 0. What sums
    inside a network lose on the way to its values is not in them.

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
    unit = game_or_table.unit if isinstance(game_or_table, Game) else _unit(game_or_table)
    table = np.asarray(as_table(game_or_table), np.float64)
    n_players = n_players_of(table)
    size = size_of(name, size, n_players)
    copies = [2**t if name in INTERACTION_INDICES else 2 for t in range(size + 1)]
    roots = []
    for t in range(size + 1):
        contexts = np.array([math.comb(n_players - t, m) for m in range(n_players - t + 1)], float)
        weights = context_weights(name, n_players, t, size)
        used = contexts[: len(weights)] * weights**2
        roots += [math.sqrt(copies[t] * used.sum())] * math.comb(n_players, t)
    if name not in OWN_EMPTY_VALUE:
        roots[0] = 1.0  # v(0)
    largest = np.max(np.abs(table)) if np.isfinite(table).all() else np.nan
    return max(unit, _unit(table)) * largest * np.array(roots)


def _unit(values: Any) -> float:
    """eps of the arithmetic that the values show."""
    check_known("game_or_table", values if hasattr(values, "dtype") else ())
    kind = getattr(values, "dtype", np.float64)
    if jnp.issubdtype(kind, jnp.floating) and kind != np.float64:
        return float(jnp.finfo(kind).eps)
    found = np.asarray(values, np.float64) if kind == np.float64 and hasattr(values, "shape") else np.zeros(0)
    found = found[np.isfinite(found)]
    with np.errstate(over="ignore"):
        single = found.astype(np.float32)
    if len(found) and np.array_equal(single, found) and np.mean(single.view(np.int32) & _LAST_BITS != 0) > 0.5:
        return float(np.finfo(np.float32).eps)
    return float(np.finfo(np.float64).eps)
