"""Data, players, baselines and networks that the options of a command name."""

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import interjax as ij
from interjax import datasets, networks, training
from interjax._engine._folders import fingerprint
from interjax.cli._progress import Progress

OUTPUTS = {"log-odds": ij.log_odds, "log-prob": ij.log_prob, "logit": ij.logit, "prob": ij.prob}


def network_of(out: Path, data: datasets.Dataset, settings: dict, **options: Any) -> tuple[Any, networks.NetworkSpec]:
    """The network of the checkpoint, of an earlier start of this run, or one trained now, with options of training."""
    if settings["checkpoint"] is not None:
        if settings["network"] or settings["epochs"]:
            raise ValueError("--network and --epochs choose what is trained; with --checkpoint nothing is")
        spec, model, kept = training.load_network(settings["checkpoint"])
        check_fits(spec, kept, data, settings["checkpoint"], settings["data"])
        return model, spec
    spec, model, _ = train_or_continue(out / "network", data, plan_of(data, settings), settings, **options)
    return model, spec


def check_fits(
    spec: networks.NetworkSpec, kept: dict[str, Any], data: datasets.Dataset, place: Path, name: str
) -> None:
    """Raise ValueError unless a saved network takes these inputs and classes, in their order; warn of other rows.

    Args:
        spec, kept: of the network, with what was kept beside it.
        data: to be given to it.
        place, name: of the network and of the data, for messages.
    """
    if tuple(spec.input_shape) != data.input_shape or spec.n_classes != data.n_outputs:
        raise ValueError(
            f"{place} holds a network for inputs of shape {tuple(spec.input_shape)} and {spec.n_classes} outputs; "
            f"{name} has {data.input_shape} and {data.n_outputs}"
        )
    trained, given = kept.get("data"), _described(data)
    if not isinstance(trained, dict):  # written from Python, or by an earlier version
        return
    for what in ("class_names", "feature_names"):
        if trained.get(what) != given[what]:
            there, here = _short(trained.get(what)), _short(given[what])
            raise ValueError(
                f"{place} was trained on data with {what} {there}; {name} has {here}: give the columns and classes "
                "that it was trained with, in their order"
            )
    if trained.get("rows") != given["rows"]:
        warnings.warn(
            f"{place} was trained on other rows than {name} has for training, or rows scaled otherwise (another file, "
            "split or limit): its inputs here are in other units, and some it may have been trained on",
            stacklevel=2,
        )


def _described(data: datasets.Dataset) -> dict[str, Any]:
    """What a network must know of the data that it was trained on, to be given no other: kept beside it."""
    names = {"class_names": list(data.class_names), "feature_names": data.feature_names and list(data.feature_names)}
    # Of images --limit takes fewer, which is no other split.
    rows = data.normalization if data.is_image else (data.train_x, data.train_y)
    return names | {"rows": fingerprint(rows)}


def _short(names: Sequence[str] | None) -> str:
    return "none" if names is None else f"{', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def plan_of(data: datasets.Dataset, settings: dict) -> training.Plan:
    """How the network is trained: as suits the data, or by the papers' schedule."""
    plan = training.default_plan(data, network=settings["network"], epochs=settings["epochs"])
    if settings.get("schedule", "default") == "default":
        return plan
    return dataclasses.replace(plan, optimizer=training.paper_optimizer(plan.n_steps(len(data.train_x))))


def network_folder(path: Path | None) -> Path | None:
    """Where the network is: the folder itself, or the network/ of what `interjax train` wrote."""
    return path / "network" if path is not None and (path / "network").is_dir() else path


def train_or_continue(
    folder: Path, data: datasets.Dataset, plan: training.Plan, settings: dict, **options: Any
) -> tuple[networks.NetworkSpec, Any, training.TrainingLog]:
    """Train, or continue to train, the network kept in a folder; at once where it is finished."""
    with Progress(settings["quiet"], f"training {plan.spec.name}", "steps") as advance:
        log = training.train(
            plan.spec.build(settings["seed"]),
            data,
            key=jax.random.key(settings["seed"]),
            optimizer=plan.optimizer,
            epochs=plan.epochs,
            batch_size=plan.batch_size,
            augment=plan.augment,
            checkpoint_folder=folder,
            spec=plan.spec,
            extra={"data": _described(data)},
            progress=advance,
            **options,
        )
    spec, model, _ = training.load_network(folder)
    return spec, model, log


def _as_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _as_separator(text: str) -> str:
    return {"tab": "\t", "\\t": "\t"}.get(text, text)


def load(settings: dict) -> datasets.Dataset:
    """The data set that --data names, read as --limit and --read say."""
    name, options = settings["data"], _reading(settings["data"].partition(":")[0], settings["read"])
    if settings["limit"] is not None:
        if not name.startswith(("mnist:", "cifar10:")):
            raise ValueError(f"--limit is for images read from files (mnist, cifar10), not for {name}")
        options["limit"] = settings["limit"]
    return datasets.load(name, **options)


_READERS = {
    "header": _as_bool,
    "separator": _as_separator,
    "decimal": str,
    "test_fraction": float,
    "seed": int,
    "task": str,
}
_COLUMNS = ("drop", "categorical", "numeric")
_READ = {"csv": (*_READERS, *_COLUMNS), "adult": ("test_fraction", "seed")}


def _reading(kind: str, given: Sequence[str]) -> dict[str, Any]:
    """The keyword arguments of a loader that the values of --read are."""
    taken, found = _READ.get(kind, ()), {}
    for text in given:
        name, mark, value = text.partition("=")
        if name not in taken or not mark:
            names = ", ".join(f"{each}=" for each in taken)
            raise ValueError(f"--read: expected {names or f'nothing, for {kind} has no such options'}; got {text!r}")
        if name in _COLUMNS:
            found.setdefault(name, []).append(value)
            continue
        if name in found:
            raise ValueError(f"--read: {name} is given twice, {text!r} the second time: give it once")
        try:
            found[name] = _READERS[name](value)
        except ValueError:
            wanted = "true or false" if name == "header" else "a number"
            raise ValueError(f"--read: {name} must be {wanted}, got {value!r}") from None
    return found


def players_of(data: datasets.Dataset, grid: tuple[int, ...] | None) -> ij.Players:
    if grid is not None and data.player_labels is not None:
        raise ValueError("--grid cuts images; the players of a table are its columns")
    return data.players(grid)


def pair_population(players: ij.Players, radius: int | None) -> Any:
    if radius is None:
        return "all"
    if players.cells is None:
        raise ValueError("--radius is a distance on a grid of cells; the columns of a table have none")
    return ij.pairs_within(players.cells, radius)


def baseline_of(text: str, data: datasets.Dataset, key: jax.Array | None) -> Any:
    """The baseline that an option names: a number, `mean`, or, with a key to draw examples, `marginal:K`."""
    if text == "mean":
        return data.train_x.mean(axis=0)
    kind, _, number = text.partition(":")
    if key is not None and kind == "marginal" and number.isdigit() and 1 <= int(number) <= len(data.train_x):
        chosen = jax.random.choice(jax.random.fold_in(key, 3), len(data.train_x), (int(number),), replace=False)
        return ij.marginal(data.train_x[np.asarray(chosen)])
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"--baseline must be a number, mean or marginal:K (K of the {len(data.train_x)} examples), got {text!r}"
        ) from None
