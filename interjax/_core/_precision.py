"""64-bit numbers where a computation needs them, whatever the user's setting."""

import contextlib
from collections.abc import Iterator

import jax


@contextlib.contextmanager
def float64() -> Iterator[None]:
    """Arrays made inside keep 64 bits, whatever the user's setting, which is left as it was."""
    with jax.enable_x64(True):
        yield
