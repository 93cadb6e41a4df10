"""Strict numerics, eight virtual CPU devices, and the folder of real data (INTERJAX_DATA)."""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
os.environ.setdefault("MPLBACKEND", "Agg")

from pathlib import Path

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")


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
