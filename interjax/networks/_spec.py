"""Networks by name, and the spec from which each can be rebuilt."""

import dataclasses
import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array

from interjax._core._checks import check_count, check_is, check_lengths
from interjax._core._keys import check_key
from interjax.networks._architectures import MLP, AlexNetCIFAR, LeNet, ResidualMLP
from interjax.networks._quantised import QuantisedLeNet, QuantisedMLP
from interjax.networks._residual import ResNet, ResNet18
from interjax.networks._transformer import VisionTransformer


def build(
    name: str, input_shape: Sequence[int], n_classes: int, *, seed: int | Array = 0, **options: Any
) -> nnx.Module:
    """Build a network by name.

    Args:
        name: "mlp", "tabular_mlp", "residual_mlp", "lenet", "alexnet", "resnet20", "resnet18", "vit", or, with hidden
            layers of few values, "quantised_mlp" or "quantised_lenet".
        input_shape: shape of one input, without the batch axis: (features,) or (height, width, channels).
        n_classes: number of logits; 1 for a number to predict, or for the logit of the second of two classes.
        seed: an integer or a `jax.random.key`, from which the parameters and the dropout stream are drawn.
        options: what the network's class takes by keyword; for "mlp" `hidden`, the widths of its hidden layers, by
            default (256, 256); for "tabular_mlp" and "residual_mlp" `width` of the hidden layers, by default 100, and
            `depth`, the number of linear layers, by default 5; for all three `activation` and `dropout`; for
            "quantised_mlp" `hidden`, by default (50, 10, 5, 5, 5), `levels`, by default 8, `activation` and `limits`.

    Returns:
        An nnx module in training mode: inputs (batch, *input_shape) -> logits (batch, n_classes).

    Raises:
        ValueError: unknown name or option, or an input shape that the network cannot take.

    Example:
        >>> import jax.numpy as jnp
        >>> network = build("mlp", (8, 8, 1), 10, hidden=(16,))
        >>> network(jnp.zeros((3, 8, 8, 1))).shape
        (3, 10)
    """
    return NetworkSpec(name, input_shape, n_classes, options).build(seed)  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """What a network is, apart from its parameters: enough to rebuild it, and writable as JSON.

    Args:
        name: key of the network, see `build`.
        input_shape: shape of one input.
        n_classes: number of logits, at least 1.
        options: keyword arguments of the network, of JSON types; lists become tuples.

    Raises:
        ValueError: unknown name, shapes that are no positive integers, options that JSON cannot hold.

    Example:
        >>> spec = NetworkSpec("mlp", (4,), 2, {"hidden": (8,)})
        >>> NetworkSpec.from_json(spec.to_json()) == spec
        True
    """

    name: str
    input_shape: tuple[int, ...]
    n_classes: int
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)

    def __post_init__(self):
        if not isinstance(self.name, str) or self.name not in _NETWORKS:
            raise ValueError(f"name of a network must be one of {', '.join(_NETWORKS)}; got {self.name!r}")
        input_shape = check_lengths("input_shape", self.input_shape, "that of one input, without the batch axis")
        check_is("options", self.options, Mapping, "a mapping from names of options of the network to their values")
        n_classes = check_count("n_classes", self.n_classes)
        known = _options(_NETWORKS[self.name])
        for option in self.options:
            if option not in known:
                raise ValueError(f"options of {self.name} must be among {', '.join(known)}; got {option!r}")
        try:
            options = json.loads(json.dumps(dict(self.options)))
        except TypeError as error:
            raise ValueError(f"options of a network must be JSON values (numbers, text, lists): {error}") from None
        options = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
        object.__setattr__(self, "input_shape", input_shape)
        object.__setattr__(self, "n_classes", n_classes)
        object.__setattr__(self, "options", options)

    def build(self, seed: int | Array = 0) -> nnx.Module:
        """Build the network with fresh parameters drawn from an integer seed or a `jax.random.key`."""
        constructor = _NETWORKS[self.name]
        if isinstance(seed, jax.Array) and jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
            check_key(seed)
        else:
            seed = check_count("seed", seed, least=-(2**31), most=2**32 - 1, about="or a jax.random.key")
        return constructor(self.input_shape, self.n_classes, rngs=nnx.Rngs(seed), **self.options)

    def to_json(self) -> dict[str, Any]:
        """The spec as a dictionary of JSON types."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "NetworkSpec":
        """The spec that `to_json` wrote; raises ValueError on missing or unknown fields."""
        expected = [field.name for field in dataclasses.fields(cls)]
        check_is("fields", fields, Mapping, f"a network spec, a mapping with {', '.join(expected)}")
        if sorted(fields) != sorted(expected):
            raise ValueError(f"fields must be those of a network spec, {expected}; got {sorted(fields)}")
        return cls(fields["name"], fields["input_shape"], fields["n_classes"], fields["options"])


def _build_mlp(
    input_shape,
    n_classes: int,
    *,
    hidden: Sequence[int] = (256, 256),
    activation: str = "relu",
    dropout: float = 0.0,
    rngs: nnx.Rngs,
) -> MLP:
    return MLP((math.prod(input_shape), *hidden, n_classes), activation, dropout=dropout, rngs=rngs)


def _build_tabular_mlp(
    input_shape,
    n_classes: int,
    *,
    width: int = 100,
    depth: int = 5,
    activation: str = "relu",
    dropout: float = 0.0,
    rngs: nnx.Rngs,
) -> MLP:
    """A deep narrow MLP for tables: so many linear layers, the hidden ones of one width; MLP-5 at the defaults."""
    depth = check_count("depth", depth, least=2, about="the number of linear layers of tabular_mlp")
    width = check_count("width", width, about="that of the hidden layers of tabular_mlp")
    return MLP((math.prod(input_shape), *[width] * (depth - 1), n_classes), activation, dropout=dropout, rngs=rngs)


def _build_residual_mlp(
    input_shape,
    n_classes: int,
    *,
    width: int = 100,
    depth: int = 5,
    activation: str = "relu",
    dropout: float = 0.0,
    rngs: nnx.Rngs,
) -> ResidualMLP:
    """The residual MLP of the tables in the literature on concepts; ResMLP-5 at the defaults."""
    n_inputs = math.prod(input_shape)
    return ResidualMLP(n_inputs, n_classes, width=width, depth=depth, activation=activation, dropout=dropout, rngs=rngs)


def _build_quantised_mlp(
    input_shape,
    n_classes: int,
    *,
    hidden: Sequence[int] = (50, 10, 5, 5, 5),
    levels: int = 8,
    activation: str = "tanh",
    limits: Sequence[float] | None = None,
    rngs: nnx.Rngs,
) -> QuantisedMLP:
    """The perceptron of few levels that Ehrlich et al., arXiv:2209.10438, measure on MNIST, at the defaults."""
    return QuantisedMLP((math.prod(input_shape), *hidden, n_classes), levels, activation, limits=limits, rngs=rngs)


_NETWORKS: dict[str, Callable[..., nnx.Module]] = {
    "mlp": _build_mlp,
    "tabular_mlp": _build_tabular_mlp,
    "residual_mlp": _build_residual_mlp,
    "lenet": LeNet,
    "alexnet": AlexNetCIFAR,
    "resnet20": ResNet,
    "resnet18": ResNet18,
    "vit": VisionTransformer,
    "quantised_mlp": _build_quantised_mlp,
    "quantised_lenet": QuantisedLeNet,
}

NAMES = tuple(_NETWORKS)


def _options(constructor: Callable[..., nnx.Module]) -> list[str]:
    """What a constructor takes by keyword beside the source of its parameters."""
    signature = inspect.signature(constructor.__init__ if isinstance(constructor, type) else constructor)
    keywords = [name for name, each in signature.parameters.items() if each.kind is each.KEYWORD_ONLY]
    return [name for name in keywords if name != "rngs"]
