"""Players partition an input; the absent ones are filled from the baseline."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import interjax as ij


def spread_by_definition(players, masks):
    extended = np.concatenate([masks, np.ones((len(masks), 1), bool)], axis=1)
    return extended[:, players.labels]


CASES = {
    "each": ij.Players.each((3, 4, 2)),
    "features": ij.Players.features(5),
    "equal grid": ij.Players.grid((6, 4, 3), (3, 2)),
    "uneven grid": ij.Players.grid((7, 5, 3), (3, 2)),
    "one axis of an image": ij.Players.grid((6, 4), (3,)),
    "volume": ij.Players.grid((4, 4, 4, 2), (2, 2, 2)),
    "tokens": ij.Players.tokens(7),
    "embedded tokens": ij.Players.tokens(7, 3),
    "segments": ij.Players.segments([[0, 0, 1], [2, 1, 1]]),
    "segments with a fixed part": ij.Players.segments([[0, -1], [1, -1]]),
    "masks": ij.Players.segments(np.array([[True, False, False], [False, True, False]])),
    "one player": ij.Players.segments(np.zeros((2, 2), int)),
    "a thousand": ij.Players.features(1200),
}


@pytest.mark.parametrize("players", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_spread_gives_each_entry_its_players_mask(players, transform):
    masks = np.random.default_rng(0).random((4, players.n)) < 0.5
    found = transform(players.spread)(jnp.asarray(masks))
    np.testing.assert_array_equal(found, spread_by_definition(players, masks))


@pytest.mark.parametrize("players", CASES.values(), ids=CASES.keys())
def test_every_player_owns_an_entry(players):
    assert set(range(players.n)) <= set(players.labels.ravel().tolist())


def test_grid_keeps_channels_together_and_counts_in_c_order():
    players = ij.Players.grid((4, 4, 3), (2, 2))
    assert players.n == 4
    assert players.labels[0, 3].tolist() == [1, 1, 1]
    assert players.labels[3, 0].tolist() == [2, 2, 2]


def test_an_integer_grid_means_that_many_cells_on_both_axes():
    assert ij.Players.grid((8, 8, 1), 4) == ij.Players.grid((8, 8, 1), (4, 4))


def test_fill_takes_absent_players_from_the_baseline():
    players = ij.Players.segments([0, 1, 1, -1])
    filled = players.fill(jnp.array([[True, False]]), jnp.arange(4.0), -jnp.ones(4))
    assert filled.tolist() == [[0.0, -1.0, -1.0, 3.0]]


def test_integer_inputs_stay_integers():
    players = ij.Players.tokens(3)
    filled = players.fill(jnp.array([[True, False, True]]), jnp.array([5, 6, 7]), jnp.zeros(3, int))
    assert filled.tolist() == [[5, 0, 7]]


def test_equal_players_are_equal_and_hash_alike():
    same = [ij.Players.grid((4, 4), (2, 2)) for _ in range(2)]
    assert same[0] == same[1]
    assert hash(same[0]) == hash(same[1])
    assert same[0] != ij.Players.grid((4, 4), (4, 1))


BAD_PARTITIONS = {
    "a gap": ([0, 2], "never occur"),
    "only fixed entries": ([-1, -1], "at least one entry"),
    "floats": ([0.0, 1.0], "integers"),
    "below -1": ([-2, 0], "from 0 on"),
    "nothing": ([], "at least one entry"),
    "overlapping masks": (np.array([[True, True], [False, True]]), "overlap"),
    "an empty mask": (np.array([[True, True], [False, False]]), "no entry"),
    "a flat mask": (np.array([True, False]), "n_players"),
}


@pytest.mark.parametrize(("labels", "message"), BAD_PARTITIONS.values(), ids=BAD_PARTITIONS.keys())
def test_bad_partitions_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        ij.Players.segments(labels)


@pytest.mark.parametrize("cells", [0, (5, 2), (2, 2, 2, 2), ()])
def test_bad_grids_are_refused(cells):
    with pytest.raises(ValueError, match="cells"):
        ij.Players.grid((4, 4, 3), cells)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_empty_inputs_are_refused(shape):
    with pytest.raises(ValueError, match="axis"):
        ij.Players.each(shape)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-3, 6), max_size=8))
def test_segments_either_partition_or_raise(labels):
    wanted = set(labels) - {-1}
    valid = bool(wanted) and wanted == set(range(max(wanted) + 1))
    if valid:
        assert ij.Players.segments(labels).n == len(wanted)
    else:
        with pytest.raises(ValueError, match=r"entry|player"):
            ij.Players.segments(labels)


def test_cells_may_run_along_any_axes():
    masks = np.random.default_rng(0).random((5, 6)) > 0.5
    last, first = ij.Players.grid((6, 4, 3), (3, 2)), ij.Players.grid((3, 6, 4), (3, 2), axes=(1, 2))
    np.testing.assert_array_equal(np.moveaxis(last.spread(masks), 3, 1), first.spread(masks))
    assert (first.n, first.cells) == (last.n, last.cells)
    assert ij.Players.grid((6, 4, 3), 2, axes=(0, 1)) == ij.Players.grid((6, 4, 3), 2)
    assert ij.Players.grid((2, 6, 4), 2, axes=(-2, -1)) == ij.Players.grid((2, 6, 4), (2, 2), axes=(1, 2))
    turned = ij.Players.grid((3, 6, 4), (2, 3), axes=(2, 1))  # numbered along the axes as they are given
    assert turned.labels[0, :, 0].tolist() == [0, 0, 1, 1, 2, 2]
    np.testing.assert_array_equal(
        turned.spread(np.eye(6, dtype=bool)), turned.labels == np.arange(6)[:, None, None, None]
    )


@pytest.mark.parametrize("axes", [(3,), (1, 1), "x", 1.5, (), (0, 1, 2)])
def test_axes_that_are_none_of_the_inputs_are_refused(axes):
    with pytest.raises(ValueError, match=r"axes|cells"):
        ij.Players.grid((3, 6, 4), (2, 2), axes=axes)


def test_a_baseline_may_be_one_vector_for_all_tokens_and_0_for_their_numbers():
    tokens, vector = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32), np.arange(4, dtype=np.float32)
    players = ij.Players.tokens(3, 4)
    game = ij.masked_game(lambda x: x.sum(axis=(1, 2)) ** 2, tokens, players=players, baseline=vector)
    whole = ij.masked_game(
        lambda x: x.sum(axis=(1, 2)) ** 2, tokens, players=players, baseline=np.broadcast_to(vector, (3, 4))
    )
    np.testing.assert_array_equal(ij.tabulate(game), ij.tabulate(whole))
    numbers = ij.masked_game(lambda x: (x * 1.0).sum(axis=1), np.array([3, 4]), players=ij.Players.tokens(2))
    assert ij.tabulate(numbers).tolist() == [0.0, 3.0, 4.0, 7.0]
    with pytest.raises(ValueError, match="baseline must be an integer"):
        ij.masked_game(lambda x: (x * 1.0).sum(axis=1), np.array([3, 4]), players=ij.Players.tokens(2), baseline=0.5)
