"""The folder of one video's results: made aside as local files, then put in its place, its manifest last."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Protocol

from transforms import storage
from transforms.detections.output_folder import MANIFEST_FILE, NEXT, OLD
from transforms.storage.atomic_file import sync_folder

# A YOLO export has a file for each frame; Google's client keeps ten connections.
_UPLOADS_AT_ONCE = 8


class NewFolder(Protocol):
    """A folder of results in the making.

    Attributes:
      path: local; files are written below it.
    """

    path: str

    def take_in(self, file: str, name: str) -> None:
        """Gives a finished file of the work folder a name in this one, too, without reading it here."""

    def put_in_place(self) -> None:
        """Gives the folder, with its manifest in it, its final name; what was there before is removed."""


@contextmanager
def new_folder(final: str) -> Iterator[NewFolder]:
    """An empty folder that will be put in place of ``final``."""
    if not storage.is_remote(final):
        folder = _LocalFolder(final)
        try:
            yield folder
        finally:
            shutil.rmtree(folder.path, ignore_errors=True)
        return
    with tempfile.TemporaryDirectory(prefix="boxmill-") as path:
        yield _RemoteFolder(path, final)


class _LocalFolder:
    """Made beside its place, hidden, and moved there whole and durably.

    Its name is no other attempt's: one that was taken for lost may still be writing.
    """

    def __init__(self, final: str) -> None:
        attempt = f".{os.path.basename(final)}.{uuid.uuid4().hex[:12]}{NEXT}"
        self.path = os.path.join(os.path.dirname(final), attempt)
        self._final = final
        os.makedirs(self.path)

    def take_in(self, file: str, name: str) -> None:
        os.link(file, os.path.join(self.path, name))

    def put_in_place(self) -> None:
        _sync_file_system(self.path)
        old = f"{self.path}{OLD}"
        with suppress(FileNotFoundError):
            os.rename(self._final, old)
        try:
            os.rename(self.path, self._final)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            # Another attempt has come first, just now, with the same results.
        sync_folder(os.path.dirname(self._final))
        shutil.rmtree(old, ignore_errors=True)


class _RemoteFolder:
    """Made in a temporary folder and uploaded; without its manifest it is no folder of results."""

    def __init__(self, path: str, final: str) -> None:
        self.path = path
        self._final = final
        self._taken_in: dict[str, str] = {}

    def take_in(self, file: str, name: str) -> None:
        self._taken_in[name] = file

    def put_in_place(self) -> None:
        storage.delete(self._place_of(MANIFEST_FILE))
        names = sorted(storage.relative_name(file.path, self.path) for file in storage.walk(self.path))
        names.remove(MANIFEST_FILE)
        kept = {self._place_of(name) for name in (*names, *self._taken_in)}
        strangers = [file.path for file in storage.walk(self._final) if file.path not in kept]
        with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as threads:
            _all(threads.map(storage.delete, strangers))
            _all(threads.map(self._upload, names))
            _all(threads.map(self._copy, self._taken_in))
        self._upload(MANIFEST_FILE)

    def _place_of(self, name: str) -> str:
        return f"{self._final}/{name}"

    def _upload(self, name: str) -> None:
        with open(os.path.join(self.path, name), "rb") as file:
            storage.write_whole(self._place_of(name), file)

    def _copy(self, name: str) -> None:
        storage.copy(self._taken_in[name], self._place_of(name))


def _all(done: Iterable[None]) -> None:
    """Waits for all, and raises what one of them raised."""
    for _ in done:
        pass


def _sync_file_system(path: str) -> None:
    """Makes all that was written below a path durable: one call, however many files there are."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)
