"""What bfloat16 costs and gains: error of I^(m) at low, middle and high orders, and passes per second beside float32.

    python benchmarks/precision.py

Trains an MLP and LeNet on part of MNIST (where INTERJAX_DATA names no folder with mnist/, the MLP on the bundled
digits). The same contexts are evaluated at both precisions, so the difference is rounding alone: its mean size over
pairs, relative to mean |I^(m)|, and the noise that it adds to one observation, likewise. Prints JSON lines.
"""

import argparse


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--fast", action="store_true", help="fewer contexts and epochs")
    options = arguments.parse_args()
    from measuring.precision import run

    run(options)


if __name__ == "__main__":
    main()
