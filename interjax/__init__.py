"""interjax: how a neural network's inputs act together, measured at every order."""

from typing import TYPE_CHECKING

from interjax._core._lazy import lazy_face

__version__ = "0.1.0"

if TYPE_CHECKING:
    from interjax import concepts as concepts
    from interjax import datasets as datasets
    from interjax import dynamics as dynamics
    from interjax import evaluation as evaluation
    from interjax import games as games
    from interjax import losses as losses
    from interjax import networks as networks
    from interjax import orders as orders
    from interjax import pid as pid
    from interjax import plots as plots
    from interjax import profiles as profiles
    from interjax import representations as representations
    from interjax import reproduce as reproduce
    from interjax import tables as tables
    from interjax import training as training
    from interjax._core._estimate import Estimate as Estimate
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
    from interjax.orders._interactions import OrderInteractions as OrderInteractions
    from interjax.orders._interactions import order_interactions as order_interactions
    from interjax.orders._theory import learning_strength as learning_strength
    from interjax.profiles._comparison import ProfileComparison as ProfileComparison
    from interjax.profiles._comparison import compare_profiles as compare_profiles
    from interjax.profiles._profile import OFFICIAL_ALLOCATION as OFFICIAL_ALLOCATION
    from interjax.profiles._profile import order_profile as order_profile
    from interjax.profiles._result import OrderProfile as OrderProfile
    from interjax.tables._exact_orders import exact_order_interactions as exact_order_interactions
    from interjax.tables._indices import Interactions as Interactions
    from interjax.tables._indices import interaction_index as interaction_index
    from interjax.tables._transforms import inverse_moebius as inverse_moebius
    from interjax.tables._transforms import inverse_or_interactions as inverse_or_interactions
    from interjax.tables._transforms import inverse_walsh_hadamard as inverse_walsh_hadamard
    from interjax.tables._transforms import moebius as moebius
    from interjax.tables._transforms import or_interactions as or_interactions
    from interjax.tables._transforms import walsh_hadamard as walsh_hadamard
else:
    __getattr__, __dir__, __all__ = lazy_face(__name__)
