"""Which network suits a data set, and how to train it."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from interjax._core._checks import check_array, check_choice, check_count, check_is, check_number
from interjax._core._keys import check_key
from interjax.datasets._dataset import Dataset
from interjax.networks._spec import NAMES, NetworkSpec
from interjax.training._schedule import log_spaced_steps

Augment = Callable[[Array, Array], Array]

_FEW = 10_000  # examples


@dataclasses.dataclass(frozen=True)
class Plan:
    """A network and how to train it: what `train` takes besides data and key.

    Attributes:
        spec: what the network is; `spec.build(seed)` makes it.
        optimizer: an optax transformation.
        epochs: passes over the data.
        batch_size: examples a step.
        augment: (key, x) -> x of the same shape, applied to each batch; None for none.
    """

    spec: NetworkSpec
    optimizer: optax.GradientTransformation
    epochs: int
    batch_size: int
    augment: Augment | None = None

    def steps_an_epoch(self, examples: int) -> int:
        """Optimizer steps of one pass over so many training examples, as `train` makes them."""
        examples = check_count("examples", examples)
        return examples // min(self.batch_size, examples)

    def n_steps(self, examples: int) -> int:
        """Optimizer steps of the whole plan on so many training examples."""
        return self.epochs * self.steps_an_epoch(examples)

    def log_spaced(self, examples: int, count: int) -> dict[str, Any]:
        """Options of `train` that keep so many log-spaced checkpoints, from the untrained network on."""
        return {"save_at": log_spaced_steps(self.n_steps(examples), count), "keep": None}


def default_plan(data: Dataset, *, network: str | None = None, epochs: int | None = None) -> Plan:
    """A network that suits a data set, and the optimizer and number of epochs that train it well.

    Tables and grey images take an MLP and Adam, seconds on a CPU. Colour images take AlexNet with the
    protocol of the reference: SGD of momentum .9, learning rate .01 falling to .001, weight decay 5e-4,
    200 epochs of flips and crops, which wants an accelerator.

    Args:
        data: what the network will be trained on.
        network: another network, by its name in `networks.build`.
        epochs: another number of epochs; the learning rate's schedule is stretched to it.

    Returns:
        A plan: spec, optimizer, epochs, batch_size, augment.

    Raises:
        ValueError: an unknown network, or one that cannot take these inputs.

    Example:
        >>> import numpy as np
        >>> x, y = np.zeros((20, 6)), np.arange(20) % 2
        >>> default_plan(Dataset(x, y, x, y, "toy", ("no", "yes"))).spec.options
        {'hidden': (128, 64)}

    References:
        Deng, Ren, Zhang, Zhang, "Discovering and explaining the representation bottleneck of DNNs", ICLR 2022.
    """
    check_is("data", data, Dataset, "an ij.datasets.Dataset")
    if network is not None:
        check_choice("network", network, NAMES)
    epochs = None if epochs is None else check_count("epochs", epochs)
    is_colour = len(data.input_shape) == 3 and data.input_shape[-1] == 3
    network = network or ("alexnet" if is_colour else "mlp")
    options: dict[str, Any] = {}
    if network == "mlp":
        options["hidden"] = (256, 256) if math.prod(data.input_shape) > 256 else (128, 64)
    n_examples, augment = len(data.train_x), flip_and_crop if is_colour else None
    if network == "quantised_mlp" and n_examples < _FEW:  # few enough values that they can be counted
        options |= {"hidden": (32, 5, 5, 5), "levels": 4}
    spec = NetworkSpec(network, data.input_shape, data.n_outputs, options)
    if network in ("alexnet", "resnet20", "resnet18"):
        batch_size, epochs = 128, epochs or (200 if is_colour else 10)
        n_steps = epochs * max(1, n_examples // batch_size)
        optimizer = paper_optimizer(n_steps, rate=0.01 if network == "alexnet" else 0.1)
    else:
        batch_size = 64 if n_examples < _FEW or network == "lenet" else 128
        # Rounding makes gradients noisy: quantised networks take longer.
        most, passes = (100, 1_000_000) if network.startswith("quantised") else (30, 150_000)
        epochs = epochs or max(2, min(most, passes // n_examples))
        n_steps = epochs * max(1, n_examples // batch_size)
        optimizer = _falling_adam(n_steps)
    return Plan(spec, optimizer, epochs, batch_size, augment)


# Kept, as the next one is: a training step is compiled for an optimizer, and equal plans share theirs.
@functools.cache
def _falling_adam(steps: int) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(0.002, steps))


def paper_optimizer(steps: int, *, rate: float = 0.01) -> optax.GradientTransformation:
    """SGD as the papers train: momentum .9, weight decay 5e-4, a rate that falls tenfold over the steps, log-spaced.

    Args:
        steps: optimizer steps over which the rate falls to a tenth.
        rate: learning rate of the first step.

    Returns:
        An optax transformation.

    Example:
        >>> optimizer, weights = paper_optimizer(100), jnp.ones(2)
        >>> updates, _ = optimizer.update(jnp.ones(2), optimizer.init(weights), weights)
        >>> bool(jnp.allclose(updates, -0.01 * (1 + 5e-4)))
        True

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), appendix: 200 epochs, batch 128.
    """
    rate = check_number("rate", rate, "(0, inf)", about="the learning rate")
    return _falling_sgd(check_count("steps", steps), rate)


@functools.cache
def _falling_sgd(steps: int, rate: float) -> optax.GradientTransformation:
    schedule = optax.exponential_decay(rate, steps, 0.1)
    return optax.chain(optax.add_decayed_weights(5e-4), optax.sgd(schedule, momentum=0.9))


def flip_and_crop(key: Array, x: Array, *, padding: int = 4) -> Array:
    """Mirror each image with probability 1/2 and shift it by up to `padding` pixels, filling with 0.

    Args:
        key: `jax.random.key`.
        x: images (batch, height, width, channels).
        padding: the largest shift along each side, in pixels.

    Returns:
        Images of the same shape.

    Raises:
        ValueError: no key, or a padding that is no integer of at least 0.

    Example:
        >>> flip_and_crop(jax.random.key(0), jnp.ones((2, 8, 8, 3))).shape
        (2, 8, 8, 3)
    """
    check_key(key, traced=True)
    x = check_array("x", x, "images (batch, height, width, channels), real numbers")
    if x.ndim != 4:
        raise ValueError(f"x must be images (batch, height, width, channels), got shape {x.shape}")
    return _flip_and_crop(key, jnp.asarray(x), check_count("padding", padding, least=0))


@functools.partial(jax.jit, static_argnums=2)
def _flip_and_crop(key: Array, x: Array, padding: int) -> Array:
    flip_key, shift_key = jax.random.split(key)
    flip = jax.random.bernoulli(flip_key, shape=(len(x), 1, 1, 1))
    border = (padding, padding)
    padded = jnp.pad(jnp.where(flip, x[:, :, ::-1], x), ((0, 0), border, border, (0, 0)))
    corners = jax.random.randint(shift_key, (len(x), 2), 0, 2 * padding + 1)

    def crop(image: Array, corner: Array) -> Array:
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), x.shape[1:])

    return jax.vmap(crop)(padded, corners)
