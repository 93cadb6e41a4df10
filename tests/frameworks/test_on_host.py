"""Networks that JAX cannot trace, masked in NumPy: values of brute-force masked forwards by the framework itself."""

from pathlib import Path

import numpy as np
import pytest
from support.framework_cases import N_INPUTS, X, torch_module

import interjax as ij

MASKS = (np.arange(2**N_INPUTS)[:, None] >> np.arange(N_INPUTS)) & 1 == 1
PLAYERS = ij.Players.features(N_INPUTS)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_scikit_learn_stays_in_float64():
    svm = pytest.importorskip("sklearn.svm")
    random = np.random.default_rng(0)
    inputs = random.normal(size=(30, N_INPUTS)) + 1e6
    machine = svm.SVR().fit(inputs, inputs[:, 0] * (inputs[:, 1] - 1e6))
    background = inputs[:3]
    game = ij.masked_host_game(machine.predict, inputs[5], players=PLAYERS, baseline=ij.marginal(background))
    expected = np.mean([machine.predict(np.where(MASKS, inputs[5], other)) for other in background], axis=0)
    np.testing.assert_allclose(ij.tabulate(game), expected, rtol=1e-13)
    assert np.ptp(expected) > 0


def test_an_onnx_model_of_a_package_gives_its_values():
    magika, onnxruntime = pytest.importorskip("magika"), pytest.importorskip("onnxruntime")
    (path,) = Path(magika.__file__).parent.glob("models/*/model.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    forward = lambda inputs: session.run(None, {"bytes": inputs})[0]  # noqa: E731
    x = np.full(2048, 256, np.int32)
    text = np.frombuffer(b"import os\nclass A:\n    def f(self):\n        return os\n", np.uint8)
    x[: len(text)] = text
    owners = np.where(x == 256, -1, np.arange(2048) * 3 // len(text))
    game = ij.masked_host_game(forward, x, players=ij.Players.segments(owners), baseline=256, output=ij.logit(143))
    masks = (np.arange(8)[:, None] >> np.arange(3)) & 1 == 1
    present = np.concatenate([masks, np.ones((8, 1), bool)], axis=1)[:, owners]
    expected = forward(np.where(present, x, 256).astype(np.int32))[:, 143]
    np.testing.assert_allclose(ij.tabulate(game), expected, atol=max(2 * float(game.rounding), 1e-6))
    assert np.ptp(expected) > 0.01


@pytest.mark.slow
def test_pytorch_gives_its_values_and_is_refused_in_training_mode():
    network, forward = torch_module(0)
    game = ij.masked_host_game(forward, X, players=PLAYERS, output=ij.logit(1))
    expected = forward(np.where(MASKS, X, 0).astype(np.float32))[:, 1]
    np.testing.assert_allclose(ij.tabulate(game), expected, rtol=1e-5, atol=1e-6)
    network.train()
    with pytest.raises(ValueError, match="predict must"):
        ij.masked_host_game(forward, X, players=PLAYERS, output=ij.logit(1))
