"""Errors of profiles from equally many contexts at every order, and from contexts allotted by noise and cost."""

import time
import warnings
from argparse import Namespace
from collections.abc import Callable

import jax
import numpy as np
from measuring.coverage import games, strengths
from support.common import about, print_line

import interjax as ij

CONTEXTS, LATER = 20, 60
_RESAMPLES = 400


def largest_error(strength: np.ndarray, truth: np.ndarray) -> float:
    """Of the orders, the largest root mean square error over runs (runs, orders)."""
    return float(np.sqrt(np.mean((strength - truth) ** 2, axis=0)).max())


def measure(values: np.ndarray, runs: int) -> dict[str, object]:
    """A game's line."""
    game, started = ij.Game.from_table(values), time.process_time()
    truth = strengths(values)
    truth = truth / truth.mean()

    def profiles(**how: object) -> list[ij.OrderProfile]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [ij.order_profile(jax.random.key(number), game, **how, exact=False) for number in range(runs)]

    evenly = profiles(contexts=CONTEXTS)
    if np.all(np.array([found.stderr for found in evenly]) < 1e-5):
        return {"exact": True}
    passes = float(np.mean([found.n_forwards for found in evenly]))
    allotted = profiles(n_forwards=passes)
    both = [np.array([found.strength for found in each]) for each in (evenly, allotted)]
    spent = [np.mean([found.n_forwards for found in each]) for each in (evenly, allotted)]
    later = profiles(contexts=LATER)
    target = float(np.mean([found.estimate.reach(0.95).max() / 1.96 for found in later]))
    wished = profiles(contexts=CONTEXTS, target_stderr=target)
    return {
        "passes": [round(each) for each in spent],
        "largest_rms_error": [round(largest_error(each, truth), 4) for each in both],
        "passes_saved_at_equal_error": _interval(both, spent, truth),
        "held": [_held(evenly, truth), _held(allotted, truth)],
        "target_stderr": round(target, 4),
        "passes_to_target": [round(np.mean([found.n_forwards for found in each])) for each in (later, wished)],
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def _interval(both: list[np.ndarray], spent: list[np.ndarray], truth: np.ndarray) -> list[float]:
    """How many times fewer passes for the same largest error: of all runs, 5th and 95th percentile of resamples."""

    def ratio(rows: np.ndarray | slice) -> float:
        one, other = (largest_error(each[rows], truth) ** 2 * passes for each, passes in zip(both, spent, strict=True))
        return one / other

    random = np.random.default_rng(0)
    draws = [ratio(random.integers(len(both[0]), size=len(both[0]))) for _ in range(_RESAMPLES)]
    return [round(float(each), 2) for each in (ratio(slice(None)), *np.percentile(draws, [5, 95]))]


def _held(found: list[ij.OrderProfile], truth: np.ndarray) -> float:
    """Share of 95% intervals that hold the truth."""
    ends = np.array([one.interval() for one in found])
    return round(float(np.mean((ends[:, 0] <= truth + 1e-9) & (truth - 1e-9 <= ends[:, 1]))), 4)


def run(options: Namespace, every: Callable[[str | None], dict[str, np.ndarray]] = games) -> None:
    """Print what was measured where, and a line for each game."""
    print_line(**about(time.process_time, 0))
    for name, values in every(options.data).items():
        if not options.games or name in options.games:
            print_line(game=name, runs=options.runs, **measure(values, options.runs))
