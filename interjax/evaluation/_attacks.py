"""Adversarial attacks in the L-infinity ball: the fast gradient sign and projected gradient descent."""

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Int

from interjax._core._checks import check_count, check_is, check_number, check_several
from interjax._core._keys import check_key, example_keys
from interjax.datasets._dataset import Dataset
from interjax.datasets._examples import Data, TreeExamples
from interjax.evaluation._arguments import check_logits, class_indices, index_of, of_two_logits
from interjax.evaluation._ascent import (
    Attacked,
    Bounds,
    Box,
    ascend_in_box,
    box_of,
    one_step_of,
    random_points,
    worse,
)
from interjax.evaluation._moved import OfMoved, Parts, as_moved, first_array
from interjax.games._models import as_apply, with_params
from interjax.games._tree_players import for_leaves


def fgsm(
    apply: Any, params: Any, x: Any, y: Int[Array, " batch"], strength: Any, *, bounds: Bounds | None = None
) -> Any:
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
        x: inputs (batch, *shape); or several arrays in dicts and tuples, each of one row an input. Integers and
            booleans among them, such as tokens and masks, stay as they are.
        y: their class indices, integers; or the numbers to predict, in floating point.
        strength: e, the largest change of an entry in the units of x: a number or an array that broadcasts against
            one input, positive; see `attack_limits` for normalised data. Of several arrays one number for all those of
            floats, or one of these for each, {"image": 0.1}: an array left out stays.
        bounds: (lowest, highest) value that an entry may take, numbers or arrays like `strength`; None for no bounds.

    Returns:
        Inputs within `strength` of x and within the bounds. Where the gradient is NaN, they are NaN.

    Raises:
        ValueError: what is no network, inputs outside the bounds, or none that holds floats.

    Example:
        >>> def apply(weights, x): return x @ weights
        >>> weights, x = jnp.array([[1.0, 0.0], [-2.0, 0.0]]), jnp.array([[0.5, 0.5]])
        >>> fgsm(apply, weights, x, jnp.array([0]), 0.25).tolist()
        [[0.25, 0.75]]

    References:
        Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015 (arXiv:1412.6572),
        section 4.
    """
    box = box_of(x, strength, bounds)
    y = class_indices("y", y, first_array(box.x))
    points, _, is_flat = _ascent(apply, params, box, y)(box.points, radius=box.radius, steps=1)
    _warn_of_flat("fgsm", is_flat)
    return box.joined(points)


def pgd(
    key: Array,
    apply: Any,
    params: Any,
    x: Any,
    y: Int[Array, " batch"],
    strength: Any,
    *,
    steps: int = 20,
    step_size: Any = None,
    restarts: int = 1,
    bounds: Bounds | None = None,
    index: Int[Array, " batch"] | None = None,
) -> Any:
    """Projected gradient ascent on the loss from a random point of the ball.

        x_0 = clip(x + u),  u uniform in [-e, e];  x_{t+1} = clip(x_t + a sign(grad_x L(x_t, y)))

    clip projects onto the ball of radius e around x and onto the bounds. The loss is that of `fgsm`. Each example keeps
    one of the x_t, t >= 1, and of the point that `fgsm` gives, which costs a gradient and a forward pass more: of those
    that are misclassified, or of all if none is, the one of the largest loss. So it is never weaker than `fgsm`.

    Args:
        key: `jax.random.key` of the starts. Example b's start depends on the key and index[b] alone.
        apply, params: the network, as for `fgsm`.
        x: inputs, one array or several, as for `fgsm`.
        y: their class indices, integers; or the numbers to predict, in floating point.
        strength: e, the largest change of an entry, as for `fgsm`.
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
    x: Any,
    y: Int[Array, " batch"],
    strength: Any,
    *,
    steps: int,
    step_size: Any,
    restarts: int,
    bounds: Bounds | None,
    index: Int[Array, " batch"] | None,
    beside_fgsm: bool,
) -> Any:
    """`pgd`; without the point of `fgsm`, which is the same for every start, what starts find differs as they do."""
    check_key(key, traced=True)
    steps, restarts = check_count("steps", steps), check_count("restarts", restarts)
    box = box_of(x, strength, bounds)
    y, index = class_indices("y", y, first_array(box.x)), index_of(index, first_array(box.x))
    by = tuple(2.5 * radius / steps for radius in box.radius) if step_size is None else one_step_of(step_size, box)
    ascend = _ascent(apply, params, box, y)
    seen = [ascend(box.points, radius=box.radius, steps=1)[1:]] if beside_fgsm else []
    for restart in range(restarts):
        start = random_points(example_keys(jax.random.fold_in(key, restart), index), box.points, box.radius)
        seen.append(ascend(start, radius=by, steps=steps)[1:])
    found, flat = seen[0]
    for worst, is_flat in seen[1:]:
        found, flat = worse(found, worst), flat & is_flat
    _warn_of_flat("pgd", flat)
    return box.joined(found[0])


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
    key: Array, data: Data, strengths: Sequence[float] | None, steps: int, players: Any = None
) -> dict[str, Callable[..., Any]]:
    """By name, functions of the keywords apply, params, x, y, index -> attacked x, with the defaults of `evaluate`."""
    is_default = strengths is None
    if strengths is None:
        strengths = (0.1, 0.5)
        if isinstance(data, Dataset) and data.is_image:
            strengths = (0.1, 0.2) if data.input_shape[-1] == 1 else (2 / 255, 8 / 255)
    for strength in check_several("strengths", strengths):
        check_number("each of strengths", strength, "(0, inf)", about="the largest change of an entry")
    steps = check_count("pgd_steps", steps)
    if isinstance(data, TreeExamples):
        limits = {_strength_name(strength): (own, None) for strength, own in _of_floats(data, strengths, players)}
        if is_default and not limits:
            warnings.warn(
                "nothing is attacked, as no array of the inputs, or none that has players, holds floats: attack the "
                "network of embedded tokens, or give strengths=()",
                stacklevel=3,
            )
        elif len(limits) < len(strengths) and not is_default:
            as_moved(data.test_x, strengths[0])
            raise ValueError("strengths must be () where no array that has players holds floats: give players of one")
    else:
        limits = {_strength_name(strength): attack_limits(data, strength) for strength in strengths}

    def one_step(radius: np.ndarray, bounds: Bounds | None, *, index: Array, **example: Any) -> Array:
        return fgsm(**example, strength=radius, bounds=bounds)

    def projected(radius: np.ndarray, bounds: Bounds | None, **example: Any) -> Array:
        return pgd(key, **example, strength=radius, steps=steps, bounds=bounds)

    return {
        f"{attack} {name}": functools.partial(change, *limit)
        for attack, change in (("FGSM", one_step), ("PGD", projected))
        for name, limit in limits.items()
    }


def _of_floats(data: TreeExamples, strengths: Sequence[float], players: Any) -> list[tuple[float, Any]]:
    """Each strength in the form of the inputs, of their arrays of floats, or of those that have players; none if there
    is no such array."""
    leaves, structure = jax.tree.flatten(data.test_x)
    named = [None] * len(leaves) if players is None else for_leaves("players", players, data.test_x)
    moves = [
        leaf.dtype.kind == "f" and (players is None or own is not None) for leaf, own in zip(leaves, named, strict=True)
    ]
    if not any(moves):
        return []
    return [(each, jax.tree.unflatten(structure, [each if one else None for one in moves])) for each in strengths]


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


def _ascent(apply: Any, params: Any, box: Box, y: Array) -> Callable[..., tuple[Parts, Attacked, Array]]:
    """`ascend_in_box` on a network, given by itself or as a function of its parameters."""
    network, weights = as_apply(with_params(apply, params), box.x, "apply")
    if not jnp.issubdtype(y.dtype, jnp.floating):
        network = of_two_logits(network, weights, box.x)
    check_logits("apply", network, weights, box.x, ("y", y))
    both = weights, box.fixed

    def ascend(start: Parts, *, radius: Parts, steps: int) -> tuple[Parts, Attacked, Array]:
        return ascend_in_box(OfMoved(network, box.moved), both, y, start, box.lower, box.upper, radius, steps)

    return ascend
