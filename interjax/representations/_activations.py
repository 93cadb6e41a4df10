"""The activations of any layers of a network over a data set: run on the device in batches, kept on the host."""

import collections
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array

from interjax._core._checks import check_array, check_count, check_known, check_several, shown
from interjax.games._batches import rows_of
from interjax.games._inputs import inputs_program
from interjax.games._models import as_apply
from interjax.games._tree_players import as_leaves
from interjax.representations._listening import listen

Layer = Callable[[Any, Array], Any]
Functions = tuple[tuple[str, Layer], ...]
Kind = Literal["nnx", "linen", "function", "callable"]

_PROBE = 7919  # rows of an abstract batch: an axis of this length is the batch's
_OUTPUT = "output"
_BATCH_BYTES = 1 << 28  # of everything that the layers give for a batch
_LARGEST_BATCHES = {"cpu": 512}  # a larger one gains nothing there
_LARGEST_BATCH = 8192


def activations(
    model: Any,
    x: Any,
    *,
    layers: str | Sequence[str] | Mapping[str, Layer] | None = None,
    batch_size: int | None = None,
) -> dict[str, np.ndarray]:
    """What the layers of a network give for every input, in evaluation mode.

    A layer's name is its path: "layers.0", "head.quantisers.2", "Dense_0", "Block_1.Conv_0"; "output" is the whole
    network. A layer that is called several times has a name for each call, "dropout[0]", "dropout[1]"; one that
    returns a tuple or dictionary has one for each entry, "block.0". A linear layer's output is what comes before the
    activation function. What comes after it is an output of a quantiser, of dropout, or of a method `hidden` that an
    nnx module calls, as the perceptrons of `ij.networks` do: "hidden.0" is the input, "hidden.1" the first hidden
    layer.

    Args:
        model: an nnx module or (Linen module, variables). Of (function(params, inputs), params) and function(inputs)
            only "output" has a name, and functions reach the rest. It is left as it is, mode and random streams
            included.
        x: inputs (N, ...) in the form that the network takes; several arrays in dicts and tuples, each of one row an
            input.
        layers: one name, several, or None for all whose first axis is the batch. A mapping from names to
            functions(model, x) -> (batch, ...) reaches what no layer returns; they get the model in the form given,
            an nnx module in evaluation mode, and set arguments of its call such as `train` themselves. What an nnx
            module calls inside a transformation, such as `nnx.scan` or `jax.checkpoint`, has no name.
        batch_size: inputs a batch; by default as many as fit 256 MB, at most 512 on a CPU and 8192 elsewhere.

    Returns:
        For each name the activations, (N, ...); floating numbers narrower than 32 bits become float32. NaN stays.

    Raises:
        ValueError: an unknown name (the message lists the known ones), no inputs, inputs that the network does not
            take, or a function that does not return an array with one row for each input.

    Example:
        >>> from interjax import networks
        >>> network = networks.build("quantised_mlp", (4,), 2, hidden=(5, 3))
        >>> found = activations(network, np.ones((6, 4)), layers=["hidden.2", "output"])
        >>> {name: values.shape for name, values in found.items()}
        {'hidden.2': (6, 3), 'output': (6, 2)}
    """
    x = _check_inputs(x)
    functions = _functions_of(layers)
    _check_named(_kind_of(model), layers)
    network, params, known = _known_layers(model, functions, x)
    names = _chosen(layers, known)
    size = _default_batch(known, x) if batch_size is None else check_count("batch_size", batch_size)
    function = _ValuesOfLayers(network, names)
    count = rows_of(x, "x")
    return dict(zip(names, inputs_program(function, params, x, min(size, count)).values(x), strict=True))


class _Call(NamedTuple):
    """The path of a layer and what it returned."""

    path: str
    returned: Any


@dataclasses.dataclass(frozen=True)
class _Network:
    """A network apart from its parameters; two of one architecture compare equal, so new weights do not retrace.

    kind: of the network as it was given. apply: what `as_apply` makes of it, or of the functions of its layers.
    functions: names of these functions; () for its own layers.
    """

    kind: Kind
    apply: Any
    functions: tuple[str, ...] = ()

    def calls(self, params: Any, x: Array) -> list[_Call]:
        """What the functions return for a batch, or where there are none all layers, in the order of their calls."""
        if self.functions:
            return [_Call(*each) for each in zip(self.functions, self.apply(params, x), strict=True)]
        if self.kind == "nnx":
            model = nnx.merge(self.apply.graphdef, params)
            with listen(model) as heard:
                output = model(x, **dict(self.apply.switches))
            return [*(_Call(*each) for each in heard if each[0]), _Call(_OUTPUT, output)]
        if self.kind == "linen":
            return self._linen_calls(params, x)
        return [_Call(_OUTPUT, self.apply(params, x))]

    def _linen_calls(self, variables: Any, x: Array) -> list[_Call]:
        module = self.apply.module
        variables = {name: values for name, values in variables.items() if name != "intermediates"}
        switches = dict(self.apply.switches)
        _, found = module.apply(variables, x, capture_intermediates=True, mutable=["intermediates"], **switches)
        calls = list(_walk(found["intermediates"], ()))
        return [each for each in calls if each.path != _OUTPUT] + [each for each in calls if each.path == _OUTPUT]


def _walk(found: Any, path: tuple[str, ...]) -> Iterator[_Call]:
    """The calls and sown values in a tree of Linen's intermediates."""
    if isinstance(found, Mapping):
        for name, inner in found.items():
            yield from _walk(inner, path if name == "__call__" else (*path, name))
    else:
        for returned in found if isinstance(found, tuple) else (found,):
            yield _Call(".".join(path) or _OUTPUT, returned)


def _named(calls: Sequence[_Call]) -> dict[str, Array]:
    """Every array that was returned, by its name."""
    counts = collections.Counter(call.path for call in calls)
    number: collections.Counter = collections.Counter()
    named = {}
    for path, returned in calls:
        name = path if counts[path] == 1 else f"{path}[{number[path]}]"
        number[path] += 1
        for place, value in jax.tree_util.tree_leaves_with_path(returned):
            if isinstance(value, jax.Array):
                entry = jax.tree_util.keystr(place, simple=True, separator=".")
                named[f"{name}.{entry}" if place else name] = value
    return named


@dataclasses.dataclass(frozen=True)
class _ValuesOfLayers:
    """What the named layers give for a batch of inputs."""

    network: _Network
    names: tuple[str, ...]

    def __call__(self, params: Any, whole: None, x: Array) -> list[Array]:
        named = _named(self.network.calls(params, x))
        return [_at_least_float32(named[name]) for name in self.names]


def _at_least_float32(values: Array) -> Array:
    narrow = jnp.issubdtype(values.dtype, jnp.floating) and values.dtype.itemsize < 4
    return values.astype(jnp.float32) if narrow else values


def _kind_of(model: Any) -> Kind:
    if isinstance(model, nnx.Module):
        return "nnx"
    if isinstance(model, tuple):
        return "linen" if isinstance(model[0], flax.linen.Module) else "function"
    return "callable"


def _network_of(model: Any, functions: Functions, x: Any) -> tuple[_Network, Any]:
    """The network, or the functions of its layers, apart from the parameters."""
    kind = _kind_of(model)
    if not functions:
        apply, params = as_apply(model, x)
        return _Network(kind, apply), params
    given, params = _given(kind, model, x)

    def layers(params: Any, x: Array) -> tuple[Any, ...]:
        return tuple(function(given(params), x) for _, function in functions)

    apply, params = as_apply((layers, params), x)
    return _Network(kind, apply, tuple(name for name, _ in functions)), params


def _given(kind: Kind, model: Any, x: Any) -> tuple[Callable[[Any], Any], Any]:
    """The network in the form in which it was given, as a function of its parameters, and these."""
    if kind == "callable":
        return lambda params: model, ()
    if kind == "function":
        return lambda params: (model[0], params), model[1]
    apply, params = as_apply(model, x)
    if kind == "linen":
        return lambda params: (apply.module, params), params
    return lambda params: nnx.merge(apply.graphdef, params), params


def _check_named(kind: Kind, layers: Any) -> None:
    """Raise ValueError if layers of a function are asked for by name."""
    if kind in ("nnx", "linen") or isinstance(layers, Mapping):
        return
    named = {layers} if isinstance(layers, str) else set(layers or ())
    if layers is None or named - {_OUTPUT}:
        got = "function" if kind == "callable" else "(function, params)"
        raise ValueError(
            "a function has no layers by name: expected a network as an nnx.Module, or (Linen module, variables); got "
            f'{got}. layers="output" is what it gives, and layers={{"name": function(model, x)}} what it computes on '
            "the way"
        )


def _functions_of(layers: Any) -> Functions:
    if not isinstance(layers, Mapping):
        return ()
    if not layers or not all(isinstance(name, str) and callable(each) for name, each in layers.items()):
        raise ValueError(
            f"layers must be names or a mapping from names to functions(model, x) -> array, got {layers!r}"
        )
    return tuple(layers.items())


def _known_layers(model: Any, functions: Functions, x: Any) -> tuple[_Network, Any, dict[str, jax.ShapeDtypeStruct]]:
    """Network and parameters, and what each layer gives for a batch of `_PROBE` inputs, without computing it."""
    row = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((_PROBE, *leaf.shape[1:]), jnp.result_type(leaf)), x)
    try:
        network, params = _network_of(model, functions, row)
        shapes, tree = jax.tree.flatten(jax.eval_shape(lambda params: params, params))
        rows, form = jax.tree.flatten(row)
        found = _probe(network, tree, tuple(shapes), form, tuple(rows))
    except Exception as error:
        raise ValueError(f"model, or a function of layers, fails on inputs x of {_form_of(x)}: {error}") from error
    known = {name: shape for name, shape in found.items() if shape.shape[:1] == (_PROBE,)}
    for name, _ in functions:
        if name not in known:
            given = ", ".join(f"{each} {shape.shape}" for each, shape in found.items()) or "none"
            raise ValueError(
                f"layers: the function of the layer {name!r} must return one array with a row for each input; its "
                f"arrays for a batch of {_PROBE} are {given}"
            )
    return network, params, known


@functools.lru_cache(maxsize=64)
def _probe(network: _Network, tree: Any, shapes: tuple, form: Any, rows: tuple) -> dict:
    names: list[str] = []

    def trace(params: Any, x: Array) -> list[Array]:
        named = _named(network.calls(params, x))
        names.extend(named)
        return list(named.values())

    return dict(zip(names, jax.eval_shape(trace, tree.unflatten(shapes), form.unflatten(rows)), strict=False))


def _chosen(layers: Any, known: Mapping[str, Any]) -> tuple[str, ...]:
    if layers is None:
        return tuple(known)
    names = tuple(dict.fromkeys(layers if isinstance(layers, Mapping) else names_of(layers)))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(
            f"layers must be among those of this network, {', '.join(known)}; got "
            f"{', '.join(map(repr, unknown)) or 'none'}"
        )
    return names


def names_of(layers: Any) -> list[str]:
    """The names of layers, one or several, as a list; ValueError if they are none."""
    names = [layers] if isinstance(layers, str) else check_several("layers", layers)
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"layers must be the name of a layer or a list of names; got {shown(layers)}")
    return names


def _check_inputs(x: Any) -> Any:
    check_known("x", x)
    if isinstance(x, Mapping | tuple):
        x = jax.tree.map(np.asarray, as_leaves("x", x))
        if not rows_of(x, "x"):
            raise ValueError(f"x must be inputs (N, ...), at least one; got {_form_of(x)}")
        return x
    x = check_array("x", x, "inputs (N, ...), an array of real numbers")
    if x.ndim == 0 or len(x) == 0:
        raise ValueError(f"x must be inputs (N, ...), at least one; got shape {x.shape}")
    return x


def _form_of(x: Any) -> str:
    """Shapes and types of a batch in words."""
    leaves = [f"{('batch', *leaf.shape[1:])}, {leaf.dtype}" for leaf in jax.tree.leaves(x)]
    return f"shape {leaves[0]}" if len(leaves) == 1 else f"shapes {'; '.join(leaves)}"


def _default_batch(known: Mapping[str, jax.ShapeDtypeStruct], x: Any) -> int:
    a_row = sum(math.prod(each.shape[1:]) * each.dtype.itemsize for each in (*known.values(), *jax.tree.leaves(x)))
    return max(1, min(_BATCH_BYTES // max(a_row, 1), _LARGEST_BATCHES.get(jax.default_backend(), _LARGEST_BATCH)))
