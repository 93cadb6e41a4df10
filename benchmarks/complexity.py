"""Partial information decomposition by shared exclusions: all atoms, and C alone, beside the field's programs.

    python benchmarks/complexity.py --threads 2 --out complexity.jsonl
    python benchmarks/complexity.py --cases atoms-4 complexity-6 --contenders interjax numpy
    python benchmarks/complexity.py --cases complexity-6 --realisations 10000 --noise 0.5 --contenders interjax

Data are like those of a network's layer: 10 classes of Gaussian inputs go through a tanh network with random weights,
and its n outputs are rounded to levels on [-1, 1]; N = 10,000 samples. A line says how many realisations (s, t) are
distinct, which is what time depends on.

- atoms-n: all atoms on average; complexity-n: C without the lattice. Of complexity-6 samples are taken until 640
  realisations are distinct (`--realisations`), as many as the NumPy prototype was timed with.
- atoms-2-binary, atoms-3-binary: 2 levels instead of 8, at which dit finishes.
- interjax: first call (with compilation) and later ones. All have the fields of trust in I(S;T), which no peer gives.
  Apart: with `resamples` for those in C or in atoms; with none at all, given realisations and weights as the peers are.
- numpy: the same formulas, group-bys and 0/1 matrices, the lattice's matrices ready: the strong peer.
- sxpid: what the released program does, from the published definition: at every realisation all unions of every
  antichain and its children, by comparing with all realisations. One process. Realisations are compared once for all
  unions, where the released program compares anew for each. Every realisation costs the same: where the limit comes
  first, `seconds` is in proportion ("extrapolated").
- dit: `dit.pid.PID_SX`, at the sizes where it finishes within the limit.

Every contender runs in a process of its own that is stopped at the limit; `megabytes` is the most that it held, and
`megabytes_before` what it held when its libraries and data were in place. A line says how far its numbers lie from
those of interjax. First line: machine and versions. Everything is JSON lines; times are medians with least and largest.
"""

from support.cores import arguments_of, use_cores

CONTENDERS = ("interjax", "numpy", "sxpid", "dit")
CASES = ("atoms-2-binary", "atoms-3-binary", "atoms-4", "atoms-5", "complexity-5", "complexity-6")
arguments = arguments_of(__doc__, threads=2)
arguments.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
arguments.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
arguments.add_argument("--out", help="also append the lines to this file")
arguments.add_argument("--samples", type=int, default=10_000)
arguments.add_argument("--realisations", type=int, default=640, help="distinct ones in complexity-6")
arguments.add_argument("--noise", type=float, default=0.2, help="of the inputs: more of it, more distinct realisations")
arguments.add_argument("--rounds", type=int, default=5)
arguments.add_argument("--resamples", type=int, default=8, help="for the time of trust")
arguments.add_argument("--limit", type=float, default=60, help="seconds after which a peer is stopped")
arguments.add_argument("--quick", action="store_true", help="few samples, short: a trial of the script")
arguments.add_argument("--child", nargs=3, metavar=("CASE", "CONTENDER", "FILE"), help="used by the script itself")
options = arguments.parse_args()
if options.quick:
    options.samples, options.realisations, options.rounds, options.limit = 200, 40, 1, min(options.limit, 20)
clock = use_cores(options.threads)

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
MOST_SAMPLES = 1 << 22
OWN_LIMIT = 1800


@dataclasses.dataclass(frozen=True)
class Case:
    """What is computed of how many sources, and the quantiser's levels."""

    name: str

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
        able = CONTENDERS if self.quantity == "atoms" else ("interjax", "numpy")
        return [one for one in options.contenders if one in able]

    def samples(self) -> tuple[np.ndarray, np.ndarray]:
        if self.n_sources < 6:
            return layer_samples(self.n_sources, options.samples, self.levels)
        count = options.samples
        while count <= MOST_SAMPLES:
            sources, target = layer_samples(self.n_sources, count, self.levels)
            _, first = np.unique(np.column_stack([sources, target]), axis=0, return_index=True)
            if len(first) >= options.realisations:
                kept = np.sort(first)[options.realisations - 1] + 1
                return sources[:kept], target[:kept]
            count *= 4
        raise SystemExit(f"{MOST_SAMPLES} samples have fewer than {options.realisations} distinct realisations")


def layer_samples(n_sources: int, count: int, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Levels (count, n) of a random tanh network's outputs, and the classes (count,)."""
    random = np.random.default_rng(0)
    means = random.normal(size=(CLASSES, INPUTS))
    weights = [random.normal(size=shape) / np.sqrt(shape[0]) for shape in ((INPUTS, HIDDEN), (HIDDEN, n_sources))]
    target = np.arange(count) % CLASSES
    values = means[target] + options.noise * random.normal(size=(count, INPUTS))
    for one in weights:
        values = np.tanh(GAIN * values @ one)
    return np.rint((values + 1) / 2 * (levels - 1)).astype(np.int64), target


# One contender in a process of its own


def timed(work: Callable[[], Any], limit: float) -> tuple[Any, dict[str, Any]]:
    """The answer, and seconds of the first call and of later ones, fewer where they would take too long."""
    start = clock()
    found = work()
    first, later = clock() - start, []
    while len(later) < options.rounds and first + sum(later) < limit:
        start = clock()
        work()
        later.append(clock() - start)
    return found, {"seconds_of_the_first_call": first, "seconds": spread(later or [first])}


def run_interjax(case: Case) -> dict[str, Any]:
    sources, target = case.samples()
    compute = ij.pid.decompose if case.quantity == "atoms" else ij.pid.representational_complexity
    work = functools.partial(compute, sources, target)
    found, line = timed(lambda: jax.block_until_ready(work(resamples=0)), OWN_LIMIT)
    line["megabytes"] = held()
    trusting = functools.partial(work, key=jax.random.key(0), resamples=options.resamples)
    if case.n_sources < 6:
        _, with_trust = timed(lambda: jax.block_until_ready(trusting()), OWN_LIMIT)
        line["resamples"], line["seconds_with_resamples"] = options.resamples, with_trust["seconds"]
    codes, probabilities = realisations_of(sources, target)
    known = functools.partial(compute, codes[:, :-1], codes[:, -1], probabilities, resamples=0)
    line["seconds_without_trust"] = timed(lambda: jax.block_until_ready(known()), OWN_LIMIT)[1]["seconds"]
    line["reliable"] = bool(found.reliable)
    if case.quantity == "atoms":
        return line | {"atoms": dict(zip(found.antichains, np.asarray(found.atoms).tolist(), strict=True))}
    return line | {"complexity": float(found.value), "information": float(found.information)}


def run_numpy(case: Case) -> dict[str, Any]:
    samples = case.samples()
    if case.quantity == "complexity":
        value, line = timed(lambda: complexity_by_numpy(*realisations_of(*samples)), options.limit)
        return line | {"complexity": value, "megabytes": held()}
    lattice = Lattice.of(case.n_sources)
    moebius = moebius_matrix(lattice)
    atoms, line = timed(lambda: atoms_by_numpy(*realisations_of(*samples), moebius), options.limit)
    return line | {"atoms": dict(zip(lattice.antichains, atoms.tolist(), strict=True)), "megabytes": held()}


def run_sxpid(case: Case) -> dict[str, Any]:
    codes, probabilities = realisations_of(*case.samples())
    atoms, seconds, done = by_sxpid(codes, probabilities, options.limit / 2, clock)
    if done == len(codes):
        return {"seconds": spread([seconds]), "atoms": atoms, "megabytes": held()}
    seconds *= len(codes) / done
    return {"seconds": spread([seconds]), "extrapolated": f"from {done} realisations", "megabytes": held()}


def run_dit(case: Case) -> dict[str, Any]:
    atoms, seconds = by_dit(*realisations_of(*case.samples()), clock)
    return {"seconds": spread([seconds]), "atoms": atoms, "megabytes": held()}


def held() -> float:
    """Mebibytes: the most that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 2**20)


def run_child(name: str, contender: str, path: str) -> None:
    """Write what a contender found to a JSON file, its atoms in the order of antichains."""
    case = Case(name)
    case.samples()
    before = held()
    run = {"interjax": run_interjax, "numpy": run_numpy, "sxpid": run_sxpid, "dit": run_dit}[contender]
    line = run(case) | {"megabytes_before": before}
    if "atoms" in line:
        ordered = sorted(line["atoms"].items(), key=lambda item: (len(item[0]), [in_order(one) for one in item[0]]))
        line["atoms"] = [value for _, value in ordered]
    Path(path).write_text(json.dumps(line))


def result_of(case: Case, contender: str) -> dict[str, Any]:
    """The child's line, or why there is none: "> limit" or the last line of its error."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        passed = [f"--{name}={getattr(options, name)}" for name in ("threads", "samples", "realisations", "noise")]
        passed += [f"--{name}={getattr(options, name)}" for name in ("rounds", "resamples", "limit")]
        command = [sys.executable, __file__, *passed, "--child", case.name, contender, str(path)]
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


def report(**fields: Any) -> None:
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
                found["over_interjax_at_least"] = options.limit / both[0]["median"]
        report(**line, contender=contender, **{name: value for name, value in found.items() if name != "atoms"})


def main() -> None:
    if options.child:
        return run_child(*options.child)
    versions = {}
    for name in ("scipy", "dit"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    report(benchmark="complexity", **about(clock, options.threads), **versions, rounds=options.rounds)
    for name in options.cases:
        run_case(Case(name))


if __name__ == "__main__":
    main()
