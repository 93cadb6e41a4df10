"""Plug-in entropies and mutual informations of discrete symbols, in bits."""

from typing import Any

import numpy as np

from interjax._core._checks import as_array, check_known
from interjax.pid._realisations import Realisations, realisations_of

NO_INFORMATION = 1e-12  # bits: rounding


def entropy(symbols: Any, weights: Any = None) -> float:
    """The plug-in entropy H(X) = -sum_x p(x) log2 p(x) of samples or of a distribution.

    Args:
        symbols: (samples,) or (samples, variables), any hashable symbols; a row is one joint symbol.
        weights: None where each row is a sample; else the probability of each row.

    Returns:
        Bits, at least 0. Of samples it is too small on average, by about (symbols - 1) / (2 samples ln 2).

    Raises:
        ValueError: no rows, symbols that are not finite or not hashable, weights that are no probabilities.

    Example:
        >>> import interjax as ij
        >>> ij.pid.entropy(["head", "tail", "tail", "head"])
        1.0

    References:
        Miller, "Note on the bias of information estimates", 1955, for the bias.
    """
    rows = _as_rows(symbols, "symbols")
    try:
        found = realisations_of(rows, np.zeros(len(rows), np.int64), weights, fewest=1)
    except ValueError as error:
        raise ValueError(str(error).replace("sources", "symbols")) from error
    return entropy_of(found.source_weights / found.total)


def mutual_information(sources: Any, target: Any, weights: Any = None) -> float:
    """The plug-in mutual information I(S;T) = H(S) + H(T) - H(S,T) of all sources together with the target.

    Args:
        sources: (samples,) or (samples, n), any hashable symbols.
        target: (samples,), any hashable symbols.
        weights: None where each row is a sample; else the probability of each row.

    Returns:
        Bits, at least 0. Of samples it is too large where realisations are seen seldom; `shannon_invariants` and
        `representational_complexity` say by how much.

    Raises:
        ValueError: as `ij.pid.entropy`, and for lengths that differ.

    Example:
        >>> import interjax as ij
        >>> ij.pid.mutual_information([(0, 0), (0, 1), (1, 0), (1, 1)], [0, 1, 1, 0])
        1.0
    """
    return information_of(realisations_of(_as_rows(sources, "sources"), target, weights, fewest=1))


def _as_rows(symbols: Any, name: str) -> Any:
    """Rows of symbols from (samples,) or (samples, variables); ValueError unless it is one of them and not empty."""
    if isinstance(symbols, list | tuple) and symbols:
        return symbols if isinstance(symbols[0], list | tuple | np.ndarray) else [(symbol,) for symbol in symbols]
    check_known(name, symbols)
    array = np.asarray(as_array(name, symbols, "symbols of shape (samples,) or (samples, variables)"))
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(
            f"{name} must be symbols of shape (samples,) or (samples, variables), at least one; got shape {array.shape}"
        )
    return array[:, None] if array.ndim == 1 else array


def entropy_of(probabilities: np.ndarray) -> float:
    """-sum p log2 p, where p = 0 counts 0; at least 0."""
    known = probabilities[probabilities > 0]
    return max(0.0, float(-np.sum(known * np.log2(known))))


def information_of(found: Realisations) -> float:
    """I(S;T) in bits of counted realisations; at least 0."""
    joint = entropy_of(found.weights / found.total)
    source, target = entropy_of(found.source_weights / found.total), entropy_of(found.target_weights / found.total)
    return max(0.0, source + target - joint)
