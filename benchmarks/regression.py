"""Error of all pairs' interactions at one order against forward passes: regression, blocks and quadruples.

    INTERJAX_DATA=folder python benchmarks/regression.py --network lenet --out benchmarks/results/regression.jsonl

A network is trained on MNIST (on the bundled digits where INTERJAX_DATA names no folder with mnist/); players are 14x14
(8x8) cells, pairs all those of players that are not known to be null. Every method is given the passes that
`--quadruples` contexts for each pair take as quadruples (contexts are chosen so; the passes made are stated). The
reference is "blocks" with many contexts, of another key; a method's mean squared error is its mean squared difference
from the reference minus the reference's own squared standard error. `z` is the root mean square of the error in units
of the stated standard errors (1 = honest), `share_of_fit` the part of the regression's processor time that is not
forward passes. Prints a table and JSON lines.
"""

import argparse
from pathlib import Path


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--network", default="mlp")
    arguments.add_argument("--baseline", choices=["zero", "mean"], default="zero")
    arguments.add_argument(
        "--ratios", type=float, nargs="+", default=[0.05, 0.3, 0.5, 0.7, 0.95], help="orders / (n-2)"
    )
    arguments.add_argument("--quadruples", type=int, nargs="+", default=[2, 8], help="contexts that set the budgets")
    arguments.add_argument("--examples", type=int, default=1, help="inputs")
    arguments.add_argument("--repeats", type=int, default=2)
    arguments.add_argument("--reference-contexts", type=int, default=200)
    arguments.add_argument(
        "--fast", action="store_true", help="one input, one budget, three orders, the bundled digits"
    )
    arguments.add_argument("--out", type=Path, help="append JSON lines to this file")
    options = arguments.parse_args()
    if options.fast:
        options.ratios, options.quadruples, options.examples, options.reference_contexts = [0.1, 0.5, 0.9], [2], 1, 100
    from measuring.regression import run

    run(options)


if __name__ == "__main__":
    main()
