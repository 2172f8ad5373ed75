"""What comes of objects read by columns is what reading them one by one gives."""

from __future__ import annotations

import io
import json
import pickle
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.annotations.test_plain_objects import plain
from transforms.annotations import coco, json_stream, object_columns, plain_objects
from transforms.annotations.object_columns import ObjectColumns, TextColumns, columns_of_elements
from transforms.annotations.plain_objects import PlainObjects
from transforms.annotations.spilled_numbers import SpilledNumbers
from transforms.records import AnnotatedImage, Polygons, ReadContext, Reading

NEVER = 10**9
# Mostly what is plain, so that many lists have both.
odd = st.sampled_from([0, -1, True, "3", None, 1e308, float("nan"), float("inf"), 10**400, 2**53 + 1, -0.0, 5e-324, []])
numbers = st.integers(1, 9) | st.floats(0.25, 9) | odd
ids = st.integers(1, 6) | st.sampled_from([0, -2, "3", 4.0, None, True, 2**63])
coordinates = st.integers(-3, 700) | st.integers(0, 70_000).map(lambda number: number / 100) | st.floats(-1e9, 1e9)
rings = st.lists(coordinates, max_size=8)
polygons = st.lists(rings, max_size=3)
# Every list is of polygons or boxes alone as often as of anything.
masks = polygons | st.sampled_from([None, 5, "text", {"counts": "04", "size": [1, 4]}, [1, 2, 3, 4], [None]])
odd_masks = masks | st.lists(st.lists(coordinates | odd, max_size=8), max_size=3)


def objects(masks: st.SearchStrategy[Any], odd: bool) -> st.SearchStrategy[dict[str, Any]]:
    side = st.integers(1, 9) | st.floats(0.25, 9)
    return st.fixed_dictionaries(
        {
            "id": st.integers(1, 50) | ids if odd else st.integers(1, 50),
            "image_id": st.integers(1, 4) | ids if odd else st.integers(0, 4),
            "category_id": st.integers(1, 3) | ids if odd else st.integers(1, 3),
            "bbox": st.lists(side | numbers if odd else side | st.just(0), min_size=4, max_size=4),
        },
        optional={
            "area": st.floats(0, 9) | numbers if odd else st.floats(0, 9) | st.none(),
            "iscrowd": st.integers(0, 1) | st.sampled_from([2, None, "1", 10**30] if odd else [2, None]),
            "segmentation": masks,
            **({"score": st.just(0.5), "track_id": st.integers(0, 3)} if odd else {}),
        },
    )


annotations = st.sampled_from([(polygons, False), (polygons, True), (odd_masks, False), (odd_masks, True)]).flatmap(
    lambda kind: st.lists(objects(*kind), max_size=30)
)


def as_text(entries: list[dict[str, Any]], indent: int | None = None) -> bytes:
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}, {"id": "2", "file_name": "b.jpg"}, {"id": "03", "file_name": "c"}],
        "annotations": entries,
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
    }
    return json.dumps(content, indent=indent).encode()


def read(
    data: bytes,
    *,
    fewest: int = NEVER,
    fewest_chars: int = NEVER,
    most_in_memory: int = 1 << 19,
    memory_bytes: int = 1 << 25,
    window: int = 1 << 20,
    most_numbers: int = 1 << 20,
    with_masks: bool = True,
) -> list[Reading]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_columns, "FEWEST", fewest)
        patch.setattr(object_columns, "FEWEST_CHARS", fewest_chars)
        patch.setattr(json_stream, "WINDOW_CHARS", window)
        patch.setattr(plain_objects, "SpilledNumbers", lambda: SpilledNumbers(memory_bytes))
        patch.setattr(coco, "PlainObjects", lambda: PlainObjects(most_in_memory))
        patch.setattr(plain_objects, "MAX_NUMBERS", most_numbers)
        return list(coco.read(io.BytesIO(data), ReadContext("photos", "train.json", with_masks=with_masks)))


def in_order(readings: list[Reading]) -> list[str]:
    return sorted(map(repr, readings))  # by their text: NaN is no other NaN, and 0.0 not -0.0


@given(annotations, st.sampled_from([None, 1]), st.booleans())
def test_columns_give_what_one_by_one_gives(
    entries: list[dict[str, Any]], indent: int | None, with_masks: bool
) -> None:
    data = as_text(entries, indent)
    expected = in_order(read(data, with_masks=with_masks))
    assert in_order(read(data, fewest=1, with_masks=with_masks)) == expected
    assert in_order(read(data, fewest_chars=1, with_masks=with_masks)) == expected
    assert in_order(read(data, fewest=1, fewest_chars=1, window=300, with_masks=with_masks)) == expected


@given(annotations, st.integers(1, 9), st.sampled_from([0, 100, 1 << 20]), st.sampled_from([0, 20]))
def test_what_goes_to_files_comes_back(
    entries: list[dict[str, Any]], most_in_memory: int, memory_bytes: int, most_numbers: int
) -> None:
    data = as_text(entries)
    sizes = {"most_in_memory": most_in_memory, "memory_bytes": memory_bytes, "most_numbers": most_numbers}
    assert in_order(read(data, fewest=1, fewest_chars=1, **sizes)) == in_order(read(data))


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
    columns = columns_of_elements(elements, lambda keys: True)
    assert columns is not None
    assert list(columns.others()) == [(4, elements[4])]


@pytest.mark.parametrize("odd", [None, 5, "text", [], {"id": 1}, {**next(plain(1)), "bbox": [1, 2, 3]}])
def test_a_batch_of_other_types_is_no_columns(odd: object) -> None:
    assert columns_of_elements([*plain(10), odd], lambda keys: True) is None


def outlined(count: int) -> list[dict[str, Any]]:
    return [entry | {"segmentation": [[1.5, 2, 3, entry["id"], 5, 6]]} for entry in plain(count)]


def text_of(elements: list[Any]) -> str:
    return json.dumps(elements)[1:-1]


def columns_of_text(text: str, with_masks: bool) -> ObjectColumns | None:
    return TextColumns(with_masks, {"keypoints", "attributes"}.isdisjoint).read(text)


@pytest.mark.parametrize("with_masks", [True, False])
def test_text_to_columns(with_masks: bool) -> None:
    elements = outlined(200)
    elements[7]["bbox"] = [0, 0, 1, -1]
    columns = columns_of_text(text_of(elements), with_masks)
    assert columns is not None
    assert list(columns.others()) == [(7, elements[7])]
    assert columns.rows["id"].tolist() == list(range(200))
    outlines = [[6, 1.5, 2, 3, number, 5, 6] for number in range(200) if with_masks]
    assert columns.outlines.tolist() == [*chain.from_iterable(outlines)]


ODD_TEXTS = {
    "a key twice": '"id": 1, "id": 2',
    "another key": '"score": 0.5',
    "a key of another kind": '"keypoints": [1, 1, 2]',
    "a number that is none": '"area": NaN',
    "a number that Arrow alone knows": '"area": Inf',
    "a number beyond float64": '"area": ' + "9" * 400,
    "an integer beyond int64": '"iscrowd": ' + "9" * 30,
    "less than nothing": '"area": -0',
    "a float for an integer": '"iscrowd": 1.0',
    "a flag": '"iscrowd": true',
    "a text": '"area": "5"',
    "run lengths": '"segmentation": {"counts": "04", "size": [1, 4]}',
    "numbers without rings": '"segmentation": [1, 2, 3, 4]',
    "a ring that is none": '"segmentation": [null]',
    "a coordinate that is none": '"segmentation": [[1, null]]',
    "no comma": '"area": 5 "iscrowd": 0',
    "a comma too many": '"area": 5,',
    "the end of the list": '"area": 5}], "objects": [{"id": 1',
    "the end of the text": '"area": 5}]}\0{{',
    "another document": '"area": 5}]}\n{"objects": [{"id": 1',
}


@pytest.mark.parametrize("odd", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_texts_that_are_read_with_care(odd: str) -> None:
    text = text_of(outlined(50)) + ', {"bbox": [1, 2, 3, 4], "image_id": 1, "category_id": 1, %s}'
    assert columns_of_text(text % '"id": 1', True) is not None
    assert columns_of_text(text % odd, True) is None


@pytest.mark.parametrize(
    ("more", "is_learnt"),
    [
        ({"isfake": 0}, True),
        ({"score": "5"}, False),
        ({"score": 1, "keypoints": 0}, False),
        ({"\ud800": 1}, False),
        ({str(key): key for key in range(100)}, False),
    ],
)
def test_other_keys_of_numbers_are_learnt(more: dict[str, Any], is_learnt: bool) -> None:
    elements = [element | more for element in outlined(50)]
    reader = TextColumns(True, {"keypoints"}.isdisjoint)
    assert reader.read(text_of(elements)) is None
    reader.learn(elements[0])
    assert (reader.read(text_of(elements)) is not None) == is_learnt
    assert reader.read(text_of(outlined(50))) is not None


def test_portions_can_be_pickled() -> None:
    data = as_text([*plain(500, images=3), *outlined(500)])
    context = ReadContext("photos", "train.json")
    there_and_back = [pickle.loads(pickle.dumps(p)) for p in coco.portions(io.BytesIO(data), context)]
    readings = [reading for portion in there_and_back for reading in portion.readings()]
    assert in_order(readings) == in_order(read(data))
    assert sum(len(portion.plain) for portion in there_and_back) == 999  # the last one is decoded by itself
    images = [reading for reading in readings if isinstance(reading, AnnotatedImage)]
    assert sum(isinstance(item.mask, Polygons) for image in images for item in image.objects) > 100
