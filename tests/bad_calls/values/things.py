"""Functions, devices, files and names."""

import math
from typing import Any

import jax
import numpy as np
from bad_calls.values.kinds import Kind, Value, none_of, those


def function(*wrong: Any, optional: bool = True, **more: Any) -> Kind:
    """Something to call; wrong: functions of another form."""

    def of(good: Any) -> list[Value]:
        found = those(
            "never", number=3, text="some", nothing=[], mapping={"a": 1}, true=True, instance=object(), nan=math.nan
        )
        found += those("never", **{f"wrong_{place}": other for place, other in enumerate(wrong)}, **more)
        return none_of(optional) + found

    return of


def mesh(good: Any) -> list[Value]:
    """A mesh of devices or None."""
    found = those(
        "never", number=8, text="cpu", devices=jax.devices(), true=True, nothing=[], instance=object(), mapping={}
    )
    return found + those("never", array=np.array(jax.devices()[:1]), zero=0, no_text="")


def folder(*, a_file: Any, read: bool = False, optional: bool = True) -> Kind:
    """Where something is written, or read from."""

    def of(good: Any) -> list[Value]:
        found = those(
            "never",
            number=3,
            no_text="",
            true=True,
            nothing=[],
            mapping={},
            instance=object(),
            nan=math.nan,
            zero=0,
            file=a_file,
        )
        found += those("never", nul="a\0b", function=abs, array=np.zeros(2))
        if read:
            found += those("never", missing=str(a_file) + "-no-such")
        return none_of(optional) + found

    return of


def names(length: int | None = None, *, optional: bool = True) -> Kind:
    """Texts, one for each of several things."""

    def of(good: Any) -> list[Value]:
        found = those(
            "never",
            number=3,
            true=True,
            instance=object(),
            nan=math.nan,
            numbers=[1, 2],
            missing=[None] * (length or 1),
        )
        if length is not None:
            found += those(
                "never",
                too_few=["a"] * (length - 1),
                too_many=["a"] * (length + 1),
                one_text="abc"[:length],
                nothing=[],
            )
        return none_of(optional) + found

    return of
