"""Which files the user means by --videos, and how they are called in results."""

from __future__ import annotations

import glob
import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from transforms.storage.paths import has_pattern, is_remote

_ENDINGS = "3g2 3gp asf avi flv m2ts m4v mkv mov mp4 mpeg mpg mts nut ts webm wmv"
VIDEO_SUFFIXES = frozenset(map(".{}".format, _ENDINGS.split()))


class VideosNotFound(Exception):
    """The user named no video; the message says what was looked at."""


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A file that should be a video.

    Attributes:
      path: to open it by; local, or the URL of a storage (``gs://…``).
      name: without its folder, as text that any format can hold.
      size: in bytes.
      modified: seconds of the epoch.
    """

    path: str
    name: str
    size: int
    modified: float


def find_videos(patterns: Sequence[str]) -> list[VideoFile]:
    """The files that a list of files, folders and glob patterns means, each once, in the order of their paths.

    A file or a pattern means what it says; of a folder, those files with a video's suffix are taken, at any depth.

    Raises:
      VideosNotFound: one of them means no file.
    """
    found: dict[str, VideoFile] = {}
    for pattern in patterns:
        files = list(_meant_by(pattern))
        if not files:
            raise VideosNotFound(_not_found(pattern))
        found |= {file.path: file for file in files}
    return [found[path] for path in sorted(found)]


def display_name(path: str) -> str:
    """The last part of a path as NFC text; bytes that are no UTF-8 become replacement characters."""
    name = os.fsencode(os.path.basename(path)).decode("utf-8", "replace")
    return unicodedata.normalize("NFC", name)


def _meant_by(pattern: str) -> Iterator[VideoFile]:
    if is_remote(pattern):
        yield from _meant_remotely(pattern)
        return
    if os.path.isfile(pattern):
        paths: Iterable[str] = [pattern]
    elif os.path.isdir(pattern):
        paths = _videos_below(pattern)
    else:
        paths = (path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path))
    for path in paths:
        status = os.stat(path)
        yield VideoFile(os.path.abspath(path), display_name(path), status.st_size, status.st_mtime)


def _meant_remotely(pattern: str) -> Iterator[VideoFile]:
    from transforms.videos.remote_videos import files_meant_by

    for file in files_meant_by(pattern):
        if has_pattern(pattern) or file.path == pattern or _is_video(file.path):
            yield VideoFile(file.path, display_name(file.path), file.bytes, file.modified)


def _videos_below(folder: str) -> Iterator[str]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = os.path.join(place, name)
            if _is_video(name) and not name.startswith(".") and os.path.isfile(path):
                yield path


def _is_video(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES


def _not_found(pattern: str) -> str:
    if is_remote(pattern):
        return f"--videos={pattern} matches no file"
    if os.path.isdir(pattern):
        endings = ", ".join(sorted(VIDEO_SUFFIXES))
        return f"--videos={pattern} holds no file that ends with {endings}; name files or a glob pattern instead"
    return f"--videos={pattern}: there is no such file or folder, and no file matches it as a pattern"
