"""What bfloat16 costs and gains: error of I^(m) at low, middle and high orders, and passes per second beside float32.

    python benchmarks/precision.py

Trains an MLP and LeNet on part of MNIST (where INTERJAX_DATA names no folder with mnist/, the MLP on the bundled
digits). The same contexts are evaluated at both precisions, so the difference is rounding alone: its mean size over
pairs, relative to mean |I^(m)|, and the noise that it adds to one observation, likewise. Prints JSON lines.
"""

import argparse
import json
import os
import time
from pathlib import Path

import jax
import numpy as np

import interjax as ij

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--fast", action="store_true", help="fewer contexts and epochs")
options = arguments.parse_args()
CONTEXTS, EPOCHS = (4, 3) if options.fast else (100, 20)
ORDERS = [0.05, 0.5, 0.95]

mnist = Path(os.environ.get("INTERJAX_DATA", "")) / "mnist"
data = ij.datasets.load(f"mnist:{mnist}", limit=200) if mnist.is_dir() else ij.datasets.digits()
side = 14 if mnist.is_dir() else 8
for name in ("mlp", "lenet") if mnist.is_dir() else ("mlp",):
    plan = ij.training.default_plan(data, network=name, epochs=EPOCHS)
    model = plan.spec.build(0)
    ij.training.train(model, data, key=jax.random.key(0), optimizer=plan.optimizer, epochs=EPOCHS)
    model.eval()
    players = ij.Players.grid(data.input_shape, (side, side))
    pairs = ij.pairs_within((side, side), 1)[:: 4 if options.fast else 1]
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
        found[precision] = ij.order_interactions(jax.random.key(1), game, orders=ORDERS, pairs=pairs, contexts=CONTEXTS)
        rates[precision] = round(found[precision].n_forwards / (time.perf_counter() - start))
    exact, rounded = found["float32"], found["bfloat16"]
    size = np.abs(exact.mean).mean(axis=1)
    # Rounding is nearly independent from context to context: it adds to the variance of an observation.
    variance = [np.mean(one.stderr**2 * one.count, axis=1) for one in (exact, rounded)]
    result = {
        "network": name,
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "contexts": CONTEXTS,
        "orders": exact.orders.tolist(),
        "mean_abs_interaction": size.tolist(),
        "error_over_mean_abs": (np.abs(rounded.mean - exact.mean).mean(axis=1) / size).tolist(),
        "added_noise_of_an_observation_over_mean_abs": (
            np.sqrt(np.maximum(variance[1] - variance[0], 0)) / size
        ).tolist(),
        "passes_per_second": rates,
    }
    print(json.dumps(result), flush=True)
