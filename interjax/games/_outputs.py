"""The scalar that a game reads off a network's logits: log-odds, log-probability, logit, probability."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from interjax._core._checks import is_real
from interjax.games._apply import shown_shapes
from interjax.games._closures import Closure


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LabelOutput:
    """logits (classes,) -> scalar for one label; the label is data, so another label does not retrace."""

    function: Callable[[Array, Array], Array] = dataclasses.field(metadata={"static": True})
    label: Array

    def __call__(self, logits: Float[Array, " classes"]) -> Array:
        return self.function(logits, self.label)


def _classes(logits: Array) -> Array:
    """Logits of all classes; a network's one output is the logit of class 1 beside 0 of class 0."""
    if logits.size > 1:
        return logits
    one = jnp.reshape(logits, ())
    return jnp.stack([jnp.zeros_like(one), one])


def _log_odds(logits: Array, label: Array) -> Array:
    logits = _classes(logits)
    others = jnp.where(jnp.arange(logits.shape[0]) == label, -jnp.inf, logits)
    return logits[label] - jax.nn.logsumexp(others)


def _log_prob(logits: Array, label: Array) -> Array:
    return jax.nn.log_softmax(_classes(logits))[label]


def _logit(logits: Array, label: Array) -> Array:
    return logits[label]


def _prob(logits: Array, label: Array) -> Array:
    return jax.nn.softmax(_classes(logits))[label]


def log_odds(label: int) -> LabelOutput:
    """The label's log-odds, the papers' choice of value.

        v = log p_y / (1 - p_y) = z_y - logsumexp over k != y of z_k

    A network of one output z gives the logit of class 1: p_1 = sigmoid(z), v = z for label 1 and -z for label 0. So do
    `log_prob` and `prob` take it.

    Args:
        label: class number y, 0..classes-1.

    Returns:
        A callable: logits (classes,) -> scalar in nats.

    Example:
        >>> import interjax as ij, jax.numpy as jnp
        >>> round(float(ij.log_odds(0)(jnp.array([2.0, 0.0]))), 6)
        2.0

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), section 2.
    """
    return LabelOutput(_log_odds, _as_label(label))


def log_prob(label: int) -> LabelOutput:
    """The label's log-probability, v = log p_y = z_y - logsumexp over all k of z_k, in nats.

    Args:
        label: class number y, 0..classes-1.

    Returns:
        A callable: logits (classes,) -> scalar in nats, at most 0.

    Example:
        >>> import interjax as ij, jax.numpy as jnp
        >>> round(float(ij.log_prob(1)(jnp.zeros(4))), 4)
        -1.3863
    """
    return LabelOutput(_log_prob, _as_label(label))


def logit(label: int) -> LabelOutput:
    """The label's logit, v = z_y, of networks that give one for each class.

    Args:
        label: class number y, 0..classes-1.

    Returns:
        A callable: logits (classes,) -> scalar.

    Example:
        >>> import interjax as ij, jax.numpy as jnp
        >>> float(ij.logit(1)(jnp.array([0.0, 3.0])))
        3.0
    """
    return LabelOutput(_logit, _as_label(label))


def prob(label: int) -> LabelOutput:
    """The label's probability, v = p_y = softmax(z)_y.

    Args:
        label: class number y, 0..classes-1.

    Returns:
        A callable: logits (classes,) -> scalar in [0, 1].

    Example:
        >>> import interjax as ij, jax.numpy as jnp
        >>> float(ij.prob(0)(jnp.zeros(4)))
        0.25
    """
    return LabelOutput(_prob, _as_label(label))


OF_LABELS = (log_odds, log_prob, logit, prob)
"""The outputs that are made of a label."""


def is_of_label(output: Any) -> bool:
    """Whether it is one of these, without a label."""
    return any(output is each for each in OF_LABELS)


def gives_logits(output: Any) -> bool:
    """Whether an output takes what it is given for logits, of which it makes probabilities."""
    return isinstance(output, LabelOutput) and output.function in (_log_odds, _log_prob, _prob)


def tell_classes(logits: Array) -> Array:
    """Whether logits (batch, classes) tell the class of each input: the largest is finite; masked classes have -inf."""
    return jnp.isfinite(logits.max(axis=-1))


def as_output(output: Any, *arguments: Any) -> Any:
    """An output of a row (...) and perhaps its label: one of ours as it is, any other callable as its `Closure`."""
    if isinstance(output, LabelOutput):
        return output
    try:
        return Closure.of(output, arguments)
    except (TypeError, ValueError) as error:
        why = "it gives a function" if "<class 'function'>" in str(error) else error
        raise ValueError(
            f"output fails on what the network gives for one input, {shown_shapes(arguments[0])}: {why}. It is a "
            "function of that, or of (that, label): lambda z, label: z[label], not lambda label: lambda z: z[label]"
        ) from error


def check_output(output: Any, row: Any) -> None:
    """Raise ValueError unless `output` turns a network's outputs of one input into one scalar."""
    if isinstance(output, LabelOutput):
        _check_label(output, row)
        return
    value = jax.eval_shape(output, row)
    if getattr(value, "shape", None) != ():
        raise ValueError(
            f"output must give one scalar for what the network gives for one input, {shown_shapes(row)}; got {value}"
        )
    if not is_real(value):
        raise ValueError(f"output must give real numbers, got {value.dtype}: take the real part, or the absolute value")


def _check_label(output: LabelOutput, row: Any) -> None:
    shape = getattr(row, "shape", None)
    is_one = shape in ((), (1,))
    if shape is None or (len(shape) != 1 and not is_one):
        raise ValueError(
            "expected logits of shape (batch, classes) for an output of one label, and model gives "
            f"{shown_shapes(row)} for an input: pass a function of that, e.g. output=lambda z: z[0, 0]"
        )
    if is_one and output.function is _logit:
        raise ValueError(
            "the network gives one number an input, of which ij.logit could be the label's or not: leave output out "
            "for the number itself, or take ij.log_odds, which is it for label 1 and its negative for label 0"
        )
    classes, label = 2 if is_one else row.shape[0], output.label
    if not isinstance(label, Tracer) and not 0 <= int(label) < classes:
        given = "one output, the logit of class 1" if is_one else str(classes)
        raise ValueError(
            f"label must be a class number from 0 to {classes - 1}, as the network gives {given}; got {int(label)}"
        )
    if not is_real(row):
        raise ValueError(f"expected logits that are real numbers for an output of one label, got {row.dtype}")


def _as_label(label: Any) -> Array:
    if isinstance(label, jax.Array):
        if label.ndim or not jnp.issubdtype(label.dtype, jnp.integer):
            raise ValueError(f"label must be one integer class number, got shape {label.shape} of {label.dtype}")
        return label.astype(jnp.int32)
    array = np.asarray(label)
    if array.ndim or not np.issubdtype(array.dtype, np.integer) or array < 0:
        raise ValueError(f"label must be one integer class number from 0 on, got {label!r}")
    return jnp.asarray(array, jnp.int32)
