"""Convolutions as matrix products, where XLA's own are slow on a CPU."""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax
from jax.extend.core import JaxprEqn
from jaxtyping import Array

# XLA:CPU convolves few channels into few features, or few output positions, at 1 to 6 GFLOP/s a core, where a product
# of patches runs at 40 to 80 (benchmarks/NOTES.md); everywhere else its convolution wins.
_FEW_POSITIONS = 25
_FEW_CHANNELS = 4
_FEW_FEATURES = 16
_WHOLE_IMAGE_BYTES = 16 * 2**20
_IMAGES = ("NHWC", "HWIO", "NHWC")
Pads = tuple[tuple[int, int], tuple[int, int]]


def convolve(inputs: Array, kernel: Array, strides: tuple[int, int], pads: Pads) -> Array:
    """Convolution of images (batch, height, width, channels) with a kernel (side, side, channels, features).

    On a CPU, in whichever form is the fastest there: XLA's convolution, the product of patches of the image
    with the kernel, or the product of the whole image with a matrix. All of them give the same values to rounding.
    """
    window = _Window.of(inputs.shape[1:3], kernel.shape, strides, pads)

    def as_convolution(inputs: Array, kernel: Array) -> Array:
        return lax.conv_general_dilated(inputs, kernel, strides, pads, dimension_numbers=_IMAGES)

    return _in_fastest_form(window, as_convolution, inputs, kernel)


def convolve_equation(equation: JaxprEqn, inputs: Array, kernel: Array) -> Array:
    """The value of a traced convolution: as in `convolve` if it is one of images, else XLA's own."""

    def as_traced(inputs: Array, kernel: Array) -> Array:
        return equation.primitive.bind(inputs, kernel, **equation.primitive.get_bind_params(equation.params))

    wanted = equation.params
    numbers = lax.conv_dimension_numbers(inputs.shape, kernel.shape, _IMAGES) if inputs.ndim == 4 else None
    undilated = wanted["lhs_dilation"] == wanted["rhs_dilation"] == (1, 1)
    ungrouped = wanted["feature_group_count"] == wanted["batch_group_count"] == 1
    same_type = wanted["preferred_element_type"] in (None, inputs.dtype)
    if not (wanted["dimension_numbers"] == numbers and undilated and ungrouped and same_type):
        return as_traced(inputs, kernel)
    window = _Window.of(inputs.shape[1:3], kernel.shape, wanted["window_strides"], wanted["padding"])
    return _in_fastest_form(window, as_traced, inputs, kernel)


class _Window(NamedTuple):
    """A kernel that passes over an image."""

    image: tuple[int, int]
    sides: tuple[int, int]
    channels: int
    features: int
    strides: tuple[int, int]
    pads: Pads
    positions: tuple[int, int]

    @classmethod
    def of(cls, image: Any, kernel: Any, strides: tuple[int, int], pads: Pads) -> "_Window":
        positions = [
            (length + sum(pad) - side) // stride + 1
            for length, pad, side, stride in zip(image, pads, kernel[:2], strides, strict=True)
        ]
        height, width, channels, features = kernel
        return cls(tuple(image), (height, width), channels, features, strides, pads, (positions[0], positions[1]))


def _in_fastest_form(window: _Window, convolution: Callable, inputs: Array, kernel: Array) -> Array:
    form = _fastest_form(window)
    if form is None:
        return convolution(inputs, kernel)
    return lax.platform_dependent(inputs, kernel, cpu=functools.partial(form, window), default=convolution)


def _fastest_form(window: _Window) -> Callable[[_Window, Array, Array], Array] | None:
    """The form in which a CPU is fastest; None for XLA's own convolution."""
    positions = math.prod(window.positions)
    if positions == 0 or min(map(min, window.pads)) < 0:
        return None
    if positions <= _FEW_POSITIONS:
        # A kernel wider than its image mostly meets padding: the product with the whole image leaves that out.
        matrix = 4 * math.prod(window.image) * window.channels * positions * window.features
        narrow = math.prod(window.image) < math.prod(window.sides)
        return _whole_image if narrow and matrix <= _WHOLE_IMAGE_BYTES else functools.partial(_patches, block=(1, 1))
    if window.channels <= _FEW_CHANNELS and window.features < _FEW_FEATURES:
        return functools.partial(_patches, block=(min(2, window.positions[0]), min(4, window.positions[1])))
    return None


def _whole_image(window: _Window, inputs: Array, kernel: Array) -> Array:
    """y = x T: (batch, height * width * channels) times (height * width * channels, positions * features)."""
    (height, width), (top, left) = window.image, (pad[0] for pad in window.pads)
    padded = [length + sum(pad) for length, pad in zip(window.image, window.pads, strict=True)]
    columns = [
        placed[top : top + height, left : left + width] for placed in _placed(window, kernel, padded, window.positions)
    ]
    matrix = jnp.stack(columns, axis=3).reshape(height * width * window.channels, -1)
    return (inputs.reshape(inputs.shape[0], -1) @ matrix).reshape(-1, *window.positions, window.features)


def _patches(window: _Window, inputs: Array, kernel: Array, *, block: tuple[int, int]) -> Array:
    """A block of output positions from one product: the patch that they see times the kernel placed at each of them.

    (batch * blocks, patch * channels) times (patch * channels, block * features). A larger block multiplies some zeros,
    but copies the image fewer times and makes the product wider.
    """
    steps = [size * stride for size, stride in zip(block, window.strides, strict=True)]
    patch = [step - stride + side for step, stride, side in zip(steps, window.strides, window.sides, strict=True)]
    blocks = [-(-length // size) for length, size in zip(window.positions, block, strict=True)]
    padded = _padded(
        window, inputs, [(n - 1) * step + side for n, step, side in zip(blocks, steps, patch, strict=True)]
    )
    rows = padded.reshape(*padded.shape[:2], -1)
    channels = window.channels
    strips = [
        jnp.stack(
            [
                rows[:, top : top + (blocks[0] - 1) * steps[0] + 1 : steps[0], left : left + patch[1] * channels]
                for left in range(0, blocks[1] * steps[1] * channels, steps[1] * channels)
            ],
            axis=2,
        )
        for top in range(patch[0])
    ]
    patches = jnp.concatenate(strips, axis=-1).reshape(-1, patch[0] * patch[1] * channels)
    matrix = jnp.stack(_placed(window, kernel, patch, block), axis=3).reshape(patches.shape[1], -1)
    outputs = (patches @ matrix).reshape(-1, *blocks, *block, window.features).transpose(0, 1, 3, 2, 4, 5)
    outputs = outputs.reshape(-1, blocks[0] * block[0], blocks[1] * block[1], window.features)
    return outputs[:, : window.positions[0], : window.positions[1]]


def _placed(window: _Window, kernel: Array, sides: Any, positions: tuple[int, int]) -> list[Array]:
    """The kernel at each of the first positions in a field of zeros (sides[0], sides[1], channels, features)."""
    corners = itertools.product(*(range(0, n * step, step) for n, step in zip(positions, window.strides, strict=True)))
    after = [side - own for side, own in zip(sides, window.sides, strict=True)]
    return [jnp.pad(kernel, ((top, after[0] - top), (left, after[1] - left), (0, 0), (0, 0))) for top, left in corners]


def _padded(window: _Window, inputs: Array, lengths: list[int]) -> Array:
    """Images padded, or cut, to these lengths."""
    (top, _), (left, _) = window.pads
    below, right = (
        max(0, length - size - pad[0]) for length, size, pad in zip(lengths, window.image, window.pads, strict=True)
    )
    padded = jnp.pad(inputs, ((0, 0), (top, below), (left, right), (0, 0)))
    return padded[:, : lengths[0], : lengths[1]]
