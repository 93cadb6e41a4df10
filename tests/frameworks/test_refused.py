"""What JAX cannot trace, or what lacks a part, is refused by name, with what to do."""

import re

import jax.numpy as jnp
import numpy as np
import pytest
from support.framework_cases import N_INPUTS, X, equinox_with_state, haiku, haiku_with_state, torch_module

import interjax as ij

PLAYERS = ij.Players.features(N_INPUTS)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def of_sklearn(use):
    linear_model = pytest.importorskip("sklearn.linear_model")
    inputs = np.random.default_rng(0).normal(size=(12, N_INPUTS))
    return use(linear_model.LogisticRegression().fit(inputs, np.arange(12) % 3))


def of_onnx(use):
    magika, onnxruntime = pytest.importorskip("magika"), pytest.importorskip("onnxruntime")
    return use(onnxruntime.InferenceSession(magika.Magika()._model_path))


def of_torch(use):
    return use(torch_module(0)[0])


def of_both():
    eqx = pytest.importorskip("equinox")

    class Centred(eqx.Module):
        kernel: jnp.ndarray

        def __call__(self, x):
            return (x - x.mean()) @ self.kernel

    return Centred(jnp.ones((N_INPUTS, 3)))


HOST = r"ij\.masked_host_game.*ij\.Game\.from_host.*docs/frameworks\.md"
CASES = {
    "scikit-learn": (lambda: of_sklearn(lambda it: it), f"scikit-learn, which JAX cannot trace.*{HOST}"),
    "a method of scikit-learn": (lambda: of_sklearn(lambda it: it.decision_function), f"scikit-learn.*{HOST}"),
    "a function of scikit-learn": (
        lambda: of_sklearn(lambda it: lambda x: it.predict_proba(x)),
        f"traced by JAX.*{HOST}",
    ),
    "ONNX Runtime": (lambda: of_onnx(lambda it: it), f"ONNX Runtime, which JAX cannot trace.*{HOST}"),
    "a function of ONNX Runtime": (lambda: of_onnx(lambda it: lambda x: it.run(None, {"bytes": x})[0]), HOST),
    "PyTorch": (lambda: of_torch(lambda it: it), f"PyTorch, which JAX cannot trace.*{HOST}"),
    "PyTorch with params": (lambda: of_torch(lambda it: (it, {})), f"PyTorch.*{HOST}"),
    "a function of PyTorch": (lambda: of_torch(lambda it: lambda x: it(x)), f"traced by JAX.*{HOST}"),
    "a Haiku transform alone": (
        lambda: haiku(0)[0][0],
        r"needs its params.*\(transformed, params\)",
    ),
    "Haiku without its state": (
        lambda: (haiku_with_state(0)[0][0], haiku_with_state(0)[0][1][0]),
        r"with state: pass \(transformed, \(params, state\)\)",
    ),
    "Equinox without its state": (lambda: equinox_with_state(0)[0][0], r"pass the tuple \(module, state\)"),
    "Equinox with params": (lambda: (equinox_with_state(0)[0][0], {}), "which holds its parameters"),
    "Equinox of one input and of a batch": (of_both, r"eqx\.filter_vmap\(module\).*lambda x: module\(x\)"),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_by_name(name):
    make, message = CASES[name]
    with pytest.raises(ValueError, match=re.compile(f"^model is .*{message}", re.DOTALL)):
        ij.masked_game(make(), X, players=PLAYERS)


def test_equinox_is_told_of_the_one_input_that_it_is_called_with():
    with pytest.raises(ValueError, match=r"called with one input, here of shape \(4,\)"):
        ij.masked_game(equinox_with_state(0)[0], X[:4], players=ij.Players.features(4))


@pytest.mark.parametrize("backend", ["tensorflow", "torch"])
def test_keras_on_another_backend_is_told_what_to_set(backend, monkeypatch):
    from support.framework_cases import keras

    model, _ = keras(0)
    monkeypatch.setattr("keras.backend.backend", lambda: backend)
    with pytest.raises(ValueError, match=f"on the backend '{backend}'.*KERAS_BACKEND=\"jax\""):
        ij.masked_game(model, X, players=PLAYERS)
