"""What a trained network gets right: accuracy, and inputs that it classifies correctly."""

import functools
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx
from jaxtyping import Array

from interjax._core._checks import check_count, check_examples

Model = Any


def accuracy(model: Model, x: Any, y: Any, *, batch_size: int = 500) -> float:
    """Fraction of inputs whose largest logit is their class, in evaluation mode; the model is left as found.

    Args:
        model: nnx module, inputs (batch, ...) -> logits (batch, classes).
        x: inputs (N, ...).
        y: class indices (N,).
        batch_size: inputs evaluated at once.

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: lengths that do not match, or no inputs.

    Example:
        >>> from interjax import networks
        >>> accuracy(networks.build("mlp", (4,), 2, hidden=()), np.zeros((6, 4)), np.zeros(6, int))
        1.0
    """
    x, y = check_examples(x, y)
    return float(np.mean(_predict(model, x, batch_size) == y))


def correctly_classified(
    model: Model | Sequence[Model], x: Any, y: Any, *, count: int, key: Array, batch_size: int = 500
) -> np.ndarray:
    """Draw inputs that the network classifies correctly, the same number of each class as far as there are.

    Args:
        model: nnx module, inputs (batch, ...) -> logits (batch, classes); or several that must all be correct.
        x: inputs (N, ...).
        y: class indices (N,).
        count: number of inputs to draw.
        key: `jax.random.key` of the draw.
        batch_size: inputs evaluated at once; evaluation stops when every class has its share.

    Returns:
        Row indices, int (count,), classes in turn; fewer, with a warning, if fewer are classified correctly.

    Raises:
        ValueError: lengths that do not match, or no input is classified correctly.

    Example:
        >>> from interjax import networks
        >>> model = networks.build("mlp", (4,), 2, hidden=())
        >>> x, y = np.zeros((6, 4)), np.array([0, 0, 0, 1, 1, 1])
        >>> len(correctly_classified(model, x, y, count=3, key=jax.random.key(0)))
        3
    """
    x, y = check_examples(x, y)
    count = check_count("count", count)
    models = model if isinstance(model, Sequence) else [model]
    n_classes = len(np.unique(y))
    order = np.asarray(jax.random.permutation(key, len(x)))
    correct = np.zeros(0, int)
    for start in range(0, len(x), batch_size):
        rows = order[start : start + batch_size]
        agreed = np.all([_predict(one, x[rows], batch_size) == y[rows] for one in models], axis=0)
        correct = np.concatenate([correct, rows[agreed]])
        found = np.unique(y[correct], return_counts=True)[1]
        if len(found) == n_classes and found.min() >= -(-count // n_classes):
            break
    if not len(correct):
        raise ValueError(f"the network classifies none of {len(x)} inputs correctly: train it first")
    if len(correct) < count:
        warnings.warn(f"only {len(correct)} of {count} inputs are classified correctly", stacklevel=2)
    turn = np.zeros(len(correct), int)
    for label in np.unique(y[correct]):
        of_class = y[correct] == label
        turn[of_class] = np.arange(of_class.sum())
    return correct[np.lexsort((y[correct], turn))][:count]


def _predict(model: Model, x: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """The class of the largest logit for each input, (N,)."""
    evaluated = nnx.with_attributes(model, deterministic=True, use_running_average=True, raise_if_not_found=False)
    graphdef, state = nnx.split(evaluated)
    batch_size = min(batch_size, len(x))
    classes = []
    for start in range(0, len(x), batch_size):
        # The last batch repeats the last input, so that all have one shape and compile once.
        rows = np.minimum(np.arange(start, start + batch_size), len(x) - 1)
        classes.append(np.asarray(_largest_logit(graphdef, state, x[rows])))
    return np.concatenate(classes)[: len(x)]


@functools.partial(jax.jit, static_argnums=0)
def _largest_logit(graphdef: nnx.GraphDef, state: nnx.State, x: Array) -> Array:
    return nnx.merge(graphdef, state)(x).argmax(axis=-1)
