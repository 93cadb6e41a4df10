"""Shannon invariants: mean degrees of redundancy and vulnerability, for any number of sources."""

from typing import Any

import numpy as np
from jaxtyping import Array

from interjax._core._results import Saved, result, static_field
from interjax.pid._information import NO_INFORMATION, entropy_of, information_of
from interjax.pid._realisations import Realisations, realisations_of
from interjax.pid._trust import Trust, extrapolated, halves_of, optional_key, orders, pairs_of, trust_in

_HASH_SEED = 20_150_477  # of the tables of random 64-bit numbers; any will do


@result
class ShannonInvariants(Trust, Saved):
    """Mean degrees of redundancy and vulnerability of sources S_1..S_n about a target T.

    Attributes:
        redundancy: r = sum_i I(S_i;T) / I(S;T), in how many single sources a bit is found on average; NaN where I = 0.
        vulnerability: v = sum_i I(S_i;T|S_-i) / I(S;T), the loss of how many single sources destroys a bit on average.
        information: plug-in I(S;T) in bits.
        of_sources: I(S_i;T) in bits, (n,).
        unique: I(S_i;T|S_-i) in bits, (n,).
        is_defined: whether I > 0.
        redundancy_stderr, vulnerability_stderr: standard errors from halves of the samples; None without resampling.

    The other attributes are those of `Trust`.
    """

    redundancy: float
    vulnerability: float
    information: float
    of_sources: np.ndarray
    unique: np.ndarray
    is_defined: bool = static_field()
    redundancy_stderr: float | None = None
    vulnerability_stderr: float | None = None


def shannon_invariants(
    sources: Any, target: Any, weights: Any = None, *, key: Array | None = None, resamples: int = 8
) -> ShannonInvariants:
    """How redundant and how vulnerable the information of any number of sources is, from entropies alone.

        r = (1 / I(S;T)) sum_i I(S_i;T),   v = (1 / I(S;T)) sum_i I(S_i;T | S_-i),   I(S_i;T|S_-i) = I(S;T) - I(S_-i;T)

    For every redundancy measure r is the mean number of single sources that an atom is contained in, and v the mean
    number whose loss destroys it; 0 <= v <= n, 0 <= r <= n.

    Args:
        sources: (samples, n), any hashable symbols, n >= 2: as many neurons as a layer has.
        target: (samples,), any hashable symbols.
        weights: None where each row is a sample; else the probability of each row, summing to one.
        key: `jax.random.key` of shuffles and halves, key(0) by default.
        resamples: halves of the samples for the standard errors, an even number; 0 for none.

    Returns:
        r and v, with what tells whether they can be trusted. Wide layers of many levels are undersampled as a rule.

    Raises:
        ValueError: fewer than two sources, lengths that differ, symbols that are not finite or not hashable, weights
            that are no probabilities.

    Example:
        >>> import interjax as ij
        >>> xor = ij.pid.shannon_invariants([(0, 0), (0, 1), (1, 0), (1, 1)], [0, 1, 1, 0], [0.25] * 4)
        >>> xor.redundancy, xor.vulnerability
        (0.0, 2.0)

    References:
        Gutknecht et al., "Shannon invariants: a scalable approach to information decomposition", arXiv:2504.15779.
    """
    key = optional_key(key)
    found = realisations_of(sources, target, weights)
    pairs = pairs_of(resamples, found)
    information, single, unique = _informations(found)
    redundancy, vulnerability = _degrees(information, single, unique)
    more = {}
    if pairs:
        halves = [
            [_degrees(*_informations(half)) for half in halves_of(found, order)] for order in orders(found, key, pairs)
        ]
        stderr = extrapolated(np.array([redundancy, vulnerability]), np.array(halves))[1]
        more = {"redundancy_stderr": float(stderr[0]), "vulnerability_stderr": float(stderr[1])}
    return ShannonInvariants(
        redundancy,
        vulnerability,
        information,
        single,
        unique,
        is_defined=information > NO_INFORMATION,
        **more,
        **trust_in(found, information, key),
    )


def _degrees(information: float, single: np.ndarray, unique: np.ndarray) -> tuple[float, float]:
    if information <= NO_INFORMATION:
        return np.nan, np.nan
    return float(single.sum() / information), float(unique.sum() / information)


def _informations(found: Realisations) -> tuple[float, np.ndarray, np.ndarray]:
    """I(S;T), I(S_i;T) and I(S_i;T|S_-i) in bits.

    Realisations without source i are told apart by a sum of random 64-bit numbers, one for each source and symbol, less
    that of source i; two of R different ones are taken for equal with a probability of about R^2 / 2^65.
    """
    information = information_of(found)
    random = np.random.default_rng(_HASH_SEED)
    tables = [random.integers(0, 2**64, count, np.uint64) for count in found.levels]
    numbers = [table[codes] for table, codes in zip(tables, found.sources.T, strict=True)]
    whole = np.add.reduce(numbers)
    single = np.array([_information_about(found, codes) for codes in found.sources.T])
    rest = np.array([_information_about(found, whole - number) for number in numbers])
    return information, single, np.maximum(information - rest, 0.0)


def _information_about(found: Realisations, symbols: np.ndarray) -> float:
    """I(X;T) in bits of a symbol for each realisation of the sources."""
    _, rows = np.unique(symbols, return_inverse=True)
    joint = np.bincount(
        rows[found.of_source] * found.n_targets + found.target, found.weights, (rows.max() + 1) * found.n_targets
    )
    joint = joint.reshape(-1, found.n_targets) / found.total
    parts = joint.ravel(), joint.sum(axis=1), joint.sum(axis=0)
    joint_bits, symbol_bits, target_bits = map(entropy_of, parts)
    return max(0.0, symbol_bits + target_bits - joint_bits)
