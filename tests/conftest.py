"""Strict numerics, eight virtual CPU devices, one cache of quickly compiled programs, the folder of real data."""

import atexit
import gc
import os
import shutil
import tempfile
from importlib.metadata import version

os.environ.setdefault("MPLBACKEND", "Agg")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # workers and child processes inherit what the first process sets
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="interjax-compiled-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# Tests compile thousands of programs and run each once or twice: LLVM's optimisations cost half of their time. With
# JAX_DISABLE_MOST_OPTIMIZATIONS=0 they are what users have, as for the README's examples in .ci/run.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("JAX_CPU_ENABLE_ASYNC_DISPATCH", "false")  # handing small programs to threads costs a twentieth
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")  # nobody looks for the lines of programs in profilers
# So does the way through MLIR that fusions take; the way around it is an option of jaxlib 0.10 alone.
FAST_TO_COMPILE = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
if os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1" and version("jaxlib").startswith("0.10."):
    os.environ["INTERJAX_TEST_XLA_FLAGS"] = FAST_TO_COMPILE  # for kernels of notebooks, which have no eight devices
flags = [os.environ.get("XLA_FLAGS", ""), os.environ.get("INTERJAX_TEST_XLA_FLAGS", "")]
os.environ["XLA_FLAGS"] = " ".join([*flags, "--xla_force_host_platform_device_count=8"])

# Compiled programs outlive the tests that made them; looking through all of them for garbage takes a twentieth.
gc.set_threshold(100_000, 20, 100)

from pathlib import Path

import jax
import pytest
from support.lowering import share_contexts

jax.config.update("jax_numpy_rank_promotion", "raise")
share_contexts()


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder with MNIST, CIFAR-10, Adult and tables of games; the test is skipped where there is none."""
    folder = os.environ.get("INTERJAX_DATA")
    if not folder:
        pytest.skip("INTERJAX_DATA is not set: it names a folder with mnist/, cifar10/, adult/, games/")
    return Path(folder)


@pytest.fixture(scope="session")
def conformance_folder(data_folder) -> Path:
    """The folder of reference vectors, beside the data."""
    folder = data_folder.parent / "conformance"
    if not folder.is_dir():
        pytest.skip(f"{folder} does not exist: it holds the reference vectors")
    return folder


@pytest.fixture
def compilations():
    """The compilations of a test, one entry each."""
    found = []
    listener = lambda name, seconds, **_: found.append(name) if name.endswith("backend_compile_duration") else None  # noqa: E731
    jax.monitoring.register_event_duration_secs_listener(listener)
    yield found
    jax.monitoring.unregister_event_duration_listener(listener)
