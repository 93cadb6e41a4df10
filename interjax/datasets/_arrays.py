"""A data set from what is in memory: NumPy, JAX, lists, pandas, and tensors that NumPy can read."""

import sys
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from interjax._core._checks import check_choice
from interjax.datasets._cells import is_missing
from interjax.datasets._checks import as_array, as_inputs, as_names, as_targets
from interjax.datasets._dataset import TASKS, Dataset
from interjax.datasets._labels import check_class_count, check_spellings
from interjax.datasets._splits import check_split, held_out_rows, stratified

_KINDS = ((str,), (bool, np.bool_), (int, np.integer), (float, np.floating))
_PLAIN = tuple(kind for kinds in _KINDS for kind in kinds)
_LEAST_RESOLUTION = 0.01
"""Of a feature's standard deviation: float32 must keep what is finer."""
_APART, _LOOKED_AT = 100, 1000  # how many times larger entries of another scale are, and of how many inputs


def from_arrays(
    train_x: Any,
    train_y: Any,
    test_x: Any = None,
    test_y: Any = None,
    *,
    name: str = "arrays",
    class_names: Sequence[str] | None = None,
    feature_names: Sequence[str] | None = None,
    player_labels: Any = None,
    player_names: Sequence[str] | None = None,
    normalization: tuple[Any, Any] | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    task: str = "classification",
) -> Dataset:
    """A data set of arrays: NumPy, JAX, lists, pandas, or tensors of another framework that NumPy can read.

    The inputs are kept as they are given, in float32: nothing is scaled (pixels 0..255 stay so) and nothing filled in.

    Args:
        train_x: real numbers (N, *input_shape); images are (N, height, width, channels). Of a DataFrame each column is
            an input's entry, by its name.
        train_y: a label for each input, (N,): integers, texts or booleans. Without `class_names` the classes are the
            different training labels in order, so that labels 1, 2, 5 become class numbers 0, 1, 2. In a regression
            the number to predict of each, kept as it is.
        test_x: inputs held out, (M, *input_shape). Without them a part of each class is held out.
        test_y: their labels, (M,), of the training set's classes.
        name: what the data set is called in results.
        class_names: one name for each class. Integer labels are then class numbers from 0 on, texts are of the names.
        feature_names: a name for each entry of an input; by default the columns of a DataFrame.
        player_labels: int (*input_shape), the player that each entry belongs to, numbered 0..n-1, so that the one-hot
            entries of one column act as one.
        player_names: a name for each player; by default those of the features, where each is a player.
        normalization: (mean, scale) that was taken off the inputs: raw = x * scale + mean.
        test_fraction: part of each class held out for testing where no `test_x` is given, in (0, 1).
        seed: of that split.
        task: "classification", or "regression", in which labels are numbers to predict.

    Returns:
        The data set.

    Raises:
        ValueError: inputs that are text, complex, masked, ragged, not finite or too large or fine for float32; labels
            with fractions, missing ones, ones that differ in spelling only, test labels that no training example has;
            lengths, columns or row indices (pandas) that do not fit together.

    Example:
        >>> x = np.arange(20.0).reshape(10, 2)
        >>> data = from_arrays(x, ["no", "yes"] * 5, feature_names=["width", "height"])
        >>> data.class_names, data.train_y.shape, data.test_x.shape
        (('no', 'yes'), (8,), (2, 2))
    """
    if (test_x is None) != (test_y is None):
        raise ValueError("test_x and test_y go together: give both, or neither to have a part of train_x held out")
    check_split(test_fraction, seed)
    check_choice("task", task, TASKS)
    is_regression = task == "regression"
    if class_names is not None:
        if is_regression:
            raise ValueError('class_names must be left out with task="regression", which has no classes')
        class_names = as_names("class_names", class_names, None)
    x, columns = _inputs("train_x", train_x)
    labels = _targets("train_y", train_y) if is_regression else _labels("train_y", train_y)
    _check_rows("train", train_x, train_y, x, labels)
    classes, names = None, class_names or ()
    if not is_regression:
        classes = np.unique(labels) if class_names is None else None
        names = class_names or tuple(map(str, np.unique(labels)))
    y = labels if is_regression else _numbered("train_y", labels, classes, class_names)
    if classes is not None:
        check_class_count("train_y", names, len(y), most=len(y) if test_x is not None else max(2, len(y) // 2))
        check_spellings("train_y", names)
        _warn_of_missing(names)
    if test_x is None:
        held: dict[str, Any] = {"test_fraction": test_fraction, "seed": seed}
        test = held_out_rows(len(y), **held) if is_regression else stratified(y, names, **held, stacklevel=3)
        parts = (x[~test], y[~test], x[test], y[test])
    else:
        held_out, its_columns = _inputs("test_x", test_x)
        if columns != its_columns:
            raise ValueError(f"test_x must have the columns of train_x in its order, {columns}; got {its_columns}")
        test_labels = _targets("test_y", test_y) if is_regression else _labels("test_y", test_y)
        _check_rows("test", test_x, test_y, held_out, test_labels)
        test_y = test_labels if is_regression else _numbered("test_y", test_labels, classes, class_names)
        parts = (x, y, held_out, test_y)
        _check_one_scale(train_x, test_x)
        _warn_of_scales(x, held_out)
    _warn_of_channels(x)
    if feature_names is not None and player_labels is None:  # else entries of one player may share its name
        feature_names = as_names("feature_names", feature_names, None)
    feature_names = columns if feature_names is None else feature_names
    if player_names is None and player_labels is None and x.ndim == 2:
        player_names = feature_names
    return Dataset(
        *parts,
        name,
        names,
        feature_names=feature_names,  # type: ignore[arg-type]  # made tuples there
        player_labels=player_labels,
        player_names=player_names,  # type: ignore[arg-type]
        normalization=normalization,
        task=task,
    )


def _targets(name: str, values: Any) -> np.ndarray:
    """Numbers to predict (N,), of which float32 keeps what differs."""
    array = as_array(name, values)
    if array.ndim == 2 and array.shape[1] == 1:
        raise ValueError(f"{name} must be numbers to predict (N,), got shape {array.shape}: call .ravel()")
    found = as_targets(name, array)
    if found.size and array.dtype.itemsize > 2 and array.dtype.kind in "iuf" and array.dtype != np.float32:
        _check_resolution(name, array[:, None], ("the label",))
    return found


def _inputs(name: str, values: Any) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """The inputs as float32, and the column names of a DataFrame."""
    columns = None
    if _is_pandas(values, "DataFrame"):
        columns = tuple(map(str, values.columns))
        _check_columns(name, values, columns)
        values = values.to_numpy(np.float64, na_value=np.nan)
        missing = np.isnan(values).any(axis=0)
        if missing.any():
            raise ValueError(
                f"{name}: column {columns[int(missing.argmax())]!r} has missing values: fill them or leave rows out"
            )
    array = as_array(name, values)
    if array.ndim < 2:
        raise ValueError(f"{name} must be inputs (N, ...), got shape {array.shape}: a single feature is (N, 1)")
    x = as_inputs(name, array)
    if x.size and array.dtype.itemsize > 2 and array.dtype.kind in "iuf" and array.dtype != np.float32:
        _check_resolution(name, array, columns)
    return x, columns


def _check_columns(name: str, frame: Any, columns: tuple[str, ...]) -> None:
    if len(set(columns)) < len(columns):
        raise ValueError(f"{name} has two columns of one name, {columns}: rename or drop one")
    for column, kind in zip(columns, frame.dtypes, strict=True):
        if getattr(kind, "kind", "O") not in "biuf":
            raise ValueError(
                f"{name}: column {column!r} holds no numbers but {kind}: encode it (pandas.get_dummies) or drop it; or "
                "write the table as CSV for ij.datasets.csv, which encodes texts"
            )


def _check_rows(split: str, x: Any, y: Any, inputs: np.ndarray, labels: np.ndarray) -> None:
    """Raise ValueError for unequal numbers, or pandas objects whose rows would be matched by place, not by index."""
    if len(inputs) != len(labels) or not inputs.size:
        raise ValueError(
            f"{split}_x and {split}_y must be as many inputs as labels, got shapes {inputs.shape} and {labels.shape}"
        )
    if _is_pandas(x, "DataFrame") and _is_pandas(y, "Series") and not x.index.equals(y.index):
        raise ValueError(
            f"{split}_x and {split}_y have different row indices, but rows are matched by place: reorder one, or call "
            ".reset_index(drop=True) on both if they are in one order"
        )


def _check_resolution(name: str, array: np.ndarray, columns: tuple[str, ...] | None) -> None:
    """Raise ValueError where float32 keeps a feature so coarsely that its values merge, as beside a large offset."""
    peak = np.maximum(array.max(axis=0), -array.min(axis=0).astype(np.float64))
    if array.dtype.kind in "iu" and peak.max() <= 2**24:
        return
    spread = array.std(axis=0, dtype=np.float64)
    least = 1e-12 * peak
    if array.dtype.kind in "iu":  # large ones may be equal in double precision, too
        spread, least = np.where(array.max(axis=0) > array.min(axis=0), np.maximum(spread, 0.5), 0.0), 0.0
    suspect = (peak * 2.0**-24 > _LEAST_RESOLUTION * spread) & (spread > least)
    for place in zip(*np.nonzero(suspect), strict=True):
        values = array[(slice(None), *place)]
        rounded, wide = values.astype(np.float32), object if array.dtype.kind in "iu" else np.float64
        kept = np.array([int(each) for each in rounded], object) if wide is object else rounded
        rounding = float(np.abs(values.astype(wide) - kept).max())
        if rounding > _LEAST_RESOLUTION * spread[place]:
            entry = repr(columns[place[0]]) if columns else ", ".join(str(int(axis)) for axis in place)
            spread_over = values.max().item() - values.min().item()  # of Python, whose integers do not wrap
            raise ValueError(
                f"{name}: float32 rounds entry {entry} by up to {rounding:.1e} where its values spread over "
                f"{spread_over:.1e}: subtract its mean, and divide by its deviation, first"
            )


def _labels(name: str, values: Any) -> np.ndarray:
    """Labels (N,) of integers, texts or booleans."""
    if isinstance(values, list | tuple) and all(isinstance(label, _PLAIN) or label is None for label in values):
        values = np.array([*values, None], object)[:-1]  # as they are: beside a text NumPy makes texts of all
    array = as_array(name, values)
    if array.ndim != 1:
        column = array.ndim == 2 and array.shape[1] == 1
        raise ValueError(
            f"{name} must be labels (N,), got shape {array.shape}: "
            + ("call .ravel()" if column else "of one-hot rows take argmax(axis=1)")
        )
    if array.dtype.kind not in "biufU":
        array = _of_one_kind(name, array.tolist())
    if array.dtype.kind == "U" and any(not label.strip() for label in np.unique(array)):
        row = [not label.strip() for label in array].index(True)
        raise ValueError(f"{name} has an empty label in row {row}, counted from 0: leave such rows out")
    if array.dtype.kind == "f":
        wrong = array[~(np.isfinite(array) & (array == np.floor(array)) & (np.abs(array) < 2**53))]
        if len(wrong):
            raise ValueError(
                f"{name} must be classes (integers, texts or booleans), got {wrong[0]}: a number to be predicted wants "
                'task="regression"; leave out rows without a label'
            )
        array = array.astype(np.int64)
    return array


def _of_one_kind(name: str, labels: list[Any]) -> np.ndarray:
    """Labels that an array of objects holds, as pandas keeps texts: all texts, booleans, integers or floats."""
    kinds = {next((kind for kind in _KINDS if isinstance(label, kind)), (type(label),)) for label in labels}
    if len(kinds) == 1 and kinds <= set(_KINDS):
        return np.array(labels)
    raise ValueError(
        f"{name} must be classes (integers, texts or booleans), all of one kind; got "
        f"{', '.join(sorted(kind[0].__name__ for kind in kinds))}: leave out rows without a label"
    )


def _warn_of_missing(names: Sequence[str]) -> None:
    for word in filter(is_missing, names):
        warnings.warn(
            f"train_y holds {word!r}, which is read as a class of that name; leave such rows out if it says that the "
            "label is missing",
            stacklevel=3,
        )


def _numbered(name: str, labels: np.ndarray, classes: np.ndarray | None, names: Sequence[str] | None) -> np.ndarray:
    """The class number of each label, of the training labels' classes or of the named ones."""
    if classes is None and labels.dtype.kind != "U":
        return labels
    if classes is None:
        classes, order = np.sort(np.array(names)), np.argsort(np.array(names))
    else:
        order = np.arange(len(classes))
    if any((labels.dtype.kind == kind) != (classes.dtype.kind == kind) for kind in "Ub"):
        raise ValueError(f"{name} must be labels of the kind of train_y, {classes.dtype}; got {labels.dtype}")
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(
            f"{name} holds {unknown[:3].tolist()}, not among the classes {classes[:10].tolist()}: leave such rows out, "
            "or name all classes by class_names="
        )
    return order[np.searchsorted(classes, labels)]


def _check_one_scale(train_x: Any, test_x: Any) -> None:
    """Raise ValueError for pixels from 0 to 255 in one split and fractions in the other."""
    kinds = [as_array(name, values).dtype for name, values in (("train_x", train_x), ("test_x", test_x))]
    if (kinds[0] == np.uint8) != (kinds[1] == np.uint8):
        raise ValueError(
            f"train_x and test_x must be on one scale: train_x is {kinds[0]}, test_x is {kinds[1]}; give both as they "
            "were read, or divide the one of uint8 by 255 if the other is"
        )


def _warn_of_scales(train_x: np.ndarray, test_x: np.ndarray) -> None:
    """Warn of splits whose entries differ in size as pixels from 0 to 255 and from 0 to 1 do."""
    sizes = [float(np.abs(x[:: -(-len(x) // _LOOKED_AT)]).mean(dtype=np.float64)) for x in (train_x, test_x)]
    if min(sizes) > 0 and max(sizes) >= _APART * min(sizes):
        warnings.warn(
            f"train_x and test_x seem to be on different scales: the mean size of an entry is {sizes[0]:.3g} in "
            f"train_x and {sizes[1]:.3g} in test_x; scale both alike",
            stacklevel=3,
        )


def _warn_of_channels(x: np.ndarray) -> None:
    """Warn of images that seem to have their channels first."""
    shape = x.shape[1:]
    if len(shape) == 3 and shape[0] in (1, 3) and shape[1] == shape[2] > 4:
        warnings.warn(
            f"inputs of shape {shape} seem to be images with their channels first, but are read as (height, width, "
            "channels): move the axis, x.transpose(0, 2, 3, 1)",
            stacklevel=3,
        )


def _is_pandas(values: Any, kind: str) -> bool:
    """Whether it is a pandas object, without importing pandas where nobody has."""
    return "pandas" in sys.modules and isinstance(values, getattr(sys.modules["pandas"], kind))
