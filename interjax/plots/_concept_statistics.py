"""Plots of many inputs' concepts: distributions over sizes, generalisation, faithfulness, inconsistency."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from interjax._core._checks import check_is, check_number
from interjax.concepts._statistics._faithfulness import Faithfulness
from interjax.concepts._statistics._generalization import Generalization
from interjax.concepts._statistics._inconsistency import Inconsistency, theoretical_inconsistency
from interjax.concepts._statistics._sizes import SizeDistribution
from interjax.plots._style import BAND, COLOURS, check_axes, named_results, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_HATCHES = (None, "////", None, "....", "xxxx", None)


def concept_sizes(
    axes: "Axes",
    found: SizeDistribution | Mapping[str, SizeDistribution],
    *,
    null: SizeDistribution | None = None,
) -> "Axes":
    """Draw how much effect concepts of each size carry: positive sums upwards, negative ones downwards.

    Lines are 95% intervals over inputs (1.96 standard errors). Several distributions stand side by side.

    Args:
        axes: where to draw.
        found: what `ij.concepts.size_distribution` gives, of one batch of inputs, or up to six by name.
        null: a distribution to compare with (an untrained network, shuffled labels), drawn as steps.

    Returns:
        The same Axes.

    Raises:
        ValueError: no distribution or more than six, with leading axes, or of different numbers of players.

    Example:
        >>> import interjax as ij, matplotlib.pyplot as plt
        >>> found = ij.concepts.size_distribution([[0.0, 3, 0, -1], [0.0, 2, 2, 0]])
        >>> ij.plots.concept_sizes(plt.figure().subplots(), found).get_xlabel()
        'size: number of players'
    """
    check_axes(axes)
    named = named_results("found", found, SizeDistribution)
    check_is("null", null, SizeDistribution, "a SizeDistribution", optional=True)
    every = [*named.values(), *([] if null is None else [null])]
    if any(np.ndim(one.positive) != 1 for one in every) or len({len(one.sizes) for one in every}) != 1:
        raise ValueError(
            "found and null must be distributions of one batch of inputs each, all of the same number of players; got "
            f"{', '.join(f'{np.shape(one.positive)[:-1]} of {len(one.sizes)} players' for one in every)}"
        )
    width = 0.8 / len(named)
    for row, ((name, one), colour, hatch) in enumerate(zip(named.items(), COLOURS, _HATCHES, strict=False)):
        place = np.asarray(one.sizes) + (row - (len(named) - 1) / 2) * width
        for part, stderr, label in (
            (one.positive, one.positive_stderr, name),
            (one.negative, one.negative_stderr, None),
        ):
            axes.bar(place, part, 0.92 * width, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=label)
            axes.vlines(place, part - BAND * stderr, part + BAND * stderr, color="0.25", linewidth=1)
    if null is not None:
        edges = np.arange(len(null.sizes) + 1) + 0.5
        for part, label in ((null.positive, "null"), (null.negative, None)):
            axes.stairs(part, edges, baseline=None, color="0.25", linewidth=1.2, linestyle=(0, (2, 1)), label=label)
    axes.axhline(0.0, color="0.4", linewidth=0.8)
    axes.set_ylabel("sum of salient effects an input\n(nats for log-odds)")
    _label_sizes(axes, np.asarray(every[0].sizes))
    if null is not None or len(named) > 1:
        axes.legend(frameon=False)
    return axes


def generalization(axes: "Axes", found: Generalization | Mapping[str, Generalization]) -> "Axes":
    """Draw which sizes of concepts generalise: similarity of training and test inputs beside the split-half null.

    Markers and lines over their intervals are the similarity, thin open markers and bands the null of the same
    colour: concepts of a size generalise as well as they could where both agree.

    Args:
        axes: where to draw.
        found: what `ij.concepts.generalization` gives, or up to six by name.

    Returns:
        The same Axes.

    Raises:
        ValueError: no result or more than six.

    Example:
        >>> import interjax as ij, jax, matplotlib.pyplot as plt
        >>> train, test = 1 + 0.1 * np.random.default_rng(0).normal(size=(2, 20, 8))
        >>> found = ij.concepts.generalization(jax.random.key(0), train, [0] * 20, test, [0] * 20)
        >>> axes = ij.plots.generalization(plt.figure().subplots(), {"mlp": found})
        >>> [text.get_text() for text in axes.get_legend().get_texts()]
        ['mlp', 'split-half null: open markers, band']
    """
    check_axes(axes)
    named = named_results("found", found, Generalization, alone="train and test")
    shift = 0.24 / len(named)
    for row, (name, one, colour, marker, line) in enumerate(styled(named)):
        sizes = np.asarray(one.sizes)
        place = sizes + (row - (len(named) - 1) / 2) * shift
        axes.fill_between(sizes, one.null_lower, one.null_upper, color=colour, alpha=0.18, linewidth=0)
        axes.vlines(place, one.lower, one.upper, color=colour, linewidth=1.5)
        style = {"color": colour, "linestyle": line, "markersize": 5, "marker": marker}
        axes.plot(place, one.similarity, label=name, **style)
        null_name = "_" if row else "split-half null: open markers, band"
        style |= {"linewidth": 0.8, "markerfacecolor": "white", "linestyle": (0, (1, 1)), "markersize": 4}
        axes.plot(sizes, one.null, label=null_name, **style)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("similarity (weighted Jaccard)")
    _label_sizes(axes, np.asarray(next(iter(named.values())).sizes))
    axes.legend(frameon=False)
    return axes


def faithfulness(axes: "Axes", found: Faithfulness | Mapping[str, Faithfulness]) -> "Axes":
    """Draw how well the strongest concepts rebuild the game: R^2 on all masks against their number.

    Lines are medians over inputs, bands hold the middle half of them. Inputs whose R^2 is undefined, such as those of
    games of one value throughout, are left out, and the legend says how many. The axis ends at 0: R^2 below is cut off.

    Args:
        axes: where to draw.
        found: what `ij.concepts.faithfulness` gives, of one input or a batch, or up to six by name.

    Returns:
        The same Axes.

    Raises:
        ValueError: no result or more than six.

    Example:
        >>> import interjax as ij, matplotlib.pyplot as plt
        >>> table = np.random.default_rng(0).normal(size=(5, 16))
        >>> found = ij.concepts.faithfulness(ij.moebius(table), table)
        >>> ij.plots.faithfulness(plt.figure().subplots(), found).get_xscale()
        'log'
    """
    check_axes(axes)
    named = named_results("found", found, Faithfulness)
    lowest = 1.0
    for name, one, colour, marker, line in styled(named):
        counts = np.asarray(one.counts)
        every = np.asarray(one.r2).reshape(-1, len(counts))
        r2 = every[np.isfinite(every).all(axis=1)]
        label = name or ("median, middle half of inputs" if len(r2) > 1 else "R² of one input")
        if len(r2) < len(every):
            label += f" ({len(every) - len(r2)} of {len(every)} inputs left out: R² undefined)"
        style = {"color": colour, "marker": marker, "linestyle": line, "markersize": 4, "label": label}
        if not len(r2):
            axes.plot([], [], **style)
            continue
        low, middle, high = np.quantile(r2, [0.25, 0.5, 0.75], axis=0)
        if len(r2) > 1:
            axes.fill_between(counts, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(counts, middle, **style)
        lowest = min(lowest, float(low.min()))
    axes.axhline(1.0, color="0.7", linewidth=0.8, zorder=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(max(0.0, lowest - 0.05), 1.02)
    axes.set_xlabel("number of strongest concepts")
    axes.set_ylabel("faithfulness $R^2$ on all masks")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    return axes


def inconsistency(
    axes: "Axes", found: Inconsistency | Mapping[str, Inconsistency], *, theory: float | None = None
) -> "Axes":
    """Draw how unstable concepts of each size are under perturbations: relative variance, on a logarithmic scale.

    Bands are the results' 95% intervals, left out where they have no upper end. Hollow markers stand where the result
    is not `reliable`: the effects' mean square is within three of its errors of 0, or its error is unknown.

    Args:
        axes: where to draw.
        found: what `ij.concepts.inconsistency` gives, or up to six by name.
        theory: also draw (1 + r^2)^m - 1 of this relative noise r, e.g. of `ij.concepts.fit_relative_noise`.

    Returns:
        The same Axes.

    Raises:
        ValueError: no result or more than six, or a negative relative noise.

    Example:
        >>> import interjax as ij, matplotlib.pyplot as plt
        >>> draws = 1 + 0.1 * np.random.default_rng(0).normal(size=(20, 5, 8))
        >>> axes = ij.plots.inconsistency(plt.figure().subplots(), ij.concepts.inconsistency(draws), theory=0.1)
        >>> axes.get_yscale()
        'log'
    """
    check_axes(axes)
    named = named_results("found", found, Inconsistency, alone="measured, 95% interval")
    if theory is not None:
        check_number("theory", theory, "[0, inf)", about="a relative noise")
    sizes = np.asarray(next(iter(named.values())).sizes)
    if theory is not None:
        curve = theoretical_inconsistency(sizes, theory)
        style = {"color": "0.35", "linewidth": 1.2, "linestyle": (0, (1, 1))}
        axes.plot(sizes, curve, label=f"$(1 + r^2)^m - 1$, r = {theory:.3g}", **style)
    for name, one, colour, marker, line in styled(named):
        value, (lower, upper) = np.asarray(one.value), one.interval()
        shown = np.where(value > 0, value, np.nan)
        axes.fill_between(
            one.sizes,
            np.maximum(lower, 0.05 * shown),
            upper,
            where=np.isfinite(upper),
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
        axes.plot(one.sizes, shown, color=colour, marker=marker, linestyle=line, markersize=5, label=name)
        hollow = np.where(one.reliable, np.nan, shown)
        if np.isfinite(hollow).any():
            style = {"color": colour, "marker": marker, "markersize": 5, "markerfacecolor": "white"}
            axes.plot(one.sizes, hollow, linestyle="none", label="_hollow", **style)
    axes.set_yscale("log")
    axes.set_ylabel("inconsistency: relative variance of effects")
    _label_sizes(axes, sizes)
    axes.legend(frameon=False)
    return axes


def _label_sizes(axes: "Axes", sizes: np.ndarray) -> None:
    axes.set_xticks(sizes)
    axes.set_xlim(sizes[0] - 0.6, sizes[-1] + 0.6)
    axes.set_xlabel("size: number of players")
    axes.spines[["top", "right"]].set_visible(False)
