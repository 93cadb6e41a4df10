"""Tables from CSV files: numeric columns standardised, categorical ones one-hot, one player a column."""

import csv
import dataclasses
import io
import math
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from interjax.datasets._images import read_bytes

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
MOST_CATEGORIES = 1000


@dataclasses.dataclass(frozen=True)
class Encoded:
    """A table as numbers: `x` (rows, entries), each entry's name, player, and mean and scale taken off."""

    x: np.ndarray
    entry_names: tuple[str, ...]
    players: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


def read_table(path: Path, header: Sequence[str] | None = None) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV file, gzip or not, cells stripped; raises ValueError on anything but a table.

    Where `header` is given, it is used if the file starts with data (a number in the first cell).
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
        lines = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read as a CSV file in UTF-8 ({error})") from error
    if header is None or not lines or _number(lines[0][1][0]) is None:
        header, lines = (lines[0][1], lines[1:]) if lines else ([], [])
    header = list(header)
    if len(lines) < 2:
        raise ValueError(f"{path} holds {len(lines)} rows: expected a header row and at least two rows of data")
    if len(header) < 2:
        hint = "; its separator seems to be ';', a comma is needed" if ";" in "".join(header) else ""
        raise ValueError(f"{path} has fewer than two columns: expected features and a label{hint}")
    if len(set(header)) < len(header):
        raise ValueError(f"{path} names a column twice in its header: {header}")
    if all(_number(name) is not None for name in header):
        raise ValueError(f"{path} starts with a row of numbers: a header row with column names is expected")
    for number, row in lines:
        if len(row) != len(header):
            raise ValueError(f"{path}, line {number}: {len(row)} cells where the header has {len(header)} columns")
    return header, [row for _, row in lines]


def column_index(path: Path, header: Sequence[str], column: str | int) -> int:
    """Position of a column given by name or by index (negative ones count from the end)."""
    if column in header:
        return list(header).index(column)  # type: ignore[arg-type]
    try:
        index = int(column)
    except ValueError:
        index = len(header)
    if not -len(header) <= index < len(header):
        raise ValueError(f"{path} has no column {column!r}: it has {', '.join(header)}")
    return index % len(header)


def encode_labels(path: Path, name: str, cells: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class index of each row, and the classes in order (by number where all are numbers)."""
    if any(cell.lower() in MISSING for cell in cells):
        row = next(row for row, cell in enumerate(cells) if cell.lower() in MISSING)
        raise ValueError(f"{path}: label column {name!r} is empty in data row {row + 1}; remove such rows")
    classes = _ordered(set(cells))
    if not 2 <= len(classes) <= min(MOST_CATEGORIES, max(2, len(cells) // 2)):
        raise ValueError(
            f"{path}: label column {name!r} has {len(classes)} different values in {len(cells)} rows; "
            "expected a few classes (bin a number to be predicted into classes first)"
        )
    index = {value: position for position, value in enumerate(classes)}
    return np.array([index[cell] for cell in cells], np.int32), tuple(classes)


def encode_features(
    path: Path,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    categorical: Collection[int],
    is_train: np.ndarray,
) -> Encoded:
    """Standardise numeric columns by training statistics, one-hot the others; one player a column."""
    blocks, names, players, means, scales = [], [], [], [], []
    for player, (name, cells) in enumerate(zip(header, zip(*rows, strict=True), strict=True)):
        numbers = None if player in categorical else _numbers(path, name, cells)
        if numbers is None:
            block, categories = _one_hot(path, name, cells)
            names += [f"{name}={category}" for category in categories]
            mean, scale = np.zeros(len(categories)), np.ones(len(categories))
        else:
            numbers = _fill_missing(path, name, numbers, is_train)
            mean, scale = np.array([numbers[is_train].mean()]), np.array([numbers[is_train].std()])
            scale[scale == 0] = 1.0
            block = ((numbers - mean) / scale)[:, None]
            names.append(name)
        blocks.append(block.astype(np.float32))
        players += [player] * block.shape[1]
        means.append(mean)
        scales.append(scale)
    mean, scale = np.concatenate(means), np.concatenate(scales)
    return Encoded(
        np.concatenate(blocks, axis=1),
        tuple(names),
        np.array(players, np.int32),
        mean.astype(np.float32),
        scale.astype(np.float32),
    )


def _numbers(path: Path, name: str, cells: Sequence[str]) -> np.ndarray | None:
    """The column as numbers, NaN where missing; None if it holds categories."""
    values = [math.nan if cell.lower() in MISSING else _number(cell) for cell in cells]
    n_text = sum(value is None for value in values)
    n_numbers = sum(value is not None and not math.isnan(value) for value in values)
    if n_text == 0 and n_numbers > 0:
        return np.array(values, np.float64)
    if n_numbers > n_text:
        row = values.index(None)
        raise ValueError(
            f"{path}: column {name!r} holds numbers, except {cells[row]!r} in data row {row + 1}; "
            f"correct the cell, or pass categorical=[{name!r}] if its values are categories"
        )
    return None


def _fill_missing(path: Path, name: str, numbers: np.ndarray, is_train: np.ndarray) -> np.ndarray:
    missing = np.isnan(numbers)
    if not missing.any():
        return numbers
    known = numbers[is_train & ~missing]
    if not len(known):
        raise ValueError(f"{path}: column {name!r} has no number in the training rows; leave it out by drop=")
    warnings.warn(
        f"{path}: {missing.sum()} missing values of column {name!r} replaced by its training mean {known.mean():g}",
        stacklevel=4,
    )
    return np.where(missing, known.mean(), numbers)


def _one_hot(path: Path, name: str, cells: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    categories = _ordered(set(cells))
    if len(categories) > MOST_CATEGORIES:
        raise ValueError(
            f"{path}: column {name!r} has {len(categories)} categories, more than {MOST_CATEGORIES}; "
            f"if it is an identifier or a free text, pass drop=[{name!r}]"
        )
    return np.array(cells)[:, None] == np.array(categories)[None, :], categories


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _ordered(values: Collection[str]) -> list[str]:
    if all(_number(value) is not None for value in values):
        return sorted(values, key=float)
    return sorted(values)
