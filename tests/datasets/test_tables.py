"""What the cells of a CSV file say: the right numbers and classes, or an error that names column, cell and way out."""

import bz2
import gzip
import io
import lzma
import zipfile

import numpy as np
import pytest

from interjax import datasets
from interjax.datasets import _archives
from interjax.datasets._cells import ABSENT, AMOUNT, DATE, NUMBER, TEXT, kind_of

ROWS = 24


def cells(*values):
    """A column a, of the values over and over, and a label y that changes slower."""
    lines = "".join(f"{values[row % len(values)]},{'no' if row % 8 < 4 else 'yes'}\n" for row in range(ROWS))
    return f"a,y\n{lines}"


def labels(*values, rows=ROWS):
    return "a,y\n" + "".join(f"{row * row % 7},{values[row % len(values)]}\n" for row in range(rows))


def counted(name, *, start=1, step=1, rows=ROWS):
    """A first column of whole numbers, all different."""
    lines = "".join(f"{start + row * step},{row * row % 7},{'no' if row % 2 else 'yes'}\n" for row in range(rows))
    return f"{name},a,y\n{lines}"


def headless(rows=12):
    lines = [f"{5 + row / 10:.1f},3.5,1.4,Iris-{'setosa' if row % 2 else 'virginica'}\n" for row in range(rows)]
    return "".join(lines)


def read(tmp_path, content, label="y", **options):
    path = tmp_path / "table.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return datasets.csv(path, label=label, **options)


def raw(data):
    """The first column as it was written, in any order."""
    mean, scale = data.normalization
    return np.sort(np.concatenate([data.train_x, data.test_x])[:, 0] * scale[0] + mean[0])


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), cells(1, 2, 3), zipfile.ZIP_DEFLATED)  # of 1980, not of now
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (NUMBER, ["0", "-1", "+.5", "3.", "1e5", "1E-3", "0.5", "100000000000000000000"]),
        (AMOUNT, ["1,420", "$1420", "12%", "3,14", "12 kg", "(5)", "€ 3.50", "1 420", "1'420", "−5", "120/80"]),
        (AMOUNT, ["0x10", "1_000", "inf", "-Infinity", "1e400", "007", "１２", "12345678901234567", "5more"]),
        (DATE, ["2020-01-31", "31.1.2020", "1/31/20", "12-Mar-2020", "Mar 12, 2020", "2020-01-31T10:00:00Z", "10:30"]),
        (ABSENT, ["", "?", "NA", "n/a", "NaN", "null", "None"]),
        (TEXT, ["red", "18-25", "1st", "10th", "<=50K", "A1", "-", "marathon 26", "e5"]),
    ],
)
def test_a_cell_is_of_one_kind(kind, written):
    assert {cell: kind_of(cell) for cell in written} == dict.fromkeys(written, kind)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (cells("$1420", "$1500", "$99"), r"column 'a' holds numbers that are not plainly written, such as '\$1420' in"),
        (cells("1", "2", "x", "z"), r"column 'a' holds numbers, except 'x' in data row 3; .*categorical=\['a'\]"),
        (
            cells("2020-01-01", "2020-01-02"),
            r"column 'a' holds dates or times, such as '2020-01-01' in .*drop",
        ),
        (cells("20200131", "20191231", "20191230"), "dates or times, such as '20200131'"),
        (cells(*"1234567", "inf"), "'inf' in data row 8"),
        (cells(*"1234567", "1e300"), "'1e300' in data row 8, beyond what float32 can hold"),
        (cells(*"1234567", "1e30"), "beside '1e30' in data row 8 the other values cannot be told apart"),
        (cells("1e-42", "2e-42"), "below what float32 can hold"),
        (cells("", "?"), r"column 'a' is empty in every row; pass drop=\['a'\]"),
        (cells(*(f"Mr {letter}" for letter in "abcdefghijklmnopqrstuvwx")), r"24 different texts .*drop=\['a'\]"),
        (counted(""), r"column '' counts the rows \(pandas writes such an index.*drop=\[0\]"),
        (counted("PassengerId", start=901, step=7), "'PassengerId' has a number of its own in every row"),
        (counted("", start=0.5), "column number 0, counted from 0, has no name"),
        (headless(), "starts with the values '5.0', '3.5', '1.4': a header row .*header=False"),
        ("p,x,s,y\n" + "p,x,n,yes\nq,x,s,no\n" * 6, "starts with 'p', which data row 1 holds in the same column"),
        (labels("no", "yes") * 2, "repeats its first line in data row 25"),
        (labels("Yes", "yes", "No"), "'Yes' and 'yes', which seem to be one class written in two ways"),
        (labels("0", "0.0", "1"), "'0' and '0.0', which seem"),
        (labels("True", "true", "False"), "'True' and 'true', which seem"),
        (labels(">50K", "<=50K", ">50K."), r"'>50K' and '>50K\.', which seem"),
        (labels("yes", "no", "1", "0"), "seem to be two classes"),
        (labels("y", "yes", "n"), "'y' and 'yes', which seem"),
        (labels("red", "blue", "?"), "'y' is missing, '\\?', in data row 3"),
        (labels("0", "1", "NA"), "'y' is missing, 'NA', in data row 3"),
        (
            labels(*(f"{number}.5" for number in range(40)), rows=800),
            "40 different values in 800 rows.*task=.regression",
        ),
        (labels("no", "yes") + "3,maybe\n", r"table\.csv: class 'maybe' has one row, data row 25"),
        ("a;1,b;2,y\n" + "1;2,3;4,no\n2;1,3;3,yes\n" * 6, "by ',' and by ';': pass separator="),
        ("# a,y\n" + labels("no", "yes")[4:], "line 1 starts with # but has as many cells as the table"),
        ("a,b,y\n1,2,no\n# note\n", "line 3: 1 cells where the header has 3 columns"),
        ("a,b,y\n1,2,no\n1,,\n1,no\n", "line 4: 2 cells where the header has 3 columns"),
        ("a,y\n1,no\n2,\0\n", "zero bytes"),
        (cells(1, 2).encode("utf-16"), "it holds UTF-16; save it as CSV in UTF-8"),
        ("a,y\n1,no\n2,café\n".encode("latin-1"), "line 3 holds byte e9"),
        (zipped("a.csv")[:60], "cannot be read .*download it again"),
        (zipped("a.csv", "b.csv"), "is a zip of 2 files: expected one"),
        (zipped("[Content_Types].xml", "sheet.xml"), "is an Excel workbook: save the sheet as CSV"),
    ],
)
def test_what_a_file_leaves_open_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed must be an integer of at least 0"),
        ({"seed": None}, "seed must be an integer"),
        ({"label": True}, "no column True"),
        ({"label": 1.0}, "no column 1.0"),
        ({"drop": "a"}, "drop must be a list"),
        ({"drop": ["y"]}, "drop names the label 'y'"),
        ({"categorical": ["a"], "numeric": ["a"]}, "'a' is in categorical and in numeric"),
        ({"header": "no"}, "header must be True, False or None"),
        ({"separator": ";;"}, "separator must be one character"),
        ({"decimal": "-"}, "decimal must be"),
    ],
)
def test_options_of_a_table_are_checked(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, labels("no", "yes"), **options)


@pytest.mark.parametrize(
    ("text", "options", "features"),
    [
        ("a;y\n" + "3,14;no\n2,5;yes\n" * 6, {"decimal": ","}, ("a",)),
        ("a\ty\n" + "3\tno\n2\tyes\n" * 6, {}, ("a",)),
        ("a b y\n" + "3  1 no\n2  4 yes\n" * 6, {"separator": " "}, ("a", "b")),
        ("# by hand\n\n" + labels("no", "yes"), {}, ("a",)),
        ("a,y,\n" + "3,no,\n2,yes,\n" * 6, {}, ("a",)),
        (labels("no", "yes").replace("\n", "\r"), {}, ("a",)),
        (" a , y \n" + ' 3 , "no" \n 2 , "yes" \n' * 6, {}, ("a",)),
        (headless(), {"header": False, "label": 3}, ("column_0", "column_1", "column_2")),
        (headless(), {"header": False, "label": "column_3"}, ("column_0", "column_1", "column_2")),
        ("0,1,2,y\n" + "5,7,3,no\n9,8,4,yes\n" * 6, {}, ("0", "1", "2")),
        ("c,1990,1995,y\n" + "5,7,3,no\n9,8,4,yes\n" * 6, {"header": True}, ("c", "1990", "1995")),
        (counted(""), {"drop": [0]}, ("a",)),
        (counted("day"), {"numeric": ["day"]}, ("day", "a")),
        (cells("None", "NA", "brick"), {}, ("a=NA", "a=None", "a=brick")),
        (cells("01000", "02000"), {"categorical": ["a"]}, ("a=01000", "a=02000")),
        (cells("#f", "#0"), {}, ("a=#0", "a=#f")),
        (zipped("a.csv", "__MACOSX/._a.csv"), {}, ("a",)),
        (bz2.compress(labels("no", "yes").encode()), {}, ("a",)),
        (lzma.compress(labels("no", "yes").encode()), {}, ("a",)),
    ],
)
def test_tables_of_many_forms_are_read(tmp_path, text, options, features):
    data = read(tmp_path, text, **({"label": "y"} | options))
    assert data.feature_names == features
    assert data.n_classes == 2


def test_numbers_keep_their_values(tmp_path):
    data = read(tmp_path, "a;y\n" + "3,14;no\n-2,5;yes\n1e2;no\n7;yes\n" * 6, decimal=",")
    np.testing.assert_allclose(raw(data).reshape(4, 6), np.repeat([[-2.5], [3.14], [7], [100]], 6, axis=1), rtol=1e-5)


def test_a_constant_column_has_scale_1(tmp_path):
    train = read(tmp_path, "a,b,y\n" + "14.62,1,no\n14.62,2,yes\n" * 500)
    np.testing.assert_array_equal(np.concatenate([train.train_x, train.test_x])[:, 0], 0)
    assert train.normalization[1][0] == 1
    lines = ["a,y\n", *["14.62,no\n", "14.62,yes\n"] * 10]
    for row in range(1, 21):  # one of which is held out
        changed = [*lines[:row], lines[row].replace("62", "63"), *lines[row + 1 :]]
        data = read(tmp_path, "".join(changed))
        if not data.train_x.any():
            break
    assert data.normalization[1][0] == 1
    assert np.sort(data.test_x[:, 0]).tolist() == pytest.approx([0, 0, 0, 0.01], abs=1e-6)


@pytest.mark.parametrize(
    ("text", "message", "classes"),
    [
        (labels("NA", "DE", "FR"), "holds 'NA', in data row 1 first, which is read as a class", ("DE", "FR", "NA")),
        (labels("None", "mild"), "holds 'None'", ("None", "mild")),
        (labels("no", "yes") + "3,maybe\n4,maybe\n", "no row of class 'maybe' is held out", ("maybe", "no", "yes")),
        (cells("Cook", "cook", "pilot"), "'Cook' and 'cook', read as two categories", ("no", "yes")),
    ],
)
def test_what_may_be_meant_otherwise_is_told(tmp_path, text, message, classes):
    with pytest.warns(UserWarning, match=message) as told:
        data = read(tmp_path, text)
    assert data.class_names == classes
    assert told[0].filename == __file__


@pytest.mark.parametrize("dotted", [("",), (".",), ("", ".")])
def test_adult_data_and_adult_test_have_two_classes(tmp_path, dotted):
    row = "39, State-gov, {}, Bachelors, 13, Single, Clerical, Alone, White, Male, 0, 0, 40, Cuba, {}\n"
    parts = []
    for dot in dotted:
        rows = [row.format(number * 77 % 901, ("<=50K", ">50K")[number % 2] + dot) for number in range(20)]
        parts.append(("|1x3 Cross validator\n" if dot else "") + "".join(rows))
    (tmp_path / "adult.all").write_text("".join(parts))
    data = datasets.adult(tmp_path / "adult.all")
    assert data.class_names == ("<=50K", ">50K")
    assert len(data.train_x) + len(data.test_x) == 20 * len(dotted)


def test_a_file_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_archives, "UNPACKED_LIMIT", 10_000)
    for packed in (gzip.compress(bytes(20_000)), bz2.compress(bytes(20_000)), lzma.compress(bytes(20_000))):
        with pytest.raises(ValueError, match=r"table.csv unpacks to more than .* GiB"):
            read(tmp_path, packed)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table.csv", bytes(20_000))
    with pytest.raises(ValueError, match=r"bomb.zip unpacks to more than"):
        datasets.csv(tmp_path / "bomb.zip", label="y")


def test_load_finds_files_and_labels_with_colons(tmp_path, monkeypatch):
    path = tmp_path / "a:b.csv"
    path.write_text(labels("no", "yes").replace("a,y", "a,is:sweet"))
    assert datasets.load(f"csv:{path}:is:sweet").class_names == ("no", "yes")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert datasets.load("csv:~/a:b.csv:1").class_names == ("no", "yes")
    (tmp_path / "a").touch()
    with pytest.raises(ValueError, match="both files exist"):
        datasets.load(f"csv:{path}:is:sweet")


@pytest.mark.parametrize("path", ["", None, 3, b"table.csv", "a\0b"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="file must be a path, text that is not empty; got"):
        datasets.csv(path, label="y")


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(ValueError, match="is a folder: expected a file"):
        datasets.csv(tmp_path, label="y")


def test_a_named_column_that_counts_the_rows_is_told(tmp_path):
    with pytest.warns(UserWarning, match=r"column 'day' counts the rows.*drop=\['day'\].*numeric=\['day'\]") as told:
        data = read(tmp_path, counted("day", start=0))
    assert told[0].filename == __file__
    assert data.feature_names[0] == "day"


@pytest.mark.parametrize("quoted", [(3, 8), (3, 4)])
def test_a_quote_that_is_not_closed_swallows_no_rows(tmp_path, quoted):
    rows = [f"{row * 0.37 % 1:.3f},{chr(34) if row in quoted else ''}it{row % 3},{'ab'[row % 2]}" for row in range(40)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(["a,b,y", *rows]) + "\n")
    with pytest.raises(ValueError, match=r"table.csv, row 5: a quote is not closed"):
        datasets.csv(path, label="y")
