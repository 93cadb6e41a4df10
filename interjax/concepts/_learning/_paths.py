"""Ways of learning: how straight a network came to its final concepts, and the paths of single concepts."""

import warnings

import numpy as np

from interjax._core._checks import check_count, check_is
from interjax._core._names import names_field
from interjax._core._results import Saved, result, static_field
from interjax.concepts._explanations._effects import sizes_of
from interjax.concepts._learning._learning import ConceptDynamics
from interjax.concepts._learning._phases import stays
from interjax.tables._transforms import inverse_moebius


@result
class Detour(Saved):
    """How straight the way of a network to its final concepts was.

    Attributes:
        steps: int (checkpoints,).
        shares: share of each size in the whole strength, (checkpoints, sizes).
        path_length: sum over checkpoints of |shares(t+1) - shares(t)|_1.
        net_change: |shares(last) - shares(first)|_1.
        ratio: path_length / net_change, >= 1; 1 = straight, each share moved one way throughout. NaN without net
            change.
        learned: step from which on the strength of a size stays above half of its final value, (sizes,); NaN without
            any.
        own, smaller: for the large concepts of the final network, the mean over concepts of |I(S)| and of the effect
            that the same players had through smaller concepts, |sum over L in S of I(L)| without S itself,
            (checkpoints,).
        mixture: smaller / (own + smaller), in [0, 1], (checkpoints,).
        large: number of players from which on a concept counts as large.
        n_large: concepts that were followed.
    """

    steps: np.ndarray
    shares: np.ndarray
    path_length: float
    net_change: float
    ratio: float
    learned: np.ndarray
    own: np.ndarray
    smaller: np.ndarray
    mixture: np.ndarray
    large: int
    n_large: int


def detour(dynamics: ConceptDynamics, *, large: int | None = None, count: int = 20) -> Detour:
    """How far large concepts are learned by way of others: late, and through mixtures of smaller ones.

        shares_t(m) = A_t(m) / sum over m' of A_t(m')
        ratio       = sum over t of |shares_{t+1} - shares_t|_1 / |shares_T - shares_0|_1
        own_t       = mean over large S of |I_t(S)|
        smaller_t   = mean over large S of |sum over L in S, L not empty, L != S, of I_t(L)|

    The large S are the `count` strongest AND concepts of at least `large` players in the last checkpoint, by the mean
    effect over the inputs of a class. Where `smaller` is far above `own` early and `own` grows late, what their
    players bring about together was first carried by smaller concepts. Noise lengthens the path, the more so the
    more checkpoints there are: compare runs with the same checkpoints and inputs.

    Args:
        dynamics: what `checkpoint_concepts` gives, of at least 2 checkpoints.
        large: fewest players of a large concept; by default half of the players, rounded up, at least 2.
        count: large concepts to follow, over all classes.

    Returns:
        `Detour`.

    Raises:
        ValueError: a single checkpoint, strengths that are not known at all checkpoints, or a size out of range.

    Example:
        >>> import interjax as ij, jax
        >>> x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
        >>> data = ij.datasets.Dataset(x, y, x[:20], y[:20], "toy", ("no", "yes"))
        >>> networks = {step: ij.networks.build("mlp", (3,), 2, hidden=(4,), seed=step) for step in (1, 10)}
        >>> found = ij.concepts.checkpoint_concepts(jax.random.key(0), networks, data, players=ij.Players.features(3))
        >>> float(ij.concepts.detour(found).ratio)  # there is no detour between two checkpoints
        1.0

    References:
        Zhou et al., AAAI 2024, arXiv:2302.13091 (detouring dynamics); the measures are interjax's.
    """
    check_is("dynamics", dynamics, ConceptDynamics, "what ij.concepts.checkpoint_concepts gives")
    n_players = dynamics.n_players
    large = max(2, -(-n_players // 2)) if large is None else check_count("large", large, most=n_players)
    strength = np.asarray(dynamics.strength, np.float64)
    total = strength.sum(axis=1, keepdims=True)
    if len(strength) < 2 or not np.all(total > 0):
        raise ValueError(
            f"expected 2 or more checkpoints with known strengths above 0 for a path, got {len(strength)}, of which "
            f"{np.sum(total > 0)} have any"
        )
    shares = strength / total
    path_length = float(np.abs(np.diff(shares, axis=0)).sum())
    net_change = float(np.abs(shares[-1] - shares[0]).sum())
    effects = np.asarray(dynamics.mean_effects, np.float64)[:, :, 0]
    own, smaller, n_large = _mixtures(effects, large, check_count("count", count))
    both = own + smaller
    steps = np.asarray(dynamics.steps)
    held = [stays(part >= 0.5 * part[-1]) for part in strength.T]
    return Detour(
        steps=steps,
        shares=shares,
        path_length=path_length,
        net_change=net_change,
        ratio=path_length / net_change if net_change else np.nan,
        learned=np.array(
            [steps[one.argmax()] if part[-1] > 0 else np.nan for one, part in zip(held, strength.T, strict=True)]
        ),
        own=own,
        smaller=smaller,
        mixture=np.divide(smaller, both, out=np.full_like(both, np.nan), where=both > 0),
        large=large,
        n_large=n_large,
    )


def _mixtures(effects: np.ndarray, large: int, count: int) -> tuple[np.ndarray, np.ndarray, int]:
    """|I(S)| and |effects of the smaller concepts in S| of the large S that are strongest at the end, and their number.

    effects: AND effects (checkpoints, classes, 2**n).
    """
    sizes = sizes_of(effects.shape[2].bit_length() - 1)
    final = np.where(sizes >= large, np.abs(np.nan_to_num(effects[-1])), 0.0)
    order = np.argsort(-final, axis=None, kind="stable")
    chosen = order[: min(count, np.count_nonzero(final))]
    if not len(chosen):
        unknown = np.full(len(effects), np.nan)
        return unknown, unknown, 0
    place = np.unravel_index(chosen, final.shape)
    own = effects[:, *place]
    smaller = inverse_moebius(effects)[:, *place] - own - effects[:, place[0], np.zeros_like(place[0])]
    return np.abs(own).mean(axis=1), np.abs(smaller).mean(axis=1), len(chosen)


@result
class ConceptPaths(Saved):
    """The effects of single concepts over a training run.

    Attributes:
        steps: int (checkpoints,).
        concepts: (kind, coalition index), kind 0 AND, 1 OR, int (paths, 2).
        effects: mean effect over the inputs, in the game's units, (checkpoints, paths).
        is_final: bool (paths,), True for the strongest of the last checkpoint, False for those that peaked and
            vanished.
        peak: step of each path's largest |effect|, int (paths,).
        label: the class of the inputs; None = all classes alike.
        player_names: a name for each player; () in older files, which do not tell how many there are.
    """

    steps: np.ndarray
    concepts: np.ndarray
    effects: np.ndarray
    is_final: np.ndarray
    peak: np.ndarray
    label: int | None = static_field()
    player_names: tuple[str, ...] = names_field(default=())


def concept_paths(dynamics: ConceptDynamics, *, count: int = 8, label: int | None = None) -> ConceptPaths:
    """Follow single concepts through training: the strongest at the end, and those that peaked and vanished.

    The first half, ceil(count / 2), are those with the largest |effect| at the last checkpoint. The others are, among
    the rest, those that lost most: max over t of |I_t(S)| - |I_T(S)|, as far as any lost something. Effects are means
    over the training inputs of a class, to which their sign refers; with label=None the mean over classes.

    Args:
        dynamics: what `checkpoint_concepts` gives.
        count: paths, at least 1.
        label: a class number; None = all classes.

    Returns:
        `ConceptPaths`, the final ones first, each part in falling order; fewer where there are not so many.

    Raises:
        ValueError: an unknown class, or a count that is no positive integer.

    Warns:
        UserWarning: if effects are unknown (NaN) at some checkpoints.

    Example:
        >>> import interjax as ij, jax
        >>> x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
        >>> data = ij.datasets.Dataset(x, y, x[:20], y[:20], "toy", ("no", "yes"))
        >>> networks = {step: ij.networks.build("mlp", (3,), 2, hidden=(4,), seed=step) for step in (1, 10)}
        >>> found = ij.concepts.checkpoint_concepts(jax.random.key(0), networks, data, players=ij.Players.features(3))
        >>> ij.concepts.concept_paths(found, count=3, label=1).effects.shape
        (2, 3)
    """
    check_is("dynamics", dynamics, ConceptDynamics, "what ij.concepts.checkpoint_concepts gives")
    count = check_count("count", count)
    classes = np.asarray(dynamics.classes).tolist()
    is_class = isinstance(label, int | str | np.integer) and not isinstance(label, bool) and label in classes
    if label is not None and not is_class:
        raise ValueError(f"label must be one of the classes {', '.join(map(str, classes))}; got {label}")
    effects = np.array(dynamics.mean_effects, np.float64)
    effects = effects.mean(axis=1) if label is None else effects[:, classes.index(label)]
    shape = effects.shape[1:]
    effects[:, :, 0] = 0.0  # the empty set is no concept
    effects = effects.reshape(len(effects), -1)
    if not np.isfinite(effects).all():
        unknown = np.count_nonzero(np.isnan(effects).any(axis=1))
        warnings.warn(f"effects are unknown at {unknown} of {len(effects)} checkpoints: paths have gaps", stacklevel=2)
    strength = np.nan_to_num(np.abs(effects))
    lost = strength.max(axis=0) - strength[-1]
    final = np.argsort(-strength[-1], kind="stable")[: (count + 1) // 2]
    final = final[strength[-1, final] > 0]
    lost[final] = 0.0
    vanished = np.argsort(-lost, kind="stable")[: count - len(final)]
    vanished = vanished[lost[vanished] > 0]
    chosen = np.concatenate([final, vanished])
    steps = np.asarray(dynamics.steps)
    return ConceptPaths(
        steps=steps,
        concepts=np.stack(np.unravel_index(chosen, shape), axis=1),
        effects=effects[:, chosen],
        is_final=np.arange(len(chosen)) < len(final),
        peak=steps[strength[:, chosen].argmax(axis=0)],
        label=label,
        player_names=dynamics.player_names,
    )
