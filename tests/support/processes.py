"""Processes of this machine, such as those of `jax.distributed`."""

import atexit
import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

_ROOT = Path(__file__).parents[2]


class Process(Protocol):
    """What is asked of a process, as of a `subprocess.Popen`."""

    returncode: int | None

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def environment() -> dict[str, str]:
    """This process's, in which Python finds this repository and its tests."""
    path = os.pathsep.join(filter(None, [str(_ROOT), str(_ROOT / "tests"), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": path}


@contextlib.contextmanager
def started(programs: list[list[str]], logs: list[Path]) -> Iterator[list[subprocess.Popen]]:
    """Python processes with these arguments, which write what they say into logs; killed at the end."""
    with contextlib.ExitStack() as stack:
        processes = [
            subprocess.Popen(
                [sys.executable, *arguments],
                env=environment(),
                stdout=stack.enter_context(log.open("w")),
                stderr=subprocess.STDOUT,
            )
            for arguments, log in zip(programs, logs, strict=True)
        ]
        with _killed(processes):
            yield processes


@contextlib.contextmanager
def forked(programs: list[list[str]], logs: list[Path]) -> Iterator[list[Process]]:
    """As `started`, of programs ("-c", text, ...) that find the imports of a command done: see `support.warm`."""
    warm = _warm()
    processes = [warm.start(arguments, log) for arguments, log in zip(programs, logs, strict=True)]
    with _killed(processes):
        yield processes


@contextlib.contextmanager
def _killed(processes):
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


class _Warm:
    """The process of `support.warm`, and what it is asked."""

    def __init__(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen([sys.executable, "-m", "support.warm"], env=environment(), **pipes)
        atexit.register(self.close)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, arguments, log):
        return _Forked(self, self.ask({"arguments": arguments, "log": str(log), "environment": environment()}))

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@functools.cache
def _warm() -> _Warm:
    return _Warm()


class _Forked:
    """A child of the warm process."""

    returncode: int | None = None

    def __init__(self, warm, pid):
        self.warm, self.pid = warm, pid

    def poll(self):
        if self.returncode is None:
            self.returncode = self.warm.ask(self.pid)
        return self.returncode

    def wait(self, timeout=None):
        deadline = time.monotonic() + (float("inf") if timeout is None else timeout)
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} goes on after {timeout} s")
            time.sleep(0.02)
        return self.returncode

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
