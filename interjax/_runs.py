"""A folder that keeps what a run has measured so far, so that a killed run resumes to the same numbers."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from interjax._results import read_arrays, write_arrays


class RunFolder:
    """Pieces of a run's measurements as npz files beside the settings that they belong to.

    Raises:
        ValueError: on opening a folder that holds a run with other settings.
    """

    def __init__(self, folder: str | os.PathLike, settings: dict[str, Any]):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "settings.json"
        if not path.exists():
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(settings, indent=1))
            os.replace(partial, path)
            return
        found = json.loads(path.read_text())
        if found != json.loads(json.dumps(settings)):
            differing = sorted(name for name in settings if found.get(name) != settings[name])
            raise ValueError(
                f"{self.folder} holds a run with other settings ({', '.join(differing)} differ): "
                "choose another folder, or delete this one to start anew"
            )

    def read(self, name: str) -> dict[str, np.ndarray] | None:
        """The piece of this name, or None if it has not been measured."""
        path = self.folder / f"{name}.npz"
        return read_arrays(path) if path.exists() else None

    def write(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        """Keep a piece; a file appears whole or not at all."""
        write_arrays(self.folder / f"{name}.npz", arrays)


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
