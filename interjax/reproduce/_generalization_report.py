"""What the networks of `generalization` show: numbers by share of shuffled labels and by size, claims, a figure."""

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from interjax import plots
from interjax.concepts import (
    ConceptDynamics,
    Inconsistency,
    SizeDistribution,
    fit_relative_noise,
    phases,
    theoretical_inconsistency,
)
from interjax.concepts._learning._phases import PHASES
from interjax.plots._style import COLOURS, LINES, MARKERS, new_figure
from interjax.reproduce._experiment import Experiment
from interjax.reproduce._generalization_claims import MEASURES, judged, mean_size, share_of_large
from interjax.reproduce._verdict import LEVEL
from interjax.reproduce.generalization import SETTINGS, Found, Network, run

if TYPE_CHECKING:
    from interjax.plots._style import Axes, Figure


_BY_SIZE = ("strength", "count", "similarity", "null", "excess", "noise", "theory", "attack")


def summary(found: Found) -> dict[str, Any]:
    """Everything that the report states, in JSON types."""
    first = found.networks[0.0][0].dynamics
    return {
        "seeds": len(found.networks[0.0]),
        "players": list(found.player_names),
        "training_inputs": len(first.train_rows),
        "test_inputs": len(first.test_rows),
        "steps": np.asarray(first.steps).tolist(),
        "networks": {_name(share): _of_share(networks) for share, networks in found.networks.items()},
        "level": LEVEL,
        "claims": judged(found),
    }


def table(found: Found) -> str:
    """The report in Markdown."""
    numbers = summary(found)
    rows = {
        "accuracy, training labels": "train_accuracy",
        "accuracy, test": "test_accuracy",
        "loss gap (nats)": "loss_gap",
        "concepts in an input": "concepts",
        "mean size of concepts": "mean_size",
        "strength on large concepts, share": "share_of_large",
        "relative noise r that fits": "relative_noise",
    }
    networks = numbers["networks"]
    lines = [f"| mean over {numbers['seeds']} seeds (least to largest) | {' | '.join(networks)} |"]
    lines.append("|---" * (len(networks) + 1) + "|")
    for title, name in rows.items():
        lines.append(f"| {title} | {' | '.join(_spread_text(one[name]) for one in networks.values())} |")
    for number, phase in enumerate(PHASES):
        cells = [f"{one['phases_found'][number]} of {numbers['seeds']}" for one in networks.values()]
        lines.append(f"| phase {number + 1}, {phase}: found | {' | '.join(cells)} |")
    for name, one in networks.items():
        lines += ["", f"| {name}, size | strength | concepts | similarity | null | excess | noise | theory | attack |"]
        lines.append("|---" * (len(_BY_SIZE) + 1) + "|")
        columns = [one["by_size"][column] for column in _BY_SIZE]
        for size, row in enumerate(zip(*columns, strict=True), 1):
            lines.append(f"| {size} | {' | '.join(f'{value:.3g}' for value in row)} |")
    lines += [
        "",
        "| reported by the papers | networks | measured, 95% interval over seeds | verdict |",
        "|---|---|---|---|",
    ]
    for claim in numbers["claims"]:
        which = _name(claim["share"]) + (" against rho=0" if claim["compared"] else "")
        measured = f"{claim['measure']} {_interval_text(claim)}"
        lines.append(f"| {claim['claim']} | {which} | {measured} | {claim['verdict']} |")
    return "\n".join(lines) + "\n"


def _name(share: float) -> str:
    return f"rho={share:g}"


def _of_share(networks: list[Network]) -> dict[str, Any]:
    """The final networks of a share, by seed and as means by size; when phases were found."""
    found_phases = [phases(network.dynamics) for network in networks]
    by_seed = {
        "train_accuracy": [float(network.dynamics.train_accuracy[-1]) for network in networks],
        "test_accuracy": [float(network.dynamics.test_accuracy[-1]) for network in networks],
        "train_loss": [float(network.dynamics.train_loss[-1]) for network in networks],
        "test_loss": [float(network.dynamics.test_loss[-1]) for network in networks],
        "loss_gap": [float(one.loss_gap[-1]) for one in found_phases],
        "concepts": [float(network.dynamics.count[-1].sum()) for network in networks],
        "mean_size": [mean_size(network) for network in networks],
        "share_of_large": [share_of_large(network) for network in networks],
        "relative_noise": [fit_relative_noise(network.noise) for network in networks],
    }
    by_size = _by_size(networks)
    return by_seed | {
        "phases_found": [int(sum(one.is_found[number] for one in found_phases)) for number in range(len(PHASES))],
        "phases_by_seed": [
            {"begins": one.begins.tolist(), "ends": one.ends.tolist(), "reasons": list(one.reasons)}
            for one in found_phases
        ],
        "by_size": {name: values.mean(axis=0).tolist() for name, values in by_size.items()},
        "by_size_and_seed": {name: values.tolist() for name, values in by_size.items()},
        "measures": {name: measure(networks).tolist() for name, measure in MEASURES.items()},
        "n_nonfinite": [np.asarray(network.dynamics.n_nonfinite).tolist() for network in networks],
    }


def _by_size(networks: list[Network]) -> dict[str, np.ndarray]:
    """Numbers of the final networks, each (seeds, sizes)."""
    names = ("strength", "count", "similarity", "null", "excess")
    found = {name: np.array([getattr(network.dynamics, name)[-1] for network in networks]) for name in names}
    found["noise"] = np.array([network.noise.value for network in networks])
    found["theory"] = np.array([_theory(network.noise) for network in networks])
    found["attack"] = np.array([network.attack.value for network in networks])
    return found


def _theory(found: Inconsistency) -> np.ndarray:
    relative_noise = fit_relative_noise(found)
    if not math.isfinite(relative_noise):
        return np.full(len(found.sizes), np.nan)
    return theoretical_inconsistency(found.sizes, relative_noise)


def _interval_text(claim: dict[str, Any]) -> str:
    if not math.isfinite(claim["mean"]):
        return "unknown"
    ends = f"{claim['lower']:+.3g} to {claim['upper']:+.3g}" if math.isfinite(claim["lower"]) else "unknown"
    return f"{claim['mean']:+.3g} ({ends})"


def _spread_text(values: list[float]) -> str:
    return f"{np.mean(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def figure(found: Found, title: str) -> "Figure":
    """Sizes, similarity with its null and inconsistency with its theory at the end; strengths and losses over time."""
    figure = new_figure(15, 8.6)
    axes = figure.subplots(2, 3)
    every = found.networks
    shown = dict(list(every.items())[:3])
    plots.concept_sizes(axes[0, 0], {_name(share): _sizes_over_seeds(networks) for share, networks in shown.items()})
    axes[0, 0].set_title("strength by size, 95% over seeds")
    _draw_similarity(axes[0, 1], every)
    _draw_inconsistency(axes[0, 2], every)
    maps = {share: _dynamics_over_seeds(every[share]) for share in (0.0, max(every))}
    top = max(np.nanmax(one.strength / one.strength.sum(axis=1, keepdims=True)) for one in maps.values())
    for place, (share, mean) in zip(axes[1], maps.items(), strict=False):
        plots.concept_dynamics(place, mean)
        place.collections[0].set_clim(0, top)  # one scale for both maps
        place.set_title(f"{_name(share)}: learning, mean over seeds")
    if len(every) == 1:
        axes[1, 1].remove()
    _draw_losses(axes[1, 2], every)
    figure.suptitle(title)
    return figure


def _sizes_over_seeds(networks: list[Network]) -> SizeDistribution:
    """The final distributions' mean over seeds, with standard errors over seeds; those over inputs for a single one."""
    parts = {
        name: np.array([getattr(network.dynamics, name)[-1] for network in networks])
        for name in ("positive", "negative")
    }
    mean = {name: values.mean(axis=0) for name, values in parts.items()}
    count = len(networks)
    spread = {
        name: values.std(axis=0, ddof=1) / math.sqrt(count) if count > 1 else np.full(values.shape[1], np.nan)
        for name, values in parts.items()
    }
    dynamics, unknown = networks[0].dynamics, np.full(networks[0].dynamics.n_players, np.nan)
    return SizeDistribution(
        sizes=np.asarray(dynamics.sizes),
        positive=mean["positive"],
        negative=mean["negative"],
        positive_count=unknown,
        negative_count=unknown,
        positive_stderr=spread["positive"],
        negative_stderr=spread["negative"],
        positive_count_stderr=unknown,
        negative_count_stderr=unknown,
        positive_by_kind=unknown,
        negative_by_kind=unknown,
        n_inputs=len(dynamics.train_rows),
        tau=dynamics.tau,
    )


def _dynamics_over_seeds(networks: list[Network]) -> ConceptDynamics:
    """The first seed's dynamics with the mean strengths over seeds."""
    parts = {
        name: np.mean([getattr(network.dynamics, name) for network in networks], axis=0)
        for name in ("positive", "negative")
    }
    return dataclasses.replace(networks[0].dynamics, **parts)


def _draw_similarity(axes: "Axes", every: dict[float, list[Network]]) -> None:
    """Mean and range over seeds of the similarity, beside the null."""
    for (share, networks), colour, marker, line in zip(every.items(), COLOURS, MARKERS, LINES, strict=False):
        values = _by_size(networks)
        sizes = networks[0].dynamics.sizes
        style = {"color": colour, "marker": marker, "markersize": 5}
        axes.fill_between(sizes, *_range(values["similarity"]), color=colour, alpha=0.2, linewidth=0)
        axes.plot(sizes, values["similarity"].mean(axis=0), linestyle=line, label=_name(share), **style)
        style |= {"markerfacecolor": "white", "linewidth": 0.9, "linestyle": (0, (1, 1))}
        axes.plot(sizes, values["null"].mean(axis=0), label=f"{_name(share)}, split-half null", **style)
    axes.set_ylim(0, 1)
    axes.set_ylabel("similarity of training and test inputs")
    axes.set_title("generalisation, mean and range over seeds")
    _label_sizes(axes, np.asarray(every[0.0][0].dynamics.sizes))


def _draw_inconsistency(axes: "Axes", every: dict[float, list[Network]]) -> None:
    """Mean and range over seeds of the inconsistency under noise, its theory, and that under attack."""
    for (share, networks), colour, marker, line in zip(every.items(), COLOURS, MARKERS, LINES, strict=False):
        values = _by_size(networks)
        sizes = networks[0].dynamics.sizes
        style = {"color": colour, "marker": marker, "markersize": 5}
        axes.fill_between(sizes, *_range(values["noise"]), color=colour, alpha=0.2, linewidth=0)
        axes.plot(sizes, values["noise"].mean(axis=0), linestyle=line, label=f"{_name(share)}, noise", **style)
        name = "_" if share else "$(1 + r^2)^m - 1$, r fitted to noise"
        style_of_theory = {"color": colour, "linewidth": 0.9, "linestyle": (0, (1, 1))}
        axes.plot(sizes, values["theory"].mean(axis=0), label=name, **style_of_theory)
        style |= {"markerfacecolor": "white", "linewidth": 0.9, "linestyle": line}
        axes.plot(sizes, values["attack"].mean(axis=0), label=f"{_name(share)}, attack", **style)
    axes.set_yscale("log")
    axes.set_ylabel("relative variance of effects")
    axes.set_title("inconsistency, mean and range over seeds")
    _label_sizes(axes, np.asarray(every[0.0][0].dynamics.sizes))


def _draw_losses(axes: "Axes", every: dict[float, list[Network]]) -> None:
    """Training and test loss over the checkpoints, means over seeds."""
    for (share, networks), colour, marker in zip(every.items(), COLOURS, MARKERS, strict=False):
        steps = networks[0].dynamics.steps
        for name, line, face in (("train_loss", "-", colour), ("test_loss", "--", "white")):
            mean = np.mean([getattr(network.dynamics, name) for network in networks], axis=0)
            label = f"{_name(share)}, {'training' if name == 'train_loss' else 'test'}"
            style = {"color": colour, "marker": marker, "markersize": 4.5, "markerfacecolor": face}
            axes.plot(np.arange(len(steps)), mean, linestyle=line, label=label, **style)
    axes.set_xticks(np.arange(len(steps)), [str(step) for step in steps])
    axes.set_yscale("log")
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("cross entropy (nats)")
    axes.set_title("losses, mean over seeds")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _range(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values.min(axis=0), values.max(axis=0)


def _label_sizes(axes: "Axes", sizes: np.ndarray) -> None:
    axes.set_xticks(sizes)
    axes.set_xlabel("size: number of players")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")


EXPERIMENT = Experiment(
    "generalization",
    SETTINGS,
    run,
    summary,
    table,
    figure,
    size=lambda setting, found: f"{len(found.player_names)} players, {setting.examples} training examples",
    stated=("setting", "kind"),
)
