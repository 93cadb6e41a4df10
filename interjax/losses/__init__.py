"""Losses that favour or suppress interactions of chosen orders, for training: one value an example.

Both take `apply`, the network in training: inputs (batch, ...) -> logits (batch, classes); an nnx module as it is, or
`lambda inputs: module.apply(variables, inputs)`. Everything inside is traced: use them under jit, grad and sharding.
"""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.losses._modulation import ALIGNMENTS as ALIGNMENTS
    from interjax.losses._modulation import AVERAGES as AVERAGES
    from interjax.losses._modulation import MODES as MODES
    from interjax.losses._modulation import modulated_sizes as modulated_sizes
    from interjax.losses._modulation import nested_coalitions as nested_coalitions
    from interjax.losses._modulation import order_modulation as order_modulation
    from interjax.losses._weighted import STRENGTHS as STRENGTHS
    from interjax.losses._weighted import order_weighted as order_weighted
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
