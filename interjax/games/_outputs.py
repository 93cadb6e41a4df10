"""The scalar that a game reads off a network's logits: log-odds, log-probability, logit, probability."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from interjax._core._checks import is_real, shown
from interjax.games._closures import Closure


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LabelOutput:
    """logits (classes,) -> scalar for one label; the label is data, so another label does not retrace."""

    function: Callable[[Array, Array], Array] = dataclasses.field(metadata={"static": True})
    label: Array

    def __call__(self, logits: Float[Array, " classes"]) -> Array:
        return self.function(logits, self.label)


def _log_odds(logits: Array, label: Array) -> Array:
    others = jnp.where(jnp.arange(logits.shape[0]) == label, -jnp.inf, logits)
    return logits[label] - jax.nn.logsumexp(others)


def _log_prob(logits: Array, label: Array) -> Array:
    return jax.nn.log_softmax(logits)[label]


def _logit(logits: Array, label: Array) -> Array:
    return logits[label]


def _prob(logits: Array, label: Array) -> Array:
    return jax.nn.softmax(logits)[label]


def log_odds(label: int) -> LabelOutput:
    """The label's log-odds, the papers' choice of value.

        v = log p_y / (1 - p_y) = z_y - logsumexp over k != y of z_k

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
    """The label's logit, v = z_y.

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


def gives_logits(output: Any) -> bool:
    """Whether an output takes what it is given for logits, of which it makes probabilities."""
    return isinstance(output, LabelOutput) and output.function in (_log_odds, _log_prob, _prob)


def tell_classes(logits: Array) -> Array:
    """Whether logits (batch, classes) tell the class of each input: the largest is finite; masked classes have -inf."""
    return jnp.isfinite(logits.max(axis=-1))


def as_labels(labels: Any) -> Any:
    """Labels as something with a length and an order; ValueError that names them."""
    if (
        isinstance(labels, str | bytes | dict | set)
        or not hasattr(labels, "__len__")
        or getattr(labels, "shape", (1,)) == ()
    ):
        raise ValueError(f"labels must be a sequence, one for each input; got {shown(labels)}")
    return labels


def output_of(output: Callable[[Any], Any], label: Any) -> Any:
    """The output of a label; ValueError if the function takes none."""
    try:
        found = output(label)
    except TypeError as error:
        raise ValueError(
            f"output must be a function of a label, such as ij.log_odds; it fails on one: {error}"
        ) from error
    if not callable(found):
        raise ValueError(f"output must turn a label into a function of the logits, got {shown(found)} for one")
    return found


def as_output(output: Any, logits: jax.ShapeDtypeStruct) -> Any:
    """Check an output of such logits (batch, ...): one of ours as it is, any other callable as its `Closure`."""
    if isinstance(output, LabelOutput):
        return output
    if not callable(output):
        raise ValueError(
            "output must be ij.log_odds(label), ij.log_prob(label), ij.logit(label), ij.prob(label) or a callable: "
            f"logits -> scalar; got {type(output).__name__}"
        )
    row = jax.ShapeDtypeStruct(logits.shape[1:], logits.dtype)
    try:
        return Closure.of(output, (row,))
    except (TypeError, ValueError) as error:
        raise ValueError(f"output fails on what the network gives for one input, {row.shape}: {error}") from error


def check_output(output: Any, logits: jax.ShapeDtypeStruct) -> None:
    """Raise ValueError unless `output` turns these logits (batch, ...) into one scalar a row."""
    if isinstance(output, LabelOutput):
        if len(logits.shape) != 2 or logits.shape[1] < 2:
            raise ValueError(
                f"expected logits of shape (batch, classes >= 2) for an output of one label, got {logits.shape}; for a "
                "single output pass a callable, e.g. output=lambda z: z[0]"
            )
        label = output.label
        if not isinstance(label, Tracer) and not 0 <= int(label) < logits.shape[1]:
            raise ValueError(
                f"label must be a class number from 0 to {logits.shape[1] - 1}, as the network gives "
                f"{logits.shape[1]}; got {int(label)}"
            )
        if not is_real(logits):
            raise ValueError(f"expected logits that are real numbers for an output of one label, got {logits.dtype}")
        return
    value = jax.eval_shape(jax.vmap(output), logits)
    if getattr(value, "shape", None) != logits.shape[:1]:
        raise ValueError(f"output must give one scalar for each row of logits {logits.shape}, got {value}")
    if not is_real(value):
        raise ValueError(f"output must give real numbers, got {value.dtype}: take the real part, or the absolute value")


def _as_label(label: Any) -> Array:
    if isinstance(label, jax.Array):
        if label.ndim or not jnp.issubdtype(label.dtype, jnp.integer):
            raise ValueError(f"label must be one integer class number, got shape {label.shape} of {label.dtype}")
        return label.astype(jnp.int32)
    array = np.asarray(label)
    if array.ndim or not np.issubdtype(array.dtype, np.integer) or array < 0:
        raise ValueError(f"label must be one integer class number from 0 on, got {label!r}")
    return jnp.asarray(array, jnp.int32)
