"""What tests of commands and of resumed runs share."""

import sys

import pytest
from click.testing import CliRunner

from interjax import cli


def interjax(*arguments):
    """Run the command in this process; an exception that it does not handle is raised."""
    return CliRunner().invoke(cli.cli, list(map(str, arguments)), catch_exceptions=False)


def main(monkeypatch, *arguments):
    """Run the entry point; return the message or the code with which it ends."""
    monkeypatch.setattr(sys, "argv", ["interjax", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


class Killed(Exception):
    """Stands for a process that is killed."""


def kill_at(step):
    """A progress callback that ends the run at this step."""

    def progress(done, total):
        if done == step:
            raise Killed

    return progress
