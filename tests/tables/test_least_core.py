"""The egalitarian least core and its joint form against HiGHS, a general solver, and games whose payoffs are known."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog, minimize

import interjax as ij
from interjax.tables._least_core import egalitarian_least_core, joint_least_core

# v = 1 where the scarce glove, of player 0, meets another; bit i of the index = player i
GLOVE = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0]


def masks_of(n):
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(float)


def least(objective, gains, subsidy=None):
    """HiGHS's minimum over payoffs and subsidy, all 2**n constraints written out; of a given subsidy, over payoffs."""
    masks = masks_of(gains.size.bit_length() - 1)[1:-1]
    n = masks.shape[1]
    return linprog(
        objective,
        A_ub=-np.column_stack([masks, np.ones(len(masks))]),
        b_ub=-gains[1:-1],
        A_eq=[[1.0] * n + [0.0]],
        b_eq=[gains[-1]],
        bounds=[(None, None)] * n + [(0, None) if subsidy is None else (subsidy, subsidy)],
        method="highs",
    )


def tables_of(kind):
    """Games of 2 to 8 players; all but the first three kinds have least cores that are thin, or a single point."""
    random = np.random.default_rng(0)
    for n in range(2, 9):
        masks = masks_of(n)
        sizes = masks.sum(axis=1)
        weights = random.integers(1, 9, n)
        yield {
            "random": lambda n=n: random.normal(size=2**n),
            "growing": lambda n=n, sizes=sizes: random.normal(size=2**n) + sizes**1.5,
            "convex": lambda n=n, sizes=sizes, masks=masks: sizes**2 + masks @ random.normal(size=n),
            "additive": lambda n=n, masks=masks: 5.0 + masks @ random.normal(size=n),
            "symmetric": lambda n=n, sizes=sizes: random.normal(size=n + 1)[sizes.astype(int)],
            "votes": lambda weights=weights, masks=masks: 1.0 * (masks @ weights >= random.integers(1, weights.sum())),
            "integers": lambda n=n: 1.0 * random.integers(-3, 4, 2**n),
            "gloves": lambda n=n, masks=masks, sizes=sizes: np.minimum(
                masks[:, : n // 2].sum(axis=1), masks[:, n // 2 :].sum(axis=1)
            ),
        }[kind]()


# Voting games, v = 1 from a quota of votes on: their constraints nearly contradict each other on the way.
VOTES = [
    1.0 * (masks_of(len(votes)) @ votes >= quota)
    for votes, quota in [
        ([7, 8, 6, 3, 6], 12),
        ([7, 6, 8, 4, 4, 1, 8], 11),
        ([1, 2, 4, 1, 2], 7),
        ([5, 4, 1, 2, 3, 3, 1], 5),
    ]
]


@pytest.mark.parametrize(
    "kind", ["random", "growing", "convex", "additive", "symmetric", "votes", "integers", "gloves"]
)
def test_least_subsidy_then_least_norm(kind):
    """e is HiGHS's least; x does with it; and x.y >= x.x for all y that do, which only the x of least norm has.

    1e-9 of the largest gain: HiGHS keeps its vertices to rounding; what it may choose from is
    widened by 1e-12 for it, which moves the least norm by little more.
    """
    for table in [*tables_of(kind), *(VOTES if kind == "votes" else [])]:
        gains = table - table[0]
        scale = np.abs(gains).max()
        payoffs, subsidy = egalitarian_least_core(table)
        np.testing.assert_array_equal(ij.interaction_index(table, "ELC").values, payoffs)
        found = least([0.0] * len(payoffs) + [1.0], gains)
        assert subsidy == pytest.approx(found.fun, abs=1e-9 * scale)
        assert payoffs.sum() == pytest.approx(gains[-1], abs=1e-12 * scale)
        assert np.all(masks_of(len(payoffs))[1:-1] @ payoffs + subsidy >= gains[1:-1] - 1e-10 * scale)
        nearest = least([*payoffs, 0.0], gains, found.fun + 1e-12 * scale)
        assert nearest.status == 0
        assert nearest.fun == pytest.approx(payoffs @ payoffs, abs=1e-9 * scale**2)


def test_joint_form_gives_the_reference_vector_and_the_least_core_another_point(conformance_folder):
    reference = json.loads((conformance_folder / "game_indices_n5.json").read_text())
    expected = list(reference["indices"]["ELC:1"]["values"].values())
    joint = ij.interaction_index(reference["table"], "ELC-joint").values
    np.testing.assert_allclose(joint, expected, atol=1e-4)  # the reference stops 5e-5 away from the optimum
    gains = np.array(reference["table"]) - reference["table"][0]
    payoffs, subsidy = egalitarian_least_core(np.array(reference["table"]))
    assert subsidy == pytest.approx(least([0.0] * 5 + [1.0], gains).fun, abs=1e-12)
    solved = minimize(
        lambda x: x @ x / 2,
        least([0.0] * 5 + [1.0], gains).x[:-1],
        jac=lambda x: x,
        constraints=[
            {"type": "ineq", "fun": lambda x: masks_of(5)[1:-1] @ x + subsidy + 1e-12 - gains[1:-1]},
            {"type": "eq", "fun": lambda x: x.sum() - gains[-1]},
        ],
        method="SLSQP",
        options={"ftol": 1e-15},
    )
    np.testing.assert_allclose(payoffs, solved.x, atol=1e-7)  # to the root of SLSQP's 1e-15
    assert np.abs(payoffs - joint).max() > 0.01


def test_joint_form_is_the_least():
    """|x| + e is convex: no payoffs and subsidy have less where x.y / |x| + f >= |x| + e for all y, f that do.

    1e-8 of the largest gain, of which HiGHS and both solvers keep some 1e-10.
    """
    for table in [*tables_of("random"), *tables_of("growing"), *tables_of("additive"), *tables_of("integers"), *VOTES]:
        gains = (table - table[0]) / np.abs(table - table[0]).max()
        payoffs, subsidy = joint_least_core(gains)
        norm = np.linalg.norm(payoffs)
        np.testing.assert_array_equal(ij.interaction_index(gains, "ELC-joint").values, payoffs)
        assert norm > 0
        found = least([*payoffs / norm, 1.0], gains)
        assert found.status == 0
        assert found.fun == pytest.approx(norm + subsidy, abs=1e-8)


SUBSIDY = (20 - np.sqrt(40)) / 60  # e at which the slope of |(1 - 2 e, e, e)| is -1
SIX = np.zeros(64)
SIX[0b111] = 2.0
TRIANGLE = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]  # a pair suffices: no core, so a subsidy that covers the pairs


@pytest.mark.parametrize(
    ("table", "core", "joint"),
    [
        (GLOVE, [1.0, 0.0, 0.0], [1 - 2 * SUBSIDY, SUBSIDY, SUBSIDY]),
        ([5.0, 7.0], [2.0], [2.0]),
        (np.full(8, 3.0), [0.0] * 3, [0.0] * 3),
        (TRIANGLE, [1 / 3] * 3, [1 / 3] * 3),
        # 2 for three of six players, nothing for all: the other three, who then need a subsidy of 1, pay 1 of it.
        (SIX, np.array([1.0, 1, 1, -1, -1, -1]) / 3, np.array([1.0, 1, 1, -1, -1, -1]) / 3),
    ],
)
def test_games_whose_payoffs_are_known(table, core, joint):
    np.testing.assert_allclose(ij.interaction_index(table, "ELC").values, core, atol=1e-9)
    np.testing.assert_allclose(ij.interaction_index(table, "ELC-joint").values, joint, atol=1e-9)


@pytest.mark.parametrize("name", ["ELC", "ELC-joint"])
def test_tables_that_are_not_numbers(name):
    table = np.zeros(8)
    table[3] = np.nan
    assert np.isnan(ij.interaction_index(table, name).values).all()
    assert ij.interaction_index(jnp.arange(8.0), name).values.dtype == jnp.float32
    with pytest.raises(ValueError, match=f"for {name}, .* outside jit"):
        jax.jit(lambda table: ij.interaction_index(table, name).values)(jnp.arange(4.0))
