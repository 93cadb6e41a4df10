"""Quantisers, the networks made with them, and levels of given activations."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from support.running import Killed, arrays_of, kill_at

from interjax import networks, training
from interjax.pid._quantise import quantise

EIGHT = np.linspace(-1, 1, 8)
X = np.random.default_rng(0).uniform(-1, 1, size=(40, 6)).astype(np.float32)
Y = (X[:, 0] > X[:, 1]).astype(np.int32)
SPEC = networks.NetworkSpec("quantised_mlp", (6,), 2, {"hidden": [4, 3], "levels": 5})


SGD = optax.sgd(0.1)


@nnx.jit
def hidden_and_logits(network, x):
    return network.hidden(x), network(x)


def nearest(values, levels):
    """The nearest of the given levels, by looking at all of them."""
    return levels[np.abs(np.asarray(values)[..., None] - levels).argmin(axis=-1)]


def evaluating(*arguments):
    return networks.Quantiser(*arguments, deterministic=True)


# The quantiser


@pytest.mark.parametrize(("levels", "limits"), [(8, (-1, 1)), (2, (-1, 1)), (5, (0, 1)), (4, (-3, 0.5))])
def test_evaluation_gives_the_nearest_level(levels, limits):
    x = np.random.default_rng(levels).uniform(*limits, size=500).astype(np.float32)
    found = evaluating(levels, limits)(jnp.asarray(x))
    np.testing.assert_allclose(found, nearest(x, np.linspace(*limits, levels)), atol=1e-6)


def test_the_limits_are_levels_themselves():
    np.testing.assert_array_equal(evaluating(7, (-0.3, 0.7))(jnp.float32([-0.3, 0.7])), np.float32([-0.3, 0.7]))


def test_a_bounded_activation_names_the_limits():
    assert (evaluating(8, "tanh").limits, evaluating(8, "sigmoid").limits) == ((-1.0, 1.0), (0.0, 1.0))


def test_values_outside_are_clipped_and_what_is_not_finite_stays_visible():
    x = jnp.array([-3.0, 1.5, jnp.nan, jnp.inf])
    for draws in (None, jnp.full(4, 0.5)):
        quantiser = networks.Quantiser(8, deterministic=draws is None)
        np.testing.assert_array_equal(quantiser(x, draws=draws), [-1, 1, np.nan, np.nan])


def test_training_rounds_to_the_level_below_or_above():
    x = jnp.asarray(np.repeat(X[:, :1], 50, axis=1))
    found = np.asarray(networks.Quantiser(8, rngs=nnx.Rngs(0))(x))
    np.testing.assert_allclose(found, nearest(found, EIGHT), atol=1e-6)
    assert np.abs(found - x).max() < 2 / 7
    assert all(len(np.unique(row.round(4))) <= 2 for row in found)


def test_the_mean_of_random_roundings_is_the_input():
    values = np.float32([-0.95, -0.1, 0.0, 0.4, 0.99])
    x = jnp.broadcast_to(values[:, None], (5, 20_000))
    found = np.asarray(networks.Quantiser(8, rngs=nnx.Rngs(1))(x), np.float64)
    share = (values + 1) * 3.5 % 1
    stderr = 2 / 7 * np.sqrt(share * (1 - share) / x.shape[1])
    assert (np.abs(found.mean(axis=1) - values) < 4 * stderr).all()


def test_the_probability_of_rounding_up_is_the_fractional_part():
    draws = jnp.array([0.0, 0.24, 0.26, 0.99])  # between levels 2 and 3 of five, a quarter of the way
    found = networks.Quantiser(5, (0, 1))(jnp.full(4, 0.5625), draws=draws)
    np.testing.assert_array_equal(found, [0.75, 0.75, 0.5, 0.5])


def test_a_level_stays_where_it_is_whatever_is_drawn():
    x = jnp.linspace(0, 1, 5)
    for draw in (0.0, 1 - 2**-24):
        np.testing.assert_array_equal(networks.Quantiser(5, (0, 1))(x, draws=jnp.full(5, draw)), x)


@pytest.mark.parametrize("deterministic", [True, False])
def test_the_gradient_is_that_of_the_identity(deterministic):
    quantiser = networks.Quantiser(4, deterministic=deterministic)
    draws = jnp.array([0.1, 0.7, 0.4])
    weights = jnp.array([2.0, -3.0, 0.5])
    gradient = jax.grad(lambda x: weights @ quantiser(x, draws=draws))(jnp.array([-0.9, 0.2, 1.7]))
    np.testing.assert_array_equal(gradient, weights)


def test_modes_are_set_as_those_of_dropout():
    model = nnx.Sequential(nnx.Dropout(0.5, rngs=nnx.Rngs(0)), networks.Quantiser(3, rngs=nnx.Rngs(0)))

    def modes(model):
        return [layer.deterministic for layer in model.layers]

    assert modes(model) == [False, False]
    assert modes(nnx.with_attributes(model, deterministic=True)) == [True, True]
    assert modes(nnx.view(model, deterministic=True)) == [True, True]
    model.eval()
    assert modes(model) == [True, True]
    model.train()
    assert modes(model) == [False, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1,), "at least 2.*got 1"),
        ((2.5,), "integer of at least 2.*got 2.5"),
        ((8, (1, 1)), r"low < high; got \(1, 1\)"),
        ((8, (0, np.inf)), "two finite numbers"),
        ((8, (0, 1, 2)), "two finite numbers"),
        (
            (8, "relu"),
            r"limits must be two numbers \(low, high\) where .* not tanh or sigmoid, .* got the activation 'relu'",
        ),
    ],
)
def test_a_quantiser_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        networks.Quantiser(*arguments)


def test_training_without_a_random_stream_is_told():
    with pytest.raises(ValueError, match="no random stream: pass rngs="):
        networks.Quantiser(8)(jnp.zeros(3))


# The multilayer perceptron


def by_hand(network, x, levels):
    """The hidden activations and logits of a network in evaluation, in NumPy float64."""
    activations = [np.asarray(x, np.float64).reshape(len(x), -1)]
    weights = [(np.asarray(layer.kernel[...]), np.asarray(layer.bias[...])) for layer in network.layers]
    for kernel, bias in weights[:-1]:
        activations.append(nearest(np.tanh(activations[-1] @ kernel + bias), levels))
    kernel, bias = weights[-1]
    return activations, activations[-1] @ kernel + bias


def test_the_mlp_quantises_each_hidden_layer_and_not_the_logits():
    network = networks.build("quantised_mlp", (3, 2), 4, hidden=(7, 5), levels=6)
    network.eval()
    x = X.reshape(-1, 3, 2)
    found = hidden_and_logits(network, x)
    activations, logits = by_hand(network, x, np.linspace(-1, 1, 6))
    chex.assert_trees_all_close(list(found[0]), activations, atol=1e-5)
    np.testing.assert_allclose(found[1], logits, rtol=1e-4, atol=1e-5)


def test_by_default_it_is_the_network_measured_on_mnist():
    network = networks.build("quantised_mlp", (28, 28, 1), 10)
    assert network.sizes == (784, 50, 10, 5, 5, 5, 10)
    assert {(each.levels, each.limits) for each in network.quantisers} == {(8, (-1.0, 1.0))}


def test_first_parameters_have_the_bounds_of_xavier_and_of_the_fan_in():
    layer = networks.build("quantised_mlp", (784,), 10).layers[0]
    for values, bound in ((layer.kernel, 5 / 3 * np.sqrt(6 / 834)), (layer.bias, 1 / np.sqrt(784))):
        values = np.asarray(values[...])
        assert 0.9 * bound < np.abs(values).max() <= bound
        assert values.std() == pytest.approx(bound / np.sqrt(3), rel=0.2)  # of a uniform distribution


def test_training_rounds_at_random_and_evaluation_does_not():
    network = SPEC.build(0)
    (first, _), (second, _) = (hidden_and_logits(network, X) for _ in range(2))
    assert not np.array_equal(first[1], second[1])
    np.testing.assert_allclose(first[1], nearest(first[1], np.linspace(-1, 1, 5)), atol=1e-6)
    network.eval()
    before = network.rounding.count[...].copy()
    chex.assert_trees_all_equal(hidden_and_logits(network, X), hidden_and_logits(network, X))
    assert network.rounding.count[...] == before


def test_neurons_and_layers_round_independently():
    network = networks.QuantisedMLP((1, 2, 2, 2), levels=2, rngs=nnx.Rngs(0))
    for layer in network.layers:  # every activation is 0, so that each rounding is a fair coin
        layer.kernel[...], layer.bias[...] = jnp.zeros_like(layer.kernel[...]), jnp.zeros_like(layer.bias[...])
    coins = np.concatenate(network.hidden(np.zeros((4000, 1), np.float32))[1:], axis=1)
    assert set(np.unique(coins)) == {-1, 1}
    np.testing.assert_allclose(np.corrcoef(coins.T), np.eye(4), atol=4 / np.sqrt(4000))


def run(model, **options):
    options = {"epochs": 4} | options
    return training.train(model, (X, Y), key=jax.random.key(3), optimizer=SGD, batch_size=8, **options)


def test_a_killed_run_resumes_bit_for_bit_with_its_random_roundings(tmp_path):
    whole = SPEC.build(0)
    log = run(whole)
    with pytest.raises(Killed):
        run(SPEC.build(0), checkpoint_folder=tmp_path, spec=SPEC, save_every=3, progress=kill_at(11))
    resumed = SPEC.build(0)
    chex.assert_trees_all_equal(run(resumed, checkpoint_folder=tmp_path, spec=SPEC, save_every=3), log)
    assert resumed.rounding.count[...] == 20
    chex.assert_trees_all_equal(arrays_of(resumed), arrays_of(whole))
    chex.assert_trees_all_equal(arrays_of(training.load_network(tmp_path)[1]), arrays_of(whole))


def test_the_loss_goes_down_through_the_levels():
    log = run(SPEC.build(0), epochs=80)
    assert log.loss[-5:].mean() < 0.6 * log.loss[:3].mean()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("quantised_mlp", {"hidden": ()}, "at least one hidden layer"),
        ("quantised_mlp", {"levels": 1}, "at least 2"),
        (
            "quantised_mlp",
            {"activation": "relu"},
            r"limits must be two numbers \(low, high\) .* got the activation 'relu'",
        ),
        ("quantised_lenet", {"channels": ()}, "channels must be .*, positive integers; got"),
        ("quantised_lenet", {"channels": (2, 2, 2, 2)}, "at least 16x16 pixels for quantised_lenet, got 8x10"),
    ],
)
def test_a_quantised_network_refuses(name, options, message):
    with pytest.raises(ValueError, match=message):
        networks.build(name, (8, 10, 1), 3, **options)


def test_another_activation_comes_with_its_limits():
    network = networks.build("quantised_mlp", (6,), 2, hidden=(5,), levels=3, activation="relu", limits=(0, 2))
    network.eval()
    assert set(np.unique(network.hidden(4 * X)[1])) == {0, 1, 2}


# The convolutional network


def test_the_convolutional_network_quantises_its_dense_layers():
    network = networks.build("quantised_lenet", (8, 9, 2), 3, channels=(3, 4), hidden=(6, 5), levels=4)
    network.eval()
    x = jax.random.normal(jax.random.key(0), (3, 8, 9, 2))
    (features, *hidden), logits = hidden_and_logits(network, x)
    assert features.shape == (3, 2 * 2 * 4)
    assert [each.shape for each in hidden] == [(3, 6), (3, 5)]
    for each in hidden:
        np.testing.assert_allclose(each, nearest(each, np.linspace(-1, 1, 4)), atol=1e-6)
    np.testing.assert_allclose(logits, network.head.layers[-1](hidden[-1]), rtol=1e-5)


def test_it_can_be_the_network_measured_on_cifar():
    shape, options = (32, 32, 3), {"channels": (32, 32, 64), "side": 3, "hidden": (2048, 128, 32, 5, 5)}
    network = nnx.eval_shape(lambda: networks.build("quantised_lenet", shape, 10, **options))
    assert network.head.sizes == (1024, 2048, 128, 32, 5, 5, 10)


# Levels of given activations


@pytest.mark.parametrize(("levels", "limits"), [(8, (-1, 1)), (2, (-1, 1)), (5, (-2, 1))])
def test_levels_are_the_nearest_ones(levels, limits):
    found = quantise(X, levels, limits)
    expected = np.abs(X[..., None] - np.linspace(*limits, levels)).argmin(axis=-1)
    assert found.dtype.kind == "i"
    np.testing.assert_array_equal(found, expected)


def test_levels_agree_with_the_layer_that_quantises():
    index = quantise(X, 8)
    np.testing.assert_allclose(EIGHT[index], evaluating(8)(jnp.asarray(X)), atol=1e-6)
    np.testing.assert_array_equal(quantise(evaluating(8)(jnp.asarray(X)), 8), index)


def test_limits_of_the_data_are_each_neurons_own():
    values = np.array([[0.0, 5, 7], [1, 6, 7], [4, 9, 7]])
    np.testing.assert_array_equal(quantise(values, 5, "data"), [[0, 0, 0], [1, 1, 0], [4, 4, 0]])


def test_rounding_errors_beyond_the_limits_are_forgiven():
    np.testing.assert_array_equal(quantise([-1 - 1e-6, 1 + 1e-6], 4), [0, 3])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.5, np.nan],), r"1 of 2 activations are not finite, the first at index \(1,\)"),
        (([0.5, -1.5, 1.2],), r"2 of 3 activations lie outside the limits \(-1, 1\), the farthest is -1.5.*\"data\""),
        (([0.5], 1), "at least 2.*got 1"),
        (([0.5], True), "integer of at least 2.*got True"),
        (([0.5], 8, (1, 0)), r"low < high.*got \(1, 0\)"),
        (([0.5], 8, "auto"), "\"data\", got 'auto'"),
        (([1j],), "real numbers, got .*complex"),
        ((["a"],), "real numbers, got .'a'"),
        ((np.zeros((0, 3)),), r"\(samples, ...\), got shape \(0, 3\)"),
    ],
)
def test_levels_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        quantise(*arguments)
