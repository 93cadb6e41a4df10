"""The complexity of layers: which are measured, what is refused, and that a killed measurement resumes."""

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from support.running import Killed, kill_at

import interjax as ij
from interjax import representations

KEY = jax.random.key(0)
N = 256


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(int) + 2 * (x[:, 1] > 0)


@pytest.fixture(scope="module")
def network():
    return ij.networks.build("quantised_mlp", (4,), 4, hidden=(6, 3, 1), levels=4)


class Unquantised(nnx.Module):
    """A user's network without quantisers."""

    def __init__(self, rngs):
        self.first = nnx.Linear(4, 3, rngs=rngs)

    def __call__(self, x):
        return jnp.tanh(self.first(x))


class OfLinen(flax.linen.Module):
    @flax.linen.compact
    def __call__(self, x):
        return flax.linen.Dense(2)(x)


def test_a_layer_is_measured_as_its_symbols_are(network, data):
    x, labels = data
    found = representations.layer_complexity(KEY, network, x, labels, layers="quantisers.1", resamples=2)
    symbols = np.asarray(ij.representations.activations(network, x, layers="quantisers.1")["quantisers.1"])
    expected = ij.pid.representational_complexity(symbols, labels, key=KEY, resamples=2)
    assert found["quantisers.1"].value == pytest.approx(expected.value, abs=1e-12)
    assert found["quantisers.1"].null_complexity == pytest.approx(expected.null_complexity, abs=1e-12)


def test_wide_layers_are_measured_by_subsets_and_single_neurons_left_out(network, data):
    with pytest.warns(UserWarning, match=r"quantisers.2 has one neuron"):
        found = representations.layer_complexity(KEY, network, *data, size=3, count=4, resamples=0)
    assert list(found) == ["quantisers.0", "quantisers.1"]
    assert isinstance(found["quantisers.0"], ij.pid.SubsetComplexity)
    assert found["quantisers.0"].subsets.shape == (4, 3)
    assert isinstance(found["quantisers.1"], ij.pid.Complexity)


def test_symbols_are_the_distinct_values(network, data):
    symbols = representations.layer_symbols(network, data[0], layers="quantisers.1")["quantisers.1"]
    values = representations.activations(network, data[0], layers="quantisers.1")["quantisers.1"]
    assert symbols.max() <= 3
    for codes, column in zip(symbols.T, values.T, strict=True):
        assert len(np.unique(np.stack([codes, column]), axis=1).T) == len(np.unique(codes)) == len(np.unique(column))


def test_functions_reach_layers_for_symbols_and_complexity(network, data):
    """Signs of inputs, of which the class is made: all of its information is in the first two."""
    reached = {"own": lambda model, x: jnp.asarray(x)[:, :3] > 0, "first two": lambda model, x: x[:, :2] > 0}
    found = representations.layer_symbols(network, data[0], layers=reached)
    np.testing.assert_array_equal(found["own"], data[0][:, :3] > 0)
    own = representations.layer_complexity(KEY, network, *data, layers={"both": reached["first two"]}, resamples=2)
    assert own["both"].information == pytest.approx(ij.pid.entropy(data[1]))  # the class is which of the two are > 0


@pytest.mark.parametrize("kind", ["nnx", "linen"])
def test_an_unquantised_network_needs_levels_and_a_layer(kind, data):
    if kind == "nnx":
        model, layer = Unquantised(nnx.Rngs(0)), "first"
    else:
        module = OfLinen()
        model, layer = (module, module.init(KEY, jnp.zeros((1, 4)))), "Dense_0"
    with pytest.raises(ValueError, match="has no quantisers: name the layers and give levels="):
        representations.layer_symbols(model, data[0])
    x = np.random.default_rng(1).normal(size=(400, 4))
    with pytest.raises(ValueError, match="is not quantised: a neuron has more than 256 distinct values"):
        representations.layer_symbols(model, x, layers=layer)
    with pytest.warns(UserWarning, match="quantised to 5 levels after training"):
        found = representations.layer_symbols(model, x, layers=layer, levels=5)
    assert set(np.unique(found[layer])) == set(range(5))
    with pytest.raises(ValueError, match="outside the limits"):
        representations.layer_symbols(model, 100 * x, layers=layer, levels=5, limits=(-1, 1))


def test_activations_that_are_not_finite_are_refused(network, data):
    x = data[0].copy()
    x[3, 0] = np.nan
    with pytest.raises(ValueError, match=r"x must be finite, got .* entries that are NaN"):
        representations.layer_complexity(KEY, network, x, data[1], layers="quantisers.1")


def test_dynamics_hold_what_each_checkpoint_gives(data):
    networks = {
        step: ij.networks.build("quantised_mlp", (4,), 4, hidden=(6, 3), levels=4, seed=step) for step in (0, 5)
    }
    how = {"size": 3, "count": 4, "resamples": 2}
    found = representations.checkpoint_complexity(KEY, networks, *data, **how)
    assert found.steps.tolist() == [0, 5]
    assert found.layers == ("quantisers.0", "quantisers.1")
    of_last = representations.layer_complexity(KEY, networks[5], *data, **how)
    assert found.complexity[1] == pytest.approx([each.value for each in of_last.values()], abs=1e-12)
    assert found.stderr[1] == pytest.approx([each.stderr for each in of_last.values()], abs=1e-12)
    assert found.freedom.tolist() == [[3, 1]] * 2  # of four subsets, and of a pair of halves
    assert found.by_degree[1, 1].sum() == pytest.approx(found.information[1, 1])
    assert found.reliable[1].tolist() == [each.reliable for each in of_last.values()]
    symbols = representations.layer_symbols(networks[5], data[0], layers="quantisers.1")["quantisers.1"]
    invariants = ij.pid.shannon_invariants(symbols, data[1], resamples=0)
    assert found.redundancy[1, 1] == pytest.approx(invariants.redundancy)
    assert found.vulnerability[1, 1] == pytest.approx(invariants.vulnerability)


def test_a_killed_measurement_resumes_and_refuses_others(data, tmp_path):
    networks = {
        step: ij.networks.build("quantised_mlp", (4,), 4, hidden=(3,), levels=4, seed=step) for step in (1, 2, 3)
    }
    how = {"resamples": 0, "folder": tmp_path / "kept"}
    with pytest.raises(Killed):
        representations.checkpoint_complexity(KEY, networks, *data, progress=kill_at(2), **how)
    assert len(list((tmp_path / "kept").glob("step*.npz"))) == 2
    resumed = representations.checkpoint_complexity(KEY, networks, *data, **how)
    anew = representations.checkpoint_complexity(KEY, networks, *data, resamples=0)
    np.testing.assert_array_equal(resumed.complexity, anew.complexity)
    resumed.save(tmp_path / "dynamics.npz")
    loaded = representations.ComplexityDynamics.load(tmp_path / "dynamics.npz")
    np.testing.assert_array_equal(loaded.by_degree, anew.by_degree)
    assert loaded.layers == anew.layers
    with pytest.raises(ValueError, match="other settings"):
        representations.checkpoint_complexity(jax.random.key(1), networks, *data, **how)
    with pytest.raises(ValueError, match="other weights at step 1"):
        representations.checkpoint_complexity(KEY, {1: networks[2]}, *data, **how)


@pytest.mark.parametrize("name", ["resamples", "steps"])
def test_bad_options_are_refused(name, data):
    networks = {1: ij.networks.build("quantised_mlp", (4,), 4, hidden=(3,), levels=4)}
    wrong = {"resamples": 3} if name == "resamples" else {"steps": [2]}
    with pytest.raises(ValueError, match=name):
        representations.checkpoint_complexity(KEY, networks, *data, **wrong)


def test_layers_of_single_neurons_have_no_dynamics(network, data):
    with pytest.raises(ValueError, match=r"layers of more than one neuron, got quantisers.2"):
        representations.checkpoint_complexity(KEY, {1: network}, *data, layers="quantisers.2")
