"""Players of a concept analysis, at most twenty: columns, cells or segments chosen by a rule or read from a file."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from interjax._core._checks import check_choice, check_count, check_is, check_path
from interjax._core._files import read_arrays
from interjax._core._names import cell_names
from interjax.datasets._dataset import Dataset, check_classified, equal_cells
from interjax.games._players import Players

RULES = ("contrast", "centre", "all")
MOST_PLAYERS = 20
DEFAULT_COUNT = 12
_MOST_CELLS_A_SIDE = 8
FEW_PLAYERS = 8
_FEW_CELLS_A_SIDE = 4
_IMAGES_AT_ONCE = 4096


def choose_players(
    data: Dataset,
    *,
    cells: int | tuple[int, ...] | None = None,
    count: int | None = None,
    rule: str = "contrast",
    players_file: str | os.PathLike | None = None,
) -> tuple[Players, tuple[str, ...]]:
    """Choose the few players whose 2**n coalitions are tabulated; every other part of the input is always present.

    Columns of a table or cells of an image; where there are more than `count`, those that come first by a rule:

        "contrast", cell    E over entries e of the cell and training images of |x_e - E x_e|
        "contrast", column  sum_e Var_c E[x_e | class c] / sum_e Var x_e, over the column's entries e: the share of its
                            variance that the class explains (eta^2 of numbers, Goodman and Kruskal's tau of categories)
        "centre", cell      nearness of its centre to the image's
        "all"               no choice: all of them

    Ties go to the first in reading order.

    Args:
        data: whose training examples are looked at. An input with `player_labels`, or of one axis, is a table; any
            other is an image.
        cells: for images, cells along (height, width); by default the largest divisor of each side up to 8.
        count: number of players, 1 to 20; a table costs 2**count forward passes for each input. By default 12, or as
            many as there are if these are fewer.
        rule: "contrast", "centre" (images) or "all".
        players_file: a file that names the player of each entry in place of a rule: integers of an input's shape (for
            images the channels may be left out, for tables there may be one number a column), 0..n-1, each occurring,
            or -1 for what is always present. .npy; .npz of one array, or with one called "labels"; .json, nested lists;
            .csv, one line a row.

    Returns:
        The players in reading order, and their names: the column, "r2c3" for row 2 and column 3 of the cells, counted
        from 0, "segment 4" for a file.

    Raises:
        ValueError: more than 20 players, an unknown rule or one that does not fit, or a file that cannot be read or
            does not fit the inputs.

    Example:
        >>> import interjax as ij
        >>> players, names = choose_players(ij.datasets.digits(), cells=(4, 4), count=3, rule="centre")
        >>> players.n, names
        (3, ('r1c1', 'r1c2', 'r2c1'))
    """
    check_is("data", data, Dataset, "an ij.datasets.Dataset")
    if rule == "contrast":
        check_classified(data)
    if players_file is not None:
        return _players_of_file(check_path("players_file", players_file), data)
    check_choice("rule", rule, RULES)
    if count is not None and check_count("count", count) > MOST_PLAYERS:
        _refuse(count)
    if data.player_labels is not None or len(data.input_shape) == 1:
        if cells is not None or rule == "centre":
            raise ValueError(
                f'rule must be "contrast" or "all" and cells left out for the table {data.name}, which has no cells '
                f"and no centre; got rule={rule!r}, cells={cells!r}"
            )
        labels, names = _columns(data)
        scores = _class_shares(data, labels) if rule == "contrast" else np.zeros(len(names))
    else:
        grid = Players.grid(
            data.input_shape, equal_cells(data.input_shape, _MOST_CELLS_A_SIDE) if cells is None else cells
        )
        assert grid.cells is not None
        labels, names = grid.labels, cell_names(grid.cells)
        scores = _contrast(data, labels) if rule == "contrast" else _nearness(grid)
    if rule == "all":
        if count is not None and count != len(names):
            raise ValueError(
                f'count must be left out with rule="all", which takes all {len(names)} players; got {count}: choose '
                "another rule"
            )
        count = len(names)
    return _keep_best(labels, names, scores, DEFAULT_COUNT if count is None else count)


def few_players(
    data: Dataset,
    *,
    cells: int | tuple[int, ...] | None = None,
    count: int | None = None,
    rule: str = "contrast",
) -> tuple[Players, tuple[str, ...]]:
    """`choose_players`, by default eight, of at most 4 by 4 cells: each cell and player doubles the cost of a table."""
    if cells is None and data.player_labels is None and len(data.input_shape) > 1:
        cells = equal_cells(data.input_shape, _FEW_CELLS_A_SIDE)
    return choose_players(data, cells=cells, count=FEW_PLAYERS if count is None and rule != "all" else count, rule=rule)


def _keep_best(
    labels: np.ndarray, names: tuple[str, ...], scores: np.ndarray, count: int
) -> tuple[Players, tuple[str, ...]]:
    """The players of the highest scores, in reading order; the entries of the others are always present."""
    if count > MOST_PLAYERS:
        _refuse(count)
    kept = np.sort(np.argsort(-scores, kind="stable")[:count])
    number = np.full(len(names) + 1, -1)
    number[kept] = np.arange(len(kept))
    players = Players.segments(number[labels], tuple(names[player] for player in kept))
    return players, players.names


def _refuse(count: int) -> None:
    raise ValueError(
        f"count: {count} players have 2**{count} coalitions, and tables of concepts end at {MOST_PLAYERS} players: "
        "choose fewer (count=), or use ij.concepts.sparse_concepts, which samples coalitions"
    )


def _columns(data: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
    """The column of each entry of a table, and the columns' names."""
    if data.player_labels is not None:
        labels, names = np.asarray(data.player_labels), data.player_names
    else:
        labels, names = np.arange(data.input_shape[0]), data.feature_names
    columns = int(labels.max()) + 1
    return labels, tuple(names) if names is not None else tuple(f"column {column}" for column in range(columns))


def _class_shares(data: Dataset, labels: np.ndarray) -> np.ndarray:
    """The share of each column's variance that the class explains, in [0, 1]; 0 for a constant column."""
    x = data.train_x.reshape(len(data.train_x), -1).astype(np.float64)
    classes, number = np.unique(data.train_y, return_counts=True)
    means = np.array([x[data.train_y == label].mean(axis=0) for label in classes])
    between = np.average((means - x.mean(axis=0)[None]) ** 2, axis=0, weights=number)
    entries, owners = labels.ravel() >= 0, labels.ravel()
    of_column = [np.bincount(owners[entries], part[entries]) for part in (between, x.var(axis=0))]
    return np.divide(*of_column, out=np.zeros_like(of_column[0]), where=of_column[1] > 0)


def _contrast(data: Dataset, labels: np.ndarray) -> np.ndarray:
    """The mean absolute deviation of each cell's entries from their means over the training images."""
    x = data.train_x
    mean, deviation = x.mean(axis=0, dtype=np.float64).astype(np.float32), np.zeros(data.input_shape)
    for start in range(0, len(x), _IMAGES_AT_ONCE):
        deviation += np.abs(x[start : start + _IMAGES_AT_ONCE] - mean[None]).sum(axis=0, dtype=np.float64)
    return np.bincount(labels.ravel(), deviation.ravel()) / (np.bincount(labels.ravel()) * len(x))


def _nearness(grid: Players) -> np.ndarray:
    """Minus the squared distance of each cell's centre from the middle of the image, in entries."""
    assert grid.cells is not None
    total, entries = np.zeros(grid.n), np.bincount(grid.labels.ravel())
    for axis in range(len(grid.cells)):
        place = np.indices(grid.shape)[axis] - (grid.shape[axis] - 1) / 2
        total += (np.bincount(grid.labels.ravel(), place.ravel()) / entries) ** 2
    return -np.round(total, 9)


def _players_of_file(path: Path, data: Dataset) -> tuple[Players, tuple[str, ...]]:
    labels = _read_labels(path)
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{path}: expected integers, the player of each entry or -1; it holds {labels.dtype}")
    labels = _fit(path, labels, data)
    if labels.max() >= MOST_PLAYERS:
        _refuse(int(labels.max()) + 1)
    try:
        players = Players.segments(labels, [f"segment {player}" for player in range(labels.max() + 1)])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return players, players.names


def _fit(path: Path, labels: np.ndarray, data: Dataset) -> np.ndarray:
    """The labels at an input's shape: channels repeat those of their pixel, entries those of their column."""
    shape, column = data.input_shape, data.player_labels
    if column is not None and np.squeeze(labels).shape == (int(column.max()) + 1,):
        return np.append(np.squeeze(labels), -1)[column]
    if len(shape) == 1 and labels.size == shape[0]:
        return labels.reshape(shape)
    if labels.shape == shape[: labels.ndim] and labels.ndim >= min(2, len(shape)):
        return np.broadcast_to(labels.reshape(labels.shape + (1,) * (len(shape) - labels.ndim)), shape)
    columns = f" or ({int(column.max()) + 1},), one for each column" if column is not None else ""
    raise ValueError(f"{path}: expected player numbers of an input's shape {shape}{columns}; got shape {labels.shape}")


def _read_labels(path: Path) -> np.ndarray:
    readers = {".npy": _read_npy, ".npz": _read_npz, ".json": _read_json, ".csv": _read_csv}
    if path.suffix not in readers:
        raise ValueError(f"players_file must end in {', '.join(readers)}, got {path}")
    if not path.is_file():
        raise ValueError(
            f"players_file {path} does not exist: expected a file with the player of each entry of an input"
        )
    try:
        return readers[path.suffix](path)
    except (ValueError, OSError, TypeError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as players: {error}") from None


def _read_npy(path: Path) -> np.ndarray:
    return np.load(path, allow_pickle=False)


def _read_npz(path: Path) -> np.ndarray:
    arrays = read_arrays(path)
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    if "labels" not in arrays:
        raise ValueError(f'expected one array, or one called "labels"; it holds {", ".join(arrays) or "none"}')
    return arrays["labels"]


def _read_json(path: Path) -> np.ndarray:
    content: Any = json.loads(path.read_text())
    return np.asarray(content)


def _read_csv(path: Path) -> np.ndarray:
    rows = [line.split(",") for line in path.read_text().splitlines() if line.strip()]
    return np.array([[int(cell) for cell in row] for row in rows])
