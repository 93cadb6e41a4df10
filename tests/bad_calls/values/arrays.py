"""Arrays of numbers, and sequences that stand for them."""

import math
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from bad_calls.values.kinds import Kind, Value, made, none_of, those, traced


def array(
    *,
    optional: bool = False,
    exact: bool = True,
    rows: bool = True,
    more_axes: bool = True,
    scalar: str = "never",
    nan: str = "told",
    nothing: bool = True,
    texts: str = "never",
) -> Kind:
    """Real numbers of a shape.

    Args:
        optional: None has a meaning.
        exact: whether another length of the last axis is wrong.
        rows: whether another number of rows is wrong.
        more_axes: whether an axis more is wrong.
        scalar, texts: the verdict on one number, and on texts.
        nan: the verdict on NaN and infinity.
        nothing: whether an empty array is wrong.
    """

    def of(good: Any) -> list[Value]:
        found = none_of(optional) + _array_junk() + those(scalar, number=0.5)
        found += those("never", none_at_all=np.array(None))
        if texts != "never":
            found = [each for each in found if each[0] not in ("letters",)]
        if good is None or np.ndim(good) == 0:
            return found + those("never", too_many_axes=np.zeros((1,) * 7), wide=np.zeros((3, 17)))
        held = np.asarray(good)
        changed = {"complex_values": held + 1j, "objects": held.astype(object), "texts": held.astype(str)}
        changed["masked_array"] = np.ma.masked_array(held, np.arange(held.size).reshape(held.shape) % 2 == 0)
        changed["dates"] = held.astype(int).astype("datetime64[s]")
        if nothing:
            changed["nothing"] = held[:0]
        if more_axes:
            changed["an_axis_more"] = held[..., None]
        if exact:
            changed |= {"wider": np.concatenate([held, held[..., :1]], -1), "narrower": held[..., :-1]}
        if rows and held.ndim > 1:
            changed |= {"a_row_more": np.concatenate([held, held[:1]]), "an_axis_fewer": held[0]}
        changed.pop("texts") if texts != "never" else None
        found += those("never", **changed)
        if held.dtype.kind == "f":
            broken, infinite = held.copy(), held.copy()
            broken.flat[0], infinite.flat[-1] = np.nan, np.inf
            found += those(nan, nan=broken, infinite=infinite)
        found += those("right", a_list=held.tolist(), numpy=np.array(held), transposed=np.asfortranarray(held))
        found += those("maybe", booleans=held > 0, read_only=_read_only(held), bytes_=held.astype(np.uint8))
        return found + those("right", jax_array=jnp.asarray(held)) + traced(good)

    return of


def _array_junk() -> list[Value]:
    found = those(
        "never", text="some", no_text="", mapping={"a": 1}, instance=object(), function=abs, letters=["a", "b"]
    )
    found += those(
        "never", complex_number=3j, ragged=[[1.0], [1.0, 2.0]], set_of_numbers={1, 2}, list_of_none=[None, None]
    )
    found += those("never", key=jax.random.key(3), keys=jax.random.split(jax.random.key(3)))
    return found + made("never", generator=lambda: (each for each in [1, 2]))


def _read_only(held: np.ndarray) -> np.ndarray:
    found = held.copy()
    found.flags.writeable = False
    return found


def labels(classes: int | None = 2, *, bounded: bool = True) -> Kind:
    """Class numbers (N,)."""

    def of(good: Any) -> list[Value]:
        held = np.asarray(good)
        found = those(
            "never", none=None, text="some", number=1, instance=object(), mapping={}, complex_values=held + 1j
        )
        found += those("never", key=jax.random.key(3)) + those(
            "never", fractions=held + 0.5, nan=np.where(held == 0, np.nan, held), texts=held.astype(str)
        )
        found += those(
            "never",
            objects=np.array([None] * len(held)),
            a_column=held[:, None],
        )
        found += those("never", too_few=held[:-1], too_many=np.append(held, held[:1]), nothing=held[:0])
        found += those(
            "never", masked_array=np.ma.masked_array(held, held == 0), floats=held.astype(float), ragged=[[1], [1, 2]]
        )
        if bounded:
            found += those("never", negative=held - 1)
        if bounded and classes is not None:
            found += those("never", too_large=held + classes)
        found += made("maybe", generator=lambda: iter(held.tolist()))
        found += those("right", a_list=held.tolist(), bytes_=held.astype(np.uint8), jax_array=jnp.asarray(held))
        return found + those("maybe", booleans=held > 0) + traced(good)

    return of


def orders(largest: int, *, optional: bool = True) -> Kind:
    """Context sizes or ratios."""

    def of(good: Any) -> list[Value]:
        found = those(
            "never", text="all", texts=["all"], nothing=[], number=3, fraction=0.5, negative=[-1], nan=[math.nan]
        )
        found += those(
            "never", too_large=[largest + 1], ratio_too_large=[1.5], twice=[1, 1], two_axes=[[0, 1]], flags=[True]
        )
        found += those(
            "never", complex_numbers=[1j], mapping={0: 1}, instance=object(), infinite=[math.inf], missing=[None]
        )
        found += those("never", key=jax.random.key(3)) + those(
            "never", masked_array=np.ma.masked_array([0, 1], [True, False]), ragged=[[0], [0, 1]], true=True
        )
        found += those(
            "never",
            objects=np.array([0, 1], object),
            negative_ratio=[-0.5],
            huge=[10**30],
            date=[np.datetime64(1, "s")],
        )
        found += made("maybe", generator=lambda: iter([0, 1]), set_=lambda: {0, 1}) + those("right", a_tuple=(0, 1))
        found += those("right", numpy=np.array([0, 1]), jax_array=jnp.array([0, 1]), bytes_=np.array([0, 1], np.uint8))
        return none_of(optional) + found + those("right", ratios=np.array([0.0, 1.0])) + traced(np.array([0, 1]))

    return of


def pairs(n_players: int, *, optional: bool = False) -> Kind:
    """Coalitions of two players, or "all"."""

    def of(good: Any) -> list[Value]:
        found = those("never", key=jax.random.key(3)) + those(
            "never", text="some", no_text="", nothing=[], with_itself=[(0, 0)], unknown=[(0, n_players)]
        )
        found += those(
            "never",
            negative=[(-1, 1)],
            fractions=[(0.5, 1)],
            floats=[(0.0, 1.0)],
            flags=[(True, False)],
            nan=[(math.nan, 1)],
        )
        found += those(
            "never",
            twice=[(0, 1), (1, 0)],
            one_axis=[0, 1],
            texts=[("a", "b")],
            wide=[(0, 1, 2, 3)],
            ragged=[(0, 1), (0,)],
        )
        found += those(
            "never",
            complex_numbers=[(0, 1j)],
            mapping={0: 1},
            instance=object(),
            missing=[(0, None)],
            huge=[(0, 10**30)],
        )
        found += those(
            "never", masked_array=np.ma.masked_array([[0, 1]], [[True, False]]), objects=np.array([[0, 1]], object)
        )
        found += those(
            "right",
            a_tuple=((0, 1),),
            numpy=np.array([[0, 1]]),
            jax_array=jnp.array([[1, 0]]),
            bytes_=np.array([[0, 1]], np.uint8),
        )
        return none_of(optional) + found + made("maybe", generator=lambda: iter([(0, 1)])) + traced(np.array([[0, 1]]))

    return of


def baseline(good: Any) -> list[Value]:
    """A number, an array of an input's shape, or a background set."""
    found = those("never", key=jax.random.key(3)) + those(
        "never", text="mean", none=None, nan=math.nan, infinite=math.inf, complex_number=1j, wide=np.zeros(77)
    )
    found += those(
        "never",
        texts=["a", "b"],
        instance=object(),
        function=abs,
        mapping={},
        nothing=[],
        two_axes=np.zeros((3, 5, 7, 2)),
    )
    found += those(
        "never",
        masked_array=np.ma.masked_array([0.0, 1.0], [True, False]),
        ragged=[[0], [0, 1]],
        date=np.datetime64(1, "s"),
    )
    return (
        found
        + those("right", numpy_number=np.float32(0), jax_number=jnp.float32(0), integer=0)
        + those("maybe", true=True)
    )


def bounds(good: Any) -> list[Value]:
    """(low, high) or None."""
    found = those(
        "never",
        number=3,
        text="01",
        one=(0.0,),
        three=(0, 1, 2),
        reversed=(1.0, 0.0),
        nan=(math.nan, 1.0),
        texts=("a", "b"),
    )
    found += those(
        "never", instance=object(), mapping={}, true=True, complex_numbers=(0j, 1j), missing=(None, None), nothing=()
    )
    return (
        found
        + those("right", a_list=[-5.0, 5.0], numpy=np.array([-5.0, 5.0]))
        + those("never", wide=(np.zeros(77), np.ones(77)))
    )


def shape(good: Any) -> list[Value]:
    """Lengths of axes."""
    found = those(
        "never",
        none=None,
        text="28x28",
        nothing=(),
        zero=(0, 3),
        negative=(-1, 3),
        fraction=(2.5, 3),
        floats=(4.0, 4.0),
    )
    found += those(
        "never",
        nan=(math.nan, 3),
        texts=("4", "4"),
        flags=(True, True),
        instance=object(),
        mapping={},
        true=True,
        missing=(None, 3),
    )
    found += those("never", fraction_alone=2.5, nested=((4, 4), (4,)), complex_numbers=(4j, 4))
    return found + those("right", a_list=list(np.atleast_1d(good).tolist()), numpy=np.atleast_1d(np.asarray(good)))


def numbers(*wrong: Any, optional: bool = True, **more: Any) -> Kind:
    """A sequence of numbers; wrong: sequences of another kind."""

    def of(good: Any) -> list[Value]:
        found = those(
            "never", text="some", texts=["a"], nan=[math.nan], complex_numbers=[1j], instance=object(), mapping={0: 1}
        )
        found += those(
            "never",
            missing=[None],
            flags=[True],
            two_axes=[[[0.5]]],
            true=True,
            ragged=[[0.5], [0.5, 0.5]],
            dates=[np.datetime64(1, "s")],
        )
        found += those("never", masked_array=np.ma.masked_array([0.5, 0.5], [True, False]))
        found += those("never", **{f"wrong_{place}": other for place, other in enumerate(wrong)}, **more)
        if isinstance(good, Iterable):
            held = list(good)
            found += those("right", a_tuple=tuple(held), numpy=np.array(held), a_list=held)
        return none_of(optional) + found

    return of
