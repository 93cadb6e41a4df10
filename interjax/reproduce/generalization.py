"""Networks that over-fit: the concepts that they encode, which of them generalise, and in what order they are learned.

Each setting is a data set with a network. For each seed one network is trained on the labels as they are and one for
each share rho of shuffled labels, to a small training loss. At log-spaced checkpoints the same inputs are explained,
and at the end also perturbed copies of some. A seed draws everything anew: training and test examples, shuffled
labels, weights, order, explained inputs. So the spread over seeds is that of the whole experiment. Networks of one
seed share all but the labels; the explained inputs are among those whose labels no network saw shuffled.

Everything is kept in a folder: a run that was stopped goes on where it was, and ends with the same numbers.
"""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

import interjax as ij
from interjax import training
from interjax._engine._folders import RunFolder, fingerprint
from interjax.concepts import (
    ConceptDynamics,
    Inconsistency,
    SizeDistribution,
    and_or,
    checkpoint_concepts,
    choose_players,
)
from interjax.datasets import Dataset, with_label_noise
from interjax.games._models import trained_parameters
from interjax.reproduce._experiment import Progress, about, trained
from interjax.reproduce._final_network import Explain, FinalNetwork

KINDS: dict[str, Explain] = {"and": ij.moebius, "and-or": functools.partial(and_or, noise=0.04)}
"""How tables are explained: by AND effects, of which Zhou et al. define generalisation, or by sparse AND-OR effects."""

_TEST_EXAMPLES = 2000
_MOST_MISLABELLED = 50
_RESAMPLES = 200


@dataclasses.dataclass(frozen=True)
class Setting:
    """A data set, a network and how the networks are trained and explained.

    Players of a table are columns and their baseline is the mean of the training examples; players of an image are
    cells and their baseline is 0, the background. Both are chosen by the rule "contrast" from all training examples.

    Args:
        data: what `ij.datasets.load` takes, "{folder}" standing for the folder of data sets.
        network: name in `ij.networks.build`.
        examples: training examples of each network, few enough to over-fit.
        epochs: passes over them.
        inputs: training inputs of each class that are explained, and half as many test inputs.
        players: number of players; a table of 2**players values is computed for each input and checkpoint.
        noise: standard deviation of the Gaussian noise and largest change by the attack, in units of the inputs.
        cells: for images, grid of cells among which the players are chosen.
    """

    data: str
    network: str
    examples: int
    epochs: int
    inputs: int
    players: int
    noise: float
    cells: tuple[int, int] | None = None


_ADULT = "adult:{folder}/adult/adult.csv.gz"
SETTINGS = {
    "digits-mlp": Setting("digits", "mlp", 1000, 40, 20, 9, 0.05, (4, 4)),
    "adult-mlp": Setting(_ADULT, "tabular_mlp", 3000, 40, 50, 12, 0.02),
    "adult-residual": Setting(_ADULT, "residual_mlp", 3000, 40, 50, 12, 0.02),
    "mnist-lenet": Setting("mnist:{folder}/mnist", "lenet", 1000, 60, 20, 9, 0.05, (7, 7)),
}
"""The settings of `interjax reproduce generalization`."""


@dataclasses.dataclass(frozen=True)
class Network:
    """What one network showed.

    Attributes:
        dynamics: its concepts at every checkpoint; the last one is the final network.
        noise, attack: inconsistency of the final network's effects under Gaussian noise and under PGD.
        mislabelled: sizes of the concepts of training examples with a changed label, explained for that label; None if
            there are fewer than two.
    """

    dynamics: ConceptDynamics
    noise: Inconsistency
    attack: Inconsistency
    mislabelled: SizeDistribution | None


@dataclasses.dataclass(frozen=True)
class Found:
    """What one setting gave.

    Attributes:
        networks: by share of shuffled labels, in increasing order and from 0 on; one for each seed.
        player_names: column, or "r2c3" for row 2 and column 3 of the cells.
    """

    networks: dict[float, list[Network]]
    player_names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Drawn:
    """What a seed draws: examples, the labels of each share, and the rows that are explained."""

    seed: int
    players: ij.Players
    by_share: dict[float, Dataset]
    rows: tuple[np.ndarray, np.ndarray]
    mislabelled: dict[float, np.ndarray]

    @property
    def baseline(self) -> Any:
        data = self.by_share[0.0]
        return data.train_x.mean(axis=0) if data.player_labels is not None else 0.0

    def key(self, number: int) -> Array:
        return jax.random.fold_in(jax.random.key(self.seed), number)


def run(
    setting: Setting,
    data: Dataset,
    folder: Path,
    *,
    shares: Sequence[float] = (0.1,),
    seeds: int = 3,
    checkpoints: int = 10,
    kind: str = "and",
    progress: Progress | None = None,
) -> Found:
    """Train and explain the networks of one setting.

    Args:
        setting: what to train and to explain.
        data: the data set, loaded.
        folder: where networks and measurements are kept, one folder for each seed and share.
        shares: rho, shares of training labels that are shuffled, in [0, 1]; 0 is always among them.
        seeds: repetitions, at least 2 for an error over seeds.
        checkpoints: of each training run, log-spaced from 0 to the last step.
        kind: "and" or "and-or", see `KINDS`.
        progress: called with (what is being done, done, in all).

    Returns:
        The concepts of every network.

    Raises:
        ValueError: an unknown kind, a share outside [0, 1], too few examples of a class, a folder of another run.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    shares = sorted({0.0, *map(float, shares)})
    players, names = choose_players(data, cells=setting.cells, count=setting.players)
    networks: dict[float, list[Network]] = {share: [] for share in shares}
    for seed in range(seeds):
        drawn = _draw(setting, data, players, seed, shares)
        for share in shares:
            place = folder / f"seed{seed}" / f"rho{share:g}"
            networks[share].append(_network(setting, drawn, share, place, checkpoints, kind, progress))
    return Found(networks, names)


def _draw(setting: Setting, data: Dataset, players: ij.Players, seed: int, shares: list[float]) -> _Drawn:
    """Examples, shuffled labels and explained rows of a seed; ValueError if a class has too few."""
    random = np.random.default_rng(seed)
    train = random.permutation(len(data.train_y))[: setting.examples]
    test = random.permutation(len(data.test_y))[:_TEST_EXAMPLES]
    clean = dataclasses.replace(
        data,
        train_x=data.train_x[train],
        train_y=data.train_y[train],
        test_x=data.test_x[test],
        test_y=data.test_y[test],
    )
    noisy = {share: with_label_noise(jax.random.key(seed), clean, share) for share in shares}
    shuffled = np.any([drawn for _, drawn in noisy.values()], axis=0)
    kept = random.permutation(np.flatnonzero(~shuffled))
    rows = []
    for part, order, labels, count, fewest in (
        ("training", kept, clean.train_y, setting.inputs, 2),
        ("test", np.arange(len(test)), clean.test_y, (setting.inputs + 1) // 2, 1),
    ):
        chosen = [order[labels[order] == label][:count] for label in range(data.n_classes)]
        for name, found in zip(data.class_names, chosen, strict=True):
            if len(found) < fewest:
                raise ValueError(
                    f"class {name} has {len(found)} {part} inputs to explain, of {len(order)} with unshuffled labels, "
                    f"expected at least {fewest}: take more examples (--limit), or smaller shares (--share)"
                )
        rows.append(np.concatenate(chosen))
    changed = {
        share: np.flatnonzero(one.train_y != clean.train_y)[:_MOST_MISLABELLED] for share, (one, _) in noisy.items()
    }
    return _Drawn(seed, players, {share: one for share, (one, _) in noisy.items()}, (rows[0], rows[1]), changed)


def _network(
    setting: Setting,
    drawn: _Drawn,
    share: float,
    place: Path,
    checkpoints: int,
    kind: str,
    progress: Progress | None,
) -> Network:
    """Train, explain and perturb one network, or go on with what its folder holds."""
    data, which = drawn.by_share[share], f"rho={share:g}, seed {drawn.seed}"
    model = trained(
        training.default_plan(data, network=setting.network, epochs=setting.epochs),
        (data.train_x, data.train_y),
        place / "network",
        seed=drawn.seed,
        key=drawn.key(0),
        checkpoints=checkpoints,
        progress=about(progress, f"training {which}"),
    )
    dynamics = checkpoint_concepts(
        drawn.key(1),
        place / "network",
        data,
        players=drawn.players,
        baseline=drawn.baseline,
        explain=KINDS[kind],
        rows=drawn.rows,
        resamples=_RESAMPLES,
        folder=place / "concepts",
        progress=about(progress, f"explaining {which}"),
    )
    dynamics.save(place / "dynamics.npz")
    settings = {
        "network": fingerprint(trained_parameters(model)),
        "data": fingerprint((data.train_x, data.train_y)),
        "players": drawn.players.digest,
        "noise": setting.noise,
        "kind": kind,
    }
    final = FinalNetwork(
        model, data, drawn.players, drawn.baseline, drawn.rows[0], KINDS[kind], (drawn.key(2), drawn.key(3))
    )
    kept, doing = RunFolder(place / "final", settings).folder, about(progress, f"perturbing {which}")
    return Network(dynamics, *final.measured(kept, setting.noise, drawn.mislabelled[share], doing))
