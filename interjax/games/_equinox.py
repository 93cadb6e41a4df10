"""Equinox modules as functions of a batch: mapped over its inputs, in inference mode, their arrays as params."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from interjax.games._apply import row_of, shown_shapes
from interjax.games._closures import Closure
from interjax.games._evaluation import EVALUATION, evaluation_switches
from interjax.games._weights import Weights

_ALIKE = 1e-3  # relative to the largest output: what differs by more is no rounding
_AS_BATCH = "give lambda x: module(x), which is called with a batch"


def is_equinox_network(model: Any) -> bool:
    """Whether it is an Equinox module that can be called, also under `eqx.filter_jit` or `eqx.filter_vmap`."""
    return _is_of_equinox(model, "Module") and callable(model) and _is_of_equinox(_innermost(model), "Module")


def is_equinox_state(state: Any) -> bool:
    """Whether it is what stateful layers of Equinox keep."""
    return _is_of_equinox(state, "State")


def of_equinox(module: Any, state: Any, name: str) -> tuple[Callable[[Any, Any], Any], Any]:
    """A module as (function(params, batch), params), its `inference` switches set as `eqx.nn.inference_mode` sets them.

    Args:
        module: called with one input, and with its state if there is one; with a batch where `eqx.filter_vmap` made it.
        state: `eqx.nn.State` of its layers; None for none.
        name: of the argument, for messages.
    """
    module, takes_batch = _unwrapped(module)
    module = _evaluating(module)
    leaves, structure = jax.tree.flatten_with_path(module)
    static = [None if _is_array(leaf) else leaf for _, leaf in leaves]
    arrays = {jax.tree_util.keystr(path): leaf for path, leaf in leaves if _is_array(leaf)}
    names = [jax.tree_util.keystr(path) if _is_array(leaf) else None for path, leaf in leaves]
    options = _options(module, state is not None, name)

    def function(params: Weights, inputs: jax.Array) -> Any:
        held = [value if key is None else params.trained[key] for key, value in zip(names, static, strict=True)]
        network = jax.tree.unflatten(structure, held)

        def of_one(x: jax.Array) -> Any:
            if params.fixed is None:
                return network(x, **options)
            found = network(x, params.fixed, **options)
            if not (isinstance(found, tuple) and len(found) == 2):
                raise ValueError("an Equinox module with a state must return (outputs, state)")
            return found[0]

        if takes_batch:
            return of_one(inputs)
        try:
            return jax.vmap(of_one)(inputs)
        except Exception as error:
            raise ValueError(
                f"an Equinox module is called with one input, here of shape {shown_shapes(row_of(inputs))}, and mapped "
                f"over the batch; where it takes a batch, {_AS_BATCH}: {error}"
            ) from error

    return function, Weights(arrays, state)


def check_takes_one(module: Any, like: Any, name: str) -> None:
    """Raise ValueError if a module takes a batch too, and gives other outputs than for its inputs one by one."""
    module, takes_batch = _unwrapped(module)
    is_known = isinstance(like, jax.Array | np.ndarray) and not isinstance(like, Tracer) and len(like) > 0
    if takes_batch or not is_known or not getattr(like, "is_fully_addressable", True):
        return
    module = _evaluating(module)
    one = np.asarray(like[0])
    is_fraction = jnp.issubdtype(one.dtype, jnp.floating)
    other = np.random.default_rng(0).normal(size=one.shape) if is_fraction else one.ravel()[::-1].reshape(one.shape)
    batch = jnp.asarray(np.stack([one, other.astype(one.dtype)]))
    try:
        options = _options(module, False, name)
        both = Closure.of(lambda x: (module(x, **options), jax.vmap(lambda x: module(x, **options))(x)), (batch,))
        together, apart = jax.jit(_call)(both, batch)
    except Exception:  # it takes the one or the other alone
        return
    if not all(isinstance(found, jax.Array) for found in (together, apart)) or together.shape != apart.shape:
        return
    together, apart = np.asarray(together), np.asarray(apart)
    if not np.allclose(together, apart, rtol=_ALIKE, atol=_ALIKE * np.abs(apart).max(initial=0), equal_nan=True):
        raise ValueError(
            f"{name} is an Equinox module that takes one input and a batch of them, and gives other outputs in the "
            f"batch: where it is meant for one input, give eqx.filter_vmap(module); where for a batch, {_AS_BATCH}"
        )


def _call(closure: Closure, inputs: jax.Array) -> Any:
    return closure(inputs)


def _is_of_equinox(value: Any, kind: str) -> bool:
    return any(
        one.__name__ == kind and (one.__module__ == "equinox" or one.__module__.startswith("equinox."))
        for one in type(value).__mro__
    )


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array | np.ndarray)


def _unwrapped(module: Any) -> tuple[Any, bool]:
    """A module without `eqx.filter_jit`, and whether `eqx.filter_vmap` made it."""
    while type(module).__name__ == "_JitWrapper":
        module = module.__wrapped__
    return module, type(module).__name__ == "_VmapWrapper"


def _innermost(module: Any) -> Any:
    """What wrappers by Equinox hold: a module, the module of a method, or a function."""
    while type(module).__name__ in ("_JitWrapper", "_VmapWrapper"):
        module = module.__wrapped__
    return getattr(module, "__self__", module)


def _evaluating(tree: Any) -> Any:
    """A copy of a pytree whose modules have their switches set to evaluation, as fields that are static have too."""
    return jax.tree.map(_module_evaluating, tree, is_leaf=lambda node: _is_of_equinox(node, "Module"))


def _module_evaluating(node: Any) -> Any:
    if not _is_of_equinox(node, "Module"):
        return node
    copy = object.__new__(type(node))
    for key, value in vars(node).items():
        object.__setattr__(copy, key, value)
    for field in dataclasses.fields(node):
        value = vars(node).get(field.name)
        if isinstance(value, bool) and field.name in EVALUATION:
            object.__setattr__(copy, field.name, EVALUATION[field.name])
        elif value is not None and not field.metadata.get("static", False):
            object.__setattr__(copy, field.name, _evaluating(value))
    return copy


def _options(module: Any, has_state: bool, name: str) -> dict[str, Any]:
    """The arguments of a call beside the input: switches set to evaluation, no random key."""
    try:
        parameters = inspect.signature(module).parameters
    except (TypeError, ValueError):  # it does not say what it takes
        return {}
    needed = [one.name for one in parameters.values() if one.default is inspect.Parameter.empty]
    if "state" in needed and not has_state:
        raise ValueError(
            f"{name} is an Equinox module with a state: pass the tuple (module, state) with its eqx.nn.State"
        )
    return evaluation_switches(parameters) | ({"key": None} if "key" in needed else {})
