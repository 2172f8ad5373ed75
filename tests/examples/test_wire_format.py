from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.examples.feature_keys import FEATURE_KEYS, MASK_WEIGHT
from transforms.examples.wire_format import BYTES, FLOAT, INT64, Value, encode_example, encode_varint

tf = pytest.importorskip("tensorflow")

int64s = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 300)
values = (
    st.tuples(st.just(BYTES), st.lists(st.binary(max_size=200) | st.just(b"x" * 5000), max_size=4))
    | st.tuples(st.just(FLOAT), st.lists(st.floats(width=32), max_size=40))
    | st.tuples(st.just(INT64), st.lists(int64s, max_size=40))
)


def message(features: dict[str, Value]) -> Any:
    """The same features as TensorFlow's own message."""
    lists = {
        BYTES: lambda items: tf.train.Feature(bytes_list=tf.train.BytesList(value=items)),
        FLOAT: lambda items: tf.train.Feature(float_list=tf.train.FloatList(value=items)),
        INT64: lambda items: tf.train.Feature(int64_list=tf.train.Int64List(value=items)),
    }
    feature = {key: lists[kind](items) for key, (kind, items) in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature))


def is_free_of_prefixes(features: dict[str, Value]) -> bool:
    """Whether no key begins with another: protobuf's implementations do not agree on the order of such keys."""
    return not any(key != other and key.startswith(other) for key in features for other in features)


@given(st.dictionaries(st.text(max_size=10), values, max_size=6).filter(is_free_of_prefixes))
def test_bytes_equal_tensorflows(features: dict[str, Value]) -> None:
    assert b"".join(encode_example(features)) == message(features).SerializeToString(deterministic=True)


@pytest.mark.parametrize("size", [0, 127, 128, 4095, 4096, 16383, 16384, 1 << 21])
def test_pictures_of_all_sizes(size: int) -> None:
    features: dict[str, Value] = {"image/encoded": (BYTES, (b"x" * size,)), "z": (INT64, (1,)), "a": (FLOAT, ())}
    buffers = encode_example(features)
    assert b"".join(buffers) == message(features).SerializeToString(deterministic=True)


def test_large_values_are_not_copied() -> None:
    picture = b"x" * 100_000
    assert any(buffer is picture for buffer in encode_example({"a": (BYTES, (picture,)), "b": (INT64, (1,))}))


def test_the_keys_of_records_have_one_order_only() -> None:
    ordered = FEATURE_KEYS.keys() - {MASK_WEIGHT}  # which the Object Detection API named as it did
    assert is_free_of_prefixes(dict.fromkeys(ordered, (BYTES, ())))


@given(st.integers(0, 2**64 - 1))
def test_varints(value: int) -> None:
    data = encode_varint(value)
    assert sum((byte & 127) << 7 * place for place, byte in enumerate(data)) == value
    assert [byte >> 7 for byte in data] == [1] * (len(data) - 1) + [0]


def test_floats_that_a_float32_cannot_hold_are_an_error() -> None:
    with pytest.raises((OverflowError, struct.error)):
        encode_example({"a": (FLOAT, (1e39,))})
