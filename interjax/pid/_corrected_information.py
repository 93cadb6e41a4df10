"""I(S;T) with most of its bias off, and what this value's error is made of."""

import math

import numpy as np
from scipy.special import digamma

from interjax.pid._realisations import Realisations

_PSEUDOCOUNT = 0.5
_MOST_CELLS = 2**22


def grassberger_information(found: Realisations) -> float:
    """I(S;T) = H(S) + H(T) - H(S,T) in bits by Grassberger's entropies,

    H = ln N - (1/N) sum over symbols of n G(n),   G(n) = psi(n) + (-1)^n (psi((n+1)/2) - psi(n/2)) / 2.
    """
    bits = []
    for weights in (found.source_weights, found.target_weights, found.weights):
        counts, times = np.unique(weights[weights > 0], return_counts=True)
        terms = digamma(counts) + np.where(counts % 2 == 1, -1.0, 1.0) * _parity(counts)
        bits.append((math.log(found.total) - float((times * counts) @ terms) / found.total) / math.log(2))
    return bits[0] + bits[1] - bits[2]


def grassberger_stderr(found: Realisations) -> float:
    """Standard error in bits of Grassberger's I(S;T), from the counts: the root of the sum of three variances,

    that of the mean of i = log2 p(s,t) / (p(s) p(t)) over N samples; (R_s - 1)(R_t - 1) / 2 (N ln 2)^2, that of the
    chi-squared value which is left where sources and target are independent, R their realisations; and that of the
    alternating terms of G, whose signs are those of coins.

    The first is the larger of two, with the shares of the samples and with half a sample more in each pair of
    realisations seen on their own: where no sample shows an error, a few may still be made.
    """
    count, source, target = found.total, found.source_weights, found.target_weights
    seen = found.n_samples and len(source) * int(np.sum(target > 0))
    mean = _variance(found.weights, source[found.of_source], target[found.target], count)
    if seen and seen <= _MOST_CELLS:
        cells = np.zeros((len(source), found.n_targets))
        cells[found.of_source, found.target] = found.weights
        cells = cells[:, target > 0] + _PSEUDOCOUNT
        margins = cells.sum(axis=1, keepdims=True), cells.sum(axis=0, keepdims=True)
        mean = max(mean, _variance(cells, *margins, cells.sum()))
    squares = sum(float(np.sum((part * _parity(part)) ** 2)) for part in (source, target[target > 0], found.weights))
    chi = (len(source) - 1) * (int(np.sum(target > 0)) - 1) / 2
    return math.sqrt(mean / count + (chi + squares) / (count * math.log(2)) ** 2)


def _variance(joint: np.ndarray, source: np.ndarray, target: np.ndarray, total: float) -> float:
    """Of log2 p(s,t) / (p(s) p(t)) over pairs of realisations of these weights."""
    shares, bits = joint / total, np.log2(joint * total / (source * target))
    return max(0.0, float(np.sum(shares * bits**2) - np.sum(shares * bits) ** 2))


def _parity(counts: np.ndarray) -> np.ndarray:
    """The alternating term of G(n) without its sign."""
    return (digamma((counts + 1) / 2) - digamma(counts / 2)) / 2
