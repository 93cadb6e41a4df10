"""Networks that predict numbers, and networks of one logit: trained, graded, attacked, with errors that hold."""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import interjax as ij
from interjax.evaluation import evaluate, fgsm, pgd
from interjax.evaluation._regression import share_of_variance
from interjax.training import accuracy, cross_entropy, r_squared, squared_error, train

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 4)).astype(np.float32)
Y = (2 * X[:, 0] - X[:, 1] * X[:, 2] + 0.1 * RANDOM.normal(size=300)).astype(np.float32)
DATA = ij.datasets.from_arrays(X, Y, task="regression", feature_names=list("abcd"))
CLASSES = ij.datasets.from_arrays(X, (Y > 0).astype(int))
WEIGHTS = jnp.array([2.0, -0.3, 0.2, 0.0])


def linear(x):
    return x @ WEIGHTS


def column(x):
    return linear(x)[:, None]


def two(x):
    return jnp.stack([jnp.zeros(len(x)), linear(x)], axis=1)


@pytest.mark.parametrize("network", [linear, column])
def test_r_squared_is_that_of_numpy(network):
    y, found = np.asarray(Y, np.float64), np.asarray(linear(X), np.float64)
    wanted = 1 - np.sum((found - y) ** 2) / np.sum((y - y.mean()) ** 2)
    assert r_squared(network, X, Y, batch_size=7) == pytest.approx(wanted, rel=1e-6)
    assert r_squared(lambda x: 0 * x[:, 0] + y.mean(), X, Y) == pytest.approx(0, abs=1e-6)


def test_training_lowers_the_squared_error():
    plan = ij.training.default_plan(DATA)
    assert plan.spec.build(0)(X[:2]).shape == (2, 1)
    log = train(plan.spec.build(0), DATA, key=KEY, optimizer=optax.adam(5e-3), epochs=15, batch_size=32)
    assert log.test_accuracy is None
    assert log.loss[-1] < 0.2 * log.loss[0]
    assert log.test_r_squared[-1] > 0.9


def test_training_of_pairs_takes_a_loss_of_numbers():
    model = ij.networks.build("mlp", (4,), 1, hidden=(8,))
    with pytest.raises(ValueError, match=r"data: .*loss=ij.training.squared_error"):
        train(model, (X, Y), key=KEY, optimizer=optax.adam(1e-2), steps=2)
    log = train(model, (X, Y), key=KEY, optimizer=optax.adam(1e-2), epochs=3, batch_size=30, loss=squared_error)
    assert log.loss[-1] < log.loss[0]
    with pytest.raises(ValueError, match="model must give one number an input"):
        train(ij.networks.build("mlp", (4,), 2), DATA, key=KEY, optimizer=optax.adam(1e-2), steps=2)
    with pytest.raises(ValueError, match="data must hold classes 0 and 1"):
        train(model, (X, np.arange(300) % 3), key=KEY, optimizer=optax.adam(1e-2), steps=2)


def test_a_run_of_numbers_resumes(tmp_path):
    def trained(folder, epochs):
        model = ij.networks.build("mlp", (4,), 1, hidden=(8,))
        log = train(
            model, DATA, key=KEY, optimizer=optax.adam(1e-2), epochs=epochs, batch_size=32, checkpoint_folder=folder
        )
        return np.asarray(model(X)), log

    whole, log = trained(tmp_path / "whole", 3)
    trained(tmp_path / "parts", 1)
    resumed, resumed_log = trained(tmp_path / "parts", 3)
    np.testing.assert_array_equal(resumed, whole)
    np.testing.assert_array_equal(resumed_log.test_r_squared, log.test_r_squared)


@pytest.mark.parametrize("network", [linear, column])
def test_one_logit_is_one_of_two_classes(network):
    labels = CLASSES.test_y
    assert accuracy(network, CLASSES.test_x, labels) == accuracy(two, CLASSES.test_x, labels)
    assert accuracy(network, CLASSES.test_x, labels) == np.mean((np.asarray(linear(CLASSES.test_x)) > 0) == labels)
    np.testing.assert_allclose(
        cross_entropy(network, CLASSES.test_x, labels, KEY),
        np.logaddexp(0, np.where(labels == 1, -1, 1) * np.asarray(linear(CLASSES.test_x))),
        rtol=1e-4,
    )
    found, wanted = (evaluate(each, CLASSES, key=KEY, pgd_steps=3) for each in (network, two))
    assert found.measures == wanted.measures
    np.testing.assert_allclose(found.value, wanted.value, rtol=1e-5)
    np.testing.assert_allclose(found.upper, wanted.upper, rtol=1e-5)
    chosen = ij.training.correctly_classified(network, CLASSES.test_x, labels, count=10, key=KEY)
    np.testing.assert_array_equal((np.asarray(linear(CLASSES.test_x)) > 0)[chosen], labels[chosen])


@pytest.mark.filterwarnings("ignore:network 'network' tells class 1 of every input")
def test_a_sigmoid_for_a_logit_is_told():
    with pytest.warns(UserWarning, match="output is a sigmoid"):
        evaluate(lambda x: jax.nn.sigmoid(linear(x)), CLASSES, key=KEY, strengths=(), occlusions=())


def test_evaluation_of_numbers():
    """A linear network, of which all is known: errors, and the attack that moves each prediction by e |w|_1."""
    found = evaluate({"linear": column}, DATA, key=KEY, strengths=(0.1,), pgd_steps=5, occlusions=(0.5,))
    error = np.asarray(linear(DATA.test_x), np.float64) - DATA.test_y
    spread = np.sum((DATA.test_y - DATA.test_y.mean(dtype=np.float64)) ** 2)
    assert found.of("test error")[0] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert found.of("test R^2")[0] == pytest.approx(1 - np.sum(error**2) / spread, rel=1e-5)
    assert found.of("training R^2")[0] == pytest.approx(r_squared(linear, DATA.train_x, DATA.train_y), rel=1e-5)
    attacked = np.abs(error) + 0.1 * float(jnp.abs(WEIGHTS).sum())
    for attack in ("FGSM", "PGD"):
        assert found.of(f"R^2, {attack} 0.1")[0] == pytest.approx(1 - np.sum(attacked**2) / spread, rel=1e-4)
    assert found.of("R^2, 50% occluded")[0] < found.of("test R^2")[0]
    assert found.of("error gap")[0] == pytest.approx(found.of("test error")[0] - found.of("training error")[0])
    assert np.all((found.lower <= found.value) & (found.value <= found.upper))
    assert found.n_nonfinite.tolist() == [0]


def test_evaluation_of_numbers_resumes(tmp_path):
    options = {"key": KEY, "strengths": (0.1,), "pgd_steps": 2, "occlusions": (), "limit": 20}
    first = evaluate(linear, DATA, folder=tmp_path, **options)
    again = evaluate(linear, DATA, folder=tmp_path, **options)
    np.testing.assert_array_equal(again.value, first.value)
    assert "R^2, unchanged" in first.measures
    with pytest.raises(ValueError, match="holds a run with other settings"):
        evaluate(linear, dataclasses.replace(DATA, test_y=DATA.test_y + 1), folder=tmp_path, **options)


def test_predictions_that_are_not_finite_are_told():
    network = lambda x: jnp.where(x[:, 0] > 1, jnp.nan, linear(x))  # noqa: E731
    with pytest.warns(UserWarning, match="predictions that are NaN or infinite: training"):
        found = evaluate(network, DATA, key=KEY, strengths=(), occlusions=())
    assert np.isnan([found.of(name)[0] for name in ("test R^2", "test error")]).all()
    assert found.n_nonfinite[0] == np.sum(X[:, 0] > 1)
    with pytest.warns(UserWarning, match="predictions of .* are NaN"):
        assert np.isnan(r_squared(network, X, Y))


def test_attacks_on_numbers_reach_their_corner():
    wanted = X + 0.2 * np.sign(np.asarray(linear(X)) - Y)[:, None] * np.sign(np.asarray(WEIGHTS))
    np.testing.assert_allclose(fgsm(linear, None, X, Y, 0.2), wanted, rtol=1e-6)
    found = pgd(KEY, column, None, X, Y, 0.2, steps=5)
    np.testing.assert_allclose(np.abs(linear(found) - Y), np.abs(linear(wanted) - Y), rtol=1e-4)
    with pytest.raises(ValueError, match="y must be class indices, integers, or numbers"):
        fgsm(two, None, X, Y, 0.2)


@pytest.mark.parametrize("tail", ["normal", "heavy"])
@pytest.mark.parametrize("count", [30, 200])
def test_intervals_of_the_share_of_variance_hold(count, tail):
    """Of 2,000 samples of a linear relation with normal, and with Student's noise of 5 degrees of freedom."""
    random = np.random.default_rng(count)
    noise = random.normal(size=(2000, count)) if tail == "normal" else random.standard_t(5, size=(2000, count))
    scale = 0.6 if tail == "normal" else 0.6 / np.sqrt(5 / 3)
    signal = random.normal(size=(2000, count))
    true = 1 - 0.36 / 1.36
    found = [share_of_variance(error, of + error, 0.95) for error, of in zip(scale * noise, signal, strict=True)]
    held = np.mean([lower <= true <= upper for _, lower, upper, _ in found])
    assert 0.92 < held < 0.975, held


def test_probabilities_for_a_logit_are_told_by_what_they_do():
    by_hand = lambda x: 1 / (1 + jnp.exp(-linear(x)))  # noqa: E731
    for call in (
        lambda: accuracy(by_hand, CLASSES.test_x, CLASSES.test_y),
        lambda: ij.training.correctly_classified(by_hand, CLASSES.test_x, CLASSES.test_y, count=5, key=KEY),
        lambda: evaluate(by_hand, CLASSES, key=KEY, strengths=(), occlusions=()),
    ):
        with pytest.warns(UserWarning, match="tells class 1 of every input"):
            call()


@pytest.mark.parametrize(("kind", "told"), [("normal", 0), ("lognormal", 20)])
def test_labels_of_which_few_hold_the_variance_are_told(kind, told):
    random = np.random.default_rng(0)
    said = 0
    for _ in range(20):
        signal, noise = random.normal(size=(2, 200)).astype(np.float32)
        y = np.exp(1.5 * signal) + noise if kind == "lognormal" else signal + noise
        data = ij.datasets.Dataset(signal[:, None], y, signal[:, None], y, "toy", (), task="regression")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            evaluate(lambda x: x[:, 0], data, key=KEY, strengths=(), occlusions=())
        said += any("few examples hold most of the variance" in str(each.message) for each in caught)
    assert said == told


def test_labels_that_do_not_vary_have_no_share_and_that_is_told():
    y = np.ones(6, np.float32)
    data = ij.datasets.Dataset(X[:300], Y, X[:6], y, "toy", (), task="regression")
    with pytest.warns(UserWarning, match="R.2 is NaN where labels do not vary or are fewer than three: test"):
        found = evaluate(linear, data, key=KEY, strengths=(), occlusions=())
    assert np.isnan(found.of("test R^2")).all()


def test_infinite_predictions_have_no_share():
    network = lambda x: jnp.where(x[:, 0] > 1, jnp.inf, linear(x))  # noqa: E731
    with pytest.warns(UserWarning, match="predictions that are NaN or infinite"):
        found = evaluate(network, DATA, key=KEY, strengths=(), occlusions=())
    assert np.isnan(found.of("test R^2")).all()
    assert np.isnan(found.of("test error")).all()


def test_targets_keep_their_fractions_whatever_a_network_gives():
    y = jnp.array([0.5, 1.75, 2.25])
    found = squared_error(lambda x: jnp.arange(3), jnp.ones((3, 2)), y, KEY)
    np.testing.assert_allclose(found, [0.25, 0.5625, 0.0625])
    half = squared_error(lambda x: x[:, 0].astype(jnp.bfloat16), jnp.ones((3, 2)), y + 100, KEY)
    np.testing.assert_allclose(half, (np.asarray(y) + 99) ** 2, rtol=1e-6)


def test_numbers_that_float32_does_not_tell_apart_are_refused():
    model = ij.networks.build("mlp", (4,), 1, hidden=(8,))
    with pytest.raises(ValueError, match="y must be numbers that float32 tells apart"):
        train(model, (X, Y.astype(float) + 1e9), key=KEY, optimizer=optax.adam(1e-2), steps=2, loss=squared_error)


BAD = [
    (lambda: evaluate(two, DATA, key=KEY), "must give one number an input"),
    (lambda: r_squared(two, X, Y), "model must give one number an input"),
    (lambda: r_squared(linear, X, np.ones(300)), "y must vary"),
    (lambda: r_squared(linear, X, Y[:3]), "got shapes"),
    (lambda: squared_error(two, X, Y, KEY), "must give one number an input"),
    (lambda: accuracy(linear, X, Y), "y must be class indices"),
    (lambda: accuracy(linear, X, np.full(300, 2)), "y must hold class indices from 0 to 1"),
    (lambda: ij.concepts.analyse(KEY, linear, DATA), "regression"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_what_does_not_fit_is_told(call, message):
    with pytest.raises(ValueError, match=message):
        call()
