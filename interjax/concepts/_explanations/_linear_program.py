"""The linear program of the sparsest AND-OR explanation, solved by a primal-dual interior-point method in float64.

One program explains K games of the same n players together; K = 1 is the explanation of one game. With the effects
x = (and, or) of each game, A x = inverse_moebius(and) + inverse_or_interactions(or), costs c and weight a it is

    minimise    sum over L of c(L) max over k of |x_k(L)|  +  a sum over k, L of c(L) |x_k(L)|
    subject to  |A x_k - v_k| <= bound_k on every coalition,

(for one game the two sums are the same, so a = 0 there), and its dual

    maximise    sum over k of v_k . y_k - bound_k |y_k|_1
    subject to  sum over k of max(|A^T y_k|(L) - a c(L), 0) <= c(L) for every L,

whose value at any y is a lower bound of what can be reached: the difference certifies the solution. The method works on
the dual in inequality form, F w <= b with w = (y, |y|, u), from a strictly feasible start: each iteration solves
F^T diag(x/s) F dw = r. All unknowns but y are eliminated entry by entry, which leaves a matrix A D A^T of K 2**n rows.
Its entries are sums over the coalitions inside an intersection, so it is built by doubling, one player after the other.

References:
    Mehrotra, "On the implementation of a primal-dual interior point method", SIAM J. Optim. 2, 1992 (the steps);
    Li and Zhang 2023, arXiv:2304.13312 (the AND-OR problem).
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from interjax.concepts._explanations._cholesky import solver

MOST_ITERATIONS = 60
TIE_BREAK = 2e-5
_RIDGE = 1e-13  # keeps the scaled normal matrix positive definite when few effects are left
_REFINEMENTS = 2
_LOW_PLAYERS = 7  # at most: the sums over their pairs of coalitions are constants of the program
_MOST_STALLED = 10


class Solved(NamedTuple):
    """Effects (K, 2, 2**n), dual y (K, 2**n), in the units of the values given, and the iterations spent."""

    effects: Array
    dual: Array
    n_iterations: Array


class _Dual(NamedTuple):
    """Unknowns of the dual program, or anything of their shape: y and |y| (K, 2**n), u (K, 2, 2**n)."""

    y: Array
    size: Array
    extra: Array


class _Rows(NamedTuple):
    """One number for each inequality: z <= a c + u, -z <= a c + u, sum of u <= c, u >= 0, y <= |y|, -y <= |y|.

    Computed with as one flat vector, which XLA compiles several times faster than six arrays.
    """

    above: Array
    below: Array
    total: Array
    extra: Array
    right: Array
    left: Array


class _State(NamedTuple):
    unknowns: _Dual
    slacks: Array  # flat rows
    multipliers: Array  # flat rows
    best: tuple[Array, Array, Array]  # merit, effects, dual
    stalled: Array
    iteration: Array


def tie_break_costs(n_players: int) -> np.ndarray:
    """Costs of effects (2, 2**n) that choose among the optimal explanations: 1 + TIE_BREAK * (a number in [0, 1)).

    The number grows with the size of the coalition; at equal size it is larger for OR than for AND, and within a kind
    it follows a fixed scattered order of the coalitions, so that, but for coincidences, one explanation is cheapest.
    """
    index = np.arange(1 << n_players)
    size = np.bitwise_count(index)
    scattered = index * 0.6180339887498949 % 1.0
    preference = np.stack([size + 0.25 * scattered, size + 0.5 + 0.25 * scattered])
    return 1.0 + TIE_BREAK * preference / (n_players + 1)


def effective(n_players: int) -> np.ndarray:
    """1 for every effect in use (2, 2**n); 0 for the OR effects of no and of one player, which repeat AND effects."""
    size = np.bitwise_count(np.arange(1 << n_players))
    return np.stack([np.ones(size.shape), size >= 2.0])


def in_use(effects: Float[Array, "*batch 2 coalitions"]) -> Float[Array, "*batch 2 coalitions"]:
    """The effects, with 0 for those that are not in use."""
    return effects * jnp.broadcast_to(effective(effects.shape[-1].bit_length() - 1), effects.shape)


def rebuild(effects: Float[Array, "*batch 2 coalitions"]) -> Float[Array, "*batch coalitions"]:
    """A x: the values that effects add up to, where the OR effect of the empty set counts nothing."""
    conjunctions, disjunctions = effects[..., 0, :], effects[..., 1, :]
    missed = _zeta(disjunctions)[..., ::-1]
    return _zeta(conjunctions) + disjunctions.sum(axis=-1, keepdims=True) - missed


def rebuild_transposed(values: Float[Array, "*batch coalitions"]) -> Float[Array, "*batch 2 coalitions"]:
    """A^T y, with 0 for the effects that are not in use."""
    inside = _superset_sums(values)
    meeting = values.sum(axis=-1, keepdims=True) - _superset_sums(values[..., ::-1])
    return in_use(jnp.stack([inside, meeting], axis=-2))


def lower_bound(values: Array, bound: Array, dual: Array, costs: Array, share: float) -> tuple[Array, Array]:
    """The dual value of y, scaled to be feasible where it is not, and the scaled y."""
    pull = jnp.abs(rebuild_transposed(dual))
    both = jnp.maximum(pull - share * costs[None], 0.0).sum(axis=0) / costs
    # Scaling y by 1/m scales pull: feasible if sum of max(pull / m - a c, 0) <= c, which m = max(both, 1) ensures.
    scale = 1.0 / jnp.maximum(both.max(), 1.0)
    dual = dual * scale
    return (values * dual).sum() - (bound * jnp.abs(dual).sum(axis=1)).sum(), dual


def objective(effects: Array, costs: Array, share: float) -> Array:
    """The program's objective: c . max over games of |x|, plus a times the sum over games."""
    strength = jnp.abs(effects)
    return (costs * (strength.max(axis=0) + share * strength.sum(axis=0))).sum()


@functools.partial(jax.jit, static_argnames="share")
def solve(
    values: Float[Array, "games coalitions"],
    bound: Float[Array, " games"],
    costs: Float[Array, "2 coalitions"],
    *,
    share: float = 0.0,
    tolerance: Array | float = 1e-8,
) -> Solved:
    """Solve the program for values of magnitude 1 (float64); NaN where values are NaN.

    Args:
        values: v_k(S), empty value 0, the largest |v| about 1.
        bound: of |A x_k - v_k|, positive.
        costs: c of every effect, about 1.
        share: a.
        tolerance: of the gap, relative to the objective.
    """
    state = _start(values, bound, costs, share)

    def unfinished(state: _State) -> Array:
        return (
            (state.iteration < MOST_ITERATIONS)
            & (state.stalled < _MOST_STALLED)
            & (state.best[0] > tolerance)
            & jnp.isfinite(state.unknowns.y).all()
            & jnp.isfinite(values).all()
        )

    state = jax.lax.while_loop(unfinished, functools.partial(_iterate, values, bound, costs, share), state)
    return Solved(state.best[1], state.best[2], state.iteration)


def _flat(rows: _Rows) -> Array:
    return jnp.concatenate([leaf.reshape(-1) for leaf in rows])


def _unflat(flat: Array, games: int, coalitions: int) -> _Rows:
    of_game, of_effect, of_both = (games, coalitions), (2, coalitions), (games, 2, coalitions)
    shapes = (of_both, of_both, of_effect, of_both, of_game, of_game)
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]
    return _Rows(*(part.reshape(shape) for part, shape in zip(jnp.split(flat, ends), shapes, strict=True)))


def _constraints(unknowns: _Dual) -> Array:
    """F w, flat."""
    pull = rebuild_transposed(unknowns.y)
    return _flat(
        _Rows(
            above=pull - unknowns.extra,
            below=-pull - unknowns.extra,
            total=unknowns.extra.sum(axis=0),
            extra=-unknowns.extra,
            right=unknowns.y - unknowns.size,
            left=-unknowns.y - unknowns.size,
        )
    )


def _start(values: Array, bound: Array, costs: Array, share: float) -> _State:
    """A strictly feasible dual point, and multipliers that are feasible but for A x = v."""
    games = len(values)
    zeros, ones = jnp.zeros_like(values), jnp.ones_like(values)
    wide = jnp.broadcast_to(costs, (games, *costs.shape))
    unknowns = _Dual(y=zeros, size=ones, extra=wide / (2 * games))
    slacks = _limits(values, costs, share) - _constraints(unknowns)
    effect = jnp.full_like(wide, 0.1)
    half = 0.5 * bound[:, None] * ones
    multipliers = _flat(_Rows(effect, effect, 3 * effect[0], effect, half, half))
    effects = jnp.zeros_like(wide)
    best = (jnp.asarray(jnp.inf, values.dtype), effects, zeros)
    return _State(unknowns, slacks, multipliers, best, jnp.int32(0), jnp.int32(0))


def _limits(values: Array, costs: Array, share: float) -> Array:
    """b of F w <= b, flat."""
    wide = share * jnp.broadcast_to(costs, (len(values), *costs.shape))
    zeros = jnp.zeros_like(values)
    return _flat(_Rows(wide, wide, costs, jnp.zeros_like(wide), zeros, zeros))


def _iterate(values: Array, bound: Array, costs: Array, share: float, state: _State) -> _State:
    """One predictor-corrector step, kept as the best if its certificate is."""
    unknowns, slacks, multipliers = state.unknowns, state.slacks, state.multipliers
    transposed = jax.linear_transpose(_constraints, unknowns)
    wanted = _Dual(values, -bound[:, None] * jnp.ones_like(values), jnp.zeros_like(unknowns.extra))
    missing = jax.tree.map(jnp.subtract, wanted, transposed(multipliers)[0])
    loose = _limits(values, costs, share) - _constraints(unknowns) - slacks
    newton = _factorise(_unflat(multipliers / slacks, *values.shape))

    def direction(target: Array, refinements: int) -> tuple[_Dual, Array, Array]:
        known = (target - multipliers * loose) / slacks
        step = newton(jax.tree.map(jnp.subtract, missing, transposed(known)[0]), refinements)
        slack_step = loose - _constraints(step)
        return step, slack_step, (target - multipliers * slack_step) / slacks

    products = multipliers * slacks
    mean = products.mean()
    _, slack_step, multiplier_step = direction(-products, 0)
    primal, dual = _longest(multipliers, multiplier_step), _longest(slacks, slack_step)
    ahead = (multipliers + primal * multiplier_step) * (slacks + dual * slack_step)
    centring = mean * (ahead.mean() / mean) ** 3
    corrected = centring - products - multiplier_step * slack_step
    step, slack_step, multiplier_step = direction(corrected, _REFINEMENTS)
    primal, dual = 0.995 * _longest(multipliers, multiplier_step), 0.995 * _longest(slacks, slack_step)
    unknowns = jax.tree.map(lambda x, d: x + dual * d, unknowns, step)
    slacks, multipliers = slacks + dual * slack_step, multipliers + primal * multiplier_step
    best, stalled = _better(values, bound, costs, share, state, unknowns.y, multipliers)
    return _State(unknowns, slacks, multipliers, best, stalled, state.iteration + 1)


def _better(
    values: Array, bound: Array, costs: Array, share: float, state: _State, dual: Array, multipliers: Array
) -> tuple[tuple[Array, Array, Array], Array]:
    """The better of the best point so far and this one, by its gap and how far it leaves the bounds."""
    rows = _unflat(multipliers, *values.shape)
    effects = in_use(rows.above - rows.below)
    excess = jnp.abs(rebuild(effects) - values).max(axis=-1) - bound
    reached = objective(effects, costs, share)
    least, dual = lower_bound(values, bound, dual, costs, share)
    gap = (reached - least) / jnp.maximum(jnp.abs(least), 1e-3)
    merit = jnp.maximum(jnp.abs(gap), 1e-3 * jnp.maximum(excess / bound, 0.0).max())
    better = merit < state.best[0]  # False for NaN
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), (merit, effects, dual), state.best)
    return best, jnp.where(better, 0, state.stalled + 1)


def _factorise(weights: _Rows) -> Callable[[_Dual, int], _Dual]:
    """A function that solves F^T diag(weights) F step = right side."""
    both = weights.above + weights.below
    skew = weights.below - weights.above
    # extra: diagonal both + weights.extra, plus weights.total between all games of an effect.
    inverse = 1.0 / (both + weights.extra)
    shared = weights.total / (1.0 + weights.total * inverse.sum(axis=0))

    def solve_extra(right: Array) -> Array:
        plain = inverse * right
        return plain - inverse * (shared * plain.sum(axis=0))[None]

    games = both.shape[0]
    slope = skew * inverse
    blocks = jnp.where(jnp.eye(games)[:, :, None, None] > 0, (both - skew * slope)[:, None], 0.0)
    blocks = blocks + slope[:, None] * slope[None, :] * shared[None, None]
    size = weights.right + weights.left
    tilt = weights.left - weights.right
    diagonal = size - tilt**2 / size
    solve_y = _normal_solver(blocks, diagonal)

    def solve_all(right: _Dual, refinements: int) -> _Dual:
        extra = solve_extra(right.extra)
        y = solve_y(right.y - rebuild(in_use(skew * extra)) - tilt * right.size / size, refinements)
        extra = extra - solve_extra(skew * rebuild_transposed(y))
        return _Dual(y, (right.size - tilt * y) / size, extra)

    return solve_all


def _normal_solver(
    blocks: Float[Array, "games games 2 coalitions"], diagonal: Float[Array, "games coalitions"]
) -> Callable[[Array, int], Array]:
    """A function that solves (A blocks A^T + diagonal) y = right side, with so many steps of refinement."""
    games, coalitions = diagonal.shape
    rows = games * coalitions
    used = in_use(blocks)
    matrix = jax.vmap(jax.vmap(_gram))(used).transpose(0, 2, 1, 3).reshape(rows, rows)
    matrix = matrix + jnp.diag(diagonal.reshape(-1))
    scale = jax.lax.rsqrt(jnp.diagonal(matrix))
    solve_scaled = solver(matrix * scale[:, None] * scale[None, :] + _RIDGE * jnp.eye(rows))

    def product(y: Array) -> Array:
        pull = rebuild_transposed(y)
        return rebuild((used * pull[None]).sum(axis=1)) + diagonal * y

    def plain(right: Array) -> Array:
        return (solve_scaled(right.reshape(-1) * scale) * scale).reshape(games, coalitions)

    def solve_y(right: Array, refinements: int) -> Array:
        found = plain(right)
        for _ in range(refinements):
            found = found + plain(right - product(found))
        return found

    return solve_y


def _gram(weights: Float[Array, "2 coalitions"]) -> Float[Array, "coalitions coalitions"]:
    """A diag(weights) A^T: sums over the L inside S and T (AND), and over the L that meet both (OR).

    The latter are all L less those outside S and those outside T, plus those outside both. Coalitions are split in a
    part of the high and one of the low players, over which one matrix product each sums.
    """
    n_players = weights.shape[-1].bit_length() - 1
    high = max(n_players // 3, n_players - _LOW_PLAYERS)
    inside_low, outside_low = _pairs_around(n_players - high)
    inside_high, outside_high = _pairs_around(high)
    rows, columns = 1 << high, 1 << (n_players - high)
    conjunctions, disjunctions = weights.reshape(2, rows, columns)
    low = jnp.concatenate([conjunctions @ inside_low, disjunctions @ outside_low])  # (2 high, low pairs)
    both = jnp.asarray(np.concatenate([inside_high, outside_high]).T) @ low  # (high pairs, low pairs)
    both = both.reshape(rows, rows, columns, columns).transpose(0, 2, 1, 3).reshape(rows * columns, -1)
    missed = _zeta(weights[1])[::-1]
    return both + (weights[1].sum() - missed[:, None] - missed[None, :])


@functools.lru_cache(maxsize=32)
def _pairs_around(n_players: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether L lies inside S and T, and whether outside both: 0 or 1, (coalitions L, pairs of S and T)."""
    index = np.arange(1 << n_players)
    inside = index[:, None] & ~index[None, :] == 0  # L inside S
    outside = index[:, None] & index[None, :] == 0
    return tuple((part[:, :, None] & part[:, None, :]).reshape(len(index), -1) * 1.0 for part in (inside, outside))


def _longest(values: Array, steps: Array) -> Array:
    """The longest step, at most 1, after which all values are still non-negative."""
    falling = steps < 0
    return jnp.minimum(1.0, jnp.min(jnp.where(falling, -values / jnp.where(falling, steps, -1.0), jnp.inf)))


def _zeta(values: Array) -> Array:
    """Sums over the coalitions inside each coalition."""
    return _product(values, np.array([[1.0, 0.0], [1.0, 1.0]]))


def _superset_sums(values: Array) -> Array:
    """Sums over the coalitions that hold each coalition."""
    return _product(values, np.array([[1.0, 1.0], [0.0, 1.0]]))


def _product(values: Array, by_player: np.ndarray) -> Array:
    """The Kronecker power of a one-player matrix times values, as one matrix product for each half of the players."""
    n_players = values.shape[-1].bit_length() - 1
    low = n_players // 2
    table = values.reshape(*values.shape[:-1], 1 << (n_players - low), 1 << low)
    halves = (_power(by_player, n_players - low), table, _power(by_player, low))
    return jnp.einsum("ab,...bc,dc->...ad", *halves).reshape(values.shape)


def _power(matrix: np.ndarray, exponent: int) -> np.ndarray:
    return functools.reduce(np.kron, [matrix] * exponent, np.ones((1, 1)))
