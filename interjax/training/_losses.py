"""The losses that `train` takes: cross entropy, alone or with a term that modulates the orders that are learned."""

import abc
import dataclasses
import functools
import json
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array

from interjax._core._checks import check_choice, check_count, check_flag, check_number
from interjax._engine._folders import fingerprint
from interjax.games._baselines import Marginal, as_baseline
from interjax.games._players import Players, check_players
from interjax.losses._masked_examples import (
    batch_of,
    check_apply,
    check_classes_given,
    class_labels,
    logits_of,
    predictions_of,
    targets,
)
from interjax.losses._modulation import ALIGNMENTS, AVERAGES, MODES, modulated_sizes, order_modulation
from interjax.losses._weighted import STRENGTHS, check_weights, order_weighted
from interjax.orders._arguments import as_orders

PRESETS: dict[str, dict[str, Any]] = {
    "normal": {},
    "low-order": {"mode": "penalize", "low": 0.7, "high": 1.0},
    "mid-order": {"mode": "encourage", "low": 0.3, "high": 0.7},
    "high-order": {"mode": "penalize", "low": 0.0, "high": 0.5},
}
"""The papers' networks (arXiv:2111.06236, section 4) as options of `ModulatedCrossEntropy`; "normal" has none."""


def cross_entropy(model: Any, x: Array, y: Array, key: Array) -> Array:
    """Softmax cross entropy of each example, -log softmax(model(x))_y: the loss that `train` takes for classes.

    A network of one output z gives logits 0 and z, so that this is the sigmoid cross entropy, log(1 + exp(-z)) of class
    1 and log(1 + exp(z)) of class 0.

    Args:
        model: inputs (batch, ...) -> logits (batch, classes), (batch, 1) or (batch,), in training: an nnx module in
            the mode it is in, or another network as `lambda x: function(params, x)`.
        x: inputs (batch, ...).
        y: class indices (batch,).
        key: not used; other losses draw from it.

    Returns:
        Losses in nats, (batch,).

    Example:
        >>> import jax.numpy as jnp
        >>> [round(float(each), 4) for each in cross_entropy(lambda x: x, jnp.zeros((2, 4)), jnp.array([0, 3]), None)]
        [1.3863, 1.3863]
    """
    check_apply("model", model)
    x = batch_of(x)
    y = class_labels(y, len(x), "y")
    logits = logits_of(model, x, "model")
    check_classes_given(y, logits.shape[-1], "y")
    return optax.softmax_cross_entropy_with_integer_labels(logits, y)


def squared_error(model: Any, x: Array, y: Array, key: Array) -> Array:
    """Squared error of each example, (model(x) - y)^2: the loss that `train` takes for numbers to predict.

    Args:
        model: inputs (batch, ...) -> one number an input, (batch,) or (batch, 1), in training, as for `cross_entropy`.
        x: inputs (batch, ...).
        y: the numbers to predict (batch,).
        key: not used; other losses draw from it.

    Returns:
        Errors in squared units of y, (batch,).

    Raises:
        ValueError: inputs and numbers that do not match, several outputs an input.

    Example:
        >>> import jax.numpy as jnp
        >>> squared_error(lambda x: x.sum(axis=1), jnp.ones((2, 4)), jnp.array([4.0, 1.0]), None).tolist()
        [0.0, 9.0]
    """
    check_apply("model", model)
    x = batch_of(x)
    y = targets(y, len(x), "y")
    found = predictions_of(model, x, "model")
    return (found - y) ** 2


@dataclasses.dataclass(frozen=True, eq=False)
class SteeredCrossEntropy(abc.ABC):
    """Cross entropy, or squared error, plus weight * a term that steers orders; abstract, see the classes below.

    The masked inputs see BatchNorm's running averages, as they do when interactions are measured, and leave them
    unchanged; dropout is as in the rest of the step. Losses of equal settings are equal and share compiled steps.

    Attributes:
        players: the players of an input.
        baseline: what absent players are replaced by, a number or an array of one input's shape.
        weight: of the steering term, at least 0.
    """

    players: Players
    baseline: Any = dataclasses.field(default=0.0, kw_only=True)
    weight: float = dataclasses.field(default=1.0, kw_only=True)

    def __post_init__(self):
        check_players(self.players)
        check_number("weight", self.weight, "[0, inf)", about="beside the cross entropy")
        held = as_baseline(self.baseline, jnp.zeros(self.players.shape), self.players)
        if isinstance(held, Marginal):
            raise ValueError("baseline must be a number or an array of an input's shape; got ij.marginal(...)")

    @abc.abstractmethod
    def steering(self, apply: Any, x: Array, y: Array, key: Array) -> Array:
        """The term of each example, (batch,)."""

    def __call__(self, model: Any, x: Array, y: Array, key: Array) -> Array:
        check_apply("model", model)
        measured = nnx.with_attributes(model, use_running_average=True, raise_if_not_found=False)
        return plain_loss(self)(model, x, y, key) + self.weight * self.steering(measured, x, y, key)

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """What tells this loss from another, in JSON types."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        baseline = np.asarray(self.baseline)
        same = fingerprint([baseline]) if baseline.ndim else float(baseline)
        return {"loss": type(self).__name__} | fields | {"players": self.players.digest, "baseline": same}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SteeredCrossEntropy) and self.settings == other.settings

    def __hash__(self) -> int:
        return hash(json.dumps(self.settings, sort_keys=True))


@dataclasses.dataclass(frozen=True, eq=False)
class ModulatedCrossEntropy(SteeredCrossEntropy):
    """Cross entropy plus weight * `ij.losses.order_modulation`: the papers' loss, for `ij.training.train`.

        L(x, y) = -log softmax(z(x))_y + weight * L+ or L-

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

    mode: str
    low: float
    high: float
    align: str = "sizes"
    draws: int = 1
    average: str = "losses"

    def __post_init__(self):
        super().__post_init__()
        modulated_sizes(self.low, self.high, self.players.n)
        for name, choices in (("mode", MODES), ("align", ALIGNMENTS), ("average", AVERAGES)):
            check_choice(name, getattr(self, name), choices)
        check_count("draws", self.draws)

    def steering(self, apply: Any, x: Array, y: Array, key: Array) -> Array:
        options = {name: getattr(self, name) for name in ("low", "high", "mode", "align", "draws", "average")}
        options["task"] = "regression" if plain_loss(self) is squared_error else "classification"
        return order_modulation(key, apply, x, y, players=self.players, baseline=self.baseline, **options)


@dataclasses.dataclass(frozen=True, eq=False)
class ModulatedSquaredError(ModulatedCrossEntropy):
    """Squared error plus weight * `ij.losses.order_modulation` of a regression, for `ij.training.train`.

        L(x, y) = (f(x) - y)^2 + weight * L+ or L-,   L+ = (D - y)^2, L- = D^2

    Args:
        players, low, high, mode, baseline, align, draws, average: as for `ij.losses.order_modulation`.
        weight: of the modulation beside the squared error; both are in squared units of y, which should be centred.

    Raises:
        ValueError: as `ModulatedCrossEntropy`; and when it is called, several outputs an input.

    Example:
        >>> import interjax as ij, jax, jax.numpy as jnp
        >>> loss = ij.training.ModulatedSquaredError(ij.Players.features(4), "penalize", 0.0, 0.5)
        >>> loss(lambda x: x.sum(axis=1), jnp.ones((3, 4)), jnp.array([0.0, 1.0, 4.0]), jax.random.key(0)).tolist()
        [20.0, 13.0, 4.0]
    """


@dataclasses.dataclass(frozen=True, eq=False)
class OrderWeightedCrossEntropy(SteeredCrossEntropy):
    """Cross entropy plus weight * `ij.losses.order_weighted`, orders steered one by one, for `ij.training.train`.

        L(x, y) = -log softmax(z(x))_y + weight * sum over m of w_m J^(m)

    Args:
        players, orders, weights, baseline, contexts, draws, strength, relative: as for `ij.losses.order_weighted`.
        weight: of the sum beside the cross entropy.

    Raises:
        ValueError: orders and weights that differ in number, a negative weight.

    Example:
        >>> import interjax as ij, jax, jax.numpy as jnp
        >>> from flax import nnx
        >>> loss = ij.training.OrderWeightedCrossEntropy(ij.Players.features(4), orders=(0, 2), weights=(0.0, 1.0))
        >>> x, y = jnp.ones((3, 4)), jnp.array([0, 1, 1])
        >>> nnx.jit(loss)(ij.networks.build("mlp", (4,), 2, hidden=(5,)), x, y, jax.random.key(0)).shape
        (3,)
    """

    orders: Sequence[int] | Sequence[float]
    weights: Sequence[float]
    contexts: int = 1
    draws: int = 1
    strength: str = "absolute"
    relative: bool = True

    def __post_init__(self):
        super().__post_init__()
        sizes = as_orders(self.orders, self.players.n, 2)
        weights = check_weights(self.weights, self.orders, len(sizes))
        check_choice("strength", self.strength, STRENGTHS)
        check_flag("relative", self.relative)
        check_count("draws", self.draws)
        check_count("contexts", self.contexts)
        object.__setattr__(self, "orders", tuple(np.asarray(self.orders).tolist()))
        object.__setattr__(self, "weights", tuple(map(float, weights)))

    def steering(self, apply: Any, x: Array, y: Array, key: Array) -> Array:
        names = ("orders", "weights", "contexts", "draws", "strength", "relative")
        options = {name: getattr(self, name) for name in names}
        if plain_loss(self) is squared_error:
            y = jnp.asarray(y).astype(jnp.float32)  # integers would be classes
        return order_weighted(key, apply, x, y, players=self.players, baseline=self.baseline, **options)


@dataclasses.dataclass(frozen=True, eq=False)
class OrderWeightedSquaredError(OrderWeightedCrossEntropy):
    """Squared error plus weight * `ij.losses.order_weighted` of the number predicted, for `ij.training.train`.

        L(x, y) = (f(x) - y)^2 + weight * sum over m of w_m J^(m)

    Args:
        players, orders, weights, baseline, contexts, draws, strength, relative: as for `ij.losses.order_weighted`.
        weight: of the sum beside the squared error.

    Raises:
        ValueError: as `OrderWeightedCrossEntropy`; and when it is called, several outputs an input.

    Example:
        >>> import interjax as ij, jax, jax.numpy as jnp
        >>> loss = ij.training.OrderWeightedSquaredError(ij.Players.features(4), orders=(0, 2), weights=(0.0, 1.0))
        >>> loss(lambda x: x.sum(axis=1), jnp.ones((2, 4)), jnp.array([4.0, 1.0]), jax.random.key(0)).tolist()
        [0.0, 9.0]
    """


def plain_loss(loss: Any) -> Any:
    """The loss to which a steered one adds its term."""
    return squared_error if isinstance(loss, ModulatedSquaredError | OrderWeightedSquaredError) else cross_entropy
