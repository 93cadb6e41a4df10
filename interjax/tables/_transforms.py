"""Transforms of tables of 2**n values: Moebius, OR and Walsh-Hadamard, each with its inverse.

A table holds v(S) for every coalition S of n players: bit i of the index is player i, so index 5 is {0, 2}.

Precision: NumPy arrays and Python lists are computed in float64 and come back as NumPy float64 arrays, whatever the
global JAX settings are. A `jax.Array` is computed in float64, too, and comes back as a `jax.Array` of its own dtype,
rounded once; integers become JAX's default float. A traced one is computed in that dtype throughout, so that jit, vmap
and grad work. Integers that float64 does not hold draw a warning. NaN spreads to every output that depends on it.

Every transform adds and subtracts n 2**n / 2 pairs, player by player: integers that fit the mantissa stay exact, and a
player that changes nothing has effects of exactly 0.
"""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from interjax._core._checks import check_array
from interjax._core._precision import float64
from interjax.tables._sweeps import sweep

_LEAST_BYTES_FOR_NUMPY = 1 << 21  # of a `jax.Array` in the memory of the CPU


def real_table(table: Any, name: str = "table") -> Any:
    """A table as a floating array, ValueError if it is not real: float64 NumPy, or a `jax.Array` as it came.

    Integers of a `jax.Array` are NumPy's float64, too, which holds what float32 would round; traced ones are JAX's
    default float. `like` gives results the type of the table.
    """
    array = check_array(name, table, "2**n real numbers, one for each coalition")
    if isinstance(array, Tracer) and not jnp.issubdtype(array.dtype, np.floating):
        return array.astype(jnp.result_type(float))
    if isinstance(array, jax.Array) and jnp.issubdtype(array.dtype, np.floating):
        return array
    array = np.asarray(array)
    if array.dtype.kind in "iu":
        _warn_if_rounded(array, name)
    return array.astype(np.float64, copy=False)


def like(table: Any, values: Any) -> Any:
    """Values as a table came: a `jax.Array` of its type, of JAX's default float for integers; all else as it is."""
    kind = float_type(table)
    if kind is None or isinstance(values, jax.Array):
        return values
    with float64():
        return jnp.asarray(values, kind)


def float_type(table: Any) -> Any:
    """The type of what is computed from a table that is a `jax.Array`, JAX's default for integers; else None."""
    if not isinstance(table, jax.Array):
        return None
    return table.dtype if jnp.issubdtype(table.dtype, np.floating) else jnp.result_type(float)


def _warn_if_rounded(integers: np.ndarray, name: str) -> None:
    """Warn if there are integers of more than the 53 binary digits that float64 holds."""
    if not integers.size or max(-int(integers.min()), int(integers.max())) <= 2**53:
        return
    sizes = (np.abs(integers) if integers.dtype.kind == "i" else integers).view(f"u{integers.dtype.itemsize}")
    ends = np.maximum(sizes & (~sizes + 1), 1)  # the lowest binary digit that is not 0
    lost = int(np.count_nonzero(sizes // ends > 2**53))
    if lost:
        warnings.warn(
            f"{name}: {lost} of {integers.size} integers are beyond 2**53 and are rounded to float64, by up to "
            f"{np.spacing(float(sizes.max())) / 2:.3g}, and differences of them likewise: take a constant off them "
            "while they are integers",
            stacklevel=5,
        )


def n_players_of(table: Any, name: str = "table") -> int:
    """The number n of players of a table whose last axis has 2**n values; ValueError if that is no power of two."""
    shape = np.shape(table)
    length = shape[-1] if shape else 0
    if length == 0 or length & (length - 1):
        below = 1 << max(length.bit_length() - 1, 0)
        got = f"{length} along the last axis of shape {shape}" if shape else "a scalar"
        raise ValueError(
            f"{name} must have 2**n values on its last axis ({below} or {2 * below}, say), got {got}: give one value "
            "for every coalition, the empty one first, bit i of the index being player i"
        )
    return length.bit_length() - 1


def moebius(table: Any) -> Any:
    """Harsanyi dividends (AND interactions, Moebius transform) of a game.

    a(S) = sum over L in S of (-1)^(|S|-|L|) v(L), so that v(S) = sum over L in S of a(L).

    Args:
        table: real values v(S), shape (..., 2**n), bit i of the index = player i; leading axes are independent games.

    Returns:
        a(S) in the same shape and order; float64 NumPy, or a `jax.Array` of the table's dtype if that is what came.

    Raises:
        ValueError: the last axis is no power of two long, or the values are not real numbers.

    Example:
        >>> import interjax as ij
        >>> ij.moebius([0, 1, 2, 5])  # v({0, 1}) = 5 is 2 more than the players' own 1 and 2
        array([0., 1., 2., 2.])

    References:
        Harsanyi 1963; Zhou et al., AAAI 2024, arXiv:2302.13091 (AND interaction).
    """
    return _moebius(table)


def inverse_moebius(dividends: Any) -> Any:
    """The game with these Harsanyi dividends (zeta transform), the inverse of `moebius`.

    v(S) = sum over L in S of a(L).

    Args:
        dividends: real values a(S), shape (..., 2**n), bit i of the index = player i.

    Returns:
        v(S) in the same shape and order; float64 NumPy, or a `jax.Array` of the same dtype if that is what came.

    Raises:
        ValueError: the last axis is no power of two long, or the values are not real numbers.

    Example:
        >>> import interjax as ij
        >>> ij.inverse_moebius([0, 1, 2, 2])
        array([0., 1., 2., 5.])

    References:
        Harsanyi 1963; Zhou et al., AAAI 2024, arXiv:2302.13091 (faithfulness of AND interactions).
    """
    return _inverse_moebius(dividends)


def or_interactions(table: Any) -> Any:
    """OR interactions of a game: effects that any one player of S brings about alone.

    I_or(S) = -sum over L in S of (-1)^(|S|-|L|) v(N minus L) for S not empty, and I_or(empty) = v(empty).

    Args:
        table: real values v(S), shape (..., 2**n), bit i of the index = player i; leading axes are independent games.

    Returns:
        I_or(S) in the same shape and order; float64 NumPy, or a `jax.Array` of the table's dtype if that is what came.

    Raises:
        ValueError: the last axis is no power of two long, or the values are not real numbers.

    Example:
        >>> import interjax as ij
        >>> ij.or_interactions([0, 3, 3, 3])  # 3 as soon as either player is there
        array([0., 0., 0., 3.])

    References:
        Li and Zhang 2023, arXiv:2304.13312 (OR interaction).
    """
    return _or_interactions(table)


def inverse_or_interactions(effects: Any) -> Any:
    """The game with these OR interactions, the inverse of `or_interactions`.

    v(S) = I_or(empty) + sum over L that meet S of I_or(L).

    Args:
        effects: real values I_or(S), shape (..., 2**n), bit i of the index = player i.

    Returns:
        v(S) in the same shape and order; float64 NumPy, or a `jax.Array` of the same dtype if that is what came.

    Raises:
        ValueError: the last axis is no power of two long, or the values are not real numbers.

    Example:
        >>> import interjax as ij
        >>> ij.inverse_or_interactions([0, 0, 0, 3])
        array([0., 3., 3., 3.])

    References:
        Li and Zhang 2023, arXiv:2304.13312 (faithfulness of OR interactions).
    """
    return _inverse_or_interactions(effects)


def walsh_hadamard(table: Any) -> Any:
    """Walsh-Hadamard (Fourier) coefficients of a game.

    w(S) = 2^-n * sum over L of (-1)^|L and S| v(L), so that v(L) = sum over S of (-1)^|L and S| w(S);
    w(empty) is the mean of v, and sum w^2 is the mean of v^2.

    Args:
        table: real values v(S), shape (..., 2**n), bit i of the index = player i; leading axes are independent games.

    Returns:
        w(S) in the same shape and order; float64 NumPy, or a `jax.Array` of the table's dtype if that is what came.

    Raises:
        ValueError: the last axis is no power of two long, or the values are not real numbers.

    Example:
        >>> import interjax as ij
        >>> ij.walsh_hadamard([1, -1, -1, 1])  # the parity of two players
        array([0., 0., 0., 1.])

    References:
        O'Donnell, Analysis of Boolean Functions, 2014, section 1.2.
    """
    return _walsh_hadamard(table)


def inverse_walsh_hadamard(coefficients: Any) -> Any:
    """The game with these Walsh-Hadamard coefficients, the inverse of `walsh_hadamard`.

    v(L) = sum over S of (-1)^|L and S| w(S).

    Args:
        coefficients: real values w(S), shape (..., 2**n), bit i of the index = player i.

    Returns:
        v(L) in the same shape and order; float64 NumPy, or a `jax.Array` of the same dtype if that is what came.

    Raises:
        ValueError: the last axis is no power of two long, or the values are not real numbers.

    Example:
        >>> import interjax as ij
        >>> ij.inverse_walsh_hadamard([0, 0, 0, 1])
        array([ 1., -1., -1.,  1.])

    References:
        O'Donnell, Analysis of Boolean Functions, 2014, section 1.2.
    """
    return _inverse_walsh_hadamard(coefficients)


def _of_any_array(name: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """The transform of a table, the argument of this name, after checks: NumPy as it is, a `jax.Array` compiled or by
    NumPy."""

    def made(transform: Callable[[Any], Any]) -> Callable[[Any], Any]:
        compiled = jax.jit(transform)
        in_double = jax.jit(lambda values: transform(values.astype(jnp.float64)).astype(values.dtype))

        def transformed(table: Any) -> Any:
            values = real_table(table, name)
            n_players_of(values, name)
            if isinstance(values, Tracer):
                return compiled(values)
            if isinstance(values, np.ndarray):
                return like(table, transform(values))
            with float64():
                if _numpy_is_faster(values):
                    swept = transform(np.asarray(values, np.float64))
                    return jax.device_put(swept.astype(values.dtype), values.sharding)
                return in_double(values)

        return transformed

    return made


def _numpy_is_faster(values: jax.Array) -> bool:
    """Whether the values lie where NumPy can take them and fill more than a cache.

    XLA writes a whole table for every two players and compiles for each shape; NumPy's blocks stay within the cache.
    """
    if values.nbytes < _LEAST_BYTES_FOR_NUMPY or len(values.devices()) > 1:
        return False
    return values.dtype in (np.float32, np.float64) and next(iter(values.devices())).platform == "cpu"


@_of_any_array("table")
def _moebius(values: Any) -> Any:
    return sweep(values, "subtract")


@_of_any_array("dividends")
def _inverse_moebius(dividends: Any) -> Any:
    return sweep(dividends, "add")


@_of_any_array("table")
def _or_interactions(values: Any) -> Any:
    effects = sweep(values, "subtract", complement=True, negative=True)
    if isinstance(effects, np.ndarray):
        effects[..., :1] = values[..., :1]
        return effects
    return jnp.concatenate([values[..., :1], effects[..., 1:]], axis=-1)


@_of_any_array("effects")
def _inverse_or_interactions(effects: Any) -> Any:
    inside = sweep(effects, "add")  # sum over the L inside S
    # The L that meet S are all L except those inside the complement of S, the last coalition less S.
    values = inside[..., -1:] - inside[..., ::-1]
    values += effects[..., :1]
    return values


@_of_any_array("table")
def _walsh_hadamard(values: Any) -> Any:
    coefficients = sweep(values, "butterfly")
    coefficients *= 0.5 ** n_players_of(values)
    return coefficients


@_of_any_array("coefficients")
def _inverse_walsh_hadamard(coefficients: Any) -> Any:
    return sweep(coefficients, "butterfly")
