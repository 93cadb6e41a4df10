"""Help of the commands: what it says, and that it costs no import of the library behind them."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import interjax as ij
from interjax.cli import _choices as choices
from interjax.cli import _subjects as subjects
from interjax.cli import cli
from interjax.concepts._analysis import _explainer
from interjax.concepts._players import FEW_PLAYERS, RULES
from interjax.games._apply import PRECISIONS
from interjax.losses._modulation import ALIGNMENTS, AVERAGES, MODES
from interjax.orders import ESTIMATORS

COMMANDS = ["complexity", "concepts", "evaluate", "measure", "reproduce", "train"]
HEAVY = ("jax", "flax", "orbax", "optax", "numpy", "scipy", "matplotlib", "sklearn")
IMPORTED = """
import sys
from interjax.cli import main

sys.argv = ["interjax", *sys.argv[1:]]
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
print("imported:", *sorted({name.split(".")[0] for name in sys.modules}))
"""


def imported_by(*arguments):
    """What the command prints in a process of its own, and which packages it imports."""
    command = [sys.executable, "-c", IMPORTED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    printed, _, modules = done.stdout.rpartition("imported: ")
    return printed, modules.split()


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["-h"], ["--version"], *([name, "--help"] for name in COMMANDS if name != "reproduce")],
    ids=" ".join,
)
def test_help_imports_nothing_that_takes_long(arguments):
    printed, modules = imported_by(*arguments)
    assert "version" in printed if arguments == ["--version"] else "Usage: interjax" in printed
    assert "click" in modules
    allowed = {"jax", "numpy", "scipy"} if "measure" in arguments else set()  # its choices are the estimators' registry
    assert not set(modules) & set(HEAVY) - allowed


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name):
    command, stub = cli.commands[name], click.Command(name, help=cli.lines[name])
    assert command.name == name
    assert command.help.splitlines()[0] == cli.lines[name]
    for limit in (20, 45, 80, 200):
        assert stub.get_short_help_str(limit) == command.get_short_help_str(limit)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_list_of_commands_is_the_one_that_click_writes(width):
    eager = click.Group("interjax", commands={name: cli.commands[name] for name in COMMANDS})
    lists = []
    for group in (cli, eager):
        formatter = click.HelpFormatter(width=width)
        group.format_commands(click.Context(group), formatter)
        lists.append(formatter.getvalue())
    assert lists[0] == lists[1]


def test_commands_are_found_and_others_told():
    assert sorted(cli.commands) == cli.list_commands(click.Context(cli)) == COMMANDS
    assert "measured" not in cli.commands
    outcome = CliRunner().invoke(cli, ["measured"])
    assert outcome.exit_code == 2
    assert "No such command 'measured'" in outcome.output


def test_a_command_can_be_added_and_removed():
    @click.command()
    def extra():
        """Say nothing."""

    cli.add_command(extra)
    assert cli.commands["extra"] is extra
    assert len(cli.commands) == len(COMMANDS) + 1
    del cli.commands["extra"]
    assert list(cli.commands) == list(cli.lines)


def test_choices_are_those_of_the_library():
    options = {option.name: option.type.choices for option in cli.commands["measure"].params if option.name == "method"}
    assert set(options["method"]) == {name for name, each in ESTIMATORS.items() if hasattr(each, "plans")}
    assert choices.NETWORKS == ij.networks.NAMES
    assert sorted(choices.OUTPUTS) == sorted(subjects.OUTPUTS)
    assert list(choices.PRESETS) == list(ij.training.PRESETS)
    assert (choices.MODES, choices.AVERAGES, choices.ALIGNMENTS) == (MODES, AVERAGES, ALIGNMENTS)
    assert choices.PRECISIONS == PRECISIONS
    assert choices.PLAYER_RULES == RULES
    assert choices.EXPLANATIONS == _explainer.KINDS
    assert choices.FEW_PLAYERS == FEW_PLAYERS
