"""Networks and training runs on disk, by Orbax: each step holds the arrays and an `about` in JSON.

A step's folder is `model` (every array of the network, dropout streams included), for a training run also
`optimizer`, and `about`: {"kind", "spec", "arrays", "extra", ...}. `arrays` lists the type and shape of every
array, so that a checkpoint of another network is told from a damaged one.
"""

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from flax import nnx

from interjax._core._checks import check_count, check_folder, check_is, check_path
from interjax.networks._spec import NetworkSpec

Model = Any
# Orbax registers these classes by decorators that hide their signatures from type checkers.
_together: Any = ocp.args.Composite
_save: Any = ocp.args.StandardSave
_restore: Any = ocp.args.StandardRestore
_json_save: Any = ocp.args.JsonSave
_json_restore: Any = ocp.args.JsonRestore
PathLike = str | os.PathLike


def save_network(folder: PathLike, spec: NetworkSpec, model: Model, *, extra: Mapping[str, Any] | None = None) -> Path:
    """Write a network to a folder, replacing the network that it holds.

    Args:
        folder: created if need be; relative or absolute.
        spec: what the network is, so that `load_network` can rebuild it.
        model: the nnx module; every array of it is written, batch statistics and dropout streams included.
        extra: anything of JSON types to keep beside it, e.g. the data set and the accuracy.

    Returns:
        The absolute path of the folder.

    Raises:
        ValueError: the model is no nnx module or not what the spec builds, or the folder holds a training run.

    Example:
        >>> import tempfile
        >>> spec = NetworkSpec("mlp", (4,), 2, {"hidden": (3,)})
        >>> folder = save_network(tempfile.mkdtemp(), spec, spec.build(0), extra={"accuracy": 0.9})
        >>> load_network(folder)[2]
        {'accuracy': 0.9}
    """
    folder = check_folder("folder", folder).absolute()
    check_is("spec", spec, NetworkSpec, "an ij.networks.NetworkSpec")
    check_extra(extra)
    if not isinstance(model, nnx.Module):
        raise ValueError(f"model must be an nnx.Module such as {spec} builds, got {type(model).__name__}")
    difference = _difference(_describe(spec.build(0)), _describe(model))
    if difference:
        raise ValueError(f"model is not what its spec {spec} builds: {difference}")
    with opened(folder, keep=1) as manager:
        latest = manager.latest_step()
        if latest is not None and read_about(folder, manager, latest)["kind"] != "network":
            raise ValueError(f"{folder} holds the checkpoints of a training run: save into another folder")
        step = 0 if latest is None else latest + 1
        about = {"kind": "network", "spec": spec.to_json(), "extra": dict(extra or {})}
        write(manager, step, about, model=model)
    return folder


def load_network(
    folder: PathLike, *, step: int | None = None, expect: NetworkSpec | None = None
) -> tuple[NetworkSpec, Model, dict[str, Any]]:
    """Rebuild a network from a folder that `save_network`, or `train` with a `spec`, wrote.

    Args:
        folder: relative or absolute.
        step: which checkpoint of a training run (see `saved_steps`); the latest by default.
        expect: what the network must be, where the caller depends on it.

    Returns:
        The spec, the network in evaluation mode, and what was kept beside it.

    Raises:
        ValueError: the folder holds no checkpoint, a damaged one, or one of another network.

    Example:
        >>> import tempfile
        >>> spec = NetworkSpec("mlp", (4,), 2, {"hidden": (3,)})
        >>> folder = save_network(tempfile.mkdtemp(), spec, spec.build(0))
        >>> load_network(folder)[0] == spec
        True
    """
    folder = check_folder("folder", folder).absolute()
    check_is("expect", expect, NetworkSpec, "an ij.networks.NetworkSpec", optional=True)
    steps = saved_steps(folder)
    step = steps[-1] if step is None else check_count("step", step, least=0, about="of a checkpoint")
    if step not in steps:
        raise ValueError(f"{folder} holds no checkpoint of step {step}: it has {', '.join(map(str, steps))}")
    with opened(folder) as manager:
        about = read_about(folder, manager, step)
        if about["spec"] is None:
            raise ValueError(
                f"{folder} was written by `train` without a spec, so the network cannot be rebuilt from it: "
                "pass spec= to `train`, or save the network by `save_network`"
            )
        spec = NetworkSpec.from_json(about["spec"])
        if expect is not None and spec != expect:
            raise ValueError(f"{folder} holds a checkpoint of another network: {spec}, expected {expect}")
        model = spec.build(0)
        restore(folder, manager, step, about, model=model)
    model.eval()
    return spec, model, about["extra"]


def saved_steps(folder: PathLike) -> list[int]:
    """The optimizer steps at which a folder holds a checkpoint.

    Args:
        folder: what `train` or `save_network` wrote.

    Returns:
        The steps in order, at least one.

    Raises:
        ValueError: if there is no checkpoint.

    Example:
        >>> import tempfile
        >>> spec = NetworkSpec("mlp", (4,), 2, {"hidden": (3,)})
        >>> saved_steps(save_network(tempfile.mkdtemp(), spec, spec.build(0)))
        [0]
    """
    folder = check_path("folder", folder).absolute()
    steps = ocp.utils.checkpoint_steps(folder) if folder.is_dir() else []
    if not steps:
        raise ValueError(
            f"{folder} holds no checkpoint: folder must be one that `save_network` or `train` wrote; check the path"
        )
    return sorted(steps)


def check_extra(extra: Any) -> None:
    """Raise ValueError unless it is a mapping that JSON holds, or None."""
    check_is("extra", extra, Mapping, "a mapping from names to JSON values", optional=True)
    try:
        json.dumps(dict(extra or {}))
    except (TypeError, ValueError) as error:
        raise ValueError(f"extra must hold JSON values (numbers, text, lists) by name: {error}") from None


def some_saved_steps(folder: PathLike, count: int | None) -> list[int]:
    """So many of a run's saved steps, evenly chosen from the first to the last; the last for one, all for None."""
    saved = np.array(saved_steps(folder))
    if count == 1:
        return saved[-1:].tolist()
    count = min(count or len(saved), len(saved))
    return saved[np.unique(np.linspace(0, len(saved) - 1, count).round().astype(int))].tolist()


@contextlib.contextmanager
def opened(folder: Path, *, keep: int | None = None) -> Iterator[ocp.CheckpointManager]:
    """Orbax's manager of an absolute folder, keeping the latest `keep` steps (all by default)."""
    options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
    if jax.process_count() > 1 and keep is None:  # each process reads on its own, without waiting for the others
        options.create, me = False, jax.process_index()
        options.multiprocessing_options = ocp.options.MultiprocessingOptions(me, {me}, f"process{me}")
    with _quiet_log():
        manager = ocp.CheckpointManager(folder, options=options)
        try:
            yield manager
        finally:
            manager.close()


@contextlib.contextmanager
def _quiet_log() -> Iterator[None]:
    """Hold back Orbax's warnings, such as that of a half-written step which it then removes by itself."""
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def write(manager: ocp.CheckpointManager, step: int, about: dict[str, Any], **modules: Model) -> None:
    """Write one step; a process killed while writing leaves the steps before it as they were."""
    about = about | {"arrays": {name: _describe(module) for name, module in modules.items()}}
    items: dict[str, Any] = {name: _save(nnx.state(module)) for name, module in modules.items()}
    manager.save(step, args=_together(about=_json_save(about), **items))


def read_about(folder: Path, manager: ocp.CheckpointManager, step: int) -> dict[str, Any]:
    """What a step says of itself; raises ValueError if interjax did not write it or it is damaged."""
    try:
        about = manager.restore(step, args=_together(about=_json_restore()))["about"]
        return {key: about[key] for key in ("kind", "spec", "arrays", "extra", *about)}
    except Exception as error:
        raise ValueError(
            f"{folder}, step {step}, is no checkpoint of interjax or is damaged ({error}); delete the folder "
            f"{folder / str(step)} to use an earlier step, or train again"
        ) from error


def restore(folder: Path, manager: ocp.CheckpointManager, step: int, about: dict[str, Any], **modules: Model) -> None:
    """Read a step's arrays into nnx modules of the same structure; nothing is changed if one differs."""
    for name, module in modules.items():
        difference = _difference(about["arrays"][name], _describe(module))
        if difference:
            kind = "network" if name == "model" else name
            raise ValueError(f"{folder} holds a checkpoint of another {kind}: {difference}")
    wanted: dict[str, Any] = {name: _restore(nnx.state(module)) for name, module in modules.items()}
    try:
        restored = manager.restore(step, args=_together(**wanted))
    except Exception as error:
        raise ValueError(
            f"{folder}, step {step}, is damaged ({error}); delete {folder / str(step)} to use an earlier step, "
            "or train again"
        ) from error
    for name, module in modules.items():
        nnx.update(module, restored[name])


def _describe(module: Model) -> dict[str, str]:
    """Type and shape of every array of a module, by its path."""
    leaves = jax.tree_util.tree_leaves_with_path(nnx.state(module))
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): f"{leaf.dtype}{list(leaf.shape)}"
        for path, leaf in leaves
    }


def _difference(saved: Mapping[str, str], given: Mapping[str, str]) -> str:
    """The first array in which two modules differ, in words; empty if they agree."""
    for path in [*saved, *given]:
        if saved.get(path) != given.get(path):
            return f"{path} is {saved.get(path, 'absent')} there and {given.get(path, 'absent')} here"
    return ""
