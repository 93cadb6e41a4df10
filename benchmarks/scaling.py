"""How time grows with players, contexts, inputs, devices, and with the players of an exact computation.

    python benchmarks/scaling.py --plot benchmarks/results/scaling.png > benchmarks/results/scaling.jsonl

Times are medians of repeats after one run that compiles. An MLP (784-256-256-10); one quantity is varied at a time
from 14x14 players, 20 contexts, one input, 13 orders, all pairs among 16 random players. Virtual devices share this
machine's cores, so their times show the overhead of spreading work and no gain; each number has its own process.
Exact mode takes a ready table of 2^n values. Prints JSON lines; --plot draws the lines of a file.
"""

from support.cores import arguments_of, use_cores


def main() -> None:
    arguments = arguments_of(__doc__, threads=0)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--network", default="mlp", help="any of ij.networks that takes 28x28x1 pixels")
    arguments.add_argument("--cells", type=int, nargs="+", default=[4, 7, 14, 28], help="players along a side")
    arguments.add_argument("--contexts", type=int, nargs="+", default=[5, 20, 80, 320])
    arguments.add_argument("--inputs", type=int, nargs="+", default=[1, 4, 16, 64])
    arguments.add_argument("--devices", type=int, nargs="*", default=[1, 2, 4, 8], help="virtual CPU devices")
    arguments.add_argument("--exact", type=int, nargs="+", default=[12, 14, 16, 18, 20, 22, 24], help="players")
    arguments.add_argument("--plot", help="also draw the figures into this PNG")
    arguments.add_argument("--fast", action="store_true", help="small sizes: a trial of the script")
    arguments.add_argument("--on-all-devices", action="store_true", help="only time one run on the devices there are")
    options = arguments.parse_args()
    if options.fast:
        options.repeats, options.cells, options.contexts, options.inputs = 1, [2, 4], [2, 4], [1, 2]
        options.devices, options.exact = [2], [8, 10]
    options.clock = use_cores(options.threads)
    from measuring.scaling import run  # now: libraries start their threads when they are imported

    run(options)


if __name__ == "__main__":
    main()
