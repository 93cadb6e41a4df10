"""Any network as (apply, params): apply(params, inputs) -> outputs of a batch. The only file that knows Flax."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, cast

import flax.linen
import jax
import jax.numpy as jnp
from flax import nnx

from interjax.games._apply import Apply

# How networks name their switch between training and evaluation, and its value for evaluation.
_EVALUATION = {"train": False, "training": False, "is_training": False, "deterministic": True}
_EVALUATION |= {"use_running_average": True}


@dataclasses.dataclass(frozen=True)
class _ModuleApply:
    """An nnx module's graph definition; two of one architecture compare equal, so new weights do not retrace."""

    graphdef: Any
    switches: tuple[tuple[str, bool], ...]

    def __call__(self, params: Any, inputs: jax.Array) -> jax.Array:
        return nnx.merge(self.graphdef, params)(inputs, **dict(self.switches))


@dataclasses.dataclass(frozen=True)
class _LinenApply:
    """A Linen module applied to its variables, none of them mutable."""

    module: flax.linen.Module
    switches: tuple[tuple[str, bool], ...]

    def __hash__(self) -> int:
        try:
            return hash((self.module, self.switches))
        except TypeError:  # a module with lists among its attributes; equality still compares them
            return hash((type(self.module), self.switches))

    def __call__(self, params: Any, inputs: jax.Array) -> jax.Array:
        return self.module.apply(params, inputs, mutable=False, **dict(self.switches))  # type: ignore[return-value]


@dataclasses.dataclass(frozen=True)
class _ClosedApply:
    """A callable that holds its own parameters."""

    function: Callable[[jax.Array], jax.Array]

    def __call__(self, params: Any, inputs: jax.Array) -> jax.Array:
        return self.function(inputs)


def as_apply(model: Any) -> tuple[Apply, Any]:
    """Turn a network into (apply, params), evaluated deterministically; the network is left as found.

    Args:
        model: an `nnx.Module`; (Linen module, variables); (callable(params, inputs), params); or a callable(inputs)
            that holds its own parameters. Each works on a batch of inputs. Dropout is off and BatchNorm uses its
            running averages, also where the module is in train mode; a call argument named `train`, `training`,
            `is_training`, `deterministic` or `use_running_average` is set to evaluation.

    Returns:
        apply: hashable, equal for networks of one architecture. params: a pytree of arrays.

    Raises:
        ValueError: if `model` is none of these.
    """
    if isinstance(model, nnx.Module):
        evaluating = nnx.with_attributes(model, deterministic=True, use_running_average=True, raise_if_not_found=False)
        graphdef, params = nnx.split(evaluating)
        return _ModuleApply(graphdef, _evaluation_switches(type(model).__call__)), params
    if isinstance(model, tuple) and len(model) == 2:
        function, params = model
        if isinstance(function, nnx.Module):
            raise ValueError("an nnx.Module holds its parameters: give it alone, without others beside it")
        if isinstance(function, flax.linen.Module):
            return _LinenApply(function, _evaluation_switches(type(function).__call__)), params
        if callable(function):
            return cast(Apply, function), params
    if isinstance(model, flax.linen.Module):
        raise ValueError("a Linen module needs its variables: pass the tuple (module, variables)")
    if callable(model):
        return _ClosedApply(cast(Callable[[jax.Array], jax.Array], model)), ()
    raise ValueError(
        "expected a network as an nnx.Module, (Linen module, variables), (function(params, inputs), params) or "
        f"function(inputs); got {type(model).__name__}"
    )


def as_networks(models: Any) -> list[Any]:
    """One network, or several in a list or tuple, as a list; ValueError if there is none.

    (Linen module, variables) and (function(params, inputs), params) are one network; two networks in a tuple are two.
    """
    if callable(models) or not isinstance(models, Sequence) or _is_function_with_params(models):
        return [models]
    if not models:
        raise ValueError("expected a network, or several in a list; got an empty one")
    return list(models)


def _is_function_with_params(models: Sequence[Any]) -> bool:
    """Whether these are one network in two parts."""
    if not isinstance(models, tuple) or len(models) != 2 or isinstance(models[0], nnx.Module):
        return False
    function, other = models
    if isinstance(function, flax.linen.Module):
        return True
    is_network = callable(other) or (isinstance(other, tuple) and len(other) == 2 and callable(other[0]))
    # Parameters may be a pytree that can be called itself: then the function takes more than the inputs.
    return callable(function) and not (is_network and _takes_inputs_alone(function))


def with_params(function: Any, params: Any) -> Any:
    """The network that a function or a Linen module is with its params; by itself if they are None and it needs none.

    Args:
        function: an nnx module, a Linen module, a function(params, inputs) or function(inputs); or a network in two
            parts, if params are None.
        params: what it is called with; None for a network that holds its own.
    """
    is_whole = isinstance(function, nnx.Module | flax.linen.Module) or not callable(function)
    return function if params is None and (is_whole or _takes_inputs_alone(function)) else (function, params)


def _takes_inputs_alone(function: Callable) -> bool:
    try:
        inspect.signature(function).bind(None)
    except (TypeError, ValueError):  # it needs another argument, or does not say what it takes
        return False
    return True


def holds_arrays(apply: Apply) -> bool:
    """Whether a network is a bare callable, whose arrays are constants of what is compiled, and may change."""
    return isinstance(apply, _ClosedApply)


def compiled_for(apply: Apply, program: Callable, *, static_argnums: Any) -> Callable:
    """A jitted program of a network: the one that all calls share, or for a bare callable a new one.

    The arrays that a bare callable closes over are constants of what is compiled, and may change until the next call.
    """
    if not holds_arrays(apply):
        return program
    function = program.__wrapped__
    return jax.jit(lambda *arguments: function(*arguments), static_argnums=static_argnums)


@functools.lru_cache(maxsize=256)
def _evaluation_switches(call: Callable) -> tuple[tuple[str, bool], ...]:
    names = inspect.signature(call).parameters
    return tuple((name, value) for name, value in _EVALUATION.items() if name in names)


def trained_parameters(model: nnx.Module) -> Any:
    """The parameters of an nnx module, without batch statistics and random streams, as a pytree."""
    return nnx.state(model, nnx.Param)


def trained_leaves(model: Any, params: Any) -> tuple[bool, ...]:
    """Which leaves of params are differentiated."""
    if isinstance(params, nnx.State):
        variables = jax.tree.leaves(params, is_leaf=lambda node: isinstance(node, nnx.Variable))
        wanted = [isinstance(variable, nnx.Param) for variable in variables for _ in jax.tree.leaves(variable)]
    else:
        paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        is_linen = isinstance(model, tuple) and isinstance(model[0], flax.linen.Module)
        wanted = [not is_linen or getattr(path[0], "key", None) == "params" for path in paths]
    types = [jnp.result_type(leaf) for leaf in jax.tree.leaves(params)]
    is_trained = tuple(a and jnp.issubdtype(b, jnp.floating) for a, b in zip(wanted, types, strict=True))
    if not any(is_trained):
        raise ValueError(
            "the network has no floating parameters to differentiate: pass an nnx.Module, (Linen module, variables) or "
            "(function(params, inputs), params)"
        )
    return is_trained
