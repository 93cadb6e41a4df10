"""Values of a plan's rows: masks are made on the device from contexts and flips, chunk by chunk, without waiting."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from interjax._games import Game


def dispatch_rows(
    game: Game, parts: Any, contexts: np.ndarray, context_index: np.ndarray, flips: np.ndarray, *, rows: int
) -> Callable[[], np.ndarray]:
    """Start evaluating rows (a context with some players flipped); the returned function waits for the values.

    Args:
        game: the game to evaluate.
        parts: what `fold` gave for it.
        contexts: bool (contexts, n).
        context_index: int32 (total,), ascending.
        flips: int32 (total, k), -1 = none.
        rows: rows of a chunk.
    """
    table_rows = _table_rows(rows, flips.shape[1], len(contexts) / max(len(context_index), 1), parts)
    pieces = []
    start, total = 0, len(context_index)
    while start < total:
        first = int(context_index[start])
        stop = min(start + rows, int(np.searchsorted(context_index, first + table_rows)), total)
        if game.on_host:
            masks = _flipped(np, contexts, context_index[start:stop], flips[start:stop])
            pieces.append((game.value(game.params, masks), stop - start))
        else:
            table = np.zeros((table_rows, contexts.shape[1]), bool)
            used = contexts[first : first + table_rows]
            table[: len(used)] = used
            index = np.zeros(rows, np.int32)
            index[: stop - start] = context_index[start:stop] - first
            flipped = np.full((rows, flips.shape[1]), -1, np.int32)
            flipped[: stop - start] = flips[start:stop]
            pieces.append((_row_values(game, parts, table, index, flipped), stop - start))
        start = stop

    def collect() -> np.ndarray:
        return np.concatenate([np.asarray(values, np.float64)[:used] for values, used in pieces])

    return collect


def _table_rows(rows: int, size: int, contexts_per_row: float, parts: Any) -> int:
    """Contexts that one chunk may use; a chunk ends early rather than use more.

    Folding pays for every context of the table, so there are three lengths to choose from; each is compiled once.
    """
    shares = [1 / 2**size] if parts is None else [1 / 32, 1 / 8, 1 / 2**size]
    share = next((one for one in shares if 1.3 * contexts_per_row < one), shares[-1])
    return int(rows * share) + 2


@jax.jit
def _row_values(game: Game, parts: Any, contexts: Array, context_index: Array, flips: Array) -> Array:
    if parts is None:
        return game.value(game.params, _flipped(jnp, contexts, context_index, flips))
    return game.value.values_of_flips(game.params, parts, contexts, context_index, flips)  # type: ignore[attr-defined]


def _flipped(numpy: Any, contexts: Any, context_index: Any, flips: Any) -> Any:
    """Masks of rows: each row's context with its players flipped."""
    masks = contexts[context_index]
    players = numpy.arange(contexts.shape[1])[None, :]
    for place in range(flips.shape[1]):
        masks = masks ^ (players == flips[:, place][:, None])
    return masks
