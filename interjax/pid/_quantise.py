"""From real activations to the few symbols whose probabilities can be counted."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from interjax._core._checks import as_array, check_array, check_count, check_known

_TOLERANCE = 1e-6  # of the width between the limits, for rounding errors of the activations


def quantise(activations: Any, levels: int = 8, limits: Sequence[float] | str = (-1.0, 1.0)) -> np.ndarray:
    """The nearest of equidistant levels for every activation.

    index = round((L - 1) (x - low) / (high - low)), of two equally near levels the even one; level k stands for
    low + (high - low) k / (L - 1), so that both limits are levels.

    Args:
        activations: real numbers of any shape (samples, ...), e.g. of `ij.representations.activations`.
        levels: number of levels L, both limits included, at least 2; more keep more of the activations, but the
            samples needed to count them grow with L to the power of the number of neurons.
        limits: (low, high), the range of the activation function, e.g. (-1, 1) for tanh and (0, 1) for a sigmoid.
            "data" takes the least and greatest value of each neuron over the samples (the first axis) instead; the
            levels then differ between neurons and data sets, and a neuron that never changes has level 0.

    Returns:
        int32 indices 0 .. L - 1, of the same shape.

    Raises:
        ValueError: activations that are not real and finite, values outside the limits by more than 1e-6 of their
            width, fewer than two levels, or limits that are no increasing pair of finite numbers.

    Example:
        >>> quantise([[-1.0, -0.2], [0.9, 0.3]], levels=3)
        array([[0, 1],
               [2, 1]], dtype=int32)

    References:
        Ehrlich et al., TMLR 2023, arXiv:2209.10438 (quantisation in measurement).
    """
    levels = check_count("levels", levels, least=2, about="the two limits included")
    if levels >= 2**31:
        raise ValueError(f"levels must be less than 2**31, since their numbers are int32; got {levels}")
    values = _finite_values(activations)
    check_limits(limits)
    if isinstance(limits, str):
        low, high = values.min(axis=0, keepdims=True), values.max(axis=0, keepdims=True)
    else:
        low, high = _given_limits(limits)
        _check_inside(values, low, high)
    width = np.where(high > low, high - low, 1.0)
    share = np.clip((values - low) / width, 0.0, 1.0)
    return np.rint(share * (levels - 1)).astype(np.int32)


def check_limits(limits: Any) -> None:
    """Raise ValueError unless they are two increasing numbers, or "data"."""
    if not isinstance(limits, str):
        _given_limits(limits)
    elif limits != "data":
        raise ValueError(f'limits must be two numbers (low, high) or "data", got {limits!r}')


def _finite_values(activations: Any) -> np.ndarray:
    """The activations as float64; ValueError if they are none, not real or not finite."""
    check_known("activations", activations)
    array = np.asarray(check_array("activations", activations))
    if array.ndim == 0 or array.size == 0:
        raise ValueError(f"activations must have the shape (samples, ...), got shape {array.shape}")
    values = array.astype(np.float64)
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise ValueError(
            f"{wrong.sum()} of {values.size} activations are not finite, the first at index {_first(wrong)}: levels "
            "are defined for finite numbers only; check the network, or leave those samples out"
        )
    return values


def _given_limits(limits: Sequence[float]) -> tuple[float, float]:
    check_known("limits", limits)
    pair = np.asarray(as_array("limits", limits, 'two numbers (low, high) or "data"'))
    if pair.shape != (2,) or pair.dtype.kind not in "iuf" or not np.isfinite(pair).all() or pair[0] >= pair[1]:
        raise ValueError(f'limits must be two finite numbers (low, high), low < high, or "data"; got {limits!r}')
    return float(pair[0]), float(pair[1])


def _check_inside(values: np.ndarray, low: float, high: float) -> None:
    beyond = np.maximum(low - values, values - high)
    outside = beyond > _TOLERANCE * (high - low)
    if outside.any():
        farthest = values.flat[beyond.argmax()]
        raise ValueError(
            f"{outside.sum()} of {values.size} activations lie outside the limits ({low:g}, {high:g}), the farthest is "
            f'{farthest:.6g}: give the limits of the activation function, or limits="data" for the least and greatest '
            "value of each neuron"
        )


def _first(wrong: np.ndarray) -> tuple[int, ...]:
    return tuple(int(index) for index in np.unravel_index(wrong.argmax(), wrong.shape))
