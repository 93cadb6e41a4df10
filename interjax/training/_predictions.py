"""What a trained network gets right: accuracy, and inputs that it classifies correctly."""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_array, check_count, check_known, is_real
from interjax._core._keys import check_key
from interjax._engine._rows import RowProgram
from interjax.games._apply import Apply, as_classifier, as_predictor, gives_one, is_of_one_logit, shown_shapes
from interjax.games._batches import as_examples, as_inputs, at_rows, like_batch, rows_of
from interjax.games._evaluation_probe import check_equal_outputs, warn_if_all_are_one
from interjax.games._inputs import inputs_program
from interjax.games._models import as_apply, as_networks
from interjax.games._outputs import tell_classes

Model = Any

_UNDEFINED = np.iinfo(np.int32).min  # class of an input whose logits tell none


def accuracy(model: Model, x: Any, y: Any, *, batch_size: int = 500) -> float:
    """Fraction of inputs whose largest logit is their class, in evaluation mode; the model is left as found.

    Args:
        model: a network, inputs (batch, ...) -> logits (batch, classes), or one logit an input, that of class 1 of two:
            an nnx module, (Linen module, variables), (function(params, inputs), params) or function(inputs). Dropout is
            off, whatever mode it is in.
        x: inputs (N, ...); or several arrays in dicts and tuples, each of one row an input, which the network takes as
            its one argument.
        y: class indices (N,).
        batch_size: inputs evaluated at once.

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: lengths that do not match, no inputs, outputs that are no logits (batch, classes), or a network that
            is random or depends on the other inputs of a batch.

    Warns:
        UserWarning: if logits are NaN or the largest is infinite; such inputs count as wrong. Of inputs in small
            integers, such as uint8, if the network has other outputs where they are given as float32.

    Example:
        >>> from interjax import networks
        >>> accuracy(networks.build("mlp", (4,), 2, hidden=()), np.zeros((6, 4)), np.zeros(6, int))
        1.0
    """
    batch_size = check_count("batch_size", batch_size)
    x, y = as_examples(x, y)
    classify, is_one = _classifier(model, x, y)
    found = classify(x, batch_size)
    _warn_if_undefined(int(np.sum(found == _UNDEFINED)), len(y))
    if is_one:
        warn_if_all_are_one(found, y, level=3)
    return float(np.mean(found == y))


def r_squared(model: Model, x: Any, y: Any, *, batch_size: int = 500) -> float:
    """Share of the variance of y that a network predicts, in evaluation mode; the model is left as found.

        R^2 = 1 - sum of (f(x) - y)^2 / sum of (y - mean of y)^2

    Args:
        model: a network that gives one number an input, (batch,) or (batch, 1), of any form that `accuracy` takes.
        x: inputs (N, ...), or several arrays as for `accuracy`.
        y: the numbers to predict (N,).
        batch_size: inputs evaluated at once.

    Returns:
        A number of at most 1; below 0 where the mean of y predicts better. NaN, with a warning, if a prediction is NaN
        or infinite.

    Raises:
        ValueError: lengths that do not match, y that is one number throughout, several outputs an input, or a network
            that is random or depends on the other inputs of a batch.

    Example:
        >>> import jax.numpy as jnp
        >>> x = np.arange(6.0).reshape(3, 2)
        >>> r_squared(lambda x: x.sum(axis=1), x, [1.0, 5.0, 9.0]), r_squared(lambda x: 5 + 0 * x[:, 0], x, [1, 5, 9])
        (1.0, 0.0)
    """
    batch_size = check_count("batch_size", batch_size)
    x, y = as_inputs(x), as_numbers("y", y)
    if y.shape != (rows_of(x, "x"),):
        raise ValueError(
            f"x and y must be inputs (N, ...) and numbers (N,), got shapes {shown_shapes(x)} and {y.shape}"
        )
    if y.min() == y.max():
        raise ValueError(f"y must vary, got {y[0]:g} throughout: no share of its variance can be told")
    apply, params = as_apply(model, x)
    outputs = _outputs(apply, params, x)
    if not gives_one(outputs):
        raise ValueError(f"model must give one number an input, (2,) or (2, 1) for two; got {_shape(outputs)}")
    check_equal_outputs(apply, params, at_rows(x, 0), at_rows(x, -1))
    size = min(batch_size, len(y))
    found = np.asarray(inputs_program(_Predicted(as_predictor(apply)), params, x, size).values(x), np.float64)
    if unknown := int(np.sum(~np.isfinite(found))):
        warnings.warn(f"the predictions of {unknown} of {len(y)} inputs are NaN or infinite", stacklevel=2)
        return float("nan")
    return float(1 - np.sum((found - y) ** 2) / np.sum((y - y.mean()) ** 2))


def as_numbers(name: str, values: Any) -> np.ndarray:
    """Finite real numbers as float64; ValueError that names them."""
    check_known(name, values)
    found = np.asarray(check_array(name, values, "the numbers to predict, real and finite"))
    if found.dtype == bool or not np.isfinite(np.asarray(found, np.float64)).all():
        raise ValueError(f"{name} must be the numbers to predict, real and finite, got {found.dtype}")
    return found.astype(np.float64)


@dataclasses.dataclass(frozen=True)
class _Predicted:
    """The number that a network gives for each input."""

    apply: Apply

    def __call__(self, params: Any, whole: None, x: Array) -> Array:
        return self.apply(params, x)


def correctly_classified(
    model: Model | Sequence[Model], x: Any, y: Any, *, count: int, key: Array, batch_size: int = 500
) -> np.ndarray:
    """Draw inputs that the network classifies correctly, the same number of each class as far as there are.

    Args:
        model: a network as for `accuracy`; or several in a list that must all be correct.
        x: inputs (N, ...), or several arrays as for `accuracy`.
        y: class indices (N,).
        count: number of inputs to draw.
        key: `jax.random.key` of the draw.
        batch_size: inputs evaluated at once; evaluation stops when every class has its share.

    Returns:
        Row indices, int (count,), classes in turn; fewer, with a warning, if fewer are classified correctly.

    Raises:
        ValueError: no key, lengths that do not match, no network, outputs that are no logits (batch, classes), or no
            input is classified correctly.

    Warns:
        UserWarning: if fewer are classified correctly, and as `accuracy`.

    Example:
        >>> from interjax import networks
        >>> model = networks.build("mlp", (4,), 2, hidden=())
        >>> x, y = np.zeros((6, 4)), np.array([0, 0, 0, 1, 1, 1])
        >>> len(correctly_classified(model, x, y, count=3, key=jax.random.key(0)))
        3
    """
    check_key(key)
    x, y = as_examples(x, y)
    count, batch_size = check_count("count", count), check_count("batch_size", batch_size)
    classifiers = [_classifier(one, x, y) for one in as_networks(model)]
    n_classes = len(np.unique(y))
    order = np.asarray(jax.random.permutation(key, len(y)))
    correct, n_undefined = np.zeros(0, int), 0
    for start in range(0, len(y), batch_size):
        rows = order[start : start + batch_size]
        classes = np.stack([classify(at_rows(x, rows), batch_size) for classify, _ in classifiers])
        n_undefined += int(np.sum(np.any(classes == _UNDEFINED, axis=0)))
        correct = np.concatenate([correct, rows[np.all(classes == y[None, rows], axis=0)]])
        found = np.unique(y[correct], return_counts=True)[1]
        if len(found) == n_classes and found.min() >= -(-count // n_classes):
            break
    _warn_if_undefined(n_undefined, min(start + batch_size, len(y)))
    if any(is_one for _, is_one in classifiers):
        warn_if_all_are_one(y[correct], y[order[: start + batch_size]], level=3)  # none of class 0 was told
    if not len(correct):
        raise ValueError(f"the network classifies none of {len(y)} inputs correctly: train it first")
    if len(correct) < count:
        warnings.warn(f"only {len(correct)} of {count} inputs are classified correctly", stacklevel=2)
    turn = np.zeros(len(correct), int)
    for label in np.unique(y[correct]):
        of_class = y[correct] == label
        turn[of_class] = np.arange(of_class.sum())
    return correct[np.lexsort((y[correct], turn))][:count]


def _classifier(model: Model, like: Any, y: np.ndarray) -> tuple[Callable[[Any, int], np.ndarray], bool]:
    """(inputs, batch size) -> the class of the largest logit for each input, (N,), `_UNDEFINED` if they tell none; and
    whether the network gives one logit."""
    apply, params = as_apply(model, like)
    apply, classes = _classes_of(apply, params, like)
    if y.max() >= classes:
        raise ValueError(f"y must hold class indices from 0 to {classes - 1}, as the network gives; got {y.max()}")
    check_equal_outputs(apply, params, at_rows(like, 0), at_rows(like, -1))  # at the device's precision
    programs: dict[int, RowProgram] = {}

    def classify(x: Any, batch_size: int) -> np.ndarray:
        size = min(batch_size, rows_of(x, "x"))
        if size not in programs:
            programs[size] = inputs_program(_LargestLogit(apply), params, x, size)
        return programs[size].values(x)

    return classify, is_of_one_logit(apply)


@dataclasses.dataclass(frozen=True)
class _LargestLogit:
    """The class of the largest logit of each input; argmax alone would give that of the first NaN."""

    apply: Apply

    def __call__(self, params: Any, whole: None, x: Array) -> Array:
        logits: Any = self.apply(params, x)
        return jnp.where(tell_classes(logits), logits.argmax(axis=-1), _UNDEFINED)


def _classes_of(apply: Apply, params: Any, x: Any) -> tuple[Apply, int]:
    """The network as one that gives logits, and how many; ValueError unless it does."""
    logits = _outputs(apply, params, x)
    is_one = gives_one(logits)
    if not is_one and (len(getattr(logits, "shape", ())) != 2 or logits.shape[0] != 2):
        raise ValueError(f"model must turn 2 inputs into logits (2, classes), got {_shape(logits)}")
    apply, classes = as_classifier(apply, logits), 2 if is_one else logits.shape[-1]
    if not is_real(logits):
        raise ValueError(f"model must give logits that are real numbers, got {logits.dtype}")
    return apply, classes


def _outputs(apply: Apply, params: Any, x: Any) -> Any:
    """Shapes of what a network gives for a batch of two."""
    batch = like_batch(x, 2)
    try:
        return jax.eval_shape(apply, params, batch)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"model is a network that fails on inputs of shape {shown_shapes(batch)}: {error}") from error


def _shape(outputs: Any) -> str:
    leaves = jax.tree.leaves(outputs)
    return shown_shapes(outputs) if leaves and all(hasattr(leaf, "shape") for leaf in leaves) else "no array"


def _warn_if_undefined(count: int, total: int) -> None:
    if count:
        warnings.warn(
            f"the logits of {count} of {total} inputs are NaN, or the largest is infinite: these count as wrong",
            stacklevel=3,
        )
