"""Files as bytes: paths, what is packed (gzip, bzip2, xz, zip, tar) unpacked in memory up to a limit."""

import bz2
import functools
import gzip
import io
import lzma
import os
import posixpath
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

from interjax._core._checks import check_path

UNPACKED_LIMIT = 4 * 2**30
"""Bytes that a packed file may hold: a small one that unpacks to more would fill the memory."""
Files = dict[PurePosixPath, Callable[[], bytes]]
_CHUNK = 2**24
_PACKED: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
_ZIP = b"PK\3\4"
_DAMAGED = (
    *(EOFError, OSError, zlib.error, struct.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile),
    *(NotImplementedError, RuntimeError),  # how zipfile says that it lacks a method or a password
)


def expanded(name: str, path: Any) -> Path:
    """The path with "~" expanded; ValueError that names the argument unless it is one, or for a user there is not."""
    checked = check_path(name, path)
    try:
        return checked.expanduser()
    except RuntimeError as error:
        raise ValueError(f"{name} must be a path, got {path!r}: {error}") from None


def read_bytes(path: Path) -> bytes:
    """The content of a file, unpacked if it is gzip, bzip2, xz or a zip of one file.

    Raises:
        ValueError: the file is missing, a folder, damaged, a zip of several files, or unpacks to more than the limit.
    """
    data = _packed_bytes(path)
    try:
        if data[:4] != _ZIP:
            return _unpacked(path, data)
        files = _zip_files(path, data)
    except _DAMAGED as error:
        raise ValueError(f"{path} cannot be read ({error}): it may be damaged; download it again") from error
    if len(files) != 1:
        is_workbook = PurePosixPath("[Content_Types].xml") in files
        what = f"a zip of {len(files)} files: expected one file in it"
        raise ValueError(f"{path} is {'an Excel workbook: save the sheet as CSV' if is_workbook else what}")
    return next(iter(files.values()))()


def list_files(source: Path) -> Files:
    """Every file, but hidden ones, of a folder, tar or zip by its path there, with a function that reads it.

    Links are followed; a folder that leads back to itself is entered once.

    Raises:
        ValueError: the source is missing or damaged, or unpacks to more than the limit.
    """
    if source.is_dir():
        return _list_folder(source)
    if not source.exists():
        raise ValueError(f"{source} does not exist: expected a folder, a tar or a zip of images; check the path")
    data = _packed_bytes(source)
    try:
        return _zip_files(source, data) if data[:4] == _ZIP else _tar_files(source, _unpacked(source, data))
    except _DAMAGED as error:
        raise ValueError(
            f"{source} cannot be read as a tar (.tar, .tar.gz, .tar.bz2, .tar.xz) or zip of images ({error}): "
            "it may be damaged; download it again"
        ) from error


def check_unpacked_size(path: Path, size: int) -> None:
    """Raise ValueError where a file holds more bytes than may be unpacked."""
    if size > UNPACKED_LIMIT:
        raise ValueError(
            f"{path} unpacks to more than {UNPACKED_LIMIT / 2**30:g} GiB, which is held in memory: "
            "unpack it on disk, if it is not damaged, and take a part of it"
        )


def _packed_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist: check the path") from None
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder: expected a file") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error}): check its permissions and its disk") from error


def _unpacked(path: Path, data: bytes) -> bytes:
    opener = next((opener for start, opener in _PACKED.items() if data.startswith(start)), None)
    if opener is None:
        return data
    chunks, size = [], 0
    with opener(io.BytesIO(data)) as file:
        while chunk := file.read(_CHUNK):
            size += len(chunk)
            check_unpacked_size(path, size)
            chunks.append(chunk)
    return b"".join(chunks)


def _list_folder(folder: Path) -> Files:
    found = _walk(folder, frozenset(), os.path.realpath(folder))
    return {PurePosixPath(path.relative_to(folder)): path.read_bytes for path in found}


def _walk(folder: Path, above: frozenset[str], top: str) -> Iterator[Path]:
    """Files below a folder in order, links followed but for those that lead back to a folder above."""
    real = os.path.realpath(folder)
    if real in above or (real != top and os.path.commonpath([real, top]) == real):
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ValueError(f"{folder} cannot be read ({error}): check its permissions") from error
    for entry in entries:
        if not entry.name.startswith("."):
            if entry.is_dir():
                yield from _walk(entry, above | {real}, top)
            else:
                yield entry


def _zip_files(path: Path, data: bytes) -> Files:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        members = [member for member in archive.infolist() if not member.is_dir() and not _hidden(member.filename)]
    except (ValueError, IndexError) as error:  # of a damaged table of contents
        raise zipfile.BadZipFile(str(error)) from error
    check_unpacked_size(path, sum(member.file_size for member in members))
    return {PurePosixPath(member.filename): functools.partial(_zip_member, path, archive, member) for member in members}


def _zip_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(member)
    except (*_DAMAGED, ValueError) as error:
        raise ValueError(f"{member.filename} in {path} cannot be read ({error}); pack or download it again") from error


def _tar_files(path: Path, data: bytes) -> Files:
    """Slices of the unpacked tar: seeking in a compressed one costs ten times as long."""
    files: Files = {}
    links: dict[PurePosixPath, str] = {}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive:
            name, start = PurePosixPath(member.name), member.offset_data
            if _hidden(member.name) or member.isdir():
                continue
            if member.issym():
                links[name] = posixpath.join(posixpath.dirname(member.name), member.linkname)
            elif member.islnk():
                links[name] = member.linkname
            elif member.isreg() and not member.issparse():
                files[name] = functools.partial(data.__getitem__, slice(start, start + member.size))
    return files | {name: _linked(path, files, name, target) for name, target in links.items()}


def _linked(path: Path, files: Mapping, name: PurePosixPath, target: str) -> Callable[[], bytes]:
    found = files.get(PurePosixPath(posixpath.normpath(target)))
    if found is None:
        raise ValueError(f"{name} in {path} is a link to {target}, no file there: pack what it leads to (tar -h)")
    return found


def _hidden(name: str) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in PurePosixPath(name).parts)
