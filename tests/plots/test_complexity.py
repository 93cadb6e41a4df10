"""Plots of representational complexity: what they draw is what the results hold."""

import dataclasses

import jax
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from support.pictures import legend_of

import interjax as ij
from interjax.plots._style import COLOURS
from interjax.representations._dynamics import ComplexityDynamics

KEY = jax.random.key(0)
STEPS = np.array([0, 10, 100, 1000])
LAYERS = ("first", "second")
BITS = np.array(list(np.ndindex(2, 2, 2)) * 25)


def dynamics(seed=0, **changes):
    random = np.random.default_rng(seed)
    shape = (len(STEPS), len(LAYERS))
    by_degree = random.random((*shape, 3))
    by_degree[:, 1, 2] = np.nan  # the second layer has two neurons
    by_degree[1, 0, 1] = -0.2
    values = {name: random.random(shape) + 1 for name in ("complexity", "redundancy", "vulnerability")}
    rest = {"stderr": np.full(shape, 0.1), "null_complexity": np.full(shape, 2.0), "coverage": np.ones(shape)}
    informations = {"information": np.nansum(by_degree, axis=2), "null_information": np.full(shape, 0.03)}
    found = ComplexityDynamics(
        steps=STEPS, layers=LAYERS, by_degree=by_degree, reliable=np.ones(shape, bool), **values, **rest, **informations
    )
    return dataclasses.replace(found, **changes)


@pytest.fixture(scope="module")
def layers():
    """C of all sources, of subsets, of groups, and of a layer without information."""
    target = BITS[:, 0] | (BITS[:, 1] & BITS[:, 2])
    return {
        "all": ij.pid.representational_complexity(BITS, target, resamples=2),
        "some": ij.pid.subset_complexity(KEY, BITS, target, size=2, count=2),
        "grouped": ij.pid.grouped_complexity(BITS, target, [(0, 1), (2,)], resamples=0),
        "dead": ij.pid.representational_complexity(np.zeros_like(BITS), target, resamples=0),
    }


def tick_labels(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


# C of layers


def test_each_layer_stands_at_its_complexity_and_keeps_its_name(axes, layers):
    assert ij.plots.complexity(axes, layers) is axes
    assert tick_labels(axes) == list(layers)
    drawn = {float(container.lines[0].get_xdata()[0]): container for container in axes.containers}
    for place, one in enumerate(layers.values()):
        np.testing.assert_allclose(drawn[place].lines[0].get_ydata().astype(float), [one.value])
    assert [text.get_text() for text in axes.texts] == ["undefined:\nI = 0"]
    assert axes.texts[0].get_position()[0] == 3


def test_bars_are_the_intervals(axes, layers):
    ij.plots.complexity(axes, layers)
    segments = {}
    for container in axes.containers:
        for lines in container.lines[2]:
            segments |= {float(segment[0, 0]): segment[:, 1] for segment in lines.get_segments() if len(segment)}
    np.testing.assert_allclose(segments[0], layers["all"].interval(0.95))
    np.testing.assert_allclose(segments[1], layers["some"].interval(0.95))
    assert not np.isfinite(segments.get(2, np.full(2, np.nan))).any()


def test_unreliable_layers_are_open(axes, layers):
    ij.plots.complexity(axes, layers)
    for container, one in zip(sorted(axes.containers, key=place_of), layers.values(), strict=True):
        face = to_rgba(container.lines[0].get_markerfacecolor())
        assert (face == to_rgba("white")) == (not one.reliable)
    assert {one.reliable for one in layers.values()} == {True, False}
    assert legend_of(axes)[-1] == "open: unreliable"


def place_of(container):
    return container.lines[0].get_xdata()[0]


def test_no_layers_are_refused(axes):
    for plot in (ij.plots.complexity, ij.plots.information_by_degree):
        with pytest.raises(ValueError, match="found must hold at least one"):
            plot(axes, {})


# C over training


def named_lines(axes):
    """Lines and markers of each colour, without the legend's."""
    return [line for line in axes.lines if len(line.get_xdata()) == len(STEPS)]


@pytest.mark.parametrize(("freedom", "quantile"), [(None, 1.959964), (4, 2.776445)])
def test_one_run_has_the_band_of_its_standard_error(axes, freedom, quantile):
    found = dynamics()
    if freedom is not None:
        found = dataclasses.replace(found, freedom=np.full(found.stderr.shape, freedom))
    ij.plots.complexity_over_training(axes, found)
    line = named_lines(axes)[0]
    np.testing.assert_allclose(line.get_ydata(), found.complexity[:, 0])
    np.testing.assert_allclose(line.get_xdata(), [10 / 3, 10, 100, 1000])
    corners = axes.collections[0].get_paths()[0].vertices
    expected = found.complexity[-1, 0] + quantile * np.array([-0.1, 0.1])
    np.testing.assert_allclose(np.unique(corners[corners[:, 0] == 1000][:, 1]), expected, rtol=1e-6)
    assert legend_of(axes) == list(LAYERS)
    assert axes.get_legend().get_title().get_text() == "one run, 95% interval without bias"


def test_several_runs_have_students_interval_of_their_mean(axes):
    """t = 4.302653 for 95% and two degrees of freedom."""
    runs = [dynamics(seed) for seed in range(3)]
    ij.plots.complexity_over_training(axes, runs, layers=["second"])
    values = np.array([run.complexity[:, 1] for run in runs])
    np.testing.assert_allclose(named_lines(axes)[0].get_ydata(), values.mean(axis=0))
    corners = axes.collections[0].get_paths()[0].vertices
    margin = 4.302653 * values[:, -1].std(ddof=1) / np.sqrt(3)
    expected = values[:, -1].mean() + margin * np.array([-1, 1])
    np.testing.assert_allclose(np.unique(corners[corners[:, 0] == 1000][:, 1]), expected, rtol=1e-6)
    assert legend_of(axes) == ["second"]
    assert axes.get_legend().get_title().get_text() == "mean of 3 runs, 95% interval"


def test_undefined_complexity_of_any_run_leaves_a_gap(axes):
    values = dynamics().complexity.copy()
    values[2, 0] = np.nan
    ij.plots.complexity_over_training(axes, [dynamics(1), dynamics(complexity=values)])
    np.testing.assert_array_equal(np.isnan(named_lines(axes)[0].get_ydata()), [False, False, True, False])


def test_markers_are_open_where_any_run_is_unreliable(axes):
    reliable = np.ones((4, 2), bool)
    reliable[0, 0] = False
    ij.plots.complexity_over_training(axes, [dynamics(), dynamics(1, reliable=reliable)])
    _, filled, opened, *_ = named_lines(axes)
    np.testing.assert_array_equal(np.isnan(filled.get_ydata()), [True, False, False, False])
    np.testing.assert_array_equal(np.isnan(opened.get_ydata()), [False, True, True, True])
    assert opened.get_markerfacecolor() == "white"
    assert legend_of(axes)[-1] == "open: unreliable"


def test_step_0_stands_beyond_a_break(axes):
    ij.plots.complexity_over_training(axes, dynamics())
    np.testing.assert_allclose(axes.get_xticks(), [10 / 3, 10, 100, 1000])
    assert tick_labels(axes) == ["0", "10", "100", "1000"]
    assert [text.get_text() for text in axes.texts] == ["//"]
    assert axes.get_xscale() == "log"


def test_epochs_are_steps_divided(axes):
    ij.plots.complexity_over_training(axes, dynamics(steps=STEPS + 1), steps_per_epoch=10)
    np.testing.assert_allclose(named_lines(axes)[0].get_xdata(), [0.1, 1.1, 10.1, 100.1])
    assert axes.get_xlabel() == "epoch"
    assert tick_labels(axes) == ["0.1", "1", "10", "100"]
    assert not axes.texts


@pytest.mark.parametrize(
    ("steps", "labels"),
    [
        ([0], ["0"]),
        ([300], ["300"]),
        ([130, 140], ["130", "140"]),
        ([100, 300], ["100", "200"]),
        ([10**5, 10**6], ["$10^{5}$", "$10^{6}$"]),
    ],
)
def test_short_runs_have_ticks_too(axes, steps, labels):
    short = {
        field.name: getattr(dynamics(), field.name)[: len(steps)]
        for field in dataclasses.fields(ComplexityDynamics)
        if field.name not in ("layers", "freedom")
    }
    found = dynamics(**short | {"steps": np.array(steps)})
    ij.plots.complexity_over_training(axes, found)
    assert tick_labels(axes) == labels


@pytest.mark.parametrize(
    ("runs", "options", "message"),
    [
        ([], {}, "runs must be what .* got ..$"),
        ([dynamics(), dynamics(steps=STEPS + 1)], {}, "runs that differ"),
        ([dynamics(), dynamics(layers=("first", "third"))], {}, "runs that differ"),
        (dynamics(), {"layers": ["third"]}, "layers must be among first, second; got 'third'"),
        (dynamics(), {"layers": []}, "layers must be one to 6"),
        (dynamics(), {"layers": ["first"] * 7}, "layers must be one to 6, .* got 7"),
        (dynamics(), {"steps_per_epoch": 0}, r"steps_per_epoch must be a number in \(0, inf\), got 0"),
    ],
)
def test_runs_that_cannot_be_drawn_are_refused(axes, runs, options, message):
    with pytest.raises(ValueError, match=message):
        ij.plots.complexity_over_training(axes, runs, **options)


# Information by degree


def heights_at(area, place):
    """Lower and upper edge of an area at a checkpoint."""
    vertices = area.get_paths()[0].vertices
    at = vertices[np.isclose(vertices[:, 0], place), 1]
    return at.min(), at.max()


def test_areas_stack_positive_parts_upwards_and_negative_ones_downwards(axes):
    found = dynamics()
    ij.plots.information_by_degree(axes, found, "first")
    parts = found.by_degree[1, 0]
    assert parts[1] == -0.2
    areas = [heights_at(area, 10.0) for area in axes.collections]
    upwards = [(0, parts[0]), (parts[0], parts[0]), (parts[0], parts[0] + parts[2])]
    np.testing.assert_allclose(areas, [*upwards, (0, 0), (-0.2, 0), (-0.2, -0.2)], atol=1e-12)


def test_lines_are_the_information_and_its_null(axes):
    runs = [dynamics(seed) for seed in range(2)]
    ij.plots.information_by_degree(axes, runs, "first", steps_per_epoch=10)
    total, null = named_lines(axes)[:2]
    np.testing.assert_allclose(total.get_ydata(), np.mean([run.information[:, 0] for run in runs], axis=0))
    np.testing.assert_allclose(null.get_ydata(), [0.03] * 4)
    np.testing.assert_allclose(null.get_xdata(), [1 / 3, 1, 10, 100])
    assert null.get_linestyle() == ":"
    assert axes.get_title() == "first"


def test_degrees_beyond_the_layers_neurons_are_left_out(axes):
    ij.plots.information_by_degree(axes, dynamics(), "second")
    assert len(axes.collections) == 4
    degrees = [entry for entry in legend_of(axes) if entry.startswith("degree")]
    assert degrees == ["degree 2", "degree 1"]


def test_bars_of_layers_stack_to_their_information(axes, layers):
    ij.plots.information_by_degree(axes, layers)
    bars = [bar for group in axes.containers for bar in group]
    for place, one in enumerate(layers.values()):
        here = [bar for bar in bars if np.isclose(bar.get_x() + bar.get_width() / 2, place)]
        information = one.informations.mean() if isinstance(one, ij.pid.SubsetComplexity) else one.information
        assert sum(bar.get_height() for bar in here) == pytest.approx(information, abs=1e-12)
        (total,) = [line for line in axes.lines if np.mean(line.get_xdata()) == place and line.get_linestyle() == "-"]
        np.testing.assert_allclose(total.get_ydata(), [information] * 2)
    assert tick_labels(axes) == list(layers)


def test_areas_without_a_layer_or_with_one_checkpoint_are_refused(axes):
    with pytest.raises(ValueError, match="layer must be one of first, second; got none"):
        ij.plots.information_by_degree(axes, dynamics())
    with pytest.raises(ValueError, match="got 'third'"):
        ij.plots.information_by_degree(axes, dynamics(), "third")
    with pytest.raises(ValueError, match="at least two checkpoints"):
        ij.plots.information_by_degree(axes, dynamics(steps=np.array([5])), "first")


# The plane of redundancy and vulnerability


def test_paths_over_training_end_in_large_markers(axes):
    runs = [dynamics(seed) for seed in range(2)]
    ij.plots.redundancy_vulnerability(axes, runs)
    expected = np.mean([[run.redundancy[:, 1], run.vulnerability[:, 1]] for run in runs], axis=0).T
    points = axes.collections[1]
    np.testing.assert_allclose(points.get_offsets(), expected)
    assert np.all(np.diff(points.get_sizes()) > 0)
    assert legend_of(axes) == list(LAYERS)


def test_unreliable_points_of_a_path_are_open(axes):
    reliable = np.ones((4, 2), bool)
    reliable[2, 0] = False
    ij.plots.redundancy_vulnerability(axes, dynamics(reliable=reliable))
    faces = axes.collections[0].get_facecolors()
    expected = [to_rgba("white") if place == 2 else to_rgba(COLOURS[0]) for place in range(4)]
    np.testing.assert_allclose(faces, expected)
    assert legend_of(axes)[-1] == "open: unreliable"


def test_named_invariants_are_points_with_intervals(axes):
    """Parity of three bits, and one that is none: r = 0, v = 3, and undefined."""
    parity = ij.pid.shannon_invariants(BITS, BITS.sum(axis=1) % 2, resamples=4)
    nothing = ij.pid.shannon_invariants(BITS, np.zeros(len(BITS)), resamples=0)
    ij.plots.redundancy_vulnerability(axes, {"parity": parity, "nothing": nothing})
    np.testing.assert_allclose(axes.containers[0].lines[0].get_xydata(), [[0, 3]], atol=1e-12)
    bars = [np.ptp(lines.get_segments()[0], axis=0).max() for lines in axes.containers[0].lines[2]]
    np.testing.assert_allclose(bars, 2 * 1.96 * np.array([parity.redundancy_stderr, parity.vulnerability_stderr]))
    assert legend_of(axes) == ["parity", "nothing (undefined: I = 0)", "open: unreliable"]


@pytest.mark.parametrize("count", [0, 7])
def test_no_layers_and_too_many_are_refused(axes, count):
    with pytest.raises(ValueError, match=f"found must hold one to 6 .* one plot; got {count}"):
        ij.plots.redundancy_vulnerability(axes, {str(number): None for number in range(count)})
