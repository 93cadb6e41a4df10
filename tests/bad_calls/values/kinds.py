"""Values that a kind of argument may be given by mistake, each with what must come of it.

A kind is a function of a good value of the argument. It gives triples: what the value is, a verdict, and how it is made
(anew for each call, for a generator can be read once). Verdicts:

    never   no value for this argument: an error that names it, or a warning
    told    values such as NaN: an error, a warning, or NaN in the answer
    maybe   right in some places; if it is refused, then by name
    right   as good as the good value: accepted
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

Value = tuple[str, str, Callable[[], Any]]
Kind = Callable[[Any], list[Value]]
TRACED = "the good value, traced by jax.jit"
"""In the place of a value: the call is made inside jit, with the good value traced."""


def those(verdict: str, **values: Any) -> list[Value]:
    return [(label.replace("_", " "), verdict, lambda value=value: value) for label, value in values.items()]


def made(verdict: str, **makers: Callable[[], Any]) -> list[Value]:
    return [(label.replace("_", " "), verdict, maker) for label, maker in makers.items()]


def traced(good: Any) -> list[Value]:
    return [("traced", "maybe", lambda: TRACED)] if good is not None and not isinstance(good, str | bool) else []


def none_of(optional: bool) -> list[Value]:
    return [] if optional else those("never", none=None)


def scalar_junk() -> list[Value]:
    """What no number and no count is."""
    found = those("never", text="3", no_text="", octets=b"3", true=True, numpy_true=np.True_, complex_number=3j)
    found += those("never", nan=math.nan, list_of_one=[3], two=np.array([3, 3]), mapping={}, instance=object())
    found += those("never", function=abs, type_of_it=int, date=np.datetime64("2026-01-01"), key=jax.random.key(3))
    return found + made("never", generator=lambda: iter([3]))


def one_of(*others: Any, optional: bool = False, **more: Any) -> Kind:
    """An object of a type of ours; others: objects of the right type that do not fit here."""

    def of(good: Any) -> list[Value]:
        found = those(
            "never", number=3, text="some", no_text="", nothing=[], mapping={}, instance=object(), nan=math.nan
        )
        found += those(
            "never", array=np.zeros((2, 3)), type_of_it=type(good), function=abs, true=True, in_a_list=[good]
        )
        found += those("never", **{f"another_{place}": other for place, other in enumerate(others)}, **more)
        return none_of(optional) + [each for each in found if each[0] not in ("type of it",) or good is not None]

    return of


def values(*wrong: Any, right: tuple = (), maybe: tuple = (), **more: Any) -> Kind:
    """Just these."""

    def of(good: Any) -> list[Value]:
        found = those("never", **{f"wrong_{place}": other for place, other in enumerate(wrong)}, **more)
        found += those("maybe", **{f"other_{place}": other for place, other in enumerate(maybe)})
        return found + those("right", **{f"right_{place}": other for place, other in enumerate(right)})

    return of


def also(*kinds: Kind) -> Kind:
    """All values of several kinds."""
    return lambda good: [each for kind in kinds for each in kind(good)]


def without(kind: Kind, *labels: str) -> Kind:
    """A kind less values that are right here."""
    return lambda good: [each for each in kind(good) if each[0] not in labels]


def anything(good: Any) -> list[Value]:
    """An argument whose every value is right, or that only the caller's own code looks at."""
    return []
