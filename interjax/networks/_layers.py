"""What the networks are made of: activations, layers with their first parameters, pooling, and checks of shapes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jax.core import Tracer
from jaxtyping import Array

from interjax._core._checks import check_array, check_is, check_lengths, check_number
from interjax._folding._convolution import Pads, convolve


class Convolution(nnx.Conv):
    """`nnx.Conv` over images (batch, height, width, channels), with the same parameters and values."""

    def __call__(self, inputs: Array) -> Array:  # type: ignore[override]
        down, across = (self.strides,) * 2 if isinstance(self.strides, int) else self.strides or (1, 1)
        strides = (down, across)
        pads = _pads(self.padding, inputs.shape[1:3], self.kernel_size, strides)
        kernel = self.kernel[...]
        kind = jnp.result_type(inputs, kernel)
        outputs = convolve(inputs.astype(kind), kernel.astype(kind), strides, pads)
        return outputs if self.bias is None else outputs + self.bias[...][None, None, None, :]


def _pads(padding: Any, lengths: tuple[int, ...], sides: tuple[int, ...], strides: tuple[int, ...]) -> Pads:
    if isinstance(padding, str):
        first, second = lax.padtype_to_pads(lengths, sides, strides, padding)
        return (int(first[0]), int(first[1])), (int(second[0]), int(second[1]))
    if isinstance(padding, int):
        return (padding, padding), (padding, padding)
    first, second = ((pad, pad) if isinstance(pad, int) else (int(pad[0]), int(pad[1])) for pad in padding)
    return first, second


Activation = Callable[[Array], Array]

ACTIVATIONS: dict[str, Activation] = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "sigmoid": jax.nn.sigmoid,
}


def find_activation(activation: str | Activation) -> Activation:
    """The function that a key of `ACTIVATIONS` names; a function is returned as it is."""
    if callable(activation) and not isinstance(activation, type):
        return activation
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)} or a function; got {activation!r}")
    return ACTIVATIONS[activation]


def image_shape(input_shape: Sequence[int], network: str, *, smallest: int) -> tuple[int, int, int]:
    """(height, width, channels), or a ValueError that names the network and the least side it takes."""
    input_shape = check_lengths("input_shape", input_shape, f"(height, width, channels) for {network}")
    if len(input_shape) != 3:
        raise ValueError(
            f"input_shape must be (height, width, channels) for {network}, got {input_shape}; for other inputs "
            'use "mlp", for grey images add a channel axis of 1'
        )
    height, width, channels = input_shape
    if min(height, width) < smallest:
        raise ValueError(
            f"input_shape must have at least {smallest}x{smallest} pixels for {network}, got {height}x{width}; for "
            'smaller ones use "mlp" or "resnet20"'
        )
    return height, width, channels


def check_batch(x: Array, input_shape: tuple[int, ...]) -> None:
    """Raise a ValueError unless x is a batch of inputs of this shape."""
    x = check_array("x", x, f"inputs of shape {('batch', *input_shape)} for this network")
    if tuple(x.shape[1:]) != tuple(input_shape):
        raise ValueError(f"x must be inputs of shape {('batch', *input_shape)} for this network, got {tuple(x.shape)}")


def check_rngs(rngs: Any) -> None:
    """Raise ValueError unless it is a source of parameters."""
    check_is("rngs", rngs, nnx.Rngs, "the source of the parameters, such as flax.nnx.Rngs(0)")


def check_dropout(dropout: Any) -> float:
    """A probability of dropping a unit; ValueError unless it lies in [0, 1)."""
    return check_number("dropout", dropout, "[0, 1)", about="the probability of dropping a unit")


def check_rows(x: Any, n_inputs: int, network: str) -> Array:
    """A batch of inputs as rows of so many entries; raises ValueError if they have another number."""
    x = check_array("x", x, f"a batch of inputs of {n_inputs} entries for this {network}")
    if x.ndim < 2 or math.prod(x.shape[1:]) != n_inputs:
        raise ValueError(
            f"x must be a batch of inputs of {n_inputs} entries for this {network}, got shape {tuple(x.shape)}"
        )
    return x.reshape(x.shape[0], n_inputs)


def halve(x: Array) -> Array:
    """2x2 max pooling by slices; an odd last row or column is left out.

    The gradient of a window reduction is a scatter: on a CPU it takes 5 to 9 times as long.
    """
    x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
    x = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(x[:, :, ::2], x[:, :, 1::2])


def linear(fan_in: int, fan_out: int, rngs: nnx.Rngs) -> nnx.Linear:
    """A linear layer with a bias of 0."""
    return nnx.Linear(fan_in, fan_out, kernel_init=scaled_normal, rngs=rngs)


def conv(channels_in: int, channels_out: int, side: int, rngs: nnx.Rngs, **options) -> nnx.Conv:
    """A convolution with a square kernel; options as `nnx.Conv` takes them, by default stride 1 and "SAME" padding."""
    return Convolution(channels_in, channels_out, (side, side), kernel_init=scaled_normal, rngs=rngs, **options)


def conv3x3(channels_in: int, channels_out: int, stride: int, rngs: nnx.Rngs) -> nnx.Conv:
    """A 3x3 convolution without bias, padded by 1: at stride 1 it keeps the image's size."""
    return conv(channels_in, channels_out, 3, rngs, strides=stride, padding=1, use_bias=False)


_BLOCK = 16384


def scaled_normal(key: Array, shape: Sequence[int], dtype=jnp.float32, *_) -> Array:
    """Normal draws of variance 1 / fan-in, for a kernel whose last axis is its outputs.

    Drawn in blocks of one size: a draw of the kernel's own shape is compiled anew for every layer, and a
    deep network would wait half a minute for its first parameters.
    """
    size, fan_in = math.prod(shape), math.prod(shape[:-1])
    blocks = [_draw_block(key, index) for index in range(-(-size // _BLOCK))]
    assemble = jnp if isinstance(key, Tracer) else np
    draws = assemble.concatenate(blocks)[:size].reshape(shape)
    return jnp.asarray(draws / assemble.float32(math.sqrt(fan_in)), dtype)


@jax.jit
def _draw_block(key: Array, index: int) -> Array:
    return jax.random.normal(jax.random.fold_in(key, index), (_BLOCK,))
