"""Tables of interactions show the names of the players, each its own."""

import dataclasses

import jax
import numpy as np
import pytest

import interjax as ij
from interjax._core._files import write_arrays
from interjax._core._names import default_names

NAMES = ("sex", "age", "job", "town", "height")
KEY = jax.random.key(0)


def game(names=NAMES):
    """Age acts alone, town and height together."""
    return ij.Game.from_function(lambda s: 5.0 * s[1] + 2.0 * s[3] * s[4], 5, player_names=names)


def lines_of(found, *arguments):
    return found.table(*arguments).splitlines()


@pytest.mark.parametrize("exact", [True, False])
def test_the_player_that_matters_is_on_top(exact):
    found = ij.order_interactions(KEY, game(), orders=[0, 4], size=1, exact=exact)
    assert found.player_names == NAMES
    heading, *lines = lines_of(found)
    assert heading.split() == ["order", "m", "I^(m)", "stderr", "players"]
    assert [line.split()[-1] for line in lines[:2]] == ["age", "age"]
    assert {line.split()[1] for line in lines[:2]} == {"5"}
    assert len(lines) == 10


def test_pairs_are_joined_and_what_is_left_out_is_told():
    found = ij.order_interactions(KEY, game(), orders=[0, 1])
    lines = lines_of(found, 3)
    assert [line.split("  ")[-1] for line in lines[1:3]] == ["town & height"] * 2
    assert lines[-1] == "the strongest 3 of 20"
    with pytest.raises(ValueError, match="count must be an integer of at least 1"):
        found.table(0)


def test_unknown_interactions_come_last():
    found = ij.order_interactions(KEY, game(), orders=[0])
    mean = found.mean.copy()
    mean[0, 0] = np.nan
    assert lines_of(dataclasses.replace(found, mean=mean))[-1].split("  ")[-1] == "sex & age"


@pytest.mark.parametrize(("index", "size"), [("SII", 2), ("SV", 1), ("ELC", 1), ("Moebius", 5)])
def test_an_index_shows_its_players(index, size):
    found = ij.interaction_index(game(), index, size=size)
    heading, first, *_ = lines_of(found)
    assert found.player_names == NAMES
    assert heading.split() == [index, "players"]
    assert first.split() == ["5", "age"]
    assert lines_of(found, 1)[-1].startswith("the strongest 1 of")
    assert "nobody" not in found.table()


def test_an_index_of_a_table_numbers_its_players():
    found = ij.interaction_index(ij.tabulate(game()), "SV")
    assert lines_of(found)[1].split("  ")[-1] == "player 1"


def test_indices_of_games_of_other_names_are_added_leaf_by_leaf():
    one, other = (ij.interaction_index(game(names), "SII") for names in (NAMES, list("abcde")))
    total = jax.tree.map(np.add, one, other)
    assert total[1,] == pytest.approx(10.0)
    assert total.player_names == NAMES


def test_values_of_several_games_have_no_table():
    tables = jax.numpy.stack([jax.numpy.arange(8.0)] * 2)
    found = jax.vmap(lambda table: ij.interaction_index(table, "SII"))(tables)
    with pytest.raises(ValueError, match="values of one game"):
        found.table()


def test_names_that_break_lines_do_not_break_tables():
    found = ij.interaction_index(ij.Game.from_table([0.0, 1.0], player_names=["a\nb"]), "SV")
    assert lines_of(found)[1].endswith(r"a\nb")


@pytest.mark.parametrize("make", [ij.order_interactions, lambda key, game: ij.interaction_index(game, "SII")])
def test_names_are_kept_in_files_and_older_files_have_numbers(tmp_path, make):
    found = make(KEY, game())
    kind = type(found)
    assert kind.load(found.save(tmp_path / "found.npz")).player_names == NAMES
    assert '"player_names": ["sex", ' in str(found.to_arrays()["__interjax__"])
    unnamed = make(KEY, game(None))
    older = unnamed.to_arrays()  # has no word of names, as files had none before
    assert "player_names" not in str(older["__interjax__"])
    assert kind.load(write_arrays(tmp_path / "older.npz", older)).player_names == default_names(5)
