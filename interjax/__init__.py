"""interjax: how a neural network's inputs act together, measured at every order."""

from interjax import concepts as concepts
from interjax import datasets as datasets
from interjax import dynamics as dynamics
from interjax import evaluation as evaluation
from interjax import losses as losses
from interjax import networks as networks
from interjax import pid as pid
from interjax import plots as plots
from interjax import representations as representations
from interjax import reproduce as reproduce
from interjax import training as training
from interjax._coalitions import pairs_within as pairs_within
from interjax._exact_orders import exact_order_interactions as exact_order_interactions
from interjax._exact_orders import learning_strength as learning_strength
from interjax._games import Game as Game
from interjax._games import tabulate as tabulate
from interjax._indices import Interactions as Interactions
from interjax._indices import interaction_index as interaction_index
from interjax._masked_games import masked_game as masked_game
from interjax._masked_games import masked_games as masked_games
from interjax._orders import OrderInteractions as OrderInteractions
from interjax._orders import order_interactions as order_interactions
from interjax._outputs import log_odds as log_odds
from interjax._outputs import log_prob as log_prob
from interjax._outputs import logit as logit
from interjax._outputs import prob as prob
from interjax._players import Players as Players
from interjax._players import marginal as marginal
from interjax._profile import OFFICIAL_ALLOCATION as OFFICIAL_ALLOCATION
from interjax._profile import OrderProfile as OrderProfile
from interjax._profile import order_profile as order_profile
from interjax._transforms import inverse_moebius as inverse_moebius
from interjax._transforms import inverse_or_interactions as inverse_or_interactions
from interjax._transforms import inverse_walsh_hadamard as inverse_walsh_hadamard
from interjax._transforms import moebius as moebius
from interjax._transforms import or_interactions as or_interactions
from interjax._transforms import walsh_hadamard as walsh_hadamard

__version__ = "0.1.0"
