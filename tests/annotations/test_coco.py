from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sample_data import coco, coco_box, coco_image
from transforms.annotations.coco import read, sniff
from transforms.records import AnnotatedImage, Box, DeclaredClasses, ReadContext, Reading, Rejection

CONTEXT = ReadContext("photos", "train.json")


def readings(content: object) -> list[Reading]:
    return list(read(io.BytesIO(json.dumps(content).encode()), CONTEXT))


def images(content: object) -> list[AnnotatedImage]:
    return [reading for reading in readings(content) if isinstance(reading, AnnotatedImage)]


SAMPLE = "instances.json", coco([coco_image(1, "a.jpg")], [coco_box(1, 1, [0, 0, 1, 1])], [{"id": 1, "name": "고양이"}])


def test_boxes_become_edges() -> None:
    (image,) = images(coco([coco_image(7, "a.jpg")], [coco_box(9, 7, [1.5, 2, 10, 20.25], 3, area=12.5, iscrowd=1)]))
    assert (image.file_name, image.image_id, image.width, image.height) == ("a.jpg", "7", 40, 30)
    assert (image.source, image.annotation_file, image.repairs) == ("photos", "train.json", ())
    (item,) = image.objects
    assert item.box == Box(1.5, 2, 11.5, 22.25)
    assert (item.class_name, item.box_id, item.position) == ("dog", "9", "annotations[0]")
    assert (item.area, item.is_crowd, item.difficult) == (12.5, True, None)


def test_silence_is_none() -> None:
    (image,) = images({"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [coco_box(1, 1, [0, 0, 1, 1])],
                       "categories": [{"id": 1, "name": "cat"}]})  # fmt: skip
    assert (image.width, image.height) == (None, None)
    assert (image.objects[0].area, image.objects[0].is_crowd) == (None, None)


@pytest.mark.parametrize("order", [["images", "annotations", "categories"], ["categories", "annotations", "images"]])
def test_arrays_stand_in_any_order(order: list[str]) -> None:
    content = coco([coco_image(1, "a.jpg")], [coco_box(1, 1, [0, 0, 1, 1])])
    (image,) = images({key: content[key] for key in order})
    assert image.objects[0].class_name == "cat"


def test_classes_are_declared_with_their_ids() -> None:
    (declared, _) = readings(
        coco([coco_image(1, "a.jpg")], categories=[{"id": 90, "name": "z"}, {"id": 0, "name": "a"}])
    )
    assert declared == DeclaredClasses((("z", 90), ("a", 0)))


def test_file_that_cannot_be_read_is_one_rejection() -> None:
    (rejection,) = readings([])
    assert isinstance(rejection, Rejection)
    assert not rejection.is_image
    assert rejection.annotation_file == "train.json"


ids = st.integers(1, 4)
odd = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats()
    | st.text(max_size=3)
    | st.lists(st.integers(), max_size=5)
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "id": ids | odd,
        "image_id": ids | odd,
        "category_id": ids | odd,
        "file_name": st.sampled_from(["a.jpg", "b.jpg"]) | odd,
        "bbox": st.lists(st.integers(-5, 50) | odd, min_size=4, max_size=4) | odd,
        "area": odd,
        "width": odd,
        "name": odd,
    },
)


@given(st.lists(entries | odd, max_size=6), st.lists(entries | odd, max_size=6))
def test_every_entry_is_accounted_for(image_entries: list[Any], box_entries: list[Any]) -> None:
    found = readings(coco(image_entries, box_entries))
    count = sum(isinstance(item, AnnotatedImage) or (isinstance(item, Rejection) and item.is_image) for item in found)
    assert count == len(image_entries)
    boxes = sum(item.boxes_read if isinstance(item, AnnotatedImage) else len(item.problems) for item in found[1:])  # type: ignore[union-attr]
    assert boxes == len(box_entries)
    positions = [
        problem.position
        for item in found[1:]
        for problem in item.problems  # type: ignore[union-attr]
        if problem.status == "dropped"
    ] + [box.position for item in found if isinstance(item, AnnotatedImage) for box in item.objects]
    assert sorted(positions) == sorted(f"annotations[{index}]" for index in range(len(box_entries)))


@pytest.mark.parametrize(
    ("head", "is_coco"),
    [
        (b'{"images": []', True),
        (b'\xef\xbb\xbf \n{"info": {}, "annotations": [', True),
        ('{"categories": [1]}'.encode("utf-16"), True),
        (b'[{"images": 1}]', False),
        (b'{"shapes": [], "imagePath": "a.jpg"}', False),
        (b"<annotation>", False),
        (b"", False),
    ],
)
def test_sniffing(head: bytes, is_coco: bool) -> None:
    assert sniff(head) == is_coco
