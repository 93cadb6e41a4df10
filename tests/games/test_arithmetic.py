"""The arithmetic inside a network: the coarsest type on the way from inputs to outputs, and what an output makes of
the last digit of logits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.normal(size=(6, 3)).astype(np.float32)
X = RANDOM.normal(size=6).astype(np.float32)
SINGLE, HALF, BRAIN = (float(jnp.finfo(kind).eps) for kind in (jnp.float32, jnp.float16, jnp.bfloat16))


def through(kind):
    return lambda x: (x.astype(kind) @ WEIGHTS.astype(kind)).astype(jnp.float32)


def in_a_loop(x):
    def turn(carried, _):
        # The first of the two is coarse from the second turn on.
        return (carried[1].astype(jnp.float16).astype(jnp.float32), x @ WEIGHTS), None

    return jax.lax.scan(turn, (jnp.zeros((len(x), 3)), jnp.zeros((len(x), 3))), None, length=2)[0][0]


NETWORKS = {
    "single": (lambda x: x @ WEIGHTS, SINGLE),
    "half": (through(jnp.float16), HALF),
    "bfloat16": (through(jnp.bfloat16), BRAIN),
    "inside jit": (jax.jit(through(jnp.bfloat16)), BRAIN),
    "checkpointed": (jax.checkpoint(through(jnp.float16)), HALF),
    "in a loop": (in_a_loop, HALF),
    "in a branch": (lambda x: jax.lax.cond(True, through(jnp.float16), lambda x: x @ WEIGHTS, x), HALF),
    "weights alone": (lambda x: x @ jnp.asarray(WEIGHTS).astype(jnp.bfloat16).astype(jnp.float32), SINGLE),
    "weights alone, inside jit": (
        lambda x: x @ jax.jit(lambda w: w.astype(jnp.bfloat16).astype(jnp.float32))(jnp.asarray(WEIGHTS)),
        SINGLE,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_coarsest_type_between_inputs_and_outputs_counts(name):
    network, unit = NETWORKS[name]
    assert ij.masked_game(network, X, players=ij.Players.features(6)).unit == unit
    of_masks = ij.Game.from_function(lambda mask: network(mask.astype(jnp.float32)[None])[0, 0], 6)
    assert of_masks.unit == unit


def test_a_precision_that_is_asked_for_counts():
    game = ij.masked_game(lambda x: x @ WEIGHTS, X, players=ij.Players.features(6), precision="bfloat16")
    assert game.unit == BRAIN


@pytest.mark.parametrize("output", [ij.log_odds, ij.log_prob, ij.logit, lambda label: lambda z: z[label] - z[0]])
def test_what_logits_have_in_common_cancels_but_for_its_rounding(output):
    """Off by at least a third of the values' true error, and by no more than ten times that."""
    for offset in (0.0, 1e3, 1e6):
        network = lambda x, offset=offset: x @ WEIGHTS + np.float32(offset)  # noqa: E731
        game = ij.masked_game(network, X, players=ij.Players.features(6), output=output(1))
        masks = RANDOM.integers(0, 2, (200, 6)).astype(bool)
        with jax.enable_x64(True):
            logits = jnp.asarray(np.where(masks, X, 0).astype(float) @ WEIGHTS.astype(float))
            true = jax.vmap(output(1))(logits)
        added = offset if output is ij.logit else 0.0
        error = np.abs(np.asarray(game(masks), float) - np.asarray(true) - added).max()
        assert error / 3 < float(game.rounding) < 10 * error


def test_masked_classes_and_probabilities_do_not_count():
    network = lambda x: jnp.concatenate([x @ WEIGHTS, jnp.full((len(x), 1), -1e9)], axis=1)  # noqa: E731
    for output in (ij.log_odds(1), ij.prob(0)):
        game = ij.masked_game(network, X, players=ij.Players.features(6), output=output)
        assert 0 < float(game.rounding) < 1e-5
    infinite = lambda x: jnp.concatenate([x @ WEIGHTS, jnp.full((len(x), 1), -jnp.inf)], axis=1)  # noqa: E731
    game = ij.masked_game(infinite, X, players=ij.Players.features(6), output=ij.log_odds(1))
    assert 0 < float(game.rounding) < 1e-5
