"""How concepts are learned: their sizes, strengths and generalisation at the checkpoints of one training run."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_callable, check_count, check_flag
from interjax._core._keys import check_key
from interjax._core._names import fill_names, names_field
from interjax._core._progress import Progress
from interjax._core._results import Saved, result, static_field
from interjax._engine._folders import fingerprint, name_of
from interjax.concepts._explanations._effects import AndOr, check_tau, effects_of, sizes_of
from interjax.concepts._explanations._salient import salient_effects
from interjax.concepts._learning._explained_inputs import ExplainedInputs, choose_inputs, grade
from interjax.concepts._statistics._generalization import generalization
from interjax.concepts._tables import tables_in, warn_of_nonfinite
from interjax.datasets._dataset import check_classified
from interjax.datasets._examples import data_of
from interjax.games._batches import are_of_several
from interjax.games._masking import Masking
from interjax.games._outputs import log_odds
from interjax.tables._transforms import moebius
from interjax.training._over_checkpoints import Parts, over_checkpoints_in_parts


@result
class ConceptDynamics(Saved):
    """Concepts at the checkpoints of a training run, on the same inputs throughout.

    Attributes:
        steps: optimizer steps, increasing, int (checkpoints,).
        sizes: 1..n, int (sizes,).
        positive, negative, count: as of `SizeDistribution`, over the training inputs, (checkpoints, sizes).
        strength_by_input: sum of |salient effects| of each size in each training input, (checkpoints, inputs, sizes).
        similarity, null, excess: as of `Generalization`, (checkpoints, sizes).
        similarity_lower, similarity_upper, null_lower, null_upper, excess_lower, excess_upper: ends of their intervals,
            (checkpoints, sizes).
        train_loss, test_loss: mean cross entropy in nats, (checkpoints,); NaN if the network's outputs are no logits of
            the data's classes.
        train_accuracy, test_accuracy: share of the examples classified correctly, in [0, 1], (checkpoints,); NaN
            likewise.
        mean_effects: mean effect over the training inputs of each class, float32 (checkpoints, classes, kinds, 2**n).
        classes: the class numbers, int (classes,).
        train_rows, test_rows: the inputs, by their rows in the data, int (inputs,).
        n_nonfinite: inputs of whose game some value is NaN or infinite, int (checkpoints,); they are left out, their
            strengths are NaN, and where too few of a class are left so are similarities.
        tau: the threshold of salience.
        effects: all effects, float32 (checkpoints, inputs, kinds, 2**n), training inputs first; None unless asked for.
        player_names: a name for each player; "player 3" in older files.
    """

    steps: np.ndarray
    sizes: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    count: np.ndarray
    strength_by_input: np.ndarray
    similarity: np.ndarray
    similarity_lower: np.ndarray
    similarity_upper: np.ndarray
    null: np.ndarray
    null_lower: np.ndarray
    null_upper: np.ndarray
    excess: np.ndarray
    excess_lower: np.ndarray
    excess_upper: np.ndarray
    train_loss: np.ndarray
    test_loss: np.ndarray
    train_accuracy: np.ndarray
    test_accuracy: np.ndarray
    mean_effects: np.ndarray
    classes: np.ndarray
    train_rows: np.ndarray
    test_rows: np.ndarray
    n_nonfinite: np.ndarray
    tau: float = static_field()
    effects: np.ndarray | None = None
    player_names: tuple[str, ...] = names_field(default=())

    def __post_init__(self) -> None:
        fill_names(self, self.n_players)

    @property
    def n_players(self) -> int:
        """Number of players n."""
        return len(self.sizes)

    @property
    def strength(self) -> np.ndarray:
        """Mean over training inputs of the sum of |salient effects| of each size, (checkpoints, sizes)."""
        return np.asarray(self.positive) - np.asarray(self.negative)


def checkpoint_concepts(
    key: Array,
    checkpoints: str | os.PathLike | Mapping[int, Any],
    data: Any,
    *,
    players: Any,
    baseline: Any = 0.0,
    output: Any = log_odds,
    precision: str | None = "float32",
    explain: Callable[[np.ndarray], Any] = moebius,
    steps: Sequence[int] | None = None,
    classes: Sequence[int] | None = None,
    inputs_per_class: int = 20,
    rows: tuple[Any, Any] | None = None,
    tau: float = 0.05,
    resamples: int = 100,
    graded: int = 5000,
    keep_effects: bool = False,
    folder: str | os.PathLike | None = None,
    progress: Progress | None = None,
) -> ConceptDynamics:
    """Explain the same inputs at every checkpoint of a training run: which sizes carry effect, and which generalise.

    At each checkpoint: the distribution over sizes of the salient effects of the training inputs
    (`ij.concepts.size_distribution`), the similarity of training and test inputs by size beside its split-half null
    (`ij.concepts.generalization`, with the same draws throughout), losses and accuracies. See `phases`, `detour` and
    `concept_paths` for what to read off, `ij.plots.concept_dynamics` for the heat map.

    Args:
        key: a `jax.random.key`, of the inputs that are drawn and of the similarities' draws.
        checkpoints: what `ij.training.train(..., spec=spec, checkpoint_folder=..., keep=None)` wrote, or optimizer
            step -> network of any kind that `ij.masked_game` takes. Space them logarithmically.
        data: training and test examples. Its labels choose each game's output: for a network trained on shuffled
            labels give `with_label_noise`'s data set to explain what it learned, the clean one to explain the truth.
            Or arrays, (training inputs, labels, test inputs, labels), inputs of several arrays in dicts and tuples.
        players, baseline, output, precision: as for `ij.masked_games`; at most 20 players. Labels are classes, so that
            output=None is the log-odds of the label, too.
        explain: tables (inputs, 2**n) -> AND effects of that shape or an `AndOr`: `ij.moebius`, or for sparse AND-OR
            explanations functools.partial(ij.concepts.and_or, noise=0.04).
        steps: the checkpoints to explain; None = all of them.
        classes: the class numbers whose inputs are explained; None = all of the data's.
        inputs_per_class: training inputs to draw of each class, and half as many test inputs, whatever the network
            makes of them; a class that has fewer gives all.
        rows: (training rows, test rows) to explain instead of drawn ones.
        tau: threshold of salience, in (0, 1].
        resamples: of the similarities' bootstrap.
        graded: training and test examples, the same number of each, drawn for losses and accuracies.
        keep_effects: whether the result holds the effects of every input: 4 bytes times kinds times 2**n each.
        folder: keeps each explained checkpoint, and of the one under way its tables about every minute; a call with
            the same settings goes on where an earlier one stopped and ends with the same numbers. Other steps may be
            added.
        progress: called with (checkpoints done, checkpoints in all).

    Returns:
        `ConceptDynamics`.

    Raises:
        ValueError: checkpoints of different networks, steps that there are none of, a class without inputs, options out
            of range, a `folder` that holds other measurements; and as `concept_tables`.

    Warns:
        UserWarning: as `concept_tables`, if values are NaN or infinite; as `generalization`, for few inputs.

    Example:
        >>> import interjax as ij, jax, numpy as np
        >>> x, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
        >>> data = ij.datasets.Dataset(x, y, x[:20], y[:20], "toy", ("no", "yes"))
        >>> networks = {step: ij.networks.build("mlp", (3,), 2, hidden=(4,), seed=step) for step in (1, 10)}
        >>> found = checkpoint_concepts(jax.random.key(0), networks, data, players=ij.Players.features(3))
        >>> found.steps.tolist(), found.strength.shape
        ([1, 10], (2, 3))

    References:
        Zhou et al., AAAI 2024, arXiv:2302.13091 (concepts of each size during learning).
    """
    check_key(key)
    data, _ = data_of(data)
    check_classified(data)
    check_callable("explain", explain, "a function of tables, such as ij.moebius")
    check_flag("keep_effects", keep_effects)
    graded = check_count("graded", graded)
    tau, resamples = check_tau(tau), check_count("resamples", resamples)
    draw_key, similarity_key = jax.random.split(key)
    explained = choose_inputs(draw_key, data, classes, inputs_per_class, rows, graded)
    masking = Masking.of_classes(players, baseline, output, precision)
    if are_of_several(players):
        masking, _ = masking.on(explained.x)
    pieces = over_checkpoints_in_parts(
        checkpoints,
        lambda model, parts: _explain(model, explained, masking, explain, parts),
        steps=steps,
        folder=folder,
        settings=_settings(explained, masking, explain),
        inputs=explained.x,
        progress=progress,
    )
    # As they come: the effects of all checkpoints may be too many to hold.
    found = {step: _summarise(similarity_key, piece, explained, tau, resamples, keep_effects) for step, piece in pieces}
    _same_kinds(list(found.values()))
    first = next(iter(found.values()))
    return ConceptDynamics(
        steps=np.array(list(found)),
        sizes=np.arange(1, masking.players.n + 1),
        classes=explained.classes,
        train_rows=explained.train_rows,
        test_rows=explained.test_rows,
        tau=tau,
        player_names=masking.players.names,
        **{name: np.stack([each[name] for each in found.values()]) for name in first},
    )


def _settings(explained: ExplainedInputs, masking: Masking, explain: Callable) -> dict[str, Any]:
    """What a kept checkpoint depends on, beside its weights."""
    return {
        "inputs": fingerprint((explained.x, explained.labels)),
        "graded": fingerprint(explained.graded),
        **masking.settings,
        "explain": name_of(explain),
    }


def _explain(
    model: Any, explained: ExplainedInputs, masking: Masking, explain: Callable, parts: Parts | None
) -> dict[str, np.ndarray]:
    tables = tables_in(model, explained.x, explained.labels, masking, kept=parts)
    warn_of_nonfinite(tables)
    finite = np.isfinite(tables).all(axis=1)
    effects = np.full((len(tables), 1, tables.shape[1]), np.nan, np.float32)
    if finite.any():
        found = effects_of(explain(tables[finite].astype(np.float64)), "what explain returns")
        if found.ndim != 3 or (len(found), found.shape[2]) != (finite.sum(), tables.shape[1]):
            raise ValueError(
                f"explain must give effects of each of {finite.sum()} tables of {tables.shape[1]} values, got shape "
                f"{found.shape}"
            )
        effects = np.repeat(effects, found.shape[1], axis=1)
        effects[finite] = found
    return {"effects": effects, "grades": np.concatenate([grade(model, *part) for part in explained.graded])}


def _summarise(
    key: Array,
    piece: dict[str, np.ndarray],
    explained: ExplainedInputs,
    tau: float,
    resamples: int,
    keep_effects: bool,
) -> dict[str, Any]:
    """The measures of one checkpoint by their names in `ConceptDynamics`."""
    effects = piece["effects"].astype(np.float64)
    finite = np.asarray(np.isfinite(effects).all(axis=(1, 2)))
    of_train = finite & explained.is_train
    by_size = _sums_by_size(effects[of_train], tau)
    strength = np.full((explained.is_train.sum(), by_size[0].shape[1]), np.nan)
    strength[of_train[explained.is_train]] = by_size[0] - by_size[1]
    found = {name: _mean(part) for name, part in zip(("positive", "negative", "count"), by_size, strict=True)}
    by_class = [_mean(effects[of_train & (explained.labels == label)]) for label in explained.classes]
    found |= {
        "strength_by_input": strength,
        "mean_effects": np.stack(by_class).astype(np.float32),
        "n_nonfinite": np.sum(~finite),
        **_similarities(key, effects, finite, explained, resamples),
        **dict(zip(("train_loss", "train_accuracy", "test_loss", "test_accuracy"), piece["grades"], strict=True)),
    }
    return found | ({"effects": piece["effects"]} if keep_effects else {})


def _sums_by_size(effects: np.ndarray, tau: float) -> list[np.ndarray]:
    """Sums of positive and of negative salient effects of both kinds, and their number: each (inputs, sizes)."""
    n_players = effects.shape[2].bit_length() - 1
    of_size = (sizes_of(n_players)[:, None] == np.arange(1, n_players + 1)[None]).astype(np.float64)
    is_salient = salient_effects(effects, tau)
    kept = np.where(is_salient, effects, 0.0)
    parts = (np.maximum(kept, 0.0), np.minimum(kept, 0.0), is_salient.astype(np.float64))
    return [part.sum(axis=1) @ of_size for part in parts]


def _mean(by_input: np.ndarray) -> np.ndarray:
    """The mean over inputs; NaN if there are none."""
    return by_input.mean(axis=0) if len(by_input) else np.full(by_input.shape[1:], np.nan)


def _similarities(
    key: Array, effects: np.ndarray, finite: np.ndarray, explained: ExplainedInputs, resamples: int
) -> dict[str, np.ndarray]:
    """Similarity, null and excess with their intervals; NaN where too few inputs of a class have finite games."""
    names = [name + end for name in ("similarity", "null", "excess") for end in ("", "_lower", "_upper")]
    parts = [finite & explained.is_train, finite & ~explained.is_train]
    for label in explained.classes:
        if any(np.sum(explained.labels[part] == label) < few for part, few in zip(parts, (2, 1), strict=True)):
            return dict.fromkeys(names, np.full(effects.shape[2].bit_length() - 1, np.nan))
    explanations = [_as_explanation(effects[part]) for part in parts]
    labels = [explained.labels[part] for part in parts]
    found = generalization(key, explanations[0], labels[0], explanations[1], labels[1], resamples=resamples)
    return {name: getattr(found, name.replace("similarity_", "")) for name in names}


def _as_explanation(effects: np.ndarray) -> Any:
    """Effects (inputs, kinds, 2**n) in the form that the statistics take."""
    rest: Any = [None] * 6
    return effects[:, 0] if effects.shape[1] == 1 else AndOr(effects[:, 0], effects[:, 1], *rest)


def _same_kinds(found: list[dict[str, Any]]) -> None:
    """Give the checkpoints without a finite game, whose effects are NaN, as many kinds of them as the others have."""
    for name in {"mean_effects", "effects"} & set(found[0]):
        kinds = max(each[name].shape[1] for each in found)
        for each in found:
            each[name] = np.repeat(each[name], kinds // each[name].shape[1], axis=1)
