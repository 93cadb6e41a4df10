"""A traced function computed in double precision, beside which its own values show how far rounding takes them.

The function is traced as it is and evaluated operation by operation, with float64 for every floating type of what
depends on the inputs. What does not, such as weights that are rounded before they are used, stays as it is.
"""

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal

from interjax._engine._dispatch import shapes_of
from interjax.games._closures import trace_of

_MOST_BYTES = 2**30  # of the arguments; larger networks would take as much again, twice, of the host's memory
_CALLS = {"jit", "pjit", "closed_call", "core_call", "checkpoint", "remat", "remat2"}
_CALLS |= {"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"}
_ROUNDINGS = {"reduce_precision", "sharding_constraint"}  # of no effect in double precision on one device
_OPAQUE = {"bitcast_convert_type", "pallas_call", "ffi_call", "custom_call", "pure_callback", "io_callback"}
_TYPES = ("new_dtype", "preferred_element_type", "dtype")  # parameters of operations

_UPDATES = {"scatter-add": lax.add, "scatter_add": lax.add, "scatter-mul": lax.mul, "scatter_mul": lax.mul}

Flagged = tuple[list[Any], list[bool]]  # values, and which of them depend on the inputs


class _Unknown(Exception):
    """An operation that has no form in double precision."""


def in_double(function: Callable, params: Any, inputs: Any) -> list[np.ndarray] | None:
    """function(params, inputs), computed in float64 on the host's processor; None where that is not possible.

    Args:
        function: hashable and traceable; equal functions share compiled code.
        params: what it depends on beside its inputs, a pytree of arrays.
        inputs: a pytree of arrays.

    Returns:
        The arrays that the function gives, in float64; None for functions that call the host, read the bits of their
        numbers or depend on more than 1 GiB.
    """
    leaves = jax.tree.leaves((params, inputs))
    if any(not getattr(leaf, "is_fully_addressable", True) for leaf in leaves):
        return None
    if sum(np.size(leaf) * jnp.result_type(leaf).itemsize for leaf in leaves) > _MOST_BYTES:
        return None
    try:
        program = _program(function, shapes_of(params), shapes_of(inputs))
        with jax.enable_x64(True), _on_the_host():
            return [np.asarray(found) for found in program(*map(_as_it_is, leaves))]
    except _Unknown:
        return None
    except (TypeError, ValueError, NotImplementedError, KeyError):  # an operation that insists on its types
        return None


@functools.lru_cache(maxsize=64)
def _program(function: Callable, params: tuple[Any, tuple], inputs: tuple[Any, tuple]) -> Callable:
    """The function of all leaves in double precision, compiled."""
    examples = [
        jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(shape, kind) for shape, kind in leaves])
        for structure, leaves in (params, inputs)
    ]
    trace = trace_of(function, *examples)
    depends = [False] * len(params[1]) + [True] * len(inputs[1])
    return jax.jit(lambda *leaves: _double(_run(trace, (list(leaves), depends))[0]))


def _as_it_is(leaf: Any) -> Any:
    """A leaf in the type that it is traced in."""
    kind = jnp.result_type(leaf)
    return leaf if jnp.issubdtype(kind, jax.dtypes.prng_key) else np.asarray(leaf).astype(kind)


def _on_the_host() -> Any:
    try:
        return jax.default_device(jax.local_devices(backend="cpu")[0])
    except RuntimeError:  # JAX was told of accelerators alone
        return contextlib.nullcontext()


def _is_coarse(kind: Any) -> bool:
    return kind is not None and jnp.issubdtype(kind, jnp.floating) and jnp.dtype(kind).itemsize < 8


def _double(values: Sequence[Any]) -> list[Any]:
    return [jnp.asarray(value, jnp.float64) if _is_coarse(jnp.result_type(value)) else value for value in values]


def _run(trace: ClosedJaxpr | Jaxpr, given: Flagged) -> Flagged:
    """The results of a trace, those that depend on the inputs in double precision."""
    jaxpr, consts = (trace.jaxpr, trace.consts) if isinstance(trace, ClosedJaxpr) else (trace, [])
    known = {variable: (value, False) for variable, value in zip(jaxpr.constvars, consts, strict=True)}
    known |= dict(zip(jaxpr.invars, zip(*given, strict=True), strict=True))

    def read(atoms: Sequence[Any]) -> Flagged:
        found = [(_literal(atom), False) if isinstance(atom, Literal) else known[atom] for atom in atoms]
        return [value for value, _ in found], [does for _, does in found]

    for equation in jaxpr.eqns:
        values, depends = read(equation.invars)
        results = _equation(equation, values, depends) if any(depends) else (_as_traced(equation, values), None)
        flags = results[1] or [any(depends)] * len(results[0])
        known.update(zip(equation.outvars, zip(results[0], flags, strict=True), strict=True))
    return read(jaxpr.outvars)


def _literal(atom: Any) -> np.ndarray:
    return np.asarray(atom.val, atom.aval.dtype)


def _as_traced(equation: JaxprEqn, values: list[Any], **changes: Any) -> list[Any]:
    with equation.ctx.manager:
        parameters = equation.primitive.get_bind_params(equation.params | changes)
        outputs = equation.primitive.bind(*values, **parameters)
    return list(outputs) if equation.primitive.multiple_results else [outputs]


def _equation(equation: JaxprEqn, values: list[Any], depends: list[bool]) -> tuple[list[Any], list[bool] | None]:
    """The results of an operation on what depends on the inputs, and which of them do; None for all."""
    name, parameters = equation.primitive.name, equation.params
    if name in _OPAQUE or "callback" in name:
        raise _Unknown(name)
    if name in _CALLS:
        inner = next(parameters[key] for key in ("call_jaxpr", "jaxpr", "fun_jaxpr") if key in parameters)
        return _run(inner, (values, depends))
    if name in _ROUNDINGS:
        return _double(values[:1]), None
    if name in _CONTROL:
        return _CONTROL[name](parameters, values, depends), None
    changes: dict[str, Any] = {key: jnp.float64 for key in _TYPES if _is_coarse(parameters.get(key))}
    if "precision" in parameters:
        changes["precision"] = None
    if parameters.get("update_jaxpr") is not None:
        changes["update_jaxpr"] = jax.make_jaxpr(_UPDATES[name])(0.0, 0.0).jaxpr
    return _as_traced(equation, _double(values), **changes), None


def _scan(parameters: dict[str, Any], values: list[Any], depends: list[bool]) -> list[Any]:
    if "ft_in" in parameters:  # jax 0.12 keeps the structure of what a turn takes
        first, carried, _ = map(len, parameters["ft_in"].unpack())
    else:
        first, carried = parameters["num_consts"], parameters["num_carry"]
    last = first + carried
    consts, rows = values[:first], values[last:]

    def turn(carry: list[Any], row: list[Any]) -> tuple[list[Any], list[Any]]:
        flags = depends[:first] + [True] * len(carry) + depends[last:]
        found = _double(_run(parameters["jaxpr"], ([*consts, *carry, *row], flags))[0])
        return found[: len(carry)], found[len(carry) :]

    how = {"length": parameters["length"], "reverse": parameters["reverse"]}
    carry, found = lax.scan(turn, _double(values[first:last]), rows, **how)
    return [*carry, *found]


def _while(parameters: dict[str, Any], values: list[Any], depends: list[bool]) -> list[Any]:
    first = parameters["cond_nconsts"]
    last = first + parameters["body_nconsts"]

    def part(name: str, consts: slice) -> Callable[[list[Any]], list[Any]]:
        flags = depends[consts] + [True] * len(values[last:])
        return lambda carry: _double(_run(parameters[name], ([*values[consts], *carry], flags))[0])

    goes_on, turn = part("cond_jaxpr", slice(0, first)), part("body_jaxpr", slice(first, last))
    return lax.while_loop(lambda carry: goes_on(carry)[0], turn, _double(values[last:]))


def _cond(parameters: dict[str, Any], values: list[Any], depends: list[bool]) -> list[Any]:
    flags = depends[1:] if not depends[0] else [True] * len(depends[1:])
    branches = [lambda *those, b=branch: _double(_run(b, (list(those), flags))[0]) for branch in parameters["branches"]]
    return lax.switch(values[0], branches, *values[1:])


_CONTROL = {"scan": _scan, "while": _while, "cond": _cond}
