"""Whether a network gives one output for one input, whatever is beside it: looked at once when a game is made."""

import dataclasses
import functools
import warnings
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array

from interjax.games._apply import CHANGES_ITSELF, Apply, flat_rows
from interjax.games._double import in_double
from interjax.games._outputs import gives_logits

_ROUNDING = {"float32": 1e-4}  # relative to an output's largest value: what differs by more is no rounding
_COARSE_ROUNDING = 0.05
_DOUBLE_ROUNDING = 1e-9
_OF_OTHERS = 1e-5  # relative to other outputs, whose sums may have cancelled
_SMALL_INTEGERS = 2  # bytes of types in which numbers of everyday wrap
_OF_ONE = 1e-3  # how near to 1 probabilities sum
CAUSES = (
    "it is random (dropout or noise left on) or depends on the other rows of the batch (batch statistics); "
    "give it as it is evaluated, e.g. in evaluation mode"
)


def check_deterministic(
    network: Apply, params: Any, x: Any, other: Any, output: Any, precision: str | None
) -> list[np.ndarray] | None:
    """Raise ValueError if an input has other outputs elsewhere in a batch or alone; six rows through the network.

    Args:
        network: (params, inputs) -> outputs, at its precision.
        params: its parameters.
        x: one input.
        other: what is put beside the input, of the baseline.
        output: that of the game; one that expects logits warns of probabilities.
        precision: of the network.

    Returns:
        The network's outputs of the input and of what is beside it, flat; None where they cannot be looked at.
    """
    outputs = check_equal_outputs(network, params, x, other, precision)
    if outputs is not None and gives_logits(output) and are_probabilities(*outputs):
        warn_of_probabilities()
    return outputs


def check_equal_outputs(
    network: Apply, params: Any, x: Any, other: Any, precision: str | None = None
) -> list[np.ndarray] | None:
    """Raise ValueError if a network gives an input other outputs elsewhere in a batch or alone.

    Args:
        network: (params, inputs) -> outputs.
        params: its parameters.
        x, other: two inputs; a third is made of entries of both.
        precision: of the network; None = the device's own, which may round products to bfloat16.

    Returns:
        Outputs of the two inputs; None where they cannot be looked at, inside jit and on other hosts' devices.
    """
    leaves = jax.tree.leaves((params, x, other))
    if any(isinstance(leaf, Tracer) or not getattr(leaf, "is_fully_addressable", True) for leaf in leaves):
        return None
    # In NumPy the inputs are on no device, and go where the parameters are.
    x, other = jax.tree.map(np.asarray, (x, other))
    between = jax.tree.map(_mixed, x, other)
    try:
        outputs = _outputs(_Look(network), params, (x, other, between))
    except jax.errors.UnexpectedTracerError as error:
        raise ValueError(f"model is {CHANGES_ITSELF}") from error
    share = _ROUNDING.get(precision or "", _COARSE_ROUNDING)
    if (change := difference(outputs, share)) is not None:
        # Sums that cancel differ more in batches of other sizes; in double precision only what is no rounding is left.
        double = in_double(_Look(network), params, (x, other, between))
        if double is None or difference(double, _DOUBLE_ROUNDING) is not None:
            raise ValueError(f"the network must give one output for one input, got {change}: {CAUSES}")
    if isinstance(x, np.ndarray):
        _warn_if_it_wraps(network, params, np.stack([x, other, between]), share)
    together = np.asarray(outputs[0], np.float64).reshape(len(outputs[0]), -1)
    return [together[1], together[0]]


def _warn_if_it_wraps(network: Apply, params: Any, x: np.ndarray, share: float) -> None:
    """Warn of a network that computes in the small integers that it is given, where x - 128 of uint8 is never < 0."""
    if x.dtype.kind not in "iu" or x.dtype.itemsize > _SMALL_INTEGERS:
        return
    try:
        own, as_float = (np.asarray(_forward(network, params, each), np.float64) for each in (x, x.astype(np.float32)))
    except (TypeError, ValueError, IndexError):  # a network of token ids takes no fractions
        return
    if own.shape == as_float.shape and np.abs(own - as_float).max() > share * np.abs(as_float).max():
        warnings.warn(
            f"the network has outputs for inputs of {x.dtype} other than for the same as float32, by up to "
            f"{np.abs(own - as_float).max():.3g}: sums and differences of {x.dtype} wrap; give the inputs as float32 "
            "if that is not meant",
            stacklevel=5,
        )


def warn_of_sigmoid() -> None:
    """Warn that a network's one output is a probability where it is taken for a logit."""
    warnings.warn(
        "the network's output is a sigmoid, where log-odds and probabilities of a label are taken of its logit: "
        "leave the sigmoid out, or pass an output of your own, e.g. output=lambda p: jnp.log(p[0] / (1 - p[0]))",
        stacklevel=4,
    )


def warn_if_all_are_one(found: np.ndarray, y: np.ndarray, level: int, who: str = "the network") -> None:
    """Warn, so many frames up, of inputs of two classes that are all told class 1, as they are where a probability is
    taken for a logit: it is never below 0."""
    if set(np.unique(y)) == {0, 1} and np.all(found == 1):
        warnings.warn(
            f"{who} tells class 1 of every input, though there are some of class 0: if its one output is a probability "
            "(a sigmoid), give the logit in its place, of which the sign tells the class",
            stacklevel=level,
        )


def warn_of_probabilities(name: str = "", level: int = 5) -> None:
    """Warn, so many frames up, that a network, of this name among several, gives probabilities for logits."""
    who = f"networks: {name!r} has outputs that" if name else "the network's outputs"
    warnings.warn(
        f"{who} are probabilities, positive and of sum 1, where log-odds, log-probabilities and "
        "probabilities are taken of logits: leave its softmax out, or pass an output of your own, e.g. "
        "output=lambda p: jnp.log(p[y] / (1 - p[y]))",
        stacklevel=level,
    )


def difference(outputs: Sequence[Any], share: float) -> str | None:
    """In words how outputs of one input differ beside others and alone, beyond a share of the largest; None if not."""
    together, alone = (np.asarray(each, np.float64).reshape(len(each), -1) for each in outputs)
    finite = np.where(np.isfinite(together), together, 0.0)
    largest = np.abs(finite).max(axis=0)
    varied = largest.max(initial=0.0, where=np.ptp(finite, axis=0) > 0)  # a masked class has one value, e.g. -1e9
    least = np.maximum(share * largest, _OF_OTHERS / _ROUNDING["float32"] * share * varied)
    places = {"in the same batch": (together[1], together[3]), "alone": (together[1], alone[0])}
    places["between the input and the baseline, alone"] = together[2], alone[1]
    for where, (one, again) in places.items():
        if (change := _change(one, again, np.maximum(least, np.finfo(np.float32).tiny))) is not None:
            return f"{change} for the same input {where}"
    return None


def _change(one: np.ndarray, again: np.ndarray, least: Any) -> str | None:
    """In words how far two outputs differ; None if by no more than this."""
    if not np.array_equal(np.isfinite(one), np.isfinite(again)):
        return "finite outputs here, NaN or infinite ones there,"
    change = np.abs(np.subtract(again, one, where=np.isfinite(one), out=np.zeros_like(one)))
    return f"outputs that differ by {change.max():.3g}" if np.any(change > least) else None


def are_probabilities(*rows: np.ndarray) -> bool:
    """Whether the outputs of some inputs are positive and sum to 1, and not all are those of one class."""
    each = all(len(row) > 1 and row.min() >= 0 and abs(row.sum() - 1) < _OF_ONE for row in rows)
    return each and any(row.max() < 1 for row in rows)


def _mixed(x: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Entries of one and of the other in turn."""
    return np.where(np.arange(x.size).reshape(x.shape) % 2 == 0, x, other)


def _stacked(*inputs: Any) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *inputs)


@dataclasses.dataclass(frozen=True)
class _Look:
    """Outputs of the second, the first, the third and again the first input together; of the first and third alone."""

    network: Apply

    def __call__(self, params: Any, inputs: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        x, other, between = inputs
        together = self.network(params, _stacked(other, x, between, x))
        one_row = lambda one: jax.tree.map(lambda leaf: leaf[None], one)  # noqa: E731
        alone = jax.lax.map(lambda one: self.network(params, one_row(one)), _stacked(x, between))
        return flat_rows(together), flat_rows(alone)


@functools.partial(jax.jit, static_argnums=0)
def _forward(network: Apply, params: Any, x: Array) -> Array:
    return flat_rows(network(params, x))


@functools.partial(jax.jit, static_argnums=0)
def _outputs(look: _Look, params: Any, inputs: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    return look(params, inputs)
