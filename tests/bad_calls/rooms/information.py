"""Good calls of pid and representations."""

import numpy as np
from bad_calls import given
from bad_calls.judging import Line
from bad_calls.rooms.concepts import CHECKPOINTS, STEPS
from bad_calls.values import Value, array, count, flag, key, one_of, those, values, without

N = given.N


def symbols(good):
    """Samples of symbols, of any kind that can be told apart."""
    held = np.asarray(good)
    found: list[Value] = those(
        "never",
        none=None,
        number=3,
        instance=object(),
        nothing=held[:0],
        mapping={},
        function=abs,
        text="abc",
        no_text="",
    )
    found += those(
        "never",
        nan=np.where(held == 0, np.nan, held),
        infinite=np.where(held == 0, np.inf, held),
        an_axis_more=held[..., None, None],
    )
    found += those(
        "never",
        masked_array=np.ma.masked_array(held, held == 0),
        a_row_more=np.concatenate([held, held[:1]]),
        ragged=[[1], [1, 2]],
    )
    found.append(("generator", "never", lambda: iter([1, 2])))
    found += those("never", lists_in_rows=[[[1], [2]]] * len(held), scalar=np.array(1))
    found += those(
        "right", a_list=held.tolist(), texts=held.astype(str), bytes_=held.astype(np.uint8), booleans=held > 0
    )
    return found + those("maybe", complex_values=held + 1j)


def sources(good):
    return symbols(good) + those("never", one_axis=np.asarray(good)[:, 0], one_source=np.asarray(good)[:, :1])


WEIGHTS = values(
    3,
    "a",
    [1.0],
    [0.5] * 64,
    [-1 / 64] * 64,
    [np.nan] * 64,
    ["a"] * 64,
    [1j / 64] * 64,
    np.full((64, 1), 1 / 64),
    object(),
    {},
    np.ma.masked_array(np.full(64, 1 / 64), np.arange(64) > 3),
    right=([1 / 64] * 64,),
)
EVEN = lambda good: count(0)(good) + values(3, 5)(good)  # noqa: E731
EVEN_OR_NONE = lambda good: count(0, optional=True)(good) + values(3, 5)(good)  # noqa: E731
OPTIONAL = {
    "key": key(optional=True),
    "sources": sources,
    "target": symbols,
    "weights": WEIGHTS,
    "resamples": EVEN_OR_NONE,
}


def information(**more):
    return lambda: {"sources": given.SOURCES, "target": given.TARGET} | more


LAYERS = values(
    3,
    "no such",
    [],
    ["no such"],
    [3],
    object(),
    np.nan,
    True,
    [None],
    {},
    "",
    right=(given.QUANTISED_LAYER, [given.QUANTISED_LAYER]),
)
LIMITS = values(
    3,
    None,
    "all",
    (1, 0),
    (0,),
    (0, 1, 2),
    (np.nan, 1),
    ("a", "b"),
    object(),
    {},
    (0, np.inf),
    True,
    (1j, 2),
    (-np.inf, 0),
)
X = without(array(rows=False, more_axes=False), "none at all")
TWO_WORDS = {"model": ("network",), "x": ("labels",)}
MEASURED = {
    "x": X,
    "size": count(2, 6),
    "count": count(2),
    "resamples": EVEN,
    "levels": count(2, optional=True),
    "limits": LIMITS,
    "layers": LAYERS,
}

LINES = (
    Line("pid.decompose", information(resamples=2), OPTIONAL | {"resamples": EVEN, "pointwise": flag}),
    Line("pid.representational_complexity", information(resamples=2), OPTIONAL),
    Line(
        "pid.grouped_complexity",
        information(groups=[(0, 1), (2,)], resamples=2),
        OPTIONAL
        | {
            "groups": values(
                3,
                "a",
                None,
                [],
                [(0, 1, 2)],
                [(0, 1), ()],
                [(0, 1), (1, 2)],
                [(0,), (1,)],
                [(0, 1), (9,)],
                [0, 1, 2],
                [(0.5, 1), (2,)],
                object(),
                {},
                [("a",), ("b",)],
                [(True, False), (2,)],
            ),
            "compare": lambda good: [each for each in flag(good) if each[0] != "none"],
        },
    ),
    Line("pid.shannon_invariants", information(resamples=2), OPTIONAL | {"resamples": EVEN}),
    Line(
        "pid.subset_complexity",
        lambda: {"key": given.KEY, "sources": given.SOURCES, "target": given.TARGET, "size": 2, "count": 2},
        {**OPTIONAL, "key": key(), "size": count(2, 3), "count": count(2), "resamples": EVEN},
    ),
    Line(
        "pid.entropy",
        lambda: {"symbols": given.TARGET},
        {"symbols": lambda good: [each for each in symbols(good) if each[0] != "a row more"], "weights": WEIGHTS},
    ),
    Line("pid.mutual_information", information(), {"sources": symbols, "target": symbols, "weights": WEIGHTS}),
    Line(
        "pid.quantise",
        lambda: {"activations": given.X, "levels": 3, "limits": (-5.0, 5.0)},
        {
            "activations": lambda good: [
                each
                for each in array()(good)
                if each[0] not in ("a row more", "an axis more", "an axis fewer", "wider", "narrower")
            ],
            "levels": count(2),
            "limits": LIMITS,
        },
    ),
    *(
        Line(f"pid.{type(found()).__name__}.interval", dict, of=lambda found=found: found().interval)
        for found in (given.complexity, given.grouped, given.subsets)
    ),
    *(
        Line(
            f"pid.{type(found()).__name__}.information_interval",
            dict,
            of=lambda found=found: found().information_interval,
        )
        for found in (given.complexity, given.grouped, given.decomposed)
    ),
    Line("pid.PID.to_dict", dict, of=lambda: given.decomposed().to_dict),
    Line(
        "representations.activations",
        lambda: {"model": given.quantised(), "x": given.X},
        {
            "x": X,
            "layers": lambda good: (
                LAYERS(good)
                + values({"a": 3}, {"a": lambda: 0}, {"a": lambda model, x: None}, {1: lambda model, x: x})(good)
            ),
        },
    ),
    Line(
        "representations.quantised_layers",
        lambda: {"model": given.quantised()},
        {"model": without(one_of(), "function")},
    ),
    Line(
        "representations.layer_symbols", lambda: {"model": given.quantised(), "x": given.X}, MEASURED, words=TWO_WORDS
    ),
    Line(
        "representations.layer_complexity",
        lambda: {"key": given.KEY, "model": given.quantised(), "x": given.ROWS, "labels": given.TARGET, "resamples": 2},
        MEASURED | {"labels": symbols},
        words=TWO_WORDS,
    ),
    Line(
        "representations.checkpoint_complexity",
        lambda: {
            "key": given.KEY,
            "checkpoints": {1: given.quantised(), 10: given.quantised(1)},
            "x": given.ROWS,
            "labels": given.TARGET,
            "resamples": 2,
        },
        MEASURED | {"checkpoints": CHECKPOINTS, "steps": STEPS, "labels": symbols},
        words=TWO_WORDS | {"checkpoints": ("network", "checkpoint")},
    ),
)
