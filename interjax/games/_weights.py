"""What a network is called with, in two parts: what training changes by gradients, and the rest."""

from typing import Any, NamedTuple


class Weights(NamedTuple):
    """The params of a network of another framework that holds more than trained parameters; a pytree.

    Attributes:
        trained: parameters.
        fixed: running statistics and the like.
    """

    trained: Any
    fixed: Any
