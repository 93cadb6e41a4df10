"""The sparsest AND-OR explanation against HiGHS, the vectors of the field, closed forms and its own promises."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.linear_programs import highs_optimum

import interjax as ij
from interjax import concepts
from interjax.concepts._explanations import _linear_program as program
from interjax.concepts._explanations._cholesky import solver

RANDOM = np.random.default_rng(0)


def smooth_table(n_players, seed=0):
    """A game like a network's: a squashed sum of a few products."""
    random = np.random.default_rng(seed)
    masks = (np.arange(2**n_players)[:, None] >> np.arange(n_players) & 1).astype(float)
    linear = masks @ random.normal(size=n_players)
    products = sum(
        random.normal() * masks[:, random.choice(n_players, min(2, n_players), replace=False)].prod(axis=1)
        for _ in range(4)
    )
    return np.tanh(0.5 * (linear + products)) * 3 + 1


def test_the_published_optimum_is_met(conformance_folder):
    for case in json.loads((conformance_folder / "and_or.json").read_text())["sparsest"]:
        found = concepts.and_or(case["table"])
        assert found.noise_bound == pytest.approx(case["noise_bound"], rel=1e-9)
        assert found.loss == pytest.approx(case["optimal_l1"], rel=1e-4)
        assert found.gap <= 1e-4 * found.loss


@pytest.mark.parametrize("n_players", [1, 3, 5])
@pytest.mark.parametrize("noise", [0.0, 0.04, 0.3])
def test_the_loss_is_the_optimum_of_highs_and_the_gap_holds_it(n_players, noise):
    for table in (smooth_table(n_players), RANDOM.normal(size=2**n_players)):
        found = concepts.and_or(table, noise=noise)
        optimum = highs_optimum(table, noise)
        assert found.loss == pytest.approx(optimum, rel=3e-5, abs=1e-9)
        assert found.loss - found.gap <= optimum * (1 + 1e-7) + 1e-9
        assert found.gap <= 1e-4 * found.loss + 1e-9


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-4, 4), min_size=16, max_size=16))
def test_games_of_small_integers_have_ties_and_are_solved_all_the_same(values):
    found = concepts.and_or(np.array(values))
    assert found.loss == pytest.approx(highs_optimum(np.array(values, float), 0.04), rel=3e-5, abs=1e-8)


@pytest.mark.parametrize("noise", [0.0, 0.04])
def test_effects_add_up_to_the_game_within_the_noise(noise):
    table = np.stack([smooth_table(5, seed) for seed in range(2)])
    found = concepts.and_or(table, noise=noise)
    assert found.loss == pytest.approx(np.abs(found.effects).sum(axis=(1, 2)))
    left = np.abs(found.rebuilt() - table).max(axis=1)
    np.testing.assert_array_less(left, found.noise_bound + 1e-12)
    np.testing.assert_allclose(found.noise_bound, noise * np.abs(table[:, -1] - table[:, 0]))


def test_a_sum_of_one_and_and_one_or_is_found():
    masks = np.arange(32)[:, None] >> np.arange(5) & 1
    table = 2.0 * masks[:, :3].all(axis=1) - 1.5 * masks[:, 2:].any(axis=1)
    found = concepts.and_or(table, noise=0.0)
    expected = np.zeros((2, 32))
    expected[0, 0b111], expected[1, 0b11100] = 2.0, -1.5
    np.testing.assert_allclose(found.effects, expected, atol=1e-5)


def test_the_tie_break_prefers_small_coalitions_then_and():
    costs = program.tie_break_costs(4)
    sizes = np.bitwise_count(np.arange(16))
    for size in range(4):
        assert costs[:, sizes == size].max() < costs[:, sizes == size + 1].min()
        assert costs[0, sizes == size].max() < costs[1, sizes == size].min()
    assert len(np.unique(costs)) == costs.size
    assert costs.min() >= 1
    assert costs.max() < 1 + program.TIE_BREAK


def test_of_optimal_explanations_the_cheapest_by_the_tie_break_is_taken():
    table = ij.tabulate(ij.Game.from_host(lambda masks: (masks.sum(axis=1) >= 2).astype(float), 4))
    found = concepts.and_or(table, noise=0.0)
    tied = highs_optimum(table, 0.0, costs=program.tie_break_costs(4))
    assert (program.tie_break_costs(4) * np.abs(found.effects)).sum() == pytest.approx(tied, rel=2e-8)


def test_the_empty_set_and_single_players_have_no_or_effect():
    found = concepts.and_or(np.stack([smooth_table(5), RANDOM.normal(size=32)]))
    single = np.bitwise_count(np.arange(32)) <= 1
    assert not found.or_effects[:, single].any()


def test_a_batch_equals_its_games():
    tables = np.stack([smooth_table(5, seed) for seed in range(2)]).reshape(2, 1, 32)
    found = concepts.and_or(tables)
    assert found.and_effects.shape == (2, 1, 32)
    assert found.loss.shape == (2, 1)
    alone = concepts.and_or(tables[1, 0])
    np.testing.assert_allclose(found[1, 0].effects, alone.effects, atol=1e-5)
    assert alone.loss == pytest.approx(found.loss[1, 0], rel=1e-8)


def test_the_same_table_gives_the_same_bits():
    table = smooth_table(5)
    np.testing.assert_array_equal(concepts.and_or(table).effects, concepts.and_or(table.copy()).effects)


@pytest.mark.parametrize("transform", ["vmap", "jit", "jit of vmap"])
def test_traced_tables_are_solved_in_float64(transform):
    tables = np.stack([smooth_table(5, seed) for seed in range(2)])
    functions = {
        "vmap": jax.vmap(concepts.and_or),
        "jit": jax.jit(concepts.and_or),
        "jit of vmap": jax.jit(jax.vmap(lambda table: concepts.and_or(table, noise=0.04))),
    }
    found = functions[transform](jnp.asarray(tables, jnp.float32))
    assert found.loss.dtype == jnp.float32
    np.testing.assert_allclose(found.loss, concepts.and_or(tables).loss, rtol=1e-5)
    assert np.all(np.asarray(found.gap) <= 1e-4 * np.asarray(found.loss))


def test_units_and_signs_of_the_game_carry_over():
    table = smooth_table(5)
    plain, scaled = concepts.and_or(table), concepts.and_or(-1e6 * table + 7.0)
    np.testing.assert_allclose(scaled.effects, -1e6 * plain.effects, atol=20)
    assert scaled.loss == pytest.approx(1e6 * plain.loss, rel=1e-7)
    assert scaled.empty_value == pytest.approx(-1e6 * table[0] + 7.0)


def test_a_constant_game_needs_no_effect():
    found = concepts.and_or(np.full((2, 32), 3.5))
    assert not found.effects.any()
    np.testing.assert_array_equal(found.loss, 0)
    np.testing.assert_array_equal(found.rebuilt(), 3.5)


def test_the_slope_is_the_derivative_of_the_loss():
    table, step = smooth_table(4, 3), 1e-4
    slope = concepts.and_or(table).slope
    for index in (0, 1, 6, 15):
        moved = np.zeros(16)
        moved[index] = step
        measured = (highs_optimum(table + moved, 0.04) - highs_optimum(table - moved, 0.04)) / (2 * step)
        assert slope[index] == pytest.approx(measured, abs=2e-3)


def test_a_loose_tolerance_takes_fewer_iterations():
    table = smooth_table(5)
    fine, coarse = concepts.and_or(table), concepts.and_or(table, tolerance=1e-3)
    assert coarse.n_iterations < fine.n_iterations
    assert coarse.loss <= fine.loss * (1 + 5e-3)


def test_nan_in_a_traced_table_stays_nan_and_leaves_the_others():
    tables = jnp.asarray(np.stack([smooth_table(5), smooth_table(5)]), jnp.float32).at[0, 3].set(jnp.nan)
    found = jax.vmap(concepts.and_or)(tables)
    assert np.isnan(np.asarray(found.loss[0]))
    assert float(found.loss[1]) == pytest.approx(float(concepts.and_or(smooth_table(5)).loss), rel=1e-5)


def test_explanations_are_saved_and_read(tmp_path):
    found = concepts.and_or(smooth_table(4))
    read = concepts.AndOr.load(found.save(tmp_path / "explanation.npz"))
    np.testing.assert_array_equal(read.effects, found.effects)
    assert read.loss == found.loss


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        (np.zeros(6), {}, "2\\*\\*n values"),
        (np.zeros(2**14), {}, "1 to 13 players .* got 14"),
        (np.array([0.0, 1.0, np.nan, 2.0]), {}, "table must be finite, got 1 of 4 values"),
        (np.array([0.0, 1.0, np.inf, 2.0]), {}, "NaN or infinite"),
        (np.zeros(1), {}, "1 to 13 players .* got 0"),
        (np.zeros(4), {"noise": -0.1}, r"noise must be a number in \[0, 1\], .* got -0.1"),
        (np.zeros(4), {"noise": np.nan}, "noise must be .* got nan"),
        (np.zeros(4) + 1j, {}, "real numbers"),
        (np.zeros((0, 4)), {}, "table must hold at least one game"),
    ],
)
def test_bad_input_is_told(table, options, message):
    with pytest.raises(ValueError, match=message):
        concepts.and_or(table, **options)


@pytest.mark.parametrize("rows", [2, 64, 256, 1024])
def test_the_blocked_factorisation_solves(rows):
    with jax.enable_x64(True):
        square = np.random.default_rng(rows).normal(size=(rows, rows))
        matrix = square @ square.T + rows * np.eye(rows)
        right = np.random.default_rng(1).normal(size=rows)
        found = jax.jit(lambda matrix, right: solver(matrix)(right))(matrix, right)
        np.testing.assert_allclose(found, np.linalg.solve(matrix, right), rtol=1e-9)


@pytest.mark.parametrize("n_players", [1, 4, 8])
def test_the_normal_matrix_is_that_of_the_dense_program(n_players):
    coalitions = 2**n_players
    weights = np.random.default_rng(0).uniform(0.1, 1, (2, coalitions)) * program.effective(n_players)
    with jax.enable_x64(True):
        effects = jnp.eye(2 * coalitions).reshape(-1, 2, coalitions)
        dense = np.asarray(program.rebuild(effects)).T * program.effective(n_players).reshape(-1)
        np.testing.assert_allclose(program._gram(weights), (dense * weights.reshape(-1)) @ dense.T, rtol=1e-12)
        values = np.random.default_rng(1).normal(size=coalitions)
        np.testing.assert_allclose(program.rebuild_transposed(values).reshape(-1), dense.T @ values, atol=1e-10)


def test_a_game_is_tabulated_and_its_players_keep_their_names():
    game = ij.Game.from_table(np.array([0.0, 1.0, 0.0, 4.0]), player_names=["age", "sex"])
    found, plain = ij.concepts.and_or(game, noise=0.0), ij.concepts.and_or(ij.tabulate(game), noise=0.0)
    np.testing.assert_array_equal(found.effects, plain.effects)
    assert found.player_names == ("age", "sex")
    assert plain.player_names == ("player 0", "player 1")
    with pytest.raises(ValueError, match="table must be of 1 to 13 players"):
        ij.concepts.and_or(ij.Game.from_function(lambda mask: mask.sum(), 14))


def test_explanations_of_a_batch_have_the_names_of_all():
    found = ij.concepts.and_or(np.arange(8.0).reshape(2, 4))
    named = dataclasses.replace(found, player_names=("age", "sex"))
    assert named[0].player_names == ("age", "sex")
    np.testing.assert_array_equal(named[1].effects, found.effects[1])
