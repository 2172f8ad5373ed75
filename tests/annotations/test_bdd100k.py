from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.reading import image, images, reasons
from transforms.annotations.bdd100k import CURVE_STEPS, read, sniff
from transforms.records import Box, ObjectAnnotation, Polygons, Rle

numbers = st.integers(-40, 400).map(lambda value: value / 4)
names = st.sampled_from(["car", "고양이"])
flags = st.sampled_from([True, False, None])
drawn_labels = st.lists(st.tuples(names, st.tuples(numbers, numbers, numbers, numbers), flags, flags), max_size=3)


def label(category: Any = "car", box: Any = (1, 2, 11, 22), **more: Any) -> dict[str, Any]:
    box2d = None if box is None else dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
    return {"id": "0", "category": category, "box2d": box2d, **more}


def frame(*labels: Any, name: Any = "a.jpg", **more: Any) -> dict[str, Any]:
    attributes = {"weather": "rainy", "scene": "city street", "timeofday": "night", "n": 3}
    return {"name": name, "attributes": attributes, "timestamp": 10000, "labels": labels, **more}


def scalabel(frames: Any) -> dict[str, Any]:
    return {"frames": frames, "groups": [], "config": {"categories": []}}


SAMPLE = (
    "bdd100k.json",
    [
        frame(
            label("고양이"),
            label(box=None, poly2d=[{"vertices": [[1, 2], [3, 4], [5, 9]], "types": "LCC", "closed": True}]),
        )
    ],
)


@given(st.lists(drawn_labels, max_size=3), st.booleans())
def test_what_was_written_is_read(drawn: list[Any], is_scalabel: bool) -> None:
    frames = [
        frame(
            *(label(name, box, attributes={"occluded": a, "truncated": b}) for name, box, a, b in labels),
            name=f"{index}.jpg",
        )
        for index, labels in enumerate(drawn)
    ]
    found = images(read, scalabel(frames) if is_scalabel else frames)
    assert [item.file_name for item in found] == [f"{index}.jpg" for index in range(len(drawn))]
    for item, labels in zip(found, drawn, strict=True):
        assert list(item.objects) == [
            ObjectAnnotation(
                Box(*box), name, box_id="0", position=f"labels[{index}]", occluded=occluded, truncated=truncated
            )
            for index, (name, box, occluded, truncated) in enumerate(labels)
        ]
        assert item.fields == (("weather", "rainy"), ("scene", "city street"), ("timeofday", "night"))


def test_file_of_the_first_release() -> None:
    drivable = label("area", None, poly2d=[[0, 0, "L"], [4, 0, "L"], [4, 4, "L"]])
    lane = label("lane", None, poly2d=[{"vertices": [[0, 0], [9, 9]], "types": "LL", "closed": False}])
    frames = [{"timestamp": 10000, "objects": [label(), drivable, lane]}]
    found = image(read, {"name": "0a-1b", "frames": frames, "attributes": {"weather": "clear"}})
    assert (found.file_name, found.fields) == ("0a-1b", (("weather", "clear"),))
    assert [item.mask for item in found.objects] == [None, Polygons(((0, 0, 4, 0, 4, 4),))]
    assert [(item.position, item.reason) for item in found.problems] == [("objects[2]", "shape_unsupported")]


def test_frame_of_a_video() -> None:
    item = label(attributes={"crowd": True})
    found = image(read, [frame(item, videoName="b1", frameIndex=3, size={"width": 1280, "height": 720})])
    assert (found.fields[0], found.width, found.height) == (("video", "b1"), 1280, 720)
    assert (found.objects[0].track_id, found.objects[0].is_crowd) == ("0", True)


def test_masks_beside_boxes() -> None:
    lines = [{"vertices": [[0, 0], [4, 0], [4, 4]], "types": "LLL", "closed": True}] * 2
    first, second = image(read, [frame(label(poly2d=lines), label(rle={"counts": "12", "size": [30, 40]}))]).objects
    assert (first.box, first.mask) == (Box(1, 2, 11, 22), Polygons(((0, 0, 4, 0, 4, 4),) * 2))
    assert second.mask == Rle(30, 40, "12")


def test_curve_stays_within_its_control_points_and_ends_where_it_must() -> None:
    line = {"vertices": [[0, 0], [0, 8], [8, 8], [8, 0]], "types": "LCCL", "closed": True}
    (item,) = image(read, [frame(label(box=None, poly2d=[line]))]).objects
    assert isinstance(item.mask, Polygons)
    ring = item.mask.rings[0]
    assert (ring[:2], ring[-2:], len(ring)) == ((0, 0), (8, 0), 2 * (CURVE_STEPS + 1))
    assert item.box == pytest.approx(Box(0, 0, 8, 6))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[", ["!annotation_unreadable"]),
        ('{"frames": [', ["!annotation_unreadable"]),
        ([3], ["!field_missing"]),
        ('[{"name": "a", "name": "b"}]', ["!json_duplicate_key"]),
        ([frame(label(), name=None)], ["!field_missing", "-field_missing"]),
        ([frame() | {"labels": 3}], ["!field_missing"]),
        ([frame() | {"labels": None}], []),
        ({"name": "a", "frames": []}, ["!field_missing"]),
        ({"name": "a", "frames": [{}, {}]}, ["!field_missing"]),
        ([frame(3)], ["-field_missing"]),
        ([frame(label(None))], ["-field_missing"]),
        ([frame(label(box=None))], ["-shape_unsupported"]),
        ([frame(label(box=None, box3d={"x": 1}))], ["-shape_unsupported"]),
        ([frame(label() | {"box2d": 3})], ["-field_missing"]),
        ([frame(label(box=(1, 2, 3, None)))], ["-field_missing"]),
        ([frame(label(box=(1, 2, 3, True)))], ["-field_not_number"]),
        ([frame(label(box=(1, 2, 3, float("nan"))))], ["ok"]),  # the check of boxes drops it
        ([frame(label(poly2d=3))], ["-field_missing"]),
        ([frame(label(poly2d=[{"vertices": []}]))], ["-field_missing"]),
        ([frame(label(poly2d=[{"vertices": [[1]]}]))], ["-field_missing"]),
        ([frame(label(poly2d=[{"vertices": [[1, "x"]]}]))], ["-field_not_number"]),
        ([frame(label(poly2d=[{"vertices": [[1, 2], [3, 4], [5, 6]], "types": "CCC"}]))], ["ok"]),
        ([frame(label(poly2d=[{"vertices": [[1, 2], [3, 4], [5, 6]], "types": "LLC"}]))], ["ok"]),
        ([frame(label(rle={"counts": [1], "size": [1, 1]}))], ["ok"]),
    ],
)
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected


@pytest.mark.parametrize(
    ("head", "is_bdd"),
    [
        (b'[{"name": "a.jpg", "labels": null', True),
        (b'[{"name": "a.jpg", "attributes": {"weather": "clear"', True),
        (b'{"frames": [{"name": "a.jpg", "labels": [', True),
        (b'{"name": "a", "frames": [{"timestamp": 1, "objects": [', True),
        (b'[{"name": "a.jpg"}]', False),
        (b'{"frames": []}', False),
    ],
)
def test_sniffing(head: bytes, is_bdd: bool) -> None:
    assert sniff(head) == is_bdd
