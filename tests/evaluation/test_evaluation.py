"""Networks side by side: attacks against closed forms, destroyed structure counted, what is kept and shown."""

import contextlib
import functools
import itertools
import json

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from scipy import special, stats

from interjax import datasets, evaluation, networks, training
from interjax.evaluation import _evaluate, _rounds
from interjax.evaluation._attacks import attacks
from interjax.evaluation._corruptions import occlusions, shuffles
from interjax.evaluation._intervals import difference_of, mean_of
from interjax.games._baselines import marginal
from interjax.games._players import Players
from interjax.plots._evaluation import evaluation as draw

KEY = jax.random.key(5)
RANDOM = np.random.default_rng(0)


def linear(weights, x):
    return x.reshape(len(x), -1) @ weights


def waves(weights, x):
    """A network whose loss turns within an attack's ball, so that one step of full length misses its top."""
    return linear(weights, jnp.sin(12 * x))


def make_data(shape, n=40, n_classes=3, **fields):
    """Random inputs in [0, 1], 40 to train and 40 to test, one class after the other."""
    random = np.random.default_rng(1)
    y = np.arange(n) % n_classes
    x, test_x = random.random((2, n, *shape), dtype=np.float32)
    return datasets.Dataset(x, y, test_x, y, "toy", tuple("abcdefghij"[:n_classes]), **fields)


def make_linear(data, seed=0):
    size = int(np.prod(data.input_shape))
    return linear, np.random.default_rng(seed).normal(size=(size, data.n_classes)).astype(np.float32)


NO_OPTIONS = {"strengths": None, "pgd_steps": 20, "occlusions": None, "shuffles": None, "occlusion_grid": None}
NO_OPTIONS |= {"limit": None}
GREY = make_data((8, 8, 1))
COLOUR = make_data((4, 4, 3))
TABLE = make_data((5,), player_labels=np.array([0, 1, 1, 1, 2]))


@pytest.fixture(scope="module")
def digits():
    data = datasets.digits()
    model = networks.build("mlp", (8, 8, 1), 10, hidden=(32,))
    training.train(model, data, key=KEY, optimizer=optax.adam(5e-3), epochs=8, batch_size=64)
    return data, model


@pytest.fixture(scope="module")
def compared():
    models = {"first": make_linear(GREY), "second": make_linear(GREY, 1)}
    return evaluation.evaluate(models, GREY, key=KEY, occlusion_grid=4)


# Attacks


@pytest.mark.parametrize("certainty", [1.0, 1e4])
def test_fgsm_moves_by_the_sign_of_the_known_gradient(certainty):
    """For logits x W the gradient of the cross entropy is W (p - onehot), also where p rounds to 0 and 1."""
    x, y = RANDOM.random((6, 5)), np.arange(6) % 3
    weights = RANDOM.normal(size=(5, 3)) * certainty
    logits = x @ weights
    others = np.where(np.arange(3) == y[:, None], -np.inf, logits)
    # p - onehot has the direction of the softmax over the other classes, less onehot.
    gradient = special.softmax(others, axis=1) @ weights.T - weights.T[y]
    found = evaluation.fgsm(linear, jnp.asarray(weights, jnp.float32), x, y, 0.1)
    np.testing.assert_allclose(found, x + 0.1 * np.sign(gradient), atol=1e-6)


@pytest.mark.parametrize("attack", ["fgsm", "pgd"])
@pytest.mark.parametrize("strength", [0.01, 0.3, 2.0])
def test_attacks_stay_in_the_ball_and_in_the_range_of_normalised_images(attack, strength):
    mean, scale = np.array([0.5, 0.4, 0.3], np.float32), np.array([0.25, 0.5, 0.1], np.float32)
    raw = make_data((4, 4, 3))
    data = datasets.Dataset(
        *((raw.train_x - mean) / scale, raw.train_y, (raw.test_x - mean) / scale, raw.test_y),
        *("toy", raw.class_names),
        normalization=(mean, scale),
    )
    _, weights = make_linear(data)
    radius, bounds = evaluation.attack_limits(data, strength)
    options = {"apply": linear, "params": weights, "x": data.test_x, "y": data.test_y, "bounds": bounds}
    if attack == "fgsm":
        found = evaluation.fgsm(strength=radius, **options)
    else:
        found = evaluation.pgd(KEY, strength=radius, steps=5, restarts=2, **options)
    found = np.asarray(found)
    change = (found - data.test_x) * scale
    assert np.abs(change).max() <= strength + 1e-6
    assert np.abs(change).max() >= min(strength, 0.5) - 1e-6
    assert (found * scale + mean).min() >= -1e-6
    assert (found * scale + mean).max() <= 1 + 1e-6


@settings(max_examples=15, deadline=None)
@given(st.floats(1e-3, 3.0), st.floats(1e-3, 10.0), st.integers(1, 6))
def test_pgd_stays_in_the_ball_for_any_step(strength, step_size, steps):
    x, y = GREY.test_x, GREY.test_y
    options = {"steps": steps, "step_size": step_size, "bounds": (0.0, 1.0)}
    found = evaluation.pgd(KEY, *make_linear(GREY), x, y, strength, **options)
    assert np.abs(found - x).max() <= strength + 1e-6
    assert 0 <= found.min() <= found.max() <= 1


def test_attacks_reach_the_exact_robustness_of_a_linear_classifier():
    """A margin m survives every change of at most e an entry if and only if m > e times the 1-norm of w."""
    random = np.random.default_rng(2)
    x, w = random.normal(size=(200, 6)).astype(np.float32), random.normal(size=6).astype(np.float32)
    y = (x @ w + random.normal(size=200) > 0).astype(int)
    data = datasets.Dataset(x, y, x, y, "halves", ("no", "yes"), player_labels=np.arange(6))
    model = (linear, np.stack([0 * w, w], axis=1))
    strengths = (0.05, 0.1, 0.3, 1.0)
    found = evaluation.evaluate(model, data, key=KEY, strengths=strengths, occlusions=())
    margin = np.where(y == 1, 1, -1) * (x @ w)
    for strength in strengths:
        exact = np.mean(margin > strength * np.abs(w).sum())
        assert found.of(f"accuracy, PGD {strength:g}")[0] == exact
        assert found.of(f"accuracy, FGSM {strength:g}")[0] == exact


def test_pgd_is_at_least_as_strong_as_fgsm(digits):
    data, model = digits
    found = evaluation.evaluate(model, data, key=KEY, strengths=(0.1, 0.2), occlusions=(), shuffles=())
    for strength in ("0.1", "0.2"):
        assert found.of(f"accuracy, PGD {strength}")[0] <= found.of(f"accuracy, FGSM {strength}")[0]
    assert found.of("accuracy, FGSM 0.1")[0] < found.of("test accuracy")[0]
    assert found.of("accuracy, FGSM 0.2")[0] < found.of("accuracy, FGSM 0.1")[0]


def test_pgd_fools_a_network_wherever_fgsm_does():
    """Two short steps from a random point are weaker than one of full length at some inputs, of which none is lost."""
    weights = 1e3 * make_linear(TABLE)[1]
    for network in (linear, waves):
        fooled = [
            np.asarray(network(weights, attack(network, weights, TABLE.test_x, TABLE.test_y, 0.1))).argmax(axis=1)
            != TABLE.test_y
            for attack in (evaluation.fgsm, functools.partial(evaluation.pgd, KEY, steps=2, step_size=0.02))
        ]
        assert not np.any(fooled[0] & ~fooled[1])
        assert fooled[0].any()


def test_restarts_only_raise_the_loss():
    apply, (_, weights), x, y = waves, make_linear(GREY), GREY.test_x, np.zeros(40, int)
    weights = weights[:, :2]
    once, thrice = (
        optax.softmax_cross_entropy_with_integer_labels(
            apply(weights, evaluation.pgd(KEY, apply, weights, x, y, 0.2, steps=1, step_size=0.01, restarts=restarts)),
            y,
        )
        for restarts in (1, 3)
    )
    assert (thrice - once).min() >= 0
    assert (thrice - once).max() > 0


def test_a_random_start_belongs_to_its_example():
    x, y, rows = GREY.test_x, GREY.test_y, np.arange(40)[::-1]
    options = {"steps": 1, "step_size": 0.01}
    weights = make_linear(GREY)[1]
    forward = evaluation.pgd(KEY, waves, weights, x, y, 0.2, **options)
    backward = evaluation.pgd(KEY, waves, weights, x[rows], y[rows], 0.2, index=rows, **options)
    np.testing.assert_allclose(backward, forward[rows], atol=1e-6)
    one_step = evaluation.fgsm(waves, weights, x, y, 0.2)
    assert np.any(np.abs(forward - one_step) > 0.01, axis=(1, 2, 3)).any()  # else nothing would be random


def test_a_gradient_that_is_no_number_is_not_hidden():
    def apply(_, x):
        return jnp.stack([jnp.sqrt(x[:, 0] * 0), x[:, 1]], axis=1)  # value 0, gradient 0 / 0

    found = evaluation.pgd(KEY, apply, (), np.ones((3, 2), np.float32), np.zeros(3, int), 0.1, restarts=2)
    assert np.isnan(found[:, 0]).all()


def test_images_outside_the_pixel_scale_are_told():
    x = GREY.test_x * 255
    data = datasets.Dataset(x, GREY.test_y, x, GREY.test_y, "bytes", GREY.class_names)
    with pytest.raises(ValueError, match=r"bytes: attacks need .* in \[0, 1\], these run from .* to 25.*normalization"):
        evaluation.evaluate(make_linear(data), data, key=KEY)
    found = evaluation.evaluate(make_linear(data), data, key=KEY, strengths=(), occlusions=(), shuffles=())
    assert found.measures[-1] == "loss gap"


# Destroyed structure


@pytest.mark.parametrize("grid", [2, 4, 8])
def test_shuffling_moves_whole_cells(grid):
    x = np.arange(3 * 8 * 8 * 2, dtype=np.float32).reshape(3, 8, 8, 2)

    def cells(images):
        side = 8 // grid
        parts = images.reshape(3, grid, side, grid, side, 2).swapaxes(2, 3)
        return parts.reshape(3, grid * grid, side * side * 2)

    found = np.asarray(evaluation.shuffle_patches(KEY, x, grid))
    assert not np.array_equal(found, x)
    for before, after in zip(cells(x), cells(found), strict=True):
        assert sorted(map(tuple, before)) == sorted(map(tuple, after))


def test_every_order_of_the_patches_occurs():
    x = np.broadcast_to(np.arange(4.0, dtype=np.float32).reshape(1, 2, 2, 1), (800, 2, 2, 1))
    found = np.asarray(evaluation.shuffle_patches(KEY, x, 2)).reshape(800, 4)
    counts = [np.all(found == order, axis=1).sum() for order in itertools.permutations(range(4))]
    assert sum(counts) == 800
    assert stats.chisquare(counts).pvalue > 1e-3


def test_a_network_blind_to_the_order_of_patches_keeps_its_accuracy(digits):
    """Pixels are multiples of 1/16 and the weights integers, so that sums are exact in any order."""
    data, _ = digits
    weights = np.random.default_rng(3).integers(-8, 8, (4, 10)).astype(np.float32)

    def apply(weights, x):
        patches = x.reshape(len(x), 4, 2, 4, 2).swapaxes(2, 3).reshape(len(x), 16, 4)
        return patches.sum(axis=1) @ weights

    found = evaluation.evaluate((apply, weights), data, key=KEY, strengths=(), occlusions=())
    assert found.measures[-2:] == ("accuracy, 2x2 shuffled", "accuracy, 4x4 shuffled")
    assert found.of("accuracy, 4x4 shuffled") == found.of("accuracy, 2x2 shuffled") == found.of("test accuracy")


@pytest.mark.parametrize(("share", "count"), [(0.1, 2), (0.25, 4), (0.5, 8), (0.9, 14)])
def test_occlusion_replaces_the_stated_number_of_cells(share, count):
    x = np.ones((20, 8, 8, 3), np.float32)
    found = np.asarray(evaluation.occlude(KEY, x, Players.grid((8, 8, 3), 4), share, baseline=-1.0))
    cells = found.reshape(20, 4, 2, 4, 2, 3).swapaxes(2, 3).reshape(20, 16, -1)
    assert set(np.unique(cells.mean(axis=-1))) == {-1.0, 1.0}
    np.testing.assert_array_equal((cells[..., 0] == -1).sum(axis=1), count)
    assert len(np.unique(cells[..., 0], axis=0)) > 10


def test_a_larger_share_occludes_the_same_cells_and_more():
    x, players = np.ones((20, 8, 8, 1), np.float32), Players.grid((8, 8, 1), 8)
    less, more = (evaluation.occlude(KEY, x, players, share) for share in (0.25, 0.5))
    assert np.all(more <= less)


def test_occlusion_of_a_table_takes_whole_columns():
    x, baseline = np.ones((50, 5), np.float32), np.arange(5.0) + 10
    found = np.asarray(evaluation.occlude(KEY, x, Players.segments(TABLE.player_labels), 0.4, baseline=baseline))
    allowed = [[10, 1, 1, 1, 1], [1, 11, 12, 13, 1], [1, 1, 1, 1, 14]]
    assert sorted(np.unique(found, axis=0).tolist()) == sorted(allowed)


@pytest.mark.parametrize("corrupt", ["occlude", "shuffle"])
def test_what_is_destroyed_depends_on_the_example_alone(corrupt):
    x, rows = GREY.test_x, np.arange(40)[::-1]

    def change(x, index):
        if corrupt == "occlude":
            return evaluation.occlude(KEY, x, Players.grid((8, 8, 1), 4), 0.5, index=index)
        return evaluation.shuffle_patches(KEY, x, 4, index=index)

    np.testing.assert_array_equal(change(x[rows], rows), change(x, np.arange(40))[rows])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x: evaluation.shuffle_patches(KEY, x, 3),
            r"grid must divide both sides .* 8 x 8 pixels \(2, 4, 8\), got 3",
        ),
        (lambda x: evaluation.shuffle_patches(KEY, x[:, :7], 2), r"7 x 8 pixels \(none does\), got 2"),
        (lambda x: evaluation.shuffle_patches(KEY, x[:, 0, 0], 2), r"got inputs of shape \(1,\)"),
        (
            lambda x: evaluation.occlude(KEY, x, Players.grid((8, 8, 1), 2), 0.1),
            "share must hide at least one of 4 cells .* got 0.1, 0 of them",
        ),
        (lambda x: evaluation.occlude(KEY, x, Players.grid((4, 4, 1), 2), 0.5), r"\(4, 4, 1\); got \(8, 8, 1\)"),
        (lambda x: evaluation.pgd(KEY, linear, (), x, GREY.test_y, 0.1, steps=0), "steps must be an integer"),
        (
            lambda x: evaluation.pgd(KEY, linear, (), x + 9, GREY.test_y, 0.1, bounds=(-2, 2)),
            "x must lie within bounds, got 40 of 40 inputs outside",
        ),
        (
            lambda x: evaluation.fgsm(linear, (), jnp.asarray(x).at[3].set(2.1), GREY.test_y, 0.1, bounds=(-2, 2)),
            "got 1 of 40 inputs outside",
        ),
    ],
)
def test_bad_grids_shares_and_steps_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        call(GREY.test_x)


# Evaluation


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (
            make_data((28, 28, 1), n=4),
            "FGSM 0.1, FGSM 0.2, PGD 0.1, PGD 0.2, 25% occluded, 50% occluded, "
            "2x2 shuffled, 4x4 shuffled, 7x7 shuffled, 14x14 shuffled",
        ),
        (
            COLOUR,
            "FGSM 2/255, FGSM 8/255, PGD 2/255, PGD 8/255, 25% occluded, 50% occluded, 2x2 shuffled",
        ),
        (TABLE, "FGSM 0.1, FGSM 0.5, PGD 0.1, PGD 0.5, 25% occluded, 50% occluded"),
        (make_data((2,)), "FGSM 0.1, FGSM 0.5, PGD 0.1, PGD 0.5, 50% occluded"),
        (make_data((9, 5, 1)), "FGSM 0.1, FGSM 0.2, PGD 0.1, PGD 0.2"),
    ],
)
def test_the_measures_suit_the_data(data, names):
    planned = attacks(KEY, data, None, 20) | occlusions(KEY, data, None, None, 0.0) | shuffles(KEY, data, None)
    assert ", ".join(planned) == names


def test_the_measures_come_in_order(compared):
    always = ("test accuracy", "training accuracy", "training loss", "test loss", "loss gap")
    changed = "FGSM 0.1, FGSM 0.2, PGD 0.1, PGD 0.2, 25% occluded, 50% occluded, 2x2 shuffled, 4x4 shuffled"
    assert compared.measures == (*always, *(f"accuracy, {name}" for name in changed.split(", ")))


def test_accuracy_and_losses_are_those_of_the_network(digits):
    data, model = digits
    found = evaluation.evaluate(model, data, key=KEY, strengths=(), occlusions=(), shuffles=())
    assert found.of("test accuracy")[0] == pytest.approx(training.accuracy(model, data.test_x, data.test_y))
    assert found.of("training accuracy")[0] == pytest.approx(training.accuracy(model, data.train_x, data.train_y))
    test, train = (
        np.asarray(training.cross_entropy(model, x, y, KEY), np.float64)
        for x, y in ((data.test_x, data.test_y), (data.train_x, data.train_y))
    )
    measured = mean_of(test, 0.95), mean_of(train, 0.95)
    np.testing.assert_allclose(found.of("test loss"), measured[0][:3], rtol=1e-4)
    np.testing.assert_allclose(found.of("loss gap"), difference_of(*measured)[:3], rtol=1e-4)
    assert found.count[0].tolist() == [359, 1438, 1438, 359, 359 + 1438]


@pytest.mark.parametrize("batch_size", [7, 39])
def test_the_same_key_gives_the_same_answer_at_any_batch_size(compared, batch_size):
    models = {"first": make_linear(GREY), "second": make_linear(GREY, 1)}
    found = evaluation.evaluate(models, GREY, key=KEY, occlusion_grid=4, batch_size=batch_size)
    chex.assert_trees_all_close(found, compared, rtol=1e-5)


def test_another_key_draws_other_occlusions_and_examples(digits):
    data, model = digits
    first, second = (
        evaluation.evaluate(model, data, key=jax.random.key(seed), strengths=(), shuffles=(), limit=200)
        for seed in (0, 1)
    )
    assert not np.array_equal(first.value, second.value)
    np.testing.assert_array_equal(first.value[:, :5], second.value[:, :5])


def test_a_limit_of_all_examples_is_no_limit(compared):
    models = {"first": make_linear(GREY), "second": make_linear(GREY, 1)}
    found = evaluation.evaluate(models, GREY, key=KEY, occlusion_grid=4, limit=len(GREY.test_x))
    chex.assert_trees_all_equal(found, compared)


def test_the_limit_holds_for_attacks_and_corruptions_alone():
    options = {"strengths": (), "occlusions": (0.5,), "shuffles": (8,)}
    found = evaluation.evaluate(make_linear(GREY), GREY, key=KEY, limit=10, **options)
    assert found.count[0].tolist() == [40, 40, 40, 40, 80, 10, 10, 10]


def test_networks_side_by_side_are_measured_as_alone(compared):
    alone = evaluation.evaluate(make_linear(GREY, 1), GREY, key=KEY, occlusion_grid=4)
    np.testing.assert_array_equal(alone.value[0], compared.value[1])
    assert compared.networks == ("first", "second")
    assert compared.of("accuracy, PGD 0.1", "second") == alone.of("accuracy, PGD 0.1")


def test_any_kind_of_network_is_taken_and_left_as_found():
    model = networks.build("mlp", (8, 8, 1), 3, hidden=(6,), dropout=0.5)
    _, state = nnx.split(model)
    twin = nnx.with_attributes(model, deterministic=True)
    kinds = {"module": model, "pair": (lambda state, x: twin(x), state), "function": lambda x: twin(x)}
    found = evaluation.evaluate(kinds, GREY, key=KEY, strengths=(), occlusion_grid=4)
    np.testing.assert_allclose(found.value[1:], found.value[:1].repeat(2, axis=0), rtol=1e-6)
    assert not model.dropout.deterministic
    chex.assert_trees_all_equal(
        *(jax.tree.leaves(nnx.to_pure_dict(nnx.filter_state(each, nnx.Param))) for each in (state, nnx.state(model)))
    )


def test_new_parameters_strengths_shares_and_steps_do_not_retrace():
    traces = []

    def apply(weights, x):
        traces.append(x.shape)
        return linear(weights, x)

    weights = make_linear(GREY)[1]
    evaluation.evaluate((apply, weights), GREY, key=KEY, strengths=(0.1,), occlusions=(0.25,))
    before = len(traces)
    options = {"strengths": (0.05, 0.3), "occlusions": (0.1, 0.6), "pgd_steps": 7}
    evaluation.evaluate({"new": (apply, 2 * weights)}, GREY, key=KEY, **options)
    assert (
        len(traces) <= before + 4
    )  # the snapshot at two batch sizes; the logits' shape, twice to see that it is unchanged


def test_logits_that_are_not_finite_are_wrong_and_told():
    data = make_data((8, 8, 1), n_classes=2)
    broken = int(np.sum(data.test_x[:, 0, 0, 0] > 0.5))

    def apply(_, x):
        logits = jnp.stack([x.sum(axis=(1, 2, 3)), jnp.zeros(len(x))], axis=1)  # always the first class
        return jnp.where(x[:, 0, 0, :] > 0.5, jnp.nan, logits)

    options = {"key": KEY, "strengths": (), "occlusions": (), "shuffles": ()}
    with pytest.warns(UserWarning, match=f"'bad': logits .* counted as wrong: training .*, test {broken} of 40"):
        found = evaluation.evaluate({"bad": (apply, ()), "good": make_linear(data)}, data, **options)
    fine = (data.test_x[:, 0, 0, 0] <= 0.5) & (data.test_y == 0)
    assert found.of("test accuracy", "bad")[0] == fine.mean()
    assert np.isnan(found.of("test loss", "bad")).all()
    assert np.isnan(found.of("loss gap", "bad")).all()
    assert found.n_nonfinite.tolist() == [broken + np.sum(data.train_x[:, 0, 0, 0] > 0.5), 0]
    assert np.isfinite(found.value[1]).all()


@pytest.mark.parametrize("scale", [1.0, 1e9, 1e30])
def test_losses_of_logits_of_any_size_are_those_of_double_precision(scale):
    """Compiled with the network, a logit may be rounded otherwise for each use, by more than exponentials hold."""
    random = np.random.default_rng(2)
    hidden, weights = (random.normal(size=shape).astype(np.float32) for shape in ((5, 8), (8, 3)))
    apply = lambda p, x: jnp.tanh(x @ hidden) @ weights * p  # noqa: E731
    options = {"key": KEY, "strengths": (), "occlusions": (), "shuffles": ()}
    found = evaluation.evaluate((apply, np.float32(scale)), TABLE, **options)
    logits = scale * np.tanh(TABLE.test_x @ hidden.astype(float)) @ weights
    exact = special.logsumexp(logits, axis=1) - logits[np.arange(40), TABLE.test_y]
    assert found.of("test loss")[0] == pytest.approx(exact.mean(), rel=1e-5)
    assert found.n_nonfinite == 0


@pytest.mark.parametrize(("odd", "wrong"), [(-np.inf, False), (np.inf, True), (np.nan, True)])
def test_infinite_logits_count_alike_in_accuracy_and_evaluation(odd, wrong):
    """A class of -inf is masked, and what is left tells the class; where that is the true one the loss is infinite."""
    x, y = TABLE.test_x, (TABLE.test_x[:, 0] > 0.5).astype(int)  # class 2 is odd for the inputs of class 1

    def apply(_, x):
        one = (x[:, 0] > 0.5) * 1.0
        return jnp.stack([1 - one, one, jnp.where(one > 0, odd, 0.0)], axis=1)

    data = datasets.Dataset(x, np.arange(40) % 3, x, y, "toy", ("a", "b", "c"))
    masked = np.sum((np.arange(40) % 3 == 2) & (y == 1))
    endless = f"losses that are not finite.*: training {masked} of 40$"
    message = "largest is infinite, counted as wrong" if wrong else endless
    with pytest.warns(UserWarning, match=message):
        found = evaluation.evaluate((apply, ()), data, key=KEY, strengths=(), occlusions=(), shuffles=())
    with pytest.warns(UserWarning, match="these count as wrong") if wrong else contextlib.nullcontext():
        accuracy = training.accuracy((apply, ()), x, y)
    assert found.of("test accuracy")[0] == accuracy == (np.mean(y == 0) if wrong else 1.0)
    assert (found.n_nonfinite > 0) == wrong
    exact = np.mean(np.where(y == 1, np.log1p(np.exp(-1.0)), np.log(np.e + 2) - 1))
    assert found.of("test loss")[0] == (pytest.approx(np.nan, nan_ok=True) if wrong else pytest.approx(exact, rel=1e-5))


def test_the_progress_is_told():
    told = []
    options = {"strengths": (0.1,), "occlusions": (0.5,), "progress": lambda *counts: told.append(counts)}
    evaluation.evaluate({"a": make_linear(TABLE), "b": make_linear(TABLE)}, TABLE, key=KEY, **options)
    assert told == [(done, 10) for done in range(1, 11)]


def test_an_evaluation_is_saved_and_loaded(compared, tmp_path):
    found = evaluation.Evaluation.load(compared.save(tmp_path / "evaluation"))
    chex.assert_trees_all_equal(found, compared)
    assert (found.networks, found.measures, found.level) == (compared.networks, compared.measures, 0.95)


def test_a_killed_evaluation_resumes_to_the_same_numbers(compared, tmp_path, monkeypatch):
    models = {"first": make_linear(GREY), "second": make_linear(GREY, 1)}
    monkeypatch.setattr("interjax._engine._folders.WRITE_SECONDS", 0)

    def stop(done, total):
        if done == total - 2:
            raise KeyboardInterrupt

    how = {"key": KEY, "folder": tmp_path, "batch_size": 10}
    with pytest.raises(KeyboardInterrupt):
        evaluation.evaluate(models, GREY, progress=stop, **how)
    kept = sorted(path.name for path in tmp_path.glob("*.npz"))
    assert kept[0] == "network0-round0.npz"
    monkeypatch.setattr("interjax.evaluation._rounds.Round._graded", rounds := RoundsCounted(_rounds.Round._graded))
    found = evaluation.evaluate(models, GREY, **how | {"batch_size": 7})
    assert len(rounds.names) == 2
    chex.assert_trees_all_close(found, evaluation.evaluate(models, GREY, key=KEY), rtol=1e-5)


class RoundsCounted:
    """Takes the place of a method and remembers of which rounds it was called."""

    def __init__(self, method):
        self.names = []
        self.method = method

    def __get__(self, one, kind):
        return lambda *arguments: self.names.append(one.name) or self.method(one, *arguments)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (lambda weights, x: linear(weights, x) * 2, {}, r"networks\.network\.computes"),
        (linear, {"strengths": [0.1]}, "strengths: null there, "),
        (linear, {"key": jax.random.key(6)}, "key: "),
        (linear, {"baseline": 0.5}, "baseline: "),
    ],
)
def test_a_folder_of_another_evaluation_is_refused(tmp_path, network, options, message):
    weights = make_linear(GREY)[1]
    (tmp_path / "settings.json").write_text(
        json.dumps(_evaluate._about({"network": (linear, weights)}, GREY, KEY, 0.0, NO_OPTIONS))
    )
    with pytest.raises(ValueError, match=f"holds a run with other settings .*{message}"):
        evaluation.evaluate((network, weights), GREY, **{"key": KEY, "folder": tmp_path} | options)


def test_the_table_shows_every_measure_of_every_network(compared):
    lines = compared.table().splitlines()
    assert lines[0].split() == ["first", "second"]
    assert [line.split("  ")[0] for line in lines[1:]] == list(compared.measures)
    value, lower, upper = compared.of("test accuracy", "second")
    assert lines[1].endswith(f"{value:.3f} [{lower:.3f}, {upper:.3f}]")
    assert len({line.rindex("  ") for line in lines[1:]}) == 1


def test_unknown_names_are_told(compared):
    with pytest.raises(ValueError, match="network must be one of first, second; got none"):
        compared.of("test accuracy")
    with pytest.raises(ValueError, match="network must be one of first, second; got 'third'"):
        compared.of("test accuracy", "third")
    with pytest.raises(ValueError, match=r"measure must be one of test accuracy, .* got 'speed'"):
        compared.of("speed", "first")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"networks": {}}, "networks must hold at least one, got none"),
        ({"networks": {"a": 3}}, "model must be a network"),
        (
            {"networks": make_linear(make_data((8, 8, 1), n_classes=4))},
            r"\(batch, 3\) .*, got \(2, 4\) for a batch of 2",
        ),
        ({"networks": {"a": make_linear(COLOUR)}}, r"'a' fails on a batch of the inputs of toy, shape \(2, 8, 8, 1\)"),
        ({"networks": lambda x: x.sum()}, r"got \(\) for a batch"),
        ({"key": 0}, "key must be a random key"),
        ({"key": jax.random.split(KEY)}, "key must be a random key"),
        ({"baseline": np.zeros(3)}, r"the input's shape \(8, 8, 1\)"),
        ({"baseline": marginal(np.zeros((2, 8, 8, 1)))}, "baseline must be one for occlusions"),
        ({"strengths": (0.1, 0.0)}, r"each of strengths must be a number in \(0, inf\), .* got 0\.0"),
        ({"strengths": (np.nan,)}, "strengths must be a number .* got nan"),
        ({"pgd_steps": 0}, "pgd_steps must be an integer of at least 1"),
        ({"occlusions": (1.0,)}, r"occlusions must be a number in \(0, 1\), .* got 1\.0"),
        ({"occlusions": (0.001,)}, "each of occlusions must hide at least one of 64 cells .* got 0.001, 0 of them"),
        ({"occlusion_grid": 0}, "occlusion_grid must be an integer of at least 1"),
        ({"occlusion_grid": 9}, "cells along axis 0 must be from 1 to its 8 entries, got 9"),
        ({"data": make_data((9, 9, 1)), "occlusions": (0.5,)}, "occlusion_grid must be given"),
        ({"data": TABLE, "occlusion_grid": 2}, "occlusion_grid must be left out"),
        ({"data": TABLE, "shuffles": (2,)}, "shuffles must be left out"),
        ({"shuffles": (5,)}, r"each of shuffles must divide both sides .* \(2, 4, 8\), got 5"),
        ({"shuffles": (1,)}, r"each of shuffles must divide .* got 1"),
        ({"limit": 0}, "limit must be an integer of at least 1"),
        ({"batch_size": -1}, "batch_size must be an integer of at least 1"),
    ],
)
def test_bad_arguments_are_told(options, message):
    data = options.get("data", GREY)
    arguments = {"networks": make_linear(data), "data": data, "key": KEY} | options
    with pytest.raises(ValueError, match=message):
        evaluation.evaluate(**arguments)


# The plot


def lines_of(axes):
    return [line for line in axes.lines if line.get_label() in ("first", "second")]


def test_the_plot_shows_every_accuracy_and_its_interval(compared):
    axes = Figure().subplots()
    assert draw(axes, compared) is axes
    columns = [i for i, name in enumerate(compared.measures) if "accuracy" in name]
    assert len(axes.get_yticklabels()) == len(columns)
    for network, (line, bars) in enumerate(zip(lines_of(axes), axes.collections, strict=True)):
        np.testing.assert_array_equal(line.get_xdata(), compared.value[network, columns])
        ends = np.array([segment[:, 0] for segment in bars.get_segments()])
        np.testing.assert_allclose(ends[:, 0], compared.lower[network, columns])
        np.testing.assert_allclose(ends[:, 1], compared.upper[network, columns])
        np.testing.assert_array_equal(np.round(line.get_ydata()), np.arange(len(columns)))
    assert len({(line.get_color(), line.get_marker()) for line in lines_of(axes)}) == 2
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["first", "second"]
    assert axes.get_xlabel() == "accuracy, 95% interval"


def test_the_plot_shows_chosen_losses(compared):
    axes = Figure().subplots()
    draw(axes, compared, measures=["loss gap", "test loss"])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["loss gap", "test loss"]
    np.testing.assert_array_equal(lines_of(axes)[0].get_xdata(), compared.value[0, [4, 3]])
    assert axes.get_xlabel() == "cross entropy in nats, 95% interval"


@pytest.mark.parametrize(
    ("measures", "message"),
    [
        ([], "got none"),
        (["speed"], "measures must be among test accuracy, .*; got speed"),
        (["test accuracy", "test loss"], "share no axis"),
    ],
)
def test_what_cannot_be_drawn_is_told(compared, measures, message):
    with pytest.raises(ValueError, match=message):
        draw(Figure().subplots(), compared, measures=measures)


def test_too_many_networks_for_a_plot_are_told():
    row = np.zeros((7, 1))
    found = evaluation.Evaluation(
        row, row, row, row.astype(int), np.zeros(7, int), networks=tuple("abcdefg"), measures=("test accuracy",)
    )
    with pytest.raises(ValueError, match=r"at most 6 networks, .* got 7"):
        draw(Figure().subplots(), found)


def test_a_value_that_is_no_number_leaves_a_gap():
    row = np.array([[0.5, np.nan]])
    names = {"networks": ("first",), "measures": ("training loss", "test loss")}
    found = evaluation.Evaluation(row, row - 0.1, row + 0.1, np.ones((1, 2), int), np.array([1]), **names)
    axes = Figure().subplots()
    draw(axes, found, measures=found.measures)
    axes.figure.canvas.draw()
    assert np.isnan(lines_of(axes)[0].get_xdata()[1])
    assert np.isfinite(axes.get_xlim()).all()
