"""The frame of the experiments: what it writes, how it trains and goes on, and that all three stand in it."""

import dataclasses
import inspect
import json

import jax
import numpy as np
import optax
import pytest

import interjax as ij
from interjax import training
from interjax.plots._style import new_figure
from interjax.reproduce import _bottleneck_report, _complexity_report, _generalization_report
from interjax.reproduce._experiment import Experiment, about, trained

REPORTS = (_bottleneck_report, _generalization_report, _complexity_report)


@dataclasses.dataclass(frozen=True)
class Setting:
    data: str = "digits"
    network: str = "mlp"


@pytest.fixture(scope="module")
def data():
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    return ij.datasets.Dataset(x[:32], y[:32], x[32:], y[32:], "toy", ("no", "yes"))


@pytest.mark.parametrize("report", REPORTS)
def test_every_experiment_is_one(report):
    experiment = report.EXPERIMENT
    module = getattr(ij.reproduce, experiment.name)
    assert experiment.settings is module.SETTINGS
    assert experiment.run is module.run
    options = set(inspect.signature(module.run).parameters)
    assert {"setting", "data", "folder", "progress"} | set(experiment.stated) - {"setting"} <= options
    for name, setting in experiment.settings.items():
        assert setting.network in ij.networks.NAMES
        assert name.split("-")[0] == setting.data.split(":")[0]


def test_an_experiment_writes_its_numbers_table_and_picture(data, tmp_path):
    def run(setting, data, folder, *, kind, seeds, progress):
        progress("counting", 1, 1)
        return {"setting": setting, "kind": kind, "seeds": seeds, "examples": len(data.train_x), "folder": folder}

    experiment = Experiment(
        "toy",
        {"toy": Setting()},
        run,
        summary=lambda found: {"examples": found["examples"], "unknown": float("nan")},
        table=lambda found: f"| {found['kind']} |\n",
        figure=lambda found, title: new_figure(2, 2),
        size=lambda setting, found: f"{found['seeds']} seeds",
        stated=("setting", "kind"),
    )
    told = []
    report = experiment.repeat(
        Setting(), data, tmp_path, kind="and", seeds=2, progress=lambda *stage: told.append(stage)
    )
    assert report == "mlp on toy, 2 seeds\n\n| and |\n"
    assert {path.name for path in tmp_path.iterdir()} == set(experiment.files)
    numbers = json.loads((tmp_path / "toy.json").read_text())
    stated = {"setting": {"data": "digits", "network": "mlp"}, "kind": "and"}
    assert numbers == stated | {"examples": 32, "unknown": None}
    assert (tmp_path / "toy.md").read_text() == "| and |\n"
    assert told == [("counting", 1, 1)]


def test_a_stage_has_its_name():
    told = []
    about(lambda *stage: told.append(stage), "training seed 1")(3, 4)
    assert told == [("training seed 1", 3, 4)]
    assert about(None, "training seed 1") is None


def plan_of(epochs):
    return training.Plan(ij.networks.NetworkSpec("mlp", (4,), 2, {"hidden": (3,)}), optax.sgd(0.1), epochs, 8)


def kernel(model):
    return np.asarray(model.layers[0].kernel[...])


def test_a_network_is_trained_as_by_hand_and_goes_on_to_the_same_weights(data, tmp_path):
    by_hand = plan_of(3).spec.build(5)
    examples = data.train_x, data.train_y
    training.train(by_hand, examples, key=jax.random.key(6), optimizer=optax.sgd(0.1), epochs=3, batch_size=8)
    how = {"seed": 5, "key": jax.random.key(6), "checkpoints": 3}
    whole = trained(plan_of(3), examples, tmp_path / "whole" / "network", **how)
    np.testing.assert_array_equal(kernel(whole), kernel(by_hand))
    assert training.saved_steps(tmp_path / "whole" / "network") == [0, 1, 12]

    trained(plan_of(1), examples, tmp_path / "parts" / "network", **how)
    parts = trained(plan_of(3), examples, tmp_path / "parts" / "network", **how)
    np.testing.assert_array_equal(kernel(parts), kernel(by_hand))
    assert len((tmp_path / "parts" / "metrics.jsonl").read_text().splitlines()) == 3


def test_a_data_set_has_its_test_accuracy_logged_and_only_the_last_network_kept(data, tmp_path):
    model = trained(plan_of(2), data, tmp_path / "network", seed=0, key=jax.random.key(0))
    last = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["test_accuracy"] == pytest.approx(training.accuracy(model, data.test_x, data.test_y))
    assert training.saved_steps(tmp_path / "network") == [8]
