"""How often I and C of samples are right where `interjax.pid` calls them reliable, and where it does not.

    python benchmarks/complexity_trust.py --threads 2 --out one.jsonl
    python benchmarks/complexity_trust.py --set 1 --seeds 1 --out other.jsonl
    python benchmarks/complexity_trust.py --quick
    python benchmarks/complexity_trust.py --again one.jsonl other.jsonl --out results/complexity_trust.jsonl

Distributions of 3 to 5 sources with 4 or 8 levels and 2 or 10 classes, of which every probability is known, so that the
true I and C have no sampling error: like layers of a network (tanh of Gaussians around means for class and style,
rounded; labels wrong for 0 or 20%; spread and noise drawn at random), independent (I = 0), synergistic (the target is
the sum of codes modulo the classes), redundant copies. Of each, samples of 300 to 60,000 go through
`ij.pid.representational_complexity` as a user calls it.

Right is I within 10% and C within 5% of the truth; where there is no information nothing is right. Tables:

- rules: of the results called reliable, how many are right in I, in C, in both, and the largest errors; of all results
  that are right, how many are called unreliable ("needless"). "in use" is the verdict itself: coverage at least .9, the
  correction and 1.96 standard errors together at most 10% of I and 5% of C. The others limit coverage, corrections (the
  result less its corrected value, as a share) and errors otherwise. "of" says whose values are to be right.
- estimates: median and 90th percentile of the relative error of I and of C, by how well samples cover the realisations.
- intervals: how often value -+ 1.96 standard errors, and others, hold the truth where the rule in use says reliable,
  and their median width as a share of it.

The file: machine and versions; one line for each distribution, with a column for each figure of its results; the
tables. Distributions come in random order, so that those reached in `--seconds` are like the others.
"""

from support.cores import arguments_of, use_cores

arguments = arguments_of(__doc__, threads=2)
arguments.add_argument("--out", help="write the lines to this file")
arguments.add_argument("--again", nargs="+", help="only the tables, from files written before")
arguments.add_argument("--distributions", type=int, default=24, help="like networks; a third as many of the others")
arguments.add_argument("--set", type=int, default=0, help="other numbers, other distributions")
arguments.add_argument("--seeds", type=int, default=3, help="draws of samples of each size")
arguments.add_argument("--seconds", type=float, default=420, help="no further distribution after this time")
arguments.add_argument("--quick", action="store_true", help="few distributions and samples: a trial of the script")
options = arguments.parse_args()
clock = use_cores(options.threads)

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

SIZES = (300, 600, 1_250, 2_500, 5_000, 10_000, 25_000, 60_000)
SOURCES, LEVELS, CLASSES = (3, 4, 5), (4, 8), (2, 10)
RIGHT = {"information": 0.10, "value": 0.05}
if options.quick:
    options.distributions, options.seeds, SIZES, SOURCES = 6, 1, (300, 2_500), (3, 4)

Columns = dict[str, np.ndarray]


# Results with known truth


def generator(*numbers: int) -> np.random.Generator:
    return np.random.default_rng([options.set, *numbers] if options.set else [*numbers])


def distributions() -> list[Known]:
    """So many like networks and a third as many of each other family, sources, levels and classes in turn."""
    found = []
    for place, (family, make) in enumerate(FAMILIES.items()):
        count = options.distributions if family == "network" else options.distributions // 3
        for index in range(count):
            random = generator(place, index)
            combination = index + place
            n = SOURCES[combination % len(SOURCES)]
            levels, classes = LEVELS[combination // len(SOURCES) % 2], CLASSES[combination // 2 % 2]
            found.append(make(random, n, levels, min(classes, levels) if family == "synergistic" else classes))
    return found


def truth_of(known: Known) -> dict[str, float]:
    if known.family == "independent":
        return {"information": 0.0, "value": np.nan}
    sources, target = known.realisations[:, :-1], known.realisations[:, -1]
    exact = ij.pid.representational_complexity(sources, target, known.probabilities)
    return {"information": exact.information, "value": exact.value}


def result_of(known: Known, place: int, size: int, seed: int) -> dict[str, Any]:
    """What is found in one draw of samples: the fields of trust, and I by other corrections."""
    random = generator(place, size, seed)
    sources, target = known.draw(random, size)
    start = clock()
    found = ij.pid.representational_complexity(sources, target, key=jax.random.key(seed))
    seconds = clock() - start
    names = ("value", "corrected", "stderr", "information", "corrected_information", "information_stderr", "coverage")
    fields = {name: getattr(found, name) for name in names} | {"samples": size, "seconds": seconds}
    null, null_complexity = np.asarray(found.null_information), np.asarray(found.null_complexity)
    fields |= {"null": null.mean(), "null_deviation": null.std(ddof=1), "null_complexity": null_complexity.mean()}
    fields |= {"shuffled": max(0.0, found.information - null.mean()), "realisations": found.n_realisations}
    fields |= {"reliable": found.reliable}
    return fields | informations(sources, target, random)


def measured() -> list[dict[str, Any]]:
    """One line for each distribution, its results in columns."""
    start = clock()
    every = distributions()
    lines = [
        {"set": options.set, "family": one.family, **one.settings, "cells": len(one.realisations), "results": []}
        for one in every
    ]
    order = np.random.default_rng(0).permutation(len(every))
    for seed, place in itertools.product(range(options.seeds), order):
        if clock() - start > options.seconds:
            break
        line = lines[place]
        if "truth" not in line:
            line["truth"] = truth_of(every[place])
        line["results"] += [result_of(every[place], place, size, seed) for size in SIZES]
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
    for quantity, plain, corrected, stderr in (
        ("information", "information", "corrected_information", "information_stderr"),
        ("value", "value", "corrected", "stderr"),
    ):
        truth, chosen = columns[f"true_{quantity}"], columns["reliable"] & (columns["true_information"] > 0)
        margin, shift = 1.96 * columns[stderr], np.abs(columns[plain] - columns[corrected])
        for name, middle, reach in (
            (f"{plain} -+ 1.96 stderr", columns[plain], margin),
            (f"{corrected} -+ 1.96 stderr", columns[corrected], margin),
            (f"{corrected} -+ (1.96 stderr + its correction)", columns[corrected], margin + shift),
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


def main() -> None:
    if options.again:
        text = [line for path in options.again for line in Path(path).read_text().splitlines()]
        lines = [line for line in map(json.loads, text) if "results" in line]
    else:
        lines = measured()
    columns = columns_of(lines)
    tables = [*rule_lines(columns), *estimate_lines(columns), *interval_lines(columns)]
    print(
        f"{len(lines)} distributions, {len(columns['samples'])} results, {columns['seconds'].sum():.0f} s in interjax"
    )
    show(tables)
    if options.out:
        first = {"benchmark": "complexity_trust", **about(clock, options.threads)}
        with Path(options.out).open("w") as file, contextlib.redirect_stdout(file):
            for line in [first, *lines, *tables]:
                print_line(**line)


if __name__ == "__main__":
    main()
