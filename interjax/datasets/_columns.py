"""Columns of cells as numbers: numbers standardised, categories one-hot, what is neither refused."""

import dataclasses
import re
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from interjax.datasets._cells import ABSENT, AMOUNT, DATE, NUMBER, TEXT, kind_of, number_of
from interjax.datasets._csv import Column
from interjax.datasets._labels import equal_spellings, ordered

MOST_CATEGORIES = 1000
CONSTANT = 1e-12
"""Of the largest value: a column that varies by less is constant, but for rounding."""
PLAINLY, MOST_LOST = 1e-6, 0.05
"""Relative difference of two values that must not become equal, and the share of rows that may."""
_FEW_ROWS, _MANY_ROWS = 5, 20
_LEAST_COUNTED = 10
_DAY = re.compile(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
"""A date without separators, 20240131, which reads as a number whose differences mean nothing."""
_FLOAT32 = np.finfo(np.float32)
_IDENTIFIER = frozenset({"id", "ids", "idx", "index", "uid", "uuid", "identifier", "unnamed", "rownames"})


@dataclasses.dataclass(frozen=True)
class Encoded:
    """A table as numbers: `x` (rows, entries), each entry's name, player, and mean and scale taken off."""

    x: np.ndarray
    entry_names: tuple[str, ...]
    players: np.ndarray
    mean: np.ndarray
    scale: np.ndarray


@dataclasses.dataclass(frozen=True)
class Reading:
    """How columns are read: the file, for messages, the decimal mark, and columns whose kind was given, by index."""

    path: Path
    decimal: str
    categorical: Collection[int]
    numeric: Collection[int]


def encode_features(reading: Reading, columns: dict[int, Column], is_train: np.ndarray, *, stacklevel: int) -> Encoded:
    """Standardise numeric columns by training statistics, one-hot the others; one player a column.

    Args:
        reading: how they are read.
        columns: by their index in the file.
        is_train: bool (rows,).
        stacklevel: frames above this one that warnings name.
    """
    blocks, names, players, means, scales = [], [], [], [], []
    for player, (index, column) in enumerate(columns.items()):
        is_category = index in reading.categorical
        numbers = None if is_category else _numbers(reading, index, column, stacklevel=stacklevel + 1)
        if numbers is None:
            categories = _categories(reading, index, column)
            _warn_of_spellings(f"{reading.path}: column {column.name!r}", categories, stacklevel=stacklevel + 1)
            block = _one_hot(column, categories)
            names += [f"{column.name}={category}" for category in categories]
            mean, scale = np.zeros(len(categories)), np.ones(len(categories))
        else:
            what = f"{reading.path}: column {column.name!r}"
            numbers = _filled(reading.path, column.name, numbers, is_train, stacklevel=stacklevel + 1)
            center, spread = _statistics(what, numbers[is_train])
            mean, scale = np.array([center]), np.array([spread])
            block = ((numbers - mean) / scale)[:, None]
            _check_resolution(what, column, numbers, block)
            names.append(column.name)
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


def encode_target(
    reading: Reading, index: int, column: Column, is_train: np.ndarray, *, stacklevel: int
) -> tuple[np.ndarray, tuple[float, float]]:
    """The column to predict, standardised by training statistics, and the mean and scale taken off it."""
    what = f"{reading.path}: label column {column.name!r}"
    numbers = _numbers(dataclasses.replace(reading, numeric={index}), index, column, stacklevel=stacklevel + 1)
    assert numbers is not None  # a column of texts was refused as one in `numeric`
    if np.isnan(numbers).any():
        row = int(np.isnan(numbers).argmax()) + 1
        raise ValueError(f"{what} has no number in data row {row}; remove such rows")
    mean, scale = _statistics(what, numbers[is_train])
    if numbers[is_train].min() == numbers[is_train].max():
        raise ValueError(f"{what} is {mean:g} in every training row: there is nothing to predict")
    y = (numbers - mean) / scale
    _check_resolution(what, column, numbers, y[:, None])
    return y.astype(np.float32), (float(mean), float(scale))


def _numbers(reading: Reading, index: int, column: Column, *, stacklevel: int) -> np.ndarray | None:
    """The column as numbers, NaN where missing; None if it holds categories."""
    what = f"{reading.path}: column {column.name!r}"
    kinds = np.array([kind_of(value, reading.decimal) for value in column.values])
    if np.all(kinds == ABSENT):
        raise ValueError(f"{what} is empty in every row; pass drop=[{_naming(index, column)}]")
    is_like = np.isin(kinds, (NUMBER, AMOUNT, DATE))
    is_text = kinds == TEXT
    rows = column.counts()
    if not is_like.any():
        if index in reading.numeric:
            raise ValueError(
                f"{what} holds no number, but {column.values[is_text.argmax()]!r}: leave it out of numeric="
            )
        return None
    if np.all(is_like <= (kinds == NUMBER)) and not is_text.any():
        values = [number_of(value, reading.decimal) for value in column.values]
        numbers = np.array([np.nan if value is None else value for value in values])[column.codes]
        _check_range(what, column, numbers)
        if index not in reading.numeric:
            if len(column.values) > 1 and all(_DAY.fullmatch(value) for value in column.values):
                _refuse_mixture(reading, index, column, np.full(len(kinds), DATE))
            _check_no_identifier(reading, index, column, numbers, stacklevel=stacklevel + 1)
        return numbers
    mostly_numbers = rows[is_like].sum() > rows[is_text].sum() or is_like.sum() >= is_text.sum()
    if mostly_numbers or index in reading.numeric:
        _refuse_mixture(reading, index, column, kinds)
    return None


def _refuse_mixture(reading: Reading, index: int, column: Column, kinds: np.ndarray) -> None:
    """Raise ValueError that shows the cell which is no plain number."""
    name = _naming(index, column)
    odd = next(kind for kind in (DATE, AMOUNT, TEXT) if (kinds == kind).any())
    cell = column.values[int((kinds == odd).argmax())]
    where = f"{reading.path}: column {column.name!r}"
    row = column.row_of(cell)
    ways = f"pass categorical=[{name}] if its values are categories, drop=[{name}] to leave it out"
    if odd == DATE:
        raise ValueError(
            f"{where} holds dates or times, such as {cell!r} in data row {row}: write them as numbers, such as days "
            f"since the first; {ways}"
        )
    if odd == AMOUNT:
        mark = ' (decimal="," reads a decimal comma)' if "," in cell and reading.decimal == "." else ""
        raise ValueError(
            f"{where} holds numbers that are not plainly written, such as {cell!r} in data row {row}: write digits "
            f"with a decimal point and without units, such as 1420.5{mark}; {ways}"
        )
    raise ValueError(f"{where} holds numbers, except {cell!r} in data row {row}; correct the cell, or {ways}")


def _check_range(what: str, column: Column, numbers: np.ndarray) -> None:
    largest = np.nanmax(np.abs(numbers))
    if largest > _FLOAT32.max:
        row = int(np.nanargmax(np.abs(numbers)))
        raise ValueError(
            f"{what} holds {column.values[column.codes[row]]!r} in data row {row + 1}, beyond what float32 can hold "
            f"({_FLOAT32.max:.1e}): correct the cell, or write the column in another unit"
        )


def _check_no_identifier(reading: Reading, index: int, column: Column, numbers: np.ndarray, *, stacklevel: int) -> None:
    """Raise ValueError for whole numbers that are an identifier by their name or have none; warn if they count rows."""
    if np.isnan(numbers).any() or np.any(numbers != np.floor(numbers)) or len(np.unique(numbers)) < len(numbers):
        return
    counts = numbers[0] in (0, 1) and np.all(np.diff(numbers) == 1)
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", column.name)
    is_identifier = not column.name or any(word.casefold() in _IDENTIFIER for word in words)
    if is_identifier or (counts and len(numbers) >= _LEAST_COUNTED):
        name = _naming(index, column)
        why = "counts the rows" if counts else "has a number of its own in every row, and the name of an identifier"
        hint = " (pandas writes such an index unless index=False)" if counts and index == 0 else ""
        message = (
            f"{reading.path}: column {column.name!r} {why}{hint}: pass drop=[{name}] to leave it out, numeric=[{name}] "
            "if it is a measurement"
        )
        if is_identifier:
            raise ValueError(message)
        warnings.warn(message, stacklevel=stacklevel)


def _filled(path: Path, name: str, numbers: np.ndarray, is_train: np.ndarray, *, stacklevel: int) -> np.ndarray:
    """The numbers with the training rows' mean where they are missing."""
    missing = np.isnan(numbers)
    if not missing.any():
        return numbers
    known = numbers[is_train & ~missing]
    if not len(known):
        raise ValueError(f"{path}: column {name!r} has no number in the training rows; leave it out by drop=")
    mean = known[0] if known.min() == known.max() else known.mean()
    warnings.warn(
        f"{path}: {missing.sum()} missing values of column {name!r} replaced by its training mean {mean:g}",
        stacklevel=stacklevel,
    )
    return np.where(missing, mean, numbers)


def _statistics(what: str, numbers: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of the training rows; the scale of a constant column is 1."""
    low, high = numbers.min(), numbers.max()
    if low == high:
        return low, 1.0
    if high - low <= CONSTANT * max(abs(low), abs(high)):
        return numbers.mean(), 1.0
    scale = numbers.std()
    if scale < _FLOAT32.tiny:
        raise ValueError(f"{what} varies by {scale:.1e} only, below what float32 can hold: write it in another unit")
    return numbers.mean(), scale


def _check_resolution(what: str, column: Column, numbers: np.ndarray, block: np.ndarray) -> None:
    """Raise ValueError where one value is so large that, beside it, others that plainly differ become equal."""
    values, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    entries, size = block[first, 0].astype(np.float32), np.abs(values)
    merged = (np.diff(entries) == 0) & (np.diff(values) > PLAINLY * np.maximum(size[1:], size[:-1]))
    lost = np.append(merged, False) | np.append(False, merged)
    if counts[lost].sum() > MOST_LOST * len(numbers):
        row = int(np.abs(numbers - np.median(numbers)).argmax())
        raise ValueError(
            f"{what}: beside {column.values[column.codes[row]]!r} in data row {row + 1} the other values cannot be "
            "told apart in float32: correct the cell, or write the column's logarithm"
        )


def _categories(reading: Reading, index: int, column: Column) -> list[str]:
    what, name = f"{reading.path}: column {column.name!r}", _naming(index, column)
    if len(column.values) > MOST_CATEGORIES:
        raise ValueError(
            f"{what} has {len(column.values)} categories, more than {MOST_CATEGORIES}; "
            f"if it is an identifier or a free text, pass drop=[{name}]"
        )
    if index not in reading.categorical:
        held = [(value, count) for value, count in zip(column.values, column.counts(), strict=True) if value]
        different, rows = len(held), sum(count for _, count in held)
        if (different == rows >= _FEW_ROWS) or (rows >= _MANY_ROWS and 2 * different > rows):
            raise ValueError(
                f"{what} has {different} different texts in {rows} rows, as an identifier or a free text has: pass "
                f"drop=[{name}] to leave it out, categorical=[{name}] if they are categories"
            )
    return ordered(column.values)


def _warn_of_spellings(what: str, categories: Sequence[str], *, stacklevel: int) -> None:
    pair = equal_spellings(categories)
    if pair:
        warnings.warn(
            f"{what} holds {pair[0]!r} and {pair[1]!r}, read as two categories: if they are one, write it in one way",
            stacklevel=stacklevel,
        )


def _one_hot(column: Column, categories: Sequence[str]) -> np.ndarray:
    place = {category: number for number, category in enumerate(categories)}
    codes = np.array([place[value] for value in column.values])[column.codes]
    return codes[:, None] == np.arange(len(categories))


def _naming(index: int, column: Column) -> str:
    """How an argument names the column: by its name, or by its index where it has none."""
    return repr(column.name) if column.name else str(index)
