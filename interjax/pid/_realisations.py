"""Samples or a distribution as distinct realisations: symbols become codes 0, 1, 2, ..., equal rows count once."""

import dataclasses
import math
from typing import Any

import numpy as np

from interjax._core._checks import as_array, check_known

_MOST_CELLS = 2**22  # codes counted in a table; more of them are sorted
_SUM_TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Realisations:
    """The distinct realisations of n sources, and those of the sources with the target.

    Args:
        sources: codes of the sources in each of their distinct realisations, int64 (source realisations, n).
        levels: number of codes of each source.
        of_source: for each joint realisation the row of `sources`, (realisations,).
        target: for each joint realisation the code of the target, (realisations,).
        n_targets: number of codes of the target.
        weights: of each joint realisation: how many samples, or its probability where n_samples is None.
        n_samples: number of samples, None for a distribution that is known.
        rows: for each sample, or row of a distribution whose weight is not 0, its row of `sources`.
        labels: likewise its code of the target.
    """

    sources: np.ndarray
    levels: tuple[int, ...]
    of_source: np.ndarray
    target: np.ndarray
    n_targets: int
    weights: np.ndarray
    n_samples: int | None
    rows: np.ndarray
    labels: np.ndarray

    @property
    def n_sources(self) -> int:
        return self.sources.shape[1]

    @property
    def total(self) -> float:
        """The sum of all weights: the number of samples, or 1."""
        return float(self.n_samples or 1)

    @property
    def source_weights(self) -> np.ndarray:
        """Weight of each distinct realisation of the sources, (source realisations,)."""
        return np.bincount(self.of_source, self.weights, len(self.sources))

    @property
    def target_weights(self) -> np.ndarray:
        """Weight of each code of the target, (n_targets,)."""
        return np.bincount(self.target, self.weights, self.n_targets)

    def resampled(self, rows: np.ndarray, labels: np.ndarray) -> "Realisations":
        """The realisations of other samples: rows of `sources`, each with a code of the target."""
        return _joined(self.sources, self.levels, rows, labels, self.n_targets, None)


def realisations_of(sources: Any, target: Any, weights: Any = None, *, fewest: int = 2) -> Realisations:
    """Count the distinct realisations of sources and target.

    Args:
        sources: (samples, n), any hashable symbols.
        target: (samples,), any hashable symbols.
        weights: None, or the probability of each row.
        fewest: the least number of sources.

    Raises:
        ValueError: no rows, lengths that differ, fewer sources than `fewest`, symbols that are not finite or not
            hashable, weights that are no probabilities.
    """
    columns = source_columns(sources)
    if len(columns) < fewest:
        raise ValueError(
            f"sources must be at least {fewest}, the columns of an array (samples, sources), got {len(columns)}: "
            "use ij.pid.mutual_information for one"
        )
    (labels,) = _encoded([target_column(target)], "target")
    if len(labels[0]) != len(columns[0]):
        raise ValueError(
            f"sources and target must have one row for each sample, got {len(columns[0])} rows of sources and "
            f"{len(labels[0])} of the target"
        )
    given = None if weights is None else check_probabilities(weights, len(columns[0]))
    codes, levels = zip(*_encoded(columns, "sources"), strict=True)
    if given is not None:
        kept = given > 0
        codes, labels, given = [each[kept] for each in codes], (labels[0][kept], labels[1]), given[kept]
    rows, first = _distinct(_combined(codes, levels))
    distinct = np.stack([each[first] for each in codes], axis=1)
    return _joined(distinct, tuple(levels), rows, labels[0], labels[1], given)


def _joined(
    sources: np.ndarray, levels: tuple[int, ...], rows: np.ndarray, labels: np.ndarray, n_targets: int, weights: Any
) -> Realisations:
    """Count pairs of a row of `sources` and a code of the target; rows that no sample has are left out."""
    space = len(sources) * n_targets
    pairs = rows * n_targets + labels
    if space <= _MOST_CELLS:
        counts = np.bincount(pairs, weights, space)
        found = np.flatnonzero(counts)
        summed = counts[found].astype(np.float64)
    else:
        found, inverse = np.unique(pairs, return_inverse=True)
        summed = np.bincount(inverse, weights, len(found)).astype(np.float64)
    of_source, target = np.divmod(found, n_targets)
    present = np.unique(of_source)
    if len(present) < len(sources):
        sources, of_source = sources[present], np.searchsorted(present, of_source)
        rows = np.searchsorted(present, rows)
    n_samples = len(rows) if weights is None else None
    return Realisations(sources, levels, of_source, target, n_targets, summed, n_samples, rows, labels)


def source_columns(sources: Any) -> list[np.ndarray]:
    """The columns of an array or a list of rows, each (samples,); ValueError unless there are rows of one length."""
    if isinstance(sources, list | tuple):
        lengths = {len(row) if isinstance(row, list | tuple | np.ndarray) else -1 for row in sources}
        if len(lengths) > 1 or lengths == {-1}:
            raise ValueError("sources must be an array (samples, sources) or rows of one length; got rows that differ")
        return [target_column([row[i] for row in sources]) for i in range(max(lengths, default=0))]
    check_known("sources", sources)
    array = np.asarray(as_array("sources", sources, "an array (samples, sources)"))
    if array.ndim != 2 or not array.size:
        raise ValueError(f"sources must be an array (samples, sources) that is not empty, got shape {array.shape}")
    return list(array.T)


def check_symbols(name: str, symbols: Any, count: int) -> np.ndarray:
    """Symbols (count,), one for each sample, as an array; ValueError that names them."""
    column = target_column(symbols, name)
    if len(column) != count:
        raise ValueError(f"{name} must hold one symbol for each of {count} samples, got {len(column)}")
    _codes(column, name)
    return column


def target_column(target: Any, name: str = "target") -> np.ndarray:
    """One symbol for each sample, (samples,), an object array unless all are numbers or text of one kind."""
    kinds: set[type] = set()
    if isinstance(target, list | tuple):
        kinds = {type(symbol) for symbol in target}
        if not (len(kinds) == 1 and kinds <= {int, float, bool, str}):
            column = np.empty(len(target), object)
            column[:] = list(target)
            target = column
    check_known(name, target)
    array = np.asarray(as_array(name, target, "one symbol for each sample, (samples,)"))
    if isinstance(target, list | tuple) and kinds == {int} and array.dtype.kind == "f":
        array = np.array(target, object)  # integers of either sign that no integer type holds
    if array.ndim != 1 or not array.size:
        raise ValueError(f"{name} must hold one symbol for each sample, (samples,), got shape {array.shape}")
    return array


def check_probabilities(weights: Any, n_rows: int) -> np.ndarray:
    """Weights as float64 that sum to one; ValueError unless they are probabilities, one for each row."""
    check_known("weights", weights)
    array = np.asarray(as_array("weights", weights, f"one probability for each of the {n_rows} rows"))
    if array.shape != (n_rows,) or array.dtype.kind not in "iuf":
        raise ValueError(f"weights must be one probability for each of the {n_rows} rows, got shape {array.shape}")
    array = array.astype(np.float64)
    if not np.all(np.isfinite(array)) or array.min() < 0:
        raise ValueError("weights must be finite probabilities of at least 0; got a negative or non-finite one")
    total = array.sum()
    if abs(total - 1) > _SUM_TOLERANCE:
        raise ValueError(
            f"weights must be probabilities that sum to one, got a sum of {total:.6g}: divide them by it; "
            "where they are counts, repeat the rows and leave weights out"
        )
    return array / total


def _encoded(columns: list[np.ndarray], name: str) -> list[tuple[np.ndarray, int]]:
    """Each column as int64 codes from 0 and their number."""
    return [_codes(column, name) for column in columns]


def _codes(column: np.ndarray, name: str) -> tuple[np.ndarray, int]:
    if column.dtype.kind == "b":
        column = column.astype(np.uint8)
    if column.dtype.kind in "iu":
        low, high = int(column.min()), int(column.max())
        if high - low < 256:  # few enough to leave gaps
            # In 64 bits of the column's own sign: a difference of 8 bits wraps, one of uint64 as int64 does.
            wide = column.astype(np.int64 if column.dtype.kind == "i" else np.uint64)
            return (wide - wide.dtype.type(low)).astype(np.int64), high - low + 1
    if column.dtype.kind == "O":
        return _object_codes(column, name)
    if column.dtype.kind in "fc" and not np.all(np.isfinite(column)):
        bad = int(np.sum(~np.isfinite(column)))
        raise ValueError(f"{name} must be finite, got {bad} of {len(column)} values that are NaN or infinite")
    values, codes = np.unique(column, return_inverse=True)
    return codes.astype(np.int64), len(values)


def _object_codes(column: np.ndarray, name: str) -> tuple[np.ndarray, int]:
    known: dict[Any, int] = {}
    try:
        codes = np.array([known.setdefault(symbol, len(known)) for symbol in column], np.int64)
    except TypeError as error:
        raise ValueError(f"{name}: symbols must be hashable: {error}; give tuples instead of lists") from None
    if any(isinstance(symbol, float | np.floating) and not math.isfinite(symbol) for symbol in known):
        raise ValueError(f"{name} must be finite, got a NaN or infinite symbol")
    return codes, len(known)


def _combined(columns: Any, levels: Any) -> np.ndarray:
    """One code for each row, below 2**62 and equal where the rows are equal."""
    code, space = columns[0], levels[0]
    for column, count in zip(columns[1:], levels[1:], strict=True):
        if space * count > 2**62:
            values, code = np.unique(code, return_inverse=True)
            space = len(values)
        code, space = code * count + column, space * count
    return code


def _distinct(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank of each code among the distinct ones, and where each of those occurs."""
    space = int(codes.max()) + 1
    if space > _MOST_CELLS:
        _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        return inverse, first
    place = np.full(space, -1, np.int64)
    place[codes] = np.arange(len(codes))
    found = np.flatnonzero(place >= 0)
    ranks = np.empty(space, np.int64)
    ranks[found] = np.arange(len(found))
    return ranks[codes], place[found]
