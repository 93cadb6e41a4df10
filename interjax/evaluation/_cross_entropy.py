"""Cross entropy that stays finite where logits are, compiled into one program with the network that gives them.

XLA may compute a logit again for each use, rounded otherwise: the difference of the largest logit of 1e9 from itself is
then not 0 but some ulps of 64, of either sign, and its exponential infinite. Here no difference exceeds 0, and the sum
of exponentials is at least that of the largest, 1.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def cross_entropy(logits: Float[Array, "batch classes"], y: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """-log softmax(z)_y = log(1 + p(not y) / p(y)) of each example, in nats, in single precision at least."""
    return jax.nn.softplus(log_odds_against(logits, y))


def log_odds_against(logits: Float[Array, "batch classes"], y: Int[Array, " batch"]) -> Float[Array, " batch"]:
    """log p(not y) / p(y) = logsumexp over k != y of z_k - z_y; infinite where a class has probability 0."""
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    is_label = jnp.arange(logits.shape[-1])[None] == y[:, None]
    own = jnp.where(is_label, logits, 0.0).sum(axis=-1, keepdims=True)
    ahead = jnp.where(is_label, -jnp.inf, logits - own)
    most = ahead.max(axis=-1)
    least = jnp.where(jnp.isfinite(most), most, 0.0)[:, None]
    total = jnp.exp(jnp.minimum(ahead - least, 0.0)).sum(axis=-1)
    return most + jnp.log(jnp.maximum(total, 1.0))
