"""What the modules inside an nnx module return while it runs.

The modules of a private copy become instances of subclasses that report. `nnx.capture(..., method_outputs=...)` has the
same purpose and cannot serve. It changes the classes, those of flax's own layers too, so that another thread which
calls such a layer meanwhile fails; it leaves out methods that a class inherits, and hears them twice where the parent
is in the network too; it makes methods of static methods and of nested classes; it lets values out of `jax.checkpoint`
that do not exist there; and it does not tell the order of the calls. tests/representations/test_listening.py tries it.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

from flax import nnx
from jax.extend.core import get_opaque_trace_state

_METHODS = ("__call__", "hidden")


class _Listener:
    """Collects (path, returned) of the modules that it knows, as long as JAX traces no function inside theirs."""

    def __init__(self, model: nnx.Module):
        self.paths = {id(module): ".".join(map(str, path)) for path, module in nnx.iter_modules(model)}
        self.heard: list[tuple[str, Any]] = []
        self._tracing = _current_trace()

    def hear(self, module: nnx.Module, method: str, returned: Any) -> None:
        path = self.paths.get(id(module))
        if path is None or _current_trace() != self._tracing:  # its values do not exist outside a transformation
            return
        part = "" if method == "__call__" else method
        self.heard.append((f"{path}.{part}".strip("."), returned))


_LISTENER: contextvars.ContextVar[_Listener | None] = contextvars.ContextVar("listener", default=None)


@contextlib.contextmanager
def listen(model: nnx.Module) -> Iterator[list[tuple[str, Any]]]:
    """Collect what every module inside an nnx module returns from `__call__` or `hidden`, in the order of returning.

    Args:
        model: a module that nobody else uses, such as a fresh `nnx.merge`: its modules' classes become subclasses.

    Returns:
        A list that fills as the model is called: the module's path ("" for the model itself), for `hidden` with that
        name at its end, and what was returned. Modules called inside JAX or nnx transformations are left out.
    """
    listener = _Listener(model)
    for _, module in list(nnx.iter_modules(model)):
        object.__setattr__(module, "__class__", _reporting(type(module)))
    token = _LISTENER.set(listener)
    try:
        yield listener.heard
    finally:
        _LISTENER.reset(token)


@functools.lru_cache(maxsize=1024)
def _reporting(kind: type) -> type:
    """A subclass whose methods report what they return to the listener."""
    defined = [method for method in _METHODS if any(method in vars(base) for base in kind.__mro__)]
    if not defined:
        return kind
    reporting = type(kind)(kind.__name__, (kind,), {"__module__": kind.__module__, "__qualname__": kind.__qualname__})
    for method in defined:
        setattr(reporting, method, _report(reporting, method))
    return reporting


def _report(kind: type, method: str) -> Callable[..., Any]:
    def reported(self: Any, *arguments: Any, **options: Any) -> Any:
        returned = getattr(super(kind, self), method)(*arguments, **options)
        listener = _LISTENER.get()
        if listener is not None:
            listener.hear(self, method, returned)
        return returned

    return reported


def _current_trace() -> Any:
    return get_opaque_trace_state(convention="nnx")
