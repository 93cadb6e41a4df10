"""How many more contexts each order gets: by the noise of its interactions and by what its passes cost."""

import dataclasses

import numpy as np

_SHARPNESS = 8  # of the smooth maximum over orders, a power mean of the variances
_STEPS = 60
_NEARBY = 2  # orders from which an estimate of noise weighs nothing
_EVENLY = 0.2  # of the passes are spread evenly, so that an order whose noise was judged too small costs little


@dataclasses.dataclass(frozen=True)
class Errors:
    """What the errors of a profile are made of.

    Attributes:
        strength: (orders,) J^(m).
        magnitude: (orders,) E|I^(m)|, or root mean square.
        from_contexts: (orders,) the part of the magnitude's variance that more contexts take away, bias included.
        bias: (orders,) what may be left of the magnitude's bias.
        variance: (orders,) of J^(m), from all that it is made of.
    """

    strength: np.ndarray
    magnitude: np.ndarray
    from_contexts: np.ndarray
    bias: np.ndarray
    variance: np.ndarray

    @property
    def slopes(self) -> np.ndarray:
        """Change of J^(m) with the magnitude at order m': (orders, orders)."""
        orders = len(self.strength)
        return (np.eye(orders) - self.strength[:, None] / orders) / self.magnitude.mean()

    def after(self, contexts: np.ndarray, more: np.ndarray) -> np.ndarray:
        """What the variance of J^(m) is expected to be with more contexts than these at each order, (orders,)."""
        falls = self.from_contexts * more / np.maximum(contexts + more, 1)
        return np.maximum(self.variance - self.slopes**2 @ np.nan_to_num(falls), 0.0)

    def where_bias_leads(self) -> np.ndarray:
        """bool (orders,): from where bias comes into the largest error of J, nowhere if other errors lead there."""
        worst = int(np.argmax(np.nan_to_num(self.variance)))
        parts = self.slopes[worst] * self.bias
        leads = np.sum(parts) ** 2 > 0.5 * self.variance[worst]
        return leads & (np.abs(parts) >= 0.5 * np.max(np.abs(parts)))


def more_contexts(errors: Errors, contexts: np.ndarray, cost: np.ndarray, passes: float) -> np.ndarray:
    """Contexts to draw beside those that there are, (orders,), so that the largest error of J^(m) falls most.

        minimise   max over m of  R_m + sum over m' of D_mm'^2 E_m' n_m' / (n_m' + c_m'),   sum of cost_m c_m = passes

    n are the contexts so far, E = `from_contexts`, which falls as 1 / contexts, D = `slopes`, and R what is left of the
    variance of J. The maximum is taken as a power mean; its least value has n + c in proportion to
    sqrt(n sum_m w_m D_mm'^2 E / cost), Neyman's allocation with weights w of the errors that are largest.

    Args:
        errors: of the profile so far.
        contexts: (orders,) n.
        cost: (orders,) passes for a context more at each order; 0 where none is needed.
        passes: how many may be made; if they pay for none, one context is given out all the same.

    References:
        Neyman, "On the two different aspects of the representative method", JRSS 97, 1934.
    """
    wanted = (cost > 0) & (contexts > 0)
    cost = np.where(wanted, cost, 0.0)
    if not wanted.any():
        return np.zeros(len(contexts), int)
    price = np.where(wanted, cost, 1.0)
    evenly = np.where(wanted, _EVENLY * passes / np.sum(cost[wanted]), 0.0)
    known = np.isfinite(errors.from_contexts) & wanted & bool(np.all(np.isfinite(errors.strength)))
    if not known.any() or not np.any(errors.from_contexts[known] > 0):
        return np.maximum(np.floor(evenly / _EVENLY + 0.5).astype(int), wanted)
    squares, removable = errors.slopes**2, np.where(known, errors.from_contexts, 0.0)
    rest = np.maximum(np.nan_to_num(errors.variance) - squares @ removable, 0.0)
    removable = _smooth(removable)
    least, passes = contexts + evenly, passes + float(np.sum(cost * contexts))
    total = least + evenly * (1 - _EVENLY) / _EVENLY
    for _ in range(_STEPS):
        variance = rest + squares @ (removable * contexts / np.where(wanted, total, 1.0))
        if not np.any(variance > 0):  # J of one order is 1
            break
        weights = (variance / variance.max()) ** (_SHARPNESS - 1)
        shape = np.sqrt((weights @ squares) * removable * contexts / price)
        total = np.sqrt(total * _scaled(shape, least, cost, passes))
    more = np.where(wanted, _scaled(total, least, cost, passes) - contexts, 0.0)
    whole = np.floor(more + 0.5).astype(int)
    return whole if whole.any() else (np.arange(len(more)) == np.argmax(more)).astype(int)


def _smooth(variance: np.ndarray) -> np.ndarray:
    """Variances (orders,) whose logarithm is averaged over the orders nearby, where they are not 0.

    Few contexts tell the variance of an order by a factor of two; it changes little from one order to the next.
    """
    known = variance > 0
    logarithms = np.where(known, np.log(np.where(known, variance, 1.0)), 0.0)
    distance = np.abs(np.subtract.outer(np.arange(len(variance)), np.arange(len(variance))))
    weights = np.maximum(_NEARBY - distance, 0.0) * known
    return np.where(known, np.exp(weights @ logarithms / np.maximum(weights.sum(axis=1), 1.0)), 0.0)


def _scaled(shape: np.ndarray, least: np.ndarray, cost: np.ndarray, passes: float) -> np.ndarray:
    """max(least, scale * shape) of the scale at which these contexts cost so many passes; `least` if that costs more.

    The cost is linear in the scale between those at which an order leaves its least, so these are tried in turn.
    """
    leaves = np.full(len(shape), np.inf)
    counts = (shape > 0) & (cost > 0)
    np.divide(least, shape, out=leaves, where=counts)
    turn = np.argsort(leaves)[: np.count_nonzero(counts)]
    if not len(turn):
        return least
    fixed = np.sum(cost * least) - np.cumsum((cost * least)[turn])
    scales = np.maximum(passes - fixed, 0.0) / np.cumsum((cost * shape)[turn])
    # The scale that holds is the least: with fewer orders, or more, those that are counted cost too much.
    return np.maximum(least, np.min(scales) * shape)
