"""Game-theoretic indices against reference vectors, written-out definitions, axioms, and on bad input."""

import itertools
import json
import math

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.brute_force import brute_index, random_table, shapley_by_permutations, subsets

import interjax as ij
from interjax.tables._indices import INDEX_NAMES

SIZED = ["SII", "BII", "CHII", "k-SII", "STII", "FSII", "FBII", "kADD-SHAP", "JointSV"]
SIZED += ["SGV", "BGV", "CHGV", "EGV", "IGV", "Moebius", "Co-Moebius"]
SINGLE = ["SV", "BV"]
SOLVED_BY_REGRESSION = ("FSII", "FBII", "kADD-SHAP")  # the reference's own solver is off by about 1e-9


def masks_of(n):
    return (np.arange(2**n)[:, None] >> np.arange(n)) & 1


def assert_same(came, expected, atol):
    assert set(came) == set(expected)
    for players, value in expected.items():
        assert came[players] == pytest.approx(value, abs=atol), players


def test_reference_vectors(conformance_folder):
    reference = json.loads((conformance_folder / "game_indices_n5.json").read_text())
    for key, expected in reference["indices"].items():
        name, size = key.rsplit(":", 1)
        came = ij.interaction_index(reference["table"], name, size=int(size))
        if name == "ELC":  # the reference's is our joint form: see test_least_core
            continue
        atol = 1e-7 if name in SOLVED_BY_REGRESSION else 1e-9
        values = {tuple(map(int, filter(None, k.split(",")))): v for k, v in expected["values"].items()}
        assert_same(came.to_dict(), values, atol)
        assert came.baseline_value == pytest.approx(expected["baseline_value"], abs=1e-9)


@pytest.mark.parametrize(("n", "size"), [(1, 1), (2, 2), (4, 1), (4, 3), (4, 4), (5, 2), (6, 3)])
@pytest.mark.parametrize("name", SIZED)
def test_definition(name, n, size):
    table = random_table(n, seed=n)
    came = ij.interaction_index(table, name, size)
    expected = brute_index(table, name, size)
    assert_same({players: value for players, value in came.items() if players}, expected, 1e-9)


@pytest.mark.parametrize("name", SINGLE)
def test_single_players(name):
    table = random_table(5)
    came = ij.interaction_index(table, name)
    assert_same({players: value for players, value in came.items() if players}, brute_index(table, name, 1), 1e-12)
    if name == "SV":
        np.testing.assert_allclose(came.values[1:], shapley_by_permutations(table), atol=1e-12)


@pytest.mark.parametrize("name", ["SII", "FSII", "SGV", "JointSV"])
def test_eight_players(name):
    table = random_table(8)
    came = ij.interaction_index(table, name)
    assert_same({players: value for players, value in came.items() if players}, brute_index(table, name, 2), 1e-9)


@pytest.mark.parametrize("n", [4, 6, 7])
@pytest.mark.filterwarnings("ignore")
def test_against_shapiq(n):
    exact = pytest.importorskip("shapiq.game_theory.exact", reason="shapiq comes with the bench extra")
    table = random_table(n, seed=10 + n)
    computer = exact.ExactComputer(lambda masks: table[masks.astype(int) @ (1 << np.arange(n))], n)
    for name in (*SIZED, *SINGLE):
        size = 1 if name in SINGLE else n if name.endswith("Moebius") else 3
        theirs = computer(name, size)
        expected = {players: float(theirs.values[row]) for players, row in theirs.interaction_lookup.items()}
        came = ij.interaction_index(table, name, size)
        assert_same(came.to_dict(), expected, 1e-7 if name in SOLVED_BY_REGRESSION else 1e-9)
        assert came.baseline_value == pytest.approx(theirs.baseline_value, abs=1e-7)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6])
def test_coalitions_by_size_then_lexicographic(size):
    came = ij.interaction_index(random_table(6), "Moebius", size)
    expected = [players for t in range(size + 1) for players in itertools.combinations(range(6), t)]
    assert list(came) == expected
    assert came.coalitions.dtype == bool


def test_empty_coalition():
    """The index itself for SII, BII, BV and FBII; v(0) for the others; none for ELC."""
    table = random_table(4)
    sizes = masks_of(4).sum(axis=1)
    by_size = [table[sizes == s].mean() for s in range(5)]
    columns = np.concatenate([np.ones((16, 1)), masks_of(4)], axis=1)
    fitted = np.linalg.lstsq(columns, table, rcond=None)[0][0]
    own = {"SII": np.mean(by_size), "BII": table.mean(), "BV": table.mean(), "FBII": fitted}
    for name in INDEX_NAMES:
        came = ij.interaction_index(table, name, size=1)
        if name in ("ELC", "ELC-joint"):
            assert () not in came
            assert came.baseline_value == 0
        else:
            assert came[()] == pytest.approx(own.get(name, table[0]), abs=1e-12)
            assert came.baseline_value == pytest.approx(fitted if name == "FBII" else table[0], abs=1e-12)


@pytest.mark.parametrize("name", ["SV", "k-SII", "STII", "FSII", "JointSV"])
def test_efficiency(name):
    """The entries sum to v(N) (v(0) is the empty coalition's): 17 players are more than one chunk."""
    for n in (3, 17):
        table = random_table(n)
        assert ij.interaction_index(table, name).values.sum() == pytest.approx(table[-1], abs=1e-9)


@pytest.mark.parametrize("name", [*SIZED, *SINGLE])
def test_size_one_of_an_additive_game(name):
    """Every index of an additive game gives each player its own weight."""
    weights = np.array([1.0, -2.0, 0.5, 3.0])
    table = masks_of(4) @ weights
    np.testing.assert_allclose(ij.interaction_index(table, name, 1).values[1:], weights, atol=1e-12)


@hypothesis.given(st.sampled_from(SIZED), st.permutations(range(4)), st.integers(0, 1000), st.integers(1, 4))
@hypothesis.settings(max_examples=40, deadline=None)
def test_symmetry_and_linearity(name, order, seed, size):
    table, other = random_table(4, seed), random_table(4, seed + 1)
    renamed = table[masks_of(4) @ (1 << np.array(order))]  # player i of the renamed game is player order[i]
    of_table, of_renamed = ij.interaction_index(table, name, size), ij.interaction_index(renamed, name, size)
    for players in of_renamed:
        assert of_renamed[players] == pytest.approx(of_table[{order[i] for i in players}], abs=1e-9)
    combined = ij.interaction_index(table - 3 * other, name, size).values
    expected = of_table.values - 3 * ij.interaction_index(other, name, size).values
    np.testing.assert_allclose(combined, expected, atol=1e-9)


def test_default_sizes():
    table = random_table(3)
    sizes = {name: ij.interaction_index(table, name).size for name in ("SII", "SV", "ELC", "Moebius", "Co-Moebius")}
    assert sizes == {"SII": 2, "SV": 1, "ELC": 1, "Moebius": 3, "Co-Moebius": 3}
    assert ij.interaction_index([0.0, 1.0], "SII").size == 1


def test_interactions_are_a_mapping(tmp_path):
    table = random_table(4)
    came = ij.interaction_index(table, "SII", 2)
    assert list(came) == list(subsets(range(4), 0, 2)) == came.keys()
    assert len(came) == len(came.values) == 11
    assert isinstance(came.values, np.ndarray)
    assert came.values.dtype == np.float64
    assert came.coalitions.dtype == bool
    assert came[1, 3] == came[3, 1] == came[{3, 1}] == came[np.array([1, 3])] == came.values[-2]
    assert (3, 1) in came
    assert {0} in came
    assert (0, 1, 2) not in came
    assert 3 not in came
    assert "ab" not in came
    assert came.get((0, 1, 2)) is None
    assert came.get((2, 0)) == came[0, 2]
    with pytest.raises(KeyError):
        came[0, 1, 2]
    assert dict(came) == came.to_dict() == dict(came.items())
    assert "SII" in repr(came)
    loaded = ij.Interactions.load(came.save(tmp_path / "sii"))
    assert loaded.to_dict() == came.to_dict()
    assert (loaded.name, loaded.size, loaded.n_players) == ("SII", 2, 4)
    assert loaded.baseline_value == table[0]


@pytest.mark.parametrize("name", ["FSII", "SGV", "Co-Moebius"])
def test_jit_vmap_grad(name):
    tables = np.random.default_rng(5).normal(size=(2, 8))
    single = jnp.asarray(tables, jnp.float32)
    expected = np.stack([ij.interaction_index(table, name, 2).values for table in tables])

    def measure(table):
        return ij.interaction_index(table, name, 2)

    eager, jitted, mapped = measure(single[0]), jax.jit(measure)(single[0]), jax.vmap(measure)(single)
    for came in (eager, jitted):
        assert isinstance(came.values, jax.Array)
        assert came.values.dtype == jnp.float32
        np.testing.assert_allclose(came.values, expected[0], atol=2e-5)
        assert came[0,] == came.to_dict()[0,]
    np.testing.assert_allclose(mapped.values, expected, atol=2e-5)
    weights = jnp.arange(expected.shape[1], dtype=jnp.float32)
    gradient = jax.grad(lambda table: jnp.sum(weights * measure(table).values))(single[0])
    assert float(jnp.sum(gradient * single[1])) == pytest.approx(float(jnp.sum(weights * expected[1])), abs=1e-3)


def test_precision():
    assert not jax.config.jax_enable_x64
    assert ij.interaction_index([0, 1, 2, 3 + 1e-12], "SII")[0, 1] == pytest.approx(1e-12, abs=1e-15)
    assert ij.interaction_index(np.float32([0, 1, 2, 3]), "SII").values.dtype == np.float64
    assert not jax.config.jax_enable_x64
    table = random_table(8)  # single precision does not lose digits to cancellation
    for name in ("FSII", "BGV"):
        error = (
            ij.interaction_index(jnp.asarray(table, jnp.float32), name).values
            - ij.interaction_index(table, name).values
        )
        assert np.abs(error).max() < 1e-5


def test_nan_spreads_only_to_what_depends_on_it():
    table = random_table(3)
    table[0b110] = np.nan
    assert np.isnan(ij.interaction_index(table, "SII").values).all()
    taylor = ij.interaction_index(table, "STII", 2)
    assert {players for players, value in taylor.items() if np.isnan(value)} == {(0, 1), (0, 2), (1, 2)}
    dividends = ij.interaction_index(table, "Moebius")
    assert {players for players, value in dividends.items() if np.isnan(value)} == {(1, 2), (0, 1, 2)}


def test_games_are_tabulated():
    table = random_table(4)
    expected = ij.interaction_index(table, "SII").to_dict()
    host = ij.Game.from_host(lambda masks: table[masks.astype(int) @ (1 << np.arange(4))], 4)
    assert_same(ij.interaction_index(host, "SII").to_dict(), expected, 1e-12)
    traced = ij.Game.from_function(lambda mask: jnp.prod(mask * 1.0), 4)
    assert ij.interaction_index(traced, "Moebius")[0, 1, 2, 3] == pytest.approx(1.0)


def test_real_games(data_folder):
    """On a real table of 14 players: sums of entries, and the Shapley values inside the k-additive fit."""
    with np.load(data_folder / "games" / "sentiment14_0.npz") as file:
        table = file["table"].astype(np.float64)
    shapley = ij.interaction_index(table, "SV")
    assert shapley.values.sum() == pytest.approx(table[-1], abs=1e-10)
    additive = ij.interaction_index(table, "kADD-SHAP", 2)
    for player in range(14):
        assert additive[player,] == pytest.approx(shapley[player,], abs=1e-10)


@pytest.mark.parametrize(
    ("table", "name", "size", "message"),
    [
        (np.zeros(8), "XYZ", 2, "one of SV, BV, SII, .* got 'XYZ'"),
        (np.zeros(8), "SII", 0, "size must be an integer from 1 to 3, .* got 0"),
        (np.zeros(8), "SII", 4, "size must be an integer from 1 to 3, .* got 4"),
        (np.zeros(8), "SII", 1.5, "got 1.5"),
        (np.zeros(8), "SII", True, "got True"),
        (np.zeros(8), "SV", 2, "single players"),
        (np.zeros(8), "ELC", 2, "single players"),
        (np.zeros(7), "SII", 2, r"2\*\*n values"),
        (np.zeros((2, 8)), "SII", 2, r"got shape \(2, 8\)"),
        (np.zeros(1), "SII", 1, "at least one player"),
        ([], "SII", 1, "at least one player"),
        (["a", "b"], "SII", 1, "real numbers"),
        (np.zeros(4, complex), "SII", 1, "real numbers"),
    ],
)
def test_bad_input(table, name, size, message):
    with pytest.raises(ValueError, match=message):
        ij.interaction_index(table, name, size)


def test_too_many_players():
    game = ij.Game.from_host(lambda masks: masks.sum(axis=1), 27)
    with pytest.raises(ValueError, match="at most 26 players, got 27"):
        ij.interaction_index(game, "SII")
    with pytest.raises(ValueError, match=r"need .* sums, .* choose a smaller size"):
        ij.interaction_index(np.broadcast_to(0.0, 2**24), "SII", 24)


def test_weights_are_exact():
    """Weights of the contexts of the pairs of 26 players, times their numbers, sum to what the index promises."""
    from interjax.tables._index_weights import context_weights

    counts = np.array([math.comb(24, m) for m in range(25)], float)
    for name in ("SII", "BII", "CHII", "STII"):
        assert np.sum(counts * context_weights(name, 26, 2, 2)) == pytest.approx(1.0, rel=1e-13)
