"""How many contexts an order has and gets: which are evaluated whole, and which are drawn without replacement."""

import dataclasses
import math
from typing import Any

import numpy as np

from interjax._core._checks import check_count

# Contexts are drawn without replacement where there are at most so many for each one drawn: beyond, the error would be
# less by a fortieth; and where no more than so many need be listed.
_FEW = 20
_MOST_LISTED = 2**16
MOST_CONTEXTS = 10**15  # that may be asked for, so that passes can be counted in 64 bits


def check_contexts(contexts: Any) -> int:
    """Contexts of a coalition as an int; ValueError unless it is an integer of at least 1, or if it is beyond use."""
    return check_count("contexts", check_count("contexts", contexts), most=MOST_CONTEXTS)


def share_of_contexts(n_players: int, size: int, order: int) -> float:
    """Probability that a shared context of this order serves a given coalition (in the better of the two forms)."""
    free = order + size if is_mirrored(n_players, size, order) else n_players - order
    return math.prod((free - taken) / (n_players - taken) for taken in range(size))


def has_one_context(n_players: int, size: int, order: int) -> bool:
    """True at the two end orders, whose single context is evaluated once."""
    return order in (0, n_players - size)


@dataclasses.dataclass(frozen=True)
class Before:
    """What was drawn before at an order, of which more is drawn: contexts in all, and those of the first time."""

    contexts: int = 0
    first: int = 0


NOTHING = Before()


def enumerates_shared(n_players: int, size: int, order: int, contexts: int, before: Before = NOTHING) -> bool:
    """True where every shared context is evaluated once: the end orders, which have one, and those where the contexts
    are at most twice as many as would be drawn; of more contexts those that are all drawn then."""
    if has_one_context(n_players, size, order):
        return True
    every = math.comb(n_players, drawn_size(n_players, size, order))
    drawn = shared_draws(n_players, size, order, contexts + before.contexts)
    return every <= min(drawn if before.contexts else 2 * drawn, _MOST_LISTED)


def enumerates_own(n_players: int, size: int, order: int, contexts: int, before: Before = NOTHING) -> bool:
    """True where every context of a coalition is evaluated once, as there are no more than would be drawn."""
    return math.comb(n_players - size, order) <= contexts + before.contexts


def draws_distinct(n_players: int, size: int, order: int, contexts: int, *, shared: bool) -> bool:
    """Whether contexts are drawn without replacement: where they are few, so that it tells."""
    if shared:
        every = math.comb(n_players, drawn_size(n_players, size, order))
        return every <= min(_FEW * shared_draws(n_players, size, order, contexts), _MOST_LISTED)
    return math.comb(n_players - size, order) <= min(_FEW * contexts, _MOST_LISTED)


def shared_draws(n_players: int, size: int, order: int, contexts: int) -> int:
    """Contexts to draw so that each coalition gets `contexts` of them on average."""
    return math.ceil(contexts / share_of_contexts(n_players, size, order))


def drawn_size(n_players: int, size: int, order: int) -> int:
    return order + size * is_mirrored(n_players, size, order)


def is_mirrored(n_players: int, size: int, order: int) -> bool:
    return 2 * order > n_players - size


def expected_block_rows(n_players: int, coalitions: np.ndarray, order: int, contexts: int) -> float:
    """Rows that `block_plans` will make at one order, on average."""
    size = coalitions.shape[1]
    share = share_of_contexts(n_players, size, order)
    players = len(np.unique(coalitions))
    draws = shared_draws(n_players, size, order, contexts)
    if enumerates_shared(n_players, size, order, contexts):
        draws = math.comb(n_players, drawn_size(n_players, size, order))
    return draws * (1 + players * share ** (1 / size) + len(coalitions) * share)
