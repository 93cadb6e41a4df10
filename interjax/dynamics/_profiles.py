"""The profile of a network at the checkpoints of its training."""

import os
from collections.abc import Callable, Sequence
from typing import Any

from jaxtyping import Array

from interjax._core._progress import Progress
from interjax.games._masked_games import masked_games
from interjax.games._outputs import log_odds
from interjax.games._players import Players
from interjax.profiles._profile import OrderProfile, order_profile
from interjax.training._checkpoints import load_network, saved_steps


def checkpoint_profiles(
    key: Array,
    folder: str | os.PathLike,
    x: Any,
    labels: Sequence[int] | Any,
    *,
    players: Players,
    baseline: Any = 0.0,
    output: Callable[[int], Any] = log_odds,
    precision: str | None = "float32",
    steps: Sequence[int] | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> dict[int, OrderProfile]:
    """The strength profile J^(m) at each saved checkpoint of a training run.

    All checkpoints are measured with the same inputs, pairs, contexts and options, so that their differences are
    paired: as a rule surer than the standard errors of two separate profiles suggest.

    Args:
        key: a `jax.random.key`, the same for every checkpoint.
        folder: what `ij.training.train(..., spec=spec, checkpoint_folder=folder, keep=None)` wrote.
        x: inputs (batch, *input shape).
        labels: (batch,) class numbers.
        players, baseline, output, precision: as for `ij.masked_games`.
        steps: optimizer steps to measure, each saved in the folder; None = all of them.
        progress: called with (checkpoints measured, checkpoints in all).
        options: for `ij.order_profile`, e.g. `orders`, `contexts`, `n_pairs`.

    Returns:
        Optimizer step -> `OrderProfile`, in the order of the steps.

    Raises:
        ValueError: if the folder lacks a checkpoint that is asked for; and as `ij.masked_games`, `ij.order_profile`.

    Example:
        >>> import interjax as ij, jax, numpy as np, optax, tempfile
        >>> x, y, folder = np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]), tempfile.mkdtemp()
        >>> spec = ij.networks.NetworkSpec("mlp", (4,), 2, {"hidden": (3,)})
        >>> log = ij.training.train(spec.build(0), (x, y), key=jax.random.key(0), optimizer=optax.sgd(0.1), steps=2,
        ...                         spec=spec, checkpoint_folder=folder, keep=None)
        >>> found = ij.dynamics.checkpoint_profiles(jax.random.key(1), folder, x + 1, y, orders=[0, 2],
        ...                                         players=ij.Players.features(4))
        >>> {step: profile.strength.shape for step, profile in found.items()}
        {1: (2,), 2: (2,)}

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), equation 3; arXiv:2512.18607.
    """
    saved = saved_steps(folder)
    chosen = saved if steps is None else sorted({int(step) for step in steps})
    if not chosen or not set(chosen) <= set(saved):
        raise ValueError(f"steps must be among those that {folder} holds, {', '.join(map(str, saved))}; got {chosen}")
    how: dict[str, Any] = {"players": players, "baseline": baseline, "output": output, "precision": precision}
    profiles = {}
    for step in chosen:
        _, model, _ = load_network(folder, step=step)
        profiles[step] = order_profile(key, masked_games(model, x, labels, **how), **options)
        if progress is not None:
            progress(len(profiles), len(chosen))
    return profiles
