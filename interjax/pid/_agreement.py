"""For a realisation s and each set A of sources, the weight of all realisations that agree with s exactly on A.

With the marginals p_B(s) = weight of {s' : s'_B = s_B}, q_s[A] = sum over B containing A of (-1)^(|B| - |A|) p_B(s),
the superset Moebius transform. The marginals are 2^n group-bys; no two realisations are compared. What the shared
exclusions of an antichain alpha weigh is then a sum: P(W_alpha(s)) = sum of q_s[A] over the sets A that contain a
member of alpha. Bit i of a set's number is source i.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from interjax._core._precision import float64
from interjax._engine._blocks import padded
from interjax.pid._realisations import Realisations

_FEWEST_CELLS = 2**14
_MOST_CELLS = 2**16  # codes of one marginal that are counted in a table; more are ranked first


def source_agreement(found: Realisations) -> Array:
    """q_s[A] over all samples, for each distinct realisation of the sources: float64 (rows, 2**n).

    Rows of zeros follow, up to the size of a bucket.
    """
    codes, levels = tuple(found.sources.T), found.levels
    return _agreement(codes, levels, found.source_weights)


def joint_agreement(found: Realisations, some: np.ndarray | None = None) -> Array:
    """q_{s,t}[A] over the samples with the same target, for each joint realisation or `some`: float64 (rows, 2**n).

    Rows of zeros follow, up to the size of a bucket.
    """
    codes = tuple(found.sources[found.of_source].T)
    return _agreement(codes, found.levels, found.weights, found.target, found.n_targets, some)


def _agreement(
    codes: tuple[np.ndarray, ...],
    levels: tuple[int, ...],
    weights: np.ndarray,
    target: np.ndarray | None = None,
    n_targets: int = 1,
    some: np.ndarray | None = None,
) -> Array:
    """Look every realisation up in the tables of all marginals; rows and cells are padded to few different sizes."""
    cells, n_cells = _cells(codes, levels, target, n_targets)
    wanted = cells if some is None else cells[some]
    tables = padded(cells), padded(weights), padded(wanted)
    with float64():
        return _look_up(*tables, len(wanted), n_cells=max(_FEWEST_CELLS, 1 << (n_cells - 1).bit_length()))


def _cells(
    codes: tuple[np.ndarray, ...], levels: tuple[int, ...], target: np.ndarray | None, n_targets: int
) -> tuple[np.ndarray, int]:
    """For each realisation and set B of sources the cell of its marginal, int32 (realisations, 2**n), and all cells."""
    n_rows = len(codes[0])
    first = np.zeros(n_rows, np.int64) if target is None else target
    local, spaces = [first], [n_targets]
    for source, count in zip(codes, levels, strict=True):
        for smaller, space in list(zip(local, spaces, strict=True)):
            cell, size = smaller * count + source, space * count
            if size > max(_MOST_CELLS, 4 * n_rows):
                values, cell = np.unique(cell, return_inverse=True)
                size = len(values)
            local.append(cell)
            spaces.append(size)
    offsets = np.concatenate([[0], np.cumsum(spaces)])
    return (np.stack(local, axis=1) + offsets[:-1]).astype(np.int32), int(offsets[-1])


@functools.partial(jax.jit, static_argnames="n_cells")
def _look_up(cells: Array, weights: Array, wanted: Array, n_wanted: Array, *, n_cells: int) -> Array:
    """Add the weights up in the cells, read the cells wanted, and take the superset Moebius transform of each row."""
    spread = jnp.broadcast_to(weights[:, None], cells.shape)
    table = jnp.zeros(n_cells, weights.dtype).at[cells.ravel()].add(spread.ravel())
    marginals = table[wanted]
    n_sources = (wanted.shape[1] - 1).bit_length()
    for source in range(n_sources):
        halves = marginals.reshape(len(wanted), -1, 2, 2**source)
        without = halves[:, :, :1] - halves[:, :, 1:]
        marginals = jnp.concatenate([without, halves[:, :, 1:]], axis=2).reshape(len(wanted), -1)
    return jnp.where(jnp.arange(len(wanted))[:, None] < n_wanted, marginals, 0.0)
