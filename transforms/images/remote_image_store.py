"""Image files under a remote folder, such as ``gs://bucket/photos``, by requests of which each takes its time."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field

from transforms import storage
from transforms.images.image_names import IMAGE_FOLDERS, IMAGE_SUFFIXES, candidate_names, unicode_name
from transforms.images.image_store import (
    MAX_IMAGE_BYTES,
    USUAL_SUFFIXES,
    FoundFile,
    ImageRefused,
    ImageStore,
    as_text,
)
from transforms.ledger.reasons import Reason
from transforms.storage.remote_listings import RemoteListings

_MAX_NAME_BYTES = 1024  # of an object in Google Cloud Storage


@dataclass(slots=True)
class RemoteImageStore(ImageStore):
    """The images below a remote folder.

    A file is read by one request for its name. Whether a name is there without reading it is told from a listing of
    its folder, one for all names.

    Attributes:
      root: a URL.
      listings: of folders, which several stores may share.
      max_bytes: larger files are refused unread.
    """

    root: str
    listings: RemoteListings = field(default_factory=RemoteListings)
    max_bytes: int = MAX_IMAGE_BYTES
    _by_form: dict[str, Mapping[str, str]] = field(init=False, default_factory=dict)

    def locate(self, file_name: str) -> str | None:
        """See ``ImageStore``."""
        candidates = list(candidate_names(file_name))
        for name in candidates:
            if self._is_there(name):
                return as_text(name)
        for name in candidates:
            for suffix in USUAL_SUFFIXES if not name.lower().endswith(IMAGE_SUFFIXES) else ():
                if self._is_there(name + suffix):
                    return name + suffix
        found = next((found for name in candidates if (found := self._find_equivalent(name)) is not None), None)
        return None if found is None else as_text(found)

    def _is_there(self, name: str) -> bool:
        folder, _, base = name.rpartition("/")
        there = self.listings.names(self._place(folder))
        return base in there.files or base in there.folders

    def has_image_folder(self, folder: str) -> bool:
        """See ``ImageStore``."""
        return any(self.listings.is_folder(f"{self._place(folder)}/{name}") for name in IMAGE_FOLDERS)

    def _stamp_exact(self, name: str) -> str | None:
        try:
            status = storage.status(f"{self.root}/{name}") if len(name.encode()) <= _MAX_NAME_BYTES else None
        except UnicodeEncodeError:
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:  # no object can have such a name
                return None
            raise
        return None if status is None else status.tag

    def _read_exact(self, name: str) -> FoundFile | None:
        try:
            if len(name.encode()) > _MAX_NAME_BYTES:
                return None
            return FoundFile(*storage.read_tagged(f"{self.root}/{name}", self.max_bytes))
        except (UnicodeEncodeError, FileNotFoundError):
            return None
        except storage.FileTooLarge as error:
            raise ImageRefused(Reason.IMAGE_TOO_LARGE, str(error)) from None
        except OSError as error:
            if error.errno == errno.EINVAL:  # no object can have such a name
                return None
            raise

    def _listing(self, folder: str) -> Mapping[str, str]:
        if folder not in self._by_form:
            there = self.listings.names(self._place(folder))
            self._by_form[folder] = {unicode_name(name): name for name in sorted(there.files | there.folders)}
        return self._by_form[folder]

    def _place(self, folder: str) -> str:
        return f"{self.root}/{folder}" if folder else self.root
