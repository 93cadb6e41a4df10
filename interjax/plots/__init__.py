"""Plots: matplotlib Axes in, Axes out."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.plots._complexity import complexity as complexity
    from interjax.plots._complexity import information_by_degree as information_by_degree
    from interjax.plots._complexity import redundancy_vulnerability as redundancy_vulnerability
    from interjax.plots._complexity_dynamics import complexity_over_training as complexity_over_training
    from interjax.plots._concept_dynamics import concept_dynamics as concept_dynamics
    from interjax.plots._concept_dynamics import concept_paths as concept_paths
    from interjax.plots._concept_statistics import concept_sizes as concept_sizes
    from interjax.plots._concept_statistics import faithfulness as faithfulness
    from interjax.plots._concept_statistics import generalization as generalization
    from interjax.plots._concept_statistics import inconsistency as inconsistency
    from interjax.plots._concepts import concepts as concepts
    from interjax.plots._concepts import concepts_on_image as concepts_on_image
    from interjax.plots._evaluation import evaluation as evaluation
    from interjax.plots._gradients import gradient_statistics as gradient_statistics
    from interjax.plots._profile_difference import profile_difference as profile_difference
    from interjax.plots._profiles import profile as profile
    from interjax.plots._profiles import profiles_over_training as profiles_over_training
    from interjax.plots._training import training as training
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
