"""Many tests at once, against scipy's procedures and by their definitions."""

import numpy as np
import pytest
from scipy import stats

from interjax._core._multiplicity import are_discoveries, p_values, simultaneous_level

RANDOM = np.random.default_rng(0)
P = np.concatenate([RANDOM.random(80), RANDOM.random(20) ** 8]).reshape(10, 10)


def test_p_values_are_those_of_scipy():
    value, stderr, freedom = RANDOM.normal(size=(3, 50))
    stderr, freedom = np.abs(stderr), np.exp(freedom)
    np.testing.assert_allclose(p_values(value, stderr, freedom), 2 * stats.t.sf(abs(value) / stderr, freedom))
    np.testing.assert_allclose(p_values(value, stderr, np.inf), 2 * stats.norm.sf(abs(value) / stderr))
    assert p_values([0.0, 1.0], 0.0, np.inf).tolist() == [1, 0]
    assert p_values([0.0, 1.0], 0.0, 3.0).tolist() == [1, 0]
    assert np.isnan(p_values([0.0, 1.0, np.nan, 1.0], [np.nan, np.nan, 1.0, 1.0], [3, 3, 3, 0])).all()


@pytest.mark.parametrize(("dependent", "method"), [(False, "bh"), (True, "by")])
@pytest.mark.parametrize("rate", [1e-3, 0.05, 0.3, 0.9])
def test_discoveries_are_those_of_scipy(rate, dependent, method):
    expected = stats.false_discovery_control(P.ravel(), axis=None, method=method) <= rate
    np.testing.assert_array_equal(are_discoveries(P.ravel(), rate, dependent=dependent), expected)
    with_unknown = np.append(P.ravel(), np.nan)
    np.testing.assert_array_equal(are_discoveries(with_unknown, rate, dependent=dependent), np.append(expected, False))


def test_nothing_is_found_among_nothing():
    assert not are_discoveries(np.full(3, np.nan), 0.5, dependent=True).any()


def test_levels_of_families():
    assert simultaneous_level(0.95, 10, False) == 0.95
    assert simultaneous_level(0.95, 10, True) == simultaneous_level(0.95, 10, "bonferroni") == pytest.approx(0.995)
    assert simultaneous_level(0.95, 10, "sidak") ** 10 == pytest.approx(0.95)
    for simultaneous in (True, "sidak"):
        assert simultaneous_level(0.95, 1, simultaneous) == pytest.approx(0.95)
        assert simultaneous_level(0.95, 0, simultaneous) == pytest.approx(0.95)
    for bad in ("holm", 1, None, [True]):
        with pytest.raises(ValueError, match="simultaneous must be one of bonferroni, sidak"):
            simultaneous_level(0.95, 10, bad)
