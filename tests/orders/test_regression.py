"""All pairs by regression: exact where sizes are enumerated, unbiased elsewhere, with honest errors."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support import brute_force as brute

import interjax as ij
from interjax.orders import _quadratic, _regression
from interjax.orders._quadratic import Quadratic, fit_quadratic
from interjax.orders._samples import FOLDS, draw_samples

N = 12
ORDERS = [3, 5, 7]
PAIRS = list(itertools.combinations(range(N), 2))
MASKS = (np.arange(2**N)[:, None] >> np.arange(N)) & 1 == 1
RANDOM = np.random.default_rng(0)
COUPLING = RANDOM.normal(size=(N, N))
QUADRATIC = np.einsum("sk,kl,sl->s", MASKS, COUPLING, MASKS) + MASKS.sum(axis=1) ** 2
TABLES = {
    "noise": RANDOM.normal(size=2**N) + 3.0,
    "quadratic": QUADRATIC,
    "saturated": np.tanh((QUADRATIC - MASKS.sum(axis=1) ** 2) / 10) + 0.02 * RANDOM.normal(size=2**N),
}


def regress(seed, game, **settings):
    return ij.order_interactions(jax.random.key(seed), game, method="regression", **settings, exact=False)


def of_pairs(table, orders=ORDERS):
    first, second = np.transpose(PAIRS)
    return np.asarray(ij.exact_order_interactions(table))[orders][:, first, second]


@pytest.fixture(scope="module", params=TABLES)
def repeats(request):
    """Errors and standard errors of 60 keys: (repeats, orders, pairs)."""
    table = TABLES[request.param]
    found = [regress(seed, ij.Game.from_table(table), orders=ORDERS, contexts=16) for seed in range(60)]
    assert all((one.count >= 2).all() and one.stderr.all() for one in found)
    return np.stack([one.mean for one in found]) - of_pairs(table), np.stack([one.stderr for one in found])


def test_estimates_are_unbiased(repeats):
    error, _ = repeats
    z = error.mean(0) / (error.std(0, ddof=1) / np.sqrt(len(error)))
    assert np.abs(z).max() < 5.5
    assert 0.5 < np.mean(z**2) < 2.0  # 198 correlated values
    of_orders = error.mean(-1).mean(0) / (error.mean(-1).std(0, ddof=1) / np.sqrt(len(error)))
    assert np.abs(of_orders).max() < 4


def test_intervals_cover(repeats):
    error, stderr = repeats
    assert 0.92 < np.mean(np.abs(error) < 1.96 * stderr) < 0.98


def test_enumerated_orders_are_the_definition():
    table = np.random.default_rng(1).normal(size=2**6) + 10.0
    found = regress(0, ij.Game.from_table(table), contexts=100)
    truth = [[brute.exact_order(table, tuple(pair), m) for pair in found.pairs.tolist()] for m in range(5)]
    np.testing.assert_allclose(found.mean, truth, atol=1e-12)
    np.testing.assert_allclose(found.stderr, 0.0, atol=1e-13)  # the rounding of float64
    assert found.count[:, 0].tolist() == [1, 4, 6, 4, 1]


def test_end_orders_are_exact_however_few_contexts():
    found = regress(0, ij.Game.from_table(TABLES["noise"]), orders=[0, N - 2], contexts=1)
    np.testing.assert_allclose(found.mean, of_pairs(TABLES["noise"], [0, N - 2]), atol=1e-12)
    np.testing.assert_allclose(found.stderr, 0.0, atol=1e-13)  # the rounding of float64


@pytest.mark.parametrize("n_players", [2, 3, 4])
def test_the_smallest_games_are_exact(n_players):
    table = np.arange(2.0**n_players) ** 2
    found = regress(0, ij.Game.from_table(table), contexts=3)
    truth = [[brute.exact_order(table, tuple(pair), m) for pair in found.pairs.tolist()] for m in found.orders]
    np.testing.assert_allclose(found.mean, truth, atol=1e-9)


def test_a_quadratic_game_is_recovered():
    """Its contexts differ in value by hundreds of times the error that is left."""
    found = regress(0, ij.Game.from_table(QUADRATIC), orders=[5], contexts=100)
    assert found.stderr.any()
    error = np.sqrt(np.mean((found.mean - of_pairs(QUADRATIC, [5])) ** 2))
    assert error < 0.005 * QUADRATIC.std()


def test_the_model_takes_noise_away_and_adds_none(monkeypatch):
    """Against plain stratified means of the same coalitions."""

    def error(table):
        found = [regress(seed, ij.Game.from_table(table), orders=[5], contexts=16) for seed in range(10)]
        return np.mean([(one.mean - of_pairs(table, [5])) ** 2 for one in found])

    with_model = {name: error(table) for name, table in TABLES.items()}
    nothing = Quadratic(0.5, np.zeros(N), np.zeros((N, N)))
    monkeypatch.setattr(_regression, "fit_quadratic", lambda *_: nothing)
    without = {name: error(table) for name, table in TABLES.items()}
    assert with_model["noise"] < 1.1 * without["noise"]
    assert with_model["saturated"] < 0.5 * without["saturated"]
    assert with_model["quadratic"] < 0.1 * without["quadratic"]


def sample_of_sizes(rows=400):
    masks = np.concatenate([MASKS[MASKS.sum(axis=1) == size][:rows] for size in (5, 6, 7)])
    return masks, masks.sum(axis=1) - 5


def design(masks, centre):
    """Features of coefficients M in full: (rows, n^2)."""
    z = masks - centre
    products = z[:, :, None] * z[:, None, :]
    products[:, np.arange(N), np.arange(N)] = z
    return products.reshape(len(masks), -1)


def blocks_of(masks, size):
    belongs = (size[:, None] == np.arange(3)).astype(np.float32)
    features = _quadratic._Features(
        jnp.asarray(masks[None]), jnp.asarray(belongs[None]), jnp.ones(N, bool), jnp.float32(0.5)
    )
    within = np.eye(len(masks)) - belongs @ np.diag(1 / belongs.sum(axis=0)) @ belongs.T
    return features, within @ design(masks, 0.5)


def test_the_operator_without_a_matrix_is_that_of_the_matrix():
    masks, size = sample_of_sizes()
    features, dense = blocks_of(masks, size)
    symmetric = COUPLING + COUPLING.T
    np.testing.assert_allclose(features.normal(symmetric).ravel(), dense.T @ dense @ symmetric.ravel(), rtol=2e-4)
    r = np.random.default_rng(0).normal(size=len(masks))
    np.testing.assert_allclose(features.adjoint(jnp.asarray(r[None])).ravel(), dense.T @ r, atol=1e-3)


def test_the_operator_is_self_adjoint():
    masks, size = sample_of_sizes()
    features, _ = blocks_of(masks, size)
    one, other = COUPLING + COUPLING.T, np.random.default_rng(2).normal(size=(N, N))
    other = other + other.T
    np.testing.assert_allclose(np.vdot(features.normal(one), other), np.vdot(one, features.normal(other)), rtol=1e-5)


def test_conjugate_gradients_reach_the_dense_ridge_solution():
    masks, size = sample_of_sizes()
    features, dense = blocks_of(masks, size)
    target = np.random.default_rng(3).normal(size=len(masks))
    right = features.adjoint(jnp.asarray(target[None]))
    ridge = 30.0
    found = _quadratic._conjugate_gradients(lambda u: features.normal(u) + ridge * u, right, 60)
    solved = np.linalg.solve(dense.T @ dense + ridge * np.eye(N * N), dense.T @ target)
    np.testing.assert_allclose(found.ravel(), solved, atol=1e-4)


@pytest.mark.parametrize(("has_first", "has_second"), [(True, True), (True, False), (False, True), (False, False)])
def test_means_of_the_quadratic_in_a_stratum_are_exact(has_first, has_second):
    quadratic = Quadratic(0.4, COUPLING[0], (COUPLING + COUPLING.T) * (1 - np.eye(N)))
    order = 5
    size = order + has_first + has_second
    of_size = MASKS[MASKS.sum(axis=1) == size]
    mean = quadratic.mean_in_stratum(has_first, has_second, order / (N - 2), order * (order - 1) / (N - 2) / (N - 3))
    for i, j in [(0, 1), (3, 7), (11, 2)]:
        stratum = of_size[(of_size[:, i] == has_first) & (of_size[:, j] == has_second)]
        np.testing.assert_allclose(mean[i, j], quadratic(stratum).mean())


def test_noise_is_not_fitted():
    masks, size = sample_of_sizes()
    fitted = fit_quadratic(masks, size, np.random.default_rng(5).normal(size=len(masks)), 0.5)
    assert np.var(fitted(MASKS)) < 0.1


def test_estimates_and_errors_are_those_of_a_twin_that_lists_every_coalition():
    """The same draws and fits, every stratum listed coalition by coalition and pair by pair."""
    table, order, contexts = TABLES["saturated"], 5, 16
    found = regress(3, ij.Game.from_table(table), orders=[order], contexts=contexts)
    index = 1 << np.arange(N)
    samples = draw_samples(jax.random.key(3), N, order, contexts, lambda m: table[m @ index], np.ones(N, bool))
    assert not any(sample.enumerated for sample in samples)
    models = []
    for fold in range(FOLDS):
        use = [sample.fold != fold for sample in samples]
        masks = np.concatenate([sample.masks[rows] for sample, rows in zip(samples, use, strict=True)])
        values = np.concatenate([sample.values[rows] for sample, rows in zip(samples, use, strict=True)])
        models.append(fit_quadratic(masks, masks.sum(axis=1) - order, values, (order + 1) / N))
    for place, (i, j) in enumerate(PAIRS):
        mean, variance = 0.0, 0.0
        for has_i, has_j in itertools.product([False, True], repeat=2):
            sample = samples[has_i + has_j]
            every = MASKS[(MASKS.sum(1) == order + has_i + has_j) & (MASKS[:, i] == has_i) & (MASKS[:, j] == has_j)]
            rows = (sample.masks[:, i] == has_i) & (sample.masks[:, j] == has_j)
            all_rest = sample.values - np.choose(sample.fold, [model(sample.masks) for model in models])
            fitted = np.choose(sample.fold[rows], [model(every).mean() for model in models])
            corrected = all_rest[rows] + fitted
            mean += (1 if has_i == has_j else -1) * (corrected.mean() + sample.shift)
            spread = len(corrected) * corrected.var() + 4 * all_rest.var()
            variance += spread / (len(corrected) + 3) / len(corrected)
        np.testing.assert_allclose(found.mean[0, place], mean, atol=1e-9)
        np.testing.assert_allclose(found.stderr[0, place], np.sqrt(variance), rtol=1e-9)


@pytest.mark.parametrize("settings", [{"batch_size": 7}, {"batch_size": 512}, {"mesh": 8}], ids=str)
def test_the_same_key_gives_the_same_answer_at_any_batch_size_and_mesh(settings):
    game = ij.Game.from_function(lambda s: jnp.sin(jnp.dot(jnp.arange(N) / 5.0, s.astype(float))), N)
    if "mesh" in settings:
        settings = {"mesh": jax.sharding.Mesh(np.array(jax.devices()), ("rows",))}
    usual = regress(5, game, orders=ORDERS, contexts=10)
    other = regress(5, game, orders=ORDERS, contexts=10, **settings)
    # Values round to 1e-7; the quadratic is solved in float32 and passes that on a thousandfold.
    assert (np.abs(other.mean - usual.mean) <= 0.005 * usual.stderr).all()
    np.testing.assert_allclose(other.stderr, usual.stderr, rtol=2e-3)
    assert not np.allclose(regress(6, game, orders=ORDERS, contexts=10).mean, usual.mean, atol=1e-3)


def test_some_pairs_are_rows_of_all():
    game = ij.Game.from_table(TABLES["saturated"])
    every = regress(1, game, orders=[4], contexts=2)  # few contexts: some strata are topped up
    some = regress(1, game, orders=[4], contexts=2, pairs=[PAIRS[3], PAIRS[40]])
    np.testing.assert_allclose(some.mean, every.mean[:, [3, 40]], atol=1e-12)
    np.testing.assert_allclose(some.stderr, every.stderr[:, [3, 40]], atol=1e-12)
    assert (every.count >= 2).all()


def test_one_context_is_topped_up_and_unbiased():
    table = TABLES["saturated"]
    found = [regress(seed, ij.Game.from_table(table), orders=[5], contexts=1) for seed in range(40)]
    error = np.stack([one.mean for one in found]) - of_pairs(table, [5])
    z = error.mean(0) / (error.std(0, ddof=1) / np.sqrt(len(error)))
    assert 0.6 < np.mean(z**2) < 1.6
    assert all(np.isfinite(one.stderr).all() for one in found)


def test_networks_folded_or_not_give_the_same_and_null_players_are_zero():
    x = np.random.default_rng(0).normal(size=(6, 6, 1)).astype(np.float32)
    x[:2, :2] = 0.0  # the first player equals the baseline
    network = ij.networks.build("mlp", (6, 6, 1), 3, hidden=(16,))
    players = ij.Players.grid((6, 6, 1), (3, 3))
    folded, plain = (
        regress(0, ij.masked_games(network, x[None], [0], players=players, fold=fold)[0], orders=[3], contexts=5)
        for fold in (True, False)
    )
    np.testing.assert_allclose(folded.mean, plain.mean, atol=1e-4)
    of_null = (folded.pairs == 0).any(axis=1)
    np.testing.assert_array_equal(folded.mean[:, of_null], 0.0)
    np.testing.assert_array_equal(folded.stderr[:, of_null], 0.0)
    assert (folded.stderr[:, ~of_null] > 0).all()


def test_a_wide_folded_layer_is_computed_in_blocks():
    x = np.random.default_rng(0).normal(size=(8,)).astype(np.float32)
    network = ij.networks.build("mlp", (8,), 3, hidden=(1024,))  # so wide that a batch does not fit a core's cache
    folded, plain = (
        regress(0, ij.masked_game(network, x, players=ij.Players.features(8), fold=fold), orders=[3], contexts=5)
        for fold in (True, False)
    )
    np.testing.assert_allclose(folded.mean, plain.mean, atol=1e-4)


def test_nan_from_the_game_is_reported_and_stays_where_it_belongs():
    bad = MASKS[:, 0] & MASKS[:, 1] & (MASKS.sum(axis=1) == 7)  # of the pairs' strata of order 5, only "both in"
    table = np.where(bad, np.nan, TABLES["saturated"])
    with pytest.warns(UserWarning, match="NaN or infinite"):
        found = regress(0, ij.Game.from_table(table), orders=[5], contexts=30)
    assert np.isnan(found.mean[0, 0])
    assert np.isnan(found.stderr[0, 0])
    assert found.n_nonfinite > 0
    away = regress(0, ij.Game.from_table(table), orders=[1], contexts=30)
    assert np.isfinite(away.mean).all()
    with pytest.warns(UserWarning, match="NaN or infinite"):
        nothing = regress(0, ij.Game.from_host(lambda masks: np.full(len(masks), np.inf), N), orders=[5], contexts=4)
    assert np.isnan(nothing.mean).all()


def test_a_constant_game_has_no_interactions():
    found = regress(0, ij.Game.from_host(lambda masks: np.full(len(masks), 7.0), N), orders=[5], contexts=4)
    np.testing.assert_array_equal(found.mean, 0.0)
    np.testing.assert_allclose(found.stderr, 0.0, atol=1e-13)  # the rounding of float64


def test_256_players_run_in_little_memory():
    weights = np.random.default_rng(0).normal(size=256)
    game = ij.Game.from_host(lambda masks: np.tanh(masks @ weights / 8), 256)
    found = regress(0, game, orders=[127], contexts=20)
    assert found.mean.shape == (1, 256 * 255 // 2)
    assert np.isfinite(found.mean).all()
    assert (found.stderr > 0).all()
    assert found.n_forwards < 2000


def test_only_pairs_are_regressed():
    with pytest.raises(ValueError, match="measures pairs"):
        regress(0, ij.Game.from_table(np.zeros(16)), size=3)


def test_a_profile_is_not_regressed():
    with pytest.raises(ValueError, match="order_interactions"):
        ij.order_profile(jax.random.key(0), ij.Game.from_table(np.zeros(16)), method="regression", exact=False)


def test_fewer_contexts_take_no_more_passes():
    """Pairs that would lack coalitions in their rarest stratum share more of them, where that takes fewer passes."""
    game = ij.Game.from_host(lambda masks: np.tanh(masks @ np.linspace(-1, 1, 24)), 24)
    found = [
        ij.order_interactions(
            jax.random.key(0), game, orders=[2, 11], contexts=contexts, method="regression", exact=False
        )
        for contexts in (1, 2, 3, 4, 5, 8)
    ]
    passes = [one.n_forwards for one in found]
    assert passes == sorted(passes)
    errors = np.array([np.sqrt(np.mean(one.stderr**2, axis=1)) for one in found])
    assert np.all(errors[1:] < 1.1 * errors[:-1])
