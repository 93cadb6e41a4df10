"""What `interjax complexity` does."""

from pathlib import Path
from typing import Any

import click
import jax
import numpy as np

import interjax as ij
from interjax import datasets, representations
from interjax.cli import _complexity_report as report
from interjax.cli import _folder as folders
from interjax.cli._choices import COMPLEXITY_CHECKPOINTS
from interjax.cli._progress import Progress
from interjax.cli._subjects import load, network_folder, network_of, plan_of
from interjax.datasets._dataset import check_classified
from interjax.representations._dynamics import ComplexityDynamics
from interjax.training._checkpoints import some_saved_steps

_NETWORK = "quantised_mlp"


def complexity(settings: dict[str, Any]) -> None:
    """Measure the complexity of a network's layers, now and over training; write numbers, plots and settings."""
    if settings["checkpoint"] is None and settings["network"] is None:
        settings["network"] = _NETWORK
    settings["checkpoint"] = network_folder(settings["checkpoint"])
    out = folders.open_folder("complexity", settings)
    key = jax.random.key(settings["seed"])
    data = load(settings)
    check_classified(data)
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
    return plan_of(data, settings).log_spaced(len(data.train_x), settings["checkpoints"] or COMPLEXITY_CHECKPOINTS)


def _steps_per_epoch(data: datasets.Dataset, settings: dict) -> int | None:
    """Of a network trained now; those of a saved one are not known."""
    if settings["checkpoint"] is not None:
        return None
    return plan_of(data, settings).steps_an_epoch(len(data.train_x))


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
            steps=some_saved_steps(place, settings["checkpoints"]),
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
