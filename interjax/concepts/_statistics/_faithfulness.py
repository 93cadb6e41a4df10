"""Faithfulness: how well few concepts rebuild the whole game, and explanations cut down to few concepts."""

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from interjax._core._checks import check_count, check_flag, check_integers, check_known, check_number
from interjax._core._results import Saved, result
from interjax.concepts._explanations._effects import AndOr, effects_of, sizes_of
from interjax.tables._transforms import inverse_moebius, inverse_or_interactions, n_players_of, real_table

_DEFAULT_COUNTS = 25
_SINGULAR = 1e-12  # eigenvalues below this share of the largest belong to concepts that depend on each other


@result
class Faithfulness(Saved):
    """R^2, over all 2**n coalitions, of a game rebuilt from its strongest concepts.

    Attributes:
        counts: numbers of concepts k, increasing, int (counts,).
        r2: (..., counts), at most 1; negative where the concepts fit worse than the mean of the game. NaN where the
            game has one value throughout.
        n_effects: non-empty coalitions with an effect that is not zero, both kinds, int (...).
        n_constant: games with one value throughout, whose R^2 is undefined.
    """

    counts: np.ndarray
    r2: np.ndarray
    n_effects: np.ndarray
    n_constant: int

    def needed(self, r2: float = 0.9) -> np.ndarray:
        """The fewest concepts, among `counts`, from which on R^2 stays at or above r2: (...); NaN if there are none."""
        r2 = check_number("r2", r2, "(-inf, inf)")
        counts, reached = np.asarray(self.counts), np.asarray(self.r2) >= r2
        stays = np.logical_and.accumulate(reached[..., ::-1], axis=-1)[..., ::-1]
        return np.where(stays.any(axis=-1), counts[stays.argmax(axis=-1)], np.nan)


def faithfulness(explanation: Any, table: Any, *, counts: Sequence[int] | None = None) -> Faithfulness:
    """How well the k strongest concepts rebuild the game.

        R^2(k) = 1 - sum over S of (v(S) - v_k(S))^2 / sum over S of (v(S) - mean v)^2
        v_k(S) = constant + sum over AND concepts L in S of I_and(L) + sum over OR concepts L meeting S of I_or(L)

    The concepts of v_k are the k non-empty coalitions of the largest |I|, of both kinds together; ties go to the
    smaller coalition, the lower index, AND before OR. The constant, v(empty) and the effects of the empty set, is
    always there and not counted. R^2 need not grow with k: the effects are those of the full explanation; see
    `simplify` for effects that are fitted anew.

    Args:
        explanation: an `AndOr`, or AND effects (..., 2**n) from `ij.moebius`.
        table: v(S) of the same games, (..., 2**n), bit i of the index = player i.
        counts: numbers of concepts k >= 0; by default about 25 between 1 and the largest number of non-zero effects,
            in equal ratios. Each costs a transform of every table.

    Returns:
        R^2 of each game at each count.

    Raises:
        ValueError: shapes that differ, values that are not finite, or counts that are no integers >= 0.

    Warns:
        UserWarning: if a game has one value throughout.

    Example:
        >>> import interjax as ij
        >>> table = [0.0, 4, 0, 5]
        >>> faithfulness(ij.moebius(table), table).r2.round(3).tolist()
        [0.952, 1.0]

    References:
        Ren et al., CVPR 2023, arXiv:2111.06206 (faithfulness of sparse concepts).
    """
    effects, values = effects_of(explanation), _finite_table(table, explanation)
    ranks = _ranks(effects)
    n_effects = np.count_nonzero(effects[..., 1:], axis=(-2, -1))
    counts_array = _as_counts(counts, int(n_effects.max(initial=0)))
    spread = np.sum((values - values.mean(axis=-1, keepdims=True)) ** 2, axis=-1)
    is_constant = np.ptp(values, axis=-1) == 0
    r2 = np.empty((*values.shape[:-1], len(counts_array)))
    for column, count in enumerate(counts_array):
        rebuilt = _rebuilt(explanation, np.where(ranks < count, effects, 0.0))
        missed = np.sum((values - rebuilt) ** 2, axis=-1)
        r2[..., column] = np.where(is_constant, np.nan, 1 - missed / np.where(is_constant, 1.0, spread))
    if is_constant.any():
        warnings.warn(
            f"{is_constant.sum()} of {is_constant.size} games have one value throughout: their R^2 is unknown (NaN)",
            stacklevel=2,
        )
    return Faithfulness(counts=counts_array, r2=r2, n_effects=n_effects, n_constant=int(is_constant.sum()))


def simplify(explanation: Any, table: Any, count: int, *, refit: bool = True) -> Any:
    """An explanation by the `count` strongest concepts alone, with effects that fit the game best.

        minimise over the kept effects  sum over S of (v(S) - constant - sum over kept concepts present in S of I)^2

    An AND concept is present where S contains it, an OR concept where S meets it. Which concepts are kept and the
    constant are as in `faithfulness`. Concepts may depend on each other (AND and OR of {i, j} add up to what {i} and
    {j} do alone): of all best fits the one nearest to the effects as they were is taken.

    Args:
        explanation: an `AndOr`, or AND effects (..., 2**n).
        table: v(S) of the same games, (..., 2**n).
        count: concepts to keep, >= 0; a game of fewer non-zero effects keeps those. A fit costs of the order of
            count^3 operations for each game.
        refit: False keeps the effects as they are.

    Returns:
        An `AndOr` (or AND effects, if those came) with at most `count` effects besides those of the empty set. `loss`
        is theirs; `noise_bound` the largest |v - rebuilt| that is left; `gap` and `slope` are NaN, as the explanation
        is not the optimum of the linear program; `n_iterations` is 0.

    Raises:
        ValueError: shapes that differ, values that are not finite, or a count that is no integer >= 0.

    Example:
        >>> import interjax as ij
        >>> table = [0.0, 4, 0, 5]
        >>> simplify(ij.moebius(table), table, 1).tolist(), simplify(ij.moebius(table), table, 1, refit=False).tolist()
        ([0.0, 4.5, 0.0, 0.0], [0.0, 4.0, 0.0, 0.0])

    References:
        Ren et al., CVPR 2023, arXiv:2111.06206; the fit is ordinary least squares.
    """
    effects, values = effects_of(explanation), _finite_table(table, explanation)
    count, refit = check_count("count", count, least=0), check_flag("refit", refit)
    is_kept = (_ranks(effects) < count) & (effects != 0)
    is_kept[..., 0] = False
    is_empty_set = np.arange(effects.shape[-1]) == 0
    kept = np.where(is_kept | is_empty_set, effects, 0.0)
    if refit:
        missed = values - _rebuilt(explanation, kept)
        for game in np.ndindex(values.shape[:-1]):
            kind, index = np.nonzero(is_kept[game])
            kept[game][kind, index] += _fitted(kind, index, missed[game])
    if not isinstance(explanation, AndOr):
        return kept[..., 0, :]
    unknown = np.full(values.shape[:-1], np.nan)
    return dataclasses.replace(
        explanation,
        and_effects=kept[..., 0, :],
        or_effects=kept[..., 1, :],
        loss=np.abs(kept).sum(axis=(-2, -1)),
        gap=unknown,
        noise_bound=np.abs(values - _rebuilt(explanation, kept)).max(axis=-1),
        empty_value=np.asarray(explanation.empty_value, np.float64),
        slope=np.full_like(values, np.nan),
        n_iterations=np.zeros(values.shape[:-1], int),
    )


def _finite_table(table: Any, explanation: Any) -> np.ndarray:
    """The table as float64 of the shape of the effects; ValueError unless it fits them and is finite."""
    check_known("table", table)
    values = np.asarray(real_table(table), np.float64)
    n_players_of(values)
    effects = explanation.and_effects if isinstance(explanation, AndOr) else explanation
    if values.shape != np.shape(effects):
        raise ValueError(
            f"explanation and table must belong together, with effects of the table's shape {values.shape}; got "
            f"effects of shape {np.shape(effects)}"
        )
    bad = np.count_nonzero(~np.isfinite(values))
    if bad:
        raise ValueError(
            f"table must be finite, got {bad} of {values.size} values that are NaN or infinite: leave such inputs out"
        )
    return values


def _as_counts(counts: Sequence[int] | None, most: int) -> np.ndarray:
    if counts is None:
        return np.unique(np.geomspace(1, max(most, 1), _DEFAULT_COUNTS).round().astype(int))
    given = check_integers("counts", counts, "numbers of concepts to keep, integers of at least 0")
    if given.ndim != 1 or not given.size or given.min() < 0:
        raise ValueError(f"counts must be numbers of concepts to keep, integers of at least 0; got {counts!r}")
    return np.unique(given).astype(int)


def _ranks(effects: np.ndarray) -> np.ndarray:
    """Place of each effect by falling |I| within its game, the kinds together; -1 for the empty set."""
    kinds, length = effects.shape[-2:]
    kind, index = np.divmod(np.arange(kinds * length), length)
    tie_break = np.lexsort((kind, index, sizes_of(length.bit_length() - 1)[index]))
    strength = np.abs(effects)
    strength[..., 0] = -1.0
    strength = strength.reshape(*effects.shape[:-2], -1)[..., tie_break]
    order = tie_break[np.argsort(-strength, axis=-1, kind="stable")]
    ranks = np.empty(order.shape, int)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(kinds * length), order.shape), axis=-1)
    ranks = ranks.reshape(effects.shape)
    ranks[..., 0] = -1
    return ranks


def _rebuilt(explanation: Any, effects: np.ndarray) -> np.ndarray:
    """The games that effects (..., kinds, 2**n) add up to, with the empty value of the explanation."""
    game = inverse_moebius(effects[..., 0, :])
    if isinstance(explanation, AndOr):
        empty = np.asarray(explanation.empty_value, np.float64)[..., None]
        game = game + empty + inverse_or_interactions(effects[..., 1, :])
    return game


def _fitted(kind: np.ndarray, index: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The shortest least-squares effects of these concepts on a game of 2**n values.

    With a(L) = number of S that contain L = 2^(n-|L|) and the products of the indicator functions summed over S,
    AND A by AND B: a(A or B);  AND A by OR B: a(A), less a(A or B) if A and B are disjoint;
    OR A by OR B: 2^n - a(A) - a(B) + a(A or B), as S misses A as often as it contains A.
    """
    if not len(index):
        return np.zeros(0)
    total = float(len(target))
    above = total * 0.5 ** sizes_of(len(target).bit_length() - 1)
    union, disjoint = above[index[:, None] | index[None]], (index[:, None] & index[None]) == 0
    first, second = above[index][:, None], above[index][None]
    is_or = kind.astype(bool)
    both_or = total - first - second + union
    mixed = np.where(is_or[:, None], second, first) - np.where(disjoint, union, 0.0)
    product = np.where(is_or[:, None] & is_or[None], both_or, np.where(is_or[:, None] | is_or[None], mixed, union))
    inside = inverse_moebius(target)[::-1]  # at L: sum over S that miss L
    contained = inverse_moebius(target[::-1])[::-1]  # at L: sum over S that contain L
    right = np.where(is_or, target.sum() - inside[index], contained[index])
    scale = 1 / np.sqrt(np.diag(product))
    return scale * (np.linalg.pinv(product * scale[:, None] * scale[None], _SINGULAR, hermitian=True) @ (scale * right))
