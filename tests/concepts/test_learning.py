"""Concepts of networks: players by rule and from files, tables of many games, and how concepts are learned."""

import dataclasses
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from support.running import Killed, kill_at

import interjax as ij
from interjax._engine import _folders, _rows
from interjax._engine._rows import Resources
from interjax.concepts._learning._learning import checkpoint_concepts
from interjax.concepts._learning._paths import concept_paths, detour
from interjax.concepts._learning._phases import phases
from interjax.concepts._players import choose_players
from interjax.concepts._tables import concept_tables
from interjax.datasets._dataset import Dataset
from interjax.games import _tabulate


def images(side=8, channels=1, examples=40):
    """Images that are constant except in the top left cell of 4x4 and, less, in the bottom right one."""
    random = np.random.default_rng(0)
    x = np.full((examples, side, side, channels), 0.5)
    x[:, :2, :2] += random.normal(size=(examples, 2, 2, channels))
    x[:, -2:, -2:] += 0.1 * random.normal(size=(examples, 2, 2, channels))
    return Dataset(x, np.arange(examples) % 2, x[:4], [0, 1, 0, 1], "squares", ("a", "b"))


def table(rows=300):
    """Column 0: noise; 1: a category that tells the class; 2: a number that tells it in part; 3: constant."""
    random = np.random.default_rng(1)
    y = random.integers(0, 2, rows)
    x = np.zeros((rows, 5))
    x[:, 0] = random.normal(size=rows)
    x[np.arange(rows), 1 + y] = 1
    x[:, 3] = y + random.normal(size=rows)
    labels, names = np.array([0, 1, 1, 2, 3]), ("noise", "answer", "hint", "constant")
    return Dataset(x, y, x[:4], y[:4], "toy", ("no", "yes"), player_labels=labels, player_names=names)


def test_the_cells_of_most_contrast_are_players_and_the_rest_is_always_present():
    players, names = choose_players(images(), cells=4, count=2)
    assert names == ("r0c0", "r3c3")
    expected = np.full((8, 8, 1), -1)
    expected[:2, :2], expected[-2:, -2:] = 0, 1
    np.testing.assert_array_equal(players.labels, expected)


def test_contrast_is_the_mean_deviation_of_a_cell_of_any_size():
    x = np.random.default_rng(2).gamma(1.0, size=(30, 7, 7, 2)) * np.random.default_rng(3).random((1, 7, 7, 1))
    data = Dataset(x, np.arange(30) % 2, x, np.arange(30) % 2, "random", ("a", "b"))
    deviation, edges = np.abs(x - x.mean(axis=0)).mean(axis=0), [0, 3, 5, 7]  # cells of 3, 2 and 2 pixels
    scores = {}
    for row, column in np.ndindex(3, 3):
        cell = deviation[edges[row] : edges[row + 1], edges[column] : edges[column + 1]]
        scores[f"r{row}c{column}"] = cell.mean()
    best = sorted(sorted(scores, key=scores.__getitem__)[-3:])
    assert list(choose_players(data, cells=3, count=3)[1]) == best


def test_the_cells_nearest_the_centre_are_players():
    assert choose_players(images(), cells=4, count=4, rule="centre")[1] == ("r1c1", "r1c2", "r2c1", "r2c2")
    assert choose_players(images(), cells=(3, 5), count=3, rule="centre")[1] == ("r1c1", "r1c2", "r1c3")


def test_all_cells_are_players_on_request_and_twelve_by_default():
    assert choose_players(images(), cells=(4, 4), rule="all")[0].n == 16
    players, names = choose_players(images(side=28, channels=3))
    assert players.n == len(names) == 12
    assert np.bincount(players.labels[players.labels >= 0]).tolist() == [4 * 4 * 3] * 12  # 7 cells a side


def test_the_columns_that_tell_the_classes_apart_are_players():
    players, names = choose_players(table(), count=2)
    assert names == ("answer", "hint")
    assert players.labels.tolist() == [-1, 0, 0, 1, -1]


def test_a_small_table_keeps_all_columns_in_order():
    players, names = choose_players(table())
    assert names == ("noise", "answer", "hint", "constant")
    assert players == ij.Players.segments([0, 1, 1, 2, 3])


def test_a_table_without_names_numbers_its_columns():
    x, y = np.arange(12.0).reshape(4, 3), [0, 1, 0, 1]
    assert choose_players(Dataset(x, y, x, y, "bare", ("a", "b")))[1] == ("column 0", "column 1", "column 2")


def test_the_real_adult_keeps_the_columns_that_income_depends_on(data_folder):
    data = ij.datasets.adult(data_folder / "adult" / "adult.csv.gz")
    _, names = choose_players(data)
    assert len(names) == 12
    assert {"education-num", "marital-status", "age", "capital-gain"} <= set(names)
    assert "fnlwgt" not in names


LABELS = np.where(np.arange(64).reshape(8, 8) < 32, np.arange(64).reshape(8, 8) % 3, -1)


def write(folder, kind, labels):
    path = folder / f"players.{kind}"
    if kind == "npy":
        np.save(path, labels)
    elif kind == "npz":
        np.savez(path, labels=labels, note=np.zeros(2))
    elif kind == "json":
        path.write_text(json.dumps(labels.tolist()))
    else:
        np.savetxt(path, labels, fmt="%d", delimiter=",")
    return path


@pytest.mark.parametrize("kind", ["npy", "npz", "json", "csv"])
def test_a_file_names_the_player_of_each_pixel(tmp_path, kind):
    players, names = choose_players(images(), players_file=write(tmp_path, kind, LABELS))
    assert names == ("segment 0", "segment 1", "segment 2")
    np.testing.assert_array_equal(players.labels[..., 0], LABELS)


def test_a_file_names_the_group_of_each_column(tmp_path):
    players, _ = choose_players(table(), players_file=write(tmp_path, "csv", np.array([[1, 0, 0, -1]])))
    assert players.labels.tolist() == [1, 0, 0, 0, -1]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("players.txt", "0", "players_file must end in .npy, .npz, .json, .csv"),
        ("players.csv", "0,1\n2", "cannot be read as players"),
        ("players.csv", "0.5,1", "cannot be read as players"),
        ("players.json", "[[0, 1], [0", "cannot be read as players"),
        ("players.json", "[[0.0, 1.0]]", "expected integers"),
        ("players.npy", "no numbers", "cannot be read as players"),
        ("players.npz", "no archive", "cannot be read as players"),
        ("players.csv", "0,1\n2,3", r"input's shape \(8, 8, 1\); got shape \(2, 2\)"),
    ],
)
def test_a_bad_file_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        choose_players(images(), players_file=tmp_path / name)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.where(LABELS == 1, 3, LABELS), "players.csv: labels must give every player"),
        (np.full((8, 8), -1), "players.csv: labels must give every player"),
        (np.arange(64).reshape(8, 8), r"64 players have 2\*\*64 .* ij.concepts.sparse_concepts"),
    ],
)
def test_labels_that_make_no_players_are_refused(tmp_path, labels, message):
    with pytest.raises(ValueError, match=message):
        choose_players(images(), players_file=write(tmp_path, "csv", labels))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        choose_players(images(), players_file=tmp_path / "players.csv")


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (images, {"rule": "random"}, "one of contrast, centre, all; got 'random'"),
        (images, {"count": 21}, "end at 20 players.*sparse_concepts"),
        (images, {"cells": 7, "rule": "all"}, "49 players have.*sparse_concepts"),
        (images, {"cells": 4, "rule": "all", "count": 3}, "takes all 16 players"),
        (images, {"count": 0}, "count must be an integer of at least 1"),
        (images, {"cells": 9}, "cells along axis 0 must be from 1 to its 8 entries, got 9"),
        (table, {"rule": "centre"}, "for the table toy, .* got rule='centre', cells=None"),
        (table, {"cells": 2}, "for the table toy, .* cells=2"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(data, options, message):
    with pytest.raises(ValueError, match=message):
        choose_players(data(), **options)


WEIGHTS = np.random.default_rng(5).normal(size=(6, 3)).astype(np.float32)
X = np.random.default_rng(6).normal(size=(7, 6)).astype(np.float32)
Y = np.array([2, 0, 0, 1, 2, 2, 1])
SIX = ij.Players.features(6)


def small(weights, x):
    return jnp.tanh(x @ weights) + x[:, :3] * x[:, 3:]


def tables(model=(small, WEIGHTS), x=X, labels=Y, **options):
    return concept_tables(model, x, labels, **({"players": SIX} | options))


def one_by_one(model=(small, WEIGHTS), x=X, labels=Y, **options):
    return np.stack([ij.tabulate(game) for game in ij.masked_games(model, x, labels, **({"players": SIX} | options))])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"baseline": X[0], "output": ij.prob},
        {"baseline": ij.marginal(X[:3])},
        {"players": ij.Players.segments([0, 0, 1, -1, 2, 1])},
        {"output": lambda logits, label: logits[label] ** 2},
    ],
)
def test_tables_are_those_of_each_game_alone(options):
    np.testing.assert_allclose(tables(**options), one_by_one(**options), rtol=1e-5, atol=1e-6)


def test_a_table_holds_the_value_of_each_masked_input():
    found = tables(output=ij.logit)
    bits = (np.arange(64)[:, None] >> np.arange(6)) & 1
    for table, x, label in zip(found, X, Y, strict=True):
        np.testing.assert_allclose(table, small(WEIGHTS, bits * x[None].astype(np.float32))[:, label], atol=1e-5)


def test_more_inputs_than_fit_one_call_of_an_image_network():
    network = ij.networks.build("mlp", (12, 12, 1), 3, hidden=(16,))
    x = np.random.default_rng(0).normal(size=(40, 12, 12, 1)).astype(np.float32)
    players = ij.Players.grid((12, 12, 1), (2, 2))
    seen = []
    found = tables(network, x, Y[np.arange(40) % 7], players=players, progress=lambda *done: seen.append(done))
    expected = one_by_one(network, x[::13], Y[np.arange(0, 40, 13) % 7], players=players)
    np.testing.assert_allclose(found[::13], expected, rtol=1e-4, atol=1e-5)
    assert seen == [(20, 40), (40, 40)]


@pytest.mark.parametrize("folds", [False, True])
@pytest.mark.parametrize(("rows", "at_once"), [(16, 1), (64, 1), (16, 4), (64, 4)])  # coalitions, inputs at once
def test_coalitions_at_once_do_not_change_the_tables(rows, at_once, folds):
    network = ij.networks.build("mlp", (6,), 3, hidden=(8,), activation="tanh")
    games = ij.masked_games(network, X, Y, players=SIX, fold=folds)
    outputs = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(game.params.output for game in games))
    function, fixed = _tabulate._ValuesOfInputs(folds, at_once), (games[0], jnp.asarray(X), outputs)
    program = _tabulate._program(function, fixed, 6, Resources(batch_size=rows))
    found = program.dispatch(2**6, _tabulate._numbers_from(0))().T
    np.testing.assert_allclose(found, np.stack([ij.tabulate(game) for game in games]), rtol=1e-5, atol=1e-6)


def test_no_new_weights_or_inputs_compile_again():
    tables()
    before = _rows.compute_rows._cache_size()
    tables(model=(small, 2 * WEIGHTS), x=X[::-1])
    assert _rows.compute_rows._cache_size() == before


def test_tables_keep_nan_and_name_the_inputs():
    x = X.copy()
    x[4, 0] = np.nan
    with pytest.warns(UserWarning, match="NaN or infinite, those of inputs 4: "):
        found = tables(x=x)
    assert np.isnan(found[4, 1::2]).all()
    assert np.isfinite(found[4, ::2]).all()
    np.testing.assert_allclose(found[:4], one_by_one(x=X[:4], labels=Y[:4]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": Y[:3]}, "labels must be class indices, integers of shape \\(7,\\)"),
        ({"x": X[:0], "labels": Y[:0]}, "x must be inputs .*, at least one"),
        ({"labels": Y / 2}, "labels must be class indices, .* got float64"),
        ({"labels": Y + 1}, "label must be a class number from 0 to 2"),
        ({"x": X[:, :5]}, r"players partition, \(6,\); got"),
        ({"players": ij.Players.features(21)}, "at most 20 are tabulated.*sparse_concepts"),
    ],
)
def test_games_that_cannot_be_tabulated_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tables(**options)


KEY = jax.random.key(11)
# The inputs are rows of +-1 and 0 the baseline, so that a product over a coalition is the effect of that coalition.
SIGNS = np.random.default_rng(8).choice([-1.0, 1.0], size=(60, 4)).astype(np.float32)
FOUR = Dataset(SIGNS, np.arange(60) % 2, SIGNS[::-1], np.arange(60) % 2, "signs", ("no", "yes"))
COALITIONS = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1]], bool)  # indices 1, 6, 15


def products(weights, x):
    """Two logits whose difference is a sum of weighted products, over the coalitions of sizes 1, 2 and 4."""
    present = jnp.prod(jnp.where(COALITIONS[None], x[:, None], 1.0), axis=2)
    return jnp.stack([0 * x[:, 0], present @ weights], axis=1)


def run_of(**weights):
    """Checkpoints step1=(...), step2=(...) of the network of products."""
    return {int(name[4:]): (products, np.float32(each)) for name, each in weights.items()}


RISING = run_of(step1=(4, 0, 2), step10=(4, 1, 0), step100=(4, 3, 3))


def learn(checkpoints=None, data=FOUR, key=KEY, **options):
    return checkpoint_concepts(key, checkpoints or RISING, data, **({"players": ij.Players.features(4)} | options))


@pytest.fixture(scope="module")
def rising():
    return learn(keep_effects=True)


def test_dynamics_and_their_paths_have_the_names_of_the_players(rising, tmp_path):
    names = ("age", "sex", "job", "town")
    found = learn(players=ij.Players.features(4, names))
    assert found.player_names == type(found).load(found.save(tmp_path / "found")).player_names == names
    assert ij.concepts.concept_paths(found).player_names == names
    assert ij.concepts.concept_paths(rising).player_names == tuple(f"player {player}" for player in range(4))


def test_dynamics_hold_the_strength_of_each_size(rising):
    assert rising.steps.tolist() == [1, 10, 100]
    np.testing.assert_allclose(rising.strength, [[4, 0, 0, 2], [4, 1, 0, 0], [4, 3, 0, 3]], atol=1e-5)
    np.testing.assert_allclose(rising.count, [[1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 0, 1]])
    np.testing.assert_allclose(rising.strength_by_input, np.repeat(rising.strength[:, None], 40, axis=1), atol=1e-5)


def test_effects_are_those_of_the_games_of_the_drawn_inputs(rising):
    x = np.concatenate([FOUR.train_x[rising.train_rows], FOUR.test_x[rising.test_rows]])
    y = np.concatenate([FOUR.train_y[rising.train_rows], FOUR.test_y[rising.test_rows]])
    assert np.bincount(FOUR.train_y[rising.train_rows]).tolist() == [20, 20]
    assert np.bincount(FOUR.test_y[rising.test_rows]).tolist() == [10, 10]
    for effects, (_, weights) in zip(rising.effects[:, :, 0], RISING.values(), strict=True):
        expected = weights * np.where(COALITIONS, x[:, None], 1.0).prod(axis=2) * (2 * y - 1)[:, None]
        np.testing.assert_allclose(effects[:, [1, 6, 15]], expected, atol=1e-5)
    means = [rising.effects[:, :40][:, y[:40] == label].mean(axis=1) for label in (0, 1)]
    np.testing.assert_allclose(rising.mean_effects, np.stack(means, axis=1), atol=1e-6)


def test_dynamics_agree_with_the_statistics_of_one_checkpoint(rising):
    y = FOUR.train_y[rising.train_rows], FOUR.test_y[rising.test_rows]
    effects = rising.effects[2, :, 0]
    sizes = ij.concepts.size_distribution(effects[:40])
    np.testing.assert_allclose(rising.positive[2], sizes.positive, atol=1e-6)
    np.testing.assert_allclose(rising.negative[2], sizes.negative, atol=1e-6)
    alone = ij.concepts.generalization(jax.random.split(KEY)[1], effects[:40], y[0], effects[40:], y[1], resamples=100)
    np.testing.assert_allclose(rising.similarity[2], alone.similarity)
    np.testing.assert_allclose(rising.excess_lower[2], alone.excess_lower)


def test_losses_and_accuracies_are_those_of_the_data(rising):
    for step, (loss, accuracy) in enumerate(zip(rising.test_loss, rising.test_accuracy, strict=True)):
        logits = products(*[list(RISING.values())[step][1], FOUR.test_x])
        expected = optax.softmax_cross_entropy_with_integer_labels(logits, FOUR.test_y).mean()
        assert loss == pytest.approx(float(expected), rel=1e-5)
        assert accuracy == pytest.approx(float(np.mean(np.argmax(logits, axis=1) == FOUR.test_y)))


def test_outputs_that_are_no_logits_have_no_losses():
    pairs = {1: lambda x: x[:, :2, None]}
    found = learn(pairs, output=lambda outputs: outputs[0, 0])
    assert np.isnan(found.train_loss).all()
    assert np.isnan(found.test_accuracy).all()


def test_one_output_is_graded_as_the_logit_of_class_1():
    found = learn({1: lambda x: x[:, :1]}, graded=30)
    wanted = learn({1: lambda x: jnp.stack([0 * x[:, 0], x[:, 0]], axis=1)}, graded=30)
    np.testing.assert_allclose(found.train_loss, wanted.train_loss, rtol=1e-6)
    np.testing.assert_array_equal(found.test_accuracy, wanted.test_accuracy)


def both_kinds(tables):
    """Half of the effect as AND, half as OR effects: what counts is that both kinds come through."""
    rest = [np.zeros(len(tables))] * 6
    return ij.concepts.AndOr(ij.moebius(tables) / 2, ij.or_interactions(tables) / 2, *rest)


def test_and_or_effects_go_side_by_side():
    found = learn(explain=both_kinds, keep_effects=True)
    assert found.effects.shape == (3, 60, 2, 16)
    np.testing.assert_allclose(found.effects[:, :, 0], learn(keep_effects=True).effects[:, :, 0] / 2, atol=1e-6)
    assert found.mean_effects.shape == (3, 2, 2, 16)


def test_dynamics_survive_a_file(rising, tmp_path):
    loaded = ij.concepts.ConceptDynamics.load(rising.save(tmp_path / "dynamics"))
    for field in dataclasses.fields(rising):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(rising, field.name))
    without = dataclasses.replace(rising, effects=None)
    assert ij.concepts.ConceptDynamics.load(without.save(tmp_path / "without")).effects is None


def test_a_killed_run_goes_on_and_ends_with_the_same_numbers(tmp_path, rising):
    with pytest.raises(Killed):
        learn(folder=tmp_path, progress=kill_at(2))
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == ["step1.npz", "step10.npz"]
    calls = []
    broken = RISING | {1: (products, np.float32([4, 0, 2]))}
    found = learn(broken, folder=tmp_path, keep_effects=True, progress=lambda *done: calls.append(done))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    for field in dataclasses.fields(rising):
        np.testing.assert_array_equal(getattr(found, field.name), getattr(rising, field.name))


def test_a_killed_checkpoint_keeps_the_tables_that_it_had(tmp_path, monkeypatch, rising):
    monkeypatch.setattr(_folders, "WRITE_SECONDS", 0)
    monkeypatch.setattr(_tabulate, "Resources", lambda: Resources(batch_size=1))
    write, read, found = _folders.Partial.write, _folders.Partial.read, []

    def write_and_die(partial, state):
        write(partial, state)
        raise Killed

    monkeypatch.setattr(_folders.Partial, "write", write_and_die)
    with pytest.raises(Killed):
        learn(folder=tmp_path)
    monkeypatch.setattr(_folders.Partial, "write", write)
    assert len(list((tmp_path / "partial").glob("step1-*-0.npz"))) == 1
    monkeypatch.setattr(_folders.Partial, "read", lambda partial: found.append(read(partial)) or found[-1])
    again = learn(folder=tmp_path)
    np.testing.assert_allclose(again.strength, rising.strength, rtol=1e-5, atol=1e-6)
    assert found[0] is not None
    assert found[1:] == [None] * 5
    assert not list((tmp_path / "partial").glob("*.npz"))


def test_what_was_kept_is_not_computed_again(tmp_path):
    explained = []

    def explain(tables):
        explained.append(len(tables))
        return ij.moebius(tables)

    for steps in ([1, 10], [1, 10, 100]):
        learn(explain=explain, steps=steps, folder=tmp_path)
    assert explained == [60, 60, 60]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": ij.prob}, "other settings \\(output: "),
        ({"key": jax.random.key(1)}, "other settings \\((graded: .*)?inputs: "),
        ({"explain": functools.partial(both_kinds)}, "other settings \\(explain: "),
        ({"baseline": 1.0}, "other settings \\(baseline: "),
        ({"checkpoints": run_of(step1=(1, 2, 3))}, "measurements of other weights at step 1"),
    ],
)
def test_a_folder_of_other_measurements_is_refused(tmp_path, options, message):
    learn(run_of(step1=(4, 0, 2)), folder=tmp_path)
    with pytest.raises(ValueError, match=message):
        learn(**({"checkpoints": run_of(step1=(4, 0, 2))} | options), folder=tmp_path)


def test_checkpoints_of_a_training_run(tmp_path):
    spec = ij.networks.NetworkSpec("mlp", (4,), 2, {"hidden": (3,)})
    where = tmp_path / "run"
    ij.training.train(
        spec.build(0),
        (FOUR.train_x, FOUR.train_y),
        key=jax.random.key(0),
        optimizer=optax.sgd(0.1),
        steps=3,
        spec=spec,
        checkpoint_folder=where,
        keep=None,
    )
    found = learn(where, steps=[1, 3], inputs_per_class=10)
    assert found.steps.tolist() == [1, 3]
    model = ij.training.load_network(where, step=3)[1]
    x, y = FOUR.train_x[found.train_rows], FOUR.train_y[found.train_rows]
    effects = ij.moebius(concept_tables(model, x, y, players=ij.Players.features(4)))
    np.testing.assert_allclose(found.positive[1], ij.concepts.size_distribution(effects).positive, rtol=1e-4)


def test_given_rows_and_classes_are_the_ones_explained():
    with pytest.warns(UserWarning, match="fewer than 5 inputs"):
        found = learn(rows=([0, 2, 4, 6], [2, 0]))
    assert found.train_rows.tolist() == [0, 2, 4, 6]
    assert found.classes.tolist() == [0]
    assert learn(classes=[1]).classes.tolist() == [1]


def test_inputs_of_games_that_are_not_finite_are_left_out_and_counted():
    def network(weights, x):
        logits = products(weights, x)
        return jnp.where((x[:, :1] + x[:, 1:2] > 1) & (weights[0] > 5), jnp.nan, logits)

    checkpoints = {step: (network, np.float32([step, 1, 0])) for step in (1, 10)}
    with pytest.warns(UserWarning, match="NaN or infinite"):
        found = learn(checkpoints, inputs_per_class=30)
    is_bad, is_bad_test = (
        x[:, :2].sum(axis=1) > 1 for x in (FOUR.train_x[found.train_rows], FOUR.test_x[found.test_rows])
    )
    assert found.n_nonfinite.tolist() == [0, is_bad.sum() + is_bad_test.sum()]
    np.testing.assert_array_equal(np.isnan(found.strength_by_input[1]).all(axis=1), is_bad)
    np.testing.assert_allclose(found.strength, [[1, 1, 0, 0], [10, 1, 0, 0]], atol=1e-5)


def test_a_checkpoint_without_finite_games_is_nan_and_the_others_are_measured():
    with pytest.warns(UserWarning, match="960 of 960 values"):
        found = learn(run_of(step1=(4, 0, 2), step2=(np.nan, 0, 0)), explain=both_kinds)
    assert found.n_nonfinite.tolist() == [0, 60]
    assert np.isnan(found.strength[1]).all()
    assert np.isnan(found.similarity[1]).all()
    assert np.isfinite(found.strength[0]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoints": {1: (products, np.zeros(3)), 2: (small, WEIGHTS)}}, "different networks: that of step 2"),
        ({"checkpoints": "nowhere"}, "holds no checkpoint"),
        ({"steps": [1, 7]}, r"steps must be among those, 1, 10, 100; got \[1, 7\]"),
        ({"steps": []}, "steps must be among"),
        ({"classes": [0, 5]}, "each of classes must be .* a class of signs; got 5"),
        ({"classes": []}, "at least one of the 2 classes"),
        ({"inputs_per_class": 1}, "class 0 gives 1 training inputs"),
        ({"inputs_per_class": 2.5}, "inputs_per_class must be an integer of at least 1"),
        ({"rows": ([0, 1], [99])}, "test rows must be integers from 0 to 59"),
        ({"rows": ([0, 2, 1], [0, 1])}, "class 1 gives 1 training inputs"),
        ({"tau": 0.0}, "tau"),
        ({"resamples": 0}, "resamples must be an integer of at least 1"),
        ({"key": 3}, "random key"),
        ({"explain": lambda tables: tables[0]}, "explain must give effects of each of 60 tables"),
    ],
)
def test_dynamics_that_cannot_be_measured_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        learn(**options)


def shaped(strength, *, excess=0.0, gap=0.0, spread=0.01, steps=None):
    """Dynamics of given strengths (checkpoints, sizes), as of 30 inputs that differ by a little."""
    strength = np.asarray(strength, float)
    count, sizes = strength.shape
    noise = 1 + spread * np.random.default_rng(0).normal(size=(count, 30, 1))
    zeros = np.zeros_like(strength)
    excess = np.broadcast_to(np.reshape(excess, (-1, 1)), strength.shape)
    fields = {field.name: zeros for field in dataclasses.fields(ij.concepts.ConceptDynamics)}
    effects = np.zeros((count, 1, 1, 1 << sizes), np.float32)
    fields |= {
        "steps": 10 ** np.arange(count) if steps is None else np.asarray(steps),
        "sizes": np.arange(1, sizes + 1),
        "positive": strength,
        "strength_by_input": strength[:, None] * noise,
        "excess": excess,
        "excess_lower": excess - 0.05,
        "train_loss": np.zeros(count),
        "test_loss": np.broadcast_to(gap, count).astype(float),
        "mean_effects": effects,
        "classes": np.array([0]),
        "tau": 0.05,
        "effects": None,
        "player_names": (),
    }
    return ij.concepts.ConceptDynamics(**fields)


THREE_PHASES = [[1, 1, 1, 3], [2, 1, 0, 1], [4, 1, 0, 0], [4, 2, 1, 0], [4, 3, 2, 1], [4, 3, 3, 2]]


def test_three_phases_are_found_where_there_are_three():
    found = phases(shaped(THREE_PHASES, excess=[0, 0.2, 0, 0, 0.1, 0.2], gap=[0, 0, 0, 0.01, 0.3, 1]))
    assert found.begins.tolist() == [1, 100, 10_000]
    assert found.ends.tolist() == [100, 10_000, 100_000]
    assert found.is_found.all()
    assert found.gap_begins == 10_000
    np.testing.assert_allclose(found.mean_size, [3, 2, 1.2, 11 / 7, 2, 27 / 12])


def test_a_network_whose_sizes_only_grow_has_no_first_phase():
    found = phases(shaped(THREE_PHASES[2:]))
    assert found.is_found.tolist() == [False, True, False]
    assert np.isnan(found.begins[[0, 2]]).all()
    assert found.begins[1] == 1
    assert found.reasons[0] == "it would begin and end at one checkpoint"
    assert "not surely above 0" in found.reasons[2]
    assert np.isnan(found.gap_begins)


def test_changes_within_the_noise_are_no_phases():
    by_input = np.random.default_rng(1).gamma(1.0, size=(5, 30, 4))  # the same distribution throughout
    dynamics = shaped(np.ones((5, 4)))
    found = phases(dataclasses.replace(dynamics, strength_by_input=by_input))
    assert found.mean_size_stderr.mean() > 0.05
    calm = dataclasses.replace(dynamics, strength_by_input=np.repeat(by_input[:1], 5, axis=0))
    assert not phases(calm).is_found.any()


def test_the_error_of_the_mean_size_is_that_of_resampled_inputs():
    by_input = np.random.default_rng(2).gamma(1.0, size=(2, 400, 4))
    found = phases(dataclasses.replace(shaped(np.ones((2, 4))), strength_by_input=by_input))
    rows = np.random.default_rng(3).integers(0, 400, (2000, 400))
    sums = by_input[0][rows].sum(axis=1)
    assert found.mean_size_stderr[0] == pytest.approx(np.std(sums @ np.arange(1, 5) / sums.sum(axis=1)), rel=0.1)


def test_phases_survive_a_file(tmp_path):
    found = phases(shaped(THREE_PHASES))
    loaded = ij.concepts.Phases.load(found.save(tmp_path / "phases"))
    assert loaded.reasons == found.reasons
    np.testing.assert_array_equal(loaded.begins, found.begins)


def test_one_checkpoint_has_no_phases():
    with pytest.raises(ValueError, match=r"expected 2 or more checkpoints .* got 1"):
        phases(shaped(THREE_PHASES[:1]))


def test_a_straight_way_has_ratio_one_and_a_way_back_more():
    straight = shaped([[4, 0], [3, 1], [1, 3]])
    assert detour(straight).ratio == pytest.approx(1)
    assert detour(straight).net_change == pytest.approx(1.5)
    back = shaped([[2, 2], [4, 0], [1, 3]])  # there 1, and back 1.5, for 0.5
    assert detour(back).ratio == pytest.approx(5)
    assert np.isnan(detour(shaped([[1, 1], [1, 3], [2, 2]])).ratio)


def test_sizes_are_learned_when_they_stay_above_half_of_their_end():
    found = detour(shaped([[3, 0, 5], [4, 1, 0], [4, 3, 1], [4, 4, 4]], steps=[1, 2, 3, 4]))
    assert found.learned.tolist() == [1, 3, 4]
    assert np.isnan(detour(shaped([[1, 1], [1, 0]])).learned[1])


def test_large_concepts_come_from_mixtures_of_smaller_ones(rising):
    found = detour(rising)
    effects = rising.mean_effects[:, :, 0].astype(float)
    own, smaller = [], []
    for label, index in [(0, 6), (1, 6), (0, 15), (1, 15)]:
        if effects[-1, label, index]:
            inside = effects[:, label, 1] + effects[:, label, 6] if index == 15 else np.zeros(3)
            own.append(np.abs(effects[:, label, index]))
            smaller.append(np.abs(inside))
    assert (found.large, found.n_large) == (2, len(own))
    np.testing.assert_allclose(found.own, np.mean(own, axis=0), rtol=1e-5)
    np.testing.assert_allclose(found.smaller, np.mean(smaller, axis=0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.mixture, found.smaller / (found.own + found.smaller))


@pytest.mark.parametrize(
    ("dynamics", "options", "message"),
    [
        ([[1.0, 1]], {}, "expected 2 or more checkpoints .* got 1, of which 1"),
        ([[1.0, 1], [0, 0]], {}, "of which 1 have any"),
        ([[1.0, 1], [2, 1]], {"large": 3}, "from 1 to 2, got 3"),
    ],
)
def test_a_detour_that_cannot_be_measured_is_refused(dynamics, options, message):
    with pytest.raises(ValueError, match=message):
        detour(shaped(dynamics), **options)


def with_paths(effects):
    """Dynamics of given mean effects (checkpoints, 2**n) of one class."""
    effects = np.asarray(effects, np.float32)[:, None, None]
    return dataclasses.replace(shaped(np.ones((len(effects), 2))), mean_effects=effects)


def test_paths_are_the_final_concepts_and_those_that_vanished():
    dynamics = with_paths([[9, 1, 0, 0], [9, 2, -5, 1], [9, 3, 0.5, -2]])
    found = concept_paths(dynamics, count=3)
    assert found.concepts.tolist() == [[0, 1], [0, 3], [0, 2]]
    assert found.is_final.tolist() == [True, True, False]
    np.testing.assert_allclose(found.effects.T, [[1, 2, 3], [0, 1, -2], [0, -5, 0.5]])
    assert found.peak.tolist() == [100, 100, 10]


def test_paths_of_a_class_are_its_own_means(rising):
    found = concept_paths(rising, count=4, label=1)
    kind, index = found.concepts[0]
    np.testing.assert_allclose(found.effects[:, 0], rising.mean_effects[:, 1, kind, index])
    both = concept_paths(rising, count=4)
    kind, index = both.concepts[0]
    np.testing.assert_allclose(both.effects[:, 0], rising.mean_effects[:, :, kind, index].mean(axis=1))


def test_paths_leave_the_dynamics_as_they_were():
    dynamics = with_paths([[9, 1, 0, 0], [9, 2, -5, 1]])
    concept_paths(dynamics, label=0)
    assert dynamics.mean_effects[0, 0, 0, 0] == 9


def test_paths_warn_of_gaps():
    with pytest.warns(UserWarning, match="unknown at 1 of 3"):
        found = concept_paths(with_paths([[0, 1, 0, 0], [np.nan] * 4, [0, 3, 1, 0]]), count=1)
    np.testing.assert_array_equal(found.effects[:, 0], [1, np.nan, 3])


@pytest.mark.parametrize(("options", "message"), [({"label": 7}, "classes 0; got 7"), ({"count": 0}, "at least 1")])
def test_paths_that_there_are_none_of_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        concept_paths(with_paths([[0, 1, 0, 0]]), **options)


def test_tables_of_double_precision_are_not_rounded():
    with jax.enable_x64(True):
        weights = jnp.linspace(0.1, 1.0, 8, dtype=jnp.float64).reshape(4, 2)
        players, x = ij.Players.features(4), np.arange(1.0, 5.0)

        def network(inputs):
            return 1e6 + inputs @ weights

        tables = concept_tables(network, x[None], [1], players=players, output=ij.logit)
        table = ij.tabulate(ij.masked_game(network, x, players=players, output=ij.logit(1)))
    np.testing.assert_allclose(tables[0] - 1e6, np.asarray(table) - 1e6, atol=1e-8)
    assert tables.dtype == np.float64
