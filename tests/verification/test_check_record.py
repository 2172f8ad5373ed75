"""Each invariant of a record, broken one at a time."""

from __future__ import annotations

import hashlib
import io
import random
import struct
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from transforms.examples import feature_keys as keys
from transforms.examples.checked_objects import CheckedObject, CheckedObjects
from transforms.examples.class_ids import ClassIds
from transforms.examples.encode_image import image_features
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value, encode_example
from transforms.images.check_image import CheckedImage
from transforms.masks.mask_png import empty_mask_png
from transforms.records import Box, ObjectAnnotation
from transforms.verification.check_record import DecodeMode, check_record
from transforms.verification.findings import Code

CLASS_IDS = ClassIds.from_labels({"cat": 3, "개": 7})
Features = dict[str, Value]
MASK = empty_mask_png(40, 20)


def _picture(picture_format: str = "PNG", size: tuple[int, int] = (40, 20), seed: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.frombytes("L", size, random.Random(seed).randbytes(size[0] * size[1])).save(buffer, picture_format)
    return buffer.getvalue()


def _features(data: bytes | None = None, picture_format: str = "png") -> Features:
    objects = [
        CheckedObject(Box(0, 0, 40, 20), ObjectAnnotation(Box(0, 0, 0, 0), "개", difficult=True, pose="Left")),
        CheckedObject(Box(1, 2, 3, 4.5), ObjectAnnotation(Box(0, 0, 0, 0), "cat", is_crowd=True, weight=0.5)),
    ]
    picture = CheckedImage(data or _picture(), picture_format, 40, 20)
    return image_features("사진/a.png", 12, picture, _digest(picture), CheckedObjects.of(objects), CLASS_IDS)


def _digest(picture: CheckedImage) -> str:
    return hashlib.sha256(picture.data).hexdigest()


def _codes(features: Features, mode: DecodeMode = "full", is_first: bool = False) -> set[Code]:
    _, problems = check_record(b"".join(encode_example(features)), CLASS_IDS, mode, is_first)
    return {code for code, _ in problems}


def _with_picture(data: bytes, picture_format: str = "png") -> Callable[[Features], Features]:
    return lambda features: _features(data, picture_format)


def _with(key: str, kind: str, *values: object) -> Callable[[Features], Features]:
    return lambda features: features | {key: (kind, values)}  # type: ignore[dict-item]


def _without(key: str) -> Callable[[Features], Features]:
    return lambda features: {name: value for name, value in features.items() if name != key}


BROKEN: dict[str, tuple[Callable[[Features], Features], Code]] = {
    **{f"no {key}": (_without(key), Code.KEY_MISSING) for key, f in keys.FEATURE_KEYS.items() if not f.optional},
    "unknown key": (_with("image/colour", BYTES, b"red"), Code.KEY_UNKNOWN),
    "kind of a required key": (_with(keys.HEIGHT, FLOAT, 20.0), Code.KEY_KIND),
    "kind of an optional key": (_with(keys.DIFFICULT, BYTES, b"1", b"0"), Code.KEY_KIND),
    "two heights": (_with(keys.HEIGHT, INT64, 20, 20), Code.VALUE_COUNT),
    "no height": (_with(keys.HEIGHT, INT64), Code.VALUE_COUNT),
    "a box short": (_with(keys.XMAX, FLOAT, 1.0), Code.VALUE_COUNT),
    "a label over": (_with(keys.LABEL, INT64, 7, 3, 3), Code.VALUE_COUNT),
    "an optional flag short": (_with(keys.DIFFICULT, INT64, 1), Code.VALUE_COUNT),
    "a mirrored edge short": (_with(keys.TFDS_BBOX, FLOAT, *[0.0] * 7), Code.VALUE_COUNT),
    "edge below 0": (_with(keys.XMIN, FLOAT, -0.001, 0.025), Code.BOX_INVALID),
    "edge above 1": (_with(keys.XMAX, FLOAT, 1.0000002, 0.075), Code.BOX_INVALID),
    "edge NaN": (_with(keys.YMIN, FLOAT, 0.0, float("nan")), Code.BOX_INVALID),
    "edge infinite": (_with(keys.YMAX, FLOAT, float("inf"), 0.225), Code.BOX_INVALID),
    "edges swapped": (_with(keys.XMIN, FLOAT, 0.0, 0.9), Code.BOX_INVALID),
    "area NaN": (_with(keys.AREA, FLOAT, 1.0, float("nan")), Code.VALUE_INVALID),
    "weight infinite": (_with(keys.WEIGHT, FLOAT, 1.0, float("inf")), Code.VALUE_INVALID),
    "label of no class": (_with(keys.LABEL, INT64, 7, 1), Code.LABEL_UNKNOWN),
    "label of another class": (_with(keys.LABEL, INT64, 7, 7), Code.LABEL_UNKNOWN),
    "text of no class": (_with(keys.TEXT, BYTES, "개".encode(), b"dog"), Code.LABEL_UNKNOWN),
    "text of another class": (_with(keys.TEXT, BYTES, b"cat", b"cat"), Code.LABEL_UNKNOWN),
    "text that is not UTF-8": (_with(keys.TEXT, BYTES, b"\xff", b"cat"), Code.LABEL_UNKNOWN),
    "flag 2": (_with(keys.DIFFICULT, INT64, 2, 0), Code.VALUE_INVALID),
    "crowd -1": (_with(keys.IS_CROWD, INT64, -1, 0), Code.VALUE_INVALID),
    "pose that is not UTF-8": (_with(keys.VIEW, BYTES, b"\xff", b""), Code.VALUE_INVALID),
    "mirrored box moved": (
        _with(keys.TFDS_BBOX, FLOAT, 0.0, 0.0, 1.0, 1.0, 0.1, 0.025, 0.225, 0.0750001),
        Code.MIRROR_DIFFERS,
    ),
    "mirrored box with a negative zero": (
        _with(keys.TFDS_BBOX, FLOAT, -0.0, 0.0, 1.0, 1.0, 0.1, 0.025, 0.225, 0.075),
        Code.MIRROR_DIFFERS,
    ),
    "mirrored label counts from 1": (_with(keys.TFDS_LABEL, INT64, 2, 1), Code.MIRROR_DIFFERS),
    "mirrored crowd": (_with(keys.TFDS_IS_CROWD, INT64, 1, 0), Code.MIRROR_DIFFERS),
    "id no number": (_with(keys.SOURCE_ID, BYTES, b"12a"), Code.VALUE_INVALID),
    "id negative": (_with(keys.SOURCE_ID, BYTES, b"-1"), Code.VALUE_INVALID),
    "id beyond int64": (_with(keys.SOURCE_ID, BYTES, b"9223372036854775808"), Code.VALUE_INVALID),
    "id in other digits": (_with(keys.SOURCE_ID, BYTES, "١٢".encode()), Code.VALUE_INVALID),
    "no file name": (_with(keys.FILE_NAME, BYTES, b""), Code.VALUE_INVALID),
    "file name not UTF-8": (_with(keys.FILE_NAME, BYTES, b"\xff.png"), Code.VALUE_INVALID),
    "file name absolute": (_with(keys.FILE_NAME, BYTES, b"/a.png"), Code.VALUE_INVALID),
    "file name outside": (_with(keys.FILE_NAME, BYTES, b"a/../../b.png"), Code.VALUE_INVALID),
    "digest": (_with(keys.SHA256, BYTES, hashlib.sha256(b"").hexdigest().encode()), Code.IMAGE_DIGEST),
    "picture of another digest": (_with(keys.ENCODED, BYTES, _picture(seed=1)), Code.IMAGE_DIGEST),
    "format of another kind": (_with(keys.FORMAT, BYTES, b"jpeg"), Code.IMAGE_FORMAT),
    "format of no kind": (_with(keys.FORMAT, BYTES, b"gif"), Code.IMAGE_FORMAT),
    "a GIF": (_with_picture(_picture("GIF")), Code.IMAGE_FORMAT),
    "height": (_with(keys.HEIGHT, INT64, 21), Code.IMAGE_SIZE),
    "width and height swapped": (_with_picture(_picture(size=(20, 40))), Code.IMAGE_SIZE),
    "picture cut": (_with_picture(_picture("JPEG")[:-300], "jpeg"), Code.IMAGE_UNDECODABLE),
    "picture of no kind": (_with_picture(b"hello"), Code.IMAGE_UNDECODABLE),
    "a mask short": (_with(keys.MASK, BYTES, MASK), Code.VALUE_COUNT),
    "a mask of another size": (_with(keys.MASK, BYTES, MASK, empty_mask_png(20, 40)), Code.MASK_INVALID),
    "a mask of no kind": (_with(keys.MASK, BYTES, MASK, b""), Code.MASK_INVALID),
    "a weight short": (_with(keys.MASK_WEIGHT, FLOAT, 1.0), Code.VALUE_COUNT),
    "a weight NaN": (_with(keys.MASK_WEIGHT, FLOAT, 1.0, float("nan")), Code.VALUE_INVALID),
}


def test_as_encoded() -> None:
    facts, problems = check_record(b"".join(encode_example(_features())), CLASS_IDS, "full")
    assert problems == []
    assert facts is not None
    assert (facts.source_id, facts.file_name, list(facts.class_names)) == (12, "사진/a.png", ["개", "cat"])
    assert facts.optional_keys == {keys.DIFFICULT, keys.VIEW, keys.WEIGHT}


def test_with_masks() -> None:
    assert _codes(_features() | {keys.MASK: (BYTES, (MASK, MASK)), keys.MASK_WEIGHT: (FLOAT, (0.0, 1.0))}) == set()


def test_without_objects() -> None:
    picture = CheckedImage(_picture(), "png", 40, 20)
    assert _codes(image_features("a.png", 0, picture, _digest(picture), CheckedObjects.of([]), CLASS_IDS)) == set()


@pytest.mark.parametrize("name", BROKEN)
def test_broken(name: str) -> None:
    change, code = BROKEN[name]
    assert code in _codes(change(_features()))


@pytest.mark.parametrize("payload", [b"\x0a\x05", b"\xff" * 9], ids=["cut", "noise"])
def test_no_example(payload: bytes) -> None:
    facts, problems = check_record(payload, CLASS_IDS, "none")
    assert facts is None
    assert [code for code, _ in problems] == [Code.RECORD_UNPARSABLE]


@pytest.mark.parametrize(
    ("mode", "is_first", "is_found"),
    [("full", False, True), ("sample", True, True), ("none", True, False)],
)
def test_which_pictures_are_decoded(mode: DecodeMode, is_first: bool, is_found: bool) -> None:
    """A picture whose pixels alone are damaged, so that only decoding finds it."""
    data = _damaged_pixels()
    assert (Code.IMAGE_UNDECODABLE in _codes(_features(data), mode, is_first)) == is_found


def test_a_sample_has_a_part_of_the_pictures() -> None:
    found = sum(Code.IMAGE_UNDECODABLE in _codes(_features(_damaged_pixels(seed)), "sample") for seed in range(300))
    assert 8 <= found <= 22, "about 5 % of 300"


def _damaged_pixels(seed: int = 0) -> bytes:
    """A PNG whose chunks are whole, with a checksum each, around a stream that is not zlib's."""
    whole = _picture(seed=seed)
    start = whole.index(b"IDAT") - 4
    end = start + 12 + struct.unpack(">I", whole[start : start + 4])[0]
    body = b"IDAT" + bytes(reversed(whole[start + 8 : end - 4]))
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return whole[:start] + chunk + whole[end:]
