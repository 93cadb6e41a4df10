"""The plot that compares networks: one row a measure, one marker a network."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from interjax._core._checks import check_is, check_several
from interjax.evaluation._evaluate import Evaluation
from interjax.plots._style import COLOURS, MARKERS, check_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_AXES = {"accuracy": "accuracy", "R^2": "share of the variance that is predicted, $R^2$"}
_ROW_SHARE = 0.7  # of a row's height, over which its networks are spread


def evaluation(axes: "Axes", found: Evaluation, *, measures: Sequence[str] | None = None) -> "Axes":
    """Draw what networks can do: for each measure and network a marker at the value and a line over its interval.

    Rows run from the top in the order of `measures`; within a row the networks are in their order, from the top.
    A value that is NaN is left out.

    Args:
        axes: where to draw; about 0.15 inches of height for each network and measure are enough.
        found: what `evaluate` returned, of one to six networks.
        measures: names of measures to draw, all accuracies, all R^2, or losses or errors; all accuracies or R^2 by
            default.

    Returns:
        The same Axes.

    Raises:
        ValueError: more than six networks, no measures or unknown ones, or accuracies together with losses.

    Example:
        >>> import interjax as ij, jax, matplotlib.pyplot as plt
        >>> from interjax.evaluation import evaluate
        >>> data = ij.datasets.Dataset(np.eye(2), [0, 1], np.eye(2), [0, 1], "toy", ("no", "yes"))
        >>> axes = evaluation(plt.figure().subplots(), evaluate(lambda x: x, data, key=jax.random.key(0)))
        >>> [label.get_text() for label in axes.get_yticklabels()]
        ['test', 'training', 'FGSM 0.1', 'FGSM 0.5', 'PGD 0.1', 'PGD 0.5', '50% occluded']
    """
    check_axes(axes)
    check_is("found", found, Evaluation, "what ij.evaluation.evaluate returned")
    if len(found.networks) > len(COLOURS):
        raise ValueError(
            f"found must hold at most {len(COLOURS)} networks, as many as fit into one plot; got {len(found.networks)}"
        )
    if measures is None:
        measures = [name for name in found.measures if _share_in(name)]
    unknown = [str(name) for name in check_several("measures", measures) if name not in found.measures]
    if unknown or not measures:
        raise ValueError(f"measures must be among {', '.join(found.measures)}; got {', '.join(unknown) or 'none'}")
    shares = {_share_in(name) for name in measures}
    if len(shares) > 1:
        raise ValueError("measures must be accuracies or losses, which share no axis; got both: draw them on two")
    share = shares.pop()
    _draw_networks(axes, found, [found.measures.index(name) for name in measures])
    _label(axes, [_short(name) for name in measures] if share else list(measures))
    otherwise = "mean absolute error" if any("R^2" in name for name in found.measures) else "cross entropy in nats"
    axes.set_xlabel(f"{_AXES.get(share, otherwise)}, {found.level:.0%} interval")
    if share == "accuracy":
        axes.set_xlim(-0.02, 1.02)
    else:
        axes.axvline(0.0, color="0.7", linewidth=0.8, zorder=1)
    if len(found.networks) > 1:
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, handletextpad=0.3)
    return axes


def _draw_networks(axes: "Axes", found: Evaluation, columns: list[int]) -> None:
    step = _ROW_SHARE / max(len(found.networks), 3)
    for row, (name, colour, marker) in enumerate(zip(found.networks, COLOURS, MARKERS, strict=False)):
        height = np.arange(len(columns)) + (row - (len(found.networks) - 1) / 2) * step
        value, lower, upper = (np.asarray(part)[row, columns] for part in (found.value, found.lower, found.upper))
        axes.hlines(height, lower, upper, color=colour, linewidth=1.5, zorder=2)
        axes.plot(value, height, color=colour, marker=marker, markersize=5, linestyle="none", label=name, zorder=3)


def _label(axes: "Axes", names: list[str]) -> None:
    """Name the rows, downwards, and shade every other one."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    for row in range(0, len(names), 2):
        axes.axhspan(row - 0.5, row + 0.5, color="0.95", linewidth=0, zorder=0)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _share_in(measure: str) -> str:
    """Of which share a measure tells, "accuracy" or "R^2"; "" for a loss."""
    return next((share for share in _AXES if share in measure), "")


def _short(measure: str) -> str:
    share = _share_in(measure)
    return measure.removeprefix(f"{share}, ").removesuffix(f" {share}")
