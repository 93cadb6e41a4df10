"""What `interjax evaluate` does."""

from pathlib import Path
from typing import Any

import click
import jax

from interjax import evaluation, plots, training
from interjax._core._files import write_json
from interjax.cli import _folder as folders
from interjax.cli._progress import Progress
from interjax.cli._subjects import baseline_of, check_fits, load, network_folder
from interjax.plots._style import new_figure

_MOST_DRAWN = 6


def evaluate(checkpoints: tuple[Path, ...], settings: dict[str, Any]) -> None:
    """Compare trained networks; write numbers, plot and settings."""
    places = [network_folder(path) or path for path in checkpoints]
    names = _names(places)
    settings["checkpoints"] = [str(path) for path in places]
    out = folders.open_folder("evaluate", settings)
    data = load(settings)
    networks = {}
    for name, place in zip(names, places, strict=True):
        spec, networks[name], kept = training.load_network(place)
        check_fits(spec, kept, data, place, settings["data"])
    folders.write_settings(out, "evaluate", settings)
    if settings["baseline"].startswith("marginal"):
        raise ValueError("--baseline of an occlusion is a number or mean, not marginal")
    with Progress(settings["quiet"], "evaluating", "rounds") as advance:
        found = evaluation.evaluate(
            networks,
            data,
            key=jax.random.key(settings["seed"]),
            baseline=baseline_of(settings["baseline"], data, None),
            strengths=settings["strengths"],
            pgd_steps=settings["pgd_steps"],
            occlusions=settings["occlusions"],
            shuffles=settings["shuffles"],
            limit=settings["examples"],
            folder=out / "evaluated",
            progress=advance,
        )
    _write(out, found, data.name)
    if data.label_normalization is not None:
        click.echo(f"errors are in standard deviations of the label, {data.label_normalization[1]:.6g} each")


def _write(out: Path, found: evaluation.Evaluation, title: str) -> None:
    found.save(out / "evaluation.npz")
    rows = {
        network: {
            measure: dict(zip(("value", "lower", "upper"), found.of(measure, network), strict=True))
            for measure in found.measures
        }
        for network in found.networks
    }
    write_json(out / "evaluation.json", {"level": found.level, "networks": rows})
    click.echo(f"\n{found.table()}\n")
    written = "evaluation.json, evaluation.npz"
    if len(found.networks) <= _MOST_DRAWN:
        figure = new_figure(7.2, 4.8)
        plots.evaluation(figure.subplots(), found).set_title(title)
        figure.savefig(out / "evaluation.png", dpi=150)
        written += ", evaluation.png"
    else:
        click.echo(f"no plot: it shows at most {_MOST_DRAWN} networks")
    click.echo(f"{written}, settings.json in {out}")


def _names(places: list[Path]) -> list[str]:
    """A short name for each checkpoint: its folder's, with as many of the folders above as tell them apart."""
    parts = [place.resolve().parts[:-1] if place.name == "network" else place.resolve().parts for place in places]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            return names
    raise ValueError("the same checkpoint was given twice")
