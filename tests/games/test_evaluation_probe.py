"""A network that is random or that depends on its batch is refused; probabilities in the place of logits are told."""

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


@pytest.mark.parametrize(
    ("function", "where"),
    [
        (lambda masks: masks.sum(1) + np.random.default_rng().normal(size=len(masks)), "in the same batch"),
        (lambda masks: masks.sum(1) - masks.mean(), "beside another mask"),
    ],
)
def test_host_functions_that_depend_on_more_than_the_mask_are_refused(function, where):
    with pytest.raises(ValueError, match=rf"must give one value for one mask, got .* {where}: it is random"):
        ij.Game.from_host(function, 4)


def test_a_host_function_is_looked_at_with_four_masks():
    seen = []

    def function(masks):
        seen.extend(masks.tolist())
        return np.full(len(masks), np.nan)

    ij.Game.from_host(function, 2)
    assert seen == [[True, True], [True, True], [True, True], [False, False]]
