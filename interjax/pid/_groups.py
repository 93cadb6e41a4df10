"""Coarse-grained representational complexity: groups of sources that count as one source each."""

import dataclasses
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from interjax._core._checks import check_flag
from interjax._core._results import Saved, result, static_field
from interjax._engine._devices import as_mesh
from interjax.pid._complexity import MOST_SOURCES, interval_of, representational_complexity
from interjax.pid._decomposition import decompose
from interjax.pid._lattice import MOST_SOURCES as MOST_OF_LATTICE
from interjax.pid._realisations import Realisations, realisations_of
from interjax.pid._trust import Trust, optional_key

_ROUNDING = 1e-9


@result
class GroupedComplexity(Trust, Saved):
    """Complexity C_cg of groups of sources, and how far it bounds the complexity C of the sources themselves.

    Attributes:
        value: C_cg, the mean over the information of the least number of groups that must be read; NaN where I = 0.
        information: plug-in I(S;T) in bits, that of the sources.
        by_degree: information in bits by the least number of groups, 1..groups, (groups,).
        is_defined: whether I > 0.
        groups: source indices of each group.
        stderr, corrected, null_complexity: of C_cg, as in `Complexity`; None without resampling.
        negative_atoms, negative_bits: how many atoms of the decomposition of the groups are below -1e-9 bits, and their
            sum in bits; None for six groups.
        fine: C of the sources; None where it was not computed.
        fine_negative_atoms, fine_negative_bits: likewise of the decomposition of the sources, up to five.
        holds: whether C_cg <= fine <= g_max C_cg; None where `fine` is None or undefined.

    The other attributes are those of `Trust`.
    """

    value: float
    information: float
    by_degree: np.ndarray
    is_defined: bool = static_field()
    groups: tuple[tuple[int, ...], ...] = static_field()
    stderr: float | None = None
    corrected: float | None = None
    null_complexity: np.ndarray | None = None
    negative_atoms: int | None = static_field(default=None)
    negative_bits: float | None = None
    fine: float | None = None
    fine_negative_atoms: int | None = static_field(default=None)
    fine_negative_bits: float | None = None
    holds: bool | None = static_field(default=None)

    @property
    def largest_group(self) -> int:
        """g_max, the number of sources in the largest group."""
        return max(map(len, self.groups))

    @property
    def bounds(self) -> tuple[float, float]:
        """(C_cg, g_max C_cg), between which C lies if no atom of the sources is negative."""
        return self.value, self.largest_group * self.value

    @property
    def freedom(self) -> int:
        """Degrees of freedom of stderr, one for each pair of halves; 0 without resampling."""
        return 0 if self.null_complexity is None else len(self.null_complexity)

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """C_cg with its sampling error and its bias: corrected -+ (t stderr + |value - corrected|), a level in (0, 1).

        As in `Complexity`. It covers C_cg of these groups, not C of the sources, which `bounds` enclose.

        Raises:
            ValueError: without resampling, or for a level outside (0, 1).
        """
        return interval_of(self, level)

    @classmethod
    def load(cls, path: Any) -> "GroupedComplexity":
        """Read what `save` wrote; raises ValueError if the file holds something else."""
        found = super().load(path)
        return dataclasses.replace(found, groups=tuple(map(tuple, found.groups)))


def grouped_complexity(
    sources: Any,
    target: Any,
    groups: Sequence[Sequence[int]],
    *,
    weights: Any = None,
    key: Array | None = None,
    resamples: int | None = None,
    compare: bool | None = None,
    mesh: Mesh | None = None,
) -> GroupedComplexity:
    """Representational complexity of groups of sources, each joined into one source: two to six groups of any size.

        C_cg = (1 / I(S;T)) sum over antichains alpha of m_cg(alpha) Pi(alpha),
        m_cg(alpha) = min over a in alpha of the number of groups that a touches.

    This is C of the joined sources, since the redundancy of sets of whole groups is the same in both lattices. With
    g_max the size of the largest group, m_cg <= m <= g_max m_cg for each antichain, hence
        C_cg <= C <= g_max C_cg
    wherever no atom Pi of the sources is negative. An atom of the groups is a sum of such atoms, so that a negative one
    proves that there is a negative atom of the sources; that none is negative proves nothing. The bounds may hold with
    negative atoms, too. Both kinds of atoms are counted where the lattices are small enough.

    Args:
        sources: (samples, n), any hashable symbols.
        target: (samples,), any hashable symbols.
        groups: source indices; each source belongs to exactly one group.
        weights: None where each row is a sample; else the probability of each row, summing to one.
        key, resamples, mesh: as for `representational_complexity`, of the groups.
        compare: whether to compute C of the ungrouped sources as well, to see if the bounds hold: possible up to six
            sources, and by default done up to five. Up to five their negative atoms are counted, too.

    Returns:
        C_cg with its bounds, and what is known of their validity.

    Raises:
        ValueError: fewer than two groups, more than six; groups that overlap, are empty, leave sources out or name
            unknown ones; `compare` with more than six sources; whatever `representational_complexity` refuses.

    Example:
        >>> import interjax as ij
        >>> bits = np.array([(0, 0), (0, 1), (1, 0), (1, 1)] * 50)
        >>> twice = np.column_stack([bits, bits])  # the target is the parity of two bits, each known to two sources
        >>> found = ij.pid.grouped_complexity(twice, bits[:, 0] ^ bits[:, 1], [(0, 1), (2, 3)])
        >>> round(found.value, 6), round(found.fine, 6), found.holds
        (1.0, 1.415037, True)

    References:
        Ehrlich et al., TMLR 2023, arXiv:2209.10438 (coarse-graining, and its bounds).
    """
    if compare is not None:
        check_flag("compare", compare)
    key, mesh = optional_key(key), as_mesh(mesh)
    found = realisations_of(sources, target, weights)
    members = _checked(groups, found.n_sources)
    if compare and found.n_sources > MOST_SOURCES:
        raise ValueError(
            f"C of the sources is computed for at most {MOST_SOURCES}, got {found.n_sources}: leave compare out"
        )
    given = None if weights is None else np.asarray(weights)[np.asarray(weights) > 0]
    joined = np.stack([_joint_codes(found, group) for group in members], axis=1)
    coarse = representational_complexity(joined, found.labels, given, key=key, resamples=resamples, mesh=mesh)
    fields = {field.name: getattr(coarse, field.name) for field in dataclasses.fields(coarse)}
    if len(members) <= MOST_OF_LATTICE:
        fields["negative_atoms"], fields["negative_bits"] = _negative(joined, found.labels, given, mesh)
    if found.n_sources <= MOST_OF_LATTICE if compare is None else compare:
        codes = found.sources[found.rows]
        fine = representational_complexity(codes, found.labels, given, resamples=0, mesh=mesh).value
        fields |= {"fine": fine, "holds": _holds(coarse.value, fine, max(map(len, members)))}
        if found.n_sources <= MOST_OF_LATTICE:
            count, bits = _negative(codes, found.labels, given, mesh)
            fields |= {"fine_negative_atoms": count, "fine_negative_bits": bits}
    return GroupedComplexity(groups=members, **fields)


def _checked(groups: Sequence[Sequence[int]], n_sources: int) -> tuple[tuple[int, ...], ...]:
    """The groups as tuples; ValueError unless they part the sources."""
    try:
        members = tuple(tuple(_index(source) for source in group) for group in groups)
    except TypeError as error:
        raise ValueError(f"groups must be sequences of source indices, got {groups!r} ({error})") from None
    if not 2 <= len(members) <= MOST_SOURCES:
        raise ValueError(f"groups must be 2 to {MOST_SOURCES}, got {len(members)}")
    if not all(members):
        raise ValueError("groups must hold at least one source each, got an empty one")
    named = sorted(source for group in members for source in group)
    if named != list(range(n_sources)):
        twice = sorted({source for source in named if named.count(source) > 1})
        missing = sorted(set(range(n_sources)) - set(named))
        unknown = sorted(set(named) - set(range(n_sources)))
        raise ValueError(
            f"groups must hold each of the sources 0 to {n_sources - 1} exactly once; in several groups: "
            f"{twice or 'none'}, in no group: {missing or 'none'}, unknown: {unknown or 'none'}"
        )
    return members


def _index(source: Any) -> int:
    if isinstance(source, bool | np.bool_):
        raise TypeError(f"{source} is no source")
    return operator.index(source)


def _joint_codes(found: Realisations, group: tuple[int, ...]) -> np.ndarray:
    """One code for each sample, equal where all sources of the group are."""
    _, codes = np.unique(found.sources[:, list(group)], axis=0, return_inverse=True)
    return codes.ravel()[found.rows]


def _negative(sources: np.ndarray, target: np.ndarray, weights: Any, mesh: Mesh | None) -> tuple[int, float]:
    """Number and sum in bits of the negative atoms."""
    atoms = np.asarray(decompose(sources, target, weights, mesh=mesh).atoms)
    negative = atoms[atoms < -_ROUNDING]
    return len(negative), float(negative.sum())


def _holds(coarse: float, fine: float, largest_group: int) -> bool | None:
    if not math.isfinite(fine):
        return None
    return coarse - _ROUNDING <= fine <= largest_group * coarse + _ROUNDING
