"""What the networks of `complexity` show: C by layer, its direction through layers and over training, a figure."""

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from interjax import plots
from interjax.plots._style import new_figure
from interjax.reproduce._experiment import Experiment
from interjax.reproduce._verdict import over_seeds
from interjax.reproduce.complexity import SETTINGS, Found, run

if TYPE_CHECKING:
    from interjax.plots._style import Figure

_WORDS = {"agrees": "shown", "opposite": "contradicted", "not told apart": "undecided"}


def summary(found: Found) -> dict[str, Any]:
    """Every number of the experiment as JSON types."""
    first = found.runs[0]
    names = ("complexity", "stderr", "information", "null_information", "coverage", "redundancy", "vulnerability")
    numbers: dict[str, Any] = {
        "epochs": found.setting.epochs,
        "steps_per_epoch": found.steps_per_epoch,
        "test_accuracy": found.accuracy.tolist(),
        "steps": first.steps.tolist(),
        "layers": list(first.layers),
        "claims": claims(found),
    }
    for name in (*names, "reliable"):
        numbers[name] = np.stack([getattr(run, name) for run in found.runs]).tolist()
    if found.grouped is not None and found.grouped_reliable is not None:
        numbers["grouped"] = {
            "complexity": found.grouped.tolist(),
            "reliable": found.grouped_reliable.tolist(),
            "largest_group": found.largest_group,
        }
    return numbers


def claims(found: Found) -> list[dict[str, Any]]:
    """The paper's directions: differences of C between layers and over training, with their intervals over seeds.

    The highest C of a seed is looked for where the mean of the other seeds is highest: its own highest value would be
    above all others by choice.
    """
    values = np.stack([run.complexity for run in found.runs])  # (seeds, checkpoints, layers)
    reliable = np.stack([run.reliable for run in found.runs])
    layers = found.runs[0].layers
    of_five = [number for number, layer in enumerate(layers) if layer in found.setting.layers]
    told = []
    for lower, upper in itertools.pairwise(of_five):
        name = f"C falls from {layers[lower]} to {layers[upper]} in the trained networks"
        told.append(_claim(name, values[:, -1, upper] - values[:, -1, lower], expected=-1))
    for number in of_five:
        each, layer = values[:, :, number], layers[number]
        first, last = each[:, 0], each[:, -1]
        highest = _at_the_others_peak(each)
        told.append(_claim(f"C of {layer} rises at first", highest - first, expected=1))
        told.append(_claim(f"C of {layer} falls after its highest", last - highest, expected=-1))
        told.append(_claim(f"C of {layer} is lower than in the untrained network", last - first, expected=-1))
        known = np.array([_first_reliable(*one) for one in zip(each, reliable[:, :, number], strict=True)])
        told.append(_claim(f"C of {layer} falls since it was first reliable", last - known, expected=-1))
    return told


def _at_the_others_peak(values: np.ndarray) -> np.ndarray:
    """The value of each seed at the checkpoint where the mean of the others is highest; of one seed, its highest."""
    if len(values) == 1:
        return values.max(axis=1)
    others = (values.sum(axis=0) - values) / (len(values) - 1)
    return values[np.arange(len(values)), others.argmax(axis=1)]


def _first_reliable(values: np.ndarray, reliable: np.ndarray) -> float:
    """C at the first checkpoint from which on all are reliable; NaN without one before the last."""
    unreliable = np.flatnonzero(~reliable)
    first = unreliable[-1] + 1 if len(unreliable) else 0
    return float(values[first]) if first < len(values) - 1 else math.nan


def _claim(name: str, differences: np.ndarray, *, expected: int) -> dict[str, Any]:
    """Mean difference with its 95% interval over seeds, and in how many seeds it has the expected sign."""
    known = differences[np.isfinite(differences)]
    found = over_seeds(known)
    return {
        "claim": name,
        "difference": found.mean,
        "margin": found.margin,
        "seeds": len(differences),
        "seeds_agreeing": int(np.sum(np.sign(known) == expected)),
        "verdict": _WORDS[found.verdict(expected)],
    }


def table(found: Found) -> str:
    """The trained networks by layer and the claims, in Markdown."""
    values = np.stack([run.complexity for run in found.runs])
    information = np.stack([run.information for run in found.runs])
    reliable = np.stack([run.reliable for run in found.runs])
    steps, epoch = found.runs[0].steps, found.steps_per_epoch
    seeds = len(values)
    lines = [
        f"{seeds} networks, {found.setting.epochs} epochs; test accuracy "
        + ", ".join(f"{each:.3f}" for each in found.accuracy),
        "",
        "| layer | C untrained | highest C (epoch) | C trained | over seeds | I trained (bit) | r | v | reliable |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for number, layer in enumerate(found.runs[0].layers):
        mean = values[:, :, number].mean(axis=0)
        peak = int(np.nanargmax(mean)) if np.isfinite(mean).any() else 0
        spread = values[:, -1, number].std(ddof=1) if seeds > 1 else math.nan
        r, v = (
            np.mean([getattr(run, name)[-1, number] for run in found.runs]) for name in ("redundancy", "vulnerability")
        )
        lines.append(
            f"| {layer} | {mean[0]:.3f} | {mean[peak]:.3f} ({steps[peak] / epoch:.3g}) | {mean[-1]:.3f} | "
            f"sd {spread:.3f} | {information[:, -1, number].mean():.3f} | {r:.2f} | {v:.2f} | "
            f"{reliable[:, -1, number].sum()} of {seeds} trained, {reliable[:, :, number].mean():.0%} of all |"
        )
    if found.grouped is not None and found.grouped_reliable is not None and found.largest_group is not None:
        low = found.grouped[:, -1].mean()
        lines += [
            "",
            f"{found.setting.wide_layer} as groups of neighbours: C of groups {low:.3f} in the trained networks "
            f"({found.grouped_reliable[:, -1].sum()} of {seeds} reliable), so that its C lies between {low:.3f} and "
            f"{found.largest_group * low:.3f} if no atom is negative.",
        ]
    lines += ["", "| claim of the paper | difference of C | seeds that agree | verdict |", "|---|---|---|---|"]
    for each in claims(found):
        lines.append(
            f"| {each['claim']} | {each['difference']:+.3f} +- {each['margin']:.3f} | "
            f"{each['seeds_agreeing']} of {each['seeds']} | {each['verdict']} |"
        )
    return "\n".join(lines) + "\n"


def figure(found: Found, title: str) -> "Figure":
    """C over training, information by degree of the first and the last layer, and the plane of r and v."""
    drawn = new_figure(11, 8)
    drawn.suptitle(title)
    axes = drawn.subplots(2, 2)
    plots.complexity_over_training(axes[0, 0], found.runs, steps_per_epoch=found.steps_per_epoch)
    plots.redundancy_vulnerability(axes[0, 1], found.runs)
    for place, layer in zip(axes[1], (found.setting.layers[0], found.setting.layers[-1]), strict=True):
        plots.information_by_degree(place, found.runs, layer, steps_per_epoch=found.steps_per_epoch).set_title(layer)
    return drawn


EXPERIMENT = Experiment(
    "complexity",
    SETTINGS,
    run,
    summary,
    table,
    figure,
    size=lambda setting, found: f"{setting.epochs} epochs, {len(found.runs)} seeds",
)
