"""Readers of sets of colour images: CIFAR-10's binary batches, and images in class folders, a tar or a zip."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from interjax.datasets import _archives
from interjax.datasets._archives import Files, list_files
from interjax.datasets._pictures import decode
from interjax.datasets._splits import first_of_each

Split = tuple[np.ndarray, np.ndarray]
Groups = Mapping[tuple[str, str], list[PurePosixPath]]
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SPLITS = ("train", "test")


def read_cifar(source: Path, limit: int | None) -> tuple[Split, Split, tuple[str, ...]]:
    """Training and test split (images uint8 (N, height, width, 3), labels) and class names.

    `source` is a folder, tar or zip, with CIFAR-10's binary batches or with train/CLASS/ and test/CLASS/ in it.
    """
    files = list_files(source)
    batches = {path.name: read for path, read in files.items() if path.suffix == ".bin"}
    if len(batches) < sum(path.suffix == ".bin" for path in files):
        raise ValueError(f"{source} holds two .bin files of one name: name the folder of one data set")
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


def _read_batches(source: Path, batches: Mapping, names: list[str]) -> Split:
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


def _read_image_tree(source: Path, files: Files, limit: int | None) -> tuple[Split, Split, tuple[str, ...]]:
    groups = _class_folders(source, files)
    classes = {split: sorted(name for part, name in groups if part == split) for split in _SPLITS}
    if len(classes["train"]) < 2 or classes["train"] != classes["test"]:
        raise ValueError(
            f"{source} holds no data set of images: expected train/CLASS/*.jpg (or .png) and test/CLASS/*.jpg "
            f"with the same two or more classes, or CIFAR-10's binary batches (data_batch_1.bin, ...); found "
            f"classes {classes['train']} in train and {classes['test']} in test"
        )
    names = classes["train"]
    train, test = (_read_split(source, files, [groups[split, name][:limit] for name in names]) for split in _SPLITS)
    if train[0].shape[1:] != test[0].shape[1:]:
        sizes = [split[0].shape[1:3] for split in (train, test)]
        raise ValueError(f"{source}: training images are {sizes[0]} and test images {sizes[1]}; resize them")
    return train, test, tuple(names)


def _class_folders(source: Path, files: Files) -> Groups:
    """The files of each split and class, in order; ValueError for images that lie where none is looked for."""
    groups: dict[tuple[str, str], list[PurePosixPath]] = {}
    roots = set()
    for path in sorted(files):
        if len(path.parts) >= 3 and path.parts[-3] in _SPLITS:
            groups.setdefault((path.parts[-3], path.parts[-2]), []).append(path)
            roots.add(PurePosixPath(*path.parts[:-3]))
        elif path.suffix.lower() in IMAGE_SUFFIXES and set(_SPLITS) & set(path.parts):
            raise ValueError(f"{path} in {source} lies outside a class folder: expected train/CLASS/{path.name}")
    if len(roots) > 1:
        found = " and ".join(str(root) for root in sorted(roots)[:2])
        raise ValueError(f"{source} holds more than one data set of images, in {found}: name one of these folders")
    return groups


def _read_split(source: Path, files: Files, classes: list[list[PurePosixPath]]) -> Split:
    """The images of each class, all of one size."""
    images, size, count = np.empty(0, np.uint8), (0, 0, 0), sum(map(len, classes))
    for place, path in enumerate(path for paths in classes for path in paths):
        name = f"{path} in {source}"
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            raise ValueError(f"{name} is no image: expected only {', '.join(IMAGE_SUFFIXES)} there")
        image = decode(name, _content(name, files, path))
        if not place:
            _check_memory(source, count, image)
            size = image.shape
            images = np.empty((count, *size), np.uint8)
        if image.shape != size:
            raise ValueError(
                f"{name} has {image.shape[0]}x{image.shape[1]} pixels where the first image has {size[0]}x{size[1]}: "
                "resize all images to one size"
            )
        images[place] = image
    return images, np.repeat(np.arange(len(classes)), [len(paths) for paths in classes])


def _content(name: str, files: Files, path: PurePosixPath) -> bytes:
    try:
        return files[path]()
    except OSError as error:
        raise ValueError(f"{name} cannot be read ({error}): check the file, or the link") from error


def _check_memory(source: Path, count: int, image: np.ndarray) -> None:
    if count * image.size > _archives.UNPACKED_LIMIT:
        raise ValueError(
            f"{source} holds {count} images of {image.shape[0]}x{image.shape[1]} pixels in one split, more than "
            f"{_archives.UNPACKED_LIMIT / 2**30:g} GiB: take limit= of each class, or resize them"
        )
