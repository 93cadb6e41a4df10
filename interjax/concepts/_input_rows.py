"""Which inputs of each class are explained: rows that a key draws."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array

FEWEST = {"training": 2, "test": 1}
"""Inputs of a class with which similarities of training and test inputs can be measured."""


def draw_rows(
    key: Array, labels: tuple[np.ndarray, np.ndarray], classes: Sequence[int], per_class: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Rows of training and half as many test inputs, rounded up, of each class; a class that has fewer gives all."""
    found = []
    for own, of_part, count in zip(jax.random.split(key), labels, (per_class, (per_class + 1) // 2), strict=True):
        order = np.asarray(jax.random.permutation(own, len(of_part)))
        found.append([order[of_part[order] == label][:count] for label in classes])
    return found[0], found[1]
