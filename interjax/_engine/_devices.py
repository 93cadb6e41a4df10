"""The devices that share a computation: a mesh, slices of work, a function of rows spread over them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec


def as_mesh(mesh: Mesh | None) -> Mesh | None:
    """The devices that rows are spread over: those of `mesh`; by default all local accelerators, or one CPU device."""
    if mesh is not None:
        if not isinstance(mesh, Mesh):
            raise ValueError(f"mesh must be a jax.sharding.Mesh such as jax.make_mesh((8,), ('rows',)), got {mesh!r}")
        return Mesh(mesh.devices, mesh.axis_names)  # axes of automatic sharding, whatever the user's are
    devices = jax.local_devices()
    if len(devices) == 1 or devices[0].platform == "cpu":
        return None
    return Mesh(np.array(devices), ("rows",))


def slices_of(mesh: Mesh | None) -> list[Mesh | None]:
    """The parts of a mesh that measure different inputs at the same time: along its axis "inputs", if it has one."""
    if mesh is None or "inputs" not in mesh.axis_names:
        return [mesh]
    others = tuple(name for name in mesh.axis_names if name != "inputs")
    parts = np.moveaxis(mesh.devices, mesh.axis_names.index("inputs"), 0)
    return [Mesh(part, others) if others else Mesh(np.array([part]), ("rows",)) for part in parts]


def on_every_device(tree: Any, mesh: Mesh) -> Any:
    """The arrays of a tree on all devices of a mesh, so that they do not travel with every batch."""
    everywhere = NamedSharding(mesh, PartitionSpec())

    def put(leaf: Any) -> Any:
        is_key = jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)  # which device_put does not take
        return leaf if is_key else jax.device_put(leaf, everywhere)

    return jax.tree.map(put, tree)


def spread(function: Callable, mesh: Mesh | None, *, by_row: tuple[bool, ...], summed: bool = False) -> Callable:
    """A function of arrays, computed on each device of a mesh from its share of the rows; None = as it is.

    Args:
        function: (arguments...) -> pytree of arrays.
        mesh: the devices.
        by_row: for each argument whether the first axis of its arrays is the rows; else every device has all of it.
        summed: whether the results of the devices are added up; else they are rows, too.
    """
    if mesh is None:
        return function
    rows, whole = PartitionSpec(mesh.axis_names), PartitionSpec()

    def share(*arguments: Any) -> Any:
        found = function(*arguments)
        return jax.lax.psum(found, mesh.axis_names) if summed else found

    specs = tuple(rows if each else whole for each in by_row)
    return jax.shard_map(share, mesh=mesh, in_specs=specs, out_specs=whole if summed else rows, check_vma=False)
