"""Salient effects: those that are not negligible beside the strongest."""

from typing import Any

import numpy as np

from interjax.concepts._explanations._effects import check_tau, effects_of


def salient(explanation: Any, *, tau: float = 0.05) -> np.ndarray:
    """Which effects are strong enough to be called concepts of an input.

        S is salient  <=>  |I(S)| >= tau * max over both kinds and non-empty L of |I(L)|,  I(S) != 0,  S not empty

    Args:
        explanation: an `AndOr`, or AND effects (..., 2**n) from `ij.moebius`; leading axes are independent games.
        tau: the threshold as a share of each game's strongest effect, in (0, 1]; larger for fewer concepts.

    Returns:
        bool (..., kinds, 2**n), kinds being AND and OR, or AND alone. A game without effects has no concepts.

    Raises:
        ValueError: tau outside (0, 1], or effects that are NaN or infinite.

    Example:
        >>> salient([5.0, 1.0, 0.0, -0.01])  # the value of the empty set is no concept
        array([[False,  True, False, False]])

    References:
        Ren, Li, Chen, Deng, Zhang, "Defining and quantifying the emergence of sparse concepts in DNNs", CVPR 2023,
        arXiv:2111.06206; Zhou et al., AAAI 2024, arXiv:2302.13091.
    """
    return salient_effects(effects_of(explanation), tau)


def salient_effects(effects: np.ndarray, tau: float) -> np.ndarray:
    """`salient` of effects (..., kinds, 2**n)."""
    tau, strength = check_tau(tau), np.abs(effects)
    strength[..., 0] = 0.0
    strongest = strength.max(axis=(-2, -1), keepdims=True)
    return (strength >= tau * strongest) & (strength > 0)
