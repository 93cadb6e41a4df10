"""Generalisation by size: weighted Jaccard by its definition, a null that is met, intervals that hold what they say."""

import jax
import numpy as np
import pytest
from support.explanations import and_or, random_effects

from interjax.concepts._explanations._salient import salient
from interjax.concepts._statistics._generalization import Generalization, generalization

SIZES = np.array([bin(index).count("1") for index in range(8)])


def measure(train, test, train_labels=None, test_labels=None, seed=0, **options):
    train_labels = np.zeros(np.shape(train)[0], int) if train_labels is None else train_labels
    test_labels = np.zeros(np.shape(test)[0], int) if test_labels is None else test_labels
    return generalization(jax.random.key(seed), train, train_labels, test, test_labels, **options)


def jaccard(first, second):
    """|min| / |max| of the vectors split in positive and negative parts."""
    first, second = (np.concatenate([np.maximum(v, 0), np.maximum(-v, 0)]) for v in (first, second))
    return np.minimum(first, second).sum() / np.maximum(first, second).sum()


def brute_full(train, test, m, compared=True):
    """Similarity of the mean effects (inputs, kinds, 2**n) of one class."""
    chosen = np.broadcast_to((m == SIZES) & compared, train.shape[1:])
    return jaccard(train.mean(axis=0)[chosen], test.mean(axis=0)[chosen])


def noisy(seed, inputs, mean=None, noise=1.0):
    mean = random_effects(8, seed=99) if mean is None else mean
    return mean + noise * np.random.default_rng(seed).normal(size=(inputs, 8))


def test_full_similarity_by_definition():
    train, test = (and_or(random_effects(20, 8, seed=s), random_effects(20, 8, seed=s + 1)) for s in (0, 2))
    labels = np.arange(20) % 2
    found = measure(train, test, labels, labels)
    for m in (1, 2, 3):
        each = [brute_full(train.effects[labels == c], test.effects[labels == c], m) for c in (0, 1)]
        assert found.full_similarity[m - 1] == pytest.approx(np.mean(each))


def test_similarity_and_null_by_enumeration():
    """Three training and one test input: of the mean over many draws of single inputs, every pair is equally likely."""
    train, test = random_effects(3, 8), random_effects(1, 8, seed=5)
    with pytest.warns(UserWarning, match="fewer than 5 inputs in a draw of class 0"):
        found = measure(train, test, splits=4000, resamples=1)
    for m in (1, 2, 3):
        ones = train[:, m == SIZES], test[:, m == SIZES]
        with np.errstate(invalid="ignore"):
            against = [jaccard(a, b) for a in ones[0] for b in ones[1]]
            among = [jaccard(ones[0][i], ones[0][j]) for i in range(3) for j in range(i)]
        assert found.similarity[m - 1] == pytest.approx(np.nanmean(against), abs=0.02)
        assert found.null[m - 1] == pytest.approx(np.nanmean(among), abs=0.02)


def test_equal_concepts_are_similar_and_opposite_ones_are_not():
    concepts = np.tile([0.0, 1, -2, 3, 1, 1, -1, 2], (10, 1))
    found = measure(concepts, concepts)
    assert found.similarity.tolist() == found.null.tolist() == found.full_similarity.tolist() == [1, 1, 1]
    assert found.excess.tolist() == [0, 0, 0]
    found = measure(concepts, -concepts)
    assert found.similarity.tolist() == [0, 0, 0]
    assert found.excess.tolist() == [1, 1, 1]


def test_half_as_strong_is_half_as_similar():
    concepts = np.tile(np.arange(8.0), (10, 1))
    assert measure(concepts, concepts / 2).similarity == pytest.approx([0.5, 0.5, 0.5])


@pytest.mark.parametrize(("n_train", "n_test"), [(20, 20), (40, 10), (20, 6)])
def test_null_equals_similarity_where_nothing_differs(n_train, n_test):
    """Training and test inputs of one distribution, whatever their numbers: the excess is 0 on average."""
    excess = [measure(noisy(s, n_train), noisy(10**6 + s, n_test), resamples=1).excess for s in range(120)]
    assert (np.abs(np.mean(excess, axis=0)) < 4 * np.std(excess, axis=0) / np.sqrt(120)).all()


def test_concepts_of_the_training_inputs_alone_show_as_excess():
    """Pairs act in training only."""
    mean = np.array([0.0, 2, -2, 1.5, 2, -1.5, 1.5, 2])
    found = measure(noisy(0, 60, mean), noisy(1, 60, np.where(SIZES == 2, 0.0, mean)))
    assert found.excess_lower[1] > 0.3
    assert (found.excess_lower[[0, 2]] < 0.05).all()


@pytest.mark.long
@pytest.mark.parametrize("inputs", [12, 40])
def test_intervals_hold_the_expectation(inputs):
    """95% intervals of the similarity, the null and their difference, over 100 data sets with a known expectation."""
    expected = np.zeros((2, 3))
    for seed in range(200):
        found = measure(noisy(seed, inputs), noisy(10**6 + seed, inputs), resamples=1)
        expected += np.stack([found.similarity, found.null]) / 200
    held = np.zeros((3, 3))
    for seed in range(1000, 1100):
        found = measure(noisy(seed, inputs), noisy(10**6 + seed, inputs), seed=seed)
        held[0] += (found.lower <= expected[0]) & (expected[0] <= found.upper)
        held[1] += (found.null_lower <= expected[1]) & (expected[1] <= found.null_upper)
        held[2] += (found.excess_lower <= 0) & (found.excess_upper >= 0)
    assert (held >= 86).all()
    assert 91 <= held.mean() <= 99.5


def test_estimates_lie_within_their_intervals():
    """The plain percentile interval of a ratio of noisy means does not hold its own estimate; this one does."""
    found = measure(noisy(0, 200, noise=3.0), noisy(1, 200, noise=3.0))
    for value, lower, upper in (
        (found.similarity, found.lower, found.upper),
        (found.null, found.null_lower, found.null_upper),
        (found.full_similarity, found.full_lower, found.full_upper),
        (found.excess, found.excess_lower, found.excess_upper),
    ):
        assert ((lower < value) & (value < upper)).all()


def test_only_salient_effects_are_compared():
    train, test = random_effects(9, 8)[:, None], random_effects(8, 8, seed=1)[:, None]
    compared = salient(train[:, 0], tau=0.7)[:, 0].any(axis=0) | salient(test[:, 0], tau=0.7)[:, 0].any(axis=0)
    with pytest.warns(UserWarning, match="fewer than 5"):
        found = measure(train[:, 0], test[:, 0], tau=0.7)
    assert 0 < compared.sum() < 7
    for m in (1, 2, 3):
        if compared[m == SIZES].any():
            assert found.full_similarity[m - 1] == pytest.approx(brute_full(train, test, m, compared))


def test_a_size_without_effects_has_no_similarity():
    effects = np.where(SIZES == 2, 0.0, noisy(0, 20))
    found = measure(effects[:10], effects[10:])
    assert np.isnan(found.similarity).tolist() == [False, True, False]
    assert np.isnan(found.excess_upper).tolist() == [False, True, False]


def test_classes_of_their_own_names_and_numbers():
    labels = np.array(["b"] * 12 + ["a"] * 20)
    found = measure(noisy(0, 32), noisy(1, 32), labels, labels)
    assert found.classes.tolist() == ["a", "b"]
    assert (found.n_train.tolist(), found.n_test.tolist(), found.n_drawn.tolist()) == ([20, 12], [20, 12], [10, 6])
    np.testing.assert_allclose(found.by_class.mean(axis=0), found.similarity)
    np.testing.assert_allclose(found.null_by_class.mean(axis=0), found.null)


def test_the_key_decides():
    first, again, other = (measure(noisy(0, 20), noisy(1, 20), seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.lower, again.lower)
    assert (first.lower != other.lower).any()


def test_blocks_of_resamples_do_not_matter(monkeypatch):
    from interjax.concepts._statistics import _generalization

    whole = measure(noisy(0, 20), noisy(1, 20))
    monkeypatch.setattr(_generalization, "_BLOCK", 50)
    parts = measure(noisy(0, 20), noisy(1, 20))
    for name in ("similarity", "lower", "null_upper", "excess_lower", "full_upper"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)


def test_saved_and_loaded(tmp_path):
    found = measure(noisy(0, 20), noisy(1, 20), tau=0.1)
    loaded = Generalization.load(found.save(tmp_path / "found"))
    for name, value in vars(found).items():
        np.testing.assert_array_equal(getattr(loaded, name), value)


@pytest.mark.parametrize(
    ("train_labels", "test_labels", "message"),
    [
        ([0] * 6 + [1] * 4, [0] * 10, "give class 1 0 test inputs"),
        ([0] * 10, [0] * 9 + [2], "give class 2 0 training inputs"),
        ([0] * 9 + [1], [0] * 5 + [1] * 5, "give class 1 1 training inputs, expected at least 2"),
        ([0] * 9, [0] * 10, "one label for each input"),
        ([0.5] * 10, [0.5] * 10, "classes as integers or strings"),
    ],
)
def test_bad_labels(train_labels, test_labels, message):
    with pytest.raises(ValueError, match=message):
        measure(noisy(0, 10), noisy(1, 10), train_labels, test_labels)


def test_bad_options():
    with pytest.raises(ValueError, match="level must be a number in \\(0, 1\\)"):
        measure(noisy(0, 10), noisy(1, 10), level=95)
    with pytest.raises(ValueError, match="resamples must be an integer of at least 1"):
        measure(noisy(0, 10), noisy(1, 10), resamples=0)
    with pytest.raises(ValueError, match="must be a random key"):
        generalization(0, noisy(0, 10), [0] * 10, noisy(1, 10), [0] * 10)
    with pytest.raises(ValueError, match="with the same players"):
        measure(noisy(0, 10), random_effects(10, 16))
    with pytest.raises(ValueError, match=r"tau must be .* a share"):
        measure(noisy(0, 10), noisy(1, 10), tau=0)
    with pytest.raises(ValueError, match="train must be finite, got 80 of 80 effects"):
        measure(noisy(0, 10, noise=np.nan), noisy(1, 10))
