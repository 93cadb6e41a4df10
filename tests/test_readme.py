"""README.md, pyproject.toml, .ci/run and the code say the same."""

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

import interjax as ij
from interjax.cli import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = (ROOT / ".ci" / "run").read_text()

FENCES = re.findall(r"^```([^\n]*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [body for language, body in FENCES if language == "python"]
SHELL = [body for language, body in FENCES if language == "bash"]


def shell_lines(script):
    """Lines of a shell script, continued ones joined, without comments and blank ones."""
    lines = script.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def commands_of(line):
    """The commands of a line as argument lists, without quiet flags."""
    parts = [shlex.split(part, comments=True) for part in line.split("&&")]
    return [[word for word in part if word not in ("-q", "--quiet")] for part in parts]


def starts_with(command, wanted):
    return command[: len(wanted)] == wanted


COMMANDS = [command for script in SHELL for line in shell_lines(script) for command in commands_of(line)]
OWN = [command[1:] for command in COMMANDS if command[0] == "interjax"]


def test_every_block_of_the_readme_is_of_a_checked_language():
    assert PYTHON
    assert SHELL
    assert {language for language, _ in FENCES} <= {"python", "bash", "text"}


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python_of_the_readme_runs_and_prints_numbers(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(PYTHON[number], f"README.md, python block {number + 1}", "exec"), {"__name__": "readme"})
    printed = capsys.readouterr().out
    assert re.search(r"\d\.\d", printed)
    assert "nan" not in printed


@pytest.mark.parametrize("arguments", OWN, ids=" ".join)
def test_commands_of_the_readme_parse(arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command, rest = cli, list(arguments)
    while isinstance(command, click.Group):
        name, command, rest = command.resolve_command(click.Context(command), rest)
    for option in command.params:  # paths that an earlier command of the README has written
        if isinstance(option.type, click.Path) and option.type.exists:
            named = [rest[rest.index(written) + 1] for written in option.opts if written in rest]
            if isinstance(option, click.Argument):
                named = [word for word in rest if word.startswith("results/")]
            for path in named:
                (tmp_path / path).mkdir(parents=True)
    context = command.make_context(name, rest)
    assert context.params


def test_the_readme_shows_every_command_that_it_can():
    shown = {arguments[0] for arguments in OWN}
    assert {"measure", "train", "evaluate", "reproduce"} <= shown <= set(cli.commands)


def test_set_up_and_test_commands_are_those_that_the_check_runs():
    checked = [command for line in shell_lines(RUN) for command in commands_of(line)]
    chains = [commands_of(line) for script in SHELL for line in shell_lines(script) if "&&" in line]
    assert chains
    for chain in chains:
        places = []
        for wanted in chain:
            found = [place for place, command in enumerate(checked) if starts_with(command, wanted)]
            assert found, f".ci/run does not run {shlex.join(wanted)}"
            places.append(found[0])
        assert places == sorted(places)
    assert any(starts_with(command, ["pytest"]) for chain in chains for command in chain)


def test_extras_named_in_text_and_messages_exist():
    sources = [README, RUN, *(path.read_text() for path in (ROOT / "interjax").rglob("*.py"))]
    named = {
        extra.strip()
        for source in sources
        for group in re.findall(r"(?:\.|interjax)\[([a-z, ]+)\]\"", source)
        for extra in group.split(",")
    }
    assert named
    assert named <= set(PROJECT["project"]["optional-dependencies"])


def test_every_extra_is_named_in_the_readme():
    for extra in PROJECT["project"]["optional-dependencies"]:
        assert f"[{extra}]" in README


def test_versions_agree():
    assert PROJECT["project"]["version"] == ij.__version__
    for version in re.findall(r"interjax[ =]=?=?v?(\d+\.\d+\.\d+)", README):
        assert version == ij.__version__


def test_the_oldest_python_is_the_same_everywhere():
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    listed = [
        line.rsplit(" ", 1)[1]
        for line in PROJECT["project"]["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: \d\.\d+", line)
    ]
    assert min(listed, key=lambda version: tuple(map(int, version.split(".")))) == oldest
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert PROJECT["tool"]["pyright"]["pythonVersion"] == oldest
    for mentioned in re.findall(r"Python\s*(?:>=|≥)?\s*(3\.\d+)", README):
        assert mentioned == oldest


def test_names_of_the_library_in_the_readme_exist():
    names = set(re.findall(r"\bij\.([A-Za-z_][\w.]*\w)", README))
    assert names
    for name in sorted(names):
        place = ij
        for part in name.split("."):
            assert hasattr(place, part), f"README.md names ij.{name}"
            place = getattr(place, part)


def test_options_in_the_text_of_the_readme_exist():
    text = re.sub(r"^```.*?^```$", "", README, flags=re.MULTILINE | re.DOTALL)
    groups = [cli, *(command for command in cli.commands.values() if isinstance(command, click.Group))]
    commands = [command for group in groups for command in group.commands.values()]
    known = {option for command in commands for one in command.params for option in one.opts}
    named = set(re.findall(r"`(--[a-z][a-z-]*)", text))
    assert named <= known


def test_files_that_the_project_names_exist():
    assert (ROOT / PROJECT["project"]["readme"]).is_file()
    for name in PROJECT["project"]["license-files"]:
        assert (ROOT / name).is_file()
    for link in re.findall(r"\]\((?!https?://|#)([^)]+)\)", README):
        assert (ROOT / link.split("#")[0]).exists(), f"README.md links to {link}"
    for folder in re.findall(r"`([a-z_.]+/)`", README):
        assert (ROOT / folder).is_dir(), f"README.md names {folder}"
