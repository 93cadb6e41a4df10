"""Programs over the rows of an array: in blocks that fit a cache, spread over devices, compiled for few sizes."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from interjax._engine._devices import spread

_CPU_VALUES, _ACCELERATOR_VALUES = 2**18, 2**25  # computed at once
_CPU_ROWS, _ACCELERATOR_ROWS = 2**12, 2**16  # of one call
_FEWEST_ROWS = 256


def bucket(size: int) -> int:
    """The size or a little more, of few different ones, so that few programs are compiled.

    Two for each octave up to 4,096, where rounding up costs more than it saves, else one.
    """
    power = max(_FEWEST_ROWS, 1 << (size - 1).bit_length())
    return power * 3 // 4 if _FEWEST_ROWS < power <= _CPU_ROWS and size <= power * 3 // 4 else power


def padded(rows: Any, multiple: int = 1) -> Array | np.ndarray:
    """Rows of zeros added, up to the size of a bucket and to a multiple of what is done at once."""
    size = -(-bucket(len(rows)) // multiple) * multiple
    if size == len(rows):
        return rows
    widths = ((0, size - len(rows)), *[(0, 0)] * (rows.ndim - 1))
    return (jnp if isinstance(rows, jax.Array) else np).pad(rows, widths)


def pieces_of(arrays: Sequence[Any], width: int, devices: Mesh | None) -> Iterator[tuple[int, tuple[Any, ...]]]:
    """Arrays with the same rows, cut and padded for calls of few sizes; with each piece the rows of a block.

    Args:
        arrays: (rows, ...), each.
        width: values that a row takes while it is computed.
        devices: that the rows of a call are spread over; None for one.
    """
    n_devices, platform = (devices.size, devices.devices.flat[0].platform) if devices else (1, _default_platform())
    on_cpu = platform == "cpu"
    values, most = (_CPU_VALUES, _CPU_ROWS) if on_cpu else (_ACCELERATOR_VALUES, _ACCELERATOR_ROWS)
    length = min(bucket(len(arrays[0])), most) // n_devices or 1
    block = min(1 << max(4, (values // width).bit_length() - 1), length & -length)
    for start in range(0, len(arrays[0]), most):
        piece = arrays if len(arrays[0]) <= most else [np.asarray(each)[start : start + most] for each in arrays]
        yield block, tuple(padded(each, block * n_devices) for each in piece)


def _default_platform() -> str:
    return jax.local_devices()[0].platform


@functools.lru_cache(maxsize=64)
def program_of_rows(
    function: Callable, devices: Mesh | None, by_row: tuple[bool, ...], summed: bool, **keywords: Any
) -> Callable[..., Array]:
    """A compiled function of arrays, its rows spread over the devices.

    Args:
        function: (arrays..., keywords) -> array, computed on each device from its share of the rows.
        devices: None for one device.
        by_row: for each array whether its first axis is the rows; else every device has all of it.
        summed: whether the results of the devices are added up; else they are rows, too.
    """
    return jax.jit(spread(functools.partial(function, **keywords), devices, by_row=by_row, summed=summed))
