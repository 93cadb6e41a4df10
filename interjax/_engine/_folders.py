"""A folder that keeps what a run has measured so far, so that a killed run resumes to the same numbers."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import time
import types
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from interjax._core._files import held, read_arrays, read_json, replaced, write_arrays
from interjax._core._names import is_of_names

# A measurement under way is written this often; half as often where writing takes more than this share of time.
WRITE_SECONDS = 30.0
WRITE_SHARE = 0.05
_LONGEST_VALUE = 60  # characters of a setting in a message
_ABSENT = object()
_STAMP = "written by"  # of a piece: a digest of its run, its name and its content
_STAMPED = {"pieces": "stamped"}  # beside a run's settings: a folder without it may be of a time before stamps


class RunFolder:
    """Pieces of a run's measurements as npz files beside the settings that they belong to.

    What is measured whole is NAME.npz; what a piece under way has so far is partial/NAME.npz.

    Raises:
        ValueError: on opening a folder that holds a run with other settings, or pieces of one without its settings.
    """

    @classmethod
    @contextlib.contextmanager
    def held(
        cls, folder: str | os.PathLike | None, settings: dict[str, Any], *, alone: bool = True
    ) -> "Iterator[RunFolder | None]":
        """The folder of a run, or None for none; no other run may be at work in it, unless this one is not `alone`."""
        if folder is None or not os.fspath(folder):
            yield None if folder is None else cls(folder, settings)
            return
        with held(folder) if alone else contextlib.nullcontext():
            yield cls(folder, settings)

    def __init__(self, folder: str | os.PathLike, settings: dict[str, Any]):
        if not os.fspath(folder):
            raise ValueError("folder must be the path of a folder, got an empty one")
        self.folder = Path(folder)
        path = self.folder / "settings.json"
        settings = {name: value for name, value in settings.items() if name not in _STAMPED}  # where they were read
        self._run = json.dumps(settings, sort_keys=True)
        if path.exists():
            found = read_json(path)
            if not isinstance(found, dict):
                raise ValueError(
                    f"{path} must hold the settings of a run, an object of JSON; got {_in_short(found)}: choose "
                    "another folder, or delete this one to start anew"
                )
            self._is_stamped = any(found.pop(key, None) == value for key, value in _STAMPED.items())
            check_same_run(self.folder, found, settings)
            return
        pieces = sorted([*self.folder.glob("*.npz"), *self.folder.glob("partial/*.npz")])
        if pieces:
            raise ValueError(
                f"{self.folder} holds {pieces[0].name} but no settings.json, which says what run it is of: choose "
                "another folder, or delete this one to start anew"
            )
        self._is_stamped = True
        text = json.dumps(settings | _STAMPED, indent=1)
        with replaced(path) as partial:
            partial.write_text(text)

    def has(self, name: str) -> bool:
        """Whether the piece of this name was measured whole."""
        return (self.folder / f"{name}.npz").exists()

    def read(self, name: str) -> dict[str, np.ndarray] | None:
        """The piece of this name, or None if it has not been measured whole."""
        return self._read(self.folder / f"{name}.npz", name) if self.has(name) else None

    def write(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        """Keep a whole piece; a file appears whole or not at all."""
        write_arrays(self.folder / f"{name}.npz", self._stamped(name, arrays))
        for end in (".npz", "-*.npz"):
            for path in (self.folder / "partial").glob(f"{name}{end}"):
                path.unlink(missing_ok=True)

    def partial(self, name: str) -> "Partial":
        """Where a piece under way keeps its state; one of several states has the piece's name and what follows "-"."""
        path = self.folder / "partial" / f"{name}.npz"
        return Partial(path, lambda: self._read(path, name), lambda arrays: self._stamped(name, arrays))

    def _stamped(self, name: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A piece with a digest of its run, its name and its content."""
        return arrays | {_STAMP: np.array(self._digest(name, arrays))}

    def _digest(self, name: str, arrays: dict[str, np.ndarray]) -> str:
        named = sorted(arrays)
        return hashlib.sha256(
            f"{self._run} {name} {named} {fingerprint([np.asarray(arrays[each]) for each in named])}".encode()
        ).hexdigest()

    def _read(self, path: Path, name: str) -> dict[str, np.ndarray]:
        """A piece without its digest; ValueError if it is not what this run wrote there."""
        try:
            arrays = read_arrays(path)
        except ValueError as error:
            raise ValueError(f"{error}: delete the file to measure it anew") from error
        stamp = arrays.pop(_STAMP, None)
        is_ours = not self._is_stamped if stamp is None else str(stamp) == self._digest(name, arrays)
        if not is_ours:
            raise ValueError(
                f"{path} is not what this run wrote there: it was changed, or belongs to another run or input; delete "
                "the file to measure it anew"
            )
        return arrays


def check_same_run(
    folder: str | os.PathLike,
    found: Any,
    settings: dict[str, Any],
    *,
    holds: str = "a run with other settings",
    elsewhere: str = "another folder",
) -> None:
    """Raise ValueError, saying what differs, unless the settings that a folder holds are those of this run.

    Args:
        folder: what the message names.
        found: the settings that it holds, as read from JSON.
        settings: those of this run, of JSON types; a tuple is the list that JSON makes of it.
        holds: what the folder has if they differ.
        elsewhere: what to choose then.
    """
    differing = _differences("", found, json.loads(json.dumps(settings)))
    if differing:
        raise ValueError(
            f"{folder} holds {holds} ({'; '.join(differing)}): choose {elsewhere}, or delete it to start anew"
        )


def _differences(name: str, found: Any, given: Any) -> list[str]:
    """Each setting in which two runs differ with both its values; those inside a mapping by their path."""
    if found == given:
        return []
    if not isinstance(found, dict) or not isinstance(given, dict):
        return [f"{name}: {_in_short(found)} there, {_in_short(given)} here"]
    inside = [_differences(f"{name}.{key}".lstrip("."), *_both(found, given, key)) for key in sorted(found | given)]
    return [difference for each in inside for difference in each]


def _both(found: dict[str, Any], given: dict[str, Any], key: str) -> tuple[Any, Any]:
    return found.get(key, _ABSENT), given.get(key, _ABSENT)


def _in_short(value: Any) -> str:
    text = "none" if value is _ABSENT else json.dumps(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


class Partial:
    """The state of a measurement under way in one file, written about every `WRITE_SECONDS`."""

    def __init__(
        self,
        path: Path,
        read: Callable[[], dict[str, np.ndarray]],
        stamped: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]],
    ):
        self.path, self._read, self._stamped = path, read, stamped
        self.written, self.cost = time.monotonic(), 0.0

    def read(self) -> dict[str, np.ndarray] | None:
        return self._read() if self.path.exists() else None

    def write(self, state: Callable[[], dict[str, np.ndarray]], *, at_once: bool = False) -> None:
        """Write the state if it is time to, or `at_once`."""
        start = time.monotonic()
        pause = max(WRITE_SECONDS, min(self.cost / WRITE_SHARE, 2 * WRITE_SECONDS - self.cost))
        if at_once or start - self.written >= pause:
            write_arrays(self.path, self._stamped(state()), compress=False)
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
    """What settings say of a function: its qualified name, and unless it is interjax's own a digest of its code.

    Two functions of one name, such as two lambdas, differ by their code or by what they hold: closed-over values,
    global numbers, words and arrays, defaults, the arguments that a partial one is bound to, the attributes of a
    callable object; lists and sets, which grow as they are used, are left out.
    """
    name = getattr(function, "__qualname__", type(function).__qualname__)
    is_own = isinstance(function, types.FunctionType) and function.__module__.split(".")[0] == __name__.split(".")[0]
    if is_own and not function.__closure__:
        return name
    return f"{name} {hashlib.sha256(_described(function, ()).encode()).hexdigest()[:16]}"


def _described(value: Any, above: tuple[int, ...]) -> str:
    """A text that differs where what a value computes or holds does; the same in every process."""
    if id(value) in above:
        return "above"
    above = (*above, id(value))

    def inside(*parts: Any) -> str:
        return ",".join(_described(part, above) for part in parts)

    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return "traced" if isinstance(value, Tracer) else _digest(value).hex()
    if isinstance(value, functools.partial):
        return f"partial({inside(value.func, value.args, value.keywords)})"
    if isinstance(value, types.FunctionType):
        held = [cell.cell_contents for cell in value.__closure__ or () if cell.cell_contents is not value]
        named = [value.__globals__.get(name) for name in value.__code__.co_names]
        held += [each for each in named if isinstance(each, np.ndarray | np.generic | jax.Array | str | int | float)]
        return f"function({inside(value.__code__, value.__defaults__, value.__kwdefaults__, *held)})"
    if isinstance(value, types.MethodType):
        return f"method({inside(value.__func__, value.__self__)})"
    if isinstance(value, types.CodeType):
        return f"code({value.co_code.hex()},{value.co_names},{inside(*value.co_consts)})"
    if isinstance(value, Mapping):
        return f"mapping({inside(*(part for item in value.items() for part in item))})"
    if isinstance(value, tuple | frozenset):
        return (
            f"{type(value).__name__}({inside(*(sorted(value, key=repr) if isinstance(value, frozenset) else value))})"
        )
    if isinstance(value, list | set):  # what grows as it is used, such as a list of calls
        return type(value).__name__
    if value is None or isinstance(value, str | bytes | int | float | complex | type | types.ModuleType):
        return repr(getattr(value, "__name__", value))
    if hasattr(value, "__wrapped__"):  # such as a jitted function
        return f"wrapped({inside(value.__wrapped__)})"
    return f"{type(value).__qualname__}({inside(_attributes(value))})"


def _attributes(value: Any) -> dict[str, Any]:
    """What an object holds but for names of players, which change nothing that is measured, and what it has cached."""
    fields = dataclasses.fields(value) if dataclasses.is_dataclass(value) else ()
    names = {field.name for field in fields if is_of_names(field)}
    cached = {
        name
        for kind in type(value).__mro__
        for name, own in vars(kind).items()
        if isinstance(own, functools.cached_property)
    }
    return {name: held for name, held in getattr(value, "__dict__", {}).items() if name not in names | cached}
