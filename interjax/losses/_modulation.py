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

from interjax._core._checks import check_choice, check_count, check_integers, check_number
from interjax._core._keys import check_key
from interjax.games._coalitions import draw_nested
from interjax.losses._masked_examples import (
    check_classes_given,
    class_labels,
    for_examples,
    logits_of,
    masked_batch,
    of_classes,
    predictions_of,
    targets,
)

MODES = ("encourage", "penalize")
ALIGNMENTS = ("sizes", "fractions")
AVERAGES = ("losses", "logits")
TASKS = ("classification", "regression")


def order_modulation(
    key: Array,
    apply: Callable[[Any], Array],
    x: Any,
    labels: Any,
    *,
    low: float,
    high: float,
    mode: str = "encourage",
    players: Any,
    baseline: Any = 0.0,
    align: str = "sizes",
    draws: int = 1,
    average: str = "losses",
    task: str = "classification",
) -> Array:
    """Encourage or penalize interactions of the orders between low * n and high * n.

    One permutation of the n players is drawn for each example; S1 holds its first s1 = int(low * n) players, S2 its
    first s2 = int(high * n), so that S1 lies inside S2. On the logit vector z(S) of the input without its other players

        D = z(S2) - (s2 / s1) z(S1),  coefficient 1 where s1 = 0
        encourage:  L+ = -log softmax(D)_y
        penalize:   L- = sum_k softmax(D)_k log softmax(D)_k = -entropy

    A network of one output z is one of two classes with logits 0 and z. In regression z(S) is the number predicted, and

        encourage:  L+ = (D - y)^2,  penalize:  L- = D^2

    so that y should be centred: D has no constant where s1 = 0 (interjax's own, not the papers').

    D holds no interaction of an order above s2 - 2, and those below s1 in part: the weight of I^(m) in E[D] is
    (s2/s1 - 1)(m+1) for m <= s1 - 2, then s2 - 1 - m up to m = s2 - 2, so much of it lies below s1.

    Add the loss to any other: `optax.softmax_cross_entropy_with_integer_labels(apply(x), y) + order_modulation(...)`,
    with weights 1 and 1 in the papers. It makes one call of `apply` with 2 * draws * batch inputs, (draws + 1) * batch
    where low is 0 or high is 1.

    Where `apply` normalises by the batch's statistics (BatchNorm in training mode), masked inputs share them and change
    the running averages; pass a view with `use_running_average=True` for z(S) as it is measured afterwards.

    Args:
        key: `jax.random.key` of this step. Example b's players depend on the key and b alone.
        apply: the network, inputs (batch, *input shape) -> logits (batch, classes), or (batch,) or (batch, 1) of two
            classes or of a regression.
        x: inputs (batch, *input shape); or several arrays in dicts, tuples and lists, each of one row an input.
        labels: class indices (batch,), or the numbers to predict.
        low: r1, where the range of orders begins as a share of n, in [0, 1).
        high: r2, where it ends, in (low, 1].
        mode: "encourage" or "penalize".
        players: which entries of an input belong together; of several arrays, those of each by its name, as for
            `ij.masked_game`.
        baseline: what replaces absent players: a number or an array of one input's shape, or of its last axes.
        align: "sizes" for the coefficient s2 / s1; "fractions" for high / low, as the papers' released code has it:
            with sizes cut to integers it leaks a term in z of one size.
        draws: (S1, S2) drawn for each example; more are less noisy and cost more.
        average: what is averaged over the draws: "losses", or "logits", D itself before its softmax. A single D differs
            from E[D] by what the drawn players do alone, the more the fewer players there are, and the loss falls on
            that too: of 14 columns that spread was three times E[D] (benchmarks/NOTES.md).
        task: "classification", or "regression" for labels that are numbers to predict.

    Returns:
        (batch,), in nats: L+ >= 0; L- in [-log classes, 0]. Both at least 0, in squared units of y, in regression.

    Raises:
        ValueError: low and high out of range or equal in players, an unknown mode or alignment, shapes that do not
            fit, logits that are not (batch, classes), several outputs in a regression.

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
    x, count, partition, masked = masked_batch(key, x, players, baseline)
    check_choice("task", task, TASKS)
    is_regression = task == "regression"
    labels = targets(labels, count) if is_regression else class_labels(labels, count)
    small, large = modulated_sizes(low, high, partition.n)
    check_choice("mode", mode, MODES)
    check_choice("align", align, ALIGNMENTS)
    check_choice("average", average, AVERAGES)
    draws = check_count("draws", draws)
    coalitions = nested_coalitions(key, count, partition.n, (small, large), draws=draws)
    # No players and all players are the same coalition in every draw.
    without, within = coalitions[:, : draws if small else 1, 0], coalitions[:, : draws if large < partition.n else 1, 1]
    inputs = masked(jnp.concatenate([without, within], axis=1))
    outputs = predictions_of(apply, inputs)[:, None] if is_regression else logits_of(apply, inputs)
    of_without, of_within = jnp.split(outputs.reshape(count, -1, outputs.shape[-1]), [without.shape[1]], axis=1)
    numerator, denominator = (large, small) if align == "sizes" else (high, low)
    change = of_within - (numerator / denominator if denominator else 1.0) * of_without
    if average == "logits":
        change = change.mean(axis=1, keepdims=True)
    if is_regression:
        wanted = labels[:, None].astype(change.dtype) if mode == "encourage" else 0.0
        return jnp.mean((change[..., 0] - wanted) ** 2, axis=1)
    check_classes_given(labels, outputs.shape[-1])
    if mode == "encourage":
        wanted = jnp.broadcast_to(labels[:, None], change.shape[:2])
        losses = optax.softmax_cross_entropy_with_integer_labels(change, wanted)
    else:
        log_probabilities = jax.nn.log_softmax(change)
        losses = jnp.sum(jnp.exp(log_probabilities) * log_probabilities, axis=-1)
    return of_classes(losses.mean(axis=1), labels, outputs.shape[-1])


def modulated_sizes(low: float, high: float, n_players: int) -> tuple[int, int]:
    """Players of S1 and S2 in `order_modulation`: int(low * n), int(high * n).

    Args:
        low, high: fractions of the players, 0 <= low < high <= 1.
        n_players: n.

    Returns:
        The two sizes, the first below the second.

    Raises:
        ValueError: fractions out of range, or both sizes alike.

    Example:
        >>> modulated_sizes(0.3, 0.7, 196)
        (58, 137)
    """
    n_players = check_count("n_players", n_players)
    about = "shares of the players, 0 <= low < high <= 1"
    low, high = check_number("low", low, "[0, 1]", about=about), check_number("high", high, "[0, 1]", about=about)
    if not low < high:
        raise ValueError(
            f"low and high must be fractions of the players, 0 <= low < high <= 1; got low={low}, high={high}"
        )
    small, large = (int(n_players * share + 1e-9) for share in (low, high))
    if small == large:
        raise ValueError(
            f"low={low} and high={high} must mean coalitions of different sizes, got {small} of {n_players} players "
            "for both: move them apart or cut the input into more players"
        )
    return small, large


def nested_coalitions(key: Array, batch: int, n_players: int, sizes: Sequence[int], *, draws: int = 1) -> Array:
    """Coalitions of each size, the smaller inside the larger: bool (batch, draws, sizes, n).

    Those of example b and draw d are the first players of a uniform permutation that depends on (key, b, d) alone.

    Args:
        key: a `jax.random.key`.
        batch: number of examples.
        n_players: n.
        sizes: players of each coalition, from 0 to n.
        draws: independent draws for each example.

    Returns:
        True = present.

    Raises:
        ValueError: no key, counts that are no positive integers, sizes that are no integers from 0 to n.

    Example:
        >>> nested_coalitions(jax.random.key(0), 2, 6, (1, 4)).sum(axis=-1).tolist()
        [[[1, 4]], [[1, 4]]]
    """
    check_key(key, traced=True)
    batch, n_players = check_count("batch", batch), check_count("n_players", n_players)
    found = check_integers("sizes", sizes, f"integers from 0 to the {n_players} players")
    if found.ndim != 1 or not found.size or not np.all((found >= 0) & (found <= n_players)):
        raise ValueError(f"sizes must be integers from 0 to the {n_players} players, got {sizes!r}")
    return _nested_coalitions(key, jnp.asarray(found, jnp.int32), batch, n_players, check_count("draws", draws))


@functools.partial(jax.jit, static_argnums=(2, 3, 4))
def _nested_coalitions(key: Array, sizes: Array, batch: int, n_players: int, draws: int) -> Array:
    return for_examples(key, batch, draws, lambda own: draw_nested(own, n_players, sizes))
