"""`interjax train`: a network, plain or steered to orders."""

from typing import Any

import click

from interjax.cli import _work as work
from interjax.cli._choices import ALIGNMENTS, AVERAGES, MODES, PRESETS
from interjax.cli._options import Grid, common


@click.command()
@common
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    default=None,
    help="the papers' networks: low-order penalizes (.7, 1), mid-order encourages (.3, .7), "
    "high-order penalizes (0, .5)",
)
@click.option("--modulate", type=click.Choice(MODES), default=None, help="steer orders from --low to --high")
@click.option("--low", type=float, default=None, help="where the range of orders begins, a share of the players")
@click.option("--high", type=float, default=None, help="where it ends")
@click.option("--weight", type=click.FloatRange(0), default=1.0, help="of the modulation beside the cross entropy")
@click.option("--draws", type=click.IntRange(1), default=1, help="pairs of coalitions drawn for each example and step")
@click.option("--average", type=click.Choice(AVERAGES), default="losses", help="what is averaged over the draws")
@click.option("--align", type=click.Choice(ALIGNMENTS), default="sizes", help="coefficient of the smaller coalition")
@click.option("--grid", type=Grid(), default=None, help="players of the modulation: cells along each axis")
@click.option("--baseline", default="0", help="what fills absent players: a number, or `mean` of the training data")
@click.option(
    "--schedule",
    type=click.Choice(["default", "paper"]),
    default="default",
    help="paper: SGD, momentum .9, rate .01 falling tenfold, weight decay 5e-4",
)
@click.option(
    "--checkpoints",
    type=click.IntRange(2),
    default=None,
    help="keep so many log-spaced checkpoints, from the untrained network on; by default the last alone",
)
def train(**settings: Any) -> None:
    """Train a network and keep it as a checkpoint.

    --preset or --modulate adds the papers' loss that steers the network to low, middle or high orders.
    """
    work.train(settings)
