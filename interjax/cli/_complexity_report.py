"""What `interjax complexity` writes: numbers of each layer, of each checkpoint, and pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interjax import plots
from interjax._core._files import write_json
from interjax.pid._complexity import Complexity
from interjax.pid._groups import GroupedComplexity
from interjax.pid._subsets import SubsetComplexity
from interjax.plots._style import new_figure
from interjax.representations._dynamics import ComplexityDynamics

Layers = Mapping[str, Complexity | SubsetComplexity]


def write(
    out: Path,
    found: Layers,
    grouped: Mapping[str, GroupedComplexity],
    dynamics: ComplexityDynamics,
    about: dict[str, Any],
) -> list[str]:
    """complexity.json with everything, dynamics.npz, and one npz for each layer; the names written."""
    numbers = about | {
        "layers": {name: _numbers(each) for name, each in found.items()},
        "groups": {name: _numbers(each) for name, each in grouped.items()},
        "checkpoints": {"steps": dynamics.steps.tolist()} | _by_layer(dynamics),
    }
    write_json(out / "complexity.json", numbers)
    dynamics.save(out / "dynamics.npz")
    for name, each in found.items():
        each.save(out / "layers" / f"{name}.npz")
    for name, each in grouped.items():
        each.save(out / "groups" / f"{name}.npz")
    return ["complexity.json", "dynamics.npz", "layers/"] + (["groups/"] if grouped else [])


def _numbers(found: Any) -> dict[str, Any]:
    values = {name: getattr(found, name) for name in found.__dataclass_fields__}
    if isinstance(found, GroupedComplexity):
        values["bounds"] = found.bounds
    if found.stderr is not None:
        values["interval"] = found.interval()
    if not isinstance(found, SubsetComplexity):
        values["information_interval"] = found.information_interval()
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value for name, value in values.items()
    }


def _by_layer(dynamics: ComplexityDynamics) -> dict[str, Any]:
    names = [name for name in dynamics.__dataclass_fields__ if name not in ("steps", "layers")]
    names = [name for name in names if getattr(dynamics, name) is not None]
    return {
        layer: {name: getattr(dynamics, name)[:, number].tolist() for name in names}
        for number, layer in enumerate(dynamics.layers)
    }


def text(found: Layers, grouped: Mapping[str, GroupedComplexity], dynamics: ComplexityDynamics) -> str:
    """A line for each layer, and the reasons of those that cannot be trusted."""
    lines = [f"{'layer':<16}{'neurons':>8}{'I (bit)':>9}{'C':>8}{'+-':>7}{'null C':>8}{'r':>7}{'v':>7}  verdict"]
    reasons = []
    for number, (name, each) in enumerate(zip(dynamics.layers, found.values(), strict=True)):
        stderr = np.nan if each.stderr is None else each.stderr
        lines.append(
            f"{name:<16}{_neurons(each):>8}{dynamics.information[-1, number]:>9.3f}{each.value:>8.3f}{stderr:>7.3f}"
            f"{dynamics.null_complexity[-1, number]:>8.3f}{dynamics.redundancy[-1, number]:>7.2f}"
            f"{dynamics.vulnerability[-1, number]:>7.2f}  {'reliable' if each.reliable else 'NOT RELIABLE'}"
        )
        if not each.reliable:
            reasons.append(f"{name}: {each.reason}")
    for name, each in grouped.items():
        low, high = each.bounds
        lines.append(
            f"{name} as {len(each.groups)} groups: C of groups {each.value:.3f}, so C from {low:.3f} to {high:.3f}"
        )
        if not each.reliable:
            reasons.append(f"{name} as groups: {each.reason}")
    return "\n".join([*lines, *reasons])


def _neurons(found: Any) -> str:
    if isinstance(found, SubsetComplexity):
        return f"{found.subsets.shape[1]} of"
    return str(found.n_sources)


def draw(out: Path, found: Layers, dynamics: ComplexityDynamics, title: str, steps_per_epoch: int | None) -> list[str]:
    """Pictures of the layers and, with several checkpoints, of training; the names written."""
    figure = new_figure(10.5, 3.8)
    left, right = figure.subplots(1, 2)
    plots.complexity(left, found).set_title(title)
    exact = {name: each for name, each in found.items() if isinstance(each, Complexity)}
    plots.information_by_degree(right, exact or found)
    figure.savefig(out / "complexity.png", dpi=150)
    if len(dynamics.steps) == 1:
        return ["complexity.png"]
    figure = new_figure(10.5, 7.6)
    axes = figure.subplots(2, 2)
    plots.complexity_over_training(axes[0, 0], dynamics, steps_per_epoch=steps_per_epoch).set_title(title)
    plots.redundancy_vulnerability(axes[0, 1], dynamics)
    for place, layer in zip(axes[1], (dynamics.layers[0], dynamics.layers[-1]), strict=True):
        plots.information_by_degree(place, dynamics, layer, steps_per_epoch=steps_per_epoch).set_title(layer)
    figure.savefig(out / "dynamics.png", dpi=150)
    return ["complexity.png", "dynamics.png"]
