"""Reader of IDX files, MNIST's format."""

import math
from pathlib import Path

import numpy as np

from interjax.datasets._archives import read_bytes
from interjax.datasets._splits import first_of_each

Split = tuple[np.ndarray, np.ndarray]
_PLACES = (".", "raw", "MNIST/raw")
_ENDS = ("", ".gz", ".bz2", ".xz", ".zip")


def read_mnist(folder: Path, limit: int | None) -> tuple[Split, Split]:
    """Training and test split of MNIST's four IDX files: images uint8 (N, 28, 28), labels (N,)."""
    place = _place(folder)
    splits = []
    for prefix in ("train", "t10k"):
        images, labels = _read_split(place, prefix)
        rows = first_of_each(labels, limit)
        splits.append((images[rows], labels[rows]))
    return splits[0], splits[1]


def read_idx(path: Path, n_axes: int) -> np.ndarray:
    """The array of an IDX file of unsigned bytes: magic number, big-endian lengths of the axes, data."""
    data = read_bytes(path)
    magic, header = bytes([0, 0, 8, n_axes]), 4 + 4 * n_axes
    if data[:4] != magic or len(data) < header:
        raise ValueError(
            f"{path} is no IDX file of unsigned bytes with {n_axes} axes: it should start with "
            f"{magic.hex(' ')}, got {data[:4].hex(' ')}; download the MNIST file of that name again"
        )
    shape = tuple(int(side) for side in np.frombuffer(data, ">u4", n_axes, offset=4))
    if len(data) != header + math.prod(shape):
        raise ValueError(
            f"{path} announces an array of {shape}, {math.prod(shape)} bytes, but {len(data) - header} "
            "follow: it may be cut short; download it again"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def _read_split(folder: Path, prefix: str) -> Split:
    images_path, labels_path = _find(folder, prefix, "images", 3), _find(folder, prefix, "labels", 1)
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise ValueError(
            f"{images_path} holds {len(images)} images but {labels_path} holds {len(labels)} labels: "
            "both must come from the same download"
        )
    return images, labels


def _place(folder: Path) -> Path:
    """The folder itself, or the one below it where torchvision keeps the files."""
    if folder.is_file():
        raise ValueError(f"{folder} is a file: expected the folder that holds MNIST's four IDX files")
    for place in _PLACES:
        if any((folder / place).glob("*idx[13]-ubyte*")):
            return folder / place
    return folder


def _find(folder: Path, prefix: str, kind: str, n_axes: int) -> Path:
    spellings = [f"{prefix}-{kind}{mark}idx{n_axes}-ubyte" for mark in "-."]
    for spelling in spellings:
        for end in _ENDS:
            if (folder / f"{spelling}{end}").is_file():
                return folder / f"{spelling}{end}"
    raise ValueError(
        f"{folder} holds no {spellings[0]} (nor {spellings[1]}, nor either with {', '.join(_ENDS[1:])}): MNIST is four "
        "IDX files, train-images, train-labels, t10k-images, t10k-labels; download them into one folder"
    )
