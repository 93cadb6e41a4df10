"""How many rows to evaluate at once: sized by the memory of the compiled program and of the device."""

import os
from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import Literal, jaxprs_in_params
from jax.sharding import Mesh

from interjax._engine._dispatch import halved

_TRIAL_ROWS = 512
# A CPU gains nothing from more intermediate values than these at once (benchmarks/NOTES.md).
_CPU_BATCH_BYTES = 64 * 2**20
_CPU_ROWS = (64, 4096)
_ACCELERATOR_ROWS = (256, 2**16)
_SHARE_OF_FREE_MEMORY = 0.4
# The traced program lists every intermediate value; the compiler fuses about half of them away.
_SHARE_KEPT = 0.5

Program = Callable[[int], jax.stages.Traced]  # rows on one device -> the traced program of such a batch


def fit_rows(program: Program, *, memory: int | None = None, most: int | None = None, mesh: Mesh | None = None) -> int:
    """Rows of a batch: a power of two whose compiled program fits the memory; `most` caps it.

    A CPU takes rows up to a fixed size of intermediate values, beyond which it gains nothing; an accelerator as many as
    fit a share of its free memory.
    The first guess comes from the traced program's intermediate values. It is compiled, and shrunk while the
    compiler's own count (arguments, results and temporaries; on a CPU at least the intermediate values) is above the
    budget; a call of the program with the same shapes then finds it compiled.

    Args:
        program: rows -> the traced program (`jax.jit(...).trace`) of a batch of as many rows on one device.
        memory: bytes that the program may take on one device; None = 0.4 of what is free.
        most: no more rows than this are of use.
        mesh: the devices; by default the first one.

    Raises:
        ValueError: if one row does not fit `memory`.
    """
    device = mesh.devices.flat[0] if mesh is not None else jax.local_devices()[0]
    on_cpu = device.platform == "cpu"
    budget = memory if memory is not None else _SHARE_OF_FREE_MEMORY * _free_memory(device)
    least, largest = _CPU_ROWS if on_cpu else _ACCELERATOR_ROWS
    trial = min(_TRIAL_ROWS, most or _TRIAL_ROWS)
    row_bytes = max(1.0, _SHARE_KEPT * live_bytes(program(trial).jaxpr) / trial)
    rows = _power_of_two_below(min(budget, _CPU_BATCH_BYTES if on_cpu else budget) / row_bytes)
    rows = max(least, min(rows, largest))
    if rows * row_bytes > budget:
        rows = _power_of_two_below(budget / row_bytes)
    rows = min(rows, most or rows)
    while True:
        try:
            needed = _program_bytes(program, rows, on_cpu)
        except jax.errors.JaxRuntimeError as error:
            rows = halved(rows, error)
            continue
        if needed is None or needed[0] <= budget:
            return rows
        if rows == 1:
            if memory is None:  # nobody set a limit: the device may still manage
                return 1
            raise MemoryTooSmall(f"memory={memory:,} bytes are too few: a batch of one row needs {needed[0]:,} bytes")
        total, fixed = needed
        rows = max(1, min(rows // 2, _power_of_two_below(rows * (budget - fixed) / max(total - fixed, 1))))


class MemoryTooSmall(ValueError):
    """Not even one row fits the memory that the user allows."""


def _program_bytes(program: Program, rows: int, on_cpu: bool) -> tuple[float, float] | None:
    """Bytes that a compiled program takes on one device, and those of its arguments; None where it is not known."""
    traced = program(rows)
    memory = traced.lower().compile().memory_analysis()
    if memory is None:
        return None
    arguments, temporary = memory.argument_size_in_bytes, memory.temp_size_in_bytes
    if on_cpu:  # products run in libraries that allocate for themselves, uncounted
        temporary = max(temporary, live_bytes(traced.jaxpr))
    return arguments + memory.output_size_in_bytes - memory.alias_size_in_bytes + temporary, arguments


def live_bytes(jaxpr: Any) -> int:
    """Largest sum of intermediate values that are needed at the same time, if each is written out."""
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)
    last_use = {v: i for i, equation in enumerate(jaxpr.eqns) for v in equation.invars if not isinstance(v, Literal)}
    alive: dict[Any, int] = {}
    now = most = 0
    for i, equation in enumerate(jaxpr.eqns):
        inside = max(map(live_bytes, jaxprs_in_params(equation.params)), default=0)
        outputs = {v: _value_bytes(v) for v in equation.outvars}
        most = max(most, now + max(inside, sum(outputs.values())))
        alive |= outputs
        now += sum(outputs.values())
        for v in {*equation.outvars, *(v for v in equation.invars if not isinstance(v, Literal))}:
            if v in alive and last_use.get(v, len(jaxpr.eqns) if v in jaxpr.outvars else -1) <= i:
                now -= alive.pop(v)
    return most


def _value_bytes(variable: Any) -> int:
    kind = getattr(variable.aval, "dtype", None)
    return variable.aval.size * getattr(kind, "itemsize", 0)


def _free_memory(device: Any) -> float:
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (ValueError, OSError):  # not a POSIX system
        return 4 * 2**30


def power_of_two_above(number: int) -> int:
    """The smallest power of two that is at least `number`."""
    return 1 << max(0, int(number) - 1).bit_length()


def _power_of_two_below(number: float) -> int:
    return 1 << max(0, int(number).bit_length() - 1)
