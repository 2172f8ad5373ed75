"""Opens files in order, remote ones ahead of their use."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO

from transforms import storage

# To open a remote file is to read its first bytes, of small files all: these wait for their use in memory.
_FILES_AHEAD = 32


def open_ahead(paths: Sequence[str]) -> Iterator[BinaryIO]:
    """Yields each file as ``storage.open_file`` opens it; the caller closes it."""
    if len(paths) < 2 or not storage.is_remote(paths[0]):
        yield from map(storage.open_file, paths)
        return
    pending: deque[Future[BinaryIO]] = deque()
    with ThreadPoolExecutor(min(_FILES_AHEAD, len(paths)), thread_name_prefix="open-file") as executor:
        try:
            for path in paths:
                pending.append(executor.submit(storage.open_file, path))
                if len(pending) == _FILES_AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
