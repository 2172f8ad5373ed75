"""What a COCO file says of its images, brought together by image id, to readings.

Entries of an image are plain tuples: a kind and what the collector in ``coco`` put behind it. They can be pickled, so
that the readings of a huge file, which one worker must go through, are made on all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from transforms.annotations.coco_fields import id_hash
from transforms.annotations.object_columns import UNKNOWN_FLAG, Rows
from transforms.annotations.plain_objects import NO_ROWS
from transforms.annotations.row_objects import NO_OUTLINES, Outlines, RowObjects
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    Box,
    BoxProblem,
    ObjectAnnotation,
    PanopticMap,
    PanopticSegment,
    Polygons,
    Reading,
    Rejection,
)

# Entries of an image begin with one of these.
IMAGE, OBJECT, SEGMENT, PROBLEM = "image", "object", "segment", "problem"
CAPTION, PANOPTIC = "caption", "panoptic"
_OF_ANNOTATIONS = (OBJECT, SEGMENT, PROBLEM)
SEGMENTS = "segments_info"

Entry = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class CocoFile:
    """What all images of a file share.

    Attributes:
      source, annotation_file: for the ledger.
      with_masks: masks and maps are wanted.
      repairs: of the file, so of each image.
      class_names: by category id as text.
      stuff: ids of categories that are no things.
      repeated_ids: hashes of annotation ids that more than one annotation has.
    """

    source: str
    annotation_file: str
    with_masks: bool
    repairs: tuple[str, ...] = ()
    class_names: Mapping[str, str] = field(default_factory=dict)
    stuff: frozenset[str] = frozenset()
    repeated_ids: frozenset[int] = frozenset()

    def reject(
        self,
        reason: str,
        detail: str,
        file_name: str = "",
        image_id: str = "",
        *,
        is_image: bool = False,
        problems: tuple[BoxProblem, ...] = (),
    ) -> Rejection:
        return Rejection(reason, detail, file_name, image_id, is_image, problems, self.source, self.annotation_file)

    def known(self, class_ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.class_names[class_id] for class_id in class_ids if class_id in self.class_names)

    def segments(self, segments: Iterable[tuple[int, str, bool]]) -> Iterator[PanopticSegment]:
        for segment_id, class_id, crowd in segments:
            if class_id in self.class_names:  # of others the row of the box says so
                yield PanopticSegment(segment_id, self.class_names[class_id], crowd, class_id not in self.stuff)

    def image(
        self,
        image_id: str,
        entry: Entry,
        objects: Sequence[ObjectAnnotation],
        problems: Iterable[BoxProblem] = (),
        captions: Iterable[str] = (),
        maps: Sequence[PanopticMap] = (),
    ) -> AnnotatedImage:
        """The image of an entry of the kind ``IMAGE``, and what is said of it."""
        _, name, width, height, class_ids = entry
        negative: tuple[str, ...] = ()
        not_exhaustive: tuple[str, ...] = ()
        repairs = self.repairs
        if class_ids:
            negative, not_exhaustive = map(self.known, class_ids)
            if len(negative) + len(not_exhaustive) < sum(map(len, class_ids)):
                repairs = (*repairs, Reason.IMAGE_LABEL_DROPPED)
        return AnnotatedImage(
            file_name=name,
            image_id=image_id,
            width=width,
            height=height,
            objects=objects,
            problems=tuple(problems),
            repairs=repairs,
            source=self.source,
            annotation_file=self.annotation_file,
            captions=tuple(captions),
            negative_classes=negative,
            not_exhaustive_classes=not_exhaustive,
            panoptic=maps[0] if maps and self.with_masks else None,
        )


@dataclass(frozen=True, slots=True)
class CocoPortion:
    """Some images of a file.

    Attributes:
      file: that they are of.
      groups: image ids and their entries.
      plain: the plain objects, group by group.
      counts: how many of them each group has.
      outlines: their polygons.
      ready: readings that are about no image.
    """

    file: CocoFile
    groups: Sequence[tuple[str, Sequence[Entry]]] = ()
    plain: Rows = field(default_factory=lambda: NO_ROWS)
    counts: Sequence[int] = ()
    outlines: Outlines = NO_OUTLINES
    ready: tuple[Reading, ...] = ()

    def readings(self) -> Iterator[Reading]:
        yield from self.ready
        rings, has_rings = self.outlines.rings(), self.plain["rings"].tolist()
        masks = [Polygons(tuple(islice(rings, count))) if count else None for count in has_rings]
        objects = RowObjects(self.plain, masks, self.file.class_names, self.file.repeated_ids)
        start = 0
        for (image_id, entries), count in zip(self.groups, self.counts, strict=True):
            place = slice(start, start + count)
            start += count
            is_alone = len(entries) == 1 and entries[0][0] == IMAGE
            if is_alone and (own := objects.of(place)) is not None:  # nearly always
                yield self.file.image(image_id, entries[0], own)
            else:
                plain = _entries_of_rows(self.plain[place], masks[place])
                yield from _image(image_id, _in_order([*entries, *plain]) if plain else entries, self.file)


def is_segment(position: str) -> bool:
    """Whether the object at a position of a file is a segment of a panoptic map."""
    return f".{SEGMENTS}[" in position


def _entries_of_rows(rows: Rows, masks: Iterable[Polygons | None]) -> list[Entry]:
    return [
        (
            OBJECT,
            f"annotations[{index}]",
            str(box_id),
            str(class_id),
            edges,
            area if area == area else None,
            None if crowd == UNKNOWN_FLAG else crowd == 1,
            ({"mask": mask}, ()) if mask else None,
        )
        for (_, index, box_id, class_id, *edges, area, crowd, _, _, _), mask in zip(rows.tolist(), masks, strict=True)
    ]


def _in_order(entries: list[Entry]) -> list[Entry]:
    """The entries of an image in the order of the file."""
    entries.sort(key=_place)
    return entries


def _place(entry: Entry) -> int:
    """The index of an entry's annotation in the file; what is no annotation comes first."""
    return int(entry[1].partition("[")[2].partition("]")[0]) if entry[0] in _OF_ANNOTATIONS else -1


def _image(image_id: str, entries: Sequence[Entry], file: CocoFile) -> Iterator[Reading]:
    names, repeated_ids = file.class_names, file.repeated_ids
    images: list[Entry] = []
    objects: list[ObjectAnnotation] = []
    problems: list[BoxProblem] = []
    captions: list[str] = []
    maps: list[PanopticMap] = []
    for kind, *fields in entries:
        if kind in (OBJECT, SEGMENT):
            position, box_id, class_id, edges, area, crowd, rich = fields
            name = names.get(class_id)
            if name is None:
                detail = f"category id {class_id or 'missing'} is not among the file's categories"
                problems.append(BoxProblem(position, box_id, "", "dropped", Reason.UNKNOWN_CLASS, detail))
                continue
            if kind == SEGMENT and class_id in file.stuff:
                continue  # stuff has no boxes
            if repeated_ids and box_id and id_hash(box_id) in repeated_ids:
                detail = f"annotation id {box_id} is used more than once"
                problems.append(BoxProblem(position, box_id, name, "repaired", Reason.DUP_ANN_ID, detail))
            more, faults = rich or ({}, ())
            objects.append(ObjectAnnotation(Box(*edges), name, box_id, position, area, crowd, **more))
            problems += [BoxProblem(position, box_id, name, "repaired", *fault) for fault in faults]
        elif kind == IMAGE:
            images.append((kind, *fields))
        elif kind == PROBLEM:
            position, box_id, class_id, reason, detail = fields
            problems.append(BoxProblem(position, box_id, names.get(class_id, ""), "dropped", reason, detail))
        elif kind == CAPTION:
            captions.append(fields[0])
        else:
            maps.append(PanopticMap(fields[0], tuple(file.segments(fields[1]))))
    if len(images) != 1 or len(maps) > 1:
        yield from _refused(image_id, images, objects, problems, captions, maps, file)
        return
    yield file.image(image_id, images[0], tuple(objects), problems, captions, maps)


def _refused(
    image_id: str,
    images: Sequence[Entry],
    objects: Sequence[ObjectAnnotation],
    problems: Sequence[BoxProblem],
    captions: Sequence[str],
    maps: Sequence[PanopticMap],
    file: CocoFile,
) -> Iterator[Rejection]:
    """An id of no image or of several ones, or an image with several panoptic maps."""
    reason, detail = Reason.ORPHAN_ANNOTATION, f"no image has the id {image_id}"
    if len(images) > 1:
        reason, detail = Reason.DUP_IMAGE_ID, f"{len(images)} images have the id {image_id}"
    elif images:
        reason, detail = Reason.PANOPTIC_REPEATED, f"the image has {len(maps)} panoptic maps"
    lost = tuple(problem for problem in problems if problem.status == "dropped") + tuple(
        BoxProblem(o.position, o.box_id, o.class_name, "dropped", reason, detail) for o in objects
    )
    # The boxes of a shared id belong to none of its images: they are listed with the first.
    for index, (_, name, *_) in enumerate(images):
        yield file.reject(reason, detail, name, image_id, is_image=True, problems=() if index else lost)
    if lost and not images:
        yield file.reject(reason, detail, image_id=image_id, problems=lost)
    if captions and not images:
        yield file.reject(reason, f"{detail}, which {len(captions)} captions have", image_id=image_id)
