"""The annotation formats that are known, each as its module describes itself."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import BinaryIO, Protocol, cast

from transforms.annotations.format_names import MODULES
from transforms.records import Portion, ReadContext, Reading


class FormatModule(Protocol):
    """What a format's module has; see ``AnnotationFormat``.

    It may also have COMPANIONS, FILES_SHARE_IMAGES, IS_FILE_PER_IMAGE, MASK_FOLDERS, NAME_PATTERNS and a function
    ``portions``.
    """

    @property
    def SUFFIXES(self) -> tuple[str, ...]: ...  # noqa: N802

    @property
    def FILES_PER_UNIT(self) -> int: ...  # noqa: N802

    def sniff(self, head: bytes, /) -> bool: ...

    def read(self, stream: BinaryIO, context: ReadContext, /) -> Iterator[Reading]: ...


@dataclass(frozen=True, slots=True)
class AnnotationFormat:
    """A format.

    Attributes:
      name: as ``--format`` takes it.
      suffixes: of its files' names, lower case.
      sniff: whether the first 64 KiB of a file look like it.
      read: yields what a file holds; whatever is in the file, it raises nothing but OSError.
      files_per_unit: how many files one worker reads in a row.
      companions: patterns of the names of files that go with its annotation files and hold none themselves (lists of
        classes, say), or of such names with their folders; lower case. They are passed over when annotations are
        looked for.
      is_file_per_image: a file is about the image of its own name. Such a file may be empty, or too bad to be told
        from its content: the format is then that of the files beside it.
      patterns: of further names, lower case.
      portions: for formats whose files are huge: yields what ``read`` does in portions, so that only going through the
        file is one worker's work.
      mask_folders: where its mask pictures lie, as seen from an annotation file; ``{stem}`` is that file's name without
        its suffix. Changed pictures in them make another dataset.
      files_share_images: what several files say of one image is united, see ``united_images``; without it an image that
        two files name is refused.
    """

    name: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    read: Callable[[BinaryIO, ReadContext], Iterator[Reading]]
    files_per_unit: int
    companions: tuple[str, ...] = ()
    is_file_per_image: bool = False
    patterns: tuple[str, ...] = ()
    portions: Callable[[BinaryIO, ReadContext], Iterator[Portion]] | None = None
    mask_folders: tuple[str, ...] = ()
    files_share_images: bool = False

    @classmethod
    def of(cls, name: str, module: FormatModule) -> AnnotationFormat:
        return cls(
            name,
            module.SUFFIXES,
            module.sniff,
            module.read,
            module.FILES_PER_UNIT,
            getattr(module, "COMPANIONS", ()),
            getattr(module, "IS_FILE_PER_IMAGE", False),
            getattr(module, "NAME_PATTERNS", ()),
            getattr(module, "portions", None),
            getattr(module, "MASK_FOLDERS", ()),
            getattr(module, "FILES_SHARE_IMAGES", False),
        )

    def claims_name(self, name: str) -> bool:
        """Whether a file of this name may be of this format."""
        lower = name.lower()
        return lower.endswith(self.suffixes) or any(fnmatch.fnmatchcase(lower, pattern) for pattern in self.patterns)


FORMATS = {
    name: AnnotationFormat.of(name, cast(FormatModule, import_module(f"transforms.annotations.{module}")))
    for name, module in MODULES.items()
}
