"""Networks: shapes, modes, specs, and what they refuse."""

import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import interjax as ij
from interjax import networks
from interjax.networks._layers import Convolution, halve

SMALL = {
    "mlp": ((5, 3), {"hidden": [7], "dropout": 0.5}),
    "tabular_mlp": ((6,), {"width": 20, "depth": 3, "dropout": 0.5}),
    "residual_mlp": ((5, 2), {"width": 20, "depth": 4, "dropout": 0.5}),
    "lenet": ((12, 13, 2), {}),
    "alexnet": ((29, 30, 1), {"dropout": 0.5}),
    "resnet20": ((6, 5, 2), {"depth": 8, "width": 4}),
    "resnet18": ((9, 8, 2), {"widths": [3, 5, 4, 4]}),
    "vit": ((8, 4, 1), {"width": 8, "depth": 1, "heads": 2, "dropout": 0.5}),
}


def build(name, seed=0):
    shape, options = SMALL[name]
    return networks.build(name, shape, 3, seed=seed, **options)


def inputs(name, batch=2):
    return jax.random.normal(jax.random.key(9), (batch, *SMALL[name][0]))


def n_parameters(network):
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(network, nnx.Param)))


@nnx.jit
def apply(network, x):
    return network(x)


@pytest.fixture(scope="module", params=SMALL)
def case(request):
    return request.param, build(request.param), inputs(request.param)


def test_logits_have_one_row_an_input(case):
    _, network, x = case
    logits = apply(network, x)
    chex.assert_shape(logits, (2, 3))
    chex.assert_tree_all_finite(logits)


def test_evaluation_is_deterministic_and_treats_each_input_alone(case):
    _, network, x = case
    network.eval()
    logits = apply(network, x)
    np.testing.assert_array_equal(apply(network, x), logits)
    np.testing.assert_allclose(apply(network, x[::-1])[::-1], logits, rtol=1e-4, atol=1e-5)
    network.train()


def test_the_seed_decides_the_parameters(case):
    name, network, _ = case
    same, other = build(name), build(name, seed=1)
    chex.assert_trees_all_equal(nnx.state(same, nnx.Param), nnx.state(build(name), nnx.Param))
    kernel = next(p for p in jax.tree.leaves(nnx.state(network, nnx.Param)) if p.std() > 0)
    assert any(
        kernel.shape == p.shape and not np.array_equal(kernel, p) for p in jax.tree.leaves(nnx.state(other, nnx.Param))
    )


def test_a_wrong_input_shape_is_refused(case):
    _, network, x = case
    with pytest.raises(ValueError, match=r"x must be .*batch.*got"):
        network(x[:, :-1])


@pytest.mark.parametrize("name", ["mlp", "tabular_mlp", "residual_mlp", "alexnet", "vit"])
def test_dropout_is_on_in_training_only(name):
    network, x = build(name), inputs(name)
    assert not np.array_equal(apply(network, x), apply(network, x))


@pytest.mark.parametrize("name", ["resnet20", "resnet18"])
def test_batch_statistics_move_in_training_only(name):
    network, x = build(name), inputs(name)
    before = jax.tree.map(jnp.copy, nnx.state(network, nnx.BatchStat))
    network.eval()
    apply(network, x)
    chex.assert_trees_all_equal(nnx.state(network, nnx.BatchStat), before)
    network.train()
    apply(network, x)
    assert not np.array_equal(network.norm.mean[...], before["norm"]["mean"][...])


def test_new_parameters_do_not_compile_again():
    @nnx.jit
    @chex.assert_max_traces(n=1)
    def run(network, x):
        return network(x)

    for seed in range(3):
        run(build("mlp", seed), inputs("mlp"))


@pytest.mark.parametrize(
    ("name", "shape", "n_classes", "expected"),
    [
        ("mlp", (28, 28, 1), 10, 784 * 256 + 256 + 256 * 256 + 256 + 256 * 10 + 10),
        ("tabular_mlp", (12,), 2, 12 * 100 + 100 + 3 * (100 * 100 + 100) + 100 * 2 + 2),
        ("residual_mlp", (12,), 2, 12 * 100 + 100 + 3 * (100 * 100 + 100) + 100 * 2 + 2),
        ("lenet", (28, 28, 1), 10, 61_706),
        ("alexnet", (32, 32, 3), 10, 2_472_266),
        ("resnet20", (32, 32, 3), 10, 269_722),
        ("resnet18", (32, 32, 3), 10, 11_173_962),  # github.com/kuangliu/pytorch-cifar, models/resnet.py, ResNet18()
        ("resnet18", (224, 224, 3), 1000, 11_689_512),  # torchvision.models.ResNet18_Weights, num_params
    ],
)
def test_published_numbers_of_parameters(name, shape, n_classes, expected):
    assert n_parameters(nnx.eval_shape(lambda: networks.build(name, shape, n_classes))) == expected


def published_resnet18(x, stem, state):
    """He et al. 2016, table 1, written with lax; state: variables by path, e.g. ("blocks", 0, "conv1", "kernel")."""

    def conv(x, name, stride, pad):
        kernel = state[(*name, "kernel")]
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), [(pad, pad)] * 2, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    def norm(x, name):
        mean, var, scale, bias = (state[(*name, one)].reshape(1, 1, 1, -1) for one in ("mean", "var", "scale", "bias"))
        return (x - mean) / jnp.sqrt(var + 1e-5) * scale + bias

    def relu(x):
        return jnp.maximum(x, 0)

    if stem == "small":
        x = relu(norm(conv(x, ("conv",), 1, 1), ("norm",)))
    else:
        x = relu(norm(conv(x, ("conv",), 2, 3), ("norm",)))
        pads = ((0, 0), (1, 1), (1, 1), (0, 0))
        x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), pads)
    for index, stride in enumerate([1, 1, 2, 1, 2, 1, 2, 1]):
        block = ("blocks", index)
        y = relu(norm(conv(x, (*block, "conv1"), stride, 1), (*block, "norm1")))
        y = norm(conv(y, (*block, "conv2"), 1, 1), (*block, "norm2"))
        if stride == 2:
            x = norm(conv(x, (*block, "shortcut"), 2, 0), (*block, "shortcut_norm"))
        x = relu(x + y)
    return x.mean((1, 2)) @ state[("head", "kernel")] + state[("head", "bias")][None]


@pytest.mark.parametrize(("stem", "shape"), [("small", (17, 16, 3)), ("large", (33, 64, 1))])
def test_resnet18_has_the_values_of_the_published_architecture(stem, shape):
    network = networks.build("resnet18", shape, 5, widths=[4, 6, 8, 8], stem=stem)
    network.eval()
    random, state = np.random.default_rng(0), {}
    for path, variable in nnx.to_flat_state(nnx.state(network, (nnx.Param, nnx.BatchStat))):
        spread = random.uniform(0.5, 2, variable.shape) if path[-1] in ("var", "scale") else None
        state[path] = jnp.float32(random.normal(0, 0.3, variable.shape) if spread is None else spread)
    nnx.update(network, nnx.from_flat_state(state))
    x = jax.random.normal(jax.random.key(1), (3, *shape))
    logits = apply(network, x)
    expected = jax.jit(published_resnet18, static_argnums=1)(x, stem, state)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    assert np.std(logits, axis=0).min() > 0.01  # the logits depend on the input


@pytest.mark.parametrize(
    ("shape", "options", "stem"),
    [
        ((63, 80, 1), {}, "small"),
        ((64, 80, 1), {}, "large"),
        ((64, 64, 1), {"stem": "small"}, "small"),
        ((32, 32, 1), {"stem": "large"}, "large"),
    ],
)
def test_the_stem_of_resnet18_follows_the_size_of_the_image(shape, options, stem):
    network = nnx.eval_shape(lambda: networks.build("resnet18", shape, 3, widths=[2, 2, 2, 2], **options))
    assert network.stem == stem
    assert network.conv.kernel.shape[0] == {"small": 3, "large": 7}[stem]
    assert nnx.eval_shape(apply, network, jnp.ones((2, *shape))).shape == (2, 3)


def test_the_depth_of_a_tabular_mlp_counts_its_linear_layers():
    assert networks.build("tabular_mlp", (3, 4), 2).sizes == (12, 100, 100, 100, 100, 2)
    assert networks.build("tabular_mlp", (12,), 2, depth=2, width=7, activation="tanh").sizes == (12, 7, 2)


def test_a_residual_mlp_adds_each_hidden_layer_to_the_one_before():
    network = networks.build("residual_mlp", (4,), 3, width=6, depth=4, activation="tanh")
    kernels = [layer.kernel[...] for layer in (network.embed, *network.layers, network.head)]
    biases = np.random.default_rng(0).normal(size=6).astype(np.float32)
    network.layers[0].bias[...] = biases
    x = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)
    first = np.tanh(x @ kernels[0])
    second = np.tanh(first + first @ kernels[1] + biases[None])
    third = np.tanh(second + second @ kernels[2])
    np.testing.assert_allclose(apply(network, x), third @ kernels[3], atol=1e-5)
    assert [hidden.shape for hidden in network.hidden(x)] == [(5, 4), (5, 6), (5, 6), (5, 6)]


def test_a_residual_mlp_folds_and_survives_a_folder(tmp_path):
    spec = networks.NetworkSpec("residual_mlp", (6,), 3, {"width": 8, "depth": 3})
    network = spec.build(2)
    ij.training.save_network(tmp_path, spec, network)
    _, loaded, _ = ij.training.load_network(tmp_path, expect=spec)
    x, players = np.arange(1.0, 7.0, dtype=np.float32), ij.Players.features(6)
    games = [ij.masked_game(model, x, players=players, output=ij.logit(1), fold=True) for model in (network, loaded)]
    direct = apply(network, np.where(np.eye(6, dtype=bool), x, 0))[:, 1]
    for game in games:
        np.testing.assert_allclose(game(np.eye(6, dtype=bool)), direct, atol=1e-5)


def test_kernels_have_variance_one_over_fan_in():
    network = networks.build("vit", (8, 8, 1), 10, width=64, depth=1)
    block = network.blocks[0]
    for kernel, fan_in in [(block.attention.query.kernel, 64), (block.narrow.kernel, 256)]:
        assert np.std(kernel[...]) == pytest.approx(fan_in**-0.5, rel=0.05)


def test_initialisation_works_inside_jit_with_the_same_draws():
    traced = nnx.jit(lambda: networks.MLP((4, 3), rngs=nnx.Rngs(5)))()
    direct = networks.MLP((4, 3), rngs=nnx.Rngs(5))
    np.testing.assert_allclose(traced.layers[0].kernel[...], direct.layers[0].kernel[...], rtol=1e-6)


def test_pooling_equals_the_window_reduction():
    x = jax.random.normal(jax.random.key(0), (2, 7, 6, 3))
    np.testing.assert_array_equal(jax.jit(halve)(x), nnx.max_pool(x, (2, 2), (2, 2)))


def test_hidden_returns_every_layer_after_the_flat_input():
    network = networks.MLP((6, 5, 4, 2), "tanh", rngs=nnx.Rngs(0))
    x = jnp.ones((3, 2, 3))
    assert [a.shape for a in network.hidden(x)] == [(3, 6), (3, 5), (3, 4)]
    np.testing.assert_allclose(network.layers[-1](network.hidden(x)[-1]), network(x), rtol=1e-6)


def test_a_spec_survives_json():
    spec = networks.NetworkSpec("mlp", (5, 3), 3, {"hidden": [7, 8], "dropout": 0.5})
    again = networks.NetworkSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert hash(again) == hash(spec)
    chex.assert_trees_all_equal(nnx.state(again.build(1), nnx.Param), nnx.state(spec.build(1), nnx.Param))


def test_a_spec_builds_from_a_key_as_from_a_seed():
    spec = networks.NetworkSpec("mlp", (4,), 2)
    from_seed, from_key = spec.build(3), spec.build(jax.random.key(3))
    chex.assert_trees_all_equal(nnx.state(from_seed, nnx.Param), nnx.state(from_key, nnx.Param))


@pytest.mark.parametrize(
    ("name", "shape", "options", "message"),
    [
        ("lstm", (4,), {}, "network must be one of mlp, tabular_mlp, residual_mlp, lenet, .*; got 'lstm'"),
        ("mlp", (4,), {"width": 3}, "options of mlp must be among hidden, .*; got 'width'"),
        ("mlp", (4,), {"rngs": 3}, "options of mlp must be among .*; got 'rngs'"),
        ("mlp", (4,), {"activation": "step"}, "activation must be one of relu, .* or a function; got 'step'"),
        ("mlp", (4,), {"activation": jnp.tanh}, "JSON values"),
        ("mlp", (), {}, "positive integers"),
        ("mlp", (0,), {}, "positive integers"),
        ("lenet", (28, 28), {}, "height, width, channels"),
        ("lenet", (8, 8, 1), {}, "at least 12x12 pixels for lenet, got 8x8"),
        ("alexnet", (28, 28, 1), {}, "at least 29x29"),
        ("resnet20", (32, 32, 3), {"depth": 21}, "6k . 2"),
        ("tabular_mlp", (4,), {"depth": 1}, "depth .* at least 2, .*; got 1"),
        ("tabular_mlp", (4,), {"depth": 2.5}, "depth .* got 2.5"),
        ("tabular_mlp", (4,), {"width": 0}, "width must be an integer of at least 1, .* got 0"),
        ("residual_mlp", (4,), {"depth": 2}, "depth .* at least 3, .*; got 2"),
        ("residual_mlp", (4,), {"width": 1.5}, "width must be an integer of at least 1, .* got 1.5"),
        ("resnet18", (32, 32), {}, "height, width, channels"),
        ("resnet18", (7, 32, 3), {}, "at least 8x8 pixels for resnet18, got 7x32"),
        (
            "resnet18",
            (31, 32, 3),
            {"stem": "large"},
            'at least 32x32 pixels for resnet18 with the stem "large", got 31x32',
        ),
        ("resnet18", (32, 32, 3), {"stem": "huge"}, "stem .* got 'huge'"),
        ("resnet18", (32, 32, 3), {"widths": [8, 8, 8]}, "four stages of resnet18, positive integers; got .8, 8, 8"),
        ("resnet18", (32, 32, 3), {"widths": [8, 8, 8, 0]}, "four stages"),
        ("resnet18", (32, 32, 3), {"widths": 64}, r"four stages of resnet18, positive integers; got \(64,\)"),
        ("vit", (30, 32, 3), {}, "patch must divide both sides .* 30x32 pixels; got 4"),
        ("vit", (32, 32, 3), {"width": 30}, "heads"),
    ],
)
def test_what_cannot_be_built_is_refused(name, shape, options, message):
    with pytest.raises(ValueError, match=message):
        networks.build(name, shape, 10, **options)


def test_no_output_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        networks.build("mlp", (4,), 0)


def test_one_output_is_a_column():
    assert networks.build("mlp", (4,), 1)(jnp.zeros((3, 4))).shape == (3, 1)


def test_a_spec_with_other_fields_is_refused():
    with pytest.raises(ValueError, match="fields must be those of a network spec"):
        networks.NetworkSpec.from_json({"name": "mlp"})


@nnx.jit
def gradient_of_squares(layer, x):
    return nnx.grad(lambda layer: (layer(x) ** 2).sum())(layer)


@pytest.mark.parametrize(
    ("height", "options"),
    [
        (2, {"padding": 1}),
        (4, {}),
        (5, {"padding": "VALID"}),
        (9, {"strides": 2, "padding": 1, "use_bias": False}),
        (12, {}),
    ],
)
def test_convolution_has_the_values_and_gradients_of_flax(height, options):
    ours = Convolution(3, 4, (3, 3), rngs=nnx.Rngs(0), **options)
    flax = nnx.Conv(3, 4, (3, 3), rngs=nnx.Rngs(0), **options)
    x = jax.random.normal(jax.random.key(0), (2, height, height, 3))
    np.testing.assert_allclose(ours(x), flax(x), atol=1e-5)
    gradients = [gradient_of_squares(layer, x)["kernel"][...] for layer in (ours, flax)]
    np.testing.assert_allclose(*gradients, atol=1e-3)
    np.testing.assert_allclose(jax.jit(jax.vmap(lambda one: ours(one[None])[0]))(x), flax(x), atol=1e-5)
