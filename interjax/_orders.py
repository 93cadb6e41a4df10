"""Multi-order interactions of sampled contexts: means, standard errors and the number of forward passes."""

import dataclasses
import itertools
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from interjax._batching import as_mesh, check_memory
from interjax._coalitions import all_of_size
from interjax._designs import PIECE_ROWS, Plan, is_exact, plans
from interjax._games import Game, warn_if_nonfinite
from interjax._randomness import check_key
from interjax._regression import PairEstimates, regress_pairs
from interjax._results import Saved, result, static_field
from interjax._row_values import RowValues

METHODS = ("blocks", "quadruples", "regression")
OFFICIAL_RATIOS = (0.0, 0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95, 1.0)
_ROWS_IN_FLIGHT = 8192


@result
class OrderInteractions(Saved):
    """Sampled multi-order interactions of coalitions T: estimates of I^(m)(T).

    Attributes:
        orders: int (orders,), context sizes m.
        pairs: int (coalitions, k), the measured coalitions, k = 1, 2 or 3 players each.
        mean: float64 (orders, coalitions), in units of the value v.
        stderr: float64 (orders, coalitions), standard error over contexts; 0 at the orders whose contexts were all
            evaluated, which are exact.
        count: int (orders, coalitions), contexts drawn; with "regression" the coalitions of a pair's rarest stratum, 0
            for pairs with a player known to be null, which do not interact.
        n_forwards: forward passes of the network that were made.
        n_nonfinite: values of the game that were NaN or infinite; the means they enter are NaN.
        method: "blocks", "quadruples" or "regression".
        n_players: number of players n.
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

    def to_matrix(self) -> np.ndarray:
        """Means of pairs as symmetric matrices (orders, n, n); NaN where a pair was not measured."""
        if self.pairs.shape[1] != 2:
            raise ValueError(f"a matrix shows pairs, these are coalitions of {self.pairs.shape[1]} players")
        matrix = np.full((len(self.orders), self.n_players, self.n_players), np.nan)
        first, second = self.pairs.T
        matrix[:, first, second] = matrix[:, second, first] = self.mean
        return matrix


@dataclasses.dataclass
class ObservationSums:
    """Running sums of observations, by order, jackknife group and coalition: float64 (orders, groups, coalitions)."""

    total: np.ndarray
    squares: np.ndarray
    count: np.ndarray
    n_forwards: int = 0
    n_nonfinite: int = 0

    @classmethod
    def zeros(cls, orders: int, groups: int, coalitions: int) -> "ObservationSums":
        shape = (orders, groups, coalitions)
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(shape, np.int64))

    def add(self, place: int, plan: Plan, values: np.ndarray, passes: int) -> None:
        """Add the observations of a plan at the order number `place`, given the values of its rows."""
        with np.errstate(invalid="ignore"):  # infinities meet: the NaN is kept and counted
            observed = sum(sign * values[plan.observation_rows[:, i]] for i, sign in enumerate(plan.signs))
        shape = self.total.shape[1:]
        cell = plan.group * shape[1] + plan.coalition
        cells = shape[0] * shape[1]
        self.total[place] += np.bincount(cell, observed, cells).reshape(shape)
        self.squares[place] += np.bincount(cell, np.square(observed), cells).reshape(shape)
        self.count[place] += np.bincount(cell, minlength=cells).reshape(shape)
        self.n_forwards += len(values) * passes
        self.n_nonfinite += int(np.count_nonzero(~np.isfinite(values)))


def order_interactions(
    key: jax.Array,
    game: Game,
    *,
    orders: Sequence[int] | Sequence[float] | None = None,
    pairs: Any = "all",
    contexts: int = 100,
    method: str = "blocks",
    size: int = 2,
    batch_size: int | None = None,
    memory: int | None = None,
    mesh: Mesh | None = None,
) -> OrderInteractions:
    """Estimate multi-order interactions of pairs (or single players, or triples) from sampled contexts.

        I^(m)(T) = E over S in N minus T, |S| = m of  sum over L in T of (-1)^(k-|L|) v(S + L)

    Every estimate is unbiased. "quadruples" draws `contexts` independent contexts for each coalition and order (the
    papers' protocol, 2^k passes each). "blocks" shares every context among all wanted coalitions that it leaves
    free, little more than one pass for a pair and context where all pairs are wanted; contexts then number
    `contexts` on average (at least two), and errors of coalitions that share contexts are correlated. At the end
    orders m = 0 and m = n - k the single context is enumerated; with "blocks" the next orders m = 1 and m = n - k - 1
    are enumerated too where that takes at most twice the passes.

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

    Args:
        key: a `jax.random.key`; the same key gives the same answer at any batch size.
        game: a `Game` of n players.
        orders: context sizes m, integers 0..n-k; or floats r in [0, 1], meaning int((n-k) r); None = every
            order for n <= 16, else the official ratios 0, .05, .1, .2, ..., .9, .95, 1.
        pairs: coalitions as integers (coalitions, k) with k = 1, 2 or 3, or "all" of `size` players.
        contexts: contexts for each coalition and order; the standard error falls with its square root.
        method: "blocks", "quadruples" or "regression" (pairs only).
        size: players of a coalition if `pairs` is "all".
        batch_size: rows of a batch on one device; by default chosen from memory. It is halved where a device runs out.
        memory: bytes that the compiled forward passes may take on one device, weights included; None = 0.4 of what is
            free there.
        mesh: a `jax.sharding.Mesh` of the devices to spread forward passes over; None = all local accelerators.

    Returns:
        `OrderInteractions` with mean and stderr (orders, coalitions).

    Raises:
        ValueError: for orders out of range, coalitions with repeated or unknown players, fewer than one context, an
            unknown method, one row that does not fit `memory`, or single players or triples with "regression".

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
    coalitions = as_coalitions(pairs, game.n_players, size)
    numbers = as_orders(orders, game.n_players, coalitions.shape[1])
    check_sampling(contexts, method)
    how: dict[str, Any] = {"batch_size": batch_size, "memory": check_memory(memory), "mesh": as_mesh(mesh)}
    if method == "regression":
        if coalitions.shape[1] != 2:
            raise ValueError(f'method="regression" measures pairs, got coalitions of {coalitions.shape[1]} players')
        evaluate = RowValues(game, shared=False, **how).of_masks
        found = [regress_pairs(key, game, coalitions, int(order), contexts, evaluate) for order in numbers]
        return _of_regression(found, numbers, coalitions, game.n_players)
    sums = ObservationSums.zeros(len(numbers), 1, len(coalitions))
    work = plans(key, game.n_players, [coalitions], numbers.tolist(), contexts, method=method)
    for _ in observe(game, [sums], work, **how):
        pass
    warn_if_nonfinite(sums.n_nonfinite, sums.n_forwards)
    total, squares, count = sums.total[:, 0], sums.squares[:, 0], sums.count[:, 0]
    mean, variance = moments(total, squares, count)
    variance[[is_exact(game.n_players, coalitions.shape[1], int(m), contexts, method) for m in numbers]] = 0.0
    stderr = np.where(np.isnan(mean), np.nan, np.sqrt(variance / np.maximum(count, 1)))
    if np.any(np.isnan(stderr) & np.isfinite(mean)):
        warnings.warn("a single context leaves the standard error unknown (NaN): use contexts >= 2", stacklevel=2)
    return OrderInteractions(
        orders=numbers,
        pairs=coalitions,
        mean=mean,
        stderr=stderr,
        count=count,
        n_forwards=sums.n_forwards,
        n_nonfinite=sums.n_nonfinite,
        method=method,
        n_players=game.n_players,
    )


def _of_regression(
    found: Sequence[PairEstimates], orders: np.ndarray, pairs: np.ndarray, n_players: int
) -> OrderInteractions:
    n_forwards, n_nonfinite = sum(one.n_forwards for one in found), sum(one.n_nonfinite for one in found)
    warn_if_nonfinite(n_nonfinite, n_forwards)
    return OrderInteractions(
        orders=orders,
        pairs=pairs,
        mean=np.stack([one.mean for one in found]),
        stderr=np.stack([one.stderr for one in found]),
        count=np.stack([one.count for one in found]),
        n_forwards=n_forwards,
        n_nonfinite=n_nonfinite,
        method="regression",
        n_players=n_players,
    )


@dataclasses.dataclass
class Done:
    """How far some work is done: pieces that are in its sums, and the values of the next piece's first rows."""

    pieces: int = 0
    values: list[np.ndarray] = dataclasses.field(default_factory=list)


def observe(
    game: Game,
    sums: Sequence[ObservationSums],
    work: Iterable[tuple[int, int, Plan]],
    *,
    batch_size: int | None = None,
    memory: int | None = None,
    mesh: Mesh | None = None,
    done: Done | None = None,
) -> Iterator[int]:
    """Evaluate plans and add each to the sums of its set at its place; yields the forward passes of each few rows.

    Rows are in flight ahead of those waited for, so that the next piece is listed while the device works. `done` is
    up to date at each yield; with it and the sums of that moment a later call goes on as if there had been no pause.
    """
    done = done if done is not None else Done()
    row_values = RowValues(game, batch_size=batch_size, memory=memory, mesh=mesh)
    waiting: deque[tuple[list[tuple[int, int, Plan]], bool, Callable[[], np.ndarray]]] = deque()

    def finish() -> int:
        pieces, is_last, collect = waiting.popleft()
        found = collect()
        done.values.append(found)
        if is_last:
            _add(sums, pieces, np.concatenate(done.values), game.passes)
            done.pieces, done.values = done.pieces + 1, []
        return len(found) * game.passes

    first = sum(map(len, done.values))
    for pieces in itertools.islice(_gather(work), done.pieces, None):
        contexts, index, flips = _joined([plan for _, _, plan in pieces])
        some = row_values.batch_rows(flips.shape[1])
        for start in range(first, len(index), some):
            stop = min(start + some, len(index))
            used = slice(int(index[start]), int(index[stop - 1]) + 1)
            collect = row_values.dispatch(contexts[used], index[start:stop] - index[start], flips[start:stop])
            waiting.append((pieces, stop == len(index), collect))
            if len(waiting) * some > _ROWS_IN_FLIGHT:
                yield finish()
        first = 0
    while waiting:
        yield finish()


def _add(sums: Sequence[ObservationSums], pieces: list[tuple[int, int, Plan]], values: np.ndarray, passes: int) -> None:
    """Add the observations of plans evaluated together, given the values of all their rows."""
    for number, place, plan in pieces:
        sums[number].add(place, plan, values[: len(plan.context_index)], passes)
        values = values[len(plan.context_index) :]


def _gather(work: Iterable[tuple[int, int, Plan]]) -> Iterator[list[tuple[int, int, Plan]]]:
    """Small plans together, so that few chunks are partly empty."""
    pieces, rows = [], 0
    for piece in work:
        added = len(piece[2].context_index)
        if pieces and rows + added > 1.5 * PIECE_ROWS:
            yield pieces
            pieces, rows = [], 0
        pieces.append(piece)
        rows += added
    if pieces:
        yield pieces


def _joined(plans: Sequence[Plan]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts = np.cumsum([0] + [len(plan.contexts) for plan in plans])
    index = [plan.context_index + np.int32(start) for plan, start in zip(plans, starts, strict=False)]
    contexts = np.concatenate([plan.contexts for plan in plans])
    return contexts, np.concatenate(index), np.concatenate([plan.flips for plan in plans])


def moments(total: np.ndarray, squares: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and unbiased variance of a single observation from running sums; NaN where they are unknown."""
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    with np.errstate(invalid="ignore"):  # infinite values: the NaN that they leave is kept
        variance = np.maximum(squares - count * mean**2, 0.0) / np.maximum(count - 1, 1)
    return mean, np.where(count > 1, variance, np.nan)


def check_sampling(contexts: Any, method: Any) -> None:
    """Raise ValueError unless `contexts` is a positive integer and `method` is known."""
    if not isinstance(contexts, int | np.integer) or contexts < 1:
        raise ValueError(f"contexts must be an integer of at least 1, got {contexts!r}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")


def as_orders(orders: Any, n_players: int, size: int) -> np.ndarray:
    """Context sizes from integers, from ratios of the largest order (floats), or the default ones."""
    largest = n_players - size
    if largest < 0:
        raise ValueError(f"coalitions of {size} players need a game of at least {size} players, got {n_players}")
    if orders is None:
        orders = np.arange(largest + 1) if n_players <= 16 else np.array(OFFICIAL_RATIOS)
    orders = np.asarray(orders)
    if orders.ndim != 1 or orders.size == 0 or orders.dtype.kind not in "iuf":
        raise ValueError(
            f"orders must be a non-empty list of integers 0..{largest} or ratios in [0, 1], got {orders!r}"
        )
    if orders.dtype.kind == "f":
        if not np.all((orders >= 0) & (orders <= 1)):
            raise ValueError(
                f"orders given as floats are ratios of the largest order, in [0, 1]; got {orders.tolist()}"
            )
        orders = np.unique((largest * orders + 1e-9).astype(int))
    if orders.min() < 0 or orders.max() > largest:
        raise ValueError(
            f"orders are context sizes 0..{largest} ({n_players} players less the {size} measured), "
            f"got {orders.tolist()}"
        )
    if len(np.unique(orders)) != len(orders):
        raise ValueError(f"orders must be distinct, got {orders.tolist()}")
    return orders.astype(np.int64)


def as_coalitions(pairs: Any, n_players: int, size: int = 2) -> np.ndarray:
    """Measured coalitions, each sorted: int32 (coalitions, k)."""
    if isinstance(pairs, str):
        if pairs != "all":
            raise ValueError(f'pairs must be "all" or integers of shape (coalitions, 1, 2 or 3), got {pairs!r}')
        if size not in (1, 2, 3) or size > n_players:
            raise ValueError(f"size must be 1, 2 or 3 and at most the {n_players} players, got {size!r}")
        return all_of_size(n_players, size)
    coalitions = np.asarray(pairs)
    if (
        coalitions.ndim != 2
        or not 1 <= coalitions.shape[1] <= 3
        or not len(coalitions)
        or coalitions.dtype.kind not in "iu"
    ):
        raise ValueError(
            "pairs must be integers of shape (coalitions, k), k = 1, 2 or 3, "
            f"got {coalitions.dtype} of shape {coalitions.shape}"
        )
    coalitions = np.sort(coalitions, axis=1)
    if coalitions.min() < 0 or coalitions.max() >= n_players:
        raise ValueError(f"players are numbered 0..{n_players - 1}, got {coalitions.min()}..{coalitions.max()}")
    if np.any(coalitions[:, 1:] == coalitions[:, :-1]):
        wrong = coalitions[np.any(coalitions[:, 1:] == coalitions[:, :-1], axis=1)][0]
        raise ValueError(f"a coalition names distinct players (i != j), got {tuple(wrong.tolist())}")
    if len(np.unique(coalitions, axis=0)) != len(coalitions):
        raise ValueError("pairs must be distinct; (i, j) and (j, i) are the same pair")
    return coalitions.astype(np.int32)
