"""Baselines learned so that explanations become sparse: within a box around the data's mean."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from interjax._core._checks import check_array, check_classes, check_count, check_known, check_number, check_progress
from interjax._core._progress import Progress
from interjax._core._results import Saved, result
from interjax.concepts._explanations._and_or import and_or, check_noise
from interjax.concepts._tables import concept_tables
from interjax.games._coalitions import coalitions_from_index
from interjax.games._game import Game
from interjax.games._masking import Masking
from interjax.games._outputs import log_odds
from interjax.games._players import Players, check_players

_MASKS_AT_ONCE = 256


@result
class LearnedBaseline(Saved):
    """A baseline and how it was found.

    Attributes:
        baseline: the input that stands for absence, with the least mean loss met, (*input shape).
        loss: mean over inputs of the sparsest explanation's loss, before the first step and after each, (steps + 1,).
        gap: mean gap of those losses, (steps + 1,).
    """

    baseline: np.ndarray
    loss: np.ndarray
    gap: np.ndarray


def learn_baseline(
    model: Any,
    x: Any,
    labels: Sequence[int] | Any,
    *,
    players: Players,
    centre: Any,
    reach: Any,
    output: Any = log_odds,
    noise: float = 0.04,
    steps: int = 20,
    rate: float = 0.1,
    precision: str | None = "float32",
    progress: Progress | None = None,
) -> LearnedBaseline:
    """Learn one baseline for several inputs that makes their AND-OR explanations as sparse as it can.

        minimise over b    mean over x of  min |I_and|_1 + |I_or|_1  of the game v_b
        subject to         |b - centre| <= reach in every entry,    v_b(S) = output(network(x on S, b elsewhere))

    by projected Adam steps from the centre. The inner minimum is the linear program of `and_or`; its derivative by the
    value of a coalition is the program's dual solution, so that the gradient by b is exact where it exists.

    Args:
        model: a network as for `ij.masked_games`.
        x: inputs (inputs, *input shape), a few; each step solves one program for each.
        labels: their class numbers (inputs,).
        players: parts of the input, at most 13 players; entries that are always present keep their part of `centre`.
        centre: where the baseline starts: a number or an array of the input's shape, such as the data's mean.
        reach: how far each entry may move, >= 0: a number or such an array, such as the data's standard deviation.
        output: as for `ij.masked_games`; None = the log-odds of the label.
        noise: as for `and_or`.
        steps: gradient steps, at least 1.
        rate: of a step, as a share of `reach`.
        precision: of the forward passes.
        progress: called with (steps done, steps) after each.

    Returns:
        `LearnedBaseline`; its loss is never above that of the centre.

    Raises:
        ValueError: shapes that do not fit, a negative reach, too many players, or values that are not finite.

    Example:
        >>> import interjax as ij, jax.numpy as jnp, numpy as np
        >>> def network(x): return jnp.stack([x[:, 0] * x[:, 1], 0 * x[:, 0]], axis=1)
        >>> found = ij.concepts.learn_baseline(network, np.ones((1, 2)), [0], players=ij.Players.features(2),
        ...                                    centre=0.5, reach=0.5, output=ij.logit, noise=0.0, steps=30)
        >>> bool(found.loss.min() < 0.5 * found.loss[0])
        True

    References:
        Ren, Zhou, Chen, Zhang, "Can we faithfully represent absence states to compute Shapley values on a DNN?", ICLR
        2023, arXiv:2105.10719 (learned baselines); Zhou et al., AAAI 2024, arXiv:2302.13091 (their use for concepts).
    """
    check_players(players)
    check_progress(progress)
    check_known("x", x)
    x = check_array("x", x, "inputs (inputs, *input shape), an array of real numbers")
    if not np.isfinite(np.asarray(x, np.float64)).all():
        raise ValueError("x must be finite, got NaN or infinite inputs")
    x = jnp.asarray(x)
    if x.ndim < 2 or not len(x) or x.shape[1:] != players.shape:
        raise ValueError(f"x must be inputs (inputs, *{players.shape}), as the players partition, got shape {x.shape}")
    labels = check_classes("labels", labels, len(x))
    steps, noise = check_count("steps", steps), check_noise(noise)
    rate = check_number("rate", rate, "(0, inf)", about="of a step, as a share of reach")
    centre, reach = (_entries(name, value, players) for name, value in (("centre", centre), ("reach", reach)))
    if bool((reach < 0).any()):
        raise ValueError(f"reach must be at least 0, how far an entry may move; got {float(reach.min())}")
    masking = Masking.of_classes(players, centre, output, precision)
    games = masking.games(model, x, labels, fold=False)
    adam = optax.adam(rate)
    shift, state = jnp.zeros_like(centre), adam.init(jnp.zeros_like(centre))  # baseline = centre + reach * shift
    losses, gaps, best = [], [], centre
    for step in range(steps + 1):
        baseline = centre + reach * shift
        tables = concept_tables(model, x, labels, **masking.keywords | {"baseline": baseline})
        found = and_or(tables.astype(np.float64), noise=noise)
        losses.append(float(found.loss.mean()))
        gaps.append(float(found.gap.mean()))
        best = baseline if losses[-1] <= min(losses) else best
        if progress is not None:
            progress(step, steps)
        if step == steps:
            break
        pulls = [_pull(game, baseline, slope) for game, slope in zip(games, np.asarray(found.slope), strict=True)]
        gradient = reach * jnp.mean(jnp.stack(pulls), axis=0)
        updates, state = adam.update(gradient, state)
        shift = jnp.clip(shift + updates, -1.0, 1.0)  # type: ignore[operator]
    return LearnedBaseline(np.asarray(best), np.array(losses), np.array(gaps))


def _entries(name: str, value: Any, players: Players) -> Array:
    check_known(name, value)
    wanted = f"a number or an array of the input's shape {players.shape}"
    array = jnp.asarray(check_array(name, value, wanted), jnp.float32)
    if array.ndim and array.shape != players.shape:
        raise ValueError(f"{name} must be {wanted}, got shape {array.shape}")
    if not bool(jnp.isfinite(array).all()):
        raise ValueError(
            f"{name} must be finite, got {int((~jnp.isfinite(array)).sum())} of {array.size} entries that are NaN or "
            "infinite"
        )
    return jnp.broadcast_to(array, players.shape)


def _pull(game: Game, baseline: Array, slope: np.ndarray) -> Array:
    """Derivative of sum over S of slope(S) v_b(S) by the baseline b."""
    return _gradient(game, baseline, jnp.asarray(slope, jnp.float32))


@jax.jit
def _gradient(game: Game, baseline: Array, slope: Array) -> Array:
    count = min(_MASKS_AT_ONCE, len(slope))

    def add(total: Array, part: tuple[Array, Array]) -> tuple[Array, None]:
        index, weights = part

        def weighted(absent: Array) -> Array:
            masks = coalitions_from_index(index, game.n_players)
            return weights @ game.value(game.params._replace(baseline=absent), masks)

        return total + jax.grad(weighted)(baseline), None

    parts = (jnp.arange(len(slope)).reshape(-1, count), slope.reshape(-1, count))
    return jax.lax.scan(add, jnp.zeros_like(baseline), parts)[0]
