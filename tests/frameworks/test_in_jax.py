"""Networks of other frameworks on JAX: values of the framework itself, evaluated; one program for all weights."""

import jax
import numpy as np
import pytest
from support.framework_cases import IN_JAX, N_INPUTS, ONE_EACH, X, equinox_with_state, keras

import interjax as ij
from interjax.games._models import as_apply, trained_leaves

MASKS = (np.arange(2**N_INPUTS)[:, None] >> np.arange(N_INPUTS)) & 1 == 1
BASELINE = np.full(N_INPUTS, 0.25, np.float32)
FILLED = np.where(MASKS, X, BASELINE)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def _as_users_have_it():
    with jax.numpy_rank_promotion("allow"):
        yield


def table(network, x, label):
    players = ij.Players.features(N_INPUTS)
    return ij.tabulate(ij.masked_game(network, x, players=players, baseline=BASELINE, output=ij.logit(label)))


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.slow] * (each not in ONE_EACH)) for each in IN_JAX]
)
def test_values_are_those_of_the_framework_and_a_second_game_compiles_nothing(name, compilations):
    (network, forward), (other, other_forward) = IN_JAX[name](0), IN_JAX[name](1)
    expected, others = np.asarray(forward(FILLED)), np.asarray(other_forward(np.where(MASKS, 2 * X, BASELINE)))
    classes = expected.argmax(axis=1)

    np.testing.assert_allclose(table(network, X, 1), expected[:, 1], rtol=1e-4, atol=1e-5)
    assert ij.training.accuracy(network, FILLED, classes) == 1.0
    del compilations[:]
    assert not np.allclose(table(network, 2 * X, 1), expected[:, 1])
    np.testing.assert_allclose(table(other, 2 * X, 0), others[:, 0], rtol=1e-4, atol=1e-5)
    ij.training.accuracy(other, FILLED, classes)
    assert not compilations


def test_running_statistics_are_not_differentiated():
    network, _ = equinox_with_state(0)
    _, params = as_apply(network, X[None])
    leaves = zip(jax.tree.leaves(params), trained_leaves(network, params), strict=True)
    shapes = sorted(np.shape(leaf) for leaf, is_trained in leaves if is_trained)
    assert shapes == sorted([(8, 5), (8,), (8,), (8,), (3, 8), (3,)])  # two layers, scale and shift


@pytest.mark.slow
def test_a_game_of_a_keras_model_is_a_snapshot():
    network, _ = keras(0)
    game = ij.masked_game(network, X, players=ij.Players.features(N_INPUTS), output=ij.logit(0))
    before = ij.tabulate(game)
    network.compile("sgd", "mse")
    network.fit(FILLED, np.ones((len(FILLED), 3)), verbose=0)
    np.testing.assert_array_equal(ij.tabulate(game), before)
