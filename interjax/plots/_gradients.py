"""Plots of learning dynamics: profiles over a training run, and gradients by order."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from interjax._core._checks import check_is, shown
from interjax._core._estimate import Estimate
from interjax.dynamics._gradients import GradientStatistics
from interjax.orders._theory import context_variance, learning_strength
from interjax.plots._style import BAND, COLOURS, LINES, MARKERS, ascending, check_axes, order_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def gradient_statistics(axes: "Sequence[Axes]", found: GradientStatistics) -> "Sequence[Axes]":
    """Draw how gradients of interactions vary over contexts, and how fast each order would be learned.

    Left: the variance over contexts, E tr Var g, scaled to mean 1 over the drawn orders, with its 95% band, beside the
    form that it has where context players act one by one (`ij.dynamics.context_variance`), which is left out where it
    is 0 at all of them. Right: the measured learning
    strength w^(m) sqrt(E |d I^(m) / d theta|^2) beside the theory's F^(m), each divided by its largest value. The
    logarithmic scale ends below the measured values: for many players F^(m) falls by dozens of decades and leaves it.

    Args:
        axes: two Axes, e.g. those of `plt.figure().subplots(1, 2)`.
        found: what `ij.dynamics.gradient_statistics` gives.

    Returns:
        The same two Axes.

    Raises:
        ValueError: if there are not two Axes.

    Example:
        >>> import interjax as ij, jax, jax.numpy as jnp, matplotlib.pyplot as plt
        >>> apply = lambda theta, x: jnp.stack([jnp.prod(1 + theta * x, axis=1), 0 * x[:, 0]], axis=1)
        >>> found = ij.dynamics.gradient_statistics(jax.random.key(0), (apply, 1.0), jnp.ones((1, 4)), [0],
        ...                                         players=ij.Players.features(4), output=ij.logit)
        >>> left, right = ij.plots.gradient_statistics(plt.figure().subplots(1, 2), found)
        >>> right.get_yscale()
        'log'
    """
    if not isinstance(axes, list | tuple | np.ndarray) or len(axes) != 2:
        raise ValueError(f"axes must be two, for the variance and for the learning strength; got {shown(axes)}")
    for one in axes:
        check_axes(one)
    check_is("found", found, GradientStatistics, "what ij.dynamics.gradient_statistics returned")
    axes = list(axes) if not isinstance(axes, np.ndarray) else axes
    _draw_variance(axes[0], found)
    _draw_learning_strength(axes[1], found)
    for one in axes:
        one.set_xlabel(order_label([found]))
        one.set_xlim(-0.02, 1.02)
        one.spines[["top", "right"]].set_visible(False)
        one.legend(frameon=False)
    return axes


def _draw_variance(axes: "Axes", found: GradientStatistics) -> None:
    every = context_variance(found.n_players)
    known = np.isfinite(found.variance)
    drawn = every[np.asarray(found.orders)[known]]
    if drawn.any():  # at the largest order alone, which has one context, nothing varies
        _draw_theory(axes, np.linspace(0, 1, len(every)), every / drawn.mean(), "context players acting one by one")
    scale = (known.any() and np.mean(found.variance, where=known)) or 1.0
    shape, stderr = found.variance / scale, found.variance_stderr / scale
    inputs = len(found.variance_by_input)
    if inputs > 1 and known.any():  # of the shape, to first order: inputs that differ at all orders alike are no error
        shift = (found.variance_by_input - found.variance) / scale
        stderr = Estimate.of_mean(shift - shape * shift[:, known].mean(axis=1, keepdims=True)).stderr
    _draw_measured(axes, found, shape, stderr)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("variance of gradients over contexts (mean = 1)")


def _draw_learning_strength(axes: "Axes", found: GradientStatistics) -> None:
    theory = learning_strength(found.n_players)
    ratio = np.linspace(0, 1, len(theory))
    lowest = np.log10(theory.min() / theory.max())
    name = "theory $F^{(m)}$" if lowest > -2 else f"theory $F^{{(m)}}$, lowest $10^{{{lowest:.0f}}}$"
    _draw_theory(axes, ratio, theory / theory.max(), name)
    scale = np.nanmax(found.learning_strength, initial=0.0) or 1.0
    measured = found.learning_strength / scale
    _draw_measured(axes, found, measured, found.learning_strength_stderr / scale)
    axes.set_yscale("log")
    axes.set_ylim(0.2 * np.min(measured, initial=0.1, where=measured > 0), 2.0)
    axes.set_ylabel("learning strength (largest = 1)")


def _draw_theory(axes: "Axes", place: np.ndarray, values: np.ndarray, label: str) -> None:
    axes.plot(place, values, color="0.35", linewidth=1.2, linestyle=(0, (1, 1)), label=label)


def _draw_measured(axes: "Axes", found: GradientStatistics, values: np.ndarray, stderr: np.ndarray) -> None:
    place, rank = ascending(found)
    values, reach = values[rank], BAND * stderr[rank]
    lower = np.maximum(values - reach, 0.0)
    axes.fill_between(place, lower, values + reach, color=COLOURS[0], alpha=0.2, linewidth=0)
    axes.plot(
        place,
        values,
        color=COLOURS[0],
        marker=MARKERS[0],
        linestyle=LINES[0],
        markersize=5,
        label="measured, 95% interval",
    )
