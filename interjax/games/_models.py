"""Any network as (apply, params): apply(params, inputs) -> outputs of a batch. The only file that knows Flax."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from interjax._core._checks import shown
from interjax.games._apply import CHANGES_ITSELF, Apply, shown_shapes
from interjax.games._closures import Closure, Program
from interjax.games._equinox import check_takes_one, is_equinox_network
from interjax.games._evaluation import EVALUATION, evaluation_switches
from interjax.games._frameworks import TO_HOST, as_function, is_in_two_parts, untraced
from interjax.games._weights import Weights

_NO_NETWORK = (
    "{} must be a network: an nnx.Module, (Linen module, variables), an Equinox module, a Keras model on JAX, Haiku's "
    "(transformed, params), (function(params, inputs), params) or function(inputs); of what JAX cannot trace "
    "ij.masked_host_game and ij.Game.from_host make games (docs/frameworks.md); got {}"
)


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


def _call_closure(closure: Closure, inputs: jax.Array) -> jax.Array:
    return closure(inputs)


def _call_with_params(both: tuple[Closure, Any], inputs: jax.Array) -> jax.Array:
    closure, params = both
    return closure(params, inputs)


def as_apply(model: Any, like: Any, name: str = "model") -> tuple[Apply, Any]:
    """A snapshot of a network as (apply, params), evaluated deterministically; the network is left as found.

    Args:
        model: an `nnx.Module`; (Linen module, variables); an Equinox module, or (module, state); Haiku's (transformed,
            params), or (transformed, (params, state)); a Keras model on the JAX backend; (callable(params, inputs),
            params); or a callable(inputs) that holds its own parameters. Each works on a batch of inputs, but for
            Equinox modules, which are called with one input and mapped over the batch here. Dropout is off and
            BatchNorm uses its running averages, also where the module is in train mode; a switch named `train`,
            `training`, `is_training`, `is_train`, `enable_dropout`, `deterministic`, `use_running_average`, `inference`
            or `eval_mode` is set to evaluation: an argument of the call, or of an nnx or Equinox module an attribute
            that is a bool.
        like: a batch of inputs, of which the shape behind the first axis and the type are read.
        name: of the argument, for messages.

    Returns:
        apply: hashable, equal for networks of one architecture. params: a pytree of arrays, those that a function
        closes over among them.

    Raises:
        ValueError: if `model` is none of these.
    """
    if isinstance(model, nnx.Module):
        graphdef, params = nnx.split(_evaluating(model))
        return _ModuleApply(graphdef, _switches_of(type(model).__call__)), _copied(params)
    if (found := as_function(model, name)) is not None:
        if is_equinox_network(model):
            check_takes_one(model, like, name)
        model = found
    if isinstance(model, tuple) and len(model) == 2:
        function, params = model
        if isinstance(function, nnx.Module):
            raise ValueError(f"{name} is an nnx.Module, which holds its parameters: give it alone, without others")
        if isinstance(function, flax.linen.Module):
            return _LinenApply(function, _switches_of(type(function).__call__)), _copied(params)
        if isinstance(function, _TAKEN) or function in _CALLS:
            return function, params
        if callable(function):
            params = _copied(params)
            closure = _closure(_evaluated(function), like, params, name=name)
            if closure.arrays:
                return _call_with_params, (closure, params)
            return _OfParams(closure.program), params
    if isinstance(model, flax.linen.Module):
        raise ValueError(f"{name} is a Linen module and needs its variables: pass the tuple (module, variables)")
    if callable(model) and not isinstance(model, type):
        return _call_closure, _closure(_evaluated(model), like, name=name)
    raise ValueError(_NO_NETWORK.format(name, shown(model)))


@dataclasses.dataclass(frozen=True)
class _OfParams:
    """A function of parameters that holds no arrays of its own; equal for equal computations."""

    program: Program

    def __call__(self, params: Any, inputs: jax.Array) -> jax.Array:
        return self.program((), params, inputs)


_TAKEN = (_ModuleApply, _LinenApply, _OfParams)  # what `as_apply` gave before: a snapshot already
_CALLS = (_call_closure, _call_with_params)


def _closure(function: Callable, like: Any, *params: Any, name: str) -> Closure:
    """A function of (params, inputs), or of inputs, with what it closes over; ValueError if it takes no such batch."""
    batches = [
        jax.tree.map(lambda leaf, rows=rows: jax.ShapeDtypeStruct((rows, *leaf.shape[1:]), leaf.dtype), like)
        for rows in (2, 3)
    ]
    try:
        return Closure.of(function, *((*params, batch) for batch in batches))
    except jax.errors.UnexpectedTracerError as error:
        raise ValueError(f"{name} is {CHANGES_ITSELF}") from error
    except Exception as error:  # whatever another framework raises
        if untraced(error):
            raise ValueError(
                f"{name} is a network that cannot be traced by JAX, since it needs its inputs as numbers: give what "
                f"JAX computes with, or {TO_HOST}. It fails on a batch of shape {shown_shapes(batches[0])}: {error}"
            ) from error
        raise ValueError(
            f"{name} is a network that does not take a batch of inputs of shape {shown_shapes(batches[0])}: {error}"
        ) from error


def _copied(params: Any) -> Any:
    """The parameters as they are now: new containers, and copies of NumPy arrays, which may change in place."""
    return jax.tree.map(lambda leaf: jnp.array(leaf) if isinstance(leaf, np.ndarray) else leaf, params)


def params_of(model: Any, name: str = "model") -> Any:
    """The parameters by which a network is told from others; without leaves for a callable that holds its own."""
    if isinstance(model, nnx.Module):
        return nnx.split(model)[1]
    if (found := as_function(model, name)) is not None:
        return found[1]
    if isinstance(model, tuple) and len(model) == 2:
        return model[1]
    if callable(model) and not isinstance(model, type):
        return ()
    raise ValueError(_NO_NETWORK.format(name, shown(model)))


def _evaluating(model: nnx.Module) -> nnx.Module:
    """A view of a module with the switches that it has set to evaluation."""
    modules = [module for _, module in nnx.iter_modules(model)]
    names = [name for name in EVALUATION if any(isinstance(vars(one).get(name), bool) for one in modules)]
    always = {"deterministic": True, "use_running_average": True}
    return nnx.with_attributes(model, raise_if_not_found=False, **always | {name: EVALUATION[name] for name in names})


def _evaluated(function: Callable) -> Callable:
    """A function with its switch set to evaluation, where it has one that may be left out."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # it does not say what it takes
        return function
    given = evaluation_switches(parameters)
    return functools.partial(function, **given) if given else function


def as_networks(models: Any) -> list[Any]:
    """One network, or several in a list or tuple, as a list; ValueError if there is none.

    (Linen module, variables) and (function(params, inputs), params) are one network; two networks in a tuple are two.
    """
    if callable(models) or not isinstance(models, Sequence) or _is_function_with_params(models):
        return [models]
    if not models:
        raise ValueError("model must be a network, or several in a list; got an empty one")
    return list(models)


def _is_function_with_params(models: Sequence[Any]) -> bool:
    """Whether these are one network in two parts."""
    if not isinstance(models, tuple) or len(models) != 2 or isinstance(models[0], nnx.Module):
        return False
    function, other = models
    if isinstance(function, flax.linen.Module) or is_in_two_parts(models):
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


@functools.lru_cache(maxsize=256)
def _switches_of(call: Callable) -> tuple[tuple[str, bool], ...]:
    return tuple(evaluation_switches(inspect.signature(call).parameters).items())


def off_by_default(model: nnx.Module) -> str | None:
    """The switch, as "train=False", that keeps a module in evaluation unless its caller says otherwise, or None."""
    parameters = inspect.signature(type(model).__call__).parameters
    off = [name for name, value in EVALUATION.items() if name in parameters and parameters[name].default is value]
    return f"{off[0]}={EVALUATION[off[0]]}" if off else None


def trained_parameters(model: nnx.Module) -> Any:
    """The parameters of an nnx module, without batch statistics and random streams, as a pytree."""
    return nnx.state(model, nnx.Param)


def _fixed_leaves(params: Any) -> list[bool]:
    """Which leaves are no parameters: those a function closes over, as far as one can know, and running statistics."""
    parts = jax.tree.leaves(params, is_leaf=lambda node: isinstance(node, Closure | Weights))
    found = []
    for part in parts:
        kinds = [(part.trained, False), (part.fixed, True)] if isinstance(part, Weights) else []
        for each, is_fixed in kinds or [(part, isinstance(part, Closure))]:
            found += [is_fixed] * len(jax.tree.leaves(each))
    return found


def trained_leaves(model: Any, params: Any) -> tuple[bool, ...]:
    """Which leaves of params are differentiated."""
    if isinstance(params, nnx.State):
        variables = jax.tree.leaves(params, is_leaf=lambda node: isinstance(node, nnx.Variable))
        wanted = [isinstance(variable, nnx.Param) for variable in variables for _ in jax.tree.leaves(variable)]
    else:
        paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
        held = _fixed_leaves(params)
        is_linen = isinstance(model, tuple) and isinstance(model[0], flax.linen.Module)
        wanted = [
            not is_held and (not is_linen or getattr(path[0], "key", None) == "params")
            for path, is_held in zip(paths, held, strict=True)
        ]
    types = [jnp.result_type(leaf) for leaf in jax.tree.leaves(params)]
    is_trained = tuple(a and jnp.issubdtype(b, jnp.floating) for a, b in zip(wanted, types, strict=True))
    if not any(is_trained):
        raise ValueError(
            "the network has no floating parameters to differentiate: pass an nnx.Module, (Linen module, variables) or "
            "(function(params, inputs), params)"
        )
    return is_trained
