"""The commands that train steered networks, compare networks, and repeat the papers' experiment."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from support.running import interjax
from support.running import main as message_of

import interjax as ij
from interjax import training
from interjax.reproduce import bottleneck

QUICK = ["--epochs", 2, "--quiet"]
STEERED = ["--preset", "high-order", "--grid", "4x4", "--checkpoints", 4]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of a plain and a steered network trained by `interjax train`."""
    plain, steered = (tmp_path_factory.mktemp(name) for name in ("plain", "steered"))
    assert interjax("train", *QUICK, "--out", plain).exit_code == 0
    assert interjax("train", *QUICK, *STEERED, "--out", steered).exit_code == 0
    return plain, steered


def test_a_steered_network_is_another_network(folders):
    networks = [training.load_network(folder / "network")[1] for folder in folders]
    kernels = [np.asarray(network.layers[0].kernel[...]) for network in networks]
    assert not np.allclose(*kernels)


def test_the_preset_is_what_the_library_trains(folders):
    data = ij.datasets.digits()
    plan = training.default_plan(data, epochs=2)
    model = plan.spec.build(0)
    loss = training.ModulatedCrossEntropy(ij.Players.grid((8, 8, 1), (4, 4)), mode="penalize", low=0.0, high=0.5)
    training.train(model, data, key=jax.random.key(0), optimizer=plan.optimizer, epochs=2, batch_size=64, loss=loss)
    saved = training.load_network(folders[1] / "network")[1]
    np.testing.assert_array_equal(model.layers[0].kernel[...], saved.layers[0].kernel[...])


def test_training_writes_metrics_a_plot_and_the_checkpoints_asked_for(folders):
    lines = (folders[1] / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert (folders[1] / "training.png").stat().st_size > 10_000
    assert training.saved_steps(folders[1] / "network") == [0, 1, 7, 44]
    assert json.loads((folders[1] / "train.json").read_text())["checkpoints"] == [0, 1, 7, 44]
    assert json.loads((folders[1] / "settings.json").read_text())["settings"]["preset"] == "high-order"


def test_networks_are_compared_side_by_side(folders, tmp_path):
    found = interjax("evaluate", *folders, "--examples", 60, "--quiet", "--out", tmp_path)
    assert found.exit_code == 0
    assert "accuracy, PGD 0.1" in found.output
    numbers = json.loads((tmp_path / "evaluation.json").read_text())["networks"]
    assert sorted(numbers) == sorted(folder.name for folder in folders)
    data = ij.datasets.digits()
    for folder in folders:
        model = training.load_network(folder / "network")[1]
        one = numbers[folder.name]["test accuracy"]
        assert one["value"] == pytest.approx(training.accuracy(model, data.test_x, data.test_y))
        assert one["lower"] < one["value"] < one["upper"]
    assert (tmp_path / "evaluation.png").stat().st_size > 10_000
    assert ij.evaluation.Evaluation.load(tmp_path / "evaluation.npz").networks == tuple(one.name for one in folders)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--low", "0.2", "--high", "0.5"], "--low and --high go with --modulate"),
        (["--modulate", "penalize", "--low", "0.2"], "--modulate needs --low and --high"),
        (["--modulate", "penalize", "--low", "0.5", "--high", "0.2"], "0 <= low < high <= 1"),
        (["--modulate", "penalize", "--low", "0.5", "--high", "0.51", "--grid", "4x4"], "got 8 of 16 players for both"),
        (["--modulate", "penalize", "--low", "0", "--high", "0.5", "--preset", "normal"], "not both"),
        (["--preset", "mid-order", "--baseline", "marginal:3"], "not marginal"),
    ],
)
def test_wrong_steering_is_one_line(arguments, message, monkeypatch, tmp_path):
    assert message in message_of(monkeypatch, "train", *QUICK, *arguments, "--out", tmp_path)


def test_wrong_comparisons_are_one_line(folders, monkeypatch, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n" + "\n".join(f"{row % 7},{row % 2}" for row in range(20)))
    same = message_of(monkeypatch, "evaluate", folders[0], folders[0] / "network", "--out", tmp_path)
    assert "the same checkpoint was given twice" in same
    other = message_of(monkeypatch, "evaluate", folders[0], "--data", f"csv:{table}:b", "--out", tmp_path)
    assert "holds a network for inputs of shape (8, 8, 1)" in other


def test_columns_classes_and_rows_are_those_of_training(monkeypatch, tmp_path):
    rows = [(row % 7, row % 5, "py"[row % 2]) for row in range(60)]

    def written(name, header, changed=lambda row: row):
        lines = [header, *(",".join(map(str, changed(row))) for row in rows)]
        (tmp_path / name).write_text("\n".join(lines))
        return f"csv:{tmp_path / name}:c"

    network = tmp_path / "network"
    assert interjax("train", "--data", written("own.csv", "a,b,c"), "--epochs", 1, "--out", network).exit_code == 0
    options = ["--strengths", "0.1", "--pgd-steps", 1, "--occlusions", "0.5", "--quiet", "--out"]

    def refusal(name, header, changed):
        return message_of(
            monkeypatch, "evaluate", network, "--data", written(name, header, changed), *options, tmp_path
        )

    swapped = refusal("swapped.csv", "b,a,c", lambda row: (row[1], row[0], row[2]))
    assert "trained on data with feature_names a, b" in swapped
    renamed = refusal("renamed.csv", "a,b,c", lambda row: (*row[:2], {"p": "z"}.get(row[2], row[2])))
    assert "class_names p, y" in renamed
    data = ["--data", written("own.csv", "a,b,c"), "--read", "seed=5"]
    with pytest.warns(UserWarning, match="was trained on other rows"):
        assert interjax("evaluate", network, *data, *options, tmp_path / "evaluated").exit_code == 0
    refused = message_of(monkeypatch, "measure", "--checkpoint", network, *data, "--out", tmp_path / "evaluated")
    assert "holds a run of `interjax evaluate`, this is `interjax measure`" in refused


@pytest.mark.long
def test_the_experiment_runs_and_resumes(tmp_path, monkeypatch):
    coarse = dataclasses.replace(bottleneck.SETTINGS["digits-mlp"], cells=(4, 4))
    monkeypatch.setitem(bottleneck.SETTINGS, "digits-mlp", coarse)
    command = ["reproduce", "bottleneck", "--setting", "digits-mlp", "--seeds", 2, "--inputs", 2, "--epochs", 1]
    command += ["--examples", 20, "--quiet", "--out", tmp_path]
    first = interjax(*command)
    assert first.exit_code == 0
    assert "| high-order | 0..8 |" in first.output
    out = tmp_path / "digits-mlp"
    numbers = json.loads((out / "bottleneck.json").read_text())
    assert sorted(numbers["profiles"]) == ["high-order", "low-order", "mid-order", "normal"]
    assert numbers["steered_orders"]["low-order"]["wanted"] == "falls"
    assert (out / "bottleneck.png").stat().st_size > 20_000
    (out / "bottleneck.json").unlink()
    (out / "seed1" / "evaluated" / "evaluation.npz").unlink()
    assert interjax(*command).output == first.output
    assert json.loads((out / "bottleneck.json").read_text()) == numbers


def test_the_experiment_says_what_it_lacks(monkeypatch, tmp_path):
    monkeypatch.delenv("INTERJAX_DATA", raising=False)
    assert "needs --folder" in message_of(monkeypatch, "reproduce", "bottleneck", "--setting", "mnist-mlp")
    empty = message_of(monkeypatch, "reproduce", "bottleneck", "--folder", tmp_path)
    assert "holds none of mnist/, adult/" in empty
    limited = ["--setting", "digits-mlp", "--limit", 3, "--out", tmp_path]
    assert "--limit is for images" in message_of(monkeypatch, "reproduce", "bottleneck", *limited)
