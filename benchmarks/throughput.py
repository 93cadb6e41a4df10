"""Pair-contexts per second of interjax against the papers' protocol in PyTorch and against the plain forward pass.

    python benchmarks/throughput.py --threads 1

One pair-context is one observation v(S+ij) - v(S+i) - v(S+j) + v(S) of one pair in one context. All contenders run in
one process on the same weights, in turn, several rounds; figures are medians over rounds. Prints JSON lines.
"""

import argparse
import os

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("--threads", type=int, default=1, help="processor cores to use")
arguments.add_argument("--networks", nargs="+", default=["mlp", "lenet", "alexnet"])
arguments.add_argument("--rounds", type=int, default=5)
arguments.add_argument("--seconds", type=float, default=1.5, help="least duration of one measurement")
options = arguments.parse_args()
# Before any library starts its threads: both frameworks size their pools by the cores that they may use.
if hasattr(os, "sched_setaffinity") and options.threads < (os.cpu_count() or 1):
    os.sched_setaffinity(0, set(list(os.sched_getaffinity(0))[: options.threads]))
os.environ["OMP_NUM_THREADS"] = str(options.threads)
if options.threads == 1:
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"

import json
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import torch
from flax import nnx
from peers import log_odds, masked, official_pair_contexts, to_torch, tuned_pair_contexts

import interjax as ij

# input shape, cells along a side, options of the network
SETTINGS = {
    "mlp": ((28, 28, 1), 14, {"hidden": (256, 256)}),
    "lenet": ((32, 32, 1), 16, {}),
    "alexnet": ((32, 32, 3), 16, {}),
}
RATIOS = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]  # both ends have one context only: left out
CONTEXTS = 100
LABEL = 3
torch.set_num_threads(options.threads)
torch.set_grad_enabled(False)


def timed(work: Callable[[], int]) -> float:
    """Units of work per second, over at least `--seconds`."""
    done, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < options.seconds or not done:
        done += work()
    return done / (time.perf_counter() - start if done else elapsed)


def best_batch(make: Callable[[int], Callable[[], int]]) -> tuple[int, Callable[[], int]]:
    """The batch size at which a plain forward pass is fastest."""
    rates = {}
    for size in (64, 128, 256, 512, 1024, 2048):
        work = make(size)
        work()
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < 0.4:
            done += work()
        rates[size] = done / (time.perf_counter() - start)
    size = max(rates, key=rates.__getitem__)
    return size, make(size)


def contenders(name: str) -> dict[str, Callable[[], int]]:
    shape, cells, build = SETTINGS[name]
    model = ij.networks.build(name, shape, 10, seed=0, **build)
    model.eval()
    peer = to_torch(model).eval()
    last = peer.to(memory_format=torch.channels_last) if name != "mlp" else peer
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    tensor = torch.as_tensor(x).permute(2, 0, 1)[None].contiguous()
    game = ij.masked_game(model, x, players=ij.Players.grid(shape, (cells, cells)), output=ij.log_odds(LABEL))
    n_players = cells * cells
    check_agreement(name, game, peer, tensor, cells)
    orders = [int((n_players - 2) * ratio) for ratio in RATIOS]
    random, generator = np.random.default_rng(1), torch.Generator().manual_seed(1)
    pairs = np.stack([random.choice(n_players, 2, replace=False) for _ in range(4)])
    state = {"official": 0, "tuned": 0, "key": 0}

    def official() -> int:
        state["official"] += 1
        order = orders[state["official"] % len(orders)]
        made = official_pair_contexts(peer, tensor, pairs[:1], order, CONTEXTS, cells, LABEL, random)
        return made.size

    def tuned() -> int:
        state["tuned"] += 1
        order = orders[state["tuned"] % len(orders)]
        made = tuned_pair_contexts(last, tensor, pairs, order, CONTEXTS, cells, LABEL, generator, torch_batch)
        return made.size

    def ours(method: str, wanted: np.ndarray, contexts: int) -> Callable[[], int]:
        def work() -> int:
            state["key"] += 1
            found = ij.order_interactions(
                jax.random.key(state["key"]), game, orders=orders, pairs=wanted, contexts=contexts, method=method
            )
            passes[method] = found.n_forwards / found.count.sum()
            return int(found.count.sum())

        return work

    graph, weights = nnx.split(model)
    plain = jax.jit(lambda state, inputs: nnx.merge(graph, state)(inputs))

    def plain_jax(size: int) -> Callable[[], int]:
        inputs = jnp.zeros((size, *shape))
        return lambda: len(plain(weights, inputs).block_until_ready())

    def plain_torch(size: int) -> Callable[[], int]:
        inputs = torch.zeros(size, *tensor.shape[1:]).to(memory_format=torch.channels_last)
        return lambda: len(last(inputs))

    jax_batch, forward_jax = best_batch(plain_jax)
    torch_batch, forward_torch = best_batch(plain_torch)
    batches[name] = {"jax": jax_batch, "torch": torch_batch}
    members = np.sort(random.choice(n_players, 32, replace=False))
    among = np.array([(i, j) for place, i in enumerate(members) for j in members[place + 1 :]])
    few = np.stack([random.choice(n_players, 2, replace=False) for _ in range(20)])
    unfolded = ij.masked_game(
        model, x, players=ij.Players.grid(shape, (cells, cells)), output=ij.log_odds(LABEL), fold=False
    )
    masks = np.random.default_rng(2).random((4096, n_players)) < 0.5
    return {
        "official": official,
        "tuned_torch": tuned,
        "quadruples": ours("quadruples", few, 50 if name == "mlp" else 5),
        "blocks": ours("blocks", among, 10 if name == "mlp" else 4),
        "plain_jax": forward_jax,
        "plain_torch": forward_torch,
        "masked_passes": lambda: len(game(masks).block_until_ready()),
        "unfolded_passes": lambda: len(unfolded(masks).block_until_ready()),
    }


def check_agreement(name: str, game: ij.Game, peer: torch.nn.Module, tensor: torch.Tensor, cells: int) -> None:
    """Both frameworks give the same values, on the same masks; and the folded game the same second differences."""
    masks = np.random.default_rng(3).random((64, cells * cells)) < 0.5
    theirs = log_odds(peer(masked(tensor, torch.as_tensor(masks, dtype=torch.float32), cells)), LABEL).numpy()
    difference = float(np.abs(np.asarray(game(masks)) - theirs).max() / np.abs(theirs).max())
    if difference > 1e-4:
        raise SystemExit(f"{name}: values differ by {difference:.1e} between the frameworks; nothing was timed")
    print(json.dumps({"network": name, "largest_relative_difference_of_values": difference}), flush=True)


def report(network: str) -> dict[str, object]:
    """Median rates of all contenders over the rounds, and the ratios round by round."""
    work = contenders(network)
    for warm in work.values():
        warm()
    rates: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(options.rounds):
        for name, one in work.items():
            rates[name].append(timed(one))

    def ratio(top: str, bottom: str, factor: float = 1.0) -> dict[str, float]:
        each = factor * np.array(rates[top]) / np.array(rates[bottom])
        return {
            name: round(float(of(each)), 2) for name, of in (("median", np.median), ("min", np.min), ("max", np.max))
        }

    return {
        "network": network,
        "threads": options.threads,
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "torch": torch.__version__,
        "best_batch": batches[network],
        "per_second": {name: round(float(np.median(values))) for name, values in rates.items()},
        "units": "pair-contexts for official, tuned_torch, quadruples, blocks; forward passes for the rest",
        "passes_per_pair_context": {name: round(value, 3) for name, value in passes.items()},
        "blocks_over_official": ratio("blocks", "official"),
        "quadruples_over_official": ratio("quadruples", "official"),
        "blocks_over_tuned_torch": ratio("blocks", "tuned_torch"),
        "masked_over_plain_jax": {
            "quadruples": ratio("quadruples", "plain_jax", passes["quadruples"]),
            "blocks": ratio("blocks", "plain_jax", passes["blocks"]),
            "game(masks)": ratio("masked_passes", "plain_jax"),
            "unfolded": ratio("unfolded_passes", "plain_jax"),
        },
        "plain_jax_over_plain_torch": ratio("plain_jax", "plain_torch"),
    }


passes: dict[str, float] = {}
batches: dict[str, dict[str, int]] = {}
for network in options.networks:
    print(json.dumps(report(network)), flush=True)
