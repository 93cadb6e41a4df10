"""What shared exclusions weigh, for each realisation and antichain: one product with a 0/1 matrix.

Weights that are counts below 2^24 are summed in float32 without any error, several times faster than in float64; all
that follows is float64.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from interjax._core._precision import float64
from interjax._engine._blocks import pieces_of, program_of_rows
from interjax._engine._devices import as_mesh

_EXACT = 2**24  # integers up to here are float32 numbers


def is_exact_in_float32(n_samples: int | None) -> bool:
    """Whether sums of the weights are whole numbers that float32 holds."""
    return n_samples is not None and n_samples < _EXACT


def product_of(left: Array, right: Array, *, exact: bool) -> Array:
    """left @ right in float64, by way of float32 where that is exact."""
    kind = jnp.float32 if exact else jnp.float64
    return jnp.dot(left.astype(kind), right.astype(kind), precision="highest").astype(jnp.float64)


def mean_log_weights(
    agreement: Array, weights: np.ndarray, members: np.ndarray, *, exact: bool, mesh: Mesh | None = None
) -> np.ndarray:
    """Sum over rows of weights * log2 of the weight of the union W, for each antichain.

    Args:
        agreement: float64 (rows, 2**n), for each realisation the weights of `_agreement`, and rows of zeros.
        weights: float64, as many as there are realisations.
        members: whether a set belongs to the up-set of an antichain, bool (antichains, 2**n).
        exact: whether all weights are whole numbers that float32 holds.
        mesh: devices that rows are spread over.

    Returns:
        float64 (antichains,).
    """
    devices = as_mesh(mesh)
    total = np.zeros(len(members))
    weights = np.pad(weights, (0, len(agreement) - len(weights)))
    with float64():
        for rows, piece in pieces_of([agreement, weights], len(members), devices):
            program = program_of_rows(_sum_of_logs, devices, (True, True, False), True, exact=exact, rows=rows)
            total += np.asarray(program(*piece, members))
    return total


def _sum_of_logs(agreement: Array, weights: Array, members: Array, *, exact: bool, rows: int) -> Array:
    def add(total, block):
        agreed, weight = block
        return total + jnp.sum(jnp.log2(_unions(agreed, members, exact=exact)) * weight, axis=0), None

    blocks = agreement.reshape(-1, rows, agreement.shape[1]), weights.reshape(-1, rows, 1)
    with jax.numpy_rank_promotion("allow"):
        return jax.lax.scan(add, jnp.zeros(len(members), jnp.float64), blocks)[0]


def log_weights(agreement: Array, members: np.ndarray, *, exact: bool) -> np.ndarray:
    """log2 of the weight of the union W for each row and antichain, float64 (rows, antichains), 0 for rows of zeros."""
    program = program_of_rows(_logs, None, (True, False), False, exact=exact)
    with float64():
        return np.asarray(program(agreement, members))


def _logs(agreement: Array, members: Array, *, exact: bool) -> Array:
    return jnp.log2(_unions(agreement, members, exact=exact))


def _unions(agreement: Array, members: Array, *, exact: bool) -> Array:
    """Weights of unions, never below that of the realisation itself, which each of them holds; 1 for rows of zeros.

    Rounding of tiny probabilities would otherwise make some negative.
    """
    own = agreement[:, -1:]
    return jnp.where(own > 0, jnp.maximum(product_of(agreement, members.T, exact=exact), own), 1.0)
