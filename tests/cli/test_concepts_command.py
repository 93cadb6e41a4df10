"""`interjax concepts`: what it writes, what it refuses, and that a killed run ends with the same numbers."""

import shutil

import jax
import numpy as np
import pytest
from support.running import Killed, interjax, main, numbers

import interjax as ij
from interjax._core._files import read_arrays
from interjax.concepts._analysis import _explainer, _inputs
from interjax.concepts._explanations._and_or import MAX_PLAYERS

QUICK = ["--epochs", 2, "--quiet"]
SMALL = ["--classes", "3,7", "--players", 5, "--examples", 1, "--quiet"]


def arrays(folder):
    return read_arrays(folder / "concepts.npz")


def files(folder):
    return {path.name for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """Folder and output of a small run with AND-OR explanations of a network that it trains."""
    folder = tmp_path_factory.mktemp("explained")
    return folder, interjax("concepts", *SMALL, "--epochs", 2, "--stability", "--out", folder)


@pytest.fixture(scope="module")
def of_checkpoint(run_of_checkpoints):
    """Options of a small run with AND effects of a trained network."""
    return [*SMALL, "--kind", "and", "--checkpoint", run_of_checkpoints]


@pytest.fixture(scope="module")
def run_of_checkpoints(tmp_path_factory):
    """Folder of a network that was trained with three checkpoints."""
    folder = tmp_path_factory.mktemp("trained")
    assert interjax("train", *QUICK, "--checkpoints", 3, "--out", folder).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def table_file(tmp_path_factory):
    """A CSV table: three numbers and a category, and a label that depends on two of them together."""
    random = np.random.default_rng(0)
    grams, length, age = random.normal(size=(3, 160))
    colour = random.choice(["red", "green"], 160)
    sweet = np.where((grams > 0) ^ (colour == "red"), "yes", "no")
    rows = zip(grams, length, age, colour, sweet, strict=True)
    path = tmp_path_factory.mktemp("table") / "fruit.csv"
    path.write_text("grams,length,age,colour,sweet\n" + "".join(",".join(map(str, row)) + "\n" for row in rows))
    return path


# what is written


def test_a_run_writes_numbers_pictures_and_settings(explained):
    folder, outcome = explained
    assert outcome.exit_code == 0
    pictures = {"explanation.png", "sizes.png", "faithfulness.png", "generalization.png"}
    results = {"concepts.npz", "explanations.npz", "generalization.npz", "stability.npz"}
    assert files(folder) == pictures | results | {"concepts.json", "settings.json"}
    assert all((folder / name).stat().st_size > 10_000 for name in pictures)
    assert numbers(folder, "settings.json")["settings"]["classes"] == "3,7"


def test_the_tables_are_those_of_the_network_and_the_inputs(explained):
    folder = explained[0]
    data, saved = ij.datasets.digits(), arrays(folder)
    model = ij.training.load_network(folder / "network")[1]
    players = ij.Players.segments(saved["player_of_entry"])
    for one in (0, 12, -1):
        x = data.train_x if saved["is_train"][one] else data.test_x
        game = ij.masked_game(
            model, x[saved["rows"][one]], players=players, output=ij.log_odds(int(saved["labels"][one]))
        )
        np.testing.assert_allclose(saved["tables"][one], ij.tabulate(game), atol=1e-4)


def test_inputs_are_balanced_over_the_classes_and_parts(explained):
    saved, data = arrays(explained[0]), ij.datasets.digits()
    assert np.bincount(saved["labels"][saved["is_train"]]).tolist() == [0, 0, 0, 10, 0, 0, 0, 10]
    assert np.bincount(saved["labels"][~saved["is_train"]]).tolist() == [0, 0, 0, 5, 0, 0, 0, 5]
    np.testing.assert_array_equal(data.train_y[saved["rows"][saved["is_train"]]], saved["labels"][saved["is_train"]])
    assert len(set(saved["rows"][saved["is_train"]])) == 20


def test_explanations_meet_the_tables_within_the_noise(explained):
    saved = arrays(explained[0])
    found = ij.concepts.AndOr.load(explained[0] / "explanations.npz")
    missed = np.abs(found.rebuilt() - saved["tables"]).max(axis=1)
    assert np.all(missed <= found.noise_bound + 1e-4)
    np.testing.assert_array_equal(found.effects, saved["effects"])


def test_json_holds_what_the_library_measures(explained):
    folder, written = explained[0], numbers(explained[0], "concepts.json")
    found = ij.concepts.AndOr.load(folder / "explanations.npz")
    train = found[arrays(folder)["is_train"]]
    assert [row["loss"] for row in written["inputs"]] == found.loss.tolist()
    assert all(row["gap"] < 1e-3 * row["loss"] for row in written["inputs"])
    assert written["salient"]["training"]["mean"] == ij.concepts.salient(train).sum(axis=(1, 2)).mean()
    assert written["sizes"]["training"]["positive"] == ij.concepts.size_distribution(train).positive.tolist()
    curve = ij.concepts.faithfulness(train, arrays(folder)["tables"][:20], counts=[1, 5, 50])
    places = [written["faithfulness"]["training"]["counts"].index(count) for count in (1, 5, 50)]
    medians = np.array(written["faithfulness"]["training"]["median"])[places]
    np.testing.assert_allclose(medians, np.median(curve.r2, axis=0))
    saved = ij.concepts.Generalization.load(folder / "generalization.npz")
    known = np.isfinite(saved.similarity)
    assert np.array(written["generalization"]["similarity"])[known].tolist() == saved.similarity[known].tolist()


def test_the_strongest_concepts_of_a_class_are_named(explained):
    written, saved = numbers(explained[0], "concepts.json"), arrays(explained[0])
    effects = saved["effects"][saved["is_train"] & (saved["labels"] == 7)]
    first = written["strongest"]["7"][0]
    index = sum(1 << written["players"].index(name) for name in first["players"])
    mean = effects.mean(axis=0)[("AND", "OR").index(first["kind"]), index]
    assert first["effect"]["mean"] == pytest.approx(mean)
    assert abs(mean) == np.abs(effects.mean(axis=0)[:, 1:]).max()


def test_the_printed_table_agrees_with_the_json(explained):
    folder, outcome = explained
    written = numbers(folder, "concepts.json")
    assert f"5 players: {', '.join(written['players'])}" in outcome.output
    assert "20 training and 10 test inputs" in outcome.output
    strength = np.subtract(*(written["sizes"]["training"][sign] for sign in ("positive", "negative")))
    for row, count in enumerate(
        np.add(*(written["sizes"]["training"][f"{s}_count"] for s in ("positive", "negative")))
    ):
        assert f"{row + 1:>4}  {count:8.2f}  {strength[row]:8.3f}" in outcome.output
    agreement = written["stability"]["jaccard"]
    assert 0 < agreement["mean"] <= 1
    assert f"agree to {agreement['mean']:.2f} ± {agreement['stderr']:.2f}" in outcome.output


def test_python_gives_the_numbers_of_the_command(explained, tmp_path):
    folder, outcome = explained
    data = ij.datasets.digits()
    spec, model, _ = ij.training.load_network(folder / "network")
    players, names = ij.concepts.choose_players(data, cells=(4, 4), count=5)
    found = ij.concepts.analyse(
        jax.random.key(0),
        model,
        data,
        players=players,
        player_names=names,
        classes=["3", "7"],
        untrained=spec.build(0),
        stability=True,
    )
    about = {"network": spec.to_json(), "data": "digits"}
    for path in found.save(tmp_path, about):
        assert path.name in outcome.output
    assert numbers(tmp_path, "concepts.json") == numbers(folder, "concepts.json")
    for name in ("concepts", "explanations", "generalization", "stability"):
        mine, commands = (read_arrays(place / f"{name}.npz") for place in (tmp_path, folder))
        assert mine.keys() == commands.keys()
        for entry, array in mine.items():
            np.testing.assert_array_equal(array, commands[entry])
    assert f"\n{found.table()}\n" in outcome.output
    assert ij.concepts.ConceptAnalysis.load(folder).table() == found.table()


# resuming


def test_a_killed_run_resumes_to_the_same_numbers(explained, tmp_path, monkeypatch):
    whole = explained[0]
    shutil.copytree(whole / "network", tmp_path / "network")
    solve, solved = ij.concepts.and_or, []

    def killed_later(*arguments, **options):
        solved.append(len(arguments[0]))
        if len(solved) == 2:
            raise Killed
        return solve(*arguments, **options)

    command = ["concepts", *SMALL, "--epochs", 2, "--stability", "--out", tmp_path]
    monkeypatch.setattr(_explainer, "and_or", killed_later)
    with pytest.raises(Killed):
        interjax(*command)
    monkeypatch.setattr(_explainer, "and_or", solve)
    assert "resumed: 16 of 30 inputs had been explained" in interjax(*command).output
    assert numbers(tmp_path, "concepts.json") == numbers(whole, "concepts.json")
    for name, array in arrays(whole).items():
        np.testing.assert_array_equal(array, arrays(tmp_path)[name])


def test_a_finished_run_is_read_not_solved_again(explained, monkeypatch):
    monkeypatch.delattr(_explainer, "and_or")
    again = interjax("concepts", *SMALL, "--epochs", 2, "--stability", "--out", explained[0])
    assert again.output.replace("resumed: 30 of 30 inputs had been explained\n", "") == explained[1].output


def test_other_settings_need_another_folder(explained, monkeypatch):
    message = main(monkeypatch, "concepts", *SMALL, "--epochs", 2, "--tau", 0.1, "--out", explained[0])
    assert "holds a run with other settings" in message


# data, players, kinds


def test_and_effects_are_harsanyi_dividends(of_checkpoint, tmp_path):
    outcome = interjax("concepts", *of_checkpoint, "--out", tmp_path)
    assert outcome.exit_code == 0
    saved = arrays(tmp_path)
    np.testing.assert_array_equal(saved["effects"][:, 0], ij.moebius(saved["tables"].astype(float)))
    assert "explanations.npz" not in files(tmp_path)
    assert numbers(tmp_path, "concepts.json")["stability"] is None
    assert len(numbers(tmp_path, "concepts.json")["players"]) == 5


def test_columns_of_a_table_are_named(table_file, tmp_path):
    command = [
        "--data",
        f"csv:{table_file}:sweet",
        "--epochs",
        2,
        "--kind",
        "and",
        "--examples",
        2,
        "--quiet",
        "--out",
        tmp_path,
    ]
    outcome = interjax("concepts", *command)
    assert outcome.exit_code == 0
    written = numbers(tmp_path, "concepts.json")
    assert written["players"] == ["grams", "length", "age", "colour"]
    assert sorted(written["strongest"]) == ["no", "yes"]
    assert {row["class"] for row in written["inputs"]} == {"no", "yes"}
    assert (tmp_path / "explanation.png").stat().st_size > 10_000


def test_a_file_names_the_players(run_of_checkpoints, tmp_path):
    labels = np.full((8, 8), -1)
    labels[2:4, 2:6], labels[4:6, 2:6], labels[0] = 0, 1, 2
    np.save(tmp_path / "halves.npy", labels)
    command = ["--checkpoint", run_of_checkpoints, "--segments", tmp_path / "halves.npy", "--classes", "3,7"]
    command += ["--kind", "and", "--examples", 1, "--quiet", "--out", tmp_path / "out"]
    assert interjax("concepts", *command).exit_code == 0
    assert numbers(tmp_path / "out", "concepts.json")["players"] == ["segment 0", "segment 1", "segment 2"]
    np.testing.assert_array_equal(arrays(tmp_path / "out")["player_of_entry"][..., 0], labels)


@pytest.mark.filterwarnings("ignore:a single input:UserWarning")
def test_single_inputs_are_explained_without_similarities(of_checkpoint, tmp_path):
    outcome = interjax("concepts", *of_checkpoint, "--inputs", 1, "--out", tmp_path)
    assert "too few inputs of each class" in outcome.output
    assert numbers(tmp_path, "concepts.json")["generalization"] is None
    assert "generalization.png" not in files(tmp_path)


@pytest.mark.filterwarnings("ignore:fewer than 5 inputs:UserWarning")
def test_inputs_whose_table_is_not_finite_are_left_out_and_counted(of_checkpoint, tmp_path, monkeypatch):
    tabulate, calls = _inputs.tables_in, []

    def broken(model, x, *arguments, **how):
        tables = tabulate(model, x, *arguments, **how)
        calls.append(len(x))
        if len(calls) == 2:  # inputs 16 and on, of which the first four are training inputs
            tables[0, 3] = np.nan
        return tables

    monkeypatch.setattr(_inputs, "tables_in", broken)
    outcome = interjax("concepts", *of_checkpoint, "--out", tmp_path)
    assert "left out: 1 of 30 inputs, whose games hold NaN or infinite values" in outcome.output
    assert "19 training and 10 test inputs" in outcome.output
    assert numbers(tmp_path, "concepts.json")["n_left_out"] == 1
    assert len(numbers(tmp_path, "concepts.json")["inputs"]) == len(arrays(tmp_path)["tables"]) == 29


@pytest.mark.filterwarnings("ignore:folding the network:UserWarning")
def test_a_baseline_outside_the_domain_is_refused(of_checkpoint, tmp_path, monkeypatch):
    command = [*of_checkpoint, "--baseline", "3e38", "--out", tmp_path]
    assert "games of all training inputs hold NaN or infinite" in main(monkeypatch, "concepts", *command)


# dynamics


def test_checkpoints_are_explained(of_checkpoint, tmp_path):
    command = ["concepts", *of_checkpoint, "--dynamics", "--out", tmp_path]
    outcome = interjax(*command)
    assert outcome.exit_code == 0
    assert {"dynamics.json", "dynamics.npz", "dynamics.png", "paths.png"} <= files(tmp_path)
    written, saved = numbers(tmp_path, "dynamics.json"), ij.concepts.ConceptDynamics.load(tmp_path / "dynamics.npz")
    assert written["steps"] == [0, 1, 44]
    np.testing.assert_array_equal(written["strength"], saved.strength)
    last = numbers(tmp_path, "concepts.json")["sizes"]["training"]
    np.testing.assert_allclose(saved.positive[-1], last["positive"], rtol=1e-5, atol=1e-6)
    assert written["detour"]["ratio"] >= 1
    assert "phase 1, large concepts vanish:" in outcome.output


def test_a_network_trained_here_has_the_checkpoints_asked_for(tmp_path):
    command = [*SMALL, "--kind", "and", "--epochs", 2, "--dynamics", "--checkpoints", 4, "--out", tmp_path]
    assert interjax("concepts", *command).exit_code == 0
    assert numbers(tmp_path, "dynamics.json")["steps"] == [0, 1, 7, 44]


def test_a_killed_run_of_some_checkpoints_resumes_to_the_same_numbers(run_of_checkpoints, tmp_path, monkeypatch):
    command = ["concepts", *SMALL, "--checkpoint", run_of_checkpoints / "network", "--dynamics", "--checkpoints", 2]
    command += ["--out", tmp_path]
    outcome = interjax(*command)
    dynamics = numbers(tmp_path, "dynamics.json")
    some = sorted((tmp_path / "explained").glob("games-*.npz"))[:2]
    for piece in (*some, tmp_path / "checkpoints" / "step0.npz"):
        piece.unlink()
    assert interjax(*command).output.endswith(outcome.output)
    assert numbers(tmp_path, "dynamics.json") == dynamics
    saved = ij.concepts.ConceptDynamics.load(tmp_path / "dynamics.npz")
    assert saved.steps.tolist() == [0, 44]
    last = numbers(tmp_path, "concepts.json")["sizes"]["training"]
    np.testing.assert_allclose(saved.positive[-1], last["positive"], rtol=1e-4, atol=1e-5)


def test_checkpoints_of_different_networks_are_refused(run_of_checkpoints, tmp_path, monkeypatch):
    mixed, other = tmp_path / "mixed", tmp_path / "other"
    shutil.copytree(run_of_checkpoints / "network", mixed)
    spec = ij.networks.NetworkSpec("mlp", (8, 8, 1), 10, {"hidden": (7,)})
    ij.training.save_network(other, spec, spec.build(0))
    shutil.rmtree(mixed / "1")
    shutil.copytree(other / "0", mixed / "1")
    command = [*SMALL, "--checkpoint", mixed, "--kind", "and", "--dynamics"]
    assert "checkpoints of different networks" in main(monkeypatch, "concepts", *command, "--out", tmp_path / "out")
    assert "holds a single checkpoint" in main(
        monkeypatch, "concepts", "--checkpoint", other, "--dynamics", "--out", tmp_path / "single"
    )


# what is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tau", "0"], "tau must be a number in (0, 1], a share of the strongest effect"),
        (["--tau", "1.5"], "usually 0.05; got 1.5"),
        (["--kind", "and", "--noise", "0.3"], "--noise goes with --kind and-or"),
        (["--noise", "-1"], "noise must be a number in [0, 1], a share"),
        (["--classes", "0,cat"], "digits has no class 'cat'; expected some of 0, 1, 2"),
        (["--classes", "10"], "digits has no class '10'"),
        (["--players", "14"], f"14 players are too many for --kind and-or, which takes at most {MAX_PLAYERS}"),
        (["--rule", "all"], "16 players are too many for --kind and-or"),
        (["--kind", "and", "--players", "21", "--cells", "5x5"], "tables of concepts end at 20 players"),
        (["--segments", "absent.npy"], "absent.npy does not exist"),
        (["--segments", "x.npy", "--players", "3"], "leave --cells and --players out"),
        (["--baseline", "median"], "--baseline must be a number, mean or"),
        (["--stability", "--kind", "and"], "--stability goes with --kind and-or"),
        (["--checkpoints", "3"], "--checkpoints goes with --dynamics"),
        (["--dynamics", "--inputs", "1"], "at least 2 training with 1 test input of each class"),
    ],
)
def test_wrong_options_are_one_line(arguments, message, monkeypatch, tmp_path):
    found = main(monkeypatch, "concepts", *arguments, "--out", tmp_path / "out")
    assert message in found
    assert found.startswith("interjax: ")
    assert "\n" not in found


def test_segments_of_the_wrong_shape_are_refused(monkeypatch, tmp_path):
    np.save(tmp_path / "wrong.npy", np.zeros((7, 7), int))
    message = main(monkeypatch, "concepts", "--segments", tmp_path / "wrong.npy", "--out", tmp_path / "out")
    assert "expected player numbers of an input's shape (8, 8, 1); got shape (7, 7)" in message


def test_a_class_without_inputs_is_refused():
    x, y = np.zeros((8, 3), np.float32), np.array([0, 1] * 4)
    data = ij.datasets.Dataset(x, y, x, y, "toy", ("no", "yes", "perhaps"))
    with pytest.raises(ValueError, match="toy has no training inputs of class perhaps"):
        _inputs.choose_inputs(jax.random.key(0), _inputs.examples_of(data), ["yes", "2"], 3)


def test_the_network_must_fit_the_data(run_of_checkpoints, table_file, monkeypatch, tmp_path):
    command = ["--checkpoint", run_of_checkpoints, "--data", f"csv:{table_file}:sweet", "--out", tmp_path]
    assert "holds a network for inputs of shape (8, 8, 1)" in main(monkeypatch, "concepts", *command)
