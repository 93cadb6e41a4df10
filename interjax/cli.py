"""The command `interjax`: thin wrappers that read options, call the library and write numbers, plots and settings."""

import contextlib
import re
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

try:
    import click
    from tqdm import tqdm
except ImportError as error:  # the command line is an extra
    raise SystemExit(f'the interjax command needs its extra: pip install "interjax[cli]" ({error})') from None

import jax
import numpy as np

import interjax as ij
from interjax import _folders as folders
from interjax import datasets, networks, training
from interjax._orders import as_orders
from interjax._processes import ProcessLost, joined
from interjax._runs import kept_in

_OUTPUTS = {"log-odds": ij.log_odds, "log-prob": ij.log_prob, "logit": ij.logit, "prob": ij.prob}


class _Numbers(click.ParamType):
    """A comma-separated list: integers, or floats if one has a point."""

    name = "numbers"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            kind = float if "." in value else int
            return [kind(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"expected integers or ratios separated by commas, such as 0,4,8 or 0.0,0.5,1.0; got {value!r}")


class _Grid(click.ParamType):
    """Cells along each axis: 14x14."""

    name = "grid"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return tuple(int(part) for part in value.lower().split("x"))
        except ValueError:
            self.fail(f"expected the cells along each axis, such as 14x14; got {value!r}")


class _Bytes(click.ParamType):
    """An amount of memory: bytes, or 500MB, 2GiB."""

    name = "bytes"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?", value.strip(), re.IGNORECASE)
        if not found or not float(found[1]):
            self.fail(f"expected an amount of memory such as 500MB or 2GiB; got {value!r}")
        power = " KMGT".index((found[2] or " ").upper())
        return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


@click.group(context_settings={"show_default": True, "help_option_names": ["-h", "--help"]})
@click.version_option(ij.__version__, prog_name="interjax")
def cli() -> None:
    """Measure how a neural network's inputs act together: interactions of every order."""


def _common(command: Any) -> Any:
    """Options of every command that needs a network and data."""
    for option in reversed(
        [
            click.option(
                "--data", default="digits", help="digits | mnist:FOLDER | cifar10:FOLDER | adult:FILE | csv:FILE:LABEL"
            ),
            click.option(
                "--limit", type=click.IntRange(1), default=None, help="images to read of each class (mnist, cifar10)"
            ),
            click.option(
                "--network",
                default=None,
                help="mlp | tabular_mlp | lenet | alexnet | resnet20 | resnet18 | vit; by default one that suits the data",
            ),
            click.option(
                "--epochs",
                type=click.IntRange(1),
                default=None,
                help="training epochs; by default those that suit the data",
            ),
            click.option("--seed", type=int, default=0, help="seed of every random draw"),
            click.option(
                "--out",
                type=click.Path(file_okay=False, path_type=Path),
                default=None,
                help="folder for numbers, plot and settings; the same command resumes there",
            ),
            click.option("--quiet", is_flag=True, help="no progress bar"),
        ]
    ):
        command = option(command)
    return command


@cli.command()
@_common
def train(**settings: Any) -> None:
    """Train a network and keep it as a checkpoint."""
    out = folders.open_folder("train", settings)
    data = _load(settings)
    spec, model = _train(out / "network", data, settings)
    folders.write_settings(out, "train", settings)
    test = training.accuracy(model, data.test_x, data.test_y)
    folders.write_json(out / "train.json", {"network": spec.to_json(), "test_accuracy": test})
    click.echo(f"{spec.name} on {data.name}: test accuracy {test:.4f}")
    click.echo(f"checkpoint: {out / 'network'}")


@cli.command()
@_common
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=None,
    help="network saved by `interjax train`; without it one is trained",
)
@click.option(
    "--grid",
    type=_Grid(),
    default=None,
    help="players: cells along each axis, such as 14x14; by default every pixel or column, at most 16x16",
)
@click.option(
    "--baseline",
    default="0",
    help="what fills absent players: a number, `mean` of the training data, or `marginal:K` examples averaged over",
)
@click.option("--output", type=click.Choice(sorted(_OUTPUTS)), default="log-odds", help="value read off the logits")
@click.option(
    "--orders",
    type=_Numbers(),
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
    "--memory", type=_Bytes(), default=None, help="memory for forward passes, such as 2GiB; by default what is free"
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
        with _Progress(settings["quiet"], "measuring", "passes") as advance, _warnings_shown(first):
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
    data = _load(settings)
    players = _players(data, settings["grid"])
    baseline = _baseline(settings["baseline"], data, key)
    pairs = _pair_population(players, settings["radius"])
    as_orders(settings["orders"], players.n, 2)  # wrong orders are told before anything is trained
    model, spec = _network(out, data, settings)
    if write:
        folders.write_settings(out, "measure", settings)
    x, y = (data.train_x, data.train_y) if settings["split"] == "train" else (data.test_x, data.test_y)
    chosen = training.correctly_classified(model, x, y, count=settings["inputs"], key=jax.random.fold_in(key, 1))
    output = _OUTPUTS[settings["output"]]
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
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = ij.plots.profile(figure.subplots(), found, uncorrected=found.correction != "none", theory=settings["theory"])
    axes.set_title(
        f"{spec.name} on {settings['data'].split(':')[0]}: {len(found.by_input)} inputs, {found.n_players} players"
    )
    figure.savefig(path, dpi=150)


def _network(out: Path, data: Any, settings: dict) -> tuple[Any, networks.NetworkSpec]:
    """The network of the checkpoint, of an earlier start of this run, or one trained now."""
    if settings["checkpoint"] is not None:
        if settings["network"] or settings["epochs"]:
            raise ValueError("--network and --epochs choose what is trained; with --checkpoint nothing is")
        spec, model, _ = training.load_network(settings["checkpoint"])
        if tuple(spec.input_shape) != data.input_shape or spec.n_classes != data.n_classes:
            raise ValueError(
                f"{settings['checkpoint']} holds a network for inputs of shape {tuple(spec.input_shape)} and "
                f"{spec.n_classes} classes; {settings['data']} has {data.input_shape} and {data.n_classes}"
            )
        return model, spec
    spec, model = _train(out / "network", data, settings)
    return model, spec


def _train(folder: Path, data: Any, settings: dict) -> tuple[networks.NetworkSpec, Any]:
    """Train, or continue to train, the network kept in a folder; at once where it is finished."""
    plan = training.default_plan(data, network=settings["network"], epochs=settings["epochs"])
    key = jax.random.key(settings["seed"])
    with _Progress(settings["quiet"], f"training {plan.spec.name}", "steps") as advance:
        training.train(
            plan.spec.build(settings["seed"]),
            data,
            key=key,
            optimizer=plan.optimizer,
            epochs=plan.epochs,
            batch_size=plan.batch_size,
            augment=plan.augment,
            checkpoint_folder=folder,
            spec=plan.spec,
            progress=advance,
        )
    spec, model, _ = training.load_network(folder)
    return spec, model


def _load(settings: dict) -> datasets.Dataset:
    if settings["limit"] is None:
        return datasets.load(settings["data"])
    if not settings["data"].startswith(("mnist:", "cifar10:")):
        raise ValueError(f"--limit is for images read from files (mnist, cifar10), not for {settings['data']}")
    return datasets.load(settings["data"], limit=settings["limit"])


def _players(data: datasets.Dataset, grid: tuple[int, ...] | None) -> ij.Players:
    if data.player_labels is not None:
        if grid is not None:
            raise ValueError("--grid cuts images; the players of a table are its columns")
        return ij.Players.segments(data.player_labels)
    shape = data.input_shape
    return ij.Players.grid(shape, grid or tuple(_most_equal_cells(length) for length in shape[:2]))


def _most_equal_cells(length: int) -> int:
    """The largest number of equal cells along an axis, at most 16."""
    return max(cells for cells in range(1, min(length, 16) + 1) if length % cells == 0)


def _pair_population(players: ij.Players, radius: int | None) -> Any:
    if radius is None:
        return "all"
    if players.cells is None:
        raise ValueError("--radius is a distance on a grid of cells; the columns of a table have none")
    return ij.pairs_within(players.cells, radius)


def _baseline(text: str, data: datasets.Dataset, key: jax.Array) -> Any:
    if text == "mean":
        return data.train_x.mean(axis=0)
    kind, _, number = text.partition(":")
    if kind == "marginal" and number.isdigit() and 1 <= int(number) <= len(data.train_x):
        chosen = jax.random.choice(jax.random.fold_in(key, 3), len(data.train_x), (int(number),), replace=False)
        return ij.marginal(data.train_x[np.asarray(chosen)])
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"--baseline must be a number, mean or marginal:K (K of the {len(data.train_x)} examples), got {text!r}"
        ) from None


class _Progress:
    """A progress bar as a callback (done, total); nothing where quiet."""

    def __init__(self, quiet: bool, title: str, unit: str):
        self.bar = tqdm(desc=title, unit=f" {unit}", unit_scale=True, disable=quiet, delay=0.5)

    def __enter__(self) -> Any:
        return self

    def __call__(self, done: int, total: int) -> None:
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def __exit__(self, *exception: Any) -> None:
        self.bar.close()


def main() -> None:
    """Entry point: an error of the user's is a message, not a traceback."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        raise SystemExit(130) from None
    except click.ClickException as error:
        error.show()
        raise SystemExit(error.exit_code) from None
    except (ValueError, OSError, ProcessLost) as error:
        raise SystemExit(f"interjax: {error}") from None


if __name__ == "__main__":
    main()
