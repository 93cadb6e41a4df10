"""Bad calls and bad command lines: how many are refused clearly, how many end in a foreign error, how many in silence.

    python benchmarks/fuzz.py --out benchmarks/results/fuzz.jsonl
    python benchmarks/fuzz.py --only concepts --sample 500

tests/bad_calls holds one small right call of every public function, and for each kind of argument a catalogue of
values that it cannot have (another type, None, NaN, a masked array, a raw key, a traced value, ...). Each bad call has
one of them in the place of the right one, or an argument too many or too few. What came of it is told by the
traceback: it is

    clear     where interjax's own line raised a ValueError (or Python a TypeError on keywords) that names the argument,
    told      where a warning of interjax's or NaN in the answer says so,
    silent    where a value that can only be wrong gave an answer,
    refused   where a value as good as the right one was refused,
    foreign   for every other error,
    accepted  for values that are right, or right in some places.

A command line is clear if it ends with exit code 1 or 2 and one line that names the option or the value. Prints the
faults and a table, and appends a line for each room to --out. `--package` tries another checkout of interjax.
"""

import argparse
from pathlib import Path


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", nargs="+", default=[], help="rooms to try, `cli` among them; all by default")
    arguments.add_argument("--sample", type=int, default=None, help="so many calls, evenly chosen; all by default")
    arguments.add_argument("--package", type=Path, default=None, help="folder that holds another interjax/")
    arguments.add_argument("--out", type=Path, default=None, help="append JSON lines to this file")
    options = arguments.parse_args()
    from measuring.fuzz import run

    run(options)


if __name__ == "__main__":
    main()
