"""The profile plot: what it draws is what the profile holds."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from support.pictures import legend_of

import interjax as ij

ORDERS = np.array([0, 2, 4, 6, 8])
STRENGTH = np.array([1.6, 0.8, 0.6, 0.7, 1.3])


def make_profile(strength=STRENGTH, *, stderr=0.05, n_players=10, correction="folded-normal"):
    strength = np.asarray(strength, float)
    zeros = np.zeros_like(strength)
    return ij.OrderProfile(
        orders=ORDERS * (n_players - 2) // 8,
        strength=strength,
        stderr=zeros + stderr,
        stderr_within=zeros + stderr / 2,
        uncorrected=0.5 + 0.5 * strength,
        magnitude=strength,
        magnitude_stderr=zeros + stderr,
        noise=zeros,
        by_input=strength[None],
        pairs_by_input=np.array([45]),
        n_forwards=1000,
        n_nonfinite=0,
        method="blocks",
        correction=correction,
        kind="mean",
        n_players=n_players,
        contexts=10,
    )


def line_of(axes, label):
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return line


def corners(band):
    """The points of a band's outline."""
    return np.concatenate([path.vertices for path in band.get_paths()])


def test_returns_the_axes_it_got(axes):
    assert ij.plots.profile(axes, make_profile()) is axes


def test_opens_no_figure_of_its_own(axes):
    before = plt.get_fignums()
    ij.plots.profile(axes, make_profile())
    assert plt.get_fignums() == before


def test_draws_the_strength_over_the_share_of_the_largest_order(axes):
    ij.plots.profile(axes, make_profile())
    line = axes.lines[0]
    np.testing.assert_allclose(line.get_xdata(), ORDERS / 8)
    np.testing.assert_allclose(line.get_ydata(), STRENGTH)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_the_band_is_the_interval(axes, level):
    profile = make_profile()
    ij.plots.profile(axes, profile, level=level)
    (band,) = axes.collections
    points = corners(band)
    for end in profile.interval(level):
        wanted = np.stack([ORDERS / 8, end], axis=1)
        distance = np.abs(points[None] - wanted[:, None]).max(axis=-1).min(axis=1)
        np.testing.assert_allclose(distance, 0, atol=1e-12)
    lower, upper = profile.interval(level)
    assert points[:, 1].min() == pytest.approx(lower.min())
    assert points[:, 1].max() == pytest.approx(upper.max())


def test_the_axes_say_what_they_show(axes):
    ij.plots.profile(axes, make_profile())
    assert axes.get_ylabel() == "strength $J^{(m)}$ (mean over orders = 1)"
    assert "context size m" in axes.get_xlabel()
    assert axes.get_xlabel().endswith("n − 2 = 8")


def test_profiles_of_different_games_share_the_axis_of_ratios(axes):
    ij.plots.profile(axes, {"small": make_profile(), "large": make_profile(n_players=18)})
    assert axes.get_xlabel().endswith("n − 2")
    np.testing.assert_allclose(axes.lines[0].get_xdata(), axes.lines[1].get_xdata())


def test_a_single_profile_needs_no_legend(axes):
    ij.plots.profile(axes, make_profile())
    assert axes.get_legend() is None


def test_several_profiles_are_told_apart_by_name_colour_marker_and_dashes(axes):
    names = [f"network {number}" for number in range(6)]
    ij.plots.profile(axes, {name: make_profile(STRENGTH + 0.1 * i) for i, name in enumerate(names)})
    lines = [line_of(axes, name) for name in names]
    assert legend_of(axes) == names
    assert len({line.get_color() for line in lines}) == 6
    assert len({line.get_marker() for line in lines}) == 6
    assert len(axes.collections) == 6
    for line, band in zip(lines, axes.collections, strict=True):
        np.testing.assert_allclose(band.get_facecolor()[0, :3], plt.matplotlib.colors.to_rgb(line.get_color()))


def test_the_uncorrected_strength_is_drawn_where_asked(axes):
    profile = make_profile()
    ij.plots.profile(axes, profile, uncorrected=True)
    np.testing.assert_allclose(line_of(axes, "uncorrected").get_ydata(), profile.uncorrected)
    assert legend_of(axes) == ["corrected, 95% interval", "uncorrected"]


def test_uncorrected_strengths_carry_the_names_of_their_profiles(axes):
    ij.plots.profile(axes, {"a": make_profile(), "b": make_profile()}, uncorrected=True)
    assert legend_of(axes) == ["a", "a, uncorrected", "b", "b, uncorrected"]


def test_a_profile_measured_without_correction_is_not_called_corrected(axes):
    ij.plots.profile(axes, make_profile(correction="none"), theory=5)
    assert not any(label.startswith("corrected") for label in legend_of(axes))


def test_the_theory_says_its_number_of_players_and_has_mean_one(axes):
    ij.plots.profile(axes, make_profile(), theory=10)
    curve = line_of(axes, "theory $F^{(m)}$, n = 10")
    drawn = np.interp(ORDERS / 8, curve.get_xdata(), curve.get_ydata())
    theory = ij.learning_strength(10)[ORDERS]
    np.testing.assert_allclose(drawn, theory / theory.mean(), rtol=2e-3)


def test_theory_of_too_few_players_is_refused(axes):
    with pytest.raises(ValueError, match="theory must be an integer of at least 3"):
        ij.plots.profile(axes, make_profile(), theory=2)


@pytest.mark.parametrize("count", [0, 7])
def test_too_many_profiles_or_none_are_refused(axes, count):
    with pytest.raises(ValueError, match=f"profiles must hold one to 6 .* got {count}"):
        ij.plots.profile(axes, {str(number): make_profile() for number in range(count)})


def test_nan_leaves_a_gap(axes):
    """A strength or an error that is unknown is drawn neither as a number nor as an exception."""
    holes = STRENGTH.copy()
    holes[2] = np.nan
    ij.plots.profile(axes, {"hole": make_profile(holes), "no error": make_profile(stderr=np.nan)})
    axes.figure.canvas.draw()
    assert np.isnan(axes.lines[0].get_ydata()[2])
    assert np.all(np.isfinite(axes.get_ylim()))


def test_a_profile_of_nothing_but_nan_is_drawn(axes):
    ij.plots.profile(axes, make_profile(np.full(5, np.nan)), uncorrected=True, theory=6)
    axes.figure.canvas.draw()
    assert np.isnan(axes.lines[0].get_ydata()).all()


def test_the_scale_starts_at_zero_and_the_mean_is_marked(axes):
    ij.plots.profile(axes, make_profile())
    assert axes.get_ylim()[0] == 0
    assert any(np.all(np.asarray(line.get_ydata()) == 1.0) for line in axes.lines)
