"""What an analysis found: one result, its files and its text."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interjax._core._checks import check_count, check_folder, check_is
from interjax._core._files import read_arrays, write_arrays, write_json
from interjax._core._names import names_field
from interjax._core._results import result, static_field
from interjax.concepts._analysis._numbers import from_lists, numbers_of, strongest_of
from interjax.concepts._analysis._statistics import describe, parts_of
from interjax.concepts._analysis._text import text_of
from interjax.concepts._explanations._effects import AndOr, effects_of
from interjax.concepts._explanations._salient import salient
from interjax.concepts._explanations._stability import Stability
from interjax.concepts._statistics._coverage import Coverage, Discrimination
from interjax.concepts._statistics._faithfulness import Faithfulness
from interjax.concepts._statistics._generalization import Generalization
from interjax.concepts._statistics._sizes import SizeDistribution
from interjax.games._players import Players

_ARRAYS = "concepts.npz"
_NUMBERS = "concepts.json"
_OPTIONAL = {"generalization": Generalization, "stability": Stability}


@result
class ConceptAnalysis:
    """The concepts of a network on inputs of some classes, training inputs first, and what was measured on them.

    Attributes:
        tables: v(S) of each input's game, float32 (inputs, 2**n), bit i of the index = player i.
        explanation: an `AndOr` of effects (inputs, 2**n), or for kind "and" the AND effects, float64 (inputs, 2**n).
        labels: class number of each input, (inputs,).
        rows: row of each input in its part of the data, (inputs,).
        is_train: whether it is a training input, bool (inputs,).
        n_left_out: inputs whose games hold NaN or infinite values; they are in none of the arrays.
        faithfulness: `Faithfulness` by part of the data, "training" and, where there are test inputs, "test".
        sizes: `SizeDistribution` by part of the data.
        null: `SizeDistribution` of an untrained network on some of the training inputs; None without one.
        coverage: `Coverage` of the test inputs by the training inputs' concepts; of the training inputs themselves
            where there are no test inputs.
        discrimination: `Discrimination` of the training inputs of each class, by its name.
        generalization: `Generalization` with its null; None where no class has 2 training inputs and 1 test input.
        stability: `Stability` of the explanations of some training inputs; None unless asked for.
        players: the players.
        player_names: a name for each player.
        class_names: a name for each class that has inputs, in the order of their numbers.
        tau: the threshold of salience.
        noise: of the AND-OR explanations.
        n_resumed: of the inputs, how many an earlier call had explained in the same folder.
    """

    tables: np.ndarray
    explanation: Any
    labels: np.ndarray
    rows: np.ndarray
    is_train: np.ndarray
    n_left_out: int
    faithfulness: dict[str, Faithfulness]
    sizes: dict[str, SizeDistribution]
    null: SizeDistribution | None
    coverage: Coverage
    discrimination: dict[str, Discrimination]
    generalization: Generalization | None
    stability: Stability | None
    players: Players = static_field()
    player_names: tuple[str, ...] = names_field()
    class_names: tuple[str, ...] = static_field()
    tau: float = static_field()
    noise: float = static_field()
    n_resumed: int = static_field(default=0)

    @property
    def kind(self) -> str:
        """ "and-or" or "and"."""
        return "and-or" if isinstance(self.explanation, AndOr) else "and"

    @property
    def effects(self) -> np.ndarray:
        """All effects, float64 (inputs, kinds, 2**n): AND, and for kind "and-or" also OR."""
        return effects_of(self.explanation)

    @property
    def n_salient(self) -> dict[str, np.ndarray]:
        """Salient concepts of each input, by part of the data, int (inputs of that part,)."""
        is_salient = salient(self.explanation, tau=self.tau)
        return {name: is_salient[chosen].sum(axis=(1, 2)) for name, chosen in parts_of(self.is_train).items()}

    def strongest(self, class_name: str, count: int = 10) -> list[dict[str, Any]]:
        """The concepts of the largest |mean effect| over the training inputs of a class, the strongest first.

        Args:
            class_name: one of `class_names`.
            count: concepts at most.

        Returns:
            For each concept "kind" ("AND" or "OR"), "players" (their names), "effect" ("mean" over the inputs and its
            "stderr", in the game's units) and "salient_on" (the share of the inputs).

        Raises:
            ValueError: a class without training inputs.
        """
        count = check_count("count", count)
        if not isinstance(class_name, str) or class_name not in self.discrimination:
            raise ValueError(
                f"class_name must be one with training inputs, {', '.join(self.discrimination)}; got {class_name!r}"
            )
        label = np.unique(self.labels)[self.class_names.index(class_name)]
        return strongest_of(self, self.is_train & (self.labels == label), count)

    def table(self) -> str:
        """The main numbers in plain text: faithfulness, and by size how strong and how general concepts are."""
        return text_of(self)

    def save(self, folder: str | os.PathLike, about: Mapping[str, Any] | None = None) -> list[Path]:
        """Write the folder that `interjax concepts` writes.

        concepts.npz holds the arrays, concepts.json every number but those, explanations.npz, generalization.npz and
        stability.npz what has a `load` of its own, as far as there is any.

        Args:
            folder: made if need be; files of these names are replaced, or removed where there is nothing to keep.
            about: of JSON types, written to concepts.json before the numbers.

        Returns:
            The files.
        """
        folder = check_folder("folder", folder)
        check_about(about)
        arrays = {"tables": self.tables, "effects": self.effects, "labels": self.labels, "rows": self.rows}
        arrays |= {"is_train": self.is_train, "player_of_entry": self.players.labels}
        arrays |= {"player_names": np.array(self.player_names)}
        if self.players.cells is not None:
            arrays["player_cells"] = np.array(self.players.cells)
        written = [folder / _NUMBERS, write_arrays(folder / _ARRAYS, arrays)]
        write_json(folder / _NUMBERS, dict(about or {}) | numbers_of(self))
        own = {"explanations": self.explanation if self.kind == "and-or" else None}
        own |= {"generalization": self.generalization, "stability": self.stability}
        for name, one in own.items():
            if one is None:
                (folder / f"{name}.npz").unlink(missing_ok=True)
            else:
                written.append(one.save(folder / f"{name}.npz"))
        return written

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "ConceptAnalysis":
        """Read the folder that `save` or `interjax concepts` wrote; statistics are computed anew from the effects.

        Raises:
            ValueError: files that are missing or damaged.
        """
        folder = check_folder("folder", folder)
        arrays = read_arrays(folder / _ARRAYS)
        try:
            told = json.loads((folder / _NUMBERS).read_text())
        except (OSError, ValueError) as error:
            raise ValueError(f"{folder / _NUMBERS} cannot be read ({error}); expected what `save` wrote") from error
        tables, labels, is_train = (arrays[name] for name in ("tables", "labels", "is_train"))
        is_and = told["kind"] == "and"
        explanation = arrays["effects"][:, 0] if is_and else AndOr.load(folder / "explanations.npz")
        null = told["sizes_of_untrained_network"]
        of_label = dict(zip(labels.tolist(), (one["class"] for one in told["inputs"]), strict=True))
        class_names = tuple(of_label[label] for label in sorted(of_label))
        optional = {
            name: kind.load(folder / f"{name}.npz") if told[name] is not None else None
            for name, kind in _OPTIONAL.items()
        }
        players = _players_of(arrays)
        return cls(
            tables=tables,
            explanation=named(explanation, players),
            labels=labels,
            rows=arrays["rows"],
            is_train=is_train,
            n_left_out=told["n_left_out"],
            null=None if null is None else from_lists(SizeDistribution, null),
            players=players,
            player_names=players.names,
            class_names=class_names,
            tau=told["tau"],
            noise=told["noise"],
            **optional,
            **describe(explanation, tables, labels, is_train, class_names, told["tau"]),
        )


def named(explanation: Any, players: Players) -> Any:
    """An explanation with the names of its players, where it is one that has names."""
    is_named = isinstance(explanation, AndOr)
    return dataclasses.replace(explanation, player_names=players.names) if is_named else explanation


def check_about(about: Any) -> None:
    """Raise ValueError unless it is a mapping that JSON holds, or None."""
    check_is("about", about, Mapping, "a mapping from names to JSON values", optional=True)
    try:
        json.dumps(dict(about or {}))
    except (TypeError, ValueError) as error:
        raise ValueError(f"about must hold JSON values (numbers, text, lists) by name: {error}") from None


def _players_of(arrays: Mapping[str, np.ndarray]) -> Players:
    """The players of an analysis that was saved; whether they form a grid is not told by every folder."""
    players = Players.segments(arrays["player_of_entry"], arrays["player_names"].tolist())
    cells = arrays.get("player_cells")
    return players if cells is None else dataclasses.replace(players, cells=tuple(cells.tolist()))
