"""Partial information decomposition by shared exclusions: all atoms, and C alone, beside the field's programs.

    python benchmarks/complexity.py --threads 2 --out complexity.jsonl
    python benchmarks/complexity.py --cases atoms-4 complexity-6 --contenders interjax numpy
    python benchmarks/complexity.py --cases complexity-6 --realisations 10000 --noise 0.5 --contenders interjax

Data are like those of a network's layer: 10 classes of Gaussian inputs go through a tanh network with random weights,
and its n outputs are rounded to levels on [-1, 1]; N = 10,000 samples. A line says how many realisations (s, t) are
distinct, which is what time depends on.

- atoms-n: all atoms on average; complexity-n: C without the lattice. Of complexity-6 samples are taken until 640
  realisations are distinct (`--realisations`), as many as the NumPy prototype was timed with.
- atoms-2-binary, atoms-3-binary: 2 levels instead of 8, at which dit finishes.
- interjax: first call (with compilation) and later ones. All have the fields of trust in I(S;T), which no peer gives.
  Apart: with `resamples` for those in C or in atoms; with none at all, given realisations and weights as the peers are.
- numpy: the same formulas, group-bys and 0/1 matrices, the lattice's matrices ready: the strong peer.
- sxpid: what the released program does, from the published definition: at every realisation all unions of every
  antichain and its children, by comparing with all realisations. One process. Realisations are compared once for all
  unions, where the released program compares anew for each. Every realisation costs the same: where the limit comes
  first, `seconds` is in proportion ("extrapolated").
- dit: `dit.pid.PID_SX`, at the sizes where it finishes within the limit.

Every contender runs in a process of its own that is stopped at the limit; `megabytes` is the most that it held, and
`megabytes_before` what it held when its libraries and data were in place. A line says how far its numbers lie from
those of interjax. First line: machine and versions. Everything is JSON lines; times are medians with least and largest.
"""

from support.cores import arguments_of, use_cores

CONTENDERS = ("interjax", "numpy", "sxpid", "dit")
CASES = ("atoms-2-binary", "atoms-3-binary", "atoms-4", "atoms-5", "complexity-5", "complexity-6")


def main() -> None:
    arguments = arguments_of(__doc__, threads=2)
    arguments.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    arguments.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    arguments.add_argument("--out", help="also append the lines to this file")
    arguments.add_argument("--samples", type=int, default=10_000)
    arguments.add_argument("--realisations", type=int, default=640, help="distinct ones in complexity-6")
    arguments.add_argument(
        "--noise", type=float, default=0.2, help="of the inputs: more of it, more distinct realisations"
    )
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--resamples", type=int, default=8, help="for the time of trust")
    arguments.add_argument("--limit", type=float, default=60, help="seconds after which a peer is stopped")
    arguments.add_argument("--quick", action="store_true", help="few samples, short: a trial of the script")
    arguments.add_argument("--child", nargs=3, metavar=("CASE", "CONTENDER", "FILE"), help="used by the script itself")
    options = arguments.parse_args()
    if options.quick:
        options.samples, options.realisations, options.rounds, options.limit = 200, 40, 1, min(options.limit, 20)
    options.clock = use_cores(options.threads)
    from measuring.complexity import run  # now: libraries start their threads when they are imported

    run(options)


if __name__ == "__main__":
    main()
