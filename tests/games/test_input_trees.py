"""Inputs of several arrays: players of some of them, the others stay; against masks made by hand in NumPy."""

import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij

RANDOM = np.random.default_rng(0)
VECTORS, WEIGHTS = RANDOM.normal(size=(20, 3)).astype(np.float32), RANDOM.normal(size=(6, 3)).astype(np.float32)
X = {
    "tokens": RANDOM.integers(1, 20, 4),
    "attended": np.array([True, True, False, True]),
    "table": RANDOM.normal(size=3).astype(np.float32),
}
PLAYERS = {"table": ij.Players.features(3), "tokens": ij.Players.tokens(4)}  # 0 to 2 and 3 to 6, as they are given here


def network(inputs):
    tokens = jnp.asarray(VECTORS)[inputs["tokens"]] * inputs["attended"][..., None]
    return jnp.tanh(tokens.sum(axis=1) + inputs["table"]) @ WEIGHTS.T


def by_hand(x, mask, absent_token=0, absent_column=0.0):
    table = np.where(mask[:3], x["table"], absent_column)
    tokens = np.where(mask[3:], x["tokens"], absent_token)
    return np.tanh((VECTORS[tokens] * x["attended"][:, None]).sum(axis=0) + table) @ WEIGHTS.T


MASKS = np.array(list(itertools.product([False, True], repeat=7)))


@pytest.mark.parametrize(
    ("baseline", "absent"), [(0.0, (0, 0.0)), (2, (2, 2.0)), ({"tokens": 7}, (7, 0.0)), ({"table": 0.5}, (0, 0.5))]
)
def test_values_are_those_of_masks_made_by_hand(baseline, absent):
    game = ij.masked_game(network, X, players=PLAYERS, baseline=baseline, output=ij.logit(2))
    assert game.n_players == 7
    np.testing.assert_allclose(game(MASKS), [by_hand(X, mask, *absent)[2] for mask in MASKS], rtol=1e-5, atol=1e-6)


class Graph(NamedTuple):
    nodes: np.ndarray
    rest: list


def test_arrays_may_stand_in_tuples_and_lists_below_each_other():
    graph = Graph(np.array([[1.0, 2.0], [3.0, 4.0]], np.float32), [np.ones(1, np.float32), {"edges": np.arange(3.0)}])
    players = (ij.Players.grid((2, 2), (2,)), [None, {"edges": ij.Players.features(3)}])
    whole = lambda g: g.nodes.sum(axis=(1, 2)) * g.rest[1]["edges"].sum(axis=1) + g.rest[0][:, 0]  # noqa: E731
    game = ij.masked_game(whole, graph, players=players)
    masks = np.array(list(itertools.product([False, True], repeat=5)))
    expected = [(m[:2] @ [3.0, 7.0]) * (m[2:] @ [0.0, 1.0, 2.0]) + 1 for m in masks]
    np.testing.assert_allclose(game(masks), expected)
    assert np.asarray(game.is_null).tolist() == [False, False, True, False, False]


def batch(count):
    random = np.random.default_rng(1)
    tokens, table = random.integers(1, 20, (count, 4)), random.normal(size=(count, 3)).astype(np.float32)
    return {"tokens": tokens, "attended": np.ones((count, 4), bool), "table": table}


def test_batches_have_a_game_each_and_compile_nothing_anew(compilations):
    xs, labels = batch(4), [0, 3, 5, 1]
    games = ij.masked_games(network, xs, labels, players=PLAYERS, output=ij.log_prob)
    for number, game in enumerate(games):
        alone = jax.tree.map(lambda leaf, row=number: leaf[row], xs)
        expected = jax.nn.log_softmax(np.array([by_hand(alone, mask) for mask in MASKS]))[:, labels[number]]
        np.testing.assert_allclose(game(MASKS), expected, rtol=1e-4, atol=1e-5)
    assert len(ij.masked_games(network, batch(0), players=PLAYERS)) == 0
    before = len(compilations)
    others = {name: array[::-1] for name, array in batch(4).items()}
    ij.masked_games(network, others, labels[::-1], players=PLAYERS, output=ij.log_prob)[0](MASKS)
    assert len(compilations) == before


@pytest.mark.parametrize("exact", [True, False])
def test_estimators_take_them_and_folders_tell_them_apart(tmp_path, exact):
    games = ij.masked_games(network, batch(2), players=PLAYERS)
    tables = [ij.exact_order_interactions(ij.tabulate(game))[:, *np.triu_indices(7, 1)] for game in games]
    expected = np.abs(tables).mean(axis=(0, 2))
    found = ij.order_profile(jax.random.key(0), games, contexts=20, folder=tmp_path, exact=exact)
    np.testing.assert_allclose(found.magnitude, expected, rtol=1e-3)
    again = ij.order_profile(jax.random.key(0), games, contexts=20, folder=tmp_path, exact=exact)
    np.testing.assert_array_equal(found.strength, again.strength)
    for changed in ({"baseline": {"tokens": 3}}, {"players": PLAYERS | {"table": None}}):
        others = ij.masked_games(network, batch(2), **{"players": PLAYERS} | changed)
        with pytest.raises(ValueError, match="holds a run with other settings"):
            ij.order_profile(jax.random.key(0), others, contexts=20, folder=tmp_path, exact=exact)


def test_a_coarser_precision_leaves_whole_numbers_whole():
    coarse = ij.masked_game(network, X, players=PLAYERS, output=ij.logit(2), precision="bfloat16")
    np.testing.assert_allclose(coarse(MASKS), [by_hand(X, mask)[2] for mask in MASKS], rtol=0.05, atol=0.05)


BAD = {
    "a key that the input lacks": (
        {"players": {"token": ij.Players.tokens(4)}},
        "among the input's, .* got 'token'",
    ),
    "players of another shape": (
        {"players": {"tokens": ij.Players.tokens(5)}},
        r"x\['tokens'\] must have the shape .*5",
    ),
    "no players": ({"players": {}}, "at least one"),
    "no players of any": ({"players": {"tokens": None}}, "at least one"),
    "a number for players": ({"players": {"tokens": 3}}, r"players\['tokens'\] must be ij.Players"),
    "a tuple for a dict": ({"players": (ij.Players.tokens(4),)}, "players must be a dict"),
    "players that name no array": ({"players": ij.Players.tokens(4)}, "players must name the arrays of x"),
    "a fraction for tokens": ({"baseline": {"tokens": 0.5}}, "baseline must be an integer"),
    "a baseline of another key": ({"baseline": {"token": 1}}, "baseline must be a dict"),
    "a background": ({"baseline": ij.marginal(np.zeros((2, 3)))}, "background must hold the arrays that have players"),
    "a fold": ({"fold": True}, "fold is for networks that take and give one array"),
    "text": ({"x": X | {"table": "abc"}}, r"x\['table'\] must be"),
    "a network that wants another key": ({"model": lambda inputs: inputs["ids"]}, "does not take a batch of inputs"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused_by_name(changes, message):
    model, x, options = changes.pop("model", network), changes.pop("x", X), {"players": PLAYERS} | changes
    with pytest.raises(ValueError, match=message):
        ij.masked_game(model, x, **options)


def test_batches_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="xs must be arrays of one row for each input"):
        ij.masked_games(network, batch(3) | {"table": np.zeros((2, 3))}, players=PLAYERS)
    with pytest.raises(ValueError, match="got 3 inputs and 2 labels"):
        ij.masked_games(network, batch(3), [0, 1], players=PLAYERS)


def test_a_baseline_of_an_array_without_players_is_refused():
    x = {"tokens": np.ones(4, np.float32), "mask": np.ones(3, np.float32)}
    with pytest.raises(ValueError, match=r"baseline\['mask'\] must be left out"):
        ij.masked_game(
            lambda parts: parts["tokens"][:, :2],
            x,
            players={"tokens": ij.Players.features(4)},
            baseline={"mask": 0.0},
        )


BACKGROUND = {
    "tokens": RANDOM.integers(0, 20, (5, 4)),
    "table": RANDOM.normal(size=(5, 3)).astype(np.float32),
}


def test_a_background_of_several_arrays_is_that_of_rows_made_by_hand():
    options = {"players": PLAYERS, "output": ij.logit(2)}
    game = ij.masked_game(network, X, baseline=ij.marginal(BACKGROUND), **options)
    rows = list(zip(BACKGROUND["tokens"], BACKGROUND["table"], strict=True))
    wanted = [np.mean([by_hand(X, mask, *row)[2] for row in rows]) for mask in MASKS]
    np.testing.assert_allclose(game(MASKS), wanted, atol=1e-6)
    assert game.passes == 5
    batch = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), X) | {"attended": np.array([X["attended"], [False] * 4])}
    both = ij.masked_games(network, batch, players=PLAYERS, baseline=ij.marginal(BACKGROUND), output=ij.logit(2))
    np.testing.assert_allclose(both[0](MASKS), wanted, atol=1e-6)
    absent = [
        np.mean([by_hand(X | {"attended": batch["attended"][1]}, mask, *row)[2] for row in rows]) for mask in MASKS
    ]
    np.testing.assert_allclose(both[1](MASKS), absent, atol=1e-6)


@pytest.mark.parametrize(
    ("background", "message"),
    [
        (lambda: ij.marginal({"tokens": BACKGROUND["tokens"]}), r"background\['table'\] must be given"),
        (lambda: ij.marginal(BACKGROUND["table"]), "background must hold the arrays that have players"),
        (lambda: {"table": ij.marginal(BACKGROUND["table"])}, "baseline must be one ij.marginal"),
        (lambda: ij.marginal(BACKGROUND | {"attended": np.ones((5, 4))}), r"background\['attended'\] must be left out"),
        (lambda: ij.marginal(BACKGROUND | {"table": np.ones((4, 3))}), "background must be arrays of one row"),
        (
            lambda: ij.marginal(BACKGROUND | {"table": np.ones((5, 2))}),
            "background example must have the input's shape",
        ),
        (lambda: ij.marginal({"tokens": BACKGROUND["table"]}), "must be given|must be an integer|must have the input"),
        (lambda: ij.marginal({}), "background must be arrays"),
    ],
)
def test_a_background_that_does_not_fit_is_refused_by_name(background, message):
    with pytest.raises(ValueError, match=message):
        ij.masked_game(network, X, players=PLAYERS, baseline=background())
    with pytest.raises(ValueError, match="background must be one array"):
        ij.masked_game(lambda x: x, X["table"], players=PLAYERS["table"], baseline=ij.marginal(BACKGROUND))


def test_ordered_dicts_keep_their_order():
    import collections

    network = lambda d: d["b"].sum(axis=1) + 10 * d["a"].sum(axis=1)  # noqa: E731
    x = collections.OrderedDict(b=np.ones(3, np.float32), a=np.ones(3, np.float32))
    for given in (x, dict(x)):
        game = ij.masked_game(network, given, players={"b": ij.Players.features(3)})
        assert game.player_names[0] == "b 0"
        assert game(np.zeros((1, 3), bool)).tolist() == [30.0]
        players = {name: ij.Players.features(3) for name in ("a", "b")}
        game = ij.masked_game(network, given, players=players, baseline={"b": 1.5, "a": 2.0})
        assert game(np.zeros((1, 6), bool)).tolist() == [64.5]


def test_fractions_in_booleans_are_refused():
    network = lambda d: d["m"].sum(axis=1) * 1.0  # noqa: E731
    x = {"m": np.zeros(3, bool)}
    for baseline in ({"m": 0.3}, ij.marginal({"m": np.full((2, 3), 0.3)})):
        with pytest.raises(ValueError, match="must be booleans, 0 or 1"):
            ij.masked_game(network, x, players={"m": ij.Players.features(3)}, baseline=baseline)
    game = ij.masked_game(network, x, players={"m": ij.Players.features(3)}, baseline=1)
    assert game(np.zeros((1, 3), bool)).tolist() == [3.0]


def test_labels_of_a_table_are_taken_by_place():
    class Series(list):
        def __getitem__(self, index):
            return super().__getitem__([2, 0, 1][index] if isinstance(index, int) else index)

        def to_numpy(self):
            return np.array(list(self))

    games = ij.masked_games(
        lambda x: x @ jnp.eye(3),
        np.eye(3, dtype="f"),
        Series([0, 1, 2]),
        players=ij.Players.features(3),
        output=ij.logit,
    )
    assert [float(game(np.ones((1, 3), bool))[0]) for game in games] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8)])
def test_channels_first_with_many_cells(shape):
    players = ij.Players.grid(shape, (8, 8), axes=(1, 2))
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    game = ij.masked_game(lambda z: z.reshape(len(z), -1) ** 2, x, players=players, output=lambda z: z.sum())
    masks = np.random.default_rng(1).random((5, 64)) < 0.5
    cell = shape[1] // 8
    kept = np.repeat(np.repeat(masks.reshape(5, 1, 8, 8), cell, axis=2), cell, axis=3) * x
    np.testing.assert_allclose(game(masks), (kept**2).sum(axis=(1, 2, 3)), rtol=1e-4)
