"""Contenders on one case after the other: `complexity.py` says which."""

import argparse
import contextlib
import dataclasses
import functools
import importlib.metadata
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from peers.complexity import (
    Lattice,
    atoms_by_numpy,
    by_dit,
    by_sxpid,
    complexity_by_numpy,
    in_order,
    moebius_matrix,
    realisations_of,
)
from support.common import about, print_line, spread

import interjax as ij

CLASSES, INPUTS, HIDDEN, GAIN = 10, 50, 10, 2.0
SCRIPT = Path(__file__).parents[1] / "complexity.py"
MOST_SAMPLES = 1 << 22
OWN_LIMIT = 1800


@dataclasses.dataclass(frozen=True)
class Case:
    """What is computed of how many sources, and the quantiser's levels."""

    name: str
    options: argparse.Namespace

    @property
    def quantity(self) -> str:
        return self.name.split("-")[0]

    @property
    def n_sources(self) -> int:
        return int(self.name.split("-")[1])

    @property
    def levels(self) -> int:
        return 2 if self.name.endswith("binary") else 8

    @property
    def contenders(self) -> list[str]:
        chosen = self.options.contenders
        return chosen if self.quantity == "atoms" else [one for one in chosen if one in ("interjax", "numpy")]

    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        if self.n_sources < 6:
            return layer_samples(self.n_sources, self.options.samples, self.levels, self.options.noise)
        count = self.options.samples
        while count <= MOST_SAMPLES:
            sources, target = layer_samples(self.n_sources, count, self.levels, self.options.noise)
            _, first = np.unique(np.column_stack([sources, target]), axis=0, return_index=True)
            if len(first) >= self.options.realisations:
                kept = np.sort(first)[self.options.realisations - 1] + 1
                return sources[:kept], target[:kept]
            count *= 4
        raise SystemExit(f"{MOST_SAMPLES} samples have fewer than {self.options.realisations} distinct realisations")


def layer_samples(n_sources: int, count: int, levels: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Levels (count, n) of a random tanh network's outputs, and the classes (count,)."""
    random = np.random.default_rng(0)
    means = random.normal(size=(CLASSES, INPUTS))
    weights = [random.normal(size=shape) / np.sqrt(shape[0]) for shape in ((INPUTS, HIDDEN), (HIDDEN, n_sources))]
    target = np.arange(count) % CLASSES
    values = means[target] + noise * random.normal(size=(count, INPUTS))
    for one in weights:
        values = np.tanh(GAIN * values @ one)
    return np.rint((values + 1) / 2 * (levels - 1)).astype(np.int64), target


# One contender in a process of its own


def timed(case: Case, work: Callable[[], Any], limit: float) -> tuple[Any, dict[str, Any]]:
    """The answer, and seconds of the first call and of later ones, fewer where they would take too long."""
    clock = case.options.clock
    start = clock()
    found = work()
    first, later = clock() - start, []
    while len(later) < case.options.rounds and first + sum(later) < limit:
        start = clock()
        work()
        later.append(clock() - start)
    return found, {"seconds_of_the_first_call": first, "seconds": spread(later or [first])}


def run_interjax(case: Case) -> dict[str, Any]:
    sources, target = case.samples()
    compute = ij.pid.decompose if case.quantity == "atoms" else ij.pid.representational_complexity
    work = functools.partial(compute, sources, target)
    found, line = timed(case, lambda: jax.block_until_ready(work(resamples=0)), OWN_LIMIT)
    line["megabytes"] = held()
    trusting = functools.partial(work, key=jax.random.key(0), resamples=case.options.resamples)
    if case.n_sources < 6:
        _, with_trust = timed(case, lambda: jax.block_until_ready(trusting()), OWN_LIMIT)
        line["resamples"], line["seconds_with_resamples"] = case.options.resamples, with_trust["seconds"]
    codes, probabilities = realisations_of(sources, target)
    known = functools.partial(compute, codes[:, :-1], codes[:, -1], probabilities, resamples=0)
    line["seconds_without_trust"] = timed(case, lambda: jax.block_until_ready(known()), OWN_LIMIT)[1]["seconds"]
    line["reliable"] = bool(found.reliable)
    if case.quantity == "atoms":
        return line | {"atoms": dict(zip(found.antichains, np.asarray(found.atoms).tolist(), strict=True))}
    return line | {"complexity": float(found.value), "information": float(found.information)}


def run_numpy(case: Case) -> dict[str, Any]:
    samples = case.samples()
    if case.quantity == "complexity":
        value, line = timed(case, lambda: complexity_by_numpy(*realisations_of(*samples)), case.options.limit)
        return line | {"complexity": value, "megabytes": held()}
    lattice = Lattice.of(case.n_sources)
    moebius = moebius_matrix(lattice)
    atoms, line = timed(case, lambda: atoms_by_numpy(*realisations_of(*samples), moebius), case.options.limit)
    return line | {"atoms": dict(zip(lattice.antichains, atoms.tolist(), strict=True)), "megabytes": held()}


def run_sxpid(case: Case) -> dict[str, Any]:
    codes, probabilities = realisations_of(*case.samples())
    atoms, seconds, done = by_sxpid(codes, probabilities, case.options.limit / 2, case.options.clock)
    if done == len(codes):
        return {"seconds": spread([seconds]), "atoms": atoms, "megabytes": held()}
    seconds *= len(codes) / done
    return {"seconds": spread([seconds]), "extrapolated": f"from {done} realisations", "megabytes": held()}


def run_dit(case: Case) -> dict[str, Any]:
    atoms, seconds = by_dit(*realisations_of(*case.samples()), case.options.clock)
    return {"seconds": spread([seconds]), "atoms": atoms, "megabytes": held()}


def held() -> float:
    """Mebibytes: the most that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)


def run_child(case: Case, contender: str, path: str) -> None:
    """Write what a contender found to a JSON file, its atoms in the order of antichains."""
    case.samples()
    before = held()
    contend = {"interjax": run_interjax, "numpy": run_numpy, "sxpid": run_sxpid, "dit": run_dit}[contender]
    line = contend(case) | {"megabytes_before": before}
    if "atoms" in line:
        ordered = sorted(line["atoms"].items(), key=lambda item: (len(item[0]), [in_order(one) for one in item[0]]))
        line["atoms"] = [value for _, value in ordered]
    Path(path).write_text(json.dumps(line))


def result_of(case: Case, contender: str) -> dict[str, Any]:
    """The child's line, or why there is none: "> limit" or the last line of its error."""
    options = case.options
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        passed = [f"--{name}={getattr(options, name)}" for name in ("threads", "samples", "realisations", "noise")]
        passed += [f"--{name}={getattr(options, name)}" for name in ("rounds", "resamples", "limit")]
        command = [sys.executable, str(SCRIPT), *passed, "--child", case.name, contender, str(path)]
        # Beyond the limit of the work itself: starting Python, drawing samples and making the lattice.
        limit = 2 * OWN_LIMIT if contender == "interjax" else options.limit + 30
        try:
            made = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
        except subprocess.TimeoutExpired:
            return {"seconds": f"> {options.limit:g}"}
        if made.returncode:
            return {"seconds": f"failed: {(made.stderr.strip() or str(made.returncode)).splitlines()[-1]}"}
        return json.loads(path.read_text())


# Comparison


def difference(own: dict[str, Any], theirs: dict[str, Any]) -> float | None:
    """The largest difference of atoms (bits) or of C; None where one has neither."""
    for name in ("atoms", "complexity"):
        if own.get(name) is not None and theirs.get(name) is not None:
            return float(np.max(np.abs(np.subtract(own[name], theirs[name]))))
    return None


def report(options: argparse.Namespace, **fields: Any) -> None:
    """Print a line, and append it to the file that was asked for."""
    print_line(**fields)
    if options.out:
        with Path(options.out).open("a") as file, contextlib.redirect_stdout(file):
            print_line(**fields)


def run_case(case: Case) -> None:
    sources, target = case.samples()
    distinct = len(realisations_of(sources, target)[0])
    line = {"case": case.name, "sources": case.n_sources, "levels": case.levels, "samples": len(target)}
    line |= {"classes": CLASSES, "realisations": distinct}
    own: dict[str, Any] = {}
    for contender in case.contenders:
        found = result_of(case, contender)
        if contender == "interjax":
            own = found
        else:
            found["largest_difference_from_interjax"] = difference(own, found)
            both = [one.get("seconds") for one in (own, found)]
            if all(isinstance(one, dict) for one in both):
                found["over_interjax"] = both[1]["median"] / both[0]["median"]
            elif isinstance(both[0], dict) and both[1].startswith(">"):
                found["over_interjax_at_least"] = case.options.limit / both[0]["median"]
        shown = {name: value for name, value in found.items() if name != "atoms"}
        report(case.options, **line, contender=contender, **shown)


def run(options: argparse.Namespace) -> None:
    """Print and write a line for each case and contender; in a child's process, one contender's alone."""
    if options.child:
        name, contender, path = options.child
        return run_child(Case(name, options), contender, path)
    versions = {}
    for name in ("scipy", "dit"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    measured_on = about(options.clock, options.threads) | versions
    report(options, benchmark="complexity", **measured_on, rounds=options.rounds)
    for name in options.cases:
        run_case(Case(name, options))
