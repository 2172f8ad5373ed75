"""Image files under a local folder; links that lead out of it are not followed."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass, field

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

_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.ENXIO)
# Non-blocking, so that a FIFO does not hang; no-follow, so that a link's target is checked before it is opened.
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW


@dataclass(slots=True)
class LocalImageStore(ImageStore):
    """The images below a local folder.

    Attributes:
      root: a folder.
      max_bytes: larger files are refused unread.
    """

    root: str
    max_bytes: int = MAX_IMAGE_BYTES
    _real_root: str = field(init=False)
    _safe_folders: set[str] = field(init=False, default_factory=set)
    _listings: dict[str, dict[str, str]] = field(init=False, default_factory=dict)
    _has_image_folder: dict[str, bool] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._real_root = os.path.realpath(self.root)

    def locate(self, file_name: str) -> str | None:
        """The name under the root, as text, of the file that ``read`` would open, or None; nothing is opened."""
        candidates = list(candidate_names(file_name))
        for name in candidates:
            with contextlib.suppress(ValueError):  # no file can have such a name
                if os.path.lexists(f"{self._real_root}/{name}"):
                    return as_text(name)
        # Many names without an extension are of one folder: to list it whole would take longer.
        for name in candidates:
            for suffix in USUAL_SUFFIXES if not name.lower().endswith(IMAGE_SUFFIXES) else ():
                with contextlib.suppress(ValueError):
                    if os.path.lexists(f"{self._real_root}/{name}{suffix}"):
                        return name + suffix
        found = next((found for name in candidates if (found := self._find_equivalent(name)) is not None), None)
        return None if found is None else as_text(found)

    def has_image_folder(self, folder: str) -> bool:
        """Whether a folder below the root has one of the usual folders of images in it; asked once of each."""
        if folder not in self._has_image_folder:
            places = (os.path.join(self._real_root, folder, name) for name in IMAGE_FOLDERS)
            self._has_image_folder[folder] = any(map(os.path.isdir, places))
        return self._has_image_folder[folder]

    def _stamp_exact(self, name: str) -> str | None:
        with contextlib.suppress(OSError, ValueError):  # it is not there, or no file can have such a name
            return _stamp(os.stat(f"{self._real_root}/{name}"))
        return None

    def _read_exact(self, name: str) -> FoundFile | None:
        path = f"{self._real_root}/{name}"
        try:
            self._check_folder(path.rpartition("/")[0])
            try:
                descriptor = os.open(path, _OPEN_FLAGS)
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                descriptor = os.open(self._link_target(path), _OPEN_FLAGS)
        except UnicodeEncodeError:
            return None
        except OSError as error:
            if error.errno in _MISSING:
                return None
            if error.errno == errno.ELOOP:
                raise ImageRefused(Reason.NOT_A_FILE, "the name is a link to itself") from None
            if error.errno in _FORBIDDEN:
                raise ImageRefused(Reason.IMAGE_UNREADABLE, f"cannot be opened: {error.strerror}") from None
            raise
        try:
            return self._read_descriptor(descriptor)
        finally:
            os.close(descriptor)

    def _read_descriptor(self, descriptor: int) -> FoundFile:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ImageRefused(Reason.NOT_A_FILE, "not a regular file")
        if status.st_size > self.max_bytes:
            raise ImageRefused(Reason.IMAGE_TOO_LARGE, f"{status.st_size} bytes, the limit is {self.max_bytes}")
        data = os.read(descriptor, status.st_size + 1)
        if len(data) == status.st_size:
            return FoundFile(data, _stamp(status))
        parts = [data]
        while chunk := os.read(descriptor, 1 << 20):
            parts.append(chunk)
        return FoundFile(b"".join(parts), "")

    def _check_folder(self, folder: str) -> None:
        """Refuses a folder that links lead out of the root; each folder is asked about once."""
        if folder in self._safe_folders:
            return
        real = os.path.realpath(folder, strict=True)
        if not _is_inside(real, self._real_root):
            raise ImageRefused(Reason.PATH_OUTSIDE_ROOT, f"the folder is a link to {real}")
        self._safe_folders.add(folder)

    def _link_target(self, path: str) -> str:
        real = os.path.realpath(path, strict=True)
        if not _is_inside(real, self._real_root):
            raise ImageRefused(Reason.PATH_OUTSIDE_ROOT, f"the file is a link to {real}")
        return real

    def _listing(self, folder: str) -> dict[str, str]:
        """Names on disk by their NFC form; none for a folder that links lead out of the root."""
        if folder not in self._listings:
            path = f"{self._real_root}/{folder}"
            try:
                names = os.listdir(path) if _is_inside(os.path.realpath(path), self._real_root) else []
            except (OSError, UnicodeEncodeError):
                names = []
            self._listings[folder] = {unicode_name(name): name for name in sorted(names)}
        return self._listings[folder]


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_mode:o}"


def _is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")
