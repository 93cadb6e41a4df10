"""Networks of any kind are evaluated deterministically, left as found, and compiled once for all weights."""

import dataclasses

import chex
import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import interjax as ij
from interjax.games._models import as_apply

PLAYERS = ij.Players.features(6)
X = np.linspace(-1, 1, 6).astype(np.float32)
MASKS = np.random.default_rng(0).random((5, 6)) < 0.5


class Noisy(nnx.Module):
    """BatchNorm and Dropout: its values must not depend on the batch or the mode."""

    def __init__(self, rngs):
        self.first = nnx.Linear(6, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.last = nnx.Linear(8, 3, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(nnx.relu(self.norm(self.first(x)))))


class LinenNoisy(linen.Module):
    @linen.compact
    def __call__(self, x, train: bool = True):
        x = linen.BatchNorm(use_running_average=not train)(linen.Dense(8)(x))
        return linen.Dense(3)(linen.Dropout(0.5, deterministic=not train)(linen.relu(x)))


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_an_nnx_module_is_deterministic_in_either_mode(mode):
    module = Noisy(nnx.Rngs(0))
    getattr(module, mode)()
    game = ij.masked_game(module, X, players=PLAYERS, output=ij.logit(1))
    together = game(MASKS)
    alone = jnp.concatenate([game(MASKS[[i]]) for i in range(len(MASKS))])
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    module.eval()
    np.testing.assert_allclose(together, module(jnp.where(MASKS, X, 0.0))[:, 1], rtol=1e-5)


def test_an_nnx_module_is_left_as_found():
    module = Noisy(nnx.Rngs(0))
    module.train()
    before = jax.tree.map(lambda leaf: leaf, nnx.state(module))
    ij.masked_game(module, X, players=PLAYERS)(MASKS)
    assert not module.dropout.deterministic
    assert not module.norm.use_running_average
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(np.asarray(a), np.asarray(b)),
        jax.tree.map(_data, before),
        jax.tree.map(_data, nnx.state(module)),
    )


def _data(leaf):
    typed = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if typed else leaf


def test_a_linen_module_with_variables_is_evaluated_without_training():
    module = LinenNoisy()
    variables = module.init(jax.random.key(0), jnp.zeros((1, 6)), train=False)
    game = ij.masked_game((module, variables), X, players=PLAYERS, output=ij.logit(0))
    expected = module.apply(variables, jnp.where(MASKS, X, 0.0), train=False)[:, 0]
    np.testing.assert_allclose(game(MASKS), expected, rtol=1e-5)


def test_a_linen_module_with_lists_among_its_attributes():
    module = linen.Sequential([linen.Dense(4), linen.relu, linen.Dense(2)])
    variables = module.init(jax.random.key(0), jnp.zeros((1, 6)))
    game = ij.masked_game((module, variables), X, players=PLAYERS, output=ij.logit(0))
    expected = module.apply(variables, jnp.where(MASKS, X, 0.0))[:, 0]
    np.testing.assert_allclose(game(MASKS), expected, rtol=1e-5, atol=1e-6)


def test_a_function_with_parameters_and_one_without():
    weights = np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
    with_params = ij.masked_game((lambda w, x: x @ w, weights), X, players=PLAYERS, output=ij.logit(2))
    without = ij.masked_game(lambda x: x @ weights, X, players=PLAYERS, output=ij.logit(2))
    np.testing.assert_allclose(with_params(MASKS), without(MASKS), rtol=1e-6)
    np.testing.assert_allclose(with_params(MASKS), np.where(MASKS, X, 0) @ weights[:, 2], rtol=1e-5)


def test_new_weights_labels_and_inputs_do_not_retrace():
    traces = []

    class Counting(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(6, 3, rngs=rngs)

        def __call__(self, x):
            traces.append(x.shape)
            return self.linear(x)

    module = Counting(nnx.Rngs(0))

    def measure(label, x):
        return ij.masked_game(module, x, players=PLAYERS, output=ij.log_odds(label))(MASKS)

    first = measure(0, X)
    compiled = len(traces)
    module.linear.kernel[...] = module.linear.kernel[...] + 1.0
    second = measure(1, X + 1)
    # Checking the shapes of a new game traces abstractly; the batch that is computed on must not be traced again.
    assert sum(shape == (len(first), 6) or shape[0] > 2 for shape in traces[compiled:]) == 0
    assert not np.allclose(first, second)


def test_apply_of_two_modules_of_one_architecture_is_equal():
    applies = [as_apply(Noisy(nnx.Rngs(seed)), X)[0] for seed in (0, 1)]
    assert applies[0] == applies[1]
    assert hash(applies[0]) == hash(applies[1])


@pytest.mark.parametrize("model", [None, 3, "mlp", (1, 2), (1, 2, 3), LinenNoisy()])
def test_what_is_no_network_is_refused(model):
    with pytest.raises(ValueError, match=r"network|variables"):
        as_apply(model, X)


def test_the_game_of_a_network_works_under_jit_and_vmap():
    game = ij.masked_game(Noisy(nnx.Rngs(0)), X, players=PLAYERS, output=ij.logit(1))
    expected = game(MASKS)
    np.testing.assert_allclose(jax.jit(lambda g, m: g(m))(game, MASKS), expected, rtol=1e-6)
    np.testing.assert_allclose(jax.vmap(lambda m: game(m[None])[0])(jnp.asarray(MASKS)), expected, rtol=1e-5)


def test_a_game_is_differentiable_in_the_input():
    weights = jnp.array([[1.0, 0.0]] * 6)
    game = ij.masked_game(lambda x: x @ weights, X, players=PLAYERS, output=ij.logit(0))

    def total(x):
        return dataclasses.replace(game, params=(game.params[0], x, *game.params[2:]))(jnp.asarray(MASKS)).sum()

    np.testing.assert_allclose(jax.grad(total)(jnp.asarray(X)), MASKS.sum(axis=0), rtol=1e-6)


def test_rows_of_a_game_trace_once_for_all_batches():
    # The shape check and the snapshot; memory and the batch, twice each to see that the function is unchanged.
    function = chex.assert_max_traces(lambda present: present.sum() * 1.0, 6)
    game = ij.Game.from_function(function, 5)
    for _ in range(3):
        game(np.zeros((7, 5), bool))


def test_parameters_of_weak_type_fold_as_others_do():
    params = {"kernel": jnp.asarray(np.ones((6, 3), np.float32)), "scale": jnp.asarray(0.5), "power": 2.0}
    assert params["scale"].weak_type

    def network(params, x):
        half = jnp.asarray(x @ params["kernel"], jnp.bfloat16) * params["scale"]  # of a strong type it would be float32
        return jnp.tanh(half.astype(jnp.float32)) ** params["power"]

    game = ij.masked_game((network, params), X, players=PLAYERS, output=ij.logit(1), fold=True)
    expected = network(params, jnp.where(MASKS, X, 0.0))[:, 1]
    np.testing.assert_allclose(game(MASKS), expected, rtol=1e-5)
    exact = ij.exact_order_interactions(ij.tabulate(game))[2]
    found = ij.order_interactions(jax.random.key(0), game, orders=[2], contexts=6)
    np.testing.assert_allclose(found.mean[0], [exact[i, j] for i, j in found.pairs], atol=1e-5)
