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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal, NamedTuple, Protocol, TypeVar

T = TypeVar("T")
Unit = Literal["pixels", "fractions"]


# What there are millions of are named tuples, all else dataclasses: a tuple is made in a quarter of the time.
class Box(NamedTuple):
    """Edges of a box in the unit of its image; see the module's docstring. Not validated: that is the check's work."""

    xmin: float
    ymin: float
    xmax: float
    ymax: float

    @property
    def area(self) -> float:
        return (self.xmax - self.xmin) * (self.ymax - self.ymin)


class Polygons(NamedTuple):
    """A mask as the area inside any of its rings; each ring is x0, y0, x1, y1, … in the unit of the image."""

    rings: tuple[tuple[float, ...], ...]


class Rle(NamedTuple):
    """A mask as COCO run lengths: down the columns, runs of 0 and 1 in turn, 0 first.

    Attributes:
      height, width: as annotated, pixels; not trusted.
      counts: run lengths, or COCO's compressed form of them as text.
    """

    height: int
    width: int
    counts: tuple[int, ...] | str


class MaskBitmap(NamedTuple):
    """A mask as an encoded one-channel picture, not trusted; pixels other than 0 are the object's.

    Attributes:
      data: bytes of the file (PNG).
      x, y: where its top-left corner lies in the image, pixels.
    """

    data: bytes
    x: int = 0
    y: int = 0


class MaskFile(NamedTuple):
    """A mask as those pixels of a picture file that have one value (``None``: any but 0).

    Attributes:
      path: below the annotations' root, with "/" between folders.
      value: of the object's pixels: an index, or R + 256 G + 65536 B where the file has colours and no palette.
    """

    path: str
    value: int | None = None


Mask = Polygons | Rle | MaskBitmap | MaskFile


class Keypoint(NamedTuple):
    """A keypoint in the unit of its image; visibility as in COCO: 0 not labelled, 1 hidden, 2 visible."""

    x: float
    y: float
    visibility: int


class ObjectAnnotation(NamedTuple):
    """One object as its source describes it. ``None`` means that the source does not say.

    Attributes:
      box: edges, in the unit of the image that holds the object.
      class_name: stripped and in Unicode form NFC; ids are given at encoding.
      box_id: the source's own id of the object, or "".
      position: where in the annotation file it stands ("object 3", "line 12"), for the ledger.
      area: pixels², as annotated (of the mask, where there is one).
      mask: of the object, as the source gives it; not validated.
      keypoints: in the order of its class's declared keypoint names.
      track_id: the same for one object in several frames of a video, or "".
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
    mask: Mask | None = None
    keypoints: tuple[Keypoint, ...] | None = None
    track_id: str = ""


class ImageLabel(NamedTuple):
    """A class of the whole picture; confidence 1.0 verified present, 0.0 verified absent (as Open Images has it)."""

    class_name: str
    confidence: float = 1.0


class PanopticSegment(NamedTuple):
    """A segment of a panoptic map: its pixels have the value ``segment_id`` (R + 256 G + 65536 B)."""

    segment_id: int
    class_name: str
    is_crowd: bool = False
    is_thing: bool = True


class PanopticMap(NamedTuple):
    """A panoptic segmentation: a picture file below the annotations' root, and the meaning of its values."""

    path: str
    segments: tuple[PanopticSegment, ...]


class RecordAddress(NamedTuple):
    """Where the TFRecord of an image lies that holds its bytes.

    Attributes:
      path: of an uncompressed TFRecord file.
      offset: of the record's header.
      length: of its payload.
      class_ids: names and ids of the classes that pictures and lists in the record speak of by number.
    """

    path: str
    offset: int
    length: int
    class_ids: tuple[tuple[str, int], ...] = ()


class BoxProblem(NamedTuple):
    """A box that was repaired or dropped, and why. Becomes a row of the box ledger."""

    position: str
    box_id: str
    class_name: str
    status: Literal["repaired", "dropped"]
    reason: str
    detail: str


class AnnotatedImage(NamedTuple):
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
      other_names: under which the image may lie if not under ``file_name``, best first.
      is_named_by_file: the format names no image: ``file_name`` is the annotation file's own name without suffix.
      split: that the source puts the image in ("train"), or "".
      fields: other things that the source says of the image, by name, such as its video or scene: to split by.
      captions, labels: of the whole picture.
      negative_classes: verified to be absent. not_exhaustive_classes: of which more objects may be there (both LVIS).
      panoptic: its panoptic map.
      semantic_map: path below the annotations' root of a picture whose values are class indices, 255 unlabelled; or "".
      record: where the image and all that is said of it is stored as an Example; None for an image in a file.
    """

    file_name: str
    image_id: str = ""
    width: int | None = None
    height: int | None = None
    unit: Unit = "pixels"
    objects: Sequence[ObjectAnnotation] = ()
    problems: tuple[BoxProblem, ...] = ()
    repairs: tuple[str, ...] = ()
    source: str = ""
    annotation_file: str = ""
    folder: str = ""
    is_named_by_file: bool = False
    other_names: tuple[str, ...] = ()
    split: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    captions: tuple[str, ...] = ()
    labels: tuple[ImageLabel, ...] = ()
    negative_classes: tuple[str, ...] = ()
    not_exhaustive_classes: tuple[str, ...] = ()
    panoptic: PanopticMap | None = None
    semantic_map: str = ""
    record: RecordAddress | None = None

    def lost_boxes(self, reason: str, detail: str) -> tuple[BoxProblem, ...]:
        """A row for each of its boxes, when the image is refused: those dropped before keep their own reasons."""
        dropped = (problem for problem in self.problems if problem.status == "dropped")
        lost = (BoxProblem(o.position, o.box_id, o.class_name, "dropped", reason, detail) for o in self.objects)
        return (*dropped, *lost)

    @property
    def boxes_read(self) -> int:
        return len(self.objects) + sum([problem.status == "dropped" for problem in self.problems])


class Rejection(NamedTuple):
    """An image, or a whole annotation file, that will not be written, and why.

    Attributes:
      is_image: False for an annotation file that names no image and for boxes without an image; it is then no
        image of the closing identity, yet has its row.
      problems: the boxes that are lost with it; each is counted as read and dropped.
      key: of an image that was read before it was refused, as the plan knows it; "" if its name is its key.
    """

    reason: str
    detail: str
    file_name: str = ""
    image_id: str = ""
    is_image: bool = True
    problems: tuple[BoxProblem, ...] = ()
    source: str = ""
    annotation_file: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredClasses:
    """The classes that an annotation file declares, used or not, with its own ids in the order of the file.

    Attributes:
      ids: name and id.
      keypoints: for a class, the names of its keypoints in order.
      skeletons: for a class, the edges between its keypoints, as pairs of indices from 0.
    """

    ids: tuple[tuple[str, int], ...]
    keypoints: tuple[tuple[str, tuple[str, ...]], ...] = ()
    skeletons: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = ()


Reading = AnnotatedImage | Rejection | DeclaredClasses
"""What a format's reader yields."""


class Portion(Protocol):
    """Some images of a file, gone through but not yet made into readings; it can be pickled."""

    def readings(self) -> Iterator[Reading]: ...


class Companions(Protocol):
    """The other files beside an annotation file; nothing outside the annotations' dataset is ever opened."""

    def read(self, name: str) -> bytes | None:
        """The file of this name, from the folder of the annotation file ("../classes.txt"); None if there is none."""

    def open(self, name: str) -> BinaryIO | None:
        """As ``read``, for files of any size."""

    def names(self, folder: str = "") -> tuple[str, ...]:
        """Sorted names of the files in a folder, given as for ``read``; empty if there is none."""

    def place(self, name: str) -> str:
        """Where a file is below the root, as ``MaskFile`` has it, given as for ``read``; it may not exist."""

    def upwards(self) -> tuple[str, ...]:
        """The folder of the annotation file and those above it, nearest first, as ``names`` takes them: "", "..", …"""

    def once(self, find: Callable[[Companions], T]) -> T:
        """What ``find`` makes of these files; found once for all annotation files of a folder that one worker reads."""


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What a format's reader is told about the file that it reads.

    Attributes:
      source: name of the source, for the ledger.
      annotation_file: path relative to the annotations' root, with "/" between folders.
      voc_origin: 0 if VOC coordinates are edges, 1 if they are 1-based inclusive pixel indices.
      companions: files beside this one, for formats that keep their classes or masks apart.
      with_masks: whether masks and maps are wanted; reading them takes time and room.
      path: to open the file again.
      work_folder: for what is needed until the build ends, such as unpacked copies.
      expand_hierarchy: whether objects get the wider classes of theirs too, where the format has a hierarchy.
    """

    source: str
    annotation_file: str
    voc_origin: Literal[0, 1] = 0
    companions: Companions | None = None
    with_masks: bool = True
    path: str = ""
    work_folder: str = ""
    expand_hierarchy: bool = False
