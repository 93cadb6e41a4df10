"""Checks of arguments that many functions share; each raises ValueError saying what was expected and what came."""

import operator
import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

_LONGEST = 80  # characters of a value that a message shows
_NO_NUMBERS = (bool, np.bool_, str, bytes, np.datetime64, np.timedelta64, np.complexfloating, np.ma.MaskedArray)


def check_count(name: str, value: Any, *, least: int = 1, most: int | None = None, about: str = "") -> int:
    """The value as an int; ValueError that names it unless it is an integer in the range.

    Args:
        name: of the argument.
        value: an integer of Python, NumPy or JAX; True and 3.0 are none.
        least, most: the range, both ends included; no upper end by default.
        about: what the argument is or why it is so bounded, where its name does not say it.
    """
    count = as_int(value)
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
    count = as_int(memory)
    if count is None or count < 1:
        raise ValueError(f"memory must be a positive integer of bytes such as 2 * 2**30, or None; got {memory!r}")
    return count


def check_flag(name: str, value: Any) -> bool:
    """The value as a bool; ValueError that names it unless it is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def check_is(name: str, value: Any, kind: Any, wanted: str, *, optional: bool = False) -> None:
    """Raise ValueError that names the argument unless its value is of a type.

    Args:
        name: of the argument.
        value: what came.
        kind: a type, or several.
        wanted: what the argument must be, in words.
        optional: whether it may be None.
    """
    if not isinstance(value, kind) and not (optional and value is None):
        raise ValueError(f"{name} must be {wanted}{', or None' if optional else ''}; got {shown(value)}")


def check_callable(name: str, value: Any, wanted: str, *, optional: bool = False) -> None:
    """Raise ValueError that names the argument unless its value can be called."""
    check_is(name, value, Callable, wanted, optional=optional)


def check_progress(progress: Any) -> None:
    """Raise ValueError unless `progress` is None or a function."""
    check_callable("progress", progress, "a function that is told how much is done", optional=True)


def check_path(name: str, value: Any) -> Path:
    """The value as a path; ValueError that names it unless it is text, or an os.PathLike, and not empty."""
    path = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(path, str) or not path or "\0" in path:
        raise ValueError(f"{name} must be a path, text that is not empty; got {shown(value)}")
    return Path(path)


def check_folder(name: str, value: Any) -> Path:
    """The value as the path of a folder, there or not yet; ValueError that names it if it is none, or a file."""
    path = check_path(name, value)
    if path.is_file():
        raise ValueError(f"{name} must be a folder, or the path of one to be made; {path} is a file")
    return path


def check_known(name: str, *values: Any) -> None:
    """Raise ValueError that names the argument if values of it are traced: only a run tells what they are."""
    if any(isinstance(leaf, Tracer) for value in values for leaf in jax.tree.leaves(value)):
        raise ValueError(f"{name} must be known, got a traced value: call the function outside jit, vmap and grad")


def check_array(name: str, value: Any, wanted: str = "an array of real numbers") -> Any:
    """The value as an array of real numbers, a `jax.Array` as it is and all else as NumPy; ValueError that names it.

    Masked arrays are refused: the numbers that they hide would count. bfloat16 and bool are real.
    """
    array = as_array(name, value, wanted)
    if not is_real(array):
        kind = "" if hasattr(value, "dtype") else f" ({array.dtype})"
        instead = ": give real and imaginary parts apart" if array.dtype.kind == "c" else ""
        raise ValueError(f"{name} must be {wanted}, got {shown(value)}{kind}{instead}")
    return array


def is_real(array: Any) -> bool:
    """Whether an array holds real numbers; bools are."""
    return any(jnp.issubdtype(array.dtype, kind) for kind in (np.floating, np.integer, np.bool_))


def as_array(name: str, value: Any, wanted: str = "an array") -> Any:
    """The value as an array of any type; ValueError that names it if it is masked or ragged."""
    if isinstance(value, jax.Array):
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            raise ValueError(f"{name} must be {wanted}, got a random key")
        return value
    if np.ma.isMaskedArray(value):
        raise ValueError(
            f"{name} must be {wanted}, got a masked array, whose hidden values would count: fill them by .filled(value)"
        )
    try:
        return np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be {wanted}; got {shown(value)}, of which NumPy makes none: {error}") from None


def check_integers(name: str, value: Any, wanted: str) -> np.ndarray:
    """The value as a NumPy array of integers; ValueError that names it."""
    check_known(name, value)
    array = np.asarray(check_array(name, value, wanted))
    if isinstance(value, list | tuple) and any(isinstance(item, bool) for item in value):
        raise ValueError(f"{name} must be {wanted}, got {shown(value)}")
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} must be {wanted}, got {array.dtype} of shape {array.shape}")
    return array


def check_lengths(name: str, value: Any, wanted: str) -> tuple[int, ...]:
    """The value as a tuple of positive ints, of one for an integer; ValueError that names it."""
    counts = [as_int(value)] if as_int(value) is not None else _list_of(value, as_int)
    if not counts or any(count is None or count < 1 for count in counts):
        raise ValueError(f"{name} must be {wanted}, positive integers; got {shown(value)}")
    return tuple(count for count in counts if count is not None)


def check_several(name: str, value: Any) -> list[Any]:
    """The items of a sequence as a list; ValueError that names it if it is none, text or a mapping."""
    if not isinstance(value, list | tuple | range | np.ndarray | jax.Array) or getattr(value, "shape", (1,)) == ():
        raise ValueError(f"{name} must be a list, got {shown(value)}")
    as_array(name, value, "a list")
    check_known(name, value)
    return list(value)


def check_classes(name: str, value: Any, count: int) -> np.ndarray:
    """So many class indices, from 0 on, as a NumPy array (count,); ValueError that names them."""
    wanted = f"class indices, integers of shape ({count},), one for each input"
    labels = check_integers(name, value, wanted)
    if labels.shape != (count,):
        raise ValueError(f"{name} must be {wanted}; got shape {labels.shape}")
    if count and labels.min() < 0:
        raise ValueError(f"{name} must be class indices from 0 on, got {labels.min()}")
    return labels


def check_examples(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (N, ...) and class indices (N,) as NumPy arrays; ValueError if they do not match."""
    check_known("x", x)
    x = np.asarray(check_array("x", x, "inputs (N, ...), an array of real numbers"))
    y = check_integers("y", y, "class indices (N,), integers")
    if x.ndim < 2 or y.shape != x.shape[:1] or not len(x):
        raise ValueError(f"x and y must be inputs (N, ...) and class indices (N,), got shapes {x.shape} and {y.shape}")
    if y.min() < 0:
        raise ValueError(f"y must hold class indices from 0 on, got {y.min()}")
    return x, y


def shown(value: Any) -> str:
    """A value in a message: short ones as they are, arrays by their type and shape, others by their type."""
    if getattr(value, "shape", ()) and hasattr(value, "dtype"):
        return f"{type(value).__name__} of {value.dtype} and shape {value.shape}"
    text = repr(value)
    return text if len(text) <= _LONGEST and "\n" not in text else f"a value of type {type(value).__name__}"


def _list_of(value: Any, kind: Callable[[Any], Any]) -> list[Any]:
    """What `kind` makes of each item of a list, tuple, range or array; nothing of anything else."""
    if isinstance(value, list | tuple | range) or (isinstance(value, np.ndarray | jax.Array) and value.ndim == 1):
        return [kind(each) for each in value]
    return []


def _said(about: str) -> str:
    return f", {about};" if about else ","


def as_int(value: Any) -> int | None:
    """The value as an int; None where it is no integer."""
    if isinstance(value, _NO_NUMBERS) or _is_bool(value):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def _is_bool(value: Any) -> bool:
    return getattr(value, "dtype", None) == np.dtype(bool)


def _as_float(value: Any) -> float:
    """NaN, which lies in no interval, where the value is no number."""
    if isinstance(value, _NO_NUMBERS) or _is_bool(value) or getattr(value, "shape", ()):
        return np.nan
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
