"""A file of one dataset under a name in another, without writing its bytes again where that can be."""

from __future__ import annotations

import contextlib
import os
import uuid

from transforms import storage
from transforms.storage.atomic_file import TEMPORARY_SUFFIX


def reuse_file(source: str, path: str) -> None:
    """Gives a finished file a second name, whole or not at all.

    A local file gets a hard link: no file of a dataset is ever written to after it has its name, and removing one
    dataset leaves the other's file alone. Where there can be no link (another file system, a file of another owner),
    it is a copy; so it is of a remote file, whose bytes do not pass through this machine within one storage.

    Raises:
      OSError: the storage failed.
    """
    if storage.is_remote(source) or storage.is_remote(path):
        storage.copy(source, path)
        return
    temporary = f"{path}.{uuid.uuid4().hex[:12]}{TEMPORARY_SUFFIX}"
    try:
        os.link(os.path.realpath(source), temporary)
    except FileNotFoundError:
        raise
    except OSError:
        storage.copy(source, path)
        return
    os.replace(temporary, path)
    with contextlib.suppress(FileNotFoundError):  # a link to the same file was there: then replacing does nothing
        os.unlink(temporary)
