"""Estimators of I^(m): one protocol, and the registry that arguments, commands, tests and laws read."""

import abc
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from interjax._core._checks import check_choice
from interjax._core._estimate import Estimate
from interjax._core._statistics import shrunk_variance
from interjax._engine._rows import Resources
from interjax.games._folded import masks_to_check
from interjax.games._game import Game
from interjax.orders import _counts as counts
from interjax.orders import _designs as designs
from interjax.orders._observations import ObservationSums, moments, observe
from interjax.orders._regression import regress_pairs
from interjax.orders._rounding import check_host_again, resolution
from interjax.orders._row_values import RowValues
from interjax.orders._samples import expected_coalitions


class Estimates(NamedTuple):
    """Estimates of I^(m)(T) for coalitions at several orders.

    Attributes:
        mean: float64 (orders, coalitions), in units of the value v.
        stderr: float64 (orders, coalitions), rounding included, which alone is left where exact; NaN where unknown.
        freedom: float64 (orders, coalitions), degrees of freedom with which the standard error is known.
        exact: bool (orders, coalitions), whether all contexts were evaluated.
        count: int (orders, coalitions), contexts drawn.
        n_forwards: forward passes made.
        n_nonfinite: values that were NaN or infinite.
        variance: float64 (orders, coalitions), variance of a single observation; 0 where exact, NaN where unknown.
        rounding: float64 (orders, coalitions), the part of the standard error that is from rounding.
        own_variance: `variance` as a coalition's own observations tell it, not drawn towards that of others.
    """

    mean: np.ndarray
    stderr: np.ndarray
    freedom: np.ndarray
    exact: np.ndarray
    count: np.ndarray
    n_forwards: int
    n_nonfinite: int
    variance: np.ndarray
    rounding: np.ndarray
    own_variance: np.ndarray


class Estimator(Protocol):
    """An unbiased estimator of I^(m)(T) from sampled contexts.

    Attributes:
        sizes: numbers of players of the coalitions T that it measures.
    """

    @property
    def sizes(self) -> tuple[int, ...]:
        """Numbers of players of the coalitions T that it measures."""
        ...

    def is_exact(self, n_players: int, size: int, order: int, contexts: int) -> bool:
        """Whether all contexts of coalitions of this size are evaluated at this order, so that there is no error."""
        ...

    def expected_passes(self, n_players: int, coalitions: np.ndarray, order: int, contexts: int) -> float:
        """Values of the game that `estimate` needs for coalitions (P, k) at one order, on average."""
        ...

    def estimate(
        self,
        key: jax.Array,
        game: Game,
        coalitions: np.ndarray,
        orders: Sequence[int],
        contexts: int,
        resources: Resources,
    ) -> Estimates:
        """Estimates for coalitions (P, k) at each order; the same for a key whatever the resources, to rounding."""
        ...


class Planned(abc.ABC):
    """An estimator whose observations are signed sums of rows that a plan lists; a profile can be made of its sums.

    Attributes:
        shares_contexts: whether a context serves several coalitions, so that pairs are drawn in clusters of players.
        skips_null: whether pairs that are known not to interact are left out of a profile's passes.
        draw: what makes the plans.
        enumerates: whether all contexts are evaluated at an order.
    """

    sizes = (1, 2, 3)
    shares_contexts: bool
    skips_null: bool
    draw: Callable[..., Iterator[tuple[int, int, designs.Plan]]]
    enumerates: Callable[..., bool]

    def plans(
        self,
        key: jax.Array,
        n_players: int,
        sets: Sequence[np.ndarray],
        orders: Sequence[int],
        contexts: int,
        *,
        groups: int = 1,
        before: counts.Before = counts.NOTHING,
    ) -> Iterator[tuple[int, int, designs.Plan]]:
        """Pieces of work that give each coalition about `contexts` contexts at each order, all where `is_exact`.

        Args:
            key: a `jax.random.key`.
            n_players: number of players n.
            sets: coalitions (P, k) of each set; sets are measured independently of each other.
            orders: context sizes m.
            contexts: contexts for each coalition and order.
            groups: number of jackknife groups that contexts are dealt to.
            before: how many contexts were drawn with this key before: the next ones are drawn.

        Yields:
            (number of the set, place of the order, plan).
        """
        return self.draw(key, n_players, sets, orders, contexts, groups, before)

    def is_exact(
        self, n_players: int, size: int, order: int, contexts: int, before: counts.Before = counts.NOTHING
    ) -> bool:
        return self.enumerates(n_players, size, order, contexts, before)

    def share_left(self, n_players: int, size: int, order: int, contexts: int, count: np.ndarray) -> np.ndarray:
        """What is left of the variance of a mean over `count` contexts where they are drawn without replacement.

        1 - count / C(n - k, m), as in a sample of a finite population; 0 where `is_exact`, 1 for independent contexts.
        """
        if self.is_exact(n_players, size, order, contexts):
            return np.zeros(count.shape)
        return self.share_undrawn(n_players, size, order, contexts, count)

    def share_undrawn(self, n_players: int, size: int, order: int, contexts: int, count: np.ndarray) -> np.ndarray:
        """The same where not all are evaluated, of draws that are made as for so many contexts in all."""
        if not counts.draws_distinct(n_players, size, order, contexts, shared=self.shares_contexts):
            return np.ones(count.shape)
        return np.clip(1 - count / math.comb(n_players - size, order), 0.0, 1.0)

    @abc.abstractmethod
    def expected_passes(self, n_players: int, coalitions: np.ndarray, order: int, contexts: int) -> float: ...

    def estimate(
        self,
        key: jax.Array,
        game: Game,
        coalitions: np.ndarray,
        orders: Sequence[int],
        contexts: int,
        resources: Resources,
    ) -> Estimates:
        sums = ObservationSums.zeros(len(orders), 1, len(coalitions))
        for _ in observe(game, [sums], self.plans(key, game.n_players, [coalitions], orders, contexts), resources):
            pass
        total, squares, count = sums.total[:, 0], sums.squares[:, 0], sums.count[:, 0]
        mean, variance = moments(total, squares, count)
        size = coalitions.shape[1]
        is_exact = np.array([self.is_exact(game.n_players, size, order, contexts) for order in orders])
        exact = np.broadcast_to(is_exact[:, None], mean.shape)
        own = np.where(exact, 0.0, variance)
        variance, freedom = shrunk_variance(variance, count - 1.0)
        rounding = np.broadcast_to(resolution(sums.rounding[:, None], size), mean.shape)
        left = [
            self.share_left(game.n_players, size, order, contexts, each)
            for order, each in zip(orders, count, strict=True)
        ]
        variances = np.stack([np.where(exact, 0.0, np.stack(left) * variance / np.maximum(count, 1)), rounding**2])
        found = Estimate.of_parts(mean, variances, np.stack([freedom, np.full_like(freedom, np.inf)]))
        stderr = np.where(np.isnan(mean), np.nan, found.stderr)
        made = sums.n_forwards, sums.n_nonfinite
        return Estimates(
            mean, stderr, found.freedom, exact, count, *made, np.where(exact, 0.0, variance), rounding, own
        )


class Blocks(Planned):
    """Contexts shared among all wanted coalitions that they leave free."""

    shares_contexts = True
    skips_null = True
    draw = staticmethod(designs.block_plans)
    enumerates = staticmethod(counts.enumerates_shared)

    def expected_passes(self, n_players: int, coalitions: np.ndarray, order: int, contexts: int) -> float:
        return counts.expected_block_rows(n_players, coalitions, order, contexts)


class Quadruples(Planned):
    """Contexts of each coalition's own: the papers' protocol."""

    shares_contexts = False
    skips_null = False
    draw = staticmethod(designs.quadruple_plans)
    enumerates = staticmethod(counts.enumerates_own)

    def expected_passes(self, n_players: int, coalitions: np.ndarray, order: int, contexts: int) -> float:
        size = coalitions.shape[1]
        return float(len(coalitions) * min(contexts, math.comb(n_players - size, order)) * 2**size)


class Regression:
    """Uniform coalitions that serve all pairs, and a fitted quadratic that takes what it explains out of the noise."""

    sizes = (2,)

    def is_exact(self, n_players: int, size: int, order: int, contexts: int) -> bool:
        return all(enumerated for _, enumerated in expected_coalitions(n_players, order, contexts))

    def expected_passes(self, n_players: int, coalitions: np.ndarray, order: int, contexts: int) -> float:
        return float(sum(count for count, _ in expected_coalitions(n_players, order, contexts)))

    def estimate(
        self,
        key: jax.Array,
        game: Game,
        coalitions: np.ndarray,
        orders: Sequence[int],
        contexts: int,
        resources: Resources,
    ) -> Estimates:
        rows = RowValues(game, resources, shared=False)
        how = (contexts, rows.of_masks, lambda: rows.rounding)
        found = [regress_pairs(key, game, coalitions, order, *how) for order in orders]
        if game.on_host:
            masks = masks_to_check(game.n_players)
            check_host_again(game, masks, rows.of_masks(masks))
        columns = list(zip(*found, strict=True))
        mean, stderr, freedom, exact, count = (np.stack(column) for column in columns[:5])
        rounding = np.stack(columns[7])
        variance = np.where(exact, 0.0, np.maximum(stderr**2 - rounding**2, 0.0) * count)
        return Estimates(
            mean, stderr, freedom, exact, count, sum(columns[5]), sum(columns[6]), variance, rounding, variance
        )


ESTIMATORS: dict[str, Estimator] = {"blocks": Blocks(), "quadruples": Quadruples(), "regression": Regression()}
"""The estimators of I^(m), by the name that `method` takes."""
METHODS = tuple(ESTIMATORS)
PLANNED: dict[str, Planned] = {name: each for name, each in ESTIMATORS.items() if isinstance(each, Planned)}
"""Those of which a profile can be made."""


def estimator_of(method: Any, size: int) -> Estimator:
    """The estimator of this name for coalitions of so many players; raises ValueError if there is none."""
    check_choice("method", method, METHODS)
    estimator = ESTIMATORS[method]
    if size not in estimator.sizes:
        measured = (
            "pairs" if estimator.sizes == (2,) else f"coalitions of {', '.join(map(str, estimator.sizes))} players"
        )
        raise ValueError(f'method="{method}" measures {measured}, got coalitions of {size} players')
    return estimator
