"""What the values of games depend on, in words and digests that a folder keeps: the same for equal games alone."""

import functools
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive

from interjax._engine._dispatch import shapes_of
from interjax._engine._folders import fingerprint
from interjax.games._apply import Apply, flat_rows, row_of
from interjax.games._batches import at_rows
from interjax.games._closures import Closure, signature, trace_of
from interjax.games._game import Game
from interjax.games._masked_networks import MaskedGame, MaskedNetwork

_MASKS = 6  # on which a function that cannot be compared by its trace is compared by its values
_DIGITS = 5  # to which these agree on different machines
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def identity(games: Sequence[Game]) -> dict[str, Any]:
    """What distinguishes these games from others: for masked networks by its parts, so that a difference has a name.

    A function is told by its trace, which holds all that it computes; one that cannot be traced, or that calls the
    host, by its values on a few coalitions.
    """
    if all(isinstance(game.value, MaskedNetwork) and isinstance(game.params, MaskedGame) for game in games):
        return _of_masked_networks(games)
    kinds = _distinct(games, lambda game: (game.value, game.n_players, shapes_of(game.params)))
    found = {"games": fingerprint(games)}
    values = [game for game in games if game.on_host]
    if len(values) < len(games):
        traced = [game for game in kinds if not game.on_host]
        texts = [computation(game.value, game.params, _masks(game)) for game in traced]
        found["function"] = _digest(texts)
        values += [game for game, text in zip(traced, texts, strict=True) if "callback" in text]
    if values:
        found["values"] = _digest([_rounded(game(_masks(game))) for game in values])
    return found


def inputs_of(games: Sequence[Game]) -> np.ndarray | None:
    """A digest of each game's input, uint32 (games, 2), whatever its network; None if not all are of masked inputs."""
    if not all(isinstance(game.params, MaskedGame) for game in games):
        return None
    return np.stack([digest_of(game.params.x) for game in games])


def digest_of(array: Any) -> np.ndarray:
    """A digest of an array that is an array, as results keep it: uint32 (2,)."""
    text = fingerprint(array)
    return np.array([int(text[:8], 16), int(text[8:16], 16)], np.uint32)


def of_network(apply: Apply, params: Any, inputs: Any) -> dict[str, Any]:
    """What distinguishes a network from others: its trace and its weights, and some values where it calls the host."""
    few = jax.tree.map(np.asarray, at_rows(inputs, slice(_MASKS)))
    text = computation(apply, params, few)
    found = {"computes": _digest([text]), "weights": fingerprint(params)}
    if "callback" in text:
        found["values"] = _digest(_rounded(np.ravel(flat_rows(apply(params, jax.tree.map(jnp.asarray, few))))))
    return found


def _of_masked_networks(games: Sequence[Game]) -> dict[str, Any]:
    params: list[MaskedGame] = [game.params for game in games]
    traces = {_network_of(game): _trace_of_network(*_network_of(game)) for game in _distinct(games, _network_of)}
    texts = [text for text, _ in traces.values()]
    outputs = _distinct(games, lambda game: shapes_of(game.params.output))
    found = {
        "network": _digest(texts),
        "weights": fingerprint([part.weights for part in params]),
        "inputs": fingerprint([part.x for part in params]),
        "players": _digest([game.value.players.digest for game in games]),
        "baseline": _of_baselines([part.baseline for part in params]),
        "output": _digest(
            [_output_text(game, traces[_network_of(game)][1]) for game in outputs]
            + [fingerprint([part.output for part in params])]
        ),
        "precision": games[0].value.precision,
    }
    if any("callback" in text for text in texts):
        found["values"] = _digest([_rounded(game(_masks(game))) for game in games])
    return found


def _of_baselines(baselines: list[Any]) -> str:
    """A digest of their arrays, and of what functions among them compute."""
    programs = [_text(each.program.signature) for each in baselines if isinstance(each, Closure)]
    found = fingerprint(baselines)
    return _digest([found, *sorted(set(programs))]) if programs else found


def _network_of(game: Game) -> tuple:
    """The network of a masked game but for its arrays."""
    x, absent = game.params.x, game.params.baseline
    if isinstance(absent, Closure):
        x = jax.eval_shape(absent, x, jax.ShapeDtypeStruct((game.n_players,), bool))
    return game.value.apply, shapes_of((game.params.weights, x))


@functools.lru_cache(maxsize=64)
def _trace_of_network(apply: Apply, shapes: tuple[Any, tuple]) -> tuple[str, Any]:
    """What a network computes, as a text, and what it gives for two inputs; traced once, as its compiled code is."""
    structure, leaves = shapes
    weights, x = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(shape, kind) for shape, kind in leaves])
    batch = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((2, *leaf.shape), leaf.dtype), x)
    return _text(signature(trace_of(apply, weights, batch))), jax.eval_shape(apply, weights, batch)


def _output_text(game: Game, batch: Any) -> str:
    return computation(lambda output, row: output(row), game.params.output, row_of(batch))


def computation(function: Callable, *arguments: Any) -> str:
    """What a function of such arguments computes, as a text: equal for equal traces."""
    return _text(signature(trace_of(function, *arguments)))


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({','.join(map(_text, value))})"
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, Primitive):
        return value.name
    if isinstance(value, type) or callable(value):
        return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return _ADDRESS.sub("", repr(value))


def _masks(game: Game) -> np.ndarray:
    n = game.n_players
    return np.concatenate([np.ones((1, n), bool), np.zeros((1, n), bool), _random_masks(n)])


def _random_masks(n_players: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2, (_MASKS - 2, n_players)).astype(bool)


def _rounded(values: Any) -> list[str]:
    """The first value and the differences from it, which show what a game adds to a large offset."""
    values = np.asarray(values, np.float64)
    rest = values[1:] - values[:1]
    steps = np.abs(rest).max(initial=0.0, where=np.isfinite(rest)) / 10**_DIGITS or 1.0
    return [f"{values[0]:.{_DIGITS - 1}e}", f"{steps:.1e}", *(f"{value / steps:.0f}" for value in rest)]


def _digest(parts: Iterable[Any]) -> str:
    return hashlib.sha256(repr(list(parts)).encode()).hexdigest()


def _distinct(games: Sequence[Game], kind: Callable[[Game], Any]) -> list[Game]:
    """The first game of each kind."""
    return list({kind(game): game for game in reversed(games)}.values())[::-1]
