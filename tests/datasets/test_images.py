"""Pictures and where they lie: depths, orientation, transparency, sizes, links, archives, torchvision's folders."""

import os
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest

from interjax import datasets
from interjax.datasets import _archives
from interjax.datasets._pictures import decode

Image = pytest.importorskip("PIL.Image")
LEVELS = np.arange(64, dtype=np.uint8).reshape(8, 8)


def png(width, height):
    """The start of a PNG that announces a size, and holds no pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def saved(tmp_path, image, **options):
    image.save(tmp_path / "a.png", **options)
    return decode("a.png", (tmp_path / "a.png").read_bytes())


def tree(folder):
    for split in ("train", "test"):
        for label, name in enumerate(("cat", "dog")):
            (folder / split / name).mkdir(parents=True)
            for number in range(2):
                level = np.full((8, 8, 3), 90 * label + 40 * number + (split == "test"), np.uint8)
                Image.fromarray(level).save(folder / split / name / f"{number}.png")
    return folder


def equal(first, second):
    first, second = datasets.cifar10(first), datasets.cifar10(second)
    return np.array_equal(first.train_x, second.train_x) and np.array_equal(first.test_y, second.test_y)


def test_16_bit_grey_is_scaled_to_8(tmp_path):
    found = saved(tmp_path, Image.fromarray(LEVELS.astype(np.uint16) * 257 * 4))
    np.testing.assert_array_equal(found, np.repeat(LEVELS[..., None] * 4, 3, axis=-1))
    assert saved(tmp_path, Image.fromarray(np.full((2, 2), 1000, np.uint16))).max() == round(1000 / 257)


def test_an_image_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    found = saved(tmp_path, Image.fromarray(LEVELS), exif=exif)
    np.testing.assert_array_equal(found[..., 0], np.rot90(LEVELS, -1))


def test_opaque_and_palette_images_keep_their_colours(tmp_path):
    assert saved(tmp_path, Image.new("RGBA", (2, 2), (10, 20, 30, 255)))[0, 0].tolist() == [10, 20, 30]
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert saved(tmp_path, palette)[0, 0].tolist() == [10, 20, 30]
    with pytest.raises(ValueError, match=r"a.png is transparent in parts"):
        saved(tmp_path, palette, transparency=1)
    with pytest.raises(ValueError, match=r"a.png is transparent in parts"):
        saved(tmp_path, Image.new("LA", (2, 2), (10, 20)))


@pytest.mark.parametrize("side", [2049, 10_000, 20_000])
def test_an_image_that_is_too_large_is_refused_before_it_is_unpacked(side):
    with pytest.raises(ValueError, match="pixels, more than the 2048x2048"):
        decode("a.png", png(side, side))


def test_a_split_that_fills_the_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(_archives, "UNPACKED_LIMIT", 4 * 192 - 1)
    with pytest.raises(ValueError, match=r"holds 4 images of 8x8 pixels in one split.*limit="):
        datasets.cifar10(tree(tmp_path))


def test_linked_class_folders_are_read_and_circles_end(tmp_path):
    folder, links = tree(tmp_path / "set"), tmp_path / "links"
    (links / "test").mkdir(parents=True)
    os.symlink(folder / "train", links / "train")
    for name in ("cat", "dog"):
        os.symlink(folder / "test" / name, links / "test" / name)
    assert equal(folder, links)
    before = datasets.cifar10(links).train_x
    os.symlink(links, links / "test" / "cat" / "again")
    os.symlink(tmp_path, links / "above")
    os.symlink(links / "train", folder / "train" / "cat" / "train")
    np.testing.assert_array_equal(datasets.cifar10(links).train_x, before)
    os.symlink(tmp_path / "nowhere", folder / "train" / "cat" / "9.png")
    with pytest.raises(ValueError, match=r"9.png in .* cannot be read"):
        datasets.cifar10(links)


@pytest.mark.parametrize("suffix", ["zip", "tar.bz2"])
def test_an_archive_of_images_equals_its_folder(tmp_path, suffix):
    folder, path = tree(tmp_path / "set"), tmp_path / f"set.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.rglob("*"):
                archive.write(file, file.relative_to(tmp_path))
    else:
        with tarfile.open(path, "w:bz2") as archive:
            archive.add(folder, "set")
    assert equal(folder, path)


def test_links_in_a_tar_are_followed_or_refused(tmp_path):
    folder = tree(tmp_path / "set")
    os.link(folder / "train" / "cat" / "0.png", folder / "train" / "cat" / "7.png")
    os.symlink("0.png", folder / "train" / "dog" / "8.png")
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder, "set")
    assert equal(folder, tmp_path / "set.tar")
    assert len(datasets.cifar10(tmp_path / "set.tar").train_x) == 6
    os.symlink("/nowhere/9.png", folder / "train" / "dog" / "9.png")
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder, "set")
    with pytest.raises(ValueError, match=r"9.png in .* is a link to /nowhere/9.png, no file there"):
        datasets.cifar10(tmp_path / "set.tar")


@pytest.mark.parametrize("place", ["train/5.png", "train/cat/more/5.png"])
def test_an_image_outside_the_class_folders_is_not_passed_over(tmp_path, place):
    path = tree(tmp_path) / place
    path.parent.mkdir(exist_ok=True)
    Image.new("L", (8, 8)).save(path)
    with pytest.raises(ValueError, match=r"5.png in .* lies outside a class folder"):
        datasets.cifar10(tmp_path)


def test_two_sets_of_images_in_one_folder_are_not_joined(tmp_path):
    tree(tmp_path / "a")
    tree(tmp_path / "b")
    with pytest.raises(ValueError, match="more than one data set of images, in a and b"):
        datasets.cifar10(tmp_path)


@pytest.mark.parametrize("limit", [0, -1, 1.5])
def test_a_limit_that_is_no_count_is_refused(tmp_path, limit):
    with pytest.raises(ValueError, match="limit must be an integer of at least 1"):
        datasets.cifar10(tree(tmp_path / "set"), limit=limit)


@pytest.mark.parametrize("given", ["", "MNIST", "MNIST/raw"])
def test_torchvisions_folders_of_mnist_are_found(tmp_path, given):
    place = tmp_path / "MNIST" / "raw"
    place.mkdir(parents=True)
    for prefix in ("train", "t10k"):
        images = bytes([0, 0, 8, 3]) + struct.pack(">3I", 10, 28, 28) + bytes(10 * 784)
        (place / f"{prefix}-images-idx3-ubyte").write_bytes(images)
        (place / f"{prefix}-labels-idx1-ubyte").write_bytes(
            bytes([0, 0, 8, 1]) + struct.pack(">I", 10) + bytes(range(10))
        )
    np.testing.assert_array_equal(datasets.mnist(tmp_path / given).train_y, np.arange(10))
