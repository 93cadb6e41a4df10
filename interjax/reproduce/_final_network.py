"""What a trained network of `generalization` shows: effects under noise and attack, and of mislabelled examples."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Array

import interjax as ij
from interjax.concepts import (
    Inconsistency,
    SizeDistribution,
    attacked_inputs,
    concept_tables,
    inconsistency,
    noisy_inputs,
    size_distribution,
)
from interjax.datasets import Dataset
from interjax.evaluation import attack_limits
from interjax.training._checkpoints import Model

Explain = Callable[[np.ndarray], Any]
Kept = TypeVar("Kept", Inconsistency, SizeDistribution)

_DISTURBED = 30  # inputs whose perturbed copies are explained
_NOISE_DRAWS, _ATTACK_STARTS = 10, 3


@dataclasses.dataclass(frozen=True)
class FinalNetwork:
    """A trained network and how its inputs are explained.

    Attributes:
        model: the network.
        data: its training examples.
        players, baseline: of its games.
        rows: explained training inputs, of which some are perturbed.
        explain: tables of values -> effects.
        keys: of the noise and of the attack's starts.
    """

    model: Model
    data: Dataset
    players: ij.Players
    baseline: Any
    rows: np.ndarray
    explain: Explain
    keys: tuple[Array, Array]

    def measured(
        self, folder: Path, noise: float, mislabelled: np.ndarray, progress: Callable[[int, int], Any] | None
    ) -> tuple[Inconsistency, Inconsistency, SizeDistribution | None]:
        """Inconsistencies under noise and attack, and sizes of mislabelled examples, each kept in the folder."""

        def kept(name: str, kind: type[Kept], measure: Callable[[], Kept], number: int) -> Kept:
            path = folder / f"{name}.npz"
            if not path.exists():
                measure().save(path)
            if progress is not None:
                progress(number, 3)
            return kind.load(path)

        under_noise = kept("noise", Inconsistency, lambda: self._under_noise(noise), 1)
        under_attack = kept("attack", Inconsistency, lambda: self._under_attack(noise), 2)
        if len(mislabelled) < 2:
            return under_noise, under_attack, None
        return under_noise, under_attack, kept("mislabelled", SizeDistribution, lambda: self._sizes(mislabelled), 3)

    def _effects(self, x: Any, labels: np.ndarray) -> Any:
        """Explanations of inputs (..., inputs, *shape), the same labels for each of the leading axes."""
        copies = x.shape[: x.ndim - len(self.data.input_shape)]
        flat, repeated = x.reshape(-1, *self.data.input_shape), np.broadcast_to(labels, copies).ravel()
        tables = concept_tables(self.model, flat, repeated, players=self.players, baseline=self.baseline)
        return self.explain(tables.astype(np.float64).reshape(*copies, -1))

    def _under_noise(self, scale: float) -> Inconsistency:
        x, labels = self._disturbed()
        copies = noisy_inputs(self.keys[0], x, scale=scale, draws=_NOISE_DRAWS)
        return inconsistency(self._effects(copies, labels))

    def _under_attack(self, strength: float) -> Inconsistency:
        x, labels = self._disturbed()
        radius, bounds = attack_limits(self.data, strength)
        how: dict[str, Any] = {"strength": radius, "bounds": bounds, "draws": _ATTACK_STARTS}
        copies = attacked_inputs(self.keys[1], self.model, x, labels, **how)
        return inconsistency(self._effects(copies, labels), clean=self._effects(x, labels))

    def _sizes(self, rows: np.ndarray) -> SizeDistribution:
        return size_distribution(self._effects(self.data.train_x[rows], self.data.train_y[rows]))

    def _disturbed(self) -> tuple[np.ndarray, np.ndarray]:
        """Some explained training inputs, the same number of each class as far as there are, and their labels."""
        labels = self.data.train_y[self.rows]
        classes = np.unique(labels)
        some = np.concatenate([self.rows[labels == label][: -(-_DISTURBED // len(classes))] for label in classes])
        return self.data.train_x[some], self.data.train_y[some]
