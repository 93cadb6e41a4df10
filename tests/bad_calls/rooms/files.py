"""Good calls of data sets and plots, and the files of all results."""

import functools
import pickle

import numpy as np
from bad_calls import given
from bad_calls.judging import Line
from bad_calls.values import anything, array, choice, count, folder, names, number, one_of, those, values, without

import interjax as ij

N = given.N


@functools.cache
def axes():
    from matplotlib.figure import Figure

    return Figure().subplots()


def fresh_axes():
    from matplotlib.figure import Figure

    return Figure().subplots()


def several_axes():
    from matplotlib.figure import Figure

    return Figure().subplots(1, 2)


def on_axes(good):
    found = values(None, 3, "axes", [], {}, object(), np.nan, abs, True)(good)
    return found + those("never", figure=axes().figure)


def result(good):
    """What a plot draws."""
    return values(
        None,
        3,
        "a",
        [],
        object(),
        np.nan,
        abs,
        True,
        np.zeros(3),
        {"a": 3},
        {"a": None},
        [good, 3],
        type(good),
        given.network(),
    )(good)


def inconsistency():
    return ij.concepts.inconsistency(given.TABLES.reshape(3, 2, -1))


def generalization():
    return ij.concepts.generalization(given.KEY, given.TABLES, given.LABELS, given.TABLES, given.LABELS, resamples=2)


RESULTS = {
    "tables.Interactions": lambda: ij.interaction_index(given.TABLE, "SII", 2),
    "orders.OrderInteractions": given.interactions,
    "orders.Estimate": lambda: given.profile().estimate,
    "profiles.OrderProfile": given.profile,
    "profiles.ProfileComparison": given.comparison,
    "concepts.AndOr": given.explanation,
    "concepts.JointAndOr": given.joint,
    "concepts.ConceptDynamics": given.dynamics,
    "concepts.ConceptPaths": lambda: ij.concepts.concept_paths(given.dynamics()),
    "concepts.Detour": lambda: ij.concepts.detour(given.dynamics()),
    "concepts.Phases": lambda: ij.concepts.phases(given.dynamics()),
    "concepts.Coverage": lambda: ij.concepts.coverage(given.explanation()),
    "concepts.Discrimination": lambda: ij.concepts.discrimination(given.explanation()),
    "concepts.Faithfulness": lambda: ij.concepts.faithfulness(given.explanation(), given.TABLES),
    "concepts.Generalization": generalization,
    "concepts.Inconsistency": inconsistency,
    "concepts.SizeDistribution": lambda: ij.concepts.size_distribution(given.explanation()),
    "concepts.Stability": lambda: ij.concepts.stability(given.KEY, given.TABLE, jitters=2),
    "concepts.SparseConcepts": lambda: ij.concepts.sparse_concepts(given.KEY, given.game(), budget=200, max_size=2),
    "concepts.LearnedBaseline": lambda: ij.concepts.learn_baseline(
        given.network(), given.X[:2], [0, 1], players=given.PLAYERS, centre=0.0, reach=0.5, steps=1
    ),
    "training.TrainingLog": given.log,
    "dynamics.GradientStatistics": given.gradients,
    "evaluation.Evaluation": given.evaluation,
    "representations.ComplexityDynamics": given.complexity_dynamics,
    "pid.Complexity": given.complexity,
    "pid.GroupedComplexity": given.grouped,
    "pid.SubsetComplexity": given.subsets,
    "pid.PID": given.decomposed,
    "pid.ShannonInvariants": given.invariants,
}
"""Every result that is saved, by where its class is found."""


@functools.cache
def saved(name):
    return RESULTS[name]().save(given.folder() / f"{name}.npz")


@functools.cache
def pickled():
    path = given.folder() / "pickled.npz"
    path.write_bytes(pickle.dumps({"a": 1}))
    return path


@functools.cache
def foreign():
    path = given.folder() / "foreign.npz"
    np.savez(path, a=np.zeros(2))
    return path


def to_load(good):
    found = folder(a_file=given.a_file(), read=True, optional=False)(good)
    other = saved("training.TrainingLog") if "TrainingLog" not in str(good) else saved("profiles.OrderProfile")
    return found + values(pickled=pickled(), of_others=foreign(), of_another_result=other, a_folder=given.folder())(
        good
    )


@functools.cache
def table():
    path = given.folder() / "table.csv"
    path.write_text("a,b,y\n" + "".join(f"{row % 7}.5,{row % 3},{'no' if row % 2 else 'yes'}\n" for row in range(20)))
    return path


def to_read(good):
    found = folder(a_file=pickled(), read=True, optional=False)(good)
    return found + values(pickled=pickled(), an_archive=foreign(), a_folder=given.folder(), empty="", zero="a\0b")(good)


@functools.cache
def mnist():
    place = given.folder() / "mnist"
    place.mkdir()
    for name, count_of in (("train", 4), ("t10k", 4)):
        lengths = np.array([count_of, 8, 8], ">u4").tobytes()
        (place / f"{name}-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + lengths + bytes(count_of * 64))
        labels_of = bytes(number % 2 for number in range(count_of))
        (place / f"{name}-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1]) + lengths[:4] + labels_of)
    return place


@functools.cache
def images():
    from PIL import Image

    place = given.folder() / "images"
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (place / split / name).mkdir(parents=True)
            Image.new("RGB", (4, 4), (name == "cat" and "red") or "blue").save(place / split / name / "1.png")
    return place


GIVEN = {"test_fraction": 0.5, "seed": 0}
FRACTION = number("(0, 1)")


def to_read_files(good):
    return [each for each in to_read(good) if each[0] != "a folder"]  # images are looked for in all of it


COLUMNS = values(3.5, 9, -9, ["no such"], "no such", object(), np.nan, [9], {1: 2}, right=((), ["b"], [1]))
READ = {"test_fraction": FRACTION, "seed": count(0)}

LINES = (
    Line(
        "datasets.csv",
        lambda: {"file": table(), "label": "y", "drop": (), "header": None, "separator": None, "decimal": "."} | GIVEN,
        {
            "file": to_read,
            "label": values(None, "no such", 9, -9, 1.5, [], object(), np.nan, True, right=(2, -1)),
            **dict.fromkeys(("categorical", "numeric", "drop"), COLUMNS),
            "header": values(3, "yes", [], object(), np.nan, right=(True, None)),
            "separator": values(3, "", ",,", "a", [], object(), np.nan, right=(",", None)),
            "decimal": values(3, "", ";;", "1", None, [], object(), np.nan, right=(".",)),
            "task": values(3, "", "number", None, [], object(), np.nan, right=("classification",)),
        }
        | READ,
    ),
    Line(
        "datasets.adult",
        lambda: {"file": table(), "label": "y"} | GIVEN,
        {"file": to_read, "label": values(None, "no such", 9, 1.5, [], object(), np.nan)} | READ,
    ),
    Line("datasets.mnist", lambda: {"folder": mnist(), "limit": 1}, {"folder": to_read, "limit": count(optional=True)}),
    Line(
        "datasets.cifar10",
        lambda: {"source": images(), "limit": 1},
        {"source": to_read_files, "limit": count(optional=True)},
    ),
    Line("datasets.digits", lambda: {}, {}),
    Line(
        "datasets.load",
        lambda: {"where": f"csv:{table()}:y"},
        {"where": values(None, 3, "", "csv", "csv:", "csv::", "mnist", "no such", "digits:x", [], object(), b"digits")},
    ),
    Line(
        "datasets.from_arrays",
        lambda: {"train_x": given.X, "train_y": given.LABELS, "test_x": given.X, "test_y": given.LABELS} | GIVEN,
        {
            **dict.fromkeys(("train_x", "test_x"), array()),
            **dict.fromkeys(("train_y", "test_y"), values(None, 3, "ab", [], object(), given.LABELS + 0.5, given.X)),
            "class_names": values(3, ["a"], ["a", "a"], [1, 2], object(), np.nan, right=(["a", "b"],)),
            "feature_names": values(3, ["a"], object(), np.nan),
            "player_labels": values(3, [0], "a", object(), np.nan, given.X),
            "normalization": values(3, [0], "a", object(), np.nan, (0.0, np.nan)),
            "name": values(None, 3, "", object()),
            "player_names": values(3, ["a"], object(), np.nan),
            "task": values(3, "", "number", None, [], object(), np.nan, right=("classification",)),
        }
        | READ,
    ),
    Line(
        "datasets.Dataset",
        lambda: {
            "train_x": given.X,
            "train_y": given.LABELS,
            "test_x": given.X,
            "test_y": given.LABELS,
            "name": "toy",
            "class_names": ("a", "b"),
        },
        {
            **dict.fromkeys(("train_x", "test_x"), anything),
            **dict.fromkeys(("train_y", "test_y"), anything),
            **dict.fromkeys(
                ("name", "class_names", "feature_names", "player_labels", "player_names", "normalization", "task"),
                anything,
            ),
        },
    ),
    Line(
        "datasets.Dataset.players",
        lambda: {"cells": (2, 2)},
        {"cells": values("4x4", 9, (9, 9), 0, -1, (2.5, 2), [], np.nan, object(), True)},
        of=lambda: given.image_data().players,
    ),
    Line(
        "datasets.with_label_noise",
        lambda: {"key": given.KEY, "data": given.data(), "share": 0.5},
        {"data": one_of(a_pair=(given.X, given.LABELS)), "share": number("[0, 1]")},
    ),
    *(
        Line(
            f"plots.{name}",
            lambda argument=argument, found=found: {"axes": fresh_axes(), argument: found()},
            {"axes": on_axes, argument: result} | kinds,
            fresh=True,
        )
        for name, argument, found, kinds in (
            ("profile", "profiles", given.profile, {"theory": count(3, optional=True)}),
            ("profile_difference", "comparisons", given.comparison, {}),
            ("profiles_over_training", "profiles", lambda: {1: given.profile(), 10: given.profile()}, {}),
            ("training", "log", given.log, {}),
            (
                "evaluation",
                "found",
                given.evaluation,
                {"measures": values(3, "no such", ["no such"], [], object(), np.nan, [3])},
            ),
            ("complexity", "found", lambda: {"a": given.complexity()}, {}),
            (
                "complexity_over_training",
                "runs",
                given.complexity_dynamics,
                {
                    "steps_per_epoch": number("(0, inf)", optional=True),
                    "layers": values(3, "no such", ["no such"], [], object(), [3]),
                },
            ),
            (
                "information_by_degree",
                "found",
                lambda: {"a": given.complexity()},
                {"layer": values("no such", 3, object()), "steps_per_epoch": number("(0, inf)", optional=True)},
            ),
            ("redundancy_vulnerability", "found", lambda: {"a": given.invariants()}, {}),
            ("concepts", "explanation", lambda: given.explanation()[0], {"names": names(N)}),
            (
                "concept_sizes",
                "found",
                lambda: ij.concepts.size_distribution(given.explanation()),
                {"null": lambda good: one_of(profile=given.profile(), optional=True)(good)},
            ),
            ("faithfulness", "found", RESULTS["concepts.Faithfulness"], {}),
            ("generalization", "found", generalization, {}),
            ("inconsistency", "found", inconsistency, {"theory": number("[0, inf)", optional=True)}),
            (
                "concept_dynamics",
                "dynamics",
                given.dynamics,
                {"phases": lambda good: one_of(profile=given.profile(), optional=True)(good), "scale": choice()},
            ),
            ("concept_paths", "paths", RESULTS["concepts.ConceptPaths"], {"names": without(names(N), "too many")}),
        )
    ),
    Line(
        "plots.gradient_statistics",
        lambda: {"axes": several_axes(), "found": given.gradients()},
        {
            "axes": lambda good: on_axes(good) + those("never", one=axes(), a_list_of_one=[axes()]),
            "found": result,
        },
        fresh=True,
    ),
    Line(
        "plots.concepts_on_image",
        lambda: {
            "figure": axes().figure,
            "explanation": ij.concepts.and_or(given.TABLE),
            "image": given.IMAGES[0],
            "players": given.GRID,
        },
        {
            "figure": lambda good: values(None, 3, "a", [], object())(good) + those("never", axes=axes()),
            "explanation": result,
            "image": values(
                None, 3, "a", [], np.zeros(3), np.zeros((9, 9, 1)), object(), 1j, np.zeros((4, 4, 1)).astype(str)
            ),
        },
        fresh=True,
    ),
    *(
        Line(
            f"{name}.load",
            lambda name=name: {"path": saved(name)},
            {"path": to_load},
        )
        for name in RESULTS
    ),
    *(
        Line(
            f"{name}.save",
            lambda name=name: {"path": given.folder() / "again" / name},
            {"path": without(folder(a_file=given.a_file(), optional=False), "file")},
            of=lambda name=name: RESULTS[name]().save,
        )
        for name in ("profiles.OrderProfile", "concepts.AndOr", "pid.PID")
    ),
)
