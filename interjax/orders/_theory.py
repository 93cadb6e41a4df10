"""What theory says of interactions of each order: learning strength, variance over contexts."""

import math

import numpy as np

from interjax._core._checks import check_count


def learning_strength(n_players: int) -> np.ndarray:
    """Theoretical strength with which a network learns interactions of each order.

    F^(m) = (n-m-1) / (n (n-1)) / sqrt(C(n-2, m)), m = 0..n-2: high at both ends, lowest in the middle.

    Args:
        n_players: number n of players, at least 2. For n in the hundreds F falls by tens of orders of magnitude in the
            middle; a smaller, effective n gives the curves that papers draw.

    Returns:
        float64 (n-1,): F^(m), without a unit: its shape over m is what the theory predicts.

    Raises:
        ValueError: n_players is no integer of at least 2.

    Example:
        >>> import interjax as ij
        >>> ij.learning_strength(4)  # 3/12, 2/12/sqrt(2), 1/12
        array([0.25      , 0.11785113, 0.08333333])

    References:
        Deng et al., ICLR 2022, arXiv:2111.06236.
    """
    n = check_count("n_players", n_players, least=2, about="since orders belong to pairs")
    log_contexts = [math.lgamma(n - 1) - math.lgamma(m + 1) - math.lgamma(n - 1 - m) for m in range(n - 1)]
    return (n - 1 - np.arange(n - 1)) / (n * (n - 1)) * np.exp(-0.5 * np.array(log_contexts))


def context_variance(n_players: int) -> np.ndarray:
    """How a gradient's variance over contexts depends on the order where context players act one by one.

        g(S) = g_0 + sum over k in S of g_k   =>   tr Var over |S| = m of g(S) = s^2 m (N - m) / (N - 1),   N = n - 2

    with s^2 the trace of the variance of the g_k over the N players outside the pair: m of N vectors are drawn without
    replacement and summed. It is 0 at both ends, which have a single context, and largest in the middle. interjax
    derives the form, for additive contexts; it is not quoted from the paper below, whose claim it makes plausible.

    Args:
        n_players: number n of players, at least 4.

    Returns:
        float64 (n-1,), orders m = 0..n-2, without a unit: scaled to mean 1.

    Raises:
        ValueError: if n_players is no integer of at least 4.

    Example:
        >>> import interjax as ij
        >>> ij.dynamics.context_variance(5).tolist()
        [0.0, 2.0, 2.0, 0.0]

    References:
        Deng et al., "The Interaction Bottleneck of Deep Neural Networks: Discovery, Proof, and Modulation",
        arXiv:2512.18607, for the claim that mid-order interactions have the highest contextual variability.
    """
    others = check_count("n_players", n_players, least=4, about="since contexts vary from 4 players on") - 2
    order = np.arange(others + 1)
    return 6 * order * (others - order) / (others * (others - 1))
