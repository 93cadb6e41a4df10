"""Networks that were steered to low, middle and high orders: their profiles, accuracy, robustness, use of structure.

Each setting is a data set with a network. For each seed the four networks of the papers are trained (`PRESETS`), the
strength profile of each is measured on the same inputs, and each is evaluated. Everything is kept in a folder: a run
that was stopped goes on where it was, and ends with the same numbers.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

import interjax as ij
from interjax import evaluation, training
from interjax._engine._folders import RunFolder, fingerprint
from interjax.datasets import Dataset
from interjax.games._models import trained_parameters
from interjax.reproduce._experiment import Progress, about, trained

DIRECT_WEIGHT = 0.1
"""Weight of the mean J over a preset's orders beside the cross entropy, where they are steered directly."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """A data set, a network and how the networks are trained and measured.

    Args:
        data: what `ij.datasets.load` takes, "{folder}" standing for the folder of data sets.
        network: name in `ij.networks.build`.
        cells: grid of players of an image; a table's players are its columns.
        epochs: passes over the training data.
        direct: whether orders are steered by `ij.losses.order_weighted`, which weighs J^(m) over the preset's range of
            orders itself, instead of the papers' `ij.losses.order_modulation`.
    """

    data: str
    network: str
    epochs: int
    cells: tuple[int, int] | None = None
    direct: bool = False


SETTINGS = {
    "digits-mlp": Setting("digits", "mlp", 30, (8, 8)),
    "mnist-mlp": Setting("mnist:{folder}/mnist", "mlp", 3, (14, 14)),
    "mnist-lenet": Setting("mnist:{folder}/mnist", "lenet", 2, (14, 14)),
    "adult-mlp": Setting("adult:{folder}/adult/adult.csv.gz", "tabular_mlp", 10),
    "adult-mlp-direct": Setting("adult:{folder}/adult/adult.csv.gz", "tabular_mlp", 10, direct=True),
    "cifar10-alexnet": Setting("cifar10:{folder}/cifar10/cifar10-jpeg.tar.xz", "alexnet", 200, (16, 16)),
    "cifar10-resnet20": Setting("cifar10:{folder}/cifar10/cifar10-jpeg.tar.xz", "resnet20", 200, (16, 16)),
}
"""The settings of `interjax reproduce bottleneck`; those of CIFAR-10 want an accelerator."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What one setting gave: profiles and evaluations of every preset's network, seed by seed.

    Attributes:
        profiles: by preset, one for each seed, all of the same inputs.
        evaluations: one for each seed, its networks named by preset.
    """

    profiles: dict[str, list[ij.OrderProfile]]
    evaluations: list[evaluation.Evaluation]


def run(
    setting: Setting,
    data: Dataset,
    folder: Path,
    *,
    seeds: int = 3,
    inputs: int = 50,
    limit: int | None = 1000,
    progress: Progress | None = None,
) -> Found:
    """Train, measure and evaluate the networks of one setting.

    Args:
        setting: what to train.
        data: the data set, loaded.
        folder: where networks and measurements are kept, one folder for each seed and preset.
        seeds: networks trained for each preset, at least 2 for an error over seeds.
        inputs: training inputs, correctly classified by every network, whose games are measured.
        limit: test examples for attacks and corruptions; None for all.
        progress: called with (what is being done, done, in all).

    Returns:
        Profiles and evaluations.
    """
    players = data.players(setting.cells)
    networks = {}
    for seed in range(seeds):
        for preset in training.PRESETS:
            doing = about(progress, f"training {preset}, seed {seed}")
            networks[seed, preset] = _trained(setting, data, players, seed, preset, _place(folder, seed, preset), doing)
    chosen = training.correctly_classified(
        list(networks.values()), data.train_x, data.train_y, count=inputs, key=jax.random.key(0)
    )
    profiles: dict[str, list[ij.OrderProfile]] = {preset: [] for preset in training.PRESETS}
    for (seed, preset), network in networks.items():
        games = ij.masked_games(network, data.train_x[chosen], data.train_y[chosen], players=players)
        place, doing = _place(folder, seed, preset), about(progress, f"measuring {preset}, seed {seed}")
        found = ij.order_profile(jax.random.key(seed), games, folder=place / "measured", progress=doing)
        found.save(place / "profile.npz")
        profiles[preset].append(found)
    evaluations = []
    for seed in range(seeds):
        four = {preset: networks[seed, preset] for preset in training.PRESETS}
        doing = about(progress, f"evaluating all four, seed {seed}")
        evaluations.append(_evaluated(folder / f"seed{seed}" / "evaluated", four, data, limit, doing))
    return Found(profiles, evaluations)


def loss_of(setting: Setting, preset: str, players: ij.Players) -> training.SteeredCrossEntropy | None:
    """The loss that trains a preset's network; None for plain cross entropy."""
    options = training.PRESETS[preset]
    if not options:
        return None
    if not setting.direct:
        return training.ModulatedCrossEntropy(players, **options)
    orders = np.arange(players.n - 1)
    chosen = steered_orders(orders, players.n, preset)
    sign = 1.0 if options["mode"] == "penalize" else -1.0
    weights = np.where(chosen, sign / chosen.sum(), 0.0)
    return training.OrderWeightedCrossEntropy(players, orders.tolist(), weights.tolist(), weight=DIRECT_WEIGHT)


def steered_orders(orders: np.ndarray, n_players: int, preset: str) -> np.ndarray:
    """Which of these orders m a preset steers, low * n <= m <= high * n: bool (orders,)."""
    options, share = training.PRESETS[preset], np.asarray(orders) / n_players
    return (share > options["low"] - 1e-9) & (share < options["high"] + 1e-9)


def _place(folder: Path, seed: int, preset: str) -> Path:
    return folder / f"seed{seed}" / preset


def _trained(
    setting: Setting, data: Dataset, players: ij.Players, seed: int, preset: str, folder: Path, progress: Any
) -> Any:
    """The network of a seed and preset, trained or continued in its folder."""
    plan = training.default_plan(data, network=setting.network, epochs=setting.epochs)
    loss = loss_of(setting, preset, players)
    key = jax.random.key(seed)
    return trained(plan, data, folder / "network", seed=seed, key=key, loss=loss, progress=progress)


def _evaluated(
    folder: Path, networks: dict[str, Any], data: Dataset, limit: int | None, progress: Any
) -> evaluation.Evaluation:
    """The evaluation kept in a folder, or one made now; ValueError if the folder's is of other networks."""
    limit = len(data.test_x) if limit is None else min(limit, len(data.test_x))
    same = fingerprint([trained_parameters(network) for network in networks.values()])
    path = RunFolder(folder, {"networks": same, "limit": limit}).folder / "evaluation.npz"
    if path.exists():
        return evaluation.Evaluation.load(path)
    found = evaluation.evaluate(networks, data, key=jax.random.key(0), limit=limit, progress=progress)
    found.save(path)
    return found
