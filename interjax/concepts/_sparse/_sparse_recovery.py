"""Concepts of games with more players than a table can hold: sparse effects of small coalitions from few passes."""

import dataclasses
import math
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from interjax._core._checks import check_choice, check_count, check_number
from interjax._core._estimate import Estimate
from interjax._core._keys import check_key
from interjax.concepts._sparse._coalition_search import screened_size
from interjax.concepts._sparse._pursuit import Pursued, pursue
from interjax.concepts._sparse._sparse_concepts import SparseConcepts, rebuild
from interjax.games._game import Game
from interjax.games._measured_rounding import measured_rounding

BASES = ("moebius", "fourier")
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)
_MAX_SIZE = 4
_LEAST_BUDGET = 100
_MOST_TERMS = 2000
_LEAST_HELD_OUT = 30
_ROWS_IN_DOUBLE = 8  # that show how far values are off
_MOST_NONFINITE = 0.01


def sparse_concepts(
    key: jax.Array,
    game: Game,
    *,
    max_size: int = 4,
    budget: int = 16_384,
    basis: str = "moebius",
    present: float = 0.5,
    least_faithfulness: float = 0.9,
    max_terms: int | None = None,
    batch_size: int | None = None,
) -> SparseConcepts:
    """Recover the effects of small coalitions of a game with many players from few forward passes.

        v(S) ~ a(empty) + sum over chosen T, |T| <= max_size, of a(T) f_T(S)

    Coalitions S are drawn with each player present at random. Every coalition of up to `max_size` players is screened
    for its correlation with what is not yet explained; those beyond chance are fitted together by least squares, those
    within their error dropped, and so on until nothing is found. If v is a sum of few such effects, these are I(S)
    (Moebius: Harsanyi dividends) or the Walsh-Hadamard coefficients (Fourier), and `faithfulness` is 1 or, with noise,
    near 1. If v is only nearly such a sum, they are the coefficients of an approximation that predicts v as well as
    `faithfulness` says; Moebius coefficients then absorb what larger coalitions do, and are not I(S). `reliable` means
    that the approximation predicts well, and is False for a game that is not sparse.

    Passes needed grow with the square of (noise and effects not yet found) over effect: 50 effects of up to 4 of 200
    players take 12,288 coalitions in the fit, the default. Games of up to 20 players have an exact answer:
    `ij.moebius(ij.tabulate(game))`.

    Args:
        key: a `jax.random.key`; the same key gives the same answer at any batch size.
        game: 2 players or more, a few hundred at most in good time; may run on the host.
        max_size: largest coalition, 1..4. Above 240 players those of 4 are grown from the best of 3.
        budget: coalitions to evaluate, at least 100: 3/4 for the fit, 1/8 held out, 1/8 for the R^2 by share.
            Repeated ones (few players) are evaluated once.
        basis: "moebius" (AND effects; sparse when groups act only if complete) or "fourier" (parities; sparse when
            presence and absence act alike; finds with the fewest passes). `dividends()` converts.
        present: probability of a player to be present, 0.05..0.95. At 0.5 effects are told apart best; more if the
            network is only meant for nearly complete inputs.
        least_faithfulness: the lower end of the held-out R^2 must reach this for `reliable`, in (0, 1).
        max_terms: the most effects; None = a quarter of the coalitions in the fit, at most 2,000.
        batch_size: rows of a batch, as in a call of the game; by default chosen from memory.

    Returns:
        `SparseConcepts`. `reliable` is False, with the reason, if the held-out R^2 may be below `least_faithfulness`,
        the effects reached `max_terms`, more than 1% of the values were not finite, the game did not vary, or fewer
        than 30 coalitions were left to hold out.

    Raises:
        ValueError: for arguments out of range.

    Warns:
        UserWarning: if the result is not reliable, or some values were not finite.

    Example:
        >>> import interjax as ij, jax
        >>> game = ij.Game.from_function(lambda s: 2.0 * s[0] * s[7] * s[19] - 1.0 * s[4], 30)
        >>> found = ij.concepts.sparse_concepts(jax.random.key(0), game, max_size=3, budget=2000)
        >>> {players: round(effect, 4) for players, effect in found.to_dict().items()}, found.reliable
        ({(0, 7, 19): 2.0, (4,): -1.0}, True)

    References:
        Tropp and Gilbert, IEEE Trans. Inf. Theory 53 (2007), algorithm 3 (orthogonal matching pursuit). Sparse
        interactions of networks by sparse transforms: Kang et al., arXiv:2402.02631 (Moebius); Kang et al.,
        arXiv:2502.13870 (Fourier); Butler et al., arXiv:2505.17495.
    """
    _check(key, game, basis, present, least_faithfulness)
    n_players = game.n_players
    budget = check_count("budget", budget, least=_LEAST_BUDGET, about="coalitions to evaluate")
    max_size = min(check_count("max_size", max_size, most=_MAX_SIZE, about="the largest coalition"), n_players)
    max_terms = None if max_terms is None else check_count("max_terms", max_terms)
    parts = _draw(key, n_players, budget, present)
    came = game(np.concatenate(parts), batch_size=batch_size)
    values = np.split(np.asarray(came, np.float64), np.cumsum([len(part) for part in parts])[:-1])
    finite = [np.isfinite(each) for each in values]
    n_nonfinite = sum(int(np.count_nonzero(~each)) for each in finite)
    samples = [(part[good], each[good]) for part, each, good in zip(parts, values, finite, strict=True)]
    max_terms = max_terms or min(max(len(parts[0]) // 4, 1), _MOST_TERMS)
    found = _pursue(*samples[0], basis, max_size, max_terms, _resolution(game, *samples[0], came.dtype))
    scores = [
        _r_squared(each, rebuild(found.coalitions, found.effects, found.empty_effect, basis, part))
        for part, each in samples[1:]
    ]
    faithfulness, interval = scores[0]
    faults = _faults(found, samples, len(np.concatenate(parts)), n_nonfinite, interval, least_faithfulness, max_terms)
    by_share = np.array([score for score, _ in scores[1:]])
    concepts = SparseConcepts(
        coalitions=found.coalitions,
        sizes=np.count_nonzero(found.coalitions >= 0, axis=1),
        effects=found.effects,
        stderr=found.stderr,
        empty_effect=found.empty_effect,
        faithfulness=faithfulness,
        interval=interval,
        shares=np.array(SHARES),
        share_faithfulness=by_share,
        n_forwards=sum(map(len, parts)) * game.passes,
        n_nonfinite=n_nonfinite,
        reliable=not faults,
        reason="; ".join(faults) or _praise(found, faithfulness, interval, by_share, least_faithfulness),
        basis=basis,
        present=float(present),
        max_size=max_size,
        n_players=n_players,
        screened_size=screened_size(n_players, max_size),
        player_names=game.player_names,
    )
    _warn(concepts)
    return concepts


def _draw(key: jax.Array, n_players: int, budget: int, present: float) -> list[np.ndarray]:
    """Coalitions for the fit, held out, and of each share; no coalition twice, within a part or in two."""
    each = budget // 8 // len(SHARES)
    first = budget - each * len(SHARES)
    chance = np.repeat(np.array([present, *SHARES], np.float32), [first] + [each] * len(SHARES))
    masks = np.asarray(jax.random.bernoulli(key, chance[:, None], (budget, n_players)))
    drawn, *shares = np.split(masks, np.arange(first, budget, each))
    seen: set[bytes] = set()
    drawn = _distinct(drawn, seen)
    held_out = max(len(drawn) // 7, min(_LEAST_HELD_OUT, len(drawn) // 3))
    return [drawn[held_out:], drawn[:held_out], *(_distinct(masks, seen) for masks in shares)]


def _distinct(masks: np.ndarray, seen: set[bytes]) -> np.ndarray:
    """The masks that are not among those seen, each once, in their order; they are added to those seen."""
    fresh = []
    for index, mask in enumerate(map(bytes, np.packbits(masks, axis=1))):
        if mask not in seen:
            seen.add(mask)
            fresh.append(index)
    return masks[fresh]


def _resolution(game: Game, masks: np.ndarray, values: np.ndarray, dtype: Any) -> float:
    """How far values may be off by rounding, as a share of the largest: their last digit, or what the game shows."""
    eps = float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.floating) else float(np.finfo(float).eps)
    largest = float(np.max(np.abs(values), initial=0.0))
    measured = measured_rounding(game, masks[:_ROWS_IN_DOUBLE], values[:_ROWS_IN_DOUBLE]) if largest else 0.0
    return max(eps, measured / largest) if largest else eps


def _pursue(
    masks: np.ndarray, values: np.ndarray, basis: str, max_size: int, max_terms: int, resolution: float
) -> Pursued:
    """The pursuit in units of the values' spread; nothing is chosen where they do not vary."""
    unit = float(np.ptp(values)) if len(values) else 0.0
    if not 0 < unit < math.inf:
        nothing = np.zeros(0)
        level = float(values[0]) if len(values) and unit == 0 else math.nan
        return Pursued(np.zeros((0, max_size), np.int32), nothing, nothing, level, saturated=False, settled=True)
    found = pursue(masks, values / unit, basis, max_size=max_size, max_terms=max_terms, resolution=resolution)
    return dataclasses.replace(
        found, effects=found.effects * unit, stderr=found.stderr * unit, empty_effect=found.empty_effect * unit
    )


def _r_squared(values: np.ndarray, rebuilt: np.ndarray) -> tuple[float, np.ndarray]:
    """R^2 = 1 - sum of squared errors / sum of squared deviations, with its 95% interval by linearisation."""
    unit = float(np.ptp(values)) if len(values) > 1 else 0.0
    if not 0 < unit < math.inf:
        return math.nan, np.full(2, math.nan)
    errors, deviations = ((values - rebuilt) / unit) ** 2, ((values - values.mean()) / unit) ** 2
    ratio = errors.mean() / deviations.mean()
    stderr = np.std(errors - ratio * deviations, ddof=1) / deviations.mean() / math.sqrt(len(values))
    return float(1 - ratio), np.minimum(Estimate(1 - ratio, stderr, len(values) - 1).interval(), 1.0)


def _faults(
    found: Pursued,
    samples: list[tuple[np.ndarray, np.ndarray]],
    total: int,
    n_nonfinite: int,
    interval: np.ndarray,
    least: float,
    max_terms: int,
) -> list[str]:
    """What forbids to use the effects, in words."""
    faults = []
    if n_nonfinite > _MOST_NONFINITE * total:
        faults.append(f"{n_nonfinite} of {total} values of the game are NaN or infinite, more than 1%")
    if len(samples[1][1]) < _LEAST_HELD_OUT:
        faults.append(
            f"only {len(samples[1][1])} coalitions could be held out, fewer than {_LEAST_HELD_OUT}: use a larger "
            "budget, or ij.moebius(ij.tabulate(game)) where players are few"
        )
    elif math.isnan(interval[0]):
        faults.append("the game has the same value on every coalition held out, so nothing can be explained")
    elif interval[0] < least:
        faults.append(
            f"the held-out R^2 is only known to be above {interval[0]:.3g}, {least:g} is wanted: the game is no sum of "
            "few effects of such small coalitions, or the budget is too small to find them"
        )
    if found.saturated:
        faults.append(f"the effects reached max_terms = {max_terms}, more would have been found")
    return faults


def _praise(found: Pursued, faithfulness: float, interval: np.ndarray, by_share: np.ndarray, least: float) -> str:
    """Why the effects may be used, and where they do not reach."""
    reason = f"held-out R^2 {faithfulness:.4g} ({interval[0]:.4g} to {interval[1]:.4g})"
    if not found.settled:
        reason += "; the search was ended while it still found effects"
    beyond = [f"{share:g}" for share, score in zip(SHARES, by_share, strict=True) if score < least]
    if beyond:
        reason += f"; less than {least:g} on coalitions with a share of {', '.join(beyond)} of the players"
    return reason


def _warn(concepts: SparseConcepts) -> None:
    if not concepts.reliable:
        warnings.warn(f"these concepts are not reliable: {concepts.reason}", stacklevel=3)
    elif concepts.n_nonfinite:
        warnings.warn(
            f"{concepts.n_nonfinite} values of the game are NaN or infinite; they were left out of the fit and of R^2",
            stacklevel=3,
        )


def _check(key: Any, game: Any, basis: Any, present: Any, least_faithfulness: Any) -> None:
    check_key(key)
    if not isinstance(game, Game) or game.n_players < 2:
        raise ValueError(f"game must be an ij.Game of at least 2 players (ij.masked_game makes one), got {game!r}")
    check_choice("basis", basis, BASES)
    check_number("present", present, "[0.05, 0.95]", about="the probability of a player to be present")
    check_number("least_faithfulness", least_faithfulness, "(0, 1)", about="an R^2")
