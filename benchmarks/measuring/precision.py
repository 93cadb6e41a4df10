"""Rounding of interactions in bfloat16: `precision.py` says what is measured."""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

import interjax as ij

ORDERS = [0.05, 0.5, 0.95]


def run(options: argparse.Namespace) -> None:
    """Print a line for each network."""
    mnist = Path(os.environ.get("INTERJAX_DATA", "")) / "mnist"
    has_mnist = mnist.is_dir()
    data = ij.datasets.load(f"mnist:{mnist}", limit=200) if has_mnist else ij.datasets.digits()
    side = 14 if has_mnist else 8
    for network in ("mlp", "lenet") if has_mnist else ("mlp",):
        print(json.dumps(compare(network, data, side, fast=options.fast)), flush=True)


def compare(network: str, data: ij.datasets.Dataset, side: int, *, fast: bool) -> dict[str, Any]:
    """The same contexts at both precisions, side x side players."""
    contexts, epochs = (4, 3) if fast else (100, 20)
    plan = ij.training.default_plan(data, network=network, epochs=epochs)
    model = plan.spec.build(0)
    ij.training.train(model, data, key=jax.random.key(0), optimizer=plan.optimizer, epochs=epochs)
    model.eval()
    players = ij.Players.grid(data.input_shape, (side, side))
    pairs = ij.pairs_within((side, side), 1)[:: 4 if fast else 1]
    found, rates = {}, {}
    for precision in ("float32", "bfloat16"):
        game = ij.masked_game(
            model,
            data.train_x[0],
            players=players,
            baseline=data.train_x.mean(axis=0),
            output=ij.log_odds(int(data.train_y[0])),
            precision=precision,
        )
        ij.order_interactions(jax.random.key(1), game, orders=ORDERS, pairs=pairs, contexts=2)  # compiles
        start = time.perf_counter()
        found[precision] = ij.order_interactions(jax.random.key(1), game, orders=ORDERS, pairs=pairs, contexts=contexts)
        rates[precision] = round(found[precision].n_forwards / (time.perf_counter() - start))
    exact, rounded = found["float32"], found["bfloat16"]
    size = np.abs(exact.mean).mean(axis=1)
    # The contexts are the same, so that the means differ by rounding alone, nearly independent from context to context.
    added_noise = np.sqrt(np.mean((rounded.mean - exact.mean) ** 2 * exact.count, axis=1))
    return {
        "network": network,
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "contexts": contexts,
        "orders": exact.orders.tolist(),
        "mean_abs_interaction": size.tolist(),
        "error_over_mean_abs": (np.abs(rounded.mean - exact.mean).mean(axis=1) / size).tolist(),
        "added_noise_of_an_observation_over_mean_abs": (added_noise / size).tolist(),
        "passes_per_second": rates,
    }
