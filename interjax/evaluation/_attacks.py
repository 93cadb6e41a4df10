"""Adversarial attacks in the L-infinity ball: the fast gradient sign and projected gradient descent."""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from interjax._core._checks import check_count, check_is, check_number, check_several
from interjax._core._keys import check_key, example_keys
from interjax.datasets._dataset import Dataset
from interjax.evaluation._arguments import (
    as_inputs,
    check_bounds,
    check_logits,
    class_indices,
    for_one_input,
    index_of,
    of_two_logits,
)
from interjax.evaluation._cross_entropy import log_odds_against
from interjax.games._apply import Apply
from interjax.games._models import as_apply, with_params

Bounds = tuple[Any, Any]
Attacked = tuple[Array, Array, Array]  # points, the loss there (batch,), and whether they are misclassified (batch,)
_BOUND_SLACK = 1e-5  # by which rounded inputs may lie outside


def fgsm(
    apply: Any,
    params: Any,
    x: Float[Array, "batch *shape"],
    y: Int[Array, " batch"],
    strength: Any,
    *,
    bounds: Bounds | None = None,
) -> Float[Array, "batch *shape"]:
    """One step of the gradient's sign, to the corner of the ball where the linearised loss is largest.

        x' = clip(x + e sign(grad_x L(x, y)))

    L is the softmax cross entropy. Its gradient has the sign of the gradient of logsumexp over k != y of z_k - z_y,
    of which it is the softplus; the latter is taken, as it does not vanish by rounding where the network is certain.
    Where y are numbers that the network predicts, L = |f(x) - y|.

    Args:
        apply: the network, (params, inputs (batch, *shape)) -> logits (batch, classes), at least two classes, or one
            output an input, the logit of class 1 of two or the number predicted; or a Linen module; with params None a
            network of any form that `ij.masked_game` takes, evaluated likewise.
        params: its parameters, a Linen module's variables, or None where the network holds its own.
        x: inputs.
        y: their class indices, integers; or the numbers to predict, in floating point.
        strength: e, the largest change of an entry in the units of x: a number or an array that broadcasts against
            one input, positive; see `attack_limits` for normalised data.
        bounds: (lowest, highest) value that an entry may take, numbers or arrays like `strength`; None for no bounds.

    Returns:
        Inputs within `strength` of x and within the bounds. Where the gradient is NaN, they are NaN.

    Raises:
        ValueError: what is no network, or inputs outside the bounds.

    Example:
        >>> def apply(weights, x): return x @ weights
        >>> weights, x = jnp.array([[1.0, 0.0], [-2.0, 0.0]]), jnp.array([[0.5, 0.5]])
        >>> fgsm(apply, weights, x, jnp.array([0]), 0.25).tolist()
        [[0.25, 0.75]]

    References:
        Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015 (arXiv:1412.6572),
        section 4.
    """
    x, radius, lower, upper = _box(x, strength, bounds)
    y = class_indices("y", y, x)
    points, _, is_flat = _ascent(apply, params, x, y)(y, x, lower, upper, radius, 1)
    _warn_of_flat("fgsm", is_flat)
    return points


def pgd(
    key: Array,
    apply: Any,
    params: Any,
    x: Float[Array, "batch *shape"],
    y: Int[Array, " batch"],
    strength: Any,
    *,
    steps: int = 20,
    step_size: Any = None,
    restarts: int = 1,
    bounds: Bounds | None = None,
    index: Int[Array, " batch"] | None = None,
) -> Float[Array, "batch *shape"]:
    """Projected gradient ascent on the loss from a random point of the ball.

        x_0 = clip(x + u),  u uniform in [-e, e];  x_{t+1} = clip(x_t + a sign(grad_x L(x_t, y)))

    clip projects onto the ball of radius e around x and onto the bounds. The loss is that of `fgsm`. Each example keeps
    one of the x_t, t >= 1, and of the point that `fgsm` gives, which costs a gradient and a forward pass more: of those
    that are misclassified, or of all if none is, the one of the largest loss. So it is never weaker than `fgsm`.

    Args:
        key: `jax.random.key` of the starts. Example b's start depends on the key and index[b] alone.
        apply, params: the network, as for `fgsm`.
        x: inputs.
        y: their class indices, integers; or the numbers to predict, in floating point.
        strength: e, the largest change of an entry in the units of x: a number or an array that broadcasts against
            one input, positive; see `attack_limits` for normalised data.
        steps: gradient steps, at least 1; more find stronger attacks and cost more.
        step_size: a, in the units of x like `strength`; 2.5 strength / steps by default, with which a point can
            cross the ball and turn back.
        restarts: random starts, of all of which each example keeps one point.
        bounds: (lowest, highest) value that an entry may take, numbers or arrays like `strength`; None for no bounds.
        index: numbers of the examples; 0, 1, ... by default.

    Returns:
        Inputs within `strength` of x and within the bounds. Where a gradient is NaN, they are NaN.

    Raises:
        ValueError: no key, what is no network, inputs outside the bounds, or steps or restarts that are no positive
            integers.

    Warns:
        UserWarning: if the gradient is 0 at the starts of some inputs, of whose robustness the attack tells nothing.

    Example:
        >>> def apply(weights, x): return x @ weights
        >>> weights, x = jnp.array([[1.0, 0.0], [-2.0, 0.0]]), jnp.array([[0.5, 0.5]])
        >>> pgd(jax.random.key(0), apply, weights, x, jnp.array([0]), 0.25).tolist()
        [[0.25, 0.75]]

    References:
        Madry, Makelov, Schmidt, Tsipras, Vladu, "Towards deep learning models resistant to adversarial attacks",
        ICLR 2018 (arXiv:1706.06083), section 2.1; 2.5 e / steps is the step size of their L2 attacks.
    """
    how = {"steps": steps, "step_size": step_size, "restarts": restarts, "bounds": bounds, "index": index}
    return ascend_from_starts(key, apply, params, x, y, strength, beside_fgsm=True, **how)


def ascend_from_starts(
    key: Array,
    apply: Any,
    params: Any,
    x: Float[Array, "batch *shape"],
    y: Int[Array, " batch"],
    strength: Any,
    *,
    steps: int,
    step_size: Any,
    restarts: int,
    bounds: Bounds | None,
    index: Int[Array, " batch"] | None,
    beside_fgsm: bool,
) -> Float[Array, "batch *shape"]:
    """`pgd`; without the point of `fgsm`, which is the same for every start, what starts find differs as they do."""
    check_key(key, traced=True)
    steps, restarts = check_count("steps", steps), check_count("restarts", restarts)
    x, radius, lower, upper = _box(x, strength, bounds)
    y, index = class_indices("y", y, x), index_of(index, x)
    step_size = 2.5 * radius / steps if step_size is None else _one_step(step_size, x)
    ascend = _ascent(apply, params, x, y)
    seen = [ascend(y, x, lower, upper, radius, 1)[1:]] if beside_fgsm else []
    for restart in range(restarts):
        start = _random_points(example_keys(jax.random.fold_in(key, restart), index), x, radius)
        seen.append(ascend(y, start, lower, upper, step_size, steps)[1:])
    found, flat = seen[0]
    for worst, is_flat in seen[1:]:
        found, flat = _worse(found, worst), flat & is_flat
    _warn_of_flat("pgd", flat)
    return found[0]


def attack_limits(data: Dataset, strength: float) -> tuple[np.ndarray, Bounds | None]:
    """What an attack of this strength may do to the inputs of a data set, in the units of its inputs.

    Images: raw = x * scale + mean lies in [0, 1], so an entry of x changes by at most strength / scale and stays
    within (0 - mean) / scale and (1 - mean) / scale. Tables: x itself changes by at most the strength, in standard
    deviations of a numeric column; the entries of one-hot columns are perturbed likewise; nothing is clipped.

    Args:
        data: the data set, with its normalization.
        strength: for images on the pixel scale [0, 1], e.g. 8/255; for tables in units of the encoded entries.

    Returns:
        The largest change of each entry, of one input's shape; and bounds of such arrays, None for tables.

    Raises:
        ValueError: images whose raw test values leave [0, 1].

    Example:
        >>> x, y = np.full((2, 4, 4, 1), 0.5), [0, 1]
        >>> radius, bounds = attack_limits(Dataset(x, y, x, y, "grey", ("a", "b"), normalization=(0.5, 0.25)), 0.1)
        >>> radius.shape, round(float(radius.max()), 4), bounds[0].max().item(), bounds[1].max().item()
        ((4, 4, 1), 0.4, -2.0, 2.0)
    """
    check_is("data", data, Dataset, "an ij.datasets.Dataset")
    strength = check_number("strength", strength, "(0, inf)", about="the largest change of an entry")
    shape = data.input_shape
    if not data.is_image:
        return np.full(shape, strength, np.float32), None
    mean, scale = (np.asarray(part, np.float32) for part in data.normalization or (0.0, 1.0))
    ends = [float(np.min(data.test_x * scale + mean)), float(np.max(data.test_x * scale + mean))]
    if ends[0] < -1e-5 or ends[1] > 1 + 1e-5:
        raise ValueError(
            f"{data.name}: attacks need images whose raw values lie in [0, 1], these run from {ends[0]:.3g} to "
            f"{ends[1]:.3g}; give the data set its normalization=(mean, scale), raw = x * scale + mean, or attack "
            "nothing with strengths=()"
        )
    lower, upper = (np.broadcast_to((end - mean) / scale, shape) for end in (0.0, 1.0))
    return np.broadcast_to(np.float32(strength) / scale, shape), (lower, upper)


def attacks(
    key: Array, data: Dataset, strengths: Sequence[float] | None, steps: int
) -> dict[str, Callable[..., Array]]:
    """By name, functions of the keywords apply, params, x, y, index -> attacked x, with the defaults of `evaluate`."""
    if strengths is None:
        images = (0.1, 0.2) if data.input_shape[-1] == 1 else (2 / 255, 8 / 255)
        strengths = images if data.is_image else (0.1, 0.5)
    for strength in check_several("strengths", strengths):
        check_number("each of strengths", strength, "(0, inf)", about="the largest change of an entry")
    limits = {_strength_name(strength): attack_limits(data, strength) for strength in strengths}
    steps = check_count("pgd_steps", steps)

    def one_step(radius: np.ndarray, bounds: Bounds | None, *, index: Array, **example: Any) -> Array:
        return fgsm(**example, strength=radius, bounds=bounds)

    def projected(radius: np.ndarray, bounds: Bounds | None, **example: Any) -> Array:
        return pgd(key, **example, strength=radius, steps=steps, bounds=bounds)

    return {
        f"{attack} {name}": functools.partial(change, *limit)
        for attack, change in (("FGSM", one_step), ("PGD", projected))
        for name, limit in limits.items()
    }


def _strength_name(strength: float) -> str:
    """The strength as a decimal or in grey levels, e.g. 8/255, whichever is shorter."""
    levels, decimal = round(255 * strength), f"{strength:g}"
    return min(decimal, f"{levels}/255", key=len) if abs(255 * strength - levels) < 1e-6 else decimal


def _warn_of_flat(attack: str, is_flat: Any) -> None:
    """Warn of examples whose gradient is 0: their points hardly move, which looks like robustness."""
    if isinstance(is_flat, Tracer):
        return
    if count := int(np.count_nonzero(is_flat)):
        warnings.warn(
            f"the gradient of {count} of {len(is_flat)} inputs is 0, so {attack} tells nothing of their robustness: "
            "the network is flat there (saturated or quantised outputs), or rounds its gradient to 0",
            stacklevel=3,
        )


def _ascent(apply: Any, params: Any, x: Array, y: Array) -> Callable[..., tuple[Array, Attacked, Array]]:
    """`_ascend` on a network, given by itself or as a function of its parameters."""
    network, weights = as_apply(with_params(apply, params), x, "apply")
    if not jnp.issubdtype(y.dtype, jnp.floating):
        network = of_two_logits(network, weights, x)
    check_logits("apply", network, weights, x, ("y", y))
    return functools.partial(_ascend, network, weights)


@functools.partial(jax.jit, static_argnums=0)
def _ascend(
    apply: Apply, params: Any, y: Array, start: Array, lower: Array, upper: Array, step_size: Array, steps: int
) -> tuple[Array, Attacked, Array]:
    """Signed gradient steps inside the box: where they end, the worst of their points, and at which examples the
    gradient at the start is 0 (batch,)."""

    def loss(points: Array) -> tuple[Array, Array]:
        """log p(not y) / p(y), of which the cross entropy is the softplus, and what is misclassified."""
        logits: Any = apply(params, points)
        if jnp.issubdtype(y.dtype, jnp.floating):
            return jnp.abs(jnp.reshape(logits, y.shape) - y), jnp.zeros(len(y), bool)
        return log_odds_against(logits, y), logits.argmax(axis=-1) != y

    def with_gradient(points: Array) -> tuple[Array, Array, Array]:
        found, pull, is_wrong = jax.vjp(loss, points, has_aux=True)
        return found, is_wrong, pull(jnp.ones_like(found))[0]

    def moved(points: Array, gradient: Array) -> Array:
        return jnp.clip(points + step_size * jnp.sign(gradient), lower, upper)

    def step(_: Any, state: tuple) -> tuple:
        points, worst = state
        here, is_wrong, gradient = with_gradient(points)
        return moved(points, gradient), _worse(worst, (points, here, is_wrong))

    start = jnp.clip(start, lower, upper)
    found, _, gradient = with_gradient(start)
    points = moved(start, gradient)
    unknown = points, jnp.full_like(found, -jnp.inf), jnp.zeros(len(points), bool)
    points, worst = jax.lax.fori_loop(1, steps, step, (points, unknown))
    is_flat = (gradient == 0).reshape(len(gradient), -1).all(axis=1)
    return points, _worse(worst, (points, *loss(points))), is_flat


@jax.jit
def _random_points(keys: Array, x: Array, radius: Array) -> Array:
    """A point of the ball around each input, from each key."""
    draw = functools.partial(jax.random.uniform, shape=x.shape[1:], dtype=x.dtype, minval=-1.0, maxval=1.0)
    return x + radius * jax.vmap(draw)(keys)


def _worse(first: Attacked, second: Attacked) -> Attacked:
    """For each example the point that is misclassified, or that of the larger loss where both are or none is.

    NaN counts as largest, so that it is not lost.
    """
    (_, one, one_wrong), (_, other, other_wrong) = first, second
    larger = jnp.where(one_wrong == other_wrong, ~(other <= one), other_wrong)
    take = ~jnp.isnan(one) & (larger | jnp.isnan(other))

    def chosen(mine: Array, theirs: Array) -> Array:
        return jnp.where(take.reshape(-1, *[1] * (mine.ndim - 1)), theirs, mine)

    points, loss, is_wrong = (chosen(*each) for each in zip(first, second, strict=True))
    return points, loss, is_wrong


def _box(x: Any, strength: Any, bounds: Bounds | None) -> tuple[Array, Array, Array, Array]:
    """The inputs as an array, the ball's radius (1, *shape), and the least and largest value of every entry."""
    x = as_inputs(x)
    lowest, highest = (each[None] for each in check_bounds((-np.inf, np.inf) if bounds is None else bounds, x))
    if bounds is not None and not isinstance(x, Tracer):
        _check_within(x, lowest, highest)
    radius = for_one_input("strength", strength, x, above=0.0, about="the largest change of an entry")[None]
    return x, radius, *_intersection(x, radius, lowest, highest)


def _check_within(x: Array, lowest: Array, highest: Array) -> None:
    """Raise ValueError for inputs outside the bounds, which no point near them need be within."""
    outside = (x < lowest - _BOUND_SLACK) | (x > highest + _BOUND_SLACK)
    if count := int(np.count_nonzero(outside.reshape(len(x), -1).any(axis=1))):
        raise ValueError(
            f"x must lie within bounds, got {count} of {len(x)} inputs outside (from {float(x.min()):.3g} to "
            f"{float(x.max()):.3g}): give the bounds in the units of x, such as those of ij.evaluation.attack_limits"
        )


@jax.jit
def _intersection(x: Array, radius: Array, lowest: Array, highest: Array) -> tuple[Array, Array]:
    return jnp.maximum(x - radius, lowest), jnp.minimum(x + radius, highest)


def _one_step(step_size: Any, x: Array) -> Array:
    return for_one_input("step_size", step_size, x, above=0.0, about="the change of an entry in a step")[None]
