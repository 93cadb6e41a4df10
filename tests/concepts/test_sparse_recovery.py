"""Sparse concepts of games of many players: planted games, tables with known transforms, and signs of failure."""

import itertools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax.concepts._sparse import _coalition_search, _pursuit, _sparse_recovery

KEY = jax.random.key(0)


def term(masks, players, basis):
    """f_T by its definition."""
    inside = masks[:, list(players)]
    return inside.all(axis=1) * 1.0 if basis == "moebius" else (-1.0) ** inside.sum(axis=1)


def planted(n_players, effects, basis="moebius", noise=0.0):
    """A host game that is a sum of these effects, with noise."""
    random = np.random.default_rng(1)

    def value(masks):
        total = sum(effect * term(masks, players, basis) for players, effect in effects.items())
        return 0.7 + total + noise * random.normal(size=len(masks))

    return ij.Game.from_host(value, n_players)


def random_effects(n_players, count, seed=0, smallest=1, largest=4):
    random = np.random.default_rng(seed)
    found = {}
    while len(found) < count:
        players = random.choice(n_players, random.integers(smallest, largest + 1), replace=False)
        found[tuple(sorted(players.tolist()))] = random.choice([-1, 1]) * random.uniform(0.3, 2)
    return found


def with_subsets(effects):
    return {part: effect for players, effect in effects.items() for part in subsets_of(players)}


def subsets_of(players):
    return [part for size in range(1, len(players) + 1) for part in itertools.combinations(players, size)]


def recover(game, key=KEY, **keywords):
    return ij.concepts.sparse_concepts(key, game, **({"budget": 3000} | keywords))


def unreliable(game, message, **keywords):
    with pytest.warns(UserWarning, match=message):
        found = recover(game, **keywords)
    assert not found.reliable
    return found


def assert_recovered(found, effects, rtol=1e-6):
    came = found.to_dict()
    assert set(came) == set(effects)
    np.testing.assert_allclose([came[players] for players in effects], list(effects.values()), rtol=rtol)


@pytest.mark.parametrize("basis", ["moebius", "fourier"])
@pytest.mark.parametrize("n_players", [12, 40])
def test_planted_effects_are_recovered_exactly(basis, n_players):
    effects = random_effects(n_players, 20)
    found = recover(planted(n_players, effects, basis), basis=basis)
    assert_recovered(found, effects)
    assert found.reliable
    assert found.empty_effect == pytest.approx(0.7, abs=1e-9)
    assert found.faithfulness == pytest.approx(1.0, abs=1e-12)
    np.testing.assert_allclose(found.share_faithfulness, 1.0, atol=1e-9)


@pytest.mark.parametrize("basis", ["moebius", "fourier"])
def test_hierarchical_effects_are_recovered_exactly(basis):
    effects = with_subsets(random_effects(30, 6, smallest=3))
    assert_recovered(recover(planted(30, effects, basis), basis=basis), effects)


def test_groups_without_any_smaller_trace_are_found():
    effects = random_effects(50, 12, smallest=4)
    assert_recovered(recover(planted(50, effects, "fourier"), basis="fourier"), effects)


@pytest.mark.long
def test_two_hundred_players():
    effects = random_effects(200, 20, largest=3)
    assert_recovered(recover(planted(200, effects), max_size=3), effects)


@pytest.mark.slow
@pytest.mark.parametrize("basis", ["moebius", "fourier"])
def test_two_hundred_players_and_groups_of_four(basis):
    effects = random_effects(200, 50)
    found = ij.concepts.sparse_concepts(KEY, planted(200, effects, basis), basis=basis)
    assert_recovered(found, effects)
    assert found.n_forwards <= 16_384


def test_masks_of_mostly_present_players():
    effects = random_effects(30, 12)
    found = recover(planted(30, effects), present=0.75)
    assert_recovered(found, effects)
    assert found.present == 0.75


@pytest.mark.parametrize("basis", ["moebius", "fourier"])
def test_noise_leaves_effects_within_their_errors(basis):
    effects = random_effects(30, 15)
    found = recover(planted(30, effects, basis, noise=0.05), basis=basis)
    came = found.to_dict()
    assert set(came) == set(effects)
    errors = np.array([came[players] - effects[players] for players in came]) / found.stderr
    assert np.abs(errors).max() < 4.5
    assert 0.5 < np.sqrt(np.mean(errors**2)) < 1.6
    assert 0.99 < found.faithfulness < 1.0


def test_fourier_effects_are_the_walsh_coefficients_of_a_real_game(data_folder):
    table = np.load(data_folder / "games" / "resnet14_0.npz")["table"].astype(np.float64)
    exact = ij.walsh_hadamard(table)
    found = recover(ij.Game.from_table(table), basis="fourier", budget=5000)
    true = np.array([exact[sum(1 << player for player in players)] for players in found.to_dict()])
    assert len(true) > 20
    assert np.abs((found.effects - true) / found.stderr).max() < 5


@pytest.mark.parametrize("name", ["resnet14_0", "sentiment14_0"])
def test_held_out_faithfulness_is_that_on_all_coalitions(data_folder, name):
    table = np.load(data_folder / "games" / f"{name}.npz")["table"].astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = recover(ij.Game.from_table(table), basis="fourier")
    masks = (np.arange(len(table))[:, None] >> np.arange(14)) & 1 == 1
    exact = 1 - np.mean((table - found.value(masks)) ** 2) / table.var()
    reach = found.interval[1] - found.interval[0]
    assert abs(found.faithfulness - exact) < reach  # twice the half-width
    assert 0.001 < reach < 0.3


def test_a_masked_network():
    weights = jax.random.normal(jax.random.key(3), (24, 8)) / 5
    players = ij.Players.features(24)
    game = ij.masked_game(
        lambda x: jnp.tanh(x @ weights) @ jnp.ones((8, 2)), jnp.ones(24), players=players, baseline=0.0,
        output=lambda logits: logits[0],
    )  # fmt: skip
    found = recover(game, max_size=2)
    masks = np.random.default_rng(5).random((1000, 24)) < 0.5
    values = np.asarray(game(masks))
    exact = 1 - np.mean((values - found.value(masks)) ** 2) / values.var()
    assert found.reliable
    assert found.faithfulness == pytest.approx(exact, abs=0.03)
    assert {len(players) for players in found.to_dict()} == {1, 2}


def test_a_dense_game_is_not_reliable():
    table = np.random.default_rng(2).normal(size=2**14)
    found = unreliable(ij.Game.from_table(table), "held-out R\\^2 is only known to be above")
    assert len(found.effects) < 5
    assert found.interval[1] < 0.1


def test_a_parity_of_seven_is_not_reliable():
    game = ij.Game.from_host(lambda masks: masks[:, 3:10].sum(axis=1) % 2, 30)
    found = unreliable(game, "is no sum of few effects", basis="fourier")
    assert found.to_dict() == {}
    assert found.faithfulness < 0.01


def test_a_constant_game_is_not_reliable():
    found = unreliable(ij.Game.from_host(lambda masks: np.full(len(masks), 2.5), 30), "same value on every")
    assert np.isnan(found.faithfulness)
    assert found.empty_effect == 2.5


def test_few_players_leave_nothing_to_hold_out():
    found = unreliable(planted(2, {(0, 1): 1.0}), "only 1 coalitions could be held out")
    assert found.max_size == 2


def test_too_few_terms_are_reported():
    game = planted(20, random_effects(20, 12))
    found = unreliable(game, "max_terms = 5, more would have been found", max_terms=5)
    assert len(found.to_dict()) == 5


def test_a_stricter_demand_makes_it_unreliable():
    game = planted(30, random_effects(30, 8), noise=0.3)
    found = recover(game)
    assert found.reliable
    unreliable(game, "is wanted", least_faithfulness=float(found.faithfulness) + 0.01)


def test_coalitions_outside_the_drawn_shares_are_named():
    """Nearly complete coalitions hold an effect of 12 players, which those half complete never show."""
    effects = random_effects(30, 8) | {tuple(range(12)): 30.0}
    found = recover(planted(30, effects), least_faithfulness=0.5)
    assert found.reliable
    assert found.share_faithfulness[-1] < 0.5
    assert "less than 0.5 on coalitions with a share of" in found.reason
    assert found.reason.endswith("0.9 of the players")


def spoiled(share):
    effects = random_effects(30, 10)
    game = planted(30, effects)

    def value(masks):
        values = game(masks)
        values[np.arange(len(values)) % round(1 / share) == 0] = np.nan
        return values

    return ij.Game.from_host(value, 30), effects


def test_few_values_that_are_not_finite_are_left_out_and_counted():
    game, effects = spoiled(0.005)
    with pytest.warns(UserWarning, match="15 values of the game are NaN"):
        found = recover(game)
    assert found.reliable
    assert found.n_nonfinite == 15
    assert_recovered(found, effects)


def test_many_values_that_are_not_finite_make_it_unreliable():
    game, _ = spoiled(0.1)
    assert unreliable(game, "are NaN or infinite, more than 1%").n_nonfinite == 300


def test_a_game_without_any_finite_value():
    game = ij.Game.from_host(lambda masks: np.full(len(masks), np.nan), 20)
    found = unreliable(game, "NaN or infinite, more than 1%")
    assert found.n_nonfinite == found.n_forwards
    assert found.to_dict() == {}
    assert np.isnan(found.empty_effect)


def test_no_coalition_is_evaluated_twice():
    seen = []

    def value(masks):
        seen.append(masks.copy())
        return masks[:, 0] * 1.0

    found = recover(ij.Game.from_host(value, 12))
    masks = np.concatenate(seen)
    assert len(np.unique(masks, axis=0)) == len(masks) == found.n_forwards < 3000


def test_same_key_same_answer_at_any_batch_size():
    game = ij.Game.from_function(lambda s: jnp.sin(s[0] + 2.0 * s[1] * s[7] + s[3] * s[4] * s[5]), 20)
    first, second = recover(game), recover(game, batch_size=100)
    assert first.to_dict() == second.to_dict()
    assert first.faithfulness == second.faithfulness
    other = recover(game, jax.random.key(1))
    assert other.to_dict() != first.to_dict()


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_units_of_the_values_do_not_matter(scale):
    effects = {(1, 4): 1.0 * scale, (2,): -0.5 * scale}
    game = ij.Game.from_host(lambda m: sum(e * term(m, t, "moebius") for t, e in effects.items()), 20)
    assert_recovered(recover(game), effects)


def test_single_precision_is_not_taken_for_effects():
    game = ij.Game.from_function(lambda s: 1000.0 + 1.0 * s[0] * s[1] - 0.3 * s[2] * s[5] * s[6], 30)
    assert_recovered(recover(game), {(0, 1): 1.0, (2, 5, 6): -0.3}, rtol=1e-3)


@pytest.mark.parametrize("basis", ["moebius", "fourier"])
def test_value_and_dividends(basis):
    effects = random_effects(7, 9)
    found = recover(planted(7, effects, basis), basis=basis, budget=1000)
    table = found.value((np.arange(128)[:, None] >> np.arange(7)) & 1 == 1)
    exact = ij.moebius(table)
    came = np.zeros(128)
    for players, effect in found.dividends().items():
        came[sum(1 << player for player in players)] = effect
    np.testing.assert_allclose(came, exact, atol=1e-9)


def test_value_rejects_masks_of_other_players():
    with pytest.raises(ValueError, match=r"shape \(batch, 12\)"):
        recover(planted(12, {(0,): 1.0})).value(np.zeros((3, 5), bool))


def test_save_and_load(tmp_path):
    found = recover(planted(20, random_effects(20, 5)))
    again = ij.concepts.SparseConcepts.load(found.save(tmp_path / "concepts"))
    assert again.to_dict() == found.to_dict()
    assert (again.reliable, again.reason, again.n_forwards) == (found.reliable, found.reason, found.n_forwards)
    np.testing.assert_array_equal(again.interval, found.interval)


def test_regression_is_least_squares_and_drops_dependent_columns():
    random = np.random.default_rng(0)
    masks, values = random.random((100, 6)) < 0.5, random.normal(size=100)
    regression = _pursuit._Regression(_coalition_search.columns(masks, "moebius"), values, 2, 1e-16)
    regression.add(np.array([[0, 1], [2, -1], [0, 1], [3, 4]], np.int32))
    assert regression.coalitions.tolist() == [[0, 1], [2, -1], [3, 4]]
    columns = np.stack([np.ones(100), *(term(masks, players, "moebius") for players in [(0, 1), (2,), (3, 4)])], axis=1)
    exact = np.linalg.lstsq(columns, values)[0]
    errors = values - columns @ exact
    covariance = np.linalg.inv(columns.T @ columns) * (errors @ errors) / 96
    np.testing.assert_allclose([regression.intercept, *regression.effects], exact, rtol=1e-10)
    np.testing.assert_allclose(regression.stderr(), np.sqrt(np.diag(covariance))[1:], rtol=1e-8)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("basis", ["moebius", "fourier"])
def test_screening_finds_the_highest_correlations(monkeypatch, basis, size):
    monkeypatch.setattr(_coalition_search, "_KEPT", 10)
    monkeypatch.setattr(_coalition_search, "_BLOCK", (4, 8))
    random = np.random.default_rng(0)
    masks, residual = random.random((200, 11)) < 0.5, random.normal(size=200)
    residual -= residual.mean()
    search = _coalition_search.CoalitionSearch(_coalition_search.columns(masks, basis), 4)
    pool, _ = search(residual, np.zeros((0, 4), np.int32))
    came = [tuple(row[:size].tolist()) for row in pool if np.sum(row >= 0) == size]
    every = list(itertools.combinations(range(11), size))
    best = sorted(every, key=lambda players: -abs(term(masks, players, basis) @ residual))[:10]
    assert came == best


def test_screening_on_few_rows_is_rescored_on_all(monkeypatch):
    monkeypatch.setattr(_coalition_search, "_OPERATIONS", 0)
    monkeypatch.setattr(_coalition_search, "_LEAST_ROWS", 500)
    monkeypatch.setattr(_coalition_search, "_RESCORED", 4000)
    effects = random_effects(30, 15)
    assert_recovered(recover(planted(30, effects)), effects)


def test_where_candidates_are_too_many_larger_ones_are_grown(monkeypatch):
    monkeypatch.setattr(_coalition_search, "_MOST_CANDIDATES", 1000)  # pairs of 30 players are 435, triples 4060
    effects = random_effects(30, 12)
    found = recover(planted(30, effects))
    assert_recovered(found, effects)
    assert found.screened_size == 2


def test_held_out_r_squared_and_its_error():
    """The interval holds the true R^2 in about 95 of 100 samples."""
    random = np.random.default_rng(0)
    holds = 0
    for _ in range(400):
        rebuilt = random.normal(size=200)
        score, (low, high) = _sparse_recovery._r_squared(rebuilt + 0.5 * random.normal(size=200), rebuilt)
        assert low < score < high
        holds += low < 1 - 0.25 / 1.25 < high
    assert 360 <= holds <= 392


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"key": 0}, "random key"),
        ({"game": np.zeros(8)}, "ij.Game of at least 2 players"),
        ({"game": planted(1, {(0,): 1.0})}, "at least 2 players"),
        ({"max_size": 5}, "integer from 1 to 4"),
        ({"max_size": 0}, "integer from 1 to 4"),
        ({"budget": 99}, "at least 100"),
        ({"budget": 1e4}, "at least 100"),
        ({"basis": "walsh"}, "moebius, fourier"),
        ({"present": 0.0}, r"\[0\.05, 0\.95\]"),
        ({"present": float("nan")}, r"\[0\.05, 0\.95\]"),
        ({"least_faithfulness": 1.0}, r"least_faithfulness must be a number in \(0, 1\)"),
        ({"max_terms": 0}, "max_terms must be an integer of at least 1"),
    ],
)
def test_bad_arguments(keywords, message):
    arguments = {"key": KEY, "game": planted(5, {(0,): 1.0})} | keywords
    with pytest.raises(ValueError, match=message):
        ij.concepts.sparse_concepts(arguments.pop("key"), arguments.pop("game"), **arguments)


def test_effects_within_rounding_are_not_called_reliable():
    """Twelve effects of 0.001, of which sums inside the game keep 0.001."""

    def game(mask):
        hidden = 1e4 * (1 + mask[0].astype(jnp.float32))
        return (1e-3 * mask.sum() + hidden) - hidden

    with pytest.warns(UserWarning, match="not reliable"):
        found = ij.concepts.sparse_concepts(jax.random.key(0), ij.Game.from_function(game, 12))
    assert not found.reliable
    assert found.coalitions.shape[0] <= 13


def test_the_table_names_the_players_of_each_effect():
    names = [f"word {number}" for number in range(30)]
    game = ij.Game.from_function(lambda s: 2.0 * s[0] * s[19] - 1.0 * s[4], 30, player_names=names)
    found = ij.concepts.sparse_concepts(KEY, game, max_size=2, budget=1000)
    assert found.player_names == tuple(names)
    heading, first, second = found.table().splitlines()
    assert heading.split() == ["effect", "stderr", "players"]
    assert (first.split()[0], first.split("  ")[-1]) == ("2", "word 0 & word 19")
    assert (second.split()[0], second.split("  ")[-1]) == ("-1", "word 4")
    assert found.table(1).endswith("the strongest 1 of 2")
