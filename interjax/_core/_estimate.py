"""A value with its standard error, and how well that is known: what every sampled number of interjax is."""

from typing import Any, Self

import numpy as np

from interjax._core._checks import as_int, check_array, check_flag, check_known, check_number, shown
from interjax._core._multiplicity import are_discoveries, p_values, simultaneous_level
from interjax._core._results import Saved, result
from interjax._core._statistics import join_known, mean_and_stderr, student_interval, student_quantile, sum_freedom


@result
class Estimate(Saved):
    """Sampled values with their standard errors; results give theirs as `.estimate`.

    An error that is itself estimated from f + 1 values is known with f degrees of freedom, so that

        value -+ t_f(level) stderr

    holds the true value with probability `level`, t_f the quantile of Student's distribution.

    Attributes:
        value: float64 (...), in whatever units it is of.
        stderr: its standard error, in the same units, (...); NaN where it is unknown.
        freedom: degrees of freedom f of the standard error, (...) or one number for all; infinite where it is known.

    Example:
        >>> import interjax as ij
        >>> lengths = ij.Estimate.of_mean([9.0, 10.0, 11.0])
        >>> print(lengths.value, lengths.freedom, [round(float(end), 2) for end in lengths.interval(0.95)])
        10.0 2 [7.52, 12.48]

    References:
        Student, "The probable error of a mean", Biometrika 6, 1908.
    """

    value: Any
    stderr: Any
    freedom: Any = np.inf

    @classmethod
    def of_mean(cls, values: Any, axis: int = 0) -> Self:
        """The mean of n independent values along an axis, with std / sqrt(n) and n - 1 degrees of freedom.

        Args:
            values: real, at least one axis; n = 1 leaves the error NaN, n = 0 the mean too.
            axis: of the independent values.

        Raises:
            ValueError: if values are no real numbers, or have no such axis.
        """
        check_known("values", values)
        values = np.asarray(check_array("values", values), np.float64)
        if as_int(axis) is None or not -values.ndim <= axis < values.ndim:
            raise ValueError(f"axis must be one of the {values.ndim} axes of values, got {shown(axis)}")
        return cls(*mean_and_stderr(values, axis), max(values.shape[axis] - 1, 0))

    @classmethod
    def of_parts(cls, value: Any, variances: Any, freedoms: Any) -> Self:
        """A value whose variance is the sum of independent ones (parts, ...), each with its degrees of freedom.

        The degrees of freedom of the sum are Welch's and Satterthwaite's, (sum v)^2 / sum (v^2 / f); infinite ones are
        of variances that are known.
        """
        variances, freedoms = np.asarray(variances, float), np.asarray(freedoms, float)
        if freedoms.shape[:1] != variances.shape[:1] or not np.all((variances >= 0) | np.isnan(variances)):
            raise ValueError(
                "variances must be (parts, ...) and not negative, with freedoms (parts,) or (parts, ...); got shapes "
                f"{variances.shape} and {freedoms.shape}"
            )
        freedoms = freedoms.reshape(freedoms.shape + (1,) * (variances.ndim - freedoms.ndim))
        return cls(value, np.sqrt(variances.sum(axis=0)), sum_freedom(variances, freedoms))

    def with_known(self, error: Any) -> Self:
        """The same value, whose error is joined with an independent one that is known (rounding, a limit, a bias).

        Unlike in `of_parts`, a known error lends an estimated one no freedom: the 95% interval's reach is
        sqrt((t stderr)^2 + (z error)^2).
        """
        known = np.asarray(error, float)
        if np.any(known < 0):
            raise ValueError(f"error must be standard errors of at least 0, got {shown(error)}")
        value, *own = self._numbers()
        return type(self)(value, *join_known(*np.broadcast_arrays(*own, known)))

    def __sub__(self, other: Self) -> Self:
        """The difference of two independent values, by `of_parts`."""
        if not isinstance(other, Estimate):
            return NotImplemented
        (value, *own), (subtracted, *others) = self._numbers(), other._numbers()
        shape = np.broadcast_shapes(value.shape, subtracted.shape)
        both = zip(own, others, strict=True)
        stderrs, freedoms = (np.stack([np.broadcast_to(part, shape) for part in each]) for each in both)
        return type(self).of_parts(value - subtracted, np.square(stderrs), freedoms)

    def reach(self, level: float = 0.95) -> Any:
        """Half the width of the interval at this level in (0, 1), t stderr: what error bars are drawn with."""
        _, stderr, freedom = self._numbers()
        return student_quantile(level, freedom) * stderr

    def interval(self, level: float = 0.95, *, simultaneous: bool | str = False) -> tuple[Any, Any]:
        """Lower and upper ends of the confidence intervals, value -+ t stderr.

        Args:
            level: that each interval holds its true value with, in (0, 1).
            simultaneous: True or "bonferroni", or "sidak", for intervals that hold all the values at once with it.

        Raises:
            ValueError: for a level outside (0, 1), or another word.
        """
        level = simultaneous_level(level, np.size(self.value), simultaneous)
        return student_interval(*self._numbers(), level)

    def p_values(self) -> np.ndarray:
        """How often a value that is 0 but for its error comes out as far from 0, two-sided; NaN without an error."""
        return p_values(*self._numbers())

    def discoveries(self, rate: float = 0.05, *, dependent: bool = True) -> np.ndarray:
        """Which values differ from 0: bool (...), so that on average at most this share of those named do not.

        Args:
            rate: of false discoveries, in (0, 1).
            dependent: whether errors may depend on each other (Benjamini and Yekutieli); False finds more (Benjamini
                and Hochberg).
        """
        rate, dependent = check_number("rate", rate, "(0, 1)"), check_flag("dependent", dependent)
        return are_discoveries(self.p_values(), rate, dependent=dependent)

    def _numbers(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three in double precision and of one shape; ValueError if they cannot be."""
        value, stderr, freedom = (np.asarray(part, np.float64) for part in (self.value, self.stderr, self.freedom))
        if np.any(stderr < 0) or np.any(freedom < 0):
            raise ValueError("stderr and freedom must be at least 0, or NaN")
        for name, part in (("stderr", stderr), ("freedom", freedom)):
            try:
                np.broadcast_to(part, value.shape)
            except ValueError:
                raise ValueError(f"{name} must have the shape of value, {value.shape}; got {part.shape}") from None
        return value, stderr, freedom
