"""`interjax reproduce`: the papers' experiments."""

import dataclasses
from pathlib import Path
from typing import Any

import click
import jax

from interjax import _folders as folders
from interjax import datasets
from interjax._commands.options import Progress
from interjax.reproduce import _bottleneck_report as report
from interjax.reproduce import bottleneck as experiment


@click.group()
def reproduce() -> None:
    """Repeat an experiment of the papers: train, measure, compare with what they report."""


@reproduce.command()
@click.option(
    "--setting",
    "chosen",
    type=click.Choice(list(experiment.SETTINGS)),
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
        name for name in experiment.SETTINGS if name.split("-")[0] in wanted and (folder / name.split("-")[0]).is_dir()
    ]
    if not found:
        raise ValueError(f"{folder} holds none of {', '.join(f'{name}/' for name in wanted)}: give another --folder")
    return found


def _reproduce(name: str, settings: dict[str, Any]) -> None:
    setting = experiment.SETTINGS[name]
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
    with _Stages(settings["quiet"]) as stages:
        found = experiment.run(
            setting,
            data,
            out,
            seeds=settings["seeds"],
            inputs=settings["inputs"],
            limit=settings["examples"],
            progress=stages,
        )
    folders.write_json(out / "bottleneck.json", {"setting": dataclasses.asdict(setting)} | report.summary(found))
    (out / "bottleneck.md").write_text(report.table(found))
    title = f"{setting.network} on {data.name}, {found.profiles['normal'][0].n_players} players"
    report.figure(found, title).savefig(out / "bottleneck.png", dpi=150)
    click.echo(f"\n{title}\n\n{report.table(found)}")
    click.echo(f"bottleneck.json, bottleneck.md, bottleneck.png, settings.json in {out}")


class _Stages:
    """A progress bar for each stage: its name changes from one to the next."""

    def __init__(self, quiet: bool):
        self.quiet, self.title = quiet, ""
        self.bar: Progress | None = None

    def __enter__(self) -> Any:
        return self

    def __call__(self, title: str, done: int, total: int) -> None:
        if title != self.title:
            self.__exit__()
            self.bar, self.title = Progress(self.quiet, title, title.split()[0].replace("ing", "ed")), title
        assert self.bar is not None
        self.bar(done, total)

    def __exit__(self, *exception: Any) -> None:
        if self.bar is not None:
            self.bar.__exit__()
