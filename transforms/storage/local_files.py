"""Files on this machine, by the operations that all storage has."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from transforms.storage.atomic_file import AtomicFile
from transforms.storage.file_system import FileStatus, FileTooLarge

_CHUNK_BYTES = 1 << 20


class LocalFiles:
    """See ``FileSystem``. A tag is made of the file's number, size and time of change, and no metadata are kept."""

    def read(self, path: str, max_bytes: int | None = None) -> bytes:
        with open(path, "rb") as file:
            if max_bytes is not None and (size := os.fstat(file.fileno()).st_size) > max_bytes:
                raise FileTooLarge(f"{path} has {size} bytes, the limit is {max_bytes}")
            return file.read()

    def read_tagged(self, path: str, max_bytes: int | None = None) -> tuple[bytes, str]:
        tag = _status(path, os.stat(path)).tag
        return self.read(path, max_bytes), tag

    def read_range(self, path: str, start: int, size: int) -> bytes:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, size, start)
        finally:
            os.close(descriptor)

    def open(self, path: str) -> BinaryIO:
        return open(path, "rb")

    def status(self, path: str) -> FileStatus | None:
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return None if os.path.isdir(path) else _status(path, status)

    def is_folder(self, path: str) -> bool:
        return os.path.isdir(path)

    def list_folder(self, path: str) -> tuple[list[FileStatus], list[str]]:
        files: list[FileStatus] = []
        folders: list[str] = []
        if os.path.isdir(path):
            with os.scandir(path) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file():
                        files.append(_status(entry.path, entry.stat()))
        return files, folders

    def walk(self, path: str) -> Iterator[FileStatus]:
        files, folders = self.list_folder(path)
        yield from files
        for folder in folders:
            yield from self.walk(folder)

    def write(
        self,
        path: str,
        data: bytes | BinaryIO,
        expected_tag: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """See ``FileSystem``; other tags than None and "" are compared before the write, not in one step with it."""
        del metadata
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if expected_tag:
            there = self.status(path)
            if there is None or there.tag != expected_tag:
                raise FileExistsError(f"{path} was changed by another program")
        with AtomicFile(path) as file:
            if isinstance(data, bytes):
                file.write([data])
            else:
                data.seek(0)
                while chunk := data.read(_CHUNK_BYTES):
                    file.write([chunk])
            if expected_tag == "":
                file.commit_exclusively()
            else:
                file.commit()
        return _status(path, os.stat(path)).tag

    def delete(self, path: str, expected_tag: str | None = None) -> None:
        there = self.status(path)
        if there is not None and expected_tag in (None, there.tag):
            os.unlink(path)

    def delete_folder(self, path: str) -> None:
        if os.path.isdir(path):
            shutil.rmtree(path)

    def copy(self, source: str, target: str) -> None:
        with open(source, "rb") as file:
            self.write(target, file)


def _status(path: str, status: os.stat_result) -> FileStatus:
    tag = f"{status.st_ino}-{status.st_size}-{status.st_mtime_ns}"
    return FileStatus(path, status.st_size, status.st_mtime, tag)
