"""Losses that favour or suppress interactions of chosen orders, for training: one value an example.

Both take `apply`, the network in training: inputs (batch, ...) -> logits (batch, classes); an nnx module as it is, or
`lambda inputs: module.apply(variables, inputs)`. Everything inside is traced: use them under jit, grad and sharding.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from interjax._coalitions import draw_coalition, draw_nested
from interjax._masked_examples import check_count, check_examples, for_examples, logits_of, masked
from interjax._orders import as_coalitions, as_orders
from interjax._outputs import LabelOutput, as_output, check_output, log_odds
from interjax._players import Players

MODES = ("encourage", "penalize")
ALIGNMENTS = ("sizes", "fractions")
AVERAGES = ("losses", "logits")
STRENGTHS = ("absolute", "square")


def order_modulation(
    key: Array,
    apply: Callable[[Array], Array],
    x: Array,
    labels: Array,
    *,
    low: float,
    high: float,
    mode: str = "encourage",
    players: Players,
    baseline: Any = 0.0,
    align: str = "sizes",
    draws: int = 1,
    average: str = "losses",
) -> Array:
    """Encourage or penalize interactions of the orders between low * n and high * n.

    One permutation of the n players is drawn for each example; S1 holds its first s1 = int(low * n) players, S2 its
    first s2 = int(high * n), so that S1 lies inside S2. On the logit vector z(S) of the input without its other players

        D = z(S2) - (s2 / s1) z(S1),  coefficient 1 where s1 = 0
        encourage:  L+ = -log softmax(D)_y
        penalize:   L- = sum_k softmax(D)_k log softmax(D)_k = -entropy

    D holds no interaction of an order above s2 - 2, and those below s1 in part: the weight of I^(m) in E[D] is
    (s2/s1 - 1)(m+1) for m <= s1 - 2, then s2 - 1 - m up to m = s2 - 2, so much of it lies below s1.

    Add the loss to any other: `optax.softmax_cross_entropy_with_integer_labels(apply(x), y) + order_modulation(...)`,
    with weights 1 and 1 in the papers. It makes one call of `apply` with 2 * draws * batch inputs, (draws + 1) * batch
    where low is 0 or high is 1.

    Where `apply` normalises by the batch's statistics (BatchNorm in training mode), masked inputs share them and change
    the running averages; pass a view with `use_running_average=True` for z(S) as it is measured afterwards.

    Args:
        key: `jax.random.key` of this step. Example b's players depend on the key and b alone.
        apply: the network, inputs (batch, *input shape) -> logits (batch, classes).
        x: inputs (batch, *input shape).
        labels: class indices (batch,).
        low: r1, where the range of orders begins as a share of n, in [0, 1).
        high: r2, where it ends, in (low, 1].
        mode: "encourage" or "penalize".
        players: which entries of an input belong together.
        baseline: what replaces absent players: a number or an array of one input's shape.
        align: "sizes" for the coefficient s2 / s1; "fractions" for high / low, as the papers' released code has it:
            with sizes cut to integers it leaks a term in z of one size.
        draws: (S1, S2) drawn for each example; more are less noisy and cost more.
        average: what is averaged over the draws: "losses", or "logits", D itself before its softmax. A single D differs
            from E[D] by what the drawn players do alone, the more the fewer players there are, and the loss falls on
            that too: of 14 columns that spread was three times E[D] (benchmarks/NOTES.md).

    Returns:
        (batch,), in nats: L+ >= 0; L- in [-log classes, 0].

    Raises:
        ValueError: low and high out of range or equal in players, an unknown mode or alignment, shapes that do not
            fit, logits that are not (batch, classes).

    Example:
        >>> import interjax as ij, jax, jax.numpy as jnp
        >>> x, y = jnp.ones((3, 4)), jnp.array([0, 1, 1])
        >>> apply = lambda x: x @ jnp.ones((4, 2))
        >>> ij.losses.order_modulation(jax.random.key(0), apply, x, y, low=0.0, high=0.5, mode="penalize",
        ...                            players=ij.Players.features(4))
        Array([-0.6931472, -0.6931472, -0.6931472], dtype=float32)

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), section 4, equations 9 to 12; arXiv:2512.18607.
    """
    absent = check_examples(key, x, labels, players, baseline)
    small, large = modulated_sizes(low, high, players.n)
    if mode not in MODES:
        raise ValueError(f"mode must be {' or '.join(MODES)}; got {mode!r}")
    if align not in ALIGNMENTS:
        raise ValueError(f"align must be {' or '.join(ALIGNMENTS)}; got {align!r}")
    if average not in AVERAGES:
        raise ValueError(f"average must be {' or '.join(AVERAGES)}; got {average!r}")
    check_count("draws", draws)
    coalitions = nested_coalitions(key, len(x), players.n, (small, large), draws=draws)
    # No players and all players are the same coalition in every draw.
    without, within = coalitions[:, : draws if small else 1, 0], coalitions[:, : draws if large < players.n else 1, 1]
    logits = logits_of(apply, masked(x, jnp.concatenate([without, within], axis=1), players, absent))
    without, within = jnp.split(logits.reshape(len(x), -1, logits.shape[-1]), [without.shape[1]], axis=1)
    numerator, denominator = (large, small) if align == "sizes" else (high, low)
    change = within - (numerator / denominator if denominator else 1.0) * without
    if average == "logits":
        change = change.mean(axis=1, keepdims=True)
    if mode == "encourage":
        wanted = jnp.broadcast_to(labels[:, None], change.shape[:2])
        losses = optax.softmax_cross_entropy_with_integer_labels(change, wanted)
    else:
        log_probabilities = jax.nn.log_softmax(change)
        losses = jnp.sum(jnp.exp(log_probabilities) * log_probabilities, axis=-1)
    return losses.mean(axis=1)


def modulated_sizes(low: float, high: float, n_players: int) -> tuple[int, int]:
    """Players of S1 and S2: int(low * n), int(high * n); raises ValueError unless 0 <= low < high <= 1 tell them apart.

    Example:
        >>> modulated_sizes(0.3, 0.7, 196)
        (58, 137)
    """
    if not 0 <= low < high <= 1:
        raise ValueError(f"low and high are fractions of the players, 0 <= low < high <= 1; got low={low}, high={high}")
    small, large = (int(n_players * share + 1e-9) for share in (low, high))
    if small == large:
        raise ValueError(
            f"{n_players} players are too few to tell low={low} from high={high}: both mean coalitions of {small} "
            "players; move them apart or cut the input into more players"
        )
    return small, large


def nested_coalitions(key: Array, batch: int, n_players: int, sizes: Sequence[int], *, draws: int = 1) -> Array:
    """Coalitions of each size, the smaller inside the larger: bool (batch, draws, sizes, n).

    Those of example b and draw d are the first players of a uniform permutation that depends on (key, b, d) alone.

    Example:
        >>> nested_coalitions(jax.random.key(0), 2, 6, (1, 4)).sum(axis=-1).tolist()
        [[[1, 4]], [[1, 4]]]
    """
    return _nested_coalitions(key, jnp.asarray(sizes, jnp.int32), batch, n_players, draws)


@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def _nested_coalitions(key: Array, sizes: Array, batch: int, n_players: int, draws: int) -> Array:
    return for_examples(key, batch, draws, lambda own: draw_nested(own, n_players, sizes))


def order_weighted(
    key: Array,
    apply: Callable[[Array], Array],
    x: Array,
    labels: Array,
    *,
    orders: Sequence[int] | Sequence[float],
    weights: Sequence[float],
    players: Players,
    baseline: Any = 0.0,
    output: Any = log_odds,
    pairs: Any = "all",
    contexts: int = 1,
    draws: int = 1,
    strength: str = "absolute",
    relative: bool = False,
) -> Array:
    """Penalize or reward the interactions of chosen orders themselves, each order with a weight of its own.

        L = sum over m of w_m E_ij |I^(m)(i,j)|,  I^(m)(i,j) = E over |S| = m of v(S+ij) - v(S+i) - v(S+j) + v(S)

    by sampling: each draw takes one order, all in turn within the batch, a uniform pair and `contexts` contexts, and
    its term counts for all orders. A weight above 0 penalizes, one below 0 rewards. It makes one call of `apply` with
    4 * contexts * draws * batch inputs, whatever the number of orders.

    Args:
        key, apply, x, labels, players, baseline: as for `order_modulation`.
        orders: context sizes m, integers 0..n-2, or floats in [0, 1] as shares of n - 2.
        weights: w_m, one for each of them.
        output: label -> (logits -> scalar): what v reads off the logits, e.g. `ij.log_odds`.
        pairs: "all", or the pairs to draw from, integers (pairs, 2) such as `ij.pairs_within(grid, 2)`.
        contexts: contexts averaged over for each draw; the absolute value of few is biased upwards.
        draws: (order, pair) drawn for each example.
        strength: "absolute" for |I|; "square" for I^2, without bias from 2 contexts on.
        relative: divide by the batch's mean strength over the orders, so that L = sum of w_m J^(m). A reward of
            absolute strength has no upper bound; a reward of the relative one has.

    Returns:
        (batch,), in units of v (its square for "square", none where relative); its mean over examples and keys is L.

    Raises:
        ValueError: weights and orders that differ in number, an unknown strength, too few contexts, and as
            `order_modulation`.

    Example:
        >>> import interjax as ij, jax, jax.numpy as jnp
        >>> apply = lambda x: jnp.stack([0 * x[:, 0], jnp.prod(x, axis=1)], axis=1)   # v = 1 where all are present
        >>> ij.losses.order_weighted(jax.random.key(0), apply, jnp.ones((2, 3)), jnp.array([1, 1]), orders=[0, 1],
        ...                          weights=[0.0, 1.0], players=ij.Players.features(3)).tolist()
        [2.0, 0.0]

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), equation 2 for I^(m); the loss is interjax's own.
    """
    absent = check_examples(key, x, labels, players, baseline)
    sizes = as_orders(orders, players.n, 2)
    check_count("contexts", contexts)
    check_count("draws", draws)
    if np.shape(weights) != (len(sizes),) or len(np.shape(orders)) != 1 or len(orders) != len(sizes):
        raise ValueError(f"each order needs its weight: got weights of shape {np.shape(weights)} for orders {orders}")
    if strength not in STRENGTHS:
        raise ValueError(f"strength must be {' or '.join(STRENGTHS)}; got {strength!r}")
    if strength == "square" and contexts < 2:
        raise ValueError('strength="square" is unbiased from 2 contexts on, got contexts=1')
    population = as_coalitions(pairs, players.n)
    if population.shape[1] != 2:
        raise ValueError(f"pairs hold two players each, got {population.shape[1]}")

    if isinstance(output, LabelOutput) or not callable(output):
        raise ValueError(f"output turns a label into what is read, such as ij.log_odds without a label; got {output}")
    batch = len(x)
    turn = _turns(key, batch * draws, len(sizes)).reshape(batch, draws)
    chosen = jnp.asarray(sizes)[turn]
    coalitions = _quadruples(key, chosen, jnp.asarray(population), players.n, contexts)
    logits = logits_of(apply, masked(x, coalitions, players, absent))
    values = _values(output, logits.reshape(batch, -1, logits.shape[-1]), labels)
    neither, first, second, both = jnp.moveaxis(values.reshape(batch, draws, contexts, 4), -1, 0)
    terms = _strength(both - first - second + neither, strength)
    if relative:
        terms = terms / terms.mean()
    return len(sizes) * jnp.mean(jnp.asarray(weights, terms.dtype)[turn] * terms, axis=1)


def _turns(key: Array, count: int, n_orders: int) -> Array:
    """The orders in turn from a random one on, so that a batch holds as many draws of each as it can: int (count,)."""
    return (jax.random.randint(jax.random.fold_in(key, 0), (), 0, n_orders) + jnp.arange(count)) % n_orders


@functools.partial(jax.jit, static_argnums=(3, 4))
def _quadruples(key: Array, orders: Array, pairs: Array, n_players: int, contexts: int) -> Array:
    """S, S+i, S+j, S+ij for each example, draw and context: bool (batch, draws, contexts * 4, n)."""

    def draw(own: Array, order: Array) -> Array:
        pair_key, context_key = jax.random.split(own)
        pair = pairs[jax.random.randint(pair_key, (), 0, len(pairs))]
        measured = jax.nn.one_hot(pair, n_players, dtype=bool)
        present = jnp.stack([jnp.zeros(n_players, bool), measured[0], measured[1], measured.any(axis=0)])

        def context(number: Array) -> Array:
            return draw_coalition(jax.random.fold_in(context_key, number), order, measured.any(axis=0))

        drawn = jax.vmap(context)(jnp.arange(contexts))
        return (drawn[:, None] | present[None]).reshape(contexts * 4, n_players)

    batch, draws = orders.shape
    return for_examples(jax.random.fold_in(key, 1), batch, draws, draw, orders)


def _strength(differences: Array, strength: str) -> Array:
    """|mean| or the unbiased square of the mean over contexts, the last axis."""
    if strength == "absolute":
        return jnp.abs(differences.mean(axis=-1))
    contexts = differences.shape[-1]
    products = jnp.sum(differences, axis=-1) ** 2 - jnp.sum(differences**2, axis=-1)
    return products / (contexts * (contexts - 1))


def _values(output: Any, logits: Array, labels: Array) -> Array:
    """The value of each of an example's rows: (batch, rows, classes) and (batch,) -> (batch, rows)."""

    def of_example(logits: Array, label: Array) -> Array:
        read = as_output(output(label))
        check_output(read, jax.eval_shape(lambda: logits))
        return jax.vmap(read)(logits)

    return jax.vmap(of_example)(logits, labels)
