"""What holds for every format whose files are JSON text: who claims a file, encodings, damage."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.annotations.format_samples import SAMPLES, Sample
from tests.annotations.reading import lines, readings
from transforms.annotations.formats import FORMATS
from transforms.annotations.json_stream import JsonError, decode_json
from transforms.ledger.reasons import Reason
from transforms.records import AnnotatedImage, DeclaredClasses, Rejection

HANGUL = "고양이"
JSON_SAMPLES = [sample for sample in SAMPLES if sample.data[:1] in b"{["]

formats = pytest.mark.parametrize("sample", JSON_SAMPLES, ids=lambda sample: sample.format)


@formats
def test_each_file_is_claimed_by_its_format_alone(sample: Sample) -> None:
    text = sample.data.decode()
    for data in (text.encode(), text.encode("utf-16"), text[:100].encode()):
        assert [item.name for item in FORMATS.values() if item.sniff(data)] == [sample.format]


@formats
def test_encodings(sample: Sample) -> None:
    read, text = FORMATS[sample.format].read, sample.data.decode()
    expected = readings(read, text)
    assert any(HANGUL in repr(reading) for reading in expected), f"a class of the sample must be {HANGUL}"
    for encoding in ("utf-8-sig", "utf-16"):
        assert readings(read, text.encode(encoding)) == expected
    for reading in readings(read, text.encode("cp949")):
        assert HANGUL in repr(reading) or isinstance(reading, DeclaredClasses)
        assert not isinstance(reading, AnnotatedImage) or reading.repairs == (Reason.ENCODING_CP949,)


@formats
@given(data=st.data())
def test_damaged_text_is_rows(sample: Sample, data: st.DataObject) -> None:
    text = sample.data
    position = data.draw(st.integers(0, len(text)))
    noise = data.draw(st.binary(max_size=4) | st.text('{}[]":,0', max_size=4).map(str.encode))
    removed = data.draw(st.sampled_from([0, 1, len(noise), len(text)]))
    for reading in readings(FORMATS[sample.format].read, text[:position] + noise + text[position + removed :]):
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
def test_odd_values_are_rows(sample: Sample, data: st.DataObject) -> None:
    """Whatever stands where a number, name or object should be: nothing is raised, and counts stay numbers."""
    values = [json.loads(line) for line in sample.data.splitlines()]
    container, key = data.draw(st.sampled_from([*places(values)]))
    container[key] = copy.deepcopy(data.draw(odd))
    for reading in readings(FORMATS[sample.format].read, lines(*values)):
        assert isinstance(reading, AnnotatedImage | Rejection | DeclaredClasses)
        if isinstance(reading, AnnotatedImage):
            assert reading.file_name.strip()
            assert all(item.class_name and item.position for item in reading.objects)
            assert {type(edge) for item in reading.objects for edge in item.box} <= {float, int}


@pytest.mark.parametrize("text", ["", "{", '{"a": 1', "[" * 100_000, "9" * 5000, "{} {}"])
def test_text_that_is_no_json(text: str) -> None:
    with pytest.raises(JsonError):
        decode_json(text)
