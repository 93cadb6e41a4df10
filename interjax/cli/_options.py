"""What the commands share: types of options, the options of data and network, progress."""

import re
from pathlib import Path
from typing import Any

import click

from interjax.cli._choices import NETWORKS


class Numbers(click.ParamType):
    """A comma-separated list: integers, or floats if one has a point."""

    name = "numbers"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            kind = float if "." in value else int
            return [kind(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"expected integers or ratios separated by commas, such as 0,4,8 or 0.0,0.5,1.0; got {value!r}")


class Grid(click.ParamType):
    """Cells along each axis: 14x14."""

    name = "grid"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return tuple(int(part) for part in value.lower().split("x"))
        except ValueError:
            self.fail(f"expected the cells along each axis, such as 14x14; got {value!r}")


class Bytes(click.ParamType):
    """An amount of memory: bytes, or 500MB, 2GiB."""

    name = "bytes"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?", value.strip(), re.IGNORECASE)
        if not found or not float(found[1]):
            self.fail(f"expected an amount of memory such as 500MB or 2GiB; got {value!r}")
        power = " KMGT".index((found[2] or " ").upper())
        return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


class Folder(click.Path):
    """A path that is not empty, which would be the folder that the command runs in."""

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if value == "":
            self.fail("expected the path of a folder, got an empty one; give . for the one that you are in", param, ctx)
        return super().convert(value, param, ctx)


_DATA = [
    click.option(
        "--data", default="digits", help="digits | mnist:FOLDER | cifar10:FOLDER | adult:FILE | csv:FILE:LABEL"
    ),
    click.option("--limit", type=click.IntRange(1), default=None, help="images to read of each class (mnist, cifar10)"),
    click.option(
        "--read",
        multiple=True,
        metavar="NAME=VALUE",
        help='how a csv or adult file is read: header=false, separator=tab, decimal=",", test_fraction=0.3, seed=1; '
        "task=regression for a label that is a number to predict; "
        "drop=COLUMN, categorical=COLUMN, numeric=COLUMN for each such column; repeatable",
    ),
]
_NETWORK = [
    click.option("--network", default=None, help=f"{' | '.join(NETWORKS)}; by default one that suits the data"),
    click.option(
        "--epochs", type=click.IntRange(1), default=None, help="training epochs; by default those that suit the data"
    ),
]
_CHECKPOINT = [
    click.option(
        "--checkpoint",
        type=Folder(exists=True, file_okay=False, path_type=Path),
        default=None,
        help="network saved by `interjax train`; without it one is trained",
    )
]
_RUN = [
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, help="seed of every random draw"),
    click.option(
        "--out",
        type=Folder(file_okay=False, path_type=Path),
        default=None,
        help="folder for numbers, plot and settings; the same command resumes there",
    ),
    click.option("--quiet", is_flag=True, help="no progress bar"),
]


def data_options(command: Any) -> Any:
    """Options of every command that reads data."""
    return _with(_DATA, command)


def checkpoint_option(command: Any) -> Any:
    """The option of every command that measures a network: one that was saved."""
    return _with(_CHECKPOINT, command)


def run_options(command: Any) -> Any:
    """Options of every command: seed, folder, quiet."""
    return _with(_RUN, command)


def common(command: Any) -> Any:
    """Options of every command that trains a network on data."""
    return _with([*_DATA, *_NETWORK, *_RUN], command)


def _with(options: list[Any], command: Any) -> Any:
    for option in reversed(options):
        command = option(command)
    return command
