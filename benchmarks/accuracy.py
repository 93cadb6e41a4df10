"""Error of the strength profile J^(m) against forward passes: the papers' allocation and interjax's.

    INTERJAX_DATA=folder python benchmarks/accuracy.py --inputs 1

A network is trained on MNIST (on the bundled digits where INTERJAX_DATA names no folder with mnist/). The reference
measures every pair within radius 2 on the grid in many contexts; its own error is stated beside the others. The error
is the root mean square over orders and repeats of J / J_reference - 1. With one input the figure is averaged over
`--examples` inputs, each by itself. Prints JSON lines, the last with the ratio of passes at equal error.
"""

import argparse
import itertools
import json
import os
import time
import warnings
from pathlib import Path

import jax
import numpy as np

import interjax as ij

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--inputs", type=int, default=1, help="inputs that J averages over")
arguments.add_argument("--examples", type=int, default=4, help="with --inputs 1: how many inputs to try, one by one")
arguments.add_argument("--repeats", type=int, default=8, help="independent repeats of each estimator")
arguments.add_argument("--reference-contexts", type=int, default=400)
arguments.add_argument("--network", default="mlp")
arguments.add_argument(
    "--baseline", choices=["zero", "mean"], default="zero", help="mean leaves no player known to be null"
)
options = arguments.parse_args()

# (pairs, contexts) for each input
OFFICIAL = [(66, 30), (200, 10), (200, 30), (200, 100)]
OURS = [(60, 4), (120, 4), (240, 4), (480, 4), (960, 4), (120, 10), (240, 10), (480, 10), (960, 10)]


def trained() -> tuple[ij.datasets.Dataset, object, ij.Players]:
    folder = os.environ.get("INTERJAX_DATA")
    has_mnist = folder is not None and (Path(folder) / "mnist").is_dir()
    data = ij.datasets.mnist(Path(folder) / "mnist") if folder and has_mnist else ij.datasets.digits()
    plan = ij.training.default_plan(data, network=options.network)
    model = plan.spec.build(0)
    ij.training.train(
        model, data, key=jax.random.key(0), optimizer=plan.optimizer, epochs=plan.epochs, batch_size=plan.batch_size
    )
    model.eval()
    cells = (14, 14) if has_mnist else (8, 8)
    return data, model, ij.Players.grid(data.input_shape, cells)


def measure(games: list[ij.Game], pairs: np.ndarray, repeat: int, **settings) -> ij.OrderProfile:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # small budgets are noisy: that is what is measured here
        return ij.order_profile(
            jax.random.key(repeat), games, orders=ij.OFFICIAL_ALLOCATION["orders"], pairs=pairs, **settings
        )


def errors(
    groups: list[list[ij.Game]], references: list[np.ndarray], pairs: np.ndarray, **settings
) -> dict[str, float]:
    found = [[measure(games, pairs, 1000 + r, **settings) for r in range(options.repeats)] for games in groups]
    relative = np.array([[one.strength / ref - 1 for one in row] for row, ref in zip(found, references, strict=True)])
    return {
        "passes": float(np.mean([one.n_forwards for row in found for one in row])),
        "rms_error": float(np.sqrt(np.mean(relative**2))),
        "mean_abs_bias": float(np.mean(np.abs(relative.mean(axis=1)))),
    }


def passes_for(error: float, curve: list[dict[str, float]]) -> float:
    """Fewest passes at which a curve reaches an error: a power law between the points that bracket it."""
    best = sorted(curve, key=lambda point: point["passes"])
    front = [
        point for i, point in enumerate(best) if point["rms_error"] < min([p["rms_error"] for p in best[:i]] or [9])
    ]
    for left, right in itertools.pairwise(front):
        if left["rms_error"] >= error >= right["rms_error"]:
            share = np.log(left["rms_error"] / error) / np.log(left["rms_error"] / right["rms_error"])
            return float(np.exp(np.log(left["passes"]) + share * np.log(right["passes"] / left["passes"])))
    return float("nan") if front[-1]["rms_error"] > error else front[0]["passes"]


data, model, players = trained()
accuracy = ij.training.accuracy(model, data.test_x, data.test_y)
count = options.examples if options.inputs == 1 else options.inputs
chosen = ij.training.correctly_classified(model, data.train_x, data.train_y, count=count, key=jax.random.key(1))
baseline = data.train_x.mean(axis=0) if options.baseline == "mean" else 0.0
games = ij.masked_games(model, data.train_x[chosen], data.train_y[chosen], players=players, baseline=baseline)
groups = [[game] for game in games] if options.inputs == 1 else [games]
pairs = ij.pairs_within(players.cells, 2)
start = time.perf_counter()
references = [measure(group, pairs, 0, contexts=options.reference_contexts, n_pairs=len(pairs)) for group in groups]
print(
    json.dumps(
        {
            "data": data.name,
            "network": options.network,
            "test_accuracy": accuracy,
            "players": players.n,
            "inputs": options.inputs,
            "baseline": options.baseline,
            "examples": len(groups),
            "pairs": len(pairs),
            "reference_contexts": options.reference_contexts,
            "reference_passes": [one.n_forwards for one in references],
            "reference_relative_stderr": float(np.mean([one.stderr_within / one.strength for one in references])),
            "seconds": round(time.perf_counter() - start, 1),
            "device": jax.devices()[0].device_kind,
        }
    ),
    flush=True,
)
truth = [one.strength for one in references]
curves: dict[str, list[dict[str, float]]] = {"official": [], "interjax": []}
for estimator, allocations in (("official", OFFICIAL), ("interjax", OURS)):
    for n_pairs, contexts in allocations:
        official = {"method": "quadruples", "correction": "none"} if estimator == "official" else {}
        point = errors(groups, truth, pairs, contexts=contexts, n_pairs=n_pairs, **official)
        curves[estimator].append(point)
        print(json.dumps({"estimator": estimator, "pairs": n_pairs, "contexts": contexts} | point), flush=True)
for (n_pairs, contexts), point in zip(OFFICIAL, curves["official"], strict=True):
    needed = passes_for(point["rms_error"], curves["interjax"])
    print(
        json.dumps(
            {
                "inputs": options.inputs,
                "official_pairs": n_pairs,
                "official_contexts": contexts,
                "at_rms_error": point["rms_error"],
                "official_passes": point["passes"],
                "interjax_passes": needed,
                "ratio": point["passes"] / needed,
            }
        ),
        flush=True,
    )
