"""What the plots share: colours, markers and dashes that tell up to six things apart in grey too, axes of orders."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from interjax._core._checks import check_is, shown
from interjax.dynamics._gradients import GradientStatistics
from interjax.profiles._comparison import ProfileComparison
from interjax.profiles._result import OrderProfile

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure

# Okabe and Ito's colours, ordered so that neighbours differ in lightness; markers and dashes repeat the distinction.
COLOURS = ("#0072B2", "#E69F00", "#000000", "#CC79A7", "#009E73", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
BAND = 1.96  # standard errors on each side: 95 %
LINES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (3, 1)), "-")


def styled(named: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, str, Any]]:
    """Name, result, colour, marker and line of each."""
    for (name, found), colour, marker, line in zip(named.items(), COLOURS, MARKERS, LINES, strict=False):
        yield name, found, colour, marker, line


def check_axes(axes: Any) -> None:
    """Raise ValueError unless they are one Axes of matplotlib."""
    from matplotlib.axes import Axes

    check_is("axes", axes, Axes, "Axes of matplotlib, such as figure.subplots() gives")


def named_results(name: str, found: Any, kind: Any, *, alone: str | None = "", most: int | None = 6) -> dict[Any, Any]:
    """Results by name, from one or a mapping; ValueError unless they are some, and no more than a plot tells apart.

    Args:
        name: of the argument.
        found: what came.
        kind: the class of a result, or several.
        alone: the name of a result that comes by itself; None where it must come in a mapping.
        most: how many at most, those that colours tell apart; None for any number.
    """
    if alone is not None and isinstance(found, kind):
        return {alone: found}
    kinds = " or ".join(each.__name__ for each in (kind if isinstance(kind, tuple) else (kind,)))
    if isinstance(found, Mapping) and (not found or (most is not None and len(found) > most)):
        upto = "at least one" if most is None else f"one to {most} results, as many as fit into one plot"
        raise ValueError(f"{name} must hold {upto}; got {len(found)}")
    if not isinstance(found, Mapping) or not all(isinstance(each, kind) for each in found.values()):
        itself = "" if alone is None else f"{kinds}, or "
        raise ValueError(f"{name} must be {itself}a mapping from names to {kinds}; got {shown(found)}")
    return dict(found)


def new_figure(width: float, height: float, *, layout: str | None = "constrained") -> "Figure":
    """An empty matplotlib figure of this size in inches, apart from pyplot: to draw on and to save without a screen."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)  # type: ignore[arg-type]


def ratios(found: OrderProfile | ProfileComparison | GradientStatistics) -> np.ndarray:
    """The orders as shares of the largest one, from 0 to 1, as they stand in the result."""
    return np.asarray(found.orders) / max(found.n_players - 2, 1)


def ascending(found: OrderProfile | ProfileComparison | GradientStatistics) -> tuple[np.ndarray, np.ndarray]:
    """The ratios from the lowest to the highest, and which place each has in the result: lines and cells need both."""
    place = ratios(found)
    rank = np.argsort(place, kind="stable")
    return place[rank], rank


def order_label(found: Iterable[OrderProfile | ProfileComparison | GradientStatistics]) -> str:
    """The label of an axis of `ratios`."""
    largest = {each.n_players - 2 for each in found}
    share = f"n − 2 = {largest.pop()}" if len(largest) == 1 else "n − 2"
    return f"order: context size m as a share of the largest, {share}"


def edges(centres: np.ndarray) -> np.ndarray:
    """Borders halfway between neighbours; the outer cells are as wide as their inner halves allow."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
