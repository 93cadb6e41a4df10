"""What arithmetic cannot tell is not told: the rounding of values enters every error, and below it J is undefined."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij

KEY = jax.random.key(0)
OFFSET = np.float32(1e5)
RANDOM = np.random.default_rng(0)
WIDE, NARROW = (RANDOM.normal(size=shape).astype(np.float32) for shape in ((64, 16), (16, 3)))


def linear(weights, x):
    first, second = weights
    return (x.reshape(len(x), -1) @ first) @ second


@pytest.mark.parametrize("fold", [None, False])
@pytest.mark.parametrize("contexts", [10, 100])
def test_a_linear_network_has_no_profile(fold, contexts):
    x = RANDOM.normal(size=(3, 8, 8, 1)).astype(np.float32)
    games = ij.masked_games(
        (linear, (WIDE, NARROW)), x, [0, 1, 2], players=ij.Players.grid((8, 8, 1), (8, 8)), output=ij.logit, fold=fold
    )
    with pytest.warns(UserWarning, match="within what rounding makes of the values"):
        found = ij.order_profile(KEY, games, contexts=contexts, exact=False)
    assert np.isnan(found.strength).all()
    assert np.isnan(found.stderr).all()
    np.testing.assert_array_less(found.magnitude, 3 * found.magnitude_stderr)


@pytest.mark.parametrize("shape", [lambda m: 0.1 * m.sum(), lambda m: jnp.tanh(m.sum() / 3.0)])
def test_a_large_constant_hides_what_is_small(shape):
    game = ij.Game.from_function(lambda m: 1e6 + shape(m), 12)
    with pytest.warns(UserWarning, match="within what rounding makes of the values"):
        assert np.isnan(ij.order_profile(KEY, game, exact=False).strength).all()
    table = np.asarray([float(shape(jnp.asarray(row))) for row in np.arange(2**12)[:, None] >> np.arange(12) & 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nothing interacts where it is linear
        truth = ij.exact_order_interactions(table)
    found = ij.order_interactions(KEY, game, orders=[0, 10], exact=False)
    error = np.abs(found.mean - truth[[0, 10]][:, *found.pairs.T])
    assert np.all(error <= 2 * found.stderr)
    assert error.max() > 1e-3  # at orders whose contexts were all evaluated


def test_float64_tells_what_float32_does_not():
    game = ij.Game.from_host(lambda masks: 1e6 + np.tanh(masks.sum(axis=1) / 3.0), 12)
    assert np.isfinite(ij.order_profile(KEY, game, exact=False).strength).all()


@pytest.mark.parametrize("method", ["blocks", "quadruples", "regression"])
def test_interactions_within_rounding_have_errors_of_its_size(method):
    game = ij.Game.from_function(lambda m: 1000.0 + m.sum() * 0.1, 10)
    found = ij.order_interactions(KEY, game, contexts=6, method=method, exact=False)
    resolution = 2 * np.finfo(np.float32).eps * 1000
    assert np.all(found.stderr >= 0.99 * resolution)
    assert np.all(np.abs(found.mean) <= 2 * found.stderr)


def test_rounding_leaves_a_clear_profile_alone():
    found = ij.order_profile(KEY, ij.Game.from_function(lambda m: jnp.prod(m * 1.0), 6), exact=False)
    np.testing.assert_array_equal(found.strength, [0, 0, 0, 0, 5])
    assert found.stderr.max() < 1e-5


def test_what_is_kept_of_rounding_resumes(tmp_path):
    game = ij.Game.from_function(lambda m: 1e6 + jnp.tanh(m.sum() / 3.0), 8)
    for _ in range(2):
        with pytest.warns(UserWarning, match="within what rounding"):
            assert np.isnan(ij.order_profile(KEY, game, folder=tmp_path, exact=False).strength).all()


@pytest.mark.parametrize("from_function", [True, False])
def test_values_in_bfloat16_have_its_rounding(from_function):
    """A linear network in bfloat16: its interactions are rounding, and every error says so."""
    weights = jnp.linspace(0.1, 1.0, 16).reshape(8, 2).astype(jnp.bfloat16)

    def network(x):
        return jnp.bfloat16(10) + x.astype(jnp.bfloat16) @ weights

    if from_function:
        game = ij.Game.from_function(lambda m: network(m[None].astype(jnp.float32))[0, 0], 8)
    else:
        players = ij.Players.features(8)
        game = ij.masked_game(network, np.ones(8, np.float32), players=players, output=lambda z: z[0])
    with pytest.warns(UserWarning, match="within what rounding makes of the values"):
        assert np.isnan(ij.order_profile(KEY, game, contexts=20, exact=False).strength).all()
    found = ij.order_interactions(KEY, game, contexts=20, exact=False)
    assert np.all(np.abs(found.mean) <= 4 * found.stderr)


def test_single_precision_handed_over_as_double_is_known():
    steps = np.linspace(0.1, 1, 8).astype(np.float32)
    game = ij.Game.from_host(lambda masks: (np.float32(1e4) + masks.astype(np.float32) @ steps).astype(np.float64), 8)
    with pytest.warns(UserWarning, match="within what rounding makes of the values"):
        assert np.isnan(ij.order_profile(KEY, game, contexts=20, exact=False).strength).all()
    found = ij.order_interactions(KEY, game, contexts=20, exact=False)
    assert np.all(np.abs(found.mean) <= 4 * found.stderr)


@pytest.mark.parametrize("double", [lambda m: m.sum(1) * 1.0, lambda m: np.tanh(m.sum(1)), lambda m: m[:, 0] * 0.5])
def test_double_precision_and_counts_are_not_taken_for_single(double):
    game = ij.Game.from_host(double, 8)
    assert ij.order_interactions(KEY, game, contexts=5, exact=False).stderr[0].max() < 1e-12


SMALL = NARROW[:8]
LINEAR = {
    "logits with an offset": lambda x: x @ SMALL * 0.01 + OFFSET,
    "hidden layers in bfloat16": lambda x: (x.astype(jnp.bfloat16) @ SMALL.astype(jnp.bfloat16)).astype(jnp.float32),
    "sums that cancel": lambda x: (x @ SMALL + OFFSET) - OFFSET,
    "units that are always on": lambda x: jax.nn.relu(x @ SMALL * 0.1 + 3000),
    "columns as they were measured": lambda x: (x + 1000) @ SMALL - (1000 * SMALL.sum(axis=0))[None],
}


@pytest.mark.parametrize("network", LINEAR.values(), ids=LINEAR)
@pytest.mark.parametrize("method", ["blocks", "quadruples", "regression"])
def test_rounding_that_the_values_do_not_show_has_errors_of_its_size(network, method):
    """Differences of two logits of a linear network: without interactions, whatever the numbers inside."""
    x = RANDOM.normal(size=(2, 8)).astype(np.float32)
    games = ij.masked_games(network, x, [0, 1], players=ij.Players.features(8), output=lambda z, label: z[label] - z[2])
    for game in games:
        found = ij.order_interactions(KEY, game, contexts=20, method=method, exact=False)
        assert np.all(np.abs(found.mean) <= 5 * found.stderr)
    if method != "regression":
        with pytest.warns(UserWarning, match="within what rounding makes|no measured pair"):
            assert np.isnan(ij.order_profile(KEY, games, contexts=20, method=method, exact=False).strength).all()


@pytest.mark.parametrize("method", ["blocks", "quadruples", "regression"])
def test_values_that_are_off_alike_in_all_contexts(method):
    """Counts in single precision: a size's values are all off by as much, and no mean over contexts tells it."""
    game = ij.Game.from_function(lambda m: 1e4 + 0.1 * m.sum(), 14)
    found = ij.order_interactions(KEY, game, contexts=30, method=method, exact=False)
    assert np.abs(found.mean).max() > 1e-4
    assert np.all(np.abs(found.mean) <= 2 * found.stderr)
    if method != "regression":
        with pytest.warns(UserWarning, match="within what rounding makes of the values"):
            profile = ij.order_profile(KEY, game, contexts=30, method=method, exact=False)
        assert np.isnan(profile.strength).all()
