"""Pair-contexts per second of interjax against PyTorch: the papers' protocol, and a tuned form of the same designs.

    python benchmarks/throughput.py --threads 1      # CPU seconds of one thread, pinned to one core
    python benchmarks/throughput.py --threads 2      # wall clock on two

One pair-context is one observation v(S+ij) - v(S+i) - v(S+j) + v(S) of one pair in one context: equal work. The peers:

- official: the released PyTorch code's way (contexts by NumPy, one batch of four masks a context for each pair);
- tuned_quadruples, tuned_blocks: PyTorch on the very rows that interjax evaluates, shared contexts included (interjax
  draws and lists them for both), masks by one vectorised step, and the fastest batch size and memory layout
  (contiguous or channels_last) of those tried; every layer runs as PyTorch runs it, none is folded;
- quadruples, blocks: `ij.order_interactions`.

All run in one process on the same weights, in turn, several rounds; figures are medians over rounds with the least and
the largest. Plain forward passes of both frameworks stand beside them. Prints JSON lines.
"""

from support.cores import arguments_of, use_cores

arguments = arguments_of(__doc__, threads=1)
arguments.add_argument("--networks", nargs="+", default=["mlp", "lenet", "alexnet"])
arguments.add_argument("--rounds", type=int, default=5)
arguments.add_argument("--seconds", type=float, default=1.5, help="least duration of one measurement")
arguments.add_argument("--fast", action="store_true", help="one short round: a trial of the script, not a measurement")
options = arguments.parse_args()
clock = use_cores(options.threads)

import dataclasses
import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from peers.official import log_odds, masked, observe_plan, official_pair_contexts, to_torch
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
from interjax.orders._designs import plans
from interjax.orders._observations import ObservationSums

OFFICIAL_CONTEXTS = 100
BATCHES = (64, 128, 256, 512, 1024, 2048)
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
if options.threads:
    torch.set_num_threads(options.threads)
rounds, least = (1, 0.01) if options.fast else (options.rounds, options.seconds)


class Contest:
    """One network in both frameworks, and the work of every contender on it."""

    def __init__(self, name: str, setting: Setting):
        self.name, self.cells, self.n_players = name, setting.cells, setting.cells**2
        self.model, x = setting.build(), setting.draw_input()
        self.x = torch.as_tensor(x).permute(2, 0, 1)[None].contiguous()
        self.peers = {layout: to_torch(self.model).eval().to(memory_format=LAYOUTS[layout]) for layout in LAYOUTS}
        game = {"players": setting.players, "output": ij.log_odds(LABEL)}
        self.game = ij.masked_game(self.model, x, **game)
        self.unfolded = ij.masked_game(self.model, x, fold=False, **game)
        self.shape = setting.shape
        self.orders = [int((self.n_players - 2) * ratio) for ratio in INNER_RATIOS]
        random = np.random.default_rng(1)
        few = np.sort(np.stack([random.choice(self.n_players, 2, replace=False) for _ in range(20)]), axis=1)
        # Pairs and contexts of each design: as many as make runs of about a second.
        self.wanted = {
            "quadruples": (few, 50 if name == "mlp" else 5),
            "blocks": (members_pairs(random, self.n_players, 32), 80 if name == "mlp" else 4),
        }
        self.masks = np.random.default_rng(2).random((4096, self.n_players)) < 0.5
        self.number = itertools.count()
        self.passes: dict[str, float] = {}
        self.chosen: dict[str, Any] = {}

    def official(self) -> Work:
        random, orders = np.random.default_rng(1), itertools.cycle(self.orders)
        pair = self.wanted["quadruples"][0][:1]
        peer = self.peers["contiguous"]
        return lambda: (
            official_pair_contexts(peer, self.x, pair, next(orders), OFFICIAL_CONTEXTS, self.cells, LABEL, random).size
        )

    def observed_by_torch(self, method: str, key: jax.Array, layout: str, batch: int) -> ObservationSums:
        pairs, contexts = self.wanted[method]
        sums = ObservationSums.zeros(1, 1, len(pairs))
        for _, _, plan in plans(key, self.n_players, [pairs], self.orders, contexts, method=method):
            observe_plan(self.peers[layout], self.x, plan, sums, self.cells, LABEL, batch, LAYOUTS[layout])
        return sums

    def tuned(self, method: str) -> Work:
        layout, batch = self.fastest_torch
        return lambda: int(self.observed_by_torch(method, jax.random.key(next(self.number)), layout, batch).count.sum())

    @functools.cached_property
    def fastest_torch(self) -> tuple[str, int]:
        """Layout and batch size with which PyTorch evaluates rows fastest, masks included."""
        pairs, _ = self.wanted["blocks"]
        plan = next(plans(jax.random.key(0), self.n_players, [pairs], self.orders[5:6], 100, method="blocks"))[2]
        cut = {name: getattr(plan, name)[: BATCHES[-1]] for name in ("context_index", "flips")}
        cut |= {name: getattr(plan, name)[:0] for name in ("observation_rows", "coalition", "group")}
        trial, sums = dataclasses.replace(plan, **cut), ObservationSums.zeros(1, 1, len(pairs))

        def make(choice: tuple[str, int]) -> Work:
            layout, batch = choice

            def work() -> int:
                observe_plan(self.peers[layout], self.x, trial, sums, self.cells, LABEL, batch, LAYOUTS[layout])
                return len(trial.flips)

            return work

        self.chosen["tuned"], _ = fastest(itertools.product(self.layouts, BATCHES), make, 0.2 * least, clock)
        return self.chosen["tuned"]

    def ours(self, method: str) -> Work:
        pairs, contexts = self.wanted[method]

        def work() -> int:
            key = jax.random.key(next(self.number))
            found = ij.order_interactions(
                key, self.game, orders=self.orders, pairs=pairs, contexts=contexts, method=method
            )
            self.passes[method] = found.n_forwards / found.count.sum()
            return int(found.count.sum())

        return work

    @property
    def layouts(self) -> list[str]:
        return ["contiguous"] if self.name == "mlp" else list(LAYOUTS)

    def plain_torch(self, layout: str) -> Work:
        def make(batch: int) -> Work:
            inputs = torch.zeros(batch, *self.x.shape[1:]).to(memory_format=LAYOUTS[layout])
            return lambda: len(self.peers[layout](inputs))

        self.chosen[f"plain_torch_{layout}"], work = fastest(BATCHES, make, 0.2 * least, clock)
        return work

    def plain_jax(self) -> Work:
        graph, weights = nnx.split(self.model)
        plain = jax.jit(lambda state, inputs: nnx.merge(graph, state)(inputs))

        def make(batch: int) -> Work:
            inputs = jnp.zeros((batch, *self.shape))
            return lambda: len(plain(weights, inputs).block_until_ready())

        self.chosen["plain_jax"], work = fastest(BATCHES, make, 0.2 * least, clock)
        return work

    def contenders(self) -> dict[str, Work]:
        return {
            "official": self.official(),
            "tuned_quadruples": self.tuned("quadruples"),
            "tuned_blocks": self.tuned("blocks"),
            "quadruples": self.ours("quadruples"),
            "blocks": self.ours("blocks"),
            "plain_jax": self.plain_jax(),
            **{f"plain_torch_{layout}": self.plain_torch(layout) for layout in self.layouts},
            "masked_passes": lambda: len(self.game(self.masks).block_until_ready()),
            "unfolded_passes": lambda: len(self.unfolded(self.masks).block_until_ready()),
        }

    def check_agreement(self) -> dict[str, float]:
        """Largest relative differences between the frameworks, of values on equal masks and of interactions."""
        masks = self.masks[:64]
        rows = masked(self.x, torch.as_tensor(masks, dtype=torch.float32), self.cells)
        theirs = log_odds(self.peers["contiguous"](rows), LABEL).numpy()
        found = {"values": float(np.abs(np.asarray(self.game(masks)) - theirs).max() / np.abs(theirs).max())}
        for method in self.wanted:
            pairs, contexts = self.wanted[method]
            key = jax.random.key(7)
            own = ij.order_interactions(
                key, self.game, orders=self.orders, pairs=pairs, contexts=contexts, method=method
            )
            sums = self.observed_by_torch(method, key, self.layouts[-1], 512)
            mean, expected = own.mean * own.count, sums.total[0, 0]
            found[method] = float(np.abs(mean.sum(0) - expected).max() / np.abs(theirs).max() / own.count.sum(0).max())
            if own.count.sum() != sums.count.sum():
                raise SystemExit(f"{self.name}: {method} makes other observations in PyTorch; nothing was timed")
        if max(found.values()) > 1e-4:
            raise SystemExit(f"{self.name}: the frameworks differ by {found}; nothing was timed")
        return found

    def report(self) -> dict[str, object]:
        """Rates of all contenders over the rounds, and the ratios round by round."""
        agreement = self.check_agreement()
        work = self.contenders()
        for warm in work.values():
            warm()
        rates: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(rounds):
            for name, one in work.items():
                rates[name].append(rate(one, least, clock))

        def ratio(top: str, bottom: str, factor: float = 1.0) -> dict[str, float]:
            return spread(factor * np.array(rates[top]) / np.array(rates[bottom]))

        plain_torch = max((f"plain_torch_{layout}" for layout in self.layouts), key=lambda name: np.median(rates[name]))
        return {
            "network": self.name,
            "threads": options.threads,
            "largest_relative_difference": agreement,
            "chosen": self.chosen,
            "units": "pair-contexts for official, tuned_*, quadruples, blocks; forward passes for the rest",
            "per_second": {name: spread(values) for name, values in rates.items()},
            "passes_per_pair_context": {name: round(value, 3) for name, value in self.passes.items()},
            "blocks_over_official": ratio("blocks", "official"),
            "quadruples_over_official": ratio("quadruples", "official"),
            "tuned_blocks_over_official": ratio("tuned_blocks", "official"),
            "blocks_over_tuned_blocks": ratio("blocks", "tuned_blocks"),
            "blocks_over_tuned_quadruples": ratio("blocks", "tuned_quadruples"),
            "quadruples_over_tuned_quadruples": ratio("quadruples", "tuned_quadruples"),
            "passes_over_plain_jax": {
                "quadruples": ratio("quadruples", "plain_jax", self.passes["quadruples"]),
                "blocks": ratio("blocks", "plain_jax", self.passes["blocks"]),
                "game(masks)": ratio("masked_passes", "plain_jax"),
                "unfolded": ratio("unfolded_passes", "plain_jax"),
            },
            "fastest_plain_torch": plain_torch,
            "plain_jax_over_plain_torch": ratio("plain_jax", plain_torch),
        }


def main() -> None:
    print_line(benchmark="throughput", **about(clock, options.threads), rounds=rounds, seconds=least)
    with torch.inference_mode():
        for network in options.networks:
            print_line(**Contest(network, SETTINGS[network]).report())


if __name__ == "__main__":
    main()
