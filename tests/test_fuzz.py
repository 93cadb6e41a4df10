"""Bad calls and bad command lines, sampled: refused by name, none accepted without a word.

`python benchmarks/fuzz.py` makes all of them; here every so-many-th is made, the same ones in every run.
"""

import os
import random

import pytest
from bad_calls.commands import bad_lines, judge_line
from bad_calls.judging import FAULTS, Judge
from bad_calls.table import EXEMPT, all_bad_calls, lines, missing_names, public_names

pytestmark = pytest.mark.filterwarnings("ignore")  # of small samples; the judge looks at those of bad calls
CALLS, COMMANDS = 300, 40
ROUND = int(os.environ.get("INTERJAX_FUZZ_ROUND", "0"))  # another number makes other calls


@pytest.fixture(scope="module")
def sampled():
    """Bad calls of as many lines as there are, by line: each line is set up once."""
    every = lines()
    chosen = random.Random(ROUND)
    found = {}
    for line in chosen.sample(every, k=len(every) // 5):
        calls = all_bad_calls([line])
        found[line] = chosen.sample(calls, k=min(len(calls), 10))
    return found


def test_bad_calls_are_refused_by_name(sampled):
    judge, outcomes = Judge(), []
    for calls in sampled.values():
        outcomes += [judge(call) for call in calls]
    faults = [each for each in outcomes if each.kind in FAULTS]
    assert len(outcomes) >= CALLS
    assert not faults, "\n".join(map(str, faults))


def test_bad_command_lines_are_refused_by_name():
    outcomes = [judge_line(each) for each in random.Random(ROUND).sample(bad_lines(), k=COMMANDS)]
    faults = [each for each in outcomes if each.kind in FAULTS]
    assert not faults, "\n".join(map(str, faults))


def test_a_fault_is_seen():
    """What the judge says of calls whose outcome is known."""
    judge = Judge()
    by_value = {}
    for line in lines():
        if str(line) == "games.pairs_within":
            by_value = {(each.argument, each.value): judge(each).kind for each in all_bad_calls([line])}
    assert by_value["radius", "negative"] == "clear"
    assert by_value["radius", "numpy integer"] == "accepted"
    assert by_value["no_such_option", "an unknown keyword"] == "clear"


def test_every_public_name_has_a_line():
    assert missing_names() == []
    names = {name for name, _ in public_names()}
    assert {name for name in EXEMPT if "." in name} <= names
