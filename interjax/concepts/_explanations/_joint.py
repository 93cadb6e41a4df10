"""Explanations of several networks that share as many concepts as they can."""

from typing import Any

import numpy as np

from interjax._core._checks import check_count, check_flag, check_known, check_number
from interjax._core._precision import float64
from interjax._core._results import Saved, result, static_field
from interjax.concepts._explanations import _linear_program as program
from interjax.concepts._explanations._and_or import check_noise, check_table, solve_games, warn_if_rounding
from interjax.concepts._explanations._effects import AndOr, check_tau
from interjax.concepts._explanations._salient import salient_effects
from interjax.tables._transforms import n_players_of

MAX_ROWS = 1 << 13


@result
class JointAndOr(Saved):
    """Sparse AND-OR explanations of the games of several networks on one input.

    Attributes:
        and_effects: AND interactions of each network, in its game's units, (..., networks, 2**n).
        or_effects: OR interactions, likewise.
        loss: sum over L of max over networks of |I(L)| / scale plus `share` times its sum over networks, (...).
        gap: loss less a lower bound of what can be reached, (...).
        scale: what the effects of each network are measured in, (..., networks).
        noise_bound: the largest |q(S)| allowed for each network, (..., networks).
        empty_value: v(empty) of each network, (..., networks).
        share: weight of the sum over networks.
    """

    and_effects: np.ndarray
    or_effects: np.ndarray
    loss: np.ndarray
    gap: np.ndarray
    scale: np.ndarray
    noise_bound: np.ndarray
    empty_value: np.ndarray
    share: float = static_field()

    @property
    def effects(self) -> np.ndarray:
        """AND and OR effects side by side: (..., networks, 2, 2**n)."""
        return np.stack([self.and_effects, self.or_effects], axis=-2)

    def of(self, network: int) -> AndOr:
        """One network's explanation; its loss is its own sum of |effects|, which is optimal only jointly (gap NaN)."""
        network = check_count("network", network, least=0, most=self.effects.shape[-3] - 1, about="counted from 0")
        effects = self.effects[..., network, :, :]
        loss = np.abs(effects).sum(axis=(-1, -2))
        unknown = np.full_like(loss, np.nan)
        return AndOr(
            and_effects=effects[..., 0, :],
            or_effects=effects[..., 1, :],
            loss=loss,
            gap=unknown,
            noise_bound=self.noise_bound[..., network],
            empty_value=self.empty_value[..., network],
            slope=np.full_like(effects[..., 0, :], np.nan),
            n_iterations=np.zeros(loss.shape, int),
        )

    def shared(self, *, tau: float = 0.05) -> np.ndarray:
        """The concepts that are salient in every network and have one sign: bool (..., 2, 2**n)."""
        chosen = salient_effects(self.effects, check_tau(tau)).all(axis=-3)
        return chosen & (np.abs(np.sign(self.effects).sum(axis=-3)) == self.effects.shape[-3])


def joint_and_or(
    tables: Any, *, noise: float = 0.04, share: float = 0.1, normalize: bool = True, tolerance: float = 1e-10
) -> JointAndOr:
    """Explain several networks together, so that they share concepts where they can.

        minimise    sum over L of max over k of |I_k(L)| / scale_k  +  share * sum over k, L of |I_k(L)| / scale_k

    over AND and OR effects I_k of the networks k, each within its noise bound as in `and_or`. A concept that one
    network needs costs the others little, so that they use the same; the second term keeps each explanation sparse.
    Solved to the optimum with a duality gap, like `and_or` and with its tie-break.

    Args:
        tables: the networks' games on one input, real values (..., networks, 2**n); at most 2**13 values in all.
        noise: the largest |q(S)| as a share of |v_k(N) - v_k(empty)|, >= 0.
        share: weight of each network's own sparseness, >= 0; large values decouple the networks.
        normalize: measure the effects of each network in units of its largest |v(S) - v(empty)|, so that networks with
            larger outputs do not rule; False: in the games' units, scale_k = 1.
        tolerance: relative gap at which to stop.

    Returns:
        `JointAndOr`, NumPy float64.

    Raises:
        ValueError: as `and_or`, tables without an axis of networks, or too many values.

    Example:
        >>> import interjax as ij, numpy as np
        >>> both = np.array([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 3.0]])  # two networks that need both players
        >>> found = ij.concepts.joint_and_or(both, noise=0.0)
        >>> (found.and_effects.round(6) + 0.0).tolist(), found.shared()[0].tolist()
        ([[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 3.0]], [False, False, False, True])

    References:
        Chen, Lou, Huang, Zhang, "Defining and extracting generalizable interaction primitives from DNNs", ICLR 2024,
        arXiv:2401.16318 (the largest strength over networks as the loss).
    """
    check_known("tables", tables)
    values, noise = np.asarray(check_table(tables, "tables"), np.float64), check_noise(noise)
    check_flag("normalize", normalize)
    if values.ndim < 2 or not values.size:
        raise ValueError(f"tables must be those of several networks, (..., networks, 2**n), got shape {values.shape}")
    share = check_number("share", share, "[0, inf)", about="the weight of each network's own sparseness")
    if values.shape[-2] * values.shape[-1] > MAX_ROWS:
        raise ValueError(
            f"tables: {values.shape[-2]} networks of {n_players_of(values)} players make a program of "
            f"{values.shape[-2] * values.shape[-1]} rows, more than {MAX_ROWS}: take fewer players or networks"
        )
    centred = values - values[..., :1]
    scale = np.abs(centred).max(axis=-1) if normalize else np.ones(values.shape[:-1])
    scale = np.where(scale > 0, scale, 1.0)
    flat = (values / scale[..., None]).reshape(-1, *values.shape[-2:])
    with float64():
        costs = program.tie_break_costs(n_players_of(values))
        found = solve_games(flat, noise, costs, share=float(share), tolerance=tolerance)
    batch = values.shape[:-2]
    effects = found["effects"].reshape(*values.shape[:-1], 2, values.shape[-1]) * scale[..., None, None]
    warn_if_rounding(tables, values, effects.reshape(-1, 2, values.shape[-1]))
    return JointAndOr(
        and_effects=effects[..., 0, :],
        or_effects=effects[..., 1, :],
        loss=found["loss"].reshape(batch),
        gap=found["gap"].reshape(batch),
        scale=scale,
        noise_bound=found["noise_bound"].reshape(values.shape[:-1]) * scale,
        empty_value=values[..., 0],
        share=float(share),
    )
