"""Data sets with their players: digits (bundled with scikit-learn), MNIST, CIFAR-10, Adult and any CSV file."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interjax.datasets._archives import expanded
from interjax.datasets._dataset import Dataset
from interjax.datasets._idx import read_mnist
from interjax.datasets._images import read_cifar
from interjax.datasets._splits import check_limit, stratified
from interjax.datasets._tables import table

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
    pixels, labels = _digits_of_sklearn()
    images = pixels.reshape(-1, 8, 8, 1) / 16.0
    names = tuple(str(digit) for digit in range(10))
    test = stratified(labels, names, test_fraction=0.2, seed=0, stacklevel=3)
    return Dataset(images[~test], labels[~test], images[test], labels[test], "digits", names)


def _digits_of_sklearn() -> tuple[np.ndarray, np.ndarray]:
    """Pixels (1797, 64) from 0 to 16 and labels, from scikit-learn's file where it is: importing it takes seconds."""
    found = importlib.util.find_spec("sklearn")
    for place in (found and found.submodule_search_locations) or ():
        path = Path(place, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            table = np.loadtxt(path, delimiter=",")
            return table[:, :-1], table[:, -1].astype(int)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError('the digits come with scikit-learn: pip install "interjax[cli]"') from error
    pixels, labels = map(np.asarray, load_digits(return_X_y=True))
    return pixels, labels


def mnist(folder: PathLike, *, limit: int | None = None) -> Dataset:
    """MNIST from its four IDX files, gzip or not: 60,000 training and 10,000 test images of 28x28 pixels.

    x = pixel / 255, in [0, 1].

    Args:
        folder: holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and
            t10k-labels-idx1-ubyte, each possibly with .gz (.bz2, .xz, .zip), or spelled train-images.idx3-ubyte and so
            on; in the folder itself, in raw/ or, as torchvision keeps them, in MNIST/raw/.
        limit: the number of images of each class to keep, for quick runs; all by default.

    Returns:
        Inputs (28, 28, 1), 10 classes.

    Raises:
        ValueError: a file is missing, damaged, or does not fit the others.
    """
    (train_x, train_y), (test_x, test_y) = read_mnist(expanded("folder", folder), check_limit(limit))
    train_x, test_x = (images[..., None] / np.float32(255.0) for images in (train_x, test_x))
    return Dataset(train_x, train_y, test_x, test_y, "mnist", tuple(str(digit) for digit in range(10)))


def cifar10(source: PathLike, *, limit: int | None = None) -> Dataset:
    """CIFAR-10, or any set of equally large colour images in class folders.

    x = (pixel / 255 - mean) / std with the training set's mean and standard deviation of each channel, so
    that 0 is the channel's mean. Images are turned upright as their EXIF says; grey is repeated in each channel, 16-bit
    grey rounded to 8 bits; a transparent image is refused.

    Args:
        source: a folder, a tar (.tar, .tar.gz, .tar.bz2, .tar.xz) or a zip, read without unpacking to disk, that holds
            either the binary version (data_batch_1.bin .. data_batch_5.bin, test_batch.bin) or images in train/CLASS/
            and test/CLASS/ (.jpg, .png). Links to folders and files are followed.
        limit: the number of images of each class to read for training, and as many for testing.

    Returns:
        Inputs (32, 32, 3), 10 classes; `normalization` holds mean and std.

    Raises:
        ValueError: a file is missing or damaged, images differ in size, one has more than 2048x2048 pixels, or an
            archive or a split takes more than 4 GiB unpacked.
        ImportError: images without pillow installed.
    """
    (train_x, train_y), (test_x, test_y), names = read_cifar(expanded("source", source), check_limit(limit))
    mean, scale = _channel_statistics(train_x)
    train_x, test_x = ((pixels / np.float32(255.0) - mean) / scale for pixels in (train_x, test_x))
    return Dataset(train_x, train_y, test_x, test_y, "cifar10", names, normalization=(mean, scale))


def adult(
    file: PathLike, *, label: str | int = "income-per-year", test_fraction: float = 0.2, seed: int = 0
) -> Dataset:
    """The Adult census table: 14 columns as 14 players, and whether the income is above 50,000.

    No row and no column is left out; "?" is a category of its own.

    Args:
        file: CSV, packed or not, with a header row, or UCI's adult.data or adult.test, which have none; their comment
            line and the dot behind adult.test's classes are left out.
        label: column with the two income classes.
        test_fraction: part of each class held out for testing, in (0, 1).
        seed: of the split.

    Returns:
        Inputs (108,) for UCI's training file, 2 classes; `player_labels` joins the entries of each column.

    Raises:
        ValueError: the file is missing or is no such table.
    """
    return table(
        expanded("file", file),
        "adult",
        label,
        categorical=None,
        numeric=None,
        drop=(),
        header=None,
        separator=None,
        decimal=".",
        test_fraction=test_fraction,
        seed=seed,
        known_names=ADULT_COLUMNS,
        comments="|",
        spelling=lambda cell: cell.rstrip("."),
    )


def csv(
    file: PathLike,
    *,
    label: str | int,
    categorical: Sequence[str | int] | None = None,
    numeric: Sequence[str | int] | None = None,
    drop: Sequence[str | int] = (),
    header: bool | None = None,
    separator: str | None = None,
    decimal: str = ".",
    test_fraction: float = 0.2,
    seed: int = 0,
    task: str = "classification",
) -> Dataset:
    """A table from a CSV file: numeric columns standardised, categorical ones one-hot, one player a column.

    x = (value - mean) / std with the training rows' statistics, std = 1 for a constant column; a missing number (an
    empty cell, ?, NA, N/A, NaN, null or None) becomes the training mean, with a warning; in a column of texts each of
    these is a category like any other.

    Nothing is guessed: a column that holds amounts (1,420, $5, 12%, 007), dates, or numbers and texts is refused with
    the cell that shows it, as are identifiers and row numbers without a name, until `drop`, `categorical` or `numeric`
    says what it is; a named column that counts the rows is told.

    Args:
        file: CSV in UTF-8, packed (gzip, bzip2, xz, a zip of one file) or not. Lines before the header that start with
            "#" are comments; an empty last column without a name is left out.
        label: name or index of the column with the class. An empty cell and "?" are refused; "NA", "None" and the like
            are classes beside other texts, with a warning, and refused beside numbers. Spellings of one class (Yes and
            yes, 0 and 0.0) are refused.
        categorical: columns to read as categories although their values are numbers, dates or all different.
        numeric: columns of numbers that are measurements although they count the rows or are called id.
        drop: columns to leave out (identifiers, free text).
        header: True, the first line has the columns' names; False, it is data and they are called column_0, column_1,
            ...; by default it has the names, and is refused where it looks like data.
        separator: the character between cells; by default the one of comma, semicolon, tab and | that cuts all lines
            into equally many.
        decimal: the mark in numbers, "." or ",".
        test_fraction: part of each class held out for testing, in (0, 1).
        seed: of the split, 0 or larger.
        task: "classification"; or "regression", in which the label is a number to predict, standardised as numeric
            columns are (`label_normalization` has its mean and scale).

    Returns:
        Inputs (entries,) with `feature_names`, `player_labels`, `player_names` and `normalization`.

    Raises:
        ValueError: a file that is missing, no text or unpacks to more than 4 GiB, a ragged line, an unknown column, a
            label that is no class, or no number in a regression, a class of one row, a column that is not clear.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "fruit.csv"
        >>> _ = path.write_text("grams,colour,sweet\\n100,red,yes\\n150,green,no\\n90,red,yes\\n170,blue,no\\n")
        >>> csv(path, label="sweet", test_fraction=0.5).feature_names
        ('grams', 'colour=blue', 'colour=green', 'colour=red')
    """
    path = expanded("file", file)
    return table(
        path,
        path.name.split(".")[0],
        label,
        categorical=categorical,
        numeric=numeric,
        drop=drop,
        header=header,
        separator=separator,
        decimal=decimal,
        test_fraction=test_fraction,
        seed=seed,
        task=task,
    )


def load(where: str, **options: Any) -> Dataset:
    """A data set by one string, as the command line takes it.

    Args:
        where: "digits", "mnist:FOLDER", "cifar10:FOLDER_OR_TAR", "adult:FILE" or "csv:FILE:LABEL". File and label may
            hold colons: the file is the part that exists.
        options: keyword arguments of that loader, e.g. `limit=100`.

    Returns:
        The data set.

    Raises:
        ValueError: an unknown name, a missing path, or what the loader finds wrong.

    Example:
        >>> load("digits")
        Dataset('digits', 1438 training and 359 test inputs of shape (8, 8, 1), 10 classes)
    """
    name, _, path = where.partition(":") if isinstance(where, str) else ("", "", "")
    if name == "digits" and not path:
        return digits(**options)
    if name == "csv":
        file, label = _file_and_label(path)
        if file and label:
            return csv(file, label=label, **options)
    loaders = {"mnist": mnist, "cifar10": cifar10, "adult": adult}
    if name in loaders and path:
        return loaders[name](path, **options)
    raise ValueError(
        f"where: unknown data set {where!r}: expected digits, mnist:FOLDER, cifar10:FOLDER_OR_TAR, adult:FILE or "
        "csv:FILE:LABEL"
    )


def _file_and_label(text: str) -> tuple[str, str]:
    """FILE and LABEL of FILE:LABEL, cut at the colon before which a file is found; at the last if none is."""
    cuts = [(text[:place], text[place + 1 :]) for place, letter in enumerate(text) if letter == ":"]
    found = [(file, label) for file, label in cuts if file and label and expanded("file", file).is_file()]
    if len(found) > 1:
        raise ValueError(
            f"csv:{text} may be the file {found[0][0]} with label {found[0][1]}, or {found[1][0]} with {found[1][1]}: "
            "both files exist; rename one"
        )
    return (found or cuts[::-1] or [("", "")])[0]


def _channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel of uint8 images, on the scale [0, 1]."""
    counts = [np.bincount(images[..., channel].ravel(), minlength=256) for channel in range(images.shape[-1])]
    frequency, level = np.stack(counts) / (images.size / images.shape[-1]), np.arange(256) / 255.0
    mean = frequency @ level
    scale = np.sqrt(np.maximum(frequency @ level**2 - mean**2, 0.0))
    return mean.astype(np.float32), np.where(scale > 0, scale, 1.0).astype(np.float32)
