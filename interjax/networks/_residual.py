"""Residual networks, in Flax nnx: images (batch, height, width, channels) -> logits (batch, classes)."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from interjax._core._checks import check_choice, check_count, check_lengths
from interjax.networks._layers import check_batch, check_rngs, conv, conv3x3, image_shape, linear

_LARGE_IMAGE = 64  # pixels a side from which on the stem of ResNet-18 is the large one, if it is not named


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
        if (check_count("depth", depth, about="6k + 2 for a CIFAR ResNet") - 2) % 6 or depth < 8:
            raise ValueError(f"depth must be 6k + 2 (8, 14, 20, 32, ...) for a CIFAR ResNet, got {depth!r}")
        self.input_shape = image_shape(input_shape, "resnet20", smallest=4)
        width, n_classes = check_count("width", width), check_count("n_classes", n_classes)
        check_rngs(rngs)
        self.conv = conv3x3(self.input_shape[-1], width, 1, rngs)
        self.norm = _norm(width, rngs)
        blocks, channels = [], width
        for stage in range(3):
            for index in range((depth - 2) // 6):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(ResidualBlock(channels, width * 2**stage, stride, rngs=rngs))
                channels = width * 2**stage
        self.blocks = nnx.List(blocks)
        self.head = linear(channels, n_classes, rngs)

    def __call__(self, x: Array) -> Array:
        check_batch(x, self.input_shape)
        x = nnx.relu(self.norm(self.conv(x)))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(axis=(1, 2)))


class ResidualBlock(nnx.Module):
    """relu(x + norm(conv(relu(norm(conv(x)))))); where the shape changes, x is subsampled and zero-padded."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, *, rngs: nnx.Rngs):
        self.stride, self.extra_channels = stride, channels_out - channels_in
        self.conv1 = conv3x3(channels_in, channels_out, stride, rngs)
        self.norm1 = _norm(channels_out, rngs)
        self.conv2 = conv3x3(channels_out, channels_out, 1, rngs)
        self.norm2 = _norm(channels_out, rngs)

    def __call__(self, x: Array) -> Array:
        y = self.norm2(self.conv2(nnx.relu(self.norm1(self.conv1(x)))))
        shortcut = x[:, :: self.stride, :: self.stride]
        before = self.extra_channels // 2
        shortcut = jnp.pad(shortcut, ((0, 0), (0, 0), (0, 0), (before, self.extra_channels - before)))
        return nnx.relu(y + shortcut)


class ResNet18(nnx.Module):
    """Residual network of 18 weighted layers: a stem, then four stages of two blocks each.

    It has 11,173,962 parameters at 32x32x3 and 10 classes, 11,689,512 at 224x224x3 and 1,000 classes.

    Args:
        input_shape: (height, width, channels), at least 8 pixels a side, at least 32 with the large stem.
        n_classes: number of logits.
        widths: channels of the four stages; the first is also the stem's.
        stem: "small", a 3x3 convolution of stride 1, common for CIFAR; "large", a 7x7 convolution and a 3x3 max
            pooling, both of stride 2, as for ImageNet; "auto", small where the shorter side is below 64 pixels.
        rngs: source of the parameters.

    Raises:
        ValueError: an input shape that is no image or too small, an unknown stem, or widths that are not four
            positive integers.

    Example:
        >>> network = ResNet18((16, 16, 1), 10, widths=(4, 4, 8, 8), rngs=nnx.Rngs(0))
        >>> network.stem, len(network.blocks), network.head.kernel.shape
        ('small', 8, (8, 10))

    References:
        He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2016, table 1 (shortcuts B).
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int,
        *,
        widths: Sequence[int] = (64, 128, 256, 512),
        stem: str = "auto",
        rngs: nnx.Rngs,
    ):
        check_choice("stem", stem, ("auto", "small", "large"))
        n_classes = check_count("n_classes", n_classes)
        check_rngs(rngs)
        widths = check_lengths("widths", widths, "the channels of the four stages of resnet18")
        if len(widths) != 4:
            raise ValueError(
                f"widths must be the channels of the four stages of resnet18, positive integers; got {widths!r}"
            )
        self.input_shape = image_shape(input_shape, "resnet18", smallest=8)
        if stem == "auto":
            stem = "small" if min(self.input_shape[:2]) < _LARGE_IMAGE else "large"
        self.stem = stem
        if stem == "small":
            self.conv = conv3x3(self.input_shape[-1], widths[0], 1, rngs)
        else:
            image_shape(input_shape, 'resnet18 with the stem "large"', smallest=32)
            self.conv = conv(self.input_shape[-1], widths[0], 7, rngs, strides=2, padding=3, use_bias=False)
        self.norm = _norm(widths[0], rngs)
        blocks, channels = [], widths[0]
        for stage, width in enumerate(widths):
            for stride in (1 if stage == 0 else 2, 1):
                blocks.append(ProjectionBlock(channels, width, stride, rngs=rngs))
                channels = width
        self.blocks = nnx.List(blocks)
        self.head = linear(channels, n_classes, rngs)

    def __call__(self, x: Array) -> Array:
        check_batch(x, self.input_shape)
        x = nnx.relu(self.norm(self.conv(x)))
        if self.stem == "large":
            x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))  # type: ignore[arg-type]
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(axis=(1, 2)))


class ProjectionBlock(nnx.Module):
    """relu(x + norm(conv(relu(norm(conv(x)))))); where the shape changes, norm(conv1x1(x)) stands for the first x."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, *, rngs: nnx.Rngs):
        self.conv1 = conv3x3(channels_in, channels_out, stride, rngs)
        self.norm1 = _norm(channels_out, rngs)
        self.conv2 = conv3x3(channels_out, channels_out, 1, rngs)
        self.norm2 = _norm(channels_out, rngs)
        self.projects = stride > 1 or channels_in != channels_out
        if self.projects:
            self.shortcut = conv(channels_in, channels_out, 1, rngs, strides=stride, use_bias=False)
            self.shortcut_norm = _norm(channels_out, rngs)

    def __call__(self, x: Array) -> Array:
        y = self.norm2(self.conv2(nnx.relu(self.norm1(self.conv1(x)))))
        shortcut = self.shortcut_norm(self.shortcut(x)) if self.projects else x
        return nnx.relu(y + shortcut)


def _norm(channels: int, rngs: nnx.Rngs) -> nnx.BatchNorm:
    return nnx.BatchNorm(channels, momentum=0.9, rngs=rngs)
