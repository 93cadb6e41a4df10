"""Multi-order interactions of sampled contexts: means, standard errors and the number of forward passes."""

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from interjax._core._checks import check_count, check_flag, check_known, check_number
from interjax._core._estimate import Estimate
from interjax._core._keys import check_key
from interjax._core._multiplicity import are_discoveries, simultaneous_level
from interjax._core._names import fill_names, names_field, table_of_coalitions
from interjax._core._results import Saved, result, static_field
from interjax._core._statistics import tail_quantile
from interjax._engine._rows import Resources
from interjax.games._game import Game, check_game, warn_if_nonfinite
from interjax.games._tabulate import tabulate_in_batches
from interjax.orders._arguments import as_coalitions, as_orders
from interjax.orders._counts import check_contexts
from interjax.orders._estimators import Estimates, estimator_of
from interjax.orders._limits import with_limits
from interjax.orders._tabulated import check_exact, estimates_of_table, is_tabulated

# Contexts, from about which on simultaneous intervals held in every game that was tried.
_ENOUGH_FOR_ALL = {"blocks": 25, "quadruples": 100, "regression": 25}


@result
class OrderInteractions(Saved):
    """Sampled multi-order interactions of coalitions T: estimates of I^(m)(T).

    Attributes:
        orders: int (orders,), context sizes m.
        pairs: int (coalitions, k), the measured coalitions, k = 1, 2 or 3 players each.
        mean: float64 (orders, coalitions), in units of the value v.
        stderr: float64 (orders, coalitions), standard error over contexts and of rounding, sqrt(2^k) eps max |v| for
            coalitions of k players, which may be alike in all contexts; rounding alone where `exact`. The variance over
            a coalition's few contexts is drawn towards that of the order's other coalitions, which counts as 4
            contexts. Where nothing varied, of the order or of 10 and more contexts of a coalition, it holds an upper
            limit: what shows in less than a share p = 1 - 0.05^(1/count) of the contexts, about 3 / count, may have
            been missed, so p R / 1.96 with R the most that the coalition's interaction varies by at any order. What is
            missed where other, small differences are seen is not in it.
        freedom: float64 (orders, coalitions), degrees of freedom with which `stderr` is known; infinite where exact.
        exact: bool (orders, coalitions), whether all contexts were evaluated, or a player is known to change nothing.
        count: int (orders, coalitions), contexts drawn; with "regression" the coalitions of a pair's rarest stratum, 0
            for pairs with a player known to be null, which do not interact.
        n_forwards: forward passes of the network that were made.
        n_nonfinite: values of the game that were NaN or infinite; the means they enter are NaN.
        method: "blocks", "quadruples" or "regression".
        n_players: number of players n.
        player_names: a name for each player, those of the game; "player 3" in older files.
    """

    orders: np.ndarray
    pairs: np.ndarray
    mean: np.ndarray
    stderr: np.ndarray
    count: np.ndarray
    n_forwards: int
    n_nonfinite: int
    method: str = static_field()
    n_players: int = static_field()
    freedom: np.ndarray | None = None
    exact: np.ndarray | None = None
    player_names: tuple[str, ...] = names_field(default=())

    def __post_init__(self) -> None:
        fill_names(self, self.n_players)

    @property
    def estimate(self) -> Estimate:
        """Means with their standard errors and degrees of freedom, infinite for results that were saved without."""
        freedom = np.full(self.mean.shape, np.inf) if self.freedom is None else self.freedom
        return Estimate(self.mean, self.stderr, freedom)

    def interval(self, level: float = 0.95, *, simultaneous: bool | str = False) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the confidence intervals of I^(m)(T) at this level, mean -+ t stderr: (orders, coalitions) each.

        t is the quantile of Student's distribution with `freedom` degrees; the normal one for results that were saved
        without.

        Args:
            level: that each interval holds its interaction with, in (0, 1): of many, one in twenty misses at 0.95.
            simultaneous: True or "bonferroni" for intervals that hold all interactions at once with this level: those
                of all orders and coalitions here, but for exact ones, which do not miss. "sidak" is a little narrower,
                and right where means are normal. No error is then less than the root mean square of its order's: among
                many coalitions those miss that happened to vary little. Where few contexts make up an interaction
                (products of several players) all are held from some 25 contexts on only, by "quadruples" from 100.

        Warns:
            UserWarning: if simultaneous intervals are of fewer contexts at an order.
        """
        sampled = ~self._exact
        if simultaneous and sampled.any():
            fewest = np.min(np.mean(self.count, axis=1)[sampled.any(axis=1)])
            enough = _ENOUGH_FOR_ALL[self.method]
            if fewest < enough:
                warnings.warn(
                    f"simultaneous intervals of fewer than {enough} contexts, here {fewest:.3g}, may hold all "
                    "interactions less often than they say, where few contexts make up one: draw more",
                    stacklevel=2,
                )
        level, stderr = simultaneous_level(level, int(np.sum(sampled)), simultaneous), self.stderr
        if simultaneous:
            known = sampled & np.isfinite(stderr)
            squares = np.where(known, stderr**2, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
            stderr = np.where(sampled, np.maximum(stderr, np.sqrt(squares)[:, None]), stderr)
        return Estimate(self.mean, stderr, self.estimate.freedom).interval(level)

    def p_values(self) -> np.ndarray:
        """How often an interaction of 0 comes out as far from 0, by Student's t: float64 (orders, coalitions).

        Each is a test by itself: of many interactions that are 0, one in twenty is below 0.05. NaN where the error is
        unknown. Those of exact interactions tell them from rounding alone.
        """
        return self.estimate.p_values()

    def discoveries(self, rate: float = 0.05, *, dependent: bool | None = None) -> np.ndarray:
        """Which interactions differ from 0: bool (orders, coalitions), of which a share `rate` on average do not.

        All sampled orders and coalitions are one family, of which the false-discovery rate is held, by Benjamini and
        Hochberg's procedure or, for errors that depend on each other, Benjamini and Yekutieli's, which finds fewer.
        Exact interactions are none of it: they differ where they exceed rounding, by its standard error times the
        normal quantile at which one of all exact ones does so by chance with probability `rate`.

        Args:
            rate: in (0, 1).
            dependent: whether errors of different interactions may depend on each other; None = unless `method` is
                "quadruples", which draws contexts for each coalition and order.

        Example:
            >>> import interjax as ij, jax
            >>> game = ij.Game.from_function(lambda s: 3.0 * s[0] * s[1] + s[2], 6)
            >>> found = ij.order_interactions(jax.random.key(0), game, orders=[0, 4])
            >>> found.pairs[found.discoveries().any(axis=0)].tolist()
            [[0, 1]]
        """
        rate = check_number("rate", rate, "(0, 1)")
        dependent = self.method != "quadruples" if dependent is None else check_flag("dependent", dependent)
        exact = self._exact
        found = are_discoveries(np.where(exact, np.nan, self.p_values()), rate, dependent=dependent)
        return np.where(exact, np.abs(self.mean) > tail_quantile(rate / max(np.sum(exact), 1)) * self.stderr, found)

    @property
    def _exact(self) -> np.ndarray:
        """Results that were saved without have no other word for it than an error of 0."""
        return self.stderr == 0 if self.exact is None else self.exact

    def table(self, count: int = 20) -> str:
        """The strongest interactions by |mean| with the players' names, a line each, in plain aligned text.

        Args:
            count: interactions at most, of all orders together; those whose mean is NaN come last.

        Example:
            >>> import interjax as ij, jax
            >>> game = ij.Game.from_function(lambda s: 3.0 * s[0] * s[1] + s[2], 3, player_names=["age", "sex", "job"])
            >>> print(ij.order_interactions(jax.random.key(0), game, orders=[0]).table(count=1))
             order m     I^(m)    stderr  players
                   0         3   7.2e-07  age & sex
            the strongest 1 of 3
        """
        count = check_count("count", count)
        strength = np.nan_to_num(np.abs(self.mean), nan=-1.0)
        chosen = np.argsort(-strength, axis=None, kind="stable")[:count]
        rows = [
            ((f"{self.orders[order]}", f"{self.mean[order, at]:.4g}", f"{self.stderr[order, at]:.2g}"), self.pairs[at])
            for order, at in zip(*np.unravel_index(chosen, strength.shape), strict=True)
        ]
        return table_of_coalitions(("order m", "I^(m)", "stderr"), rows, self.player_names, strength.size)

    def to_matrix(self) -> np.ndarray:
        """Means of pairs as symmetric matrices (orders, n, n); NaN where a pair was not measured."""
        if self.pairs.shape[1] != 2:
            raise ValueError(f"a matrix shows pairs, these are coalitions of {self.pairs.shape[1]} players")
        matrix = np.full((len(self.orders), self.n_players, self.n_players), np.nan)
        first, second = self.pairs.T
        matrix[:, first, second] = matrix[:, second, first] = self.mean
        return matrix


def order_interactions(
    key: jax.Array,
    game: Game,
    *,
    orders: Sequence[int] | Sequence[float] | None = None,
    pairs: Any = "all",
    contexts: int = 100,
    method: str = "blocks",
    size: int = 2,
    exact: bool | None = None,
    batch_size: int | None = None,
    memory: int | None = None,
    mesh: Mesh | None = None,
) -> OrderInteractions:
    """Estimate multi-order interactions of pairs (or single players, or triples): from sampled contexts, or exactly.

        I^(m)(T) = E over S in N minus T, |S| = m of  sum over L in T of (-1)^(k-|L|) v(S + L)

    Where 2^n forward passes are no more than sampling would take (those of the estimator for `contexts`, the coalitions
    and the orders asked for), all coalitions are evaluated and every interaction is exact, as
    `ij.exact_order_interactions` gives it; `exact` says otherwise.

    Every estimate of sampled contexts is unbiased. "quadruples" draws `contexts` independent contexts for each
    coalition and order (the papers' protocol, 2^k passes each). "blocks" shares every context among all wanted
    coalitions that it leaves free, little more than one pass for a pair and context where all pairs are wanted;
    contexts then number `contexts` on average (at least two), and errors of coalitions that share contexts are
    correlated. At the end orders m = 0 and m = n - k the single context is enumerated; with "blocks" the next orders
    m = 1 and m = n - k - 1 are enumerated too where that takes at most twice the passes.

    "regression" evaluates uniform coalitions of the sizes m, m+1 and m+2, each of which serves all pairs at once:

        I^(m)(i,j) = E[v | i, j in] - E[v | i in, j out] - E[v | j in, i out] + E[v | i, j out]

    where each mean is the exact mean of a ridge quadratic g(S) = b.z + sum C_kl z_k z_l (z the centred mask, all sizes
    pooled) plus the mean of v - g over the drawn coalitions of that kind, g fitted to other coalitions than these. It
    takes the number of coalitions that would give the variance of `contexts` quadruples if v varied alike everywhere;
    what g explains is noise less. Take it for all pairs, hundreds or more, at middle orders: its passes do not grow
    with their number. Near the ends coalitions that hold (or lack) both players are rare, and blocks often need fewer
    passes, as they do for short lists of pairs. Sizes with few coalitions are enumerated; orders at which all three
    are, the end orders among them, are exact. Errors of different pairs are correlated. The coalitions of an order are
    kept while it is measured, n bytes each.

    Where nothing varied at some order the end orders are evaluated too, if they were not asked for: they tell what may
    have been missed (see `OrderInteractions.stderr`).

    Args:
        key: a `jax.random.key`; the same key gives the same answer at any batch size.
        game: a `Game` of n players.
        orders: context sizes m, integers 0..n-k; or floats r in [0, 1], meaning int((n-k) r); None = every
            order for n <= 16, else the official ratios 0, .05, .1, .2, ..., .9, .95, 1.
        pairs: coalitions as integers (coalitions, k) with k = 1, 2 or 3, or "all" of `size` players.
        contexts: contexts for each coalition and order; the standard error falls with its square root.
        method: "blocks", "quadruples" or "regression" (pairs only).
        size: players of a coalition if `pairs` is "all".
        exact: True to evaluate all 2^n coalitions of a game of at most 26 players, whatever they cost; False to sample;
            None = what takes fewer passes, all coalitions if equally many.
        batch_size: rows of a batch on one device; by default chosen from memory. It is halved where a device runs out.
        memory: bytes that the compiled forward passes may take on one device, weights included; None = 0.4 of what is
            free there.
        mesh: a `jax.sharding.Mesh` of the devices to spread forward passes over; None = all local accelerators.

    Returns:
        `OrderInteractions` with mean and stderr (orders, coalitions).

    Raises:
        ValueError: for orders out of range, coalitions with repeated or unknown players, fewer than one context, an
            unknown method, `exact` of more than 26 players, one row that does not fit `memory`, or single players or
            triples with "regression".

    Warns:
        UserWarning: if the network gave NaN, if a device ran out of memory (the batch is halved), or if single
            observations leave the standard error unknown (NaN).

    Example:
        >>> import interjax as ij, jax, jax.numpy as jnp
        >>> game = ij.Game.from_function(lambda s: 3.0 * s[0] * s[1] + s[2], 6)
        >>> found = ij.order_interactions(jax.random.key(0), game, orders=[0, 2, 4], pairs=[(0, 1), (0, 2)])
        >>> found.mean.tolist()
        [[3.0, 0.0], [3.0, 0.0], [3.0, 0.0]]

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), equation 2; arXiv:2512.18607.
    """
    check_key(key)
    check_game(game)
    check_known("game", game.params)
    coalitions = as_coalitions(pairs, game.n_players, size)
    numbers = as_orders(orders, game.n_players, coalitions.shape[1])
    estimator = estimator_of(method, coalitions.shape[1])
    resources = Resources.of(batch_size=batch_size, memory=memory, mesh=mesh)
    contexts = check_contexts(contexts)
    exact = check_exact(exact, game.n_players)

    def passes() -> float:
        of_order = (game.n_players, coalitions)
        return sum(estimator.expected_passes(*of_order, order, contexts) for order in numbers.tolist())

    def estimate(orders: list[int]) -> Estimates:
        return estimator.estimate(key, game, coalitions, orders, contexts, resources)

    if is_tabulated(exact, game.n_players, passes):
        values: list[np.ndarray] = []
        for _ in tabulate_in_batches(game, resources, values):
            pass
        found = estimates_of_table(game, np.concatenate(values), coalitions, numbers.tolist())
    else:
        last = game.n_players - coalitions.shape[1]
        found = with_limits(estimate(numbers.tolist()), numbers.tolist(), last, estimate)
    warn_if_nonfinite(found.n_nonfinite, found.n_forwards)
    if np.any(np.isnan(found.stderr) & np.isfinite(found.mean)):
        warnings.warn("a single context leaves the standard error unknown (NaN): use contexts >= 2", stacklevel=2)
    return OrderInteractions(
        orders=numbers,
        pairs=coalitions,
        mean=found.mean,
        stderr=found.stderr,
        freedom=found.freedom,
        exact=found.exact,
        count=found.count,
        n_forwards=found.n_forwards,
        n_nonfinite=found.n_nonfinite,
        method=method,
        n_players=game.n_players,
        player_names=game.player_names,
    )
