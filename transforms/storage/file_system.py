"""What every kind of storage offers, and what it says of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class FileStatus:
    """A file as its storage describes it.

    Attributes:
      path: by which it is opened.
      bytes: its size.
      modified: seconds of the epoch, by the storage's clock.
      tag: changes whenever the content does (of GCS the generation); "" where the storage keeps none.
      metadata: that its writer attached.
    """

    path: str
    bytes: int
    modified: float
    tag: str = ""
    metadata: Mapping[str, str] | None = None


class FileTooLarge(OSError):
    """A file has more bytes than its reader takes."""


class FileSystem(Protocol):
    """A kind of storage.

    Every operation raises OSError with a sentence that says what to do: FileNotFoundError where nothing is there,
    PermissionError for missing rights and credentials, another OSError when the storage failed for good.
    """

    def read(self, path: str, max_bytes: int | None = None) -> bytes:
        """A whole file; FileTooLarge, unread, if it has more bytes."""

    def read_tagged(self, path: str, max_bytes: int | None = None) -> tuple[bytes, str]:
        """As ``read``, and the file's tag."""

    def read_range(self, path: str, start: int, size: int) -> bytes:
        """At most so many bytes from an offset on; fewer, or none, at the end."""

    def open(self, path: str) -> BinaryIO:
        """A buffered stream that can seek."""

    def status(self, path: str) -> FileStatus | None:
        """What is known of a file; None if there is none."""

    def is_folder(self, path: str) -> bool:
        """Whether there is a folder: in an object store, whether any object lies below."""

    def list_folder(self, path: str) -> tuple[list[FileStatus], list[str]]:
        """The files right in a folder, and the paths of its folders; both empty if it is not there."""

    def walk(self, path: str) -> Iterator[FileStatus]:
        """All files below a folder; none if it is not there."""

    def write(
        self,
        path: str,
        data: bytes | BinaryIO,
        expected_tag: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> str:
        """Writes a file, which appears whole under its name; folders above it are made.

        Args:
          path: of the file.
          data: bytes, or a stream that can seek, read from its start.
          expected_tag: the tag of what is replaced, "" for nothing; None to replace whatever is there.
          metadata: see FileStatus; kept where the storage can.

        Returns:
          The new tag.

        Raises:
          FileExistsError: what is there is not what was expected; nothing has changed.
        """

    def delete(self, path: str, expected_tag: str | None = None) -> None:
        """Removes a file; no error if there is none, nor if it has another tag than was expected."""

    def delete_folder(self, path: str) -> None:
        """Removes all files below a folder, and the folder itself where folders are; no error if there is none."""

    def copy(self, source: str, target: str) -> None:
        """Copies a file within the storage, whole; the bytes do not pass through this machine where that can be."""
