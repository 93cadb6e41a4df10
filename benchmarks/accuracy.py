"""Error of the strength profile J^(m) against forward passes and time: the papers' estimator and interjax's.

    INTERJAX_DATA=folder python benchmarks/accuracy.py --inputs 50 --threads 1

A network is trained on MNIST (on the bundled digits where INTERJAX_DATA names no folder with mnist/). The reference
measures every pair within radius 2 on the grid in many contexts; its own error is stated beside the others. The error
is the root mean square over orders and repeats of J / J_reference - 1. With one input the figure is averaged over
`--examples` inputs, each by itself.

Time to a profile with an error of `--target`: interjax's is measured from the network and the inputs to the profile,
compiling apart. The official estimator's is a product, since it takes hours: the passes that its error curve needs
(the curve measured with interjax's own quadruples, equal in distribution) over the passes a second of the released
code's way in PyTorch, measured in the same run. Pairs with a player that equals the baseline have interactions of
exactly 0: the curve leaves their passes out and counts them. Prints JSON lines.
"""

from support.cores import arguments_of, use_cores


def allocation(text: str) -> tuple[int | None, int | None]:
    """Pairs and contexts for each input: "200x100", or "default" for the library's own choice."""
    if text == "default":
        return None, None
    n_pairs, contexts = text.split("x")
    return int(n_pairs), int(contexts)


def main() -> None:
    arguments = arguments_of(__doc__, threads=0)
    arguments.add_argument("--inputs", type=int, default=1, help="inputs that J averages over")
    arguments.add_argument(
        "--examples", type=int, default=4, help="with --inputs 1: how many inputs to try, one by one"
    )
    arguments.add_argument("--repeats", type=int, default=8, help="independent repeats of each estimator")
    arguments.add_argument("--official-repeats", type=int, help="the same for the official estimator, if other")
    arguments.add_argument("--reference-contexts", type=int, default=400)
    arguments.add_argument("--network", default="mlp")
    arguments.add_argument(
        "--baseline", choices=["zero", "mean"], default="zero", help="mean leaves no player known to be null"
    )
    arguments.add_argument("--target", type=float, default=0.02, help="error to be reached")
    arguments.add_argument(
        "--official",
        nargs="+",
        type=allocation,
        default=[(66, 30), (200, 10), (200, 30), (400, 30), (200, 100)],
        help="allocations PAIRSxCONTEXTS of the official estimator; the papers' is 200x100",
    )
    arguments.add_argument(
        "--ours",
        nargs="+",
        type=allocation,
        default=[
            *[(pairs, 4) for pairs in (60, 120, 180, 240, 480, 960)],
            *[(pairs, 10) for pairs in (120, 240, 480, 960)],
            (None, None),
        ],
        help="allocations of interjax, PAIRSxCONTEXTS or default",
    )
    arguments.add_argument("--seconds", type=float, default=10.0, help="least duration of measuring PyTorch's rate")
    options = arguments.parse_args()
    options.clock = use_cores(options.threads)
    from measuring.accuracy import run  # now: libraries start their threads when they are imported

    run(options)


if __name__ == "__main__":
    main()
