"""Harsanyi concepts: sparse AND/OR explanations, which of them generalise, and how they are learned."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.concepts._analysis._analyse import analyse as analyse
    from interjax.concepts._analysis._result import ConceptAnalysis as ConceptAnalysis
    from interjax.concepts._explanations._and_or import and_or as and_or
    from interjax.concepts._explanations._effects import AndOr as AndOr
    from interjax.concepts._explanations._joint import JointAndOr as JointAndOr
    from interjax.concepts._explanations._joint import joint_and_or as joint_and_or
    from interjax.concepts._explanations._learned_baseline import LearnedBaseline as LearnedBaseline
    from interjax.concepts._explanations._learned_baseline import learn_baseline as learn_baseline
    from interjax.concepts._explanations._salient import salient as salient
    from interjax.concepts._explanations._stability import Stability as Stability
    from interjax.concepts._explanations._stability import stability as stability
    from interjax.concepts._learning._learning import ConceptDynamics as ConceptDynamics
    from interjax.concepts._learning._learning import checkpoint_concepts as checkpoint_concepts
    from interjax.concepts._learning._paths import ConceptPaths as ConceptPaths
    from interjax.concepts._learning._paths import Detour as Detour
    from interjax.concepts._learning._paths import concept_paths as concept_paths
    from interjax.concepts._learning._paths import detour as detour
    from interjax.concepts._learning._phases import Phases as Phases
    from interjax.concepts._learning._phases import phases as phases
    from interjax.concepts._players import choose_players as choose_players
    from interjax.concepts._sparse._sparse_concepts import SparseConcepts as SparseConcepts
    from interjax.concepts._sparse._sparse_recovery import sparse_concepts as sparse_concepts
    from interjax.concepts._statistics._coverage import Coverage as Coverage
    from interjax.concepts._statistics._coverage import Discrimination as Discrimination
    from interjax.concepts._statistics._coverage import coverage as coverage
    from interjax.concepts._statistics._coverage import discrimination as discrimination
    from interjax.concepts._statistics._faithfulness import Faithfulness as Faithfulness
    from interjax.concepts._statistics._faithfulness import faithfulness as faithfulness
    from interjax.concepts._statistics._faithfulness import simplify as simplify
    from interjax.concepts._statistics._generalization import Generalization as Generalization
    from interjax.concepts._statistics._generalization import generalization as generalization
    from interjax.concepts._statistics._inconsistency import Inconsistency as Inconsistency
    from interjax.concepts._statistics._inconsistency import fit_relative_noise as fit_relative_noise
    from interjax.concepts._statistics._inconsistency import inconsistency as inconsistency
    from interjax.concepts._statistics._inconsistency import theoretical_inconsistency as theoretical_inconsistency
    from interjax.concepts._statistics._perturbations import attacked_inputs as attacked_inputs
    from interjax.concepts._statistics._perturbations import noisy_inputs as noisy_inputs
    from interjax.concepts._statistics._sizes import SizeDistribution as SizeDistribution
    from interjax.concepts._statistics._sizes import size_distribution as size_distribution
    from interjax.concepts._tables import concept_tables as concept_tables
    from interjax.games._coalitions import players_in as players_in
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
