"""The plot of two networks compared: the difference of their strengths over the order."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from interjax._core._checks import check_flag, check_level
from interjax.plots._style import ascending, check_axes, named_results, order_label, styled
from interjax.profiles._comparison import ProfileComparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def profile_difference(
    axes: "Axes",
    comparisons: ProfileComparison | Mapping[str, ProfileComparison],
    *,
    magnitude: bool = False,
    level: float = 0.95,
    simultaneous: bool | str = False,
) -> "Axes":
    """Draw by how much the interactions of two networks differ at each order, with the confidence band.

    Markers are filled where the interval leaves out 0, hollow where it holds it.

    Args:
        axes: where to draw.
        comparisons: what `ij.compare_profiles` returned, or several by name.
        magnitude: draw the difference of E|I^(m)|, in units of the value v, in place of that of J^(m).
        level: confidence level of the bands.
        simultaneous: True or "bonferroni", or "sidak", for bands that hold the differences of all orders at once.

    Returns:
        The same Axes.

    Raises:
        ValueError: if there is nothing to draw, or more than six comparisons.

    Example:
        >>> import interjax as ij, jax, matplotlib.pyplot as plt
        >>> top = ij.order_profile(jax.random.key(0), ij.Game.from_function(lambda s: (s.sum() == 4) * 1.0, 4))
        >>> flat = ij.order_profile(jax.random.key(0), ij.Game.from_function(lambda s: 1.0 * s[0] * s[1], 4))
        >>> axes = ij.plots.profile_difference(plt.figure().subplots(), ij.compare_profiles(top, flat))
        >>> axes.get_ylabel()
        'difference of strength $J^{(m)}$, a − b'
    """
    check_axes(axes)
    named = named_results("comparisons", comparisons, ProfileComparison)
    check_flag("magnitude", magnitude)
    check_level(level)
    for name, found, colour, marker, line in styled(named):
        place, rank = ascending(found)
        value, interval = found.difference, found.interval
        if magnitude:
            value, interval = found.magnitude_difference, found.magnitude_interval
        value, lower, upper = (each[rank] for each in (value, *interval(level, simultaneous=simultaneous)))
        axes.fill_between(place, lower, upper, color=colour, alpha=0.2, linewidth=0)
        axes.plot(place, value, color=colour, linestyle=line, label=name or f"{level:.0%} interval")
        for differs, filling in (((lower > 0) | (upper < 0), colour), ((lower <= 0) & (upper >= 0), "white")):
            shown = np.where(differs, value, np.nan)
            axes.plot(place, shown, color=colour, marker=marker, linestyle="", markersize=5, markerfacecolor=filling)
    axes.axhline(0.0, color="0.7", linewidth=0.8, zorder=0)
    axes.set_xlabel(order_label(named.values()))
    axes.set_ylabel(f"difference of {_quantity(named, magnitude)}, a − b")
    axes.set_xlim(-0.02, 1.02)
    axes.spines[["top", "right"]].set_visible(False)
    if len(named) > 1:
        axes.legend(frameon=False)
    return axes


def _quantity(named: Mapping[str, ProfileComparison], magnitude: bool) -> str:
    if not magnitude:
        return "strength $J^{(m)}$"
    kinds = {found.kind for found in named.values()}
    return "root mean square of $I^{(m)}$" if kinds == {"rms"} else "mean $|I^{(m)}|$" if kinds == {"mean"} else "$|I|$"
