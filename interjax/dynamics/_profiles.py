"""The profile of a network at the checkpoints of its training."""

import functools
import inspect
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np
from jaxtyping import Array

from interjax._core._keys import check_key
from interjax._core._progress import Progress
from interjax._engine._folders import fingerprint
from interjax.games._baselines import Marginal
from interjax.games._batches import rows_of
from interjax.games._masking import Masking
from interjax.games._outputs import log_odds
from interjax.profiles._arguments import design_of
from interjax.profiles._profile import order_profile
from interjax.profiles._result import OrderProfile
from interjax.training._over_checkpoints import over_checkpoints

P = ParamSpec("P")
R = TypeVar("R")

_OF_DESIGN = ("orders", "contexts", "pairs", "n_pairs", "method", "n_forwards", "exact")
_CHANGES_NOTHING = ("batch_size", "memory", "mesh", "folder", "progress")  # of a profile's options, to rounding


def _checkpoints_as_folder(function: Callable[P, R]) -> Callable[P, R]:
    """Lets a call by keywords name the training run `folder` where it names no checkpoints."""

    @functools.wraps(function)
    def called(*arguments: P.args, **options: P.kwargs) -> R:
        if len(arguments) < 2 and "folder" in options and "checkpoints" not in options:
            warnings.warn("give the training run as checkpoints=, not folder=", DeprecationWarning, stacklevel=2)
            options["checkpoints"] = options.pop("folder")
        return function(*arguments, **options)

    return called


@_checkpoints_as_folder
def checkpoint_profiles(
    key: Array,
    checkpoints: str | os.PathLike | Mapping[int, Any],
    x: Any,
    labels: Sequence[int] | Any,
    *,
    players: Any,
    baseline: Any = 0.0,
    output: Any = log_odds,
    precision: str | None = "float32",
    steps: Sequence[int] | None = None,
    folder: str | os.PathLike | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> dict[int, OrderProfile]:
    """The strength profile J^(m) at each checkpoint of a training run.

    All checkpoints are measured with the same inputs, pairs, contexts and options, so that their differences are
    paired: as a rule surer than the standard errors of two separate profiles suggest.

    Args:
        key: a `jax.random.key`, the same for every checkpoint.
        checkpoints: what `ij.training.train(..., spec=spec, checkpoint_folder=..., keep=None)` wrote, or optimizer
            step -> network of any kind that `ij.masked_game` takes.
        x: inputs (batch, *input shape), or several arrays in dicts, tuples and lists, each of one row an input.
        labels: (batch,) class numbers, or whatever numbers `output` takes; None where it takes none.
        players, baseline, output, precision: as for `ij.masked_games`.
        steps: the checkpoints to measure; None = all of them.
        folder: keeps each measured checkpoint; a call with the same settings goes on where an earlier one stopped and
            ends with the same numbers. Other steps may be added; batch size, memory and devices may be others.
        progress: called with (checkpoints measured, checkpoints in all).
        options: for `ij.order_profile`, e.g. `orders`, `contexts`, `n_pairs`.

    Returns:
        Optimizer step -> `OrderProfile`, in the order of the steps.

    Raises:
        ValueError: checkpoints of different networks, steps that there are none of, a `folder` that holds other
            measurements; and as `ij.masked_games`, `ij.order_profile`.

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
    check_key(key)
    masking, x = Masking(players, baseline, output, precision).on(x)
    masking.check_labelled(labels)
    inputs = jax.tree.map(np.asarray, x)

    def measure(model: Any) -> dict[str, np.ndarray]:
        return order_profile(key, masking.games(model, x, labels), **options).to_arrays()

    settings = None if folder is None else _settings(key, inputs, labels, masking, options)
    how: dict[str, Any] = {"folder": folder, "settings": settings, "inputs": inputs, "progress": progress}
    pieces = over_checkpoints(checkpoints, measure, steps=steps, **how)
    return {step: OrderProfile.from_arrays(piece) for step, piece in pieces}


def _settings(key: Array, x: Any, labels: Any, masking: Masking, options: dict[str, Any]) -> dict[str, Any]:
    """What a kept profile depends on, beside the weights."""
    call = inspect.signature(order_profile).bind(key, (), **options)
    call.apply_defaults()
    chosen = {name: value for name, value in call.kwargs.items() if name not in _CHANGES_NOTHING}
    if chosen["n_forwards"] is None:  # which older versions did not have
        del chosen["n_forwards"]
    passes = masking.baseline.examples if isinstance(masking.baseline, Marginal) else 1
    design = design_of(masking.players.n, rows_of(x, "x"), passes, **{name: call.kwargs[name] for name in _OF_DESIGN})
    chosen.pop("exact")
    if design.tabulated:  # which older versions did not do
        chosen["exact"] = True
    return {
        "key": fingerprint(key),
        "inputs": fingerprint((x, np.asarray(labels))),
        **masking.settings,
        **{name: _in_json(value) for name, value in chosen.items()},
    }


def _in_json(option: Any) -> Any:
    """A number or word as it is, several as their digest: 0 and 0.0 are other orders, but the same in JSON."""
    array = np.asarray(option)
    return fingerprint(array) if array.ndim else array.item()
