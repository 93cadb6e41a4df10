"""Killed commands and their numbers: `kills.py` says what is measured."""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_START_SECONDS = 3.0  # in which Python and JAX come up, so that most kills fall into the work
_MOST_KILLS = 4  # of one folder
_NUMBERS = (".json", ".jsonl", ".npz")


def commands(networks: Sequence[str]) -> dict[str, list[str]]:
    """What is run, by name; `networks` are two trained ones."""
    first, second = (f"{folder}/network" for folder in networks)
    images = ["--data", "digits"]
    return {
        "measure": ["measure", *images, "--checkpoint", first, "--grid", "8x8", "--inputs", "12", "--contexts", "2000"],
        "train": ["train", *images, "--epochs", "60", "--checkpoints", "10"],
        "evaluate": ["evaluate", *images, first, second, "--pgd-steps", "400"],
        "concepts": ["concepts", *images, "--network", "mlp", "--players", "8", "--inputs", "4", "--dynamics"],
        "complexity": ["complexity", *images, "--epochs", "20", "--checkpoints", "6"],
    }


def run(options: argparse.Namespace) -> None:
    """Print a line for each command."""
    random = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as place:
        networks = []
        for seed in ("0", "1"):
            networks.append(f"{place}/network{seed}")
            _interjax("train", "--data", "digits", "--epochs", "3", "--seed", seed, "--out", networks[-1])
        for name, arguments in commands(networks).items():
            if not options.command or name in options.command:
                print(json.dumps(_tried(name, arguments, Path(place), options.kills, random)), flush=True)


def _tried(name: str, arguments: list[str], place: Path, kills: int, random: np.random.Generator) -> dict[str, Any]:
    whole = place / f"{name}-whole"
    start = time.perf_counter()
    _interjax(*arguments, "--out", str(whole))
    seconds = time.perf_counter() - start
    hit, folders, files, equal, largest = 0, 0, 0, 0, 0.0
    while hit < kills:
        killed = place / f"{name}-killed-{folders}"
        hit += _killed(arguments, killed, min(kills - hit, _MOST_KILLS), seconds, random)
        found = _compared(whole, killed)
        folders, equal, files, largest = folders + 1, equal + found[0], files + found[1], max(largest, found[2])
    found = {"command": name, "seconds": round(seconds, 1), "killed": hit, "folders": folders}
    return found | {"files": files, "equal_to_the_byte": equal, "largest_difference": largest}


def _killed(arguments: list[str], folder: Path, most: int, seconds: float, random: np.random.Generator) -> int:
    """Kill a command and start it again, until it ends or was killed often enough and is left to end; the kills."""
    hit = 0
    while hit < most:
        process = _started(*arguments, "--out", str(folder))
        try:
            process.wait(timeout=random.uniform(_START_SECONDS, max(seconds, 2 * _START_SECONDS)))
            _check_ended(process, arguments)
            return hit
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            hit += process.wait() == -signal.SIGKILL
    _interjax(*arguments, "--out", str(folder))
    return hit


def _started(*arguments: str) -> subprocess.Popen:
    # A shell may be started without PYTHONPATH; the process has that of this one.
    return subprocess.Popen(
        [sys.executable, "-m", "interjax", *arguments, "--quiet"],
        env=os.environ | {"MPLBACKEND": "Agg"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _interjax(*arguments: str) -> None:
    """Run a command to its end; RuntimeError with what it said if it fails."""
    process = _started(*arguments)
    process.wait()
    _check_ended(process, arguments)


def _check_ended(process: subprocess.Popen, arguments: Sequence[str]) -> None:
    if process.returncode:
        said = process.communicate()[1]
        raise RuntimeError(f"interjax {' '.join(arguments)} ended with {process.returncode}: {said.strip()[-500:]}")


def _compared(whole: Path, killed: Path) -> tuple[int, int, float]:
    """Files equal to the byte, files, and the largest difference of their numbers; RuntimeError if something lacks."""
    equal, largest = 0, 0.0
    names = sorted(path.name for path in whole.iterdir() if path.suffix in _NUMBERS and path.name != "settings.json")
    for name in names:
        first, second = whole / name, killed / name
        if not second.exists():
            raise RuntimeError(f"{name} was not written after the kills")
        equal += first.read_bytes() == second.read_bytes()
        for (where, one), (place, other) in zip(_numbers(first), _numbers(second), strict=True):
            if where != place or one.shape != other.shape:
                raise RuntimeError(f"{name} has {where} {one.shape} here and {place} {other.shape} after the kills")
            largest = max(largest, _difference(f"{name} {where}", one, other))
    return equal, len(names), largest


def _difference(where: str, one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference relative to the largest number; RuntimeError for other texts, or NaN elsewhere."""
    if one.dtype.kind not in "fc":
        if not np.array_equal(one, other):
            raise RuntimeError(f"{where} differs after the kills")
        return 0.0
    if not np.array_equal(np.isfinite(one), np.isfinite(other)):
        raise RuntimeError(f"{where} is finite elsewhere after the kills")
    finite = np.isfinite(one)
    size = np.abs(one[finite]).max(initial=0.0)
    return float(np.abs(one[finite] - other[finite]).max(initial=0.0) / size) if size else 0.0


def _numbers(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every array or number of a file, with its place there."""
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as file:
            yield from ((name, file[name]) for name in sorted(file.files))
        return
    lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
    for number, line in enumerate(lines):
        yield from _leaves(str(number), json.loads(line))


def _leaves(where: str, value: Any) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from _leaves(f"{where}.{name}", inside)
    elif isinstance(value, list):
        for number, inside in enumerate(value):
            yield from _leaves(f"{where}.{number}", inside)
    else:
        yield where, np.asarray(np.nan if value is None else value)
