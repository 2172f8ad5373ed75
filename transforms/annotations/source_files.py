"""The annotation file that is being read: its text, and what its images have in common."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, TextIO

from transforms.annotations.fields import quote
from transforms.annotations.json_stream import JsonError
from transforms.annotations.refusals import Refused, refuse_image
from transforms.annotations.text_encoding import LAST_RESORT, detect_encoding
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, ReadContext, Reading, Rejection


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The annotation file that is being read.

    Attributes:
      context: of the read.
      title: of the format, for sentences.
      repairs: of the file itself, which each of its images carries.
    """

    context: ReadContext
    title: str
    repairs: tuple[str, ...] = ()

    def rejection(self, reason: str, detail: str, is_image: bool = True) -> Rejection:
        """The row of an entry, or of the whole file, that names no image."""
        context = self.context
        return Rejection(
            reason, detail, is_image=is_image, source=context.source, annotation_file=context.annotation_file
        )

    def unreadable(self, error: Exception, is_image: bool = False) -> Rejection:
        """The row of a text that is not what it must be."""
        return self.rejection(Reason.ANNOTATION_UNREADABLE, f"no readable {self.title}: {error}", is_image)

    def image(self, file_name: Any, place: str, **fields: Any) -> AnnotatedImage | Rejection:
        """An image of this file with the given fields of ``AnnotatedImage``; refused if it has no name.

        It may lie in the file's own folder, as many tools keep their annotations beside the pictures.

        Args:
          file_name: as found, of any type.
          place: of the entry ("line 3"), for the ledger.
        """
        is_named = isinstance(file_name, str) and bool(file_name.strip())
        if not self.context.with_masks and "objects" in fields:
            fields["objects"] = tuple(item._replace(mask=None) if item.mask else item for item in fields["objects"])
        image = AnnotatedImage(
            file_name=file_name if is_named else "",
            folder=posixpath.dirname(self.context.annotation_file),
            repairs=self.repairs,
            source=self.context.source,
            annotation_file=self.context.annotation_file,
            **fields,
        )
        if is_named:
            return image
        return refuse_image(image, Reason.FIELD_MISSING, f"{place} names no image, but {quote(file_name)}")


def read_streamed(
    stream: BinaryIO, context: ReadContext, title: str, read_text: Callable[[TextIO, SourceFile], Iterator[Reading]]
) -> Iterator[Reading]:
    """Reads a file of any size. Where its text breaks off, one rejection follows the images that were whole."""
    file = SourceFile(context, title)
    try:
        encoding = detect_encoding(stream)
        file = SourceFile(context, title, (Reason.ENCODING_CP949,) if encoding == LAST_RESORT else ())
        with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
            yield from read_text(text, file)
    except Refused as refused:
        yield file.rejection(refused.reason, refused.detail, is_image=False)
    except (JsonError, UnicodeDecodeError) as error:
        yield file.unreadable(error)
