"""How time grows with players, contexts, inputs, devices, and with the players of an exact computation.

    python benchmarks/scaling.py --plot benchmarks/results/scaling.png > benchmarks/results/scaling.jsonl

Times are medians of repeats after one run that compiles. An MLP (784-256-256-10); one quantity is varied at a time
from 14x14 players, 20 contexts, one input, 13 orders, all pairs among 16 random players. Virtual devices share this
machine's cores, so their times show the overhead of spreading work and no gain; each number has its own process.
Exact mode takes a ready table of 2^n values. Prints JSON lines; --plot draws the lines of a file.
"""

from support.cores import arguments_of, use_cores

arguments = arguments_of(__doc__, threads=0)
arguments.add_argument("--repeats", type=int, default=3)
arguments.add_argument("--network", default="mlp", help="any of ij.networks that takes 28x28x1 pixels")
arguments.add_argument("--cells", type=int, nargs="+", default=[4, 7, 14, 28], help="players along a side")
arguments.add_argument("--contexts", type=int, nargs="+", default=[5, 20, 80, 320])
arguments.add_argument("--inputs", type=int, nargs="+", default=[1, 4, 16, 64])
arguments.add_argument("--devices", type=int, nargs="*", default=[1, 2, 4, 8], help="virtual CPU devices")
arguments.add_argument("--exact", type=int, nargs="+", default=[12, 14, 16, 18, 20, 22, 24], help="players")
arguments.add_argument("--plot", help="also draw the figures into this PNG")
arguments.add_argument("--fast", action="store_true", help="small sizes: a trial of the script")
arguments.add_argument("--on-all-devices", action="store_true", help="only time one run on the devices there are")
options = arguments.parse_args()
clock = use_cores(options.threads)
if options.fast:
    options.repeats, options.cells, options.contexts, options.inputs = 1, [2, 4], [2, 4], [1, 2]
    options.devices, options.exact = [2], [8, 10]

import json
import os
import subprocess
import sys
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from support.common import LABEL, about, members_pairs, print_line, seconds_of, spread

import interjax as ij

SHAPE = (28, 28, 1)
CELLS, CONTEXTS, MEMBERS = (4, 2, 4) if options.fast else (14, 20, 16)
RATIOS = ij.OFFICIAL_ALLOCATION["orders"]
Line = dict[str, Any]


class Run:
    """A network with random weights on random inputs, and a measuring of them that can be repeated."""

    def __init__(self, cells: int = CELLS, inputs: int = 1):
        sizes = {"hidden": (16,)} if options.fast else {}
        model = ij.networks.build(options.network, SHAPE, 10, seed=0, **(sizes if options.network == "mlp" else {}))
        xs = np.random.default_rng(0).normal(size=(inputs, *SHAPE)).astype(np.float32)
        self.players = ij.Players.grid(SHAPE, (cells, cells))
        self.games = ij.masked_games(model, xs, [LABEL] * inputs, players=self.players)
        self.pairs = members_pairs(np.random.default_rng(1), self.players.n, min(MEMBERS, self.players.n))

    def times(self, method: str, contexts: int = CONTEXTS, mesh: Any = None) -> Line:
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
                    contexts=contexts,
                    method=method,
                    mesh=mesh,
                ).n_forwards

        seconds = seconds_of(work, clock, options.repeats)
        return {"method": method, "passes": passes, "seconds": spread(seconds)}


def by_players() -> list[Line]:
    found = []
    for cells in options.cells:
        run = Run(cells)
        found += [{"varied": "players", "at": cells**2} | run.times(method) for method in ("quadruples", "blocks")]
        print_line(**found[-2])
        print_line(**found[-1])
    return found


def by_contexts() -> list[Line]:
    run, found = Run(), []
    for contexts in options.contexts:
        for method in ("quadruples", "blocks"):
            found.append({"varied": "contexts", "at": contexts} | run.times(method, contexts))
            print_line(**found[-1])
    return found


def by_inputs() -> list[Line]:
    found = []
    for inputs in options.inputs:
        found.append({"varied": "inputs", "at": inputs} | Run(inputs=inputs).times("blocks"))
        print_line(**found[-1])
    return found


def by_devices() -> list[Line]:
    """Each number of virtual devices in a process of its own: it is fixed when JAX starts."""
    found = []
    for devices in options.devices:
        flags = os.environ.get("XLA_FLAGS", "") + f" --xla_force_host_platform_device_count={devices}"
        asked = [sys.executable, __file__, "--on-all-devices", "--threads", str(options.threads)]
        asked += ["--network", options.network, "--repeats", str(options.repeats)]
        asked += ["--fast"] if options.fast else []
        environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
        made = subprocess.run(asked, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        found.append(json.loads(made.stdout))
        print_line(**found[-1])
    return found


def on_all_devices() -> Line:
    mesh = Mesh(np.array(jax.devices()), ("rows",))
    return {"varied": "virtual devices", "at": jax.device_count()} | Run().times("blocks", mesh=mesh)


def by_exact_players() -> list[Line]:
    found = []
    for n_players in options.exact:
        table = np.random.default_rng(0).normal(size=2**n_players)

        def work(table: np.ndarray = table) -> None:
            ij.exact_order_interactions(table)

        seconds = seconds_of(work, clock, options.repeats if n_players < 22 else 1)
        found.append({"varied": "players, exact", "at": n_players, "method": "exact", "seconds": spread(seconds)})
        print_line(**found[-1])
    return found


def draw(lines: list[Line], path: str, where: str) -> None:
    """One panel for each varied quantity: seconds on logarithmic axes."""
    from matplotlib.figure import Figure

    panels = {
        "players": f"players n ({CONTEXTS} contexts, one input)",
        "contexts": f"contexts for each pair and order ({CELLS}x{CELLS} players)",
        "inputs": f"inputs ({CELLS}x{CELLS} players, {CONTEXTS} contexts)",
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


def main() -> None:
    if options.on_all_devices:
        print_line(**on_all_devices())
        return
    measured_on = about(clock, options.threads)
    print_line(benchmark="scaling", **measured_on, network=options.network, repeats=options.repeats)
    lines = [*by_players(), *by_contexts(), *by_inputs(), *by_devices(), *by_exact_players()]
    if options.plot:
        measured_on["network"] = options.network
        shown = ("network", "processor", "cores", "device", "clock", "jax", "interjax")
        draw(lines, options.plot, "\n".join(f"{name}: {measured_on[name]}" for name in shown if name in measured_on))


if __name__ == "__main__":
    main()
