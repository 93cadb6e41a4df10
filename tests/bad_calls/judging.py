"""Bad calls made from good ones, and what came of each: clear, told, silent, foreign, refused though right, accepted.

clear     an error of interjax's own, raised by its own line, that names the argument; or Python's own word on an
          unknown, missing or surplus argument
told      accepted with a warning of interjax's, or with NaN where it was given NaN
accepted  a value that is or may be right
refused   a value that is right, refused
silent    a value that can only be wrong, accepted without a word
foreign   any other error: raised inside a library, of another type, or without the argument's name
"""

import contextlib
import dataclasses
import inspect
import io
import operator
import os
import re
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from bad_calls.values import TRACED, Kind, Value

import interjax as ij

PACKAGE = str(Path(ij.__file__).parent)
FAULTS = ("silent", "foreign", "refused")
_OF_PYTHON = re.compile(r"unexpected keyword|missing \d+ required|takes .* positional|multiple values")
_SECONDS = 20


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """A good call of a public callable, and the kind of each of its arguments.

    name: where a user finds it, below `interjax`.
    arguments: makes what it is called with, by name.
    kinds: of arguments, where they are not those that all functions share.
    of: the callable itself, where the name is that of a method.
    fresh: whether the call changes what it is given, so that each call needs its own.
    words: other words by which a message may name an argument.
    room: the room in whose counts it is.
    """

    name: str
    arguments: Callable[[], dict[str, Any]]
    kinds: Mapping[str, Kind] = dataclasses.field(default_factory=dict)
    of: Callable[[], Callable] | None = None
    fresh: bool = False
    words: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    case: str = ""

    @property
    def room(self) -> str:
        return self.name.split(".")[0]

    def __str__(self) -> str:
        return f"{self.name} ({self.case})" if self.case else self.name

    def function(self) -> Callable:
        return self.of() if self.of else operator.attrgetter(self.name)(ij)

    def parameters(self) -> dict[str, inspect.Parameter]:
        function = self.function()
        found = inspect.signature(function.__init__ if _hides_its_signature(function) else function).parameters
        return {name: each for name, each in found.items() if name != "self"}


def _hides_its_signature(function: Any) -> bool:
    return inspect.isclass(function) and "args" in inspect.signature(function).parameters


@dataclasses.dataclass(frozen=True)
class BadCall:
    """One argument of a good call replaced."""

    line: Line
    argument: str
    value: str
    verdict: str
    make: Callable[[], Any]

    @property
    def room(self) -> str:
        return self.line.room

    def __str__(self) -> str:
        return f"{self.line}: {self.argument} = {self.value}"


@dataclasses.dataclass(frozen=True)
class Outcome:
    call: Any
    kind: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.call}: {self.text}"


_LEFT_OUT = object()


def bad_calls(line: Line, shared: Mapping[str, Kind]) -> list[BadCall]:
    """All bad calls of a line; `shared` are the kinds of arguments by their names."""
    good, parameters = line.arguments(), line.parameters()
    found = [BadCall(line, "no_such_option", "an unknown keyword", "never", lambda: 1)]
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if name in good and parameter.default is parameter.empty:
            found.append(BadCall(line, name, "left out", "never", lambda: _LEFT_OUT))
        kind = line.kinds.get(name) or shared.get(name)
        if kind is None:
            raise LookupError(f"{line} has no kind for its argument {name}")
        default = None if parameter.default is parameter.empty else parameter.default
        values: list[Value] = kind(good.get(name, default))
        found += [BadCall(line, name, label, verdict, make) for label, verdict, make in values]
    return found


class Judge:
    """Makes bad calls and says what came of each; keeps the good arguments of a line and the warnings of its call."""

    def __init__(self) -> None:
        self._good: dict[Line, dict[str, Any]] = {}
        self._usual: dict[Line, set[str]] = {}

    def good_answer(self, line: Line) -> Any:
        """What the good call returns; its warnings are usual from now on."""
        with warnings.catch_warnings(record=True) as caught, _silenced(), at_most(_SECONDS):
            warnings.simplefilter("always")
            answer = line.function()(**line.arguments())
        self._usual[line] = {_stem(each) for each in caught}
        return answer

    def __call__(self, call: BadCall) -> Outcome:
        line = call.line
        if line not in self._usual:
            self.good_answer(line)
        if line.fresh or line not in self._good:
            self._good[line] = line.arguments()
        given, value = dict(self._good[line]), call.make()
        if value is _LEFT_OUT:
            del given[call.argument]
        with warnings.catch_warnings(record=True) as caught, _silenced(), _elsewhere(), _all_frames():
            warnings.simplefilter("always")
            try:
                with at_most(_SECONDS):
                    answer = _answer(line, given, call.argument, value)
            except Exception as error:
                return self._of_error(call, error, value)
        return self._of_answer(call, answer, caught)

    def _of_error(self, call: BadCall, error: Exception, value: Any) -> Outcome:
        text = f"{type(error).__name__}: {str(error)[:300]}"
        if not _is_clear(call, error, value):
            return Outcome(call, "foreign", f"{text}\n    {place_of(error)}")
        return Outcome(call, "refused" if call.verdict == "right" else "clear", text)

    def _of_answer(self, call: BadCall, answer: Any, caught: list[Any]) -> Outcome:
        if call.verdict in ("right", "maybe"):
            return Outcome(call, "accepted")
        new = [
            each
            for each in caught
            if issubclass(each.category, UserWarning) and _stem(each) not in self._usual[call.line]
        ]
        if new:
            return Outcome(call, "told", str(new[0].message)[:200])
        if call.verdict == "told" and has_nan(answer):
            return Outcome(call, "told", "NaN in the answer")
        return Outcome(call, "silent", f"gave {str(answer)[:120]}")


def _answer(line: Line, given: dict[str, Any], argument: str, value: Any) -> Any:
    function = line.function()
    if isinstance(value, str) and value is TRACED:
        # What is made under the trace cannot leave it.
        return jax.jit(lambda held: (function(**given | {argument: held}), 0)[1])(given.get(argument, np.array([0, 1])))
    if value is _LEFT_OUT:
        return function(**given)
    return function(**given | {argument: value})


def _is_clear(call: BadCall, error: Exception, value: Any) -> bool:
    text = str(error)
    if isinstance(error, TypeError) and _OF_PYTHON.search(text):
        return True
    if isinstance(error, ImportError):
        return "pip install" in text
    if isinstance(error, OSError):  # a file that cannot be read: its name is what matters
        return bool(error.filename) or _raised_here(error)
    if not isinstance(error, ValueError | TypeError) or not _raised_here(error):
        return False
    if isinstance(value, str | os.PathLike) and len(os.fspath(value)) > 1 and os.fspath(value) in text:
        return True  # a file is named by its path
    words = (call.argument, *call.line.words.get(call.argument, ()), *WORDS.get(call.argument, ()))
    return any(re.search(rf"\b{re.escape(word)}", text) for word in words)


WORDS: dict[str, tuple[str, ...]] = {
    "x": ("labels", "y ", "index", "baseline"),
    "xs": ("labels", "x ", "baseline"),
    "labels": ("label",),
    "checkpoints": ("checkpoint",),
    "data": ("x must be inputs of the shape that players partition", "the table", "networks: "),
    "players": ("x ",),
    "model": ("network", "x must be a batch of inputs"),
    "apply": ("x must be a batch of inputs",),
    "params": ("parameters",),
    "untrained": ("model",),
    "folder": ("npz file",),
    "path": ("npz file",),
}
"""Other words by which messages name an argument of any function."""


def _raised_here(error: Exception) -> bool:
    """Whether the line that raised the error is interjax's own."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and frames[-1].f_code.co_filename.startswith(PACKAGE)


def place_of(error: Exception) -> str:
    """The last line of interjax's that the error went through, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f"{Path(each.filename).relative_to(PACKAGE)}:{each.lineno}"
        for each in frames
        if each.filename.startswith(PACKAGE)
    ]
    last = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    return f"{own[-1] if own else 'not in interjax'} -> {last}"


def _stem(warning: Any) -> str:
    return re.sub(r"[\d.,e+-]+", "#", str(warning.message))[:60]


def has_nan(answer: Any) -> bool:
    """Whether a number of an answer is NaN or infinite."""
    if isinstance(answer, str | bytes):
        return False
    leaves = jax.tree.leaves(answer, is_leaf=lambda node: hasattr(node, "to_arrays"))
    return any(_leaf_has_nan(leaf) for leaf in leaves)


def _leaf_has_nan(leaf: Any) -> bool:
    if hasattr(leaf, "to_arrays"):
        return any(_leaf_has_nan(each) for each in leaf.to_arrays().values())
    if hasattr(leaf, "params"):
        return has_nan(leaf.params)
    if dataclasses.is_dataclass(leaf) and not isinstance(leaf, type):
        return has_nan([getattr(leaf, field.name) for field in dataclasses.fields(leaf)])
    try:
        held = np.asarray(leaf)
    except (TypeError, ValueError):
        return False
    return held.dtype.kind in "fc" and not np.all(np.isfinite(held))


@contextlib.contextmanager
def _all_frames() -> Iterator[None]:
    """JAX leaves its own frames in a traceback, so that its errors are told from interjax's."""
    before = jax.config.jax_traceback_filtering  # type: ignore[attr-defined]
    jax.config.update("jax_traceback_filtering", "off")
    try:
        yield
    finally:
        jax.config.update("jax_traceback_filtering", before)


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """In a folder of its own, where a call that takes an empty path may write."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


class TooLong(Exception):
    """A call that did not end."""


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TooLong(f"no end after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
