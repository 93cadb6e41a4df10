"""Steered losses of numbers to predict, and of one logit: the sum of the functions that they are made of."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import interjax as ij
from interjax.losses import order_modulation, order_weighted
from interjax.training import (
    PRESETS,
    ModulatedCrossEntropy,
    ModulatedSquaredError,
    OrderWeightedCrossEntropy,
    OrderWeightedSquaredError,
    squared_error,
    train,
)

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(64, 6)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] + X[:, 2]).astype(np.float32)
PLAYERS = ij.Players.features(6)
WEIGHTED = {"orders": (0, 3), "weights": (1.0, -0.5), "contexts": 2, "strength": "square", "relative": False}
MODULATED = {"mode": "encourage", "low": 0.3, "high": 0.7, "draws": 2, "align": "fractions", "average": "logits"}


@pytest.fixture(scope="module")
def model():
    return ij.networks.build("mlp", (6,), 1, hidden=(8,))


def test_a_modulated_squared_error_is_the_sum_of_its_parts(model):
    loss = ModulatedSquaredError(PLAYERS, baseline=0.5, weight=0.3, **MODULATED)
    term = order_modulation(KEY, model, X, Y, players=PLAYERS, baseline=0.5, task="regression", **MODULATED)
    found = nnx.jit(loss)(model, X, Y, KEY)
    np.testing.assert_allclose(found, squared_error(model, X, Y, KEY) + 0.3 * term, rtol=1e-5)
    np.testing.assert_allclose(squared_error(model, X, Y, KEY), (np.asarray(model(X))[:, 0] - Y) ** 2, rtol=1e-5)


def test_a_weighted_squared_error_is_the_sum_of_its_parts(model):
    loss = OrderWeightedSquaredError(PLAYERS, weight=2.0, **WEIGHTED)
    term = order_weighted(KEY, model, X, Y, players=PLAYERS, **WEIGHTED)
    found = nnx.jit(loss)(model, X, Y, KEY)
    np.testing.assert_allclose(found, squared_error(model, X, Y, KEY) + 2.0 * term, rtol=1e-4)


@pytest.mark.parametrize("kind", [ModulatedCrossEntropy, OrderWeightedCrossEntropy])
def test_one_logit_is_one_of_two_classes(kind):
    options = MODULATED if kind is ModulatedCrossEntropy else WEIGHTED
    loss, weights, labels = kind(PLAYERS, **options), jnp.linspace(-1, 1, 6), (Y > 0).astype(int)
    both = lambda x: jnp.stack([jnp.zeros(len(x)), jnp.tanh(x @ weights)], axis=1)  # noqa: E731
    found, wanted = (loss(network, X, labels, KEY) for network in (lambda x: jnp.tanh(x @ weights), both))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_losses_of_other_kinds_are_other_losses():
    losses = [kind(PLAYERS, **MODULATED) for kind in (ModulatedCrossEntropy, ModulatedSquaredError)]
    assert losses[0] != losses[1]
    assert losses[1] == ModulatedSquaredError(PLAYERS, **MODULATED)
    with pytest.raises(ValueError, match="one number an input"):
        losses[1](lambda x: x[:, :2], X, Y, KEY)
    with pytest.raises(ValueError, match="y must be class indices"):
        losses[0](lambda x: x[:, :2], X, Y, KEY)


def test_training_with_a_modulated_squared_error_resumes(tmp_path):
    spec = ij.networks.NetworkSpec("mlp", (6,), 1, {"hidden": (8,)})
    data = ij.datasets.from_arrays(X, Y, task="regression")
    loss = ModulatedSquaredError(PLAYERS, **PRESETS["high-order"], weight=0.1)
    run = functools.partial(train, data=data, key=KEY, optimizer=optax.adam(1e-2), loss=loss, batch_size=16)
    kept = functools.partial(run, spec=spec, checkpoint_folder=tmp_path)
    whole = run(spec.build(0), epochs=6)
    kept(spec.build(0), epochs=3)
    again = kept(spec.build(0), epochs=6)
    np.testing.assert_array_equal(again.loss, whole.loss)
    assert whole.test_r_squared is not None
    assert whole.loss[-1] < whole.loss[0]
    with pytest.raises(ValueError, match="loss"):
        kept(spec.build(0), epochs=6, loss=squared_error)


def test_integers_are_numbers_to_predict():
    losses = [
        ij.training.ModulatedSquaredError(ij.Players.features(4), "penalize", 0.0, 0.5),
        ij.training.OrderWeightedSquaredError(ij.Players.features(4), orders=(0, 2), weights=(0.5, 1.0)),
    ]
    x, counts = jnp.ones((3, 4)), np.array([0, 2, 7])
    network = lambda x: (x.sum(axis=1)) ** 2  # noqa: E731
    for loss in losses:
        whole = loss(network, x, counts, jax.random.key(0))
        np.testing.assert_array_equal(whole, loss(network, x, counts.astype(np.float32), jax.random.key(0)))
