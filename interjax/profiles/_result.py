"""What a strength profile holds."""

import numpy as np

from interjax._core._estimate import Estimate
from interjax._core._results import Saved, result, static_field


@result
class OrderProfile(Saved):
    """Strength of interactions by order, J^(m), relative to its mean over the measured orders.

    Attributes:
        orders: int (orders,), context sizes m.
        strength: (orders,) J^(m), bias-corrected where not exact; mean 1. Where nearly nothing interacts noise may
            leave it below 0. NaN where no interaction is told from rounding.
        stderr: (orders,) standard error of J^(m): over inputs, whose pairs and contexts it thereby covers, by leaving
            out one at a time; with one input, over pairs and contexts. Every error includes that of rounding, 2 eps max
            |v| of an interaction, what may have been missed at an order where nothing varied (as in
            `OrderInteractions.stderr`), and `bias`.
        stderr_within: (orders,) its part from pairs and contexts: the error if the inputs were the whole population.
        freedom: (orders,) degrees of freedom with which `stderr` is known: of k inputs the effective number that their
            shares of the strength and their deviations leave, less 1, at most k - 1; of one input those of its
            replicates. More where rounding or bias lead.
        bias: (orders,) what may be left of the bias of J^(m): as a share of the correction, 1/3 of the folded-normal
            one (the most that was seen in networks and real games), all of the plug-in's, the whole where there is
            none; 0 for kind "rms".
        uncorrected: (orders,) J^(m) from plain |mean of contexts|, biased towards a flat profile.
        magnitude: (orders,) E|I^(m)| (or root mean square), in units of the value v. For kind "rms" it is 0 where the
            mean square came out negative, with an error that bounds it from above.
        magnitude_stderr: (orders,) its standard error.
        bracket: (2, orders) values below and above E|I^(m)| in expectation, whatever the noise, in units of v: the mean
            of sign(mean of the other contexts) times what a group of contexts gave, and the uncorrected mean. Sampling
            moves them too. For kind "rms" the corrected and the uncorrected strength.
        noise: (orders,) mean standard error of an interaction, as a share of the mean magnitude; beyond 1.5 the
            correction leaves a bias that `stderr` does not cover.
        by_input: (inputs, orders) corrected strength of each input (its square for kind "rms"), in units of v.
        inputs: uint32 (inputs, 2), a digest of each input, by which `ij.compare_profiles` sees that two networks were
            measured on the same ones; None for games that are not masked inputs, and in older files.
        population: uint32 (2,), a digest of the pairs that were averaged over; None in older files.
        pairs_by_input: (inputs,) pairs measured for each input, of all rounds where these draw pairs anew; with
            "blocks", pairs with a player whose part of the input equals the baseline are known not to interact and are
            counted as 0 without passes.
        n_forwards: forward passes made.
        n_nonfinite: values of the games that were NaN or infinite.
        contexts_drawn: (orders,) contexts of a pair on average, of all rounds; None in older files.
        exact: bool (orders,), whether every measured interaction of the order is exact for all inputs: all of its
            contexts were evaluated, or a player is known to change nothing. Errors are then of the inputs and of
            rounding, and of pairs where some were drawn. None in older files.
        effective_pairs: (orders,) how many drawn pairs of equal strength would scatter as much as those that were
            drawn, (sum s)^2 / sum s^2 of their strengths s, Kish's number, over all inputs and rounds; pairs of one
            cluster, which share contexts, count as one. Below 5 an interval tells little of pairs that were not drawn,
            and there is a warning. None where all pairs were measured, and in older files.
        skewness: (orders,) of the strength over contexts of all inputs, that of what groups of contexts add to it
            / sqrt(groups); 0 where exact, and where contexts vary by less than what else is known of the error. Where
            few contexts hold much of a strength it is large, and Student's interval holds too little: beyond about 0.36
            at some order (more of fewer than 20 contexts) there is a warning, and of 3 to 30 contexts, those of all
            inputs together, where they vary by more than 0.8 of the strength. What no context showed is not told: of
            a game of which one context in 45 holds a third of an order's strength, intervals from 5 and 10 contexts
            held .89 and .84, with a warning in .58 and .66 of draws. None where pairs were drawn, and in older files.
        method, correction, kind, n_players, contexts: how it was measured; contexts of the first round, one number or
            one for each order.
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
    contexts: int | tuple[int, ...] = static_field()
    freedom: np.ndarray | None = None
    bias: np.ndarray | None = None
    bracket: np.ndarray | None = None
    inputs: np.ndarray | None = None
    population: np.ndarray | None = None
    contexts_drawn: np.ndarray | None = None
    effective_pairs: np.ndarray | None = None
    skewness: np.ndarray | None = None
    exact: np.ndarray | None = None

    @property
    def estimate(self) -> Estimate:
        """J^(m) with its standard error and degrees of freedom, infinite for profiles that were saved without."""
        return Estimate(self.strength, self.stderr, np.inf if self.freedom is None else self.freedom)

    def interval(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper ends of the confidence interval of J^(m) at this level: J -+ t stderr, within [0, orders].

        t is the quantile of Student's distribution with `freedom` degrees; the normal one for profiles that were saved
        without. Strengths are not negative and their mean is 1, so that J^(m) is at most the number of orders.
        """
        lower, upper = self.estimate.interval(level)
        most = float(len(self.orders))
        return np.clip(lower, 0.0, most), np.clip(upper, 0.0, most)

    def table(self) -> str:
        """Magnitude in units of v, J^(m) and its uncorrected value, a line for each order, in plain aligned text."""
        magnitude = "E|I^(m)|" if self.kind == "mean" else "rms I^(m)"
        lines = [f"{'order m':>8}  {magnitude:>9}  {'stderr':>8}  {'J^(m)':>7}  {'stderr':>7}  {'uncorrected':>11}"]
        columns = self.orders, self.magnitude, self.magnitude_stderr, self.strength, self.stderr, self.uncorrected
        for order, size, size_error, strength, stderr, plain in zip(*columns, strict=True):
            lines.append(f"{order:>8}  {size:9.4g}  {size_error:8.2g}  {strength:7.3f}  {stderr:7.3f}  {plain:11.3f}")
        return "\n".join(lines)
