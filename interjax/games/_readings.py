"""What `output` means: the number that a game reads off a network's output, of a label or of none."""

import dataclasses
import inspect
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_array, shown
from interjax.games._apply import row_of, shown_shapes
from interjax.games._closures import Closure
from interjax.games._outputs import LabelOutput, as_output, check_output, is_of_label, log_odds

WANTED = (
    "output must be one of ij.log_odds, ij.log_prob, ij.logit, ij.prob, one of these with its label, such as "
    "ij.log_odds(3), or a function of the network's output for one input that gives a scalar, of (output, label) "
    "where there are labels"
)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _OfOutputAndLabel:
    """(output, label) -> scalar for one label; the label is data, so another label does not retrace."""

    function: Closure
    label: Array

    def __call__(self, row: Any) -> Array:
        return self.function(row, self.label)


@dataclasses.dataclass(frozen=True)
class Reading:
    """What is read off outputs of one shape.

    Attributes:
        of: label -> what `MaskedGame.output` is, checked; the label is None where none is wanted.
        wants: "class" for class numbers, "label" for what the function is given, or None.
    """

    of: Callable[[Any], Any]
    wants: str | None


def check_reading(output: Any) -> None:
    """Raise ValueError unless `output` is of a kind that is read, or None."""
    if output is not None and (not callable(output) or isinstance(output, type)):
        raise ValueError(f"{WANTED}; got {shown(output)}")


def takes_label(output: Any) -> bool:
    """Whether it is a function that needs two arguments: an output and a label. One with a default needs one."""
    if isinstance(output, LabelOutput) or is_of_label(output):
        return False
    try:
        parameters = inspect.signature(output).parameters.values()
    except (TypeError, ValueError):  # it does not say what it takes
        return False
    placed = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in placed and each.default is each.empty for each in parameters) == 2


def reading_of(output: Any, batch: Any, label: Any = None) -> Reading:
    """What `output` reads off a network's outputs.

    Args:
        output: as `ij.masked_games` takes it; None = the log-odds of the class, or the one output there is.
        batch: shapes and types of a batch of outputs, an array or a pytree of them.
        label: the first input's, None where there are no labels.

    Raises:
        ValueError: if the outputs, the label and `output` do not go together.
    """
    check_reading(output)
    row = row_of(batch)
    if output is None:
        output = _by_default(row, label)
    if is_of_label(output):
        check_output(output(0), row)
        return Reading(lambda label: _checked(output(label), row), "class")
    if not takes_label(output):
        read = _checked(as_output(output, row), row)
        return Reading(lambda _: read, None)
    if label is None:
        raise ValueError(f"output takes (output, label), and there are no labels: give them; {WANTED}")
    label = as_label(label)
    function = as_output(output, row, jax.ShapeDtypeStruct(label.shape, label.dtype))
    found = _checked(_OfOutputAndLabel(function, label), row)
    return Reading(lambda label: dataclasses.replace(found, label=as_label(label)), "label")


def _by_default(row: Any, label: Any) -> Callable:
    shape = getattr(row, "shape", None)
    if shape in ((), (1,)):
        kind = getattr(label, "dtype", None) or np.asarray(label).dtype
        is_class = label is not None and kind.kind in "iub"
        return log_odds if is_class else _the_one
    if shape is not None and len(shape) == 1 and shape[0]:
        return log_odds
    raise ValueError(
        f"model gives {shown_shapes(row)} for an input, neither logits of classes nor one number: pass output=, a "
        "function of that which gives a scalar"
    )


def reads_class(output: Any, row: Any, labels: Any) -> int:
    """How many classes there are where `output` reads that of each input's label; 0 where it reads none.

    Args:
        output: as `ij.masked_games` takes it.
        row: shapes and types of what the network gives for one input.
        labels: (batch, ...), maybe traced; or None.
    """
    check_reading(output)
    if output is None:
        output = _by_default(row, labels)
    if not is_of_label(output):
        return 0
    if labels is None:
        raise ValueError("labels must be the class of each input for an output of the label's class; got None")
    check_output(output(0), row)
    return max(2, math.prod(row.shape))


def read_of(output: Any, row: Any, label: Array | None) -> Callable[[Array], Array]:
    """What reads outputs of one input whose label may be traced, as inside a loss; checked."""
    check_reading(output)
    if output is None:
        output = _by_default(row, label)
    if is_of_label(output):
        return _checked(output(label), row)
    if takes_label(output):
        if label is None:
            raise ValueError(f"output takes (output, label), and there are no labels: give them; {WANTED}")
        function = output
        output = lambda row: function(row, label)  # noqa: E731
    return _checked(as_output(output, row), row)


def as_label(label: Any) -> Array:
    """A label as a function of (output, label) gets it."""
    return jnp.asarray(check_array("labels", label, "real numbers, one for each input"))


def as_labels(labels: Any) -> Any:
    """Labels as something with a length and an order; ValueError that names them."""
    if (
        isinstance(labels, str | bytes | dict | set)
        or not hasattr(labels, "__len__")
        or getattr(labels, "shape", (1,)) == ()
    ):
        raise ValueError(f"labels must be a sequence, one for each input; got {shown(labels)}")
    return labels.to_numpy() if hasattr(labels, "to_numpy") else labels  # a Series is looked up by its index


def _the_one(row: Array) -> Array:
    return jnp.reshape(row, ())


def _checked(output: Any, row: Any) -> Any:
    check_output(output, row)
    return output
