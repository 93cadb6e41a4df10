"""A convolution that is computed as one matrix product where that is faster."""

import itertools
import math
from typing import Any

import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array

# Up to this many output positions XLA:CPU's convolution runs at 1 to 6 GFLOP/s a core, a product at 40 to 60
# (benchmarks/NOTES.md); from about 64 positions on the convolution wins.
_FEW_POSITIONS = 25


class Convolution(nnx.Conv):
    """`nnx.Conv` over images (batch, height, width, channels), with the same parameters and values.

    On a CPU a convolution with few output positions is a product of the input's patches and the kernel,
    y = patches(x) W, (batch * positions, side^2 channels) times (side^2 channels, features); everywhere else it is
    XLA's own.
    """

    def __call__(self, inputs: Array) -> Array:  # type: ignore[override]
        strides = (self.strides,) * 2 if isinstance(self.strides, int) else tuple(self.strides or (1, 1))
        padding = _pads(self.padding, inputs.shape[1:3], self.kernel_size, strides)
        sizes = [
            (length + sum(pad) - side) // stride + 1
            for length, pad, side, stride in zip(inputs.shape[1:3], padding, self.kernel_size, strides, strict=True)
        ]
        if math.prod(sizes) > _FEW_POSITIONS:
            return super().__call__(inputs)
        kernel = self.kernel[...]

        def as_product(inputs: Array, kernel: Array) -> Array:
            patches = _patches(inputs, kernel.shape[:2], strides, padding, sizes)
            return (patches @ kernel.reshape(-1, kernel.shape[-1])).reshape(-1, *sizes, kernel.shape[-1])

        def as_convolution(inputs: Array, kernel: Array) -> Array:
            return lax.conv_general_dilated(
                inputs, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
            )

        outputs = lax.platform_dependent(inputs, kernel, cpu=as_product, default=as_convolution)
        return outputs if self.bias is None else outputs + self.bias[...][None, None, None, :]


def _patches(
    inputs: Array, sides: tuple[int, ...], strides: tuple[int, ...], padding: list[tuple[int, int]], sizes: list[int]
) -> Array:
    """The part of the input under the kernel at each output position: (batch * positions, sides * channels)."""
    padded = jnp.pad(inputs, ((0, 0), *padding, (0, 0)))
    parts = [
        lax.slice(
            padded,
            (0, row, column, 0),
            (
                padded.shape[0],
                row + strides[0] * (sizes[0] - 1) + 1,
                column + strides[1] * (sizes[1] - 1) + 1,
                padded.shape[3],
            ),
            (1, *strides, 1),
        )
        for row, column in itertools.product(range(sides[0]), range(sides[1]))
    ]
    return jnp.concatenate(parts, axis=-1).reshape(-1, sides[0] * sides[1] * inputs.shape[-1])


def _pads(
    padding: Any, lengths: tuple[int, ...], sides: tuple[int, ...], strides: tuple[int, ...]
) -> list[tuple[int, int]]:
    if isinstance(padding, str):
        return [(int(low), int(high)) for low, high in lax.padtype_to_pads(lengths, sides, strides, padding)]
    if isinstance(padding, int):
        return [(padding, padding)] * len(sides)
    return [(pad, pad) if isinstance(pad, int) else (int(pad[0]), int(pad[1])) for pad in padding]
