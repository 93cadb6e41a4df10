"""Drawn pairs of which a few hold the strength: told, since an interval cannot know of those that were not drawn."""

import itertools
import warnings

import jax
import numpy as np
import pytest

import interjax as ij

FEW = "the strength rests on fewer than 5 of the drawn pairs"
ALIKE = ij.Game.from_function(lambda coalition: coalition.sum() ** 2.0, 10)  # all pairs interact by 2, at every order


def few_ands(players=12):
    random = np.random.default_rng(0)
    masks = (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(float)
    sets = [random.choice(players, random.integers(2, 5), replace=False) for _ in range(5)]
    return ij.Game.from_table(sum(random.normal() * masks[:, members].prod(axis=1) for members in sets))


@pytest.mark.filterwarnings("ignore:at orders .* the noise of an interaction")
@pytest.mark.parametrize("how", [{"contexts": 5}, {"contexts": 5, "method": "quadruples"}, {"n_forwards": 20_000}])
def test_orders_that_few_pairs_make_up_are_told(how):
    sparse = few_ands()
    for seed in range(4):
        with pytest.warns(UserWarning, match=rf"orders \[0[,\]].*{FEW}"):
            found = ij.order_profile(jax.random.key(seed), sparse, n_pairs=30, **how, exact=False)
        assert np.all(found.effective_pairs[0] < 5)


@pytest.mark.parametrize("method", ["blocks", "quadruples"])
def test_pairs_of_one_strength_count_whole(method):
    found = ij.order_profile(jax.random.key(0), ALIKE, contexts=2, n_pairs=12, method=method, exact=False)
    clusters = 12 if method == "quadruples" else found.effective_pairs.round()  # of which each counts once
    np.testing.assert_allclose(found.effective_pairs, clusters, rtol=1e-5)
    assert np.all(found.effective_pairs >= 5)


def test_the_number_is_that_of_the_strengths():
    """All contexts of separate pairs, so that their strengths are the exact ones of some 3 pairs."""
    table = np.random.default_rng(1).normal(size=2**6)
    exact = np.abs(ij.exact_order_interactions(table))
    with pytest.warns(UserWarning, match=FEW):
        found = ij.order_profile(
            jax.random.key(0),
            ij.Game.from_table(table),
            contexts=20,
            n_pairs=3,
            method="quadruples",
            correction="none",
            exact=False,
        )
    numbers = [of_three.sum() ** 2 / np.sum(of_three**2) for of_three in _triples(exact[0])]
    assert np.abs(np.array(numbers) - found.effective_pairs[0]).min() < 1e-4


def _triples(exact):
    return map(np.array, itertools.combinations(exact[np.triu_indices(len(exact), 1)], 3))


def test_nothing_is_told_where_all_pairs_were_measured():
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=f".*{FEW}")
        warnings.filterwarnings("ignore", message=".*(noise of an interaction|few contexts may hold)")
        found = ij.order_profile(jax.random.key(0), few_ands(), contexts=5, exact=False)
    assert found.effective_pairs is None


def test_a_file_keeps_it(tmp_path):
    found = ij.order_profile(jax.random.key(0), ALIKE, contexts=2, n_pairs=12, exact=False)
    found.save(tmp_path / "profile.npz")
    np.testing.assert_array_equal(ij.OrderProfile.load(tmp_path / "profile.npz").effective_pairs, found.effective_pairs)
