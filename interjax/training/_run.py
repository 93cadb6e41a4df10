"""The state of a training run, and the folder that keeps it: checkpoints, what tells the run, its log."""

import contextlib
import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array

from interjax._core._files import held, replaced
from interjax._core._results import Saved, result
from interjax._engine._folders import check_same_run, fingerprint, name_of
from interjax.games._models import params_of
from interjax.networks._spec import NetworkSpec
from interjax.training import _checkpoints
from interjax.training._checkpoints import Model, PathLike
from interjax.training._losses import SteeredCrossEntropy, cross_entropy
from interjax.training._plans import Augment
from interjax.training._predictions import accuracy, r_squared

Loss = Callable[[Model, Array, Array, Array], Array]
_SAID_SINCE = ("start", "optimizer", "augment", "computes")


@result
class TrainingLog(Saved):
    """What a training run did, one entry for each epoch.

    Attributes:
        step: optimizer steps done at the end of the epoch, int (epochs,).
        loss: mean training loss over the epoch's batches, in nats for cross entropy, (epochs,).
        test_accuracy: fraction of test inputs classified correctly after the epoch, in [0, 1], (epochs,); None without
            test data, and in a regression.
        test_r_squared: share of the variance of the test labels that is predicted after the epoch, at most 1,
            (epochs,), in a regression; else None.
    """

    step: np.ndarray
    loss: np.ndarray
    test_accuracy: np.ndarray | None = None
    test_r_squared: np.ndarray | None = None


class TrainingRun:
    """The state of a training run: network, optimizer, and what the epochs so far have shown."""

    def __init__(self, model: Model, optimizer: nnx.Optimizer):
        self.model, self.optimizer = model, optimizer
        self.step = 0
        self.loss_sum = jnp.zeros(())
        self.epochs: list[dict[str, float]] = []

    def add(self, loss: Array) -> None:
        self.loss_sum = self.loss_sum + loss
        self.step += 1

    def end_epoch(self, test: Any, per_epoch: int) -> TrainingLog:
        """The log including the epoch just trained; a last epoch cut short by `steps` stays open."""
        n_batches = self.step - len(self.epochs) * per_epoch
        entry: dict[str, float] = {"step": self.step, "loss": float(self.loss_sum) / n_batches}
        if test is not None and test[1].dtype.kind == "f":
            entry["test_r_squared"] = r_squared(self.model, *test)
        elif test is not None:
            entry["test_accuracy"] = accuracy(self.model, *test)
        log = self.log(entry)
        if n_batches == per_epoch:
            self.epochs.append(entry)
            self.loss_sum = jnp.zeros(())
        return log

    def log(self, *unfinished: dict[str, float]) -> TrainingLog:
        entries = [*self.epochs, *unfinished]
        return TrainingLog(**{name: np.array([entry[name] for entry in entries]) for name in entries[0]})


def open_checkpoints(
    stack: contextlib.ExitStack, run: TrainingRun, folder: PathLike, keep: int | None, about: dict[str, Any]
) -> Callable[[], None]:
    """Continue the run that the folder holds, if any; return the function that saves it there."""
    folder = Path(folder).absolute()
    stack.enter_context(held(folder))
    manager = stack.enter_context(_checkpoints.opened(folder, keep=keep))
    step = manager.latest_step()
    if step is not None:
        found = _checkpoints.read_about(folder, manager, step)
        _check_same_run(folder, found, about)
        _checkpoints.restore(folder, manager, step, found, model=run.model, optimizer=run.optimizer)
        run.step, run.epochs = step, found["epochs"]
        run.loss_sum = jnp.asarray(found["loss_sum"], jnp.float32)

    def save() -> None:
        loss_sum = float(run.loss_sum)
        if manager.latest_step() == run.step or not math.isfinite(loss_sum):
            return
        progress = {"epochs": run.epochs, "loss_sum": loss_sum}
        _checkpoints.write(manager, run.step, about | progress, model=run.model, optimizer=run.optimizer)

    return save


def _check_same_run(folder: Path, found: dict[str, Any], about: dict[str, Any]) -> None:
    if found["kind"] != "training":
        raise ValueError(f"{folder} holds a saved network, no training run: train in another folder")
    # Runs of earlier versions say less of themselves.
    given = {name: value for name, value in about["run"].items() if name in found["run"] or name not in _SAID_SINCE}
    same = {name: dict(found[name]) if name == "run" else found[name] for name in ("spec", "run")}
    told = [name for name in given if name != "computes" and given[name] != same["run"].get(name)]
    if "computes" in given and (told or given["computes"][1] != same["run"]["computes"][1]):
        # A name says more than a digest; and what another JAX traces may look otherwise.
        del given["computes"], same["run"]["computes"]
    check_same_run(folder, same, {"spec": about["spec"], "run": given}, holds="another training run")


def about_run(
    spec: NetworkSpec | None,
    extra: Any,
    x: Any,
    y: Any,
    key: Array,
    batch_size: int,
    loss: Loss | None,
    model: Model,
    optimizer: optax.GradientTransformation,
    augment: Augment | None,
) -> dict[str, Any]:
    """What makes two runs the same: the network it began with, data, key, batch size, optimizer, augmentation, loss."""
    digest = hashlib.sha256(np.ascontiguousarray(x).data)
    digest.update(np.ascontiguousarray(y).data)
    key_data = np.asarray(jax.random.key_data(key)).tolist()
    run = {"data": digest.hexdigest()[:16], "shape": list(x.shape), "key": key_data, "batch_size": batch_size}
    run |= {"start": fingerprint(params_of(model)), "optimizer": name_of(optimizer)}
    run["augment"] = None if augment is None else name_of(augment)
    if loss is not None and loss is not cross_entropy:
        run["loss"] = loss.settings if isinstance(loss, SteeredCrossEntropy) else name_of(loss)
    return {"kind": "training", "spec": spec and spec.to_json(), "extra": extra or {}, "run": run}


def write_lines(path: Path, log: TrainingLog) -> None:
    """The log as JSON lines, one an epoch."""
    columns = {"step": log.step, "loss": log.loss}
    columns |= {"test_accuracy": log.test_accuracy, "test_r_squared": log.test_r_squared}
    named = {name: column.tolist() for name, column in columns.items() if column is not None}
    rows = [dict(zip(named, row, strict=True)) for row in zip(*named.values(), strict=True)]
    finite = [{name: value if math.isfinite(value) else None for name, value in row.items()} for row in rows]
    with replaced(path) as partial:
        partial.write_text("".join(json.dumps({"epoch": epoch} | row) + "\n" for epoch, row in enumerate(finite, 1)))
