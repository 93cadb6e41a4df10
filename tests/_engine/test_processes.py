"""Several real processes: the result is that of one; one that is killed stops the others, which say so."""

import signal
import time

import pytest
from click.testing import CliRunner
from support.processes import forked, free_port, started
from support.running import numbers

import interjax as ij
from interjax import cli as command_line

OPTIONS = ["--grid", "8x8", "--orders", "0.0,0.5,1.0", "--contexts", "50", "--pairs", "132", "--inputs", "3"]
RUN = "from interjax.cli import main; main()"
IMPATIENT = "from interjax._engine import _processes; _processes._SILENT_SECONDS = 8.0\n"  # of twenty
AFTER_SOME_WRITES = """
import os, signal
from interjax._engine import _folders as _runs
from interjax.cli import main

_runs.WRITE_SECONDS = 0
write, written = _runs.Partial.write, []

def write_and_end(partial, state, **how):
    write(partial, state, **how)
    written.append(partial.path)
    if len(written) == 3:
        {end}

_runs.Partial.write = write_and_end
main()
"""
KILLED = AFTER_SOME_WRITES.format(end="os.kill(os.getpid(), signal.SIGKILL)")
FAILED = AFTER_SOME_WRITES.format(end="raise OSError('no space left on device')")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    data, folder = ij.datasets.digits(), tmp_path_factory.mktemp("network")
    plan = ij.training.default_plan(data, network=None, epochs=None)
    return ij.training.save_network(folder, plan.spec, plan.spec.build(0))


@pytest.fixture(scope="module")
def whole(checkpoint, tmp_path_factory):
    """The numbers of one process."""
    out = tmp_path_factory.mktemp("whole")
    assert measure(checkpoint, out).exit_code == 0
    return numbers(out, "profile.json")


def measure(checkpoint, out):
    arguments = ["measure", "--checkpoint", str(checkpoint), *OPTIONS, "--quiet", "--out", str(out)]
    return CliRunner().invoke(command_line.cli, arguments, catch_exceptions=False)


def together(checkpoint, out, programs):
    """Run a program in each process; return exit codes, outputs, and how long each outlived the first to end."""
    arguments = ["measure", "--checkpoint", checkpoint, *OPTIONS, "--out", out, "--distributed"]
    arguments += ["--coordinator", f"localhost:{free_port()}", "--processes", len(programs)]
    out.mkdir(exist_ok=True)
    logs = [out.parent / f"{out.name}-{number}.log" for number in range(len(programs))]
    commands = [["-c", one, *map(str, arguments), "--process-id", str(n)] for n, one in enumerate(programs)]
    with forked(commands, logs) as processes:
        ends, deadline = {}, time.monotonic() + 300
        while len(ends) < len(processes) and time.monotonic() < deadline:
            time.sleep(0.05)
            ends |= {n: time.monotonic() for n, p in enumerate(processes) if n not in ends and p.poll() is not None}
    outlived = [ends.get(number, deadline) - min(ends.values()) for number in range(len(processes))]
    return [process.returncode for process in processes], [log.read_text() for log in logs], outlived


def assert_says(output, lost, folder):
    """The message names the lost process, the folder, and what to do; no traceback precedes it."""
    assert f"interjax: process {lost}" in output
    assert f"what was measured is kept in {folder}; start again with any number of processes to resume" in output
    assert "Traceback" not in output


@pytest.mark.long
def test_two_processes_give_the_numbers_of_one(checkpoint, whole, tmp_path):
    codes, outputs, _ = together(checkpoint, tmp_path / "two", [RUN, RUN])
    assert codes == [0, 0], outputs
    assert numbers(tmp_path / "two", "profile.json") == whole
    assert "forward passes for 3 inputs" in outputs[0]
    assert outputs[1] == ""  # one result, one progress bar


@pytest.mark.long
def test_a_killed_process_stops_the_others_and_any_number_resumes(checkpoint, whole, tmp_path):
    out = tmp_path / "killed"
    codes, outputs, outlived = together(checkpoint, out, [IMPATIENT + RUN, KILLED])
    assert codes == [1, -signal.SIGKILL]
    assert_says(outputs[0], "1 of 2 stopped answering", out)
    assert outlived[0] < 60
    assert not (out / "profile.json").exists()
    assert (out / "measured" / "partial" / "round0-input1.npz").exists()

    codes, outputs, _ = together(checkpoint, out, [RUN, RUN, RUN])
    assert codes == [0, 0, 0], outputs
    assert "of the next were measured" in outputs[0]
    assert numbers(out, "profile.json") == whole


@pytest.mark.long
def test_killed_process_0_is_named_and_one_process_resumes(checkpoint, whole, tmp_path):
    out = tmp_path / "killed"
    codes, outputs, outlived = together(checkpoint, out, [KILLED, RUN])
    assert codes == [-signal.SIGKILL, 1]
    assert_says(outputs[1], "0 of 2 stopped answering", out)
    assert outlived[1] < 60
    assert measure(checkpoint, out).exit_code == 0
    assert numbers(out, "profile.json") == whole


@pytest.mark.slow
@pytest.mark.parametrize("failing", [0, 1])
def test_a_failed_process_stops_the_others_with_its_reason(checkpoint, tmp_path, failing):
    programs = [FAILED if number == failing else RUN for number in range(2)]
    codes, outputs, outlived = together(checkpoint, tmp_path / "failed", programs)
    assert codes == [1, 1]
    assert "interjax: no space left on device" in outputs[failing]
    assert_says(outputs[1 - failing], f"{failing} of 2 failed (OSError: no space left on device)", tmp_path / "failed")
    assert max(outlived) < 60


@pytest.mark.slow
@pytest.mark.parametrize("present", [[0], [1], [0, 1, 1]])
def test_processes_that_do_not_come_together_end_within_a_minute(checkpoint, tmp_path, present):
    """One is missing, or one was started twice."""
    start, port = time.monotonic(), free_port()
    arguments = ["measure", "--checkpoint", checkpoint, *OPTIONS, "--out", tmp_path / "out", "--distributed"]
    arguments += ["--coordinator", f"localhost:{port}", "--processes", 2]
    commands = [["-c", RUN, *map(str, arguments), "--process-id", str(number)] for number in present]
    logs = [tmp_path / f"{number}.log" for number in range(len(present))]
    with started(commands, logs) as processes:
        codes = [process.wait(timeout=120) for process in processes]
    assert codes == [1] * len(present)
    assert time.monotonic() - start < 75  # with the start of Python
    # Of two that were started as the same one, the second to come says so, whichever that is.
    told = "start each of the processes, 0 to 1, once and at about the same time"
    assert any(told in log.read_text() for log in logs)


@pytest.mark.slow
def test_processes_with_folders_of_their_own_are_refused(checkpoint, tmp_path):
    arguments = ["measure", "--checkpoint", checkpoint, *OPTIONS, "--distributed", "--processes", 2]
    arguments += ["--coordinator", f"localhost:{free_port()}"]
    commands = [
        ["-c", RUN, *map(str, arguments), "--process-id", str(number), "--out", str(tmp_path / str(number))]
        for number in range(2)
    ]
    logs = [tmp_path / f"{number}.log" for number in range(2)]
    with forked(commands, logs) as processes:
        assert [process.wait(timeout=120) for process in processes] == [1, 1]
    for log in logs:
        assert "process 1 does not share the folder of process 0" in log.read_text()
