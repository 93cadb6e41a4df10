"""One measurement at every checkpoint of a training run, network by network, kept in a folder so that it resumes."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from interjax._core._checks import check_callable, check_count, check_folder, check_progress, check_several
from interjax._engine._dispatch import Kept, shapes_of
from interjax._engine._folders import RunFolder, fingerprint
from interjax.games._identity import of_network
from interjax.games._models import as_apply, params_of
from interjax.training._checkpoints import load_network, saved_steps

Checkpoints = str | os.PathLike | Mapping[int, Any]
Load = Callable[[int], tuple[Any, Any]]  # step -> what all networks of a run have in common, and the network
Piece = dict[str, np.ndarray]
Parts = Callable[[int], Kept]  # number of a part of a measurement -> what keeps it until all is measured

_WEIGHTS = "weights"  # the name in a kept piece of the weights that gave it
_KEPT_KINDS = "biufcSU"  # of NumPy's types: what an npz file gives back as it was


def over_checkpoints(
    checkpoints: Checkpoints,
    measure: Callable[[Any], Mapping[str, Any]],
    *,
    steps: Sequence[int] | None = None,
    folder: str | os.PathLike | None = None,
    settings: dict[str, Any] | None = None,
    inputs: Any = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Iterator[tuple[int, Piece]]:
    """Measure the network of every checkpoint of a training run, one after the other.

    Args:
        checkpoints: what `ij.training.train(..., spec=spec, checkpoint_folder=..., keep=None)` wrote, or optimizer
            step -> network of any kind that `ij.masked_game` takes, all of one architecture.
        measure: network -> what was measured of it, arrays and numbers by name; of a result its `.to_arrays()`.
        steps: the checkpoints to measure; None = all of them.
        folder: keeps what was measured of each checkpoint; a call with the same settings goes on where an earlier one
            stopped and gives the same numbers. Other steps may be added. Not for networks without arrays among their
            parameters, which cannot be told apart.
        settings: what a measurement depends on beside the weights, of JSON types; needed with a `folder`.
        inputs: a batch of the networks' inputs, with which a `folder` tells networks of equal weights by what they
            compute; without it by their weights alone, so that `settings` must say what else may change.
        progress: called with (checkpoints done, checkpoints in all) when the next one is asked for.

    Returns:
        An iterator over (step, arrays by name) by increasing step, which measures a checkpoint when it comes to it;
        `dict(...)` of it measures all.

    Raises:
        ValueError: steps that there are none of, checkpoints of different networks, a `folder` that holds other
            measurements, or what `measure` returns is no mapping from names to arrays.

    Example:
        >>> import jax.numpy as jnp
        >>> networks = {step: (jnp.multiply, float(step)) for step in (1, 10)}   # (function(params, inputs), params)
        >>> found = over_checkpoints(networks, lambda network: {"output": network[0](network[1], jnp.ones(2))})
        >>> {step: arrays["output"].tolist() for step, arrays in found}
        {1: [1.0, 1.0], 10: [10.0, 10.0]}
    """
    check_callable("measure", measure, "a function of a network")
    options: dict[str, Any] = {"folder": folder, "settings": settings, "inputs": inputs, "progress": progress}
    return over_checkpoints_in_parts(checkpoints, lambda network, _: measure(network), steps=steps, **options)


def over_checkpoints_in_parts(
    checkpoints: Checkpoints,
    measure: Callable[[Any, Parts | None], Mapping[str, Any]],
    *,
    steps: Sequence[int] | None,
    folder: str | os.PathLike | None,
    settings: dict[str, Any] | None,
    inputs: Any,
    progress: Callable[[int, int], Any] | None,
) -> Iterator[tuple[int, Piece]]:
    """`over_checkpoints` whose `measure` gets, beside the network, what keeps parts of a checkpoint, or None."""
    check_progress(progress)
    folder = None if folder is None else check_folder("folder", folder)
    if settings is not None:
        _checked(settings)
    chosen, load = _chosen(checkpoints, steps)
    about = {} if folder is None else _checked(settings)
    if folder is not None:
        RunFolder(folder, about)  # what is wrong with it is told at once

    def measured() -> Iterator[tuple[int, Piece]]:
        with RunFolder.held(folder, about) as run:
            yield from of_each(run)

    def of_each(run: RunFolder | None) -> Iterator[tuple[int, Piece]]:
        for done, (step, network) in enumerate(_networks(chosen, load), 1):
            if run is None:
                yield step, _as_piece(measure(network, None))
            else:
                yield step, _kept(run, step, network, measure, None if inputs is None else _computes(network, inputs))
            if progress is not None:
                progress(done, len(chosen))

    return measured()


def _chosen(checkpoints: Checkpoints, steps: Sequence[int] | None) -> tuple[list[int], Load]:
    """The steps to measure, and what loads their networks."""
    if isinstance(checkpoints, Mapping):
        wanted = "the step of a network"
        networks = {
            check_count("each step of checkpoints", step, least=0, about=wanted): network
            for step, network in checkpoints.items()
        }
        if not networks:
            raise ValueError("checkpoints must hold at least one network by its step, got none")
        saved, load, where = sorted(networks), _given(networks), ""
    elif isinstance(checkpoints, str | os.PathLike):
        check_folder("checkpoints", checkpoints)
        saved, load, where = saved_steps(checkpoints), _saved(checkpoints), f" that {checkpoints} holds"
    else:
        raise ValueError(
            "checkpoints must be the folder of a training run, or a mapping from steps to networks; got "
            f"{type(checkpoints).__name__}"
        )
    if steps is None:
        chosen = saved
    else:
        wanted = check_several("steps", steps)
        chosen = sorted({check_count("each of steps", step, least=0, about="of a checkpoint") for step in wanted})
    if not chosen or not set(chosen) <= set(saved):
        raise ValueError(f"steps must be among those{where}, {', '.join(map(str, saved)) or 'none'}; got {chosen}")
    return chosen, load


def _given(networks: Mapping[int, Any]) -> Load:
    return lambda step: (shapes_of(params_of(networks[step], "each of checkpoints")), networks[step])


def _saved(folder: str | os.PathLike) -> Load:
    return lambda step: load_network(folder, step=step)[:2]


def _networks(chosen: Sequence[int], load: Load) -> Iterator[tuple[int, Any]]:
    """The networks one after the other; ValueError where one differs from the first."""
    first = None
    for step in chosen:
        kind, network = load(step)
        first = kind if first is None else first
        if kind != first:
            raise ValueError(
                f"checkpoints of different networks: that of step {step} is another network than that of step "
                f"{chosen[0]}; measure each training run by itself"
            )
        yield step, network


def _checked(settings: Any) -> dict[str, Any]:
    try:
        json.dumps(settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"settings must be of JSON types, such as numbers, strings and lists: {error}") from error
    if not isinstance(settings, dict):
        raise ValueError(
            "folder= needs settings=, a dictionary of what a measurement depends on beside the weights ({} for "
            f"nothing), by which another one is refused; got {settings!r}"
        )
    return settings


def _computes(network: Any, inputs: Any) -> str:
    """What a network computes of such inputs, whatever its weights."""
    apply, params = as_apply(network, inputs)
    return of_network(apply, params, inputs)["computes"]


def _kept(
    run: RunFolder,
    step: int,
    network: Any,
    measure: Callable[[Any, Parts], Mapping[str, Any]],
    computes: str | None,
) -> Piece:
    """What the folder holds of a checkpoint, or what is measured now and kept there; ValueError for other weights."""
    params = params_of(network)
    if not jax.tree.leaves(params):
        raise ValueError(
            f"folder= tells networks apart by their parameters, and that of step {step} shows none: give "
            "(function(params, inputs), params) instead of a function that holds them, or leave folder= out"
        )
    weights, name = fingerprint(params), f"step{step}"
    found = run.read(name)
    if found is None:
        piece = _as_piece(measure(network, lambda part: run.partial(f"{name}-{weights[:16]}-{part}")))
        run.write(name, piece | {_WEIGHTS: np.array(weights if computes is None else f"{weights} {computes}")})
        return piece
    kept, *computed = str(found.pop(_WEIGHTS)).split()  # earlier versions kept the weights alone
    if kept != weights:
        raise ValueError(f"{run.folder} holds measurements of other weights at step {step}: choose another folder")
    if computes is not None and computed and computed != [computes]:
        raise ValueError(
            f"{run.folder} holds measurements of another network at step {step}, which computes something else of the "
            "same weights: choose another folder"
        )
    return found


def _as_piece(found: Any) -> Piece:
    """What was measured as arrays that a file can hold."""
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise ValueError(
            "measure must return a mapping from names to arrays, such as the .to_arrays() of a result; got "
            f"{type(found).__name__}"
        )
    if _WEIGHTS in found:
        raise ValueError(f"measure must give its array {_WEIGHTS!r} another name: so are the network's own called")
    piece = {name: np.asarray(value) for name, value in found.items()}
    for name, array in piece.items():
        if array.dtype.kind not in _KEPT_KINDS:
            raise ValueError(f"measure must return arrays of numbers or strings, got {name!r} of dtype {array.dtype}")
    return piece
