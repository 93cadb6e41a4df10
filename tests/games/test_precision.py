"""Precision of the forward pass: full float32 unless asked otherwise, and bfloat16 only where it is said to be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij

RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "conv": RANDOM.normal(size=(3, 3, 1, 8)).astype(np.float32),
    "last": RANDOM.normal(size=(8, 3)).astype(np.float32),
}
X = RANDOM.normal(size=(8, 8, 1)).astype(np.float32)
PLAYERS = ij.Players.grid((8, 8, 1), (4, 4))
MASKS = RANDOM.random((30, 16)) < 0.5


def network(params, x):
    numbers = ("NHWC", "HWIO", "NHWC")
    hidden = jax.lax.conv_general_dilated(x, params["conv"], (1, 1), "SAME", dimension_numbers=numbers)
    return jnp.tanh(hidden).mean((1, 2)) @ params["last"]


def game_of(**options):
    return ij.masked_game((network, WEIGHTS), X, players=PLAYERS, output=ij.log_odds(1), **options)


def test_products_and_convolutions_are_in_full_precision():
    text = str(jax.make_jaxpr(game_of().value)(game_of().params, MASKS))
    assert text.count("conv_general_dilated") == 1
    assert text.count("HIGHEST") == 4  # two operands each
    assert "HIGHEST" not in str(jax.make_jaxpr(game_of(precision=None).value)(game_of().params, MASKS))


@pytest.mark.parametrize("fold", [True, False])
def test_bfloat16_is_near_float32_and_gives_float32(fold):
    exact, rounded = game_of(fold=fold), game_of(fold=fold, precision="bfloat16")
    assert rounded(MASKS).dtype == jnp.float32
    settings = {"orders": [3, 7], "contexts": 20}
    found, expected = (
        ij.order_interactions(jax.random.key(0), game, **settings, exact=False) for game in (rounded, exact)
    )
    error = np.abs(found.mean - expected.mean).max()
    assert 0 < error < 0.1 * np.abs(exact(MASKS)).max()


def test_the_folded_sum_is_not_rounded():
    game = game_of(fold=True, precision="bfloat16")
    exact = game_of(fold=True)
    found, wanted = (one.value.contributions(one.params, 4) for one in (game, exact))
    for rows, expected in zip(found, wanted, strict=True):
        assert rows.dtype == jnp.float32
        np.testing.assert_array_equal(rows, expected)


def test_double_precision_is_kept_where_jax_has_it():
    with jax.enable_x64(True):
        weights = jax.tree.map(lambda leaf: leaf.astype(np.float64), WEIGHTS)
        game = ij.masked_game((network, weights), X.astype(np.float64), players=PLAYERS, output=ij.logit(1))
        assert game(MASKS).dtype == jnp.float64
        found = ij.order_interactions(jax.random.key(0), game, orders=[3], contexts=5, exact=False)
    assert np.isfinite(found.mean).all()


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="precision"):
        game_of(precision="float8")
