"""What a step of training with a modulation loss costs, beside a plain step and beside PyTorch.

    python benchmarks/modulation.py --threads 1      # CPU seconds of one thread, pinned to one core
    python benchmarks/modulation.py --threads 2      # wall clock on two
    python benchmarks/modulation.py --networks mlp lenet tabular_mlp alexnet

Batches of 128, SGD of momentum .9. One draw of (S1, S2) makes three passes where the plain step makes one; the promise
is 3.2 times its time at most. The contenders:

- interjax_plain: cross entropy, a step of `ij.training.train`;
- interjax_high-order, _mid-order, _low-order: the same with `ij.losses.order_modulation` added, the papers' networks;
- interjax_order_weighted: with `ij.losses.order_weighted` added, three orders, one context: four more passes;
- compiled_plain, ...: each of these without the host's part of a step, which is the same for all and would hide what
  the passes cost of a small network;
- torch_plain: cross entropy in PyTorch;
- official_high-order, ...: the released PyTorch code's step (permutations by NumPy, three passes, two gradients);
- tuned_high-order, ...: PyTorch with the masks of a batch from one sort, and one pass and gradient for all.

First the loss and its gradient are compared between the frameworks, on the same weights and the same masks; where they
differ by more than 1e-5 of their largest entry, nothing is timed. PyTorch runs in the memory layout (contiguous or
channels_last) in which its plain step is fastest. All run in one process, in turn, several rounds; figures are medians
over rounds with the least and the largest, ratios are taken round by round. Prints JSON lines.

On a machine that has other work, set OMP_WAIT_POLICY=PASSIVE: PyTorch's threads spin while they wait for each other,
and where one of two cores is taken its steps become 10 to 20 times as long.
"""

from support.cores import arguments_of, use_cores


def main() -> None:
    arguments = arguments_of(__doc__, threads=1)
    arguments.add_argument("--networks", nargs="+", default=["mlp", "lenet", "tabular_mlp"], help="these or alexnet")
    arguments.add_argument("--rounds", type=int, default=9)
    arguments.add_argument("--seconds", type=float, default=0.2, help="least duration of one measurement")
    arguments.add_argument("--fast", action="store_true", help="small networks, short: a trial of the script")
    options = arguments.parse_args()
    if options.fast:
        options.rounds, options.seconds = 2, 0.01
    options.clock = use_cores(options.threads)
    from measuring.modulation import run  # now: libraries start their threads when they are imported

    run(options)


if __name__ == "__main__":
    main()
