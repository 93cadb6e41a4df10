"""Good calls of games, tables, orders and profiles."""

import numpy as np
from bad_calls import given
from bad_calls.judging import Line
from bad_calls.values import (
    anything,
    array,
    choice,
    count,
    flag,
    folder,
    function,
    labels,
    names,
    number,
    one_of,
    shape,
    values,
    without,
)

import interjax as ij

N = given.N
MASKS = np.array([[True, False, True, True], [False, True, False, True]])
TABLE = array(exact=True, rows=False, more_axes=True, nan="maybe")
BATCH = array(exact=True, rows=False, more_axes=False, nothing=False)  # tables of several games are right
TABLE_OF_ONE = without(array(nan="told"), "bytes ", "booleans")


def no_bools(good):
    held = np.asarray(good)
    floats = held.astype(float)
    found = values(none=None, text="masks", number=3, floats=floats, integers=held.astype(int), nan=floats * np.nan)
    return [
        *found(good),
        *values(texts=held.astype(str), objects=held.astype(object), one_axis=held[0], wide=np.ones((2, 9), bool))(
            good
        ),
        *values(three_axes=held[None], complex_values=held + 0j, masked_array=np.ma.masked_array(held, held))(good),
        *values(ragged=[[True], [True, False]], mapping={}, instance=object(), players=[(0, 1)], nothing=[])(good),
        *values(maybe=(held.tolist(), tuple(map(tuple, held.tolist()))), right=(held, np.asfortranarray(held)))(good),
    ]


def label(good):
    return without(count(0), "numpy float")(good)


def game_kind(good):
    more = {"function_of_masks": lambda masks: masks.sum(axis=1), "network": given.network(), "several": given.games()}
    return one_of(**more)(good)


def several_games(good):
    return without(one_of(mixed=[given.game(), 3], none_of_several=[None], numbers=(3, 4)), "in a list")(good)


def table_or_game(good):
    return values(none=None, a_list_of_games=[good], a_type=ij.Game, network=given.network())(good) + TABLE_OF_ONE(good)


LINES = (
    Line("games.Game.from_table", lambda: {"table": given.TABLE}, {"table": TABLE_OF_ONE, "player_names": names(N)}),
    Line(
        "games.Game.from_function",
        lambda: {"function": lambda mask: mask.sum(), "n_players": N},
        {
            "function": function(lambda: 0, lambda mask: mask, lambda mask: None, lambda mask: "value", optional=False),
            "n_players": count(),
            "player_names": names(N),
        },
    ),
    Line(
        "games.Game.from_host",
        lambda: {"function": lambda masks: masks.sum(axis=1), "n_players": N},
        {"function": function(optional=False), "n_players": count(), "player_names": names(N)},
    ),
    Line("games.Game.__call__", lambda: {"masks": MASKS}, {"masks": no_bools}, of=given.game),
    Line(
        "games.Game.__call__",
        lambda: {"masks": MASKS},
        {"masks": no_bools},
        of=lambda: ij.Game.from_table(given.TABLE),
        case="on the host",
    ),
    Line(
        "games.masked_game",
        lambda: {"model": given.network(), "x": given.X[0], "players": given.PLAYERS, "output": ij.log_odds(1)},
        {
            "x": without(array(scalar="never"), "bytes ", "booleans"),
            "output": function(
                lambda: 0,
                lambda z: z,
                lambda z: None,
                lambda z: "v",
                ij.log_odds(7),
                a_name="log_odds",
            ),
            "fold": values(3, "yes", (), (abs,), [abs, abs], (abs, 3), object(), np.nan, {}, 0.5, "", (None, None)),
        },
        words={"x": ("input",), "fold": ("stem", "trunk"), "output": ("label",), "model": ("network", "players")},
    ),
    Line(
        "games.masked_host_game",
        lambda: {
            "predict": lambda x: x @ np.eye(N, 3),
            "x": given.X[0],
            "players": given.PLAYERS,
            "output": ij.logit(1),
        },
        {
            "x": without(array(scalar="never"), "bytes ", "booleans"),
            "predict": function(lambda: 0, lambda x: None, lambda x: "v", lambda x: x[:1]),
            "output": function(
                lambda: 0, lambda z: z, lambda z: None, lambda z: "v", ij.log_odds(7), a_name="log_odds"
            ),
        },
        words={"x": ("input", "players"), "output": ("label",)},
    ),
    Line(
        "games.masked_games",
        lambda: {"model": given.network(), "xs": given.X, "labels": given.LABELS, "players": given.PLAYERS},
        {
            "xs": array(),
            "labels": without(labels(), "none"),  # none: what the network predicts
            "output": function(lambda: 0, lambda z: None, lambda label: lambda z: z, a_name="log_odds"),
            "fold": values(3, "yes", (), (abs,), [abs, abs], object(), np.nan, 0.5),
        },
        words={"xs": ("input", "x "), "fold": ("stem", "trunk"), "model": ("network", "players"), "labels": ("label",)},
    ),
    *(
        Line(f"games.{name}", lambda: {"label": 1}, {"label": label})
        for name in ("log_odds", "log_prob", "logit", "prob")
    ),
    Line(
        "games.marginal",
        lambda: {"background": given.X},
        {"background": array(exact=False, rows=False, more_axes=False)},
    ),
    Line("games.pairs_within", lambda: {"grid": (3, 4), "radius": 1}, {"grid": shape, "radius": count()}),
    Line(
        "games.tabulate",
        lambda: {"game": given.game()},
        {"game": game_kind},
    ),
    Line("games.Players.each", lambda: {"shape": (2, 3)}, {"shape": shape, "names": names(6)}),
    Line(
        "games.Players.grid",
        lambda: {"shape": (4, 4, 1), "cells": (2, 2)},
        {"shape": shape, "cells": lambda good: shape(good) + values((5, 2), (1, 1, 1, 1), 7)(good)},
    ),
    Line("games.Players.features", lambda: {"n": 3}, {"n": count(), "names": names(3)}),
    Line("games.Players.tokens", lambda: {"length": 3}, {"length": count(), "names": names(3)}),
    Line(
        "games.Players.segments",
        lambda: {"labels": np.array([0, 1, 1, -1])},
        {
            "names": names(2),
            "labels": values(
                3,
                "some",
                None,
                [],
                [0, 2],
                [-2, 0],
                [0.5, 1],
                [0.0, 1.0],
                ["a", "b"],
                [1j],
                [[0], [0, 1]],
                object(),
                {},
                [None, 0],
                np.ma.masked_array([0, 1], [True, False]),
                np.array([0, 1], object),
                [np.nan, 0],
                [[True, True], [True, False]],
                [True, False],
                [[False, False], [True, True]],
                [-1, -1],
                {0, 1},
                abs,
                [10**12],
                [10**30],
                np.array([0, 1], "datetime64[s]"),
                right=([0, 1], np.array([0, 1], np.uint8), [[True, False], [False, True]]),
            ),
        },
    ),
    Line(
        "games.Players.spread",
        lambda: {"masks": MASKS},
        {"masks": without(no_bools, "floats", "integers", "nan")},
        of=lambda: given.PLAYERS.spread,
    ),
    Line(
        "games.Players.fill",
        lambda: {"masks": MASKS, "x": given.X[0], "baseline": given.X[1]},
        {
            "masks": without(no_bools, "floats", "integers", "nan"),
            "x": array(nan="maybe"),
            "baseline": array(nan="maybe", scalar="right"),
        },
        of=lambda: given.PLAYERS.fill,
    ),
    Line(
        "games.Players.without_entries",
        lambda: {"chosen": np.array([True, False, True, False])},
        {
            "chosen": values(
                3, "some", None, [], np.ones(9, bool), np.ones((2, 4), bool), [0.5] * 4, object(), np.arange(4)
            )
        },
        of=lambda: given.PLAYERS.without_entries,
    ),
    *(
        Line(f"tables.{name}", lambda argument=argument: {argument: given.TABLES}, {argument: BATCH})
        for name, argument in {
            "moebius": "table",
            "inverse_moebius": "dividends",
            "or_interactions": "table",
            "inverse_or_interactions": "effects",
            "walsh_hadamard": "table",
            "inverse_walsh_hadamard": "coefficients",
        }.items()
    ),
    *(
        Line(
            f"tables.{name}",
            lambda: {"game_or_table": given.TABLE},
            {"game_or_table": table_or_game, "size": count(1, 3)},
        )
        for name in ("exact_order_interactions", "exact_order_rounding")
    ),
    Line(
        "tables.interaction_index",
        lambda: {"game_or_table": given.TABLE, "name": "SII", "size": 2},
        {"game_or_table": table_or_game, "name": choice(), "size": count(1, N, optional=True)},
    ),
    Line(
        "tables.index_rounding",
        lambda: {"game_or_table": given.TABLE, "name": "SII", "size": 2},
        {"game_or_table": table_or_game, "name": choice(), "size": count(1, N, optional=True)},
    ),
    Line(
        "tables.Interactions.get",
        lambda: {"players": (0, 1)},
        {
            "players": values(right=([0, 1], np.array([1, 0]), {0, 1}, (0, 99))),
            "default": anything,
        },
        of=lambda: ij.interaction_index(given.TABLE, "SII", 2).get,
    ),
    Line(
        "orders.order_interactions",
        lambda: {"key": given.KEY, "game": given.game(), "contexts": 3, "orders": [0, 1]},
        {"game": game_kind, "size": count(1, 3)},
    ),
    Line(
        "orders.order_interactions",
        lambda: {"key": given.KEY, "game": ij.Game.from_table(given.TABLE), "contexts": 3, "method": "quadruples"},
        {"game": game_kind, "size": count(1, 3)},
        case="quadruples on the host",
    ),
    Line("orders.OrderInteractions.interval", dict, of=lambda: given.interactions().interval),
    Line(
        "orders.OrderInteractions.discoveries",
        dict,
        {"rate": number("(0, 1)"), "dependent": without(flag, "none")},
        of=lambda: given.interactions().discoveries,
    ),
    Line("orders.OrderInteractions.p_values", dict, of=lambda: given.interactions().p_values),
    Line("orders.OrderInteractions.table", dict, of=lambda: given.interactions().table),
    Line("tables.Interactions.table", dict, of=lambda: ij.interaction_index(given.TABLE, "SII", 2).table),
    Line("orders.OrderInteractions.to_matrix", dict, of=lambda: given.interactions().to_matrix),
    Line("orders.learning_strength", lambda: {"n_players": N}, {"n_players": count(2)}),
    Line("dynamics.context_variance", lambda: {"n_players": N}, {"n_players": count(4)}),
    Line(
        "profiles.order_profile",
        lambda: {"key": given.KEY, "games": given.games(), "contexts": 4},
        {
            "games": several_games,
            "contexts": count(most=10**15, optional=True),
            "n_pairs": count(optional=True),
            "correction": choice(),
            "target_stderr": number("(0, inf]", optional=True),
            "max_forwards": without(number("(0, inf]"), "numpy number"),
            "n_forwards": number("(0, inf)", optional=True),
        },
    ),
    Line(
        "profiles.order_profile",
        lambda: {"key": given.KEY, "games": given.game(), "contexts": 4, "kind": "rms", "target_stderr": 1e9},
        {
            "games": several_games,
            "contexts": count(most=10**15, optional=True),
            "n_pairs": count(optional=True),
            "correction": choice(),
            "target_stderr": number("(0, inf]", optional=True),
            "max_forwards": number("(0, inf]"),
            "n_forwards": number("(0, inf)", optional=True),
            "folder": lambda good: folder(a_file=given.a_file())(good),
        },
        case="of one game, rms",
    ),
    Line(
        "profiles.compare_profiles",
        lambda: {"a": given.profile(), "b": given.profile()},
        {
            "a": one_of(of_other_players=given.profile_of_others()),
            "b": one_of(of_other_players=given.profile_of_others()),
            "paired": without(flag, "none"),
        },
    ),
    *(
        Line(f"profiles.ProfileComparison.{name}", dict, of=lambda name=name: getattr(given.comparison(), name))
        for name in ("interval", "magnitude_interval", "table")
    ),
    Line(
        "orders.Estimate.of_mean",
        lambda: {"values": np.arange(6.0).reshape(2, 3), "axis": 0},
        {
            "values": array(exact=False, rows=False, more_axes=False, nothing=False),
            "axis": without(count(least=0, most=1), "negative", "too small"),
        },
    ),
    Line("orders.Estimate.interval", dict, of=lambda: given.profile().estimate.interval),
    Line(
        "orders.Estimate.discoveries",
        dict,
        {"rate": number("(0, 1)"), "dependent": without(flag, "none")},
        of=lambda: given.profile().estimate.discoveries,
    ),
    Line("profiles.OrderProfile.interval", dict, of=lambda: given.profile().interval),
    Line("profiles.OrderProfile.table", dict, of=lambda: given.profile().table),
)
