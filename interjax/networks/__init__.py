"""Networks by name, and the spec from which each can be rebuilt."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.networks._architectures import MLP as MLP
    from interjax.networks._architectures import AlexNetCIFAR as AlexNetCIFAR
    from interjax.networks._architectures import LeNet as LeNet
    from interjax.networks._architectures import ResidualMLP as ResidualMLP
    from interjax.networks._layers import ACTIVATIONS as ACTIVATIONS
    from interjax.networks._quantised import QuantisedLeNet as QuantisedLeNet
    from interjax.networks._quantised import QuantisedMLP as QuantisedMLP
    from interjax.networks._quantised import Quantiser as Quantiser
    from interjax.networks._residual import ResNet as ResNet
    from interjax.networks._residual import ResNet18 as ResNet18
    from interjax.networks._spec import NAMES as NAMES
    from interjax.networks._spec import NetworkSpec as NetworkSpec
    from interjax.networks._spec import build as build
    from interjax.networks._transformer import VisionTransformer as VisionTransformer
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
