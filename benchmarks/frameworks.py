"""Networks of other frameworks: lines of code, agreement with brute force, programs compiled, passes a second.

    pip install -e ".[frameworks]" torch==2.13.0 torchax==0.0.13
    python benchmarks/frameworks.py > benchmarks/results/frameworks.jsonl

For each framework that is installed a network in its training mode where it has one, and random masks of one input: the
lines that a user writes beyond the network, the largest difference of values from masked forwards by the framework
itself in evaluation mode, how many programs a second game of the network and a game of new weights compile, and passes
a second: ours with the masking, beside the framework's own batched forward on inputs that are masked already, at its
faster size of batch; both compiled before, in turns, in one process. Prints JSON lines.
"""

import argparse


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--masks", type=int, default=4096, help="masks of one input")
    arguments.add_argument("--repeats", type=int, default=7, help="of which the median is taken")
    options = arguments.parse_args()
    from measuring.frameworks import run

    run(options)


if __name__ == "__main__":
    main()
