"""Every public function of a random key, by a small call. A new function gets all laws by its line in `ENTRIES`."""

import dataclasses
import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import optax
from flax import nnx
from laws.given import Given

import interjax as ij
from interjax.orders._estimators import PLANNED

OPTIMIZER = optax.sgd(0.1)
TEN, FOUR = ij.Players.features(10), ij.Players.features(4)


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """A public function of a key.

    name: where a user finds it, below `interjax`.
    arguments: what it is called with beside the key.
    wrong: arguments of a wrong type or out of range, which it must refuse by their names.
    case: what tells several entries of one function apart.
    of: the function, where the name is that of a method.
    answer: (function, arguments) -> what is compared; by default what the function returns.
    batch: the keyword that says how many rows are computed at once, where the function has it.
    meets_values: whether it meets numbers that may be NaN: inputs, or values of a network or a game.
    also: keywords that it hands to another function.
    rows: the arguments with a row for each input, and the axis of inputs in the answer, of functions with `index`.
    broken: laws that it does not obey, and why.
    varying: why the shapes of what it computes depend on the key, so that another key may compile more.
    """

    name: str
    arguments: Callable[[Given], dict[str, Any]]
    wrong: Mapping[str, Any]
    case: str = ""
    of: Callable[[Given], Callable] | None = None
    answer: Callable[[Callable, dict[str, Any]], Any] = lambda function, arguments: function(**arguments)
    batch: str | None = "batch_size"
    meets_values: bool = True
    also: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], int] = ((), 0)
    broken: Mapping[str, str] = dataclasses.field(default_factory=dict)
    varying: str = ""

    def __str__(self) -> str:
        return f"{self.name}, {self.case}" if self.case else self.name

    def function(self, given: Given) -> Callable:
        return self.of(given) if self.of else operator.attrgetter(self.name)(ij)

    def __call__(self, key: Any, given: Given | None = None, **changed: Any) -> Any:
        given = given or Given()
        return self.answer(self.function(given), self.arguments(given) | {"key": key} | changed)


def of_interactions(method: str) -> Entry:
    """Ten players, so that at the middle orders no method takes all contexts."""
    return Entry(
        "orders.order_interactions",
        lambda given: {
            "game": given.games()[0],
            "orders": [2, 5],
            "contexts": 4,
            "method": method,
            "exact": False,
        },
        {
            "exact": 2.5,
            "orders": ["all"],
            "pairs": "some",
            "contexts": 2.5,
            "method": "guess",
            "batch_size": 2.5,
            "mesh": 8,
        },
        case=method,
    )


def of_profile(method: str) -> Entry:
    return Entry(
        "profiles.order_profile",
        lambda given: {
            "games": given.games(),
            "orders": [2, 5],
            "contexts": 4,
            "n_pairs": 20,
            "method": method,
            "exact": False,
        },
        {
            "exact": 2.5,
            "games": "all",
            "contexts": 2.5,
            "n_pairs": 2.5,
            "correction": "guess",
            "kind": "guess",
            "batch_size": 2.5,
        },
        case=method,
    )


def of_budget() -> Entry:
    """Whose second round depends on the noise of the first."""
    return Entry(
        "profiles.order_profile",
        lambda given: {"games": given.games(), "orders": [2, 5], "n_forwards": 4000, "exact": False},
        {"n_forwards": "all", "contexts": [1, 2, 3]},
        case="from a budget",
    )


def of_table(name: str, games: str) -> Entry:
    """Whose coalitions are all evaluated."""
    return Entry(
        name,
        lambda given: {games: given.games() if games == "games" else given.games()[0], "exact": True},
        {"exact": "all", "batch_size": 2.5},
        case="exactly",
        broken={"other key": "nothing is drawn"},
    )


def loss_of(given: Given) -> dict[str, Any]:
    return {"apply": given.network(), "x": given.x(6), "labels": given.labels(6), "players": TEN}


def trained_loss_of(given: Given) -> dict[str, Any]:
    return {"model": given.network(), "x": given.x(6), "y": given.labels(6)}


def trained(train: Callable, arguments: dict[str, Any]) -> Any:
    """The log of a training run and the network that it leaves."""
    return train(**arguments), nnx.to_pure_dict(nnx.state(arguments["model"]))


def attack_of(given: Given) -> dict[str, Any]:
    return {"apply": given.network(), "params": None, "x": given.x(6), "y": given.labels(6)}


def information_of(given: Given) -> dict[str, Any]:
    return {"sources": given.sources(), "target": given.target(), "resamples": 2}


def effects_of(given: Given) -> dict[str, Any]:
    train, test = given.broken_where(given.normal(2, 24, 8))
    return {"train": train, "train_labels": [0, 1] * 12, "test": test, "test_labels": [0, 1] * 12}


def layers_of(given: Given) -> dict[str, Any]:
    return {"x": given.normal(64, 4), "labels": np.arange(64) % 2, "resamples": 2}


ENTRIES = (
    *map(of_interactions, ij.orders.METHODS),
    *map(of_profile, PLANNED),
    of_budget(),
    of_table("orders.order_interactions", "game"),
    of_table("profiles.order_profile", "games"),
    Entry(
        "losses.nested_coalitions",
        lambda given: {"batch": 3, "n_players": 10, "sizes": (2, 5)},
        {"batch": 2.5, "n_players": 2.5, "sizes": (2, 11), "draws": 2.5},
        meets_values=False,
    ),
    Entry(
        "losses.order_modulation",
        lambda given: loss_of(given) | {"low": 0.2, "high": 0.6},
        {"low": 2.0, "mode": "guess", "align": "guess", "average": "guess", "draws": 2.5, "labels": np.ones(6)},
    ),
    Entry(
        "losses.order_weighted",
        lambda given: loss_of(given) | {"orders": [1, 5], "weights": [1.0, -1.0]},
        {"orders": ["all"], "weights": [1.0], "contexts": 2.5, "draws": 2.5, "strength": "guess", "pairs": "some"},
    ),
    Entry(
        "training.ModulatedCrossEntropy.__call__",
        trained_loss_of,
        {},
        of=lambda given: ij.training.ModulatedCrossEntropy(TEN, mode="encourage", low=0.2, high=0.6),
    ),
    Entry(
        "training.OrderWeightedCrossEntropy.__call__",
        trained_loss_of,
        {},
        of=lambda given: ij.training.OrderWeightedCrossEntropy(TEN, orders=(1, 5), weights=(1.0, -1.0)),
    ),
    Entry(
        "training.train",
        lambda given: (
            {"model": given.network(4), "data": given.data(), "optimizer": OPTIMIZER, "steps": 5} | {"batch_size": 4}
        ),
        {"model": "none", "steps": 2.5, "batch_size": 2.5},
        answer=trained,
        batch=None,  # batch_size is the number of examples of a step
    ),
    Entry(
        "training.correctly_classified",
        lambda given: {"model": given.network(), "x": given.x(40), "y": given.labels(40), "count": 6},
        {"count": 2.5, "batch_size": 2.5},
    ),
    Entry("training.flip_and_crop", lambda given: {"x": given.image()}, {"padding": 2.5}),
    Entry(
        "datasets.with_label_noise",
        lambda given: {"data": given.data(), "share": 0.8},
        {"share": 2.0},
        answer=lambda function, arguments: function(**arguments)[0].train_y,
        meets_values=False,
    ),
    Entry(
        "evaluation.evaluate",
        lambda given: {"networks": given.network(4), "data": given.data(), "pgd_steps": 2, "limit": 5},
        {"pgd_steps": 2.5, "limit": 2.5, "batch_size": 2.5, "occlusions": [2.0], "strengths": [-1.0]},
    ),
    Entry(
        "evaluation.pgd",
        lambda given: attack_of(given) | {"strength": 0.2, "steps": 2},
        {"steps": 2.5, "restarts": 2.5},
        rows=(("x", "y"), 0),
    ),
    Entry(
        "evaluation.occlude",
        lambda given: {"x": given.broken_where(given.normal(6, 10)), "players": TEN, "share": 0.3},
        {"share": 2.0, "players": FOUR},
        rows=(("x",), 0),
    ),
    Entry(
        "evaluation.shuffle_patches",
        lambda given: {"x": given.image(), "grid": 4},
        {"grid": 2.5},
        rows=(("x",), 0),
    ),
    Entry(
        "dynamics.gradient_statistics",
        lambda given: (
            {"model": given.network(), "x": given.x(2), "labels": given.labels(2), "players": TEN}
            | {"orders": [2, 5], "pairs": 3, "contexts": 4}
        ),
        {"orders": ["all"], "pairs": "some", "contexts": 2.5, "batch": 2.5},
        batch="batch",
    ),
    Entry(
        "dynamics.checkpoint_profiles",
        lambda given: (
            {"checkpoints": given.networks(10), "x": given.x(3), "labels": given.labels(3), "players": TEN}
            | {"orders": [2, 5], "contexts": 4, "n_pairs": 20, "method": "quadruples"}
        ),
        {"steps": [7], "contexts": 2.5},
        also=("batch_size", "mesh"),
    ),
    Entry(
        "concepts.noisy_inputs",
        lambda given: {"x": given.broken_where(given.normal(6, 10)), "scale": 0.1, "draws": 2},
        {"scale": -1.0, "draws": 2.5, "index": [0.5] * 6},
        rows=(("x",), 1),
    ),
    Entry(
        "concepts.analyse",
        lambda given: (
            {"model": given.network(4), "data": given.data(), "players": FOUR, "inputs_per_class": 4, "kind": "and"}
        ),
        {"kind": "guess", "tau": 2.0, "noise": -1.0, "inputs_per_class": 2.5, "classes": ["none"]},
    ),
    Entry(
        "concepts.attacked_inputs",
        lambda given: (
            {"model": given.network(), "x": given.x(6), "labels": given.labels(6)}
            | {"strength": 0.2, "draws": 2, "steps": 2}
        ),
        {"strength": -1.0, "draws": 2.5, "steps": 2.5, "batch_size": 2.5, "index": [0.5] * 6},
        rows=(("x", "labels"), 1),
    ),
    Entry(
        "concepts.checkpoint_concepts",
        lambda given: (
            {"checkpoints": given.networks(4), "data": given.data(), "players": FOUR}
            | {"inputs_per_class": 4, "resamples": 4}
        ),
        {"steps": [7], "tau": 2.0, "resamples": 2.5, "inputs_per_class": 2.5, "graded": 2.5},
    ),
    Entry(
        "concepts.generalization",
        effects_of,
        {"splits": 2.5, "resamples": 2.5, "level": 2.0, "test_labels": [0.5] * 24},
    ),
    Entry(
        "concepts.sparse_concepts",
        lambda given: {"game": given.games()[0], "budget": 200, "max_size": 2},
        {"game": "all", "max_size": 2.5, "budget": 2.5, "basis": "guess", "present": 2.0, "least_faithfulness": 2.0}
        | {"max_terms": 2.5, "batch_size": 2.5},
        varying="of the coalitions that it draws it keeps the distinct ones",
    ),
    Entry(
        "concepts.stability",
        lambda given: {"table": given.broken_where(given.normal(1, 16)), "jitters": 2},
        {"jitters": 2.5, "jitter": 2.0, "tau": 2.0, "noise": -1.0},
    ),
    Entry("pid.decompose", information_of, {"resamples": 3, "weights": [1.0], "mesh": 8}),
    Entry("pid.representational_complexity", information_of, {"resamples": 3, "weights": [1.0], "mesh": 8}),
    Entry(
        "pid.grouped_complexity",
        lambda given: information_of(given) | {"groups": [(0, 1), (2,)]},
        {"groups": [0, 1], "resamples": 3, "weights": [1.0], "mesh": 8},
    ),
    Entry("pid.shannon_invariants", information_of, {"resamples": 3, "weights": [1.0]}),
    Entry(
        "pid.subset_complexity",
        lambda given: information_of(given) | {"sources": given.sources(5), "size": 2, "count": 3},
        {"size": 2.5, "count": 2.5, "resamples": 3, "weights": [1.0], "mesh": 8},
    ),
    Entry(
        "representations.layer_complexity",
        lambda given: layers_of(given) | {"model": given.quantised()},
        {"layers": "none", "resamples": 3, "batch_size": 2.5},
    ),
    Entry(
        "representations.checkpoint_complexity",
        lambda given: layers_of(given) | {"checkpoints": {1: given.quantised(), 10: given.quantised(1)}},
        {"layers": "none", "steps": [7], "resamples": 3},
    ),
)

EXEMPT = {
    "orders.Estimator.estimate": "a protocol: its instances are in the table by their names in `METHODS`",
    "training.cross_entropy": "draws nothing: it takes the key that `train` gives to every loss",
    "training.squared_error": "draws nothing, as cross_entropy",
    "training.SteeredCrossEntropy.__call__": "abstract",
    "training.SteeredCrossEntropy.steering": "abstract",
    "training.ModulatedCrossEntropy.steering": "a part of the call, which is in the table",
    "training.OrderWeightedCrossEntropy.steering": "a part of the call, which is in the table",
    "training.ModulatedSquaredError.__call__": "draws what ModulatedCrossEntropy does, which is in the table",
    "training.ModulatedSquaredError.steering": "a part of the call",
    "training.OrderWeightedSquaredError.__call__": "draws what OrderWeightedCrossEntropy does, which is in the table",
    "training.OrderWeightedSquaredError.steering": "a part of the call",
}
"""Public functions of a key that are in no entry, and why."""
