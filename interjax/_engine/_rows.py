"""Rows of values: one compiled function of a batch of rows, sized to memory and spread over devices."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from interjax._core._checks import check_count, check_memory
from interjax._engine._devices import as_mesh, spread
from interjax._engine._dispatch import Batch, Kept, dispatch, remembered_batch, shapes_of
from interjax._engine._memory import fit_rows

_HOST_ROWS = 4096

Function = Callable[[Any, Any, Any], Any]  # (fixed, whole, by_row) -> values (rows, ...)
Example = Callable[[int], tuple[Any, Any]]  # rows -> (whole, by_row) of a batch of so many rows
Take = Callable[[int, int, int], tuple[Any, Any]]  # (start, limit, rows) -> (whole, by_row) of the rows from start on


@dataclasses.dataclass(frozen=True)
class Resources:
    """Where rows are computed.

    Attributes:
        batch_size: rows of a batch on one device; None = as many as fit the memory.
        memory: bytes that a batch may take on one device, fixed arguments included; None = 0.4 of what is free.
        mesh: devices over which a batch is spread; None = the first one.
    """

    batch_size: int | None = None
    memory: int | None = None
    mesh: Mesh | None = None

    @classmethod
    def of(cls, *, batch_size: Any = None, memory: Any = None, mesh: Any = None) -> "Resources":
        """What the user's arguments ask for, checked; by default all local accelerators."""
        return cls(check_batch_size(batch_size), check_memory(memory), as_mesh(mesh))

    @property
    def n_devices(self) -> int:
        return self.mesh.size if self.mesh is not None else 1


def check_batch_size(batch_size: Any) -> int | None:
    """The rows of a batch as an int, or None; ValueError unless it is a positive integer."""
    return None if batch_size is None else check_count("batch_size", batch_size)


class RowProgram:
    """A function of rows, evaluated batch by batch.

        values = function(fixed, whole, by_row)

    All batches have one shape, so that one compiled program serves them; a batch that runs out of memory is done again
    in halves, and so are all that follow.

    Args:
        function: hashable; equal functions share compiled code. `by_row` is a pytree of arrays (rows, ...), `whole`
            what every row of the batch may read, the values a pytree of arrays (rows, ...).
        fixed: what is the same for all batches.
        example: arguments of a batch of so many rows, from which its rows are chosen.
        resources: where rows are computed.
        most: no more rows than this on one device are of use.
        is_shared: whether equal functions share compiled code; one that reads arrays which may change is compiled anew.
        on_host: whether the function takes NumPy arrays and cannot be compiled.
    """

    def __init__(
        self,
        function: Function,
        fixed: Any,
        example: Example,
        resources: Resources = Resources(),
        *,
        most: int | None = None,
        is_shared: bool = True,
        on_host: bool = False,
    ):
        self._own = None if is_shared else _own_program()
        self._function, self._fixed, self._example = function, fixed, example
        self._resources, self._most, self._on_host = resources, most, on_host
        self._batch = Batch(resources.batch_size or _HOST_ROWS) if on_host else self._remembered()

    @property
    def rows(self) -> int:
        """Rows of a batch on all devices together."""
        assert self._batch.rows is not None
        return self._batch.rows * self._resources.n_devices

    def dispatch(self, total: int, take: Take, *, ahead: int = 8, kept: Kept | None = None) -> Callable[[], Any]:
        """Start computing rows; the returned function waits for their values, a pytree of NumPy arrays (total, ...).

        Args:
            total: number of rows, at least 1.
            take: gives the arguments of the rows from `start` on: as many as it likes, at most `rows`, none from
                `limit` on. They are padded to a batch with copies of the last.
            ahead: batches under way beyond the one that is waited for; each keeps its arguments and its values.
            kept: keeps the values of the first rows until all are there, and gives those that an earlier start kept.
        """

        def compute(start: int, limit: int, rows: int) -> tuple[Any, int]:
            rows *= self._resources.n_devices
            whole, by_row = take(start, min(start + rows, limit), rows)
            stop = start + len(jax.tree.leaves(by_row)[0])
            if self._on_host:
                return self._function(self._fixed, whole, by_row), stop
            return self._computed(whole, jax.tree.map(functools.partial(_padded, rows=rows), by_row)), stop

        return dispatch(total, self._batch, compute, ahead=ahead, kept=kept)

    def values(self, rows: Any) -> Any:
        """Values of each row of a pytree of arrays (N, ...), at least one, two batches under way at a time."""
        take = lambda start, stop, _: (None, jax.tree.map(lambda leaf: leaf[start:stop], rows))  # noqa: E731
        return self.dispatch(len(jax.tree.leaves(rows)[0]), take, ahead=1)()

    def _computed(self, whole: Any, by_row: Any) -> Any:
        compute = self._own or compute_rows
        return compute(self._function, self._fixed, whole, by_row, mesh=self._resources.mesh)

    def _remembered(self) -> Batch:
        """The batch of all programs of this function and these shapes, its rows chosen once."""
        shapes = shapes_of((self._fixed, self._example(1)))
        batch = Batch() if self._own else remembered_batch(self._function, *shapes, self._resources, self._most)
        if batch.rows is None:
            limits = [each for each in (self._most, self._resources.batch_size) if each is not None]
            most = min(limits, default=None)
            is_given = self._resources.batch_size is not None and self._resources.memory is None
            batch.rows = most if is_given else self._fitting(most)
        return batch

    def _fitting(self, most: int | None) -> int:
        def program(rows: int) -> jax.stages.Traced:
            whole, by_row = self._example(rows * self._resources.n_devices)
            return (self._own or compute_rows).trace(
                self._function, self._fixed, whole, by_row, mesh=self._resources.mesh
            )

        return fit_rows(program, memory=self._resources.memory, most=most, mesh=self._resources.mesh)


def like(rows: Any) -> Example:
    """Examples of batches that are taken from a pytree of arrays (N, ...) and read nothing else."""
    return lambda count: (
        None,
        jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((count, *np.shape(leaf)[1:]), leaf.dtype), rows),
    )


def _compute(function: Function, fixed: Any, whole: Any, by_row: Any, *, mesh: Mesh | None) -> Any:
    """The values of a batch of rows, each device's share from its own rows."""
    return spread(function, mesh, by_row=(False, False, True))(fixed, whole, by_row)


compute_rows = jax.jit(_compute, static_argnames=("function", "mesh"))


def _own_program() -> Any:
    """`compute_rows` that shares nothing of what it compiles."""
    return jax.jit(lambda *rows, mesh: _compute(*rows, mesh=mesh), static_argnums=0, static_argnames="mesh")


def _padded(leaf: Any, rows: int) -> Any:
    """Copies of the last row added, for which a function is defined if it is for the others."""
    missing = rows - len(leaf)
    return np.concatenate([leaf, np.repeat(np.asarray(leaf[-1:]), missing, axis=0)]) if missing else leaf
