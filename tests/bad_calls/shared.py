"""The kinds of arguments that have one meaning in all functions, by their names."""

import numpy as np
from bad_calls import given
from bad_calls.values import (
    Kind,
    array,
    baseline,
    bounds,
    choice,
    count,
    flag,
    folder,
    function,
    key,
    labels,
    memory,
    mesh,
    names,
    number,
    one_of,
    orders,
    pairs,
    values,
    without,
)

IS_FLAG = (
    "pointwise",
    "compare",
    "relative",
    "stability",
    "keep_effects",
    "refit",
    "normalize",
    "uncorrected",
    "magnitude",
)
PLAYERS: Kind = lambda good: one_of(given.OTHER_PLAYERS, a_shape=(4,), labels=np.arange(4), names=["a", "b"])(good)  # noqa: E731
MODEL: Kind = lambda good: without(one_of(**given.wrong_networks()), "function")(good)  # noqa: E731
OUTPUT_OF_LABEL = function(
    lambda: 0, lambda label: None, lambda label: lambda z: z, lambda label: lambda: 0, a_name="log_odds"
)
PRECISION = choice(optional=True)

SHARED: dict[str, Kind] = {
    "key": key(),
    "model": MODEL,
    "x": array(),
    "labels": labels(),
    "y": labels(),
    "players": PLAYERS,
    "baseline": baseline,
    "output": OUTPUT_OF_LABEL,
    "precision": PRECISION,
    "batch_size": count(optional=True),
    "memory": memory,
    "mesh": mesh,
    "progress": function(),
    "orders": orders(given.N - 2),
    "pairs": pairs(given.N),
    "contexts": count(),
    "size": count(most=given.N),
    "tau": number("(0, 1]"),
    "noise": number("[0, 1)"),
    "tolerance": number("(0, 1)"),
    "level": number("(0, 1)"),
    "steps": count(),
    "draws": count(),
    "count": count(),
    "bounds": bounds,
    "resamples": count(0),
    "folder": lambda good: folder(a_file=given.a_file())(good),
    "path": lambda good: folder(a_file=given.a_file(), read=True, optional=False)(good),
    "method": choice(),
    "kind": choice(),
    "data": lambda good: one_of(a_pair=(given.X, given.LABELS), x=given.X, of_other_inputs=given.data(5))(good),
    "names": names(given.N),
    "limit": count(optional=True),
    "index": lambda good: array(optional=True, nan="never")(np.arange(6) if good is None else good),
    "exact": values(3, 0.5, "yes", [], object(), right=(True, False, None)),
    "absence": values("remove", 3, None, [], lambda x: x, right=("baseline",)),
    "axes": values((5,), (0, 0), "x", 1.5, (0,), right=(None, (0, 1))),
    "simultaneous": values(3, 0.5, "holm", [], None, object(), right=(True, False, "sidak")),
    **dict.fromkeys(IS_FLAG, flag),
}
