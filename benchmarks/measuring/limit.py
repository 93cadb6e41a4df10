"""The plain pass, interjax's passes and what is outside them: `limit.py` says what is compared."""

import argparse
import contextlib
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxprs_in_params
from support.common import (
    INNER_RATIOS,
    LABEL,
    SETTINGS,
    Setting,
    Work,
    about,
    fastest,
    members_pairs,
    print_line,
    rate,
    spread,
)

import interjax as ij
from interjax._engine._rows import Resources

# The parts that are timed apart from the whole: the forward pass, the sampler, the listing and the summing of rows.
from interjax._folding._tracing import product_work
from interjax.games._coalitions import Draw, draw_coalitions
from interjax.games._models import as_apply
from interjax.orders._observations import ObservationSums
from interjax.orders._rounding import Rounding
from interjax.orders._row_values import RowValues

# Nominal dense TFLOP/s by device kind and precision (NVIDIA's H200 data sheet, without sparsity).
NOMINAL = {"H200": {"float32": 67.0, "tensorfloat32": 494.7, "bfloat16": 989.5}}
VIT_SMALL = {"patch": 14, "width": 384, "depth": 12, "heads": 6}
LARGE = {
    "resnet18": Setting("resnet18", (224, 224, 3), 16, {"stem": "large"}),
    "vit": Setting("vit", (224, 224, 3), 16, VIT_SMALL),
}
FAST = {
    "mlp": Setting("mlp", (8, 8, 1), 8, {"hidden": (32,)}),
    "lenet": Setting("lenet", (16, 16, 1), 16),
    "alexnet": SETTINGS["alexnet"],
    "resnet18": Setting("resnet18", (32, 32, 3), 16, {"widths": (8, 16, 16, 16), "stem": "large"}),
    "vit": Setting("vit", (32, 32, 3), 16, {"patch": 8, "width": 16, "depth": 1, "heads": 2}),
}


def in_precision(precision: str) -> contextlib.AbstractContextManager:
    """How float32 products are rounded: an accelerator's default is TF32 or coarser."""
    choice = {"float32": "highest", "tensorfloat32": "tensorfloat32", "bfloat16": "default"}[precision]
    return jax.default_matmul_precision(choice)


def of_type(precision: str, arrays: Any) -> Any:
    """Floating arrays in the type that a precision computes with."""
    kind = jnp.bfloat16 if precision == "bfloat16" else jnp.float32
    return jax.tree.map(lambda a: a.astype(kind) if jnp.issubdtype(a.dtype, jnp.floating) else a, arrays)


def product_flops(jaxpr: Any) -> float:
    """FLOP of all matrix products and convolutions of a computation; of branches the dearest, and where the branch
    depends on the platform the one for any other than a CPU, which convolves as the network is written."""
    total = 0.0
    for equation in jaxpr.eqns:
        name = equation.primitive.name
        within = [product_flops(getattr(inner, "jaxpr", inner)) for inner in jaxprs_in_params(equation.params)]
        if name in ("dot_general", "conv_general_dilated"):
            total += product_work(equation) / (8 if name == "conv_general_dilated" else 1)  # as `product_work` counts
        elif name == "cond":
            total += within[-1] if equation.params.get("branches_platforms") else max(within)
        else:
            total += sum(within) * (equation.params.get("length", 1) if name == "scan" else 1)
    return total


def matmul_flops(options: argparse.Namespace, precision: str) -> float:
    """FLOP/s of large square matrix products, the fastest of a few sizes."""
    on_cpu = jax.devices()[0].platform == "cpu"
    sizes = (256,) if options.fast else (1024, 2048) if on_cpu else (4096, 8192, 16384)
    with in_precision(precision):
        product = jax.jit(lambda a, b: a @ b)

        def make(size: int) -> Work:
            matrix = of_type(precision, jax.random.normal(jax.random.key(0), (size, size)))

            def work() -> int:
                for _ in range(1 if on_cpu else 20):
                    made = product(matrix, matrix)
                made.block_until_ready()
                return 2 * size**3 * (1 if on_cpu else 20)

            return work

        _, work = fastest(sizes, make, options.seconds, options.clock)
        return max(rate(work, options.seconds, options.clock) for _ in range(options.rounds))


class Subject:
    """A network with its input and players, and the games that interjax makes of it in one precision."""

    def __init__(self, options: argparse.Namespace, name: str, precision: str):
        self.options, self.name, self.precision = options, name, precision
        setting = (FAST if options.fast else SETTINGS | LARGE)[name]
        self.shape, self.players = setting.shape, setting.players
        self.model = setting.build()
        self.x = setting.draw_input()
        self.orders = [int((self.players.n - 2) * ratio) for ratio in INNER_RATIOS]
        random = np.random.default_rng(1)
        few, members = (4, 8) if options.fast else (20, 32)
        scattered = [np.sort(random.choice(self.players.n, 2, replace=False)) for _ in range(few)]
        self.pairs = {
            "quadruples": np.unique(scattered, axis=0),
            "blocks": members_pairs(random, self.players.n, members),
        }
        self.number = 0

    def game(self, fold: bool | None) -> ij.Game:
        chosen = {"precision": self.precision} if self.precision == "bfloat16" else {}
        return ij.masked_game(self.model, self.x, players=self.players, output=ij.log_odds(LABEL), fold=fold, **chosen)

    def plain(self) -> tuple[int, Work, float, dict[str, float]]:
        """Best batch, the forward pass at it, FLOP of one pass, and the compiler's own count of FLOP and bytes."""
        apply, params = as_apply(self.model, self.x[None])
        params = of_type(self.precision, params)
        forward = jax.jit(apply)
        masks = np.random.default_rng(2).random((64, self.players.n)) < 0.5
        some = of_type(self.precision, self.players.fill(jnp.asarray(masks), jnp.asarray(self.x), jnp.float32(0)))

        def make(batch: int) -> Work:
            inputs = jnp.resize(some, (batch, *self.shape))
            return lambda: len(forward(params, inputs).block_until_ready())

        on_cpu = jax.devices()[0].platform == "cpu"
        sizes = (64, 128) if self.options.fast else [2**k for k in (range(6, 12) if on_cpu else range(8, 17))]
        batch, work = fastest(sizes, make, 0.2 * self.options.seconds, self.options.clock)
        example = jax.ShapeDtypeStruct((batch, *self.shape), some.dtype)
        flops = product_flops(jax.make_jaxpr(apply)(params, example).jaxpr) / batch
        cost = forward.lower(params, example).compile().cost_analysis() or {}
        counted = {name: cost.get(key, float("nan")) / batch for name, key in _COUNTED.items()}
        return batch, work, flops, counted

    def interactions(self, game: ij.Game, method: str, contexts: int, batch_size: int | None = None) -> Work:
        def work() -> int:
            self.number += 1
            return ij.order_interactions(
                jax.random.key(self.number),
                game,
                orders=self.orders,
                pairs=self.pairs[method],
                contexts=contexts,
                method=method,
                batch_size=batch_size,
            ).n_forwards

        return work

    def contexts_for(self, passes: float) -> dict[str, int]:
        """Contexts with which a run makes about so many passes."""
        count = {"quadruples": 4 * len(self.pairs["quadruples"]), "blocks": 1.1 * len(self.pairs["blocks"])}
        return {method: int(np.clip(passes / (len(self.orders) * count[method]), 2, 5000)) for method in count}


_COUNTED = {"flops_counted_by_xla": "flops", "bytes_counted_by_xla": "bytes accessed"}


def outside_seconds(subject: Subject, method: str, contexts: int, batch_size: int) -> dict[str, float]:
    """Seconds a pass outside the network: all of it, and its parts that run on the host."""
    trivial = ij.Game.from_function(lambda present: present[0].astype(jnp.float32), subject.players.n)
    work = subject.interactions(trivial, method, contexts, batch_size)
    everything = float(np.median([1 / each for each in measured_in_turn(subject.options, {"all": work})["all"]]))
    listing, summing, rows, clock = 0.0, 0.0, 0, subject.options.clock
    sums = ObservationSums.zeros(1, 1, len(subject.pairs[method]))
    for repeat in range(subject.options.rounds):
        start = clock()
        pieces = [
            plan
            for _, _, plan in ij.orders.ESTIMATORS[method].plans(
                jax.random.key(repeat), subject.players.n, [subject.pairs[method]], subject.orders, contexts
            )
        ]  # fmt: skip
        listing += clock() - start
        values = [np.ones(len(plan.context_index)) for plan in pieces]
        start = clock()
        for plan, ones in zip(pieces, values, strict=True):
            sums.add(0, plan, ones, 1, Rounding(float(np.finfo(np.float32).eps)))
        summing += clock() - start
        rows += sum(map(len, values))
    return {"everything": everything, "drawing_and_listing": listing / rows, "summing": summing / rows}


def report(
    options: argparse.Namespace, name: str, precision: str, matmul: float, nominal: float | None
) -> dict[str, float]:
    """Print one network's line; returns its passes a second."""
    subject = Subject(options, name, precision)
    with in_precision(precision):
        batch, plain, flops, counted = subject.plain()
        folded, unfolded = subject.game(None), subject.game(False)
        contexts = subject.contexts_for(options.seconds * rate(plain, 0.2 * options.seconds, options.clock))
        masks = np.random.default_rng(2).random((256 if options.fast else max(4096, batch), subject.players.n)) < 0.5
        work: dict[str, Work] = {
            "plain": plain,
            "unfolded_quadruples": subject.interactions(unfolded, "quadruples", contexts["quadruples"]),
            "unfolded_blocks": subject.interactions(unfolded, "blocks", contexts["blocks"]),
            "quadruples": subject.interactions(folded, "quadruples", contexts["quadruples"]),
            "blocks": subject.interactions(folded, "blocks", contexts["blocks"]),
            "unfolded_game(masks)": lambda: len(unfolded(masks).block_until_ready()),
            "game(masks)": lambda: len(folded(masks).block_until_ready()),
        }
        rates = measured_in_turn(options, work)
        rows = RowValues(folded, Resources.of()).batch_rows(2)
        outside = {method: outside_seconds(subject, method, contexts[method], rows) for method in subject.pairs}
    median = {one: float(np.median(values)) for one, values in rates.items()}
    chip = {"share_of_nominal": round(median["plain"] * flops / nominal, 3)} if nominal else {}
    print_line(
        network=name,
        precision=precision,
        input_shape=subject.shape,
        players=subject.players.n,
        best_batch=batch,
        chunk_rows=rows,
        flops_of_a_pass=flops,
        **counted,
        passes_per_second={one: spread(values) for one, values in rates.items()},
        plain_gflops=round(median["plain"] * flops / 1e9, 2),
        matmul_gflops=round(matmul / 1e9, 2),
        plain_share_of_matmul=round(median["plain"] * flops / matmul, 3),
        **chip,
        share_of_plain={one: spread(np.array(rates[one]) / np.array(rates["plain"])) for one in rates},
        utilisation={one: round(passes * flops / matmul, 3) for one, passes in median.items()},
        outside_microseconds_a_pass={
            method: {part: float(f"{1e6 * seconds:.3g}") for part, seconds in parts.items()}
            for method, parts in outside.items()
        },
        outside_share_of_run={
            f"{prefix}{method}": float(f"{parts['everything'] * median[prefix + method]:.3g}")
            for method, parts in outside.items()
            for prefix in ("unfolded_", "")
        },
    )
    return median


def measured_in_turn(options: argparse.Namespace, work: dict[str, Work]) -> dict[str, list[float]]:
    for one in work.values():
        one()
    rates: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(options.rounds):
        for name, one in work.items():
            rates[name].append(rate(one, options.seconds, options.clock))
    return rates


def report_sampler(options: argparse.Namespace, lenet_pass: float) -> None:
    """Microseconds that a context takes to draw, as a share of a quadruple of LeNet passes."""
    count = 2048 if options.fast else 8192
    for n_players in options.sampler_players[:1] if options.fast else options.sampler_players:
        draws = [Draw(0, n_players // 2, count)]

        def work(n_players: int = n_players, draws: list[Draw] = draws) -> int:
            return sum(len(drawn) for drawn in draw_coalitions(jax.random.key(0), n_players, draws))

        seconds = [1 / each for each in measured_in_turn(options, {"drawing": work})["drawing"]]
        print_line(
            sampler_players=n_players,
            microseconds_a_context=spread(1e6 * np.array(seconds)),
            lenet_microseconds_a_pass=float(f"{1e6 * lenet_pass:.4g}"),
            share_of_a_lenet_quadruple=spread(np.array(seconds) / (np.array(seconds) + 4 * lenet_pass)),
        )


def run(options: argparse.Namespace) -> None:
    """Print a line for each network and precision, then the sampler's."""
    if options.device:
        jax.config.update("jax_platforms", {"gpu": "cuda"}.get(options.device, options.device))
    device = jax.devices()[0]
    on_cpu = device.platform == "cpu"
    networks = options.networks or (["mlp", "lenet"] if options.fast else ["mlp", "lenet", "alexnet"])
    if not on_cpu and not options.networks:
        networks = ["mlp", "lenet", "resnet18", "vit"]
    precisions = options.precisions or (["float32"] if on_cpu else ["float32", "tensorfloat32", "bfloat16"])
    chip = next((figures for kind, figures in NOMINAL.items() if kind in device.device_kind), {})
    measured_on = about(options.clock, options.threads)
    print_line(benchmark="limit", **measured_on, rounds=options.rounds, seconds=options.seconds)
    found: dict[tuple[str, str], dict[str, float]] = {}
    for precision in precisions:
        if precision == "bfloat16" and "precision" not in inspect.signature(ij.masked_game).parameters:
            print_line(skipped="bfloat16", reason="ij.masked_game has no precision= yet")
            continue
        matmul, nominal = matmul_flops(options, precision), chip.get(precision)
        print_line(precision=precision, matmul_gflops=round(matmul / 1e9, 2), nominal_gflops=nominal and 1e3 * nominal)
        for network in networks:
            tera = nominal and 1e12 * nominal
            found[network, precision] = report(options, network, precision, matmul, tera)
    lenet = found.get(("lenet", precisions[0]))
    if lenet:
        report_sampler(options, 1 / lenet["plain"])
    fastest_of = {
        (network, precision, one): passes
        for (network, precision), rates in found.items()
        for one, passes in rates.items()
        if one != "plain"
    }
    if not fastest_of:
        return
    best = max(fastest_of, key=fastest_of.__getitem__)
    print_line(most_coalitions_per_second=float(f"{fastest_of[best]:.4g}"), reached_by=list(best))
