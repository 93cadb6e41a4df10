"""`interjax measure`: the strength profile of a network on data."""

from typing import Any

import click

from interjax.cli import _work as work
from interjax.cli._choices import OUTPUTS, PRECISIONS
from interjax.cli._options import Bytes, Grid, Numbers, checkpoint_option, common
from interjax.profiles._arguments import METHODS
from interjax.profiles._correction import CORRECTIONS, KINDS


@click.command()
@common
@checkpoint_option
@click.option(
    "--grid",
    type=Grid(),
    default=None,
    help="players: cells along each axis, such as 14x14; by default every pixel or column, at most 16x16",
)
@click.option(
    "--baseline",
    default="0",
    help="what fills absent players: a number, `mean` of the training data, or `marginal:K` examples averaged over",
)
@click.option("--output", type=click.Choice(OUTPUTS), default="log-odds", help="value read off the logits")
@click.option(
    "--orders",
    type=Numbers(),
    default=None,
    help="context sizes 0,4,8 or ratios 0.0,0.5,1.0; by default all, or 13 ratios where n > 16",
)
@click.option(
    "--inputs", type=click.IntRange(1), default=50, help="correctly classified inputs, balanced over the classes"
)
@click.option("--split", type=click.Choice(["train", "test"]), default="train", help="where the inputs come from")
@click.option(
    "--pairs",
    type=click.IntRange(1),
    default=None,
    help="pairs measured for each input; by default all where few, else 132 or more",
)
@click.option("--radius", type=click.IntRange(1), default=None, help="only pairs of grid cells at most this far apart")
@click.option(
    "--contexts",
    type=click.IntRange(1),
    default=None,
    help="contexts for each pair and order; by default 10, or 20 where all pairs are measured",
)
@click.option("--method", type=click.Choice(METHODS), default="blocks")
@click.option("--correction", type=click.Choice(CORRECTIONS), default="folded-normal")
@click.option("--kind", type=click.Choice(KINDS), default="mean", help="E|I| or root mean square")
@click.option(
    "--preset",
    type=click.Choice(["official"]),
    default=None,
    help="the papers' allocation: quadruples, 100 contexts, 200 pairs, uncorrected, sampled, radius 2 on grids",
)
@click.option(
    "--target-stderr",
    type=click.FloatRange(0, min_open=True),
    default=None,
    help="measure until the largest standard error of J is at most this",
)
@click.option(
    "--n-forwards",
    type=click.FloatRange(0, min_open=True),
    default=None,
    help="about how many forward passes to make in all: pairs and contexts are chosen by them",
)
@click.option(
    "--exact/--no-exact",
    default=None,
    help="evaluate all 2^n coalitions of each input, or sample; by default what takes fewer passes",
)
@click.option("--theory", type=click.IntRange(3), default=None, help="draw the theoretical curve of this many players")
@click.option(
    "--batch-size", type=click.IntRange(1), default=None, help="rows of a batch; by default chosen from memory"
)
@click.option(
    "--memory", type=Bytes(), default=None, help="memory for forward passes, such as 2GiB; by default what is free"
)
@click.option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="float32",
    help="of the forward pass; bfloat16 is faster on accelerators and noisier",
)
@click.option("--distributed", is_flag=True, help="one of several processes that run this same command together")
@click.option(
    "--coordinator", default=None, help="HOST:PORT where process 0 listens; found by itself under SLURM and the like"
)
@click.option("--processes", type=click.IntRange(1), default=None, help="how many processes there are; as above")
@click.option("--process-id", type=click.IntRange(0), default=None, help="which one this is, from 0; as above")
@click.pass_context
def measure(context: click.Context, **settings: Any) -> None:
    """Measure the strength profile J^(m) of a network on data.

    A run that was stopped resumes when the same command is given again. With --distributed, processes that share --out
    measure different inputs; --checkpoint is needed, and every process is given the same options but --process-id.
    """
    work.measure(context, settings)
