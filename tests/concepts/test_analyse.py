"""`ij.concepts.analyse`: any network, data set or arrays, what is kept in a folder, and what is refused."""

import functools
import json

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from support.running import Killed

import interjax as ij
from interjax._core._files import read_arrays
from interjax.concepts._analysis import _explainer

KEY = jax.random.key(3)
FEW = {"kind": "and", "inputs_per_class": 4}
pytestmark = pytest.mark.filterwarnings("ignore:fewer than 5 inputs:UserWarning")


def columns_together(x):
    """Logits of two classes: the product of the first two columns, and a little of the third."""
    return jnp.stack([0 * x[:, 0], 3 * x[:, 0] * x[:, 1] + 0.1 * x[:, 2]], axis=1)


@pytest.fixture(scope="module")
def arrays():
    """Training and test inputs of three columns, labelled by whether the first two have one sign."""
    x = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    return x[:60], y[:60], x[60:], y[60:]


@pytest.fixture(scope="module")
def found(arrays):
    return ij.concepts.analyse(KEY, columns_together, arrays, inputs_per_class=4, noise=0.0, stability=True)


def same(one, other):
    """Whether two analyses hold the same arrays."""
    leaves = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in leaves)


# what is measured


def test_a_callable_and_arrays_are_explained(arrays, found):
    assert found.kind == "and-or"
    assert found.player_names == ("column 0", "column 1", "column 2")
    assert found.class_names == ("0", "1")
    assert np.bincount(found.labels[found.is_train]).tolist() == [4, 4]
    assert np.bincount(found.labels[~found.is_train]).tolist() == [2, 2]
    for one in (0, 5, -1):
        x = arrays[0] if found.is_train[one] else arrays[2]
        y = arrays[1] if found.is_train[one] else arrays[3]
        assert y[found.rows[one]] == found.labels[one]
        game = ij.masked_game(
            columns_together,
            x[found.rows[one]],
            players=ij.Players.features(3),
            output=ij.log_odds(int(found.labels[one])),
        )
        np.testing.assert_allclose(found.tables[one], ij.tabulate(game), atol=1e-5)
    np.testing.assert_allclose(found.explanation.rebuilt(), found.tables, atol=1e-6)


def test_statistics_are_those_of_the_library(found):
    train, test = found.explanation[found.is_train], found.explanation[~found.is_train]
    labels = [found.labels[found.is_train], found.labels[~found.is_train]]
    assert same(found.sizes["test"], ij.concepts.size_distribution(test))
    assert same(found.coverage, ij.concepts.coverage(train, of=test))
    assert same(found.discrimination["1"], ij.concepts.discrimination(train[labels[0] == 1]))
    compared = ij.concepts.generalization(jax.random.fold_in(KEY, 2), train, labels[0], test, labels[1], tau=0.05)
    assert same(found.generalization, compared)
    tables = found.tables[found.is_train].astype(float)
    np.testing.assert_array_equal(found.n_salient["training"], ij.concepts.salient(train).sum(axis=(1, 2)))
    counts = found.faithfulness["training"].counts
    assert same(found.faithfulness["training"], ij.concepts.faithfulness(train, tables, counts=counts))
    alike = ij.concepts.stability(jax.random.fold_in(KEY, 5), tables, noise=0.0)
    np.testing.assert_allclose(np.sort(found.stability.jaccard), np.sort(alike.jaccard), atol=1e-6)


def test_the_strongest_concepts_are_found_and_printed(found):
    first, *_ = found.strongest("1", count=1)
    effects = found.effects[found.is_train & (found.labels == 1)]
    assert first["kind"] == "AND"
    assert first["players"] == ["column 0", "column 1"]
    assert first["effect"]["mean"] == pytest.approx(effects[:, 0, 3].mean())
    assert first["salient_on"] == 1
    with pytest.raises(ValueError, match="class_name must be one with training inputs, 0, 1; got 'yes'"):
        found.strongest("yes")
    table = found.table().splitlines()
    assert table[:2] == ["3 players: column 0, column 1, column 2", "8 training and 4 test inputs"]
    assert f"{2:>4}  {found.sizes['training'].count[1]:8.2f}" in found.table()
    assert "nan" not in found.table()


class Nnx(nnx.Module):
    def __init__(self):
        self.scale = nnx.Param(jnp.array(3.0))

    def __call__(self, x):
        return self.scale * columns_together(x) / 3


class Linen(flax.linen.Module):
    @flax.linen.compact
    def __call__(self, x):
        return self.param("scale", lambda key: jnp.array(3.0)) * columns_together(x) / 3


def test_every_form_of_network_gives_the_same(arrays):
    forms = [
        Nnx(),
        (Linen(), {"params": {"scale": jnp.array(3.0)}}),
        (lambda params, x: params * columns_together(x) / 3, jnp.array(3.0)),
        lambda x: columns_together(x),
    ]
    first, *others = [ij.concepts.analyse(KEY, form, arrays, **FEW) for form in forms]
    for other in others:
        np.testing.assert_allclose(other.effects, first.effects, atol=1e-5)
        np.testing.assert_array_equal(other.rows, first.rows)


def test_a_data_set_gives_what_its_arrays_give(arrays):
    data = ij.datasets.Dataset(*arrays, "toy", ("no", "yes"))
    named = ij.concepts.analyse(KEY, columns_together, data, classes=["yes"], **FEW)
    assert named.class_names == ("yes",)
    assert list(named.discrimination) == ["yes"]
    assert set(named.labels) == {1}
    numbered = ij.concepts.analyse(KEY, columns_together, data, classes=1, **FEW)
    assert same(named, numbered)
    whole = ij.concepts.analyse(KEY, columns_together, data, **FEW)
    np.testing.assert_array_equal(whole.effects, ij.concepts.analyse(KEY, columns_together, arrays, **FEW).effects)


def test_training_inputs_alone_are_explained_without_similarities(arrays):
    found = ij.concepts.analyse(KEY, columns_together, arrays[:2], **FEW)
    assert found.is_train.all()
    assert found.generalization is None
    assert not found.coverage.out_of_sample
    assert list(found.sizes) == list(found.faithfulness) == ["training"]
    assert "8 training and 0 test inputs" in found.table()
    assert "too few inputs of each class" in found.table()


def test_given_rows_players_and_names(arrays):
    players = ij.Players.segments([0, 0, 1])
    found = ij.concepts.analyse(
        KEY, columns_together, arrays, players=players, rows=([7, 2, 9], [1, 0]), kind="and", player_names=["ab", "c"]
    )
    assert found.rows.tolist() == [7, 2, 9, 1, 0]
    assert found.is_train.tolist() == [True] * 3 + [False] * 2
    tables = ij.concepts.concept_tables(columns_together, arrays[0][[7, 2, 9]], arrays[1][[7, 2, 9]], players=players)
    np.testing.assert_allclose(found.tables[:3], tables, atol=1e-6)
    assert found.player_names == ("ab", "c")
    unnamed = ij.concepts.analyse(KEY, columns_together, arrays, players=players, rows=([7, 2, 9], []), kind="and")
    assert unnamed.player_names == ("player 0", "player 1")
    own = ij.Players.segments([0, 0, 1], names=["first", "second"])
    named = ij.concepts.analyse(KEY, columns_together, arrays, players=own, rows=([7, 2, 9], []), noise=0.0)
    assert named.player_names == named.players.names == named.explanation.player_names == ("first", "second")


def test_an_untrained_network_is_the_null(arrays):
    found = ij.concepts.analyse(KEY, columns_together, arrays, untrained=lambda x: columns_together(x) / 2, **FEW)
    np.testing.assert_allclose(found.null.strength, found.sizes["training"].strength / 2, rtol=1e-4)
    assert found.null.n_inputs == 8
    with pytest.warns(UserWarning, match="games of the untrained network hold NaN"):
        broken = ij.concepts.analyse(KEY, columns_together, arrays, untrained=lambda x: x[:, :2] / 0.0, **FEW)
    assert broken.null is None


def test_inputs_without_finite_games_are_left_out_with_a_warning(arrays, tmp_path):
    worst = np.argmax(arrays[0][:, 2])

    def overflows(x):
        return jnp.where(x[:, 2:] > arrays[0][worst, 2] - 1e-6, jnp.inf, columns_together(x))

    rows = ([worst, *(row for row in range(12) if row != worst)], range(6))
    with pytest.warns(UserWarning, match="1 of 1[89] inputs are left out"):
        found = ij.concepts.analyse(KEY, overflows, arrays, kind="and", rows=rows)
    assert found.n_left_out == 1
    assert worst not in found.rows[found.is_train]
    assert np.isfinite(found.tables).all()
    assert "left out: 1 of" in found.table()
    for _ in range(2):  # the second call finds the first one's tables, of which the first holds infinite values
        with pytest.warns(UserWarning, match="inputs are left out"):
            kept = ij.concepts.analyse(KEY, overflows, arrays, kind="and", rows=rows, folder=tmp_path)
        assert same(kept, found)
    with pytest.raises(ValueError, match="games of all training inputs hold NaN or infinite"):
        ij.concepts.analyse(KEY, overflows, arrays, kind="and", rows=([worst], range(6)))


# files


@pytest.mark.parametrize("kind", ["and", "and-or"])
def test_what_is_saved_is_loaded(arrays, tmp_path, kind):
    options = {"kind": kind, "stability": kind == "and-or", "untrained": lambda x: columns_together(x) / 2}
    players = ij.Players.segments([0, -1, 1])
    found = ij.concepts.analyse(KEY, columns_together, arrays, inputs_per_class=4, players=players, **options)
    files = found.save(tmp_path / "new" / "folder", {"network": "mine"})
    assert all(path.is_file() for path in files)
    again = ij.concepts.ConceptAnalysis.load(tmp_path / "new" / "folder")
    assert same(found, again)
    assert jax.tree.structure(found) == jax.tree.structure(again)
    assert again.table() == found.table()


def test_a_folder_holds_one_analysis(arrays, found, tmp_path):
    found.save(tmp_path)
    assert (tmp_path / "stability.npz").exists()
    plain = ij.concepts.analyse(KEY, columns_together, arrays, **FEW)
    written = plain.save(tmp_path)
    assert {path.name for path in written} == {path.name for path in tmp_path.iterdir()}
    assert ij.concepts.ConceptAnalysis.load(tmp_path).kind == "and"


def test_what_is_no_analysis_is_refused(found, tmp_path):
    with pytest.raises(ValueError, match=r"concepts\.npz does not exist"):
        ij.concepts.ConceptAnalysis.load(tmp_path)
    found.save(tmp_path)
    (tmp_path / "concepts.json").write_text("{")
    with pytest.raises(ValueError, match=r"concepts\.json cannot be read"):
        ij.concepts.ConceptAnalysis.load(tmp_path)


# a folder that keeps what was done


def test_a_killed_analysis_resumes_to_the_same_numbers(arrays, tmp_path, monkeypatch):
    how = {"inputs_per_class": 8, "stability": True}
    whole = ij.concepts.analyse(KEY, columns_together, arrays, **how)
    solve, solved = _explainer.and_or, []

    def killed_later(*arguments, **options):
        solved.append(arguments)
        if len(solved) == 2:
            raise Killed
        return solve(*arguments, **options)

    monkeypatch.setattr(_explainer, "and_or", killed_later)
    with pytest.raises(Killed):
        ij.concepts.analyse(KEY, columns_together, arrays, folder=tmp_path, **how)
    monkeypatch.setattr(_explainer, "and_or", solve)
    resumed = ij.concepts.analyse(KEY, columns_together, arrays, folder=tmp_path, **how)
    assert resumed.n_resumed == 16
    assert same(whole, resumed)
    monkeypatch.delattr(_explainer, "and_or")
    monkeypatch.delattr(_explainer, "stability")
    read = ij.concepts.analyse(KEY, columns_together, arrays, folder=tmp_path, **how)
    assert read.n_resumed == len(read.labels) == 24
    assert same(whole, read)


def test_a_kept_stability_is_not_that_of_another_threshold_or_key(arrays, tmp_path):
    how = {"inputs_per_class": 4, "stability": True, "rows": (range(8), range(4))}
    first = ij.concepts.analyse(KEY, columns_together, arrays, folder=tmp_path, **how)
    for key, tau in ((KEY, 0.5), (jax.random.key(4), 0.05)):
        kept = ij.concepts.analyse(key, columns_together, arrays, folder=tmp_path, tau=tau, **how)
        assert same(kept, ij.concepts.analyse(key, columns_together, arrays, tau=tau, **how))
        assert not np.array_equal(kept.stability.n_salient + kept.stability.loss, first.stability.n_salient)


def scaled(scale):
    return lambda logits, label: scale * (logits[label] - logits[1 - label])


def test_a_folder_of_another_network_or_output_is_refused(arrays, tmp_path):
    analyse = functools.partial(ij.concepts.analyse, KEY, data=arrays, folder=tmp_path, **FEW)
    analyse(columns_together)
    with pytest.raises(ValueError, match=r"holds a run with other settings \(network: "):
        analyse(lambda x: columns_together(x) * 1.001)
    assert analyse(lambda x: columns_together(x)).n_resumed == 0  # the same function by another name
    with pytest.raises(
        ValueError, match=r"holds a run with other settings \(output: \"log-odds\" there, \"logit\" here"
    ):
        analyse(columns_together, output=ij.logit)
    with pytest.raises(ValueError, match="holds a run with other settings"):
        analyse(columns_together, noise=0.1)
    with pytest.raises(ValueError, match="holds a run with other settings"):
        analyse(columns_together, precision="bfloat16")


def test_a_folder_tells_outputs_of_one_name_apart(arrays, tmp_path):
    network = (lambda params, x: params * columns_together(x), jnp.array(1.0))
    analyse = functools.partial(ij.concepts.analyse, KEY, network, arrays, folder=tmp_path, **FEW)
    once = analyse(output=scaled(1.0))
    assert same(analyse(output=scaled(1.0)), once)
    with pytest.raises(ValueError, match="games of another network or output"):
        analyse(output=scaled(2.0))


def test_an_analysis_of_an_earlier_version_goes_on(arrays, tmp_path, monkeypatch):
    analyse = functools.partial(ij.concepts.analyse, KEY, columns_together, arrays, folder=tmp_path, **FEW)
    once = analyse()
    path = tmp_path / "settings.json"
    path.write_text(
        json.dumps({k: value for k, value in json.loads(path.read_text()).items() if k not in ("network", "pieces")})
    )
    for piece in tmp_path.glob("*.npz"):
        np.savez(piece, **{name: array for name, array in read_arrays(piece).items() if name != "written by"})
    monkeypatch.setattr("interjax.concepts._analysis._inputs.tables_in", None)  # nothing is tabulated anew
    assert same(analyse(), once)


def test_progress_names_every_stage(arrays):
    told = []
    ij.concepts.analyse(
        KEY,
        columns_together,
        arrays,
        inputs_per_class=4,
        stability=True,
        untrained=lambda x: columns_together(x) / 2,
        progress=lambda *stage: told.append(stage),
    )
    assert told == [
        ("tabulating", 12, 12),
        ("explaining", 12, 12),
        ("explaining the untrained network", 8, 8),
        ("explaining under jittered costs", 8, 8),
    ]


# what is refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "or"}, "kind must be one of and, and-or; got 'or'"),
        ({"tau": 0}, r"tau must be a number in \(0, 1\], a share of the strongest effect"),
        ({"noise": -1}, r"noise must be a number in \[0, 1\], a share"),
        ({"kind": "and", "stability": True}, 'stability goes with kind="and-or"'),
        ({"players": ij.Players.features(14)}, 'players: 14 are too many for kind="and-or"'),
        (
            {"players": ij.Players.features(3), "player_names": ["a"]},
            "player_names must be one for each of 3 players, got 1",
        ),
        ({"player_names": ["a", "b", "c"]}, "give players too"),
        ({"classes": ["0", "cat"]}, "classes: the data has no class 'cat'; expected some of 0, 1, or their numbers"),
        ({"classes": [5]}, "classes: the data has no class 5"),
        ({"classes": []}, "classes: got none; expected some of 0, 1"),
        ({"classes": [0], "rows": ([0], [0])}, "rows name the inputs: leave classes out"),
        ({"rows": ([0, 60], [0])}, "training rows must lie from 0 to 59; got 0 to 60"),
        ({"rows": ([], [0])}, "training rows must be a list of at least 1 integers"),
        ({"rows": ([0.5], [0])}, "training rows must be a list of at least 1 integers"),
        ({"rows": ([0],)}, "rows must be two sets"),
        ({"inputs_per_class": 0}, "inputs_per_class must be an integer of at least 1"),
        ({"data": np.zeros((4, 3))}, "data must be an ij.datasets.Dataset or arrays"),
        ({"data": (np.zeros((4, 3)), np.zeros(4))}, "data must have classes here"),
        ({"data": (np.zeros((4, 3)), [0, 1, 0])}, r"expected train inputs \(N, ...\) and labels \(N,\), got shapes"),
        ({"key": 0}, "key must be a random key"),
    ],
)
def test_wrong_arguments_are_told(arrays, options, message):
    given = {"key": KEY, "model": columns_together, "data": arrays} | options
    with pytest.raises(ValueError, match=message):
        ij.concepts.analyse(**given)


def test_a_class_without_training_inputs_is_told(arrays):
    data = ij.datasets.Dataset(*arrays, "toy", ("no", "yes", "perhaps"))
    with pytest.raises(ValueError, match=r"toy has no training inputs of class perhaps: leave it out \(classes=\)"):
        ij.concepts.analyse(KEY, columns_together, data, **FEW)


def test_names_of_classes_that_are_numbers_are_names(arrays):
    """Class number 1 is called "2": an integer is a number, text a name where there is one of that name."""
    data = ij.datasets.Dataset(*arrays, "toy", ("1", "2"))
    by_number = ij.concepts.analyse(KEY, columns_together, data, classes=[1], **FEW)
    by_name = ij.concepts.analyse(KEY, columns_together, data, classes=["1"], **FEW)
    assert by_number.class_names == ("2",)
    assert by_name.class_names == ("1",)


def test_settings_of_a_folder_are_those_of_the_command(arrays, tmp_path):
    ij.concepts.analyse(KEY, columns_together, arrays, folder=tmp_path, **FEW)
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert list(settings) == [
        "weights",
        "inputs",
        "players",
        "baseline",
        "output",
        "kind",
        "noise",
        "network",
        "pieces",
    ]
    assert (settings["output"], settings["kind"], settings["noise"]) == ("log-odds", "and", 0.04)


def test_kept_pieces_hold_what_they_hang_on(arrays, tmp_path):
    ij.concepts.analyse(KEY, columns_together, arrays, inputs_per_class=4, stability=True, folder=tmp_path, tau=0.2)
    [piece] = tmp_path.glob("stability-*.npz")
    assert read_arrays(piece)["of_tau"] == 0.2
