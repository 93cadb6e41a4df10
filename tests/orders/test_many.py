"""Many interactions at once: intervals that hold all of them, and how many of those named do not differ from 0."""

import dataclasses
import warnings

import jax
import numpy as np
import pytest
from scipy import stats

import interjax as ij

N = 12
PAIRS = np.array(np.triu_indices(N, 1)).T
RUNS = 100


def table_with_nulls():
    """Products s_i s_j (s_k - s_l): i and j vary with the context, but come out as 0 on average, k and l are null."""
    masks = (np.arange(2**N)[:, None] >> np.arange(N) & 1).astype(float)
    random, table = np.random.default_rng(1), 0.5 * (masks[:, 0] * masks[:, 1])
    for _ in range(8):
        i, j, k, l = random.choice(N, 4, replace=False)  # noqa: E741
        table += masks[:, i] * masks[:, j] * (masks[:, k] - masks[:, l])
    return table


@pytest.fixture(scope="module", params=["blocks", "quadruples"])
def sampled(request):
    """Results of many keys, and the truth."""
    table = table_with_nulls()
    truth = ij.exact_order_interactions(table)[[0, 4, 5]][:, *PAIRS.T]
    game = ij.Game.from_table(table)
    found = [
        ij.order_interactions(
            jax.random.key(seed), game, orders=[0, 4, 5], contexts=12, method=request.param, exact=False
        )
        for seed in range(RUNS)
    ]
    return found, truth


def test_simultaneous_intervals_hold_all_interactions(sampled):
    found, truth = sampled
    for simultaneous, least, most in [(False, 0.0, 0.1), (True, 0.9, 1.0), ("sidak", 0.9, 1.0)]:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "simultaneous intervals of fewer than")
            ends = [one.interval(simultaneous=simultaneous) for one in found]
        all_held = np.mean([np.all((low - 1e-9 <= truth) & (truth <= high + 1e-9)) for low, high in ends])
        assert least <= all_held <= most


def test_of_what_is_named_few_are_none(sampled):
    found, truth = sampled
    none = np.abs(truth) < 1e-9
    assert none[1:].sum() > 40
    shares = []
    for one in found:
        named = one.discoveries(0.2, dependent=False)
        shares.append(np.sum(named & none) / max(named.sum(), 1))
        assert np.all(named >= one.discoveries(0.2, dependent=True))
        np.testing.assert_array_equal(named[0], ~none[0])  # order 0 is exact
    assert 0.01 < np.mean(shares) < 0.2


def test_exact_interactions_are_no_part_of_the_family(sampled):
    one = sampled[0][0]
    assert one.exact[0].all()
    assert not one.exact[1:].any()
    with pytest.warns(UserWarning, match="contexts, here 12"):
        low, high = one.interval(0.9, simultaneous=True)
    least = np.sqrt(np.mean(one.stderr[1:] ** 2, axis=1, keepdims=True))
    reach = stats.t.ppf(1 - 0.1 / (2 * 2 * len(PAIRS)), one.freedom[1:]) * np.maximum(one.stderr[1:], least)
    np.testing.assert_allclose((high - low)[1:], 2 * reach)
    p = one.p_values()
    expected = stats.false_discovery_control(p[1:].ravel(), method="by").reshape(p[1:].shape) <= 0.05
    np.testing.assert_array_equal(one.discoveries(dependent=True)[1:], expected)
    default = one.discoveries(dependent=one.method == "blocks")
    np.testing.assert_array_equal(one.discoveries(), default)


def test_exact_ones_differ_where_they_exceed_rounding(sampled):
    one = sampled[0][0]
    few = dataclasses.replace(
        one,
        mean=np.array([[0.0, 1e-9, 1e-3, np.nan, 0.0, 2.0]]),
        stderr=np.array([[1e-6, 1e-6, 1e-6, 1e-6, 0.0, 0.0]]),
        freedom=np.full((1, 6), np.inf),
        exact=np.ones((1, 6), bool),
    )
    assert few.discoveries().tolist() == [[False, False, True, False, False, True]]
    old = dataclasses.replace(few, stderr=np.zeros((1, 6)), freedom=None, exact=None)
    assert old.discoveries().tolist() == [[False, True, True, False, False, True]]
    assert np.isfinite(old.interval(simultaneous=True)[0][0, :3]).all()


@pytest.mark.parametrize("bad", [{"rate": 1.0}, {"rate": "some"}, {"dependent": "no"}])
def test_bad_rates_are_refused(sampled, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        sampled[0][0].discoveries(**bad)


@pytest.mark.parametrize(("method", "contexts", "is_told"), [("quadruples", 60, True), ("blocks", 60, False)])
def test_few_contexts_of_each_coalition_are_told(method, contexts, is_told):
    """Of an AND of four, all intervals by quadruples of 60 contexts held in .86 of 100 keys, by blocks in .99."""
    game = ij.Game.from_table((np.arange(2**11) & 15) == 15)
    found = ij.order_interactions(jax.random.key(0), game, contexts=contexts, method=method, exact=False)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found.interval(simultaneous=True)
    assert bool(told) == is_told
