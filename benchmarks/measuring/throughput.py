"""Contests of one network in both frameworks: `throughput.py` says what is compared."""

import argparse
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

# The very rows that interjax evaluates, and its sums of observations: what PyTorch is given to compare equal work.
from interjax.orders._observations import ObservationSums

OFFICIAL_CONTEXTS = 100
BATCHES = (64, 128, 256, 512, 1024, 2048)
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


class Contest:
    """One network in both frameworks, and the work of every contender on it."""

    def __init__(self, name: str, setting: Setting, options: argparse.Namespace):
        self.options = options
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
        for _, _, plan in ij.orders.ESTIMATORS[method].plans(key, self.n_players, [pairs], self.orders, contexts):
            observe_plan(self.peers[layout], self.x, plan, sums, self.cells, LABEL, batch, LAYOUTS[layout])
        return sums

    def tuned(self, method: str) -> Work:
        layout, batch = self.fastest_torch
        return lambda: int(self.observed_by_torch(method, jax.random.key(next(self.number)), layout, batch).count.sum())

    @functools.cached_property
    def fastest_torch(self) -> tuple[str, int]:
        """Layout and batch size with which PyTorch evaluates rows fastest, masks included."""
        pairs, _ = self.wanted["blocks"]
        drawn = ij.orders.ESTIMATORS["blocks"].plans(jax.random.key(0), self.n_players, [pairs], self.orders[5:6], 100)
        _, _, plan = next(drawn)
        cut = {name: getattr(plan, name)[: BATCHES[-1]] for name in ("context_index", "flips")}
        cut |= {name: getattr(plan, name)[:0] for name in ("observation_rows", "coalition", "group")}
        trial, sums = dataclasses.replace(plan, **cut), ObservationSums.zeros(1, 1, len(pairs))

        def make(choice: tuple[str, int]) -> Work:
            layout, batch = choice

            def work() -> int:
                observe_plan(self.peers[layout], self.x, trial, sums, self.cells, LABEL, batch, LAYOUTS[layout])
                return len(trial.flips)

            return work

        self.chosen["tuned"], _ = fastest(
            itertools.product(self.layouts, BATCHES), make, 0.2 * self.options.seconds, self.options.clock
        )
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

        self.chosen[f"plain_torch_{layout}"], work = fastest(
            BATCHES, make, 0.2 * self.options.seconds, self.options.clock
        )
        return work

    def plain_jax(self) -> Work:
        graph, weights = nnx.split(self.model)
        plain = jax.jit(lambda state, inputs: nnx.merge(graph, state)(inputs))

        def make(batch: int) -> Work:
            inputs = jnp.zeros((batch, *self.shape))
            return lambda: len(plain(weights, inputs).block_until_ready())

        self.chosen["plain_jax"], work = fastest(BATCHES, make, 0.2 * self.options.seconds, self.options.clock)
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
        for _ in range(self.options.rounds):
            for name, one in work.items():
                rates[name].append(rate(one, self.options.seconds, self.options.clock))

        def ratio(top: str, bottom: str, factor: float = 1.0) -> dict[str, float]:
            return spread(factor * np.array(rates[top]) / np.array(rates[bottom]))

        plain_torch = max((f"plain_torch_{layout}" for layout in self.layouts), key=lambda name: np.median(rates[name]))
        return {
            "network": self.name,
            "threads": self.options.threads,
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


def run(options: argparse.Namespace) -> None:
    """Print a line for each network."""
    if options.threads:
        torch.set_num_threads(options.threads)
    measured_on = about(options.clock, options.threads)
    print_line(benchmark="throughput", **measured_on, rounds=options.rounds, seconds=options.seconds)
    with torch.inference_mode():
        for network in options.networks:
            print_line(**Contest(network, SETTINGS[network], options).report())
