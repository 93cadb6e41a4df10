"""Plots of concepts: what they draw is what the results hold."""

import dataclasses

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from support.pictures import legend_of

import interjax as ij
from interjax.concepts._explanations._effects import AndOr
from interjax.concepts._learning._learning import ConceptDynamics
from interjax.concepts._learning._paths import ConceptPaths
from interjax.concepts._learning._phases import Phases
from interjax.plots._style import COLOURS

RANDOM = np.random.default_rng(0)
EFFECTS = np.array([9.0, 1.0, -3.0, 0.01, 0.5, 2.0, 0, 0])  # of the empty set, then of 0, 1, 01, 2, 02, 12, 012
BOTH = AndOr(EFFECTS, np.array([0, 0, 0, -2.5, 0, 0, 0, 1.5]), *[0.0] * 6)
NAMES = ["age", "sex", "job"]


@pytest.fixture
def figure():
    return Figure()


def row_names(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def bars_of(axes):
    return [bar for group in axes.containers for bar in group]


def test_concepts_are_named_in_order_of_strength(axes):
    assert ij.plots.concepts(axes, EFFECTS, names=NAMES) is axes
    assert row_names(axes) == ["sex", "age & job", "age", "job"]
    assert [bar.get_width() for bar in bars_of(axes)] == [-3.0, 2.0, 1.0, 0.5]
    assert axes.get_legend() is None
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # downwards


def test_names_are_those_of_the_explanation_unless_others_are_given(axes, figure):
    explanation = dataclasses.replace(BOTH, player_names=tuple(NAMES))
    ij.plots.concepts(axes, explanation, count=1)
    assert row_names(axes) == ["sex"]
    other = ij.plots.concepts(figure.subplots(), explanation, count=1, names=["a", "b", "c"])
    assert row_names(other) == ["b"]


def test_and_and_or_concepts_differ_in_colour_hatch_and_sign(axes):
    ij.plots.concepts(axes, BOTH, names=NAMES)
    assert row_names(axes) == ["sex", "age | sex", "age & job", "age | sex | job", "age", "job"]
    looks = {(bar.get_facecolor(), bar.get_hatch()) for bar in bars_of(axes)}
    assert looks == {(to_rgba(COLOURS[0]), None), (to_rgba(COLOURS[1]), "////")}
    assert legend_of(axes) == ["AND", "OR"]


def test_no_more_bars_than_asked_for_and_the_title_says_how_many_there_are(axes):
    ij.plots.concepts(axes, EFFECTS, count=2)
    assert row_names(axes) == ["player 1", "player 0 & player 2"]
    assert axes.get_title(loc="left") == "2 strongest of 4 salient concepts"


def test_tau_decides_what_is_salient(axes):
    ij.plots.concepts(axes, EFFECTS, tau=0.6)
    assert row_names(axes) == ["player 1", "player 0 & player 2"]


def test_long_names_end_in_the_number_of_further_players(axes):
    effects = np.zeros(32)
    effects[31] = 1.0
    ij.plots.concepts(axes, effects, names=["a" * 20] * 5)
    assert row_names(axes) == [f"{'a' * 20} & {'a' * 20} & 3 more"]


@pytest.mark.parametrize(
    ("explanation", "options", "message"),
    [
        (np.stack([EFFECTS] * 2), {}, r"effects of one input, .* got shape \(2, 8\)"),
        (EFFECTS, {"names": NAMES[:2]}, "names must be one for each of 3 players, got 2"),
        (EFFECTS, {"count": 0}, "count must be an integer of at least 1"),
        (EFFECTS, {"tau": 2.0}, "tau"),
        (np.array([5.0, 0, 0, 0]), {}, "explanation must have a salient concept, got one whose effects are all 0"),
        (np.array([np.nan, 0, 0, 0]), {}, "NaN or infinite"),
    ],
)
def test_concepts_that_cannot_be_drawn_are_refused(axes, explanation, options, message):
    with pytest.raises(ValueError, match=message):
        ij.plots.concepts(axes, explanation, **options)


IMAGE = np.linspace(-1, 1, 36).reshape(6, 6, 1)
CELLS = ij.Players.segments(np.where(np.arange(36).reshape(6, 6, 1) < 18, np.arange(36).reshape(6, 6, 1) // 6, -1))


def test_each_concept_stands_beside_its_players_on_the_image(figure):
    assert ij.plots.concepts_on_image(figure, BOTH, IMAGE, CELLS, count=3) is figure
    bars, *images = figure.axes
    assert len(images) == 3
    assert bars.get_ylim() == (2.5, -0.5)
    grey = (IMAGE[..., 0] + 1) / 2
    for one, rows in zip(images, ([1], [0, 1], [0, 2]), strict=True):  # "sex", "age | sex", "age & job"
        (shown,) = one.get_images()
        chosen = np.isin(np.arange(6), [*rows, 3, 4, 5])  # the lower half is always present
        expected = np.where(chosen[:, None], grey, 0.75 + 0.25 * grey)
        np.testing.assert_allclose(np.asarray(shown.get_array())[..., 1], expected)


def test_outlines_run_along_the_edges_of_the_players(figure):
    ij.plots.concepts_on_image(figure, EFFECTS, IMAGE, CELLS, count=1)  # player 1: row 1 of pixels
    (outline,) = figure.axes[1].collections
    points = np.concatenate([path.vertices for path in outline.get_paths()])
    assert points.min(axis=0) == pytest.approx([-0.5, 0.5], abs=0.2)
    assert points.max(axis=0) == pytest.approx([5.5, 1.5], abs=0.2)


def test_colour_images_keep_their_colours(figure):
    image = RANDOM.random((4, 6, 3))
    players = ij.Players.grid((4, 6, 3), (1, 3))
    ij.plots.concepts_on_image(figure, EFFECTS, image, players, count=1)
    (shown,) = figure.axes[1].get_images()
    scaled = (image - image.min()) / np.ptp(image)
    np.testing.assert_allclose(np.asarray(shown.get_array())[:, 2:4], scaled[:, 2:4])


@pytest.mark.parametrize(
    ("image", "players"),
    [
        (np.zeros((6, 6)), CELLS),
        (np.zeros((6, 6, 1)), ij.Players.grid((6, 6, 1), 2)),
        (np.zeros(6), ij.Players.grid((6,), 3)),
        (np.zeros((3, 1, 2)), ij.Players.grid((3, 1, 2), (3, 1))),
        (np.zeros((1, 1, 3)), ij.Players.each((1, 1, 3))),
    ],
)
def test_images_that_do_not_fit_are_refused(figure, image, players):
    with pytest.raises(ValueError, match=r"image must be .height, width. or|image must have 1 or 3 channels"):
        ij.plots.concepts_on_image(figure, EFFECTS, image, players)


@pytest.fixture(scope="module")
def sizes():
    return ij.concepts.size_distribution(RANDOM.normal(size=(6, 16)))


def test_sums_of_both_signs_are_bars_with_intervals(axes, sizes):
    ij.plots.concept_sizes(axes, sizes)
    heights = [bar.get_height() for bar in bars_of(axes)]
    np.testing.assert_allclose(heights, [*sizes.positive, *sizes.negative])
    segments = np.concatenate([np.asarray(lines.get_segments()) for lines in axes.collections])
    np.testing.assert_allclose(np.diff(segments[:4, :, 1], axis=1)[:, 0], 2 * 1.96 * sizes.positive_stderr)
    np.testing.assert_allclose(segments[:, :, 1].mean(axis=1), heights)


def test_distributions_stand_side_by_side_before_the_null(axes, sizes):
    ij.plots.concept_sizes(axes, {"mlp": sizes, "lenet": sizes}, null=sizes)
    assert sorted(legend_of(axes)) == ["lenet", "mlp", "null"]
    centres = np.array([bar.get_x() + bar.get_width() / 2 for bar in bars_of(axes)]).reshape(4, 4)
    np.testing.assert_allclose(centres[0] + centres[2], 2 * sizes.sizes)  # left and right of the size
    assert len({bar.get_hatch() for bar in bars_of(axes)}) == 2


def test_distributions_that_do_not_go_together_are_refused(axes, sizes):
    other = ij.concepts.size_distribution(RANDOM.normal(size=(6, 8)))
    with pytest.raises(ValueError, match="same number of players"):
        ij.plots.concept_sizes(axes, {"a": sizes, "b": other})
    with pytest.raises(ValueError, match="one batch of inputs each"):
        ij.plots.concept_sizes(axes, ij.concepts.size_distribution(RANDOM.normal(size=(3, 6, 16))))


@pytest.mark.parametrize("plot", ["concept_sizes", "generalization", "faithfulness", "inconsistency"])
@pytest.mark.parametrize("count", [0, 7])
def test_no_result_and_too_many_are_refused(axes, plot, count, sizes):
    with pytest.raises(ValueError, match=f"one to 6 .* got {count}"):
        getattr(ij.plots, plot)(axes, {str(number): sizes for number in range(count)})


def similarities():
    effects = RANDOM.normal(size=(2, 20, 8)) + 1
    return ij.concepts.generalization(jax.random.key(0), effects[0], [0] * 20, effects[1], [0] * 20, resamples=20)


def test_similarity_stands_beside_its_null(axes):
    found = similarities()
    ij.plots.generalization(axes, found)
    similarity, null = axes.lines
    np.testing.assert_allclose(similarity.get_ydata(), found.similarity)
    np.testing.assert_allclose(null.get_ydata(), found.null)
    band, intervals = axes.collections
    corners = np.concatenate([path.vertices for path in band.get_paths()])
    assert {tuple(row) for row in np.stack([found.sizes, found.null_lower], axis=1)} <= set(map(tuple, corners))
    ends = np.asarray(intervals.get_segments())[:, :, 1]
    np.testing.assert_allclose(ends, np.stack([found.lower, found.upper], axis=1))


def test_each_network_has_its_entry_and_the_null_one_for_all(axes):
    ij.plots.generalization(axes, {"clean": similarities(), "noisy": similarities()})
    assert legend_of(axes) == ["clean", "split-half null: open markers, band", "noisy"]


def test_faithfulness_is_the_median_over_inputs(axes):
    tables = RANDOM.normal(size=(9, 16))
    found = ij.concepts.faithfulness(ij.moebius(tables), tables, counts=[1, 4, 15])
    ij.plots.faithfulness(axes, found)
    line = axes.lines[0]
    assert line.get_xdata().tolist() == [1, 4, 15]
    np.testing.assert_allclose(line.get_ydata(), np.median(found.r2, axis=0))
    corners = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    assert corners[:, 1].min() == pytest.approx(np.quantile(found.r2, 0.25, axis=0).min())
    assert axes.get_ylim()[0] >= 0


def test_faithfulness_of_one_input_has_no_band_and_constant_games_are_left_out(axes):
    tables = np.stack([RANDOM.normal(size=8), np.ones(8)])
    with pytest.warns(UserWarning, match="one value throughout"):
        found = ij.concepts.faithfulness(ij.moebius(tables), tables)
    ij.plots.faithfulness(axes, {"mlp": found})
    np.testing.assert_allclose(axes.lines[0].get_ydata(), found.r2[0])
    assert not axes.collections
    assert legend_of(axes) == ["mlp (1 of 2 inputs left out: R² undefined)"]


def test_the_legend_says_where_no_input_has_a_faithfulness(axes):
    with pytest.warns(UserWarning, match="one value throughout"):
        found = ij.concepts.faithfulness(ij.moebius(np.ones((2, 8))), np.ones((2, 8)))
    ij.plots.faithfulness(axes, {"constant": found})
    assert legend_of(axes) == ["constant (2 of 2 inputs left out: R² undefined)"]


def test_inconsistency_stands_beside_the_theory(axes):
    draws = 1 + 0.2 * RANDOM.normal(size=(10, 5, 8))
    found = ij.concepts.inconsistency(draws)
    ij.plots.inconsistency(axes, found, theory=0.5)
    theory, measured = axes.lines
    np.testing.assert_allclose(theory.get_ydata(), [0.25, 1.25**2 - 1, 1.25**3 - 1])
    np.testing.assert_allclose(measured.get_ydata(), found.value)
    assert axes.get_yscale() == "log"


def test_inconsistency_by_nearly_nothing_has_a_hollow_marker_and_no_band(axes):
    found = dataclasses.replace(
        ij.concepts.inconsistency(1 + 0.2 * RANDOM.normal(size=(10, 5, 8))), squared_error=np.array([0.01, 0.01, 1.0])
    )
    ij.plots.inconsistency(axes, found)
    hollow = axes.lines[-1]
    assert hollow.get_markerfacecolor() == "white"
    np.testing.assert_array_equal(hollow.get_ydata(), [np.nan, np.nan, found.value[2]])
    ends = np.array(found.interval())[:, :2]
    band = np.concatenate([path.vertices for path in axes.collections[0].get_paths()])
    assert band[:, 0].max() == 2
    assert {*ends.ravel()} <= {*band[:, 1]}
    assert legend_of(axes) == ["measured, 95% interval"]


def make_dynamics(strength, steps):
    """Dynamics with these strengths (checkpoints, sizes), a quarter of them negative."""
    strength = np.asarray(strength, float)
    fields = dict.fromkeys((field.name for field in dataclasses.fields(ConceptDynamics)), np.zeros_like(strength))
    fields |= {"steps": np.asarray(steps), "sizes": np.arange(1, strength.shape[1] + 1), "tau": 0.05, "effects": None}
    fields["player_names"] = ()
    return ConceptDynamics(**(fields | {"positive": 0.75 * strength, "negative": -0.25 * strength}))


STRENGTH = np.array([[1.0, 1, 2], [4, 0, 0], [10, 20, 10]])


@pytest.mark.parametrize(
    ("scale", "shown", "limits"),
    [
        ("share", STRENGTH / STRENGTH.sum(axis=1, keepdims=True), (0, 1)),
        ("strength", STRENGTH, (0, 20)),
        ("signed", STRENGTH / 2, (-10, 10)),
    ],
)
def test_the_map_holds_the_strength_of_each_size_and_step(axes, scale, shown, limits):
    assert ij.plots.concept_dynamics(axes, make_dynamics(STRENGTH, [1, 10, 100]), scale=scale) is axes
    (cells,) = axes.collections
    np.testing.assert_allclose(np.asarray(cells.get_array()).reshape(3, 3), shown.T)
    assert cells.get_clim() == limits
    assert axes.get_xscale() == "log"
    np.testing.assert_allclose(axes.get_xlim(), [10**-0.5, 10**2.5])
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [9 / 4, 1, 2])  # the mean size


def test_a_run_that_begins_at_step_0_has_equal_columns(axes):
    ij.plots.concept_dynamics(axes, make_dynamics(STRENGTH, [0, 10, 100]))
    assert axes.get_xscale() == "linear"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "10", "100"]


def test_unknown_strengths_are_left_white(axes):
    strength = STRENGTH.copy()
    strength[1] = np.nan
    ij.plots.concept_dynamics(axes, make_dynamics(strength, [1, 10, 100]))
    (cells,) = axes.collections
    np.testing.assert_array_equal(cells.get_array().mask.reshape(3, 3), np.isnan(strength.T))


def test_the_phases_that_were_found_are_marked(axes):
    none = np.zeros(3)
    found = Phases(
        begins=np.array([1.0, 10, np.nan]),
        ends=np.array([10.0, 100, np.nan]),
        is_found=np.array([True, True, False]),
        steps=np.array([1, 10, 100]),
        **dict.fromkeys(("mean_size", "mean_size_stderr", "excess", "excess_lower", "loss_gap"), none),
        gap_begins=np.nan,
        reasons=("", "", ""),
    )
    ij.plots.concept_dynamics(axes, make_dynamics(STRENGTH, [1, 10, 100]), phases=found)
    assert [text.get_text() for text in axes.texts] == ["1: large concepts vanish", "2: sizes grow"]
    assert [line.get_xdata().tolist() for line in axes.lines[1:]] == [[1, 10], [10, 100]]


def test_an_unknown_scale_is_refused(axes):
    with pytest.raises(ValueError, match="scale must be one of share, strength, signed; got 'log'"):
        ij.plots.concept_dynamics(axes, make_dynamics(STRENGTH, [1, 10, 100]), scale="log")


def make_paths(count=3):
    concepts = np.array([[0, 3], [1, 6], [0, 1]] * 5)[:count]
    effects = RANDOM.normal(size=(4, count))
    return ConceptPaths(np.array([1, 4, 16, 64]), concepts, effects, np.arange(count) < 2, np.full(count, 4), None)


def test_paths_are_lines_named_by_their_players(axes):
    paths = make_paths()
    ij.plots.concept_paths(axes, paths, names=NAMES)
    assert legend_of(axes) == ["age & sex", "sex | job", "age"]
    lines = axes.lines[:3]
    np.testing.assert_allclose([line.get_ydata() for line in lines], paths.effects.T)
    assert [line.get_linestyle() for line in lines] == ["-", "-", "--"]
    assert lines[2].get_markerfacecolor() == "white"


def test_paths_without_names_show_numbered_players(axes):
    ij.plots.concept_paths(axes, make_paths())
    assert legend_of(axes) == ["player 0 & player 1", "player 1 | player 2", "player 0"]


def test_paths_show_their_own_names(axes):
    paths = dataclasses.replace(make_paths(), player_names=tuple(NAMES))
    ij.plots.concept_paths(axes, paths)
    assert legend_of(axes) == ["age & sex", "sex | job", "age"]
    with pytest.raises(ValueError, match="names must be one for each of 3 players, got 4"):
        ij.plots.concept_paths(axes, paths, names=list("abcd"))


def test_paths_that_cannot_be_told_apart_are_refused(axes):
    with pytest.raises(ValueError, match="got 2 and 7"):
        ij.plots.concept_paths(axes, make_paths(9))
    with pytest.raises(ValueError, match="names must be one for each of 3 players, got 2"):
        ij.plots.concept_paths(axes, make_paths(), names=NAMES[:2])


def test_no_plot_opens_a_figure_of_its_own(axes, figure, sizes):
    before = plt.get_fignums()
    ij.plots.concepts(axes, EFFECTS)
    ij.plots.concept_sizes(axes, sizes)
    ij.plots.concepts_on_image(figure, EFFECTS, IMAGE, CELLS)
    assert plt.get_fignums() == before
