"""What an analysis explains: examples from a data set or arrays, inputs of each class, and their tables."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from interjax._core._checks import check_count, check_integers, check_several, shown
from interjax._engine._folders import RunFolder
from interjax.concepts._input_rows import FEWEST, draw_rows
from interjax.concepts._tables import tables_in
from interjax.datasets._dataset import check_classified
from interjax.datasets._examples import Data, data_of
from interjax.games._batches import at_rows
from interjax.games._masking import Masking

_MOST_CLASSES = 10
_TABULATED_AT_ONCE = 16
_SHOWN_CLASSES = 12


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Inputs to explain, training ones first: x, class numbers, rows in their part of the data, and which part."""

    x: Any
    labels: np.ndarray
    rows: np.ndarray
    is_train: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: np.ndarray | slice) -> "Inputs":
        return Inputs(at_rows(self.x, chosen), self.labels[chosen], self.rows[chosen], self.is_train[chosen])


def in_turn(labels: np.ndarray, is_train: np.ndarray) -> np.ndarray:
    """Indices of the training inputs, classes in turn."""
    train = np.flatnonzero(is_train)
    turn = [np.sum(labels[train[:place]] == labels[one]) for place, one in enumerate(train)]
    return train[np.lexsort((train, turn))]


def comparable(labels: np.ndarray, is_train: np.ndarray) -> np.ndarray:
    """The classes with enough training and test inputs for a similarity."""
    parts = zip((labels[is_train], labels[~is_train]), FEWEST.values(), strict=True)
    enough = [[np.sum(of_part == label) >= few for label in np.unique(labels)] for of_part, few in parts]
    return np.unique(labels)[np.all(enough, axis=0)]


@dataclasses.dataclass(frozen=True)
class Examples:
    """Training and test examples, of which the latter may be missing, and the data set that tells what they mean."""

    x: tuple[Any, Any]
    y: tuple[np.ndarray, np.ndarray]
    data: Data


def examples_of(data: Any) -> Examples:
    """The examples of a data set, or of arrays: inputs and labels for training, and for testing if there are any.

    Raises:
        ValueError: neither a data set nor two or four arrays, labels that are no class numbers, or arrays that do not
            fit together.
    """
    found, has_test = data_of(data, least=2)
    check_classified(found)
    test_x, test_y = found.test_x, found.test_y
    if not has_test:
        test_x, test_y = at_rows(test_x, slice(0)), test_y[:0]
    return Examples((found.train_x, test_x), (found.train_y, test_y), found)


def class_numbers(classes: Sequence[int | str] | None, data: Data) -> list[int]:
    """The numbers of classes given by name or number, in increasing order; by default all, at most ten."""
    if classes is None:
        return list(range(min(data.n_classes, _MOST_CLASSES)))
    numbers: dict[Any, int] = {number: number for number in range(data.n_classes)}
    numbers |= {str(number): number for number in numbers} | {name: at for at, name in enumerate(data.class_names)}
    named = [classes] if isinstance(classes, str | int | np.integer) else check_several("classes", classes)
    unknown = [one for one in named if isinstance(one, bool | float) or not is_hashable(one) or one not in numbers]
    if unknown or not named:
        shown = ", ".join(data.class_names[:_SHOWN_CLASSES]) + (", ..." if data.n_classes > _SHOWN_CLASSES else "")
        missing = f"{data.name} has no class {unknown[0]!r}" if unknown else "got none"
        raise ValueError(f"classes: {missing}; expected some of {shown}, or their numbers from 0")
    return sorted({numbers[one] for one in named})


def is_hashable(one: Any) -> bool:
    """Whether it can be looked up; an array or a list is no class."""
    return not isinstance(one, list | dict | set | np.ndarray)


def choose_inputs(
    key: jax.Array,
    examples: Examples,
    classes: Sequence[int | str] | None,
    per_class: int,
    rows: tuple[Any, Any] | None = None,
) -> Inputs:
    """The first training inputs of each class in the key's order and half as many test inputs, or those of given rows.

    Raises:
        ValueError: unknown classes, one without training inputs, or rows that there are not.
    """
    if rows is None:
        rows = _drawn(key, examples, class_numbers(classes, examples.data), check_count("inputs_per_class", per_class))
    elif classes is not None:
        raise ValueError("rows name the inputs: leave classes out")
    if not isinstance(rows, tuple | list) or len(rows) != 2:
        raise ValueError(f"rows must be two sets, of training and of test inputs; got {shown(rows)}")
    chosen = []
    for part, own, x, y, fewest in zip(FEWEST, rows, examples.x, examples.y, (1, 0), strict=True):
        own = (
            np.zeros(0, int)
            if isinstance(own, list | tuple) and not own
            else check_integers(f"{part} rows", own, f"a list of at least {fewest} integers")
        )
        if own.ndim != 1 or len(own) < fewest:
            raise ValueError(f"{part} rows must be a list of at least {fewest} integers; got {own!r}")
        if len(own) and not 0 <= own.min() <= own.max() < len(y):
            raise ValueError(f"{part} rows must lie from 0 to {len(y) - 1}; got {own.min()} to {own.max()}")
        chosen.append((at_rows(x, own), y[own], own, np.full(len(own), part == "training")))
    return Inputs(*(jax.tree.map(lambda *two: np.concatenate(two), *part) for part in zip(*chosen, strict=True)))


def _drawn(key: jax.Array, examples: Examples, classes: list[int], per_class: int) -> tuple[np.ndarray, np.ndarray]:
    train, test = draw_rows(key, examples.y, classes, per_class)
    missing = [label for label, own in zip(classes, train, strict=True) if not len(own)]
    if missing:
        name = examples.data.class_names[missing[0]]
        raise ValueError(f"{examples.data.name} has no training inputs of class {name}: leave it out (classes=)")
    return np.concatenate(train), np.concatenate(test)


def tables_of(run: RunFolder | None, name: str, model: Any, inputs: Inputs, masking: Masking) -> np.ndarray:
    """The tables of a few inputs, float32 (inputs, 2**n), a piece of a run; values that are not finite stay there."""
    found = None if run is None else run.read(name)
    if found is None:
        size = max(len(inputs), _TABULATED_AT_ONCE)
        rows = np.minimum(np.arange(size), len(inputs) - 1)  # the last one repeated: one shape, compiled once
        kept = None if run is None else lambda call: run.partial(f"{name}-{call}")
        tables = tables_in(model, at_rows(inputs.x, rows), inputs.labels[rows], masking, kept=kept)[: len(inputs)]
        found = {"tables": tables}
        if run is not None:
            run.write(name, found)
    return found["tables"]


def tabulate(
    run: RunFolder | None, model: Any, inputs: Inputs, masking: Masking, advance: Callable[[int, int], Any]
) -> np.ndarray:
    """The tables of all inputs, float32 (inputs, 2**n); a run's folder keeps them piece by piece."""
    tables = []
    for start in range(0, len(inputs), _TABULATED_AT_ONCE):
        part = inputs[start : start + _TABULATED_AT_ONCE]
        tables.append(tables_of(run, f"tables{start}", model, part, masking))
        advance(min(start + _TABULATED_AT_ONCE, len(inputs)), len(inputs))
    return np.concatenate(tables)
