"""Plots of how concepts are learned: strengths over checkpoints and sizes, and the paths of single concepts."""

from collections.abc import Sequence, Sized
from typing import TYPE_CHECKING

import numpy as np

from interjax._core._checks import check_choice, check_is
from interjax._core._names import check_names, coalition_name, default_names
from interjax.concepts._learning._learning import ConceptDynamics
from interjax.concepts._learning._paths import ConceptPaths
from interjax.concepts._learning._phases import Phases
from interjax.games._coalitions import players_in
from interjax.plots._concepts import JOINED
from interjax.plots._style import COLOURS, MARKERS, check_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_COLOUR_MAP = "viridis"  # its lightness rises throughout, so that it reads in grey too
_SIGNED_COLOUR_MAP = "PuOr"


def concept_dynamics(
    axes: "Axes", dynamics: ConceptDynamics, *, phases: Phases | None = None, scale: str = "share"
) -> "Axes":
    """Draw the strength of each size of concepts over a training run as a map.

    The strength of a size is the sum of its |salient effects| in an input, mean over inputs. The line is the
    strength-weighted mean size. Steps are on a logarithmic scale; where a checkpoint has step 0 all are equally wide.
    NaN is left white.

    Args:
        axes: where to draw; a colour bar is added beside it.
        dynamics: what `ij.concepts.checkpoint_concepts` gives.
        phases: what `ij.concepts.phases` gives: the phases that were found are marked above the map.
        scale: what colour means: "share", of a size in the strength of its checkpoint, so that checkpoints of all
            strengths can be compared; "strength"; or "signed", the sum of effects with their signs, around 0.

    Returns:
        The same Axes.

    Raises:
        ValueError: an unknown scale.

    Example:
        >>> import interjax as ij, jax, matplotlib.pyplot as plt
        >>> x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
        >>> data = ij.datasets.Dataset(x, y, x[:20], y[:20], "toy", ("no", "yes"))
        >>> networks = {step: ij.networks.build("mlp", (3,), 2, hidden=(4,), seed=step) for step in (1, 10)}
        >>> found = ij.concepts.checkpoint_concepts(jax.random.key(0), networks, data, players=ij.Players.features(3))
        >>> ij.plots.concept_dynamics(plt.figure().subplots(), found).get_ylabel()
        'size: number of players'
    """
    check_axes(axes)
    check_is("dynamics", dynamics, ConceptDynamics, "what ij.concepts.checkpoint_concepts returned")
    check_is("phases", phases, Phases, "what ij.concepts.phases returned", optional=True)
    steps, sizes = np.asarray(dynamics.steps), np.asarray(dynamics.sizes)
    place, is_log = _places(steps)
    shown, label = _shown(dynamics, scale)
    top = np.nanmax(np.abs(shown), initial=0.0) or 1.0
    edges = np.exp(_edges(np.log(place))) if is_log else _edges(place)
    colours, bottom = (_SIGNED_COLOUR_MAP, -top) if scale == "signed" else (_COLOUR_MAP, 0.0)
    values = np.ma.masked_invalid(shown.T)
    image = axes.pcolormesh(edges, _edges(sizes), values, cmap=colours, vmin=bottom, vmax=top)
    axes.figure.colorbar(image, ax=axes).set_label(label)
    line = "black" if scale == "signed" else "white"
    axes.plot(place, _shares(dynamics.strength) @ sizes, color=line, linewidth=1.8, marker="o", markersize=2.5)
    if is_log:
        axes.set_xscale("log")
    else:
        axes.set_xticks(place, [str(step) for step in steps])
    if phases is not None:
        _mark_phases(axes, phases, dict(zip(steps.tolist(), place.tolist(), strict=True)), edges)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(sizes[0] - 0.5, sizes[-1] + 0.5)
    axes.set_yticks(sizes)
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("size: number of players")
    return axes


def _shown(dynamics: ConceptDynamics, scale: str) -> tuple[np.ndarray, str]:
    """What colour stands for, (checkpoints, sizes), and its name."""
    check_choice("scale", scale, ("share", "strength", "signed"))
    if scale == "share":
        return _shares(dynamics.strength), "share of the strength of the checkpoint"
    if scale == "strength":
        return dynamics.strength, "sum of |salient effects| an input\n(nats for log-odds)"
    return dynamics.positive + dynamics.negative, "sum of salient effects an input\n(nats for log-odds)"


def _shares(strength: np.ndarray) -> np.ndarray:
    """The share of each size in the strength of its checkpoint; NaN where a checkpoint has none."""
    total = strength.sum(axis=1, keepdims=True)
    return np.divide(strength, total, out=np.full_like(strength, np.nan), where=total > 0)


def _mark_phases(axes: "Axes", phases: Phases, places: dict[int, float], edges: np.ndarray) -> None:
    """The number of each phase that was found, above a line over its checkpoints."""
    from matplotlib.transforms import blended_transform_factory

    above = blended_transform_factory(axes.transData, axes.transAxes)
    for number in np.flatnonzero(phases.is_found):
        begin, end = (places[int(step[number])] for step in (phases.begins, phases.ends))
        begin, end = max(begin, edges[0]), min(end, edges[-1])
        axes.plot([begin, end], [1.02, 1.02], color="0.25", linewidth=1.2, transform=above, clip_on=False, marker="|")
        middle = np.sqrt(begin * end) if axes.get_xscale() == "log" else (begin + end) / 2
        text = f"{number + 1}: {phases.names[number]}"
        axes.text(
            middle, 1.03 + 0.05 * (number % 2), text, transform=above, ha="center", va="bottom", fontsize="x-small"
        )


def concept_paths(axes: "Axes", paths: ConceptPaths, *, names: Sequence[str] | None = None) -> "Axes":
    """Draw the effects of single concepts over a training run.

    The strongest of the last checkpoint are solid with filled markers, those that peaked and vanished dashed with
    open ones. Players of an AND concept are joined by "&", of an OR concept by "|".

    Args:
        axes: where to draw.
        paths: what `ij.concepts.concept_paths` gives, up to six final and six vanished ones.
        names: a name for each player; by default those of the paths.

    Returns:
        The same Axes.

    Raises:
        ValueError: more paths than can be told apart, or too few names.

    Example:
        >>> import interjax as ij, matplotlib.pyplot as plt
        >>> paths = ij.concepts.ConceptPaths(np.array([1, 10]), np.array([[0, 3]]), np.array([[0.5], [2.0]]),
        ...                                  np.array([True]), np.array([10]), None)
        >>> axes = ij.plots.concept_paths(plt.figure().subplots(), paths, names=["age", "sex"])
        >>> [text.get_text() for text in axes.get_legend().get_texts()]
        ['age & sex']
    """
    check_axes(axes)
    check_is("paths", paths, ConceptPaths, "what ij.concepts.concept_paths returned")
    concepts, is_final = np.asarray(paths.concepts), np.asarray(paths.is_final)
    if max(np.sum(is_final), np.sum(~is_final)) > len(COLOURS):
        raise ValueError(
            f"paths must be at most {len(COLOURS)} final and {len(COLOURS)} vanished ones, as many as can be told "
            f"apart; got {np.sum(is_final)} and {np.sum(~is_final)}: give a smaller count to concept_paths"
        )
    n_named = max(int(concepts[:, 1].max(initial=1)).bit_length(), len(paths.player_names))
    is_free = not paths.player_names  # in older files, which do not tell how many there are
    count = max(len(names), n_named) if isinstance(names, Sized) and is_free else n_named
    named = check_names("names", names, count) or paths.player_names or default_names(n_named)
    place, is_log = _places(np.asarray(paths.steps))
    for part, line, face in ((is_final, "-", None), (~is_final, "--", "white")):
        for row, colour, marker in zip(np.flatnonzero(part), COLOURS, MARKERS, strict=False):
            style = {"color": colour, "marker": marker, "linestyle": line, "markersize": 4.5}
            label = coalition_name(named, players_in(int(concepts[row, 1])), JOINED[int(concepts[row, 0])])
            axes.plot(place, np.asarray(paths.effects)[:, row], label=label, markerfacecolor=face or colour, **style)
    axes.axhline(0.0, color="0.6", linewidth=0.8, zorder=0)
    if is_log:
        axes.set_xscale("log")
    else:
        axes.set_xticks(place, [str(step) for step in np.asarray(paths.steps)])
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("mean effect $I(S)$ (nats for log-odds)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0)
    return axes


def _places(steps: np.ndarray) -> tuple[np.ndarray, bool]:
    """Where checkpoints stand: at their steps on a logarithmic axis, or one after the other if one has step 0."""
    return (steps.astype(float), True) if steps[0] > 0 and len(steps) > 1 else (np.arange(len(steps)) * 1.0, False)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Borders halfway between neighbours; the outer cells are as wide as their inner halves allow."""
    if len(centres) == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
