"""All numbers of a network's output as games, from one pass for each coalition: those of one output at a time."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij

RANDOM = np.random.default_rng(0)
FIRST, LAST = (jnp.asarray(RANDOM.normal(size=shape), jnp.float32) for shape in ((6, 8), (8, 5)))
X = RANDOM.normal(size=(2, 6)).astype(np.float32)
PLAYERS = ij.Players.features(6, names=list("abcdef"))


def network(x):
    return jnp.tanh(x @ FIRST) @ LAST


@pytest.mark.parametrize("baseline", [0.0, 0.5, ij.marginal(RANDOM.normal(size=(3, 6)).astype(np.float32))])
def test_each_game_is_that_of_its_logit(baseline):
    games = ij.masked_game(network, X[0], players=PLAYERS, baseline=baseline, output="all")
    assert len(games) == 5
    for label, game in enumerate(games):
        one = ij.masked_game(network, X[0], players=PLAYERS, baseline=baseline, output=ij.logit(label))
        np.testing.assert_allclose(ij.tabulate(game), ij.tabulate(one), rtol=1e-5, atol=1e-6)
        assert game.player_names == tuple("abcdef")
        for name in ("SV", "SII"):
            found, wanted = (ij.interaction_index(each, name).values for each in (game, one))
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            ij.concepts.and_or(game).and_effects, ij.concepts.and_or(ij.tabulate(one)).and_effects, atol=1e-3
        )


def test_a_network_is_asked_once_for_each_coalition():
    seen = []

    def counted(x):
        jax.debug.callback(lambda rows: seen.append(len(rows)), x)
        return network(x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        games = ij.masked_game(counted, X[0], players=PLAYERS, output="all")
        jax.effects_barrier()
        passes = sum(seen)
        for game in games:
            ij.interaction_index(game, "SV")
        jax.effects_barrier()
    assert sum(seen) == passes  # later questions are answered from the tables
    assert passes < 2 * 2**6 + 40  # and the first looks at a few rows beside


def test_batches_and_pytrees_of_outputs():
    several = ij.masked_games(network, X, players=PLAYERS, output="all")
    assert [len(games) for games in several] == [5, 5]
    for x, games in zip(X, several, strict=True):
        np.testing.assert_allclose(games[3](np.ones((1, 6), bool)), network(x[None])[0, 3], rtol=1e-5)
    both = ij.masked_game(lambda x: {"z": network(x), "first": x[:, 0]}, X[0], players=PLAYERS, output="all")
    assert len(both) == 6
    np.testing.assert_allclose(both[0](np.ones((1, 6), bool)), X[0, 0], rtol=1e-6)


def test_what_rounding_makes_of_values_is_known_of_each():
    """A linear network on large numbers: no interaction, of any class, and that is told."""
    games = ij.masked_game(lambda x: (x + 1e4) @ FIRST, X[0], players=PLAYERS, output="all")
    for game in games[:3]:
        with pytest.warns(UserWarning, match="within what rounding makes of the values"):
            ij.exact_order_interactions(game)


def test_what_does_not_fit_is_told():
    with pytest.raises(ValueError, match='labels must be left out with output="all"'):
        ij.masked_games(network, X, [0, 1], players=PLAYERS, output="all")
    wide = np.zeros(30, np.float32)
    with pytest.raises(ValueError, match="30 players are more than"):
        ij.masked_game(lambda x: x[:, :2], wide, players=ij.Players.features(30), output="all")
    with pytest.raises(ValueError, match="output must be one of"):
        ij.masked_game(network, X[0], players=PLAYERS, output="every")
    with pytest.warns(UserWarning, match="NaN or infinite"):
        games = ij.masked_game(
            lambda x: jnp.where(x[:, :2] == 0, jnp.nan, x[:, :2]), X[0], players=PLAYERS, output="all"
        )
    assert np.isnan(np.asarray(games[0].params)).sum() == 32


def test_outputs_of_other_kinds():
    whole = ij.masked_game(lambda x: (x[:, :2] * 3).astype(jnp.int32), X[0], players=PLAYERS, output="all")
    np.testing.assert_array_equal(whole[0](np.ones((1, 6), bool)), np.trunc(X[0, 0] * 3))
    truths = ij.masked_game(lambda x: x[:, :2] > 0, X[0], players=PLAYERS, output="all")
    assert truths[1](np.ones((1, 6), bool)).tolist() == [float(X[0, 1] > 0)]
    for network_of in (lambda x: x[:, :2] + 1j, lambda x: x[:, :0]):
        with pytest.raises(ValueError, match="model must give real numbers, at least one"):
            ij.masked_game(network_of, X[0], players=PLAYERS, output="all")
