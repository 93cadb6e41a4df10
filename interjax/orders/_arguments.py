"""The arguments that functions of orders share: orders, coalitions, contexts."""

from typing import Any

import numpy as np

from interjax._core._checks import as_array, check_count, check_known
from interjax.games._coalitions import all_of_size

OFFICIAL_RATIOS = (0.0, 0.05, *(tenth / 10 for tenth in range(1, 10)), 0.95, 1.0)


def as_orders(orders: Any, n_players: int, size: int) -> np.ndarray:
    """Context sizes from integers, from ratios of the largest order (floats), or the default ones."""
    largest = n_players - size
    if largest < 0:
        raise ValueError(f"expected a game of at least {size} players for coalitions of {size}, got {n_players}")
    if orders is None:
        orders = np.arange(largest + 1) if n_players <= 16 else np.array(OFFICIAL_RATIOS)
    check_known("orders", orders)
    wanted = f"a non-empty list of integers 0..{largest} or ratios in [0, 1]"
    if isinstance(orders, list | tuple) and {int, float} <= set(map(type, orders)):
        raise ValueError(f"orders must be all integers or all ratios (0.0, 0.5, 1.0), got both: {orders!r}")
    orders = np.asarray(as_array("orders", orders, wanted))
    if orders.ndim != 1 or orders.size == 0 or orders.dtype.kind not in "iuf":
        raise ValueError(f"orders must be {wanted}, got {orders!r}")
    if orders.dtype.kind == "f":
        if not np.all((orders >= 0) & (orders <= 1)):
            raise ValueError(
                f"orders must be ratios of the largest order, in [0, 1], where they are floats; got {orders.tolist()}"
            )
        orders = np.unique((largest * orders + 1e-9).astype(int))
    if orders.min() < 0 or orders.max() > largest:
        raise ValueError(
            f"orders must be context sizes 0..{largest} ({n_players} players less the {size} measured), "
            f"got {orders.tolist()}"
        )
    if len(np.unique(orders)) != len(orders):
        raise ValueError(f"orders must be distinct, got {orders.tolist()}")
    return orders.astype(np.int64)


def as_coalitions(pairs: Any, n_players: int, size: int = 2) -> np.ndarray:
    """Measured coalitions, each sorted: int32 (coalitions, k)."""
    if isinstance(pairs, str):
        if pairs != "all":
            raise ValueError(f'pairs must be "all" or integers of shape (coalitions, 1, 2 or 3), got {pairs!r}')
        if check_count("size", size, most=3, about="players of a coalition") > n_players:
            raise ValueError(f"size must be 1, 2 or 3 and at most the {n_players} players, got {size!r}")
        return all_of_size(n_players, int(size))
    check_known("pairs", pairs)
    coalitions = np.asarray(as_array("pairs", pairs, "integers of shape (coalitions, k), k = 1, 2 or 3"))
    if (
        coalitions.ndim != 2
        or not 1 <= coalitions.shape[1] <= 3
        or not len(coalitions)
        or coalitions.dtype.kind not in "iu"
    ):
        raise ValueError(
            f"pairs must be integers of shape (coalitions, k), k = 1, 2 or 3, got {coalitions.dtype} of shape "
            f"{coalitions.shape}"
        )
    coalitions = np.sort(coalitions, axis=1)
    if coalitions.min() < 0 or coalitions.max() >= n_players:
        raise ValueError(
            f"pairs must hold player numbers 0..{n_players - 1}, got {coalitions.min()}..{coalitions.max()}"
        )
    if np.any(coalitions[:, 1:] == coalitions[:, :-1]):
        wrong = coalitions[np.any(coalitions[:, 1:] == coalitions[:, :-1], axis=1)][0]
        raise ValueError(f"pairs must hold distinct players in each coalition (i != j), got {tuple(wrong.tolist())}")
    if len(np.unique(coalitions, axis=0)) != len(coalitions):
        raise ValueError("pairs must be distinct; (i, j) and (j, i) are the same pair")
    return coalitions.astype(np.int32)
