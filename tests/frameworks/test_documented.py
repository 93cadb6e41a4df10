"""Every recipe of docs/frameworks.md runs, where its framework is installed."""

import importlib.util
import re
from pathlib import Path

import jax
import numpy as np
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "frameworks.md").read_text()
BLOCKS = [
    (heading, body)
    for heading, text in re.findall(r"^##+ (.+?)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    for body in re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
]
SLOW = {"PyTorch", "PyTorch inside JAX"}  # .ci/run does not install it: that takes two minutes


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning:torch.*")
@pytest.mark.parametrize(
    "body",
    [pytest.param(body, id=heading, marks=[pytest.mark.slow] * (heading in SLOW)) for heading, body in BLOCKS],
)
def test_a_recipe_prints_values(body, capsys, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for package in re.findall(r"^(?:import|from) (\w+)", body, re.MULTILINE):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    with jax.numpy_rank_promotion("allow"):  # as users have it
        exec(compile(body, "docs/frameworks.md", "exec"), {"__name__": "recipe"})
    printed = capsys.readouterr().out
    values = np.array(re.findall(r"-?\d+\.\d*(?:e[-+]\d+)?", printed), float)
    assert len(values) == 16
    assert np.isfinite(values).all()
    assert np.ptp(values) > 0


def test_every_framework_of_the_page_has_a_recipe():
    assert {"Flax", "Equinox", "Haiku", "Keras", *SLOW, "ONNX", "scikit-learn", "Anything else"} == dict(BLOCKS).keys()
