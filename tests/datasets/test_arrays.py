"""Data sets from what is in memory, and what a data set refuses to hold."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

from interjax.datasets import Dataset, from_arrays

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 2
FRAME = pd.DataFrame(X, columns=["u", "v", "w"])


class Tensor:
    """What a tensor of another framework shows to NumPy."""

    def __init__(self, values, *, needs_gradient=False):
        self.values, self.needs_gradient = values, needs_gradient

    def __array__(self, dtype=None, copy=None):
        if self.needs_gradient:
            raise RuntimeError("call detach() first")
        return self.values


@pytest.mark.parametrize("x", [X, jnp.asarray(X), X.tolist(), FRAME, Tensor(X), X.astype(np.float32)])
def test_inputs_of_every_kind_are_kept_in_float32(x):
    data = from_arrays(x, Y, x, Y)
    assert data.train_x.dtype == np.float32
    np.testing.assert_array_equal(data.train_x, X.astype(np.float32))
    np.testing.assert_array_equal(data.train_y, Y)
    assert data.feature_names == data.player_names == (("u", "v", "w") if x is FRAME else None)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([5, 2] * 20), ("2", "5")),
        (Y == 1, ("False", "True")),
        (Y * 1.0, ("0", "1")),
        (["yes", "no"] * 20, ("no", "yes")),
        (np.array(["yes", "no"] * 20, object), ("no", "yes")),
        (pd.Series(["yes", "no"] * 20), ("no", "yes")),
        (pd.Series(["yes", "no"] * 20, dtype="category"), ("no", "yes")),
        (jnp.asarray(Y), ("0", "1")),
        (Y.astype(np.uint64) + 2**63, (str(2**63), str(2**63 + 1))),
    ],
)
def test_classes_are_the_different_labels_in_order(y, classes):
    data = from_arrays(X, y, X, y)
    assert data.class_names == classes
    np.testing.assert_array_equal(data.train_y, 1 - Y if classes[0] in ("2", "no") else Y)
    np.testing.assert_array_equal(data.test_y, data.train_y)


def test_a_part_of_each_class_is_held_out():
    data = from_arrays(np.arange(40.0)[:, None], Y, test_fraction=0.25, seed=3)
    assert np.bincount(data.test_y).tolist() == [5, 5]
    together = np.concatenate([data.train_x, data.test_x])[:, 0]
    np.testing.assert_array_equal(np.sort(together), np.arange(40))
    np.testing.assert_array_equal(data.train_x[:, 0] % 2, data.train_y)


def test_named_classes_keep_their_order():
    assert from_arrays(X, ["no", "yes"] * 20, X, Y, class_names=["yes", "no"]).train_y[:2].tolist() == [1, 0]
    assert from_arrays(X, Y, X, Y, class_names=["a", "b", "c"]).n_classes == 3


def test_pixels_are_not_scaled():
    assert from_arrays(np.full((40, 2, 2, 1), 255, np.uint8), Y).train_x.max() == 255


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((X, Y * 0.9), {}, "train_y must be classes .* got 0.9"),
        ((X, np.where(Y, np.nan, 0)), {}, "got nan"),
        ((X, ["no", float("nan")] * 20), {}, "all of one kind; got float, str"),
        ((X, ["no", None] * 20), {}, "got NoneType, str"),
        ((X, ["no", 1] * 20), {}, "got int, str"),
        ((X, ["no", " "] * 20), {}, "empty label in row 1"),
        ((X, ["Yes", "yes", "no", "no"] * 10), {}, "'Yes' and 'yes'"),
        ((X, np.arange(40)), {}, "40 different values in 40 rows"),
        ((X, Y * 0), {}, "1 different values"),
        ((X, np.eye(2)[Y]), {}, "argmax"),
        ((X, Y[:, None]), {}, "ravel"),
        ((X, Y[1:]), {}, "as many inputs as labels"),
        ((X[:0], Y[:0]), {}, "as many inputs as labels"),
        ((X[:2], Y[:2]), {}, "class '0' has one row"),
        ((X[:, 0], Y), {}, r"got shape \(40,\)"),
        ((X * 1j, Y), {}, "real numbers, got complex128"),
        ((X.astype(str), Y), {}, "real numbers, got <U"),
        ((X.astype(object), Y), {}, "real numbers, got object"),
        (([[1], [1, 2]] * 20, Y), {}, "cannot be made a NumPy array"),
        ((np.ma.array(X), Y), {}, "masked array"),
        ((X * 1e39, Y), {}, "beyond what float32 can hold"),
        ((np.where(X > 1, np.inf, X), Y), {}, "NaN or infinite"),
        ((X + 1e8, Y), {}, "float32 rounds entry 0 .* subtract its mean"),
        ((2**60 + np.arange(120).reshape(40, 3), Y), {}, "float32 rounds entry 0 by up to .* spread over 1.2e.02"),
        (((255 * X % 256).astype(np.uint8), Y, X, Y), {}, "on one scale: train_x is uint8, test_x is float"),
        ((jax.random.split(jax.random.key(0), 40)[:, None], Y), {}, "cannot be made a NumPy array"),
        ((Tensor(X, needs_gradient=True), Y), {}, "call detach"),
        ((FRAME.assign(t="red"), Y), {}, "column 't' holds no numbers .*ij.datasets.csv"),
        ((FRAME.assign(t=pd.Timestamp("2020-01-01")), Y), {}, "column 't' holds no numbers but datetime"),
        ((FRAME.assign(t=np.nan), Y), {}, "column 't' has missing values"),
        ((pd.concat([FRAME, FRAME], axis=1), Y), {}, "two columns of one name"),
        ((FRAME, pd.Series(Y)[::-1]), {}, "different row indices"),
        ((FRAME, Y, FRAME[["v", "u", "w"]], Y), {}, "columns of train_x in its order"),
        ((X, Y, X), {}, "test_x and test_y go together"),
        ((X, Y, X, Y + 1), {}, r"test_y holds \[2\], not among the classes \[0, 1\]"),
        ((X, Y, X, ["no", "yes"] * 20), {}, "of the kind of train_y"),
        ((X, Y), {"class_names": "ab"}, "class_names must be a list of texts"),
        ((X, Y), {"class_names": ["a"]}, "class numbers from 0 to 0"),
        ((X, ["a", "c"] * 20), {"class_names": ["a", "b"]}, r"\['c'\], not among"),
        ((X, Y), {"feature_names": ["a"]}, "feature_names must be 3 texts, one each, got 1"),
        ((X, Y), {"feature_names": ["a", "b", "a"]}, "feature_names must differ, got 'a' twice"),
        ((X, Y), {"seed": -1}, "seed must be"),
        ((X, Y), {"test_fraction": 0}, "test_fraction must be"),
    ],
)
def test_arrays_that_are_no_data_set_are_refused(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        from_arrays(*arguments, **options)


def test_a_label_that_may_be_missing_is_told():
    with pytest.warns(UserWarning, match="'NA', which is read as a class") as told:
        assert from_arrays(X, ["NA", "DE"] * 20).class_names == ("DE", "NA")
    assert told[0].filename == __file__


def test_images_with_their_channels_first_are_told():
    images = np.random.default_rng(0).random((40, 3, 8, 8))
    with pytest.warns(UserWarning, match="channels first"):
        from_arrays(images, Y)
    assert from_arrays(images.transpose(0, 2, 3, 1), Y).is_image


def test_splits_on_different_scales_are_told():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 1)).astype(float)
    sizes = f"{pixels.mean():.3g} in train_x and {pixels.mean() / 255:.3g} in test_x"
    for train_x, test_x, message in ((pixels, pixels / 255, sizes), (X, X * 1000, "on different scales")):
        with pytest.warns(UserWarning, match=message):
            from_arrays(train_x, Y, test_x, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_arrays(pixels, Y, pixels / 3, Y)


def test_whole_numbers_behind_an_offset_that_float32_holds_are_kept():
    x = np.arange(40.0)[:, None] + 1e6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(from_arrays(x, Y, x, Y).train_x, x)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_y": [0.9, 0, 1]}, "train labels must be class numbers.*got 0.9"),
        ({"train_y": [2**32, 0, 1]}, "got 4294967296"),
        ({"train_y": ["a", "b", "a"]}, "from_arrays takes labels of other kinds"),
        ({"train_x": [["1", "2"]] * 3}, "real numbers, got <U1"),
        ({"train_x": np.full((3, 2), 1e39)}, "beyond what float32 can hold"),
        ({"train_x": np.ma.zeros((3, 2))}, "masked array"),
        ({"class_names": ("a", "a")}, "class_names must differ, got 'a' twice"),
        ({"class_names": "ab"}, "class_names must be a list of texts"),
        ({"feature_names": ("a",)}, "feature_names must be 2 texts"),
        ({"player_labels": [0]}, "player_labels must be an integer for each entry"),
        ({"player_labels": [True, False]}, "player_labels must be an integer for each entry"),
        ({"player_labels": [0, 2]}, "give every player at least one entry"),
        ({"player_labels": [0, 0], "player_names": ("a", "b")}, "player_names must be 1 texts"),
        ({"normalization": (0.0, 0.0)}, "positive scale"),
        ({"normalization": (np.zeros(3), 1.0)}, "broadcast against an input"),
    ],
)
def test_a_dataset_checks_what_it_means(changes, message):
    fields = {"train_x": np.zeros((3, 2)), "train_y": [0, 1, 0], "test_x": np.ones((2, 2)), "test_y": [0, 1]}
    with pytest.raises(ValueError, match=message):
        Dataset(**(fields | {"name": "toy", "class_names": ("a", "b")} | changes))
