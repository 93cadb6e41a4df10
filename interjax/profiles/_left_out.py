"""How J^(m) and its magnitude vary over inputs, and how their differences do: by leaving out one input at a time."""

import dataclasses

import numpy as np

from interjax._core._statistics import jackknife_freedom


@dataclasses.dataclass(frozen=True)
class Spread:
    """Variances over inputs of J^(m) and of the magnitude, (orders,), with their degrees of freedom."""

    variance: np.ndarray
    freedom: np.ndarray
    magnitude_variance: np.ndarray
    magnitude_freedom: np.ndarray


@dataclasses.dataclass(frozen=True)
class _LeftOut:
    """Of one profile, for each input (inputs, orders): changes of J^(m) when it is left out, what it adds to J^(m) and
    to the magnitude to first order, and its weight (inputs,)."""

    shift: np.ndarray
    strength: np.ndarray
    magnitude: np.ndarray
    weight: np.ndarray


def of_one(by_input: np.ndarray, kind: str) -> Spread:
    """The spread of one profile."""
    left = _left_out(by_input, kind)
    return _spread(left.shift, left.strength, left.magnitude, [left.weight], kind)


def of_differences(first: np.ndarray, second: np.ndarray, kind: str) -> Spread:
    """The spread of the difference of two profiles, of which row i is the same input."""
    a, b = _left_out(first, kind), _left_out(second, kind)
    return _spread(a.shift - b.shift, a.strength - b.strength, a.magnitude - b.magnitude, [a.weight, b.weight], kind)


def _spread(
    shift: np.ndarray, strength: np.ndarray, magnitude: np.ndarray, weights: list[np.ndarray], kind: str
) -> Spread:
    inputs = len(shift)
    variance = (inputs - 1) / inputs * np.sum(shift**2, axis=0)
    if kind == "rms":  # a root of what came out negative does not move when an input is left out
        variance = np.maximum(variance, _variance_of_mean(strength))
    return Spread(
        variance,
        np.min([jackknife_freedom(weight, shift) for weight in weights], axis=0),
        _variance_of_mean(magnitude),
        jackknife_freedom(np.ones(inputs), magnitude),
    )


def _left_out(by_input: np.ndarray, kind: str) -> _LeftOut:
    inputs, mean = len(by_input), by_input.mean(axis=0)
    whole, rest = root(mean, kind), root((by_input.sum(axis=0) - by_input) / (inputs - 1), kind)
    between = by_input - mean
    magnitude = between * slope(mean, np.sqrt(_variance_of_mean(between)), kind)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative, level = whole / whole.mean(), whole.mean()
        strength = (magnitude - relative * magnitude.mean(axis=1, keepdims=True)) / level
        shift = rest / rest.mean(axis=1, keepdims=True) - relative
    return _LeftOut(shift, strength, magnitude, by_input.mean(axis=1))


def _variance_of_mean(deviations: np.ndarray) -> np.ndarray:
    """Of a mean over inputs, from its terms' deviations (inputs, orders)."""
    return np.sum(deviations**2, axis=0) / (len(deviations) * (len(deviations) - 1))


def root(strength: np.ndarray, kind: str) -> np.ndarray:
    """A strength in units of v: the root of a mean square, 0 of one that came out negative."""
    return strength if kind == "mean" else np.sqrt(np.maximum(strength, 0.0))


def slope(strength: np.ndarray, error: np.ndarray, kind: str) -> np.ndarray:
    """Change of the strength in units of v with a change of what is averaged: I, or I^2.

    sqrt(Q) changes by 1 / 2 sqrt(Q), which near Q = 0 does not end: an error e of Q <= 0 makes at most sqrt(e) of it,
    1 / sqrt(e) each. 1 / (sqrt(Q) + sqrt(max(Q, e))) is both.
    """
    if kind == "mean":
        return np.ones_like(strength)
    below = np.sqrt(np.maximum(strength, 0.0)) + np.sqrt(np.maximum(strength, np.nan_to_num(error)))
    return np.where(below > 0, 1 / np.where(below > 0, below, 1.0), np.where(np.isnan(strength), np.nan, 0.0))
