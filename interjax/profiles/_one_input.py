"""What a profile measures for one input: which pairs, in how many contexts, and the sums that come of it."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import jax
import numpy as np

from interjax._engine._folders import Partial
from interjax._engine._rows import Resources
from interjax.games._game import Game
from interjax.orders._designs import Plan
from interjax.orders._estimators import PLANNED, Planned
from interjax.orders._observations import Done, ObservationSums, observe
from interjax.profiles._clusters import Cluster, PairPopulation

_CLUSTER_PLAYERS = 12
_FEWEST_CLUSTERS = 16
_GROUPS = 25  # of contexts, where replicates leave out one
_SPLITS = 4  # of contexts, where replicates leave out a cluster of pairs
_SUMS = ("total", "squares", "count")  # by pair
_COUNTS = ("n_forwards", "n_nonfinite")


@dataclasses.dataclass(frozen=True)
class Design:
    """How each input is measured: its orders, contexts, and how many pairs of the population in what clusters."""

    population: PairPopulation
    orders: np.ndarray
    contexts: int
    n_pairs: int
    method: str
    cluster_players: int

    @property
    def estimator(self) -> Planned:
        return PLANNED[self.method]

    @property
    def takes_all(self) -> bool:
        return self.n_pairs >= len(self.population.pairs)

    @property
    def exact(self) -> np.ndarray:
        """(orders,) True where all contexts are evaluated, so that a measured interaction is exact."""
        n_players = self.population.n_players
        return np.array([self.estimator.is_exact(n_players, 2, int(order), self.contexts) for order in self.orders])

    @property
    def groups(self) -> int:
        """Groups of contexts: those of the jackknife, or of the sign split where pairs are sampled."""
        return max(1, min(self.contexts, _GROUPS if self.takes_all else _SPLITS))

    def with_contexts(self, contexts: int) -> "Design":
        """The same with other contexts for each pair and order."""
        return self if contexts == self.contexts else dataclasses.replace(self, contexts=contexts)

    def of_input(self, game: Game) -> "Design":
        """The design for one input: some estimators measure only pairs of players that may change something."""
        if not self.estimator.skips_null or game.is_null is None or not np.any(game.is_null):
            return self
        live = ~np.asarray(game.is_null)[self.population.pairs].any(axis=1)
        population = PairPopulation.of(self.population.pairs[live], self.population.n_players)
        return dataclasses.replace(self, population=population)

    def draw(self, key: jax.Array) -> list[Cluster]:
        if self.takes_all:
            return [self.population.whole()]
        if self.estimator.shares_contexts:
            return self.population.clusters(key, self.n_pairs, self.cluster_players)
        return self.population.separate(key, self.n_pairs)

    def expected_passes(self) -> float:
        if not len(self.population.pairs):
            return 0.0
        clusters = self.draw(jax.random.key(0))
        pairs = clusters[0].pairs
        n_players, passes = self.population.n_players, self.estimator.expected_passes
        each = [passes(n_players, pairs, int(order), self.contexts) for order in self.orders]
        return sum(each) * len(clusters)


@dataclasses.dataclass(frozen=True)
class Measured:
    """Sums of one input in one round: arrays (orders, groups, pairs), and each pair's cluster and weight.

    `rounding` (orders,) is how far the values of an order may be off.
    `took_all` tells whether these are all pairs that may interact, and `share` what part of the population they are:
    the interactions of the others are known to be 0; `contexts` is how many were asked for.
    """

    total: np.ndarray
    squares: np.ndarray
    count: np.ndarray
    rounding: np.ndarray
    cluster: np.ndarray
    weight: np.ndarray
    took_all: bool
    share: float
    contexts: int
    n_forwards: int
    n_nonfinite: int

    def to_arrays(self) -> dict[str, np.ndarray]:
        return {field.name: np.asarray(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Measured":
        fields: dict[str, Any] = {name: array if array.ndim else array.item() for name, array in arrays.items()}
        return cls(**fields)


def measure_input(
    key: jax.Array,
    game: Game,
    design: Design,
    resources: Resources,
    *,
    partial: Partial | None = None,
    progress: Callable[[int], None] | None = None,
) -> Measured:
    """Measure one input's clusters at every order, from where its `partial` state left off.

    `progress` is called with the forward passes made, those of earlier starts included.
    """
    draw_key, context_key = jax.random.split(key)
    everyone, design = design, design.of_input(game)
    clusters = design.draw(draw_key)
    if not design.estimator.shares_contexts and not design.takes_all:  # single pairs: measured in one list
        sets = [np.concatenate([cluster.pairs for cluster in clusters])]
    else:
        sets = [cluster.pairs for cluster in clusters]
    sums = [ObservationSums.zeros(len(design.orders), design.groups, len(pairs)) for pairs in sets]
    started = _Started(sums, Done(), design.expected_passes() * game.passes if partial else 0.0)
    kept = partial.read() if partial else None
    if kept is not None:
        started.restore(kept)
    work = _work(context_key, game, design, sets)
    for passes in observe(game, sums, work, resources, done=started.done):
        started.made += passes
        if partial:
            partial.write(started.to_arrays)
        if progress:
            try:
                progress(started.made)
            except BaseException:  # the caller stops here, where the sums are whole
                if partial:
                    partial.write(started.to_arrays, at_once=True)
                raise
    return Measured(
        total=np.concatenate([part.total for part in sums], axis=-1),
        squares=np.concatenate([part.squares for part in sums], axis=-1),
        count=np.concatenate([part.count for part in sums], axis=-1),
        rounding=np.max([part.rounding for part in sums], axis=0),
        cluster=np.concatenate([np.full(len(cluster.pairs), i) for i, cluster in enumerate(clusters)]),
        weight=np.concatenate([cluster.weights for cluster in clusters]),
        took_all=design.takes_all,
        share=len(design.population.pairs) / len(everyone.population.pairs),
        contexts=design.contexts,
        n_forwards=sum(part.n_forwards for part in sums),
        n_nonfinite=sum(part.n_nonfinite for part in sums),
    )


def _work(key: jax.Array, game: Game, design: Design, sets: list[np.ndarray]) -> Iterable[tuple[int, int, Plan]]:
    if not len(design.population.pairs):
        return ()
    orders, groups = design.orders.tolist(), design.groups
    return design.estimator.plans(key, game.n_players, sets, orders, design.contexts, groups=groups)


@dataclasses.dataclass
class _Started:
    """One input under way: the sums of its sets, what they hold, and passes made of those expected."""

    sums: list[ObservationSums]
    done: Done
    expected: float
    made: int = 0

    def to_arrays(self) -> dict[str, np.ndarray]:
        arrays = {name: np.concatenate([getattr(part, name) for part in self.sums], axis=-1) for name in _SUMS}
        counts = {name: np.array([getattr(part, name) for part in self.sums]) for name in (*_COUNTS, "rounding")}
        done = {"pieces": np.array(self.done.pieces), "values": np.concatenate([np.zeros(0), *self.done.values])}
        return arrays | counts | done | {"made": np.array(self.made), "expected": np.array(self.expected)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        ends = np.cumsum([part.total.shape[-1] for part in self.sums])[:-1]
        for name in _SUMS:
            for part, array in zip(self.sums, np.split(arrays[name], ends, axis=-1), strict=True):
                setattr(part, name, array.copy())
        for name in _COUNTS:
            for part, count in zip(self.sums, arrays[name].tolist(), strict=True):
                setattr(part, name, count)
        for part, rounding in zip(self.sums, arrays["rounding"], strict=True):
            part.rounding = rounding.copy()
        self.done.pieces, self.done.values = int(arrays["pieces"]), [arrays["values"]]
        self.made = int(arrays["made"])


def cluster_players_of(n_pairs: int, inputs: int) -> int:
    """Players of a cluster: as many as share contexts well, but at least two clusters an input and 16 in all."""
    clusters = max(2, -(-_FEWEST_CLUSTERS // inputs))
    players = int(0.5 + np.sqrt(0.25 + 2 * n_pairs / clusters))  # players (players - 1) / 2 pairs each
    return max(2, min(players, _CLUSTER_PLAYERS))
