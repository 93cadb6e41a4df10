"""Partial information decomposition of discrete variables: arrays in, bits out."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.pid._complexity import Complexity as Complexity
    from interjax.pid._complexity import representational_complexity as representational_complexity
    from interjax.pid._decomposition import PID as PID
    from interjax.pid._decomposition import decompose as decompose
    from interjax.pid._groups import GroupedComplexity as GroupedComplexity
    from interjax.pid._groups import grouped_complexity as grouped_complexity
    from interjax.pid._information import entropy as entropy
    from interjax.pid._information import mutual_information as mutual_information
    from interjax.pid._invariants import ShannonInvariants as ShannonInvariants
    from interjax.pid._invariants import shannon_invariants as shannon_invariants
    from interjax.pid._quantise import quantise as quantise
    from interjax.pid._subsets import SubsetComplexity as SubsetComplexity
    from interjax.pid._subsets import subset_complexity as subset_complexity
    from interjax.pid._trust import Trust as Trust
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
