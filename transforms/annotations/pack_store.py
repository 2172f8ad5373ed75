"""Packs in files: where all workers are processes of one machine, what crosses a shuffle is where each pack lies.

A runner on that machine holds its shuffle in memory, and what is on its way several times over.
"""

from __future__ import annotations

import os
import tempfile
from typing import BinaryIO

_MARK = b"boxmill-pack "  # no pack begins so: each is a frame of Zstandard


class PackStore:
    """Puts packs, and what else is made of many images, into a file; a pickled copy has a file of its own.

    Args:
      folder: that all workers see, and that somebody removes in the end; "" for none: packs stay what they are.
    """

    def __init__(self, folder: str = ""):
        self._folder = folder
        self._file: BinaryIO | None = None
        self._path = b""

    def __reduce__(self) -> tuple[type[PackStore], tuple[str]]:
        return PackStore, (self._folder,)

    def put(self, pack: bytes) -> bytes:
        """Where the pack lies from now on; that is a pack, too, for all who read one."""
        if not self._folder or pack.startswith(_MARK):
            return pack
        if self._file is None:
            descriptor, path = tempfile.mkstemp(prefix="packs-", dir=self._folder)
            self._file, self._path = open(descriptor, "wb"), os.fsencode(path)  # noqa: SIM115
        place = b"%b%d %d %b" % (_MARK, self._file.tell(), len(pack), self._path)
        self._file.write(pack)
        self._file.flush()  # whoever is given the place may read at once
        return place


IN_MEMORY = PackStore()


def fetched(pack: bytes) -> bytes:
    """The pack itself, wherever it lies."""
    if not pack.startswith(_MARK):
        return pack
    start, size, path = pack.removeprefix(_MARK).split(b" ", 2)
    with open(path, "rb", buffering=0) as file:
        file.seek(int(start))
        return file.read(int(size))


def stored_size(pack: bytes) -> int:
    """Bytes of a pack, wherever it lies."""
    return int(pack.split(b" ", 3)[2]) if pack.startswith(_MARK) else len(pack)
