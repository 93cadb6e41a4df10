"""`interjax measure`: the strength profile of a network on data."""

import contextlib
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jax

import interjax as ij
from interjax import networks, training
from interjax._engine._processes import joined
from interjax.cli import _folder as folders
from interjax.cli._options import Bytes, Grid, Numbers, checkpoint_option, common
from interjax.cli._progress import Progress
from interjax.cli._subjects import OUTPUTS, baseline_of, load, network_of, pair_population, players_of
from interjax.orders._arguments import as_orders
from interjax.plots._style import new_figure
from interjax.profiles._rounds import kept_in


@click.command()
@common
@checkpoint_option
@click.option(
    "--grid",
    type=Grid(),
    default=None,
    help="players: cells along each axis, such as 14x14; by default every pixel or column, at most 16x16",
)
@click.option(
    "--baseline",
    default="0",
    help="what fills absent players: a number, `mean` of the training data, or `marginal:K` examples averaged over",
)
@click.option("--output", type=click.Choice(sorted(OUTPUTS)), default="log-odds", help="value read off the logits")
@click.option(
    "--orders",
    type=Numbers(),
    default=None,
    help="context sizes 0,4,8 or ratios 0.0,0.5,1.0; by default all, or 13 ratios where n > 16",
)
@click.option(
    "--inputs", type=click.IntRange(1), default=50, help="correctly classified inputs, balanced over the classes"
)
@click.option("--split", type=click.Choice(["train", "test"]), default="train", help="where the inputs come from")
@click.option(
    "--pairs",
    type=click.IntRange(1),
    default=None,
    help="pairs measured for each input; by default all where few, else 132 or more",
)
@click.option("--radius", type=click.IntRange(1), default=None, help="only pairs of grid cells at most this far apart")
@click.option(
    "--contexts",
    type=click.IntRange(1),
    default=None,
    help="contexts for each pair and order; by default 10, or 20 where all pairs are measured",
)
@click.option("--method", type=click.Choice(["blocks", "quadruples"]), default="blocks")
@click.option("--correction", type=click.Choice(["folded-normal", "plug-in", "none"]), default="folded-normal")
@click.option("--kind", type=click.Choice(["mean", "rms"]), default="mean", help="E|I| or root mean square")
@click.option(
    "--preset",
    type=click.Choice(["official"]),
    default=None,
    help="the papers' allocation: quadruples, 100 contexts, 200 pairs, uncorrected, radius 2 on grids",
)
@click.option(
    "--target-stderr",
    type=click.FloatRange(0, min_open=True),
    default=None,
    help="measure until the largest standard error of J is at most this",
)
@click.option("--theory", type=click.IntRange(3), default=None, help="draw the theoretical curve of this many players")
@click.option(
    "--batch-size", type=click.IntRange(1), default=None, help="rows of a batch; by default chosen from memory"
)
@click.option(
    "--memory", type=Bytes(), default=None, help="memory for forward passes, such as 2GiB; by default what is free"
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "bfloat16"]),
    default="float32",
    help="of the forward pass; bfloat16 is faster on accelerators and noisier",
)
@click.option("--distributed", is_flag=True, help="one of several processes that run this same command together")
@click.option(
    "--coordinator", default=None, help="HOST:PORT where process 0 listens; found by itself under SLURM and the like"
)
@click.option("--processes", type=click.IntRange(1), default=None, help="how many processes there are; as above")
@click.option("--process-id", type=click.IntRange(0), default=None, help="which one this is, from 0; as above")
@click.pass_context
def measure(context: click.Context, **settings: Any) -> None:
    """Measure the strength profile J^(m) of a network on data.

    A run that was stopped resumes when the same command is given again. With --distributed, processes that share --out
    measure different inputs; --checkpoint is needed, and every process is given the same options but --process-id.
    """
    if settings["preset"] == "official":
        settings |= _official(context, settings)
    _start_processes(settings)
    with joined() as group:
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
    where = {"coordinator_address": "coordinator", "num_processes": "processes", "process_id": "process_id"}
    given = {argument: settings[name] for argument, name in where.items() if settings[name] is not None}
    if not settings["distributed"]:
        if given:
            raise ValueError("--coordinator, --processes and --process-id go with --distributed")
        return
    if settings["checkpoint"] is None:
        raise ValueError("--distributed measures a trained network: run `interjax train` first, then give --checkpoint")
    jax.config.update("jax_enable_preemption_service", False)  # it would make SIGTERM do nothing
    try:
        jax.distributed.initialize(**given)
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
    chosen = training.correctly_classified(model, x, y, count=settings["inputs"], key=jax.random.fold_in(key, 1))
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
    click.echo(f"\n{'order m':>8}  {'J^(m)':>7}  {'stderr':>7}  {'uncorrected':>11}")
    rows = zip(found.orders, found.strength, found.stderr, found.uncorrected, strict=True)
    for order, strength, stderr, plain in rows:
        click.echo(f"{order:>8}  {strength:7.3f}  {stderr:7.3f}  {plain:11.3f}")
    rate = f"{passes / seconds:,.0f} passes per second" if passes else "all measured by an earlier run"
    inputs = f"{len(found.by_input)} inputs of {found.n_players} players"
    click.echo(f"\n{found.n_forwards:,} forward passes for {inputs}, {rate}")
    if found.n_nonfinite:
        click.echo(f"{found.n_nonfinite:,} values were NaN or infinite")


def _draw(path: Path, found: ij.OrderProfile, settings: dict, spec: networks.NetworkSpec) -> None:
    figure = new_figure(6.4, 4.2)
    axes = ij.plots.profile(figure.subplots(), found, uncorrected=found.correction != "none", theory=settings["theory"])
    axes.set_title(
        f"{spec.name} on {settings['data'].split(':')[0]}: {len(found.by_input)} inputs, {found.n_players} players"
    )
    figure.savefig(path, dpi=150)
