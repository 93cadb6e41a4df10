"""Profiles and gradients of networks that take several arrays: as of the same network of one array."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax.dynamics import checkpoint_profiles, gradient_statistics

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(3, 5)).astype(np.float32)
Y = np.array([0, 1, 0])
PARTS = {"a": X[:, :2], "b": (X[:, 2:, None],), "mask": np.ones((3, 2), bool)}
PLAYERS = {"a": ij.Players.features(2), "b": (ij.Players.segments(np.arange(3)[:, None]),)}
BACKGROUND = RANDOM.normal(size=(3, 5)).astype(np.float32)
OF_PARTS = {"a": BACKGROUND[:, :2], "b": (BACKGROUND[:, 2:, None],)}


def one(weights, x):
    return jnp.tanh(jnp.cumsum(x, axis=1) @ weights) ** 2


def several(weights, inputs):
    x = jnp.concatenate([inputs["a"], inputs["b"][0][..., 0]], axis=1)
    return one(weights, x) * inputs["mask"][:, :1]


WEIGHTS = RANDOM.normal(size=(5, 2)).astype(np.float32)


@pytest.mark.parametrize("baselines", [(0.5, 0.5), (ij.marginal(BACKGROUND), ij.marginal(OF_PARTS))])
def test_profiles_at_checkpoints_are_those_of_one_array(baselines, tmp_path):
    options = {"orders": [0, 2], "contexts": 8}
    runs = [
        checkpoint_profiles(
            KEY,
            {step: (apply, step * WEIGHTS) for step in (1, 2)},
            x,
            Y,
            players=players,
            baseline=baseline,
            **more,
            **options,
        )
        for apply, x, players, baseline, more in (
            (one, X, ij.Players.features(5), baselines[0], {}),
            (several, PARTS, PLAYERS, baselines[1], {"folder": tmp_path}),
            (several, PARTS, PLAYERS, baselines[1], {"folder": tmp_path}),
        )
    ]
    for step in (1, 2):
        np.testing.assert_allclose(runs[1][step].strength, runs[0][step].strength, rtol=1e-4)
        np.testing.assert_array_equal(runs[2][step].strength, runs[1][step].strength)


def test_gradients_are_those_of_one_array():
    options = {"orders": [0, 2], "contexts": 4, "pairs": 4}
    found = gradient_statistics(KEY, (several, WEIGHTS), PARTS, Y, players=PLAYERS, **options)
    wanted = gradient_statistics(KEY, (one, WEIGHTS), X, Y, players=ij.Players.features(5), **options)
    np.testing.assert_allclose(found.squared_mean, wanted.squared_mean, rtol=1e-3)
    np.testing.assert_allclose(found.variance, wanted.variance, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("measure", [checkpoint_profiles, gradient_statistics])
def test_an_output_of_the_label_needs_labels(measure):
    network = (one, WEIGHTS)
    with pytest.raises(ValueError, match="labels must be the class of each input"):
        measure(
            KEY, {1: network} if measure is checkpoint_profiles else network, X, None, players=ij.Players.features(5)
        )
