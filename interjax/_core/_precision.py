"""64-bit numbers where a computation needs them, whatever the user's setting, and 32-bit ones that came as such."""

import contextlib
from collections.abc import Iterator

import jax
import numpy as np

_LAST_BITS = (1 << 11) - 1  # of a float32's significand; sums of few powers of two, such as counts, leave them empty


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Arrays made inside keep 64 bits, whatever the user's setting, which is left as it was."""
    with jax.enable_x64(True):
        yield


def are_float32(values: np.ndarray) -> bool:
    """Whether values in double precision are those of a network in single precision: all fit it, and most fill it."""
    values = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not len(values) or not np.array_equal(single, values):
        return False
    return bool(np.mean(single.view(np.int32) & _LAST_BITS != 0) > 0.5)
