"""How a network's inputs become games: what is absent, what is shown instead, and which number the network gives."""

import dataclasses
from typing import Any

import jax

from interjax._core._checks import check_known
from interjax._engine._folders import fingerprint, name_of
from interjax.games._apply import check_precision, row_of, shown_shapes
from interjax.games._batches import as_input, check_some_players, players_of, rows_of
from interjax.games._game import Game
from interjax.games._masked_games import masked_games
from interjax.games._outputs import is_of_label, log_odds
from interjax.games._readings import check_reading


@dataclasses.dataclass(frozen=True, eq=False)
class Masking:
    """What of a call makes games of inputs with labels; the same for every network and every batch.

    Args:
        players, baseline, output, precision: as for `ij.masked_games`; of several arrays players are those of inputs
            once it is `on` them.
    """

    players: Any
    baseline: Any = 0.0
    output: Any = log_odds
    precision: str | None = "float32"

    def __post_init__(self) -> None:
        check_some_players(self.players)
        check_precision(self.precision)
        check_reading(self.output)

    @classmethod
    def of_classes(cls, players: Any, baseline: Any, output: Any, precision: str | None) -> "Masking":
        """The same where labels are classes: None as output is the log-odds of the label."""
        return cls(players, baseline, log_odds if output is None else output, precision)

    @property
    def keywords(self) -> dict[str, Any]:
        """The arguments by which public functions take it."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def game(self, model: Any, x: Any, label: int) -> Game:
        """The game of one input."""
        return self.games(model, jax.tree.map(lambda leaf: leaf[None], x), [label])[0]

    def on(self, x: Any) -> "tuple[Masking, Any]":
        """The same for inputs like these (inputs, ...), with the players that partition one, and these as arrays.

        ValueError that names x, or players, where they do not fit each other or there is no input.
        """
        check_known("x", x)
        x = as_input(x, self.players)
        if not rows_of(x, "x"):
            raise ValueError(f"x must be inputs (inputs, *input shape), at least one; got shape {shown_shapes(x)}")
        players = players_of(self.players, row_of(x), "each input of x")
        return dataclasses.replace(self, players=players), x

    def check_labelled(self, labels: Any) -> None:
        """Raise ValueError if an output of the label has none: the predicted class is another at each checkpoint."""
        if labels is None and (self.output is None or is_of_label(self.output)):
            raise ValueError(
                "labels must be the class of each input for an output of the label, such as ij.log_odds; got None: "
                "give them, or an output with its label, ij.log_odds(3), or your function of the network's output"
            )

    def games(self, model: Any, x: Any, labels: Any, **options: Any) -> list[Game]:
        """The games of a network's inputs, by `ij.masked_games` with its further options."""
        return masked_games(model, x, labels, **self.keywords, **options)

    @property
    def settings(self) -> dict[str, Any]:
        """What a run that keeps its work notes of it."""
        return {
            "players": self.players.digest,
            "baseline": fingerprint(self.baseline),
            "output": name_of(self.output),
            "precision": self.precision,
        }
