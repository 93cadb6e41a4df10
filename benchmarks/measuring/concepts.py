"""Contenders of each part: `concepts.py` says what is compared."""

import argparse
import contextlib
import functools
import importlib.metadata
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from peers.concepts import (
    Descent,
    and_matrix,
    and_matrix_row_by_row,
    chunked_butterfly,
    optimum_by_highs,
    or_matrix,
    plain_butterfly,
    sgd,
)
from support.common import Work, about, print_line, rate, seconds_of, spread

import interjax as ij

MOST_MATRIX_PLAYERS = 14  # 2 GiB in float64
RELEASED_RATE, RATES = 1e-5, (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
NOISE = 0.04
BATCHES, QUICK_BATCHES = (
    [(100, 12), (64 * 10 * 5, 10)],
    [(3, 6)],
)  # (tables, players); the second: inputs x classes x checkpoints
N_GAMES, QUICK_GAMES, MOST_MANY_PLAYERS = 16, 2, 10  # with more players one game is explained
MOST_COMPARED_PLAYERS = 8
INDICES = ("SV", "BV", "SII", "BII", "CHII", "k-SII", "STII", "FSII", "FBII", "kADD-SHAP", "JointSV", "Moebius")
INDICES += ("Co-Moebius", "SGV", "BGV", "CHGV", "EGV", "IGV", "ELC-joint")
PLAYERS = {"transforms": [*range(8, 15), 16, 18, 20, 22, 24], "and_or": [8, 10, 12], "indices": [16, 20]}
QUICK_PLAYERS = {"transforms": [6, 16], "and_or": [4], "indices": [5]}


def report(options: argparse.Namespace, **fields: Any) -> None:
    """Print a line, and append it to the file that was asked for."""
    print_line(**fields)
    if options.out:
        with Path(options.out).open("a") as file, contextlib.redirect_stdout(file):
            print_line(**fields)


# Transforms


def transform_contenders(tables: np.ndarray, matrix: torch.Tensor | None) -> dict[str, Work]:
    """What makes AND effects of all tables (count, 2**n), in their dtype, by name; each returns how many it made."""

    def of_tables(transform: Any, argument: Any) -> Work:
        def work() -> int:
            effects = transform(argument)
            if isinstance(effects, jax.Array):
                effects.block_until_ready()
            return len(tables)

        return work

    one_or_all = tables[0] if len(tables) == 1 else tables
    found = {"copy": of_tables(np.copy, one_or_all)}
    if tables.dtype == np.float64:
        found["interjax"] = of_tables(ij.moebius, one_or_all)
    else:
        found["interjax"] = of_tables(ij.moebius, jnp.asarray(one_or_all))
    found["numpy_plain"] = of_tables(plain_butterfly, one_or_all)
    found["numpy_chunked"] = of_tables(chunked_butterfly, one_or_all)
    if matrix is not None:
        columns = torch.as_tensor(tables.T.copy() if len(tables) > 1 else one_or_all)
        found["matrix"] = of_tables(functools.partial(torch.matmul, matrix), columns)
    return found


def check_transforms(tables: np.ndarray, matrix: torch.Tensor | None) -> float:
    """The largest difference between the contenders' effects, relative to the largest effect."""
    expected = plain_butterfly(tables.astype(np.float64))
    own = ij.moebius(tables if tables.dtype == np.float64 else jnp.asarray(tables))
    found = [np.asarray(own), chunked_butterfly(tables)]
    if matrix is not None:
        found.append((matrix @ torch.as_tensor(tables.T.copy())).numpy().T)
    apart = max(float(np.abs(one - expected).max()) for one in found) / float(np.abs(expected).max())
    if not apart <= (1e-9 if tables.dtype == np.float64 else 1e-3):
        raise SystemExit(f"the transforms differ by {apart}; nothing was timed")
    return apart


def compare_transforms(options: argparse.Namespace, n_players: int, count: int, dtype: type) -> dict[str, Any]:
    """Milliseconds a table of all contenders, and the ratios to interjax round by round."""
    tables = np.random.default_rng(0).normal(size=(count, 1 << n_players)).astype(dtype)
    has_matrix = n_players <= MOST_MATRIX_PLAYERS
    matrix = torch.as_tensor(and_matrix(n_players).astype(dtype).toarray()) if has_matrix else None
    apart = check_transforms(tables, matrix)
    work = transform_contenders(tables, matrix)
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for one in work.values():
        one()
    for _ in range(options.rounds):
        for name, one in work.items():
            seconds[name].append(1 / rate(one, options.seconds, options.clock))
    own = np.array(seconds["interjax"])
    return {
        "part": "transforms",
        "players": n_players,
        "tables": count,
        "dtype": np.dtype(dtype).name,
        "interjax_from": "NumPy" if dtype is np.float64 else "jax.Array",
        "largest_relative_difference": apart,
        "milliseconds_a_table": {name: spread(1e3 * np.array(values)) for name, values in seconds.items()},
        "over_interjax": {name: spread(np.array(values) / own) for name, values in seconds.items() if name != "copy"},
        "gigabytes_a_second_of_a_copy": spread(2 * tables[0].nbytes / 1e9 / np.array(seconds["copy"])),
        "interjax_over_copy": spread(own / np.array(seconds["copy"])),
    }


def run_transforms(options: argparse.Namespace, players: list[int]) -> None:
    cases = [(n_players, 1) for n_players in players]
    batches = QUICK_BATCHES if options.quick else BATCHES
    cases += [(n_players, count) for count, n_players in batches if not options.players or n_players in players]
    for n_players, count in cases:
        for dtype in (np.float64, np.float32):
            report(options, **compare_transforms(options, n_players, count, dtype))
    for n_players in [one for one in players if one <= MOST_MATRIX_PLAYERS]:
        start = options.clock()
        and_matrix_row_by_row(n_players)
        seconds = options.clock() - start
        report(options, part="transforms", players=n_players, seconds_to_build_the_matrix_row_by_row=seconds)


# Sparse AND-OR explanations


def games_of(n_players: int, count: int) -> np.ndarray:
    """Tables of n players less their empty value, (count, 2**n)."""
    folder = Path(os.environ.get("INTERJAX_DATA", "")) / "games"
    random = np.random.default_rng(0)
    if not folder.is_dir():
        size = (2, count, 1 << n_players)
        effects = random.standard_t(2, size=size) * (random.random(size) < 0.1)
        tables = ij.inverse_moebius(effects[0]) + ij.inverse_or_interactions(effects[1])
        return tables - tables[:, :1]
    tables = []
    for path in sorted(path for name in ("resnet14", "vit16", "sentiment14") for path in folder.glob(f"{name}_*.npz")):
        table = np.load(path)["table"]
        if "sentiment" not in path.name:
            table = np.log(table / (1 - table))  # probability to log-odds, the released code's output
        length = 1 << n_players
        own = np.arange(length)
        shift = len(table).bit_length() - 1 - n_players
        tables.append(table[own | (len(table) - length)])  # the first players, the others present
        tables.append(table[(own << shift) | ((1 << shift) - 1)])  # the last ones
    tables = np.stack(tables)[:count]
    return tables - tables[:, :1]


def run_and_or(options: argparse.Namespace, players: list[int]) -> None:
    for n_players in players:
        games = games_of(n_players, QUICK_GAMES if options.quick else N_GAMES)
        values, bound = games[0], NOISE * abs(games[0, -1])
        start = options.clock()
        optimum, message = optimum_by_highs(values, bound, options.limit)
        line = {"part": "and_or", "players": n_players, "noise": NOISE}
        seconds = options.clock() - start
        report(options, **line, contender="HiGHS", loss=optimum, seconds=seconds, message=message)
        own = run_own_explanations(options, line, games, optimum)
        optimum = own if optimum is None else optimum
        if n_players <= MOST_COMPARED_PLAYERS:
            over = loss_over_optima(options, games)
            report(options, **line, contender="HiGHS on every game", **over)
        for descent_line in descents(options, values, bound, optimum):
            report(options, **line, **descent_line)


def loss_over_optima(options: argparse.Namespace, games: np.ndarray) -> dict[str, Any]:
    """How far the losses lie above the optima that HiGHS finds, at most, and the largest gap reported."""
    found = ij.concepts.and_or(games, noise=NOISE)
    optima = [optimum_by_highs(game, NOISE * abs(game[-1]), options.limit)[0] for game in games]
    over = [loss / optimum - 1 for loss, optimum in zip(found.loss, optima, strict=True) if optimum]
    return {
        "games": len(over),
        "largest_loss_over_optimum": float(np.max(over)),
        "largest_relative_gap": float(np.max(found.gap / found.loss)),
    }


def run_own_explanations(
    options: argparse.Namespace, line: dict[str, Any], games: np.ndarray, optimum: float | None
) -> float | None:
    """Lines on `ij.concepts.and_or` for one game and for all; a lower bound of the first game's least loss."""
    least = None
    many = len(games) if games.shape[1] <= 1 << MOST_MANY_PLAYERS else 1
    for count in sorted({1, many}):
        solve = functools.partial(ij.concepts.and_or, games[:count], noise=NOISE)
        start = options.clock()
        found = jax.block_until_ready(solve())
        first_call = options.clock() - start
        loss, gap = np.asarray(found.loss), np.asarray(found.gap)
        least = float(loss[0] - gap[0])
        later = seconds_of(lambda solve=solve: jax.block_until_ready(solve()), options.clock, options.rounds)
        report(
            options,
            **line,
            contender="interjax",
            games=count,
            seconds_of_the_first_call=first_call,
            seconds=spread(later),
            loss=float(loss[0]),
            over_optimum=float(loss[0]) / optimum - 1 if optimum else None,
            largest_relative_gap=float(np.max(gap / loss)),
        )
    return least


def descents(options: argparse.Namespace, values: np.ndarray, bound: float, optimum: float | None) -> Any:
    """Lines on SGD at the released rate and at the best of the grid, by runs of a tenth of the steps."""
    n_players = len(values).bit_length() - 1
    matrices = [torch.as_tensor(make(n_players).astype(np.float32).toarray()) for make in (and_matrix, or_matrix)]
    descend = functools.partial(sgd, values, bound, matrices, limit=options.limit, clock=options.clock)
    trials = {one: descend(rate=one, steps=options.steps // 10).losses[-1] for one in RATES}
    best = min(trials, key=lambda one: np.nan_to_num(trials[one], nan=np.inf))
    yield {"contender": "SGD", "losses_of_short_runs_by_rate": {str(one): loss for one, loss in trials.items()}}
    for one in sorted({RELEASED_RATE, best}):
        yield descent_line(options, descend(rate=one, steps=options.steps), optimum) | {
            "rate": one,
            "best_of_the_grid": one == best,
        }


def descent_line(options: argparse.Namespace, descent: Descent, optimum: float | None) -> dict[str, Any]:
    places = [*range(0, len(descent.losses), max(options.steps // 10, 1)), len(descent.losses) - 1]
    return {
        "contender": "SGD",
        "steps": len(descent.losses),
        "seconds": descent.seconds[-1],
        "loss_by_step": {place: descent.losses[place] for place in places},
        "seconds_by_step": {place: descent.seconds[place] for place in places},
        "least_loss_over_optimum": descent.losses.min() / optimum - 1 if optimum else None,
        "seconds_to_within_1_percent": descent.seconds_to(1.01 * optimum) if optimum else None,
    }


# Exact indices


def run_indices(options: argparse.Namespace, players: list[int]) -> None:
    for n_players in players:
        table = np.random.default_rng(0).normal(size=1 << n_players)
        for name in options.indices or INDICES:
            report(options, **compare_index(options, table, n_players, name))


def compare_index(options: argparse.Namespace, table: np.ndarray, n_players: int, name: str) -> dict[str, Any]:
    """Seconds and memory of one index by both, and how far their values are apart."""
    order = n_players if name in ("Moebius", "Co-Moebius") else 1 if name in ("SV", "BV", "ELC", "ELC-joint") else 2
    compute = functools.partial(ij.interaction_index, table, name, order)
    own = spread(seconds_of(compute, options.clock, options.rounds))
    tracemalloc.start()
    found = compute()
    megabytes = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    line = {"part": "indices", "players": n_players, "index": name, "order": order, "milliseconds": None}
    line |= {"milliseconds": {key: 1e3 * value for key, value in own.items()}, "megabytes": megabytes}
    theirs = index_by_shapiq(options, table, name, order)
    if isinstance(theirs, str):
        at_least = options.limit / own["median"] if theirs.startswith(">") else None
        return line | {"shapiq_seconds": theirs, "shapiq_over_interjax_at_least": at_least}
    seconds = float(theirs["seconds"])
    return line | {
        "shapiq_seconds": seconds,
        "shapiq_seconds_of_its_table": float(theirs["seconds_of_table"]),
        "shapiq_megabytes_of_its_process": float(theirs["megabytes"]),
        "shapiq_over_interjax": seconds / own["median"],
        "largest_relative_difference": difference(found, theirs["masks"], theirs["values"]),
    }


def index_by_shapiq(
    options: argparse.Namespace, table: np.ndarray, name: str, order: int
) -> dict[str, np.ndarray] | str:
    """What `peers/shapiq_child.py` found, or why there is nothing: "> limit" or the last line of its error."""
    with tempfile.TemporaryDirectory() as folder:
        table_path, found_path = Path(folder) / "table.npy", Path(folder) / "found.npz"
        np.save(table_path, table)
        child = str(Path(__file__).parents[1] / "peers" / "shapiq_child.py")
        used = "process_time" if options.clock is time.process_time else "perf_counter"
        command = [
            sys.executable,
            child,
            str(table_path),
            name.removesuffix("-joint"),
            str(order),
            str(found_path),
            used,
        ]
        try:
            made = subprocess.run(command, capture_output=True, text=True, timeout=options.limit, check=False)
        except subprocess.TimeoutExpired:
            return f"> {options.limit:g}"
        if made.returncode:
            return f"failed: {(made.stderr.strip() or str(made.returncode)).splitlines()[-1]}"
        return dict(np.load(found_path))


def difference(found: ij.Interactions, masks: np.ndarray, values: np.ndarray) -> float:
    """Between the values of the coalitions that both list, relative to the largest."""
    powers = 1 << np.arange(masks.shape[1])
    own = dict(zip((found.coalitions @ powers).tolist(), found.values, strict=True))
    shared = [(own[key], value) for key, value in zip((masks @ powers).tolist(), values, strict=True) if key in own]
    ours, theirs = np.array(shared).T
    return float(np.abs(ours - theirs).max() / np.abs(ours).max())


def run(options: argparse.Namespace) -> None:
    """Print and write the lines of each part."""
    if options.threads:
        torch.set_num_threads(options.threads)
    versions = {name: importlib.metadata.version(name) for name in ("scipy", "shapiq")}
    standard = QUICK_PLAYERS if options.quick else PLAYERS
    for part in options.part:
        measured_on = about(options.clock, options.threads) | versions
        report(options, benchmark="concepts", part=part, **measured_on, rounds=options.rounds)
        players = [int(one) for one in options.players.split(",")] if options.players else standard[part]
        {"transforms": run_transforms, "and_or": run_and_or, "indices": run_indices}[part](options, players)
