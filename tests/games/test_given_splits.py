"""A network given in two parts: shapes are checked when the game is made, values when it is measured."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import interjax as ij

RANDOM = np.random.default_rng(0)
WEIGHTS = {
    "first": RANDOM.normal(size=(12, 5)).astype(np.float32),
    "last": RANDOM.normal(size=(5, 3)).astype(np.float32),
}
X = RANDOM.normal(size=12).astype(np.float32)


def network(params, x):
    """Reads the input through an operation that hides its linearity."""
    return trunk(params, jax.lax.map(lambda row: row @ params["first"], x))


def stem(params, x):
    return x @ params["first"]


def trunk(params, hidden):
    return jnp.tanh(hidden) @ params["last"]


def game_of(fold, model=(network, WEIGHTS), **options):
    return ij.masked_game(model, X, players=ij.Players.features(12), output=ij.log_odds(1), fold=fold, **options)


def interactions(game):
    return ij.order_interactions(jax.random.key(0), game, orders=[0, 4, 10], contexts=4, exact=False).mean


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_given_split_has_the_values_of_the_network(precision):
    with pytest.raises(ValueError, match="stem, trunk"):
        game_of(True)  # not found by itself
    given, whole = (game_of(fold, precision=precision) for fold in ((stem, trunk), False))
    tolerance = 1e-5 if precision == "float32" else 0.1
    np.testing.assert_allclose(interactions(given), interactions(whole), atol=tolerance)


def test_flax_networks_can_be_given_in_two_parts():
    module = nnx.Linear(12, 3, rngs=nnx.Rngs(0))
    nnx_stem = lambda state, x: x @ state["kernel"][...] + state["bias"][...][None]  # noqa: E731
    linen = nn.Dense(3)
    variables = linen.init(jax.random.key(0), X[None])
    linen_stem = lambda params, x: x @ params["params"]["kernel"]  # noqa: E731
    for model, first in ((module, nnx_stem), ((linen, variables), linen_stem)):
        given = game_of((first, lambda params, hidden: hidden), model)
        np.testing.assert_allclose(interactions(given), interactions(game_of(False, model)), atol=1e-5)


WRONG_SHAPES = {
    "stem of other inputs": ((lambda p, x: x @ jnp.ones((7, 5)), trunk), "stem"),
    "stem that loses the batch": ((lambda p, x: stem(p, x).sum(0), trunk), "one row of floats an input"),
    "stem of integers": ((lambda p, x: stem(p, x).astype(int), trunk), "one row of floats an input"),
    "trunk of other hidden rows": ((stem, lambda p, h: h @ jnp.ones((9, 3))), "trunk"),
    "trunk of other outputs": ((stem, lambda p, h: h @ p["last"][:, :2]), "what the network gives"),
    "three parts": ((stem, trunk, trunk), "two functions"),
    "no functions": ((stem, 3), "two functions"),
}


@pytest.mark.parametrize(("fold", "message"), WRONG_SHAPES.values(), ids=WRONG_SHAPES)
def test_parts_that_do_not_fit_are_refused(fold, message):
    with pytest.raises(ValueError, match=message):
        game_of(fold)


WRONG_VALUES = {
    "not the network": (stem, lambda p, h: 1.1 * trunk(p, h)),
    "not affine": (lambda p, x: stem(p, x) ** 2, lambda p, h: jnp.tanh(jnp.sqrt(h)) @ p["last"]),
}


@pytest.mark.parametrize("fold", WRONG_VALUES.values(), ids=WRONG_VALUES)
def test_parts_of_other_values_are_refused_when_measured(fold):
    with pytest.raises(ValueError, match="differ by up to"):
        interactions(game_of(fold))


def test_a_marginal_baseline_is_not_folded():
    with pytest.raises(ValueError, match="marginal"):
        game_of((stem, trunk), baseline=ij.marginal(np.zeros((2, 12), np.float32)))
