"""Readers of published image formats: IDX (MNIST), binary batches and image folders or their tar (CIFAR-10)."""

import functools
import gzip
import io
import lzma
import math
import tarfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from interjax._core._checks import check_count

Split = tuple[np.ndarray, np.ndarray]
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, tarfile.TarError)


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked if it is gzip; raises ValueError that names a missing or damaged file."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: check the path") from None
    except _DAMAGED as error:
        raise ValueError(f"{path} cannot be read ({error}): it may be damaged; download it again") from error


def read_mnist(folder: Path, limit: int | None) -> tuple[Split, Split]:
    """Training and test split of MNIST's four IDX files: images uint8 (N, 28, 28), labels (N,)."""
    train, test = _read_idx_split(folder, "train"), _read_idx_split(folder, "t10k")
    return _first_of_each(*train, limit), _first_of_each(*test, limit)


def _read_idx_split(folder: Path, prefix: str) -> Split:
    images_path, labels_path = _find_idx(folder, prefix, "images", 3), _find_idx(folder, prefix, "labels", 1)
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise ValueError(
            f"{images_path} holds {len(images)} images but {labels_path} holds {len(labels)} labels: "
            "both must come from the same download"
        )
    return images, labels


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


def _find_idx(folder: Path, prefix: str, kind: str, n_axes: int) -> Path:
    spellings = [f"{prefix}-{kind}{mark}idx{n_axes}-ubyte{end}" for mark in "-." for end in ("", ".gz")]
    for spelling in spellings:
        if (folder / spelling).is_file():
            return folder / spelling
    raise ValueError(
        f"{folder} holds no {spellings[0]} (nor {', '.join(spellings[1:])}): MNIST is four IDX files, "
        "train-images, train-labels, t10k-images, t10k-labels; download them into one folder"
    )


def read_cifar(source: Path, limit: int | None) -> tuple[Split, Split, tuple[str, ...]]:
    """Training and test split (images uint8 (N, height, width, 3), labels) and class names.

    `source` is a folder or a tar, with CIFAR-10's binary batches or with train/CLASS/ and test/CLASS/ in it.
    """
    files = _list_tar(source) if source.is_file() else _list_folder(source)
    batches = {path.name: read for path, read in files.items() if path.suffix == ".bin"}
    if batches:
        train_names = [f"data_batch_{number}.bin" for number in range(1, 6)]
        train = _read_batches(source, batches, train_names)
        test = _read_batches(source, batches, ["test_batch.bin"])
        return _first_of_each(*train, limit), _first_of_each(*test, limit), CIFAR_CLASSES
    if any(path.name == "data_batch_1" for path in files):
        raise ValueError(
            f"{source} holds the Python version of CIFAR-10, which is pickled and not opened here; "
            "download the binary version (cifar-10-binary.tar.gz) instead"
        )
    return _read_image_tree(source, files, limit)


def _list_folder(folder: Path) -> dict[PurePosixPath, Callable[[], bytes]]:
    if not folder.is_dir():
        raise ValueError(f"{folder} does not exist: expected a folder or a tar of CIFAR-10; check the path")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {PurePosixPath(path.relative_to(folder)): path.read_bytes for path in paths}
    return {path: read for path, read in files.items() if not _hidden(path)}


def _list_tar(path: Path) -> dict[PurePosixPath, Callable[[], bytes]]:
    """Every file of a tar, unpacked in memory: seeking in a compressed one costs ten times as long."""
    files = {}
    try:
        data = read_bytes(path)
        data = lzma.decompress(data) if data[:6] == b"\xfd7zXZ\0" else data
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                name, start = PurePosixPath(member.name), member.offset_data
                if member.isreg() and not _hidden(name):
                    files[name] = functools.partial(data.__getitem__, slice(start, start + member.size))
    except _DAMAGED as error:
        raise ValueError(
            f"{path} cannot be read as a tar (.tar, .tar.gz, .tar.xz) of CIFAR-10 ({error}): "
            "it may be damaged; download it again"
        ) from error
    return files


def _hidden(path: PurePosixPath) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in path.parts)


def _read_batches(source: Path, batches: Mapping[str, Callable[[], bytes]], names: list[str]) -> Split:
    """Rows of one label byte and 3 x 32 x 32 pixel bytes."""
    missing = [name for name in names if name not in batches]
    if missing:
        raise ValueError(
            f"{source} lacks {', '.join(missing)}: CIFAR-10's binary version is data_batch_1.bin to "
            "data_batch_5.bin and test_batch.bin; download cifar-10-binary.tar.gz again"
        )
    rows = []
    for name in names:
        data = np.frombuffer(batches[name](), np.uint8)
        if not len(data) or len(data) % 3073 or data[::3073].max() > 9:
            raise ValueError(
                f"{name} in {source} is no CIFAR-10 batch: expected rows of 3073 bytes that start with a "
                f"label 0..9, got {len(data)} bytes; it may be damaged or belong to CIFAR-100"
            )
        rows.append(data.reshape(-1, 3073))
    table = np.concatenate(rows)
    return table[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), table[:, 0]


def _first_of_each(images: np.ndarray, labels: np.ndarray, limit: int | None) -> Split:
    rows = first_of_each(labels, limit)
    return images[rows], labels[rows]


def first_of_each(labels: np.ndarray, limit: int | None) -> np.ndarray:
    """Rows, in order, of the first `limit` examples of every class."""
    if limit is None:
        return np.arange(len(labels))
    limit = check_count("limit", limit, about="the number of examples of each class")
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:limit] for label in np.unique(labels)]))


def _read_image_tree(source: Path, files: Mapping, limit: int | None) -> tuple[Split, Split, tuple[str, ...]]:
    groups: dict[tuple[str, str], list[PurePosixPath]] = {}
    for path in sorted(files):
        if len(path.parts) >= 3 and path.parts[-3] in ("train", "test"):
            groups.setdefault((path.parts[-3], path.parts[-2]), []).append(path)
    classes = {split: sorted(name for part, name in groups if part == split) for split in ("train", "test")}
    if len(classes["train"]) < 2 or classes["train"] != classes["test"]:
        raise ValueError(
            f"{source} holds no data set of images: expected train/CLASS/*.jpg (or .png) and test/CLASS/*.jpg "
            f"with the same two or more classes, or CIFAR-10's binary batches (data_batch_1.bin, ...); found "
            f"classes {classes['train']} in train and {classes['test']} in test"
        )
    names = classes["train"]
    splits = []
    for split in ("train", "test"):
        images, labels, expected = [], [], None
        for label, name in enumerate(names):
            for path in groups[split, name][:limit]:
                images.append(_decode(source, path, files[path], expected))
                labels.append(label)
                expected = images[0].shape
        splits.append((np.stack(images), np.array(labels)))
    if splits[0][0].shape[1:] != splits[1][0].shape[1:]:
        sizes = [split[0].shape[1:3] for split in splits]
        raise ValueError(f"{source}: training images are {sizes[0]} and test images {sizes[1]}; resize them")
    return splits[0], splits[1], tuple(names)


def _decode(source: Path, path: PurePosixPath, read: Callable[[], bytes], expected) -> np.ndarray:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError('reading images needs pillow: pip install "interjax[cli]"') from error
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise ValueError(f"{path} in {source} is no image: expected only {', '.join(IMAGE_SUFFIXES)} there")
    try:
        image = np.asarray(Image.open(io.BytesIO(read())).convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path} in {source} is a damaged image ({error}): download it again") from error
    if expected is not None and image.shape != expected:
        raise ValueError(
            f"{path} in {source} has {image.shape[0]}x{image.shape[1]} pixels where the first image has "
            f"{expected[0]}x{expected[1]}: resize all images to one size"
        )
    return image
