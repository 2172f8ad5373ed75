from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.reading import image, readings, reasons
from transforms.annotations.datumaro import read, sniff
from transforms.records import (
    Box,
    DeclaredClasses,
    ImageLabel,
    Keypoint,
    ObjectAnnotation,
    Polygons,
    Rle,
)

numbers = st.integers(-40, 400).map(lambda value: value / 4)
sides = st.integers(1, 400).map(lambda value: value / 4)


ONE_POINT = [{"label_id": 0, "labels": ["nose"]}]


def bbox(label: Any = 0, box: Any = (1, 2, 10, 20), kind: Any = "bbox", **more: Any) -> dict[str, Any]:
    start = {"id": 5, "type": kind, "attributes": {}, "group": 0, "label_id": label}
    return {**start, **({"bbox": box} if kind == "bbox" else {}), **more}


def item(*annotations: Any, **more: Any) -> dict[str, Any]:
    return {"id": "a", "annotations": annotations, "image": {"path": "a.jpg", "size": [30, 40]}, **more}


def datumaro(*items: Any, labels: Any = ("cat", "고양이"), points: Any = ()) -> dict[str, Any]:
    categories = {"label": {"labels": [{"name": name, "parent": ""} for name in labels]}, "points": {"items": points}}
    return {"dm_format_version": "1.0", "infos": {}, "categories": categories, "items": items}


SAMPLE = (
    "default.json",
    datumaro(
        item(
            bbox(1, kind="polygon", points=[1, 2, 3, 2, 3, 4], group=1),
            bbox(1, group=1),
            bbox(kind="points", points=[1, 2]),
            bbox(kind="mask", rle={"counts": "12", "size": [3, 4]}),
        ),
        points=[{"label_id": 0, "labels": ["nose"], "joints": [[1, 1]]}],
    ),
)


@given(st.lists(st.tuples(st.sampled_from([0, 1]), numbers, numbers, sides, sides), max_size=4), st.booleans())
def test_what_was_written_is_read(drawn: list[Any], items_come_first: bool) -> None:
    content = datumaro(item(*(bbox(label, box, id=index) for index, (label, *box) in enumerate(drawn))))
    if items_come_first:
        content = {key: content[key] for key in ("items", "categories")}
    found = image(read, content, "annotations/validation.json")
    assert list(found.objects) == [
        ObjectAnnotation(
            Box(x, y, x + width, y + height),
            ("cat", "고양이")[label],
            box_id=str(index),
            position=f"annotations[{index}]",
        )
        for index, (label, x, y, width, height) in enumerate(drawn)
    ]
    assert (found.file_name, found.other_names, found.split) == ("a.jpg", ("validation/a.jpg",), "val")
    assert (found.width, found.height) == (40, 30)


def test_classes_with_points_and_joints() -> None:
    points = [
        {"label_id": 1, "labels": ["nose", "eye"], "joints": [[1, 2], [2, 3], 7]},
        {"label_id": 9, "labels": ["x"]},
        {"label_id": 0, "labels": []},
    ]
    first, *_ = readings(read, datumaro(labels=["cat", "dog", None, "cat"], points=points))
    assert first == DeclaredClasses((("cat", 1), ("dog", 2)), (("dog", ("nose", "eye")),), (("dog", ((0, 1),)),))


def test_group_is_one_object() -> None:
    rle = {"counts": "123", "size": [30, 40]}
    points = [{"label_id": 0, "labels": ["nose", "eye"]}]
    parts = [
        bbox(kind="polygon", points=[1, 2, 3, 2, 3, 4], group=7),
        bbox(box=[0, 0, 9, 9], group=7, attributes={"is_crowd": False, "occluded": True, "track_id": 3}),
        bbox(kind="points", points=[1, 1, 5, 5], visibility=[2, 0], group=7),
        bbox(1, kind="mask", rle=rle, group=7),
        bbox(1, box=[1, 1, 2, 2], group=7),
    ]
    first, second = image(read, datumaro(item(*parts), points=points)).objects
    assert (first.class_name, first.box, first.mask) == ("cat", Box(0, 0, 9, 9), Polygons(((1, 2, 3, 2, 3, 4),)))
    assert first.keypoints == (Keypoint(1, 1, 2), Keypoint(5, 5, 0))
    assert (first.is_crowd, first.occluded, first.track_id) == (False, True, "3")
    assert (second.class_name, second.box, second.mask) == ("고양이", Box(1, 1, 3, 3), Rle(30, 40, "123"))


def test_group_of_several_boxes_is_several_objects() -> None:
    assert reasons(read, datumaro(item(bbox(group=1), bbox(group=1)))) == ["ok", "ok"]


def test_polygon_ellipse_and_points_have_the_box_around_them() -> None:
    points = [{"label_id": 0, "labels": ["a", "b"]}]
    parts = [
        bbox(kind="polygon", points=[1, 2, 3, 2, 3, 4]),
        bbox(kind="ellipse", points=[0, 0, 10, 20]),
        bbox(kind="points", points=[1, 2, 5, 6]),
    ]
    polygon, ellipse, keypoints = image(read, datumaro(item(*parts), points=points)).objects
    assert polygon.box == Box(1, 2, 3, 4)
    assert ellipse.box == pytest.approx(Box(0, 0, 10, 20))
    assert keypoints.box == Box(1, 2, 5, 6)


def test_labels_and_captions_of_the_picture() -> None:
    found = image(read, datumaro(item(bbox(1, kind="label"), bbox(kind="caption", caption="a street"))))
    assert (found.labels, found.captions, found.objects) == ((ImageLabel("고양이"),), ("a street",), ())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], ["!annotation_unreadable"]),
        ({"dm_format_version": "1.0", "items": []}, ["!annotation_unreadable"]),
        ({"categories": 3, "items": []}, []),
        ({"categories": {"label": {"labels": 7}}, "items": [item(bbox())]}, ["-unknown_class"]),
        (datumaro(3), ["!field_missing"]),
        (datumaro({"annotations": [bbox()]}), ["!field_missing", "-field_missing"]),
        (datumaro(item() | {"annotations": 3}), ["!field_missing"]),
        ('{"categories": {}, "items": [{"id": 1, "id": 2}]}', ["!json_duplicate_key"]),
        (datumaro(item(3)), ["-field_missing"]),
        (datumaro(item(bbox(2))), ["-unknown_class"]),
        (datumaro(item(bbox(-1))), ["-unknown_class"]),
        (datumaro(item(bbox(True))), ["-unknown_class"]),
        (datumaro(item(bbox("0"))), ["-unknown_class"]),
        (datumaro(item(bbox(None))), ["-unknown_class"]),
        (datumaro(item(bbox(None, kind="label"))), ["-unknown_class"]),
        (datumaro(item(bbox(box=None))), ["-field_missing"]),
        (datumaro(item(bbox(box=[1, 2, 3]))), ["-field_missing"]),
        (datumaro(item(bbox(box=[1, 2, 3, None]))), ["-field_not_number"]),
        (datumaro(item(bbox(box=[1, 2, 0, 1]))), ["-box_empty"]),
        (datumaro(item(bbox(kind="polyline"))), ["-shape_unsupported"]),
        (datumaro(item(bbox(kind="cuboid_3d"))), ["-shape_unsupported"]),
        (datumaro(item(bbox(kind=["bbox"]))), ["-shape_unsupported"]),
        (datumaro(item(bbox(kind="points", points=[1, 2]))), ["-shape_unsupported"]),
        (datumaro(item(bbox(kind="mask", rle={"counts": "1", "size": [30, 40]}))), ["-rle_invalid"]),
        (datumaro(item(bbox(kind="mask", rle={"counts": "4", "size": [2, 2]}))), ["-box_empty"]),
        (datumaro(item(bbox(kind="points", points=[1, 2], visibility=[0])), points=ONE_POINT), ["-field_missing"]),
        (datumaro(item(bbox(kind="points", points=[1, 2], visibility=[3])), points=ONE_POINT), ["-field_not_number"]),
        (datumaro(item(bbox(kind="points", points=[1, 2, 3, 4])), points=ONE_POINT), ["-field_missing"]),
        (datumaro(item(bbox(kind="mask", rle={"counts": [1], "size": [30, 40]}))), ["-field_missing"]),
        (datumaro(item(bbox(kind="mask", rle={"counts": "1", "size": [30, None]}))), ["-field_missing"]),
        (datumaro(item(bbox(kind="polygon", points=[1, 2, 3]))), ["-field_missing"]),
        (datumaro(item(bbox(kind="polygon", points=[]))), ["-field_missing"]),
        (datumaro(item(bbox(kind="polygon", points=[1, {}]))), ["-field_not_number"]),
        (datumaro(item(bbox(group=3), bbox(kind="polygon", points=[1], group=3))), ["ok", "-field_missing"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


@pytest.mark.parametrize(
    ("head", "is_datumaro"),
    [
        (b'{"dm_format_version": "1.0"', True),
        (b'{"info": {}, "categories": {"label"', True),
        (b'{"categories": {}, "items": [', True),
        (b'{"info": {}, "categories": [', False),
        (b'{"items": []}', False),
    ],
)
def test_sniffing(head: bytes, is_datumaro: bool) -> None:
    assert sniff(head) == is_datumaro
