"""Signed gradient ascent on a network's loss inside a box around each input."""

import functools
import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from interjax.evaluation._arguments import as_ends, check_bounds, for_one_input
from interjax.evaluation._cross_entropy import log_odds_against
from interjax.evaluation._moved import Moved, Parts, as_moved, is_known
from interjax.games._apply import Apply

Bounds = tuple[Any, Any]
Attacked = tuple[Parts, Array, Array]  # points, the loss there (batch,), and whether they are misclassified (batch,)
_BOUND_SLACK = 1e-5  # by which rounded inputs may lie outside


@functools.partial(jax.jit, static_argnums=0)
def ascend_in_box(
    apply: Apply, params: Any, y: Array, start: Parts, lower: Parts, upper: Parts, step_size: Parts, steps: int
) -> tuple[Parts, Attacked, Array]:
    """Signed gradient steps inside the box: where they end, the worst of their points, and at which examples the
    gradient at the start is 0 (batch,)."""

    def loss(points: Parts) -> tuple[Array, Array]:
        """log p(not y) / p(y), of which the cross entropy is the softplus, and what is misclassified."""
        logits: Any = apply(params, points)  # type: ignore[arg-type]
        if jnp.issubdtype(y.dtype, jnp.floating):
            return jnp.abs(jnp.reshape(logits, y.shape) - y), jnp.zeros(len(y), bool)
        return log_odds_against(logits, y), logits.argmax(axis=-1) != y

    def with_gradient(points: Parts) -> tuple[Array, Array, Parts]:
        found, pull, is_wrong = jax.vjp(loss, points, has_aux=True)
        return found, is_wrong, pull(jnp.ones_like(found))[0]

    def moved(points: Parts, gradient: Parts) -> Parts:
        stepped = jax.tree.map(lambda each, pull, by: each + by * jnp.sign(pull), points, gradient, step_size)
        return jax.tree.map(jnp.clip, stepped, lower, upper)

    def step(_: Any, state: tuple) -> tuple:
        points, worst = state
        here, is_wrong, gradient = with_gradient(points)
        return moved(points, gradient), worse(worst, (points, here, is_wrong))

    start = jax.tree.map(jnp.clip, start, lower, upper)
    found, _, gradient = with_gradient(start)
    points = moved(start, gradient)
    unknown = points, jnp.full_like(found, -jnp.inf), jnp.zeros(len(found), bool)
    points, worst = jax.lax.fori_loop(1, steps, step, (points, unknown))
    is_flat = jnp.stack([(each == 0).reshape(len(each), -1).all(axis=1) for each in gradient]).all(axis=0)
    return points, worse(worst, (points, *loss(points))), is_flat


@jax.jit
def random_points(keys: Array, x: Parts, radius: Parts) -> Parts:
    """A point of the ball around each input, from each key; that of one array that holds all entries one by one."""
    kind = x[0].dtype if len(x) == 1 else jnp.float32
    ends = list(itertools.accumulate(math.prod(each.shape[1:]) for each in x))
    draw = functools.partial(jax.random.uniform, shape=(ends[-1],), dtype=kind, minval=-1.0, maxval=1.0)
    drawn = jnp.split(jax.vmap(draw)(keys), ends[:-1], axis=1)
    return tuple(
        each + by * own.reshape(each.shape).astype(each.dtype) for each, by, own in zip(x, radius, drawn, strict=True)
    )


def worse(first: Attacked, second: Attacked) -> Attacked:
    """For each example the point that is misclassified, or that of the larger loss where both are or none is.

    NaN counts as largest, so that it is not lost.
    """
    (_, one, one_wrong), (_, other, other_wrong) = first, second
    larger = jnp.where(one_wrong == other_wrong, ~(other <= one), other_wrong)
    take = ~jnp.isnan(one) & (larger | jnp.isnan(other))

    def chosen(mine: Array, theirs: Array) -> Array:
        return jnp.where(take.reshape(-1, *[1] * (mine.ndim - 1)), theirs, mine)

    return jax.tree.map(chosen, first, second)


class Box(NamedTuple):
    """The inputs, the arrays of them that are moved and those that stay, and how far the former may go.

    Attributes:
        x: inputs, an array or several.
        moved: which arrays are moved.
        points: these arrays.
        fixed: the others.
        radius: of the ball, (1, *shape) of each array that is moved.
        lower, upper: the least and largest value of every entry.
    """

    x: Any
    moved: Moved
    points: Parts
    fixed: Parts
    radius: Parts
    lower: Parts
    upper: Parts

    def joined(self, points: Parts) -> Any:
        return self.moved.joined(points, self.fixed)


def box_of(x: Any, strength: Any, bounds: Bounds | None) -> Box:
    """What an attack of a strength may do to inputs."""
    x, moved = as_moved(x, strength)
    points, fixed = moved.parts(x)
    ends = [moved.each("bounds", end, x) for end in ((-np.inf, np.inf) if bounds is None else as_ends(bounds))]
    radius, boxes = [], []
    strengths = moved.each("strength", strength, x)
    for part, (name, own), (_, least), (_, most) in zip(points, strengths, *ends, strict=True):
        either = -np.inf if least is None else least, np.inf if most is None else most  # of arrays left out
        lowest, highest = (each[None] for each in check_bounds(either, part))
        if bounds is not None and is_known(part):
            _check_within(part, lowest, highest)
        radius.append(for_one_input(name, own, part, above=0.0, about="the largest change of an entry")[None])
        boxes.append(_intersection(part, radius[-1], lowest, highest))
    lower, upper = zip(*boxes, strict=True)
    return Box(x, moved, points, fixed, tuple(radius), lower, upper)


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


def one_step_of(step_size: Any, box: Box) -> Parts:
    given = box.moved.each("step_size", step_size, box.x)
    about = "the change of an entry in a step"
    return tuple(
        for_one_input(name, own, part, above=0.0, about=about)[None]
        for part, (name, own) in zip(box.points, given, strict=True)
    )
