"""Layers too large for the exact complexity: random subsets of sources, and groups of sources, against definitions."""

import collections
import itertools
import math

import jax
import numpy as np
import pytest
from support import pid_reference as reference

import interjax as ij
from interjax.pid import _subsets

EXACT = {"rtol": 0, "atol": 1e-12}
KEY = jax.random.key(0)
N_SAMPLES = 40
PAIRS, MIXED = ((0, 1), (2, 3)), ((3, 0), (1,), (2,))


def random_samples(n_sources, seed=0, levels=2):
    random = np.random.default_rng(seed)
    sources = random.integers(0, levels, (N_SAMPLES, n_sources))
    return sources, (sources[:, 0] + sources[:, -1] * random.integers(0, 2, N_SAMPLES)) % levels


def noisy_copies(n_sources, count=2000):
    random = np.random.default_rng(0)
    target = np.arange(count) % 2
    return (target[:, None] + (random.random((count, n_sources)) < 0.1)) % 2, target


# Subsets


def test_each_subset_has_the_complexity_of_its_definition():
    sources, target = random_samples(6, levels=3)
    found = ij.pid.subset_complexity(KEY, sources, target, size=3, count=4)
    expected = [reference.decompose(sources[:, subset], target) for subset in found.subsets]
    np.testing.assert_allclose(found.complexities, [one.complexity for one in expected], **EXACT)
    np.testing.assert_allclose(found.informations, [one.information for one in expected], **EXACT)
    np.testing.assert_allclose(found.by_degree, [one.by_degree for one in expected], **EXACT)
    assert found.value == pytest.approx(np.mean([one.complexity for one in expected]))
    assert (found.n_possible, found.n_samples, found.n_defined) == (20, N_SAMPLES, 4)
    assert found.n_realisations.tolist() == [len(one.realisations) for one in expected]


def test_subsets_differ_and_are_in_order():
    subsets = ij.pid.subset_complexity(KEY, *random_samples(9), size=2, count=7).subsets
    assert subsets.shape == (7, 2)
    assert sorted(set(map(tuple, subsets.tolist()))) == list(map(tuple, subsets.tolist()))
    assert np.all(subsets[:, 0] < subsets[:, 1])
    assert subsets.min() >= 0
    assert subsets.max() < 9


def test_all_subsets_are_taken_where_there_are_no_more():
    sources, target = random_samples(4)
    found = ij.pid.subset_complexity(KEY, sources, target, size=3, count=26)
    assert found.subsets.tolist() == [list(chosen) for chosen in itertools.combinations(range(4), 3)]
    assert found.stderr == 0
    assert found.interval() == (found.value, found.value)
    assert found.value == pytest.approx(np.mean(found.complexities))


def test_the_key_decides():
    sources, target = random_samples(9)
    one, same, other = (
        ij.pid.subset_complexity(key, sources, target, size=2, count=3) for key in (KEY, KEY, jax.random.key(1))
    )
    np.testing.assert_array_equal(one.subsets, same.subsets)
    np.testing.assert_array_equal(one.null_informations, same.null_informations)
    assert one.value == same.value
    assert one.subsets.tolist() != other.subsets.tolist()


@pytest.mark.parametrize("most_listed", [100_000, 0])
def test_all_subsets_are_equally_likely(monkeypatch, most_listed):
    """Of 10 subsets 5 are drawn 80 times: each 40 times, with a standard deviation of 4.5."""
    monkeypatch.setattr(_subsets, "_MOST_LISTED", most_listed)
    keys = [jax.random.key(seed) for seed in range(80)]
    drawn = collections.Counter(tuple(row) for key in keys for row in _subsets._drawn(key, 5, 2, 5).tolist())
    assert len(drawn) == 10
    assert sum(drawn.values()) == 400
    assert all(abs(number - 40) < 22 for number in drawn.values())


def test_subsets_of_a_layer_with_more_of_them_than_64_bits_count():
    drawn = _subsets._drawn(KEY, 10_000, 6, 5)
    assert drawn.shape == (5, 6)
    assert math.comb(10_000, 6) > 2**64
    assert np.all(np.diff(drawn, axis=1) > 0)


def test_stderr_is_that_of_samples_from_a_finite_population():
    """Over all samples of 3 of 7 values: the mean of stderr^2 is the variance of the mean."""
    population = np.array([1.0, 1.2, 1.5, 2.0, 2.1, 3.0, 1.1])
    samples = [population[list(chosen)] for chosen in itertools.combinations(range(7), 3)]
    squared = np.mean([_subsets._standard_error(one, 3, 7) ** 2 for one in samples])
    assert squared == pytest.approx(np.var([one.mean() for one in samples]))


def test_interval_is_students():
    """t = 4.302653 for 95% and two degrees of freedom."""
    found = ij.pid.subset_complexity(KEY, *random_samples(5), size=2, count=3)
    lower, upper = found.interval(0.95)
    assert found.freedom == 2
    assert upper - found.value == pytest.approx(4.302653 * found.stderr, rel=1e-6)
    assert found.value - lower == pytest.approx(4.302653 * found.stderr, rel=1e-6)
    with pytest.raises(ValueError, match="level must be a number in \\(0, 1\\)"):
        found.interval(1.0)


def test_subsets_without_information_are_left_out_of_the_mean_and_told():
    """Of three sources two are constant: one of three pairs has no information."""
    target = np.arange(N_SAMPLES) % 2
    sources = np.column_stack([target, np.zeros_like(target), np.zeros_like(target)])
    found = ij.pid.subset_complexity(KEY, sources, target, size=2, count=3)
    np.testing.assert_allclose(found.complexities, [1, 1, np.nan], **EXACT)
    assert (found.value, found.n_defined, found.reliable) == (pytest.approx(1), 2, False)
    assert found.share_reliable == pytest.approx(2 / 3)
    assert found.reason.startswith("1 of 3 subsets are unreliable, 1 of them")
    assert "no information" in found.reason


def test_no_information_at_all_leaves_the_mean_undefined():
    found = ij.pid.subset_complexity(KEY, random_samples(4)[0], [1] * N_SAMPLES, size=2, count=3)
    assert np.isnan([found.value, found.stderr, *found.interval()]).all()
    assert (found.n_defined, found.reliable) == (0, False)
    assert "constant" in found.reason


def test_independent_sources_are_unreliable_in_every_subset():
    random = np.random.default_rng(0)
    found = ij.pid.subset_complexity(KEY, random.integers(0, 8, (300, 6)), random.integers(0, 5, 300), size=3, count=3)
    assert found.share_reliable == 0
    assert found.reason.startswith("3 of 3 subsets are unreliable, 3 of them")


def test_reliable_subsets_say_so():
    found = ij.pid.subset_complexity(KEY, *noisy_copies(8), size=3, count=3)
    assert found.reliable
    assert found.reason.startswith("all 3 subsets are reliable")
    assert found.null_informations.max() < 0.02 < found.corrected_informations.min()
    assert found.coverages.min() > 0.9


def test_resampling_gives_errors_of_each_complexity():
    found = ij.pid.subset_complexity(KEY, *noisy_copies(8), size=2, count=3, resamples=4)
    assert found.complexity_stderrs.shape == found.corrected_complexities.shape == (3,)
    assert found.null_complexities.shape == (3, 2)
    np.testing.assert_allclose(found.corrected_complexities, found.complexities, atol=0.1)


def test_subsets_of_a_known_distribution_with_impossible_rows():
    """The parity of four bits: only all four hold information. Copies of the parity hold all of it."""
    bits = np.array(list(np.ndindex(2, 2, 2, 2)))
    parity = bits.sum(axis=1) % 2
    sources = np.column_stack([bits, parity, parity])
    impossible = np.concatenate([sources, sources]), np.concatenate([parity, 1 - parity])
    weights = np.repeat([1 / 16, 0], 16)
    found = ij.pid.subset_complexity(KEY, *impossible, size=2, count=15, weights=weights)
    has_parity = (found.subsets >= 4).any(axis=1)
    np.testing.assert_allclose(found.informations, has_parity, **EXACT)
    assert found.n_defined == 9
    assert (found.n_samples, found.coverages) == (None, None)


def test_symbols_of_any_kind():
    sources, target = random_samples(4)
    names = np.array(["no", "yes"])
    found = ij.pid.subset_complexity(KEY, names[sources], names[target], size=2, count=3)
    np.testing.assert_allclose(
        found.complexities, ij.pid.subset_complexity(KEY, sources, target, size=2, count=3).complexities, **EXACT
    )


def test_subsets_survive_saving(tmp_path):
    found = ij.pid.subset_complexity(KEY, *random_samples(5), size=2, count=3)
    loaded = ij.pid.SubsetComplexity.load(found.save(tmp_path / "subsets"))
    np.testing.assert_array_equal(loaded.subsets, found.subsets)
    assert (loaded.value, loaded.reason, loaded.reliable) == (found.value, found.reason, found.reliable)
    assert loaded.interval() == found.interval()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 5}, r"size must be at most the 4 sources, got 5: use ij\.pid\.representational_complexity"),
        ({"size": 7}, "size must be an integer from 2 to 6, got 7"),
        ({"size": 2.5}, "size must be an integer from 2 to 6"),
        ({"size": 1}, "size must be an integer from 2 to 6"),
        ({"size": 2, "count": 1}, "count must be an integer of at least 2"),
        ({"size": 2, "resamples": 3}, "resamples must be an even number"),
    ],
)
def test_subsets_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ij.pid.subset_complexity(KEY, *random_samples(4), **options)


def test_subsets_need_a_key():
    with pytest.raises(ValueError, match="must be a random key"):
        ij.pid.subset_complexity(0, *random_samples(4), size=2)


# Groups


def touched(sources, groups):
    return sum(not set(sources).isdisjoint(group) for group in groups)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("groups", [PAIRS, MIXED, ((1,), (0, 2, 3))])
def test_groups_have_the_mean_number_of_groups_touched_of_the_sources_atoms(groups, seed):
    sources, target = random_samples(4, seed)
    weights = np.random.default_rng(seed).dirichlet(np.ones(N_SAMPLES))
    fine = reference.decompose(sources, target, weights)
    degrees = np.array([min(touched(one, groups) for one in antichain) for antichain in fine.antichains])
    expected = [fine.atoms[degrees == degree].sum() for degree in range(1, len(groups) + 1)]
    found = ij.pid.grouped_complexity(sources, target, groups, weights=weights, compare=False)
    np.testing.assert_allclose(found.by_degree, expected, **EXACT)
    assert found.value == pytest.approx(degrees @ fine.atoms / fine.information, abs=1e-11)
    assert found.information == pytest.approx(fine.information, abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_negative_atoms_of_both_lattices_are_counted(seed):
    sources, target = random_samples(4, seed)
    found = ij.pid.grouped_complexity(sources, target, PAIRS)
    joined = [(f"{a}{b}", f"{c}{d}") for a, b, c, d in sources.tolist()]
    coarse, fine = reference.decompose(joined, target), reference.decompose(sources, target)
    for atoms, count, bits in [
        (coarse.atoms, found.negative_atoms, found.negative_bits),
        (fine.atoms, found.fine_negative_atoms, found.fine_negative_bits),
    ]:
        assert count == np.sum(atoms < -1e-9)
        assert bits == pytest.approx(atoms[atoms < -1e-9].sum(), abs=1e-11)
    assert found.fine == pytest.approx(fine.complexity, abs=1e-11)
    assert found.holds == (found.value <= fine.complexity <= 2 * found.value)


def test_bounds_hold_where_no_atom_is_negative():
    """Four copies of the target: one atom, of degree 1."""
    bit = np.array([0, 1] * 20)
    sources = np.column_stack([bit] * 4)
    found = ij.pid.grouped_complexity(sources, bit, PAIRS)
    assert found.fine_negative_atoms == found.negative_atoms == 0
    assert found.fine_negative_bits == 0
    assert found.holds is True
    assert found.bounds == (pytest.approx(1), pytest.approx(2))
    assert found.fine == pytest.approx(1)


def test_bounds_that_fail_are_told():
    """Negative atoms take C of three sources below that of two groups."""
    sources, target = [(0, 0, 0), (0, 1, 0), (0, 1, 0), (1, 1, 1)], [1, 0, 1, 1]
    weights = [0.1, 0.7, 0.1, 0.1]
    fine = reference.decompose(sources, target, weights)
    coarse = reference.decompose([(f"{a}{b}", str(c)) for a, b, c in sources], target, weights)
    assert fine.complexity < coarse.complexity - 0.01
    found = ij.pid.grouped_complexity(sources, target, [(0, 1), (2,)], weights=weights)
    assert found.holds is False
    assert found.fine_negative_atoms > 0


def test_groups_of_one_source_change_nothing():
    sources, target = random_samples(4)
    found = ij.pid.grouped_complexity(sources, target, [(2,), (0,), (3,), (1,)], key=KEY)
    plain = ij.pid.representational_complexity(sources, target, key=KEY)
    np.testing.assert_allclose(found.by_degree, plain.by_degree, **EXACT)
    assert found.bounds == (found.value, found.value)
    assert found.holds is True
    assert (found.coverage, found.reliable, found.reason) == (plain.coverage, plain.reliable, plain.reason)
    np.testing.assert_array_equal(found.null_information, plain.null_information)
    assert found.interval() == pytest.approx(plain.interval())


def test_more_sources_than_lattices_allow_leave_their_complexity_out():
    found = ij.pid.grouped_complexity(*noisy_copies(9), np.arange(9).reshape(3, 3), resamples=0)
    assert (found.fine, found.fine_negative_atoms, found.fine_negative_bits, found.holds) == (None,) * 4
    assert found.negative_atoms is not None
    assert found.groups == ((0, 1, 2), (3, 4, 5), (6, 7, 8))
    assert found.largest_group == 3
    with pytest.raises(ValueError, match="needs resamples of at least 2"):
        found.interval()


def test_comparison_can_be_left_out():
    found = ij.pid.grouped_complexity(*random_samples(4), PAIRS, compare=False)
    assert (found.fine, found.holds, found.fine_negative_atoms) == (None, None, None)
    with pytest.raises(ValueError, match="at most 6, got 7"):
        ij.pid.grouped_complexity(*random_samples(7), [(0, 1, 2, 3, 4, 5), (6,)], compare=True)


def test_groups_without_information():
    found = ij.pid.grouped_complexity(random_samples(4)[0], [3] * N_SAMPLES, PAIRS)
    assert np.isnan([found.value, *found.bounds, found.fine]).all()
    assert (found.is_defined, found.holds, found.reliable) == (False, None, False)
    assert "constant" in found.reason


def test_groups_survive_saving(tmp_path):
    found = ij.pid.grouped_complexity(*random_samples(4), MIXED)
    loaded = ij.pid.GroupedComplexity.load(found.save(tmp_path / "groups"))
    assert loaded.groups == MIXED
    assert (loaded.value, loaded.fine, loaded.holds) == (found.value, found.fine, found.holds)
    assert jax.tree.structure(found) == jax.tree.structure(loaded)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([(0, 1, 2, 3)], "groups must be 2 to 6, got 1"),
        ([(0, 1), (1, 2, 3)], r"in several groups: \[1\]"),
        ([(0, 1), (2,)], r"in no group: \[3\]"),
        ([(0, 1), (2, 4)], r"in no group: \[3\], unknown: \[4\]"),
        ([0, 1, 2, 3], "groups must be sequences of source indices"),
        ([(0, 1), (2, 3.5)], "groups must be sequences of source indices"),
        ([(0, 1, 2, 3), ()], "got an empty one"),
        ([(source,) for source in range(7)], "groups must be 2 to 6, got 7"),
    ],
)
def test_groups_that_do_not_part_the_sources_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        ij.pid.grouped_complexity(*random_samples(4), groups)
