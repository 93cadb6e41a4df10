"""Networks of other frameworks: those on JAX as a function with params, those that JAX cannot trace by name.

No framework is imported here: an object is known by the modules that its classes come from.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from interjax._core._checks import shown
from interjax.games._equinox import is_equinox_network, is_equinox_state, of_equinox
from interjax.games._evaluation import evaluation_switches
from interjax.games._weights import Weights

_ON_HOST = {  # what JAX cannot trace, by the package of its classes
    "torch": "PyTorch",
    "sklearn": "scikit-learn",
    "onnxruntime": "ONNX Runtime",
    "onnx": "ONNX",
    "tensorflow": "TensorFlow",
    "tf_keras": "TensorFlow",
    "xgboost": "XGBoost",
    "lightgbm": "LightGBM",
    "catboost": "CatBoost",
}
TO_HOST = (
    "make a game of it by ij.masked_host_game(predict, x, players=...), where predict maps a batch of inputs in NumPy "
    "to outputs, or by ij.Game.from_host(function of masks, n_players); docs/frameworks.md has a recipe"
)


def as_function(model: Any, name: str = "model") -> tuple[Callable[[Any, Any], Any], Any] | None:
    """A network of Equinox, Haiku or Keras as (function(params, inputs), params), in evaluation; None for any other.

    Args:
        model: an Equinox module, called with one input, or (module, its `eqx.nn.State`); a Haiku
            (transformed, params), or (transformed, (params, state)); a Keras model on the JAX backend.
        name: of the argument, for messages.

    Raises:
        ValueError: where a part is missing, or the framework is one that JAX cannot trace.
    """
    if is_equinox_network(model):
        return of_equinox(model, None, name)
    if _is_of(model, "haiku", "Transformed"):
        raise ValueError(
            f"{name} is a Haiku transform and needs its params: pass the tuple (transformed, params), or "
            "(transformed, (params, state))"
        )
    if _is_of(model, "keras", "Layer"):
        return _of_keras(model, name)
    if isinstance(model, tuple) and len(model) == 2:
        network, rest = model
        if is_equinox_network(network):
            if not is_equinox_state(rest):
                raise ValueError(
                    f"{name} is an Equinox module, which holds its parameters: give it alone, or as (module, state) "
                    f"with its eqx.nn.State; got {shown(rest)} beside it"
                )
            return of_equinox(network, rest, name)
        if _is_of(network, "haiku", "Transformed"):
            return _of_haiku(network, rest, name)
        _refuse(network, name)
    _refuse(model, name)
    return None


def is_in_two_parts(models: Sequence[Any]) -> bool:
    """Whether two objects are one network of Equinox or Haiku."""
    network, rest = models
    return _is_of(network, "haiku", "Transformed") or (is_equinox_network(network) and is_equinox_state(rest))


def untraced(error: Exception) -> bool:
    """Whether a function failed since a framework that JAX cannot trace was handed a tracer."""
    if isinstance(error, jax.errors.TracerArrayConversionError) or "DynamicJaxprTracer" in str(error):
        return True
    trace = error.__traceback__
    packages = set()
    while trace is not None:
        packages.add(str(trace.tb_frame.f_globals.get("__name__")).split(".")[0])
        trace = trace.tb_next
    return "torchax" not in packages and not packages.isdisjoint(_ON_HOST)


def _refuse(model: Any, name: str) -> None:
    """Raise ValueError for an object, or a method of one, of a framework that JAX cannot trace."""
    while isinstance(model, functools.partial):
        model = model.func
    owner = getattr(model, "__self__", model)
    packages = [kind.__module__.split(".")[0] for kind in type(owner).__mro__]
    framework = next((_ON_HOST[package] for package in packages if package in _ON_HOST), None)
    if framework is not None:
        raise ValueError(f"{name} is a network of {framework}, which JAX cannot trace: {TO_HOST} for {framework}")


def _is_of(model: Any, package: str, kind: str) -> bool:
    """Whether an object is of a class of this framework whose name begins so."""
    classes = type(model).__mro__
    return any(one.__module__.split(".")[0] == package and one.__name__.startswith(kind) for one in classes)


def _of_haiku(transformed: Any, params: Any, name: str) -> tuple[Callable[[Any, Any], Any], Any]:
    """A pair of Haiku's pure functions: no random key, switches that its function names set to evaluation."""
    has_state = _is_of(transformed, "haiku", "TransformedWithState")
    if has_state and not (isinstance(params, tuple) and len(params) == 2):
        raise ValueError(
            f"{name} is a Haiku transform with state: pass (transformed, (params, state)); beside it came "
            f"{shown(params)}"
        )
    names = list(inspect.signature(transformed.apply).parameters)
    before = 2 if has_state else 1
    key = (None,) if names[before : before + 1] == ["rng"] else ()  # none behind hk.without_apply_rng
    switches = evaluation_switches(names)

    def function(params: Any, inputs: jax.Array) -> Any:
        if has_state:
            return transformed.apply(params.trained, params.fixed, *key, inputs, **switches)[0]
        return transformed.apply(params, *key, inputs, **switches)

    return function, Weights(*params) if has_state else params


def _of_keras(model: Any, name: str) -> tuple[Callable[[Any, Any], Any], Any]:
    """A Keras model by its own `stateless_call`, with copies of its variables: training gives their buffers away."""
    keras: Any = sys.modules.get("keras")
    backend = keras.backend.backend() if hasattr(model, "stateless_call") else "tensorflow"
    if backend != "jax":
        raise ValueError(
            f"{name} is a Keras model on the backend {backend!r}, which JAX cannot trace: set the environment variable "
            'KERAS_BACKEND="jax" before Keras is imported and load the model again (docs/frameworks.md), or '
            f"{TO_HOST}"
        )
    if not model.built:
        raise ValueError(
            f"{name} is a Keras model without variables yet: call it once on inputs, or model.build(shape)"
        )

    def function(params: Weights, inputs: jax.Array) -> Any:
        return model.stateless_call(params.trained, params.fixed, inputs, training=False)[0]

    copies = [
        [jnp.array(variable.value, copy=True) for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    return function, Weights(*copies)
