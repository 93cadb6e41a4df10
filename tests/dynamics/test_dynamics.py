"""Learning dynamics: gradients over contexts against all contexts enumerated, profiles of checkpoints, their plots."""

import dataclasses
import functools
import itertools

import chex
import flax.linen as linen
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import pytest
from flax import nnx
from matplotlib.figure import Figure
from support.running import Killed, kill_at

import interjax as ij
from interjax import dynamics, plots
from interjax.dynamics import _context_gradients, _profiles
from interjax.dynamics._gradients import gradient_statistics
from interjax.dynamics._profiles import checkpoint_profiles
from interjax.orders._theory import context_variance

KEY = jax.random.key(5)
N = 6
PLAYERS = ij.Players.features(N)
RANDOM = np.random.default_rng(2)
X = RANDOM.normal(size=(2, N)).astype(np.float32)
X[1, 3] = 0.0  # a player that changes nothing
Y = np.array([1, 2])


def first_logit(logits):
    return logits[0]


first = first_logit


# v = sum over i < j < k of theta_ijk z_i z_j z_k: g(S) has a 1 for each k in S, so its moments are known.
TRIPLES = np.array(list(itertools.combinations(range(8), 3)))


def triples(theta, x):
    return (jnp.prod(x[:, TRIPLES], axis=2) @ theta)[:, None]


def mlp(params, x):
    return jnp.tanh(x @ params["in"] + params["bias"][None]) @ params["out"]


WEIGHTS = {
    "in": RANDOM.normal(size=(N, 5)).astype(np.float32),
    "bias": RANDOM.normal(size=5).astype(np.float32),
    "out": RANDOM.normal(size=(5, 3)).astype(np.float32),
}


def measure(key=KEY, model=(mlp, WEIGHTS), x=X, labels=Y, **options):
    return gradient_statistics(key, model, x, labels, **({"players": PLAYERS, "pairs": "all"} | options))


def enumerated(function, params, x, label):
    """Variance over all contexts and squared mean of the gradient, (orders, pairs) each, by the full Jacobian."""
    masks = np.array(list(itertools.product([False, True], repeat=N)))
    output = ij.log_odds(label)
    values = jax.jit(jax.jacobian(lambda p: jax.vmap(output)(function(p, jnp.where(masks, x, 0.0)))))
    jacobian = values(params)
    rows = np.concatenate([np.asarray(leaf, float).reshape(2**N, -1) for leaf in jax.tree.leaves(jacobian)], axis=1)
    gradient = {tuple(np.flatnonzero(mask)): row for mask, row in zip(masks, rows, strict=True)}
    variance, squares = np.zeros((2, N - 1, N * (N - 1) // 2))
    for number, (i, j) in enumerate(itertools.combinations(range(N), 2)):
        others = [k for k in range(N) if k not in (i, j)]
        for order in range(N - 1):
            parts = [
                [gradient[tuple(sorted((*context, *added)))] for added in ((i, j), (i,), (j,), ())]
                for context in itertools.combinations(others, order)
            ]
            found = np.array([both - one - other + none for both, one, other, none in parts])
            variance[order, number] = found.var(axis=0).sum()
            squares[order, number] = np.sum(found.mean(axis=0) ** 2)
    return variance, squares


def test_additive_contexts_have_the_known_variance_and_mean():
    n = 8
    theta, x, players = jnp.zeros(len(TRIPLES)), np.ones((1, n), np.float32), ij.Players.features(n)
    with pytest.warns(UserWarning, match=r"not positive at orders \[0\]"):  # three players do not meet there
        found = measure(model=(triples, theta), x=x, labels=[0], players=players, output=first, contexts=60)
    share = found.orders / (n - 2)
    variance, squares = (n - 2) * share * (1 - share), (n - 2) * share**2
    np.testing.assert_allclose(found.variance[[0, -1]], 0.0)
    np.testing.assert_allclose(found.squared_mean[[0, -1]], squares[[0, -1]], rtol=1e-6)
    inner = slice(1, -1)
    assert np.all(np.abs(found.variance - variance)[inner] < 4 * found.variance_stderr[inner] + 1e-6)
    assert np.all(np.abs(found.squared_mean - squares)[inner] < 4 * found.squared_mean_stderr[inner])
    assert np.all(found.variance_stderr[inner] < 0.03 * variance[inner])
    np.testing.assert_allclose(found.variance / found.variance.mean(), context_variance(n), rtol=0.03)


def test_estimates_are_unbiased_for_the_enumerated_moments():
    """Few contexts, many keys: the mean over keys is that of all contexts."""
    exact = [enumerated(mlp, WEIGHTS, x, int(label)) for x, label in zip(X, Y, strict=True)]
    variance, squares = (np.stack([one[part].mean(axis=1) for one in exact]) for part in (0, 1))
    found = [measure(jax.random.key(seed), contexts=4) for seed in range(40)]
    for name, truth in (("variance_by_input", variance), ("squared_mean_by_input", squares)):
        values = np.stack([getattr(one, name) for one in found])
        np.testing.assert_allclose(
            values[:, :, [0, -1]], np.broadcast_to(truth, values.shape)[:, :, [0, -1]], 1e-3, 1e-9
        )
        inner = values[:, :, 1:-1]
        z = (inner.mean(axis=0) - truth[:, 1:-1]) / (inner.std(axis=0, ddof=1) / np.sqrt(len(found)))
        assert np.abs(z).max() < 4
    np.testing.assert_allclose(found[0].variance, found[0].variance_by_input.mean(axis=0))
    np.testing.assert_allclose(found[0].squared_mean, found[0].squared_mean_by_input.mean(axis=0))


@pytest.mark.filterwarnings("ignore:squared_mean is not positive")
@pytest.mark.parametrize("sampled", ["pairs", "inputs"])
def test_standard_errors_are_the_spread_over_keys(sampled):
    n, players = 10, ij.Players.features(10)
    theta = RANDOM.normal(size=(n, 4)).astype(np.float32)

    def network(theta, x):
        return jnp.tanh(x @ theta)

    def found(seed):
        draw = np.random.default_rng(seed).normal(size=(8, n)).astype(np.float32)
        x, pairs = (draw, [(0, 1), (4, 7)]) if sampled == "inputs" else (np.ones((1, n), np.float32), 9)
        return gradient_statistics(
            jax.random.key(seed),
            (network, theta),
            x,
            [0] * len(x),
            players=players,
            pairs=pairs,
            contexts=6,
            orders=[2, 5],
        )

    every = [found(seed) for seed in range(60)]
    for name in ("variance", "squared_mean"):
        spread = np.std([getattr(one, name) for one in every], axis=0, ddof=1)
        said = np.sqrt(np.mean([getattr(one, f"{name}_stderr") ** 2 for one in every], axis=0))
        np.testing.assert_allclose(said / spread, 1.0, atol=0.3)


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_same_key_gives_the_same_answer_at_any_batch(batch):
    usual, other = measure(contexts=4), measure(contexts=4, batch=batch)
    for name in ("variance", "squared_mean", "learning_strength", "variance_stderr"):
        np.testing.assert_allclose(getattr(other, name), getattr(usual, name), rtol=2e-4, atol=1e-9)
    assert other.n_gradients == usual.n_gradients


def test_a_pair_has_its_contexts_whatever_else_is_measured():
    together = measure(pairs=[(0, 1), (2, 4)], contexts=4)
    apart = [measure(pairs=[pair], contexts=4) for pair in ((4, 2), (0, 1))]
    mean = np.mean([one.variance_by_input for one in apart], axis=0)
    np.testing.assert_allclose(together.variance_by_input, mean, rtol=1e-5)
    one_order = measure(pairs=[(0, 1), (2, 4)], contexts=4, orders=[2])
    np.testing.assert_allclose(one_order.variance_by_input[:, 0], together.variance_by_input[:, 2], rtol=1e-5)


def test_another_key_draws_other_contexts_and_pairs():
    one, same, other = (measure(jax.random.key(seed), pairs=3, contexts=4) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.variance, same.variance)
    assert not np.allclose(one.squared_mean[0], other.squared_mean[0], rtol=1e-3)


def test_pairs_with_a_null_player_enter_without_being_computed():
    """Input 1 has a player without effect: 5 of its 15 pairs have gradient 0."""
    found = measure(contexts=4)
    assert found.pairs_by_input.tolist() == [15, 10]
    assert found.n_gradients == 25 * (2 + 3 * 4)
    drawn = [measure(jax.random.key(seed), x=X[1:], labels=Y[1:], pairs=3, orders=[0]) for seed in range(100)]
    assert drawn[0].pairs_by_input.tolist() == [3]
    values = np.array([one.squared_mean[0] for one in drawn])
    truth = enumerated(mlp, WEIGHTS, X[1], int(Y[1]))[1][0].mean()
    assert abs(values.mean() - truth) < 4 * values.std() / 10


def test_gradients_that_no_context_changes_have_no_variance():
    """The first of a pair's gradients is subtracted before the sums, so no rounding is left."""
    pairwise = measure(
        model=(lambda theta, x: theta * 1e3 * (x.sum(axis=1, keepdims=True) ** 2), jnp.float32(0.5)),
        x=np.ones((1, N)),
        labels=[0],
        output=first,
    )
    np.testing.assert_array_equal(pairwise.variance, 0.0)
    np.testing.assert_allclose(pairwise.squared_mean, 4e6)


def test_the_learning_strength_is_the_weighted_root():
    found = measure(contexts=4)
    weight = (N - 1 - found.orders) / (N * (N - 1))
    np.testing.assert_allclose(found.learning_strength**2, weight**2 * found.squared_mean)
    relative = found.learning_strength_stderr / found.learning_strength
    np.testing.assert_allclose(relative, 0.5 * found.squared_mean_stderr / found.squared_mean)


def test_independent_gradients_would_be_learned_as_the_theory_says():
    """Every coalition has a parameter of its own: then dI / d theta falls as the theory assumes."""
    place = 2 ** np.arange(N)

    def table(theta, x):
        return theta[jnp.sum((x > 0) * place[None], axis=1)][:, None]

    found = measure(
        model=(table, jnp.zeros(2**N)), x=np.ones((1, N), np.float32), labels=[0], output=first, contexts=400
    )
    theory = ij.learning_strength(N)
    np.testing.assert_allclose(found.learning_strength / found.learning_strength[0], theory / theory[0], rtol=0.02)


class Linen(linen.Module):
    @linen.compact
    def __call__(self, x):
        return linen.Dense(3, use_bias=False, name="out")(jnp.tanh(linen.Dense(5, name="in")(x)))


class Module(nnx.Module):
    def __init__(self):
        self.kernel, self.bias, self.out = (nnx.Param(jnp.asarray(WEIGHTS[name])) for name in ("in", "bias", "out"))

    def __call__(self, x):
        return jnp.tanh(x @ self.kernel[...] + self.bias[...][None]) @ self.out[...]


def test_networks_of_any_kind_agree():
    variables = {
        "params": {"in": {"kernel": WEIGHTS["in"], "bias": WEIGHTS["bias"]}, "out": {"kernel": WEIGHTS["out"]}}
    }
    wanted = measure(contexts=4)
    for model in ((Linen(), variables), Module(), (mlp, WEIGHTS | {"steps": np.int32(3)})):
        found = measure(model=model, contexts=4)
        np.testing.assert_allclose(found.variance, wanted.variance, rtol=1e-3)
        np.testing.assert_allclose(found.squared_mean, wanted.squared_mean, rtol=1e-3)


class Noisy(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(N, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.last = nnx.Linear(8, 3, rngs=rngs)
        self.norm.mean[...] = jnp.linspace(-1, 1, 8)

    def __call__(self, x):
        return self.last(self.dropout(nnx.tanh(self.norm(self.first(x)))))


def numbers_of(module):
    return [
        jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        for leaf in jax.tree.leaves(nnx.state(module))
    ]


def test_batch_statistics_and_dropout_are_constants_and_left_as_found():
    module = Noisy(nnx.Rngs(0))
    module.train()
    before = [np.array(leaf) for leaf in numbers_of(module)]
    found = measure(model=module, contexts=4)
    chex.assert_trees_all_equal(numbers_of(module), before)
    assert not module.dropout.deterministic
    assert not module.norm.use_running_average

    module.eval()
    graph, params, rest = nnx.split(module, nnx.Param, ...)
    wanted = measure(model=(lambda params, x: nnx.merge(graph, params, rest)(x), params), contexts=4)
    np.testing.assert_allclose(found.variance, wanted.variance, rtol=1e-4)
    np.testing.assert_allclose(found.squared_mean, wanted.squared_mean, rtol=1e-4)


class LinenNorm(linen.Module):
    @linen.compact
    def __call__(self, x, train: bool = True):
        return linen.Dense(3)(jnp.tanh(linen.BatchNorm(use_running_average=not train)(linen.Dense(4)(x))))


def test_linen_batch_statistics_are_constants():
    module = LinenNorm()
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), X, train=False))
    variables = jax.tree.map(lambda leaf: RANDOM.random(leaf.shape, np.float32), shapes)
    statistics = variables["batch_stats"]

    def apply(params, x):
        return module.apply({"params": params, "batch_stats": statistics}, x, train=False)

    found = measure(model=(module, variables), contexts=4)
    wanted = measure(model=(apply, variables["params"]), contexts=4)
    np.testing.assert_allclose(found.squared_mean, wanted.squared_mean, rtol=1e-4)


def test_a_background_of_one_example_is_a_baseline():
    baseline = np.full(N, 0.3, np.float32)
    wanted = measure(contexts=4, baseline=baseline)
    found = measure(contexts=4, baseline=ij.marginal(baseline[None]))
    np.testing.assert_allclose(found.variance, wanted.variance, rtol=1e-4)


def test_one_compilation_serves_all_orders_pairs_inputs_and_weights():
    before = _context_gradients.moments_of_pair._cache_size()
    for scale in (1.0, 2.0):
        weights = jax.tree.map(lambda leaf, scale=scale: jnp.asarray(scale * leaf), WEIGHTS)
        measure(model=(mlp, weights), contexts=7, batch=7, baseline=0.1)
        measure(model=(mlp, weights), contexts=7, batch=7, baseline=0.1, pairs=2, labels=[0, 1])
    assert _context_gradients.moments_of_pair._cache_size() == before + 1


def test_progress_counts_gradients():
    seen = []
    found = measure(contexts=3, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) == 25
    assert seen[-1] == (found.n_gradients, found.n_gradients)


def test_statistics_survive_the_disk(tmp_path):
    found = measure(contexts=4)
    chex.assert_trees_all_equal(dynamics.GradientStatistics.load(found.save(tmp_path / "found")), found)


def broken_beside_player_2(theta, x):
    """NaN in every gradient of an input in which player 2 is present; player 0 times player 1 otherwise."""
    return (theta * x[:, 0] * x[:, 1] * jnp.where(x[:, 2] > 0, jnp.nan, 1.0))[:, None]


def test_nan_gradients_are_counted_and_never_hidden():
    x = np.ones((1, N), np.float32)
    with (
        pytest.warns(UserWarning, match="one pair of one input"),
        pytest.warns(UserWarning, match="gradients hold NaN"),
    ):
        found = measure(model=(broken_beside_player_2, 1.0), x=x, labels=[0], output=first, pairs=[(0, 1)], contexts=50)
    assert found.squared_mean[0] == 1.0
    assert np.isnan(found.squared_mean[1:]).all()
    assert np.isnan(found.variance[1:]).all()
    expected = 1 + 50 * (1 + 2 + 3) / 4
    assert abs(found.n_nonfinite - expected) < 4 * np.sqrt(50 * 3 * 0.25)
    assert np.isnan(found.learning_strength[1:]).all()


def test_a_strength_that_is_not_identified_is_told():
    with pytest.warns(UserWarning, match=r"not positive at orders \[0, 1, 2, 3, 4\]"):
        found = measure(model=(lambda theta, x: x @ theta, np.ones((N, 3), np.float32)), output=ij.logit)
    np.testing.assert_array_equal(found.squared_mean, 0.0)
    assert np.isnan(found.learning_strength).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": 0}, "random key"),
        ({"contexts": 1}, "contexts must be an integer of at least 2, .* got 1"),
        ({"contexts": 2.5}, "contexts must be an integer of at least 2"),
        ({"batch": 0}, "batch must be an integer of at least 1"),
        ({"pairs": 0}, "pairs must be an integer of at least 1"),
        ({"pairs": True}, "pairs must be integers"),
        ({"pairs": [(0, N)]}, "pairs must hold player numbers"),
        ({"pairs": [(0, 1, 2)]}, "coalitions of 3 players"),
        ({"orders": [N - 1]}, "orders must be context sizes 0..4"),
        ({"labels": [0, 3]}, "label must be a class number from 0 to 2, .* got 3"),
        ({"labels": [0]}, "2 inputs and 1 labels"),
        ({"x": X[:0], "labels": []}, "at least one"),
        ({"x": X[:, :-1]}, "shape"),
        ({"players": ij.Players.grid((N,), (3,))}, "players must be 4 or more, .* got 3"),
        ({"model": lambda x: x[:, :3]}, "no floating parameters"),
        ({"model": (lambda theta, x: x @ jnp.ones((N, 3)), np.int32(1))}, "no floating parameters"),
        ({"precision": "float16"}, "precision"),
    ],
)
def test_bad_arguments_are_told(options, message):
    with pytest.raises(ValueError, match=message):
        measure(**options)


@pytest.mark.parametrize("n_players", [4, 7])
def test_the_closed_form_is_the_variance_of_sums_without_replacement(n_players):
    others = n_players - 2
    parts = RANDOM.normal(size=(others, 5))
    variance = [
        np.var(
            [parts[list(chosen)].sum(axis=0) for chosen in itertools.combinations(range(others), order)], axis=0
        ).sum()
        for order in range(others + 1)
    ]
    found = context_variance(n_players)
    np.testing.assert_allclose(found.mean(), 1.0)
    np.testing.assert_allclose(found, variance / np.mean(variance), atol=1e-12)


@pytest.mark.parametrize("n_players", [3, 5.0, True])
def test_the_closed_form_needs_four_players(n_players):
    with pytest.raises(ValueError, match="at least 4"):
        context_variance(n_players)


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    spec = ij.networks.NetworkSpec("mlp", (N,), 3, {"hidden": (5,)})
    x = np.random.default_rng(0).normal(size=(24, N)).astype(np.float32)
    ij.training.train(
        spec.build(0),
        (x, (x[:, 0] * x[:, 1] > 0).astype(np.int32)),
        key=KEY,
        optimizer=optax.adam(0.1),
        epochs=3,
        batch_size=8,
        spec=spec,
        checkpoint_folder=folder,
        keep=None,
    )
    return folder


def test_the_profiles_are_those_of_each_checkpoint(run_folder):
    seen = []
    options = {"contexts": 4, "orders": [0, 2, 4], "kind": "rms"}
    found = checkpoint_profiles(
        KEY, run_folder, X, Y, players=PLAYERS, output=ij.logit, progress=lambda *at: seen.append(at), **options
    )
    assert list(found) == [3, 6, 9]
    assert seen == [(1, 3), (2, 3), (3, 3)]
    for step, profile in found.items():
        model = ij.training.load_network(run_folder, step=step)[1]
        games = ij.masked_games(model, X, Y, players=PLAYERS, output=ij.logit)
        wanted = ij.order_profile(KEY, games, **options)
        np.testing.assert_array_equal(profile.strength, wanted.strength)
        np.testing.assert_array_equal(profile.stderr, wanted.stderr)
    assert not np.allclose(found[3].magnitude, found[9].magnitude, rtol=1e-2)


def test_chosen_steps_alone_are_measured(run_folder):
    found = checkpoint_profiles(KEY, run_folder, X, Y, players=PLAYERS, steps=[9, 3, 9], orders=[0])
    assert list(found) == [3, 9]


@pytest.mark.parametrize("steps", [[3, 4], []])
def test_steps_that_the_folder_lacks_are_told_before_anything_is_measured(run_folder, steps):
    with pytest.raises(ValueError, match=r"holds, 3, 6, 9; got"):
        checkpoint_profiles(KEY, run_folder, X, Y, players=PLAYERS, steps=steps, progress=pytest.fail)


def linen_networks(scale=1.0):
    module = linen.Sequential([linen.Dense(5), linen.tanh, linen.Dense(3)])
    variables = {step: module.init(jax.random.key(step), X) for step in (3, 1, 2)}
    return {step: (module, jax.tree.map(lambda leaf: scale * leaf, own)) for step, own in variables.items()}


def assert_same_profiles(found, wanted):
    assert list(found) == list(wanted)
    for step in wanted:
        assert found[step].contexts == wanted[step].contexts
        chex.assert_trees_all_equal(found[step], wanted[step])


def test_the_networks_may_be_given_by_step_in_any_form():
    networks = linen_networks()
    found = checkpoint_profiles(KEY, networks, X, Y, players=PLAYERS, orders=[0, 2], contexts=3)
    assert list(found) == [1, 2, 3]
    for step, profile in found.items():
        games = ij.masked_games(networks[step], X, Y, players=PLAYERS)
        chex.assert_trees_all_equal(profile, ij.order_profile(KEY, games, orders=[0, 2], contexts=3))


def test_killed_profiles_go_on_and_end_with_the_same_numbers(tmp_path, monkeypatch):
    networks, how = linen_networks(), {"players": PLAYERS, "orders": [0, 2], "contexts": 3}
    with pytest.raises(Killed):
        checkpoint_profiles(KEY, networks, X, Y, folder=tmp_path, progress=kill_at(2), **how)
    assert sorted(path.name for path in tmp_path.glob("*.npz")) == ["step1.npz", "step2.npz"]
    resumed = checkpoint_profiles(KEY, networks, X, Y, folder=tmp_path, **how)
    assert_same_profiles(resumed, checkpoint_profiles(KEY, networks, X, Y, **how))
    unmeasured = functools.wraps(ij.order_profile)(lambda *given, **options: pytest.fail("measured again"))
    monkeypatch.setattr(_profiles, "order_profile", unmeasured)
    again = checkpoint_profiles(KEY, networks, X, Y, folder=tmp_path, batch_size=64, memory=2**30, **how)
    assert_same_profiles(again, resumed)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"key": jax.random.key(1)}, r"other settings \(key"),
        ({"x": X + 1}, r"other settings \(inputs"),
        ({"labels": Y[::-1]}, r"other settings \(inputs"),
        ({"output": ij.logit}, r"other settings \(output"),
        ({"baseline": 1.0}, r"other settings \(baseline"),
        ({"precision": None}, r"other settings \(precision"),
        ({"players": ij.Players.segments([0, 0, 1, 2, 3, 4])}, r"other settings \(players"),
        ({"orders": [0.0, 1.0]}, r"other settings \(.*orders"),
        ({"exact": False}, r"other settings \(exact: true there, none here"),
        ({"kind": "rms"}, r"other settings \(kind"),
        ({"checkpoints": linen_networks(2.0)}, "measurements of other weights at step 1"),
    ],
)
def test_a_folder_of_other_profiles_is_refused(tmp_path, options, message):
    how = {"key": KEY, "checkpoints": linen_networks(), "x": X, "labels": Y, "players": PLAYERS}
    how |= {"orders": [0, 1], "contexts": 2, "steps": [1], "folder": tmp_path}
    checkpoint_profiles(**how)
    with pytest.raises(ValueError, match=message):
        checkpoint_profiles(**(how | options))


def test_the_run_may_be_named_folder_in_a_call_by_keywords(run_folder):
    how = {"x": X, "labels": Y, "players": PLAYERS, "steps": [3], "orders": [0], "contexts": 2}
    with pytest.warns(DeprecationWarning, match="checkpoints=, not folder="):
        found = checkpoint_profiles(key=KEY, folder=run_folder, **how)
    assert_same_profiles(found, checkpoint_profiles(KEY, run_folder, **how))


def test_a_folder_without_checkpoints_is_told(tmp_path):
    with pytest.raises(ValueError, match="holds no checkpoint"):
        checkpoint_profiles(KEY, tmp_path, X, Y, players=PLAYERS)


@functools.cache
def random_profile(n_players):
    table = np.random.default_rng(0).normal(size=2**n_players)
    return ij.order_profile(KEY, ij.Game.from_table(table), contexts=30)


def make_profile(strength, n_players=N):
    return dataclasses.replace(random_profile(n_players), strength=np.asarray(strength, float))


STRENGTHS = {1: [2.0, 1.0, 0.5, 0.5, 1.0], 10: [1.5, 1.2, 0.8, 0.7, 0.8], 100: [1.0, 1.0, 0.4, 1.2, 1.4]}


def test_the_map_shows_every_strength_at_its_order_and_step():
    axes = Figure().subplots()
    assert plots.profiles_over_training(axes, {s: make_profile(j) for s, j in STRENGTHS.items()}) is axes
    image = axes.collections[0]
    np.testing.assert_allclose(image.get_array(), np.array(list(STRENGTHS.values())))
    corners = image.get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], [-0.125, 0.125, 0.375, 0.625, 0.875, 1.125])
    np.testing.assert_allclose(corners[:, 0, 1], [-0.5, 0.5, 1.5, 2.5])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["1", "10", "100"]
    assert axes.get_xlabel().endswith("n − 2 = 4")
    assert "strength" in axes.figure.axes[1].get_ylabel()


@pytest.mark.parametrize(
    "strengths",
    [
        {3: [np.nan, 1.0, 0.5, 0.0, 1e-9], 4: [np.nan] * 5},
        {3: [np.nan] * 5},
        {3: [1.0] * 5, 4: [1.0] * 5},
        {step: [2.0, 1.0, 0.5, 0.5, 1.0] for step in range(50)},
    ],
)
def test_the_map_is_drawn_whatever_it_holds(strengths):
    axes = Figure().subplots()
    plots.profiles_over_training(axes, {s: make_profile(j) for s, j in strengths.items()})
    axes.figure.canvas.draw()
    hidden = np.ma.getmaskarray(axes.collections[0].get_array())
    np.testing.assert_array_equal(hidden, np.isnan(list(strengths.values())))
    assert len(axes.get_yticks()) <= 12


def test_profiles_that_do_not_fit_together_are_refused():
    for profiles in ({}, {1: make_profile([1.0] * 5), 2: make_profile([1.0] * 6, 7)}):
        with pytest.raises(ValueError, match=r"profiles must (hold at least one|be .* of the same orders)"):
            plots.profiles_over_training(Figure().subplots(), profiles)


def test_the_gradient_plot_shows_both_measures_beside_their_theories():
    found = measure(contexts=4)
    before = plt.get_fignums()
    pair = Figure().subplots(1, 2)
    assert plots.gradient_statistics(pair, found) is pair
    assert plt.get_fignums() == before
    left, right = pair
    theory, measured = left.lines
    np.testing.assert_allclose(measured.get_ydata(), found.variance / found.variance.mean())
    np.testing.assert_allclose(theory.get_ydata(), context_variance(N))
    theory, measured = right.lines
    np.testing.assert_allclose(measured.get_ydata(), found.learning_strength / found.learning_strength.max())
    np.testing.assert_allclose(theory.get_ydata(), ij.learning_strength(N) / ij.learning_strength(N).max())
    assert right.get_yscale() == "log"
    assert right.get_ylim()[0] < measured.get_ydata().min()


def test_the_theory_of_many_players_leaves_the_axis_and_says_where_to():
    n = 60
    found = dataclasses.replace(measure(contexts=4), n_players=n, orders=np.array([0, 10, 29, 48, 58]))
    _, right = plots.gradient_statistics(Figure().subplots(1, 2), found)
    theory = ij.learning_strength(n)
    assert f"lowest $10^{{{np.log10(theory.min() / theory.max()):.0f}}}$" in right.lines[0].get_label()
    assert 1e-3 < right.get_ylim()[0] < right.lines[1].get_ydata().min()


@pytest.mark.filterwarnings("ignore:squared_mean", "ignore:one pair", "ignore:.*NaN")
@pytest.mark.parametrize("model", [(broken_beside_player_2, 1.0), (lambda theta, x: theta * x[:, :1], 1.0)])
def test_gradients_that_are_nan_or_vanish_are_drawn(model):
    found = measure(model=model, x=np.ones((1, N), np.float32), labels=[0], output=first, contexts=3, pairs=[(0, 1)])
    pair = plots.gradient_statistics(Figure().subplots(1, 2), found)
    pair[0].figure.canvas.draw()
    assert all(axes.get_xlabel().startswith("order") for axes in pair)


def test_two_axes_are_needed():
    with pytest.raises(ValueError, match=r"axes must be two, .* shape \(3,\)"):
        plots.gradient_statistics(Figure().subplots(1, 3), measure(contexts=4))
