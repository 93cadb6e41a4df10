"""A vision transformer, in Flax nnx: images (batch, height, width, channels) -> logits (batch, classes)."""

from collections.abc import Sequence

from flax import nnx
from jaxtyping import Array

from interjax._core._checks import check_count
from interjax.networks._layers import check_batch, check_dropout, check_rngs, conv, image_shape, linear, scaled_normal


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
        patch, width, heads = check_count("patch", patch), check_count("width", width), check_count("heads", heads)
        depth, n_classes = check_count("depth", depth), check_count("n_classes", n_classes)
        dropout = check_dropout(dropout)
        check_rngs(rngs)
        self.input_shape = image_shape(input_shape, "vit", smallest=patch)
        rows, columns, channels = self.input_shape
        if rows % patch or columns % patch:
            raise ValueError(f"patch must divide both sides of the images of vit, {rows}x{columns} pixels; got {patch}")
        if width % heads:
            raise ValueError(f"width must be a multiple of the heads of vit, {heads}; got {width}")
        n_tokens = (rows // patch) * (columns // patch)
        self.embed = conv(channels, width, patch, rngs, strides=patch, padding="VALID")
        self.position = nnx.Param(scaled_normal(rngs.params(), (1, n_tokens, width)))
        self.blocks = nnx.List([TransformerBlock(width, heads, dropout, rngs=rngs) for _ in range(depth)])
        self.norm = nnx.LayerNorm(width, rngs=rngs)
        self.head = linear(width, n_classes, rngs)

    def __call__(self, x: Array) -> Array:
        check_batch(x, self.input_shape)
        tokens = self.embed(x)
        tokens = tokens.reshape(tokens.shape[0], -1, tokens.shape[-1]) + self.position[...]
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(self.norm(tokens).mean(axis=1))


class TransformerBlock(nnx.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)) with four times the width inside."""

    def __init__(self, width: int, heads: int, dropout: float, *, rngs: nnx.Rngs):
        self.norm1 = nnx.LayerNorm(width, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(heads, width, kernel_init=scaled_normal, decode=False, rngs=rngs)
        self.norm2 = nnx.LayerNorm(width, rngs=rngs)
        self.widen = linear(width, 4 * width, rngs)
        self.narrow = linear(4 * width, width, rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(self, tokens: Array) -> Array:
        tokens = tokens + self.dropout(self.attention(self.norm1(tokens)))
        return tokens + self.dropout(self.narrow(nnx.gelu(self.widen(self.norm2(tokens)))))
