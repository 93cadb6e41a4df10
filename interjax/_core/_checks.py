"""Checks of arguments that many functions share; each raises ValueError saying what was expected and what came."""

import operator
from collections.abc import Collection
from typing import Any

import numpy as np


def check_count(name: str, value: Any, *, least: int = 1, most: int | None = None, about: str = "") -> int:
    """The value as an int; ValueError that names it unless it is an integer in the range.

    Args:
        name: of the argument.
        value: an integer of Python, NumPy or JAX; True and 3.0 are none.
        least, most: the range, both ends included; no upper end by default.
        about: what the argument is or why it is so bounded, where its name does not say it.
    """
    count = _as_int(value)
    if count is None or count < least or (most is not None and count > most):
        wanted = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} must be an integer {wanted}{_said(about)} got {value!r}")
    return count


def check_number(name: str, value: Any, interval: str, *, about: str = "") -> float:
    """The value as a float; ValueError that names it unless it lies in the interval.

    Args:
        name: of the argument.
        value: a number.
        interval: such as "(0, 1]" or "[0, inf)": a round bracket leaves its end out.
        about: what the argument is or why it is so bounded, where its name does not say it.
    """
    low, high = map(float, interval[1:-1].split(","))
    number = _as_float(value)
    is_above = number > low if interval[0] == "(" else number >= low
    is_below = number < high if interval[-1] == ")" else number <= high
    if not (is_above and is_below):
        raise ValueError(f"{name} must be a number in {interval}{_said(about)} got {value!r}")
    return number


def check_level(level: Any) -> float:
    """The level of a confidence interval as a float; ValueError unless it lies in (0, 1)."""
    return check_number("level", level, "(0, 1)")


def check_choice(name: str, value: Any, choices: Collection[str], *, instead: str = "") -> None:
    """Raise ValueError that names the argument unless its value is one of the choices."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}{instead and f': {instead}'}")


def check_memory(memory: Any) -> int | None:
    """The number of bytes as an int; ValueError unless `memory` is a positive number of bytes or None."""
    if memory is None:
        return None
    count = _as_int(memory)
    if count is None or count < 1:
        raise ValueError(f"memory must be a positive integer of bytes such as 2 * 2**30, or None; got {memory!r}")
    return count


def check_examples(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (N, ...) and class indices (N,) as NumPy arrays; ValueError if they do not match."""
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim < 2 or y.shape != x.shape[:1] or not len(x):
        raise ValueError(f"expected inputs (N, ...) and class indices (N,), got shapes {x.shape} and {y.shape}")
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"expected class indices as integers, got {y.dtype}")
    return x, y


def _said(about: str) -> str:
    return f", {about};" if about else ","


def _as_int(value: Any) -> int | None:
    """None where the value is no integer."""
    if isinstance(value, bool | np.bool_):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _as_float(value: Any) -> float:
    """NaN, which lies in no interval, where the value is no number."""
    if isinstance(value, bool | np.bool_ | str | bytes) or np.ndim(value):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
