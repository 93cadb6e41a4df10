"""The losses of networks that take several arrays, and of those that give one number: as of one array, and of two."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax.losses import order_modulation, order_weighted
from interjax.losses._modulation import nested_coalitions

KEY = jax.random.key(5)
N = 12
PLAYERS = ij.Players.features(N)
RANDOM = np.random.default_rng(0)
X = jnp.asarray(RANDOM.normal(size=(6, N)), jnp.float32)
LABELS = jnp.array([0, 1, 1, 0, 1, 0])
Y = jnp.asarray(RANDOM.normal(size=6), jnp.float32)
PARTS = {"first": X[:, :5], "mask": jnp.arange(18.0).reshape(6, 3), "second": (X[:, 5:].reshape(6, 7, 1),)}
OF_PARTS = {"first": ij.Players.features(5), "second": (ij.Players.segments(np.arange(7)[:, None]),)}
WEIGHTED = {"orders": [0, 5, 10], "weights": [1.0, -0.5, 0.25], "contexts": 2, "draws": 2}
MODULATED = [("encourage", 0.3, 0.7), ("penalize", 0.0, 0.5), ("penalize", 0.7, 1.0)]


def one(x):
    return jnp.tanh(x @ jnp.linspace(-1, 1, N)) + x[:, 0] * x[:, 1] * x[:, 7]


def two(x):
    return jnp.stack([jnp.zeros(len(x)), one(x)], axis=1)


def of_parts(network):
    """The network of one array as one of several, whose mask must come as it was."""

    def called(parts):
        whole = jnp.concatenate([parts["first"], parts["second"][0][..., 0]], axis=1)
        own = jnp.repeat(PARTS["mask"], len(whole) // 6, axis=0)
        return network(whole) + jnp.sum((parts["mask"] - own) ** 2)

    return called


def computed(loss, apply, x, labels, **options):
    """As a training step computes it, compiled."""
    return np.asarray(jax.jit(lambda key, x, y: loss(key, apply, x, y, **options))(KEY, x, labels))


@pytest.mark.parametrize(("mode", "low", "high"), MODULATED)
def test_modulation_of_several_arrays_is_that_of_one(mode, low, high):
    options = {"mode": mode, "low": low, "high": high, "draws": 2}
    whole = computed(order_modulation, two, X, LABELS, players=PLAYERS, baseline=0.5, **options)
    parts = computed(order_modulation, of_parts(two), PARTS, LABELS, players=OF_PARTS, baseline=0.5, **options)
    np.testing.assert_allclose(parts, whole, rtol=1e-5)


def test_weighted_orders_of_several_arrays_are_those_of_one():
    whole = computed(order_weighted, two, X, LABELS, players=PLAYERS, **WEIGHTED)
    parts = computed(order_weighted, of_parts(two), PARTS, LABELS, players=OF_PARTS, **WEIGHTED)
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-6)
    assert np.abs(whole).min() > 0


@pytest.mark.parametrize("column", [False, True])
@pytest.mark.parametrize(("mode", "low", "high"), MODULATED)
def test_one_output_is_the_logit_of_class_1(mode, low, high, column):
    network = (lambda x: one(x)[:, None]) if column else one
    options = {"mode": mode, "low": low, "high": high, "players": PLAYERS, "average": "logits", "draws": 2}
    found = computed(order_modulation, network, X, LABELS, **options)
    np.testing.assert_array_equal(found, computed(order_modulation, two, X, LABELS, **options))


def test_weighted_orders_of_one_output():
    """Its log-odds for classes, of which class 0 has the negative; the number itself for numbers to predict."""
    found = computed(order_weighted, one, X, LABELS, players=PLAYERS, **WEIGHTED)
    np.testing.assert_allclose(found, computed(order_weighted, two, X, LABELS, players=PLAYERS, **WEIGHTED), rtol=1e-4)
    itself = computed(order_weighted, one, X, Y, players=PLAYERS, **WEIGHTED)
    np.testing.assert_allclose(itself, found, rtol=1e-4)  # |I| is the same of either sign
    unlabelled = jax.jit(lambda key, x: order_weighted(key, one, x, players=PLAYERS, **WEIGHTED))(KEY, X)
    np.testing.assert_array_equal(unlabelled, itself)


def test_weighted_orders_of_what_a_function_reads():
    both = lambda x: {"mean": one(x), "log": x[:, :2]}  # noqa: E731
    whole = computed(order_weighted, one, X, Y, players=PLAYERS, **WEIGHTED)
    options = {"players": PLAYERS, **WEIGHTED}
    read = computed(order_weighted, both, X, Y, output=lambda given: given["mean"], **options)
    np.testing.assert_array_equal(read, whole)
    scaled = computed(order_weighted, both, X, Y, output=lambda given, y: y * given["mean"], **options)
    np.testing.assert_allclose(scaled, np.abs(Y) * whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("average", ["losses", "logits"])
@pytest.mark.parametrize("align", ["sizes", "fractions"])
@pytest.mark.parametrize(("mode", "low", "high"), MODULATED)
def test_modulation_in_a_regression(mode, low, high, align, average):
    """Against the formula in NumPy."""
    options = {"mode": mode, "low": low, "high": high, "align": align, "average": average, "draws": 3}
    found = computed(order_modulation, one, X, Y, players=PLAYERS, baseline=0.5, task="regression", **options)
    sizes = int(low * N + 1e-9), int(high * N + 1e-9)
    masks = np.asarray(nested_coalitions(KEY, len(X), N, sizes, draws=3))
    values = np.asarray(one(jnp.where(masks, X[:, None, None], 0.5).reshape(-1, N))).reshape(masks.shape[:3])
    ratio = (sizes[1] / sizes[0] if align == "sizes" else high / low) if sizes[0] else 1.0
    change = values[..., 1] - ratio * values[..., 0]
    wanted = np.asarray(Y)[:, None] if mode == "encourage" else 0.0
    if average == "logits":
        change = change.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(found, np.mean((change - wanted) ** 2, axis=1), rtol=1e-4)


def test_gradients_flow_to_a_regression():
    def mean(weights):
        apply = lambda x: x @ weights  # noqa: E731
        options = {"mode": "penalize", "low": 0.0, "high": 0.5, "players": PLAYERS, "task": "regression"}
        return order_modulation(KEY, apply, X, Y, **options).mean()

    weights = jnp.linspace(-1, 1, N)
    gradient = jax.grad(mean)(weights)
    step = 1e-2 * gradient / jnp.linalg.norm(gradient)
    np.testing.assert_allclose(
        (mean(weights + step) - mean(weights - step)) / 2e-2, jnp.linalg.norm(gradient), rtol=1e-3
    )


BAD = [
    (order_modulation, {"labels": Y}, "labels must be class indices"),
    (order_modulation, {"task": "prediction"}, "task must be"),
    (order_modulation, {"task": "regression", "apply": two}, "apply must give one number an input"),
    (order_modulation, {"task": "regression", "labels": Y[:3]}, "labels must be real numbers to predict"),
    (order_modulation, {"labels": LABELS + 1}, "labels must be class indices from 0 to 1.*got 2"),
    (order_modulation, {"x": PARTS}, "players must name the arrays of x"),
    (order_modulation, {"x": PARTS, "players": {"third": PLAYERS}}, "players must be a dict whose keys"),
    (order_modulation, {"x": PARTS, "players": {"first": PLAYERS}}, "x\\['first'\\] must have the shape"),
    (order_modulation, {"x": PARTS | {"mask": X[:3]}, "players": OF_PARTS}, "one row for each input"),
    (order_modulation, {"apply": lambda x: {"a": one(x)}}, "apply must turn 12 inputs into logits"),
    (order_weighted, {"labels": Y, "apply": two}, "labels must be class indices"),
    (order_weighted, {"labels": None, "apply": two}, "labels must be the class of each input"),
    (order_weighted, {"labels": None, "output": lambda z, y: z * y}, "there are no labels"),
    (order_weighted, {"apply": lambda x: jnp.zeros((3, 2))}, "apply must give one row of outputs"),
]


@pytest.mark.parametrize(("loss", "changed", "message"), BAD)
def test_what_does_not_fit_is_told(loss, changed, message):
    given = {"apply": one, "x": X, "labels": LABELS, "players": PLAYERS} | changed
    own = {"orders": [0, 1], "weights": [1.0, 1.0]} if loss is order_weighted else {"low": 0.3, "high": 0.7}
    with pytest.raises(ValueError, match=message):
        loss(KEY, **given, **own)


@pytest.mark.parametrize("strength", ["absolute", "square"])
def test_relative_strengths_of_what_rounding_makes_of_large_logits_are_0(strength):
    """Log-odds of logits that share a large constant are off by its last digit, though they are small themselves."""
    weights = jnp.asarray(RANDOM.normal(size=(N, 2)), jnp.float32)
    options = {"orders": [0, 5], "weights": [1.0, 1.0], "players": PLAYERS, "relative": True, "contexts": 3}
    for constant in (0.0, 100.0, 1e4):
        network = lambda x: x @ weights + constant  # noqa: B023, E731
        found = computed(order_weighted, network, X, LABELS, strength=strength, **options)
        np.testing.assert_array_equal(found, 0.0)
