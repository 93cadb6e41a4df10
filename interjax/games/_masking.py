"""How a network's inputs become games: what is absent, what is shown instead, and which number the network gives."""

import dataclasses
from typing import Any

from interjax._engine._folders import fingerprint, name_of
from interjax.games._apply import check_precision
from interjax.games._game import Game
from interjax.games._masked_games import masked_games
from interjax.games._outputs import log_odds
from interjax.games._players import Players, check_players
from interjax.games._readings import check_reading


@dataclasses.dataclass(frozen=True, eq=False)
class Masking:
    """What of a call makes games of inputs with labels; the same for every network and every batch.

    Args:
        players, baseline, output, precision: as for `ij.masked_games`.
    """

    players: Players
    baseline: Any = 0.0
    output: Any = log_odds
    precision: str | None = "float32"

    def __post_init__(self) -> None:
        check_players(self.players)
        check_precision(self.precision)
        check_reading(self.output)

    @property
    def keywords(self) -> dict[str, Any]:
        """The arguments by which public functions take it."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def game(self, model: Any, x: Any, label: int) -> Game:
        """The game of one input."""
        return self.games(model, x[None], [label])[0]

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
