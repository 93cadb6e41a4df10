"""Arrays given by the caller as inputs and class numbers, or a ValueError that names what they hold instead."""

from typing import Any

import jax.numpy as jnp
import numpy as np


def as_array(name: str, values: Any) -> np.ndarray:
    """Whatever NumPy makes an array of; raises ValueError for what it cannot take, or takes by leaving values out."""
    if isinstance(values, np.ma.MaskedArray):
        raise ValueError(f"{name} is a masked array, whose mask would be lost: fill it (.filled) or leave rows out")
    if values is None or isinstance(values, str | bytes | dict | set):
        raise ValueError(f"{name} must be an array or a nested list, got {type(values).__name__}")
    try:
        return np.asarray(values)
    except Exception as error:  # whatever __array__ of another framework raises
        raise ValueError(f"{name} cannot be made a NumPy array ({error}): pass one, such as x.numpy()") from error


def as_inputs(name: str, values: Any) -> np.ndarray:
    """Inputs (N, ...) as float32; raises ValueError unless they are numbers that float32 can hold."""
    array = as_array(name, values)
    if not (array.dtype.kind in "biuf" or jnp.issubdtype(array.dtype, jnp.floating)):
        raise ValueError(
            f"{name} must be real numbers, got {array.dtype}: encode text as numbers, give real and imaginary parts "
            "as entries of their own, make lists equally long"
        )
    finite = np.isfinite(array)
    if not finite.all():
        raise ValueError(
            f"{name} must be finite, got {np.sum(~finite)} of {array.size} values that are NaN or infinite: fill them, "
            "or leave these rows out"
        )
    with np.errstate(over="ignore"):
        x = array.astype(np.float32, copy=False)
    if not np.isfinite(x).all():
        raise ValueError(
            f"{name} holds {np.sum(~np.isfinite(x))} values beyond what float32 can hold "
            f"({np.finfo(np.float32).max:.1e}), up to {np.abs(array).max():.1e}: rescale them"
        )
    return x


def as_class_numbers(name: str, values: Any) -> np.ndarray:
    """Class numbers (N,) as int32; raises ValueError for what is no whole number, or none that int32 can hold."""
    array = as_array(name, values)
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name} must be class numbers, integers from 0 on; got {array.dtype}: ij.datasets.from_arrays takes "
            "labels of other kinds"
        )
    with np.errstate(invalid="ignore"):
        whole = array.astype(np.int32)
    wrong = whole != array
    if wrong.any():
        raise ValueError(
            f"{name} must be class numbers, integers from 0 on; got {array[wrong][0]}: a number to be predicted "
            'wants task="regression"'
        )
    return whole


def as_targets(name: str, values: Any) -> np.ndarray:
    """Numbers to predict (N,) as float32; raises ValueError unless they are finite real numbers, one for each input."""
    array = as_array(name, values)
    if array.dtype.kind == "b" or array.ndim != 1:
        kind = f"{array.dtype} of shape {array.shape}"
        raise ValueError(
            f'{name} must be numbers to predict (N,) for task="regression", one for each input; got {kind}'
        )
    return as_inputs(name, array)


def as_names(what: str, names: Any, count: int | None, *, distinct: bool = True) -> tuple[str, ...]:
    """The names as a tuple of so many texts; ValueError otherwise, and for two equal ones that must differ."""
    found = None if isinstance(names, str) or not hasattr(names, "__iter__") else tuple(names)
    if not found or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{what} must be a list of texts, got {names!r}")
    if count is not None and len(found) != count:
        raise ValueError(f"{what} must be {count} texts, one each, got {len(found)}")
    if distinct and len(set(found)) < len(found):
        twice = next(name for place, name in enumerate(found) if name in found[:place])
        raise ValueError(f"{what} must differ, got {twice!r} twice: rename one")
    return tuple(str(name) for name in found)
