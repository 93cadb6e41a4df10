"""The cost of making games: `snapshots.py` says what is measured."""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from support.common import about, print_line

import interjax as ij
from interjax.games._identity import identity

SHAPE, CELLS, INPUTS = (28, 28, 1), (14, 14), 32


def run(options: argparse.Namespace) -> None:
    """Print what was measured where, and a line for each network in each form."""
    print_line(**about(time.process_time, 0))
    x = np.random.default_rng(0).uniform(size=(INPUTS, *SHAPE)).astype(np.float32)
    for name in ("mlp", "lenet"):
        network = ij.networks.build(name, SHAPE, 10, seed=0)
        network.eval()
        forms: dict[str, Any] = {"nnx": network, "callable": lambda inputs, network=network: network(inputs)}
        for form, model in forms.items():
            print_line(network=name, form=form, **_costs(model, network, x, options.calls))


def _costs(model: Any, network: Any, x: np.ndarray, calls: int) -> dict[str, float]:
    """CPU milliseconds of each call."""
    players, labels = ij.Players.grid(SHAPE, CELLS), [0] * INPUTS
    games = ij.masked_games(model, x, labels, players=players)

    plain = jax.jit(lambda inputs: network(inputs))
    work: dict[str, Callable[[], Any]] = {
        "pass_of_one": lambda: plain(x[:1]).block_until_ready(),
        "trace": lambda: jax.make_jaxpr(lambda inputs: network(inputs))(x[:2]),  # a new function: traced at every call
        "one_game": lambda: ij.masked_game(model, x[0], players=players, output=ij.log_odds(0)),
        "32_games": lambda: ij.masked_games(model, x, labels, players=players),
        "identity": lambda: identity(games),
    }
    first = {"first_identity": _milliseconds(work["identity"], 1, warm=False)}  # traces the network
    return first | {name: _milliseconds(each, calls) for name, each in work.items()}


def _milliseconds(work: Callable[[], Any], calls: int, *, warm: bool = True) -> float:
    if warm:
        work()
    start = time.process_time()
    for _ in range(calls):
        work()
    return round(1000 * (time.process_time() - start) / calls, 2)
