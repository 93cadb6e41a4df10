"""The processor cores that a benchmark may use, chosen before any library starts its threads."""

import argparse
import os
import time
from collections.abc import Callable


def arguments_of(description: str | None, *, threads: int) -> argparse.ArgumentParser:
    """A parser with the option that all benchmarks have; `threads` is its default, 0 = all cores."""
    arguments = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument(
        "--threads",
        type=int,
        default=threads,
        help=f"processor cores to use, 0 = all; with 1 times are CPU seconds, else wall clock ({threads})",
    )
    return arguments


def use_cores(threads: int) -> Callable[[], float]:
    """Restrict this process to so many cores, and return the clock that fits: both frameworks size their thread pools
    by the cores that they may use, and CPU seconds of one thread do not depend on what else the machine does."""
    if threads and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    if threads:
        os.environ["OMP_NUM_THREADS"] = str(threads)
    if threads != 1:
        return time.perf_counter
    single = " --xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + single
    return time.process_time
