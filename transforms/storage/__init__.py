"""Files by path or URL, below all stages: local ones, Google Cloud Storage, and what else Beam knows.

``gs://`` goes through google-cloud-storage, other schemes through Beam's FileSystems; both are imported only when a
path with their scheme is used. See ``file_system.FileSystem`` for what each operation promises.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, BinaryIO, cast

from transforms.storage.file_system import FileStatus, FileSystem, FileTooLarge
from transforms.storage.local_files import LocalFiles
from transforms.storage.paths import absolute, canonical, is_remote, join, missing, normal, relative_name, scheme_of

__all__ = [
    "FileStatus",
    "FileSystem",
    "FileTooLarge",
    "absolute",
    "canonical",
    "copy",
    "delete",
    "delete_folder",
    "exists",
    "file_system",
    "for_pyarrow",
    "is_folder",
    "is_remote",
    "join",
    "list_folder",
    "missing",
    "normal",
    "open_file",
    "read_bytes",
    "read_range",
    "read_tagged",
    "relative_name",
    "sha256_of",
    "size_of",
    "status",
    "walk",
    "write_exclusively",
    "write_whole",
]


def file_system(path: str) -> FileSystem:
    """The storage that a path or URL is of."""
    return _of_scheme(scheme_of(path))


@cache
def _of_scheme(scheme: str) -> FileSystem:
    if not scheme:
        return LocalFiles()
    if scheme == "gs":
        from transforms.storage.gcs_files import GcsFiles

        return GcsFiles()
    from transforms.storage.beam_files import BeamFiles

    return BeamFiles()


def read_bytes(path: str, max_bytes: int | None = None) -> bytes:
    """A whole file; FileTooLarge, unread, if it has more bytes."""
    return file_system(path).read(path, max_bytes)


def read_tagged(path: str, max_bytes: int | None = None) -> tuple[bytes, str]:
    """As ``read_bytes``, and the file's tag; "" where its storage keeps none."""
    return file_system(path).read_tagged(path, max_bytes)


def read_range(path: str, start: int, size: int) -> bytes:
    """At most so many bytes from an offset on."""
    return file_system(path).read_range(path, start, size)


def open_file(path: str) -> BinaryIO:
    """A buffered stream that can seek; a remote one is read in chunks as it goes."""
    return file_system(path).open(path)


def sha256_of(stream: BinaryIO) -> str:
    """The digest of what is left of a stream."""
    return hashlib.file_digest(cast(Any, stream), "sha256").hexdigest()


def status(path: str) -> FileStatus | None:
    """Size, time of change and tag of a file; None if there is none."""
    return file_system(path).status(path)


def size_of(path: str) -> int:
    """The bytes of a file.

    Raises:
      FileNotFoundError: there is none.
    """
    found = status(path)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return found.bytes


def exists(path: str) -> bool:
    """Whether there is such a file."""
    return status(path) is not None


def is_folder(path: str) -> bool:
    """Whether there is such a folder."""
    return file_system(path).is_folder(path)


def list_folder(path: str) -> tuple[list[FileStatus], list[str]]:
    """The files right in a folder, and the paths of its folders; both empty if it is not there."""
    return file_system(path).list_folder(path)


def walk(path: str) -> Iterator[FileStatus]:
    """All files below a folder; none if it is not there."""
    return file_system(path).walk(path)


def write_whole(path: str, data: bytes | BinaryIO, metadata: Mapping[str, str] | None = None) -> str:
    """Writes a file, which appears whole or not at all, over whatever was there; returns its tag."""
    return file_system(path).write(path, data, None, metadata)


def for_pyarrow(path: str) -> str | BinaryIO:
    """What pyarrow reads a file by: the path of a local one, a stream over a remote one."""
    return open_file(path) if is_remote(path) else path


def write_exclusively(path: str, data: bytes | BinaryIO) -> str:
    """As ``write_whole``, but the name must be free: FileExistsError where it is taken."""
    return file_system(path).write(path, data, "")


def delete(path: str) -> None:
    """Removes a file; no error if there is none."""
    file_system(path).delete(path)


def delete_folder(path: str) -> None:
    """Removes all files below a folder, and the folder itself where folders are."""
    file_system(path).delete_folder(path)


def copy(source: str, target: str) -> None:
    """Copies a file; within one remote storage its bytes do not pass through this machine where that can be."""
    if scheme_of(source) == scheme_of(target):
        file_system(source).copy(source, target)
    else:
        with open_file(source) as stream:
            write_whole(target, stream)
