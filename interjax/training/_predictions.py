"""What a trained network gets right: accuracy, and inputs that it classifies correctly."""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_count, check_examples, is_real
from interjax._core._keys import check_key
from interjax._engine._rows import RowProgram
from interjax.games._apply import Apply
from interjax.games._evaluation_probe import check_equal_outputs
from interjax.games._inputs import inputs_program
from interjax.games._models import as_apply, as_networks
from interjax.games._outputs import tell_classes

Model = Any

_UNDEFINED = np.iinfo(np.int32).min  # class of an input whose logits tell none


def accuracy(model: Model, x: Any, y: Any, *, batch_size: int = 500) -> float:
    """Fraction of inputs whose largest logit is their class, in evaluation mode; the model is left as found.

    Args:
        model: a network, inputs (batch, ...) -> logits (batch, classes): an nnx module, (Linen module, variables),
            (function(params, inputs), params) or function(inputs). Dropout is off, whatever mode it is in.
        x: inputs (N, ...).
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
    x, y = check_examples(x, y)
    found = _classifier(model, x, y)(x, batch_size)
    _warn_if_undefined(int(np.sum(found == _UNDEFINED)), len(x))
    return float(np.mean(found == y))


def correctly_classified(
    model: Model | Sequence[Model], x: Any, y: Any, *, count: int, key: Array, batch_size: int = 500
) -> np.ndarray:
    """Draw inputs that the network classifies correctly, the same number of each class as far as there are.

    Args:
        model: a network as for `accuracy`; or several in a list that must all be correct.
        x: inputs (N, ...).
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
    x, y = check_examples(x, y)
    count, batch_size = check_count("count", count), check_count("batch_size", batch_size)
    classifiers = [_classifier(one, x, y) for one in as_networks(model)]
    n_classes = len(np.unique(y))
    order = np.asarray(jax.random.permutation(key, len(x)))
    correct, n_undefined = np.zeros(0, int), 0
    for start in range(0, len(x), batch_size):
        rows = order[start : start + batch_size]
        classes = np.stack([classify(x[rows], batch_size) for classify in classifiers])
        n_undefined += int(np.sum(np.any(classes == _UNDEFINED, axis=0)))
        correct = np.concatenate([correct, rows[np.all(classes == y[None, rows], axis=0)]])
        found = np.unique(y[correct], return_counts=True)[1]
        if len(found) == n_classes and found.min() >= -(-count // n_classes):
            break
    _warn_if_undefined(n_undefined, min(start + batch_size, len(x)))
    if not len(correct):
        raise ValueError(f"the network classifies none of {len(x)} inputs correctly: train it first")
    if len(correct) < count:
        warnings.warn(f"only {len(correct)} of {count} inputs are classified correctly", stacklevel=2)
    turn = np.zeros(len(correct), int)
    for label in np.unique(y[correct]):
        of_class = y[correct] == label
        turn[of_class] = np.arange(of_class.sum())
    return correct[np.lexsort((y[correct], turn))][:count]


def _classifier(model: Model, like: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray, int], np.ndarray]:
    """(inputs, batch size) -> the class of the largest logit for each input, (N,), `_UNDEFINED` if they tell none."""
    apply, params = as_apply(model, like)
    shape = _shape_of_logits(apply, params, like)
    if y.max() >= shape[1]:
        raise ValueError(f"y must hold class indices from 0 to {shape[1] - 1}, as the network gives; got {y.max()}")
    check_equal_outputs(apply, params, like[0], like[-1])  # at the device's precision
    programs: dict[int, RowProgram] = {}

    def classify(x: np.ndarray, batch_size: int) -> np.ndarray:
        size = min(batch_size, len(x))
        if size not in programs:
            programs[size] = inputs_program(_LargestLogit(apply), params, x, size)
        return programs[size].values(x)

    return classify


@dataclasses.dataclass(frozen=True)
class _LargestLogit:
    """The class of the largest logit of each input; argmax alone would give that of the first NaN."""

    apply: Apply

    def __call__(self, params: Any, whole: None, x: Array) -> Array:
        logits: Any = self.apply(params, x)
        return jnp.where(tell_classes(logits), logits.argmax(axis=-1), _UNDEFINED)


def _shape_of_logits(apply: Apply, params: Any, x: np.ndarray) -> tuple[int, int]:
    """(batch, classes) of a batch of two; ValueError unless the network gives logits."""
    batch = jax.ShapeDtypeStruct((2, *x.shape[1:]), jax.dtypes.canonicalize_dtype(x.dtype))
    try:
        logits = jax.eval_shape(apply, params, batch)
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"model is a network that fails on inputs of shape {batch.shape}: {error}") from error
    shape = getattr(logits, "shape", None)
    if shape is None or len(shape) != 2 or shape[0] != 2:
        raise ValueError(f"model must turn 2 inputs into logits (2, classes), got {shape}")
    if not is_real(logits):
        raise ValueError(f"model must give logits that are real numbers, got {logits.dtype}")
    return shape


def _warn_if_undefined(count: int, total: int) -> None:
    if count:
        warnings.warn(
            f"the logits of {count} of {total} inputs are NaN, or the largest is infinite: these count as wrong",
            stacklevel=3,
        )
