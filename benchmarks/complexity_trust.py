"""How often I and C of samples are right where `interjax.pid` calls them reliable, and where it does not.

    python benchmarks/complexity_trust.py --threads 2 --out one.jsonl
    python benchmarks/complexity_trust.py --set 1 --seeds 1 --out other.jsonl
    python benchmarks/complexity_trust.py --quick
    python benchmarks/complexity_trust.py --again one.jsonl other.jsonl --out results/complexity_trust.jsonl

Distributions of 3 to 5 sources with 4 or 8 levels and 2 or 10 classes, of which every probability is known, so that the
true I and C have no sampling error: like layers of a network (tanh of Gaussians around means for class and style,
rounded; labels wrong for 0 or 20%; spread and noise drawn at random), independent (I = 0), synergistic (the target is
the sum of codes modulo the classes), redundant copies. Of each, samples of 300 to 60,000 go through
`ij.pid.representational_complexity` as a user calls it.

Right is I within 10% and C within 5% of the truth; where there is no information nothing is right. Tables:

- rules: of the results called reliable, how many are right in I, in C, in both, and the largest errors; of all results
  that are right, how many are called unreliable ("needless"). "in use" is the verdict itself: coverage at least .9, the
  correction and 1.96 standard errors together at most 10% of I and 5% of C. The others limit coverage, corrections (the
  result less its corrected value, as a share) and errors otherwise. "of" says whose values are to be right.
- estimates: median and 90th percentile of the relative error of I and of C, by how well samples cover the realisations.
- intervals: how often value -+ 1.96 standard errors, and others (t: Student's quantile, of as many degrees of freedom
  as there are pairs of halves; the last is that of C in use), hold the truth where the rule in use says reliable,
  and their median width as a share of it.

The file: machine and versions; one line for each distribution, with a column for each figure of its results; the
tables. Distributions come in random order, so that those reached in `--seconds` are like the others.
"""

from support.cores import arguments_of, use_cores


def main() -> None:
    arguments = arguments_of(__doc__, threads=2)
    arguments.add_argument("--out", help="write the lines to this file")
    arguments.add_argument("--again", nargs="+", help="only the tables, from files written before")
    arguments.add_argument("--distributions", type=int, default=24, help="like networks; a third as many of the others")
    arguments.add_argument("--set", type=int, default=0, help="other numbers, other distributions")
    arguments.add_argument("--seeds", type=int, default=3, help="draws of samples of each size")
    arguments.add_argument("--seconds", type=float, default=420, help="no further distribution after this time")
    arguments.add_argument("--quick", action="store_true", help="few distributions and samples: a trial of the script")
    options = arguments.parse_args()
    if options.quick:
        options.distributions, options.seeds = 6, 1
    options.clock = use_cores(options.threads)
    from measuring.complexity_trust import run  # now: libraries start their threads when they are imported

    run(options)


if __name__ == "__main__":
    main()
