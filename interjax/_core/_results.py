"""Results: frozen dataclasses that are pytrees and live in an open file format (NumPy's npz with a JSON header)."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, dataclass_transform

import jax
import numpy as np

from interjax._core._checks import check_path
from interjax._core._files import read_arrays, write_arrays
from interjax._core._names import default_names, is_of_names, names_field, register_with_names

_HEADER = "__interjax__"
T = TypeVar("T")


def static_field(**keywords: Any) -> Any:
    """A dataclass field that is no array: part of a result's structure, written to its header as JSON."""
    return dataclasses.field(metadata={"static": True}, **keywords)


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field, static_field, names_field))
def result(cls: type[T]) -> type[T]:
    """Make a class a frozen dataclass, registered as a pytree whose leaves are its array fields."""
    cls = dataclasses.dataclass(frozen=True, eq=False)(cls)
    has_names = any(map(is_of_names, dataclasses.fields(cls)))  # type: ignore[arg-type]
    return register_with_names(cls) if has_names else jax.tree_util.register_dataclass(cls)


class Saved:
    """Adds `save` and `load` to a result: arrays as npz entries, static fields as a JSON header; no pickle."""

    def save(self, path: str | os.PathLike) -> Path:
        """Write the result to `path` as npz, replacing it in one step; return the path written."""
        return write_arrays(check_path("path", path), self.to_arrays())

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The result as arrays by name, of which one holds the static fields in JSON: what `save` writes."""
        arrays, header = {}, {"kind": type(self).__name__, "static": {}}
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if is_of_names(field) and value == default_names(len(value)):
                continue  # as in files of results that had no names
            if field.metadata.get("static"):
                header["static"][field.name] = value.item() if isinstance(value, np.generic) else value
            elif value is not None:
                arrays[field.name] = np.asarray(value)
        arrays[_HEADER] = np.array(json.dumps(header))
        return arrays

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read what `save` wrote; raises ValueError if the file holds something else."""
        arrays = read_arrays(check_path("path", path))
        if _HEADER not in arrays:
            raise ValueError(f"{path} is an npz file that interjax did not write; expected a saved {cls.__name__}")
        kind = json.loads(str(arrays[_HEADER]))["kind"]
        if kind != cls.__name__:
            raise ValueError(f"{path} holds a {kind}, not a {cls.__name__}: use {kind}.load")
        return cls.from_arrays(arrays)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The result that `to_arrays` took apart; raises ValueError if it was another one."""
        header: dict[str, Any] = json.loads(str(arrays[_HEADER])) if _HEADER in arrays else {"kind": "no result"}
        if header["kind"] != cls.__name__:
            raise ValueError(f"expected the arrays of a {cls.__name__}, got those of {header['kind']}")
        static = {k: tuple(v) if isinstance(v, list) else v for k, v in header["static"].items()}
        fields = {name: array if array.ndim else array.item() for name, array in arrays.items() if name != _HEADER}
        return cls(**fields, **static)
