"""What `interjax concepts` does."""

import warnings
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np

import interjax as ij
from interjax import datasets, training
from interjax.cli import _concept_pictures as pictures
from interjax.cli import _folder as folders
from interjax.cli._choices import CONCEPT_CHECKPOINTS
from interjax.cli._dynamics_report import write_dynamics
from interjax.cli._progress import Progress, Stages
from interjax.cli._subjects import (
    OUTPUTS,
    baseline_of,
    load,
    network_folder,
    network_of,
    plan_of,
)
from interjax.concepts._analysis._explainer import Explainer
from interjax.concepts._analysis._inputs import Inputs, choose_inputs, class_numbers, comparable, examples_of
from interjax.concepts._explanations._and_or import MAX_PLAYERS, check_noise
from interjax.concepts._explanations._effects import check_tau
from interjax.concepts._players import few_players
from interjax.training._checkpoints import some_saved_steps


def concepts(settings: dict[str, Any]) -> None:
    """Explain a network, now and with --dynamics over training; write numbers, pictures and settings."""
    check_tau(settings["tau"])
    check_noise(settings["noise"])
    if settings["stability"] and settings["kind"] == "and":
        raise ValueError("--stability goes with --kind and-or: Harsanyi dividends leave no choice")
    context = click.get_current_context(silent=True)
    given = context and context.get_parameter_source("noise") == click.core.ParameterSource.COMMANDLINE
    if given and settings["kind"] == "and":
        raise ValueError(f"--noise goes with --kind and-or: Harsanyi dividends are exact; got {settings['noise']}")
    settings["checkpoint"] = place = network_folder(settings["checkpoint"])
    out = folders.open_folder("concepts", settings)
    key = jax.random.key(settings["seed"])
    data = load(settings)
    players, names = _players(data, settings)
    inputs = _inputs(key, data, settings)
    baseline = baseline_of(settings["baseline"], data, key)
    kept = _checkpoints(data, inputs, settings)
    model, spec = network_of(out, data, settings, **kept)
    folders.write_settings(out, "concepts", settings)
    how = {"players": players, "baseline": baseline, "output": OUTPUTS[settings["output"]]}
    how |= {"rows": (inputs.rows[inputs.is_train], inputs.rows[~inputs.is_train]), "tau": settings["tau"]}
    with Stages(settings["quiet"], "inputs") as stages, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".* inputs are left out")  # the table says so
        found = ij.concepts.analyse(
            key,
            model,
            data,
            **how,
            player_names=names,
            **{name: settings[name] for name in ("kind", "noise", "stability")},
            untrained=spec.build(settings["seed"]),
            folder=out / "explained",
            progress=stages,
        )
    if found.n_resumed:
        click.echo(f"resumed: {found.n_resumed} of {len(found.labels)} inputs had been explained")
    title = f"{spec.name} on {data.name}"
    written = [path.name for path in found.save(out, {"network": spec.to_json(), "data": settings["data"]})]
    written += pictures.draw(out, found, data, title=title, examples=settings["examples"])
    click.echo(f"\n{found.table()}\n")
    if settings["dynamics"]:
        dynamics = _dynamics(out, key, place or out / "network", data, len(inputs), how, settings)
        text, phases = write_dynamics(out, dynamics)
        click.echo(text)
        written += ["dynamics.json", "dynamics.npz"]
        written += pictures.draw_dynamics(out, dynamics, phases, names, title=title)
    click.echo(f"{', '.join(written)}, settings.json in {out}")


def _players(data: datasets.Dataset, settings: dict) -> tuple[ij.Players, tuple[str, ...]]:
    """The players that the options choose."""
    segments, cells, count = (settings[name] for name in ("segments", "cells", "players"))
    if segments is None:
        players, names = few_players(data, cells=cells, count=count, rule=settings["rule"])
    elif cells or count:
        raise ValueError("--segments names the player of every entry: leave --cells and --players out")
    else:
        players, names = ij.concepts.choose_players(data, players_file=segments)
    if settings["kind"] == "and-or" and players.n > MAX_PLAYERS:
        raise ValueError(
            f"{players.n} players are too many for --kind and-or, which takes at most {MAX_PLAYERS}: choose fewer "
            "(--players, or coarser --cells), or --kind and"
        )
    return players, names


def _inputs(key: jax.Array, data: datasets.Dataset, settings: dict) -> Inputs:
    """The inputs of the classes that the options name, as `analyse` draws them."""
    classes = None
    if settings["classes"] is not None:
        try:
            classes = class_numbers([name.strip() for name in settings["classes"].split(",")], data)
        except ValueError as error:
            raise ValueError(f"--{error}") from None
    return choose_inputs(jax.random.fold_in(key, 1), examples_of(data), classes, settings["inputs"])


def _checkpoints(data: datasets.Dataset, inputs: Inputs, settings: dict) -> dict[str, Any]:
    """Options of training for --dynamics, whose needs are checked before anything is trained."""
    if not settings["dynamics"]:
        if settings["checkpoints"] is not None:
            raise ValueError("--checkpoints goes with --dynamics")
        return {}
    unfit = np.setdiff1d(inputs.labels, comparable(inputs.labels, inputs.is_train))
    if len(unfit):
        raise ValueError(
            "--dynamics compares at least 2 training with 1 test input of each class: class "
            f"{data.class_names[unfit[0]]} has fewer; raise --inputs, or leave it out (--classes)"
        )
    if settings["checkpoint"] is None:
        return plan_of(data, settings).log_spaced(len(data.train_x), settings["checkpoints"] or CONCEPT_CHECKPOINTS)
    if len(training.saved_steps(settings["checkpoint"])) < 2:
        raise ValueError(
            f"{settings['checkpoint']} holds a single checkpoint: --dynamics needs those of a training run, of "
            "`interjax train --checkpoints 12`"
        )
    return {}


def _dynamics(
    out: Path, key: jax.Array, place: Path, data: datasets.Dataset, count: int, how: dict[str, Any], settings: dict
) -> ij.concepts.ConceptDynamics:
    """The same inputs, so many of them, explained at the checkpoints of the run."""
    steps = some_saved_steps(place, settings["checkpoints"])
    explainer = Explainer.of_folder(out / "explained", count)
    finished = [0]
    with Progress(settings["quiet"], "explaining checkpoints", "inputs") as advance:

        def games(done: int, total: int) -> None:
            advance(finished[0] * count + done, len(steps) * count)

        def checkpoints(done: int, total: int) -> None:
            finished[0] = done
            games(0, 0)

        explainer.advance = games
        return ij.concepts.checkpoint_concepts(
            jax.random.fold_in(key, 4),
            place,
            data,
            **how,
            explain=explainer,
            steps=steps,
            folder=out / "checkpoints",
            progress=checkpoints,
        )
