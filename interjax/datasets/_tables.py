"""A data set from a CSV file: which column is the label, which are left out, what is held out."""

import operator
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from interjax._core._checks import check_choice
from interjax.datasets._columns import Reading, encode_features, encode_target
from interjax.datasets._csv import Column, check_separator, read_table
from interjax.datasets._dataset import TASKS, Dataset
from interjax.datasets._labels import encode_labels
from interjax.datasets._splits import held_out_rows, stratified


def table(
    path: Path,
    name: str,
    label: str | int,
    *,
    categorical: Sequence[str | int] | None,
    numeric: Sequence[str | int] | None,
    drop: Sequence[str | int],
    header: bool | None,
    separator: str | None,
    decimal: str,
    test_fraction: float,
    seed: int,
    known_names: Sequence[str] | None = None,
    comments: str = "#",
    spelling: Callable[[str], str] = str,
    task: str = "classification",
) -> Dataset:
    """The data set that `csv` and `adult` return; `spelling` corrects cells of the label."""
    _check_options(header, decimal)
    check_choice("task", task, TASKS)
    columns = read_table(
        path, separator=check_separator(separator), header=header, known_names=known_names, comments=comments
    )
    target = _index_of(path, columns, "label", label)
    left_out = _indices_of(path, columns, "drop", drop)
    if target in left_out:
        raise ValueError(f"{path}: drop names the label {columns[target].name!r}; leave it out of drop")
    kept = {index: column for index, column in enumerate(columns) if index != target and index not in left_out}
    if not kept:
        raise ValueError(f"{path}: no column is left beside the label {columns[target].name!r}")
    reading = Reading(
        path,
        decimal,
        _indices_of(path, columns, "categorical", categorical or ()),
        _indices_of(path, columns, "numeric", numeric or ()),
    )
    both = sorted({*reading.categorical} & {*reading.numeric})
    if both:
        raise ValueError(f"{path}: column {columns[both[0]].name!r} is in categorical and in numeric: choose one")
    held_out: dict[str, Any] = {"test_fraction": test_fraction, "seed": seed, "where": f"{path}: "}
    class_names, scaled = (), None
    if task == "regression":
        test = held_out_rows(len(columns[target].codes), **held_out)
        labels, scaled = encode_target(reading, target, columns[target], ~test, stacklevel=4)
    else:
        labels, class_names = encode_labels(path, columns[target].mapped(spelling), stacklevel=4)
        test = stratified(labels, class_names, **held_out, stacklevel=4)
    encoded = encode_features(reading, kept, ~test, stacklevel=4)
    _check_names(path, kept)
    return Dataset(
        encoded.x[~test],
        labels[~test],
        encoded.x[test],
        labels[test],
        name,
        class_names,
        feature_names=encoded.entry_names,
        player_labels=encoded.players,
        player_names=tuple(column.name for column in kept.values()),
        normalization=(encoded.mean, encoded.scale),
        task=task,
        label_normalization=scaled,
    )


def _check_options(header: Any, decimal: Any) -> None:
    if header is not None and not isinstance(header, bool):
        raise ValueError(f"header must be True, False or None, got {header!r}")
    if decimal not in (".", ","):
        raise ValueError(f'decimal must be "." or ",", got {decimal!r}')


def _check_names(path: Path, columns: dict[int, Column]) -> None:
    nameless = [index for index, column in columns.items() if not column.name]
    if nameless:
        raise ValueError(
            f"{path}: column number {nameless[0]}, counted from 0, has no name in the header: write one, or pass "
            f"drop=[{nameless[0]}]"
        )


def _indices_of(path: Path, columns: Sequence[Column], argument: str, chosen: Any) -> set[int]:
    if isinstance(chosen, str | bytes | Mapping) or not hasattr(chosen, "__iter__"):
        raise ValueError(f"{argument} must be a list of names or indices of columns, got {chosen!r}")
    return {_index_of(path, columns, argument, column) for column in chosen}


def _index_of(path: Path, columns: Sequence[Column], argument: str, chosen: Any) -> int:
    """Position of a column given by name or by index (negative ones count from the end)."""
    names = [column.name for column in columns]
    if isinstance(chosen, str) and chosen and chosen in names:
        return names.index(chosen)
    try:
        index = int(chosen) if isinstance(chosen, str) else operator.index(chosen)
    except (TypeError, ValueError):
        index = len(names)
    if isinstance(chosen, bool) or not -len(names) <= index < len(names):
        raise ValueError(f"{argument}: {path} has no column {chosen!r}: it has {_listed(names)}")
    return index % len(names)


def _listed(names: Sequence[str]) -> str:
    shown = [name or "(no name)" for name in names]
    return ", ".join(shown if len(shown) <= 40 else [*shown[:20], f"and {len(shown) - 20} more"])
