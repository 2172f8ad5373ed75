"""Masks, keypoints, captions, panoptic segments and LVIS's additions, from a COCO file to readings."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sample_data import coco, coco_box, coco_image
from transforms.annotations.coco import read
from transforms.annotations.companion_files import FolderCompanions
from transforms.ledger.reasons import Reason
from transforms.records import (
    AnnotatedImage,
    Box,
    DeclaredClasses,
    Keypoint,
    Mask,
    MaskFile,
    ObjectAnnotation,
    PanopticMap,
    PanopticSegment,
    Polygons,
    ReadContext,
    Reading,
    Rejection,
    Rle,
)

CONTEXT = ReadContext("photos", "sub/train.json")
PERSON = {"id": 1, "name": "person", "keypoints": ["nose", "tail"], "skeleton": [[1, 2]]}


def readings(content: object, context: ReadContext = CONTEXT) -> list[Reading]:
    return list(read(io.BytesIO(json.dumps(content).encode()), context))


def image_of(annotations: Sequence[Any], context: ReadContext = CONTEXT, **more: Any) -> AnnotatedImage:
    content = coco([coco_image(1, "a.jpg")], annotations, **more)
    (image,) = [reading for reading in readings(content, context) if isinstance(reading, AnnotatedImage)]
    return image


def object_of(context: ReadContext = CONTEXT, **more: Any) -> tuple[ObjectAnnotation, list[str]]:
    image = image_of([coco_box(1, 1, [0, 0, 9, 9], **more)], context)
    (item,) = image.objects
    assert all(problem.status == "repaired" for problem in image.problems)
    return item, [problem.reason for problem in image.problems]


numbers = st.floats(-1e4, 1e4) | st.integers(-9, 900)
rings = st.lists(st.lists(numbers, min_size=1, max_size=9), min_size=1, max_size=3)


@given(rings)
def test_polygons(segmentation: list[list[float]]) -> None:
    assert object_of(segmentation=segmentation)[0].mask == Polygons(tuple(map(tuple, segmentation)))


@pytest.mark.parametrize(
    ("segmentation", "mask"),
    [
        ([1, 2, 3, 4, 5, 6], Polygons(((1, 2, 3, 4, 5, 6),))),
        ({"counts": [0, 5, 7], "size": [30, 40]}, Rle(30, 40, (0, 5, 7))),
        ({"counts": "abc", "size": [30, 40]}, Rle(30, 40, "abc")),
        ([], None),
        ([[]], None),
        (None, None),
    ],
)
@pytest.mark.parametrize("iscrowd", [0, 1])
def test_masks(segmentation: object, mask: Mask | None, iscrowd: int) -> None:
    item, reasons = object_of(segmentation=segmentation, iscrowd=iscrowd)
    assert (item.mask, item.is_crowd, reasons) == (mask, bool(iscrowd), [])


BAD_MASKS: dict[str, Any] = {
    "text": "none",
    "number": 5,
    "corners as text": [["1", "2", "3", "4", "5", "6"]],
    "corner null": [[1, 2, None, 4, 5, 6]],
    "corner true": [[1, 2, True, 4, 5, 6]],
    "points as pairs": [[[1, 2], [3, 4], [5, 6]]],
    "a ring and a number": [[1, 2, 3, 4, 5, 6], 7],
    "number of 400 digits": [[10**400, 1, 2, 2, 3, 3]],
    "run lengths without a size": {"counts": [1, 2]},
    "run lengths with a size of three": {"counts": [1, 2], "size": [1, 2, 3]},
    "run lengths of halves": {"counts": [1.5, 2], "size": [30, 40]},
    "run lengths that are an object": {"counts": {}, "size": [30, 40]},
}


@pytest.mark.parametrize("case", BAD_MASKS)
def test_mask_that_cannot_be_read_leaves_the_box(case: str) -> None:
    item, reasons = object_of(segmentation=BAD_MASKS[case])
    assert (item.mask, reasons) == (None, [Reason.MASK_UNREADABLE])


def test_masks_that_are_not_wanted_are_not_read() -> None:
    context = replace(CONTEXT, with_masks=False)
    item, reasons = object_of(context, segmentation=[[1, 2, 3, 4, 5, 6]], keypoints=[1, 2, 2])
    assert (item.mask, item.keypoints, reasons) == (None, (Keypoint(1, 2, 2),), [])
    assert object_of(context, segmentation="none") == (replace_mask(item), [])


def replace_mask(item: ObjectAnnotation) -> ObjectAnnotation:
    return item._replace(keypoints=None)


point = st.builds(Keypoint, st.floats(-99, 99), st.integers(0, 99), st.integers(0, 2))


@given(st.lists(point, min_size=1, max_size=5))
def test_keypoints(points: list[Keypoint]) -> None:
    flat = [value for point in points for value in point]
    assert object_of(keypoints=flat, num_keypoints=7)[0].keypoints == tuple(points)


@pytest.mark.parametrize(
    ("value", "expected", "reasons"),
    [
        ([1, 2, 2.0, "3", "4.5", "1"], (Keypoint(1, 2, 2), Keypoint(3, 4.5, 1)), []),
        ([1, 2, 7], (Keypoint(1, 2, 7),), []),
        ([], None, []),
        (None, None, []),
        ([1, 2], None, [Reason.KEYPOINTS_MALFORMED]),
        ([1, 2, 2, 3], None, [Reason.KEYPOINTS_MALFORMED]),
        ([[1, 2, 2]], None, [Reason.KEYPOINTS_MALFORMED]),
        ([[1], [2], [2]], None, [Reason.KEYPOINTS_MALFORMED]),
        ([1, 2, None], None, [Reason.KEYPOINTS_MALFORMED]),
        ([1, 2, float("nan")], None, [Reason.KEYPOINTS_MALFORMED]),
        ([1, 2, 1e300], None, [Reason.KEYPOINTS_MALFORMED]),
        ([1, 10**400, 2], None, [Reason.KEYPOINTS_MALFORMED]),
        ("1 2 2", None, [Reason.KEYPOINTS_MALFORMED]),
        ({"nose": [1, 2]}, None, [Reason.KEYPOINTS_MALFORMED]),
    ],
    ids=lambda value: str(value)[:20],
)
def test_keypoints_as_written(value: object, expected: object, reasons: list[str]) -> None:
    item, found = object_of(keypoints=value)
    assert (item.keypoints, found) == (expected, reasons)


@pytest.mark.parametrize(
    ("more", "track"),
    [
        ({"track_id": 7}, "7"),
        ({"instance_id": "a-7"}, "a-7"),
        ({"attributes": {"track_id": 3}}, "3"),
        ({"track_id": 0, "instance_id": 9}, "0"),
        ({"track_id": None}, ""),
        ({"track_id": [1]}, ""),
    ],
)
def test_tracks(more: dict[str, Any], track: str) -> None:
    assert object_of(**more)[0].track_id == track


def test_attributes_that_have_a_place() -> None:
    item, _ = object_of(attributes={"occluded": True, "truncated": 0, "difficult": "1", "rotation": 0.0})
    assert (item.occluded, item.truncated, item.difficult) == (True, False, True)
    item, _ = object_of(attributes=["red"])
    assert (item.occluded, item.truncated, item.difficult) == (None, None, None)


@pytest.mark.parametrize("skeleton", [[[1, 2]], [[0, 1]]], ids=["from 1", "from 0"])
def test_keypoints_are_declared(skeleton: list[list[int]]) -> None:
    classes = [PERSON | {"skeleton": skeleton}, {"id": 2, "name": "car", "keypoints": []}]
    (declared, _) = readings(coco([coco_image(1, "a.jpg")], [], classes))
    expected = DeclaredClasses((("person", 1), ("car", 2)), (("person", ("nose", "tail")),), (("person", ((0, 1),)),))
    assert declared == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"keypoints": "nose"},
        {"keypoints": ["nose", 5]},
        {"keypoints": ["nose", "nose "]},
        {"keypoints": ["nose", ""]},
        {"keypoints": ["nose", "\x1b"]},
        {"skeleton": [[1, 3]]},
        {"skeleton": [[-1, 1]]},
        {"skeleton": [[1]]},
        {"skeleton": "1-2"},
    ],
    ids=str,
)
def test_keypoints_declared_badly_are_none(changes: dict[str, Any]) -> None:
    declared, rejection, _ = readings(coco([coco_image(1, "a.jpg")], [], [PERSON | changes]))
    assert declared == DeclaredClasses((("person", 1),))
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.is_image) == (Reason.KEYPOINTS_MALFORMED, False)


def test_captions() -> None:
    captions = [{"id": n, "image_id": 1, "caption": text} for n, text in enumerate(["A cat. ", "고양이", "A cat."])]
    image = image_of(captions)
    assert (image.captions, image.objects, image.problems) == (("A cat.", "고양이", "A cat."), (), ())


@pytest.mark.parametrize("caption", [None, 5, "", "  ", ["a"]], ids=repr)
def test_caption_that_is_none_has_a_row(caption: object) -> None:
    _, rejection, image = readings(coco([coco_image(1, "a.jpg")], [{"id": 1, "image_id": 1, "caption": caption}]))
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.is_image, rejection.problems) == (Reason.FIELD_MISSING, False, ())
    assert isinstance(image, AnnotatedImage)


def test_captions_of_no_image_have_a_row() -> None:
    annotations = [{"id": 1, "image_id": 7, "caption": "A cat."}, coco_box(2, 7, [0, 0, 9, 9])]
    found = [item for item in readings(coco([], annotations)) if isinstance(item, Rejection)]
    assert [(item.reason, item.is_image, len(item.problems)) for item in found] == [
        (Reason.ORPHAN_ANNOTATION, False, 1),
        (Reason.ORPHAN_ANNOTATION, False, 0),
    ]


THINGS = [{"id": 1, "name": "cat", "isthing": 1}, {"id": 100, "name": "sky", "isthing": 0}]


def segment(segment_id: object, category_id: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": segment_id, "category_id": category_id, "bbox": [1, 2, 3, 4], "area": 9, "iscrowd": 0, **more}


def panoptic(*segments: object, **more: Any) -> dict[str, Any]:
    return {"image_id": 1, "file_name": "a.png", "segments_info": list(segments), **more}


def test_panoptic() -> None:
    image = image_of([panoptic(segment(7), segment(8, 100), segment(65536, iscrowd=1))], categories=THINGS)
    assert image.panoptic == PanopticMap(
        "train/a.png",
        (
            PanopticSegment(7, "cat"),
            PanopticSegment(8, "sky", is_thing=False),
            PanopticSegment(65536, "cat", is_crowd=True),
        ),
    )
    place = "annotations[0].segments_info[{}]"
    cat = ObjectAnnotation(Box(1, 2, 4, 6), "cat", position=place.format(0), area=9, is_crowd=False)
    assert image.objects == (
        cat._replace(mask=MaskFile("train/a.png", 7)),
        cat._replace(mask=MaskFile("train/a.png", 65536), position=place.format(2), is_crowd=True),
    )


def test_panoptic_maps_may_lie_beside_their_file(tmp_path: Path) -> None:
    for folder, expected in [("sub", "sub/a.png"), ("sub/train", "sub/train/a.png")]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(b"")
        context = replace(CONTEXT, companions=FolderCompanions(str(tmp_path), "sub"))
        image = image_of([panoptic(segment(7))], context, categories=THINGS)
        assert image.panoptic is not None
        assert image.panoptic.path == expected


def test_panoptic_without_masks_has_its_boxes() -> None:
    image = image_of([panoptic(segment(7), segment(8, 100))], replace(CONTEXT, with_masks=False), categories=THINGS)
    assert (image.panoptic, [item.mask for item in image.objects]) == (None, [None])


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (None, Reason.FIELD_MISSING),
        (segment(None), Reason.FIELD_MISSING),
        (segment("7"), Reason.FIELD_MISSING),
        (segment(8, 77), Reason.UNKNOWN_CLASS),
        (segment(8, bbox=None), Reason.FIELD_MISSING),
        (segment(8, bbox=[1, 2, 0, 4]), Reason.BOX_EMPTY),
    ],
    ids=str,
)
def test_bad_segments_are_dropped_boxes(bad: object, reason: str) -> None:
    image = image_of([panoptic(segment(7), bad)], categories=THINGS)
    assert [(problem.status, problem.reason) for problem in image.problems] == [("dropped", reason)]
    assert (len(image.objects), image.boxes_read) == (1, 2)


def test_two_panoptic_maps_reject_the_image() -> None:
    content = coco([coco_image(1, "a.jpg")], [panoptic(segment(7)), panoptic(segment(7))], THINGS)
    (rejection,) = readings(content)[1:]
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.is_image, len(rejection.problems)) == (Reason.PANOPTIC_REPEATED, True, 2)


def lvis(**changes: Any) -> AnnotatedImage:
    entry = {"id": 1, "coco_url": "http://images.org/val%202017/7.jpg", "neg_category_ids": [1], **changes}
    (image,) = readings(coco([entry], []))[1:]
    assert isinstance(image, AnnotatedImage)
    return image


def test_lvis() -> None:
    image = lvis(not_exhaustive_category_ids=[3, "1"])
    assert image.file_name == "/val 2017/7.jpg", "looked for by its ends"
    assert (image.negative_classes, image.not_exhaustive_classes) == (("cat",), ("dog", "cat"))
    assert image.repairs == ()
    assert lvis(file_name="b.jpg").file_name == "b.jpg"


@pytest.mark.parametrize("ids", [[1, 77], [1, None], [1, "x"], [[1], 1]], ids=str)
def test_unknown_classes_of_an_image_are_told(ids: list[object]) -> None:
    image = lvis(neg_category_ids=ids)
    assert (image.negative_classes, image.repairs) == (("cat",), (Reason.IMAGE_LABEL_DROPPED,))


@pytest.mark.parametrize("url", [5, None, "http://[", ""], ids=repr)
def test_image_without_any_name_is_rejected(url: object) -> None:
    (_, rejection) = readings(coco([{"id": 1, "coco_url": url}]))
    assert isinstance(rejection, Rejection)
    assert rejection.reason == Reason.FIELD_MISSING
