"""Examples of inputs that are several arrays, and data given as arrays in the place of a data set."""

import dataclasses
from typing import Any, ClassVar

import jax
import numpy as np

from interjax._core._checks import check_array, check_known
from interjax.datasets._checks import as_class_numbers, as_targets
from interjax.datasets._dataset import Dataset
from interjax.games._apply import is_several, shown_shapes
from interjax.games._batches import as_inputs, at_rows, like_batch, rows_of

_NAME = "the data"
_WANTED = (
    "an ij.datasets.Dataset or arrays, (training inputs, labels, test inputs, labels), inputs of several arrays in "
    "dicts and tuples"
)


@dataclasses.dataclass(frozen=True, eq=False)
class TreeExamples:
    """Training and test examples whose inputs are several arrays: what of a `Dataset` there is of them.

    Attributes:
        train_x, test_x: pytrees of NumPy arrays (N, ...).
        train_y, test_y: class indices, or the numbers to predict, (N,).
        n_classes: 0 in a regression.
    """

    train_x: Any
    train_y: np.ndarray
    test_x: Any
    test_y: np.ndarray
    n_classes: int
    name: str = _NAME
    is_image: ClassVar[bool] = False
    player_labels: ClassVar[None] = None
    normalization: ClassVar[None] = None

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers to predict."""
        return not self.n_classes

    @property
    def n_outputs(self) -> int:
        """Number of a network's outputs at least."""
        return self.n_classes or 1

    @property
    def class_names(self) -> tuple[str, ...]:
        """The numbers of the classes."""
        return tuple(map(str, range(self.n_classes)))


Data = Dataset | TreeExamples


def data_of(data: Any, *, least: int = 4) -> tuple[Data, bool]:
    """A data set, or arrays as one, and whether it has test examples; ValueError that names them.

    Args:
        data: a `Dataset`; or (training inputs, labels, test inputs, labels), labels of integers for classes and of
            floats for numbers to predict.
        least: 2 where the test examples may be left out; they are the training examples then.
    """
    if isinstance(data, Dataset):
        return data, True
    if not isinstance(data, tuple | list) or len(data) not in {least, 4}:
        wanted = _WANTED if least == 4 else _WANTED.replace("arrays, (", "arrays, (inputs, labels) or (")
        got = f"{len(data)} of them" if isinstance(data, tuple | list) else type(data).__name__
        raise ValueError(f"data must be {wanted}; got {got}")
    check_known("data", data)
    xs, ys = list(data[::2]), [np.asarray(check_array("labels of data", each)) for each in data[1::2]]
    has_test = len(data) == 4 and ys[1].size > 0
    if not has_test:
        if least == 4:
            raise ValueError("data must hold test examples, at least one; got none")
        xs, ys = xs[:1] * 2, ys[:1] * 2
    return (_of_trees if any(map(is_several, xs)) else _of_arrays)(xs, ys), has_test


def _task(ys: list[np.ndarray]) -> str:
    return "regression" if any(y.dtype.kind == "f" for y in ys) else "classification"


def _of_arrays(xs: list[Any], ys: list[np.ndarray]) -> Dataset:
    task = _task(ys)
    names = () if task == "regression" else tuple(map(str, range(1 + max(int(y.max(initial=0)) for y in ys))))
    return Dataset(xs[0], ys[0], xs[1], ys[1], _NAME, names, task=task)


def _of_trees(xs: list[Any], ys: list[np.ndarray]) -> TreeExamples:
    found: list[Any] = []
    is_regression = _task(ys) == "regression"
    for part, x, y in zip(("training", "test"), xs, ys, strict=True):
        x = as_inputs(x, f"{part} inputs of data")
        if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(x)):
            raise ValueError(f"{part} inputs of data must be finite, got NaN or infinite values: leave these rows out")
        y = (as_targets if is_regression else as_class_numbers)(f"{part} labels of data", y)
        if y.shape != (rows_of(x),):
            raise ValueError(f"{part} labels of data must be one for each of {rows_of(x)} inputs; got shape {y.shape}")
        if not is_regression and y.min() < 0:
            raise ValueError(f"{part} labels of data must be class numbers from 0 on, got {y.min()}")
        found += [x, y]
    if like_batch(found[0], 1) != like_batch(found[2], 1):
        raise ValueError(
            f"test inputs of data must be arrays of the form, the types and the shapes of the training inputs, "
            f"{shown_shapes(at_rows(found[0], 0))}; got {shown_shapes(at_rows(found[2], 0))}"
        )
    classes = 0 if is_regression else 1 + max(int(y.max()) for y in (found[1], found[3]))
    return TreeExamples(*found, n_classes=classes)
