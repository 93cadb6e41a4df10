"""Training of Flax nnx networks, resumed bit for bit after a kill, and networks on disk."""

import contextlib
import functools
import hashlib
import inspect
import math
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array

from interjax._core._checks import (
    check_callable,
    check_count,
    check_examples,
    check_folder,
    check_is,
    check_path,
    check_progress,
    shown,
)
from interjax._core._keys import check_key
from interjax._core._progress import Progress
from interjax.datasets._dataset import Dataset
from interjax.games._identity import computation
from interjax.games._models import as_apply, off_by_default
from interjax.networks._spec import NetworkSpec
from interjax.training._checkpoints import Model, PathLike, check_extra
from interjax.training._losses import SteeredCrossEntropy, cross_entropy, plain_loss, squared_error
from interjax.training._plans import Augment
from interjax.training._predictions import as_numbers
from interjax.training._run import Loss, TrainingLog, TrainingRun, about_run, open_checkpoints, write_lines
from interjax.training._schedule import Schedule, schedule_of


def train(
    model: Model,
    data: Dataset | tuple[Any, Any],
    *,
    key: Array,
    optimizer: optax.GradientTransformation,
    epochs: int | None = None,
    steps: int | None = None,
    batch_size: int = 128,
    loss: Loss | None = None,
    augment: Augment | None = None,
    checkpoint_folder: PathLike | None = None,
    save_every: int | None = None,
    save_at: Iterable[int] | None = None,
    keep: int | None = 1,
    spec: NetworkSpec | None = None,
    extra: dict[str, Any] | None = None,
    metrics: PathLike | None = None,
    on_epoch: Callable[[int, Model, TrainingLog], Any] | None = None,
    on_checkpoint: Callable[[int, Model], Any] | None = None,
    progress: Progress | None = None,
) -> TrainingLog:
    """Train a network in place by minibatches; an interrupted run continues as if it had not been.

    At step t of epoch e, rows = the next `batch_size` of a permutation drawn from (key, e), and the gradient
    of mean(loss(model, augment(x[rows]), y[rows])) goes through `optimizer`. What an epoch has left after its
    last full batch is skipped. A loss that is not finite stops the run with a warning.

    Args:
        model: nnx module, inputs (batch, ...) -> logits (batch, classes), or one number an input; its parameters are
            changed, its mode (train or eval) is not.
        data: a `Dataset`, or inputs (N, ...) and class indices (N,), or, with a `loss` of them, numbers (N,).
        key: `jax.random.key` for the order, the augmentation and the loss.
        optimizer: an optax transformation, e.g. `optax.adam(1e-3)`.
        epochs: passes over the data; give either this or `steps`.
        steps: optimizer steps.
        batch_size: examples a step; more make a step costlier and its gradient less noisy.
        loss: (model, x, y, key) -> (batch,), the loss of each example; by default `cross_entropy`, of a `Dataset` of
            numbers to predict `squared_error`; `ModulatedCrossEntropy(...)` or `OrderWeightedCrossEntropy(...)`, of
            numbers to predict `ModulatedSquaredError(...)` or `OrderWeightedSquaredError(...)`, to
            steer orders.
        augment: (key, x) -> x of the same shape, applied to each batch, e.g. `flip_and_crop`.
        checkpoint_folder: where to save; if it holds a checkpoint of this run, the run continues from there.
        save_every: steps between checkpoints; by default an epoch, or none but `save_at` and the last.
        save_at: steps to save at besides, 0 for the untrained network, such as `log_spaced_steps(steps, 12)`.
        keep: the number of checkpoints to keep, None for all.
        spec: what the network is, so that `load_network(checkpoint_folder)` can rebuild it.
        extra: anything of JSON types to keep beside the network.
        metrics: a file for the log as JSON lines, one an epoch, written as the epochs end.
        on_epoch: called with (epochs done, model, log so far) after each epoch and before its checkpoint, so
            that a resumed run may call it again for the epoch in which it was stopped.
        on_checkpoint: called with (steps done, model) before each checkpoint is written; also without a folder.
        progress: called with (steps done, steps in all) after each step.

    Returns:
        Loss and test accuracy (or R^2) of every epoch, also of those before an interruption.

    Raises:
        ValueError: no key, a model that is no nnx module, lengths that do not match, a loss of the wrong shape, or a
            folder with another run.

    Warns:
        UserWarning: a loss that is not finite, with which training stops; a model whose `__call__` has a switch such as
            `train=False`, which no loss of interjax sets.

    Example:
        >>> from interjax import networks
        >>> x = jax.random.normal(jax.random.key(0), (64, 4))
        >>> y, model = (x[:, 0] > 0).astype(int), networks.build("mlp", (4,), 2, hidden=(8,))
        >>> log = train(model, (x, y), key=jax.random.key(1), optimizer=optax.adam(0.1), epochs=5, batch_size=16)
        >>> bool(log.loss[-1] < log.loss[0])
        True
    """
    if not isinstance(model, nnx.Module):
        raise ValueError(
            f"model must be an nnx.Module, whose parameters are trained in place; got {type(model).__name__}: train "
            "other networks in a loop of your own, with any loss of ij.losses"
        )
    check_key(key)
    (x, y), test = _examples(data, loss)
    _check_options(optimizer, loss, augment, keep, spec, extra, (on_epoch, on_checkpoint))
    check_progress(progress)
    if checkpoint_folder is not None:
        checkpoint_folder = check_folder("checkpoint_folder", checkpoint_folder)
    if metrics is not None and check_path("metrics", metrics).is_dir():
        raise ValueError(f"metrics must be the path of a file for the log; {metrics} is a folder")
    if loss is None and y.dtype.kind == "f":
        loss = squared_error
    is_plain = loss in (None, cross_entropy, squared_error)
    if is_plain or isinstance(loss, SteeredCrossEntropy):
        _check_fits(model, x, y)
    batch_size = min(check_count("batch_size", batch_size), len(x))
    per_epoch = len(x) // batch_size
    if (epochs is None) == (steps is None):
        raise ValueError(f"expected either epochs or steps, got epochs={epochs} and steps={steps}")
    n_steps = check_count("steps", steps) if epochs is None else check_count("epochs", epochs) * per_epoch
    schedule = schedule_of(jax.random.split(key)[0], len(x), batch_size, n_steps, save_every, save_at)
    if off_by_default(model) and (is_plain or isinstance(loss, SteeredCrossEntropy)):
        warnings.warn(
            f"{type(model).__name__} is called with {off_by_default(model)}, its default, also in training, where its "
            "dropout then does nothing: give a loss of your own that says otherwise, or change the default",
            stacklevel=2,
        )
    # A view that shares the model's variables: they train, and the caller's mode stays as it is.
    learner = nnx.with_attributes(model, deterministic=False, use_running_average=False, raise_if_not_found=False)
    run = TrainingRun(learner, nnx.Optimizer(learner, optimizer, wrt=nnx.Param))
    is_ours = augment is None and (is_plain or isinstance(loss, SteeredCrossEntropy))
    computes = "" if is_ours and checkpoint_folder is None else _computes(run, loss, augment, x, y, batch_size)
    # What functions of the user's compute may change with what they hold: compiled again where it did.
    make = _make_update(loss or cross_entropy, augment, "" if is_ours else computes)
    # Bound once: otherwise most of a small network's step goes into taking the two apart and together again.
    update = nnx.cached_partial(make, run.model, run.optimizer)
    batch_key = jax.random.split(key)[1]

    with contextlib.ExitStack() as stack:
        write = _do_nothing
        if checkpoint_folder is not None:
            about = about_run(spec, extra, x, y, key, batch_size, loss, model, optimizer, augment)
            about["run"]["computes"] = [computes, f"jax {jax.__version__}"]
            write = open_checkpoints(stack, run, checkpoint_folder, keep, about)
        if run.step > n_steps:
            raise ValueError(f"{checkpoint_folder} holds {run.step} steps of this run, more than the {n_steps} asked")
        x, y = jnp.asarray(x), jnp.asarray(y)

        def step(rows: np.ndarray) -> None:
            run.add(update(batch_key, x, y, rows))
            if progress is not None:
                progress(run.step, n_steps)

        def end_epoch(epoch: int, log: TrainingLog) -> None:
            if metrics is not None:
                write_lines(Path(metrics), log)
            if on_epoch is not None:
                on_epoch(epoch, model, log)

        def save() -> None:
            if on_checkpoint is not None and math.isfinite(float(run.loss_sum)):
                on_checkpoint(run.step, model)
            write()

        log = _train_epochs(run, schedule, step, save, test, end_epoch)
    if metrics is not None:  # also of an epoch that ended in NaN, and of a run that was finished before
        write_lines(Path(metrics), log)
    return log


def _examples(data: Any, loss: Any) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray] | None]:
    """Training examples and, of a data set, test examples."""
    if isinstance(data, Dataset):
        return (data.train_x, data.train_y), (data.test_x, data.test_y)
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise ValueError(
            f"data must be an ij.datasets.Dataset, or inputs (N, ...) and class indices (N,); got {shown(data)}"
        )
    x, y = data
    are_numbers = getattr(getattr(y, "dtype", None), "kind", "") == "f" or loss is squared_error
    try:
        if not are_numbers or loss is None:
            return check_examples(x, y), None
        x, _ = check_examples(x, np.zeros(np.shape(y), int))
        return (x, _in_single("y", as_numbers("y", y))), None
    except ValueError as error:
        instead = "; for numbers to predict give loss=ij.training.squared_error" if are_numbers else ""
        raise ValueError(f"data: {error}{instead}") from error


def _in_single(name: str, values: np.ndarray) -> np.ndarray:
    """Numbers as float32; ValueError where it rounds away more than a hundredth of how much they vary."""
    with np.errstate(over="ignore"):
        found = values.astype(np.float32)
    off = np.abs(found - values).max(initial=0.0)
    if not np.isfinite(found).all() or off > 0.01 * values.std() > 0:
        raise ValueError(
            f"{name} must be numbers that float32 tells apart, they are off by up to {off:.2g}: take a "
            "constant off, or divide by their deviation"
        )
    return found


def _check_options(
    optimizer: Any, loss: Any, augment: Any, keep: Any, spec: Any, extra: Any, told: tuple[Any, Any]
) -> None:
    wanted = "an optax transformation, such as optax.adam(1e-3)"
    check_is("optimizer", optimizer, optax.GradientTransformation, wanted)
    check_callable("loss", loss, "a function (model, x, y, key) -> (batch,)", optional=True)
    check_callable("augment", augment, "a function (key, x) -> x", optional=True)
    if keep is not None:
        check_count("keep", keep, about="the number of checkpoints to keep")
    check_is("spec", spec, NetworkSpec, "an ij.networks.NetworkSpec", optional=True)
    check_extra(extra)
    for name, function in zip(("on_epoch", "on_checkpoint"), told, strict=True):
        check_callable(name, function, "a function that is told how far the training is", optional=True)


def _check_fits(model: Model, x: np.ndarray, y: np.ndarray) -> None:
    """Raise ValueError that names the argument unless the network gives logits of these classes for these inputs."""
    apply, params = as_apply(model, x)
    batch = jax.ShapeDtypeStruct((2, *x.shape[1:]), jax.dtypes.canonicalize_dtype(x.dtype))
    try:
        shape = getattr(jax.eval_shape(apply, params, batch), "shape", None)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"model does not take the inputs of data, of shape {x.shape[1:]}: {error}") from error
    is_one = shape is not None and shape[1:] in ((), (1,))
    if y.dtype.kind == "f":
        if not is_one:
            raise ValueError(f"model must give one number an input for numbers to predict, got {shape} for two inputs")
        return
    if is_one and y.max() > 1:
        raise ValueError(f"data must hold classes 0 and 1 for a model of one output, the logit of 1; got {y.max()}")
    if shape is not None and len(shape) == 2 and not is_one and y.max() >= shape[1]:
        raise ValueError(f"data must hold class indices from 0 to {shape[1] - 1}, as the model gives; got {y.max()}")


def _train_epochs(
    run: TrainingRun,
    schedule: Schedule,
    step: Callable[[np.ndarray], None],
    save: Callable[[], None],
    test: Any,
    end_epoch: Callable[[int, TrainingLog], None],
) -> TrainingLog:
    """Train from where the run stands to its last step, or until the loss is not finite."""
    per_epoch, n_steps = schedule.per_epoch, schedule.n_steps
    log = None
    if run.step == 0 and schedule.saves(0):
        save()
    for epoch in range(run.step // per_epoch, -(-n_steps // per_epoch)):
        end = min((epoch + 1) * per_epoch, n_steps)
        for rows in schedule.batches(epoch, run.step):
            step(rows)
            if run.step < end and schedule.saves(run.step):
                save()
        log = run.end_epoch(test, per_epoch)
        if not math.isfinite(log.loss[-1]):
            warnings.warn(
                f"training stopped at step {run.step}: the loss is {log.loss[-1]}; lower the learning rate",
                stacklevel=3,
            )
            break
        end_epoch(epoch + 1, log)
        if schedule.saves(run.step):
            save()
    return log or run.log()


@functools.lru_cache(maxsize=8)
def _make_update(loss: Loss, augment: Augment | None, computes: str) -> Callable[..., Array]:
    """`_update_of`, compiled once for each loss and augmentation, and for each thing that they compute."""
    return nnx.jit(_update_of(loss, augment))


def _update_of(loss: Loss, augment: Augment | None) -> Callable[..., Array]:
    """One optimizer step."""

    def update(model, optimizer, key, x, y, rows):
        augment_key, loss_key = jax.random.split(jax.random.fold_in(key, optimizer.step[...]))
        batch_x, batch_y = x[rows], y[rows]
        if augment is not None:
            augmented = _called("augment", augment, augment_key, batch_x)
            if getattr(augmented, "shape", None) != batch_x.shape:
                got = getattr(augmented, "shape", type(augmented).__name__)
                raise ValueError(f"augment must return inputs of the same shape, {batch_x.shape}; got {got}")
            batch_x = augmented

        def mean_loss(model):
            losses = _called("loss", loss, model, batch_x, batch_y, loss_key)
            if getattr(losses, "shape", None) != batch_y.shape:
                got = getattr(losses, "shape", type(losses).__name__)
                raise ValueError(f"loss must return one value an example, {batch_y.shape}, got {got}")
            return losses.mean()

        value, gradient = nnx.value_and_grad(mean_loss)(model)
        optimizer.update(model, gradient)
        return value

    return update


def _computes(run: TrainingRun, loss: Loss | None, augment: Augment | None, x: Any, y: Any, batch_size: int) -> str:
    """A digest of what one step computes, functions that the loss calls and numbers that they hold among it.

    A steered loss tells its settings; in its place the trace has what it adds its term to, and so what the network
    computes.
    """
    plain = plain_loss(loss) if loss is None or isinstance(loss, SteeredCrossEntropy) else loss
    graph, state = nnx.split((run.model, run.optimizer))
    update = _update_of(plain, augment)

    def step(state, key, x, y, rows):
        model, optimizer = nnx.merge(graph, state)
        value = update(model, optimizer, key, x, y, rows)
        return value, nnx.state((model, optimizer))

    key, rows = jax.random.key(0), np.zeros(batch_size, np.int32)
    text = computation(step, state, key, jnp.asarray(x[:1]), jnp.asarray(y[:1]), rows)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _called(name: str, function: Callable, *arguments: Any) -> Any:
    """What the user's function returns; ValueError that names it where it does not take so many arguments."""
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise ValueError(f"{name} must take {len(arguments)} arguments: {error}") from error
    except ValueError:  # it does not say what it takes
        pass
    return function(*arguments)


def _do_nothing() -> None:
    pass
