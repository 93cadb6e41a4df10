"""Game-theoretic indices of a game: Shapley and Banzhaf values, interaction indices, generalised values, least core.

Precision: tables in NumPy or lists, and games, are computed in float64 and give NumPy float64, whatever the global JAX
settings are. A table that is a `jax.Array` gives a `jax.Array` of its dtype, or of JAX's default float for integers,
rounded once; a traced one is computed in that dtype throughout.
"""

import functools
import math
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from interjax._core._checks import check_choice, check_count
from interjax._core._names import fill_names, names_field, table_of_coalitions
from interjax._core._results import Saved, result, static_field
from interjax.games._game import Game
from interjax.games._tabulate import tabulate
from interjax.tables._context_sums import check_size, coalitions_of_size, context_sums
from interjax.tables._index_weights import GENERALISED_VALUES, INTERACTION_INDICES, context_weights
from interjax.tables._least_core import egalitarian_least_core, joint_least_core
from interjax.tables._transforms import like, moebius, n_players_of, or_interactions, real_table

LEAST_CORES = {"ELC": egalitarian_least_core, "ELC-joint": joint_least_core}
INDEX_NAMES = (*INTERACTION_INDICES, *GENERALISED_VALUES, "JointSV", *LEAST_CORES)
_OF_SINGLE_PLAYERS = ("SV", "BV", *LEAST_CORES)
_OF_EVERY_SIZE = ("Moebius", "Co-Moebius")
OWN_EMPTY_VALUE = ("SII", "BII", "BV", "FBII")  # elsewhere the empty coalition's entry is v(0) by convention


@result
class Interactions(Saved):
    """Values of one index for every coalition of up to `size` players: a mapping {(0, 3): value} that is also a pytree.

    A key is any order or set of the players: `interactions[3, 0]` and `interactions[{0, 3}]` are one value; () is the
    empty coalition. `values` is the array of all values (not a method as in dict), `coalitions` its rows.

    Attributes:
        coalitions: bool (k, n), True = in the coalition; by size, then lexicographic.
        values: (k,), in the units of the game.
        baseline_value: the game's value v(0), for FBII the constant of its fit, for both ELC 0.
        name, size, n_players: the index, its largest coalition, the number of players.
        player_names: a name for each player: the game's, "player 3" for those of a table.
    """

    coalitions: Any
    values: Any
    baseline_value: Any
    name: str = static_field()
    size: int = static_field()
    n_players: int = static_field()
    player_names: tuple[str, ...] = names_field(default=())

    def __post_init__(self) -> None:
        fill_names(self, self.n_players)

    @functools.cached_property
    def _rows(self) -> dict[tuple[int, ...], int]:
        row_of_players = np.nonzero(np.asarray(self.coalitions))
        starts = np.searchsorted(row_of_players[0], np.arange(1, len(self.coalitions)))
        return {tuple(map(int, players)): row for row, players in enumerate(np.split(row_of_players[1], starts))}

    def __getitem__(self, players: Iterable[int]) -> Any:
        return self.values[self._rows[tuple(sorted(players))]]

    def __contains__(self, players: object) -> bool:
        try:
            return tuple(sorted(players)) in self._rows  # type: ignore[arg-type]
        except TypeError:  # no collection of players
            return False

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"Interactions({self.name!r}, size={self.size}, n_players={self.n_players}, {len(self)} values)"

    def keys(self) -> list[tuple[int, ...]]:
        """The coalitions as sorted tuples of players."""
        return list(self._rows)

    def items(self) -> list[tuple[tuple[int, ...], Any]]:
        """Pairs of a coalition and its value."""
        return list(zip(self._rows, self.values, strict=True))

    def get(self, players: Iterable[int], default: Any = None) -> Any:
        """The value of a coalition, or `default` if it is not among them."""
        row = self._rows.get(tuple(sorted(players)))
        return default if row is None else self.values[row]

    def to_dict(self) -> dict[tuple[int, ...], float]:
        """A plain dict {players: float}."""
        return {players: float(value) for players, value in self.items()}

    def table(self, count: int = 20) -> str:
        """The largest values by magnitude with the players' names, a line each, in plain aligned text.

        Args:
            count: values at most. That of the empty coalition is left out.

        Raises:
            ValueError: for values of several games, as `jax.vmap` gives them.

        Example:
            >>> import interjax as ij
            >>> game = ij.Game.from_table([0, 1, 2, 5], player_names=["age", "sex"])
            >>> print(ij.interaction_index(game, "SII").table())
                 SII  players
                   3  sex
                   2  age
                   2  age & sex
        """
        count = check_count("count", count)
        values = np.asarray(self.values, np.float64)
        if values.ndim != 1:
            raise ValueError(f"a table shows the values of one game, these are of shape {values.shape}: take one")
        found = [(coalition, values[row]) for coalition, row in self._rows.items() if coalition]
        found.sort(key=lambda each: -np.nan_to_num(abs(each[1]), nan=-1.0))
        shown = [((f"{value:.4g}",), coalition) for coalition, value in found[:count]]
        return table_of_coalitions((self.name,), shown, self.player_names, len(found))


def interaction_index(game_or_table: Any, name: str, size: int | None = None) -> Interactions:
    """A game-theoretic index of every coalition of up to `size` players, exact, from all 2**n values.

    Every one is a sum over contexts S outside T with weights that depend on sizes only, d_T v(S) = sum over L in T of
    (-1)^(|T|-|L|) v(S + L), or in Harsanyi dividends a, I(T) = sum over S containing T of c(|T|, |S|) a(S):

        SV, SII     Shapley value, Shapley interaction: c = 1 / (s-t+1)
        BV, BII     Banzhaf value, Banzhaf interaction: c = 2^-(s-t)
        CHII        chaining interaction: c = t/s
        k-SII       n-Shapley values: SII made to sum to v(N) - v(0) by Bernoulli numbers
        STII        Shapley-Taylor: dividends below `size`, the rest shared by coalitions of that size
        FSII, FBII  faithful Shapley and Banzhaf interactions: best polynomial of degree `size`
        kADD-SHAP   Shapley interactions of the best k-additive game, k = size
        Moebius     a(T);   Co-Moebius: d_T v(N minus T)
        SGV, BGV, CHGV, EGV, IGV   generalised values: means of v(S + T) - v(S) with weights of Shapley, Banzhaf,
                    chaining, S = all others, S = none
        JointSV     joint Shapley values: of chains in which up to `size` players arrive at once
        ELC         egalitarian least core: of the payoffs x with x(N) = v(N) - v(0) that need the least subsidy e >= 0
                    for x(S) + e to reach v(S) - v(0) for every S, those of least |x|_2
        ELC-joint   x and e under the same conditions that minimise |x|_2 + e at once, which leaves the least core where
                    a larger subsidy makes payoffs more equal

    The empty coalition's entry is the index itself for SII, BII, BV and FBII, v(0) for the others; ELC and ELC-joint
    have none.

    Args:
        game_or_table: 2**n real values, bit i of the index = player i, or a game (`n_players` and a call on bool masks
            (batch, n)), which is evaluated on all 2**n coalitions. n from 1 to 26.
        name: one of the names above.
        size: largest coalition, 1..n; 2 unless given, for Moebius and Co-Moebius n, for SV, BV and both ELC always 1.
            FSII, FBII, k-SII, STII, kADD-SHAP and JointSV change at every size when it grows; others only gain entries.

    Returns:
        Interactions. NaN in the table spreads to every value that depends on it.

    Raises:
        ValueError: unknown name; a size out of range or without meaning for the index; a table whose length is no power
            of two or whose values are not real; more than 26 players; ELC of a traced array.

    Example:
        >>> import interjax as ij
        >>> shapley = ij.interaction_index([0, 1, 2, 5], "SII", size=2)
        >>> shapley[0, 1], shapley[{0}]
        (np.float64(2.0), np.float64(2.0))

    References:
        Grabisch and Roubens 1999 (SII, BII); Marichal and Roubens 1999 (CHII); Marichal, Kojadinovic and Fujimoto 2007
        (generalised values); Sundararajan et al. 2020 (STII); Bordt and von Luxburg 2023 (k-SII); Tsai et al. 2023
        (FSII, FBII); Pelegrina et al. 2023 (kADD-SHAP); Harris et al. 2022 (JointSV); Yan and Procaccia
        2021 (ELC); the joint form is that of shapiq.
    """
    check_choice("name", name, INDEX_NAMES)
    table = as_table(game_or_table)
    n_players = n_players_of(table)
    names = game_or_table.player_names if isinstance(game_or_table, Game) else ()
    size = size_of(name, size, n_players)
    coalitions = _masks_up_to(n_players, size)
    if name in LEAST_CORES:
        payoffs = like(game_or_table, _least_core(table, name))
        return Interactions(coalitions[1:], payoffs, 0 * payoffs[0], name, size, n_players, names)
    if isinstance(table, Tracer):
        values = _values_jax(table, name, size)
    else:
        values = like(game_or_table, _values(np.asarray(table, np.float64), name, size))
    baseline_value = values[0] if name == "FBII" else like(game_or_table, table[0])
    return Interactions(coalitions, values, baseline_value, name, size, n_players, names)


def as_table(game_or_table: Any) -> Any:
    """One game's table of 2**n values, floating: a table as it comes, a game evaluated on all of its coalitions."""
    if isinstance(game_or_table, Game):
        check_size(game_or_table.n_players, 1)
        return real_table(tabulate(game_or_table))
    table = real_table(game_or_table, "game_or_table")
    if np.ndim(table) != 1 or np.size(table) < 2:
        raise ValueError(
            f"game_or_table must be a game, or the table of one game of at least one player, shape (2**n,); got shape "
            f"{np.shape(table)}: for several games use jax.vmap on a jax.Array, or a loop"
        )
    check_size(n_players_of(table, "game_or_table"), 1)
    return table


def size_of(name: str, size: int | None, n_players: int) -> int:
    if size is None:
        size = 1 if name in _OF_SINGLE_PLAYERS else n_players if name in _OF_EVERY_SIZE else min(2, n_players)
    check_size(n_players, size)
    if name in _OF_SINGLE_PLAYERS and size != 1:
        raise ValueError(f"size must be 1 for {name}, a value of single players, got {size}: use SII, BII or FSII")
    return int(size)


def _masks_up_to(n_players: int, size: int) -> np.ndarray:
    """Every coalition of up to `size` players, by size, then lexicographic: bool (k, n)."""
    if 2 * size > n_players:
        return _most_masks(n_players, sum(math.comb(n_players, t) for t in range(size + 1)))
    masks = []
    for t in range(size + 1):
        members = coalitions_of_size(n_players, t)
        of_one_size = np.zeros((len(members), n_players), bool)
        np.put_along_axis(of_one_size, members.astype(np.intp), True, axis=1)
        masks.append(of_one_size)
    return np.concatenate(masks)


def _most_masks(n_players: int, count: int) -> np.ndarray:
    """The first `count` of all coalitions in the same order, by one sort."""
    # With player 0 as the highest bit, the coalitions of one size stand in lexicographic order from large to small.
    numbers = np.arange(1 << n_players, dtype=np.uint64)
    last = np.uint64(numbers[-1])
    keys = np.bitwise_count(numbers).astype(np.uint64) << np.uint64(n_players) | (last - numbers)
    keys.sort()
    ordered = last - (keys[:count] & last)
    bits = np.unpackbits(ordered.astype(">u4").view(np.uint8).reshape(-1, 4), axis=1)
    return np.ascontiguousarray(bits[:, 32 - n_players :]).view(bool)


def _values(table: Any, name: str, size: int) -> Any:
    """The index of every coalition of up to `size` players, in the order of `_masks_up_to`."""
    n_players = n_players_of(table)
    if name in _OF_EVERY_SIZE:
        values = _of_every_size(table, name, _masks_up_to(n_players, size))
    elif name in INTERACTION_INDICES:
        values = _weighted(context_sums(table, size, "difference"), name, n_players, size)
    else:
        present, absent = context_sums(table, size, "present"), context_sums(table, size, "absent")
        gains = [with_all - without for with_all, without in zip(present, absent, strict=True)]
        values = _weighted(gains, name, n_players, size)
    if name in OWN_EMPTY_VALUE:
        return values
    return (np if isinstance(table, np.ndarray) else jnp).concatenate([table[:1], values[1:]])


_values_jax = jax.jit(_values, static_argnames=("name", "size"))


def _weighted(sums: list[Any], name: str, n_players: int, size: int) -> Any:
    """Sum over context sizes with the index's weights; sizes of weight 0 are left out, so that their NaN is too."""
    values = []
    for t, of_one_size in enumerate(sums):
        weights = context_weights(name, n_players, t, size)
        used = np.flatnonzero(weights)
        if isinstance(of_one_size, np.ndarray):
            values.append(of_one_size[:, used] @ weights[used])
        else:
            share = jnp.asarray(weights[used], of_one_size.dtype)
            values.append(jnp.matmul(of_one_size[:, used], share, precision="highest"))
    return (np if isinstance(sums[0], np.ndarray) else jnp).concatenate(values)


def _of_every_size(table: Any, name: str, coalitions: np.ndarray) -> Any:
    """Moebius and Co-Moebius, which their transforms give for all coalitions at once."""
    packed = np.packbits(coalitions, axis=1, bitorder="little")
    indices = np.pad(packed, ((0, 0), (0, 4 - packed.shape[1]))).view("<u4")[:, 0]  # bit i = player i
    if name == "Moebius":
        return moebius(table)[indices]
    # d_T v(N minus T) = (-1)^(t+1) I_or(T)
    signs = np.where(np.bitwise_count(indices) % 2 == 1, 1.0, -1.0)
    return or_interactions(table)[indices] * signs.astype(table.dtype)


def _least_core(table: Any, name: str) -> np.ndarray:
    if isinstance(table, Tracer):
        raise ValueError(
            f"expected an array for {name}, which is solved on the host, got a traced one: call it outside jit, vmap "
            "and grad"
        )
    payoffs, _ = LEAST_CORES[name](np.asarray(table, np.float64))
    return payoffs
