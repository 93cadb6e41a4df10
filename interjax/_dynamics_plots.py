"""Plots of learning dynamics: profiles over a training run, and gradients by order."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from interjax._exact_orders import learning_strength
from interjax._plot_style import COLOURS, LINES, MARKERS
from interjax._profile import OrderProfile
from interjax.dynamics import GradientStatistics, context_variance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOUR_MAP = "viridis"  # its lightness rises throughout, so that it reads in grey too
_LARGEST_RATIO = 100.0  # of two strengths that colours tell apart
_MOST_LABELS = 12
_BAND = 1.96  # standard errors on each side: 95 %


def profiles_over_training(axes: "Axes", profiles: Mapping[int, OrderProfile]) -> "Axes":
    """Draw the strength profiles J^(m) of a training run's checkpoints as a map, one row each, the latest on top.

    Colour is J^(m) on a logarithmic scale, cut at a hundredth of the largest; the line is where J = 1, the mean over
    orders. Each order reaches halfway to its neighbours. Rows are equally high, whatever steps lie between them, since
    checkpoints are best spaced logarithmically. NaN is left white.

    Args:
        axes: where to draw; a colour bar is added beside it.
        profiles: optimizer step -> profile, as `ij.dynamics.checkpoint_profiles` gives them.

    Returns:
        The same Axes.

    Raises:
        ValueError: if there is no profile, or if profiles differ in their orders or numbers of players.

    Example:
        >>> import interjax as ij, jax, matplotlib.pyplot as plt
        >>> found = ij.order_profile(jax.random.key(0), ij.Game.from_function(lambda s: (s.sum() > 1) * 1.0, 4))
        >>> axes = ij.plots.profiles_over_training(plt.figure().subplots(), {1: found, 10: found})
        >>> [label.get_text() for label in axes.get_yticklabels()]
        ['1', '10']
    """
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import LogLocator, NullLocator

    steps = sorted(profiles)
    if len({(found.n_players, *np.asarray(found.orders).tolist()) for found in profiles.values()}) != 1:
        raise ValueError("expected at least one profile, and all of the same orders and number of players")
    place, rows = _ratios(profiles[steps[0]]), np.arange(len(steps))
    strength = np.array([profiles[step].strength for step in steps], float)
    top = np.nanmax(strength, initial=1.01)
    bottom = max(np.nanmin(strength, initial=0.99), top / _LARGEST_RATIO)
    shown = np.ma.masked_invalid(np.maximum(strength, bottom))
    image = axes.pcolormesh(_edges(place), _edges(rows), shown, cmap=_COLOUR_MAP, norm=LogNorm(bottom, top))
    _draw_mean(axes, place, rows, shown)
    bar = axes.figure.colorbar(image, ax=axes, extend="min" if np.any(strength < bottom) else "neither")
    bar.set_label("strength $J^{(m)}$ (mean over orders = 1, white line)")
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter("{x:g}")
    labelled = rows[:: -(-len(rows) // _MOST_LABELS)]
    axes.set_yticks(labelled, [str(steps[row]) for row in labelled])
    axes.set_xlabel(_order_label(profiles[steps[0]].n_players))
    axes.set_ylabel("optimizer step")
    return axes


def _draw_mean(axes: "Axes", place: np.ndarray, rows: np.ndarray, strength: np.ma.MaskedArray) -> None:
    """The line J = 1, from the lower edge to the upper one."""
    if len(place) < 2 or not strength.min() < 1.0 < strength.max():
        return
    ends = _edges(rows)[[0, -1]]
    heights = np.concatenate([ends[:1], rows, ends[1:]])
    extended = np.ma.concatenate([strength[:1], strength, strength[-1:]])
    axes.contour(place, heights, extended, levels=[1.0], colors="white", linewidths=1.5)


def gradient_statistics(axes: "Sequence[Axes]", found: GradientStatistics) -> "Sequence[Axes]":
    """Draw how gradients of interactions vary over contexts, and how fast each order would be learned.

    Left: the variance over contexts, E tr Var g, scaled to mean 1 over the drawn orders, with its 95% band, beside the
    form that it has where context players act one by one (`ij.dynamics.context_variance`). Right: the measured learning
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
    axes = list(axes) if not isinstance(axes, np.ndarray) else axes
    if len(axes) != 2:
        raise ValueError(f"expected two Axes, for the variance and for the learning strength, got {len(axes)}")
    _draw_variance(axes[0], found)
    _draw_learning_strength(axes[1], found)
    for one in axes:
        one.set_xlabel(_order_label(found.n_players))
        one.set_xlim(-0.02, 1.02)
        one.spines[["top", "right"]].set_visible(False)
        one.legend(frameon=False)
    return axes


def _draw_variance(axes: "Axes", found: GradientStatistics) -> None:
    every = context_variance(found.n_players)
    ratio = np.linspace(0, 1, len(every))
    _draw_theory(axes, ratio, every / np.mean(every[found.orders]), "context players acting one by one")
    scale = np.mean(found.variance) or 1.0
    shape, stderr = found.variance / scale, found.variance_stderr / scale
    inputs = len(found.variance_by_input)
    if inputs > 1:  # of the shape, to first order: what inputs differ by at all orders alike is no error of it
        shift = (found.variance_by_input - found.variance) / scale
        stderr = np.std(shift - shape * shift.mean(axis=1, keepdims=True), axis=0, ddof=1) / np.sqrt(inputs)
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
    axes.set_ylim(0.2 * np.nanmin(measured, initial=0.1), 2.0)
    axes.set_ylabel("learning strength (largest = 1)")


def _draw_theory(axes: "Axes", place: np.ndarray, values: np.ndarray, label: str) -> None:
    axes.plot(place, values, color="0.35", linewidth=1.2, linestyle=(0, (1, 1)), label=label)


def _draw_measured(axes: "Axes", found: GradientStatistics, values: np.ndarray, stderr: np.ndarray) -> None:
    place, reach = _ratios(found), _BAND * stderr
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


def _ratios(found: OrderProfile | GradientStatistics) -> np.ndarray:
    return np.asarray(found.orders) / max(found.n_players - 2, 1)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Borders halfway between neighbours; the outer cells are as wide as their inner halves allow."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])


def _order_label(n_players: int) -> str:
    return f"order: context size m as a share of the largest, n − 2 = {n_players - 2}"
