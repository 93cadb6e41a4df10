"""Results and run folders: what is written is what is read, in one step, and nothing else is taken for it."""

import dataclasses
import json
import re
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax._core._files import read_arrays, read_json, replaced, write_arrays, write_json
from interjax._core._results import Saved, result, static_field
from interjax._engine._folders import RunFolder, check_same_run, fingerprint


@result
class Reading(Saved):
    value: np.ndarray
    count: int
    extra: np.ndarray | None = None
    unit: str = static_field(default="m")
    sizes: tuple[int, ...] = static_field(default=())


@result
class Other(Saved):
    value: np.ndarray


READING = Reading(np.arange(6.0).reshape(2, 3), 7, unit="km", sizes=(3, 4))


def assert_same(left, right):
    for field in dataclasses.fields(left):
        one, two = getattr(left, field.name), getattr(right, field.name)
        if field.metadata.get("static") or one is None:
            assert one == two
            assert type(one) is type(two)
        else:
            assert np.asarray(one).dtype == np.asarray(two).dtype
            np.testing.assert_array_equal(one, two)


def game():
    return ij.Game.from_function(lambda present: 2.0 * present[0] * present[1] + present[2], 5)


# Saving and loading


@pytest.mark.parametrize(
    "make",
    [
        lambda: READING,
        lambda: Reading(np.float32([np.nan, np.inf]), 0, np.ones((0, 3))),
        lambda: ij.order_profile(jax.random.key(0), game()),
        lambda: ij.order_interactions(jax.random.key(0), game(), contexts=3),
        lambda: ij.interaction_index(game(), "SII", size=2),
        lambda: ij.training.TrainingLog(np.array([5]), np.array([0.3])),
    ],
    ids=["reading", "nan and empty", "profile", "interactions", "index", "log without test data"],
)
def test_a_result_comes_back_as_it_was(tmp_path, make):
    found = make()
    assert_same(found, type(found).load(found.save(tmp_path / "found.npz")))


def test_static_fields_come_back_with_their_types(tmp_path):
    loaded = Reading.load(READING.save(tmp_path / "r.npz"))
    assert (loaded.unit, loaded.sizes) == ("km", (3, 4))


def test_an_absent_field_stays_absent(tmp_path):
    assert Reading.load(READING.save(tmp_path / "r.npz")).extra is None


def test_the_suffix_is_added_for_writing_and_reading(tmp_path):
    assert READING.save(tmp_path / "v0.1") == tmp_path / "v0.1.npz"
    assert_same(READING, Reading.load(tmp_path / "v0.1"))


def test_saving_makes_the_folders(tmp_path):
    assert READING.save(str(tmp_path / "new" / "folder" / "r.npz")).exists()


def test_saving_again_replaces(tmp_path):
    READING.save(tmp_path / "r.npz")
    Reading(np.zeros(2), 1).save(tmp_path / "r.npz")
    assert Reading.load(tmp_path / "r.npz").count == 1


def test_the_file_is_plain_npz_without_pickle(tmp_path):
    with np.load(READING.save(tmp_path / "r.npz"), allow_pickle=False) as file:
        np.testing.assert_array_equal(file["value"], READING.value)
        assert all(file[name].dtype != object for name in file.files)


# What cannot be loaded


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"nowhere\.npz does not exist"):
        Reading.load(tmp_path / "nowhere.npz")


def test_a_damaged_file_is_named(tmp_path):
    path = READING.save(tmp_path / "r.npz")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"r\.npz cannot be read .* damaged"):
        Reading.load(path)


def test_a_file_that_is_no_npz_is_named(tmp_path):
    (tmp_path / "r.npz").write_text("no archive")
    with pytest.raises(ValueError, match=r"r\.npz cannot be read"):
        Reading.load(tmp_path / "r.npz")


def test_arrays_of_another_program_are_refused(tmp_path):
    np.savez(tmp_path / "r.npz", value=np.zeros(3))
    with pytest.raises(ValueError, match=r"interjax did not write.*expected a saved Reading"):
        Reading.load(tmp_path / "r.npz")


def test_another_kind_of_result_is_refused_and_says_what_reads_it(tmp_path):
    path = Other(np.zeros(2)).save(tmp_path / "other.npz")
    with pytest.raises(ValueError, match=r"holds a Other, not a Reading: use Other\.load"):
        Reading.load(path)


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "r.npz", value=np.array([{}], object))
    with pytest.raises(ValueError, match="cannot be read"):
        read_arrays(tmp_path / "r.npz")


# Atomic writing


def test_no_partial_file_is_left(tmp_path):
    READING.save(tmp_path / "r.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["r.npz"]


def test_a_failed_write_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = READING.save(tmp_path / "r.npz")

    def fail(file, **arrays):
        file.write(b"half a file")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        Reading(np.zeros(2), 1).save(path)
    assert_same(READING, Reading.load(path))
    assert [path.name for path in tmp_path.iterdir()] == ["r.npz"]


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "made" / "notes.txt"
    for text in ("one", "two"):
        with replaced(path) as partial:
            partial.write_text(text)
            assert partial.parent == path.parent
            assert not path.exists() if text == "one" else path.read_text() == "one"
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


def test_json_is_strict_and_read_again(tmp_path):
    write_json(tmp_path / "a.json", {"ends": (1.5, float("nan")), "inside": {"x": float("inf")}})
    assert read_json(tmp_path / "a.json") == {"ends": [1.5, None], "inside": {"x": None}}
    with pytest.raises(ValueError, match=r"b\.json does not exist"):
        read_json(tmp_path / "b.json")


def test_a_written_file_passes_its_own_checksums(tmp_path):
    path = write_arrays(tmp_path / "a.npz", {"a": np.arange(1000)})
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None


# Pytrees


def test_tree_map_reaches_the_arrays_only():
    doubled = jax.tree.map(lambda leaf: 2 * leaf, READING)
    np.testing.assert_array_equal(doubled.value, 2 * READING.value)
    assert doubled.count == 14
    assert (doubled.unit, doubled.sizes) == ("km", (3, 4))


def test_tree_map_over_a_profile_keeps_how_it_was_measured():
    found = ij.order_profile(jax.random.key(0), game())
    moved = jax.tree.map(jnp.asarray, found)
    assert isinstance(moved.strength, jax.Array)
    assert (moved.method, moved.n_players) == (found.method, found.n_players)
    np.testing.assert_allclose(moved.strength, found.strength, rtol=1e-6)


def test_results_go_through_jit():
    scaled = jax.jit(lambda reading: jax.tree.map(lambda leaf: leaf + 1, reading))(READING)
    np.testing.assert_array_equal(scaled.value, READING.value + 1)
    assert scaled.unit == "km"


def test_other_static_fields_are_another_structure():
    other = dataclasses.replace(READING, unit="cm")
    assert jax.tree.structure(READING) != jax.tree.structure(other)


def test_results_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        READING.count = 3


# Run folders


def test_a_run_folder_reads_what_it_wrote(tmp_path):
    run = RunFolder(tmp_path / "run", {"seed": 1})
    assert run.read("piece") is None
    run.write("piece", {"total": np.arange(3.0)})
    again = RunFolder(tmp_path / "run", {"seed": 1})
    np.testing.assert_array_equal(again.read("piece")["total"], np.arange(3.0))


def test_a_run_folder_keeps_its_settings_as_json(tmp_path):
    RunFolder(tmp_path / "run", {"orders": [0, 1], "method": "blocks"})
    found = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert found == {"orders": [0, 1], "method": "blocks", "pieces": "stamped"}
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["settings.json"]


def test_other_settings_are_refused_by_name(tmp_path):
    RunFolder(tmp_path, {"seed": 1, "contexts": 10, "method": "blocks"})
    with pytest.raises(ValueError, match=r"other settings \(contexts: 10 there, 20 here; seed: 1 .*another folder"):
        RunFolder(tmp_path, {"seed": 2, "contexts": 20, "method": "blocks"})


@pytest.mark.parametrize(
    ("found", "given", "message"),
    [
        ({"a": 1}, {}, "(a: 1 there, none here)"),
        ({}, {"a": None}, "(a: none there, null here)"),
        ({"plan": {"lr": 0.1, "steps": 5}}, {"plan": {"lr": 0.2, "steps": 5}}, "(plan.lr: 0.1 there, 0.2 here)"),
        ({"plan": None}, {"plan": {"lr": 0.2}}, '(plan: null there, {"lr": 0.2} here)'),
        ({"a": "x" * 90}, {"a": "y"}, f'(a: "{"x" * 56}... there, "y" here)'),
        ([1], {"a": 1}, '[1] there, {"a": 1} here'),
    ],
    ids=["gone", "new", "inside", "not inside", "long", "no settings"],
)
def test_what_differs_between_two_runs_is_said_with_both_values(found, given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_same_run("here", found, given)


def test_the_folder_of_the_same_run_is_no_other():
    check_same_run("here", {"orders": [0, 1], "plan": {"lr": 0.1}}, {"plan": {"lr": 0.1}, "orders": (0, 1)})


def test_settings_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "settings.json").write_text('{"seed": ')
    with pytest.raises(ValueError, match=r"settings\.json cannot be read as JSON"):
        RunFolder(tmp_path, {"seed": 1})


def test_a_tuple_in_the_settings_is_the_list_that_json_makes_of_it(tmp_path):
    RunFolder(tmp_path, {"orders": (0, 1)}).write("piece", {"a": np.arange(2)})
    assert RunFolder(tmp_path, {"orders": (0, 1)}).read("piece") is not None


def test_a_damaged_piece_is_named(tmp_path):
    run = RunFolder(tmp_path, {})
    run.write("piece", {"a": np.arange(100)})
    (tmp_path / "piece.npz").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"piece\.npz cannot be read"):
        run.read("piece")


# Fingerprints


def test_equal_content_has_equal_fingerprints():
    assert fingerprint([np.ones((2, 3))]) == fingerprint([np.ones((2, 3))])


@pytest.mark.parametrize(
    "other",
    [
        [np.array([1.0, 2.0, 4.0])],
        [np.array([1.0, 2.0, 3.0], np.float32)],
        [np.array([[1.0, 2.0, 3.0]])],
        [np.array([1.0, 2.0, 3.0])] * 2,
        [],
    ],
    ids=["values", "type", "shape", "number of leaves", "nothing"],
)
def test_other_content_has_another_fingerprint(other):
    assert fingerprint([np.array([1.0, 2.0, 3.0])]) != fingerprint(other)


def test_a_shared_array_counts_as_often_as_it_occurs():
    shared = np.arange(4.0)
    assert fingerprint([shared, shared]) == fingerprint([shared.copy(), shared.copy()])


def test_keys_and_views_have_fingerprints():
    assert fingerprint(jax.random.key(0)) != fingerprint(jax.random.key(1))
    table = np.arange(6.0).reshape(2, 3)
    assert fingerprint(table.T) == fingerprint(table.T.copy())


def test_games_of_other_inputs_have_other_fingerprints():
    def of(x):
        return ij.masked_game(lambda z: z, x, players=ij.Players.features(3), output=ij.logit(0))

    assert fingerprint(of(np.ones(3))) == fingerprint(of(np.ones(3)))
    assert fingerprint(of(np.ones(3))) != fingerprint(of(np.zeros(3)))
