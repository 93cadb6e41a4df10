"""Learning dynamics by order: profiles over a training run, and how the gradients of interactions vary over contexts.

A network learns the interaction I^(m)(i,j) = E over |S| = m of dv(i,j,S), dv = v(S+ij) - v(S+i) - v(S+j) + v(S), by its
gradient, the mean of g(S) = d dv(i,j,S) / d theta. Where every context pulls elsewhere, that mean is short.
"""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.dynamics._gradients import GradientStatistics as GradientStatistics
    from interjax.dynamics._gradients import gradient_statistics as gradient_statistics
    from interjax.dynamics._profiles import checkpoint_profiles as checkpoint_profiles
    from interjax.orders._theory import context_variance as context_variance
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
