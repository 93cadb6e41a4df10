"""Plots of the concepts of one input: bars of the strongest, named by column or drawn on the image."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from interjax._core._checks import check_array, check_count, check_is, check_known
from interjax._core._names import check_names, coalition_name, default_names
from interjax.concepts._explanations._effects import effects_of
from interjax.concepts._explanations._salient import salient_effects
from interjax.games._coalitions import players_in
from interjax.games._players import Players, check_players
from interjax.plots._style import COLOURS, check_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_KINDS = ("AND", "OR")
_HATCHES = (None, "////")
JOINED = (" & ", " | ")  # players of AND and of OR concepts
_EFFECT = "effect $I(S)$ (nats for log-odds)"
_ALWAYS_PRESENT = -1


def concepts(
    axes: "Axes", explanation: Any, *, names: Sequence[str] | None = None, count: int = 12, tau: float = 0.05
) -> "Axes":
    """Draw the strongest salient concepts of one input as bars, the strongest on top.

    AND concepts are plain blue bars whose players are joined by "&", OR concepts hatched orange ones with "|".

    Args:
        axes: where to draw; about 0.25 inches of height for each bar are enough.
        explanation: of one input: an `AndOr` of effects (2**n,), or AND effects (2**n,).
        names: a name for each player; by default those of the explanation, "player 3" for effects alone.
        count: bars at most.
        tau: threshold of salience, in (0, 1].

    Returns:
        The same Axes.

    Raises:
        ValueError: explanations of several inputs, as many names as there are not players, or no salient concept.

    Example:
        >>> import interjax as ij, matplotlib.pyplot as plt
        >>> axes = ij.plots.concepts(plt.figure().subplots(), ij.moebius([0, 1, 2, 5]), names=["age", "sex"])
        >>> [label.get_text() for label in axes.get_yticklabels()]
        ['sex', 'age & sex', 'age']
    """
    check_axes(axes)
    found = _strongest(explanation, count, tau)
    named = check_names("names", names, found.n_players) or found.names
    _draw_bars(axes, found)
    labels = [coalition_name(named, players_in(index), JOINED[kind]) for kind, index in found.concepts]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel(_EFFECT)
    if found.is_both:
        axes.legend(frameon=False, loc="best")
    axes.set_title(_shown(found), loc="left", fontsize="small")
    return axes


def concepts_on_image(
    figure: "Figure",
    explanation: Any,
    image: Any,
    players: Players,
    *,
    count: int = 6,
    tau: float = 0.05,
) -> "Figure":
    """Draw the strongest salient concepts of one image, each beside the image with its players outlined.

    The parts of the other players are dimmed; what is always present stays as it is.

    Args:
        figure: where to draw, empty; about 0.9 inches of height for each concept are enough.
        explanation: of one input: an `AndOr` of effects (2**n,), or AND effects (2**n,).
        image: (height, width) or (height, width, channels) of 1 or 3 channels; scaled to its own range.
        players: whose labels have the image's shape.
        count: concepts at most.
        tau: threshold of salience, in (0, 1].

    Returns:
        The same Figure.

    Raises:
        ValueError: explanations of several inputs, shapes that do not fit, or no salient concept.

    Example:
        >>> import interjax as ij, matplotlib.pyplot as plt
        >>> players = ij.Players.grid((4, 4), (1, 2))
        >>> figure = ij.plots.concepts_on_image(plt.figure(), ij.moebius([0, 1, 2, 5]), np.eye(4), players)
        >>> len(figure.axes)  # the bars and three images
        4
    """
    from matplotlib.figure import FigureBase

    check_is("figure", figure, FigureBase, "a Figure of matplotlib")
    found = _strongest(explanation, count, tau)
    pixels, owners = _check_image(image, players, found.n_players)
    rows = len(found.concepts)
    place = {"left": 0.02, "right": 0.97, "bottom": 0.14, "top": 0.92, "wspace": 0.05, "hspace": 0.0}
    grid = figure.add_gridspec(rows, 2, width_ratios=(1, 4), **place)
    bars = figure.add_subplot(grid[:, 1])
    _draw_bars(bars, found)
    bars.set_yticks([])
    bars.set_ylim(rows - 0.5, -0.5)  # bars at the height of their images
    bars.set_xlabel(_EFFECT)
    bars.set_title(_shown(found), loc="left", fontsize="small")
    if found.is_both:
        bars.legend(frameon=False, loc="best")
    for row, (kind, index) in enumerate(found.concepts):
        _draw_players(figure.add_subplot(grid[row, 0]), pixels, owners, players_in(index), COLOURS[kind])
    return figure


class _Strongest:
    """The strongest salient concepts of one input."""

    def __init__(self, explanation: Any, effects: np.ndarray, concepts: np.ndarray, n_salient: int):
        self.n_players = effects.shape[1].bit_length() - 1
        self.names = getattr(explanation, "player_names", default_names(self.n_players))
        self.is_both = len(effects) == 2
        self.concepts = [(int(kind), int(index)) for kind, index in concepts]
        self.values = effects[tuple(concepts.T)]
        self.n_salient = n_salient


def _strongest(explanation: Any, count: int, tau: float) -> _Strongest:
    effects = effects_of(explanation)
    if effects.ndim != 2:
        raise ValueError(
            f"explanation must hold the effects of one input, (2**n,), got shape "
            f"{(*effects.shape[:-2], effects.shape[-1])}; take one of the batch, explanation[0]"
        )
    is_salient = salient_effects(effects, tau)
    if not is_salient.any():
        raise ValueError("explanation must have a salient concept, got one whose effects are all 0")
    strength = np.where(is_salient, np.abs(effects), 0.0)
    order = np.argsort(-strength, axis=None, kind="stable")[: min(check_count("count", count), is_salient.sum())]
    chosen = np.stack(np.unravel_index(order, effects.shape), axis=1)
    return _Strongest(explanation, effects, chosen, int(is_salient.sum()))


def _shown(found: _Strongest) -> str:
    shown = len(found.concepts)
    return f"{shown} strongest of {found.n_salient} salient concepts" if shown < found.n_salient else ""


def _draw_bars(axes: "Axes", found: _Strongest) -> None:
    """One bar a concept, downwards; those of a kind in its colour and hatch."""
    kinds = np.array([kind for kind, _ in found.concepts])
    for kind, name in enumerate(_KINDS):
        rows = np.flatnonzero(kinds == kind)
        if len(rows):
            axes.barh(
                rows, found.values[rows], 0.7, color=COLOURS[kind], hatch=_HATCHES[kind], edgecolor="white", label=name
            )
    axes.axvline(0.0, color="0.4", linewidth=0.8)
    axes.set_ylim(len(kinds) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _check_image(image: Any, players: Players, n_players: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels in [0, 1], (height, width) or (height, width, 3), and the player of each pixel (height, width)."""
    check_players(players)
    check_known("image", image)
    image = np.asarray(
        check_array("image", image, "one input, (height, width) or (height, width, channels)"), np.float64
    )
    if players.n != n_players or image.shape != players.shape or image.ndim not in (2, 3):
        raise ValueError(
            f"image must be (height, width) or (height, width, channels), cut into {n_players} players of its shape; "
            f"got shape {image.shape} and {players.n} players of shape {players.shape}"
        )
    owners = players.labels if image.ndim == 2 else players.labels[..., 0]
    if image.ndim == 3 and (image.shape[2] not in (1, 3) or np.any(players.labels != owners[..., None])):
        raise ValueError(
            "image must have 1 or 3 channels, which belong to the player of their pixel together; got "
            f"{image.shape[2]} channels{', some of other players' if image.shape[2] in (1, 3) else ''}"
        )
    pixels = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    low, high = np.nanmin(pixels), np.nanmax(pixels)
    return (pixels - low) / (high - low or 1.0), owners


def _draw_players(axes: "Axes", pixels: np.ndarray, owners: np.ndarray, members: tuple[int, ...], colour: str) -> None:
    """The image with some players outlined and the others dimmed towards white."""
    chosen = np.isin(owners, members)
    rgb = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels
    rgb = np.where((chosen | (owners == _ALWAYS_PRESENT))[..., None], rgb, 0.75 + 0.25 * rgb)
    axes.imshow(rgb, interpolation="nearest")
    height, width = owners.shape
    fine = np.kron(np.pad(chosen, 1), np.ones((4, 4)))  # contours pass between samples: finer ones hug the pixels
    place = (np.arange(4 * (width + 2)) + 0.5) / 4 - 1.5, (np.arange(4 * (height + 2)) + 0.5) / 4 - 1.5
    axes.contour(*place, fine, levels=[0.5], colors=colour, linewidths=1.8)
    axes.set_xlim(-0.75, width - 0.25)
    axes.set_ylim(height - 0.25, -0.75)
    axes.set_axis_off()
