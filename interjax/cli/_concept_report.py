"""What `interjax concepts` measures on explanations, as numbers and as a short text."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

import interjax as ij
from interjax import datasets
from interjax._core._files import write_arrays, write_json
from interjax._core._statistics import mean_and_stderr
from interjax.cli._explaining import FEWEST, Inputs
from interjax.concepts._explanations._effects import AndOr, effects_of
from interjax.concepts._explanations._stability import Stability
from interjax.concepts._learning._learning import ConceptDynamics
from interjax.concepts._learning._phases import Phases
from interjax.concepts._statistics._coverage import Coverage, Discrimination
from interjax.concepts._statistics._faithfulness import Faithfulness
from interjax.concepts._statistics._generalization import Generalization
from interjax.concepts._statistics._sizes import SizeDistribution as Sizes
from interjax.games._coalitions import players_in

_KINDS = ("AND", "OR")
_COUNTS = (1, 2, 3, 5, 7)  # of concepts, at each power of ten
_PRINTED_COUNTS = ("1", "2", "5")
_STRONGEST = 10
_SHARE = 0.8


@dataclasses.dataclass(frozen=True)
class Explained:
    """Inputs whose games are finite, their tables and explanation, training inputs first."""

    data: datasets.Dataset
    players: ij.Players
    names: tuple[str, ...]
    inputs: Inputs
    tables: np.ndarray
    explanation: Any
    n_left_out: int

    def part(self, is_train: bool) -> tuple[Any, np.ndarray]:
        """Explanation and tables of the training or of the test inputs."""
        chosen = self.inputs.is_train == is_train
        return self.explanation[chosen], self.tables[chosen]


@dataclasses.dataclass(frozen=True)
class Found:
    """The statistics of an explanation, by part ("training", "test") where both have them."""

    explained: Explained
    tau: float
    effects: np.ndarray
    n_salient: dict[str, np.ndarray]
    faithfulness: dict[str, Faithfulness]
    sizes: dict[str, Sizes]
    null: Sizes | None
    coverage: Coverage
    discrimination: dict[str, Discrimination]
    generalization: Generalization | None
    stability: Stability | None


def measure(key: jax.Array, explained: Explained, null: Any, stability: Stability | None, *, tau: float) -> Found:
    """Everything that is told about an explanation; null is that of the untrained network."""
    inputs, effects = explained.inputs, effects_of(explained.explanation)
    parts = {"training": explained.part(True), "test": explained.part(False)}
    parts = {name: part for name, part in parts.items() if len(part[1])}
    most = effects.shape[1] * effects.shape[2]
    counts = [digit * 10**power for power in range(8) for digit in _COUNTS if digit * 10**power < most]
    explanations = {name: explanation for name, (explanation, _) in parts.items()}
    salient = {name: ij.concepts.salient(one, tau=tau).sum(axis=(1, 2)) for name, one in explanations.items()}
    by_class = {
        explained.data.class_names[label]: ij.concepts.discrimination(
            explained.explanation[inputs.is_train & (inputs.labels == label)], tau=tau
        )
        for label in np.unique(inputs.labels[inputs.is_train])
    }
    return Found(
        explained=explained,
        tau=tau,
        effects=effects,
        n_salient=salient,
        faithfulness={name: ij.concepts.faithfulness(*part, counts=counts) for name, part in parts.items()},
        sizes={name: ij.concepts.size_distribution(one, tau=tau) for name, one in explanations.items()},
        null=None if null is None else ij.concepts.size_distribution(null, tau=tau),
        coverage=ij.concepts.coverage(explanations["training"], tau=tau, of=explanations.get("test")),
        discrimination=by_class,
        generalization=_generalization(key, explained, tau),
        stability=stability,
    )


def _generalization(key: jax.Array, explained: Explained, tau: float) -> Generalization | None:
    """Of concepts salient on some input of a class, in classes with enough inputs; None if none has."""
    inputs = explained.inputs
    rows = [np.isin(inputs.labels, inputs.comparable()) & (inputs.is_train == part) for part in (True, False)]
    if not rows[0].any():
        return None
    parts = [part for chosen in rows for part in (explained.explanation[chosen], inputs.labels[chosen])]
    return ij.concepts.generalization(key, *parts, tau=tau)


# Numbers


def write(out: Path, found: Found, about: dict[str, Any]) -> list[str]:
    """Write all that was measured; return the names of the files."""
    explained, inputs = found.explained, found.explained.inputs
    arrays = {"tables": explained.tables, "effects": found.effects, "labels": inputs.labels, "rows": inputs.rows}
    arrays |= {"is_train": inputs.is_train, "player_of_entry": explained.players.labels}
    write_arrays(out / "concepts.npz", arrays | {"player_names": np.array(explained.names)})
    write_json(out / "concepts.json", about | _numbers(found))
    written = ["concepts.json", "concepts.npz"]
    if isinstance(explained.explanation, AndOr):
        explained.explanation.save(out / "explanations.npz")
        written.append("explanations.npz")
    if found.generalization is not None:
        found.generalization.save(out / "generalization.npz")
        written.append("generalization.npz")
    if found.stability is not None:
        found.stability.save(out / "stability.npz")
        written.append("stability.npz")
    return written


def _numbers(found: Found) -> dict[str, Any]:
    explained, inputs = found.explained, found.explained.inputs
    names = explained.data.class_names
    described = {
        "part": ["training" if is_train else "test" for is_train in inputs.is_train],
        "row": inputs.rows.tolist(),
        "class": [names[label] for label in inputs.labels],
    }
    if isinstance(explained.explanation, AndOr):
        described |= {name: getattr(explained.explanation, name).tolist() for name in ("loss", "gap")}
    coverage = found.coverage
    return {
        "tau": found.tau,
        "players": list(explained.names),
        "inputs": [dict(zip(described, row, strict=True)) for row in zip(*described.values(), strict=True)],
        "n_left_out": int(explained.n_left_out),
        "salient": {name: _mean_and_error(counts) for name, counts in found.n_salient.items()},
        "faithfulness": {name: _quartiles(one) for name, one in found.faithfulness.items()},
        "sizes": {name: _lists(one) for name, one in found.sizes.items()},
        "sizes_of_untrained_network": None if found.null is None else _lists(found.null),
        "generalization": None if found.generalization is None else _lists(found.generalization),
        "coverage": {
            "out_of_sample": coverage.out_of_sample,
            "concepts": len(coverage.counts),
            f"needed_for_{_SHARE}": coverage.needed(_SHARE),
            **{name: np.asarray(getattr(coverage, name)).tolist() for name in ("counts", "share", "stderr")},
        },
        "discrimination": {
            name: {"mean_power": one.mean_power, "stderr": one.stderr, "chance": one.mean_chance}
            for name, one in found.discrimination.items()
        },
        "stability": None if found.stability is None else _agreement(found.stability),
        "strongest": {names[label]: _strongest(found, label) for label in np.unique(inputs.labels[inputs.is_train])},
    }


def _lists(result: Any) -> dict[str, Any]:
    """Every field of a result by its name, arrays as lists."""
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value for name, value in fields.items()
    }


def _mean_and_error(values: np.ndarray) -> dict[str, float]:
    mean, stderr = mean_and_stderr(values)
    return {"mean": float(mean), "stderr": float(stderr)}


def _agreement(found: Stability) -> dict[str, Any]:
    """The mean Jaccard similarity of the salient sets of equally sparse explanations."""
    n_inputs, jitters = found.n_salient.shape
    return {"jaccard": _mean_and_error(found.jaccard), "inputs": n_inputs, "solutions": jitters, "jitter": found.jitter}


def _quartiles(found: Faithfulness) -> dict[str, Any]:
    """R^2 over inputs: the median and the middle half, inputs of constant games left out."""
    known = found.r2[np.isfinite(found.r2).all(axis=1)]
    middle = np.quantile(known, [0.25, 0.5, 0.75], axis=0) if len(known) else np.full((3, len(found.counts)), np.nan)
    numbers = dict(zip(("lower", "median", "upper"), middle.tolist(), strict=True))
    return {"counts": found.counts.tolist(), **numbers, "n_constant": found.n_constant}


def _strongest(found: Found, label: int) -> list[dict[str, Any]]:
    """The concepts of the largest mean effect over the training inputs of a class."""
    inputs = found.explained.inputs
    rows = inputs.is_train & (inputs.labels == label)
    effects = found.effects[rows]
    mean = effects.mean(axis=0)
    mean[:, 0] = 0.0  # the empty set is no concept
    salient = ij.concepts.salient(found.explained.explanation[rows], tau=found.tau).mean(axis=0)
    order = np.argsort(-np.abs(mean), axis=None, kind="stable")[:_STRONGEST]
    places = [place for place in zip(*np.unravel_index(order, mean.shape), strict=True) if mean[place]]
    return [
        {
            "kind": _KINDS[kind],
            "players": [found.explained.names[player] for player in players_in(index)],
            "effect": _mean_and_error(effects[:, kind, index]),
            "salient_on": float(salient[kind, index]),
        }
        for kind, index in places
    ]


def write_dynamics(out: Path, dynamics: ConceptDynamics) -> tuple[str, Phases | None]:
    """Write how the concepts were learned; return a short text and the phases, None if they cannot be located."""
    dynamics.save(out / "dynamics.npz")
    numbers: dict[str, Any] = {"steps": dynamics.steps.tolist(), "strength": dynamics.strength.tolist()}
    numbers["n_nonfinite"] = dynamics.n_nonfinite.tolist()
    try:
        phases, detour = ij.concepts.phases(dynamics), ij.concepts.detour(dynamics)
        numbers |= {"phases": _lists(phases), "detour": _lists(detour)}
        lines = [*_phase_lines(phases), f"way of the shares of sizes: {detour.ratio:.2f} times the straight one"]
    except ValueError as error:  # checkpoints whose strengths are not known
        phases, lines = None, [f"phases are not located: {error}"]
        numbers["not_located"] = str(error)
    write_json(out / "dynamics.json", numbers)
    return "\n".join([*lines, ""]), phases


def _phase_lines(phases: Phases) -> list[str]:
    lines = []
    for row, (name, reason) in enumerate(zip(phases.names, phases.reasons, strict=True)):
        where = f"steps {phases.begins[row]:.0f} to {phases.ends[row]:.0f}" if phases.is_found[row] else "not found"
        lines.append(f"phase {row + 1}, {name}: {where}; {reason}")
    return lines


# Text


def text(found: Found) -> str:
    """The main numbers as a short table."""
    explained, inputs = found.explained, found.explained.inputs
    lines = [
        f"\n{len(explained.names)} players: {', '.join(explained.names)}",
        f"{inputs.is_train.sum()} training and {(~inputs.is_train).sum()} test inputs",
    ]
    if explained.n_left_out:
        total = len(inputs) + explained.n_left_out
        lines.append(f"left out: {explained.n_left_out} of {total} inputs, whose games hold NaN or infinite values")
    if isinstance(explained.explanation, AndOr):
        share = np.max(explained.explanation.gap / np.maximum(explained.explanation.loss, np.finfo(float).tiny))
        lines.append(f"sum of |effects| within a share of {share:.0e} of the least possible")
    if found.stability is not None:
        one = _agreement(found.stability)["jaccard"]
        lines.append(f"salient sets of equally sparse explanations agree to {one['mean']:.2f} ± {one['stderr']:.2f}")
    for name, counts in found.n_salient.items():
        one = _mean_and_error(counts)
        lines.append(f"salient concepts of a {name} input: {one['mean']:.1f} ± {one['stderr']:.1f}")
    needed = found.coverage.needed(_SHARE)
    if needed is not None:
        whose = "test" if found.coverage.out_of_sample else "training"
        lines.append(f"{needed} of {len(found.coverage.counts)} concepts hold {_SHARE:.0%} of those of a {whose} input")
    return "\n".join([*lines, "", *_faithfulness_lines(found), "", *_size_lines(found), ""])


def _faithfulness_lines(found: Found) -> list[str]:
    quartiles = {name: _quartiles(one) for name, one in found.faithfulness.items()}
    lines = [f"{'strongest concepts':>18}" + "".join(f"  {f'R² {name}':>11}" for name in quartiles)]
    counts = next(iter(quartiles.values()))["counts"]
    for column, count in enumerate(counts):
        if str(count)[0] in _PRINTED_COUNTS:
            lines.append(f"{count:>18}" + "".join(f"  {one['median'][column]:11.3f}" for one in quartiles.values()))
    return lines


def _size_lines(found: Found) -> list[str]:
    compared, sizes = found.generalization, found.sizes["training"]
    head = f"{'size':>4}  {'concepts':>8}  {'strength':>8}"
    if compared is None:
        head += "   (too few inputs of each class to compare training and test)"
    else:
        head += f"  {'similarity':>10}  {'null':>6}  {'null - similarity':>17}, {compared.level:.0%} interval"
    lines = ["salient concepts of a training input, their similarity to those of test inputs, and its null", head]
    for row, size in enumerate(sizes.sizes):
        line = f"{size:>4}  {sizes.count[row]:8.2f}  {sizes.strength[row]:8.3f}"
        if compared is not None and np.isfinite(compared.excess[row]):
            line += f"  {compared.similarity[row]:10.3f}  {compared.null[row]:6.3f}  {compared.excess[row]:17.3f}"
            line += f"  {compared.excess_lower[row]:.3f} to {compared.excess_upper[row]:.3f}"
        lines.append(line)
    if compared is not None and len(compared.classes) < len(found.discrimination):
        lines.append(f"similarities leave out classes of fewer than {FEWEST[0]} training or {FEWEST[1]} test inputs")
    return lines
