"""The egalitarian least core: the smallest payoffs and subsidy under which no coalition gains by leaving."""

import numpy as np
from scipy.optimize import nnls

_TOLERANCE = 1e-11  # of the largest gain
_ROUNDS = 200


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
        excess = (gains - _sums_over_coalitions(payoffs) - subsidy)[1:-1]
        worst = np.argpartition(-excess, min(2 * n_players, excess.size) - 1)[: 2 * n_players]
        violated = worst[excess[worst] > _TOLERANCE] + 1
        if np.isin(violated, chosen).all():
            return payoffs * scale, subsidy * scale
        chosen = np.union1d(chosen, violated)
    raise RuntimeError(f"the egalitarian least core of {n_players} players did not settle in {_ROUNDS} rounds")


def _sums_over_coalitions(payoffs: np.ndarray) -> np.ndarray:
    sums = np.zeros(1)
    for payoff in payoffs:
        sums = np.concatenate([sums, sums + payoff])
    return sums


def _solve(masks: np.ndarray, gains: np.ndarray, total: float) -> tuple[np.ndarray, float]:
    """The problem over the chosen coalitions: |x| is convex in e, so the slope of |x| + e is bisected for its sign."""
    equal = np.full(masks.shape[1], total / masks.shape[1])
    unsubsidised = _smallest_payoffs(masks, gains, equal)
    if unsubsidised is not None and unsubsidised[1] <= np.linalg.norm(unsubsidised[0]):
        return unsubsidised[0], 0.0
    low, high = 0.0, max(0.0, float((gains - masks @ equal).max()))  # at `high` equal payoffs do
    payoffs = equal
    while high - low > _TOLERANCE / 10:
        middle = (low + high) / 2
        solved = _smallest_payoffs(masks, gains - middle, equal)
        if solved is None:
            low = middle
            continue
        trial, multipliers = solved
        if multipliers > np.linalg.norm(trial):  # d|x|/de = -multipliers / |x|: below -1, so a larger e pays
            low = middle
        else:
            high, payoffs = middle, trial
    return payoffs, high


def _smallest_payoffs(masks: np.ndarray, least: np.ndarray, equal: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The x nearest to 0 with x(N) given and x(S) >= least(S), and the sum of its multipliers; None if there is none.

    Lawson and Hanson's least distance programming: a non-negative least-squares problem, written for the deviation
    from equal payoffs, which sums to 0.
    """
    across = masks - masks.mean(axis=1, keepdims=True)
    needed = least - masks @ equal
    target = np.append(np.zeros(masks.shape[1]), 1.0)
    matrix = np.vstack([across.T, needed[None]])
    solution, _ = nnls(matrix, target)
    residual = matrix @ solution - target
    if -residual[-1] < 1e-12:  # = 1 / (1 + |deviation|^2)
        return None
    return equal - residual[:-1] / residual[-1], float(solution.sum() / -residual[-1])
