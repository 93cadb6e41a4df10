"""Salient concepts: which effects count, how few concepts cover many inputs, and whether a concept has one sign."""

from typing import Any

import numpy as np
from scipy.special import gammaln

from interjax._core._checks import check_number
from interjax._core._results import Saved, result, static_field
from interjax.concepts._explanations._effects import effects_of, sizes_of
from interjax.concepts._explanations._salient import salient_effects

_BLOCK = 1 << 22  # entries of an inputs-by-concepts array that are held at once


@result
class Coverage(Saved):
    """How many of the inputs' salient concepts a dictionary of the most frequent ones holds.

    Attributes:
        concepts: the dictionary, most frequent first, int (concepts, 2): kind (0 AND, 1 OR) and coalition index.
        frequency: share of inputs on which each is salient, in (0, 1], (concepts,).
        counts: sizes k = 1, 2, ... of the dictionary, int (concepts,).
        share: mean over inputs of the share of an input's salient concepts among the first k, (concepts,).
        stderr: its standard error over inputs; NaN with a single input, (concepts,).
        n_inputs: inputs behind the mean.
        n_without: inputs with no salient concept, left out of it.
        out_of_sample: whether the shares are those of other inputs than the dictionary's.
        tau: the threshold of salience.
    """

    concepts: np.ndarray
    frequency: np.ndarray
    counts: np.ndarray
    share: np.ndarray
    stderr: np.ndarray
    n_inputs: int
    n_without: int
    out_of_sample: bool = static_field()
    tau: float = static_field()

    def needed(self, share: float = 0.8) -> int | None:
        """The fewest concepts whose dictionary holds this share of the salient ones on average; None if none does."""
        share = check_number("share", share, "[0, inf)")
        reached = np.flatnonzero(np.asarray(self.share) >= share)
        return int(self.counts[reached[0]]) if len(reached) else None


def coverage(explanation: Any, *, tau: float = 0.05, of: Any = None) -> Coverage:
    """Whether inputs share their concepts: a dictionary of frequent concepts, and how much of each input it holds.

        share(k) = mean over x of |D_k and Omega_x| / |Omega_x|

    Omega_x is the set of salient concepts of input x and D_k the k concepts that are salient on most inputs; ties go
    to the larger mean |I|, then to the smaller coalition, then to the lower index. Measured on the inputs that chose
    the dictionary, the share is biased upwards (with one input it reaches 1 at once): give other ones as `of`.

    Args:
        explanation: an `AndOr` or AND effects with one leading axis of inputs: (inputs, 2**n).
        tau: threshold of salience, in (0, 1].
        of: explanations of other inputs, of the same kinds and players, whose concepts are looked up; None for those
            of `explanation` itself.

    Returns:
        Shares for every k up to the number of concepts that are salient on some input.

    Raises:
        ValueError: no axis of inputs, no inputs, or explanations of other kinds or players than the dictionary's.

    Example:
        >>> found = coverage([[0.0, 3, 0, 0], [0.0, 2, 0, 1]])
        >>> found.concepts.tolist(), found.share.tolist()
        ([[0, 1], [0, 3]], [0.75, 1.0])

    References:
        Li and Zhang, "Does a neural network really encode symbolic concepts?", ICML 2023, arXiv:2302.13080
        (transferability across samples).
    """
    effects = _effects_of_inputs(explanation, "explanation")
    is_salient = salient_effects(effects, tau)
    concepts = _by_frequency(is_salient, effects)
    frequency = is_salient.mean(axis=0)[tuple(concepts.T)]
    if of is not None:
        others = _effects_of_inputs(of, "of")
        if others.shape[1:] != effects.shape[1:]:
            raise ValueError(
                f"of must hold explanations of the dictionary's (kinds, 2**n), {effects.shape[1:]}; got "
                f"{others.shape[1:]}: explain both in the same way, with the same players"
            )
        is_salient = salient_effects(others, tau)
    n_salient = is_salient.sum(axis=(1, 2))
    kept = is_salient[n_salient > 0]
    share, stderr = _mean_of_running_sums(kept[:, concepts[:, 0], concepts[:, 1]], n_salient[n_salient > 0])
    return Coverage(
        concepts=concepts,
        frequency=frequency,
        counts=np.arange(1, len(concepts) + 1),
        share=share,
        stderr=stderr,
        n_inputs=len(kept),
        n_without=int(np.sum(n_salient == 0)),
        out_of_sample=of is not None,
        tau=float(tau),
    )


@result
class Discrimination(Saved):
    """Whether a concept pushes the inputs of one class one way.

    Attributes:
        concepts: those salient on some input, most frequent first, int (concepts, 2): kind (0 AND, 1 OR), coalition
            index.
        selection: share of inputs on which each is salient, in (0, 1], (concepts,).
        power: of those inputs, the share with the more frequent sign, in [0.5, 1], (concepts,).
        positive: of those inputs, the share with a positive effect, (concepts,).
        chance: power expected of independent random signs on as many inputs; 1 for a single input, (concepts,).
        mean_power: of all concepts, weighted by their selection; NaN without concepts.
        stderr: standard error of mean_power over inputs, by the jackknife; NaN with a single input.
        mean_chance: the mean chance, weighted likewise: what mean_power is to be compared to.
        n_inputs: inputs.
        tau: the threshold of salience.
    """

    concepts: np.ndarray
    selection: np.ndarray
    power: np.ndarray
    positive: np.ndarray
    chance: np.ndarray
    mean_power: float
    stderr: float
    mean_chance: float
    n_inputs: int
    tau: float = static_field()


def discrimination(explanation: Any, *, tau: float = 0.05) -> Discrimination:
    """How consistently each concept acts in one direction on the inputs of one class.

        selection(S) = k / N,   power(S) = max(k+, k-) / k,   chance(k) = E max(B, k - B) / k,  B ~ Binomial(k, 1/2)

    N inputs, of which S is salient on k: on k+ with a positive and on k- with a negative effect. The weighted mean
    power is the sum of max(k+, k-) over the sum of k. A concept of one input has power 1 by definition, so compare
    power with chance.

    Args:
        explanation: an `AndOr` or AND effects (inputs, 2**n), all inputs of one class.
        tau: threshold of salience, in (0, 1].

    Returns:
        Selection, power and chance of each concept, and their means.

    Raises:
        ValueError: no axis of inputs, or no inputs.

    Example:
        >>> found = discrimination([[0.0, 3, 0, 1], [0.0, 2, 0, -1]])
        >>> found.concepts.tolist(), found.power.tolist(), found.chance.tolist()
        ([[0, 1], [0, 3]], [1.0, 0.5], [0.75, 0.75])

    References:
        Li and Zhang, "Does a neural network really encode symbolic concepts?", ICML 2023, arXiv:2302.13080
        (discrimination power). Chance: mean absolute deviation of the binomial distribution (de Moivre 1730).
    """
    effects = _effects_of_inputs(explanation, "explanation")
    is_salient = salient_effects(effects, tau)
    concepts = _by_frequency(is_salient, effects)
    positive, negative = (np.sum(is_salient & side, axis=0)[tuple(concepts.T)] for side in (effects > 0, effects < 0))
    count, larger = positive + negative, np.maximum(positive, negative)
    chance = _chance(count)
    total = count.sum()
    return Discrimination(
        concepts=concepts,
        selection=count / len(effects),
        power=larger / count,
        positive=positive / count,
        chance=chance,
        mean_power=float(larger.sum() / total) if total else np.nan,
        stderr=_jackknife_error(is_salient, effects, concepts, positive, negative),
        mean_chance=float(np.sum(count * chance) / total) if total else np.nan,
        n_inputs=len(effects),
        tau=float(tau),
    )


def _effects_of_inputs(explanation: Any, name: str) -> np.ndarray:
    """Effects (inputs, kinds, 2**n); ValueError if the leading axis is none of inputs or empty."""
    effects = effects_of(explanation, name)
    if effects.ndim != 3 or not len(effects):
        raise ValueError(
            f"{name} must explain several inputs: an AndOr whose effects have shape (inputs, 2**n), or AND effects of "
            f"that shape, with at least one input; got shape {(*effects.shape[:-2], effects.shape[-1])}"
        )
    return effects


def _by_frequency(is_salient: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """(kind, index) of the concepts of any input: most frequent, then strongest, then smallest, then lowest index."""
    frequency = is_salient.sum(axis=0)
    kind, index = np.nonzero(frequency)
    size = sizes_of(effects.shape[-1].bit_length() - 1)[index]
    strength = np.abs(effects).mean(axis=0)[kind, index]
    order = np.lexsort((kind, index, size, -strength, -frequency[kind, index]))
    return np.stack([kind, index], axis=1)[order]


def _mean_of_running_sums(held: np.ndarray, n_salient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over inputs of the running share of held concepts, with its standard error, a block of inputs at a time."""
    n_inputs, n_concepts = held.shape
    if not n_inputs:
        return np.full(n_concepts, np.nan), np.full(n_concepts, np.nan)
    block = max(1, _BLOCK // max(n_concepts, 1))
    starts = range(0, n_inputs, block)

    def shares(start: int) -> np.ndarray:
        rows = slice(start, start + block)
        return np.cumsum(held[rows], axis=1) / n_salient[rows, None]

    mean = np.sum([shares(start).sum(axis=0) for start in starts], axis=0) / n_inputs
    if n_inputs == 1:
        return mean, np.full(n_concepts, np.nan)
    squares = np.sum([((shares(start) - mean) ** 2).sum(axis=0) for start in starts], axis=0)
    return mean, np.sqrt(squares / (n_inputs - 1) / n_inputs)


def _chance(count: np.ndarray) -> np.ndarray:
    """E max(B, k - B) / k = 1/2 + C(k-1, floor(k/2)) / 2^k for B ~ Binomial(k, 1/2), k >= 1."""
    half = count // 2
    logarithm = gammaln(count) - gammaln(half + 1) - gammaln(count - half) - count * np.log(2)
    return 0.5 + np.exp(logarithm)


def _jackknife_error(
    is_salient: np.ndarray, effects: np.ndarray, concepts: np.ndarray, positive: np.ndarray, negative: np.ndarray
) -> float:
    """Standard error of sum max(k+, k-) / sum k over inputs: each is left out in turn."""
    n_inputs = len(effects)
    if n_inputs == 1 or not len(concepts):
        return np.nan
    without = np.empty(n_inputs)
    for row in range(n_inputs):
        held, effect = is_salient[row][tuple(concepts.T)], effects[row][tuple(concepts.T)]
        above, below = positive - (held & (effect > 0)), negative - (held & (effect < 0))
        total = np.sum(above + below)
        without[row] = np.sum(np.maximum(above, below)) / total if total else np.nan
    return float(np.sqrt((n_inputs - 1) / n_inputs * np.sum((without - without.mean()) ** 2)))
