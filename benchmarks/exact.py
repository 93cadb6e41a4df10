"""What small games cost and how far their profiles are off: sampled, and from all coalitions.

    python benchmarks/exact.py --data FOLDER --runs 20

The profile of one input of the games of FOLDER (games/*.npz, 8 to 16 players), by default arguments, with `exact=False`
(sampled) and `exact=None` (chosen): passes, and the largest root mean square error of J^(m) over keys, against that of
the table by its definition. Prints JSON lines.
"""

import argparse


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", required=True, help="folder that holds games/*.npz")
    arguments.add_argument("--runs", type=int, default=20, help="keys")
    arguments.add_argument("--games", nargs="*", help="names of games, by default all")
    options = arguments.parse_args()
    from measuring.exact import run

    run(options)


if __name__ == "__main__":
    main()
