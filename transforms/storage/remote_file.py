"""A remote file that is gathered here and appears whole, by one upload."""

from __future__ import annotations

import os
import tempfile

from transforms import storage
from transforms.storage.atomic_file import AtomicFile

SHA256 = "boxmill-sha256"


class RemoteFile(AtomicFile):
    """As ``AtomicFile``, at a URL.

    What is written goes to a file without a name in the folder of temporary files (TMPDIR), which is gone when the
    process is. The object carries the digest of its bytes, so that it need not be read to be known again.
    """

    def _open_temporary(self) -> int:
        descriptor, name = tempfile.mkstemp()
        os.unlink(name)
        return descriptor

    def commit(self) -> None:
        """See ``AtomicFile``."""
        self._upload(None)

    def commit_exclusively(self) -> None:
        """See ``AtomicFile``."""
        self._upload("")

    def discard(self) -> None:
        """See ``AtomicFile``."""
        self._close()

    def _upload(self, expected_tag: str | None) -> None:
        self._flush()
        with os.fdopen(os.dup(self._descriptor), "rb") as stream:
            metadata = {SHA256: self.sha256}
            storage.file_system(self._path).write(self._path, stream, expected_tag, metadata)
        self._close()
