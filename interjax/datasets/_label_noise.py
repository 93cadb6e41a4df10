"""Label noise: training sets in which a share of the labels is shuffled, for networks that over-fit."""

import dataclasses

import jax
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_is, check_number
from interjax._core._keys import check_key
from interjax.datasets._dataset import Dataset


def with_label_noise(key: Array, data: "Dataset", share: float) -> "tuple[Dataset, np.ndarray]":
    """The data set with a share of its training labels shuffled among each other.

        round(share N) of the N training examples are drawn; their labels are permuted uniformly at random

    Each class keeps its number of examples. A drawn example may receive a label of its own class again: with class
    proportions p_c among the drawn, 1 - sum of p_c^2 of them are expected to end up with another class.

    Args:
        key: a `jax.random.key`. With one key, the rows drawn for a smaller share are among those for a larger one.
        data: any data set; it is left as found.
        share: rho, the share of training examples that are drawn, in [0, 1].

    Returns:
        The data set with those training labels, its test set untouched, called e.g. "adult, rho=0.1"; and bool (N,),
        True for the examples that were drawn.

    Raises:
        ValueError: a share outside [0, 1], or a key that is none.

    Example:
        >>> import interjax as ij, jax
        >>> data = ij.datasets.digits()
        >>> noisy, drawn = ij.datasets.with_label_noise(jax.random.key(0), data, 0.1)
        >>> noisy.name, int(drawn.sum()), bool((noisy.train_y[~drawn] == data.train_y[~drawn]).all())
        ('digits, rho=0.1', 144, True)

    References:
        Zhou et al., AAAI 2024, arXiv:2302.13091 (over-fitted networks).
    """
    check_key(key)
    check_is("data", data, Dataset, "an ij.datasets.Dataset")
    share = check_number("share", share, "[0, 1]", about="the part of training labels to shuffle")
    examples = len(data.train_y)
    draw_key, shuffle_key = jax.random.split(key)
    rows = np.asarray(jax.random.permutation(draw_key, examples))[: round(share * examples)]
    labels, drawn = data.train_y.copy(), np.zeros(examples, bool)
    labels[rows] = labels[rows][np.asarray(jax.random.permutation(shuffle_key, len(rows)))]
    drawn[rows] = True
    return dataclasses.replace(data, train_y=labels, name=f"{data.name}, rho={share:g}"), drawn
