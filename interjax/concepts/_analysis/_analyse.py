"""The analysis of a network's concepts: inputs are chosen, tabulated, explained and measured."""

import contextlib
import dataclasses
import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from interjax._core._checks import check_choice, check_flag, check_folder, check_is, check_progress
from interjax._core._files import read_json
from interjax._core._keys import check_key
from interjax._core._names import check_names
from interjax._engine._folders import RunFolder, fingerprint
from interjax.concepts._analysis._explainer import KINDS, Explainer
from interjax.concepts._analysis._inputs import (
    Inputs,
    choose_inputs,
    examples_of,
    in_turn,
    tables_of,
    tabulate,
)
from interjax.concepts._analysis._result import ConceptAnalysis, named
from interjax.concepts._analysis._statistics import compare, describe
from interjax.concepts._explanations._and_or import MAX_PLAYERS, check_noise
from interjax.concepts._explanations._effects import check_tau
from interjax.concepts._explanations._stability import Stability
from interjax.concepts._players import few_players
from interjax.concepts._statistics._sizes import SizeDistribution, size_distribution
from interjax.concepts._tables import concept_tables
from interjax.datasets._dataset import Dataset
from interjax.datasets._examples import Data
from interjax.games._batches import are_of_several, as_input, at_rows
from interjax.games._identity import of_network
from interjax.games._masking import Masking
from interjax.games._models import as_apply, params_of
from interjax.games._outputs import log_odds, log_prob, logit, prob
from interjax.games._players import Players
from interjax.games._tree_players import TreePlayers

Stages = Callable[[str, int, int], Any]

_SOME = 16  # training inputs of the null and of stability
_OUTPUTS = {"log-odds": log_odds, "log-prob": log_prob, "logit": logit, "prob": prob}
_ROUNDING = {"float32": 1e-4}  # of tables, as a share of their largest value; at other precisions:
_COARSE_ROUNDING = 0.03


def analyse(
    key: jax.Array,
    model: Any,
    data: Any,
    *,
    players: Any = None,
    player_names: Sequence[str] | None = None,
    baseline: Any = 0.0,
    output: Any = log_odds,
    precision: str | None = "float32",
    kind: str = "and-or",
    noise: float = 0.04,
    tau: float = 0.05,
    classes: Sequence[int | str] | None = None,
    inputs_per_class: int = 10,
    rows: tuple[Any, Any] | None = None,
    untrained: Any = None,
    stability: bool = False,
    folder: str | os.PathLike | None = None,
    progress: Stages | None = None,
) -> ConceptAnalysis:
    """Explain a network by its concepts, coalitions of players that act together: all that `interjax concepts` shows.

    Tabulates the masked games of some inputs of each class (`ij.concepts.concept_tables`), explains them
    (`ij.concepts.and_or` or `ij.moebius`), and measures how faithful few concepts are (`ij.concepts.faithfulness`), how
    they are distributed over sizes (`.size_distribution`), whether inputs share them (`.coverage`,
    `.discrimination`), which sizes hold on test inputs as on training inputs (`.generalization`), and how much of the
    explanations is forced (`.stability`). How concepts are learned is `ij.concepts.checkpoint_concepts`.

    Args:
        key: a `jax.random.key`, of the inputs that are drawn, the similarities' draws and the jittered costs.
        model: an `nnx.Module`, (Linen module, variables), (function(params, inputs), params) or function(inputs).
        data: an `ij.datasets.Dataset`, or arrays: (inputs, labels), all of them training inputs, or (training inputs,
            labels, test inputs, labels), inputs of several arrays in dicts and tuples.
        players: as for `ij.masked_game`, at most 20, and 13 for kind "and-or"; each doubles the cost. By default the
            eight columns of a table, or of the at most 4 by 4 cells of an image, that
            `ij.concepts.choose_players` puts first.
            Of several arrays they must be given, {"tokens": ij.Players.tokens(6)}; the result's `players` partition all
            their entries, one array after another in JAX's order.
        player_names: a name for each of them; by default their own, `players.names`.
        baseline, output, precision: as for `ij.masked_games`. Labels are classes, so that output=None is the log-odds
            of the label, too.
        kind: "and-or" for the sparsest AND-OR explanations, "and" for Harsanyi dividends.
        noise: as for `ij.concepts.and_or`: more makes explanations sparser and less exact.
        tau: threshold of salience, a share of the strongest effect of an input, in (0, 1].
        classes: names or numbers of the classes whose inputs are explained; by default all, at most the first ten.
        inputs_per_class: training inputs to draw of each class, and half as many test inputs, whatever the network
            makes of them; a class that has fewer gives all.
        rows: (training rows, test rows) to explain instead of drawn ones; there need be no test rows.
        untrained: a network of the same kind that has learned nothing, whose concepts on 16 of the training inputs
            are the result's `null`.
        stability: whether to tell how far equally sparse explanations agree, on 16 of the training inputs; costs
            eight times what explaining them costs.
        folder: keeps tables and explanations piece by piece; a call with the same arguments goes on where an earlier
            one stopped, and ends with the same numbers.
        progress: called with (what is being done, inputs done, inputs in all).

    Returns:
        `ConceptAnalysis`.

    Raises:
        ValueError: options out of range, too many players, a class without training inputs, games of which not one
            training input's is finite, a `folder` that holds another analysis; and as `concept_tables`.

    Warns:
        UserWarning: for inputs left out because their games hold NaN or infinite values, for an untrained network
            left out for the same reason; and as the statistics, for few inputs.

    Example:
        >>> import interjax as ij, jax, numpy as np
        >>> x = np.random.default_rng(0).normal(size=(60, 3))
        >>> y = (x[:, 0] * x[:, 1] > 0).astype(int)  # the first two columns together; the third is noise
        >>> network = lambda x: jax.numpy.stack([0 * x[:, 0], 4 * x[:, 0] * x[:, 1] + 0.01 * x[:, 2]], axis=1)
        >>> found = analyse(jax.random.key(0), network, (x[:40], y[:40], x[40:], y[40:]), kind="and")
        >>> [concept["players"] for concept in found.strongest("1", count=2)]
        [['column 0', 'column 1'], ['column 2']]
        >>> print(found.table().splitlines()[1])
        20 training and 10 test inputs

    References:
        Li and Zhang, ICML 2023, arXiv:2302.13080 (concepts of a network, their transfer and discrimination); Zhou et
        al., AAAI 2024, arXiv:2302.13091 (generalisation by size).
    """
    check_key(key)
    check_flag("stability", stability)
    check_progress(progress)
    folder = None if folder is None else check_folder("folder", folder)
    tau, noise = check_tau(tau), check_noise(noise)
    if untrained is not None:
        params_of(untrained, "untrained")
    examples = examples_of(data)
    partition, players = _players(players, player_names, examples.data, kind, stability)
    inputs = choose_inputs(jax.random.fold_in(key, 1), examples, classes, inputs_per_class, rows)
    masking = Masking.of_classes(partition, baseline, output, precision)
    if untrained is not None:
        _check_untrained(untrained, inputs, masking)
    stages = progress or (lambda doing, done, total: None)
    with _opened(folder, model, inputs, masking, kind, noise) as run:
        tables, is_finite = _finite_tables(run, model, inputs, masking, stages)
        inputs, tables = inputs[is_finite], tables[is_finite]
        explainer = Explainer(run, kind, noise, len(is_finite))
        explainer.advance = lambda done, total: stages("explaining", done, total)
        explanation, n_resumed = named(explainer(tables), players), explainer.kept
        some = in_turn(inputs.labels, inputs.is_train)[:_SOME]
        null = None if untrained is None else _null(explainer, untrained, inputs[some], masking, tau, stages)
        stable = _stability(jax.random.fold_in(key, 5), explainer, tables[some], tau, stages) if stability else None
    labels, is_train = inputs.labels, inputs.is_train
    class_names = tuple(examples.data.class_names[label] for label in np.unique(labels))
    return ConceptAnalysis(
        tables=tables,
        explanation=explanation,
        labels=labels,
        rows=inputs.rows,
        is_train=is_train,
        n_left_out=int(np.sum(~is_finite)),
        null=null,
        generalization=compare(jax.random.fold_in(key, 2), explanation, labels, is_train, tau),
        stability=stable,
        players=players,
        player_names=players.names,
        class_names=class_names,
        tau=tau,
        noise=noise,
        n_resumed=n_resumed,
        **describe(explanation, tables, labels, is_train, class_names, tau),
    )


def _players(
    players: Any, names: Sequence[str] | None, data: Data, kind: str, stability: bool
) -> tuple[Players | TreePlayers, Players]:
    """Players checked against the kind of explanation, and the partition of all entries with their names."""
    check_choice("kind", kind, KINDS)
    if not are_of_several(players):
        check_is("players", players, Players, "ij.Players, such as ij.concepts.choose_players gives", optional=True)
    if stability and kind == "and":
        raise ValueError('stability goes with kind="and-or": Harsanyi dividends leave no choice')
    if players is None:
        if names is not None:
            raise ValueError("player_names are those of given players: give players too, or leave the names out")
        if not isinstance(data, Dataset):
            raise ValueError(
                'players must be given for inputs of several arrays, those of each by its name, as {"tokens": '
                "ij.Players.tokens(6)}; got none"
            )
        players, _ = few_players(data)
    partition = flat = players
    if are_of_several(players):
        first = at_rows(as_input(at_rows(data.train_x, slice(0, 1)), players, "inputs of data"), 0)
        partition = TreePlayers.of(players, first, "each input of data")
        flat = players = partition.flat(first)
    names = check_names("player_names", names, players.n)
    if kind == "and-or" and players.n > MAX_PLAYERS:
        raise ValueError(
            f'players: {players.n} are too many for kind="and-or", which takes at most {MAX_PLAYERS}: choose fewer '
            '(ij.concepts.choose_players), or kind="and"'
        )
    return partition, dataclasses.replace(flat, names=names) if names else flat


def _check_untrained(untrained: Any, inputs: Inputs, masking: Masking) -> None:
    """Raise ValueError that names it unless the untrained network takes the inputs and knows their classes."""
    try:
        masking.games(untrained, at_rows(inputs.x, slice(0, 1)), [int(inputs.labels.max())])
    except ValueError as error:
        raise ValueError(f"untrained must be a network of the inputs and classes of model: {error}") from error


@contextlib.contextmanager
def _opened(
    folder: str | os.PathLike | None, model: Any, inputs: Inputs, masking: Masking, kind: str, noise: float
) -> Iterator[RunFolder | None]:
    """The folder of an analysis; ValueError if it holds that of another network, other inputs or other games."""
    if folder is None:
        yield None
        return
    params, output = params_of(model), masking.output
    known = next((name for name, function in _OUTPUTS.items() if function is output), None)
    settings = {
        "weights": fingerprint(params),
        "inputs": fingerprint((inputs.x, inputs.labels)),
        "players": masking.players.digest,
        "baseline": fingerprint(masking.baseline),
        "output": known or getattr(output, "__qualname__", type(output).__qualname__),
        "kind": kind,
        "noise": noise,
    }
    if masking.precision != "float32":
        settings["precision"] = masking.precision
    masking.game(
        model, at_rows(inputs.x, 0), int(inputs.labels[0])
    )  # what is wrong with it is told before a folder is made
    if not _is_older(folder):
        settings["network"] = _identity(model, inputs)
    with RunFolder.held(folder, settings) as run:
        if run is not None and (known is None or not jax.tree.leaves(params)):
            _check_same_games(run, model, inputs, masking)
        yield run


def _identity(model: Any, inputs: Inputs) -> str:
    """A digest of what a network computes and of its weights."""
    return hashlib.sha256(
        repr(of_network(*as_apply(model, at_rows(inputs.x, slice(2))), inputs.x)).encode()
    ).hexdigest()[:16]


def _is_older(folder: str | os.PathLike) -> bool:
    """Whether a version of interjax began the analysis in a folder that did not tell networks by what they compute."""
    path = Path(folder) / "settings.json"
    found = read_json(path) if path.exists() else {"network": ""}
    return isinstance(found, dict) and "network" not in found


def _check_same_games(run: RunFolder, model: Any, inputs: Inputs, masking: Masking) -> None:
    """Raise ValueError if the first kept table is not that of this network; for what has a name but no fingerprint."""
    kept = run.read("tables0")
    if kept is None:
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".* values of the games are NaN or infinite")
        table = concept_tables(model, at_rows(inputs.x, slice(1)), inputs.labels[:1], **masking.keywords)[0]
    largest = np.abs(table[np.isfinite(table)]).max(initial=0.0)
    rounding = _ROUNDING.get(masking.precision or "", _COARSE_ROUNDING) * largest
    if not np.allclose(kept["tables"][0], table, rtol=0.0, atol=rounding, equal_nan=True):
        raise ValueError(
            f"{run.folder} holds the games of another network or output: choose another folder, or delete this one to "
            "start anew"
        )


def _finite_tables(
    run: RunFolder | None, model: Any, inputs: Inputs, masking: Masking, stages: Stages
) -> tuple[np.ndarray, np.ndarray]:
    """Tables of all inputs and which are finite; a warning if some are not, ValueError if no training input's is."""
    tables = tabulate(run, model, inputs, masking, lambda done, total: stages("tabulating", done, total))
    is_finite = np.asarray(np.isfinite(tables).all(axis=1))
    if not is_finite[inputs.is_train].any():
        raise ValueError(
            "the games of all training inputs hold NaN or infinite values: look for overflow in the network, or for a "
            "baseline outside its domain"
        )
    if not is_finite.all():
        warnings.warn(
            f"{np.sum(~is_finite)} of {len(inputs)} inputs are left out, as their games hold NaN or infinite values: "
            "look for overflow in the network, or for a baseline outside its domain",
            stacklevel=3,
        )
    return tables, is_finite


def _null(
    explainer: Explainer, untrained: Any, inputs: Inputs, masking: Masking, tau: float, stages: Stages
) -> SizeDistribution | None:
    """Sizes of an untrained network's concepts; None, with a warning, if its games are not finite."""
    name = f"untrained-{_identity(untrained, inputs)}"
    tables = tables_of(explainer.run, name, untrained, inputs, masking)
    if not np.isfinite(tables).all():
        warnings.warn(
            "games of the untrained network hold NaN or infinite values: there is no null to compare sizes with",
            stacklevel=3,
        )
        return None
    explainer.advance = lambda done, total: stages("explaining the untrained network", done, total)
    return size_distribution(explainer(tables), tau=tau)


def _stability(key: jax.Array, explainer: Explainer, tables: np.ndarray, tau: float, stages: Stages) -> Stability:
    """How far equally sparse explanations of some training inputs agree."""
    explainer.advance = lambda done, total: stages("explaining under jittered costs", done, total)
    return explainer.stability(key, tables, tau)
