"""Activations of networks that take several arrays are those of the same network of one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import interjax as ij
from interjax.representations import activations

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(11, 6)).astype(np.float32)
PARTS = {"table": X[:, :2], "image": (X[:, 2:].reshape(11, 2, 2),)}


def joined(parts):
    return jnp.concatenate([parts["table"], parts["image"][0].reshape(len(parts["table"]), -1)], axis=1)


class OfParts(nnx.Module):
    def __init__(self, network):
        self.network = network

    def __call__(self, parts):
        return self.network(joined(parts))


class LinenOfParts(linen.Module):
    @linen.compact
    def __call__(self, parts):
        return linen.Dense(3, name="head")(jnp.tanh(joined(parts)))


def test_layers_of_a_network_of_several_arrays():
    network = ij.networks.build("mlp", (6,), 3, hidden=(5,))
    whole = activations(network, X, batch_size=4)
    found = activations(OfParts(network), PARTS, batch_size=4)
    np.testing.assert_allclose(found["output"], whole["output"], rtol=1e-6)
    np.testing.assert_allclose(found["network.layers.0"], whole["layers.0"], rtol=1e-6)
    by_function = activations(OfParts(network), PARTS, layers={"sum": lambda model, parts: joined(parts).sum(axis=1)})
    np.testing.assert_allclose(by_function["sum"], X.sum(axis=1), rtol=1e-5)


def test_layers_of_a_linen_network_of_several_arrays():
    module = LinenOfParts()
    variables = module.init(jax.random.key(0), PARTS)
    found = activations((module, variables), PARTS, layers=["head", "output"])
    wanted = np.tanh(X) @ np.asarray(variables["params"]["head"]["kernel"])
    np.testing.assert_allclose(found["head"], wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["head"], found["output"])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ({}, "x must hold at least one array"),
        (PARTS | {"table": X[:3, :2]}, "x must be arrays of one row for each input"),
        (PARTS | {"table": "some"}, r"x\['table'\] must be"),
        ({"table": X[:0, :2], "image": (X[:0, 2:].reshape(0, 2, 2),)}, "at least one"),
        ({"table": X}, "fails on inputs x of shape"),
    ],
)
def test_what_does_not_fit_is_told(x, message):
    with pytest.raises(ValueError, match=message):
        activations(OfParts(ij.networks.build("mlp", (6,), 3)), x)
