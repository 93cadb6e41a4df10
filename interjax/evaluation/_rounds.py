"""What a network makes of examples, as they are or changed, kept in a folder batch by batch."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from interjax._engine._folders import Partial, RunFolder
from interjax.evaluation._cross_entropy import cross_entropy
from interjax.games._apply import Apply
from interjax.games._batches import at_rows
from interjax.games._inputs import inputs_program
from interjax.games._outputs import tell_classes


@dataclasses.dataclass(frozen=True)
class Graded:
    """What a network made of each example: whether it was right, its loss in nats, whether its logits tell a class."""

    correct: np.ndarray
    loss: np.ndarray
    finite: np.ndarray


@dataclasses.dataclass(frozen=True)
class Missed:
    """By how much a network's prediction of each example's number is off, and whether that is finite."""

    error: np.ndarray
    finite: np.ndarray


@dataclasses.dataclass(frozen=True)
class Round:
    """Examples, by their numbers among (x, y), in the form in which networks are tested on them."""

    name: str
    x: Any
    y: np.ndarray
    numbers: np.ndarray
    change: Callable[..., Array] | None = None

    def grade(self, grading: Any, params: Any, batch_size: int, run: RunFolder | None = None, piece: str = "") -> Any:
        """The examples graded by a network's `Grades` or `Misses`, a batch at a time, as `Graded` or `Missed`.

        What a run's folder has of this piece is not computed again.
        """
        found = None if run is None else run.read(piece)
        if found is None:
            kept = None if run is None else run.partial(piece)
            names = [field.name for field in dataclasses.fields(grading.result)]
            found = dict(zip(names, self._graded(grading, params, batch_size, kept), strict=True))
            if run is not None:
                run.write(piece, found)
        return grading.result(**found)

    def _graded(self, grading: Any, params: Any, batch_size: int, kept: Partial | None) -> Any:
        size = min(batch_size, len(self.numbers))

        def take(start: int, limit: int, rows: int) -> tuple[None, tuple[Any, np.ndarray]]:
            # The last batch repeats the last example, so that what changes examples has one shape, too.
            numbers = self.numbers[np.minimum(np.arange(start, start + rows), len(self.numbers) - 1)]
            x, y = at_rows(self.x, numbers), self.y[numbers]
            if self.change is not None:
                x = self.change(apply=grading.apply, params=params, x=x, y=y, index=numbers)
            return None, (at_rows(x, slice(limit - start)), y[: limit - start])

        program = inputs_program(grading, params, (self.x, self.y), size)
        return program.dispatch(len(self.numbers), take, ahead=1, kept=kept)()


@dataclasses.dataclass(frozen=True)
class Grades:
    """Whether each example is classified correctly, its loss, and whether its logits are known: (batch,) each."""

    apply: Apply
    result = Graded

    def __call__(self, params: Any, whole: None, rows: tuple[Array, Array]) -> tuple[Array, Array, Array]:
        x, y = rows
        logits: Any = self.apply(params, x)
        known = tell_classes(logits)
        loss = jnp.where(known, cross_entropy(logits, y), jnp.nan)
        return (logits.argmax(axis=-1) == y) & known, loss, known


@dataclasses.dataclass(frozen=True)
class Misses:
    """By how much the number that is predicted of each example is off, and whether it is finite: (batch,) each."""

    apply: Apply
    result = Missed

    def __call__(self, params: Any, whole: None, rows: tuple[Array, Array]) -> tuple[Array, Array]:
        x, y = rows
        found: Any = self.apply(params, x)
        error = found.astype(jnp.promote_types(found.dtype, jnp.float32)) - y
        return error, jnp.isfinite(error)
