"""Programs over the rows of an array: in blocks that fit a cache, spread over devices, compiled for few sizes."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array

_CPU_VALUES, _ACCELERATOR_VALUES = 2**18, 2**25  # computed at once
_FEWEST_ROWS = 256


def bucket(size: int) -> int:
    """The size or a little more, of few different ones, so that few programs are compiled: two for each octave."""
    power = max(_FEWEST_ROWS, 1 << (size - 1).bit_length())
    return power * 3 // 4 if power > _FEWEST_ROWS and size <= power * 3 // 4 else power


def rows_at_once(n_rows: int, width: int, devices: Mesh | None) -> int:
    """Rows of a block where each takes this many values: a power of two, at least 16, that divides a bucket's size."""
    platform = (devices.devices.flat[0] if devices else jax.local_devices()[0]).platform
    values = _CPU_VALUES if platform == "cpu" else _ACCELERATOR_VALUES
    return min(1 << max(4, (values // width).bit_length() - 1), n_rows & -n_rows)


def padded(rows: Any, multiple: int = 1) -> Array | np.ndarray:
    """Rows of zeros added, up to the size of a bucket and to a multiple of what is done at once."""
    size = -(-bucket(len(rows)) // multiple) * multiple
    if size == len(rows):
        return rows
    widths = ((0, size - len(rows)), *[(0, 0)] * (rows.ndim - 1))
    return (jnp if isinstance(rows, jax.Array) else np).pad(rows, widths)


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
    one_device = functools.partial(function, **keywords)
    if devices is None:
        return jax.jit(one_device)
    rows, whole = PartitionSpec(devices.axis_names), PartitionSpec()

    def share(*arrays: Array) -> Array:
        found = one_device(*arrays)
        return jax.lax.psum(found, devices.axis_names) if summed else found

    specs: tuple = tuple(rows if each else whole for each in by_row)
    spread = jax.shard_map(share, mesh=devices, in_specs=specs, out_specs=whole if summed else rows, check_vma=False)
    return jax.jit(spread)
