"""The profile of what was measured so far: its numbers, whether they are good enough, and what a reader must know."""

import warnings

import numpy as np

from interjax._core._estimate import Estimate
from interjax._core._statistics import jackknife_freedom
from interjax.games._game import warn_if_nonfinite
from interjax.orders._estimators import PLANNED
from interjax.profiles._allocation import Errors
from interjax.profiles._left_out import of_one, root, slope
from interjax.profiles._one_input import GROUPS, Design, Measured
from interjax.profiles._result import OrderProfile
from interjax.profiles._strength import InputStrength, strength_of_input
from interjax.profiles._sums import PairSums

# Measured on games with known profiles: beyond this ratio of noise to strength the correction leaves about a tenth.
_NOISY = 1.5
# On games with known profiles of which 30 pairs were drawn, orders that held too little were mostly below it.
_FEW_PAIRS = 5
# Of the strength over contexts: games whose intervals held too little had more at some order, smooth ones seldom.
_SKEWED, _SKEWED_BY_CHANCE = 0.36, 6.0
# Of few contexts skewness tells little but its sign: there by how much they vary, relative to the strength. Of two
# Student's intervals are so wide that they hold.
_LEAST_CONTEXTS, _MANY_CONTEXTS, _UNEVEN = 3, 31, 0.8
_TOO_FEW = "a single context, or a single cluster of pairs, tells nothing of how they vary; use more of them"


def summarise(
    measured: list[list[Measured]], design: Design, kind: str, correction: str
) -> tuple[OrderProfile, Errors]:
    """J^(m) with its error: by leaving out inputs, or by linearisation from the replicates within each input."""
    inputs = [strength_of_input(found, design, kind, correction) for found in measured]
    by_input = np.stack([part.corrected for part in inputs])
    magnitude = root(by_input.mean(0), kind)
    plain = root(np.mean([part.uncorrected for part in inputs], axis=0), kind)
    names = "rounding", "limit", "bias", "lower"
    rounding, limit, bias, lower = (np.mean([getattr(part, name) for part in inputs], axis=0) for name in names)
    noise = np.mean([part.noise for part in inputs], axis=0)
    if kind == "rms":  # a square that came out negative is bounded by the noise that was subtracted
        limit = np.where(by_input.mean(0) <= 0, np.fmax(limit, noise), limit)
    # Of linear networks of 12 to 196 players and of values near 1e6 mean |I| was 0.01 to 0.6 of this; NaN stays NaN.
    is_known = not magnitude.mean() <= rounding.mean()
    strength = _relative(magnitude, is_known)

    def of_profile(shift: np.ndarray) -> np.ndarray:
        """First-order change of J when the strengths (..., orders) shift."""
        if not is_known:
            return np.full_like(shift, np.nan)
        return (shift - strength * shift.mean(axis=-1, keepdims=True)) / magnitude.mean()

    def of_orders(errors: np.ndarray) -> np.ndarray:
        """Variance of J from independent errors (orders,) of the strengths."""
        return np.sum(of_profile(np.diag(errors)) ** 2, axis=0)

    within = [part.replicates - part.replicates.mean(0) for part in inputs]
    change = slope(by_input.mean(0), _within(within), kind)
    within = [change * part for part in within]
    from_contexts = _within(within) ** 2 + bias**2 + limit**2
    in_profile = [of_profile(part) for part in within]
    bias_left = of_profile(bias)
    unseen = of_orders(rounding) + of_orders(limit)
    known = unseen + bias_left**2
    stderr_within = np.sqrt(_within(in_profile) ** 2 + known)
    if len(inputs) > 1:
        spread = of_one(by_input, kind)
        variance, freedom, error = spread.variance, spread.freedom, np.sqrt(spread.magnitude_variance)
        variance = variance if is_known else np.full_like(variance, np.nan)
    else:
        rest, error = _relative(root(inputs[0].replicates, kind), is_known), _within(within)
        lost = ~np.isfinite(rest).all(axis=1)  # nothing is left without these contexts: to first order
        rest[lost] = strength + in_profile[0][lost]
        shift = rest - rest.mean(axis=0)
        variance = (len(rest) - 1) / len(rest) * np.sum(shift**2, axis=0)
        if kind == "rms":  # a root of what came out negative does not move when contexts are left out
            variance = np.maximum(variance, _within(in_profile) ** 2)
        freedom = np.clip(jackknife_freedom(inputs[0].sizes, shift), 0.5, np.maximum(inputs[0].most_freedom, 0.5))
    found = Estimate(strength, np.sqrt(variance), freedom).with_known(np.sqrt(known))
    contexts_drawn, exact = _contexts_drawn(measured, design)
    profile = OrderProfile(
        orders=design.orders,
        strength=strength,
        stderr=found.stderr,
        stderr_within=stderr_within,
        freedom=found.freedom,
        uncorrected=_relative(plain, is_known),
        magnitude=magnitude,
        magnitude_stderr=np.sqrt(error**2 + rounding**2 + limit**2 + bias**2),
        bias=np.abs(bias_left),
        bracket=np.stack([np.minimum(root(lower, kind), plain), plain]),
        noise=noise / np.where(magnitude > 0, magnitude, np.nan),
        by_input=by_input,
        pairs_by_input=np.array(
            [sum(len(part.cluster) for part in (found[:1] if found[0].took_all else found)) for found in measured]
        ),
        n_forwards=sum(part.n_forwards for found in measured for part in found),
        n_nonfinite=sum(part.n_nonfinite for found in measured for part in found),
        method=design.method,
        correction=correction,
        kind=kind,
        n_players=design.population.n_players,
        contexts=design.contexts_told,
        contexts_drawn=contexts_drawn,
        exact=exact,
        effective_pairs=_effective_number(np.concatenate([part.by_cluster for part in inputs], axis=1)),
        skewness=None
        if any(part.by_cluster.size for part in inputs)
        else np.where(_within(in_profile) ** 2 > unseen, _skewness(inputs, within), 0.0),
    )
    return profile, Errors(strength, magnitude, from_contexts, bias, np.square(found.stderr))


def _contexts_drawn(measured: list[list[Measured]], design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Contexts of a pair on average over pairs and inputs, and whether they are all that there are: (orders,) each.

    Contexts of rounds that measured the same pairs add up.
    """
    together = [[found] if found[0].took_all else [[part] for part in found] for found in measured]
    sums = [PairSums.of(each, design) for found in together for each in found if each[0].count.size]
    if not sums:  # no pair can interact
        return np.zeros(len(design.orders)), np.ones(len(design.orders), bool)
    counts = np.concatenate([each.count.sum(axis=1) for each in sums], axis=1)
    return counts.mean(axis=1), np.all([each.exact for each in sums], axis=0)


def _effective_number(parts: np.ndarray) -> np.ndarray | None:
    """Of parts (orders, parts), how many equal ones would scatter as much (orders,); None where there are none."""
    if not parts.size:
        return None
    squares = np.sum(parts**2, axis=1)
    return np.divide(np.sum(parts, axis=1) ** 2, squares, out=np.zeros(len(parts)), where=squares != 0)


def _skewness(inputs: list[InputStrength], deviations: list[np.ndarray]) -> np.ndarray:
    """That of the mean over inputs (orders,): third moments of independent means add up as their variances do."""
    variances = _variances(deviations)
    third = np.sum([part.skewness * own**1.5 for part, own in zip(inputs, variances, strict=True)], axis=0)
    whole = np.sum(variances, axis=0) ** 1.5
    return np.divide(third, whole, out=np.zeros_like(whole), where=whole != 0)


def _relative(magnitude: np.ndarray, is_known: bool) -> np.ndarray:
    """Strengths (..., orders) relative to their mean over orders."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return magnitude / (magnitude.mean(axis=-1, keepdims=True) if is_known else np.nan)


def _within(deviations: list[np.ndarray]) -> np.ndarray:
    """Jackknife standard error of a mean over inputs, from each one's replicate deviations (groups, orders)."""
    return np.sqrt(np.sum(_variances(deviations), axis=0)) / len(deviations)


def _variances(deviations: list[np.ndarray]) -> np.ndarray:
    """Jackknife variance of each input (inputs, orders), from its replicate deviations (groups, orders)."""
    return np.stack([(len(part) - 1) / len(part) * np.sum(part**2, axis=0) for part in deviations])


def warn(profile: OrderProfile) -> None:
    """Warn of what makes numbers of a profile doubtful."""
    warn_if_nonfinite(profile.n_nonfinite, profile.n_forwards)
    noisy = profile.orders[np.nan_to_num(profile.noise) > _NOISY]
    is_known = not np.all(np.isnan(profile.strength))
    if profile.kind == "mean" and profile.correction != "none" and len(noisy) and is_known:
        warnings.warn(
            f"at orders {noisy.tolist()} the noise of an interaction is up to {np.nanmax(profile.noise):.1f} times the "
            "strength: some upward bias is left there that the standard error does not cover; use more contexts",
            stacklevel=3,
        )
    if not np.any(profile.magnitude):
        warnings.warn("no measured pair interacts at any order, so J is undefined (NaN)", stacklevel=3)
    elif not is_known and np.all(np.isfinite(profile.magnitude)):
        warnings.warn(
            f"the interactions, {np.mean(profile.magnitude):.2g} on average, are within what rounding makes of the "
            f"values of the game, {np.mean(profile.magnitude_stderr):.2g}, so J is undefined (NaN): no interaction is "
            "told from none. Should there be some, take a constant off the values or compute them in float64 "
            '(jax.config.update("jax_enable_x64", True) and precision=None)',
            stacklevel=3,
        )
    few = profile.orders[[] if profile.effective_pairs is None else profile.effective_pairs < _FEW_PAIRS]
    if len(few) and is_known:
        warnings.warn(
            f"at orders {few.tolist()} the strength rests on fewer than {_FEW_PAIRS} of the drawn pairs: others that "
            "were not drawn may hold more than the standard error of J tells; draw more pairs",
            stacklevel=3,
        )
    rare = _skewed_orders(profile)
    if len(rare) and is_known:
        warnings.warn(
            f"at orders {rare.tolist()} few contexts may hold much of the strength: others that were not drawn may "
            "hold more than the standard error of J tells, here and at orders beside them; use more contexts",
            stacklevel=3,
        )
    if is_known and np.all(np.isfinite(profile.strength)) and np.any(np.isnan(profile.stderr)):
        strong = np.count_nonzero(np.any(profile.by_input > 0, axis=1))
        why = "only one input's pairs interact: use more inputs" if strong < len(profile.by_input) else _TOO_FEW
        warnings.warn(f"the standard error of J is unknown (NaN): {why}", stacklevel=3)
    unseen = profile.orders[np.mean(profile.by_input, axis=0) < 0]
    if profile.kind == "rms" and len(unseen):
        warnings.warn(
            f"at orders {unseen.tolist()} the mean square interaction is negative after subtracting its noise: the rms "
            "strength is 0 there, with an error that bounds it from above; use more contexts or pairs",
            stacklevel=3,
        )


def _skewed_orders(profile: OrderProfile) -> np.ndarray:
    """Orders whose strength is so skewed over contexts that Student's interval holds too little."""
    if profile.skewness is None or profile.contexts_drawn is None:
        return profile.orders[:0]
    skewness, contexts = np.nan_to_num(profile.skewness), profile.contexts_drawn * len(profile.by_input)
    beyond = skewness > np.maximum(_SKEWED, _SKEWED_BY_CHANCE / np.clip(contexts, 1, GROUPS))
    uneven = profile.stderr_within * np.sqrt(contexts / _undrawn(profile, profile.contexts_drawn)) > _UNEVEN * np.abs(
        profile.strength
    )
    some = (contexts >= _LEAST_CONTEXTS) & (contexts < _MANY_CONTEXTS)
    few = some & (skewness > 0) & (profile.strength > 0) & uneven
    return profile.orders[few | ((skewness > _SKEWED / 2) & beyond.any())]


def _undrawn(profile: OrderProfile, drawn: np.ndarray) -> np.ndarray:
    """What is left of the variance of so many contexts of a pair (orders,) that were drawn without replacement.

    1 where all were drawn.
    """
    contexts = np.broadcast_to(profile.contexts, profile.orders.shape).tolist()
    share = PLANNED[profile.method].share_undrawn
    of_order = zip(profile.orders.tolist(), contexts, drawn, strict=True)
    left = np.stack([share(profile.n_players, 2, order, count, each) for order, count, each in of_order])
    return np.where(left > 0, left, 1.0)
