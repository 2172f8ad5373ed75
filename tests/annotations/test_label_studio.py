from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.annotations.reading import image, reasons
from transforms.annotations.label_studio import read
from transforms.records import Box, ImageLabel, MaskBitmap, Polygons

SIZE = {"original_width": 200, "original_height": 100, "image_rotation": 0}
sides = st.integers(1, 400).map(lambda value: value / 4)
percents = st.integers(0, 400).map(lambda value: value / 4)


def region(kind: str = "rectanglelabels", labels: Any = ("cat",), region_id: Any = "r", **value: Any) -> dict[str, Any]:
    value = value or {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0}
    return {"id": region_id, "type": kind, "value": {**value, kind: labels}, **SIZE}


def annotation(*regions: Any, **more: Any) -> dict[str, Any]:
    return {"id": 1, "was_cancelled": False, "result": regions, **more}


def task(*annotations: Any, url: Any = "a.jpg", **more: Any) -> dict[str, Any]:
    return {"id": 7, "annotations": annotations, "predictions": [], "data": {"title": "x", "image": url}, **more}


def with_result(*regions: Any) -> list[Any]:
    return [task(annotation(*regions))]


SAMPLE = (
    "export.json",
    with_result(region(labels=["고양이"]), region("polygonlabels", points=[[0, 0], [50, 0], [50, 25]])),
)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["cat", "고양이"]), percents, percents, sides, sides
        ),
        max_size=4,
    )
)  # fmt: skip
def test_what_was_written_is_read(drawn: list[Any]) -> None:
    regions = [
        region(labels=[name], region_id=f"r{index}", x=x, y=y, width=width, height=height, rotation=0)
        for index, (name, x, y, width, height) in enumerate(drawn)
    ]
    found = image(read, with_result(*regions))
    assert [item.class_name for item in found.objects] == [name for name, *_ in drawn]
    assert [item.box_id for item in found.objects] == [f"r{index}" for index in range(len(drawn))]
    for item, (_, x, y, width, height) in zip(found.objects, drawn, strict=True):
        assert [100 * edge for edge in item.box] == pytest.approx([x, y, x + width, y + height])
    assert (found.file_name, found.image_id, found.unit) == ("a.jpg", "7", "fractions")
    assert (found.width, found.height) == ((200, 100) if drawn else (None, None))


def test_rectangle_is_turned_about_its_corner_in_pixels() -> None:
    # 20 x 10 pixels at (100, 50), turned by a quarter: it goes left and down.
    (item,) = image(read, with_result(region(x=50, y=50, width=10, height=10, rotation=90))).objects
    assert item.box == pytest.approx(Box(0.45, 0.5, 0.5, 0.7))
    assert isinstance(item.mask, Polygons)


def test_polygon_and_ellipse() -> None:
    polygon = region("polygonlabels", points=[[0, 0], [50, 0], [50, 25]])
    ellipse = region("ellipselabels", region_id="e", x=50, y=50, radiusX=10, radiusY=20, rotation=90)
    first, second = image(read, with_result(polygon, ellipse)).objects
    assert (first.box, first.mask) == (Box(0, 0, 0.5, 0.25), Polygons(((0, 0, 0.5, 0, 0.5, 0.25),)))
    assert second.box == pytest.approx(Box(0.4, 0.3, 0.6, 0.7))


def packed(values: bytes, word: int = 8) -> list[int]:
    """Bytes packed as the brush's are: runs where a value repeats, single values elsewhere."""
    bits = f"{len(values):032b}{word - 1:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    start = 0
    while start < len(values):
        end = start
        while end < len(values) and values[end] == values[start] and end - start < 1 << 16:
            end += 1
        if end - start > 1:
            bits += f"111{end - start - 1:016b}{values[start]:08b}"
        else:
            bits += f"000{0:03b}{values[start]:08b}"
        start = end
    return list(int(bits + "0" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big"))


@given(st.data())
def test_brush(data: st.DataObject) -> None:
    width, height = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4))
    pixels = np.array(data.draw(st.lists(st.booleans(), min_size=width * height, max_size=width * height)))
    pixels = pixels.reshape(height, width)
    rgba = np.repeat(pixels[:, :, None] * 255, 4, axis=2).astype(np.uint8).tobytes()
    brush = region("brushlabels", format="rle", rle=packed(rgba)) | {"original_width": width, "original_height": height}
    if not pixels.any():
        assert reasons(read, with_result(brush)) == ["-box_empty"]
        return
    (item,) = image(read, with_result(brush)).objects
    assert isinstance(item.mask, MaskBitmap)
    drawn = np.zeros_like(pixels)
    crop = np.asarray(Image.open(io.BytesIO(item.mask.data)))
    x, y = item.mask.x, item.mask.y
    drawn[y : y + crop.shape[0], x : x + crop.shape[1]] = crop
    assert (drawn == pixels).all()
    assert item.box == Box(x / width, y / height, (x + crop.shape[1]) / width, (y + crop.shape[0]) / height)


def test_region_of_several_results_and_labels() -> None:
    geometry = {"x": 0, "y": 0, "width": 50, "height": 50, "rotation": 0}
    results = [
        {"id": "r", "type": "rectangle", "value": geometry, **SIZE},
        {"id": "r", "type": "labels", "value": {**geometry, "labels": ["cat", "wet"]}, **SIZE},
        {"id": "r", "type": "choices", "value": {**geometry, "choices": ["left"]}, **SIZE},
        {"from_id": "r", "to_id": "s", "type": "relation"},
    ]
    found = image(read, with_result(*results))
    assert [(item.class_name, item.box) for item in found.objects] == [
        ("cat", Box(0, 0, 0.5, 0.5)),
        ("wet", Box(0, 0, 0.5, 0.5)),
    ]
    assert (found.labels, found.problems) == ((), ())


def test_words_of_the_whole_picture() -> None:
    results = [
        {"id": "a", "type": "choices", "value": {"choices": ["night", "rain"]}},
        {"id": "b", "type": "textarea", "value": {"text": ["a street"]}},
        {"id": "c", "type": "rating", "value": {"rating": 4}},
    ]
    found = image(read, with_result(*results))
    assert (found.labels, found.captions) == ((ImageLabel("night"), ImageLabel("rain")), ("a street",))


@pytest.mark.parametrize(
    ("marks", "chosen"),
    [
        ([{"updated_at": "2024-01-02"}, {"updated_at": "2024-01-01"}], 0),
        ([{"updated_at": "2024-01-02"}, {"updated_at": "2024-01-01", "ground_truth": True}], 1),
        ([{"updated_at": "2024-01-02", "was_cancelled": True}, {"updated_at": "2024-01-01"}], 1),
    ],
)
def test_one_annotation_counts_and_the_others_are_listed(marks: list[Any], chosen: int) -> None:
    annotations = [annotation(region(region_id=str(index)), **mark) for index, mark in enumerate(marks)]
    found = image(read, [task(*annotations)])
    assert [item.box_id for item in found.objects] == [str(chosen)]
    assert [(item.box_id, item.reason) for item in found.problems] == [(str(1 - chosen), "annotation_unused")]
    assert found.boxes_read == 2


@pytest.mark.parametrize(
    ("url", "name", "other_names"),
    [
        ("/data/upload/3/0a1b2c3d-%EA%B1%B0.jpg", "/data/upload/3/0a1b2c3d-거.jpg", ("거.jpg",)),
        ("/data/local-files/?d=x/a.jpg", "x/a.jpg", ()),
        ("s3://bucket/x/a.jpg", "s3://bucket/x/a.jpg", ()),
    ],
)
def test_names(url: str, name: str, other_names: tuple[str, ...]) -> None:
    found = image(read, [task(annotation(), url=url)])
    assert (found.file_name, found.other_names) == (name, other_names)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([], []),
        ({}, ["!annotation_unreadable"]),
        ("[", ["!annotation_unreadable"]),
        ([3], ["!field_missing"]),
        ('[{"data": {}, "data": {}}]', ["!json_duplicate_key"]),
        ([{"annotations": []}], ["!field_missing"]),
        ([task(annotation(), url=None) | {"data": {"n": 3}}], ["!field_missing"]),
        ([task(annotation(), url="data:image/png;base64,iVBO") | {}], ["!field_missing"]),
        ([task()], ["!not_annotated"]),
        ([task() | {"annotations": 3}], ["!field_missing"]),
        ([task(annotation(region(), was_cancelled=True))], ["!not_annotated", "-annotation_unused"]),
        ([task(annotation() | {"result": 3})], ["!field_missing"]),
        (with_result(3), ["-field_missing"]),
        (with_result(region() | {"value": None}), ["-field_missing"]),
        (with_result(region(labels=None)), ["-field_missing"]),
        (with_result(region(labels=[])), ["-field_missing"]),
        (with_result(region(labels=[True])), ["-field_missing"]),
        (with_result(region(labels=["a\n\0"])), ["-name_not_unicode"]),
        (with_result(region(x=1, y=1, width=0, height=1)), ["-box_empty"]),
        (with_result(region(x=1, y=1, width=-3, height=1)), ["-box_empty"]),
        (with_result(region(x=1, y=1, width=1)), ["-field_missing"]),
        (with_result(region(x=1, y=True, width=1, height=1)), ["-field_not_number"]),
        (with_result(region(x=1, y=1, width=1, height=1, rotation="?")), ["-field_not_number"]),
        (with_result(region(x=1, y=1, width=1, height=1, rotation=5) | {"original_width": 0}), ["-field_missing"]),
        (with_result(region("keypointlabels", x=1, y=1, width=1)), ["-shape_unsupported"]),
        (with_result(region("videorectangle", sequence=[])), ["-field_missing"]),
        (with_result(region("polygonlabels", points=[])), ["-field_missing"]),
        (with_result(region("polygonlabels", points=[[1, None]])), ["-field_not_number"]),
        (with_result(region("brushlabels", rle=[])), ["-field_not_number"]),
        (with_result(region("brushlabels", rle=[1, 2, 3, 4, 5, 6, 7, 8])), ["-field_not_number"]),
        (with_result(region("brushlabels", rle=[256])), ["-field_not_number"]),
        (with_result(region("brushlabels", rle=packed(b"\0" * 80_000)[:-2])), ["-field_not_number"]),
        (with_result(region("brushlabels", rle=[0]) | {"original_width": 10**9}), ["-field_not_number"]),
    ],
)  # fmt: skip
def test_awkward(content: Any, expected: list[str]) -> None:
    assert reasons(read, content) == expected
