"""Folding: the parts equal the whole, masked inputs equal folded ones, and what cannot be split is refused."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import interjax as ij
from interjax._folding._contributions import context_hidden, player_contributions, read_cost, row_hidden, saves_work
from interjax._folding._tracing import Split, split_first_layer, verify

IMAGE = (8, 8, 3)
KERNEL = np.random.default_rng(0).normal(size=(192, 16)).astype(np.float32) / 14
SMALL_KERNEL = KERNEL.reshape(-1)[: 3 * 3 * 3 * 4].reshape(3, 3, 3, 4)


def flatten(x):
    return x.reshape(x.shape[0], -1)


def normal(seed, shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def filled(params, seed=0):
    """Random positive values for parameters of which only the shapes are known: nothing to compile, no zero biases."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: rng.uniform(0.02, 0.2, leaf.shape).astype(leaf.dtype), params)


def from_nnx(build):
    """A network and its parameters from a function that makes an nnx module."""
    module = nnx.eval_shape(lambda: build(nnx.Rngs(0)))
    graph, state = nnx.split(nnx.with_attributes(module, use_running_average=True, raise_if_not_found=False))
    return lambda params, x: nnx.merge(graph, params)(x), filled(state)


def mlp():
    return from_nnx(lambda r: nnx.Sequential(flatten, nnx.Linear(192, 16, rngs=r), nnx.relu, nnx.Linear(16, 4, rngs=r)))


def lenet(padding, strides):
    def pool(x):
        return nnx.max_pool(x, (2, 2), (2, 2))

    def build(r):
        conv = nnx.Conv(3, 6, (5, 5), strides=strides, padding=padding, rngs=r)
        size = 8 // strides if padding == "SAME" else 4 // strides
        return nnx.Sequential(conv, nnx.relu, pool, flatten, nnx.Linear((size // 2) ** 2 * 6, 4, rngs=r))

    return from_nnx(build)


def dilated():
    def build(r):
        conv = nnx.Conv(3, 6, (3, 3), kernel_dilation=2, padding="SAME", rngs=r)
        return nnx.Sequential(conv, nnx.relu, flatten, nnx.Linear(384, 4, rngs=r))

    return from_nnx(build)


def patch_embedding():
    """The first layer of a vision transformer: a convolution whose stride is its size."""

    def build(r):
        embed = nnx.Conv(3, 6, (4, 4), strides=4, padding="VALID", rngs=r)
        norm = nnx.LayerNorm(6, rngs=r)
        return nnx.Sequential(embed, lambda x: x.reshape(-1, 4, 6), norm, flatten, nnx.Linear(24, 4, rngs=r))

    return from_nnx(build)


def batch_norm_first():
    def build(r):
        layers = nnx.BatchNorm(3, rngs=r), nnx.Conv(3, 4, (3, 3), rngs=r), nnx.BatchNorm(4, rngs=r), nnx.gelu
        return nnx.Sequential(*layers, flatten, nnx.Linear(256, 4, rngs=r))

    return from_nnx(build)


def linen():
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.tanh(nn.Dense(5)(nn.avg_pool(x, (2, 2), (2, 2))))
            return nn.Dense(3)(flatten(x))

    network = Network()
    return network.apply, filled(jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, *IMAGE))))


def plain_with_normalisation():
    mean, deviation = jnp.array([0.4, 0.5, 0.6]), jnp.array([0.2, 0.3, 0.4])

    def apply(params, x):
        x = (x - mean[None, None, None]) / deviation[None, None, None] * params["scale"]
        return jnp.tanh(flatten(x) @ KERNEL + params["bias"][None]) @ params["last"]

    return apply, {"scale": 2.0, "bias": normal(1, (16,)), "last": normal(2, (16, 3))}


def one_example_vmapped():
    def one(params, x):
        hidden = jax.nn.silu(params["first"] @ x.reshape(-1))
        return params["last"] @ hidden

    def apply(params, x):
        return jax.vmap(one, in_axes=(None, 0))(params, x)

    return apply, {"first": normal(1, (16, 192)) / 14, "last": normal(2, (3, 16))}


def one_image_vmapped():
    def one(params, image):
        return jax.nn.silu(convolve(image[None], SMALL_KERNEL) + params[None, None, None]).sum((0, 1, 2))

    return jax.vmap(one, in_axes=(None, 0)), normal(1, (4,))


def patches_with_class_token():
    def apply(params, x):
        patches = x.reshape(-1, 2, 4, 2, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 4, 48)
        tokens = patches @ params["embed"] + params["position"][None]
        tokens = jnp.concatenate([jnp.broadcast_to(params["token"], (x.shape[0], 1, 6)), tokens], axis=1)
        normed = (tokens - tokens.mean(-1, keepdims=True)) / jnp.sqrt(tokens.var(-1, keepdims=True) + 1e-5)
        return (tokens + jax.nn.softmax(normed @ normed.swapaxes(1, 2)) @ tokens)[:, 0]

    params = {"embed": normal(1, (48, 6)), "position": normal(2, (4, 6)), "token": normal(3, (1, 1, 6))}
    return apply, params


def residual_behind_first_layer():
    def apply(params, x):
        hidden = jax.checkpoint(lambda x: convolve(x, SMALL_KERNEL) + params["bias"][None, None, None])(x)
        hidden = hidden + jax.nn.relu(hidden) * 2
        return hidden.mean((1, 2))

    return apply, {"bias": normal(1, (4,))}


def two_linear_branches():
    def apply(params, x):
        same = convolve(x, SMALL_KERNEL) + convolve(x, params["second"])
        return jnp.tanh(jnp.where(params["gate"][None] > 0, same, 0.0)).sum((1, 2))

    return apply, {"second": SMALL_KERNEL[::-1], "gate": normal(1, (8, 8, 4))}


def custom_rule_around_the_product():
    @jax.custom_vjp
    def dense(x, kernel):
        return x @ kernel

    dense.defvjp(lambda x, kernel: (x @ kernel, (x, kernel)), lambda saved, g: (g @ saved[1].T, saved[0].T @ g))
    return lambda params, x: jnp.sin(dense(flatten(x), params)), jnp.asarray(KERNEL)


def gated_halves():
    def apply(params, x):
        gate, value = jnp.split(flatten(x) @ params, 2, axis=1)
        return jnp.tanh(gate) * value

    return apply, jnp.asarray(KERNEL)


def linear_model():
    return lambda params, x: flatten(x) @ params, jnp.asarray(KERNEL)


def convolve(x, kernel):
    numbers = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, jnp.asarray(kernel), (1, 1), "SAME", dimension_numbers=numbers)


CASES = {
    "mlp": (mlp, (16,)),
    "lenet same": (lambda: lenet("SAME", 1), (8, 8, 6)),
    "lenet same strided": (lambda: lenet("SAME", 2), (4, 4, 6)),
    "lenet valid": (lambda: lenet("VALID", 1), (4, 4, 6)),
    "lenet valid strided": (lambda: lenet("VALID", 2), (2, 2, 6)),
    "dilated": (dilated, (8, 8, 6)),
    "patch embedding": (patch_embedding, (4, 6)),
    "batch norm first": (batch_norm_first, (8, 8, 4)),
    "linen": (linen, (4, 4, 5)),
    "normalisation": (plain_with_normalisation, (16,)),
    "vmapped": (one_example_vmapped, (16,)),
    "vmapped image": (one_image_vmapped, (1, 8, 8, 4)),
    "class token": (patches_with_class_token, (4, 6)),
    "residual": (residual_behind_first_layer, (8, 8, 4)),
    "two branches": (two_linear_branches, (8, 8, 4)),
    "custom rule": (custom_rule_around_the_product, (16,)),
    "gated halves": (gated_halves, (16,)),
    "linear": (linear_model, (16,)),
}


@pytest.fixture(scope="module", params=CASES, ids=lambda name: name.replace(" ", "_"))
def case(request):
    build, hidden_shape = CASES[request.param]
    return *build(), hidden_shape


def split_of(apply, params, shape=IMAGE, dtype=jnp.float32):
    return split_first_layer(apply, params, jax.ShapeDtypeStruct((1, *shape), dtype))


def quarter_spread(masks):
    """Sixteen players, 2x2 patches of the 8x8 image; the last channel belongs to none of them."""
    grid = jnp.repeat(jnp.repeat(masks.reshape(-1, 4, 4, 1), 2, axis=1), 2, axis=2)
    return jnp.concatenate([grid, grid, jnp.ones_like(grid)], axis=-1)


def relative_error(values, expected):
    return jnp.max(jnp.abs(values - expected)) / jnp.max(jnp.abs(expected))


def test_split_equals_the_network_at_every_batch_size(case):
    apply, params, hidden_shape = case
    split = split_of(apply, params)
    assert split is not None
    assert split.hidden_shape == hidden_shape

    @jax.jit
    def errors(params, x):
        one = split.stem(params, x[:1])
        chex.assert_shape(one, (1, *hidden_shape))
        alone = relative_error(split.trunk(params, one), apply(params, x[:1]))
        return jnp.maximum(alone, verify(split, apply, params, x))

    assert errors(params, normal(1, (16, *IMAGE))) < 1e-5  # 16 is a layer's width too


def test_folded_values_equal_those_of_masked_inputs(case):
    apply, params, _ = case
    split = split_of(apply, params)
    index = np.array([0, 5, 5, 2, 3])
    flips = np.array([[3, 4, -1], [-1, -1, -1], [15, 0, 7], [-1, 15, 1], [8, -1, 2]])
    contexts = np.random.default_rng(3).random((6, 16)) < 0.5
    masks = contexts[index]
    for mask, players in zip(masks, flips, strict=True):
        mask[players[players >= 0]] ^= True

    @jax.jit
    def errors(params, x, baseline, contexts, masks):
        offset, rows = player_contributions(split.stem, params, x, baseline, quarter_spread, 16, chunk=5)
        hidden = context_hidden(offset, rows, contexts)
        updated = row_hidden(hidden, rows, contexts, index, flips)
        masked = jnp.where(quarter_spread(jnp.concatenate([contexts, masks])), x[None], baseline[None])
        return relative_error(split.trunk(params, jnp.concatenate([hidden, updated])), apply(params, masked))

    assert errors(params, normal(1, IMAGE), 0.3 * normal(2, IMAGE), contexts, masks) < 1e-5


def skip_around_everything(params, x):
    return flatten(x) + jnp.tanh(flatten(x) @ params)


def input_used_at_the_end(params, x):
    return jnp.tanh(flatten(x) @ params) * x[:, 0, 0, :1]


def batch_statistics(params, x):
    return jnp.tanh((flatten(x) - flatten(x).mean(0, keepdims=True)) @ params)


REFUSED = {
    "nonlinear first": lambda params, x: jnp.tanh(flatten(x)) @ params,
    "square first": lambda params, x: (flatten(x) * flatten(x)) @ params,
    "rounded to integers": lambda params, x: params[:, 0][flatten(x).astype(int)],
    "half precision": lambda params, x: (flatten(x).astype(jnp.bfloat16) @ params).astype(jnp.float32),
    "no product": lambda params, x: jnp.tanh(flatten(x) + 1),
    "kernel from the input": lambda params, x: flatten(x) @ (params * x.sum()),
    "input as a divisor": lambda params, x: (1 / flatten(x)) @ params,
    "input as a condition": lambda params, x: jnp.where(flatten(x) > 0, 1.0, 0.0) @ params,
    "skip": lambda params, x: skip_around_everything(params[:, :1] @ params[:, :1].T, x),
    "used at the end": input_used_at_the_end,
    "batch statistics": batch_statistics,
    "two outputs": lambda params, x: (flatten(x) @ params, x),
    "input unused": lambda params, x: jnp.ones((x.shape[0], 2)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_split_is_refused(name):
    assert split_of(REFUSED[name], jnp.asarray(KERNEL)) is None


def test_tokens_are_refused():
    apply, params = from_nnx(lambda r: nnx.Sequential(nnx.Embed(10, 8, rngs=r), nnx.Linear(8, 2, rngs=r)))
    assert split_of(apply, params, (5,), jnp.int32) is None


def test_new_weights_do_not_retrace():
    apply, params = mlp()
    split = split_of(apply, params)
    chex.clear_trace_counter()
    network = jax.jit(chex.assert_max_traces(lambda p, x: split.trunk(p, split.stem(p, x)), n=1))
    x = normal(0, (4, *IMAGE))
    for factor in (1.0, 2.0, 3.0):
        changed = jax.tree.map(lambda leaf, factor=factor: leaf * factor, params)
        chex.assert_trees_all_close(network(changed, x), apply(changed, x), rtol=1e-5, atol=1e-5)


def test_split_inside_jit_with_a_traced_closure():
    @jax.jit
    def values(params, scale, x):
        def apply(params, x):
            return jnp.tanh(flatten(x) * scale @ params)

        split = split_first_layer(apply, params, x)
        return split.trunk(params, split.stem(params, x)), apply(params, x)

    split, whole = values(jnp.asarray(KERNEL), jnp.float32(0.7), normal(0, (3, *IMAGE)))
    chex.assert_trees_all_close(split, whole, rtol=1e-5)


def test_trunk_keeps_derivative_rules():
    split = split_of(lambda params, x: jax.nn.relu(flatten(x) @ params), jnp.asarray(KERNEL))
    slope = jax.grad(lambda hidden: split.trunk(KERNEL, hidden).sum())(jnp.zeros((2, 16)))
    chex.assert_trees_all_equal(slope, jnp.zeros((2, 16)))  # the maximum with zero alone would give 1/2


def test_contributions_do_not_depend_on_the_chunk():
    apply, params = mlp()
    stem = split_of(apply, params).stem

    @jax.jit
    def contributions(x, baseline):
        return [player_contributions(stem, params, x, baseline, quarter_spread, 16, chunk=c) for c in (1, 3, 99)]

    first, *others = contributions(normal(1, IMAGE), normal(2, IMAGE))
    for other in others:
        chex.assert_trees_all_close(other, first, rtol=1e-5, atol=1e-6)


UNSOUND = {
    "other values": lambda network, x: 1.5 * network(x),
    "mixes rows": lambda network, x: network(x) - network(x).mean(0, keepdims=True),
    "rows differ": lambda network, x: network(x) + jnp.arange(x.shape[0])[:, None],
    "not affine": lambda network, x: network(x) ** 2,
}


@pytest.mark.parametrize("name", UNSOUND)
def test_verify_finds_unsound_splits(name):
    def network(x):
        return flatten(x) @ KERNEL

    def stem(params, x):
        return UNSOUND[name](network, x)

    def apply(params, x):
        return network(x) if name == "other values" else stem(params, x)

    split = Split(stem, lambda params, hidden: hidden, (16,))
    assert jax.jit(lambda x: verify(split, apply, None, x))(normal(0, (4, *IMAGE))) > 1e-2


def test_verify_needs_two_rows():
    split = Split(lambda params, x: x, lambda params, hidden: hidden, IMAGE)
    with pytest.raises(ValueError, match="two or more rows"):
        verify(split, lambda params, x: x, None, normal(0, (1, *IMAGE)))


def test_network_that_changes_with_the_batch_size_is_an_error():
    def apply(params, x):
        return flatten(x) @ params if x.shape[0] < 5 else jnp.tanh(flatten(x)) @ params

    split = split_of(apply, jnp.asarray(KERNEL))
    with pytest.raises(ValueError, match="batch size 8"):
        split.stem(jnp.asarray(KERNEL), normal(0, (8, *IMAGE)))


def test_folding_is_chosen_where_it_saves_work():
    apply, params = mlp()
    split, x = split_of(apply, params), jax.ShapeDtypeStruct((1, *IMAGE), jnp.float32)
    assert saves_work(split, params, x, 16)
    assert not saves_work(split, params, x, 192, rows_per_context=1)  # as many players as inputs: nothing gets smaller
    assert not saves_work(split, params, x, 16, flips=16)
    assert not saves_work(split, params, x, 16, memory_limit=1000)
    apply, params = lenet("SAME", 1)
    assert saves_work(split_of(apply, params), params, x, 16)

    def narrow(params, x):
        return jnp.tanh(x @ params).sum((1, 2))  # three multiplications for each hidden unit

    assert not saves_work(split_of(narrow, jnp.ones((3, 8))), jnp.ones((3, 8)), x, 16)


def test_folding_is_chosen_by_what_a_device_reads(monkeypatch):
    apply, params = mlp()
    x = np.ones(IMAGE, np.float32)
    split, like = split_of(apply, params), jax.ShapeDtypeStruct((1, *IMAGE), jnp.float32)
    assert saves_work(split, params, like, 16, read_cost=read_cost("cpu", None))
    assert read_cost("gpu", "bfloat16") > read_cost("rocm", "float32") > read_cost("cpu", "float32")
    for platform, is_folded in [("cpu", True), ("tpu", False)]:
        monkeypatch.setattr(jax, "default_backend", lambda name=platform: name)
        game = ij.masked_game((apply, params), x, players=ij.Players.grid(IMAGE, (4, 4)), output=ij.log_odds(0))
        assert (game.value.split is not None) == is_folded
    game = ij.masked_game((apply, params), x, players=ij.Players.grid(IMAGE, (4, 4)), output=ij.log_odds(0), fold=True)
    assert game.value.split is not None  # where it is asked for
