"""Training, resuming bit for bit, and networks on disk."""

import json
import math
import os

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from support.running import Killed, arrays_of, kill_at

from interjax import datasets, networks, training

KEY = jax.random.key(3)
SPEC = networks.NetworkSpec("mlp", (4,), 2, {"hidden": (6,), "dropout": 0.3})
ADAM = optax.adam(0.02)
X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(np.int32)
DATA = datasets.Dataset(X[:40], Y[:40], X[40:], Y[40:], "toy", ("no", "yes"))


def run(model, data=DATA, **options):
    """Four epochs of five batches, unless told otherwise."""
    defaults = {"key": KEY, "optimizer": ADAM, "batch_size": 8, "spec": SPEC}
    if "steps" not in options:
        defaults["epochs"] = 4
    return training.train(model, data, **(defaults | options))


def parameters(model):
    return nnx.state(model, nnx.Param)


@pytest.fixture(scope="module")
def trained():
    model = SPEC.build(0)
    return model, run(model)


def test_training_lowers_the_loss_and_logs_every_epoch(trained):
    _, log = trained
    np.testing.assert_array_equal(log.step, [5, 10, 15, 20])
    assert log.loss[-1] < log.loss[0]
    assert log.test_accuracy.shape == (4,)


def test_the_log_ends_with_the_networks_accuracy(trained):
    model, log = trained
    assert log.test_accuracy[-1] == training.accuracy(model, DATA.test_x, DATA.test_y)


def test_the_log_is_saved_and_loaded(trained, tmp_path):
    path = trained[1].save(tmp_path / "log")
    chex.assert_trees_all_equal(training.TrainingLog.load(path), trained[1])


def test_the_same_key_trains_the_same_network(trained):
    model = SPEC.build(0)
    run(model)
    chex.assert_trees_all_equal(arrays_of(model), arrays_of(trained[0]))


def test_another_key_trains_another_network(trained):
    model = SPEC.build(0)
    run(model, key=jax.random.key(4))
    assert not np.array_equal(model.layers[0].kernel[...], trained[0].layers[0].kernel[...])


def test_steps_and_epochs_count_the_same_batches(trained):
    model = SPEC.build(0)
    log = run(model, steps=20)
    chex.assert_trees_all_equal(arrays_of(model), arrays_of(trained[0]))
    np.testing.assert_array_equal(log.loss, trained[1].loss)


def test_a_run_may_end_inside_an_epoch():
    log = run(SPEC.build(0), steps=7)
    np.testing.assert_array_equal(log.step, [5, 7])


def test_arrays_serve_as_data_without_a_test_set():
    log = run(SPEC.build(0), (X, Y), epochs=1)
    assert log.test_accuracy is None
    assert log.step.tolist() == [6]


def test_a_batch_larger_than_the_data_is_the_data():
    assert run(SPEC.build(0), epochs=2, batch_size=500).step.tolist() == [1, 2]


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_the_mode_stays_as_found(mode):
    model = SPEC.build(0)
    getattr(model, mode)()
    run(model, epochs=1)
    training.accuracy(model, X, Y)
    assert model.dropout.deterministic == (mode == "eval")


def test_batch_statistics_are_trained_and_then_used():
    model = nnx.Sequential(nnx.BatchNorm(4, rngs=nnx.Rngs(0)), networks.MLP((4, 2), rngs=nnx.Rngs(0)))
    run(model, epochs=1)
    norm = model.layers[0]
    assert np.abs(norm.mean[...]).max() > 0
    before = [array.copy() for array in arrays_of(model)]
    training.accuracy(model, X, Y)
    chex.assert_trees_all_equal(arrays_of(model), before)


def test_every_example_is_seen_once_an_epoch():
    seen = []

    def watch(model, x, y, key):
        jax.debug.callback(lambda rows: seen.extend(rows[:, 0].tolist()), x)
        return training.cross_entropy(model, x, y, key)

    run(SPEC.build(0), epochs=2, loss=watch)
    jax.effects_barrier()
    assert sorted(seen[:40]) == sorted(seen[40:]) == sorted(DATA.train_x[:, 0].tolist())
    assert seen[:40] != seen[40:]


def test_one_compilation_serves_all_steps_and_runs(compilations):
    def loss(model, x, y, key):
        return training.cross_entropy(model, x, y, key)

    run(SPEC.build(0), epochs=2, loss=loss)
    compilations.clear()
    run(SPEC.build(1), epochs=2, loss=loss)
    assert not compilations


def test_a_loss_is_what_it_computes_now():
    scale = {"of": 1.0}

    def loss(model, x, y, key):
        return scale["of"] * training.cross_entropy(model, x, y, key)

    how = {"epochs": 1, "optimizer": optax.sgd(0.0), "loss": loss}
    first = run(SPEC.build(0), **how).loss
    scale["of"] = 3.0
    np.testing.assert_allclose(run(SPEC.build(0), **how).loss, 3 * first, rtol=1e-6)


def test_the_loss_gets_a_new_key_each_step():
    keys = []

    def loss(model, x, y, key):
        jax.debug.callback(lambda data: keys.append(tuple(data.tolist())), jax.random.key_data(key))
        return training.cross_entropy(model, x, y, key)

    run(SPEC.build(0), steps=6, loss=loss)
    jax.effects_barrier()
    assert len(set(keys)) == 6


def test_augmentation_changes_what_is_learned():
    model = SPEC.build(0)
    run(model, epochs=1, augment=lambda key, x: 0.0 * x)
    kernel = SPEC.build(0).layers[0].kernel[...]
    np.testing.assert_array_equal(model.layers[0].kernel[...], kernel)


def test_flips_and_crops_keep_the_pixels():
    x = jnp.arange(2 * 4 * 4 * 3, dtype=jnp.float32).reshape(2, 4, 4, 3) + 1
    np.testing.assert_array_equal(np.unique(training.flip_and_crop(KEY, x, padding=0)), np.unique(x))
    shifted = np.asarray(training.flip_and_crop(KEY, x, padding=2))
    assert shifted.shape == x.shape
    assert set(np.unique(shifted)) <= {0.0, *np.unique(x).tolist()}


def test_the_callbacks_are_told_how_far_it_is():
    epochs, steps = [], []
    run(
        SPEC.build(0),
        steps=7,
        on_epoch=lambda epoch, model, log: epochs.append((epoch, len(log.loss))),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert epochs == [(1, 1), (2, 2)]
    assert steps == [(step, 7) for step in range(1, 8)]


def test_a_loss_that_is_not_finite_stops_with_a_warning(tmp_path):
    def loss(model, x, y, key):
        return training.cross_entropy(model, x, y, key) / 0.0

    with (
        pytest.warns(UserWarning, match="stopped at step 5: the loss is nan; lower the learning rate"),
        pytest.warns(UserWarning, match="the logits of 10 of 10 inputs are NaN"),
    ):
        log = run(SPEC.build(0), loss=loss, checkpoint_folder=tmp_path)
    assert math.isnan(log.loss[0])
    with pytest.raises(ValueError, match="no checkpoint"):
        training.saved_steps(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 1, "steps": 1}, "either epochs or steps"),
        ({"epochs": None}, "either epochs or steps"),
        ({"epochs": 0}, "epochs must be an integer of at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1"),
        ({"save_every": 1.5}, "save_every must be an integer of at least 1"),
        ({"data": (X, Y[:-1])}, r"shapes \(50, 4\) and \(49,\)"),
        ({"data": (X, X[:, 0])}, "data: y must be class indices .*float32"),
        ({"loss": lambda model, x, y, key: model(x)}, r"one value an example, \(8,\), got \(8, 2\)"),
    ],
)
def test_bad_arguments_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        run(SPEC.build(0), **options)


@pytest.mark.parametrize("save_every", [None, 1, 3])
def test_a_killed_run_resumes_bit_for_bit(trained, tmp_path, save_every):
    for step in (9, 17):
        with pytest.raises(Killed):
            run(SPEC.build(0), checkpoint_folder=tmp_path, save_every=save_every, progress=kill_at(step))
    model, steps = SPEC.build(0), []
    log = run(model, checkpoint_folder=tmp_path, save_every=save_every, progress=lambda done, _: steps.append(done))
    assert steps[0] == {None: 16, 1: 17, 3: 16}[save_every]
    chex.assert_trees_all_equal(arrays_of(model), arrays_of(trained[0]))
    chex.assert_trees_all_equal(log, trained[1])


def test_a_run_killed_in_its_callback_calls_it_again(trained, tmp_path):
    calls = []

    def once(epoch, model, log):
        calls.append(epoch)
        if calls == [1, 2]:
            raise Killed

    with pytest.raises(Killed):
        run(SPEC.build(0), checkpoint_folder=tmp_path, on_epoch=once)
    model = SPEC.build(0)
    run(model, checkpoint_folder=tmp_path, on_epoch=once)
    assert calls == [1, 2, 2, 3, 4]
    chex.assert_trees_all_equal(arrays_of(model), arrays_of(trained[0]))


def test_a_step_that_was_being_written_is_cleared_away_in_silence(trained, tmp_path, capfd):
    run(SPEC.build(0), epochs=1, checkpoint_folder=tmp_path)
    (tmp_path / "10.orbax-checkpoint-tmp").mkdir()
    model = SPEC.build(0)
    run(model, checkpoint_folder=tmp_path)
    chex.assert_trees_all_equal(arrays_of(model), arrays_of(trained[0]))
    assert training.saved_steps(tmp_path) == [20]
    assert capfd.readouterr().err == ""


def test_a_finished_run_is_only_read(trained, tmp_path):
    run(SPEC.build(0), checkpoint_folder=tmp_path)
    model, steps = SPEC.build(0), []
    log = run(model, checkpoint_folder=tmp_path, progress=lambda *step: steps.append(step))
    assert steps == []
    chex.assert_trees_all_equal(arrays_of(model), arrays_of(trained[0]))
    chex.assert_trees_all_equal(log, trained[1])


def test_a_run_can_be_made_longer(trained, tmp_path):
    run(SPEC.build(0), steps=8, checkpoint_folder=tmp_path)
    model = SPEC.build(0)
    log = run(model, checkpoint_folder=tmp_path)
    chex.assert_trees_all_equal(arrays_of(model), arrays_of(trained[0]))
    chex.assert_trees_all_equal(log, trained[1])


def test_a_longer_run_is_not_cut(tmp_path):
    run(SPEC.build(0), epochs=2, checkpoint_folder=tmp_path)
    with pytest.raises(ValueError, match="holds 10 steps of this run, more than the 5 asked"):
        run(SPEC.build(0), epochs=1, checkpoint_folder=tmp_path)


def test_kept_checkpoints_can_be_read_one_by_one(tmp_path):
    seen = {}
    run(
        SPEC.build(0),
        epochs=3,
        checkpoint_folder=tmp_path,
        keep=None,
        extra={"data": "toy"},
        on_epoch=lambda epoch, model, log: seen.update({5 * epoch: arrays_of(model)}),
    )
    assert training.saved_steps(tmp_path) == [5, 10, 15]
    for step in seen:
        spec, model, extra = training.load_network(tmp_path, step=step)
        chex.assert_trees_all_equal(arrays_of(model), seen[step])
    assert (spec, extra) == (SPEC, {"data": "toy"})
    with pytest.raises(ValueError, match="no checkpoint of step 7: it has 5, 10, 15"):
        training.load_network(tmp_path, step=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": jax.random.key(9)}, r"another training run \(run\.key: \[0, 3\] there, \[0, 9\] here\)"),
        ({"batch_size": 10}, r"another training run \(run\.batch_size: .* there, 10 here\)"),
        ({"data": (X, Y)}, r"another training run \(run\.data: "),
        ({"spec": networks.NetworkSpec("mlp", (4,), 2)}, r"another training run \(spec\."),
        ({"optimizer": optax.adam(0.2)}, r"another training run \(run\.optimizer: "),
        ({"augment": lambda key, x: x + 1}, r"another training run \(run\.augment: null there"),
        ({"loss": lambda model, x, y, key: training.cross_entropy(model, x, y, key) * 2}, r"run\.loss: "),
    ],
)
def test_a_folder_of_another_run_is_refused(tmp_path, options, message):
    run(SPEC.build(0), epochs=1, checkpoint_folder=tmp_path)
    with pytest.raises(ValueError, match=message):
        run(SPEC.build(0), epochs=1, checkpoint_folder=tmp_path, **options)


def test_a_folder_of_another_network_is_refused(tmp_path):
    run(SPEC.build(0), epochs=1, checkpoint_folder=tmp_path, spec=None)
    other = networks.build("mlp", (4,), 2, hidden=(7,))
    with pytest.raises(ValueError, match=r"another training run \(run\.start: "):
        run(SPEC.build(1), epochs=1, checkpoint_folder=tmp_path, spec=None)
    with pytest.raises(ValueError, match=r"another training run \(run\.start: "):
        run(other, epochs=1, checkpoint_folder=tmp_path, spec=None)
    with pytest.raises(ValueError, match="without a spec"):
        training.load_network(tmp_path)


def test_a_network_survives_the_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = networks.build("resnet20", (4, 4, 1), 3, depth=8, width=2, seed=7)
    model.norm.mean[...] = jnp.array([1.5, 2.5])
    spec = networks.NetworkSpec("resnet20", (4, 4, 1), 3, {"depth": 8, "width": 2})
    training.save_network("network", spec, model, extra={"accuracy": 0.5})
    found, again, extra = training.load_network(tmp_path / "network", expect=spec)
    assert (found, extra) == (spec, {"accuracy": 0.5})
    chex.assert_trees_all_equal(arrays_of(again), arrays_of(model))
    assert again.norm.use_running_average


def test_saving_again_replaces_the_network(tmp_path):
    for seed in (1, 2):
        training.save_network(tmp_path, SPEC, SPEC.build(seed))
    _, model, _ = training.load_network(tmp_path)
    chex.assert_trees_all_equal(parameters(model), parameters(SPEC.build(2)))
    assert len(training.saved_steps(tmp_path)) == 1


def test_another_network_than_expected_is_refused(tmp_path):
    training.save_network(tmp_path, SPEC, SPEC.build(0))
    with pytest.raises(ValueError, match=r"another network: .*hidden.*expected"):
        training.load_network(tmp_path, expect=networks.NetworkSpec("mlp", (4,), 2))


def test_a_network_that_its_spec_does_not_build_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not what its spec"):
        training.save_network(tmp_path, networks.NetworkSpec("mlp", (4,), 2), SPEC.build(0))


def test_saved_networks_and_runs_do_not_mix(tmp_path):
    training.save_network(tmp_path / "network", SPEC, SPEC.build(0))
    run(SPEC.build(0), epochs=1, checkpoint_folder=tmp_path / "run")
    with pytest.raises(ValueError, match="no training run"):
        run(SPEC.build(0), epochs=1, checkpoint_folder=tmp_path / "network")
    with pytest.raises(ValueError, match="holds the checkpoints of a training run"):
        training.save_network(tmp_path / "run", SPEC, SPEC.build(0))


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_a_checkpoint_is_told(tmp_path, exists):
    with pytest.raises(ValueError, match="holds no checkpoint"):
        training.load_network(tmp_path if exists else tmp_path / "nowhere")


def about_path(folder):
    return next(folder.glob("*/about/metadata"))


def cut_arrays(folder):
    for path in folder.glob("*/model/**/d/*"):
        os.truncate(path, path.stat().st_size // 2)


def change_spec(folder):
    about = json.loads(about_path(folder).read_text())
    about["spec"]["options"]["hidden"] = [9]
    about_path(folder).write_text(json.dumps(about))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_arrays, "step 0, is damaged"),
        (lambda folder: about_path(folder).write_text("{"), "is damaged"),
        (lambda folder: about_path(folder).write_text("{}"), "no checkpoint of interjax"),
        (lambda folder: about_path(folder).unlink(), "is damaged"),
        (change_spec, "another network: .* is float32.6. there and float32.9. here"),
    ],
)
def test_a_damaged_checkpoint_is_told(tmp_path, damage, message):
    training.save_network(tmp_path, SPEC, SPEC.build(0))
    damage(tmp_path)
    with pytest.raises(ValueError, match=message):
        training.load_network(tmp_path)


def test_accuracy_counts_every_input_once(trained):
    model = trained[0]
    model.eval()
    expected = np.mean(np.asarray(model(X)).argmax(axis=1) == Y)
    model.train()
    for batch_size in (1, 7, 50, 500):
        assert training.accuracy(model, X, Y, batch_size=batch_size) == pytest.approx(expected)


def test_logits_that_are_nan_count_as_wrong_and_are_told():
    apply = lambda x: jnp.where(x[:, :1] > 0, jnp.nan, 1.0) * jnp.array([[2.0, 1.0]])  # noqa: E731
    x, y = np.array([[1.0], [-1.0], [-1.0], [1.0]]), np.zeros(4, int)  # argmax gives class 0 to NaN
    with pytest.warns(UserWarning, match="the logits of 2 of 4 inputs are NaN"):
        assert training.accuracy(apply, x, y) == 0.5
    with pytest.warns(UserWarning, match="the logits of 2 of 4 inputs are NaN"):
        assert sorted(training.correctly_classified(apply, x, y, count=2, key=KEY)) == [1, 2]


def test_accuracy_needs_inputs():
    with pytest.raises(ValueError, match="x and y must be inputs"):
        training.accuracy(SPEC.build(0), X[:0], Y[:0])


def test_correctly_classified_inputs_are_balanced(trained):
    model = trained[0]
    rows = training.correctly_classified(model, X, Y, count=9, key=KEY, batch_size=8)
    assert len(set(rows.tolist())) == 9
    assert training.accuracy(model, X[rows], Y[rows]) == 1.0
    assert abs(np.bincount(Y[rows]) - 4.5).max() == 0.5
    np.testing.assert_array_equal(rows, training.correctly_classified(model, X, Y, count=9, key=KEY, batch_size=8))


def test_too_few_correct_inputs_are_told(trained):
    with pytest.warns(UserWarning, match="only .* of 1000 inputs"):
        rows = training.correctly_classified(trained[0], X, Y, count=1000, key=KEY)
    assert len(rows) == round(50 * training.accuracy(trained[0], X, Y))
    wrong = np.setdiff1d(np.arange(50), rows)
    with pytest.raises(ValueError, match=r"none of .* inputs correctly"):
        training.correctly_classified(trained[0], X[wrong], Y[wrong], count=1, key=KEY)


def test_the_default_plan_learns_the_digits():
    data = datasets.digits()
    plan = training.default_plan(data)
    model = plan.spec.build(0)
    log = training.train(model, data, key=KEY, optimizer=plan.optimizer, epochs=plan.epochs, batch_size=plan.batch_size)
    assert log.test_accuracy[-1] >= 0.95


def test_equal_plans_share_their_optimizer_and_so_compiled_steps():
    for network in ("mlp", "resnet20"):
        data = datasets.Dataset(np.zeros((4, 8, 8, 3)), [0, 1] * 2, np.zeros((2, 8, 8, 3)), [0, 1], "toy", ("a", "b"))
        first, again, longer = (training.default_plan(data, network=network, epochs=epochs) for epochs in (2, 2, 3))
        assert first.optimizer is again.optimizer
        assert first.optimizer is not longer.optimizer


def test_default_plans_suit_the_inputs():
    colour = np.zeros((4, 32, 32, 3), np.float32)
    grey = np.zeros((4, 28, 28, 1), np.float32)
    plans = [
        training.default_plan(datasets.Dataset(x, [0, 1, 0, 1], x, [0, 1, 0, 1], "toy", ("a", "b")))
        for x in (colour, grey)
    ]
    assert [plan.spec.name for plan in plans] == ["alexnet", "mlp"]
    assert plans[0].augment is training.flip_and_crop
    assert plans[0].epochs == 200


def test_a_plan_takes_another_network_and_length():
    plan = training.default_plan(DATA, epochs=3)
    assert plan.epochs == 3
    with pytest.raises(ValueError, match="network must be one of"):
        training.default_plan(DATA, network="lstm")
    with pytest.raises(ValueError, match=r"input_shape must be \(height, width, channels\) for lenet, got \(4,\)"):
        training.default_plan(DATA, network="lenet").spec.build()


@pytest.mark.slow
@pytest.mark.parametrize(("network", "least"), [("mlp", 0.97), ("lenet", 0.98)])
def test_mnist_is_learned(data_folder, network, least):
    data = datasets.mnist(data_folder / "mnist")
    plan = training.default_plan(data, network=network)
    log = training.train(
        plan.spec.build(0),
        data,
        key=KEY,
        optimizer=plan.optimizer,
        epochs=plan.epochs,
        batch_size=plan.batch_size,
    )
    assert log.test_accuracy[-1] >= least


class Switched(nnx.Module):
    """Dropout that is off unless the caller says train=True."""

    def __init__(self):
        self.linear, self.dropout = nnx.Linear(2, 2, rngs=nnx.Rngs(0)), nnx.Dropout(0.5, rngs=nnx.Rngs(1))

    def __call__(self, x, train=False):
        return self.dropout(self.linear(x), deterministic=not train)


def test_a_switch_that_stays_off_in_training_is_told():
    x, y = np.ones((4, 2), np.float32), np.array([0, 1, 0, 1])
    how = {"key": jax.random.key(0), "optimizer": optax.sgd(0.1), "steps": 1, "batch_size": 4}
    with pytest.warns(UserWarning, match="Switched is called with train=False, its default, also in training"):
        training.train(Switched(), (x, y), **how)
    own = lambda model, x, y, key: model(x, train=True).sum(axis=1)  # noqa: E731
    training.train(Switched(), (x, y), loss=own, **how)


class Activated(nnx.Module):
    def __init__(self, activation):
        rngs = nnx.Rngs(0)
        self.first, self.second = nnx.Linear(4, 8, rngs=rngs), nnx.Linear(8, 2, rngs=rngs)
        self.activation = activation

    def __call__(self, x):
        return self.second(self.activation(self.first(x)))


def helper(scale):
    return lambda z, y: scale * optax.softmax_cross_entropy_with_integer_labels(z, y)


HELD = {"loss": helper(1.0), "scale": 1.0}


def calls_a_function_of_the_module(model, x, y, key):
    return HELD["loss"](model(x), y)


def multiplies_by_a_number_of_the_module(model, x, y, key):
    return HELD["scale"] * helper(1.0)(model(x), y)


def with_a_list(scales):
    return lambda model, x, y, key: scales[0] * helper(1.0)(model(x), y)


@pytest.mark.parametrize(
    ("first", "second", "change"),
    [
        ({"activation": jnp.tanh}, {"activation": lambda z: 5 * nnx.relu(z)}, {}),
        ({"loss": calls_a_function_of_the_module}, {}, {"loss": helper(50.0)}),
        ({"loss": multiplies_by_a_number_of_the_module}, {}, {"scale": -1.0}),
        ({"loss": with_a_list([1.0])}, {"loss": with_a_list([50.0])}, {}),
    ],
    ids=["activation", "helper", "global", "list"],
)
def test_a_run_that_computes_something_else_is_refused(tmp_path, monkeypatch, first, second, change):
    x = np.random.default_rng(0).normal(size=(32, 4)).astype(np.float32)

    def train(activation=jnp.tanh, loss=None):
        how = {"key": jax.random.key(0), "optimizer": optax.sgd(0.01), "epochs": 2, "batch_size": 16, "loss": loss}
        return training.train(Activated(activation), (x, np.arange(32) % 2), checkpoint_folder=tmp_path, **how).loss

    told = train(**first)
    np.testing.assert_array_equal(train(**first), told)
    for name, value in change.items():
        monkeypatch.setitem(HELD, name, value)
    with pytest.raises(ValueError, match=r"holds another training run \(.*run.computes: "):
        train(**first | second)
