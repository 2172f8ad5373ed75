"""Files that appear whole, durable and under their final name, or not at all."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Sequence
from types import TracebackType

# What one system call takes (IOV_MAX of Linux and macOS).
_BUFFERS_AT_ONCE = 1024
TEMPORARY_SUFFIX = ".boxmill-tmp"


class AtomicFile:
    """A file written beside its final name and moved there when it is whole.

    Two writers of one name do not meet: each has a temporary name of its own, and the last move wins.

    Attributes:
      bytes_written, sha256: of what was written.
    """

    def __init__(self, path: str):
        self._path = path
        self._temporary = f"{path}.{uuid.uuid4().hex[:12]}{TEMPORARY_SUFFIX}"
        self._descriptor = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        self._digest = hashlib.sha256()
        self.bytes_written = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def write(self, buffers: Sequence[bytes]) -> None:
        """Appends buffers in their order, in one system call where the kernel takes them whole."""
        for buffer in buffers:
            self._digest.update(buffer)
        expected = sum(map(len, buffers))
        written = os.writev(self._descriptor, buffers[:_BUFFERS_AT_ONCE])
        if written != expected:
            self._write_rest(b"".join(buffers)[written:])
        self.bytes_written += expected

    def _write_rest(self, rest: bytes) -> None:
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def commit(self) -> None:
        """Makes the content durable and gives it its final name."""
        os.fsync(self._descriptor)
        self._close()
        os.replace(self._temporary, self._path)

    def commit_exclusively(self) -> None:
        """As ``commit``, but the name must be free.

        Raises:
          FileExistsError: it is taken; nothing has changed.
        """
        os.fsync(self._descriptor)
        self._close()
        try:
            os.link(self._temporary, self._path)
        finally:
            os.unlink(self._temporary)
        sync_folder(os.path.dirname(self._path))

    def discard(self) -> None:
        """Removes what was written."""
        self._close()
        os.unlink(self._temporary)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor >= 0:  # neither committed nor discarded
            self.discard()


def write_atomically(path: str, data: bytes) -> None:
    """Writes a small file whole."""
    with AtomicFile(path) as file:
        file.write([data])
        file.commit()


def sync_folder(folder: str) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
