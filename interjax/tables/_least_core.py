"""The egalitarian least core: the smallest payoffs and subsidy under which no coalition gains by leaving."""

import numpy as np
from scipy.optimize import brentq, nnls

_TOLERANCE = 1e-11  # of the largest gain
_ROUNDS = 200
_FAR = 1.0  # stands for the slope where there is none: above for a subsidy too small, below for the largest


def egalitarian_least_core(table: np.ndarray) -> tuple[np.ndarray, float]:
    """Payoffs x (n,) and subsidy e that minimise |x|_2 + e.

    Subject to x(N) = v(N) - v(0), e >= 0 and x(S) + e >= v(S) - v(0) for every S other than N, x(S) = sum of x over S.

    Args:
        table: float64 (2**n,). Values that are not finite give NaN.

    Returns:
        x (n,) and e.

    Raises:
        RuntimeError: if the constraints do not settle, which no game is known to cause.

    Only few of the 2**n constraints bind, so they are added as they are found violated.

    References:
        Yan and Procaccia, AAAI 2021.
    """
    n_players = table.size.bit_length() - 1
    gains = table - table[0]
    if not np.isfinite(gains).all():
        return np.full(n_players, np.nan), np.nan
    scale = float(np.abs(gains).max())
    if n_players == 1 or scale == 0:
        return np.full(n_players, gains[-1] / n_players), 0.0
    gains = gains / scale
    singles = 1 << np.arange(n_players)
    chosen = np.unique(np.concatenate([singles, table.size - 1 - singles]))
    for _ in range(_ROUNDS):
        masks = ((chosen[:, None] >> np.arange(n_players)) & 1).astype(np.float64)
        payoffs, subsidy = _solve(masks, gains[chosen], float(gains[-1]))
        excess = gains - _sums_over_coalitions(payoffs)
        excess -= subsidy
        violated = np.flatnonzero(excess[1:-1] > _TOLERANCE) + 1
        if len(violated) > 2 * n_players:
            violated = violated[np.argpartition(excess[violated], -2 * n_players)[-2 * n_players :]]
        if np.isin(violated, chosen).all():
            return payoffs * scale, subsidy * scale
        chosen = np.union1d(chosen, violated)
    raise RuntimeError(f"the egalitarian least core of {n_players} players did not settle in {_ROUNDS} rounds")


def _sums_over_coalitions(payoffs: np.ndarray) -> np.ndarray:
    if len(payoffs) < 2:
        return np.array([0.0, *payoffs])
    half = len(payoffs) // 2
    low, high = _sums_over_coalitions(payoffs[:half]), _sums_over_coalitions(payoffs[half:])
    return np.add.outer(high, low).ravel()


def _solve(masks: np.ndarray, gains: np.ndarray, total: float) -> tuple[np.ndarray, float]:
    """The problem over the chosen coalitions: |x| is convex in e, so a root of its slope is found."""
    equal = np.full(masks.shape[1], total / masks.shape[1])
    across = (masks - masks.mean(axis=1, keepdims=True)).T
    needed = gains - masks @ equal
    unsubsidised = _smallest_payoffs(across, needed, equal)
    if unsubsidised is not None and unsubsidised[1] <= np.linalg.norm(unsubsidised[0]):
        return unsubsidised[0], 0.0
    most = max(0.0, float(needed.max()))  # at this subsidy equal payoffs do
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

    if most > 0:
        brentq(slope, 0.0, most, xtol=_TOLERANCE / 10)
    subsidy, payoffs = best
    return payoffs, subsidy


def _smallest_payoffs(across: np.ndarray, needed: np.ndarray, equal: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The x nearest to 0 with x(N) given and all x(S) large enough, and the sum of its multipliers; None if none is.

    Lawson and Hanson's least distance programming: a non-negative least-squares problem, written for the deviation y
    from equal payoffs, which sums to 0.

    Args:
        across: for each coalition its members less their mean, (n, coalitions), so that y across = y(S).
        needed: what y(S) must reach, (coalitions,).
        equal: x(N) / n for every player.
    """
    target = np.zeros(len(across) + 1)
    target[-1] = 1.0
    matrix = np.concatenate([across, needed[None]])
    solution, _ = nnls(matrix, target)
    residual = matrix @ solution - target
    if -residual[-1] < 1e-12:  # = 1 / (1 + |y|^2)
        return None
    return equal - residual[:-1] / residual[-1], float(solution.sum() / -residual[-1])
