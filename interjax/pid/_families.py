"""The representational complexity's sums over families of sets of one size, without the lattice.

For families F of subsets of k sources: the sum over F of (-1)^(|F|+1) log2 of the weight of the union of what agrees on
a member of F. The sign alternates and the realisation's weight is common to all families, so that up to 16 ratios are
multiplied before a logarithm is taken of them.
"""

import functools
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from interjax._core._precision import float64
from interjax._engine._blocks import pieces_of, program_of_rows
from interjax._engine._devices import as_mesh
from interjax.pid._redundancy import product_of

_MOST_LOW_BITS = 11
_MOST_FACTORS = 16
_LARGEST_EXPONENT = 300.0  # of ten, in float64


def alternating_logs(
    agreement: Array, *, smallest: float, total: float, exact: bool, mesh: Mesh | None = None
) -> np.ndarray:
    """For each realisation and k = 1..n the alternating sum of log2 weights over the families of k-subsets.

    Args:
        agreement: float64 (rows, 2**n), for each realisation the weights of `_agreement`, and rows of zeros.
        smallest: the least weight of a realisation; total: the sum of all weights.
        exact: whether all weights are whole numbers that float32 holds.
        mesh: devices that rows are spread over.

    Returns:
        float64 (rows, n), 0 for rows of zeros; for k = n the log2 weight of the realisation itself.
    """
    devices = as_mesh(mesh)
    n_sources = (agreement.shape[1] - 1).bit_length()
    width = 2 ** max(low_bits for low_bits, _ in _pieces(n_sources))
    exponent = max(1.0, math.log10(total / smallest), math.log10(max(total, 1 / smallest)))
    factors = 2 ** max(0, int(math.log2(min(_MOST_FACTORS, _LARGEST_EXPONENT / 2 / exponent))))
    found = []
    with float64():
        for rows, piece in pieces_of([agreement], width, devices):
            program = program_of_rows(_over_blocks, devices, (True,), False, exact=exact, rows=rows, factors=factors)
            found.append(program(*piece))
        return np.concatenate([np.asarray(each) for each in found])


@functools.lru_cache(maxsize=8)
def _pieces(n_sources: int) -> list[tuple[int, dict[str, np.ndarray]]]:
    """What is summed one after the other: families of k-subsets in pieces of 2**low_bits with the same high bits.

    A family is a bit mask over the subsets of k sources; it reaches set A if A contains one of them. Sets that the high
    bits reach are common to the whole piece, and sets that the same low bits reach go together, so that the sums of a
    piece have few terms. Pieces of one size are together: for each the rows of `merged`, 0/1 (terms, 2**n), are the
    sets of a term and `reached` the low bits that bring it in; the first term is the common one.
    """
    pieces: dict[tuple[int, int], list[tuple[int, int, np.ndarray, np.ndarray]]] = {}
    sizes = (24, 64) if n_sources > 5 else (2**n_sources,)
    for k in range(1, n_sources):
        n_subsets = math.comb(n_sources, k)
        low_bits = min(_MOST_LOW_BITS, n_subsets)
        reached = np.array(_subsets_within(n_sources, k), np.uint32)
        for base in range(0, 2**n_subsets, 2**low_bits):
            terms, merged = _terms(reached, base, 2**low_bits - 1)
            n_terms = next(size for size in sizes if size >= len(terms))
            terms, merged = (np.pad(each, [(0, n_terms - len(each)), (0, 0)][: each.ndim]) for each in (terms, merged))
            pieces.setdefault((low_bits, n_terms), []).append((k - 1, base, terms, merged))
    found = []
    for (low_bits, _), each in pieces.items():
        k, base, terms, merged = (np.array(column) for column in zip(*each, strict=True))
        arrays = {"k": k, "base": base.astype(np.uint32), "reached": terms, "merged": merged}
        found.append((low_bits, arrays))
    return found


def _terms(reached: np.ndarray, base: int, low: int) -> tuple[np.ndarray, np.ndarray]:
    """The low bits of each term, 0 for the common one, and the sets that it sums, bool (terms, 2**n)."""
    is_common = reached & base != 0
    is_common[-1] = True  # of the realisation itself, which every family reaches
    others = np.unique(reached[~is_common] & low)
    others = others[others > 0]
    merged = [is_common, *(~is_common & (reached & low == bits) for bits in others)]
    return np.array([0, *others], np.uint32), np.array(merged)


def _subsets_within(n_sources: int, k: int) -> list[int]:
    """For each set A a bit mask of the subsets of k sources that it contains."""
    subsets = [sum(1 << source for source in chosen) for chosen in itertools.combinations(range(n_sources), k)]
    return [sum(1 << bit for bit, subset in enumerate(subsets) if subset & ~a == 0) for a in range(2**n_sources)]


def _over_blocks(agreement: Array, *, exact: bool, rows: int, factors: int) -> Array:
    n_sources = (agreement.shape[1] - 1).bit_length()
    whole = 2**n_sources - 1

    def block(agreed: Array) -> Array:
        own = jnp.where(agreed[:, whole] > 0, agreed[:, whole], 1.0)
        transposed = agreed.at[:, whole].set(own).T
        # The empty family counts as the realisation itself, which is taken off here.
        sums = jnp.broadcast_to(jnp.log2(own), (n_sources, rows))
        for low_bits, pieces in _pieces(n_sources):
            low = _even_first(low_bits)

            def add(sums: Array, piece: dict[str, Array], low: np.ndarray = low) -> tuple[Array, None]:
                members = ((low[:, None] & piece["reached"][None, :]) != 0).at[:, 0].set(True)
                terms = product_of(piece["merged"], transposed, exact=exact)
                unions = product_of(members, terms, exact=exact)
                if not exact:  # rounding of tiny probabilities cannot take a union below what it holds
                    unions = jnp.maximum(unions, own[None, :])
                even, odd = unions.reshape(2, -1, min(factors, len(low) // 2), rows).prod(axis=2)
                is_base_odd = jax.lax.population_count(piece["base"]) % 2 == 1
                found = jnp.log2(odd / even).sum(axis=0) * jnp.where(is_base_odd, -1.0, 1.0)
                return sums.at[piece["k"]].add(found), None

            sums, _ = jax.lax.scan(add, sums, jax.tree.map(jnp.asarray, pieces))
        return sums.T

    with jax.numpy_rank_promotion("allow"):
        return jax.lax.map(block, agreement.reshape(-1, rows, agreement.shape[1])).reshape(-1, n_sources)


def _even_first(bits: int) -> np.ndarray:
    """All masks of so many bits, those of an even number of members before those of an odd one."""
    numbers = np.arange(2**bits, dtype=np.uint32)
    is_odd = np.array([int(number).bit_count() % 2 for number in numbers])
    return numbers[np.argsort(is_odd, kind="stable")]
