"""A lock of remote storage: a file that its holder renews, and that another may take over when it no longer does.

Object stores have no locks that die with their holder. So the holder writes the file anew every few seconds, each time
only if nobody else has; a file that has stayed the same for a while belongs to a run that was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator

from transforms import storage
from transforms.storage.file_system import FileStatus

RENEW_SECONDS = 5.0
# Several renewals in a row that failed, each tried again for a while.
DEAD_SECONDS = 25.0


class LeaseTaken(Exception):
    """Another run holds the lease."""


class Lease:
    """A lease that is held, renewed by a thread.

    Attributes:
      is_lost: another run has taken it over, since renewing it failed for too long.
    """

    def __init__(self, path: str, holder: str, tag: str) -> None:
        self.is_lost = False
        self._path = path
        self._holder = holder
        self._tag = tag
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def _renew(self) -> None:
        files = storage.file_system(self._path)
        number = 0
        while not self._ended.wait(RENEW_SECONDS):
            number += 1
            try:
                self._tag = files.write(self._path, _note(self._holder, number), self._tag)
            except FileExistsError:
                self.is_lost = True
                return
            except OSError:  # the storage is away; nobody else can see to the lease either
                continue

    def give_back(self) -> None:
        """Ends the lease; where the storage cannot be reached, it ends by itself."""
        self._ended.set()
        self._thread.join(RENEW_SECONDS)
        if not self.is_lost:
            with contextlib.suppress(OSError):
                storage.delete(self._path)


@contextlib.contextmanager
def held_lease(path: str) -> Iterator[Lease]:
    """Takes the lease for the time of a block; where its holder may be dead, waits up to ``DEAD_SECONDS`` to see.

    Raises:
      LeaseTaken: its holder lives.
      OSError: the storage cannot be written.
    """
    holder = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:12]}"
    lease = Lease(path, holder, _take(path, holder))
    try:
        yield lease
    finally:
        lease.give_back()


def _take(path: str, holder: str) -> str:
    """The tag of the file that says that ``holder`` has it."""
    while True:
        with contextlib.suppress(FileExistsError):
            return storage.write_exclusively(path, _note(holder, 0))
        there = storage.status(path)
        if there is None or not _is_dead(path, there):
            continue
        try:
            return storage.file_system(path).write(path, _note(holder, 0), there.tag)
        except FileExistsError:
            raise LeaseTaken(path) from None


def _is_dead(path: str, there: FileStatus) -> bool:
    """Whether a lease is renewed no more; False if it was given back.

    Raises:
      LeaseTaken: it was renewed.
    """
    # Clocks differ: at worst the wait is as long as if it had been renewed just now.
    left = DEAD_SECONDS - max(0.0, time.time() - there.modified)
    deadline = time.monotonic() + left
    while time.monotonic() < deadline:
        time.sleep(min(1.0, RENEW_SECONDS / 2))
        now = storage.status(path)
        if now is None:
            return False
        if now.tag != there.tag:
            raise LeaseTaken(path)
    return True


def _note(holder: str, number: int) -> bytes:
    return json.dumps({"holder": holder, "renewed": number}).encode()
