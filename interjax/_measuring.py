"""What a profile measures for one input: which pairs, in how many contexts, and the sums that come of it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from interjax._clusters import Cluster, PairPopulation
from interjax._designs import expected_passes, is_exact, plans
from interjax._games import Game
from interjax._orders import ObservationSums, observe

_CLUSTER_PLAYERS = 12
_FEWEST_CLUSTERS = 16
_GROUPS = 25


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
    def takes_all(self) -> bool:
        return self.n_pairs >= len(self.population.pairs)

    @property
    def exact(self) -> np.ndarray:
        """(orders,) True where all contexts are evaluated, so that a measured interaction is exact."""
        n_players = self.population.n_players
        return np.array([is_exact(n_players, 2, int(order), self.contexts, self.method) for order in self.orders])

    @property
    def groups(self) -> int:
        """Jackknife groups of contexts; needed only where pairs are not sampled."""
        return max(1, min(self.contexts, _GROUPS)) if self.takes_all else 1

    def of_input(self, game: Game) -> "Design":
        """The design for one input: with "blocks" only pairs of players that may change something are measured."""
        if self.method != "blocks" or game.is_null is None or not np.any(game.is_null):
            return self
        live = ~np.asarray(game.is_null)[self.population.pairs].any(axis=1)
        population = PairPopulation.of(self.population.pairs[live], self.population.n_players)
        return dataclasses.replace(self, population=population)

    def draw(self, key: jax.Array) -> list[Cluster]:
        if self.takes_all:
            return [self.population.whole()]
        if self.method == "quadruples":
            return self.population.separate(key, self.n_pairs)
        return self.population.clusters(key, self.n_pairs, self.cluster_players)

    def expected_passes(self) -> float:
        clusters = self.draw(jax.random.key(0))
        pairs = clusters[0].pairs
        each = [
            expected_passes(self.population.n_players, pairs, int(order), self.contexts, self.method)
            for order in self.orders
        ]
        return sum(each) * len(clusters)


@dataclasses.dataclass(frozen=True)
class Measured:
    """Sums of one input in one round: arrays (orders, groups, pairs), and each pair's cluster and weight.

    `took_all` tells whether these are all pairs that may interact, and `share` what part of the population they are:
    the interactions of the others are known to be 0.
    """

    total: np.ndarray
    squares: np.ndarray
    count: np.ndarray
    cluster: np.ndarray
    weight: np.ndarray
    took_all: bool
    share: float
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
    batch_size: int | None,
    mesh: Mesh | None,
    progress: Callable[[int], None] | None,
    memory: int | None = None,
) -> Measured:
    """Measure one input's clusters at every order."""
    draw_key, context_key = jax.random.split(key)
    everyone, design = design, design.of_input(game)
    clusters = design.draw(draw_key)
    if design.method == "quadruples" and not design.takes_all:  # single pairs: measured in one list
        sets = [np.concatenate([cluster.pairs for cluster in clusters])]
    else:
        sets = [cluster.pairs for cluster in clusters]
    sums = [ObservationSums.zeros(len(design.orders), design.groups, len(pairs)) for pairs in sets]
    work = (
        ()
        if not len(design.population.pairs)
        else plans(
            context_key,
            game.n_players,
            sets,
            design.orders.tolist(),
            design.contexts,
            method=design.method,
            groups=design.groups,
        )
    )
    made = 0
    for passes in observe(game, sums, work, batch_size=batch_size, memory=memory, mesh=mesh):
        made += passes
        if progress:
            progress(made)
    return Measured(
        total=np.concatenate([part.total for part in sums], axis=-1),
        squares=np.concatenate([part.squares for part in sums], axis=-1),
        count=np.concatenate([part.count for part in sums], axis=-1),
        cluster=np.concatenate([np.full(len(cluster.pairs), i) for i, cluster in enumerate(clusters)]),
        weight=np.concatenate([cluster.weights for cluster in clusters]),
        took_all=design.takes_all,
        share=len(design.population.pairs) / len(everyone.population.pairs),
        n_forwards=sum(part.n_forwards for part in sums),
        n_nonfinite=sum(part.n_nonfinite for part in sums),
    )


def cluster_players_of(n_pairs: int, inputs: int) -> int:
    """Players of a cluster: as many as share contexts well, but at least two clusters an input and 16 in all."""
    clusters = max(2, -(-_FEWEST_CLUSTERS // inputs))
    players = int(0.5 + np.sqrt(0.25 + 2 * n_pairs / clusters))  # players (players - 1) / 2 pairs each
    return max(2, min(players, _CLUSTER_PLAYERS))
