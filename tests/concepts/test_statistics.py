"""Salient concepts, dictionaries, discrimination and size distributions against counts by hand and by brute force."""

import itertools

import numpy as np
import pytest
from support.explanations import and_or, random_effects

import interjax as ij
from interjax.concepts._explanations._effects import AndOr
from interjax.concepts._explanations._salient import salient
from interjax.concepts._statistics._coverage import coverage, discrimination
from interjax.concepts._statistics._sizes import size_distribution


def brute_salient(explanation, tau):
    """By the definition, for one game: {(kind, index)}."""
    kinds = explanation.effects if isinstance(explanation, AndOr) else [explanation]
    found = {(kind, i): abs(effects[i]) for kind, effects in enumerate(kinds) for i in range(1, len(effects))}
    strongest = max(found.values())
    return {concept for concept, strength in found.items() if strength > 0 and strength >= tau * strongest}


@pytest.mark.parametrize("tau", [0.05, 0.5, 1.0])
def test_salient_by_definition(tau):
    explanation = and_or(random_effects(4, 16), random_effects(4, 16, seed=1))
    came = salient(explanation, tau=tau)
    assert came.shape == (4, 2, 16)
    for row in range(4):
        assert set(map(tuple, np.argwhere(came[row]))) == brute_salient(explanation[row], tau)


def test_the_empty_set_is_no_concept_and_sets_no_scale():
    assert salient([100.0, 1, 0, 0.04]).tolist() == [[False, True, False, False]]


def test_a_game_without_effects_has_no_concepts():
    assert not salient(np.array([[3.0, 0, 0, 0], [1.0, 0, 0, 0]])).any()


def test_both_kinds_share_one_scale():
    came = salient(and_or([0.0, 1, 0, 0], [0.0, 0, 0, 100]))
    assert came.tolist() == [[False] * 4, [False, False, False, True]]


def test_salient_leaves_the_effects_alone():
    effects = np.array([7.0, 1, 2, 3])
    salient(effects)
    assert effects.tolist() == [7, 1, 2, 3]


@pytest.mark.parametrize("tau", [0, -1, 1.01, np.nan])
@pytest.mark.parametrize("function", [salient, coverage, discrimination, size_distribution])
def test_tau_out_of_range(function, tau):
    with pytest.raises(ValueError, match=r"tau must be a number in \(0, 1\], a share of the strongest effect"):
        function(random_effects(3, 8), tau=tau)


@pytest.mark.parametrize("function", [salient, coverage, discrimination, size_distribution])
def test_effects_that_are_not_finite(function):
    effects = random_effects(3, 8)
    effects[1, 2] = np.nan
    with pytest.raises(ValueError, match="must be finite, got 1 of 24 effects"):
        function(effects)


def test_dictionary_order():
    """Frequency, then mean strength, then size, then index, AND before OR."""
    both = [[0.0, 0, 2, 3, 0, 1, 1, 0], [0.0, 0, 0, 3, 0, 1, 1, 0]]
    found = coverage(and_or(both, [[0.0, 0, 0, 0, 0, 0, 0, 1], [0.0, 0, 0, 0, 0, 0, 0, 1]]))
    # {0,1} on both and strongest; {0,2} and {1,2} tie; the OR of all three is larger; {1} is on one input only.
    assert found.concepts.tolist() == [[0, 3], [0, 5], [0, 6], [1, 7], [0, 2]]
    assert found.frequency.tolist() == [1, 1, 1, 1, 0.5]


def test_coverage_by_definition():
    explanation = and_or(random_effects(6, 16), random_effects(6, 16, seed=1))
    found = coverage(explanation, tau=0.2)
    omegas = [brute_salient(explanation[row], 0.2) for row in range(6)]
    for k in found.counts:
        dictionary = set(map(tuple, found.concepts[:k].tolist()))
        shares = [len(dictionary & omega) / len(omega) for omega in omegas]
        assert found.share[k - 1] == pytest.approx(np.mean(shares))
        assert found.stderr[k - 1] == pytest.approx(np.std(shares, ddof=1) / np.sqrt(6), abs=1e-12)
    assert found.share[-1] == 1
    assert found.n_inputs == 6


def test_the_first_concepts_cover_more_than_any_others_of_equal_weight():
    """With as many salient concepts on every input, the most frequent k are the best possible dictionary of k."""
    effects = np.zeros((5, 16))
    random = np.random.default_rng(3)
    for row in effects:
        row[random.choice(np.arange(1, 8), 3, replace=False)] = 1.0
    found, masks = coverage(effects), effects > 0
    for k in (1, 2, 3):
        best = max(masks[:, list(chosen)].sum(axis=1).mean() / 3 for chosen in itertools.combinations(range(16), k))
        assert found.share[k - 1] == pytest.approx(best)


def test_coverage_of_other_inputs():
    found = coverage([[0.0, 1, 0, 0], [0.0, 1, 1, 0]], of=[[0.0, 0, 1, 0], [0.0, 1, 0, 1], [0.0, 0, 0, 0]])
    assert found.concepts.tolist() == [[0, 1], [0, 2]]
    assert found.share.tolist() == [0.25, 0.75]
    assert (found.n_inputs, found.n_without, found.out_of_sample) == (2, 1, True)


def test_coverage_in_blocks(monkeypatch):
    from interjax.concepts._statistics import _coverage

    effects = random_effects(7, 16)
    whole = coverage(effects)
    monkeypatch.setattr(_coverage, "_BLOCK", 20)
    np.testing.assert_allclose(coverage(effects).share, whole.share, rtol=1e-14)
    np.testing.assert_allclose(coverage(effects).stderr, whole.stderr, atol=1e-14)


def test_fewest_concepts_needed():
    found = coverage([[0.0, 3, 0, 0], [0.0, 2, 0, 1]])
    assert [found.needed(0.7), found.needed(0.8), found.needed(1.1)] == [1, 2, None]


def test_nothing_salient_anywhere():
    nothing = coverage(np.zeros((3, 4)))
    assert (nothing.n_without, nothing.n_inputs, nothing.share.shape) == (3, 0, (0,))
    assert np.isnan(discrimination(np.zeros((3, 4))).mean_power)


def test_coverage_of_one_input_has_no_error():
    assert np.isnan(coverage([[0.0, 1, 2, 0]]).stderr).all()


@pytest.mark.parametrize("function", [coverage, discrimination])
@pytest.mark.parametrize("shape", [(8,), (2, 2, 8), (0, 8)])
def test_an_axis_of_inputs_is_needed(function, shape):
    with pytest.raises(ValueError, match="explanation must explain several inputs"):
        function(np.zeros(shape))


def test_coverage_of_other_players():
    with pytest.raises(ValueError, match="with the same players"):
        coverage(random_effects(3, 8), of=random_effects(3, 16))


def test_discrimination_by_definition():
    effects = random_effects(9, 8)
    found = discrimination(effects, tau=0.1)
    omegas = [brute_salient(row, 0.1) for row in effects]
    for row, (kind, index) in enumerate(found.concepts.tolist()):
        signs = [np.sign(effects[x, index]) for x in range(9) if (kind, index) in omegas[x]]
        assert found.selection[row] == pytest.approx(len(signs) / 9)
        assert found.power[row] == pytest.approx(max(signs.count(1), signs.count(-1)) / len(signs))
        assert found.positive[row] == pytest.approx(signs.count(1) / len(signs))
    assert found.mean_power == pytest.approx(np.average(found.power, weights=found.selection))
    assert found.mean_chance == pytest.approx(np.average(found.chance, weights=found.selection))


@pytest.mark.parametrize("count", range(1, 9))
def test_chance_by_all_signs(count):
    """Every assignment of signs to k inputs, by enumeration."""
    each = [max(sum(signs), count - sum(signs)) / count for signs in itertools.product([0, 1], repeat=count)]
    found = discrimination(np.tile([0.0, 1, 0, 0], (count, 1)))
    assert found.chance[0] == pytest.approx(np.mean(each))


def test_power_of_random_signs_is_the_chance():
    """Over many data sets, the mean power of signs without meaning is what `mean_chance` says."""
    random = np.random.default_rng(0)
    excess = []
    for _ in range(200):
        found = discrimination(random.choice([-1.0, 1.0], size=(12, 8)))
        excess.append(found.mean_power - found.mean_chance)
    assert abs(np.mean(excess)) < 4 * np.std(excess) / np.sqrt(200)


def test_jackknife_error_of_the_mean_power():
    """It is as large as the spread of the mean power over data sets."""
    random = np.random.default_rng(1)
    found = [discrimination(random.normal(0.7, 1, size=(40, 16)), tau=0.3) for _ in range(60)]
    ratio = np.mean([each.stderr for each in found]) / np.std([each.mean_power for each in found])
    assert 0.75 < ratio < 1.35


def test_size_distribution_by_definition():
    explanation = and_or(random_effects(5, 16), random_effects(5, 16, seed=1))
    found = size_distribution(explanation, tau=0.3)
    for m in range(1, 5):
        sums, counts = np.zeros((5, 2, 2)), np.zeros((5, 2))
        for row in range(5):
            for kind, index in brute_salient(explanation[row], 0.3):
                effect = explanation.effects[row, kind, index]
                if len(ij.concepts.players_in(index)) == m:
                    sums[row, kind, int(effect < 0)] += effect
                    counts[row, int(effect < 0)] += 1
        total = sums.sum(axis=1)
        assert (found.positive[m - 1], found.negative[m - 1]) == pytest.approx(tuple(total.mean(axis=0)))
        assert (found.positive_count[m - 1], found.negative_count[m - 1]) == pytest.approx(tuple(counts.mean(axis=0)))
        errors = np.std(total, axis=0, ddof=1) / np.sqrt(5)
        assert (found.positive_stderr[m - 1], found.negative_stderr[m - 1]) == pytest.approx(tuple(errors))
        assert found.positive_by_kind[:, m - 1] == pytest.approx(sums.mean(axis=0)[:, 0])
        assert found.negative_by_kind[:, m - 1] == pytest.approx(sums.mean(axis=0)[:, 1])


def test_size_distribution_of_tic_tac_toe():
    """80 nonzero AND effects: 8, 0, 22, 22, 18, 9, 1 of sizes 3 to 9."""
    lines = [0b111, 0b111000, 0b111000000, 0b1001001, 0b10010010, 0b100100100, 0b100010001, 0b1010100]
    effects = ij.moebius([any(mask & line == line for line in lines) for mask in range(512)])
    found = size_distribution(np.stack([effects, effects]), tau=1e-3)
    assert found.count.tolist() == [0, 0, 8, 0, 22, 22, 18, 9, 1]
    assert found.positive.sum() + found.negative.sum() == pytest.approx(1)


def test_size_distribution_keeps_leading_axes():
    effects = random_effects(3, 4, 16)
    found = size_distribution(effects)
    for checkpoint in range(3):
        np.testing.assert_allclose(found.strength[checkpoint], size_distribution(effects[checkpoint]).strength)
    assert found.positive_by_kind.shape == (3, 1, 4)


def test_size_distribution_of_one_input_warns():
    with pytest.warns(UserWarning, match="a single input leaves the standard errors unknown"):
        assert np.isnan(size_distribution([[0.0, 1, 0, 0]]).positive_stderr).all()


@pytest.mark.parametrize("shape", [(8,), (0, 8), (3, 1)])
def test_size_distribution_needs_inputs_and_players(shape):
    with pytest.raises(ValueError, match="at least one input and one player"):
        size_distribution(np.zeros(shape))


def test_results_are_saved_and_loaded(tmp_path):
    effects = random_effects(4, 8)
    for found in (coverage(effects), discrimination(effects), size_distribution(effects)):
        loaded = type(found).load(found.save(tmp_path / type(found).__name__))
        for name, value in vars(found).items():
            np.testing.assert_array_equal(getattr(loaded, name), value)
