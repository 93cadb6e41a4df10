"""Weights of the game-theoretic indices: by which share each size of context, or each size of dividend, counts.

Everything is computed in exact fractions and rounded once, at the end.

Interaction indices are linear in the Harsanyi dividends a(S), with weights c that depend on sizes only,

    I(T) = sum over S that contain T of c(t, s) a(S),   t = |T|, s = |S|.

The same index is the sum over contexts S outside T of p(t, |S|) (difference of T at S). Then c(t, t+l) is the sum of
p(t, |S|) over the contexts S that contain l given players, hence

    p(t, m) = sum over j of (-1)^j C(n-t-m, j) c(t, t+m+j).

Generalised values are sums of p(t, |S|) (v(S + T) - v(S)), and p is written down directly.
"""

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

DividendWeight = Callable[[int, int, int], Fraction]  # (t, s, largest size) -> c(t, s)


def context_weights(name: str, n_players: int, t: int, size: int) -> np.ndarray:
    """p(t, m) for m = 0..n-t, for an interaction index or a generalised value: float64 (n-t+1,)."""
    sizes = range(n_players - t + 1)
    if name == "JointSV":
        weights = _joint_shapley(n_players, size)[: n_players - t + 1]
    elif name in GENERALISED_VALUES:
        weights = [GENERALISED_VALUES[name](t, m, n_players) for m in sizes]
    else:
        dividend_weight = INTERACTION_INDICES[name]
        shares = [dividend_weight(t, t + extra, size) for extra in sizes]
        weights = [
            sum((-1) ** j * math.comb(n_players - t - m, j) * shares[m + j] for j in range(n_players - t - m + 1))
            for m in sizes
        ]
    return np.array([float(weight) for weight in weights])


def _shapley(t: int, s: int, size: int) -> Fraction:
    return Fraction(1, s - t + 1)


def _banzhaf(t: int, s: int, size: int) -> Fraction:
    return Fraction(1, 2 ** (s - t))


def _chaining(t: int, s: int, size: int) -> Fraction:
    return Fraction(t, s) if s else Fraction(1)


def _moebius(t: int, s: int, size: int) -> Fraction:
    return Fraction(s == t)


def _co_moebius(t: int, s: int, size: int) -> Fraction:
    return Fraction(1)


def _shapley_taylor(t: int, s: int, size: int) -> Fraction:
    """Dividends up to `size` stay where they are, larger ones are shared equally by their subsets of that size."""
    return Fraction(1, math.comb(s, size)) if t == size else Fraction(s == t)


def _n_shapley(t: int, s: int, size: int) -> Fraction:
    """Bernoulli numbers take from the smaller sizes what the larger ones, up to `size`, say already."""
    bernoulli = _bernoulli(size)
    between = range(t, min(s, size) + 1)
    return sum((math.comb(s - t, r - t) * bernoulli[r - t] * _shapley(r, s, size) for r in between), Fraction(0))


def _faithful_shapley(t: int, s: int, size: int) -> Fraction:
    if s <= size:
        return Fraction(s == t)
    share = Fraction(math.comb(size, t) * math.comb(s - 1, size), math.comb(s + size - 1, size + t))
    return (-1) ** (size - t) * Fraction(t, size + t) * share


def _faithful_banzhaf(t: int, s: int, size: int) -> Fraction:
    if s <= size:
        return Fraction(s == t)
    return (-1) ** (size - t) * Fraction(math.comb(s - t - 1, size - t), 2 ** (s - t))


def _k_additive(t: int, s: int, size: int) -> Fraction:
    """The Shapley interactions of the k-additive game that the faithful Shapley interactions describe."""
    between = range(t, min(s, size) + 1)
    parts = (math.comb(s - t, r - t) * _faithful_shapley(r, s, size) * Fraction(1, r - t + 1) for r in between)
    return sum(parts, Fraction(0))


def _bernoulli(largest: int) -> list[Fraction]:
    """B_0..B_largest with B_1 = -1/2."""
    numbers = [Fraction(1)]
    for k in range(1, largest + 1):
        numbers.append(-sum(math.comb(k + 1, j) * numbers[j] for j in range(k)) * Fraction(1, k + 1))
    return numbers


def _joint_shapley(n_players: int, size: int) -> list[Fraction]:
    """The chance that players arriving 1..size at a time are at some moment a given coalition, and a given set is next.

    From r players present, every set of 1..size absent players is equally likely to come next.
    """
    chances: list[Fraction] = []
    for r in range(n_players):
        largest = min(size, n_players - r)
        choices = sum(math.comb(n_players - r, s) for s in range(1, largest + 1))
        reached = sum(math.comb(r, s) * chances[s] for s in range(max(r - size, 0), r)) if r else Fraction(1)
        chances.append(Fraction(reached) / choices)
    return chances


INTERACTION_INDICES: dict[str, DividendWeight] = {
    "SV": _shapley,
    "BV": _banzhaf,
    "SII": _shapley,
    "BII": _banzhaf,
    "CHII": _chaining,
    "k-SII": _n_shapley,
    "STII": _shapley_taylor,
    "FSII": _faithful_shapley,
    "FBII": _faithful_banzhaf,
    "kADD-SHAP": _k_additive,
    "Moebius": _moebius,
    "Co-Moebius": _co_moebius,
}

GENERALISED_VALUES: dict[str, Callable[[int, int, int], Fraction]] = {
    "SGV": lambda t, m, n: Fraction(1, (n - t + 1) * math.comb(n - t, m)),
    "BGV": lambda t, m, n: Fraction(1, 2 ** (n - t)),
    "CHGV": lambda t, m, n: Fraction(t, max(t + m, 1) * math.comb(n, t + m)),
    "EGV": lambda t, m, n: Fraction(m == n - t),
    "IGV": lambda t, m, n: Fraction(m == 0),
}
