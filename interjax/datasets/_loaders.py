"""Data sets with their players: digits (bundled with scikit-learn), MNIST, CIFAR-10, Adult and any CSV file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interjax._core._checks import check_number
from interjax.datasets import _csv as _tables
from interjax.datasets import _images
from interjax.datasets._dataset import Dataset

PathLike = str | os.PathLike
ADULT_COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation"),
    *("relationship", "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country"),
    "income-per-year",
)


def digits() -> Dataset:
    """Handwritten digits of 8x8 pixels, bundled with scikit-learn: 1,438 for training, 359 for testing.

    x = pixel / 16, in [0, 1]; the split is stratified and always the same.

    Returns:
        Inputs (8, 8, 1), 10 classes.

    Raises:
        ImportError: scikit-learn is not installed.

    Example:
        >>> digits().input_shape
        (8, 8, 1)
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError('the digits come with scikit-learn: pip install "interjax[cli]"') from error
    pixels, labels = map(np.asarray, load_digits(return_X_y=True))
    images = pixels.reshape(-1, 8, 8, 1) / 16.0
    test = _stratified(labels, test_fraction=0.2, seed=0)
    names = tuple(str(digit) for digit in range(10))
    return Dataset(images[~test], labels[~test], images[test], labels[test], "digits", names)


def mnist(folder: PathLike, *, limit: int | None = None) -> Dataset:
    """MNIST from its four IDX files, gzip or not: 60,000 training and 10,000 test images of 28x28 pixels.

    x = pixel / 255, in [0, 1].

    Args:
        folder: holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
            t10k-labels-idx1-ubyte, each possibly with .gz, or spelled train-images.idx3-ubyte and so on.
        limit: the number of images of each class to keep, for quick runs; all by default.

    Returns:
        Inputs (28, 28, 1), 10 classes.

    Raises:
        ValueError: a file is missing, damaged, or does not fit the others.
    """
    (train_x, train_y), (test_x, test_y) = _images.read_mnist(Path(folder), limit)
    train_x, test_x = (images[..., None] / np.float32(255.0) for images in (train_x, test_x))
    return Dataset(train_x, train_y, test_x, test_y, "mnist", tuple(str(digit) for digit in range(10)))


def cifar10(source: PathLike, *, limit: int | None = None) -> Dataset:
    """CIFAR-10, or any set of equally large colour images in class folders.

    x = (pixel / 255 - mean) / std with the training set's mean and standard deviation of each channel, so
    that 0 is the channel's mean.

    Args:
        source: a folder or a tar (.tar, .tar.gz, .tar.xz), read without unpacking to disk, that holds either
            the binary version (data_batch_1.bin .. data_batch_5.bin, test_batch.bin) or images in
            train/CLASS/ and test/CLASS/ (.jpg, .png).
        limit: the number of images of each class to read for training, and as many for testing.

    Returns:
        Inputs (32, 32, 3), 10 classes; `normalization` holds mean and std.

    Raises:
        ValueError: a file is missing or damaged, or images differ in size.
        ImportError: images without pillow installed.
    """
    (train_x, train_y), (test_x, test_y), names = _images.read_cifar(Path(source), limit)
    mean, scale = _channel_statistics(train_x)
    train_x, test_x = ((pixels / np.float32(255.0) - mean) / scale for pixels in (train_x, test_x))
    return Dataset(train_x, train_y, test_x, test_y, "cifar10", names, normalization=(mean, scale))


def adult(
    file: PathLike, *, label: str | int = "income-per-year", test_fraction: float = 0.2, seed: int = 0
) -> Dataset:
    """The Adult census table: 14 columns as 14 players, and whether the income is above 50,000.

    No row and no column is left out; "?" is a category of its own.

    Args:
        file: CSV, gzip or not, with a header row, or UCI's adult.data, which has none.
        label: column with the two income classes.
        test_fraction: part of each class held out for testing, in (0, 1).
        seed: of the split.

    Returns:
        Inputs (108,) for UCI's training file, 2 classes; `player_labels` joins the entries of each column.

    Raises:
        ValueError: the file is missing or is no such table.
    """
    return _table(Path(file), "adult", label, (), (), test_fraction=test_fraction, seed=seed, header=ADULT_COLUMNS)


def csv(
    file: PathLike,
    *,
    label: str | int,
    categorical: Sequence[str | int] | None = None,
    drop: Sequence[str | int] = (),
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """A table from a CSV file: numeric columns standardised, categorical ones one-hot, one player a column.

    x = (value - mean) / std with the training rows' statistics; a missing number becomes the training mean,
    with a warning; a missing category is a category of its own.

    Args:
        file: CSV in UTF-8, gzip or not, separated by commas, with a header row.
        label: name or index of the column with the class.
        categorical: columns to read as categories although their values are numbers; columns with text are
            always categorical.
        drop: columns to leave out (identifiers, free text).
        test_fraction: part of each class held out for testing, in (0, 1).
        seed: of the split.

    Returns:
        Inputs (entries,) with `feature_names`, `player_labels`, `player_names` and `normalization`.

    Raises:
        ValueError: a missing or ragged file, an unknown column, a label that is no class.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "fruit.csv"
        >>> _ = path.write_text("grams,colour,sweet\\n100,red,yes\\n150,green,no\\n90,red,yes\\n170,blue,no\\n")
        >>> csv(path, label="sweet", test_fraction=0.5).feature_names
        ('grams', 'colour=blue', 'colour=green', 'colour=red')
    """
    path = Path(file)
    name = path.name.split(".")[0]
    return _table(path, name, label, categorical or (), drop, test_fraction=test_fraction, seed=seed)


def load(where: str, **options: Any) -> Dataset:
    """A data set by one string, as the command line takes it.

    Args:
        where: "digits", "mnist:FOLDER", "cifar10:FOLDER_OR_TAR", "adult:FILE" or "csv:FILE:LABEL".
        options: keyword arguments of that loader, e.g. `limit=100`.

    Returns:
        The data set.

    Raises:
        ValueError: an unknown name, a missing path, or what the loader finds wrong.

    Example:
        >>> load("digits")
        Dataset('digits', 1438 training and 359 test inputs of shape (8, 8, 1), 10 classes)
    """
    name, _, path = where.partition(":")
    if name == "digits" and not path:
        return digits(**options)
    if name == "csv":
        file, _, label = path.rpartition(":")
        if file and label:
            return csv(file, label=label, **options)
    loaders = {"mnist": mnist, "cifar10": cifar10, "adult": adult}
    if name in loaders and path:
        return loaders[name](path, **options)
    raise ValueError(
        f"unknown data set {where!r}: expected digits, mnist:FOLDER, cifar10:FOLDER_OR_TAR, adult:FILE or "
        "csv:FILE:LABEL"
    )


def _table(
    path: Path,
    name: str,
    label: str | int,
    categorical: Sequence[str | int],
    drop: Sequence[str | int],
    *,
    test_fraction: float,
    seed: int,
    header: Sequence[str] | None = None,
) -> Dataset:
    columns, rows = _tables.read_table(path, header)
    target = _tables.column_index(path, columns, label)
    left_out = {target} | {_tables.column_index(path, columns, column) for column in drop}
    kept = [index for index in range(len(columns)) if index not in left_out]
    if not kept:
        raise ValueError(f"{path}: no column is left beside the label {columns[target]!r}")
    labels, class_names = _tables.encode_labels(path, columns[target], [row[target] for row in rows])
    test = _stratified(labels, test_fraction=test_fraction, seed=seed)
    forced = {_tables.column_index(path, columns, column) for column in categorical}
    encoded = _tables.encode_features(
        path,
        [columns[index] for index in kept],
        [[row[index] for index in kept] for row in rows],
        {position for position, index in enumerate(kept) if index in forced},
        ~test,
    )
    return Dataset(
        encoded.x[~test],
        labels[~test],
        encoded.x[test],
        labels[test],
        name,
        class_names,
        feature_names=encoded.entry_names,
        player_labels=encoded.players,
        player_names=tuple(columns[index] for index in kept),
        normalization=(encoded.mean, encoded.scale),
    )


def _stratified(labels: np.ndarray, *, test_fraction: float, seed: int) -> np.ndarray:
    """Boolean (N,): the rows held out, the same fraction of every class (rounded), at least one overall."""
    check_number("test_fraction", test_fraction, "(0, 1)")
    random = np.random.default_rng(seed)
    held_out = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        held_out[rows[: min(round(test_fraction * len(rows)), len(rows) - 1)]] = True
    if not held_out.any():
        raise ValueError(f"{len(labels)} rows with test_fraction={test_fraction} leave none for testing")
    return held_out


def _channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel of uint8 images, on the scale [0, 1]."""
    counts = [np.bincount(images[..., channel].ravel(), minlength=256) for channel in range(images.shape[-1])]
    frequency, level = np.stack(counts) / (images.size / images.shape[-1]), np.arange(256) / 255.0
    mean = frequency @ level
    scale = np.sqrt(np.maximum(frequency @ level**2 - mean**2, 0.0))
    return mean.astype(np.float32), np.where(scale > 0, scale, 1.0).astype(np.float32)
