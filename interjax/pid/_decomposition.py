"""Partial information decomposition by shared exclusions: all atoms of the redundancy lattice."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from interjax._core._checks import check_flag
from interjax._core._results import Saved, result, static_field
from interjax._engine._devices import as_mesh
from interjax.pid._agreement import joint_agreement, source_agreement
from interjax.pid._complexity import complexity_of
from interjax.pid._information import information_of
from interjax.pid._lattice import MOST_SOURCES, Antichain, Lattice, lattice_of
from interjax.pid._realisations import Realisations, realisations_of
from interjax.pid._redundancy import is_exact_in_float32, log_weights, mean_log_weights
from interjax.pid._trust import Trust, extrapolated, halves_of, optional_key, orders, pairs_of, trust_in

_MOST_POINTWISE = 2**28  # values


@result
class PID(Trust, Saved):
    """All atoms of information that sources hold about a target; a mapping from antichains to bits.

    Attributes:
        antichains: each a tuple of sets of sources, ((0,), (1, 2)); ordered by their number of sets, then by the
            sets in the order (size, lexicographic).
        atoms: Pi(alpha) in bits, (antichains,); they sum to the information, and may be negative.
        information: plug-in I(S;T) in bits.
        informative, misinformative: parts of the atoms from -log2 P(W) and from -log2 P(W | t), (antichains,); their
            difference is `atoms`.
        redundancies: I_cap(alpha) in bits, (antichains,), the sum of all atoms below alpha.
        stderr: standard errors of the atoms from halves of the samples, (antichains,); None without resampling.
        pointwise_informative, pointwise_misinformative: the parts for each realisation, (realisations, antichains), in
            the order in which realisations first occur; None unless asked for.
        realisation_of_row: row of the pointwise arrays for each row of the input, -1 where its weight is 0; or None.

    The other attributes are those of `Trust`.
    """

    antichains: tuple[Antichain, ...] = static_field()
    atoms: np.ndarray
    information: float
    informative: np.ndarray
    misinformative: np.ndarray
    redundancies: np.ndarray
    stderr: np.ndarray | None = None
    pointwise_informative: np.ndarray | None = None
    pointwise_misinformative: np.ndarray | None = None
    realisation_of_row: np.ndarray | None = None

    @property
    def n_sources(self) -> int:
        """Number of sources n."""
        return 1 + max(source for antichain in self.antichains for sources in antichain for source in sources)

    @property
    def degrees(self) -> np.ndarray:
        """Degree of synergy m(alpha) = min |a| of each antichain, (antichains,)."""
        return np.array([min(map(len, antichain)) for antichain in self.antichains])

    @property
    def by_degree(self) -> np.ndarray:
        """Information in bits by degree of synergy 1..n, (n,)."""
        return np.bincount(self.degrees, self.atoms, self.n_sources + 1)[1:]

    @property
    def complexity(self) -> float:
        """Representational complexity C, the mean degree of the atoms; NaN where there is no information."""
        return complexity_of(self.by_degree, self.information)

    @property
    def pointwise(self) -> np.ndarray:
        """Atoms pi(alpha) in bits for each realisation, (realisations, antichains); ValueError unless asked for."""
        if self.pointwise_informative is None or self.pointwise_misinformative is None:
            raise ValueError("pointwise atoms were not asked for: call decompose(..., pointwise=True)")
        return self.pointwise_informative - self.pointwise_misinformative

    def __getitem__(self, antichain: Any) -> float:
        """Bits of an antichain, given as sets of sources in any order: found[(0,), (1, 2)] or found[(0, 1),]."""
        wanted = frozenset(frozenset(sources) for sources in antichain)
        for known, atom in zip(self.antichains, self.atoms, strict=True):
            if len(known) == len(wanted) and frozenset(map(frozenset, known)) == wanted:
                return float(atom)
        raise KeyError(f"{antichain} is no antichain of {self.n_sources} sources, such as {self.antichains[0]}")

    def __iter__(self) -> Iterator[Antichain]:
        return iter(self.antichains)

    def __len__(self) -> int:
        return len(self.antichains)

    def to_dict(self) -> dict[Antichain, float]:
        """Bits by antichain."""
        return dict(zip(self.antichains, np.asarray(self.atoms).tolist(), strict=True))

    @classmethod
    def load(cls, path: Any) -> "PID":
        """Read what `save` wrote; raises ValueError if the file holds something else."""
        found = super().load(path)
        as_sets = tuple(tuple(tuple(sources) for sources in antichain) for antichain in found.antichains)
        object.__setattr__(found, "antichains", as_sets)
        return found


def decompose(
    sources: Any,
    target: Any,
    weights: Any = None,
    *,
    key: Array | None = None,
    resamples: int = 0,
    pointwise: bool = False,
    mesh: Mesh | None = None,
) -> PID:
    """Decompose the information that sources hold about a target into unique, redundant and synergistic atoms.

    The redundancy of an antichain alpha is, at a realisation s, t,
        i_cap(t : alpha) = log2 [ P(t, W_alpha(s)) / (P(t) P(W_alpha(s))) ],
    W_alpha(s) = union over a in alpha of {s' : s'_a = s_a}; I_cap(alpha) is its mean over realisations, and the atoms
    Pi(alpha) are its Moebius inverse on the redundancy lattice. All of it exact for plug-in probabilities.

    Args:
        sources: (samples, n), any hashable symbols, n = 2..5: 4, 18, 166, 7,579 atoms.
        target: (samples,), any hashable symbols.
        weights: None where each row is a sample; else the probability of each row, summing to one.
        key: `jax.random.key` of shuffles and halves, key(0) by default.
        resamples: halves of the samples that are decomposed, too, for standard errors of the atoms; an even number.
        pointwise: also keep the atoms of each realisation.
        mesh: devices that realisations are spread over; by default all local accelerators.

    Returns:
        The atoms, with what tells whether they can be trusted.

    Raises:
        ValueError: fewer than two sources, more than five; lengths that differ; symbols that are not finite or not
            hashable; weights that are no probabilities; pointwise atoms that would take more than 2 GiB.

    Example:
        >>> import interjax as ij
        >>> copied = ij.pid.decompose([(0, 0), (1, 1)] * 50, [0, 1] * 50)  # both sources are the target
        >>> {antichain: round(atom, 6) for antichain, atom in copied.to_dict().items()}
        {((0,),): 0.0, ((1,),): 0.0, ((0, 1),): 0.0, ((0,), (1,)): 1.0}

    References:
        Makkeh, Gutknecht, Wibral, "Introducing a differentiable measure of pointwise shared information", 2021;
        Gutknecht, Wibral, Makkeh, "Bits and pieces: understanding information decomposition from part-whole
        relationships and formal logic", 2021, for the lattice. Evaluation and inversion are interjax's own form.
    """
    check_flag("pointwise", pointwise)
    key, mesh = optional_key(key), as_mesh(mesh)
    found = realisations_of(sources, target, weights)
    if found.n_sources > MOST_SOURCES:
        raise ValueError(
            f"the lattice is inverted for at most {MOST_SOURCES} sources, got {found.n_sources}: use "
            "ij.pid.representational_complexity for six, ij.pid.subset_complexity or ij.pid.shannon_invariants for more"
        )
    pairs = pairs_of(resamples, found)
    lattice = lattice_of(found.n_sources)
    informative, misinformative = _mean_parts(found, lattice, mesh)
    redundancies = informative - misinformative
    atoms, *parts = (lattice.moebius @ each for each in (redundancies, informative, misinformative))
    information = information_of(found)
    more = _pointwise(found, lattice, np.asarray(target), weights) if pointwise else {}
    if pairs:
        more["stderr"] = _stderr(found, key, atoms, lattice, pairs, mesh)
    trust = trust_in(found, information, key)
    return PID(lattice.antichains, atoms, information, parts[0], parts[1], redundancies, **more, **trust)


def _mean_parts(found: Realisations, lattice: Lattice, mesh: Mesh | None) -> tuple[np.ndarray, np.ndarray]:
    """Means of -log2 P(W_alpha) and of -log2 P(W_alpha | t) over all realisations, in bits, (antichains,)."""
    exact = is_exact_in_float32(found.n_samples)
    how: dict[str, Any] = {"exact": exact, "mesh": mesh}
    source = mean_log_weights(source_agreement(found), found.source_weights / found.total, lattice.members, **how)
    joint = mean_log_weights(joint_agreement(found), found.weights / found.total, lattice.members, **how)
    of_target = float(found.target_weights @ np.log2(np.maximum(found.target_weights, 1e-300))) / found.total
    return math.log2(found.total) - source, of_target - joint


def _stderr(
    found: Realisations, key: Any, atoms: np.ndarray, lattice: Lattice, pairs: int, mesh: Mesh | None
) -> np.ndarray:
    halves = []
    for order in orders(found, key, pairs):
        parts = [_mean_parts(half, lattice, mesh) for half in halves_of(found, order)]
        halves.append([lattice.moebius @ (informative - misinformative) for informative, misinformative in parts])
    return extrapolated(atoms, np.array(halves))[1]


def _pointwise(found: Realisations, lattice: Lattice, target: Any, weights: Any) -> dict[str, np.ndarray]:
    """The parts of every atom for each realisation, in the order in which realisations first occur."""
    if len(found.weights) * len(lattice.antichains) > _MOST_POINTWISE:
        raise ValueError(
            f"pointwise atoms of {len(found.weights):,} realisations and {len(lattice.antichains):,} antichains take "
            "more than 2 GiB: decompose fewer samples, or leave pointwise out"
        )
    pairs = found.rows * found.n_targets + found.labels
    place = np.searchsorted(found.of_source * found.n_targets + found.target, pairs)
    _, first = np.unique(place, return_index=True)
    order = np.argsort(first)
    of_row = np.full(len(target), -1)
    kept = slice(None) if weights is None else np.asarray(weights) > 0
    of_row[kept] = np.argsort(order)[place]
    exact = is_exact_in_float32(found.n_samples)
    source = log_weights(source_agreement(found), lattice.members, exact=exact)[found.of_source[order]]
    joint = log_weights(joint_agreement(found), lattice.members, exact=exact)[order]
    own = np.log2(found.target_weights)[found.target[order]]
    informative, misinformative = math.log2(found.total) - source, own[:, None] - joint
    return {
        "pointwise_informative": (lattice.moebius @ informative.T).T,
        "pointwise_misinformative": (lattice.moebius @ misinformative.T).T,
        "realisation_of_row": of_row,
    }
