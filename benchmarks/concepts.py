"""Transforms, sparse AND-OR explanations and exact indices beside the field's ways of computing them.

    python benchmarks/concepts.py --threads 2 --out concepts.jsonl
    python benchmarks/concepts.py --part transforms --players 12,20
    python benchmarks/concepts.py --part and_or --players 8,10,12
    python benchmarks/concepts.py --part indices --players 16,20 --limit 300

- transforms: `ij.moebius` of one table and of batches, from NumPy in float64 and from a `jax.Array` in float32, beside
  the field's product with a matrix of 2**n x 2**n (PyTorch, the matrix ready; up to 14 players) and NumPy's step in
  place for each player (on the whole table, and in chunks that fit the cache), all at the same precision. "copy" is a
  plain copy of the table into fresh memory, which every transform has to make; ratios are taken round by round.
- and_or: `ij.concepts.and_or` beside 10,000 steps of SGD as the released code takes them (PyTorch, dense matrices,
  momentum .9, learning rate falling to a tenth; the rate of its example, 1e-5, and the best of a grid by shorter runs)
  and beside HiGHS for the optimum. Games: log-odds of image classifiers and sentiment from INTERJAX_DATA/games,
  restricted to n players with the others present; sums of AND and OR terms where that folder is missing.
- indices: `ij.interaction_index` from a table beside shapiq's ExactComputer, pairs (order 2) where the index takes an
  order, all sizes for Moebius and Co-Moebius. Each index by shapiq runs in a process of its own that is stopped at the
  limit; its time leaves out reading the table. A line says how far the values are apart, and where shapiq fails, why.

First lines name machine and versions. Everything is JSON lines; figures are medians with the least and the largest.
"""

from support.cores import arguments_of, use_cores

PARTS = ("transforms", "and_or", "indices")


def main() -> None:
    arguments = arguments_of(__doc__, threads=2)
    arguments.add_argument("--part", nargs="+", choices=PARTS, default=PARTS)
    arguments.add_argument("--players", help="numbers of players, as in 8,10,12; by default what the part is about")
    arguments.add_argument("--out", help="also append the lines to this file")
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument(
        "--seconds", type=float, default=0.3, help="least duration of one measurement of a transform"
    )
    arguments.add_argument("--limit", type=float, default=300, help="seconds after which a peer is stopped")
    arguments.add_argument("--steps", type=int, default=10_000, help="of SGD")
    arguments.add_argument("--indices", nargs="+", help="names of indices, by default all")
    arguments.add_argument("--quick", action="store_true", help="few players, short: a trial of the script")
    options = arguments.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.limit, options.steps = 1, 0.01, min(options.limit, 60), 40
    options.clock = use_cores(options.threads)
    from measuring.concepts import run  # now: libraries start their threads when they are imported

    run(options)


if __name__ == "__main__":
    main()
