"""Good calls of concepts."""

import numpy as np
from bad_calls import given
from bad_calls.judging import Line
from bad_calls.values import (
    array,
    choice,
    count,
    folder,
    function,
    labels,
    names,
    number,
    numbers,
    one_of,
    shape,
    values,
    without,
)

import interjax as ij

N = given.N


def effects(good):
    """An explanation: an AndOr, or AND effects of several inputs."""
    found = array(exact=True, rows=False, more_axes=False, nothing=False)(given.TABLES)
    found = [each for each in found if each[0] not in ("booleans", "bytes ", "traced")]
    return found + values(given.explanation, given.dynamics, given.network(), type(given.explanation()))(good)


def effects_beside(good):
    """An explanation whose players and inputs are those of another argument."""
    return effects(good) + values(of_other_players=given.other_explanation(), a_row_more=given.TABLES[:5, :8])(good)


def one_game(good):
    return one_of(network=given.network(), several=given.games(), a_table=given.TABLE)(good)


def table(good):
    return array(exact=True, rows=False, more_axes=True, nan="never")(good)


def table_beside(good):
    found = without(array(exact=True, rows=True, more_axes=True, nan="never"), "booleans", "bytes ")(good)
    return found + values(of_other_players=given.TABLES[:, :8], one_player=np.zeros((6, 2)), a_scalar=1.0)(good)


def classes(good):
    known = labels(None, bounded=False)(good)
    return [each for each in known if each[0] not in ("texts", "fractions")] + values(
        one_class_alone=np.arange(len(good))
    )(good)


def dynamics(good):
    return one_of(profiles={1: given.profile()}, analysis=given.analysis(), phases=3.0)(good)


ROWS = values(
    3,
    "all",
    (),
    ([0],),
    ([0], [99]),
    ([-1], [0]),
    ([0.5], [0]),
    (None, None),
    ("a", "b"),
    {},
    object(),
    ([0], [0], [0]),
)
CLASSES = values(
    3, [7], [-1], ["no such"], [], [0.5], [None], object(), {}, [0, 0], [[0]], np.nan, True, right=([0, 1], (1, 0))
)
STEPS = values(
    3,
    [7],
    [],
    [-1],
    [1.5],
    ["1"],
    [None],
    object(),
    {},
    np.nan,
    "all",
    True,
    [[1]],
    right=([1, 10], (10,), np.array([1])),
)
CHECKPOINTS = values(
    3,
    None,
    "",
    {},
    {1: 3},
    {1: None},
    {"a": given.network()},
    {1.5: given.network()},
    [given.network()],
    given.network(),
    object(),
    {1: given.network(), 10: given.network(5)},
    {-1: given.network()},
    {True: given.network()},
    np.nan,
    given.a_file(),
    "no-such-folder",
)

LINES = (
    Line("concepts.players_in", lambda: {"index": 13}, {"index": count(0)}),
    Line("concepts.and_or", lambda: {"table": given.TABLES}, {"table": table, "noise": number("[0, 1]")}),
    Line(
        "concepts.joint_and_or",
        lambda: {"tables": given.TABLES[:2]},
        {
            "tables": lambda good: table(good) + values(one_network=given.TABLE)(good),
            "noise": number("[0, 1]"),
            "share": number("[0, inf)"),
        },
    ),
    Line(
        "concepts.stability",
        lambda: {"key": given.KEY, "table": given.TABLE, "jitters": 2},
        {"table": table, "noise": number("[0, 1]"), "jitters": count(2), "jitter": number("(0, 0.01]")},
    ),
    Line("concepts.salient", lambda: {"explanation": given.explanation()}, {"explanation": effects}),
    Line("concepts.size_distribution", lambda: {"explanation": given.explanation()}, {"explanation": effects}),
    Line(
        "concepts.coverage",
        lambda: {"explanation": given.explanation()},
        {
            "explanation": effects,
            "of": lambda good: values(of_other_players=given.other_explanation(), number=3, text="a", nothing=[])(good),
        },
    ),
    Line("concepts.discrimination", lambda: {"explanation": given.explanation()}, {"explanation": effects}),
    Line(
        "concepts.faithfulness",
        lambda: {"explanation": given.explanation(), "table": given.TABLES},
        {
            "explanation": effects_beside,
            "table": table_beside,
            "counts": numbers([0.5], [-1], [], 3),
        },
    ),
    Line(
        "concepts.simplify",
        lambda: {"explanation": given.explanation(), "table": given.TABLES, "count": 2},
        {"explanation": effects_beside, "table": table_beside, "count": count(0)},
    ),
    Line(
        "concepts.generalization",
        lambda: {
            "key": given.KEY,
            "train": given.TABLES,
            "train_labels": given.LABELS,
            "test": given.TABLES,
            "test_labels": given.LABELS,
            "resamples": 4,
        },
        {
            "train": effects_beside,
            "test": effects_beside,
            "train_labels": classes,
            "test_labels": classes,
            "tau": number("(0, 1]", optional=True),
            "splits": count(),
            "resamples": count(),
        },
    ),
    Line(
        "concepts.inconsistency",
        lambda: {"explanations": given.TABLES.reshape(3, 2, -1)},
        {
            "explanations": lambda good: without(array(), "a row more")(good) + values(None, "a", given.TABLE)(good),
            "clean": lambda good: values(
                3, "a", [], given.TABLES, given.other_explanation(), given.TABLE, object(), 1j
            )(good),
            "tau": number("(0, 1]", optional=True),
        },
    ),
    Line(
        "concepts.Inconsistency.interval",
        dict,
        of=lambda: ij.concepts.inconsistency(given.TABLES.reshape(3, 2, -1)).interval,
    ),
    Line(
        "concepts.fit_relative_noise",
        lambda: {"found": ij.concepts.inconsistency(given.TABLES.reshape(3, 2, -1))},
        {"found": lambda good: one_of(profile=given.profile())(good)},
    ),
    Line(
        "concepts.theoretical_inconsistency",
        lambda: {"sizes": [1, 2], "relative_noise": 0.1},
        {"sizes": without(numbers([-1], None), "two axes"), "relative_noise": number("[0, inf)")},
    ),
    Line(
        "concepts.noisy_inputs",
        lambda: {"key": given.KEY, "x": given.X, "scale": 0.1, "draws": 2},
        {
            "x": array(exact=False, rows=False, more_axes=False, nan="maybe"),
            "scale": lambda good: [each for each in number("[0, inf)")(good) if each[0] not in ("two", "list of one")],
        },
    ),
    Line(
        "concepts.attacked_inputs",
        lambda: {
            "key": given.KEY,
            "model": given.network(),
            "x": given.X,
            "labels": given.LABELS,
            "strength": 0.1,
            "draws": 2,
            "steps": 1,
        },
        {
            "x": array(more_axes=False),
            "strength": lambda good: [
                each for each in number("(0, inf)")(good) if each[0] not in ("two", "list of one")
            ],
            "step_size": lambda good: [
                each for each in number("(0, inf)", optional=True)(0.1) if each[0] not in ("two", "list of one")
            ],
        },
    ),
    Line(
        "concepts.sparse_concepts",
        lambda: {"key": given.KEY, "game": given.game(), "budget": 200, "max_size": 2},
        {
            "game": one_game,
            "max_size": count(1, 4),
            "budget": count(100),
            "basis": choice(),
            "present": number("[0.05, 0.95]"),
            "least_faithfulness": number("(0, 1)"),
            "max_terms": count(optional=True),
        },
    ),
    Line(
        "concepts.concept_tables",
        lambda: {"model": given.network(), "x": given.X, "labels": given.LABELS, "players": given.PLAYERS},
    ),
    Line(
        "concepts.learn_baseline",
        lambda: {
            "model": given.network(),
            "x": given.X[:2],
            "labels": [0, 1],
            "players": given.PLAYERS,
            "centre": 0.0,
            "reach": 0.5,
            "steps": 1,
        },
        {
            "centre": values(
                None,
                "mean",
                np.nan,
                np.inf,
                1j,
                [0.0],
                np.zeros(9),
                object(),
                ["a"] * N,
                {},
                np.ma.masked_array(np.zeros(N), True),
            ),
            "reach": values(None, "std", np.nan, -1.0, 1j, [0.0], np.zeros(9), object(), ["a"] * N, {}),
            "noise": number("[0, 1]"),
            "rate": number("(0, inf)"),
        },
    ),
    Line(
        "concepts.choose_players",
        lambda: {"data": given.data()},
        {
            "data": one_of(a_pair=(given.X, given.LABELS)),
            "cells": lambda good: values(3, "4x4", (2, 2), [], np.nan, object())(good),
            "count": count(1, 20, optional=True),
            "rule": choice(),
            "players_file": folder(a_file=given.a_file(), read=True),
        },
    ),
    Line(
        "concepts.choose_players",
        lambda: {"data": given.image_data(), "cells": (2, 2), "count": 2},
        {
            "cells": lambda good: (
                [each for each in shape(good) if each[0] != "none"] + values(9, (9, 9), (2, 2, 2, 2), 0, -1)(good)
            ),
            "count": count(1, 20, optional=True),
            "rule": choice(),
            "players_file": folder(a_file=given.a_file(), read=True),
        },
        case="of images",
    ),
    Line(
        "concepts.analyse",
        lambda: {
            "key": given.KEY,
            "model": given.network(),
            "data": given.data(),
            "players": given.PLAYERS,
            "inputs_per_class": 4,
            "kind": "and",
        },
        {
            "players": one_of(given.OTHER_PLAYERS, optional=True),
            "data": one_of(three=(1, 2, 3), of_other_inputs=given.data(5), texts=("a", "b")),
            "player_names": names(N),
            "classes": CLASSES,
            "inputs_per_class": count(1),
            "rows": ROWS,
            "untrained": lambda good: without(
                one_of(a_network_of_other_inputs=given.network(N + 1), optional=True), "function"
            )(given.network()),
            "noise": number("[0, 1]"),
        },
    ),
    Line(
        "concepts.checkpoint_concepts",
        lambda: {
            "key": given.KEY,
            "checkpoints": given.checkpoints(),
            "data": given.data(),
            "players": given.PLAYERS,
            "inputs_per_class": 3,
            "resamples": 2,
        },
        {
            "checkpoints": CHECKPOINTS,
            "explain": function(
                lambda: 0, lambda tables: None, lambda tables: tables[:1], lambda tables: "a", optional=False
            ),
            "steps": STEPS,
            "classes": CLASSES,
            "inputs_per_class": count(2),
            "rows": ROWS,
            "resamples": count(),
            "graded": count(),
        },
    ),
    Line(
        "concepts.concept_paths",
        lambda: {"dynamics": given.dynamics()},
        {"dynamics": dynamics, "label": values(7, "no", -1, 0.5, np.nan, [0], object(), True)},
    ),
    Line(
        "concepts.detour",
        lambda: {"dynamics": given.dynamics()},
        {"dynamics": dynamics, "large": count(1, N, optional=True)},
    ),
    Line("concepts.phases", lambda: {"dynamics": given.dynamics()}, {"dynamics": dynamics}),
    Line(
        "concepts.ConceptAnalysis.strongest",
        lambda: {"class_name": "class 0"},
        {"class_name": choice()},
        of=lambda: given.analysis().strongest,
    ),
    Line("concepts.ConceptAnalysis.table", dict, of=lambda: given.analysis().table),
    Line(
        "concepts.ConceptAnalysis.save",
        lambda: {"folder": given.folder() / "analysis"},
        {
            "folder": folder(a_file=given.a_file(), optional=False),
            "about": values(3, "a", [1], object(), True, {"a": object()}),
        },
        of=lambda: given.analysis().save,
    ),
    Line(
        "concepts.ConceptAnalysis.load",
        lambda: {"folder": saved_analysis()},
        {"folder": folder(a_file=given.a_file(), read=True, optional=False)},
    ),
    Line(
        "concepts.Coverage.needed",
        dict,
        {"share": number("[0, inf)")},
        of=lambda: ij.concepts.coverage(given.explanation()).needed,
    ),
    Line(
        "concepts.Faithfulness.needed",
        dict,
        {"r2": number("(-inf, inf)")},
        of=lambda: ij.concepts.faithfulness(given.explanation(), given.TABLES).needed,
    ),
    Line("concepts.JointAndOr.of", lambda: {"network": 1}, {"network": count(0, 1)}, of=lambda: given.joint().of),
    Line("concepts.JointAndOr.shared", dict, of=lambda: given.joint().shared),
    Line("concepts.AndOr.rebuilt", dict, of=lambda: given.explanation().rebuilt),
    Line(
        "concepts.SparseConcepts.value",
        lambda: {"masks": np.ones((2, N), bool)},
        {
            "masks": values(
                None,
                "a",
                3,
                np.ones((2, N)),
                np.ones(N, bool),
                np.ones((2, 9), bool),
                object(),
                {},
                [[0.5] * N],
                np.ma.masked_array(np.ones((2, N), bool), True),
            )
        },
        of=lambda: ij.concepts.sparse_concepts(given.KEY, given.game(), budget=200, max_size=2).value,
    ),
    Line(
        "concepts.SparseConcepts.table",
        dict,
        of=lambda: ij.concepts.sparse_concepts(given.KEY, given.game(), budget=200, max_size=2).table,
    ),
)


def saved_analysis():
    given.analysis().save(given.folder() / "analysis")
    return given.folder() / "analysis"
