"""Results beside known truths, and the rules that call them reliable: `complexity_trust.py` says which."""

import argparse
import contextlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from support.common import about, print_line
from support.known_distributions import FAMILIES, Known, informations

import interjax as ij

SIZES, QUICK_SIZES = (300, 600, 1_250, 2_500, 5_000, 10_000, 25_000, 60_000), (300, 2_500)
SOURCES, QUICK_SOURCES = (3, 4, 5), (3, 4)
LEVELS, CLASSES = (4, 8), (2, 10)
RIGHT = {"information": 0.10, "value": 0.05}

Columns = dict[str, np.ndarray]


# Results with known truth


def generator(other: int, *numbers: int) -> np.random.Generator:
    """Draws for these numbers; `other` than 0, other draws."""
    return np.random.default_rng([other, *numbers] if other else [*numbers])


def distributions(options: argparse.Namespace) -> list[Known]:
    """So many like networks and a third as many of each other family, sources, levels and classes in turn."""
    found, n_sources = [], QUICK_SOURCES if options.quick else SOURCES
    for place, (family, make) in enumerate(FAMILIES.items()):
        count = options.distributions if family == "network" else options.distributions // 3
        for index in range(count):
            random = generator(options.set, place, index)
            combination = index + place
            n = n_sources[combination % len(n_sources)]
            levels, classes = LEVELS[combination // len(n_sources) % 2], CLASSES[combination // 2 % 2]
            found.append(make(random, n, levels, min(classes, levels) if family == "synergistic" else classes))
    return found


def truth_of(known: Known) -> dict[str, float]:
    if known.family == "independent":
        return {"information": 0.0, "value": np.nan}
    sources, target = known.realisations[:, :-1], known.realisations[:, -1]
    exact = ij.pid.representational_complexity(sources, target, known.probabilities)
    return {"information": exact.information, "value": exact.value}


def result_of(options: argparse.Namespace, known: Known, place: int, size: int, seed: int) -> dict[str, Any]:
    """What is found in one draw of samples: the fields of trust, and I by other corrections."""
    random = generator(options.set, place, size, seed)
    sources, target = known.draw(random, size)
    start = options.clock()
    found = ij.pid.representational_complexity(sources, target, key=jax.random.key(seed))
    seconds = options.clock() - start
    names = ("value", "corrected", "stderr", "information", "corrected_information", "information_stderr", "coverage")
    fields = {name: getattr(found, name) for name in names} | {"samples": size, "seconds": seconds}
    null, null_complexity = np.asarray(found.null_information), np.asarray(found.null_complexity)
    fields |= {"null": null.mean(), "null_deviation": null.std(ddof=1), "null_complexity": null_complexity.mean()}
    fields |= {"shuffled": max(0.0, found.information - null.mean()), "realisations": found.n_realisations}
    fields |= {"reliable": found.reliable}
    return fields | informations(sources, target, random)


def measured(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One line for each distribution, its results in columns."""
    start = options.clock()
    every = distributions(options)
    sizes = QUICK_SIZES if options.quick else SIZES
    lines = [
        {"set": options.set, "family": one.family, **one.settings, "cells": len(one.realisations), "results": []}
        for one in every
    ]
    order = np.random.default_rng(0).permutation(len(every))
    for seed, place in itertools.product(range(options.seeds), order):
        if options.clock() - start > options.seconds:
            break
        line = lines[place]
        if "truth" not in line:
            line["truth"] = truth_of(every[place])
        line["results"] += [result_of(options, every[place], place, size, seed) for size in sizes]
    lines = [line for line in lines if line["results"]]
    for line in lines:
        rows = line["results"]
        line["results"] = {name: [short(row[name]) for row in rows] for name in rows[0]}
        line["truth"] = {name: short(value) for name, value in line["truth"].items()}
    return lines


def short(value: Any) -> Any:
    """A number to five digits."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return int(value) if float(value).is_integer() else float(f"{value:.5g}")


def columns_of(lines: list[dict[str, Any]]) -> Columns:
    """All results below each other, with their truth."""
    found: dict[str, list] = {}
    for line in lines:
        count = len(line["results"]["samples"])
        rest = {f"true_{name}": [value] * count for name, value in line["truth"].items()}
        rest |= {name: [line[name]] * count for name in ("family", "n", "levels", "classes")}
        for name, column in (line["results"] | rest).items():
            found.setdefault(name, []).extend(column)
    return {
        name: np.array(column) if name in ("family", "reliable") else np.array(column, np.float64)
        for name, column in found.items()
    }


def error(columns: Columns, name: str, quantity: str) -> np.ndarray:
    """Relative error of an estimate of "information" or "value"; infinite where there is no information."""
    truth = columns[f"true_{quantity}"]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.abs(columns[name] / truth - 1)
    return np.where((columns["true_information"] > 0) & np.isfinite(found), found, np.inf)


# Rules


def rule(
    coverage: float,
    of_information: float,
    of_complexity: float,
    *,
    corrected: str = "corrected_information",
    most_errors: tuple[float, float] = (np.inf, np.inf),
    errors: float = 0.0,
) -> Callable[[Columns], np.ndarray]:
    """I is five standard deviations above its null, samples cover the realisations, and as shares of I and of C the
    corrections plus so many standard errors are small, and 1.96 standard errors alone are."""

    def verdict(columns: Columns) -> np.ndarray:
        found = columns["information"] - columns["null"] > 5 * columns["null_deviation"]
        found &= columns["coverage"] >= coverage
        for plain, other, stderr, limit, most in (
            ("information", corrected, "information_stderr", of_information, most_errors[0]),
            ("value", "corrected", "stderr", of_complexity, most_errors[1]),
        ):
            left = np.abs(columns[plain] - columns[other]) + errors * columns[stderr]
            found &= (left <= limit * columns[plain]) & (1.96 * columns[stderr] <= most * columns[plain])
        return found

    return verdict


RULES: dict[str, Callable[[Columns], np.ndarray]] = {
    "in use": lambda columns: columns["reliable"],
    "coverage .95": rule(0.95, 0.05, 0.05),
    "corrections 3%": rule(0.9, 0.03, 0.03),
    "and 1.96 errors 10%, 5%": rule(0.9, 0.05, 0.05, most_errors=(0.1, 0.05)),
    "sum, any coverage": rule(0.0, 0.1, 0.05, errors=1.96),
    "sum, coverage .95": rule(0.95, 0.1, 0.05, errors=1.96),
}
KINDS = {
    "plug-in": ("information", "value"),
    "corrected": ("corrected_information", "corrected"),
}


def judged(columns: Columns, verdict: np.ndarray, kind: str) -> dict[str, Any]:
    """What a rule calls reliable and what is right, by plug-in values or by corrected ones."""
    errors = [error(columns, name, quantity) for name, quantity in zip(KINDS[kind], RIGHT, strict=True)]
    right = [each <= RIGHT[quantity] for each, quantity in zip(errors, RIGHT, strict=True)]
    both = right[0] & right[1]
    chosen = [one[verdict] for one in (*right, both)]
    shares = [float(one.mean()) if len(one) else np.nan for one in chosen]
    largest = [float(one[verdict].max(initial=0)) for one in errors]
    return {
        "reliable": int(verdict.sum()),
        "right_I": shares[0],
        "right_C": shares[1],
        "right_both": shares[2],
        "largest_I": largest[0],
        "largest_C": largest[1],
        "no_information": int(np.sum(verdict & (columns["true_information"] == 0))),
        "needless": float(np.mean(~verdict[both])),
        "right_of_unreliable": float(np.mean(both[~verdict])),
    }


def rule_lines(columns: Columns) -> list[dict[str, Any]]:
    return [
        {"table": "rules", "rule": name, "of": kind, **judged(columns, verdict(columns), kind)}
        for kind in KINDS
        for name, verdict in RULES.items()
    ]


# Estimates and intervals

ESTIMATES = {
    "information": (
        *("information", "miller_madow", "shuffled", "halves", "quarters"),
        *("corrected_information", "chao_shen"),
    ),
    "value": ("value", "corrected"),
}
COVERAGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0)


def estimate_lines(columns: Columns) -> list[dict[str, Any]]:
    """Relative errors of all estimates by family and coverage, where there is information."""
    found = []
    families = ["all", *(one for one in FAMILIES if one != "independent")]
    for quantity, names in ESTIMATES.items():
        for family in families:
            for low, high in itertools.pairwise(COVERAGES):
                here = (columns["coverage"] >= low) & (columns["coverage"] < high) & (columns["true_information"] > 0)
                here &= (columns["family"] == family) | (family == "all")
                if here.sum() < 5:
                    continue
                line = {
                    "table": "estimates",
                    "of": quantity,
                    "family": family,
                    "coverage": low,
                    "runs": int(here.sum()),
                }
                for name in names:
                    errors = error(columns, name, quantity)[here]
                    line[name] = [short(np.median(errors)), short(np.quantile(errors, 0.9))]
                found.append(line)
    return found


def interval_lines(columns: Columns) -> list[dict[str, Any]]:
    """How often intervals hold the truth where the verdict is reliable, and their median width over the truth."""
    found = []
    for quantity, plain, corrected, stderr, student in (
        ("information", "information", "corrected_information", "information_stderr", 2.306),  # of 8 pairs of halves
        ("value", "value", "corrected", "stderr", 2.776),  # of 4
    ):
        truth, chosen = columns[f"true_{quantity}"], columns["reliable"] & (columns["true_information"] > 0)
        margin, shift = 1.96 * columns[stderr], np.abs(columns[plain] - columns[corrected])
        for name, middle, reach in (
            (f"{plain} -+ 1.96 stderr", columns[plain], margin),
            (f"{corrected} -+ 1.96 stderr", columns[corrected], margin),
            (f"{corrected} -+ (1.96 stderr + its correction)", columns[corrected], margin + shift),
            (f"{corrected} -+ (t stderr + its correction)", columns[corrected], student * columns[stderr] + shift),
        ):
            holds = np.abs(middle - truth)[chosen] <= reach[chosen]
            width = np.median(2 * reach[chosen] / truth[chosen]) if chosen.any() else np.nan
            line = {"table": "intervals", "interval": name, "runs": int(chosen.sum())}
            found.append(
                line | {"hold_the_truth": float(holds.mean()) if len(holds) else np.nan, "width": short(width)}
            )
    return found


# Output


def show(lines: list[dict[str, Any]]) -> None:
    """Lines of one table in columns, a heading where the columns change."""
    heading: list[str] = []
    for line in lines:
        cells = {name: cell(value) for name, value in line.items()}
        if list(cells) != heading:
            heading = list(cells)
            print("\n" + "  ".join(f"{name:>{width_of(name)}}" for name in heading))
        print("  ".join(f"{value:>{width_of(name)}}" for name, value in cells.items()))


def width_of(name: str) -> int:
    return {"rule": 28, "interval": 58, "table": 9}.get(name, max(len(name), 11))


def cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(cell(one) for one in value)
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def run(options: argparse.Namespace) -> None:
    """Print the tables, and write all lines to the file that was asked for."""
    if options.again:
        text = [line for path in options.again for line in Path(path).read_text().splitlines()]
        lines = [line for line in map(json.loads, text) if "results" in line]
    else:
        lines = measured(options)
    columns = columns_of(lines)
    tables = [*rule_lines(columns), *estimate_lines(columns), *interval_lines(columns)]
    print(
        f"{len(lines)} distributions, {len(columns['samples'])} results, {columns['seconds'].sum():.0f} s in interjax"
    )
    show(tables)
    if options.out:
        first = {"benchmark": "complexity_trust", **about(options.clock, options.threads)}
        with Path(options.out).open("w") as file, contextlib.redirect_stdout(file):
            for line in [first, *lines, *tables]:
                print_line(**line)
