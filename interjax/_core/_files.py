"""Files: replaced in one step, arrays in npz, numbers in JSON."""

import contextlib
import json
import math
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import numpy as np

_LEFT_SECONDS = 600  # after which a temporary file is nobody's


@contextlib.contextmanager
def replaced(path: str | os.PathLike) -> Iterator[Path]:
    """A temporary file beside `path` to write to, which takes its place in one step when the block ends.

    A process killed before that leaves the file as it was; a block that raises leaves no temporary file either. What is
    written is on the disk before it takes the place. The folder is made if need be.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        yield partial
        with open(partial, "r+b") as written:
            os.fsync(written.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def held(folder: str | os.PathLike) -> Iterator[None]:
    """Keep other runs out of a folder, made if need be, until the block ends; nothing if it cannot be written to.

    The system lets go of it when the process ends, however that happens.

    Raises:
        ValueError: another run, of this process or of another, is at work there.
    """
    folder = Path(folder)
    with contextlib.suppress(PermissionError):
        folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        yield
        return
    lock = filelock.FileLock(folder / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ValueError(f"another run is at work in {folder}: wait until it ends, or choose another folder") from None
    try:
        _remove_leftovers(folder)
        yield
    finally:
        with contextlib.suppress(OSError):  # a system that does not remove a file in use leaves it there
            os.unlink(lock.lock_file)
        lock.release()


def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files that a killed run left; not those that another process of this run may be writing."""
    for path in [*folder.glob(".*.partial"), *folder.glob("partial/.*.partial")]:
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime > _LEFT_SECONDS:
                path.unlink()


def write_json(path: Path, content: Any) -> None:
    """Write strict JSON, replacing the file in one step; numbers that are not finite are null."""
    text = json.dumps(_finite(content), indent=1, allow_nan=False) + "\n"
    with replaced(path) as partial:
        partial.write_text(text)


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _finite(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file; raises ValueError that names it if it is missing or damaged."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: expected a JSON file") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read as JSON ({error}); it may be damaged") from error


def write_arrays(path: str | os.PathLike, arrays: dict[str, np.ndarray], *, compress: bool = True) -> Path:
    """Write named arrays to an npz file, replacing it in one step; return the path written."""
    path = Path(path)
    if path.suffix != ".npz":
        path = path.with_name(path.name + ".npz")
    with replaced(path) as partial, open(partial, "wb") as file:
        (np.savez_compressed if compress else np.savez)(file, **arrays)  # type: ignore[arg-type]
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
