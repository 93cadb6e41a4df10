"""The distribution of concepts over sizes: how much effect, of which sign, concepts of each size carry."""

import warnings
from typing import Any

import numpy as np

from interjax._core._estimate import Estimate
from interjax._core._results import Saved, result, static_field
from interjax.concepts._explanations._effects import effects_of, sizes_of
from interjax.concepts._explanations._salient import salient_effects


@result
class SizeDistribution(Saved):
    """Salient effects by the size of their coalition, summed within an input and averaged over inputs.

    Leading axes (...) are those of the explanations before the axis of inputs.

    Attributes:
        sizes: 1..n, int (sizes,).
        positive, negative: mean over inputs of the sum of positive (>= 0) and of negative (<= 0) salient effects of
            each size, in the game's units, (..., sizes).
        positive_count, negative_count: mean number of such effects in an input, (..., sizes).
        positive_stderr, negative_stderr, positive_count_stderr, negative_count_stderr: their standard errors over
            inputs; NaN with a single input, (..., sizes).
        positive_by_kind, negative_by_kind: the parts of `positive` and `negative` of AND (0) and OR (1) effects,
            (..., kinds, sizes).
        n_inputs: inputs.
        tau: the threshold of salience.
    """

    sizes: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    positive_count: np.ndarray
    negative_count: np.ndarray
    positive_stderr: np.ndarray
    negative_stderr: np.ndarray
    positive_count_stderr: np.ndarray
    negative_count_stderr: np.ndarray
    positive_by_kind: np.ndarray
    negative_by_kind: np.ndarray
    n_inputs: int
    tau: float = static_field()

    @property
    def strength(self) -> np.ndarray:
        """Mean over inputs of the sum of |salient effects| of each size, (..., sizes)."""
        return self.positive - self.negative

    @property
    def count(self) -> np.ndarray:
        """Mean number of salient effects of each size in an input, (..., sizes)."""
        return self.positive_count + self.negative_count


def size_distribution(explanation: Any, *, tau: float = 0.05) -> SizeDistribution:
    """How the salient effects of an input are distributed over the sizes of their coalitions.

        positive(m) = mean over x of sum over salient S, |S| = m, of max(I(S|x), 0)
        negative(m) = mean over x of sum over salient S, |S| = m, of min(I(S|x), 0)

    Args:
        explanation: an `AndOr` or AND effects (..., inputs, 2**n), the axis of inputs next to the last; axes before
            it, of checkpoints or networks say, are kept.
        tau: threshold of salience, of each input apart, in (0, 1].

    Returns:
        Sums and counts of each sign for sizes 1..n with their standard errors over inputs.

    Raises:
        ValueError: no axis of inputs, no inputs, no players, tau outside (0, 1], or effects that are NaN or infinite.

    Warns:
        UserWarning: if a single input leaves the standard errors unknown.

    Example:
        >>> found = size_distribution([[0.0, 3, 0, -1], [0.0, 2, 2, 0]])
        >>> found.positive.tolist(), found.negative.tolist(), found.negative_count.tolist()
        ([3.5, 0.0], [0.0, -0.5], [0.0, 0.5])

    References:
        Zhou et al., AAAI 2024, arXiv:2302.13091 (strength of concepts of each order, which interjax calls size).
    """
    effects = effects_of(explanation)
    n_players = effects.shape[-1].bit_length() - 1
    if effects.ndim < 3 or not effects.shape[-3] or not n_players:
        raise ValueError(
            "explanation must have the shape (..., inputs, 2**n) with at least one input and one player, got shape "
            f"{(*effects.shape[:-2], effects.shape[-1])}"
        )
    kept = np.where(salient_effects(effects, tau), effects, 0.0)
    parts = [np.maximum(kept, 0.0), np.minimum(kept, 0.0), kept > 0, kept < 0]
    of_size = (sizes_of(n_players)[:, None] == np.arange(1, n_players + 1)[None]).astype(np.float64)
    by_kind = [part @ of_size for part in parts]  # each (..., inputs, kinds, sizes)
    if effects.shape[-3] == 1:
        warnings.warn("a single input leaves the standard errors unknown (NaN): give several", stacklevel=2)
    totals = [Estimate.of_mean(part.sum(axis=-2), axis=-2) for part in by_kind]
    return SizeDistribution(
        np.arange(1, n_players + 1),
        *(each.value for each in totals),
        *(each.stderr for each in totals),
        positive_by_kind=by_kind[0].mean(axis=-3),
        negative_by_kind=by_kind[1].mean(axis=-3),
        n_inputs=effects.shape[-3],
        tau=float(tau),
    )
