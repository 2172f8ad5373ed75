"""Files that appear whole, durable and under their final name, or not at all."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import TracebackType

from transforms.storage.paths import is_remote

# So much is gathered before it is handed over, in one piece: then the threads seldom meet.
_CHUNK_BYTES = 1 << 20
_CHUNKS_AHEAD = 4
_MOST_BUFFERS = 1024  # of one system call
TEMPORARY_SUFFIX = ".boxmill-tmp"


class AtomicFile:
    """A file written beside its final name and moved there when it is whole.

    Two writers of one name do not meet: each has a temporary name of its own, and the last move wins.

    Attributes:
      bytes_written: so far.
    """

    def __init__(self, path: str, executor: ThreadPoolExecutor | None = None):
        """Opens the temporary file.

        Args:
          path: the final name.
          executor: of one thread, for digest and system calls, which let go of the interpreter's lock; worth it where
            a core has nothing else to do. None: the caller's thread does them while the bytes are in its cache.
        """
        self._path = path
        self._descriptor = self._open_temporary()
        self._digest = hashlib.sha256()
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._executor = executor
        self._handed_over: deque[Future[None]] = deque()
        self.bytes_written = 0

    def _open_temporary(self) -> int:
        self._temporary = f"{self._path}.{uuid.uuid4().hex[:12]}{TEMPORARY_SUFFIX}"
        return os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    @property
    def sha256(self) -> str:
        """Of a file that is committed."""
        return self._digest.hexdigest()

    def write(self, buffers: Sequence[bytes]) -> None:
        """Appends buffers in their order.

        Raises:
          OSError: these or earlier ones could not be written.
        """
        size = sum(map(len, buffers))
        self.bytes_written += size
        if self._executor is None:
            self._append(buffers)
            return
        self._gathered += buffers
        self._gathered_bytes += size
        if self._gathered_bytes >= _CHUNK_BYTES:
            if len(self._handed_over) == _CHUNKS_AHEAD:
                self._handed_over.popleft().result()
            self._handed_over.append(self._executor.submit(self._append, [self._take_gathered()]))

    def _take_gathered(self) -> bytes:
        data = b"".join(self._gathered)
        self._gathered.clear()
        self._gathered_bytes = 0
        return data

    def _append(self, buffers: Sequence[bytes]) -> None:
        for buffer in buffers:
            self._digest.update(buffer)
        written = os.writev(self._descriptor, buffers[:_MOST_BUFFERS])
        if written == sum(map(len, buffers)):  # as nearly always
            return
        for buffer in buffers:  # what a short write has left
            rest = memoryview(buffer)[written:]
            written = max(0, written - len(buffer))
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]

    def _flush(self) -> None:
        while self._handed_over:
            self._handed_over.popleft().result()
        self._append([self._take_gathered()])

    def _finish(self) -> None:
        """Waits until all is on the disk."""
        self._flush()
        os.fsync(self._descriptor)
        self._close()

    def commit(self) -> None:
        """Makes the content durable and gives it its final name."""
        self._finish()
        os.replace(self._temporary, self._path)

    def commit_exclusively(self) -> None:
        """As ``commit``, but the name must be free.

        Raises:
          FileExistsError: it is taken; nothing has changed.
        """
        self._finish()
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
        for future in self._handed_over:
            future.cancel()
        wait(self._handed_over)
        self._handed_over.clear()
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


def open_atomic(path: str, executor: ThreadPoolExecutor | None = None) -> AtomicFile:
    """An ``AtomicFile``, at a path or a URL."""
    if not is_remote(path):
        return AtomicFile(path, executor)
    from transforms.storage.remote_file import RemoteFile

    return RemoteFile(path, executor)


def write_atomically(path: str, data: bytes) -> None:
    """Writes a small file whole, at a path or a URL."""
    with open_atomic(path) as file:
        file.write([data])
        file.commit()


def write_all(files: Mapping[str, bytes]) -> None:
    """Writes small files, each whole; remote ones beside each other."""
    if not files or not is_remote(next(iter(files))):
        for path, data in files.items():
            write_atomically(path, data)
        return
    with ThreadPoolExecutor(len(files)) as executor:
        for _ in executor.map(write_atomically, files.keys(), files.values()):
            pass


def sync_folder(folder: str) -> None:
    """Makes the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
