"""`interjax complexity`: how many neurons of a layer must be read at once, over layers and training."""

from typing import Any

import click

from interjax.cli import _work as work
from interjax.cli._choices import COMPLEXITY_CHECKPOINTS
from interjax.cli._options import checkpoint_option, common


@click.command()
@common
@checkpoint_option
@click.option(
    "--checkpoints",
    type=click.IntRange(1),
    default=None,
    help=f"how many to measure, 1 for the last alone; by default all that there are, or {COMPLEXITY_CHECKPOINTS} of a "
    "network trained now",
)
@click.option("--layers", default=None, help="names separated by commas; by default the network's quantised layers")
@click.option("--levels", type=click.IntRange(2), default=None, help="quantise an unquantised network after training")
@click.option("--size", type=click.IntRange(2, 6), default=5, help="neurons of a random subset of a wider layer")
@click.option("--subsets", type=click.IntRange(2), default=26, help="random subsets of a layer of more than 5 neurons")
@click.option(
    "--groups",
    type=click.IntRange(2, 6),
    default=None,
    help="also cut layers into so many groups of neighbouring neurons: bounds of C for the whole layer",
)
@click.option("--resamples", type=int, default=8, help="halves of the data for errors; an even number")
def complexity(**settings: Any) -> None:
    """Measure the representational complexity of a network's hidden layers about the labels.

    Shows C of each layer with its error and whether it can be trusted, its information by degree of synergy, mean
    degrees of redundancy and vulnerability, and all of it over training. A run that was stopped resumes when the same
    command is given again.
    """
    work.complexity(settings)
