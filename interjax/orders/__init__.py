"""Interactions I^(m) of each order, sampled, and what theory says of them."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax._core._estimate import Estimate as Estimate
    from interjax.orders._arguments import OFFICIAL_RATIOS as OFFICIAL_RATIOS
    from interjax.orders._estimators import ESTIMATORS as ESTIMATORS
    from interjax.orders._estimators import METHODS as METHODS
    from interjax.orders._estimators import Estimates as Estimates
    from interjax.orders._estimators import Estimator as Estimator
    from interjax.orders._interactions import OrderInteractions as OrderInteractions
    from interjax.orders._interactions import order_interactions as order_interactions
    from interjax.orders._theory import context_variance as context_variance
    from interjax.orders._theory import learning_strength as learning_strength
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
