"""When a training run takes which examples, and when it is saved."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator

import jax
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_count


@dataclasses.dataclass(frozen=True)
class Schedule:
    """Which examples each step takes, how many steps there are, and after which the run is saved."""

    key: Array
    n_examples: int
    batch_size: int
    n_steps: int
    save_every: int
    save_at: frozenset[int]

    @property
    def per_epoch(self) -> int:
        return self.n_examples // self.batch_size

    def batches(self, epoch: int, step: int) -> Iterator[np.ndarray]:
        """Rows of each step of an epoch, from the step where the run stands."""
        order = np.asarray(_epoch_order(self.key, self.n_examples, epoch))
        first = epoch * self.per_epoch
        for batch in range(step - first, min(self.per_epoch, self.n_steps - first)):
            yield order[batch * self.batch_size : (batch + 1) * self.batch_size]

    def saves(self, step: int) -> bool:
        """Whether the run is saved after this step."""
        return step in self.save_at or step == self.n_steps or (step > 0 and step % self.save_every == 0)


def schedule_of(
    key: Array, n_examples: int, batch_size: int, n_steps: int, every: int | None, at: Iterable[int] | None
) -> Schedule:
    """The schedule of `train`'s arguments, checked."""
    wanted = f"steps from 0 to the {n_steps} of this run"
    steps = [] if at is None else list(at) if isinstance(at, Iterable) else [None]
    chosen = frozenset(check_count("each of save_at", step, least=0, most=n_steps, about=wanted) for step in steps)
    if every is None:
        every = n_examples // batch_size if at is None else n_steps
    return Schedule(key, n_examples, batch_size, n_steps, check_count("save_every", every), chosen)


@functools.partial(jax.jit, static_argnums=1)
def _epoch_order(key: Array, n_examples: int, epoch: int) -> Array:
    return jax.random.permutation(jax.random.fold_in(key, epoch), n_examples)


def log_spaced_steps(steps: int, count: int) -> tuple[int, ...]:
    """At most `count` optimizer steps from 0 to `steps`, the later ones evenly spaced in their logarithm.

    Args:
        steps: the last step, at least 1.
        count: how many, at least 2; fewer come out where neighbours round to the same step.

    Returns:
        Increasing steps, the first 0 and the last `steps`.

    Raises:
        ValueError: no positive number of steps, or a count below 2.

    Example:
        >>> log_spaced_steps(1000, 5)
        (0, 1, 10, 100, 1000)
    """
    steps = check_count("steps", steps)
    count = check_count("count", count, least=2, about="the first step, the last and those between")
    if count == 2:
        return 0, steps
    return (0, *np.unique(np.geomspace(1, steps, count - 1).round().astype(int)).tolist())
