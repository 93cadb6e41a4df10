"""What the commands do, imported when one is run: the files of their options import nothing that takes long."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.cli._work._complexity import complexity as complexity
    from interjax.cli._work._concepts import concepts as concepts
    from interjax.cli._work._evaluate import evaluate as evaluate
    from interjax.cli._work._measure import measure as measure
    from interjax.cli._work._train import train as train
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
