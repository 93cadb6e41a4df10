"""Counts of what bad calls come to: `fuzz.py` says how."""

import argparse
import collections
import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

_TESTS = Path(__file__).parents[2] / "tests"
_KINDS = ("clear", "told", "accepted", "foreign", "silent", "refused")
_PART = 50  # calls between two words on the standard error


def run(options: argparse.Namespace) -> None:
    """Make the calls, print the faults and a table, and write a line for each room to the file that was asked for."""
    # Errors keep the frames in which they were raised, and matplotlib needs no screen.
    os.environ.setdefault("JAX_TRACEBACK_FILTERING", "off")
    os.environ.setdefault("MPLBACKEND", "Agg")
    sys.path.append(str(_TESTS))
    if options.package is not None:
        sys.path.insert(0, str(options.package.absolute()))
    warnings.simplefilter("ignore")
    import interjax as ij

    counts: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for outcome in _outcomes(options):
            counts[outcome.call.room][outcome.kind] += 1
            if outcome.kind in ("foreign", "silent", "refused"):
                print(outcome, flush=True)
    except KeyboardInterrupt:
        print("stopped: what follows is of the calls made so far")
    _print_table(counts)
    if options.out is not None:
        with options.out.open("a") as file:
            for room, found in sorted(counts.items()):
                line = {"room": room, "version": f"{ij.__version__} {_commit(Path(ij.__file__).parent)}"}
                file.write(json.dumps(line | {kind: found[kind] for kind in _KINDS}) + "\n")


def _outcomes(options: argparse.Namespace) -> Any:
    from bad_calls.commands import bad_lines, judge_line
    from bad_calls.judging import Judge
    from bad_calls.table import all_bad_calls, lines

    judge, calls = Judge(), []
    for line in lines():
        if options.only and line.room not in options.only:
            continue
        try:
            made = all_bad_calls([line])
            judge.good_answer(line)
            calls += made
        except Exception as error:  # what this version of interjax does not have
            print(f"left out: {line}: {type(error).__name__}: {error}", file=sys.stderr)
    commands = bad_lines() if not options.only or "cli" in options.only else []
    every = [*((judge, call) for call in calls), *((judge_line, line) for line in commands)]
    step = max(1, len(every) // options.sample) if options.sample else 1
    for number, (way, each) in enumerate(every[::step]):
        if number % _PART == 0:
            print(f"\r{number} of {len(every[::step])}", end="", file=sys.stderr, flush=True)
        yield way(each)
    print(file=sys.stderr)


def _print_table(counts: dict[str, collections.Counter]) -> None:
    total = sum(counts.values(), collections.Counter())
    print(f"\n{'room':16}" + "".join(f"{kind:>10}" for kind in ("calls", *_KINDS)))
    for room, found in [*sorted(counts.items()), ("all", total)]:
        print(f"{room:16}{found.total():10,}" + "".join(f"{found[kind]:10,}" for kind in _KINDS))
    wrong = total.total() - total["accepted"]
    told = total["clear"] + total["told"]
    print(f"\nof {wrong:,} that are wrong {told:,} ({told / max(wrong, 1):.2%}) are told")


def _commit(folder: Path) -> str:
    try:
        asked = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
