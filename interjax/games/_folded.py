"""What each player adds to the first layer of a masked network, computed once for an input and checked."""

import functools
import warnings
from typing import Any

import jax
import numpy as np

from interjax._engine._dispatch import Batch
from interjax._engine._memory import MemoryTooSmall, fit_rows
from interjax._engine._rows import Resources
from interjax.games._masked_networks import MaskedNetwork
from interjax.games._values import Valued, masks_program

# Folded values may differ from the network's own by this share of the largest, at each precision of the forward pass.
_FOLDING_TOLERANCE = {"float32": 1e-3, None: 1e-2, "bfloat16": 1e-1}
CHECKED_MASKS = 8
_PLAYERS_AT_ONCE = 32
_MASKS_A_PLAYER = 4  # so many pay for computing each player's contribution


def player_parts(game: Valued, *, memory: int | None = None) -> Any:
    """What each player adds to the first layer of a masked network, if its game is to be folded; else None."""
    if not isinstance(game.value, MaskedNetwork) or game.value.split is None:
        return None
    at_once = min(_PLAYERS_AT_ONCE, game.n_players)
    if memory is not None:
        try:
            at_once = fit_rows(lambda rows: _contributions.trace(game, at_once=rows), memory=memory, most=at_once)
        except MemoryTooSmall:
            return None
    batch = Batch(at_once)
    while True:
        assert batch.rows is not None
        rows = batch.rows
        try:
            return jax.block_until_ready(_contributions(game, at_once=rows))
        except jax.errors.JaxRuntimeError as error:
            batch.halve(rows, error)


def masks_to_check(n_players: int) -> np.ndarray:
    """Coalitions on which the folded form is compared with the network itself: bool (CHECKED_MASKS, n)."""
    return np.random.default_rng(0).random((CHECKED_MASKS, n_players)) < 0.5


def check_folded(game: Valued, masks: np.ndarray, folded: np.ndarray, *, memory: int | None = None) -> bool:
    """Compare folded values with the network's own on a few coalitions: whether the folded form may be used.

    Args:
        game: a game of a masked network.
        masks: bool (masks, n).
        folded: their values by the folded form (masks,).
        memory: bytes that a batch may take on one device.

    Raises:
        ValueError: if they differ and the split is the user's own.

    Warns:
        UserWarning: if they differ and the split was found here.
    """
    network: Any = game.value
    direct = _values_of(game, None, masks, memory)
    known = np.isfinite(direct)  # NaN from the network is reported where it is measured
    error = np.max(np.abs(folded - direct), where=known, initial=0.0)
    scale = np.max(np.abs(direct), where=known, initial=1.0)
    if error <= _FOLDING_TOLERANCE[network.precision] * scale:
        return True
    if network.split_is_given:
        raise ValueError(
            f"fold=(stem, trunk) gives other values than the network: they differ by up to {error:.3g} where values "
            f"reach {scale:.3g}; stem must be affine in the inputs, and trunk(params, stem(params, inputs)) the network"
        )
    warnings.warn("folding the network's first layer changes its values, so it is used unfolded", stacklevel=2)
    return False


def fold(game: Valued, *, masks: int, memory: int | None = None) -> Any:
    """What each player adds to the first layer, if the values of so many unrelated masks are to be computed from it."""
    network = game.value
    if not isinstance(network, MaskedNetwork) or not network.folds_masks or masks < _MASKS_A_PLAYER * game.n_players:
        return None
    parts = player_parts(game, memory=memory)
    if parts is None:
        return None
    some = masks_to_check(game.n_players)
    folded = _values_of(game, parts, some, memory)
    return parts if check_folded(game, some, folded, memory=memory) else None


def _values_of(game: Valued, parts: Any, masks: np.ndarray, memory: int | None = None) -> np.ndarray:
    """Values of a few coalitions, in one batch if it fits the memory."""
    resources = Resources(batch_size=len(masks), memory=memory)
    return masks_program(game, parts, resources).dispatch(
        len(masks), lambda start, stop, _: (None, masks[start:stop])
    )()


@functools.partial(jax.jit, static_argnames="at_once")
def _contributions(game: Valued, *, at_once: int) -> Any:
    network: Any = game.value
    return network.contributions(game.params, at_once)
