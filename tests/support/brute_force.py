"""Slow definitions, written out coalition by coalition with Python sets; nothing here is taken from interjax.

A game is a table of 2**n values (bit i of the index = player i); a coalition is a sorted tuple of players.
"""

import itertools
import math
from fractions import Fraction

import numpy as np


def subsets(players, smallest=0, largest=None):
    players = tuple(sorted(players))
    largest = len(players) if largest is None else largest
    for size in range(smallest, largest + 1):
        yield from itertools.combinations(players, size)


def value(table, coalition):
    return float(table[sum(1 << player for player in coalition)])


def everyone(table):
    return tuple(range(len(table).bit_length() - 1))


def outside(table, coalition):
    return tuple(player for player in everyone(table) if player not in coalition)


def difference(table, coalition, context):
    return sum((-1) ** (len(coalition) - len(part)) * value(table, part + context) for part in subsets(coalition))


def dividend(table, coalition):
    return difference(table, coalition, ())


def exact_order(table, coalition, order):
    contexts = list(itertools.combinations(outside(table, coalition), order))
    return sum(difference(table, coalition, context) for context in contexts) / len(contexts)


def shapley_by_permutations(table):
    n = len(everyone(table))
    gains = np.zeros(n)
    for arrivals in itertools.permutations(range(n)):
        for place, player in enumerate(arrivals):
            gains[player] += value(table, arrivals[: place + 1]) - value(table, arrivals[:place])
    return gains / math.factorial(n)


def brute_index(table, name, size):
    """An index by its definition, as {coalition: value} without the empty coalition."""
    wanted = list(subsets(everyone(table), 1, size))
    if name in _DIFFERENCE_WEIGHTS:
        return {t: _over_contexts(table, t, _DIFFERENCE_WEIGHTS[name], difference) for t in wanted}
    if name in _GAIN_WEIGHTS:
        return {t: _over_contexts(table, t, _DIFFERENCE_WEIGHTS[_GAIN_WEIGHTS[name]], _gain) for t in wanted}
    return {
        "STII": _shapley_taylor,
        "k-SII": _n_shapley,
        "FSII": _faithful_shapley,
        "FBII": _faithful_banzhaf,
        "kADD-SHAP": _k_additive,
        "JointSV": _joint_shapley,
    }[name](table, size)


def _over_contexts(table, coalition, weight, term):
    n = len(everyone(table))
    return sum(
        weight(n, len(coalition), len(context)) * term(table, coalition, context)
        for context in subsets(outside(table, coalition))
    )


def _gain(table, coalition, context):
    return value(table, coalition + context) - value(table, context)


_F = math.factorial
_DIFFERENCE_WEIGHTS = {
    "SII": lambda n, t, s: _F(n - s - t) * _F(s) / _F(n - t + 1),
    "BII": lambda n, t, s: 2.0 ** -(n - t),
    "CHII": lambda n, t, s: t * _F(n - s - t) * _F(s + t - 1) / _F(n),
    "Moebius": lambda n, t, s: float(s == 0),
    "Co-Moebius": lambda n, t, s: float(s == n - t),
}
_DIFFERENCE_WEIGHTS |= {"SV": _DIFFERENCE_WEIGHTS["SII"], "BV": _DIFFERENCE_WEIGHTS["BII"]}
_GAIN_WEIGHTS = {"SGV": "SII", "BGV": "BII", "CHGV": "CHII", "IGV": "Moebius", "EGV": "Co-Moebius"}


def _shapley_taylor(table, size):
    """Sundararajan et al.: a coalition of `size` gets its difference at those before it, over all arrivals."""
    n = len(everyone(table))
    values = {t: dividend(table, t) for t in subsets(everyone(table), 1, size - 1)}
    for t in subsets(everyone(table), size, size):
        weights = {s: size / n / math.comb(n - 1, s) for s in range(n - size + 1)}
        contexts = subsets(outside(table, t))
        values[t] = sum(weights[len(context)] * difference(table, t, context) for context in contexts)
    return values


def _n_shapley(table, size):
    """Bordt and von Luxburg's recursion: each larger size corrects the smaller ones by a Bernoulli number."""
    shapley = brute_index(table, "SII", size)
    bernoulli = [Fraction(1)]
    for k in range(1, size + 1):
        bernoulli.append(-sum(Fraction(math.comb(k + 1, j)) * bernoulli[j] for j in range(k)) / (k + 1))
    values: dict[tuple[int, ...], float] = {}
    for largest in range(1, size + 1):
        for t in subsets(everyone(table), 1, largest):
            extra = itertools.combinations(outside(table, t), largest - len(t))
            change = sum(shapley[tuple(sorted(t + others))] for others in extra)
            values[t] = values.get(t, 0.0) + float(bernoulli[largest - len(t)]) * change
    return values


def _least_squares(table, columns, weights, exact_rows):
    """Weighted least squares with the given rows met exactly, by its optimality conditions."""
    free = [row for row in range(len(table)) if row not in exact_rows]
    design, target = columns[free], np.asarray(table)[free]
    gram = (design * weights[free, None]).T @ design
    exact = columns[exact_rows]
    system = np.block([[gram, exact.T], [exact, np.zeros((len(exact), len(exact)))]])
    right = np.concatenate([(design * weights[free, None]).T @ target, np.asarray(table)[exact_rows]])
    return np.linalg.lstsq(system, right, rcond=None)[0][: columns.shape[1]]


def _design(table, size, entry):
    rows = sorted(subsets(everyone(table)), key=lambda s: sum(1 << i for i in s))
    wanted = list(subsets(everyone(table), 0, size))
    return wanted, np.array([[entry(set(row), set(t)) for t in wanted] for row in rows], float), [len(r) for r in rows]


def _shapley_kernel(n, s):
    return 0.0 if s in (0, n) else (n - 1) / (math.comb(n, s) * s * (n - s))


def _faithful_shapley(table, size):
    wanted, columns, sizes = _design(table, size, lambda row, t: t <= row)
    weights = np.array([_shapley_kernel(sizes[-1], s) for s in sizes])
    fit = _least_squares(table, columns, weights, [0, len(table) - 1])
    return {t: fit[i] for i, t in enumerate(wanted) if t}


def _faithful_banzhaf(table, size):
    wanted, columns, _ = _design(table, size, lambda row, t: t <= row)
    fit = np.linalg.lstsq(columns, np.asarray(table), rcond=None)[0]
    return {t: fit[i] for i, t in enumerate(wanted) if t}


def _k_additive(table, size):
    """The fit of the faithful index, in Shapley interactions: those of the fitted game, tabulated."""
    fit = _faithful_shapley(table, size)
    fitted = [sum(fit[t] for t in subsets(row, 1, size)) for row in _rows_in_order(table)]
    return brute_index(fitted, "SII", size)


def _joint_shapley(table, size):
    """From every coalition reached, each set of 1..size absent players arrives next with equal chance."""
    values = dict.fromkeys(subsets(everyone(table), 1, size), 0.0)
    chance = {(): 1.0}
    for present in subsets(everyone(table), 0, len(everyone(table)) - 1):
        absent = outside(table, present)
        arrivals = list(subsets(absent, 1, min(size, len(absent))))
        for new in arrivals:
            share = chance[present] / len(arrivals)
            values[new] += share * _gain(table, new, present)
            after = tuple(sorted(present + new))
            chance[after] = chance.get(after, 0.0) + share
    return values


def _rows_in_order(table):
    return sorted(subsets(everyone(table)), key=lambda s: sum(1 << i for i in s))


def random_table(n, seed=0):
    """All values of a game without structure."""
    return np.random.default_rng(seed).normal(size=2**n)
