"""`interjax complexity` and `interjax reproduce complexity`: what they write, refuse, resume and state."""

import dataclasses

import numpy as np
import pytest
from scipy import stats
from support.running import interjax, main, numbers

import interjax as ij
from interjax.representations._dynamics import ComplexityDynamics
from interjax.reproduce import _complexity_report as report
from interjax.reproduce import complexity as experiment

SMALL = ["--layers", "quantisers.3", "--resamples", 2, "--quiet"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    return folder, interjax("complexity", *SMALL, "--epochs", 2, "--checkpoints", 2, "--groups", 2, "--out", folder)


def test_it_writes_numbers_pictures_and_settings(measured):
    folder, ended = measured
    written = {path.name for path in folder.iterdir()}
    assert {"complexity.json", "dynamics.npz", "complexity.png", "dynamics.png", "settings.json", "network"} <= written
    found = numbers(folder, "complexity.json")
    assert list(found["layers"]) == ["quantisers.3"]
    dynamics = ComplexityDynamics.load(folder / "dynamics.npz")
    assert dynamics.steps.tolist() == found["checkpoints"]["steps"]
    assert len(dynamics.steps) == 2
    for number, (name, each) in enumerate(found["layers"].items()):
        assert each["value"] == pytest.approx(dynamics.complexity[-1, number])
        saved = ij.pid.Complexity.load(folder / "layers" / f"{name}.npz")
        assert saved.value == each["value"]
        assert each["interval"] == list(saved.interval())
        assert each["information_interval"] == list(saved.information_interval())
        assert dynamics.freedom[-1, number] == saved.freedom > 0
        assert f"{name:<16}{5:>8}{each['information']:>9.3f}{each['value']:>8.3f}" in ended.output
        assert each["reliable"] or each["reason"] in ended.output
        low, high = found["groups"][name]["bounds"]
        assert high == pytest.approx(3 * low)  # five neurons in two groups


def test_a_saved_network_is_measured_at_all_of_its_checkpoints(measured, tmp_path):
    folder, _ = measured
    interjax("complexity", *SMALL, "--checkpoint", folder / "network", "--out", tmp_path / "again")
    assert (
        numbers(tmp_path / "again", "complexity.json")["checkpoints"]
        == numbers(folder, "complexity.json")["checkpoints"]
    )
    assert numbers(tmp_path / "again", "complexity.json")["layers"] == numbers(folder, "complexity.json")["layers"]


def test_bad_options_are_messages(measured, tmp_path, monkeypatch):
    folder, _ = measured
    wrong = [
        "complexity",
        "--checkpoint",
        folder / "network",
        "--quiet",
        "--out",
        tmp_path / "a",
        "--layers",
        "nothing",
    ]
    assert "nothing" in main(monkeypatch, *wrong)
    odd = ["complexity", "--checkpoint", folder / "network", "--quiet", "--out", tmp_path / "b", "--resamples", 3]
    assert "even number" in main(monkeypatch, *odd)
    other = ["complexity", "--out", folder, "--quiet", "--seed", 5]
    assert "other settings" in main(monkeypatch, *other)


def found_of(complexity, wide=None):
    """A finding with C (seeds, checkpoints, layers)."""
    complexity = np.asarray(complexity, float)
    runs = []
    for each in complexity:
        ones = np.ones_like(each)
        names = [field.name for field in dataclasses.fields(ComplexityDynamics)][2:]
        arrays = dict.fromkeys(names, ones) | {"complexity": each, "reliable": ones > 0}
        arrays["by_degree"] = np.repeat(ones[:, :, None], 2, axis=2)
        steps = np.arange(len(each)) * 10
        runs.append(ComplexityDynamics(steps=steps, layers=("one", "two")[: each.shape[1]], **arrays))
    setting = experiment.Setting("digits", "quantised_mlp", {}, 3, ("one", "two")[: complexity.shape[2]])
    return experiment.Found(setting, runs, None, None, None, np.full(len(complexity), 0.9), 10)


def test_claims_are_differences_with_their_interval_over_seeds():
    values = [
        [[3.0, 2.0], [3.5, 2.4], [2.0, 1.5]],
        [[3.1, 2.2], [3.4, 2.3], [2.2, 1.4]],
        [[2.9, 2.1], [3.3, 2.6], [1.8, 1.6]],
    ]
    told = {each["claim"]: each for each in report.claims(found_of(values))}
    layers = told["C falls from one to two in the trained networks"]
    differences = np.array([-0.5, -0.8, -0.2])
    assert layers["difference"] == pytest.approx(differences.mean())
    assert layers["margin"] == pytest.approx(stats.t.ppf(0.975, 2) * stats.sem(differences))
    assert layers["seeds_agreeing"] == 3
    assert layers["verdict"] == "undecided"
    fallen = told["C of one falls after its highest"]
    assert fallen["difference"] == pytest.approx(np.mean([-1.5, -1.2, -1.5]))
    assert fallen["verdict"] == "shown"


def test_the_highest_value_is_looked_for_in_the_other_seeds():
    """Each seed has its highest value elsewhere, by chance: no rise is made of that."""
    values = np.array([[[2.0], [3.0], [1.0], [1.0]], [[2.0], [1.0], [3.0], [1.0]], [[2.0], [1.0], [2.5], [1.0]]])
    told = {each["claim"]: each for each in report.claims(found_of(values))}
    rise = told["C of one rises at first"]
    assert rise["difference"] == pytest.approx(np.mean([-1.0, 0.0, 0.0]))
    assert rise["verdict"] == "undecided"


def test_the_fall_since_it_was_first_reliable():
    found = found_of([[[3.0], [2.0], [1.5]], [[3.0], [2.2], [1.4]], [[3.0], [2.1], [1.6]]])
    for run in found.runs:
        run.reliable[0] = False
    told = {each["claim"]: each for each in report.claims(found)}
    assert told["C of one falls since it was first reliable"]["difference"] == pytest.approx(
        np.mean([-0.5, -0.8, -0.5])
    )
    for run in found.runs:
        run.reliable[-2] = False
    told = {each["claim"]: each for each in report.claims(found)}
    assert np.isnan(told["C of one falls since it was first reliable"]["difference"])
    assert told["C of one falls since it was first reliable"]["verdict"] == "undecided"


def test_a_direction_against_the_paper_is_called_so():
    values = np.array([[[1.0], [2.0]], [[1.0], [2.1]], [[1.1], [2.0]]])
    told = {each["claim"]: each for each in report.claims(found_of(values))}
    assert told["C of one is lower than in the untrained network"]["verdict"] == "contradicted"
    assert told["C of one is lower than in the untrained network"]["seeds_agreeing"] == 0


def test_one_seed_decides_nothing():
    told = report.claims(found_of([[[1.0, 2.0], [1.5, 1.2]]]))
    assert {each["verdict"] for each in told} == {"undecided"}


@pytest.mark.long
def test_the_experiment_resumes_to_the_same_tables(tmp_path, monkeypatch):
    small = dataclasses.replace(
        experiment.SETTINGS["digits"],
        epochs=1,
        options={"levels": 3, "hidden": (7, 5, 5)},
        layers=("quantisers.1", "quantisers.2"),
        wide_layer="quantisers.0",
    )
    monkeypatch.setitem(experiment.SETTINGS, "digits", small)
    command = [
        "reproduce",
        "complexity",
        "--setting",
        "digits",
        "--seeds",
        2,
        "--checkpoints",
        3,
        "--subsets",
        2,
        "--quiet",
    ]
    first = interjax(*command, "--out", tmp_path)
    table = (tmp_path / "digits" / "complexity.md").read_text()
    assert table in first.output
    assert (tmp_path / "digits" / "complexity.png").exists()
    found = numbers(tmp_path / "digits", "complexity.json")
    assert np.shape(found["complexity"]) == (2, 3, 3)
    assert np.shape(found["grouped"]["complexity"]) == (2, 3)
    assert found["grouped"]["largest_group"] == 2
    (tmp_path / "digits" / "seed1" / "complexity" / "step0.npz").unlink()
    interjax(*command, "--out", tmp_path)
    assert numbers(tmp_path / "digits", "complexity.json") == found
