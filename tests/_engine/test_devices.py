"""The same numbers on any number of devices: rows are spread over a mesh."""

import jax
import numpy as np
import pytest
from flax import nnx

import interjax as ij

X = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype(np.float32)


def mesh_of(count):
    return jax.sharding.Mesh(np.array(jax.devices()[:count]), ("rows",))


@pytest.fixture(scope="module")
def games():
    network = ij.networks.build("mlp", (6, 6, 1), 3, hidden=(16,), dropout=0.5)
    players = ij.Players.grid((6, 6, 1), (3, 3))
    return {fold: ij.masked_games(network, X, [0, 1], players=players, fold=fold) for fold in (True, False)}


def test_there_are_eight_devices():
    assert len(jax.devices()) == 8


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("method", ["blocks", "quadruples"])
def test_interactions_are_the_same_on_any_number_of_devices(games, devices, fold, method):
    settings = {"orders": [0, 3, 7], "contexts": 6, "method": method}
    alone = ij.order_interactions(jax.random.key(0), games[fold][0], **settings, exact=False)
    spread = ij.order_interactions(
        jax.random.key(0), games[fold][0], mesh=mesh_of(devices), batch_size=16, **settings, exact=False
    )
    np.testing.assert_allclose(spread.mean, alone.mean, atol=2e-5)
    np.testing.assert_allclose(spread.stderr, alone.stderr, atol=2e-5)
    assert spread.n_forwards == alone.n_forwards


@pytest.mark.parametrize("devices", [2, 8])
def test_the_profile_is_the_same_on_any_number_of_devices(games, devices):
    alone = ij.order_profile(jax.random.key(0), games[True], contexts=5, exact=False)
    spread = ij.order_profile(jax.random.key(0), games[True], contexts=5, mesh=mesh_of(devices), exact=False)
    np.testing.assert_allclose(spread.strength, alone.strength, rtol=1e-3)


@pytest.mark.parametrize(
    ("shape", "axes"), [((2,), ("inputs",)), ((2, 4), ("inputs", "rows")), ((4, 2), ("rows", "inputs"))]
)
def test_slices_of_a_mesh_measure_different_inputs(games, shape, axes, tmp_path):
    seen = []
    mesh = jax.sharding.Mesh(np.array(jax.devices()[: np.prod(shape)]).reshape(shape), axes)
    settings = {"contexts": 5, "folder": tmp_path, "progress": lambda made, expected: seen.append(made)}
    alone = ij.order_profile(jax.random.key(0), games[True], contexts=5, exact=False)
    spread = ij.order_profile(jax.random.key(0), games[True], mesh=mesh, **settings, exact=False)
    np.testing.assert_allclose(spread.by_input, alone.by_input, atol=2e-5)
    assert seen == sorted(seen)
    assert seen[-1] == alone.n_forwards


def test_an_input_that_fails_on_one_slice_ends_the_others(games):
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("inputs",))

    def progress(made, expected):
        raise KeyError("stop here")

    with pytest.raises(KeyError, match="stop here"):
        ij.order_profile(jax.random.key(0), games[True], contexts=5, mesh=mesh, progress=progress, exact=False)


def test_a_mesh_of_explicit_axes_works_as_well(games):
    alone = ij.order_interactions(jax.random.key(0), games[True][0], orders=[3], contexts=4, exact=False)
    spread = ij.order_interactions(
        jax.random.key(0), games[True][0], orders=[3], contexts=4, mesh=jax.make_mesh((8,), ("rows",)), exact=False
    )
    np.testing.assert_allclose(spread.mean, alone.mean, atol=2e-5)


@pytest.mark.parametrize("devices", [1, 2, 4, 8])
@pytest.mark.parametrize("fold", [True, False])
def test_tables_are_the_same_on_any_number_of_devices(games, devices, fold):
    alone = ij.tabulate(games[fold][0])
    for batch_size in (None, 5):
        spread = ij.tabulate(games[fold][0], mesh=mesh_of(devices), batch_size=batch_size)
        np.testing.assert_allclose(spread, alone, atol=2e-5)


def test_a_mesh_of_several_axes_is_one_list_of_devices(games):
    mesh = jax.sharding.Mesh(np.array(jax.devices()).reshape(2, 4), ("hosts", "rows"))
    alone = ij.order_interactions(jax.random.key(0), games[True][0], orders=[3], contexts=4, exact=False)
    spread = ij.order_interactions(jax.random.key(0), games[True][0], orders=[3], contexts=4, mesh=mesh, exact=False)
    np.testing.assert_allclose(spread.mean, alone.mean, atol=2e-5)


def test_a_host_game_ignores_the_mesh():
    game = ij.Game.from_table(np.arange(16.0) ** 2)
    alone, spread = (
        ij.order_interactions(jax.random.key(0), game, mesh=mesh, exact=False) for mesh in (None, mesh_of(4))
    )
    np.testing.assert_array_equal(alone.mean, spread.mean)


def test_what_is_no_mesh_is_refused(games):
    with pytest.raises(ValueError, match="mesh"):
        ij.order_interactions(jax.random.key(0), games[True][0], mesh=8, exact=False)


def test_networks_with_batch_statistics_and_dropout_streams_can_be_spread():
    class Network(nnx.Module):
        def __init__(self, rngs):
            self.norm, self.last = nnx.BatchNorm(36, rngs=rngs), nnx.Linear(36, 2, rngs=rngs)
            self.dropout = nnx.Dropout(0.5, rngs=rngs)

        def __call__(self, x):
            return self.last(self.dropout(self.norm(x.reshape(len(x), -1))))

    game = ij.masked_game(Network(nnx.Rngs(0)), X[0], players=ij.Players.grid((6, 6, 1), (3, 3)))
    alone, spread = (
        ij.order_interactions(jax.random.key(0), game, orders=[2], contexts=4, mesh=mesh, exact=False)
        for mesh in (None, mesh_of(8))
    )
    np.testing.assert_allclose(spread.mean, alone.mean, atol=2e-5)
