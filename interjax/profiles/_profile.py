"""The strength profile J^(m): its estimate over inputs, pairs and contexts, with its standard error."""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from interjax._core._checks import check_choice, check_count, check_folder, check_known, check_number, check_progress
from interjax._core._keys import check_key
from interjax._core._progress import Progress
from interjax._core._results import Saved, result, static_field
from interjax._core._statistics import normal_interval
from interjax._engine._folders import RunFolder, fingerprint
from interjax._engine._processes import joined
from interjax._engine._rows import Resources
from interjax.games._game import Game, warn_if_nonfinite
from interjax.games._identity import identity
from interjax.orders._arguments import as_coalitions, as_orders
from interjax.orders._estimators import ESTIMATORS, PLANNED
from interjax.profiles._clusters import PairPopulation
from interjax.profiles._one_input import Design, Measured, cluster_players_of
from interjax.profiles._rounds import Rounds
from interjax.profiles._strength import CORRECTIONS, KINDS, strength_of_input

_FEW_PAIRS = 500
# Of one input all pairs are measured up to here: they share contexts, and reach the error of the papers' 200 pairs by
# 100 contexts in a ninth of their passes, clusters of half the pairs not in a fifth (benchmarks/NOTES.md).
_ALL_PAIRS_OF_ONE_INPUT = 2000
METHODS = tuple(PLANNED)
"""The estimators of interactions of which a profile can be made."""
# Measured on games with known profiles: beyond this ratio of noise to strength the correction leaves about a tenth.
_NOISY = 1.5


@result
class OrderProfile(Saved):
    """Strength of interactions by order, J^(m), relative to its mean over the measured orders.

    Attributes:
        orders: int (orders,), context sizes m.
        strength: (orders,) J^(m), bias-corrected; mean 1. NaN where no interaction is told from rounding.
        stderr: (orders,) standard error of J^(m): over inputs, pairs and contexts; with one input, over pairs and
            contexts. Every error includes that of rounding, 2 eps max |v| / sqrt(contexts) of an interaction.
        stderr_within: (orders,) its part from pairs and contexts: the error if the inputs were the whole population.
        uncorrected: (orders,) J^(m) from plain |mean of contexts|, biased towards a flat profile.
        magnitude: (orders,) E|I^(m)| (or root mean square), in units of the value v.
        magnitude_stderr: (orders,) its standard error.
        noise: (orders,) mean standard error of an interaction, as a share of the mean magnitude; beyond 1.5 the
            correction leaves a bias that `stderr` does not cover.
        by_input: (inputs, orders) corrected strength of each input (its square for kind "rms"), in units of v.
        pairs_by_input: (inputs,) pairs measured for each input; with "blocks", pairs with a player whose part of the
            input equals the baseline are known not to interact and are counted as 0 without passes.
        n_forwards: forward passes made.
        n_nonfinite: values of the games that were NaN or infinite.
        method, correction, kind, n_players, contexts: how it was measured.
    """

    orders: np.ndarray
    strength: np.ndarray
    stderr: np.ndarray
    stderr_within: np.ndarray
    uncorrected: np.ndarray
    magnitude: np.ndarray
    magnitude_stderr: np.ndarray
    noise: np.ndarray
    by_input: np.ndarray
    pairs_by_input: np.ndarray
    n_forwards: int
    n_nonfinite: int
    method: str = static_field()
    correction: str = static_field()
    kind: str = static_field()
    n_players: int = static_field()
    contexts: int = static_field()

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of the normal confidence interval of J^(m) at this level."""
        return normal_interval(self.strength, self.stderr, level)

    def table(self) -> str:
        """J^(m), its standard error and its uncorrected value, a line for each order, in plain aligned text."""
        lines = [f"{'order m':>8}  {'J^(m)':>7}  {'stderr':>7}  {'uncorrected':>11}"]
        for order, strength, stderr, plain in zip(
            self.orders, self.strength, self.stderr, self.uncorrected, strict=True
        ):
            lines.append(f"{order:>8}  {strength:7.3f}  {stderr:7.3f}  {plain:11.3f}")
        return "\n".join(lines)


def order_profile(
    key: jax.Array,
    games: Game | Sequence[Game],
    *,
    orders: Sequence[int] | Sequence[float] | None = None,
    contexts: int | None = None,
    pairs: Any = "all",
    n_pairs: int | None = None,
    method: str = "blocks",
    correction: str = "folded-normal",
    kind: str = "mean",
    target_stderr: float | None = None,
    max_forwards: float = 1e9,
    batch_size: int | None = None,
    memory: int | None = None,
    mesh: Mesh | None = None,
    folder: Any = None,
    progress: Progress | None = None,
) -> OrderProfile:
    """Estimate how strong interactions of each order are, relative to the mean over the measured orders.

        J^(m) = E_x E_ij |I^(m)(i,j|x)| / mean over m' of E_x E_ij |I^(m')(i,j|x)|

    Few contexts of many pairs, corrected for the bias of |mean|, spend forward passes best; that is the default.
    The papers' allocation is `**ij.OFFICIAL_ALLOCATION` with `pairs=ij.pairs_within(grid, 2)`.

    Under `jax.distributed`, call it in each process with the same arguments: inputs are shared among the processes,
    each on its local devices, and all return the same profile, whatever their number. Fewer inputs than processes
    leave some idle. `folder` must be one folder that all share.

    Args:
        key: a `jax.random.key`; the same key gives the same answer at any batch size.
        games: one `Game` or several, one for each input, all with the same number of players.
        orders: context sizes m, integers 0..n-2; or floats r in [0, 1], meaning int((n-2) r); None = every order for
            n <= 16, else the official ratios 0, .05, .1, .2, ..., .9, .95, 1.
        contexts: contexts for each pair and order (on average with "blocks"); None = 10, or 20 where all pairs are
            measured.
        pairs: the pairs to average over: "all", or integers (pairs, 2) such as `ij.pairs_within(grid, radius)`.
        n_pairs: about how many of them to measure for each input, drawn anew for each; None = all if they are at most
            500 (2,000 for one input, 1,000 each for two), else 132, or more where the inputs are few.
        method: "blocks" (pairs drawn in clusters that share contexts) or "quadruples" (pairs drawn singly).
        correction: "folded-normal" (the bias of |mean|, averaged over what the interaction may be), "plug-in" (the
            bias at the estimate itself; leaves more of it), or "none".
        kind: "mean" for E|I|, "rms" for sqrt(E I^2), which is unbiased without further assumptions.
        target_stderr: repeat with fresh pairs (or contexts, where all pairs are measured) until the largest
            standard error of J^(m) is at most this.
        max_forwards: with `target_stderr`: stop before making more forward passes than this.
        batch_size: rows of a batch on one device; by default chosen from memory. It is halved where a device runs out.
        memory: bytes that the compiled forward passes may take on one device, weights included; None = 0.4 of what is
            free there.
        mesh: a `jax.sharding.Mesh` of the devices to spread forward passes over; None = all local accelerators. Along
            an axis named "inputs" its slices measure different inputs at the same time, each compiling for itself.
        folder: where to keep what has been measured, written at least every minute; a later call with the same
            arguments resumes, to the identical result. Batch size, devices and processes may then be others.
        progress: called with (forward passes made, passes expected), those of all processes.

    Returns:
        `OrderProfile`.

    Raises:
        ValueError: for arguments out of range, games that differ in players, or a folder that holds another run.
        RuntimeError: if another process of `jax.distributed` was lost; what was measured is kept in `folder`. A
            process that cannot be reached by the exception, because it waits in a long computation, is ended.

    Warns:
        UserWarning: if the network gave NaN, the target was not reached, or a strength cannot be identified: noise or
            rounding is as large.

    Example:
        >>> import interjax as ij, jax
        >>> game = ij.Game.from_function(lambda s: (s.sum() == 4) * 1.0, 4)   # only the highest order
        >>> ij.order_profile(jax.random.key(0), game).strength.tolist()
        [0.0, 0.0, 3.0]

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), equation 3; arXiv:2512.18607.
    """
    check_key(key)
    resources = Resources.of(batch_size=batch_size, memory=memory, mesh=mesh)
    games = list(games) if isinstance(games, Iterable) else [games]
    _check_choices(games, correction, kind, target_stderr, n_pairs, method)
    check_known("games", *(game.params for game in games))
    check_progress(progress)
    folder = None if folder is None else check_folder("folder", folder)
    target_stderr = None if target_stderr is None else float(target_stderr)
    max_forwards = check_number("max_forwards", max_forwards, "(0, inf]")
    design = _design(games, orders, contexts, pairs, n_pairs, method)
    settings = _settings(key, games, design)
    with joined() as group:
        group.folder = group.folder or folder
        others = {"rounds": [target_stderr, max_forwards, correction, kind], "folder": folder is not None}
        group.agree(settings | others)
        with RunFolder.held(folder, settings, alone=group.rank == 0) as run:
            if run is not None:
                group.check_one_folder(run.folder)
            rounds = Rounds(key, games, design, resources, run, group, progress)
            while True:
                rounds.measure()
                profile = _summarise(rounds.measured, design, kind, correction)
                if target_stderr is None or _finished(profile, target_stderr, max_forwards, rounds.number):
                    break
    _warn(profile)
    return profile


OFFICIAL_ALLOCATION: dict[str, Any] = {
    "orders": (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
    "contexts": 100,
    "n_pairs": 200,
    "method": "quadruples",
    "correction": "none",
}
"""The allocation of the papers' released code (arXiv:2111.06236): use with `pairs=ij.pairs_within(grid, 2)`."""


def _summarise(measured: list[list[Measured]], design: Design, kind: str, correction: str) -> OrderProfile:
    """J^(m) with its error by linearisation: between inputs, or between replicates within each input."""
    inputs = [strength_of_input(found, design, kind, correction) for found in measured]
    by_input = np.stack([part.corrected for part in inputs])
    magnitude = _root(by_input.mean(0), kind)
    plain = _root(np.mean([part.uncorrected for part in inputs], axis=0), kind)
    rounding = np.mean([part.rounding for part in inputs], axis=0)
    # Of linear networks of 12 to 196 players and of values near 1e6 mean |I| was 0.01 to 0.6 of this; NaN stays NaN.
    is_known = not magnitude.mean() <= rounding.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = 1.0 if kind == "mean" else 0.5 / magnitude
        strength = magnitude / (magnitude.mean() if is_known else np.nan)
        uncorrected = plain / (plain.mean() if is_known else np.nan)

    def of_profile(shift: np.ndarray) -> np.ndarray:
        """First-order change of J when the strengths (..., orders) shift."""
        if not is_known:
            return np.full_like(shift, np.nan)
        return (shift - strength * shift.mean(axis=-1, keepdims=True)) / magnitude.mean()

    between = slope * (by_input - by_input.mean(0))
    within = [slope * (part.replicates - part.replicates.mean(0)) for part in inputs]
    stderr_within = _within(list(map(of_profile, within)))
    of_rounding = rounding / magnitude.mean() if is_known else np.nan
    several = len(inputs) > 1
    return OrderProfile(
        orders=design.orders,
        strength=strength,
        stderr=np.hypot(_between(of_profile(between)) if several else stderr_within, of_rounding),
        stderr_within=np.hypot(stderr_within, of_rounding),
        uncorrected=uncorrected,
        magnitude=magnitude,
        magnitude_stderr=np.hypot(_between(between) if several else _within(within), rounding),
        noise=np.mean([part.noise for part in inputs], axis=0) / np.where(magnitude > 0, magnitude, np.nan),
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
        contexts=design.contexts,
    )


def _root(strength: np.ndarray, kind: str) -> np.ndarray:
    if kind == "mean":
        return strength
    with np.errstate(invalid="ignore"):
        return np.sqrt(strength)


def _between(deviations: np.ndarray) -> np.ndarray:
    """Standard error of a mean from its terms' deviations (inputs, orders)."""
    inputs = len(deviations)
    return np.sqrt(np.sum(deviations**2, axis=0) / (inputs * (inputs - 1)))


def _within(deviations: list[np.ndarray]) -> np.ndarray:
    """Jackknife standard error of a mean over inputs, from each one's replicate deviations (groups, orders)."""
    variances = [(len(part) - 1) / len(part) * np.sum(part**2, axis=0) for part in deviations]
    return np.sqrt(np.sum(variances, axis=0)) / len(deviations)


def _finished(profile: OrderProfile, target: float, max_forwards: float, rounds: int) -> bool:
    """Whether to stop: target reached, out of passes, or the inputs alone keep the error above the target."""
    error = float(np.max(profile.stderr))
    if np.isnan(error):
        warnings.warn("the standard error is unknown (NaN), so target_stderr cannot be reached", stacklevel=3)
        return True
    if error <= target:
        return True
    from_inputs = float(np.max(np.sqrt(np.maximum(profile.stderr**2 - profile.stderr_within**2, 0.0))))
    if len(profile.by_input) > 1 and from_inputs > target:
        warnings.warn(
            f"target_stderr {target:g} is out of reach: these inputs alone differ by {from_inputs:.3g}; "
            f"use more than {len(profile.by_input)} inputs",
            stacklevel=3,
        )
        return True
    if profile.n_forwards * (rounds + 1) / rounds > max_forwards:
        warnings.warn(
            f"stopped at max_forwards with standard error {error:.3g} above the target {target:g}",
            stacklevel=3,
        )
        return True
    return False


def _warn(profile: OrderProfile) -> None:
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
    if profile.kind == "rms" and np.any(np.isnan(profile.magnitude)) and not profile.n_nonfinite:
        warnings.warn(
            "the mean square interaction is negative after subtracting its noise, so the rms strength is NaN: "
            "use more contexts or pairs",
            stacklevel=3,
        )


def _check_choices(
    games: list[Any], correction: str, kind: str, target: float | None, n_pairs: int | None, method: str
) -> None:
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


def _design(
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


def _settings(key: jax.Array, games: list[Game], design: Design) -> dict[str, Any]:
    """What identifies a run. Batch size and devices change its numbers by rounding only, so a resumed run may choose
    them anew."""
    return {
        "key": np.asarray(jax.random.key_data(key)).tolist(),
        "orders": design.orders.tolist(),
        "contexts": design.contexts,
        "n_pairs": design.n_pairs,
        "pairs": fingerprint([design.population.pairs]),
        "method": design.method,
        **identity(games),
    }
