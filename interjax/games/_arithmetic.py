"""How far a game's values may be off by the arithmetic inside its network, which the values do not show."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, jaxprs_in_params

from interjax.games._apply import outputs_of_rows

_LOOPS = {"scan", "while"}  # what depends on the inputs after a turn did not before it
_SAME_NUMBERS = {"reshape", "squeeze", "broadcast_in_dim", "convert_element_type", "slice", "copy"}
_PATTERNS = 8  # of signs in which logits are moved
_STEPS = 4.0  # of their last digit, by which they are moved, so that their own rounding hides little of it


def unit_of_network(trace: ClosedJaxpr, inputs: int, precision: str | None) -> float:
    """The eps of a network's arithmetic: that of the coarsest type that anything computed from its inputs is held in.

    Args:
        trace: of (params, inputs) -> outputs.
        inputs: how many of its last arguments are inputs.
        precision: of the forward pass.
    """
    if precision == "bfloat16":
        return float(jnp.finfo(jnp.bfloat16).eps)
    arguments = len(trace.jaxpr.invars)
    return _coarsest(trace.jaxpr, [place >= arguments - inputs for place in range(arguments)])[0]


def _coarsest(jaxpr: Jaxpr, depends: list[bool]) -> tuple[float, list[bool]]:
    """The largest eps among what depends on these arguments, and which results do."""
    found = {variable for variable, does in zip(jaxpr.invars, depends, strict=True) if does}
    unit = 0.0
    for equation in jaxpr.eqns:
        does = [not isinstance(atom, Literal) and atom in found for atom in equation.invars]
        if not any(does):
            continue
        results = [True] * len(equation.outvars)
        inner = list(jaxprs_in_params(equation.params))
        for each in inner:
            is_call = len(inner) == 1 and len(each.invars) == len(does) and equation.primitive.name not in _LOOPS
            below, after = _coarsest(each, does if is_call else [True] * len(each.invars))
            unit = max(unit, below)
            results = after if is_call and len(after) == len(results) else results
        for variable, result in zip(equation.outvars, results, strict=True):
            if result:
                found.add(variable)
                unit = max(unit, _eps(variable.aval))
    return unit, [not isinstance(atom, Literal) and atom in found for atom in jaxpr.outvars]


def _eps(aval: Any) -> float:
    kind = getattr(aval, "dtype", None)
    return float(jnp.finfo(kind).eps) if kind is not None and jnp.issubdtype(kind, jnp.floating) else 0.0


def ends_in_sigmoid(jaxpr: Jaxpr, result: int = 0) -> bool:
    """Whether a result of a trace is a sigmoid, but for its shape and type."""
    made = {variable: equation for equation in jaxpr.eqns for variable in equation.outvars}
    last = jaxpr.outvars[result]
    while not isinstance(last, Literal) and last in made:
        equation = made[last]
        if equation.primitive.name == "logistic":
            return True
        inner = list(jaxprs_in_params(equation.params))
        if len(inner) == 1 and equation.primitive.name not in _LOOPS:
            return ends_in_sigmoid(inner[0], equation.outvars.index(last))
        if equation.primitive.name not in _SAME_NUMBERS:
            return False
        last = equation.invars[0]
    return False


def carried(output: Any, rows: list[np.ndarray], like: Any, unit: float) -> jax.Array:
    """How far values are off where each of a network's outputs is off by its last digit: a scalar.

    An offset that all logits have in common cancels in log-odds; their rounding does not.

    Args:
        output: the network's outputs of an input -> scalar, a pytree.
        rows: the network's outputs of a few inputs, flat.
        like: outputs of a batch, as the network gives them.
        unit: eps of the network's arithmetic.
    """
    return _carried(output, outputs_of_rows(np.stack(rows), like), np.float32(unit))


@jax.jit
def _carried(output: Any, outputs: Any, unit: jax.Array) -> jax.Array:
    random, kinds = np.random.default_rng(0), np.array([-1, 1], np.float32)
    signs = jax.tree.map(lambda leaf: random.choice(kinds, (_PATTERNS, *leaf.shape)), outputs)
    values = jax.vmap(output)(outputs)

    def moved(leaf: jax.Array, signs: jax.Array) -> jax.Array:
        return jnp.where(jnp.isfinite(leaf), leaf * (1 + _STEPS * unit * signs), leaf).astype(leaf.dtype)

    def change(signs: Any) -> jax.Array:
        found = jax.vmap(output)(jax.tree.map(moved, outputs, signs)) - values
        return jnp.where(jnp.isfinite(found), found, 0.0).astype(jnp.float32)

    return jnp.sqrt(jnp.mean(jnp.square(jax.lax.map(change, signs)), axis=0)).max() / _STEPS
