"""Videos in remote storage (``gs://`` and others)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from transforms import storage
from transforms.storage.file_system import FileStatus
from transforms.storage.paths import fixed_folder, has_pattern, pattern_matcher
from transforms.videos.block_cache import BlockCache
from transforms.videos.sources import Source


@dataclass(slots=True)
class RemoteVideo:
    """Opens a file anew on each call, over blocks that all its calls share; can be pickled, without them."""

    path: str
    _cache: BlockCache | None = field(default=None, init=False, repr=False, compare=False)

    def __call__(self) -> BinaryIO:
        if self._cache is None:
            path = self.path
            self._cache = BlockCache(lambda: storage.open_file(path))
        return self._cache.open()

    def __reduce__(self) -> tuple[type[RemoteVideo], tuple[str]]:
        return RemoteVideo, (self.path,)

    @property
    def failure(self) -> OSError | None:
        """The error of a read that failed."""
        return self._cache.failure if self._cache else None


def source_of(path: str) -> Source:
    """What to open a video by."""
    return RemoteVideo(path) if storage.is_remote(path) else path


def require_all_read(source: Source) -> None:
    """Raises the OSError of a read that failed in remote storage.

    Demuxers and decoders take it for damage or the file's end; so what they gave says nothing of the video.
    """
    if isinstance(source, RemoteVideo) and source.failure is not None:
        raise source.failure


def files_meant_by(pattern: str) -> Iterator[FileStatus]:
    """The file of this name, those that a glob pattern matches, or those below a folder whose names are not hidden.

    Raises:
      OSError: there is no such storage, or it cannot be read.
    """
    file = storage.status(pattern)
    if file is not None:
        yield file
    elif has_pattern(pattern):
        matches = pattern_matcher(pattern).fullmatch
        yield from (file for file in storage.walk(fixed_folder(pattern)) if matches(file.path))
    else:
        for file in storage.walk(pattern):
            parts = storage.relative_name(file.path, pattern).split("/")
            if not any(part.startswith(".") for part in parts):
                yield file
