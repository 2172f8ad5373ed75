"""The rarer fields of COCO annotations and categories: masks, keypoints, tracks, attributes, captions, segments.

Formats: https://cocodataset.org/#format-data for all but tracks (``track_id`` of TAO and others, ``instance_id`` of
BDD100K) and ``attributes`` (CVAT's export, by name).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from transforms.annotations.fields import (
    FieldError,
    as_flag,
    as_id,
    as_int64,
    as_number,
    clean_class_name,
    is_text,
    quote,
)
from transforms.ledger.reasons import Reason
from transforms.records import Keypoint, Mask, Polygons, Rle

MASK_KEYS = frozenset({"segmentation"})
OTHER_KEYS = frozenset({"keypoints", "track_id", "instance_id", "attributes"})
_ATTRIBUTE_FLAGS = ("difficult", "truncated", "occluded")
_NUMBERS = {int, float}


# A float, and its place in a tuple.
_NUMBER_BYTES = 32


def rich_fields(entry: Mapping[str, Any], with_masks: bool) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Reads those of the rarer fields that an annotation has.

    Returns:
      Fields of ObjectAnnotation by name; reason and detail of what could not be read: the object stays without it.
    """
    fields: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    readers = [("mask", "segmentation", _mask, Reason.MASK_UNREADABLE)] if with_masks else []
    for field, key, read, reason in [*readers, ("keypoints", "keypoints", _keypoints, Reason.KEYPOINTS_MALFORMED)]:
        if entry.get(key) is not None:
            try:
                fields[field] = read(entry[key])
            except FieldError as error:
                problems.append((reason.value, str(error)))
    attributes = entry.get("attributes")
    if not isinstance(attributes, dict):
        attributes = {}
    for name in _ATTRIBUTE_FLAGS:
        if (flag := as_flag(attributes.get(name))) is not None:
            fields[name] = flag
    tracks = (entry.get("track_id"), entry.get("instance_id"), attributes.get("track_id"))
    if track := next((text for value in tracks if (text := as_id(value))), ""):
        fields["track_id"] = track
    return fields, problems


def bytes_of_mask(mask: Mask | None) -> int:
    """What a mask takes in memory, about."""
    if isinstance(mask, Polygons):
        return _NUMBER_BYTES * sum(map(len, mask.rings))
    return _NUMBER_BYTES * len(mask.counts) if isinstance(mask, Rle) else 0


def _mask(value: Any) -> Mask | None:
    """Polygons, or run lengths in either form; an empty list is no mask."""
    if isinstance(value, list):
        rings = [value] if value and not isinstance(value[0], list) else value
        if not all(isinstance(ring, list) and {*map(type, ring)} <= _NUMBERS for ring in rings):
            raise FieldError(f"segmentation is {quote(value)}, not lists of numbers")
        try:
            return Polygons(tuple([tuple(map(float, ring)) for ring in rings])) if any(rings) else None
        except OverflowError:
            raise FieldError("segmentation holds a number of hundreds of digits") from None
    if isinstance(value, dict):
        counts, size = value.get("counts"), value.get("size")
        if isinstance(counts, list) and {*map(type, counts)} <= {int}:
            counts = tuple(counts)
        if isinstance(counts, str | tuple) and isinstance(size, list) and [*map(type, size)] == [int, int]:
            return Rle(size[0], size[1], counts)
    raise FieldError(f"segmentation is {quote(value)}, neither polygons nor run lengths with a size")


def _keypoints(value: Any) -> tuple[Keypoint, ...] | None:
    """``x, y, visibility`` of each keypoint in one list; an empty list is no keypoints."""
    if not isinstance(value, list) or len(value) % 3:
        raise FieldError(f"keypoints is {quote(value)}, not a list of x, y, visibility for each keypoint")
    if not {*map(type, value)} <= _NUMBERS:
        value = [as_number("keypoints", number) for number in value]
    if any(visibility != visibility or abs(visibility) > 1e9 for visibility in value[2::3]):
        raise FieldError(f"keypoints is {quote(value)}, whose visibility is no number of 0, 1, 2")
    try:
        numbers = [*map(float, value)]
    except OverflowError:
        raise FieldError("keypoints holds a number of hundreds of digits") from None
    points = zip(numbers[::3], numbers[1::3], map(int, value[2::3]), strict=True)
    return tuple(map(Keypoint._make, points)) or None


def category_keypoints(entry: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Names of a category's keypoints, and its skeleton as pairs of indices from 0 (COCO counts from 1).

    Raises:
      FieldError: names that are no different texts, or a skeleton of other keypoints.
    """
    names, skeleton = entry.get("keypoints") or [], entry.get("skeleton") or []
    if not isinstance(names, list) or not all(isinstance(name, str) and is_text(name) for name in names):
        raise FieldError(f"keypoints is {quote(names)}, not a list of names")
    names = tuple(map(clean_class_name, names))
    if "" in names or len({*names}) != len(names):
        raise FieldError(f"keypoints is {quote(names)}; names must differ and not be empty")
    if not isinstance(skeleton, list) or not all(
        isinstance(edge, list) and [*map(type, edge)] == [int, int] for edge in skeleton
    ):
        raise FieldError(f"skeleton is {quote(skeleton)}, not a list of pairs")
    first = min((end for edge in skeleton for end in edge), default=1)
    start = 0 if first == 0 else 1  # some writers count from 0
    edges = tuple((a - start, b - start) for a, b in skeleton)
    if not all(0 <= end < len(names) for edge in edges for end in edge):
        raise FieldError(f"skeleton is {quote(skeleton)}, and there are {len(names)} keypoints")
    return names, edges


def id_hash(box_id: str) -> int:
    """64 bits that stand for an annotation's id: the number itself where it is one."""
    number = as_int64(box_id)
    if number is not None and number >= 0:
        return number
    digest = hashlib.blake2b(box_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
