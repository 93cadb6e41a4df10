"""What it costs to make a game: tracing, the probe of the network, and the identity of a folder.

    python benchmarks/snapshots.py

An MLP and LeNet on 28x28 pixels in 14x14 players, as nnx modules and as callables that hold one; one game, and 32
games in one call. Times are CPU milliseconds of a call after the first, beside one trace of the network and its
forward pass of one input; `first_identity` is that of the first call, which traces the network. Prints JSON lines.
"""

import argparse


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--calls", type=int, default=5, help="calls of which the mean is taken")
    options = arguments.parse_args()
    from measuring.snapshots import run

    run(options)


if __name__ == "__main__":
    main()
