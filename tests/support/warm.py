"""A Python that has imported what commands need, and forks itself for each program: `python -m support.warm`.

A child runs its program as `python -c` does, up to the interpreter's own end; only the seconds of the imports are gone.
Requests and answers are lines of JSON: arguments, log and environment give a pid; a pid gives its exit code or null.
"""

import json
import os
import sys

import matplotlib.pyplot  # noqa: F401
import optax  # noqa: F401
import orbax.checkpoint  # noqa: F401
from flax import nnx  # noqa: F401

import interjax.cli._measure  # noqa: F401


def program_of_a_child():
    """Answer until the requests end, and return None; in each child, return its program."""
    for line in sys.stdin:
        request = json.loads(line)
        if isinstance(request, int):
            pid, status = os.waitpid(request, os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if answer == 0:
                return become(**request)
        print(json.dumps(answer), flush=True)
    return None


def become(arguments, log, environment):
    """Take over output, environment and arguments ("-c", program, ...) in a child; return the program."""
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for place, stream in enumerate((os.open(os.devnull, os.O_RDONLY), written, written)):
        os.dup2(stream, place)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *arguments[2:]]
    return arguments[1]


if __name__ == "__main__":
    program = program_of_a_child()
    if program is not None:
        exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
