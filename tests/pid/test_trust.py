"""What says how far a result of `interjax.pid` can be trusted, against closed forms, counting and known truths."""

import collections

import jax
import numpy as np
import pytest
from support import pid_reference as reference

import interjax as ij
from interjax.pid import _trust
from interjax.pid._realisations import realisations_of

KEY = jax.random.key(0)


def invariants(sources, target, weights=None, key=KEY):
    """The quickest result that carries all that is said of I."""
    return ij.pid.shannon_invariants(sources, target, weights, key=key, resamples=0)


def independent(count, n_sources, levels, classes, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, levels, (count, n_sources)), random.integers(0, classes, count)


def copies(count, n_sources=3, levels=4, errors=0.2, seed=0):
    """Each source is the target, or with probability `errors` any symbol."""
    random = np.random.default_rng(seed)
    target = random.integers(0, levels, count)
    wrong = random.random((count, n_sources)) < errors
    return np.where(wrong, random.integers(0, levels, (count, n_sources)), target[:, None]), target


def information_of_copies(n_sources=3, levels=4, errors=0.2):
    """The true I of `copies` in bits, summed over all realisations."""
    channel = (1 - errors) * np.eye(levels) + errors / levels
    joint = np.stack([one_target(channel[label], n_sources) for label in range(levels)]) / levels
    source = joint.sum(axis=0)
    return float(np.sum(joint * np.log2(joint * levels / source)))


def one_target(row, n_sources):
    found = row
    for _ in range(n_sources - 1):
        found = np.multiply.outer(found, row).ravel()
    return found


# Verdicts


@pytest.mark.parametrize("shape", [(2_000, 2, 3, 3), (2_000, 4, 8, 10)])
def test_independent_data_are_told_by_shuffled_targets(shape):
    """Once with 27 cells, once with far more cells than samples."""
    found = invariants(*independent(*shape))
    assert not found.reliable
    assert "shuffled target" in found.reason


def test_independent_data_are_hardly_ever_reliable():
    assert not any(invariants(*independent(500, 2, 3, 3, seed)).reliable for seed in range(40))


def test_too_few_samples_are_told_by_coverage():
    sources, target = copies(150, n_sources=4)
    found = ij.pid.representational_complexity(sources, target, key=KEY)
    seen = collections.Counter(map(tuple, np.column_stack([sources, target])))
    once = sum(count == 1 for count in seen.values())
    assert not found.reliable
    assert f"{once / 150:.0%} of them are the only one of their realisation" in found.reason
    assert found.coverage == pytest.approx(1 - once / 150, abs=1e-12)
    assert (found.n_samples, found.n_realisations) == (150, len(seen))


def test_enough_informative_samples_are_reliable():
    found = ij.pid.representational_complexity(*copies(20_000), key=KEY)
    assert found.reliable
    assert found.is_defined
    assert f"{found.coverage:.1%}" in found.reason


def test_little_information_is_told_by_its_bias():
    """Well covered and far above the null, and yet too large by the null's 0.07 bit."""
    random = np.random.default_rng(0)
    sources, target = independent(6_000, 2, 8, 10)
    copied = random.random(6_000) < 0.2
    found = invariants(sources, np.where(copied, sources[:, 0], target))
    assert found.coverage > 0.9
    assert not found.reliable
    assert found.reason.startswith("I may be wrong by")


@pytest.mark.parametrize("share", [0.2, np.nan])
def test_a_biased_complexity_is_unreliable(share):
    samples = realisations_of(*copies(20_000))
    fields = _trust.trust_in(samples, invariants(*copies(20_000)).information, KEY, share)
    assert not fields["reliable"]
    assert fields["reason"].startswith("C ")
    assert _trust.trust_in(samples, invariants(*copies(20_000)).information, KEY, 0.001)["reliable"]


def test_a_constant_target():
    found = ij.pid.representational_complexity(copies(300)[0], np.zeros(300, int), key=KEY)
    assert not found.reliable
    assert not found.is_defined
    assert np.isnan(found.value)
    assert "the target is constant" in found.reason
    assert found.information == 0


def test_constant_sources():
    found = ij.pid.representational_complexity(np.zeros((300, 2), int), np.arange(300) % 3, key=KEY)
    assert (found.reliable, found.is_defined) == (False, False)
    assert "share no information" in found.reason


# Known distributions


def test_nothing_is_sampled_of_a_known_distribution():
    rows = np.array(list(np.ndindex(2, 2)))
    found = ij.pid.representational_complexity(rows, rows[:, 0] & rows[:, 1], np.full(4, 0.25), key=KEY)
    moot = ("n_samples", "coverage", "null_information", "corrected_information", "information_stderr")
    moot += ("stderr", "corrected", "null_complexity")
    assert [getattr(found, name) for name in moot] == [None] * len(moot)
    assert found.reliable
    assert "known" in found.reason
    assert found.n_realisations == 4


@pytest.mark.parametrize("target", [[0, 0, 0, 0, 0, 0, 0, 0], [0, 1] * 4])
def test_a_known_distribution_without_information(target):
    """A constant target, and one that does not depend on the sources."""
    rows = np.repeat(np.array(list(np.ndindex(2, 2))), 2, axis=0)
    found = ij.pid.representational_complexity(rows, target, np.full(8, 0.125))
    assert (found.reliable, found.is_defined) == (False, False)
    assert np.isnan(found.value)


# Shuffled targets


@pytest.mark.parametrize(("levels", "classes"), [(2, 2), (4, 10), (8, 4)])
def test_null_has_the_mean_of_independent_variables(levels, classes):
    """(R_s - 1)(R_t - 1) / (2 N ln 2) bits (Miller 1955), whatever the target shares with the sources."""
    count = 20_000
    sources, _ = independent(count, 2, levels, classes)
    target = sources @ [levels, 1] % classes
    found = [invariants(sources, target, key=jax.random.key(seed)) for seed in range(8)]
    freedom = (levels**2 - 1) * (classes - 1)
    null = np.concatenate([one.null_information for one in found])
    expected, error = freedom / (2 * count * np.log(2)), np.sqrt(2 / freedom / len(null))  # of a chi-square
    assert null.mean() == pytest.approx(expected, rel=4 * error + 0.02)


def test_shuffled_targets_are_the_same_symbols_in_other_order():
    samples = realisations_of(*copies(500))
    first, second = (samples.labels[order] for order in _trust.orders(samples, KEY, 2))
    for one in (first, second):
        np.testing.assert_array_equal(np.sort(one), np.sort(samples.labels))
    assert np.mean(first == second) < 0.5


def test_tables_too_large_to_count_in_do_not_matter(monkeypatch):
    expected = invariants(*copies(400))
    monkeypatch.setattr(_trust, "_MOST_CELLS", 0)
    found = invariants(*copies(400))
    np.testing.assert_allclose(found.null_information, expected.null_information, rtol=0, atol=1e-12)
    assert found.corrected_information == pytest.approx(expected.corrected_information, abs=1e-12)


# Halves of the samples


@pytest.mark.parametrize("count", [60, 61])
def test_halves_hold_each_sample_once(count):
    """Realisations of both halves, counted together, are those of all samples."""
    samples = realisations_of(*copies(count))
    whole = collections.Counter(symbols_of(samples))
    pairs = [_trust.halves_of(samples, order) for order in _trust.orders(samples, KEY, 3)]
    for first, second in pairs:
        assert (first.n_samples, second.n_samples) == (count // 2, count - count // 2)
        assert collections.Counter(symbols_of(first)) + collections.Counter(symbols_of(second)) == whole
    assert len({tuple(sorted(symbols_of(first))) for first, _ in pairs}) == 3


def symbols_of(samples):
    """Codes of sources and target of each sample."""
    return [(*source, label) for source, label in zip(samples.sources[samples.rows], samples.labels, strict=True)]


def test_a_bias_that_falls_as_one_over_samples_is_taken_off():
    value, bias = np.array([2.0, 3.0]), np.array([0.5, -0.25])
    corrected, stderr = _trust.extrapolated(value + bias, np.tile(value + 2 * bias, (4, 2, 1)))
    np.testing.assert_allclose(corrected, value, atol=1e-15)
    np.testing.assert_allclose(stderr, 0, atol=1e-15)


def test_standard_error_of_a_mean_from_halves():
    """Of a mean it is known: deviation / sqrt(samples)."""
    values = np.random.default_rng(0).normal(size=400)
    random = np.random.default_rng(1)
    halves = np.array([random.permutation(values).reshape(2, -1).mean(axis=1) for _ in range(500)])
    corrected, stderr = _trust.extrapolated(values.mean(), halves)
    assert corrected == pytest.approx(values.mean(), abs=1e-12)
    assert stderr == pytest.approx(values.std() / np.sqrt(400), rel=0.15)


@pytest.mark.parametrize(("count", "errors"), [(400, 0.2), (1_500, 0.5)])
def test_standard_error_of_information_is_the_scatter_of_fresh_samples(count, errors):
    """Within a factor of 1.35, on average over eight draws; one of them rests on ten pairs of halves."""
    draws = [copies(count, errors=errors, seed=seed) for seed in range(150)]
    scatter = np.std([reference.mutual_information(*one) for one in draws])
    found = np.mean([invariants(*one).information_stderr for one in draws[:8]])
    assert scatter / 1.35 < found < scatter * 1.35


@pytest.mark.parametrize(("count", "share"), [(1_000, 0.8), (4_000, 0.6)])
def test_corrected_information_is_nearer_to_the_truth(count, share):
    """On average over draws, and the more so the closer the bias is to 1 / samples; 256 cells, many of them rare."""
    truth = information_of_copies()
    found = [invariants(*copies(count, seed=seed)) for seed in range(20)]
    plug_in = np.array([one.information for one in found]) - truth
    corrected = np.array([one.corrected_information for one in found]) - truth
    assert plug_in.mean() > 2 * plug_in.std() / np.sqrt(20)
    assert np.abs(corrected).mean() < share * np.abs(plug_in).mean()


def test_corrected_information_is_grassbergers():
    """His G by its recursion, G(1) = -gamma - ln 2, G(2) = G(1) + 2, G(2k+1) = G(2k), G(2k+2) = G(2k) + 2 / (2k+1)."""
    samples = copies(300)
    found = invariants(*samples)
    g = {1: -np.euler_gamma - np.log(2)}
    g[2] = g[1] + 2
    for n in range(3, 301):
        g[n] = g[n - 1] if n % 2 else g[n - 2] + 2 / (n - 1)

    def entropy(*columns):
        _, counts = np.unique(np.column_stack(columns), axis=0, return_counts=True)
        return (np.log(300) - sum(n * g[n] for n in counts.tolist()) / 300) / np.log(2)

    expected = entropy(samples[0]) + entropy(samples[1]) - entropy(*samples)
    assert found.corrected_information == pytest.approx(expected, abs=1e-12)


def test_more_shuffles_of_complexity_leave_what_is_said_of_information():
    few, many = (ij.pid.representational_complexity(*copies(300), key=KEY, resamples=count) for count in (2, 4))
    np.testing.assert_array_equal(few.null_information, many.null_information)
    np.testing.assert_array_equal(few.null_complexity, many.null_complexity[:1])
    assert few.corrected_information == many.corrected_information


def test_same_key_same_halves():
    first, second, other = (invariants(*copies(300), key=jax.random.key(seed)) for seed in (1, 1, 2))
    for name in ("information_stderr", "null_information", "reason"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.information_stderr != other.information_stderr
    assert not np.array_equal(first.null_information, other.null_information)


# Bad input


@pytest.mark.parametrize("resamples", [-2, 3, 2.5])
def test_resamples_come_in_pairs(resamples):
    with pytest.raises(ValueError, match=r"resamples must be an even number.*got"):
        ij.pid.representational_complexity(*copies(50), resamples=resamples)


@pytest.mark.parametrize("key", [0, np.zeros(2, np.uint32)])
def test_keys_are_typed(key):
    with pytest.raises(ValueError, match=r"jax\.random\.key"):
        invariants(*copies(50), key=key)
