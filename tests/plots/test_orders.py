"""Results whose orders stand in any order are drawn from the lowest to the highest, and unknown values as gaps."""

import dataclasses
import warnings

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

import interjax as ij

ORDERS = np.array([8, 0, 4, 2])
VALUES = {0: 1.6, 2: 0.8, 4: 0.6, 8: 1.3}  # by order
OF_ORDERS = np.array([VALUES[order] for order in ORDERS])
ZEROS = np.zeros(4)

PROFILE = ij.OrderProfile(
    orders=ORDERS,
    strength=OF_ORDERS,
    stderr=0.01 * OF_ORDERS,
    stderr_within=ZEROS,
    uncorrected=OF_ORDERS + 1,
    magnitude=OF_ORDERS,
    magnitude_stderr=ZEROS,
    noise=ZEROS,
    by_input=OF_ORDERS[None],
    pairs_by_input=np.array([45]),
    n_forwards=1000,
    n_nonfinite=0,
    method="blocks",
    correction="folded-normal",
    kind="mean",
    n_players=10,
    contexts=10,
)
COMPARISON = ij.ProfileComparison(
    orders=ORDERS,
    difference=OF_ORDERS,
    stderr=0.01 * OF_ORDERS,
    freedom=np.full(4, np.inf),
    magnitude_difference=OF_ORDERS,
    magnitude_stderr=ZEROS,
    magnitude_freedom=np.full(4, np.inf),
    strength=np.ones((2, 4)),
    magnitude=np.ones((2, 4)),
    paired=True,
    inputs=(5, 5),
    kind="mean",
    correction="folded-normal",
    n_players=10,
)
GRADIENTS = ij.dynamics.GradientStatistics(
    orders=ORDERS,
    variance=OF_ORDERS / OF_ORDERS.mean(),
    variance_stderr=0.01 * OF_ORDERS,
    squared_mean=OF_ORDERS,
    squared_mean_stderr=ZEROS,
    learning_strength=OF_ORDERS / OF_ORDERS.max(),
    learning_strength_stderr=0.01 * OF_ORDERS,
    variance_by_input=OF_ORDERS[None],
    squared_mean_by_input=OF_ORDERS[None],
    pairs_by_input=np.array([1]),
    n_gradients=9,
    n_nonfinite=0,
    n_players=10,
    contexts=3,
)


def drawn(axes, number=0):
    """The values of a line by order, which must rise from one point to the next."""
    line = axes.lines[number]
    assert np.all(np.diff(line.get_xdata()) > 0)
    return dict(zip((8 * line.get_xdata()).round(9).tolist(), line.get_ydata().tolist(), strict=True))


def band_at(axes, order):
    """The lowest and the highest point of the band at an order."""
    (path,) = axes.collections[0].get_paths()
    heights = path.vertices[np.isclose(path.vertices[:, 0], order / 8), 1]
    return heights.min(), heights.max()


def test_lines_and_bands_run_from_the_lowest_order_to_the_highest():
    left, middle, right, last = Figure().subplots(1, 4)
    ij.plots.profile(left, PROFILE, uncorrected=True)
    ij.plots.profile_difference(middle, COMPARISON)
    ij.plots.gradient_statistics((right, last), GRADIENTS)
    assert drawn(left) == drawn(middle) == VALUES
    assert drawn(left, 1) == {order: value + 1 for order, value in VALUES.items()}
    assert drawn(right, 1) == pytest.approx({order: value / OF_ORDERS.mean() for order, value in VALUES.items()})
    assert drawn(last, 1) == pytest.approx({order: value / 1.6 for order, value in VALUES.items()})
    for axes in (left, middle):
        for order, value in VALUES.items():
            assert band_at(axes, order) == pytest.approx((value * (1 - 0.0196), value * (1 + 0.0196)), rel=1e-3)


def test_each_cell_of_the_map_holds_its_order(axes):
    other = dataclasses.replace(PROFILE, orders=np.sort(ORDERS), strength=np.array([2.0, 0.5, 0.4, 1.1]))
    ij.plots.profiles_over_training(axes, {1: PROFILE, 10: other})
    (mesh,) = [found for found in axes.collections if isinstance(found, QuadMesh)]
    borders = 8 * mesh.get_coordinates()[0, :, 0]
    assert np.all(np.diff(borders) > 0)
    rows = np.asarray(mesh.get_array()).reshape(2, 4)
    for order, value in VALUES.items():
        (cell,) = np.flatnonzero((borders[:-1] < order) & (order < borders[1:]))
        assert rows[0, cell] == value
        assert rows[1, cell] == dict(zip(sorted(VALUES), [2.0, 0.5, 0.4, 1.1], strict=True))[order]


@pytest.mark.parametrize(
    ("variance", "strength", "n_measured"),
    [
        ([0.0, 1.0, 4.0, np.nan], [1.0, 0.5, 0.0, np.nan], 3),
        ([np.nan] * 4, [np.nan] * 4, 0),
        ([0.0] * 4, [0.0] * 4, 4),
    ],
)
def test_unknown_gradients_leave_gaps_and_the_rest_stands(variance, strength, n_measured):
    """Scaled by the mean over the known orders; nothing is divided by 0 on the way."""
    left, right = Figure().subplots(1, 2)
    by_input = np.array([variance, variance])
    found = dataclasses.replace(
        GRADIENTS, variance=by_input[0], variance_by_input=by_input, learning_strength=np.array(strength)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ij.plots.gradient_statistics((left, right), found)
    measured = next(line for line in left.lines if line.get_label().startswith("measured"))
    known = np.isfinite(variance)
    scale = np.mean(np.array(variance)[known]) if np.any(np.array(variance) > 0) else 1.0
    np.testing.assert_allclose(measured.get_ydata(), np.array(variance)[np.argsort(ORDERS)] / scale)
    assert np.isfinite(measured.get_ydata()).sum() == n_measured
    assert right.get_ylim()[0] > 0


def test_the_largest_order_alone_has_no_form_beside_it():
    """It has one context: the variance over contexts is 0 there, and so is the theory's."""
    left, right = Figure().subplots(1, 2)
    parts = {field.name: getattr(GRADIENTS, field.name) for field in dataclasses.fields(GRADIENTS)}
    alone = {name: part[..., :1] for name, part in parts.items() if isinstance(part, np.ndarray)}
    found = dataclasses.replace(GRADIENTS, **alone | {"variance": np.zeros(1)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ij.plots.gradient_statistics((left, right), found)
    assert [line.get_ydata().tolist() for line in left.lines] == [[0.0]]
