"""Plots: matplotlib Axes in, Axes out."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from interjax._core._checks import check_count, check_flag, check_level
from interjax.orders._theory import learning_strength
from interjax.plots._style import ascending, check_axes, edges, named_results, order_label, ratios, styled
from interjax.profiles._result import OrderProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_COLOUR_MAP = "viridis"  # its lightness rises throughout, so that it reads in grey too
_LARGEST_RATIO = 100.0  # of two strengths that colours tell apart
_MOST_LABELS = 12


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

    check_axes(axes)
    named_results("profiles", profiles, OrderProfile, alone=None, most=None)
    for step in profiles:
        check_count("each step of profiles", step, least=0)
    steps = sorted(profiles)
    if len({(found.n_players, *np.sort(found.orders).tolist()) for found in profiles.values()}) != 1:
        raise ValueError(
            "profiles must be at least one, and all of the same orders and number of players; got "
            + (", ".join(f"{len(one.orders)} orders of {one.n_players} players" for one in profiles.values()) or "none")
        )
    place, rows = ascending(profiles[steps[0]])[0], np.arange(len(steps))
    strength = np.array([np.asarray(profiles[step].strength)[ascending(profiles[step])[1]] for step in steps], float)
    top = np.nanmax(strength, initial=1.01)
    bottom = max(np.nanmin(strength, initial=0.99), top / _LARGEST_RATIO)
    shown = np.ma.masked_invalid(np.maximum(strength, bottom))
    image = axes.pcolormesh(edges(place), edges(rows), shown, cmap=_COLOUR_MAP, norm=LogNorm(bottom, top))
    _draw_mean(axes, place, rows, shown)
    bar = axes.figure.colorbar(image, ax=axes, extend="min" if np.any(strength < bottom) else "neither")
    bar.set_label("strength $J^{(m)}$ (mean over orders = 1, white line)")
    bar.ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.ax.yaxis.set_major_formatter("{x:g}")
    labelled = rows[:: -(-len(rows) // _MOST_LABELS)]
    axes.set_yticks(labelled, [str(steps[row]) for row in labelled])
    axes.set_xlabel(order_label([profiles[steps[0]]]))
    axes.set_ylabel("optimizer step")
    return axes


def _draw_bracket(axes: "Axes", found: OrderProfile, width: np.ndarray, colour: str, label: str) -> bool:
    """Draw the bracket of the bias where it is wider than the band; returns whether there is any."""
    place = ratios(found)
    if found.bracket is None:
        return False
    with np.errstate(invalid="ignore", divide="ignore"):
        lower, upper = found.bracket / found.magnitude.mean()
    wide = upper - lower > width
    if wide.any():
        axes.vlines(place[wide], lower[wide], upper[wide], color=colour, linewidth=1, alpha=0.7, label=label)
    return bool(wide.any())


def _draw_mean(axes: "Axes", place: np.ndarray, rows: np.ndarray, strength: np.ma.MaskedArray) -> None:
    """The line J = 1, from the lower edge to the upper one."""
    if len(place) < 2 or not strength.min() < 1.0 < strength.max():
        return
    ends = edges(rows)[[0, -1]]
    heights = np.concatenate([ends[:1], rows, ends[1:]])
    extended = np.ma.concatenate([strength[:1], strength, strength[-1:]])
    axes.contour(place, heights, extended, levels=[1.0], colors="white", linewidths=1.5)


def profile(
    axes: "Axes",
    profiles: OrderProfile | Mapping[str, OrderProfile],
    *,
    uncorrected: bool = False,
    theory: int | None = None,
    level: float = 0.95,
) -> "Axes":
    """Draw strength profiles J^(m) over the order, each with its confidence band (of an exact one of one input a line).

    Where noise leaves more doubt than the band shows, beside it an upright line is the bracket of the bias: from below
    to above the magnitude E|I^(m)|, as shares of its mean over orders (`OrderProfile.bracket`).

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
    check_axes(axes)
    named = named_results("profiles", profiles, OrderProfile)
    check_flag("uncorrected", uncorrected)
    check_level(level)
    if theory is not None:
        check_count("theory", theory, least=3, about="the players of the theory")
    bracketed = False
    for name, found, colour, marker, line in styled(named):
        place, rank = ascending(found)
        kind = "uncorrected" if found.correction == "none" else "corrected"
        kind = "exact" if found.exact is not None and np.all(found.exact) else kind
        label = name or f"{kind}, {level:.0%} interval"
        lower, upper = found.interval(level)
        axes.fill_between(place, lower[rank], upper[rank], color=colour, alpha=0.2, linewidth=0)
        axes.plot(place, found.strength[rank], color=colour, marker=marker, linestyle=line, markersize=5, label=label)
        if uncorrected:
            label = f"{name}, uncorrected" if name else "uncorrected"
            axes.plot(place, found.uncorrected[rank], color=colour, linestyle=":", linewidth=1, label=label)
        bracketed |= _draw_bracket(axes, found, upper - lower, colour, "_" if bracketed else "bracket of the bias")
    if theory is not None:
        _draw_theory(axes, theory, next(iter(named.values())))
    axes.axhline(1.0, color="0.7", linewidth=0.8, zorder=0)
    axes.set_xlabel(order_label(named.values()))
    axes.set_ylabel("strength $J^{(m)}$ (mean over orders = 1)")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    if len(named) > 1 or uncorrected or bracketed or theory is not None:
        axes.legend(frameon=False)
    return axes


def _draw_theory(axes: "Axes", n_players: int, shown: OrderProfile) -> None:
    """F^(m) of n_players at the drawn ratios, interpolated in its logarithm, with the same normalisation."""
    values = np.log(learning_strength(n_players))
    at = np.exp(np.interp(ratios(shown), np.linspace(0, 1, n_players - 1), values))
    fine = np.linspace(0, 1, 201)
    curve = np.exp(np.interp(fine, np.linspace(0, 1, n_players - 1), values)) / at.mean()
    axes.plot(
        fine, curve, color="0.35", linewidth=1.2, linestyle=(0, (1, 1)), label=f"theory $F^{{(m)}}$, n = {n_players}"
    )
