"""The values that flow between stages, and the one box convention.

**The box convention.** Inside Boxmill a box is four edges in a plane whose origin is the top-left corner of the
top-left pixel, x to the right and y down. A box that covers exactly the first pixel is (0, 0, 1, 1). Formats differ:

* COCO stores ``[x, y, width, height]`` of the same plane: edges are ``x, y, x + width, y + height``.
* Pascal VOC stores ``xmin, ymin, xmax, ymax``. Nearly all tools write edges into it; the original challenge
  wrote 1-based inclusive pixel indices, whose edges are ``xmin - 1, ymin - 1, xmax, ymax``.

Parsers convert to edges and keep the unit that they found (pixels, or fractions of the image). Boxes become
normalised ``ymin, xmin, ymax, xmax`` in 0..1 only when an Example is encoded, with the size of the decoded pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Unit = Literal["pixels", "fractions"]


# Boxes and objects are named tuples, all else dataclasses: of these two there are millions, and a tuple is made in a
# quarter of the time.
class Box(NamedTuple):
    """Edges of a box in the unit of its image; see the module's docstring. Not validated: that is the check's work."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    @property
    def area(self) -> float:
        return (self.xmax - self.xmin) * (self.ymax - self.ymin)


class ObjectAnnotation(NamedTuple):
    """One object as its source describes it. ``None`` means that the source does not say.

    Attributes:
      box: edges, in the unit of the image that holds the object.
      class_name: stripped and in Unicode form NFC; ids are given at encoding.
      box_id: the source's own id of the object, or "".
      position: where in the annotation file it stands ("object 3", "line 12"), for the ledger.
      area: pixels², as annotated (of the mask, where there is one).
    """

    box: Box
    class_name: str
    box_id: str = ""
    position: str = ""
    area: float | None = None
    is_crowd: bool | None = None
    difficult: bool | None = None
    truncated: bool | None = None
    occluded: bool | None = None
    group_of: bool | None = None
    depiction: bool | None = None
    pose: str | None = None
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class BoxProblem:
    """A box that was repaired or dropped, and why. Becomes a row of the box ledger."""

    position: str
    box_id: str
    class_name: str
    status: Literal["repaired", "dropped"]
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class AnnotatedImage:
    """An image and its objects as read from one place in one annotation file; no pixels.

    Attributes:
      file_name: as the annotation names it, with "/" between folders.
      image_id: the source's own id, or "".
      folder: of the annotation file below the annotations' root, for formats that keep one file beside each image:
        ``file_name`` may lie in the same folder below the images' root.
      width, height: as the annotation claims, in pixels; None where it does not say.
      objects: those whose fields could be read.
      problems: objects that were dropped since their fields could not be read, or that stay among ``objects`` with
        a remark (status "repaired").
      repairs: reasons of repairs to the image's entry itself (an encoding, say).
      source, annotation_file: where it was read, for the ledger.
    """

    file_name: str
    image_id: str = ""
    width: int | None = None
    height: int | None = None
    unit: Unit = "pixels"
    objects: tuple[ObjectAnnotation, ...] = ()
    problems: tuple[BoxProblem, ...] = ()
    repairs: tuple[str, ...] = ()
    source: str = ""
    annotation_file: str = ""
    folder: str = ""

    @property
    def boxes_read(self) -> int:
        return len(self.objects) + sum(problem.status == "dropped" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Rejection:
    """An image, or a whole annotation file, that will not be written, and why.

    Attributes:
      is_image: False for an annotation file that names no image and for boxes without an image; it is then no
        image of the closing identity, yet has its row.
      problems: the boxes that are lost with it; each is counted as read and dropped.
    """

    reason: str
    detail: str
    file_name: str = ""
    image_id: str = ""
    is_image: bool = True
    problems: tuple[BoxProblem, ...] = ()
    source: str = ""
    annotation_file: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredClasses:
    """The classes that an annotation file declares, used or not, with its own ids in the order of the file."""

    ids: tuple[tuple[str, int], ...]


Reading = AnnotatedImage | Rejection | DeclaredClasses
"""What a format's reader yields."""


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What a format's reader is told about the file that it reads.

    Attributes:
      source: name of the source, for the ledger.
      annotation_file: path relative to the annotations' root, with "/" between folders.
      voc_origin: 0 if VOC coordinates are edges, 1 if they are 1-based inclusive pixel indices.
    """

    source: str
    annotation_file: str
    voc_origin: Literal[0, 1] = 0
