"""A ridge quadratic of coalitions, fitted by conjugate gradients without its design matrix.

    g(S) = sum_k b_k z_k + sum_{k<l} C_kl z_k z_l,    z_k = [k in S] - centre,    v(S) ~ a_|S| + g(S)

All coefficients live in one symmetric matrix M, M_kk = b_k and M_kl = C_kl / 2, so that a value is
z.diag(M) + z' off(M) z and the adjoint of that map is Z' diag(r) Z (with Z' r on the diagonal): two matrix products
for each step, rows x players^2 operations, and no memory beyond rows x players + players^2. The free constants a_t are
projected out: values are centred within each size.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

# Measured on an MLP with 188 players and as many rows as pairs: 16 steps leave a tenth less variance than 8.
_STEPS = 10
_SOLVED = 1e-10  # share of the squared residual at which float32 rounding takes over
_BLOCK_ROWS = 2048
_PLAYER_MULTIPLE = 16
_LEAST_NOISE = 1e-4
_exact = jax.lax.Precision.HIGHEST


@dataclasses.dataclass(frozen=True)
class Quadratic:
    """g(S) = b.z + sum_{k<l} C_kl z_k z_l: `linear` b (n,), `pairs` C (n, n) symmetric with a zero diagonal."""

    centre: float
    linear: np.ndarray
    pairs: np.ndarray

    def __call__(self, masks: Bool[np.ndarray, "rows n"]) -> Float[np.ndarray, " rows"]:
        values = np.empty(len(masks))
        for start in range(0, len(masks), _BLOCK_ROWS):
            z = masks[start : start + _BLOCK_ROWS] - self.centre
            values[start : start + _BLOCK_ROWS] = z @ self.linear + 0.5 * np.einsum("rk,rk->r", z @ self.pairs, z)
        return values

    def mean_in_stratum(self, has_first: bool, has_second: bool, once: float, twice: float) -> np.ndarray:
        """E of g over the coalitions in which i and j are present as said, for all pairs: float64 (n, n) [i, j].

        Args:
            has_first: whether i is present.
            has_second: whether j is present.
            once: probability that another player is present.
            twice: probability that two other players are.
        """
        first, second, other = has_first - self.centre, has_second - self.centre, once - self.centre
        both_others = twice - 2 * self.centre * once + self.centre**2
        of_player = self.pairs.sum(axis=1)
        i, j = np.s_[:, None], np.s_[None, :]
        b, row = self.linear, of_player
        return (
            first * b[i]
            + second * b[j]
            + other * (b.sum() - b[i] - b[j])
            + first * second * self.pairs
            + first * other * (row[i] - self.pairs)
            + second * other * (row[j] - self.pairs)
            + both_others * (0.5 * row.sum() - row[i] - row[j] + self.pairs)
        )


def fit_quadratic(
    masks: Bool[np.ndarray, "rows n"], size: Int[np.ndarray, " rows"], values: Float[np.ndarray, " rows"], centre: float
) -> Quadratic:
    """Fit g to values of coalitions of up to three sizes (numbered 0, 1, 2), each size with a free constant.

    The ridge weights are the ratios of noise to signal, both estimated without bias from products of different rows
    (Haseman-Elston): a player's or a game's share of pairs that these rows do not show is fitted by zero.
    """
    n_players = masks.shape[1]
    scale = float(np.std(values)) if len(values) else 0.0
    if not scale > 0 or not np.isfinite(scale):
        return Quadratic(centre, np.zeros(n_players), np.zeros((n_players, n_players)))
    rows = _padded_rows(len(masks))
    spare_rows, spare_players = rows - len(masks), -n_players % _PLAYER_MULTIPLE
    belongs = np.pad(size[:, None] == np.arange(3), ((0, spare_rows), (0, 0))).astype(np.float32)
    target = np.pad(values - values.mean(), (0, spare_rows)) / scale
    masks = np.pad(masks, ((0, spare_rows), (0, spare_players)))
    known = np.arange(n_players + spare_players) < n_players
    blocks = (-1, min(_BLOCK_ROWS, rows & -rows))
    found = _fit(
        masks.reshape(*blocks, masks.shape[1]),
        belongs.reshape(*blocks, 3),
        target.astype(np.float32).reshape(blocks),
        known,
        np.float32(centre),
    )
    found = scale * np.asarray(found, np.float64)[:n_players, :n_players]
    linear = np.diag(found)
    found = found + found.T
    return Quadratic(centre, linear, found - np.diag(np.diag(found)))


def _padded_rows(rows: int) -> int:
    """A length at most a quarter above `rows`, of few different ones, so that few programs are compiled."""
    unit = max(128, 1 << max(0, rows.bit_length() - 3))
    return -(-rows // unit) * unit


@jax.jit
def _fit(
    masks: Bool[Array, "blocks rows n"],
    belongs: Float[Array, "blocks rows sizes"],
    target: Float[Array, "blocks rows"],
    known: Bool[Array, " n"],
    centre: Float[Array, ""],
) -> Float[Array, "n n"]:
    """Coefficients M: a linear fit first, whose residual shows how strong the quadratic part is; then both to that."""
    features = _Features(masks, belongs, known, centre)
    diagonal = jnp.eye(masks.shape[-1], dtype=bool)
    linear, gram, freedom = _linear_fit(features, features.centred(target))
    residual = features.centred(target - features.values(jnp.diag(linear)))
    rows = belongs.sum()
    variance = jnp.sum(residual**2) / jnp.maximum(rows - freedom, 1.0)
    of_player, power = features.pair_signal(residual)
    explained = 0.5 * power * jnp.sum(of_player) / rows
    noise = jnp.clip(variance - explained, _LEAST_NOISE * variance, variance)
    signal = 0.5 * jnp.outer(of_player, of_player) / jnp.maximum(jnp.sum(of_player), 1e-30)
    of_linear = variance / jnp.maximum(jnp.max(jnp.diag(gram)), 1e-30)  # the variance of the first fit's coefficients
    root = jnp.sqrt(jnp.where(diagonal, of_linear, signal))
    right = root * features.adjoint(residual)
    found = _conjugate_gradients(lambda u: root * features.normal(root * u) + noise * u, right, _STEPS)
    return jnp.diag(linear) + root * found


class _Features:
    """The map from coefficients M to values centred within sizes, and its adjoint, block of rows by block."""

    def __init__(self, masks: Array, belongs: Array, known: Array, centre: Array):
        self.masks, self.belongs, self.known, self.centre = masks, belongs, known, centre
        self.count = jnp.maximum(belongs.sum(axis=(0, 1)), 1.0)
        self.of_size = jax.vmap(self.raw_adjoint, in_axes=2)(belongs)  # (sizes, n, n)

    def z(self, masks: Array) -> Array:
        return jnp.where(self.known[None, :], masks.astype(jnp.float32) - self.centre, 0.0)

    def centred(self, r: Array) -> Array:
        """r minus its mean over the rows of the same size; 0 at padding."""
        means = jnp.einsum("brs,br->s", self.belongs, r, precision=_exact) / self.count
        return (r - self.belongs @ means) * self.belongs.sum(axis=2)

    def values(self, coefficients: Array) -> Array:
        return jax.lax.map(lambda masks: _values(self.z(masks), coefficients), self.masks)

    def raw_adjoint(self, r: Array) -> Array:
        def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
            return total + _adjoint(self.z(block[0]), block[1]), None

        n_players = self.masks.shape[-1]
        return jax.lax.scan(add, jnp.zeros((n_players, n_players)), (self.masks, r))[0]

    def adjoint(self, r: Array) -> Array:
        return self.raw_adjoint(self.centred(r))

    def normal(self, coefficients: Array) -> Array:
        """adjoint(values(M)) in one pass over the rows: the means of sizes are taken out at the end."""

        def add(total: tuple[Array, Array], block: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
            z, belongs = self.z(block[0]), block[1]
            r = _values(z, coefficients) * belongs.sum(axis=1)
            return (total[0] + _adjoint(z, r), total[1] + jnp.matmul(r, belongs, precision=_exact)), None

        start = jnp.zeros_like(coefficients), jnp.zeros(self.belongs.shape[-1])
        (raw, sums), _ = jax.lax.scan(add, start, (self.masks, self.belongs))
        return raw - jnp.tensordot(sums / self.count, self.of_size, 1, precision=_exact)

    def pair_signal(self, r: Array) -> tuple[Array, Array]:
        """Estimates of sum_l C_kl^2 for each player, from centred values r, and the power sum_x (z_k z_l)^2 of a pair.

        sum_l [(sum_x r z_k z_l)^2 - sum_x (r z_k z_l)^2] / power^2: products of different rows only, so noise gives 0.
        """
        shared = self.raw_adjoint(r)
        shared = shared - jnp.diag(jnp.diag(shared))

        def add(total: tuple[Array, Array], block: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], None]:
            squares = self.z(block[0]) ** 2
            with_others = squares * (squares.sum(axis=1, keepdims=True) - squares)
            own = jnp.matmul(block[1] ** 2, with_others, precision=_exact)
            return (total[0] + own, total[1] + jnp.vdot(block[2].sum(axis=1), with_others.sum(axis=1))), None

        start = jnp.zeros(self.masks.shape[-1]), jnp.zeros(())
        (own, power), _ = jax.lax.scan(add, start, (self.masks, r, self.belongs))
        players = self.known.sum()
        power = power / jnp.maximum(players * (players - 1), 1)
        raw = (jnp.sum(shared**2, axis=1) - own) / jnp.maximum(power, 1e-30) ** 2
        positive = jnp.maximum(raw, 0.0)
        total = jnp.maximum(raw.sum(), 0.0)
        return positive * total / jnp.maximum(positive.sum(), 1e-30), power


def _values(z: Array, coefficients: Array) -> Array:
    linear = jnp.diag(coefficients)
    product = jnp.matmul(z, coefficients - jnp.diag(linear), precision=_exact)
    return jnp.sum((product + linear[None, :]) * z, axis=1)


def _adjoint(z: Array, r: Array) -> Array:
    found = jnp.matmul((z * r[:, None]).T, z, precision=_exact)
    return jnp.where(jnp.eye(z.shape[1], dtype=bool), jnp.diag(r @ z), found)


def _linear_fit(features: _Features, target: Array) -> tuple[Array, Array, Array]:
    """Ridge coefficients b (n,) of the players alone, their Gram matrix and the degrees of freedom that they take."""

    def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
        z, weight = features.z(block[0]), block[1].sum(axis=1)
        return total + jnp.matmul((z * weight[:, None]).T, z, precision=_exact), None

    n_players = features.masks.shape[-1]
    gram, _ = jax.lax.scan(add, jnp.zeros((n_players, n_players)), (features.masks, features.belongs))
    means = jnp.diagonal(features.of_size, axis1=1, axis2=2)
    gram = gram - jnp.matmul((means / features.count[:, None]).T, means, precision=_exact)
    ridge = gram + (1e-2 * jnp.max(jnp.diag(gram)) + 1e-30) * jnp.eye(n_players)
    right = jnp.diag(features.adjoint(target))
    solved = jax.scipy.linalg.solve(ridge, jnp.concatenate([right[:, None], gram], axis=1), assume_a="pos")
    return solved[:, 0], gram, jnp.trace(solved[:, 1:])


def _conjugate_gradients(operator: Callable[[Array], Array], right: Array, steps: int) -> Array:
    """A fixed number of steps for operator(x) = right, operator self-adjoint; stands still once solved.

    A number of steps that depended on the data would let rounding errors change the answer.
    """

    def step(_, state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        x, rest, direction, square = state
        image = operator(direction)
        curvature = jnp.vdot(direction, image, precision=_exact)
        going = (square > _SOLVED * start) & (curvature > 0)
        length = jnp.where(going, square / jnp.where(going, curvature, 1.0), 0.0)
        x, rest = x + length * direction, rest - length * image
        following = jnp.vdot(rest, rest, precision=_exact)
        turn = jnp.where(going, following / jnp.where(going, square, 1.0), 0.0)
        return x, rest, rest + turn * direction, following

    start = jnp.vdot(right, right, precision=_exact)
    return jax.lax.fori_loop(0, steps, step, (jnp.zeros_like(right), right, right, start))[0]
