"""Networks whose hidden layers take few values, in Flax nnx, so that the information they carry can be counted."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array

from interjax._core._checks import check_count, check_flag, check_lengths
from interjax.networks._layers import (
    Activation,
    Convolution,
    check_batch,
    check_rngs,
    check_rows,
    find_activation,
    halve,
    image_shape,
)

Limits = tuple[float, float]

# The least and the greatest value of the activations that have both.
ACTIVATION_LIMITS: dict[str, Limits] = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}

_TANH_GAIN, _RELU_GAIN = 5 / 3, math.sqrt(2)


class Quantiser(nnx.Module):
    """Rounds activations to equidistant levels: at random in training, to the nearest level in evaluation.

    With z = (L - 1) (x - low) / (high - low), x clipped to [low, high],

        evaluation: z -> the nearest integer (of two equally near ones the even one),
        training:   z -> floor(z) + 1 with probability z - floor(z), else floor(z), so that the mean is z,

    and back by low + (high - low) z / (L - 1). The gradient is that of the identity (straight-through), also outside
    the limits. Modes are set as those of `nnx.Dropout`: by `train()`, `eval()` and `nnx.with_attributes`.

    Args:
        levels: number of levels L, both limits included, at least 2; more lose less, but need more samples to count.
        limits: (low, high), or the name of a bounded activation: "tanh" for (-1, 1), "sigmoid" for (0, 1).
            Values outside are clipped; NaN and infinite ones give NaN.
        deterministic: True for evaluation.
        rngs: source of the random stream "rounding"; None if each call in training mode gets `draws`.

    Raises:
        ValueError: fewer than two levels, limits that are no increasing pair of finite numbers, or an activation
            without known limits.

    Example:
        >>> import jax.numpy as jnp
        >>> Quantiser(5, (0, 1), deterministic=True)(jnp.array([0.1, 0.3, 0.9, 1.0])).tolist()
        [0.0, 0.25, 1.0, 1.0]

    References:
        Ehrlich et al., TMLR 2023, arXiv:2209.10438 (networks quantised in training and measurement).
    """

    def __init__(
        self,
        levels: int = 8,
        limits: Sequence[float] | str = "tanh",
        *,
        deterministic: bool | None = False,
        rngs: nnx.Rngs | None = None,
    ):
        self.levels = check_count("levels", levels, least=2, about="the two limits included")
        self.limits = _check_limits(limits)
        if deterministic is not None:
            check_flag("deterministic", deterministic)
        if rngs is not None:
            check_rngs(rngs)
        self.deterministic = deterministic
        self.rounding = nnx.data(None) if rngs is None else rngs["rounding"].fork()

    def __call__(self, x: Array, *, draws: Array | None = None) -> Array:
        """The level of each activation.

        Args:
            x: activations of any shape.
            draws: uniform draws from [0, 1) of the same shape, used in training in place of the quantiser's stream.
        """
        low, high = self.limits
        steps = (jnp.clip(jax.lax.stop_gradient(x), low, high) - low) * ((self.levels - 1) / (high - low))
        if self.deterministic:
            index = jnp.round(steps)
        else:
            below = jnp.floor(steps)
            index = below + ((self._draw(x) if draws is None else draws) < steps - below)
        share = index / (self.levels - 1)
        # The difference is 0 with gradient 1, and NaN where x is not finite.
        return low * (1 - share) + high * share + (x - jax.lax.stop_gradient(x))

    def _draw(self, x: Array) -> Array:
        if self.rounding is None:
            raise ValueError("this quantiser has no random stream: pass rngs= to it, draws= to the call, or eval()")
        return jax.random.uniform(self.rounding(), x.shape, x.dtype)

    def set_view(self, deterministic: bool | None = None) -> None:
        """The mode in a view of the network (`nnx.view`)."""
        if deterministic is not None:
            self.deterministic = deterministic


class QuantisedMLP(nnx.Module):
    """A multilayer perceptron whose hidden layers are quantised; every input is flattened first.

    h_0 = x;  h_l = quantise(activation(W_l h_{l-1} + b_l));  logits = W_L h_{L-1} + b_L, not quantised.

    First parameters: W uniform with Xavier's bound, gain 5/3, in every layer; b uniform within 1 / sqrt(fan-in).

    Args:
        sizes: widths from the flattened input to the logits, at least one of them hidden, e.g.
            (784, 50, 10, 5, 5, 5, 10).
        levels: number of levels of every hidden unit, at least 2.
        activation: a key of `ACTIVATIONS` or a function.
        limits: (low, high) of the levels; by default the activation's, if it is "tanh" or "sigmoid".
        rngs: source of the parameters and of the random rounding in training.

    Raises:
        ValueError: no hidden layer, a wrong number of levels, or limits that are missing or no pair.

    Example:
        >>> import jax.numpy as jnp
        >>> network = QuantisedMLP((6, 5, 2), levels=3, rngs=nnx.Rngs(0))
        >>> network.hidden(jnp.ones((4, 3, 2)))[1].shape
        (4, 5)

    References:
        Ehrlich et al., TMLR 2023, arXiv:2209.10438, section 4 and the authors' code for the first parameters.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        levels: int = 8,
        activation: str | Activation = "tanh",
        *,
        limits: Sequence[float] | None = None,
        rngs: nnx.Rngs,
    ):
        wanted = "the widths of the input, of at least one hidden layer, and of the logits"
        sizes = check_lengths("sizes", sizes, wanted)
        if len(sizes) < 3:
            raise ValueError(f"sizes must be positive integers, {wanted}; got {sizes}")
        check_rngs(rngs)
        levels = check_count("levels", levels, least=2, about="the two limits included")
        self.sizes = sizes
        self.activation = find_activation(activation)
        self.layers = nnx.List([_linear(*pair, rngs) for pair in itertools.pairwise(sizes)])
        limits = _limits_of(activation, limits)
        self.quantisers = nnx.List([Quantiser(levels, limits) for _ in sizes[1:-1]])
        self.rounding = rngs["rounding"].fork()

    def __call__(self, x: Array) -> Array:
        return self.layers[-1](self.hidden(x)[-1])

    def hidden(self, x: Array) -> tuple[Array, ...]:
        """The flattened input and the quantised activations of every hidden layer, each (batch, width)."""
        activations = [check_rows(x, self.sizes[0], "quantised MLP")]
        draws = self._draws(len(x))
        for layer, quantiser, drawn in zip(list(self.layers)[:-1], self.quantisers, draws, strict=True):
            activations.append(quantiser(self.activation(layer(activations[-1])), draws=drawn))
        return tuple(activations)

    def _draws(self, batch: int) -> Sequence[Array | None]:
        """What decides the roundings of each hidden layer, from one draw for all of them."""
        widths = self.sizes[1:-1]
        if all(quantiser.deterministic for quantiser in self.quantisers):
            return [None] * len(widths)
        draws = jax.random.uniform(self.rounding(), (batch, sum(widths)))
        return jnp.split(draws, list(itertools.accumulate(widths))[:-1], axis=1)


class QuantisedLeNet(nnx.Module):
    """Convolutions with 2x2 pooling, then a perceptron whose hidden layers are quantised.

    Each stage is pool(relu(conv(x))) with "SAME" padding; the features go through `QuantisedMLP`. The network for
    CIFAR-10 of Ehrlich et al. is channels=(32, 32, 64), side=3, hidden=(2048, 128, 32, 5, 5).

    Args:
        input_shape: (height, width, channels), enough pixels a side that each stage can halve them.
        n_classes: number of logits.
        channels: channels of each convolution.
        side: pixels along each side of a kernel.
        hidden: widths of the quantised hidden layers.
        levels: number of levels of every hidden unit, at least 2.
        activation: of the hidden layers, a key of `ACTIVATIONS` or a function.
        limits: (low, high) of the levels; by default the activation's, if it is "tanh" or "sigmoid".
        rngs: source of the parameters and of the random rounding in training.

    Raises:
        ValueError: an input shape that is no image or too small, or what `QuantisedMLP` refuses.

    Example:
        >>> QuantisedLeNet((28, 28, 1), 10, rngs=nnx.Rngs(0)).head.sizes
        (784, 50, 5, 5, 10)

    References:
        Ehrlich et al., TMLR 2023, arXiv:2209.10438 (partly quantised convolutional network).
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int,
        *,
        channels: Sequence[int] = (6, 16),
        side: int = 5,
        hidden: Sequence[int] = (50, 5, 5),
        levels: int = 8,
        activation: str | Activation = "tanh",
        limits: Sequence[float] | None = None,
        rngs: nnx.Rngs,
    ):
        channels = check_lengths("channels", channels, "those of the convolutions of quantised_lenet")
        side = check_count("side", side, about="that of the kernels of quantised_lenet")
        hidden = check_lengths("hidden", hidden, "the widths of the hidden layers of quantised_lenet")
        n_classes = check_count("n_classes", n_classes)
        check_rngs(rngs)
        levels = check_count("levels", levels, least=2, about="the two limits included")
        self.input_shape = image_shape(input_shape, "quantised_lenet", smallest=2 ** len(channels))
        pairs = itertools.pairwise((self.input_shape[-1], *channels))
        self.convolutions = nnx.List([_conv(*pair, side, rngs) for pair in pairs])
        height, width = (pixels // 2 ** len(channels) for pixels in self.input_shape[:2])
        sizes = (height * width * channels[-1], *hidden, n_classes)
        self.head = QuantisedMLP(sizes, levels, activation, limits=limits, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.head(self._features(x))

    def hidden(self, x: Array) -> tuple[Array, ...]:
        """The features and the quantised activations of every hidden layer, each (batch, width)."""
        return self.head.hidden(self._features(x))

    def _features(self, x: Array) -> Array:
        check_batch(x, self.input_shape)
        for convolution in self.convolutions:
            x = halve(nnx.relu(convolution(x)))
        return x


def _check_limits(limits: Sequence[float] | str) -> Limits:
    if isinstance(limits, str):
        return _limits_of(limits, None)
    pair = np.asarray(limits)
    if pair.shape != (2,) or pair.dtype.kind not in "iuf" or not np.isfinite(pair).all() or pair[0] >= pair[1]:
        raise ValueError(f"limits must be two finite numbers (low, high), low < high; got {limits!r}")
    return float(pair[0]), float(pair[1])


def _limits_of(activation: str | Activation, limits: Sequence[float] | None) -> Limits:
    """The given limits, or those of a bounded activation."""
    if limits is not None:
        return _check_limits(limits)
    for name, known in ACTIVATION_LIMITS.items():
        if activation == name or activation is find_activation(name):
            return known
    raise ValueError(
        f"limits must be two numbers (low, high) where the activation is not {' or '.join(ACTIVATION_LIMITS)}, whose "
        f"limits are known; got the activation {activation!r}"
    )


def _linear(fan_in: int, fan_out: int, rngs: nnx.Rngs) -> nnx.Linear:
    kernel = _Uniform(_TANH_GAIN * math.sqrt(6 / (fan_in + fan_out)))
    return nnx.Linear(fan_in, fan_out, kernel_init=kernel, bias_init=_Uniform(1 / math.sqrt(fan_in)), rngs=rngs)


def _conv(channels_in: int, channels_out: int, side: int, rngs: nnx.Rngs) -> Convolution:
    kernel = _Uniform(_RELU_GAIN * math.sqrt(6 / (side**2 * (channels_in + channels_out))))
    bias = _Uniform(1 / math.sqrt(side**2 * channels_in))
    return Convolution(channels_in, channels_out, (side, side), kernel_init=kernel, bias_init=bias, rngs=rngs)


_BLOCK = 16384


@dataclasses.dataclass(frozen=True)
class _Uniform:
    """Draws between -bound and bound, in blocks of one size, so that all layers share one compiled draw."""

    bound: float

    def __call__(self, key: Array, shape: Sequence[int], dtype=jnp.float32, *_) -> Array:
        size = math.prod(shape)
        blocks = [_draw_block(key, index) for index in range(-(-size // _BLOCK))]
        assemble = jnp if isinstance(key, Tracer) else np
        draws = assemble.concatenate(blocks)[:size].reshape(shape)
        return jnp.asarray(draws * assemble.float32(self.bound), dtype)


@jax.jit
def _draw_block(key: Array, index: int) -> Array:
    return jax.random.uniform(jax.random.fold_in(key, index), (_BLOCK,), minval=-1.0, maxval=1.0)
