"""Representations of hidden layers: their activations, and how complex they are over layers and training."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flax import nnx
from jax.core import Tracer
from jaxtyping import Array

from interjax._core._checks import check_array, check_count
from interjax._core._keys import check_key
from interjax.games._models import params_of
from interjax.networks._quantised import Quantiser
from interjax.pid._complexity import MOST_SOURCES, Complexity, representational_complexity
from interjax.pid._quantise import check_limits, quantise
from interjax.pid._realisations import check_symbols
from interjax.pid._subsets import SubsetComplexity, subset_complexity
from interjax.pid._trust import check_resamples
from interjax.representations._activations import Layer, activations, names_of

_MOST_SYMBOLS = 256  # distinct values of a neuron that is taken for quantised
EXACT_NEURONS = 5  # neurons of which C is computed at once

Limits = tuple[float, float] | str


def quantised_layers(model: Any) -> list[str]:
    """Names of the quantisers of an nnx network.

    Args:
        model: any network.

    Returns:
        The names in the order of the network's attributes; none for networks that are no nnx module.

    Example:
        >>> import interjax as ij
        >>> quantised_layers(ij.networks.build("quantised_mlp", (4,), 2, hidden=(6, 3)))
        ['quantisers.0', 'quantisers.1']
    """
    if not isinstance(model, nnx.Module):
        params_of(model)  # a network of another form has none; what is no network is refused
        return []
    found = [path for path, module in nnx.iter_modules(model) if isinstance(module, Quantiser)]
    return [".".join(map(str, path)) for path in sorted(found, key=lambda path: [str(part).zfill(6) for part in path])]


def layer_symbols(
    model: Any,
    x: Any,
    *,
    layers: str | Sequence[str] | Mapping[str, Layer] | None = None,
    levels: int | None = None,
    limits: Limits = "data",
    batch_size: int | None = None,
) -> dict[str, np.ndarray]:
    """The quantised activations of layers over a data set, as integers that can be counted.

    Args:
        model: a network as for `activations`, evaluated: quantisers round to the nearest level.
        x: inputs (N, ...).
        layers: names as `activations` gives them, or a mapping from names to functions that reach the layers, as it
            takes one; by default all quantisers of the network.
        levels: None where the layers are quantised: their distinct values are the symbols. A number quantises the
            layers of a network that was trained without; this is warned of, since it changes the question.
        limits: of the levels, (low, high) or "data" for the least and greatest value of each neuron.
        batch_size: inputs that go through the network at once.

    Returns:
        For each layer integers (N, neurons); activations of more axes are flattened.

    Raises:
        ValueError: a network without quantisers and no `layers`; unknown layers; activations that are not finite; more
            than 256 distinct values of a neuron without `levels`.

    Example:
        >>> import interjax as ij, numpy as np
        >>> network = ij.networks.build("quantised_mlp", (4,), 2, hidden=(6, 3), levels=4)
        >>> found = layer_symbols(network, np.ones((5, 4)))
        >>> {name: symbols.shape for name, symbols in found.items()}
        {'quantisers.0': (5, 6), 'quantisers.1': (5, 3)}
    """
    check_limits(limits)
    levels = check_levels(levels)
    named = layers if isinstance(layers, Mapping) else names_of(layers) if layers is not None else None
    names = quantised_layers(model) if named is None else named
    if not names:
        raise ValueError(
            "layers must be named, as this network has no quantisers: name the layers and give levels= to "
            "quantise them after training, or "
            'train a quantised one such as ij.networks.build("quantised_mlp", ...)'
        )
    x = check_array("x", x, "inputs (N, ...), an array of real numbers")
    bad = 0 if isinstance(x, Tracer) else np.count_nonzero(~np.isfinite(np.asarray(x, np.float64)))
    if bad:
        raise ValueError(f"x must be finite, got {bad:,} of {x.size:,} entries that are NaN or infinite")
    found = activations(model, x, layers=names, batch_size=batch_size)
    return {name: _symbols(name, values.reshape(len(values), -1), levels, limits) for name, values in found.items()}


def check_levels(levels: Any) -> int | None:
    """The number of levels as an int, or None; ValueError unless it is at least 2."""
    return None if levels is None else check_count("levels", levels, least=2, about="the two limits included")


def check_measures(size: Any, count: Any, resamples: Any) -> tuple[int, int, int]:
    """The options of complexities as ints, whichever of them the layers will need; ValueError if one is none."""
    size = check_count("size", size, least=2, most=MOST_SOURCES)
    return size, check_count("count", count, least=2, about="the number of subsets"), check_resamples(resamples)


def _symbols(name: str, values: np.ndarray, levels: int | None, limits: Limits) -> np.ndarray:
    is_finite = np.isfinite(values)
    if not is_finite.all():
        raise ValueError(
            f"x or model: layer {name} has {np.sum(~is_finite):,} of {values.size:,} activations that are not finite: "
            "no complexity is defined for them; check the network"
        )
    if levels is None:
        columns = [np.unique(column, return_inverse=True) for column in values.T]
        if max(len(distinct) for distinct, _ in columns) > _MOST_SYMBOLS:
            raise ValueError(
                f"levels must be given, as layer {name} is not quantised: a neuron has more than {_MOST_SYMBOLS} "
                "distinct values; give levels= (and limits=) to quantise it after training"
            )
        return np.stack([codes for _, codes in columns], axis=1).astype(np.int32)
    codes = quantise(values, levels, limits)
    warnings.warn(
        f"layer {name} is quantised to {levels} levels after training: what is measured is the information of the "
        "rounded activations, not of those that the network computes with",
        stacklevel=4,
    )
    return codes


def layer_complexity(
    key: Array,
    model: Any,
    x: Any,
    labels: Any,
    *,
    layers: str | Sequence[str] | Mapping[str, Layer] | None = None,
    levels: int | None = None,
    limits: Limits = "data",
    size: int = 5,
    count: int = 26,
    resamples: int = 8,
    batch_size: int | None = None,
) -> dict[str, Complexity | SubsetComplexity]:
    """Representational complexity of layers about the labels: exact for up to five neurons, else by random subsets.

    Args:
        key: a `jax.random.key`, of shuffles, halves and subsets.
        model, x, layers, levels, limits, batch_size: as for `layer_symbols`.
        labels: (N,) class numbers, or any symbols that the layers shall be informative about.
        size, count: neurons of a random subset, and how many subsets, of layers with more than five neurons.
        resamples: of `ij.pid.representational_complexity`, for layers of up to five.

    Returns:
        Layer -> `Complexity` or `SubsetComplexity`. Layers of a single neuron are left out with a warning.

    Raises:
        ValueError: as `layer_symbols`, `ij.pid.representational_complexity` and `ij.pid.subset_complexity`.

    Example:
        >>> import interjax as ij, jax
        >>> data = ij.datasets.digits()
        >>> network = ij.networks.build("quantised_mlp", (8, 8, 1), 10, hidden=(10, 3), levels=4)
        >>> found = ij.representations.layer_complexity(
        ...     jax.random.key(0), network, data.train_x, data.train_y, layers="quantisers.1")
        >>> found["quantisers.1"].n_sources
        3

    References:
        Ehrlich et al., TMLR 2023, arXiv:2209.10438.
    """
    check_key(key)
    size, count, resamples = check_measures(size, count, resamples)
    x = check_array("x", x, "inputs (N, ...), an array of real numbers")
    labels = check_symbols("labels", labels, len(x) if x.ndim else 0)
    symbols = layer_symbols(model, x, layers=layers, levels=levels, limits=limits, batch_size=batch_size)
    found = {}
    for name, each in symbols.items():
        if each.shape[1] == 1:
            warnings.warn(f"layer {name} has one neuron, of which there is no complexity: left out", stacklevel=2)
        elif each.shape[1] <= EXACT_NEURONS:
            found[name] = representational_complexity(each, labels, key=key, resamples=resamples)
        else:
            found[name] = subset_complexity(key, each, labels, size=size, count=count)
    return found
