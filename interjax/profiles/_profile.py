"""The strength profile J^(m): its estimate over inputs, pairs and contexts, with its standard error."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from interjax._core._checks import check_folder, check_known, check_progress
from interjax._core._keys import check_key
from interjax._core._progress import Progress
from interjax._engine._folders import RunFolder
from interjax._engine._processes import joined
from interjax._engine._rows import Resources
from interjax.games._game import Game
from interjax.games._identity import digest_of, inputs_of
from interjax.profiles._arguments import check_choices, design_of, goal_of, settings_of
from interjax.profiles._result import OrderProfile
from interjax.profiles._rounds import Rounds
from interjax.profiles._summary import summarise, warn


def order_profile(
    key: jax.Array,
    games: Game | Sequence[Game],
    *,
    orders: Sequence[int] | Sequence[float] | None = None,
    contexts: int | Sequence[int] | None = None,
    pairs: Any = "all",
    n_pairs: int | None = None,
    method: str = "blocks",
    correction: str = "folded-normal",
    kind: str = "mean",
    target_stderr: float | None = None,
    max_forwards: float = 1e9,
    n_forwards: float | None = None,
    exact: bool | None = None,
    batch_size: int | None = None,
    memory: int | None = None,
    mesh: Mesh | None = None,
    folder: Any = None,
    progress: Progress | None = None,
) -> OrderProfile:
    """Estimate how strong interactions of each order are, relative to the mean over the measured orders.

        J^(m) = E_x E_ij |I^(m)(i,j|x)| / mean over m' of E_x E_ij |I^(m')(i,j|x)|

    Few contexts of many pairs, corrected for the bias of |mean|, spend forward passes best; that is the default. Where
    2^n forward passes an input are no more than sampling would take, all its coalitions are evaluated: every
    interaction of all pairs is exact, as of `ij.exact_order_interactions`, and of the errors those over inputs and of
    rounding are left. `exact` says otherwise.

    The papers' allocation is `**ij.OFFICIAL_ALLOCATION` with `pairs=ij.pairs_within(grid, 2)`.

    Under `jax.distributed`, call it in each process with the same arguments: inputs are shared among the processes,
    each on its local devices, and all return the same profile, whatever their number. Fewer inputs than processes
    leave some idle. `folder` must be one folder that all share.

    Args:
        key: a `jax.random.key`; the same key gives the same answer at any batch size.
        games: one `Game` or several, one for each input, all with the same number of players.
        orders: context sizes m, integers 0..n-2; or floats r in [0, 1], meaning int((n-2) r); None = every order for
            n <= 16, else the official ratios 0, .05, .1, .2, ..., .9, .95, 1.
        contexts: contexts for each pair and order (on average with "blocks"), one number or one for each order; None =
            10, or 20 where all pairs are measured.
        pairs: the pairs to average over: "all", or integers (pairs, 2) such as `ij.pairs_within(grid, radius)`.
        n_pairs: about how many of them to measure for each input, drawn anew for each; None = all if they are at most
            500 (2,000 for one input, 1,000 each for two), else 132, or more where the inputs are few.
        method: "blocks" (pairs drawn in clusters that share contexts) or "quadruples" (pairs drawn singly).
        correction: "folded-normal" (the bias of |mean|, averaged over what the interaction may be), "plug-in" (the
            bias at the estimate itself; leaves more of it), or "none".
        kind: "mean" for E|I|, "rms" for sqrt(E I^2), which is unbiased without further assumptions.
        target_stderr: repeat with fresh pairs (or contexts, where all pairs are measured) until the largest
            standard error of J^(m) is at most this; one that is known with few degrees of freedom counts as the normal
            one of the same 95% interval. Where the bias that may be left leads the error, fresh pairs get twice the
            contexts, which then count by these.
        max_forwards: with `target_stderr`: no further round that would make more forward passes than this; the first
            round is made whatever it takes.
        n_forwards: about how many forward passes to make in all, instead of `contexts` and `n_pairs`: of all pairs if
            that leaves 5 contexts for each, else of as many as it pays for. A first part of the contexts shows the
            noise at each order; the others go where they lower the largest error of J^(m) most for what they cost, as
            do further rounds of `target_stderr`.
        exact: True to evaluate all 2^n coalitions of each input, of at most 26 players, whatever they cost; False to
            sample; None = what takes fewer passes: all coalitions, if these are no more than the first round of the
            pairs and contexts that are asked for takes, or than `n_forwards` pays for and sampling has use for.
            `n_pairs`, `contexts` and `correction` then play no role.
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
        ValueError: for arguments out of range, games that differ in players, `exact` of more than 26 players or than
            `n_forwards` pays for, or a folder that holds another run.
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
    check_choices(games, correction, kind, n_pairs, method)
    check_known("games", *(game.params for game in games))
    check_progress(progress)
    folder = None if folder is None else check_folder("folder", folder)
    goal = goal_of(target_stderr, max_forwards, n_forwards)
    chosen = {"orders": orders, "contexts": contexts, "pairs": pairs, "n_pairs": n_pairs, "method": method}
    one = games[0]
    design = design_of(one.n_players, len(games), one.passes, **chosen, n_forwards=goal.n_forwards, exact=exact)
    settings = settings_of(key, games, design)
    with joined() as group:
        group.folder = group.folder or folder
        others = {"rounds": [*dataclasses.astuple(goal), correction, kind], "folder": folder is not None}
        group.agree(settings | others)
        with RunFolder.held(folder, settings, alone=group.rank == 0) as run:
            if run is not None:
                group.check_one_folder(run.folder)
            rounds = Rounds(key, games, design, resources, run, group, progress)
            while True:
                rounds.measure()
                profile, errors = summarise(rounds.measured, design, kind, correction)
                again = goal.next(design, rounds.design, rounds.measured, profile, errors)
                if again is None:
                    break
                rounds.go_on(again)
    warn(profile)
    return dataclasses.replace(profile, inputs=inputs_of(games), population=digest_of(design.population.adjacent))


OFFICIAL_ALLOCATION: dict[str, Any] = {
    "orders": (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0),
    "contexts": 100,
    "n_pairs": 200,
    "method": "quadruples",
    "correction": "none",
    "exact": False,
}
"""The allocation of the papers' released code (arXiv:2111.06236), which samples games of any size: use with
`pairs=ij.pairs_within(grid, 2)`."""
