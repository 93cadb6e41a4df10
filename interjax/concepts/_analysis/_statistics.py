"""What is measured on explained inputs: faithfulness, sizes, coverage, discrimination, generalisation."""

from typing import Any

import jax
import numpy as np

from interjax.concepts._analysis._inputs import comparable
from interjax.concepts._explanations._effects import effects_of
from interjax.concepts._statistics._coverage import coverage, discrimination
from interjax.concepts._statistics._faithfulness import faithfulness
from interjax.concepts._statistics._generalization import Generalization, generalization
from interjax.concepts._statistics._sizes import size_distribution

_COUNTS = (1, 2, 3, 5, 7)  # of concepts, at each power of ten


def parts_of(is_train: np.ndarray) -> dict[str, np.ndarray]:
    """Which inputs are those of each part that has any: "training", "test"."""
    parts = {"training": is_train, "test": ~is_train}
    return {name: chosen for name, chosen in parts.items() if chosen.any()}


def describe(
    explanation: Any,
    tables: np.ndarray,
    labels: np.ndarray,
    is_train: np.ndarray,
    class_names: tuple[str, ...],
    tau: float,
) -> dict[str, Any]:
    """The statistics that follow from an explanation alone, by their names in `ConceptAnalysis`."""
    effects = effects_of(explanation)
    most = effects.shape[1] * effects.shape[2]
    counts = [digit * 10**power for power in range(8) for digit in _COUNTS if digit * 10**power < most]
    explanations = {name: explanation[chosen] for name, chosen in parts_of(is_train).items()}
    trained = np.unique(labels[is_train])
    return {
        "faithfulness": {
            name: faithfulness(explanation[chosen], tables[chosen], counts=counts)
            for name, chosen in parts_of(is_train).items()
        },
        "sizes": {name: size_distribution(one, tau=tau) for name, one in explanations.items()},
        "coverage": coverage(explanations["training"], tau=tau, of=explanations.get("test")),
        "discrimination": {
            name: discrimination(explanation[is_train & (labels == label)], tau=tau)
            for name, label in zip(class_names, np.unique(labels), strict=True)
            if label in trained
        },
    }


def compare(
    key: jax.Array, explanation: Any, labels: np.ndarray, is_train: np.ndarray, tau: float
) -> Generalization | None:
    """Of concepts salient on some input of a class, in classes with enough inputs; None if none has."""
    rows = [np.isin(labels, comparable(labels, is_train)) & (is_train == part) for part in (True, False)]
    if not rows[0].any():
        return None
    parts = [part for chosen in rows for part in (explanation[chosen], labels[chosen])]
    return generalization(key, *parts, tau=tau)
