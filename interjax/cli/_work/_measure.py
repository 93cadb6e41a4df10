"""What `interjax measure` does."""

import contextlib
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jax
import numpy as np

import interjax as ij
from interjax import networks, training
from interjax._engine._processes import Group, ProcessLost, joined, start
from interjax.cli import _folder as folders
from interjax.cli._progress import Progress
from interjax.cli._subjects import OUTPUTS, baseline_of, load, network_folder, network_of, pair_population, players_of
from interjax.orders._arguments import as_orders
from interjax.plots._style import new_figure
from interjax.profiles._rounds import kept_in


def measure(context: click.Context, settings: dict[str, Any]) -> None:
    """Measure a network's profile, alone or as one of several processes; write numbers, plot and settings."""
    if settings["preset"] == "official":
        settings |= _official(context, settings)
    settings["checkpoint"] = network_folder(settings["checkpoint"])
    _start_processes(settings)
    with _processes() as group:
        group.folder = out = folders.open_folder("measure", settings)
        first = group.rank == 0
        settings["quiet"] |= not first
        key = jax.random.key(settings["seed"])
        games, spec, pairs = _games(out, key, settings, write=first)
        kept, text = kept_in(out / "measured", len(games))
        if text and first:
            click.echo(f"resuming: {text}")
        start = time.perf_counter()
        with Progress(settings["quiet"], "measuring", "passes") as advance, _warnings_shown(first):
            found = ij.order_profile(
                jax.random.fold_in(key, 2),
                games,
                orders=settings["orders"],
                contexts=settings["contexts"],
                n_pairs=settings["pairs"],
                pairs=pairs,
                method=settings["method"],
                correction=settings["correction"],
                kind=settings["kind"],
                target_stderr=settings["target_stderr"],
                n_forwards=settings["n_forwards"],
                exact=settings["exact"],
                batch_size=settings["batch_size"],
                memory=settings["memory"],
                folder=out / "measured",
                progress=advance,
            )
        seconds = time.perf_counter() - start
    if not first:
        return
    folders.write_profile(out, found, network=spec.to_json(), data=settings["data"])
    _draw(out / "profile.png", found, settings, spec)
    _print_profile(found, found.n_forwards - kept, seconds)
    click.echo(f"profile.json, profile.npz, profile.png, settings.json in {out}")


def _start_processes(settings: dict) -> None:
    """Join the processes of a distributed run, before anything is computed."""
    given = {name: settings[name] for name in ("coordinator", "processes", "process_id")}
    if not settings["distributed"]:
        if any(value is not None for value in given.values()):
            raise ValueError("--coordinator, --processes and --process-id go with --distributed")
        return
    if settings["checkpoint"] is None:
        raise ValueError("--distributed measures a trained network: run `interjax train` first, then give --checkpoint")
    try:
        start(**given)
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"the processes could not be joined ({error}); where JAX does not find them by itself (SLURM, Open MPI, "
            "TPU), give --coordinator HOST:PORT --processes P --process-id I"
        ) from error


def _games(out: Path, key: Any, settings: dict, *, write: bool) -> tuple[list[ij.Game], networks.NetworkSpec, Any]:
    """One game for each input chosen, the network's spec, and the pairs to measure; settings are written first."""
    data = load(settings)
    players = players_of(data, settings["grid"])
    baseline = baseline_of(settings["baseline"], data, key)
    pairs = pair_population(players, settings["radius"])
    as_orders(settings["orders"], players.n, 2)  # wrong orders are told before anything is trained
    model, spec = network_of(out, data, settings)
    if write:
        folders.write_settings(out, "measure", settings)
    x, y = (data.train_x, data.train_y) if settings["split"] == "train" else (data.test_x, data.test_y)
    draw_key, count = jax.random.fold_in(key, 1), settings["inputs"]
    if data.is_regression:
        chosen, output = np.asarray(jax.random.permutation(draw_key, len(x)))[:count], _number(settings)
    else:
        chosen = training.correctly_classified(model, x, y, count=count, key=draw_key)
        output = OUTPUTS[settings["output"]]
    games = ij.masked_games(
        model,
        x[chosen],
        y[chosen],
        players=players,
        baseline=baseline,
        output=output,
        precision=settings["precision"],
    )
    return games, spec, pairs


def _number(settings: dict) -> None:
    """What is read off a network that predicts a number: that number; ValueError if another output was asked for."""
    context = click.get_current_context(silent=True)
    if context and context.get_parameter_source("output") == click.core.ParameterSource.COMMANDLINE:
        raise ValueError(
            f"--output reads classes; of a regression the number itself is measured: leave it out, got "
            f"{settings['output']!r}"
        )


@contextlib.contextmanager
def _processes() -> Iterator[Group]:
    """The processes of this run; that one is lost is told like a file that cannot be read."""
    try:
        with joined() as group:
            yield group
    except ProcessLost as error:
        raise ConnectionError(str(error)) from error


@contextlib.contextmanager
def _warnings_shown(shown: bool) -> Iterator[None]:
    """Warnings of the block; held back in all processes but one, as each has the same."""
    with warnings.catch_warnings():
        if not shown:
            warnings.simplefilter("ignore")
        yield


def _official(context: click.Context, settings: dict) -> dict:
    """The papers' allocation, less what the user chose explicitly."""
    allocation = {name.replace("n_pairs", "pairs"): value for name, value in ij.OFFICIAL_ALLOCATION.items()}
    if not settings["data"].startswith(("adult", "csv")):
        allocation["radius"] = 2
    default = click.core.ParameterSource.DEFAULT
    return {name: value for name, value in allocation.items() if context.get_parameter_source(name) == default}


def _print_profile(found: ij.OrderProfile, passes: int, seconds: float) -> None:
    click.echo(f"\n{found.table()}")
    rate = f"{passes / seconds:,.0f} passes per second" if passes else "all measured by an earlier run"
    inputs = f"{len(found.by_input)} inputs of {found.n_players} players"
    click.echo(f"\n{found.n_forwards:,} forward passes for {inputs}, {rate}")
    if found.n_nonfinite:
        click.echo(f"{found.n_nonfinite:,} values were NaN or infinite")


def _draw(path: Path, found: ij.OrderProfile, settings: dict, spec: networks.NetworkSpec) -> None:
    figure = new_figure(6.4, 4.2)
    uncorrected = found.correction != "none" and not np.all(found.exact)
    axes = ij.plots.profile(figure.subplots(), found, uncorrected=uncorrected, theory=settings["theory"])
    axes.set_title(
        f"{spec.name} on {settings['data'].split(':')[0]}: {len(found.by_input)} inputs, {found.n_players} players"
    )
    figure.savefig(path, dpi=150)
