"""The experiments of the papers, run end to end."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.reproduce import bottleneck as bottleneck
    from interjax.reproduce import complexity as complexity
    from interjax.reproduce import generalization as generalization
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
