"""Labels as class numbers: the classes in order, and spellings that would make two classes of one."""

import unicodedata
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from interjax.datasets._cells import is_missing, number_of
from interjax.datasets._csv import Column

MOST_CLASSES = 1000
_MOST_NUMBERS, _MOST_FRACTIONS = 100, 20
_TRUTH = frozenset({"true", "false", "yes", "no", 0.0, 1.0})
_SHORT = {"y": "yes", "n": "no", "t": "true", "f": "false"}


def encode_labels(path: Path, column: Column, *, stacklevel: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class number of each row, int32, and the classes in order (by number where all are numbers).

    An empty cell and "?" are no class; neither is "NA", "None" or the like beside numbers. Beside texts such a word is
    a class, with a warning `stacklevel` frames above this one.
    """
    what = f"{path}: label column {column.name!r}"
    _check_missing(what, column, stacklevel=stacklevel + 1)
    classes = ordered(column.values)
    check_class_count(what, classes, len(column.codes), most=max(2, len(column.codes) // 2))
    check_spellings(what, classes)
    place = {value: number for number, value in enumerate(classes)}
    return np.array([place[value] for value in column.values], np.int32)[column.codes], tuple(classes)


def ordered(values: Collection[str]) -> list[str]:
    """The values by number where all are numbers, else by letter."""
    if all(number_of(value) is not None for value in values):
        return sorted(values, key=float)
    return sorted(values)


def check_class_count(what: str, classes: Sequence[str], rows: int, *, most: int) -> None:
    """Raise ValueError for a single class, for more than `most`, and for values to be predicted as numbers."""
    numbers = [number for value in classes if (number := number_of(value)) is not None]
    are_numbers, most = len(numbers) == len(classes), min(MOST_CLASSES, most)
    are_whole = all(number == int(number) for number in numbers)
    if are_numbers and not (are_whole and numbers == [numbers[0] + place for place in range(len(numbers))]):
        most = min(most, _MOST_NUMBERS if are_whole else _MOST_FRACTIONS)
    if not 2 <= len(classes) <= most:
        otherwise = ", or write classes as text, such as c1" if are_numbers and len(classes) > 2 else ""
        raise ValueError(
            f"{what} has {len(classes)} different values in {rows} rows; expected a few classes (a number to be "
            f'predicted wants task="regression"{otherwise})'
        )


def check_spellings(what: str, classes: Sequence[str]) -> None:
    """Raise ValueError where two classes seem to be one, written in two ways: Yes and yes, 0 and 0.0, >50K and >50K."""
    pair = equal_spellings(classes)
    if pair:
        raise ValueError(
            f"{what} holds {pair[0]!r} and {pair[1]!r}, which seem to be one class written in two ways: write it in "
            "one, or give different classes names that differ by more"
        )
    if len(classes) > 2 and {_key(value, ()) for value in classes} <= _TRUTH:
        raise ValueError(
            f"{what} holds {', '.join(map(repr, classes))}, which seem to be two classes: write each in one way"
        )


def equal_spellings(classes: Sequence[str]) -> tuple[str, str] | None:
    """The first two values that seem to be one: equal as numbers, or but for case, blanks and a dot at the end."""
    folded = {unicodedata.normalize("NFKC", value).casefold().strip().rstrip(".") for value in classes}
    seen: dict[str | float, str] = {}
    for value in classes:
        key = _key(value, folded)
        if key in seen:
            return seen[key], value
        seen[key] = value
    return None


def _key(value: str, folded: Collection[str]) -> str | float:
    number = number_of(value)
    if number is not None:
        return number
    text = " ".join(unicodedata.normalize("NFKC", value).casefold().split()).rstrip(".") or value
    return _SHORT[text] if _SHORT.get(text) in folded else text


def _check_missing(what: str, column: Column, *, stacklevel: int) -> None:
    words = [value for value in column.values if is_missing(value)]
    are_numbers = all(is_missing(value) or number_of(value) is not None for value in column.values)
    for word in words:
        row = column.row_of(word)
        if not word:
            raise ValueError(f"{what} is empty in data row {row}; remove such rows")
        if word == "?" or (are_numbers and len(words) < len(column.values)):
            raise ValueError(f"{what} is missing, {word!r}, in data row {row}; remove such rows")
        warnings.warn(
            f"{what} holds {word!r}, in data row {row} first, which is read as a class of that name; remove such rows "
            "if it says that the label is missing",
            stacklevel=stacklevel,
        )
