"""What seeds say of a claim: the mean of a number over them, Student's interval, and whether it has the sign."""

import math
from typing import Any, NamedTuple

import numpy as np

from interjax._core._estimate import Estimate

LEVEL = 0.95


class OverSeeds(NamedTuple):
    """A number over networks trained from several seeds.

    Args:
        mean, stderr: over the seeds; the error is NaN for one seed.
        margin: half the width of Student's interval of the mean, of probability `LEVEL`; NaN for one seed.
    """

    mean: float
    stderr: float
    margin: float

    @property
    def lower(self) -> float:
        return self.mean - self.margin

    @property
    def upper(self) -> float:
        return self.mean + self.margin

    @property
    def is_told(self) -> bool:
        """Whether the interval is known and leaves 0 out; one number in twenty does so by chance."""
        return abs(self.mean) > self.margin

    def verdict(self, sign: int) -> str:
        """Whether it has this sign: "agrees", "opposite", or "not told apart" from 0."""
        if not self.is_told:
            return "not told apart"
        return "agrees" if sign * self.mean > 0 else "opposite"


def over_seeds(values: Any) -> OverSeeds:
    """The mean of a number over seeds, (seeds,)."""
    values = np.asarray(values, np.float64)
    if len(values) < 2:
        return OverSeeds(float(values.mean()) if len(values) else math.nan, math.nan, math.nan)
    found = Estimate.of_mean(values)
    return OverSeeds(float(found.value), float(found.stderr), float(found.reach(LEVEL)))
