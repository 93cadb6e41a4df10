"""One number, word, flag or key."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from bad_calls.values.kinds import Kind, Value, none_of, scalar_junk, those, traced
from flax import nnx


def count(least: int = 1, most: int | None = None, *, optional: bool = False, none: str = "never") -> Kind:
    """An integer in a range."""

    def of(good: Any) -> list[Value]:
        found = none_of(optional) + scalar_junk() + those("never", fraction=2.5, float_of_it=float(good or 3))
        found += those("never", numpy_float=np.float32(good or 3), infinite=math.inf, negative=-1, too_small=least - 1)
        found += those("never", large_float=1e20)
        if most is not None:
            found += those("never", too_large=most + 1, huge=10**30)
        if good is not None:
            found += those(
                "right", numpy_integer=np.int64(good), small_integer=np.uint16(good), jax_integer=jnp.int32(good)
            )
        return found + traced(good)

    return of


def number(interval: str = "(0, 1)", *, optional: bool = False) -> Kind:
    """A number in an interval, written as in the messages."""
    low, high = map(float, interval[1:-1].split(","))

    def of(good: Any) -> list[Value]:
        found = none_of(optional) + scalar_junk()
        ends = {"low": (low, interval[0] == "(", -1), "high": (high, interval[-1] == ")", 1)}
        for name, (end, is_open, sign) in ends.items():
            if math.isfinite(end):
                found += those(
                    "never", **{f"beyond_the_{name}_end": end + sign, f"infinite_at_{name}": sign * math.inf}
                )
            if is_open:
                found += those("never", **{f"the_{name}_end": end})
        if good is not None and not isinstance(good, str) and np.ndim(good) == 0:
            found += those("right", numpy_number=np.float32(good), jax_number=jnp.float32(good))
        return found + traced(good)

    return of


def choice(*, optional: bool = False) -> Kind:
    """One of several names."""

    def of(good: Any) -> list[Value]:
        junk = those("never", unknown="no such", no_text="", number=3, true=True, nan=math.nan, instance=object())
        junk += those(
            "never", in_a_list=[good], octets=b"mean", array=np.array(["mean", "rms"]), mapping={}, function=abs
        )
        return none_of(optional) + junk

    return of


def flag(good: Any) -> list[Value]:
    """True or False."""
    found = those("never", text="no", none=None, number=2, fraction=0.5, nan=math.nan, nothing=[], mapping={"a": 1})
    return (
        found
        + those("never", two=np.array([True, False]), instance=object())
        + those("right", numpy_flag=np.bool_(good))
    )


def key(optional: bool = False) -> Kind:
    """One typed random key."""

    def of(good: Any) -> list[Value]:
        found = those(
            "never", integer=3, old_key=jax.random.PRNGKey(3), old_key_in_numpy=np.zeros(2, np.uint32), text="key"
        )
        found += those(
            "never", keys=jax.random.split(jax.random.key(3)), number=1.5, true=True, nan=math.nan, nothing=[]
        )
        found += those("never", generator=np.random.default_rng(3), streams=nnx.Rngs(3), sequence=[jax.random.key(3)])
        found += those(
            "never", objects=np.array([None], object), instance=object(), mapping={}, function=jax.random.key
        )
        return none_of(optional) + found + traced(jax.random.key(3))

    return of


def memory(good: Any) -> list[Value]:
    """Bytes or None."""
    found = those(
        "never", negative=-1, zero=0, fraction=1.5, float_=1e9, text="2GiB", nan=math.nan, true=True, sequence=[2**30]
    )
    return (
        found
        + those("never", instance=object(), infinite=math.inf, complex_number=1j)
        + those("right", numpy_integer=np.int64(2**30))
    )
