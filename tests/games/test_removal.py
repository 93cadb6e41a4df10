"""Absence by removal: points of a cloud and nodes of a graph, against networks that are given fewer of them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import interjax as ij

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.normal(size=(3, 5)).astype(np.float32)
POINTS = RANDOM.normal(size=(6, 3)).astype(np.float32)
MASKS = np.array(list(itertools.product([False, True], repeat=6)))[1:]  # but for a cloud of no points
PLAYERS = ij.Players.tokens(6, 3)


def of_cloud(clouds):
    return jnp.tanh(clouds @ WEIGHTS).max(axis=1)[:, :3]


def onto_the_first(cloud, present):
    """A cloud whose largest features are those of the points that are left: the others lie on the first of them."""
    return jnp.where(present[:, None], cloud, cloud[jnp.argmax(present)])


def test_values_are_those_of_the_points_that_are_left():
    game = ij.masked_game(of_cloud, POINTS, players=PLAYERS, absence=onto_the_first, output=ij.logit(1))
    expected = [of_cloud(POINTS[mask][None])[0, 1] for mask in MASKS]
    np.testing.assert_allclose(game(MASKS), expected, rtol=1e-5)
    assert game.is_null is None


def test_a_graph_loses_nodes_with_their_edges():
    nodes, edges = RANDOM.normal(size=(5, 3)).astype(np.float32), np.triu(RANDOM.random((5, 5)) > 0.4, 1)
    graph = {"nodes": nodes, "edges": (edges | edges.T).astype(np.float32)}

    def without(graph, present):
        kept = present[:, None] & present[None]
        return {"nodes": graph["nodes"] * present[:, None], "edges": graph["edges"] * kept}

    def network(graphs):  # two rounds of messages, then the sum over nodes
        states = graphs["nodes"]
        for _ in range(2):
            states = jnp.tanh(states + graphs["edges"] @ states)
        return states.sum(axis=1)

    game = ij.masked_game(
        network, graph, players={"nodes": ij.Players.tokens(5, 3)}, absence=without, output=lambda z: z[0] * z[1]
    )
    for mask in itertools.product([False, True], repeat=5):
        left = np.flatnonzero(mask)
        part = {"nodes": nodes[left][None], "edges": graph["edges"][np.ix_(left, left)][None]}
        z = network(part)[0]
        np.testing.assert_allclose(game(np.array([mask])), [z[0] * z[1]], rtol=1e-4, atol=1e-5)


def test_the_network_may_take_another_form():
    counted = lambda cloud, present: (cloud * present[:, None], present.sum())  # noqa: E731
    mean = lambda both: (both[0].sum(axis=1) / jnp.maximum(both[1], 1)[:, None]) @ WEIGHTS  # noqa: E731
    game = ij.masked_game(mean, POINTS, players=PLAYERS, absence=counted)
    label = int(jnp.argmax(POINTS.mean(axis=0) @ WEIGHTS))
    for mask in MASKS[::7]:
        logits = POINTS[mask].mean(axis=0) @ WEIGHTS
        np.testing.assert_allclose(game(mask[None]), [ij.log_odds(label)(logits)], rtol=1e-4, atol=1e-5)


def test_batches_share_code_estimators_take_them_and_folders_tell_functions_apart(tmp_path, compilations):
    clouds = RANDOM.normal(size=(3, 6, 3)).astype(np.float32)
    make = lambda clouds, absence=onto_the_first: ij.masked_games(  # noqa: E731
        of_cloud, clouds, [0, 1, 2], players=PLAYERS, absence=absence
    )
    games = make(clouds)
    found = ij.order_profile(jax.random.key(0), games, folder=tmp_path)
    exact = [ij.exact_order_interactions(ij.tabulate(game))[:, *np.triu_indices(6, 1)] for game in games]
    np.testing.assert_allclose(found.magnitude, np.abs(exact).mean(axis=(0, 2)), rtol=1e-3)
    np.testing.assert_array_equal(
        ij.order_profile(jax.random.key(0), make(clouds), folder=tmp_path).strength, found.strength
    )
    other = lambda cloud, present: jnp.where(present[:, None], cloud, cloud[0])  # noqa: E731
    with pytest.raises(ValueError, match=r"other settings \(baseline"):
        ij.order_profile(jax.random.key(0), make(clouds, other), folder=tmp_path)
    make(clouds)[0](MASKS)
    before = len(compilations)
    make(clouds[::-1])[0](MASKS)
    assert len(compilations) == before


BAD = {
    "absence of another word": ({"absence": "remove"}, 'absence must be "baseline", "points", "nodes" or a function'),
    "absence that takes one argument": ({"absence": lambda x: x}, "absence must be a function .* it fails"),
    "absence that takes those away that are present": (
        {"absence": lambda x, present: x * ~present[:, None]},
        "present is True for those that are",
    ),
    "a baseline beside it": ({"baseline": 1.0}, "baseline must be left out"),
    "a fold beside it": ({"fold": True}, "leave it out"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ij.masked_game(of_cloud, POINTS, **{"players": PLAYERS, "absence": onto_the_first} | changes)


def test_points_by_name_are_those_that_are_left():
    game = ij.masked_game(of_cloud, POINTS, players=PLAYERS, absence="points", output=ij.logit(1))
    expected = [of_cloud(POINTS[mask][None])[0, 1] for mask in MASKS]
    np.testing.assert_allclose(game(MASKS), expected, rtol=1e-5)
    for nowhere in (0.0, 2.5):
        game = ij.masked_game(of_cloud, POINTS, players=PLAYERS, absence="points", output=ij.logit(1), baseline=nowhere)
        lone = of_cloud(np.full((1, 1, 3), nowhere, np.float32))[0, 1]
        np.testing.assert_allclose(game(np.zeros((1, 6), bool)), [lone], rtol=1e-5)


def test_groups_of_points_and_points_that_stay():
    players = ij.Players.segments(np.repeat([[0], [1], [-1], [0], [2], [2]], 3, axis=1))
    games = ij.masked_games(of_cloud, POINTS[None], players=players, absence="points", output=ij.logit(0))
    for mask in itertools.product([False, True], repeat=3):
        left = [point for point, player in enumerate([0, 1, -1, 0, 2, 2]) if player < 0 or mask[player]]
        np.testing.assert_allclose(games[0](np.array([mask])), of_cloud(POINTS[left][None])[:, 0], rtol=1e-5)


def test_nodes_by_name_lose_their_edges_in_every_array():
    nodes = RANDOM.normal(size=(5, 3)).astype(np.float32)
    edges = (RANDOM.random((5, 5)) < 0.5).astype(np.float32)
    kinds = RANDOM.normal(size=(5, 5, 2)).astype(np.float32)
    graph = {"nodes": nodes, "edges": edges, "kinds": kinds, "whole": np.ones(4, np.float32)}

    def network(graphs):
        states = graphs["nodes"]
        for _ in range(2):
            states = jnp.tanh(states + graphs["edges"] @ states)
        kinds = jnp.tanh(graphs["kinds"]).sum(axis=(1, 2, 3))
        return (states.sum(axis=(1, 2)) + kinds + graphs["whole"].sum(axis=1))[:, None]

    game = ij.masked_game(network, graph, players={"nodes": ij.Players.tokens(5, 3)}, absence="nodes")
    for mask in itertools.product([False, True], repeat=5):
        left = np.flatnonzero(mask)
        part = {"nodes": nodes[left], "edges": edges[np.ix_(left, left)], "kinds": kinds[np.ix_(left, left)]}
        part = {name: array[None] for name, array in (part | {"whole": graph["whole"]}).items()}
        np.testing.assert_allclose(game(np.array([mask])), network(part)[:, 0], rtol=1e-4, atol=1e-5)
    compiled = ij.order_profile(jax.random.key(0), game).strength
    assert np.isfinite(compiled).all()


SQUARE = {"nodes": POINTS, "edges": np.ones((6, 6), np.float32)}


@pytest.mark.parametrize(
    ("x", "players", "absence", "options", "message"),
    [
        (POINTS, PLAYERS, "point", {}, 'absence must be "baseline", "points", "nodes" or a function'),
        (POINTS, ij.Players.grid((6, 3), (3, 3)), "points", {}, r"players must be whole rows.*Players.tokens\(6, 3\)"),
        (SQUARE, {"nodes": PLAYERS}, "points", {}, "is for a cloud in one array"),
        (POINTS, PLAYERS, "points", {"baseline": np.ones(3)}, "baseline must be"),
        (POINTS, PLAYERS, "nodes", {}, "is for a graph in several arrays"),
        ({"nodes": POINTS, "list": np.ones((9, 2), int)}, {"nodes": PLAYERS}, "nodes", {}, "needs edges, an array"),
        (SQUARE, {"nodes": PLAYERS}, "nodes", {"baseline": 1.0}, "takes players of one array.*baseline 1.0"),
        (SQUARE, {"nodes": PLAYERS, "edges": ij.Players.tokens(6, 6)}, "nodes", {}, "got players of 2 arrays"),
    ],
)
def test_removal_that_does_not_fit_is_refused(x, players, absence, options, message):
    network = lambda z: jax.tree.leaves(z)[0].sum(axis=(1, 2))  # noqa: E731
    with pytest.raises(ValueError, match=message):
        ij.masked_game(network, x, players=players, absence=absence, **options)


def test_no_place_is_cut_to_the_clouds_type():
    cloud = np.ones((4, 3), int)
    network = lambda clouds: clouds.max(axis=1) * 1.0  # noqa: E731
    options = {"players": ij.Players.tokens(4, 3), "absence": "points", "output": ij.logit(0)}
    with pytest.raises(ValueError, match="baseline must be a number of the cloud's type"):
        ij.masked_game(network, cloud, baseline=0.5, **options)
    assert ij.masked_game(network, cloud, baseline=-2, **options)(np.zeros((1, 4), bool)).tolist() == [-2.0]
