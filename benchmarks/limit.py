"""How near interjax comes to what the machine allows: the plain forward pass, the matrix product, and the rest.

    python benchmarks/limit.py                                     # one core, CPU seconds
    python benchmarks/limit.py --threads 0                         # whatever JAX finds: a GPU if there is one
    python benchmarks/limit.py --fast --networks lenet resnet18 vit

For each network and precision, on 16x16 players (the MLP 14x14):

- the plain forward pass on ready-made masked inputs at its best batch size; its FLOP/s over those of the machine's
  matrix products, measured in the same precision, and over the chip's nominal figure where that is known;
- passes a second of `ij.order_interactions` with the first layer unfolded and folded, and of `game(masks)`, as shares
  of the plain pass; "utilisation" counts the whole network's operations, also where folding saves some;
- the time outside forward passes: the same run with the network replaced by one player's bit, of which drawing and
  listing rows and summing on the host are measured apart. On an accelerator this overlaps with the passes.

Then the sampler alone, as a share of a quadruple of LeNet passes. Prints JSON lines; the last says the most coalitions
a second. FLOP are those of matrix products and convolutions, a multiplication and an addition counted as two.
"""

from support.cores import arguments_of, use_cores


def main() -> None:
    arguments = arguments_of(__doc__, threads=1)
    arguments.add_argument("--device", choices=["cpu", "gpu", "tpu"], help="by default what JAX finds")
    arguments.add_argument(
        "--networks", nargs="+", help="of mlp, lenet, alexnet, resnet18, vit; by default for the device"
    )
    arguments.add_argument(
        "--precisions", nargs="+", help="of float32, tensorfloat32, bfloat16; by default for the device"
    )
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=float, default=1.0, help="least duration of one measurement")
    arguments.add_argument("--sampler-players", type=int, nargs="+", default=[64, 256, 784, 1000])
    arguments.add_argument("--fast", action="store_true", help="small networks, short: a trial of the script")
    options = arguments.parse_args()
    if options.fast:
        options.rounds, options.seconds = 1, 0.02
    options.clock = use_cores(options.threads)
    from measuring.limit import run  # now: libraries start their threads when they are imported

    run(options)


if __name__ == "__main__":
    main()
