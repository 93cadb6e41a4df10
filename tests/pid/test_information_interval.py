"""The interval of I(S;T): how often it holds what known distributions have, and what its error is made of."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import stats

import interjax as ij
from interjax.pid._corrected_information import grassberger_information, grassberger_stderr
from interjax.pid._realisations import realisations_of


def binary_channel(error):
    return np.array([[1 - error, error], [error, 1 - error]]) / 2


COPIES = 0.5 * np.eye(8) / 8 + 0.5 / 64
TABLES = {
    "sometimes wrong": binary_channel(0.1),
    "hardly ever wrong": binary_channel(0.01),
    "nearly noise": binary_channel(0.45),
    "copies": COPIES,
    "independent": np.outer([0.9, 0.1], [0.8, 0.15, 0.05]),
    "independent, 80 cells": np.full((8, 10), 1 / 80),
}


def samples(random, table, count):
    cells = np.repeat(np.arange(table.size), random.multinomial(count, table.ravel()))
    source, target = np.divmod(cells, table.shape[1])
    return np.stack([source, np.zeros_like(source)], axis=1), target


def information_of(table):
    independent = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
    return float(np.sum(table * np.log2(table / independent)))


@pytest.mark.parametrize("count", [100, 300, 2_000])
@pytest.mark.parametrize("name", TABLES)
def test_nine_in_ten_intervals_hold_what_is_known(name, count):
    """corrected_information -+ 1.96 information_stderr holds it in .66 of samples of independent or near-exact bits."""
    random, table = np.random.default_rng(0), TABLES[name]
    truth, holds = information_of(table), []
    for _ in range(150):
        found = ij.pid.shannon_invariants(*samples(random, table, count), resamples=0)
        lower, upper = found.information_interval()
        assert 0 <= lower <= upper
        holds.append(lower <= truth + 1e-12 <= upper + 2e-12)
    assert np.mean(holds) >= 0.89


@pytest.mark.parametrize("name", ["sometimes wrong", "copies"])
def test_the_error_is_the_scatter_of_fresh_samples(name):
    random = np.random.default_rng(1)
    draws = [realisations_of(*samples(random, TABLES[name], 300)) for _ in range(400)]
    scatter = np.std([grassberger_information(one) for one in draws])
    assert np.mean([grassberger_stderr(one) for one in draws]) == pytest.approx(scatter, rel=0.15)


def test_too_few_samples_reach_down_by_what_the_correction_may_have_left():
    sources, target = samples(np.random.default_rng(2), COPIES, 60)
    found = ij.pid.shannon_invariants(sources, target, resamples=0)
    assert found.coverage < 0.9
    lower, upper = found.information_interval(0.5)
    reach = stats.norm.ppf(0.75) * found.corrected_stderr
    correction = found.information - found.corrected_information
    assert upper == pytest.approx(found.corrected_information + reach)
    assert lower == pytest.approx(found.corrected_information - reach - correction)


def test_every_result_has_it_and_files_keep_it(tmp_path):
    sources, target = samples(np.random.default_rng(3), TABLES["sometimes wrong"], 200)
    results = [
        ij.pid.decompose(sources, target),
        ij.pid.representational_complexity(sources, target, resamples=0),
        ij.pid.grouped_complexity(sources, target, [(0,), (1,)], resamples=0, compare=False),
        ij.pid.shannon_invariants(sources, target, resamples=0),
    ]
    assert len({one.information_interval() for one in results}) == 1
    loaded = type(results[0]).load(results[0].save(tmp_path / "found.npz"))
    assert loaded.information_interval() == results[0].information_interval()
    older = dataclasses.replace(results[0], corrected_stderr=None, coverage=1.0)
    expected = stats.t.interval(0.95, 8, older.corrected_information, older.information_stderr)
    np.testing.assert_allclose(older.information_interval(), expected)


def test_what_is_known_or_hardly_sampled():
    known = ij.pid.shannon_invariants([(0, 0), (1, 0)], [0, 1], [0.5, 0.5])
    assert known.information_interval() == (1.0, 1.0)
    few = ij.pid.shannon_invariants([(0, 0), (1, 0)], [0, 1])
    assert np.isnan(few.information_interval()).all()


def test_complexity_has_students_interval():
    """Four pairs of halves: t = 2.776445."""
    sources, target = samples(np.random.default_rng(4), COPIES, 400)
    sources[:, 1] = target % 2
    found = ij.pid.representational_complexity(sources, target, key=jax.random.key(0), resamples=8)
    assert found.freedom == 4
    reach = 2.776445 * found.stderr + abs(found.value - found.corrected)
    np.testing.assert_allclose(found.interval(), (found.corrected - reach, found.corrected + reach), rtol=1e-6)
