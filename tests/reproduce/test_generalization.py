"""The experiment on over-fitting: what it draws and keeps, what the report states, and how claims are judged."""

import json
import math

import numpy as np
import pytest
from scipy import stats
from support.running import interjax
from support.running import main as message_of

import interjax as ij
from interjax.concepts._statistics._inconsistency import Inconsistency, theoretical_inconsistency
from interjax.concepts._statistics._sizes import SizeDistribution
from interjax.reproduce import _generalization_claims as claims
from interjax.reproduce import _generalization_report as report
from interjax.reproduce import generalization as experiment

SIZES = np.arange(1, 5)


def dynamics_of(strength, similarity=(0.9, 0.8, 0.7, 0.6), null=(0.9, 0.8, 0.7, 0.6)):
    """Dynamics of strengths (checkpoints, sizes), the same for each of three inputs, and of these similarities."""
    strength = np.asarray(strength, float)
    steps, n_sizes = strength.shape
    rows = {"similarity": np.tile(similarity, (steps, 1)), "null": np.tile(null, (steps, 1))}
    rows["excess"] = rows["null"] - rows["similarity"]
    ends = {f"{name}{end}": values for name, values in rows.items() for end in ("_lower", "_upper")}
    return ij.concepts.ConceptDynamics(
        steps=np.arange(steps),
        sizes=np.arange(1, n_sizes + 1),
        positive=strength,
        negative=np.zeros_like(strength),
        count=np.ones_like(strength),
        strength_by_input=np.repeat(strength[:, None], 3, axis=1),
        train_loss=np.linspace(1, 0.1, steps),
        test_loss=np.linspace(1, 0.6, steps),
        train_accuracy=np.linspace(0.5, 1, steps),
        test_accuracy=np.linspace(0.5, 0.75, steps),
        mean_effects=np.zeros((steps, 1, 1, 2**n_sizes), np.float32),
        classes=np.array([0]),
        train_rows=np.arange(3),
        test_rows=np.arange(2),
        n_nonfinite=np.zeros(steps, int),
        tau=0.05,
        **rows,
        **ends,
    )


def inconsistency_of(value):
    value = np.asarray(value, float)
    return Inconsistency(np.arange(1, len(value) + 1), value, *[np.zeros_like(value)] * 4, 10, 3)


def sizes_of(strength):
    zero = np.zeros(len(strength))
    parts = [np.asarray(strength, float), *[zero] * 9]
    return SizeDistribution(np.arange(1, len(strength) + 1), *parts, 5, 0.05)


def network_of(strength, mislabelled=None, **similarities):
    noise = inconsistency_of(theoretical_inconsistency(SIZES, 0.5))
    shuffled = None if mislabelled is None else sizes_of(mislabelled)
    return experiment.Network(dynamics_of(strength, **similarities), noise, inconsistency_of(2.0 * SIZES), shuffled)


def found_of(plain, noisy):
    return experiment.Found({0.0: plain, 0.1: noisy}, ("a", "b", "c", "d"))


@pytest.fixture(scope="module")
def made():
    """Two seeds: strength in equal parts at the end, or all of it on the large sizes 2..4 with label noise."""
    start = [1, 1, 1, 1]
    plain = [network_of([start, [4, 0, 0, 0], [1, 1, 1, 1]]) for _ in range(2)]
    less_alike = {"similarity": (0.9, 0.7, 0.5, 0.3)}
    last = ([0, 2, 1, 1], [0, 1.2, 1.4, 1.4])
    noisy = [network_of([start, [4, 0, 0, 0], part], [0, 0, 0, 4], **less_alike) for part in last]
    return found_of(plain, noisy)


def of_claim(found, measure, share=0.1):
    return next(one for one in claims.judged(found) if one["measure"] == measure and one["share"] == share)


@pytest.mark.parametrize(
    ("values", "sign", "expected"),
    [
        ([1.0, 1.1, 0.9], +1, "agrees"),
        ([1.0, 1.1, 0.9], -1, "opposite"),
        ([-1.0, -1.1, -0.9], -1, "agrees"),
        ([1.0, -1.0, 0.5], +1, "not told apart"),
        ([1.0, 1.5], +1, "not told apart"),
        ([3.0], +1, "not told apart"),
        ([1.0, math.nan, 1.0], +1, "not told apart"),
        ([0.0, 0.0, 0.0], +1, "not told apart"),
    ],
)
def test_verdicts(values, sign, expected):
    assert claims.verdict(np.array(values), sign)["verdict"] == expected


def test_the_interval_is_students():
    values = np.array([0.3, 0.8, 0.1, 0.5])
    found = claims.verdict(values, 1)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert (found["lower"], found["upper"]) == pytest.approx((expected.low, expected.high))


def test_large_sizes_are_half_of_the_players_and_more():
    assert np.flatnonzero(claims.is_large(12)).tolist() == list(range(5, 12))
    assert np.flatnonzero(claims.is_large(9)).tolist() == list(range(4, 9))
    assert np.flatnonzero(claims.is_large(2)).tolist() == [1]


def test_slopes_leave_unknown_sizes_out():
    assert claims.slope(SIZES, np.array([1.0, 3.0, np.nan, 7.0])) == pytest.approx(2.0)
    assert math.isnan(claims.slope(SIZES, np.array([1.0, np.nan, np.nan, np.nan])))


def test_slopes_weigh_sizes_as_asked():
    values, weights = np.array([1.0, 3.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0, 0.0])
    repeated = np.repeat(np.arange(3), [1, 2, 3])
    expected = stats.linregress(SIZES[repeated], values[repeated]).slope
    assert claims.slope(SIZES, values, weights) == pytest.approx(expected)


def test_the_exponential_is_preferred_where_it_is_true():
    sizes = np.arange(1, 9)
    measured = inconsistency_of(theoretical_inconsistency(sizes, 0.8))
    logs = np.log(measured.value) - np.log(sizes)
    assert claims.exponential_advantage(measured) == pytest.approx(logs.std(), abs=1e-4)
    assert claims.exponential_advantage(inconsistency_of(1e-5 * sizes)) == pytest.approx(0.0, abs=1e-3)
    assert claims.exponential_advantage(inconsistency_of(0.3 * sizes)) < -0.1  # at this level it would bend upwards
    assert math.isnan(claims.exponential_advantage(inconsistency_of([np.nan, 1.0])))


def test_the_lowest_checkpoint_is_that_of_the_other_seeds():
    low, high = [1, 0, 0, 0], [0, 0, 0, 1]  # mean sizes 1 and 4
    seeds = [network_of([high, low, high]), network_of([high, high, low])]
    falls, growths = claims.mean_size_changes(seeds)
    np.testing.assert_allclose(falls, [0.0, 0.0])  # own lowest checkpoints would give falls of 3
    np.testing.assert_allclose(growths, [0.0, -3.0])
    assert np.isnan(claims.mean_size_changes(seeds[:1])[0]).all()


def test_differences_are_to_the_plain_network_of_the_same_seed(made):
    share = of_claim(made, "share of large")
    assert share["by_seed"] == pytest.approx([0.25, 0.25])
    assert (share["verdict"], share["lower"]) == ("agrees", pytest.approx(0.25))
    similarity = of_claim(made, "similarity of large")
    large = [(2 * 0.7 + 0.5 + 0.3) / 4, (1.2 * 0.7 + 1.4 * 0.5 + 1.4 * 0.3) / 4]  # weighted by strength
    assert similarity["by_seed"] == pytest.approx([one - (0.8 + 0.7 + 0.6) / 3 for one in large])
    assert similarity["verdict"] == "not told apart"
    assert of_claim(made, "excess of large")["by_seed"] == pytest.approx([0.7 / 4, 0.82 / 4])


def test_every_share_is_judged_where_a_claim_applies(made):
    judged = claims.judged(made)
    within = [claim for claim in claims.CLAIMS if not claim.compared and "mislabelled" not in claim.measure]
    assert len(judged) == 2 * len(within) + (len(claims.CLAIMS) - len(within))
    assert of_claim(made, "excess slope")["mean"] == pytest.approx(0.1)
    assert of_claim(made, "similarity slope", 0.0)["mean"] == pytest.approx(-0.1)
    assert of_claim(made, "fall of mean size")["by_seed"] == pytest.approx([1.5, 1.5])
    assert of_claim(made, "weighted excess", 0.0)["verdict"] == "not told apart"


def test_mislabelled_examples_are_compared_with_the_others_of_their_network(made):
    ends = [2.75, (2.4 + 4.2 + 5.6) / 4]
    assert of_claim(made, "mislabelled mean size")["by_seed"] == pytest.approx([4 - end for end in ends])
    without = found_of(made.networks[0.0], [network_of([[1, 1, 1, 1]] * 2) for _ in range(2)])
    unknown = of_claim(without, "mislabelled mean size")
    assert math.isnan(unknown["mean"])
    assert unknown["verdict"] == "not told apart"


def test_the_summary_holds_the_numbers_of_the_final_networks(made):
    numbers = report.summary(made)["networks"]
    assert list(numbers) == ["rho=0", "rho=0.1"]
    assert numbers["rho=0"]["mean_size"] == pytest.approx([2.5, 2.5])
    assert numbers["rho=0"]["test_accuracy"] == [0.75, 0.75]
    assert numbers["rho=0"]["loss_gap"] == pytest.approx([0.5, 0.5])
    assert numbers["rho=0"]["phases_found"] == [2, 2, 0]
    assert numbers["rho=0.1"]["phases_found"][2] == 2
    assert numbers["rho=0"]["relative_noise"] == pytest.approx([0.5, 0.5])
    by_size = numbers["rho=0.1"]["by_size"]
    assert by_size["strength"] == pytest.approx([0.0, 1.6, 1.2, 1.2])
    assert by_size["similarity"] == pytest.approx([0.9, 0.7, 0.5, 0.3])
    assert by_size["theory"] == pytest.approx(theoretical_inconsistency(SIZES, 0.5))
    assert by_size["attack"] == pytest.approx([2.0, 4.0, 6.0, 8.0])


def test_the_table_and_the_figure_show_every_share(made):
    text = report.table(made)
    assert "| rho=0.1 against rho=0 | share of large +0.25 (+0.25 to +0.25) | agrees |" in text
    assert "| phase 1, large concepts vanish: found | 2 of 2 | 2 of 2 |" in text
    titles = [axes.get_title() for axes in report.figure(made, "title").axes]
    assert [any(title.startswith(f"{name}: learning") for title in titles) for name in ("rho=0", "rho=0.1")] == [
        True
    ] * 2


def test_a_single_seed_without_noise_can_be_shown(made):
    alone = experiment.Found({0.0: made.networks[0.0][:1]}, made.player_names)
    assert {one["verdict"] for one in report.summary(alone)["claims"]} == {"not told apart"}
    assert len(report.figure(alone, "title").axes) == 6  # five plots and a colour bar


def test_a_seed_draws_everything_and_explains_unshuffled_labels():
    setting = experiment.SETTINGS["digits-mlp"]
    data = ij.datasets.digits()
    players = ij.concepts.choose_players(data, cells=(4, 4), count=4)[0]
    first, second = (experiment._draw(setting, data, players, seed, [0.0, 0.1, 0.3]) for seed in range(2))
    plain = first.by_share[0.0]
    for share in (0.1, 0.3):
        noisy = first.by_share[share]
        np.testing.assert_array_equal(noisy.train_y[first.rows[0]], plain.train_y[first.rows[0]])
        changed = first.mislabelled[share]
        assert len(changed) == 50
        assert (noisy.train_y[changed] != plain.train_y[changed]).all()
    assert np.bincount(plain.train_y[first.rows[0]]).tolist() == [20] * 10
    assert np.bincount(plain.test_y[first.rows[1]]).tolist() == [10] * 10
    assert not np.array_equal(plain.train_x, second.by_share[0.0].train_x)


QUICK = ["--seeds", 1, "--inputs", 10, "--epochs", 3, "--checkpoints", 3, "--players", 4, "--limit", 400, "--quiet"]


@pytest.mark.long
def test_the_experiment_runs_and_resumes(tmp_path):
    command = ["reproduce", "generalization", "--setting", "digits-mlp", *QUICK, "--out", tmp_path]
    first = interjax(*command)
    assert first.exit_code == 0
    out = tmp_path / "digits-mlp"
    numbers = json.loads((out / "generalization.json").read_text())
    assert (numbers["seeds"], numbers["training_inputs"], numbers["test_inputs"]) == (1, 100, 50)
    assert numbers["steps"] == [0, 1, 18]
    assert sorted(numbers["networks"]) == ["rho=0", "rho=0.1"]
    network = ij.training.load_network(out / "seed0" / "rho0.1" / "network")[1]
    drawn = experiment._draw(
        experiment.Setting("digits", "mlp", 400, 3, 10, 4, 0.05, (4, 4)), ij.datasets.digits(), None, 0, [0.0, 0.1]
    )
    accuracy = ij.training.accuracy(network, drawn.by_share[0.1].train_x, drawn.by_share[0.1].train_y)
    assert numbers["networks"]["rho=0.1"]["train_accuracy"][0] == pytest.approx(accuracy)
    assert (out / "generalization.png").stat().st_size > 20_000
    (out / "generalization.json").unlink()
    (out / "seed0" / "rho0.1" / "final" / "noise.npz").unlink()
    (out / "seed0" / "rho0" / "concepts" / "step18.npz").unlink()
    assert interjax(*command).output == first.output
    assert json.loads((out / "generalization.json").read_text()) == numbers


def test_the_experiment_says_what_it_lacks(monkeypatch, tmp_path):
    monkeypatch.delenv("INTERJAX_DATA", raising=False)
    with pytest.raises(ValueError, match="kind must be one of and, and-or"):
        experiment.run(experiment.SETTINGS["digits-mlp"], ij.datasets.digits(), tmp_path, kind="or")
    command = ["reproduce", "generalization"]
    assert "needs --folder" in message_of(monkeypatch, *command, "--setting", "adult-mlp")
    assert "neither adult/ nor mnist/" in message_of(monkeypatch, *command, "--folder", tmp_path)
    limited = message_of(monkeypatch, *command, "--limit", 8, "--share", 1, "--out", tmp_path / "few", "--quiet")
    assert "take more examples (--limit), or smaller shares (--share)" in limited
    assert "from 0 to 1" in message_of(monkeypatch, *command, "--share", "0.1,1.5", "--out", tmp_path / "share")


def test_the_settings_name_networks_and_data_that_exist():
    for name, setting in experiment.SETTINGS.items():
        assert setting.network in ij.networks.NAMES
        assert name.split("-")[0] == setting.data.split(":")[0]
