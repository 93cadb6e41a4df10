"""Games: coalitions, players, baselines, outputs, any network as a game, the values of all coalitions."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

if TYPE_CHECKING:
    from interjax.games._baselines import marginal as marginal
    from interjax.games._coalitions import pairs_within as pairs_within
    from interjax.games._game import Game as Game
    from interjax.games._host_games import masked_host_game as masked_host_game
    from interjax.games._masked_games import masked_game as masked_game
    from interjax.games._masked_games import masked_games as masked_games
    from interjax.games._outputs import log_odds as log_odds
    from interjax.games._outputs import log_prob as log_prob
    from interjax.games._outputs import logit as logit
    from interjax.games._outputs import prob as prob
    from interjax.games._players import Players as Players
    from interjax.games._tabulate import tabulate as tabulate
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
