"""Interactions that show in few contexts, pairs or inputs: errors that hold them, or a word that there is none."""

import math
import warnings

import jax
import numpy as np
import pytest

import interjax as ij
from interjax.profiles._summary import _undrawn

KEY = jax.random.key(0)


def masks_of(players):
    return (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(float)


def game_of(table):
    return ij.Game.from_table(table)


NETWORK = game_of(np.tanh(masks_of(8) @ np.random.default_rng(0).normal(size=(8, 4))).sum(axis=1))
NOTHING = game_of(np.zeros(2**8))


@pytest.mark.filterwarnings("ignore:at orders .* few contexts may hold")
@pytest.mark.parametrize("how", [{"contexts": 5}, {"n_forwards": 8_000}, {"contexts": 5, "kind": "rms"}])
def test_one_input_that_interacts_beside_others_has_no_error_and_that_is_told(how):
    with pytest.warns(UserWarning, match="only one input's pairs interact: use more inputs"):
        found = ij.order_profile(KEY, [NETWORK, NOTHING], exact=False, **how)
    assert np.all(np.isfinite(found.strength))
    assert np.all(np.isnan(found.stderr))


@pytest.mark.filterwarnings("ignore:at orders")
def test_one_context_has_no_error_and_that_is_told():
    with pytest.warns(UserWarning, match="a single context, or a single cluster of pairs, tells nothing"):
        found = ij.order_profile(KEY, NETWORK, contexts=1, exact=False)
    assert np.isnan(found.stderr).any()


@pytest.mark.filterwarnings("ignore:no measured pair interacts")
@pytest.mark.filterwarnings("ignore:at orders .* few contexts may hold")
def test_squares_of_a_spike_have_errors_that_hold():
    spike = np.zeros(2**9)
    spike[0b010110101] = 1.0
    exact = np.sqrt(np.mean(ij.exact_order_interactions(spike)[:, *np.triu_indices(9, 1)] ** 2, axis=1))
    held = []
    for seed in range(30):
        found = ij.order_profile(jax.random.key(seed), game_of(spike), contexts=3, kind="rms", exact=False)
        if np.any(found.magnitude):
            lower, upper = found.interval()
            held.append((lower - 1e-6 <= exact / exact.mean()) & (exact / exact.mean() <= upper + 1e-6))
    assert len(held) > 20
    assert np.mean(held) > 0.93  # NaN ends hold nothing


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:at orders")
@pytest.mark.parametrize(
    "how", [{"n_pairs": 14, "contexts": 4}, {"n_pairs": 12, "contexts": 3, "method": "quadruples"}]
)
def test_pairs_that_were_not_drawn_may_interact(how):
    random, players = np.random.default_rng(0), 8
    sets = [(0, 3), *(random.choice(players, size, replace=False) for size in (3, 4, 5, 6))]
    table = sum(random.normal() * masks_of(players)[:, list(each)].prod(axis=1) for each in sets)
    exact = np.abs(ij.exact_order_interactions(table)[:, *np.triu_indices(players, 1)]).mean(axis=1)
    held = []
    for seed in range(40):  # order 0 has one pair of 28
        found = ij.order_profile(jax.random.key(seed), game_of(table), exact=False, **how)
        lower, upper = found.interval()
        held.append(lower[0] <= exact[0] / exact.mean() <= upper[0])
        assert found.stderr[0] > 0
    assert np.mean(held) > 0.9


@pytest.mark.filterwarnings("ignore:at orders .* few contexts may hold")
def test_groups_that_agree_by_chance_do_not_make_the_error_small():
    """An AND of three: order 1 has three pairs that interact in one of seven contexts."""
    table = masks_of(9)[:, :3].prod(axis=1)
    exact = np.abs(ij.exact_order_interactions(table)[:, *np.triu_indices(9, 1)]).mean(axis=1)
    held = []
    for seed in range(60):
        lower, upper = ij.order_profile(jax.random.key(seed), game_of(table), contexts=3, exact=False).interval()
        held.append(lower[1] <= exact[1] / exact.mean() <= upper[1])
    assert np.mean(held) > 0.92  # 0.77 by the jackknife alone


def test_infinite_values_leave_nan():
    table = np.array(NETWORK(masks_of(8).astype(bool)))
    table[[37, 100]] = np.inf
    with pytest.warns(UserWarning, match="NaN or infinite") as told:
        found = ij.order_profile(KEY, [game_of(table), NETWORK], contexts=20, exact=False)
    assert all(issubclass(each.category, UserWarning) for each in told)
    assert np.all(np.isnan(found.strength))


@pytest.mark.filterwarnings("ignore:at orders")
@pytest.mark.parametrize("inputs", [1, 3])
def test_what_a_budget_must_be_at_least_is_enough_and_nearly_kept(inputs):
    games = [NETWORK, game_of(np.random.default_rng(1).normal(size=2**8)), NETWORK][:inputs]
    with pytest.raises(ValueError, match="n_forwards must be at least") as refused:
        ij.order_profile(KEY, games, n_forwards=100, exact=False)
    least = int(str(refused.value).split("at least ")[1].split(",")[0])
    found = ij.order_profile(KEY, games, n_forwards=least, exact=False)
    assert found.n_forwards <= 1.1 * least
    assert np.all(np.isfinite(found.stderr))


@pytest.mark.filterwarnings("ignore:at orders")
def test_more_passes_measure_no_fewer_pairs():
    games = [game_of(np.random.default_rng(seed).normal(size=2**9)) for seed in range(3)]
    pairs = [
        ij.order_profile(KEY, games, n_forwards=passes, exact=False).pairs_by_input.sum()
        for passes in range(4_000, 6_000, 500)
    ]
    assert np.all(np.diff(pairs) >= 0)


def test_one_order_needs_no_allocation():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ij.order_profile(KEY, NETWORK, orders=[3], n_forwards=900, exact=False)
    assert found.strength.tolist() == [1.0]


MAXIMUM = game_of(np.max(masks_of(12) * np.random.default_rng(0).random(12), axis=1))
SMOOTH, ANOTHER = (
    game_of(np.tanh(masks_of(12) @ np.random.default_rng(seed).normal(size=(12, 16))).sum(axis=1)) for seed in (1, 2)
)


@pytest.mark.long
@pytest.mark.parametrize(("how", "told"), [({"contexts": 20}, 20), ({"contexts": 6}, 20), ({"n_forwards": 8_000}, 19)])
def test_strength_in_few_contexts_is_told(how, told):
    """Of the largest of present players a pair's interaction is 0 but where both are larger than all the rest."""
    exact = np.abs(ij.exact_order_interactions(MAXIMUM))[:, *np.triu_indices(12, 1)].mean(axis=1)
    said, missed = 0, np.zeros(len(exact))
    for seed in range(20):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = ij.order_profile(jax.random.key(seed), MAXIMUM, exact=False, **how)
        lower, upper = found.interval()
        missed += (exact / exact.mean() < lower) | (upper < exact / exact.mean())
        said += any("few contexts may hold much of the strength" in str(each.message) for each in caught)
    assert said >= told
    assert missed.max() >= 3  # of 20: Student's interval holds too little, as the warning says


def test_strength_in_many_contexts_is_not_told():
    for seed in range(5):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = ij.order_profile(jax.random.key(seed), SMOOTH, contexts=20, exact=False)
        assert found.skewness.shape == found.orders.shape
        assert np.all(found.skewness[[0, 10]] == 0)
    assert ij.order_profile(KEY, SMOOTH, n_pairs=20, contexts=20, exact=False).skewness is None


@pytest.mark.filterwarnings("ignore:at orders .* few contexts may hold")
def test_strength_in_few_contexts_of_several_inputs_is_told():
    told = 0
    for seed in range(10):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ij.order_profile(jax.random.key(seed), [MAXIMUM] * 3, contexts=4, exact=False)
        told += any("few contexts may hold much of the strength" in str(each.message) for each in caught)
    assert told >= 9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ij.order_profile(KEY, [SMOOTH, ANOTHER], contexts=20, exact=False)
    assert np.abs(found.skewness).max() < 0.36
    # Inputs that are alike share no contexts: third moments add up as variances do, for 1 / sqrt(inputs) of one's.
    alike = [ij.order_profile(jax.random.key(seed), [MAXIMUM] * 4, contexts=20, exact=False) for seed in range(8)]
    single = [ij.order_profile(jax.random.key(seed), MAXIMUM, contexts=20, exact=False) for seed in range(8)]
    of_four, of_one = (np.mean([each.skewness[3:9] for each in found]) for found in (alike, single))
    assert of_four == pytest.approx(of_one / 2, rel=0.3)


def test_contexts_that_are_most_of_all_look_no_more_even_for_it():
    """What they vary by is told of the contexts, not of a mean that is nearly over all of them."""
    numbers = np.random.default_rng(6).normal(size=10)
    table = (masks_of(10) * numbers).max(axis=1)
    with pytest.warns(UserWarning, match="few contexts may hold much"):
        profile = ij.order_profile(KEY, game_of(table), contexts=10, exact=False)
    every = np.array([math.comb(8, order) for order in range(9)])
    drawn = profile.contexts_drawn
    some = ~profile.exact
    assert some.any()
    np.testing.assert_allclose(_undrawn(profile, drawn)[some], (1 - drawn / every)[some])
    np.testing.assert_array_equal(_undrawn(profile, np.array(every, float)), 1.0)
