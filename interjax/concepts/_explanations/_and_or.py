"""The sparsest AND-OR explanation of a game, to the optimum of its linear program."""

import dataclasses
import functools
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from interjax._core._checks import check_number
from interjax._core._precision import float64
from interjax.concepts._explanations import _linear_program as program
from interjax.concepts._explanations._effects import AndOr
from interjax.games._game import Game
from interjax.games._tabulate import tabulate
from interjax.tables._rounding import unit_of
from interjax.tables._transforms import float_type, n_players_of, or_interactions, real_table

MAX_PLAYERS = 13
_FLOOR = 1e-9  # of the largest value: a noise bound below it is met exactly, by a last correction
_DUST = (1e-10, 1e-9, 1e-8, 1e-7, 1e-6)  # shares of the strongest effect, of which the largest that does no harm
_RESERVE = 1e-5  # of the noise bound, kept for what is rounded to 0
_ENTRIES_AT_ONCE = 1 << 18  # of the normal matrices that are factorised together


def and_or(table: Any, *, noise: float = 0.04, tolerance: float = 1e-10) -> AndOr:
    """The sparsest explanation of a game by AND and OR interactions, to the optimum of its linear program.

        minimise    sum over L of |I_and(L)| + |I_or(L)|
        subject to  v(S) - v(empty) + q(S) = sum over L in S of I_and(L) + sum over L meeting S of I_or(L),
                    |q(S)| <= noise |v(N) - v(empty)| for every S, the empty one included.

    The optimum is rarely unique. Tie-break: of the optimal explanations, the one that places its strength on the
    smallest coalitions, on AND before OR at equal size, and then by a fixed order of the coalitions. It is made by
    costs of 1 to 1 + 2e-5 instead of 1, so that the loss may lie above the optimum by that share; `gap` counts it.
    `stability` tells how much of the explanation hangs on such a choice. An OR effect of the empty set or of one player
    equals the AND effect and is given as such.

    The program is solved by an interior-point method with exact second-order steps, in float64 whatever JAX's global
    setting, in 15 to 45 iterations of O(8**n) operations each.

    Args:
        table: real values v(S), shape (..., 2**n), bit i of the index = player i; leading axes are independent games.
            Or a game, which is tabulated, and whose names of players the explanation has.
        noise: the largest |q(S)| as a share of |v(N) - v(empty)|, >= 0; the papers take 0.04 or 0.02. More noise makes
            sparser explanations that fit the table less.
        tolerance: relative gap of the program with tie-break at which to stop; 1e-4 takes about half of the time and
            leaves the tie-break undecided.

    Returns:
        `AndOr`: NumPy float64, or, if that is what came, `jax.Array` of the table's dtype (also under jit and vmap).

    Raises:
        ValueError: the last axis is no power of two long, more than 13 players, values that are not finite (where they
            are known; under jit and vmap such a game's results are NaN), or noise that is negative or not finite.

    Warns:
        UserWarning: if no effect of a table is told from rounding of its values.

    Example:
        >>> import interjax as ij
        >>> found = ij.concepts.and_or([0.0, 3.0, 3.0, 3.0], noise=0.0)  # 3 as soon as either player is there
        >>> found.or_effects.round(6).tolist(), round(float(found.loss), 6), bool(found.gap < 1e-4)
        ([0.0, 0.0, 0.0, 3.0], 3.0, True)

    References:
        Li and Zhang 2023, arXiv:2304.13312, and Zhou et al., AAAI 2024, arXiv:2302.13091 (the sparsest AND-OR
        interactions, there by gradient descent); Mehrotra 1992 (the method).
    """
    names = table.player_names if isinstance(table, Game) else ()
    table = _tabulated(table) if isinstance(table, Game) else table
    values, noise = check_table(table), check_noise(noise)
    n_players = n_players_of(values)
    flat = values.reshape(-1, 1, values.shape[-1])
    with float64():
        costs = program.tie_break_costs(n_players)
        found = solve_games(flat, noise, costs, share=0.0, tolerance=tolerance)
    if not isinstance(values, Tracer):
        warn_if_rounding(table, np.asarray(values, np.float64), found["effects"][:, 0])
    return dataclasses.replace(_as_explanation(table, found), player_names=names)


def _tabulated(game: Game) -> Any:
    """All values of a game; ValueError, before it is evaluated, if it has too many players."""
    _check_n_players("table", game.n_players)
    return tabulate(game)


def warn_if_rounding(table: Any, values: np.ndarray, effects: np.ndarray) -> None:
    """Warn of games no effect of which is told from 0, as rounding of the values makes effects of its own.

    Args:
        table: as it came, whose type tells how its values are rounded.
        values: its values as float64, (..., 2**n).
        effects: those of its games, (games, 2, 2**n).
    """
    largest = np.abs(values).reshape(-1, values.shape[-1]).max(axis=1)
    rounding = 2 * unit_of(table, values) * largest
    strength = np.abs(effects).max(axis=1) / np.sqrt(2.0 ** np.bitwise_count(np.arange(values.shape[-1])))
    within = (np.abs(effects) > 0).any(axis=(1, 2)) & (strength.max(axis=1) <= rounding)
    if within.any():
        warnings.warn(
            f"{np.sum(within)} of {len(within)} tables have effects, up to {np.abs(effects[within]).max():.2g}, that "
            "are within what rounding makes of the values, which go up to "
            f"{largest[within].max():.2g}: none is told from 0. Should there be some, take a constant off the values "
            "or compute them in float64",
            stacklevel=3,
        )


def check_table(table: Any, name: str = "table") -> Any:
    """The table as a floating array; ValueError if it has too many players or values that are not finite."""
    values = real_table(table, name)
    _check_n_players(name, n_players_of(values, name))
    if not isinstance(values, Tracer):
        check_finite(values, name)
    return values


def _check_n_players(name: str, n_players: int) -> None:
    if not 1 <= n_players <= MAX_PLAYERS:
        raise ValueError(
            f"{name} must be of 1 to {MAX_PLAYERS} players for an AND-OR explanation, got {n_players}: join "
            "players into larger ones, or use ij.moebius (AND alone, up to 26 players) or ij.concepts.sparse_concepts"
        )


def check_finite(values: Any, name: str) -> None:
    """Raise ValueError if values of a table are NaN or infinite."""
    bad = int(np.count_nonzero(~np.isfinite(np.asarray(values))))
    if bad:
        raise ValueError(
            f"{name} must be finite, got {bad} of {np.size(values)} values that are NaN or infinite, so that no "
            "explanation exists: look for overflow in the network or a baseline outside its domain, and leave such "
            "inputs out"
        )


def check_noise(noise: float) -> float:
    """The share of noise as a float; ValueError unless it lies in [0, 1]."""
    return check_number("noise", noise, "[0, 1]", about="a share of |v(N) - v(empty)|, usually 0.04")


def solve_games(flat: Any, noise: float, costs: Any, *, share: float, tolerance: float) -> dict[str, Any]:
    """Solve the programs of problems (problems, games, 2**n): effects, loss, gap and the rest, problem by problem.

    Large problems are solved one by one, small ones several at once.
    """
    tolerance = check_number("tolerance", tolerance, "(0, 1)", about="a relative gap")
    options = {"noise": noise, "costs": costs, "share": share, "tolerance": tolerance}
    if isinstance(flat, Tracer):
        return _solve_problems(flat.astype(jnp.float64), **options)
    count, games, coalitions = flat.shape
    if not count:
        raise ValueError("table must hold at least one game, got none")
    size = min(count, max(1, _ENTRIES_AT_ONCE // (games * coalitions) ** 2))
    found = []
    for start in range(0, count, size):
        # The last part repeats the last problem, so that all have one shape and compile once.
        part = np.asarray(flat[np.minimum(np.arange(start, start + size), count - 1)], np.float64)
        found.append(jax.tree.map(np.asarray, _solve_problems(part, **options)))
    return {name: np.concatenate([part[name] for part in found])[:count] for name in found[0]}


@functools.partial(jax.jit, static_argnames="share")
def _solve_problems(flat: Array, noise: Array, costs: Array, share: float, tolerance: Array) -> dict[str, Array]:
    solve_one = functools.partial(_solve_problem, costs=costs, noise=noise, share=share, tolerance=tolerance)
    if len(flat) == 1:  # products of single matrices are faster than batches of one
        return jax.tree.map(lambda leaf: leaf[None], solve_one(flat[0]))
    return jax.vmap(solve_one)(flat)


def _solve_problem(tables: Array, costs: Array, noise: Array, share: float, tolerance: Array) -> dict[str, Array]:
    """One problem, games (games, 2**n), in the units of the tables."""
    empty = tables[:, 0]
    values = tables - empty[:, None]
    bound = noise * jnp.abs(values[:, -1])
    scale = jnp.abs(values).max()
    unit = jnp.where(scale > 0, scale, 1.0)
    relative = jnp.maximum(bound / unit * (1 - _RESERVE), _FLOOR)
    solved = program.solve(values / unit, relative, costs, share=share, tolerance=tolerance)
    effects = jnp.where(scale > 0, solved.effects * unit, 0.0)  # a constant game needs no effect
    effects = _within(_without_dust(effects, values, bound), values, bound)
    plain = jnp.ones_like(costs)
    loss = program.objective(effects, plain, share)
    least, slope = program.lower_bound(values, bound, solved.dual, plain, share)
    # v(empty) is taken off every value, and the bound moves with v(N) - v(empty).
    tilt = noise * jnp.abs(slope).sum(axis=1) * jnp.sign(values[:, -1])
    slope = slope.at[:, -1].add(-tilt).at[:, 0].add(tilt - slope.sum(axis=1))
    return {
        "effects": effects,
        "loss": loss,
        "gap": jnp.maximum(loss - least, 0.0),
        "noise_bound": bound,
        "empty_value": empty,
        "slope": slope,
        "n_iterations": solved.n_iterations,
    }


def _without_dust(effects: Array, values: Array, bound: Array) -> Array:
    """Effects without those that the method leaves at a tiny share of the strongest, as far as the bound is met so."""
    strength = jnp.abs(effects)
    for share in _DUST:
        fewer = jnp.where(strength >= share * strength.max(axis=(1, 2), keepdims=True), effects, 0.0)
        excess = jnp.abs(program.rebuild(fewer) - values).max(axis=1) - bound
        effects = jnp.where((excess <= 0)[:, None, None], fewer, effects)
    return effects


def _within(effects: Array, values: Array, bound: Array) -> Array:
    """Effects that meet the noise bound to rounding, by an exact correction of what is left over it."""
    excess = program.rebuild(effects) - values
    excess = excess - jnp.clip(excess, -bound[:, None], bound[:, None])
    start = excess[:, 0]
    rest = or_interactions(excess - start[:, None])
    fitting = program.in_use(jnp.stack([rest, rest], axis=1))[:, 1]
    # OR effects of one player are given as AND effects; what the empty set is off by is its own AND effect.
    correction = jnp.stack([rest - fitting, fitting], axis=1).at[:, 0, 0].add(start)
    return effects - correction


def _as_explanation(table: Any, found: dict[str, Any]) -> AndOr:
    """The result for tables (..., 2**n), whose games were solved one by one, in the tables' own array type."""
    *batch, length = np.shape(table)
    kind = float_type(table)

    def shaped(name: str, *, per_coalition: bool = False) -> Any:
        array = found[name].reshape((*batch, length) if per_coalition else tuple(batch))
        if name == "n_iterations" or kind is None:
            return array
        return jax.lax.convert_element_type(jnp.asarray(array), kind)

    parts = {"and_effects": found["effects"][:, 0, 0], "or_effects": found["effects"][:, 0, 1]}
    found = found | parts
    with float64():
        return AndOr(
            **{name: shaped(name, per_coalition=True) for name in ("and_effects", "or_effects", "slope")},
            **{name: shaped(name) for name in ("loss", "gap", "noise_bound", "empty_value", "n_iterations")},
        )
