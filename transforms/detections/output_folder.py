"""The folder of a detection run: its layout, who may write to it, and what makes it complete.

::

    OUTPUT/manifest.json                 over all videos, written last
    OUTPUT/<stem>-<8 hex>/               of one video; moved here whole
    OUTPUT/.boxmill/segments/            raw detections of every finished segment, by content
    OUTPUT/.boxmill/inputs.json          files of the last complete run, to tell that none has changed
    OUTPUT/.boxmill/pixels/              drawn segments and record parts; gone when their video is finished
    OUTPUT/.boxmill/lock                 held by the run that writes

OUTPUT is a local folder, or one in Google Cloud Storage (``gs://bucket/folder``).
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from transforms import storage
from transforms.detections.detect_settings import DetectSettings
from transforms.detections.segment_findings import (
    FindingsUnreadable,
    SegmentFindings,
    findings_bytes,
    parse_findings,
)
from transforms.storage.atomic_file import TEMPORARY_SUFFIX, sync_folder
from transforms.storage.remote_claim import Claim, ClaimRefused, claimed

MANIFEST_FILE = "manifest.json"
FORMAT_VERSION = 1
KIND = "detections"
WORK_FOLDER = ".boxmill"
_MAX_STEM_BYTES = 180
# Of folders of results in the making, and of those that they replace.
NEXT, OLD = ".next", ".old"


class OutputRefused(Exception):
    """The folder cannot be written to; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class OutputFolder:
    """Where things are in the folder of results."""

    path: str

    def video(self, name: str, fingerprint: str) -> str:
        """The folder of one video's results."""
        return os.path.join(self.path, video_folder_name(name, fingerprint))

    @property
    def work(self) -> str:
        return os.path.join(self.path, WORK_FOLDER)

    def findings(self, fingerprint: str, segment: str, settings: DetectSettings) -> str:
        """The file of a finished segment's findings; that it is there means that the segment is done."""
        return os.path.join(self._segments(fingerprint), f"{segment}-{settings.inference_key()}.npz")

    def attempt(self, fingerprint: str, segment: str, settings: DetectSettings) -> str:
        """The findings of a segment that was given up, which another run tries again."""
        return os.path.join(self._segments(fingerprint), f"{segment}-{settings.inference_key()}.attempt.npz")

    def drawn(self, fingerprint: str, segment: str, settings: DetectSettings) -> str:
        return os.path.join(self.pixels(fingerprint), f"{segment}-{settings.drawing_key()}.nut")

    def records(self, fingerprint: str, segment: str, settings: DetectSettings) -> str:
        return os.path.join(self.pixels(fingerprint), f"{segment}-{settings.records_key()}.tfrecord")

    def pixels(self, fingerprint: str) -> str:
        """Drawn segments and record parts of a video."""
        return os.path.join(self.work, "pixels", fingerprint[:16])

    def _segments(self, fingerprint: str) -> str:
        return os.path.join(self.work, "segments", fingerprint[:16])

    def has_findings(self, settings: DetectSettings) -> bool:
        """Whether any segment of any video is finished with these settings."""
        ending = f"-{settings.inference_key()}.npz"
        return any(file.path.endswith(ending) for file in storage.walk(os.path.join(self.work, "segments")))


def video_folder_name(name: str, fingerprint: str) -> str:
    """``<stem>-<8 hex of the content's fingerprint>``; a very long stem is cut."""
    stem = PurePath(name).stem.replace("/", "_")
    stem = stem.encode()[:_MAX_STEM_BYTES].decode("utf-8", "ignore")
    # A name that begins with a point is hidden, and ours do.
    return f"{stem.lstrip('.') or 'video'}-{fingerprint[:8]}"


def save_findings(path: str, findings: SegmentFindings) -> None:
    """Stores findings whole or not at all."""
    storage.write_whole(path, findings_bytes(findings))


def load_findings(path: str) -> SegmentFindings | None:
    """Stored findings; None where there are none, or none that can be read."""
    try:
        return parse_findings(storage.read_bytes(path))
    except (FileNotFoundError, FindingsUnreadable):
        return None


@contextmanager
def whole_file(path: str) -> Iterator[str]:
    """A local path to write to; at the end of the block the file gets the name ``path``, durably."""
    if storage.is_remote(path):
        with tempfile.NamedTemporaryFile(prefix="boxmill-", suffix=os.path.splitext(path)[1]) as file:
            yield file.name
            with open(file.name, "rb") as written:
                storage.write_whole(path, written)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.{uuid.uuid4().hex[:12]}{TEMPORARY_SUFFIX}"
    try:
        open(temporary, "xb").close()  # encoders make a file with their first frame, and there may be none
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


@dataclass(frozen=True, slots=True)
class ClaimedFolder(OutputFolder):
    """A folder of results that this run alone writes to.

    Attributes:
      claim: on it, if it is remote.
    """

    claim: Claim | None = None


@contextmanager
def claimed_output(path: str) -> Iterator[ClaimedFolder]:
    """Makes the folder and keeps other runs out of it; the lock dies with the process that holds it.

    Raises:
      OutputRefused: another run is at it, it is not ours, or it cannot be written.
    """
    folder = OutputFolder(storage.absolute(path))
    lock = os.path.join(folder.work, "lock")
    with ExitStack() as stack:
        claim = None
        try:
            _refuse_foreign_folder(folder)
            if storage.is_remote(path):
                claim = stack.enter_context(claimed(lock))
            else:
                stack.enter_context(_flocked(lock))
        except OSError as error:
            raise OutputRefused(f"cannot write to {path}: {error.strerror}; choose another --output") from None
        except ClaimRefused as refused:
            raise OutputRefused(
                f"{refused} is writing to {path}; wait for it to end, or choose another --output"
            ) from None
        yield ClaimedFolder(folder.path, claim)


@contextmanager
def _flocked(path: str) -> Iterator[None]:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClaimRefused("another run") from None
        yield
    finally:
        os.close(descriptor)


def _refuse_foreign_folder(folder: OutputFolder) -> None:
    files, folders = storage.list_folder(folder.path)
    if (files or folders) and folder.work not in folders:
        raise OutputRefused(f"{folder.path} is not empty and holds no detections; choose another --output")


def read_manifest(folder: str) -> dict[str, Any] | None:
    """The manifest of a run, or of one video; None where there is none of ours."""
    try:
        manifest = json.loads(storage.read_bytes(os.path.join(folder, MANIFEST_FILE)))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    is_ours = isinstance(manifest, dict) and manifest.get("kind") == KIND
    return manifest if is_ours and manifest.get("format_version") == FORMAT_VERSION else None


def uncommit(folder: OutputFolder) -> None:
    """Takes away the manifest of an earlier run: from here on the folder is not complete."""
    storage.delete(os.path.join(folder.path, MANIFEST_FILE))
    if not storage.is_remote(folder.path):
        sync_folder(folder.path)


def commit(folder: OutputFolder, manifest: Mapping[str, Any]) -> None:
    """Writes the manifest over all videos, which makes the folder complete.

    Raises:
      FileExistsError: somebody else has written another.
    """
    path, data = os.path.join(folder.path, MANIFEST_FILE), manifest_bytes(manifest)
    try:
        storage.write_exclusively(path, data)
    except FileExistsError:
        if storage.read_bytes(path) != data:
            raise
        # An attempt of this very run came so far, and was taken for lost.


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def remove_leftovers(folder: OutputFolder, *, keep_segments: bool) -> None:
    """Removes what a complete folder does not need: pixels, files of killed writers and, on request, the store."""
    storage.delete_folder(os.path.join(folder.work, "pixels"))
    if not keep_segments:
        storage.delete_folder(os.path.join(folder.work, "segments"))
    if storage.is_remote(folder.path):  # there every file appears whole, and under its own name
        return
    for entry in os.scandir(folder.path):
        if entry.name.startswith(".") and entry.name.endswith((NEXT, OLD)):
            shutil.rmtree(entry.path, ignore_errors=True)
    for place, _, names in os.walk(folder.work):
        for name in names:
            if name.endswith(TEMPORARY_SUFFIX):
                os.unlink(os.path.join(place, name))
