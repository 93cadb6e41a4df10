"""A network's traced computation, split behind its first matrix product or convolution."""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, JaxprEqn, Literal, Var, jaxprs_in_params
from jaxtyping import Array

from interjax._folding._convolution import convolve_equation

Part = Callable[[Any, Array], Array]  # (params, batch (B, ...)) -> batch (B, ...)

_CALLS = {"jit", "pjit", "closed_call", "core_call", "checkpoint", "remat", "remat2"}
_CUSTOM_CALLS = {"custom_jvp_call", "custom_vjp_call"}
_PRODUCTS = {"dot_general", "conv_general_dilated"}
# Affine in all operands together, so any number of them may depend on the input (a select's condition, being no float,
# is not affine itself if it does).
_SUMS = {"add", "sub", "add_any", "concatenate", "pad", "optimization_barrier", "select_n"}
# Linear in the first operand while the others are fixed.
_LINEAR = {
    "broadcast_in_dim", "convert_element_type", "copy", "copy_p", "div", "dynamic_slice", "gather", "mul", "name",
    "neg", "reduce_sum", "reduce_window_sum", "reshape", "rev", "sharding_constraint", "slice", "split", "squeeze",
    "transpose",
}  # fmt: skip


class Split(NamedTuple):
    """A network in two parts, apply(params, x) = trunk(params, stem(params, x)).

    Both trace the network again at the batch size they are given: call them inside jit, where that happens once.

    Args:
        stem: (params, x (B, *shape)) -> hidden (B, *hidden_shape), affine in each row of x by itself.
        trunk: (params, hidden (B, *hidden_shape)) -> logits (B, k).
        hidden_shape: shape of one row of hidden.
    """

    stem: Part
    trunk: Part
    hidden_shape: tuple[int, ...]


def split_first_layer(apply: Part, params: Any, x_example: Any, *, rounds: bool = False) -> Split | None:
    """Split a network behind its first matrix product or convolution, with the affine operations that follow it.

    apply(params, x) = trunk(params, stem(params, x)),  stem(params, x)_b = A x_b + c

    The split depends on shapes only, so it stays valid when the weights change.

    Args:
        apply: (params, x (B, *shape)) -> logits (B, k), traceable by JAX at any batch size B.
        params: any pytree of arrays, concrete or traced.
        x_example: a batch (1 or more, *shape), or its jax.ShapeDtypeStruct; only shape[1:] and dtype are read.
        rounds: whether rounding to half precision counts as affine: the trunk is then of use behind a stem that does
            not round.

    Returns:
        The split, or None where there is none: the input is not of a float type, is transformed by something that is
        not affine before its first product, or is also used behind every possible cut (a skip connection).
    """
    if not jnp.issubdtype(x_example.dtype, jnp.floating):
        return None

    def trace_at(params: Any, batch: int) -> ClosedJaxpr:
        return _flat_trace(apply, params, jax.ShapeDtypeStruct((batch, *x_example.shape[1:]), x_example.dtype))

    # Two batch sizes tell the batch axis apart from others that happen to be as long.
    cut = _find_cut(trace_at(params, 2), trace_at(params, 3), rounds)
    if cut is None:
        return None

    def stem(params: Any, x: Array) -> Array:
        trace = trace_at(params, x.shape[0])
        hidden = _evaluate(trace, _cut_variable(trace, cut, x.shape[0]), _known(trace, (params, x)))
        return jnp.moveaxis(hidden, cut.batch_axis, 0)

    def trunk(params: Any, hidden: Array) -> Array:
        trace = trace_at(params, hidden.shape[0])
        variable = _cut_variable(trace, cut, hidden.shape[0])
        known = _known(trace, params) | {variable: jnp.moveaxis(hidden, 0, cut.batch_axis).astype(_type(variable))}
        return _evaluate(trace, trace.jaxpr.outvars[0], known)

    return Split(_in_pairs(stem), _in_pairs(trunk), cut.hidden_shape)


def verify(split: Split, apply: Part, params: Any, x: Array) -> Array:
    """Largest relative error of a split on real inputs.

    The values of trunk(stem(x)) are compared with the network's. The stem is run again on the rows shifted by one, with
    (x_0 + x_1) / 2 as the first: one that mixes rows, treats them unequally or is not affine fails on that.

    Args:
        split: what `split_first_layer` returned.
        apply: the network that was split, (params, x) -> logits.
        params: its parameters.
        x: inputs (B, *shape), B >= 2 different rows.

    Returns:
        A scalar: about 1e-6 for a sound split in float32, of order one for an unsound one.

    Raises:
        ValueError: if x has fewer than two rows.
    """
    if x.shape[0] < 2:
        raise ValueError(f"expected x as a batch of two or more rows, got shape {x.shape}")
    hidden = split.stem(params, x)
    shifted, expected = (jnp.concatenate([(rows[:1] + rows[1:2]) / 2, rows[:-1]]) for rows in (x, hidden))

    def error(value: Array, reference: Array) -> Array:
        return jnp.max(jnp.abs(value - reference)) / jnp.max(jnp.abs(reference))

    return jnp.maximum(
        error(split.trunk(params, hidden), apply(params, x)),
        error(split.stem(params, shifted), expected),
    )


class _Cut(NamedTuple):
    """Behind equation number `position`: its output number `output`, the batch on `batch_axis`, is carried over."""

    position: int
    output: int
    batch_axis: int
    hidden_shape: tuple[int, ...]
    primitives: tuple[str, ...]


def _find_cut(trace: ClosedJaxpr, longer: ClosedJaxpr, rounds: bool) -> _Cut | None:
    """The best cut of a network traced at batch 2 and at batch 3: the smallest hidden layer, the last of equal ones."""
    equations, twins = _live_equations(trace), _live_equations(longer)
    primitives = _primitives(equations)
    if len(trace.jaxpr.outvars) != 1 or primitives != _primitives(twins):
        return None
    last_use = {v: i for i, equation in enumerate(equations) for v in _variables(equation.invars)}
    last_use |= dict.fromkeys(_variables(trace.jaxpr.outvars), len(equations))
    # The stage of each value that depends on x: 0 affine, 1 affine behind one product, 2 anything else.
    stages: dict[Any, int] = {trace.jaxpr.invars[-1]: 0}
    candidates = []
    for i, (equation, twin) in enumerate(zip(equations, twins, strict=True)):
        if stages.keys().isdisjoint(_variables(equation.invars)):
            continue
        stage = _stage_after(equation, stages, rounds)
        for output, larger in zip(equation.outvars, twin.outvars, strict=True):
            # A value that does not grow with the batch has lost its rows (a mean over the batch, say).
            stages[output] = stage if 2 * _size(larger) == 3 * _size(output) else 2
        live = [v for v in stages if last_use.get(v, -1) > i]
        if len(live) == 1 and live[0] in equation.outvars and stages[live[0]] == 1:
            output = equation.outvars.index(live[0])
            shape = _shape(live[0])
            grown = list(zip(shape, _shape(twin.outvars[output]), strict=True))
            if (2, 3) in grown:  # vmap may leave the batch on any axis, or joined with another
                axis = grown.index((2, 3))
                candidates.append(_Cut(i, output, axis, (*shape[:axis], *shape[axis + 1 :]), primitives))
    return min(candidates, key=lambda cut: (math.prod(cut.hidden_shape), -cut.position), default=None)


def _stage_after(equation: JaxprEqn, stages: dict[Any, int], rounds: bool) -> int:
    """The stage of an equation's outputs, from those of its operands that depend on x."""
    name = equation.primitive.name
    places = [i for i, atom in enumerate(equation.invars) if not isinstance(atom, Literal) and atom in stages]
    stage = max(stages[equation.invars[i]] for i in places)
    types = [v.aval.dtype for v in equation.outvars]  # type: ignore[attr-defined]
    if any(not jnp.issubdtype(kind, jnp.floating) or (kind.itemsize < 4 and not rounds) for kind in types):
        return 2  # rounding to half precision is not affine
    if name in _PRODUCTS and len(places) == 1:
        return min(stage + 1, 2)
    linear = (name in _LINEAR and places == [0]) or (name == "mul" and len(places) == 1)
    return stage if linear or name in _SUMS else 2


def _cut_variable(trace: ClosedJaxpr, cut: _Cut, batch: int) -> Var:
    """The value that a trace at some batch size carries over the cut that was found at another."""
    equations = _live_equations(trace)
    variable = equations[cut.position].outvars[cut.output] if _primitives(equations) == cut.primitives else None
    shape = (*cut.hidden_shape[: cut.batch_axis], batch, *cut.hidden_shape[cut.batch_axis :])
    if variable is None or _shape(variable) != shape:
        raise ValueError(
            f"at batch size {batch} the network is another computation than at the sizes 2 and 3 where it was split: "
            "use it unsplit, or make its operations the same at every batch size"
        )
    return variable


def _in_pairs(part: Part) -> Part:
    """A part of a split that runs a batch of one as two rows: axes of length one broadcast, and trace differently."""

    def run(params: Any, batch: Array) -> Array:
        if batch.shape[0] == 1:
            return part(params, jnp.concatenate([batch, batch]))[:1]
        return part(params, batch)

    return run


def _flat_trace(apply: Part, params: Any, x: Any) -> ClosedJaxpr:
    """The computation as one list of equations, with calls written out."""
    nested = jax.make_jaxpr(apply)(params, x)
    return jax.make_jaxpr(lambda *leaves: _inlined(nested, leaves))(*jax.tree.leaves((params, x)))


def _inlined(trace: Any, values: Iterable[Any]) -> list[Any]:
    """Evaluate a trace equation by equation, and the calls inside it likewise."""
    known = _known(trace, list(values))
    for equation in trace.jaxpr.eqns:
        callee = _callee(equation)
        if callee is None:
            _execute(equation, known)
        else:
            operands = equation.invars[-len(callee.jaxpr.invars) :]  # without the number of a conditional's branch
            outputs = _inlined(callee, [_read(atom, known) for atom in operands])
            known.update(zip(equation.outvars, outputs, strict=True))
    return [_read(atom, known) for atom in trace.jaxpr.outvars]


def _callee(equation: JaxprEqn) -> Any:
    """The trace that an equation calls; None if it is no call, or one with a derivative rule that is worth keeping.

    Of a choice by platform it is the default branch, which every platform can run.
    """
    name = equation.primitive.name
    if name == "cond" and (equation.params.get("branches_platforms") or ["none"])[-1] is None:
        return equation.params["branches"][-1]
    if name not in _CALLS | _CUSTOM_CALLS:
        return None
    callee = equation.params["call_jaxpr" if "call_jaxpr" in equation.params else "jaxpr"]
    if name in _CUSTOM_CALLS and not _holds_product(callee):
        return None
    return callee if hasattr(callee, "consts") else ClosedJaxpr(callee, [])


def _holds_product(trace: Any) -> bool:
    return any(
        equation.primitive.name in _PRODUCTS or any(map(_holds_product, jaxprs_in_params(equation.params)))
        for equation in trace.eqns
    )


def _execute(equation: JaxprEqn, known: dict[Any, Any]) -> None:
    """Evaluate one equation and add its outputs to the known values."""
    with equation.ctx.manager:
        parameters = equation.primitive.get_bind_params(equation.params)
        outputs = equation.primitive.bind(*(_read(atom, known) for atom in equation.invars), **parameters)
    known.update(zip(equation.outvars, outputs if equation.primitive.multiple_results else [outputs], strict=True))


def _evaluate(trace: ClosedJaxpr, wanted: Any, known: dict[Any, Any]) -> Array:
    """One value of a trace, from the known ones; convolutions in the form that is fastest on the platform."""
    for equation in _needed(trace.jaxpr.eqns, [wanted], known):
        if equation.primitive.name == "conv_general_dilated":
            with equation.ctx.manager:
                value = convolve_equation(equation, *(_read(atom, known) for atom in equation.invars))
            known[equation.outvars[0]] = value
        else:
            _execute(equation, known)
    return _read(wanted, known)


def _known(trace: ClosedJaxpr, arguments: Any) -> dict[Any, Any]:
    """The values known at the start: the trace's constants, and the leaves of its first arguments."""
    known = dict(zip(trace.jaxpr.constvars, trace.consts, strict=True))
    return known | dict(zip(trace.jaxpr.invars, jax.tree.leaves(arguments), strict=False))


def _needed(equations: list[JaxprEqn], wanted: Iterable[Any], known: Iterable[Any] = ()) -> list[JaxprEqn]:
    """The equations that the wanted values depend on, if the known ones are given."""
    unknown, needed = _variables(wanted).difference(known), []
    for equation in reversed(equations):
        if not unknown.isdisjoint(equation.outvars):
            needed.append(equation)
            unknown |= _variables(equation.invars).difference(known)
    return needed[::-1]


def _live_equations(trace: ClosedJaxpr) -> list[JaxprEqn]:
    return _needed(trace.jaxpr.eqns, trace.jaxpr.outvars)


def _primitives(equations: list[JaxprEqn]) -> tuple[str, ...]:
    return tuple(equation.primitive.name for equation in equations)


def _variables(atoms: Iterable[Any]) -> set[Any]:
    return {atom for atom in atoms if not isinstance(atom, Literal)}


def _read(atom: Any, known: dict[Any, Any]) -> Any:
    return atom.val if isinstance(atom, Literal) else known[atom]


def _shape(atom: Any) -> tuple[int, ...]:
    return atom.aval.shape


def _type(atom: Any) -> Any:
    return atom.aval.dtype


def _size(atom: Any) -> int:
    return math.prod(_shape(atom))


def product_work(equation: JaxprEqn) -> float:
    """Operations of one matrix product or convolution, a convolution's counted eightfold; 0 for anything else."""
    callee = _callee(equation)
    if callee is not None:
        return sum(map(product_work, callee.jaxpr.eqns))
    if equation.primitive.name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return 2 * _size(equation.outvars[0]) * math.prod(_shape(equation.invars[0])[axis] for axis in contracted)
    if equation.primitive.name == "conv_general_dilated":
        kernel = _shape(equation.invars[1])
        channels = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
        return 8 * 2 * _size(equation.outvars[0]) * math.prod(kernel) / channels
    return 0
