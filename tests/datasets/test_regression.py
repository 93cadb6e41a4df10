"""Data sets of numbers to predict: read, split, standardised, and refused where they are none."""

import numpy as np
import pytest

import interjax as ij

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(50, 3)).astype(np.float32)
Y = 100 + 20 * X[:, 0] - 3 * X[:, 1]


def test_arrays_keep_their_numbers():
    data = ij.datasets.from_arrays(X, Y, task="regression", test_fraction=0.3, seed=2)
    assert (data.is_regression, data.n_classes, data.n_outputs, data.class_names) == (True, 0, 1, ())
    assert data.train_y.dtype == np.float32
    assert (len(data.train_y), len(data.test_y)) == (35, 15)
    for x, y in ((data.train_x, data.train_y), (data.test_x, data.test_y)):
        np.testing.assert_allclose(y, 100 + 20 * x[:, 0] - 3 * x[:, 1], rtol=1e-6)
    assert len(np.unique(np.concatenate([data.train_y, data.test_y]))) == 50
    assert "numbers to predict" in repr(data)
    again = ij.datasets.from_arrays(X, Y, task="regression", test_fraction=0.3, seed=2)
    np.testing.assert_array_equal(again.test_y, data.test_y)
    given = ij.datasets.from_arrays(X, Y, X[:5], Y[:5], task="regression")
    np.testing.assert_array_equal(given.test_y, Y[:5].astype(np.float32))


def test_integers_are_numbers_too():
    data = ij.datasets.from_arrays(X, np.arange(50), task="regression")
    assert sorted(np.concatenate([data.train_y, data.test_y]).tolist()) == list(range(50))


def test_a_table_standardises_its_label(tmp_path):
    path = tmp_path / "houses.csv"
    rows = [f"{a:.4f},{'red' if b > 0 else 'blue'},{y:.6f}" for (a, b, _), y in zip(X, Y, strict=True)]
    path.write_text("\n".join(["area,colour,price", *rows]) + "\n")
    data = ij.datasets.csv(path, label="price", task="regression")
    mean, scale = data.label_normalization
    raw = np.concatenate([data.train_y, data.test_y]) * scale + mean
    np.testing.assert_allclose(np.sort(raw), np.sort(Y), rtol=1e-5)
    np.testing.assert_allclose([data.train_y.mean(), data.train_y.std()], [0, 1], atol=1e-5)
    assert data.player_names == ("area", "colour")
    loaded = ij.datasets.load(f"csv:{path}:price", task="regression")
    np.testing.assert_array_equal(loaded.train_y, data.train_y)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1.5", "", "2"], "label column 'y' has no number in data row 2"),
        (["1.5", "NA", "2"], "label column 'y' has no number in data row 2"),
        (["1.5", "$3", "2"], "numbers that are not plainly written, such as '\\$3' in data row 2"),
        (["a", "b", "c"], "holds no number"),
        (["1.5", "1.5", "1.5"], "1.5 in every training row: there is nothing to predict"),
    ],
)
def test_labels_that_are_no_numbers_are_refused(tmp_path, cells, message):
    path = tmp_path / "table.csv"
    rows = [f"{number}.5,{cell}" for number, cell in enumerate(cells * 4)]
    path.write_text("\n".join(["a,y", *rows]) + "\n")
    with pytest.raises(ValueError, match=message):
        ij.datasets.csv(path, label="y", task="regression")


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.where(Y > 100, np.nan, Y), {}, "must be finite"),
        (["a"] * 50, {}, "must be real numbers"),
        (Y > 100, {}, "numbers to predict"),
        (Y[:, None], {}, r"call .ravel\(\)"),
        (Y[:9], {}, "as many inputs as labels"),
        (Y, {"class_names": ("a", "b")}, "class_names must be left out"),
        (Y, {"task": "ranking"}, "task must be one of classification, regression"),
        (Y.astype(float) * 1e-4 + 1e8, {}, "float32 rounds entry 'the label'"),
        (Y, {"task": "classification"}, 'task="regression"'),
    ],
)
def test_arrays_that_are_no_numbers_are_refused(labels, options, message):
    with pytest.raises(ValueError, match=message):
        ij.datasets.from_arrays(X, labels, **{"task": "regression", **options})


def test_what_does_not_go_with_a_task_is_refused():
    with pytest.raises(ValueError, match="class_names must be"):
        ij.datasets.Dataset(X, Y, X, Y, "toy", ("a", "b"), task="regression")
    with pytest.raises(ValueError, match="label_normalization goes with"):
        ij.datasets.Dataset(X, [0, 1] * 25, X, [0, 1] * 25, "toy", ("a", "b"), label_normalization=(0.0, 1.0))
    with pytest.raises(ValueError, match=r"label_normalization must be .*positive scale"):
        ij.datasets.Dataset(X, Y, X, Y, "toy", (), task="regression", label_normalization=(0.0, 0.0))
