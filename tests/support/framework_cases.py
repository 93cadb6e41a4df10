"""Networks of other frameworks, in training mode where they have one, beside what the framework itself computes.

A case is a function of a seed: (network, forward), where forward maps inputs (batch, 5) in NumPy to outputs in
evaluation mode, one way or another without interjax. Networks of one case have one architecture.
"""

import os

import numpy as np
import pytest

N_INPUTS, N_CLASSES = 5, 3
X = np.linspace(-1.5, 2.0, N_INPUTS).astype(np.float32)
MEAN, VARIANCE = np.linspace(-0.3, 0.3, 8).astype(np.float32), np.linspace(0.5, 1.5, 8).astype(np.float32)


def equinox_with_state(seed):
    eqx, jax = pytest.importorskip("equinox"), pytest.importorskip("jax")

    class Network(eqx.Module):
        first: eqx.nn.Linear
        norm: eqx.nn.BatchNorm
        dropout: eqx.nn.Dropout
        last: eqx.nn.Linear

        def __init__(self, key):
            self.first = eqx.nn.Linear(N_INPUTS, 8, key=key)
            self.norm = eqx.nn.BatchNorm(8, "batch", mode="batch")
            self.dropout = eqx.nn.Dropout(0.5)
            self.last = eqx.nn.Linear(8, N_CLASSES, key=jax.random.fold_in(key, 1))

        def __call__(self, x, state, key):
            x, state = self.norm(self.first(x), state)
            return self.last(self.dropout(jax.nn.relu(x), key=key)), state

    module, state = eqx.nn.make_with_state(Network)(jax.random.key(seed))
    index = module.norm.batch_state_index
    state = state.set(index, (jax.numpy.asarray(MEAN), jax.numpy.asarray(VARIANCE)))
    evaluated = eqx.nn.inference_mode(module)
    return (module, state), lambda inputs: np.stack([evaluated(x, state, None)[0] for x in inputs])


def equinox(seed, wrapped=lambda eqx, module: module):
    eqx, jax = pytest.importorskip("equinox"), pytest.importorskip("jax")
    keys = jax.random.split(jax.random.key(seed))
    layers = [eqx.nn.Linear(N_INPUTS, 8, key=keys[0]), eqx.nn.Lambda(lambda x: jax.numpy.tanh(x)), eqx.nn.Dropout(0.5)]
    module = eqx.nn.Sequential([*layers, eqx.nn.Linear(8, N_CLASSES, key=keys[1])])
    evaluated = eqx.nn.inference_mode(module)
    return wrapped(eqx, module), lambda inputs: np.stack([evaluated(x) for x in inputs])


def equinox_mapped(seed):
    return equinox(seed, lambda eqx, module: eqx.filter_jit(eqx.filter_vmap(module)))


def haiku_with_state(seed):
    hk, jax = pytest.importorskip("haiku"), pytest.importorskip("jax")

    def network(inputs, is_training=True):
        hidden = hk.BatchNorm(True, True, 0.9)(hk.Linear(8)(inputs), is_training)
        hidden = hk.dropout(hk.next_rng_key(), 0.5, hidden) if is_training else hidden
        return hk.Linear(N_CLASSES)(jax.nn.relu(hidden))

    transformed = hk.transform_with_state(network)
    key, inputs = jax.random.key(seed), np.random.default_rng(seed).normal(size=(16, N_INPUTS)).astype(np.float32)
    params, state = transformed.init(key, inputs)
    state = transformed.apply(params, state, key, inputs)[1]
    return (transformed, (params, state)), lambda x: transformed.apply(params, state, None, x, is_training=False)[0]


def haiku(seed, wrapped=lambda hk, transformed: transformed):
    hk, jax = pytest.importorskip("haiku"), pytest.importorskip("jax")
    transformed = hk.transform(lambda inputs: hk.nets.MLP([8, N_CLASSES])(inputs))
    params = transformed.init(jax.random.key(seed), X[None])
    return (wrapped(hk, transformed), params), lambda inputs: transformed.apply(params, None, inputs)


def haiku_without_key(seed):
    return haiku(seed, lambda hk, transformed: hk.without_apply_rng(transformed))


def keras(seed):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(seed)
    norm = keras.layers.BatchNormalization()
    layers = [keras.layers.Dense(8), norm, keras.layers.ReLU(), keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    network = keras.Sequential([keras.Input((N_INPUTS,)), *layers])
    norm.moving_mean.assign(MEAN)
    norm.moving_variance.assign(VARIANCE)
    return network, lambda inputs: np.asarray(network(inputs, training=False))


def torchax(seed):
    network, forward = torch_module(seed)
    with operators_of_named_tensors():
        torchax = pytest.importorskip("torchax")
        weights, function = torchax.extract_jax(network)
    return (lambda weights, inputs: function(weights, (inputs,)), weights), forward


def torch_module(seed):
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    norm = torch.nn.BatchNorm1d(8)
    norm.running_mean, norm.running_var = torch.tensor(MEAN), torch.tensor(VARIANCE)
    layers = [torch.nn.Linear(N_INPUTS, 8), norm, torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Linear(8, N_CLASSES)]
    network = torch.nn.Sequential(*layers).eval()
    return network, torch.no_grad()(lambda inputs: network(torch.from_numpy(np.asarray(inputs))).numpy())


def operators_of_named_tensors():
    """Stand-ins, while torchax is imported, for operators that torch 2.13 has left out."""
    torch = pytest.importorskip("torch")
    packet = torch._ops.OpOverloadPacket
    find = packet.__getattr__

    def find_or_stand_in(self, name):
        try:
            return find(self, name)
        except AttributeError:
            if "imname" in name or "names" in name:
                return f"{self}.{name}"
            raise

    patch = pytest.MonkeyPatch.context()

    class Patched:
        def __enter__(self):
            patch.__enter__().setattr(packet, "__getattr__", find_or_stand_in)

        def __exit__(self, *error):
            patch.__exit__(*error)

    return Patched()


IN_JAX = {
    "Equinox with state": equinox_with_state,
    "Equinox": equinox,
    "Equinox mapped and jitted": equinox_mapped,
    "Haiku with state": haiku_with_state,
    "Haiku": haiku,
    "Haiku without key": haiku_without_key,
    "Keras": keras,
    "torchax": torchax,
}
ONE_EACH = ("Equinox with state", "Haiku with state", "Keras")  # what .ci/run runs
