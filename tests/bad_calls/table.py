"""Every line of the table, the bad calls that it makes, and which public names it covers."""

import importlib
import operator
import types
from collections.abc import Iterator
from typing import Any

from bad_calls.judging import BadCall, Line, bad_calls
from bad_calls.shared import SHARED

import interjax as ij

ROOMS = ("games", "concepts", "learning", "information", "files")
EXEMPT = {
    "reproduce": "experiments of minutes, whose options are those of the commands",
    "games.Game": "made by its constructors, which are in the table",
    "games.Players": "likewise",
    "orders.Estimator": "a protocol",
    "orders.Estimates": "what an estimator gives",
    "training.SteeredCrossEntropy": "abstract",
    "training.Plan": "made by default_plan",
    "training.Loss": "a type",
    "concepts.ConceptAnalysis": "made by analyse",
    "pid.Trust": "the fields that results of sampled information share",
}
"""Public names, or rooms, that have no line of their own, and why. Results, which calls make, have `load` alone."""


def lines() -> list[Line]:
    """All lines whose functions this version of interjax has."""
    every = [line for room in ROOMS for line in importlib.import_module(f"bad_calls.rooms.{room}").LINES]
    return [line for line in every if _exists(line.name)]


def all_bad_calls(every: list[Line] | None = None) -> list[BadCall]:
    """The bad calls of lines, of all by default."""
    return [call for line in (lines() if every is None else every) for call in bad_calls(line, SHARED)]


def missing_names() -> list[str]:
    """Public functions and classes that no line covers and no exemption names."""
    covered = {line.name for line in lines()}
    return [
        name
        for name, value in public_names()
        if name.split(".")[0] not in EXEMPT and name not in EXEMPT and not _is_covered(name, value, covered)
    ]


def public_names() -> Iterator[tuple[str, Any]]:
    """(room.name, value) of all public functions and classes."""
    for room in sorted(name for name in ij.__all__ if isinstance(getattr(ij, name), types.ModuleType)):
        module = importlib.import_module(f"interjax.{room}")
        for name in module.__all__:
            value = getattr(module, name)
            if callable(value) and not isinstance(value, types.ModuleType):
                yield f"{room}.{name}", value


def _is_covered(name: str, value: Any, covered: set[str]) -> bool:
    same = {name} | {other for other, one in _names_of_value() if one is value}
    if any(each in covered for each in same):
        return True
    return hasattr(value, "load") and any(f"{each}.load" in covered for each in same)


def _names_of_value() -> list[tuple[str, Any]]:
    flat = [(name, getattr(ij, name)) for name in ij.__all__]
    return [*flat, *public_names()]


def _exists(name: str) -> bool:
    try:
        operator.attrgetter(name)(ij)
    except AttributeError:
        return False
    return True
