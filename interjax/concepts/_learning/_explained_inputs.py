"""What is explained at every checkpoint of a run: the inputs, and the graded examples."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_count, check_integers, check_several, shown
from interjax.concepts._input_rows import FEWEST, draw_rows
from interjax.datasets._examples import Data
from interjax.evaluation._rounds import Grades
from interjax.games._apply import as_classifier, gives_one
from interjax.games._batches import at_rows, like_batch
from interjax.games._inputs import inputs_program
from interjax.games._models import as_apply

Examples = tuple[Any, np.ndarray]  # inputs, class numbers
_GRADED_AT_ONCE = 500


@dataclasses.dataclass(frozen=True)
class ExplainedInputs:
    """What is explained and graded at every checkpoint."""

    data: Data
    train_rows: np.ndarray
    test_rows: np.ndarray
    graded: tuple[Examples, Examples]

    @property
    def x(self) -> Any:
        parts = at_rows(self.data.train_x, self.train_rows), at_rows(self.data.test_x, self.test_rows)
        return jax.tree.map(lambda *two: np.concatenate(two), *parts)

    @property
    def labels(self) -> np.ndarray:
        return np.concatenate([self.data.train_y[self.train_rows], self.data.test_y[self.test_rows]])

    @property
    def is_train(self) -> np.ndarray:
        return np.arange(len(self.train_rows) + len(self.test_rows)) < len(self.train_rows)

    @property
    def classes(self) -> np.ndarray:
        return np.unique(self.labels)


def choose_inputs(
    key: Array,
    data: Data,
    classes: Sequence[int] | None,
    per_class: int,
    rows: tuple[Any, Any] | None,
    graded: int,
) -> ExplainedInputs:
    """Draw the inputs to explain, unless their rows are given, and the examples to grade."""
    draw_key, *grade_keys = jax.random.split(key, 3)
    chosen = _draw_rows(draw_key, data, classes, per_class) if rows is None else _given_rows(rows, data)
    parts = zip(grade_keys, ((data.train_x, data.train_y), (data.test_x, data.test_y)), strict=True)
    drawn = [_draw_examples(own, *part, check_count("graded", graded)) for own, part in parts]
    return ExplainedInputs(data, *chosen, graded=(drawn[0], drawn[1]))


def _draw_examples(key: Array, x: Any, y: np.ndarray, count: int) -> Examples:
    rows = np.sort(np.asarray(jax.random.permutation(key, len(y)))[:count])
    return at_rows(x, rows), y[rows]


def _draw_rows(key: Array, data: Data, classes: Sequence[int] | None, per_class: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of training and half as many test inputs of each class, class by class."""
    per_class = check_count("inputs_per_class", per_class)
    wanted = list(range(data.n_classes)) if classes is None else check_several("classes", classes)
    for label in wanted:
        check_count("each of classes", label, least=0, most=data.n_classes - 1, about=f"a class of {data.name}")
    if len(set(wanted)) < len(wanted):
        raise ValueError(f"classes must be distinct, got {wanted}")
    if not wanted:
        raise ValueError(f"classes must name at least one of the {data.n_classes} classes of {data.name}, got none")
    found = draw_rows(key, (data.train_y, data.test_y), wanted, per_class)
    for label, *rows in zip(wanted, *found, strict=True):
        _check_enough(data, label, *map(len, rows))
    train, test = map(np.concatenate, found)
    return train, test


def _given_rows(rows: tuple[Any, Any], data: Data) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(rows, tuple | list) or len(rows) != 2:
        raise ValueError(f"rows must be two sets, of training and of test inputs; got {shown(rows)}")
    found = []
    for part, chosen, labels in zip(FEWEST, rows, (data.train_y, data.test_y), strict=True):
        chosen = check_integers(f"rows of {part} inputs", chosen, "a list of integers")
        is_rows = chosen.ndim == 1 and len(chosen)
        if not is_rows or chosen.min() < 0 or chosen.max() >= len(labels):
            raise ValueError(f"{part} rows must be integers from 0 to {len(labels) - 1}, at least one; got {chosen}")
        found.append(chosen)
    given = data.train_y[found[0]], data.test_y[found[1]]
    for label in np.unique(np.concatenate(given)):
        _check_enough(data, label, *(int(np.sum(labels == label)) for labels in given))
    return found[0], found[1]


def _check_enough(data: Data, label: int, *counts: int) -> None:
    """Raise ValueError unless so many training and test inputs of a class let similarities be measured."""
    for (part, fewest), count in zip(FEWEST.items(), counts, strict=True):
        if count < fewest:
            raise ValueError(
                f"class {label} gives {count} {part} inputs of {data.name}, similarities need {fewest}: ask for more "
                "(inputs_per_class=), or leave the class out (classes=)"
            )


def grade(model: Any, x: Any, y: np.ndarray) -> np.ndarray:
    """Mean cross entropy in nats and accuracy, (2,); NaN if the network's outputs are no logits of these classes."""
    apply, params = as_apply(model, x)
    size = min(_GRADED_AT_ONCE, len(y))
    logits: Any = jax.eval_shape(apply, params, like_batch(x, size))
    is_one, shape = gives_one(logits), getattr(logits, "shape", (0,))
    if (not is_one and len(shape) != 2) or (2 if is_one else shape[-1]) <= y.max():
        return np.full(2, np.nan)
    apply = as_classifier(apply, logits)
    correct, loss, _ = inputs_program(Grades(apply), params, (x, y), size).values((x, y))
    return np.array([loss.mean(dtype=np.float64), correct.mean()])
