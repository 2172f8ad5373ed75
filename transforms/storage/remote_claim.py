"""A claim on a remote folder: of runs that want to write there at once, one does.

The claim is an object that is made only where there is none (``ifGenerationMatch=0``). While its run lives, a thread
writes it anew every few seconds, which changes its tag. A run that finds a claim watches it: a tag that changes is a
run at work, and the newcomer is refused; one that stays is of a run that was killed, and the claim is taken over by
replacing exactly the object that was watched, which of several newcomers one can do. No clocks are compared. Where the
claim names a process of this very machine that is gone, nothing need be watched.

A run that was only held up (a suspended machine, a broken network) finds another's claim when it wakes, and stops
before its next write: see ``Claim.check``.
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
from contextlib import contextmanager
from dataclasses import dataclass

from transforms import storage

BEAT_SECONDS = 5.0
# A run whose claim has not changed for so long is taken for dead.
SILENCE_SECONDS = 22.0
_LOOK_SECONDS = 0.5
_LONGEST_BEAT_SECONDS = 10.0


class ClaimRefused(Exception):
    """Another run has the claim; the message says who."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim that this run has, or had.

    Attributes:
      path: of the object.
      owner: unlike that of any other run.
    """

    path: str
    owner: str

    def check(self) -> None:
        """Makes sure that no other run has taken the claim over; that none has it at all is well.

        Raises:
          ClaimRefused: another has.
          OSError: the storage failed.
        """
        with contextlib.suppress(FileNotFoundError):
            holder = _holder(storage.read_bytes(self.path))
            if holder.get("owner") != self.owner:
                raise ClaimRefused(f"{_described(holder)} has taken over, since this one did not answer for a while")


@contextmanager
def claimed(path: str) -> Iterator[Claim]:
    """Claims by an object of this path, for as long as the block runs.

    Raises:
      ClaimRefused: another run at work has it.
      OSError: the storage failed.
    """
    claim = Claim(path, uuid.uuid4().hex)
    holder = {"owner": claim.owner, "host": socket.gethostname(), "process": os.getpid(), "machine": _machine()}
    tag = _take(path, json.dumps(holder).encode())
    beat = _Beat(path, json.dumps(holder).encode(), tag)
    beat.start()
    try:
        yield claim
    finally:
        beat.stop()


def _take(path: str, content: bytes) -> str:
    files = storage.file_system(path)
    watched, since = "", time.monotonic()
    while True:
        with contextlib.suppress(FileExistsError):
            return files.write(path, content, "")
        status = files.status(path)
        if status is None:
            continue
        try:
            holder = _holder(files.read(path))
        except FileNotFoundError:
            continue
        if _is_gone(holder) or (status.tag == watched and time.monotonic() - since > SILENCE_SECONDS):
            with contextlib.suppress(FileExistsError):
                return files.write(path, content, status.tag)
        elif watched not in ("", status.tag):
            raise ClaimRefused(_described(holder))
        elif not watched:
            watched, since = status.tag, time.monotonic()
        time.sleep(_LOOK_SECONDS)


def _holder(content: bytes) -> dict[str, object]:
    with contextlib.suppress(ValueError):
        holder = json.loads(content)
        if isinstance(holder, dict):
            return holder
    return {}


def _described(holder: dict[str, object]) -> str:
    return f"another run (process {holder.get('process')} on {holder.get('host')})"


def _machine() -> str:
    """This boot of this machine or container, the same for processes that see each other's numbers."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _is_gone(holder: dict[str, object]) -> bool:
    process = holder.get("process")
    if not holder.get("machine") or holder.get("machine") != _machine() or not isinstance(process, int):
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


class _Beat(threading.Thread):
    """Writes the claim anew until it is stopped, or finds that another has it."""

    def __init__(self, path: str, content: bytes, tag: str):
        super().__init__(name="claim", daemon=True)
        self._path, self._content, self._tag = path, content, tag
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            try:
                self._tag = storage.file_system(self._path).write(self._path, self._content, self._tag)
            except FileExistsError:
                return  # taken over; the run finds out before its next write
            except OSError:
                continue  # the run's own requests fail too, and say so

    def stop(self) -> None:
        """Ends the thread and gives the claim up, if it is still ours."""
        self._stopped.set()
        self.join(_LONGEST_BEAT_SECONDS)
        with contextlib.suppress(OSError):
            storage.file_system(self._path).delete(self._path, self._tag)
