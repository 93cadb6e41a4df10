"""What settings say of a function: the same for the same code and what it holds, in every process."""

import functools
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import optax
import pytest

import interjax as ij
from interjax._core._files import held
from interjax._engine._dispatch import Batch, dispatch
from interjax._engine._folders import RunFolder, name_of


def scaled(x, factor=2.0):
    return x * factor


def holding(value):
    return lambda x: x * value


def test_functions_of_one_name_differ_by_code_and_by_what_they_hold():
    functions = [
        lambda x: x + 1,
        lambda x: x + 2,
        holding(1.0),
        holding(2.0),
        holding(np.ones(3)),
        holding(np.zeros(3)),
        scaled,
        functools.partial(scaled, factor=3.0),
        functools.partial(scaled, factor=np.arange(2000.0)),
        functools.partial(scaled, factor=np.arange(2000.0) + (np.arange(2000) == 1000)),
    ]
    names = [name_of(function) for function in functions]
    assert len(set(names)) == len(names)
    assert names == [name_of(function) for function in functions]
    assert name_of(holding(2.0)) == name_of(holding(2.0))
    assert name_of(ij.log_odds) == "log_odds"


def test_functions_differ_by_the_globals_that_they_read(monkeypatch):
    monkeypatch.setitem(globals(), "FACTOR", 2.0)
    before = name_of(lambda x: x * FACTOR)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    assert name_of(lambda x: x * FACTOR) != before


def test_objects_of_our_own_classes_differ_by_what_they_hold():
    first, second = (
        ij.training.ModulatedCrossEntropy(ij.Players.features(4), mode="penalize", low=0, high=high)
        for high in (0.5, 1)
    )
    assert name_of(first) != name_of(second)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (optax.sgd(0.1), optax.sgd(0.2)),
        (optax.adam(0.1), optax.sgd(0.1)),
        (optax.adam(optax.cosine_decay_schedule(0.1, 10)), optax.adam(optax.cosine_decay_schedule(0.1, 20))),
        (optax.chain(optax.clip(1.0), optax.sgd(0.1)), optax.chain(optax.clip(2.0), optax.sgd(0.1))),
    ],
)
def test_optimizers_differ_by_their_settings(one, other):
    assert name_of(one) != name_of(other)


def test_a_name_is_the_same_in_every_process():
    code = "import optax; from interjax._engine._folders import name_of; print(name_of(optax.adam(0.1, b1=0.8)))"
    found = {subprocess.check_output([sys.executable, "-c", code], text=True) for _ in range(2)}
    assert found == {name_of(optax.adam(0.1, b1=0.8)) + "\n"}


def test_a_folder_has_a_name():
    with pytest.raises(ValueError, match="folder must be the path of a folder, got an empty one"):
        RunFolder("", {})


PIECE = {"total": np.arange(6.0), "count": np.array(3)}


@pytest.fixture
def run(tmp_path):
    found = RunFolder(tmp_path / "run", {"key": 1})
    found.write("input0", PIECE)
    found.write("input1", {"total": np.ones(6), "count": np.array(3)})
    return found


def test_a_piece_is_read_as_it_was_written(run):
    for again in (run, RunFolder(run.folder, {"key": 1})):
        found = again.read("input0")
        assert found.keys() == PIECE.keys()
        np.testing.assert_array_equal(found["total"], PIECE["total"])
    partial = run.partial("input2")
    assert partial.read() is None
    partial.write(lambda: PIECE, at_once=True)
    assert partial.read().keys() == PIECE.keys()


@pytest.mark.parametrize("change", [{"count": np.array(0)}, {"total": np.full(6, np.nan)}, {"more": np.zeros(1)}])
def test_a_changed_piece_is_refused_by_its_name(run, change):
    path = run.folder / "input0.npz"
    with np.load(path) as file:
        np.savez(path, **{name: file[name] for name in file.files} | change)
    with pytest.raises(ValueError, match=r"input0\.npz is not what this run wrote there: .* delete the file"):
        run.read("input0")


def test_a_piece_without_its_stamp_is_refused_but_in_a_folder_of_a_time_before_stamps(run):
    path, settings = run.folder / "input0.npz", run.folder / "settings.json"
    with np.load(path) as file:
        np.savez(path, **{name: file[name] for name in file.files if name != "written by"})
    with pytest.raises(ValueError, match=r"input0\.npz is not what this run wrote there"):
        RunFolder(run.folder, {"key": 1}).read("input0")
    settings.write_text(json.dumps({"key": 1}))
    assert RunFolder(run.folder, {"key": 1}).read("input0").keys() == PIECE.keys()


def test_a_cut_piece_says_what_to_do(run):
    path = run.folder / "input0.npz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"input0\.npz cannot be read .* delete the file to measure it anew"):
        run.read("input0")


def test_a_piece_of_another_input_or_run_is_refused(run, tmp_path):
    shutil.copy(run.folder / "input1.npz", run.folder / "input0.npz")
    with pytest.raises(ValueError, match=r"input0\.npz is not what this run wrote there"):
        run.read("input0")
    other = RunFolder(tmp_path / "other", {"key": 2})
    other.write("input1", PIECE)
    shutil.copy(other.folder / "input1.npz", run.folder / "input1.npz")
    with pytest.raises(ValueError, match=r"input1\.npz is not what this run wrote there"):
        run.read("input1")


@pytest.mark.parametrize("text", ["", "[]", "3", "{"])
def test_settings_that_are_none_are_refused(run, text):
    (run.folder / "settings.json").write_text(text)
    with pytest.raises(ValueError, match=r"settings\.json (must hold the settings|cannot be read as JSON)"):
        RunFolder(run.folder, {"key": 1})


def test_pieces_without_settings_are_refused(run):
    (run.folder / "settings.json").unlink()
    with pytest.raises(ValueError, match=r"run holds input0\.npz but no settings\.json"):
        RunFolder(run.folder, {"key": 1})


def test_one_run_at_a_time_is_at_work_in_a_folder(run):
    with RunFolder.held(run.folder, {"key": 1}) as first:
        assert first.has("input0")
        with pytest.raises(ValueError, match=r"another run is at work in .*run: wait until it ends"):  # noqa: SIM117
            with RunFolder.held(run.folder, {"key": 1}):
                pass
        with RunFolder.held(run.folder, {"key": 1}, alone=False) as together:
            assert together.has("input0")
    with RunFolder.held(run.folder, {"key": 1}) as again:
        assert again.has("input0")
    assert not (run.folder / ".lock").exists()
    with RunFolder.held(None, {}) as none:
        assert none is None


def test_a_process_at_work_in_a_folder_is_told_until_it_is_killed(run):
    code = (
        "from interjax._core._files import held\nwith held({!r}):\n  print(flush=True)\n  import time; time.sleep(99)"
    )
    command = [sys.executable, "-c", code.format(str(run.folder))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(ValueError, match="another run is at work"), held(run.folder):
            pass
        other.kill()
        other.wait()
    left, written = (run.folder / f".input{number}.npz.0123.partial" for number in (8, 9))
    left.touch()
    written.touch()
    os.utime(left, (0, 0))
    with held(run.folder):
        assert not left.exists()
        assert written.exists()


def test_values_under_way_are_kept_and_gone_on_from(run):
    calls = []

    def compute(start, limit, rows):
        calls.append(start)
        if start == 8 and len(calls) < 7:
            raise KeyboardInterrupt
        stop = min(start + rows, limit)
        return (np.arange(start, stop), 2.0 * np.arange(start, stop)), stop

    partial = run.partial("rows-0")
    partial.write = functools.partial(partial.write, at_once=True)
    with pytest.raises(KeyboardInterrupt):
        dispatch(11, Batch(2), compute, ahead=1, kept=partial)
    assert calls == [0, 2, 4, 6, 8]
    numbers, doubled = dispatch(11, Batch(4), compute, ahead=1, kept=run.partial("rows-0"))()
    assert calls[5:] == [6, 10]  # the batch that was under way was not waited for
    assert numbers.tolist() == list(range(11))
    assert doubled.tolist() == [2.0 * number for number in range(11)]
    run.write("rows", {"numbers": numbers})
    assert not list((run.folder / "partial").iterdir())


def test_names_of_functions_stay_when_what_they_hold_caches_its_properties():
    players = ij.Players.grid((4, 4), (2, 2))

    def reading(row):
        return row[players.n]

    before = name_of(reading)
    assert players.digest
    assert players == ij.Players.grid((4, 4), (2, 2))
    assert name_of(reading) == before
