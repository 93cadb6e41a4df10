"""Contexts by order: given, allotted by noise and cost, and from a budget of passes."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

import interjax as ij
from interjax.orders._counts import Before
from interjax.orders._designs import block_plans, quadruple_plans
from interjax.profiles._allocation import Errors, more_contexts

RANDOM = np.random.default_rng(0)
N = 9
GAME = ij.Game.from_function(
    lambda s: (s @ jnp.linspace(-1.0, 2.0, N)) ** 2 / 9 + 0.2 * jnp.tanh(s @ jnp.linspace(-2.0, 2.0, N)), N
)
EXACT = np.abs(ij.exact_order_interactions(ij.tabulate(GAME))[:, *np.triu_indices(N, 1)]).mean(axis=1)


def errors(from_contexts, magnitude=None, rest=0.0):
    magnitude = np.ones(len(from_contexts)) if magnitude is None else magnitude
    found = Errors(magnitude / magnitude.mean(), magnitude, from_contexts, 0 * magnitude, 0 * magnitude)
    return Errors(found.strength, magnitude, from_contexts, 0 * magnitude, found.slopes**2 @ from_contexts + rest)


def largest(found, contexts, more):
    rest = found.variance - found.slopes**2 @ found.from_contexts
    return np.max(rest + found.slopes**2 @ (found.from_contexts * contexts / (contexts + more)))


@pytest.mark.parametrize("seed", range(6))
def test_the_largest_error_is_nearly_the_least_that_the_passes_can_make_it(seed):
    """Against a general optimiser, for noise that changes slowly with the order."""
    random = np.random.default_rng(seed)
    orders, contexts, passes = 7, np.full(7, 20.0), 4000.0
    noise = np.exp(np.interp(np.arange(orders), [0, 3, 6], random.normal(size=3) - 4))
    found = errors(noise, np.exp(random.normal(size=orders) / 2), rest=random.random() * noise.max())
    cost = np.exp(random.normal(size=orders) / 2 + 1)
    more = more_contexts(found, contexts, cost, passes)
    assert np.sum(cost * more) == pytest.approx(passes, rel=0.02)

    def error(logits):
        share = np.exp(logits - logits.max())
        return np.log(largest(found, contexts, passes * share / share.sum() / cost))

    best = min(optimize.minimize(error, start, method="Powell").fun for start in random.normal(size=(3, orders)))
    evenly = largest(found, contexts, passes / cost.sum())
    assert largest(found, contexts, more) <= min(1.12 * np.exp(best), evenly * 1.001)


def test_no_contexts_go_where_all_are_known():
    more = more_contexts(errors(np.array([0.0, 1, 1, 1, 0])), np.full(5, 10), np.array([0.0, 2, 2, 2, 0]), 600)
    assert more.tolist() == [0, 100, 100, 100, 0]
    assert not more_contexts(errors(np.zeros(3)), np.full(3, 10), np.zeros(3), 600).any()


def test_few_passes_give_out_one_context_at_least():
    more = more_contexts(errors(np.array([1.0, 4.0, 1.0])), np.full(3, 10), np.full(3, 100.0), 20)
    assert more.tolist() == [0, 1, 0]


@pytest.mark.long
def test_small_rounds_go_on_until_all_contexts_are_evaluated():
    found = ij.order_profile(jax.random.key(3), GAME, orders=[3, 4], contexts=2, target_stderr=1e-5, exact=False)
    assert found.stderr.max() < 1e-5
    np.testing.assert_allclose(found.strength, EXACT[3:5] / EXACT[3:5].mean(), rtol=1e-4)


def test_unknown_noise_spreads_contexts_evenly():
    for noise in (np.full(3, np.nan), np.zeros(3)):
        assert more_contexts(errors(noise), np.full(3, 10), np.array([1.0, 1, 2]), 80).tolist() == [20, 20, 20]


@pytest.mark.parametrize("plans", [block_plans, quadruple_plans])
@pytest.mark.parametrize("order", [3, 6, 7])
def test_contexts_go_on_where_they_ended(plans, order):
    """Drawn in two parts they are those of one draw; without replacement none comes twice."""
    pairs = np.stack(np.triu_indices(12, 1), axis=1).astype(np.int32)

    def drawn(contexts, before):
        found = plans(jax.random.key(3), 12, [pairs], [order], contexts, 5, before)
        return [(*pair, *row) for _, _, plan in found for pair, row in _seen(plan)]

    one = drawn(12, Before(0, 12))
    parts = drawn(5, Before(0, 12)) + drawn(7, Before(5, 12))
    if plans is block_plans:  # a pair that the first part leaves with one context gets another of its own
        assert set(one) <= set(parts)
        assert len(parts) <= len(one) + len(pairs)
    else:
        assert sorted(parts) == sorted(one)
        assert len(set(parts)) == len(parts) == 12 * len(pairs)


def _seen(plan):
    """(number of the pair, its context) of each observation, the pair's own players taken out."""
    for pair, rows in zip(plan.coalition, plan.observation_rows, strict=True):
        masks = plan.contexts[plan.context_index[rows]].copy()
        for mask, flips in zip(masks, plan.flips[rows], strict=True):
            mask[flips[flips >= 0]] ^= True
        yield (int(pair),), tuple(np.flatnonzero(masks.all(axis=0)).tolist())


@pytest.mark.parametrize("method", ["blocks", "quadruples"])
def test_each_order_gets_the_contexts_that_are_asked_for(method):
    given = (3, 3, 4, 9, 4, 3, 3, 3)
    found = ij.order_profile(jax.random.key(1), GAME, contexts=given, method=method, exact=False)
    assert found.contexts == given
    for contexts in set(given):
        alike = ij.order_profile(jax.random.key(1), GAME, contexts=contexts, method=method, exact=False)
        places = np.flatnonzero(np.array(given) == contexts)
        np.testing.assert_allclose(found.magnitude[places], alike.magnitude[places], rtol=1e-6)
        np.testing.assert_allclose(found.contexts_drawn[places], alike.contexts_drawn[places])


def test_a_file_keeps_the_contexts_of_each_order(tmp_path):
    found = ij.order_profile(jax.random.key(1), GAME, orders=[0, 2, 4], contexts=[2, 3, 4], exact=False)
    assert ij.OrderProfile.load(found.save(tmp_path / "profile.npz")).contexts == (2, 3, 4)


SEVEN = [3] * 7


@pytest.mark.parametrize("contexts", [[3, 3], [*SEVEN, 0], [*SEVEN, True], [*SEVEN, 10**16], [2.5] * 8, "3", [[3] * 8]])
def test_contexts_that_are_not_one_an_order_are_refused(contexts):
    with pytest.raises(ValueError, match="contexts must be an integer of at least 1"):
        ij.order_profile(jax.random.key(0), GAME, contexts=contexts, exact=False)


@pytest.mark.filterwarnings("ignore:at orders .* few contexts may hold")
@pytest.mark.parametrize(
    ("inputs", "passes", "more"),
    [
        (1, 2_500, {}),
        (1, 6_000, {"method": "quadruples", "orders": [2, 3, 4]}),
        (3, 9_000, {}),
        (2, 12_000, {"n_pairs": 12}),
        (2, 9_000, {"n_pairs": 6, "method": "quadruples"}),
    ],
)
def test_a_budget_of_passes_is_used(inputs, passes, more):
    found = ij.order_profile(jax.random.key(2), [GAME] * inputs, n_forwards=passes, **more, exact=False)
    assert 0.72 * passes < found.n_forwards < 1.12 * passes
    lower, upper = found.interval(0.9999)
    truth = EXACT[found.orders] / EXACT[found.orders].mean()
    assert np.all((lower - 1e-6 <= truth) & (truth <= upper + 1e-6))


def test_a_budget_for_few_passes_draws_pairs():
    game = ij.Game.from_function(lambda s: (s @ jnp.linspace(-1.0, 2.0, 24)) ** 2 / 24, 24)
    found = ij.order_profile(jax.random.key(2), game, n_forwards=9_000, exact=False)
    assert 12 <= found.pairs_by_input[0] < 276
    assert found.n_forwards < 10_000


VALUES = np.random.default_rng(5).normal(size=2**N).cumsum() / 10
NOISY = ij.Game.from_table(VALUES)
NOISY_STRENGTH = np.abs(ij.exact_order_interactions(VALUES)[:, *np.triu_indices(N, 1)]).mean(axis=1)


@pytest.mark.parametrize(("method", "passes"), [("blocks", 1_740), ("blocks", 4_200), ("quadruples", 8_000)])
def test_no_order_is_taken_for_exact_that_is_not(method, passes):
    """Budgets that pay for contexts which, drawn at once, would be evaluated whole."""
    held = []
    for seed in range(25):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = ij.order_profile(
                jax.random.key(seed), NOISY, orders=[0, 2, 4, 7], n_forwards=passes, method=method, exact=False
            )
        assert found.n_forwards <= 1.1 * passes
        off = np.abs(found.magnitude - NOISY_STRENGTH[found.orders])
        assert np.all((found.magnitude_stderr > 1e-5) | (off < 1e-4))
        truth = NOISY_STRENGTH[found.orders] / NOISY_STRENGTH[found.orders].mean()
        lower, upper = found.interval()
        held.append((lower <= truth + 1e-5) & (truth - 1e-5 <= upper))
    assert np.mean(held) > 0.88


@pytest.mark.filterwarnings("ignore:at orders .* the strength rests on fewer")
def test_clusters_that_agree_by_chance_are_not_drawn():
    for seed in range(60):
        found = ij.order_profile(jax.random.key(seed), NOISY, n_pairs=2, contexts=40, orders=[1, 2], exact=False)
        assert found.stderr.max() > 1e-5


def test_players_that_change_nothing_do_not_let_a_budget_be_overrun():
    x = np.array([1.0, 0, 0, 2.0, 3.0, -1.0, 0.5, 0, 1.5], np.float32)
    weights = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
    games = ij.masked_games(
        lambda x: jnp.tanh(x @ weights) @ weights.T[:, :2], np.stack([x, 2 * x]), [0, 1], players=ij.Players.features(9)
    )
    for passes in (2_300, 3_000, 3_700, 4_500):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = ij.order_profile(jax.random.key(0), games, n_forwards=passes, exact=False)
        assert found.n_forwards <= 1.1 * passes
        assert np.all(found.contexts_drawn <= 35 + 1e-9)


def test_a_budget_that_pays_for_all_contexts_gives_the_exact_profile():
    found = ij.order_profile(jax.random.key(2), GAME, n_forwards=1e6, exact=False)
    np.testing.assert_allclose(found.strength, EXACT / EXACT.mean(), rtol=1e-4)
    assert found.n_forwards < 60 * 2**N


def test_a_budget_for_nothing_is_refused():
    with pytest.raises(ValueError, match="n_forwards must be at least"):
        ij.order_profile(jax.random.key(0), GAME, n_forwards=50, exact=False)
    with pytest.raises(ValueError, match="n_forwards must be None with target_stderr"):
        ij.order_profile(jax.random.key(0), GAME, n_forwards=5_000, target_stderr=0.1, exact=False)


@pytest.mark.parametrize("how", [{"n_forwards": 3_000}, {"contexts": 4, "target_stderr": 0.1, "max_forwards": 12_000}])
def test_a_run_that_was_stopped_in_its_second_round_goes_on(tmp_path, how):
    whole = ij.order_profile(jax.random.key(5), GAME, **how, exact=False)
    first = []

    def stop(made, expected):
        first.append(made)
        if made > 0.7 * whole.n_forwards:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ij.order_profile(jax.random.key(5), GAME, folder=tmp_path, progress=stop, **how, exact=False)
    found = ij.order_profile(jax.random.key(5), GAME, folder=tmp_path, **how, exact=False)
    again = ij.order_profile(
        jax.random.key(5), GAME, folder=tmp_path, progress=lambda made, expected: None, **how, exact=False
    )
    for one in (found, again):
        np.testing.assert_array_equal(one.strength, whole.strength)
        np.testing.assert_array_equal(one.stderr, whole.stderr)
        assert one.n_forwards == whole.n_forwards


def test_the_order_with_the_largest_error_gets_most():
    """Only an interaction of four players beside many small ones: its noise is at the middle orders."""
    noisy = ij.Game.from_function(lambda s: 4.0 * s[0] * s[1] * s[2] * s[3] + (s @ jnp.arange(10.0)) ** 2 / 50, 10)
    found = ij.order_profile(
        jax.random.key(0), noisy, orders=[2, 3, 4, 5, 6], contexts=6, target_stderr=0.05, exact=False
    )
    drawn = found.contexts_drawn
    once = ij.order_profile(jax.random.key(0), noisy, orders=[2, 3, 4, 5, 6], contexts=6, exact=False)
    assert np.argmax(drawn) == np.argmax(once.stderr) or drawn[np.argmax(once.stderr)] > np.median(drawn)


def test_few_contexts_of_one_order_leave_few_degrees_of_freedom():
    """Groups that hold no context of an order tell nothing of its error."""
    found = ij.order_profile(jax.random.key(4), GAME, orders=[3, 4], contexts=[2, 30], method="quadruples", exact=False)
    assert found.freedom[0] <= 1.5
