"""Results: frozen dataclasses that are pytrees and live in an open file format (NumPy's npz with a JSON header)."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, Self, TypeVar, dataclass_transform

import jax
import numpy as np

from interjax._core._files import read_arrays, write_arrays

_HEADER = "__interjax__"
T = TypeVar("T")


def static_field(**keywords: Any) -> Any:
    """A dataclass field that is no array: part of a result's structure, written to its header as JSON."""
    return dataclasses.field(metadata={"static": True}, **keywords)


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, static_field))
def result(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass, registered as a pytree whose leaves are its array fields."""
    cls = dataclasses.dataclass(frozen=True, eq=False)(cls)
    return jax.tree_util.register_dataclass(cls)


class Saved:
    """Adds `save` and `load` to a result: arrays as npz entries, static fields as a JSON header; no pickle."""

    def save(self, path: str | os.PathLike) -> Path:
        """Write the result to `path` as npz, replacing it in one step; return the path written."""
        arrays, header = {}, {"kind": type(self).__name__, "static": {}}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if field.metadata.get("static"):
                header["static"][field.name] = value
            elif value is not None:
                arrays[field.name] = np.asarray(value)
        arrays[_HEADER] = np.array(json.dumps(header))
        return write_arrays(path, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read what `save` wrote; raises ValueError if the file holds something else."""
        arrays = read_arrays(path)
        if _HEADER not in arrays:
            raise ValueError(f"{path} is an npz file that interjax did not write; expected a saved {cls.__name__}")
        header = json.loads(str(arrays.pop(_HEADER)))
        if header["kind"] != cls.__name__:
            raise ValueError(f"{path} holds a {header['kind']}, not a {cls.__name__}: use {header['kind']}.load")
        static = {k: tuple(v) if isinstance(v, list) else v for k, v in header["static"].items()}
        fields = {name: array if array.ndim else array.item() for name, array in arrays.items()}
        return cls(**fields, **static)
