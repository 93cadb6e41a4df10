"""Errors of the methods at equal passes: `regression.py` says how."""

import argparse
import functools
import json
import os
import time
from pathlib import Path

import jax
import numpy as np

import interjax as ij

# How many passes contexts will cost, before any is made: contexts are chosen so that all methods cost the same.


def trained_games(options: argparse.Namespace) -> tuple[list[ij.Game], dict]:
    folder = os.environ.get("INTERJAX_DATA")
    has_mnist = not options.fast and folder is not None and (Path(folder) / "mnist").is_dir()
    data = ij.datasets.mnist(Path(folder) / "mnist") if folder and has_mnist else ij.datasets.digits()
    plan = ij.training.default_plan(data, network=options.network)
    model = plan.spec.build(0)
    ij.training.train(
        model, data, key=jax.random.key(0), optimizer=plan.optimizer, epochs=plan.epochs, batch_size=plan.batch_size
    )
    model.eval()
    accuracy = ij.training.accuracy(model, data.test_x, data.test_y)
    chosen = ij.training.correctly_classified(
        model, data.train_x, data.train_y, count=options.examples, key=jax.random.key(1)
    )
    baseline = data.train_x.mean(axis=0) if options.baseline == "mean" else 0.0
    players = ij.Players.grid(data.input_shape, (14, 14) if has_mnist else (8, 8))
    games = ij.masked_games(model, data.train_x[chosen], data.train_y[chosen], players=players, baseline=baseline)
    return games, {"data": data.name, "network": options.network, "test_accuracy": accuracy, "players": players.n}


def live_pairs(game: ij.Game) -> np.ndarray:
    live = np.flatnonzero(~np.asarray(game.is_null)) if game.is_null is not None else np.arange(game.n_players)
    first, second = np.triu_indices(len(live), 1)
    return np.stack([live[first], live[second]], axis=1)


def contexts_for(budget: int, method: str, n_players: int, pairs: np.ndarray, order: int) -> int:
    """Most contexts with which a method makes at most `budget` passes."""
    passes = functools.partial(ij.orders.ESTIMATORS[method].expected_passes, n_players, pairs, order)
    low, high = 1, 10**6
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if passes(middle) <= budget else (low, middle)
    return low


def measure(game: ij.Game, pairs: np.ndarray, order: int, method: str, contexts: int, seed: int):
    start = time.process_time()
    found = ij.order_interactions(
        jax.random.key(seed), game, orders=[order], pairs=pairs, contexts=contexts, method=method, exact=False
    )
    return found, time.process_time() - start


def seconds_of_passes(game: ij.Game, rows: int) -> float:
    masks = np.random.default_rng(0).random((rows, game.n_players)) < 0.5
    np.asarray(game(masks[:4096]))
    start = time.process_time()
    np.asarray(game(masks))
    return time.process_time() - start


def compare(
    repeats: int, game: ij.Game, pairs: np.ndarray, order: int, quadruples: int, reference: ij.OrderInteractions
) -> dict:
    budget = 4 * len(pairs) * quadruples
    row = {}
    for method in ("quadruples", "blocks", "regression"):
        contexts = contexts_for(budget, method, game.n_players, pairs, order)
        runs = [measure(game, pairs, order, method, contexts, 1 + seed) for seed in range(repeats)]
        differences = np.concatenate([found.mean - reference.mean for found, _ in runs])
        stderr = np.concatenate([found.stderr for found, _ in runs])
        noise = np.mean(reference.stderr**2)
        row[method] = {
            "contexts": contexts,
            "passes": runs[0][0].n_forwards,
            "mse": float(np.mean(differences**2) - noise),
            "z": float(np.sqrt(np.mean(differences**2 / (stderr**2 + reference.stderr**2)))),
            "seconds": round(min(spent for _, spent in runs), 3),
        }
    of_passes = seconds_of_passes(game, row["regression"]["passes"])
    row["share_of_fit"] = round(max(0.0, 1 - of_passes / row["regression"]["seconds"]), 3)
    row["reference_mse"] = float(np.mean(reference.stderr**2))
    row["rms_interaction"] = float(np.sqrt(max(np.mean(reference.mean**2) - row["reference_mse"], 0.0)))
    return row


def run(options: argparse.Namespace) -> None:
    """Print a table, and write its lines to the file that was asked for."""
    games, about = trained_games(options)
    about |= {"baseline": options.baseline, "repeats": options.repeats, "device": jax.devices()[0].device_kind}
    print(json.dumps(about))
    print("input order quadruples  passes | rms I    rmse: quadruples  blocks  regression | mse ratio to", end="")
    print(" quadruples  blocks |     z  share of fit")
    for number, game in enumerate(games):
        pairs = live_pairs(game)
        for order in dict.fromkeys(int(ratio * (game.n_players - 2)) for ratio in options.ratios):
            reference, _ = measure(game, pairs, order, "blocks", options.reference_contexts, 0)
            for quadruples in options.quadruples:
                row = compare(options.repeats, game, pairs, order, quadruples, reference)
                mse = {method: row[method]["mse"] for method in ("quadruples", "blocks", "regression")}
                row["mse_ratio"] = {name: mse[name] / mse["regression"] for name in ("quadruples", "blocks")}
                line = about | {"input": number, "pairs": len(pairs), "order": order, "quadruples": quadruples} | row
                errors = [max(one, 0.0) ** 0.5 for one in mse.values()]
                print(f"{number:5d} {order:5d} {quadruples:10d} {row['regression']['passes']:7d} |", end=" ")
                print(f"{row['rms_interaction']:.2e} {errors[0]:16.2e} {errors[1]:.2e} {errors[2]:9.2e} |", end=" ")
                print(f"{row['mse_ratio']['quadruples']:22.1f} {row['mse_ratio']['blocks']:8.1f} |", end=" ")
                print(f"{row['regression']['z']:5.2f} {row['share_of_fit']:10.2f}", flush=True)
                if options.out:
                    with options.out.open("a") as file:
                        file.write(json.dumps(line) + "\n")
