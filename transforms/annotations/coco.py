"""COCO JSON: instances, keypoints, captions and panoptic, and LVIS, which adds to it.

Format: https://cocodataset.org/#format-data – one object with ``images``, ``annotations`` and ``categories``, in any
order; boxes are ``[x, y, width, height]`` in pixels from the image's top-left corner, floats. Category ids may have
gaps. The file is streamed: images and annotations are brought together by image id in bounded memory.
"""

from __future__ import annotations

import io
import math
import posixpath
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

import numpy as np

from transforms.annotations.coco_fields import (
    MASK_KEYS,
    OTHER_KEYS,
    bytes_of_mask,
    category_keypoints,
    id_hash,
    rich_fields,
)
from transforms.annotations.coco_images import (
    CAPTION,
    IMAGE,
    OBJECT,
    PANOPTIC,
    PROBLEM,
    SEGMENT,
    SEGMENTS,
    CocoFile,
    CocoPortion,
    Entry,
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
from transforms.annotations.json_stream import DUPLICATE_KEY, JsonError, stream_batches
from transforms.annotations.object_columns import ObjectColumns, TextColumns, columns_of_elements
from transforms.annotations.plain_images import plain_images
from transforms.annotations.plain_objects import NO_ID, PlainObjects
from transforms.annotations.row_objects import Outlines
from transforms.annotations.spilled_groups import SpilledGroups
from transforms.annotations.text_encoding import LAST_RESORT, detect_encoding
from transforms.ledger.reasons import Reason
from transforms.records import (
    BoxProblem,
    DeclaredClasses,
    MaskFile,
    ReadContext,
    Reading,
    Rejection,
)

SUFFIXES = (".json",)
FILES_PER_UNIT = 1
FILES_SHARE_IMAGES = True  # instances, keypoints, captions and panoptic maps of the same pictures
MASK_FOLDERS = ("{stem}", ".")  # of panoptic maps
# Of a portion: so much is made into readings at once.
MAX_IMAGES = 2000
MAX_ENTRIES = 20_000
_LONG_ID = len(str(MAX_INT64))
_NEGATIVE, _NOT_EXHAUSTIVE = "neg_category_ids", "not_exhaustive_category_ids"
_LVIS_KEYS = frozenset({_NEGATIVE, _NOT_EXHAUSTIVE})
_UNUSUAL_IMAGE_KEYS = _LVIS_KEYS | {DUPLICATE_KEY}


def sniff(head: bytes) -> bool:
    """Whether the first bytes of a file look like COCO: an object that soon begins one of its arrays."""
    found = outline(head)
    is_ours = any(found.has(**{key: "["}) for key in ("images", "annotations", "categories"))
    return found.kind == "object" and is_ours


def read(stream: BinaryIO, context: ReadContext) -> Iterator[Reading]:
    """Reads one COCO file; what cannot be read is a Rejection or a BoxProblem, never an exception."""
    for portion in portions(stream, context):
        yield from portion.readings()


def portions(stream: BinaryIO, context: ReadContext) -> Iterator[CocoPortion]:
    """As ``read``, in portions that can be pickled, so that their readings are made elsewhere."""
    try:
        encoding = detect_encoding(stream)
        collector = _Collector(context)
        with io.TextIOWrapper(stream, encoding=encoding, newline="") as text:
            collector.collect(text)
    except (JsonError, UnicodeDecodeError) as error:
        file = CocoFile(context.source, context.annotation_file, context.with_masks)
        detail = f"no readable COCO JSON: {error}"
        yield CocoPortion(file, ready=(file.reject(Reason.ANNOTATION_UNREADABLE, detail),))
        return
    yield from collector.portions(repairs=(Reason.ENCODING_CP949,) if encoding == LAST_RESORT else ())


class _Collector:
    """Collects a file's entries by image id."""

    def __init__(self, context: ReadContext):
        self._context = context
        self._file = CocoFile(context.source, context.annotation_file, context.with_masks)
        self._groups = SpilledGroups()
        self._plain = PlainObjects()
        self._class_names: dict[str, str] = {}
        self._declared: list[tuple[str, int]] = []
        self._keypoints: dict[str, tuple[str, ...]] = {}
        self._skeletons: dict[str, tuple[tuple[int, int], ...]] = {}
        self._stuff: set[str] = set()
        self._rich_keys = OTHER_KEYS | MASK_KEYS if context.with_masks else OTHER_KEYS
        self._unusual_keys = self._rich_keys | {DUPLICATE_KEY}
        self._text_columns = TextColumns(context.with_masks, (OTHER_KEYS | {DUPLICATE_KEY}).isdisjoint)
        self._box_ids = array("Q")
        self._rejections: list[Rejection] = []
        self._count = {"images": 0, "annotations": 0, "categories": 0}

    def collect(self, text: io.TextIOWrapper) -> None:
        found: set[str] = set()
        for key, batch in stream_batches(text, {"annotations": self._text_columns.read}):
            found.add(key)
            if key not in self._count:
                continue
            first = self._count[key]
            self._count[key] += len(batch)
            for index, element in self._not_plain(key, first, batch):
                self._add(key, f"{key}[{first + index}]", element)
        if not found & {"images", "annotations"}:
            raise JsonError('the object has neither "images" nor "annotations"')

    def _not_plain(self, key: str, first: int, batch: list[Any] | ObjectColumns) -> Iterable[tuple[int, Any]]:
        """What must be read one by one, with its index in the batch, when the plain objects are taken."""
        if isinstance(batch, list):
            found = None
            if key == "images" and (images := plain_images(batch, _UNUSUAL_IMAGE_KEYS.isdisjoint)) is not None:
                self._groups.extend(images)
                return ()
            if key == "annotations":
                found = columns_of_elements(batch, self._unusual_keys.isdisjoint)
                self._text_columns.learn(batch[0])
            if found is None:
                return enumerate(batch)
            batch = found
        self._box_ids.frombytes(self._plain.take(first, batch).tobytes())
        return batch.others()

    def _add(self, key: str, position: str, element: Any) -> None:
        if not isinstance(element, dict):
            self._reject_entry(position, Reason.FIELD_MISSING, f"{position} is {quote(element)}, not an object")
        elif key == "images":
            self._add_image(position, element)
        elif key == "annotations":
            self._add_annotation(position, element)
        else:
            self._add_category(position, element)

    def _reject_entry(
        self, position: str, reason: Reason, detail: str, file_name: str = "", image_id: str = ""
    ) -> None:
        problems: tuple[BoxProblem, ...] = ()
        if position.startswith("annotations"):
            problems = (BoxProblem(position, "", "", "dropped", reason, detail),)
        is_image = position.startswith("images")
        self._rejections.append(
            self._file.reject(reason, detail, file_name, image_id, is_image=is_image, problems=problems)
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
                image_id, (IMAGE, name, as_size(entry.get("width")), as_size(entry.get("height")), classes)
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
            self._box_ids.append(raw_id if type(raw_id) is int and 0 <= raw_id <= MAX_INT64 else id_hash(box_id))
        if DUPLICATE_KEY in entry:
            detail = f"the key {quote(entry[DUPLICATE_KEY])} stands twice"
            self._groups.append(
                image_id, (PROBLEM, position, box_id, class_id, Reason.JSON_DUPLICATE_KEY.value, detail)
            )
            return
        try:
            x, y, width, height = _bbox(entry)
        except FieldError as error:
            if "bbox" not in entry and self._add_of_image(position, image_id, entry):
                return
            reason = Reason.FIELD_MISSING if entry.get("bbox") is None else Reason.FIELD_NOT_NUMBER
            self._groups.append(image_id, (PROBLEM, position, box_id, class_id, reason.value, str(error)))
            return
        # A negative side is no swapped edge: nobody knows which edge x and y are then.
        if min(width, height) <= 0 and math.isfinite(width + height):
            detail = f"width {width:g}, height {height:g}"
            self._groups.append(image_id, (PROBLEM, position, box_id, class_id, Reason.BOX_EMPTY.value, detail))
            return
        area = entry.get("area")
        if area is not None and type(area) is not float:
            try:
                area = as_number("area", area)
            except FieldError:
                area = None  # the box's own area serves; nothing of the object is lost
        crowd = as_flag(entry.get("iscrowd"))
        kind, mask_bytes = OBJECT, 0
        rich: tuple[dict[str, Any], list[tuple[str, str]]] | None = None
        if segment is not None:
            kind, rich = SEGMENT, ({"mask": segment} if self._context.with_masks else {}, [])
        elif not self._rich_keys.isdisjoint(entry):
            rich = rich_fields(entry, self._context.with_masks)
            mask_bytes = bytes_of_mask(rich[0].get("mask"))
        edges = (x, y, x + width, y + height)
        self._groups.append(image_id, (kind, position, box_id, class_id, edges, area, crowd, rich), mask_bytes)

    def _add_of_image(self, position: str, image_id: str, entry: dict[str, Any]) -> bool:
        """Adds what is said of the image as a whole; False if that is nothing."""
        if isinstance(entry.get(SEGMENTS), list):
            self._add_panoptic(position, image_id, entry)
        elif "caption" in entry:
            caption = entry["caption"]
            if isinstance(caption, str) and caption.strip():
                self._groups.append(image_id, (CAPTION, caption.strip()))
            else:
                detail = f"{position} has the caption {quote(caption)}"
                self._rejections.append(self._file.reject(Reason.FIELD_MISSING, detail, image_id=image_id))
        else:
            return False
        return True

    def _add_panoptic(self, position: str, image_id: str, entry: dict[str, Any]) -> None:
        """Adds a panoptic map, and its segments as objects whose masks are the map's pixels of one value."""
        name = entry.get("file_name")
        path = self._map_path(name) if isinstance(name, str) and name else ""
        segments = []
        for index, segment in enumerate(entry[SEGMENTS]):
            place = f"{position}.{SEGMENTS}[{index}]"
            segment_id = segment.get("id") if isinstance(segment, dict) else None
            if type(segment_id) is not int:
                detail = f"a segment needs an id, it is {quote(segment)}"
                self._groups.append(image_id, (PROBLEM, place, "", "", Reason.FIELD_MISSING.value, detail))
                continue
            segments.append(
                (segment_id, as_id(segment.get("category_id")) or "", bool(as_flag(segment.get("iscrowd"))))
            )
            # The id of a segment is unique in its image only.
            values = {**segment, "id": None, "image_id": image_id}
            self._add_annotation(place, values, MaskFile(path, segment_id))
        self._groups.append(image_id, (PANOPTIC, path, tuple(segments)))

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

    def portions(self, repairs: tuple[str, ...]) -> Iterator[CocoPortion]:
        file = replace(
            self._file,
            repairs=repairs,
            class_names=self._class_names,
            stuff=frozenset(self._stuff),
            repeated_ids=_repeated(self._box_ids),
        )
        declared = DeclaredClasses(
            tuple(self._declared), tuple(self._keypoints.items()), tuple(self._skeletons.items())
        )
        yield CocoPortion(file, ready=(declared, *self._rejections))
        for groups in _batches(self._groups.groups()):
            yield from self._portions_of(file, groups, [_plain_id(image_id) for image_id, _ in groups])
        orphans = self._plain.images_not_asked_for()
        for start in range(0, len(orphans), MAX_IMAGES):
            ids = orphans[start : start + MAX_IMAGES]
            yield from self._portions_of(file, [(str(image_id), ()) for image_id in ids], ids)

    def _portions_of(
        self, file: CocoFile, groups: Sequence[tuple[str, Sequence[Entry]]], ids: Sequence[int]
    ) -> Iterator[CocoPortion]:
        """Portions of these images, among which are those of these ids that plain objects may be of."""
        for images, counts, rows, polygons in self._plain.of_images_in_parts(ids):
            yield CocoPortion(file, groups[images], rows, counts, Outlines.of(*polygons))


def _plain_id(image_id: str) -> int:
    """The id as plain objects have it: 12 and "12" are one id, "012" is another."""
    number = int(image_id) if image_id.isdecimal() and len(image_id) < _LONG_ID else as_int64(image_id)
    return NO_ID if number is None or str(number) != image_id else number


def _batches(groups: Iterable[tuple[str, list[Entry]]]) -> Iterator[list[tuple[str, list[Entry]]]]:
    batch: list[tuple[str, list[Entry]]] = []
    entries = 0
    for group in groups:
        batch.append(group)
        entries += len(group[1])
        if len(batch) >= MAX_IMAGES or entries >= MAX_ENTRIES:
            yield batch
            batch, entries = [], 0
    if batch:
        yield batch


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


def _repeated(ids: array[int]) -> frozenset[int]:
    """Those that are there more than once; sorts them where they are, for a huge file has as many as objects."""
    values = np.frombuffer(ids, dtype=np.uint64)
    values.sort()
    return frozenset(values[1:][values[1:] == values[:-1]].tolist())
