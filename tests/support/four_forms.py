"""One network in the four forms that interjax takes, with the same weights and, where it can be, dropout and BatchNorm.

The modules take `train` in their call, True by default: a function that forgets to set it finds other values.
"""

import flax.linen as linen
import jax.numpy as jnp
import numpy as np
from flax import nnx

FORMS = ("nnx", "linen", "function with params", "callable")
N_INPUTS, N_HIDDEN, N_CLASSES = 6, 8, 3
MEAN, VARIANCE = np.linspace(-0.3, 0.3, N_HIDDEN), np.linspace(0.5, 1.5, N_HIDDEN)


class OfNNX(nnx.Module):
    def __init__(self, rngs):
        self.first = nnx.Linear(N_INPUTS, N_HIDDEN, rngs=rngs)
        self.norm = nnx.BatchNorm(N_HIDDEN, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.last = nnx.Linear(N_HIDDEN, N_CLASSES, rngs=rngs)

    def __call__(self, x, train=True):
        x = nnx.relu(self.norm(self.first(x), use_running_average=not train))
        return self.last(self.dropout(x, deterministic=not train))


class OfLinen(linen.Module):
    @linen.compact
    def __call__(self, x, train=True):
        x = linen.BatchNorm(use_running_average=not train, name="norm")(linen.Dense(N_HIDDEN, name="first")(x))
        return linen.Dense(N_CLASSES, name="last")(linen.Dropout(0.5, deterministic=not train)(linen.relu(x)))


def of_params(params, x):
    first, norm, last = params["first"], params["norm"], params["last"]
    x = (x @ first["kernel"] + first["bias"][None] - MEAN[None]) / np.sqrt(VARIANCE + 1e-5)[None]
    x = jnp.maximum(x * norm["scale"][None] + norm["bias"][None], 0)
    return x @ last["kernel"] + last["bias"][None]


def four_forms(seed=0):
    """Form -> network; weights that tell the classes apart, but by far not always."""
    module = OfNNX(nnx.Rngs(seed))
    module.norm.mean[...], module.norm.var[...] = jnp.asarray(MEAN), jnp.asarray(VARIANCE)
    module.last.kernel[...] = 3 * module.last.kernel[...]
    dense = {name: getattr(module, name) for name in ("first", "last")}
    params = {name: {"kernel": each.kernel[...], "bias": each.bias[...]} for name, each in dense.items()}
    params["norm"] = {"scale": module.norm.scale[...], "bias": module.norm.bias[...]}
    variables = {"params": params, "batch_stats": {"norm": {"mean": jnp.asarray(MEAN), "var": jnp.asarray(VARIANCE)}}}
    networks = (module, (OfLinen(), variables), (of_params, params), lambda x: of_params(params, x))
    return dict(zip(FORMS, networks, strict=True))
