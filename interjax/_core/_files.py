"""Files: arrays in npz and numbers in JSON."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np


def write_json(path: Path, content: Any) -> None:
    """Write strict JSON through a temporary file, so that a killed process leaves no half file."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(json.dumps(_finite(content), indent=1, allow_nan=False) + "\n")
    os.replace(partial, path)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_arrays(path: str | os.PathLike, arrays: dict[str, np.ndarray], *, compress: bool = True) -> Path:
    """Write named arrays to an npz file through a temporary one, so that a killed process leaves no half file."""
    path = Path(path)
    if path.suffix != ".npz":
        path = path.with_name(path.name + ".npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with open(partial, "wb") as file:
        (np.savez_compressed if compress else np.savez)(file, **arrays)  # type: ignore[arg-type]
    os.replace(partial, path)
    return path


def read_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read every array of an npz file; raises ValueError that names the file if it is missing or damaged."""
    path = Path(path)
    if not path.exists() and path.suffix != ".npz":
        path = path.with_name(path.name + ".npz")
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: expected an npz file written by `save`") from None
    except Exception as error:
        raise ValueError(f"{path} cannot be read as an npz file ({error}); it may be damaged") from error
