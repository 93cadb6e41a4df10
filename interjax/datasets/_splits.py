"""Which examples are kept and which are held out, class by class."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from interjax._core._checks import check_count, check_number


def stratified(
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    test_fraction: float,
    seed: Any,
    stacklevel: int,
    where: str = "",
) -> np.ndarray:
    """Boolean (N,): the rows held out, the same fraction of every class (rounded), at least one overall.

    A class of one row, which cannot be both learned and tested, is refused; one of which none is held out is told by a
    warning, `stacklevel` frames above this one. Messages start with `where` the labels are from.
    """
    test_fraction, seed = check_split(test_fraction, seed)
    random = np.random.default_rng(seed)
    held_out, untested = np.zeros(len(labels), bool), []
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        if len(rows) < 2:
            raise ValueError(
                f"{where}class {class_names[label]!r} has one row, data row {rows[0] + 1}: expected at least two of "
                "each class, one to learn and one to test; remove the class or join it with another"
            )
        count = min(round(test_fraction * len(rows)), len(rows) - 1)
        held_out[rows[:count]] = True
        if not count:
            untested.append(class_names[label])
    if not held_out.any():
        raise ValueError(f"{where}{len(labels)} rows with test_fraction={test_fraction} leave none for testing")
    if untested:
        warnings.warn(
            f"{where}no row of class {', '.join(map(repr, untested[:5]))} is held out for testing: test_fraction="
            f"{test_fraction} of so few rows rounds to none; raise it to see the class tested",
            stacklevel=stacklevel,
        )
    return held_out


def held_out_rows(count: int, *, test_fraction: float, seed: Any, where: str = "") -> np.ndarray:
    """Boolean (count,): a random fraction of the rows held out, rounded, at least one of each kind."""
    test_fraction, seed = check_split(test_fraction, seed)
    held = min(round(test_fraction * count), count - 1)
    if not held:
        raise ValueError(f"{where}{count} rows with test_fraction={test_fraction} leave none for testing")
    held_out = np.zeros(count, bool)
    held_out[np.random.default_rng(seed).permutation(count)[:held]] = True
    return held_out


def check_split(test_fraction: Any, seed: Any) -> tuple[float, int]:
    """The share to hold out and the seed; ValueError that names the one that is out of range."""
    share = check_number("test_fraction", test_fraction, "(0, 1)")
    return share, check_count("seed", seed, least=0, about="the seed of the split")


def first_of_each(labels: np.ndarray, limit: int | None) -> np.ndarray:
    """Rows, in order, of the first `limit` examples of every class."""
    if limit is None:
        return np.arange(len(labels))
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:limit] for label in np.unique(labels)]))


def check_limit(limit: Any) -> int | None:
    """The number of examples to keep of each class, or None; raises ValueError for anything else."""
    return None if limit is None else check_count("limit", limit, about="the number of examples of each class")
