"""Explanations of several networks, the report of stability, and learned baselines."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.linear_programs import highs_joint_optimum

import interjax as ij
from interjax import concepts
from interjax.concepts._explanations._learned_baseline import _gradient

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(("networks", "share"), [(2, 0.0), (2, 0.1), (3, 0.5)])
def test_the_joint_loss_is_the_optimum_of_highs(networks, share):
    tables = RANDOM.normal(size=(networks, 16))
    found = concepts.joint_and_or(tables, share=share, normalize=False)
    optimum = highs_joint_optimum(tables, 0.04, share)
    assert found.loss == pytest.approx(optimum, rel=5e-5)
    assert found.loss - found.gap <= optimum * (1 + 1e-7)
    assert found.gap <= 1e-4 * found.loss


def test_one_network_alone_is_and_or():
    table = RANDOM.normal(size=(1, 32))
    found = concepts.joint_and_or(table, share=0.0, normalize=False)
    assert found.loss == pytest.approx(concepts.and_or(table[0]).loss, rel=1e-6)


def test_two_equal_networks_share_every_concept():
    table = RANDOM.normal(size=16)
    found = concepts.joint_and_or(np.stack([table, 100 * table]))
    np.testing.assert_allclose(found.effects[1], 100 * found.effects[0], atol=1e-4)
    np.testing.assert_array_equal(found.shared(), concepts.salient(found.of(0)))


def test_joint_explanations_share_more_than_separate_ones():
    common = RANDOM.normal(size=32) * (RANDOM.uniform(size=32) < 0.2)
    tables = ij.inverse_moebius(np.stack([common, common]) + 0.15 * RANDOM.normal(size=(2, 32)))
    joint = concepts.joint_and_or(tables, share=0.05)
    alone = concepts.salient(concepts.and_or(tables)).all(axis=0)
    assert joint.shared().sum() > alone.sum()


def test_joint_explanations_rebuild_each_game():
    tables = RANDOM.normal(size=(2, 2, 16))
    found = concepts.joint_and_or(tables)
    for network in range(2):
        left = np.abs(found.of(network).rebuilt() - tables[:, network]).max(axis=-1)
        np.testing.assert_array_less(left, found.noise_bound[:, network] + 1e-9)


@pytest.mark.parametrize(
    ("tables", "options", "message"),
    [
        (np.zeros(16), {}, "several networks"),
        (np.zeros((2, 16)), {"share": -1.0}, r"share must be a number in \[0, inf\), .* got -1"),
        (np.zeros((2, 2**13)), {}, "more than 8192"),
        (np.array([[0.0, np.nan], [0.0, 1.0]]), {}, "NaN or infinite"),
    ],
)
def test_bad_joint_input_is_told(tables, options, message):
    with pytest.raises(ValueError, match=message):
        concepts.joint_and_or(tables, **options)


def test_what_every_optimum_holds_has_frequency_one():
    masks = np.arange(16)[:, None] >> np.arange(4) & 1
    table = 2.0 * masks[:, :2].all(axis=1) + masks[:, 2:].any(axis=1)
    found = concepts.stability(jax.random.key(0), table, noise=0.0, jitters=4)
    assert found.jaccard == 1
    assert found.frequency[0, 0b0011] == found.frequency[1, 0b1100] == 1
    assert found.frequency.sum() == 2


def test_ties_show_as_instability():
    # Parity of three players: many optimal explanations, whose salient sets differ.
    table = np.bitwise_count(np.arange(8)) % 2 * 1.0
    found = concepts.stability(jax.random.key(0), table, noise=0.0, jitters=6)
    assert found.jaccard < 1
    assert ((found.frequency > 0) & (found.frequency < 1)).any()
    np.testing.assert_allclose(found.loss, concepts.and_or(table, noise=0.0).loss, rtol=2 * found.jitter)


def test_stability_of_a_batch_is_that_of_its_games():
    tables = RANDOM.normal(size=(2, 16))
    both = concepts.stability(jax.random.key(1), tables, jitters=3)
    alone = concepts.stability(jax.random.key(1), tables[1], jitters=3)
    assert both.jaccard.shape == (2,)
    assert both.n_salient.shape == (2, 3)
    assert both.jaccard[1] == alone.jaccard
    np.testing.assert_array_equal(both.frequency[1], alone.frequency)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"jitters": 1}, "at least 2"), ({"jitter": 0.5}, "tiny"), ({"tau": 0.0}, "tau"), ({"tau": 1.5}, "tau")],
)
def test_bad_options_of_stability_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        concepts.stability(jax.random.key(0), np.zeros(4), **options)


def network(x):
    hidden = jnp.tanh(x @ jnp.linspace(-1.0, 1.0, 20).reshape(4, 5))
    return jnp.stack([hidden.sum(axis=1) ** 2, hidden[:, 0]], axis=1)


def test_the_gradient_by_the_baseline_is_that_of_the_table():
    x, baseline, slope = jnp.ones((1, 4)), jnp.array([0.1, -0.2, 0.3, 0.0]), RANDOM.normal(size=16)
    players = ij.Players.features(4)

    def weighted(baseline):
        game = ij.masked_game(network, x[0], players=players, baseline=baseline, output=ij.logit(0), fold=False)
        return float(slope @ ij.tabulate(game).astype(float))

    game = ij.masked_game(network, x[0], players=players, baseline=baseline, output=ij.logit(0), fold=False)
    found = _gradient(game, baseline, jnp.asarray(slope, jnp.float32))
    for entry in range(4):
        step = np.eye(4, dtype=np.float32)[entry] * 1e-2
        measured = (weighted(baseline + step) - weighted(baseline - step)) / 2e-2
        assert found[entry] == pytest.approx(measured, rel=0.02, abs=2e-3)


def test_a_learned_baseline_lowers_the_loss_and_stays_in_its_box():
    x, players = np.array([[1.0, -0.5, 0.8, 0.3], [0.2, 0.9, -1.0, 0.5]]), ij.Players.features(4)
    reach = np.array([0.5, 0.0, 0.5, 0.5])
    found = concepts.learn_baseline(
        network, x, [0, 0], players=players, centre=0.1, reach=reach, output=ij.logit, steps=12
    )
    assert found.loss.shape == (13,)
    assert found.loss.min() < 0.95 * found.loss[0]
    assert np.all(np.abs(found.baseline - 0.1) <= reach + 1e-6)
    games = ij.masked_games(network, x, [0, 0], players=players, baseline=found.baseline, output=ij.logit)
    again = concepts.and_or(np.array([ij.tabulate(game) for game in games], float)).loss.mean()
    assert again == pytest.approx(found.loss.min(), rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reach": -1.0}, "at least 0"),
        ({"centre": np.zeros(3)}, "centre must be"),
        ({"centre": np.nan}, "finite"),
        ({"steps": 0}, "steps must be an integer of at least 1"),
        ({"x": np.ones((2, 5))}, "as the players partition"),
    ],
)
def test_bad_options_of_learned_baselines_are_told(options, message):
    chosen = {"x": np.ones((2, 4)), "centre": 0.0, "reach": 1.0, "steps": 2} | options
    with pytest.raises(ValueError, match=message):
        concepts.learn_baseline(network, chosen.pop("x"), [0, 0], players=ij.Players.features(4), **chosen)
