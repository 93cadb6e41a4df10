"""Two strength profiles compared: their difference with its error, over the inputs that both were measured on."""

import warnings
from typing import Any

import numpy as np

from interjax._core._checks import check_flag, check_is
from interjax._core._estimate import Estimate
from interjax._core._results import Saved, result, static_field
from interjax.profiles._left_out import of_differences, of_one
from interjax.profiles._result import OrderProfile


@result
class ProfileComparison(Saved):
    """The difference of two networks' interactions by order, a less b, with its error.

    Attributes:
        orders: int (orders,), context sizes m.
        difference: (orders,) J^(m) of a less that of b; NaN where one of them is undefined.
        stderr: (orders,) its standard error; see `ij.compare_profiles`.
        freedom: (orders,) degrees of freedom with which `stderr` is known.
        magnitude_difference: (orders,) E|I^(m)| (or root mean square) of a less that of b, in units of the value v.
        magnitude_stderr: (orders,) its standard error.
        magnitude_freedom: (orders,) degrees of freedom with which it is known.
        strength: (2, orders) J^(m) of a and of b.
        magnitude: (2, orders) their E|I^(m)|, in units of v.
        paired: whether the two were compared input by input.
        inputs: how many inputs a and b were measured on.
        kind, correction, n_players: how they were measured.
    """

    orders: np.ndarray
    difference: np.ndarray
    stderr: np.ndarray
    freedom: np.ndarray
    magnitude_difference: np.ndarray
    magnitude_stderr: np.ndarray
    magnitude_freedom: np.ndarray
    strength: np.ndarray
    magnitude: np.ndarray
    paired: bool = static_field()
    inputs: tuple[int, int] = static_field()
    kind: str = static_field()
    correction: str = static_field()
    n_players: int = static_field()

    @property
    def estimate(self) -> Estimate:
        """The difference of J^(m) with its standard error and degrees of freedom."""
        return Estimate(self.difference, self.stderr, self.freedom)

    @property
    def magnitude_estimate(self) -> Estimate:
        """The difference of E|I^(m)| with its standard error and degrees of freedom, in units of the value v."""
        return Estimate(self.magnitude_difference, self.magnitude_stderr, self.magnitude_freedom)

    def interval(self, level: float = 0.95, *, simultaneous: bool | str = False) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the confidence intervals of the difference of J^(m) at this level, by Student's t: (orders,) each.

        Args:
            level: in (0, 1).
            simultaneous: True or "bonferroni", or "sidak", for intervals that hold the differences of all orders at
                once with this level.
        """
        most = float(len(self.orders))  # that J^(m) is at most
        lower, upper = self.estimate.interval(level, simultaneous=simultaneous)
        return np.clip(lower, -most, most), np.clip(upper, -most, most)

    def magnitude_interval(
        self, level: float = 0.95, *, simultaneous: bool | str = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same of the difference of E|I^(m)|, in units of the value v."""
        return self.magnitude_estimate.interval(level, simultaneous=simultaneous)

    def table(self) -> str:
        """J^(m) of both, their difference and that of E|I^(m)|, each with its standard error, in plain aligned text."""
        names = ("J of a", "J of b", "a - b", "stderr", "|I| a - b", "stderr")
        columns = (
            *self.strength,
            self.difference,
            self.stderr,
            self.magnitude_difference,
            self.magnitude_stderr,
        )
        lines = [f"{'order m':>8}" + "".join(f"  {name:>9}" for name in names)]
        for order, *numbers in zip(self.orders, *columns, strict=True):
            lines.append(
                f"{order:>8}"
                + "".join(f"  {number:9.3f}" for number in numbers[:4])
                + "".join(f"  {number:9.3g}" for number in numbers[4:])
            )
        return "\n".join(lines)


def compare_profiles(a: OrderProfile, b: OrderProfile, *, paired: bool | None = None) -> ProfileComparison:
    """Compare the strength profiles of two networks: by how much they differ at each order, and how well it is known.

        difference of J^(m) = J_a^(m) - J_b^(m),   and the same of E|I^(m)| in units of the value v

    Two networks that are measured on the same inputs share what is special about these, and if `ij.order_profile` had
    the same key, their pairs and contexts too. Paired, the error is that of the difference over inputs, by leaving out
    one input of both at a time, and often much smaller; what errors of profiles hold beside the spread over inputs
    (rounding, what may have been missed) is added. Not paired, squares of errors add up. The error of a profile of one
    input is over its pairs and contexts alone, and so is that of the difference of two such.

    Args:
        a, b: profiles of the same orders, number of players, pairs, kind and correction.
        paired: whether row i of both `by_input` is the same input; None = where both profiles hold digests of their
            inputs, as those of `ij.masked_games` do, and these are the same ones, in any order. The digest is of the
            input as its network takes it: with other preprocessing, and for games that are not masked inputs, say
            True.

    Returns:
        `ProfileComparison`.

    Raises:
        ValueError: if the profiles were measured otherwise, or `paired` is True for other numbers of inputs, or one.

    Warns:
        UserWarning: if it is not known whether the inputs are the same, if only some are, if one profile has one input
            and the other several, or if contexts or method differ, so that biases may.

    Example:
        >>> import interjax as ij, jax
        >>> top = ij.order_profile(jax.random.key(0), ij.Game.from_function(lambda s: (s.sum() == 4) * 1.0, 4))
        >>> flat = ij.order_profile(jax.random.key(0), ij.Game.from_function(lambda s: 1.0 * s[0] * s[1], 4))
        >>> ij.compare_profiles(top, flat).difference.tolist()
        [-1.0, -1.0, 2.0]

    References:
        Efron and Stein, "The jackknife estimate of variance", Annals of Statistics 9, 1981.
    """
    for name, profile in (("a", a), ("b", b)):
        check_is(name, profile, OrderProfile, "an OrderProfile, such as ij.order_profile gives")
    _check_alike(a, b)
    rows = _rows(a, b, paired if paired is None else check_flag("paired", paired))
    if rows is None:
        difference, of_magnitude = a.estimate - b.estimate, _magnitude(a) - _magnitude(b)
    else:
        first, second = np.asarray(a.by_input), np.asarray(b.by_input)[rows]
        shared = of_differences(first, second, a.kind)
        beside, magnitude_beside = np.sqrt(np.sum([_beside(a, first), _beside(b, second)], axis=0))
        spread, of_magnitudes = np.sqrt(shared.variance), np.sqrt(shared.magnitude_variance)
        difference = Estimate(a.strength - b.strength, spread, shared.freedom).with_known(beside)
        of_magnitude = Estimate(a.magnitude - b.magnitude, of_magnitudes, shared.magnitude_freedom)
        of_magnitude = of_magnitude.with_known(magnitude_beside)
    return ProfileComparison(
        orders=np.asarray(a.orders),
        difference=difference.value,
        stderr=difference.stderr,
        freedom=difference.freedom,
        magnitude_difference=of_magnitude.value,
        magnitude_stderr=of_magnitude.stderr,
        magnitude_freedom=of_magnitude.freedom,
        strength=np.stack([a.strength, b.strength]),
        magnitude=np.stack([a.magnitude, b.magnitude]),
        paired=rows is not None,
        inputs=(len(a.by_input), len(b.by_input)),
        kind=a.kind,
        correction=a.correction,
        n_players=a.n_players,
    )


def _magnitude(profile: OrderProfile) -> Estimate:
    """E|I^(m)|, whose error is taken to be known as well as that of J^(m)."""
    return Estimate(profile.magnitude, profile.magnitude_stderr, profile.estimate.freedom)


def _beside(profile: OrderProfile, by_input: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the variances of a profile's J^(m) and magnitude hold beside the spread over its inputs."""
    spread = of_one(by_input, profile.kind)
    return (
        np.maximum(np.square(profile.stderr) - spread.variance, 0.0),
        np.maximum(np.square(profile.magnitude_stderr) - spread.magnitude_variance, 0.0),
    )


def _check_alike(a: OrderProfile, b: OrderProfile) -> None:
    """ValueError where two profiles tell of different things, a warning where one may be more biased."""
    for name in ("n_players", "kind", "correction", "orders", "population"):
        one, other = (getattr(profile, name) for profile in (a, b))
        if one is None or other is None:  # in files of older versions
            continue
        if not np.array_equal(one, other):
            told = "" if name == "population" else f", got {_shown(one)} and {_shown(other)}"
            what = "pairs" if name == "population" else name
            raise ValueError(f"a and b must be profiles of the same {what}{told}: measure both alike")
    if all(profile.exact is not None and np.all(profile.exact) for profile in (a, b)):
        return
    for name in ("method", "contexts"):
        one, other = (getattr(profile, name) for profile in (a, b))
        if one != other:
            warnings.warn(
                f"the profiles were measured with different {name} ({one} and {other}): what bias few contexts "
                "leave in each does not cancel in their difference",
                stacklevel=3,
            )


def _shown(value: Any) -> Any:
    return np.asarray(value).tolist() if isinstance(value, np.ndarray) else value


def _rows(a: OrderProfile, b: OrderProfile, paired: bool | None) -> np.ndarray | None:
    """The row of b that belongs to each of a; None where they are not paired."""
    counts = len(a.by_input), len(b.by_input)
    if paired and (counts[0] != counts[1] or counts[0] < 2):
        raise ValueError(
            f"paired must be None or False unless a and b have the same inputs, at least two; got {counts[0]} and "
            f"{counts[1]} inputs"
        )
    if min(counts) == 1 and max(counts) > 1:
        warnings.warn(
            f"one profile is of one input, whose error is over pairs and contexts alone, the other of {max(counts)}: "
            "their difference is that of this input from all",
            stacklevel=3,
        )
    if paired is False or min(counts) == 1:
        return None
    if a.inputs is None or b.inputs is None:
        if paired is None and counts[0] == counts[1]:
            warnings.warn(
                "a or b does not hold what inputs it was measured on, so they are taken for different ones: give "
                "paired=True if row i of both is the same input, paired=False if not",
                stacklevel=3,
            )
        return np.arange(counts[0]) if paired else None
    return _matched(_numbers(a.inputs), _numbers(b.inputs), paired)


def _numbers(digests: Any) -> np.ndarray:
    """Digests as one number each."""
    high, low = np.asarray(digests, np.uint64).T
    return high << np.uint64(32) | low


def _matched(first: np.ndarray, second: np.ndarray, paired: bool | None) -> np.ndarray | None:
    places, others = np.argsort(first, kind="stable"), np.argsort(second, kind="stable")
    if np.array_equal(first[places], second[others]):
        rows = np.empty_like(others)
        rows[places] = others
        return rows
    if paired:  # the caller knows better, of inputs that two networks take in other forms
        return np.arange(len(first))
    shared = len(np.intersect1d(first, second))
    if shared:
        warnings.warn(
            f"only {shared} inputs of a ({len(first)}) and b ({len(second)}) are the same: their profiles are compared "
            "as those of different inputs, whose errors add up; measure both on the same ones",
            stacklevel=4,
        )
    return None
