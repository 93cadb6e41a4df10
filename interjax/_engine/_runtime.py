"""What the processes need of the runtime that no public name gives, each with its reason. Such names stand only here.

tests/_engine/test_runtime.py tries every reason: a test there that fails says what can go.
"""

import atexit
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from jax._src.distributed import global_state


def store() -> Any:
    """The key-value store of JAX's coordination service, None without `jax.distributed`.

    It has key_value_set, key_value_set_bytes, key_value_dir_get, key_value_delete and the two blocking_key_value_get.
    """
    # `jax.distributed` starts and stops the service and has no name for what it keeps. The public exchange,
    # `jax.experimental.multihost_utils`, is a collective computation: who waits in it can neither look whether another
    # process was lost nor show progress, and all must bring arrays of one shape.
    return global_state.client


def end_process(message: str) -> NoReturn:
    """Say why on the error output, and end this process with code 1 from whatever thread calls."""
    # An exception, also that of a signal, reaches the main thread only once it is back in Python, which it is not in a
    # compiled program or a library that waits; `sys.exit` in another thread ends that thread alone.
    os.write(2, f"\ninterjax: {message}\n".encode())
    os._exit(1)


def leave_without_the_others() -> None:
    """Let this process, at its end, not wait for the others; its exit code is then 1."""
    # At exit JAX waits for all processes to shut down together. Where one is lost that lasts as long as the caller of
    # `jax.distributed.initialize` allowed, five minutes by default, and ends in abort() whatever the exit code was.
    atexit.register(_exit_at_once)


def _exit_at_once() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


@contextlib.contextmanager
def on_abort(do: Callable[[], NoReturn]) -> Iterator[None]:
    """Call a function that ends the process where JAX ends it by abort(), as it does when process 0 was lost.

    Nothing is called where the system has no POSIX signals.
    """
    # JAX has no option against that abort (`jax_enable_recoverability` spares only the loss of the others), and its
    # report names no process and nothing to do. A handler of the module `signal` would run when the interpreter goes
    # on, which it does not after abort(); `faulthandler` writes a traceback and leaves the exit code of a crash.
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: do())
    try:
        libc = ctypes.CDLL(None)
        libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p)
    except (OSError, AttributeError, TypeError):
        yield
        return
    before = libc.signal(signal.SIGABRT, ctypes.cast(handler, ctypes.c_void_p))
    try:
        yield
    finally:
        libc.signal(signal.SIGABRT, before)
