"""Videos on the file systems that Beam knows (``gs://`` and others). Beam is imported where one is named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from transforms.videos.find_videos import is_remote
from transforms.videos.sources import Source


@dataclass(frozen=True, slots=True)
class RemoteVideo:
    """Opens a file anew on each call; can be pickled, so that workers open it themselves."""

    path: str

    def __call__(self) -> BinaryIO:
        from apache_beam.io.filesystem import CompressionTypes
        from apache_beam.io.filesystems import FileSystems

        # The bytes as they are: a name that ends with .gz does not make a video compressed.
        return cast(BinaryIO, FileSystems.open(self.path, compression_type=CompressionTypes.UNCOMPRESSED))


def source_of(path: str) -> Source:
    """What to open a video by."""
    return RemoteVideo(path) if is_remote(path) else path


def match_files(pattern: str) -> Iterator[tuple[str, int, float]]:
    """Path, size in bytes and time of change of each file that a pattern means.

    Raises:
      OSError: Beam has no such file system, or it cannot be reached.
    """
    from apache_beam.io.filesystems import FileSystems

    try:
        matches = FileSystems.match([pattern])
    except ValueError as error:
        raise OSError(f"{pattern}: {error}") from error
    for match in matches:
        for file in match.metadata_list:
            yield file.path, file.size_in_bytes, file.last_updated_in_seconds or 0.0
