"""Why `_engine/_runtime.py` is needed: a test that fails here says that JAX or Python has a public way by now."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from jax.experimental import multihost_utils
from support.processes import free_port, started

import interjax

PACKAGE = Path(interjax.__file__).parent
PRIVATE = re.compile(r"jax\._src|jaxlib|\bctypes\b|os\._exit|os\.abort")

JOINED = """
import atexit, os, signal, sys, time
import jax
signal.signal(signal.SIGABRT, lambda *_: print("Python heard of the abort", flush=True))
jax.distributed.initialize(sys.argv[1], 2, int(sys.argv[2]), shutdown_timeout_seconds=3)
atexit.register(print, "Python ends", flush=True)
"""
KILLED = JOINED + "os.kill(os.getpid(), signal.SIGKILL)"
WAITING = JOINED + "time.sleep(100)"
LEAVING = JOINED + "raise SystemExit(1)"
OUT_OF_REACH = """
import _thread, threading, time
import jax
from interjax._engine import _processes

_processes._GRACE_SECONDS = 1

def lose():
    time.sleep(2)
    _thread.interrupt_main()
    _processes.Group(0, 2)._lose("process 1 of 2 stopped answering")

endless = jax.jit(lambda x: jax.lax.while_loop(lambda s: s < 2, lambda s: s * x, x)).lower(1.0).compile()
threading.Thread(target=lose, daemon=True).start()
try:
    endless(1.0).block_until_ready()
except KeyboardInterrupt:
    print("reached", flush=True)
"""


def test_such_names_are_used_in_one_file():
    found = {str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if PRIVATE.search(path.read_text())}
    assert found == {"_engine/_runtime.py"}


def test_jax_gives_its_store_no_public_name():
    public = {name for name in vars(jax.distributed) if not name.startswith("_")}
    assert public == {"initialize", "is_initialized", "shutdown"}
    assert not [name for name in vars(multihost_utils) if "key_value" in name or "store" in name]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Exit codes and outputs of pairs of processes that know only JAX, where one of them is lost."""
    folder = tmp_path_factory.mktemp("bare")
    pairs = {"process 0 was lost": [KILLED, WAITING], "process 1 was lost": [LEAVING, KILLED]}
    commands, logs = [], []
    for number, programs in enumerate(pairs.values()):
        address = f"localhost:{free_port()}"
        commands += [["-c", program, address, str(rank)] for rank, program in enumerate(programs)]
        logs += [folder / f"pair{number}-process{rank}.log" for rank in range(2)]
    with started(commands, logs) as processes:
        codes = [process.wait(timeout=120) for process in processes]
    found = list(zip(codes, [log.read_text() for log in logs], strict=True))
    return {name: found[2 * number : 2 * number + 2] for number, name in enumerate(pairs)}


def test_jax_aborts_without_a_word_to_python_where_process_0_is_lost(ended):
    code, output = ended["process 0 was lost"][1]
    assert code == -signal.SIGABRT
    assert "Python" not in output.replace("Disable Python buffering", "")


def test_jax_waits_at_exit_for_a_lost_process_and_loses_the_exit_code(ended):
    code, output = ended["process 1 was lost"][0]
    assert "Python ends" in output
    assert "Barrier timed out" in output
    assert code == -signal.SIGABRT


def test_a_process_whose_main_thread_is_out_of_reach_is_ended_with_the_message():
    ended = subprocess.run([sys.executable, "-c", OUT_OF_REACH], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert "interjax: process 1 of 2 stopped answering; start again" in ended.stderr
    assert ended.stdout == ""
