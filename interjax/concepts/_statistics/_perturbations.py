"""Perturbed copies of inputs, on which effects are measured anew: Gaussian noise and adversarial attacks."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from interjax._core._checks import check_count
from interjax._core._keys import check_key, example_keys
from interjax.evaluation._arguments import as_inputs, check_bounds, check_logits, class_indices, for_one_input, index_of
from interjax.evaluation._attacks import ascend_from_starts
from interjax.games._models import as_apply


def noisy_inputs(
    key: jax.Array, x: Any, *, scale: Any, draws: int, bounds: tuple[Any, Any] | None = None, index: Any = None
) -> jax.Array:
    """Copies of inputs with Gaussian noise.

        x' = clip(x + scale * e),  e ~ N(0, 1) in each entry

    Args:
        key: a `jax.random.key`. The noise of input b in draw d depends on the key, index[b] and d alone.
        x: inputs (inputs, *shape).
        scale: standard deviation of the noise in the units of x, a number or an array that broadcasts against one
            input; >= 0.
        draws: copies of each input.
        bounds: (lowest, highest) value that an entry may take, numbers or arrays like `scale`; None for no bounds.
        index: numbers of the inputs; 0, 1, ... by default.

    Returns:
        (draws, inputs, *shape), in the dtype of x if that is floating, else float32.

    Raises:
        ValueError: no key, no axis of inputs, a negative scale, or draws that are no positive integer.

    Example:
        >>> import numpy as np
        >>> noisy_inputs(jax.random.key(0), np.zeros((3, 5)), scale=0.1, draws=4).shape
        (4, 3, 5)
    """
    check_key(key, traced=True)
    x, draws = as_inputs(x), check_count("draws", draws)
    scale = for_one_input("scale", scale, x, at_least=0.0, about="the standard deviation of the noise")
    numbers = index_of(index, x)
    keys = [example_keys(jax.random.fold_in(key, draw), numbers) for draw in range(draws)]
    noise = jnp.stack([_noise(draw_keys, x.shape[1:], x.dtype) for draw_keys in keys])
    copies = x[None] + scale[(None, None)] * noise
    if bounds is None:
        return copies
    lowest, highest = check_bounds(bounds, x)
    return jnp.clip(copies, lowest[(None, None)], highest[(None, None)])


def attacked_inputs(
    key: jax.Array,
    model: Any,
    x: Any,
    labels: Any,
    *,
    strength: Any,
    draws: int,
    steps: int = 10,
    step_size: Any = None,
    bounds: tuple[Any, Any] | None = None,
    index: Any = None,
    batch_size: int = 500,
) -> jax.Array:
    """Copies of inputs attacked by projected gradient descent, each from its own random start; see `ij.evaluation.pgd`.

    Of a start only what it finds itself is kept, not the point of `ij.evaluation.fgsm`, which is the same for all.
    Where the network is close to linear within the ball all starts end in one corner: the copies agree, and what they
    change shows against the `clean` explanations only (see `inconsistency`).

    Args:
        key: a `jax.random.key`. The start of input b in draw d depends on the key, index[b] and d alone.
        model: the network, as for `ij.masked_games`.
        x: inputs (inputs, *shape).
        labels: their class indices (inputs,), whose loss the attack raises.
        strength: largest change of an entry in the units of x, a number or an array of one input's shape, positive.
        draws: copies of each input.
        steps: gradient steps of an attack.
        step_size: of one step, in the units of x; 2.5 strength / steps by default.
        bounds: (lowest, highest) value that an entry may take; None for no bounds.
        index: numbers of the inputs; 0, 1, ... by default.
        batch_size: inputs attacked at once.

    Returns:
        (draws, inputs, *shape).

    Raises:
        ValueError: no key, labels that do not match, a strength that is not positive, or draws, steps or batch_size
            that are no positive integers.

    Example:
        >>> weights = jnp.array([[1.0, 0.0], [-2.0, 0.0]])
        >>> x = jnp.array([[0.5, 0.5]])
        >>> attacked_inputs(jax.random.key(0), lambda x: x @ weights, x, [0], strength=0.25, draws=2).tolist()
        [[[0.25, 0.75]], [[0.25, 0.75]]]

    References:
        Madry et al., ICLR 2018, arXiv:1706.06083.
    """
    check_key(key, traced=True)
    x = as_inputs(x)
    labels = class_indices("labels", labels, x)
    draws, batch_size = check_count("draws", draws), check_count("batch_size", batch_size)
    (apply, params), numbers = as_apply(model, x), index_of(index, x)
    check_logits("model", apply, params, x, ("labels", labels))
    how = {"steps": steps, "step_size": step_size, "restarts": 1, "bounds": bounds, "beside_fgsm": False}
    attack = functools.partial(ascend_from_starts, strength=strength, **how)
    parts = [slice(start, start + batch_size) for start in range(0, len(x), batch_size)]
    copies = []
    for draw in range(draws):
        start_key = jax.random.fold_in(key, draw)
        attacked = [attack(start_key, apply, params, x[rows], labels[rows], index=numbers[rows]) for rows in parts]
        copies.append(jnp.concatenate(attacked))
    return jnp.stack(copies)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _noise(keys: jax.Array, shape: tuple[int, ...], dtype: Any) -> jax.Array:
    """Standard normal numbers (inputs, *shape), from a key for each input."""
    return jax.vmap(lambda key: jax.random.normal(key, shape, dtype))(keys)
