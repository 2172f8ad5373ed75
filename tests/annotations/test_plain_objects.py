"""Plain objects of COCO are read by columns; what comes of them is what reading them one by one gives."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations import coco, plain_objects
from transforms.annotations.plain_objects import PlainObjects
from transforms.records import ReadContext, Reading

CONTEXT = ReadContext("photos", "train.json")
# Mostly what is plain, so that many lists have both.
numbers = (
    st.integers(1, 9) | st.floats(0.25, 9) | st.sampled_from([0, -1, True, "3", None, 1e308, float("nan"), 10**400])
)
ids = st.integers(1, 6) | st.sampled_from([0, -2, "3", 4.0, None, True, 2**63])
annotations = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.integers(1, 50) | ids,
            "image_id": st.integers(1, 4) | ids,
            "category_id": st.integers(1, 3) | ids,
            "bbox": st.lists(st.integers(1, 9) | st.floats(0.25, 9) | numbers, min_size=4, max_size=4),
        },
        optional={
            "area": st.floats(0, 9) | numbers,
            "iscrowd": st.integers(0, 1) | st.sampled_from([2, None, "1", 10**30]),
            "score": st.just(0.5),
            "segmentation": st.just([]) | st.just([[0, 0, 1, 0, 1, 1]]),
            "track_id": st.integers(0, 3),
        },
    ),
    max_size=30,
)


def as_text(entries: list[dict[str, Any]]) -> bytes:
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": "2", "file_name": "b.jpg"}, {"id": "03", "file_name": "c"}],
        "annotations": entries,
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    return json.dumps(content).encode()


def read(data: bytes, fewest: int, most_in_memory: int = 1 << 19) -> list[Reading]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_objects, "FEWEST", fewest)
        patch.setattr(coco, "PlainObjects", lambda: PlainObjects(most_in_memory))
        return list(coco.read(io.BytesIO(data), CONTEXT))


def in_order(readings: list[Reading]) -> list[str]:
    return sorted(map(repr, readings))  # by their text: NaN is no other NaN


@given(annotations)
def test_columns_give_what_one_by_one_gives(entries: list[dict[str, Any]]) -> None:
    data = as_text(entries)
    assert in_order(read(data, fewest=1)) == in_order(read(data, fewest=10**9))


@given(annotations, st.integers(1, 9))
def test_what_goes_to_files_comes_back(entries: list[dict[str, Any]], most_in_memory: int) -> None:
    data = as_text(entries)
    assert in_order(read(data, 1, most_in_memory)) == in_order(read(data, fewest=10**9))


def plain(count: int, images: int = 7) -> Iterator[dict[str, Any]]:
    for index in range(count):
        yield {"id": index, "image_id": index % images, "category_id": 1, "bbox": [index, 0, 2.5, 3], "iscrowd": 0}


def test_objects_come_back_image_by_image_in_the_order_of_the_file() -> None:
    objects = PlainObjects(most_in_memory=20)
    elements = list(plain(100))
    for first in range(0, 100, 10):
        ids, left = objects.take(first, elements[first : first + 10], lambda keys: True)
        assert list(ids) == list(range(first, first + 10))
        assert list(left) == []
    rows, counts = objects.of_images([3, 99, 0])
    assert counts == [14, 0, 15]
    assert rows["index"].tolist() == [*range(3, 100, 7), *range(0, 100, 7)]
    assert rows["xmax"].tolist() == [index + 2.5 for index in [*range(3, 100, 7), *range(0, 100, 7)]]
    assert objects.images_not_asked_for() == [1, 2, 4, 5, 6]


@pytest.mark.parametrize(
    "change",
    [
        {"bbox": [0, 0, 0, 1]},
        {"bbox": [0, 0, 1, -1]},
        {"bbox": [0, 0, float("inf"), 1]},
        {"area": float("nan")},
        {"image_id": -1},
    ],
)
def test_one_unusual_object_is_handed_back_alone(change: dict[str, Any]) -> None:
    elements = list(plain(10))
    elements[4] |= change
    ids, left = PlainObjects().take(100, elements, lambda keys: True)
    assert list(left) == [(104, elements[4])]
    assert 4 not in ids


@pytest.mark.parametrize("odd", [None, 5, "text", [], {"id": 1}, {**next(plain(1)), "bbox": [1, 2, 3]}])
def test_a_batch_of_other_types_is_handed_back_whole(odd: object) -> None:
    elements = [*plain(10), odd]
    ids, left = PlainObjects().take(0, elements, lambda keys: True)
    assert ids.size == 0
    assert list(left) == list(enumerate(elements))


def test_portions_can_be_pickled() -> None:
    data = as_text(list(plain(500, images=3)))
    there_and_back = [pickle.loads(pickle.dumps(p)) for p in coco.portions(io.BytesIO(data), CONTEXT)]
    assert [reading for portion in there_and_back for reading in portion.readings()] == read(data, fewest=8)
    assert sum(len(portion.plain) for portion in there_and_back) == 499  # the last one is decoded by itself
