"""Share of 95% intervals that hold the truth, and their width beside the ideal one.

    python benchmarks/coverage.py --data FOLDER --runs 1000 --cells "interactions sparse" "profile tanh"

Cells: interactions of a game by an estimator from 2 to 20 contexts; the profile of one input; the profile of 2 to 30
inputs drawn from a population of 200 random networks, whose exact J is that of the whole population. Games: those of
FOLDER (games/*.npz), networks of 12 players, sparse, spiked (an AND of six), the largest of the present players,
heavy-tailed and nearly additive ones. Of each cell: the share of intervals that hold the truth (exact interactions left
out), its 99% interval over runs, the worst order's share, the share of runs that warned, and the width over that of
-+ 1.96 standard deviations of the estimates (medians). Prints JSON lines, of all cells or of those wished for.
"""

import argparse


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", help="folder that holds games/*.npz")
    arguments.add_argument("--runs", type=int, default=100, help="runs of a cell")
    arguments.add_argument("--cells", nargs="*", default=[""], help="cells whose names hold all words of one of these")
    arguments.add_argument("--list", action="store_true", help="print the names of the cells and end")
    options = arguments.parse_args()
    from measuring.coverage import run

    run(options)


if __name__ == "__main__":
    main()
