"""Exact multi-order interactions of small games, from all 2**n values, and the theory's learning strength.

Precision: tables in NumPy or lists, and games, are computed in float64 and give NumPy float64, whatever the global JAX
settings are. A table that is a `jax.Array` gives a `jax.Array` of its dtype, rounded once; a traced one is computed in
that dtype throughout.
"""

import itertools
import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from interjax._core._checks import check_count
from interjax.tables._context_sums import check_size, coalitions_of_size, context_sums
from interjax.tables._indices import as_table
from interjax.tables._rounding import orders_rounding
from interjax.tables._transforms import like, n_players_of


def exact_order_interactions(game_or_table: Any, size: int = 2) -> Any:
    """Exact interactions of every order m (context size) of all coalitions T of `size` players.

    I^(m)(T) = mean over the contexts S outside T with |S| = m of sum over L in T of (-1)^(|T|-|L|) v(S + L).

    size=1 gives the multi-order marginal contributions, size=2 the multi-order interactions of pairs, size=3 of
    triples. The mean over m is the Shapley value (size=1) or the Shapley interaction index.

    Args:
        game_or_table: 2**n real values v(S), bit i of the index = player i, or a game (`n_players` and a call on bool
            masks (batch, n)), which is evaluated on all 2**n coalitions. n from `size` to 26.
        size: number of players of T: 1, 2 or 3.

    Returns:
        [m, i, ...], in the units of v, of shape (n, n) for size=1, (n-1, n, n) for size=2, (n-2, n, n, n) for size=3;
        symmetric in the players, and 0 where two of them are equal. NaN in the table spreads to every entry that
        depends on it. What rounding of the values leaves open is told by `ij.tables.exact_order_rounding`.

    Raises:
        ValueError: size is not 1, 2 or 3, or larger than n; a table whose length is no power of two or whose values are
            not real; more than 26 players.

    Warns:
        UserWarning: if no interaction is told from rounding of the values (see `ij.tables.exact_order_rounding`).

    Example:
        >>> import interjax as ij
        >>> both_of_three = [0, 0, 0, 1, 0, 0, 0, 1]  # players 0 and 1 together; player 2 does nothing
        >>> ij.exact_order_interactions(both_of_three)[:, 0]  # of player 0, orders 0 and 1
        array([[0., 1., 0.],
               [0., 1., 0.]])

    References:
        Zhang et al. 2020; Deng et al., ICLR 2022, arXiv:2111.06236 (multi-order interaction of a pair).
    """
    size = check_count("size", size, most=3, about="players, pairs or triples (larger ones have ij.interaction_index)")
    table = as_table(game_or_table)
    check_size(n_players_of(table), size)
    if isinstance(table, Tracer):
        return _interactions_jax(table, size)
    found = _interactions(np.asarray(table, np.float64), size)
    _warn_if_within(found, orders_rounding(game_or_table, table, size))
    return like(game_or_table, found)


def _warn_if_within(found: np.ndarray, rounding: np.ndarray) -> None:
    """Warn if interactions (orders, ...) differ from 0 by no more than rounding; those that are all 0 are no noise."""
    largest = np.abs(found).reshape(len(found), -1).max(axis=1)
    if largest.any() and np.all(largest <= 2 * rounding):
        warnings.warn(
            f"the interactions, up to {largest.max():.2g}, are within what rounding makes of the values of the table, "
            f"{2 * rounding.max():.2g}: none is told from 0. Should there be some, take a constant off the values or "
            "compute them in float64",
            stacklevel=3,
        )


def _interactions(table: Any, size: int) -> Any:
    xp: Any = np if isinstance(table, np.ndarray) else jnp
    n_players = n_players_of(table)
    contexts = [math.comb(n_players - size, m) for m in range(n_players - size + 1)]
    means = context_sums(table, size, "difference")[size] / xp.asarray(contexts, table.dtype)[None]
    padded = xp.concatenate([means, xp.zeros_like(means[:1])])  # the last row stands for equal players
    return xp.moveaxis(padded[_row_of_players(n_players, size)], -1, 0)


_interactions_jax = jax.jit(_interactions, static_argnames="size")


def _row_of_players(n_players: int, size: int) -> np.ndarray:
    """For players (i, ...) in any order, the row of their coalition; where some are equal, the row after the last."""
    coalitions = coalitions_of_size(n_players, size)
    rows = np.full((n_players,) * size, len(coalitions))
    for order in itertools.permutations(range(size)):
        rows[tuple(coalitions[:, order].T)] = np.arange(len(coalitions))
    return rows
