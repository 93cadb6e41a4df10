"""The complexity of the layers of a network over its training."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_array, check_known, check_progress
from interjax._core._keys import check_key
from interjax._core._progress import Progress
from interjax._core._results import Saved, result, static_field
from interjax._engine._folders import fingerprint
from interjax.pid._complexity import Complexity, representational_complexity
from interjax.pid._invariants import shannon_invariants
from interjax.pid._quantise import check_limits
from interjax.pid._realisations import check_symbols
from interjax.pid._subsets import SubsetComplexity, subset_complexity
from interjax.representations._activations import names_of
from interjax.representations._layers import EXACT_NEURONS, Limits, check_levels, check_measures, layer_symbols
from interjax.training._over_checkpoints import over_checkpoints


@result
class ComplexityDynamics(Saved):
    """How complex the representations of layers are at checkpoints of a training run.

    Attributes:
        steps: optimizer steps, (checkpoints,).
        layers: names.
        complexity: C of each layer, or its mean over random subsets of more than five neurons, (checkpoints, layers).
        stderr: its standard error, (checkpoints, layers).
        null_complexity: mean C of shuffled labels, (checkpoints, layers); NaN for subsets.
        information: plug-in I in bits, of subsets the mean, (checkpoints, layers).
        null_information: its mean over shuffled labels in bits, (checkpoints, layers).
        coverage: estimated probability that a new sample is of a realisation seen before, of subsets the mean,
            (checkpoints, layers).
        by_degree: information in bits by degree of synergy 1, 2, ..., (checkpoints, layers, degrees); NaN beyond n.
        redundancy, vulnerability: mean degrees r and v of the whole layer, (checkpoints, layers).
        reliable: the verdict on C, of all subsets, bool (checkpoints, layers).
        freedom: degrees of freedom of `stderr`, (checkpoints, layers): pairs of halves, or subsets less 1; 0 where
            there is no error. None in files and folders of earlier versions.
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
    freedom: np.ndarray | None = None


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
    progress: Progress | None = None,
) -> ComplexityDynamics:
    """Representational complexity of layers at every checkpoint of a training run.

    Args:
        key: a `jax.random.key`, the same at every checkpoint: the same subsets, shuffles and halves.
        checkpoints: what `ij.training.train(..., spec=spec, checkpoint_folder=..., keep=None)` wrote, or optimizer
            step -> network. Space them logarithmically.
        x, labels: inputs (N, ...) and their symbols (N,), as a rule the training data.
        layers: names as `activations` gives them; by default all quantisers of the network.
        levels, limits, size, count, resamples: as for `layer_complexity`.
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
    size, count, resamples = check_measures(size, count, resamples)
    levels = check_levels(levels)
    check_limits(limits)
    check_progress(progress)
    how: dict[str, Any] = {"levels": levels, "limits": limits, "size": size, "count": count, "resamples": resamples}
    chosen = layers if layers is None or isinstance(layers, str) else tuple(names_of(layers))
    check_known("x", x)
    check_known("labels", labels)
    x = check_array("x", x, "inputs (N, ...), an array of real numbers")
    labels = check_symbols("labels", labels, len(x) if x.ndim else 0)
    settings = how | {"layers": chosen, "data": fingerprint((x, np.asarray(labels))), "key": fingerprint(key)}
    pieces = over_checkpoints(
        checkpoints,
        lambda model: _measure(key, model, x, labels, chosen, how),
        steps=steps,
        folder=folder,
        settings=settings,
        inputs=x,
        progress=progress,
    )
    found = dict(pieces)
    first = next(iter(found.values()))
    names = [name for name in first if name != "layers" and all(name in each for each in found.values())]
    stacked = {name: np.stack([each[name] for each in found.values()]) for name in names}
    return ComplexityDynamics(steps=np.array(list(found)), layers=tuple(first["layers"].tolist()), **stacked)


def _measure(key: Array, model: Any, x: Any, labels: Any, layers: Any, how: dict[str, Any]) -> dict[str, np.ndarray]:
    """The measures of one checkpoint by their names in `ComplexityDynamics`."""
    symbols = layer_symbols(model, x, layers=layers, levels=how["levels"], limits=how["limits"])
    subsets = {"size": how["size"], "count": how["count"]}
    rows = {}
    for name, each in symbols.items():
        if each.shape[1] == 1:
            continue
        if each.shape[1] <= EXACT_NEURONS:
            found = _row(representational_complexity(each, labels, key=key, resamples=how["resamples"]))
        else:
            found = _row_of_subsets(subset_complexity(key, each, labels, **subsets))
        invariants = shannon_invariants(each, labels, key=key, resamples=0)
        rows[name] = found | {"redundancy": invariants.redundancy, "vulnerability": invariants.vulnerability}
    if not rows:
        raise ValueError(
            f"expected layers of more than one neuron, got {', '.join(symbols)} of one neuron each: name other layers"
        )
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
        "freedom": found.freedom,
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
        "freedom": found.freedom,
    }


def _mean(values: np.ndarray | None) -> float:
    return math.nan if values is None else float(np.mean(values))
