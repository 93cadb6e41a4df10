"""The networks of a training run, one after the other, and what a folder keeps of the measurements of each."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from interjax._engine._dispatch import shapes_of
from interjax._engine._folders import RunFolder, fingerprint
from interjax.games._models import as_apply
from interjax.training._checkpoints import load_network, saved_steps


def networks_of_run(
    checkpoints: str | os.PathLike | Mapping[int, Any], steps: Sequence[int] | None
) -> tuple[list[int], Iterator[tuple[int, Any]]]:
    """The steps to measure, and the networks one after the other; ValueError where one differs from the first."""
    if isinstance(checkpoints, Mapping):
        saved, load, where = sorted(map(int, checkpoints)), _given(checkpoints), ""
    else:
        saved, load, where = saved_steps(checkpoints), _saved(checkpoints), f" that {checkpoints} holds"
    chosen = saved if steps is None else sorted({int(step) for step in steps})
    if not chosen or not set(chosen) <= set(saved):
        raise ValueError(f"steps must be among those{where}, {', '.join(map(str, saved)) or 'none'}; got {chosen}")

    def networks() -> Iterator[tuple[int, Any]]:
        first = None
        for step in chosen:
            kind, model = load(step)
            first = kind if first is None else first
            if kind != first:
                raise ValueError(
                    f"checkpoints of different networks: that of step {step} is another network than that of step "
                    f"{chosen[0]}; measure each training run by itself"
                )
            yield step, model

    return chosen, networks()


def _given(networks: Mapping[int, Any]) -> Callable[[int], tuple[Any, Any]]:
    return lambda step: (shapes_of(as_apply(networks[step])[1]), networks[step])


def _saved(folder: str | os.PathLike) -> Callable[[int], tuple[Any, Any]]:
    return lambda step: load_network(folder, step=step)[:2]


def measured_once(
    run: RunFolder | None, step: int, model: Any, measure: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """What the folder holds of a checkpoint, or what is measured now and kept there; ValueError for other weights."""
    if run is None:
        return measure()
    weights = fingerprint(as_apply(model)[1])
    found = run.read(f"step{step}")
    if found is None:
        run.write(f"step{step}", found := measure() | {"weights": np.array(weights)})
    elif str(found["weights"]) != weights:
        raise ValueError(f"{run.folder} holds measurements of other weights at step {step}: choose another folder")
    return {name: value for name, value in found.items() if name != "weights"}
