from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations import json_stream
from transforms.annotations.json_stream import (
    DUPLICATE_KEY,
    JsonError,
    decode_json,
    stream_array,
    stream_lines,
    stream_members,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([10**400, -(10**30), 1e-320, "\\", '"', "\u2028", "한글", "\ud83d\ude00"])
)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=4), documents, max_size=4)


@pytest.fixture(params=[1, 2, 7, 64, 1 << 20], ids=lambda chars: f"window of {chars}")
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(json_stream, "WINDOW_CHARS", request.param)
    return int(request.param)


def members(text: str) -> list[tuple[str, Any]]:
    return list(stream_members(io.StringIO(text)))


def expected(value: dict[str, Any]) -> list[tuple[str, Any]]:
    """What the standard library's reader gives, arrays taken apart."""
    pairs = []
    for key, item in value.items():
        pairs += [(key, element) for element in item] if isinstance(item, list) else [(key, item)]
    return pairs


def canonical(value: Any) -> str:
    """Equal for equal values, NaN among them."""
    return repr(value)


@given(objects, st.sampled_from([None, 1]), st.booleans())
def test_streaming_equals_reading_at_once(
    window: int, value: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert canonical(members(text)) == canonical(expected(json.loads(text)))


@pytest.mark.parametrize(
    "number", ["1.5", "1e5", "1E+5", "-1.25e-3", "1e999", "NaN", "-Infinity", "12345678901234567890"]
)
def test_numbers_cut_by_the_window_are_whole(window: int, number: str) -> None:
    read = members(f'{{"a": [{number}, {number}], "b": {number}}}')
    assert canonical(read) == canonical([(key, json.loads(number)) for key in "aab"])


@given(objects.filter(bool), st.data())
def test_cut_text_is_an_error(window: int, value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value)
    end = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(JsonError):
        members(text[:end])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found the end of the file"),
        ("[1]", "expected { at character 0"),
        ('{"a": 1} x', "expected the end of the file"),
        ('{"a": 1,}', "Expecting value|expected a key"),
        ('{"a" 1}', "expected : at character 5"),
        ("{1: 1}", "expected a key"),
        ('{"a": [1 2]}', "expected , or ] at character 9"),
        ('{"a": [1,]}', "Expecting value"),
        ('{"a": tru}', "Expecting value"),
        ('{"a": "\n"}', "Invalid control character"),
        ('{"a": "b', "Unterminated string"),
        ('{"a": ' + "1" * 5000 + "}", "5000 digits|4300"),
        ('{"a": ' + "[" * 100_000, "nested too deeply|end of the file|Expecting value"),
        ('{"a": {"b": ' + '{"b": ' * 100_000, "nested too deeply"),
    ],
)
def test_mistakes_are_named(window: int, text: str, message: str) -> None:
    if window < 64 and len(text) > 1000:
        pytest.skip("each step would scan the long value again")
    with pytest.raises(JsonError, match=message):
        members(text)


def test_mistake_is_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "WINDOW_CHARS", 16)
    text = '{"a": [' + '{"b": 1}, ' * 50 + '{"b": x}]}'
    with pytest.raises(JsonError, match=f"character {text.index('x')}$"):
        members(text)


def test_repeated_keys_are_recorded(window: int) -> None:
    ((_, element),) = members('{"a": [{"b": 1, "c": 2, "b": 3}]}')
    assert element[DUPLICATE_KEY] == "b"
    assert members('{"a": [1], "a": [2]}') == [("a", 1), ("a", 2)]


def test_value_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "WINDOW_CHARS", 16)
    monkeypatch.setattr(json_stream, "MAX_VALUE_CHARS", 100)
    assert members(json.dumps({"a": ["x" * 90] * 5})) == [("a", "x" * 90)] * 5
    with pytest.raises(JsonError, match="longer than 100 characters"):
        members(json.dumps({"a": "x" * 500}))


def test_memory_does_not_grow_with_the_file() -> None:
    class Long(io.TextIOBase):
        """An array of many entries, made as it is read."""

        def __init__(self, reads: int) -> None:
            self.parts = iter(['{"a": [{"b": 1}', *[', {"b": 1}' * 1000] * reads, "]}", ""])

        def read(self, size: int | None = -1) -> str:
            return next(self.parts)

    def peak(reads: int) -> int:
        tracemalloc.start()
        count = sum(1 for _ in stream_members(Long(reads)))  # type: ignore[arg-type]
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert count == 1000 * reads + 1
        return most

    assert peak(200) < 1.1 * peak(20)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [{"b": 1, "c": {"d": 1, "d": 2}}, {"b": 2}, {"b": 3}]}',
        '{"a": [{"b": [1, {"d": 1, "d": 2}]}, {"b": 2}, {"b": 3}]}',
        '{"a": [{"b": [[{"d" : 1, "d" : 2}]]}, {"b": 2}, {"b": 3}]}',
        '{"a": [{"b": "\\":", "d": 1, "d": 2}, {"b": 2}, {"b": 3}]}',
    ],
)
def test_keys_repeated_inside_are_recorded(window: int, text: str) -> None:
    assert repr(DUPLICATE_KEY) in repr(members(text))


@pytest.mark.parametrize(
    "text", ['{"a": [{"b": "}, {"}, {"c": ["x}, {"]}, 1]}', '{"a": [{"b": [{}, {}]}, {"c": [{}]}, {}]}']
)
def test_borders_within_objects_are_none(window: int, text: str) -> None:
    assert members(text) == expected(json.loads(text))


@given(st.lists(documents, max_size=5))
def test_array_is_streamed(window: int, value: list[Any]) -> None:
    assert canonical(list(stream_array(io.StringIO(json.dumps(value))))) == canonical(json.loads(json.dumps(value)))


@pytest.mark.parametrize("text", ["", "[", "[1", "[1,", "{}", "[] 3", "[1]]", "3"])
def test_array_that_is_none(window: int, text: str) -> None:
    with pytest.raises(JsonError):
        list(stream_array(io.StringIO(text)))


@given(objects)
def test_members_of_inner_objects_are_streamed(window: int, value: dict[str, Any]) -> None:
    text = json.dumps({"before": 1, "inner": value, "after": value})
    found = list(stream_members(io.StringIO(text), objects=["inner"]))
    inner = [("inner", item) for item in json.loads(text)["inner"].items()]
    assert canonical(found) == canonical([("before", 1), *inner, ("after", json.loads(text)["after"])])


def test_repeated_keys_of_inner_objects_are_met_twice(window: int) -> None:
    found = list(stream_members(io.StringIO('{"a": {"b": 1, "b": {"c": 2}}}'), objects=["a"]))
    assert found == [("a", ("b", 1)), ("a", ("b", {"c": 2}))]


@given(st.lists(documents, max_size=5), st.sampled_from(["\n", "\r\n", "\n\n \n"]))
def test_lines_are_values(values: list[Any], end: str) -> None:
    text = end.join(map(json.dumps, values))
    found = list(stream_lines(io.StringIO(text, newline="")))
    assert canonical([value for _, value in found]) == canonical([json.loads(json.dumps(value)) for value in values])


def test_line_that_is_no_json_is_an_error_of_its_own() -> None:
    (first, _), (second, error), (third, value) = stream_lines(io.StringIO('1\n\n{"a": \n{"b": 2, "b": 3}'))
    assert (first, second, third) == (1, 3, 4)
    assert isinstance(error, JsonError)
    assert value == {"b": 3, DUPLICATE_KEY: "b"}


def test_line_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MAX_VALUE_CHARS", 10)
    with pytest.raises(JsonError, match="line 2 is longer than 10 characters"):
        list(stream_lines(io.StringIO("1\n" + "2" * 20)))


@given(documents)
def test_whole_text_is_decoded(value: Any) -> None:
    assert canonical(decode_json(json.dumps(value))) == canonical(json.loads(json.dumps(value)))


@pytest.mark.parametrize(
    "text", ['{"b": 1, "b": 1}', '[[1, {"b": 1, "b": 2}]]', '{"a": "\\":", "c": {"b": 1, "b": 2}}']
)
def test_repeated_keys_of_whole_texts_are_recorded(text: str) -> None:
    assert DUPLICATE_KEY in repr(decode_json(text)).encode().decode("unicode_escape")


def test_elements_that_are_no_objects(window: int) -> None:
    text = '{"a": [{}, null, {"b": 1}, 2, [3], {}, {}]}'
    assert members(text) == expected(json.loads(text))
