"""The arguments of a strength profile: checked, with what they leave open, and as what identifies a run."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from interjax._core._checks import check_choice, check_count, check_integers, check_number, shown
from interjax._engine._folders import fingerprint
from interjax.games._game import Game
from interjax.games._identity import identity
from interjax.games._tabulate import MAX_TABLE_PLAYERS
from interjax.orders._arguments import as_coalitions, as_orders
from interjax.orders._counts import MOST_CONTEXTS, Before, check_contexts
from interjax.orders._estimators import ESTIMATORS, PLANNED
from interjax.orders._tabulated import check_exact, is_tabulated
from interjax.profiles._clusters import PairPopulation
from interjax.profiles._correction import CORRECTIONS, KINDS
from interjax.profiles._goal import Goal
from interjax.profiles._one_input import Design, cluster_players_of, groups_of

_FEW_PAIRS = 500
# Of one input all pairs are measured up to here: they share contexts, and reach the error of the papers' 200 pairs by
# 100 contexts in a ninth of their passes, clusters of half the pairs not in a fifth (benchmarks/NOTES.md).
_ALL_PAIRS_OF_ONE_INPUT = 2000
_MOST_GROUPS = 25
_FEWEST = 5  # contexts for which all pairs are measured
_LEAST = 3  # contexts of a budget: of 2 the errors are hardly known, and the passes a third more than expected
_FEWEST_PAIRS = 12  # of all inputs, where they are drawn for a budget
_FEWEST_TO_ALLOT = 10  # contexts: of fewer the noise of an order is not told
_MOST_BEYOND = 1.05  # of a budget: passes are known on average
_PILOT = 0.6  # of the contexts that are paid for: an even share that shows the noise of each order
METHODS = tuple(PLANNED)
"""The estimators of interactions of which a profile can be made."""


def check_choices(games: list[Any], correction: str, kind: str, n_pairs: int | None, method: str) -> None:
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
    if n_pairs is not None:
        check_count("n_pairs", n_pairs)


def goal_of(target_stderr: Any, max_forwards: Any, n_forwards: Any) -> Goal:
    """When to stop measuring."""
    if target_stderr is not None and n_forwards is not None:
        raise ValueError(
            "n_forwards must be None with target_stderr, which goes on until the error is reached, and which "
            f"max_forwards may bound: give one of the two; got {shown(n_forwards)}"
        )
    return Goal(
        None if target_stderr is None else check_number("target_stderr", target_stderr, "(0, inf]"),
        check_number("max_forwards", max_forwards, "(0, inf]"),
        None if n_forwards is None else check_number("n_forwards", n_forwards, "(0, inf)"),
    )


def design_of(
    n_players: int,
    inputs: int,
    passes: int,
    *,
    orders: Any,
    contexts: Any,
    pairs: Any,
    n_pairs: int | None,
    method: str,
    n_forwards: float | None = None,
    exact: bool | None = None,
) -> Design:
    """The design of the first round that the arguments ask for, with what they leave open.

    Args:
        n_players, inputs: of the games.
        passes: forward passes that one coalition of a game costs.
        orders, contexts, pairs, n_pairs, method, n_forwards, exact: as for `order_profile`.
    """
    population = PairPopulation.of(_pairs_only(as_coalitions(pairs, n_players)), n_players)
    numbers = as_orders(orders, n_players, 2)

    def design(contexts: Any, n_pairs: int, groups: int | None = None) -> Design:
        by_order = _contexts_by_order(contexts, numbers)
        groups = groups or groups_of(max(by_order), takes_all=n_pairs == len(population.pairs))
        return Design(population, numbers, by_order, n_pairs, method, cluster_players_of(n_pairs, inputs), groups)

    everyone, exact = len(population.pairs), check_exact(exact, n_players)
    table = Design.of_table(population, numbers, method)
    if n_forwards is None:
        n_pairs = min(int(n_pairs or _default_n_pairs(everyone, inputs)), everyone)
        first = design(contexts if contexts is not None else 20 if n_pairs == everyone else 10, n_pairs)
        return table if is_tabulated(exact, n_players, first.expected_passes) else first
    together = inputs * passes
    enough = min(2**20, max(math.comb(n_players - 2, order) for order in numbers.tolist()))
    if contexts is not None:
        _contexts_by_order(contexts, numbers)
    if is_tabulated(exact, n_players, lambda: min(n_forwards / together, design(enough, everyone).expected_passes())):
        if (takes := together << n_players) > n_forwards:
            raise ValueError(
                f"n_forwards must be at least {takes} with exact=True, all coalitions of {inputs} inputs, got "
                f"{n_forwards:g}: give more, or exact=None"
            )
        return table
    usual = _default_n_pairs(everyone, inputs)
    fewest = max(2, -(-_FEWEST_PAIRS // inputs))
    first = _first_of_budget(design, contexts, n_pairs, usual, fewest, everyone, enough, n_forwards / together)
    if first.expected_passes() * together > _MOST_BEYOND * n_forwards:
        others = [design(_LEAST, everyone)] if contexts is None and n_pairs is None else []
        least = math.ceil(min(each.expected_passes() for each in (first, *others)) * together)
        what = "a first round takes"
        if exact is None and n_players <= MAX_TABLE_PLAYERS and together << n_players < least:
            least, what = together << n_players, "all coalitions take"
        raise ValueError(
            f"n_forwards must be at least {least}, what {what}, got {n_forwards:g}: give more, or fewer orders, "
            "pairs or contexts"
        )
    return first


def _first_of_budget(
    design: Callable[..., Design],
    contexts: Any,
    n_pairs: int | None,
    usual_pairs: int,
    fewest_pairs: int,
    everyone: int,
    enough: int,
    passes: float,
) -> Design:
    """The first round of those that so many passes of an input pay for; of few pairs the error is not told."""

    def is_paid(count: int, pairs: int) -> bool:
        return design(count, pairs).expected_passes() <= passes

    fewest, usual = (_FEWEST, 10) if contexts is None else (contexts, contexts)
    if n_pairs >= everyone if n_pairs else everyone <= fewest_pairs or is_paid(fewest, everyone):
        most = _largest(lambda count: is_paid(count, everyone), most=enough + 1)
        if contexts is None and most < _FEWEST_TO_ALLOT:
            return design(max(most, _LEAST), everyone)
        groups = min(_MOST_GROUPS, max(2, int(0.45 * most)))  # no more than each order's contexts will be
        first = design(max(2, int(_PILOT * most)) if contexts is None else contexts, everyone, groups)
        return dataclasses.replace(first, before=tuple(Before(0, max(most, count)) for count in first.contexts))
    wanted = min(n_pairs or usual_pairs, everyone - 1)
    paid = _largest(lambda count: is_paid(usual, max(count, 2)), most=wanted + 1)
    if contexts is None and n_pairs is None and is_paid(_LEAST, everyone):
        most = _largest(lambda count: is_paid(count, everyone), most=enough + 1)
        if paid < max(fewest_pairs, everyone / 2):  # few pairs tell less than few contexts
            return design(most, everyone)
    return design(usual, max(paid, min(wanted, fewest_pairs)))


def _largest(is_paid: Callable[[int], bool], most: int) -> int:
    """The largest number below `most` for which this holds, by bisection; 0 if none."""
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if is_paid(middle) else (low, middle)
    return low


def _contexts_by_order(contexts: Any, orders: np.ndarray) -> tuple[int, ...]:
    if np.ndim(contexts) == 0 or isinstance(contexts, str | bytes):
        return (check_contexts(contexts),) * len(orders)
    numbers = check_integers("contexts", contexts, "an integer of at least 1, or one for each order")
    if numbers.shape != orders.shape or not 1 <= numbers.min() <= numbers.max() <= MOST_CONTEXTS:
        raise ValueError(
            f"contexts must be an integer of at least 1, or {len(orders)} of them, one an order; got {shown(contexts)}"
        )
    return tuple(numbers.tolist())


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
        "pairs": fingerprint([design.population.pairs]),
        "method": design.method,
        **({"exact": True} if design.tabulated else _drawn(design)),
        **identity(games),
    }


def _drawn(design: Design) -> dict[str, Any]:
    """What is drawn, of a design that samples."""
    return {
        "contexts": design.contexts_told,
        "n_pairs": design.n_pairs,
        **_groups_told(design),
        "draws": "without replacement where contexts are few, in groups",  # versions before drew otherwise
    }


def _groups_told(design: Design) -> dict[str, int]:
    """How many groups contexts are dealt to, where it is not told by their number."""
    usual = groups_of(max(design.contexts), takes_all=design.takes_all)
    return {} if design.groups == usual else {"groups": design.groups}
