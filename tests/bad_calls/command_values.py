"""What options of the command line cannot mean, by their types, and options that do not go together."""

from typing import Any

import click

from interjax.cli._options import Bytes, Grid, Numbers

NO_INTEGER = (
    "",
    "a",
    "2.5",
    "nan",
    "inf",
    "1e20",
    "1e3",
    "-1",
    "1,000",
    "0x10",
    "None",
    "true",
    "--",
    "1 2",
    "2**3",
    "½",
)
NO_NUMBER = ("", "a", "nan", "inf", "-inf", "1,5", "None", "true", "1 2", "--", "0x1p3", "½", "-1")
NO_LIST = (
    "",
    "a",
    "1,",
    ",",
    ",1",
    "1,,2",
    "1;2",
    "nan",
    "1.0,nan",
    "inf.0",
    "1e3",
    "0.5.1",
    "-1",
    "-0.5",
    "[1]",
    "1 2",
    "None",
    "99999",
)
NO_GRID = (
    "",
    "4",
    "4x",
    "x4",
    "0x4",
    "-4x4",
    "4*4",
    "nanxnan",
    "2.5x4",
    "100x100",
    "4x4x4x4",
    "axb",
    "4,4",
    "None",
    "4xx4",
)
NO_BYTES = ("", "-1", "0", "GB", "1XB", "nan", "1e9", "0MB", "1.5.2GB", "inf", "2 3GB", "None", "1,5GB")
NO_CHOICE = ("", "no-such", "0", "None", "mean,rms", " ", "MEAN!", "nan")
NO_TEXT = {
    "data": (
        *(
            "",
            "no-such",
            "csv",
            "csv:",
            "csv:no-such.csv:label",
            "mnist:",
            "mnist:no-such",
            "cifar10:no-such",
            "adult:no-such",
        ),
        *(
            "digits:3",
            ":",
            "http://x/y.csv",
            "DIGITS",
            "nan",
            "csv:{table}",
            "csv:{table}:no-such",
            "csv:{folder}:label",
            "mnist:{file}",
        ),
        *(
            "cifar10:{file}",
            "adult:{folder}",
            "mnist:{folder}",
            "csv:{file}:label",
            "csv:{empty}:label",
            "adult:{file}",
        ),
    ),
    "network": (
        "",
        "no-such",
        "MLP",
        "mlp,lenet",
        "nan",
        "0",
        "None",
        "lenet",
        "alexnet",
        "vit",
        "resnet18",
        "quantised_lenet",
    ),
    "baseline": (
        "",
        "nan",
        "inf",
        "-inf",
        "Mean",
        "marginal:",
        "marginal:0",
        "marginal:-1",
        "marginal:x",
        "marginal:999999",
        "marginal:2.5",
        "1e400",
        "1,5",
        "none",
    ),
    "classes": ("", "no-such", "99", "-1", ",", "0,99", "0.5", "nan", "0;1"),
    "layers": ("", "no-such", ",", "layers.0,no-such", "nan", "0", "layers.0,,x"),
    "coordinator": ("", "no-port", "host:port", "1"),
}
COMBINATIONS = {
    "measure": (
        ["--no-such"],
        ["extra"],
        ["--seed"],
        ["--radius", "2"],
        ["--grid", "2x2"],
        ["--limit", "3"],
        ["--coordinator", "localhost:1"],
        ["--processes", "2"],
        ["--process-id", "0"],
        ["--distributed"],
        ["--checkpoint", "{network}", "--epochs", "1"],
        ["--checkpoint", "{network}", "--network", "mlp"],
        ["--checkpoint", "{network}", "--data", "digits"],
        ["--checkpoint", "{other}"],
        ["--preset", "official", "--radius", "2"],
        ["--orders", "0,99"],
        ["--orders", "0.5,2.0"],
        ["--orders", "1,1"],
    ),
    "train": (
        ["--no-such"],
        ["extra"],
        ["--low", "0.1"],
        ["--high", "0.5"],
        ["--low", "0.1", "--high", "0.5"],
        ["--modulate", "encourage"],
        ["--modulate", "encourage", "--low", "0.5", "--high", "0.1"],
        ["--modulate", "penalize", "--low", "0", "--high", "2"],
        ["--modulate", "penalize", "--low", "nan", "--high", "1"],
        ["--modulate", "penalize", "--low", "0.5"],
        ["--preset", "low-order", "--modulate", "encourage", "--low", "0", "--high", "1"],
        ["--preset", "low-order", "--baseline", "marginal:3"],
        ["--preset", "low-order", "--baseline", "nan"],
        ["--preset", "low-order", "--grid", "2x2"],
        ["--limit", "3"],
        ["--checkpoint", "{network}"],
        ["--weight", "2"],
        ["--draws", "3"],
        ["--average", "logits"],
        ["--align", "fractions"],
        ["--baseline", "1"],
    ),
    "concepts": (
        ["--no-such"],
        ["extra"],
        ["--cells", "2x2"],
        ["--rule", "centre"],
        ["--checkpoints", "3"],
        ["--stability", "--kind", "and"],
        ["--segments", "{file}"],
        ["--segments", "{table}", "--players", "2"],
        ["--segments", "no-such.npy"],
        ["--players", "99"],
        ["--rule", "all", "--players", "1"],
        ["--tau", "0"],
        ["--tau", "2"],
        ["--noise", "2"],
        ["--dynamics", "--checkpoint", "{network}"],
        ["--dynamics", "--inputs", "1"],
        ["--limit", "3"],
        ["--checkpoint", "{network}", "--epochs", "1"],
        ["--checkpoint", "{other}"],
    ),
    "complexity": (
        ["--no-such"],
        ["extra"],
        ["--resamples", "3"],
        ["--checkpoint", "{network}"],
        ["--checkpoint", "{other}"],
        ["--checkpoint", "{network}", "--epochs", "1"],
        ["--network", "mlp"],
        ["--groups", "9"],
        ["--limit", "3"],
        ["--layers", "no-such", "--levels", "4"],
    ),
    "evaluate": (
        ["--no-such"],
        [],
        ["no-such"],
        ["{file}"],
        ["{folder}"],
        ["{network}", "{network}"],
        ["{network}", "--strengths", "0"],
        ["{network}", "--strengths", "-1"],
        ["{network}", "--occlusions", "2.0"],
        ["{network}", "--occlusions", "0.0"],
        ["{network}", "--shuffles", "2"],
        ["{network}", "--baseline", "marginal:2"],
        ["{other}"],
        ["{network}", "--limit", "3"],
    ),
    "reproduce bottleneck": (
        ["--no-such"],
        ["extra"],
        ["--setting", "mnist-mlp", "--folder", "{folder}"],
        ["--folder", "{folder}"],
        ["--setting", "digits-mlp", "--limit", "3"],
    ),
    "reproduce generalization": (
        ["--no-such"],
        ["extra"],
        ["--setting", "mnist-lenet", "--folder", "{folder}"],
        ["--folder", "{folder}"],
        ["--share", "2"],
        ["--share", "-1"],
    ),
    "reproduce complexity": (["--no-such"], ["extra"], ["--setting", "mnist", "--folder", "{folder}"]),
    "": (
        ["no-such"],
        ["--no-such"],
        ["measure", "measure"],
        ["reproduce", "no-such"],
        ["reproduce", "--no-such"],
        ["Measure"],
        ["-x"],
    ),
}


def wrong_values(option: Any) -> list[str]:
    """What an option cannot mean, by its type; {names} in braces stand for files."""
    kind, name = option.type, option.name
    of_type = {Numbers: NO_LIST, Grid: NO_GRID, Bytes: NO_BYTES, click.Choice: NO_CHOICE}
    for each, values in of_type.items():
        if isinstance(kind, each):
            return [value for value in values if (name, value) != ("strengths", "99999")]  # a table has no largest one
    if isinstance(kind, click.Path):
        missing, wrong = ["no-such"] if kind.exists else [], "{file}" if kind.dir_okay else "{folder}"
        return ["", wrong, *missing]
    if isinstance(kind, click.types.FloatParamType):
        return [value for value in NO_NUMBER if (name, value) != ("target_stderr", "inf")]  # inf: as it comes
    if isinstance(kind, click.types.IntParamType):
        ends = [getattr(kind, end, None) for end in ("min", "max")]
        beyond = [str(end + step) for end, step in zip(ends, (-1, 1), strict=True) if end is not None]
        return list(dict.fromkeys([*NO_INTEGER, *beyond]))
    return list(NO_TEXT.get(name, ("",)))
