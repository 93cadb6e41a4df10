"""A function that holds arrays of its own, as a pytree: the arrays are leaves, what it computes is structure.

A callable's arrays would be constants of whatever is compiled of it, and stay what they were when they change. Here it
is traced once: the arrays that it closes over are copied out, equal computations share compiled code, and a Python
number that changed makes another computation.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var, jaxpr_as_fun, jaxprs_in_params
from jaxtyping import Array

_CUSTOM_RULES = {"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"}
_NO_MEANING = {"name", "debug_info", "debug", "ctx_mesh"}


@jax.tree_util.register_pytree_node_class
class Closure:
    """A snapshot of a function and of the arrays that it holds; call it inside jit.

    Attributes:
        arrays: those that it closes over; the leaves.
        program: what it computes with them; equal programs share compiled code.
    """

    def __init__(self, arrays: tuple[Any, ...], program: "Program"):
        self.arrays, self.program = arrays, program

    @classmethod
    def of(cls, function: Callable, *examples: Any) -> "Closure":
        """The closure of a traceable function.

        Args:
            function: arrays -> a pytree of arrays.
            examples: arguments, or alternative shapes of them, each a tuple of pytrees of arrays or of their shapes. An
                array that the function makes anew for each shape is no leaf.
        """
        settings: Any = tuple(getattr(jax.config, name) for name in ("jax_enable_x64", "jax_numpy_dtype_promotion"))
        with _settled(settings):
            traced = [_traced(function, example) for example in examples]
        consts = [trace.consts for trace, _ in traced]
        kept = tuple(_is_alike(column) for column in zip(*consts, strict=True)) if _alike_long(consts) else ()
        arrays = tuple(jnp.array(value) for value, keep in zip(consts[0], kept, strict=False) if keep)
        trace = traced[0][0]
        rules = _Itself(function) if _has_own_rules(trace.jaxpr) else None
        return cls(arrays, Program(function, examples[0], kept, settings, signature(trace, kept), rules))

    def __call__(self, *arguments: Any) -> Any:
        return self.program(self.arrays, *arguments)

    def tree_flatten(self) -> tuple[tuple[Any, ...], "Program"]:
        return self.arrays, self.program

    @classmethod
    def tree_unflatten(cls, program: "Program", arrays: Any) -> "Closure":
        return cls(tuple(arrays), program)


@dataclasses.dataclass(frozen=True, eq=False)
class Program:
    """What a function computes; equal for functions of equal traces, whatever arrays they hold.

    Attributes:
        function: traced again at each shape of its arguments.
        example: arguments at which it was compared.
        kept: which of the arrays that a trace finds are leaves.
        settings: of JAX, at which it was traced.
        signature: the trace; see `signature`.
        rules: the function itself where it differentiates by rules of its own, which no trace shows; else None.
    """

    function: Callable
    example: tuple
    kept: tuple[bool, ...]
    settings: tuple[bool, str]
    signature: tuple
    rules: "_Itself | None"

    @property
    def _compared(self) -> tuple:
        return self.kept, self.settings, self.signature, self.rules

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Program) and self._compared == other._compared

    def __hash__(self) -> int:
        return hash(self._compared)

    def __call__(self, arrays: tuple[Any, ...], *arguments: Any) -> Any:
        held = self._held_now()
        trace, structure = _traced(self.function, jax.tree.map(_shape_of, arguments))
        consts = self._of_snapshot(trace.consts, held, arrays)
        found = jaxpr_as_fun(ClosedJaxpr(trace.jaxpr, consts))(*jax.tree.leaves(arguments))
        return jax.tree.unflatten(structure, found)

    def _held_now(self) -> list[Any]:
        """The arrays that the function holds now; ValueError if it computes something else than for the snapshot."""
        with _settled(self.settings):
            now = _traced(self.function, self.example)[0]
            if signature(now, self.kept) == self.signature:
                return now.consts
            again = _traced(self.function, self.example)[0]
        # Where two traces differ, each makes objects of its own, which cannot be compared.
        if signature(now, self.kept) == signature(again, self.kept) or len(now.consts) != len(self.kept):
            raise ValueError(_CHANGED)
        return now.consts

    def _of_snapshot(self, consts: list[Any], held: list[Any], arrays: tuple[Any, ...]) -> list[Any]:
        """The arrays of a trace, with those of the snapshot in the place of those that the function holds now."""
        free = [place for place, keep in enumerate(self.kept) if keep]
        snapshot = dict(zip(free, arrays, strict=True))
        found = []
        for value in consts:
            place = next((each for each in free if held[each] is value), None)
            if place is None:
                place = next((each for each in free if _is_alike((held[each], value))), None)
            if place is not None:
                free.remove(place)
            # At a coarser precision the snapshot is rounded; the trace goes on in the type that it was made in.
            found.append(value if place is None else _in_type_of(value, snapshot[place]))
        return found


@contextlib.contextmanager
def _settled(settings: tuple[bool, str]) -> Iterator[None]:
    """JAX's settings at which traces are compared, whatever surrounds them."""
    with (
        jax.enable_x64(settings[0]),
        jax.numpy_dtype_promotion(settings[1]),
        jax.default_matmul_precision(None),  # type: ignore[arg-type]
    ):
        yield


_CHANGED = (
    "the function computes something else than when the game was made from it: make the game anew, or give the network "
    "as (function(params, inputs), params)"
)


def trace_of(function: Callable, *arguments: Any) -> ClosedJaxpr:
    """The trace of a function at arguments, pytrees of arrays or of their shapes."""
    return _traced(function, jax.tree.map(_shape_of, arguments))[0]


def _traced(function: Callable, arguments: Any) -> tuple[ClosedJaxpr, Any]:
    """The trace at arguments of these shapes, and the structure of what it gives."""
    # A function of its own: JAX keeps the traces of one and the same function, with the arrays that it held then.
    trace, shape = jax.make_jaxpr(lambda *those: function(*those), return_shape=True)(*arguments)
    return trace, jax.tree.structure(shape)


def _shape_of(leaf: Any) -> jax.ShapeDtypeStruct:
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return leaf
    kind = jax.typeof(leaf)
    return jax.ShapeDtypeStruct(kind.shape, kind.dtype, weak_type=kind.weak_type)


def _alike_long(consts: list[Any]) -> bool:
    return len({len(each) for each in consts}) == 1


def _is_alike(values: tuple[Any, ...]) -> bool:
    """Whether an array that traces found is one that the function holds: the same at all shapes of its arguments."""
    first = values[0]
    if any(isinstance(value, Tracer) for value in values):
        return all(value is first for value in values)
    if any(np.shape(value) != np.shape(first) or value.dtype != first.dtype for value in values):
        return False
    return all(value is first or _bytes(value) == _bytes(first) for value in values[1:])


def _in_type_of(value: Any, snapshot: Any) -> Any:
    """An array of the snapshot, in the type of the one that it stands for."""
    is_float = jnp.issubdtype(snapshot.dtype, jnp.floating)
    return snapshot.astype(value.dtype) if is_float and snapshot.dtype != value.dtype else snapshot


def _bytes(value: Any) -> bytes:
    if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        value = jax.random.key_data(value)
    return np.asarray(value).tobytes()


def signature(trace: ClosedJaxpr, kept: tuple[bool, ...] = ()) -> tuple:
    """What a trace computes, hashable: equal for equal computations on arrays of equal shapes.

    Args:
        trace: of a function.
        kept: which of its arrays may change, so that only their shapes count; () for none.
    """
    values = tuple(
        None if place < len(kept) and kept[place] else _of_array(value) for place, value in enumerate(trace.consts)
    )
    return values, _of_jaxpr(trace.jaxpr)


def _of_jaxpr(jaxpr: Jaxpr) -> tuple:
    names: dict[Var, int] = {}

    def named(variable: Var) -> tuple:
        names[variable] = len(names)
        return str(variable.aval), getattr(variable.aval, "weak_type", False)

    def read(atom: Any) -> Any:
        return ("literal", _of_array(atom.val), str(atom.aval)) if isinstance(atom, Literal) else names[atom]

    inputs = tuple(map(named, [*jaxpr.constvars, *jaxpr.invars]))
    equations = []
    for equation in jaxpr.eqns:
        primitive = equation.primitive
        read_in = tuple(map(read, equation.invars))
        parameters = tuple(
            (name, _of_parameter(value))
            for name, value in sorted(equation.params.items())
            if name not in _NO_MEANING and not (primitive.name in _CUSTOM_RULES and _is_rule(value))
        )
        equations.append((primitive, read_in, parameters, tuple(map(named, equation.outvars))))
    return len(jaxpr.constvars), inputs, tuple(equations), tuple(map(read, jaxpr.outvars))


def _has_own_rules(jaxpr: Jaxpr) -> bool:
    """Whether a trace differentiates by rules that are not JAX's own, as those of `jax.nn.relu` are."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in _CUSTOM_RULES:
            inner = equation.params.get("call_jaxpr")
            if "/jax/_src/" not in str(getattr(getattr(inner, "jaxpr", inner), "debug_info", "")):
                return True
        if any(map(_has_own_rules, jaxprs_in_params(equation.params))):
            return True
    return False


def _is_rule(value: Any) -> bool:
    """Whether a parameter is a rule of differentiation, made anew with each trace of the same function."""
    return not isinstance(value, ClosedJaxpr | Jaxpr | int)


def _of_parameter(value: Any) -> Any:
    if isinstance(value, ClosedJaxpr):
        return signature(value)
    if isinstance(value, Jaxpr):
        return _of_jaxpr(value)
    if isinstance(value, np.ndarray | np.generic | Array):
        return _of_array(value)
    if isinstance(value, dict):
        return tuple(sorted((str(name), _of_parameter(each)) for name, each in value.items()))
    if type(value) in (tuple, list):
        return tuple(map(_of_parameter, value))
    if isinstance(value, float):
        return "float", repr(value)  # NaN equals itself
    try:
        hash(value)
    except TypeError:
        return _Itself(value)
    return type(value), value


def _of_array(value: Any) -> Any:
    if isinstance(value, Tracer):
        return _Itself(value)
    if not hasattr(value, "dtype"):
        return type(value), repr(value)
    return str(value.dtype), np.shape(value), _bytes(value)


@dataclasses.dataclass(frozen=True, eq=False)
class _Itself:
    """An object that equals itself alone, held so that no other takes its place."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)
