"""Plots of the complexity of layers: C, information by degree of synergy, redundancy and vulnerability."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from interjax._core._checks import check_number
from interjax.pid._complexity import Complexity
from interjax.pid._groups import GroupedComplexity
from interjax.pid._invariants import ShannonInvariants
from interjax.pid._subsets import SubsetComplexity
from interjax.plots._complexity_dynamics import (
    degree_colours,
    information_over_training,
    label_complexity,
    label_degrees,
    runs_of,
    total_style,
)
from interjax.plots._style import BAND, COLOURS, LINES, MARKERS, check_axes, named_results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from interjax.representations import ComplexityDynamics


AnyComplexity = Complexity | SubsetComplexity | GroupedComplexity
_COMPLEXITIES = (Complexity, SubsetComplexity, GroupedComplexity)

_KINDS = {
    Complexity: "all sources",
    SubsetComplexity: "random subsets, mean",
    GroupedComplexity: "groups of sources",
}
_LEVEL = 0.95
_MOST_UPRIGHT = 45  # characters of all names side by side
_SIZES = (10, 70)  # areas of the first and the last marker of a path, in points^2


def complexity(axes: "Axes", found: Mapping[str, AnyComplexity]) -> "Axes":
    """Draw the representational complexity C of layers with 95% intervals, in the order given.

    Intervals tell the sampling error of C for all sources and for groups, and the error from the choice of subsets for
    random subsets. Open markers are unreliable, see `ij.pid.Trust`. An undefined C is left out, and said so. The dashed
    line is C = 1, the least that there is without negative atoms.

    Args:
        axes: where to draw.
        found: layer -> what `ij.pid.representational_complexity`, `subset_complexity` or `grouped_complexity` gives.
            C of different kinds or numbers of sources are not comparable.

    Returns:
        The same Axes.

    Raises:
        ValueError: if there is nothing to draw.

    Example:
        >>> import interjax as ij, matplotlib.pyplot as plt
        >>> bits = np.array([(0, 0), (0, 1), (1, 0), (1, 1)] * 50)
        >>> layers = {"xor": ij.pid.representational_complexity(bits, bits[:, 0] ^ bits[:, 1]),
        ...           "first bit": ij.pid.representational_complexity(bits, bits[:, 0])}
        >>> axes = ij.plots.complexity(plt.figure().subplots(), layers)
        >>> [label.get_text() for label in axes.get_xticklabels()]
        ['xor', 'first bit']
    """
    check_axes(axes)
    named_results("found", found, _COMPLEXITIES, alone=None, most=None)
    handles = []
    for (kind, label), colour, marker in zip(_KINDS.items(), COLOURS, MARKERS, strict=False):
        style = {"color": colour, "marker": marker, "markersize": 7, "linestyle": "none", "capsize": 3}
        chosen = [(place, one) for place, one in enumerate(found.values()) if isinstance(one, kind)]
        for place, one in chosen:
            face = colour if one.reliable else "white"
            axes.errorbar([place], [one.value], yerr=_margins(one), markerfacecolor=face, **style)
        if chosen:
            handles.append(_entry(colour, marker, f"{label}, 95% interval"))
    for place, one in enumerate(found.values()):
        if not np.isfinite(one.value):
            style: dict[str, Any] = {"ha": "center", "va": "center", "color": "0.35", "fontsize": "small"}
            axes.text(place, 0.5, "undefined:\nI = 0", transform=axes.get_xaxis_transform(), **style)
    if not all(one.reliable for one in found.values()):
        handles.append(_entry("0.35", "o", "open: unreliable", face="white"))
    label_complexity(axes)
    _name_layers(axes, list(found))
    axes.legend(handles=handles, frameon=False, fontsize="small")
    return axes


def _margins(one: AnyComplexity) -> np.ndarray:
    """How far the interval reaches below and above, (2, 1); NaN, which draws none, where there is no error."""
    if one.stderr is None or not np.isfinite(one.stderr):
        return np.full((2, 1), np.nan)
    lower, upper = one.interval(_LEVEL)
    return np.array([[one.value - lower], [upper - one.value]])


def _entry(colour: str, marker: str, label: str, *, face: str | None = None, line: Any = "none") -> Any:
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, marker=marker, linestyle=line, markerfacecolor=face or colour, label=label)


def _name_layers(axes: "Axes", names: Sequence[str]) -> None:
    slanted: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(np.arange(len(names)), names, **(slanted if sum(map(len, names)) > _MOST_UPRIGHT else {}))
    axes.set_xlim(-0.5, len(names) - 0.5)


def information_by_degree(
    axes: "Axes",
    found: "Mapping[str, AnyComplexity] | ComplexityDynamics | Sequence[ComplexityDynamics]",
    layer: str | None = None,
    *,
    steps_per_epoch: float | None = None,
) -> "Axes":
    """Draw the information by degree of synergy: stacked bars of layers, or stacked areas of one over a training run.

    Degree m is information that m sources must be read for together. Negative parts are stacked downwards from 0. The
    solid line is their sum I(S;T), the dotted one I after shuffling the target, which should be near 0: what
    lies below it may be due to too few samples.

    Args:
        axes: where to draw; the legend stands to the right of it.
        found: layer -> complexity, as for `complexity`, for bars, of random subsets the means; or what
            `ij.representations.checkpoint_complexity` gives, of one run or of several (then the means), for areas.
        layer: which layer, for areas.
        steps_per_epoch: optimizer steps of an epoch, for an axis of epochs; by default the axis counts steps.

    Returns:
        The same Axes.

    Raises:
        ValueError: nothing to draw; areas without a layer, of an unknown one or of a single checkpoint; runs that
            differ in steps or layers.

    Example:
        >>> import interjax as ij, matplotlib.pyplot as plt
        >>> bits = np.array([(0, 0), (0, 1), (1, 0), (1, 1)] * 50)
        >>> layers = {"xor": ij.pid.representational_complexity(bits, bits[:, 0] ^ bits[:, 1])}
        >>> ij.plots.information_by_degree(plt.figure().subplots(), layers).get_ylabel()
        'information by degree of synergy (bits)'
    """
    check_axes(axes)
    if isinstance(found, Mapping):
        if layer is not None:
            raise ValueError(f"layer must be left out for a mapping of layers, all of which are drawn; got {layer!r}")
        if steps_per_epoch is not None:
            check_number("steps_per_epoch", steps_per_epoch, "(0, inf)")
        return _information_of_layers(axes, named_results("found", found, _COMPLEXITIES, alone=None, most=None))
    if layer is None:
        raise ValueError(f"layer must be one of {', '.join(runs_of(found, 'found')[0].layers)}; got none")
    return information_over_training(axes, found, layer, steps_per_epoch=steps_per_epoch)


def _information_of_layers(axes: "Axes", found: Mapping[str, AnyComplexity]) -> "Axes":
    degrees = max(one.by_degree.shape[-1] for one in found.values())
    bars = np.zeros((len(found), degrees))
    for row, one in zip(bars, found.values(), strict=True):
        row[: one.by_degree.shape[-1]] = one.by_degree.reshape(-1, one.by_degree.shape[-1]).mean(axis=0)
    place, width = np.arange(len(found)), 0.6
    for part in (np.maximum(bars, 0.0), np.minimum(bars, 0.0)):
        base = np.cumsum(part, axis=1) - part
        for degree, colour in enumerate(degree_colours(degrees)):
            axes.bar(place, part[:, degree], width, base[:, degree], color=colour, edgecolor="white", linewidth=0.5)
    for at, one in enumerate(found.values()):
        if isinstance(one, SubsetComplexity):
            total, null = one.informations, one.null_informations
        else:
            total, null = one.information, one.null_information
        reach = [at - 0.4, at + 0.4]
        axes.plot(reach, [np.mean(total)] * 2, **total_style())
        if null is not None:
            axes.plot(reach, [np.mean(null)] * 2, linestyle=":", **total_style())
    _name_layers(axes, list(found))
    label_degrees(axes, degrees)
    return axes


def redundancy_vulnerability(
    axes: "Axes", found: "Mapping[str, ShannonInvariants] | ComplexityDynamics | Sequence[ComplexityDynamics]"
) -> "Axes":
    """Draw layers in the plane of the mean degrees of redundancy r and vulnerability v.

    A bit is found in r single sources on average, and the loss of any of v single sources destroys it. Undefined ones
    are left out.

    Args:
        axes: where to draw.
        found: layer -> what `ij.pid.shannon_invariants` gives: a point each, with 95% intervals where it was resampled,
            open where it is unreliable. Or what `ij.representations.checkpoint_complexity` gives, for one run or
            several (then the mean): a path each, from a small marker at the first checkpoint to a large one at the
            last, open where the verdict on C is unreliable. For layers of more than five neurons that is the verdict on
            random subsets; the whole layer, of which r and v are, is sampled more thinly.

    Returns:
        The same Axes.

    Raises:
        ValueError: no layers or more than six; runs that differ in their layers or steps.

    Example:
        >>> import interjax as ij, matplotlib.pyplot as plt
        >>> bits = np.array([(0, 0), (0, 1), (1, 0), (1, 1)] * 50)
        >>> axes = plt.figure().subplots()
        >>> axes = ij.plots.redundancy_vulnerability(axes, {"xor": ij.pid.shannon_invariants(bits, bits.sum(1) % 2)})
        >>> axes.get_xlabel()
        'mean degree of redundancy $r$ (sources)'
    """
    check_axes(axes)
    if isinstance(found, Mapping):
        named_results("found", found, ShannonInvariants, alone=None)
    names = list(found) if isinstance(found, Mapping) else list(runs_of(found, "found")[0].layers)
    if not 1 <= len(names) <= len(COLOURS):
        raise ValueError(
            f"found must hold one to {len(COLOURS)} layers, as many as fit into one plot; got {len(names)}"
        )
    if isinstance(found, Mapping):
        is_reliable, title = all(one.reliable for one in found.values()), None
        handles = [_draw_point(axes, one, number, name) for number, (name, one) in enumerate(found.items())]
    else:
        runs = runs_of(found, "found")
        is_reliable, title = all(np.all(run.reliable) for run in runs), "small to large:\nfirst to last checkpoint"
        handles = [_draw_path(axes, runs, number, name) for number, name in enumerate(names)]
    if not is_reliable:
        handles.append(_entry("0.35", "o", "open: unreliable", face="white"))
    for low, high, set_limits in ((*axes.get_xlim(), axes.set_xlim), (*axes.get_ylim(), axes.set_ylim)):
        set_limits(min(low, -0.03 * high), high)
    axes.set_xlabel("mean degree of redundancy $r$ (sources)")
    axes.set_ylabel("mean degree of vulnerability $v$ (sources)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(handles=handles, title=title, frameon=False, fontsize="small", title_fontsize="small")
    return axes


def _draw_point(axes: "Axes", one: ShannonInvariants, number: int, name: str) -> Any:
    colour, marker = COLOURS[number], MARKERS[number]
    margins = [np.nan if each is None else BAND * each for each in (one.redundancy_stderr, one.vulnerability_stderr)]
    face = colour if one.reliable else "white"
    style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 7, "markerfacecolor": face}
    axes.errorbar(
        [one.redundancy], [one.vulnerability], yerr=[margins[1]], xerr=[margins[0]], linestyle="none", **style
    )
    return _entry(colour, marker, name if one.is_defined else f"{name} (undefined: I = 0)")


def _draw_path(axes: "Axes", runs: "list[ComplexityDynamics]", number: int, name: str) -> Any:
    colour, marker, line = COLOURS[number], MARKERS[number], LINES[number]
    redundancy = np.mean([run.redundancy[:, number] for run in runs], axis=0)
    vulnerability = np.mean([run.vulnerability[:, number] for run in runs], axis=0)
    is_reliable = np.all([run.reliable[:, number] for run in runs], axis=0)
    axes.plot(redundancy, vulnerability, color=colour, linewidth=1, linestyle=line)
    faces = [colour if each else "white" for each in is_reliable]
    areas = np.linspace(*_SIZES, len(redundancy))
    axes.scatter(redundancy, vulnerability, s=areas, c=faces, marker=marker, edgecolors=colour, zorder=3)
    return _entry(colour, marker, name, line=line)
