"""The course of a training run."""

from typing import TYPE_CHECKING

from interjax._core._checks import check_is
from interjax.plots._style import COLOURS, LINES, MARKERS, check_axes
from interjax.training._run import TrainingLog

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def training(axes: "Axes", log: TrainingLog) -> "Axes":
    """Draw a training run: loss and, on a second axis, test accuracy or R^2 after each epoch.

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
    check_axes(axes)
    check_is("log", log, TrainingLog, "what ij.training.train returned")
    lines = axes.plot(log.step, log.loss, color=COLOURS[0], marker=MARKERS[0], markersize=4, label="training loss")
    axes.set_xlabel("optimizer step")
    is_regression = log.test_r_squared is not None
    axes.set_ylabel("training loss" if is_regression else "training loss (nats)")
    axes.spines["top"].set_visible(False)
    test, name = (log.test_r_squared, "test $R^2$") if is_regression else (log.test_accuracy, "test accuracy")
    if test is not None:
        right = axes.twinx()
        style = {"color": COLOURS[1], "marker": MARKERS[1], "linestyle": LINES[1], "markersize": 4}
        lines += right.plot(log.step, test, label=name, **style)
        right.set_ylabel(name)
        right.spines["top"].set_visible(False)
    axes.legend(handles=lines, frameon=False, loc="center right")
    return axes
