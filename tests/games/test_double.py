"""Functions in double precision: compared with the same function of float64 arrays in NumPy's hands."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from interjax.games._double import in_double

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.normal(size=(6, 3)).astype(np.float32)
X = RANDOM.normal(size=(4, 6)).astype(np.float32)
PRODUCT = X.astype(float) @ WEIGHTS.astype(float)
HALF = WEIGHTS.astype(jnp.bfloat16).astype(float)


def scanned(weights, x):
    return jax.lax.scan(lambda carry, w: (jnp.sin(carry) * w, carry.sum()), x @ weights, jnp.ones(3))


def looped(weights, x):
    return jax.lax.while_loop(
        lambda state: state[0] < 3, lambda state: (state[0] + 1, jnp.sin(state[1])), (0, x @ weights)
    )


@jax.custom_vjp
def with_own_rule(x):
    return jnp.exp(x)


with_own_rule.defvjp(lambda x: (jnp.exp(x), x), lambda x, change: (change,))


def sines(times, x=PRODUCT):
    return functools.reduce(lambda value, _: np.sin(value), range(times), x)


FUNCTIONS = {
    "product": (lambda w, x: x @ w, [PRODUCT]),
    "sums that cancel": (lambda w, x: (x @ w + 1e5) - 1e5, [PRODUCT]),
    "inside jit": (jax.jit(lambda w, x: jax.nn.relu(x @ w + 1e4)), [PRODUCT + 1e4]),
    "bfloat16 inside": (lambda w, x: (x.astype(jnp.bfloat16) @ w).astype(jnp.float32), [PRODUCT]),
    "weights rounded before": (lambda w, x: x @ w.astype(jnp.bfloat16).astype(jnp.float32), [X.astype(float) @ HALF]),
    "reduced precision": (lambda w, x: jax.lax.reduce_precision(x @ w, 8, 7), [PRODUCT]),
    "scan": (scanned, [sines(3), np.stack([sines(times).sum() for times in range(3)])]),
    "while": (looped, [np.array(3), sines(3)]),
    "map": (lambda w, x: jax.lax.map(lambda row: row @ w, x), [PRODUCT]),
    "choice": (lambda w, x: jax.lax.cond(x[0, 0] > -9, lambda: x @ w, lambda: x @ w * 2), [PRODUCT]),
    "own derivative": (lambda w, x: with_own_rule(x @ w), [np.exp(PRODUCT)]),
    "update in place": (lambda w, x: jnp.zeros((4, 3)).at[:, 1].add((x @ w)[:, 1]), [PRODUCT * [0, 1, 0]]),
    "integers": (lambda w, x: (jnp.argmax(x @ w, axis=1), x @ w), [PRODUCT.argmax(1), PRODUCT]),
    "convolution": (
        lambda w, x: jax.lax.conv(x[:, None, None], w.T[:, None, None], (1, 1), "VALID")[:, :, 0, 0],
        [PRODUCT],
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_operation_on_the_inputs_is_in_double_precision(name):
    function, right = FUNCTIONS[name]
    found = in_double(function, WEIGHTS, X)
    assert found is not None
    for given, wanted in zip(found, right, strict=True):
        assert given.dtype == (np.float64 if wanted.dtype.kind == "f" else np.int32)
        np.testing.assert_allclose(given, wanted, rtol=1e-12, atol=1e-10)  # 1e5 that cancels


@pytest.mark.parametrize(
    "function",
    [
        lambda w, x: jax.pure_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x),
        lambda w, x: jax.lax.bitcast_convert_type(x, jnp.int32),
    ],
)
def test_what_has_no_form_in_double_precision_gives_none(function):
    assert in_double(function, WEIGHTS, X) is None


def test_jax_is_left_as_it_was():
    in_double(lambda w, x: x @ w, WEIGHTS, X)
    assert not jax.config.jax_enable_x64
    assert jnp.asarray(1.0).dtype == jnp.float32
