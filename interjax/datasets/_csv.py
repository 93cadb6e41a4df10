"""CSV files as columns of cells: the bytes, the separator, the header."""

import collections
import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from interjax.datasets._archives import read_bytes
from interjax.datasets._cells import DATE, NUMBER, kind_of

_SEPARATORS = (",", ";", "\t", "|")
_ROWS_LOOKED_AT = 50
_LEAST_POSITIONS = 3


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table: its name, its different cells by first appearance, and which of them each row holds."""

    name: str
    values: list[str]
    codes: np.ndarray

    def mapped(self, change: Callable[[str], str]) -> "Column":
        """The column with every cell changed."""
        places: dict[str, int] = {}
        new = np.array([places.setdefault(change(value), len(places)) for value in self.values], np.intp)
        return Column(self.name, list(places), new[self.codes])

    def row_of(self, value: str) -> int:
        """The first data row, counted from 1, that holds the value."""
        return int(np.argmax(self.codes == self.values.index(value))) + 1

    def counts(self) -> np.ndarray:
        """The number of rows with each value."""
        return np.bincount(self.codes, minlength=len(self.values))


def read_table(
    path: Path,
    *,
    separator: str | None = None,
    header: bool | None = None,
    known_names: Sequence[str] | None = None,
    comments: str = "#",
) -> list[Column]:
    """The columns of a CSV file, cells stripped; raises ValueError on anything but a table.

    Args:
        path: of the file, packed or not.
        separator: between cells; by default the one of , ; tab | that cuts all lines alike.
        header: True, the first line has the names; False, there is none (column_0, ...); None, it has, and is refused
            if it looks like data.
        known_names: names to use if the file starts with data, a number in its first cell.
        comments: the mark that starts a comment line, "#" (before the table) or "|" (anywhere).
    """
    import pandas

    text, noted = _without_comments(_text(path), comments)
    separator = _separator(path, text) if separator is None else separator
    try:
        frame = pandas.read_csv(
            io.StringIO(text, newline=""),
            sep=separator,
            header=None,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            skipinitialspace=True,
        )
    except pandas.errors.EmptyDataError:
        frame = pandas.DataFrame()
    except (pandas.errors.ParserError, ValueError) as error:
        _check_widths(path, text, separator)
        raise ValueError(f"{path} cannot be read as a CSV file: {str(error).strip()}") from error
    if frame.shape[1] and (frame.iloc[:, -1] == "").any():  # pandas fills short lines up with empty cells
        _check_widths(path, text, separator)
    if '"' in text:
        _check_quotes(path, frame, separator)
    _check_notes(path, noted, separator, frame.shape[1])
    names = [str(name).strip() for name in frame.iloc[0]] if len(frame) else []
    if known_names is not None and names and kind_of(names[0]) == NUMBER:
        names, header = list(known_names), False
    elif header is False:
        names = [f"column_{number}" for number in range(len(names))]
    else:
        frame = frame.iloc[1:]
    if len(frame) < 2:
        first = "two rows of data" if header is False else "a header row and at least two rows of data"
        raise ValueError(f"{path} holds {len(frame)} rows: expected {first}")
    if len(names) < 2:
        raise ValueError(
            f"{path} has fewer than two columns: expected features and a label, between them one of , ; tab |; pass "
            "separator= if it is another"
        )
    if len(names) != frame.shape[1]:
        raise ValueError(f"{path}, line 1: {frame.shape[1]} cells where {len(names)} columns are expected")
    columns = [_column(name, *pandas.factorize(frame[place])) for place, name in enumerate(names)]
    if header is not False:
        _check_header(path, columns, is_given=header is True)
    if not columns[-1].name and columns[-1].values == [""]:  # every line ends with a separator
        columns.pop()
    return columns


def check_separator(separator: Any) -> str | None:
    """The separator, or None; ValueError unless it is one character that can stand between cells."""
    fits = isinstance(separator, str) and len(separator) == 1 and not separator.isalnum() and separator not in '"\r\n.'
    if separator is not None and not fits:
        raise ValueError(f'separator must be one character such as "," or ";", or None; got {separator!r}')
    return separator


def _column(name: str, codes: np.ndarray, values: Any) -> Column:
    return Column(name, list(values), codes).mapped(str.strip)


def _text(path: Path) -> str:
    data = read_bytes(path)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data:
        kind = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "zero bytes, as no text has them"
        raise ValueError(f"{path} is no CSV file in UTF-8: it holds {kind}; save it as CSV in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path} is no CSV file in UTF-8: line {line} holds byte {data[error.start : error.start + 1].hex()}, as "
            "files in Latin-1 do; save it in UTF-8"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _without_comments(text: str, mark: str) -> tuple[str, list[tuple[int, str]]]:
    """The text with comment lines emptied, so that line numbers stay; and those that stood before the table."""
    lines, noted = text.split("\n"), []
    for number, line in enumerate(lines):
        if line.startswith(mark):
            lines[number] = ""
            noted += [(number + 1, line)] if mark == "#" else []
        elif line.strip() and mark == "#":
            break
    return "\n".join(lines), noted


def _check_notes(path: Path, noted: Sequence[tuple[int, str]], separator: str, width: int) -> None:
    for number, line in noted:
        if width > 1 and [len(row) for row in _rows(line, separator)] == [width]:
            raise ValueError(
                f"{path}, line {number} starts with # but has as many cells as the table has columns: remove the # if "
                "it is the header, or the line if it is a comment"
            )


def _separator(path: Path, text: str) -> str:
    """The separator that cuts the first lines into equally many cells."""
    fits, occurs = [], []
    for mark in _SEPARATORS:
        try:
            widths = [len(row) for row in itertools.islice(_rows(text, mark), _ROWS_LOOKED_AT)]
        except csv.Error:
            continue
        if widths and widths[0] > 1:
            occurs.append(mark)
            fits += [mark] if set(widths) == {widths[0]} else []
    if len(fits) > 1:
        raise ValueError(
            f"{path} is cut into equally many cells by {' and by '.join(map(repr, fits))}: pass separator= to choose"
        )
    return (fits or occurs or [","])[0]


def _rows(text: str, separator: str) -> Any:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    return (row for row in reader if len(row) > 1 or "".join(row).strip())


def _check_quotes(path: Path, frame: Any, separator: str) -> None:
    """Raise ValueError where a cell has swallowed others, as one does behind a quote that is not closed."""
    for row, cells in enumerate(frame.itertuples(index=False), 1):
        for cell in cells:
            if "\n" in str(cell) and separator in str(cell):
                raise ValueError(
                    f"{path}, row {row}: a quote is not closed, so that one cell goes on over lines and cells, "
                    f"{str(cell)[:60]!r}; close it, or write the text of a cell on one line"
                )


def _check_widths(path: Path, text: str, separator: str) -> None:
    """Raise ValueError that names the first line with more or fewer cells than the first."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    width = None
    try:
        for row in reader:
            if len(row) > 1 or "".join(row).strip():
                width = width or len(row)
                if len(row) != width:
                    raise ValueError(
                        f"{path}, line {reader.line_num}: {len(row)} cells where the header has {width} columns"
                    )
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as a CSV file: line {reader.line_num}: {error}") from error


def _check_header(path: Path, columns: Sequence[Column], *, is_given: bool) -> None:
    """Raise ValueError for a first line that looks like data, a header that is repeated, or equal names."""
    held = [column for column in columns if column.name and column.name in column.values]
    if len(held) == len(columns):
        rows = np.all([column.codes == column.values.index(column.name) for column in columns], axis=0)
        if rows.any():
            raise ValueError(
                f"{path} repeats its first line in data row {rows.argmax() + 1}: remove one of them, or pass "
                "header=False if both are data"
            )
    if not is_given:
        numbers = [column.name for column in columns if kind_of(column.name) in (NUMBER, DATE)]
        as_data = f"the values {', '.join(map(repr, numbers[:3]))}" if numbers and not _are_positions(numbers) else ""
        if len(numbers) == len(columns):
            as_data = "a row of numbers"
        elif not as_data and len(held) > 1 and 2 * len(held) >= len(columns):
            as_data = f"{held[0].name!r}, which data row {held[0].row_of(held[0].name)} holds in the same column"
        if as_data:
            raise ValueError(
                f"{path} starts with {as_data}: a header row with column names is expected; pass header=False if the "
                "file has none, header=True if these are the names"
            )
    occurring = collections.Counter(column.name for column in columns if column.name)
    twice = [name for name, count in occurring.items() if count > 1]
    if twice:
        raise ValueError(
            f"{path} names a column twice in its header: {', '.join(map(repr, twice[:5]))}; rename one, or pass "
            "header=False if that line is data"
        )


def _are_positions(names: Sequence[str]) -> bool:
    """Whether numbers in a header count on by 1, as a table's columns or years do."""
    if len(names) < _LEAST_POSITIONS or not all(re.fullmatch(r"\d+", name, re.ASCII) for name in names):
        return False
    first = int(names[0])
    return [int(name) for name in names] == list(range(first, first + len(names)))
