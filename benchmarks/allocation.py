"""What contexts that are allotted to orders by noise and cost save, beside equally many at every order.

    python benchmarks/allocation.py --data FOLDER --runs 100

The profile of one input, all pairs, of the games of FOLDER (games/*.npz) and of a network, a tanh network, a sparse, a
near-additive and a heavy-tailed game of 12 players. First at a fixed number of passes, those of 20 contexts for each
pair and order: the largest root mean square error of J^(m) over the runs, of 20 contexts everywhere and of
`n_forwards=`, with the same keys, and the ratio of the passes that both would take for the same error (error squared
times passes), with its 90% interval over runs by the bootstrap. Then for a wished error, what 60 contexts everywhere
state on average: passes that `target_stderr=` took from rounds of 20, and those of 60 contexts. Prints JSON lines.
"""

import argparse


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", help="folder that holds games/*.npz")
    arguments.add_argument("--runs", type=int, default=100, help="keys")
    arguments.add_argument("--games", nargs="*", help="names of games, by default all")
    options = arguments.parse_args()
    from measuring.allocation import run

    run(options)


if __name__ == "__main__":
    main()
