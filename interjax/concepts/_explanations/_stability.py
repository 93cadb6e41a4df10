"""How much of a sparsest explanation is forced: salient sets under tiny changes of the cost of each effect."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_count, check_known, check_number
from interjax._core._keys import check_key
from interjax._core._precision import float64
from interjax._core._results import Saved, result, static_field
from interjax.concepts._explanations._and_or import check_noise, check_table, solve_games, warn_if_rounding
from interjax.concepts._explanations._effects import check_tau
from interjax.concepts._explanations._salient import salient_effects
from interjax.tables._transforms import n_players_of


@result
class Stability(Saved):
    """Salient sets of explanations that are optimal up to tiny changes of the costs.

    Attributes:
        jaccard: mean over pairs of solutions of |A and B| / |A or B| of their salient sets, in [0, 1], (...); 1: no
            choice.
        frequency: share of the solutions in which each effect is salient, (..., 2, 2**n): 1 for what every optimal
            explanation holds.
        n_salient: salient effects of each solution, (..., jitters).
        loss: sum of |effects| of each solution, (..., jitters); equal up to the share `jitter`.
        jitter: largest relative change of a cost.
        tau: threshold of salience.
    """

    jaccard: np.ndarray
    frequency: np.ndarray
    n_salient: np.ndarray
    loss: np.ndarray
    jitter: float = static_field()
    tau: float = static_field()


def stability(
    key: Array, table: Any, *, noise: float = 0.04, tau: float = 0.05, jitters: int = 8, jitter: float = 1e-4
) -> Stability:
    """Solve the sparsest AND-OR explanation again under random costs 1 + jitter * u(L), u uniform in [0, 1).

    Each solution's loss is optimal up to the share `jitter`, so what differs between them is not determined by the
    game: report the concepts of high frequency, or make the explanation more determined by another noise.

    Args:
        key: a `jax.random.key`; solution j depends on the key and j alone.
        table: real values v(S), shape (..., 2**n), as for `and_or`.
        noise: as for `and_or`.
        tau: threshold of salience, in (0, 1].
        jitters: number of solutions, at least 2; each costs as much as `and_or`.
        jitter: largest relative change of a cost, in (0, 0.01].

    Returns:
        `Stability`.

    Raises:
        ValueError: no key, options out of range, and as `and_or`.

    Example:
        >>> import interjax as ij, jax
        >>> found = ij.concepts.stability(jax.random.key(0), [0.0, 0.0, 0.0, 2.0], noise=0.0, jitters=3)
        >>> found.jaccard.item(), found.frequency[0].tolist()  # 2 if both are present: one AND concept
        (1.0, [0.0, 0.0, 0.0, 1.0])

    References:
        Zhou et al., AAAI 2024, arXiv:2302.13091 (the explanation); the report is interjax's own.
    """
    check_key(key)
    check_known("table", table)
    values, noise, tau = np.asarray(check_table(table)), check_noise(noise), check_tau(tau)
    jitters = check_count("jitters", jitters, least=2, about="since solutions are compared in pairs")
    jitter = check_number("jitter", jitter, "(0, 0.01]", about="a tiny relative change of costs")
    shape = (2, 1 << n_players_of(values))
    flat = values.reshape(-1, 1, shape[1])
    chosen, losses = [], []
    for number in range(jitters):
        with float64():
            costs = 1.0 + jitter * jax.random.uniform(jax.random.fold_in(key, number), shape)
            found = solve_games(flat, noise, costs, share=0.0, tolerance=1e-10)
        chosen.append(salient_effects(found["effects"][:, 0], tau))
        losses.append(found["loss"])
    warn_if_rounding(table, np.asarray(values, np.float64), found["effects"][:, 0])
    batch = values.shape[:-1]
    return Stability(
        jaccard=_mean_jaccard(np.array(chosen)).reshape(batch),
        frequency=np.mean(chosen, axis=0).reshape(*batch, *shape),
        n_salient=np.count_nonzero(chosen, axis=(2, 3)).T.reshape(*batch, jitters),
        loss=np.array(losses).T.reshape(*batch, jitters),
        jitter=float(jitter),
        tau=tau,
    )


def _mean_jaccard(chosen: np.ndarray) -> np.ndarray:
    """Mean over pairs of solutions: bool (solutions, games, 2, 2**n) -> (games,); two empty sets are equal."""
    sets = chosen.reshape(*chosen.shape[:2], -1)
    values = []
    for number, first in enumerate(sets):
        for second in sets[number + 1 :]:
            either = (first | second).sum(axis=-1)
            values.append(np.where(either > 0, (first & second).sum(axis=-1) / np.maximum(either, 1), 1.0))
    return np.mean(values, axis=0)
