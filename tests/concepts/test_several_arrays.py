"""Concepts of networks that take several arrays: as of masks made by hand in NumPy, and of the network of one array."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij
from interjax.concepts import ConceptAnalysis, analyse, checkpoint_concepts, concept_tables

KEY = jax.random.key(0)
RANDOM = np.random.default_rng(0)
COUNT = 48
VECTORS, WEIGHTS = RANDOM.normal(size=(20, 3)).astype(np.float32), RANDOM.normal(size=(3, 2)).astype(np.float32)
X = {
    "tokens": RANDOM.integers(1, 20, (COUNT, 3)),
    "attended": RANDOM.random((COUNT, 3)) < 0.8,
    "table": RANDOM.normal(size=(COUNT, 3)).astype(np.float32),
}
Y = np.arange(COUNT) % 2
PLAYERS = {"table": ij.Players.features(3, names=["age", "sex", "pay"]), "tokens": ij.Players.tokens(3)}
NAMES = ("table age", "table sex", "table pay", "tokens 0", "tokens 1", "tokens 2")
MASKS = np.array(list(itertools.product([False, True], repeat=6)))[:, ::-1]  # row b has player i where bit i is set
BACKGROUND = {"tokens": RANDOM.integers(0, 20, (4, 3)), "table": RANDOM.normal(size=(4, 3)).astype(np.float32)}


def network(inputs):
    words = jnp.asarray(VECTORS)[inputs["tokens"]] * inputs["attended"][..., None]
    return jnp.tanh(words.sum(axis=1) + inputs["table"]) @ WEIGHTS


def value(row, mask, absent):
    """Log-odds of the label of one input, in NumPy."""
    table = np.where(mask[:3], X["table"][row], absent["table"])
    tokens = np.where(mask[3:], X["tokens"][row], absent["tokens"])
    logits = np.tanh((VECTORS[tokens] * X["attended"][row][:, None]).sum(axis=0) + table) @ WEIGHTS
    return logits[Y[row]] - logits[1 - Y[row]]


def whole(x):
    return network({"tokens": x[:, 3:6].astype(jnp.int32), "attended": x[:, 6:] > 0, "table": x[:, :3]})


ONE = np.concatenate([X["table"], X["tokens"], X["attended"]], axis=1).astype(np.float32)
ONE_PLAYERS = ij.Players.segments([0, 1, 2, 3, 4, 5, -1, -1, -1])


@pytest.mark.parametrize(
    ("baseline", "absent"),
    [
        (0.0, [{"table": 0.0, "tokens": 0}]),
        ({"tokens": 7, "table": 0.5}, [{"table": 0.5, "tokens": 7}]),
        (
            ij.marginal(BACKGROUND),
            [{"table": a, "tokens": b} for a, b in zip(BACKGROUND["table"], BACKGROUND["tokens"], strict=True)],
        ),
    ],
)
@pytest.mark.parametrize("output", [ij.log_odds, None])
def test_tables_are_those_of_masks_made_by_hand(baseline, absent, output):
    found = concept_tables(network, X, Y, players=PLAYERS, baseline=baseline, output=output)
    wanted = [[np.mean([value(row, mask, each) for each in absent]) for mask in MASKS] for row in range(COUNT)]
    np.testing.assert_allclose(found, wanted, atol=2e-6)


@pytest.fixture(scope="module")
def options():
    return {"kind": "and", "inputs_per_class": 10, "untrained": lambda inputs: -network(inputs)}


def halves(x, y):
    return jax.tree.map(lambda leaf: leaf[:32], x), y[:32], jax.tree.map(lambda leaf: leaf[32:], x), y[32:]


def test_an_analysis_is_that_of_one_array(options, tmp_path):
    found = analyse(KEY, network, halves(X, Y), players=PLAYERS, folder=tmp_path / "run", **options)
    other = options | {"untrained": lambda x: -whole(x)}
    wanted = analyse(KEY, whole, halves(ONE, Y), players=ONE_PLAYERS, **other)
    np.testing.assert_allclose(found.tables, wanted.tables, atol=1e-5)
    np.testing.assert_array_equal(found.rows, wanted.rows)
    assert found.player_names == NAMES
    assert found.players.shape == (9,)
    assert found.players.labels[:3].tolist() == [-1, -1, -1]  # attended, the first by its name, stays
    again = analyse(KEY, network, halves(X, Y), players=PLAYERS, folder=tmp_path / "run", **options)
    np.testing.assert_array_equal(again.tables, found.tables)
    found.save(tmp_path / "saved")
    loaded = ConceptAnalysis.load(tmp_path / "saved")
    assert loaded.players == found.players
    assert loaded.player_names == NAMES
    changed = X | {"attended": ~X["attended"]}
    with pytest.raises(ValueError, match="inputs"):
        analyse(KEY, network, halves(changed, Y), players=PLAYERS, folder=tmp_path / "run", **options)


def test_an_analysis_takes_names_and_needs_players(options):
    names = list("abcdef")
    found = analyse(KEY, network, (X, Y), players=PLAYERS, player_names=names, **options)
    assert found.player_names == tuple(names)
    with pytest.raises(ValueError, match="players must be given for inputs of several arrays"):
        analyse(KEY, network, (X, Y), **options)
    with pytest.raises(ValueError, match="players must name the arrays"):
        analyse(KEY, network, (X, Y), players=ij.Players.tokens(3), **options)


@pytest.mark.parametrize("untrained", [lambda inputs: inputs["words"], lambda inputs: network(inputs)[:, :1], whole])
def test_an_untrained_network_of_other_inputs_is_refused_by_name(options, untrained):
    with pytest.raises(ValueError, match="untrained must be a network of the inputs and classes of model"):
        analyse(KEY, network, (X, Y), players=PLAYERS, output=ij.logit, **options | {"untrained": untrained})


def test_dynamics_are_those_of_one_array(tmp_path):
    def scaled(apply):
        return {step: (lambda scale, x: scale * apply(x), 0.1 * step) for step in (1, 5)}

    options = {"inputs_per_class": 10, "graded": 10, "resamples": 10}
    found = checkpoint_concepts(KEY, scaled(network), halves(X, Y), players=PLAYERS, folder=tmp_path, **options)
    data = ij.datasets.Dataset(*halves(ONE, Y), "one", ("0", "1"))
    wanted = checkpoint_concepts(KEY, scaled(whole), data, players=ONE_PLAYERS, **options)
    np.testing.assert_allclose(found.strength, wanted.strength, rtol=1e-4)
    np.testing.assert_allclose(found.test_loss, wanted.test_loss, rtol=1e-5)
    np.testing.assert_array_equal(found.train_accuracy, wanted.train_accuracy)
    assert found.player_names == NAMES
    again = checkpoint_concepts(KEY, scaled(network), halves(X, Y), players=PLAYERS, folder=tmp_path, **options)
    np.testing.assert_array_equal(again.strength, found.strength)


def test_the_output_none_is_the_log_odds_of_the_label(options, tmp_path):
    default = analyse(KEY, network, (X, Y), players=PLAYERS, folder=tmp_path, **options)
    found = analyse(KEY, network, (X, Y), players=PLAYERS, output=None, folder=tmp_path, **options)
    np.testing.assert_array_equal(found.tables, default.tables)
