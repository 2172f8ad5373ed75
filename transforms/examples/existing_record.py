"""A record that exists already, and the one that its picture and label map demand: the same bytes where they agree."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transforms.annotations.example_fields import MAP_KEYS, Features, object_count, picture_of, values_of
from transforms.examples import feature_keys as keys
from transforms.examples.example_message import parse_example
from transforms.examples.wire_format import BYTES, FLOAT, Value, encode_example
from transforms.images.image_names import image_key
from transforms.images.image_store import StoredImage
from transforms.images.record_store import read_record
from transforms.records import RecordAddress

_OF_OBJECTS = ("per object", "K per object")
# What lies on the pixels, so that it would have to turn with them.
_ON_PIXELS = (keys.MASK, keys.KEYPOINT_X.removesuffix("x"), *MAP_KEYS)
# Class numbers: read by name and demanded, where the names are known.
_BY_CLASS = (keys.NEGATIVE_IDS, keys.NOT_EXHAUSTIVE_IDS)


@dataclass(frozen=True, slots=True)
class ExistingRecord:
    """A serialised Example and its features."""

    payload: bytes
    features: Features

    def masks(self) -> Sequence[bytes]:
        """Masks of its objects, in their order; none if there is not one for each."""
        masks: Sequence[bytes] = values_of(self.features, keys.MASK, BYTES)
        return masks if len(masks) == object_count(self.features) else ()


def load_record(address: RecordAddress, file_name: str) -> tuple[StoredImage, ExistingRecord]:
    """The picture of the record at an address, under the image's name, and the record itself.

    Raises:
      ImageRefused: the file has changed since it was read.
      OSError: the storage failed.
    """
    payload = read_record(address)
    features = parse_example(payload)
    picture = picture_of(features)
    assert picture is not None, f"the record at {address} held a picture when it was read"
    return StoredImage(image_key(file_name), picture), ExistingRecord(payload, features)


@dataclass(frozen=True, slots=True)
class RecordUpdate:
    """What is written for an existing record.

    Attributes:
      buffers: of the payload; the very bytes of the old one if nothing had to change.
      features: that it has.
      detail: the keys that were written anew or left out; "" if nothing had to change.
    """

    buffers: list[bytes]
    features: dict[str, Value]
    detail: str


def update_record(
    existing: ExistingRecord,
    demanded: Mapping[str, Value],
    *,
    kept: Sequence[int],
    is_same_plane: bool = True,
    has_same_ids: bool = True,
) -> RecordUpdate:
    """Brings a record up to what is demanded; a record that has it all stays as it is, to the byte.

    Known keys that nothing is demanded of are carried over, with the values of the kept objects.

    Args:
      existing: the record.
      demanded: features that must be there.
      kept: indices of the objects that are written, in order.
      is_same_plane: the picture was neither turned nor resized under its objects.
      has_same_ids: the numbers of classes in its maps mean the same in the new label map.
    """
    features = dict(demanded)
    objects = object_count(existing.features)
    left_out = []
    for key, value in existing.features.items():
        if key in demanded:
            continue
        is_valid = (is_same_plane or not key.startswith(_ON_PIXELS)) and (has_same_ids or key not in MAP_KEYS)
        carried = _carried(key, value, objects, kept) if is_valid else None
        if carried is None:
            left_out.append(key)
        else:
            features[key] = carried
    changed = [key for key, value in features.items() if not _is_equal(existing.features.get(key), value)]
    if not changed and not left_out:
        return RecordUpdate([existing.payload], features, "")
    said = (("written anew", changed), ("left out", left_out))
    detail = "; ".join(f"{what}: {', '.join(sorted(names))}" for what, names in said if names)
    return RecordUpdate(encode_example(features), features, detail)


def _carried(key: str, value: Value | None, objects: int, kept: Sequence[int]) -> Value | None:
    """The value of a known key less what belongs to objects that were dropped; None if it is not as it must be."""
    known = keys.FEATURE_KEYS.get(key)
    if known is None or value is None or value[0] != known.kind:
        return None
    values = value[1]
    if known.count in _OF_OBJECTS:
        each = len(values) // objects if objects else 0
        if len(values) != each * objects or (each != 1 and known.count == "per object" and objects):
            return None
        if len(kept) == objects:
            return value
        return value[0], [item for index in kept for item in values[each * index : each * (index + 1)]]  # type: ignore[return-value]
    is_whole = known.count == "any" or (known.count in ("one", "at most one") and len(values) == 1)
    return value if is_whole and key not in _BY_CLASS else None


def _is_equal(old: Value | None, new: Value) -> bool:
    if old is None or old[0] != new[0] or len(old[1]) != len(new[1]):
        return False
    if new[0] == FLOAT:  # as bytes: the new ones are not rounded to float32 yet, and NaN is to equal itself
        layout = f"<{len(new[1])}f"
        return struct.pack(layout, *old[1]) == struct.pack(layout, *new[1])
    return list(old[1]) == list(new[1])
