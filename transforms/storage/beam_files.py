"""Files on the other file systems that Beam knows (``hdfs://``, ``s3://``, …); Beam is imported where one is named.

These keep no tags: a write that expects nothing to be there looks before it writes, which two runs may do at once.
"""

from __future__ import annotations

import errno
import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from transforms.storage.file_system import FileStatus, FileTooLarge
from transforms.storage.paths import scheme_of

_CHUNK_BYTES = 1 << 20


class BeamFiles:
    """See ``FileSystem``."""

    def read(self, path: str, max_bytes: int | None = None) -> bytes:
        with self.open(path) as stream:
            data = stream.read() if max_bytes is None else stream.read(max_bytes + 1)
        if max_bytes is not None and len(data) > max_bytes:
            raise FileTooLarge(f"{path} has more than {max_bytes} bytes")
        return data

    def read_tagged(self, path: str, max_bytes: int | None = None) -> tuple[bytes, str]:
        return self.read(path, max_bytes), ""

    def read_range(self, path: str, start: int, size: int) -> bytes:
        with self.open(path) as stream:
            stream.seek(start)
            return stream.read(size)

    def open(self, path: str) -> BinaryIO:
        from apache_beam.io.filesystem import CompressionTypes
        from apache_beam.io.filesystems import FileSystems

        with _in_plain_words(path):
            if not FileSystems.exists(path):
                raise FileNotFoundError(errno.ENOENT, "there is no such file", path)
            # The bytes as they are, whatever the name's suffix says.
            return cast(BinaryIO, FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED))

    def status(self, path: str) -> FileStatus | None:
        system = _system(path)
        with _in_plain_words(path):
            if not system.exists(path):
                return None
            return _status(system.metadata(path))

    def is_folder(self, path: str) -> bool:
        return any(True for _ in self.walk(path))

    def list_folder(self, path: str) -> tuple[list[FileStatus], list[str]]:
        files: list[FileStatus] = []
        folders: dict[str, None] = {}
        start = path.rstrip("/") + "/"
        for file in self.walk(path):
            first, separator, _ = file.path.removeprefix(start).partition("/")
            if separator:
                folders[start + first] = None
            else:
                files.append(file)
        return files, list(folders)

    def walk(self, path: str) -> Iterator[FileStatus]:
        system = _system(path)
        with _in_plain_words(path):
            entries = sorted(system._list(path.rstrip("/") + "/"), key=lambda entry: str(entry.path))
        yield from map(_status, entries)

    def write(
        self,
        path: str,
        data: bytes | BinaryIO,
        expected_tag: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        from apache_beam.io.filesystem import CompressionTypes
        from apache_beam.io.filesystems import FileSystems

        del metadata
        with _in_plain_words(path):
            if expected_tag == "" and FileSystems.exists(path):
                raise FileExistsError(errno.EEXIST, "there is a file already", path)
            folder = posixpath.dirname(path)
            if not FileSystems.exists(folder):
                FileSystems.mkdirs(folder)
            with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    data.seek(0)
                    while chunk := data.read(_CHUNK_BYTES):
                        file.write(chunk)
        return ""

    def delete(self, path: str, expected_tag: str | None = None) -> None:
        from apache_beam.io.filesystems import FileSystems

        del expected_tag
        with _in_plain_words(path):
            if FileSystems.exists(path):
                FileSystems.delete([path])

    def delete_folder(self, path: str) -> None:
        for file in self.walk(path):
            self.delete(file.path)

    def copy(self, source: str, target: str) -> None:
        with self.open(source) as stream:
            self.write(target, stream)


def _system(path: str) -> Any:
    from apache_beam.io.filesystems import FileSystems

    with _in_plain_words(path):
        return FileSystems.get_filesystem(path)


def _status(entry: Any) -> FileStatus:
    return FileStatus(entry.path, entry.size_in_bytes, entry.last_updated_in_seconds or 0.0)


@contextmanager
def _in_plain_words(path: str) -> Iterator[None]:
    from apache_beam.io.filesystem import BeamIOError

    try:
        yield
    except BeamIOError as error:
        causes = " ".join(str(cause) for cause in (error.exception_details or {}).values()) or str(error)
        raise OSError(errno.EIO, causes[:300], path) from error
    except ValueError as error:
        detail = f"Beam has no file system for {scheme_of(path)}:// here ({error}); install its extra of apache-beam"
        raise OSError(errno.EINVAL, detail, path) from None
