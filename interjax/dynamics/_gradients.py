"""Learning dynamics by order: profiles over a training run, and how the gradients of interactions vary over contexts.

A network learns the interaction I^(m)(i,j) = E over |S| = m of dv(i,j,S), dv = v(S+ij) - v(S+i) - v(S+j) + v(S), by its
gradient, the mean of g(S) = d dv(i,j,S) / d theta. Where every context pulls elsewhere, that mean is short.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_count, check_progress
from interjax._core._estimate import Estimate
from interjax._core._keys import check_key
from interjax._core._progress import Progress
from interjax._core._results import Saved, result, static_field
from interjax.dynamics._context_gradients import contexts_of_pairs, moments_of_pair
from interjax.games._game import Game
from interjax.games._masking import Masking
from interjax.games._models import as_apply, trained_leaves
from interjax.games._outputs import log_odds
from interjax.orders._arguments import as_coalitions, as_orders

_PAIR_STREAM = 0
_CPU_BATCH, _ACCELERATOR_BATCH = 4, 32


@result
class GradientStatistics(Saved):
    """How the gradients g(S) of second differences vary over contexts, by order; in units of v^2 per parameter^2.

    Attributes:
        orders: int (orders,), context sizes m.
        variance: (orders,) E tr Var g(S) over a pair's contexts, mean over pairs and inputs; 0 at m = 0 and n-2.
        variance_stderr: (orders,) its standard error: between inputs; with one input, between pairs.
        squared_mean: (orders,) E |E g(S)|^2 = E |d I^(m) / d theta|^2, the contexts' noise subtracted.
        squared_mean_stderr: (orders,) its standard error, likewise.
        learning_strength: (orders,) w^(m) sqrt(squared_mean), w^(m) = (n-m-1) / (n(n-1)), to be compared in shape with
            `ij.learning_strength(n)`; NaN where squared_mean is not positive.
        learning_strength_stderr: (orders,) its standard error, to first order.
        variance_by_input, squared_mean_by_input: (inputs, orders), means over the pairs of each input.
        pairs_by_input: (inputs,) pairs whose gradients were computed.
        n_gradients: gradients that were computed, each of four forward and backward rows.
        n_nonfinite: of these, the ones with NaN or infinite entries; the numbers that they enter are NaN.
        n_players: number of players n.
        contexts: contexts drawn for each pair and order.
    """

    orders: np.ndarray
    variance: np.ndarray
    variance_stderr: np.ndarray
    squared_mean: np.ndarray
    squared_mean_stderr: np.ndarray
    learning_strength: np.ndarray
    learning_strength_stderr: np.ndarray
    variance_by_input: np.ndarray
    squared_mean_by_input: np.ndarray
    pairs_by_input: np.ndarray
    n_gradients: int
    n_nonfinite: int
    n_players: int = static_field()
    contexts: int = static_field()


def gradient_statistics(
    key: Array,
    model: Any,
    x: Any,
    labels: Sequence[int] | Any,
    *,
    players: Any,
    baseline: Any = 0.0,
    output: Any = log_odds,
    orders: Sequence[int] | Sequence[float] | None = None,
    pairs: Any = 20,
    contexts: int = 32,
    precision: str | None = "float32",
    batch: int | None = None,
    progress: Progress | None = None,
) -> GradientStatistics:
    """Measure how strongly, and how much alike in all contexts, interactions of each order pull at the parameters.

        variance     = E_x,ij tr Var over |S| = m of g(S),   g(S) = d/d theta [v(S+ij) - v(S+i) - v(S+j) + v(S)]
        squared_mean = E_x,ij |E over |S| = m of g(S)|^2 = E_x,ij |d I^(m)(i,j) / d theta|^2

    estimated without bias from K independent uniform contexts of a pair: sum |g - mean g|^2 / (K-1), and |mean g|^2
    less that variance / K. At m = 0 and m = n-2 the only context is evaluated.

    `learning_strength` is w^(m) sqrt(squared_mean), w^(m) the weight of order m in v(N) - v(0). Up to a factor it would
    be the theory's F^(m) = w^(m) / sqrt(C(n-2, m)) if gradients of different contexts were independent, of mean 0 and
    of one variance at all orders; here none of this is assumed.

    theta are the floating parameters: `nnx.Param` of an nnx module, the collection "params" of a Linen module, every
    floating array of other params. Batch statistics are constants, dropout is off, and the network is left as found.

    Args:
        key: a `jax.random.key`; the same key gives the same answer at any `batch`. A pair's contexts do not depend on
            which other pairs and orders are measured.
        model: an `nnx.Module`, (Linen module, variables) or (function(params, inputs), params).
        x: inputs (inputs, *input shape), or several arrays in dicts, tuples and lists, each of one row an input.
        labels: (inputs,) class numbers, or whatever numbers `output` takes; None where it takes none.
        players, baseline, output, precision: as for `ij.masked_games`.
        orders: context sizes m, integers 0..n-2; or floats r in [0, 1], meaning int((n-2) r); None = every order for
            n <= 16, else the official ratios 0, .05, .1, .2, ..., .9, .95, 1.
        pairs: the pairs to average over: a number, drawn for each input among all; "all"; or integers (pairs, 2). Those
            with a player whose part of the input equals the baseline have gradient 0: they enter the means uncomputed,
            and a number is drawn among the others.
        contexts: contexts K for each pair and order, at least 2; the noise falls faster with more pairs and inputs.
        batch: contexts whose gradients are held at once, each as large as the parameters; None = 4 on a CPU, else 32.
        progress: called with (gradients computed, gradients in all) after each pair.

    Returns:
        `GradientStatistics`.

    Raises:
        ValueError: for fewer than 4 players or 2 contexts, orders, pairs or labels out of range, shapes that do not
            fit, or a network without floating parameters.

    Warns:
        UserWarning: if gradients hold NaN, if squared_mean is not positive at some order, or if one pair of one input
            leaves the standard errors unknown (NaN).

    Example:
        >>> import interjax as ij, jax, jax.numpy as jnp
        >>> apply = lambda theta, x: theta * jnp.stack([jnp.sum(x, axis=1) ** 3, jnp.zeros(len(x))], axis=1)
        >>> found = ij.dynamics.gradient_statistics(jax.random.key(0), (apply, 1.0), jnp.ones((1, 4)), [0],
        ...                                         players=ij.Players.features(4), output=ij.logit, pairs="all")
        >>> found.squared_mean.tolist(), found.variance.tolist()   # g = 6 |S| + 6, whichever players S holds
        ([36.0, 144.0, 324.0], [0.0, 0.0, 0.0])

    References:
        Deng et al., arXiv:2512.18607 (variance over contexts); ICLR 2022, arXiv:2111.06236 (F^(m)).
    """
    check_key(key)
    if batch is None:
        batch = _CPU_BATCH if jax.default_backend() == "cpu" else _ACCELERATOR_BATCH
    batch = check_count("batch", batch)
    contexts = check_count("contexts", contexts, least=2, about="since their variance is taken")
    check_progress(progress)
    masking, x = Masking(players, baseline, output, precision).on(x)
    masking.check_labelled(labels)
    players = masking.players
    if players.n < 4:
        raise ValueError(f"players must be 4 or more, since contexts vary from 4 players on; got {players.n}")
    numbers = as_orders(orders, players.n, 2)
    apply, params = as_apply(model, x)
    is_trained = trained_leaves(model, params)
    games = masking.games((apply, params), x, labels, fold=False)

    cells = np.stack([numbers, np.where(numbers % (players.n - 2) == 0, 1, contexts)], axis=1).astype(np.int32)
    keys = [jax.random.fold_in(key, number) for number in range(len(games))]
    work = [_pairs_of_input(own, game, pairs) for own, game in zip(keys, games, strict=True)]
    each, total = int(cells[:, 1].sum()), sum(len(chosen) for chosen, _ in work)
    moments = [np.zeros((3, len(chosen), len(cells))) for chosen, _ in work]
    done = 0
    for own, game, (chosen, _), found in zip(keys, games, work, moments, strict=True):
        drawn = contexts_of_pairs(own, chosen, cells, players.n, batch)
        for place, (pair, coalitions) in enumerate(zip(chosen, drawn, strict=True)):
            found[:, place] = moments_of_pair(game, pair, coalitions, cells[:, 1], is_trained=is_trained, batch=batch)
            done += 1
            if progress is not None:
                progress(done * each, total * each)
    statistics = _summarise(moments, [share for _, share in work], cells, players.n, contexts)
    _warn(statistics)
    return statistics


def _pairs_of_input(key: Array, game: Game, pairs: Any) -> tuple[np.ndarray, float]:
    """The pairs to compute for an input, int32 (pairs, 2), and the share of pairs that they stand for."""
    is_number = isinstance(pairs, int | np.integer) and not isinstance(pairs, bool)
    every = as_coalitions("all" if is_number else pairs, game.n_players)
    if every.shape[1] != 2:
        raise ValueError(f"pairs must hold two players each for gradients, got coalitions of {every.shape[1]} players")
    live = every if game.is_null is None else every[~np.asarray(game.is_null)[every].any(axis=1)]
    share = len(live) / len(every)
    if is_number and check_count("pairs", int(pairs)) < len(live):
        order = np.asarray(jax.random.permutation(jax.random.fold_in(key, _PAIR_STREAM), len(live)))
        live = live[np.sort(order[:pairs])]
    return live, share


def _summarise(
    moments: list[np.ndarray], shares: list[float], cells: np.ndarray, n_players: int, contexts: int
) -> GradientStatistics:
    """Unbiased estimates for each pair, (3, pairs, orders) for each input, then means over pairs and inputs."""
    orders, counts = cells.T.astype(np.int64)
    variances = [spread / np.maximum(counts - 1, 1) for spread, _, _ in moments]
    squares = [found[1] - variance / counts for found, variance in zip(moments, variances, strict=True)]
    variance, variance_stderr, variance_by_input = _means(variances, shares)
    squared_mean, squared_mean_stderr, squared_mean_by_input = _means(squares, shares)
    weight = (n_players - 1 - orders) / (n_players * (n_players - 1))
    root = np.sqrt(np.where(squared_mean > 0, squared_mean, np.nan))
    return GradientStatistics(
        orders=orders,
        variance=variance,
        variance_stderr=variance_stderr,
        squared_mean=squared_mean,
        squared_mean_stderr=squared_mean_stderr,
        learning_strength=weight * root,
        learning_strength_stderr=weight * squared_mean_stderr / (2 * root),
        variance_by_input=variance_by_input,
        squared_mean_by_input=squared_mean_by_input,
        pairs_by_input=np.array([found.shape[1] for found in moments]),
        n_gradients=sum(found.shape[1] for found in moments) * int(counts.sum()),
        n_nonfinite=int(sum(found[2].sum() for found in moments)),
        n_players=n_players,
        contexts=contexts,
    )


def _means(by_pair: list[np.ndarray], shares: list[float]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over inputs of their means over all pairs, its standard error, and the means of each input."""
    terms = [share * found for share, found in zip(shares, by_pair, strict=True)]
    by_input = np.stack([found.sum(axis=0) / max(len(found), 1) for found in terms])
    sampled = by_input if len(by_input) > 1 else terms[0]
    return by_input.mean(axis=0), Estimate.of_mean(sampled).stderr, by_input


def _warn(found: GradientStatistics) -> None:
    if found.n_nonfinite:
        warnings.warn(
            f"{found.n_nonfinite} of {found.n_gradients} gradients hold NaN or infinite numbers; every number that "
            "they enter is NaN too. Look for overflow in the network, or for a baseline outside its domain",
            stacklevel=3,
        )
    lost = found.orders[found.squared_mean <= 0].tolist()
    if lost:
        warnings.warn(
            f"squared_mean is not positive at orders {lost}, so the learning strength is NaN there: the gradients "
            "vanish, or are too noisy for so few contexts, pairs and inputs",
            stacklevel=3,
        )
    if len(found.pairs_by_input) == 1 and found.pairs_by_input[0] == 1:
        warnings.warn("one pair of one input leaves the standard errors unknown (NaN): measure more", stacklevel=3)
