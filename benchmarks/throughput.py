"""Pair-contexts per second of interjax against PyTorch: the papers' protocol, and a tuned form of the same designs.

    python benchmarks/throughput.py --threads 1      # CPU seconds of one thread, pinned to one core
    python benchmarks/throughput.py --threads 2      # wall clock on two

One pair-context is one observation v(S+ij) - v(S+i) - v(S+j) + v(S) of one pair in one context: equal work. The peers:

- official: the released PyTorch code's way (contexts by NumPy, one batch of four masks a context for each pair);
- tuned_quadruples, tuned_blocks: PyTorch on the very rows that interjax evaluates, shared contexts included (interjax
  draws and lists them for both), masks by one vectorised step, and the fastest batch size and memory layout
  (contiguous or channels_last) of those tried; every layer runs as PyTorch runs it, none is folded;
- quadruples, blocks: `ij.order_interactions`.

All run in one process on the same weights, in turn, several rounds; figures are medians over rounds with the least and
the largest. Plain forward passes of both frameworks stand beside them. Prints JSON lines.
"""

from support.cores import arguments_of, use_cores


def main() -> None:
    arguments = arguments_of(__doc__, threads=1)
    arguments.add_argument("--networks", nargs="+", default=["mlp", "lenet", "alexnet"])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=1.5, help="least duration of one measurement")
    arguments.add_argument(
        "--fast", action="store_true", help="one short round: a trial of the script, not a measurement"
    )
    options = arguments.parse_args()
    if options.fast:
        options.rounds, options.seconds = 1, 0.01
    options.clock = use_cores(options.threads)
    from measuring.throughput import run  # now: libraries start their threads when they are imported

    run(options)


if __name__ == "__main__":
    main()
