"""Strengths near 0: of squares that come out negative, of orders without interactions, and of rare ones."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij

KEY = jax.random.key(0)
SIX_OF_TWENTY = ij.Game.from_function(lambda m: m[:6].all() * 1.0, 20)


@pytest.mark.filterwarnings("ignore:at orders .* few contexts may hold")
def test_rms_of_an_order_without_interactions_leaves_the_others_their_errors():
    """Three of six players together: order 0 is exactly 0."""
    game = ij.Game.from_function(lambda s: jnp.prod(s[:3] * 1.0), 6)
    found = ij.order_profile(KEY, game, kind="rms", contexts=2, exact=False)
    assert found.strength[0] == 0
    assert found.stderr[0] == 0
    assert np.all(np.isfinite(found.stderr))
    lower, upper = found.interval()
    truth = np.arange(5) / 2
    assert np.all((lower <= truth + 1e-6) & (truth - 1e-6 <= upper))


def test_rms_that_comes_out_negative_is_0_with_an_upper_limit(data_folder):
    """Middle orders of a real game of Adult, whose squares are within their noise at some order in most keys."""
    with np.load(data_folder / "games" / "adult14_local_2.npz") as game:
        table = game["table"].astype(float)
    truth = np.sqrt(np.mean(np.square(ij.exact_order_interactions(table)[:, *np.triu_indices(14, 1)]), axis=1))
    truth /= truth.mean()
    held, negative = [], 0
    for seed in range(30):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            found = ij.order_profile(
                jax.random.key(seed), ij.Game.from_table(table), kind="rms", contexts=3, exact=False
            )
        lower, upper = found.interval()
        held.append((lower <= truth) & (truth <= upper))
        unseen = found.by_input[0] < 0
        negative += unseen.any()
        assert any("is negative after subtracting its noise" in str(one.message) for one in told) == unseen.any()
        assert np.all(np.isfinite(found.strength) & np.isfinite(found.stderr))
        assert np.all(found.strength[unseen] == 0)
        assert np.all(found.stderr[unseen] > 0)
    assert negative >= 5
    assert np.mean(held) > 0.9


@pytest.mark.filterwarnings("ignore:at orders .* (the noise of an interaction|few contexts may hold)")
def test_the_profile_of_a_rare_interaction_is_within_its_error():
    found = [ij.order_profile(jax.random.key(seed), SIX_OF_TWENTY, contexts=10, exact=False) for seed in range(8)]
    shares = [math.comb(14, m - 4) / math.comb(18, m) if m >= 4 else 0.0 for m in found[0].orders.tolist()]
    truth = np.array(shares) / np.mean(shares)
    lower, upper = np.stack([one.interval() for one in found], axis=1)
    held = (lower <= truth + 1e-6) & (truth - 1e-6 <= upper)
    assert held.mean() > 0.9
    unseen = np.stack([one.strength for one in found])[:, 2:-1] == 0  # contexts of orders 0 and 1 are enumerated
    assert unseen.any()
    assert np.all(np.stack([one.stderr for one in found])[:, 2:-1][unseen] > 0)
