"""The games of a network's inputs: players are parts of the input, absent ones are replaced by a baseline."""

import functools
from typing import Any, Literal, NamedTuple, overload

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from interjax._core._checks import check_known
from interjax._engine._dispatch import shapes_of
from interjax.games._all_outputs import ALL, EveryNumber, check_numbers, games_of_numbers
from interjax.games._apply import Apply, at_precision, check_precision, row_of, shown_shapes
from interjax.games._arithmetic import carried, ends_in_sigmoid, unit_of_network
from interjax.games._baselines import Marginal
from interjax.games._batches import absent_of, as_input, players_of, rows_of
from interjax.games._closures import Closure
from interjax.games._evaluation_probe import check_deterministic, warn_of_sigmoid
from interjax.games._game import Game
from interjax.games._masked_networks import MaskedGame, MaskedNetwork
from interjax.games._models import as_apply
from interjax.games._outputs import gives_logits
from interjax.games._players import Players
from interjax.games._readings import as_label, as_labels, check_reading, reading_of
from interjax.games._removal import Removal, as_removal, inputs_to_look_at
from interjax.games._split import Fold, split_of
from interjax.games._tree_players import TreePlayers


@overload
def masked_game(model: Any, x: Any, *, players: Any, output: Literal["all"], **options: Any) -> list[Game]: ...
@overload
def masked_game(model: Any, x: Any, *, players: Any, output: Any = None, **options: Any) -> Game: ...


def masked_game(  # pyright: ignore[reportInconsistentOverload]
    model: Any,
    x: Any,
    *,
    players: Any,
    baseline: Any = 0.0,
    output: Any = None,
    absence: Any = "baseline",
    fold: Fold = None,
    precision: str | None = "float32",
) -> Game | list[Game]:
    """The game of one input: players are parts of the input, absent ones are replaced by a baseline.

        v(S) = output(network(x on S, baseline elsewhere))

    Args:
        model: an `nnx.Module`, (Linen module, variables), (function(params, inputs), params) or function(inputs); it
            works on a batch and is evaluated deterministically, whatever mode it is in.
        x: one input, of the shape that `players` partitions; or several arrays in dicts, tuples and lists, such as
            {"tokens": ids, "mask": attended}, which the network takes as its one argument.
        players: which entries belong together, e.g. `ij.Players.grid((28, 28, 1), (14, 14))`. Of several arrays in the
            same form, {"tokens": ij.Players.tokens(12)}: they are numbered one array after another as given here, and
            arrays without players stay as they are. Their names, `ij.Players.features(3, names=columns)`, are those of
            the game and of what is measured of it.
        baseline: a number, an array of x's shape (such as the data's mean) or of its last axes (one vector for all
            tokens), or `ij.marginal(background)`. Of several arrays a number, or one of these for each, 0 where none
            is given; or one `ij.marginal({"tokens": ...})` of all that have players.
        output: what is read off the network's output for one input: `ij.log_odds`, `log_prob`, `logit` or `prob`, of
            the class that the network predicts on x or of a label, `ij.log_odds(3)`; or your function of that output,
            which gives a scalar. None = the log-odds of the predicted class, or the number itself where the network
            gives one number an input. "all" = each number that the network gives, as it is (all logits): a list of
            games, for which all 2^n coalitions are evaluated at once, one pass each whatever the number of classes.
        absence: "baseline", or what is removed, without a baseline: "points" of a cloud (points, ...), of which absent
            ones lie on the first that is left, and all at `baseline`, a number, where none is: right for networks that
            take the largest over points, not for means; "nodes" of a graph {"nodes": (nodes, ...), "edges": (nodes,
            nodes, ...)} with players of the nodes, of which absent ones have features 0 and no edges, also in further
            arrays (nodes, nodes, ...); or a function (x, present) that gives the network's input without the players
            that are absent, present bool (n,): it must give x where all are present, and may give another form of it.
        fold: whether sampled interactions replace the network's first linear operation by sums of what each player
            contributes to it (same values to float rounding); None = where that is expected to be faster. Where the
            operation is not found by itself, give the network in two parts, `fold=(stem, trunk)`:
            stem(params, inputs) -> hidden, affine in each input, and trunk(params, hidden) -> the network's outputs;
            params are those of `model` (Linen's variables, an nnx module's `nnx.split(module)[1]`, () for a plain
            function). Functions that are the same objects from game to game share compiled code.
        precision: of the forward pass. "float32": products and convolutions of float32 numbers in full precision on
            every device, for a second difference drowns in TF32 or bfloat16 passes. "bfloat16": weights, inputs and
            hidden layers in bfloat16; masking, the sums behind the first linear operation, the output and all means
            in float32. On MNIST its error in I^(m), at 100 contexts, was 0.10, 0.36 and 0.67 times mean |I^(m)| at
            low, middle and high orders for an MLP, 0.04, 0.15 and 0.13 for LeNet (benchmarks/precision.py). None: as
            JAX is configured.

    Returns:
        A traceable `Game`; the games of one network and player partition share compiled code. With output="all" a list
        of them, made of tables.

    Raises:
        ValueError: if shapes do not fit, the label is out of range, the network's output is no batch of scalars, or
            the parts of `fold=(stem, trunk)` do not fit together; when it is measured, if they give other values than
            the network.

    Example:
        >>> import interjax as ij, jax.numpy as jnp, numpy as np
        >>> game = ij.masked_game(lambda x: x @ jnp.eye(3), np.array([1.0, 2.0, 4.0]),
        ...                       players=ij.Players.features(3), output=ij.logit(2))
        >>> game(np.array([[True, True, True], [True, True, False]])).tolist()
        [4.0, 0.0]

    References:
        Deng et al., ICLR 2022 (arXiv:2111.06236), section 2.
    """
    check_known("x", x)
    takes_all = isinstance(output, str) and output == ALL
    check_reading(None if takes_all else output)
    x = as_input(x, players)
    partition = players_of(players, x)
    network = _network(model, x, partition, as_removal(absence, baseline, partition, x), fold, precision)
    if takes_all:
        check_numbers(network.outputs)
        return games_of_numbers(_game(network, x, EveryNumber())[0])
    reading = reading_of(output, network.outputs)
    label = _predicted(network, x) if reading.wants else None
    return _game(network, x, reading.of(label))[0]


class _Network(NamedTuple):
    """A network as the games of all inputs of one shape and type have it.

    Attributes:
        params: its weights.
        absent: what stands for absent players.
        outputs: shape and type of what it gives for two inputs.
        unit: eps of its arithmetic.
        value: that of a game.
        is_sigmoid: whether its one output is a sigmoid, where a logit is expected.
    """

    params: Any
    absent: Any
    outputs: Any
    unit: float
    value: MaskedNetwork
    is_sigmoid: bool

    @property
    def passes(self) -> int:
        return self.absent.examples if isinstance(self.absent, Marginal) else 1


def _network(
    model: Any, x: Any, players: Players | TreePlayers, baseline: Any, fold: Fold, precision: str | None
) -> _Network:
    """A network checked on inputs like this one, and split behind its first layer where that pays."""
    check_precision(precision)
    is_tree, removes = isinstance(players, TreePlayers), isinstance(baseline, Removal)
    absent = _absent(players, baseline, x)
    seen = jax.eval_shape(absent, x, jax.ShapeDtypeStruct((players.n,), bool)) if removes else x
    batch = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype), seen)
    apply, params = as_apply(model, batch if removes else jax.tree.map(lambda leaf: leaf[None], x))
    outputs, unit, is_sigmoid = _check_network(apply, params, seen, precision)
    is_mean = isinstance(absent, Marginal) and absent.examples > 1
    if is_tree or removes or not hasattr(outputs, "shape"):
        if fold:
            raise ValueError("fold is for networks that take and give one array, and baselines: leave it out")
        fold = False
    if is_mean and isinstance(fold, tuple):
        raise ValueError("a marginal baseline is not folded: leave fold=(stem, trunk) out, or use another baseline")
    split, folds_masks = (None, False) if is_mean else split_of(apply, params, x, players.n, fold, precision)
    network = at_precision(apply, precision)
    value = MaskedNetwork(network, players, split, folds_masks, precision, isinstance(fold, tuple))
    return _Network(params, absent, outputs, unit, value, is_sigmoid)


def _absent(players: Players | TreePlayers, baseline: Any, x: Any) -> Any:
    """What stands for absent players of an input: the leaf `MaskedGame.baseline`."""
    if isinstance(baseline, Removal):
        return baseline.of(x, players.n)
    return absent_of(players, baseline, x)


def _game(
    network: _Network, x: Any, output: Any, looked_at: list[np.ndarray] | None = None
) -> tuple[Game, list[np.ndarray] | None]:
    """The game of one input, and outputs of the network from looking at it; or those given, of another input."""
    params, absent, outputs, unit, value, is_sigmoid = network
    if looked_at is None:
        shown_to, other = inputs_to_look_at(x, absent, value.players.n)
        looked_at = check_deterministic(value.apply, params, shown_to, other, output, value.precision)
        if is_sigmoid and gives_logits(output):
            warn_of_sigmoid()
    is_one = not isinstance(output, EveryNumber)
    rounding = carried(output, looked_at, outputs, unit) if is_one and looked_at is not None else None
    is_null = None
    if not isinstance(absent, Marginal | Closure):
        changed = jax.tree.map(lambda leaf, other: np.asarray(leaf != other), x, absent)
        is_null = value.players.without_entries(changed)
    parts = MaskedGame(params, x, absent, output)
    players = value.players
    game = Game(parts, value, players.n, False, network.passes, unit, is_null, rounding, players.names)
    return game, looked_at


@overload
def masked_games(model: Any, xs: Any, *, players: Any, output: Literal["all"], **options: Any) -> list[list[Game]]: ...
@overload
def masked_games(
    model: Any, xs: Any, labels: Any = None, *, players: Any, output: Any = None, **options: Any
) -> list[Game]: ...


def masked_games(  # pyright: ignore[reportInconsistentOverload]
    model: Any,
    xs: Any,
    labels: Any = None,
    *,
    players: Any,
    baseline: Any = 0.0,
    output: Any = None,
    absence: Any = "baseline",
    fold: Fold = None,
    precision: str | None = "float32",
) -> list[Game] | list[list[Game]]:
    """The games of a batch of inputs: `masked_game` of each input with its label; compiled code is shared.

    Args:
        model, players, baseline, absence, fold, precision: as for `masked_game`.
        xs: (batch, *input shape); or several arrays, each of one row an input.
        labels: (batch,) class numbers, or whatever numbers `output` takes; None = what the network predicts of each
            input, where a class is wanted.
        output: what is read off the network's output for one input: `ij.log_odds`, `log_prob`, `logit` or `prob` of
            each input's label; one of these with one label for all, `ij.log_odds(3)`; or your function of that
            output, or of (that output, label), which gives a scalar. None = the log-odds of the label; where the
            network gives one number an input and labels are no integers, the number itself. "all" = each number that
            the network gives, as for `masked_game`; labels are then of no use.

    Returns:
        A list of games, one for each input; with output="all" a list of such for each input.

    Raises:
        ValueError: as `masked_game`, or if inputs and labels differ in number.

    Example:
        >>> import interjax as ij, jax.numpy as jnp, numpy as np
        >>> games = ij.masked_games(lambda x: x @ jnp.eye(3), np.array([[1.0, 2, 4], [3, 5, 9]]), [2, 0],
        ...                         players=ij.Players.features(3), output=ij.logit)
        >>> [game(np.ones((1, 3), bool)).tolist() for game in games]
        [[4.0], [3.0]]
        >>> games = ij.masked_games(lambda x: x.sum(axis=1), np.array([[1.0, 2, 4], [3, 5, 9]]), [6.0, 18.0],
        ...                         players=ij.Players.features(3), output=lambda z, target: (z - target) ** 2)
        >>> [game(np.ones((1, 3), bool)).tolist() for game in games]
        [[1.0], [1.0]]
    """
    check_known("xs", xs)
    check_known("labels", labels)
    takes_all = isinstance(output, str) and output == ALL
    check_reading(None if takes_all else output)
    xs, labels = as_input(xs, players, "xs"), None if labels is None else as_labels(labels)
    count = rows_of(xs)
    if labels is not None and count != len(labels):
        raise ValueError(f"labels must be one for each input: got {count} inputs and {len(labels)} labels")
    partition = players_of(players, row_of(xs), "xs")
    if not count:
        return []
    each = [jax.tree.unflatten(jax.tree.structure(xs), row) for row in zip(*jax.tree.leaves(xs), strict=True)]
    network = _network(model, each[0], partition, as_removal(absence, baseline, partition, each[0]), fold, precision)
    if takes_all:
        if labels is not None:
            raise ValueError('labels must be left out with output="all", which gives the games of all classes')
        check_numbers(network.outputs)
        return [games_of_numbers(_game(network, x, EveryNumber())[0]) for x in each]
    reading = reading_of(output, network.outputs, None if labels is None else labels[0])
    if reading.wants == "label":
        labels = np.asarray(as_label(labels))
    games, looked_at = [], None
    for number, x in enumerate(each):
        label = None
        if reading.wants:
            label = _predicted(network, x) if labels is None else labels[number]
        game, looked_at = _game(network, x, reading.of(label), looked_at)
        games.append(game)
    return games


def _predicted(network: _Network, x: Any) -> int:
    """The class that the network predicts; of one output the sign tells it."""
    x, _ = inputs_to_look_at(x, network.absent, network.value.players.n)
    row = _forward(network.value.apply, network.params, jax.tree.map(lambda leaf: leaf[None], x))[0]
    return int(jnp.argmax(row)) if row.size > 1 else int(jnp.reshape(row, ()) > 0)


@functools.partial(jax.jit, static_argnums=0)
def _forward(apply: Apply, params: Any, inputs: Any) -> Array:
    return apply(params, inputs)


def _check_network(apply: Apply, params: Any, x: Any, precision: str | None) -> tuple[Any, float, bool]:
    """Shapes of the network's outputs on two inputs, checked to be a batch; the eps of its arithmetic; and whether its
    one output is a sigmoid."""
    return _logits_of(apply, shapes_of(params), shapes_of(x), precision)


@functools.lru_cache(maxsize=64)
def _logits_of(
    apply: Apply, params: tuple[Any, tuple], x: tuple[Any, tuple], precision: str | None
) -> tuple[Any, float, bool]:
    """The same from shapes alone: checked once for all inputs of a network."""
    example = jax.tree.unflatten(params[0], [jax.ShapeDtypeStruct(shape, kind) for shape, kind in params[1]])
    batch = jax.tree.unflatten(x[0], [jax.ShapeDtypeStruct((2, *shape), kind) for shape, kind in x[1]])
    try:
        trace, outputs = jax.make_jaxpr(apply, return_shape=True)(example, batch)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"model is a network that does not take a batch of inputs of shape {shown_shapes(batch)}: {error}"
        ) from error
    leaves = jax.tree.leaves(outputs)
    if not leaves or any(leaf.shape[:1] != (2,) for leaf in leaves):
        raise ValueError(f"model must give one row of outputs an input: inputs {shown_shapes(batch)} gave {outputs}")
    is_one = len(leaves) == 1 and leaves[0].shape[1:] in ((), (1,))
    return outputs, unit_of_network(trace, len(x[1]), precision), is_one and ends_in_sigmoid(trace.jaxpr)
