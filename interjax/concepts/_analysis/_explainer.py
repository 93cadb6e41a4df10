"""Tables turned into effects: Harsanyi dividends, or the sparsest AND-OR explanations in pieces that a folder keeps."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from interjax._engine._folders import RunFolder, fingerprint
from interjax.concepts._explanations._and_or import and_or
from interjax.concepts._explanations._effects import AndOr
from interjax.concepts._explanations._stability import Stability, stability
from interjax.tables._transforms import moebius

KINDS = ("and", "and-or")
_JITTER = 1e-4  # of the costs, for stability
_ENTRIES_AT_ONCE = 1 << 22  # of the programs' matrices in a piece, within 1 and 16 games


class Explainer:
    """Explains tables (games, 2**n): AND effects, or an `AndOr` in pieces that a run's folder keeps.

    Args:
        run: keeps each piece under a name that follows from its tables; None keeps nothing.
        kind: "and-or" or "and".
        noise: of `ij.concepts.and_or`.
        count: games at most in a piece.

    Attributes:
        advance: called with (games explained, games in all).
        kept: how many games were read from the folder, not explained anew.
    """

    def __init__(self, run: RunFolder | None, kind: str, noise: float, count: int):
        self.run, self.kind, self.noise, self.count = run, kind, noise, count
        self.advance: Callable[[int, int], Any] = lambda done, total: None
        self.kept = 0

    @classmethod
    def of_folder(cls, folder: str | os.PathLike, count: int) -> "Explainer":
        """The explainer of the analysis that a folder keeps."""
        settings = json.loads((Path(folder) / "settings.json").read_text())
        return cls(RunFolder(folder, settings), settings["kind"], settings["noise"], count)

    def __call__(self, tables: np.ndarray) -> Any:
        tables = np.asarray(tables, np.float64)
        if self.kind == "and":
            return moebius(tables)
        return AndOr(**self._in_pieces("games", tables, lambda part: and_or(part, noise=self.noise)))

    def stability(self, key: jax.Array, tables: np.ndarray, tau: float) -> Stability:
        """How much of the explanations is forced, by `ij.concepts.stability`."""

        def solve(part: np.ndarray) -> Stability:
            return stability(key, part, noise=self.noise, tau=tau, jitter=_JITTER)

        about = {"of_key": np.asarray(jax.random.key_data(key)), "of_tau": np.asarray(tau)}
        found = self._in_pieces("stability", np.asarray(tables, np.float64), solve, about)
        return Stability(**found, jitter=_JITTER, tau=tau)

    def _in_pieces(
        self,
        name: str,
        tables: np.ndarray,
        compute: Callable[[np.ndarray], Any],
        about: dict[str, np.ndarray] | None = None,
    ) -> dict[str, Any]:
        """The array fields of a result, computed and kept a few games at a time.

        Args:
            name: of the result, with which the names of its pieces begin.
            tables: of the games.
            compute: tables -> the result.
            about: what the result hangs on beside tables, kind and noise.
        """
        size = min(self.count, max(1, min(16, _ENTRIES_AT_ONCE // tables.shape[1] ** 2)))
        pieces = []
        for start in range(0, len(tables), size):
            pieces.append(self._piece(name, tables[start : start + size], size, compute, about or {}))
            self.advance(min(start + size, len(tables)), len(tables))
        return {field: np.concatenate([piece[field] for piece in pieces]) for field in pieces[0]}

    def _piece(
        self, name: str, tables: np.ndarray, size: int, compute: Callable, about: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        place = f"{name}-{fingerprint(tables)[:16]}"
        kept = self._read(place, about)
        if kept is not None:
            self.kept += len(tables)
            return kept
        padded = np.concatenate([tables, np.zeros((size - len(tables), tables.shape[1]))])  # one shape: compiled once
        found = compute(padded)
        fields = [field.name for field in dataclasses.fields(found) if not field.metadata.get("static")]
        kept = {field: np.asarray(getattr(found, field))[: len(tables)] for field in fields}
        if self.run is not None:
            self.run.write(place, kept | about)
        return kept

    def _read(self, place: str, about: dict[str, np.ndarray]) -> dict[str, np.ndarray] | None:
        """A kept piece, or None. One that does not tell what it hangs on is the command's, whose settings fix that."""
        kept = None if self.run is None else self.run.read(place)
        if kept is None or not all(np.array_equal(kept.pop(field, value), value) for field, value in about.items()):
            return None
        return kept
