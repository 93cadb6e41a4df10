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
        values = np.asarray(check_array("values", values))
        if as_int(axis) is None or not -values.ndim <= axis < values.ndim:
            raise ValueError(f"axis must be one of the {values.ndim} axes of values, got {shown(axis)}")
        return cls(*mean_and_stderr(values, axis), max(values.shape[axis] - 1, 0))

    @classmethod
    def of_parts(cls, value: Any, variances: Any, freedoms: Any) -> Self:
        """A value whose variance is the sum of independent ones (parts, ...), each with its degrees of freedom.

        The degrees of freedom of the sum are Welch's and Satterthwaite's, (sum v)^2 / sum (v^2 / f); infinite ones are
        of variances that are known.
        """
        variances = np.asarray(variances, float)
        return cls(value, np.sqrt(variances.sum(axis=0)), sum_freedom(variances, freedoms))

    def with_known(self, error: Any) -> Self:
        """The same value, whose error is joined with an independent one that is known (rounding, a limit, a bias).

        Unlike in `of_parts`, a known error lends an estimated one no freedom: the 95% interval's reach is
        sqrt((t stderr)^2 + (z error)^2).
        """
        stderr, freedom = np.broadcast_arrays(np.asarray(self.stderr, float), np.asarray(self.freedom, float))
        return type(self)(self.value, *join_known(stderr, freedom, np.asarray(error, float)))

    def __sub__(self, other: Self) -> Self:
        """The difference of two independent values, by `of_parts`."""
        if not isinstance(other, Estimate):
            return NotImplemented
        variances = np.stack([np.square(self.stderr), np.square(other.stderr)])
        freedoms = np.stack([np.broadcast_to(each.freedom, variances.shape[1:]) for each in (self, other)])
        return type(self).of_parts(np.asarray(self.value) - other.value, variances, freedoms)

    def reach(self, level: float = 0.95) -> Any:
        """Half the width of the interval at this level in (0, 1), t stderr: what error bars are drawn with."""
        return student_quantile(level, self.freedom) * np.asarray(self.stderr)

    def interval(self, level: float = 0.95, *, simultaneous: bool | str = False) -> tuple[Any, Any]:
        """Lower and upper ends of the confidence intervals, value -+ t stderr.

        Args:
            level: that each interval holds its true value with, in (0, 1).
            simultaneous: True or "bonferroni", or "sidak", for intervals that hold all the values at once with it.

        Raises:
            ValueError: for a level outside (0, 1), or another word.
        """
        level = simultaneous_level(level, np.size(self.value), simultaneous)
        return student_interval(self.value, self.stderr, self.freedom, level)

    def p_values(self) -> np.ndarray:
        """How often a value that is 0 but for its error comes out as far from 0, two-sided; NaN without an error."""
        return p_values(self.value, self.stderr, self.freedom)

    def discoveries(self, rate: float = 0.05, *, dependent: bool = True) -> np.ndarray:
        """Which values differ from 0: bool (...), so that on average at most this share of those named do not.

        Args:
            rate: of false discoveries, in (0, 1).
            dependent: whether errors may depend on each other (Benjamini and Yekutieli); False finds more (Benjamini
                and Hochberg).
        """
        rate, dependent = check_number("rate", rate, "(0, 1)"), check_flag("dependent", dependent)
        return are_discoveries(self.p_values(), rate, dependent=dependent)
