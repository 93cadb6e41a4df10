"""The sparse concepts of a game: effects of few small coalitions, the game they rebuild, and how faithful it is."""

from typing import Any

import numpy as np

from interjax._core._checks import check_count, check_known
from interjax._core._names import fill_names, names_field, table_of_coalitions
from interjax._core._results import Saved, result, static_field
from interjax.games._coalitions import check_masks


@result
class SparseConcepts(Saved):
    """A game as a sum of effects of few small coalitions, with how well it predicts coalitions never used in the fit.

        v(S) ~ empty_effect + sum over k of effects[k] f_T(S),   T = coalitions[k]

    f_T(S) = 1 if all of T is in S, else 0 (Moebius); (-1)^|T and S| (Fourier).

    Attributes:
        coalitions: int32 (K, max_size), players in ascending order, padded with -1; strongest effect first.
        sizes: int (K,), players of each.
        effects: float64 (K,), in the game's units.
        stderr: float64 (K,), standard errors given that these coalitions were chosen.
        empty_effect: effect of the empty coalition: v(empty) of the fit (Moebius), the mean (Fourier).
        faithfulness: R^2 on held-out coalitions drawn as those of the fit were; NaN if they do not vary.
        interval: float64 (2,), its 95% confidence interval.
        shares, share_faithfulness: float64 (5,), R^2 on coalitions of which this share of the players is present.
        n_forwards: forward passes made.
        n_nonfinite: values that were NaN or infinite, left out of fit and R^2.
        reliable: whether the effects may be used.
        reason: why, or why not.
        basis, present, max_size, n_players: how it was measured.
        screened_size: sizes up to this were searched completely, larger coalitions grown from the best smaller ones.
        player_names: a name for each player, those of the game; "player 3" in older files.
    """

    coalitions: np.ndarray
    sizes: np.ndarray
    effects: np.ndarray
    stderr: np.ndarray
    empty_effect: float
    faithfulness: float
    interval: np.ndarray
    shares: np.ndarray
    share_faithfulness: np.ndarray
    n_forwards: int
    n_nonfinite: int
    reliable: bool = static_field()
    reason: str = static_field()
    basis: str = static_field()
    present: float = static_field()
    max_size: int = static_field()
    n_players: int = static_field()
    screened_size: int = static_field()
    player_names: tuple[str, ...] = names_field(default=())

    def __post_init__(self) -> None:
        fill_names(self, self.n_players)

    def to_dict(self) -> dict[tuple[int, ...], float]:
        """Effects by coalition, {(0, 3): effect}, strongest first; the empty coalition is left out."""
        return dict(zip(self._players(), map(float, self.effects), strict=True))

    def table(self, count: int = 20) -> str:
        """The strongest effects with their standard errors and the players' names, a line each, in plain aligned text.

        Args:
            count: effects at most.
        """
        shown = zip(self._players()[: check_count("count", count)], self.effects, self.stderr, strict=False)
        rows = [((f"{effect:.4g}", f"{stderr:.2g}"), players) for players, effect, stderr in shown]
        return table_of_coalitions(("effect", "stderr"), rows, self.player_names, len(self.effects))

    def value(self, masks: Any) -> np.ndarray:
        """The rebuilt game: bool (batch, n) -> float64 (batch,)."""
        check_known("masks", masks)
        masks = np.asarray(check_masks(masks, self.n_players))
        return rebuild(self.coalitions, self.effects, self.empty_effect, self.basis, masks)

    def dividends(self) -> dict[tuple[int, ...], float]:
        """AND effects (Harsanyi dividends) of the rebuilt game, the empty coalition's among them, in either basis.

        (-1)^|T and S| = sum over L in T of (-2)^|L| [L in S]
        """
        found: dict[tuple[int, ...], float] = {(): float(self.empty_effect)}
        if self.basis == "moebius":
            return found | self.to_dict()
        for players, effect in self.to_dict().items():
            for index in range(1 << len(players)):
                part = tuple(player for place, player in enumerate(players) if index >> place & 1)
                found[part] = found.get(part, 0.0) + effect * (-2.0) ** len(part)
        return found

    def _players(self) -> list[tuple[int, ...]]:
        return [tuple(int(player) for player in row if player >= 0) for row in np.asarray(self.coalitions)]


def rebuild(coalitions: Any, effects: Any, empty_effect: Any, basis: str, masks: np.ndarray) -> np.ndarray:
    """The sum of effects that masks (batch, n) bool receive: float64 (batch,)."""
    columns = masks.T if basis == "moebius" else np.where(masks.T, -1.0, 1.0)
    value = np.full(len(masks), float(empty_effect))
    for coalition, effect in zip(np.asarray(coalitions), np.asarray(effects), strict=True):
        value += effect * np.prod(columns[coalition[coalition >= 0]], axis=0)
    return value
