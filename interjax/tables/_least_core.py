"""Payoffs that no coalition gains by leaving, given a subsidy: the egalitarian least core, and its joint form."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import brentq, linprog, nnls

_TOLERANCE = 1e-11  # of the largest gain
_THIN = 1e-9  # of the largest gain: a constraint that no payoffs exceed by more is an equality
_MOST_UNMET = 1e-8  # of the largest gain, after the last round
_ROUNDS = 200
_EDGE = 1e-6  # of the largest gain, above the least subsidy: nearer to it payoffs that do are as good as in a plane
_FAR = 1.0  # stands for the slope where there is none: above for a subsidy too small, below for the largest
_LINEAR_PROGRAM = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}  # HiGHS's least

_Solver = Callable[[np.ndarray, np.ndarray, float], tuple[np.ndarray, float]]


def egalitarian_least_core(table: np.ndarray) -> tuple[np.ndarray, float]:
    """The least subsidy e, and of the payoffs x (n,) that do with it those of least |x|_2.

    Subject to x(N) = v(N) - v(0), e >= 0 and x(S) + e >= v(S) - v(0) for every S other than N, x(S) = sum of x over S.

    Args:
        table: float64 (2**n,). Values that are not finite give NaN.

    Returns:
        x (n,) and e.

    Raises:
        RuntimeError: if the constraints do not settle or rounding hides the payoffs, which no game is known to cause.

    References:
        Yan and Procaccia, AAAI 2021.
    """
    return _solved(table, _least_subsidy_then_payoffs)


def joint_least_core(table: np.ndarray) -> tuple[np.ndarray, float]:
    """Payoffs x (n,) and subsidy e that minimise |x|_2 + e, subject to the same as in `egalitarian_least_core`."""
    return _solved(table, lambda gains: _settled(gains, _smallest_sum, _first_coalitions(gains))[:2])


def _solved(table: np.ndarray, solve: Callable[[np.ndarray], tuple[np.ndarray, float]]) -> tuple[np.ndarray, float]:
    """What `solve` makes of the gains v(S) - v(0) as shares of the largest; the games without a choice as they are."""
    n_players = table.size.bit_length() - 1
    gains = table - table[0]
    if not np.isfinite(gains).all():
        return np.full(n_players, np.nan), np.nan
    scale = float(np.abs(gains).max())
    if n_players == 1 or scale == 0:
        return np.full(n_players, gains[-1] / n_players), 0.0
    payoffs, subsidy = solve(gains / scale)
    return payoffs * scale, subsidy * scale


def _least_subsidy_then_payoffs(gains: np.ndarray) -> tuple[np.ndarray, float]:
    payoffs, _, chosen = _settled(gains, _least_subsidy, _first_coalitions(gains))
    # What these payoffs need is no less than the least subsidy, and within rounding of it: there are payoffs for it.
    subsidy = max(0.0, float(_unmet(gains, payoffs).max()))

    def smallest(masks: np.ndarray, gains: np.ndarray, total: float) -> tuple[np.ndarray, float]:
        return _smallest_of_thin(masks, gains - subsidy, payoffs), subsidy

    return _settled(gains, smallest, chosen)[0], subsidy


def _settled(gains: np.ndarray, solve: _Solver, chosen: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    """Payoffs and subsidy that solve the problem over all coalitions, and the coalitions that it took.

    Only few of the 2**n constraints bind, so they are added as they are found violated.
    """
    n_players = gains.size.bit_length() - 1
    for _ in range(_ROUNDS):
        masks = ((chosen[:, None] >> np.arange(n_players)) & 1).astype(np.float64)
        payoffs, subsidy = solve(masks, gains[chosen], float(gains[-1]))
        excess = _unmet(gains, payoffs)
        excess -= subsidy
        violated = np.flatnonzero(excess > _TOLERANCE) + 1
        if len(violated) > 2 * n_players:
            violated = violated[np.argpartition(excess[violated - 1], -2 * n_players)[-2 * n_players :]]
        if np.isin(violated, chosen).all():
            if excess.max() > _MOST_UNMET:
                break
            return payoffs, subsidy, chosen
        chosen = np.union1d(chosen, violated)
    raise RuntimeError(
        f"the least core of this game of {n_players} players was not found: a coalition still gains "
        f"{excess.max():.2g} of the largest gain"
    )


def _first_coalitions(gains: np.ndarray) -> np.ndarray:
    """One player, and all but one: the numbers of their coalitions."""
    singles = 1 << np.arange(gains.size.bit_length() - 1)
    return np.unique(np.concatenate([singles, gains.size - 1 - singles]))


def _unmet(gains: np.ndarray, payoffs: np.ndarray) -> np.ndarray:
    """By how much each coalition between none and all would gain by leaving."""
    return (gains - _sums_over_coalitions(payoffs))[1:-1]


def _sums_over_coalitions(payoffs: np.ndarray) -> np.ndarray:
    if len(payoffs) < 2:
        return np.array([0.0, *payoffs])
    half = len(payoffs) // 2
    low, high = _sums_over_coalitions(payoffs[:half]), _sums_over_coalitions(payoffs[half:])
    return np.add.outer(high, low).ravel()


def _from_equal(masks: np.ndarray, gains: np.ndarray, total: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The constraints for the deviation from equal payoffs: what `_smallest_payoffs` takes."""
    equal = np.full(masks.shape[1], total / masks.shape[1])
    return (masks - masks.mean(axis=1, keepdims=True)).T, gains - masks @ equal, equal


def _least_subsidy(masks: np.ndarray, gains: np.ndarray, total: float) -> tuple[np.ndarray, float]:
    """Of the chosen coalitions, by a linear program, with some payoffs for it."""
    coalitions, n_players = masks.shape
    found = _linear_program(
        np.append(np.zeros(n_players), 1.0),
        A_ub=-np.concatenate([masks, np.ones((coalitions, 1))], axis=1),
        b_ub=-gains,
        A_eq=np.append(np.ones(n_players), 0.0)[None],
        b_eq=[total],
        bounds=[(None, None)] * n_players + [(0, None)],
    )
    return found[:-1], float(found[-1])


def _smallest_of_thin(masks: np.ndarray, needed: np.ndarray, payoffs: np.ndarray) -> np.ndarray:
    """The x of least norm with x(N) given and all x(S) large enough, as `payoffs` have them, perhaps only in a plane.

    The constraints that none exceed hold as equalities, which leaves x = x0 + z, x0 of least norm among all that meet
    them and z in their null space.
    """
    n_players = masks.shape[1]
    is_equal = _never_exceeded(masks, needed, payoffs)
    equalities = np.concatenate([np.ones((1, n_players)), masks[is_equal]])
    left, sizes, right = np.linalg.svd(equalities)
    rank = int(np.sum(sizes > 1e-9 * sizes[0]))  # of a matrix of zeros and ones
    start = right[:rank].T @ (left[:, :rank].T @ np.append(payoffs.sum(), needed[is_equal]) / sizes[:rank])
    free = right[rank:].T
    across = masks[~is_equal] @ free
    if not across.size:
        return start
    found = _smallest_payoffs(across.T, needed[~is_equal] - masks[~is_equal] @ start, np.zeros(free.shape[1]))
    if found is None:
        raise RuntimeError(f"rounding hides the least core of {n_players} players")
    return start + free @ found[0]


def _never_exceeded(masks: np.ndarray, needed: np.ndarray, payoffs: np.ndarray) -> np.ndarray:
    """Which of x(S) >= needed(S) no x with x(N) given that meets them all, as `payoffs` do, exceeds: (coalitions,).

    Linear programs for the largest sum of what is in excess, at most 1 each, over those that no earlier one exceeded.
    """
    coalitions, n_players = masks.shape
    excess = np.maximum(masks @ payoffs - needed, 0.0)
    is_equal = np.ones(coalitions, bool)
    while is_equal.any():
        most = _linear_program(
            np.concatenate([np.zeros(n_players), -1.0 * is_equal]),
            A_ub=np.concatenate([-masks, np.eye(coalitions)], axis=1),
            b_ub=excess,
            A_eq=np.append(np.ones(n_players), np.zeros(coalitions))[None],
            b_eq=[0.0],
            bounds=[(None, None)] * n_players + [(0, 1)] * coalitions,
        )[n_players:]
        exceeded = is_equal & (most > _THIN)
        if not exceeded.any():
            break
        is_equal &= ~exceeded
    return is_equal


def _linear_program(cost: np.ndarray, **problem: Any) -> np.ndarray:
    found = linprog(cost, method="highs", options=_LINEAR_PROGRAM, **problem)
    if found.x is None:
        raise RuntimeError(f"the least core was not found, since a linear program failed: {found.message}")
    return found.x


def _smallest_sum(masks: np.ndarray, gains: np.ndarray, total: float) -> tuple[np.ndarray, float]:
    """Of |x|_2 + e, over the chosen coalitions: |x| is convex in e, so a root of its slope is found."""
    across, needed, equal = _from_equal(masks, gains, total)
    unsubsidised = _smallest_payoffs(across, needed, equal)
    if unsubsidised is not None and unsubsidised[1] <= np.linalg.norm(unsubsidised[0]):
        return unsubsidised[0], 0.0
    most = max(0.0, float(needed.max()))  # at this subsidy equal payoffs do
    some, least = _least_subsidy(masks, gains, total)
    least = max(least, float((gains - masks @ some).max()), 0.0)
    best = most, equal

    def slope(subsidy: float) -> float:
        nonlocal best
        if subsidy >= most:
            return -_FAR
        solved = _smallest_payoffs(across, needed - subsidy, equal)
        if solved is None:
            return _FAR
        payoffs, multipliers = solved
        found = float(multipliers - np.linalg.norm(payoffs))  # d|x|/de = -multipliers / |x|: below -1, a larger e pays
        if found <= 0 and subsidy < best[0]:
            best = subsidy, payoffs
        return found

    if most <= least + _EDGE or slope(least + _EDGE) <= 0:
        return _smallest_of_thin(masks, gains - least, some), least
    brentq(slope, least + _EDGE, most, xtol=_TOLERANCE / 10)
    subsidy, payoffs = best
    return payoffs, subsidy


def _smallest_payoffs(across: np.ndarray, needed: np.ndarray, equal: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The x nearest to 0 with x(N) given and all x(S) large enough, and the sum of its multipliers; None if none is.

    Lawson and Hanson's least distance programming: a non-negative least-squares problem, written for the deviation y
    from `equal`.

    Args:
        across: (n, coalitions), so that y across is what y adds to x(S): where y sums to 0, members less their mean.
        needed: what it must reach, (coalitions,).
        equal: x(N) / n for every player.
    """
    target = np.zeros(len(across) + 1)
    target[-1] = 1.0
    matrix = np.concatenate([across, needed[None]])
    solution = nnls(matrix, target)[0]
    residual = matrix @ solution - target
    # Where constraints nearly contradict each other it may lose one: the conditions of a minimum tell.
    if not np.all(-(matrix.T @ residual) <= _TOLERANCE) or abs(solution @ (matrix.T @ residual)) > _TOLERANCE:
        solution = _nonnegative_least_squares(matrix, target)
        residual = matrix @ solution - target
    if -residual[-1] < 1e-12:  # = 1 / (1 + |y|^2)
        return None
    return equal - residual[:-1] / residual[-1], float(solution.sum() / -residual[-1])


def _nonnegative_least_squares(matrix: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The x >= 0 of least |matrix x - target|: Lawson and Hanson's active sets, by orthogonal factors throughout."""
    x = np.zeros(matrix.shape[1])
    is_free, is_tried = np.zeros(len(x), bool), np.zeros(len(x), bool)
    for _ in range(_ROUNDS * len(x)):
        descent = np.where(is_free | is_tried, -np.inf, (target - matrix @ x) @ matrix)
        new = int(np.argmax(descent))
        if descent[new] <= 1e-14:
            break
        is_free[new] = is_tried[new] = True
        while is_free.any():
            found = np.zeros(len(x))
            found[is_free] = np.linalg.lstsq(matrix[:, is_free], target, rcond=1e-14)[0]
            if found[new] <= 0 and x[new] == 0:  # its descent was rounding's
                is_free[new] = False
                break
            is_negative = is_free & (found <= 0)
            if not is_negative.any():
                x, is_tried[:] = found, False
                break
            x = x + np.min(x[is_negative] / (x[is_negative] - found[is_negative])) * (found - x)
            is_free &= x > 1e-15 * np.max(x)
            x[~is_free] = 0
    return x
