"""`interjax complexity`: how many neurons of a layer must be read at once, over layers and training."""

from pathlib import Path
from typing import Any

import click
import jax
import numpy as np

import interjax as ij
from interjax import datasets, representations
from interjax.cli import _complexity_report as report
from interjax.cli import _folder as folders
from interjax.cli._options import checkpoint_option, common
from interjax.cli._progress import Progress
from interjax.cli._subjects import chosen_steps, load, log_spaced_checkpoints, network_folder, network_of, plan_of
from interjax.representations._dynamics import ComplexityDynamics

_CHECKPOINTS = 12
_NETWORK = "quantised_mlp"


@click.command()
@common
@checkpoint_option
@click.option(
    "--checkpoints",
    type=click.IntRange(1),
    default=None,
    help=f"how many to measure, 1 for the last alone; by default all that there are, or {_CHECKPOINTS} of a network "
    "trained now",
)
@click.option("--layers", default=None, help="names separated by commas; by default the network's quantised layers")
@click.option("--levels", type=click.IntRange(2), default=None, help="quantise an unquantised network after training")
@click.option("--size", type=click.IntRange(2, 6), default=5, help="neurons of a random subset of a wider layer")
@click.option("--subsets", type=click.IntRange(2), default=26, help="random subsets of a layer of more than 5 neurons")
@click.option(
    "--groups",
    type=click.IntRange(2, 6),
    default=None,
    help="also cut layers into so many groups of neighbouring neurons: bounds of C for the whole layer",
)
@click.option("--resamples", type=int, default=8, help="halves of the data for errors; an even number")
def complexity(**settings: Any) -> None:
    """Measure the representational complexity of a network's hidden layers about the labels.

    Shows C of each layer with its error and whether it can be trusted, its information by degree of synergy, mean
    degrees of redundancy and vulnerability, and all of it over training. A run that was stopped resumes when the same
    command is given again.
    """
    if settings["checkpoint"] is None and settings["network"] is None:
        settings["network"] = _NETWORK
    settings["checkpoint"] = network_folder(settings["checkpoint"])
    out = folders.open_folder("complexity", settings)
    key = jax.random.key(settings["seed"])
    data = load(settings)
    kept = _checkpoints(data, settings)
    model, spec = network_of(out, data, settings, **kept)
    folders.write_settings(out, "complexity", settings)
    place = settings["checkpoint"] or out / "network"
    dynamics = _dynamics(out, key, place, data, settings)
    layers = list(dynamics.layers)
    found = representations.layer_complexity(
        key, model, data.train_x, data.train_y, layers=layers, **_how(settings), resamples=settings["resamples"]
    )
    grouped = _grouped(key, model, data, layers, settings)
    about = {"network": spec.to_json(), "data": settings["data"], "samples": len(data.train_y)}
    written = report.write(out, found, grouped, dynamics, about)
    written += report.draw(out, found, dynamics, f"{spec.name} on {data.name}", _steps_per_epoch(data, settings))
    click.echo(report.text(found, grouped, dynamics))
    click.echo(f"{', '.join(written)}, settings.json in {out}")


def _how(settings: dict[str, Any]) -> dict[str, Any]:
    return {"levels": settings["levels"], "size": settings["size"], "count": settings["subsets"]}


def _checkpoints(data: datasets.Dataset, settings: dict) -> dict[str, Any]:
    """Options of training that keep the checkpoints to measure."""
    if settings["checkpoint"] is not None or settings["checkpoints"] == 1:
        return {}
    return log_spaced_checkpoints(data, plan_of(data, settings), settings["checkpoints"] or _CHECKPOINTS)


def _steps_per_epoch(data: datasets.Dataset, settings: dict) -> int | None:
    """Of a network trained now; those of a saved one are not known."""
    if settings["checkpoint"] is not None:
        return None
    return max(1, len(data.train_x) // min(plan_of(data, settings).batch_size, len(data.train_x)))


def _dynamics(
    out: Path, key: jax.Array, place: Path, data: datasets.Dataset, settings: dict[str, Any]
) -> ComplexityDynamics:
    layers = None if settings["layers"] is None else [name.strip() for name in settings["layers"].split(",")]
    with Progress(settings["quiet"], "measuring", "checkpoints") as advance:
        return representations.checkpoint_complexity(
            key,
            place,
            data.train_x,
            data.train_y,
            layers=layers,
            steps=chosen_steps(place, settings["checkpoints"]),
            **_how(settings),
            resamples=settings["resamples"],
            folder=out / "checkpoints",
            progress=advance,
        )


def _grouped(
    key: jax.Array, model: Any, data: datasets.Dataset, layers: list[str], settings: dict[str, Any]
) -> dict[str, ij.pid.GroupedComplexity]:
    """C of each layer as groups of neighbours, for --groups; layers of fewer neurons are left out."""
    if settings["groups"] is None:
        return {}
    symbols = representations.layer_symbols(model, data.train_x, layers=layers, levels=settings["levels"])
    found = {}
    for name, each in symbols.items():
        if each.shape[1] > settings["groups"]:
            groups = [part.tolist() for part in np.array_split(np.arange(each.shape[1]), settings["groups"])]
            found[name] = ij.pid.grouped_complexity(each, data.train_y, groups, key=key)
    return found
