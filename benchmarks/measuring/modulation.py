"""Steps of training in both frameworks: `modulation.py` says what is compared."""

import argparse
import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from flax import nnx
from peers.official import Modulation, Step, official_modulated_step, plain_step, to_torch, tuned_modulated_step
from support.common import SETTINGS, Setting, Work, about, print_line, rate, spread
from torch.nn import functional

import interjax as ij
from interjax.training import PRESETS, Loss, ModulatedCrossEntropy, cross_entropy

# One step of `ij.training.train`, which as a whole also shuffles, measures and saves.
from interjax.training._loop import _make_update

BATCH, N_BATCHES = 128, 2
LEARNING_RATE, MOMENTUM = 0.001, 0.9
MODULATED = {name: preset for name, preset in PRESETS.items() if preset}
WEIGHTED: dict[str, Any] = {"orders": [0.1, 0.5, 0.9], "weights": [1.0, 1.0, 1.0]}
LARGEST_DIFFERENCE = 1e-5
LAYOUTS: dict[str, Any] = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@dataclasses.dataclass(frozen=True)
class Table:
    """A network for a table: the columns of Adult, each a number or a choice of so many, and its two classes."""

    columns: tuple[int, ...] = (1, 9, 1, 16, 1, 7, 15, 6, 5, 2, 1, 1, 1, 42)
    n_classes: int = 2

    @property
    def players(self) -> ij.Players:
        return ij.Players.segments(np.repeat(np.arange(len(self.columns)), self.columns))

    def build(self) -> nnx.Module:
        return ij.networks.build("tabular_mlp", (sum(self.columns),), self.n_classes, seed=0)


SUBJECTS: dict[str, Setting | Table] = {**SETTINGS, "tabular_mlp": Table()}
FAST = {"mlp": Setting("mlp", (8, 8, 1), 8, {"hidden": (32,)}), "lenet": Setting("lenet", (16, 16, 1), 16)}


class Contest:
    """One network in both frameworks, and every contender's steps of training on the same made-up examples."""

    def __init__(self, name: str, subject: Setting | Table, options: argparse.Namespace):
        self.options = options
        self.name, self.players, self.shape = name, subject.players, subject.players.shape
        self.cells = subject.players.cells
        self.subject = subject
        random = np.random.default_rng(0)
        n_classes = subject.n_classes if isinstance(subject, Table) else 10
        self.x = jnp.asarray(random.normal(size=(BATCH * N_BATCHES, *self.shape)), jnp.float32)
        self.y = jnp.asarray(random.integers(n_classes, size=len(self.x)))
        self.batches = np.split(random.permutation(len(self.x)), N_BATCHES)
        inputs = torch.as_tensor(np.array(self.x))
        self.torch_x = inputs.permute(0, 3, 1, 2).contiguous() if inputs.dim() == 4 else inputs
        self.torch_y = torch.as_tensor(np.array(self.y)).long()

    def build(self) -> nnx.Module:
        """The network in training mode, with biases that are not 0: logits without players then differ."""
        model = self.subject.build()
        model.train()
        random = np.random.default_rng(1)

        def with_bias(weights: jax.Array) -> jax.Array:
            return (
                jnp.asarray(random.normal(scale=0.1, size=weights.shape), jnp.float32) if weights.ndim == 1 else weights
            )

        nnx.update(model, jax.tree.map(with_bias, nnx.state(model, nnx.Param)))
        return model

    def ours(self, loss: Loss) -> Work:
        model = self.build()
        optimizer = nnx.Optimizer(model, optax.sgd(LEARNING_RATE, MOMENTUM), wrt=nnx.Param)
        update, key = _make_update(loss, None, ""), jax.random.key(0)

        def work() -> int:
            losses = [update(model, optimizer, key, self.x, self.y, rows) for rows in self.batches]
            jax.block_until_ready(losses)
            return len(losses)

        return work

    def ours_compiled(self, loss: Loss) -> Work:
        """The same update on the arrays alone: what `nnx.jit` does on the host between steps is left out."""
        model = self.build()
        graph, state = nnx.split((model, nnx.Optimizer(model, optax.sgd(LEARNING_RATE, MOMENTUM), wrt=nnx.Param)))
        arrays, tree = jax.tree.flatten(state)
        update, key = _make_update(loss, None, ""), jax.random.key(0)

        @functools.partial(jax.jit, donate_argnums=0)
        def step(arrays: list[jax.Array], rows: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
            model, optimizer = nnx.merge(graph, jax.tree.unflatten(tree, arrays))
            value = update(model, optimizer, key, self.x, self.y, rows)
            return value, jax.tree.leaves(nnx.state((model, optimizer)))

        def work() -> int:
            nonlocal arrays
            for rows in self.batches:
                _, arrays = step(arrays, rows)
            jax.block_until_ready(arrays)
            return len(self.batches)

        return work

    def theirs(self, make: Callable[[torch.nn.Module, torch.optim.Optimizer], Step], layout: str) -> Work:
        model = to_torch(self.build()).train()
        model.to(memory_format=LAYOUTS[layout])  # pyright: ignore[reportCallIssue]
        step = make(model, torch.optim.SGD(model.parameters(), LEARNING_RATE, momentum=MOMENTUM))
        x = self.torch_x.to(memory_format=LAYOUTS[layout]) if self.torch_x.dim() == 4 else self.torch_x

        def work() -> int:
            for rows in self.batches:
                step(x[rows], self.torch_y[rows])
            return len(self.batches)

        return work

    def modulation(self, preset: dict[str, Any], *, tuned: bool = False) -> Modulation:
        """The loss in PyTorch, its masks spread by interpolation as in the released code, or by one selection."""
        labels = torch.as_tensor(self.players.labels).long()

        def interpolate(masks: torch.Tensor) -> torch.Tensor:
            assert self.cells is not None
            return functional.interpolate(masks.view(-1, 1, *self.cells), size=self.shape[:2], mode="nearest")

        def select(masks: torch.Tensor) -> torch.Tensor:
            if labels.dim() == 1:
                return masks.index_select(1, labels)
            return masks.index_select(1, labels[..., 0].reshape(-1)).view(-1, 1, *self.shape[:2])

        spread_masks = select if tuned or self.cells is None else interpolate
        return Modulation(n_players=self.players.n, spread=spread_masks, **preset)

    def contenders(self, layout: str) -> dict[str, Work]:
        def weighted(model: Any, x: jax.Array, y: jax.Array, key: jax.Array) -> jax.Array:
            modulation = ij.losses.order_weighted(key, model, x, y, players=self.players, **WEIGHTED)
            return cross_entropy(model, x, y, key) + modulation

        losses: dict[str, Loss] = {"plain": cross_entropy}
        losses |= {name: ModulatedCrossEntropy(self.players, **preset) for name, preset in MODULATED.items()}
        losses["order_weighted"] = weighted
        work = {f"interjax_{name}": self.ours(loss) for name, loss in losses.items()}
        work |= {f"compiled_{name}": self.ours_compiled(loss) for name, loss in losses.items()}
        work["torch_plain"] = self.theirs(plain_step, layout)
        for name, preset in MODULATED.items():
            official = functools.partial(
                official_modulated_step, modulation=self.modulation(preset), random=np.random.default_rng(2)
            )
            tuned = functools.partial(tuned_modulated_step, modulation=self.modulation(preset, tuned=True))
            work[f"official_{name}"] = self.theirs(official, layout)
            work[f"tuned_{name}"] = self.theirs(tuned, layout)
        return work

    def check_agreement(self) -> dict[str, dict[str, float]]:
        """Largest differences of the modulation losses and their gradients, relative to their largest entries."""
        found = {name: self.difference(preset) for name, preset in MODULATED.items()}
        if not max(max(one.values()) for one in found.values()) <= LARGEST_DIFFERENCE:
            raise SystemExit(f"{self.name}: the frameworks differ by {found}; nothing was timed")
        return found

    def difference(self, preset: dict[str, Any]) -> dict[str, float]:
        model, key, rows = self.build(), jax.random.key(3), self.batches[0]
        peer, modulation = to_torch(model), self.modulation(preset)

        def mean_loss(model: Any) -> jax.Array:
            x, y = self.x[rows], self.y[rows]
            return ij.losses.order_modulation(
                key, model, x, y, players=self.players, align="fractions", **preset
            ).mean()

        loss, gradient = nnx.jit(nnx.value_and_grad(mean_loss))(model)
        nnx.update(model, gradient)  # a network whose weights are the gradient becomes PyTorch's as the weights did
        own = [part.detach().numpy() for part in to_torch(model).parameters()]

        drawn = ij.losses.nested_coalitions(key, BATCH, self.players.n, modulation.sizes)
        masks = [torch.as_tensor(np.array(drawn[:, 0, place]), dtype=torch.float32) for place in (0, 1)]
        expected = modulation.loss_in_two_passes(peer, self.torch_x[rows], self.torch_y[rows], masks)
        expected.backward()
        theirs = [np.zeros(part.shape) if part.grad is None else part.grad.numpy() for part in peer.parameters()]
        largest = max(np.abs(part).max() for part in theirs)
        apart = max(np.abs(one - other).max() for one, other in zip(own, theirs, strict=True))
        return {
            "loss": abs(float(loss) - expected.item()) / abs(expected.item()),
            "gradient": float(apart / largest),
        }

    def rate(self, work: Work) -> float:
        return rate(work, self.options.seconds, self.options.clock)

    def fastest_layout(self) -> str:
        if self.torch_x.dim() == 2 or self.name == "mlp":
            return "contiguous"
        steps = {layout: self.theirs(plain_step, layout) for layout in LAYOUTS}
        tried = [(1 / self.rate(step), layout) for _ in range(self.options.rounds) for layout, step in steps.items()]
        return min(tried)[1]

    def report(self) -> dict[str, Any]:
        """Seconds of a step of all contenders over the rounds, and the ratios round by round."""
        differences, layout = self.check_agreement(), self.fastest_layout()
        work = self.contenders(layout)
        for warm in work.values():
            warm()
        seconds: dict[str, list[float]] = {name: [] for name in work}
        for _ in range(self.options.rounds):
            for name, one in work.items():
                seconds[name].append(1 / self.rate(one))

        def ratio(top: str, bottom: str) -> dict[str, float]:
            return spread(np.array(seconds[top]) / np.array(seconds[bottom]))

        ours = [name.removeprefix("interjax_") for name in work if name.startswith("interjax_")][1:]
        return {
            "network": self.name,
            "input_shape": self.shape,
            "players": self.players.n,
            "batch": BATCH,
            "largest_relative_difference": differences,
            "torch_layout": layout,
            "milliseconds_a_step": {name: spread(1e3 * np.array(values)) for name, values in seconds.items()},
            "over_plain": {name: ratio(f"interjax_{name}", "interjax_plain") for name in ours},
            "over_plain_compiled": {name: ratio(f"compiled_{name}", "compiled_plain") for name in ours},
            "over_plain_in_torch": {
                name: ratio(name, "torch_plain") for name in work if name.startswith(("official_", "tuned_"))
            },
            "interjax_over_torch": {"plain": ratio("interjax_plain", "torch_plain")}
            | {
                f"{name} to {peer}": ratio(f"interjax_{name}", f"{peer}_{name}")
                for peer in ("official", "tuned")
                for name in MODULATED
            },
        }


def run(options: argparse.Namespace) -> None:
    """Print a line for each network."""
    if options.threads:
        torch.set_num_threads(options.threads)
    subjects = SUBJECTS | FAST if options.fast else SUBJECTS
    policy = {"omp_wait_policy": os.environ["OMP_WAIT_POLICY"]} if "OMP_WAIT_POLICY" in os.environ else {}
    measured_on = about(options.clock, options.threads) | policy
    print_line(benchmark="modulation", **measured_on, rounds=options.rounds, seconds=options.seconds)
    for network in options.networks:
        print_line(**Contest(network, subjects[network], options).report())
