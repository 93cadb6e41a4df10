"""All atoms against the definition written out, on gates and random distributions, and what must not change them."""

import json
import math

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from support import pid_reference as reference

import interjax as ij
from interjax._engine import _blocks
from interjax.pid import _agreement, _redundancy

EXACT = {"rtol": 0, "atol": 1e-12}
N_SAMPLES, LEVELS = 40, 3
N_ANTICHAINS = {2: 4, 3: 18, 4: 166, 5: 7579}


def random_samples(n_sources, seed=0):
    """Sources and a target that depends on two of them and on chance."""
    random = np.random.default_rng(seed)
    sources = random.integers(0, LEVELS, (N_SAMPLES, n_sources))
    return sources, (sources[:, 0] + sources[:, -1] * random.integers(0, 2, N_SAMPLES)) % LEVELS


def random_weights(seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(N_SAMPLES))


def by_antichain(found):
    return dict(zip(found.antichains, np.asarray(found.atoms).tolist(), strict=True))


def assert_same_atoms(found, expected):
    """`expected` is the reference's or another decomposition; pointwise parts only where it asked for them."""
    assert list(found.antichains) == list(expected.antichains)
    for name in ("atoms", "informative", "misinformative", "redundancies", "information", "by_degree", "complexity"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), **EXACT, err_msg=name)
    for name in ("pointwise_informative", "pointwise_misinformative"):
        if getattr(expected, name) is not None:
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), **EXACT, err_msg=name)


def gates(conformance_folder):
    return json.loads((conformance_folder / "pid_sx_gates.json").read_text())


def zero_based(antichains):
    return tuple(tuple(tuple(source - 1 for source in one) for one in antichain) for antichain in antichains)


def test_published_gates(conformance_folder):
    for gate in gates(conformance_folder):
        found = ij.pid.decompose(gate["S"], gate["T"], gate["p"], pointwise=True)
        assert found.antichains == zero_based(gate["antichains"]), gate["name"]
        np.testing.assert_allclose(found.atoms, gate["atoms_avg"], **EXACT, err_msg=gate["name"])
        np.testing.assert_allclose(found.information, gate["I"], **EXACT, err_msg=gate["name"])
        np.testing.assert_allclose(found.complexity, gate["C"], **EXACT, err_msg=gate["name"])
        np.testing.assert_allclose(np.cumsum(found.by_degree), gate["S_k"][1:], **EXACT, err_msg=gate["name"])
        np.testing.assert_allclose(found.pointwise, gate["atoms_pointwise"], **EXACT, err_msg=gate["name"])


@pytest.mark.parametrize("n_sources", [2, 3, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_definition(n_sources, weighted):
    sources, target = random_samples(n_sources)
    weights = random_weights() if weighted else None
    found = ij.pid.decompose(sources, target, weights, pointwise=True)
    assert_same_atoms(found, reference.decompose(sources, target, weights))


@pytest.mark.parametrize(("n_sources", "levels"), [(3, 8), (4, 25)])
def test_definition_with_hundreds_of_realisations(n_sources, levels):
    """More than a block of rows; with 25 symbols more joint symbols than are counted in a table."""
    random = np.random.default_rng(0)
    sources, target = random.integers(0, levels, (300, n_sources)), random.integers(0, 4, 300)
    assert levels**n_sources > _agreement._MOST_CELLS or n_sources == 3
    found = ij.pid.decompose(sources, target, pointwise=True)
    assert_same_atoms(found, reference.decompose(sources, target))


def test_probabilities_of_very_different_size():
    sources, target = random_samples(4)
    weights = np.random.default_rng(1).permutation(np.geomspace(1e-60, 1, N_SAMPLES))
    weights /= weights.sum()
    assert_same_atoms(
        ij.pid.decompose(sources, target, weights, pointwise=True), reference.decompose(sources, target, weights)
    )


def test_rows_of_pointwise_atoms():
    """Realisations in order of appearance; rows of weight zero have none."""
    sources, target, weights = [[0, 1], [1, 1], [0, 1], [5, 5]], [1, 0, 1, 0], [0.25, 0.5, 0.25, 0.0]
    found = ij.pid.decompose(sources, target, weights, pointwise=True)
    assert np.asarray(found.realisation_of_row).tolist() == [0, 1, 0, -1]
    assert found.pointwise.shape == (2, 4)
    np.testing.assert_allclose([0.5, 0.5] @ found.pointwise, found.atoms, **EXACT)


def test_small_blocks_and_more_devices_do_not_matter(monkeypatch):
    random = np.random.default_rng(0)
    sources, target = random.integers(0, 8, (300, 3)), random.integers(0, 4, 300)
    whole = ij.pid.decompose(sources, target, pointwise=True)
    spread = ij.pid.decompose(sources, target, pointwise=True, mesh=jax.make_mesh((8,), ("rows",)))
    monkeypatch.setattr(_blocks, "_CPU_VALUES", 2**6)
    monkeypatch.setattr(_blocks, "_CPU_ROWS", 128)
    assert [block for block, _ in _blocks.pieces_of([np.ones((300, 8))], 8, None)] == [16, 16, 16]
    for found in (spread, ij.pid.decompose(sources, target, pointwise=True)):
        assert_same_atoms(found, whole)


def test_more_samples_than_single_precision_counts(monkeypatch):
    """Above 2**24 samples counts are summed in double precision."""
    sources, target = random_samples(3)
    expected = reference.decompose(sources, target)
    monkeypatch.setattr(_redundancy, "_EXACT", 8)
    assert not _redundancy.is_exact_in_float32(N_SAMPLES)
    assert_same_atoms(ij.pid.decompose(sources, target, pointwise=True), expected)


def test_five_sources_by_the_defining_sums():
    """I_cap(alpha) = sum of Pi(beta) over all beta below alpha, at every one of the 7,579 antichains."""
    sources, target = random_samples(5)
    found = ij.pid.decompose(sources, target)
    redundancies = reference.redundancies(sources, target, found.antichains)
    np.testing.assert_allclose(found.redundancies, redundancies, **EXACT)
    np.testing.assert_allclose(sums_below(found.antichains, np.asarray(found.atoms)), redundancies, rtol=0, atol=1e-10)


def sums_below(antichains, atoms):
    """The sum of the atoms below each antichain: beta <= alpha if up(beta) holds up(alpha)."""
    sets = [set(one) for one in reference.subsets(5)]
    holds = {tuple(sorted(one)): np.array([one <= other for other in sets]) for one in sets}
    up = np.array([np.any([holds[one] for one in antichain], axis=0) for antichain in antichains], np.float32)
    sizes = up.sum(axis=1)
    blocks = [up[first : first + 512] @ up.T == sizes[first : first + 512, None] for first in range(0, len(up), 512)]
    return np.concatenate([block @ atoms for block in blocks])


@pytest.mark.parametrize("n_sources", [2, 3, 4, 5])
def test_number_and_order_of_antichains(n_sources):
    found = ij.pid.decompose(*random_samples(n_sources)).antichains
    assert len(found) == len(set(found)) == N_ANTICHAINS[n_sources]
    keys = [(len(antichain), [(len(one), one) for one in antichain]) for antichain in found]
    assert keys == sorted(keys)
    assert all(list(sets) == sorted(sets) for _, sets in keys)


@pytest.mark.parametrize("n_sources", [2, 3, 4])
def test_degree_is_the_size_of_the_smallest_set(n_sources):
    found = ij.pid.decompose(*random_samples(n_sources))
    assert np.asarray(found.degrees).tolist() == [min(map(len, antichain)) for antichain in found.antichains]


@pytest.mark.parametrize(("n_sources", "complexity"), [(2, 1.415037), (3, 2.052467)])
def test_parity(n_sources, complexity):
    sources = np.array(list(np.ndindex((2,) * n_sources)))
    found = ij.pid.decompose(sources, sources.sum(axis=1) % 2)
    assert float(found.complexity) == pytest.approx(complexity, abs=5e-7)
    assert float(found.information) == pytest.approx(1, abs=1e-12)


def test_redundant_copies_are_all_of_degree_one():
    bit = np.array([0, 1])
    found = ij.pid.decompose(np.column_stack([bit] * 4), bit)
    atoms = by_antichain(found)
    assert atoms.pop(((0,), (1,), (2,), (3,))) == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(list(atoms.values()), 0, atol=1e-12)


def test_xor_by_hand():
    """I_cap({0}{1}) = log2 (1/4 / (1/2 3/4)) = 1 - log2 3, I_cap({0}) = I_cap({1}) = 0, I_cap({0,1}) = 1."""
    sources = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    atoms = by_antichain(ij.pid.decompose(sources, [0, 1, 1, 0]))
    log_3 = math.log2(3)
    expected = {((0,), (1,)): 1 - log_3, ((0,),): log_3 - 1, ((1,),): log_3 - 1, ((0, 1),): 2 - log_3}
    assert atoms == pytest.approx(expected, abs=1e-12)


def test_permuted_sources_permute_atoms():
    sources, target = random_samples(4)
    permutation = np.array([2, 0, 3, 1])
    found = by_antichain(ij.pid.decompose(sources, target))
    permuted = by_antichain(ij.pid.decompose(sources[:, permutation], target))
    moved = {moved_antichain(antichain, permutation): value for antichain, value in permuted.items()}
    assert moved == pytest.approx(found, abs=1e-12)


def moved_antichain(antichain, permutation):
    sets = [tuple(sorted(int(permutation[source]) for source in one)) for one in antichain]
    return tuple(sorted(sets, key=lambda one: (len(one), one)))


def test_order_of_samples_does_not_matter():
    sources, target = random_samples(3)
    shuffled = np.random.default_rng(1).permutation(N_SAMPLES)
    assert_same_atoms(ij.pid.decompose(sources[shuffled], target[shuffled]), ij.pid.decompose(sources, target))


def test_duplicated_samples_change_nothing():
    sources, target = random_samples(3)
    twice = ij.pid.decompose(np.concatenate([sources] * 2), np.concatenate([target] * 2))
    assert_same_atoms(twice, ij.pid.decompose(sources, target))


def test_split_weights_change_nothing():
    """A realisation given in two rows is one realisation with the sum of their weights."""
    sources, target = random_samples(3)
    weights = random_weights()
    halves = np.concatenate([0.25 * weights, 0.75 * weights])
    split = ij.pid.decompose(np.concatenate([sources] * 2), np.concatenate([target] * 2), halves)
    assert_same_atoms(split, ij.pid.decompose(sources, target, weights))


def test_realisations_of_weight_zero_change_nothing():
    sources, target = random_samples(3)
    weights = random_weights()
    more = ij.pid.decompose(
        np.concatenate([sources, 7 * np.ones((2, 3), int)]), [*target, 0, 9], np.concatenate([weights, [0.0, 0.0]])
    )
    assert_same_atoms(more, ij.pid.decompose(sources, target, weights))


@pytest.mark.parametrize(
    "names",
    [
        ("a", "bb", "a longer one"),
        (-5, 10**12, 0),
        (0.5, -0.25, 1e300),
        (False, True, 2),
        ("1", 1, None),
        (b"x", (1,), ()),
    ],
)
def test_symbols_are_only_names(names):
    """Strings of mixed length, negative and large integers, floats, and mixed hashable symbols."""
    sources, target = random_samples(3)
    table = np.empty(LEVELS, dtype=object)
    table[:] = names
    renamed = ij.pid.decompose(table[sources], table[target])
    assert_same_atoms(renamed, ij.pid.decompose(sources, target))


@pytest.mark.parametrize("convert", [list, np.asarray, jax.numpy.asarray, lambda one: np.asarray(one, np.uint8)])
def test_lists_and_arrays_of_either_kind(convert):
    sources, target = random_samples(3)
    assert_same_atoms(ij.pid.decompose(convert(sources), convert(target)), ij.pid.decompose(sources, target))


def test_strings_in_numpy_arrays():
    sources, target = random_samples(3)
    names = np.array(["no", "maybe", "yes"])
    assert_same_atoms(ij.pid.decompose(names[sources], names[target]), ij.pid.decompose(sources, target))


@pytest.mark.parametrize("enabled", [True, False])
def test_the_users_precision_is_neither_needed_nor_changed(enabled):
    sources, target = random_samples(3)
    expected = reference.decompose(sources, target)
    with jax.enable_x64(enabled):
        found = ij.pid.decompose(sources, target)
        assert jax.config.jax_enable_x64 == enabled
    assert np.asarray(found.atoms).dtype == np.float64
    np.testing.assert_allclose(found.atoms, expected.atoms, **EXACT)


@hypothesis.given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 3))
@hypothesis.settings(max_examples=10, deadline=None)
def test_atoms_sum_to_the_information(seed, levels, labels):
    random = np.random.default_rng(seed)
    sources, target = random.integers(0, levels, (N_SAMPLES, 3)), random.integers(0, labels, N_SAMPLES)
    found = ij.pid.decompose(sources, target)
    information = reference.mutual_information(sources, target)
    assert np.sum(found.atoms) == pytest.approx(information, abs=1e-12)
    assert np.sum(found.by_degree) == pytest.approx(information, abs=1e-12)
    np.testing.assert_allclose(found.atoms, np.subtract(found.informative, found.misinformative), atol=1e-12)
    assert float(found.information) == pytest.approx(information, abs=1e-12)


@hypothesis.given(st.integers(0, 2**32 - 1))
@hypothesis.settings(max_examples=5, deadline=None)
def test_informative_atoms_are_not_negative(seed):
    """Makkeh et al. 2021, theorem: both parts of every pointwise atom are >= 0."""
    random = np.random.default_rng(seed)
    found = ij.pid.decompose(random.integers(0, 2, (N_SAMPLES, 3)), random.integers(0, 2, N_SAMPLES), pointwise=True)
    assert np.min(found.pointwise_informative) > -1e-12
    assert np.min(found.pointwise_misinformative) > -1e-12


def test_saved_and_loaded(tmp_path):
    found = ij.pid.decompose(*random_samples(3), pointwise=True)
    loaded = ij.pid.PID.load(found.save(tmp_path / "atoms"))
    assert loaded.antichains == found.antichains
    assert loaded.reason == found.reason
    for mine, other in zip(jax.tree.leaves(found), jax.tree.leaves(loaded), strict=True):
        np.testing.assert_array_equal(mine, other)


def test_pointwise_only_where_asked():
    found = ij.pid.decompose(*random_samples(2))
    assert found.pointwise_informative is None
    assert found.pointwise_misinformative is None
    with pytest.raises(ValueError, match="pointwise=True"):
        _ = found.pointwise


def test_a_mapping_of_antichains_to_bits():
    found = ij.pid.decompose(*random_samples(3))
    assert len(found) == 18
    assert list(found) == list(found.antichains)
    assert found.to_dict() == by_antichain(found)
    assert found[(1, 2), (0,)] == found.to_dict()[((0,), (1, 2))]
    with pytest.raises(KeyError, match="no antichain"):
        found[(0,), (0, 1)]
