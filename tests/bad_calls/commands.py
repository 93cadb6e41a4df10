"""Bad command lines, run in this process: every option with values that it cannot mean, and wrong combinations.

clear     it ends with exit code 1 or 2 and one line that names the option, or the value or file that came
silent    it ends as if nothing were wrong
foreign   a traceback, another exit code, or a message that names nothing
"""

import contextlib
import dataclasses
import io
import re
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from bad_calls import given
from bad_calls.command_values import COMBINATIONS, wrong_values
from bad_calls.judging import Outcome, TooLong, at_most, place_of

from interjax import cli

_SECONDS = 60
COMMANDS = {
    "measure": ["measure"],
    "concepts": ["concepts"],
    "complexity": ["complexity"],
    "train": ["train"],
    "evaluate": ["evaluate"],
    "reproduce bottleneck": ["reproduce", "bottleneck"],
    "reproduce generalization": ["reproduce", "generalization"],
    "reproduce complexity": ["reproduce", "complexity"],
}


@dataclasses.dataclass(frozen=True)
class BadLine:
    """Arguments of `interjax`, and the option that they have wrong."""

    command: str
    arguments: tuple[str, ...]
    tried: tuple[str, ...]
    option: str
    value: str

    @property
    def room(self) -> str:
        return "cli"

    def __str__(self) -> str:
        return f"interjax {' '.join(map(repr, self.arguments))}"


def bad_lines() -> list[BadLine]:
    """All of them: every option of every command with each wrong value, before and after right ones."""
    found = []
    for name, start in COMMANDS.items():
        command = _command(start)
        for option in command.params:
            flags = [each for each in option.opts if each.startswith("--")]
            if not flags or getattr(option, "is_flag", False):
                continue
            for number, value in enumerate(wrong_values(option)):
                found.append(_line(name, [flags[0], value], flags[0], value))
                if number % 4 == 0:
                    found.append(_line(name, [f"{flags[0]}={value}"], flags[0], value))
        for flag in [option.opts[0] for option in command.params if getattr(option, "is_flag", False)]:
            found += [_line(name, [f"{flag}={value}"], flag, value) for value in ("yes", "", "0")]
    for name, every in COMBINATIONS.items():
        for arguments in every:
            option = next(
                (each for each in arguments if each.startswith("-")), arguments[0] if arguments else "CHECKPOINTS"
            )
            found.append(_line(name, arguments, option, arguments[-1] if arguments else ""))
    return found


def _line(name: str, arguments: list[str], option: str, value: str) -> BadLine:
    start = [] if not name else [*COMMANDS[name], *_usual(name, arguments)]
    places = {each: str(path) for each, path in _places().items()}
    filled = [_filled(each, places) for each in [*start, *arguments]]
    return BadLine(name, tuple(filled), tuple(arguments), option, _filled(value, places))


def _filled(text: str, places: dict[str, str]) -> str:
    for name, path in places.items():
        text = text.replace(f"{{{name}}}", path)
    return text


def _usual(name: str, arguments: list[str]) -> list[str]:
    """Right options that make the run small, less those that are tried."""
    tried = {each.split("=")[0] for each in arguments}
    if name.startswith("reproduce"):
        return ["--quiet"]
    usual = {"--data": "csv:{table}:label", "--out": "{out}"}
    if name == "evaluate" and arguments and arguments[0].startswith("--"):
        return ["{network}", *(each for pair in usual.items() if pair[0] not in tried for each in pair), "--quiet"]
    return [*(each for pair in usual.items() if pair[0] not in tried for each in pair), "--quiet"]


def _command(start: list[str]) -> Any:
    command: Any = cli.cli
    for name in start:
        command = command.get_command(click.Context(command), name)
    return command


def _places() -> dict[str, Path]:
    """Files and folders by the names that stand for them in braces."""
    root = given.folder() / "command-line"
    found = {name: root / name for name in ("table", "file", "empty", "folder", "network", "other", "out")}
    if root.exists():
        return found
    found["folder"].mkdir(parents=True)
    random = np.random.default_rng(0)
    rows = [f"{row % 7},{random.normal():.3f},{random.normal():.3f},{'yn'[row % 2]}" for row in range(60)]
    found["table"].write_text("\n".join(["first,second,third,label", *rows]))
    found["file"].write_text("nothing of use")
    found["empty"].write_text("")
    for name, inputs in (("network", 3), ("other", 5)):
        spec = given.ij.networks.NetworkSpec("mlp", (inputs,), 2, {"hidden": (3,)})
        given.ij.training.save_network(found[name], spec, spec.build(0))
    return found


def judge_line(line: BadLine) -> Outcome:
    """Run a command line and say what came of it."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = [folder + "/out" if each.endswith("/command-line/out") else each for each in line.arguments]
        with _captured() as streams, _arguments(arguments):
            try:
                with at_most(_SECONDS):
                    cli.main()
                code: Any = 0
            except SystemExit as ended:
                code = ended.code
            except (Exception, TooLong) as error:
                return Outcome(line, "foreign", f"{type(error).__name__}: {str(error)[:200]}\n    {place_of(error)}")
    text = code if isinstance(code, str) else streams.getvalue()
    if code in (0, None):
        return Outcome(line, "silent", streams.getvalue()[-100:].replace("\n", " "))
    if code not in (1, 2) and not isinstance(code, str):
        return Outcome(line, "foreign", f"exit code {code}: {text[-200:]}")
    message = text.strip().splitlines()[-1] if text.strip() else ""
    flags = [each.split("=")[0] for each in (line.option, *line.tried) if each.startswith("-")]
    names = [name for flag in flags for name in (flag, flag.lstrip("-"), flag.lstrip("-").replace("-", "_"))]
    names += [part for part in (line.value, *line.value.split(":")) if len(part) > 2]
    names += ["checkpoint", "CHECKPOINTS"] if line.command == "evaluate" and not line.option.startswith("-") else []
    names += ["network"] if "--checkpoint" in flags else []
    names += [] if line.option.startswith("-") else [line.option]
    if "Traceback" in text or (isinstance(code, str) and "\n" in code.strip()):
        return Outcome(line, "foreign", text[-300:])
    if not any(re.search(rf"(?<![\w-]){re.escape(name)}", message) for name in names if name):
        return Outcome(line, "foreign", f"names nothing: {message}")
    return Outcome(line, "clear", message)


@contextlib.contextmanager
def _captured() -> Iterator[io.StringIO]:
    streams = io.StringIO()
    with contextlib.redirect_stdout(streams), contextlib.redirect_stderr(streams):
        yield streams


@contextlib.contextmanager
def _arguments(arguments: list[str]) -> Iterator[None]:
    before = sys.argv
    sys.argv = ["interjax", *arguments]
    try:
        yield
    finally:
        sys.argv = before
