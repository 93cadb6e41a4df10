"""What the benchmarks share: their networks, their timing, and lines of JSON that say where they were measured."""

import dataclasses
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx

import interjax as ij

Clock = Callable[[], float]
Work = Callable[[], int]  # does some work and returns how many units it was

# Both end orders have one context only: most benchmarks leave them out.
INNER_RATIOS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]
LABEL = 3


@dataclasses.dataclass(frozen=True)
class Setting:
    """A network with random weights and one random input, cut into cells x cells players."""

    network: str
    shape: tuple[int, int, int]
    cells: int
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def players(self) -> ij.Players:
        return ij.Players.grid(self.shape, (self.cells, self.cells))

    def build(self) -> nnx.Module:
        model = ij.networks.build(self.network, self.shape, 10, seed=0, **self.options)
        model.eval()
        return model

    def draw_input(self) -> np.ndarray:
        return np.random.default_rng(0).normal(size=self.shape).astype(np.float32)


SETTINGS = {
    "mlp": Setting("mlp", (28, 28, 1), 14, {"hidden": (256, 256)}),
    "lenet": Setting("lenet", (32, 32, 1), 16),
    "alexnet": Setting("alexnet", (32, 32, 3), 16),
}


def trained(network: str) -> tuple[ij.datasets.Dataset, nnx.Module, ij.Players]:
    """A network trained on MNIST, 14x14 players; on the bundled digits, 8x8, where INTERJAX_DATA has no mnist/."""
    folder = Path(os.environ.get("INTERJAX_DATA", "")) / "mnist"
    data = ij.datasets.mnist(folder) if folder.is_dir() else ij.datasets.digits()
    plan = ij.training.default_plan(data, network=network)
    model = plan.spec.build(0)
    ij.training.train(
        model, data, key=jax.random.key(0), optimizer=plan.optimizer, epochs=plan.epochs, batch_size=plan.batch_size
    )
    model.eval()
    cells = (14, 14) if data.input_shape[0] == 28 else (8, 8)
    return data, model, ij.Players.grid(data.input_shape, cells)


def members_pairs(random: np.random.Generator, n_players: int, members: int) -> np.ndarray:
    """All pairs among some random players."""
    chosen = np.sort(random.choice(n_players, members, replace=False))
    return np.array([(i, j) for place, i in enumerate(chosen) for j in chosen[place + 1 :]])


def rate(work: Work, seconds: float, clock: Clock) -> float:
    """Units of work a second, over at least so many seconds by the clock."""
    done, start = 0, clock()
    while not done or clock() - start < seconds:
        done += work()
    return done / (clock() - start)


def seconds_of(work: Callable[[], Any], clock: Clock, repeats: int) -> list[float]:
    """Seconds of each repeat, after one that is not counted (it compiles)."""
    work()
    found = []
    for _ in range(repeats):
        start = clock()
        work()
        found.append(clock() - start)
    return found


def fastest(choices: Iterable[Any], make: Callable[[Any], Work], seconds: float, clock: Clock) -> tuple[Any, Work]:
    """The choice (a batch size, say) whose work runs fastest, and that work; one that does not fit memory is left."""
    best: tuple[float, Any, Work] | None = None
    for choice in choices:
        work = make(choice)
        try:
            work()
            found = rate(work, seconds, clock)
        except (jax.errors.JaxRuntimeError, MemoryError):
            break
        if best is None or found > best[0]:
            best = found, choice, work
    assert best is not None, "not even the smallest choice fits memory"
    return best[1], best[2]


def spread(values: Sequence[float] | np.ndarray, digits: int = 3) -> dict[str, float]:
    """Median, least and largest, to so many significant digits."""
    found = {"median": np.median(values), "min": np.min(values), "max": np.max(values)}
    return {name: float(f"{value:.{digits}g}") for name, value in found.items()}


def print_line(**fields: Any) -> None:
    """One JSON object on a line of its own; NaN and infinities become null, which JSON has."""
    print(json.dumps(_finite(fields), allow_nan=False), flush=True)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def about(clock: Clock, threads: int) -> dict[str, Any]:
    """The machine, the versions and the clock: the first line of every result."""
    if clock is time.process_time and jax.devices()[0].platform != "cpu":
        raise SystemExit("CPU seconds do not measure an accelerator: use --threads 0")
    packages = ("jax", "jaxlib", "flax", "numpy", "torch")
    return {
        "processor": _processor(),
        "cores": threads or os.cpu_count(),
        "device": jax.devices()[0].device_kind,
        "devices": jax.device_count(),
        "python": platform.python_version(),
        "interjax": f"{ij.__version__} {_commit()}".strip(),
        "clock": "CPU seconds" if clock is time.process_time else "wall clock",
        "load_before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    } | {name: version for name in packages if (version := _version(name))}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _commit() -> str:
    try:
        asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
