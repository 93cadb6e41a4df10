"""Solving with a symmetric positive definite matrix by a blocked Cholesky factorisation made of matrix products.

Written for the normal matrices of `_linear_program`, of 2**n rows: XLA's matrix products use all cores and accelerators
alike, while the LAPACK calls that JAX makes on a CPU start threads of their own that fight with XLA's.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_LEAF = 64  # rows factorised by LAPACK, on one thread at this size
_INVERTED = 128  # rows of which the inverse factor is kept, so that solving is a product
_COLUMNS = 4  # solved at once with a leaf: one thread at this size

Solve = Callable[[Array], Array]


def solver(matrix: Float[Array, "rows rows"]) -> Solve:
    """A function that solves matrix @ x = b for b (rows,); NaN where the matrix is not positive definite.

    With L the Cholesky factor, x = L^-T L^-1 b. The blocks of L below the diagonal blocks of at most 128 rows are kept
    as they are, of the diagonal blocks the inverse.
    """
    forward, backward = _factor(matrix)
    return lambda right: backward(forward(right))


def _factor(matrix: Array) -> tuple[Solve, Solve]:
    """Functions that apply L^-1 and L^-T to vectors."""
    if len(matrix) <= _INVERTED:
        inverse = _inverse_factor(matrix)
        return lambda right: inverse @ right, lambda right: inverse.T @ right
    half = len(matrix) // 2
    forward, backward = _factor(matrix[:half, :half])
    below = _rows_solved(forward, matrix[half:, :half])
    forward_after, backward_after = _factor(matrix[half:, half:] - below @ below.T)

    def solve_forward(right: Array) -> Array:
        first = forward(right[:half])
        return jnp.concatenate([first, forward_after(right[half:] - below @ first)])

    def solve_backward(right: Array) -> Array:
        last = backward_after(right[half:])
        return jnp.concatenate([backward(right[:half] - below.T @ last), last])

    return solve_forward, solve_backward


def _rows_solved(forward: Solve, block: Array) -> Array:
    """block @ L^-T: L^-1 applied to every row, as matrix products."""
    return jax.vmap(forward)(block)


def _inverse_factor(matrix: Array) -> Array:
    """L^-1 (rows, rows), lower triangular."""
    rows = len(matrix)
    if rows <= _LEAF:
        return _inverse_of_leaf(matrix)
    half = rows // 2
    first = _inverse_factor(matrix[:half, :half])
    below = matrix[half:, :half] @ first.T
    last = _inverse_factor(matrix[half:, half:] - below @ below.T)
    corner = -(last @ (below @ first))
    return jnp.block([[first, jnp.zeros((half, rows - half), matrix.dtype)], [corner, last]])


def _inverse_of_leaf(matrix: Array) -> Array:
    rows = len(matrix)
    factor = jnp.linalg.cholesky(matrix, symmetrize_input=False)
    columns = min(_COLUMNS, rows)
    units = jnp.eye(rows, dtype=matrix.dtype).reshape(rows // columns, columns, rows).transpose(0, 2, 1)
    factors = jnp.broadcast_to(factor, (len(units), rows, rows))
    parts = jax.lax.linalg.triangular_solve(factors, units, left_side=True, lower=True)
    return parts.transpose(1, 0, 2).reshape(rows, rows)
