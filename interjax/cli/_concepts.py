"""`interjax concepts`: the Harsanyi concepts of a network on data, how they generalise and how they were learned."""

from pathlib import Path
from typing import Any

import click
import jax
import numpy as np

import interjax as ij
from interjax import datasets, networks, training
from interjax._engine._folders import RunFolder, fingerprint
from interjax.cli import _concept_pictures as pictures
from interjax.cli import _concept_report as report
from interjax.cli import _explaining as explaining
from interjax.cli import _folder as folders
from interjax.cli._explaining import KINDS, Explainer, Inputs
from interjax.cli._options import Grid, checkpoint_option, common
from interjax.cli._progress import Progress
from interjax.cli._subjects import (
    OUTPUTS,
    baseline_of,
    chosen_steps,
    load,
    log_spaced_checkpoints,
    network_folder,
    network_of,
    plan_of,
)
from interjax.concepts._explanations._and_or import check_noise
from interjax.concepts._explanations._effects import check_tau
from interjax.concepts._players import RULES
from interjax.games._models import as_apply

_PLAYERS = 8
_CELLS_A_SIDE = 4
_CHECKPOINTS = 10
_SOME = 16  # training inputs of the null and of stability


@click.command()
@common
@checkpoint_option
@click.option("--dynamics", is_flag=True, help="explain the checkpoints of the training run too")
@click.option(
    "--checkpoints",
    type=click.IntRange(2),
    default=None,
    help=f"of --dynamics: how many; by default all that there are, or {_CHECKPOINTS} of a network trained now",
)
@click.option(
    "--cells", type=Grid(), default=None, help="cut images into cells, such as 7x7; by default 4x4 where even"
)
@click.option("--players", type=click.IntRange(1), default=None, help=f"cells or columns; by default {_PLAYERS}")
@click.option(
    "--rule",
    type=click.Choice(RULES),
    default="contrast",
    help="which ones: those that vary or tell classes most, those nearest to the image's centre, or all",
)
@click.option(
    "--segments",
    type=click.Path(dir_okay=False, path_type=Path),
    default=None,
    help="file with the player of each entry, -1 for always present: .npy, .npz, .json or .csv",
)
@click.option("--classes", default=None, help="names or numbers, such as 0,1; by default all, at most ten")
@click.option("--inputs", type=click.IntRange(1), default=10, help="training inputs of a class; half as many test ones")
@click.option(
    "--tau", type=float, default=0.05, help="salient: at least this share of the strongest effect of an input"
)
@click.option("--kind", type=click.Choice(KINDS), default="and-or", help="Harsanyi dividends, or the sparsest AND-OR")
@click.option("--noise", type=float, default=0.04, help="of and-or: error allowed, a share of |v(N) - v(empty)|")
@click.option("--baseline", default="0", help="what absent players show: a number, or `mean` of the training data")
@click.option("--output", type=click.Choice(sorted(OUTPUTS)), default="log-odds", help="value read off the logits")
@click.option("--stability", is_flag=True, help="of and-or: how far equally sparse explanations agree on some inputs")
@click.option("--examples", type=click.IntRange(1, 9), default=4, help="training inputs whose concepts are drawn")
def concepts(**settings: Any) -> None:
    """Explain a network by its concepts: coalitions of inputs that act together.

    Shows the concepts of a few inputs, how faithful they are, how they are distributed over sizes, which sizes hold on
    test inputs, and with --dynamics in what order they are learned. A run that was stopped resumes when the same
    command is given again.
    """
    check_tau(settings["tau"])
    check_noise(settings["noise"])
    if settings["stability"] and settings["kind"] == "and":
        raise ValueError("--stability goes with --kind and-or: Harsanyi dividends leave no choice")
    settings["checkpoint"] = place = network_folder(settings["checkpoint"])
    out = folders.open_folder("concepts", settings)
    key = jax.random.key(settings["seed"])
    data = load(settings)
    players, names = _players(data, settings)
    classes = explaining.classes_of(settings["classes"], data)
    inputs = explaining.choose_inputs(jax.random.fold_in(key, 1), data, classes, settings["inputs"])
    baseline = baseline_of(settings["baseline"], data, key)
    kept = _checkpoints(data, inputs, settings)
    model, spec = network_of(out, data, settings, **kept)
    folders.write_settings(out, "concepts", settings)
    how = {"players": players, "baseline": baseline, "output": OUTPUTS[settings["output"]]}
    run = RunFolder(out / "explained", _identity(model, inputs, how, settings))
    explainer = Explainer(run, settings["kind"], settings["noise"], len(inputs))
    tables, explanation, is_finite = _explain(run, explainer, model, inputs, how, settings)
    found = report.measure(
        jax.random.fold_in(key, 2),
        report.Explained(data, players, names, inputs[is_finite], tables[is_finite], explanation, np.sum(~is_finite)),
        _null(run, explainer, spec, inputs[is_finite], how, settings),
        _stability(key, explainer, tables[is_finite], inputs[is_finite], settings),
        tau=settings["tau"],
    )
    about = {"network": spec.to_json(), "data": settings["data"], "kind": settings["kind"], "noise": settings["noise"]}
    title = f"{spec.name} on {data.name}"
    written = report.write(out, found, about)
    written += pictures.draw(out, found, title=title, examples=settings["examples"])
    click.echo(report.text(found))
    if settings["dynamics"]:
        dynamics = _dynamics(out, key, place or out / "network", data, inputs, explainer, how, settings)
        text, phases = report.write_dynamics(out, dynamics)
        click.echo(text)
        written += ["dynamics.json", "dynamics.npz"]
        written += pictures.draw_dynamics(out, dynamics, phases, names, title=title)
    click.echo(f"{', '.join(written)}, settings.json in {out}")


def _players(data: datasets.Dataset, settings: dict) -> tuple[ij.Players, tuple[str, ...]]:
    """The players that the options choose; few cells and players by default, as each doubles the cost."""
    segments, cells, count = (settings[name] for name in ("segments", "cells", "players"))
    if segments is not None:
        if cells or count:
            raise ValueError("--segments names the player of every entry: leave --cells and --players out")
        players, names = ij.concepts.choose_players(data, players_file=segments)
    else:
        if cells is None and data.player_labels is None and len(data.input_shape) > 1:
            cells = tuple(_most_equal_cells(side) for side in data.input_shape[:2])
        if count is None and settings["rule"] != "all":
            count = _PLAYERS
        players, names = ij.concepts.choose_players(data, cells=cells, count=count, rule=settings["rule"])
    explaining.check_players(players, settings["kind"])
    return players, names


def _most_equal_cells(side: int) -> int:
    return max(cells for cells in range(1, _CELLS_A_SIDE + 1) if side % cells == 0)


def _checkpoints(data: datasets.Dataset, inputs: Inputs, settings: dict) -> dict[str, Any]:
    """Options of training for --dynamics, whose needs are checked before anything is trained."""
    if not settings["dynamics"]:
        if settings["checkpoints"] is not None:
            raise ValueError("--checkpoints goes with --dynamics")
        return {}
    unfit = np.setdiff1d(inputs.labels, inputs.comparable())
    if len(unfit):
        raise ValueError(
            "--dynamics compares at least 2 training with 1 test input of each class: class "
            f"{data.class_names[unfit[0]]} has fewer; raise --inputs, or leave it out (--classes)"
        )
    if settings["checkpoint"] is None:
        plan = plan_of(data, settings)
        return log_spaced_checkpoints(data, plan, settings["checkpoints"] or _CHECKPOINTS)
    if len(training.saved_steps(settings["checkpoint"])) < 2:
        raise ValueError(
            f"{settings['checkpoint']} holds a single checkpoint: --dynamics needs those of a training run, of "
            "`interjax train --checkpoints 12`"
        )
    return {}


def _identity(model: Any, inputs: Inputs, how: dict[str, Any], settings: dict) -> dict[str, Any]:
    """What the kept tables and explanations depend on."""
    return {
        "weights": fingerprint(as_apply(model)[1]),
        "inputs": fingerprint((inputs.x, inputs.labels)),
        "players": how["players"].digest,
        "baseline": fingerprint(how["baseline"]),
        **{name: settings[name] for name in ("output", "kind", "noise")},
    }


def _explain(
    run: RunFolder, explainer: Explainer, model: Any, inputs: Inputs, how: dict[str, Any], settings: dict
) -> tuple[np.ndarray, Any, np.ndarray]:
    """Tables of all inputs, the explanation of those that are finite, and which ones are."""
    with Progress(settings["quiet"], "tabulating", "inputs") as advance:
        tables = explaining.tabulate(run, model, inputs, how, advance)
    is_finite = np.asarray(np.isfinite(tables).all(axis=1))
    if not is_finite[inputs.is_train].any():
        raise ValueError(
            "the games of all training inputs hold NaN or infinite values: look for overflow in the network, or for a "
            "--baseline outside its domain"
        )
    with Progress(settings["quiet"], "explaining", "inputs") as advance:
        explainer.advance = advance
        explanation = explainer(tables[is_finite])
    if explainer.kept:
        click.echo(f"resumed: {explainer.kept} of {is_finite.sum()} inputs had been explained")
    return tables, explanation, is_finite


def _null(
    run: RunFolder,
    explainer: Explainer,
    spec: networks.NetworkSpec,
    inputs: Inputs,
    how: dict[str, Any],
    settings: dict,
) -> Any:
    """Explanations of an untrained network on some of the training inputs; None if their games are not finite."""
    some = inputs[inputs.in_turn(_SOME)]
    tables = explaining.tables_of(spec.build(settings["seed"]), some, how)
    if not np.isfinite(tables).all():
        return None
    with Progress(settings["quiet"], "explaining the untrained network", "inputs") as advance:
        explainer.advance = advance
        return explainer(tables)


def _stability(key: jax.Array, explainer: Explainer, tables: np.ndarray, inputs: Inputs, settings: dict) -> Any:
    """How far equally sparse explanations of some training inputs agree; None unless asked for."""
    if not settings["stability"]:
        return None
    with Progress(settings["quiet"], "explaining under jittered costs", "inputs") as advance:
        explainer.advance = advance
        return explainer.stability(jax.random.fold_in(key, 5), tables[inputs.in_turn(_SOME)], settings["tau"])


def _dynamics(
    out: Path,
    key: jax.Array,
    place: Path,
    data: datasets.Dataset,
    inputs: Inputs,
    explainer: Explainer,
    how: dict[str, Any],
    settings: dict,
) -> ij.concepts.ConceptDynamics:
    """The same inputs explained at the checkpoints of the run."""
    steps = chosen_steps(place, settings["checkpoints"])
    finished = [0]
    with Progress(settings["quiet"], "explaining checkpoints", "inputs") as advance:

        def games(done: int, total: int) -> None:
            advance(finished[0] * len(inputs) + done, len(steps) * len(inputs))

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
            rows=(inputs.rows[inputs.is_train], inputs.rows[~inputs.is_train]),
            tau=settings["tau"],
            folder=out / "checkpoints",
            progress=checkpoints,
        )
