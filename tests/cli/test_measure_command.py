"""The command line: what it writes, what it refuses, and that a killed run ends with the same numbers."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from support.running import interjax, main, numbers

import interjax as ij
from interjax import cli as command_line
from interjax.cli._options import Bytes
from interjax.profiles import _rounds

ROOT = Path(__file__).parents[2]
DISTRIBUTED = ["distributed", "coordinator", "processes", "process_id"]
CELLS = ["--grid", "4x4"]
QUICK = [*CELLS, "--inputs", "3", "--orders", "0,7,14", "--contexts", "4", "--quiet"]
NO_BLANK_PLAYER = ["--baseline", "0.5"]  # no cell equals its baseline, so that no pair is known to be 0 unmeasured


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder and output of `interjax train` on the digits."""
    folder = tmp_path_factory.mktemp("trained")
    return folder, interjax("train", "--epochs", 2, "--quiet", "--out", folder)


@pytest.fixture(scope="module")
def checkpoint(trained):
    return trained[0] / "network"


@pytest.fixture(scope="module")
def measured(checkpoint, tmp_path_factory):
    """Folder and output of a quick `interjax measure`."""
    folder = tmp_path_factory.mktemp("measured")
    return folder, interjax("measure", "--checkpoint", checkpoint, *QUICK, "--out", folder)


@pytest.fixture(scope="module")
def table_file(tmp_path_factory):
    """A CSV table: two numbers and a category of three values, and a label that depends on them."""
    random = np.random.default_rng(0)
    grams, length = random.normal(100, 20, 120), random.normal(5, 1, 120)
    colour = random.choice(["red", "green", "blue"], 120)
    sweet = np.where((grams > 100) ^ (colour == "red"), "yes", "no")
    rows = zip(grams, length, colour, sweet, strict=True)
    path = tmp_path_factory.mktemp("table") / "fruit.csv"
    path.write_text("grams,length,colour,sweet\n" + "".join(f"{g:.2f},{le:.2f},{c},{s}\n" for g, le, c, s in rows))
    return path


# train


def test_train_keeps_a_network_that_can_be_loaded(trained):
    folder, outcome = trained
    assert outcome.exit_code == 0
    spec, _, _ = ij.training.load_network(folder / "network")
    assert (spec.name, spec.input_shape, spec.n_classes) == ("mlp", (8, 8, 1), 10)


def test_train_reports_the_accuracy_that_it_writes(trained):
    folder, outcome = trained
    written = json.loads((folder / "train.json").read_text())
    data = ij.datasets.digits()
    _, network, _ = ij.training.load_network(folder / "network")
    assert written["test_accuracy"] == ij.training.accuracy(network, data.test_x, data.test_y)
    assert f"test accuracy {written['test_accuracy']:.4f}" in outcome.output
    assert str(folder / "network") in outcome.output


# measure: what is written


def test_measure_writes_settings_numbers_and_a_plot(measured):
    folder, outcome = measured
    assert outcome.exit_code == 0
    assert {"settings.json", "profile.json", "profile.npz", "profile.png"} <= {path.name for path in folder.iterdir()}
    assert (folder / "profile.png").read_bytes().startswith(b"\x89PNG")


def test_settings_hold_every_option_and_the_versions(measured, checkpoint):
    written = json.loads((measured[0] / "settings.json").read_text())
    options = {option.name for option in command_line.cli.commands["measure"].params} - {"out", "quiet", *DISTRIBUTED}
    assert set(written["settings"]) == options
    assert written["settings"] | {"grid": [4, 4], "orders": [0, 7, 14], "inputs": 3, "seed": 0} == written["settings"]
    assert written["settings"]["checkpoint"] == str(checkpoint)
    assert written["command"] == "measure"
    assert written["versions"]["interjax"] == ij.__version__


def test_json_npz_and_the_printed_table_agree(measured):
    folder, outcome = measured
    written, saved = numbers(folder, "profile.json"), ij.OrderProfile.load(folder / "profile.npz")
    assert written["orders"] == [0, 7, 14]
    assert (written["inputs"], written["n_players"], written["data"]) == (3, 16, "digits")
    assert written["network"]["name"] == "mlp"
    for name in ("strength", "stderr", "uncorrected", "magnitude", "pairs_by_input"):
        np.testing.assert_array_equal(written[name], getattr(saved, name))
    np.testing.assert_allclose(np.mean(written["strength"]), 1.0)
    names = "orders", "magnitude", "magnitude_stderr", "strength", "stderr"
    for order, size, size_error, strength, stderr in zip(*(written[name] for name in names), strict=True):
        line = f"{order:>8}  {size:9.4g}  {size_error:8.2g}  {strength:7.3f}  {stderr:7.3f}"
        assert line in outcome.output


def test_passes_are_counted(measured):
    folder, outcome = measured
    pieces = [np.load(path) for path in (folder / "measured").glob("round0-input*.npz")]
    passes = sum(int(piece["n_forwards"]) for piece in pieces)
    assert len(pieces) == 3
    assert numbers(folder, "profile.json")["n_forwards"] == passes
    assert f"{passes:,} forward passes for 3 inputs of 16 players" in outcome.output


def test_numbers_are_those_of_the_library(measured, checkpoint):
    """The command adds nothing of its own to `ij.order_profile`."""
    import jax

    data, key = ij.datasets.digits(), jax.random.key(0)
    _, network, _ = ij.training.load_network(checkpoint)
    chosen = ij.training.correctly_classified(
        network, data.train_x, data.train_y, count=3, key=jax.random.fold_in(key, 1)
    )
    players = ij.Players.grid((8, 8, 1), (4, 4))
    games = ij.masked_games(network, data.train_x[chosen], data.train_y[chosen], players=players)
    found = ij.order_profile(jax.random.fold_in(key, 2), games, orders=[0, 7, 14], contexts=4)
    np.testing.assert_array_equal(found.strength, numbers(measured[0], "profile.json")["strength"])


def test_without_out_the_folder_is_named_after_the_settings(checkpoint, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for contexts in (2, 3):
        outcome = interjax("measure", "--checkpoint", checkpoint, *QUICK, "--inputs", 1, "--contexts", contexts)
        assert outcome.exit_code == 0
    assert len(list((tmp_path / "interjax-results").glob("measure-digits-*/profile.json"))) == 2


def test_small_games_are_exact_unless_they_are_to_be_sampled(table_file, tmp_path):
    how = [
        "measure",
        "--data",
        f"csv:{table_file}:sweet",
        "--epochs",
        1,
        "--inputs",
        2,
        "--baseline",
        "mean",
        "--quiet",
    ]
    for place, chosen, exact in (("usual", [], None), ("sampled", ["--no-exact"], False), ("exact", ["--exact"], True)):
        assert interjax(*how, *chosen, "--out", tmp_path / place).exit_code == 0
        assert numbers(tmp_path / place, "settings.json")["settings"]["exact"] is exact
    usual, sampled, exact = (numbers(tmp_path / place, "profile.json") for place in ("usual", "sampled", "exact"))
    assert usual == exact
    assert usual["exact"] == [True] * len(usual["orders"])
    assert usual["n_forwards"] == 2 * 2 ** usual["n_players"] < sampled["n_forwards"]


# measure: resuming and refusing


def test_the_same_command_again_measures_nothing(measured, checkpoint, tmp_path, monkeypatch):
    folder = shutil.copytree(measured[0], tmp_path / "copy")

    def measure_again(*arguments):
        raise AssertionError("an input was measured a second time")

    monkeypatch.setattr(_rounds, "measure_input", measure_again)
    for place in (checkpoint, checkpoint.parent):  # the network, or the folder above it that `interjax train` wrote
        outcome = interjax("measure", "--checkpoint", place, *QUICK, "--out", folder)
        assert outcome.exit_code == 0
    assert numbers(folder, "profile.json") == numbers(measured[0], "profile.json")


def test_other_settings_are_refused_in_the_same_folder(measured, checkpoint, monkeypatch):
    before = numbers(measured[0], "profile.json")
    message = main(monkeypatch, "measure", "--checkpoint", checkpoint, *QUICK, "--contexts", 5, "--out", measured[0])
    assert message == (
        f"interjax: {measured[0]} holds a run with other settings (contexts: 4 there, 5 here): choose another "
        "--out, or delete it to start anew"
    )
    assert numbers(measured[0], "profile.json") == before


def test_another_network_at_the_same_path_is_refused(checkpoint, tmp_path, monkeypatch):
    """What was measured of one network is not continued with another."""
    spec, network, _ = ij.training.load_network(checkpoint)
    ij.training.save_network(tmp_path / "network", spec, network)
    arguments = ["measure", "--checkpoint", tmp_path / "network", *QUICK, "--inputs", 2, "--out", tmp_path / "out"]
    assert interjax(*arguments).exit_code == 0
    kernel = network.layers[-1].bias
    kernel[...] = kernel[...] + 0.1
    ij.training.save_network(tmp_path / "network", spec, network)
    message = main(monkeypatch, *arguments)
    assert "holds a run with other settings (weights: " in message


def test_a_checkpoint_for_other_inputs_is_refused(checkpoint, table_file, tmp_path, monkeypatch):
    message = main(
        monkeypatch, "measure", "--data", f"csv:{table_file}:sweet", "--checkpoint", checkpoint, "--out", tmp_path / "o"
    )
    assert "holds a network for inputs of shape (8, 8, 1) and 10 outputs" in message
    assert "has (5,) and 2" in message


LONG = ["--grid", "8x8", "--orders", "0.0,0.5,1.0", "--contexts", "60", "--pairs", "132", "--quiet"]
KILLED = """
import os, signal
from interjax._engine import _folders as _runs
from interjax.cli import main

_runs.WRITE_SECONDS = 0
write, written = _runs.Partial.write, []

def write_and_die(partial, state):
    write(partial, state)
    written.append(partial.path)
    if len(written) == 5:
        os.kill(os.getpid(), signal.SIGKILL)

_runs.Partial.write = write_and_die
main()
"""


def test_a_killed_run_resumes_within_an_input_to_the_same_numbers(checkpoint, tmp_path):
    def arguments(out):
        return ["measure", "--checkpoint", str(checkpoint), *LONG, "--inputs", "2", "--out", str(out)]

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments(killed)], env=os.environ | {"PYTHONPATH": path}, check=False
    )
    assert ended.returncode == -signal.SIGKILL
    assert [path.name for path in killed.glob("measured/partial/*.npz")] == ["round0-input0.npz"]
    assert not (killed / "profile.json").exists()

    resumed = interjax(*arguments(killed))
    assert resumed.exit_code == 0
    assert re.search(r"resuming: 0 of 2 inputs and [1-9]\d?% of the next were measured", resumed.output)
    assert interjax(*arguments(whole)).exit_code == 0
    assert numbers(killed, "profile.json") == numbers(whole, "profile.json")


def test_a_run_may_resume_with_another_batch_size(measured, checkpoint, tmp_path):
    folder = shutil.copytree(measured[0], tmp_path / "copy")
    outcome = interjax("measure", "--checkpoint", checkpoint, *QUICK, "--batch-size", 50, "--out", folder)
    assert "resuming: 3 of 3 inputs were measured" in outcome.output
    assert numbers(folder, "profile.json") == numbers(measured[0], "profile.json")


# measure: options


def test_orders_as_ratios_are_those_as_numbers(measured, checkpoint, tmp_path):
    ratios = interjax("measure", "--checkpoint", checkpoint, *QUICK, "--orders", "0,0.5,1.0", "--out", tmp_path)
    assert ratios.exit_code == 0
    assert numbers(tmp_path, "profile.json")["orders"] == [0, 7, 14]
    assert numbers(tmp_path, "profile.json")["strength"] == numbers(measured[0], "profile.json")["strength"]


@pytest.mark.parametrize(("cells", "players"), [("2x4", 8), ("3x3", 9)])
def test_grid_sets_the_players(checkpoint, tmp_path, cells, players):
    outcome = interjax(
        "measure", "--checkpoint", checkpoint, *QUICK, "--orders", "0,3", "--grid", cells, "--out", tmp_path
    )
    assert outcome.exit_code == 0
    assert numbers(tmp_path, "profile.json")["n_players"] == players


def test_without_grid_every_pixel_is_a_player(checkpoint, tmp_path):
    options = ["--inputs", "1", "--orders", "0,62", "--pairs", "20", "--quiet"]
    assert interjax("measure", "--checkpoint", checkpoint, *options, "--out", tmp_path).exit_code == 0
    assert numbers(tmp_path, "profile.json")["n_players"] == 64


@pytest.mark.parametrize("baseline", ["mean", "0.5"])
def test_baseline_fills_the_absent(measured, checkpoint, tmp_path, baseline):
    outcome = interjax("measure", "--checkpoint", checkpoint, *QUICK, "--baseline", baseline, "--out", tmp_path)
    assert outcome.exit_code == 0
    assert numbers(tmp_path, "profile.json")["magnitude"] != numbers(measured[0], "profile.json")["magnitude"]


def test_a_marginal_baseline_costs_a_pass_for_each_of_its_examples(checkpoint, tmp_path):
    passes = []
    for baseline in ("0.5", "marginal:3"):
        out = tmp_path / baseline.replace(":", "-")
        assert (
            interjax("measure", "--checkpoint", checkpoint, *QUICK, "--baseline", baseline, "--out", out).exit_code == 0
        )
        passes.append(numbers(out, "profile.json")["n_forwards"])
    assert passes[1] == 3 * passes[0]


def test_output_chooses_the_value(measured, checkpoint, tmp_path):
    assert interjax("measure", "--checkpoint", checkpoint, *QUICK, "--output", "prob", "--out", tmp_path).exit_code == 0
    assert max(numbers(tmp_path, "profile.json")["magnitude"]) < max(numbers(measured[0], "profile.json")["magnitude"])


def test_seed_draws_other_inputs_and_contexts(measured, checkpoint, tmp_path):
    assert interjax("measure", "--checkpoint", checkpoint, *QUICK, "--seed", 1, "--out", tmp_path).exit_code == 0
    assert numbers(tmp_path, "profile.json")["strength"] != numbers(measured[0], "profile.json")["strength"]


def test_radius_keeps_neighbours_only(checkpoint, tmp_path):
    options = [*QUICK, "--radius", "1", *NO_BLANK_PLAYER]
    assert interjax("measure", "--checkpoint", checkpoint, *options, "--out", tmp_path).exit_code == 0
    assert numbers(tmp_path, "profile.json")["pairs_by_input"] == [len(ij.pairs_within((4, 4), 1))] * 3


def test_uncorrected_means_uncorrected(checkpoint, tmp_path):
    outcome = interjax("measure", "--checkpoint", checkpoint, *QUICK, "--correction", "none", "--out", tmp_path)
    assert outcome.exit_code == 0
    assert numbers(tmp_path, "profile.json")["strength"] == numbers(tmp_path, "profile.json")["uncorrected"]


def test_a_refused_command_leaves_no_settings_behind(checkpoint, measured, tmp_path):
    """Without settings.json the pieces tell that they are of another run; the right command still goes on."""
    command = ["measure", "--checkpoint", checkpoint, *QUICK, "--out", tmp_path]
    shutil.copytree(measured[0], tmp_path, dirs_exist_ok=True)
    earlier = (tmp_path / "settings.json").read_bytes()
    (tmp_path / "settings.json").unlink()
    with pytest.raises(ValueError, match="contexts: 4 there, 5 here"):
        interjax(*command, "--contexts", 5)
    assert not (tmp_path / "settings.json").exists()
    assert interjax(*command).exit_code == 0
    assert (tmp_path / "settings.json").read_bytes() == earlier
    piece = next((tmp_path / "measured").glob("round0-*.npz"))
    piece.write_bytes(piece.read_bytes()[:100])
    with pytest.raises(ValueError, match=f"{piece.name}.*delete the file to measure it anew"):
        interjax(*command)
    assert (tmp_path / "settings.json").read_bytes() == earlier


def test_the_official_preset_is_the_papers_allocation(checkpoint, tmp_path):
    options = [*CELLS, "--inputs", "1", "--quiet", "--preset", "official", *NO_BLANK_PLAYER]
    assert interjax("measure", "--checkpoint", checkpoint, *options, "--out", tmp_path).exit_code == 0
    settings = json.loads((tmp_path / "settings.json").read_text())["settings"]
    wanted = {"method": "quadruples", "contexts": 100, "pairs": 200, "correction": "none", "radius": 2}
    assert settings | wanted == settings
    found = ij.OrderProfile.load(tmp_path / "profile.npz")
    assert (found.method, found.contexts, found.correction) == ("quadruples", 100, "none")
    assert found.orders.tolist() == [0, 1, 2, 4, 5, 7, 8, 9, 11, 12, 13, 14]  # int(14 r) of the 13 ratios, once each
    pairs = len(ij.pairs_within((4, 4), 2))  # fewer than 200 on so small a grid
    assert found.pairs_by_input.tolist() == [pairs]
    # All contexts where there are fewer than 100 of them: one at both ends, 14 and 91 beside them.
    assert found.n_forwards == pairs * 4 * sum(min(100, math.comb(14, order)) for order in found.orders.tolist())


def test_a_table_has_its_columns_as_players_and_trains_its_own_network(table_file, tmp_path):
    data = f"csv:{table_file}:sweet"
    options = ["--epochs", "3", "--inputs", "4", "--quiet", "--baseline", "mean"]
    outcome = interjax("measure", "--data", data, *options, "--out", tmp_path)
    assert outcome.exit_code == 0
    spec, _, _ = ij.training.load_network(tmp_path / "network")
    assert spec.input_shape == (5,)  # two numbers and a category of three values
    assert numbers(tmp_path, "profile.json")["n_players"] == 3
    assert numbers(tmp_path, "profile.json")["orders"] == [0, 1]


def test_a_table_is_read_as_the_options_say(tmp_path, monkeypatch):
    rows = [f"{number};{number % 7},5;{number % 3};{'yes' if number % 2 else 'no'}" for number in range(60)]
    (tmp_path / "table.csv").write_text("\n".join(rows))
    reading = ["header=false", "decimal=,", "separator=;", "drop=column_0", "categorical=column_2", "test_fraction=0.5"]
    command = ["measure", "--data", f"csv:{tmp_path}/table.csv:column_3", "--out", tmp_path / "out"]
    command += ["--contexts", 2, "--epochs", 1, "--inputs", 1]
    options = [part for each in reading for part in ("--read", each)]
    assert interjax(*command, *options).exit_code == 0
    assert numbers(tmp_path / "out", "profile.json")["n_players"] == 2
    spec, _, _ = ij.training.load_network(tmp_path / "out" / "network")
    assert spec.input_shape == (4,)
    assert "read: " in main(monkeypatch, *command)


def test_quiet_shows_no_progress_bar(checkpoint, tmp_path, capfd):
    interjax("measure", "--checkpoint", checkpoint, *QUICK, "--out", tmp_path)
    assert capfd.readouterr().err == ""


# Errors: one line, no traceback

WRONG_DATA = {
    "--data nope": "unknown data set 'nope'",
    "--data mnist:/nowhere": "/nowhere",
    "--data csv:/nowhere.csv:label": "/nowhere.csv",
    "--data digits --limit 5": "limit",
    "--data digits --read seed=1": "--read: expected nothing, for digits has no such options; got 'seed=1'",
    "--data csv:/nowhere.csv:label --read heads=no": "--read: expected header=, separator=",
    "--data csv:/nowhere.csv:label --read header=no": "--read: header must be true or false, got 'no'",
    "--data adult:/nowhere.csv --read seed=1 --read seed=2": "--read: seed is given twice, 'seed=2' the second time",
    "--network nope": "network must be one of mlp",
    "--distributed": "run `interjax train` first, then give --checkpoint",
}
WRONG_OPTIONS = {
    "--grid 9x9": "must be from 1 to its 8 entries, got 9",
    "--orders 0,40": "orders must be context sizes 0..14",
    "--baseline grey": "--baseline must be a number, mean or marginal:K",
    "--process-id 1": "go with --distributed",
    "--baseline marginal:many": "--baseline must be a number, mean or marginal:K",
}


@pytest.mark.parametrize("arguments", WRONG_DATA)
def test_what_is_wrong_before_the_run_is_one_line(arguments, tmp_path, monkeypatch):
    ended = main(monkeypatch, "measure", *arguments.split(), "--quiet", "--out", tmp_path / "out")
    assert ended.startswith("interjax: ")
    assert WRONG_DATA[arguments] in ended
    assert "\n" not in ended


@pytest.mark.parametrize("arguments", WRONG_OPTIONS)
def test_a_refused_option_is_one_line_and_leaves_the_folder_free(checkpoint, tmp_path, monkeypatch, arguments):
    command = ["measure", "--checkpoint", checkpoint, *QUICK, "--inputs", 1, "--out", tmp_path / "out"]
    ended = main(monkeypatch, *command, *arguments.split())
    assert ended.startswith("interjax: ")
    assert WRONG_OPTIONS[arguments] in ended
    assert "\n" not in ended
    assert interjax(*command).exit_code == 0  # the option mended, into the same folder


@pytest.mark.parametrize(
    "arguments", ["--orders a,b", "--grid axb", "--inputs 0", "--checkpoint /nowhere", "--nonsense"]
)
def test_options_that_cannot_be_read_are_explained(arguments, monkeypatch, capsys):
    assert main(monkeypatch, "measure", *arguments.split()) == 2
    shown = capsys.readouterr().err
    assert arguments.split()[0] in shown
    assert "Traceback" not in shown


def test_a_table_has_no_grid(table_file, tmp_path, monkeypatch):
    ended = main(
        monkeypatch, "measure", "--data", f"csv:{table_file}:sweet", *CELLS, "--epochs", 1, "--quiet", "--out", tmp_path
    )
    assert ended == "interjax: --grid cuts images; the players of a table are its columns"


def test_a_folder_without_network_is_no_checkpoint(tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    ended = main(monkeypatch, "measure", "--checkpoint", tmp_path / "empty", "--out", tmp_path / "out")
    assert "holds no checkpoint" in ended


@pytest.mark.parametrize("arguments", [["--help"], ["measure", "--help"], ["train", "--help"]], ids=" ".join)
def test_help_names_every_option(arguments):
    outcome = interjax(*arguments)
    assert outcome.exit_code == 0
    command = command_line.cli.commands.get(arguments[0], command_line.cli)
    for option in command.params:
        assert option.opts[0] in outcome.output


@pytest.mark.parametrize(("text", "expected"), [("2GiB", 2 * 2**30), ("500MB", 500_000_000), ("1.5K", 1500), ("7", 7)])
def test_memory_is_read_with_its_unit(text, expected):
    assert Bytes().convert(text, None, None) == expected


@pytest.mark.parametrize("text", ["much", "-1", "0", "2GiX"])
def test_amounts_that_are_none_are_refused(text):
    with pytest.raises(click.BadParameter, match="expected an amount of memory"):
        Bytes().convert(text, None, None)
