"""Times while one quantity grows: `scaling.py` says which."""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from support.common import LABEL, about, members_pairs, print_line, seconds_of, spread

import interjax as ij

SHAPE = (28, 28, 1)
RATIOS = ij.OFFICIAL_ALLOCATION["orders"]
SCRIPT = Path(__file__).parents[1] / "scaling.py"
Line = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What the quantities are that do not vary: players along a side, contexts, players that pairs are of."""

    cells: int
    contexts: int
    members: int

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Sizes":
        return cls(4, 2, 4) if options.fast else cls(14, 20, 16)


class Run:
    """A network with random weights on random inputs, and a measuring of them that can be repeated."""

    def __init__(self, options: argparse.Namespace, cells: int | None = None, inputs: int = 1):
        self.options, self.sizes = options, Sizes.of(options)
        cells = cells or self.sizes.cells
        small = {"hidden": (16,)} if options.fast and options.network == "mlp" else {}
        model = ij.networks.build(options.network, SHAPE, 10, seed=0, **small)
        xs = np.random.default_rng(0).normal(size=(inputs, *SHAPE)).astype(np.float32)
        self.players = ij.Players.grid(SHAPE, (cells, cells))
        self.games = ij.masked_games(model, xs, [LABEL] * inputs, players=self.players)
        self.pairs = members_pairs(np.random.default_rng(1), self.players.n, min(self.sizes.members, self.players.n))

    def times(self, method: str, contexts: int | None = None, mesh: Any = None) -> Line:
        """Seconds of the interactions of all inputs, and the forward passes that they take."""
        passes = 0

        def work() -> None:
            nonlocal passes
            passes = 0
            for number, game in enumerate(self.games):
                passes += ij.order_interactions(
                    jax.random.key(number),
                    game,
                    orders=RATIOS,
                    pairs=self.pairs,
                    contexts=contexts or self.sizes.contexts,
                    method=method,
                    mesh=mesh,
                    exact=False,
                ).n_forwards

        seconds = seconds_of(work, self.options.clock, self.options.repeats)
        return {"method": method, "passes": passes, "seconds": spread(seconds)}


def by_players(options: argparse.Namespace) -> list[Line]:
    found = []
    for cells in options.cells:
        run = Run(options, cells)
        found += [{"varied": "players", "at": cells**2} | run.times(method) for method in ("quadruples", "blocks")]
        print_line(**found[-2])
        print_line(**found[-1])
    return found


def by_contexts(options: argparse.Namespace) -> list[Line]:
    run, found = Run(options), []
    for contexts in options.contexts:
        for method in ("quadruples", "blocks"):
            found.append({"varied": "contexts", "at": contexts} | run.times(method, contexts))
            print_line(**found[-1])
    return found


def by_inputs(options: argparse.Namespace) -> list[Line]:
    found = []
    for inputs in options.inputs:
        found.append({"varied": "inputs", "at": inputs} | Run(options, inputs=inputs).times("blocks"))
        print_line(**found[-1])
    return found


def by_devices(options: argparse.Namespace) -> list[Line]:
    """Each number of virtual devices in a process of its own: it is fixed when JAX starts."""
    found = []
    for devices in options.devices:
        flags = os.environ.get("XLA_FLAGS", "") + f" --xla_force_host_platform_device_count={devices}"
        asked = [sys.executable, str(SCRIPT), "--on-all-devices", "--threads", str(options.threads)]
        asked += ["--network", options.network, "--repeats", str(options.repeats)]
        asked += ["--fast"] if options.fast else []
        environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
        made = subprocess.run(asked, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        found.append(json.loads(made.stdout))
        print_line(**found[-1])
    return found


def on_all_devices(options: argparse.Namespace) -> Line:
    mesh = Mesh(np.array(jax.devices()), ("rows",))
    return {"varied": "virtual devices", "at": jax.device_count()} | Run(options).times("blocks", mesh=mesh)


def by_exact_players(options: argparse.Namespace) -> list[Line]:
    found = []
    for n_players in options.exact:
        table = np.random.default_rng(0).normal(size=2**n_players)

        def work(table: np.ndarray = table) -> None:
            ij.exact_order_interactions(table)

        seconds = seconds_of(work, options.clock, options.repeats if n_players < 22 else 1)
        found.append({"varied": "players, exact", "at": n_players, "method": "exact", "seconds": spread(seconds)})
        print_line(**found[-1])
    return found


def draw(lines: list[Line], path: str, where: str, sizes: Sizes) -> None:
    """One panel for each varied quantity: seconds on logarithmic axes."""
    from matplotlib.figure import Figure

    panels = {
        "players": f"players n ({sizes.contexts} contexts, one input)",
        "contexts": f"contexts for each pair and order ({sizes.cells}x{sizes.cells} players)",
        "inputs": f"inputs ({sizes.cells}x{sizes.cells} players, {sizes.contexts} contexts)",
        "virtual devices": "virtual devices on the same cores: overhead only",
        "players, exact": "players n, exact: all orders from a table of 2^n",
    }
    styles = {"quadruples": ("#E69F00", "s", "--"), "blocks": ("#0072B2", "o", "-"), "exact": ("#000000", "^", "-")}
    drawn = [name for name in panels if any(line["varied"] == name for line in lines)]
    figure = Figure(figsize=(4.2 * ((len(drawn) + 1) // 2), 7), layout="constrained")
    grid = figure.subplots(2, (len(drawn) + 1) // 2, squeeze=False).ravel()
    for axes, name in zip(grid, drawn, strict=False):
        for method, (colour, marker, dashes) in styles.items():
            points = [line for line in lines if line["varied"] == name and line["method"] == method]
            if not points:
                continue
            at, seconds = [line["at"] for line in points], [line["seconds"]["median"] for line in points]
            reach = [[abs(line["seconds"][end] - line["seconds"]["median"]) for line in points] for end in _ENDS]
            axes.errorbar(
                at, seconds, yerr=reach, color=colour, marker=marker, linestyle=dashes, capsize=2, label=method
            )
        if name != "players, exact":
            axes.set_xscale("log", base=2)
        axes.set_xticks(at, [str(one) for one in at])
        axes.minorticks_off()
        if name == "virtual devices":
            axes.set_ylim(bottom=0)
        else:
            axes.set_yscale("log")
        axes.set_xlabel(panels[name])
        axes.set_ylabel("seconds")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="0.9", zorder=0)
        axes.legend(frameon=False)
    for axes in grid[len(drawn) :]:
        axes.axis("off")
        axes.text(0, 0.9, where, va="top", wrap=True, transform=axes.transAxes)
    figure.savefig(path, dpi=110)


_ENDS = ("min", "max")


def run(options: argparse.Namespace) -> None:
    """Print a line for each point, and draw them where that was asked for."""
    if options.on_all_devices:
        print_line(**on_all_devices(options))
        return
    measured_on = about(options.clock, options.threads)
    print_line(benchmark="scaling", **measured_on, network=options.network, repeats=options.repeats)
    lines = [
        line for vary in (by_players, by_contexts, by_inputs, by_devices, by_exact_players) for line in vary(options)
    ]
    if options.plot:
        measured_on["network"] = options.network
        shown = ("network", "processor", "cores", "device", "clock", "jax", "interjax")
        where = "\n".join(f"{name}: {measured_on[name]}" for name in shown if name in measured_on)
        draw(lines, options.plot, where, Sizes.of(options))
