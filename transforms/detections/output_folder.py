"""The folder of a detection run: its layout, who may write to it, and what makes it complete.

::

    OUTPUT/manifest.json                 over all videos, written last
    OUTPUT/<stem>-<8 hex>/               of one video; moved here whole
    OUTPUT/.boxmill/segments/            raw detections of every finished segment, by content
    OUTPUT/.boxmill/inputs.json          files of the last complete run, to tell that none has changed
    OUTPUT/.boxmill/pixels/              drawn segments and record parts; gone when their video is finished
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from transforms.detections.detect_settings import DetectSettings
from transforms.detections.segment_findings import (
    FindingsUnreadable,
    SegmentFindings,
    findings_bytes,
    parse_findings,
)
from transforms.storage.atomic_file import TEMPORARY_SUFFIX, AtomicFile, sync_folder, write_atomically

MANIFEST_FILE = "manifest.json"
FORMAT_VERSION = 1
KIND = "detections"
WORK_FOLDER = ".boxmill"
_MAX_STEM_BYTES = 180
_NEXT, _OLD = ".next", ".old"


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
        for _, _, names in os.walk(os.path.join(self.work, "segments")):
            if any(name.endswith(ending) for name in names):
                return True
        return False


def video_folder_name(name: str, fingerprint: str) -> str:
    """``<stem>-<8 hex of the content's fingerprint>``; a very long stem is cut."""
    stem = PurePath(name).stem.replace("/", "_")
    stem = stem.encode()[:_MAX_STEM_BYTES].decode("utf-8", "ignore")
    # A name that begins with a point is hidden, and ours do.
    return f"{stem.lstrip('.') or 'video'}-{fingerprint[:8]}"


def save_findings(path: str, findings: SegmentFindings) -> None:
    """Stores findings whole or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write_atomically(path, findings_bytes(findings))


def load_findings(path: str) -> SegmentFindings | None:
    """Stored findings; None where there are none, or none that can be read."""
    try:
        with open(path, "rb") as file:
            return parse_findings(file.read())
    except (FileNotFoundError, FindingsUnreadable):
        return None


@contextmanager
def whole_file(path: str) -> Iterator[str]:
    """The path of an empty file to write to by name; at the end of the block it gets the name ``path``, durably."""
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


@contextmanager
def claimed_output(path: str) -> Iterator[OutputFolder]:
    """Makes the folder and keeps other runs out of it; the lock dies with the process that holds it.

    Raises:
      OutputRefused: another run is at it, it is not ours, or it cannot be written.
    """
    folder = OutputFolder(os.path.abspath(path))
    try:
        _refuse_foreign_folder(folder)
        os.makedirs(folder.work, exist_ok=True)
        descriptor = os.open(os.path.join(folder.work, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputRefused(f"cannot write to {path}: {error.strerror}; choose another --output") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputRefused(
                f"another run is writing to {path}; wait for it to end, or choose another --output"
            ) from None
        yield folder
    finally:
        os.close(descriptor)


def _refuse_foreign_folder(folder: OutputFolder) -> None:
    if os.path.isdir(folder.path) and os.listdir(folder.path) and not os.path.isdir(folder.work):
        raise OutputRefused(f"{folder.path} is not empty and holds no detections; choose another --output")


def read_manifest(folder: str) -> dict[str, Any] | None:
    """The manifest of a run, or of one video; None where there is none of ours."""
    try:
        with open(os.path.join(folder, MANIFEST_FILE), "rb") as file:
            manifest = json.load(file)
    except (OSError, ValueError):
        return None
    is_ours = isinstance(manifest, dict) and manifest.get("kind") == KIND
    return manifest if is_ours and manifest.get("format_version") == FORMAT_VERSION else None


def uncommit(folder: OutputFolder) -> None:
    """Takes away the manifest of an earlier run: from here on the folder is not complete."""
    try:
        os.unlink(os.path.join(folder.path, MANIFEST_FILE))
    except FileNotFoundError:
        return
    sync_folder(folder.path)


def commit(folder: OutputFolder, manifest: Mapping[str, Any]) -> None:
    """Writes the manifest over all videos, which makes the folder complete.

    Raises:
      FileExistsError: somebody else has.
    """
    with AtomicFile(os.path.join(folder.path, MANIFEST_FILE)) as file:
        file.write([manifest_bytes(manifest)])
        file.commit_exclusively()


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    return (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()


def aside(final: str) -> str:
    """Where a folder is made that will be put in place of ``final``: empty, and hidden."""
    path = os.path.join(os.path.dirname(final), f".{os.path.basename(final)}{_NEXT}")
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def put_in_place(new: str, final: str) -> None:
    """Gives a finished folder its final name, durably; one that has the name is removed."""
    sync_file_system(new)
    old = f"{new}{_OLD}"
    if os.path.exists(final):
        shutil.rmtree(old, ignore_errors=True)
        os.rename(final, old)
    os.rename(new, final)
    sync_folder(os.path.dirname(final))
    shutil.rmtree(old, ignore_errors=True)


def sync_file_system(path: str) -> None:
    """Makes all that was written below a path durable: one call, however many files there are."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)


def remove_leftovers(folder: OutputFolder, *, keep_segments: bool) -> None:
    """Removes what a complete folder does not need: pixels, files of killed writers and, on request, the store."""
    shutil.rmtree(os.path.join(folder.work, "pixels"), ignore_errors=True)
    if not keep_segments:
        shutil.rmtree(os.path.join(folder.work, "segments"), ignore_errors=True)
    for entry in os.scandir(folder.path):
        if entry.name.startswith(".") and entry.name.endswith((_NEXT, _OLD)):
            shutil.rmtree(entry.path, ignore_errors=True)
    for place, _, names in os.walk(folder.work):
        for name in names:
            if name.endswith(TEMPORARY_SUFFIX):
                os.unlink(os.path.join(place, name))
