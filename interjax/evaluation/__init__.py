"""What trained networks can do, side by side: accuracy, loss gap, adversarial robustness, destroyed structure."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.evaluation._attacks import attack_limits as attack_limits
    from interjax.evaluation._attacks import fgsm as fgsm
    from interjax.evaluation._attacks import pgd as pgd
    from interjax.evaluation._corruptions import occlude as occlude
    from interjax.evaluation._corruptions import shuffle_patches as shuffle_patches
    from interjax.evaluation._evaluate import LEVEL as LEVEL
    from interjax.evaluation._evaluate import Evaluation as Evaluation
    from interjax.evaluation._evaluate import evaluate as evaluate
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
