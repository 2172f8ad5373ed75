"""COCO JSON: instances, keypoints, captions and panoptic, and LVIS, which adds to it.

Format: https://cocodataset.org/#format-data – one object with ``images``, ``annotations`` and ``categories``, in any
order; boxes are ``[x, y, width, height]`` in pixels from the image's top-left corner, floats. Category ids may have
gaps. The file is streamed: images and annotations are brought together by image id in bounded memory.
"""

from __future__ import annotations

import hashlib
import io
import math
import posixpath
from array import array
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import numpy as np

from transforms.annotations.coco_fields import (
    MASK_KEYS,
    OTHER_KEYS,
    bytes_of_mask,
    category_keypoints,
    rich_fields,
)
from transforms.annotations.fields import (
    MAX_INT64,
    FieldError,
    as_flag,
    as_id,
    as_int64,
    as_number,
    as_size,
    clean_class_name,
    is_text,
    quote,
)
from transforms.annotations.json_outline import outline
from transforms.annotations.json_stream import DUPLICATE_KEY, JsonError, stream_members
from transforms.annotations.spilled_groups import SpilledGroups
from transforms.annotations.text_encoding import LAST_RESORT, detect_encoding
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    Box,
    BoxProblem,
    DeclaredClasses,
    MaskFile,
    ObjectAnnotation,
    PanopticMap,
    PanopticSegment,
    ReadContext,
    Reading,
    Rejection,
)

SUFFIXES = (".json",)
FILES_PER_UNIT = 1
# Entries of a group begin with one of these.
_IMAGE, _OBJECT, _SEGMENT, _PROBLEM = "image", "object", "segment", "problem"
_CAPTION, _PANOPTIC = "caption", "panoptic"
_NEGATIVE, _NOT_EXHAUSTIVE = "neg_category_ids", "not_exhaustive_category_ids"
_LVIS_KEYS = frozenset({_NEGATIVE, _NOT_EXHAUSTIVE})


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file look like COCO: an object that soon begins one of its arrays."""
    found = outline(head)
    is_ours = any(found.has(**{key: "["}) for key in ("images", "annotations", "categories"))
    return found.kind == "object" and is_ours


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one COCO file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    try:
        encoding = detect_encoding(stream)
        reader = _CocoReader(context, repairs=(Reason.ENCODING_CP949,) if encoding == LAST_RESORT else ())
        with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
            reader.collect(text)
    except (JsonError, UnicodeDecodeError) as error:
        yield Rejection(
            Reason.ANNOTATION_UNREADABLE,
            f"no readable COCO JSON: {error}",
            is_image=False,
            source=context.source,
            annotation_file=context.annotation_file,
        )
        return
    yield from reader.readings()


class _CocoReader:
    """Collects a file's entries by image id, then yields them image by image."""

    def __init__(self, context: ReadContext, repairs: tuple[str, ...]):
        self._context = context
        self._repairs = repairs
        self._groups = SpilledGroups()
        self._class_names: dict[str, str] = {}
        self._declared: list[tuple[str, int]] = []
        self._keypoints: dict[str, tuple[str, ...]] = {}
        self._skeletons: dict[str, tuple[tuple[int, int], ...]] = {}
        self._stuff: set[str] = set()
        self._rich_keys = OTHER_KEYS | MASK_KEYS if context.with_masks else OTHER_KEYS
        self._box_ids = array("Q")
        self._rejections: list[Rejection] = []
        self._count = {"images": 0, "annotations": 0, "categories": 0}

    def collect(self, text: io.TextIOWrapper) -> None:
        found: set[str] = set()
        for key, element in stream_members(text):
            found.add(key)
            if key not in self._count:
                continue
            index = self._count[key]
            self._count[key] += 1
            position = f"{key}[{index}]"
            if not isinstance(element, dict):
                self._reject_entry(position, Reason.FIELD_MISSING, f"{position} is {quote(element)}, not an object")
            elif key == "images":
                self._add_image(position, element)
            elif key == "annotations":
                self._add_annotation(position, element)
            else:
                self._add_category(position, element)
        if not found & {"images", "annotations"}:
            raise JsonError('the object has neither "images" nor "annotations"')

    def _reject_entry(
        self, position: str, reason: Reason, detail: str, file_name: str = "", image_id: str = ""
    ) -> None:
        problems: tuple[BoxProblem, ...] = ()
        if position.startswith("annotations"):
            problems = (BoxProblem(position, "", "", "dropped", reason, detail),)
        is_image = position.startswith("images")
        self._rejections.append(
            self._rejection(reason, detail, file_name, image_id, is_image=is_image, problems=problems)
        )

    def _add_category(self, position: str, entry: dict[str, Any]) -> None:
        class_id, name = as_id(entry.get("id")), entry.get("name")
        if class_id is None or not isinstance(name, str) or not clean_class_name(name):
            raise JsonError(f"{position} needs an id and a name, it is {quote(entry)}")
        name = clean_class_name(name)
        if not is_text(name):
            raise JsonError(f"{position} has the name {quote(name)}, which holds control characters")
        if self._class_names.get(class_id, name) != name:
            raise JsonError(f"category id {class_id} is both {self._class_names[class_id]!r} and {name!r}")
        self._class_names[class_id] = name
        if (number := as_int64(class_id)) is not None:
            self._declared.append((name, number))
        if entry.get("isthing", 1) == 0:
            self._stuff.add(class_id)
        try:
            names, skeleton = category_keypoints(entry)
        except FieldError as error:
            self._reject_entry(position, Reason.KEYPOINTS_MALFORMED, f"{position}: {error}")
            return
        if names:
            self._keypoints[name], self._skeletons[name] = names, skeleton

    def _add_image(self, position: str, entry: dict[str, Any]) -> None:
        image_id, name = as_id(entry.get("id")), entry.get("file_name") or _name_in_url(entry.get("coco_url"))
        if DUPLICATE_KEY in entry:
            detail = f"{position} has the key {quote(entry[DUPLICATE_KEY])} twice"
            self._reject_entry(position, Reason.JSON_DUPLICATE_KEY, detail, image_id=image_id or "")
        elif image_id is None or not isinstance(name, str) or not name.strip():
            detail = f"{position} needs an id and a file_name, they are {quote(entry.get('id'))} and {quote(name)}"
            self._reject_entry(position, Reason.FIELD_MISSING, detail, image_id=image_id or "")
        else:
            classes = () if _LVIS_KEYS.isdisjoint(entry) else (_ids(entry, _NEGATIVE), _ids(entry, _NOT_EXHAUSTIVE))
            self._groups.append(
                image_id, (_IMAGE, name, as_size(entry.get("width")), as_size(entry.get("height")), classes)
            )

    def _add_annotation(self, position: str, entry: dict[str, Any], segment: MaskFile | None = None) -> None:
        image_id, box_id = as_id(entry.get("image_id")), as_id(entry.get("id")) or ""
        class_id = as_id(entry.get("category_id")) or ""
        if image_id is None:
            detail = f"{position} has no image_id"
            self._reject_entry(position, Reason.ORPHAN_ANNOTATION, detail)
            return
        if box_id:
            raw_id = entry["id"]
            self._box_ids.append(raw_id if type(raw_id) is int and 0 <= raw_id <= MAX_INT64 else _id_hash(box_id))
        if DUPLICATE_KEY in entry:
            detail = f"the key {quote(entry[DUPLICATE_KEY])} stands twice"
            self._groups.append(
                image_id, (_PROBLEM, position, box_id, class_id, Reason.JSON_DUPLICATE_KEY.value, detail)
            )
            return
        try:
            x, y, width, height = _bbox(entry)
        except FieldError as error:
            if "bbox" not in entry and self._add_of_image(position, image_id, entry):
                return
            reason = Reason.FIELD_MISSING if entry.get("bbox") is None else Reason.FIELD_NOT_NUMBER
            self._groups.append(image_id, (_PROBLEM, position, box_id, class_id, reason.value, str(error)))
            return
        # A negative side is no swapped edge: nobody knows which edge x and y are then.
        if min(width, height) <= 0 and math.isfinite(width + height):
            detail = f"width {width:g}, height {height:g}"
            self._groups.append(image_id, (_PROBLEM, position, box_id, class_id, Reason.BOX_EMPTY.value, detail))
            return
        area = entry.get("area")
        if area is not None and type(area) is not float:
            try:
                area = as_number("area", area)
            except FieldError:
                area = None  # the box's own area serves; nothing of the object is lost
        crowd = as_flag(entry.get("iscrowd"))
        kind, mask_bytes = _OBJECT, 0
        rich: tuple[dict[str, Any], list[tuple[str, str]]] | None = None
        if segment is not None:
            kind, rich = _SEGMENT, ({"mask": segment} if self._context.with_masks else {}, [])
        elif not self._rich_keys.isdisjoint(entry):
            rich = rich_fields(entry, self._context.with_masks)
            mask_bytes = bytes_of_mask(rich[0].get("mask"))
        edges = (x, y, x + width, y + height)
        self._groups.append(image_id, (kind, position, box_id, class_id, edges, area, crowd, rich), mask_bytes)

    def _add_of_image(self, position: str, image_id: str, entry: dict[str, Any]) -> bool:
        """Adds what is said of the image as a whole; False if that is nothing."""
        if isinstance(entry.get("segments_info"), list):
            self._add_panoptic(position, image_id, entry)
        elif "caption" in entry:
            caption = entry["caption"]
            if isinstance(caption, str) and caption.strip():
                self._groups.append(image_id, (_CAPTION, caption.strip()))
            else:
                detail = f"{position} has the caption {quote(caption)}"
                self._rejections.append(self._rejection(Reason.FIELD_MISSING, detail, image_id=image_id))
        else:
            return False
        return True

    def _add_panoptic(self, position: str, image_id: str, entry: dict[str, Any]) -> None:
        """Adds a panoptic map, and its segments as objects whose masks are the map's pixels of one value."""
        name = entry.get("file_name")
        path = self._map_path(name) if isinstance(name, str) and name else ""
        segments = []
        for index, segment in enumerate(entry["segments_info"]):
            place = f"{position}.segments_info[{index}]"
            segment_id = segment.get("id") if isinstance(segment, dict) else None
            if type(segment_id) is not int:
                detail = f"a segment needs an id, it is {quote(segment)}"
                self._groups.append(image_id, (_PROBLEM, place, "", "", Reason.FIELD_MISSING.value, detail))
                continue
            segments.append(
                (segment_id, as_id(segment.get("category_id")) or "", bool(as_flag(segment.get("iscrowd"))))
            )
            # The id of a segment is unique in its image only.
            values = {**segment, "id": None, "image_id": image_id}
            self._add_annotation(place, values, MaskFile(path, segment_id))
        self._groups.append(image_id, (_PANOPTIC, path, tuple(segments)))

    def _map_path(self, name: str) -> str:
        """Where a panoptic map lies below the root: ``x.json`` has its maps in ``x/``, or beside it."""
        companions = self._context.companions
        path = posixpath.join(self._map_folder, name)
        return path if companions is None else companions.place(path)

    @cached_property
    def _map_folder(self) -> str:
        stem = posixpath.splitext(posixpath.basename(self._context.annotation_file))[0]
        companions = self._context.companions
        return stem if companions is None or companions.names(stem) else ""

    def readings(self) -> Iterator[Reading]:
        yield DeclaredClasses(tuple(self._declared), tuple(self._keypoints.items()), tuple(self._skeletons.items()))
        yield from self._rejections
        repeated_ids = _repeated(self._box_ids)
        for image_id, entries in self._groups.groups():
            yield from self._image(image_id, entries, repeated_ids)

    def _image(self, image_id: str, entries: list[tuple[Any, ...]], repeated_ids: frozenset[int]) -> Iterator[Reading]:
        images = [entry[1:] for entry in entries if entry[0] == _IMAGE]
        objects: list[ObjectAnnotation] = []
        problems: list[BoxProblem] = []
        captions: list[str] = []
        maps: list[PanopticMap] = []
        for kind, *fields in entries:
            if kind == _PROBLEM:
                position, box_id, class_id, reason, detail = fields
                problems.append(BoxProblem(position, box_id, self._name(class_id), "dropped", reason, detail))
            elif kind in (_OBJECT, _SEGMENT):
                position, box_id, class_id, edges, area, crowd, rich = fields
                if class_id not in self._class_names:
                    detail = f"category id {class_id or 'missing'} is not among the file's categories"
                    problems.append(BoxProblem(position, box_id, "", "dropped", Reason.UNKNOWN_CLASS, detail))
                    continue
                if kind == _SEGMENT and class_id in self._stuff:
                    continue  # stuff has no boxes
                name = self._class_names[class_id]
                if box_id and repeated_ids and _id_hash(box_id) in repeated_ids:
                    detail = f"annotation id {box_id} is used more than once"
                    problems.append(BoxProblem(position, box_id, name, "repaired", Reason.DUP_ANN_ID, detail))
                item = ObjectAnnotation(Box(*edges), name, box_id, position, area, crowd)
                if rich is not None:
                    item = item._replace(**rich[0])
                    problems += [BoxProblem(position, box_id, name, "repaired", *problem) for problem in rich[1]]
                objects.append(item)
            elif kind == _CAPTION:
                captions.append(fields[0])
            elif kind == _PANOPTIC:
                maps.append(PanopticMap(fields[0], tuple(self._segments(fields[1]))))
        if len(images) == 1 and len(maps) <= 1:
            name, width, height, class_ids = images[0]
            negative, not_exhaustive = map(self._known, class_ids or ((), ()))
            is_known = len(negative) + len(not_exhaustive) == sum(map(len, class_ids))
            yield AnnotatedImage(
                file_name=name,
                image_id=image_id,
                width=width,
                height=height,
                objects=tuple(objects),
                problems=tuple(problems),
                repairs=self._repairs if is_known else (*self._repairs, Reason.IMAGE_LABEL_DROPPED),
                source=self._context.source,
                annotation_file=self._context.annotation_file,
                captions=tuple(captions),
                negative_classes=negative,
                not_exhaustive_classes=not_exhaustive,
                panoptic=maps[0] if maps and self._context.with_masks else None,
            )
            return
        reason, detail = Reason.ORPHAN_ANNOTATION, f"no image has the id {image_id}"
        if len(images) > 1:
            reason, detail = Reason.DUP_IMAGE_ID, f"{len(images)} images have the id {image_id}"
        elif images:
            reason, detail = Reason.PANOPTIC_REPEATED, f"the image has {len(maps)} panoptic maps"
        lost = tuple(problem for problem in problems if problem.status == "dropped") + tuple(
            BoxProblem(o.position, o.box_id, o.class_name, "dropped", reason, detail) for o in objects
        )
        # The boxes of a shared id belong to none of its images: they are listed with the first.
        for index, (name, *_) in enumerate(images):
            yield self._rejection(reason, detail, name, image_id, is_image=True, problems=() if index else lost)
        if lost and not images:
            yield self._rejection(reason, detail, image_id=image_id, problems=lost)
        if captions and not images:
            yield self._rejection(reason, f"{detail}, which {len(captions)} captions have", image_id=image_id)

    def _segments(self, segments: Iterable[tuple[int, str, bool]]) -> Iterator[PanopticSegment]:
        for segment_id, class_id, crowd in segments:
            if class_id in self._class_names:  # of others the row of the box says so
                yield PanopticSegment(segment_id, self._class_names[class_id], crowd, class_id not in self._stuff)

    def _known(self, class_ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._class_names[class_id] for class_id in class_ids if class_id in self._class_names)

    def _rejection(
        self,
        reason: str,
        detail: str,
        file_name: str = "",
        image_id: str = "",
        *,
        is_image: bool = False,
        problems: tuple[BoxProblem, ...] = (),
    ) -> Rejection:
        source, file = self._context.source, self._context.annotation_file
        return Rejection(reason, detail, file_name, image_id, is_image, problems, source, file)

    def _name(self, class_id: str) -> str:
        return self._class_names.get(class_id, "")


def _bbox(entry: dict[str, Any]) -> tuple[float, float, float, float]:
    bbox = entry.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4:
        raise FieldError(f"bbox is {quote(bbox)}, not [x, y, width, height]")
    x, y, width, height = bbox
    if type(x) is type(y) is type(width) is type(height) is float:  # as most are
        return x, y, width, height
    return as_number("bbox", x), as_number("bbox", y), as_number("bbox", width), as_number("bbox", height)


def _ids(entry: dict[str, Any], key: str) -> tuple[str, ...]:
    """The class ids of a list; "" stands for what is none."""
    value = entry.get(key)
    return tuple(as_id(item) or "" for item in value) if isinstance(value, list) else ()


def _name_in_url(url: Any) -> str | None:
    """The path of a URL: LVIS names its images by these alone."""
    try:
        return unquote(urlsplit(url).path) if isinstance(url, str) else None
    except ValueError:
        return None


def _id_hash(box_id: str) -> int:
    """64 bits that stand for an annotation's id: the number itself where it is one."""
    number = as_int64(box_id)
    if number is not None and number >= 0:
        return number
    digest = hashlib.blake2b(box_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _repeated(ids: array[int]) -> frozenset[int]:
    values, counts = np.unique(np.frombuffer(ids, dtype=np.uint64), return_counts=True)
    return frozenset(values[counts > 1].tolist())
