"""Peers for concepts: transforms by matrices and by NumPy, and sparse AND-OR explanations by SGD and by HiGHS."""

import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy import optimize, sparse


def and_matrix_row_by_row(n_players: int) -> torch.Tensor:
    """The matrix of AND effects, (2**n, 2**n) float32, made as the released code makes it: a row for each coalition."""
    masks = torch.as_tensor(masks_of(n_players))
    sizes = masks.sum(dim=1)
    rows = []
    for mask in masks:
        inside = torch.all(mask | ~masks, dim=1).nonzero()[:, 0]
        row = torch.zeros(len(masks))
        row[inside] = torch.pow(-1.0, mask.sum() - sizes[inside])
        rows.append(row)
    return torch.stack(rows)


def masks_of(n_players: int) -> np.ndarray:
    """All coalitions in the order of a table: bool (2**n, n)."""
    return (np.arange(1 << n_players)[:, None] >> np.arange(n_players) & 1).astype(bool)


def and_matrix(n_players: int) -> sparse.csr_array:
    """The matrix of AND effects, sparse (2**n, 2**n): 3**n entries +-1."""
    matrix = sparse.csr_array(np.ones((1, 1)))
    for _ in range(n_players):
        matrix = sparse.kron(np.array([[1.0, 0.0], [-1.0, 1.0]]), matrix, format="csr")
    return sparse.csr_array(matrix)


def or_matrix(n_players: int) -> sparse.csr_array:
    """The matrix of OR effects: minus that of AND effects on complements, v(empty) in the first row."""
    first = sparse.csr_array(([1.0], ([0], [0])), shape=(1, 1 << n_players))
    return sparse.csr_array(sparse.vstack([first, -and_matrix(n_players)[1:, ::-1]]))


def plain_butterfly(table: np.ndarray) -> np.ndarray:
    """AND effects (..., 2**n) by NumPy: one step in place for each player on the whole table."""
    effects = table.copy()
    for player in range(table.shape[-1].bit_length() - 1):
        pairs = effects.reshape(-1, 2, 1 << player)
        pairs[:, 1] -= pairs[:, 0]
    return effects


def chunked_butterfly(table: np.ndarray, chunk_players: int = 15) -> np.ndarray:
    """The same, the low players on chunks that stay within the cache."""
    effects = table.copy()
    n_players = table.shape[-1].bit_length() - 1
    low = min(n_players, chunk_players)
    for chunk in effects.reshape(-1, 1 << low):
        for player in range(low):
            pairs = chunk.reshape(-1, 2, 1 << player)
            pairs[:, 1] -= pairs[:, 0]
    for player in range(low, n_players):
        pairs = effects.reshape(-1, 2, 1 << player)
        pairs[:, 1] -= pairs[:, 0]
    return effects


@dataclasses.dataclass(frozen=True)
class Descent:
    """The loss at the start of every step of a descent, and the seconds until it was known."""

    losses: np.ndarray
    seconds: np.ndarray

    def seconds_to(self, loss: float) -> float | None:
        """Seconds until the loss was first at most this; None if it never was."""
        reached = np.flatnonzero(self.losses <= loss)
        return float(self.seconds[reached[0]]) if len(reached) else None


def sgd(
    values: np.ndarray,
    bound: float,
    matrices: Sequence[torch.Tensor],
    *,
    rate: float,
    steps: int,
    limit: float = math.inf,
    clock: Callable[[], float] = time.perf_counter,
) -> Descent:
    """The released code's sparse AND-OR explanation of one game: SGD on the split p and on the noise q, float32.

    AND effects of (v + q) / 2 + p and OR effects of (v + q) / 2 - p, by dense matrices; the loss is the sum of their
    magnitudes. Momentum .9; the learning rate falls geometrically to a tenth; q is clipped before each step.

    Args:
        values: v(S) - v(empty), (2**n,).
        bound: largest |q(S)|.
        matrices: dense, of AND and of OR effects, (2**n, 2**n).
        rate: first learning rate.
        steps: gradient steps.
        limit: seconds after which it is stopped.
        clock: what times it.
    """
    game = torch.as_tensor(values, dtype=torch.float32)
    most = torch.tensor(bound, dtype=torch.float32)
    split = torch.zeros_like(game, requires_grad=True)
    noise = torch.zeros_like(game, requires_grad=True)
    optimizer = torch.optim.SGD([split, noise], lr=rate, momentum=0.9)
    rates = np.geomspace(rate, rate / 10, steps)
    losses: list[float] = []
    seconds: list[float] = []
    start = clock()
    for step_rate in rates:
        noise.data = torch.max(torch.min(noise.data, most), -most)
        shared = 0.5 * (game + noise)
        loss = (matrices[0] @ (shared + split)).abs().sum() + (matrices[1] @ (shared - split)).abs().sum()
        losses.append(loss.item())
        seconds.append(clock() - start)
        if seconds[-1] > limit:
            break
        optimizer.param_groups[0]["lr"] = step_rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return Descent(np.array(losses), np.array(seconds))


def optimum_by_highs(values: np.ndarray, bound: float, limit: float) -> tuple[float | None, str]:
    """The least sum of |AND effects| and |OR effects| by HiGHS, and its message; None if it stopped before.

    Unknowns: the AND part of the game, free; the noise q within the bound; positive and negative parts of all effects.
    """
    length = len(values)
    n_players = length.bit_length() - 1
    and_effects, or_effects = and_matrix(n_players), or_matrix(n_players)
    one = sparse.eye_array(length)
    constraints = sparse.block_array(
        [[and_effects, None, -one, one, None, None], [-or_effects, or_effects, None, None, -one, one]], format="csr"
    )
    found = optimize.linprog(
        np.repeat([0.0, 0.0, 1.0, 1.0, 1.0, 1.0], length),
        A_eq=constraints,
        b_eq=np.concatenate([np.zeros(length), -(or_effects @ values)]),
        bounds=list(itertools.chain([(None, None)] * length, [(-bound, bound)] * length, [(0, None)] * 4 * length)),
        method="highs",
        options={"time_limit": limit},
    )
    return (float(found.fun) if found.status == 0 else None), found.message
