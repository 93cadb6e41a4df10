"""The strength of one input's interactions, with what its error is made of."""

import dataclasses

import numpy as np

from interjax._core._statistics import normal_quantile
from interjax.orders._limits import LEVEL
from interjax.profiles._left_out import root, slope
from interjax.profiles._one_input import Design, Measured
from interjax.profiles._sums import PairSums

_MOST_REPLICATES = 25
_FEW_GROUPS = range(3, 6)  # two leave one degree of freedom, whose wide intervals hold as it is
_AGREEING = 0.3  # of the error that independent pairs would have: what groups tell seldom falls below it but by chance
_VALUES_AT_ONCE = 100_000  # of pairs at all orders, in replicates computed together
# Share of the correction by which it may be off: of networks and real games of 9 to 14 players, benchmarks/coverage.py.
_LEFT = {"folded-normal": 1 / 3, "plug-in": 1.0}


@dataclasses.dataclass(frozen=True)
class InputStrength:
    """Strength of one input (orders,), its uncorrected form, its jackknife replicates (groups, orders), the mean
    standard error of its interactions (orders,), what rounding alone may make of one (orders,), what may have been
    missed where nothing varied (orders,), what may be left of the upward bias (orders,), a value that is below E|I| in
    expectation (orders,), what its replicates weigh, the most degrees of freedom that they leave (orders,), what each
    cluster of drawn pairs adds to the strength (orders, clusters), none where all pairs were measured, and the skewness
    of the strength over contexts (orders,), 0 where all contexts were evaluated or pairs were drawn."""

    corrected: np.ndarray
    uncorrected: np.ndarray
    replicates: np.ndarray
    noise: np.ndarray
    rounding: np.ndarray
    limit: np.ndarray
    bias: np.ndarray
    lower: np.ndarray
    sizes: np.ndarray
    most_freedom: np.ndarray
    by_cluster: np.ndarray
    skewness: np.ndarray

    def scaled(self, share: float) -> "InputStrength":
        """The same for a population of which only this share was measured and the rest is 0."""
        unscaled = "sizes", "most_freedom", "skewness"
        names = [field.name for field in dataclasses.fields(self) if field.name not in unscaled]
        return dataclasses.replace(self, **{name: share * getattr(self, name) for name in names})


def strength_of_input(found: list[Measured], design: Design, kind: str, correction: str) -> InputStrength:
    """Strength of one input from all rounds of measuring it."""
    if not found[0].count.size:  # no pair can interact
        nothing = np.zeros(len(design.orders))
        names = [field.name for field in dataclasses.fields(InputStrength)]
        return InputStrength(
            **dict.fromkeys(names, nothing)
            | {"replicates": np.stack([nothing] * 2), "sizes": np.ones(2), "by_cluster": nothing[:, None][:, :0]}
        )
    strength_of = _of_all_pairs if found[0].took_all else _of_clusters
    return strength_of(found, design, kind, correction).scaled(found[0].share)


def _of_all_pairs(found: list[Measured], design: Design, kind: str, correction: str) -> InputStrength:
    """All pairs were measured: pool the rounds' contexts; replicates leave out one group of contexts."""
    sums = PairSums.of(found, design)
    corrected, plain = sums.terms(kind, correction).mean(axis=-1), sums.terms(kind, "none").mean(axis=-1)
    usual = sums.terms(kind, "folded-normal").mean(axis=-1) if correction == "none" else corrected
    groups = sums.total.shape[1]
    replicates = np.full((2, len(corrected)), np.nan)
    if groups > 1:
        # Replicates take the plug-in form: a tenth of the cost, and as variable.
        quick = "plug-in" if correction == "folded-normal" else correction
        centre = sums.terms(kind, quick)
        scale = _of_unequal_groups(sums.count.mean(axis=-1)) * np.sqrt(sums.left.mean(axis=-1))[:, None]
        replicates = np.tile(corrected, (groups, 1))
        some = max(1, _VALUES_AT_ONCE // max(centre.size, 1))
        for start in range(0, groups, some):
            left_out = range(start, min(start + some, groups))
            rest = sums.without(left_out)
            with np.errstate(invalid="ignore", divide="ignore"):
                shift = rest.terms(kind, quick).reshape(len(left_out), *centre.shape) - centre
            # A pair whose contexts are all in this group tells nothing of its error.
            shift[rest.count.sum(axis=1).reshape(shift.shape) == 0] = 0.0
            shift = shift.mean(axis=-1) * scale[:, start : left_out.stop].T
            replicates[start : left_out.stop] += np.where(sums.exact, 0.0, shift)
    return InputStrength(
        corrected=corrected,
        uncorrected=plain,
        replicates=replicates,
        noise=_known_mean(sums.noise()),
        rounding=sums.resolution(),
        limit=np.hypot(
            _mean(sums.limit(), np.ones(sums.total.shape[2]), kind),
            _where_groups_agree(sums, replicates, corrected, kind),
        ),
        bias=_bias_left(usual, corrected, plain, correction, kind),
        lower=sums.below(kind).mean(axis=-1),
        sizes=np.ones(len(replicates)),
        most_freedom=np.where(sums.exact, np.inf, np.count_nonzero(sums.count.sum(axis=-1), axis=1) - 1.0),
        by_cluster=np.zeros((len(corrected), 0)),
        skewness=np.where(sums.exact, 0.0, _skewness(corrected - replicates)),
    )


def _skewness(parts: np.ndarray) -> np.ndarray:
    """That of a mean over groups (orders,), from what each adds to it (groups, orders): their own / sqrt(groups)."""
    moved = parts - parts.mean(axis=0)
    spread = np.sqrt(np.mean(moved**2, axis=0))
    third = np.mean(moved**3, axis=0) / np.sqrt(len(parts))
    return np.divide(third, spread**3, out=np.zeros(parts.shape[1]), where=spread > 0)


def _where_groups_agree(sums: PairSums, replicates: np.ndarray, corrected: np.ndarray, kind: str) -> np.ndarray:
    """The error of a strength (orders,), in units of v, were its pairs independent; where few groups agree by chance.

    Of interactions that show in single contexts, leaving out one of three groups may change nothing though the next
    draw would. 0 where the groups tell more than a share of this error, or are many.
    """
    groups = len(replicates)
    if groups not in _FEW_GROUPS or not np.all(np.isfinite(replicates)):
        return np.zeros(len(corrected))
    mean, noise = sums.moments()[0], np.nan_to_num(sums.noise())
    of_terms = noise if kind == "mean" else np.sqrt((2 * mean * noise) ** 2 + 2 * noise**4)
    alone = np.sqrt(np.sum(of_terms**2, axis=-1)) / noise.shape[1]
    seen = np.sqrt((groups - 1) / groups * np.sum((replicates - replicates.mean(axis=0)) ** 2, axis=0))
    return np.where(seen < _AGREEING * alone, slope(corrected, alone, kind) * alone, 0.0)


def _of_unequal_groups(count: np.ndarray) -> np.ndarray:
    """Factors (orders, groups) with which changes of a mean that leaves out a group are those of equal groups.

    Of N contexts a group holds n: (N / n - 1) / (number of groups that hold any) in place of (G - 1) / G.

    References:
        Busing, Meijer and van der Leeden, "Delete-m jackknife for unequal m", Statistics and Computing 9, 1999.
    """
    groups, whole = count.shape[1], count.sum(axis=1, keepdims=True)
    used = np.maximum(np.count_nonzero(count, axis=1, keepdims=True), 1)
    others = np.divide(whole, count, out=np.ones_like(count), where=count > 0) - 1
    return np.sqrt(others / used * groups / (groups - 1))


def _of_clusters(found: list[Measured], design: Design, kind: str, correction: str) -> InputStrength:
    """Pairs were sampled in clusters: a weighted mean over pairs; replicates leave out one cluster, or a few.

    A replicate learns anew what pairs' interactions may be: the bias that is taken off depends on all clusters.

    Rounds of more contexts weigh by these: they leave less bias, and less noise.
    """
    rounds = [PairSums.of([part], design) for part in found]
    weights = [part.weight * part.contexts[:, None] for part in found]  # (orders, pairs)
    corrected = [sums.terms(kind, correction) for sums in rounds]
    whole = np.sum([weight.sum(axis=1) for weight in weights], axis=0)

    def average(terms: list[np.ndarray]) -> np.ndarray:
        return sum(np.sum(each * weight, axis=1) for each, weight in zip(terms, weights, strict=True)) / whole

    of_all = average(corrected)
    plain = average([sums.terms(kind, "none") for sums in rounds])
    usual = average([sums.terms(kind, "folded-normal") for sums in rounds]) if correction == "none" else of_all
    replicates, sizes, by_cluster = [], [], []
    for part, sums, terms, weight in zip(found, rounds, corrected, weights, strict=True):
        groups = min(int(part.cluster.max()) + 1, max(2, _MOST_REPLICATES // len(found)))
        keep = part.cluster % groups != np.arange(groups)[:, None]
        kept = np.einsum("gop,gp,op->go", sums.terms_of_parts(kind, correction, keep), keep, weight)
        everyone = np.sum(terms * weight, axis=1)
        lost = ~keep @ weight.T
        replicates.append((of_all * whole - everyone + kept) / np.maximum(whole - lost, 1e-300))
        sizes.append((everyone - kept).mean(axis=1))
        in_cluster = part.cluster[:, None] == np.unique(part.cluster)
        by_cluster.append((np.maximum(terms, 0.0) * weight) @ in_cluster / whole[:, None])
    replicates, sizes = np.concatenate(replicates), np.concatenate(sizes)
    if len(replicates) < 2:
        replicates, sizes = np.full((2, len(of_all)), np.nan), np.ones(2)
    return InputStrength(
        corrected=of_all,
        uncorrected=plain,
        replicates=replicates,
        noise=np.mean([_known_mean(sums.noise()) for sums in rounds], axis=0),
        rounding=np.max([sums.resolution() for sums in rounds], axis=0),
        # Rounds draw other contexts: what all of them miss is no more than what the one that saw most may have missed.
        limit=np.hypot(
            np.min([_mean(sums.limit(), part.weight, kind) for part, sums in zip(found, rounds, strict=True)], axis=0),
            _of_undrawn(np.concatenate(by_cluster, axis=1), kind),
        ),
        bias=_bias_left(usual, of_all, plain, correction, kind),
        lower=average([sums.below(kind) for sums in rounds]),
        sizes=sizes,
        most_freedom=np.full(len(of_all), np.inf),
        by_cluster=np.concatenate(by_cluster, axis=1),
        skewness=np.zeros(len(of_all)),
    )


def _of_undrawn(by_cluster: np.ndarray, kind: str) -> np.ndarray:
    """What pairs that were not drawn may hold at orders where no drawn one interacts (orders,), as a standard error.

    By the rule of three a share p = 1 - 0.05^(1/N) of clusters may have been missed by N of them; each may be as strong
    as the strongest at any order.
    """
    clusters = by_cluster.shape[1]
    share = 1 - (1 - LEVEL) ** (1 / clusters)
    strongest = np.nanmax(by_cluster * clusters, initial=0.0)
    found = strongest * share if kind == "mean" else np.sqrt(strongest * share)
    return np.where(np.any(by_cluster != 0, axis=1), 0.0, found / normal_quantile(LEVEL))


def _bias_left(usual: np.ndarray, found: np.ndarray, plain: np.ndarray, correction: str, kind: str) -> np.ndarray:
    """Upward bias that a strength may still have (orders,), in units of v: a share of its correction.

    Of the usual correction where it has none. Squares that were corrected have none left.
    """
    if correction == "none":
        return root(plain, kind) - root(usual, kind)
    return np.zeros_like(plain) if kind == "rms" else _LEFT[correction] * (plain - found)


def _known_mean(errors: np.ndarray) -> np.ndarray:
    """Mean over the pairs whose error is known (orders,); NaN where none is."""
    known = np.isfinite(errors)
    total = np.where(known, errors, 0.0).sum(axis=-1)
    return np.where(known.any(axis=-1), total / np.maximum(known.sum(axis=-1), 1), np.nan)


def _mean(limit: np.ndarray, weight: np.ndarray, kind: str) -> np.ndarray:
    """Limits of pairs (orders, pairs) averaged as their interactions are."""
    if kind == "mean":
        return np.average(limit, axis=1, weights=weight)
    return np.sqrt(np.average(limit**2, axis=1, weights=weight))
