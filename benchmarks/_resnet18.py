"""ResNet-18 in its ImageNet form, for measuring only: a 7x7 convolution, then four stages of two blocks."""

from collections.abc import Sequence

import jax
from flax import nnx


class ResNet18(nnx.Module):
    """Inputs (batch, height, width, channels) -> logits; He et al. 2016, table 1."""

    def __init__(self, channels: int, n_classes: int, *, widths: Sequence[int] = (64, 128, 256, 512), rngs: nnx.Rngs):
        self.conv = nnx.Conv(channels, widths[0], (7, 7), strides=2, padding=3, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(widths[0], rngs=rngs)
        blocks, width_in = [], widths[0]
        for stage, width in enumerate(widths):
            for stride in (1 if stage == 0 else 2, 1):
                blocks.append(Block(width_in, width, stride, rngs=rngs))
                width_in = width
        self.blocks = nnx.List(blocks)
        self.head = nnx.Linear(widths[-1], n_classes, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.norm(self.conv(x)))
        x = nnx.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(axis=(1, 2)))


class Block(nnx.Module):
    """relu(shortcut(x) + norm(conv(relu(norm(conv(x))))))."""

    def __init__(self, width_in: int, width: int, stride: int, *, rngs: nnx.Rngs):
        plain = {"use_bias": False, "rngs": rngs}
        self.conv1 = nnx.Conv(width_in, width, (3, 3), strides=stride, padding=1, **plain)
        self.norm1 = nnx.BatchNorm(width, rngs=rngs)
        self.conv2 = nnx.Conv(width, width, (3, 3), padding=1, **plain)
        self.norm2 = nnx.BatchNorm(width, rngs=rngs)
        changes = stride > 1 or width != width_in
        self.shortcut = nnx.Conv(width_in, width, (1, 1), strides=stride, **plain) if changes else None
        self.shortcut_norm = nnx.BatchNorm(width, rngs=rngs) if changes else None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = self.norm2(self.conv2(nnx.relu(self.norm1(self.conv1(x)))))
        if self.shortcut is not None and self.shortcut_norm is not None:
            x = self.shortcut_norm(self.shortcut(x))
        return nnx.relu(x + y)
