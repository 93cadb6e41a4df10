"""Losses that modulate orders: the papers' formula, its gradients, and their place in training steps."""

import functools
import math

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import NamedSharding, PartitionSpec

import interjax as ij
from interjax.losses._modulation import modulated_sizes, nested_coalitions, order_modulation
from interjax.losses._weighted import order_weighted

KEY = jax.random.key(5)
N, CLASSES = 12, 3
PLAYERS = ij.Players.features(N)
X = jnp.asarray(np.random.default_rng(0).normal(size=(6, N)), jnp.float32)
Y = jnp.array([0, 1, 2, 0, 1, 2])
MODEL = ij.networks.build("mlp", (N,), CLASSES, hidden=(8,), activation="tanh", seed=1)
SETTINGS = [("encourage", 0.3, 0.7), ("penalize", 0.0, 0.5), ("penalize", 0.7, 1.0), ("encourage", 0.35, 0.6)]


def computed(loss, apply, x=X, y=Y, **options):
    """A loss as a training step computes it, compiled."""
    return jax.jit(lambda key, x, y: loss(key, apply, x, y, **options))(KEY, x, y)


def test_labels_that_are_no_classes_give_nan_where_they_cannot_be_refused():
    labels, known = jnp.array([0, -1, 2, CLASSES, 1, 9]), np.array([True, False, True, False, True, False])
    for mode in ("encourage", "penalize"):
        found = computed(order_modulation, MODEL, y=labels, low=0.3, high=0.7, mode=mode, players=PLAYERS)
        np.testing.assert_array_equal(np.isfinite(found), known)
    found = computed(
        order_weighted, MODEL, y=labels, orders=[0, 5], weights=[1.0, -0.5], players=PLAYERS, relative=False
    )
    np.testing.assert_array_equal(np.isfinite(found), known)


def transcribed(model, x, y, masks, *, low, high, mode, align, baseline=0.0):
    """The formula in NumPy for one draw: masks (batch, 2, n)."""
    logits = [np.asarray(model(np.where(masks[:, which], x, baseline)), np.float64) for which in (0, 1)]
    sizes = masks.sum(axis=-1)[0]
    ratio = (sizes[1] / sizes[0] if sizes[0] else 1.0) if align == "sizes" else (high / low if low else 1.0)
    change = logits[1] - ratio * logits[0]
    log_softmax = change - change.max(1, keepdims=True)
    log_softmax -= np.log(np.exp(log_softmax).sum(1, keepdims=True))
    if mode == "encourage":
        return -log_softmax[np.arange(len(y)), y]
    return (np.exp(log_softmax) * log_softmax).sum(1)


@pytest.mark.parametrize("align", ["sizes", "fractions"])
@pytest.mark.parametrize(("mode", "low", "high"), SETTINGS)
def test_the_loss_is_the_papers_formula(mode, low, high, align):
    masks = np.asarray(nested_coalitions(KEY, len(X), N, modulated_sizes(low, high, N)))[:, 0]
    baseline = np.linspace(-1, 1, N).astype(np.float32)
    options = {"low": low, "high": high, "mode": mode, "align": align, "baseline": baseline}
    found = computed(order_modulation, MODEL, players=PLAYERS, **options)
    np.testing.assert_allclose(found, transcribed(MODEL, X, Y, masks, **options), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("mode", "low", "high"), SETTINGS)
def test_the_loss_and_its_gradients_are_those_of_pytorch(mode, low, high):
    torch = pytest.importorskip("torch", reason="needs the bench extra: PyTorch")
    weights = [np.asarray(part, np.float32) for part in jax.tree.leaves(nnx.state(MODEL, nnx.Param))]
    bias1, kernel1, bias2, kernel2 = (torch.tensor(part, requires_grad=True) for part in weights)
    masks = torch.tensor(np.asarray(nested_coalitions(KEY, len(X), N, modulated_sizes(low, high, N)))[:, 0])
    x, y = torch.tensor(np.asarray(X)), torch.tensor(np.asarray(Y)).long()
    small, large = (torch.tanh((x * masks[:, k]) @ kernel1 + bias1) @ kernel2 + bias2 for k in (0, 1))
    sizes = masks[0].sum(-1).tolist()
    change = large - (sizes[1] / sizes[0] if sizes[0] else 1.0) * small
    if mode == "encourage":
        losses = torch.nn.functional.cross_entropy(change, y, reduction="none")
    else:
        losses = -torch.distributions.Categorical(logits=change).entropy()
    losses.mean().backward()
    graphdef, params, rest = nnx.split(MODEL, nnx.Param, ...)

    def mean_loss(params):
        model = nnx.merge(graphdef, params, rest)
        return order_modulation(KEY, model, X, Y, low=low, high=high, mode=mode, players=PLAYERS).mean()

    value, gradient = jax.jit(jax.value_and_grad(mean_loss))(params)
    np.testing.assert_allclose(value, losses.mean().item(), rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(jax.tree.leaves(gradient), (bias1, kernel1, bias2, kernel2), strict=True):
        np.testing.assert_allclose(ours, theirs.grad.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("mode", "low", "high"), SETTINGS)
def test_the_gradient_is_that_of_finite_differences(mode, low, high):
    with jax.enable_x64(True):
        x = jnp.asarray(np.asarray(X), jnp.float64)
        start = jnp.asarray(np.random.default_rng(1).normal(size=(N, CLASSES)))

        def mean_loss(weights):
            def apply(inputs):
                return jnp.tanh(inputs @ weights) + (inputs @ weights) ** 2

            return order_modulation(KEY, apply, x, Y, low=low, high=high, mode=mode, players=PLAYERS).mean()

        jax.test_util.check_grads(jax.jit(mean_loss), (start,), order=1, modes=["rev"], eps=1e-6, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0.25, 0.5), (0.5, 1.0)])
def test_the_expected_change_weighs_orders_as_derived(low, high):
    """E[D] = (1 - s2/s1) V_0 + sum of w_m mean I^(m), w_m = (s2/s1 - 1)(m + 1) up to s1 - 2, then s2 - 1 - m."""
    n = 8
    table = np.random.default_rng(2).normal(size=2**n)
    small, large = modulated_sizes(low, high, n)
    sizes = np.array([index.bit_count() for index in range(2**n)])
    of_size = np.array([table[sizes == size].mean() for size in range(n + 1)])
    mean_order = ij.exact_order_interactions(table)[:, *np.triu_indices(n, 1)].mean(axis=1)
    orders = np.arange(n - 1)
    weights = np.where(orders <= small - 2, (large / small - 1) * (orders + 1), np.maximum(large - 1 - orders, 0))
    expected = (1 - large / small) * of_size[0] + weights @ mean_order
    np.testing.assert_allclose(of_size[large] - large / small * of_size[small], expected)
    found = np.asarray(nested_coalitions(KEY, 1, n, (small, large), draws=20_000))[0] @ (1 << np.arange(n))
    changes = table[found[:, 1]] - large / small * table[found[:, 0]]
    assert abs(changes.mean() - expected) < 4 * changes.std() / math.sqrt(len(changes))


@settings(deadline=None, max_examples=20)
@given(n=st.sampled_from([2, 7, 40]), data=st.data())
def test_coalitions_are_nested_and_of_their_sizes(n, data):
    small = data.draw(st.integers(0, n - 1))
    large = data.draw(st.integers(small + 1, n))
    drawn = np.asarray(nested_coalitions(KEY, 3, n, (small, large), draws=2))
    assert drawn.shape == (3, 2, 2, n)
    np.testing.assert_array_equal(drawn.sum(axis=-1), np.broadcast_to([small, large], (3, 2, 2)))
    assert not np.any(drawn[:, :, 0] & ~drawn[:, :, 1])


def test_every_permutation_is_as_likely():
    drawn = np.asarray(nested_coalitions(KEY, 20_000, 4, (1, 2)))[:, 0] @ np.array([1, 2, 4, 8])
    outcomes, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(outcomes) == 12
    assert np.all(np.abs(counts - 20_000 / 12) < 4.5 * math.sqrt(20_000 / 12))


def test_an_examples_loss_depends_on_no_other():
    options = {"low": 0.25, "high": 0.75, "players": PLAYERS, "draws": 3}
    whole = computed(order_modulation, MODEL, **options)
    np.testing.assert_allclose(computed(order_modulation, MODEL, X[:2], Y[:2], **options), whole[:2], rtol=1e-5)


@pytest.mark.parametrize(("mode", "low", "high"), SETTINGS)
def test_losses_are_averaged_over_draws(mode, low, high):
    options = {"low": low, "high": high, "mode": mode, "align": "sizes"}
    masks = np.asarray(nested_coalitions(KEY, len(X), N, modulated_sizes(low, high, N), draws=4))
    each = [transcribed(MODEL, X, Y, masks[:, draw], **options) for draw in range(4)]
    found = computed(order_modulation, MODEL, players=PLAYERS, draws=4, **options)
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("mode", "low", "high"), SETTINGS)
def test_logits_can_be_averaged_instead(mode, low, high):
    masks = np.asarray(nested_coalitions(KEY, len(X), N, modulated_sizes(low, high, N), draws=4))
    sizes = masks.sum(axis=-1)[0, 0]
    small, large = (
        np.mean([np.asarray(MODEL(X * masks[:, draw, which])) for draw in range(4)], axis=0) for which in (0, 1)
    )
    change = large - (sizes[1] / sizes[0] if sizes[0] else 1.0) * small
    if mode == "encourage":
        expected = optax.softmax_cross_entropy_with_integer_labels(change, Y)
    else:
        expected = jnp.sum(jax.nn.softmax(change) * jax.nn.log_softmax(change), axis=1)
    options = {"low": low, "high": high, "mode": mode, "draws": 4, "average": "logits"}
    found = computed(order_modulation, MODEL, players=PLAYERS, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "draws", "rows"),
    [(0.3, 0.7, 1, 2), (0.0, 0.5, 1, 2), (0.3, 0.7, 3, 6), (0.0, 0.5, 3, 4), (0.7, 1.0, 3, 4), (0, 1, 3, 2)],
)
def test_it_makes_as_many_passes_as_stated(low, high, draws, rows):
    seen = []

    def apply(inputs):
        seen.append(len(inputs))
        return MODEL(inputs)

    jax.eval_shape(lambda: order_modulation(KEY, apply, X, Y, low=low, high=high, players=PLAYERS, draws=draws))
    assert seen == [rows * len(X)]


def test_absent_players_show_the_baseline():
    def apply(inputs):
        chex.assert_shape(inputs, (12, 4, 4, 1))
        assert set(np.unique(inputs)) == {-2.0, 1.0}
        np.testing.assert_array_equal((inputs == 1.0).sum(axis=(1, 2, 3)), [4, 12] * 6)
        return jnp.zeros((len(inputs), 2))

    players = ij.Players.grid((4, 4, 1), (2, 2))
    options = {"players": players, "baseline": -2.0, "low": 0.25, "high": 0.75}
    order_modulation(KEY, apply, jnp.ones((6, 4, 4, 1)), jnp.zeros(6, int), **options)


@pytest.mark.parametrize("loss", [order_modulation, order_weighted])
def test_the_losses_run_sharded_by_examples(loss):
    options = {"low": 0.3, "high": 0.7} if loss is order_modulation else {"orders": [0, 3, 8], "weights": [1, -1, 2]}
    x, y = jnp.tile(X, (4, 1)), jnp.tile(Y, 4)
    graphdef, params = nnx.split(MODEL)
    step = jax.jit(lambda params, x, y: loss(KEY, nnx.merge(graphdef, params), x, y, players=PLAYERS, **options))
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    by_example = NamedSharding(mesh, PartitionSpec("data"))
    sharded = step(params, jax.device_put(x, by_example), jax.device_put(y, by_example))
    # Each shard sums its own examples: float32 rounding of values up to 0.3.
    np.testing.assert_allclose(sharded, step(params, x, y), rtol=1e-5, atol=5e-6)


def test_a_linen_training_step_with_batch_norm_and_dropout():
    class Network(nn.Module):
        @nn.compact
        def __call__(self, x, train):
            x = nn.BatchNorm(use_running_average=not train)(nn.Dense(8)(x))
            return nn.Dense(CLASSES)(nn.Dropout(0.5, deterministic=not train)(nn.relu(x)))

    network = Network()
    variables = network.init(KEY, X, train=False)
    optimizer = optax.sgd(0.1)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def step(params, state, statistics, key):
        dropout, masks = jax.random.split(key)

        def total(params):
            model = {"params": params, "batch_stats": statistics}
            logits, updated = network.apply(model, X, train=True, mutable=["batch_stats"], rngs={"dropout": dropout})
            apply = functools.partial(network.apply, model, train=False)
            modulation = order_modulation(masks, apply, X, Y, low=0.0, high=0.5, mode="penalize", players=PLAYERS)
            cross_entropy = optax.softmax_cross_entropy_with_integer_labels(logits, Y)
            return (cross_entropy + modulation).mean(), updated["batch_stats"]

        (loss, statistics_after), gradient = jax.value_and_grad(total, has_aux=True)(params)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), state, statistics_after, loss

    params, statistics = variables["params"], variables["batch_stats"]
    state, losses = optimizer.init(params), []
    for number in range(20):
        params, state, statistics, loss = step(params, state, statistics, jax.random.fold_in(KEY, number))
        losses.append(float(loss))
    assert np.mean(losses[-5:]) < np.mean(losses[:5])


def test_the_weighted_loss_is_the_exact_sum_on_average():
    """Every order and pair of a small game, against its exact interactions."""
    n, orders, weights = 5, [0, 1, 3], np.array([1.0, -0.5, 2.0])
    table = jnp.asarray(np.random.default_rng(3).normal(size=2**n), jnp.float32)

    def apply(inputs):
        return jnp.stack([table[(inputs @ 2.0 ** jnp.arange(n)).astype(int)], jnp.zeros(len(inputs))], 1)

    exact = np.asarray(ij.exact_order_interactions(np.asarray(table)))[:, *np.triu_indices(n, 1)]
    options = {"orders": orders, "weights": weights, "players": ij.Players.features(n), "output": ij.logit}
    x, y = jnp.ones((1000, n)), jnp.zeros(1000, int)
    square = computed(order_weighted, apply, x, y, contexts=2, strength="square", **options)
    wanted = weights @ (exact[orders] ** 2).mean(axis=1)
    assert abs(square.mean() - wanted) < 4 * square.std() / math.sqrt(len(square))
    absolute = computed(order_weighted, apply, x, y, contexts=40, **options)
    wanted = weights @ np.abs(exact[orders]).mean(axis=1)
    assert abs(absolute.mean() - wanted) < 4 * absolute.std() / math.sqrt(len(absolute)) + 0.05 * np.abs(weights).sum()


def test_relative_strengths_weigh_the_profile():
    """v = product of all: only the highest order, so J there is the number of orders."""

    def apply(inputs):
        return jnp.stack([jnp.prod(inputs, axis=1), jnp.zeros(len(inputs))], axis=1)

    found = computed(
        order_weighted,
        apply,
        jnp.ones((30, 4)),
        jnp.zeros(30, int),
        orders=[0, 1, 2],
        weights=[1.0, 1.0, 0.25],
        players=ij.Players.features(4),
        output=ij.logit,
        relative=True,
    )
    assert found.mean() == pytest.approx(0.25 * 3)


@pytest.mark.parametrize(("strength", "contexts"), [("absolute", 1), ("square", 2)])
def test_relative_strengths_are_bounded(strength, contexts):
    """In batches of two, where a mean of squares without bias is often near 0 or below: by the bound that is promised.

    And 0 with a gradient of 0 for a linear network, whose differences are rounding, as for one that is constant.
    """
    players, x, labels = ij.Players.features(6), jnp.ones((2, 6)), jnp.array([1, 1])

    @functools.partial(jax.jit, static_argnums=2)
    @functools.partial(jax.value_and_grad, argnums=0)
    def loss(weights, key, is_linear=False):
        def apply(inputs):
            products = 0.0 if is_linear else jnp.tanh(inputs @ weights) + 0.3 * jnp.prod(inputs[:, :3], axis=1)
            return jnp.stack([jnp.zeros(len(inputs)), inputs @ weights + products], axis=1)

        options = {"players": players, "relative": True, "strength": strength, "contexts": contexts}
        return order_weighted(key, apply, x, labels, orders=[0, 2, 4], weights=[1.0, 0, -1.0], **options).mean()

    start = jax.random.normal(jax.random.key(9), (6,))
    found, gradients = jax.lax.map(lambda key: loss(start, key), jax.random.split(KEY, 300))
    bound = 3 if strength == "absolute" else 3 / math.sqrt(2 / (2 * 1 * 2))
    assert np.abs(found).max() <= bound * (1 + 1e-5)
    assert np.abs(found).max() > 1
    assert np.isfinite(gradients).all()
    assert np.abs(gradients).max() < 1000  # 7,000 where the squares' mean itself divides
    for weights in (start, 0 * start):
        value, gradient = loss(weights, KEY, True)
        assert value == 0
        np.testing.assert_array_equal(gradient, np.zeros(6))


@pytest.mark.parametrize("options", [{}, {"strength": "square", "contexts": 3}, {"relative": True}, {"draws": 2}])
def test_the_weighted_gradient_is_that_of_finite_differences(options):
    with jax.enable_x64(True):
        x = jnp.asarray(np.asarray(X), jnp.float64)
        start = jnp.asarray(np.random.default_rng(1).normal(size=(N, CLASSES)))

        def mean_loss(weights):
            def apply(inputs):
                return jnp.tanh(inputs @ weights) * (inputs @ weights) ** 2

            chosen = {"orders": [0, 5, 10], "weights": [1.0, -1.0, 0.5], "players": PLAYERS}
            return order_weighted(KEY, apply, x, Y, **chosen, **options).mean()

        jax.test_util.check_grads(jax.jit(mean_loss), (start,), order=1, modes=["rev"], eps=1e-6, rtol=1e-6, atol=1e-6)


def test_only_the_given_pairs_are_measured():
    def apply(inputs):
        return jnp.stack([inputs[:, 0] * inputs[:, 1], jnp.zeros(len(inputs))], axis=1)

    options = {"orders": [0], "weights": [1.0], "players": ij.Players.features(4), "output": ij.logit}
    x, y = jnp.ones((20, 4)), jnp.zeros(20, int)
    np.testing.assert_array_equal(computed(order_weighted, apply, x, y, pairs=[(0, 1)], **options), 1.0)
    np.testing.assert_array_equal(computed(order_weighted, apply, x, y, pairs=[(0, 2), (2, 3)], **options), 0.0)


def test_a_batch_holds_every_order_as_often():
    values = computed(
        order_weighted,
        lambda inputs: jnp.stack([jnp.prod(inputs, axis=1), jnp.zeros(len(inputs))], axis=1),
        jnp.ones((9, 4)),
        jnp.zeros(9, int),
        orders=[0, 1, 2],
        weights=[0.0, 0.0, 1.0],
        players=ij.Players.features(4),
        output=ij.logit,
    )
    assert sorted(values.tolist()) == [0.0] * 6 + [3.0] * 3


BAD = [
    ({"low": 0.7, "high": 0.3}, r"0 <= low < high <= 1; got low=0.7, high=0.3"),
    ({"low": 0.5, "high": 0.5}, "0 <= low < high <= 1"),
    ({"low": -0.1}, "0 <= low < high <= 1"),
    ({"high": 1.2}, "0 <= low < high <= 1"),
    ({"high": float("nan")}, "0 <= low < high <= 1"),
    (
        {"low": 0.50, "high": 0.55},
        "low=0.5 and high=0.55 must mean .* of different sizes, got 6 of 12 players for both",
    ),
    ({"mode": "punish"}, "mode must be one of encourage, penalize; got 'punish'"),
    ({"align": "both"}, "align must be one of sizes, fractions"),
    ({"average": "all"}, "average must be one of losses, logits"),
    ({"draws": 0}, "draws must be an integer of at least 1"),
    ({"baseline": np.zeros(5)}, "baseline must be a number, an array of the input's shape"),
    ({"baseline": ij.marginal(np.zeros((2, N)))}, "baseline must be one .* got ij.marginal"),
    ({"players": ij.Players.features(5)}, r"players partition, \(5,\); got \(12,\)"),
    ({"labels": Y[:3]}, r"labels must be class indices, integers of shape \(6,\)"),
    ({"labels": X[:, 0]}, "labels must be class indices"),
    ({"key": 0}, "must be a random key"),
    ({"apply": (lambda params, inputs: inputs, ())}, "a function of inputs alone"),
    ({"apply": lambda inputs: inputs[:, 0]}, r"labels .* 0 to 1, .*one number an input.*; got 2"),
    ({"apply": lambda inputs: inputs[:, :1]}, r"labels .* 0 to 1, .*one number an input.*; got 2"),
    ({"apply": lambda inputs: inputs[:4]}, r"got \(4, 12\)"),
]


@pytest.mark.parametrize(("changed", "message"), BAD)
def test_bad_arguments_are_told(changed, message):
    arguments = {"key": KEY, "apply": MODEL, "x": X, "labels": Y, "low": 0.3, "high": 0.7, "players": PLAYERS}
    with pytest.raises(ValueError, match=message):
        order_modulation(**(arguments | changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": [1.0]}, r"weights must be one for each order, got shape \(1,\)"),
        ({"orders": [0, 0]}, "orders must be distinct"),
        ({"orders": [0, 11]}, r"orders must be context sizes 0..10"),
        ({"orders": [0.5, 0.51]}, "weights must be one for each order"),
        ({"strength": "cube"}, "strength must be one of absolute, square"),
        ({"strength": "square"}, "contexts must be at least 2 for .* got 1"),
        ({"contexts": 0}, "contexts must be an integer of at least 1"),
        ({"pairs": [(0, 1, 2)]}, "pairs must hold two players each, got 3"),
        ({"pairs": [(0, 12)]}, "pairs must hold player numbers 0..11"),
        ({"output": 3}, "output must be one of ij.log_odds"),
        ({"output": lambda label: lambda z: z[label]}, r"it gives a function. It is a function of that, or of \(that"),
    ],
)
def test_bad_arguments_of_the_weighted_loss_are_told(changed, message):
    arguments = {"key": KEY, "apply": MODEL, "x": X, "labels": Y, "players": PLAYERS}
    with pytest.raises(ValueError, match=message):
        order_weighted(**(arguments | {"orders": [0, 4], "weights": [1.0, 1.0]} | changed))
