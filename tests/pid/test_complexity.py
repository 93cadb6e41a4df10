"""Representational complexity, Shannon invariants and informations against definitions, and what says when to trust."""

import json

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from support import pid_reference as reference

import interjax as ij
from interjax._engine import _blocks

EXACT = {"rtol": 0, "atol": 1e-12}
N_SAMPLES, LEVELS = 40, 3
FAMILIES = [ij.pid.decompose, ij.pid.representational_complexity, ij.pid.shannon_invariants]


def random_samples(n_sources, seed=0, levels=LEVELS):
    random = np.random.default_rng(seed)
    sources = random.integers(0, levels, (N_SAMPLES, n_sources))
    return sources, (sources[:, 0] + sources[:, -1] * random.integers(0, 2, N_SAMPLES)) % levels


def complexity(sources, target, weights=None):
    return ij.pid.representational_complexity(sources, target, weights, resamples=0)


def informative_samples(n_sources=5, count=10_000):
    """Noisy copies of two classes: few realisations, many samples of each."""
    random = np.random.default_rng(0)
    target = np.arange(count) % 2
    return (target[:, None] + (random.random((count, n_sources)) < 0.1)) % 2, target


def independent_samples(n_sources=5, count=10_000, levels=8):
    random = np.random.default_rng(0)
    return random.integers(0, levels, (count, n_sources)), random.integers(0, 10, count)


# Values


def test_published_gates(conformance_folder):
    for gate in json.loads((conformance_folder / "pid_sx_gates.json").read_text()):
        found = complexity(gate["S"], gate["T"], gate["p"])
        np.testing.assert_allclose(found.value, gate["C"], **EXACT, err_msg=gate["name"])
        np.testing.assert_allclose(found.information, gate["I"], **EXACT, err_msg=gate["name"])
        np.testing.assert_allclose(np.cumsum(found.by_degree), gate["S_k"][1:], **EXACT, err_msg=gate["name"])
        invariants = ij.pid.shannon_invariants(gate["S"], gate["T"], gate["p"])
        np.testing.assert_allclose(invariants.redundancy, gate["deg_red"], **EXACT, err_msg=gate["name"])
        np.testing.assert_allclose(invariants.vulnerability, gate["deg_vul"], **EXACT, err_msg=gate["name"])


@pytest.mark.parametrize("n_sources", [2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_definition(n_sources, weighted):
    sources, target = random_samples(n_sources)
    weights = np.random.default_rng(1).dirichlet(np.ones(N_SAMPLES)) if weighted else None
    found, expected = complexity(sources, target, weights), reference.decompose(sources, target, weights)
    np.testing.assert_allclose(found.value, expected.complexity, **EXACT)
    np.testing.assert_allclose(found.information, expected.information, **EXACT)
    np.testing.assert_allclose(found.by_degree, expected.by_degree, **EXACT)


def test_atoms_and_families_agree_for_five_sources():
    sources, target = random_samples(5)
    atoms, families = ij.pid.decompose(sources, target), complexity(sources, target)
    np.testing.assert_allclose(atoms.complexity, families.value, rtol=0, atol=1e-10)
    np.testing.assert_allclose(atoms.by_degree, families.by_degree, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("n_sources", "expected"), [(2, 1.415037), (3, 2.052467)])
def test_parity(n_sources, expected):
    sources = np.array(list(np.ndindex((2,) * n_sources)))
    assert float(complexity(sources, sources.sum(axis=1) % 2).value) == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("n_sources", [2, 3, 5])
def test_copies_of_one_source_have_complexity_one(n_sources):
    bit = np.array([0, 1])
    found = complexity(np.column_stack([bit] * n_sources), bit)
    assert float(found.value) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(found.by_degree, [1] + [0] * (n_sources - 1), atol=1e-12)


@pytest.mark.parametrize(("n_sources", "levels"), [(3, 8), (4, 25)])
def test_definition_with_hundreds_of_realisations(n_sources, levels):
    random = np.random.default_rng(0)
    sources, target = random.integers(0, levels, (300, n_sources)), random.integers(0, 4, 300)
    expected = reference.decompose(sources, target)
    np.testing.assert_allclose(complexity(sources, target).by_degree, expected.by_degree, **EXACT)


def test_probabilities_of_very_different_size():
    sources, target = random_samples(4)
    weights = np.random.default_rng(1).permutation(np.geomspace(1e-60, 1, N_SAMPLES))
    weights /= weights.sum()
    expected = reference.decompose(sources, target, weights)
    np.testing.assert_allclose(complexity(sources, target, weights).by_degree, expected.by_degree, rtol=0, atol=1e-11)


def test_small_blocks_and_more_devices_do_not_matter(monkeypatch):
    sources, target = random_samples(4)
    expected = complexity(sources, target).by_degree
    mesh = jax.make_mesh((8,), ("rows",))
    spread = ij.pid.representational_complexity(sources, target, resamples=0, mesh=mesh).by_degree
    monkeypatch.setattr(_blocks, "_CPU_VALUES", 2**6)
    for found in (spread, complexity(sources, target).by_degree):
        np.testing.assert_allclose(found, expected, **EXACT)


@pytest.mark.long
def test_six_sources_with_a_constant_one():
    """The constant source leaves C of the other five, which atoms give too."""
    sources, target = random_samples(5, levels=2)
    found = complexity(np.column_stack([sources, np.full(N_SAMPLES, 7)]), target)
    np.testing.assert_allclose(found.value, ij.pid.decompose(sources, target).complexity, rtol=0, atol=1e-9)
    assert found.by_degree.shape == (6,)


@hypothesis.given(st.integers(0, 2**32 - 1), st.integers(0, 3))
@hypothesis.settings(max_examples=6, deadline=None)
def test_a_constant_source_leaves_complexity(seed, place):
    sources, target = random_samples(3, seed)
    more = complexity(np.insert(sources, place, 5, axis=1), target)
    np.testing.assert_allclose(more.value, complexity(sources, target).value, **EXACT)
    np.testing.assert_allclose(more.by_degree[-1], 0, **EXACT)


@hypothesis.given(st.integers(0, 2**32 - 1), st.permutations(range(4)))
@hypothesis.settings(max_examples=6, deadline=None)
def test_permuted_sources_leave_complexity(seed, permutation):
    sources, target = random_samples(4, seed)
    permuted = complexity(sources[:, permutation], target)
    np.testing.assert_allclose(permuted.by_degree, complexity(sources, target).by_degree, **EXACT)


@hypothesis.given(st.integers(0, 2**32 - 1), st.integers(2, 4))
@hypothesis.settings(max_examples=8, deadline=None)
def test_degrees_sum_to_information_and_to_complexity(seed, n_sources):
    sources, target = random_samples(n_sources, seed)
    found = complexity(sources, target)
    information = reference.mutual_information(sources, target)
    assert np.sum(found.by_degree) == pytest.approx(information, abs=1e-12)
    mean_degree = np.arange(1, n_sources + 1) @ np.asarray(found.by_degree) / information
    assert float(found.value) == pytest.approx(mean_degree, abs=1e-12)


def test_what_must_not_matter():
    """Copies of all samples, their order, and the names of symbols."""
    sources, target = random_samples(4)
    expected = complexity(sources, target).by_degree
    order = np.random.default_rng(1).permutation(N_SAMPLES)
    names = np.array(["", "a", "longer"])
    for changed in [
        (np.concatenate([sources] * 2), np.concatenate([target] * 2)),
        (sources[order], target[order]),
        (names[sources], (-3 * target).tolist()),
    ]:
        np.testing.assert_allclose(complexity(*changed).by_degree, expected, **EXACT)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_users_precision_is_neither_needed_nor_changed(enabled):
    sources, target = random_samples(4)
    with jax.enable_x64(enabled):
        found = complexity(sources, target)
        assert jax.config.jax_enable_x64 == enabled
    np.testing.assert_allclose(found.value, reference.decompose(sources, target).complexity, **EXACT)


def test_little_information_keeps_its_precision():
    """I of 5e-7 bits: the logarithms of single precision would leave no digit of it."""
    sources = np.array([[0, 0], [0, 0], [0, 1], [0, 1], [1, 0], [1, 0], [1, 1], [1, 1]])
    tilt = np.array([1, -1, -1, 1, 1, -1, 1, -1]) * 1e-4
    weights = 0.125 + tilt
    found = complexity(sources, [0, 1] * 4, weights)
    expected = reference.decompose(sources, [0, 1] * 4, weights)
    assert 1e-8 < expected.information < 1e-5
    np.testing.assert_allclose(found.value, expected.complexity, rtol=1e-6)


# Entropies and invariants of any number of sources


@pytest.mark.parametrize("n_sources", [2, 3, 12])
@pytest.mark.parametrize("weighted", [False, True])
def test_informations_and_invariants_by_counting(n_sources, weighted):
    sources, target = random_samples(n_sources)
    weights = np.random.default_rng(1).dirichlet(np.ones(N_SAMPLES)) if weighted else None
    np.testing.assert_allclose(ij.pid.entropy(sources, weights), reference.entropy(sources, weights), **EXACT)
    np.testing.assert_allclose(ij.pid.entropy(target, weights), reference.entropy(target, weights), **EXACT)
    information = reference.mutual_information(sources, target, weights)
    np.testing.assert_allclose(ij.pid.mutual_information(sources, target, weights), information, **EXACT)
    found = ij.pid.shannon_invariants(sources, target, weights)
    expected = reference.invariants(sources, target, weights)
    np.testing.assert_allclose([found.redundancy, found.vulnerability], expected, rtol=0, atol=1e-11)
    np.testing.assert_allclose(found.information, information, **EXACT)


def test_entropy_in_closed_form():
    assert float(ij.pid.entropy(list("aabb"))) == pytest.approx(1, abs=1e-12)
    assert float(ij.pid.entropy([7, 7, 7])) == pytest.approx(0, abs=1e-12)
    assert float(ij.pid.entropy(list("abc"), [0.5, 0.25, 0.25])) == pytest.approx(1.5, abs=1e-12)


def test_invariants_of_copies_and_of_parity():
    """n copies: r = n, v = 0. Parity of n fair bits: r = 0, v = n."""
    bits = np.array(list(np.ndindex((2,) * 8)))
    copies = ij.pid.shannon_invariants(np.column_stack([bits[:, 0]] * 8), bits[:, 0])
    parity = ij.pid.shannon_invariants(bits, bits.sum(axis=1) % 2)
    np.testing.assert_allclose([copies.redundancy, copies.vulnerability], [8, 0], atol=1e-12)
    np.testing.assert_allclose([parity.redundancy, parity.vulnerability], [0, 8], atol=1e-12)


# Trust


@pytest.mark.parametrize("measure", FAMILIES)
def test_independent_data_are_unreliable(measure):
    """8**5 cells, 10,000 samples, true I = 0: the plug-in value is above 3 bits, the plug-in C above 3.5."""
    found = measure(*independent_samples(), key=jax.random.key(0), resamples=0)
    if measure is ij.pid.representational_complexity:
        assert float(found.value) == pytest.approx(3.63, abs=0.02)
    assert 2.9 < float(found.information) < 3.2
    assert not bool(found.reliable)
    assert is_a_sentence(found.reason)
    assert int(found.n_samples) == 10_000
    assert 9_000 < int(found.n_realisations) <= 10_000


@pytest.mark.parametrize("measure", FAMILIES)
def test_well_sampled_informative_data_are_reliable(measure):
    found = measure(*informative_samples(), key=jax.random.key(0))
    assert bool(found.reliable)
    assert is_a_sentence(found.reason)
    assert int(found.n_realisations) <= 64
    assert float(np.max(found.null_information)) < 0.02 < 0.5 < float(found.information)
    assert float(found.corrected_information) == pytest.approx(float(found.information), abs=0.02)


def is_a_sentence(text):
    return isinstance(text, str) and len(text.split()) > 4


def test_independent_data_are_unreliable_with_halves_of_them():
    found = ij.pid.representational_complexity(*independent_samples(4, 1_000), key=jax.random.key(0))
    assert not bool(found.reliable)
    assert found.value == pytest.approx(np.mean(found.null_complexity), rel=0.05)


def test_null_complexity_is_that_of_shuffled_targets():
    """Of many samples of few realisations, where the null's information is small."""
    sources, target = informative_samples(3)
    shuffle = np.random.default_rng(1).permutation
    null = np.array([float(complexity(sources, shuffle(target)).value) for _ in range(20)])
    found = ij.pid.representational_complexity(sources, target, key=jax.random.key(0), resamples=40).null_complexity
    assert np.isfinite(found).all()
    assert found.std() == pytest.approx(null.std(), rel=0.8)
    assert found.mean() == pytest.approx(null.mean(), abs=4 * null.std() / np.sqrt(10))


def test_independent_data_with_few_cells_are_unreliable():
    """Well sampled, but without information: C would be the mean degree of noise."""
    random = np.random.default_rng(0)
    found = ij.pid.representational_complexity(
        random.integers(0, 2, (2_000, 5)), random.integers(0, 2, 2_000), key=jax.random.key(0)
    )
    assert not bool(found.reliable)


def test_null_is_that_of_shuffled_targets():
    """The plug-in information without dependence is about (rows - 1)(columns - 1) / (2 N ln 2) bits."""
    sources, target = independent_samples(2, 4_000, levels=4)
    found = ij.pid.shannon_invariants(sources, target, key=jax.random.key(0))
    expected = (4**2 - 1) * (10 - 1) / (2 * 4_000 * np.log(2))
    assert np.mean(found.null_information) == pytest.approx(expected, rel=0.15)
    assert abs(float(found.corrected_information)) < 0.25 * expected


@pytest.mark.parametrize("measure", FAMILIES)
def test_same_key_same_trust(measure):
    samples = informative_samples(3, 400)
    first, second, other = (measure(*samples, key=jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.null_information, second.null_information)
    assert not np.array_equal(first.null_information, other.null_information)


def test_standard_error_is_the_scatter_of_fresh_samples():
    draws = [informative_draw(seed) for seed in range(60)]
    scatter = np.std([float(complexity(*one).value) for one in draws])
    found = [ij.pid.representational_complexity(*one, key=jax.random.key(0), resamples=60) for one in draws[:4]]
    assert np.mean([float(one.stderr) for one in found]) == pytest.approx(scatter, rel=0.35)


def informative_draw(seed, count=400):
    random = np.random.default_rng(seed)
    target = random.integers(0, 2, count)
    return (target[:, None] + (random.random((count, 3)) < 0.1)) % 2, target


@pytest.mark.parametrize("measure", FAMILIES)
def test_saved_and_loaded(measure, tmp_path):
    found = measure(*informative_samples(3, 400), key=jax.random.key(0))
    loaded = type(found).load(found.save(tmp_path / "found"))
    assert loaded.reason == found.reason
    for mine, other in zip(jax.tree.leaves(found), jax.tree.leaves(loaded), strict=True):
        np.testing.assert_array_equal(mine, other)
