"""Quantised networks: how complex the representations of their layers are, from layer to layer and over training.

Each seed trains one network whose hidden layers are quantised in training and measurement. At log-spaced checkpoints
the complexity C of its layers of five neurons about the labels is computed exactly on all training inputs, that of a
wider layer as the mean over random subsets of five neurons, and as that of five groups of neighbours, which bounds it.

Everything is kept in a folder: a run that was stopped goes on where it was, and ends with the same numbers.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from jaxtyping import Array

from interjax import training
from interjax._engine._folders import fingerprint
from interjax.datasets import Dataset
from interjax.networks import NetworkSpec
from interjax.pid import GroupedComplexity, grouped_complexity
from interjax.representations import ComplexityDynamics, checkpoint_complexity, layer_symbols
from interjax.reproduce._experiment import Progress, about, trained
from interjax.training._checkpoints import Model

_RESAMPLES = 4  # at each checkpoint; the error of the experiment is that over seeds
_GROUPS = 5


@dataclasses.dataclass(frozen=True)
class Setting:
    """A data set and a quantised network, how the network is trained, and which layers are measured.

    Args:
        data: what `ij.datasets.load` takes, "{folder}" standing for the folder of data sets.
        network: name in `ij.networks.build`.
        options: options of the network.
        epochs: passes over the training data.
        layers: layers of five neurons, from the input on.
        wide_layer: a layer before them with more neurons, None for none.
        batch_size: examples of a step; learning_rate: of plain gradient descent.
    """

    data: str
    network: str
    options: Mapping[str, Any]
    epochs: int
    layers: tuple[str, ...]
    wide_layer: str | None = None
    batch_size: int = 64
    learning_rate: float = 0.01


_LAST_THREE = ("quantisers.2", "quantisers.3", "quantisers.4")
SETTINGS = {
    "digits": Setting(
        "digits",
        "quantised_mlp",
        {"levels": 4, "hidden": (32, 10, 5, 5, 5)},
        200,
        _LAST_THREE,
        "quantisers.1",
        16,
        0.05,
    ),
    "mnist": Setting("mnist:{folder}/mnist", "quantised_mlp", {}, 500, _LAST_THREE, "quantisers.1"),
    "cifar10": Setting(
        "cifar10:{folder}/cifar10",
        "quantised_lenet",
        {"channels": (32, 32, 64), "side": 3, "hidden": (2048, 128, 32, 5, 5)},
        1000,
        ("head.quantisers.3", "head.quantisers.4"),
        learning_rate=0.005,
    ),
}
"""The settings of `interjax reproduce complexity`; "mnist" and "cifar10" with the networks of the paper."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What one setting gave.

    Attributes:
        setting: what was trained and measured.
        runs: the complexity of every layer over training, one for each seed; the wide layer by random subsets.
        grouped: that of groups of the wide layer's neighbours, and its verdict, (seeds, checkpoints); None without one.
        grouped_reliable: bool (seeds, checkpoints).
        largest_group: neurons of the largest of the groups.
        accuracy: share of test inputs that each network classifies correctly, (seeds,).
        steps_per_epoch: optimizer steps of an epoch.
    """

    setting: Setting
    runs: list[ComplexityDynamics]
    grouped: np.ndarray | None
    grouped_reliable: np.ndarray | None
    largest_group: int | None
    accuracy: np.ndarray
    steps_per_epoch: int


def run(
    setting: Setting,
    data: Dataset,
    folder: Path,
    *,
    seeds: int = 3,
    checkpoints: int = 24,
    subsets: int = 26,
    progress: Progress | None = None,
) -> Found:
    """Train and measure the networks of one setting.

    Args:
        setting: what to train and to measure.
        data: the data set, loaded.
        folder: where networks and measurements are kept, one folder for each seed.
        seeds: repetitions, at least 2 for an error over seeds.
        checkpoints: of each training run, log-spaced from 0 to the last step.
        subsets: random subsets of five neurons of the wide layer.
        progress: called with (what is being done, done, in all).

    Raises:
        ValueError: a folder of another run, and as `ij.training.train` and `ij.representations.checkpoint_complexity`.
    """
    runs, grouped, accuracies = [], [], []
    for seed in range(seeds):
        place, key = folder / f"seed{seed}", jax.random.fold_in(jax.random.key(seed), 1)
        doing = about(progress, f"training seed {seed}")
        model = train_network(setting, data, seed, place / "network", checkpoints, doing)
        accuracies.append(training.accuracy(model, data.test_x, data.test_y))
        layers = setting.layers if setting.wide_layer is None else (setting.wide_layer, *setting.layers)
        dynamics = checkpoint_complexity(
            key,
            place / "network",
            data.train_x,
            data.train_y,
            layers=layers,
            count=subsets,
            resamples=_RESAMPLES,
            folder=place / "complexity",
            progress=about(progress, f"measuring seed {seed}"),
        )
        dynamics.save(place / "dynamics.npz")
        runs.append(dynamics)
        if setting.wide_layer is not None:
            grouped.append(_grouped(key, setting.wide_layer, place, data, about(progress, f"grouping seed {seed}")))
    values, reliable, largest = (np.array(each) for each in zip(*grouped, strict=True)) if grouped else [None] * 3
    steps_per_epoch = len(data.train_x) // setting.batch_size
    most = None if largest is None else int(largest.max())
    return Found(setting, runs, values, reliable, most, np.array(accuracies), steps_per_epoch)


def train_network(
    setting: Setting, data: Dataset, seed: int, folder: Path, checkpoints: int = 24, progress: Any = None
) -> Model:
    """Train the network of a seed in a folder, or go on with what the folder holds."""
    spec = NetworkSpec(setting.network, data.input_shape, data.n_classes, setting.options)
    plan = training.Plan(spec, _descent(setting.learning_rate), setting.epochs, setting.batch_size)
    key = jax.random.fold_in(jax.random.key(seed), 0)
    examples = data.train_x, data.train_y
    return trained(plan, examples, folder, seed=seed, key=key, checkpoints=checkpoints, progress=progress)


@functools.cache
def _descent(rate: float) -> optax.GradientTransformation:
    """Kept: a training step is compiled for an optimizer, and all seeds share theirs."""
    return optax.sgd(rate)


def _grouped(
    key: Array, layer: str, place: Path, data: Dataset, progress: Callable[[int, int], Any] | None
) -> tuple[np.ndarray, np.ndarray, int]:
    """C of groups of neighbours at every checkpoint, whether it can be trusted, and the largest group."""

    def measure(model: Model) -> dict[str, Any]:
        symbols = layer_symbols(model, data.train_x, layers=layer)[layer]
        groups = [part.tolist() for part in np.array_split(np.arange(symbols.shape[1]), _GROUPS)]
        each: GroupedComplexity = grouped_complexity(symbols, data.train_y, groups, key=key, resamples=0)
        return {"value": each.value, "reliable": each.reliable, "largest": each.largest_group}

    pieces = training.over_checkpoints(
        place / "network",
        measure,
        folder=place / "groups",
        settings={"layer": layer, "groups": _GROUPS, "data": fingerprint(data.train_x)},
        progress=progress,
    )
    found = [piece for _, piece in pieces]
    values, reliable = (np.array([each[name] for each in found]) for name in ("value", "reliable"))
    return values, reliable, int(found[0]["largest"])
