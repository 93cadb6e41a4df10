"""Random keys: what is accepted as one, and draws on the host from one."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from interjax._core._checks import check_known


@jax.jit
def example_keys(key: Array, index: Int[Array, " batch"]) -> Array:
    """A key for each example, drawn from the key and the example's number."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, index)


def check_key(key: Any, *, traced: bool = False) -> None:
    """Raise ValueError unless `key` is one typed JAX random key, and known unless it may be traced."""
    if not (isinstance(key, jax.Array) and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) and key.shape == ()):
        raise ValueError(f"key must be a random key such as jax.random.key(0), got {key!r}")
    if not traced:
        check_known("key", key)


def host_generator(key: jax.Array) -> np.random.Generator:
    """A NumPy generator whose draws depend on the key alone."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)).astype(np.uint32).ravel().tolist())
