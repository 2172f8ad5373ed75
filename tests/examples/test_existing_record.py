from __future__ import annotations

import math

import numpy as np
import pytest

from transforms.examples.example_message import parse_example
from transforms.examples.existing_record import ExistingRecord, update_record
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value, encode_example

OLD: dict[str, Value] = {
    "image/filename": (BYTES, [b"a.jpg"]),
    "image/object/bbox/xmin": (FLOAT, [0.1, 0.2]),
    "image/object/class/label": (INT64, [1, 2]),
}
LABEL = "image/object/class/label"
DIFFICULT = "image/object/difficult"


def payload_of(features: dict[str, Value]) -> bytes:
    """An Example whose keys are in another order than ours, as other writers leave it."""
    parts = [b"".join(encode_example({key: value}))[2:] for key, value in reversed(features.items())]
    body = b"".join(parts)
    assert all(len(part) < 126 for part in parts)
    length = len(body)
    return b"\x0a" + (bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])) + body


def updated(old: dict[str, Value], new: dict[str, Value], kept: tuple[int, ...] = (0, 1)) -> tuple[bytes, bytes, str]:
    """The old payload, the new one, and what is said of it."""
    payload = payload_of(old)
    existing = ExistingRecord(payload, parse_example(payload))
    update = update_record(existing, new, kept=kept)
    return payload, b"".join(update.buffers), update.detail


def parsed(payload: bytes) -> dict[str, list[object]]:
    return {key: list(value[1]) for key, value in parse_example(payload).items() if value is not None}


@pytest.mark.parametrize("more", [{}, {DIFFICULT: (INT64, [0, 1])}], ids=["demanded", "more that is known"])
def test_a_record_that_has_it_all_stays_as_it_is(more: dict[str, Value]) -> None:
    old, new, detail = updated(OLD | more, OLD)
    assert (new, detail) == (old, "")


def test_float32_and_nan_equal_themselves() -> None:
    numbers: Value = (FLOAT, [np.float32(0.1), math.nan])
    old, new, detail = updated({"image/object/area": numbers}, {"image/object/area": (FLOAT, [0.1, math.nan])})
    assert (new, detail) == (old, "")


@pytest.mark.parametrize(
    ("old", "detail"),
    [
        pytest.param({"image/filename": (BYTES, [b"b.jpg"])}, "written anew: image/filename", id="value"),
        pytest.param({LABEL: (INT64, [2, 1])}, f"written anew: {LABEL}", id="order"),
        pytest.param({LABEL: (INT64, [1])}, f"written anew: {LABEL}", id="length"),
        pytest.param({"image/filename": (INT64, [1])}, "written anew: image/filename", id="kind"),
        pytest.param({"image/depth": (INT64, [3])}, "left out: image/depth", id="unknown key"),
        pytest.param({DIFFICULT: (INT64, [1])}, f"left out: {DIFFICULT}", id="known key of another length"),
        pytest.param({DIFFICULT: (FLOAT, [1.0, 0.0])}, f"left out: {DIFFICULT}", id="known key of another kind"),
    ],
)  # fmt: skip
def test_what_has_to_change_is_said(old: dict[str, Value], detail: str) -> None:
    _, new, found = updated(OLD | old, OLD)
    assert found == detail
    assert new == b"".join(encode_example(OLD))


def test_missing_keys_are_added() -> None:
    _, new, detail = updated({"image/filename": (BYTES, [b"a.jpg"])}, OLD)
    assert detail == "written anew: image/object/bbox/xmin, image/object/class/label"
    assert new == b"".join(encode_example(OLD))


def test_what_is_carried_over_follows_the_objects() -> None:
    one_box: dict[str, Value] = {
        "image/filename": (BYTES, [b"a.jpg"]),
        "image/object/bbox/xmin": (FLOAT, [0.2]),
        "image/object/class/label": (INT64, [2]),
    }
    _, new, detail = updated(OLD | {DIFFICULT: (INT64, [0, 1])}, one_box, kept=(1,))
    assert parsed(new)[DIFFICULT] == [1]
    assert detail == f"written anew: image/object/bbox/xmin, image/object/class/label, {DIFFICULT}"


KEYPOINTS: dict[str, Value] = {
    "image/object/keypoint/x": (FLOAT, [0.0, 0.1, 0.2, 0.3]),
    "image/object/keypoint/num": (INT64, [2, 2]),
}
MASKS: dict[str, Value] = {"image/object/mask": (BYTES, [b"1", b"2"]), "image/object/mask/weight": (FLOAT, [1.0, 0.0])}
MAP: dict[str, Value] = {"image/panoptic/category_mask": (BYTES, [b"3"])}
CAPTIONS: dict[str, Value] = {"image/caption": (BYTES, [b"a", b"b", b"c"])}


@pytest.mark.parametrize("more", [KEYPOINTS, MASKS, MAP, CAPTIONS])
def test_masks_keypoints_and_maps_are_carried_over(more: dict[str, Value]) -> None:
    old, new, detail = updated(OLD | more, OLD)
    assert (new, detail) == (old, "")


def test_keypoints_follow_their_objects() -> None:
    _, new, _ = updated(OLD | KEYPOINTS | MASKS, {"image/filename": (BYTES, [b"a.jpg"])}, kept=(1,))
    found = parsed(new)
    assert found["image/object/keypoint/x"] == pytest.approx([0.2, 0.3])
    assert (found["image/object/keypoint/num"], found["image/object/mask"]) == ([2], [b"2"])


@pytest.mark.parametrize("more", [KEYPOINTS, MASKS, MAP])
def test_what_lies_on_turned_pixels_is_left_out(more: dict[str, Value]) -> None:
    payload = payload_of(OLD | more | CAPTIONS)
    existing = ExistingRecord(payload, parse_example(payload))
    update = update_record(existing, OLD, kept=(0, 1), is_same_plane=False)
    assert update.detail == f"left out: {', '.join(sorted(more))}"


def test_maps_of_other_class_numbers_are_left_out() -> None:
    payload = payload_of(OLD | MASKS | MAP)
    existing = ExistingRecord(payload, parse_example(payload))
    update = update_record(existing, OLD, kept=(0, 1), has_same_ids=False)
    assert update.detail == "left out: image/panoptic/category_mask"
