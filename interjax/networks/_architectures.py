"""The plain networks, in Flax nnx: inputs (batch, ...) -> logits (batch, classes)."""

import itertools
from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array

from interjax._core._checks import check_count, check_lengths
from interjax.networks._layers import (
    Activation,
    check_batch,
    check_dropout,
    check_rngs,
    check_rows,
    conv,
    find_activation,
    halve,
    image_shape,
    linear,
)


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
        wanted = "two or more widths, from the input to the logits"
        sizes = check_lengths("sizes", sizes, wanted)
        if len(sizes) < 2:
            raise ValueError(f"sizes must be {wanted}; got {sizes}")
        check_rngs(rngs)
        dropout = check_dropout(dropout)
        self.sizes = sizes
        self.activation = find_activation(activation)
        self.layers = nnx.List([linear(*pair, rngs) for pair in itertools.pairwise(sizes)])
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.layers[-1](self.hidden(x)[-1])

    def hidden(self, x: Array) -> tuple[Array, ...]:
        """The flattened input and the activations of every hidden layer, each (batch, width)."""
        activations = [check_rows(x, self.sizes[0], "MLP")]
        for layer in list(self.layers)[:-1]:
            activations.append(self.dropout(self.activation(layer(activations[-1]))))
        return tuple(activations)


class ResidualMLP(nnx.Module):
    """A multilayer perceptron for tables whose hidden layers add to what came before; inputs are flattened first.

    h_1 = activation(W_1 x + b_1);  h_l = activation(h_{l-1} + W_l h_{l-1} + b_l);  logits = W_L h_{L-1} + b_L.

    Args:
        n_inputs: entries of a flattened input.
        n_classes: number of logits.
        width: units of every hidden layer.
        depth: number of linear layers L, at least 3, so that one of them has a shortcut.
        activation: a key of `ACTIVATIONS` or a function.
        dropout: probability of dropping a hidden unit in training mode, in [0, 1).
        rngs: source of the parameters.

    Raises:
        ValueError: a width or depth that is no integer or too small.

    Example:
        >>> import jax.numpy as jnp
        >>> ResidualMLP(6, 2, width=5, rngs=nnx.Rngs(0))(jnp.zeros((4, 6))).shape
        (4, 2)

    References:
        The ResMLP-5 that Zhou et al., AAAI 2024, arXiv:2302.13091, and the works around it train on tables: plain
        shortcuts around single layers. It has neither the patches nor the affine layers of Touvron et al. 2021.
    """

    def __init__(
        self,
        n_inputs: int,
        n_classes: int,
        *,
        width: int = 100,
        depth: int = 5,
        activation: str | Activation = "relu",
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ):
        depth = check_count("depth", depth, least=3, about="the number of linear layers of residual_mlp")
        width = check_count("width", width, about="that of the hidden layers of residual_mlp")
        n_inputs, n_classes = check_count("n_inputs", n_inputs), check_count("n_classes", n_classes)
        dropout = check_dropout(dropout)
        check_rngs(rngs)
        self.n_inputs = n_inputs
        self.activation = find_activation(activation)
        self.embed = linear(n_inputs, width, rngs)
        self.layers = nnx.List([linear(width, width, rngs) for _ in range(depth - 2)])
        self.head = linear(width, n_classes, rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        return self.head(self.hidden(x)[-1])

    def hidden(self, x: Array) -> tuple[Array, ...]:
        """The flattened input and the activations of every hidden layer, each (batch, width)."""
        flat = check_rows(x, self.n_inputs, "residual MLP")
        activations = [flat, self.dropout(self.activation(self.embed(flat)))]
        for layer in self.layers:
            sum_with_shortcut = activations[-1] + layer(activations[-1])
            activations.append(self.dropout(self.activation(sum_with_shortcut)))
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
        height, width, channels = image_shape(input_shape, "lenet", smallest=12)
        n_classes = check_count("n_classes", n_classes)
        check_rngs(rngs)
        self.input_shape = (height, width, channels)
        self.activation = find_activation(activation)
        self.conv1 = conv(channels, 6, 5, rngs)
        self.conv2 = conv(6, 16, 5, rngs, padding="VALID")
        flat = ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2) * 16
        self.head = MLP((flat, 120, 84, n_classes), self.activation, rngs=rngs)

    def __call__(self, x: Array) -> Array:
        check_batch(x, self.input_shape)
        x = halve(self.activation(self.conv1(x)))
        x = halve(self.activation(self.conv2(x)))
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
        height, width, channels = image_shape(input_shape, "alexnet", smallest=29)
        dropout = check_dropout(dropout)
        n_classes = check_count("n_classes", n_classes)
        check_rngs(rngs)
        self.input_shape = (height, width, channels)
        self.conv1 = conv(channels, 64, 11, rngs, strides=4, padding=5)
        self.conv2 = conv(64, 192, 5, rngs)
        self.conv3 = conv(192, 384, 3, rngs)
        self.conv4 = conv(384, 256, 3, rngs)
        self.conv5 = conv(256, 256, 3, rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)
        sides = [((side - 1) // 4 + 1) // 8 for side in (height, width)]
        self.head = linear(sides[0] * sides[1] * 256, n_classes, rngs)

    def __call__(self, x: Array) -> Array:
        check_batch(x, self.input_shape)
        x = halve(nnx.relu(self.conv1(x)))
        x = halve(nnx.relu(self.conv2(x)))
        x = nnx.relu(self.conv4(nnx.relu(self.conv3(x))))
        x = halve(nnx.relu(self.conv5(x)))
        return self.head(self.dropout(x.reshape(x.shape[0], -1)))
