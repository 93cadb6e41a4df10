"""Strength profiles J^(m) of a network, with their errors."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.profiles._arguments import METHODS as METHODS
    from interjax.profiles._comparison import ProfileComparison as ProfileComparison
    from interjax.profiles._comparison import compare_profiles as compare_profiles
    from interjax.profiles._correction import CORRECTIONS as CORRECTIONS
    from interjax.profiles._correction import KINDS as KINDS
    from interjax.profiles._profile import OFFICIAL_ALLOCATION as OFFICIAL_ALLOCATION
    from interjax.profiles._profile import order_profile as order_profile
    from interjax.profiles._result import OrderProfile as OrderProfile
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
