"""Passes and errors of profiles of small games: of samples, and of all coalitions where these are no more passes."""

import math
import time
import warnings
from argparse import Namespace
from pathlib import Path

import jax
import numpy as np
from support.common import about, print_line

import interjax as ij


def truth_of(values: np.ndarray, players: int) -> np.ndarray:
    """J^(m) of a table, from sums over the contexts of every pair by their size."""
    numbers = np.arange(2**players)
    size = np.bitwise_count(numbers)
    strength = np.zeros(players - 1)
    for i in range(players):
        for j in range(i):
            contexts = numbers[(numbers & (1 << i | 1 << j)) == 0]
            parts = [values[contexts | one] for one in (1 << i | 1 << j, 1 << i, 1 << j, 0)]
            sums = np.bincount(size[contexts], parts[0] - parts[1] - parts[2] + parts[3], players - 1)
            strength += np.abs(sums) / [math.comb(players - 2, order) for order in range(players - 1)]
    return strength / strength.mean()


def measure(values: np.ndarray, players: int, runs: int) -> dict[str, object]:
    """A game's line."""
    game, truth, line = ij.Game.from_table(values), truth_of(values, players), {}
    for name, exact in (("sampled", False), ("chosen", None)):
        started = time.process_time()
        found = [ij.order_profile(jax.random.key(number), game, exact=exact) for number in range(runs)]
        error = np.sqrt(np.mean([(one.strength - truth) ** 2 for one in found], axis=0)).max()
        line[name] = {
            "exact": bool(np.all(found[0].exact)),
            "passes": round(np.mean([one.n_forwards for one in found])),
            "largest_rms_error": float(f"{error:.2g}"),
            "largest_stderr": float(f"{np.mean([one.stderr.max() for one in found]):.2g}"),
            "cpu_seconds_a_profile": round((time.process_time() - started) / runs, 3),
        }
    return line


def run(options: Namespace) -> None:
    """Print what was measured where, and a line for each game."""
    print_line(**about(time.process_time, 0))
    for path in sorted((Path(options.data) / "games").glob("*.npz")):
        if options.games and path.stem not in options.games:
            continue
        with np.load(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            players = int(file["n_players"])
            print_line(
                game=path.stem,
                players=players,
                coalitions=2**players,
                runs=options.runs,
                **measure(file["table"].astype(float), players, options.runs),
            )
