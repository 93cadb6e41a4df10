"""Small programs on a shorter way from JAX to XLA."""

import functools
import itertools

import jax
from jax._src.interpreters import mlir

PROGRAMS = 50  # in a context, which keeps the constants of its programs as long as it lives


def share_contexts():
    """Lower the programs of this process in MLIR contexts that they share, without looking for lines of source.

    JAX makes a context for each program, which takes 8 ms: as long as all else of the way from a small function to its
    StableHLO. What programs compute is the same. Nothing happens where the release of JAX is not known to allow it.
    """
    if jax.__version__.startswith("0.10."):
        made, make = itertools.count(), mlir.make_ir_context
        context = functools.lru_cache(maxsize=1)(lambda number: make())
        mlir.make_ir_context = lambda: context(next(made) // PROGRAMS)
        mlir._code_to_filename = lambda code: None
