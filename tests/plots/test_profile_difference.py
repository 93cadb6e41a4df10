"""The plot of two networks compared: what it draws is what the comparison holds."""

import dataclasses

import numpy as np
import pytest
from support.pictures import legend_of

import interjax as ij

ORDERS = np.array([0, 2, 4, 6, 8])
FOUND = ij.ProfileComparison(
    orders=ORDERS,
    difference=np.array([0.5, -0.5, 0.01, 0.02, np.nan]),
    stderr=np.array([0.1, 0.1, 0.1, 0.1, np.nan]),
    freedom=np.full(5, 4.0),
    magnitude_difference=np.array([5.0, 0.1, 0.2, 0.3, 0.4]),
    magnitude_stderr=np.ones(5),
    magnitude_freedom=np.full(5, 9.0),
    strength=np.ones((2, 5)),
    magnitude=np.ones((2, 5)),
    paired=True,
    inputs=(5, 5),
    kind="mean",
    correction="folded-normal",
    n_players=10,
)


@pytest.mark.parametrize("simultaneous", [False, True])
@pytest.mark.parametrize("magnitude", [False, True])
def test_the_line_is_the_difference_and_the_band_its_interval(axes, magnitude, simultaneous):
    assert ij.plots.profile_difference(axes, FOUND, magnitude=magnitude, simultaneous=simultaneous) is axes
    value = FOUND.magnitude_difference if magnitude else FOUND.difference
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), value)
    np.testing.assert_allclose(axes.lines[0].get_xdata(), ORDERS / 8)
    lower, upper = (FOUND.magnitude_interval if magnitude else FOUND.interval)(simultaneous=simultaneous)
    points = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])[:, 1]
    assert points.min() == pytest.approx(np.nanmin(lower))
    assert points.max() == pytest.approx(np.nanmax(upper))
    assert ("mean $|I^{(m)}|$" in axes.get_ylabel()) == magnitude


def test_orders_that_differ_are_filled(axes):
    ij.plots.profile_difference(axes, FOUND)
    filled, hollow = axes.lines[1], axes.lines[2]
    assert np.isfinite(filled.get_ydata()).tolist() == [True, True, False, False, False]
    assert np.isfinite(hollow.get_ydata()).tolist() == [False, False, True, True, False]
    assert filled.get_markerfacecolor() != hollow.get_markerfacecolor() == "white"


def test_several_are_told_apart(axes):
    other = dataclasses.replace(FOUND, kind="rms")
    ij.plots.profile_difference(axes, {"one": FOUND, "two": other}, magnitude=True)
    assert legend_of(axes) == ["one", "two"]
    lines = [line for line in axes.lines if line.get_label() in ("one", "two")]
    assert len({line.get_color() for line in lines}) == len({str(line.get_linestyle()) for line in lines}) == 2
    axes.figure.canvas.draw()
