"""What holds for every format whose files are JSON text: who claims a file, encodings, damage."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.annotations import (
    test_bdd100k,
    test_createml,
    test_crowdhuman,
    test_datumaro,
    test_label_studio,
    test_labelbox,
    test_labelme,
    test_sagemaker,
    test_supervisely,
    test_vertex_ai,
    test_via,
    test_vott,
)
from tests.annotations.reading import readings
from tests.sample_data import coco, coco_box, coco_image
from transforms.annotations.formats import FORMATS
from transforms.annotations.json_stream import JsonError, decode_json
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, DeclaredClasses, Rejection

HANGUL = "고양이"
# A value, or a list of values for formats of one value a line.
SAMPLES: dict[str, Any] = {
    "coco": coco([coco_image(1, "a.jpg")], [coco_box(1, 1, [0, 0, 1, 1])], [{"id": 1, "name": HANGUL}]),
    "bdd100k": [
        test_bdd100k.frame(
            test_bdd100k.label(HANGUL),
            test_bdd100k.label(
                box=None, poly2d=[{"vertices": [[1, 2], [3, 4], [5, 9]], "types": "LCC", "closed": True}]
            ),
        )
    ],
    "crowdhuman": [test_crowdhuman.line(test_crowdhuman.person(tag=HANGUL), test_crowdhuman.person(None))] * 2,
    "labelbox": [
        test_labelbox.row(
            test_labelbox.label(
                test_labelbox.item(HANGUL),
                test_labelbox.item(box=None, polygon=[{"x": 1, "y": 2}]),
                classifications=[{"radio_answer": {"name": "x"}, "text_answer": {"content": "y"}}],
            )
        )
    ],
    "sagemaker": [test_sagemaker.line(test_sagemaker.item(1)), test_sagemaker.line(test_sagemaker.item(1))],
    "supervisely": test_supervisely.supervisely(
        test_supervisely.item(name=HANGUL),
        test_supervisely.item("polygon"),
        test_supervisely.bitmap(test_supervisely.packed([[True]])),
        tags=[{"name": "train", "value": None}],
    ),
    "vertex_ai": [test_vertex_ai.line(test_vertex_ai.item(HANGUL)), test_vertex_ai.line(test_vertex_ai.item(HANGUL))],
    "createml": test_createml.createml(test_createml.item(HANGUL)),
    "datumaro": test_datumaro.datumaro(
        test_datumaro.item(
            test_datumaro.bbox(1, kind="polygon", points=[1, 2, 3, 2, 3, 4], group=1),
            test_datumaro.bbox(1, group=1),
            test_datumaro.bbox(kind="points", points=[1, 2]),
            test_datumaro.bbox(kind="mask", rle={"counts": "12", "size": [3, 4]}),
        ),
        labels=["cat", HANGUL],
        points=[{"label_id": 0, "labels": ["nose"], "joints": [[1, 1]]}],
    ),
    "via": test_via.project(
        test_via.entry(
            test_via.region(type=HANGUL),
            test_via.region({"name": "ellipse", "cx": 1, "cy": 2, "rx": 3, "ry": 4, "theta": 5}),
            test_via.region({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [3, 4]}, kind={"cat": True}),
        )
    ),
    "vott": test_vott.export(
        test_vott.asset(test_vott.region([HANGUL]), test_vott.region(kind="POLYGON", points=[{"x": 1, "y": 2}])),
        tags=[{"name": "cat"}],
    ),
    "label_studio": test_label_studio.with_result(
        test_label_studio.region(labels=[HANGUL]),
        test_label_studio.region("polygonlabels", points=[[0, 0], [50, 0], [50, 25]]),
    ),
    "labelme": test_labelme.labelme(
        test_labelme.shape(HANGUL), test_labelme.shape(HANGUL, "polygon", [(1, 2), (3, 4), (5, 9)])
    ),
}
LINES = ("crowdhuman", "labelbox", "sagemaker", "vertex_ai")


def text_of(name: str, value: Any) -> str:
    lines = value if name in LINES else [value]
    return "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)


formats = pytest.mark.parametrize("name", SAMPLES)


@formats
def test_each_file_is_claimed_by_its_format_alone(name: str) -> None:
    text = text_of(name, SAMPLES[name])
    for data in (text.encode(), text.encode("utf-16"), text[:100].encode()):
        assert [item.name for item in FORMATS.values() if item.sniff(data)] == [name]


@formats
def test_encodings(name: str) -> None:
    text = text_of(name, SAMPLES[name])
    expected = readings(FORMATS[name].read, text)
    assert any(HANGUL in repr(reading) for reading in expected)
    for encoding in ("utf-8-sig", "utf-16"):
        assert readings(FORMATS[name].read, text.encode(encoding)) == expected
    for reading in readings(FORMATS[name].read, text.encode("cp949")):
        assert HANGUL in repr(reading) or isinstance(reading, DeclaredClasses)
        assert not isinstance(reading, AnnotatedImage) or reading.repairs == (Reason.ENCODING_CP949,)


@formats
@given(data=st.data())
def test_damaged_text_is_rows(name: str, data: st.DataObject) -> None:
    text = text_of(name, SAMPLES[name]).encode()
    position = data.draw(st.integers(0, len(text)))
    noise = data.draw(st.binary(max_size=4) | st.text('{}[]":,0', max_size=4).map(str.encode))
    removed = data.draw(st.sampled_from([0, 1, len(noise), len(text)]))
    for reading in readings(FORMATS[name].read, text[:position] + noise + text[position + removed :]):
        assert isinstance(reading, AnnotatedImage | Rejection | DeclaredClasses)


odd = (
    st.none()
    | st.booleans()
    | st.integers(-(10**320), 10**320)
    | st.floats()
    | st.text(max_size=3)
    | st.lists(st.integers(), max_size=3)
    | st.dictionaries(st.sampled_from(["x", "id", "label"]), st.integers(), max_size=2)
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """``(container, key)`` of each value within."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, item in items:
        yield value, key
        yield from places(item)


@formats
@settings(max_examples=200)
@given(data=st.data())
def test_odd_values_are_rows(name: str, data: st.DataObject) -> None:
    """Whatever stands where a number, name or object should be: nothing is raised, and counts stay numbers."""
    value = json.loads(json.dumps(SAMPLES[name]))
    container, key = data.draw(st.sampled_from([*places(value)]))
    container[key] = copy.deepcopy(data.draw(odd))
    for reading in readings(FORMATS[name].read, text_of(name, value)):
        assert isinstance(reading, AnnotatedImage | Rejection | DeclaredClasses)
        if isinstance(reading, AnnotatedImage):
            assert reading.file_name.strip()
            assert all(item.class_name and item.position for item in reading.objects)
            assert {type(edge) for item in reading.objects for edge in item.box} <= {float, int}


@pytest.mark.parametrize("text", ["", "{", '{"a": 1', "[" * 100_000, "9" * 5000, "{} {}"])
def test_text_that_is_no_json(text: str) -> None:
    with pytest.raises(JsonError):
        decode_json(text)
