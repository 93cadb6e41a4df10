"""`interjax concepts`: the Harsanyi concepts of a network on data, how they generalise and how they were learned."""

from pathlib import Path
from typing import Any

import click

from interjax.cli import _work as work
from interjax.cli._choices import CONCEPT_CHECKPOINTS, EXPLANATIONS, FEW_PLAYERS, OUTPUTS, PLAYER_RULES
from interjax.cli._options import Folder, Grid, checkpoint_option, common


@click.command()
@common
@checkpoint_option
@click.option("--dynamics", is_flag=True, help="explain the checkpoints of the training run too")
@click.option(
    "--checkpoints",
    type=click.IntRange(2),
    default=None,
    help=f"of --dynamics: how many; by default all that there are, or {CONCEPT_CHECKPOINTS} of a network trained now",
)
@click.option(
    "--cells", type=Grid(), default=None, help="cut images into cells, such as 7x7; by default 4x4 where even"
)
@click.option("--players", type=click.IntRange(1), default=None, help=f"cells or columns; by default {FEW_PLAYERS}")
@click.option(
    "--rule",
    type=click.Choice(PLAYER_RULES),
    default="contrast",
    help="which ones: those that vary or tell classes most, those nearest to the image's centre, or all",
)
@click.option(
    "--segments",
    type=Folder(dir_okay=False, path_type=Path),
    default=None,
    help="file with the player of each entry, -1 for always present: .npy, .npz, .json or .csv",
)
@click.option("--classes", default=None, help="names or numbers, such as 0,1; by default all, at most ten")
@click.option("--inputs", type=click.IntRange(1), default=10, help="training inputs of a class; half as many test ones")
@click.option(
    "--tau", type=float, default=0.05, help="salient: at least this share of the strongest effect of an input"
)
@click.option(
    "--kind", type=click.Choice(EXPLANATIONS), default="and-or", help="Harsanyi dividends, or the sparsest AND-OR"
)
@click.option("--noise", type=float, default=0.04, help="of and-or: error allowed, a share of |v(N) - v(empty)|")
@click.option("--baseline", default="0", help="what absent players show: a number, or `mean` of the training data")
@click.option("--output", type=click.Choice(OUTPUTS), default="log-odds", help="value read off the logits")
@click.option("--stability", is_flag=True, help="of and-or: how far equally sparse explanations agree on some inputs")
@click.option("--examples", type=click.IntRange(1, 9), default=4, help="training inputs whose concepts are drawn")
def concepts(**settings: Any) -> None:
    """Explain a network by its concepts: coalitions of inputs that act together.

    Shows the concepts of a few inputs, how faithful they are, how they are distributed over sizes, which sizes hold on
    test inputs, and with --dynamics in what order they are learned. A run that was stopped resumes when the same
    command is given again.
    """
    work.concepts(settings)
