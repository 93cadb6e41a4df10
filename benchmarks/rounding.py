"""What float32 makes of linear networks, and what it costs to see it.

    python benchmarks/rounding.py

Networks without interactions whose numbers inside are large: logits with an offset, sums that cancel, units that are
always on, a logistic regression on columns as they were measured. For each: the largest |I^(m)| found over its standard
error, the largest over that which the values' own last digit would give, and the share of keys at which J is undefined.
Then the CPU seconds of computing eight rows in double precision, compiled and again, beside those of compiling the
network for a batch. Prints JSON lines.
"""

import argparse


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--keys", type=int, default=20, help="keys of which the largest is taken")
    options = arguments.parse_args()
    from measuring.rounding import run

    run(options)


if __name__ == "__main__":
    main()
