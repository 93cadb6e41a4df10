"""What `interjax train` does."""

from pathlib import Path
from typing import Any

import click

from interjax import plots, training
from interjax._core._files import write_json
from interjax.cli import _folder as folders
from interjax.cli._subjects import baseline_of, load, plan_of, players_of, train_or_continue
from interjax.plots._style import new_figure


def train(settings: dict[str, Any]) -> None:
    """Train a network, plain or steered; write it with its accuracy, plot and settings."""
    out = folders.open_folder("train", settings)
    data = load(settings)
    plan = plan_of(data, settings)
    kept: dict[str, Any] = {}
    if settings["checkpoints"] is not None:
        kept = plan.log_spaced(len(data.train_x), settings["checkpoints"])
    folders.write_settings(out, "train", settings)
    loss = _modulation(data, settings)
    spec, model, log = train_or_continue(
        out / "network", data, plan, settings, loss=loss, metrics=out / "metrics.jsonl", **kept
    )
    graded = training.r_squared if data.is_regression else training.accuracy
    name, test = graded.__name__, graded(model, data.test_x, data.test_y)
    steps = training.saved_steps(out / "network")
    write_json(out / "train.json", {"network": spec.to_json(), f"test_{name}": test, "checkpoints": steps})
    _draw(out / "training.png", log, f"{spec.name} on {data.name}")
    click.echo(f"{spec.name} on {data.name}: test {'R^2' if data.is_regression else name} {test:.4f}")
    click.echo(f"checkpoint: {out / 'network'}")


def _modulation(data: Any, settings: dict[str, Any]) -> training.ModulatedCrossEntropy | None:
    """The loss that the options ask for; None for plain cross entropy."""
    given = {name: settings[name] for name in ("low", "high") if settings[name] is not None}
    if settings["modulate"] is None:
        if given:
            raise ValueError("--low and --high go with --modulate encourage or --modulate penalize")
        options = training.PRESETS[settings["preset"] or "normal"]
    elif settings["preset"] is not None:
        raise ValueError("give either --preset or --modulate, not both")
    elif len(given) < 2:
        raise ValueError("--modulate needs --low and --high, shares of the players such as --low 0 --high 0.5")
    else:
        options = {"mode": settings["modulate"], **given}
    if not options:
        _refuse_unused(settings)
        return None
    if data.is_regression:
        raise ValueError(
            f"--preset and --modulate steer networks that tell classes, and {data.name} is a regression: train in "
            'Python with ij.losses.order_modulation(..., task="regression") beside the squared error'
        )
    if settings["baseline"].startswith("marginal"):
        raise ValueError("--baseline of a training loss is a number or mean, not marginal")
    same = {name: settings[name] for name in ("weight", "draws", "average", "align")}
    baseline = baseline_of(settings["baseline"], data, None)
    return training.ModulatedCrossEntropy(players_of(data, settings["grid"]), baseline=baseline, **options, **same)


def _refuse_unused(settings: dict[str, Any]) -> None:
    """Raise ValueError for an option of the modulation where there is none, which would change nothing."""
    context = click.get_current_context(silent=True)
    for name in ("weight", "draws", "average", "align", "grid", "baseline"):
        source = context and context.get_parameter_source(name)
        if source == click.core.ParameterSource.COMMANDLINE:
            raise ValueError(f"--{name} goes with --modulate or one of the steering presets; got {settings[name]!r}")


def _draw(path: Path, log: training.TrainingLog, title: str) -> None:
    figure = new_figure(6.4, 3.8)
    plots.training(figure.subplots(), log).set_title(title)
    figure.savefig(path, dpi=150)
