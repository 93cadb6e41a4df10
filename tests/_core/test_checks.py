"""Checks of arguments: what they let through, as what, and what they say of the rest."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

from interjax._core._checks import check_choice, check_count, check_examples, check_level, check_memory, check_number


@pytest.mark.parametrize("value", [3, np.int32(3), np.uint8(3), jnp.int32(3), np.array(3)])
def test_an_integer_is_a_count(value):
    found = check_count("steps", value)
    assert found == 3
    assert type(found) is int


NO_COUNTS = [0, -1, 2.5, 3.0, np.float64(3), np.nan, np.inf, "3", None, True, np.True_, [3], np.array([3]), 3j]


@pytest.mark.parametrize("value", NO_COUNTS)
def test_what_is_no_count_is_refused_by_name(value):
    with pytest.raises(ValueError, match=re.escape(f"steps must be an integer of at least 1, got {value!r}")):
        check_count("steps", value)


@pytest.mark.parametrize(
    ("range_", "value", "message"),
    [
        ({"least": 2}, 1, "n must be an integer of at least 2, got 1"),
        ({"least": 2, "most": 6}, 7, "n must be an integer from 2 to 6, got 7"),
        ({"least": 2, "most": 6, "about": "so it is"}, 1, "n must be an integer from 2 to 6, so it is; got 1"),
    ],
)
def test_a_count_outside_its_range_is_refused(range_, value, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_count("n", value, **range_)


def test_both_ends_of_a_range_of_counts_belong_to_it():
    assert [check_count("n", value, least=2, most=4) for value in (2, 3, 4)] == [2, 3, 4]
    assert check_count("n", 2**70) == 2**70


@pytest.mark.parametrize(
    ("interval", "inside", "outside"),
    [
        ("(0, 1)", (1e-300, 0.5, 1 - 1e-16), (0, 1, -0.1, 2)),
        ("[0, 1]", (0, 1, True + 0, 0.3), (-1e-300, 1.0000001)),
        ("(0, 1]", (1, 1e-9), (0, 1.1)),
        ("[0, inf)", (0, 1e300), (-1, np.inf)),
        ("(0, inf]", (np.inf, 3), (0,)),
        ("[-2, -1)", (-2, -1.5), (-1, -3)),
    ],
)
def test_a_number_lies_in_its_interval(interval, inside, outside):
    assert [check_number("share", value, interval) for value in inside] == [float(value) for value in inside]
    for value in (*outside, np.nan, "0.5", None, True, [0.5], 1j):
        with pytest.raises(ValueError, match=re.escape(f"share must be a number in {interval}, got {value!r}")):
            check_number("share", value, interval)


def test_a_number_may_be_an_array_of_one():
    assert check_number("share", jnp.float32(0.5), "(0, 1)") == 0.5
    assert type(check_number("share", np.float32(0.5), "(0, 1)")) is float


def test_a_message_says_what_a_number_is():
    with pytest.raises(ValueError, match=re.escape("tau must be a number in (0, 1], a share; got 2")):
        check_number("tau", 2, "(0, 1]", about="a share")


def test_a_level_lies_between_its_ends():
    assert check_level(0.95) == 0.95
    for level in (0, 1, 95, np.nan):
        with pytest.raises(ValueError, match=r"level must be a number in \(0, 1\)"):
            check_level(level)


def test_a_choice_is_one_of_the_names():
    check_choice("kind", "mean", ("mean", "rms"))
    check_choice("kind", "mean", {"mean": 1})
    for value in ("median", "", None, 3, ["mean"], ("mean",)):
        with pytest.raises(ValueError, match=re.escape(f"kind must be one of mean, rms; got {value!r}")):
            check_choice("kind", value, ("mean", "rms"))


@pytest.mark.parametrize(("memory", "found"), [(None, None), (2**31, 2**31), (np.int64(5), 5)])
def test_memory_is_bytes_or_none(memory, found):
    assert check_memory(memory) == found


@pytest.mark.parametrize("memory", [0, -1, 1.5, 1e9, "2GiB", True])
def test_other_memory_is_refused(memory):
    with pytest.raises(ValueError, match=re.escape(f"or None; got {memory!r}")):
        check_memory(memory)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 2)), np.zeros(2, int), "got shapes (3, 2) and (2,)"),
        (np.zeros(3), np.zeros(3, int), "got shapes (3,) and (3,)"),
        (np.zeros((0, 2)), np.zeros(0, int), "got shapes (0, 2) and (0,)"),
        (np.zeros((3, 2)), np.zeros(3), "y must be class indices (N,), integers, got float64"),
    ],
)
def test_examples_that_do_not_match_are_refused(x, y, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        check_examples(x, y)
