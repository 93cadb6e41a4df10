"""Batches of rows that are started ahead of those waited for, and halved where a device runs out of memory."""

import collections
import dataclasses
import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

_Piece = tuple[int, int, int, Any]  # start, stop, rows of the batch, values
Compute = Callable[[int, int, int], tuple[Any, int]]  # (start, limit, rows) -> (values from start on, stop)


@dataclasses.dataclass
class Batch:
    """Rows that a device evaluates at once; halved for good when one runs out of memory. None = not yet chosen."""

    rows: int | None = None

    def halve(self, failed: int, error: Exception) -> None:
        """Go on with half of the rows that failed; raises the error if it is another, or one row was too many."""
        if self.rows is None or failed <= self.rows or not _is_out_of_memory(error):
            self.rows = halved(failed, error)
        # else the failed batch was under way when the rows were halved


def halved(rows: int, error: Exception) -> int:
    if rows == 1 or not _is_out_of_memory(error):
        raise error
    warnings.warn(f"the device ran out of memory at {rows} rows a batch: going on with {rows // 2}", stacklevel=2)
    return rows // 2


def _is_out_of_memory(error: Exception) -> bool:
    return "RESOURCE_EXHAUSTED" in str(error) or "out of memory" in str(error).lower()


class Kept(Protocol):
    """Where arrays by name are kept while others are still computed: `interjax._engine._folders.Partial` is one."""

    def read(self) -> dict[str, np.ndarray] | None: ...

    def write(self, state: Callable[[], dict[str, np.ndarray]]) -> None: ...


def dispatch(
    total: int, batch: Batch, compute: Compute, *, ahead: int = 8, kept: Kept | None = None
) -> Callable[[], Any]:
    """Start computing rows batch by batch; the returned function waits for all values, a pytree of NumPy arrays.

    A few batches are under way at a time. One that runs out of memory, at its start or when its values are awaited, is
    done again in halves.

    Args:
        total: number of rows, at least 1.
        batch: rows of a batch.
        compute: (start, limit, rows) -> (values, stop) evaluates the rows start..stop, at most `rows` of them and none
            from `limit` on; values may be longer than that.
        ahead: batches under way beyond the one that is waited for.
        kept: keeps the values of the first rows until all are there, and gives those that an earlier start kept.
    """
    before = None if kept is None else kept.read()
    found = [] if before is None else [[before[f"values{number}"] for number in range(len(before))]]
    structure: Any = None
    waiting: collections.deque[_Piece] = collections.deque()

    def wait() -> None:
        nonlocal structure
        for values in _awaited(waiting.popleft(), batch, compute):
            structure = jax.tree.structure(values)
            found.append(jax.tree.leaves(values))
        if kept is not None and waiting:
            kept.write(lambda: {f"values{number}": leaf for number, leaf in enumerate(_joined(found))})

    for piece in _started(len(found[0][0]) if found else 0, total, batch, compute):
        waiting.append(piece)
        if len(waiting) > ahead:
            wait()

    def collect() -> Any:
        while waiting:
            wait()
        return jax.tree.unflatten(structure, _joined(found))

    return collect


def _joined(found: list[list[np.ndarray]]) -> list[np.ndarray]:
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def _started(start: int, limit: int, batch: Batch, compute: Compute) -> Iterator[_Piece]:
    while start < limit:
        rows = batch.rows
        assert rows is not None
        try:
            values, stop = compute(start, limit, rows)
        except jax.errors.JaxRuntimeError as error:
            batch.halve(rows, error)
            continue
        yield start, stop, rows, values
        start = stop


def _awaited(piece: _Piece, batch: Batch, compute: Compute) -> list[Any]:
    start, stop, rows, values = piece
    try:
        return [jax.tree.map(lambda leaf: np.asarray(leaf)[: stop - start], values)]
    except jax.errors.JaxRuntimeError as error:
        batch.halve(rows, error)
    again = _started(start, stop, batch, compute)
    return [found for part in again for found in _awaited(part, batch, compute)]


@functools.lru_cache(maxsize=256)
def remembered_batch(*computation: Any) -> Batch:
    """The batch of a computation, so that its rows are chosen once and stay halved for all inputs of a run."""
    return Batch()


def shapes_of(tree: Any) -> tuple[Any, tuple]:
    """What compiled code depends on in a pytree: its structure, and the shapes and types of its leaves."""
    leaves, structure = jax.tree.flatten(tree)
    return structure, tuple((jnp.shape(leaf), jnp.result_type(leaf)) for leaf in leaves)
