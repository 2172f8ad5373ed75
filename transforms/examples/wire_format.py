"""tf.train.Example as bytes, without TensorFlow and without copying the picture.

The wire format of https://protobuf.dev/programming-guides/encoding applied to tensorflow/core/example/example.proto
and feature.proto: an Example is a map from key to BytesList, FloatList or Int64List. Entries are written in the order
of their keys, which is what ``SerializeToString(deterministic=True)`` does, and the lists of numbers are packed; so the
bytes equal TensorFlow's own, as long as no key begins with another whole key. That of masks' weights alone does, with
that of masks.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache

Kind = str
"""One of ``BYTES``, ``FLOAT``, ``INT64``."""

BYTES, FLOAT, INT64 = "bytes", "float", "int64"
Value = tuple[Kind, Sequence[bytes] | Sequence[float] | Sequence[int]]

# Tags of length-delimited fields (number << 3 | 2).
_FIELD_1, _FIELD_2 = b"\x0a", b"\x12"
_LIST_TAGS = {BYTES: b"\x0a", FLOAT: b"\x12", INT64: b"\x1a"}
# Below this a bytes value is joined into its surroundings; above it stays a buffer of its own.
LARGE_BYTES = 1 << 12


_ONE_BYTE = [bytes((value,)) for value in range(128)]


def encode_varint(value: int) -> bytes:
    """A base-128 varint; negative int64 values take ten bytes, as in protobuf."""
    if 0 <= value < 1 << 7:
        return _ONE_BYTE[value]
    if 0 <= value < 1 << 14:
        return bytes((value & 127 | 128, value >> 7))
    if 0 <= value < 1 << 21:
        return bytes((value & 127 | 128, value >> 7 & 127 | 128, value >> 14))
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


@lru_cache(maxsize=1 << 10)
def _key_field(key: str) -> bytes:
    encoded = key.encode()
    return _FIELD_1 + encode_varint(len(encoded)) + encoded


def _entry_head(key: str, kind: Kind, list_length: int) -> bytes:
    """All of a map entry that comes before the body of its list."""
    list_head = _LIST_TAGS[kind] + encode_varint(list_length)
    entry = _key_field(key) + _FIELD_2 + encode_varint(len(list_head) + list_length) + list_head
    return _FIELD_1 + encode_varint(len(entry) + list_length) + entry


def _value_entry_head(key: str, kind: Kind, length: int) -> bytes:
    """All of a map entry that comes before its packed numbers, or before its only bytes value."""
    if not length and kind != BYTES:
        return _entry_head(key, kind, 0)
    head = _value_head(length)
    return _entry_head(key, kind, len(head) + length) + head


# Few lengths of small values occur, so most calls are look-ups. That of a picture seldom comes again.
_known_entry_head = lru_cache(maxsize=1 << 14)(_entry_head)
_known_value_entry_head = lru_cache(maxsize=1 << 14)(_value_entry_head)


@lru_cache(maxsize=1 << 10)
def _floats(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}f")


def _value_head(length: int) -> bytes:
    return _FIELD_1 + encode_varint(length)


@lru_cache(maxsize=1 << 12)
def _headed(value: bytes) -> bytes:
    """A small value of a list; mostly the name of a class."""
    return _value_head(len(value)) + value


def encode_example(features: Mapping[str, Value]) -> list[bytes]:
    """Encodes an Example as buffers whose concatenation is the message; large values are not copied.

    Raises:
      struct.error, OverflowError: a float beyond float32, an integer beyond int64.
    """
    buffers: list[bytes] = []
    pending: list[bytes] = []
    for key in _in_order(tuple(features)):
        kind, values = features[key]
        if kind == FLOAT:
            packed = _floats(len(values)).pack(*values)
        elif kind == INT64:
            packed = _pack_varints(values)  # type: ignore[arg-type]
        elif len(values) == 1:
            (packed,) = values  # type: ignore[assignment]
        else:
            _add_bytes_list(key, values, pending, buffers)  # type: ignore[arg-type]
            continue
        size = len(packed)
        if size < LARGE_BYTES:
            pending.append(_known_value_entry_head(key, kind, size))
            pending.append(packed)
        else:
            pending.append(_value_entry_head(key, kind, size))
            buffers += (b"".join(pending), packed)
            pending.clear()
    buffers.append(b"".join(pending))
    buffers[0] = _value_head(sum(map(len, buffers))) + buffers[0]
    return buffers


def _add_bytes_list(key: str, values: Sequence[bytes], pending: list[bytes], buffers: list[bytes]) -> None:
    """Adds an entry with several values, or none."""
    length = sum(map(len, values))
    if length < LARGE_BYTES:
        body = b"".join(map(_headed, values))
        pending += (_known_entry_head(key, BYTES, len(body)), body)
        return
    heads = [_value_head(len(value)) for value in values]
    pending.append(_entry_head(key, BYTES, sum(map(len, heads)) + length))
    for head, value in zip(heads, values, strict=True):
        pending.append(head)
        if len(value) < LARGE_BYTES:
            pending.append(value)
        else:
            buffers += (b"".join(pending), value)
            pending.clear()


@lru_cache(maxsize=1 << 10)
def _in_order(keys: tuple[str, ...]) -> list[str]:
    """Sorted keys; records of a dataset have few different sets of them."""
    return sorted(keys)


def _pack_varints(values: Sequence[int]) -> bytes:
    if len(values) == 1:
        return encode_varint(values[0])
    try:
        packed = bytes(values)
    except ValueError:  # beyond a byte
        packed = b"\xff"
    # Values below 128 are their own varints.
    return packed if packed.isascii() else b"".join([encode_varint(value) for value in values])
