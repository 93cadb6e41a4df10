"""Names of players: each lands on its player, and none is part of what is compiled, compared or kept of a run."""

import copy
import dataclasses
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import interjax as ij
from interjax._core._names import default_names
from interjax._engine._folders import name_of
from interjax.games._identity import identity

COLUMNS = ("age", "sex", "job")
MASKS = np.array([[True, True, False], [False, True, True], [True, True, True]])
X = np.array([1.0, 2.0, 4.0], np.float32)
WEIGHTS = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)


def network(x):
    return jnp.tanh(x @ WEIGHTS)


def masked(names=None, x=X):
    return ij.masked_game(network, x, players=ij.Players.features(3, names), output=ij.logit(0))


def of_table(names):
    return ij.Game.from_table(jnp.arange(8.0), player_names=names)


NAMED = {
    "each": (ij.Players.each((2, 2), names=list("abcd")), "abcd"),
    "each entry of an image": (ij.Players.each((1, 2, 2)), ("r0c0d0", "r0c0d1", "r0c1d0", "r0c1d1")),
    "grid": (ij.Players.grid((4, 4), (2, 2), names=list("abcd")), "abcd"),
    "unnamed grid": (ij.Players.grid((4, 6, 3), (2, 3)), ("r0c0", "r0c1", "r0c2", "r1c0", "r1c1", "r1c2")),
    "grid along later axes": (ij.Players.grid((3, 4, 4), (1, 2), axes=(1, 2)), ("r0c0", "r0c1")),
    "named along later axes": (ij.Players.grid((3, 4, 4), (1, 2), axes=(1, 2), names=["left", "right"]), None),
    "columns": (ij.Players.features(3, COLUMNS), COLUMNS),
    "columns of a table": (ij.Players.features(3, pd.DataFrame([X], columns=list(COLUMNS)).columns), COLUMNS),
    "an array of names": (ij.Players.features(3, np.array(COLUMNS)), COLUMNS),
    "unnamed columns": (ij.Players.features(3), ("player 0", "player 1", "player 2")),
    "words": (ij.Players.tokens(3, names=["the", "cat", "the"]), ("the", "cat", "the")),
    "embedded words": (ij.Players.tokens(2, 8, names=["a", "b"]), "ab"),
    "unnamed words": (ij.Players.tokens(2, 8), ("player 0", "player 1")),
    "segments": (ij.Players.segments([0, 1, 1, -1], names=["sky", "sea"]), ("sky", "sea")),
    "unnamed segments": (ij.Players.segments([0, 1, 1, -1]), ("player 0", "player 1")),
}


@pytest.mark.parametrize(("players", "expected"), NAMED.values(), ids=NAMED)
def test_players_have_the_names_given_or_those_of_their_cells_or_numbers(players, expected):
    assert players.names == tuple(expected or ("left", "right"))
    assert all(type(name) is str for name in players.names)


def test_names_are_those_of_the_cells_that_they_stand_for():
    players = ij.Players.grid((4, 6), (2, 3))
    assert players.labels[3, 1] == players.names.index("r1c0")
    assert players.labels[0, 5] == players.names.index("r0c2")


@pytest.mark.parametrize(
    "names", ["abc", ["a"], ["a", "b", 3], 3, {"a": 1, "b": 2, "c": 3}, {"a", "b", "c"}, [None] * 3]
)
def test_what_names_nobody_is_refused(names):
    makers = {
        "names": lambda: ij.Players.features(3, names),
        "player_names": lambda: ij.Game.from_function(lambda mask: mask.sum(), 3, player_names=names),
    }
    for argument, make in makers.items():
        with pytest.raises(ValueError, match=f"^{argument} must be .*one for each of 3 players"):
            make()
    with pytest.raises(ValueError, match="player_names must be"):
        dataclasses.replace(masked(), player_names=names)


def test_players_that_differ_by_names_are_equal():
    named, other = ij.Players.features(3, COLUMNS), ij.Players.features(3)
    assert named == other
    assert hash(named) == hash(other)
    assert named.digest == other.digest


def test_data_sets_name_their_players():
    y = [0, 1, 0, 1]
    frame = pd.DataFrame(np.eye(4, 3), columns=list(COLUMNS))
    table = ij.datasets.from_arrays(frame, y, frame, y)
    assert table.players().names == COLUMNS
    rows = np.eye(4)
    owners = {"player_labels": np.array([0, 0, 1, 2]), "player_names": COLUMNS}
    assert ij.datasets.Dataset(rows, y, rows, y, "toy", ("no", "yes"), **owners).players().names == COLUMNS
    assert ij.datasets.Dataset(rows, y, rows, y, "toy", ("no", "yes")).players().names == default_names(4)
    images = ij.datasets.Dataset(np.eye(4)[:, :, None], y, np.eye(4)[:, :, None], y, "toy", ("no", "yes"))
    assert images.players((2, 1)).names == ("r0c0", "r1c0")


def test_chosen_players_have_the_names_that_are_told():
    players, names = ij.concepts.choose_players(ij.datasets.digits(), cells=(4, 4), count=3, rule="centre")
    assert players.names == names == ("r1c1", "r1c2", "r2c1")


# Games


def test_games_have_the_names_of_their_players():
    for game in (masked(COLUMNS), *ij.masked_games(network, X[None], players=ij.Players.features(3, COLUMNS))):
        assert game.player_names == COLUMNS
    host = ij.masked_host_game(np.asarray, X, players=ij.Players.features(3, COLUMNS), output=lambda z: z[0])
    assert host.player_names == COLUMNS
    assert masked().player_names == ("player 0", "player 1", "player 2")


@pytest.mark.parametrize("names", [COLUMNS, list(COLUMNS)])
def test_games_have_the_names_that_the_user_gives(names):
    games = [
        of_table(names),
        ij.Game.from_table(np.arange(8.0), player_names=names),
        ij.Game.from_function(lambda mask: mask.sum(), 3, player_names=names),
        ij.Game.from_host(lambda masks: masks.sum(axis=1), 3, player_names=names),
    ]
    assert [game.player_names for game in games] == [COLUMNS] * 4


def test_players_of_several_arrays_have_their_place_in_front():
    inputs = {"table": X, "tokens": np.arange(2.0), "image": np.ones((2, 2)), "pair": (np.ones(1), np.ones(1))}
    players = {
        "tokens": ij.Players.tokens(2),
        "table": ij.Players.features(3, COLUMNS),
        "image": ij.Players.grid((2, 2), (1, 2)),
        "pair": (None, ij.Players.features(1)),
    }

    def of_inputs(batch):
        return batch["table"].sum(axis=1) + 10 * batch["tokens"].sum(axis=1) + 100 * batch["pair"][1].sum(axis=1)

    game = ij.masked_game(of_inputs, inputs, players=players)
    expected = ("tokens 0", "tokens 1", "table age", "table sex", "table job", "image r0c0", "image r0c1", "pair[1] 0")
    assert game.player_names == expected
    alone = dict(zip(game.player_names, game(np.eye(8, dtype=bool)).tolist(), strict=True))
    assert (alone["tokens 1"], alone["table sex"], alone["table job"], alone["pair[1] 0"]) == (10.0, 2.0, 4.0, 100.0)
    pair = ij.masked_game(lambda z: z[0].sum(axis=1), (X, X), players=[ij.Players.features(3), None])
    assert pair.player_names == ("[0] 0", "[0] 1", "[0] 2")


# Names are no part of what is compiled


def test_games_of_other_names_compile_nothing_anew(compilations):
    named, other = masked(COLUMNS), masked(list("xyz"), x=2 * X)
    assert jax.tree.structure(named) == jax.tree.structure(other)
    assert hash(jax.tree.structure(named)) == hash(jax.tree.structure(other))
    named(MASKS), ij.tabulate(named), ij.order_interactions(jax.random.key(0), named, contexts=4)
    before = len(compilations)
    other(MASKS), ij.tabulate(other), ij.order_interactions(jax.random.key(0), other, contexts=4)
    assert len(compilations) == before


def test_a_jitted_function_of_games_is_traced_once_and_shows_no_names_of_another():
    seen = []

    @jax.jit
    def through(game):
        seen.append(game.player_names)
        return game

    assert through(of_table(COLUMNS)).player_names == default_names(3)
    assert through(of_table(list("xyz"))).player_names == default_names(3)
    assert seen == [default_names(3)]


def test_a_gradient_has_the_names_of_its_game():
    slope = jax.grad(lambda game: game(jnp.asarray(MASKS)).sum())(of_table(COLUMNS))
    assert slope.player_names == COLUMNS
    assert slope.params.sum() == len(MASKS)


CHANGES = {
    "flattened": lambda game: jax.tree.unflatten(*jax.tree.flatten(game)[::-1]),
    "mapped": lambda game: jax.tree.map(lambda leaf: 2 * leaf, game),
    "replaced": lambda game: dataclasses.replace(game, params=jax.tree.map(jnp.ones_like, game.params)),
    "pickled": lambda game: pickle.loads(pickle.dumps(game)),
    "copied": copy.deepcopy,
    "stacked with another": lambda game: jax.tree.map(lambda *rows: jnp.stack(rows), game, of_table(list("xyz"))),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_names_outlive(change):
    assert change(of_table(COLUMNS)).player_names == COLUMNS


def test_leaves_have_the_paths_of_their_fields():
    paths = jax.tree_util.tree_flatten_with_path(of_table(COLUMNS))[0]
    assert [jax.tree_util.keystr(path) for path, _ in paths] == [".params"]


# Names are no part of a run


def test_a_run_of_other_names_is_the_same_run(tmp_path):
    named, other = masked(COLUMNS), masked(list("xyz"))
    assert identity([named]) == identity([other]) == identity([masked()])
    how = {"contexts": 4, "exact": False, "folder": tmp_path}
    first = ij.order_profile(jax.random.key(0), [named], **how)
    again = ij.order_profile(jax.random.key(0), [other], **how)
    np.testing.assert_array_equal(first.strength, again.strength)


def test_a_function_that_holds_players_or_games_is_the_same_whatever_their_names():
    def measure(players, game):
        return lambda model: (players.n, game.n_players, model)

    held = [measure(ij.Players.features(3, names), of_table(names)) for names in (COLUMNS, None)]
    assert name_of(held[0]) == name_of(held[1])
