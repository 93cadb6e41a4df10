"""Representations of hidden layers: their activations, and how complex they are over layers and training."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.representations._activations import activations as activations
    from interjax.representations._dynamics import ComplexityDynamics as ComplexityDynamics
    from interjax.representations._dynamics import checkpoint_complexity as checkpoint_complexity
    from interjax.representations._layers import Limits as Limits
    from interjax.representations._layers import layer_complexity as layer_complexity
    from interjax.representations._layers import layer_symbols as layer_symbols
    from interjax.representations._layers import quantised_layers as quantised_layers
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
