"""What the calls of the laws are made of: small inputs, networks and games, whose values can be NaN."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import interjax as ij


class Fragile(nnx.Module):
    """A perceptron of two classes whose logits are NaN where the first entry of an input exceeds a limit."""

    def __init__(self, features: int, limit: float, rngs: nnx.Rngs):
        self.first, self.last = nnx.Linear(features, 6, rngs=rngs), nnx.Linear(6, 2, rngs=rngs)
        self.limit = nnx.Variable(jnp.float32(limit))

    def __call__(self, x: Any) -> Any:
        return self.last(jnp.tanh(self.first(x))) * jnp.where(x[:, :1] > self.limit[...], jnp.nan, 1.0)


@dataclasses.dataclass(frozen=True)
class Given:
    """Inputs of calls: another seed gives other values of the same shapes; `broken` makes some values NaN."""

    seed: int = 0
    broken: bool = False

    def normal(self, *shape: int) -> np.ndarray:
        return np.random.default_rng(self.seed).normal(size=shape).astype(np.float32)

    def x(self, rows: int, features: int = 10) -> jax.Array:
        """Inputs of which every other one has NaN logits in a broken network, if its first entry is present."""
        x = self.normal(rows, features)
        x[:, 0] = np.where(np.arange(rows) % 2, -1.0, 1.0) * (1 + np.abs(x[:, 0]))
        return jnp.asarray(x)

    def labels(self, rows: int) -> jax.Array:
        return jnp.arange(rows) // 2 % 2

    def network(self, features: int = 10, seed: int = 0) -> Fragile:
        return Fragile(features, 0.0 if self.broken else np.inf, nnx.Rngs(self.seed + seed))

    def networks(self, features: int) -> dict[int, Fragile]:
        """A network at each of two steps."""
        return {step: self.network(features, step) for step in (1, 10)}

    def quantised(self, seed: int = 0) -> Any:
        network = ij.networks.build("quantised_mlp", (4,), 2, hidden=(3,), levels=2, seed=self.seed + seed)
        return spoiled(network) if self.broken else network

    def games(self, count: int = 2) -> list[ij.Game]:
        return ij.masked_games(self.network(), self.x(count), self.labels(count), players=ij.Players.features(10))

    def data(self, features: int = 4) -> ij.datasets.Dataset:
        x, y = np.asarray(self.x(24, features)), np.asarray(self.labels(24))
        return ij.datasets.Dataset(x[:16], y[:16], x[16:], y[16:], "toy", ("no", "yes"))

    def image(self) -> np.ndarray:
        return self.broken_where(self.normal(4, 8, 8, 3))

    def broken_where(self, values: np.ndarray) -> np.ndarray:
        """The values, half of the first row NaN where this is broken."""
        if self.broken:
            values[0].flat[::2] = np.nan
        return values

    def sources(self, count: int = 3) -> np.ndarray:
        """Samples (128, sources) of bits, every combination alike."""
        bits = np.arange(128)[:, None] >> np.arange(count)[None] & 1
        return self.broken_where(bits.astype(float))

    def target(self) -> np.ndarray:
        """The first bit or the parity of the first two."""
        bits = Given.sources(Given())
        random = np.random.default_rng(self.seed)
        return np.where(random.random(128) < 0.5, bits[:, 0], (bits[:, 0] + bits[:, 1]) % 2)


def spoiled(network: Any) -> Any:
    """The network with parameters that are NaN."""
    nnx.update(network, jax.tree.map(lambda leaf: leaf * jnp.nan, nnx.state(network, nnx.Param)))
    return network
