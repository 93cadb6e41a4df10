"""The activations of layers: which there are, what they hold, and what is refused."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from interjax import networks
from interjax.representations._activations import activations

X = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
IMAGES = np.random.default_rng(1).normal(size=(5, 12, 12, 1)).astype(np.float32)


class Block(nnx.Module):
    """A residual block with normalisation and dropout, which returns two things."""

    def __init__(self, rngs):
        self.linear = nnx.Linear(4, 4, rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return x + self.drop(jnp.tanh(self.norm(self.linear(x)))), {"sum": x.sum()}


class Nested(nnx.Module):
    """Blocks in a list, one layer called twice, and one that computes in bfloat16."""

    def __init__(self, rngs):
        self.blocks = nnx.List([Block(rngs) for _ in range(2)])
        self.twice = nnx.Linear(4, 4, rngs=rngs)
        self.head = nnx.Sequential(nnx.Linear(4, 3, dtype=jnp.bfloat16, rngs=rngs), nnx.relu)

    def __call__(self, x):
        for block in self.blocks:
            x, _ = block(x)
        return self.head(self.twice(self.twice(x)))


class LinenBlock(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(4)(x))
        self.sow("intermediates", "activated", jnp.tanh(x))
        return nn.Dropout(0.5, deterministic=not train)(jnp.tanh(x))


class LinenNetwork(nn.Module):
    widths: list

    @nn.compact
    def __call__(self, x, train=True):
        x = LinenBlock()(x, train=train)
        twice = nn.Dense(self.widths[0])
        return nn.Dense(3)(twice(twice(x)))


@pytest.fixture(scope="module")
def nested():
    """In training mode, with running averages that differ from those of any batch."""
    model = Nested(nnx.Rngs(0))
    for block in model.blocks:
        block.norm.mean[...] = jnp.arange(4.0)
    return model


@pytest.fixture(scope="module")
def linen():
    module = LinenNetwork([4])
    variables = module.init(jax.random.key(0), X, train=False)
    variables["batch_stats"]["LinenBlock_0"]["BatchNorm_0"]["mean"] = jnp.arange(4.0)
    return module, variables


def dense(x, layer):
    """A linear layer in NumPy; layer: an nnx module or Linen's parameters."""
    get = (lambda name: layer[name]) if isinstance(layer, dict) else (lambda name: getattr(layer, name)[...])
    return np.asarray(x) @ np.asarray(get("kernel")) + np.asarray(get("bias"))


def test_hidden_layers_come_after_the_activation_function_and_linear_ones_before():
    model = networks.build("mlp", (4,), 3, hidden=(6, 5), activation="tanh")
    found = activations(model, X)
    before = dense(X, model.layers[0])
    expected = {
        "layers.0": before,
        "hidden.0": X,
        "hidden.1": np.tanh(before),
        "hidden.2": np.tanh(dense(np.tanh(before), model.layers[1])),
        "output": dense(np.tanh(dense(np.tanh(before), model.layers[1])), model.layers[2]),
    }
    chex.assert_trees_all_close({name: found[name] for name in expected}, expected, atol=1e-5)
    assert set(found) == {*expected, "layers.1", "layers.2", "dropout[0]", "dropout[1]"}


def test_a_quantised_network_is_caught_at_its_quantisers():
    model = networks.build("quantised_mlp", (4,), 3, hidden=(6, 5), levels=3)
    found = activations(model, X, layers=["quantisers.1", "hidden.2", "layers.1"])
    np.testing.assert_array_equal(found["quantisers.1"], found["hidden.2"])
    np.testing.assert_array_equal(found["hidden.2"], np.round(np.tanh(found["layers.1"])))


def test_layers_of_a_convolutional_network_have_their_paths():
    found = activations(networks.build("lenet", (12, 12, 1), 3), IMAGES)
    shapes = {name: values.shape for name, values in found.items()}
    expected = {"conv1": (5, 12, 12, 6), "conv2": (5, 2, 2, 16), "head.hidden.1": (5, 120), "head.layers.2": (5, 3)}
    assert shapes | expected == shapes
    np.testing.assert_array_equal(found["head"], found["output"])


def test_a_module_with_submodules_is_evaluated(nested):
    found = activations(nested, X)
    x = X
    for index, block in enumerate(nested.blocks):
        linear = dense(x, block.linear)
        normed = (linear - np.arange(4)) / np.sqrt(1 + 1e-5)
        x = x + np.tanh(normed)
        np.testing.assert_allclose(found[f"blocks.{index}.norm"], normed, atol=1e-5)
        np.testing.assert_allclose(found[f"blocks.{index}.0"], x, atol=1e-5)
    np.testing.assert_allclose(found["twice[1]"], dense(dense(x, nested.twice), nested.twice), atol=1e-5)


def test_only_arrays_with_a_row_an_input_are_layers(nested):
    found = activations(nested, X[:1])
    assert "blocks.0.1.sum" not in found
    assert {values.shape[0] for values in found.values()} == {1}


def test_narrow_numbers_become_float32(nested):
    found = activations(nested, X, layers=("head.layers.0", "output"))
    assert [values.dtype for values in found.values()] == [np.float32, np.float32]
    np.testing.assert_array_equal(found["output"], np.maximum(found["head.layers.0"], 0))


def test_the_network_is_left_as_found(nested):
    def everything():
        graphdef, state = nnx.split(nested)
        keys = jax.tree.map(
            lambda a: jax.random.key_data(a) if jnp.issubdtype(a.dtype, jax.dtypes.prng_key) else a, state
        )
        return graphdef, jax.tree.map(np.array, keys)

    before = everything()
    activations(nested, X)
    after = everything()
    assert before[0] == after[0]
    chex.assert_trees_all_equal(before[1], after[1])
    assert type(nested) is Nested
    assert not nested.blocks[0].drop.deterministic


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_batch_size_changes_nothing(nested, batch_size):
    whole = activations(nested, X, layers="blocks.1.linear", batch_size=7)
    parts = activations(nested, X, layers="blocks.1.linear", batch_size=batch_size)
    chex.assert_trees_all_close(parts, whole, atol=1e-6)
    assert list(parts) == ["blocks.1.linear"]


def test_new_weights_do_not_trace_again():
    traces = []

    class Counting(nnx.Module):
        def __init__(self, rngs):
            self.linear = nnx.Linear(4, 2, rngs=rngs)

        def __call__(self, x):
            traces.append(x.shape)
            return self.linear(x)

    found = [activations(Counting(nnx.Rngs(seed)), X, layers="linear", batch_size=3) for seed in range(3)]
    assert len(traces) == 2  # once for the names, once for the batches
    assert not np.allclose(found[0]["linear"], found[1]["linear"])


def test_layers_of_a_linen_network(linen):
    found = activations(linen, X)
    params = linen[1]["params"]
    normed = (dense(X, params["LinenBlock_0"]["Dense_0"]) - np.arange(4)) / np.sqrt(1 + 1e-5)
    twice = dense(dense(np.tanh(normed), params["Dense_0"]), params["Dense_0"])
    expected = {
        "LinenBlock_0.BatchNorm_0": normed,
        "LinenBlock_0.activated": np.tanh(normed),
        "LinenBlock_0": np.tanh(normed),
        "Dense_0[1]": twice,
        "output": dense(twice, params["Dense_1"]),
    }
    chex.assert_trees_all_close({name: found[name] for name in expected}, expected, atol=1e-5)
    assert list(found)[-1] == "output"


def test_functions_reach_what_no_layer_returns(nested, linen):
    def before_dropout(model, x):
        return jnp.tanh(model.blocks[0].norm(model.blocks[0].linear(x)))

    def first_dense(model, x):
        return x @ model[1]["params"]["LinenBlock_0"]["Dense_0"]["kernel"]

    of_nnx = activations(nested, X, layers={"tanh": before_dropout}, batch_size=3)
    np.testing.assert_allclose(of_nnx["tanh"], np.tanh(activations(nested, X)["blocks.0.norm"]), atol=1e-6)
    of_linen = activations(linen, X, layers={"product": first_dense})
    np.testing.assert_allclose(
        of_linen["product"], X @ linen[1]["params"]["LinenBlock_0"]["Dense_0"]["kernel"], atol=1e-6
    )
    of_function = activations((jnp.matmul, jnp.eye(4) * 2), X, layers={"twice": lambda model, x: model[0](x, model[1])})
    np.testing.assert_array_equal(of_function["twice"], 2 * X)


def test_layers_inside_a_transformation_have_no_name():
    class Transformed(nnx.Module):
        def __init__(self, rngs):
            self.first, self.second, self.last = (nnx.Linear(4, 4, rngs=rngs) for _ in range(3))
            self.stack = nnx.vmap(lambda rngs: nnx.Linear(4, 4, rngs=rngs))(rngs.split(3))

        def __call__(self, x):
            x = jax.checkpoint(lambda x: self.first(x))(x)
            x = nnx.remat(lambda layer, x: layer(x))(self.second, x)
            x = nnx.scan(lambda x, layer: layer(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)(x, self.stack)
            return self.last(x)

    model = Transformed(nnx.Rngs(0))
    found = activations(model, X)
    assert set(found) == {"last", "output"}
    np.testing.assert_allclose(found["output"], model(X), rtol=1e-5)


def test_what_is_not_finite_stays():
    x = X.copy()
    x[2, 1] = np.nan
    found = activations(networks.build("quantised_mlp", (4,), 2, hidden=(3,)), x)
    np.testing.assert_array_equal(np.isnan(found["hidden.1"]).all(axis=1), np.arange(7) == 2)


@pytest.mark.parametrize(
    ("model", "x", "options", "message"),
    [
        ("mlp", X, {"layers": ["hidden.1", "hiden"]}, "layers must be among those .* layers.0, .*output; got 'hiden'"),
        ("mlp", X, {"layers": []}, "layers must be among those of this network, layers.0, .* got none"),
        ("mlp", X, {"batch_size": 0}, "batch_size must be an integer of at least 1"),
        ("mlp", X[:0], {}, r"at least one; got shape \(0, 4\)"),
        ("mlp", X + 1j, {}, "array of real numbers, got .*complex"),
        ("mlp", X[:, :3], {}, r"fails on inputs x of shape \('batch', 3\), .*x must be a batch of inputs of 4 entries"),
        ("mlp", X, {"layers": {"sum": lambda model, x: x.sum()}}, r"'sum' must return one array .* are sum \(\)"),
        ("mlp", X, {"layers": {"name": "hidden.1"}}, "from names to functions"),
        (lambda x: x, X, {}, "expected a network as an nnx.Module, .*got function"),
        ((jnp.matmul, jnp.eye(4)), X, {}, "a function has no layers by name"),
    ],
)
def test_bad_arguments_are_told(model, x, options, message):
    model = networks.build("mlp", (4,), 2, hidden=(3,)) if isinstance(model, str) else model
    with pytest.raises(ValueError, match=message):
        activations(model, x, **options)
