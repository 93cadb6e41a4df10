"""What `interjax concepts` explains: inputs of each class, their tables and their effects, kept piece by piece."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import interjax as ij
from interjax import datasets
from interjax._core._progress import Progress
from interjax._engine._folders import RunFolder, fingerprint
from interjax.concepts._explanations._and_or import MAX_PLAYERS
from interjax.concepts._explanations._effects import AndOr
from interjax.concepts._explanations._stability import Stability

KINDS = ("and", "and-or")
_MOST_CLASSES = 10
_TABULATED_AT_ONCE = 16
_JITTER = 1e-4  # of the costs, for stability
FEWEST = (2, 1)  # training and test inputs of a class of which similarities are measured
_ENTRIES_AT_ONCE = 1 << 22  # of the programs' matrices in a piece, within 4 and 16 games


@dataclasses.dataclass(frozen=True)
class Inputs:
    """Inputs to explain, training ones first: x, class numbers, rows in their part of the data, and which part."""

    x: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    is_train: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: np.ndarray | slice) -> "Inputs":
        return Inputs(self.x[chosen], self.labels[chosen], self.rows[chosen], self.is_train[chosen])

    def in_turn(self, count: int) -> np.ndarray:
        """Indices of training inputs, classes in turn, at most so many."""
        train = np.flatnonzero(self.is_train)
        turn = [np.sum(self.labels[train[:place]] == self.labels[one]) for place, one in enumerate(train)]
        return train[np.lexsort((train, turn))][:count]

    def comparable(self) -> np.ndarray:
        """The classes with enough training and test inputs for a similarity."""
        enough = [
            label
            for label in np.unique(self.labels)
            if all(
                np.sum((self.labels == label) & (self.is_train == part)) >= few
                for part, few in zip((True, False), FEWEST, strict=True)
            )
        ]
        return np.array(enough, int)


def classes_of(text: str | None, data: datasets.Dataset) -> list[int]:
    """The class numbers that an option names; by default all, at most ten."""
    if text is None:
        return list(range(min(data.n_classes, _MOST_CLASSES)))
    numbers = {str(number): number for number in range(data.n_classes)}
    numbers |= {name: number for number, name in enumerate(data.class_names)}
    named = [part.strip() for part in text.split(",")]
    unknown = [part for part in named if part not in numbers]
    if unknown:
        shown = ", ".join(data.class_names[:12]) + (", ..." if data.n_classes > 12 else "")
        raise ValueError(
            f"--classes: {data.name} has no class {unknown[0]!r}; expected some of {shown}, or their numbers from 0"
        )
    return sorted({numbers[part] for part in named})


def choose_inputs(key: jax.Array, data: datasets.Dataset, classes: list[int], per_class: int) -> Inputs:
    """The first training inputs of each class in the key's order, and half as many test inputs, rounded up."""
    found = []
    parts = ((data.train_x, data.train_y, per_class, True), (data.test_x, data.test_y, (per_class + 1) // 2, False))
    for own, (x, y, count, is_train) in zip(jax.random.split(key), parts, strict=True):
        order = np.asarray(jax.random.permutation(own, len(y)))
        rows = np.concatenate([order[y[order] == label][:count] for label in classes])
        found.append((x[rows], y[rows], rows, np.full(len(rows), is_train)))
    missing = [data.class_names[label] for label in classes if label not in found[0][1]]
    if missing:
        raise ValueError(f"{data.name} has no training inputs of class {missing[0]}: leave it out (--classes)")
    return Inputs(*(np.concatenate(part) for part in zip(*found, strict=True)))


def tables_of(model: Any, inputs: Inputs, how: dict[str, Any]) -> np.ndarray:
    """The tables of a few inputs, float32 (inputs, 2**n); values that are not finite stay, without a warning."""
    size = max(len(inputs), _TABULATED_AT_ONCE)
    rows = np.minimum(np.arange(size), len(inputs) - 1)  # the last one repeated: one shape, compiled once
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".* values of the games are NaN or infinite")
        return ij.concepts.concept_tables(model, inputs.x[rows], inputs.labels[rows], **how)[: len(inputs)]


def tabulate(run: RunFolder, model: Any, inputs: Inputs, how: dict[str, Any], advance: Progress) -> np.ndarray:
    """The tables of all inputs, float32 (inputs, 2**n); kept piece by piece."""
    tables = []
    for start in range(0, len(inputs), _TABULATED_AT_ONCE):
        name, part = f"tables{start}", slice(start, start + _TABULATED_AT_ONCE)
        kept = run.read(name)
        if kept is None:
            kept = {"tables": tables_of(model, inputs[part], how)}
            run.write(name, kept)
        tables.append(kept["tables"])
        advance(min(start + _TABULATED_AT_ONCE, len(inputs)), len(inputs))
    return np.concatenate(tables)


class Explainer:
    """Explains tables (games, 2**n): AND effects, or an `AndOr` in pieces that a run's folder keeps.

    Args:
        run: keeps each piece under a name that follows from its tables.
        kind: "and-or" or "and".
        noise: of `ij.concepts.and_or`.
        count: games at most in a piece.
    """

    def __init__(self, run: RunFolder, kind: str, noise: float, count: int):
        self.run, self.kind, self.noise, self.count = run, kind, noise, count
        self.advance: Progress = lambda done, total: None
        self.kept = 0

    def __call__(self, tables: np.ndarray) -> Any:
        tables = np.asarray(tables, np.float64)
        if self.kind == "and":
            return ij.moebius(tables)
        return AndOr(**self._in_pieces("games", tables, lambda part: ij.concepts.and_or(part, noise=self.noise)))

    def stability(self, key: jax.Array, tables: np.ndarray, tau: float) -> Stability:
        """How much of the explanations is forced, by `ij.concepts.stability`."""

        def solve(part: np.ndarray) -> Stability:
            return ij.concepts.stability(key, part, noise=self.noise, tau=tau, jitter=_JITTER)

        found = self._in_pieces("stability", np.asarray(tables, np.float64), solve)
        return Stability(**found, jitter=_JITTER, tau=tau)

    def _in_pieces(self, name: str, tables: np.ndarray, compute: Callable[[np.ndarray], Any]) -> dict[str, np.ndarray]:
        """The array fields of a result, computed and kept a few games at a time."""
        size = min(self.count, max(4, min(16, _ENTRIES_AT_ONCE // tables.shape[1] ** 2)))
        pieces = []
        for start in range(0, len(tables), size):
            pieces.append(self._piece(name, tables[start : start + size], size, compute))
            self.advance(min(start + size, len(tables)), len(tables))
        return {field: np.concatenate([piece[field] for piece in pieces]) for field in pieces[0]}

    def _piece(self, name: str, tables: np.ndarray, size: int, compute: Callable) -> dict[str, np.ndarray]:
        place = f"{name}-{fingerprint(tables)[:16]}"
        kept = self.run.read(place)
        if kept is not None:
            self.kept += len(tables)
            return kept
        padded = np.concatenate([tables, np.zeros((size - len(tables), tables.shape[1]))])  # one shape: compiled once
        found = compute(padded)
        fields = [field.name for field in dataclasses.fields(found) if not field.metadata.get("static")]
        kept = {field: np.asarray(getattr(found, field))[: len(tables)] for field in fields}
        self.run.write(place, kept)
        return kept


def check_players(players: ij.Players, kind: str) -> None:
    """Raise ValueError where an AND-OR explanation of so many players is not computed."""
    if kind == "and-or" and players.n > MAX_PLAYERS:
        raise ValueError(
            f"{players.n} players are too many for --kind and-or, which takes at most {MAX_PLAYERS}: choose fewer "
            "(--players, or coarser --cells), or --kind and"
        )
