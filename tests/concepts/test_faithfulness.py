"""Faithfulness curves and simplified explanations against sums over coalitions and plain least squares."""

import numpy as np
import pytest

import interjax as ij
from interjax.concepts._explanations._effects import AndOr
from interjax.concepts._statistics._faithfulness import faithfulness, simplify


def random_table(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def exact_and_or(table, seed=1):
    """An explanation of all of the table: a part of it at random by OR effects, the rest by AND effects."""
    table = np.asarray(table)
    games = table.shape[:-1]
    part = np.random.default_rng(seed).normal(size=table.shape)
    part[..., 0] = 0
    or_effects = ij.or_interactions(part)
    and_effects = ij.moebius(table - table[..., :1] - part)
    loss = np.abs(and_effects).sum(-1) + np.abs(or_effects).sum(-1)
    zeros = np.zeros(games)
    return AndOr(and_effects, or_effects, loss, zeros, zeros, table[..., 0], np.zeros_like(table), zeros.astype(int))


def indicators(n, concepts):
    """Columns 1[L inside S] for AND and 1[L meets S] for OR, over all S."""
    masks = np.arange(1 << n)
    return np.stack([(masks & i) > 0 if kind else (masks & i) == i for kind, i in concepts], axis=1).astype(float)


def strongest(explanation, count):
    """(kind, index) of the strongest non-empty effects of one game."""
    effects = explanation.effects if isinstance(explanation, AndOr) else np.asarray(explanation)[None]
    places = [(kind, i) for kind in range(len(effects)) for i in range(1, effects.shape[1]) if effects[kind, i]]
    return sorted(places, key=lambda place: -abs(effects[place]))[:count]


def r2_of(table, rebuilt):
    return 1 - np.sum((table - rebuilt) ** 2) / np.sum((table - table.mean()) ** 2)


@pytest.mark.parametrize("explain", [ij.moebius, exact_and_or])
def test_r2_by_definition(explain):
    table = random_table(16)
    explanation = explain(table)
    found = faithfulness(explanation, table, counts=[0, 1, 3, 7, 100])
    effects = explanation.effects if isinstance(explanation, AndOr) else explanation[None]
    for count, r2 in zip(found.counts, found.r2, strict=True):
        concepts = strongest(explanation, count)
        rebuilt = table[0] + (indicators(4, concepts) @ [effects[place] for place in concepts] if concepts else 0)
        assert r2 == pytest.approx(r2_of(table, rebuilt))


@pytest.mark.parametrize("explain", [ij.moebius, exact_and_or])
def test_all_concepts_rebuild_the_game(explain):
    tables = random_table(3, 2, 32)
    found = faithfulness(explain(tables), tables)
    assert found.r2.shape == (3, 2, len(found.counts))
    np.testing.assert_allclose(found.r2[..., -1], 1, atol=1e-12)
    assert found.counts[0] == 1


def test_batched_as_one_by_one():
    tables = random_table(4, 16)
    batched = faithfulness(exact_and_or(tables), tables, counts=[2, 5])
    for row in range(4):
        single = faithfulness(exact_and_or(tables)[row], tables[row], counts=[2, 5])
        np.testing.assert_allclose(batched.r2[row], single.r2, rtol=1e-12)


def test_tic_tac_toe_needs_its_80_concepts():
    lines = [0b111, 0b111000, 0b111000000, 0b1001001, 0b10010010, 0b100100100, 0b100010001, 0b1010100]
    table = np.array([any(mask & line == line for line in lines) for mask in range(512)], float)
    found = faithfulness(ij.moebius(table), table, counts=range(90))
    assert found.n_effects == 80
    assert found.needed(1 - 1e-12) == 80
    assert np.isnan(found.needed(1.01))


def test_needed_looks_for_where_r2_stays():
    r2 = np.array([[0.95, 0.5, 0.96, 1.0], [0.0, 0.1, 0.2, 0.3]])
    found = ij.concepts.Faithfulness(np.array([1, 2, 4, 8]), r2, np.array([8, 8]), 0)
    np.testing.assert_array_equal(found.needed(0.9), [4, np.nan])


def test_ties_go_to_the_smaller_coalition_then_the_lower_index():
    effects = np.array([0.0, 0, 2, 2, 0, 2, 0, 2])
    kept = [np.flatnonzero(simplify(effects, ij.inverse_moebius(effects), k, refit=False)).tolist() for k in range(5)]
    assert kept == [[], [2], [2, 3], [2, 3, 5], [2, 3, 5, 7]]


def test_a_constant_game_has_no_r2():
    tables = np.stack([np.full(8, 3.0), random_table(8)])
    with pytest.warns(UserWarning, match="1 of 2 games have one value throughout"):
        found = faithfulness(ij.moebius(tables), tables)
    assert found.n_constant == 1
    assert np.isnan(found.r2[0]).all()
    assert np.isfinite(found.r2[1]).all()


def test_wrong_tables_and_counts():
    table = random_table(8)
    for call in (faithfulness, lambda *given: simplify(*given, 2)):
        with pytest.raises(ValueError, match=r"explanation and table must belong together, .* got effects of shape"):
            call(ij.moebius(table), random_table(16))
        with pytest.raises(ValueError, match="table must be finite, got 1 of 8 values"):
            call(ij.moebius(table), np.where(np.arange(8) == 3, np.inf, table))
    for counts in ([], [-1], [1.5], 3):
        with pytest.raises(ValueError, match=r"counts must be .* integers of at least 0"):
            faithfulness(ij.moebius(table), table, counts=counts)
    with pytest.raises(ValueError, match="count must be an integer of at least 0"):
        simplify(ij.moebius(table), table, -1)


@pytest.mark.parametrize("explain", [ij.moebius, exact_and_or])
@pytest.mark.parametrize("count", [1, 4, 9, 20])
def test_refitted_effects_are_the_least_squares_fit(explain, count):
    """The rebuilt game is the projection on the kept concepts, by NumPy's least squares; effects may not be unique."""
    table = random_table(32)
    explanation = explain(table)
    columns = indicators(5, strongest(explanation, count))
    fitted = table[0] + columns @ np.linalg.lstsq(columns, table - table[0])[0]
    simplified = simplify(explanation, table, count)
    rebuilt = simplified.rebuilt() if isinstance(simplified, AndOr) else ij.inverse_moebius(simplified)
    np.testing.assert_allclose(rebuilt, fitted, atol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 5, 12, 30])
def test_refitting_never_loses_r2(count):
    tables = random_table(5, 32)
    explanation = exact_and_or(tables)
    kept = simplify(explanation, tables, count, refit=False)
    refitted = simplify(explanation, tables, count)
    for row in range(5):
        before, after = (r2_of(tables[row], each.rebuilt()[row]) for each in (kept, refitted))
        assert after >= before - 1e-12
        assert before == pytest.approx(faithfulness(explanation[row], tables[row], counts=[count]).r2[0])


def test_dependent_concepts_stay_nearest_to_their_effects():
    """AND + OR of {0, 1} = AND {0} + AND {1}: where the kept effects are right already, refitting changes nothing."""
    and_effects, or_effects = np.array([0.0, 3, 2, 1]), np.array([0.0, 0, 0, 5])
    zero = np.zeros(())
    explanation = AndOr(and_effects, or_effects, zero, zero, zero, zero, np.zeros(4), zero)
    refitted = simplify(explanation, explanation.rebuilt(), 4)
    np.testing.assert_allclose(refitted.effects, explanation.effects, atol=1e-12)


def test_simplified_explanation_says_what_it_is():
    tables = random_table(2, 16)
    explanation = exact_and_or(tables)
    simplified = simplify(explanation, tables, 3)
    assert (np.count_nonzero(simplified.effects, axis=(1, 2)) == 3).all()
    np.testing.assert_allclose(simplified.loss, np.abs(simplified.effects).sum(axis=(1, 2)))
    np.testing.assert_allclose(simplified.noise_bound, np.abs(simplified.rebuilt() - tables).max(axis=1))
    assert np.isnan(simplified.gap).all()
    np.testing.assert_array_equal(simplified.empty_value, tables[:, 0])


def test_the_empty_set_keeps_its_effect():
    table = random_table(16)
    simplified = simplify(ij.moebius(table), table, 2)
    assert simplified[0] == table[0]
    assert np.count_nonzero(simplified) == 3


def test_more_concepts_than_there_are():
    effects = np.array([0.0, 1, 0, 0, 0, 2, 0, 0])
    np.testing.assert_allclose(simplify(effects, ij.inverse_moebius(effects), 100), effects, atol=1e-12)
