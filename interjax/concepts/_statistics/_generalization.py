"""Generalisation of concepts by size: training against test inputs, beside two halves of the training inputs.

The weighted Jaccard similarity of two vectors a, b, each split in its positive and negative part, is

    |min|_1 / |max|_1 = (|a|_1 + |b|_1 - |a - b|_1) / (|a|_1 + |b|_1 + |a - b|_1)

since for each entry min + max = |a| + |b| and max - min = |a - b|, whatever the signs.
"""

import dataclasses
import warnings
from typing import Any

import jax
import numpy as np

from interjax._core._checks import as_array, check_count, check_known, check_level
from interjax._core._keys import check_key, host_generator
from interjax._core._results import Saved, result, static_field
from interjax.concepts._explanations._effects import effects_of, sizes_of
from interjax.concepts._explanations._salient import salient_effects

_STEP = 0.5**0.5  # length of a bootstrap step, see `generalization`
_FEW = 5
_BLOCK = 1 << 22  # entries of a resamples-by-effects array that are held at once


@result
class Generalization(Saved):
    """Similarity of the concepts of training and test inputs by size, with the split-half null beside it.

    Attributes:
        sizes: 1..n, int (sizes,).
        similarity, lower, upper: mean over classes of the similarity of `n_drawn` training with as many test inputs, in
            [0, 1], and the ends of its interval, (sizes,). NaN where no input has an effect of this size.
        null, null_lower, null_upper: likewise, of `n_drawn` training with as many other training inputs, (sizes,).
        excess, excess_lower, excess_upper: null - similarity, what is lost from training to test beyond the difference
            of any two samples, (sizes,). Concepts of a size fail to generalise where its interval lies above 0.
        full_similarity, full_lower, full_upper: similarity of all training with all test inputs, (sizes,). Its noise is
            lower than the null's, so do not compare these two.
        by_class, null_by_class: similarity and null of each class, (classes, sizes).
        classes: the labels, (classes,).
        n_train, n_test, n_drawn: inputs of each class, int (classes,).
        level: of the intervals.
        tau: threshold of salience, or None for all effects.
    """

    sizes: np.ndarray
    similarity: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    null: np.ndarray
    null_lower: np.ndarray
    null_upper: np.ndarray
    excess: np.ndarray
    excess_lower: np.ndarray
    excess_upper: np.ndarray
    full_similarity: np.ndarray
    full_lower: np.ndarray
    full_upper: np.ndarray
    by_class: np.ndarray
    null_by_class: np.ndarray
    classes: np.ndarray
    n_train: np.ndarray
    n_test: np.ndarray
    n_drawn: np.ndarray
    level: float = static_field()
    tau: float | None = static_field()


def generalization(
    key: jax.Array,
    train: Any,
    train_labels: Any,
    test: Any,
    test_labels: Any,
    *,
    tau: float | None = None,
    splits: int = 8,
    resamples: int = 200,
    level: float = 0.95,
) -> Generalization:
    """Which sizes of concepts hold on test inputs as they do on training inputs.

        J(a, b) = |min(a+-, b+-)|_1 / |max(a+-, b+-)|_1,   a+- = (max(a, 0), max(-a, 0))
        similarity(m) = mean over classes c of E J(mean I over h_c training inputs, mean I over h_c test inputs)
        null(m)       = mean over classes c of E J(mean I over h_c training inputs, mean I over h_c other ones)

    a, b: vectors over all coalitions of m players, of both kinds. E: over random draws without replacement of
    h_c = min(N_c // 2, M_c) of the N_c training and M_c test inputs of the class. A mean over fewer inputs is noisier
    and so less similar to another; with h_c everywhere, similarity and null are two equally noisy measures, equal in
    expectation if training and test inputs have the same concepts. Both use the same draws of training inputs.

    Intervals are for those expectations at these numbers of inputs. A plain bootstrap misses them: a resampled mean
    is one more noise away from the truth, so resampled similarities are lower than the estimate, often by more than
    their spread. Here each input gets a random weight (exponential, the Bayesian bootstrap), the same in every draw, so
    that no input counts in both halves; every mean moves 2**-0.5 of its way towards its weighted mean; and the
    quantiles of the statistic's deviations from their own mean, scaled back by 2**0.5, are laid around the estimate.
    The length of the step is chosen by simulation (tests/concepts/test_generalization.py): whole steps give intervals
    that are too short, half steps ones that are too long. With fewer than about ten inputs in a draw, or effects of
    heavy tails, expect a few per cent less than the level.

    Args:
        key: a `jax.random.key` of the draws and weights.
        train, test: explanations of training and test inputs, each an `AndOr` or AND effects (inputs, 2**n).
        train_labels, test_labels: class of each input, integers or strings, (inputs,).
        tau: compare, for each class, only effects that are salient on at least one of its inputs, training or test;
            None for all effects.
        splits: random draws over which similarity and null are averaged; more make both a little surer.
        resamples: bootstrap resamples.
        level: of the intervals, in (0, 1).

    Returns:
        Similarity, null, their difference and the similarity at full size, for sizes 1..n.

    Raises:
        ValueError: a class without test inputs, or with fewer than two training inputs; labels, kinds or players that
            do not fit; an option out of range.

    Warns:
        UserWarning: if a class gives fewer than 5 inputs to a draw, too few for its intervals.

    Example:
        >>> import jax
        >>> random = np.random.default_rng(0)
        >>> train, test = 1 + 0.1 * random.normal(size=(2, 20, 4))  # the same concepts
        >>> found = generalization(jax.random.key(0), train, [0] * 20, test, [0] * 20)
        >>> found.similarity.round(1).tolist(), found.null.round(1).tolist()
        ([1.0, 1.0], [1.0, 1.0])

    References:
        Zhou et al., AAAI 2024, arXiv:2302.13091 (similarity of concepts between training and test samples).
        Rubin, "The Bayesian bootstrap", Annals of Statistics 9, 1981.
    """
    check_key(key)
    splits, resamples = check_count("splits", splits), check_count("resamples", resamples)
    level = check_level(level)
    classes, groups = _by_class(train, train_labels, test, test_labels, tau)
    drawn = np.array([group.n_drawn for group in groups])
    if drawn.min() < _FEW:
        poor = ", ".join(str(label) for label, count in zip(classes, drawn, strict=True) if count < _FEW)
        warnings.warn(
            f"fewer than {_FEW} inputs in a draw of class {poor}: the intervals are rough; give at least {2 * _FEW} "
            f"training and {_FEW} test inputs of each class",
            stacklevel=2,
        )
    random = host_generator(key)
    found = [_similarities(random, group, splits, resamples) for group in groups]  # each (3, 1 + resamples, sizes)
    measured = _mean_where_known(np.stack(found))
    measured = np.concatenate([measured, measured[1:2] - measured[:1]])
    value, lower, upper = _intervals(measured, level)
    lower[:3], upper[:3] = np.clip(lower[:3], 0, 1), np.clip(upper[:3], 0, 1)
    names = ("", "null_", "full_", "excess_")
    return Generalization(
        sizes=np.arange(1, value.shape[-1] + 1),
        **dict(zip(("similarity", "null", "full_similarity", "excess"), value, strict=True)),
        **{f"{name}lower": end for name, end in zip(names, lower, strict=True)},
        **{f"{name}upper": end for name, end in zip(names, upper, strict=True)},
        by_class=np.stack([each[0, 0] for each in found]),
        null_by_class=np.stack([each[1, 0] for each in found]),
        classes=classes,
        n_train=np.array([len(group.train) for group in groups]),
        n_test=np.array([len(group.test) for group in groups]),
        n_drawn=drawn,
        level=level,
        tau=None if tau is None else float(tau),
    )


@dataclasses.dataclass(frozen=True)
class _Class:
    """Effects of the inputs of one class, (inputs, compared effects) sorted by size; where each size starts."""

    train: np.ndarray
    test: np.ndarray
    membership: np.ndarray  # (compared effects,) size of each less 1, increasing
    n_sizes: int

    @property
    def n_drawn(self) -> int:
        return min(len(self.train) // 2, len(self.test))

    def similarity(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """J by size of vectors (rows, compared effects): (rows, sizes); NaN where both are zero throughout."""
        norms, distance = self._sums(np.abs(first)) + self._sums(np.abs(second)), self._sums(np.abs(first - second))
        total = norms + distance
        return np.divide(norms - distance, total, out=np.full_like(total, np.nan), where=total > 0)

    def _sums(self, values: np.ndarray) -> np.ndarray:
        """Sums over the effects of each size."""
        present, starts = np.unique(self.membership, return_index=True)
        sums = np.zeros((len(values), self.n_sizes))
        if len(present):
            sums[:, present] = np.add.reduceat(values, starts, axis=1)
        return sums


def _similarities(random: np.random.Generator, group: _Class, splits: int, resamples: int) -> np.ndarray:
    """Similarity, null and full similarity of a class: (3, 1 + resamples, sizes), the estimate first."""
    size = group.n_drawn
    draws = [(random.permutation(len(group.train)), random.permutation(len(group.test))) for _ in range(splits)]
    weights = [random.exponential(size=(resamples, len(part))) for part in (group.train, group.test)]
    block = max(1, _BLOCK // max(group.train.shape[1], 1))
    found = []
    for start in range(0, resamples, block):
        train_weights, test_weights = (part[start : start + block] for part in weights)

        def train_mean(rows: Any, weights: np.ndarray = train_weights) -> np.ndarray:
            return _moved_means(group.train[rows], weights[:, rows])

        def test_mean(rows: Any, weights: np.ndarray = test_weights) -> np.ndarray:
            return _moved_means(group.test[rows], weights[:, rows])

        similarity, null = [], []
        for train_order, test_order in draws:
            half = train_mean(train_order[:size])
            similarity.append(group.similarity(half, test_mean(test_order[:size])))
            null.append(group.similarity(half, train_mean(train_order[size : 2 * size])))
        full = group.similarity(train_mean(slice(None)), test_mean(slice(None)))
        rows = np.stack([_mean_where_known(np.stack(similarity)), _mean_where_known(np.stack(null)), full])
        found.append(rows if start == 0 else rows[:, 1:])
    return np.concatenate(found, axis=1)


def _moved_means(effects: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean over inputs, then one moved a step towards each weighted mean: (1 + resamples, compared effects).

    With exponential weights normalised over h inputs the variance of a weighted mean is (h-1)/(h+1) of s^2/h, s^2
    being the unbiased variance of the inputs; the step makes up for the factor.
    """
    count = len(effects)
    step = _STEP * np.sqrt((count + 1) / max(count - 1, 1))
    shares = np.concatenate([np.full((1, count), 1 / count), weights / weights.sum(axis=1, keepdims=True)])
    return (1 / count + step * (shares - 1 / count)) @ effects


def _mean_where_known(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN; NaN where all is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def _intervals(measured: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimates (first row) and the ends of their intervals from resampled rows, next to the last axis."""
    value, resampled = measured[..., 0, :], measured[..., 1:, :]
    deviation = (resampled - resampled.mean(axis=-2, keepdims=True)) / _STEP
    below, above = np.quantile(deviation, [0.5 - level / 2, 0.5 + level / 2], axis=-2)
    return value, value + below, value + above


def _by_class(
    train: Any, train_labels: Any, test: Any, test_labels: Any, tau: float | None
) -> tuple[np.ndarray, list[_Class]]:
    """The classes, and for each its effects; ValueError on what does not fit together."""
    train_effects, train_classes = _labelled("train", train, train_labels)
    test_effects, test_classes = _labelled("test", test, test_labels)
    if train_effects.shape[1:] != test_effects.shape[1:]:
        raise ValueError(
            f"train and test must be explanations with the same (kinds, 2**n), got {train_effects.shape[1:]} and "
            f"{test_effects.shape[1:]}: explain both in the same way, with the same players"
        )
    if (train_classes.dtype.kind in "US") != (test_classes.dtype.kind in "US"):
        raise ValueError(
            f"train_labels and test_labels must be of one kind, got {train_classes.dtype} and {test_classes.dtype}"
        )
    classes = np.union1d(train_classes, test_classes)
    for label in classes:
        for name, labels, fewest in (("training", train_classes, 2), ("test", test_classes, 1)):
            if np.sum(labels == label) < fewest:
                raise ValueError(
                    f"train_labels and test_labels give class {label} {np.sum(labels == label)} {name} inputs, "
                    f"expected at least {fewest}: leave the class out of both, or explain more of its inputs"
                )
    masks = None if tau is None else [salient_effects(part, tau) for part in (train_effects, test_effects)]
    n_players = train_effects.shape[-1].bit_length() - 1
    sizes = np.broadcast_to(sizes_of(n_players), train_effects.shape[1:]).ravel()
    order = np.argsort(sizes, kind="stable")
    groups = []
    for label in classes:
        train_rows, test_rows = train_classes == label, test_classes == label
        compared = sizes > 0
        if masks is not None:
            compared = (masks[0][train_rows].any(axis=0) | masks[1][test_rows].any(axis=0)).ravel()
        chosen = order[compared[order]]
        train_part = train_effects[train_rows].reshape(train_rows.sum(), -1)[:, chosen]
        test_part = test_effects[test_rows].reshape(test_rows.sum(), -1)[:, chosen]
        groups.append(_Class(train_part, test_part, sizes[chosen] - 1, n_players))
    return classes, groups


def _labelled(name: str, explanation: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Effects (inputs, kinds, 2**n) and a label for each input."""
    check_known(f"{name}_labels", labels)
    effects = effects_of(explanation, name)
    labels = np.asarray(as_array(f"{name}_labels", labels, "classes as integers or strings"))
    if effects.ndim != 3 or effects.shape[-1] < 2 or labels.shape != effects.shape[:1] or not len(labels):
        raise ValueError(
            f"{name} and {name}_labels must be explanations (inputs, 2**n) of at least one player and one label for "
            f"each input, got shape {(*effects.shape[:-2], effects.shape[-1])} and labels of shape {labels.shape}"
        )
    if labels.dtype.kind not in "iubUS":
        raise ValueError(f"{name}_labels must be classes as integers or strings, got {labels.dtype}")
    return effects, labels
