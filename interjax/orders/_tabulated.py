"""Exact interactions of a small game: from all 2^n values, where these take no more passes than sampling would."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from interjax._core._checks import shown
from interjax.games._game import Game
from interjax.games._measured_rounding import measured_rounding
from interjax.games._tabulate import MAX_TABLE_PLAYERS
from interjax.orders._estimators import Estimates
from interjax.orders._rounding import Rounding, check_host_again, resolution
from interjax.tables._context_sums import coalitions_of_size, context_sums

_IN_DOUBLE = 24  # values that show how far they are off


def check_exact(exact: Any, n_players: int) -> bool | None:
    """True, False or None; ValueError otherwise, or where the game is too large to be tabulated as is asked for."""
    if exact is None:
        return None
    if not isinstance(exact, bool | np.bool_):
        raise ValueError(
            "exact must be True (evaluate all 2**n coalitions), False (sample contexts) or None (what takes fewer "
            f"passes), got {shown(exact)}"
        )
    if exact and n_players > MAX_TABLE_PLAYERS:
        raise ValueError(
            f"exact must be None or False for a game of {n_players} players, which has 2**{n_players} coalitions, got "
            f"True: contexts of it are sampled; or take fewer, coarser players, at most {MAX_TABLE_PLAYERS}"
        )
    return bool(exact)


def is_tabulated(exact: bool | None, n_players: int, passes: Callable[[], float]) -> bool:
    """Whether all 2^n coalitions are evaluated: as it was asked for, else where sampling takes no fewer passes."""
    if exact is None:
        return n_players <= MAX_TABLE_PLAYERS and 2**n_players <= passes()
    return exact


def contexts_of(n_players: int, size: int, orders: Sequence[int]) -> np.ndarray:
    """How many contexts coalitions of this size have at each order, C(n - k, m)."""
    return np.array([math.comb(n_players - size, order) for order in orders])


def table_resolution(game: Game, table: np.ndarray, size: int) -> float:
    """The error that rounding of a game's table leaves in its interactions, sqrt(2^k) eps max |v|.

    How far values are off is what they show, and what a few in double precision tell.

    Some values of a host game are asked for again; a warning tells if they are others.
    """
    few = np.random.default_rng(0).choice(len(table), min(_IN_DOUBLE, len(table)), replace=False)
    masks = few[:, None] >> np.arange(game.n_players) & 1 == 1
    values = np.asarray(table[few], np.float64)
    if game.on_host:
        check_host_again(game, masks, values)
    off = max(Rounding.of_game(game, table).of(table), measured_rounding(game, masks, values))
    return float(resolution(off, size))


def interactions_of(game: Game, table: np.ndarray, coalitions: np.ndarray, orders: Sequence[int]) -> np.ndarray:
    """I^(m)(T) of a game's table for coalitions (P, k) at each order: float64 (orders, P).

    NaN where values that are not finite enter, and exactly 0 for coalitions with a player known to change nothing.
    """
    n_players, size = game.n_players, coalitions.shape[1]
    values = np.asarray(table, np.float64)
    sums = context_sums(np.where(np.isfinite(values), values, np.nan), size, "difference")[size]
    places = n_players ** np.arange(size)[::-1]  # of players as digits: lexicographic order is that of the numbers
    rows = np.searchsorted(coalitions_of_size(n_players, size) @ places, coalitions @ places)
    found = sums[rows][:, list(orders)].T / contexts_of(n_players, size, orders)[:, None]
    if game.is_null is not None:
        found[:, np.asarray(game.is_null)[coalitions].any(axis=1)] = 0.0
    return found


def estimates_of_table(game: Game, table: np.ndarray, coalitions: np.ndarray, orders: Sequence[int]) -> Estimates:
    """Interactions whose error is that of rounding alone."""
    mean = interactions_of(game, table, coalitions, orders)
    contexts = contexts_of(game.n_players, coalitions.shape[1], orders)
    count = np.broadcast_to(contexts[:, None], mean.shape)
    rounding = np.full(mean.shape, table_resolution(game, table, coalitions.shape[1]))
    return Estimates(
        mean=mean,
        stderr=np.where(np.isnan(mean), np.nan, rounding),
        freedom=np.full(mean.shape, np.inf),
        exact=np.ones(mean.shape, bool),
        count=count.copy(),
        n_forwards=len(table) * game.passes,
        n_nonfinite=int(np.count_nonzero(~np.isfinite(table))),
        variance=np.zeros(mean.shape),
        own_variance=np.zeros(mean.shape),
        rounding=rounding,
    )
