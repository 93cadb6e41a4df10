"""Two profiles compared: exact where both are, honest about the error, paired where the inputs are the same."""

import dataclasses
import warnings

import jax
import numpy as np
import pytest

import interjax as ij
from interjax.profiles._left_out import of_one

KEY = jax.random.key(0)
N = 5
MASKS = (np.arange(2**N)[:, None] >> np.arange(N) & 1).astype(float)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(60, N)) * np.exp(0.3 * RANDOM.normal(size=(60, 1)))
FIRST = RANDOM.normal(size=(N, 8)), RANDOM.normal(size=8)
CHANGE = RANDOM.normal(size=(N, 8)), RANDOM.normal(size=8)
NETWORKS = (FIRST, tuple(one + 0.15 * other for one, other in zip(FIRST, CHANGE, strict=True)))


def tables(network):
    weights, last = network
    return [np.maximum((MASKS * x) @ weights, 0) @ last for x in X]


TABLES = tuple(map(tables, NETWORKS))


def known(each, kind):
    power = 1 if kind == "mean" else 2
    exact = np.stack([ij.exact_order_interactions(table)[:, *np.triu_indices(N, 1)] for table in each])
    magnitude = np.mean(np.abs(exact) ** power, axis=(0, 2)) ** (1 / power)
    return magnitude / magnitude.mean()


def profiles(rows, seed=0, **options):
    """Of both networks, on the same inputs."""
    games = [[ij.Game.from_table(each[row]) for row in rows] for each in TABLES]
    return [ij.order_profile(jax.random.key(seed), each, **({"contexts": 4} | options), exact=False) for each in games]


@pytest.fixture(scope="module")
def pair():
    return profiles(range(8))


def masked(rows, scale=1.0, **options):
    weights = RANDOM.normal(size=(N, 3)).astype(np.float32) * scale
    games = ij.masked_games(
        lambda x: np.tanh(1.0) * x**2 @ weights + (x @ weights) ** 2, X[rows].astype(np.float32), [0] * len(rows),
        players=ij.Players.features(N),
    )  # fmt: skip
    return ij.order_profile(KEY, games, **({"contexts": 3, "orders": [0, 2]} | options), exact=False)


def test_exact_profiles_have_exact_differences():
    top, flat = (
        ij.order_profile(KEY, ij.Game.from_function(function, 4), exact=False)
        for function in (lambda s: (s.sum() == 4) * 1.0, lambda s: 2.0 * s[0] * s[1])
    )
    found = ij.compare_profiles(top, flat)
    np.testing.assert_allclose(found.difference, [-1, -1, 2], atol=1e-6)
    np.testing.assert_allclose(found.magnitude_difference, [-1 / 3, -1 / 3, 2 / 3], atol=1e-6)
    assert found.stderr.max() < 1e-5
    assert found.inputs == (1, 1)
    assert not found.paired


@pytest.mark.parametrize("kind", ["mean", "rms"])
def test_the_spread_over_inputs_is_that_of_the_profile(kind):
    """Without rounding, and where no order is left without variation, the profile's error is its spread alone."""
    for one in profiles(range(9), kind=kind):
        spread = of_one(one.by_input, kind)
        np.testing.assert_allclose(np.sqrt(spread.variance), one.stderr, rtol=1e-6)
        np.testing.assert_allclose(np.sqrt(spread.magnitude_variance), one.magnitude_stderr, rtol=1e-6)


@pytest.mark.long
def test_paired_intervals_hold_the_difference_and_are_narrower():
    truth = known(TABLES[0], "mean") - known(TABLES[1], "mean")
    held, widths = [], []
    for seed in range(40):
        a, b = profiles(np.random.default_rng(seed).choice(len(X), 6), seed)
        found = [ij.compare_profiles(a, b, paired=paired) for paired in (True, False)]
        lower, upper = found[0].interval()
        held.append((lower <= truth) & (truth <= upper))
        widths.append([one.stderr for one in found])
        np.testing.assert_array_equal(found[0].difference, a.strength - b.strength)
    assert np.mean(held) >= 0.9
    paired, unpaired = np.median(widths, axis=0)
    assert np.mean(paired / unpaired) < 0.8


def test_errors_beside_the_spread_are_not_lost(pair):
    """Of rounding, or of what may have been missed."""
    a, b = pair
    more = dataclasses.replace(a, stderr=np.hypot(a.stderr, 0.3), magnitude_stderr=np.hypot(a.magnitude_stderr, 0.2))
    plain, found = (ij.compare_profiles(one, b, paired=True) for one in (a, more))
    np.testing.assert_allclose(found.stderr, np.hypot(plain.stderr, 0.3))
    np.testing.assert_allclose(found.magnitude_stderr, np.hypot(plain.magnitude_stderr, 0.2))
    assert np.all(found.freedom > plain.freedom)


def test_unpaired_errors_add_up_with_welchs_freedom(pair):
    a, b = pair
    found = ij.compare_profiles(a, b, paired=False)
    np.testing.assert_allclose(found.stderr, np.hypot(a.stderr, b.stderr))
    welch = (a.stderr**2 + b.stderr**2) ** 2 / (a.stderr**4 / a.freedom + b.stderr**4 / b.freedom)
    np.testing.assert_allclose(found.freedom, welch)
    back = ij.compare_profiles(b, a, paired=False)
    np.testing.assert_allclose(back.difference, -found.difference)
    low, high = found.interval(0.9)
    wide_low, wide_high = found.interval(0.9, simultaneous=True)
    assert np.all(wide_high - wide_low > high - low)
    wide = found.interval(1 - 0.1 / len(found.orders))
    np.testing.assert_allclose((wide_low, wide_high), wide)


def test_inputs_are_known_again():
    a, b, turned = masked([0, 1, 2]), masked([0, 1, 2]), masked([2, 0, 1])
    found = ij.compare_profiles(a, b)
    assert found.paired
    again = ij.compare_profiles(a, dataclasses.replace(b, inputs=b.inputs[[1, 2, 0]], by_input=b.by_input[[1, 2, 0]]))
    np.testing.assert_allclose(again.stderr, found.stderr)
    assert ij.compare_profiles(a, turned).paired
    assert not ij.compare_profiles(a, b, paired=False).paired
    other = masked([3, 4, 5])
    assert not ij.compare_profiles(a, other).paired
    assert ij.compare_profiles(a, other, paired=True).paired
    with pytest.warns(UserWarning, match="only 1 inputs of a .3. and b .3. are the same"):
        assert not ij.compare_profiles(a, masked([2, 7, 8])).paired


def test_unknown_inputs_are_told(pair):
    with pytest.warns(UserWarning, match="does not hold what inputs"):
        assert not ij.compare_profiles(*pair).paired
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ij.compare_profiles(*pair, paired=True)
        ij.compare_profiles(*pair, paired=False)


def test_older_profiles_are_compared(pair):
    old = [dataclasses.replace(one, freedom=None, inputs=None, population=None) for one in pair]
    found = ij.compare_profiles(*old, paired=False)
    assert np.isinf(found.freedom).all()
    np.testing.assert_allclose(found.stderr, ij.compare_profiles(*pair, paired=False).stderr)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"kind": "rms"}, "kind"),
        ({"correction": "none"}, "correction"),
        ({"orders": [0, 2]}, "orders"),
        ({"pairs": [(0, 1), (1, 2)]}, "pairs"),
    ],
)
def test_profiles_measured_otherwise_are_refused(pair, changed, word):
    other = profiles([0, 1], **changed)[1]
    with pytest.raises(ValueError, match=f"profiles of the same {word}"):
        ij.compare_profiles(pair[0], other)


def test_doubtful_comparisons_are_told(pair):
    few, many = (profiles(range(8), contexts=contexts, method="quadruples") for contexts in (2, 4))
    with pytest.warns(UserWarning, match="different contexts"):
        ij.compare_profiles(few[0], many[1], paired=True)
    with pytest.warns(UserWarning, match="one profile is of one input"):
        ij.compare_profiles(pair[0], profiles([0])[1])
    with pytest.raises(ValueError, match="paired must be None or False"):
        ij.compare_profiles(pair[0], profiles(range(3))[1], paired=True)


def test_an_undefined_profile_leaves_the_difference_undefined(pair):
    nan = np.full(len(pair[0].orders), np.nan)
    found = ij.compare_profiles(pair[0], dataclasses.replace(pair[1], strength=nan, stderr=nan), paired=True)
    assert np.isnan(found.difference).all()
    assert np.isnan(found.stderr).all()
    assert np.isfinite(found.magnitude_stderr).all()


def test_comparisons_are_kept_and_shown(pair, tmp_path):
    found = ij.compare_profiles(*pair, paired=True)
    again = ij.ProfileComparison.load(found.save(tmp_path / "found.npz"))
    assert jax.tree.structure(again) == jax.tree.structure(found)
    for one, other in zip(jax.tree.leaves(again), jax.tree.leaves(found), strict=True):
        np.testing.assert_array_equal(one, other)
    head, *lines = found.table().splitlines()
    assert head.split() == ["order", "m", "J", "of", "a", "J", "of", "b", "a", "-", "b", "stderr", "|I|", "a", "-", "b", "stderr"]  # fmt: skip # noqa: E501
    assert [int(line.split()[0]) for line in lines] == found.orders.tolist()
    assert float(lines[0].split()[3]) == pytest.approx(found.difference[0], abs=5e-4)
