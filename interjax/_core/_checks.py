"""Checks of arguments that several rooms share."""

from typing import Any

import numpy as np


def check_count(name: str, count: Any) -> None:
    """Raise ValueError unless this option is a positive integer."""
    if not isinstance(count, int | np.integer) or count < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {count!r}")


def check_positive(name: str, value: int | None) -> int:
    """The value as an int; raises ValueError that names it if it is no positive integer."""
    if value is None or int(value) != value or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value}")
    return int(value)
