"""Programs compiled for devices that are not there: `ahead_of_time.py` says what is compared."""

import argparse
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import topologies
from support.common import LABEL, SETTINGS, Setting, print_line

import interjax as ij

# The program of a batch of rows, and what it is given where the first layer is folded.
from interjax.games._folded import player_parts
from interjax.games._models import as_apply
from interjax.orders._row_values import values_of_flips

TOPOLOGIES = {"v6e": "v6e:2x2", "v5e": "v5e:2x2"}
NETWORKS = SETTINGS | {
    "resnet18": Setting("resnet18", (64, 64, 3), 16),
    "vit": Setting("vit", (64, 64, 3), 16, {"patch": 8, "width": 192, "depth": 6, "heads": 3}),
}
_OPERATION = re.compile(r"^\s+(?:ROOT )?%?\S+ = .* (?:fusion|custom-call|convolution|copy)\(", re.M)
Program = tuple[Callable[..., Any], tuple[Any, ...]]


def programs(name: str, precision: str, rows: int) -> Iterator[tuple[str, Program]]:
    """The plain pass of a batch, and the estimator's programs of one."""
    setting = NETWORKS[name]
    model, x = setting.build(), setting.draw_input()
    apply, params = as_apply(model, x[None])
    kind = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    params = jax.tree.map(lambda leaf: leaf.astype(kind) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf, params)
    yield "plain", (apply, (params, np.zeros((rows, *setting.shape), kind)))
    for fold in (True, False):
        game = ij.masked_game(
            model, x, players=setting.players, output=ij.log_odds(LABEL), fold=fold, precision=precision
        )
        parts = player_parts(game) if fold else None
        contexts = np.zeros((rows // 4 + 2, setting.players.n), bool)
        batch = (contexts, np.int32(0)), (np.zeros(rows, np.int32), np.zeros((rows, 2), np.int32))
        yield "unfolded" if parts is None else "folded", (values_of_flips, ((game, parts), *batch))


def compiled(program: Program, device: Any) -> dict[str, float]:
    """What compiling a program for a device tells of it."""
    function, arguments = program
    on_device = jax.sharding.SingleDeviceSharding(device)
    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), jnp.asarray(leaf).dtype, sharding=on_device), arguments
    )
    with jax.default_matmul_precision("highest"):
        lowered = jax.jit(function).trace(*shapes).lower(lowering_platforms=("tpu",))
    start = time.perf_counter()
    found = lowered.compile()
    seconds = time.perf_counter() - start
    cost, memory = found.cost_analysis() or {}, found.memory_analysis()
    return {
        "seconds_to_compile": round(seconds, 1),
        "operations": len(_OPERATION.findall(found.as_text() or "")),
        "flops": cost.get("flops", float("nan")),
        "bytes": cost.get("bytes accessed", float("nan")),
        "predicted_seconds": cost.get("optimal_seconds", float("nan")),
        "temporary_bytes": float(memory.temp_size_in_bytes if memory else "nan"),
    }


def run(options: argparse.Namespace) -> None:
    """Print a line for each program."""
    print_line(benchmark="ahead_of_time", jax=jax.__version__, rows=options.rows)
    for device in options.devices:
        topology = topologies.get_topology_desc(platform="tpu", topology_name=TOPOLOGIES[device])
        for name in options.networks:
            for precision in options.precisions:
                plain = float("nan")
                for which, program in programs(name, precision, options.rows):
                    found = compiled(program, topology.devices[0])
                    seconds = found.pop("predicted_seconds")
                    # Of programs with loops the compiler may predict less than nothing.
                    rate = options.rows / seconds if seconds > 0 else float("nan")
                    plain = rate if which == "plain" else plain
                    a_row = {key: found.pop(key) / options.rows for key in ("flops", "bytes")}
                    print_line(
                        device=device,
                        network=name,
                        precision=precision,
                        program=which,
                        **found,
                        **{f"{key}_a_row": float(f"{each:.4g}") for key, each in a_row.items()},
                        predicted_rows_per_second=float(f"{rate:.4g}"),
                        over_plain=float(f"{rate / plain:.3g}"),
                    )
