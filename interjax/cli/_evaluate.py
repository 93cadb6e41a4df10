"""`interjax evaluate`: trained networks side by side."""

from pathlib import Path
from typing import Any

import click

from interjax.cli import _work as work
from interjax.cli._options import Folder, Numbers, data_options, run_options


@click.command()
@click.argument("checkpoints", nargs=-1, required=True, type=Folder(exists=True, file_okay=False, path_type=Path))
@data_options
@click.option(
    "--examples", type=click.IntRange(1), default=None, help="test examples to attack and corrupt; all by default"
)
@click.option("--strengths", type=Numbers(), default=None, help="of FGSM and PGD, on the pixel scale, such as 0.1,0.2")
@click.option("--pgd-steps", type=click.IntRange(1), default=20, help="steps of PGD")
@click.option("--occlusions", type=Numbers(), default=None, help="shares of the cells or columns occluded: 0.25,0.5")
@click.option("--shuffles", type=Numbers(), default=None, help="cells along a side whose order is shuffled: 2,4")
@click.option("--baseline", default="0", help="what occluded entries show: a number, or `mean` of the training data")
@run_options
def evaluate(checkpoints: tuple[Path, ...], **settings: Any) -> None:
    """Compare trained networks: accuracy, loss gap, robustness to attack and to destroyed structure.

    CHECKPOINTS are folders that `interjax train` wrote, --out or its network/.
    """
    work.evaluate(checkpoints, settings)
