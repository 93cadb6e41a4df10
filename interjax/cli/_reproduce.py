"""`interjax reproduce`: the papers' experiments."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import click
import jax

from interjax import datasets
from interjax.cli import _folder as folders
from interjax.cli._options import Folder, Numbers
from interjax.cli._progress import Stages
from interjax.reproduce._bottleneck_report import EXPERIMENT as BOTTLENECK
from interjax.reproduce._complexity_report import EXPERIMENT as COMPLEXITY
from interjax.reproduce._experiment import Experiment
from interjax.reproduce._generalization_report import EXPERIMENT as GENERALIZATION
from interjax.reproduce.generalization import KINDS

_EPOCHS = click.option(
    "--epochs", type=click.IntRange(1), default=None, help="training epochs; by default those of the setting"
)


@click.group()
def reproduce() -> None:
    """Repeat an experiment of the papers: train, measure, compare with what they report."""


def _command(experiment: Experiment, *own: Any, settings: str, folder: str, seeds: str) -> Callable[[Any], Any]:
    """A command of `reproduce`: options that an experiment has of its own between those of every experiment.

    settings, folder, seeds: what --help says of them.
    """
    existing = Folder(exists=True, file_okay=False, path_type=Path)
    first = [
        click.option("--setting", "chosen", type=click.Choice(list(experiment.settings)), multiple=True, help=settings),
        click.option("--folder", type=existing, default=None, envvar="INTERJAX_DATA", help=folder),
        click.option("--seeds", type=click.IntRange(1), default=3, help=seeds),
    ]
    last = [
        click.option(
            "--out",
            type=Folder(file_okay=False, path_type=Path),
            default=None,
            help="folder for networks, numbers, tables and figures; the same command resumes there",
        ),
        click.option("--quiet", is_flag=True, help="no progress bar"),
    ]

    def made(function: Any) -> Any:
        for option in reversed([*first, *own, *last]):
            function = option(function)
        return reproduce.command()(function)

    return made


def _repeat(
    experiment: Experiment,
    settings: dict[str, Any],
    *,
    changes: Mapping[str, str],
    options: Mapping[str, str],
    loading: Mapping[str, Any] | None = None,
) -> None:
    """Run the setting that is named, write its files and show its table.

    changes, options: command-line options by the field of the setting, or by the option of the experiment's `run`, that
    they give. loading: options of `ij.datasets.load`.
    """
    name = settings["setting"]
    setting = experiment.settings[name]
    if "{folder}" in setting.data and settings["folder"] is None:
        raise ValueError(f"the setting {name} needs --folder, a folder with {_data_of(name)}/")
    given = {field: settings[option] for field, option in changes.items() if settings[option] is not None}
    setting = dataclasses.replace(setting, **given)
    kept = settings | {"out": settings["out"] and settings["out"] / name, "folder": None}
    out = folders.open_folder(experiment.name, kept)
    folders.write_settings(out, f"reproduce {experiment.name}", kept)
    data = datasets.load(setting.data.format(folder=settings["folder"]), **(loading or {}))
    chosen = {each: settings[option] for each, option in options.items()}
    with Stages(settings["quiet"]) as stages:
        report = experiment.repeat(setting, data, out, progress=stages, **chosen)
    click.echo(f"\n{report}")
    click.echo(f"{', '.join(experiment.files)}, settings.json in {out}")


def _data_of(setting: str) -> str:
    """The folder inside --folder that holds the data of a setting, by the setting's name."""
    return setting.split("-")[0]


def _in_folder(experiment: Experiment, folder: Path, wanted: Collection[str]) -> list[str]:
    """The settings of the data wanted that --folder holds."""
    names = [name for name in experiment.settings if _data_of(name) in wanted]
    return [name for name in names if (folder / _data_of(name)).is_dir()]


def _with_images(*wanted: str) -> list[str]:
    """Data for this device: on an accelerator also CIFAR-10."""
    return [*wanted, *([] if jax.default_backend() == "cpu" else ["cifar10"])]


@_command(
    BOTTLENECK,
    click.option("--inputs", type=click.IntRange(2), default=50, help="inputs whose interactions are measured"),
    click.option(
        "--examples", type=click.IntRange(1), default=1000, help="test examples for attacks and destroyed structure"
    ),
    _EPOCHS,
    click.option("--limit", type=click.IntRange(1), default=None, help="images to read of each class (mnist, cifar10)"),
    settings="data and network, repeatable; by default those of MNIST and Adult in --folder, and of CIFAR-10 on an "
    "accelerator; the digits without --folder",
    folder="folder with mnist/, adult/ and cifar10/; by default $INTERJAX_DATA",
    seeds="networks trained for each preset",
)
def bottleneck(chosen: tuple[str, ...], **settings: Any) -> None:
    """Steer networks to low, middle and high orders, and compare them.

    Trains the papers' four networks (normal, low-, mid-, high-order) for each seed; measures the strength profile,
    accuracy, loss gap, robustness to attack and to destroyed structure; writes a table and a figure for each setting.
    """
    for name in chosen or _bottleneck_settings(settings["folder"]):
        read = {} if settings["limit"] is None else {"limit": settings["limit"]}
        if read and not BOTTLENECK.settings[name].data.startswith(("mnist:", "cifar10:")):
            raise ValueError(f"--limit is for images read from files (mnist, cifar10), not for {name}")
        _repeat(
            BOTTLENECK,
            settings | {"setting": name, "data": name},
            changes={"epochs": "epochs"},
            options={"seeds": "seeds", "inputs": "inputs", "limit": "examples"},
            loading=read,
        )


def _bottleneck_settings(folder: Path | None) -> list[str]:
    if folder is None:
        return ["digits-mlp"]
    wanted = _with_images("mnist", "adult")
    found = _in_folder(BOTTLENECK, folder, wanted)
    if not found:
        raise ValueError(f"{folder} holds none of {', '.join(f'{name}/' for name in wanted)}: give another --folder")
    return found


@_command(
    GENERALIZATION,
    click.option(
        "--share",
        "shares",
        type=Numbers(),
        multiple=True,
        default=("0.1",),
        help="shares rho of training labels that are shuffled, such as 0.1,0.2; repeatable; 0 is always among them",
    ),
    click.option(
        "--inputs",
        type=click.IntRange(2),
        default=None,
        help="training inputs of each class to explain, and half as many test inputs; by default those of the setting",
    ),
    click.option(
        "--players", type=click.IntRange(2, 20), default=None, help="players; by default those of the setting"
    ),
    click.option(
        "--checkpoints", type=click.IntRange(3), default=10, help="log-spaced checkpoints of each training run"
    ),
    click.option(
        "--kind",
        type=click.Choice(list(KINDS)),
        default="and",
        help="explain by AND effects, or by sparse AND-OR effects (slow beyond 9 players)",
    ),
    _EPOCHS,
    click.option(
        "--limit", type=click.IntRange(1), default=None, help="training examples of a network; by default the setting's"
    ),
    settings="data and network, repeatable; by default those of Adult and MNIST in --folder; the digits without "
    "--folder",
    folder="folder with mnist/ and adult/; by default $INTERJAX_DATA",
    seeds="repetitions, each with its own examples and weights",
)
def generalization(chosen: tuple[str, ...], shares: tuple[list[float], ...], **settings: Any) -> None:
    """Let networks over-fit, and tell which of their concepts generalise.

    Trains networks on the labels as they are and on labels of which a share rho is shuffled; explains the same inputs
    at checkpoints of training; measures by size of the concepts their strength, how alike those of training and test
    inputs are, and how much they vary under noise and attack; writes a table and a figure for each setting.
    """
    every = sorted({0.0, *(float(share) for part in shares for share in part)})
    if not 0 <= every[0] <= every[-1] <= 1:
        raise ValueError(f"--share takes shares of the training labels, from 0 to 1; got {every}")
    for name in chosen or _generalization_settings(settings["folder"]):
        _repeat(
            GENERALIZATION,
            settings | {"setting": name, "data": name, "shares": every},
            changes={"epochs": "epochs", "examples": "limit", "inputs": "inputs", "players": "players"},
            options={option: option for option in ("shares", "seeds", "checkpoints", "kind")},
        )


def _generalization_settings(folder: Path | None) -> list[str]:
    if folder is None:
        return ["digits-mlp"]
    found = _in_folder(GENERALIZATION, folder, [_data_of(name) for name in GENERALIZATION.settings])
    if not found:
        raise ValueError(f"{folder} holds neither adult/ nor mnist/: give another --folder")
    return found


@_command(
    COMPLEXITY,
    click.option(
        "--checkpoints", type=click.IntRange(3), default=24, help="log-spaced checkpoints of each training run"
    ),
    click.option(
        "--subsets", type=click.IntRange(2), default=26, help="random subsets of five neurons of the wide layer"
    ),
    _EPOCHS,
    settings="data and network, repeatable; by default MNIST where --folder holds it, and CIFAR-10 on an accelerator; "
    "the digits without --folder",
    folder="folder with mnist/ and cifar10/; by default $INTERJAX_DATA",
    seeds="networks trained",
)
def complexity(chosen: tuple[str, ...], **settings: Any) -> None:
    """Train quantised networks, and measure how complex the representations of their layers are.

    Computes C of the layers of five neurons exactly, that of a wider layer by random subsets and by groups, at
    log-spaced checkpoints; tells whether C falls from layer to layer and over training; writes a table and a figure.
    """
    folder = settings["folder"]
    held = [] if folder is None else _in_folder(COMPLEXITY, folder, _with_images("mnist"))
    for name in chosen or held or ["digits"]:
        _repeat(
            COMPLEXITY,
            settings | {"setting": name, "data": name},
            changes={"epochs": "epochs"},
            options={option: option for option in ("seeds", "checkpoints", "subsets")},
        )
