"""A network that is random or that depends on its batch is refused; probabilities in the place of logits are told."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import interjax as ij

PLAYERS = ij.Players.features(4)
X = np.array([1.0, -2.0, 0.5, 3.0], np.float32)
W = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)), jnp.float32)


def noisy(x):
    return x @ W + 0.1 * jax.random.normal(jax.random.key(0), (len(x), 3))


def centred(x):
    return x @ W - (x @ W).mean(axis=0, keepdims=True)


class Switched(nnx.Module):
    """Noise that a switch of its own leaves on."""

    def __init__(self, name, value):
        setattr(self, name, value)
        self.name, self.kernel = name, nnx.Param(W)

    def __call__(self, x):
        noise = getattr(self, self.name) is (self.name in ("training", "is_training", "is_train", "enable_dropout"))
        return x @ self.kernel + noise * jax.random.normal(jax.random.key(1), (len(x), 3))


@pytest.mark.parametrize("network", [noisy, centred, (lambda p, x: centred(x) * p, jnp.ones(()))])
def test_outputs_that_depend_on_more_than_the_input_are_refused(network):
    with pytest.raises(ValueError, match="must give one output for one input, got outputs that differ by"):
        ij.masked_game(network, X, players=PLAYERS)
    with pytest.raises(ValueError, match="must give one output for one input"):
        ij.concepts.concept_tables(network, X[None], [0], players=PLAYERS)


@pytest.mark.parametrize("offset", [1e2, 1e4, 1e6])
def test_sums_that_cancel_are_not_taken_for_noise(offset):
    """A batch of another size sums in another order, which moves such outputs by more than their own last digits."""
    wide = jnp.asarray(np.random.default_rng(1).normal(size=(4, 64)), jnp.float32)
    back = jnp.asarray(np.random.default_rng(2).normal(size=(64, 3)), jnp.float32)

    def network(x):
        return jax.nn.relu(x @ wide + offset) @ back - offset * back.sum(axis=0)[None]

    game = ij.masked_game(network, X, players=PLAYERS, output=ij.logit(0))
    right = np.maximum(X.astype(float) @ np.asarray(wide, float) + offset, 0) - offset
    right = right @ np.asarray(back, float)[:, 0]
    assert abs(float(game(np.ones((1, 4), bool))[0]) - right) < 1e-4 * offset


@pytest.mark.parametrize("name", ["training", "is_training", "is_train", "enable_dropout", "inference", "eval_mode"])
def test_switches_of_a_module_are_set_and_left_as_found(name):
    value = name in ("training", "is_training", "is_train", "enable_dropout")
    network = Switched(name, value)
    game = ij.masked_game(network, X, players=PLAYERS, output=ij.logit(0))
    np.testing.assert_allclose(game(np.ones((1, 4), bool)), X @ W[:, :1], rtol=1e-5)
    assert getattr(network, name) is value


@pytest.mark.parametrize("name", ["train", "training", "is_train", "inference", "deterministic"])
def test_switches_of_a_function_are_set(name):
    def network(x, **switch):
        on = switch[name] is (name in ("train", "training", "is_train"))
        return x @ W + on * jax.random.normal(jax.random.key(1), (len(x), 3))

    namespace = {"network": network}
    default = name in ("train", "training", "is_train")
    exec(f"def given(x, {name}={default}): return network(x, {name}={name})", namespace)
    game = ij.masked_game(namespace["given"], X, players=PLAYERS, output=ij.logit(0))
    np.testing.assert_allclose(game(np.ones((1, 4), bool)), X @ W[:, :1], rtol=1e-5)


def test_probabilities_are_told():
    with pytest.warns(UserWarning, match="outputs are probabilities"):
        ij.masked_game(lambda x: jax.nn.softmax(x @ W), X, players=PLAYERS, output=ij.log_odds(0))


def test_logits_and_outputs_of_ones_own_are_not_warned_of(recwarn):
    full, chance = np.ones((1, 4), bool), jax.nn.softmax(X @ W)

    def softmax(x):
        return jax.nn.softmax(x @ W)

    logits = ij.masked_game(lambda x: x @ W, X, players=PLAYERS, output=ij.log_odds(0))
    own = ij.masked_game(softmax, X, players=PLAYERS, output=lambda p: jnp.log(p[0] / (1 - p[0])))
    np.testing.assert_allclose(own(full), logits(full), rtol=1e-4)
    np.testing.assert_allclose(
        ij.masked_game(softmax, X, players=PLAYERS, output=ij.logit(0))(full), chance[:1], rtol=1e-5
    )
    assert not recwarn.list


def test_parameters_may_be_spread_over_devices_that_the_input_is_not_on():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    everywhere = jax.device_put(W, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()))
    x = jax.device_put(X, jax.devices()[3])
    ij.masked_game((lambda w, x: x @ w, everywhere), x, players=PLAYERS, output=ij.logit(0))
    with pytest.raises(ValueError, match="must give one output for one input"):
        ij.masked_game((lambda w, x: x @ w - x.mean(), everywhere), x, players=PLAYERS, output=ij.logit(0))


def logits(x):
    return jnp.tanh(x @ W)


def dropped(x):
    """Dropout beside a masked class, whose value is far larger than the others."""
    z = logits(x) * jax.random.bernoulli(jax.random.key(3), 0.5, (len(x), 3))
    return jnp.concatenate([z, jnp.full((len(x), 1), -1e9)], axis=1)


def of_columns(x, statistic):
    return statistic(logits(x), axis=0, keepdims=True)


DEPENDENT = {
    "standardised without an epsilon": lambda x: (logits(x) - of_columns(x, jnp.mean)) / of_columns(x, jnp.std),
    "between the least and the largest": lambda x: (logits(x) - of_columns(x, jnp.min)) / of_columns(x, jnp.ptp),
    "relative to the largest": lambda x: logits(x) / of_columns(x, jnp.max),
    "relative to the largest of all": lambda x: logits(x) / jnp.abs(logits(x)).max(),
    "relative to the first": lambda x: logits(x) - logits(x)[:1],
    "dropout beside a masked class": dropped,
}


@pytest.mark.parametrize("name", DEPENDENT)
def test_a_dependence_that_some_batches_do_not_show_is_found(name):
    with pytest.raises(ValueError, match="must give one output for one input, got"):
        ij.masked_game(DEPENDENT[name], X, players=PLAYERS, output=ij.logit(0))


def test_accuracies_and_evaluations_are_of_networks_that_give_one_output():
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    data = ij.datasets.from_arrays(x, np.arange(20) % 3, x, np.arange(20) % 3)
    with pytest.raises(ValueError, match="the network must give one output for one input"):
        ij.training.accuracy(noisy, x, np.arange(20) % 3)
    with pytest.raises(ValueError, match="networks: 'one': the network must give one output for one input"):
        ij.evaluation.evaluate({"one": noisy}, data, key=jax.random.key(0))
    with pytest.warns(UserWarning, match="'one' has outputs that are probabilities"):
        ij.evaluation.evaluate({"one": lambda x: jax.nn.softmax(x @ W)}, data, key=jax.random.key(0))


@pytest.mark.parametrize("method", ["blocks", "quadruples", "regression"])
def test_a_host_function_that_is_random_or_depends_on_its_batch_is_told(method):
    random = np.random.default_rng(0)
    weights = random.normal(size=8)

    def measured(function):
        return ij.order_interactions(
            jax.random.key(0), ij.Game.from_host(function, 8), contexts=5, method=method, exact=False
        )

    for function in (
        lambda masks: masks @ weights + random.normal(size=len(masks)),
        lambda masks: masks @ weights - (masks @ weights).mean(),
    ):
        with pytest.warns(UserWarning, match="the host function gives other values for the same coalitions"):
            measured(function)
    calls = []
    found = measured(lambda masks: calls.append(len(masks)) or masks @ weights)
    assert 4 <= sum(calls) - found.n_forwards <= 12  # what was asked for again is not counted


@pytest.mark.parametrize("kind", [np.uint8, np.int16])
def test_a_network_that_wraps_in_small_integers_is_told(kind):
    """0 - 128 is 128 in uint8 and 250 + 32700 wraps in int16; what divides first does not wrap."""
    x = np.array([[250, 0, 130, 7], [3, 255, 128, 90]], kind)
    far = 128 if kind == np.uint8 else 32700
    message = f"outputs for inputs of {np.dtype(kind)} other than for the same as float32"
    with pytest.warns(UserWarning, match=message):
        ij.training.accuracy(lambda x: (x - far if kind == np.uint8 else x + far) @ W, x, [0, 1])
    with pytest.warns(UserWarning, match=message):
        ij.masked_game(lambda x: (x - far if kind == np.uint8 else x + far) @ W, x[0], players=PLAYERS, baseline=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ij.training.accuracy(lambda x: (x / 255 - 0.5) @ W, x, [0, 1])
        ij.training.accuracy(lambda x: jnp.ones((256, 3))[x].sum(axis=1), x, [0, 1])  # ids of tokens


@pytest.mark.parametrize(
    "measure",
    [
        lambda network: ij.masked_game(network, X, players=PLAYERS, output=ij.log_odds(0)),
        lambda network: ij.masked_game(network, X, players=PLAYERS, output=lambda z: z[0]),
        lambda network: ij.training.accuracy(network, X[None], [0]),
        lambda network: ij.evaluation.fgsm(network, None, X[None], np.array([0]), 0.1),
        lambda network: ij.evaluation.evaluate(
            network, ij.datasets.Dataset(X[None], [0], X[None], [0], "toy", ("a", "b", "c")), key=jax.random.key(0)
        ),
    ],
)
def test_complex_logits_are_refused(measure):
    with pytest.raises(ValueError, match=r"real numbers.* got complex64"):
        measure(lambda x: x @ W + 0j)
