"""Representations of hidden layers: their activations, and how complex they are over layers and training."""

import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from flax import nnx
from jaxtyping import Array

from interjax._activations import activations as activations
from interjax._checkpoint_networks import measured_once, networks_of_run
from interjax._quantised_networks import Quantiser
from interjax._randomness import check_key
from interjax._results import Saved, result, static_field
from interjax._runs import RunFolder, fingerprint
from interjax.pid import (
    Complexity,
    SubsetComplexity,
    quantise,
    representational_complexity,
    shannon_invariants,
    subset_complexity,
)

_MOST_SYMBOLS = 256  # distinct values of a neuron that is taken for quantised
_EXACT = 5  # neurons of which C is computed at once

Limits = tuple[float, float] | str


def quantised_layers(model: Any) -> list[str]:
    """Names of the quantisers of an nnx network, in the order of its attributes; empty for other networks.

    Example:
        >>> import interjax as ij
        >>> quantised_layers(ij.networks.build("quantised_mlp", (4,), 2, hidden=(6, 3)))
        ['quantisers.0', 'quantisers.1']
    """
    if not isinstance(model, nnx.Module):
        return []
    found = [path for path, module in nnx.iter_modules(model) if isinstance(module, Quantiser)]
    return [".".join(map(str, path)) for path in sorted(found, key=lambda path: [str(part).zfill(6) for part in path])]


def layer_symbols(
    model: Any,
    x: Any,
    *,
    layers: str | Sequence[str] | None = None,
    levels: int | None = None,
    limits: Limits = "data",
    batch_size: int | None = None,
) -> dict[str, np.ndarray]:
    """The quantised activations of layers over a data set, as integers that can be counted.

    Args:
        model: an nnx module or (Linen module, variables), evaluated: quantisers round to the nearest level.
        x: inputs (N, ...).
        layers: names as `activations` gives them; by default all quantisers of the network.
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
    names = quantised_layers(model) if layers is None else [layers] if isinstance(layers, str) else list(layers)
    if not names:
        raise ValueError(
            "this network has no quantisers: name the layers and give levels= to quantise them after training, or "
            'train a quantised one such as ij.networks.build("quantised_mlp", ...)'
        )
    found = activations(model, x, layers=names, batch_size=batch_size)
    return {name: _symbols(name, values.reshape(len(values), -1), levels, limits) for name, values in found.items()}


def _symbols(name: str, values: np.ndarray, levels: int | None, limits: Limits) -> np.ndarray:
    is_finite = np.isfinite(values)
    if not is_finite.all():
        raise ValueError(
            f"layer {name} has {np.sum(~is_finite):,} of {values.size:,} activations that are not finite: no "
            "complexity is defined for them; check the network"
        )
    if levels is None:
        columns = [np.unique(column, return_inverse=True) for column in values.T]
        if max(len(distinct) for distinct, _ in columns) > _MOST_SYMBOLS:
            raise ValueError(
                f"layer {name} is not quantised: a neuron has more than {_MOST_SYMBOLS} distinct values; give levels= "
                "(and limits=) to quantise it after training"
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
    layers: str | Sequence[str] | None = None,
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
    symbols = layer_symbols(model, x, layers=layers, levels=levels, limits=limits, batch_size=batch_size)
    found = {}
    for name, each in symbols.items():
        if each.shape[1] == 1:
            warnings.warn(f"layer {name} has one neuron, of which there is no complexity: left out", stacklevel=2)
        elif each.shape[1] <= _EXACT:
            found[name] = representational_complexity(each, labels, key=key, resamples=resamples)
        else:
            found[name] = subset_complexity(key, each, labels, size=size, count=count)
    return found


@result
class ComplexityDynamics(Saved):
    """How complex the representations of layers are at checkpoints of a training run.

    Attributes:
        steps: optimizer steps, (checkpoints,).
        layers: names.
        complexity: C of each layer, or its mean over random subsets of more than five neurons, (checkpoints, layers).
        stderr: its standard error, (checkpoints, layers).
        null_complexity: mean C of shuffled labels, (checkpoints, layers); NaN for subsets.
        information: plug-in I in bits, null_information: its mean over shuffled labels, coverage: estimated probability
            that a new sample is of a realisation seen before; of subsets the means, (checkpoints, layers).
        by_degree: information in bits by degree of synergy 1, 2, ..., (checkpoints, layers, degrees); NaN beyond n.
        redundancy, vulnerability: mean degrees r and v of the whole layer, (checkpoints, layers).
        reliable: the verdict on C, of all subsets, bool (checkpoints, layers).
    """

    steps: np.ndarray
    layers: tuple[str, ...] = static_field()
    complexity: np.ndarray
    stderr: np.ndarray
    null_complexity: np.ndarray
    information: np.ndarray
    null_information: np.ndarray
    coverage: np.ndarray
    by_degree: np.ndarray
    redundancy: np.ndarray
    vulnerability: np.ndarray
    reliable: np.ndarray


def checkpoint_complexity(
    key: Array,
    checkpoints: str | os.PathLike | Mapping[int, Any],
    x: Any,
    labels: Any,
    *,
    layers: str | Sequence[str] | None = None,
    steps: Sequence[int] | None = None,
    levels: int | None = None,
    limits: Limits = "data",
    size: int = 5,
    count: int = 26,
    resamples: int = 8,
    folder: str | os.PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ComplexityDynamics:
    """Representational complexity of layers at every checkpoint of a training run.

    Args:
        key: a `jax.random.key`, the same at every checkpoint: the same subsets, shuffles and halves.
        checkpoints: what `ij.training.train(..., spec=spec, checkpoint_folder=..., keep=None)` wrote, or optimizer
            step -> network. Space them logarithmically.
        x, labels: inputs (N, ...) and their symbols (N,), as a rule the training data.
        layers, levels, limits, size, count, resamples: as for `layer_complexity`.
        steps: the checkpoints to measure; None = all of them.
        folder: keeps each measured checkpoint; a call with the same settings goes on where an earlier one stopped.
        progress: called with (checkpoints done, checkpoints in all).

    Returns:
        `ComplexityDynamics`.

    Raises:
        ValueError: steps that there are none of, a `folder` that holds other measurements; and as `layer_complexity`.

    Example:
        >>> import interjax as ij, jax
        >>> data = ij.datasets.digits()
        >>> networks = {step: ij.networks.build("quantised_mlp", (8, 8, 1), 10, hidden=(3, 2), levels=4, seed=step)
        ...             for step in (0, 10)}
        >>> found = ij.representations.checkpoint_complexity(
        ...     jax.random.key(0), networks, data.train_x, data.train_y, resamples=2)
        >>> found.complexity.shape, found.by_degree.shape
        ((2, 2), (2, 2, 3))

    References:
        Ehrlich et al., TMLR 2023, arXiv:2209.10438, section 4.
    """
    check_key(key)
    how: dict[str, Any] = {"levels": levels, "limits": limits, "size": size, "count": count, "resamples": resamples}
    chosen = layers if layers is None or isinstance(layers, str) else tuple(layers)
    settings = how | {"layers": chosen, "data": fingerprint((x, np.asarray(labels))), "key": fingerprint(key)}
    run = None if folder is None else RunFolder(folder, settings)
    wanted, networks = networks_of_run(checkpoints, steps)
    found = []
    for step, model in networks:
        found.append(measured_once(run, step, model, lambda model=model: _measure(key, model, x, labels, chosen, how)))
        if progress is not None:
            progress(len(found), len(wanted))
    stacked = {name: np.stack([each[name] for each in found]) for name in found[0] if name != "layers"}
    return ComplexityDynamics(steps=np.array(wanted), layers=tuple(found[0]["layers"].tolist()), **stacked)


def _measure(key: Array, model: Any, x: Any, labels: Any, layers: Any, how: dict[str, Any]) -> dict[str, np.ndarray]:
    """The measures of one checkpoint by their names in `ComplexityDynamics`."""
    symbols = layer_symbols(model, x, layers=layers, levels=how["levels"], limits=how["limits"])
    subsets = {"size": how["size"], "count": how["count"]}
    rows = {}
    for name, each in symbols.items():
        if each.shape[1] == 1:
            continue
        if each.shape[1] <= _EXACT:
            found = _row(representational_complexity(each, labels, key=key, resamples=how["resamples"]))
        else:
            found = _row_of_subsets(subset_complexity(key, each, labels, **subsets))
        invariants = shannon_invariants(each, labels, key=key, resamples=0)
        rows[name] = found | {"redundancy": invariants.redundancy, "vulnerability": invariants.vulnerability}
    if not rows:
        raise ValueError(f"no complexity of layers of one neuron each: {', '.join(symbols)}; name other layers")
    degrees = max(len(row["by_degree"]) for row in rows.values())
    for row in rows.values():
        row["by_degree"] = np.pad(row["by_degree"], (0, degrees - len(row["by_degree"])), constant_values=np.nan)
    columns = {name: np.stack([row[name] for row in rows.values()]) for name in next(iter(rows.values()))}
    return {"layers": np.array(list(rows)), **columns}


def _row(found: Complexity) -> dict[str, Any]:
    return {
        "complexity": found.value,
        "stderr": np.nan if found.stderr is None else found.stderr,
        "null_complexity": _mean(found.null_complexity),
        "information": found.information,
        "null_information": _mean(found.null_information),
        "coverage": found.coverage,
        "by_degree": found.by_degree,
        "reliable": found.reliable,
    }


def _row_of_subsets(found: SubsetComplexity) -> dict[str, Any]:
    return {
        "complexity": found.value,
        "stderr": found.stderr,
        "null_complexity": np.nan,
        "information": np.mean(found.informations),
        "null_information": _mean(found.null_informations),
        "coverage": _mean(found.coverages),
        "by_degree": np.mean(found.by_degree, axis=0),
        "reliable": found.reliable,
    }


def _mean(values: np.ndarray | None) -> float:
    return math.nan if values is None else float(np.mean(values))
