"""Training of Flax nnx networks, resumed bit for bit after a kill, and networks on disk."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.training._checkpoints import load_network as load_network
    from interjax.training._checkpoints import save_network as save_network
    from interjax.training._checkpoints import saved_steps as saved_steps
    from interjax.training._loop import train as train
    from interjax.training._losses import PRESETS as PRESETS
    from interjax.training._losses import ModulatedCrossEntropy as ModulatedCrossEntropy
    from interjax.training._losses import ModulatedSquaredError as ModulatedSquaredError
    from interjax.training._losses import OrderWeightedCrossEntropy as OrderWeightedCrossEntropy
    from interjax.training._losses import OrderWeightedSquaredError as OrderWeightedSquaredError
    from interjax.training._losses import SteeredCrossEntropy as SteeredCrossEntropy
    from interjax.training._losses import cross_entropy as cross_entropy
    from interjax.training._losses import squared_error as squared_error
    from interjax.training._over_checkpoints import over_checkpoints as over_checkpoints
    from interjax.training._plans import Plan as Plan
    from interjax.training._plans import default_plan as default_plan
    from interjax.training._plans import flip_and_crop as flip_and_crop
    from interjax.training._plans import paper_optimizer as paper_optimizer
    from interjax.training._predictions import accuracy as accuracy
    from interjax.training._predictions import correctly_classified as correctly_classified
    from interjax.training._predictions import r_squared as r_squared
    from interjax.training._run import Loss as Loss
    from interjax.training._run import TrainingLog as TrainingLog
    from interjax.training._schedule import log_spaced_steps as log_spaced_steps
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
