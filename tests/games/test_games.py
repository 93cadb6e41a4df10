"""Games evaluate coalitions: any source, any chunk size, errors that say what to do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import interjax as ij
from interjax.games import _folded

MASKS = np.random.default_rng(0).random((37, 5)) < 0.5
TABLE = np.random.default_rng(1).normal(size=32)


def lookup(masks):
    return TABLE[np.asarray(masks) @ (1 << np.arange(5))]


def table_game_of(kind):
    if kind == "host table":
        return ij.Game.from_table(TABLE)
    if kind == "device table":
        return ij.Game.from_table(jnp.asarray(TABLE, jnp.float32))
    if kind == "function":
        values = jnp.asarray(TABLE, jnp.float32)
        return ij.Game.from_function(lambda present: values[jnp.sum(present * 2 ** jnp.arange(5))], 5)
    return ij.Game.from_host(lookup, 5)


KINDS = ["host table", "device table", "function", "host"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [None, 1, 7, 64])
def test_values_are_the_same_at_any_chunk_size(kind, batch_size):
    found = table_game_of(kind)(MASKS, batch_size=batch_size)
    assert found.shape == (37,)
    np.testing.assert_allclose(found, lookup(MASKS), rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch_size", [None, 5])
def test_tabulate_lists_every_coalition_by_its_bits(kind, batch_size):
    np.testing.assert_allclose(ij.tabulate(table_game_of(kind), batch_size=batch_size), TABLE, rtol=1e-6)


def test_a_numpy_table_keeps_double_precision_and_the_global_setting():
    table = 1e9 + np.arange(4.0) * 1e-5
    np.testing.assert_array_equal(ij.tabulate(ij.Game.from_table(table)), table)
    assert not jax.config.jax_enable_x64


def test_no_masks_give_no_values():
    for kind in KINDS:
        assert table_game_of(kind)(np.zeros((0, 5), bool)).shape == (0,)


def test_marginal_baseline_averages_over_the_background():
    background = np.random.default_rng(2).normal(size=(3, 4)).astype(np.float32)
    x = np.arange(4, dtype=np.float32)
    masks = MASKS[:, :4]
    network = lambda x: jnp.stack([jnp.sum(x, -1) ** 2, jnp.zeros(x.shape[0])], axis=-1)  # noqa: E731
    game = ij.masked_game(
        network, x, players=ij.Players.features(4), baseline=ij.marginal(background), output=ij.logit(0)
    )
    expected = np.mean([np.where(masks, x, b).sum(-1) ** 2 for b in background], axis=0)
    np.testing.assert_allclose(game(masks), expected, rtol=1e-5)
    assert game.passes == 3


def test_array_baseline_fills_absent_players():
    x, mean = np.ones(3, np.float32), np.array([5.0, 6.0, 7.0])
    game = ij.masked_game(lambda x: x, x, players=ij.Players.features(3), baseline=mean, output=lambda z: z.sum())
    assert game(np.array([[True, False, False]])).tolist() == [14.0]


def test_the_default_output_is_the_log_odds_of_the_predicted_class():
    network = lambda x: x  # noqa: E731
    x = np.array([0.0, 3.0, 1.0], np.float32)
    game = ij.masked_game(network, x, players=ij.Players.features(3))
    everyone = np.ones((1, 3), bool)
    np.testing.assert_allclose(game(everyone), ij.log_odds(1)(jnp.asarray(x))[None], rtol=1e-6)


@pytest.mark.parametrize("output", [ij.log_odds, ij.log_prob, ij.logit, ij.prob])
def test_outputs_agree_with_their_definitions(output):
    z = np.array([0.3, -1.0, 2.0], np.float32)
    p = np.exp(z) / np.exp(z).sum()
    expected = {"log_odds": np.log(p / (1 - p)), "log_prob": np.log(p), "logit": z, "prob": p}[output.__name__]
    for label in range(3):
        np.testing.assert_allclose(output(label)(jnp.asarray(z)), expected[label], rtol=1e-5)


def test_masked_games_share_compiled_code_and_differ_by_input():
    xs = np.eye(3, dtype=np.float32)
    games = ij.masked_games(lambda x: 2 * x, xs, [0, 1, 2], players=ij.Players.features(3), output=ij.logit)
    everyone = np.ones((1, 3), bool)
    assert [game(everyone).tolist() for game in games] == [[2.0]] * 3
    assert len({jax.tree.structure(game) for game in games}) == 1


@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_folded_values_are_the_networks(baseline):
    random = np.random.default_rng(0)
    first, second = random.normal(size=(12, 40)).astype(np.float32), random.normal(size=(40, 3)).astype(np.float32)
    network = lambda x: jnp.tanh(x.reshape(-1, 12) @ first) @ second  # noqa: E731
    x, masks = random.normal(size=(3, 4)).astype(np.float32), random.random((80, 6)) < 0.5
    players = ij.Players.grid((3, 4), (3, 2))
    plain, folded = (
        ij.masked_game(network, x, players=players, baseline=baseline, output=ij.log_odds(1), fold=fold)
        for fold in (False, True)
    )
    assert _folded.fold(folded, masks=len(masks)) is not None
    np.testing.assert_allclose(folded(masks), plain(masks), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ij.tabulate(folded), ij.tabulate(plain), rtol=1e-4, atol=1e-5)


def test_a_network_that_starts_otherwise_cannot_be_folded():
    with pytest.raises(ValueError, match="first operation"):
        masked(model=lambda x: jnp.sin(x), fold=True)


def test_nan_is_kept_and_reported():
    game = ij.Game.from_host(lambda masks: np.where(masks[:, 0], np.nan, 1.0), 2)
    with pytest.warns(UserWarning, match="2 of 4 values"):
        table = ij.tabulate(game)
    np.testing.assert_array_equal(np.isnan(table), [False, True, False, True])


def masked(**changes):
    arguments = {"model": lambda x: x, "x": np.zeros(3, np.float32), "players": ij.Players.features(3)} | changes
    return ij.masked_game(arguments.pop("model"), arguments.pop("x"), **arguments)


BAD_CALLS = {
    "table of length 6": (lambda: ij.Game.from_table(np.zeros(6)), r"2\*\*n"),
    "table of one value": (lambda: ij.Game.from_table(np.zeros(1)), r"2\*\*n"),
    "table with two axes": (lambda: ij.Game.from_table(np.zeros((2, 2))), r"2\*\*n"),
    "table of words": (lambda: ij.Game.from_table(np.array(["a", "b"])), "real numbers"),
    "function of the wrong shape": (lambda: ij.Game.from_function(lambda s: s, 3), "scalar"),
    "no players": (lambda: ij.Game.from_function(lambda s: 0.0, 0), "n_players"),
    "host of the wrong shape": (lambda: ij.Game.from_host(lambda m: m, 3)(MASKS[:, :3]), "host function"),
    "host of other masks": (
        lambda: ij.Game.from_host(lambda m: 3 + "a", 3)(MASKS[:, :3]),
        "host function must take masks, a NumPy array of bool",
    ),
    "bfloat16 host": (
        lambda: ij.Game.from_host(lambda m: np.zeros(len(m), jnp.bfloat16), 3)(MASKS[:, :3]),
        r"it gave bfloat16 of shape .*: give them as float32, values.astype\(np.float32\)",
    ),
    "complex host": (lambda: ij.Game.from_host(lambda m: np.zeros(len(m), complex), 3)(MASKS[:, :3]), "host function"),
    "masks too wide": (lambda: ij.Game.from_table(TABLE)(np.zeros((2, 6), bool)), "shape"),
    "masks of integers": (lambda: ij.Game.from_table(TABLE)(np.zeros((2, 5), int)), "booleans"),
    "a single mask": (lambda: ij.Game.from_table(TABLE)(np.zeros(5, bool)), "shape"),
    "batch size 0": (lambda: ij.Game.from_table(TABLE)(MASKS, batch_size=0), "batch_size"),
    "too many players for a table": (lambda: ij.tabulate(ij.Game.from_function(lambda s: 0.0, 40)), "at most 26"),
    "input of another shape": (lambda: masked(x=np.zeros(4)), "shape"),
    "baseline of another shape": (lambda: masked(baseline=np.zeros(4)), "baseline"),
    "background of another shape": (lambda: masked(baseline=ij.marginal(np.zeros((2, 4)))), "background"),
    "empty background": (lambda: ij.marginal(np.zeros((0, 4))), "background"),
    "float baseline of tokens": (lambda: masked(x=np.zeros(3, int), baseline=0.5), "integers"),
    "label out of range": (lambda: masked(output=ij.log_odds(3)), "label must be a class number from 0 to 2, .* got 3"),
    "negative label": (lambda: ij.log_odds(-1), "from 0 on"),
    "label of floats": (lambda: ij.log_odds(1.5), "integer"),
    "no output": (lambda: masked(output=3), "output must be one of ij.log_odds"),
    "output of the wrong shape": (lambda: masked(output=lambda z: z), "scalar"),
    "network that loses the batch": (lambda: masked(model=lambda x: x.sum()), "row of outputs"),
    "network of other inputs": (lambda: masked(model=lambda x: x @ np.zeros((7, 2), np.float32)), "does not take"),
    "one logit and its label": (lambda: masked(model=lambda x: x[:, :1], output=ij.logit(0)), "one number an input"),
    "one logit and another label": (lambda: masked(model=lambda x: x[:, 0], output=ij.log_odds(2)), "from 0 to 1"),
    "outputs of images and no output": (lambda: masked(model=lambda x: x[:, None]), "output="),
    "an output of labels and no labels": (lambda: masked(output=lambda z, label: z[label]), "there are no labels"),
    "an output of a label": (lambda: masked(output=lambda label: lambda z: z[label]), "it gives a function"),
    "more labels than inputs": (
        lambda: ij.masked_games(lambda x: x, np.zeros((2, 3)), [0], players=ij.Players.features(3)),
        "label",
    ),
}


@pytest.mark.parametrize(("call", "message"), BAD_CALLS.values(), ids=BAD_CALLS.keys())
def test_bad_input_is_refused_with_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_host_game_cannot_be_traced():
    game = ij.Game.from_host(lookup, 5)
    with pytest.raises(ValueError, match="host game"):
        jax.jit(game.__call__)(MASKS)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 70))
def test_any_length_that_is_no_power_of_two_is_refused(length):
    if length > 1 and length & (length - 1) == 0:
        assert ij.Game.from_table(np.zeros(length)).n_players == length.bit_length() - 1
    else:
        with pytest.raises(ValueError, match=r"2\*\*n"):
            ij.Game.from_table(np.zeros(length))
