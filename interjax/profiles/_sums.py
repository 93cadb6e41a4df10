"""The sums of pairs' observations, and what of an interaction's strength, noise and limits can be read off them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from interjax.orders._limits import limit_where_nothing_varied
from interjax.orders._observations import moments
from interjax.orders._rounding import resolution
from interjax.profiles._correction import magnitudes, magnitudes_of_parts
from interjax.profiles._one_input import Design, Measured


@dataclasses.dataclass(frozen=True)
class PairSums:
    """Sums of the same contexts of each pair: (orders, groups, pairs), with what is known of them.

    Attributes:
        total, squares, count: of the observations.
        left: (orders, pairs) what is left of the variance of a mean over these contexts.
        exact: (orders,) where all contexts were evaluated.
        rounding: (orders,) how far the values of an order may be off.
    """

    total: np.ndarray
    squares: np.ndarray
    count: np.ndarray
    left: np.ndarray
    exact: np.ndarray
    rounding: np.ndarray

    @classmethod
    def of(cls, found: list[Measured], design: Design) -> "PairSums":
        """Those of rounds that measured the same pairs, each with contexts of its own.

        Where a round evaluated all contexts of an order, that round alone counts there.
        """
        rounds = [part.contexts for part in found]
        is_exact = np.array([design.continued(rounds[:place], each).exact for place, each in enumerate(rounds)])
        exact = np.any(is_exact, axis=0)
        counts = ~exact | (np.arange(len(found))[:, None] == is_exact.argmax(axis=0))
        found = [_at_orders(part, used) for part, used in zip(found, counts, strict=True)]
        total, squares, count = (
            np.sum([getattr(part, name) for part in found], axis=0) for name in ("total", "squares", "count")
        )
        n_players, share_undrawn = design.population.n_players, design.estimator.share_undrawn
        meant = design.contexts_meant if design.takes_all else rounds[0].tolist()
        of_order = zip(design.orders.tolist(), meant, strict=True)
        left = np.stack(
            [
                share_undrawn(n_players, 2, order, contexts, each)
                for (order, contexts), each in zip(of_order, count.sum(axis=1), strict=True)
            ]
        )
        rounding = np.max([part.rounding for part in found], axis=0)
        total, squares = (np.where(np.isfinite(sums), sums, np.nan) for sums in (total, squares))  # infinite values
        return cls(total, squares, count, np.where(exact[:, None], 0.0, left), exact, rounding)

    def moments(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean of each pair, variance of one of its observations, and their count: (orders, pairs) each."""
        count = self.count.sum(axis=1)
        total, squares = np.where(count > 0, self.total.sum(axis=1), 0.0), self.squares.sum(axis=1)
        mean, variance = moments(total, squares, np.maximum(count, 1))
        variance[self.exact] = 0.0
        return mean, variance, count

    def without(self, groups: Sequence[int]) -> "PairSums":
        """All but one group of contexts, for each of these: (groups * orders, 1, pairs), an order's groups summed."""
        every = np.arange(self.total.shape[1])

        def rest(values: np.ndarray) -> np.ndarray:
            return np.concatenate([values[:, every != group].sum(axis=1, keepdims=True) for group in groups])

        left, exact = np.tile(self.left, (len(groups), 1)), np.tile(self.exact, len(groups))
        return dataclasses.replace(
            self, total=rest(self.total), squares=rest(self.squares), count=rest(self.count), left=left, exact=exact
        )

    def terms(self, kind: str, correction: str) -> np.ndarray:
        """Per-pair terms whose mean estimates the strength, (orders, pairs)."""
        return magnitudes(*self.moments(), self.left, kind=kind, correction=correction)

    def terms_of_parts(self, kind: str, correction: str, keep: np.ndarray) -> np.ndarray:
        """Those of parts of the pairs, bool (parts, pairs): (parts, orders, pairs)."""
        if kind == "rms" or correction != "folded-normal":
            return np.broadcast_to(self.terms(kind, correction), (len(keep), *self.left.shape))
        return magnitudes_of_parts(*self.moments(), self.left, keep)

    def below(self, kind: str) -> np.ndarray:
        """Per-pair terms whose mean is no larger than the strength, in expectation: (orders, pairs).

            sum over groups g of sign(mean of the other groups) * (sum of group g) / contexts

        The sign is independent of the group's own sum, so that this averages I times a sign, at most |I|.
        """
        if kind == "rms":
            return self.terms(kind, "folded-normal")
        mean, _, count = self.moments()
        rest = self.total.sum(axis=1, keepdims=True) - self.total
        split = np.sum(np.sign(rest) * self.total, axis=1) / np.maximum(count, 1)
        return np.where(self.exact[:, None], np.abs(mean), split)

    def resolution(self) -> np.ndarray:
        """What rounding may make of an interaction (orders,)."""
        return resolution(self.rounding)

    def noise(self) -> np.ndarray:
        """(orders, pairs) standard error of an interaction, NaN where it is unknown."""
        _, variance, count = self.moments()
        return np.sqrt(variance * self.left / np.maximum(count, 1))

    def limit(self) -> np.ndarray:
        """(orders, pairs) what may have been missed where nothing varied, as a standard error."""
        mean, variance, count = self.moments()
        exact = np.broadcast_to(self.exact[:, None], mean.shape)
        return limit_where_nothing_varied(mean, variance, count, exact, self.resolution()[:, None])


def _at_orders(found: Measured, used: np.ndarray) -> Measured:
    """The sums of some orders, bool (orders,), and of no contexts at the others."""
    if used.all():
        return found
    cut = {name: np.where(used[:, None, None], getattr(found, name), 0) for name in ("total", "squares", "count")}
    return dataclasses.replace(found, contexts=found.contexts * used, **cut)
