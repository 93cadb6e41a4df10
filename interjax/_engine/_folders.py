"""A folder that keeps what a run has measured so far, so that a killed run resumes to the same numbers."""

import functools
import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from interjax._core._files import read_arrays, write_arrays

# A measurement under way is written this often; half as often where writing takes more than this share of time.
WRITE_SECONDS = 30.0
WRITE_SHARE = 0.05


class RunFolder:
    """Pieces of a run's measurements as npz files beside the settings that they belong to.

    What is measured whole is NAME.npz; what a piece under way has so far is partial/NAME.npz.

    Raises:
        ValueError: on opening a folder that holds a run with other settings.
    """

    def __init__(self, folder: str | os.PathLike, settings: dict[str, Any]):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "settings.json"
        if not path.exists():
            partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
            partial.write_text(json.dumps(settings, indent=1))
            os.replace(partial, path)
            return
        found = json.loads(path.read_text())
        if found != json.loads(json.dumps(settings)):
            differing = sorted(name for name in found | settings if found.get(name) != settings.get(name))
            raise ValueError(
                f"{self.folder} holds a run with other settings ({', '.join(differing)} differ): "
                "choose another folder, or delete this one to start anew"
            )

    def has(self, name: str) -> bool:
        """Whether the piece of this name was measured whole."""
        return (self.folder / f"{name}.npz").exists()

    def read(self, name: str) -> dict[str, np.ndarray] | None:
        """The piece of this name, or None if it has not been measured whole."""
        return read_arrays(self.folder / f"{name}.npz") if self.has(name) else None

    def write(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        """Keep a whole piece; a file appears whole or not at all."""
        write_arrays(self.folder / f"{name}.npz", arrays)
        (self.folder / "partial" / f"{name}.npz").unlink(missing_ok=True)

    def partial(self, name: str) -> "Partial":
        """Where a piece under way keeps its state."""
        return Partial(self.folder / "partial" / f"{name}.npz")


class Partial:
    """The state of a measurement under way in one file, written about every `WRITE_SECONDS`."""

    def __init__(self, path: Path):
        self.path = path
        self.written, self.cost = time.monotonic(), 0.0

    def read(self) -> dict[str, np.ndarray] | None:
        return read_arrays(self.path) if self.path.exists() else None

    def write(self, state: Callable[[], dict[str, np.ndarray]], *, at_once: bool = False) -> None:
        """Write the state if it is time to, or `at_once`."""
        start = time.monotonic()
        pause = max(WRITE_SECONDS, min(self.cost / WRITE_SHARE, 2 * WRITE_SECONDS - self.cost))
        if at_once or start - self.written >= pause:
            write_arrays(self.path, state(), compress=False)
            self.written = time.monotonic()
            self.cost = self.written - start


def fingerprint(tree: Any) -> str:
    """A digest of every array in a pytree and of how many there are; equal content gives equal digests."""
    digests: dict[int, bytes] = {}
    leaves = jax.tree.leaves(tree)
    whole = hashlib.sha256(str(len(leaves)).encode())
    for leaf in leaves:
        if id(leaf) not in digests:  # games of one network share their weights
            digests[id(leaf)] = _digest(leaf)
        whole.update(digests[id(leaf)])
    return whole.hexdigest()


def _digest(leaf: Any) -> bytes:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    array = np.ascontiguousarray(leaf)
    return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).digest()


def name_of(function: Any) -> str:
    """A function's qualified name, for a partial one with what it is bound to: what settings say of it."""
    if isinstance(function, functools.partial):
        return f"{name_of(function.func)}{function.args}{sorted(function.keywords.items())}"
    return getattr(function, "__qualname__", type(function).__qualname__)
