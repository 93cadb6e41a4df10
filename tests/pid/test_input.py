"""What partial information decomposition says of input that it cannot use, and of data without information."""

import jax
import numpy as np
import pytest

import interjax as ij

SOURCES = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
TARGET = np.array([0, 1, 1, 0])
MEASURES = [ij.pid.decompose, ij.pid.representational_complexity, ij.pid.shannon_invariants]
INFORMATIONS = [*MEASURES, ij.pid.mutual_information]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("sources", "target", "weights", "message"),
    [
        (SOURCES[:, :1], TARGET, None, "sources must be at least 2.*1.*mutual_information"),
        (SOURCES[:, 0], TARGET, None, r"\(samples, sources\)"),
        (SOURCES[None], TARGET, None, r"\(samples, sources\)"),
        (SOURCES, TARGET[:3], None, r"4.*3|3.*4"),
        (SOURCES, TARGET[:, None], None, "target"),
        (SOURCES, TARGET, [0.5, 0.5], r"4.*2|2.*4"),
        (SOURCES, TARGET, [0.5, 0.5, 0.5, 0.5], "sum.*2"),
        (SOURCES, TARGET, [0.75, 0.75, -0.25, -0.25], "negative|>= 0|non-negative"),
        (SOURCES, TARGET, [0.25, 0.25, 0.5, np.nan], "finite|nan"),
        (SOURCES, TARGET, [0.0, 0.0, 0.0, 0.0], "sum"),
        (SOURCES, TARGET, ["a", "b", "c", "d"], "weights"),
        (np.where(SOURCES == 1, np.nan, 0.0), TARGET, None, "finite|NaN|nan"),
        (np.where(SOURCES == 1, np.inf, 0.0), TARGET, None, "finite|inf"),
        (SOURCES, np.array([0.0, 1.0, np.nan, 0.0]), None, "finite|NaN|nan"),
        (SOURCES[:0], TARGET[:0], None, "empty|sample|row"),
        ([[0, 1], [0]], [0, 1], None, "sources"),
    ],
)
def test_bad_input(measure, sources, target, weights, message):
    with pytest.raises(ValueError, match=f"(?is){message}"):
        measure(sources, target, weights)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (ij.pid.mutual_information, (SOURCES, TARGET[:3]), r"4.*3|3.*4"),
        (ij.pid.mutual_information, (SOURCES, TARGET, [0.1] * 4), "sum"),
        (ij.pid.entropy, (TARGET, [0.1] * 4), "sum"),
        (ij.pid.entropy, (TARGET, [0.5, 0.5]), r"4.*2|2.*4"),
        (ij.pid.entropy, ([0.0, np.nan],), "finite|NaN|nan"),
        (ij.pid.entropy, ([],), "empty|at least one"),
        (ij.pid.entropy, (5,), r"\(samples"),
    ],
)
def test_bad_input_of_informations(function, arguments, message):
    with pytest.raises(ValueError, match=f"(?is){message}"):
        function(*arguments)


@pytest.mark.parametrize(("measure", "n_sources"), [(ij.pid.decompose, 6), (ij.pid.representational_complexity, 7)])
def test_beyond_the_exact_limit_the_message_names_what_to_use(measure, n_sources):
    sources = np.random.default_rng(0).integers(0, 2, (20, n_sources))
    with pytest.raises(ValueError, match=f"(?s){n_sources}.*(subset_complexity|representational_complexity)"):
        measure(sources, sources[:, 0])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("n_samples", [1, 2, 3])
def test_a_few_samples_are_unreliable_and_no_error(measure, n_samples):
    found = measure([(0, 0), (1, 1), (0, 0)][:n_samples], [0, 1, 0][:n_samples], resamples=4)
    assert found.n_samples == n_samples
    assert not found.reliable
    assert found.reason


def test_invariants_have_no_limit():
    sources = np.random.default_rng(0).integers(0, 2, (30, 70))
    assert float(ij.pid.shannon_invariants(sources, sources[:, 0]).redundancy) >= 1


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("resamples", [0, 4])
def test_a_constant_target_has_no_complexity(measure, resamples):
    """I = 0: C, r and v are undefined, which is said, and no number stands for them."""
    options = {} if measure is ij.pid.shannon_invariants else {"resamples": resamples}
    found = measure(SOURCES, [3, 3, 3, 3], key=jax.random.key(0), **options)
    assert float(found.information) == 0
    assert not bool(found.reliable)
    assert len(found.reason.split()) > 4
    names = {"PID": ["complexity"], "Complexity": ["value"], "ShannonInvariants": ["redundancy", "vulnerability"]}
    for name in names[type(found).__name__]:
        assert np.isnan(float(getattr(found, name)))


def test_constant_sources_have_no_complexity():
    found = ij.pid.representational_complexity(np.zeros((4, 2), int), TARGET, resamples=0)
    assert np.isnan(float(found.value))
    assert not bool(found.is_defined)


def test_complexity_that_is_defined_says_so():
    assert bool(ij.pid.representational_complexity(SOURCES, TARGET, resamples=0).is_defined)


@pytest.mark.parametrize("measure", INFORMATIONS)
def test_the_callers_arrays_are_left_alone(measure):
    sources, target, weights = SOURCES.astype(float), TARGET.copy(), np.full(4, 0.25)
    measure(sources, target, weights)
    np.testing.assert_array_equal(sources, SOURCES)
    np.testing.assert_array_equal(target, TARGET)
    np.testing.assert_array_equal(weights, np.full(4, 0.25))


@pytest.mark.parametrize("measure", [ij.pid.decompose, ij.pid.representational_complexity])
@pytest.mark.parametrize("resamples", [-1, 2.5])
def test_bad_number_of_resamples(measure, resamples):
    with pytest.raises(ValueError, match="resamples"):
        measure(SOURCES, TARGET, key=jax.random.key(0), resamples=resamples)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        (np.int8, -128, 127),
        (np.int8, -100, 100),
        (np.uint8, 0, 255),
        (np.int16, -(2**15), 2**15 - 1),
        (np.int64, -(2**63), 2**63 - 1),
        (np.uint64, 2**63, 2**63 + 200),
        (np.uint64, 0, 2**64 - 1),
    ],
)
def test_symbols_of_any_integer_type_are_told_apart(kind, low, high):
    """Two bits that make a third: one bit of the target in the pair and none in each, whatever the bits are called."""
    sources, target = (np.where(bits, high, low).astype(kind) for bits in (SOURCES == 1, TARGET == 1))
    assert ij.pid.entropy(target) == pytest.approx(1.0)
    assert ij.pid.mutual_information(sources, target) == pytest.approx(1.0)
    assert ij.pid.representational_complexity(sources, target).value == pytest.approx(1 + np.log2(4 / 3))
    assert ij.pid.shannon_invariants(sources, target).vulnerability == pytest.approx(2.0)
    three = np.array([low, high, (low // 2 + high // 2) or 1] * 4, kind)
    assert ij.pid.entropy(three) == pytest.approx(np.log2(3))
    assert ij.pid.entropy([2**63 + 1, 2**63, -1]) == pytest.approx(np.log2(3))
