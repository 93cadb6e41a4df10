"""The arguments of a strength profile: checked, with what they leave open, and as what identifies a run."""

from typing import Any

import jax
import numpy as np

from interjax._core._checks import check_choice, check_count, check_number
from interjax._engine._folders import fingerprint
from interjax.games._game import Game
from interjax.games._identity import identity
from interjax.orders._arguments import as_coalitions, as_orders
from interjax.orders._estimators import ESTIMATORS, PLANNED
from interjax.profiles._clusters import PairPopulation
from interjax.profiles._correction import CORRECTIONS, KINDS
from interjax.profiles._one_input import Design, cluster_players_of

_FEW_PAIRS = 500
# Of one input all pairs are measured up to here: they share contexts, and reach the error of the papers' 200 pairs by
# 100 contexts in a ninth of their passes, clusters of half the pairs not in a fifth (benchmarks/NOTES.md).
_ALL_PAIRS_OF_ONE_INPUT = 2000
METHODS = tuple(PLANNED)
"""The estimators of interactions of which a profile can be made."""


def check_choices(
    games: list[Any], correction: str, kind: str, target: float | None, n_pairs: int | None, method: str
) -> None:
    """Raise ValueError for games that differ in players, and for choices that there are not."""
    if not games or not all(isinstance(game, Game) for game in games):
        raise ValueError(
            "games must be a Game or a non-empty sequence of games (ij.masked_games makes one); got "
            f"{', '.join(sorted({type(game).__name__ for game in games})) or 'none'}"
        )
    if len({game.n_players for game in games}) > 1:
        raise ValueError(f"games must have the same players, got {sorted({game.n_players for game in games})} players")
    check_choice("method", method, ESTIMATORS)
    if method not in METHODS:
        names = " or ".join(f'"{name}"' for name in METHODS)
        raise ValueError(f'method must be {names} for a profile; got "{method}", which is for ij.order_interactions')
    check_choice("correction", correction, CORRECTIONS)
    check_choice("kind", kind, KINDS)
    if target is not None:
        check_number("target_stderr", target, "(0, inf]")
    if n_pairs is not None:
        check_count("n_pairs", n_pairs)


def design_of(
    games: list[Game], orders: Any, contexts: int | None, pairs: Any, n_pairs: int | None, method: str
) -> Design:
    """The design that the arguments ask for, with what they leave open."""
    n_players = games[0].n_players
    population = PairPopulation.of(_pairs_only(as_coalitions(pairs, n_players)), n_players)
    numbers = as_orders(orders, n_players, 2)
    n_pairs = int(n_pairs or _default_n_pairs(len(population.pairs), len(games)))
    n_pairs = min(n_pairs, len(population.pairs))
    contexts = contexts if contexts is not None else 20 if n_pairs == len(population.pairs) else 10
    contexts = check_count("contexts", contexts)
    return Design(population, numbers, contexts, n_pairs, method, cluster_players_of(n_pairs, len(games)))


def _pairs_only(coalitions: np.ndarray) -> np.ndarray:
    if coalitions.shape[1] != 2:
        raise ValueError(
            f"pairs must hold two players each for a profile, got coalitions of {coalitions.shape[1]} players"
        )
    return coalitions


def _default_n_pairs(population: int, inputs: int) -> int:
    takes_all = population <= max(_FEW_PAIRS, _ALL_PAIRS_OF_ONE_INPUT // inputs)
    return population if takes_all else max(132, 1056 // inputs)


def settings_of(key: jax.Array, games: list[Game], design: Design) -> dict[str, Any]:
    """What identifies a run. Batch size and devices change its numbers by rounding only, so a resumed run may choose
    them anew."""
    return {
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "orders": design.orders.tolist(),
        "contexts": design.contexts,
        "n_pairs": design.n_pairs,
        "pairs": fingerprint([design.population.pairs]),
        "method": design.method,
        "draws": "without replacement where contexts are few, in groups",  # versions before drew otherwise
        **identity(games),
    }
