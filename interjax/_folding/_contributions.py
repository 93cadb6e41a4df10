"""First-layer folding: a network that starts with a linear map of its input is split there, so that masking costs adds.

W.(mask * x + (1 - mask) * baseline) = offset + mask @ D: the rows of D, one for each player, are computed once for
each input; a masked input then costs a few added rows instead of the network's first, often widest, layer.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from interjax._folding._tracing import Part, Split, product_work

READ_COSTS = {
    "cpu": {"float32": 32.0, "bfloat16": 32.0},
    "gpu": {"float32": 60.0, "bfloat16": 400.0},
    "tpu": {"float32": math.inf, "bfloat16": math.inf},
}
"""Operations of a matrix product that take as long as reading a float. CPU: measured. GPU: from an H200's data sheet,
67 and 495 TFLOP/s beside 4.8 TB/s. TPU: folding is not chosen, since gathers of long rows do not suit it: the compiler
of a v6e predicts less than a tenth of the unfolded rate for an MLP (benchmarks/ahead_of_time.py)."""


def read_cost(platform: str, precision: str | None) -> float:
    """Of `READ_COSTS`, for the default device's platform; a platform of another name counts as a GPU."""
    costs = READ_COSTS.get(platform, READ_COSTS["gpu"])
    return costs["bfloat16" if precision == "bfloat16" else "float32"]


def player_contributions(
    stem: Part,
    params: Any,
    x: Float[Array, "*shape"],
    baseline: Float[Array, "*shape"],
    spread: Callable[[Array], Array],
    n_players: int,
    *,
    chunk: int = 32,
) -> tuple[Float[Array, " *hidden"], Float[Array, " n *hidden"]]:
    """What each player of one input adds to the hidden layer, and the hidden layer without players.

    stem(where(spread(mask), x, baseline)) = offset + mask @ D,  D_i = A (x - baseline restricted to player i)

    Args:
        stem: a split's stem.
        params: the network's parameters.
        x: one input (*shape).
        baseline: the values of absent entries (*shape).
        spread: masks (B, n_players) bool -> (B, *shape) bool, which entries are present. Entries that are present
            without any player belong to the offset.
        n_players: number of players n.
        chunk: players that pass the stem together; smaller needs less memory.

    Returns:
        offset (*hidden) and D (n_players, *hidden).
    """
    always = spread(jnp.zeros((1, n_players), bool))
    difference = (x - baseline)[None]

    def contributions(members: Array) -> Array:
        own = jnp.where(spread(members) & ~always, difference, 0)
        # The derivative of an affine map is its linear part: no bias to cancel, so nothing is lost to rounding.
        return jax.jvp(lambda inputs: stem(params, inputs), (jnp.zeros_like(own),), (own,))[1]

    chunk = min(chunk, n_players)
    members = jnp.eye(-(-n_players // chunk) * chunk, n_players, dtype=bool).reshape(-1, chunk, n_players)
    with jax.default_matmul_precision("highest"):
        offset = stem(params, jnp.where(always, x[None], baseline[None]))[0]
        rows = jax.lax.map(contributions, members)
    return offset, rows.reshape(-1, *offset.shape)[:n_players]


def context_hidden(
    offset: Float[Array, " *hidden"], rows: Float[Array, " n *hidden"], contexts: Bool[Array, "contexts n"]
) -> Float[Array, " contexts *hidden"]:
    """Hidden layers of whole coalitions, H = offset + contexts @ D; computed once for each context.

    Args:
        offset: (*hidden), from `player_contributions`.
        rows: D (n, *hidden), from `player_contributions`.
        contexts: coalitions (C, n) bool.

    Returns:
        H (C, *hidden).
    """
    flat = rows.reshape(rows.shape[0], -1)
    # Accelerators would round float32 operands to TF32 or bfloat16, an error as large as many an interaction.
    summed = jnp.matmul(contexts.astype(flat.dtype), flat, precision=jax.lax.Precision.HIGHEST)
    return summed.reshape(-1, *offset.shape) + offset[None]


def context_table(
    offset: Float[Array, " *hidden"],
    rows: Float[Array, " n *hidden"],
    contexts: Bool[Array, "contexts n"],
    used: Int[Array, ""],
    *,
    length: int = 32,
) -> Float[Array, " contexts *hidden"]:
    """Hidden layers of the first `used` of the contexts, the others left unset: `context_hidden` in blocks.

    How many contexts a batch of rows needs varies; a table of one length serves them all with one compiled program,
    and costs what the used part of it costs.
    """
    blocks = -(-contexts.shape[0] // length)
    contexts = jnp.pad(contexts, ((0, blocks * length - contexts.shape[0]), (0, 0)))

    def fill(block: Array, table: Array) -> Array:
        part = jax.lax.dynamic_slice_in_dim(contexts, block * length, length)
        return jax.lax.dynamic_update_slice_in_dim(table, context_hidden(offset, rows, part), block * length, 0)

    table = jnp.zeros((blocks * length, *offset.shape), offset.dtype)
    return jax.lax.fori_loop(0, (used + length - 1) // length, fill, table)


def row_hidden(
    hidden: Float[Array, " contexts *hidden"],
    rows: Float[Array, " n *hidden"],
    contexts: Bool[Array, "contexts n"],
    context_index: Int[Array, " rows"],
    flips: Int[Array, "rows k"],
) -> Float[Array, " rows *hidden"]:
    """Hidden layers of coalitions that differ from a context in a few players: one added row of D for each of them.

    hidden_r = H_c + sum_k s_k D_{f_k},  s_k = +1 where f_k is absent from context c, -1 where present, 0 where f_k = -1

    Args:
        hidden: H (C, *hidden), from `context_hidden`.
        rows: D (n, *hidden), from `player_contributions`.
        contexts: the coalitions (C, n) bool that H belongs to; H may be longer.
        context_index: the context c of each row (R,) int.
        flips: players to add or remove (R, k) int, each at most once in a row; -1 = none.

    Returns:
        (R, *hidden).
    """
    present = contexts[context_index[:, None], flips]
    flat_rows = rows.reshape(rows.shape[0], -1)
    total = hidden.reshape(hidden.shape[0], -1)[context_index]
    for k in range(flips.shape[1]):
        row = flat_rows[flips[:, k]]
        # Flat rows and a select as the last operation keep the gathers in one loop of XLA:CPU. A sum of signed rows is
        # merged into the trunk instead, each gather written out first: 1.2 to 1.7 times slower before a convolution.
        changed = jnp.where(present[:, k, None], total - row, total + row)
        total = jnp.where(flips[:, k, None] < 0, total, changed)
    return total.reshape(-1, *hidden.shape[1:])


def saves_work(
    split: Split,
    params: Any,
    x_example: Any,
    n_players: int,
    *,
    rows_per_context: int = 64,
    flips: int = 2,
    read_cost: float = READ_COSTS["cpu"]["float32"],
    memory_limit: int = 2**30,
) -> bool:
    """Whether folding is worth it: what the stem computes for a row against what a row update reads.

    2 n F / rows_per_context + read_cost (1 + flips) F < products of the stem,  F = size of a hidden row

    The trunk is the same either way and cancels. A convolution of few channels runs at an eighth of a product's speed
    or less (measured with XLA on a CPU).

    Args:
        split: what `split_first_layer` returned.
        params: the network's parameters.
        x_example: a batch (1 or more, *shape), or its jax.ShapeDtypeStruct.
        n_players: number of players n.
        rows_per_context: rows that share a context; 1 if every coalition is multiplied out with `context_hidden`.
        flips: players that differ from the context in a row.
        read_cost: operations of a matrix product that take as long as reading a float, see `READ_COSTS`.
        memory_limit: largest size of D in bytes, n F times the size of a float.

    Returns:
        True if folding is expected to be faster and D fits.
    """
    x = jax.ShapeDtypeStruct((2, *x_example.shape[1:]), x_example.dtype)
    stem = jax.make_jaxpr(split.stem)(params, x)
    features = math.prod(split.hidden_shape)
    folded = 2 * n_players * features / rows_per_context + read_cost * (1 + flips) * features
    fits = n_players * features * stem.out_avals[0].dtype.itemsize <= memory_limit
    return fits and folded < sum(map(product_work, stem.jaxpr.eqns)) / x.shape[0]
