from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.annotations.json_outline import Outline, outline

values = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=3)
flat = st.dictionaries(st.text(max_size=4), values, max_size=4)
nested = st.dictionaries(st.text(max_size=4), values | flat | st.lists(flat, max_size=2), max_size=4)


def first_characters(value: dict[str, Any]) -> dict[str, str]:
    return {key: json.dumps(item)[0] for key, item in value.items()}


@given(nested, st.sampled_from([None, 2]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_outline_of_whole_text(value: dict[str, Any], indent: int | None, encoding: str) -> None:
    text = json.dumps(value, indent=indent)
    inner = [item[0] if isinstance(item, list) else item for item in value.values() if item]
    first = next((item for item in inner if isinstance(item, dict)), None)
    if any(isinstance(item, dict) and not item for item in value.values()):
        first = None  # an empty object may come before
    found = outline(text.encode(encoding))
    assert (found.kind, found.members) == ("object", first_characters(value))
    if first is not None:
        assert found.inner == first_characters(first)
    assert outline(f" [{text}".encode(encoding)) == Outline("array", found.members, found.inner)


@given(nested, st.data())
def test_outline_of_cut_text_has_the_first_members(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value).encode()
    found = outline(text[: data.draw(st.integers(0, len(text)))])
    whole = first_characters(value)
    assert [*found.members] == [*whole][: len(found.members)]
    assert all(found.members[key] in (whole[key], "") for key in found.members)


@pytest.mark.parametrize("head", [b"", b" ", b"x", b"[", b"{", b"[,", b"[[{", b"{,", b"{1", b'{"a"', b'{"a" 1'])
def test_no_outline(head: bytes) -> None:
    assert outline(head).members == {}


def test_depth_and_huge_numbers_are_no_danger() -> None:
    assert outline(b'{"a": ' + b"[" * 60_000).members == {"a": "["}
    assert outline(b'{"a": ' + b"9" * 60_000 + b"}").members == {"a": "9"}
