"""A remote file that is gathered here and appears whole, by one upload."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence

from transforms import storage
from transforms.storage.atomic_file import AtomicFile

SHA256 = "boxmill-sha256"


def sha256_of_file(status: storage.FileStatus) -> str:
    """The digest of a file: as its writer attached it, or by reading it."""
    attached = (status.metadata or {}).get(SHA256)
    if attached:
        return attached
    with storage.open_file(status.path) as stream:
        return storage.sha256_of(stream)


def describe_files(folder: str, names: Sequence[str]) -> dict[str, dict[str, object]]:
    """``bytes`` and ``sha256`` of files in a folder, local or remote, as a manifest has them.

    Raises:
      FileNotFoundError: one is not there.
    """
    if not storage.is_remote(folder):
        found = {name: storage.status(os.path.join(folder, name)) for name in names}
    else:
        of_folder = {storage.relative_name(file.path, folder): file for file in storage.walk(folder)}
        found = {name: of_folder.get(name) for name in names}
    described: dict[str, dict[str, object]] = {}
    for name, status in found.items():
        if status is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.path.join(folder, name))
        described[name] = {"bytes": status.bytes, "sha256": sha256_of_file(status)}
    return described


class RemoteFile(AtomicFile):
    """As ``AtomicFile``, at a URL.

    What is written goes to a file without a name in the folder of temporary files (TMPDIR), which is gone when the
    process is. The object carries the digest of its bytes, so that it need not be read to be known again. It replaces
    what was there when the writing began: where another has written since, other bytes than these, it is not committed.
    """

    def _open_temporary(self) -> int:
        descriptor, name = tempfile.mkstemp()
        os.unlink(name)
        there = storage.status(self._path)
        self._expected_tag = "" if there is None else there.tag
        return descriptor

    def commit(self) -> None:
        """As ``AtomicFile``'s, but FileExistsError where another has written other bytes meanwhile."""
        self._upload(self._expected_tag)

    def commit_exclusively(self) -> None:
        """See ``AtomicFile``."""
        self._upload("")

    def discard(self) -> None:
        """See ``AtomicFile``."""
        self._close()

    def _upload(self, expected_tag: str) -> None:
        self._flush()
        with os.fdopen(os.dup(self._descriptor), "rb") as stream:
            metadata = {SHA256: self.sha256}
            try:
                storage.file_system(self._path).write(self._path, stream, expected_tag, metadata)
            except FileExistsError:
                detail = "another run has written this object meanwhile; wait for that run to end, then run again"
                raise FileExistsError(errno.EEXIST, detail, self._path) from None
        self._close()
