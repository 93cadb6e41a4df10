"""What the networks of `bottleneck` show: changes with their errors, beside the directions that the papers report."""

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import numpy as np

import interjax as ij
from interjax import plots
from interjax.evaluation import Evaluation
from interjax.plots._style import new_figure
from interjax.reproduce._experiment import Experiment
from interjax.reproduce._verdict import over_seeds
from interjax.reproduce.bottleneck import SETTINGS, Found, run, steered_orders
from interjax.training import PRESETS

if TYPE_CHECKING:
    from interjax.plots._style import Figure


# (what is reported, preset, measure, sign of its difference to the normal network); METHODS.md section 2.
CLAIMS = (
    ("low-order networks have the smaller loss gap", "low-order", "gap", -1),
    ("high-order networks have the larger loss gap", "high-order", "gap", +1),
    ("low-order networks are more robust to attack", "low-order", "robustness", +1),
    ("mid-order networks are less robust to attack", "mid-order", "robustness", -1),
    ("high-order networks are less robust to attack", "high-order", "robustness", -1),
    ("high-order networks rely more on structure", "high-order", "structure", -1),
)


def summary(found: Found) -> dict[str, Any]:
    """Everything that the report states, in JSON types."""
    steered = [preset for preset in PRESETS if PRESETS[preset]]
    return {
        "seeds": len(found.evaluations),
        "inputs": len(found.profiles["normal"][0].by_input),
        "players": found.profiles["normal"][0].n_players,
        "orders": found.profiles["normal"][0].orders.tolist(),
        "profiles": {preset: _profile_numbers(profiles) for preset, profiles in found.profiles.items()},
        "steered_orders": {preset: steering(found, preset) for preset in steered},
        "measures": {
            preset: {measure: _spread(_values(found, preset, measure)) for measure in found.evaluations[0].measures}
            for preset in PRESETS
        },
        "claims": [_judge(found, *claim) for claim in CLAIMS if _has(found, claim[2])],
    }


def steering(found: Found, preset: str) -> dict[str, Any]:
    """The mean J over the orders that a preset steers, against the normal network's, with its standard error.

    The error holds the spread over seeds and, by the jackknife, that over inputs, which all seeds share.
    """
    measured = found.profiles[preset][0]
    chosen = steered_orders(measured.orders, measured.n_players, preset)
    pairs = list(zip(found.profiles[preset], found.profiles["normal"], strict=True))

    def change(kept: Any) -> np.ndarray:
        """Change of the band's mean J by seed, from the inputs kept."""
        return np.array([_band(steered, chosen, kept) - _band(plain, chosen, kept) for steered, plain in pairs])

    inputs = np.arange(len(pairs[0][0].by_input))
    by_seed = change(inputs)
    left_out = np.array([change(np.delete(inputs, one)).mean() for one in inputs])
    from_inputs = math.sqrt((len(inputs) - 1) * left_out.var())
    from_seeds = by_seed.std(ddof=1) / math.sqrt(len(pairs)) if len(pairs) > 1 else 0.0
    stderr = math.hypot(from_inputs, from_seeds)
    wanted = -1 if PRESETS[preset]["mode"] == "penalize" else 1
    strengths = [[float(profile.magnitude[chosen].mean()) for profile in pair] for pair in pairs]
    return {
        "orders": measured.orders[chosen].tolist(),
        "wanted": "rises" if wanted > 0 else "falls",
        "normal": float(np.mean([_band(plain, chosen, inputs) for _, plain in pairs])),
        "steered": float(np.mean([_band(steered, chosen, inputs) for steered, _ in pairs])),
        "change": float(by_seed.mean()),
        "stderr": stderr,
        "stderr_inputs": from_inputs,
        "stderr_seeds": from_seeds,
        "standard_errors": float(wanted * by_seed.mean() / stderr) if stderr else None,
        "as_wanted_beyond_3": bool(stderr and wanted * by_seed.mean() > 3 * stderr),
        "magnitude_ratio": float(np.mean([steered / plain for steered, plain in strengths])),
    }


def table(found: Found) -> str:
    """The report in Markdown."""
    numbers = summary(found)
    lines = ["| network | steered orders | mean J there, normal | steered | change | wanted | standard errors |"]
    lines.append("|---|---|---|---|---|---|---|")
    for preset, one in numbers["steered_orders"].items():
        lines.append(
            f"| {preset} | {one['orders'][0]}..{one['orders'][-1]} | {one['normal']:.3f} | {one['steered']:.3f} | "
            f"{one['change']:+.3f} ± {one['stderr']:.3f} | {one['wanted']} | {one['standard_errors']:+.1f} |"
        )
    lines += ["", f"| measure (mean over {numbers['seeds']} seeds, least to largest) | {' | '.join(PRESETS)} |"]
    lines.append("|---" * (len(PRESETS) + 1) + "|")
    for measure in found.evaluations[0].measures:
        cells = [numbers["measures"][preset][measure] for preset in PRESETS]
        text = [f"{one['mean']:.3f} ({one['least']:.3f} to {one['largest']:.3f})" for one in cells]
        lines.append(f"| {measure} | {' | '.join(text)} |")
    lines += ["", "| reported by the papers | difference to normal, measured ± standard error over seeds | verdict |"]
    lines.append("|---|---|---|")
    for claim in numbers["claims"]:
        lines.append(
            f"| {claim['claim']} | {claim['measure']} {claim['difference']:+.3f} ± {claim['stderr'] or math.nan:.3f} | "
            f"{claim['verdict']} |"
        )
    return "\n".join(lines) + "\n"


def figure(found: Found, title: str) -> "Figure":
    """Profiles of the four networks with bands over inputs and seeds, and their evaluations."""
    figure = new_figure(12, 4.8)
    left, right = figure.subplots(1, 2)
    plots.profile(left, {preset: profile_over_seeds(profiles) for preset, profiles in found.profiles.items()})
    left.set_title("strength profiles, 95% bands over inputs and seeds")
    plots.evaluation(right, evaluation_over_seeds(found.evaluations))
    right.set_title("accuracy on test examples")
    right.set_xlabel(f"accuracy, mean and range over {len(found.evaluations)} seeds")
    if right.get_legend() is not None:  # the left one names the same networks
        right.get_legend().remove()
    figure.suptitle(title)
    return figure


def profile_over_seeds(profiles: list[ij.OrderProfile]) -> ij.OrderProfile:
    """The mean profile over seeds; its error holds their spread and that over the inputs, which they share."""
    strengths = np.array([profile.strength for profile in profiles])
    inputs = np.mean([profile.by_input / profile.magnitude.mean() for profile in profiles], axis=0)
    shift = inputs - strengths.mean(axis=0) * inputs.mean(axis=1, keepdims=True)
    variance = shift.var(axis=0) / max(len(inputs) - 1, 1)
    if len(profiles) > 1:
        variance = variance + strengths.var(axis=0, ddof=1) / len(profiles)
    return dataclasses.replace(profiles[0], strength=strengths.mean(axis=0), stderr=np.sqrt(variance))


def evaluation_over_seeds(evaluations: list[Evaluation]) -> Evaluation:
    """The mean over seeds, with their least and largest value as the interval."""
    values = np.array([one.value for one in evaluations])
    return dataclasses.replace(
        evaluations[0], value=values.mean(axis=0), lower=values.min(axis=0), upper=values.max(axis=0)
    )


def _profile_numbers(profiles: list[ij.OrderProfile]) -> dict[str, Any]:
    mean = profile_over_seeds(profiles)
    return {
        "strength": np.asarray(mean.strength).tolist(),
        "stderr": np.asarray(mean.stderr).tolist(),
        "by_seed": [profile.strength.tolist() for profile in profiles],
        "mean_interaction": [float(profile.magnitude.mean()) for profile in profiles],
    }


def _band(profile: ij.OrderProfile, chosen: np.ndarray, kept: np.ndarray) -> float:
    """The mean J over the chosen orders, from the inputs kept."""
    strength = profile.by_input[kept].mean(axis=0)
    return float(strength[chosen].mean() / strength.mean())


def _has(found: Found, measure: str) -> bool:
    return measure != "structure" or bool(_named(found.evaluations[0], "structure"))


def _named(evaluation: Evaluation, measure: str) -> list[str]:
    words = {"robustness": ("PGD",), "structure": ("occluded", "shuffled")}[measure]
    return [name for name in evaluation.measures if any(word in name for word in words)]


def _values(found: Found, preset: str, measure: str) -> np.ndarray:
    """A measure by its name, or mean accuracy under PGD ("robustness"), or mean change of the accuracy where structure
    is destroyed ("structure"), for each seed."""
    values = []
    for evaluation in found.evaluations:
        if measure == "gap":
            values.append(evaluation.of("loss gap", preset)[0])
        elif measure in ("robustness", "structure"):
            mean = np.mean([evaluation.of(name, preset)[0] for name in _named(evaluation, measure)])
            values.append(mean - (evaluation.of("test accuracy", preset)[0] if measure == "structure" else 0.0))
        else:
            values.append(evaluation.of(measure, preset)[0])
    return np.array(values)


def _spread(values: np.ndarray) -> dict[str, float]:
    return {"mean": float(values.mean()), "least": float(values.min()), "largest": float(values.max())}


def _judge(found: Found, claim: str, preset: str, measure: str, sign: int) -> dict[str, Any]:
    """Whether the measured difference to the normal network has the reported sign, beyond its interval over seeds."""
    difference = over_seeds(_values(found, preset, measure) - _values(found, "normal", measure))
    names = {"gap": "loss gap", "robustness": "accuracy under PGD", "structure": "accuracy lost without structure"}
    return {
        "claim": claim,
        "measure": names[measure],
        "difference": difference.mean,
        "stderr": difference.stderr if math.isfinite(difference.stderr) else None,
        "verdict": difference.verdict(sign),
    }


EXPERIMENT = Experiment(
    "bottleneck",
    SETTINGS,
    run,
    summary,
    table,
    figure,
    size=lambda setting, found: f"{found.profiles['normal'][0].n_players} players",
    stated=("setting",),
)
