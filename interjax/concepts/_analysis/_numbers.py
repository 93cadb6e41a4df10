"""The numbers of an analysis as JSON holds them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from interjax.concepts._explanations._effects import AndOr
from interjax.concepts._explanations._salient import salient
from interjax.concepts._explanations._stability import Stability
from interjax.concepts._statistics._faithfulness import Faithfulness
from interjax.games._coalitions import players_in

SHARE = 0.8
"""Of the salient concepts of an input, that a dictionary is to hold."""

_KINDS = ("AND", "OR")


def numbers_of(found: Any) -> dict[str, Any]:
    """Everything that a `ConceptAnalysis` tells but tables and effects."""
    return {
        "kind": found.kind,
        "noise": found.noise,
        "tau": found.tau,
        "players": list(found.player_names),
        "inputs": _described_inputs(found),
        "n_left_out": int(found.n_left_out),
        "salient": {name: mean_and_error(counts) for name, counts in found.n_salient.items()},
        "faithfulness": {name: quartiles(one) for name, one in found.faithfulness.items()},
        "sizes": {name: lists_of(one) for name, one in found.sizes.items()},
        "sizes_of_untrained_network": None if found.null is None else lists_of(found.null),
        "generalization": None if found.generalization is None else lists_of(found.generalization),
        "coverage": {
            "out_of_sample": found.coverage.out_of_sample,
            "concepts": len(found.coverage.counts),
            f"needed_for_{SHARE}": found.coverage.needed(SHARE),
            **{name: np.asarray(getattr(found.coverage, name)).tolist() for name in ("counts", "share", "stderr")},
        },
        "discrimination": {
            name: {"mean_power": one.mean_power, "stderr": one.stderr, "chance": one.mean_chance}
            for name, one in found.discrimination.items()
        },
        "stability": None if found.stability is None else agreement(found.stability),
        "strongest": {name: found.strongest(name) for name in found.discrimination},
    }


def _described_inputs(found: Any) -> list[dict[str, Any]]:
    names = dict(zip(np.unique(found.labels).tolist(), found.class_names, strict=True))
    described = {
        "part": ["training" if is_train else "test" for is_train in found.is_train],
        "row": found.rows.tolist(),
        "class": [names[label] for label in found.labels.tolist()],
    }
    if isinstance(found.explanation, AndOr):
        described |= {name: getattr(found.explanation, name).tolist() for name in ("loss", "gap")}
    return [dict(zip(described, row, strict=True)) for row in zip(*described.values(), strict=True)]


def strongest_of(found: Any, chosen: np.ndarray, count: int) -> list[dict[str, Any]]:
    """The concepts of the largest mean effect over some inputs of an analysis."""
    effects = found.effects[chosen]
    mean = effects.mean(axis=0)
    mean[:, 0] = 0.0  # the empty set is no concept
    is_salient = salient(found.explanation[chosen], tau=found.tau).mean(axis=0)
    order = np.argsort(-np.abs(mean), axis=None, kind="stable")[:count]
    places = [place for place in zip(*np.unravel_index(order, mean.shape), strict=True) if mean[place]]
    return [
        {
            "kind": _KINDS[kind],
            "players": [found.player_names[player] for player in players_in(index)],
            "effect": mean_and_error(effects[:, kind, index]),
            "salient_on": float(is_salient[kind, index]),
        }
        for kind, index in places
    ]


def lists_of(result: Any) -> dict[str, Any]:
    """Every field of a result by its name, arrays as lists."""
    fields = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value for name, value in fields.items()
    }


def from_lists(kind: type, numbers: Mapping[str, Any]) -> Any:
    """The result of this kind whose `lists_of` was written to JSON, where numbers that are not finite are null."""
    return kind(**{name: _array(value) if isinstance(value, list) else value for name, value in numbers.items()})


def _array(values: list) -> np.ndarray:
    array = np.array(values)
    return array.astype(np.float64) if array.dtype == object else array


def mean_and_error(values: np.ndarray) -> dict[str, float]:
    """The mean over inputs and its standard error; NaN with a single input."""
    stderr = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return {"mean": float(values.mean()), "stderr": float(stderr)}


def agreement(found: Stability) -> dict[str, Any]:
    """The mean Jaccard similarity of the salient sets of equally sparse explanations."""
    n_inputs, jitters = found.n_salient.shape
    return {"jaccard": mean_and_error(found.jaccard), "inputs": n_inputs, "solutions": jitters, "jitter": found.jitter}


def quartiles(found: Faithfulness) -> dict[str, Any]:
    """R^2 over inputs: the median and the middle half, inputs of constant games left out."""
    known = found.r2[np.isfinite(found.r2).all(axis=1)]
    middle = np.quantile(known, [0.25, 0.5, 0.75], axis=0) if len(known) else np.full((3, len(found.counts)), np.nan)
    numbers = dict(zip(("lower", "median", "upper"), middle.tolist(), strict=True))
    return {"counts": found.counts.tolist(), **numbers, "n_constant": found.n_constant}
