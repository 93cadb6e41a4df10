"""A loss of the strength of chosen orders, estimated with few passes."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from interjax._core._checks import check_array, check_choice, check_count, check_flag
from interjax.games._apply import row_of
from interjax.games._coalitions import draw_coalition
from interjax.games._readings import check_reading, read_of, reads_class
from interjax.losses._masked_examples import (
    check_classes_given,
    class_labels,
    for_examples,
    masked_batch,
    of_classes,
    outputs_of,
)
from interjax.orders._arguments import as_coalitions, as_orders

STRENGTHS = ("absolute", "square")


def order_weighted(
    key: Array,
    apply: Callable[[Any], Any],
    x: Any,
    labels: Any = None,
    *,
    orders: Sequence[int] | Sequence[float],
    weights: Sequence[float],
    players: Any,
    baseline: Any = 0.0,
    output: Any = None,
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
        key, x, players, baseline: as for `order_modulation`.
        apply: the network, inputs (batch, *input shape) -> outputs of one row an input, whatever `output` reads.
        labels: class indices (batch,), or whatever numbers `output` takes; None where it takes none.
        orders: context sizes m, integers 0..n-2, or floats in [0, 1] as shares of n - 2.
        weights: w_m, one for each of them.
        output: what v reads off the network's output for one input, as for `ij.masked_games`: None = the log-odds of
            the label, or the number itself where the network gives one an input and labels are no integers.
        pairs: "all", or the pairs to draw from, integers (pairs, 2) such as `ij.pairs_within(grid, 2)`.
        contexts: contexts averaged over for each draw; the absolute value of few is biased upwards.
        draws: (order, pair) drawn for each example.
        strength: "absolute" for |I|; "square" for I^2, without bias from 2 contexts on.
        relative: divide by the batch's mean strength over the orders D, so that L = sum of w_m J^(m). A reward of
            absolute strength has no upper bound; a reward of the relative one has. Squares without bias may be
            negative, and so may their mean over a small batch: D is then no less than the standard error that it would
            have if contexts were all that tells differences apart, mean(d^2) sqrt(2 / (c (c-1) N)) of c contexts and
            N = batch * draws, which bounds |L| by orders * max |w| / sqrt(2 / (c (c-1) N)). Where D is within rounding
            of the values or of the outputs that they are read off, 2 eps |v| (its square for "square"), L and its
            gradient are 0: no interaction is told from rounding.

    Returns:
        (batch,), in units of v (its square for "square", none where relative); its mean over examples and keys is L.

    Raises:
        ValueError: weights and orders that differ in number, an unknown strength, too few contexts, and as
            `order_modulation`.

    Example:
        >>> import interjax as ij, jax, jax.numpy as jnp
        >>> apply = lambda x: jnp.stack([0 * x[:, 0], jnp.prod(x, axis=1)], axis=1)   # v = 1 where all are present
        >>> loss = jax.jit(lambda key, x, labels: ij.losses.order_weighted(
        ...     key, apply, x, labels, orders=[0, 1], weights=[0.0, 1.0], players=ij.Players.features(3)))
        >>> loss(jax.random.key(0), jnp.ones((2, 3)), jnp.array([1, 1])).tolist()
        [2.0, 0.0]

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), equation 2 for I^(m); the loss is interjax's own.
    """
    x, batch, partition, masked = masked_batch(key, x, players, baseline)
    n_players = partition.n
    sizes = as_orders(orders, n_players, 2)
    contexts, draws = check_count("contexts", contexts), check_count("draws", draws)
    shares = check_weights(weights, orders, len(sizes))
    check_flag("relative", relative)
    check_choice("strength", strength, STRENGTHS)
    if strength == "square" and contexts < 2:
        raise ValueError('contexts must be at least 2 for strength="square", which is unbiased only then; got 1')
    population = as_coalitions(pairs, n_players)
    if population.shape[1] != 2:
        raise ValueError(f"pairs must hold two players each, got {population.shape[1]}")

    check_reading(output)
    turn = _turns(key, batch * draws, len(sizes)).reshape(batch, draws)
    chosen = jnp.asarray(sizes)[turn]
    coalitions = _quadruples(key, chosen, jnp.asarray(population), n_players, contexts)
    outputs = outputs_of(apply, masked(coalitions))
    row = row_of(outputs)
    if labels is not None:
        labels = _labels(labels, batch)
    classes = reads_class(output, row, labels)
    if classes:
        labels = class_labels(labels, batch)
        check_classes_given(labels, classes)
    values = _values(output, jax.tree.map(lambda leaf: leaf.reshape(batch, -1, *leaf.shape[1:]), outputs), labels)
    neither, first, second, both = jnp.moveaxis(values.reshape(batch, draws, contexts, 4), -1, 0)
    differences = both - first - second + neither
    terms = _strength(differences, strength)
    if relative:
        terms = _relative(terms, differences, _sizes(values, outputs, (batch, draws)), strength)
    losses = len(sizes) * jnp.mean(jnp.asarray(shares, terms.dtype)[turn] * terms, axis=1)
    return of_classes(losses, jnp.asarray(labels), classes) if classes else losses


def _sizes(values: Array, outputs: Any, shape: tuple[int, int]) -> Array:
    """The largest size of what each draw's differences are made of, values or the outputs that they are read off."""
    sizes = [jnp.abs(each).reshape(*shape, -1).max(axis=-1) for each in (values, *jax.tree.leaves(outputs))]
    return functools.reduce(jnp.maximum, [each.astype(values.dtype) for each in sizes])


def _labels(labels: Any, batch: int) -> Array:
    """Numbers, one for each input, of whatever kind."""
    wanted = f"real numbers, one for each of {batch} inputs"
    found = jnp.asarray(check_array("labels", labels, wanted))
    if found.shape[:1] != (batch,):
        raise ValueError(f"labels must be {wanted}; got shape {found.shape}")
    return found


def check_weights(weights: Any, orders: Any, count: int) -> Array | np.ndarray:
    """One weight for each order, as an array; ValueError that names them, or the orders of which some are one."""
    found = check_array("weights", weights, "real numbers, one for each order")
    if found.shape != (count,) or np.shape(orders) != (count,):
        raise ValueError(f"weights must be one for each order, got shape {found.shape} for orders {orders}")
    if not isinstance(found, Tracer) and (found.dtype == bool or not np.all(np.isfinite(np.asarray(found)))):
        raise ValueError(f"weights must be finite numbers, one for each order; got {weights}")
    return found


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


def _relative(terms: Array, differences: Array, sizes: Array, strength: str) -> Array:
    """The strengths over their mean, kept from 0 by its error; 0 where that mean is within rounding.

    Args:
        terms: (batch, draws).
        differences: of each context, (batch, draws, contexts).
        sizes: of the largest values behind each strength, (batch, draws).
        strength: of which kind they are.
    """
    contexts = differences.shape[-1]
    rounding = 2 * jnp.finfo(sizes.dtype).eps * jax.lax.stop_gradient(sizes)
    mean = terms.mean()
    if strength == "square":
        rounding = rounding**2
        mean = jnp.maximum(mean, np.sqrt(2 / (contexts * (contexts - 1) * terms.size)) * jnp.mean(differences**2))
    is_within = mean <= rounding.mean()  # False for NaN, which stays
    return jnp.where(is_within, 0.0, terms) / jnp.where(is_within, 1.0, mean)


def _values(output: Any, outputs: Any, labels: Array | None) -> Array:
    """The value of each of an example's rows: leaves (batch, rows, ...) -> (batch, rows)."""

    def of_example(outputs: Any, label: Array | None) -> Array:
        return jax.vmap(read_of(output, row_of(outputs), label))(outputs)

    return jax.vmap(of_example)(outputs, labels)
