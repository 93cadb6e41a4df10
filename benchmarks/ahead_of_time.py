"""What the compiler of a TPU makes of the estimator's batch programs, on a machine that has none.

    pip install "jax[tpu]"
    python benchmarks/ahead_of_time.py --devices v6e v5e --networks mlp lenet

Of each network and precision: the plain forward pass of a batch, and the program of a batch of rows as
`ij.order_interactions` dispatches it (contexts with up to two players flipped -> values), with the first layer folded
and not: on a TPU it is not by default. For each: seconds to compile, operations of the compiled program, the compiler's
own count of FLOP, bytes and predicted time, as rows a second, and the bytes of temporaries; and the predicted rate over
that of the plain pass. Predictions are a compiler's: compare them with each other, never with a measurement.

One compilation at a time: two at once abort. Prints JSON lines.
"""

import argparse
import os


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--devices", nargs="+", default=["v6e", "v5e"], choices=["v6e", "v5e"])
    arguments.add_argument("--networks", nargs="+", default=["mlp", "lenet", "alexnet", "resnet18", "vit"])
    arguments.add_argument("--precisions", nargs="+", default=["float32", "bfloat16"])
    arguments.add_argument("--rows", type=int, default=4096, help="of a batch")
    options = arguments.parse_args()
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")  # no metadata server to ask
    os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v6e-4")
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    from measuring.ahead_of_time import run

    run(options)


if __name__ == "__main__":
    main()
