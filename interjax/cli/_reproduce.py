"""`interjax reproduce`: the papers' experiments."""

import dataclasses
from pathlib import Path
from typing import Any

import click
import jax

from interjax import datasets
from interjax._core._files import write_json
from interjax.cli import _folder as folders
from interjax.cli._options import Numbers
from interjax.cli._progress import Stages
from interjax.reproduce import _bottleneck_report as bottleneck_report
from interjax.reproduce import _complexity_report as complexity_report
from interjax.reproduce import _generalization_report as generalization_report
from interjax.reproduce import bottleneck as bottleneck_experiment
from interjax.reproduce import complexity as complexity_experiment
from interjax.reproduce import generalization as generalization_experiment


@click.group()
def reproduce() -> None:
    """Repeat an experiment of the papers: train, measure, compare with what they report."""


@reproduce.command()
@click.option(
    "--setting",
    "chosen",
    type=click.Choice(list(bottleneck_experiment.SETTINGS)),
    multiple=True,
    help="data and network, repeatable; by default those of MNIST and Adult in --folder, and of CIFAR-10 on an "
    "accelerator; the digits without --folder",
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=None,
    envvar="INTERJAX_DATA",
    help="folder with mnist/, adult/ and cifar10/; by default $INTERJAX_DATA",
)
@click.option("--seeds", type=click.IntRange(1), default=3, help="networks trained for each preset")
@click.option("--inputs", type=click.IntRange(2), default=50, help="inputs whose interactions are measured")
@click.option(
    "--examples", type=click.IntRange(1), default=1000, help="test examples for attacks and destroyed structure"
)
@click.option("--epochs", type=click.IntRange(1), default=None, help="training epochs; by default those of the setting")
@click.option("--limit", type=click.IntRange(1), default=None, help="images to read of each class (mnist, cifar10)")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="folder for networks, numbers, tables and figures; the same command resumes there",
)
@click.option("--quiet", is_flag=True, help="no progress bar")
def bottleneck(chosen: tuple[str, ...], **settings: Any) -> None:
    """Steer networks to low, middle and high orders, and compare them.

    Trains the papers' four networks (normal, low-, mid-, high-order) for each seed; measures the strength profile,
    accuracy, loss gap, robustness to attack and to destroyed structure; writes a table and a figure for each setting.
    """
    for name in chosen or _default_settings(settings["folder"]):
        _reproduce(name, settings | {"setting": name, "data": name})


def _default_settings(folder: Path | None) -> list[str]:
    if folder is None:
        return ["digits-mlp"]
    on_accelerator = jax.default_backend() != "cpu"
    wanted = ["mnist", "adult"] + (["cifar10"] if on_accelerator else [])
    found = [
        name
        for name in bottleneck_experiment.SETTINGS
        if name.split("-")[0] in wanted and (folder / name.split("-")[0]).is_dir()
    ]
    if not found:
        raise ValueError(f"{folder} holds none of {', '.join(f'{name}/' for name in wanted)}: give another --folder")
    return found


def _reproduce(name: str, settings: dict[str, Any]) -> None:
    setting = bottleneck_experiment.SETTINGS[name]
    if settings["epochs"] is not None:
        setting = dataclasses.replace(setting, epochs=settings["epochs"])
    if "{folder}" in setting.data and settings["folder"] is None:
        raise ValueError(f"the setting {name} needs --folder, a folder with {name.split('-')[0]}/")
    if settings["limit"] is not None and not setting.data.startswith(("mnist:", "cifar10:")):
        raise ValueError(f"--limit is for images read from files (mnist, cifar10), not for {name}")
    kept = settings | {"out": settings["out"] and settings["out"] / name, "folder": None}
    out = folders.open_folder("bottleneck", kept)
    folders.write_settings(out, "reproduce bottleneck", kept)
    options = {} if settings["limit"] is None else {"limit": settings["limit"]}
    data = datasets.load(setting.data.format(folder=settings["folder"]), **options)
    with Stages(settings["quiet"]) as stages:
        found = bottleneck_experiment.run(
            setting,
            data,
            out,
            seeds=settings["seeds"],
            inputs=settings["inputs"],
            limit=settings["examples"],
            progress=stages,
        )
    write_json(out / "bottleneck.json", {"setting": dataclasses.asdict(setting)} | bottleneck_report.summary(found))
    (out / "bottleneck.md").write_text(bottleneck_report.table(found))
    title = f"{setting.network} on {data.name}, {found.profiles['normal'][0].n_players} players"
    bottleneck_report.figure(found, title).savefig(out / "bottleneck.png", dpi=150)
    click.echo(f"\n{title}\n\n{bottleneck_report.table(found)}")
    click.echo(f"bottleneck.json, bottleneck.md, bottleneck.png, settings.json in {out}")


@reproduce.command()
@click.option(
    "--setting",
    "chosen",
    type=click.Choice(list(generalization_experiment.SETTINGS)),
    multiple=True,
    help="data and network, repeatable; by default those of Adult and MNIST in --folder; the digits without --folder",
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=None,
    envvar="INTERJAX_DATA",
    help="folder with mnist/ and adult/; by default $INTERJAX_DATA",
)
@click.option("--seeds", type=click.IntRange(1), default=3, help="repetitions, each with its own examples and weights")
@click.option(
    "--share",
    "shares",
    type=Numbers(),
    multiple=True,
    default=("0.1",),
    help="shares rho of training labels that are shuffled, such as 0.1,0.2; repeatable; 0 is always among them",
)
@click.option(
    "--inputs",
    type=click.IntRange(2),
    default=None,
    help="training inputs of each class to explain, and half as many test inputs; by default those of the setting",
)
@click.option("--players", type=click.IntRange(2, 20), default=None, help="players; by default those of the setting")
@click.option("--checkpoints", type=click.IntRange(3), default=10, help="log-spaced checkpoints of each training run")
@click.option(
    "--kind",
    type=click.Choice(list(generalization_experiment.KINDS)),
    default="and",
    help="explain by AND effects, or by sparse AND-OR effects (slow beyond 9 players)",
)
@click.option("--epochs", type=click.IntRange(1), default=None, help="training epochs; by default those of the setting")
@click.option(
    "--limit", type=click.IntRange(1), default=None, help="training examples of a network; by default the setting's"
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="folder for networks, numbers, tables and figures; the same command resumes there",
)
@click.option("--quiet", is_flag=True, help="no progress bar")
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
        _reproduce_generalization(name, settings | {"setting": name, "data": name, "shares": every})


def _generalization_settings(folder: Path | None) -> list[str]:
    if folder is None:
        return ["digits-mlp"]
    found = [name for name in generalization_experiment.SETTINGS if (folder / name.split("-")[0]).is_dir()]
    if not found:
        raise ValueError(f"{folder} holds neither adult/ nor mnist/: give another --folder")
    return found


def _reproduce_generalization(name: str, settings: dict[str, Any]) -> None:
    setting = generalization_experiment.SETTINGS[name]
    if "{folder}" in setting.data and settings["folder"] is None:
        raise ValueError(f"the setting {name} needs --folder, a folder with {name.split('-')[0]}/")
    options = {"epochs": "epochs", "examples": "limit", "inputs": "inputs", "players": "players"}
    given = {field: settings[option] for field, option in options.items() if settings[option] is not None}
    setting = dataclasses.replace(setting, **given)
    kept = settings | {"out": settings["out"] and settings["out"] / name, "folder": None}
    out = folders.open_folder("generalization", kept)
    folders.write_settings(out, "reproduce generalization", kept)
    data = datasets.load(setting.data.format(folder=settings["folder"]))
    with Stages(settings["quiet"]) as stages:
        found = generalization_experiment.run(
            setting,
            data,
            out,
            shares=settings["shares"],
            seeds=settings["seeds"],
            checkpoints=settings["checkpoints"],
            kind=settings["kind"],
            progress=stages,
        )
    numbers = {"setting": dataclasses.asdict(setting), "kind": settings["kind"]} | generalization_report.summary(found)
    write_json(out / "generalization.json", numbers)
    (out / "generalization.md").write_text(generalization_report.table(found))
    title = f"{setting.network} on {data.name}, {len(found.player_names)} players, {setting.examples} training examples"
    generalization_report.figure(found, title).savefig(out / "generalization.png", dpi=150)
    click.echo(f"\n{title}\n\n{generalization_report.table(found)}")
    click.echo(f"generalization.json, generalization.md, generalization.png, settings.json in {out}")


@reproduce.command()
@click.option(
    "--setting",
    "chosen",
    type=click.Choice(list(complexity_experiment.SETTINGS)),
    multiple=True,
    help="data and network, repeatable; by default MNIST where --folder holds it, and CIFAR-10 on an accelerator; the "
    "digits without --folder",
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=None,
    envvar="INTERJAX_DATA",
    help="folder with mnist/ and cifar10/; by default $INTERJAX_DATA",
)
@click.option("--seeds", type=click.IntRange(1), default=3, help="networks trained")
@click.option("--checkpoints", type=click.IntRange(3), default=24, help="log-spaced checkpoints of each training run")
@click.option("--subsets", type=click.IntRange(2), default=26, help="random subsets of five neurons of the wide layer")
@click.option("--epochs", type=click.IntRange(1), default=None, help="training epochs; by default those of the setting")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="folder for networks, numbers, tables and figures; the same command resumes there",
)
@click.option("--quiet", is_flag=True, help="no progress bar")
def complexity(chosen: tuple[str, ...], **settings: Any) -> None:
    """Train quantised networks, and measure how complex the representations of their layers are.

    Computes C of the layers of five neurons exactly, that of a wider layer by random subsets and by groups, at
    log-spaced checkpoints; tells whether C falls from layer to layer and over training; writes a table and a figure.
    """
    for name in chosen or _complexity_settings(settings["folder"]):
        _reproduce_complexity(name, settings | {"setting": name, "data": name})


def _complexity_settings(folder: Path | None) -> list[str]:
    wanted = ["mnist"] + (["cifar10"] if jax.default_backend() != "cpu" else [])
    return [name for name in wanted if folder is not None and (folder / name).is_dir()] or ["digits"]


def _reproduce_complexity(name: str, settings: dict[str, Any]) -> None:
    setting = complexity_experiment.SETTINGS[name]
    if "{folder}" in setting.data and settings["folder"] is None:
        raise ValueError(f"the setting {name} needs --folder, a folder with {name}/")
    if settings["epochs"] is not None:
        setting = dataclasses.replace(setting, epochs=settings["epochs"])
    kept = settings | {"out": settings["out"] and settings["out"] / name, "folder": None}
    out = folders.open_folder("complexity", kept)
    folders.write_settings(out, "reproduce complexity", kept)
    data = datasets.load(setting.data.format(folder=settings["folder"]))
    counts = {option: settings[option] for option in ("seeds", "checkpoints", "subsets")}
    with Stages(settings["quiet"]) as stages:
        found = complexity_experiment.run(setting, data, out, **counts, progress=stages)
    write_json(out / "complexity.json", complexity_report.summary(found))
    (out / "complexity.md").write_text(complexity_report.table(found))
    title = f"{setting.network} on {data.name}, {setting.epochs} epochs, {settings['seeds']} seeds"
    complexity_report.figure(found, title).savefig(out / "complexity.png", dpi=150)
    click.echo(f"\n{title}\n\n{complexity_report.table(found)}")
    click.echo(f"complexity.json, complexity.md, complexity.png, settings.json in {out}")
