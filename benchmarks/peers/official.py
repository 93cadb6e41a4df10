"""Peers in PyTorch: the papers' networks, their protocol for multi-order interactions and their training step."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from flax import nnx
from torch import nn
from torch.nn import functional

from interjax.networks import MLP, AlexNetCIFAR, LeNet

# The very rows that interjax evaluates, and its sums of observations: what PyTorch is given to compare equal work.
from interjax.orders._designs import Plan
from interjax.orders._observations import ObservationSums
from interjax.orders._rounding import Rounding


class ChannelsLastFlatten(nn.Module):
    """Flatten images in the order of Flax (height, width, channels), so that the same weights fit; leave rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1) if x.dim() == 4 else x


def to_torch(model: nnx.Module) -> nn.Module:
    """The same network with the same weights in PyTorch; inputs (batch, channels, height, width) or rows."""
    if isinstance(model, MLP):
        return nn.Sequential(ChannelsLastFlatten(), *_head(model))
    if isinstance(model, LeNet):
        features = [*_pooled(model.conv1), *_pooled(model.conv2)]
        return nn.Sequential(*features, ChannelsLastFlatten(), *_head(model.head))
    if isinstance(model, AlexNetCIFAR):
        middle = [part for layer in (model.conv3, model.conv4) for part in (_convolution(layer), nn.ReLU())]
        features = [*_pooled(model.conv1), *_pooled(model.conv2), *middle, *_pooled(model.conv5)]
        return nn.Sequential(*features, ChannelsLastFlatten(), _linear(model.head))
    raise ValueError(f"no PyTorch form of {type(model).__name__}")


def official_pair_contexts(
    model: nn.Module,
    x: torch.Tensor,
    pairs: np.ndarray,
    order: int,
    contexts: int,
    cells: int,
    label: int,
    random: np.random.Generator,
) -> np.ndarray:
    """The released code's way: for each pair lists of contexts by NumPy, four masks each, one batch of 4 x contexts.

    Returns:
        Interactions (pairs, contexts).
    """
    found = []
    for i, j in pairs:
        rest = np.setdiff1d(np.arange(cells * cells), (i, j))
        lists = [random.choice(rest, order, replace=False) for _ in range(contexts)]
        masks = torch.zeros(4 * contexts, cells * cells)
        for number, members in enumerate(lists):
            masks[4 * number : 4 * number + 4, members] = 1
            masks[4 * number, [i, j]] = 1
            masks[4 * number + 1, i] = 1
            masks[4 * number + 2, j] = 1
        both, first, second, neither = log_odds(model(masked(x, masks, cells)), label).view(-1, 4).T
        found.append((both - first - second + neither).numpy())
    return np.stack(found)


def observe_plan(
    model: nn.Module,
    x: torch.Tensor,
    plan: Plan,
    sums: ObservationSums,
    cells: int,
    label: int,
    batch: int,
    layout: Any,
) -> None:
    """A tuned form of any design: the same rows and observations as interjax's, everything vectorised.

    Args:
        model: the network, its weights in `layout`.
        x: one input (1, channels, height, width).
        plan: contexts, rows and observations; with shared contexts or without.
        sums: where the observations are added.
        cells: players along a side.
        label: class of the log-odds.
        batch: rows of a forward pass.
        layout: memory format of the masked inputs, `torch.channels_last` or `torch.contiguous_format`.
    """
    n_players = cells * cells
    contexts = torch.zeros(len(plan.contexts), n_players + 1)  # the last column takes the flips that are none
    contexts[:, :n_players] = torch.from_numpy(plan.contexts)
    index = torch.from_numpy(plan.context_index).long()
    flips = torch.from_numpy(plan.flips).long() % (n_players + 1)
    values = []
    for start in range(0, len(index), batch):
        part = slice(start, start + batch)
        masks = contexts.index_select(0, index[part])
        masks.scatter_(1, flips[part], 1 - masks.gather(1, flips[part]))
        values.append(log_odds(model(masked_at_once(x, masks[:, :n_players], cells, layout)), label))
    found = torch.cat(values).numpy()
    sums.add(0, plan, found.astype(np.float64), 1, Rounding(float(np.finfo(found.dtype).eps)))


def masked_at_once(x: torch.Tensor, masks: torch.Tensor, cells: int, layout: Any) -> torch.Tensor:
    """The same as `masked` in a fifth of its time: each pixel's column of the masks is selected, then multiplied."""
    _, channels, height, width = x.shape
    grid = torch.arange(cells * cells).view(cells, 1, cells, 1)
    player = grid.expand(cells, height // cells, cells, width // cells).reshape(-1)
    present = masks.index_select(1, player)
    if layout == torch.channels_last:
        rows = present[:, :, None] * x[0].permute(1, 2, 0).reshape(1, height * width, channels)
        return rows.view(-1, height, width, channels).permute(0, 3, 1, 2)
    return (present[:, None, :] * x.view(1, channels, height * width)).view(-1, channels, height, width)


def masked(x: torch.Tensor, masks: torch.Tensor, cells: int) -> torch.Tensor:
    """Masked inputs (rows, channels, height, width): absent cells are 0."""
    grid = masks.view(-1, 1, cells, cells)
    return x * functional.interpolate(grid, size=x.shape[-2:], mode="nearest")


@dataclasses.dataclass(frozen=True)
class Modulation:
    """The released code's loss on logits v(S2) - coefficient v(S1), S1 the first players of a permutation, S2 more.

    Attributes:
        low, high: shares of the players in S1 and S2.
        mode: "encourage" for the cross entropy of these logits, "penalize" for minus their entropy.
        n_players: in all.
        spread: masks over players (rows, n) -> masks that multiply inputs; absent entries are 0.
    """

    low: float
    high: float
    mode: str
    n_players: int
    spread: Callable[[torch.Tensor], torch.Tensor]

    @property
    def sizes(self) -> tuple[int, int]:
        return int(self.low * self.n_players), int(self.high * self.n_players)

    @property
    def coefficient(self) -> float:
        return self.high / self.low if self.low else 1.0

    def loss(self, small: torch.Tensor, large: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Mean over the batch, from the logits of S1 and S2."""
        change = large - self.coefficient * small
        if self.mode == "encourage":
            return functional.cross_entropy(change, labels)
        entropy = -(functional.softmax(change, dim=1) * functional.log_softmax(change, dim=1)).sum(dim=1)
        return -entropy.mean()

    def loss_in_two_passes(
        self, model: nn.Module, x: torch.Tensor, labels: torch.Tensor, masks: list[torch.Tensor]
    ) -> torch.Tensor:
        """A pass on S1 and one on S2, whose masks (batch, n) are given in this order."""
        small, large = (model(x * self.spread(mask)) for mask in masks)
        return self.loss(small, large, labels)


Step = Callable[[torch.Tensor, torch.Tensor], float]  # one step of training on inputs and labels; returns the loss


def plain_step(model: nn.Module, optimizer: torch.optim.Optimizer) -> Step:
    """A step of cross entropy."""

    def step(x: torch.Tensor, labels: torch.Tensor) -> float:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def official_modulated_step(
    model: nn.Module, optimizer: torch.optim.Optimizer, modulation: Modulation, random: np.random.Generator
) -> Step:
    """The released code's way: a permutation an image on the host, three passes, the gradient in two parts.

    Left out are its records of accuracy and its sum with the masked baseline, which is 0.
    """

    def step(x: torch.Tensor, labels: torch.Tensor) -> float:
        optimizer.zero_grad()
        cross_entropy = functional.cross_entropy(model(x), labels)
        cross_entropy.backward()
        players = np.stack([random.permutation(modulation.n_players) for _ in x])
        rows, masks = np.arange(len(x))[:, None], []
        for size in modulation.sizes:
            mask = torch.ones(players.shape)
            mask[rows, players[:, size:]] = 0
            masks.append(mask)
        modulated = modulation.loss_in_two_passes(model, x, labels, masks)
        modulated.backward()
        optimizer.step()
        return cross_entropy.item() + modulated.item()

    return step


def tuned_modulated_step(model: nn.Module, optimizer: torch.optim.Optimizer, modulation: Modulation) -> Step:
    """A tuned form of the same: permutations by one sort, one pass on inputs and masked inputs, one gradient."""

    def step(x: torch.Tensor, labels: torch.Tensor) -> float:
        optimizer.zero_grad()
        places = torch.rand(len(x), modulation.n_players).argsort(dim=1)
        masks = torch.cat([(places < size).to(x.dtype) for size in modulation.sizes])
        whole, small, large = model(torch.cat([x, x.repeat(2, *[1] * (x.dim() - 1)) * modulation.spread(masks)])).chunk(
            3
        )
        loss = functional.cross_entropy(whole, labels) + modulation.loss(small, large, labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def log_odds(logits: torch.Tensor, label: int) -> torch.Tensor:
    """z_y - logsumexp over the others."""
    others = logits.clone()
    others[:, label] = -torch.inf
    return logits[:, label] - torch.logsumexp(others, dim=1)


def _head(model: MLP) -> list[nn.Module]:
    parts: list[nn.Module] = []
    for layer in model.layers:
        parts += [_linear(layer), nn.ReLU()]
    return parts[:-1]


def _pooled(layer: nnx.Conv) -> list[nn.Module]:
    return [_convolution(layer), nn.ReLU(), nn.MaxPool2d(2)]


def _linear(layer: nnx.Linear) -> nn.Linear:
    made = nn.Linear(layer.in_features, layer.out_features)
    with torch.no_grad():
        made.weight.copy_(_tensor(layer.kernel).T)
        made.bias.copy_(_tensor(layer.bias))
    return made


def _convolution(layer: nnx.Conv) -> nn.Conv2d:
    height, width, inputs, outputs = layer.kernel.shape
    strides = (layer.strides,) * 2 if isinstance(layer.strides, int) else tuple(layer.strides)
    if layer.padding in ("SAME", "VALID"):
        padding = (height // 2, width // 2) if layer.padding == "SAME" else (0, 0)
    else:
        padding = (layer.padding,) * 2 if isinstance(layer.padding, int) else tuple(pair[0] for pair in layer.padding)
    made = nn.Conv2d(inputs, outputs, (height, width), stride=strides, padding=padding)
    with torch.no_grad():
        made.weight.copy_(_tensor(layer.kernel).permute(3, 2, 0, 1))
        made.bias.copy_(_tensor(layer.bias))
    return made


def _tensor(variable: nnx.Variable) -> torch.Tensor:
    return torch.as_tensor(np.array(variable[...]))
