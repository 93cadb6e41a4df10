"""Processes of `jax.distributed` on this machine."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def started(programs: list[list[str]], logs: list[Path]) -> Iterator[list[subprocess.Popen]]:
    """Python processes with these arguments, which write what they say into logs; killed at the end."""
    path = os.pathsep.join(filter(None, [str(_ROOT), os.environ.get("PYTHONPATH")]))
    with contextlib.ExitStack() as stack:
        processes = [
            subprocess.Popen(
                [sys.executable, *arguments],
                env=os.environ | {"PYTHONPATH": path},
                stdout=stack.enter_context(log.open("w")),
                stderr=subprocess.STDOUT,
            )
            for arguments, log in zip(programs, logs, strict=True)
        ]
        try:
            yield processes
        finally:
            for process in processes:
                process.kill()
                process.wait()
