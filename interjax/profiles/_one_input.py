"""What a profile measures for one input: which pairs, in how many contexts, and the sums that come of it."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from interjax._engine._folders import Partial
from interjax._engine._rows import Resources
from interjax.games._game import Game
from interjax.games._tabulate import tabulate_in_batches
from interjax.orders._counts import NOTHING, Before
from interjax.orders._designs import Plan
from interjax.orders._estimators import PLANNED, Planned
from interjax.orders._observations import Done, ObservationSums, observe
from interjax.orders._rounding import resolution
from interjax.orders._tabulated import contexts_of, interactions_of, table_resolution
from interjax.profiles._clusters import Cluster, PairPopulation

_CLUSTER_PLAYERS = 12
_FEWEST_CLUSTERS = 16
GROUPS = 25  # of contexts, where replicates leave out one
_SPLITS = 4  # of contexts, where replicates leave out a cluster of pairs
_SUMS = ("total", "squares", "count")  # by pair
_COUNTS = ("n_forwards", "n_nonfinite")


@dataclasses.dataclass(frozen=True)
class Design:
    """How each input is measured: its orders, contexts at each, and how many pairs of the population in what clusters.

    No contexts at an order: it is left out. `groups` is the number of groups that contexts are dealt to: those of the
    jackknife, or of the sign split where pairs are sampled. `tabulated` designs evaluate all coalitions once, which
    gives every context of all pairs.
    """

    population: PairPopulation
    orders: np.ndarray
    contexts: tuple[int, ...]
    n_pairs: int
    method: str
    cluster_players: int
    groups: int
    before: tuple[Before, ...] = ()
    tabulated: bool = False

    @classmethod
    def of_table(cls, population: PairPopulation, orders: np.ndarray, method: str) -> "Design":
        """All contexts of all pairs at these orders, from a table. A second group, of no contexts, varies nothing."""
        contexts = tuple(contexts_of(population.n_players, 2, orders.tolist()).tolist())
        return cls(population, orders, contexts, len(population.pairs), method, 2, 2, tabulated=True)

    @property
    def estimator(self) -> Planned:
        return PLANNED[self.method]

    @property
    def takes_all(self) -> bool:
        return self.n_pairs >= len(self.population.pairs)

    @property
    def exact(self) -> np.ndarray:
        """(orders,) True where all contexts are evaluated, so that a measured interaction is exact."""
        if self.tabulated:
            return np.array(self.contexts) > 0
        n_players, is_exact = self.population.n_players, self.estimator.is_exact
        return np.array(
            [count > 0 and is_exact(n_players, 2, order, count, before) for order, count, before in self.by_order]
        )

    @property
    def contexts_told(self) -> int | tuple[int, ...]:
        """The contexts as one number, where all orders have the same."""
        return self.contexts[0] if len(set(self.contexts)) == 1 else self.contexts

    def with_contexts(self, contexts: Sequence[int] | np.ndarray) -> "Design":
        """The same with other contexts for each pair, at each order."""
        return dataclasses.replace(self, contexts=tuple(int(count) for count in contexts))

    def continued(self, earlier: Sequence[np.ndarray], contexts: Sequence[int] | np.ndarray) -> "Design":
        """The next round of the same pairs, after earlier ones (orders,) of which this was the first."""
        if not len(earlier):
            return self.with_contexts(contexts)
        past = np.sum(earlier, axis=0).tolist()
        before = tuple(Before(count, first) for count, first in zip(past, self.contexts_meant, strict=True))
        return dataclasses.replace(self.with_contexts(contexts), before=before)

    @property
    def contexts_meant(self) -> tuple[int, ...]:
        """Contexts that are to be drawn in all, by which it is chosen how: those of the first round unless it says."""
        return tuple(before.first for before in self.before) or self.contexts

    @property
    def by_order(self) -> list[tuple[int, int, Before]]:
        """(order, contexts, those before) of each order."""
        before = self.before or (NOTHING,) * len(self.contexts)
        return list(zip(self.orders.tolist(), self.contexts, before, strict=True))

    def of_input(self, game: Game) -> "Design":
        """The design for one input: some estimators measure only pairs of players that may change something."""
        if self.tabulated or not self.estimator.skips_null or game.is_null is None or not np.any(game.is_null):
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
        return float(np.sum(self.passes_by_order()))

    def passes_by_order(self) -> np.ndarray:
        """Passes of one input at each order, on average (orders,)."""
        if not len(self.population.pairs):
            return np.zeros(len(self.orders))
        if self.tabulated:
            return self.exact * 2**self.population.n_players / max(np.sum(self.exact), 1)
        clusters = self.draw(jax.random.key(0))
        pairs = clusters[0].pairs
        n_players, passes = self.population.n_players, self.estimator.expected_passes
        each = [
            passes(n_players, pairs, order, count + before.contexts * whole) if count else 0.0
            for (order, count, before), whole in zip(self.by_order, self.exact, strict=True)
        ]
        return len(clusters) * np.array(each)


@dataclasses.dataclass(frozen=True)
class Measured:
    """Sums of one input in one round: arrays (orders, groups, pairs), and each pair's cluster and weight.

    `rounding` (orders,) is how far the values of an order may be off.
    `took_all` tells whether these are all pairs that may interact, and `share` what part of the population they are:
    the interactions of the others are known to be 0; `contexts` (orders,) is how many were asked for.
    """

    total: np.ndarray
    squares: np.ndarray
    count: np.ndarray
    rounding: np.ndarray
    cluster: np.ndarray
    weight: np.ndarray
    took_all: bool
    share: float
    contexts: np.ndarray
    n_forwards: int
    n_nonfinite: int

    def to_arrays(self) -> dict[str, np.ndarray]:
        return {field.name: np.asarray(getattr(self, field.name)) for field in dataclasses.fields(self)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Measured":
        fields: dict[str, Any] = {name: array if array.ndim else array.item() for name, array in arrays.items()}
        fields["contexts"] = np.broadcast_to(fields["contexts"], fields["total"].shape[:1])  # once one for all orders
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
    if design.tabulated:
        return _measure_table(game, design, resources, partial, progress)
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

    def made() -> Iterator[int]:
        for passes in observe(game, sums, work, resources, done=started.done):
            started.made += passes
            yield started.made

    _follow(made(), started.to_arrays, partial, progress)
    return Measured(
        total=np.concatenate([part.total for part in sums], axis=-1),
        squares=np.concatenate([part.squares for part in sums], axis=-1),
        count=np.concatenate([part.count for part in sums], axis=-1),
        rounding=np.max([part.rounding for part in sums], axis=0),
        cluster=np.concatenate([np.full(len(cluster.pairs), i) for i, cluster in enumerate(clusters)]),
        weight=np.concatenate([cluster.weights for cluster in clusters]),
        took_all=design.takes_all,
        share=len(design.population.pairs) / len(everyone.population.pairs),
        contexts=np.array(design.contexts),
        n_forwards=sum(part.n_forwards for part in sums),
        n_nonfinite=sum(part.n_nonfinite for part in sums),
    )


def _follow(
    work: Iterable[int],
    state: Callable[[], dict[str, np.ndarray]],
    partial: Partial | None,
    progress: Callable[[int], None] | None,
) -> None:
    """Go through work that yields the passes made, keeping its state and telling of its progress."""
    for made in work:
        if partial:
            partial.write(state)
        if progress:
            try:
                progress(made)
            except BaseException:  # the caller stops here, where the sums are whole
                if partial:
                    partial.write(state, at_once=True)
                raise


def _measure_table(
    game: Game,
    design: Design,
    resources: Resources,
    partial: Partial | None,
    progress: Callable[[int], None] | None,
) -> Measured:
    """The sums of all contexts of all pairs of one input, from the values of all its coalitions."""
    kept = partial.read() if partial else None
    found = [] if kept is None else [kept["values"]]
    passes = game.passes

    def state() -> dict[str, np.ndarray]:
        values = np.concatenate(found)
        return {
            "values": values,
            "made": np.array(len(values) * passes),
            "expected": np.array(passes << game.n_players),
        }

    _follow((held * passes for held in tabulate_in_batches(game, resources, found)), state, partial, progress)
    table, pairs = np.concatenate(found), design.population.pairs
    mean = interactions_of(game, table, pairs, design.orders.tolist())
    contexts = np.array(design.contexts)
    count = np.zeros((len(contexts), design.groups, len(pairs)), np.int64)
    count[:, 0] = contexts[:, None]
    total = count * mean[:, None]
    total[:, 1:] = 0.0
    return Measured(
        total=total,
        squares=total * mean[:, None],
        count=count,
        rounding=np.full(len(contexts), table_resolution(game, table, 2) / resolution(1.0)),
        cluster=np.zeros(len(pairs), int),
        weight=np.ones(len(pairs)),
        took_all=True,
        share=1.0,
        contexts=contexts,
        n_forwards=len(table) * passes,
        n_nonfinite=int(np.count_nonzero(~np.isfinite(table))),
    )


def _work(key: jax.Array, game: Game, design: Design, sets: list[np.ndarray]) -> Iterator[tuple[int, int, Plan]]:
    """Plans of the orders that want equally many contexts together, which take one stream for each order."""
    if not len(design.population.pairs):
        return
    alike: dict[tuple[int, Before], list[int]] = {}
    for place, (_, count, before) in enumerate(design.by_order):
        if count:
            alike.setdefault((count, before), []).append(place)
    for (count, before), places in alike.items():
        orders, groups = design.orders[places].tolist(), design.groups
        plans = design.estimator.plans(key, game.n_players, sets, orders, count, groups=groups, before=before)
        for number, place, plan in plans:
            yield number, places[place], plan


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


def groups_of(contexts: int, *, takes_all: bool) -> int:
    """Groups that so many contexts are dealt to."""
    return max(1, min(contexts, GROUPS if takes_all else _SPLITS))


def cluster_players_of(n_pairs: int, inputs: int) -> int:
    """Players of a cluster: as many as share contexts well, but at least two clusters an input and 16 in all."""
    clusters = max(2, -(-_FEWEST_CLUSTERS // inputs))
    players = int(0.5 + np.sqrt(0.25 + 2 * n_pairs / clusters))  # players (players - 1) / 2 pairs each
    return max(2, min(players, _CLUSTER_PLAYERS))
