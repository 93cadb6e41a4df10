"""Good calls of networks, training, losses, evaluation and dynamics."""

import numpy as np
import optax
from bad_calls import given
from bad_calls.judging import Line
from bad_calls.rooms.concepts import CHECKPOINTS, STEPS
from bad_calls.shared import PLAYERS
from bad_calls.values import (
    anything,
    array,
    choice,
    count,
    flag,
    folder,
    function,
    number,
    numbers,
    one_of,
    orders,
    shape,
    values,
    without,
)
from flax import nnx

import interjax as ij

N = given.N
SEED = values("a", None, 0.5, np.nan, [0], {}, object(), 1e20, True, right=(np.int64(1), given.KEY))
RNGS = values(3, None, "a", given.KEY, object(), {}, np.nan)
RATE = number("[0, 1)")
PYTREE = values({1, 2}, object(), [object()], abs, maybe=({"a": 1},))
INTO = folder(a_file=given.a_file())
MODULE = without(one_of(**given.wrong_networks(), a_function=lambda x: x[:, :2]), "a network of other inputs")
WIDTHS = values(
    "a",
    None,
    [],
    [4],
    [0, 2],
    [4, -1, 2],
    [4.5, 2],
    [4.0, 2],
    [True, 2],
    ["4", "2"],
    [np.nan, 2],
    {},
    object(),
    [None, 2],
    7,
    right=([4, 2], np.array([4, 2])),
)
WIDTHS_ALONE = without(WIDTHS, "wrong 3", "wrong 14", "right 0", "right 1", "wrong 16")
CELL_LIMITS = values(3, "a", (1, 0), (0,), (np.nan, 1), (0, 1, 2), object(), (0, np.inf), {}, ("a", "b"), (1j, 2))
ACTIVATION = values("no such", "", None, 3, [], {}, object(), np.nan, True)
IMAGE = lambda good: shape(good) + values((12,), (12, 12), (2, 2, 1), (12, 12, 1, 1))(good)  # noqa: E731


def an_image_network(name, least, small=None, **kinds):
    return Line(
        f"networks.{name}",
        lambda: {"input_shape": (least, least, 1), "n_classes": 2, "rngs": nnx.Rngs(0)} | (small or {}),
        {"input_shape": IMAGE, "n_classes": count(), "rngs": RNGS, "activation": ACTIVATION, "dropout": RATE} | kinds,
        fresh=True,
    )


def loss_of(**more):
    return lambda: (
        {"key": given.KEY, "apply": given.network(), "x": given.X, "labels": given.LABELS, "players": given.PLAYERS}
        | more
    )


APPLY = without(one_of(**given.wrong_networks()), "function", "a function of nothing")
SHARE = number("[0, 1]")
FLAT = array(more_axes=False)  # a perceptron flattens its inputs
STEERED = {
    "players": without(one_of(), "function"),
    "draws": count(),
    "weight": number("[0, inf)"),
    "low": SHARE,
    "high": SHARE,
    "mode": choice(),
    "align": choice(),
    "average": choice(),
}
ORDER_WEIGHTS = numbers(
    [1.0],
    [1.0, 1.0, 1.0],
    None,
    3,
    [],
    ["a", "b"],
    [np.nan, 1.0],
    [np.inf, 1.0],
    [None, 1.0],
    [1j, 1],
    right_no=[[1.0, 2.0]],
)


def strength(good):
    """The size of a change: a number, or an array that broadcasts against one input."""
    numbers_alone = without(number("(0, inf)"), "two", "list of one")(good)
    return numbers_alone + values(np.zeros(77), [-1.0] * N)(good)


STRENGTHS = numbers([0.0], [-1.0], [np.inf], 3, ["a"], optional=True)


def training():
    return {
        "model": ij.networks.build("mlp", (N,), 2, hidden=(3,)),
        "data": given.data(),
        "key": given.KEY,
        "optimizer": given.OPTIMIZER,
        "steps": 2,
        "batch_size": 4,
    }


LINES = (
    Line(
        "networks.build",
        lambda: {"name": "mlp", "input_shape": (N,), "n_classes": 2},
        {"name": choice(), "input_shape": shape, "n_classes": count(2), "seed": SEED},
    ),
    *(
        Line(
            "networks.build",
            lambda name=name: {"name": name, "input_shape": (N,), "n_classes": 2},
            {"name": anything, "input_shape": anything, "n_classes": anything, "seed": anything},
            case=name,
        )
        for name in ("tabular_mlp", "residual_mlp")
    ),
    Line(
        "networks.NetworkSpec",
        lambda: {"name": "mlp", "input_shape": (N,), "n_classes": 2},
        {
            "name": choice(),
            "input_shape": shape,
            "n_classes": count(2),
            "options": values(
                3, "a", None, {"no_such": 1}, {1: 2}, {"hidden": object()}, {"hidden": {1, 2}}, [1], object(), np.nan
            ),
        },
    ),
    Line("networks.NetworkSpec.build", dict, {"seed": SEED}, of=lambda: given.SPEC.build),
    Line("networks.NetworkSpec.to_json", dict, of=lambda: given.SPEC.to_json),
    Line(
        "networks.NetworkSpec.from_json",
        lambda: {"fields": given.SPEC.to_json()},
        {
            "fields": values(
                None,
                3,
                "a",
                [],
                {},
                {"name": "mlp"},
                given.SPEC.to_json() | {"more": 1},
                given.SPEC.to_json() | {"name": "no such"},
                object(),
            )
        },
        words={"fields": ("name",)},
    ),
    Line(
        "networks.MLP",
        lambda: {"sizes": (N, 3, 2), "rngs": nnx.Rngs(0)},
        {"sizes": WIDTHS, "activation": ACTIVATION, "dropout": RATE, "rngs": RNGS},
        fresh=True,
    ),
    Line(
        "networks.ResidualMLP",
        lambda: {"n_inputs": N, "n_classes": 2, "width": 3, "rngs": nnx.Rngs(0)},
        {
            "n_inputs": count(),
            "n_classes": count(),
            "width": count(),
            "depth": count(3),
            "activation": ACTIVATION,
            "dropout": RATE,
            "rngs": RNGS,
        },
        fresh=True,
    ),
    an_image_network("LeNet", 12),
    an_image_network("AlexNetCIFAR", 32),
    an_image_network(
        "ResNet", 4, {"depth": 8, "width": 2}, depth=values(7, 8.5, "20", None, True, -4, np.nan, 0), width=count()
    ),
    an_image_network(
        "ResNet18",
        8,
        {"widths": (2, 2, 2, 2)},
        widths=values((4, 4, 4), "abcd", None, (4, 4, 4, 0), (4.5,) * 4, 3, (True,) * 4),
        stem=choice(),
    ),
    an_image_network(
        "VisionTransformer",
        4,
        {"width": 4, "depth": 1, "heads": 2},
        patch=count(),
        width=count(),
        depth=count(),
        heads=count(),
    ),
    an_image_network(
        "QuantisedLeNet",
        12,
        {"channels": (2, 2), "hidden": (3,)},
        channels=WIDTHS_ALONE,
        side=count(),
        hidden=WIDTHS_ALONE,
        levels=count(2),
        limits=values(3, "a", (1, 0), (0,), (np.nan, 1), (0, 1, 2), object()),
        activation=ACTIVATION,
    ),
    Line(
        "networks.QuantisedMLP",
        lambda: {"sizes": (N, 3, 2), "levels": 4, "rngs": nnx.Rngs(0)},
        {
            "sizes": without(WIDTHS, "right 0", "right 1"),
            "levels": count(2),
            "activation": ACTIVATION,
            "limits": values(3, "a", (1, 0), (0,), (np.nan, 1), (0, 1, 2), object()),
            "rngs": RNGS,
        },
        fresh=True,
    ),
    Line(
        "networks.Quantiser",
        lambda: {"levels": 4, "limits": (-1.0, 1.0), "rngs": nnx.Rngs(0)},
        {
            "levels": count(2),
            "limits": CELL_LIMITS,
            "deterministic": values("yes", 2, 0.5, [], np.nan, object()),
            "rngs": values("a", {}, object(), np.nan),
        },
        fresh=True,
    ),
    *(
        Line(
            f"networks.{type(network).__name__}.__call__",
            lambda x=x: {"x": x},
            {"x": without(array(rows=False, more_axes=False, nan="maybe", nothing=False), "traced")},
            of=lambda network=network: network,
        )
        for network, x in ((given.network(), given.X), (given.quantised(), given.X))
    ),
    Line(
        "training.accuracy",
        lambda: {"model": given.network(), "x": given.X, "y": given.LABELS},
        {"x": FLAT},
    ),
    Line(
        "training.r_squared",
        lambda: {"model": given.network(classes=1), "x": given.X, "y": given.X[:, 0]},
        {
            "model": without(one_of(**given.wrong_networks()), "function", "in a list"),
            "x": FLAT,
            "y": array(exact=False),
        },
    ),
    Line(
        "training.correctly_classified",
        lambda: {"model": given.network(), "x": given.X, "y": given.LABELS, "count": 1, "key": given.KEY},
        {"model": without(one_of(**given.wrong_networks()), "function", "in a list"), "x": FLAT},
    ),
    Line(
        "training.train",
        training,
        {
            "model": MODULE,
            "data": one_of(
                given.data(5), x=given.X, three=(1, 2, 3), no_match=(given.X, given.LABELS[:2]), texts=("a", "b")
            ),
            "optimizer": one_of(a_type=optax.adam, a_schedule=optax.constant_schedule(0.1), rate=0.1),
            "epochs": count(optional=True),
            "steps": count(),
            "batch_size": count(),
            "loss": function(
                lambda: 0, lambda model, x, y, key: 0.0, lambda model, x, y, key: None, lambda model, x, y, key: "a"
            ),
            "augment": function(lambda: 0, lambda key, x: None, lambda key, x: x[:2]),
            "checkpoint_folder": INTO,
            "save_every": count(optional=True),
            "save_at": values(
                3, "a", [99], [-1], [0.5], ["1"], [None], object(), [np.nan], [True], right=([1], (0, 1), np.array([1]))
            ),
            "keep": count(optional=True),
            "spec": one_of(optional=True, a_name="mlp"),
            "extra": values(3, "a", [1], object(), {"a": object()}, {1, 2}),
            "metrics": lambda good: without(folder(a_file=given.folder()), "array")(good),
            "on_epoch": function(),
            "on_checkpoint": function(),
        },
        fresh=True,
    ),
    Line(
        "training.train",
        lambda: {**training(), "data": (given.X, given.LABELS), "steps": None, "epochs": 1},
        {
            "model": anything,
            "data": lambda good: [
                *values(
                    x=(1, given.LABELS),
                    texts=(given.X.astype(str), given.LABELS),
                    objects=(given.X.astype(object), given.LABELS),
                )(good),
                *values(
                    nan=(given.X * np.nan, given.LABELS),
                    negative=(given.X, given.LABELS - 1),
                    too_large=(given.X, given.LABELS + 2),
                )(good),
                *values(
                    complex_values=(given.X + 1j, given.LABELS),
                    floats=(given.X, given.LABELS + 0.0),
                    nothing=(given.X[:0], given.LABELS[:0]),
                )(good),
                *values(
                    masked_array=(np.ma.masked_array(given.X, given.X > 0), given.LABELS),
                    column=(given.X, given.LABELS[:, None]),
                )(good),
                *values(right=([given.X.tolist(), given.LABELS.tolist()],))(good),
            ],
            "steps": anything,
            **dict.fromkeys(
                (
                    "optimizer",
                    "loss",
                    "augment",
                    "checkpoint_folder",
                    "save_every",
                    "save_at",
                    "keep",
                    "spec",
                    "extra",
                    "metrics",
                    "on_epoch",
                ),
                anything,
            ),
            "on_checkpoint": anything,
            "epochs": count(),
        },
        fresh=True,
        case="on arrays",
    ),
    Line(
        "training.cross_entropy",
        lambda: {"model": given.network(), "x": given.X, "y": given.LABELS, "key": given.KEY},
        {"key": anything, "model": APPLY, "x": without(FLAT, "nan", "infinite")},
    ),
    Line(
        "training.squared_error",
        lambda: {"model": given.network(classes=1), "x": given.X, "y": given.X[:, 0], "key": given.KEY},
        {
            "key": anything,
            "model": APPLY,
            "x": without(FLAT, "nan", "infinite"),
            "y": array(exact=False, nan="maybe"),
        },
    ),
    *(
        Line(f"training.{name}", lambda more=more: {"players": given.PLAYERS} | more, STEERED | kinds)
        for name, more, kinds in (
            *(
                (f"Modulated{plain}", {"mode": "encourage", "low": 0.2, "high": 0.6}, {})
                for plain in ("CrossEntropy", "SquaredError")
            ),
            *(
                (
                    f"OrderWeighted{plain}",
                    {"orders": (0, 1), "weights": (1.0, -1.0)},
                    {
                        "weights": ORDER_WEIGHTS,
                        "strength": choice(),
                        "relative": flag,
                        "orders": orders(N - 2, optional=False),
                    },
                )
                for plain in ("CrossEntropy", "SquaredError")
            ),
        )
    ),
    Line(
        "training.ModulatedCrossEntropy.__call__",
        lambda: {"model": given.network(), "x": given.X, "y": given.LABELS, "key": given.KEY},
        {"model": APPLY, "x": array(nan="maybe")},
        of=lambda: ij.training.ModulatedCrossEntropy(given.PLAYERS, mode="encourage", low=0.2, high=0.6),
    ),
    Line(
        "training.default_plan",
        lambda: {"data": given.data()},
        {
            "network": choice(optional=True),
            "epochs": count(optional=True),
            "data": one_of(a_pair=(given.X, given.LABELS)),
        },
    ),
    *(
        Line(
            f"training.Plan.{name}",
            lambda: {"examples": 100},
            {"examples": count()},
            of=lambda name=name: getattr(ij.training.default_plan(given.data()), name),
        )
        for name in ("n_steps", "steps_an_epoch")
    ),
    Line(
        "training.Plan.log_spaced",
        lambda: {"examples": 100, "count": 3},
        {"examples": count(), "count": count(2)},
        of=lambda: ij.training.default_plan(given.data()).log_spaced,
    ),
    Line("training.paper_optimizer", lambda: {"steps": 10}, {"rate": number("(0, inf)")}),
    Line(
        "training.flip_and_crop",
        lambda: {"key": given.KEY, "x": given.IMAGES},
        {"x": array(exact=False, rows=False, nan="maybe", nothing=False), "padding": count(0)},
    ),
    Line("training.log_spaced_steps", lambda: {"steps": 100, "count": 4}, {"count": count(2)}),
    Line(
        "training.save_network",
        lambda: {"folder": given.folder() / "saved", "spec": given.SPEC, "model": given.SPEC.build(0)},
        {
            "folder": folder(a_file=given.a_file(), optional=False),
            "spec": one_of(ij.networks.NetworkSpec("mlp", (5,), 2)),
            "model": MODULE,
            "extra": values(3, "a", [1], {"a": object()}, object()),
        },
    ),
    Line(
        "training.load_network",
        lambda: {"folder": given.saved_network()},
        {
            "folder": folder(a_file=given.a_file(), read=True, optional=False),
            "step": without(count(0, optional=True), "float of it"),
            "expect": one_of(ij.networks.NetworkSpec("mlp", (5,), 2), optional=True),
        },
    ),
    Line(
        "training.saved_steps",
        lambda: {"folder": given.saved_network()},
        {"folder": folder(a_file=given.a_file(), read=True, optional=False)},
    ),
    Line(
        "training.over_checkpoints",
        lambda: {"checkpoints": given.checkpoints(), "measure": lambda network: {"a": np.ones(2)}},
        {
            "checkpoints": CHECKPOINTS,
            "measure": function(
                lambda: 0,
                lambda network: None,
                lambda network: {1: 2},
                lambda network: {"a": object()},
                lambda network: 3,
                optional=False,
            ),
            "steps": STEPS,
            "settings": values(3, "a", object(), [1], {"a": object()}),
        },
        of=lambda: (
            lambda checkpoints, measure, *, steps=None, folder=None, settings=None, progress=None: list(
                ij.training.over_checkpoints(
                    checkpoints, measure, steps=steps, folder=folder, settings=settings, progress=progress
                )
            )
        ),
    ),
    Line(
        "losses.modulated_sizes",
        lambda: {"low": 0.2, "high": 0.6, "n_players": 10},
        {"low": SHARE, "high": SHARE, "n_players": count()},
    ),
    Line(
        "losses.nested_coalitions",
        lambda: {"key": given.KEY, "batch": 3, "n_players": N, "sizes": (1, 3)},
        {"batch": count(), "n_players": count(), "sizes": numbers([9], [-1], [0.5], [], 3, None, [1.0])},
    ),
    Line(
        "losses.order_modulation",
        loss_of(low=0.2, high=0.6),
        {
            "apply": APPLY,
            "x": array(nan="maybe"),
            "low": SHARE,
            "high": SHARE,
            "mode": choice(),
            "align": choice(),
            "average": choice(),
            "task": choice(),
        },
    ),
    Line(
        "losses.order_modulation",
        lambda: {
            "key": given.KEY,
            "apply": given.network(classes=1),
            "x": given.X,
            "labels": given.X[:, 0],
            "players": given.PLAYERS,
            "low": 0.2,
            "high": 0.6,
            "task": "regression",
        },
        {
            "apply": without(one_of(**given.wrong_networks()), "function", "a function of nothing"),
            "x": array(nan="maybe"),
            "labels": array(exact=False, nan="maybe"),
            **dict.fromkeys(
                ("low", "high", "mode", "align", "average", "task", "players", "baseline", "draws"), anything
            ),
            "key": anything,
        },
        case="of numbers",
    ),
    Line(
        "losses.order_weighted",
        loss_of(orders=[0, 1], weights=[1.0, -1.0]),
        {
            "apply": APPLY,
            "x": array(nan="maybe"),
            "weights": ORDER_WEIGHTS,
            "strength": choice(),
            "orders": orders(N - 2, optional=False),
        },
    ),
    Line(
        "evaluation.evaluate",
        lambda: {"networks": given.network(), "data": given.data(), "key": given.KEY, "pgd_steps": 1, "limit": 4},
        {
            "networks": without(one_of(**given.wrong_networks()), "function", "in a list"),
            "strengths": STRENGTHS,
            "pgd_steps": count(),
            "players": without(PLAYERS, "none"),
            "occlusions": numbers([-0.5], [1.5], 3),
            "occlusion_grid": count(optional=True),
            "shuffles": numbers([-1], [0.5], 3),
        },
    ),
    Line(
        "evaluation.evaluate",
        lambda: {
            "networks": {"a": given.network()},
            "data": given.data(),
            "key": given.KEY,
            "pgd_steps": 1,
            "limit": 4,
            "strengths": (),
            "occlusions": (0.5,),
        },
        {
            "networks": values({}, {"a": 3}, {"a": given.network(5)}),
            **dict.fromkeys(
                (
                    "strengths",
                    "pgd_steps",
                    "occlusions",
                    "occlusion_grid",
                    "shuffles",
                    "limit",
                    "batch_size",
                    "data",
                    "progress",
                    "players",
                ),
                anything,
            ),
        },
        case="of networks by name",
    ),
    Line(
        "evaluation.Evaluation.of",
        lambda: {"measure": given.evaluation().measures[0]},
        {"measure": choice(), "network": choice(optional=True)},
        of=lambda: given.evaluation().of,
    ),
    Line("evaluation.Evaluation.table", dict, of=lambda: given.evaluation().table),
    *(
        Line(
            f"evaluation.{name}",
            lambda first=first: (
                first | {"apply": given.network(), "params": None, "x": given.X, "y": given.LABELS, "strength": 0.1}
            ),
            {
                "apply": APPLY,
                "x": FLAT,
                "params": lambda good: values(3, "a", object())(good),
                "strength": strength,
                "step_size": lambda good: [
                    each for each in number("(0, inf)", optional=True)(0.1) if each[0] not in ("two", "list of one")
                ],
                "restarts": count(),
            },
        )
        for name, first in (("fgsm", {}), ("pgd", {"key": given.KEY, "steps": 2}))
    ),
    Line(
        "evaluation.attack_limits",
        lambda: {"data": given.image_data_in_range(), "strength": 0.1},
        {"data": one_of(a_pair=(given.X, given.LABELS)), "strength": number("(0, inf)")},
    ),
    Line(
        "evaluation.occlude",
        lambda: {"key": given.KEY, "x": given.X, "players": given.PLAYERS, "share": 0.3},
        {"share": number("[0, 1]"), "x": array(rows=False, nan="maybe")},
    ),
    Line(
        "evaluation.shuffle_patches",
        lambda: {"key": given.KEY, "x": given.IMAGES, "grid": 2},
        {
            "x": array(exact=False, rows=False, more_axes=False),
            "grid": lambda good: count()(good) + values(3, 9)(good),
            "index": lambda good: array(optional=True, nan="never")(np.arange(4)),
        },
    ),
    Line(
        "dynamics.gradient_statistics",
        lambda: {
            "key": given.KEY,
            "model": given.network(),
            "x": given.X[:2],
            "labels": given.LABELS[:2],
            "players": given.PLAYERS,
            "orders": [0, 1],
            "pairs": 2,
            "contexts": 2,
        },
        {
            "contexts": count(2),
            "batch": count(optional=True),
            "pairs": values(
                "some",
                None,
                0,
                -1,
                2.5,
                True,
                [],
                [(0, 0)],
                [(0, 9)],
                [0, 1],
                object(),
                {},
                np.nan,
                right=(np.int64(2),),
            ),
        },
    ),
    Line(
        "dynamics.checkpoint_profiles",
        lambda: {
            "key": given.KEY,
            "checkpoints": given.checkpoints(),
            "x": given.X[:2],
            "labels": given.LABELS[:2],
            "players": given.PLAYERS,
        },
        {"checkpoints": CHECKPOINTS, "steps": STEPS},
    ),
)
