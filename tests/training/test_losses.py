"""Training with modulated losses: BatchNorm and Dropout, one compile, exact resume; checkpoints at chosen steps."""

import json
from functools import partial

import chex
import jax
import numpy as np
import optax
import pytest
from flax import nnx
from support.running import Killed, arrays_of, kill_at

import interjax as ij
from interjax import training
from interjax.training import _loop
from interjax.training._losses import PRESETS, ModulatedCrossEntropy
from interjax.training._schedule import log_spaced_steps

KEY = jax.random.key(3)
SPEC = ij.networks.NetworkSpec("mlp", (6,), 2, {"hidden": (6,), "dropout": 0.3})
X = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(np.int32)
PLAYERS = ij.Players.features(6)
LOSS = ModulatedCrossEntropy(PLAYERS, **PRESETS["high-order"])


def run(model, **options):
    defaults = {"key": KEY, "optimizer": optax.sgd(0.1), "batch_size": 8, "spec": SPEC, "loss": LOSS, "epochs": 4}
    return training.train(model, (X, Y), **(defaults | options))


class Normed(nnx.Module):
    def __init__(self, rngs):
        self.first, self.norm = nnx.Linear(6, 8, rngs=rngs), nnx.BatchNorm(8, rngs=rngs)
        self.dropout, self.last = nnx.Dropout(0.5, rngs=rngs), nnx.Linear(8, 2, rngs=rngs)

    def __call__(self, x):
        return self.last(self.dropout(nnx.relu(self.norm(self.first(x)))))


def test_masked_inputs_leave_batch_statistics_alone():
    """After one step they are those of plain training, which saw the same batch with the same weights."""
    plain, steered = Normed(nnx.Rngs(0)), Normed(nnx.Rngs(0))
    run(plain, loss=None, epochs=None, steps=1)
    run(steered, epochs=None, steps=1)
    np.testing.assert_allclose(steered.norm.mean[...], plain.norm.mean[...], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(steered.norm.var[...], plain.norm.var[...], rtol=1e-6)
    assert not np.allclose(steered.first.kernel[...], plain.first.kernel[...])


def test_batch_norm_and_dropout_train_and_are_left_in_their_mode():
    model = Normed(nnx.Rngs(0))
    log = run(model, epochs=20)
    assert np.all(np.isfinite(log.loss))
    assert log.loss[-1] < log.loss[0]
    assert not model.norm.use_running_average
    assert not model.dropout.deterministic


def test_the_total_is_cross_entropy_plus_the_weighted_modulation():
    model = SPEC.build(0)
    model.eval()
    plain = training.cross_entropy(model, X, Y, KEY)
    term = nnx.jit(partial(ij.losses.order_modulation, players=PLAYERS, **PRESETS["mid-order"]))(KEY, model, X, Y)
    found = nnx.jit(ModulatedCrossEntropy(PLAYERS, **PRESETS["mid-order"], weight=0.5))(model, X, Y, KEY)
    np.testing.assert_allclose(found, plain + 0.5 * term, rtol=1e-6)


def test_one_compilation_serves_equal_losses():
    cached = _loop._make_update.cache_info
    run(SPEC.build(0), epochs=1)
    before = cached().misses
    run(SPEC.build(1), epochs=1, loss=ModulatedCrossEntropy(ij.Players.features(6), **PRESETS["high-order"]))
    assert cached().misses == before
    run(SPEC.build(1), epochs=1, loss=ModulatedCrossEntropy(PLAYERS, **PRESETS["high-order"], weight=2.0))
    assert cached().misses == before + 1


def test_orders_steered_one_by_one_train_and_share_steps():
    options = {"orders": [0, 2, 4], "weights": np.array([0.0, 0.0, 1.0]), "weight": 0.5}
    losses = [training.OrderWeightedCrossEntropy(ij.Players.features(6), **options) for _ in range(2)]
    assert losses[0] == losses[1]
    assert losses[0] != LOSS
    model = SPEC.build(0)
    model.eval()
    chosen = {"orders": [0, 2, 4], "weights": [0.0, 0.0, 1.0], "relative": True}
    term = nnx.jit(partial(ij.losses.order_weighted, players=PLAYERS, **chosen))(KEY, model, X, Y)
    expected = training.cross_entropy(model, X, Y, KEY) + 0.5 * term
    np.testing.assert_allclose(nnx.jit(losses[0])(model, X, Y, KEY), expected, rtol=1e-5)
    assert np.all(np.isfinite(run(SPEC.build(0), loss=losses[0]).loss))


@pytest.mark.parametrize(
    ("changed", "equal"),
    [({}, True), ({"weight": 2.0}, False), ({"baseline": np.zeros(6)}, False), ({"high": 0.8}, False)],
)
def test_losses_are_equal_by_their_settings(changed, equal):
    options = {"players": ij.Players.features(6), **PRESETS["high-order"]}
    assert (ModulatedCrossEntropy(**options) == ModulatedCrossEntropy(**(options | changed))) is equal
    baseline = {"baseline": np.ones(6)}
    assert hash(ModulatedCrossEntropy(**options, **baseline)) == hash(ModulatedCrossEntropy(**options, **baseline))


def test_a_killed_steered_run_resumes_bit_for_bit(tmp_path):
    whole, killed = SPEC.build(0), SPEC.build(0)
    options = {"save_at": [0, 3, 13], "keep": None}
    log = run(whole, checkpoint_folder=tmp_path / "whole", metrics=tmp_path / "whole.jsonl", **options)
    for step in (7, 16):
        with pytest.raises(Killed):
            run(
                SPEC.build(0),
                checkpoint_folder=tmp_path / "killed",
                metrics=tmp_path / "killed.jsonl",
                progress=kill_at(step),
                **options,
            )
    again = run(killed, checkpoint_folder=tmp_path / "killed", metrics=tmp_path / "killed.jsonl", **options)
    chex.assert_trees_all_equal(arrays_of(killed), arrays_of(whole))
    np.testing.assert_array_equal(again.loss, log.loss)
    assert (tmp_path / "killed.jsonl").read_text() == (tmp_path / "whole.jsonl").read_text()
    assert training.saved_steps(tmp_path / "killed") == [0, 3, 13, 20]


def test_a_folder_of_another_loss_is_refused(tmp_path):
    run(SPEC.build(0), epochs=1, checkpoint_folder=tmp_path)
    other = ModulatedCrossEntropy(PLAYERS, **PRESETS["low-order"])
    with pytest.raises(ValueError, match="another training run"):
        run(SPEC.build(0), epochs=2, checkpoint_folder=tmp_path, loss=other)
    with pytest.raises(ValueError, match="another training run"):
        run(SPEC.build(0), epochs=2, checkpoint_folder=tmp_path, loss=None)


def test_checkpoints_are_where_they_were_asked_for_and_are_told(tmp_path):
    told = {}
    run(
        SPEC.build(0),
        checkpoint_folder=tmp_path,
        keep=None,
        save_at=[0, 2, 5],
        save_every=8,
        on_checkpoint=lambda step, model: told.update({step: arrays_of(model)}),
    )
    assert training.saved_steps(tmp_path) == [0, 2, 5, 8, 16, 20] == list(told)
    for step, found in told.items():
        chex.assert_trees_all_equal(arrays_of(training.load_network(tmp_path, step=step)[1]), found)
    chex.assert_trees_all_equal(told[0], arrays_of(SPEC.build(0)))


def test_checkpoints_are_told_without_a_folder_too():
    told = []
    run(SPEC.build(0), save_at=[1, 4], on_checkpoint=lambda step, model: told.append(step))
    assert told == [1, 4, 20]


def test_metrics_are_lines_of_json(tmp_path):
    data = ij.datasets.Dataset(X[:30], Y[:30], X[30:], Y[30:], "toy", ("no", "yes"))
    options = {"key": KEY, "optimizer": optax.sgd(0.1), "batch_size": 10, "epochs": 2}
    log = training.train(SPEC.build(0), data, metrics=tmp_path / "deep" / "metrics.jsonl", **options)
    lines = [json.loads(line) for line in (tmp_path / "deep" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 6]
    assert [line["loss"] for line in lines] == log.loss.tolist()
    assert [line["test_accuracy"] for line in lines] == log.test_accuracy.tolist()


def test_metrics_hold_an_epoch_that_ended_in_nan(tmp_path):
    def broken(model, x, y, key):
        return training.cross_entropy(model, x, y, key) / 0.0

    with pytest.warns(UserWarning, match="the loss is nan"):
        run(SPEC.build(0), loss=broken, metrics=tmp_path / "metrics.jsonl")
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"epoch": 1, "step": 5, "loss": None}


def test_a_finished_run_writes_its_metrics_again(tmp_path):
    for _ in range(2):
        run(SPEC.build(0), checkpoint_folder=tmp_path / "run", metrics=tmp_path / "metrics.jsonl")
        assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 4
        (tmp_path / "metrics.jsonl").unlink()


@pytest.mark.parametrize(("steps", "count"), [(1000, 5), (7, 20), (1, 2), (640, 2), (640, 10)])
def test_log_spaced_steps_begin_and_end_the_run(steps, count):
    found = log_spaced_steps(steps, count)
    assert found[0] == 0
    assert found[-1] == steps
    assert len(found) <= count
    assert list(found) == sorted(set(found))


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: run(SPEC.build(0), save_at=[21]), r"save_at must be .* from 0 to 20, steps .* of this run; got 21"),
        (lambda: run(SPEC.build(0), save_at=[1.5]), r"save_at must be .* got 1.5"),
        (lambda: log_spaced_steps(0, 4), "steps must be an integer of at least 1"),
        (lambda: log_spaced_steps(10, 1), "count must be an integer of at least 2, .* got 1"),
        (lambda: ModulatedCrossEntropy(PLAYERS, mode="penalize", low=0.5, high=0.2), "0 <= low < high"),
        (
            lambda: ModulatedCrossEntropy(PLAYERS, **PRESETS["low-order"], weight=-1.0),
            r"weight must be a number in \[0, inf\), .* got -1",
        ),
        (
            lambda: training.OrderWeightedCrossEntropy(PLAYERS, (0, 1), (1.0,)),
            "weights must be one for each order, got shape \\(1,\\)",
        ),
    ],
)
def test_bad_arguments_are_told(act, message):
    with pytest.raises(ValueError, match=message):
        act()


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["low-order", "mid-order", "high-order"])
def test_steered_orders_change_as_they_should(preset):
    """On the digits, one network each: the mean J over the steered orders, beyond three standard errors."""
    data = ij.datasets.digits()
    plan = training.default_plan(data)
    players = ij.Players.grid((8, 8, 1), (8, 8))
    networks = {}
    for name in ("normal", preset):
        loss = ModulatedCrossEntropy(players, **PRESETS[name]) if PRESETS[name] else None
        networks[name] = plan.spec.build(0)
        training.train(networks[name], data, key=KEY, optimizer=plan.optimizer, epochs=plan.epochs, loss=loss)
    chosen = training.correctly_classified(list(networks.values()), data.train_x, data.train_y, count=30, key=KEY)
    x, y = data.train_x[chosen], data.train_y[chosen]
    found = {name: ij.order_profile(KEY, ij.masked_games(one, x, y, players=players)) for name, one in networks.items()}
    share = found[preset].orders / 64
    band = (share >= PRESETS[preset]["low"]) & (share <= PRESETS[preset]["high"])
    change = found[preset].strength[band].mean() - found["normal"].strength[band].mean()
    stderr = np.hypot(found[preset].stderr[band].mean(), found["normal"].stderr[band].mean())
    assert change * (1 if PRESETS[preset]["mode"] == "encourage" else -1) > 3 * stderr
