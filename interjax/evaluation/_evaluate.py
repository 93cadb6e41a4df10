"""What trained networks can do, side by side: accuracy, loss gap, adversarial robustness, destroyed structure."""

import itertools
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_count, check_folder, check_progress, is_real
from interjax._core._keys import check_key
from interjax._core._progress import Progress
from interjax._core._results import Saved, result, static_field
from interjax._engine._folders import RunFolder, fingerprint
from interjax.datasets._dataset import Dataset
from interjax.datasets._examples import Data, TreeExamples, data_of
from interjax.evaluation._attacks import attacks
from interjax.evaluation._corruptions import occlusions as plan_occlusions
from interjax.evaluation._corruptions import shuffles as plan_shuffles
from interjax.evaluation._intervals import Measured, difference_of, mean_of, share_of
from interjax.evaluation._regression import measures_of_numbers, warn_of_few_examples
from interjax.evaluation._rounds import Graded, Grades, Misses, Round
from interjax.games._apply import (
    Apply,
    as_classifier,
    as_predictor,
    gives_one,
    is_of_one_logit,
    row_of,
    shown_shapes,
)
from interjax.games._arithmetic import ends_in_sigmoid
from interjax.games._batches import at_rows, like_batch, players_of
from interjax.games._evaluation_probe import (
    are_probabilities,
    check_equal_outputs,
    warn_if_all_are_one,
    warn_of_probabilities,
    warn_of_sigmoid,
)
from interjax.games._identity import of_network
from interjax.games._models import as_apply

LEVEL = 0.95
_UNCHANGED = ("training", "test")


@result
class Evaluation(Saved):
    """Measures of several networks on one data set, each with its confidence interval.

    Attributes:
        value: (networks, measures); accuracies in [0, 1], losses in nats, R^2 of at most 1, errors in units of the
            labels; NaN where a network's loss, or prediction, is no number.
        lower, upper: ends of the interval, (networks, measures).
        count: examples behind each value, int (networks, measures).
        n_nonfinite: evaluated inputs, over all measures, whose logits tell no class, as some are NaN or the largest is
            infinite, int (networks,). Accuracies count them as wrong. In a regression, predictions that are not finite.
        networks: names.
        measures: names, e.g. "test accuracy", "accuracy, PGD 0.1".
        level: of the intervals.
    """

    value: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    count: np.ndarray
    n_nonfinite: np.ndarray
    networks: tuple[str, ...] = static_field()
    measures: tuple[str, ...] = static_field()
    level: float = static_field(default=LEVEL)

    def of(self, measure: str, network: str | None = None) -> tuple[float, float, float]:
        """(value, lower, upper) of a measure by its name; the network may be left out where there is one."""
        if network is None and len(self.networks) > 1:
            raise ValueError(f"network must be one of {', '.join(self.networks)}; got none")
        row = 0 if network is None else _find("network", network, self.networks)
        place = row, _find("measure", measure, self.measures)
        return float(self.value[place]), float(self.lower[place]), float(self.upper[place])

    def table(self) -> str:
        """The measures as rows and the networks as columns, "value [lower, upper]", in plain aligned text."""
        rows = [["", *self.networks]]
        for measure in self.measures:
            form = "{:.3f} [{:.3f}, {:.3f}]" if "accuracy" in measure or "R^2" in measure else "{:.3g} [{:.3g}, {:.3g}]"
            rows.append([measure, *(form.format(*self.of(measure, network)) for network in self.networks)])
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def evaluate(
    networks: Any,
    data: Any,
    *,
    key: Array,
    players: Any = None,
    baseline: Any = 0.0,
    strengths: Sequence[float] | None = None,
    pgd_steps: int = 20,
    occlusions: Sequence[float] | None = None,
    occlusion_grid: int | None = None,
    shuffles: Sequence[int] | None = None,
    limit: int | None = None,
    batch_size: int = 500,
    folder: str | os.PathLike | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Compare networks: accuracy, loss gap, accuracy under attack, and on inputs whose structure is destroyed.

        loss gap = mean over test examples of -log softmax(z)_y - mean over training examples of the same

    A network of one output z is one of two classes, with logits 0 and z. In a regression there are the share of the
    labels' variance that is predicted and the mean absolute error,

        R^2 = 1 - sum of (f(x) - y)^2 / sum of (y - mean y)^2,  error = mean of |f(x) - y|

    and attacks ascend |f(x) - y|; R^2 has Student's interval of log(1 - R^2), which held .79 to .88 at 95% where labels
    were lognormal, as prices are: where few examples hold most of the variance, a warning says so.

    Accuracies are shares of examples with Wilson's interval. Losses are means, with Hall's interval: Student's about
    a cubic of the error that takes off the skewness, as a few examples often carry most of a loss; its lower end is at
    least 0. The gap's joins those of its two means. The intervals say how far another draw of examples would move a
    value; nothing tells of rare large losses when none was drawn. All networks see the same examples, occlusions,
    permutations and random starts, so the difference of two networks is known better than two overlapping intervals
    suggest.

    Args:
        networks: one network or a mapping from name to network, each an nnx module, (Linen module, variables),
            (function(params, inputs), params) or function(inputs); evaluated in evaluation mode, left as found.
        data: training and test examples. An input of three axes without `player_labels` is an image, any other a
            table, whose players are its columns. Or arrays, (training inputs, labels, test inputs, labels), whose
            inputs may be several arrays in dicts and tuples, {"tokens": ids, "mask": attended}; labels are integers
            for classes, floats for numbers to predict. Of several arrays those of floats are attacked as tables are.
        key: `jax.random.key` of the random draws. Those of an example depend on the key and its place in the test
            set alone.
        players: which parts of an input are occluded, as for `ij.masked_game`; by default the columns of a table and
            cells of an image, and nothing of several arrays, with a warning. Of several arrays, {"image":
            ij.Players.grid(shape, 4)}, the others are neither occluded nor attacked.
        baseline: what replaces occluded entries: a number or an array of one input's shape, in the inputs' units; of
            several arrays a number, or one of these for each.
        strengths: of FGSM and PGD, largest change of an entry. Images: on the pixel scale [0, 1], by default 0.1 and
            0.2 for one channel and 2/255 and 8/255 for more. Tables: in units of the encoded entries (standard
            deviations of a numeric column; one-hot entries are perturbed likewise), by default 0.1 and 0.5.
        pgd_steps: steps of PGD of 2.5 strength / steps each.
        occlusions: shares of cells or columns replaced by the baseline, in (0, 1). By default 0.25 and 0.5, as far as
            they occlude anything.
        occlusion_grid: cells along each side of an image; by default the first of 8, 7, 4 that divides both sides,
            and nothing is occluded if none does.
        shuffles: cells along each side whose order is shuffled; by default those of 2, 4, 7, 8, 14 that divide both
            sides into cells of at least two pixels a side; nothing for tables.
        limit: test examples, a random set, for attacks and corruptions; None for all.
        batch_size: examples evaluated at once; a larger one needs more memory.
        folder: where to keep what has been evaluated, written at least every minute; a later call with the same
            arguments goes on there, to the same numbers. The batch size may then be another.
        progress: called with (rounds done, rounds in all); a round is one network on one form of the examples.

    Returns:
        The measures "test accuracy", "training accuracy", "training loss", "test loss", "loss gap", then e.g.
        "accuracy, FGSM 0.1", "accuracy, PGD 0.1", "accuracy, 25% occluded", "accuracy, 4x4 shuffled". Where `limit`
        leaves test examples out, "accuracy, unchanged" is that of the examples of these, with which to compare them. In
        a regression "test R^2", "training R^2", "training error", "test error", "error gap", "R^2, FGSM 0.1", ...

    Raises:
        ValueError: no network, one whose logits do not fit the data, an option out of range, or a `folder` that holds
            another evaluation; the message says what was expected.

    Example:
        >>> import jax.numpy as jnp
        >>> x, y = np.eye(4), [0, 0, 1, 1]
        >>> data = Dataset(x, y, x, y, "toy", ("no", "yes"))
        >>> found = evaluate(lambda x: x @ jnp.array([[1.0, 0], [1, 0], [0, 1], [0, 1]]), data, key=jax.random.key(0))
        >>> found.of("test accuracy")[0], found.of("accuracy, PGD 0.5")[0]
        (1.0, 0.0)

    References:
        Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
        Hall, "On the removal of skewness by transformation", Journal of the Royal Statistical Society B 54, 1992.
        Zou, Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008, for
        the gap.
        Attacks: see `fgsm` and `pgd`.
    """
    named = networks if isinstance(networks, Mapping) else {"network": networks}
    if not named:
        raise ValueError(
            "networks must hold at least one, got none: give a network, or a mapping from names to networks"
        )
    check_key(key)
    is_of_arrays = not isinstance(data, Dataset)
    data, _ = data_of(data)
    check_progress(progress)
    batch_size = check_count("batch_size", batch_size)
    subset_key, attack_key, occlusion_key, shuffle_key = jax.random.split(key, 4)
    changes = attacks(attack_key, data, strengths, pgd_steps, players)
    changes |= plan_occlusions(occlusion_key, data, occlusions, occlusion_grid, baseline, players)
    changes |= plan_shuffles(shuffle_key, data, shuffles)
    options = {"strengths": strengths, "pgd_steps": pgd_steps, "occlusions": occlusions, "shuffles": shuffles}
    options |= {"occlusion_grid": occlusion_grid, "limit": limit}
    limit = len(data.test_y) if limit is None else check_count("limit", limit)
    subset = np.asarray(jax.random.permutation(subset_key, len(data.test_y)))[:limit]
    rounds = [
        Round("training", data.train_x, data.train_y, np.arange(len(data.train_y))),
        Round("test", data.test_x, data.test_y, np.arange(len(data.test_y))),
        *(Round(name, data.test_x, data.test_y, subset, change) for name, change in changes.items()),
    ]
    models = {str(name): _check_network(str(name), model, data, is_of_arrays) for name, model in named.items()}
    grading = Misses if data.is_regression else Grades
    labels = {"training": data.train_y, "test": data.test_y}
    folder = None if folder is None else check_folder("folder", folder)
    about = None if folder is None else _about(models, data, key, baseline, options | _named(players, data))
    measures, n_nonfinite, done = [], [], itertools.count(1)
    with RunFolder.held(folder, about or {}) as run:
        for number, (name, model) in enumerate(models.items()):
            graded = {}
            for which, each in enumerate(rounds):
                piece = f"network{number}-round{which}"
                graded[each.name] = each.grade(grading(model[0]), model[1], batch_size, run, piece)
                if progress is not None:
                    progress(next(done), len(models) * len(rounds))
            if data.is_regression:
                measures.append(measures_of_numbers(graded, labels, subset, LEVEL))
                n_nonfinite.append(_report_unknown(name, graded))
                warn_of_few_examples(name, graded, labels, subset)
            else:
                measures.append(_measures(graded, subset))
                told = np.where(graded["test"].correct, data.test_y, 1 - data.test_y)
                if is_of_one_logit(model[0]):
                    warn_if_all_are_one(told, data.test_y, level=2, who=f"network {name!r}")
                n_nonfinite.append(_report_nonfinite(name, graded))
    table = np.array([list(of_network.values()) for of_network in measures])
    return Evaluation(
        *np.moveaxis(table[..., :3], -1, 0),
        count=table[..., 3].astype(int),
        n_nonfinite=np.array(n_nonfinite),
        networks=tuple(models),
        measures=tuple(measures[0]),
    )


def _about(
    models: Mapping[str, tuple[Apply, Any]], data: Data, key: Array, baseline: Any, options: Mapping[str, Any]
) -> dict[str, Any]:
    """What tells an evaluation from another: networks, data, key and options."""
    parts = (data.train_x, data.train_y, data.test_x, data.test_y, data.player_labels, data.normalization)
    about = {name: value if value is None else np.asarray(value).tolist() for name, value in options.items()}
    held = baseline if isinstance(data, TreeExamples) else np.asarray(baseline, np.float32)
    about |= {"data": fingerprint(parts), "baseline": fingerprint(held)}
    about["key"] = np.asarray(jax.random.key_data(key)).tolist()
    return about | {"networks": {name: of_network(*model, data.test_x) for name, model in models.items()}}


def _named(players: Any, data: Data) -> dict[str, Any]:
    """The players that are given, as an option."""
    if players is None:
        return {}
    return {"players": players_of(players, row_of(like_batch(data.test_x, 1)), "each input of data").digest}


def _check_network(name: str, model: Any, data: Data, may_give_more: bool) -> tuple[Apply, Any]:
    """The network as (apply, params); raises ValueError if it does not give logits for these inputs.

    Args:
        name: of the network.
        model: the network.
        data: whose inputs it takes.
        may_give_more: whether it may give more logits than the data has classes, as these are known by labels alone.
    """
    x = like_batch(data.test_x, 2)
    try:
        apply, params = as_apply(model, x)
        logits = jax.eval_shape(apply, params, x)
    except Exception as error:
        raise ValueError(
            f"networks: {name!r} fails on a batch of the inputs of {data.name}, shape {shown_shapes(x)}: {error}"
        ) from error
    found = logits.shape if isinstance(logits, jax.ShapeDtypeStruct) else type(logits).__name__
    if isinstance(logits, jax.ShapeDtypeStruct) and not is_real(logits):
        raise ValueError(f"networks: {name!r} must give logits that are real numbers, got {logits.dtype}")
    is_one = gives_one(logits) and data.n_outputs <= 2
    if data.is_regression and not is_one:
        raise ValueError(
            f"networks: {name!r} must give one number an input for {data.name}, (batch,) or (batch, 1), got {found} "
            "for a batch of 2: build it with n_classes=1"
        )
    classes = max(data.n_classes, logits.shape[-1]) if may_give_more and isinstance(found, tuple) and found else None
    if not is_one and found not in ((2, data.n_classes), (2, classes)):
        raise ValueError(
            f"networks: {name!r} must give logits of shape (batch, {data.n_classes}) for {data.name}, got {found} for "
            f"a batch of 2: build it with n_classes={data.n_classes}"
        )
    try:
        outputs = check_equal_outputs(apply, params, at_rows(data.test_x, 0), at_rows(data.test_x, -1))
    except ValueError as error:
        raise ValueError(f"networks: {name!r}: {error}") from error
    if outputs is not None and are_probabilities(*outputs):
        warn_of_probabilities(name)
    if data.is_regression:
        return as_predictor(apply), params
    if is_one and ends_in_sigmoid(jax.make_jaxpr(apply)(params, x).jaxpr):
        warn_of_sigmoid()
    return as_classifier(apply, logits), params


def _measures(graded: dict[str, Graded], subset: np.ndarray) -> dict[str, Measured]:
    """(value, lower, upper, count) of every measure, from the training, test and changed examples."""
    training, test = graded["training"], graded["test"]
    is_part = len(subset) < len(test.correct) and len(graded) > len(_UNCHANGED)
    training_loss, test_loss = mean_of(training.loss, LEVEL), mean_of(test.loss, LEVEL)
    changed = {name: each.correct for name, each in graded.items() if name not in _UNCHANGED}
    return {
        "test accuracy": share_of(test.correct, LEVEL),
        "training accuracy": share_of(training.correct, LEVEL),
        "training loss": training_loss,
        "test loss": test_loss,
        "loss gap": difference_of(test_loss, training_loss),
        **({"accuracy, unchanged": share_of(test.correct[subset], LEVEL)} if is_part else {}),
        **{f"accuracy, {name}": share_of(correct, LEVEL) for name, correct in changed.items()},
    }


def _report_nonfinite(name: str, graded: dict[str, Graded]) -> int:
    """The number of inputs whose logits tell no class; a warning says where they are, and another where losses are."""
    unknown = {part: ~each.finite for part, each in graded.items()}
    endless = {part: graded[part].finite & ~np.isfinite(graded[part].loss) for part in _UNCHANGED}
    for where, what in (
        (_counted(unknown), "logits that are NaN, or whose largest is infinite, counted as wrong"),
        (_counted(endless), "losses that are not finite though a largest logit is, e.g. where the class has -inf"),
    ):
        if where:
            warnings.warn(f"network {name!r}: {what}: {where}", stacklevel=3)
    return sum(int(np.sum(each)) for each in unknown.values())


def _report_unknown(name: str, graded: dict[str, Any]) -> int:
    """The number of predictions that are not finite; a warning says where they are."""
    unknown = {part: ~each.finite for part, each in graded.items()}
    if where := _counted(unknown):
        warnings.warn(f"network {name!r}: predictions that are NaN or infinite: {where}", stacklevel=3)
    return sum(int(np.sum(each)) for each in unknown.values())


def _counted(which: dict[str, np.ndarray]) -> str:
    """In words how many examples of each part are marked."""
    return ", ".join(f"{part} {np.sum(each)} of {len(each)}" for part, each in which.items() if each.any())


def _find(kind: str, name: str, names: tuple[str, ...]) -> int:
    if not isinstance(name, str) or name not in names:
        raise ValueError(f"{kind} must be one of {', '.join(names)}; got {name!r}")
    return names.index(name)
