"""Data sets: small files of every format, real ones where INTERJAX_DATA is set, and damaged ones."""

import builtins
import gzip
import importlib.util
import struct
import sys
import tarfile

import jax
import numpy as np
import pytest

from interjax import datasets
from interjax.games._players import Players

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 28, 28), dtype=np.uint8)
DIGITS = np.arange(12, dtype=np.uint8) % 10


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(folder, *, dot=False, zipped=False):
    mark, end = "." if dot else "-", ".gz" if zipped else ""
    for prefix, rows in [("train", slice(None)), ("t10k", slice(0, 10))]:
        for kind, array in [("images", PIXELS[rows]), ("labels", DIGITS[rows])]:
            data = idx(array)
            name = f"{prefix}-{kind}{mark}idx{array.ndim}-ubyte{end}"
            (folder / name).write_bytes(gzip.compress(data) if zipped else data)
    return folder


def write_batches(folder):
    random = np.random.default_rng(1)
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] + ["test_batch.bin"]
    for name in names:
        rows = random.integers(0, 256, (20, 3073), dtype=np.uint8)
        rows[:, 0] = np.arange(20) % 10
        (folder / name).write_bytes(rows.tobytes())
    return folder


def write_images(folder, *, size=8, end="png"):
    image = pytest.importorskip("PIL.Image")
    for split, classes in [("train", ("cat", "dog")), ("test", ("cat", "dog"))]:
        for label, name in enumerate(classes):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(3):
                level = 40 * label + 20 * number + (split == "test")
                image.fromarray(np.full((size, size, 3), level, np.uint8)).save(place / f"{number}.{end}")
    return folder


def pack(folder, path, mode):
    with tarfile.open(path, mode) as archive:
        archive.add(folder, arcname="set")
    return path


TABLE = """age,job,city,sweet
20,cook,?,no
30,?,Bonn,yes
40,cook,Ulm,no
50,pilot,Bonn,yes
60,cook,Bonn,no
70,pilot,Ulm,yes
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "fruit.csv"
    path.write_text(TABLE)
    return path


def splits_equal(a, b):
    return all(np.array_equal(getattr(a, f), getattr(b, f)) for f in ("train_x", "train_y", "test_x", "test_y"))


def forbid(monkeypatch, package):
    """Let every import of a package fail."""
    real = builtins.__import__

    def without(name, *rest, **keywords):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *rest, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)


def test_digits_are_the_same_split_every_time():
    data = datasets.digits()
    assert data.train_x.shape == (1438, 8, 8, 1)
    assert data.train_x.dtype == np.float32
    assert data.train_y.dtype == np.int32
    assert (data.train_x.min(), data.train_x.max()) == (0.0, 1.0)
    assert splits_equal(data, datasets.digits())
    shares = np.bincount(data.test_y) / (np.bincount(data.test_y) + np.bincount(data.train_y))
    np.testing.assert_allclose(shares, 0.2, atol=0.004)


def test_digits_are_those_that_sklearn_loads(monkeypatch):
    from_file = datasets.digits()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert splits_equal(from_file, datasets.digits())


def test_digits_are_read_without_importing_sklearn(monkeypatch):
    forbid(monkeypatch, "sklearn")
    assert datasets.digits().name == "digits"


@pytest.mark.parametrize("dot", [False, True])
@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_in_every_spelling(tmp_path, dot, zipped):
    data = datasets.mnist(write_mnist(tmp_path, dot=dot, zipped=zipped))
    assert data.input_shape == (28, 28, 1)
    np.testing.assert_allclose(data.train_x[..., 0] * 255, PIXELS, atol=1e-4)
    np.testing.assert_array_equal(data.test_y, DIGITS[:10])


def test_limit_keeps_the_first_of_every_class(tmp_path):
    data = datasets.mnist(write_mnist(tmp_path), limit=1)
    np.testing.assert_array_equal(data.train_y, np.arange(10))


def test_a_missing_mnist_file_is_named(tmp_path):
    (write_mnist(tmp_path) / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ValueError, match=r"no t10k-labels-idx1-ubyte .*four IDX files"):
        datasets.mnist(tmp_path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-5], "announces an array of .*cut short"),
        (lambda data: b"\0\0\x09\3" + data[4:], "is no IDX file .*00 00 08 03.*got 00 00 09 03"),
        (lambda data: b"", "is no IDX file"),
        (lambda data: gzip.compress(data)[:-100], "cannot be read.*download it again"),
    ],
)
def test_a_damaged_idx_file_is_told(tmp_path, damage, message):
    path = write_mnist(tmp_path) / "train-images-idx3-ubyte"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=message):
        datasets.mnist(tmp_path)


def test_images_without_as_many_labels_are_told(tmp_path):
    (write_mnist(tmp_path) / "train-labels-idx1-ubyte").write_bytes(idx(DIGITS[:-1]))
    with pytest.raises(ValueError, match=r"holds 12 images but .* holds 11 labels"):
        datasets.mnist(tmp_path)


def test_cifar_batches_are_channels_last_and_normalised(tmp_path):
    data = datasets.cifar10(write_batches(tmp_path))
    assert data.train_x.shape == (100, 32, 32, 3)
    assert data.class_names[3] == "cat"
    np.testing.assert_allclose(data.train_x.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(data.train_x.std(axis=(0, 1, 2)), 1, atol=1e-5)
    mean, scale = data.normalization
    row = np.frombuffer((tmp_path / "data_batch_1.bin").read_bytes(), np.uint8)[1:3073]
    np.testing.assert_allclose(
        (data.train_x[0] * scale + mean) * 255, row.reshape(3, 32, 32).transpose(1, 2, 0), atol=1e-3
    )


def test_cifar_batches_in_a_tar_equal_the_folder(tmp_path):
    folder = tmp_path / "batches"
    folder.mkdir()
    path = pack(write_batches(folder), tmp_path / "cifar-10-binary.tar.gz", "w:gz")
    assert splits_equal(datasets.cifar10(folder), datasets.cifar10(path))


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz"])
def test_a_tar_of_images_equals_its_folder(tmp_path, suffix):
    folder = write_images(tmp_path / "images")
    (folder / "train" / ".DS_Store").write_bytes(b"left by a file manager")
    path = pack(folder, tmp_path / f"images.{suffix}", f"w:{suffix[4:]}")
    data = datasets.cifar10(path)
    assert data.class_names == ("cat", "dog")
    assert data.train_x.shape == (6, 8, 8, 3)
    np.testing.assert_array_equal(data.train_y, [0, 0, 0, 1, 1, 1])
    assert splits_equal(datasets.cifar10(folder), data)


def test_limit_reads_fewer_images(tmp_path):
    data = datasets.cifar10(write_images(tmp_path, end="jpg"), limit=2)
    assert len(data.train_x) == len(data.test_x) == 4


def damage_batch(folder):
    (write_batches(folder) / "data_batch_2.bin").write_bytes(b"\1" * 3000)


def lose_batch(folder):
    (write_batches(folder) / "data_batch_4.bin").unlink()


def lose_class(folder):
    for path in (write_images(folder) / "test" / "dog").iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_batch, "data_batch_2.bin in .* rows of 3073 bytes .*got 3000"),
        (lose_batch, "lacks data_batch_4.bin"),
        (lose_class, r"found classes \['cat', 'dog'\] in train and \['cat'\] in test"),
        (lambda f: (f / "data_batch_1").write_bytes(b"x"), "binary version"),
        (lambda f: (write_images(f) / "train/cat/note.txt").write_text("x"), "note.txt in .* is no image"),
        (
            lambda f: (write_images(f) / "train/cat/1.png").write_bytes(b"x"),
            "1.png in .* is a damaged image: .* got 1 bytes",
        ),
        (lambda f: (f / "train").mkdir(), "no data set of images: expected train/CLASS"),
    ],
)
def test_a_damaged_image_set_is_told(tmp_path, damage, message):
    damage(tmp_path)
    with pytest.raises(ValueError, match=message):
        datasets.cifar10(tmp_path)


def test_images_of_two_sizes_are_told(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (9, 8)).save(write_images(tmp_path) / "train" / "dog" / "1.png")
    with pytest.raises(ValueError, match="has 8x9 pixels where the first image has 8x8"):
        datasets.cifar10(tmp_path)


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz"])
def test_a_cut_tar_is_told(tmp_path, suffix):
    path = pack(write_images(tmp_path / "images"), tmp_path / f"images.{suffix}", f"w:{suffix[4:]}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match="damaged"):
        datasets.cifar10(path)


def test_a_table_has_one_player_a_column(table):
    data = datasets.csv(table, label="sweet", test_fraction=0.34)
    assert data.class_names == ("no", "yes")
    assert data.player_names == ("age", "job", "city")
    assert data.feature_names == (
        *("age", "job=?", "job=cook", "job=pilot"),
        *("city=?", "city=Bonn", "city=Ulm"),
    )
    np.testing.assert_array_equal(data.player_labels, [0, 1, 1, 1, 2, 2, 2])
    assert len(data.train_x) + len(data.test_x) == 6
    np.testing.assert_array_equal(data.train_x[:, 1:4].sum(axis=1), 1)


def test_numbers_are_standardised_by_the_training_rows(table):
    data = datasets.csv(table, label="sweet", test_fraction=0.34)
    np.testing.assert_allclose(data.train_x[:, 0].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(data.train_x[:, 0].std(), 1, atol=1e-6)
    mean, scale = data.normalization
    ages = np.concatenate([data.train_x, data.test_x])[:, 0] * scale[0] + mean[0]
    np.testing.assert_allclose(np.sort(ages), [20, 30, 40, 50, 60, 70], rtol=1e-5)


def test_the_split_follows_the_seed(table):
    first, again = (datasets.csv(table, label="sweet", test_fraction=0.34, seed=1) for _ in range(2))
    assert splits_equal(first, again)
    others = [datasets.csv(table, label="sweet", test_fraction=0.34, seed=seed) for seed in range(5)]
    assert not all(splits_equal(first, other) for other in others)


def test_a_column_of_numbers_can_be_categories(table):
    data = datasets.csv(table, label=-1, categorical=["age"])
    assert data.feature_names[:3] == ("age=20", "age=30", "age=40")


def test_dropped_columns_are_no_players(table):
    data = datasets.csv(table, label="sweet", drop=["job", 2])
    assert data.player_names == ("age",)


def test_a_zipped_table_with_a_byte_order_mark(tmp_path, table):
    path = tmp_path / "fruit.csv.gz"
    path.write_bytes(gzip.compress(TABLE.encode("utf-8-sig")))
    assert splits_equal(datasets.csv(path, label="sweet"), datasets.csv(table, label="sweet"))


def test_missing_numbers_become_the_training_mean_with_a_warning(table):
    table.write_text(TABLE.replace("40,", ","))
    with pytest.warns(UserWarning, match="1 missing values of column 'age' replaced by its training mean"):
        data = datasets.csv(table, label="sweet", test_fraction=0.34)
    assert 0.0 in np.concatenate([data.train_x, data.test_x])[:, 0]


def test_a_constant_column_stays_finite(table):
    table.write_text(TABLE.replace("\n", ",7\n").replace("sweet,7", "sweet,seven"))
    data = datasets.csv(table, label="sweet")
    np.testing.assert_array_equal(data.train_x[:, -1], 0)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (TABLE, {"label": "sour"}, "no column 'sour': it has age, job, city, sweet"),
        (TABLE, {"label": 9}, "no column 9"),
        (TABLE, {"label": "age"}, "'age' has 6 different values in 6 rows"),
        (TABLE, {"label": "sweet", "categorical": ["hue"]}, "no column 'hue'"),
        (TABLE, {"label": "sweet", "drop": ["age", "job", "city"]}, "no column is left"),
        (TABLE, {"label": "sweet", "test_fraction": 1.5}, r"test_fraction must be a number in \(0, 1\), got 1\.5"),
        (TABLE, {"label": "sweet", "test_fraction": 0.01}, "leave none for testing"),
        (TABLE.replace("Ulm,no", "Ulm"), {"label": "sweet"}, "line 4: 3 cells where the header has 4"),
        (TABLE.replace("Ulm,no", "Ulm,"), {"label": "sweet"}, "'sweet' is empty in data row 3"),
        (TABLE.replace("40", "forty"), {"label": "sweet"}, r"'forty' in data row 3.*categorical=\['age'\]"),
        (TABLE.replace(",", " "), {"label": "sweet"}, "fewer than two columns.*separator="),
        (TABLE.replace("city", "job"), {"label": "sweet"}, "names a column twice"),
        ("1,2\n3,4\n5,6\n", {"label": 0}, "a header row with column names is expected"),
        ("", {"label": 0}, "holds 0 rows"),
        ('a,b\n"1,2\n3,4\n', {"label": 0}, "cannot be read as a CSV"),
    ],
)
def test_a_bad_table_is_told(table, text, options, message):
    table.write_text(text)
    with pytest.raises(ValueError, match=message):
        datasets.csv(table, **options)


def test_text_that_is_not_utf8_is_told(table):
    table.write_bytes(b"a,b\n\xff,1\n")
    with pytest.raises(ValueError, match="UTF-8"):
        datasets.csv(table, label="a")


def test_an_identifier_is_not_one_hot(table):
    rows = "\n".join(f"id{number},{number % 2}" for number in range(1500))
    table.write_text(f"name,label\n{rows}\n")
    with pytest.raises(ValueError, match=r"1500 categories.*drop=\['name'\]"):
        datasets.csv(table, label="label")


def test_adult_without_a_header_takes_its_known_columns(tmp_path):
    row = "39, State-gov, 77516, Bachelors, 13, Single, Clerical, Alone, White, Male, 2174, 0, 40, Cuba, {}\n"
    path = tmp_path / "adult.data"
    path.write_text("".join(row.format(income) for income in ["<=50K", ">50K"] * 5) + "\n")
    data = datasets.adult(path)
    assert data.player_names == datasets.ADULT_COLUMNS[:-1]
    assert data.class_names == ("<=50K", ">50K")


def test_load_understands_every_name(tmp_path, table):
    (tmp_path / "mnist").mkdir()
    write_mnist(tmp_path / "mnist")
    assert datasets.load("digits").name == "digits"
    assert datasets.load(f"mnist:{tmp_path / 'mnist'}", limit=1).name == "mnist"
    assert datasets.load(f"cifar10:{write_images(tmp_path / 'images')}").name == "cifar10"
    assert datasets.load(f"csv:{table}:sweet").name == "fruit"
    assert datasets.load(f"csv:{table}:3").class_names == ("no", "yes")


@pytest.mark.parametrize("where", ["imagenet", "mnist", "mnist:", "csv:file", "digits:here", ""])
def test_load_lists_what_it_knows(where):
    with pytest.raises(ValueError, match="expected digits, mnist:FOLDER"):
        datasets.load(where)


@pytest.mark.parametrize("name", ["mnist", "cifar10", "adult"])
def test_a_missing_path_is_named(tmp_path, name):
    with pytest.raises(ValueError, match="nowhere"):
        datasets.load(f"{name}:{tmp_path / 'nowhere'}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_y": [0, 1]}, r"expected train inputs \(N, ...\) and labels \(N,\), got shapes \(3, 2\) and \(2,\)"),
        ({"test_y": [0, 2]}, "test labels, must be class numbers from 0 to 1, .* got 0..2"),
        ({"test_x": np.zeros((2, 4))}, r"test_x must be inputs of the shape of those in train_x, \(2,\); got \(4,\)"),
        ({"train_x": np.full((3, 2), np.nan)}, "NaN"),
    ],
)
def test_a_dataset_checks_its_arrays(changes, message):
    fields = {"train_x": np.zeros((3, 2)), "train_y": [0, 1, 0], "test_x": np.ones((2, 2)), "test_y": [0, 1]}
    with pytest.raises(ValueError, match=message):
        datasets.Dataset(**(fields | changes), name="toy", class_names=("a", "b"))


@pytest.mark.parametrize(("package", "loader"), [("sklearn", "digits"), ("PIL", "cifar10")])
def test_a_missing_package_is_named_with_the_command(tmp_path, monkeypatch, package, loader):
    arguments = [write_images(tmp_path)] if loader == "cifar10" else []
    forbid(monkeypatch, package)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r'pip install "interjax\[cli\]"'):
        getattr(datasets, loader)(*arguments)


def three_classes(examples=1000):
    x = np.arange(3.0 * examples).reshape(examples, 3)
    labels = np.random.default_rng(0).choice(3, examples, p=[0.5, 0.3, 0.2])
    return datasets.Dataset(x, labels, x[:40], labels[:40], "toy", ("a", "b", "c"))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 1.0])
def test_label_noise_permutes_the_drawn_labels_and_leaves_the_rest(share):
    data = three_classes()
    before = data.train_y.copy()
    noisy, drawn = datasets.with_label_noise(jax.random.key(1), data, share)
    assert drawn.sum() == round(share * 1000)
    np.testing.assert_array_equal(noisy.train_y[~drawn], before[~drawn])
    np.testing.assert_array_equal(np.sort(noisy.train_y[drawn]), np.sort(before[drawn]))
    np.testing.assert_array_equal(noisy.test_y, data.test_y)
    np.testing.assert_array_equal(noisy.train_x, data.train_x)
    np.testing.assert_array_equal(data.train_y, before)


def test_label_noise_changes_as_many_labels_as_chance_does():
    data = three_classes(10_000)
    noisy, drawn = datasets.with_label_noise(jax.random.key(2), data, 0.5)
    proportions = np.bincount(data.train_y[drawn]) / 5000
    changed = np.mean(noisy.train_y[drawn] != data.train_y[drawn])
    assert changed == pytest.approx(1 - np.sum(proportions**2), abs=0.03)  # four standard errors


def test_the_key_decides_the_label_noise_and_smaller_shares_are_nested():
    data = three_classes()
    (first, drawn), (again, _) = (datasets.with_label_noise(jax.random.key(3), data, 0.3) for _ in range(2))
    np.testing.assert_array_equal(first.train_y, again.train_y)
    assert not np.array_equal(datasets.with_label_noise(jax.random.key(4), data, 0.3)[1], drawn)
    fewer = datasets.with_label_noise(jax.random.key(3), data, 0.1)[1]
    assert not np.any(fewer & ~drawn)
    assert first.name == "toy, rho=0.3"


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan"), "0.1"])
def test_a_share_outside_0_and_1_is_refused(share):
    with pytest.raises(ValueError, match=r"share .* in \[0, 1\]"):
        datasets.with_label_noise(jax.random.key(0), three_classes(), share)


def test_label_noise_wants_a_key():
    with pytest.raises(ValueError, match="random key"):
        datasets.with_label_noise(0, three_classes(), 0.1)


def test_the_real_mnist(data_folder):
    data = datasets.mnist(data_folder / "mnist")
    assert len(data.train_x) == 60_000
    assert len(data.test_x) == 10_000
    assert data.train_x.mean() == pytest.approx(0.1307, abs=1e-4)
    assert data.test_y[:5].tolist() == [7, 2, 1, 0, 4]


def test_the_real_adult(data_folder):
    data = datasets.adult(data_folder / "adult" / "adult.csv.gz")
    assert len(data.train_x) + len(data.test_x) == 32_561
    assert len(data.player_names) == 14
    assert data.input_shape == (108,)
    assert "workclass=?" in data.feature_names
    assert data.test_y.mean() == pytest.approx(7_841 / 32_561, abs=1e-4)


@pytest.mark.long
def test_the_real_cifar10(data_folder):
    data = datasets.cifar10(data_folder / "cifar10" / "cifar10-jpeg.tar.xz", limit=10)
    assert data.train_x.shape == data.test_x.shape == (100, 32, 32, 3)
    assert data.class_names[-1] == "truck"
    np.testing.assert_allclose(data.train_x.mean(axis=(0, 1, 2)), 0, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "cells"), [((28, 28, 1), (14, 14)), ((32, 32, 3), (16, 16)), ((8, 30), (8, 15)), ((17, 5, 1), (1, 5))]
)
def test_players_of_images_are_equal_cells(shape, cells):
    data = datasets.Dataset(np.zeros((2, *shape)), [0, 1], np.zeros((2, *shape)), [0, 1], "toy", ("a", "b"))
    assert data.players() == Players.grid(shape, cells)
    assert data.players((2, 3)) == Players.grid(shape, (2, 3))
    assert data.players(4) == Players.grid(shape, 4)


def test_players_of_tables_are_columns(table):
    data = datasets.csv(table, label="sweet", test_fraction=0.5)
    assert data.players() == Players.segments(data.player_labels)
    assert data.players().n == len(data.player_names)
    with pytest.raises(ValueError, match="cells cut images; the players of fruit, a table, are its columns"):
        data.players((2, 2))
    x = np.zeros((2, 20))
    plain = datasets.Dataset(x, [0, 1], x, [0, 1], "plain", ("a", "b"))
    assert plain.players() == Players.features(20)
    with pytest.raises(ValueError, match="cells cut images"):
        plain.players(4)
