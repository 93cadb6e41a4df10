"""Programs of the row engine lower for TPUs and NVIDIA's GPUs: what JAX cannot say there fails here, without one."""

import dataclasses

import jax
import numpy as np
import pytest

import interjax as ij
from interjax._engine import _rows

KEY = jax.random.key(0)
NETWORKS = {
    "mlp": {"input_shape": (4, 4, 1), "hidden": (8,)},
    "lenet": {"input_shape": (16, 16, 1)},
    "vit": {"input_shape": (8, 8, 3), "patch": 4, "width": 8, "depth": 1, "heads": 2},
}


@pytest.fixture
def programs(monkeypatch):
    """The programs that the row engine compiled in a test, traced."""
    found, compute = {}, _rows.compute_rows

    class Recorded:
        trace = staticmethod(compute.trace)

        def __call__(self, function, *rows, mesh):
            traced = compute.trace(function, *rows, mesh=mesh)
            found[str(traced.jaxpr)] = traced
            return compute(function, *rows, mesh=mesh)

    monkeypatch.setattr(_rows, "compute_rows", Recorded())
    return found


def assert_lower(programs):
    assert programs
    for traced in programs.values():
        for platform in ("tpu", "cuda"):
            assert "func.func public @main" in traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize(
    ("name", "fold", "precision"),
    [
        ("mlp", True, "float32"),
        ("lenet", True, "bfloat16"),
        ("lenet", False, "float32"),
        ("vit", True, "float32"),
        ("vit", False, "bfloat16"),
    ],
)
def test_sampled_interactions(programs, name, fold, precision):
    options = dict(NETWORKS[name])
    shape = options.pop("input_shape")
    model = ij.networks.NetworkSpec(name, shape, 3, options).build(0)
    players, x = ij.Players.grid(shape, (2, 2)), np.ones(shape, np.float32)
    game = ij.masked_game(model, x, players=players, output=ij.log_odds(1), fold=fold, precision=precision)
    ij.order_interactions(KEY, game, orders=[1], contexts=2, exact=False, batch_size=8)
    game(np.ones((2, 4), bool))
    assert_lower(programs)


@pytest.mark.parametrize("method", ["blocks", "quadruples", "regression"])
def test_methods(programs, method):
    game = ij.Game.from_function(lambda mask: mask.sum() ** 2.0, 6)
    ij.order_interactions(KEY, game, contexts=3, method=method, exact=False, batch_size=8)
    for size in (1, 3) if method != "regression" else ():
        ij.order_interactions(KEY, game, size=size, contexts=3, method=method, exact=False, batch_size=8)
    assert_lower(programs)


def test_tables_classes_and_grades(programs):
    data = ij.datasets.digits()
    model = ij.networks.NetworkSpec("mlp", data.input_shape, 10, {"hidden": (8,)}).build(0)
    players = ij.Players.grid(data.input_shape, (2, 2))
    ij.concepts.concept_tables(model, data.train_x[:2], data.train_y[:2], players=players)
    ij.representations.activations(model, data.train_x[:4])
    ij.training.accuracy(model, data.test_x[:8], data.test_y[:8])
    ij.evaluation.evaluate(
        model, dataclasses.replace(data, test_x=data.test_x[:8], test_y=data.test_y[:8]), key=KEY, strengths=()
    )
    assert len(programs) >= 4
    assert_lower(programs)
