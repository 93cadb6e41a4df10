"""A function that holds its own arrays: what is measured is what it holds when it is given, whatever was compiled."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import interjax as ij
from interjax.games._closures import Closure, signature, trace_of

KEY = jax.random.key(0)
PLAYERS = ij.Players.features(4)
X = np.array([1.0, -2.0, 0.5, 3.0], np.float32)
EVERY = np.arange(16)[:, None] >> np.arange(4) & 1 == 1
INPUTS = np.where(EVERY, X, 0.0)


def weights(seed=0):
    return np.random.default_rng(seed).normal(size=(4, 3)).astype(np.float32)


def test_a_new_game_has_the_weights_of_now_and_an_old_one_those_of_then():
    held = {"w": jnp.asarray(weights())}

    def net(inputs):
        return jnp.tanh(inputs) @ held["w"]

    first = ij.masked_game(net, X, players=PLAYERS, output=ij.logit(1))
    before = np.tanh(INPUTS) @ weights()[:, 1]
    np.testing.assert_allclose(first(EVERY), before, rtol=1e-5, atol=1e-6)
    held["w"] = held["w"] * 10
    second = ij.masked_game(net, X, players=PLAYERS, output=ij.logit(1))
    np.testing.assert_allclose(second(EVERY), 10 * before, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(first(EVERY), before, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(first(EVERY[:5]), before[:5], rtol=1e-5, atol=1e-6)  # traced anew


@pytest.mark.parametrize("kind", ["numpy in place", "number", "nnx"])
def test_whatever_a_network_holds_is_seen(kind):
    held = {"w": weights().copy(), "scale": 1.0}
    module = nnx.Linear(4, 3, use_bias=False, rngs=nnx.Rngs(0))
    module.kernel[...] = jnp.asarray(weights())

    def net(inputs):
        return module(inputs) if kind == "nnx" else inputs @ held["w"] * held["scale"]

    games = [ij.masked_game(net, X, players=PLAYERS, output=ij.logit(0))]
    assert np.all(np.isfinite(games[0](EVERY)))
    held["w"] *= 3 if kind == "numpy in place" else 1
    held["scale"] = 3.0 if kind == "number" else 1.0
    module.kernel[...] = module.kernel[...] * 3
    games.append(ij.masked_game(net, X, players=PLAYERS, output=ij.logit(0)))
    for game, factor in zip(games, (1, 3), strict=True):
        np.testing.assert_allclose(game(EVERY), factor * INPUTS @ weights()[:, 0], rtol=1e-5, atol=1e-5)


def test_a_number_that_changed_under_a_game_is_told():
    held = {"scale": 1.0}
    game = ij.masked_game(lambda inputs: inputs[:, :3] * held["scale"], X, players=PLAYERS, output=ij.logit(0))
    held["scale"] = 2.0
    with pytest.raises(ValueError, match="computes something else than when the game was made"):
        game(EVERY)


def test_games_of_equal_functions_share_compiled_code():
    def network(seed):
        own = jnp.asarray(weights(seed))
        return lambda inputs: jax.nn.relu(inputs @ own)

    one, other = (ij.masked_game(network(seed), X, players=PLAYERS, output=ij.logit(0)) for seed in (0, 1))
    assert jax.tree.structure(one) == jax.tree.structure(other)
    assert one.value == other.value
    assert not np.allclose(one(EVERY), other(EVERY))
    another = ij.masked_game(lambda inputs: jnp.tanh(inputs @ weights()), X, players=PLAYERS, output=ij.logit(0))
    assert jax.tree.structure(one) != jax.tree.structure(another)


def test_games_of_functions_and_outputs_hold_snapshots():
    held = {"a": jnp.arange(4.0), "b": jnp.array(2.0)}
    make = [
        lambda: ij.Game.from_function(lambda present: present @ held["a"], 4),
        lambda: ij.masked_game(lambda x: x, X, players=PLAYERS, output=lambda z: z @ held["a"]),
        lambda: ij.masked_game(
            (lambda p, x: x * p[None] * held["b"], np.ones(4)), X, players=PLAYERS, output=ij.logit(0)
        ),
    ]
    for one in make:
        before = np.asarray(one()(EVERY))
        held = {name: value * 2 for name, value in held.items()}
        np.testing.assert_allclose(one()(EVERY), 2 * before, rtol=1e-6)


def test_a_game_of_a_module_is_a_snapshot():
    model = ij.networks.build("mlp", (4,), 3, hidden=(5,), seed=0)
    game = ij.masked_game(model, X, players=PLAYERS, output=ij.logit(0))
    before = np.asarray(game(EVERY))
    nnx.update(model, jax.tree.map(lambda leaf: leaf * 2, nnx.state(model, nnx.Param)))
    np.testing.assert_array_equal(game(EVERY), before)


def test_parameters_in_numpy_are_copied():
    held = weights().copy()
    game = ij.masked_game((lambda w, x: x @ w, held), X, players=PLAYERS, output=ij.logit(0))
    before = np.asarray(game(EVERY))
    held *= 10
    np.testing.assert_array_equal(game(EVERY[:7]), before[:7])


def test_accuracy_and_evaluation_see_the_weights_of_now():
    x, y = np.eye(4)[[0, 1, 2] * 8], [0, 1, 2] * 8
    data = ij.datasets.Dataset(x, y, x, y, "toy", ("a", "b", "c"))
    held = {"w": jnp.eye(4, 3)}

    def net(inputs):
        return inputs @ held["w"]

    for expected in (1.0, 0.0):
        assert ij.training.accuracy(net, x, y) == expected
        found = ij.evaluation.evaluate(net, data, key=KEY, strengths=(), occlusions=())
        assert found.of("test accuracy")[0] == expected
        held["w"] = -held["w"]


def test_one_program_serves_arrays_of_any_closure():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def run(closure, x):
        return closure(x)

    for scale in (1.0, 2.0):
        array = jnp.full(3, scale)
        found = run(Closure.of(lambda x, array=array: x * array, (jnp.zeros(3),)), jnp.ones(3))
        np.testing.assert_array_equal(found, array)


def test_an_array_made_for_each_batch_is_no_leaf():
    def net(x):
        return x + np.arange(len(x), dtype=np.float32)[:, None]

    shapes = [(jax.ShapeDtypeStruct((rows, 2), jnp.float32),) for rows in (2, 3)]
    closure = Closure.of(net, *shapes)
    assert closure.arrays == ()
    np.testing.assert_array_equal(closure(jnp.zeros((4, 2)))[:, 0], np.arange(4))


def test_arrays_are_told_apart_whatever_the_order_of_their_use():
    held = {"a": jnp.arange(3.0), "b": jnp.arange(3.0) * 10}

    def net(x):
        first, second = ("a", "b") if len(x) < 5 else ("b", "a")
        one, other = x + held[first][None], x * held[second][None]
        return one + other if first == "a" else x + held["a"][None] + x * held["b"][None] + 0 * (one + other)

    game = ij.masked_game(
        net, np.ones(3, np.float32), players=ij.Players.features(3), output=lambda z: z @ jnp.arange(3.0)
    )
    masks = np.arange(8)[:, None] >> np.arange(3) & 1 == 1
    expected = (masks + np.arange(3.0) + masks * np.arange(3.0) * 10) @ np.arange(3.0)
    held["a"], held["b"] = held["b"], held["a"] * 3
    np.testing.assert_allclose(game(masks), expected, rtol=1e-6)
    np.testing.assert_allclose(game(masks[:2]), expected[:2], rtol=1e-6)


def test_functions_that_differentiate_by_other_rules_share_nothing():
    def rounding(factor):
        @jax.custom_vjp
        def round_(x):
            return jnp.round(x)

        round_.defvjp(lambda x: (jnp.round(x), None), lambda _, gradient: (factor * gradient,))
        return lambda x: round_(x)[:, :3]

    x = jnp.asarray([[0.4, 0.2, 0.1, 0.0]])
    moved = [ij.evaluation.fgsm(rounding(factor), None, x, jnp.array([0]), 0.1) - x for factor in (1.0, -1.0)]
    np.testing.assert_allclose(moved[0][:, :3], -moved[1][:, :3], atol=1e-6)
    assert np.abs(moved[0]).max() > 0.05


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: x * 2.0, lambda x: x * 2.0000002),
        (lambda x: x[:2], lambda x: x[1:]),
        (jnp.sin, jnp.cos),
        (
            lambda x: jax.lax.scan(lambda c, _: (c * 2.0, None), x, None, 3)[0],
            lambda x: jax.lax.scan(lambda c, _: (c * 3.0, None), x, None, 3)[0],
        ),
        (jax.nn.relu, jax.nn.softplus),
        (lambda x: x - x[0], lambda x: x[0] - x),
        (lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x), lambda x: jax.lax.cond(x[0] > 0, jnp.cos, jnp.sin, x)),
    ],
)
def test_signatures_tell_computations_apart(one, other):
    x = jnp.ones(3)
    assert signature(trace_of(one, x)) == signature(trace_of(one, x))
    assert signature(trace_of(one, x)) != signature(trace_of(other, x))


def test_networks_that_cannot_be_traced_are_told_why():
    state = {"count": jnp.zeros(())}

    def counts(x):
        state["count"] = state["count"] + x.sum()
        return x[:, :2] + state["count"]

    with pytest.raises(ValueError, match="model is a network that changes itself when it is called"):
        ij.masked_game(counts, X, players=PLAYERS, output=ij.logit(0))
    with pytest.raises(ValueError, match=r"cannot be traced by JAX, .* ij.masked_host_game.* ij.Game.from_host"):
        ij.masked_game(lambda x: np.asarray(x)[:, :2], X, players=PLAYERS, output=ij.logit(0))
