"""Examples are read back as they were written, by our own declaration of the message."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.examples.example_message import NotAnExample, parse_example
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value, encode_example

_FLOATS = st.floats(width=32, allow_nan=False)
_VALUES = st.one_of(
    st.tuples(st.just(BYTES), st.lists(st.binary(max_size=40), max_size=5)),
    st.tuples(st.just(FLOAT), st.lists(_FLOATS, max_size=5)),
    st.tuples(st.just(INT64), st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5)),
)


@given(st.dictionaries(st.text(max_size=12), _VALUES, max_size=6))
def test_round_trip(features: dict[str, Value]) -> None:
    parsed = parse_example(b"".join(encode_example(features)))
    assert {key: value and (value[0], list(value[1])) for key, value in parsed.items()} == features


def test_large_values_and_every_kind() -> None:
    features: dict[str, Value] = {"a": (BYTES, [bytes(100_000)]), "b": (FLOAT, [0.5]), "c": (INT64, [-1])}
    parsed = parse_example(b"".join(encode_example(features)))
    assert {key: value and (value[0], list(value[1])) for key, value in parsed.items()} == features


def test_lists_that_are_not_packed() -> None:
    """Other writers may leave numbers unpacked: a tag before each."""
    numbers = b"\x0d" + struct.pack("<f", 0.5) + b"\x0d" + struct.pack("<f", 2)
    feature = b"\x12" + bytes([len(numbers)]) + numbers
    entry = b"\x0a\x01k\x12" + bytes([len(feature)]) + feature
    features = b"\x0a" + bytes([len(entry)]) + entry
    parsed = parse_example(b"\x0a" + bytes([len(features)]) + features)
    value = parsed["k"]
    assert value is not None
    assert (value[0], list(value[1])) == (FLOAT, [0.5, 2.0])


def test_a_feature_without_a_list() -> None:
    assert parse_example(b"\x0a\x07\x0a\x05\x0a\x01k\x12\x00") == {"k": None}


def test_an_empty_message() -> None:
    assert parse_example(b"") == {}


@pytest.mark.parametrize("payload", [b"\x0a\x05", b"\xff" * 9, b"\x0a\x07\x0a\x05\x0a\x01\xff\x12\x00"])
def test_no_example(payload: bytes) -> None:
    with pytest.raises(NotAnExample, match=f"its {len(payload)} bytes"):
        parse_example(payload)
