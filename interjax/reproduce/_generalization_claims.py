"""What the papers report of concepts that generalise and that do not, judged by the networks of `generalization`.

Each claim is a number of a network, or of a network trained on shuffled labels less that of the same seed's network
trained on the labels as they are, whose sign the claim states. Student's interval over seeds decides:

    "agrees"          the 95 % interval of the mean over seeds lies on the claim's side of 0
    "opposite"        it lies on the other side
    "not told apart"  it holds 0, or there is no interval: a single seed, or a seed whose number is unknown (NaN)

One verdict in twenty would differ from "not told apart" by chance if there were nothing to find.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from interjax.concepts import Inconsistency, phases
from interjax.reproduce._verdict import over_seeds
from interjax.reproduce.generalization import Found, Network


@dataclasses.dataclass(frozen=True)
class Claim:
    """What is reported.

    Args:
        text: in words.
        measure: key of `MEASURES`.
        sign: of the measure, if the claim holds.
        compared: whether the measure of networks trained on shuffled labels less that of the others is meant.
    """

    text: str
    measure: str
    sign: int
    compared: bool = False


CLAIMS = (
    Claim("larger concepts are less alike in training and test inputs", "similarity slope", -1),
    Claim("they lose more than two halves of the training inputs do", "excess slope", +1),
    Claim("inconsistency under noise grows with size", "noise slope", +1),
    Claim("inconsistency under attack grows with size", "attack slope", +1),
    Claim("it grows exponentially under noise, rather than linearly", "exponential advantage", +1),
    Claim("large concepts vanish first", "fall of mean size", +1),
    Claim("then sizes grow", "growth of mean size", +1),
    Claim("at the end there are concepts that do not generalise", "weighted excess", +1),
    Claim("over-fitted networks put more of their strength on large concepts", "share of large", +1, compared=True),
    Claim("their large concepts are less alike in training and test inputs", "similarity of large", -1, compared=True),
    Claim("they lose more than two halves of the training inputs do", "excess of large", +1, compared=True),
    Claim("mislabelled training examples rest on larger concepts than others", "mislabelled mean size", +1),
)
"""Zhou et al., AAAI 2024 (arXiv:2302.13091), and Ren et al., arXiv:2407.19198, of the phases; METHODS.md section 3."""


def judged(found: Found) -> list[dict[str, Any]]:
    """Every claim of every share of shuffled labels to which it applies, with its number, interval and verdict."""
    verdicts = []
    for claim in CLAIMS:
        for share, networks in found.networks.items():
            if share == 0 and (claim.compared or claim.measure == "mislabelled mean size"):
                continue
            values = MEASURES[claim.measure](networks)
            if claim.compared:
                values = values - MEASURES[claim.measure](found.networks[0.0])
            about = {"claim": claim.text, "measure": claim.measure, "share": share, "compared": claim.compared}
            verdicts.append(about | verdict(values, claim.sign))
    return verdicts


def verdict(values: np.ndarray, sign: int) -> dict[str, Any]:
    """The mean over seeds, its interval, and whether it has the sign; see the module's text."""
    found = over_seeds(values)
    return {
        "mean": found.mean,
        "lower": found.lower,
        "upper": found.upper,
        "by_seed": values.tolist(),
        "verdict": found.verdict(sign),
    }


def is_large(n_players: int) -> np.ndarray:
    """Which of the sizes 1..n count as large: those of at least half of the players, and of two."""
    return np.arange(1, n_players + 1) >= max(2, -(-n_players // 2))


def slope(sizes: np.ndarray, values: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Slope of the least-squares line of values over sizes; NaN where fewer than two sizes have value and weight."""
    weights = np.ones(len(sizes)) if weights is None else weights
    known = np.isfinite(values) & (weights > 0)
    if known.sum() < 2:
        return math.nan
    return float(np.polyfit(sizes[known], values[known], 1, w=np.sqrt(weights[known]))[0])


def exponential_advantage(found: Inconsistency) -> float:
    """How much nearer the exponential theory comes to a measured inconsistency than a proportional growth does.

    Each has one constant, fitted by least squares to log value(m) over the sizes of known positive value:
    (1 + r^2)^m - 1, and b m. Root mean square error of the second less that of the first, in nats; above 0 where the
    growth is exponential, near 0 where r is so small that the two agree.
    """
    sizes, value = np.asarray(found.sizes, np.float64), np.asarray(found.value)
    known = np.isfinite(value) & (value > 0)
    if known.sum() < 2:
        return math.nan
    sizes, logs = sizes[known], np.log(value[known])

    def error(log_square: float) -> float:
        exponent = sizes * np.log1p(np.exp(log_square))
        curve = exponent + np.log(-np.expm1(-exponent))  # log(exp(exponent) - 1) without overflow
        return float(np.sqrt(np.mean((logs - curve) ** 2)))

    exponential = minimize_scalar(error, bounds=(-25.0, 10.0), method="bounded").fun  # type: ignore[union-attr]
    return float(np.std(logs - np.log(sizes)) - exponential)


def mean_size_changes(networks: list[Network]) -> tuple[np.ndarray, np.ndarray]:
    """Fall of the mean size from the first checkpoint to the lowest, and growth from there to the last, by seed.

    The lowest checkpoint is that of the mean over the other seeds: the least of a seed's own noisy values would lie
    below its surroundings whether anything fell or not. NaN with a single seed.
    """
    size = np.array([phases(network.dynamics).mean_size for network in networks])
    if len(size) == 1:
        return np.full(1, np.nan), np.full(1, np.nan)
    others = [np.delete(size, seed, axis=0).mean(axis=0) for seed in range(len(size))]
    lowest = np.array([own[np.nanargmin(other)] for own, other in zip(size, others, strict=True)])
    return size[:, 0] - lowest, size[:, -1] - lowest


def _each(measure: Callable[[Network], float]) -> Callable[[list[Network]], np.ndarray]:
    return lambda networks: np.array([measure(network) for network in networks])


def share_of_large(network: Network) -> float:
    strength = network.dynamics.strength[-1]
    return float(strength[is_large(len(strength))].sum() / strength.sum())


def mean_size(network: Network) -> float:
    """Strength-weighted mean size of the final network's salient effects."""
    return float(phases(network.dynamics).mean_size[-1])


def _mislabelled_mean_size(network: Network) -> float:
    """Mean size of mislabelled examples less that of the explained training inputs."""
    if network.mislabelled is None:
        return math.nan
    strength = network.mislabelled.strength
    return float(strength @ network.mislabelled.sizes / strength.sum()) - mean_size(network)


def _of_large(name: str) -> Callable[[Network], float]:
    """The mean over large sizes of known value in the final network, weighted by their strength."""

    def measure(network: Network) -> float:
        values, strength = getattr(network.dynamics, name)[-1], network.dynamics.strength[-1]
        known = is_large(len(values)) & np.isfinite(values) & (strength > 0)
        return float(np.average(values[known], weights=strength[known])) if known.any() else math.nan

    return measure


def _slope_of(name: str) -> Callable[[Network], float]:
    """The slope over sizes in the final network, sizes weighted by their strength."""

    def measure(network: Network) -> float:
        dynamics = network.dynamics
        return slope(np.asarray(dynamics.sizes), getattr(dynamics, name)[-1], dynamics.strength[-1])

    return measure


def _log_slope(found: Inconsistency) -> float:
    value = np.asarray(found.value)
    logs = np.log(value, out=np.full_like(value, np.nan), where=value > 0)
    return slope(np.asarray(found.sizes), logs)


MEASURES: dict[str, Callable[[list[Network]], np.ndarray]] = {
    "similarity slope": _each(_slope_of("similarity")),
    "excess slope": _each(_slope_of("excess")),
    "noise slope": _each(lambda network: _log_slope(network.noise)),
    "attack slope": _each(lambda network: _log_slope(network.attack)),
    "exponential advantage": _each(lambda network: exponential_advantage(network.noise)),
    "fall of mean size": lambda networks: mean_size_changes(networks)[0],
    "growth of mean size": lambda networks: mean_size_changes(networks)[1],
    "weighted excess": _each(lambda network: float(phases(network.dynamics).excess[-1])),
    "share of large": _each(share_of_large),
    "similarity of large": _each(_of_large("similarity")),
    "excess of large": _each(_of_large("excess")),
    "mislabelled mean size": _each(_mislabelled_mean_size),
}
"""Numbers of the final networks, one for each seed.

Slopes are those of the least-squares line over sizes: of similarity and of excess (null - similarity), where a size
weighs as much as the strength that it carries, since the few coalitions of nearly all players tell little; and of log
inconsistency, where all sizes weigh the same. Means over large sizes weigh likewise by strength.
"""
