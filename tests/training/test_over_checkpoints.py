"""One measurement at the checkpoints of a run: in order, kept once, resumed, and refused where it is another."""

import json
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.four_forms import FORMS, four_forms
from support.running import Killed, kill_at

import interjax as ij
from interjax._engine._folders import fingerprint
from interjax.training import over_checkpoints

X = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
NETWORKS = {step: (jnp.multiply, np.float32(step)) for step in (100, 1, 10)}


def double(network):
    function, params = network
    return {"double": function(params, 2), "name": "twice"}


def numbers(pieces):
    return {step: float(piece["double"]) for step, piece in pieces}


def unmeasured(network):
    pytest.fail("this checkpoint was kept and must not be measured again")


def test_networks_are_measured_by_increasing_step():
    seen = []
    found = over_checkpoints(NETWORKS, double, progress=lambda *done: seen.append(done))
    assert seen == []
    assert numbers(found) == {1: 2.0, 10: 20.0, 100: 200.0}
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert numbers(over_checkpoints(NETWORKS, double, steps=[10, 1, 10])) == {1: 2.0, 10: 20.0}


def test_a_checkpoint_is_measured_when_it_is_asked_for():
    measured = []
    found = over_checkpoints(NETWORKS, lambda network: measured.append(network) or {}, steps=[1, 100])
    assert measured == []
    next(found)
    assert measured == [NETWORKS[1]]


def test_networks_of_a_training_run_are_those_that_were_saved(tmp_path):
    spec = ij.networks.NetworkSpec("mlp", (6,), 2, {"hidden": (3,)})
    how = {"key": jax.random.key(0), "optimizer": optax.sgd(0.1), "steps": 3, "batch_size": 10}
    ij.training.train(spec.build(0), (X, Y), **how, spec=spec, checkpoint_folder=tmp_path, save_at=[0, 1], keep=None)
    found = dict(over_checkpoints(tmp_path, lambda model: {"kernel": model.layers[0].kernel[...]}))
    assert list(found) == [0, 1, 3]
    for step, piece in found.items():
        model = ij.training.load_network(tmp_path, step=step)[1]
        np.testing.assert_array_equal(piece["kernel"], model.layers[0].kernel[...])


@pytest.mark.parametrize("form", FORMS)
def test_networks_of_any_form_are_measured(form):
    networks = {step: four_forms(step)[form] for step in (0, 5)}
    found = over_checkpoints(networks, lambda network: {"accuracy": ij.training.accuracy(network, X, Y)})
    for step, piece in found:
        expected = np.mean(np.argmax(four_forms(step)["callable"](X), axis=1) == Y)
        assert piece["accuracy"] == pytest.approx(expected)


def test_a_killed_measurement_goes_on_with_what_was_kept(tmp_path):
    how = {"folder": tmp_path, "settings": {"factor": 2}}
    with pytest.raises(Killed):
        dict(over_checkpoints(NETWORKS, double, progress=kill_at(2), **how))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["settings.json", "step1.npz", "step10.npz"]
    assert numbers(over_checkpoints(NETWORKS, unmeasured, steps=[1, 10], **how)) == {1: 2.0, 10: 20.0}
    measured = []
    resumed = dict(over_checkpoints(NETWORKS, lambda network: measured.append(network) or double(network), **how))
    assert measured == [NETWORKS[100]]
    anew = dict(over_checkpoints(NETWORKS, double))
    for step, piece in resumed.items():
        assert {name: (array.dtype, array.tolist()) for name, array in piece.items()} == {
            name: (array.dtype, array.tolist()) for name, array in anew[step].items()
        }


def test_a_folder_holds_settings_and_an_npz_file_for_each_step(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps({"levels": [1, 2], "precision": None}))
    np.savez(tmp_path / "step7.npz", double=np.float32(3), weights=np.array(fingerprint(np.float32(7))))
    networks = {7: (jnp.multiply, np.float32(7))}
    settings = {"levels": (1, 2), "precision": None}
    found = dict(over_checkpoints(networks, unmeasured, folder=tmp_path, settings=settings))
    assert list(found[7]) == ["double"]
    assert found[7]["double"] == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"settings": {"factor": 3}}, r"other settings \(factor"),
        ({"checkpoints": {1: (jnp.multiply, np.float32(2))}}, "measurements of other weights at step 1"),
        ({"settings": None}, r"folder= needs settings=, a dictionary .* got None"),
        ({"settings": [1]}, r"folder= needs settings=, a dictionary .* got \[1\]"),
        ({"settings": {"x": X}}, "settings must be of JSON types"),
        ({"checkpoints": {1: lambda x: x}}, r"that of step 1 shows none: give \(function\(params, inputs\), params\)"),
    ],
)
def test_a_folder_of_other_measurements_is_refused(tmp_path, options, message):
    how = {"folder": tmp_path, "settings": {"factor": 2}, "checkpoints": {1: NETWORKS[1]}}
    dict(over_checkpoints(measure=double, **how))
    with pytest.raises(ValueError, match=message):
        dict(over_checkpoints(measure=unmeasured, **(how | options)))


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (3.0, r"a mapping from names to arrays, such as the \.to_arrays\(\) of a result; got float"),
        ({1: 2.0}, "a mapping from names to arrays"),
        ({"weights": 2.0}, "must give its array 'weights' another name"),
        ({"a": None}, "got 'a' of dtype object"),
        ({"a": jnp.zeros(2, jnp.bfloat16)}, "got 'a' of dtype bfloat16"),
    ],
)
def test_what_no_file_can_hold_is_refused(found, message):
    with pytest.raises(ValueError, match=message):
        dict(over_checkpoints(NETWORKS, lambda network: found))


@pytest.mark.parametrize(
    ("checkpoints", "steps", "message"),
    [
        ({}, None, "checkpoints must hold at least one network"),
        (NETWORKS, [2], r"among those, 1, 10, 100; got \[2\]"),
        ([NETWORKS[1]], None, "a mapping from steps to networks; got list"),
        ("nowhere", None, "nowhere holds no checkpoint"),
        ({1: 3}, None, "checkpoints must be a network"),
        (
            {1: NETWORKS[1], 2: (jnp.multiply, np.zeros(2))},
            None,
            "that of step 2 is another network than that of step 1",
        ),
    ],
)
def test_checkpoints_that_cannot_be_measured_are_told(tmp_path, checkpoints, steps, message):
    with pytest.raises(ValueError, match=message):
        dict(over_checkpoints(checkpoints, double, steps=steps, folder=tmp_path / "kept", settings={}))


def test_steps_that_are_missing_leave_no_folder(tmp_path):
    with pytest.raises(ValueError, match="steps must be among"):
        over_checkpoints(NETWORKS, unmeasured, steps=[2], folder=tmp_path / "kept", settings={})
    assert not (tmp_path / "kept").exists()


def squared(weights, x):
    return (x @ weights) ** 2


def test_networks_of_equal_weights_are_told_by_what_they_compute(tmp_path):
    x, weights = np.eye(3, dtype=np.float32), np.arange(6, dtype=np.float32).reshape(3, 2)

    def profile(function, folder=tmp_path / "profile"):
        players = ij.Players.features(3)
        return ij.dynamics.checkpoint_profiles(
            jax.random.key(0), {1: (function, weights)}, x, [0, 1, 1], players=players, folder=folder
        )[1].magnitude

    def concepts(function):
        data = ij.datasets.from_arrays(x[[0, 1, 2] * 4], [0, 1, 1] * 4, x, [0, 1, 1])
        return ij.concepts.checkpoint_concepts(
            jax.random.key(0), {1: (function, weights)}, data, players=ij.Players.features(3), folder=tmp_path / "c"
        )

    def measured(function):
        return dict(
            ij.training.over_checkpoints(
                {1: (function, weights)},
                lambda network: {"sum": network[0](network[1], x).sum()},
                folder=tmp_path / "measured",
                settings={},
                inputs=x,
            )
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(profile(squared), profile(lambda w, z: (z @ w) ** 2))
        for measure in (profile, concepts, measured):
            measure(squared)
            with pytest.raises(ValueError, match="holds measurements of another network at step 1, which computes"):
                measure(lambda w, z: (z @ w) ** 3)
