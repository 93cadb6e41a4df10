"""Plots: matplotlib Axes in, Axes out."""

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from interjax._complexity_dynamics_plots import complexity_over_training as complexity_over_training
from interjax._complexity_plots import complexity as complexity
from interjax._complexity_plots import information_by_degree as information_by_degree
from interjax._complexity_plots import redundancy_vulnerability as redundancy_vulnerability
from interjax._concept_dynamics_plots import concept_dynamics as concept_dynamics
from interjax._concept_dynamics_plots import concept_paths as concept_paths
from interjax._concept_plots import concepts as concepts
from interjax._concept_plots import concepts_on_image as concepts_on_image
from interjax._concept_statistics_plots import concept_sizes as concept_sizes
from interjax._concept_statistics_plots import faithfulness as faithfulness
from interjax._concept_statistics_plots import generalization as generalization
from interjax._concept_statistics_plots import inconsistency as inconsistency
from interjax._dynamics_plots import gradient_statistics as gradient_statistics
from interjax._dynamics_plots import profiles_over_training as profiles_over_training
from interjax._evaluation_plot import evaluation as evaluation
from interjax._exact_orders import learning_strength
from interjax._plot_style import COLOURS, LINES, MARKERS
from interjax._profile import OrderProfile
from interjax.training import TrainingLog

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def profile(
    axes: "Axes",
    profiles: OrderProfile | Mapping[str, OrderProfile],
    *,
    uncorrected: bool = False,
    theory: int | None = None,
    level: float = 0.95,
) -> "Axes":
    """Draw strength profiles J^(m) over the order, each with its confidence band.

    Args:
        axes: where to draw.
        profiles: one profile, or several by name (networks, checkpoints, methods).
        uncorrected: also draw the strengths without bias correction, thin and dotted.
        theory: also draw the theoretical learning strength F^(m) of a game of this many players, scaled to
            mean 1 over the drawn orders; the papers draw it with a small effective number of players.
        level: confidence level of the bands.

    Returns:
        The same Axes.

    Raises:
        ValueError: if there is nothing to draw, or more than six profiles.

    Example:
        >>> import interjax as ij, jax, matplotlib.pyplot as plt
        >>> game = ij.Game.from_function(lambda s: (s.sum() == 4) * 1.0, 4)
        >>> axes = ij.plots.profile(plt.figure().subplots(), ij.order_profile(jax.random.key(0), game))
        >>> axes.get_ylabel()
        'strength $J^{(m)}$ (mean over orders = 1)'
    """
    named = {"": profiles} if isinstance(profiles, OrderProfile) else dict(profiles)
    if not 1 <= len(named) <= len(COLOURS):
        raise ValueError(f"one to {len(COLOURS)} profiles fit into one plot, got {len(named)}")
    styles = zip(COLOURS, MARKERS, LINES, strict=True)
    for (name, found), (colour, marker, line) in zip(named.items(), itertools.islice(styles, len(named)), strict=True):
        place = _ratio(found)
        kind = "uncorrected" if found.correction == "none" else "corrected"
        label = name or f"{kind}, {level:.0%} interval"
        lower, upper = found.interval(level)
        axes.fill_between(place, lower, upper, color=colour, alpha=0.2, linewidth=0)
        axes.plot(place, found.strength, color=colour, marker=marker, linestyle=line, markersize=5, label=label)
        if uncorrected:
            label = f"{name}, uncorrected" if name else "uncorrected"
            axes.plot(place, found.uncorrected, color=colour, linestyle=":", linewidth=1, label=label)
    if theory is not None:
        _draw_theory(axes, theory, next(iter(named.values())))
    axes.axhline(1.0, color="0.7", linewidth=0.8, zorder=0)
    axes.set_xlabel(_order_label(list(named.values())))
    axes.set_ylabel("strength $J^{(m)}$ (mean over orders = 1)")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    if len(named) > 1 or uncorrected or theory is not None:
        axes.legend(frameon=False)
    return axes


def training(axes: "Axes", log: TrainingLog) -> "Axes":
    """Draw a training run: loss and, on a second axis, test accuracy after each epoch.

    Args:
        axes: where to draw.
        log: what `ij.training.train` returned.

    Returns:
        The same Axes.

    Example:
        >>> import interjax as ij, matplotlib.pyplot as plt, numpy as np
        >>> log = ij.training.TrainingLog(np.array([5, 10]), np.array([2.0, 1.0]), np.array([0.4, 0.7]))
        >>> ij.plots.training(plt.figure().subplots(), log).get_xlabel()
        'optimizer step'
    """
    lines = axes.plot(log.step, log.loss, color=COLOURS[0], marker=MARKERS[0], markersize=4, label="training loss")
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("training loss (nats)")
    axes.spines["top"].set_visible(False)
    if log.test_accuracy is not None:
        right = axes.twinx()
        style = {"color": COLOURS[1], "marker": MARKERS[1], "linestyle": LINES[1], "markersize": 4}
        lines += right.plot(log.step, log.test_accuracy, label="test accuracy", **style)
        right.set_ylabel("test accuracy")
        right.spines["top"].set_visible(False)
    axes.legend(handles=lines, frameon=False, loc="center right")
    return axes


def _draw_theory(axes: "Axes", n_players: int, shown: OrderProfile) -> None:
    """F^(m) of n_players at the drawn ratios, interpolated in its logarithm, with the same normalisation."""
    if n_players < 3:
        raise ValueError(f"theory needs at least 3 players, got {n_players}")
    values = np.log(learning_strength(n_players))
    at = np.exp(np.interp(_ratio(shown), np.linspace(0, 1, n_players - 1), values))
    fine = np.linspace(0, 1, 201)
    curve = np.exp(np.interp(fine, np.linspace(0, 1, n_players - 1), values)) / at.mean()
    axes.plot(
        fine, curve, color="0.35", linewidth=1.2, linestyle=(0, (1, 1)), label=f"theory $F^{{(m)}}$, n = {n_players}"
    )


def _ratio(found: OrderProfile) -> np.ndarray:
    return np.asarray(found.orders) / max(found.n_players - 2, 1)


def _order_label(profiles: list[OrderProfile]) -> str:
    largest = {found.n_players - 2 for found in profiles}
    share = f"n − 2 = {largest.pop()}" if len(largest) == 1 else "n − 2"
    return f"order: context size m as a share of the largest, {share}"
