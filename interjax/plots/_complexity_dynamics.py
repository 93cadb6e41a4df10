"""Plots of representational complexity over a training run: C of each layer, and its information by degree."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from interjax._core._checks import check_number, check_several, shown
from interjax._core._estimate import Estimate
from interjax.plots._style import COLOURS, LINES, MARKERS, check_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from interjax.representations import ComplexityDynamics


_BEFORE = 3.0  # step 0 stands at the first step after it divided by this


def complexity_over_training(
    axes: "Axes",
    runs: "ComplexityDynamics | Sequence[ComplexityDynamics]",
    *,
    steps_per_epoch: float | None = None,
    layers: Sequence[str] | None = None,
) -> "Axes":
    """Draw the representational complexity C of each layer over a training run, or its mean over several.

    The band is the 95% interval (Student's t) of C of one run, without its bias, or of the mean of several runs from
    their differences. Markers are open where C is unreliable in any run. Where C is undefined
    in any run there is a gap. Step 0 stands at the left of the logarithmic axis, beyond the break.

    Args:
        axes: where to draw.
        runs: what `ij.representations.checkpoint_complexity` gives, of one run, or of several with the same steps and
            layers.
        steps_per_epoch: optimizer steps of an epoch, for an axis of epochs; by default the axis counts steps.
        layers: which layers, at most six; by default all.

    Returns:
        The same Axes.

    Raises:
        ValueError: no runs, runs that differ in steps or layers, unknown layers, none or more than six of them, or
            steps_per_epoch that is not positive.

    Example:
        >>> import interjax as ij, jax, matplotlib.pyplot as plt
        >>> data = ij.datasets.digits()
        >>> networks = {step: ij.networks.build("quantised_mlp", (8, 8, 1), 10, hidden=(3, 2), levels=4, seed=step)
        ...             for step in (0, 10)}
        >>> runs = ij.representations.checkpoint_complexity(
        ...     jax.random.key(0), networks, data.train_x, data.train_y, resamples=2)
        >>> ij.plots.complexity_over_training(plt.figure().subplots(), runs).get_xlabel()
        'optimizer step'
    """
    check_axes(axes)
    found = runs_of(runs, "runs")
    names = list(found[0].layers) if layers is None else check_several("layers", layers)
    if not 1 <= len(names) <= len(COLOURS):
        raise ValueError(
            f"layers must be one to {len(COLOURS)}, as many as fit into one plot; got {len(names)}: choose with layers="
        )
    columns = [_column(found[0], name, "layers") for name in names]
    place = _training_axis(axes, np.asarray(found[0].steps), steps_per_epoch)
    for column, name, colour, marker, line in zip(columns, names, COLOURS, MARKERS, LINES, strict=False):
        mean, margin = _mean_with_margin(found, column)
        is_reliable = np.all([run.reliable[:, column] for run in found], axis=0)
        axes.fill_between(place, mean - margin, mean + margin, color=colour, alpha=0.2, linewidth=0)
        axes.plot(place, mean, color=colour, linestyle=line, linewidth=1.5)
        points: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": "none", "markersize": 5}
        axes.plot(place, np.where(is_reliable, mean, np.nan), **points)
        axes.plot(place, np.where(is_reliable, np.nan, mean), markerfacecolor="white", **points)
        axes.plot([], [], color=colour, linestyle=line, marker=marker, markersize=5, label=name)
    if not all(np.all(run.reliable[:, columns]) for run in found):
        axes.plot([], [], color="0.35", marker="o", linestyle="none", markerfacecolor="white", label="open: unreliable")
    label_complexity(axes)
    title = "one run, 95% interval without bias" if len(found) == 1 else f"mean of {len(found)} runs, 95% interval"
    axes.legend(title=title, frameon=False, fontsize="small", title_fontsize="small")
    return axes


def information_over_training(axes: "Axes", runs: Any, layer: str, *, steps_per_epoch: float | None = None) -> "Axes":
    """Stacked areas of the information of a layer by degree of synergy, means over runs."""
    found = runs_of(runs, "found")
    column = _column(found[0], layer, "layer")
    if len(found[0].steps) < 2:
        raise ValueError("found must have at least two checkpoints for areas, got one: give a mapping for bars")
    by_degree = np.mean([run.by_degree[:, column] for run in found], axis=0)
    by_degree = by_degree[:, ~np.all(np.isnan(by_degree), axis=0)]
    place = _training_axis(axes, np.asarray(found[0].steps), steps_per_epoch)
    for part in (np.maximum(by_degree, 0.0), np.minimum(by_degree, 0.0)):
        base = np.cumsum(part, axis=1) - part
        for degree, colour in enumerate(degree_colours(by_degree.shape[1])):
            lower = base[:, degree]
            edge = {"edgecolor": "white", "linewidth": 0.5}
            axes.fill_between(place, lower, lower + part[:, degree], color=colour, **edge)
    for name, line in (("information", "-"), ("null_information", ":")):
        values = np.mean([getattr(run, name)[:, column] for run in found], axis=0)
        axes.plot(place, values, linestyle=line, **total_style())
    label_degrees(axes, by_degree.shape[1])
    axes.set_title(layer)
    return axes


def runs_of(runs: Any, name: str) -> "list[ComplexityDynamics]":
    """One run or several as a list; ValueError unless all have the same steps and layers."""
    found = list(runs) if isinstance(runs, list | tuple) else [runs]
    if not found or not all(hasattr(run, field) for run in found for field in ("layers", "steps", "complexity")):
        raise ValueError(
            f"{name} must be what ij.representations.checkpoint_complexity returned, one run or a list of runs; got "
            f"{shown(runs)}"
        )
    if len({(tuple(run.layers), *np.asarray(run.steps).tolist()) for run in found}) > 1:
        raise ValueError(f"{name} must be runs of the same layers, measured at the same steps; got runs that differ")
    return found


def label_complexity(axes: "Axes") -> None:
    """The vertical axis of C, down to a line at 1 at least."""
    axes.axhline(1.0, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
    axes.set_ylim(bottom=min(axes.get_ylim()[0], 0.93))
    axes.set_ylabel("representational complexity $C$\n(mean degree of synergy, sources)")
    axes.spines[["top", "right"]].set_visible(False)


def total_style() -> dict[str, Any]:
    """A black line with a white rim, which is seen on every colour."""
    from matplotlib.patheffects import withStroke

    return {"color": "black", "linewidth": 1.8, "path_effects": [withStroke(linewidth=3.6, foreground="white")]}


def degree_colours(count: int) -> np.ndarray:
    """A colour for each degree of synergy, lighter from degree to degree."""
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0.08, 0.96, count))


def label_degrees(axes: "Axes", count: int) -> None:
    """The vertical axis and the legend of information by degree; degrees are listed from the top down."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    colours = degree_colours(count)
    handles: list[Any] = [Patch(color=colours[degree], label=f"degree {degree + 1}") for degree in range(count)]
    handles += [
        Line2D([], [], label="all degrees: $I(S;T)$", **total_style()),
        Line2D([], [], linestyle=":", label="$I$ of shuffled target", **total_style()),
    ]
    axes.axhline(0.0, color="0.3", linewidth=0.8)
    axes.set_ylabel("information by degree of synergy (bits)")
    axes.spines[["top", "right"]].set_visible(False)
    order = [count, *range(count - 1, -1, -1), count + 1]
    style: dict[str, Any] = {"frameon": False, "fontsize": "small", "borderaxespad": 0.0}
    axes.legend(handles=[handles[i] for i in order], loc="upper left", bbox_to_anchor=(1.02, 1.0), **style)


def _column(run: "ComplexityDynamics", layer: Any, name: str) -> int:
    if not isinstance(layer, str) or layer not in run.layers:
        raise ValueError(f"{name} must be among {', '.join(run.layers)}; got {shown(layer)}")
    return list(run.layers).index(layer)


def _mean_with_margin(runs: "list[ComplexityDynamics]", column: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean of C over runs and half the width of its 95% interval; NaN where a run has none."""
    values = np.array([run.complexity[:, column] for run in runs])
    if len(runs) == 1:
        freedom = np.inf if runs[0].freedom is None else np.asarray(runs[0].freedom)[:, column]
        return values[0], Estimate(values[0], runs[0].stderr[:, column], freedom).reach()
    found = Estimate.of_mean(values)
    return found.value, found.reach()


def _training_axis(axes: "Axes", steps: np.ndarray, steps_per_epoch: float | None) -> np.ndarray:
    """Make the horizontal axis one of steps or epochs, logarithmic; where each checkpoint stands on it."""
    if steps_per_epoch is not None:
        check_number("steps_per_epoch", steps_per_epoch, "(0, inf)")
    times = steps / (steps_per_epoch or 1)
    axes.set_xlabel("optimizer step" if steps_per_epoch is None else "epoch")
    later = times[times > 0]
    if not len(later):
        axes.set_xticks([0], ["0"])
        return times
    start = later.min() / _BEFORE
    place = np.where(times > 0, times, start)
    axes.set_xscale("log")
    major, minor = _ticks(later.min(), later.max())
    labels = [f"{tick:g}" if 1e-3 <= tick < 1e5 else f"$10^{{{math.log10(tick):.0f}}}$" for tick in major]
    if len(later) < len(times):
        major, labels = [start, *major], ["0", *labels]
        gap = math.sqrt(start * later.min())
        axes.text(gap, 0, "//", transform=axes.get_xaxis_transform(), ha="center", va="center", fontsize="small")
    axes.set_xticks(minor, [""] * len(minor), minor=True)
    axes.set_xticks(major, labels)
    axes.set_xlim(place.min() / 1.25, place.max() * 1.25)
    return place


def _ticks(low: float, high: float) -> tuple[list[float], list[float]]:
    """Powers of ten between two numbers, or 1, 2, 5 times them where they are few; and all digits times them."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    bottom, top = low * (1 - 1e-9), high * (1 + 1e-9)

    def multiples(*digits: int) -> list[float]:
        return [digit * 10.0**power for power in powers for digit in digits if bottom <= digit * 10.0**power <= top]

    major = multiples(1) if len(multiples(1)) > 1 else multiples(1, 2, 5)
    return major or sorted({low, high}), multiples(*range(1, 10))
