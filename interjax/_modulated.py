"""The losses that `train` takes: cross entropy, alone or with a term that modulates the orders that are learned."""

import dataclasses
import functools
from typing import Any

import numpy as np
import optax
from flax import nnx
from jaxtyping import Array

from interjax._players import Players
from interjax._runs import fingerprint
from interjax.losses import modulated_sizes, order_modulation

PRESETS: dict[str, dict[str, Any]] = {
    "normal": {},
    "low-order": {"mode": "penalize", "low": 0.7, "high": 1.0},
    "mid-order": {"mode": "encourage", "low": 0.3, "high": 0.7},
    "high-order": {"mode": "penalize", "low": 0.0, "high": 0.5},
}
"""The papers' networks (arXiv:2111.06236, section 4) as options of `ModulatedCrossEntropy`; "normal" has none."""


def cross_entropy(model: Any, x: Array, y: Array, key: Array) -> Array:
    """Softmax cross entropy of each example, -log softmax(model(x))_y, in nats: (batch,)."""
    return optax.softmax_cross_entropy_with_integer_labels(model(x), y)


@dataclasses.dataclass(frozen=True, eq=False)
class ModulatedCrossEntropy:
    """Cross entropy plus weight * `ij.losses.order_modulation`: a loss for `ij.training.train`.

        L(x, y) = -log softmax(z(x))_y + weight * L+ or L-

    The masked inputs see BatchNorm's running averages, as they do when interactions are measured, and leave them
    unchanged; dropout is as in the rest of the step.

    Args:
        players, low, high, mode, baseline, align, draws, average: as for `ij.losses.order_modulation`.
        weight: of the modulation beside the cross entropy; the papers use 1.

    Raises:
        ValueError: low and high out of range or too close for these players, a negative weight.

    Example:
        >>> import interjax as ij, jax, jax.numpy as jnp
        >>> loss = ij.training.ModulatedCrossEntropy(ij.Players.features(4), **ij.training.PRESETS["high-order"])
        >>> x, y = jnp.ones((3, 4)), jnp.array([0, 1, 1])
        >>> loss(ij.networks.build("mlp", (4,), 2, hidden=(5,)), x, y, jax.random.key(0)).shape
        (3,)

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), equation 12.
    """

    players: Players
    mode: str
    low: float
    high: float
    baseline: Any = 0.0
    weight: float = 1.0
    align: str = "sizes"
    draws: int = 1
    average: str = "losses"

    def __post_init__(self):
        modulated_sizes(self.low, self.high, self.players.n)
        if not self.weight >= 0:
            raise ValueError(f"weight must be at least 0, got {self.weight}")

    def __call__(self, model: Any, x: Array, y: Array, key: Array) -> Array:
        modulation = order_modulation(
            key,
            nnx.with_attributes(model, use_running_average=True, raise_if_not_found=False),
            x,
            y,
            low=self.low,
            high=self.high,
            mode=self.mode,
            players=self.players,
            baseline=self.baseline,
            align=self.align,
            draws=self.draws,
            average=self.average,
        )
        return cross_entropy(model, x, y, key) + self.weight * modulation

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModulatedCrossEntropy) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash(tuple(self.settings.items()))

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """What tells this loss from another, in JSON types; equal losses share compiled training steps."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        baseline = np.asarray(self.baseline)
        same = fingerprint([baseline]) if baseline.ndim else float(baseline)
        return fields | {"players": self.players.digest, "baseline": same}
