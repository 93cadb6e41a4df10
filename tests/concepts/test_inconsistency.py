"""Inconsistency by size against its closed form, and perturbed inputs that depend on their key and number alone."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from support.explanations import and_or, random_effects

from interjax.concepts._statistics._inconsistency import (
    Inconsistency,
    fit_relative_noise,
    inconsistency,
    theoretical_inconsistency,
)
from interjax.concepts._statistics._perturbations import attacked_inputs, noisy_inputs


def products(factors):
    """Effects prod over i in S of factors[..., i] for every S: (..., 2**n)."""
    table = np.ones((*factors.shape[:-1], 1))
    for player in range(factors.shape[-1]):
        table = np.concatenate([table, table * factors[..., player, None]], axis=-1)
    return table


def noisy_products(relative_noise, draws, inputs, n=5, seed=0):
    return products(1 + relative_noise * np.random.default_rng(seed).normal(size=(draws, inputs, n)))


@pytest.mark.parametrize("relative_noise", [0.1, 0.3])
@pytest.mark.parametrize("given", ["draws", "clean"])
def test_theory_is_met_by_products_of_noisy_factors(relative_noise, given):
    effects = noisy_products(relative_noise, draws=10, inputs=1000)
    clean = np.ones((1000, 32)) if given == "clean" else None
    found = inconsistency(effects, clean=clean)
    theory = theoretical_inconsistency(found.sizes, relative_noise)
    assert (np.abs(found.value - theory) < 4 * found.stderr).all()
    assert (found.stderr < 0.1 * theory).all()
    assert fit_relative_noise(found) == pytest.approx(relative_noise, rel=0.03)


def test_few_draws_are_unbiased_and_their_error_is_right():
    """Two draws of each input: the corrected square keeps the ratio right, and stderr matches the spread."""
    found = [inconsistency(noisy_products(0.4, draws=2, inputs=200, n=3, seed=seed)) for seed in range(60)]
    values = np.array([each.value for each in found])
    theory = theoretical_inconsistency([1, 2, 3], 0.4)
    assert (np.abs(values.mean(axis=0) - theory) < 4 * values.std(axis=0) / np.sqrt(60) + 0.02 * theory).all()
    ratio = np.mean([each.stderr for each in found], axis=0) / values.std(axis=0)
    assert ((ratio > 0.7) & (ratio < 1.4)).all()


def test_the_interval_is_where_fieller_cannot_tell_the_ratio_from_the_truth():
    """Against a scan of ratios: t-tests of mean variance - r * mean squared effect over inputs."""
    random, ratios = np.random.default_rng(0), np.append(0, np.geomspace(1e-3, 1e4, 40000))
    some = []
    for relative_noise in (0.2, 0.5, 0.8, 0.8, 0.8, 1.0, 1.0):
        effects = products(1 + relative_noise * random.normal(size=(3, 5, 2)))
        found = inconsistency(effects)
        mean, variance = effects.mean(axis=0), effects.var(axis=0, ddof=1)
        for place, sets in enumerate(([1, 2], [3])):
            above, below = (each[:, sets].sum(axis=1) for each in (variance, mean**2 - variance / 3))
            lower, upper = (end[place] for end in found.interval(0.9))
            error = stats.sem(below) / below.mean()
            assert found.reliable[place] == (0 < 3 * error < 1)
            if below.sum() <= 0:
                assert np.isnan(lower)
                continue
            differences = above[:, None] - ratios * below[:, None]
            kept = ratios[np.abs(differences.mean(axis=0)) <= stats.t.ppf(0.95, 4) * stats.sem(differences)]
            assert lower == pytest.approx(kept.min(), rel=1e-3, abs=1e-3)
            some.append(np.isinf(upper))
            assert kept.max() == pytest.approx(min(upper, 1e4), rel=1e-3)
    assert set(some) == {True, False}


@pytest.mark.parametrize(
    ("relative_noise", "draws", "inputs", "is_reliable"), [(0.3, 10, 4, (0.9, 1)), (0.8, 3, 10, (0, 0.3))]
)
def test_intervals_of_few_inputs_hold_the_theory(relative_noise, draws, inputs, is_reliable):
    """Value -+ 1.96 stderr holds it in .72 to .89 of cases."""
    found = [inconsistency(noisy_products(relative_noise, draws, inputs, n=3, seed=seed)) for seed in range(400)]
    theory = theoretical_inconsistency([1, 2, 3], relative_noise)
    ends = np.array([each.interval() for each in found])
    known = np.isfinite(ends[:, 0])
    holds = (ends[:, 0] <= theory) & (theory <= ends[:, 1])
    assert ((holds.sum(axis=0) / known.sum(axis=0)) >= 0.92).all()
    assert is_reliable[0] <= np.mean([each.reliable[2] for each in found]) <= is_reliable[1]
    assert found[0].freedom == inputs - 1


def test_a_single_input_and_an_older_file_tell_no_reliability(tmp_path):
    found = inconsistency(noisy_products(0.3, draws=5, inputs=6))
    fields = found.to_arrays()
    older = Inconsistency.from_arrays({k: v for k, v in fields.items() if k not in ("squared_error", "covariance")})
    assert not older.reliable.any()
    expected = stats.t.interval(0.95, 5, found.value, found.stderr)
    np.testing.assert_allclose(older.interval(), np.maximum(expected, 0))
    again = Inconsistency.load(found.save(tmp_path / "found.npz"))
    np.testing.assert_array_equal(again.interval(), found.interval())
    with pytest.warns(UserWarning, match="a single input"):
        alone = inconsistency(noisy_products(0.3, draws=5, inputs=1))
    assert not alone.reliable.any()
    assert np.isnan(alone.interval()).all()


def test_the_fit_weighs_by_the_errors():
    sizes, nothing = np.arange(1, 4), np.zeros(3)
    value = theoretical_inconsistency(sizes, 0.3)
    value[2] *= 4  # of which the error says nothing
    found = Inconsistency(sizes, value, np.array([0.01, 0.01, 100.0]), *[nothing] * 3, 10, 10)
    assert fit_relative_noise(found) == pytest.approx(0.3, rel=1e-4)
    every = [inconsistency(noisy_products(0.8, draws=3, inputs=30, n=4, seed=seed)) for seed in range(150)]
    fits = np.array([fit_relative_noise(each) for each in every])
    equal = [fit_relative_noise(dataclasses.replace(each, stderr=np.zeros(4))) for each in every]
    assert abs(fits.mean() - 0.8) < 0.02
    assert np.std(fits) < 0.6 * np.std(equal)


def test_by_definition():
    draws = and_or(random_effects(3, 4, 8), random_effects(3, 4, 8, seed=1))
    found = inconsistency(draws)
    sizes = np.array([0, 1, 1, 2, 1, 2, 2, 3])
    for m in (1, 2, 3):
        effects = draws.effects[..., sizes == m]
        variance, mean = effects.var(axis=0, ddof=1), effects.mean(axis=0)
        assert found.value[m - 1] == pytest.approx(variance.mean() / (mean**2 - variance / 3).mean())
        assert found.ratio[m - 1] == pytest.approx(np.sqrt(variance).mean() / np.abs(mean).mean())
        assert found.n_effects[m - 1] == 4 * 2 * np.sum(sizes == m)


def test_a_shift_shows_only_against_the_clean_effects():
    draws, clean = np.full((4, 2, 4), 1.5), np.ones((2, 4))
    assert inconsistency(draws).value.tolist() == [0, 0]
    assert inconsistency(draws, clean=clean).value.tolist() == [0.25, 0.25]
    assert inconsistency(draws[:1], clean=clean).ratio.tolist() == [0.5, 0.5]


def test_only_salient_effects():
    clean = np.array([[0.0, 10, 0.1, 0], [0.0, 0.1, 10, 0]])
    draws = clean + np.array([0, 1.0, 1.0, 1.0])
    found = inconsistency(draws[None], clean=clean, tau=0.05)
    np.testing.assert_allclose(found.value, [0.01, np.nan])
    assert found.n_effects.tolist() == [2, 0]


def test_noise_without_effects_has_no_value():
    """Effects of mean 0: the corrected square is about 0, and where it is not positive the ratio is unknown."""
    effects = np.array([[[0.0, 1, 0, 0]] * 2, [[0.0, -1, 0, 0]] * 2])
    assert np.isnan(inconsistency(effects).value).all()


def test_fit_without_values():
    nothing = np.full(3, np.nan)
    assert np.isnan(fit_relative_noise(Inconsistency(np.arange(1, 4), nothing, nothing, *[nothing] * 3, 2, 2)))


def test_bad_explanations_of_draws():
    with pytest.raises(ValueError, match=r"explanations must be of at least two draws, .* got one alone"):
        inconsistency(np.ones((1, 3, 4)))
    with pytest.raises(ValueError, match="draws, inputs, 2"):
        inconsistency(np.ones((3, 4)))
    with pytest.raises(ValueError, match="clean must hold one explanation for each input"):
        inconsistency(np.ones((2, 3, 4)), clean=np.ones((4, 4)))
    with pytest.raises(ValueError, match=r"relative_noise must be .* a ratio"):
        theoretical_inconsistency([1], -0.1)
    with pytest.warns(UserWarning, match="a single input leaves the standard error unknown"):
        inconsistency(random_effects(3, 1, 4) + 1)


def test_noise_has_its_scale():
    copies = np.asarray(noisy_inputs(jax.random.key(0), np.zeros((40, 3)), scale=np.array([0.0, 1, 2]), draws=200))
    assert copies.shape == (200, 40, 3)
    np.testing.assert_allclose(copies.std(axis=(0, 1)), [0, 1, 2], rtol=0.05)
    np.testing.assert_allclose(copies.mean(axis=(0, 1)), 0, atol=0.1)


def apply(weights, x):
    return jnp.tanh(x @ weights)


def attack(key, x, draws, index=None):
    weights = jnp.array([[1.0, -1.0], [-2.0, 0.5], [0.3, 0.1]])
    how = {"strength": 0.2, "steps": 1, "step_size": 0.05, "draws": draws, "index": index}
    return attacked_inputs(key, (apply, weights), x, np.zeros(len(x), int), **how)


def noise(key, x, draws, index=None):
    return noisy_inputs(key, x, scale=0.2, draws=draws, index=index)


@pytest.mark.parametrize("perturb", [noise, attack])
def test_perturbations_depend_on_key_number_and_draw_alone(perturb):
    key, x = jax.random.key(3), np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    whole = np.asarray(perturb(key, x, 4))
    np.testing.assert_array_equal(perturb(key, x, 2), whole[:2])
    np.testing.assert_allclose(perturb(key, x[2:5], 4, np.arange(2, 5)), whole[:, 2:5], rtol=1e-6)
    assert not np.allclose(perturb(jax.random.key(4), x, 4), whole)
    assert len(np.unique(whole[:, 0], axis=0)) == 4  # each draw is another one


def test_attacks_in_batches_and_within_their_bounds():
    x = np.random.default_rng(0).uniform(size=(5, 4)).astype(np.float32)
    weights = jnp.asarray(np.random.default_rng(1).normal(size=(4, 3)), jnp.float32)
    call = functools.partial(attacked_inputs, jax.random.key(0), (apply, weights), x, np.arange(5) % 3)
    whole = np.asarray(call(strength=0.3, draws=2, bounds=(0.0, 1.0)))
    assert np.abs(whole - x).max() <= 0.3 + 1e-6
    assert 0 <= whole.min() <= whole.max() <= 1
    np.testing.assert_allclose(call(strength=0.3, draws=2, bounds=(0.0, 1.0), batch_size=2), whole, rtol=1e-6)


def test_attacks_raise_the_loss():
    x = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
    weights = np.array([[1.0, -1], [-2, 0.5], [0.3, 0.1]], np.float32)
    attacked = attacked_inputs(jax.random.key(0), (apply, weights), x, np.zeros(8, int), strength=0.2, draws=3)
    before, after = (np.asarray(apply(weights, each)) for each in (x, attacked))
    assert (after[..., 0] - after[..., 1] < before[:, 0] - before[:, 1]).all()


def test_bounds_of_noise():
    copies = noisy_inputs(jax.random.key(0), np.full((2, 3), 0.5), scale=1.0, draws=9, bounds=(0.0, 1.0))
    assert (float(copies.min()), float(copies.max())) == (0, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scale": -1.0}, "scale must be at least 0, .* got -1"),
        ({"draws": 0}, "draws must be an integer of at least 1"),
        ({"x": np.zeros(3)}, "x must be inputs"),
        ({"key": 0}, "must be a random key"),
        ({"index": np.arange(3)}, "index must be integers that number the 2 inputs"),
    ],
)
def test_bad_noise(change, message):
    with pytest.raises(ValueError, match=message):
        noisy_inputs(**{"key": jax.random.key(0), "x": np.zeros((2, 3)), "scale": 0.1, "draws": 2} | change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strength": 0.0}, "strength must be positive, .* got 0"),
        ({"labels": [0]}, "labels must be class indices, integers of shape .2,."),
        ({"labels": [0.0, 1.0]}, "labels must be class indices, integers of shape .2,."),
        ({"steps": 0}, "steps must be an integer of at least 1"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1"),
    ],
)
def test_bad_attacks(change, message):
    given = {"key": jax.random.key(0), "model": lambda x: x, "x": np.zeros((2, 3)), "labels": [0, 1]}
    with pytest.raises(ValueError, match=message):
        attacked_inputs(**given | {"strength": 0.1, "draws": 2} | change)
