"""The networks themselves, in Flax nnx: inputs (batch, ...) -> logits (batch, classes)."""

import itertools
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array

from interjax._convolution import Convolution

Activation = Callable[[Array], Array]

ACTIVATIONS: dict[str, Activation] = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "gelu": jax.nn.gelu,
    "silu": jax.nn.silu,
    "sigmoid": jax.nn.sigmoid,
}


class MLP(nnx.Module):
    """A multilayer perceptron; every input is flattened first.

    h_0 = x;  h_l = activation(W_l h_{l-1} + b_l);  logits = W_L h_{L-1} + b_L.

    Args:
        sizes: widths from the flattened input to the logits, e.g. (784, 256, 256, 10).
        activation: a key of `ACTIVATIONS` or a function.
        dropout: probability of dropping a hidden unit in training mode, in [0, 1).
        rngs: source of the parameters.

    Example:
        >>> import jax.numpy as jnp
        >>> MLP((6, 5, 2), activation="tanh", rngs=nnx.Rngs(0))(jnp.zeros((4, 3, 2))).shape
        (4, 2)
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str | Activation = "relu",
        *,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ):
        if len(sizes) < 2:
            raise ValueError(f"sizes are the widths from the input to the logits, got {tuple(sizes)}")
        self.sizes = tuple(sizes)
        self.activation = _activation(activation)
        self.layers = nnx.List([_linear(*pair, rngs) for pair in itertools.pairwise(sizes)])
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.layers[-1](self.hidden(x)[-1])

    def hidden(self, x: Array) -> tuple[Array, ...]:
        """The flattened input and the activations of every hidden layer, each (batch, width)."""
        if x.ndim < 2 or math.prod(x.shape[1:]) != self.sizes[0]:
            raise ValueError(f"this MLP takes a batch of inputs of {self.sizes[0]} entries, got shape {tuple(x.shape)}")
        activations = [x.reshape(x.shape[0], -1)]
        for layer in list(self.layers)[:-1]:
            activations.append(self.dropout(self.activation(layer(activations[-1]))))
        return tuple(activations)


class LeNet(nnx.Module):
    """LeNet-5: two convolutions of 5x5 with 2x2 pooling, three linear layers (61,706 parameters on 28x28x1).

    Args:
        input_shape: (height, width, channels), at least 12 pixels a side.
        n_classes: number of logits.
        activation: a key of `ACTIVATIONS` or a function.
        rngs: source of the parameters.

    Raises:
        ValueError: an input shape that is no image or too small.

    Example:
        >>> LeNet((28, 28, 1), 10, rngs=nnx.Rngs(0)).head.sizes
        (400, 120, 84, 10)

    References:
        LeCun et al., "Gradient-based learning applied to document recognition", 1998, with max pooling.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int,
        *,
        activation: str | Activation = "relu",
        rngs: nnx.Rngs,
    ):
        height, width, channels = _image_shape(input_shape, "lenet", smallest=12)
        self.input_shape = (height, width, channels)
        self.activation = _activation(activation)
        self.conv1 = _conv(channels, 6, 5, rngs)
        self.conv2 = _conv(6, 16, 5, rngs, padding="VALID")
        flat = ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2) * 16
        self.head = MLP((flat, 120, 84, n_classes), self.activation, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        _check_batch(x, self.input_shape)
        x = _halve(self.activation(self.conv1(x)))
        x = _halve(self.activation(self.conv2(x)))
        return self.head(x)


class AlexNetCIFAR(nnx.Module):
    """AlexNet for 32x32 images: five convolutions and one linear layer (2,472,266 parameters, 10 classes).

    Args:
        input_shape: (height, width, channels), at least 29 pixels a side.
        n_classes: number of logits.
        dropout: probability of dropping a feature before the linear layer in training mode, in [0, 1).
        rngs: source of the parameters.

    Raises:
        ValueError: an input shape that is no image or too small.

    Example:
        >>> AlexNetCIFAR((32, 32, 3), 10, rngs=nnx.Rngs(0)).head.kernel.shape
        (256, 10)

    References:
        Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks",
        2012, in the common CIFAR form: the first stride is 4, one linear layer follows the last pooling.
    """

    def __init__(self, input_shape: Sequence[int], n_classes: int, *, dropout: float = 0.0, rngs: nnx.Rngs):
        height, width, channels = _image_shape(input_shape, "alexnet", smallest=29)
        self.input_shape = (height, width, channels)
        self.conv1 = _conv(channels, 64, 11, rngs, strides=4, padding=5)
        self.conv2 = _conv(64, 192, 5, rngs)
        self.conv3 = _conv(192, 384, 3, rngs)
        self.conv4 = _conv(384, 256, 3, rngs)
        self.conv5 = _conv(256, 256, 3, rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        sides = [((side - 1) // 4 + 1) // 8 for side in (height, width)]
        self.head = _linear(sides[0] * sides[1] * 256, n_classes, rngs)

    def __call__(self, x: Array) -> Array:
        _check_batch(x, self.input_shape)
        x = _halve(nnx.relu(self.conv1(x)))
        x = _halve(nnx.relu(self.conv2(x)))
        x = nnx.relu(self.conv4(nnx.relu(self.conv3(x))))
        x = _halve(nnx.relu(self.conv5(x)))
        return self.head(self.dropout(x.reshape(x.shape[0], -1)))


class ResNet(nnx.Module):
    """Residual network for small images: three stages of (depth - 2) / 6 blocks (269,722 parameters at 20).

    Args:
        input_shape: (height, width, channels), at least 4 pixels a side.
        n_classes: number of logits.
        depth: number of weighted layers, 6k + 2: 20, 32, 44, 56, ...
        width: channels of the first stage; doubled in the second and third.
        rngs: source of the parameters.

    Raises:
        ValueError: an input shape that is no image, or a depth that is not 6k + 2.

    Example:
        >>> len(ResNet((8, 8, 1), 10, depth=8, width=4, rngs=nnx.Rngs(0)).blocks)
        3

    References:
        He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016, section 4.2 (shortcuts A).
    """

    def __init__(self, input_shape: Sequence[int], n_classes: int, *, depth: int = 20, width: int = 16, rngs: nnx.Rngs):
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth of a CIFAR ResNet is 6k + 2 (8, 14, 20, 32, ...), got {depth}")
        self.input_shape = _image_shape(input_shape, "resnet20", smallest=4)
        self.conv = _conv3x3(self.input_shape[-1], width, 1, rngs)
        self.norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        blocks, channels = [], width
        for stage in range(3):
            for index in range((depth - 2) // 6):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(ResidualBlock(channels, width * 2**stage, stride, rngs=rngs))
                channels = width * 2**stage
        self.blocks = nnx.List(blocks)
        self.head = _linear(channels, n_classes, rngs)

    def __call__(self, x: Array) -> Array:
        _check_batch(x, self.input_shape)
        x = nnx.relu(self.norm(self.conv(x)))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(axis=(1, 2)))


class ResidualBlock(nnx.Module):
    """relu(x + norm(conv(relu(norm(conv(x)))))); where the shape changes, x is subsampled and zero-padded."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, *, rngs: nnx.Rngs):
        self.stride, self.extra_channels = stride, channels_out - channels_in
        self.conv1 = _conv3x3(channels_in, channels_out, stride, rngs)
        self.norm1 = nnx.BatchNorm(channels_out, momentum=0.9, rngs=rngs)
        self.conv2 = _conv3x3(channels_out, channels_out, 1, rngs)
        self.norm2 = nnx.BatchNorm(channels_out, momentum=0.9, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        y = self.norm2(self.conv2(nnx.relu(self.norm1(self.conv1(x)))))
        shortcut = x[:, :: self.stride, :: self.stride]
        before = self.extra_channels // 2
        shortcut = jnp.pad(shortcut, ((0, 0), (0, 0), (0, 0), (before, self.extra_channels - before)))
        return nnx.relu(y + shortcut)


class VisionTransformer(nnx.Module):
    """A small vision transformer: patches as tokens, pre-norm blocks, mean over tokens.

    Args:
        input_shape: (height, width, channels), both sides multiples of `patch`.
        n_classes: number of logits.
        patch: side of a square patch, in pixels; one patch is one token.
        width: size of a token's embedding, a multiple of `heads`.
        depth: number of blocks.
        heads: attention heads in each block.
        dropout: probability of dropping a unit of each block's output in training mode, in [0, 1).
        rngs: source of the parameters.

    Raises:
        ValueError: an input shape that patches do not tile, or a width that heads do not divide.

    Example:
        >>> VisionTransformer((8, 8, 1), 10, width=8, depth=1, heads=2, rngs=nnx.Rngs(0)).position.shape
        (1, 4, 8)

    References:
        Dosovitskiy et al., "An image is worth 16x16 words", 2021; mean pooling instead of a class token.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int,
        *,
        patch: int = 4,
        width: int = 64,
        depth: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ):
        self.input_shape = _image_shape(input_shape, "vit", smallest=patch)
        rows, columns, channels = self.input_shape
        if rows % patch or columns % patch:
            raise ValueError(f"vit patches of {patch}x{patch} do not tile images of {rows}x{columns}")
        if width % heads:
            raise ValueError(f"vit needs a width that its heads divide, got width {width}, {heads} heads")
        n_tokens = (rows // patch) * (columns // patch)
        self.embed = _conv(channels, width, patch, rngs, strides=patch, padding="VALID")
        self.position = nnx.Param(_scaled_normal(rngs.params(), (1, n_tokens, width)))
        self.blocks = nnx.List([TransformerBlock(width, heads, dropout, rngs=rngs) for _ in range(depth)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.head = _linear(width, n_classes, rngs)

    def __call__(self, x: Array) -> Array:
        _check_batch(x, self.input_shape)
        tokens = self.embed(x)
        tokens = tokens.reshape(tokens.shape[0], -1, tokens.shape[-1]) + self.position[...]
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens).mean(axis=1))


class TransformerBlock(nnx.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)) with four times the width inside."""

    def __init__(self, width: int, heads: int, dropout: float, *, rngs: nnx.Rngs):
        self.norm1 = nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, width, kernel_init=_scaled_normal, decode=False, rngs=rngs)
        self.norm2 = nnx.LayerNorm(width, rngs=rngs)
        self.widen = _linear(width, 4 * width, rngs)
        self.narrow = _linear(4 * width, width, rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(self, tokens: Array) -> Array:
        tokens = tokens + self.dropout(self.attention(self.norm1(tokens)))
        return tokens + self.dropout(self.narrow(nnx.gelu(self.widen(self.norm2(tokens)))))


def _activation(activation: str | Activation) -> Activation:
    if callable(activation):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(f"unknown activation {activation!r}: expected {', '.join(ACTIVATIONS)} or a function")
    return ACTIVATIONS[activation]


def _image_shape(input_shape: Sequence[int], network: str, *, smallest: int) -> tuple[int, int, int]:
    if len(input_shape) != 3:
        raise ValueError(
            f"{network} takes images of shape (height, width, channels), got {tuple(input_shape)}; "
            'for other inputs use "mlp", for grey images add a channel axis of 1'
        )
    height, width, channels = (int(side) for side in input_shape)
    if min(height, width) < smallest:
        raise ValueError(
            f"{network} takes images of at least {smallest}x{smallest} pixels, got {height}x{width}; "
            'for smaller ones use "mlp" or "resnet20"'
        )
    return height, width, channels


def _check_batch(x: Array, input_shape: tuple[int, ...]) -> None:
    if tuple(x.shape[1:]) != tuple(input_shape):
        raise ValueError(f"this network takes inputs of shape {('batch', *input_shape)}, got {tuple(x.shape)}")


def _halve(x: Array) -> Array:
    """2x2 max pooling by slices; an odd last row or column is left out.

    The gradient of a window reduction is a scatter: on a CPU it takes 5 to 9 times as long.
    """
    x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
    x = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(x[:, :, ::2], x[:, :, 1::2])


def _linear(fan_in: int, fan_out: int, rngs: nnx.Rngs) -> nnx.Linear:
    return nnx.Linear(fan_in, fan_out, kernel_init=_scaled_normal, rngs=rngs)


def _conv(channels_in: int, channels_out: int, side: int, rngs: nnx.Rngs, **options) -> nnx.Conv:
    return Convolution(channels_in, channels_out, (side, side), kernel_init=_scaled_normal, rngs=rngs, **options)


def _conv3x3(channels_in: int, channels_out: int, stride: int, rngs: nnx.Rngs) -> nnx.Conv:
    return _conv(channels_in, channels_out, 3, rngs, strides=stride, padding=1, use_bias=False)


_BLOCK = 16384


def _scaled_normal(key: Array, shape: Sequence[int], dtype=jnp.float32, *_) -> Array:
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
