"""Whether killed commands resume to equal numbers: every command of interjax under `kill -9` at random moments.

    python benchmarks/kills.py
    python benchmarks/kills.py --command measure --kills 10

Each command runs once undisturbed. Then it is started in another folder, killed at a moment drawn from the time that
it took, started again there, and so on until it ends before its moment or was killed four times and is left to end; and
all that in new folders until it was killed as often as asked. All numbers that the first and each other folder hold in
JSON, JSON lines and npz are compared. Prints a line of JSON for each command: how often it was killed, in how many
folders, how many files are equal to the byte, and the largest difference of a number, relative to the largest of its
array. Trains two small networks on the bundled digits.
"""

import argparse


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--command", action="append", help="only this one; repeatable")
    arguments.add_argument("--kills", type=int, default=6, help="of each command")
    arguments.add_argument("--seed", type=int, default=0, help="of the moments")
    options = arguments.parse_args()
    from measuring.kills import run

    run(options)


if __name__ == "__main__":
    main()
